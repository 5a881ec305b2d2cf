//! Which chains count, and where their subject is in every frame.

use super::associate::{Chain, Link, velocity};
use super::{Track, TrackPoint, TrackSettings};
use crate::geometry::Rect;

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
const UNCERTAIN_GROWTH: f32 = 0.35;
/// An extrapolated box moves at most this many times its own side.
const MAX_DRIFT: f32 = 1.0;
/// Fewest detections a weak chain needs.
const WEAK_LINKS: usize = 3;

/// True if the chain is evidence of somebody.
fn counts(chain: &Chain, settings: &TrackSettings) -> bool {
    let best = chain.links.iter().map(|l| l.detection.confidence).fold(0.0, f32::max);
    if best >= settings.threshold {
        return true;
    }
    let beyond: f32 = chain.links.iter().map(|l| l.detection.confidence - settings.floor).sum();
    chain.links.len() >= WEAK_LINKS && beyond >= settings.weak_evidence
}

pub(super) fn tracks(chains: Vec<Chain>, clock: &Clock, settings: &TrackSettings) -> Vec<Track> {
    chains
        .into_iter()
        .filter(|c| counts(c, settings))
        .filter_map(|c| track(&c, clock, settings))
        .collect()
}

fn track(chain: &Chain, clock: &Clock, settings: &TrackSettings) -> Option<Track> {
    let (first, last) = (chain.links.first()?, chain.links.last()?);
    let (shot_first, shot_last) = clock.shot_of(first.frame);
    let start = reach(first, shot_first, clock, settings, false);
    let end = reach(last, shot_last, clock, settings, true);
    let mut points = Vec::with_capacity((end - start + 1) as usize);

    let reversed: Vec<Link> = chain.links.iter().rev().copied().collect();
    for frame in start..first.frame {
        points.push(extrapolated(&reversed, frame, clock, settings));
    }
    let mut longest_gap = 0;
    for pair in chain.links.windows(2) {
        points.push(seen(&pair[0]));
        longest_gap = longest_gap.max(pair[1].frame - pair[0].frame - 1);
        points.extend((pair[0].frame + 1..pair[1].frame).map(|f| bridged(pair, f, clock)));
    }
    points.push(seen(last));
    for frame in last.frame + 1..=end {
        points.push(extrapolated(&chain.links, frame, clock, settings));
    }

    let mut detectors: Vec<_> = chain.links.iter().map(|l| l.detection.source).collect();
    detectors.sort_unstable();
    detectors.dedup();
    Some(Track {
        label: first.detection.label,
        points,
        confidence: chain.links.iter().map(|l| l.detection.confidence).fold(0.0, f32::max),
        detectors,
        longest_gap,
    })
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

/// A box between two sights: interpolated, and grown towards the middle of
/// the gap by as much as the gap is long.
fn bridged(pair: &[Link], frame: u64, clock: &Clock) -> TrackPoint {
    let (a, b) = (&pair[0], &pair[1]);
    let length = (b.seconds - a.seconds).max(1e-9);
    let t = ((clock.at(frame) - a.seconds) / length).clamp(0.0, 1.0) as f32;
    let middle = a.detection.rect.lerp(b.detection.rect, t);
    // Nothing for neighbouring frames, all of it from a third of a second.
    let doubt = ((length as f32 - 0.04) / 0.3).clamp(0.0, 1.0) * (4.0 * t * (1.0 - t));
    TrackPoint { frame, rect: middle.scaled(1.0 + UNCERTAIN_GROWTH * doubt), seen: false }
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
    let (limit_x, limit_y) = (rect.width() * MAX_DRIFT, rect.height() * MAX_DRIFT);
    let moved =
        rect.shifted((vx * dt).clamp(-limit_x, limit_x), (vy * dt).clamp(-limit_y, limit_y));
    let doubt = (dt.abs() / settings.extension.max(1e-3) as f32).min(1.0);
    let rect = rect.union(moved).scaled(1.0 + UNCERTAIN_GROWTH * doubt);
    TrackPoint { frame, rect, seen: false }
}
