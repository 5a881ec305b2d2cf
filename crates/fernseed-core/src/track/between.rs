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
//! Whole frames are mostly looked at upright, and a network that sees a lying
//! face so places its box badly. So everybody new, and everybody once a second,
//! is looked at near their place from all sides, and who lies, every time,
//! turned as they lie.
//!
//! The functions are pure: pictures stay with the caller, who passes a
//! closure that looks near given boxes.

use super::TrackSettings;
use super::associate::affinity;
use crate::detect::{DetectError, Detection, Place};
use crate::geometry::{Orientation, Rect};

/// Looks near places and returns all detections there at or above the floor.
pub type Near<'a> = dyn FnMut(&[Place]) -> Result<Vec<Detection>, DetectError> + 'a;

/// The same in one of several frames, by position.
pub type NearIn<'a> = dyn FnMut(usize, &[Place]) -> Result<Vec<Detection>, DetectError> + 'a;

/// Seconds for which somebody lost is looked for near their place.
const REMEMBER: f64 = 1.5;
/// Frames in a row without a sight after which the search for a beginning or
/// an end stops.
const MISSES: usize = 2;
/// Seconds after which somebody may have lain down or got up.
const ASK_AGAIN: f64 = 1.0;
/// A sight near an expected place may be off by as much as somebody moves in
/// this many seconds.
const LEEWAY: f64 = 0.15;
/// Boxes that overlap this much are one sight.
const SAME: f32 = 0.4;
/// The same where one of them is of a look that turned the picture.
const TURNED: f32 = 0.25;

/// Somebody seen in a frame that was looked at.
#[derive(Clone, Copy, Debug)]
struct Seen {
    detection: Detection,
    /// Pixels per second.
    velocity: (f32, f32),
    /// Highest confidence so far.
    best: f32,
    /// When somebody last looked near them from all sides, if anybody did.
    asked: Option<f64>,
    /// Their number in the look before.
    before: Option<usize>,
}

impl Seen {
    /// How they lie, if somebody looked near them.
    fn turn(&self) -> Option<Orientation> {
        self.asked.map(|_| self.detection.turn)
    }

    /// Where they were seen.
    fn place(&self) -> Place {
        Place { rect: self.detection.rect, turn: self.turn() }
    }
}

/// Somebody who was seen and is not any more.
#[derive(Clone, Copy, Debug)]
struct Lost {
    place: Place,
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
                Seen { detection, velocity: (0.0, 0.0), best, asked: None, before: None }
            })
            .collect();
        Self { seconds, seen, lost: Vec::new() }
    }

    /// The look after this one: `found` is what the look at the whole frame
    /// saw; who is missing from it is looked for near their place, and so is
    /// who may not be upright.
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
        // Who has just gone may have lain down.
        let anyhow = |i: &usize| Place { rect: self.expected(*i, seconds), turn: None };
        let mut places: Vec<Place> = missing.iter().map(anyhow).collect();
        places.extend(remembered.iter().map(|l| l.place));
        let wanted = places.len();
        let lying = self.lying(seconds, &found, &pairs, settings);
        places.extend(lying.iter().flatten());
        if !places.is_empty() {
            let mut sights = near(&places)?;
            turn_over(&mut found, &lying, &mut sights);
            let fit = |p: &Place, d: &Detection| affinity(p.rect, p.rect, d.rect, LEEWAY) > 0.0;
            // What else is seen beside those who may lie, whole looks see better.
            let fits = |d: &Detection| places[..wanted].iter().any(|p| fit(p, d));
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
                // Nobody looks near those who may yet turn out to be nothing.
                let best = known.max(detection.confidence);
                let all_round = matches!(lying.get(i), Some(Some(Place { turn: None, .. })));
                let earlier = before.filter(|_| !all_round).and_then(|b| self.seen[b].asked);
                let asked = (best >= settings.threshold).then(|| earlier.unwrap_or(seconds));
                Seen { detection, velocity, best, asked, before }
            })
            .collect();
        let still_lost = |l: &Lost| !seen.iter().any(|s| s.detection.rect.iou(l.place.rect) > 0.1);
        let mut lost: Vec<Lost> = remembered.into_iter().filter(still_lost).collect();
        lost.extend(
            missing
                .into_iter()
                .filter(|i| !seen.iter().any(|s| s.before == Some(*i)))
                .map(|i| Lost { place: self.seen[i].place(), at: self.seconds })
                .filter(still_lost),
        );
        Ok(Self { seconds, seen, lost })
    }

    /// What was seen.
    pub fn detections(&self) -> impl Iterator<Item = Detection> + '_ {
        self.seen.iter().map(|s| s.detection)
    }

    /// Where a look from more sides is due, for each of `found`: there are new
    /// people, those who lay when they were seen last, and those who may have
    /// lain down since.
    fn lying(
        &self,
        seconds: f64,
        found: &[Detection],
        pairs: &[(usize, usize)],
        settings: &TrackSettings,
    ) -> Vec<Option<Place>> {
        let due = |(j, detection): (usize, &Detection)| {
            let before = pairs.iter().find(|p| p.1 == j).map(|p| &self.seen[p.0]);
            let best = before.map_or(0.0, |b| b.best).max(detection.confidence);
            let still = |b: &&Seen| b.asked.is_some_and(|at| seconds - at < ASK_AGAIN);
            let turn = before.filter(still).and_then(Seen::turn);
            let upright = turn == Some(Orientation::Upright);
            let rect = detection.rect;
            (best >= settings.threshold && !upright).then_some(Place { rect, turn })
        };
        found.iter().enumerate().map(due).collect()
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
            search.walk((0..times.len()).rev(), end, seen.turn())?;
        }
    }
    for (i, seen) in previous.seen.iter().enumerate() {
        let went_on = next.seen.iter().any(|s| s.before == Some(i));
        if !went_on && previous.matters(i, settings) {
            search.walk(0..times.len(), (previous.seconds, seen.detection.rect), seen.turn())?;
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
        turn: Option<Orientation>,
    ) -> Result<(), DetectError> {
        let (mut seconds, mut rect, mut velocity) = (start.0, start.1, (0.0f32, 0.0f32));
        let mut misses = 0;
        for frame in frames {
            let dt = (self.times[frame] - seconds) as f32;
            let expected = rect.shifted(velocity.0 * dt, velocity.1 * dt);
            match self.look(frame, Place { rect: expected, turn })? {
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

    /// Looks near one place in one frame; the sight that fits it best.
    fn look(&mut self, frame: usize, expected: Place) -> Result<Option<Rect>, DetectError> {
        let found = (self.near)(frame, &[expected])?;
        let fit = |r: Rect| affinity(expected.rect, expected.rect, r, LEEWAY);
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

/// Takes over from `sights` how those lie who were looked at near their
/// `places`, and takes these sights out. Boxes of those who do not stand upright
/// hold what both looks saw.
fn turn_over(found: &mut [Detection], places: &[Option<Place>], sights: &mut Vec<Detection>) {
    for (detection, _) in found.iter_mut().zip(places).filter(|(_, place)| place.is_some()) {
        let own = detection.rect;
        let same = |s: &Detection| s.label == detection.label && own.iou(s.rect) >= TURNED;
        let best = (0..sights.len())
            .filter(|&i| same(&sights[i]))
            .max_by(|&a, &b| own.iou(sights[a].rect).total_cmp(&own.iou(sights[b].rect)));
        if let Some(best) = best {
            let sight = sights.swap_remove(best);
            detection.turn = sight.turn;
            if sight.turn != Orientation::Upright {
                detection.rect = own.union(sight.rect);
                detection.confidence = detection.confidence.max(sight.confidence);
            }
        }
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
        let turn = Orientation::Upright;
        Detection { rect, label: Label::Face, confidence, source: DetectorId::Fake, turn }
    }

    fn at(x: f32) -> Rect {
        Rect::centred(x, 100.0, SIDE, SIDE)
    }

    /// Sees a face at `x` if some place is within its own side.
    fn sees(x: f32, places: &[Place]) -> Vec<Detection> {
        let near = places.iter().any(|p| (p.rect.centre().0 - x).abs() <= SIDE);
        if near { vec![face(at(x), 0.8)] } else { Vec::new() }
    }

    fn settings() -> TrackSettings {
        TrackSettings::for_threshold(0.5)
    }

    const TIMES: [f64; 5] = [0.04, 0.08, 0.12, 0.16, 0.20];
    const END: f64 = 0.24;

    fn nobody(_: &[Place]) -> Result<Vec<Detection>, DetectError> {
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
            |i: usize, places: &[Place]| Ok(if i >= 2 { sees(300.0, places) } else { Vec::new() });
        let out = between(&empty, &next, &TIMES, &settings(), &mut near).unwrap();
        let seen: Vec<bool> = out.iter().map(|d| !d.is_empty()).collect();
        assert_eq!(seen, [false, false, true, true, true]);

        let first = Glimpse::first(0.0, vec![face(at(300.0), 0.9)]);
        let gone = first.then(END, Vec::new(), &settings(), &mut nobody).unwrap();
        let mut near =
            |i: usize, places: &[Place]| Ok(if i <= 2 { sees(300.0, places) } else { Vec::new() });
        let out = between(&first, &gone, &TIMES, &settings(), &mut near).unwrap();
        let seen: Vec<bool> = out.iter().map(|d| !d.is_empty()).collect();
        assert_eq!(seen, [true, true, true, false, false]);
    }

    #[test]
    fn who_a_look_missed_is_looked_for_nearby_and_remembered() {
        let first = Glimpse::first(0.0, vec![face(at(100.0), 0.9)]);
        let mut asked = 0;
        let next = first
            .then(END, Vec::new(), &settings(), &mut |places: &[Place]| {
                asked += 1;
                Ok(sees(110.0, places))
            })
            .unwrap();
        assert_eq!(asked, 1);
        assert_eq!(next.detections().count(), 1);
        let lost = next.then(2.0 * END, Vec::new(), &settings(), &mut nobody).unwrap();
        assert_eq!(lost.detections().count(), 0);
        let back = lost
            .then(3.0 * END, Vec::new(), &settings(), &mut |places: &[Place]| {
                Ok(sees(112.0, places))
            })
            .unwrap();
        assert_eq!(back.detections().count(), 1, "remembered and found again");
        let mut later = lost;
        let mut asked = Vec::new();
        for i in 3..20 {
            let mut count = 0;
            later = later
                .then(f64::from(i) * END, Vec::new(), &settings(), &mut |places: &[Place]| {
                    count += places.len();
                    Ok(Vec::new())
                })
                .unwrap();
            asked.push(count);
        }
        assert_eq!(asked.first(), Some(&1));
        assert_eq!(asked.last(), Some(&0), "forgotten in the end");
    }

    /// Looks at somebody standing at 100 for `looks` looks, who lies as `turn`
    /// says; returns how the places lay that were asked for in each, and what
    /// was seen last.
    fn asked(looks: u32, turn: Orientation) -> (Vec<Vec<Option<Orientation>>>, Detection) {
        let upright = face(at(100.0), 0.9);
        let sight = Detection { rect: upright.rect.shifted(0.0, 12.0), turn, ..upright };
        let mut glimpse = Glimpse::first(0.0, vec![upright]);
        let mut all = Vec::new();
        for i in 1..=looks {
            let mut asked = Vec::new();
            let mut near = |places: &[Place]| {
                asked.extend(places.iter().map(|p| p.turn));
                Ok(vec![sight])
            };
            let seconds = f64::from(i) * END;
            glimpse = glimpse.then(seconds, vec![upright], &settings(), &mut near).unwrap();
            all.push(asked);
        }
        (all, glimpse.detections().next().unwrap())
    }

    #[test]
    fn whoever_stands_is_looked_at_from_all_sides_once_in_a_while() {
        let (asked, seen) = asked(10, Orientation::Upright);
        let due = |i| if i % 5 == 1 { vec![None] } else { vec![] };
        let expected: Vec<_> = (1..=10).map(due).collect();
        assert_eq!(asked, expected);
        assert_eq!(seen.rect, at(100.0), "the whole look placed them as well");
    }

    #[test]
    fn who_lies_is_looked_at_turned_every_time_and_covered_wherever_they_were_seen() {
        let turn = Orientation::Rotate90;
        let (asked, seen) = asked(4, turn);
        assert_eq!(asked, [vec![None], vec![Some(turn)], vec![Some(turn)], vec![Some(turn)]]);
        assert_eq!(seen.turn, turn);
        assert_eq!(seen.rect, at(100.0).union(at(100.0).shifted(0.0, 12.0)));
    }

    #[test]
    fn one_face_seen_twice_counts_once() {
        let first = Glimpse::first(0.0, vec![face(at(100.0), 0.9), face(at(160.0), 0.9)]);
        let next = first
            .then(END, vec![face(at(100.0), 0.9)], &settings(), &mut |_: &[Place]| {
                Ok(vec![face(at(101.0), 0.95), face(at(161.0), 0.6)])
            })
            .unwrap();
        let seen: Vec<f32> = next.detections().map(|d| d.confidence).collect();
        assert_eq!(seen, [0.9, 0.6]);
    }
}
