//! CenterFace's weights out of its ONNX file.

use super::{BACKBONE, PYRAMID};
use crate::layers::ConvWeights;
use crate::onnx::{Graph, Node, Tensor, read_graph};

/// All weights, in the order of the kernels.
pub(super) struct Weights {
    /// The first block; what it has for widening is the stem.
    pub(super) first: BlockWeights,
    pub(super) backbone: Vec<BlockWeights>,
    pub(super) top: ConvWeights,
    /// For each step up the four upsampling kernels and the lateral one.
    pub(super) steps: [([ConvWeights; 4], ConvWeights); 3],
    pub(super) smooth: ConvWeights,
    /// Score, size and offset side by side.
    pub(super) head: ConvWeights,
}

/// Those of one inverted residual block.
pub(super) struct BlockWeights {
    pub(super) expand: ConvWeights,
    pub(super) depthwise: ConvWeights,
    pub(super) project: ConvWeights,
}

impl Weights {
    /// From the bytes of `centerface.onnx`. The message says what is wrong.
    pub(super) fn read(model: &[u8]) -> Result<Self, String> {
        let graph = read_graph(model).map_err(|error| error.to_string())?;
        let mut layers = Layers { graph: &graph, nodes: graph.nodes.iter() };
        // The order is that of the graph.
        let first = BlockWeights {
            expand: layers.conv([32, 3, 3, 3])?,
            depthwise: layers.conv([32, 1, 3, 3])?,
            project: layers.conv([16, 32, 1, 1])?,
        };
        let mut backbone = Vec::with_capacity(BACKBONE.len());
        for (inner, wider, outer, ..) in BACKBONE {
            backbone.push(BlockWeights {
                expand: layers.conv([wider, inner, 1, 1])?,
                depthwise: layers.conv([wider, 1, 3, 3])?,
                project: layers.conv([outer, wider, 1, 1])?,
            });
        }
        let top = layers.conv([PYRAMID, 320, 1, 1])?;
        let mut step = |channels| {
            let upsample = layers.upsample()?;
            Ok::<_, String>((upsample, layers.conv([PYRAMID, channels, 1, 1])?))
        };
        let steps = [step(96)?, step(32)?, step(24)?];
        let smooth = layers.conv([PYRAMID, PYRAMID, 3, 3])?;
        let heads = [1, 2, 2].map(|channels| layers.conv([channels, PYRAMID, 1, 1]));
        let [score, size, offset] = heads;
        let head = side_by_side(&[score?, size?, offset?]);
        Ok(Self { first, backbone, top, steps, smooth, head })
    }
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
