//! Reading a finished file of our own beside the one it was renewed from.

use super::reader::{SpliceReader, SpliceUnit};
use super::renewal::Renewal;
use super::survey::Survey;
use super::{Carried, Fallback, SpliceError};
use crate::video::{OpenOptions, VideoFrame};
use fernseed_core::time::TimeBase;
use fernseed_core::{Picture, Size};
use std::fs::File;
use std::sync::Arc;

/// What [`Sequel::next`] delivers.
#[derive(Clone, Debug, PartialEq)]
pub enum SequelUnit {
    /// A decoded picture that the file before need not have, with its number
    /// (from 0, in order of presentation).
    New(u64, VideoFrame),
    /// One more coded picture that both files have, bit for bit.
    Known,
}

/// A finished file of ours beside an earlier one, of which a
/// [`Renewal`] has carried over some groups of pictures.
///
/// Groups whose coded pictures are the same in both, in the same places and
/// at the same times, are not decoded: with the same parameter sets they show
/// the same. Nothing is believed of whoever carried them over; every byte of
/// these pictures is read in both files and compared.
#[derive(Debug)]
pub struct Sequel {
    reader: SpliceReader,
    before: Renewal,
    time_base: TimeBase,
    /// First frame of the known group that is being read.
    group: usize,
}

impl Sequel {
    /// Opens `finished` beside the file `before`; both are MP4 files that
    /// [`super::super::VideoWriter`] has made. Frames for which `changed` is
    /// true (from 0, in order of presentation) are decoded in any case. Of the
    /// options, threads and limits count.
    ///
    /// # Errors
    /// [`SpliceError::Fallback`] if there is no group in both that could be
    /// the same; [`SpliceError::Media`] if a file cannot be read.
    pub fn open(
        finished: impl Into<Arc<File>>,
        before: impl Into<Arc<File>>,
        changed: &mut dyn FnMut(usize) -> bool,
        options: &OpenOptions,
    ) -> Result<Self, SpliceError> {
        let finished = finished.into();
        let survey = Survey::take(Arc::clone(&finished), &options.limits)?;
        let time_base = survey.time_base;
        let mut splice = survey.renew(changed)?;
        let before = Renewal::open(before, time_base, changed)?;
        if splice.sets != before.splice().sets || splice.times.len() != before.splice().frames() {
            return Err(Fallback::HeaderChange.into());
        }
        for group in &mut splice.groups {
            group.carried &= before.splice().group_of(group.first) == Some(*group);
        }
        if splice.carried_frames() == 0 {
            return Err(Fallback::NothingToCarry.into());
        }
        let options = OpenOptions { want_audio: false, ..*options };
        let reader = SpliceReader::open(finished, splice, &options)?;
        Ok(Self { reader, before, time_base, group: 0 })
    }

    /// Length of a tick.
    #[must_use]
    pub const fn time_base(&self) -> TimeBase {
        self.time_base
    }

    /// Size of the pictures.
    #[must_use]
    pub fn size(&self) -> Size {
        let (width, height) = self.reader.splice().sps.size;
        Size::new(width, height)
    }

    /// Presentation times of all frames, known ones too, in ticks.
    #[must_use]
    pub fn times(&self) -> &[i64] {
        self.reader.splice().times()
    }

    /// `(known frames, frames)`.
    #[must_use]
    pub fn known(&self) -> (usize, usize) {
        (self.reader.splice().carried_frames(), self.reader.splice().frames())
    }

    /// Takes a picture's memory back for reuse.
    pub fn recycle(&mut self, picture: Picture) {
        self.reader.recycle(picture);
    }

    /// The next unit; `None` at the end. New frames come in order.
    ///
    /// # Errors
    /// [`SpliceError::Fallback`] if a picture that should be the same is
    /// another one, or a file is not as it was surveyed: then nothing that was
    /// delivered says anything of the whole file.
    #[expect(
        clippy::should_implement_trait,
        reason = "fallible; an Iterator of Result invites `?`-less loops"
    )]
    pub fn next(&mut self) -> Result<Option<SequelUnit>, SpliceError> {
        loop {
            match self.reader.next()? {
                None => return Ok(None),
                Some(SpliceUnit::Frame(number, frame)) => {
                    return Ok(Some(SequelUnit::New(number, frame)));
                }
                Some(SpliceUnit::Carried(picture)) => {
                    self.compare(&picture)?;
                    return Ok(Some(SequelUnit::Known));
                }
                Some(SpliceUnit::Sound(_)) => {}
            }
        }
    }

    fn compare(&mut self, picture: &Carried) -> Result<(), SpliceError> {
        if picture.is_key() {
            let place = self.times().binary_search(&picture.pts());
            self.group = place.map_err(|_not_there| Fallback::Damaged)?;
        }
        let before = self.before.next_carried(self.group)?;
        if before.as_ref() == Some(picture) { Ok(()) } else { Err(Fallback::Damaged.into()) }
    }
}
