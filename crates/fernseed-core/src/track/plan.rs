//! From tracks to redactions: margins for motion and shape, few keyframes.

use super::Track;
use crate::geometry::{Rect, Size};
use crate::plan::{Action, DecidedBy, Decision, Evidence, Keyframe, Redaction};
use crate::policy::Policy;
use std::collections::BTreeMap;

/// Frames to either side whose boxes are covered too: encoders and shutters
/// smear a moving face over its neighbours.
const SMEAR_FRAMES: usize = 2;
/// Beyond the next frame only what moves is smeared: by more than this share
/// of its side.
const SMEAR_MOTION: f32 = 0.1;
/// Margins of a tracked subject, as a share of those in a single picture: a
/// box that neighbouring frames agree on is surer than a lone one.
const TRACKED_MARGIN: f32 = 0.5;
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
    let margins = Policy {
        grow: 1.0 + TRACKED_MARGIN * (policy.grow - 1.0),
        pad: TRACKED_MARGIN * policy.pad,
        ..policy.clone()
    };
    let mut out = Vec::new();
    // Subjects are counted from 1, in the order in which they come.
    let mut subjects: BTreeMap<u32, u32> = BTreeMap::new();
    for track in tracks.iter().filter(|t| policy.hide.contains(&t.label)) {
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
        for (i, point) in track.points.iter().enumerate() {
            let rect = covered_rect(smeared(track, i), &margins).padded(KEYFRAME_TOLERANCE);
            if rect.intersection(size.rect()).is_proper() {
                piece.push(Keyframe { frame: point.frame, rect });
            } else if !piece.is_empty() {
                pieces.push(std::mem::take(&mut piece));
            }
        }
        pieces.push(piece);
        for piece in pieces.into_iter().filter(|p| !p.is_empty()) {
            let next = subjects.len() as u32 + 1;
            let subject = *subjects.entry(track.subject).or_insert(next);
            out.push(Redaction {
                id: out.len() as u32 + 1,
                subject: Some(subject),
                label: track.label,
                decision: Decision { action: Action::Hide, by: DecidedBy::Program },
                evidence: Some(evidence.clone()),
                keyframes: thinned(piece),
            });
        }
    }
    out
}

/// The box at point `i` together with those of its neighbours.
fn smeared(track: &Track, i: usize) -> Rect {
    let from = i.saturating_sub(SMEAR_FRAMES);
    let to = (i + SMEAR_FRAMES + 1).min(track.points.len());
    let own = track.points[i].rect;
    let moved = |other: Rect| {
        let ((x0, y0), (x1, y1)) = (own.centre(), other.centre());
        (x0 - x1).hypot(y0 - y1) > SMEAR_MOTION * own.area().sqrt()
    };
    (from..to)
        .map(|j| (j, track.points[j].rect))
        .filter(|(j, rect)| j.abs_diff(i) <= 1 || moved(*rect))
        .fold(own, |all, (_, rect)| all.union(rect))
}

/// Drops keyframes that linear interpolation gives back within tolerance.
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
