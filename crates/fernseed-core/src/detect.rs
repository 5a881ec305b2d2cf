//! What a detector says, and the trait every detector implements.

use crate::{Orientation, Picture, Rect};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The kind of thing that identifies a person.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// A human face, frontal to profile.
    Face,
}

impl Label {
    /// The English word for people, singular.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Face => "face",
        }
    }
}

/// One thing found in one picture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Detection {
    /// The tight box around the thing, in display space.
    pub rect: Rect,
    /// What it is.
    pub label: Label,
    /// Confidence on the detector's own calibrated scale, 0 to 1.
    pub confidence: f32,
    /// Which detector said so.
    pub source: DetectorId,
    /// How the picture has to be turned for it to stand upright, as far as a
    /// quarter turn tells: people lie down, and cameras are held sideways.
    pub turn: Orientation,
}

/// Where something is expected in a picture, and how it lies there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// The box it is expected in, in display space.
    pub rect: Rect,
    /// How the picture has to be turned for it to stand upright; `None` if
    /// nobody knows, and then all quarter turns have to be tried.
    pub turn: Option<Orientation>,
}

/// The detectors that exist. Named in plans and reports.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum DetectorId {
    /// CenterFace (Xu et al., 2019), the thorough face detector.
    Centerface,
    /// YuNet-s (Wu et al., 2023), the fast face detector.
    Yunet,
    /// A scripted detector of the test kit.
    Fake,
}

/// How hard to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effort {
    /// A still picture: several scales, tiles, turned passes where in doubt.
    Still,
    /// One frame of a video, whose neighbours will be looked at too.
    VideoFrame,
    /// The audit: another scale and a lower threshold than the first look.
    Audit,
}

/// Finds things that identify people in one picture.
///
/// # For implementations
/// `detect` gets an upright picture of any [`crate::PixelFormat`] and returns
/// boxes in its pixels, best first, overlapping duplicates already merged.
/// Everything at or above `floor` is returned, also what is below the
/// threshold at which it counts on its own: the tracker needs the doubtful
/// ones. It must be deterministic: equal pictures give equal detections.
pub trait Detector: Send + Sync {
    /// Looks at one picture and returns every detection whose confidence is
    /// at least `floor`.
    ///
    /// # Errors
    /// [`DetectError`] if the picture cannot be looked at; callers treat
    /// that as a frame about which nothing is known, never as an empty one.
    fn detect(
        &self,
        picture: &Picture,
        effort: Effort,
        floor: f32,
    ) -> Result<Vec<Detection>, DetectError>;
}

/// Why a detector could not look at a picture.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DetectError {
    /// The picture is smaller or larger than the detector can take.
    #[error("a picture of {width}x{height} pixels is outside what the detector can look at")]
    Size {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The model's weights are not usable.
    #[error("the detector's weights are not usable: {0}")]
    Weights(String),
}
