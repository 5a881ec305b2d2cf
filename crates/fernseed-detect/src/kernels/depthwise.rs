//! 3x3 depth-wise convolution of one row.

use super::{Kernels, vector::Vector};

/// A 3x3 depth-wise convolution with stride 1 or 2.
#[derive(Debug)]
pub(crate) struct PackedDepthwise {
    channels: usize,
    stride: usize,
    relu: bool,
    /// `[tap][channel]`, taps row by row.
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl PackedDepthwise {
    /// From `weights` laid out `[tap][channel]`.
    ///
    /// # Panics
    /// If the lengths do not fit each other, the stride is not 1 or 2, or the
    /// channels are not whole vectors (all layers of both networks are).
    pub(crate) fn new(
        kernels: Kernels,
        weights: &[f32],
        bias: &[f32],
        stride: usize,
        relu: bool,
    ) -> Self {
        let channels = bias.len();
        assert_eq!(weights.len(), 9 * channels, "depth-wise weights");
        assert_eq!(kernels.stored_channels(channels), channels, "depth-wise channels");
        assert!(stride == 1 || stride == 2, "depth-wise stride");
        Self { channels, stride, relu, weights: weights.to_vec(), bias: bias.to_vec() }
    }

    pub(crate) fn channels(&self) -> usize {
        self.channels
    }

    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// Compares every slice with what [`run_row`] will touch.
    pub(super) fn check(&self, kernels: Kernels, rows: [&[f32]; 3], pixels: usize, out: &[f32]) {
        assert!(
            self.channels.is_multiple_of(kernels.lanes()),
            "weights packed for another backend"
        );
        let needed = ((pixels - 1) * self.stride + 3) * self.channels;
        assert!(rows.iter().all(|row| row.len() >= needed), "input row too short");
        assert!(out.len() >= pixels * self.channels, "output row too short");
    }
}

/// Runs one row.
///
/// # Safety
/// [`PackedDepthwise::check`] must have passed for the same arguments, with
/// the backend of `V`; the processor must have `V`'s instructions.
#[inline(always)]
pub(super) unsafe fn run_row<V: Vector>(
    layer: &PackedDepthwise,
    rows: [&[f32]; 3],
    pixels: usize,
    out: &mut [f32],
) {
    let mut channel = 0;
    while channel < layer.channels {
        let rows = [
            rows[0].as_ptr().wrapping_add(channel),
            rows[1].as_ptr().wrapping_add(channel),
            rows[2].as_ptr().wrapping_add(channel),
        ];
        let out = out.as_mut_ptr().wrapping_add(channel);
        // SAFETY: `channel + LANES <= channels`, the rest is passed on.
        unsafe {
            if V::WIDE && layer.stride == 1 {
                slide::<V>(layer, channel, rows, pixels, out);
            } else {
                reload::<V>(layer, channel, rows, pixels, out);
            }
        }
        channel += V::LANES;
    }
}

/// Bias and taps of the vector of channels from `channel`.
///
/// # Safety
/// `channel + LANES <= layer.channels`.
#[inline(always)]
unsafe fn taps<V: Vector>(layer: &PackedDepthwise, channel: usize) -> (V, [V; 9]) {
    // SAFETY: the weights have nine rows of `channels` floats, the bias one.
    unsafe {
        let mut taps = [V::splat(0.0); 9];
        for (i, tap) in taps.iter_mut().enumerate() {
            *tap = V::load(layer.weights.as_ptr().wrapping_add(i * layer.channels + channel));
        }
        (V::load(layer.bias.as_ptr().wrapping_add(channel)), taps)
    }
}

/// Keeps the nine inputs in registers and loads three new ones per pixel.
///
/// # Safety
/// As [`run_row`], with pointers already moved to `channel`.
#[inline(always)]
unsafe fn slide<V: Vector>(
    layer: &PackedDepthwise,
    channel: usize,
    rows: [*const f32; 3],
    pixels: usize,
    out: *mut f32,
) {
    let step = layer.channels;
    // SAFETY: pixel `i + 2 < pixels + 2` of each row and pixel `i` of `out`
    // are inside, as `check` has seen.
    unsafe {
        let (bias, k) = taps::<V>(layer, channel);
        let zero = V::splat(0.0);
        let mut window = [[zero; 3]; 3];
        for (line, row) in window.iter_mut().zip(rows) {
            line[0] = V::load(row);
            line[1] = V::load(row.wrapping_add(step));
        }
        for i in 0..pixels {
            let ahead = i.wrapping_add(2).wrapping_mul(step);
            for (line, row) in window.iter_mut().zip(rows) {
                line[2] = V::load(row.wrapping_add(ahead));
            }
            // Three sums rather than one: a third of the waiting.
            let mut sums = [bias, zero, zero];
            for y in 0..3 {
                for x in 0..3 {
                    sums[y] = window[y][x].mul_add(k[3 * y + x], sums[y]);
                }
            }
            let mut sum = sums[0].add(sums[1]).add(sums[2]);
            if layer.relu {
                sum = sum.max(zero);
            }
            sum.store(out.wrapping_add(i.wrapping_mul(step)));
            for line in &mut window {
                line[0] = line[1];
                line[1] = line[2];
            }
        }
    }
}

/// Loads all nine inputs for every pixel: for stride 2 and for few registers.
///
/// # Safety
/// As [`run_row`], with pointers already moved to `channel`.
#[inline(always)]
unsafe fn reload<V: Vector>(
    layer: &PackedDepthwise,
    channel: usize,
    rows: [*const f32; 3],
    pixels: usize,
    out: *mut f32,
) {
    let step = layer.channels;
    // SAFETY: pixel `i * stride + 2` of each row and pixel `i` of `out` are
    // inside, as `check` has seen.
    unsafe {
        let (bias, k) = taps::<V>(layer, channel);
        let zero = V::splat(0.0);
        for i in 0..pixels {
            let at = i.wrapping_mul(layer.stride.wrapping_mul(step));
            let mut sums = [bias, zero, zero];
            for y in 0..3 {
                for x in 0..3 {
                    let input =
                        V::load(rows[y].wrapping_add(at.wrapping_add(step.wrapping_mul(x))));
                    sums[y] = input.mul_add(k[3 * y + x], sums[y]);
                }
            }
            let mut sum = sums[0].add(sums[1]).add(sums[2]);
            if layer.relu {
                sum = sum.max(zero);
            }
            sum.store(out.wrapping_add(i.wrapping_mul(step)));
        }
    }
}
