//! Who came and who went between two looks at whole frames.
//!
//! Looking at every frame as a whole costs too much, and between two looks a
//! face may appear or vanish. Looking near a known place costs next to
//! nothing. So whole frames are looked at a few times a second, and the
//! frames between are asked since when somebody new was there (backwards),
//! and until when somebody lost was (forwards). Somebody who was lost is
//! looked for near their place for a while, since heads turn away and come
//! back. Whoever both looks saw is followed from the one to the other by
//! what they look like ([`super::luma`]), which is surer of a place than a
//! network that looks at it once more.
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
/// `times`, of those whom only one of the two saw.
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
        if seen.before.is_none() && seen.detection.confidence >= settings.threshold {
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
    fn whom_both_looks_saw_costs_no_further_look() {
        let first = Glimpse::first(0.0, vec![face(at(100.0), 0.9)]);
        let next = first.then(END, vec![face(at(130.0), 0.9)], &settings(), &mut nobody).unwrap();
        let out = between(&first, &next, &TIMES, &settings(), &mut |_, _| panic!("nobody is new"));
        assert!(out.unwrap().iter().all(Vec::is_empty));
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
