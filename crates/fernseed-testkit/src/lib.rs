//! What the tests of several crates share: scripted detectors, synthetic
//! pictures, and where the shared test data lies.
#![forbid(unsafe_code)]

use fernseed_core::detect::{DetectError, Detection, Detector, DetectorId, Effort, Label};
use fernseed_core::picture::{Plane, plane_sizes};
use fernseed_core::{Picture, PixelFormat, Rect, Size};
use std::path::{Path, PathBuf};

/// A detector that finds bright blobs of one colour: every connected square
/// of pure magenta counts as a face. Fast, exact, and blind to real people.
#[derive(Clone, Copy, Debug, Default)]
pub struct MagentaDetector;

/// The colour that [`MagentaDetector`] takes for a face.
pub const MAGENTA: [u8; 3] = [255, 0, 255];

impl Detector for MagentaDetector {
    fn detect(
        &self,
        picture: &Picture,
        _effort: Effort,
        _floor: f32,
    ) -> Result<Vec<Detection>, DetectError> {
        let step = match picture.format() {
            PixelFormat::Rgb8 => 3,
            PixelFormat::Rgba8 => 4,
            PixelFormat::Yuv420(_) => return Ok(Vec::new()),
        };
        let Some(plane) = picture.planes().first() else { return Ok(Vec::new()) };
        let mut found: Option<Rect> = None;
        for y in 0..plane.rows {
            for (x, pixel) in plane.row(y).chunks_exact(step).enumerate() {
                if pixel.starts_with(&MAGENTA) {
                    let (x, y) = (x as f32, y as f32);
                    let here = Rect::new(x, y, x + 1.0, y + 1.0);
                    found = Some(found.map_or(here, |f| f.union(here)));
                }
            }
        }
        Ok(found
            .into_iter()
            .map(|rect| Detection {
                rect,
                label: Label::Face,
                confidence: 1.0,
                source: DetectorId::Fake,
            })
            .collect())
    }
}

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
            for byte in &mut plane.data {
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
    fn magenta_is_found_where_it_is() {
        let mut picture = Picture::filled(Size::new(20, 10), PixelFormat::Rgb8, [9, 9, 9]);
        for y in 3..6 {
            picture.planes_mut()[0].row_mut(y)[12..21].copy_from_slice(&[255, 0, 255].repeat(3));
        }
        let found = MagentaDetector.detect(&picture, Effort::Still, 0.5).unwrap();
        assert_eq!(found[0].rect, Rect::new(4.0, 3.0, 7.0, 6.0));
    }

    #[test]
    fn noise_is_seeded() {
        let size = Size::new(8, 8);
        assert_eq!(noise(size, PixelFormat::Rgb8, 1), noise(size, PixelFormat::Rgb8, 1));
        assert_ne!(noise(size, PixelFormat::Rgb8, 1), noise(size, PixelFormat::Rgb8, 2));
    }
}
