//! Somebody who is in one place, and a moment later in another.
//!
//! Who moves by more than their own size from frame to frame is blurred
//! beyond recognition for a detector, though not for people and not for
//! every network, and no association by place brings the two ends together.
//! Where one subject vanishes at once and one of the same size appears as
//! suddenly, the way between is covered as well. Nothing is taken away for
//! it: both keep the covers they have, so that a wrong guess hides too much
//! for a moment and never too little.

use super::{Clock, SUPPORT};
use crate::geometry::Rect;
use crate::track::associate::Link;
use crate::track::{Track, TrackPoint, TrackSettings};

/// Seconds a leap takes at most.
const LONGEST: f64 = 0.4;
/// How many times its larger side somebody moves in a leap, at least; less
/// is for the associator.
const SHORTEST_WAY: f32 = 1.5;
/// Sides differ by this factor at most.
const ALIKE: f32 = 1.5;
/// Somebody may be this many frames ahead of an even motion, or behind it:
/// they start and stop at once, and not every frame was looked at.
const UNEVEN: f64 = 2.0;
/// How much larger than at its ends a box is on the way, where nothing is
/// seen of it.
const GROWTH: f32 = 1.25;
/// Between two sights that are further apart than this share of the larger
/// side, or of which one is [`ALIKE`] times as large, a chain may have gone over
/// from one subject to another.
const JUMP: f32 = 0.75;

/// A part of a chain that is certainly one subject, and was seen for a while.
#[derive(Clone, Copy, Debug)]
struct Part {
    /// Number of the piece it belongs to.
    subject: u32,
    first: Link,
    last: Link,
}

/// Between what leaps may lie.
#[derive(Debug, Default)]
pub(super) struct Leaps {
    parts: Vec<Part>,
}

impl Leaps {
    /// Adds a piece of a chain. Where that may have gone over from somebody (or
    /// a thing) to somebody else who leapt there, they are looked for as well.
    pub(super) fn add(&mut self, subject: u32, links: &[Link]) {
        let parts = links.chunk_by(|a, b| !is_jump(a.detection.rect, b.detection.rect));
        self.parts.extend(
            parts.filter(|part| part.len() >= SUPPORT).filter_map(|part| {
                Some(Part { subject, first: *part.first()?, last: *part.last()? })
            }),
        );
    }

    /// The ways between pieces of chains, each as a track of its own; its
    /// subject is the number of the piece it leads away from.
    pub(super) fn tracks(mut self, clock: &Clock, settings: &TrackSettings) -> Vec<Track> {
        // By their beginnings: of those of hours, few come soon after another ends.
        self.parts.sort_by_key(|part| (part.first.frame, part.subject));
        let mut pairs = Vec::new();
        for (i, from) in self.parts.iter().enumerate() {
            let a = &from.last;
            let soonest = self.parts.partition_point(|to| to.first.frame <= a.frame);
            for (j, to) in self.parts.iter().enumerate().skip(soonest) {
                if to.first.seconds - a.seconds > LONGEST {
                    break;
                }
                if let Some(distance) = leap(a, &to.first, clock, settings) {
                    pairs.push((distance, i, j));
                }
            }
        }
        // Nobody leaps to two places, nor from two.
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        let mut left = vec![false; self.parts.len()];
        let mut come = left.clone();
        let mut out = Vec::new();
        for (_, i, j) in pairs {
            if left[i] || come[j] {
                continue;
            }
            (left[i], come[j]) = (true, true);
            let (from, to) = (&self.parts[i], &self.parts[j]);
            out.push(way(from.subject, (&from.last, &to.first), clock));
        }
        out
    }
}

/// How far apart two ends are, in sides, if there may be a leap between them.
fn leap(a: &Link, b: &Link, clock: &Clock, settings: &TrackSettings) -> Option<f32> {
    let time = b.seconds - a.seconds;
    let frames = b.frame.checked_sub(a.frame)?;
    // Heads that turn away and people who go out of sight grow faint first.
    let sure = a.detection.confidence.min(b.detection.confidence) >= settings.threshold;
    if frames < 2 || time > LONGEST || !sure || a.detection.label != b.detection.label {
        return None;
    }
    if clock.shot_of(a.frame) != clock.shot_of(b.frame) {
        return None;
    }
    let (distance, ratio) = apart(a.detection.rect, b.detection.rect);
    (ratio <= ALIKE && distance >= SHORTEST_WAY).then_some(distance)
}

/// How far apart two boxes are, in sides of the larger, and how many times as
/// large as the other that is.
fn apart(from: Rect, to: Rect) -> (f32, f32) {
    let (small, large) = (side(from).min(side(to)), side(from).max(side(to)));
    let ((x0, y0), (x1, y1)) = (from.centre(), to.centre());
    ((x0 - x1).hypot(y0 - y1) / large, large / small)
}

fn is_jump(from: Rect, to: Rect) -> bool {
    let (distance, ratio) = apart(from, to);
    distance > JUMP || ratio > ALIKE
}

fn side(rect: Rect) -> f32 {
    rect.area().sqrt().max(1.0)
}

/// The track of a leap, from the last sight before to the first one after.
fn way(subject: u32, (a, b): (&Link, &Link), clock: &Clock) -> Track {
    let (from, to) = (a.detection.rect, b.detection.rect);
    let length = (b.seconds - a.seconds).max(1e-9);
    let slack = UNEVEN / (b.frame - a.frame).max(1) as f64;
    let point = |frame: u64| {
        let t = (clock.at(frame) - a.seconds) / length;
        let at = |t: f64| from.lerp(to, t.clamp(0.0, 1.0) as f32).scaled(GROWTH);
        let rect = at(t - slack).union(at(t + slack));
        TrackPoint { frame, rect, seen: false }
    };
    let ends =
        |link: &Link| TrackPoint { frame: link.frame, rect: link.detection.rect, seen: true };
    let mut points = vec![ends(a)];
    points.extend((a.frame + 1..b.frame).map(point));
    points.push(ends(b));
    let mut detectors = vec![a.detection.source, b.detection.source];
    detectors.sort_unstable();
    detectors.dedup();
    Track {
        label: a.detection.label,
        subject,
        points,
        confidence: a.detection.confidence.min(b.detection.confidence),
        detectors,
        longest_gap: b.frame - a.frame - 1,
        strays: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{Detection, DetectorId, Label};
    use crate::geometry::Orientation;

    const RATE: f64 = 25.0;

    fn link(frame: u64, x: f32, side: f32, confidence: f32) -> Link {
        let rect = Rect::centred(x, 100.0, side, side);
        let source = DetectorId::Centerface;
        let detection =
            Detection { rect, label: Label::Face, confidence, source, turn: Orientation::Upright };
        Link { frame, seconds: frame as f64 / RATE, detection }
    }

    fn run(frames: std::ops::RangeInclusive<u64>, x: f32, side: f32, confidence: f32) -> Vec<Link> {
        frames.map(|f| link(f, x, side, confidence)).collect()
    }

    fn found(from: &[Link], to: &[Link], cut: Option<u64>) -> Vec<Track> {
        let mut clock = Clock::default();
        for frame in 0..100u64 {
            clock.push(frame as f64 / RATE, (cut == Some(frame)).then_some(frame));
        }
        between(&[from, to], &clock)
    }

    /// The leaps between some pieces, which are numbered from 0.
    fn between(pieces: &[&[Link]], clock: &Clock) -> Vec<Track> {
        let mut leaps = Leaps::default();
        (0..).zip(pieces).for_each(|(subject, links)| leaps.add(subject, links));
        leaps.tracks(clock, &TrackSettings::for_threshold(0.5))
    }

    #[test]
    fn who_is_elsewhere_at_once_is_covered_on_the_way() {
        let (from, to) = (run(0..=30, 200.0, 80.0, 0.9), run(36..=60, 1400.0, 90.0, 0.9));
        let tracks = found(&from, &to, None);
        assert_eq!(tracks.len(), 1);
        let points = &tracks[0].points;
        assert_eq!((points[0].frame, points[points.len() - 1].frame), (30, 36));
        // Starting late, stopping early, and moving evenly between.
        for start in 30..=31u64 {
            for end in 35..=36u64 {
                for p in &points[1..points.len() - 1] {
                    let t = (p.frame as f32 - start as f32) / (end - start) as f32;
                    let x = 200.0 + 1200.0 * t.clamp(0.0, 1.0);
                    let face = Rect::centred(x, 100.0, 80.0, 80.0);
                    assert!(face.covered_by(p.rect) > 0.99, "frame {} {start} {end}", p.frame);
                }
            }
        }
    }

    #[test]
    fn others_are_not_taken_for_a_leap() {
        let from = run(0..=30, 200.0, 80.0, 0.9);
        let none = |to: &[Link], cut| assert!(found(&from, to, cut).is_empty());
        none(&run(45..=60, 1400.0, 80.0, 0.9), None); // too late
        none(&run(36..=60, 1400.0, 160.0, 0.9), None); // another size
        none(&run(36..=60, 1400.0, 80.0, 0.4), None); // faint
        none(&run(36..=37, 1400.0, 80.0, 0.9), None); // hardly seen
        none(&run(20..=60, 1400.0, 80.0, 0.9), None); // there before
        none(&run(36..=60, 260.0, 80.0, 0.9), None); // near
        none(&run(36..=60, 1400.0, 80.0, 0.9), Some(34)); // another shot
        none(&run(31..=60, 1400.0, 80.0, 0.9), None); // no frame between
    }

    #[test]
    fn who_leaps_into_the_chain_of_something_else_is_covered_on_the_way() {
        let from = run(0..=30, 200.0, 80.0, 0.9);
        // A lamp near where they come to, and they themselves from there on.
        let mut other = run(0..=34, 1350.0, 110.0, 0.9);
        other.extend(run(36..=60, 1450.0, 80.0, 0.9));
        let mut clock = Clock::default();
        (0..100u64).for_each(|f| clock.push(f as f64 / RATE, None));
        let tracks = between(&[&other, &from], &clock);
        assert_eq!(tracks.len(), 1);
        assert_eq!(tracks[0].subject, 1);
        let ends = (tracks[0].points[0].frame, tracks[0].points[6].frame);
        assert_eq!(ends, (30, 36));
    }

    #[test]
    fn nobody_leaps_to_two_places() {
        let from = run(0..=30, 200.0, 80.0, 0.9);
        let (near, far) = (run(34..=60, 600.0, 80.0, 0.9), run(34..=60, 1500.0, 80.0, 0.9));
        let mut clock = Clock::default();
        (0..100u64).for_each(|f| clock.push(f as f64 / RATE, None));
        let tracks = between(&[&from, &far, &near], &clock);
        assert_eq!(tracks.len(), 1);
        assert!(tracks[0].points.iter().all(|p| p.rect.right < 800.0));
    }
}
