//! Composite clips with exact truth: real faces moved over real pictures.
//!
//! Everything is drawn from a seed, so that the same clip can be made again
//! anywhere from the same sources. The set has two halves with seeds, and
//! shared faces and backgrounds, of their own: what is tuned on `develop`
//! is judged on `judge`.

mod encode;
mod image;
mod material;
mod paint;
mod panned;
mod rng;
mod scenario;
mod scene;
mod sources;

pub use encode::write;
pub use image::{Image, MediaError};
pub use panned::{Album, PANNED};
pub use scenario::{SCENARIOS, clips};
pub use sources::{Cutout, Sources};
use std::path::PathBuf;

/// One of the two halves of the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// To tune on.
    Develop = 0,
    /// To judge by; never tuned on.
    Judge = 1,
}

impl Half {
    /// Its name in file names and truths.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Develop => "develop",
            Self::Judge => "judge",
        }
    }
}

/// What clips may be made from.
#[derive(Clone, Debug)]
pub enum Material {
    /// The demo photo over backgrounds made of nothing: the same everywhere.
    Demo,
    /// Pinned packages only (scripts/composite-media.sh).
    Pinned,
    /// Those, and the shared test data in this folder.
    WithShared(PathBuf),
}

/// One clip of the set.
#[derive(Clone, Copy, Debug)]
pub struct Clip {
    /// One of [`SCENARIOS`] or [`PANNED`].
    pub scenario: &'static str,
    /// Which half it belongs to.
    pub half: Half,
    /// Counts the clips of a scenario in a half.
    pub number: usize,
    /// Small and short, for tests that have to be quick.
    pub brief: bool,
}

impl Clip {
    /// Name of its files without extension.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}-{}{}", self.scenario, &self.half.name()[..1], self.number)
    }

    /// Even in `develop`, odd in `judge`.
    #[must_use]
    pub fn seed(&self) -> u64 {
        let mut names = SCENARIOS.iter().chain(&PANNED);
        let scenario = names.position(|s| *s == self.scenario).unwrap_or(0);
        ((scenario * 100 + self.number) * 2 + self.half as usize) as u64
    }
}
