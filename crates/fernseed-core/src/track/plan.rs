//! From tracks to redactions: what shows somebody, margins, few keyframes.

mod extent;

use super::{Stray, Track};
use crate::geometry::{Rect, Size};
use crate::plan::{Decision, Evidence, Keyframe, Redaction};
use crate::policy::Policy;
use extent::{beyond_border, extents};
use std::collections::BTreeMap;

/// Growth of a tracked subject's box, as a share of that in a single picture: a
/// box that neighbouring frames agree on in place and in size ([`extents`]) is
/// surer than a lone one. It does not slow down for large ones.
const TRACKED_GROWTH: f32 = 0.35;
/// The same of the pixels around it, most of which small faces do not need.
const TRACKED_PAD: f32 = 0.125;
/// Keyframes are dropped while interpolation stays this close, in pixels;
/// the covered box is padded by as much.
const KEYFRAME_TOLERANCE: f32 = 0.75;
/// Most keyframes dropped in a row.
const MAX_DROPPED: usize = 64;

/// Sides of a box up to which margins grow in proportion, in pixels.
const LARGE_SIDE: f32 = 96.0;
/// How fast they grow beyond, compared with that: large faces are placed
/// more exactly.
const LARGE_GROWTH: f32 = 0.5;

/// The covered rectangle for a subject's box in a single picture.
#[must_use]
pub fn covered_rect(subject: Rect, policy: &Policy) -> Rect {
    let side = subject.width().max(subject.height()).max(1.0);
    let margin = (policy.grow - 1.0) * side.min(LARGE_SIDE);
    let further = LARGE_GROWTH * (policy.grow - 1.0) * (side - LARGE_SIDE).max(0.0);
    subject.scaled(1.0 + (margin + further) / side).padded(policy.pad)
}

/// Redactions that hide the tracks in a picture of size `size`. Tracks that
/// lie outside the picture altogether give none.
#[must_use]
pub fn redactions(tracks: &[Track], policy: &Policy, size: Size) -> Vec<Redaction> {
    let mut planner = Planner::new(policy, size);
    tracks.iter().for_each(|track| planner.add(track));
    planner.finish().redactions
}

/// Makes redactions of tracks as they come, so that no track need be kept.
#[derive(Debug)]
pub struct Planner {
    margins: Policy,
    size: Size,
    planned: Vec<Planned>,
    strays: Vec<(u32, Stray)>,
    tracks: u32,
}

/// A redaction and what it was made of.
#[derive(Debug)]
struct Planned {
    /// First frame of its track, by which redactions are put in order.
    first: u64,
    /// Number of the track.
    track: u32,
    redaction: Redaction,
}

/// What a [`Planner`] made of all tracks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlannedRedactions {
    /// In order of the first frames of their tracks; subjects are counted from
    /// 1 in that order.
    pub redactions: Vec<Redaction>,
    /// Those who were lost, but for those who go on as another track: people
    /// who cross each other change tracks at times.
    pub strays: Vec<Stray>,
}

impl Planner {
    /// For a picture of size `size`.
    #[must_use]
    pub fn new(policy: &Policy, size: Size) -> Self {
        let margins = Policy {
            grow: 1.0 + TRACKED_GROWTH * (policy.grow - 1.0),
            pad: TRACKED_PAD * policy.pad,
            ..policy.clone()
        };
        Self { margins, size, planned: Vec::new(), strays: Vec::new(), tracks: 0 }
    }

    /// Adds a track. Who is not to be hidden by the policy is left out.
    pub fn add(&mut self, track: &Track) {
        let number = self.tracks;
        self.tracks += 1;
        self.strays.extend(track.strays.iter().map(|&stray| (number, stray)));
        if !self.margins.hide.contains(&track.label) {
            return;
        }
        let Some(first) = track.points.first().map(|p| p.frame) else { return };
        let seen = track.seen_frames();
        let evidence = Evidence {
            detectors: track.detectors.clone(),
            confidence: track.confidence,
            seen_frames: seen,
            filled_frames: track.points.len() as u64 - seen,
            longest_gap: track.longest_gap,
        };
        let mut piece: Vec<Keyframe> = Vec::new();
        let mut pieces = Vec::new();
        for (point, extent) in track.points.iter().zip(extents(&track.points)) {
            let rect = extent.scaled(self.margins.grow);
            let rect = rect.padded(self.margins.pad + KEYFRAME_TOLERANCE);
            let rect = beyond_border(rect, self.size);
            if rect.intersection(self.size.rect()).is_proper() {
                piece.push(Keyframe { frame: point.frame, rect });
            } else if !piece.is_empty() {
                pieces.push(std::mem::take(&mut piece));
            }
        }
        pieces.push(piece);
        for piece in pieces.into_iter().filter(|p| !p.is_empty()) {
            let redaction = Redaction {
                // Counted when all are known.
                id: 0,
                subject: Some(track.subject),
                label: track.label,
                decision: Decision::PROGRAM,
                evidence: Some(evidence.clone()),
                keyframes: thinned(piece),
            };
            self.planned.push(Planned { first, track: number, redaction });
        }
    }

    /// The redactions of all tracks.
    #[must_use]
    pub fn finish(mut self) -> PlannedRedactions {
        self.planned.sort_by_key(|planned| planned.first);
        let strays = std::mem::take(&mut self.strays);
        let strays = strays.into_iter().filter(|(track, stray)| !self.goes_on(*track, stray));
        let mut strays: Vec<Stray> = strays.map(|(_, stray)| stray).collect();
        strays.sort_by_key(|stray| stray.frame);
        // Subjects are counted from 1, in the order in which they come.
        let mut subjects: BTreeMap<Option<u32>, u32> = BTreeMap::new();
        let redactions = (1..).zip(self.planned).map(|(id, Planned { redaction, .. })| {
            let next = subjects.len() as u32 + 1;
            let subject = *subjects.entry(redaction.subject).or_insert(next);
            Redaction { id, subject: Some(subject), ..redaction }
        });
        PlannedRedactions { redactions: redactions.collect(), strays }
    }

    /// True if who was lost is covered as another track where they were seen.
    fn goes_on(&self, track: u32, stray: &Stray) -> bool {
        let others = self.planned.iter().filter(|other| other.track != track);
        others.filter_map(|other| other.redaction.rect_at(stray.frame)).any(|cover| {
            // About the box that the cover was made of.
            stray.seen.covered_by(cover.scaled(self.margins.grow.max(1.0).recip())) > 0.5
        })
    }
}

/// Drops keyframes that linear interpolation gives back within tolerance. What
/// is returned takes no more memory than it needs.
fn thinned(keys: Vec<Keyframe>) -> Vec<Keyframe> {
    let mut kept: Vec<Keyframe> = keys.first().copied().into_iter().collect();
    let mut anchor = 0;
    for i in 1..keys.len() {
        // A key can go if the line from the anchor to the key after it
        // gives back everything in between.
        let next = i + 1;
        let can_go =
            next < keys.len() && next - anchor < MAX_DROPPED && on_line(&keys[anchor..=next]);
        if !can_go {
            kept.push(keys[i]);
            anchor = i;
        }
    }
    kept.shrink_to_fit();
    kept
}

fn on_line(keys: &[Keyframe]) -> bool {
    let (Some(a), Some(b)) = (keys.first(), keys.last()) else { return true };
    let length = (b.frame - a.frame).max(1) as f32;
    keys.iter().all(|k| {
        let guess = a.rect.lerp(b.rect, (k.frame - a.frame) as f32 / length);
        [
            guess.left - k.rect.left,
            guess.top - k.rect.top,
            guess.right - k.rect.right,
            guess.bottom - k.rect.bottom,
        ]
        .iter()
        .all(|d| d.abs() <= KEYFRAME_TOLERANCE)
    })
}
