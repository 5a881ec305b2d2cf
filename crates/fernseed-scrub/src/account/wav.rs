//! WAVE: `fmt `, perhaps `fact`, and `data`, in this order and with the
//! values our writer gives them.

use super::claims::Claims;
use crate::bytes::{le16, le32, part};
use crate::source::Source;
use fernseed_core::finding::FindingCode;

pub(super) fn account(source: &mut Source<'_>, claims: &mut Claims) {
    let len = source.len();
    let large = source.array::<4>(0) == Ok(*b"RF64");
    let head = source.array::<12>(0).unwrap_or_default();
    claims.own("RIFF", 0, 12.min(len));
    let said = le32(&head, 4).unwrap_or_default();
    if !large && u64::from(said) + 8 != len || large && said != u32::MAX {
        claims.wrong("RIFF", 4, 8, "The container's length is not the length of the file.");
    }
    let mut at = 12;
    let mut order: Vec<[u8; 4]> = Vec::new();
    let mut block = 0u64;
    let mut wide = None;
    let mut frames = None;
    while at < len {
        let Ok(head) = source.array::<8>(at) else {
            claims.foreign("", at, len, "Bytes that are not a chunk.");
            break;
        };
        let kind = [head[0], head[1], head[2], head[3]];
        let name = crate::bytes::fourcc(kind);
        let mut size = u64::from(le32(&head, 4).unwrap_or_default());
        if kind == *b"data" && large && size == u64::from(u32::MAX) {
            size = wide.unwrap_or(size);
        }
        let body = at + 8;
        let padded = size.checked_add(size % 2);
        let end = padded.and_then(|size| body.checked_add(size));
        let Some(end) = end.filter(|&e| e <= len) else {
            claims.foreign("", at, len, "Bytes that are not a chunk.");
            break;
        };
        let content = source.upto(body, end, 64).unwrap_or_default();
        let wrong = match &kind {
            b"ds64" if large => {
                wide = part(&content, 8, 8).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes);
                let riff =
                    part(&content, 0, 8).and_then(|b| b.try_into().ok()).map(u64::from_le_bytes);
                let plain = size == 28 && le32(&content, 24) == Some(0);
                (!plain || riff != Some(len - 8)).then_some("Lengths that are not the file's.")
            }
            b"fmt " => match format(&content, size) {
                Some(bytes) => {
                    block = bytes;
                    None
                }
                None => Some("A format that our writer does not write."),
            },
            b"fact" => {
                frames = le32(&content, 0);
                (size != 4).then_some("More than a number of samples.")
            }
            b"data" => {
                claims.own("data (header)", at, body);
                claims.own("data (samples)", body, end);
                if size % 2 == 1 && source.array::<1>(end - 1) != Ok([0]) {
                    claims.wrong("data", end - 1, end, "A padding byte that is not zero.");
                }
                let count = size.checked_div(block);
                let told = frames.is_none_or(|f| f == u32::MAX || Some(u64::from(f)) == count);
                if count.is_none() || size % block != 0 || !told {
                    claims.wrong("data", body, end, "The samples do not fit the format.");
                }
                order.push(kind);
                at = end;
                continue;
            }
            _ => {
                let message = format!("A chunk that is not on the list: {name}, {size} bytes.");
                claims.foreign_as(FindingCode::MetadataLeft, &name, at, end, &message);
                at = end;
                continue;
            }
        };
        claims.own(&name, at, end);
        if let Some(message) = wrong {
            claims.wrong(&name, at, end, message);
        }
        order.push(kind);
        at = end;
    }
    let names: Vec<&[u8]> = order.iter().map(|k| &k[..]).collect();
    let names = names.strip_prefix(&[&b"ds64"[..]]).unwrap_or(&names);
    if !matches!(names, [b"fmt ", b"data"] | [b"fmt ", b"fact", b"data"]) {
        claims.wrong("RIFF", 0, len, "The chunks are not those of one sound.");
    }
}

/// Bytes of one sample of all channels, if every field is as it has to be.
fn format(b: &[u8], size: u64) -> Option<u64> {
    let (tag, channels, rate) = (le16(b, 0)?, le16(b, 2)?, le32(b, 4)?);
    let (per_second, block, bits) = (le32(b, 8)?, le16(b, 12)?, le16(b, 14)?);
    let right = match tag {
        1 => size == 16,
        3 | 6 | 7 => size == 18 && le16(b, 16)? == 0,
        0xFFFE => {
            let mask = le32(b, 20)?;
            size == 40
                && le16(b, 16)? == 22
                && le16(b, 18)? == bits
                && (mask == 0 || mask < 1 << 18 && mask.count_ones() == u32::from(channels))
                && matches!(le16(b, 24)?, 1 | 3 | 6 | 7)
                && part(b, 26, 14)? == b"\0\0\0\0\x10\0\x80\0\0\xaa\08\x9bq"
        }
        _ => false,
    };
    let sums = bits % 8 == 0
        && u32::from(block) == u32::from(channels) * u32::from(bits / 8)
        && u64::from(per_second) == (u64::from(rate) * u64::from(block)).min(u64::from(u32::MAX));
    (right && sums && block > 0).then_some(block.into())
}
