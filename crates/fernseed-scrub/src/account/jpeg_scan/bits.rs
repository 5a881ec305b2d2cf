//! Bits of entropy-coded data, read from a file piece by piece.

use super::huffman::{Huffman, Steps};
use crate::source::Source;

pub(super) type Broken = (u64, &'static str);

/// Bytes read from the file at a time.
const PIECE: u64 = 64 * 1024;

/// Bits of entropy-coded data, refilled from the file.
pub(super) struct Bits<'s, 'f> {
    source: &'s mut Source<'f>,
    buffer: Vec<u8>,
    next: usize,
    /// File offset of `buffer[0]`.
    base: u64,
    /// The next bits, from the top; those below `count` are zero or the
    /// beginning of what comes next.
    word: u64,
    count: u32,
    /// True once a marker stands at the reading position.
    stopped: bool,
}

impl<'s, 'f> Bits<'s, 'f> {
    pub(super) fn new(source: &'s mut Source<'f>, at: u64) -> Self {
        Self { source, buffer: Vec::new(), next: 0, base: at, word: 0, count: 0, stopped: false }
    }

    /// Offset of the next byte to be taken from the file.
    pub(super) fn at(&self) -> u64 {
        self.base + self.next as u64
    }

    /// The byte `ahead` bytes behind the reading position.
    pub(super) fn look(&mut self, ahead: usize) -> Option<u8> {
        if self.next + ahead >= self.buffer.len() {
            self.base = self.at();
            self.next = 0;
            let end = self.source.len();
            self.buffer = self.source.upto(self.base, end, PIECE).unwrap_or_default();
        }
        self.buffer.get(self.next + ahead).copied()
    }

    /// Goes on to the next byte.
    pub(super) fn skip(&mut self) {
        self.next += 1;
    }

    /// Fills up to at least 56 bits, or as far as the data goes.
    fn refill(&mut self) {
        if self.stopped || self.count >= 56 {
            return;
        }
        if let Some(eight) = plain(&self.buffer, self.next) {
            self.word |= eight >> self.count;
            self.next += (63 - self.count as usize) / 8;
            self.count |= 56;
            return;
        }
        while self.count < 56 {
            let taken = match self.look(0) {
                Some(0xFF) if self.look(1) == Some(0) => {
                    self.next += 1;
                    0xFF
                }
                Some(0xFF) | None => {
                    self.stopped = true;
                    return;
                }
                Some(byte) => byte,
            };
            self.next += 1;
            self.word |= u64::from(taken) << (56 - self.count);
            self.count += 8;
        }
    }

    /// `n` bits, at most 16.
    #[inline]
    pub(super) fn take(&mut self, n: u32) -> Option<u32> {
        if self.count < n {
            self.refill();
        }
        self.count = self.count.checked_sub(n)?;
        let value = self.word >> 1 >> (63 - n);
        self.word <<= n;
        Some(value as u32)
    }

    #[inline]
    pub(super) fn symbol(&mut self, table: &Huffman) -> Option<u8> {
        if self.count < 16 {
            self.refill();
        }
        let entry = table.entry((self.word >> 48) as usize)?;
        let length = u32::from(entry >> 8);
        self.count = self.count.checked_sub(length)?;
        self.word <<= length;
        Some(entry as u8)
    }

    /// Goes on from the coefficient `k` of a sequential block as far as plain
    /// bytes and plain symbols reach. Returns the next coefficient, 64 where
    /// the block has ended.
    #[inline]
    pub(super) fn steps(&mut self, steps: &Steps, mut k: u32) -> u32 {
        let buffer = self.buffer.as_slice();
        let (mut word, mut count, mut next) = (self.word, self.count, self.next);
        while k < 64 {
            if count < 32 {
                let Some(eight) = plain(buffer, next) else { break };
                word |= eight >> count;
                next += (63 - count as usize) / 8;
                count |= 56;
            }
            let (bits, advance) = steps.of(word);
            let then = k + advance;
            // Symbols that stand behind the end of the block are none of its.
            let ends = (Steps::END..Steps::END + 64).contains(&then);
            if bits == 0 || then > 64 && !ends {
                break;
            }
            word <<= bits;
            count -= bits;
            k = then.min(64);
        }
        (self.word, self.count, self.next) = (word, count, next);
        k
    }

    /// Ends an interval: less than a byte of ones may be left, and a marker
    /// must follow.
    pub(super) fn align(&mut self) -> Result<(), Broken> {
        self.refill();
        let padding = self.count;
        if !self.stopped || padding >= 8 {
            let here = self.at() - u64::from(padding / 8).min(self.next as u64);
            return Err((here, "Bytes are hidden after the last block of the picture."));
        }
        let ones = (1u64 << padding) - 1;
        if self.word >> 1 >> (63 - padding) != ones {
            return Err((self.at(), "The bits that fill up the last byte are not all ones."));
        }
        self.count = 0;
        self.word = 0;
        Ok(())
    }

    pub(super) fn restart(&mut self, number: u32) -> Result<(), Broken> {
        let expected = 0xD0 + (number & 7) as u8;
        if self.look(0) != Some(0xFF) || self.look(1) != Some(expected) {
            return Err((self.at(), "A restart marker is missing or out of order."));
        }
        self.next += 2;
        self.stopped = false;
        Ok(())
    }
}

/// The eight bytes at `at`, if they are there and none of them is special.
#[inline]
fn plain(b: &[u8], at: usize) -> Option<u64> {
    let eight = u64::from_be_bytes(*b.get(at..)?.first_chunk::<8>()?);
    // Some byte of `!eight` is zero (Anderson, Bit Twiddling Hacks).
    let special = (!eight).wrapping_sub(0x0101_0101_0101_0101) & eight & 0x8080_8080_8080_8080;
    (special == 0).then_some(eight)
}
