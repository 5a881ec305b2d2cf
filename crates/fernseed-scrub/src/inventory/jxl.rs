//! JPEG XL in its container: EXIF, XMP, JUMBF and compressed boxes.

use super::collect::Collector;
use super::isobmff::Box4;
use super::text::size;
use super::{Category, Harm, exif, jumbf, xmp};
use crate::bytes::fourcc;
use crate::source::Source;

/// Lists a JPEG XL file.
pub(super) fn list(source: &mut Source<'_>, out: &mut Collector) {
    let len = source.len();
    if source.array::<2>(0) == Ok([0xFF, 0x0A]) {
        out.note("A bare picture without a container: metadata inside it is not looked for.");
        return;
    }
    let mut at = 0;
    while let Some(b) = Box4::read(source, at, len) {
        let place = Some((b.start, b.end));
        let length = b.end - b.body;
        match &b.kind {
            b"JXL " | b"ftyp" | b"jxlc" | b"jxlp" | b"jxll" | b"jxli" => {}
            b"Exif" => exif::list(source, out, b.body + 4, length.saturating_sub(4), "Exif"),
            b"xml " => {
                let body = source.bytes(b.body, length).unwrap_or_default();
                xmp::list(&body, out, "XMP", place);
            }
            b"jumb" => {
                let body = source.bytes(b.start, b.end - b.start).unwrap_or_default();
                jumbf::list(&body, out, "JUMBF", place);
            }
            b"brob" => {
                let inner = source.array::<4>(b.body).unwrap_or_default();
                let path = format!("brob/{}", fourcc(inner).trim_end());
                let what = match &inner {
                    b"Exif" => "compressed EXIF metadata (GPS, device, dates)",
                    b"xml " => "compressed XMP metadata",
                    _ => "compressed metadata",
                };
                out.add((Category::Hidden, Harm::High), what, &size(length), &path, place);
                out.note("Compressed metadata blocks are named, but not read.");
            }
            b"jbrd" => {
                let what = "data to rebuild the original JPEG file";
                out.add((Category::Preview, Harm::Medium), what, &size(length), "jbrd", place);
            }
            kind => {
                let path = fourcc(*kind);
                out.add(
                    (Category::Hidden, Harm::Medium),
                    "unknown block",
                    &size(length),
                    &path,
                    place,
                );
            }
        }
        at = b.end;
        if out.full() {
            return;
        }
    }
    if at < len {
        let what = "data after the end of the picture";
        out.add(
            (Category::Hidden, Harm::High),
            what,
            &size(len - at),
            "(after the end)",
            Some((at, len)),
        );
    }
}
