//! Plans from somebody else.

use super::words::mutant;
use fernseed_core::detect::DetectorId;
use fernseed_core::geometry::Rect;
use fernseed_core::picture::{YuvColour, YuvMatrix};
use fernseed_core::plan::{
    Action, DecidedBy, Decision, Evidence, FrameSpan, KeptSpan, Keyframe, MediaKind, PLAN_VERSION,
    Plan, Redaction, SourceSummary,
};
use fernseed_core::policy::{Policy, Treatment};
use fernseed_core::render::{Mask, Renderer, check};
use fernseed_core::time::TimeBase;
use fernseed_core::{Picture, PixelFormat, Size};

const YUV: YuvColour = YuvColour { matrix: YuvMatrix::Bt709, full_range: false };
const SIZE: Size = Size { width: 48, height: 32 };

/// A plan as `scan` writes them.
pub(super) fn plan() -> Plan {
    let policy = Policy::default();
    let key = |frame, left| Keyframe { frame, rect: Rect::new(left, 3.5, left + 12.0, 20.0) };
    let redaction = |id, action| Redaction {
        id,
        subject: None,
        label: policy.hide[0],
        decision: Decision { action, by: DecidedBy::Program },
        evidence: Some(Evidence {
            detectors: vec![DetectorId::Yunet, DetectorId::Centerface],
            confidence: 0.75,
            seen_frames: 3,
            filled_frames: 1,
            longest_gap: 1,
        }),
        keyframes: vec![key(0, 1.0), key(4, 9.0), key(9, 20.0)],
    };
    Plan {
        version: PLAN_VERSION,
        source: SourceSummary {
            kind: MediaKind::Video,
            size: SIZE,
            frames: 12,
            time_base: TimeBase::MILLIS,
            first_pts: 0,
            last_pts: 440,
            timeline: 0x1234_5678_9abc,
            span: KeptSpan { start: Some(0), end: None },
        },
        policy: policy.clone(),
        reviewed: false,
        redactions: vec![redaction(1, Action::Hide), redaction(2, Action::Keep)],
        blanked: vec![FrameSpan { first: 10, last: 11 }],
    }
}

/// What passes the check can be written and read again, and rendered: every
/// region that it names is destroyed in a picture.
fn holds(bytes: &[u8]) -> bool {
    let Ok(plan) = serde_json::from_slice::<Plan>(bytes) else { return false };
    if plan.check().is_err() {
        return false;
    }
    let text = serde_json::to_string(&plan).unwrap();
    let again: Plan = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    assert!(again.check().is_ok() && again == plan, "{text}");
    assert!(plan.check_source(&plan.source).is_ok());
    let solid = Policy { treatment: Treatment::Solid, ..plan.policy.clone() };
    let ends = plan.redactions.iter().filter_map(Redaction::span);
    let frames =
        ends.flat_map(|(a, b)| [a, b, a.midpoint(b), a.wrapping_sub(1), b.wrapping_add(1)]);
    for frame in frames.chain([0, 5, u64::MAX]).take(24) {
        let hidden = plan.hidden_at(frame);
        let kept = plan.kept_at(frame);
        let known = |r: &Rect| [r.left, r.top, r.right, r.bottom].iter().all(|v| v.is_finite());
        assert!(hidden.iter().all(|(_, r)| known(r)) && kept.iter().all(known), "{text}");
        assert!(hidden.len() + kept.len() <= plan.redactions.len());
        if plan.is_blanked(frame) {
            assert!(plan.blanked.iter().any(|s| s.first <= frame && frame <= s.last));
        }
        let masks: Vec<_> = hidden.into_iter().map(|(track, rect)| Mask { track, rect }).collect();
        for format in [PixelFormat::Rgb8, PixelFormat::Yuv420(YUV)] {
            let picture = Picture::filled(SIZE, format, [200, 90, 10]);
            let rendered = Renderer::new(&solid).render(picture.clone(), &masks);
            let results = check::masks(rendered.get(), &masks, &solid);
            assert!(results.iter().all(|r| r.destroyed), "frame {frame}: {results:?} of {text}");
            // Whatever was asked for may not crash.
            drop(Renderer::new(&plan.policy).render(picture, &masks));
        }
    }
    true
}

pub(super) fn fuzz() {
    let seeds = [serde_json::to_value(plan()).unwrap()];
    assert!(holds(seeds[0].to_string().as_bytes()), "the seed is refused");
    super::run("plan", |random| {
        let bytes = mutant(&seeds, random);
        std::panic::catch_unwind(|| holds(&bytes)).unwrap_or_else(|panic| {
            println!("failing input: {}", String::from_utf8_lossy(&bytes));
            std::panic::resume_unwind(panic)
        })
    });
}

/// `1e39` as a confidence: the plan could not be written again.
pub(super) fn infinite_confidence() {
    let text = super::regression("plan-infinite-confidence.json");
    assert!(serde_json::from_str::<Plan>(&text).is_err());
    let mut good: Plan = serde_json::from_str(&text.replace("1e39", "0.9")).unwrap();
    assert!(good.check().is_ok());
    if let Some(evidence) = &mut good.redactions[0].evidence {
        evidence.confidence = f32::NAN;
    }
    assert!(good.check().is_err());
}
