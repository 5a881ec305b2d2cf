//! What is really to be seen in a clip: every face in every frame, with the
//! share of it that is visible.
//!
//! A face is an ellipse, the image of the one inscribed in its labelled box,
//! and is looked at through a fixed grid of points ([`points`]).

use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;

/// Least height in pixels of a face whose exposure counts.
pub const COUNTED_HEIGHT: f32 = 16.0;
/// Least height in pixels that is recorded at all.
pub const RECORDED_HEIGHT: f32 = 12.0;
/// Least share of the face that is visible in a frame that counts.
pub const COUNTED_SHARE: f32 = 0.4;
/// Least standard deviation of brightness (of 255) over the visible part of
/// a face in a frame that counts: below it a person sees a flat patch.
pub const COUNTED_CONTRAST: f32 = 6.0;
/// Points along each side of the grid over a face.
pub const GRID: usize = 24;

/// The truth of one clip.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Truth {
    /// Name of the clip's file.
    pub clip: String,
    /// What the clip tries.
    pub scenario: String,
    /// `develop` or `judge`; `real` for a real clip.
    pub half: String,
    /// What made it differ from others of its scenario.
    pub seed: u64,
    /// Width and height of the upright picture.
    pub size: [u32; 2],
    /// All frames in the order in which they are shown.
    pub frames: Vec<FrameTruth>,
}

impl Truth {
    /// Writes it down as JSON.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        std::fs::write(path, serde_json::to_vec(self)?)
    }
}

/// The truth of one frame.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct FrameTruth {
    /// When it is shown, in milliseconds.
    pub ms: f64,
    /// True if the picture has nothing to do with the one before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
    /// The faces in it.
    pub faces: Vec<Face>,
}

/// A face in one frame, in pixels of the upright picture.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Face {
    /// Whose, within this clip only.
    pub id: u32,
    /// Centre of the ellipse.
    pub centre: [f32; 2],
    /// From the centre to the side of the face.
    pub side: [f32; 2],
    /// From the centre to the chin.
    pub down: [f32; 2],
    /// Share of the ellipse that is inside the picture and not behind
    /// something.
    pub visible: f32,
    /// Which grid points are visible, as hexadecimal bits; absent if all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<String>,
    /// Standard deviation of brightness over the visible part.
    pub contrast: f32,
    /// Degrees by which the head is turned away.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub yaw: f32,
    /// Whether exposure counts, by the constants of this module.
    pub counts: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature serde wants")]
fn is_zero(value: &f32) -> bool {
    *value == 0.0
}

/// The grid points inside the unit circle, as `(side, down)` coordinates.
#[must_use]
pub fn points() -> Vec<(f32, f32)> {
    let at = |i: usize| (i as f32 + 0.5) / GRID as f32 * 2.0 - 1.0;
    (0..GRID)
        .flat_map(|y| (0..GRID).map(move |x| (at(x), at(y))))
        .filter(|(u, v)| u * u + v * v <= 1.0)
        .collect()
}

impl Face {
    /// A face whose ellipse is inscribed in an upright box.
    #[must_use]
    pub fn upright(id: u32, [left, top, right, bottom]: [f32; 4]) -> Self {
        Self {
            id,
            centre: [(left + right) / 2.0, (top + bottom) / 2.0],
            side: [(right - left) / 2.0, 0.0],
            down: [0.0, (bottom - top) / 2.0],
            visible: 1.0,
            mask: None,
            contrast: 255.0,
            yaw: 0.0,
            counts: bottom - top >= COUNTED_HEIGHT,
        }
    }

    /// Where a grid point lies in the picture.
    #[must_use]
    pub fn place(&self, (u, v): (f32, f32)) -> (f32, f32) {
        (
            self.centre[0] + u * self.side[0] + v * self.down[0],
            self.centre[1] + u * self.side[1] + v * self.down[1],
        )
    }

    /// The box around the ellipse: left, top, right, bottom.
    #[must_use]
    pub fn bounds(&self) -> [f32; 4] {
        let w = self.side[0].hypot(self.down[0]);
        let h = self.side[1].hypot(self.down[1]);
        [self.centre[0] - w, self.centre[1] - h, self.centre[0] + w, self.centre[1] + h]
    }

    /// Height of the face from forehead to chin in pixels, however it lies.
    #[must_use]
    pub fn height(&self) -> f32 {
        2.0 * self.down[0].hypot(self.down[1])
    }

    /// Area of the visible part in pixels.
    #[must_use]
    pub fn area(&self) -> f32 {
        let cross = self.side[0] * self.down[1] - self.side[1] * self.down[0];
        std::f32::consts::PI * cross.abs() * self.visible
    }

    /// Whether each of [`points`] is visible.
    #[must_use]
    pub fn visible_points(&self, points: usize) -> Vec<bool> {
        let Some(mask) = &self.mask else { return vec![true; points] };
        (0..points)
            .map(|i| {
                let digit = mask.as_bytes().get(i / 4).copied().unwrap_or(b'0');
                (digit as char).to_digit(16).unwrap_or(0) >> (i % 4) & 1 == 1
            })
            .collect()
    }

    /// Writes down which points are visible, and the share of them.
    pub fn set_visible(&mut self, visible: &[bool]) {
        let seen = visible.iter().filter(|v| **v).count();
        self.visible = seen as f32 / visible.len().max(1) as f32;
        self.mask = (seen < visible.len()).then(|| {
            visible
                .chunks(4)
                .map(|four| {
                    let bits =
                        four.iter().enumerate().map(|(i, v)| u32::from(*v) << i).sum::<u32>();
                    char::from_digit(bits, 16).unwrap_or('0')
                })
                .collect()
        });
    }

    /// Decides whether the face counts in its frame.
    pub fn decide(&mut self) {
        self.counts = self.height() >= COUNTED_HEIGHT
            && self.visible >= COUNTED_SHARE
            && self.contrast >= COUNTED_CONTRAST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visibility_survives_being_written_down() {
        let n = points().len();
        let visible: Vec<bool> = (0..n).map(|i| i % 3 != 0).collect();
        let mut face = Face::upright(1, [0.0, 0.0, 20.0, 30.0]);
        face.set_visible(&visible);
        assert_eq!(face.visible_points(n), visible);
        assert!((face.visible - 2.0 / 3.0).abs() < 0.01);
        face.set_visible(&vec![true; n]);
        assert_eq!(face.mask, None);
    }

    #[test]
    fn a_turned_face_has_the_box_of_its_ellipse() {
        let mut face = Face::upright(1, [0.0, 0.0, 20.0, 30.0]);
        face.side = [0.0, 10.0];
        face.down = [-15.0, 0.0];
        assert_eq!(face.bounds(), [-5.0, 5.0, 25.0, 25.0]);
        assert_eq!(face.height(), 30.0);
    }
}
