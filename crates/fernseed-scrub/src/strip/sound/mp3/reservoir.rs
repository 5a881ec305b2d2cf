//! The bit reservoir: where the sound of each frame lies, and zeros for
//! what lies between.
//!
//! The main data of all frames make one long stream. A frame's sound begins
//! up to 511 bytes before its own main data and is as long as its side
//! information says; whatever follows until the sound of the next frame is
//! ancillary data, which no decoder plays.

use super::frame::Header;
use crate::strip::StripError;
use crate::strip::sound::flow::{Output, damaged};
use std::collections::VecDeque;

/// A frame that may still be changed.
#[derive(Debug)]
struct Waiting {
    bytes: Vec<u8>,
    /// Where its main data begins, in `bytes` and in the stream.
    at: usize,
    stream: u64,
}

/// Frames whose end is not settled yet.
#[derive(Debug, Default)]
pub(super) struct Reservoir {
    waiting: VecDeque<Waiting>,
    /// Length of the stream so far, in bytes.
    stream: u64,
    /// End of the last frame's sound, in bits of the stream.
    end: u64,
    emptied: u64,
}

impl Reservoir {
    /// Adds a frame and writes out those that are settled.
    pub(super) fn push(
        &mut self,
        header: Header,
        mut bytes: Vec<u8>,
        output: &mut impl Output,
    ) -> Result<(), StripError> {
        let broken = || damaged("a frame");
        header.clean(&mut bytes).ok_or_else(broken)?;
        let (begin, bits) = header.sound(&bytes).ok_or_else(broken)?;
        let at = header.main_data();
        // A stream cut out of a longer one refers to sound that is gone.
        let from = self.stream.saturating_sub(begin.into());
        self.empty(self.end, from.saturating_mul(8));
        // Where the file's own frame says less than it uses, nothing that
        // was sound becomes free.
        self.end = self.end.max(from * 8 + u64::from(bits));
        let stream = self.stream;
        self.stream += bytes.len().saturating_sub(at) as u64;
        self.waiting.push_back(Waiting { bytes, at, stream });
        // No later frame begins further back than 511 bytes.
        let settled = self.stream.saturating_sub(512);
        self.empty(self.end, settled.saturating_mul(8));
        while let Some(first) = self.waiting.front() {
            if first.stream + (first.bytes.len() - first.at) as u64 > settled {
                break;
            }
            output.write_all(&first.bytes)?;
            self.waiting.pop_front();
        }
        Ok(())
    }

    /// Writes out the rest; how many bytes that were not zero are now.
    pub(super) fn finish(mut self, output: &mut impl Output) -> Result<u64, StripError> {
        self.empty(self.end, self.stream * 8);
        for frame in &self.waiting {
            output.write_all(&frame.bytes)?;
        }
        Ok(self.emptied)
    }

    /// Sets the bits `from..to` of the stream to zero.
    fn empty(&mut self, from: u64, to: u64) {
        if from >= to {
            return;
        }
        for frame in &mut self.waiting {
            let content = frame.bytes.get_mut(frame.at..).unwrap_or_default();
            let start = frame.stream * 8;
            let end = start + content.len() as u64 * 8;
            let (low, high) = (from.clamp(start, end) - start, to.clamp(start, end) - start);
            if low >= high {
                continue;
            }
            let first = (low / 8) as usize;
            let last = high.div_ceil(8) as usize;
            for (n, byte) in content.iter_mut().enumerate().take(last).skip(first) {
                let n = n as u64 * 8;
                let mut keep = 0u8;
                if low > n {
                    keep |= 0xFFu8.checked_shl(8 - (low - n) as u32).unwrap_or(0);
                }
                if high < n + 8 {
                    keep |= 0xFFu8.checked_shr((high - n) as u32).unwrap_or(0);
                }
                if *byte & !keep != 0 {
                    self.emptied += 1;
                    *byte &= keep;
                }
            }
        }
    }
}
