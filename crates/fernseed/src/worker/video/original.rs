//! The original's frames for the pass that writes: all of them, or for a
//! repair those that are coded again.

use super::renew::refuse;
use super::{Shot, Shown, SoundSink, decoder_threads};
use crate::protocol::{Failure, OutputOptions};
use fernseed_core::Picture;
use fernseed_core::limits::Limits;
use fernseed_core::plan::{Plan, TimelineDigest};
use fernseed_media::video::splice::{Renewal, SpliceError, SpliceReader, SpliceUnit, Survey};
use fernseed_media::video::{OpenOptions, ReadReport, VideoFrame, VideoInfo};
use std::fs::File;
use std::sync::Arc;

/// Where the frames come from.
pub(super) enum Original {
    /// Every one is decoded.
    All(Box<Shown>),
    /// Groups of pictures without a frame that is coded again are not.
    Needed(Box<Needed>),
}

/// The original of a repair.
pub(super) struct Needed {
    reader: SpliceReader,
    sound: Option<SoundSink>,
    /// Frames that were passed over or delivered.
    met: u64,
}

/// What comes next. Numbers grow from step to step.
pub(super) enum Step {
    /// A decoded frame. Its timestamp is the output's.
    Frame(u64, Shot),
    /// A frame that was left out.
    LeftOut(u64),
}

impl Step {
    /// The frame's number.
    pub(super) const fn number(&self) -> u64 {
        match self {
            Self::Frame(number, _) | Self::LeftOut(number) => *number,
        }
    }
}

impl Original {
    /// The frames of `file` as `shown` would deliver them. Where `renewal`
    /// carries some over from the output before, those are left out, as far
    /// as the original's own groups of pictures allow it.
    ///
    /// What is left out was decoded when that output was made, without a
    /// complaint by the decoder: else it would have been done with one thread.
    pub(super) fn of(
        mut shown: Shown,
        file: Arc<File>,
        plan: &Plan,
        output: &OutputOptions,
        renewal: Option<&Renewal>,
    ) -> Self {
        let plain = plan.source.span.is_all() && plan.blanked.is_empty() && !output.one_decoder;
        let needed = renewal
            .filter(|_| plain)
            .and_then(|renewal| needed(shown.info(), file, plan, output, renewal).ok().flatten());
        match needed {
            None => Self::All(Box::new(shown)),
            Some(reader) => {
                let sound = shown.sound.take();
                Self::Needed(Box::new(Needed { reader, sound, met: 0 }))
            }
        }
    }

    /// The next step; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Step>, Failure> {
        match self {
            Self::All(shown) => Ok(shown.next()?.map(|(number, shot)| {
                Step::Frame(number, Shot { pts: shot.pts + shown.shift, ..shot })
            })),
            Self::Needed(needed) => needed.next(),
        }
    }

    /// The picture in memory that may be written to.
    pub(super) fn own(&mut self, picture: Picture) -> Picture {
        match self {
            Self::All(shown) => shown.own(picture),
            Self::Needed(needed) => needed.reader.own(picture),
        }
    }

    /// Takes a picture back, so that its memory is used again.
    pub(super) fn recycle(&mut self, picture: Picture) {
        match self {
            Self::All(shown) => shown.recycle(picture),
            Self::Needed(needed) => needed.reader.recycle(picture),
        }
    }

    /// What decoding has met, if everything is decoded; else times were
    /// compared with the plan's when the file was opened.
    pub(super) fn report(&self) -> Option<ReadReport> {
        match self {
            Self::All(shown) => Some(shown.reader().report()),
            Self::Needed(_) => None,
        }
    }
}

impl Needed {
    fn next(&mut self) -> Result<Option<Step>, Failure> {
        loop {
            let step = match self.reader.next().map_err(refuse)? {
                None => return Ok(None),
                Some(SpliceUnit::Sound(block)) => {
                    if let Some(sound) = &mut self.sound {
                        sound(block)?;
                    }
                    continue;
                }
                Some(SpliceUnit::Carried(_)) => Step::LeftOut(self.met),
                Some(SpliceUnit::Frame(number, frame)) => {
                    let VideoFrame { pts, duration, damaged, picture } = frame;
                    Step::Frame(number, Shot { pts, duration, damaged, picture: Some(picture) })
                }
            };
            self.met += 1;
            return Ok(Some(step));
        }
    }
}

/// Opens the original so that frames which `renewal` carries over are left
/// out; `None` if its frames are not those of the plan.
fn needed(
    info: &VideoInfo,
    file: Arc<File>,
    plan: &Plan,
    output: &OutputOptions,
    renewal: &Renewal,
) -> Result<Option<SpliceReader>, SpliceError> {
    let options = OpenOptions {
        threads: decoder_threads(output),
        want_audio: info.audio.is_some(),
        limits: Limits::default(),
        ..OpenOptions::default()
    };
    let survey = Survey::take(Arc::clone(&file), &options.limits)?;
    let splice = survey.leave_out(info, &mut |frame| renewal.splice().is_carried(frame))?;
    let mut timeline = TimelineDigest::default();
    splice.times().iter().for_each(|pts| timeline.push(*pts));
    let frames = splice.times().len() as u64;
    if frames != plan.source.frames || timeline.value() != plan.source.timeline {
        return Ok(None);
    }
    let reader = SpliceReader::open(file, splice, &options)?;
    let same_sound = reader.audio() == info.audio.as_ref();
    Ok(same_sound.then_some(reader))
}
