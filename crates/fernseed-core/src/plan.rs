//! The plan: which regions are destroyed, when, why, and who decided.
//!
//! It is the one contract between detector, reviewer, renderer and auditor,
//! and it is written to disk by `scan` and read by `apply`. What a plan says
//! is what is covered: its rectangles already hold every margin.

mod playhead;

pub use playhead::Playhead;

use crate::detect::{DetectorId, Label};
use crate::geometry::{Rect, Size};
use crate::policy::Policy;
use crate::time::TimeBase;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of the plan format, written into every plan.
pub const PLAN_VERSION: u32 = 1;

/// Most redactions a plan may hold.
pub const MAX_REDACTIONS: usize = 1_000_000;

/// Most keyframes all redactions of a plan may hold together.
pub const MAX_KEYFRAMES: usize = 20_000_000;

/// The kinds of picture file there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// One picture.
    Still,
    /// Several pictures in a still-picture container (GIF, APNG, WebP).
    Animation,
    /// A video.
    Video,
}

/// What a plan remembers of the file it was made for, enough to refuse
/// another one, without a hash of the original.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceSummary {
    /// What kind of file it is.
    pub kind: MediaKind,
    /// Size of the upright picture.
    pub size: Size,
    /// Number of frames that are shown (1 for a still).
    pub frames: u64,
    /// Length of a tick of the timestamps.
    pub time_base: TimeBase,
    /// Timestamp of the first frame in ticks.
    pub first_pts: i64,
    /// Timestamp of the last frame in ticks.
    pub last_pts: i64,
    /// Digest of all timestamps, see [`TimelineDigest`].
    pub timeline: u64,
    /// The part of the file that is kept. Everything else in this summary
    /// speaks of that part.
    #[serde(default)]
    pub span: KeptSpan,
}

/// The part of a video that is kept, in microseconds after its first frame;
/// what lies outside is cut away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeptSpan {
    /// Where it begins; the beginning of the file if absent.
    #[serde(default)]
    pub start: Option<i64>,
    /// Where it ends, exclusive; the end of the file if absent.
    #[serde(default)]
    pub end: Option<i64>,
}

impl KeptSpan {
    /// True if nothing is cut away.
    #[must_use]
    pub const fn is_all(&self) -> bool {
        self.start.is_none() && self.end.is_none()
    }
}

/// A running 64-bit FNV-1a digest of timestamps, to compare timelines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimelineDigest(u64);

impl Default for TimelineDigest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl TimelineDigest {
    /// Adds the next timestamp in ticks.
    pub fn push(&mut self, pts: i64) {
        for byte in pts.to_le_bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// The digest of what was added so far.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }
}

/// The covered rectangle of a redaction at one frame.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Keyframe {
    /// Number of the frame, 0 is the first one shown.
    pub frame: u64,
    /// What is covered, in display space, margins included.
    pub rect: Rect,
}

/// Who decided on a redaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecidedBy {
    /// The program, by its policy.
    Program,
    /// A person who reviewed the plan.
    Person,
}

/// What happens to a redaction's region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is destroyed.
    Hide,
    /// A person decided to leave it visible.
    Keep,
}

/// A decision and its author.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// What happens.
    pub action: Action,
    /// Who decided.
    pub by: DecidedBy,
}

impl Decision {
    /// The program's: it hides, and leaves nothing visible.
    pub const PROGRAM: Self = Self { action: Action::Hide, by: DecidedBy::Program };
}

/// Why a redaction is in the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Detectors that saw it.
    pub detectors: Vec<DetectorId>,
    /// Highest confidence seen.
    pub confidence: f32,
    /// Frames in which it was detected.
    pub seen_frames: u64,
    /// Frames that were filled in between or around.
    pub filled_frames: u64,
    /// Longest run of filled frames between two detections.
    pub longest_gap: u64,
}

/// One subject through time: what is covered from its first keyframe to its
/// last, linearly interpolated in between.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Redaction {
    /// Number of the redaction in this plan; unique.
    pub id: u32,
    /// Number of the subject, the same in all redactions of one appearance of
    /// somebody: where it is not certain which way they went, each way has a
    /// redaction of its own. Says nothing about who is who beyond that. Absent
    /// where each redaction is a subject of its own, as in a still.
    #[serde(default)]
    pub subject: Option<u32>,
    /// What kind of thing it is.
    pub label: Label,
    /// What happens to it.
    pub decision: Decision,
    /// Why it is here; absent where a person added it.
    #[serde(default)]
    pub evidence: Option<Evidence>,
    /// At least one, in order of `frame`.
    pub keyframes: Vec<Keyframe>,
}

impl Redaction {
    /// Checks everything that the renderer relies on.
    ///
    /// # Errors
    /// [`PlanError::Redaction`] says what contradicts the format.
    pub fn check(&self) -> Result<(), PlanError> {
        let fail = |why| Err(PlanError::Redaction { id: self.id, why });
        if self.keyframes.is_empty() {
            return fail("it has no keyframe");
        }
        if self.keyframes.windows(2).any(|w| w[0].frame >= w[1].frame) {
            return fail("its keyframes are not in order");
        }
        if !self.keyframes.iter().all(|k| k.rect.is_proper()) {
            return fail("a rectangle is empty or not a number");
        }
        if self.evidence.as_ref().is_some_and(|e| !e.confidence.is_finite()) {
            return fail("its confidence is not a number");
        }
        Ok(())
    }

    /// First and last frame covered.
    #[must_use]
    pub fn span(&self) -> Option<(u64, u64)> {
        Some((self.keyframes.first()?.frame, self.keyframes.last()?.frame))
    }

    /// What is covered at `frame`, if anything.
    #[must_use]
    pub fn rect_at(&self, frame: u64) -> Option<Rect> {
        let after = self.keyframes.partition_point(|k| k.frame < frame);
        let next = self.keyframes.get(after)?;
        if next.frame == frame {
            return Some(next.rect);
        }
        let before = self.keyframes.get(after.checked_sub(1)?)?;
        let t = (frame - before.frame) as f32 / (next.frame - before.frame) as f32;
        Some(before.rect.lerp(next.rect, t))
    }
}

/// A run of frames, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FrameSpan {
    /// First frame.
    pub first: u64,
    /// Last frame.
    pub last: u64,
}

impl FrameSpan {
    /// True if the frame is one of the run.
    #[must_use]
    pub const fn contains(self, frame: u64) -> bool {
        self.first <= frame && frame <= self.last
    }
}

/// The versioned list of redactions for one file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`PLAN_VERSION`] of the writer.
    pub version: u32,
    /// The file it was made for.
    pub source: SourceSummary,
    /// What was asked for.
    pub policy: Policy,
    /// Set by a person who has looked at the plan and answers for it:
    /// doubts are then reported, but hold nothing back.
    #[serde(default)]
    pub reviewed: bool,
    /// What is destroyed, in order of `id`.
    pub redactions: Vec<Redaction>,
    /// Frames that are filled whole, because nothing is known about them.
    #[serde(default)]
    pub blanked: Vec<FrameSpan>,
}

/// Why a plan cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlanError {
    /// Written by another version of the format.
    #[error("the plan has format version {0}, this program reads version {PLAN_VERSION}")]
    Version(u32),
    /// A part of it contradicts the format.
    #[error("redaction {id} of the plan is not valid: {why}")]
    Redaction {
        /// Its id.
        id: u32,
        /// What is wrong.
        why: &'static str,
    },
    /// The policy is out of range.
    #[error("the plan's policy is not valid: {0}")]
    Policy(String),
    /// There is more in it than any real file needs.
    #[error("the plan is larger than any real plan")]
    TooLarge,
    /// It was made for another file.
    #[error("the plan was made for another file: {0} differs")]
    OtherSource(&'static str),
}

impl Plan {
    /// Checks everything that the renderer relies on.
    ///
    /// # Errors
    /// [`PlanError`] says what contradicts the format.
    pub fn check(&self) -> Result<(), PlanError> {
        if self.version != PLAN_VERSION {
            return Err(PlanError::Version(self.version));
        }
        self.policy.check().map_err(|e| PlanError::Policy(e.to_string()))?;
        let keyframes: usize = self.redactions.iter().map(|r| r.keyframes.len()).sum();
        if self.redactions.len() > MAX_REDACTIONS
            || keyframes > MAX_KEYFRAMES
            || self.blanked.len() > MAX_KEYFRAMES
        {
            return Err(PlanError::TooLarge);
        }
        let mut ids = std::collections::BTreeSet::new();
        for r in &self.redactions {
            if !ids.insert(r.id) {
                return Err(PlanError::Redaction { id: r.id, why: "its id occurs twice" });
            }
            r.check()?;
        }
        Ok(())
    }

    /// Everything but its redactions.
    #[must_use]
    pub fn without_redactions(&self) -> Self {
        Self {
            version: self.version,
            source: self.source.clone(),
            policy: self.policy.clone(),
            reviewed: self.reviewed,
            redactions: Vec::new(),
            blanked: self.blanked.clone(),
        }
    }

    /// Checks that the plan was made for a file with this summary. The span
    /// is the plan's own business and is not compared.
    ///
    /// # Errors
    /// [`PlanError::OtherSource`] names what differs.
    pub fn check_source(&self, found: &SourceSummary) -> Result<(), PlanError> {
        let mine = &self.source;
        let checks = [
            ("the kind of file", mine.kind == found.kind),
            ("the size of the picture", mine.size == found.size),
            ("the number of frames", mine.frames == found.frames),
            ("the time base", mine.time_base == found.time_base),
            ("the timestamps", mine.timeline == found.timeline),
        ];
        match checks.iter().find(|(_, same)| !same) {
            Some((what, _)) => Err(PlanError::OtherSource(what)),
            None => Ok(()),
        }
    }

    /// True if frame `frame` is filled whole.
    #[must_use]
    pub fn is_blanked(&self, frame: u64) -> bool {
        self.blanked.iter().any(|span| span.contains(frame))
    }

    /// Everything a person decided to leave visible at `frame`.
    #[must_use]
    pub fn kept_at(&self, frame: u64) -> Vec<Rect> {
        self.redactions
            .iter()
            .filter(|r| r.decision.action == Action::Keep)
            .filter_map(|r| r.rect_at(frame))
            .collect()
    }

    /// The highest id of a redaction and the highest number of a subject; 0
    /// where there is none.
    #[must_use]
    pub fn last_numbers(&self) -> (u32, u32) {
        let id = self.redactions.iter().map(|r| r.id).max();
        let subject = self.redactions.iter().filter_map(|r| r.subject).max();
        (id.unwrap_or(0), subject.unwrap_or(0))
    }

    /// Adds redactions under new ids and new numbers of subjects, for instance
    /// for people that the audit still saw.
    pub fn extend(&mut self, more: Vec<Redaction>) {
        let (mut next, subjects) = self.last_numbers();
        for mut redaction in more {
            next = next.saturating_add(1);
            redaction.id = next;
            redaction.subject = redaction.subject.map(|s| s.saturating_add(subjects));
            self.redactions.push(redaction);
        }
    }

    /// Everything that is destroyed at `frame`, as `(id, rectangle)`. Looks at
    /// every redaction; a [`Playhead`] goes through many frames faster.
    #[must_use]
    pub fn hidden_at(&self, frame: u64) -> Vec<(u32, Rect)> {
        self.redactions
            .iter()
            .filter(|r| r.decision.action == Action::Hide)
            .filter_map(|r| Some((r.id, r.rect_at(frame)?)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn plan(keyframes: Vec<Keyframe>) -> Plan {
        Plan {
            version: PLAN_VERSION,
            source: SourceSummary {
                kind: MediaKind::Video,
                size: Size::new(100, 100),
                frames: 20,
                time_base: TimeBase::MILLIS,
                first_pts: 0,
                last_pts: 19,
                timeline: 7,
                span: KeptSpan::default(),
            },
            policy: Policy::default(),
            reviewed: false,
            redactions: vec![Redaction {
                id: 1,
                subject: None,
                label: Label::Face,
                decision: Decision::PROGRAM,
                evidence: None,
                keyframes,
            }],
            blanked: vec![FrameSpan { first: 3, last: 4 }],
        }
    }

    pub(super) fn key(frame: u64, left: f32) -> Keyframe {
        Keyframe { frame, rect: Rect::new(left, 0.0, left + 10.0, 10.0) }
    }

    #[test]
    fn interpolates_inside_its_span_only() {
        let p = plan(vec![key(4, 0.0), key(8, 40.0)]);
        assert!(p.check().is_ok());
        let r = &p.redactions[0];
        assert_eq!(r.rect_at(3), None);
        assert_eq!(r.rect_at(4).unwrap().left, 0.0);
        assert_eq!(r.rect_at(6).unwrap().left, 20.0);
        assert_eq!(r.rect_at(8).unwrap().left, 40.0);
        assert_eq!(r.rect_at(9), None);
        assert!(p.is_blanked(4) && !p.is_blanked(5));
        assert_eq!(p.hidden_at(6).len(), 1);
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(plan(vec![]).check().is_err());
        assert!(plan(vec![key(8, 0.0), key(8, 1.0)]).check().is_err());
        assert!(plan(vec![key(0, f32::NAN)]).check().is_err());
        let mut p = plan(vec![key(0, 0.0)]);
        p.version = 2;
        assert_eq!(p.check(), Err(PlanError::Version(2)));
        let mut p = plan(vec![key(0, 0.0)]);
        p.redactions.push(p.redactions[0].clone());
        assert!(matches!(p.check(), Err(PlanError::Redaction { id: 1, .. })));
    }

    #[test]
    fn what_is_added_later_is_of_other_subjects() {
        let mut p = plan(vec![key(4, 0.0)]);
        p.redactions[0].subject = Some(3);
        let more = |subject| Redaction { subject, ..p.redactions[0].clone() };
        let more = vec![more(Some(1)), more(None), more(Some(1)), more(Some(2))];
        p.extend(more);
        let numbers: Vec<_> = p.redactions.iter().map(|r| (r.id, r.subject)).collect();
        let expected = [Some(3), Some(4), None, Some(4), Some(5)];
        assert_eq!(numbers, (1..).zip(expected).collect::<Vec<_>>());
    }

    #[test]
    fn another_file_is_refused() {
        let p = plan(vec![key(0, 0.0)]);
        let mut other = p.source.clone();
        assert!(p.check_source(&other).is_ok());
        other.timeline = 8;
        assert_eq!(p.check_source(&other), Err(PlanError::OtherSource("the timestamps")));
    }
}
