//! Resizing one plane of 8-bit samples: area averaging down, bilinear up.

use crate::kernels::{ACROSS_UNIT, Kernels, Quads, REACH, STEP_BITS, Sum};
use fernseed_core::Plane;

/// The part of a plane to look at, in whole pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) left: usize,
    pub(crate) top: usize,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

/// Which samples of a row or column the samples of a smaller or larger one
/// are made of: for each output `reach` weights from `first`.
#[derive(Debug)]
struct Taps {
    first: Vec<usize>,
    reach: usize,
    weights: Vec<u16>,
}

impl Taps {
    /// The taps of `output` samples over `input` samples; the weights of
    /// each sum to `unit`. None reaches beyond `input`.
    fn new(input: usize, output: usize, unit: u16) -> Self {
        let ratio = input as f32 / output as f32;
        let reach = if ratio <= 1.0 {
            2
        } else {
            // Whole ratios fall between samples.
            ratio.ceil() as usize + usize::from(ratio.fract() > 0.0)
        };
        let reach = reach.min(input.max(1));
        let mut taps =
            Self { first: Vec::with_capacity(output), reach, weights: vec![0; output * reach] };
        for (i, weights) in taps.weights.chunks_exact_mut(reach).enumerate() {
            // The part of the source that the output sample covers.
            let (start, end) = if ratio > 1.0 {
                (i as f32 * ratio, (i + 1) as f32 * ratio)
            } else {
                // Two samples by distance: those under a span of one sample.
                let centre = (i as f32 + 0.5) * ratio - 0.5;
                let start = centre.clamp(0.0, (input - 1) as f32);
                (start, start + 1.0)
            };
            // Near the end the window of taps moves back and starts with
            // zero weights.
            let first = (start as usize).min(input - reach);
            let length = (end - start).max(f32::MIN_POSITIVE);
            let mut spent = 0;
            for (at, weight) in (first..).zip(weights.iter_mut()) {
                // Cumulative rounding: the sum is exact.
                let share = ((at + 1) as f32 - start).clamp(0.0, length) / length;
                let so_far = (share * f32::from(unit) + 0.5) as u16;
                *weight = so_far - spent;
                spent = so_far;
            }
            if let Some(last) = weights.last_mut() {
                *last += unit - spent;
            }
            taps.first.push(first);
        }
        taps
    }
}

/// What the weights of a column of samples sum to; see [`Sum`].
const DOWN_UNIT: u16 = 256;

/// Resizes a window of a plane, row by row.
#[derive(Debug)]
pub(crate) struct Resampler<'a> {
    kernels: Kernels,
    plane: &'a Plane,
    /// Bytes of a pixel, and how many of them are kept.
    bytes: usize,
    channels: usize,
    window: Window,
    /// `None` at native size.
    taps: Option<(Across, Taps)>,
    sums: Vec<Sum>,
}

/// How a row is resized.
#[derive(Debug)]
enum Across {
    /// Single samples, few for each output.
    Few(Quads),
    /// More, or pixels of several bytes.
    Any(Taps),
}

impl Across {
    fn new(taps: Taps, bytes: usize) -> Self {
        if bytes == 1 && taps.reach <= REACH {
            let weights = taps.weights.chunks_exact(taps.reach).map(|some| {
                let mut all = [0; REACH];
                all[..taps.reach].copy_from_slice(some);
                all
            });
            Self::Few(Quads::new(taps.first.iter().copied().zip(weights)))
        } else {
            Self::Any(taps)
        }
    }

    /// Sums that a row must have at least: the last weights of an output may be
    /// those of none of its samples, and zero.
    fn sums(&self) -> usize {
        match self {
            Self::Few(quads) => quads.sums(),
            Self::Any(_) => 0,
        }
    }
}

impl<'a> Resampler<'a> {
    /// For a plane whose pixels are `bytes` bytes, of which the first
    /// `channels` are kept. The window must lie in the plane and no side be
    /// zero; rows outside count as black.
    pub(crate) fn new(
        kernels: Kernels,
        plane: &'a Plane,
        (bytes, channels): (usize, usize),
        window: Window,
        (width, height): (usize, usize),
    ) -> Self {
        let native = (width, height) == (window.width, window.height);
        let taps = (!native).then(|| {
            let across = Taps::new(window.width, width, ACROSS_UNIT);
            (Across::new(across, bytes), Taps::new(window.height, height, DOWN_UNIT))
        });
        let sums = taps.as_ref().map_or(0, |(a, _)| a.sums().max(window.width * bytes));
        let sums = vec![0; sums];
        Self { kernels, plane, bytes, channels, window, taps, sums }
    }

    fn source(&self, y: usize) -> &'a [u8] {
        let Window { left, top, width, .. } = self.window;
        let row = self.plane.row(top + y);
        row.get(left * self.bytes..(left + width) * self.bytes).unwrap_or(&[])
    }

    /// Output row `y`: `out` is as long as the new width times the kept
    /// channels.
    pub(crate) fn row(&mut self, y: usize, out: &mut [u8]) {
        let Some((across, down)) = &self.taps else {
            let row = self.source(y);
            if self.bytes == self.channels {
                let length = out.len().min(row.len());
                out[..length].copy_from_slice(&row[..length]);
            } else {
                let pixels = out.chunks_exact_mut(self.channels).zip(row.chunks(self.bytes));
                for (to, from) in pixels {
                    to.copy_from_slice(&from[..self.channels]);
                }
            }
            return;
        };
        let mut sums = std::mem::take(&mut self.sums);
        let weights = &down.weights[y * down.reach..(y + 1) * down.reach];
        let mut first = true;
        for (source, &weight) in (down.first[y]..).zip(weights) {
            if weight > 0 {
                self.kernels.weigh(&mut sums, self.source(source), weight, first);
                first = false;
            }
        }
        match across {
            Across::Few(quads) => self.kernels.squeeze(quads, &sums, out),
            Across::Any(taps) => squeeze(taps, &sums, self.bytes, self.channels, out),
        }
        self.sums = sums;
    }
}

/// One row of pixels. What photos are made of, and the usual numbers of taps, is
/// compiled for itself: twice as fast.
fn squeeze(taps: &Taps, sums: &[Sum], bytes: usize, channels: usize, out: &mut [u8]) {
    match (bytes, channels, taps.reach) {
        (3, 3, 2) => squeeze_colours::<2>(taps, sums, out),
        (3, 3, 3) => squeeze_colours::<3>(taps, sums, out),
        (3, 3, 4) => squeeze_colours::<4>(taps, sums, out),
        (3, 3, 5) => squeeze_colours::<5>(taps, sums, out),
        _ => squeeze_any(taps, sums, bytes, channels, out),
    }
}

/// One row of pixels of three bytes, each made of `REACH` ones.
fn squeeze_colours<const REACH: usize>(taps: &Taps, sums: &[Sum], out: &mut [u8]) {
    let (weights, _) = taps.weights.as_chunks::<REACH>();
    let (pixels, _) = out.as_chunks_mut::<3>();
    for ((to, &first), weights) in pixels.iter_mut().zip(&taps.first).zip(weights) {
        let (from, _) = sums[first * 3..(first + REACH) * 3].as_chunks::<3>();
        let mut values = [1_u32 << (STEP_BITS - 1); 3];
        for (pixel, &weight) in from.iter().zip(weights) {
            for (value, &sum) in values.iter_mut().zip(pixel) {
                *value += u32::from(sum) * u32::from(weight);
            }
        }
        *to = values.map(|value| (value >> STEP_BITS) as u8);
    }
}

/// One row of pixels of any kind.
fn squeeze_any(taps: &Taps, sums: &[Sum], bytes: usize, channels: usize, out: &mut [u8]) {
    let weights = taps.weights.chunks_exact(taps.reach);
    for ((to, &first), weights) in out.chunks_exact_mut(channels).zip(&taps.first).zip(weights) {
        let from = &sums[first * bytes..];
        for (channel, to) in to.iter_mut().enumerate() {
            let mut value = 1_u32 << (STEP_BITS - 1);
            for (pixel, &weight) in from.chunks_exact(bytes).zip(weights) {
                value += u32::from(pixel[channel]) * u32::from(weight);
            }
            *to = (value >> STEP_BITS) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Backend;

    fn plane(width: usize, rows: &[&[u8]]) -> Plane {
        Plane::packed(rows.concat(), width, rows.len())
    }

    fn resample(
        plane: &Plane,
        form: (usize, usize),
        window: Window,
        width: usize,
        height: usize,
    ) -> Vec<u8> {
        let mut results = Backend::ALL.into_iter().filter_map(Kernels::new).map(|kernels| {
            let mut resampler = Resampler::new(kernels, plane, form, window, (width, height));
            let mut out = vec![0; width * height * form.1];
            for (y, row) in out.chunks_exact_mut(width * form.1).enumerate() {
                resampler.row(y, row);
            }
            out
        });
        let first = results.next().unwrap();
        assert!(results.all(|other| other == first));
        first
    }

    #[test]
    fn halving_averages_and_doubling_interpolates() {
        let p = plane(4, &[&[0, 100, 200, 40], &[20, 80, 0, 0]]);
        let all = Window { left: 0, top: 0, width: 4, height: 2 };
        assert_eq!(resample(&p, (1, 1), all, 2, 1), [50, 60]);
        assert_eq!(resample(&p, (1, 1), all, 4, 2), [0, 100, 200, 40, 20, 80, 0, 0]);
        let top = Window { left: 0, top: 0, width: 2, height: 1 };
        assert_eq!(resample(&p, (1, 1), top, 4, 1), [0, 25, 75, 100]);
    }

    #[test]
    fn alpha_is_left_out_and_windows_are_respected() {
        let p = plane(8, &[&[1, 2, 3, 255, 4, 5, 6, 0]]);
        let second = Window { left: 1, top: 0, width: 1, height: 1 };
        assert_eq!(resample(&p, (4, 3), second, 1, 1), [4, 5, 6]);
        let both = Window { left: 0, top: 0, width: 2, height: 1 };
        assert_eq!(resample(&p, (4, 3), both, 1, 1), [3, 4, 5]);
    }

    #[test]
    fn colours_are_resized_like_planes() {
        let (width, height) = (60, 4);
        let sample = |at: usize| ((at * 2_654_435_761) >> 7) as u8;
        let rgb: Vec<u8> = (0..width * height * 3).map(sample).collect();
        let all = Window { left: 0, top: 0, width, height };
        let pixels = Plane::packed(rgb.clone(), width * 3, height);
        for narrow in [1, 7, 12, 15, 20, 24, 29, 30, 48, 59, 90, 120] {
            let together = resample(&pixels, (3, 3), all, narrow, 3);
            for channel in 0..3 {
                let alone: Vec<u8> = rgb.iter().skip(channel).step_by(3).copied().collect();
                let alone = Plane::packed(alone, width, height);
                let alone = resample(&alone, (1, 1), all, narrow, 3);
                let ours = together.iter().skip(channel).step_by(3);
                assert!(ours.eq(&alone), "{narrow} pixels, channel {channel}");
            }
        }
    }

    #[test]
    fn weights_sum_to_one_at_odd_ratios() {
        for (input, output) in
            [(7, 3), (3, 7), (1920, 854), (1, 5), (5, 1), (33, 32), (1000, 999), (9000, 9), (2, 2)]
        {
            for unit in [DOWN_UNIT, ACROSS_UNIT] {
                let taps = Taps::new(input, output, unit);
                assert_eq!(taps.first.len(), output);
                assert!(taps.first.iter().all(|first| first + taps.reach <= input));
                for weights in taps.weights.chunks(taps.reach) {
                    assert_eq!(weights.iter().sum::<u16>(), unit, "{input} {output}");
                }
            }
        }
    }

    #[test]
    fn black_and_white_stay_so_at_every_ratio() {
        let width = 77;
        let row: Vec<u8> = (0..width).map(|i| if i * i % 7 < 3 { 255 } else { 0 }).collect();
        // Of the last only that all backends agree, which `resample` checks.
        for (rows, inside) in [
            ([vec![255; width], vec![255; width]], 255..=255),
            ([vec![0; width], vec![0; width]], 0..=0),
            ([row.clone(), row], 0..=255),
        ] {
            let p = plane(width, &[&rows[0], &rows[1]]);
            let all = Window { left: 0, top: 0, width, height: 2 };
            for output in 1..=90 {
                let shown = resample(&p, (1, 1), all, output, 3);
                assert!(shown.iter().all(|value| inside.contains(value)), "{output}: {shown:?}");
            }
        }
    }

    /// Against the definition, in floating point.
    #[test]
    fn shrinking_is_averaging() {
        let width = 101;
        let row: Vec<u8> = (0..width).map(|i| (i * i * 7 % 251) as u8).collect();
        let p = plane(width, &[&row, &row, &row]);
        let all = Window { left: 0, top: 0, width, height: 3 };
        for output in [100, 67, 40, 23, 9, 1] {
            let shrunk = resample(&p, (1, 1), all, output, 2);
            let ratio = width as f32 / output as f32;
            for (i, &value) in shrunk[..output].iter().enumerate() {
                let (start, end) = (i as f32 * ratio, (i + 1) as f32 * ratio);
                let sum: f32 = (0..width)
                    .map(|s| {
                        let share = end.min((s + 1) as f32) - start.max(s as f32);
                        share.max(0.0) * f32::from(row[s])
                    })
                    .sum();
                assert!((sum / ratio - f32::from(value)).abs() < 1.0, "{output} {i} {value}");
            }
        }
    }
}
