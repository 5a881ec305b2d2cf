//! The layers the two networks are made of.
//!
//! Blocks that end in or contain a depth-wise convolution run row by row: the
//! wide intermediate map exists only as a ring of three rows, which stays in
//! the cache.

use crate::centerface::BlockRanges;
use crate::feature_map::{FeatureMap, NetworkInput, RowRing, RowScratch, max_pool_rows};
use crate::kernels::{Kernels, PackedConv, PackedDepthwise, Target};
use crate::yunet::UnitRanges;

/// Weights and bias of one convolution, in the order the kernels want:
/// `[tap][input channel][output channel]`; depth-wise `[tap][channel]`.
#[derive(Clone, Debug)]
pub(crate) struct ConvWeights {
    pub(crate) weights: Vec<f32>,
    pub(crate) bias: Vec<f32>,
}

/// The first layer: 3x3, stride 2, from 8-bit RGB, with ReLU.
#[derive(Debug)]
pub(crate) struct Stem {
    conv: PackedConv,
}

impl Stem {
    pub(crate) fn new(kernels: Kernels, from: &ConvWeights) -> Self {
        Self { conv: PackedConv::new(kernels, &from.weights, &from.bias, 3, 9, true) }
    }

    pub(crate) fn channels(&self) -> usize {
        self.conv.columns()
    }

    /// Computes output row `y` into `out`. Rows must be asked for in order
    /// from 0, with the same `pixels` ring, reset to the input's width.
    fn row(
        &self,
        kernels: Kernels,
        input: &NetworkInput,
        y: usize,
        pixels: &mut RowRing,
        out: &mut [f32],
    ) {
        for source in 2 * y..2 * y + 2 {
            for (float, &byte) in pixels.place(source).iter_mut().zip(input.row(source)) {
                *float = f32::from(byte);
            }
        }
        let rows = pixels.around(2 * y, input.height());
        let target = Target { out, step: self.channels(), residual: None };
        kernels.conv_row(&self.conv, &rows, 6, input.width() / 2, target);
    }
}

/// A 1x1 convolution.
#[derive(Debug)]
pub(crate) struct Pointwise {
    conv: PackedConv,
}

impl Pointwise {
    pub(crate) fn new(kernels: Kernels, from: &ConvWeights, relu: bool) -> Self {
        let depth = from.weights.len() / from.bias.len().max(1);
        Self { conv: PackedConv::new(kernels, &from.weights, &from.bias, 1, depth, relu) }
    }

    pub(crate) fn channels(&self) -> usize {
        self.conv.columns()
    }

    /// A row of `pixels` pixels of `step` stored channels each.
    fn row(
        &self,
        kernels: Kernels,
        input: &[f32],
        step: usize,
        pixels: usize,
        out: &mut [f32],
        residual: Option<&[f32]>,
    ) {
        let target = Target { out, step: self.channels(), residual };
        kernels.conv_row(&self.conv, &[input], step, pixels, target);
    }

    /// Runs over a whole map.
    pub(crate) fn run(&self, kernels: Kernels, input: &FeatureMap, out: &mut FeatureMap) {
        out.reshape(input.height, input.width, self.channels());
        let pixels = input.height * input.width;
        self.row(kernels, input.values(), input.channels, pixels, out.values_mut(), None);
    }
}

/// A dense 3x3 convolution, stride 1, with ReLU.
#[derive(Debug)]
pub(crate) struct Conv3x3 {
    conv: PackedConv,
}

impl Conv3x3 {
    pub(crate) fn new(kernels: Kernels, from: &ConvWeights) -> Self {
        let depth = from.weights.len() / (9 * from.bias.len()).max(1);
        Self { conv: PackedConv::new(kernels, &from.weights, &from.bias, 9, depth, true) }
    }

    pub(crate) fn run(
        &self,
        kernels: Kernels,
        input: &FeatureMap,
        out: &mut FeatureMap,
        ring: &mut RowRing,
    ) {
        let channels = input.channels;
        out.reshape(input.height, input.width, self.conv.columns());
        ring.reset(input.width, channels);
        ring.place(0).copy_from_slice(input.row(0));
        for y in 0..input.height {
            if y + 1 < input.height {
                ring.place(y + 1).copy_from_slice(input.row(y + 1));
            }
            let rows = ring.around(y, input.height);
            let mut taps: [&[f32]; 9] = [&[]; 9];
            for (i, tap) in taps.iter_mut().enumerate() {
                *tap = &rows[i / 3][i % 3 * channels..];
            }
            let target = Target { step: out.channels, out: out.row_mut(y), residual: None };
            kernels.conv_row(&self.conv, &taps, channels, input.width, target);
        }
    }
}

/// A transposed 2x2 convolution with stride 2 and ReLU: every input pixel
/// makes four output pixels, each with its own 1x1 convolution.
#[derive(Debug)]
pub(crate) struct Upsample {
    quarters: [Pointwise; 4],
}

impl Upsample {
    /// From the weights of the four output pixels, row by row.
    pub(crate) fn new(kernels: Kernels, from: &[ConvWeights; 4]) -> Self {
        Self { quarters: std::array::from_fn(|i| Pointwise::new(kernels, &from[i], true)) }
    }

    pub(crate) fn run(&self, kernels: Kernels, input: &FeatureMap, out: &mut FeatureMap) {
        let channels = self.quarters[0].channels();
        out.reshape(2 * input.height, 2 * input.width, channels);
        for y in 0..out.height {
            for x in 0..2 {
                let row = &mut out.row_mut(y)[x * channels..];
                let target = Target { out: row, step: 2 * channels, residual: None };
                let conv = &self.quarters[y % 2 * 2 + x].conv;
                kernels.conv_row(conv, &[input.row(y / 2)], input.channels, input.width, target);
            }
        }
    }
}

/// Runs a depth-wise convolution over a map that is never stored: `fill`
/// computes its rows in order, and `filter` a row of the result from three.
pub(crate) fn depthwise_rows<T: Copy + Default>(
    (height, width, channels): (usize, usize, usize),
    stride: usize,
    ring: &mut RowRing<T>,
    mut fill: impl FnMut(usize, &mut [T]),
    mut filter: impl FnMut(usize, [&[T]; 3]),
) {
    ring.reset(width, channels);
    let mut filled = 0;
    for y in 0..height / stride {
        ring.fill_to(y * stride + 2, height, &mut filled, &mut fill);
        filter(y, ring.around(y * stride, height));
    }
}

/// Raises each channel's largest value to those of a row of pixels.
pub(crate) fn note_most(row: &[f32], most: &mut [f32], stored: usize) {
    for pixel in row.chunks_exact(stored) {
        for (most, &value) in most.iter_mut().zip(pixel) {
            *most = most.max(value);
        }
    }
}

/// The inverted residual block of MobileNetV2 (Sandler et al., 2018): widen,
/// filter each channel, narrow; the input is added where shapes allow.
#[derive(Debug)]
pub(crate) struct InvertedResidual {
    pub(crate) expand: Pointwise,
    pub(crate) depthwise: PackedDepthwise,
    pub(crate) project: Pointwise,
    pub(crate) residual: bool,
}

impl InvertedResidual {
    pub(crate) fn run(
        &self,
        kernels: Kernels,
        input: &FeatureMap,
        out: &mut FeatureMap,
        scratch: &mut RowScratch,
        watch: Option<&mut BlockRanges>,
    ) {
        let stride = self.depthwise.stride();
        let (width, channels) = (input.width / stride, self.depthwise.channels());
        out.reshape(input.height / stride, width, self.project.channels());
        let (mut watch_wide, mut watch_filtered) = watch.map(|watch| watch.inner(input)).unzip();
        let RowScratch { ring, row: filtered, .. } = scratch;
        filtered.resize(width * channels, 0.0);
        depthwise_rows(
            (input.height, input.width, channels),
            stride,
            ring,
            |y, wide| {
                self.expand.row(kernels, input.row(y), input.channels, input.width, wide, None);
                if let Some(most) = &mut watch_wide {
                    note_most(wide, most, channels);
                }
            },
            |y, rows| {
                kernels.depthwise_row(&self.depthwise, rows, width, filtered);
                if let Some(most) = &mut watch_filtered {
                    note_most(filtered, most, channels);
                }
                let residual = self.residual.then(|| input.row(y));
                self.project.row(kernels, filtered, channels, width, out.row_mut(y), residual);
            },
        );
    }
}

/// The first block of MobileNetV2: the stem, a depth-wise filter, narrow.
#[derive(Debug)]
pub(crate) struct StemBlock {
    pub(crate) stem: Stem,
    pub(crate) depthwise: PackedDepthwise,
    pub(crate) project: Pointwise,
}

impl StemBlock {
    pub(crate) fn run(
        &self,
        kernels: Kernels,
        input: &NetworkInput,
        out: &mut FeatureMap,
        pixels: &mut RowRing,
        scratch: &mut RowScratch,
        watch: Option<(&mut [f32], &mut [f32])>,
    ) {
        let (mut watch_wide, mut watch_filtered) = watch.unzip();
        let (height, width) = (input.height() / 2, input.width() / 2);
        let channels = self.depthwise.channels();
        out.reshape(height, width, self.project.channels());
        pixels.reset(input.width(), 3);
        let RowScratch { ring, row: filtered, .. } = scratch;
        filtered.resize(width * channels, 0.0);
        depthwise_rows(
            (height, width, channels),
            1,
            ring,
            |y, wide| {
                self.stem.row(kernels, input, y, pixels, wide);
                if let Some(most) = &mut watch_wide {
                    note_most(wide, most, channels);
                }
            },
            |y, rows| {
                kernels.depthwise_row(&self.depthwise, rows, width, filtered);
                if let Some(most) = &mut watch_filtered {
                    note_most(filtered, most, channels);
                }
                self.project.row(kernels, filtered, channels, width, out.row_mut(y), None);
            },
        );
    }
}

/// The unit of YuNet (Wu et al., 2023): point-wise, then depth-wise.
#[derive(Debug)]
pub(crate) struct SeparableUnit {
    pub(crate) pointwise: Pointwise,
    pub(crate) depthwise: PackedDepthwise,
}

impl SeparableUnit {
    /// The unit alone.
    pub(crate) fn run(
        &self,
        kernels: Kernels,
        input: &FeatureMap,
        out: &mut FeatureMap,
        scratch: &mut RowScratch,
        mut watch: Option<&mut UnitRanges>,
    ) {
        let (height, width, channels) = (input.height, input.width, self.depthwise.channels());
        out.reshape(height, width, channels);
        depthwise_rows(
            (height, width, channels),
            1,
            &mut scratch.ring,
            |y, row| self.fill(kernels, input.row(y), input.channels, row, &mut watch),
            |y, rows| kernels.depthwise_row(&self.depthwise, rows, width, out.row_mut(y)),
        );
        if let Some(watch) = watch {
            watch.note_filtered(out);
        }
    }

    /// The unit and a 2x2 max-pool.
    pub(crate) fn run_pooled(
        &self,
        kernels: Kernels,
        input: &FeatureMap,
        out: &mut FeatureMap,
        scratch: &mut RowScratch,
        mut watch: Option<&mut UnitRanges>,
    ) {
        self.pooled_rows(kernels, (input.height, input.width), out, scratch, |y, row| {
            self.fill(kernels, input.row(y), input.channels, row, &mut watch);
        });
        if let Some(watch) = watch {
            watch.note_filtered(out);
        }
    }

    /// The stem, the unit and a 2x2 max-pool; the stem's output, the largest
    /// map of all, is never stored.
    pub(crate) fn run_pooled_after(
        &self,
        stem: &Stem,
        kernels: Kernels,
        input: &NetworkInput,
        out: &mut FeatureMap,
        (pixels, scratch): (&mut RowRing, &mut RowScratch),
        watch: Option<(&mut [f32], &mut UnitRanges)>,
    ) {
        let (mut watch_stem, mut watch) = watch.unzip();
        let (height, width) = (input.height() / 2, input.width() / 2);
        let channels = stem.channels();
        let mut first = std::mem::take(&mut scratch.first);
        first.resize(width * channels, 0.0);
        pixels.reset(input.width(), 3);
        self.pooled_rows(kernels, (height, width), out, scratch, |y, row| {
            stem.row(kernels, input, y, pixels, &mut first);
            if let Some(most) = &mut watch_stem {
                note_most(&first, most, channels);
            }
            self.fill(kernels, &first, channels, row, &mut watch);
        });
        if let Some(watch) = watch {
            watch.note_filtered(out);
        }
        scratch.first = first;
    }

    /// The depth-wise half and a 2x2 max-pool over the rows that `fill`
    /// computes.
    fn pooled_rows(
        &self,
        kernels: Kernels,
        (height, width): (usize, usize),
        out: &mut FeatureMap,
        scratch: &mut RowScratch,
        fill: impl FnMut(usize, &mut [f32]),
    ) {
        let channels = self.depthwise.channels();
        out.reshape(height / 2, width / 2, channels);
        let RowScratch { ring, row: odd, pair: even, .. } = scratch;
        even.resize(width * channels, 0.0);
        odd.resize(width * channels, 0.0);
        depthwise_rows((height, width, channels), 1, ring, fill, |y, rows| {
            let row = if y.is_multiple_of(2) { &mut *even } else { &mut *odd };
            kernels.depthwise_row(&self.depthwise, rows, width, row);
            if !y.is_multiple_of(2) {
                max_pool_rows(even, odd, out.row_mut(y / 2), channels);
            }
        });
    }

    /// The point-wise half of a row of pixels of `step` stored channels.
    fn fill(
        &self,
        kernels: Kernels,
        input: &[f32],
        step: usize,
        row: &mut [f32],
        watch: &mut Option<&mut UnitRanges>,
    ) {
        self.pointwise.row(kernels, input, step, input.len() / step, row, None);
        if let Some(watch) = watch {
            watch.note_words(row, self.pointwise.channels());
        }
    }
}
