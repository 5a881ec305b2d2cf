//! Checksums for the accounting, apart from those of the writers: bit by
//! bit, sixteen steps of four bits at a time.

/// A checksum that runs from the most significant bit on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sum {
    table: [u64; 16],
    width: u32,
    pub(super) value: u64,
}

impl Sum {
    fn new(width: u32, polynomial: u64, value: u64) -> Self {
        let mask = (1u64 << width) - 1;
        let table = std::array::from_fn(|n| {
            (0..4).fold((n as u64) << (width - 4), |v, _| {
                let carry = v >> (width - 1) & 1;
                ((v << 1) ^ (carry * polynomial)) & mask
            })
        });
        Self { table, width, value }
    }

    /// FLAC frame header.
    pub(super) fn crc8() -> Self {
        Self::new(8, 0x07, 0)
    }

    /// FLAC frame and LAME tag from zero, MPEG audio from all ones.
    pub(super) fn crc16(start: u64) -> Self {
        Self::new(16, 0x8005, start)
    }

    /// Ogg page.
    pub(super) fn ogg() -> Self {
        Self::new(32, 0x04C1_1DB7, 0)
    }

    /// Takes one more byte.
    pub(super) fn byte(&mut self, byte: u8) {
        let mask = (1u64 << self.width) - 1;
        for four in [byte >> 4, byte & 15] {
            let index = (self.value >> (self.width - 4) ^ u64::from(four)) & 15;
            let step = self.table.get(index as usize).copied().unwrap_or_default();
            self.value = (self.value << 4 & mask) ^ step;
        }
    }

    /// Takes more bytes.
    pub(super) fn add(mut self, bytes: &[u8]) -> Self {
        for &b in bytes {
            self.byte(b);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_values_of_the_catalogue() {
        assert_eq!(Sum::crc8().add(b"123456789").value, 0xF4);
        assert_eq!(Sum::crc16(0).add(b"123456789").value, 0xFEE8);
        assert_eq!(Sum::crc16(0xFFFF).add(b"123456789").value, 0xAEE7);
        assert_eq!(Sum::ogg().add(b"123456789").value, 0x89A1_897F);
    }
}
