//! The checksums of sound containers. All run from the most significant
//! bit, without reflection.

/// A 256-entry table for the polynomial `poly` of `bits` bits.
const fn table(poly: u32, bits: u32) -> [u32; 256] {
    let mut table = [0; 256];
    let top = 1u32 << (bits - 1);
    let mask = (((top as u64) << 1) - 1) as u32;
    let mut n = 0;
    while n < 256 {
        let mut value = (n as u32) << (bits - 8);
        let mut bit = 0;
        while bit < 8 {
            value = if value & top != 0 { (value << 1) ^ poly } else { value << 1 } & mask;
            bit += 1;
        }
        table[n] = value;
        n += 1;
    }
    table
}

static CRC8: [u32; 256] = table(0x07, 8);
static CRC16: [u32; 256] = table(0x8005, 16);
static CRC32: [u32; 256] = table(0x04C1_1DB7, 32);

fn entry(table: &[u32; 256], n: u32) -> u32 {
    table.get((n & 0xFF) as usize).copied().unwrap_or_default()
}

/// FLAC frame headers (RFC 9639, 9.1.8).
pub(super) fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0u32, |c, &b| entry(&CRC8, c ^ u32::from(b))) as u8
}

/// FLAC frames (RFC 9639, 9.3) and MPEG audio, which starts with all ones.
pub(super) fn crc16(start: u16, bytes: &[u8]) -> u16 {
    let step = |c: u32, &b: &u8| (c << 8 & 0xFFFF) ^ entry(&CRC16, c >> 8 ^ u32::from(b));
    bytes.iter().fold(u32::from(start), step) as u16
}

/// Ogg pages (RFC 3533, 6).
pub(super) fn crc32(start: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(start, |c, &b| c << 8 ^ entry(&CRC32, c >> 24 ^ u32::from(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_values_of_the_catalogue() {
        // CRC-8/SMBUS, CRC-16/UMTS, CRC-16/CMS and CRC-32 without reflection.
        assert_eq!(crc8(b"123456789"), 0xF4);
        assert_eq!(crc16(0, b"123456789"), 0xFEE8);
        assert_eq!(crc16(0xFFFF, b"123456789"), 0xAEE7);
        assert_eq!(crc32(0xFFFF_FFFF, b"123456789") ^ 0xFFFF_FFFF, 0xFC89_1918);
    }
}
