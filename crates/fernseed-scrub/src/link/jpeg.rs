//! Tables and order of a JPEG: makers choose them by firmware.

use super::structure::fingerprint;
use super::{Strength, Tie};
use crate::bytes::{be16, part};
use crate::source::Source;

/// Luminance table of ITU-T T.81, annex K, in natural order.
const LUMINANCE: [u16; 64] = [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113,
    92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
];
/// Code counts of the four typical Huffman tables of annex K.
const TYPICAL: [[u8; 16]; 4] = [
    [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0],
    [0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0],
    [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7D],
    [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77],
];

/// Tables, order and size; nothing if it is no JPEG.
pub(super) fn read(source: &mut Source<'_>) -> Vec<(Tie, String, Strength)> {
    let mut out = Vec::new();
    if source.array::<2>(0) != Ok([0xFF, 0xD8]) {
        return out;
    }
    let mut order = Vec::new();
    let mut tables: Vec<String> = Vec::new();
    let mut codes: Vec<String> = Vec::new();
    let mut quality = None;
    let mut at = 2u64;
    while let Ok([0xFF, marker]) = source.array::<2>(at)
        && order.len() < 200
    {
        if marker == 0xFF {
            at += 1;
            continue;
        }
        let length = source.array::<2>(at + 2).ok().and_then(|b| be16(&b, 0)).unwrap_or(2);
        let body = source.upto(at + 4, at + 2 + u64::from(length), 1 << 16).unwrap_or_default();
        order.push(format!("{marker:02X}"));
        match marker {
            0xDB => {
                quality = quality.or_else(|| ijg(&body));
                tables.push(hex(&body));
            }
            0xC4 if !typical(&body) => codes.push(hex(&body)),
            0xC0..=0xC2 => {
                if let (Some(h), Some(w)) = (be16(&body, 1), be16(&body, 3)) {
                    out.push((Tie::Resolution, format!("{w} x {h}"), Strength::Weak));
                }
                // Sampling factors belong to the choice of tables.
                tables.push(hex(body.get(5..).unwrap_or_default()));
            }
            0xDA => break,
            _ => {}
        }
        at += 2 + u64::from(length).max(2);
    }
    if !tables.is_empty() {
        let value = fingerprint(&tables);
        let hash = value.rsplit('[').next().unwrap_or_default().trim_end_matches(']').to_owned();
        out.push(match quality {
            Some(q) => {
                (Tie::QuantisationTables, format!("usual, quality {q} [{hash}]"), Strength::Weak)
            }
            None => (Tie::QuantisationTables, format!("own [{hash}]"), Strength::Medium),
        });
    }
    if !codes.is_empty() {
        let value = fingerprint(&codes);
        let hash = value.rsplit('[').next().unwrap_or_default().trim_end_matches(']').to_owned();
        out.push((Tie::HuffmanTables, hash, Strength::Medium));
    }
    out.push((Tie::Structure, fingerprint(&order), Strength::Weak));
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The quality setting of the Independent JPEG Group's scale whose luminance
/// table this is.
fn ijg(body: &[u8]) -> Option<u16> {
    let table = part(body, 1, 64).filter(|_| body.first() == Some(&0))?;
    let mut sorted = table.to_vec();
    sorted.sort_unstable();
    (1..=100u16).find(|&quality| {
        let scale = if quality < 50 { 5000 / quality } else { 200 - 2 * quality };
        let mut want: Vec<u8> = LUMINANCE
            .iter()
            .map(|&n| ((u32::from(n) * u32::from(scale) + 50) / 100).clamp(1, 255) as u8)
            .collect();
        // The order in the file is zigzag; equal values in any order will do.
        want.sort_unstable();
        want == sorted
    })
}

/// True if all tables in the segment have the usual code counts.
fn typical(body: &[u8]) -> bool {
    let mut at = 0;
    while let Some(counts) = part(body, at + 1, 16) {
        if !TYPICAL.iter().any(|t| t == counts) {
            return false;
        }
        at += 17 + counts.iter().map(|&n| usize::from(n)).sum::<usize>();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usual_table_is_known_by_its_quality() {
        let mut body = vec![0];
        body.extend(LUMINANCE.map(|n| ((u32::from(n) * 16 + 50) / 100).max(1) as u8));
        assert_eq!(ijg(&body), Some(92));
        body[5] = 99;
        assert_eq!(ijg(&body), None);
    }
}
