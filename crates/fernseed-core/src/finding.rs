//! What was noticed about a file, by the redactor or by the audit.

use crate::Rect;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much a [`Finding`] weighs.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing; changes nothing.
    Info,
    /// The user should read it; the file is still published.
    Notice,
    /// A person must look: the file is held until somebody accepts it.
    Doubt,
    /// The audit refuted a promise: the file is never published.
    Failure,
}

/// What kind of thing was noticed. The serialised names are part of the
/// report format and stay stable.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FindingCode {
    /// No person was found in the file.
    NothingFound,
    /// Frames of the source could not be decoded and were filled whole.
    DamagedFrames,
    /// A track rests on weak evidence.
    WeakTrack,
    /// A track was bridged over a long gap without evidence.
    LongGap,
    /// Somebody was lost from sight while moving fast.
    LostInMotion,
    /// The detector still finds somebody in the finished file.
    StillVisible,
    /// A planned region is not destroyed in the finished file.
    RegionNotDestroyed,
    /// Timestamps or frame counts of the finished file are wrong.
    TimelineMismatch,
    /// The finished file does not decode cleanly.
    OutputUndecodable,
    /// The finished file holds bytes or structures that are not on the allow-list.
    UnknownStructure,
    /// The finished file holds metadata.
    MetadataLeft,
    /// The finished file holds samples that no player shows.
    HiddenSamples,
    /// The picture of the finished file has another size than the source.
    SizeMismatch,
    /// Metadata of the source that was not carried over.
    MetadataDropped,
    /// A stream of the source that was not carried over.
    StreamDropped,
    /// Sound was kept: voices are recognisable.
    VoicesKept,
    /// A treatment that keeps some information about what it covers.
    WeakTreatment,
    /// High dynamic range was converted to standard range.
    ToneMapped,
    /// Something about the source's colour could not be honoured.
    ColourApproximated,
    /// The timeline had to be changed (for instance negative times).
    TimelineShifted,
    /// A sidecar file beside the source holds metadata too.
    Sidecar,
    /// The sandbox holds less than it should.
    WeakSandbox,
    /// Anything else worth telling, in words.
    Note,
}

/// Where in a file something was noticed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// First frame concerned (0 is the first frame shown).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub first_frame: Option<u64>,
    /// Last frame concerned.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_frame: Option<u64>,
    /// Time of the first frame concerned, in seconds of the source's timeline.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seconds: Option<f64>,
    /// Where in the picture, in display space.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rect: Option<Rect>,
    /// Path of the structure inside the file, for instance `moov/udta/©xyz`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub structure: Option<String>,
    /// Byte range inside the file: first byte and one past the last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bytes: Option<(u64, u64)>,
}

impl Place {
    /// True if its time and its rectangle, where it has them, are numbers:
    /// a report could not say them otherwise.
    #[must_use]
    pub fn is_real(&self) -> bool {
        let rect = self
            .rect
            .is_none_or(|r| [r.left, r.top, r.right, r.bottom].iter().all(|side| side.is_finite()));
        rect && self.seconds.is_none_or(f64::is_finite)
    }
}

/// Something noticed about a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// What it is.
    pub code: FindingCode,
    /// How much it weighs.
    pub severity: Severity,
    /// One English sentence for people.
    pub message: String,
    /// Where, as far as known.
    #[serde(default)]
    pub place: Place,
}

impl Finding {
    /// A finding about the file as a whole.
    #[must_use]
    pub fn new(code: FindingCode, severity: Severity, message: impl Into<String>) -> Self {
        Self { code, severity, message: message.into(), place: Place::default() }
    }

    /// The same finding at a place.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = place;
        self
    }
}

/// What the findings add up to.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing speaks against publishing.
    Clean,
    /// A person must look before it is published.
    NeedsReview,
    /// The file must not be published.
    Failed,
}

impl Verdict {
    /// The verdict that a list of findings leads to.
    #[must_use]
    pub fn of(findings: &[Finding]) -> Self {
        match findings.iter().map(|f| f.severity).max() {
            Some(Severity::Failure) => Self::Failed,
            Some(Severity::Doubt) => Self::NeedsReview,
            _ => Self::Clean,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_finding_decides() {
        let note = Finding::new(FindingCode::Note, Severity::Notice, "a");
        let doubt = Finding::new(FindingCode::WeakTrack, Severity::Doubt, "b");
        let bad = Finding::new(FindingCode::StillVisible, Severity::Failure, "c");
        assert_eq!(Verdict::of(&[]), Verdict::Clean);
        assert_eq!(Verdict::of(std::slice::from_ref(&note)), Verdict::Clean);
        assert_eq!(Verdict::of(&[note.clone(), doubt.clone()]), Verdict::NeedsReview);
        assert_eq!(Verdict::of(&[doubt, bad, note]), Verdict::Failed);
    }
}
