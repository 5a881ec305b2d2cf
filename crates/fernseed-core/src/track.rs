//! From detections in single frames to subjects through time, so that nobody
//! flashes up for a frame.
//!
//! The work is offline: all frames of a clip have been looked at before a
//! track is final. `associate` joins detections of one shot into tracks,
//! weak ones included; `paths` follows everybody through the frames in which
//! no network saw them, forwards and backwards, by what was in their box;
//! `fill` decides which tracks count, closes their gaps from both sides and
//! extends them before the first and after the last sight; [`plan`] adds the
//! margins and writes the redactions.
//!
//! Tracks are made as soon as their subject has been out of sight for so long
//! that nothing can be added to them, and their redactions as soon as they are
//! taken ([`Tracker::take_ended`]): what is kept of a clip of hours is the plan,
//! the times of its frames, and those who are in sight.
//!
//! The method is two-stage association (ByteTrack, Zhang et al. 2022:
//! detections below the threshold extend tracks but do not found certain
//! ones) made offline: weak tracks are confirmed by evidence from the whole
//! clip, and interpolation and extension use both directions of time.

mod associate;
pub mod between;
mod evidence;
mod fill;
mod follow;
pub mod luma;
mod paths;
pub mod plan;
pub mod scene;

use crate::detect::{Detection, DetectorId, Label};
use crate::geometry::Rect;
use luma::Luma;

/// Settings of the tracker. Times are in seconds of media time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrackSettings {
    /// A track is certain if one of its detections reaches this confidence.
    pub threshold: f32,
    /// A track without a certain detection still counts if its confidences
    /// beyond [`Self::floor`] add up to this much over several frames.
    pub weak_evidence: f32,
    /// Detections below this confidence are ignored.
    pub floor: f32,
    /// Longest time without a detection that a track survives inside a shot.
    pub max_gap: f64,
    /// How long a track is covered before its first and after its last sight.
    pub extension: f64,
    /// A track that begins or ends within this time of a cut or of the ends
    /// of the clip is extended up to it.
    pub snap: f64,
}

impl TrackSettings {
    /// The settings that go with a policy's threshold.
    #[must_use]
    pub fn for_threshold(threshold: f32) -> Self {
        Self {
            threshold,
            weak_evidence: 1.0,
            floor: threshold * 0.5,
            max_gap: 2.0,
            extension: 0.6,
            snap: 0.8,
        }
    }
}

/// What was seen in one frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Sighting {
    /// Number of the frame; frames come in order, none twice.
    pub frame: u64,
    /// Its time in seconds.
    pub seconds: f64,
    /// Set if a new shot began, at some frame from this number up to this
    /// frame: frames that were not decoded may belong to either shot.
    pub cut: Option<u64>,
    /// What the detectors found, or `None` if nobody looked at this frame.
    pub detections: Option<Vec<Detection>>,
}

/// One box of a track at one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrackPoint {
    /// The frame.
    pub frame: u64,
    /// The subject's box, without margins, in display space.
    pub rect: Rect,
    /// True if it was detected here, false if it was filled in.
    pub seen: bool,
}

/// One subject through time, every frame from first to last present.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// What it is.
    pub label: Label,
    /// Number of the subject: where it is not certain which way somebody
    /// went, each way is a track of its own, and all have one number.
    pub subject: u32,
    /// One point per frame, in order, without holes.
    pub points: Vec<TrackPoint>,
    /// Highest confidence of its detections.
    pub confidence: f32,
    /// Which detectors saw it.
    pub detectors: Vec<DetectorId>,
    /// Longest run of frames filled between two detections.
    pub longest_gap: u64,
    /// Ends at which it may be somewhere else than its boxes.
    pub strays: Vec<Stray>,
}

/// A subject that moved so fast when it was first or last seen that the boxes
/// before or after, which follow only so far, may have lost it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stray {
    /// The frame of the first or last sight.
    pub frame: u64,
    /// True for the last sight.
    pub after: bool,
    /// The box there, without margins, in display space.
    pub seen: Rect,
    /// Where the boxes stopped following, in display space: outside the
    /// picture if it came in or went out over the border.
    pub rect: Rect,
}

impl Track {
    /// Number of frames in which it was detected.
    #[must_use]
    pub fn seen_frames(&self) -> u64 {
        self.points.iter().filter(|p| p.seen).count() as u64
    }
}

/// Collects sightings of one clip and turns them into tracks.
#[derive(Debug)]
pub struct Tracker {
    settings: TrackSettings,
    associator: associate::Associator,
    clock: fill::Clock,
    filler: fill::Filler,
}

impl Tracker {
    /// A tracker for one clip.
    #[must_use]
    pub fn new(settings: TrackSettings) -> Self {
        Self {
            settings,
            associator: associate::Associator::new(settings),
            clock: fill::Clock::default(),
            filler: fill::Filler::default(),
        }
    }

    /// Adds the next frame, and what it shows, if that is known: somebody who
    /// was seen in others is followed through it.
    pub fn push(&mut self, sighting: Sighting, luma: Option<Luma>) {
        self.clock.push(sighting.seconds, sighting.cut);
        if sighting.cut.is_some() {
            self.associator.cut();
        }
        if let Some(detections) = sighting.detections {
            self.associator.push(sighting.frame, sighting.seconds, detections);
        }
        if let Some(luma) = luma {
            self.associator.show(sighting.frame, sighting.seconds, luma);
        }
        for chain in self.associator.take_ended() {
            self.filler.add(&chain, &self.clock, &self.settings);
        }
    }

    /// The tracks that are final by now and were not taken before, in the order
    /// in which their subjects were lost.
    pub fn take_ended(&mut self) -> Vec<Track> {
        self.filler.take()
    }

    /// The tracks of the clip that were not taken before, in order of their
    /// first frame.
    #[must_use]
    pub fn finish(mut self) -> Vec<Track> {
        self.associator.end();
        for chain in self.associator.take_ended() {
            self.filler.add(&chain, &self.clock, &self.settings);
        }
        self.filler.finish(&self.clock, &self.settings)
    }
}

#[cfg(test)]
mod tests;
