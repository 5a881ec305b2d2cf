//! Netpbm: a header of one form, then exactly the samples.

use super::claims::Claims;
use super::{OutputKind, Parts};
use crate::source::Source;
use fernseed_core::Size;

pub(super) fn account(source: &mut Source<'_>, claims: &mut Claims, parts: &mut Parts) {
    parts.kind = OutputKind::Pnm;
    let len = source.len();
    let head = source.upto(0, len, 160).unwrap_or_default();
    let Some((start, width, height, row)) = header(&head) else {
        return claims.foreign("", 0, len, "The header is not of the one form it must have.");
    };
    parts.size = Some(Size::new(width, height));
    claims.own("Header", 0, start);
    let end = row.checked_mul(height.into()).and_then(|n| n.checked_add(start)).unwrap_or(u64::MAX);
    claims.own("Samples", start, end.min(len));
    if end < len {
        claims.foreign("(after the samples)", end, len, "Bytes after the end of the picture.");
    } else if end > len {
        claims.wrong("Samples", start, len, "The samples are cut short.");
    }
    if head.get(1) == Some(&b'4') && width % 8 != 0 {
        for y in 0..u64::from(height) {
            match source.array::<1>(start + (y + 1) * row - 1) {
                Ok([last]) if last & (0xFF >> (width % 8)) == 0 => {}
                _ => return claims.wrong("Samples", start, end.min(len), "Padding bits in use."),
            }
        }
    }
}

/// `(where the samples begin, width, height, bytes per row)`; a header that
/// is not written exactly as ours is none.
fn header(head: &[u8]) -> Option<(u64, u32, u32, u64)> {
    let lines = |n: usize| {
        let end = head.iter().enumerate().filter(|(_, b)| **b == b'\n').nth(n - 1)?.0 + 1;
        Some((std::str::from_utf8(head.get(..end)?).ok()?, end as u64))
    };
    let kind = *head.get(1)?;
    let (text, start) = lines(match kind {
        b'4' => 2,
        b'5' | b'6' => 3,
        _ => 7,
    })?;
    let numbers: Vec<u32> = text
        .split(['\n', ' '])
        .skip(1)
        .filter(|w| w.starts_with(|c: char| c.is_ascii_digit()))
        .map(|w| w.parse().ok())
        .collect::<Option<_>>()?;
    let (width, height) = (*numbers.first()?, *numbers.get(1)?);
    let (depth, maximum) = match (kind, numbers.as_slice()) {
        (b'4', [_, _]) => (1, 1),
        (b'5', [_, _, m]) => (1, *m),
        (b'6', [_, _, m]) => (3, *m),
        (b'7', [_, _, d, m]) => (*d, *m),
        _ => return None,
    };
    let wide = u64::from(width);
    let row = match kind {
        b'4' => wide.div_ceil(8),
        _ => wide.checked_mul(depth.into())? * if maximum > 255 { 2 } else { 1 },
    };
    let tuples = match depth {
        1 => ["BLACKANDWHITE", "GRAYSCALE"],
        2 => ["BLACKANDWHITE_ALPHA", "GRAYSCALE_ALPHA"],
        3 => ["RGB", "RGB"],
        4 => ["RGB_ALPHA", "RGB_ALPHA"],
        _ => return None,
    };
    let right = match kind {
        b'4' => text == format!("P4\n{width} {height}\n"),
        b'5' | b'6' => text == format!("P{}\n{width} {height}\n{maximum}\n", char::from(kind)),
        _ => tuples.iter().any(|t| {
            text == format!(
                "P7\nWIDTH {width}\nHEIGHT {height}\nDEPTH {depth}\nMAXVAL {maximum}\nTUPLTYPE {t}\nENDHDR\n"
            )
        }),
    };
    (right && width > 0 && height > 0 && (1..=65_535).contains(&maximum))
        .then_some((start, width, height, row))
}
