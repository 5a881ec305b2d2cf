//! Writing symbols with the best code there is for them (ITU-T T.81, K.2):
//! the code follows from the picture alone, not from who wrote it first.

use super::entropy::Tokens;

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
pub(super) fn codes(tokens: &Tokens) -> [Option<Code>; 4] {
    let mut counts = [[0u32; 256]; 4];
    for &token in &tokens.0 {
        if let Some(kind) = counts.get_mut((token >> 29) as usize) {
            let place = &mut kind[(token >> 16 & 0xFF) as usize];
            *place = place.saturating_add(1);
        }
    }
    counts.map(|c| c.iter().any(|&n| n > 0).then(|| best(&c)))
}

/// T.81, figures K.1 to K.4, with one code point kept free so that no code
/// is all ones.
fn best(frequencies: &[u32; 256]) -> Code {
    let mut freq: Vec<u64> = frequencies.iter().map(|&f| f.into()).collect();
    freq.push(1);
    let mut size = vec![0usize; 257];
    let mut other: Vec<Option<usize>> = vec![None; 257];
    // Those left, in rising order. Most pictures use a quarter of them.
    let mut left: Vec<usize> = (0..freq.len()).filter(|&i| freq[i] > 0).collect();
    // Where in `left` the rarest stands; of equals the last.
    let smallest = |freq: &[u64], left: &[usize], not: Option<usize>| {
        let mut found: Option<(usize, u64)> = None;
        for (place, &i) in left.iter().enumerate() {
            if Some(place) != not && found.is_none_or(|(_, least)| freq[i] <= least) {
                found = Some((place, freq[i]));
            }
        }
        found.map(|(place, _)| place)
    };
    while let Some(first) = smallest(&freq, &left, None)
        && let Some(second) = smallest(&freq, &left, Some(first))
    {
        let (one, two) = (left[first], left[second]);
        left.remove(second);
        freq[one] += freq[two];
        freq[two] = 0;
        let lengthen = |from: usize, size: &mut [usize], other: &[Option<usize>]| {
            let mut at = from;
            size[at] += 1;
            while let Some(next) = other[at] {
                at = next;
                size[at] += 1;
            }
            at
        };
        let end = lengthen(one, &mut size, &other);
        other[end] = Some(two);
        lengthen(two, &mut size, &other);
    }
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
pub(super) fn write(tokens: &Tokens, codes: &[Option<Code>; 4], out: &mut Vec<u8>) {
    let mut writer = Writer { out, bits: 0, count: 0 };
    let mut restarts = 0u8;
    for &token in &tokens.0 {
        let (kind, n) = ((token >> 29) as usize, token >> 24 & 31);
        match kind {
            4 => writer.put(token & 0xFFFF, n),
            5 => {
                writer.align();
                writer.out.extend([0xFF, 0xD0 + (restarts & 7)]);
                restarts = restarts.wrapping_add(1);
            }
            _ => {
                let symbol = (token >> 16 & 0xFF) as usize;
                if let Some(Some(code)) = codes.get(kind) {
                    // At most 16 and 11 bits.
                    let entry = code.by_symbol[symbol];
                    writer.put((entry & 0xFFFF) << n | token & 0xFFFF, (entry >> 16) + n);
                }
            }
        }
    }
    writer.align();
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
    bits: u64,
    count: u32,
}

impl Writer<'_> {
    /// Adds `n` bits, at most 32.
    #[inline]
    fn put(&mut self, value: u32, n: u32) {
        self.bits = self.bits << n | u64::from(value);
        self.count += n;
        if self.count >= 32 {
            self.flush();
        }
    }

    /// Writes all whole bytes.
    fn flush(&mut self) {
        while self.count >= 8 {
            self.count -= 8;
            let byte = (self.bits >> self.count) as u8;
            self.out.push(byte);
            if byte == 0xFF {
                self.out.push(0);
            }
        }
    }

    fn align(&mut self) {
        let fill = (8 - self.count % 8) % 8;
        self.put((1 << fill) - 1, fill);
        self.flush();
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
}
