//! YuNet-s (Wu, Peng and Yu, "YuNet: A Tiny Millisecond-level Face Detector",
//! 2023), with the weights libfacedetection ships.

use crate::centerface::{Precision, logit, sigmoid};
use crate::face_box::FaceBox;
use crate::feature_map::{FeatureMap, NetworkInput, Scratch};
use crate::kernels::{Kernels, PackedDepthwise};
use crate::layers::{ConvWeights, Pointwise, SeparableUnit, Stem};
use crate::onnx::read_floats;
use bytes::ByteYuNet;

mod bytes;
mod ranges;

pub(crate) use ranges::UnitRanges;
pub use ranges::YuNetRanges;

/// Channels of the first layer.
const STEM: usize = 16;

/// Input and output channels of the backbone's units, then of the three
/// lateral units from the smallest map to the largest.
const UNITS: [(usize, usize); 14] = [
    (16, 16),
    (16, 16),
    (16, 32),
    (32, 32),
    (32, 64),
    (64, 64),
    (64, 64),
    (64, 64),
    (64, 64),
    (64, 64),
    (64, 64),
    (64, 64),
    (64, 64),
    (64, 64),
];

/// Channels of a head: class and objectness scores (before the sigmoid), box
/// (dx, dy, log width, log height), five facial points (right and left eye,
/// nose, right and left corner of the mouth).
const HEAD: usize = 16;

/// The network, packed for one backend.
#[derive(Debug)]
pub(crate) struct YuNet {
    stem: Stem,
    units: [SeparableUnit; 14],
    /// At strides 8, 16 and 32.
    heads: [SeparableUnit; 3],
    /// Where that is faster.
    bytes: Option<ByteYuNet>,
}

/// All weights as the file has them, but for the order of colours.
struct Weights {
    stem: ConvWeights,
    /// The backbone's units and the lateral ones.
    units: Vec<UnitWeights>,
    heads: Vec<UnitWeights>,
}

struct UnitWeights {
    pointwise: ConvWeights,
    depthwise: ConvWeights,
}

impl YuNet {
    /// From the bytes of `yunet_s.f32` and of the file of activation ranges.
    /// The message says what is wrong.
    pub(crate) fn load(kernels: Kernels, file: &[u8], ranges: &[u8]) -> Result<Self, String> {
        let weights = Weights::read(file)?;
        let ranges = YuNetRanges::from_bytes(ranges).ok_or("the activation ranges do not fit")?;
        let unit = |from: &UnitWeights, relu| {
            let UnitWeights { pointwise, depthwise } = from;
            SeparableUnit {
                pointwise: Pointwise::new(kernels, pointwise, false),
                depthwise: PackedDepthwise::new(
                    kernels,
                    &depthwise.weights,
                    &depthwise.bias,
                    1,
                    relu,
                ),
            }
        };
        let units: Vec<_> = weights.units.iter().map(|from| unit(from, true)).collect();
        let heads: Vec<_> = weights.heads.iter().map(|from| unit(from, false)).collect();
        Ok(Self {
            stem: Stem::new(kernels, &weights.stem),
            units: units.try_into().ok().ok_or("wrong number of units")?,
            heads: heads.try_into().ok().ok_or("wrong number of heads")?,
            bytes: kernels.bytes_pay().then(|| ByteYuNet::new(kernels, &weights, &ranges)),
        })
    }

    /// Runs the network; the three results are the heads at strides 8, 16
    /// and 32.
    pub(crate) fn run<'a>(
        &self,
        kernels: Kernels,
        input: &NetworkInput,
        precision: Precision,
        scratch: &'a mut Scratch,
    ) -> [&'a FeatureMap; 3] {
        match &self.bytes {
            Some(bytes) if precision == Precision::Fast => bytes.run(kernels, input, scratch),
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
        mut watch: Option<&mut YuNetRanges>,
    ) -> [&'a FeatureMap; 3] {
        let Scratch { pixels, rows, maps, .. } = scratch;
        let [a, b, at8, at16, at32, out8, out16, out32] = maps;
        let [u0, u1, u2, u3, u4, u5, u6, u7, u8, u9, u10, lateral32, lateral16, lateral8] =
            &self.units;
        let [head8, head16, head32] = &self.heads;

        let first = watch.as_deref_mut().map(YuNetRanges::first);
        u0.run_pooled_after(&self.stem, kernels, input, b, (pixels, rows), first); // 1/4
        let watch = &mut watch;
        u1.run(kernels, b, a, rows, YuNetRanges::of(watch, 1));
        u2.run(kernels, a, b, rows, YuNetRanges::of(watch, 2));
        u3.run(kernels, b, a, rows, YuNetRanges::of(watch, 3));
        u4.run_pooled(kernels, a, b, rows, YuNetRanges::of(watch, 4)); // 1/8
        u5.run(kernels, b, a, rows, YuNetRanges::of(watch, 5));
        u6.run(kernels, a, at8, rows, YuNetRanges::of(watch, 6));
        b.max_pool_of(at8); // 1/16
        u7.run(kernels, b, a, rows, YuNetRanges::of(watch, 7));
        u8.run(kernels, a, at16, rows, YuNetRanges::of(watch, 8));
        b.max_pool_of(at16); // 1/32
        u9.run(kernels, b, a, rows, YuNetRanges::of(watch, 9));
        u10.run(kernels, a, at32, rows, YuNetRanges::of(watch, 10));

        lateral32.run(kernels, at32, a, rows, YuNetRanges::of(watch, 11));
        head32.run(kernels, a, out32, rows, None);
        at16.add_doubled(a);
        lateral16.run(kernels, at16, b, rows, YuNetRanges::of(watch, 12));
        head16.run(kernels, b, out16, rows, None);
        at8.add_doubled(b);
        lateral8.run(kernels, at8, a, rows, YuNetRanges::of(watch, 13));
        head8.run(kernels, a, out8, rows, None);
        [out8, out16, out32]
    }

    /// The boxes in the results, unsorted and overlapping: every cell whose
    /// score (the geometric mean of class and objectness) reaches `floor`.
    pub(crate) fn decode(maps: [&FeatureMap; 3], floor: f32) -> Vec<FaceBox> {
        let mut boxes = Vec::new();
        // Neither part of a score can be less than its square.
        let least = if floor > 0.01 { logit(floor * floor) - 0.01 } else { f32::NEG_INFINITY };
        for (map, stride) in maps.into_iter().zip([8.0, 16.0, 32.0]) {
            for y in 0..map.height {
                for x in 0..map.width {
                    let &[class, object, dx, dy, log_width, log_height, _, _, _, _, nx, ny, ..] =
                        map.pixel(x, y)
                    else {
                        continue;
                    };
                    if class < least || object < least {
                        continue;
                    }
                    let score = (sigmoid(class) * sigmoid(object)).sqrt();
                    if score >= floor {
                        let at =
                            |dx: f32, dy: f32| ((x as f32 + dx) * stride, (y as f32 + dy) * stride);
                        let ((cx, cy), nose) = (at(dx, dy), at(nx, ny));
                        let (width, height) = (log_width.exp() * stride, log_height.exp() * stride);
                        let found = FaceBox::centred(cx, cy, width, height, score);
                        boxes.push(FaceBox { nose: Some(nose), ..found });
                    }
                }
            }
        }
        boxes
    }
}

impl Weights {
    /// Layer after layer, weights before biases, `[tap][input
    /// channel][output channel]`. The message says what is wrong.
    fn read(file: &[u8]) -> Result<Self, String> {
        let floats = read_floats(file).ok_or("not a file of 32-bit floats")?;
        let mut rest = floats.as_slice();
        let mut take = |weights: usize, channels: usize| {
            let (head, tail) = rest.split_at_checked(weights + channels).ok_or("file too short")?;
            rest = tail;
            let (weights, bias) = head.split_at(weights);
            Ok::<_, String>(ConvWeights { weights: weights.to_vec(), bias: bias.to_vec() })
        };
        let mut stem = take(27 * STEM, STEM)?;
        // The network wants blue first, our pictures have red first.
        for tap in stem.weights.chunks_exact_mut(3 * STEM) {
            let (blue, red) = tap.split_at_mut(2 * STEM);
            blue[..STEM].swap_with_slice(red);
        }
        let mut unit = |&(inner, outer): &(usize, usize)| {
            let (pointwise, depthwise) = (take(inner * outer, outer)?, take(9 * outer, outer)?);
            Ok::<_, String>(UnitWeights { pointwise, depthwise })
        };
        let units = UNITS.iter().map(&mut unit).collect::<Result<_, _>>()?;
        let heads = [(64, HEAD); 3].iter().map(&mut unit).collect::<Result<_, _>>()?;
        if !rest.is_empty() {
            return Err("file too long".into());
        }
        Ok(Self { stem, units, heads })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Backend;

    #[test]
    fn a_file_of_another_length_is_refused() {
        let kernels = Kernels::new(Backend::Portable).unwrap();
        let ranges = YuNetRanges::default().to_bytes();
        for length in [0, 3, 4, 212_412, 212_420] {
            assert!(YuNet::load(kernels, &vec![0; length], &ranges).is_err(), "{length}");
        }
        assert!(YuNet::load(kernels, &vec![0; 212_416], &ranges).is_ok());
        assert!(YuNet::load(kernels, &vec![0; 212_416], &ranges[1..]).is_err());
    }

    /// Weights and ranges of nothing are no reason to fail.
    #[test]
    fn a_network_of_zeros_is_built_and_runs() {
        let ranges = YuNetRanges::default().to_bytes();
        for kernels in Backend::ALL.into_iter().filter_map(Kernels::new) {
            let network = YuNet::load(kernels, &vec![0; 212_416], &ranges).unwrap();
            let input = NetworkInput::new(32, 64, vec![9; 32 * 64 * 3]).unwrap();
            let mut scratch = Scratch::default();
            let maps = network.run(kernels, &input, Precision::Fast, &mut scratch);
            assert!(maps.iter().all(|map| map.values().iter().all(|&v| v == 0.0)));
        }
    }
}
