//! GIF: comments, application blocks, trailing data (GIF89a).

use super::collect::Collector;
use super::text::{decode, size};
use super::{Category, Harm, icc, jpeg_app, xmp};
use crate::source::Source;

/// Lists a GIF file.
pub(super) fn list(source: &mut Source<'_>, out: &mut Collector) {
    let len = source.len();
    let Ok(head) = source.array::<13>(0) else {
        out.note("The picture is cut short.");
        return;
    };
    let mut at = 13 + table(head[10]);
    let mut budget = 2_000_000u32;
    loop {
        source.grant(16);
        let Ok([kind]) = source.array::<1>(at) else {
            out.note("The picture has no end mark: it is cut short.");
            return;
        };
        let start = at;
        match kind {
            0x3B => break,
            0x2C => {
                let Ok(image) = source.array::<10>(at) else { return };
                at += 11 + table(image[9]);
                let Some((end, _)) = blocks(source, out, at, 0, &mut budget) else { return };
                at = end;
            }
            0x21 => {
                let Ok([_, label]) = source.array::<2>(at) else { return };
                at += 2;
                let keep = if matches!(label, 0xFE | 0xFF | 0x01) { 16 << 20 } else { 0 };
                let first = source.upto(at, len, 12).unwrap_or_default();
                let Some((end, data)) = blocks(source, out, at, keep, &mut budget) else { return };
                extension(source, out, label, &first, &data, (start, end));
                at = end;
            }
            _ => {
                let what = "bytes between the parts of the file";
                let place = Some((at, len));
                out.add((Category::Hidden, Harm::Medium), what, &size(len - at), "GIF", place);
                return;
            }
        }
        if out.full() {
            return;
        }
    }
    if at + 1 < len {
        let what = "data after the end of the picture";
        let place = Some((at + 1, len));
        out.add(
            (Category::Hidden, Harm::High),
            what,
            &size(len - at - 1),
            "(after trailer)",
            place,
        );
        jpeg_app::trailers(source, out, at + 1);
    }
}

fn table(flags: u8) -> u64 {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

/// Passes over sub-blocks, keeping at most `keep` bytes.
fn blocks(
    source: &mut Source<'_>,
    out: &mut Collector,
    from: u64,
    keep: usize,
    budget: &mut u32,
) -> Option<(u64, Vec<u8>)> {
    let mut at = from;
    let mut data = Vec::new();
    loop {
        // Picture data is paid for from the budget for scanning.
        let more = 256u64.min(out.scan);
        out.scan -= more;
        source.grant(more);
        let Ok([length]) = source.array::<1>(at) else {
            out.note("The picture is cut short.");
            return None;
        };
        *budget = budget.checked_sub(1)?;
        at += 1;
        if length == 0 {
            return Some((at, data));
        }
        if data.len() < keep {
            data.extend(source.bytes(at, length.into()).ok()?);
        }
        at += u64::from(length);
    }
}

fn extension(
    source: &mut Source<'_>,
    out: &mut Collector,
    label: u8,
    first: &[u8],
    data: &[u8],
    place: (u64, u64),
) {
    let at = Some(place);
    match label {
        0xFE => {
            let value = decode(data);
            out.add((Category::People, Harm::Medium), "comment", &value, "Comment", at);
        }
        0x01 => {
            let value = decode(data.get(12..).unwrap_or_default());
            out.add(
                (Category::People, Harm::Medium),
                "text in the picture",
                &value,
                "PlainText",
                at,
            );
        }
        0xFF => match first.get(1..12) {
            Some(b"NETSCAPE2.0" | b"ANIMEXTS1.0") => {}
            Some(b"XMP DataXMP") => {
                // The packet lies there as it is, without block lengths,
                // followed by 257 bytes that lead any reader to its end.
                let from = place.0 + 14;
                let length = place.1.saturating_sub(from).saturating_sub(258).min(16 << 20);
                let packet = source.bytes(from, length).unwrap_or_default();
                xmp::list(&packet, out, "XMP", at);
            }
            Some(b"ICCRGBG1012") => icc::list(data.get(11..).unwrap_or_default(), out, "ICC", at),
            Some(b"C2PA_GIF\x01\0\0") => {
                super::jumbf::list(data.get(11..).unwrap_or_default(), out, "C2PA/JUMBF", at);
            }
            Some(name) => {
                let value = format!("{}, {}", decode(name), size(data.len() as u64));
                out.add(
                    (Category::Hidden, Harm::Medium),
                    "private block of a program",
                    &value,
                    "Application",
                    at,
                );
            }
            None => out.note("An extension block is cut short."),
        },
        _ => {}
    }
}
