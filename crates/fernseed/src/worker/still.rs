//! One picture: look, plan, destroy, look again, write.

use super::probe::{Origin, Work, announce, io_failure};
use super::residual::visible;
use crate::protocol::{Failure, FailureKind, OutputFormat, PHOTO_QUALITY, Phase};
use fernseed_core::detect::{Detection, Effort};
use fernseed_core::plan::{
    Decision, Evidence, KeptSpan, Keyframe, MediaKind, PLAN_VERSION, Plan, Redaction,
    SourceSummary, TimelineDigest,
};
use fernseed_core::policy::Policy;
use fernseed_core::render::{Mask, Redacted, Renderer};
use fernseed_core::time::TimeBase;
use fernseed_core::track::plan::covered_rect;
use fernseed_core::{Picture, Rect};
use fernseed_media::still::{self, StillError, StillFormat, StillOutput};
use std::fs::File;
use std::io::Write;
use std::sync::atomic::AtomicU64;

/// Times that a picture is looked at again after rendering.
const SECOND_LOOKS: usize = 3;
/// Pictures larger than this are not: there the audit's look is enough, and
/// the host has repaired what it finds.
const SECOND_LOOK_PIXELS: u64 = 3_000_000;
/// The second look hides from this share of the threshold on: a little less
/// than what the audit doubts, since coding moves confidences.
const SECOND_LOOK_THRESHOLD: f32 = 0.93;

pub(super) fn redact(
    work: &Work<'_>,
    origin: &Origin,
    picture: Picture,
    out: File,
) -> Result<(), Failure> {
    tell(work, origin, &picture)?;
    let (plan, rendered) = plan_and_render(work, picture)?;
    work.outbox.plan(&plan)?;
    write(work, origin, &rendered, out)
}

pub(super) fn scan(work: &Work<'_>, origin: &Origin, picture: Picture) -> Result<(), Failure> {
    tell(work, origin, &picture)?;
    let (plan, _rendered) = plan_and_render(work, picture)?;
    work.outbox.plan(&plan)
}

pub(super) fn apply(
    work: &Work<'_>,
    origin: &Origin,
    plan: &Plan,
    picture: Picture,
    out: File,
) -> Result<(), Failure> {
    tell(work, origin, &picture)?;
    plan.check_source(&summary(&picture))
        .map_err(|e| Failure::new(FailureKind::Plan, e.to_string()))?;
    let masks = masks(plan.hidden_at(0));
    let rendered = Renderer::new(&plan.policy).render(picture, &masks);
    write(work, origin, &rendered, out)
}

/// The masks of one frame of a plan.
/// What [`Plan::hidden_at`] names, as masks.
pub(super) fn masks(hidden: Vec<(u32, Rect)>) -> Vec<Mask> {
    hidden.into_iter().map(|(track, rect)| Mask { track, rect }).collect()
}

pub(super) fn tell(work: &Work<'_>, origin: &Origin, picture: &Picture) -> Result<(), Failure> {
    let format = format!("{} picture", origin.format.name());
    announce(work, MediaKind::Still, format, output_format(work, origin), picture.size())
}

fn output_format(work: &Work<'_>, origin: &Origin) -> OutputFormat {
    work.output.format.unwrap_or(match (origin.format, origin.lossy) {
        (StillFormat::WebP, _) => OutputFormat::Webp,
        (_, true) => OutputFormat::Jpeg,
        (_, false) => OutputFormat::Png,
    })
}

pub(super) fn summary(picture: &Picture) -> SourceSummary {
    let mut timeline = TimelineDigest::default();
    timeline.push(0);
    SourceSummary {
        kind: MediaKind::Still,
        size: picture.size(),
        frames: 1,
        time_base: TimeBase::MILLIS,
        first_pts: 0,
        last_pts: 0,
        timeline: timeline.value(),
        span: KeptSpan::default(),
    }
}

/// Finds everybody, destroys them, and looks at the result until a closer
/// look than the first finds nobody.
fn plan_and_render(
    work: &Work<'_>,
    picture: Picture,
) -> Result<(Plan, Redacted<Picture>), Failure> {
    let policy = work.policy;
    let steps = AtomicU64::new(0);
    let tick = || work.outbox.tick(Phase::Scan, &steps);
    let finder = work.finder.with_threads(work.output.threads);
    let look = |picture: &Picture, effort, floor| {
        finder
            .detect_ticking(picture, effort, floor, &tick)
            .map_err(|e| Failure::new(FailureKind::Internal, e.to_string()))
    };
    work.outbox.progress(Phase::Scan, 0, None)?;
    let found = look(&picture, Effort::Still, policy.threshold)?;
    let mut plan = Plan {
        version: PLAN_VERSION,
        source: summary(&picture),
        policy: policy.clone(),
        reviewed: false,
        redactions: Vec::new(),
        blanked: Vec::new(),
    };
    plan.extend(redactions(&found, policy, 0));
    let mut rendered = Renderer::new(policy).render(picture.clone(), &masks(plan.hidden_at(0)));
    let looks = if picture.size().pixels() > SECOND_LOOK_PIXELS { 0 } else { SECOND_LOOKS };
    for _ in 0..looks {
        let again = look(rendered.get(), Effort::Audit, policy.threshold * SECOND_LOOK_THRESHOLD)?;
        let left = visible(again, &masks(plan.hidden_at(0)), &[]);
        if left.is_empty() {
            break;
        }
        plan.extend(redactions(&left, policy, 0));
        rendered = Renderer::new(policy).render(picture.clone(), &masks(plan.hidden_at(0)));
    }
    let steps = steps.into_inner();
    work.outbox.progress(Phase::Scan, steps, Some(steps))?;
    Ok((plan, rendered))
}

/// One redaction per detection, in one frame.
pub(super) fn redactions(found: &[Detection], policy: &Policy, frame: u64) -> Vec<Redaction> {
    found
        .iter()
        .filter(|d| policy.hide.contains(&d.label))
        .map(|d| Redaction {
            id: 0,
            subject: None,
            label: d.label,
            decision: Decision::PROGRAM,
            evidence: Some(Evidence {
                detectors: vec![d.source],
                confidence: d.confidence,
                seen_frames: 1,
                filled_frames: 0,
                longest_gap: 0,
            }),
            keyframes: vec![Keyframe { frame, rect: covered_rect(d.rect, policy) }],
        })
        .collect()
}

pub(super) fn write(
    work: &Work<'_>,
    origin: &Origin,
    rendered: &Redacted<Picture>,
    mut out: File,
) -> Result<(), Failure> {
    let quality = work.output.quality.unwrap_or(PHOTO_QUALITY);
    let output = match (output_format(work, origin), origin.lossy) {
        (OutputFormat::Jpeg, _) => StillOutput::Jpeg { quality },
        (OutputFormat::Webp, true) => StillOutput::WebP { quality },
        (OutputFormat::Webp, false) => StillOutput::WebPLossless,
        _ => StillOutput::Png,
    };
    work.outbox.findings(still::encode_notes(rendered, output))?;
    work.outbox.progress(Phase::Write, 0, Some(1))?;
    let bytes = still::encode(rendered, output).map_err(failure)?;
    out.write_all(&bytes).map_err(io_failure)?;
    work.outbox.progress(Phase::Write, 1, Some(1))
}

/// The failure that an error of the still decoders stands for.
pub(super) fn failure(error: StillError) -> Failure {
    let kind = match &error {
        StillError::NotAPicture => FailureKind::NotMedia,
        StillError::Unsupported { .. } => FailureKind::Unsupported,
        StillError::Truncated => FailureKind::Truncated,
        StillError::TooLarge { .. } | StillError::Limit { .. } => FailureKind::TooLarge,
        StillError::Encoder { .. } => FailureKind::Internal,
        _ => FailureKind::Damaged,
    };
    Failure::new(kind, error.to_string())
}
