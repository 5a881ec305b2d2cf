//! YuNet in 8 bits.
//!
//! Maps between units are bytes: after ReLU nothing is negative, and a 2x2
//! maximum needs no scale. Between the point-wise and the depth-wise half of
//! a unit there is no ReLU, and values are 16-bit words. The heads' last
//! step is in floats.

use super::{UNITS, UnitRanges, UnitWeights, Weights, YuNetRanges};
use crate::feature_map::{ByteScratch, FeatureMap, NetworkInput, RowRing, RowScratch, Scratch};
use crate::kernels::{Kernels, PackedByteConv, PackedDepthwise, PackedWordDepthwise, Target};
use crate::layers::{ConvWeights, depthwise_rows};
use crate::quantise::{Activations, ByteWeights, WordFilter};

/// How much larger than seen the words may get: they are precise enough.
const MARGIN: f32 = 1.5;

/// The network, packed for one backend.
#[derive(Debug)]
pub(super) struct ByteYuNet {
    stem: PackedByteConv,
    units: [ByteUnit; UNITS.len()],
    /// At strides 8, 16 and 32.
    heads: [ByteHead; 3],
}

/// A unit, bytes in and out.
#[derive(Debug)]
struct ByteUnit {
    pointwise: PackedByteConv,
    depthwise: PackedWordDepthwise,
}

/// A head, bytes in and floats out.
#[derive(Debug)]
struct ByteHead {
    pointwise: PackedByteConv,
    depthwise: PackedDepthwise,
}

impl ByteYuNet {
    pub(super) fn new(kernels: Kernels, weights: &Weights, ranges: &YuNetRanges) -> Self {
        let pairs = kernels.adds_pairs();
        let stem_out = Activations::up_to(ranges.of_stem());
        let stem =
            ByteWeights::dense(&weights.stem, &Activations::pixels(), 3, pairs, Some(&stem_out));
        // What each unit's output means; the lateral ones take two, their
        // map and that of the unit before them.
        let mut outs: Vec<Activations> = Vec::new();
        let units = std::array::from_fn(|index| {
            let (weights, ranges) = (&weights.units[index], &ranges.of_units()[index]);
            let before = outs.last().unwrap_or(&stem_out);
            let (unit, out) = match index {
                12 => ByteUnit::after_two(kernels, weights, [&outs[8], before], ranges),
                13 => ByteUnit::after_two(kernels, weights, [&outs[6], before], ranges),
                _ => ByteUnit::new(kernels, &weights.pointwise, weights, (before, 1), ranges),
            };
            outs.push(out);
            unit
        });
        let heads = std::array::from_fn(|i| {
            let UnitWeights { pointwise, depthwise } = &weights.heads[i];
            let pointwise = ByteWeights::dense(pointwise, &outs[13 - i], 1, pairs, None);
            let (taps, bias) = (&depthwise.weights, &depthwise.bias);
            ByteHead {
                pointwise: PackedByteConv::new(kernels, &pointwise, 1, false),
                depthwise: PackedDepthwise::new(kernels, taps, bias, 1, false),
            }
        });
        Self { stem: PackedByteConv::new(kernels, &stem, 3, true), units, heads }
    }

    /// Runs the network; the three results are the heads at strides 8, 16
    /// and 32.
    pub(super) fn run<'a>(
        &self,
        kernels: Kernels,
        input: &NetworkInput,
        scratch: &'a mut Scratch,
    ) -> [&'a FeatureMap; 3] {
        let Scratch { rows, bytes, maps: [out8, out16, out32, ..], .. } = scratch;
        let ByteScratch { words, row, quantised: extra, pixels, maps, .. } = bytes;
        let [a, b, at8, at16, at32, lateral] = maps;
        let [u0, u1, u2, u3, u4, u5, u6, u7, u8, u9, u10, lateral32, lateral16, lateral8] =
            &self.units;
        let [head8, head16, head32] = &self.heads;

        self.first(kernels, input, b, (u0, words, row, extra, pixels)); // 1/4
        u1.run(kernels, b, a, words);
        u2.run(kernels, a, b, words);
        u3.run(kernels, b, a, words);
        u4.run_pooled(kernels, a, b, words, row); // 1/8
        u5.run(kernels, b, a, words);
        u6.run(kernels, a, at8, words);
        max_pool(kernels, at8, b); // 1/16
        u7.run(kernels, b, a, words);
        u8.run(kernels, a, at16, words);
        max_pool(kernels, at16, b); // 1/32
        u9.run(kernels, b, a, words);
        u10.run(kernels, a, at32, words);

        lateral32.run(kernels, at32, lateral, words);
        head32.run(kernels, lateral, out32, rows);
        lateral16.run_on_two(kernels, [at16, lateral], a, (words, extra));
        head16.run(kernels, a, out16, rows);
        lateral8.run_on_two(kernels, [at8, a], b, (words, extra));
        head8.run(kernels, b, out8, rows);
        [out8, out16, out32]
    }

    /// The stem, the first unit and a 2x2 max-pool, row by row.
    fn first(
        &self,
        kernels: Kernels,
        input: &NetworkInput,
        out: &mut FeatureMap<u8>,
        (unit, words, pair, row, pixels): (
            &ByteUnit,
            &mut RowRing<i16>,
            &mut Vec<u8>,
            &mut Vec<u8>,
            &mut RowRing<u8>,
        ),
    ) {
        let (height, width) = (input.height() / 2, input.width() / 2);
        let channels = self.stem.columns();
        row.resize(width * channels, 0);
        pixels.reset(input.width(), 3);
        unit.pooled_rows(kernels, (height, width), out, (words, pair), |y, filled| {
            for source in 2 * y..2 * y + 2 {
                pixels.place(source).copy_from_slice(input.row(source));
            }
            let rows = pixels.around(2 * y, input.height());
            kernels.byte_conv_row(&self.stem, &rows, 6, width, row);
            kernels.byte_conv_row_to_words(&unit.pointwise, &[row], channels, width, filled);
        });
    }
}

impl ByteUnit {
    /// Of a point-wise layer of so many segments that take the same kind of
    /// activations each, and of the depth-wise layer of `weights`. Also says
    /// what the output means.
    fn new(
        kernels: Kernels,
        pointwise: &ConvWeights,
        weights: &UnitWeights,
        (from, segments): (&Activations, usize),
        ranges: &UnitRanges,
    ) -> (Self, Activations) {
        let most: Vec<f32> = ranges.words.iter().map(|most| most * MARGIN).collect();
        let dense = ByteWeights::dense(pointwise, from, segments, kernels.adds_pairs(), None);
        let (dense, words) = dense.into_words(&most);
        let (filter, to) = WordFilter::new(&weights.depthwise, &words, &ranges.filtered);
        let unit = Self {
            pointwise: PackedByteConv::new(kernels, &dense, segments, false),
            depthwise: PackedWordDepthwise::new(kernels, &filter),
        };
        (unit, to)
    }

    /// The same of a unit whose input is the sum of two maps: the layer is
    /// linear, so that both can be given to it side by side, each in steps of
    /// its own.
    fn after_two(
        kernels: Kernels,
        weights: &UnitWeights,
        [from, other]: [&Activations; 2],
        ranges: &UnitRanges,
    ) -> (Self, Activations) {
        let ConvWeights { weights: dense, bias } = &weights.pointwise;
        let twice = ConvWeights { weights: [dense.as_slice(), dense].concat(), bias: bias.clone() };
        Self::new(kernels, &twice, weights, (&from.beside(other), 2), ranges)
    }

    fn run(
        &self,
        kernels: Kernels,
        input: &FeatureMap<u8>,
        out: &mut FeatureMap<u8>,
        words: &mut RowRing<i16>,
    ) {
        self.rows(kernels, (input.height, input.width), out, words, |y, row| {
            self.fill(kernels, input, y, row);
        });
    }

    /// On the sum of a map and one of half the size, each of whose pixels
    /// counts for four.
    fn run_on_two(
        &self,
        kernels: Kernels,
        [input, half]: [&FeatureMap<u8>; 2],
        out: &mut FeatureMap<u8>,
        (words, doubled): (&mut RowRing<i16>, &mut Vec<u8>),
    ) {
        let (width, channels) = (input.width, input.channels);
        doubled.resize(width * channels, 0);
        self.rows(kernels, (input.height, width), out, words, |y, row| {
            let pairs = doubled.chunks_exact_mut(2 * channels);
            for (pair, pixel) in pairs.zip(half.row(y / 2).chunks_exact(channels)) {
                pair[..channels].copy_from_slice(pixel);
                pair[channels..].copy_from_slice(pixel);
            }
            let segments = [input.row(y), doubled.as_slice()];
            kernels.byte_conv_row_to_words(&self.pointwise, &segments, channels, width, row);
        });
    }

    /// The unit and a 2x2 max-pool.
    fn run_pooled(
        &self,
        kernels: Kernels,
        input: &FeatureMap<u8>,
        out: &mut FeatureMap<u8>,
        words: &mut RowRing<i16>,
        pair: &mut Vec<u8>,
    ) {
        let sides = (input.height, input.width);
        self.pooled_rows(kernels, sides, out, (words, pair), |y, row| {
            self.fill(kernels, input, y, row);
        });
    }

    /// The point-wise half of row `y`.
    fn fill(&self, kernels: Kernels, input: &FeatureMap<u8>, y: usize, row: &mut [i16]) {
        let (segments, step) = ([input.row(y)], input.channels);
        kernels.byte_conv_row_to_words(&self.pointwise, &segments, step, input.width, row);
    }

    /// The depth-wise half over the rows that `fill` computes.
    fn rows(
        &self,
        kernels: Kernels,
        (height, width): (usize, usize),
        out: &mut FeatureMap<u8>,
        words: &mut RowRing<i16>,
        fill: impl FnMut(usize, &mut [i16]),
    ) {
        let channels = self.depthwise.channels();
        out.reshape(height, width, channels);
        depthwise_rows((height, width, channels), 1, words, fill, |y, rows| {
            kernels.word_depthwise_row(&self.depthwise, rows, width, out.row_mut(y));
        });
    }

    /// The depth-wise half and a 2x2 max-pool over the rows that `fill`
    /// computes.
    fn pooled_rows(
        &self,
        kernels: Kernels,
        (height, width): (usize, usize),
        out: &mut FeatureMap<u8>,
        (words, pair): (&mut RowRing<i16>, &mut Vec<u8>),
        fill: impl FnMut(usize, &mut [i16]),
    ) {
        let channels = self.depthwise.channels();
        out.reshape(height / 2, width / 2, channels);
        pair.resize(2 * width * channels, 0);
        let (even, odd) = pair.split_at_mut(width * channels);
        depthwise_rows((height, width, channels), 1, words, fill, |y, rows| {
            if y.is_multiple_of(2) {
                kernels.word_depthwise_row(&self.depthwise, rows, width, even);
            } else {
                kernels.word_depthwise_row(&self.depthwise, rows, width, odd);
                kernels.max_pool(even, odd, out.row_mut(y / 2), channels);
            }
        });
    }
}

impl ByteHead {
    fn run(
        &self,
        kernels: Kernels,
        input: &FeatureMap<u8>,
        out: &mut FeatureMap,
        scratch: &mut RowScratch,
    ) {
        let (height, width, channels) = (input.height, input.width, self.depthwise.channels());
        out.reshape(height, width, channels);
        depthwise_rows(
            (height, width, channels),
            1,
            &mut scratch.ring,
            |y, row| {
                let (segments, step) = ([input.row(y)], input.channels);
                let target = Target { out: row, step: channels, residual: None };
                let layer = &self.pointwise;
                kernels.byte_conv_row_to_floats(layer, &segments, step, width, target);
            },
            |y, rows| kernels.depthwise_row(&self.depthwise, rows, width, out.row_mut(y)),
        );
    }
}

/// `out` becomes the 2x2 maximum of `from` (sides even).
fn max_pool(kernels: Kernels, from: &FeatureMap<u8>, out: &mut FeatureMap<u8>) {
    out.reshape(from.height / 2, from.width / 2, from.channels);
    for y in 0..out.height {
        let (upper, lower) = (from.row(2 * y), from.row(2 * y + 1));
        kernels.max_pool(upper, lower, out.row_mut(y), from.channels);
    }
}
