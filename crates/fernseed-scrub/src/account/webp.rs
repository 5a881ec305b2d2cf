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
    let mut header = None;
    let mut at = 12;
    while at < end {
        let Some((kind, size, stop)) = chunk_at(source, at, end) else {
            claims.foreign("", at, end, "Bytes that are not a chunk.");
            break;
        };
        let name = fourcc(kind);
        let content = source.upto(at + 8, stop, 1024).unwrap_or_default();
        let wrong = match &kind {
            b"VP8X" => vp8x(&content, size, &mut header),
            b"VP8L" | b"VP8 " | b"ALPH" => coded(&kind, &content, size, &mut parts.size),
            b"ANIM" => {
                let plain = size == 6 && part(&content, 0, 4) == Some(&[0; 4]);
                (!plain).then_some("The animation header has a colour or extra bytes.")
            }
            b"ANMF" => {
                frame(source, claims, (at, size, stop), header.map(|h: Header| h.canvas));
                order.push(kind);
                at = stop;
                continue;
            }
            b"ICCP" if crate::profiles::is_ours(content.get(..size as usize).unwrap_or_default()) => {
                None
            }
            b"EXIF" if super::says_orientation_only(&content) => None,
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
        padding(source, claims, &name, size, stop);
        order.push(kind);
        if order.len() > 100_000 {
            claims.foreign("", stop, end, "Too many chunks.");
            break;
        }
        at = stop;
    }
    if let Some(h) = header.filter(|h| h.flags & 2 != 0) {
        parts.size = Some(h.canvas);
    }
    if !fits(&order, header, parts.size) {
        claims.wrong("RIFF", 0, len, "The chunks are not those of one picture.");
    }
}

/// What the extended header says.
#[derive(Clone, Copy, Debug)]
struct Header {
    canvas: Size,
    flags: u8,
}

/// `(kind, length of the content, offset after it)`.
fn chunk_at(source: &mut Source<'_>, at: u64, end: u64) -> Option<([u8; 4], u64, u64)> {
    let head = source.upto(at, end, 8).ok()?;
    let kind: [u8; 4] = part(&head, 0, 4)?.try_into().ok()?;
    let size = u64::from(le32(&head, 4)?);
    let stop = at + 8 + size + size % 2;
    (stop <= end).then_some((kind, size, stop))
}

fn padding(source: &mut Source<'_>, claims: &mut Claims, name: &str, size: u64, stop: u64) {
    if size % 2 == 1 && source.array::<1>(stop - 1) != Ok([0]) {
        claims.wrong(name, stop - 1, stop, "A padding byte that is not zero.");
    }
}

/// True if the chunks are those of one still picture or one animation, in
/// order, with just the flags they need.
fn fits(order: &[[u8; 4]], header: Option<Header>, size: Option<Size>) -> bool {
    let mut rest = order;
    let mut take = |kind: &[u8; 4]| match rest.split_first() {
        Some((first, more)) if first == kind => {
            rest = more;
            true
        }
        _ => false,
    };
    let Some(header) = header else {
        return matches!(order, [k] if k == b"VP8L" || k == b"VP8 ");
    };
    let flag = |bit: u8| header.flags >> bit & 1 == 1;
    let mut good = take(b"VP8X") && take(b"ICCP") == flag(5);
    if flag(1) {
        good &= take(b"ANIM") && take(b"ANMF");
        while take(b"ANMF") {}
    } else {
        good &= Some(header.canvas) == size;
        let alpha = take(b"ALPH");
        good &= if alpha { flag(4) && take(b"VP8 ") } else { take(b"VP8 ") || take(b"VP8L") };
    }
    good &= take(b"EXIF") == flag(3);
    good && rest.is_empty()
}

/// A frame: where and how long, and its picture.
fn frame(
    source: &mut Source<'_>,
    claims: &mut Claims,
    (at, size, stop): (u64, u64, u64),
    canvas: Option<Size>,
) {
    let head = source.upto(at + 8, stop, 16).unwrap_or_default();
    claims.own("ANMF", at, (at + 24).min(stop));
    let place = (|| {
        let w = |i| le24(&head, i);
        let (x, y) = (w(0)? * 2, w(3)? * 2);
        let own = Size::new(w(6)? + 1, w(9)? + 1);
        let inside = canvas.is_some_and(|c| x + own.width <= c.width && y + own.height <= c.height);
        (inside && *head.get(15)? & !3 == 0).then_some(own)
    })();
    if place.is_none() {
        claims.wrong("ANMF", at, stop, "A frame header that does not fit.");
    }
    let end = at + 8 + size;
    let mut inner = at + 24;
    let (mut order, mut seen) = (Vec::new(), None);
    while inner < end && order.len() < 8 {
        let Some((kind, length, next)) = chunk_at(source, inner, end) else { break };
        if !matches!(&kind, b"ALPH" | b"VP8 " | b"VP8L") {
            break;
        }
        let name = format!("ANMF/{}", fourcc(kind));
        let content = source.upto(inner + 8, next, 16).unwrap_or_default();
        claims.own(&name, inner, next);
        if let Some(message) = coded(&kind, &content, length, &mut seen) {
            claims.wrong(&name, inner, next, message);
        }
        padding(source, claims, &name, length, next);
        order.push(kind);
        inner = next;
    }
    if inner < stop {
        claims.foreign("ANMF", inner, stop, "Something in a frame that is not its picture.");
    }
    let one = matches!(order.as_slice(), [k] if k == b"VP8 " || k == b"VP8L")
        || matches!(order.as_slice(), [a, v] if a == b"ALPH" && v == b"VP8 ");
    if !one || seen != place {
        claims.wrong("ANMF", at, stop, "A frame that does not hold one picture of its size.");
    }
}

fn coded(kind: &[u8; 4], b: &[u8], size: u64, out: &mut Option<Size>) -> Option<&'static str> {
    match kind {
        b"VP8L" => vp8l(b, size, out),
        b"VP8 " => vp8(b, size, out),
        _ => match b.first() {
            Some(flags) if flags & 0xF0 == 0 && flags & 3 < 2 => None,
            _ => Some("Reserved bits in use."),
        },
    }
}

fn vp8x(b: &[u8], size: u64, header: &mut Option<Header>) -> Option<&'static str> {
    let (width, height) = (le24(b, 4)?, le24(b, 7)?);
    let flags = *b.first()?;
    *header = Some(Header { canvas: Size::new(width + 1, height + 1), flags });
    let plain = size == 10 && flags & !0x3A == 0 && part(b, 1, 3)? == [0; 3];
    (!plain).then_some("The header announces more than a picture, its colours and its upright.")
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
