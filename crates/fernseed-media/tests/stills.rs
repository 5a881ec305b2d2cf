//! Small synthetic files of the formats that have no encoder in Rust here
//! (made with libheif, libaom and libjxl from a drawn picture), and random
//! damage to a file of every format.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use fernseed_core::limits::Limits;
use fernseed_core::{Picture, PixelFormat, Size};
use fernseed_media::still::{StillError, StillFormat, StillFrames, decode};
use proptest::prelude::*;
use std::path::Path;
use std::time::{Duration, Instant};

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples").join(name)).unwrap()
}

fn picture(bytes: &[u8]) -> Result<(StillFormat, Picture, bool), StillError> {
    let still = decode(bytes, &Limits::default())?;
    assert!(still.notes.is_empty(), "{:?}", still.notes);
    match still.frames {
        StillFrames::One(picture) => Ok((still.format, picture, still.lossy)),
        StillFrames::Animation(_) => panic!("a still"),
    }
}

/// The drawing: red at the top to blue at the bottom, a lime box 30 by 20
/// pixels large at (4, 6).
fn check_drawing(picture: &Picture, tolerance: u8) {
    assert_eq!(picture.size(), Size::new(96, 64));
    let n = if picture.format() == PixelFormat::Rgba8 { 4 } else { 3 };
    let near = |x: usize, y: usize, rgb: [u8; 3]| {
        let at = &picture.planes()[0].row(y)[x * n..x * n + 3];
        let good = at.iter().zip(rgb).all(|(a, b)| a.abs_diff(b) <= tolerance);
        assert!(good, "({x}, {y}): {at:?} instead of {rgb:?}");
    };
    near(80, 1, [251, 0, 4]);
    near(80, 62, [4, 0, 251]);
    near(18, 16, [0, 255, 0]);
}

#[test]
fn every_format_shows_the_drawing() {
    for (name, format, lossy, tolerance) in [
        ("shapes.heic", StillFormat::Heif, true, 12),
        ("shapes.avif", StillFormat::Avif, true, 12),
        ("shapes.jxl", StillFormat::Jxl, true, 12),
        ("shapes-lossless.jxl", StillFormat::Jxl, false, 1),
    ] {
        let (found, picture, is_lossy) = picture(&sample(name)).unwrap();
        assert_eq!(
            (found, is_lossy, picture.format()),
            (format, lossy, PixelFormat::Rgb8),
            "{name}"
        );
        check_drawing(&picture, tolerance);
    }
}

#[test]
fn alpha_items_are_found() {
    for name in ["shapes-alpha.avif", "shapes-alpha.heic"] {
        let (_, picture, _) = picture(&sample(name)).unwrap();
        assert_eq!(picture.format(), PixelFormat::Rgba8, "{name}");
        check_drawing(&picture, 12);
        let alpha = picture.planes()[0].row(30)[50 * 4 + 3];
        assert!(alpha.abs_diff(128) <= 3, "{name}: {alpha}");
    }
}

#[test]
fn cuts_give_no_picture() {
    for name in ["shapes.heic", "shapes.avif", "shapes.jxl"] {
        let whole = sample(name);
        for percent in [1, 10, 30, 50, 70, 90, 98] {
            let cut = &whole[..whole.len() * percent / 100];
            assert!(decode(cut, &Limits::default()).is_err(), "{name} at {percent} %");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// Whatever bytes change: an answer, soon, and no panic.
    #[test]
    fn damage_is_survived(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
        file in 0_usize..6,
    ) {
        let names = ["shapes.heic", "shapes.avif", "shapes.jxl", "shapes-lossless.jxl",
            "shapes-alpha.avif", "shapes-alpha.heic"];
        let mut bytes = sample(names[file]);
        for (index, value) in changes {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        let begun = Instant::now();
        if let Ok(still) = decode(&bytes, &Limits { max_pixels: 1_000_000, ..Limits::default() })
            && let StillFrames::One(picture) = still.frames
        {
            prop_assert!(picture.size().pixels() <= 1_000_000);
        }
        prop_assert!(begun.elapsed() < Duration::from_secs(30));
    }
}
