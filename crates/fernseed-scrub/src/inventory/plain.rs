//! Simple pictures: BMP and PNM have a size, and everything beyond it is
//! hidden data.

use super::collect::Collector;
use super::text::{decode, size};
use super::{Category, Harm, icc};
use crate::bytes::{le16, le32};
use crate::source::Source;

/// Lists a BMP file.
pub(super) fn bmp(source: &mut Source<'_>, out: &mut Collector) {
    let len = source.len();
    let head = source.upto(0, len, 138).unwrap_or_default();
    let (Some(declared), Some(pixels), Some(info)) =
        (le32(&head, 2), le32(&head, 10), le32(&head, 14))
    else {
        out.note("The picture is cut short.");
        return;
    };
    // Where the pixels of an uncompressed picture end.
    let uncompressed = (|| {
        let (width, height) = (le32(&head, 18)? as i32, le32(&head, 22)? as i32);
        let bits = u64::from(le16(&head, 28)?);
        let row = (u64::from(width.unsigned_abs()) * bits).div_ceil(32) * 4;
        let plain = info >= 40 && matches!(le32(&head, 30)?, 0 | 3);
        let body = row.saturating_mul(u64::from(height.unsigned_abs()));
        plain.then(|| body.saturating_add(u64::from(pixels)))
    })();
    let mut end = uncompressed.unwrap_or_else(|| u64::from(declared));
    if info >= 124
        && let (Some(kind), Some(at), Some(length)) =
            (le32(&head, 14 + 56), le32(&head, 14 + 112), le32(&head, 14 + 116))
    {
        let at = 14 + u64::from(at);
        let place = Some((at, at + u64::from(length)));
        let body = source.bytes(at, u64::from(length).min(8 << 20)).unwrap_or_default();
        if kind == u32::from_be_bytes(*b"LINK") {
            let what = "path of a colour profile";
            out.add((Category::Link, Harm::High), what, &decode(&body), "BMP/Profile", place);
        } else if kind == u32::from_be_bytes(*b"MBED") {
            icc::list(&body, out, "BMP/ICC", place);
        }
        if length > 0 {
            end = end.max(at + u64::from(length));
        }
    }
    trailing(out, end, len);
}

fn trailing(out: &mut Collector, end: u64, len: u64) {
    if end < len {
        let what = "data after the end of the picture";
        let place = Some((end, len));
        out.add((Category::Hidden, Harm::High), what, &size(len - end), "(after the end)", place);
    } else if end > len {
        out.note("The picture is cut short.");
    }
}

/// Lists a PBM, PGM or PPM file.
pub(super) fn pnm(source: &mut Source<'_>, out: &mut Collector) {
    let len = source.len();
    let head = source.upto(0, len, 64 * 1024).unwrap_or_default();
    let kind = head.get(1).copied().unwrap_or(0);
    let mut numbers: Vec<u64> = Vec::new();
    let wanted = if matches!(kind, b'1' | b'4') { 2 } else { 3 };
    let mut at = 2usize;
    let mut comment: Option<usize> = None;
    let mut digits = false;
    while let Some(&b) = head.get(at) {
        if let Some(from) = comment {
            if b == b'\n' {
                let text = decode(head.get(from..at).unwrap_or_default());
                let place = Some((from as u64, at as u64));
                out.add((Category::People, Harm::Medium), "comment", &text, "Comment", place);
                comment = None;
            }
        } else if b == b'#' {
            comment = Some(at + 1);
            digits = false;
        } else if b.is_ascii_digit() && numbers.len() <= wanted {
            if !digits {
                numbers.push(0);
            }
            if let Some(n) = numbers.last_mut() {
                *n = n.saturating_mul(10).saturating_add(u64::from(b - b'0'));
            }
            digits = true;
        } else {
            digits = false;
            if numbers.len() == wanted {
                at += 1;
                break;
            }
        }
        at += 1;
    }
    // Only the binary kinds have a length that can be foretold.
    if let (b'4'..=b'6', [width, height, rest @ ..]) = (kind, numbers.as_slice()) {
        let deep = rest.first().is_some_and(|&m| m > 255);
        let bytes = match kind {
            b'4' => width.div_ceil(8).saturating_mul(*height),
            b'5' => width.saturating_mul(*height).saturating_mul(1 + u64::from(deep)),
            _ => width.saturating_mul(*height).saturating_mul(3 * (1 + u64::from(deep))),
        };
        trailing(out, (at as u64).saturating_add(bytes), len);
    }
}
