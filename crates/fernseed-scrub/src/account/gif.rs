//! GIF: screen, tables, one loop block, frames whose codes end exactly with
//! their last pixel (GIF89a).

use super::claims::Claims;
use super::{OutputKind, Parts};
use crate::bytes::{le16, part};
use crate::source::Source;
use fernseed_core::Size;
use fernseed_core::finding::FindingCode;

/// Most codes read over all frames.
const MAX_CODES: u64 = 2 << 30;

pub(super) fn account(source: &mut Source<'_>, claims: &mut Claims, parts: &mut Parts) {
    parts.kind = OutputKind::Gif;
    let len = source.len();
    let Ok(head) = source.array::<13>(0) else {
        return claims.foreign("", 0, len, "The header is cut short.");
    };
    let (width, height) = (le16(&head, 6).unwrap_or(0), le16(&head, 8).unwrap_or(0));
    parts.size = Some(Size::new(width.into(), height.into()));
    let mut at = 13 + table_len(head[10]);
    claims.own("Header", 0, at.min(len));
    if head[10] & 0x78 != 0x70 || head[12] != 0 || width == 0 || height == 0 {
        claims.wrong("Header", 0, 13, "Fields of the header are not what they must be.");
    }
    let (mut frames, mut loops, mut control) = (0u32, 0u32, false);
    let mut codes = MAX_CODES;
    loop {
        let piece = source.upto(at, len, 32).unwrap_or_default();
        match piece.as_slice() {
            [0x3B, ..] => {
                claims.own("Trailer", at, at + 1);
                if at + 1 < len {
                    claims.foreign("(after trailer)", at + 1, len, "Bytes after the end of the picture.");
                }
                break;
            }
            [0x21, 0xF9, 4, flags, _, _, index, 0, ..] if !control => {
                claims.own("GraphicControl", at, at + 8);
                if flags & 0xF2 != 0 || (flags & 1 == 0 && *index != 0) {
                    claims.wrong("GraphicControl", at, at + 8, "Reserved bits in use.");
                }
                control = true;
                at += 8;
            }
            [0x21, 0xFF, 0x0B, rest @ ..]
                if frames == 0
                    && loops == 0
                    && part(rest, 0, 13) == Some(b"NETSCAPE2.0\x03\x01")
                    && rest.get(15) == Some(&0) =>
            {
                claims.own("Loop", at, at + 19);
                loops += 1;
                at += 19;
            }
            [0x2C, fields @ ..] if fields.len() >= 10 => {
                frames += 1;
                control = false;
                let flags = fields.get(8).copied().unwrap_or(0);
                let own = at + 10 + table_len(flags);
                let pixels = u64::from(le16(fields, 4).unwrap_or(0)) * u64::from(le16(fields, 6).unwrap_or(0));
                if flags & 0x78 != 0 {
                    claims.wrong("Image", at, own, "Reserved bits in use.");
                }
                match picture(source, own, pixels, &mut codes) {
                    Ok(end) => {
                        claims.own("Image", at, end);
                        at = end;
                    }
                    Err(message) => {
                        return claims.foreign("Image", at, len, message);
                    }
                }
            }
            [] => {
                claims.wrong("Trailer", len, len, "The end mark is missing.");
                break;
            }
            [0x21, label, ..] => {
                let end = skip(source, at + 2).unwrap_or(len);
                let (code, what) = match label {
                    0xFE => (FindingCode::MetadataLeft, "A comment."),
                    0xFF => (FindingCode::MetadataLeft, "An application block."),
                    0x01 => (FindingCode::UnknownStructure, "A plain text block."),
                    _ => (FindingCode::UnknownStructure, "An extension that is not on the list."),
                };
                claims.foreign_as(code, "Extension", at, end, what);
                at = end;
            }
            _ => {
                return claims.foreign("", at, len, "Bytes that are not a block.");
            }
        }
    }
    if frames == 0 || control || (loops > 0 && frames < 2) {
        claims.wrong("", 0, 0, "The blocks are not those of a picture.");
    }
}

fn table_len(flags: u8) -> u64 {
    if flags & 0x80 == 0 { 0 } else { 6 << (flags & 7) }
}

fn skip(source: &mut Source<'_>, mut at: u64) -> Option<u64> {
    loop {
        let [n] = source.array::<1>(at).ok()?;
        at += 1 + u64::from(n);
        if n == 0 {
            return Some(at);
        }
    }
}

/// Follows the codes of one frame, counting pixels without making them.
/// Returns where its blocks end.
fn picture(
    source: &mut Source<'_>,
    at: u64,
    pixels: u64,
    budget: &mut u64,
) -> Result<u64, &'static str> {
    const DAMAGED: &str = "The data of a frame is damaged.";
    let [width] = source.array::<1>(at).ok().ok_or(DAMAGED)?;
    if !(2..=8).contains(&width) {
        return Err(DAMAGED);
    }
    let width = u32::from(width);
    let (clear, end) = (1usize << width, (1usize << width) + 1);
    // Length of the string of each code.
    let mut lengths = vec![1u64; 4096];
    let (mut known, mut size, mut before) = (end + 1, width + 1, None::<usize>);
    let (mut place, mut bits, mut count) = (at + 1, 0u64, 0u32);
    let (mut block, mut next): (Vec<u8>, usize) = (Vec::new(), 0);
    let (mut short_block, mut done, mut made) = (false, false, 0u64);
    loop {
        let Ok([n]) = source.array::<1>(place) else { return Err(DAMAGED) };
        place += 1;
        if n == 0 {
            break;
        }
        if short_block || done {
            return Err("Bytes are hidden after the last pixel of a frame.");
        }
        short_block = n < 255;
        block = source.bytes(place, n.into()).ok().ok_or(DAMAGED)?;
        place += u64::from(n);
        next = 0;
        while !done {
            while count < size {
                let Some(&byte) = block.get(next) else { break };
                bits |= u64::from(byte) << count;
                next += 1;
                count += 8;
            }
            if count < size {
                break;
            }
            let code = (bits & ((1 << size) - 1)) as usize;
            bits >>= size;
            count -= size;
            *budget = budget.checked_sub(1).ok_or("The frames have too many codes.")?;
            if code == clear {
                (known, size, before) = (end + 1, width + 1, None);
            } else if code == end {
                done = true;
            } else {
                let length = match before {
                    _ if code < known && code != end => lengths.get(code).copied().ok_or(DAMAGED)?,
                    Some(b) if code == known => lengths.get(b).copied().ok_or(DAMAGED)? + 1,
                    _ => return Err(DAMAGED),
                };
                made += length;
                if let Some(b) = before
                    && known < 4096
                {
                    let longer = lengths.get(b).copied().unwrap_or(1) + 1;
                    if let Some(slot) = lengths.get_mut(known) {
                        *slot = longer;
                    }
                    known += 1;
                    if known == 1 << size && size < 12 {
                        size += 1;
                    }
                }
                before = Some(code);
            }
        }
        if done && (next < block.len() || bits != 0 || count >= 8) {
            return Err("Bytes are hidden after the last pixel of a frame.");
        }
    }
    if !done || made != pixels {
        return Err("The data of a frame is not exactly its picture.");
    }
    Ok(place)
}
