//! What the tests of several crates share: synthetic pictures, and where the
//! shared test data lies.
#![forbid(unsafe_code)]

pub mod composite;
pub mod exposure;
pub mod truth;

use fernseed_core::picture::{Plane, plane_sizes};
use fernseed_core::{Picture, PixelFormat, Size};
use std::path::{Path, PathBuf};

/// A picture of seeded noise.
///
/// # Panics
/// If a side is zero.
#[must_use]
#[allow(clippy::expect_used, reason = "test material; a panic is the answer to a wrong call")]
pub fn noise(size: Size, format: PixelFormat, seed: u64) -> Picture {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let planes = plane_sizes(size, format)
        .into_iter()
        .map(|(row_bytes, rows)| {
            let mut plane = Plane::filled(row_bytes, rows, 0);
            for byte in plane.data.iter_mut() {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                *byte = state as u8;
            }
            plane
        })
        .collect();
    Picture::new(size, format, planes).expect("planes made to fit")
}

/// The checkout's root folder.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new(".")).to_owned()
}

/// The folder of test data that is not in the repository, if it is there:
/// `FERNSEED_SHARED`, or `shared` beside the checkout.
#[must_use]
pub fn shared() -> Option<PathBuf> {
    let path =
        std::env::var_os("FERNSEED_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    path.join("data").is_dir().then_some(path)
}

/// Demo media taken out of pinned packages by `make demo-media`.
#[must_use]
pub fn demo_media(name: &str) -> Option<PathBuf> {
    let path = root().join("demo/media").join(name);
    path.is_file().then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_seeded() {
        let size = Size::new(8, 8);
        assert_eq!(noise(size, PixelFormat::Rgb8, 1), noise(size, PixelFormat::Rgb8, 1));
        assert_ne!(noise(size, PixelFormat::Rgb8, 1), noise(size, PixelFormat::Rgb8, 2));
    }
}
