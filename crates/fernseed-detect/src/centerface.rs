//! CenterFace (Xu, Yan, Yang et al., "CenterFace: Joint Face Detection and
//! Alignment Using Face as Point", 2019): MobileNetV2, a feature pyramid of
//! 24 channels, and one head at a quarter of the input size.

use crate::face_box::FaceBox;
use crate::feature_map::{FeatureMap, NetworkInput, Scratch};
use crate::kernels::{Kernels, PackedDepthwise};
use crate::layers::{Conv3x3, ConvWeights, InvertedResidual, Pointwise, Stem, StemBlock, Upsample};
use crate::onnx::{Graph, Node, Tensor, read_graph};

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

impl CenterFace {
    /// From the bytes of `centerface.onnx`. The message says what is wrong.
    pub(crate) fn load(kernels: Kernels, model: &[u8]) -> Result<Self, String> {
        let graph = read_graph(model).map_err(|error| error.to_string())?;
        let mut layers = Layers { graph: &graph, nodes: graph.nodes.iter() };
        let narrow = |from: &ConvWeights| Pointwise::new(kernels, from, false);
        let wide = |from: &ConvWeights| Pointwise::new(kernels, from, true);
        let depthwise = |from: &ConvWeights, stride| {
            PackedDepthwise::new(kernels, &from.weights, &from.bias, stride, true)
        };

        // The order is that of the graph.
        let first = StemBlock {
            stem: Stem::new(kernels, &layers.conv([32, 3, 3, 3])?),
            depthwise: depthwise(&layers.conv([32, 1, 3, 3])?, 1),
            project: narrow(&layers.conv([16, 32, 1, 1])?),
        };
        let mut backbone = Vec::with_capacity(BACKBONE.len());
        for (inner, wider, outer, stride, kept) in BACKBONE {
            let block = InvertedResidual {
                expand: wide(&layers.conv([wider, inner, 1, 1])?),
                depthwise: depthwise(&layers.conv([wider, 1, 3, 3])?, stride),
                project: narrow(&layers.conv([outer, wider, 1, 1])?),
                residual: inner == outer && stride == 1,
            };
            backbone.push((block, kept));
        }
        let top = wide(&layers.conv([PYRAMID, 320, 1, 1])?);
        let mut step = |channels| {
            let upsample = Upsample::new(kernels, &layers.upsample()?);
            Ok::<_, String>((upsample, wide(&layers.conv([PYRAMID, channels, 1, 1])?)))
        };
        let steps = [step(96)?, step(32)?, step(24)?];
        let smooth = Conv3x3::new(kernels, &layers.conv([PYRAMID, PYRAMID, 3, 3])?);
        let heads = [1, 2, 2].map(|channels| layers.conv([channels, PYRAMID, 1, 1]));
        let [score, size, offset] = heads;
        let head = narrow(&side_by_side(&[score?, size?, offset?]));
        Ok(Self { first, backbone, top, steps, smooth, head })
    }

    /// Runs the network. The result is one map at a quarter of the input's
    /// size whose channels [`CenterFace::head`] describes.
    pub(crate) fn run<'a>(
        &self,
        kernels: Kernels,
        input: &NetworkInput,
        scratch: &'a mut Scratch,
    ) -> &'a FeatureMap {
        let Scratch { pixels, rows, maps } = scratch;
        let [here, next, kept @ ..] = maps;
        self.first.run(kernels, input, here, pixels, rows);
        let mut places = kept.iter_mut();
        for (block, keep) in &self.backbone {
            block.run(kernels, here, next, rows);
            std::mem::swap(here, next);
            if *keep && let Some(place) = places.next() {
                place.reshape(here.height, here.width, here.channels);
                place.values_mut().copy_from_slice(here.values());
            }
        }
        let [quarter, eighth, sixteenth, smallest, ..] = &*kept;
        self.top.run(kernels, smallest, here);
        for ((upsample, lateral), skip) in self.steps.iter().zip([sixteenth, eighth, quarter]) {
            upsample.run(kernels, here, next);
            lateral.run(kernels, skip, here);
            here.add(next);
        }
        self.smooth.run(kernels, here, next, &mut rows.ring);
        self.head.run(kernels, next, here);
        here
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
fn logit(p: f32) -> f32 {
    let p = p.clamp(1e-6, 1.0 - 1e-6);
    (p / (1.0 - p)).ln()
}

/// Several 1x1 convolutions of the same input as one.
fn side_by_side(parts: &[ConvWeights]) -> ConvWeights {
    let depth = parts.first().map_or(0, |part| part.weights.len() / part.bias.len().max(1));
    let mut weights = Vec::new();
    for input in 0..depth {
        for part in parts {
            let channels = part.bias.len();
            weights.extend_from_slice(&part.weights[input * channels..(input + 1) * channels]);
        }
    }
    ConvWeights { weights, bias: parts.iter().flat_map(|part| part.bias.iter().copied()).collect() }
}

/// Takes the weights out of a graph in the order of its operations and
/// checks that each layer has the expected shape.
struct Layers<'a> {
    graph: &'a Graph,
    nodes: std::slice::Iter<'a, Node>,
}

impl<'a> Layers<'a> {
    /// The next operation of a kind, skipping those without weights.
    fn next(&mut self, operator: &str) -> Result<&'a Node, String> {
        let node = self
            .nodes
            .find(|node| !matches!(node.operator.as_str(), "Relu" | "Add" | "Sigmoid"))
            .ok_or_else(|| format!("a {operator} layer is missing"))?;
        if node.operator == operator {
            Ok(node)
        } else {
            Err(format!("a {} layer where {operator} should be", node.operator))
        }
    }

    /// The tensor that is input `index` of an operation.
    fn tensor(&self, node: &Node, index: usize, shape: &[usize]) -> Result<&'a Tensor, String> {
        let tensor = node.inputs.get(index).and_then(|name| self.graph.tensors.get(name));
        match tensor {
            Some(tensor) if tensor.shape == shape => Ok(tensor),
            Some(tensor) => Err(format!("a layer of shape {:?}, not {shape:?}", tensor.shape)),
            None => Err(format!("the weights of a layer of shape {shape:?} are missing")),
        }
    }

    /// The next convolution, of shape `[out, in, height, width]`.
    fn conv(&mut self, shape: [usize; 4]) -> Result<ConvWeights, String> {
        let node = self.next("Conv")?;
        let from = &self.tensor(node, 1, &shape)?.values;
        let [outs, ins, height, width] = shape;
        let taps = height * width;
        let mut weights = Vec::with_capacity(from.len());
        for tap in 0..taps {
            for input in 0..ins {
                weights.extend((0..outs).map(|out| from[(out * ins + input) * taps + tap]));
            }
        }
        Ok(ConvWeights { weights, bias: self.tensor(node, 2, &[outs])?.values.clone() })
    }

    /// The next transposed convolution with the batch normalisation after
    /// it folded in: one 1x1 convolution for each of four output pixels.
    fn upsample(&mut self) -> Result<[ConvWeights; 4], String> {
        let node = self.next("ConvTranspose")?;
        let from = &self.tensor(node, 1, &[PYRAMID, PYRAMID, 2, 2])?.values;
        let norm = self.next("BatchNormalization")?;
        let epsilon = norm.floats.get("epsilon").copied().unwrap_or(1e-5);
        let vector = |index| self.tensor(norm, index, &[PYRAMID]).map(|tensor| &tensor.values);
        let (gamma, beta, mean, variance) = (vector(1)?, vector(2)?, vector(3)?, vector(4)?);
        let scale: Vec<f32> =
            gamma.iter().zip(variance).map(|(g, v)| g / (v + epsilon).sqrt()).collect();
        let bias: Vec<f32> = (0..PYRAMID).map(|out| beta[out] - mean[out] * scale[out]).collect();
        Ok(std::array::from_fn(|quarter| {
            let weights = (0..PYRAMID * PYRAMID)
                .map(|pair| from[pair * 4 + quarter] * scale[pair % PYRAMID])
                .collect();
            ConvWeights { weights, bias: bias.clone() }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Backend;

    #[test]
    fn a_file_that_is_not_the_network_is_refused() {
        let kernels = Kernels::new(Backend::Portable).unwrap();
        assert!(CenterFace::load(kernels, b"").unwrap_err().contains("missing"));
        assert!(CenterFace::load(kernels, &[0xff; 40]).is_err());
    }

    #[test]
    fn sigmoid_and_logit_undo_each_other() {
        for p in [0.01, 0.3, 0.5, 0.99] {
            assert!((sigmoid(logit(p)) - p).abs() < 1e-5);
        }
    }
}
