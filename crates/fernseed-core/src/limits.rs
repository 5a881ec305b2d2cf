//! What a file may ask of us before it is refused.

/// Bounds on one input, checked before memory is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most pixels in one picture (width times height).
    pub max_pixels: u64,
    /// Longest side of a picture in pixels.
    pub max_side: u32,
    /// Most frames of an animation (GIF, APNG, WebP) held as stills.
    pub max_animation_frames: u32,
    /// Most bytes of input a still-picture decoder reads.
    pub max_still_bytes: u64,
}

impl Default for Limits {
    /// 200 megapixels, 32768 pixels a side, 3000 animation frames, 512 MiB.
    fn default() -> Self {
        Self {
            max_pixels: 200_000_000,
            max_side: 32_768,
            max_animation_frames: 3_000,
            max_still_bytes: 512 << 20,
        }
    }
}

impl Limits {
    /// True if a picture of this size is inside the bounds and not empty.
    #[must_use]
    pub fn allow(&self, size: crate::Size) -> bool {
        size.width > 0
            && size.height > 0
            && size.width <= self.max_side
            && size.height <= self.max_side
            && size.pixels() <= self.max_pixels
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Size;

    #[test]
    fn bombs_and_nothing_are_refused() {
        let limits = Limits::default();
        assert!(limits.allow(Size::new(4000, 3000)));
        assert!(!limits.allow(Size::new(60_000, 60_000)));
        assert!(!limits.allow(Size::new(0, 10)));
        assert!(!limits.allow(Size::new(32_768, 32_768)));
    }
}
