//! Sizes, rectangles and the eight ways a camera can be held.
//!
//! Everything here lives in display space: pixels of the upright picture,
//! origin top left. Rectangles are half open: `left <= x < right`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Width and height of a picture in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Size {
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
}

impl Size {
    /// A size from its two sides, in pixels.
    #[must_use]
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height }
    }

    /// Number of pixels.
    #[must_use]
    pub const fn pixels(self) -> u64 {
        self.width as u64 * self.height as u64
    }

    /// The whole picture as a rectangle.
    #[must_use]
    pub fn rect(self) -> Rect {
        Rect::new(0.0, 0.0, self.width as f32, self.height as f32)
    }
}

/// An axis-aligned rectangle in display space, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rect {
    /// Left edge.
    pub left: f32,
    /// Top edge.
    pub top: f32,
    /// Right edge, exclusive.
    pub right: f32,
    /// Bottom edge, exclusive.
    pub bottom: f32,
}

impl Rect {
    /// A rectangle from its edges.
    #[must_use]
    pub const fn new(left: f32, top: f32, right: f32, bottom: f32) -> Self {
        Self { left, top, right, bottom }
    }

    /// A rectangle from its centre and sides.
    #[must_use]
    pub fn centred(x: f32, y: f32, width: f32, height: f32) -> Self {
        Self::new(x - width / 2.0, y - height / 2.0, x + width / 2.0, y + height / 2.0)
    }

    /// Width in pixels; never negative.
    #[must_use]
    pub fn width(self) -> f32 {
        (self.right - self.left).max(0.0)
    }

    /// Height in pixels; never negative.
    #[must_use]
    pub fn height(self) -> f32 {
        (self.bottom - self.top).max(0.0)
    }

    /// Area in square pixels; never negative.
    #[must_use]
    pub fn area(self) -> f32 {
        self.width() * self.height()
    }

    /// Centre as `(x, y)`.
    #[must_use]
    pub fn centre(self) -> (f32, f32) {
        ((self.left + self.right) / 2.0, (self.top + self.bottom) / 2.0)
    }

    /// True if all edges are finite and the area is positive.
    #[must_use]
    pub fn is_proper(self) -> bool {
        [self.left, self.top, self.right, self.bottom].iter().all(|v| v.is_finite())
            && self.right > self.left
            && self.bottom > self.top
    }

    /// The common part of two rectangles (possibly empty).
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self::new(
            self.left.max(other.left),
            self.top.max(other.top),
            self.right.min(other.right),
            self.bottom.min(other.bottom),
        )
    }

    /// The smallest rectangle that holds both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self::new(
            self.left.min(other.left),
            self.top.min(other.top),
            self.right.max(other.right),
            self.bottom.max(other.bottom),
        )
    }

    /// Intersection over union, 0 to 1.
    #[must_use]
    pub fn iou(self, other: Self) -> f32 {
        let common = self.intersection(other).area();
        let all = self.area() + other.area() - common;
        if all > 0.0 { common / all } else { 0.0 }
    }

    /// Share of `self` that lies inside `other`, 0 to 1.
    #[must_use]
    pub fn covered_by(self, other: Self) -> f32 {
        let area = self.area();
        if area > 0.0 { self.intersection(other).area() / area } else { 0.0 }
    }

    /// Grown by a factor of its own sides around its centre: `1.0` changes
    /// nothing, `1.3` makes both sides 30 % longer.
    #[must_use]
    pub fn scaled(self, factor: f32) -> Self {
        let (x, y) = self.centre();
        Self::centred(x, y, self.width() * factor, self.height() * factor)
    }

    /// Every edge moved outwards by `by` pixels.
    #[must_use]
    pub fn padded(self, by: f32) -> Self {
        Self::new(self.left - by, self.top - by, self.right + by, self.bottom + by)
    }

    /// Moved by `(dx, dy)` pixels.
    #[must_use]
    pub fn shifted(self, dx: f32, dy: f32) -> Self {
        Self::new(self.left + dx, self.top + dy, self.right + dx, self.bottom + dy)
    }

    /// All coordinates multiplied, as when the picture is resized.
    #[must_use]
    pub fn times(self, sx: f32, sy: f32) -> Self {
        Self::new(self.left * sx, self.top * sy, self.right * sx, self.bottom * sy)
    }

    /// Linear interpolation: `self` at `t = 0`, `other` at `t = 1`.
    #[must_use]
    pub fn lerp(self, other: Self, t: f32) -> Self {
        let mix = |a: f32, b: f32| a + (b - a) * t;
        Self::new(
            mix(self.left, other.left),
            mix(self.top, other.top),
            mix(self.right, other.right),
            mix(self.bottom, other.bottom),
        )
    }
}

/// How stored pixels must be turned to stand upright, with the meaning of
/// the EXIF `Orientation` tag (Exif 3.0, 4.6.5.1.3): the variant names the
/// operation that makes the stored picture upright.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Orientation {
    /// 1: already upright.
    #[default]
    Upright,
    /// 2: mirror left to right.
    FlipHorizontal,
    /// 3: turn by 180 degrees.
    Rotate180,
    /// 4: mirror top to bottom.
    FlipVertical,
    /// 5: mirror along the main diagonal.
    Transpose,
    /// 6: turn by 90 degrees clockwise.
    Rotate90,
    /// 7: mirror along the other diagonal.
    Transverse,
    /// 8: turn by 270 degrees clockwise.
    Rotate270,
}

impl Orientation {
    /// From the value of the EXIF tag; `None` for values the standard does not know.
    #[must_use]
    pub const fn from_exif(value: u16) -> Option<Self> {
        Some(match value {
            1 => Self::Upright,
            2 => Self::FlipHorizontal,
            3 => Self::Rotate180,
            4 => Self::FlipVertical,
            5 => Self::Transpose,
            6 => Self::Rotate90,
            7 => Self::Transverse,
            8 => Self::Rotate270,
            _ => return None,
        })
    }

    /// True if turning exchanges width and height.
    #[must_use]
    pub const fn swaps_sides(self) -> bool {
        matches!(self, Self::Transpose | Self::Rotate90 | Self::Transverse | Self::Rotate270)
    }

    /// The size after turning a picture of size `stored`.
    #[must_use]
    pub const fn apply_to_size(self, stored: Size) -> Size {
        if self.swaps_sides() { Size::new(stored.height, stored.width) } else { stored }
    }

    /// Where the upright pixel `(x, y)` lies in the stored picture of size `stored`.
    #[must_use]
    pub const fn stored_from_upright(self, x: u32, y: u32, stored: Size) -> (u32, u32) {
        let (right, bottom) = (stored.width - 1, stored.height - 1);
        match self {
            Self::Upright => (x, y),
            Self::FlipHorizontal => (right - x, y),
            Self::Rotate180 => (right - x, bottom - y),
            Self::FlipVertical => (x, bottom - y),
            Self::Transpose => (y, x),
            Self::Rotate90 => (y, bottom - x),
            Self::Transverse => (right - y, bottom - x),
            Self::Rotate270 => (right - y, x),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iou_of_halves() {
        let a = Rect::new(0.0, 0.0, 2.0, 2.0);
        let b = Rect::new(1.0, 0.0, 3.0, 2.0);
        assert!((a.iou(b) - 1.0 / 3.0).abs() < 1e-6);
        assert_eq!(a.iou(Rect::new(5.0, 5.0, 6.0, 6.0)), 0.0);
    }

    #[test]
    fn rotate90_puts_the_stored_left_column_on_top() {
        // A stored 3x2 picture shown with EXIF 6 is 2x3; its top left pixel
        // is the stored bottom left one.
        let stored = Size::new(3, 2);
        assert_eq!(Orientation::Rotate90.apply_to_size(stored), Size::new(2, 3));
        assert_eq!(Orientation::Rotate90.stored_from_upright(0, 0, stored), (0, 1));
        assert_eq!(Orientation::Rotate90.stored_from_upright(1, 2, stored), (2, 0));
    }

    #[test]
    fn every_orientation_is_a_bijection() {
        let stored = Size::new(4, 3);
        for exif in 1..=8 {
            let o = Orientation::from_exif(exif).unwrap();
            let up = o.apply_to_size(stored);
            let mut seen = std::collections::BTreeSet::new();
            for y in 0..up.height {
                for x in 0..up.width {
                    let (sx, sy) = o.stored_from_upright(x, y, stored);
                    assert!(sx < stored.width && sy < stored.height, "{o:?}");
                    seen.insert((sx, sy));
                }
            }
            assert_eq!(seen.len(), 12, "{o:?}");
        }
        assert_eq!(Orientation::from_exif(0), None);
        assert_eq!(Orientation::from_exif(9), None);
    }
}
