//! Resizing one plane of 8-bit samples: area averaging down, bilinear up.

use fernseed_core::Plane;

/// The part of a plane to look at, in whole pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) left: usize,
    pub(crate) top: usize,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

/// Which source samples an output sample is made of, along one axis.
struct Taps {
    first: usize,
    weights: Vec<f32>,
}

/// The taps of `output` samples over `input` samples from `offset`.
fn taps(input: usize, output: usize, offset: usize) -> Vec<Taps> {
    let ratio = input as f32 / output as f32;
    (0..output)
        .map(|i| {
            if ratio > 1.0 {
                // The share of each source pixel that the output pixel covers.
                let (start, end) = (i as f32 * ratio, (i + 1) as f32 * ratio);
                let first = start as usize;
                let last = (end.ceil() as usize).clamp(first + 1, input.max(first + 1));
                let mut weights: Vec<f32> = (first..last)
                    .map(|s| (end.min((s + 1) as f32) - start.max(s as f32)).max(0.0))
                    .collect();
                let sum: f32 = weights.iter().sum();
                weights.iter_mut().for_each(|w| *w /= sum.max(f32::MIN_POSITIVE));
                Taps { first: first.min(input - 1) + offset, weights }
            } else {
                let centre = ((i as f32 + 0.5) * ratio - 0.5).clamp(0.0, (input - 1) as f32);
                let first = centre as usize;
                let part = centre - first as f32;
                let weights = if first + 1 < input { vec![1.0 - part, part] } else { vec![1.0] };
                Taps { first: first + offset, weights }
            }
        })
        .collect()
}

/// Resizes `window` of a plane whose pixels are `bytes` bytes, of which the
/// first `channels` are kept, to `width` x `height`. The window must lie in
/// the plane and no side be zero; rows outside count as black.
pub(crate) fn resample(
    plane: &Plane,
    (bytes, channels): (usize, usize),
    window: Window,
    width: usize,
    height: usize,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(width * height * channels);
    let row_of = |y: usize| {
        let row = plane.row(y);
        row.get(window.left * bytes..(window.left + window.width) * bytes).unwrap_or(&[])
    };
    if (width, height) == (window.width, window.height) {
        for y in 0..height {
            let row = row_of(y + window.top);
            if bytes == channels {
                out.extend_from_slice(row);
            } else {
                out.extend(row.chunks_exact(bytes).flat_map(|pixel| &pixel[..channels]));
            }
        }
        out.resize(width * height * channels, 0);
        return out;
    }
    let columns = taps(window.width, width, 0);
    let mut sums = vec![0.0_f32; window.width * bytes];
    for row in taps(window.height, height, window.top) {
        sums.fill(0.0);
        for (i, &weight) in row.weights.iter().enumerate() {
            for (sum, &value) in sums.iter_mut().zip(row_of(row.first + i)) {
                *sum += weight * f32::from(value);
            }
        }
        for column in &columns {
            for channel in 0..channels {
                let samples = sums[column.first * bytes + channel..].iter().step_by(bytes);
                let value: f32 = samples.zip(&column.weights).map(|(s, w)| s * w).sum();
                // The cast saturates.
                out.push((value + 0.5) as u8);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(width: usize, rows: &[&[u8]]) -> Plane {
        Plane { data: rows.concat(), stride: width, row_bytes: width, rows: rows.len() }
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
    fn weights_sum_to_one_at_odd_ratios() {
        for (input, output) in [(7, 3), (3, 7), (1920, 854), (1, 5), (5, 1), (33, 32), (1000, 999)]
        {
            for tap in taps(input, output, 0) {
                let sum: f32 = tap.weights.iter().sum();
                assert!((sum - 1.0).abs() < 1e-4, "{input} {output}");
                assert!(tap.first + tap.weights.len() <= input, "{input} {output}");
            }
        }
    }
}
