//! The one fact of EXIF that belongs to the picture: which side is up.

use crate::bytes::{be16, be32, le16, le32, part};

/// Orientation (1 to 8) of an EXIF block that begins with its TIFF header.
pub(super) fn orientation(tiff: &[u8]) -> Option<u8> {
    let little = match part(tiff, 0, 4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let word = |at| if little { le16(tiff, at) } else { be16(tiff, at) };
    let long = |at| if little { le32(tiff, at) } else { be32(tiff, at) };
    let from = long(4)? as usize;
    for i in 0..usize::from(word(from)?) {
        let at = from.checked_add(2 + 12 * i)?;
        if word(at)? == 0x0112 {
            let value = match word(at + 2)? {
                3 => word(at + 8)?,
                4 => u16::try_from(long(at + 8)?).ok()?,
                _ => return None,
            };
            return u8::try_from(value).ok().filter(|v| (1..=8).contains(v));
        }
    }
    None
}

/// A block that says the orientation and nothing else.
pub(super) fn block(orientation: u8) -> [u8; 26] {
    let mut out = *b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0";
    out[19] = orientation;
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_says_what_it_was_given() {
        for side in 1..=8 {
            assert_eq!(orientation(&block(side)), Some(side));
        }
        assert_eq!(orientation(&block(9)), None);
        assert_eq!(orientation(b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"), Some(6));
        assert_eq!(orientation(b"II*\0\xFF\xFF\xFF\xFF"), None);
    }
}
