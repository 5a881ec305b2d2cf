//! The one way this crate reads a file: by offset, inside the file's
//! length, and never more than a budget allows.

use std::io::{Read, Seek, SeekFrom};

/// What can be read from.
pub(crate) trait ReadSeek: Read + Seek {}
impl<T: Read + Seek> ReadSeek for T {}

/// Why bytes could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Short {
    /// The file ends before them.
    End,
    /// The budget for reading is used up.
    Budget,
    /// The operating system would not give them.
    Io,
}

/// Bytes kept from the last small read.
const BLOCK: usize = 16 * 1024;

/// A file with a budget. All offsets are absolute.
pub(crate) struct Source<'a> {
    inner: &'a mut dyn ReadSeek,
    len: u64,
    budget: u64,
    block: Vec<u8>,
    block_at: u64,
    position: Option<u64>,
}

impl<'a> Source<'a> {
    /// A source over the first `len` bytes of `inner`, of which at most
    /// `budget` are read, counting repetitions.
    pub(crate) fn new(inner: &'a mut dyn ReadSeek, len: u64, budget: u64) -> Self {
        Self { inner, len, budget, block: Vec::new(), block_at: 0, position: None }
    }

    /// Length of the file in bytes.
    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    /// Gives more to read, for data that is streamed rather than kept.
    pub(crate) const fn grant(&mut self, more: u64) {
        self.budget = self.budget.saturating_add(more);
    }

    /// What may still be read.
    pub(crate) const fn left(&self) -> u64 {
        self.budget
    }

    /// Fills `out` from offset `at`.
    pub(crate) fn fill(&mut self, at: u64, out: &mut [u8]) -> Result<(), Short> {
        let want = out.len() as u64;
        if at.checked_add(want).is_none_or(|end| end > self.len) {
            return Err(Short::End);
        }
        if out.len() >= BLOCK {
            return self.raw(at, out);
        }
        let mut done = 0usize;
        while done < out.len() {
            let here = at + done as u64;
            if !self.in_block(here) {
                self.load(here)?;
            }
            let skip = usize::try_from(here - self.block_at).ok().ok_or(Short::End)?;
            let Some(have) = self.block.get(skip..).filter(|h| !h.is_empty()) else {
                return Err(Short::End);
            };
            let n = have.len().min(out.len() - done);
            if let (Some(to), Some(from)) = (out.get_mut(done..done + n), have.get(..n)) {
                to.copy_from_slice(from);
            }
            done += n;
        }
        Ok(())
    }

    fn in_block(&self, at: u64) -> bool {
        at >= self.block_at && at - self.block_at < self.block.len() as u64
    }

    fn load(&mut self, at: u64) -> Result<(), Short> {
        let size = (self.len - at).min(BLOCK as u64) as usize;
        let mut block = std::mem::take(&mut self.block);
        block.resize(size, 0);
        let outcome = self.raw(at, &mut block);
        if outcome.is_err() {
            block.clear();
        }
        self.block = block;
        self.block_at = at;
        outcome
    }

    fn raw(&mut self, at: u64, out: &mut [u8]) -> Result<(), Short> {
        let want = out.len() as u64;
        self.budget = self.budget.checked_sub(want).ok_or(Short::Budget)?;
        if self.position != Some(at) {
            self.inner.seek(SeekFrom::Start(at)).ok().ok_or(Short::Io)?;
        }
        self.position = None;
        self.inner.read_exact(out).map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => Short::End,
            _ => Short::Io,
        })?;
        self.position = Some(at + want);
        Ok(())
    }

    /// `len` bytes at `at`. Nothing is allocated before the file's length
    /// and the budget have agreed.
    pub(crate) fn bytes(&mut self, at: u64, len: u64) -> Result<Vec<u8>, Short> {
        if at.checked_add(len).is_none_or(|end| end > self.len) {
            return Err(Short::End);
        }
        if len > self.budget.saturating_add(BLOCK as u64) {
            return Err(Short::Budget);
        }
        let mut out = vec![0; usize::try_from(len).ok().ok_or(Short::Budget)?];
        self.fill(at, &mut out)?;
        Ok(out)
    }

    /// At most `most` bytes at `at`, fewer where the file or `end` is nearer.
    pub(crate) fn upto(&mut self, at: u64, end: u64, most: u64) -> Result<Vec<u8>, Short> {
        let end = end.min(self.len);
        self.bytes(at, end.saturating_sub(at).min(most))
    }

    /// One fixed-size piece.
    pub(crate) fn array<const N: usize>(&mut self, at: u64) -> Result<[u8; N], Short> {
        let mut out = [0; N];
        self.fill(at, &mut out)?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn reads_stay_inside_file_and_budget() {
        let data: Vec<u8> = (0..100_000u32).map(|n| n as u8).collect();
        let mut cursor = Cursor::new(&data);
        let mut source = Source::new(&mut cursor, data.len() as u64, 150_000);
        assert_eq!(source.bytes(99_990, 10).unwrap(), &data[99_990..]);
        assert_eq!(source.bytes(99_990, 11), Err(Short::End));
        assert_eq!(source.bytes(u64::MAX, 2), Err(Short::End));
        assert_eq!(source.array::<4>(16_382).unwrap(), data[16_382..16_386]);
        assert_eq!(source.bytes(0, 90_000).unwrap(), &data[..90_000]);
        assert_eq!(source.bytes(0, 90_000), Err(Short::Budget));
    }

    #[test]
    fn a_length_that_lies_is_noticed() {
        let mut cursor = Cursor::new(vec![1, 2, 3]);
        let mut source = Source::new(&mut cursor, 10, 1 << 20);
        assert_eq!(source.bytes(0, 5), Err(Short::End));
    }
}
