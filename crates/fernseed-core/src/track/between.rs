//! What happened between two looks at whole frames.
//!
//! Looking at every frame as a whole costs too much, and between two looks a
//! face may appear, vanish or change its mind. Looking near a known place
//! costs next to nothing. So whole frames are looked at a few times a
//! second, and the frames between are asked only what is in doubt: where
//! somebody who moved was half way (bisection until the motion between two
//! sights is small), since when somebody new was there (backwards), and
//! until when somebody lost was (forwards). Somebody who was lost is looked
//! for near their place for a while, since heads turn away and come back.
//!
//! The functions are pure: pictures stay with the caller, who passes a
//! closure that looks near given boxes.

use super::TrackSettings;
use super::associate::affinity;
use crate::detect::{DetectError, Detection};
use crate::geometry::Rect;

/// Looks near boxes and returns all detections there at or above the floor.
pub type Near<'a> = dyn FnMut(&[Rect]) -> Result<Vec<Detection>, DetectError> + 'a;

/// The same in one of several frames, by position.
pub type NearIn<'a> = dyn FnMut(usize, &[Rect]) -> Result<Vec<Detection>, DetectError> + 'a;

/// Seconds for which somebody lost is looked for near their place.
const REMEMBER: f64 = 1.5;
/// Motion between two sights, as a share of the side, up to which a straight
/// line is near enough.
const STILL: f32 = 0.12;
/// Motion up to which a straight line that proved right in its middle needs
/// no further look: what is left is a quarter of the error there.
const STEADY: f32 = 1.5;
/// How right, as a share of the side; boxes jitter by half as much.
const ON_LINE: f32 = 0.1;
/// Growth between two sights that counts as motion.
const GROWN: f32 = 1.15;
/// Frames in a row without a sight after which the search for a beginning or
/// an end stops.
const MISSES: usize = 2;
/// A sight near an expected place may be off by as much as somebody moves in
/// this many seconds.
const LEEWAY: f64 = 0.15;
/// Boxes that overlap this much are one sight.
const SAME: f32 = 0.4;

/// Somebody seen in a frame that was looked at.
#[derive(Clone, Copy, Debug)]
struct Seen {
    detection: Detection,
    /// Pixels per second.
    velocity: (f32, f32),
    /// Highest confidence so far.
    best: f32,
    /// Their number in the look before.
    before: Option<usize>,
}

/// Somebody who was seen and is not any more.
#[derive(Clone, Copy, Debug)]
struct Lost {
    rect: Rect,
    at: f64,
}

/// All that is known of one frame that was looked at as a whole.
#[derive(Clone, Debug, Default)]
pub struct Glimpse {
    seconds: f64,
    seen: Vec<Seen>,
    lost: Vec<Lost>,
}

impl Glimpse {
    /// The first look of a shot.
    #[must_use]
    pub fn first(seconds: f64, found: Vec<Detection>) -> Self {
        let seen = found
            .into_iter()
            .map(|detection| {
                let best = detection.confidence;
                Seen { detection, velocity: (0.0, 0.0), best, before: None }
            })
            .collect();
        Self { seconds, seen, lost: Vec::new() }
    }

    /// The look after this one: `found` is what the look at the whole frame
    /// saw; who is missing from it is looked for near their place.
    ///
    /// # Errors
    /// What `near` says.
    pub fn then(
        &self,
        seconds: f64,
        mut found: Vec<Detection>,
        settings: &TrackSettings,
        near: &mut Near<'_>,
    ) -> Result<Self, DetectError> {
        let mut pairs = self.matched(seconds, &found);
        let missing: Vec<usize> = (0..self.seen.len())
            .filter(|i| !pairs.iter().any(|p| p.0 == *i) && self.matters(*i, settings))
            .collect();
        let remembered =
            self.lost.iter().filter(|l| seconds - l.at <= REMEMBER).copied().collect::<Vec<_>>();
        let mut boxes: Vec<Rect> = missing.iter().map(|i| self.expected(*i, seconds)).collect();
        boxes.extend(remembered.iter().map(|l| l.rect));
        if !boxes.is_empty() {
            let sights = near(&boxes)?;
            let fits = |d: &Detection| boxes.iter().any(|b| affinity(*b, *b, d.rect, LEEWAY) > 0.0);
            sights.into_iter().filter(fits).for_each(|sight| add(&mut found, sight));
            pairs = self.matched(seconds, &found);
        }
        let dt = ((seconds - self.seconds) as f32).max(1e-3);
        let seen: Vec<Seen> = found
            .into_iter()
            .enumerate()
            .map(|(i, detection)| {
                let before = pairs.iter().find(|p| p.1 == i).map(|p| p.0);
                let velocity = before.map_or((0.0, 0.0), |b| {
                    let (x0, y0) = self.seen[b].detection.rect.centre();
                    let (x1, y1) = detection.rect.centre();
                    ((x1 - x0) / dt, (y1 - y0) / dt)
                });
                let known = before.map_or(0.0, |b| self.seen[b].best);
                Seen { detection, velocity, best: known.max(detection.confidence), before }
            })
            .collect();
        let still_lost = |rect: Rect| !seen.iter().any(|s| s.detection.rect.iou(rect) > 0.1);
        let mut lost: Vec<Lost> = remembered.into_iter().filter(|l| still_lost(l.rect)).collect();
        lost.extend(
            missing
                .into_iter()
                .filter(|i| !seen.iter().any(|s| s.before == Some(*i)))
                .map(|i| Lost { rect: self.seen[i].detection.rect, at: self.seconds })
                .filter(|l| still_lost(l.rect)),
        );
        Ok(Self { seconds, seen, lost })
    }

    /// What was seen.
    pub fn detections(&self) -> impl Iterator<Item = Detection> + '_ {
        self.seen.iter().map(|s| s.detection)
    }

    /// True if losing this one is worth a look.
    fn matters(&self, index: usize, settings: &TrackSettings) -> bool {
        self.seen[index].best >= settings.threshold
    }

    /// Where somebody should be at `seconds`.
    fn expected(&self, index: usize, seconds: f64) -> Rect {
        let Seen { detection, velocity: (vx, vy), .. } = self.seen[index];
        let dt = (seconds - self.seconds) as f32;
        detection.rect.shifted(vx * dt, vy * dt)
    }

    /// Who of this look is who in `found`: best pairs first.
    fn matched(&self, seconds: f64, found: &[Detection]) -> Vec<(usize, usize)> {
        let gap = (seconds - self.seconds).max(0.0);
        let mut pairs = Vec::new();
        for (i, seen) in self.seen.iter().enumerate() {
            let expected = self.expected(i, seconds);
            for (j, other) in found.iter().enumerate() {
                if other.label != seen.detection.label {
                    continue;
                }
                let score = affinity(expected, seen.detection.rect, other.rect, gap);
                if score > 0.0 {
                    pairs.push((score, i, j));
                }
            }
        }
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        let mut taken: Vec<(usize, usize)> = Vec::new();
        for (_, i, j) in pairs {
            if !taken.iter().any(|t| t.0 == i || t.1 == j) {
                taken.push((i, j));
            }
        }
        taken
    }
}

/// What was seen in the frames between two looks of one shot, at the times
/// `times`, by looks near the places in doubt. Where nothing was in doubt
/// nothing is seen, and the tracker draws a line.
///
/// # Errors
/// What `near` says.
pub fn between(
    previous: &Glimpse,
    next: &Glimpse,
    times: &[f64],
    settings: &TrackSettings,
    near: &mut NearIn<'_>,
) -> Result<Vec<Vec<Detection>>, DetectError> {
    let mut search = Search { times, near, out: vec![Vec::new(); times.len()] };
    for seen in &next.seen {
        let end = (next.seconds, seen.detection.rect);
        if let Some(before) = seen.before {
            // Clutter is seen faintly all over a picture, look after look.
            // Asking after each of it cost as much as all whole looks, and
            // a straight line does for it, should it be somebody after all.
            if seen.best < settings.doubtful() {
                continue;
            }
            let start = (previous.seconds, previous.seen[before].detection.rect);
            search.bisect(start, end, 0, times.len())?;
        } else if seen.detection.confidence >= settings.threshold {
            search.walk((0..times.len()).rev(), end)?;
        }
    }
    for (i, seen) in previous.seen.iter().enumerate() {
        let went_on = next.seen.iter().any(|s| s.before == Some(i));
        if !went_on && previous.matters(i, settings) {
            search.walk(0..times.len(), (previous.seconds, seen.detection.rect))?;
        }
    }
    Ok(search.out)
}

/// A search through the frames between two looks.
struct Search<'a, 'n> {
    times: &'a [f64],
    near: &'a mut NearIn<'n>,
    out: Vec<Vec<Detection>>,
}

impl Search<'_, '_> {
    /// Looks half way between two sights, frames `from..to` lying between,
    /// until what lies between is clear.
    fn bisect(
        &mut self,
        start: (f64, Rect),
        end: (f64, Rect),
        from: usize,
        to: usize,
    ) -> Result<(), DetectError> {
        let motion = motion(start.1, end.1);
        // The middle between two whole looks is always asked: a shaking
        // camera comes back to where it was.
        let whole = from == 0 && to == self.times.len();
        if from >= to || (motion <= STILL && !whole) {
            return Ok(());
        }
        let middle = from + (to - from) / 2;
        let seconds = self.times[middle];
        let t = ((seconds - start.0) / (end.0 - start.0).max(1e-6)).clamp(0.0, 1.0) as f32;
        let guess = start.1.lerp(end.1, t);
        let Some(found) = self.look(middle, guess)? else { return Ok(()) };
        if motion <= STEADY && distance(guess, found) <= ON_LINE {
            return Ok(());
        }
        self.bisect(start, (seconds, found), from, middle)?;
        self.bisect((seconds, found), end, middle + 1, to)
    }

    /// Follows somebody through frames in the given order until they are
    /// not seen any more.
    fn walk(
        &mut self,
        frames: impl Iterator<Item = usize>,
        start: (f64, Rect),
    ) -> Result<(), DetectError> {
        let (mut seconds, mut rect, mut velocity) = (start.0, start.1, (0.0f32, 0.0f32));
        let mut misses = 0;
        for frame in frames {
            let dt = (self.times[frame] - seconds) as f32;
            match self.look(frame, rect.shifted(velocity.0 * dt, velocity.1 * dt))? {
                Some(found) => {
                    let ((x0, y0), (x1, y1)) = (rect.centre(), found.centre());
                    if dt.abs() > 1e-4 {
                        velocity = ((x1 - x0) / dt, (y1 - y0) / dt);
                    }
                    (seconds, rect, misses) = (self.times[frame], found, 0);
                }
                None => {
                    misses += 1;
                    if misses >= MISSES {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Looks near one box in one frame; the sight that fits it best.
    fn look(&mut self, frame: usize, expected: Rect) -> Result<Option<Rect>, DetectError> {
        let found = (self.near)(frame, &[expected])?;
        let fit = |r: Rect| affinity(expected, expected, r, LEEWAY);
        let best = found
            .iter()
            .map(|d| (fit(d.rect), *d))
            .filter(|(score, _)| *score > 0.0)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        // Other things near there are left to looks that see them whole.
        if let Some((_, sight)) = best {
            add(&mut self.out[frame], sight);
        }
        Ok(best.map(|(_, sight)| sight.rect))
    }
}

/// Adds a sight unless it is there already; of two the surer one stays.
fn add(all: &mut Vec<Detection>, new: Detection) {
    match all.iter_mut().find(|d| d.label == new.label && d.rect.iou(new.rect) >= SAME) {
        Some(same) if same.confidence < new.confidence => *same = new,
        Some(_) => {}
        None => all.push(new),
    }
}

fn side(rect: Rect) -> f32 {
    rect.area().sqrt().max(1.0)
}

/// Distance of the centres as a share of the larger side.
fn distance(a: Rect, b: Rect) -> f32 {
    let ((x0, y0), (x1, y1)) = (a.centre(), b.centre());
    (x0 - x1).hypot(y0 - y1) / side(a).max(side(b))
}

/// How much happened between two boxes: their distance, or more than
/// [`STILL`] if one is noticeably larger.
fn motion(a: Rect, b: Rect) -> f32 {
    let ratio = side(a).max(side(b)) / side(a).min(side(b));
    distance(a, b).max(if ratio > GROWN { 2.0 * STILL } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::{DetectorId, Label};

    const SIDE: f32 = 40.0;

    fn face(rect: Rect, confidence: f32) -> Detection {
        Detection { rect, label: Label::Face, confidence, source: DetectorId::Fake }
    }

    fn at(x: f32) -> Rect {
        Rect::centred(x, 100.0, SIDE, SIDE)
    }

    /// Sees a face at `x` if some box is within its own side.
    fn sees(x: f32, boxes: &[Rect]) -> Vec<Detection> {
        let near = boxes.iter().any(|b| (b.centre().0 - x).abs() <= SIDE);
        if near { vec![face(at(x), 0.8)] } else { Vec::new() }
    }

    fn settings() -> TrackSettings {
        TrackSettings::for_threshold(0.5)
    }

    const TIMES: [f64; 5] = [0.04, 0.08, 0.12, 0.16, 0.20];
    const END: f64 = 0.24;

    fn nobody(_: &[Rect]) -> Result<Vec<Detection>, DetectError> {
        Ok(Vec::new())
    }

    #[test]
    fn who_stands_still_costs_one_look() {
        let first = Glimpse::first(0.0, vec![face(at(100.0), 0.9)]);
        let next = first.then(END, vec![face(at(102.0), 0.9)], &settings(), &mut nobody).unwrap();
        let mut looks = 0;
        let out = between(&first, &next, &TIMES, &settings(), &mut |_, boxes| {
            looks += boxes.len();
            Ok(sees(101.0, boxes))
        })
        .unwrap();
        assert_eq!(looks, 1);
        assert_eq!(out.iter().flatten().count(), 1);
    }

    #[test]
    fn clutter_costs_no_look_until_it_is_likely_somebody() {
        let looks = |confidence: f32| {
            let first = Glimpse::first(0.0, vec![face(at(100.0), 0.3)]);
            let found = vec![face(at(130.0), confidence)];
            let next = first.then(END, found, &settings(), &mut nobody).unwrap();
            let mut looks = 0;
            between(&first, &next, &TIMES, &settings(), &mut |_, boxes| {
                looks += boxes.len();
                Ok(Vec::new())
            })
            .unwrap();
            looks
        };
        assert_eq!(looks(0.35), 0);
        assert_eq!(looks(0.4), 1);
    }

    #[test]
    fn a_turning_path_is_followed() {
        // There and back again: both looks see the same place.
        let path = |t: f64| 100.0 + 35.0 * (t / END * std::f64::consts::PI).sin() as f32;
        let first = Glimpse::first(0.0, vec![face(at(path(0.0)), 0.9)]);
        let next =
            first.then(END, vec![face(at(path(END)), 0.9)], &settings(), &mut nobody).unwrap();
        let out = between(&first, &next, &TIMES, &settings(), &mut |i, boxes| {
            Ok(sees(path(TIMES[i]), boxes))
        })
        .unwrap();
        let seen = out.iter().filter(|d| !d.is_empty()).count();
        assert!(seen >= 4, "{seen} of 5 frames seen");
        for (i, found) in out.iter().enumerate() {
            for d in found {
                assert!((d.rect.centre().0 - path(TIMES[i])).abs() < 1e-3);
            }
        }
    }

    #[test]
    fn beginnings_and_ends_are_found() {
        let empty = Glimpse::first(0.0, Vec::new());
        let next = empty.then(END, vec![face(at(300.0), 0.9)], &settings(), &mut nobody).unwrap();
        // There since frame 2.
        let mut near =
            |i: usize, boxes: &[Rect]| Ok(if i >= 2 { sees(300.0, boxes) } else { Vec::new() });
        let out = between(&empty, &next, &TIMES, &settings(), &mut near).unwrap();
        let seen: Vec<bool> = out.iter().map(|d| !d.is_empty()).collect();
        assert_eq!(seen, [false, false, true, true, true]);

        let first = Glimpse::first(0.0, vec![face(at(300.0), 0.9)]);
        let gone = first.then(END, Vec::new(), &settings(), &mut nobody).unwrap();
        let mut near =
            |i: usize, boxes: &[Rect]| Ok(if i <= 2 { sees(300.0, boxes) } else { Vec::new() });
        let out = between(&first, &gone, &TIMES, &settings(), &mut near).unwrap();
        let seen: Vec<bool> = out.iter().map(|d| !d.is_empty()).collect();
        assert_eq!(seen, [true, true, true, false, false]);
    }

    #[test]
    fn who_a_look_missed_is_looked_for_nearby_and_remembered() {
        let first = Glimpse::first(0.0, vec![face(at(100.0), 0.9)]);
        let mut asked = 0;
        let next = first
            .then(END, Vec::new(), &settings(), &mut |boxes: &[Rect]| {
                asked += 1;
                Ok(sees(110.0, boxes))
            })
            .unwrap();
        assert_eq!(asked, 1);
        assert_eq!(next.detections().count(), 1);
        let lost = next.then(2.0 * END, Vec::new(), &settings(), &mut nobody).unwrap();
        assert_eq!(lost.detections().count(), 0);
        let back = lost
            .then(3.0 * END, Vec::new(), &settings(), &mut |boxes: &[Rect]| Ok(sees(112.0, boxes)))
            .unwrap();
        assert_eq!(back.detections().count(), 1, "remembered and found again");
        let mut later = lost;
        let mut asked = Vec::new();
        for i in 3..20 {
            let mut count = 0;
            later = later
                .then(f64::from(i) * END, Vec::new(), &settings(), &mut |boxes: &[Rect]| {
                    count += boxes.len();
                    Ok(Vec::new())
                })
                .unwrap();
            asked.push(count);
        }
        assert_eq!(asked.first(), Some(&1));
        assert_eq!(asked.last(), Some(&0), "forgotten in the end");
    }

    #[test]
    fn one_face_seen_twice_counts_once() {
        let first = Glimpse::first(0.0, vec![face(at(100.0), 0.9), face(at(160.0), 0.9)]);
        let next = first
            .then(END, vec![face(at(100.0), 0.9)], &settings(), &mut |_: &[Rect]| {
                Ok(vec![face(at(101.0), 0.95), face(at(161.0), 0.6)])
            })
            .unwrap();
        let seen: Vec<f32> = next.detections().map(|d| d.confidence).collect();
        assert_eq!(seen, [0.9, 0.6]);
    }
}
