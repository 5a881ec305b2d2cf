//! Writing symbols with the best code there is for them (ITU-T T.81, K.2):
//! the code follows from the picture alone, not from who wrote it first.

use super::tokens::{KINDS, Tokens, What};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A code for writing.
#[derive(Debug)]
pub(super) struct Code {
    /// Numbers of codes of each length from 1 to 16.
    pub(super) counts: [u8; 16],
    /// Symbols in order of their codes.
    pub(super) symbols: Vec<u8>,
    /// `length << 16 | code` by symbol.
    by_symbol: [u32; 256],
}

/// The best codes for the four kinds of symbols; `None` where a kind does
/// not occur.
pub(super) fn codes(tokens: &Tokens) -> [Option<Code>; KINDS] {
    let mut kinds = tokens.counts.chunks_exact(256);
    std::array::from_fn(|_| {
        let counts = kinds.next()?.first_chunk()?;
        counts.iter().any(|&n| n > 0).then(|| best(counts))
    })
}

/// T.81, figures K.1 to K.4, with one code point kept free so that no code
/// is all ones.
fn best(frequencies: &[u32; 256]) -> Code {
    // Trees: the rarest on top; of equals the one whose first symbol is last.
    let mut left: BinaryHeap<(Reverse<u64>, usize, usize)> = frequencies
        .iter()
        .map(|&f| u64::from(f))
        .chain([1])
        .enumerate()
        .filter(|&(_, f)| f > 0)
        .map(|(i, f)| (Reverse(f), i, i))
        .collect();
    // What each tree was joined into; joins come behind the symbols.
    let mut above = [0usize; 2 * 257];
    let mut next = 257;
    while let Some((Reverse(a), first, one)) = left.pop()
        && let Some((Reverse(b), _, two)) = left.pop()
    {
        (above[one], above[two]) = (next, next);
        left.push((Reverse(a + b), first, next));
        next += 1;
    }
    // How deep each stands below the last join.
    let mut size = [0usize; 2 * 257];
    for node in (0..next.saturating_sub(1)).rev() {
        if above[node] > 0 {
            size[node] = size[above[node]] + 1;
        }
    }
    let size = &size[..257];
    let mut bits = vec![0u32; 260];
    for &s in size.iter().filter(|&&s| s > 0) {
        bits[s] += 1;
    }
    for i in (17..bits.len()).rev() {
        while bits[i] > 0 {
            let mut j = i - 2;
            while j > 0 && bits[j] == 0 {
                j -= 1;
            }
            bits[i] = bits[i].saturating_sub(2);
            bits[i - 1] += 1;
            bits[j + 1] += 2;
            bits[j] = bits[j].saturating_sub(1);
        }
    }
    // The free code point is one of the longest.
    if let Some(longest) = (1..=16).rev().find(|&i| bits[i] > 0) {
        bits[longest] -= 1;
    }
    let mut symbols = Vec::new();
    for length in 1..size.len() {
        for (symbol, _) in size.iter().enumerate().take(256).filter(|&(_, &s)| s == length) {
            symbols.push(symbol as u8);
        }
    }
    let mut counts = [0u8; 16];
    let mut by_symbol = [0u32; 256];
    let (mut code, mut next) = (0u32, 0usize);
    for length in 1..=16u32 {
        let n = bits[length as usize];
        counts[length as usize - 1] = n as u8;
        for _ in 0..n {
            if let Some(&symbol) = symbols.get(next) {
                by_symbol[usize::from(symbol)] = length << 16 | code;
            }
            code += 1;
            next += 1;
        }
        code <<= 1;
    }
    Code { counts, symbols, by_symbol }
}

/// Writes the symbols of a scan, the last byte filled up with ones.
pub(super) fn write(tokens: &Tokens, codes: &[Option<Code>; KINDS], out: &mut Vec<u8>) {
    let mut table = [0u32; KINDS * 256];
    for (part, code) in table.chunks_exact_mut(256).zip(codes) {
        if let Some(code) = code {
            part.copy_from_slice(&code.by_symbol);
        }
    }
    let mut writer = Writer { out, word: 0, free: 64 };
    let mut restarts = 0u8;
    for &token in &tokens.list {
        let (extra, n) = token.extra();
        match token.what() {
            What::Symbol => {
                // At most 16 and 14 bits.
                let entry = table[token.place()];
                writer.put((entry & 0xFFFF) << n | extra, (entry >> 16) + n);
            }
            What::Bare => writer.put(extra, n),
            What::Restart => {
                writer.align();
                writer.out.extend([0xFF, 0xD0 + (restarts & 7)]);
                restarts = restarts.wrapping_add(1);
            }
        }
    }
    writer.align();
}

/// Gathers bits into words of eight bytes.
struct Writer<'a> {
    out: &'a mut Vec<u8>,
    /// Bits not yet written, at the bottom.
    word: u64,
    /// How many more `word` takes.
    free: u32,
}

impl Writer<'_> {
    /// Adds the `n` bits of `value`, at most 32.
    #[inline(always)]
    fn put(&mut self, value: u32, n: u32) {
        let value = u64::from(value);
        if n <= self.free {
            self.word = self.word << n | value;
            self.free -= n;
            return;
        }
        let later = n - self.free;
        self.word = self.word << self.free | value >> later;
        self.eight();
        // What is written already goes over the top before the next eight.
        self.word = value;
        self.free = 64 - later;
    }

    /// Writes a full word.
    #[inline(always)]
    fn eight(&mut self) {
        const ONES: u64 = 0x0101_0101_0101_0101;
        if (!self.word).wrapping_sub(ONES) & self.word & (ONES << 7) == 0 {
            self.out.extend_from_slice(&self.word.to_be_bytes());
        } else {
            self.stuffed(8);
        }
    }

    /// Writes the upper `bytes` of a full word, a zero behind each 0xFF.
    #[cold]
    fn stuffed(&mut self, bytes: usize) {
        for byte in self.word.to_be_bytes().into_iter().take(bytes) {
            self.out.push(byte);
            if byte == 0xFF {
                self.out.push(0);
            }
        }
    }

    /// Fills up the last byte and writes everything.
    fn align(&mut self) {
        let fill = self.free % 8;
        self.word = self.word << fill | ((1 << fill) - 1);
        self.free -= fill;
        if self.free < 64 {
            let bytes = (64 - self.free) as usize / 8;
            self.word <<= self.free;
            self.stuffed(bytes);
        }
        self.word = 0;
        self.free = 64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_prefix_free_and_never_all_ones() {
        let mut frequencies = [0u32; 256];
        // Fibonacci numbers make the longest codes.
        let (mut a, mut b) = (1u32, 1u32);
        for f in frequencies.iter_mut().take(40) {
            *f = a;
            (a, b) = (b, a + b);
        }
        let code = best(&frequencies);
        assert_eq!(code.symbols.len(), 40);
        assert_eq!(code.counts.iter().map(|&n| usize::from(n)).sum::<usize>(), 40);
        let list: Vec<(u32, u32)> =
            (0..40).map(|s| (code.by_symbol[s] >> 16, code.by_symbol[s] & 0xFFFF)).collect();
        for (i, &(n, c)) in list.iter().enumerate() {
            assert!((1..=16).contains(&n) && c != (1 << n) - 1);
            for &(m, d) in &list[i + 1..] {
                let l = n.min(m);
                assert_ne!(c >> (n - l), d >> (m - l));
            }
        }
    }

    /// Whole words and bytes by themselves are written the same, each 0xFF
    /// with its zero.
    #[test]
    fn bits_are_written_in_order() {
        let mut x = 5u32;
        for round in 0..200 {
            let (mut out, mut bits) = (Vec::new(), Vec::new());
            let mut writer = Writer { out: &mut out, word: 0, free: 64 };
            for _ in 0..round {
                x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let n = x >> 27;
                // Half of all values are ones alone.
                let value = if x & 1 == 1 { u32::MAX } else { x >> 5 } & ((1 << n) - 1);
                writer.put(value, n);
                bits.extend((0..n).rev().map(|b| value >> b & 1 == 1));
            }
            writer.align();
            let mut want = Vec::new();
            for byte in bits.chunks(8) {
                let filled = byte.iter().copied().chain(std::iter::repeat(true)).take(8);
                let byte = filled.fold(0u8, |v, b| v << 1 | u8::from(b));
                want.push(byte);
                if byte == 0xFF {
                    want.push(0);
                }
            }
            assert_eq!(out, want, "{round}");
        }
    }
}
