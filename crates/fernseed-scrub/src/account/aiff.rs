//! AIFF and AIFF-C: `COMM` and `SSND`, before them `FVER` in AIFF-C.

use super::claims::Claims;
use crate::bytes::{be16, be32, part};
use crate::source::Source;
use fernseed_core::finding::FindingCode;

pub(super) fn account(source: &mut Source<'_>, claims: &mut Claims) {
    let len = source.len();
    let head = source.array::<12>(0).unwrap_or_default();
    let packed = head.ends_with(b"C");
    claims.own("FORM", 0, 12.min(len));
    if be32(&head, 4).map(u64::from) != len.checked_sub(8) {
        claims.wrong("FORM", 4, 8, "The container's length is not the length of the file.");
    }
    let mut at = 12;
    let mut order: Vec<[u8; 4]> = Vec::new();
    let mut expected = None;
    while at < len {
        let chunk = source.array::<8>(at).ok().and_then(|h| {
            let size = u64::from(be32(&h, 4)?);
            let end = at + 8 + size + size % 2;
            (end <= len).then_some(([h[0], h[1], h[2], h[3]], size, end))
        });
        let Some((kind, size, end)) = chunk else {
            claims.foreign("", at, len, "Bytes that are not a chunk.");
            break;
        };
        let content = source.upto(at + 8, end, 32).unwrap_or_default();
        let name = crate::bytes::fourcc(kind);
        order.push(kind);
        let good = match &kind {
            b"FVER" => packed && content == [0xA2, 0x80, 0x51, 0x40],
            b"COMM" => {
                expected = format(&content, size, packed);
                expected.is_some()
            }
            b"SSND" => {
                claims.own("SSND (header)", at, (at + 16).min(end));
                claims.own("SSND (samples)", at + 16, end);
                let pad = size % 2 == 0 || source.array::<1>(end - 1) == Ok([0]);
                if part(&content, 0, 8) != Some(&[0; 8]) || !pad || size.checked_sub(8) != expected
                {
                    claims.wrong("SSND", at, end, "The samples do not fit the format.");
                }
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
        if !good {
            claims.wrong(&name, at, end, "A block that our writer does not write.");
        }
        at = end;
    }
    let names: Vec<&[u8]> = order.iter().map(|k| &k[..]).collect();
    let fits = match names.as_slice() {
        [b"COMM", b"SSND"] => !packed,
        [b"FVER", b"COMM", b"SSND"] => packed,
        _ => false,
    };
    if !fits {
        claims.wrong("FORM", 0, len, "The chunks are not those of one sound.");
    }
}

/// Bytes of all samples, if every field of `COMM` is in its normal form.
fn format(b: &[u8], size: u64, packed: bool) -> Option<u64> {
    let (channels, frames, bits) = (be16(b, 0)?, be32(b, 2)?, be16(b, 6)?);
    // A whole number, shifted up to the top of 64 bits.
    let exponent = u32::from(be16(b, 8)?).checked_sub(16_383)?;
    let mantissa = u64::from_be_bytes(part(b, 10, 8)?.try_into().ok()?);
    let whole = exponent <= 31 && mantissa >> 63 == 1 && mantissa << (exponent + 1) == 0;
    let bytes = if packed {
        let empty_name = part(b, 22, 2)? == [0, 0] && size == 24;
        match part(b, 18, 4)? {
            b"sowt" | b"fl32" | b"fl64" if empty_name => bits / 8,
            b"alaw" | b"ulaw" if empty_name && bits == 16 => 1,
            _ => return None,
        }
    } else {
        (size == 18).then_some(bits / 8)?
    };
    let good = whole && bits % 8 == 0 && bytes > 0 && channels > 0;
    good.then_some(u64::from(frames) * u64::from(channels) * u64::from(bytes))
}
