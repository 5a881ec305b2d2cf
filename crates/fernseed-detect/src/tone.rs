//! Making dark pictures bright enough for networks trained on bright ones.

use crate::resample::Window;
use fernseed_core::{Picture, PixelFormat, Size};

/// Statistics of a picture's brightness, from a histogram of luma.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Brightness {
    /// Luma that 1 % of the pixels stay below.
    pub(crate) low: u8,
    /// Luma that half of the pixels stay below.
    pub(crate) median: u8,
    /// Luma that 99 % of the pixels stay below.
    pub(crate) high: u8,
    /// Luma that a quarter of the pixels stays below.
    pub(crate) quarter: u8,
}

impl Brightness {
    /// Of packed RGB. All zero for no pixels.
    pub(crate) fn of(rgb: &[u8]) -> Self {
        Self::of_luma(rgb.chunks_exact(3).map(luma))
    }

    /// Of a grid of some ten thousand pixels of a picture.
    pub(crate) fn sampled(picture: &Picture) -> Self {
        let Size { width, height } = picture.size();
        let whole = Window { left: 0, top: 0, width: width as usize, height: height as usize };
        Self::sampled_in(picture, whole, (128, 96))
    }

    /// Of a grid of about `columns` times `rows` pixels of a window.
    pub(crate) fn sampled_in(
        picture: &Picture,
        window: Window,
        (columns, rows): (usize, usize),
    ) -> Self {
        let Some(plane) = picture.planes().first() else { return Self::of(&[]) };
        let (right, down) = ((window.width / columns).max(1), (window.height / rows).max(1));
        let bytes = match picture.format() {
            PixelFormat::Yuv420(_) => 1,
            PixelFormat::Rgb8 => 3,
            PixelFormat::Rgba8 => 4,
        };
        let span = window.left * bytes..(window.left + window.width) * bytes;
        let rows = (window.top..window.top + window.height)
            .step_by(down)
            .map(|y| plane.row(y).get(span.clone()).unwrap_or(&[]));
        if bytes == 1 {
            Self::of_luma(rows.flat_map(|row| row.iter().step_by(right).copied()))
        } else {
            Self::of_luma(rows.flat_map(|row| row.chunks_exact(bytes).step_by(right).map(luma)))
        }
    }

    fn of_luma(values: impl Iterator<Item = u8>) -> Self {
        let mut histogram = [0_u32; 256];
        for value in values {
            histogram[usize::from(value)] += 1;
        }
        let total: u32 = histogram.iter().sum();
        let percentile = |percent: u64| {
            let wanted = u64::from(total) * percent / 100;
            let mut seen = 0;
            for (value, &count) in (0..=255).zip(&histogram) {
                seen += u64::from(count);
                if seen > wanted {
                    return value;
                }
            }
            0
        };
        Self {
            low: percentile(1),
            quarter: percentile(25),
            median: percentile(50),
            high: percentile(99),
        }
    }

    /// True if a face in it might be too dark to be seen.
    pub(crate) fn is_dark(self) -> bool {
        (self.high < 130 && self.median < 80) || self.median < 48 || self.quarter < 24
    }
}

/// Luma of an RGB pixel, BT.601 weights.
fn luma(pixel: &[u8]) -> u8 {
    let weighted = 77 * u32::from(pixel[0]) + 150 * u32::from(pixel[1]) + 29 * u32::from(pixel[2]);
    (weighted >> 8) as u8
}

/// Stretches the range from the first to the 99th percentile to the whole,
/// bends the middle of what is dark towards grey, and blurs lightly, since
/// what was dark is now noisy.
pub(crate) fn lift(rgb: &mut [u8], width: usize, height: usize) {
    let brightness = Brightness::of(rgb);
    let (low, high) = (f32::from(brightness.low), f32::from(brightness.high));
    let range = (high - low).max(8.0);
    let middle = ((f32::from(brightness.median) - low) / range).clamp(0.02, 0.9);
    // The power that would bring the median to 0.4, within reason.
    let gamma = (0.4_f32.ln() / middle.ln()).clamp(0.35, 1.0);
    let mut table = [0_u8; 256];
    for (value, entry) in table.iter_mut().enumerate() {
        let stretched = ((value as f32 - low) / range).clamp(0.0, 1.0);
        *entry = (stretched.powf(gamma) * 255.0 + 0.5) as u8;
    }
    for value in rgb.iter_mut() {
        *value = table[usize::from(*value)];
    }
    blur(rgb, width, height);
}

/// A binomial 3x3 blur; edges are left as they are.
fn blur(rgb: &mut [u8], width: usize, height: usize) {
    if width < 3 || height < 3 {
        return;
    }
    let stride = width * 3;
    let mut previous = rgb[..stride].to_vec();
    for y in 1..height - 1 {
        let current = rgb[y * stride..(y + 1) * stride].to_vec();
        let next = rgb[(y + 1) * stride..(y + 2) * stride].to_vec();
        let column =
            |i: usize| u16::from(previous[i]) + 2 * u16::from(current[i]) + u16::from(next[i]);
        for i in 3..stride - 3 {
            let sum = column(i - 3) + 2 * column(i) + column(i + 3);
            rgb[y * stride + i] = ((sum + 8) / 16) as u8;
        }
        previous = current;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_a_ramp() {
        let rgb: Vec<u8> = (0..=255_u8).flat_map(|v| [v, v, v]).collect();
        let b = Brightness::of(&rgb);
        assert_eq!((b.low, b.quarter, b.median, b.high), (2, 64, 128, 253));
        assert!(!b.is_dark());
        assert_eq!(Brightness::of(&[]).high, 0);
    }

    #[test]
    fn a_dark_picture_uses_the_whole_range_after_lifting() {
        let mut rgb: Vec<u8> = (0..64 * 64).flat_map(|i| [(i % 64 / 4 + 2) as u8; 3]).collect();
        assert!(Brightness::of(&rgb).is_dark());
        lift(&mut rgb, 64, 64);
        let b = Brightness::of(&rgb);
        assert!(b.low < 20 && b.high > 230 && b.median > 80, "{b:?}");
    }
}
