//! The bounded information that mosaic and blur keep.
//!
//! Averaging many frames of an ordinary mosaic gives the face back, since
//! its grid moves over the face. So a track's colours are taken once, at its
//! first frame, as at most 4 by 4 cells of 16 levels per channel, and moved
//! along with the track. Whatever the length of the clip, no more than
//! 4 * 4 * 3 * 4 = 192 bits of what was covered are in the output.

use crate::geometry::Rect;
use crate::picture::{Picture, PixelFormat, YuvColour};

/// Most cells along a side.
const MAX_SIDE: usize = 4;
/// A cell is never smaller than this many pixels along a side.
const MIN_CELL_PIXELS: f32 = 8.0;

/// The coarse colours of one track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CellGrid {
    side: usize,
    /// `side * side` sRGB colours, row by row.
    colours: Vec<[u8; 3]>,
}

impl CellGrid {
    /// Takes the colours under `rect`, which may reach over the picture.
    pub(super) fn sample(picture: &Picture, rect: Rect) -> Self {
        let shorter = rect.width().min(rect.height());
        let side = ((shorter / MIN_CELL_PIXELS) as usize).clamp(1, MAX_SIDE);
        let mut colours = Vec::with_capacity(side * side);
        for row in 0..side {
            for column in 0..side {
                let (w, h) = (rect.width() / side as f32, rect.height() / side as f32);
                let (left, top) = (rect.left + w * column as f32, rect.top + h * row as f32);
                let cell = Rect::new(left, top, left + w, top + h);
                colours.push(average(picture, cell).map(quantise));
            }
        }
        Self { side, colours }
    }

    fn colour(&self, column: usize, row: usize) -> [u8; 3] {
        self.colours.get(row * self.side + column).copied().unwrap_or([0; 3])
    }

    /// The colour of the cell under `(x, y)`.
    pub(super) fn flat(&self, rect: Rect, x: f32, y: f32) -> [u8; 3] {
        let at = |v: f32, from: f32, length: f32| {
            (((v - from) / length * self.side as f32).max(0.0) as usize).min(self.side - 1)
        };
        self.colour(at(x, rect.left, rect.width()), at(y, rect.top, rect.height()))
    }

    /// The colours of the four nearest cells, mixed linearly.
    pub(super) fn smooth(&self, rect: Rect, x: f32, y: f32) -> [u8; 3] {
        let at = |v: f32, from: f32, length: f32| {
            let p =
                ((v - from) / length * self.side as f32 - 0.5).clamp(0.0, (self.side - 1) as f32);
            (p as usize, (p as usize + 1).min(self.side - 1), p.fract())
        };
        let (x0, x1, tx) = at(x, rect.left, rect.width());
        let (y0, y1, ty) = at(y, rect.top, rect.height());
        let corners =
            [self.colour(x0, y0), self.colour(x1, y0), self.colour(x0, y1), self.colour(x1, y1)];
        std::array::from_fn(|c| {
            let [a, b, d, e] = corners.map(|rgb| f32::from(rgb[c]));
            let (top, bottom) = (a + (b - a) * tx, d + (e - d) * tx);
            (top + (bottom - top) * ty).round() as u8
        })
    }
}

/// The centre of one of 16 levels.
fn quantise(value: u8) -> u8 {
    (value & 0xf0) | 0x08
}

/// Mean colour of the pixels of `cell`, mid grey where it lies outside.
fn average(picture: &Picture, cell: Rect) -> [u8; 3] {
    let inside = cell.intersection(picture.size().rect());
    if !inside.is_proper() {
        return [128; 3];
    }
    let (x0, x1) = (inside.left as usize, (inside.right.ceil() as usize).max(1));
    let (y0, y1) = (inside.top as usize, (inside.bottom.ceil() as usize).max(1));
    let mean = |plane: usize, step: usize, offset: usize, shift: usize| -> f32 {
        let Some(p) = picture.planes().get(plane) else { return 128.0 };
        let (mut sum, mut count) = (0u64, 0u64);
        for y in y0 >> shift..y1.div_ceil(1 << shift).min(p.rows) {
            let row = p.row(y);
            for x in x0 >> shift..x1.div_ceil(1 << shift) {
                if let Some(v) = row.get(x * step + offset) {
                    sum += u64::from(*v);
                    count += 1;
                }
            }
        }
        if count == 0 { 128.0 } else { sum as f32 / count as f32 }
    };
    match picture.format() {
        PixelFormat::Rgb8 => [0, 1, 2].map(|c| mean(0, 3, c, 0).round() as u8),
        PixelFormat::Rgba8 => [0, 1, 2].map(|c| mean(0, 4, c, 0).round() as u8),
        PixelFormat::Yuv420(colour) => {
            to_rgb(colour, [mean(0, 1, 0, 0), mean(1, 1, 0, 1), mean(2, 1, 0, 1)])
        }
    }
}

/// Inverse of [`YuvColour::from_rgb`], clamped.
fn to_rgb(colour: YuvColour, [y, cb, cr]: [f32; 3]) -> [u8; 3] {
    let (kr, kb) = colour.matrix.weights();
    let (y, scale) =
        if colour.full_range { (y / 255.0, 255.0) } else { ((y - 16.0) / 219.0, 224.0) };
    let (cb, cr) = ((cb - 128.0) / scale, (cr - 128.0) / scale);
    let r = y + 2.0 * (1.0 - kr) * cr;
    let b = y + 2.0 * (1.0 - kb) * cb;
    let g = (y - kr * r - kb * b) / (1.0 - kr - kb);
    [r, g, b].map(|v| (v * 255.0).round().clamp(0.0, 255.0) as u8)
}
