//! Small synthetic pictures for the tests.

use fernseed_core::limits::Limits;

/// Width and height of [`gradient`].
pub(super) const SIDES: (u16, u16) = (60, 40);

/// A smooth RGB picture without symmetry.
pub(super) fn gradient() -> Vec<u8> {
    let (w, h) = (u32::from(SIDES.0), u32::from(SIDES.1));
    (0..h)
        .flat_map(|y| (0..w).flat_map(move |x| [x * 4, y * 6, (x + 2 * y) * 255 / 140]))
        .map(|v| v as u8)
        .collect()
}

/// [`gradient`] as a JPEG of good quality.
pub(super) fn jpeg_with(change: impl FnOnce(&mut jpeg_encoder::Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut file, 95);
    change(&mut encoder);
    encoder.encode(&gradient(), SIDES.0, SIDES.1, jpeg_encoder::ColorType::Rgb).unwrap();
    file
}

/// Limits with few frames.
pub(super) fn few_frames() -> Limits {
    Limits { max_animation_frames: 5, ..Limits::default() }
}
