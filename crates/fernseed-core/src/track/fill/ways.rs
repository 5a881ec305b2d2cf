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
/// Seconds for which the end of a way stays covered.
const HOLD: f64 = 0.25;
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

    /// The way away from a sight.
    fn away(link: &Link, path: &Path, clock: &Clock) -> Self {
        let mut boxes = vec![(link.seconds, link.detection.rect)];
        boxes.extend(path.steps.iter().map(|s| (clock.at(s.frame), s.rect)));
        if !path.forwards {
            boxes.reverse();
        }
        Self(boxes)
    }

    /// Where they were at `seconds`. Before the beginning and after the end:
    /// both where they were there, and where their last motion leads.
    pub(super) fn at(&self, seconds: f64) -> Rect {
        let line = |(t0, a): (f64, Rect), (t1, b): (f64, Rect)| {
            a.lerp(b, ((seconds - t0) / (t1 - t0).max(1e-9)) as f32)
        };
        let after = self.0.partition_point(|(at, _)| *at < seconds);
        let beyond = |end: (f64, Rect), before: Option<&(f64, Rect)>| {
            let moved = before.map_or(end.1, |&before| match end.0 >= before.0 {
                true => line(before, end),
                false => line(end, before),
            });
            let ((x0, y0), (x1, y1)) = (end.1.centre(), moved.centre());
            let limit = |way: f32, side: f32| way.clamp(-side, side);
            let (width, height) = (end.1.width(), end.1.height());
            end.1.union(end.1.shifted(limit(x1 - x0, width), limit(y1 - y0, height)))
        };
        match (after.checked_sub(1).map(|i| self.0[i]), self.0.get(after)) {
            (Some(a), Some(&b)) => line(a, b),
            (Some(end), None) => beyond(end, after.checked_sub(2).and_then(|i| self.0.get(i))),
            (None, Some(&start)) if seconds < start.0 => beyond(start, self.0.get(1)),
            (None, Some(&start)) => start.1,
            // A way has at least its sight.
            (None, None) => Rect::new(0.0, 0.0, 1.0, 1.0),
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
        let to = (end..=last).take_while(held).last().unwrap_or(end);
        (link.frame + 1..=to).map(point).collect()
    } else {
        let to = (first..=end).rev().take_while(held).last().unwrap_or(end);
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
        points: (from..=to).map(point).collect(),
        confidence: link.detection.confidence,
        detectors: vec![link.detection.source],
        longest_gap: 0,
        strays: Vec::new(),
    })
}
