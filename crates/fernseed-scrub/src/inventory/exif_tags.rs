//! Names and senses of the EXIF and TIFF tags that give something away
//! (EXIF 3.0, TIFF 6.0, DNG 1.7).

use super::names::Sense;
use super::{Category, Harm};
use Category::{Device, Hidden, Link, People, Place, Preview, Software, Time};
use Harm::{High, Low, Medium};

/// One tag: number, name, what it gives away.
type Row = (u16, &'static str, Sense);

const DATE: Sense = ((Time, Medium), "date and time");
const ZONE: Sense = ((Time, Medium), "time zone");
const AUTHOR: Sense = ((People, High), "author");
const TEXT: Sense = ((People, Medium), "text somebody wrote");
const MAKER: Sense = ((Device, Medium), "device maker");
const MODEL: Sense = ((Device, Medium), "device model");
const LENS: Sense = ((Device, Low), "lens");
const SERIAL: Sense = ((Device, High), "serial number");
const UNIQUE: Sense = ((Link, High), "unique identifier");
const TOOL: Sense = ((Software, Low), "software");
const GPS: Sense = ((Place, High), "GPS data");
const PREVIEW: Sense = ((Preview, High), "thumbnail");

/// Tags of IFD0, IFD1 and the Exif IFD; their numbers do not collide.
const MAIN: &[Row] = &[
    (0x000B, "ProcessingSoftware", TOOL),
    (0x010D, "DocumentName", ((Link, Medium), "document name")),
    (0x010E, "ImageDescription", TEXT),
    (0x010F, "Make", MAKER),
    (0x0110, "Model", MODEL),
    (0x011D, "PageName", TEXT),
    (0x0131, "Software", TOOL),
    (0x0132, "ModifyDate", DATE),
    (0x013B, "Artist", AUTHOR),
    (0x013C, "HostComputer", ((People, High), "computer name")),
    (0x0201, "ThumbnailOffset", PREVIEW),
    (0x02BC, "ApplicationNotes", ((Hidden, Low), "XMP block")),
    (0x4746, "Rating", ((People, Low), "rating somebody gave")),
    (0x800D, "ImageID", UNIQUE),
    (0x8298, "Copyright", ((People, High), "copyright notice")),
    (0x83BB, "IPTC-NAA", ((Hidden, Low), "IPTC block")),
    (0x8480, "IntergraphMatrix", ((Place, High), "map position")),
    (0x830E, "PixelScale", ((Place, High), "map position")),
    (0x8482, "ModelTiePoint", ((Place, High), "map position")),
    (0x85D8, "ModelTransform", ((Place, High), "map position")),
    (0x87AF, "GeoTiffDirectory", ((Place, High), "map position")),
    (0x87B0, "GeoTiffDoubleParams", ((Place, High), "map position")),
    (0x87B1, "GeoTiffAsciiParams", ((Place, High), "map position")),
    (0x882A, "TimeZoneOffset", ZONE),
    (0x9003, "DateTimeOriginal", DATE),
    (0x9004, "CreateDate", DATE),
    (0x9010, "OffsetTime", ZONE),
    (0x9011, "OffsetTimeOriginal", ZONE),
    (0x9012, "OffsetTimeDigitized", ZONE),
    (0x9211, "ImageNumber", ((Link, Medium), "running picture number")),
    (0x9213, "ImageHistory", ((Software, Medium), "editing history")),
    (0x9214, "SubjectArea", ((Device, Low), "point of focus")),
    (0x927C, "MakerNote", ((Link, High), "maker's private notes")),
    (0x9286, "UserComment", TEXT),
    (0x9290, "SubSecTime", DATE),
    (0x9291, "SubSecTimeOriginal", DATE),
    (0x9292, "SubSecTimeDigitized", DATE),
    (0x9400, "AmbientTemperature", ((Place, Low), "weather at the place")),
    (0x9401, "Humidity", ((Place, Low), "weather at the place")),
    (0x9402, "Pressure", ((Place, Low), "weather at the place")),
    (0x9403, "WaterDepth", ((Place, Low), "weather at the place")),
    (0x9405, "CameraElevationAngle", ((Place, Low), "viewing direction")),
    (0x9C9B, "XPTitle", ((People, Medium), "title")),
    (0x9C9C, "XPComment", TEXT),
    (0x9C9D, "XPAuthor", AUTHOR),
    (0x9C9E, "XPKeywords", ((People, Medium), "keywords")),
    (0x9C9F, "XPSubject", ((People, Medium), "keywords")),
    (0xA004, "RelatedSoundFile", ((Link, Medium), "sound file beside the picture")),
    (0xA420, "ImageUniqueID", UNIQUE),
    (0xA430, "OwnerName", ((People, High), "owner")),
    (0xA431, "SerialNumber", SERIAL),
    (0xA432, "LensInfo", LENS),
    (0xA433, "LensMake", LENS),
    (0xA434, "LensModel", LENS),
    (0xA435, "LensSerialNumber", SERIAL),
    (0xA436, "ImageTitle", ((People, Medium), "title")),
    (0xA437, "Photographer", AUTHOR),
    (0xA438, "ImageEditor", ((People, High), "person")),
    (0xA439, "CameraFirmware", ((Device, Medium), "firmware version")),
    (0xA43A, "RAWDevelopingSoftware", TOOL),
    (0xA43B, "ImageEditingSoftware", TOOL),
    (0xA43C, "MetadataEditingSoftware", TOOL),
    (0xC4A5, "PrintIM", ((Device, Low), "printer settings")),
    (0xC614, "UniqueCameraModel", MODEL),
    (0xC615, "LocalizedCameraModel", MODEL),
    (0xC62F, "CameraSerialNumber", SERIAL),
    (0xC630, "DNGLensInfo", LENS),
    (0xC634, "DNGPrivateData", ((Link, High), "maker's private notes")),
    (0xC635, "MakerNoteSafety", ((Hidden, Low), "maker's private notes")),
    (0xC65D, "RawDataUniqueID", UNIQUE),
    (0xC68B, "OriginalRawFileName", ((Link, Medium), "original file name")),
    (0xC68C, "OriginalRawFileData", ((Preview, High), "earlier version of the picture")),
    (0xC6F8, "ProfileName", ((Software, Low), "colour profile")),
    (0xC716, "PreviewApplicationName", TOOL),
    (0xC717, "PreviewApplicationVersion", TOOL),
    (0xC71B, "PreviewDateTime", DATE),
    (0xC764, "FrameRate", ((Device, Low), "frame rate")),
    (0xC763, "TimeCodes", ((Time, Medium), "time code")),
    (0xC789, "ReelName", TEXT),
    (0xC7A1, "CameraLabel", ((Device, Medium), "camera label")),
    (0xEA1C, "Padding", ((Hidden, Low), "padding")),
    (0xFDE8, "OwnerName", ((People, High), "owner")),
    (0xFDE9, "SerialNumber", SERIAL),
];

/// Tags of the GPS IFD.
const POSITION: &[Row] = &[
    (0x0000, "GPSVersionID", ((Place, Low), "GPS data version")),
    (0x0001, "GPSLatitudeRef", GPS),
    (0x0002, "GPSLatitude", ((Place, High), "GPS position")),
    (0x0003, "GPSLongitudeRef", GPS),
    (0x0004, "GPSLongitude", ((Place, High), "GPS position")),
    (0x0005, "GPSAltitudeRef", ((Place, Low), "GPS data")),
    (0x0006, "GPSAltitude", ((Place, Medium), "altitude")),
    (0x0007, "GPSTimeStamp", ((Time, High), "time from satellite")),
    (0x0008, "GPSSatellites", ((Place, Medium), "satellites in view")),
    (0x0009, "GPSStatus", ((Place, Low), "GPS data")),
    (0x000A, "GPSMeasureMode", ((Place, Low), "GPS data")),
    (0x000B, "GPSDOP", ((Place, Low), "GPS data")),
    (0x000C, "GPSSpeedRef", ((Place, Low), "GPS data")),
    (0x000D, "GPSSpeed", ((Place, Medium), "speed")),
    (0x000E, "GPSTrackRef", ((Place, Low), "GPS data")),
    (0x000F, "GPSTrack", ((Place, Medium), "direction of travel")),
    (0x0010, "GPSImgDirectionRef", ((Place, Low), "GPS data")),
    (0x0011, "GPSImgDirection", ((Place, Medium), "viewing direction")),
    (0x0012, "GPSMapDatum", ((Place, Low), "GPS data")),
    (0x0013, "GPSDestLatitudeRef", GPS),
    (0x0014, "GPSDestLatitude", ((Place, High), "GPS position")),
    (0x0015, "GPSDestLongitudeRef", GPS),
    (0x0016, "GPSDestLongitude", ((Place, High), "GPS position")),
    (0x0017, "GPSDestBearingRef", ((Place, Low), "GPS data")),
    (0x0018, "GPSDestBearing", ((Place, Medium), "viewing direction")),
    (0x0019, "GPSDestDistanceRef", ((Place, Low), "GPS data")),
    (0x001A, "GPSDestDistance", ((Place, Medium), "distance")),
    (0x001B, "GPSProcessingMethod", ((Place, Medium), "how the place was found")),
    (0x001C, "GPSAreaInformation", GPS),
    (0x001D, "GPSDateStamp", ((Time, High), "date from satellite")),
    (0x001E, "GPSDifferential", ((Place, Low), "GPS data")),
    (0x001F, "GPSHPositioningError", ((Place, Low), "GPS data")),
];

fn find(rows: &'static [Row], tag: u16) -> Option<(&'static str, Sense)> {
    rows.iter().find(|r| r.0 == tag).map(|r| (r.1, r.2))
}

/// Name and sense of a tag of IFD0, IFD1 or the Exif IFD.
pub(super) fn main(tag: u16) -> Option<(&'static str, Sense)> {
    find(MAIN, tag)
}

/// Name and sense of a tag of the GPS IFD.
pub(super) fn position(tag: u16) -> Option<(&'static str, Sense)> {
    find(POSITION, tag)
}
