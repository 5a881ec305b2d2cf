//! Several pictures in a still-picture container: GIF, APNG, animated WebP.
//!
//! Treated like a short video: every frame is looked at, tracks close the
//! gaps between frames, and the output is an APNG with the source's delays.

use super::cadence::FINDING;
use super::lookout::{Eyes, Held, watch};
use super::probe::{Origin, Work};
use super::still::{failure, masks};
use crate::protocol::{Failure, FailureKind, OutputFormat, Phase};
use fernseed_core::detect::{Detector, Effort};
use fernseed_core::plan::{
    KeptSpan, MediaKind, PLAN_VERSION, Plan, Playhead, SourceSummary, TimelineDigest,
};
use fernseed_core::render::Renderer;
use fernseed_core::time::TimeBase;
use fernseed_core::track::plan::Planner;
use fernseed_core::track::scene::SceneDetector;
use fernseed_core::track::{Track, TrackSettings};
use fernseed_detect::VideoLook;
use fernseed_media::still::{AnimationInfo, AnimationReader, AnimationWriter, Delay};
use std::fs::File;
use std::io::BufWriter;

/// The time base of animations' timestamps in plans.
pub(super) const TICKS: TimeBase = TimeBase::MILLIS;

/// Tells the host what the source is.
pub(super) fn announce(
    work: &Work<'_>,
    origin: &Origin,
    info: AnimationInfo,
) -> Result<(), Failure> {
    let output = work.output.format.unwrap_or(OutputFormat::Png);
    if output != OutputFormat::Png {
        return Err(Failure::new(
            FailureKind::Unsupported,
            format!(
                "it is an animation and is written as .png (APNG), not .{}",
                output.extension()
            ),
        ));
    }
    let format = format!("animated {}", origin.format.name());
    super::probe::announce(work, MediaKind::Animation, format, output, info.size)
}

/// Looks at every frame and makes the plan.
pub(super) fn scan(
    work: &Work<'_>,
    origin: &Origin,
    mut frames: AnimationReader<'_>,
) -> Result<Plan, Failure> {
    let AnimationInfo { size, frames: total, .. } = frames.info();
    announce(work, origin, frames.info())?;
    let settings = TrackSettings::for_threshold(work.policy.threshold);
    let mut scenes = SceneDetector::default();
    let mut timeline = TimelineDigest::default();
    let (mut count, mut millis, mut last) = (0u64, 0i64, 0i64);
    // Animations are short: every frame is looked at like a photo.
    let eyes = Eyes {
        whole: &|_, picture, whole| {
            let finder = work.finder.with_threads(whole.threads);
            finder.detect(picture, Effort::Still, settings.floor)
        },
        near: &|_, picture, places| work.finder.look_near(picture, places, settings.floor),
        recycle: &drop,
        last: FINDING.last,
    };
    let mut planner = Planner::new(work.policy, size);
    let mut ended = |track: Track| planner.add(&track);
    let threads = work.output.threads;
    let unseen = watch(settings, threads, &eyes, &mut ended, |lookout| -> Result<(), Failure> {
        while let Some((picture, delay)) = frames.next().map_err(failure)? {
            timeline.push(millis);
            last = millis;
            let cut = scenes.is_cut(&picture);
            let seconds = TICKS.seconds(millis);
            let frame = Held { number: count, seconds, picture: Some(picture) };
            if !lookout.push(frame, cut, Some(VideoLook::Thorough)) {
                return Err(Failure::new(FailureKind::Internal, "the detectors stopped"));
            }
            millis += delay_millis(delay);
            count += 1;
            work.outbox.progress(Phase::Scan, count, Some(u64::from(total)))?;
        }
        Ok(())
    })?;
    if let Some(frame) = unseen.first() {
        return Err(Failure::new(
            FailureKind::Internal,
            format!("the detectors could not look at frame {frame}"),
        ));
    }
    let plan = Plan {
        version: PLAN_VERSION,
        source: SourceSummary {
            kind: MediaKind::Animation,
            size,
            frames: count,
            time_base: TICKS,
            first_pts: 0,
            last_pts: last,
            timeline: timeline.value(),
            span: KeptSpan::default(),
        },
        policy: work.policy.clone(),
        reviewed: false,
        redactions: planner.finish().redactions,
        blanked: Vec::new(),
    };
    work.outbox.plan(&plan)?;
    Ok(plan)
}

/// Destroys what the plan names and writes the output.
pub(super) fn apply(
    work: &Work<'_>,
    plan: &Plan,
    mut frames: AnimationReader<'_>,
    out: File,
) -> Result<(), Failure> {
    let info = frames.info();
    if info.size != plan.source.size || u64::from(info.frames) != plan.source.frames {
        return Err(Failure::new(
            FailureKind::Plan,
            "the plan was made for another file: its size or number of frames differs",
        ));
    }
    let mut writer = AnimationWriter::new(BufWriter::new(out), info.size, info.frames, info.loops)
        .map_err(failure)?;
    let mut renderer = Renderer::new(&plan.policy);
    let mut hidden = Playhead::new(plan);
    let mut number = 0;
    while let Some((picture, delay)) = frames.next().map_err(failure)? {
        let redacted = renderer.render(picture, &masks(hidden.hidden_at(number)));
        writer.write_frame(&redacted, delay).map_err(failure)?;
        number += 1;
        work.outbox.progress(Phase::Write, number, Some(plan.source.frames))?;
    }
    writer.finish().map_err(failure)
}

pub(super) fn delay_millis(delay: Delay) -> i64 {
    i64::from(delay.num) * 1000 / i64::from(delay.den.max(1))
}
