//! Which chains count, and where their subject is in every frame.

mod leap;
mod ways;

use super::associate::{Chain, Link, velocity};
use super::evidence::{Evidence, is_nobody};
use super::paths::Path;
use super::{Stray, Track, TrackPoint, TrackSettings};
use crate::geometry::Rect;
use leap::Leaps;
use std::ops::Range;
use ways::{Way, cover};

/// Time and shot of every frame of the clip.
#[derive(Debug, Default)]
pub(super) struct Clock {
    seconds: Vec<f64>,
    /// Where shots begin, without frame 0: the frame from which on it may
    /// be the new shot, and the one from which on it certainly is.
    cuts: Vec<(u64, u64)>,
}

impl Clock {
    pub(super) fn push(&mut self, seconds: f64, cut: Option<u64>) {
        let frame = self.seconds.len() as u64;
        if let Some(from) = cut.filter(|_| frame > 0) {
            self.cuts.push((from.min(frame), frame));
        }
        self.seconds.push(seconds);
    }

    fn at(&self, frame: u64) -> f64 {
        self.seconds.get(frame as usize).copied().unwrap_or_default()
    }

    /// First and last frame of the shot that `frame`, one that was decoded,
    /// lies in. Frames that may belong to two shots are part of both.
    fn shot_of(&self, frame: u64) -> (u64, u64) {
        let next = self.cuts.partition_point(|c| c.1 <= frame);
        let first = next.checked_sub(1).map_or(0, |i| self.cuts[i].0);
        let last = self.cuts.get(next).map_or(self.seconds.len() as u64, |c| c.1);
        (first, last.saturating_sub(1).max(frame))
    }
}

/// Growth of the box, as a share of its side, at the middle of a gap or the
/// end of an extension: what is not seen may have moved.
const UNCERTAIN_GROWTH: f32 = 0.25;
/// An extrapolated box moves at most as far as its own side ...
const MAX_DRIFT: f32 = 1.0;
/// ... or, since small faces cross many times their side while they are out
/// of sight, so many times as far, ...
const SMALL_DRIFT: f32 = 4.0;
/// ... but then no further than this, in pixels.
const SMALL_DRIFT_PIXELS: f32 = 128.0;
/// Gaps of up to this many seconds are always closed.
const SHORT_GAP: f64 = 0.5;
/// A longer one is closed if there are this many sights ...
const SUPPORT: usize = 3;
/// ... in so many seconds on both of its sides.
const SUPPORT_TIME: f64 = 1.0;
/// How long somebody who was hardly seen is covered before and after, in
/// seconds: longer than between two looks, which did not see them.
const BRIEF_EXTENSION: f64 = 0.25;

/// A part of a chain that is one subject.
#[derive(Clone, Copy)]
struct Piece<'a> {
    links: &'a [Link],
    /// Number in the chain of the first of them.
    first: usize,
    /// Paths of the whole chain.
    paths: &'a [Path],
}

impl Piece<'_> {
    /// Paths away from sights of this piece.
    fn paths(&self) -> impl Iterator<Item = &Path> {
        self.away(self.first..self.first + self.links.len()).iter()
    }

    /// Paths away from some sights, by their numbers in the chain.
    fn away(&self, links: Range<usize>) -> &[Path] {
        let before = |link: usize| self.paths.partition_point(|p| p.link < link);
        &self.paths[before(links.start)..before(links.end)]
    }

    /// The path away from sight `i` of this piece.
    fn path(&self, i: usize, forwards: bool) -> Option<&Path> {
        let link = self.first + i;
        self.away(link..link + 1).iter().find(|p| p.forwards == forwards)
    }

    /// True if they were followed from sight `i` as far as frame `to`.
    fn followed(&self, i: usize, forwards: bool, to: u64) -> bool {
        let end = self.path(i, forwards).and_then(|path| path.steps.last());
        end.is_some_and(|end| if forwards { end.frame >= to } else { end.frame <= to })
    }

    /// Where they went from sight `i` to the next, if that is certain.
    fn way(&self, links: &[Link], i: usize, clock: &Clock) -> Option<Way> {
        let (forwards, backwards) = (self.path(i, true)?, self.path(i + 1, false)?);
        Way::agreed((&links[i], &links[i + 1]), forwards, backwards, clock)
    }
}

/// Cuts a chain where it was out of sight for long and there is little to
/// say that it is one and the same.
fn pieces(chain: &Chain) -> Vec<Piece<'_>> {
    let links = chain.links.as_slice();
    let piece = |from: usize, to: usize| Piece {
        links: &links[from..to],
        first: from,
        paths: chain.paths.found(),
    };
    let mut out = Vec::new();
    let mut start = 0;
    for i in 1..links.len() {
        let (before, after) = (links[i - 1].seconds, links[i].seconds);
        let supported = |side: &[Link], at: f64| {
            side.iter().filter(|l| (l.seconds - at).abs() <= SUPPORT_TIME).count() >= SUPPORT
        };
        let whole = after - before <= SHORT_GAP
            || (supported(&links[start..i], before) && supported(&links[i..], after));
        if !whole {
            out.push(piece(start, i));
            start = i;
        }
    }
    out.push(piece(start, links.len()));
    out
}

/// Makes tracks of chains as they end.
#[derive(Debug, Default)]
pub(super) struct Filler {
    tracks: Vec<Track>,
    leaps: Leaps,
    subjects: u32,
}

impl Filler {
    /// Adds a chain that has ended.
    pub(super) fn add(&mut self, chain: &Chain, clock: &Clock, settings: &TrackSettings) {
        let counting = pieces(chain)
            .into_iter()
            .filter(|piece| Evidence::of(piece.links, settings).suffices(settings))
            .filter(|piece| !is_nobody(piece.links));
        for piece in counting {
            self.tracks.extend(track(&piece, self.subjects, clock, settings));
            self.leaps.add(self.subjects, piece.links);
            self.subjects += 1;
        }
    }

    /// The tracks made since the last call.
    pub(super) fn take(&mut self) -> Vec<Track> {
        std::mem::take(&mut self.tracks)
    }

    /// What is left when the last chain has ended, in order of first frames.
    pub(super) fn finish(mut self, clock: &Clock, settings: &TrackSettings) -> Vec<Track> {
        self.tracks.extend(self.leaps.tracks(clock, settings));
        self.tracks.sort_by_key(|t| t.points.first().map(|p| p.frame));
        self.tracks
    }
}

/// The track of a piece, and those of the paths it does not cover.
fn track(piece: &Piece<'_>, subject: u32, clock: &Clock, settings: &TrackSettings) -> Vec<Track> {
    let links = &steadied(piece.links);
    let (Some(first), Some(last)) = (links.first(), links.last()) else { return Vec::new() };
    let (shot_first, shot_last) = clock.shot_of(first.frame);
    // Who was seen for long is covered for long before and after.
    let known = if links.len() < SUPPORT { 0.0 } else { last.seconds - first.seconds };
    let at_most = |time: f64| time.min(known.max(BRIEF_EXTENSION));
    let settings = &TrackSettings {
        extension: at_most(settings.extension),
        snap: at_most(settings.snap),
        ..*settings
    };
    let start = reach(first, shot_first, clock, settings, false);
    let end = reach(last, shot_last, clock, settings, true);
    let mut points = Vec::with_capacity((end - start + 1) as usize);

    let reversed: Vec<Link> = links.iter().rev().copied().collect();
    for frame in start..first.frame {
        points.push(extrapolated(&reversed, frame, clock, settings));
    }
    let mut longest_gap = 0;
    let mut certain = Vec::new();
    for (i, pair) in links.windows(2).enumerate() {
        points.push(seen(&pair[0]));
        longest_gap = longest_gap.max(pair[1].frame - pair[0].frame - 1);
        let way = piece.way(links, i, clock);
        points.extend((pair[0].frame + 1..pair[1].frame).map(|frame| match &way {
            Some(way) => TrackPoint { frame, rect: way.at(clock.at(frame)), seen: false },
            None => bridged(links, i, frame, clock),
        }));
        certain.push(way.is_some());
    }
    points.push(seen(last));
    for frame in last.frame + 1..=end {
        points.push(extrapolated(links, frame, clock, settings));
    }

    // Times of the last boxes, if there is a frame without one behind them, up
    // to which nobody was followed.
    let before = (start < first.frame && !piece.followed(0, false, start))
        .then(|| stray(&reversed, clock.at(start), false))
        .flatten();
    let after = (end > last.frame && !piece.followed(links.len() - 1, true, end))
        .then(|| stray(links, clock.at(end), true))
        .flatten();
    let mut detectors: Vec<_> = links.iter().map(|l| l.detection.source).collect();
    detectors.sort_unstable();
    detectors.dedup();
    let mut main = Track {
        label: first.detection.label,
        subject,
        points,
        confidence: links.iter().map(|l| l.detection.confidence).fold(0.0, f32::max),
        detectors,
        longest_gap,
        strays: before.into_iter().chain(after).collect(),
    };
    let mut elsewhere = Vec::new();
    for path in piece.paths() {
        let at = path.link - piece.first;
        let gap = if path.forwards { Some(at) } else { at.checked_sub(1) };
        let agreed = gap.and_then(|gap| certain.get(gap)).copied().unwrap_or(false);
        if !agreed {
            elsewhere.extend(cover(&mut main, &links[at], path, clock));
        }
    }
    std::iter::once(main).chain(elsewhere).collect()
}

/// Time to either side whose sights say how large somebody is, in seconds.
const STEADY_TIME: f64 = 0.35;

/// Ratio of the sides of a box up to which its face is upright or lying ...
const LONG: f32 = 0.82;
/// ... and from which on it is tilted by half a right angle.
const SQUARE: f32 = 0.92;
/// An upright ellipse around a tilted one whose axes are in the ratio of a
/// face's (1.4) is larger than the box of that by 0.15; margins hold the rest.
const TILTED_GROWTH: f32 = 0.13;

/// Boxes that are for a moment smaller than before and after (a hand, a
/// turned head, a network's whim) get the usual size around their centre.
fn steadied(links: &[Link]) -> Vec<Link> {
    let mut out = links.to_vec();
    for (i, link) in out.iter_mut().enumerate() {
        let near = |l: &&Link| (l.seconds - link.seconds).abs() <= STEADY_TIME;
        let from = links[..i].iter().rev().take_while(near).count();
        let to = links[i..].iter().take_while(near).count();
        let around = &links[i - from..i + to];
        if around.len() < SUPPORT {
            link.detection.rect = tilted(link.detection.rect);
            continue;
        }
        let median = |side: fn(Rect) -> f32| {
            let mut sides: Vec<f32> = around.iter().map(|l| side(l.detection.rect)).collect();
            sides.sort_by(f32::total_cmp);
            sides[sides.len() / 2]
        };
        let own = link.detection.rect;
        let (x, y) = own.centre();
        let usual = Rect::centred(x, y, median(Rect::width), median(Rect::height));
        link.detection.rect = tilted(own).union(usual);
    }
    out
}

/// A box as wide as high frames a head that is tilted: its ends lie in
/// corners of the box, and outside an ellipse in it. Upright faces and lying
/// ones are longer than wide by a fifth or more.
fn tilted(rect: Rect) -> Rect {
    let ratio = rect.width().min(rect.height()) / rect.width().max(rect.height()).max(1e-3);
    let square = ((ratio - LONG) / (SQUARE - LONG)).clamp(0.0, 1.0);
    rect.scaled(1.0 + TILTED_GROWTH * square)
}

fn seen(link: &Link) -> TrackPoint {
    TrackPoint { frame: link.frame, rect: link.detection.rect, seen: true }
}

/// How far a track is covered beyond one of its ends: the extension time,
/// or up to the border of the shot if that is near.
fn reach(link: &Link, border: u64, clock: &Clock, settings: &TrackSettings, forwards: bool) -> u64 {
    if (clock.at(border) - link.seconds).abs() <= settings.snap {
        return border;
    }
    let within = |f: u64| (clock.at(f) - link.seconds).abs() <= settings.extension;
    if forwards {
        (link.frame..=border).take_while(|f| within(*f)).last().unwrap_or(link.frame)
    } else {
        (border..=link.frame).rev().take_while(|f| within(*f)).last().unwrap_or(link.frame)
    }
}

/// Up to this many seconds between two sights, where the motion before and
/// the motion after would have taken somebody is covered as well.
const FORESEEN: f64 = 0.2;
/// By how much of its side that may lie beside the straight line.
const MAX_BEND: f32 = 0.6;

/// How uncertain what happens between two sights is, 0 to 1: nothing for
/// neighbouring frames, all of it from a third of a second, most in the middle.
fn doubt(length: f64, t: f32) -> f32 {
    ((length as f32 - 0.04) / 0.3).clamp(0.0, 1.0) * (4.0 * t * (1.0 - t))
}

/// A box between sight `i` and the next: interpolated, and grown towards the
/// middle of the gap by as much as the gap is long. In a short gap it also
/// holds where the motion before and the motion after lead, since who turns
/// back between two sights is on neither end of a straight line.
fn bridged(links: &[Link], i: usize, frame: u64, clock: &Clock) -> TrackPoint {
    let (before, after) = links.split_at(i + 1);
    let (a, b) = (&before[i], &after[0]);
    let length = (b.seconds - a.seconds).max(1e-9);
    let at = clock.at(frame);
    let t = ((at - a.seconds) / length).clamp(0.0, 1.0) as f32;
    let middle = a.detection.rect.lerp(b.detection.rect, t);
    let mut rect = middle.scaled(1.0 + UNCERTAIN_GROWTH * doubt(length, t));
    if length <= FORESEEN {
        let limit = MAX_BEND * middle.area().sqrt();
        let (x, y) = middle.centre();
        for (link, (vx, vy)) in [(a, velocity(recent(before))), (b, velocity(soon(after)))] {
            let dt = (at - link.seconds) as f32;
            let (from_x, from_y) = link.detection.rect.centre();
            let bend = |d: f32| d.clamp(-limit, limit);
            let (dx, dy) = (bend(from_x + vx * dt - x), bend(from_y + vy * dt - y));
            rect = rect.union(middle.shifted(dx, dy));
        }
    }
    TrackPoint { frame, rect, seen: false }
}

/// The last sights, which tell the speed at the end.
fn recent(links: &[Link]) -> &[Link] {
    &links[links.len().saturating_sub(SUPPORT)..]
}

/// The first sights, which tell the speed at the beginning.
fn soon(links: &[Link]) -> &[Link] {
    &links[..links.len().min(SUPPORT)]
}

/// A box beyond the end of `links`: it holds both where the subject was and
/// where its motion would have taken it.
fn extrapolated(links: &[Link], frame: u64, clock: &Clock, settings: &TrackSettings) -> TrackPoint {
    let Some(last) = links.last() else {
        return TrackPoint { frame, rect: Rect::new(0.0, 0.0, 1.0, 1.0), seen: false };
    };
    let rect = last.detection.rect;
    let dt = (clock.at(frame) - last.seconds) as f32;
    let (vx, vy) = velocity(links);
    let drift = |way: f32, side: f32| way.clamp(-drift_limit(side), drift_limit(side));
    let moved = rect.shifted(drift(vx * dt, rect.width()), drift(vy * dt, rect.height()));
    let doubt = (dt.abs() / settings.extension.max(1e-3) as f32).min(1.0);
    let rect = rect.union(moved).scaled(1.0 + UNCERTAIN_GROWTH * doubt);
    TrackPoint { frame, rect, seen: false }
}

/// Sights that a speed must rest on before somebody counts as lost.
const STRAY_LINKS: usize = 5;

/// How far a box with this side follows a motion nobody sees, in pixels.
fn drift_limit(side: f32) -> f32 {
    (SMALL_DRIFT * side).min(SMALL_DRIFT_PIXELS).max(MAX_DRIFT * side)
}

/// What there is to say about the end of `links`, if they may have moved on
/// further than the boxes up to `reach`, in seconds, follow them.
fn stray(links: &[Link], reach: f64, after: bool) -> Option<Stray> {
    let last = links.last().filter(|_| links.len() >= STRAY_LINKS)?;
    let rect = last.detection.rect;
    let dt = (reach - last.seconds) as f32;
    let (vx, vy) = velocity(links);
    let (limit_x, limit_y) = (drift_limit(rect.width()), drift_limit(rect.height()));
    let ways = [(vx * dt / limit_x).abs(), (vy * dt / limit_y).abs()];
    let beyond = ways[0].max(ways[1]);
    // Where on its way the box stops following.
    let stop = dt / beyond.max(1.0);
    (beyond > 1.0).then(|| Stray {
        frame: last.frame,
        after,
        seen: rect,
        rect: rect.shifted(vx * stop, vy * stop),
    })
}
