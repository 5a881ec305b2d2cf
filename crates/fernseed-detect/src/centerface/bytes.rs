//! CenterFace's backbone in 8 bits.
//!
//! Between blocks the maps are floats: they are narrow, and adding the
//! residuals stays exact. Within a block everything is bytes.

use super::ranges::{ActivationRanges, BlockRanges};
use super::weights::{BlockWeights, Weights};
use super::{BACKBONE, PYRAMID};
use crate::feature_map::{ByteScratch, FeatureMap, NetworkInput};
use crate::kernels::{Kernels, PackedByteConv, PackedByteDepthwise, Target};
use crate::layers::{ConvWeights, depthwise_rows};
use crate::quantise::{Activations, ByteWeights};

/// The backbone and the last 3x3 layer, packed for one backend.
#[derive(Debug)]
pub(super) struct ByteBackbone {
    stem: PackedByteConv,
    stem_depthwise: PackedByteDepthwise,
    stem_project: PackedByteConv,
    blocks: Vec<(ByteBlock, bool)>,
    to_smooth: Quantiser,
    smooth: PackedByteConv,
}

/// Makes bytes of rows of floats.
#[derive(Debug)]
struct Quantiser {
    /// For some pixels: a row is done in pieces of this length.
    steps: Vec<f32>,
    zero: Vec<f32>,
}

/// Pixels a [`Quantiser`] does at once.
const PIXELS: usize = 8;

impl Quantiser {
    fn new(kernels: Kernels, to: &Activations) -> Self {
        let (steps, zero) = to.to_bytes(kernels.stored_channels(to.channels()));
        Self { steps: steps.repeat(PIXELS), zero: zero.repeat(PIXELS) }
    }

    fn run(&self, kernels: Kernels, row: &[f32], bytes: &mut [u8]) {
        kernels.quantise(row, &self.steps, &self.zero, bytes);
    }
}

impl ByteBackbone {
    pub(super) fn new(kernels: Kernels, weights: &Weights, ranges: &ActivationRanges) -> Self {
        let pairs = kernels.adds_pairs();
        let BlockWeights { expand, depthwise, project } = &weights.first;
        let (wide, filtered) = ranges.of_stem();
        let (wide, filtered) = (Activations::up_to(wide), Activations::up_to(filtered));
        let stem = ByteWeights::dense(expand, &Activations::pixels(), 3, pairs, Some(&wide));
        let stem_depthwise = ByteWeights::depthwise(depthwise, &wide, pairs, &filtered);
        let stem_project = ByteWeights::dense(project, &filtered, 1, pairs, None);
        let blocks = BACKBONE.iter().zip(&weights.backbone).zip(ranges.of_blocks());
        let blocks = blocks
            .map(|((&(inner, _, outer, stride, kept), weights), ranges)| {
                let residual = inner == outer && stride == 1;
                (ByteBlock::new(kernels, weights, ranges, stride, residual), kept)
            })
            .collect();
        let before_smooth = Activations::up_to(ranges.of_smooth());
        let smooth = ByteWeights::dense(&weights.smooth, &before_smooth, 3, pairs, None);
        let smooth = pad_inputs(&smooth, PYRAMID, kernels.stored_channels(PYRAMID));
        Self {
            stem: PackedByteConv::new(kernels, &stem, 3, true),
            stem_depthwise: PackedByteDepthwise::new(kernels, &stem_depthwise, 1),
            stem_project: PackedByteConv::new(kernels, &stem_project, 1, false),
            blocks,
            to_smooth: Quantiser::new(kernels, &before_smooth),
            smooth: PackedByteConv::new(kernels, &smooth, 3, true),
        }
    }

    /// Leaves the maps at 1/4, 1/8, 1/16 and 1/32 in `maps[2..6]`.
    pub(super) fn run(
        &self,
        kernels: Kernels,
        input: &NetworkInput,
        maps: &mut [FeatureMap; 8],
        scratch: &mut ByteScratch,
    ) {
        let [here, next, kept @ ..] = maps;
        self.first(kernels, input, here, scratch);
        let mut places = kept.iter_mut();
        for (block, keep) in &self.blocks {
            block.run(kernels, here, next, scratch);
            std::mem::swap(here, next);
            if *keep && let Some(place) = places.next() {
                place.copy_of(here);
            }
        }
    }

    /// The stem, its depth-wise filter, and the way down to 16 channels.
    fn first(
        &self,
        kernels: Kernels,
        input: &NetworkInput,
        out: &mut FeatureMap,
        scratch: &mut ByteScratch,
    ) {
        let (height, width) = (input.height() / 2, input.width() / 2);
        let channels = self.stem_depthwise.channels();
        out.reshape(height, width, self.stem_project.columns());
        let ByteScratch { pixels, ring, row, .. } = scratch;
        pixels.reset(input.width(), 3);
        row.resize(width * channels, 0);
        depthwise_rows(
            (height, width, channels),
            1,
            ring,
            |y, wide| {
                for source in 2 * y..2 * y + 2 {
                    pixels.place(source).copy_from_slice(input.row(source));
                }
                let rows = pixels.around(2 * y, input.height());
                kernels.byte_conv_row(&self.stem, &rows, 6, width, wide);
            },
            |y, rows| {
                kernels.byte_depthwise_row(&self.stem_depthwise, rows, width, row);
                let step = out.channels;
                let target = Target { out: out.row_mut(y), step, residual: None };
                let project = &self.stem_project;
                kernels.byte_conv_row_to_floats(project, &[row], channels, width, target);
            },
        );
    }

    /// The last 3x3 layer.
    pub(super) fn smooth(
        &self,
        kernels: Kernels,
        input: &FeatureMap,
        out: &mut FeatureMap,
        scratch: &mut ByteScratch,
    ) {
        let (height, width, channels) = (input.height, input.width, input.channels);
        out.reshape(height, width, self.smooth.columns());
        depthwise_rows(
            (height, width, channels),
            1,
            &mut scratch.ring,
            |y, row| self.to_smooth.run(kernels, input.row(y), row),
            |y, rows| {
                let step = out.channels;
                let target = Target { out: out.row_mut(y), step, residual: None };
                kernels.byte_conv_row_to_floats(&self.smooth, &rows, channels, width, target);
            },
        );
    }
}

/// Gives each tap of a dense layer zero weights for the channels of padding.
fn pad_inputs(from: &ByteWeights, channels: usize, stored: usize) -> ByteWeights {
    let outs = from.scale.len();
    let padding = vec![0; (stored - channels) * outs];
    let taps = from.weights.chunks_exact(channels * outs);
    let weights = taps.flat_map(|tap| [tap, &padding].concat()).collect();
    ByteWeights { weights, ..from.clone() }
}

/// An inverted residual block in bytes.
#[derive(Debug)]
struct ByteBlock {
    input: Quantiser,
    expand: PackedByteConv,
    depthwise: PackedByteDepthwise,
    project: PackedByteConv,
    residual: bool,
}

impl ByteBlock {
    fn new(
        kernels: Kernels,
        weights: &BlockWeights,
        ranges: &BlockRanges,
        stride: usize,
        residual: bool,
    ) -> Self {
        let pairs = kernels.adds_pairs();
        let input = Activations::between(&ranges.least, &ranges.most);
        let wide = Activations::up_to(&ranges.wide);
        let filtered = Activations::up_to(&ranges.filtered);
        let dense = |layer: &ConvWeights, from, to| ByteWeights::dense(layer, from, 1, pairs, to);
        let depthwise = ByteWeights::depthwise(&weights.depthwise, &wide, pairs, &filtered);
        let expand = dense(&weights.expand, &input, Some(&wide));
        let project = dense(&weights.project, &filtered, None);
        Self {
            input: Quantiser::new(kernels, &input),
            expand: PackedByteConv::new(kernels, &expand, 1, true),
            depthwise: PackedByteDepthwise::new(kernels, &depthwise, stride),
            project: PackedByteConv::new(kernels, &project, 1, false),
            residual,
        }
    }

    fn run(
        &self,
        kernels: Kernels,
        input: &FeatureMap,
        out: &mut FeatureMap,
        scratch: &mut ByteScratch,
    ) {
        let stride = self.depthwise.stride();
        let (width, channels) = (input.width / stride, self.depthwise.channels());
        out.reshape(input.height / stride, width, self.project.columns());
        let ByteScratch { ring, row, quantised, .. } = scratch;
        quantised.resize(input.width * input.channels, 0);
        row.resize(width * channels, 0);
        depthwise_rows(
            (input.height, input.width, channels),
            stride,
            ring,
            |y, wide| {
                self.input.run(kernels, input.row(y), quantised);
                let step = input.channels;
                kernels.byte_conv_row(&self.expand, &[quantised], step, input.width, wide);
            },
            |y, rows| {
                kernels.byte_depthwise_row(&self.depthwise, rows, width, row);
                let residual = self.residual.then(|| input.row(y));
                let step = out.channels;
                let target = Target { out: out.row_mut(y), step, residual };
                let project = &self.project;
                kernels.byte_conv_row_to_floats(project, &[row], channels, width, target);
            },
        );
    }
}
