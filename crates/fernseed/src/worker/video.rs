//! Videos: frames of a source, cut to the span and numbered.
//!
//! A video is decoded twice rather than spooled, once to look (`scan`) and
//! once to destroy and write (`apply`): nothing unredacted ever leaves this
//! process's memory, and every decision knows the whole clip.

mod apply;
mod keep;
mod original;
mod rehearsal;
mod renew;
mod scan;

pub(super) use apply::{Plans, apply};
pub(super) use keep::keep_untouched;
pub(super) use scan::scan;

use super::cadence::FINDING;
use crate::protocol::{Failure, FailureKind, OutputOptions};
use fernseed_core::Picture;
use fernseed_core::limits::Limits;
use fernseed_core::plan::KeptSpan;
use fernseed_core::sound::SampleBlock;
use fernseed_core::time::TimeBase;
use fernseed_media::video::{
    MediaError, OpenOptions, ReadReport, SkippedFrame, Unit, VideoFrame, VideoInfo, VideoReader,
};
use std::fs::File;
use std::sync::Arc;

/// The time base of spans.
pub(super) const MICROS: TimeBase = TimeBase { num: 1, den: 1_000_000 };

/// Threads of a decoder.
pub(super) fn decoder_threads(output: &OutputOptions) -> usize {
    if output.one_decoder { 1 } else { output.threads.max(1) }
}

/// Refuses what several decoder threads say where one of them complained: see
/// [`OutputOptions::one_decoder`].
fn sure(report: &ReadReport, output: &OutputOptions) -> Result<(), Failure> {
    if report.decoder_messages == 0 || decoder_threads(output) == 1 {
        return Ok(());
    }
    Err(Failure::new(
        FailureKind::StartOver,
        "parts of the video are damaged, and which is not certain with several decoder threads",
    ))
}

/// What the pictures of a pass are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    /// They are looked at only: decoding may be rough, and pictures that no
    /// other depends on are left out where that is safe.
    Glance,
    /// They are looked at only, every one.
    Look,
    /// They are written.
    Write,
}

/// Frames of a source, numbered and cut to the span.
pub(super) struct Shown {
    reader: VideoReader,
    time_base: TimeBase,
    span: KeptSpan,
    first: Option<i64>,
    /// Added to source timestamps for the output.
    pub(super) shift: i64,
    number: u64,
    sound: Option<SoundSink>,
}

/// A frame of the source.
pub(super) struct Shot {
    /// Its timestamp; of [`Shown`] before [`Shown::shift`].
    pub(super) pts: i64,
    /// How long it shows.
    pub(super) duration: i64,
    /// True if the decoder had to guess parts of it.
    pub(super) damaged: bool,
    /// `None` if it was not decoded, in a [`Pass::Glance`].
    pub(super) picture: Option<Picture>,
}

/// Where sound goes.
pub(super) type SoundSink = Box<dyn FnMut(SampleBlock) -> Result<(), Failure>>;

impl Shown {
    pub(super) fn open(
        file: Arc<File>,
        span: KeptSpan,
        threads: usize,
        pass: Pass,
        sound: Option<SoundSink>,
    ) -> Result<Self, Failure> {
        let options = OpenOptions {
            threads,
            analysis: pass != Pass::Write,
            references_only: pass == Pass::Glance,
            and_every: Some(FINDING.whole),
            want_audio: sound.is_some(),
            limits: Limits::default(),
        };
        let reader = VideoReader::open(file, &options).map_err(failure)?;
        let time_base = reader.info().time_base;
        Ok(Self { reader, time_base, span, first: None, shift: 0, number: 0, sound })
    }

    pub(super) fn info(&self) -> &VideoInfo {
        self.reader.info()
    }

    pub(super) fn reader(&self) -> &VideoReader {
        &self.reader
    }

    /// The picture in memory that may be written to.
    fn own(&mut self, picture: Picture) -> Picture {
        self.reader.own(picture)
    }

    /// Takes a picture back, so that its memory is used again.
    pub(super) fn recycle(&mut self, picture: Picture) {
        self.reader.recycle(picture);
    }

    /// The time of a timestamp in seconds.
    pub(super) fn seconds(&self, pts: i64) -> f64 {
        self.time_base.seconds(pts)
    }

    /// The next frame inside the span with its number, or `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Shot)>, Failure> {
        loop {
            let shot = match self.reader.next().map_err(failure)? {
                None => return Ok(None),
                Some(Unit::Sound(block)) => {
                    self.pass_sound(block)?;
                    continue;
                }
                Some(Unit::Skipped(SkippedFrame { pts, duration })) => {
                    Shot { pts, duration, damaged: false, picture: None }
                }
                Some(Unit::Frame(VideoFrame { pts, duration, damaged, picture, .. })) => {
                    Shot { pts, duration, damaged, picture: Some(picture) }
                }
            };
            let first = *self.first.get_or_insert(shot.pts);
            let micros =
                self.time_base.rescale(shot.pts.saturating_sub(first), MICROS).unwrap_or(i64::MAX);
            let ended = self.span.end.is_some_and(|e| micros >= e);
            if ended || self.span.start.is_some_and(|s| micros < s) {
                if let Some(picture) = shot.picture {
                    self.reader.recycle(picture);
                }
                if ended {
                    return Ok(None);
                }
                continue;
            }
            if self.number == 0 && (!self.span.is_all() || shot.pts < 0) {
                self.shift = -shot.pts;
            }
            let number = self.number;
            self.number += 1;
            return Ok(Some((number, shot)));
        }
    }

    /// Sound inside the span, moved like the frames.
    fn pass_sound(&mut self, block: SampleBlock) -> Result<(), Failure> {
        let Some(sink) = &mut self.sound else { return Ok(()) };
        let rate = f64::from(block.rate.max(1));
        let first = self.time_base.seconds(self.first.unwrap_or(0));
        let at = |micros: i64| ((first + MICROS.seconds(micros)) * rate).round() as i64;
        let from = self.span.start.map_or(i64::MIN, at);
        let to = self.span.end.map_or(i64::MAX, at);
        let shift = (self.time_base.seconds(self.shift) * rate).round() as i64;
        if self.number == 0 && !self.span.is_all() {
            // Not at the span yet, so where the frames will be moved to is
            // not known; what comes before the first frame is dropped.
            return Ok(());
        }
        let skip = usize::try_from(from.saturating_sub(block.start).max(0)).unwrap_or(usize::MAX);
        let keep = usize::try_from(to.saturating_sub(block.start).max(0)).unwrap_or(usize::MAX);
        let range = skip.min(block.len())..keep.min(block.len()).max(skip.min(block.len()));
        if range.is_empty() {
            return Ok(());
        }
        let start = block.start + range.start as i64 + shift;
        let channels = block.channels.iter().map(|c| c[range.clone()].to_vec()).collect();
        sink(SampleBlock { rate: block.rate, start, channels })
    }
}

/// The failure that an error of the video reader or writer stands for.
pub(super) fn failure(error: MediaError) -> Failure {
    let kind = match &error {
        MediaError::NotMedia { .. } => FailureKind::NotMedia,
        MediaError::Unsupported { .. } | MediaError::NoVideo => FailureKind::Unsupported,
        MediaError::Encrypted => FailureKind::Encrypted,
        MediaError::Truncated { .. } => FailureKind::Truncated,
        MediaError::TooLarge { .. } | MediaError::Limit { .. } => FailureKind::TooLarge,
        MediaError::Encoder { .. } => FailureKind::Internal,
        MediaError::Io(_) => FailureKind::Io,
        _ => FailureKind::Damaged,
    };
    Failure::new(kind, error.to_string())
}
