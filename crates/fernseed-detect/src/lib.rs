//! Finds faces in pictures.
//!
//! Two small networks ([`engine`]) with kernels of their own ([`Backend`])
//! look at a picture at several sizes, and their answers become one list
//! with calibrated confidences. Nothing here recognises, compares or
//! describes anybody: a face is a place to hide.
#![deny(unsafe_code)]

mod centerface;
pub mod engine;
mod face_box;
mod feature_map;
mod finder;
#[allow(unsafe_code, reason = "SIMD kernels; every length is checked before they run")]
mod kernels;
mod layers;
mod look;
mod merge;
pub mod models;
mod near;
mod onnx;
mod plan;
mod quantise;
mod resample;
mod tone;
mod view;
mod yunet;

pub use centerface::{ActivationRanges, Precision};
use fernseed_core::policy::Policy;
use fernseed_core::track::plan::covered_rect;

pub use engine::{Engine, HeadMap};
pub use face_box::FaceBox;
pub use feature_map::NetworkInput;
pub use finder::{FaceFinder, FinderConfig, Tick};
pub use kernels::Backend;
pub use look::{Look, Network};
pub use models::models;
pub use plan::{Turned, VideoLook};
pub use yunet::YuNetRanges;

/// The confidence from which a face is hidden unless the user says otherwise.
pub const DEFAULT_THRESHOLD: f32 = 0.5;

/// Sides of the hidden ellipse relative to a detection's box.
pub const RECOMMENDED_GROW: f32 = 1.16;

/// Pixels of the picture added to every side of the grown box: the networks
/// place small faces no more exactly than this.
pub const RECOMMENDED_PAD: f32 = 6.0;

/// The rectangle whose inscribed ellipse should be hidden for a detection's
/// box, in the same space.
#[must_use]
pub fn recommended_shape(detection: fernseed_core::Rect) -> fernseed_core::Rect {
    let policy = Policy { grow: RECOMMENDED_GROW, pad: RECOMMENDED_PAD, ..Policy::default() };
    covered_rect(detection, &policy)
}
