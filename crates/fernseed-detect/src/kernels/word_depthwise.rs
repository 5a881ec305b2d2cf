//! 3x3 depth-wise convolution of one row of 16-bit words to bytes.
//!
//! Words are multiplied as fractions, which keeps 16 bits of each product:
//! no sum is wider than its terms, nothing has to be reordered, and the
//! result is bytes after one more multiplication. See
//! [`WordFilter`](crate::quantise::WordFilter).

use super::Kernels;
use super::bytes::ByteVector;
use crate::quantise::WordFilter;

/// A 3x3 depth-wise convolution with stride 1 and ReLU, words in, bytes out.
#[derive(Debug)]
pub(crate) struct PackedWordDepthwise {
    channels: usize,
    /// Words of a register.
    words: usize,
    /// Pixels whose channels fill a register of words; 1 if it takes several
    /// registers to hold a pixel.
    pixels: usize,
    /// For each register of channels: bias, nine taps, factor.
    weights: Vec<i16>,
}

/// Registers of weights.
const REGISTERS: usize = 11;

impl PackedWordDepthwise {
    /// Packs a filter.
    ///
    /// # Panics
    /// If the channels neither are whole registers of words nor divide one.
    pub(crate) fn new(kernels: Kernels, from: &WordFilter) -> Self {
        let (channels, words) = (from.bias.len(), 2 * kernels.lanes());
        assert_eq!(from.taps.len(), 9 * channels, "depth-wise weights");
        assert!(
            channels.is_multiple_of(words) || words.is_multiple_of(channels),
            "depth-wise channels"
        );
        let lists = [from.bias.as_slice(), &from.taps, &from.factor].concat();
        let mut weights = Vec::with_capacity(REGISTERS * words.max(channels));
        for first in (0..channels).step_by(words) {
            for list in lists.chunks_exact(channels) {
                weights.extend((first..first + words).map(|i| list[i % channels]));
            }
        }
        Self { channels, words, pixels: (words / channels).max(1), weights }
    }

    pub(crate) fn channels(&self) -> usize {
        self.channels
    }

    /// Compares every slice with what [`run_row`] will touch.
    pub(super) fn check(&self, kernels: Kernels, rows: [&[i16]; 3], pixels: usize, out: &[u8]) {
        assert_eq!(self.words, 2 * kernels.lanes(), "weights packed for another backend");
        let needed = (pixels + 2) * self.channels;
        assert!(rows.iter().all(|row| row.len() >= needed), "input row too short");
        assert!(out.len() >= pixels * self.channels, "output row too short");
        assert!(pixels >= self.pixels, "a row of less than a register");
    }
}

/// Runs one row.
///
/// # Safety
/// [`PackedWordDepthwise::check`] must have passed for the same arguments,
/// with the backend of `V`; the processor must have `V`'s instructions.
#[inline(always)]
pub(super) unsafe fn run_row<V: ByteVector>(
    layer: &PackedWordDepthwise,
    rows: [&[i16]; 3],
    pixels: usize,
    out: &mut [u8],
) {
    let (channels, words) = (layer.channels, V::BYTES / 2);
    let mut first_channel = 0;
    let mut weights = layer.weights.as_ptr();
    while first_channel < channels {
        let rows = [
            rows[0].as_ptr().wrapping_add(first_channel),
            rows[1].as_ptr().wrapping_add(first_channel),
            rows[2].as_ptr().wrapping_add(first_channel),
        ];
        let out = out.as_mut_ptr().wrapping_add(first_channel);
        // SAFETY: every register of channels has eleven of weights. A
        // register of words from pixel `p` on, where `p + layer.pixels <=
        // pixels`, and those one and two pixels further on, are inside of
        // every row, as `check` has seen, and as many bytes from there inside
        // of `out`.
        unsafe {
            let mut w = [V::zero(); REGISTERS];
            for (i, value) in w.iter_mut().enumerate() {
                *value = V::load(weights.wrapping_add(i * words).cast());
            }
            let mut pixel = 0;
            while pixel < pixels {
                // Two registers at once, the last ones perhaps once more.
                let a = pixel.min(pixels - layer.pixels).wrapping_mul(channels);
                let b = (pixel + layer.pixels).min(pixels - layer.pixels).wrapping_mul(channels);
                let both = filter::<V>(&w, rows, a, channels)
                    .pack_words(filter::<V>(&w, rows, b, channels));
                both.gather(2).store_halves(out.wrapping_add(a), out.wrapping_add(b));
                pixel += 2 * layer.pixels;
            }
        }
        first_channel += words;
        weights = weights.wrapping_add(REGISTERS * words);
    }
}

/// A register of filtered words.
///
/// # Safety
/// A register must be readable in each row `at` words on and once and twice
/// `step` words further on.
#[inline(always)]
unsafe fn filter<V: ByteVector>(
    w: &[V; REGISTERS],
    rows: [*const i16; 3],
    at: usize,
    step: usize,
) -> V {
    // SAFETY: the caller's promise.
    unsafe {
        let mut sum = w[0];
        for (y, row) in rows.into_iter().enumerate() {
            for x in 0..3 {
                let word = V::load(row.wrapping_add(at.wrapping_add(x * step)).cast());
                sum = sum.plus(word.times(w[1 + 3 * y + x]));
            }
        }
        sum.times(w[10])
    }
}
