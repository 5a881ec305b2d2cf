//! Blocks: their header, and the frames laced into them (RFC 9559, 10).

use crate::ebml::vint;

/// A block without its frames' bytes.
pub(super) struct Block {
    pub(super) track: u64,
    pub(super) time: i16,
    pub(super) flags: u8,
    /// `(offset from the block's start, length)`.
    pub(super) frames: Vec<(u64, u32)>,
}

/// Reads the head of a block of `len` bytes; `head` is its beginning.
pub(super) fn parse(head: &[u8], len: u64) -> Option<Block> {
    let (track, n) = vint(head, 8, true)?;
    let time = i16::from_be_bytes(head.get(n..n + 2)?.try_into().ok()?);
    let flags = *head.get(n + 2)?;
    let mut at = n + 3;
    let mut frames = Vec::new();
    let lacing = flags >> 1 & 3;
    if lacing == 0 {
        frames.push((at as u64, u32::try_from(len.checked_sub(at as u64)?).ok()?));
        return Some(Block { track, time, flags, frames });
    }
    let count = usize::from(*head.get(at)?) + 1;
    at += 1;
    let mut sizes: Vec<u64> = Vec::new();
    match lacing {
        1 => {
            for _ in 1..count {
                let mut size = 0u64;
                loop {
                    let byte = *head.get(at)?;
                    at += 1;
                    size += u64::from(byte);
                    if byte != 255 {
                        break;
                    }
                }
                sizes.push(size);
            }
        }
        3 => {
            for i in 1..count {
                let (value, n) = vint(head.get(at..)?, 8, true)?;
                at += n;
                let size = if i == 1 {
                    i64::try_from(value).ok()?
                } else {
                    let bias = (1i64 << (7 * n - 1)) - 1;
                    let step = i64::try_from(value).ok()? - bias;
                    i64::try_from(*sizes.last()?).ok()?.checked_add(step)?
                };
                sizes.push(u64::try_from(size).ok()?);
            }
        }
        _ => {
            let each = len.checked_sub(at as u64)? / count as u64;
            sizes.resize(count - 1, each);
        }
    }
    let mut place = at as u64;
    for size in sizes {
        frames.push((place, u32::try_from(size).ok()?));
        place = place.checked_add(size)?;
    }
    frames.push((place, u32::try_from(len.checked_sub(place)?).ok()?));
    Some(Block { track, time, flags, frames })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_unlaced() {
        let xiph = [0x81, 0, 5, 0x82, 2, 3, 1, 9, 9, 9, 8, 7, 7];
        assert_eq!(parse(&xiph, 13).unwrap().frames, [(7, 3), (10, 1), (11, 2)]);
        let ebml = [0x81, 0, 5, 0x86, 2, 0x83, 0xBE, 9, 9, 9, 8, 8, 7];
        assert_eq!(parse(&ebml, 13).unwrap().frames, [(7, 3), (10, 2), (12, 1)]);
        let fixed = [0x81, 0xFF, 0xFE, 0x84, 1, 9, 9, 8, 8];
        let block = parse(&fixed, 9).unwrap();
        assert_eq!((block.time, block.frames), (-2, vec![(5, 2), (7, 2)]));
        assert!(parse(&xiph, 7).is_none());
    }
}
