//! CenterFace (Xu, Yan, Yang et al., "CenterFace: Joint Face Detection and
//! Alignment Using Face as Point", 2019): MobileNetV2, a feature pyramid of
//! 24 channels, and one head at a quarter of the input size.

use crate::face_box::FaceBox;
use crate::feature_map::{FeatureMap, NetworkInput, Scratch};
use crate::kernels::{Kernels, PackedDepthwise};
use crate::layers::{
    Conv3x3, ConvWeights, InvertedResidual, Pointwise, Stem, StemBlock, Upsample, note_most,
};
use bytes::ByteBackbone;
use weights::Weights;

mod bytes;
mod ranges;
mod weights;

pub use ranges::ActivationRanges;
pub(crate) use ranges::BlockRanges;

/// Pixels of the input per cell of the output.
const STRIDE: f32 = 4.0;

/// The backbone after the stem: input channels, widened channels, output
/// channels, stride, and whether the pyramid takes the result.
const BACKBONE: [(usize, usize, usize, usize, bool); 16] = [
    (16, 96, 24, 2, false),
    (24, 144, 24, 1, true),
    (24, 144, 32, 2, false),
    (32, 192, 32, 1, false),
    (32, 192, 32, 1, true),
    (32, 192, 64, 2, false),
    (64, 384, 64, 1, false),
    (64, 384, 64, 1, false),
    (64, 384, 64, 1, false),
    (64, 384, 96, 1, false),
    (96, 576, 96, 1, false),
    (96, 576, 96, 1, true),
    (96, 576, 160, 2, false),
    (160, 960, 160, 1, false),
    (160, 960, 160, 1, false),
    (160, 960, 320, 1, true),
];

/// Channels of the pyramid.
const PYRAMID: usize = 24;

/// The network, packed for one backend.
#[derive(Debug)]
pub(crate) struct CenterFace {
    first: StemBlock,
    backbone: Vec<(InvertedResidual, bool)>,
    /// Where that is faster.
    bytes: Option<ByteBackbone>,
    /// From the smallest map (1/32) to a map of 1/32, 24 channels.
    top: Pointwise,
    /// Up to 1/16, 1/8 and 1/4, each with the backbone's map of that size.
    steps: [(Upsample, Pointwise); 3],
    smooth: Conv3x3,
    /// Five channels: score (before the sigmoid), log height, log width, and
    /// the offset of the centre, y before x. The 5 facial points that the
    /// file also has a head for are not used.
    head: Pointwise,
}

/// In what numbers a network computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    Full,
    /// 8-bit whole numbers where most of the work is, two to three times
    /// faster at scores that differ a little; floats on
    /// [`Backend::Portable`](crate::Backend::Portable), where bytes are slow.
    Fast,
}

impl CenterFace {
    /// From the bytes of `centerface.onnx` and of the file of activation
    /// ranges. The message says what is wrong.
    pub(crate) fn load(kernels: Kernels, model: &[u8], ranges: &[u8]) -> Result<Self, String> {
        let weights = Weights::read(model)?;
        let ranges =
            ActivationRanges::from_bytes(ranges).ok_or("the activation ranges do not fit")?;
        let narrow = |from: &ConvWeights| Pointwise::new(kernels, from, false);
        let wide = |from: &ConvWeights| Pointwise::new(kernels, from, true);
        let depthwise = |from: &ConvWeights, stride| {
            PackedDepthwise::new(kernels, &from.weights, &from.bias, stride, true)
        };
        let first = StemBlock {
            stem: Stem::new(kernels, &weights.first.expand),
            depthwise: depthwise(&weights.first.depthwise, 1),
            project: narrow(&weights.first.project),
        };
        let backbone = BACKBONE.iter().zip(&weights.backbone);
        let backbone = backbone
            .map(|(&(inner, _, outer, stride, kept), from)| {
                let block = InvertedResidual {
                    expand: wide(&from.expand),
                    depthwise: depthwise(&from.depthwise, stride),
                    project: narrow(&from.project),
                    residual: inner == outer && stride == 1,
                };
                (block, kept)
            })
            .collect();
        let steps = weights.steps.each_ref().map(|(upsample, lateral)| {
            (Upsample::new(kernels, upsample), Pointwise::new(kernels, lateral, true))
        });
        let bytes = kernels.bytes_pay().then(|| ByteBackbone::new(kernels, &weights, &ranges));
        Ok(Self {
            first,
            backbone,
            bytes,
            top: wide(&weights.top),
            steps,
            smooth: Conv3x3::new(kernels, &weights.smooth),
            head: narrow(&weights.head),
        })
    }

    /// Runs the network. The result is one map at a quarter of the input's
    /// size whose channels [`CenterFace::head`] describes.
    pub(crate) fn run<'a>(
        &self,
        kernels: Kernels,
        input: &NetworkInput,
        precision: Precision,
        scratch: &'a mut Scratch,
    ) -> &'a FeatureMap {
        match &self.bytes {
            Some(bytes) if precision == Precision::Fast => {
                self.run_bytes(bytes, kernels, input, scratch)
            }
            _ => self.run_floats(kernels, input, scratch, None),
        }
    }

    /// The network in floats. With `watch`, notes how large the activations
    /// get.
    pub(crate) fn run_floats<'a>(
        &self,
        kernels: Kernels,
        input: &NetworkInput,
        scratch: &'a mut Scratch,
        mut watch: Option<&mut ActivationRanges>,
    ) -> &'a FeatureMap {
        let Scratch { pixels, rows, maps, .. } = scratch;
        let [here, next, kept @ ..] = maps;
        let first = watch.as_deref_mut().map(ActivationRanges::first);
        self.first.run(kernels, input, here, pixels, rows, first);
        let mut places = kept.iter_mut();
        for (index, (block, keep)) in self.backbone.iter().enumerate() {
            let watch = watch.as_deref_mut().and_then(|watch| watch.block(index));
            block.run(kernels, here, next, rows, watch);
            std::mem::swap(here, next);
            if *keep && let Some(place) = places.next() {
                place.copy_of(here);
            }
        }
        self.pyramid(kernels, maps);
        let [here, next, ..] = maps;
        if let Some(watch) = watch {
            note_most(here.values(), watch.smooth(), here.channels);
        }
        self.smooth.run(kernels, here, next, &mut rows.ring);
        self.head.run(kernels, next, here);
        here
    }

    /// The network in bytes, but for the pyramid and the head.
    fn run_bytes<'a>(
        &self,
        backbone: &ByteBackbone,
        kernels: Kernels,
        input: &NetworkInput,
        scratch: &'a mut Scratch,
    ) -> &'a FeatureMap {
        let Scratch { bytes, maps, .. } = scratch;
        backbone.run(kernels, input, maps, bytes);
        self.pyramid(kernels, maps);
        let [here, next, ..] = maps;
        backbone.smooth(kernels, here, next, bytes);
        self.head.run(kernels, next, here);
        here
    }

    /// From the four maps that the backbone has kept to one at a quarter of
    /// the size, in the first place.
    fn pyramid(&self, kernels: Kernels, maps: &mut [FeatureMap; 8]) {
        let [here, next, quarter, eighth, sixteenth, smallest, ..] = maps;
        self.top.run(kernels, smallest, here);
        for ((upsample, lateral), skip) in self.steps.iter().zip([sixteenth, eighth, quarter]) {
            upsample.run(kernels, here, next);
            lateral.run(kernels, skip, here);
            here.add(next);
        }
    }

    /// The boxes in a result, unsorted and overlapping: every cell whose
    /// score reaches `floor`.
    pub(crate) fn decode(map: &FeatureMap, floor: f32) -> Vec<FaceBox> {
        let mut boxes = Vec::new();
        let least = logit(floor);
        for y in 0..map.height {
            for x in 0..map.width {
                let &[score, log_height, log_width, dy, dx, ..] = map.pixel(x, y) else { continue };
                if score >= least {
                    boxes.push(FaceBox::centred(
                        (x as f32 + dx + 0.5) * STRIDE,
                        (y as f32 + dy + 0.5) * STRIDE,
                        log_width.exp() * STRIDE,
                        log_height.exp() * STRIDE,
                        sigmoid(score),
                    ));
                }
            }
        }
        boxes
    }
}

/// `1 / (1 + exp(-x))`.
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// The inverse of [`sigmoid`].
pub(crate) fn logit(p: f32) -> f32 {
    let p = p.clamp(1e-6, 1.0 - 1e-6);
    (p / (1.0 - p)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Backend;

    #[test]
    fn a_file_that_is_not_the_network_is_refused() {
        let kernels = Kernels::new(Backend::Portable).unwrap();
        assert!(CenterFace::load(kernels, b"", b"").unwrap_err().contains("missing"));
        assert!(CenterFace::load(kernels, &[0xff; 40], b"").is_err());
    }

    #[test]
    fn sigmoid_and_logit_undo_each_other() {
        for p in [0.01, 0.3, 0.5, 0.99] {
            assert!((sigmoid(logit(p)) - p).abs() < 1e-5);
        }
    }
}
