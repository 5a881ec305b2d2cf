//! The frames of a finished video that have to be looked at: all of them, or
//! those that an output which was audited before does not have.

use super::super::earlier::{Earlier, changes};
use super::super::video::{Pass, Shown, failure};
use crate::protocol::{Failure, FailureKind};
use fernseed_core::limits::Limits;
use fernseed_core::plan::KeptSpan;
use fernseed_core::time::TimeBase;
use fernseed_core::{Picture, Size};
use fernseed_media::video::splice::{Sequel, SequelUnit, SpliceError};
use fernseed_media::video::{OpenOptions, VideoFrame};
use std::fs::File;
use std::sync::Arc;

/// Where the frames come from.
pub(super) enum Frames {
    /// Every one is decoded.
    All(Box<Shown>),
    /// What an earlier output has as well is not.
    New(Box<Sequel>),
}

/// A decoded frame.
pub(super) struct Frame {
    pub(super) number: u64,
    pub(super) pts: i64,
    pub(super) damaged: bool,
    pub(super) picture: Option<Picture>,
}

/// What comes next.
pub(super) enum Step {
    /// A frame to look at.
    Frame(Frame),
    /// One that was looked at before, in the earlier output.
    Known,
}

impl Frames {
    /// All frames of a file.
    pub(super) fn all(finished: Arc<File>, threads: usize) -> Result<Self, Failure> {
        let shown = Shown::open(finished, KeptSpan::default(), threads, Pass::Write, None)?;
        Ok(Self::All(Box::new(shown)))
    }

    /// Those that an earlier output does not have; `None` if that is most
    /// likely every one.
    pub(super) fn new(finished: Arc<File>, earlier: Earlier, threads: usize) -> Option<Self> {
        let Earlier { file, changed } = earlier;
        let options = OpenOptions { threads, limits: Limits::default(), ..OpenOptions::default() };
        let sequel = Sequel::open(finished, file, &mut changes(&changed), &options).ok()?;
        Some(Self::New(Box::new(sequel)))
    }

    pub(super) fn time_base(&self) -> TimeBase {
        match self {
            Self::All(shown) => shown.info().time_base,
            Self::New(sequel) => sequel.time_base(),
        }
    }

    pub(super) fn size(&self) -> Size {
        match self {
            Self::All(shown) => shown.info().size,
            Self::New(sequel) => sequel.size(),
        }
    }

    /// The times of all frames, where they are known beforehand.
    pub(super) fn times(&self) -> Option<Vec<i64>> {
        match self {
            Self::All(_) => None,
            Self::New(sequel) => Some(sequel.times().to_vec()),
        }
    }

    /// Takes a picture back, so that its memory is used again.
    pub(super) fn recycle(&mut self, picture: Picture) {
        match self {
            Self::All(shown) => shown.recycle(picture),
            Self::New(sequel) => sequel.recycle(picture),
        }
    }

    /// The next frame; `None` at the end. Of [`Self::New`] a failure may mean
    /// no more than that the earlier output is no help.
    pub(super) fn next(&mut self) -> Result<Option<Step>, Failure> {
        let frame = match self {
            Self::All(shown) => shown.next()?.map(|(number, shot)| Frame {
                number,
                pts: shot.pts,
                damaged: shot.damaged,
                picture: shot.picture,
            }),
            Self::New(sequel) => match sequel.next().map_err(no_help)? {
                None => None,
                Some(SequelUnit::Known) => return Ok(Some(Step::Known)),
                Some(SequelUnit::New(number, frame)) => {
                    let VideoFrame { pts, damaged, picture, .. } = frame;
                    Some(Frame { number, pts, damaged, picture: Some(picture) })
                }
            },
        };
        Ok(frame.map(Step::Frame))
    }
}

fn no_help(error: SpliceError) -> Failure {
    match error {
        SpliceError::Media(error) => failure(error),
        SpliceError::Fallback(why) => Failure::new(FailureKind::StartOver, why.to_string()),
    }
}
