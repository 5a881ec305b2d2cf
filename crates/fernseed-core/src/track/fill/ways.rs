//! What following somebody adds to lines drawn between sights.
//!
//! Between two sights, the way forwards from the one and the way backwards
//! from the other either agree, and then that is where somebody went; or
//! they do not, and then all of them are covered, besides the straight line.
//! Beyond the first and the last sight a way is covered as far as it goes.

use super::{Clock, doubt};
use crate::geometry::Rect;
use crate::track::associate::Link;
use crate::track::paths::Path;
use crate::track::{Track, TrackPoint};

/// How far apart two ways that agree are at most, as a share of the side.
const AGREE: f32 = 0.2;
/// Growth at the middle of a gap: the place is known there, but the outline
/// may have changed.
const CHANGE: f32 = 0.12;
/// Growth at the end of a way that no second one confirms: every step adds its
/// error to those before, and who is half hidden is followed by what is left ...
const DRIFT: f32 = 0.3;
/// ... all of it after so many seconds.
const DRIFT_TIME: f64 = 0.6;
/// Seconds for which the end of a way stays covered, ...
const HOLD: f64 = 0.25;
/// ... and frames at most: clocks stand still in damaged files, and then every
/// way would be held to the end of the shot.
const HOLD_FRAMES: usize = 64;
/// Share of a box on a way that lies in the cover there if both are one.
const NEAR: f32 = 0.3;

/// Where somebody went between two sights: boxes in order of time.
pub(super) struct Way(Vec<(f64, Rect)>);

impl Way {
    /// The way on which both directions agree.
    pub(super) fn agreed(
        (a, b): (&Link, &Link),
        forwards: &Path,
        backwards: &Path,
        clock: &Clock,
    ) -> Option<Self> {
        let (from, to) = (a.detection.rect, b.detection.rect);
        let complete = forwards.steps.len() == backwards.steps.len();
        let length = (b.seconds - a.seconds).max(1e-9);
        let mut boxes = vec![(a.seconds, from)];
        for (there, back) in forwards.steps.iter().zip(backwards.steps.iter().rev()) {
            let seconds = clock.at(there.frame);
            let t = ((seconds - a.seconds) / length).clamp(0.0, 1.0) as f32;
            let usual = from.lerp(to, t);
            let ((x0, y0), (x1, y1)) = (there.rect.centre(), back.rect.centre());
            let apart = (x0 - x1).hypot(y0 - y1) / usual.area().sqrt().max(1.0);
            if !complete || there.frame != back.frame || apart > AGREE {
                return None;
            }
            let usual = usual.scaled(1.0 + CHANGE * doubt(length, t));
            let sized = |(x, y)| Rect::centred(x, y, usual.width(), usual.height());
            boxes.push((seconds, sized((x0, y0)).union(sized((x1, y1)))));
        }
        boxes.push((b.seconds, to));
        complete.then_some(Self(boxes))
    }

    /// The way away from a sight: the further, the wider.
    fn away(link: &Link, path: &Path, clock: &Clock) -> Self {
        let mut boxes = vec![(link.seconds, link.detection.rect)];
        boxes.extend(path.steps.iter().map(|step| {
            let seconds = clock.at(step.frame);
            let far = ((seconds - link.seconds).abs() / DRIFT_TIME).min(1.0) as f32;
            (seconds, step.rect.scaled(1.0 + DRIFT * far))
        }));
        if !path.forwards {
            boxes.reverse();
        }
        Self(boxes)
    }

    /// Where they were at `seconds`. Before the beginning and after the end:
    /// both where they were there, and where their last motion leads.
    pub(super) fn at(&self, seconds: f64) -> Rect {
        let line = |(t0, a): (f64, Rect), (t1, b): (f64, Rect)| {
            // A clock that stands still tells of no motion.
            if t1 - t0 < 1e-9 { b } else { a.lerp(b, ((seconds - t0) / (t1 - t0)) as f32) }
        };
        // Both where the way ends and where its last motion leads from there.
        let beyond = |end: Rect, moved: Rect| {
            let ((x0, y0), (x1, y1)) = (end.centre(), moved.centre());
            let limit = |way: f32, side: f32| way.clamp(-side, side);
            end.union(end.shifted(limit(x1 - x0, end.width()), limit(y1 - y0, end.height())))
        };
        let after = self.0.partition_point(|(at, _)| *at < seconds);
        match (&self.0[..after], &self.0[after..]) {
            ([.., a], [b, ..]) => line(*a, *b),
            ([.., a, end], []) => beyond(end.1, line(*a, *end)),
            ([], [start, b, ..]) if seconds < start.0 => beyond(start.1, line(*start, *b)),
            ([.., only], []) | ([], [only, ..]) => only.1,
            // A way has at least its sight.
            ([], []) => Rect::new(0.0, 0.0, 1.0, 1.0),
        }
    }
}

/// Covers a path away from `link`, one of `main`'s sights. Where the path is
/// near what `main` covers, that is widened; where it goes on beyond the ends
/// of `main`, `main` goes on with it; what is left, a way that leads elsewhere,
/// is returned as a track of its own.
pub(super) fn cover(main: &mut Track, link: &Link, path: &Path, clock: &Clock) -> Option<Track> {
    let end = path.steps.last()?.frame;
    let (first, last) = clock.shot_of(link.frame);
    let held = |f: &u64| (clock.at(*f) - clock.at(end)).abs() <= HOLD;
    let way = Way::away(link, path, clock);
    let point = |frame| TrackPoint { frame, rect: way.at(clock.at(frame)), seen: false };
    // Outwards from the sight.
    let points: Vec<TrackPoint> = if path.forwards {
        let to = (end..=last).take(HOLD_FRAMES).take_while(held).last().unwrap_or(end);
        (link.frame + 1..=to).map(point).collect()
    } else {
        let to = (first..=end).rev().take(HOLD_FRAMES).take_while(held).last().unwrap_or(end);
        (to..link.frame).rev().map(point).collect()
    };
    let mut elsewhere: Vec<TrackPoint> = Vec::new();
    let mut ahead: Vec<TrackPoint> = Vec::new();
    for point in points {
        let start = main.points.first().map_or(0, |p| p.frame);
        let own = point.frame.checked_sub(start).map(|i| i as usize);
        let goes_on = elsewhere.last().is_none_or(|p| p.frame.abs_diff(point.frame) > 1);
        match own.and_then(|i| main.points.get_mut(i)) {
            Some(own) if point.rect.covered_by(own.rect) >= NEAR => {
                own.rect = own.rect.union(point.rect);
            }
            None if goes_on => ahead.push(point),
            _ => elsewhere.push(point),
        }
    }
    if path.forwards {
        main.points.append(&mut ahead);
    } else {
        ahead.reverse();
        elsewhere.reverse();
        main.points.splice(..0, ahead);
    }
    let (from, to) = (elsewhere.first()?.frame, elsewhere.last()?.frame);
    Some(Track {
        label: link.detection.label,
        subject: main.subject,
        points: (from..=to).map(point).collect(),
        confidence: link.detection.confidence,
        detectors: vec![link.detection.source],
        longest_gap: 0,
        strays: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{Detection, DetectorId, Label};
    use crate::geometry::Orientation;
    use crate::track::paths::Step;

    fn at(x: f32) -> Rect {
        Rect::centred(x, 100.0, 40.0, 50.0)
    }

    /// Somebody who is covered where they stood, at 500, in frames 10 to 20,
    /// and was seen in frame 15.
    fn standing() -> (Track, Link) {
        let source = DetectorId::Fake;
        let detection = Detection {
            rect: at(500.0),
            label: Label::Face,
            confidence: 0.9,
            source,
            turn: Orientation::Upright,
        };
        let point = |frame| TrackPoint { frame, rect: at(500.0), seen: frame == 15 };
        let track = Track {
            label: Label::Face,
            subject: 0,
            points: (10..=20).map(point).collect(),
            confidence: 0.9,
            detectors: vec![source],
            longest_gap: 0,
            strays: Vec::new(),
        };
        (track, Link { frame: 15, seconds: 15.0 / 25.0, detection })
    }

    fn clock(seconds: impl Fn(u64) -> f64) -> Clock {
        let mut clock = Clock::default();
        (0..10_000).for_each(|f| clock.push(seconds(f), None));
        clock
    }

    /// A path of ten frames away from frame 15.
    fn path(forwards: bool, x: impl Fn(f32) -> f32) -> Path {
        let frame = |i: u64| if forwards { 15 + i } else { 15 - i };
        let step = |i: u64| Step { frame: frame(i), rect: at(x(i as f32)) };
        Path { link: 0, forwards, steps: (1..=10).map(step).collect() }
    }

    fn spans(track: &Track) -> (u64, u64) {
        assert!(track.points.windows(2).all(|w| w[0].frame + 1 == w[1].frame));
        (track.points[0].frame, track.points[track.points.len() - 1].frame)
    }

    #[test]
    fn a_way_nearby_widens_the_cover_and_goes_on_with_it() {
        for forwards in [true, false] {
            let (mut main, link) = standing();
            let clock = clock(|f| f as f64 / 25.0);
            let path = path(forwards, |i| 500.0 + 2.0 * i);
            assert!(cover(&mut main, &link, &path, &clock).is_none());
            // To the end of the path, and a quarter of a second more.
            assert_eq!(spans(&main), if forwards { (10, 31) } else { (0, 20) });
            for step in &path.steps {
                let own = main.points.iter().find(|p| p.frame == step.frame).unwrap();
                assert!(step.rect.covered_by(own.rect) > 0.999, "{}", step.frame);
            }
        }
    }

    #[test]
    fn a_way_elsewhere_is_covered_besides() {
        for forwards in [true, false] {
            let (mut main, link) = standing();
            let clock = clock(|f| f as f64 / 25.0);
            let path = path(forwards, |i| 500.0 + 30.0 * i);
            let other = cover(&mut main, &link, &path, &clock).unwrap();
            assert_eq!(spans(&main), (10, 20), "nothing is taken away, nothing added");
            assert_eq!(spans(&other), if forwards { (16, 31) } else { (0, 14) });
            for step in path.steps.iter().filter(|s| s.rect.covered_by(at(500.0)) < NEAR) {
                let point = other.points.iter().find(|p| p.frame == step.frame).unwrap();
                assert!(step.rect.covered_by(point.rect) > 0.999, "{}", step.frame);
            }
        }
    }

    #[test]
    fn a_clock_that_stands_still_holds_nobody_for_ever() {
        let (mut main, link) = standing();
        let path = path(true, |i| 500.0 + 2.0 * i);
        assert!(cover(&mut main, &link, &path, &clock(|_| 0.6)).is_none());
        assert!(spans(&main).1 < 25 + HOLD_FRAMES as u64);
    }
}
