//! Buffered output that knows how much has been written.

use crate::strip::StripError;
use std::io::Write;

const BUFFER: usize = 256 << 10;

/// Where the rebuilt file goes.
pub(super) struct Out<'a> {
    inner: &'a mut dyn Write,
    buffer: Vec<u8>,
    at: u64,
}

impl<'a> Out<'a> {
    pub(super) fn new(inner: &'a mut dyn Write) -> Self {
        Self { inner, buffer: Vec::with_capacity(BUFFER), at: 0 }
    }

    /// Bytes written so far.
    pub(super) const fn at(&self) -> u64 {
        self.at
    }

    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<(), StripError> {
        self.at += bytes.len() as u64;
        if self.buffer.len() + bytes.len() > BUFFER {
            self.flush()?;
        }
        if bytes.len() > BUFFER {
            self.inner.write_all(bytes)?;
        } else {
            self.buffer.extend_from_slice(bytes);
        }
        Ok(())
    }

    pub(super) fn flush(&mut self) -> Result<(), StripError> {
        self.inner.write_all(&self.buffer)?;
        self.buffer.clear();
        self.inner.flush()?;
        Ok(())
    }
}
