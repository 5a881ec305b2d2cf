//! WebP: one picture chunk, an optional alpha plane, nothing else
//! (RFC 9649).

use super::claims::Claims;
use super::{OutputKind, Parts};
use crate::bytes::{fourcc, le16, le24, le32, part};
use crate::source::Source;
use fernseed_core::Size;
use fernseed_core::finding::FindingCode;

pub(super) fn account(source: &mut Source<'_>, claims: &mut Claims, parts: &mut Parts) {
    parts.kind = OutputKind::WebP;
    let len = source.len();
    let head = source.upto(0, len, 12).unwrap_or_default();
    claims.own("RIFF", 0, head.len() as u64);
    let end = match le32(&head, 4) {
        Some(size) => u64::from(size) + 8,
        None => 0,
    };
    if end != len {
        claims.wrong("RIFF", 4, 8, "The container's length is not the length of the file.");
    }
    if end < len {
        claims.foreign("(after the end)", end.max(12), len, "Bytes after the end of the picture.");
    }
    let end = end.min(len);
    let mut order: Vec<[u8; 4]> = Vec::new();
    let mut canvas = None;
    let mut at = 12;
    while at < end {
        let head = source.upto(at, end, 18).unwrap_or_default();
        let chunk = (|| {
            let kind: [u8; 4] = part(&head, 0, 4)?.try_into().ok()?;
            let size = u64::from(le32(&head, 4)?);
            let stop = at + 8 + size + size % 2;
            (stop <= end).then_some((kind, size, stop))
        })();
        let Some((kind, size, stop)) = chunk else {
            claims.foreign("", at, end, "Bytes that are not a chunk.");
            break;
        };
        let name = fourcc(kind);
        let content = head.get(8..).unwrap_or_default();
        let wrong = match &kind {
            b"VP8X" => vp8x(content, size, &mut canvas),
            b"VP8L" => vp8l(content, size, &mut parts.size),
            b"VP8 " => vp8(content, size, &mut parts.size),
            b"ALPH" => {
                (content.first().is_none_or(|b| b & 0xC0 != 0)).then_some("Reserved bits in use.")
            }
            _ => {
                let code = match &kind {
                    b"EXIF" | b"XMP " | b"ICCP" => FindingCode::MetadataLeft,
                    _ => FindingCode::UnknownStructure,
                };
                let message = format!("A chunk that is not on the list: {name}, {size} bytes.");
                claims.foreign_as(code, &name, at, stop, &message);
                at = stop;
                continue;
            }
        };
        claims.own(&name, at, stop);
        if let Some(message) = wrong {
            claims.wrong(&name, at, stop, message);
        }
        if size % 2 == 1 && source.array::<1>(stop - 1) != Ok([0]) {
            claims.wrong(&name, stop - 1, stop, "A padding byte that is not zero.");
        }
        order.push(kind);
        if order.len() > 8 {
            claims.foreign("", stop, end, "Too many chunks.");
            break;
        }
        at = stop;
    }
    let fits = match order.iter().map(|k| &k[..]).collect::<Vec<_>>().as_slice() {
        [b"VP8L"] | [b"VP8 "] => canvas.is_none(),
        [b"VP8X", b"VP8L"] | [b"VP8X", b"VP8 "] | [b"VP8X", b"ALPH", b"VP8 "] => {
            canvas.is_some_and(|c: Size| Some(c) == parts.size)
        }
        _ => false,
    };
    if !fits {
        claims.wrong("RIFF", 0, len, "The chunks are not those of one still picture.");
    }
}

fn vp8x(b: &[u8], size: u64, canvas: &mut Option<Size>) -> Option<&'static str> {
    let (width, height) = (le24(b, 4)?, le24(b, 7)?);
    *canvas = Some(Size::new(width + 1, height + 1));
    let plain = size == 10 && b.first()? & !0x10 == 0 && part(b, 1, 3)? == [0; 3];
    (!plain).then_some("The header announces more than a picture with alpha.")
}

fn vp8l(b: &[u8], size: u64, out: &mut Option<Size>) -> Option<&'static str> {
    let bits = le32(b, 1)?;
    *out = Some(Size::new((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1));
    (size < 6 || b.first() != Some(&0x2F) || bits >> 29 != 0).then_some("Not a lossless picture.")
}

fn vp8(b: &[u8], size: u64, out: &mut Option<Size>) -> Option<&'static str> {
    let (width, height) = (le16(b, 6)?, le16(b, 8)?);
    *out = Some(Size::new(u32::from(width & 0x3FFF), u32::from(height & 0x3FFF)));
    let first = u64::from(le24(b, 0)? >> 5);
    let shown_key = b.first()? & 0x11 == 0x10;
    let scaled = (width | height) & 0xC000 != 0;
    let good = shown_key && part(b, 3, 3)? == [0x9D, 1, 0x2A] && !scaled && first + 10 <= size;
    (!good).then_some("Not a plain lossy picture.")
}
