//! Where those who were seen went in the frames in which nobody saw them.

use super::associate::{Link, velocity};
use super::follow::follow;
use super::luma::Luma;
use crate::geometry::Rect;
use std::collections::VecDeque;

/// Frames of the past that are kept: about a second, some 20 MB of full HD.
const KEPT: usize = 32;
/// Share of the last motion in the motion that is expected next.
const FRESH_MOTION: f32 = 0.6;
/// Seconds after which who was not made out any more counts as lost.
const OUT_OF_SIGHT: f64 = 0.4;

/// Somebody's place in a frame in which they were followed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) frame: u64,
    pub(super) rect: Rect,
}

/// A way away from a sight, forwards or backwards in time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Path {
    /// Number of the sight in its chain.
    pub(super) link: usize,
    pub(super) forwards: bool,
    /// Places, outwards from the sight, in every frame that was decoded.
    pub(super) steps: Vec<Step>,
}

/// The last frames of a shot.
#[derive(Debug, Default)]
pub(super) struct Past {
    frames: VecDeque<Shown>,
}

#[derive(Debug)]
struct Shown {
    frame: u64,
    seconds: f64,
    luma: Luma,
}

/// All paths of one chain, as far as they are known.
#[derive(Clone, Debug, Default)]
pub(super) struct Paths {
    all: Vec<Path>,
    head: Option<Walker>,
    /// Sights from which the way back has been followed.
    traced: usize,
}

/// Somebody on their way.
#[derive(Clone, Copy, Debug)]
struct Walker {
    /// Where they were certainly seen or followed to last.
    frame: u64,
    seconds: f64,
    rect: Rect,
    /// Pixels per second.
    velocity: (f32, f32),
    /// What was seen of them: a size that only following makes smaller is not
    /// believed.
    seen: Rect,
}

impl Walker {
    fn at(link: &Link, velocity: (f32, f32)) -> Self {
        let seen = link.detection.rect;
        Self { frame: link.frame, seconds: link.seconds, rect: seen, velocity, seen }
    }

    /// A place they were followed to, no smaller than they were seen.
    fn whole(&self, rect: Rect) -> Rect {
        let (x, y) = rect.centre();
        let (width, height) = (self.seen.width(), self.seen.height());
        Rect::centred(x, y, width.max(rect.width()), height.max(rect.height()))
    }

    /// Follows them to a frame, later or earlier; false if they are lost. Who
    /// is out of sight for a moment is looked for where they should come out.
    fn go(&mut self, past: &Past, to: usize, steps: &mut Vec<Step>) -> bool {
        let to = &past.frames[to];
        let Some(from) = past.find(self.frame) else { return false };
        let dt = (to.seconds - self.seconds) as f32;
        let (vx, vy) = self.velocity;
        let way = (vx * dt, vy * dt);
        let Some(rect) = follow(&past.frames[from].luma, &to.luma, self.rect, way) else {
            return f64::from(dt.abs()) <= OUT_OF_SIGHT;
        };
        // The frames between, in which they were not made out.
        let between = past
            .frames
            .iter()
            .filter(|f| f.frame > self.frame.min(to.frame) && f.frame < self.frame.max(to.frame));
        let at = steps.len();
        steps.extend(between.map(|f| {
            let passed = (f.seconds - self.seconds) as f32;
            // Clocks stand still in damaged files.
            let t = if dt.abs() > 1e-4 { (passed / dt).clamp(0.0, 1.0) } else { 0.5 };
            Step { frame: f.frame, rect: self.whole(self.rect.lerp(rect, t)) }
        }));
        if to.frame < self.frame {
            steps[at..].reverse();
        }
        steps.push(Step { frame: to.frame, rect: self.whole(rect) });
        if dt.abs() > 1e-4 {
            let ((x0, y0), (x1, y1)) = (self.rect.centre(), rect.centre());
            let mix = |old: f32, way: f32| old + FRESH_MOTION * (way / dt - old);
            self.velocity = (mix(vx, x1 - x0), mix(vy, y1 - y0));
        }
        (self.frame, self.seconds, self.rect) = (to.frame, to.seconds, rect);
        true
    }
}

impl Past {
    /// Adds the next frame that was decoded.
    pub(super) fn push(&mut self, frame: u64, seconds: f64, luma: Luma) {
        if self.frames.len() == KEPT {
            self.frames.pop_front();
        }
        self.frames.push_back(Shown { frame, seconds, luma });
    }

    /// A new shot begins.
    pub(super) fn forget(&mut self) {
        self.frames.clear();
    }

    /// Position of a frame.
    fn find(&self, frame: u64) -> Option<usize> {
        self.frames.binary_search_by_key(&frame, |f| f.frame).ok()
    }

    /// The way back from sight `at`, for `furthest` seconds, at most to the sight
    /// before.
    fn back(&self, links: &[Link], at: usize, furthest: f64) -> Option<Path> {
        let (link, before) = (links.get(at)?, at.checked_sub(1).and_then(|i| links.get(i)));
        let start = self.find(link.frame)?;
        // The motion just after, which tells where they come from.
        let soon = &links[at..links.len().min(at + 3)];
        let mut walker = Walker::at(link, velocity(soon));
        let mut steps = Vec::new();
        for i in (0..start).rev() {
            let to = &self.frames[i];
            let over = before.is_some_and(|b| to.frame <= b.frame);
            if over || link.seconds - to.seconds > furthest || !walker.go(self, i, &mut steps) {
                break;
            }
        }
        // They are kept for as long as somebody is in sight.
        steps.shrink_to_fit();
        (!steps.is_empty()).then_some(Path { link: at, forwards: false, steps })
    }
}

impl Paths {
    /// Goes on to the latest frame of `past`. Called for every frame that
    /// was decoded, from the first on in which the sights are evidence of
    /// somebody. They are followed for `furthest` seconds beyond a sight.
    pub(super) fn go_on(&mut self, links: &[Link], past: &Past, furthest: f64) {
        let (Some(last), Some(now)) = (links.last(), past.frames.back()) else { return };
        if last.frame == now.frame {
            if let Some(path) = self.all.last_mut() {
                path.steps.shrink_to_fit();
            }
            self.all
                .extend((self.traced..links.len()).filter_map(|i| past.back(links, i, furthest)));
            self.traced = links.len();
            self.head = Some(Walker::at(last, velocity(links)));
            return;
        }
        let Some(mut head) = self.head.take() else { return };
        if now.seconds - last.seconds > furthest {
            return;
        }
        let (link, mut steps) = (links.len() - 1, Vec::new());
        if head.go(past, past.frames.len() - 1, &mut steps) {
            self.head = Some(head);
        }
        if steps.is_empty() {
            return;
        }
        match self.all.last_mut().filter(|p| p.forwards && p.link == link) {
            Some(path) => path.steps.append(&mut steps),
            None => self.all.push(Path { link, forwards: true, steps }),
        }
    }

    /// Those found, in order of their sights; of each at most one backwards,
    /// and after it one forwards.
    pub(super) fn found(&self) -> &[Path] {
        &self.all
    }
}
