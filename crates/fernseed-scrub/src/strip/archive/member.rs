//! One member: stripped like a file of its own, in memory.

use super::{Job, MAX_MEMBER, nested};
use crate::source::Source;
use crate::strip::{StripError, UnknownMember, sound, still, video};
use std::io::{Cursor, Error, Read, Result, Seek, SeekFrom, Write};

/// Part of an archive as a file.
pub(super) struct Inside<'s, 'f> {
    source: &'s mut Source<'f>,
    start: u64,
    len: u64,
    at: u64,
}

impl<'s, 'f> Inside<'s, 'f> {
    pub(super) const fn new(source: &'s mut Source<'f>, start: u64, len: u64) -> Self {
        Self { source, start, len, at: 0 }
    }
}

impl Read for Inside<'_, '_> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        let left = self.len.saturating_sub(self.at);
        let n = usize::try_from(left).unwrap_or(usize::MAX).min(out.len());
        if let Some(out) = out.get_mut(..n) {
            let place = self.start.saturating_add(self.at);
            self.source.fill(place, out).map_err(|_e| Error::other("cut short"))?;
        }
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for Inside<'_, '_> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let at = match to {
            SeekFrom::Start(n) => Some(n),
            SeekFrom::End(n) => self.len.checked_add_signed(n),
            SeekFrom::Current(n) => self.at.checked_add_signed(n),
        };
        self.at = at.ok_or_else(|| Error::other("before the beginning"))?;
        Ok(self.at)
    }
}

/// Memory that does not grow past [`MAX_MEMBER`].
#[derive(Default)]
struct Bounded(Cursor<Vec<u8>>);

impl Write for Bounded {
    fn write(&mut self, b: &[u8]) -> Result<usize> {
        if self.0.position().saturating_add(b.len() as u64) > MAX_MEMBER {
            return Err(Error::other("a member is too large"));
        }
        self.0.write(b)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Seek for Bounded {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.0.seek(to)
    }
}

/// Strips member number `index` (from 1). `None` if it is left out.
pub(super) fn strip(
    job: &mut Job<'_>,
    index: usize,
    input: &mut (impl Read + Seek),
    len: u64,
) -> std::result::Result<Option<Vec<u8>>, StripError> {
    let mut output = Bounded::default();
    // Spelled out for the compiler: an archive inside an archive must not
    // make a new type of reader for every depth.
    let input: &mut dyn ReadSeek = input;
    let mut input = Dyn(input);
    let outcome = still::rebuild(&mut input, len, &mut output)
        .or_else(|| video::rebuild(&mut input, len, &mut output))
        .or_else(|| sound::rebuild(&mut input, len, &mut output))
        .or_else(|| nested(&mut input, len, &mut output, job.options, job.depth + 1))
        .unwrap_or(Err(StripError::UnknownFormat));
    match outcome {
        Ok(stripped) => {
            for note in stripped.notes {
                let note = format!("Member {index}: {note}");
                if job.notes.len() < 200 {
                    job.notes.push(note);
                }
            }
            job.kept += 1;
            Ok(Some(output.0.into_inner()))
        }
        Err(e) => refuse(job, index, e),
    }
}

/// A member that cannot be cleaned: left out or the end, as the user said.
pub(super) fn refuse(
    job: &mut Job<'_>,
    index: usize,
    error: StripError,
) -> std::result::Result<Option<Vec<u8>>, StripError> {
    if job.options.unknown == UnknownMember::Omit {
        job.omitted += 1;
        if job.notes.len() < 200 {
            job.notes.push(format!("Member {index} is left out: {error}."));
        }
        return Ok(None);
    }
    Err(StripError::Member { index, reason: error.to_string() })
}

/// What members are read from.
trait ReadSeek: Read + Seek {}
impl<T: Read + Seek> ReadSeek for T {}

struct Dyn<'a>(&'a mut dyn ReadSeek);

impl Read for Dyn<'_> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        self.0.read(out)
    }
}

impl Seek for Dyn<'_> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.0.seek(to)
    }
}
