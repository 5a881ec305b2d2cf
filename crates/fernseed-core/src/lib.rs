//! The domain of fernseed as values and pure functions.
//!
//! Nothing in this crate reads a file, links a codec or knows a container.
//! It holds the words every other crate speaks (see ARCHITECTURE.md): a
//! [`Picture`] is decoded, a [`detect::Detector`] turns it into
//! [`detect::Detection`]s, [`track`] joins those into a [`plan::Plan`],
//! [`render`] destroys what the plan names and is the only maker of
//! [`render::Redacted`], and a [`finding::Finding`] says what was noticed.
//!
//! All coordinates are in *display space*: pixels of the upright picture,
//! origin at the top left corner, x to the right, y down.
#![forbid(unsafe_code)]

pub mod detect;
pub mod finding;
pub mod geometry;
pub mod limits;
pub mod picture;
pub mod plan;
pub mod policy;
pub mod render;
pub mod sound;
pub mod time;
pub mod track;

pub use geometry::{Orientation, Rect, Size};
pub use picture::{Picture, PixelFormat, Plane};
