//! Bits of a parameter set or slice header (ITU-T H.264 and H.265, 7.2 and 9.1/9.2).

/// Most payload bytes that are read of one unit: headers are far shorter.
const MOST: usize = 512;

/// Reads an RBSP, most significant bit first.
#[derive(Debug)]
pub(super) struct Bits {
    bytes: Vec<u8>,
    at: usize,
    /// True if the unit is longer than what was taken of it.
    cut: bool,
}

impl Bits {
    /// The payload of a NAL unit whose header has `header` bytes, emulation
    /// prevention taken out; at most the first 512 bytes of it.
    pub(super) fn of_unit(unit: &[u8], header: usize) -> Self {
        let payload = unit.get(header..).unwrap_or_default();
        let mut bytes = Vec::with_capacity(payload.len().min(MOST));
        let mut zeros = 0;
        let mut cut = false;
        for &b in payload {
            if zeros >= 2 && b == 3 {
                zeros = 0;
                continue;
            }
            if bytes.len() >= MOST {
                cut = true;
                break;
            }
            zeros = if b == 0 { zeros + 1 } else { 0 };
            bytes.push(b);
        }
        Self { bytes, at: 0, cut }
    }

    /// One bit.
    pub(super) fn bit(&mut self) -> Option<bool> {
        let byte = *self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit == 1)
    }

    /// `n` bits, at most 32.
    pub(super) fn u(&mut self, n: u32) -> Option<u32> {
        let mut value = 0_u32;
        for _ in 0..n.min(32) {
            value = value << 1 | u32::from(self.bit()?);
        }
        Some(value)
    }

    /// Unsigned Exp-Golomb code.
    pub(super) fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let rest = self.u(zeros)?;
        (1_u32 << zeros).checked_add(rest)?.checked_sub(1)
    }

    /// Signed Exp-Golomb code.
    pub(super) fn se(&mut self) -> Option<i32> {
        let code = i64::from(self.ue()?);
        let magnitude = (code + 1) / 2;
        i32::try_from(if code % 2 == 1 { magnitude } else { -magnitude }).ok()
    }

    /// True if a payload bit comes before the trailing bits (7.2,
    /// `more_rbsp_data`).
    pub(super) fn more(&self) -> bool {
        self.cut || self.last_one().is_some_and(|last| self.at < last)
    }

    /// True if exactly the trailing bits are left: a one, zeros to the end
    /// of the byte, and no byte more.
    pub(super) fn ended(&self) -> bool {
        let same_byte = |last: usize| last / 8 + 1 == self.bytes.len();
        !self.cut && self.last_one().is_some_and(|last| self.at == last && same_byte(last))
    }

    /// Place of the last bit that is one.
    fn last_one(&self) -> Option<usize> {
        let byte = self.bytes.iter().rposition(|&b| b != 0)?;
        let zeros = self.bytes.get(byte)?.trailing_zeros() as usize;
        Some(byte * 8 + 7 - zeros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_as_the_tables_say() {
        // Header; 1 010 011 00100 1 (stop).
        let mut bits = Bits::of_unit(&[0x67, 0b1010_0110, 0b0100_1000], 1);
        assert_eq!((bits.ue(), bits.ue(), bits.ue()), (Some(0), Some(1), Some(2)));
        assert!(bits.more());
        assert_eq!(bits.se(), Some(2));
        assert!(bits.ended() && !bits.more());
    }

    #[test]
    fn emulation_prevention_is_taken_out() {
        let mut bits = Bits::of_unit(&[0, 0, 0, 3, 1, 0x80], 1);
        assert_eq!(bits.u(24), Some(1));
        assert!(bits.ended());
    }
}
