//! The first pass: everybody is found, and the plan made.

use super::{Pass, Shown, decoder_threads, sure};
use crate::protocol::{Failure, FailureKind, OutputFormat, Phase};
use crate::worker::cadence::{Cadence, FINDING};
use crate::worker::lookout::{Eyes, Held, Lookout, watch};
use crate::worker::probe::{Work, announce};
use fernseed_core::Picture;
use fernseed_core::finding::{Finding, FindingCode, Place, Severity};
use fernseed_core::plan::{
    FrameSpan, MediaKind, PLAN_VERSION, Plan, SourceSummary, TimelineDigest,
};
use fernseed_core::policy::AudioPolicy;
use fernseed_core::time::clock;
use fernseed_core::track::plan::Planner;
use fernseed_core::track::scene::SceneDetector;
use fernseed_core::track::{Stray, Track, TrackSettings};
use fernseed_media::video::{ReadReport, VideoInfo};
use std::fs::File;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

/// A gap of this many seconds inside a track is worth a look by a person.
const LONG_GAP: f64 = 1.5;
/// Share of the floor from which a sight counts where one is expected.
const EXPECTED: f32 = 0.6;
/// Pictures on their way back to the decoder.
const RETURNING: usize = 32;

/// Looks at a video and makes the plan.
pub(in crate::worker) fn scan(
    work: &Work<'_>,
    file: Arc<File>,
    pass: Pass,
) -> Result<Scanned, Failure> {
    let threads = work.output.threads.max(1);
    let decoders = decoder_threads(work.output);
    let mut shown = Shown::open(file, work.output.span, decoders, pass, None)?;
    let info = shown.info().clone();
    let output = work.output.format.unwrap_or(OutputFormat::Mp4);
    let format = format!("{} video ({})", info.container, info.codec);
    announce(work, MediaKind::Video, format, output, info.size)?;
    let settings = TrackSettings::for_threshold(work.policy.threshold);

    let (free, reuse) = sync_channel::<Picture>(RETURNING);
    let eyes = Eyes {
        whole: &|_, picture, whole| {
            let finder = work.finder.with_threads(whole.threads);
            finder.look_at_frame(picture, whole.look, settings.floor)
        },
        // Where somebody is expected, less is enough to keep them in sight.
        near: &|_, picture, places| {
            let mut found = work.finder.look_near(picture, places, EXPECTED * settings.floor)?;
            found.iter_mut().for_each(|d| d.confidence = d.confidence.max(settings.floor));
            Ok(found)
        },
        recycle: &|picture| drop(free.try_send(picture)),
        last: FINDING.last,
    };
    let mut seen = SourceTimes::default();
    let rate = info.average_rate.map_or(25.0, |(n, d)| f64::from(n) / f64::from(d.max(1)));
    let mut planner = Planner::new(work.policy, info.size);
    let mut gaps: Vec<Finding> = Vec::new();
    let mut ended = |track: Track| {
        planner.add(&track);
        gaps.extend(long_gap(&track, rate));
    };
    let unseen = watch(settings, threads, &eyes, &mut ended, |lookout| {
        feed(work, &mut shown, lookout, &mut seen, &reuse)
    })?;
    sure(&shown.reader().report(), work.output)?;
    for frame in unseen {
        blank(&mut seen.damaged, frame);
    }
    if shown.reader().report().truncated {
        return Err(Failure::new(
            FailureKind::Truncated,
            format!("the file is cut short after {} frames", seen.frames),
        ));
    }
    if seen.frames == 0 {
        return Err(Failure::new(
            FailureKind::Damaged,
            if work.output.span.is_all() {
                "it holds no frame that can be decoded"
            } else {
                "there is no frame between --start and --end"
            },
        ));
    }
    let planned = planner.finish();
    let plan = Plan {
        version: PLAN_VERSION,
        source: SourceSummary {
            kind: MediaKind::Video,
            size: info.size,
            frames: seen.frames,
            time_base: info.time_base,
            first_pts: seen.first + shown.shift,
            last_pts: seen.last + shown.shift,
            timeline: seen.timeline.value(),
            span: work.output.span,
        },
        policy: work.policy.clone(),
        reviewed: false,
        redactions: planned.redactions,
        blanked: seen.damaged,
    };
    let mut noticed = findings(work, &shown, &plan);
    // Who is lost at the border has left the picture.
    let inside = |s: &&Stray| s.rect.scaled(0.5).covered_by(info.size.rect()) > 0.99;
    noticed.extend(planned.strays.iter().filter(inside).map(|stray| lost(stray, rate)));
    gaps.sort_by_key(|gap| gap.place.first_frame);
    noticed.extend(gaps);
    work.outbox.findings(noticed)?;
    work.outbox.plan(&plan)?;
    Ok(Scanned { plan, info, report: shown.reader().report() })
}

/// What the first pass came to.
pub(in crate::worker) struct Scanned {
    /// What will be destroyed.
    pub(in crate::worker) plan: Plan,
    /// What is known of the video.
    pub(super) info: VideoInfo,
    /// What the decoder met.
    pub(super) report: ReadReport,
}

/// What the pass learns of the source's frames.
#[derive(Default)]
struct SourceTimes {
    timeline: TimelineDigest,
    first: i64,
    last: i64,
    frames: u64,
    damaged: Vec<FrameSpan>,
}

/// Sends every shown frame to the lookout.
fn feed(
    work: &Work<'_>,
    shown: &mut Shown,
    lookout: &mut Lookout,
    seen: &mut SourceTimes,
    reuse: &Receiver<Picture>,
) -> Result<(), Failure> {
    let total = shown.info().frame_count_hint;
    let mut scenes = SceneDetector::default();
    let mut cadence = Cadence::new(FINDING, shown.info().average_rate);
    while let Some((number, frame)) = shown.next()? {
        seen.timeline.push(frame.pts + shown.shift);
        if number == 0 {
            seen.first = frame.pts;
        }
        seen.last = frame.pts;
        seen.frames = number + 1;
        if frame.damaged {
            blank(&mut seen.damaged, number);
        }
        let picture = match frame.picture {
            Some(picture) if frame.damaged => {
                shown.recycle(picture);
                None
            }
            other => other,
        };
        let cut = picture.as_ref().is_some_and(|p| scenes.is_cut(p));
        let seconds = shown.seconds(frame.pts);
        let look = cadence.next(number, seconds, cut, picture.is_some());
        if !lookout.push(Held { number, seconds, picture }, cut, look) {
            return Err(Failure::new(FailureKind::Internal, "the detectors stopped"));
        }
        while let Ok(picture) = reuse.try_recv() {
            shown.recycle(picture);
        }
        work.outbox.progress(Phase::Scan, number + 1, total)?;
    }
    Ok(())
}

fn blank(spans: &mut Vec<FrameSpan>, frame: u64) {
    match spans.last_mut() {
        Some(last) if last.last + 1 == frame => last.last = frame,
        _ => spans.push(FrameSpan { first: frame, last: frame }),
    }
}

/// What the first pass noticed.
fn findings(work: &Work<'_>, shown: &Shown, plan: &Plan) -> Vec<Finding> {
    let info = shown.info();
    let mut out: Vec<Finding> = shown
        .reader()
        .notes()
        .into_iter()
        .map(|note| Finding::new(FindingCode::Note, Severity::Notice, format!("{note}.")))
        .collect();
    let skipped = shown.reader().report().skipped_packets;
    if skipped > 0 {
        out.push(Finding::new(
            FindingCode::DamagedFrames,
            Severity::Doubt,
            format!("{skipped} pieces of the video could not be decoded and are missing."),
        ));
    }
    for stream in &info.dropped_streams {
        out.push(Finding::new(
            FindingCode::StreamDropped,
            Severity::Info,
            format!("Not carried over: {stream}."),
        ));
    }
    if info.audio.is_some() && work.policy.audio == AudioPolicy::Drop {
        out.push(Finding::new(
            FindingCode::StreamDropped,
            Severity::Info,
            "The sound was dropped (keep it with --audio keep; voices are recognisable).",
        ));
    }
    for span in &plan.blanked {
        let message = if span.first == span.last {
            format!("Frame {} is damaged and was filled whole.", span.first)
        } else {
            format!("Frames {} to {} are damaged and were filled whole.", span.first, span.last)
        };
        out.push(Finding::new(FindingCode::DamagedFrames, Severity::Doubt, message).at(Place {
            first_frame: Some(span.first),
            last_frame: Some(span.last),
            ..Place::default()
        }));
    }
    out
}

/// Somebody may show beside their cover.
fn lost(stray: &Stray, rate: f64) -> Finding {
    let seconds = stray.frame as f64 / rate.max(1.0);
    let when = if stray.after { "after" } else { "before" };
    let message = format!(
        "Somebody moves fast and is not seen {when} {}: they may show there beside their cover.",
        clock(seconds)
    );
    Finding::new(FindingCode::LostInMotion, Severity::Notice, message).at(Place {
        first_frame: Some(stray.frame),
        seconds: Some(seconds),
        ..Place::default()
    })
}

/// Somebody was out of sight for long.
fn long_gap(track: &Track, rate: f64) -> Option<Finding> {
    let gap = track.longest_gap as f64 / rate.max(1.0);
    let (first, last) = (track.points.first()?.frame, track.points.last()?.frame);
    let seconds = first as f64 / rate.max(1.0);
    let message = format!(
        "A person was out of sight for {gap:.1} s and stayed covered where they were expected, \
         from about {}.",
        clock(seconds)
    );
    let finding = Finding::new(FindingCode::LongGap, Severity::Notice, message).at(Place {
        first_frame: Some(first),
        last_frame: Some(last),
        seconds: Some(seconds),
        ..Place::default()
    });
    (gap >= LONG_GAP).then_some(finding)
}
