//! Bit readers: most significant bit first (FLAC, MPEG) and least
//! significant bit first (Vorbis).

/// Reads from the most significant bit of each byte on.
#[derive(Clone, Debug)]
pub(super) struct Msb<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Msb<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bits read so far.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// The 64 bits from the byte of the next bit on; zeros past the end.
    fn window(&self) -> u64 {
        let from = self.at / 8;
        if let Some(Ok(eight)) = self.bytes.get(from..from + 8).map(<[u8; 8]>::try_from) {
            return u64::from_be_bytes(eight);
        }
        let rest = self.bytes.get(from..).unwrap_or_default();
        let mut eight = [0; 8];
        for (to, &b) in eight.iter_mut().zip(rest) {
            *to = b;
        }
        u64::from_be_bytes(eight)
    }

    fn left(&self) -> usize {
        self.bytes.len() * 8 - self.at
    }

    /// `n` bits, at most 32.
    pub(super) fn u(&mut self, n: u32) -> Option<u32> {
        if n == 0 {
            return Some(0);
        }
        if n > 32 || (n as usize) > self.left() {
            return None;
        }
        let value = self.window() << (self.at % 8) >> (64 - n);
        self.at += n as usize;
        u32::try_from(value).ok()
    }

    /// `n` bits as a two's complement number, at most 33.
    pub(super) fn i(&mut self, n: u32) -> Option<i64> {
        if n == 0 || n > 33 || (n as usize) > self.left() {
            return None;
        }
        let value = ((self.window() << (self.at % 8)) as i64) >> (64 - n);
        self.at += n as usize;
        Some(value)
    }

    /// Zeros up to the next one, which is read too.
    pub(super) fn unary(&mut self) -> Option<u32> {
        let mut count = 0u32;
        loop {
            let have = (64 - self.at % 8).min(self.left());
            if have == 0 {
                return None;
            }
            let zeros = (self.window() << (self.at % 8)).leading_zeros() as usize;
            if zeros < have {
                self.at += zeros + 1;
                return count.checked_add(zeros as u32);
            }
            self.at += have;
            count = count.checked_add(have as u32)?;
        }
    }
}

/// Reads from the least significant bit of each byte on.
#[derive(Clone, Debug)]
pub(super) struct Lsb<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Lsb<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bits read so far.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// `n` bits, at most 32.
    pub(super) fn u(&mut self, n: u32) -> Option<u32> {
        let mut value = 0u64;
        let mut have = 0;
        while have < n.min(32) {
            let byte = u64::from(*self.bytes.get(self.at / 8)?);
            let skip = (self.at % 8) as u32;
            let take = (8 - skip).min(n - have);
            value |= (byte >> skip & ((1 << take) - 1)) << have;
            have += take;
            self.at += take as usize;
        }
        u32::try_from(value).ok()
    }

    /// One bit as a truth value.
    pub(super) fn flag(&mut self) -> Option<bool> {
        Some(self.u(1)? == 1)
    }

    /// Passes over `n` bits.
    pub(super) fn skip(&mut self, n: u64) -> Option<()> {
        let to = (self.at as u64).checked_add(n)?;
        if to > self.bytes.len() as u64 * 8 {
            return None;
        }
        self.at = usize::try_from(to).ok()?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends() {
        let mut m = Msb::new(&[0b1010_0000, 0, 0b0001_1111]);
        assert_eq!((m.u(3), m.unary(), m.i(2), m.u(3)), (Some(0b101), Some(16), Some(-1), None));
        let mut l = Lsb::new(&[0b1010_0101, 0xFF]);
        assert_eq!((l.u(4), l.u(8), l.flag(), l.u(4)), (Some(5), Some(0xFA), Some(true), None));
    }
}
