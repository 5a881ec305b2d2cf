//! Whether a finished video has the source's timestamps.

use super::super::video::MICROS;
use fernseed_core::finding::{Finding, FindingCode, Severity};
use fernseed_core::limits::Limits;
use fernseed_core::plan::{Plan, TimelineDigest};
use fernseed_core::time::TimeBase;
use fernseed_media::video::{Timeline, timeline};
use fernseed_scrub::{Accounting, OutputKind};
use std::fs::File;

/// Containers whose own timestamps are exact enough to compare with.
const EXACT_CONTAINERS: [&str; 4] = ["mp4", "mov", "matroska", "webm"];

/// Compares the timestamps that a decoder of the output sees with those in
/// its tables and with the plan's.
pub(super) fn check(
    plan: &Plan,
    account: &Accounting,
    decoded: &[i64],
    time_base: TimeBase,
) -> Vec<Finding> {
    if decoded.len() as u64 != plan.source.frames {
        return vec![mismatch(format!(
            "It has {} frames instead of {}.",
            decoded.len(),
            plan.source.frames
        ))];
    }
    let mut findings = Vec::new();
    let mut digest = TimelineDigest::default();
    let mut exact = true;
    for pts in decoded {
        match exact_rescale(*pts, time_base, plan.source.time_base) {
            Some(pts) => digest.push(pts),
            None => exact = false,
        }
    }
    // WebM counts in ticks of its own; there the comparison is within one.
    let webm = account.container == OutputKind::WebM;
    if !webm && (!exact || digest.value() != plan.source.timeline) {
        findings.push(mismatch("Its timestamps are not those of the source.".into()));
    }
    if let Some(table) = &account.video {
        let ticks = TimeBase::new(1, table.timescale.max(1)).unwrap_or(TimeBase::MILLIS);
        let same = table.presentation_times.len() == decoded.len()
            && table.presentation_times.iter().zip(decoded).all(|(a, b)| {
                let (a, b) = (ticks.seconds(*a), time_base.seconds(*b));
                (a - b).abs() < if webm { 2e-3 } else { 1e-6 }
            });
        if !same {
            findings
                .push(mismatch("Its tables and a decoder disagree about its timestamps.".into()));
        }
    }
    findings
}

/// Compares the plan's timestamps with what the original's container says.
pub(super) fn compare_with_original(plan: &Plan, original: File) -> Option<Finding> {
    // Some containers have no times of their own; the decoder made them.
    let Timeline { container, times, time_base } = timeline(original, &Limits::default()).ok()?;
    let first = times.first().copied()?;
    let span = plan.source.span;
    let inside = |pts: &&i64| {
        let micros = time_base.rescale(**pts - first, MICROS).unwrap_or(i64::MAX);
        span.start.is_none_or(|s| micros >= s) && span.end.is_none_or(|e| micros < e)
    };
    let shift = times.iter().find(inside).map_or(0, |f| plan.source.first_pts - f);
    let mut digest = TimelineDigest::default();
    let mut kept = 0_u64;
    for pts in times.iter().filter(inside) {
        digest.push(pts + shift);
        kept += 1;
    }
    let same = kept == plan.source.frames && digest.value() == plan.source.timeline;
    let shifted = shift != 0 && span.is_all() && first >= 0;
    if same && !shifted {
        return None;
    }
    // A container without reliable times, or one with damaged packets, says
    // something else than its decoder; that is worth knowing, no refutation.
    let exact = EXACT_CONTAINERS.iter().any(|c| container.contains(c));
    let severity = if exact && plan.blanked.is_empty() { Severity::Doubt } else { Severity::Info };
    Some(Finding::new(
        FindingCode::TimelineMismatch,
        severity,
        format!(
            "The original's container lists {kept} frames, {} could be decoded and were written.",
            plan.source.frames
        ),
    ))
}

/// `ticks` in another base if that is possible without rounding.
fn exact_rescale(ticks: i64, from: TimeBase, to: TimeBase) -> Option<i64> {
    let there = from.rescale(ticks, to)?;
    (to.rescale(there, from)? == ticks).then_some(there)
}

/// Timestamps or their number are wrong.
pub(super) fn mismatch(message: String) -> Finding {
    Finding::new(FindingCode::TimelineMismatch, Severity::Failure, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rescaling_that_rounds_is_noticed() {
        let base = |num, den| TimeBase::new(num, den).unwrap();
        assert_eq!(exact_rescale(1001, base(1, 30000), base(1001, 30000)), Some(1));
        assert_eq!(exact_rescale(1000, base(1, 30000), base(1001, 30000)), None);
        assert_eq!(exact_rescale(5, base(1, 25), base(1, 1000)), Some(200));
    }
}
