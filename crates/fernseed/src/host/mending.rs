//! What a repair changes, and what the audit after it may leave out.

use super::publish::PendingOutput;
use fernseed_core::finding::{Finding, FindingCode};
use fernseed_core::plan::{FrameSpan, Redaction};

/// An output that was audited and is being repaired.
pub(super) struct Mending {
    /// The output before.
    pub(super) before: PendingOutput,
    /// Frames in which more is hidden now.
    pub(super) changed: Vec<FrameSpan>,
    /// True if its audit saw nothing in any other frame: then the same coded
    /// pictures need no second look.
    pub(super) sound_elsewhere: bool,
}

impl Mending {
    /// A repair of `before` that hides `missed`, after an audit with these
    /// findings.
    pub(super) fn new(before: PendingOutput, missed: &[Redaction], findings: &[Finding]) -> Self {
        let span = |r: &Redaction| r.span().map(|(first, last)| FrameSpan { first, last });
        let changed: Vec<FrameSpan> = missed.iter().filter_map(span).collect();
        let sound_elsewhere = findings.iter().all(|finding| concerns_only(finding, &changed));
        Self { before, changed, sound_elsewhere }
    }
}

/// True if a finding says nothing of frames outside the spans that looking at
/// those inside would not say again. What the tables and bytes of the file
/// give away is looked for in the whole file at every audit.
fn concerns_only(finding: &Finding, changed: &[FrameSpan]) -> bool {
    match finding.code {
        FindingCode::StillVisible => {
            let place = &finding.place;
            let Some((first, last)) = place.first_frame.zip(place.last_frame) else { return false };
            changed.iter().any(|span| span.contains(first) && span.contains(last))
        }
        FindingCode::TimelineMismatch
        | FindingCode::UnknownStructure
        | FindingCode::MetadataLeft
        | FindingCode::HiddenSamples => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fernseed_core::finding::{Place, Severity};

    fn finding(code: FindingCode, frames: Option<(u64, u64)>) -> Finding {
        Finding::new(code, Severity::Doubt, "x").at(Place {
            first_frame: frames.map(|f| f.0),
            last_frame: frames.map(|f| f.1),
            ..Place::default()
        })
    }

    #[test]
    fn what_was_seen_elsewhere_is_looked_at_again() {
        let changed = [FrameSpan { first: 10, last: 20 }, FrameSpan { first: 40, last: 50 }];
        let only = |code, frames| concerns_only(&finding(code, frames), &changed);
        assert!(only(FindingCode::StillVisible, Some((10, 20))));
        assert!(only(FindingCode::StillVisible, Some((45, 45))));
        assert!(!only(FindingCode::StillVisible, Some((9, 20))));
        assert!(!only(FindingCode::StillVisible, Some((15, 45))), "between the two");
        assert!(!only(FindingCode::StillVisible, None), "one of many that are not listed");
        assert!(!only(FindingCode::RegionNotDestroyed, Some((15, 15))));
        assert!(!only(FindingCode::OutputUndecodable, None));
        assert!(only(FindingCode::TimelineMismatch, None));
    }
}
