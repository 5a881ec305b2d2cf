//! What a file gives away besides its picture and sound, in plain words.
//!
//! One module per container reads the structure and hands blocks of
//! metadata (EXIF, XMP, IPTC, ICC) to the modules that know those. What is
//! not understood is listed as such: an unknown block is a finding, not a
//! thing to skip. Nothing here decides what is removed.

mod archive;
mod collect;
mod exif;
mod exif_tags;
mod flash;
mod gif;
mod heif;
mod icc;
mod iptc;
mod isobmff;
mod jpeg;
mod jpeg_app;
mod jumbf;
mod jxl;
mod makernote;
mod matroska;
mod mp4_codec;
mod mp4_meta;
mod mp4_tracks;
mod mpegts;
mod names;
mod plain;
mod png;
mod riff;
mod sound;
mod tags;
mod telemetry;
mod text;
mod webp;
mod xmp;

use crate::source::Source;
use collect::Collector;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::io::{Read, Seek};

/// What kind of thing an [`Item`] gives away.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Where it was recorded.
    Place,
    /// When it was recorded or changed.
    Time,
    /// With which device.
    Device,
    /// With which software it was made or edited.
    Software,
    /// Who made it or is in it, including free text somebody wrote.
    People,
    /// Another version of the picture: thumbnails, previews, earlier states.
    Preview,
    /// What no viewer shows: appended data, unknown blocks, hidden frames.
    Hidden,
    /// What links this file to others: serial numbers, identifiers.
    Link,
    /// Anything else.
    Other,
}

/// How much harm an [`Item`] can do to somebody.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Harm {
    /// Helps an analyst a little.
    Low,
    /// Narrows down a person, a time or a device.
    Medium,
    /// Can lead to a person or a place by itself.
    High,
}

/// One thing that a file gives away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// What kind of thing it is.
    pub category: Category,
    /// In plain words, for instance `GPS position`.
    pub what: String,
    /// The value: printable, at most 200 characters, without control and
    /// direction characters.
    pub value: String,
    /// Where in the file's structure, for instance `APP1/Exif/GPS/GPSLatitude`.
    pub path: String,
    /// First byte and one past the last, where the item lies in one piece
    /// that is not compressed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bytes: Option<(u64, u64)>,
    /// How much harm it can do.
    pub severity: Harm,
}

/// Everything found in one file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Inventory {
    /// What the file is, in plain words: `JPEG photo`, `MP4 video`.
    /// `unknown` if it is none of the known formats.
    pub container: String,
    /// What it gives away, in file order.
    pub items: Vec<Item>,
    /// What could not be read, for instance a truncated structure.
    pub notes: Vec<String>,
}

impl Inventory {
    /// True if some item is of this category.
    #[must_use]
    pub fn has(&self, category: Category) -> bool {
        self.items.iter().any(|i| i.category == category)
    }
}

/// Bounds on one inventory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InventoryLimits {
    /// Most items kept.
    pub max_items: usize,
    /// Most bytes read for structures, counting repetitions.
    pub max_structure_bytes: u64,
    /// Most bytes of picture data passed over in search of its end (JPEG,
    /// GIF and MPEG streams say nowhere how long they are).
    pub max_scan_bytes: u64,
}

impl Default for InventoryLimits {
    /// 5,000 items, 64 MiB of structure, 1 GiB of scanning.
    fn default() -> Self {
        Self { max_items: 5_000, max_structure_bytes: 64 << 20, max_scan_bytes: 1 << 30 }
    }
}

/// Lists what the first `len` bytes of `file` give away.
///
/// Never fails: what cannot be read becomes a note.
pub fn inventory(file: &mut (impl Read + Seek), len: u64, limits: &InventoryLimits) -> Inventory {
    let mut source = Source::new(file, len, limits.max_structure_bytes);
    let mut out = Collector::new(limits);
    let container = formats(&mut source, &mut out);
    if source.left() < 1 << 14 {
        out.note("The structure is too large to be listed in full.");
    }
    out.finish(container)
}

/// An embedded picture that does not lie in one piece in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Embedded {
    /// Where in the file's structure, as in [`Item::path`].
    pub path: String,
    /// The picture as it is coded.
    pub data: Vec<u8>,
}

/// Pictures embedded in the first `len` bytes of `file` that lie there in
/// pieces, put together: thumbnails of provenance records over several segments
/// of a JPEG. At most 24, of 32 MiB together. All others stand where their
/// [`Item::bytes`] say.
pub fn torn_pictures(file: &mut (impl Read + Seek), len: u64) -> Vec<Embedded> {
    let limits = InventoryLimits::default();
    let mut source = Source::new(file, len, limits.max_structure_bytes);
    let mut out = Collector::new(&limits);
    formats(&mut source, &mut out);
    out.pictures()
}

/// Recognises the container, lists its content, returns its plain name.
fn formats(source: &mut Source<'_>, out: &mut Collector) -> &'static str {
    let head = source.upto(0, source.len(), 264).unwrap_or_default();
    let at = |n: usize, what: &[u8]| crate::bytes::part(&head, n, what.len()) == Some(what);
    if at(0, b"\xFF\xD8") {
        jpeg::list(source, out);
        "JPEG photo"
    } else if at(0, b"\x89PNG\r\n\x1a\n") {
        png::list(source, out)
    } else if at(0, b"RIFF") && at(8, b"WEBP") {
        webp::list(source, out);
        "WebP picture"
    } else if at(0, b"RIFF") || at(0, b"RF64") {
        riff::list(source, out)
    } else if at(0, b"GIF8") {
        gif::list(source, out);
        "GIF picture"
    } else if at(0, b"II*\0") || at(0, b"MM\0*") || at(0, b"II+\0") || at(0, b"MM\0+") {
        exif::list_tiff(source, out)
    } else if at(0, b"BM") {
        plain::bmp(source, out);
        "BMP picture"
    } else if matches!(
        head.as_slice(),
        [b'P', b'1'..=b'6', b' ' | b'\t' | b'\r' | b'\n' | b'#', ..]
    ) {
        plain::pnm(source, out);
        "PNM picture"
    } else if at(4, b"JXL \r\n\x87\n") || at(0, b"\xFF\x0A") {
        jxl::list(source, out);
        "JPEG XL picture"
    } else if at(0, b"\x1A\x45\xDF\xA3") {
        matroska::list(source, out)
    } else if isobmff::looks_like(&head) {
        isobmff::list(source, out)
    } else if at(0, b"FLV\x01") {
        flash::list(source, out);
        "Flash video"
    } else if mpegts::packet_size(&head).is_some() {
        mpegts::list(source, out);
        "MPEG transport stream"
    } else if at(0, b"fLaC") {
        sound::flac(source, out, 0)
    } else if at(0, b"OggS") {
        sound::ogg(source, out)
    } else if at(0, b"FORM") && (at(8, b"AIFF") || at(8, b"AIFC")) {
        sound::aiff(source, out)
    } else if at(0, b"PK\x03\x04") || at(0, b"PK\x05\x06") {
        archive::zip(source, out)
    } else if at(257, b"ustar") {
        archive::tar(source, out)
    } else if at(0, b"\x1F\x8B\x08") {
        archive::gzip(source, out)
    } else if sound::may_be_mp3(&head) {
        sound::mp3(source, out)
    } else {
        if source.len() > 0 {
            out.note("The format is not known, so nothing can be said about the content.");
        }
        "unknown"
    }
}
