//! Pieces of embedded pictures, found again at any place by a rolling hash
//! (Karp and Rabin 1987).

use std::collections::BTreeMap;

/// Length of a piece in bytes.
pub(super) const WINDOW: usize = 32;
const BASE: u64 = 0x0100_0000_01B3;

/// Cuts `raw` into pieces and appends those that say something. Headers of
/// pictures inside are passed over: their tables and colour profiles are the
/// same everywhere.
pub(super) fn cut(raw: &[u8], most: usize, out: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(piece) = raw.get(at..at + WINDOW) {
        if let Some(skip) = header(raw.get(at..).unwrap_or_default()) {
            at += skip;
            continue;
        }
        if out.len() + WINDOW <= most && telling(piece) {
            out.extend(piece);
        }
        at += WINDOW;
    }
}

/// Length of the header of a picture that begins inside the next piece.
fn header(b: &[u8]) -> Option<usize> {
    let start = b.get(..WINDOW + 2)?.windows(3).position(|w| w == [0xFF, 0xD8, 0xFF])?;
    let rest = b.get(start..).unwrap_or_default();
    let scan = rest.windows(2).position(|w| w == [0xFF, 0xDA]).map_or(rest.len(), |n| n + 16);
    Some(start + scan.max(WINDOW))
}

/// True for bytes that do not repeat themselves: no padding, no ramp, no
/// table.
fn telling(piece: &[u8]) -> bool {
    let mut seen = [false; 256];
    let mut steps = [false; 256];
    for pair in piece.windows(2) {
        if let [a, b] = *pair {
            for (table, n) in [(&mut seen, b), (&mut steps, b.wrapping_sub(a))] {
                if let Some(flag) = table.get_mut(usize::from(n)) {
                    *flag = true;
                }
            }
        }
    }
    let count = |table: &[bool]| table.iter().filter(|&&f| f).count();
    count(&seen) >= 16 && count(&steps) >= 16
}

/// The pieces by their hash.
pub(super) struct Pieces<'a> {
    by_hash: BTreeMap<u64, Vec<&'a [u8]>>,
    /// A quick no: one bit for the low 16 bits of each hash.
    filter: Vec<bool>,
    /// `BASE` to the power of `WINDOW`.
    out: u64,
}

impl<'a> Pieces<'a> {
    pub(super) fn new(pieces: &'a [u8]) -> Self {
        let mut by_hash: BTreeMap<u64, Vec<&[u8]>> = BTreeMap::new();
        // Most originals have no embedded pictures.
        let mut filter = vec![false; if pieces.is_empty() { 0 } else { 1 << 16 }];
        for piece in pieces.chunks_exact(WINDOW) {
            let hash = piece.iter().fold(0, |h, &b| step(h, b));
            if let Some(flag) = filter.get_mut((hash & 0xFFFF) as usize) {
                *flag = true;
            }
            by_hash.entry(hash).or_default().push(piece);
        }
        Self { by_hash, filter, out: (0..WINDOW).fold(1, |p, _| u64::wrapping_mul(p, BASE)) }
    }

    /// Calls `found` with the place of every piece in `hay`.
    pub(super) fn each(&self, hay: &[u8], mut found: impl FnMut(usize)) {
        if self.by_hash.is_empty() || hay.len() < WINDOW {
            return;
        }
        let mut hash = 0u64;
        for (n, &new) in hay.iter().enumerate() {
            hash = step(hash, new);
            if n + 1 < WINDOW {
                continue;
            }
            let at = n + 1 - WINDOW;
            if at > 0 {
                let old = hay.get(at - 1).copied().unwrap_or_default();
                hash = hash.wrapping_sub(value(old).wrapping_mul(self.out));
            }
            if self.filter.get((hash & 0xFFFF) as usize) == Some(&true)
                && let Some(list) = self.by_hash.get(&hash)
                && list.iter().any(|p| hay.get(at..at + WINDOW) == Some(p))
            {
                found(at);
            }
        }
    }
}

const fn value(byte: u8) -> u64 {
    (byte as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

const fn step(hash: u64, byte: u8) -> u64 {
    hash.wrapping_mul(BASE).wrapping_add(value(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_found_wherever_it_stands() {
        let mut x = 7u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (x >> 24) as u8
        })
        .take(4096)
        .collect();
        let mut pieces = Vec::new();
        cut(&noise[1000..1100], 1 << 20, &mut pieces);
        assert_eq!(pieces.len(), 96);
        let mut places = Vec::new();
        Pieces::new(&pieces).each(&noise, |at| places.push(at));
        assert_eq!(places, [1000, 1032, 1064]);
        cut(&[0; 500], 1 << 20, &mut pieces);
        assert_eq!(pieces.len(), 96, "nothing is learnt from zeros");
    }
}
