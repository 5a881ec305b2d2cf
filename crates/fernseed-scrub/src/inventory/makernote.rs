//! Makers' private notes: only the entries that identify a device, a person
//! or a second picture. Layouts and tag numbers follow the public ExifTool
//! documentation of each maker's tags.

use super::exif::{Entry, Tiff};
use super::names::Sense;
use super::text::size;
use super::{Category, Harm};
use Category::{Device, Link, People, Place, Preview, Time};
use Harm::{High, Low, Medium};

/// Makers whose notes are directories that can be walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Maker {
    Apple,
    Canon,
    Casio,
    Fujifilm,
    Motorola,
    Nikon,
    Olympus,
    OlympusEquipment,
    Panasonic,
    Pentax,
    Ricoh,
    Sigma,
    Sony,
    Other,
}

/// How the directory inside a note is laid out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) maker: Maker,
    /// Offset of the directory from the start of the note.
    pub(super) directory: u64,
    /// If set, offsets count from this place in the note instead of from
    /// the start of the EXIF block.
    pub(super) rebase: Option<u64>,
    pub(super) big_endian: bool,
    /// True if `directory` is where the directory's offset stands.
    pub(super) indirect: bool,
}

/// Recognises a note by its first bytes and the maker's name.
pub(super) fn recognise(head: &[u8], maker: &str, big_endian: bool) -> Option<Layout> {
    let order = |at: usize| match head.get(at..at + 2) {
        Some(b"II") => Some(false),
        Some(b"MM") => Some(true),
        _ => None,
    };
    let plain =
        |maker, directory| Layout { maker, directory, rebase: None, big_endian, indirect: false };
    let upper = maker.to_ascii_uppercase();
    let layout = if head.starts_with(b"Apple iOS\0") {
        Layout { rebase: Some(0), big_endian: order(12)?, ..plain(Maker::Apple, 14) }
    } else if head.starts_with(b"Nikon\0\x02") {
        let big_endian = order(10)?;
        Layout { rebase: Some(10), big_endian, indirect: true, ..plain(Maker::Nikon, 14) }
    } else if head.starts_with(b"Nikon\0\x01") {
        plain(Maker::Other, 8)
    } else if head.starts_with(b"OLYMPUS\0") || head.starts_with(b"OM SYSTEM\0") {
        let at = if head.starts_with(b"OLYMPUS\0") { 8 } else { 12 };
        let big_endian = order(at)?;
        Layout { rebase: Some(0), big_endian, ..plain(Maker::Olympus, at as u64 + 4) }
    } else if head.starts_with(b"OLYMP\0") || head.starts_with(b"EPSON\0") {
        plain(Maker::Olympus, 8)
    } else if head.starts_with(b"FUJIFILM") || head.starts_with(b"GENERALE") {
        let rebase = Some(0);
        Layout { rebase, big_endian: false, indirect: true, ..plain(Maker::Fujifilm, 8) }
    } else if head.starts_with(b"Panasonic\0\0\0") {
        plain(Maker::Panasonic, 12)
    } else if head.starts_with(b"LEICA\0\0\0") {
        plain(Maker::Panasonic, 8)
    } else if head.starts_with(b"AOC\0") {
        let big_endian = order(4).unwrap_or(true);
        Layout { big_endian, ..plain(Maker::Pentax, 6) }
    } else if head.starts_with(b"PENTAX \0") {
        Layout { rebase: Some(0), big_endian: order(8)?, ..plain(Maker::Pentax, 10) }
    } else if head.starts_with(b"SONY ") || head.starts_with(b"VHAB ") {
        plain(Maker::Sony, 12)
    } else if head.starts_with(b"MOT\0") {
        Layout { rebase: Some(0), ..plain(Maker::Motorola, 8) }
    } else if head.starts_with(b"SIGMA\0") || head.starts_with(b"FOVEON\0") {
        plain(Maker::Sigma, 10)
    } else if head.starts_with(b"Ricoh") || head.starts_with(b"RICOH") {
        plain(Maker::Ricoh, 8)
    } else if head.starts_with(b"QVC\0") {
        plain(Maker::Casio, 6)
    } else if upper.starts_with("CANON") {
        plain(Maker::Canon, 0)
    } else if upper.starts_with("SONY") {
        plain(Maker::Sony, 0)
    } else if ["CASIO", "NIKON", "MINOLTA", "KONICA", "SAMSUNG"]
        .iter()
        .any(|m| upper.starts_with(m))
    {
        plain(Maker::Other, 0)
    } else {
        return None;
    };
    Some(layout)
}

/// Tags that hold a further directory.
pub(super) const fn sub_directory(maker: Maker, tag: u16) -> Option<Maker> {
    match (maker, tag) {
        (Maker::Olympus, 0x2010) => Some(Maker::OlympusEquipment),
        _ => None,
    }
}

const SERIAL: Sense = ((Device, High), "serial number");
const OWNER: Sense = ((People, High), "owner");
const DATE: Sense = ((Time, Medium), "date and time");
const SECOND: Sense = ((Preview, High), "second picture");
const FIRMWARE: Sense = ((Device, Medium), "firmware version");
const MODEL: Sense = ((Device, Medium), "device model");
const UNIQUE: Sense = ((Link, High), "unique identifier");
const COUNTER: Sense = ((Link, Medium), "shutter or file counter");
const FACES: Sense = ((People, Medium), "faces the camera found");
const TOWN: Sense = ((Place, High), "place");

/// `(maker, tag, name, sense)`.
const TAGS: &[(Maker, u16, &str, Sense)] = &[
    (Maker::Apple, 0x0011, "ContentIdentifier", ((Link, High), "live photo link")),
    (Maker::Apple, 0x0015, "ImageUniqueID", UNIQUE),
    (Maker::Apple, 0x000B, "BurstUUID", UNIQUE),
    (Maker::Apple, 0x0017, "LivePhotoVideoIndex", ((Link, Medium), "live photo link")),
    (Maker::Apple, 0x0020, "ImageCaptureRequestID", UNIQUE),
    (Maker::Apple, 0x002B, "PhotoIdentifier", UNIQUE),
    (Maker::Apple, 0x0003, "RunTime", ((Time, Medium), "time since the phone was started")),
    (Maker::Apple, 0x0008, "AccelerationVector", ((Device, Low), "how the phone was held")),
    (Maker::Canon, 0x0006, "CanonImageType", MODEL),
    (Maker::Canon, 0x0007, "CanonFirmwareVersion", FIRMWARE),
    (Maker::Canon, 0x0008, "FileNumber", COUNTER),
    (Maker::Canon, 0x0009, "OwnerName", OWNER),
    (Maker::Canon, 0x000C, "SerialNumber", SERIAL),
    (Maker::Canon, 0x0010, "CanonModelID", MODEL),
    (Maker::Canon, 0x0028, "ImageUniqueID", UNIQUE),
    (Maker::Canon, 0x0035, "TimeInfo", ((Time, Medium), "time zone")),
    (Maker::Canon, 0x0095, "LensModel", ((Device, Low), "lens")),
    (Maker::Canon, 0x0096, "InternalSerialNumber", SERIAL),
    (Maker::Casio, 0x0004, "PreviewImageStart", SECOND),
    (Maker::Casio, 0x2000, "PreviewImage", SECOND),
    (Maker::Casio, 0x2001, "FirmwareDate", DATE),
    (Maker::Fujifilm, 0x0010, "InternalSerialNumber", SERIAL),
    (Maker::Fujifilm, 0x1438, "ImageCount", COUNTER),
    (Maker::Fujifilm, 0x4100, "FacesDetected", FACES),
    (Maker::Fujifilm, 0x4103, "FacePositions", FACES),
    (Maker::Fujifilm, 0x4200, "NumFaceElements", FACES),
    (Maker::Fujifilm, 0x8009, "OriginalFileName", ((Link, Medium), "original file name")),
    (Maker::Motorola, 0x5500, "BuildNumber", FIRMWARE),
    (Maker::Motorola, 0x5501, "SerialNumber", SERIAL),
    (Maker::Motorola, 0x6705, "ManufactureDate", DATE),
    (Maker::Nikon, 0x0011, "PreviewIFD", SECOND),
    (Maker::Nikon, 0x001D, "SerialNumber", SERIAL),
    (Maker::Nikon, 0x0024, "WorldTime", ((Time, Medium), "time zone")),
    (Maker::Nikon, 0x0026, "VRInfo2", ((Device, Low), "camera settings")),
    (Maker::Nikon, 0x00A0, "SerialNumber", SERIAL),
    (Maker::Nikon, 0x00A7, "ShutterCount", COUNTER),
    (Maker::Nikon, 0x00B6, "PowerUpTime", DATE),
    (Maker::Nikon, 0x0E1D, "NikonICCProfile", ((Device, Low), "colour profile")),
    (Maker::Nikon, 0x0E09, "NikonCaptureVersion", ((Category::Software, Low), "software")),
    (Maker::Olympus, 0x0100, "ThumbnailImage", SECOND),
    (Maker::Olympus, 0x0081, "PreviewImage", SECOND),
    (Maker::Olympus, 0x0088, "PreviewImageStart", SECOND),
    (Maker::Olympus, 0x0101, "BodyFirmware", FIRMWARE),
    (Maker::Olympus, 0x0207, "CameraType", MODEL),
    (Maker::Olympus, 0x0209, "CameraID", SERIAL),
    (Maker::Olympus, 0x0404, "SerialNumber", SERIAL),
    (Maker::Olympus, 0x101A, "SerialNumber", SERIAL),
    (Maker::Olympus, 0x1036, "PreviewImageStart", SECOND),
    (Maker::OlympusEquipment, 0x0100, "CameraType2", MODEL),
    (Maker::OlympusEquipment, 0x0101, "SerialNumber", SERIAL),
    (Maker::OlympusEquipment, 0x0102, "InternalSerialNumber", SERIAL),
    (Maker::OlympusEquipment, 0x0104, "BodyFirmwareVersion", FIRMWARE),
    (Maker::OlympusEquipment, 0x0202, "LensSerialNumber", SERIAL),
    (Maker::OlympusEquipment, 0x0302, "ExtenderSerialNumber", SERIAL),
    (Maker::OlympusEquipment, 0x1003, "FlashSerialNumber", SERIAL),
    (Maker::Panasonic, 0x0002, "FirmwareVersion", FIRMWARE),
    (Maker::Panasonic, 0x0025, "InternalSerialNumber", SERIAL),
    (Maker::Panasonic, 0x0033, "BabyAge", ((People, High), "age somebody entered")),
    (Maker::Panasonic, 0x004E, "FaceDetInfo", FACES),
    (Maker::Panasonic, 0x0052, "LensSerialNumber", SERIAL),
    (Maker::Panasonic, 0x0061, "FaceRecInfo", ((People, High), "names of recognised people")),
    (Maker::Panasonic, 0x0065, "Title", ((People, Medium), "title")),
    (Maker::Panasonic, 0x0066, "BabyName", ((People, High), "name somebody entered")),
    (Maker::Panasonic, 0x0067, "Location", TOWN),
    (Maker::Panasonic, 0x0069, "Country", TOWN),
    (Maker::Panasonic, 0x006B, "State", TOWN),
    (Maker::Panasonic, 0x006D, "City", TOWN),
    (Maker::Panasonic, 0x006F, "Landmark", TOWN),
    (Maker::Panasonic, 0x8010, "BabyAge", ((People, High), "age somebody entered")),
    (Maker::Pentax, 0x0004, "PreviewImageStart", SECOND),
    (Maker::Pentax, 0x0005, "PentaxModelID", MODEL),
    (Maker::Pentax, 0x0006, "Date", DATE),
    (Maker::Pentax, 0x0007, "Time", DATE),
    (Maker::Pentax, 0x0023, "HometownCity", TOWN),
    (Maker::Pentax, 0x0024, "DestinationCity", TOWN),
    (Maker::Pentax, 0x005D, "ShutterCount", COUNTER),
    (Maker::Pentax, 0x0060, "FaceInfo", FACES),
    (Maker::Pentax, 0x0215, "CameraInfo", SERIAL),
    (Maker::Pentax, 0x0229, "SerialNumber", SERIAL),
    (Maker::Pentax, 0x022E, "Artist", ((People, High), "author")),
    (Maker::Pentax, 0x022F, "Copyright", ((People, High), "copyright notice")),
    (Maker::Ricoh, 0x0002, "FirmwareVersion", FIRMWARE),
    (Maker::Ricoh, 0x0005, "SerialNumber", SERIAL),
    (Maker::Sigma, 0x0002, "SerialNumber", SERIAL),
    (Maker::Sony, 0x2001, "PreviewImage", SECOND),
    (Maker::Sony, 0x9050, "EncipheredCounters", COUNTER),
    (Maker::Sony, 0xB001, "SonyModelID", MODEL),
];

/// Lists one entry of a note if it gives something away.
pub(super) fn list(tiff: &mut Tiff<'_, '_>, maker: Maker, e: &Entry, all: &[Entry], path: &str) {
    let Some(&(_, _, name, sense)) = TAGS.iter().find(|t| t.0 == maker && t.1 == e.tag) else {
        return;
    };
    if sense.0.0 != Preview {
        return tiff.list_entry(e, name, sense, path);
    }
    if e.bytes > 64 {
        let place = tiff.place(e);
        tiff.out.add(sense.0, sense.1, &size(e.bytes), &format!("{path}/{name}"), place);
        return;
    }
    // Offset here, length in the next tag.
    let length = all.iter().find(|x| x.tag == e.tag.wrapping_add(1)).copied();
    let length = length.and_then(|l| tiff.number(&l)).unwrap_or(0);
    let start = tiff.base.saturating_add(tiff.number(e).unwrap_or(0));
    let place = Some((start, start.saturating_add(length)));
    tiff.out.add(sense.0, sense.1, &size(length), &format!("{path}/{name}"), place);
}
