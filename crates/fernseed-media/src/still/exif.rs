//! The one thing read from EXIF: how the camera was held.

use fernseed_core::Orientation;

/// Tag number of `Orientation` (TIFF 6.0; Exif 3.0, 4.6.5.1.3).
const ORIENTATION: u16 = 0x0112;
/// Most entries of the first directory that are looked at.
const MAX_ENTRIES: usize = 512;

/// The orientation that an EXIF block asks for. `block` begins with a TIFF
/// header, or with the `Exif\0\0` that JPEG and some WebP files put before
/// it. `Upright` where it says nothing, or nothing that can be understood.
pub(super) fn orientation(block: &[u8]) -> Orientation {
    let tiff = block.strip_prefix(b"Exif\0\0").unwrap_or(block);
    value(tiff).and_then(Orientation::from_exif).unwrap_or_default()
}

fn value(tiff: &[u8]) -> Option<u16> {
    let little = match tiff.get(..4)? {
        b"II\x2a\0" => true,
        b"MM\0\x2a" => false,
        _ => return None,
    };
    let u16_at = |at: usize| -> Option<u16> {
        let bytes = tiff.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let u32_at = |at: usize| -> Option<u32> {
        let bytes = tiff.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    };
    let ifd = usize::try_from(u32_at(4)?).ok()?;
    let entries = usize::from(u16_at(ifd)?).min(MAX_ENTRIES);
    for i in 0..entries {
        let entry = ifd.checked_add(2 + i * 12)?;
        if u16_at(entry)? != ORIENTATION {
            continue;
        }
        // SHORT as the standard says; LONG is seen in the wild.
        return match (u16_at(entry + 2)?, u32_at(entry + 4)?) {
            (3, 1..) => u16_at(entry + 8),
            (4, 1..) => u32_at(entry + 8)?.try_into().ok(),
            _ => None,
        };
    }
    None
}

/// A minimal EXIF block that says just the orientation (for tests).
#[cfg(test)]
pub(super) fn block(value: u16) -> Vec<u8> {
    let mut tiff = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01".to_vec();
    tiff.extend(value.to_be_bytes());
    tiff.extend([0; 6]);
    tiff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orientation_is_found_in_both_byte_orders() {
        let big = block(6);
        assert_eq!(orientation(&big), Orientation::Rotate90);
        let with_prefix = [b"Exif\0\0".as_slice(), &big].concat();
        assert_eq!(orientation(&with_prefix), Orientation::Rotate90);
        let little = b"II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x03\0\0\0\0\0\0\0";
        assert_eq!(orientation(little), Orientation::Rotate180);
    }

    #[test]
    fn nonsense_is_upright() {
        for bad in [&b""[..], b"MM\0\x2a", b"MM\0\x2a\xff\xff\xff\xff", &block(9), &block(0)] {
            assert_eq!(orientation(bad), Orientation::Upright);
        }
        let whole = block(8);
        for cut in 0..whole.len() - 8 {
            assert_eq!(orientation(&whole[..cut]), Orientation::Upright);
        }
    }
}
