//! Coding picture and sound again with nothing hidden, for what cannot be
//! stripped as it is.

use super::animation::{self, TICKS, delay_millis};
use super::probe::{Origin, Source, Work, announce, changed, decode, open};
use super::still;
use super::video::{self, Pass, Shown, decoder_threads};
use crate::protocol::{Failure, FailureKind, OutputFormat, Phase};
use fernseed_core::Size;
use fernseed_core::plan::{KeptSpan, MediaKind, PLAN_VERSION, Plan, SourceSummary, TimelineDigest};
use fernseed_core::policy::{AudioPolicy, Policy};
use fernseed_core::render::Renderer;
use fernseed_core::time::TimeBase;
use fernseed_media::still::{AnimationReader, StillFrames};
use std::fs::File;
use std::sync::Arc;

/// The policy of somebody who wants the metadata gone and nothing else.
pub(super) fn nothing_hidden() -> Policy {
    Policy { hide: Vec::new(), audio: AudioPolicy::Keep, ..Policy::default() }
}

/// Reads `input` once to learn its times, and again to write it anew.
pub(super) fn run(work: &Work<'_>, input: File, out: File) -> Result<(), Failure> {
    match open(work, input)? {
        Source::Stills(bytes) => match decode(work, &bytes)? {
            (origin, StillFrames::One(picture)) => {
                still::tell(work, &origin, &picture)?;
                tell(work, &plan(work, still::summary(&picture)))?;
                let rendered = Renderer::new(work.policy).render(picture, &[]);
                still::write(work, &origin, &rendered, out)
            }
            (origin, StillFrames::Animation(frames)) => {
                let plan = animation_plan(work, &origin, frames)?;
                match decode(work, &bytes)?.1 {
                    StillFrames::Animation(frames) => animation::apply(work, &plan, frames, out),
                    StillFrames::One(_) => Err(changed()),
                }
            }
        },
        Source::Video(file) => {
            let plan = video_plan(work, Arc::clone(&file))?;
            video::apply(work, (&plan, video::Plans::Given), file, out, None)
        }
    }
}

fn plan(work: &Work<'_>, source: SourceSummary) -> Plan {
    Plan {
        version: PLAN_VERSION,
        source,
        policy: work.policy.clone(),
        reviewed: false,
        redactions: Vec::new(),
        blanked: Vec::new(),
    }
}

fn tell(work: &Work<'_>, plan: &Plan) -> Result<(), Failure> {
    work.outbox.plan(plan)
}

fn animation_plan(
    work: &Work<'_>,
    origin: &Origin,
    mut frames: AnimationReader<'_>,
) -> Result<Plan, Failure> {
    let info = frames.info();
    animation::announce(work, origin, info)?;
    let mut times = Times::default();
    let mut millis = 0;
    while let Some((_, delay)) = frames.next().map_err(still::failure)? {
        times.note(millis);
        millis += delay_millis(delay);
        work.outbox.progress(Phase::Scan, times.count, Some(u64::from(info.frames)))?;
    }
    let plan = plan(work, times.summary(MediaKind::Animation, info.size, TICKS));
    tell(work, &plan)?;
    Ok(plan)
}

fn video_plan(work: &Work<'_>, file: Arc<File>) -> Result<Plan, Failure> {
    let decoders = decoder_threads(work.output);
    let mut shown = Shown::open(file, KeptSpan::default(), decoders, Pass::Look, None)?;
    let info = shown.info().clone();
    let output = work.output.format.unwrap_or(OutputFormat::Mp4);
    let format = format!("{} video ({})", info.container, info.codec);
    announce(work, MediaKind::Video, format, output, info.size)?;
    let mut times = Times::default();
    while let Some((_, frame)) = shown.next()? {
        if frame.damaged {
            return Err(Failure::new(
                FailureKind::Damaged,
                format!("frame {} is damaged", times.count),
            ));
        }
        times.note(frame.pts + shown.shift);
        if let Some(picture) = frame.picture {
            shown.recycle(picture);
        }
        work.outbox.progress(Phase::Scan, times.count, info.frame_count_hint)?;
    }
    let report = shown.reader().report();
    if report.truncated {
        return Err(Failure::new(
            FailureKind::Truncated,
            format!("the file is cut short after {} frames", times.count),
        ));
    }
    if times.count == 0 {
        return Err(Failure::new(FailureKind::Damaged, "it holds no frame that can be decoded"));
    }
    let plan = plan(work, times.summary(MediaKind::Video, info.size, info.time_base));
    tell(work, &plan)?;
    Ok(plan)
}

/// When the frames of a source are shown.
#[derive(Default)]
struct Times {
    digest: TimelineDigest,
    count: u64,
    first: i64,
    last: i64,
}

impl Times {
    fn note(&mut self, pts: i64) {
        if self.count == 0 {
            self.first = pts;
        }
        self.last = pts;
        self.count += 1;
        self.digest.push(pts);
    }

    fn summary(&self, kind: MediaKind, size: Size, time_base: TimeBase) -> SourceSummary {
        SourceSummary {
            kind,
            size,
            frames: self.count,
            time_base,
            first_pts: self.first,
            last_pts: self.last,
            timeline: self.digest.value(),
            span: KeptSpan::default(),
        }
    }
}
