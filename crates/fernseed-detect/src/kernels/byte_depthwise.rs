//! 3x3 depth-wise convolution of one row in 8 bits.
//!
//! The three samples of a column are brought side by side, `[above, at,
//! below, 0]`, so that one dot product of four bytes is a column of taps.

use super::Kernels;
use super::bytes::{ByteVector, column, start_of_sum, sum_of_word};
use super::vector::Vector;
use crate::quantise::{ByteWeights, Ending};

/// A 3x3 depth-wise convolution with stride 1 or 2, bytes in and out.
#[derive(Debug)]
pub(crate) struct PackedByteDepthwise {
    channels: usize,
    stride: usize,
    /// Channels of a block: the bytes of a register.
    block: usize,
    blocks: Vec<Block>,
    /// Per block three columns of four registers.
    weights: Vec<i8>,
    /// What sums start with and how far they are shifted, in the order of the
    /// sums of a block.
    start: Vec<i32>,
    shift: Vec<i32>,
    /// What the words they are packed to are multiplied with.
    factor: Vec<i16>,
}

/// A register's worth of channels.
#[derive(Clone, Copy, Debug)]
struct Block {
    first_channel: usize,
    /// Pixels that one block holds: more than one where the channels are
    /// fewer than the bytes of a register.
    pixels: usize,
}

impl PackedByteDepthwise {
    /// From quantised weights `[tap][channel]`, whose result is bytes.
    ///
    /// # Panics
    /// If the lengths do not fit each other, the stride is not 1 or 2, the
    /// channels are fewer than a register's bytes and do not divide them, or
    /// the result is something else.
    pub(crate) fn new(kernels: Kernels, from: &ByteWeights, stride: usize) -> Self {
        let (shifts, factors): (&[i32], &[i16]) = match &from.ending {
            Ending::Bytes(shift, factor) => (shift, factor),
            Ending::Words(_) | Ending::Floats => (&[], &[]),
        };
        let channels = from.scale.len();
        assert_eq!(from.weights.len(), 9 * channels, "depth-wise weights");
        assert_eq!(shifts.len(), channels, "depth-wise layers make bytes");
        assert!(stride == 1 || stride == 2, "depth-wise stride");
        let lanes = kernels.lanes();
        let block = 4 * lanes;
        let blocks: Vec<Block> = if channels < block {
            assert!(block.is_multiple_of(channels) && stride == 1, "depth-wise channels");
            vec![Block { first_channel: 0, pixels: block / channels }]
        } else {
            // The last block does some channels once more.
            (0..channels.div_ceil(block))
                .map(|i| Block { first_channel: (i * block).min(channels - block), pixels: 1 })
                .collect()
        };
        let mut weights = Vec::new();
        let (mut start, mut shift, mut factor) = (Vec::new(), Vec::new(), Vec::new());
        for Block { first_channel, .. } in &blocks {
            let order: Vec<usize> = (0..block)
                .map(|i| (first_channel + column(i / lanes, i % lanes, 4)) % channels)
                .collect();
            for x in 0..3 {
                for &channel in &order {
                    weights.extend((0..3).map(|y| from.weights[(3 * y + x) * channels + channel]));
                    weights.push(0);
                }
            }
            for &channel in &order {
                let bias = from.bias[channel] / from.scale[channel];
                start.push(start_of_sum(bias, shifts[channel]));
                shift.push(shifts[channel]);
            }
            for pair in 0..2 {
                factor.extend((0..2 * lanes).map(|word| {
                    let (sum, element) = sum_of_word(word);
                    factors[order[(2 * pair + sum) * lanes + element]]
                }));
            }
        }
        Self { channels, stride, block, blocks, weights, start, shift, factor }
    }

    pub(crate) fn channels(&self) -> usize {
        self.channels
    }

    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// Compares every slice with what [`run_row`] will touch.
    pub(super) fn check(&self, kernels: Kernels, rows: [&[u8]; 3], pixels: usize, out: &[u8]) {
        assert_eq!(self.block, 4 * kernels.lanes(), "weights packed for another backend");
        let needed = ((pixels - 1) * self.stride + 3) * self.channels;
        assert!(rows.iter().all(|row| row.len() >= needed), "input row too short");
        assert!(out.len() >= pixels * self.channels, "output row too short");
        let at_once = self.blocks.first().map_or(1, |block| block.pixels);
        assert!(pixels >= at_once, "a row of less than a block");
    }
}

/// Runs one row.
///
/// # Safety
/// [`PackedByteDepthwise::check`] must have passed for the same arguments,
/// with the backend of `V`; the processor must have `V`'s instructions.
#[inline(always)]
pub(super) unsafe fn run_row<V: ByteVector>(
    layer: &PackedByteDepthwise,
    rows: [&[u8]; 3],
    pixels: usize,
    out: &mut [u8],
) {
    for (index, block) in layer.blocks.iter().enumerate() {
        let rows = [
            rows[0].as_ptr().wrapping_add(block.first_channel),
            rows[1].as_ptr().wrapping_add(block.first_channel),
            rows[2].as_ptr().wrapping_add(block.first_channel),
        ];
        let out = out.as_mut_ptr().wrapping_add(block.first_channel);
        // SAFETY: passed on; a block lies within the channels of a pixel, or
        // of `block.pixels` adjacent ones.
        unsafe {
            if V::Floats::WIDE && layer.stride == 1 && block.pixels == 1 {
                slide::<V>(layer, index, rows, pixels, out);
            } else {
                reload::<V>(layer, index, block.pixels, rows, pixels, out);
            }
        }
    }
}

/// One column of inputs: for each channel `[above, at, below, 0]`.
///
/// # Safety
/// A register of bytes must be readable at each row's address plus `at`.
#[inline(always)]
unsafe fn input<V: ByteVector>(rows: [*const u8; 3], at: usize) -> [V; 4] {
    // SAFETY: the caller's promise.
    unsafe {
        let above = V::load(rows[0].wrapping_add(at));
        let here = V::load(rows[1].wrapping_add(at));
        let below = V::load(rows[2].wrapping_add(at));
        let [upper_low, upper_high] = above.zip_bytes(here);
        let [lower_low, lower_high] = below.zip_bytes(V::zero());
        let [a, b] = upper_low.zip_pairs(lower_low);
        let [c, d] = upper_high.zip_pairs(lower_high);
        [a, b, c, d]
    }
}

/// One block of output from three columns of input.
///
/// # Safety
/// `index` must be a block of `layer`, and `to` a register's worth of
/// writable bytes.
#[inline(always)]
unsafe fn output<V: ByteVector>(
    layer: &PackedByteDepthwise,
    index: usize,
    columns: &[[V; 4]; 3],
    to: *mut u8,
) {
    let weights = layer.weights.as_ptr().cast::<u8>().wrapping_add(index * 12 * V::BYTES);
    let start = layer.start.as_ptr().wrapping_add(index * V::BYTES);
    let shift = layer.shift.as_ptr().wrapping_add(index * V::BYTES);
    let factor = layer.factor.as_ptr().wrapping_add(index * V::BYTES);
    // SAFETY: every block has twelve registers of weights, four of starts and
    // of shifts, and two of factors.
    unsafe {
        let mut sums = [V::zero(); 4];
        for (quarter, sum) in sums.iter_mut().enumerate() {
            let lane = quarter * V::Floats::LANES;
            *sum = V::load(start.wrapping_add(lane).cast());
            for (x, column) in columns.iter().enumerate() {
                let tap = V::load(weights.wrapping_add((4 * x + quarter) * V::BYTES));
                *sum = sum.dot(column[quarter], tap);
            }
            *sum = sum.shift(V::load(shift.wrapping_add(lane).cast()));
        }
        let [a, b, c, d] = sums;
        let low = a.pack_sums(b).times(V::load(factor.cast()));
        let factor = factor.wrapping_add(2 * V::Floats::LANES);
        let high = c.pack_sums(d).times(V::load(factor.cast()));
        low.pack_words(high).store(to, 4);
    }
}

/// Keeps the columns in registers and loads one per pixel.
///
/// # Safety
/// As [`run_row`], with pointers already moved to the block; stride 1.
#[inline(always)]
unsafe fn slide<V: ByteVector>(
    layer: &PackedByteDepthwise,
    index: usize,
    rows: [*const u8; 3],
    pixels: usize,
    out: *mut u8,
) {
    let step = layer.channels;
    // SAFETY: pixel `i + 2 < pixels + 2` of each row and pixel `i` of `out`
    // are inside, as `check` has seen.
    unsafe {
        let mut columns = [input::<V>(rows, 0), input::<V>(rows, step), [V::zero(); 4]];
        for i in 0..pixels {
            columns[2] = input::<V>(rows, i.wrapping_add(2).wrapping_mul(step));
            output::<V>(layer, index, &columns, out.wrapping_add(i.wrapping_mul(step)));
            columns[0] = columns[1];
            columns[1] = columns[2];
        }
    }
}

/// Loads all three columns each time, `at_once` pixels at a time.
///
/// # Safety
/// As [`run_row`], with pointers already moved to the block.
#[inline(always)]
unsafe fn reload<V: ByteVector>(
    layer: &PackedByteDepthwise,
    index: usize,
    at_once: usize,
    rows: [*const u8; 3],
    pixels: usize,
    out: *mut u8,
) {
    let step = layer.channels;
    // SAFETY: pixel `i * stride + 2` of each row and pixel `i` of `out`, and
    // the `at_once - 1` after them, are inside, as `check` has seen.
    unsafe {
        let mut i = 0;
        while i < pixels {
            // The last ones together with some once more.
            let pixel = i.min(pixels - at_once);
            let at = pixel.wrapping_mul(layer.stride).wrapping_mul(step);
            let columns = [
                input::<V>(rows, at),
                input::<V>(rows, at.wrapping_add(step)),
                input::<V>(rows, at.wrapping_add(step.wrapping_mul(2))),
            ];
            output::<V>(layer, index, &columns, out.wrapping_add(pixel.wrapping_mul(step)));
            i += at_once;
        }
    }
}
