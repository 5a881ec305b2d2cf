//! Reading bits and Huffman codes of a scan (ITU-T T.81, F.2.2.3).

/// Bits that a lookup takes at once.
const SHORT: u32 = 10;

/// A Huffman table for reading: short codes by lookup, long ones by limits.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// `length << 8 | symbol` by the next ten bits; zero for longer codes.
    short: [u16; 1 << SHORT],
    /// Largest code of each length, as a number of 16 bits, plus one.
    limit: [u32; 17],
    first: [u32; 17],
    index: [usize; 17],
    symbols: Vec<u8>,
}

impl Table {
    /// A table from its numbers of codes per length and its symbols.
    pub(super) fn new(counts: &[u8], symbols: &[u8]) -> Option<Self> {
        let mut table = Self {
            short: [0; 1 << SHORT],
            limit: [0; 17],
            first: [0; 17],
            index: [0; 17],
            symbols: symbols.to_vec(),
        };
        let (mut code, mut next) = (0u32, 0usize);
        for (length, &count) in (1u32..=16).zip(counts) {
            let l = length as usize;
            table.first[l] = code;
            table.index[l] = next;
            for _ in 0..count {
                let symbol = *symbols.get(next)?;
                if code >= 1 << length {
                    return None;
                }
                if length <= SHORT {
                    let from = (code << (SHORT - length)) as usize;
                    let entry = (length as u16) << 8 | u16::from(symbol);
                    table.short.get_mut(from..from + (1 << (SHORT - length)))?.fill(entry);
                }
                code += 1;
                next += 1;
            }
            table.limit[l] = code << (16 - length);
            code <<= 1;
        }
        Some(table)
    }

    /// Length and symbol of a code of more than ten bits.
    #[cold]
    fn long(&self, window: u32) -> Option<(u32, u8)> {
        let length = (SHORT + 1..=16).find(|&l| window < self.limit[l as usize])?;
        let l = length as usize;
        let offset = (window >> (16 - length)).checked_sub(self.first[l])?;
        Some((length, *self.symbols.get(self.index[l] + offset as usize)?))
    }
}

/// Bits of a scan. A plain value, so that a loop can keep it in registers.
#[derive(Clone, Copy)]
pub(super) struct Bits<'a> {
    pub(super) data: &'a [u8],
    /// The next byte that is not in `word`.
    pub(super) at: usize,
    /// The next bits, from the top. What stands below `count` is zero or the
    /// beginning of the next byte.
    word: u64,
    count: u32,
    stopped: bool,
}

impl<'a> Bits<'a> {
    pub(super) const fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0, word: 0, count: 0, stopped: false }
    }

    /// Makes sure of 32 bits, where there are so many.
    #[inline(always)]
    pub(super) fn want(&mut self) {
        if self.count < 32 {
            self.refill();
        }
    }

    #[inline(always)]
    fn refill(&mut self) {
        if let Some(eight) = self.data.get(self.at..).and_then(<[u8]>::first_chunk::<8>) {
            let eight = u64::from_be_bytes(*eight);
            // No byte of the complement is zero (Anderson, Bit Twiddling Hacks).
            const ONES: u64 = 0x0101_0101_0101_0101;
            if (!eight).wrapping_sub(ONES) & eight & (ONES << 7) == 0 {
                self.word |= eight >> self.count;
                self.at += (63 - self.count as usize) / 8;
                self.count |= 56;
                return;
            }
        }
        *self = self.bytewise();
    }

    /// Fills up near stuffed bytes, markers and the end.
    #[cold]
    #[inline(never)]
    fn bytewise(mut self) -> Self {
        while self.count < 56 && !self.stopped {
            let byte = match (self.data.get(self.at), self.data.get(self.at + 1)) {
                (Some(0xFF), Some(0)) => {
                    self.at += 1;
                    0xFF
                }
                (Some(0xFF), _) | (None, _) => {
                    self.stopped = true;
                    break;
                }
                (Some(&byte), _) => byte,
            };
            self.at += 1;
            self.word |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
        self
    }

    /// `n` bits, at most 16.
    #[inline(always)]
    pub(super) fn take(&mut self, n: u32) -> Option<u32> {
        if self.count < n {
            self.refill();
        }
        self.count = self.count.checked_sub(n)?;
        let value = (self.word >> 1 >> (63 - n)) as u32;
        self.word <<= n;
        Some(value)
    }

    #[inline(always)]
    pub(super) fn symbol(&mut self, table: &Table) -> Option<u8> {
        if self.count < 16 {
            self.refill();
        }
        let entry = table.short[(self.word >> (64 - SHORT)) as usize];
        let (length, symbol) = if entry > 0 {
            (u32::from(entry >> 8), entry as u8)
        } else {
            table.long((self.word >> 48) as u32)?
        };
        self.count = self.count.checked_sub(length)?;
        self.word <<= length;
        Some(symbol)
    }

    /// Drops what is left of the interval. Whole bytes that no block uses
    /// go with the padding bits.
    fn align(&mut self) {
        self.word = 0;
        self.count = 0;
        self.stopped = false;
    }

    /// Goes to the next marker, past bytes that belong to nothing.
    pub(super) fn marker(&mut self) -> Option<u8> {
        // Bytes already taken into `word` hold no marker.
        self.align();
        loop {
            match (self.data.get(self.at)?, self.data.get(self.at + 1)) {
                (0xFF, Some(&m)) if m != 0 && m != 0xFF => return Some(m),
                _ => self.at += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words and single bytes give the same bits, wherever stuffed bytes and
    /// markers stand.
    #[test]
    fn bits_come_in_order_up_to_the_marker() {
        for start in 0..40 {
            let mut plain: Vec<u8> = (0..40).map(|n| n * 5 + 1).collect();
            let mut data = plain.clone();
            plain.splice(start..start, [0xFF, 0xFF]);
            data.splice(start..start, [0xFF, 0, 0xFF, 0]);
            data.extend([0xFF, 0xD9]);
            data.extend([0x55; 20]);
            let mut bits = Bits::new(&data);
            let (mut at, total) = (0usize, plain.len() * 8);
            for n in [3, 16, 1, 7, 11, 0, 5].into_iter().cycle() {
                if at + n > total {
                    break;
                }
                let want = (at..at + n)
                    .fold(0u32, |v, b| v << 1 | u32::from(plain[b / 8] >> (7 - b % 8) & 1));
                assert_eq!(bits.take(n as u32), Some(want), "{start} {at}");
                at += n;
            }
            let left = (total - at) as u32;
            assert_eq!(bits.take(left + 1), None);
            assert_eq!(bits.marker(), Some(0xD9));
            assert_eq!(bits.at, 44);
        }
    }
}
