//! JPEG: every segment before the picture, and whatever follows its end.

use super::collect::Collector;
use super::text::{decode, size};
use super::{Category, Harm, exif, icc, jpeg_app, jumbf, xmp};
use crate::bytes::{be16, be32, find, part};
use crate::source::Source;

/// Segments that are gathered over the whole file.
#[derive(Default)]
struct Gathered {
    /// Chunks of a colour profile: `(number, bytes)`.
    profile: Vec<(u8, Vec<u8>)>,
    /// Chunks of an extended XMP packet: `(offset, bytes)`.
    xmp: Vec<(u32, Vec<u8>)>,
    /// JUMBF boxes by their number.
    jumbf: Vec<Jumbf>,
    kept: usize,
}

/// A JUMBF box of one or several segments.
struct Jumbf {
    number: u16,
    /// Without the header that every segment repeats.
    data: Vec<u8>,
    /// Where it stands, as long as it stands in one piece.
    place: Option<(u64, u64)>,
}

/// Most bytes gathered for chunked blocks.
const MAX_GATHERED: usize = 32 << 20;

impl Gathered {
    fn room(&mut self, more: usize) -> bool {
        self.kept += more;
        self.kept <= MAX_GATHERED
    }
}

/// Lists a JPEG file.
pub(super) fn list(source: &mut Source<'_>, out: &mut Collector) {
    let len = source.len();
    let mut gathered = Gathered::default();
    let mut end_of_picture = None;
    let mut segments = 0u32;
    let mut at = 2;
    while at < len {
        segments += 1;
        if segments > 20_000 || out.full() {
            out.note("The file has implausibly many segments.");
            break;
        }
        let Ok([first, marker]) = source.array::<2>(at) else { break };
        if first != 0xFF {
            // Rubbish between segments: go on at the next marker.
            let Some(next) = next_marker(source, out, at) else { break };
            out.add(
                (Category::Hidden, Harm::Medium),
                "bytes between the parts of the file",
                &size(next - at),
                "JPEG",
                Some((at, next)),
            );
            at = next;
            continue;
        }
        match marker {
            0xFF => at += 1,
            0xD9 => {
                end_of_picture = Some(at + 2);
                break;
            }
            0x01 | 0xD0..=0xD8 => at += 2,
            _ => {
                let Ok(length) = source.array::<2>(at + 2) else { break };
                let end = at + 2 + u64::from(u16::from_be_bytes(length));
                let Ok(body) = source.bytes(at + 4, end.saturating_sub(at + 4)) else {
                    out.note("A segment is cut short.");
                    break;
                };
                segment(source, out, marker, &body, (at, end), &mut gathered);
                at = end.max(at + 4);
                if marker == 0xDA {
                    match next_marker(source, out, at) {
                        Some(next) => at = next,
                        None => break,
                    }
                }
            }
        }
    }
    finish(out, gathered);
    match end_of_picture {
        None => out.note("The picture has no end marker: it is cut short."),
        Some(end) if end < len => trailer(source, out, end),
        Some(_) => {}
    }
}

/// The next marker that is not part of entropy-coded data.
fn next_marker(source: &mut Source<'_>, out: &mut Collector, from: u64) -> Option<u64> {
    let len = source.len();
    let mut at = from;
    let mut last_was_ff = false;
    while at < len {
        let piece = (len - at).min(256 * 1024).min(out.scan);
        if piece == 0 {
            out.note("The picture data is longer than what is searched.");
            return None;
        }
        source.grant(piece);
        out.scan -= piece;
        let data = source.bytes(at, piece).ok()?;
        let mut skip = 0;
        if last_was_ff && is_marker(data.first().copied()) {
            return Some(at - 1);
        }
        while let Some(found) =
            data.get(skip..).and_then(|d| memchr::memchr(0xFF, d)).map(|p| p + skip)
        {
            if found + 1 < data.len() && is_marker(data.get(found + 1).copied()) {
                return Some(at + found as u64);
            }
            skip = found + 1;
        }
        last_was_ff = data.last() == Some(&0xFF);
        at += piece;
    }
    None
}

const fn is_marker(byte: Option<u8>) -> bool {
    matches!(byte, Some(b) if !matches!(b, 0 | 0xD0..=0xD7 | 0xFF))
}

fn segment(
    source: &mut Source<'_>,
    out: &mut Collector,
    marker: u8,
    body: &[u8],
    (start, end): (u64, u64),
    gathered: &mut Gathered,
) {
    let place = Some((start, end));
    let after = |head: &[u8]| body.strip_prefix(head);
    let name = format!("APP{}", marker & 15);
    match marker {
        0xE0 if body.starts_with(b"JFIF\0") => {
            let (w, h) = (body.get(12).copied().unwrap_or(0), body.get(13).copied().unwrap_or(0));
            if w > 0 && h > 0 {
                let value = format!("{w}x{h} pixels");
                out.add(
                    (Category::Preview, Harm::High),
                    "thumbnail",
                    &value,
                    "APP0/JFIF/ThumbnailTIFF",
                    place,
                );
            }
        }
        0xE0 if body.starts_with(b"JFXX\0") => {
            let value = size(body.len() as u64);
            out.add(
                (Category::Preview, Harm::High),
                "thumbnail",
                &value,
                "APP0/JFXX/ThumbnailImage",
                place,
            );
        }
        0xE1 if body.starts_with(b"Exif\0") => {
            let from = start + 4 + 6;
            exif::list(source, out, from, end.saturating_sub(from), "APP1/Exif");
        }
        0xE1 if body.starts_with(b"http://ns.adobe.com/xap/1.0/\0") => {
            let packet = body.get(29..).unwrap_or_default();
            xmp::list(packet, out, "APP1/XMP", place);
        }
        0xE1 if body.starts_with(b"http://ns.adobe.com/xmp/extension/\0") => {
            // GUID of 32 letters, full length, offset, data.
            if let (Some(offset), Some(data)) = (be32(body, 35 + 36), body.get(35 + 40..))
                && gathered.room(data.len())
            {
                gathered.xmp.push((offset, data.to_vec()));
            }
        }
        0xE2 if body.starts_with(b"ICC_PROFILE\0") => {
            if let (Some(&number), Some(data)) = (body.get(12), body.get(14..))
                && gathered.room(data.len())
            {
                gathered.profile.push((number, data.to_vec()));
            }
        }
        0xE2 if body.starts_with(b"MPF\0") => jpeg_app::mpf(source, out, start + 8, end),
        0xEB if part(body, 0, 2) == Some(b"JP") => {
            // Box instance number, sequence number, then the box; after the
            // first the box header is repeated.
            let (instance, sequence) = (be16(body, 2).unwrap_or(0), be32(body, 4).unwrap_or(0));
            let skip = if sequence > 1 { 16 } else { 8 };
            if let Some(data) = body.get(skip..)
                && gathered.room(data.len())
            {
                match gathered.jumbf.iter_mut().find(|j| j.number == instance) {
                    Some(whole) => {
                        whole.data.extend_from_slice(data);
                        whole.place = None;
                    }
                    None => {
                        let data = data.to_vec();
                        gathered.jumbf.push(Jumbf { number: instance, data, place });
                    }
                }
            }
        }
        0xED if body.starts_with(b"Photoshop 3.0\0") => {
            let data = after(b"Photoshop 3.0\0").unwrap_or_default();
            out.inside(place, |out| jpeg_app::photoshop(data, out, "APP13/Photoshop"));
        }
        0xEE if body.starts_with(b"Adobe") => {}
        0xFE => {
            let text = decode(body);
            out.add((Category::People, Harm::Medium), "comment", &text, "COM", place);
        }
        0xE0..=0xEF => jpeg_app::other(source, out, &name, body, place),
        _ => {}
    }
}

fn finish(out: &mut Collector, mut gathered: Gathered) {
    let join = |mut parts: Vec<(u32, Vec<u8>)>| {
        parts.sort_by_key(|p| p.0);
        parts.into_iter().flat_map(|p| p.1).collect::<Vec<u8>>()
    };
    if !gathered.profile.is_empty() {
        let parts = gathered.profile.drain(..).map(|(n, d)| (n.into(), d)).collect();
        icc::list(&join(parts), out, "APP2/ICC", None);
    }
    if !gathered.xmp.is_empty() {
        xmp::list(&join(gathered.xmp), out, "APP1/ExtendedXMP", None);
    }
    for Jumbf { data, place, .. } in gathered.jumbf {
        // Pictures torn into segments cannot be cut out of the file.
        out.gather_pictures(place.is_none());
        jumbf::list(&data, out, "APP11/JUMBF", place);
        out.gather_pictures(false);
    }
}

/// What follows the end of the picture.
fn trailer(source: &mut Source<'_>, out: &mut Collector, from: u64) {
    let len = source.len();
    let head = source.upto(from, len, 64 * 1024).unwrap_or_default();
    let all_zero = head.iter().all(|&b| b == 0) && len - from <= head.len() as u64;
    let movie = find(&head, b"ftyp").and_then(|p| p.checked_sub(4));
    let second = find(&head, b"\xFF\xD8\xFF");
    let (category, what, inner) = if let Some(p) = movie.filter(|&p| second.is_none_or(|s| p < s)) {
        (Category::Preview, "video appended to the photo (motion photo)", Some((p, true)))
    } else if let Some(p) = second {
        (Category::Preview, "second picture appended to the photo", Some((p, false)))
    } else if all_zero {
        (Category::Hidden, "empty bytes after the end of the picture", None)
    } else {
        (Category::Hidden, "data after the end of the picture", None)
    };
    let harm = if all_zero { Harm::Low } else { Harm::High };
    let value = size(len - from);
    out.add((category, harm), what, &value, "(after EOI)", Some((from, len)));
    jpeg_app::trailers(source, out, from);
    if let Some((skip, movie)) = inner {
        let start = from + skip as u64;
        embedded(source, out, start, movie);
    }
}

/// Lists a file that begins at `start` and goes to the end.
pub(super) fn embedded(source: &mut Source<'_>, out: &mut Collector, start: u64, movie: bool) {
    let most = source.len().saturating_sub(start).min(32 << 20).min(source.left());
    let Ok(data) = source.bytes(start, most) else {
        out.note("The appended file is too large to be looked into.");
        return;
    };
    let mut cursor = std::io::Cursor::new(&data);
    let mut inner = Source::new(&mut cursor, most, most * 2);
    out.at_offset(start, "(after EOI)", |out| {
        if movie {
            super::isobmff::list(&mut inner, out);
        } else {
            list(&mut inner, out);
        }
    });
}
