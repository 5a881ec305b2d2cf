//! Decoding a finished video and looking at it.

use super::super::cadence::{AUDITING, Cadence};
use super::super::earlier::Earlier;
use super::super::lookout::{Eyes, Held, watch};
use super::super::residual::{is_cover, visible};
use super::super::still::masks;
use super::frames::{Frame, Frames, Step};
use super::{Audit, bounded, check_picture, no_plan_policy, still_visible, times, undecodable};
use crate::protocol::{Failure, FailureKind, Phase};
use fernseed_core::Rect;
use fernseed_core::finding::{Finding, Place};
use fernseed_core::plan::{Playhead, Redaction};
use fernseed_core::track::plan::Planner;
use fernseed_core::track::{Track, TrackSettings};
use fernseed_media::video::{Container, coded_size};
use fernseed_scrub::{Accounting, OutputKind};
use std::fs::File;
use std::sync::Arc;

/// Audits a video.
pub(super) fn audit(
    job: &Audit<'_>,
    account: &Accounting,
    finished: File,
    original: Option<File>,
    earlier: Option<Earlier>,
) -> Result<(), Failure> {
    // What the original's container says is read while the output is decoded.
    std::thread::scope(|scope| {
        let listed = job
            .plan
            .zip(original)
            .map(|(plan, file)| scope.spawn(move || times::compare_with_original(plan, file)));
        let watched = watch_new(job, account, finished, earlier)?;
        job.outbox.findings(bounded(watched.findings))?;
        job.outbox.missed(&watched.missed)?;
        let Some(listed) = listed else { return Ok(()) };
        let finding = listed.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        job.outbox.findings(finding.into_iter().collect())
    })
}

/// What was seen in a video.
#[derive(Default)]
struct Watched {
    findings: Vec<Finding>,
    /// Whom a repair would hide.
    missed: Vec<Redaction>,
}

/// Looks at what an earlier output does not have; at everything if there is
/// none, or it turns out to be no help. A video that cannot be decoded is told
/// as a finding, if there is a plan.
fn watch_new(
    job: &Audit<'_>,
    account: &Accounting,
    finished: File,
    earlier: Option<Earlier>,
) -> Result<Watched, Failure> {
    let finished = Arc::new(finished);
    let new = earlier.and_then(|e| Frames::new(Arc::clone(&finished), e, job.threads));
    if let Some(Ok(watched)) = new.map(|frames| watch_frames(job, account, frames)) {
        return Ok(watched);
    }
    let all = Frames::all(finished, job.threads);
    match all.and_then(|frames| watch_frames(job, account, frames)) {
        Err(failure) if job.plan.is_some() => {
            Ok(Watched { findings: vec![undecodable(&failure.message)], ..Watched::default() })
        }
        watched => watched,
    }
}

/// Decodes frames and looks at them.
fn watch_frames(
    job: &Audit<'_>,
    account: &Accounting,
    mut frames: Frames,
) -> Result<Watched, Failure> {
    let time_base = frames.time_base();
    let policy = job.plan.map_or_else(|| no_plan_policy(job.threshold), |p| p.policy.clone());
    let settings =
        TrackSettings { threshold: job.threshold, ..TrackSettings::for_threshold(job.threshold) };
    // H.264 in 4:2:0 has even sides only.
    let container =
        if account.container == OutputKind::WebM { Container::WebM } else { Container::Mp4 };
    let expected = job.plan.map_or(frames.size(), |p| coded_size(container, p.source.size));
    let mut findings = Vec::new();
    let all_times = frames.times();
    let mut times = Vec::new();
    let total = job.plan.map(|p| p.source.frames);
    // Every frame is decoded and its masks checked; somebody looks a few
    // times a second. What lies under masks must not count.
    let eyes = Eyes {
        whole: &|number, picture, whole| {
            let finder = job.finder.with_threads(whole.threads);
            let found = finder.look_at_frame(picture, whole.look, settings.floor)?;
            let (hidden, kept) = job
                .plan
                .map_or_else(Default::default, |p| (masks(p.hidden_at(number)), p.kept_at(number)));
            let mut left = visible(found, &hidden, &kept);
            if job.plan.is_none() {
                left.retain(|d| !is_cover(picture, d));
            }
            Ok(left)
        },
        near: &|_, _, _| Ok(Vec::new()),
        recycle: &drop,
        last: AUDITING.last,
    };
    let mut cadence = Cadence::new(AUDITING, None);
    let mut planned = job.plan.map(|plan| (plan, Playhead::new(plan)));
    let mut planner = Planner::new(&policy, frames.size());
    let mut left = Vec::new();
    let mut ended = |track: Track| {
        planner.add(&track);
        left.extend(Left::of(&track));
    };
    watch(settings, job.threads, &eyes, &mut ended, |lookout| -> Result<(), Failure> {
        let (mut met, mut after_known) = (0, false);
        while let Some(step) = frames.next()? {
            met += 1;
            let Step::Frame(frame) = step else {
                after_known = true;
                job.outbox.progress(Phase::Audit, met, total)?;
                continue;
            };
            let Frame { number, pts, damaged, picture } = frame;
            times.push(pts);
            if damaged {
                findings.push(undecodable(&format!("frame {number} is damaged")));
            }
            let seconds = time_base.seconds(pts);
            // Whoever is seen on both sides of frames that nobody looks at
            // again is not followed through them.
            let cut = std::mem::take(&mut after_known) && !policy.hide.is_empty();
            let look = cadence
                .next(number, seconds, cut, picture.is_some())
                .filter(|_| !policy.hide.is_empty());
            if let (Some(picture), Some((plan, hidden))) = (&picture, &mut planned) {
                check_picture(plan, hidden, picture, expected, number, &mut findings);
            }
            // Only frames that are looked at are kept.
            let picture = match picture {
                Some(picture) if look.is_none() => {
                    frames.recycle(picture);
                    None
                }
                other => other,
            };
            if !lookout.push(Held { number, seconds, picture }, cut, look) {
                return Err(Failure::new(FailureKind::Internal, "the detectors stopped"));
            }
            job.outbox.progress(Phase::Audit, met, total)?;
        }
        Ok(())
    })?;
    let times = all_times.unwrap_or(times);
    left.sort_by_key(|left| left.first);
    findings.extend(left.iter().map(|left| {
        still_visible(left.confidence).at(Place {
            first_frame: Some(left.first),
            last_frame: Some(left.last),
            seconds: times.get(left.first as usize).map(|pts| time_base.seconds(*pts)),
            rect: Some(left.rect),
            ..Place::default()
        })
    }));
    if let Some(plan) = job.plan {
        findings.extend(times::check(plan, account, &times, time_base));
    }
    Ok(Watched { findings, missed: planner.finish().redactions })
}

/// Somebody who is left in the output.
struct Left {
    /// First and last frame in which they were seen.
    first: u64,
    last: u64,
    /// Where, in the first of them.
    rect: Rect,
    confidence: f32,
}

impl Left {
    fn of(track: &Track) -> Option<Self> {
        let mut seen = track.points.iter().filter(|p| p.seen);
        let first = seen.next()?;
        let last = seen.next_back().unwrap_or(first);
        Some(Self {
            first: first.frame,
            last: last.frame,
            rect: first.rect,
            confidence: track.confidence,
        })
    }
}
