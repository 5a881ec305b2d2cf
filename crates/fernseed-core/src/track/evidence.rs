//! Whether what was seen is evidence of somebody.

use super::TrackSettings;
use super::associate::Link;
use crate::detect::{Detection, DetectorId};

/// Fewest detections a weak chain needs.
const WEAK_LINKS: usize = 3;

/// Confidence from which the quick network's word alone is enough. Below it
/// the thorough network, which looks as well a few times a second, has to
/// see something too: walls and clothes look like faces to one, not to both.
const SURE: f32 = 0.7;
/// The same for faces of more than [`LARGE`] pixels, which the thorough
/// network sees on any copy: what the quick one alone sees there is nobody
/// more often than not.
const SURE_LARGE: f32 = 0.82;
/// Sides from which on a face is large, in pixels.
const LARGE: f32 = 64.0;

/// Of what the quick network alone saw in this many looks ...
const LASTING_LINKS: usize = 6;
/// ... over this many seconds, in which the thorough one looked at the place at
/// least once, ...
const LASTING: f64 = 1.5;
/// ... and never with this confidence, there is nobody if it is large: lamps
/// of cars, wheels, a whole picture.
const SURE_LASTING: f32 = 0.9;

/// True if what was seen is nobody after all. Networks are blind to faces now
/// and then, so it takes more to say this than that there is somebody: the
/// thorough one has not so much as a suspicion of something large that the
/// quick one sees again and again, but never surely.
pub(super) fn is_nobody(links: &[Link]) -> bool {
    let (Some(first), Some(last)) = (links.first(), links.last()) else { return true };
    let doubtful = |link: &Link| {
        let seen = &link.detection;
        seen.source == DetectorId::Yunet
            && seen.rect.area() > LARGE * LARGE
            && seen.confidence < SURE_LASTING
    };
    links.len() >= LASTING_LINKS
        && last.seconds - first.seconds >= LASTING
        && links.iter().all(doubtful)
}

/// What the sights of a chain say together, kept up as they come in.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Evidence {
    /// A sure sight, or a certain one of the thorough network.
    certain: bool,
    /// The thorough network saw something, too.
    thorough: bool,
    sights: usize,
    /// Sum of the confidences beyond the floor.
    beyond: f32,
}

impl Evidence {
    pub(super) fn of(links: &[Link], settings: &TrackSettings) -> Self {
        let mut all = Self::default();
        links.iter().for_each(|link| all.add(&link.detection, settings));
        all
    }

    pub(super) fn add(&mut self, seen: &Detection, settings: &TrackSettings) {
        let thorough = seen.source != DetectorId::Yunet;
        let large = seen.rect.area() > LARGE * LARGE;
        let sure = if large { SURE_LARGE } else { SURE };
        self.certain |= seen.confidence >= sure.max(settings.threshold)
            || (thorough && seen.confidence >= settings.threshold);
        self.thorough |= thorough;
        self.sights += 1;
        self.beyond += seen.confidence - settings.floor;
    }

    /// True if there is somebody: once, for good.
    pub(super) fn suffices(self, settings: &TrackSettings) -> bool {
        let many = self.sights >= WEAK_LINKS && self.beyond >= settings.weak_evidence;
        self.certain || (many && self.thorough)
    }
}
