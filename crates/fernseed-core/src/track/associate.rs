//! Joining the detections of one shot into chains.

use super::TrackSettings;
use super::evidence::Evidence;
use super::luma::Luma;
use super::paths::{Past, Paths};
use crate::detect::Detection;
use crate::geometry::Rect;

/// One detection of a chain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) frame: u64,
    pub(super) seconds: f64,
    pub(super) detection: Detection,
}

/// Detections that belong together, in order of frames.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    pub(super) links: Vec<Link>,
    /// Where they were followed to; nothing until the links are evidence of
    /// somebody.
    pub(super) paths: Paths,
    evidence: Evidence,
}

impl Chain {
    fn new(link: Link, settings: &TrackSettings) -> Self {
        let mut chain =
            Self { links: Vec::new(), paths: Paths::default(), evidence: Evidence::default() };
        chain.add(link, settings);
        chain
    }

    fn add(&mut self, link: Link, settings: &TrackSettings) {
        self.evidence.add(&link.detection, settings);
        self.links.push(link);
    }

    /// Where the subject is expected at `seconds`, by its recent motion.
    fn predict(&self, seconds: f64) -> Option<Rect> {
        let last = self.links.last()?;
        let (vx, vy) = velocity(&self.links);
        let dt = (seconds - last.seconds) as f32;
        // Motion is trusted for a short while only.
        let dt = dt.clamp(-TRUST_MOTION, TRUST_MOTION);
        Some(last.detection.rect.shifted(vx * dt, vy * dt))
    }
}

/// Seconds for which a constant velocity is a fair guess.
const TRUST_MOTION: f32 = 0.4;
/// Detections that the velocity is estimated from.
const VELOCITY_LINKS: usize = 6;
/// Boxes whose sides differ by more than this factor are not one subject.
const MAX_SIZE_RATIO: f32 = 2.0;

/// Velocity of the centre in pixels per second at the end of a run of
/// links: least squares over the last few.
pub(super) fn velocity(links: &[Link]) -> (f32, f32) {
    let recent = &links[links.len().saturating_sub(VELOCITY_LINKS)..];
    let Some(last) = recent.last() else { return (0.0, 0.0) };
    let n = recent.len() as f64;
    let (mut st, mut sx, mut sy, mut stt, mut stx, mut sty) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
    for link in recent {
        let t = link.seconds - last.seconds;
        let (x, y) = link.detection.rect.centre();
        let (x, y) = (f64::from(x), f64::from(y));
        st += t;
        sx += x;
        sy += y;
        stt += t * t;
        stx += t * x;
        sty += t * y;
    }
    let spread = n * stt - st * st;
    if spread < 1e-9 {
        return (0.0, 0.0);
    }
    (((n * stx - st * sx) / spread) as f32, ((n * sty - st * sy) / spread) as f32)
}

/// How well a detection continues a chain: above 0 if it may, more is better.
pub(super) fn affinity(predicted: Rect, last: Rect, found: Rect, gap: f64) -> f32 {
    let side = |r: Rect| (r.width() * r.height()).sqrt().max(1.0);
    let (a, b) = (side(last), side(found));
    let ratio = a.max(b) / a.min(b);
    if ratio > MAX_SIZE_RATIO {
        return 0.0;
    }
    let distance = |from: Rect| {
        let ((x0, y0), (x1, y1)) = (from.centre(), found.centre());
        (x0 - x1).hypot(y0 - y1)
    };
    // Near where it is expected, or near where it was: people stop.
    let d = distance(predicted).min(distance(last)) / a.max(b);
    let allowed = (0.7 + 2.5 * gap as f32).min(2.0);
    if d >= allowed {
        return 0.0;
    }
    let closeness = 1.0 - d / allowed;
    closeness + predicted.iou(found) - 0.2 * (ratio - 1.0)
}

/// Builds chains frame by frame.
#[derive(Debug)]
pub(super) struct Associator {
    settings: TrackSettings,
    open: Vec<Chain>,
    /// Those that nothing can be added to any more.
    ended: Vec<Chain>,
    past: Past,
}

impl Associator {
    pub(super) fn new(settings: TrackSettings) -> Self {
        Self { settings, open: Vec::new(), ended: Vec::new(), past: Past::default() }
    }

    /// The next frame begins a new shot: nobody is carried over.
    pub(super) fn cut(&mut self) {
        let open = std::mem::take(&mut self.open);
        self.close(open);
        self.past.forget();
    }

    /// Drops what is no evidence of somebody, which networks see in many
    /// frames: no part of it can be either.
    fn close(&mut self, ended: Vec<Chain>) {
        let settings = self.settings;
        self.ended.extend(ended.into_iter().filter(|c| c.evidence.suffices(&settings)));
    }

    /// Chains that have ended since the last call. Whoever is in one of them
    /// was last seen, or followed, so long ago that all frames in which they
    /// are covered are known.
    pub(super) fn take_ended(&mut self) -> Vec<Chain> {
        std::mem::take(&mut self.ended)
    }

    /// What the frame shows whose detections, if there are any, were pushed
    /// just before: somebody who was not seen in it is followed.
    pub(super) fn show(&mut self, frame: u64, seconds: f64, luma: Luma) {
        self.past.push(frame, seconds, luma);
        for chain in &mut self.open {
            if chain.evidence.suffices(&self.settings) {
                // For as long as the chain waits for the next sight.
                chain.paths.go_on(&chain.links, &self.past, self.settings.max_gap);
            }
        }
    }

    pub(super) fn push(&mut self, frame: u64, seconds: f64, detections: Vec<Detection>) {
        let mut found: Vec<Detection> = detections
            .into_iter()
            .filter(|d| d.confidence >= self.settings.floor && d.rect.is_proper())
            .collect();
        let certain = self.settings.threshold;
        // Certain detections choose their chain first, weak ones take what
        // is left over (ByteTrack).
        let (mut strong, mut weak): (Vec<_>, Vec<_>) =
            found.drain(..).partition(|d| d.confidence >= certain);
        let mut taken = vec![false; self.open.len()];
        self.join(frame, seconds, &mut strong, &mut taken);
        self.join(frame, seconds, &mut weak, &mut taken);
        for detection in strong.into_iter().chain(weak) {
            let link = Link { frame, seconds, detection };
            self.open.push(Chain::new(link, &self.settings));
        }
        let max_gap = self.settings.max_gap;
        let (open, lost) = std::mem::take(&mut self.open)
            .into_iter()
            .partition(|c| c.links.last().is_some_and(|l| seconds - l.seconds <= max_gap));
        self.open = open;
        self.close(lost);
    }

    /// Gives detections to open chains, best pairs first; what finds no
    /// chain stays in `found`.
    fn join(&mut self, frame: u64, seconds: f64, found: &mut Vec<Detection>, taken: &mut [bool]) {
        let mut pairs = Vec::new();
        for (c, chain) in self.open.iter().enumerate().take(taken.len()) {
            let (Some(predicted), Some(last)) = (chain.predict(seconds), chain.links.last()) else {
                continue;
            };
            for (d, detection) in found.iter().enumerate() {
                let gap = seconds - last.seconds;
                let score = affinity(predicted, last.detection.rect, detection.rect, gap);
                if score > 0.0 && detection.label == last.detection.label {
                    // A chain with a history wins over a single odd box.
                    let history = 0.02 * chain.links.len().min(10) as f32;
                    pairs.push((score + history, c, d));
                }
            }
        }
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        let mut used = vec![false; found.len()];
        for (_, c, d) in pairs {
            if !taken[c] && !used[d] {
                taken[c] = true;
                used[d] = true;
                self.open[c].add(Link { frame, seconds, detection: found[d] }, &self.settings);
            }
        }
        let mut index = 0;
        found.retain(|_| {
            index += 1;
            !used[index - 1]
        });
    }

    /// The clip is over.
    pub(super) fn end(&mut self) {
        let open = std::mem::take(&mut self.open);
        self.close(open);
    }
}
