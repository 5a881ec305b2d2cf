//! Bits in, bits out.

/// Bits of a slice, most significant first. Reading past the end gives
/// `None`.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    pub(in super::super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bits read so far.
    pub(in super::super) const fn at(&self) -> usize {
        self.at
    }

    pub(in super::super) fn left(&self) -> usize {
        (self.bytes.len() * 8).saturating_sub(self.at)
    }

    /// `n` bits, at most 32.
    pub(in super::super) fn u(&mut self, n: u32) -> Option<u32> {
        let mut value = 0u64;
        for _ in 0..n {
            let byte = *self.bytes.get(self.at / 8)?;
            value = value << 1 | u64::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        u32::try_from(value).ok()
    }

    pub(in super::super) fn flag(&mut self) -> Option<bool> {
        Some(self.u(1)? == 1)
    }

    pub(in super::super) fn skip(&mut self, n: usize) -> Option<()> {
        if n > self.left() {
            return None;
        }
        self.at += n;
        Some(())
    }

    /// Exp-Golomb code, ITU-T H.264 9.1.
    pub(in super::super) fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.u(1)? == 0 {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let rest = self.u(zeros)?;
        ((1u64 << zeros) + u64::from(rest)).checked_sub(1).and_then(|v| u32::try_from(v).ok())
    }

    /// Signed Exp-Golomb code.
    pub(in super::super) fn se(&mut self) -> Option<i32> {
        let k = i64::from(self.ue()?);
        i32::try_from(if k % 2 == 1 { (k + 1) / 2 } else { -(k / 2) }).ok()
    }

    /// Position of the stop bit of an RBSP: the last one bit.
    pub(in super::super) fn stop_bit(&self) -> Option<usize> {
        let last = self.bytes.iter().rposition(|&b| b != 0)?;
        let zeros = self.bytes.get(last)?.trailing_zeros() as usize;
        Some(last * 8 + 7 - zeros)
    }

    /// True while there is data before the stop bit (H.264 7.2).
    pub(in super::super) fn more_rbsp(&self) -> bool {
        self.stop_bit().is_some_and(|s| self.at < s)
    }
}

/// Bits being written.
#[derive(Debug, Default)]
pub(in super::super) struct Writer {
    bytes: Vec<u8>,
    used: usize,
}

impl Writer {
    pub(in super::super) fn put(&mut self, value: u64, n: u32) {
        for i in (0..n).rev() {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((value >> i & 1) as u8) << (7 - self.used % 8);
            }
            self.used += 1;
        }
    }

    /// Copies bits `from..to` of `bytes`, which the caller has parsed.
    pub(in super::super) fn parsed(&mut self, bytes: &[u8], from: usize, to: usize) {
        let mut bits = Bits { bytes, at: from };
        while bits.at < to {
            let Some(bit) = bits.u(1) else { return };
            self.put(bit.into(), 1);
        }
    }

    /// Closes an RBSP: a one, then zeros to the end of the byte.
    pub(in super::super) fn trailing(&mut self) {
        self.put(1, 1);
    }

    pub(in super::super) fn align(&mut self) {
        self.used = self.bytes.len() * 8;
    }

    pub(in super::super) fn done(self) -> Vec<u8> {
        self.bytes
    }
}
