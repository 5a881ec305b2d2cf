//! The brightness of a frame, reduced, at several sizes: what is kept of
//! frames so that somebody can be followed through them.

use crate::geometry::Rect;
use crate::picture::{Picture, PixelFormat, Plane};

/// Longest side of the largest copy that is kept, in samples.
const LONGEST: usize = 960;
/// Copies are halved down to this side.
const SMALLEST: usize = 12;

/// Brightness of one frame as a pyramid of copies, each half as large as the
/// one before; the largest has at most 960 samples on its longer side. About
/// 0.7 MB for a frame of full HD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Luma {
    levels: Vec<Level>,
    /// The first level shows one sample per `2^shift` pixels.
    shift: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Level {
    width: usize,
    height: usize,
    samples: Vec<u8>,
}

impl Luma {
    /// Reduces a picture. Green stands for brightness in packed pictures.
    #[must_use]
    pub fn of(picture: &Picture) -> Self {
        let (width, height) = (picture.size().width as usize, picture.size().height as usize);
        let mut shift = 0;
        while width.max(height) >> shift > LONGEST {
            shift += 1;
        }
        let Some(plane) = picture.planes().first().filter(|_| width.min(height) > 0) else {
            return Self { levels: Vec::new(), shift };
        };
        let mut level = match picture.format() {
            PixelFormat::Yuv420(_) if shift > 0 => halved(width, height, |y| plane.row(y)),
            PixelFormat::Yuv420(_) => copied(plane, width, height, 1, 0),
            PixelFormat::Rgb8 => copied(plane, width, height, 3, 1),
            PixelFormat::Rgba8 => copied(plane, width, height, 4, 1),
        };
        while level.width.max(level.height) > LONGEST {
            level = level.half();
        }
        let mut levels = vec![level];
        while let Some(last) = levels.last()
            && last.width.min(last.height) >= 2 * SMALLEST
        {
            levels.push(last.half());
        }
        Self { levels, shift }
    }

    /// `N` by `N` samples at the middles of the cells of a grid over `area`,
    /// in pixels of the picture, each about the mean of its cell. Beyond the
    /// border the outermost samples go on. `None` if nothing is kept or the
    /// area is no area.
    pub(super) fn patch<const N: usize>(&self, area: Rect) -> Option<[[f32; N]; N]> {
        if !area.is_proper() {
            return None;
        }
        let to_level = |level: usize| ((1u64 << (self.shift as usize + level)) as f32).recip();
        let cell = (area.area().sqrt() / N as f32 * to_level(0)).max(1.0);
        let at = (cell.log2() as usize).min(self.levels.len().checked_sub(1)?);
        let (level, scale) = (self.levels.get(at)?, to_level(at));
        let (step_x, step_y) = (area.width() * scale / N as f32, area.height() * scale / N as f32);
        // Sample (0, 0) is the middle of its pixel.
        let (x0, y0) =
            (area.left * scale + 0.5 * step_x - 0.5, area.top * scale + 0.5 * step_y - 0.5);
        let columns: [(usize, usize, f32); N] =
            std::array::from_fn(|i| neighbours(x0 + i as f32 * step_x, level.width));
        let mut out = [[0.0; N]; N];
        for (i, line) in out.iter_mut().enumerate() {
            let (above, below, down) = neighbours(y0 + i as f32 * step_y, level.height);
            let (above, below) = (level.row(above), level.row(below));
            for (sample, &(left, right, across)) in line.iter_mut().zip(&columns) {
                let mix = |row: &[u8]| {
                    let (a, b) = (f32::from(row[left]), f32::from(row[right]));
                    a + (b - a) * across
                };
                let (a, b) = (mix(above), mix(below));
                *sample = a + (b - a) * down;
            }
        }
        Some(out)
    }
}

/// The two samples around a position, inside `0..count`, and the share of the
/// second.
fn neighbours(at: f32, count: usize) -> (usize, usize, f32) {
    let at = at.clamp(0.0, (count - 1) as f32);
    let first = at as usize;
    (first, (first + 1).min(count - 1), at - first as f32)
}

impl Level {
    fn row(&self, y: usize) -> &[u8] {
        &self.samples[y * self.width..(y + 1) * self.width]
    }

    fn half(&self) -> Self {
        halved(self.width, self.height, |y| self.row(y))
    }
}

/// Every other row and column, each sample the mean of four.
fn halved<'a>(width: usize, height: usize, row: impl Fn(usize) -> &'a [u8]) -> Level {
    let (half_width, half_height) = ((width / 2).max(1), (height / 2).max(1));
    let mut samples = vec![0; half_width * half_height];
    for (y, out) in samples.chunks_exact_mut(half_width).enumerate() {
        let above = &row(2 * y)[..width];
        let below = &row((2 * y + 1).min(height - 1))[..width];
        if width < 2 {
            out[0] = above[0];
            continue;
        }
        let pairs = above.as_chunks::<2>().0.iter().zip(below.as_chunks::<2>().0);
        // A pair as one word is what compilers make vectors of.
        let sum = |pair: [u8; 2]| {
            let word = u16::from_le_bytes(pair);
            (word & 0xFF) + (word >> 8)
        };
        for (sample, (a, b)) in out.iter_mut().zip(pairs) {
            *sample = ((sum(*a) + sum(*b) + 2) / 4) as u8;
        }
    }
    Level { width: half_width, height: half_height, samples }
}

fn copied(plane: &Plane, width: usize, height: usize, step: usize, first: usize) -> Level {
    let mut samples = Vec::with_capacity(width * height);
    for y in 0..height {
        samples.extend(plane.row(y).iter().skip(first).step_by(step).take(width));
    }
    Level { width, height, samples }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Size;
    use crate::picture::{YuvColour, YuvMatrix};

    fn ramp(size: Size) -> Picture {
        let colour = YuvColour { matrix: YuvMatrix::Bt709, full_range: true };
        let mut picture = Picture::filled(size, PixelFormat::Yuv420(colour), [0, 0, 0]);
        let plane = &mut picture.planes_mut()[0];
        for y in 0..size.height as usize {
            let row = plane.row_mut(y);
            row.iter_mut().enumerate().for_each(|(x, v)| *v = ((x + y) / 16) as u8);
        }
        picture
    }

    #[test]
    fn patches_mean_the_same_at_every_size() {
        for size in [Size::new(640, 480), Size::new(1920, 1080), Size::new(3840, 2160)] {
            let luma = Luma::of(&ramp(size));
            assert!(luma.levels[0].width <= LONGEST);
            for side in [16.0, 60.0, 200.0, 400.0] {
                let area = Rect::centred(300.0, 230.0, side, side);
                let patch = luma.patch::<8>(area).unwrap();
                for (i, line) in patch.iter().enumerate() {
                    for (j, sample) in line.iter().enumerate() {
                        let x = area.left + (j as f32 + 0.5) * side / 8.0;
                        let y = area.top + (i as f32 + 0.5) * side / 8.0;
                        let want = (x + y) / 16.0;
                        assert!((sample - want).abs() < 1.6, "{size:?} {side} {sample} {want}");
                    }
                }
            }
        }
    }

    #[test]
    fn odd_and_tiny_pictures_are_reduced_too() {
        for (width, height) in [(1, 1), (1, 4000), (4001, 1), (961, 3), (17, 23), (1921, 1081)] {
            for format in [PixelFormat::Rgb8, PixelFormat::Rgba8] {
                let picture = Picture::filled(Size::new(width, height), format, [7, 7, 7]);
                let luma = Luma::of(&picture);
                let patch = luma.patch::<8>(Rect::new(-5.0, -5.0, 9000.0, 9000.0)).unwrap();
                assert!(patch.iter().flatten().all(|v| (v - 7.0).abs() < 1e-3), "{width} {height}");
            }
        }
        let nothing = Picture::filled(Size::new(0, 4), PixelFormat::Rgb8, [0; 3]);
        assert!(Luma::of(&nothing).patch::<8>(Rect::new(0.0, 0.0, 4.0, 4.0)).is_none());
        let area = Rect::new(0.0, 0.0, f32::NAN, 4.0);
        assert!(Luma::of(&ramp(Size::new(64, 64))).patch::<8>(area).is_none());
    }
}
