//! Huffman tables of the accounting: codes by lookup, and for sequential
//! scans several whole coefficients by one lookup.

use crate::bytes::part;

/// Bits that the first lookup takes at once.
const QUICK: usize = 10;

/// A Huffman table: codes of up to ten bits by lookup, longer ones by
/// searching the ranges of 16 bits that begin with them. Small on purpose:
/// four tables of 2^16 entries cost more to fill than a small photo to walk.
#[derive(Debug)]
pub(in super::super) struct Huffman {
    /// `length << 8 | symbol` by the next ten bits; zero where no code of
    /// that length begins so.
    lookup: Vec<u16>,
    /// `(one past the last 16 bits, length << 8 | symbol)`, rising.
    long: Vec<(usize, u16)>,
}

impl Huffman {
    /// Reads one table of a DHT segment: `(class, id, table, bytes used)`.
    pub(in super::super) fn parse(b: &[u8]) -> Option<(u8, u8, Self, usize)> {
        let (class, id) = (b.first()? >> 4, b.first()? & 15);
        let counts = part(b, 1, 16)?;
        let total: usize = counts.iter().map(|&n| usize::from(n)).sum();
        let symbols = part(b, 17, total)?;
        if class > 1 || id > 3 || total > 256 {
            return None;
        }
        let mut lookup = vec![0u16; 1 << QUICK];
        let mut long = Vec::new();
        let (mut code, mut next) = (0usize, 0usize);
        for (length, &count) in (1usize..=16).zip(counts) {
            for _ in 0..count {
                let first = code << (16 - length);
                let entry = (length as u16) << 8 | u16::from(*symbols.get(next)?);
                let end = first + (1 << (16 - length));
                if end > 1 << 16 {
                    return None;
                }
                if length <= QUICK {
                    lookup.get_mut(first >> (16 - QUICK)..end >> (16 - QUICK))?.fill(entry);
                } else {
                    long.push((end, entry));
                }
                code += 1;
                next += 1;
            }
            code <<= 1;
        }
        Some((class, id, Self { lookup, long }, 17 + total))
    }

    /// The code that the 16 bits in `window` begin with: `length << 8 |
    /// symbol`.
    #[inline]
    pub(super) fn entry(&self, window: usize) -> Option<u16> {
        match self.lookup.get(window >> (16 - QUICK)) {
            Some(&entry) if entry > 0 => Some(entry),
            // Codes rise with their length: what is no short code lies above
            // all short ones, so that the ranges need no beginnings.
            _ => self.long.get(self.long.partition_point(|l| l.0 <= window)).map(|l| l.1),
        }
    }
}

/// What the next ten bits say of the coefficients of a sequential block: as
/// many symbols as have their whole code in there, whatever their values are.
pub(super) struct Steps {
    /// `advance << 5 | bits` by ten bits; zero where the first symbol is not
    /// plain. `bits` (at most 20) are codes and values of all the symbols
    /// together. `advance` is by how many coefficients they go on, and
    /// [`Steps::END`] more if the last of them ends the block.
    by_bits: [u16; 1 << QUICK],
}

impl Steps {
    /// Added to the advance by a symbol that ends the block.
    pub(super) const END: u32 = 128;

    /// Steps for the AC coefficients that `table` codes.
    pub(super) fn new(table: &Huffman) -> Self {
        let mut by_bits = [0; 1 << QUICK];
        for (window, slot) in by_bits.iter_mut().enumerate() {
            let (mut bits, mut advance) = (0usize, 0u32);
            while bits < QUICK {
                // Zeros stand for the bits that are not known.
                let rest = window << bits & ((1 << QUICK) - 1);
                let entry = table.lookup.get(rest).copied().unwrap_or_default();
                let length = usize::from(entry >> 8);
                if entry == 0 || bits + length > QUICK {
                    break;
                }
                let (zeros, size) = (u32::from(entry >> 4 & 15), u32::from(entry & 15));
                let more = match (zeros, size) {
                    (0, 0) => {
                        advance += Self::END;
                        bits += length;
                        break;
                    }
                    (15, 0) => 16,
                    (_, 1..=10) => zeros + 1,
                    // No symbol of a sequential scan.
                    _ => break,
                };
                // Past any block; must not look like an end.
                if advance + more > 64 {
                    break;
                }
                advance += more;
                bits += length + size as usize;
            }
            *slot = (advance as u16) << 5 | bits as u16;
        }
        Self { by_bits }
    }

    /// `(bits, advance)` for the bits that `word` begins with.
    #[inline]
    pub(super) fn of(&self, word: u64) -> (u32, u32) {
        let entry = u32::from(self.by_bits[(word >> (64 - QUICK)) as usize]);
        (entry & 31, entry >> 5)
    }
}

impl std::fmt::Debug for Steps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Steps")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table with codes of these lengths for these symbols.
    fn table(codes: &[(usize, u8)]) -> Huffman {
        let mut segment = vec![0x10];
        segment.extend((1..=16).map(|l| codes.iter().filter(|c| c.0 == l).count() as u8));
        segment.extend(codes.iter().map(|c| c.1));
        Huffman::parse(&segment).unwrap().2
    }

    #[test]
    fn several_symbols_are_one_step() {
        // 0: one zero-run of sixteen; 10: end; 110: 2 zeros, 3 bits; 1110: no
        // symbol of a sequential scan.
        let t = table(&[(1, 0xF0), (2, 0x00), (3, 0x23), (4, 0x50)]);
        let steps = Steps::new(&t);
        let of = |bits: u64| steps.of(bits << 54);
        assert_eq!(of(0b10_0000_0000), (2, Steps::END));
        assert_eq!(of(0b01_0000_0000), (3, 16 + Steps::END));
        assert_eq!(of(0b11_0101_1000), (8, 3 + Steps::END));
        assert_eq!(of(0b11_0101_0111), (7, 3 + 16));
        // The value of the last coefficient need not be known.
        assert_eq!(of(0b11_0101_1100), (12, 3 + 3));
        assert_eq!(of(0b11_1000_0000), (0, 0));
        // Never past a block, lest it look like an end.
        assert_eq!(of(0), (4, 64));
        assert_eq!(of(0b00_0010_0000), (6, 64 + Steps::END));
    }
}
