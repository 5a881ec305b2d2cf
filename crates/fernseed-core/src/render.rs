//! Destroying regions of a picture, and the proof of having done so.
//!
//! [`Renderer`] is the only maker of [`Redacted`] pictures, and encoders
//! take nothing else. The default treatment is a constant: what lies under
//! a mask never reaches the output, so two pictures that differ only there
//! become equal. [`check`] looks at a decoded output and says whether every
//! mask is really destroyed in it.

mod cells;
pub mod check;
mod spans;

use crate::geometry::{Rect, Size};
use crate::picture::{Picture, PixelFormat};
use crate::policy::{Policy, Shape, Treatment};
use cells::CellGrid;
use std::collections::BTreeMap;

/// A value that went through redaction. Only this crate makes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Redacted<T>(T);

impl<T> Redacted<T> {
    /// Looks at the value.
    #[must_use]
    pub const fn get(&self) -> &T {
        &self.0
    }

    /// Takes the value out, for instance to reuse its memory.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }

    /// A value that is passed on because the user chose so by name.
    pub(crate) const fn by_choice(value: T) -> Self {
        Self(value)
    }
}

/// What is covered in one picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mask {
    /// Number of the track, for treatments that are locked to a track.
    pub track: u32,
    /// What is covered, in display space.
    pub rect: Rect,
}

/// Destroys regions of the frames of one file, in order.
#[derive(Debug)]
pub struct Renderer {
    treatment: Treatment,
    shape: Shape,
    fill: [u8; 3],
    grids: BTreeMap<u32, CellGrid>,
}

impl Renderer {
    /// A renderer for one file.
    #[must_use]
    pub fn new(policy: &Policy) -> Self {
        Self {
            treatment: policy.treatment,
            shape: policy.shape,
            fill: policy.fill,
            grids: BTreeMap::new(),
        }
    }

    /// Destroys the masks in a picture. In planar pictures whole 2x2 blocks
    /// are covered, so that no chroma sample mixes inside and outside.
    #[must_use]
    pub fn render(&mut self, mut picture: Picture, masks: &[Mask]) -> Redacted<Picture> {
        // Colours are taken before anything is drawn, so that the order of
        // overlapping masks does not matter to what is sampled.
        if self.treatment != Treatment::Solid {
            for mask in masks {
                self.grids
                    .entry(mask.track)
                    .or_insert_with(|| CellGrid::sample(&picture, mask.rect));
            }
        }
        for mask in masks {
            self.cover(&mut picture, mask);
        }
        Redacted(picture)
    }

    /// A picture of the fill colour only, for a frame about which nothing
    /// is known.
    #[must_use]
    pub fn blank(&self, size: Size, format: PixelFormat) -> Redacted<Picture> {
        Redacted(Picture::filled(size, format, self.fill))
    }

    fn cover(&self, picture: &mut Picture, mask: &Mask) {
        let (size, format) = (picture.size(), picture.format());
        let grid = self.grids.get(&mask.track);
        let colour_at = |x: f32, y: f32| match (self.treatment, grid) {
            (Treatment::Mosaic, Some(g)) => g.flat(mask.rect, x, y),
            (Treatment::Blur, Some(g)) => g.smooth(mask.rect, x, y),
            _ => self.fill,
        };
        let constant = (self.treatment == Treatment::Solid || grid.is_none()).then_some(self.fill);
        match format {
            PixelFormat::Rgb8 => {
                cover_packed::<3>(picture, size, mask.rect, self.shape, constant, colour_at);
            }
            PixelFormat::Rgba8 => {
                cover_packed::<4>(picture, size, mask.rect, self.shape, constant, colour_at);
            }
            PixelFormat::Yuv420(colour) => {
                let constant = constant.map(|rgb| colour.from_rgb(rgb));
                let yuv_at = |x: f32, y: f32| colour.from_rgb(colour_at(x, y));
                cover_yuv420(picture, size, mask.rect, self.shape, constant, yuv_at);
            }
        }
    }
}

fn cover_packed<const N: usize>(
    picture: &mut Picture,
    size: Size,
    rect: Rect,
    shape: Shape,
    constant: Option<[u8; 3]>,
    colour_at: impl Fn(f32, f32) -> [u8; 3],
) {
    let Some(plane) = picture.planes_mut().first_mut() else { return };
    for span in spans::rows(rect, shape, size, 1) {
        let row = plane.row_mut(span.y);
        for x in span.x0..span.x1 {
            let rgb = constant.unwrap_or_else(|| colour_at(x as f32 + 0.5, span.y as f32 + 0.5));
            if let Some(pixel) = row.get_mut(x * N..x * N + N) {
                pixel[..3].copy_from_slice(&rgb);
                if N == 4 {
                    pixel[3] = 255;
                }
            }
        }
    }
}

fn cover_yuv420(
    picture: &mut Picture,
    size: Size,
    rect: Rect,
    shape: Shape,
    constant: Option<[u8; 3]>,
    yuv_at: impl Fn(f32, f32) -> [u8; 3],
) {
    let [luma, cb, cr] = picture.planes_mut() else { return };
    for span in spans::rows(rect, shape, size, 2) {
        let (c0, c1) = (span.x0 / 2, span.x1.div_ceil(2));
        let luma_rows = span.y..(span.y + 2).min(luma.rows);
        if let Some([y, u, v]) = constant {
            for row in luma_rows {
                luma.row_mut(row)[span.x0..span.x1].fill(y);
            }
            cb.row_mut(span.y / 2)[c0..c1].fill(u);
            cr.row_mut(span.y / 2)[c0..c1].fill(v);
            continue;
        }
        for row in luma_rows {
            for (x, sample) in (span.x0..span.x1).zip(&mut luma.row_mut(row)[span.x0..span.x1]) {
                *sample = yuv_at(x as f32 + 0.5, row as f32 + 0.5)[0];
            }
        }
        for c in c0..c1 {
            let [_, u, v] = yuv_at(c as f32 * 2.0 + 1.0, span.y as f32 + 1.0);
            cb.row_mut(span.y / 2)[c] = u;
            cr.row_mut(span.y / 2)[c] = v;
        }
    }
}

#[cfg(test)]
mod tests;
