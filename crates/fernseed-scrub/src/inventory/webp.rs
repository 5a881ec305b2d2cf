//! WebP: EXIF, XMP, profiles, unknown chunks, trailing data.

use super::collect::Collector;
use super::riff::Chunk;
use super::text::size;
use super::{Category, Harm, exif, icc, jpeg_app, jumbf, xmp};
use crate::bytes::{fourcc, le32};
use crate::source::Source;

/// Lists a WebP file.
pub(super) fn list(source: &mut Source<'_>, out: &mut Collector) {
    let len = source.len();
    let head = source.array::<8>(0).unwrap_or_default();
    let declared = u64::from(le32(&head, 4).unwrap_or(0)) + 8;
    let end = declared + declared % 2;
    if declared > len {
        out.note("The file is shorter than it says: it is cut short.");
    }
    let end = end.min(len);
    let mut at = 12;
    let mut count = 0;
    while at + 8 <= end {
        let Some(c) = Chunk::read(source, at, end) else { break };
        count += 1;
        if count > 100_000 || out.full() {
            break;
        }
        let place = Some((c.start, c.next().min(len)));
        let length = c.end - c.body;
        match &c.kind {
            b"VP8 " | b"VP8L" | b"VP8X" | b"ALPH" | b"ANIM" | b"ANMF" => {}
            b"EXIF" => {
                let start = source.upto(c.body, c.end, 6).unwrap_or_default();
                let skip = if start.starts_with(b"Exif\0") { 6 } else { 0 };
                exif::list(source, out, c.body + skip, length.saturating_sub(skip), "EXIF");
            }
            b"XMP " => {
                let body = source.bytes(c.body, length).unwrap_or_default();
                xmp::list(&body, out, "XMP", place);
            }
            b"ICCP" => {
                let body = source.bytes(c.body, length).unwrap_or_default();
                icc::list(&body, out, "ICCP", place);
            }
            b"C2PA" => {
                let body = source.bytes(c.body, length).unwrap_or_default();
                jumbf::list(&body, out, "C2PA/JUMBF", place);
            }
            kind => {
                let path = fourcc(*kind);
                let what = "unknown block";
                out.add((Category::Hidden, Harm::Medium), what, &size(length), &path, place);
            }
        }
        at = c.next();
    }
    if end < len {
        let what = "data after the end of the picture";
        out.add(
            (Category::Hidden, Harm::High),
            what,
            &size(len - end),
            "(after RIFF)",
            Some((end, len)),
        );
        jpeg_app::trailers(source, out, end);
    }
}
