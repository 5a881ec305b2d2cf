//! From weights and activations in floats to 8 bits.
//!
//! Activations are unsigned with a scale and, where they can be negative, a
//! zero point per channel; weights are signed with a scale per output
//! channel (Jacob et al., "Quantization and Training of Neural Networks for
//! Efficient Integer-Arithmetic-Only Inference", 2018). The activations'
//! scales are folded into the weights that take them, so a scale per channel
//! costs nothing when running.

use crate::layers::ConvWeights;

/// What the bytes of some activations mean: per channel,
/// `value = unit * (byte - zero)`.
#[derive(Clone, Debug)]
pub(crate) struct Activations {
    unit: Vec<f32>,
    zero: Vec<f32>,
}

/// Smallest span of a channel: one that was never seen to be anything but
/// zero.
const LEAST_SPAN: f32 = 1e-3;

impl Activations {
    /// Never negative, up to the given values.
    pub(crate) fn up_to(most: &[f32]) -> Self {
        let unit: Vec<f32> = most.iter().map(|most| most.max(LEAST_SPAN) / 255.0).collect();
        Self { zero: vec![0.0; unit.len()], unit }
    }

    /// Between the given values.
    pub(crate) fn between(least: &[f32], most: &[f32]) -> Self {
        let spans = least.iter().zip(most).map(|(&a, &b)| (a.min(0.0), b.max(0.0)));
        let (unit, zero) = spans
            .map(|(least, most)| {
                let unit = (most - least).max(LEAST_SPAN) / 255.0;
                (unit, (-least / unit).round())
            })
            .unzip();
        Self { unit, zero }
    }

    /// Bytes of pixels as they are, in three channels.
    pub(crate) fn pixels() -> Self {
        Self { unit: vec![1.0; 3], zero: vec![0.0; 3] }
    }

    /// These channels, then those.
    pub(crate) fn beside(&self, other: &Self) -> Self {
        let both = |a: &[f32], b: &[f32]| [a, b].concat();
        Self { unit: both(&self.unit, &other.unit), zero: both(&self.zero, &other.zero) }
    }

    pub(crate) fn channels(&self) -> usize {
        self.unit.len()
    }

    /// Steps of a byte per unit of the value, for one channel; 0 for
    /// channels of padding.
    pub(crate) fn per_unit(&self, channel: usize) -> f32 {
        self.unit.get(channel).map_or(0.0, |unit| 1.0 / unit)
    }

    /// `(steps per unit, zero point)` of as many channels as are stored.
    pub(crate) fn to_bytes(&self, stored: usize) -> (Vec<f32>, Vec<f32>) {
        let mut zero = self.zero.clone();
        zero.resize(stored, 0.0);
        ((0..stored).map(|channel| self.per_unit(channel)).collect(), zero)
    }
}

/// Fills the parts of some ranges from a file made by [`write_ranges`];
/// `None` if it is of another length or holds something that is no finite
/// number.
pub(crate) fn read_ranges(parts: Vec<&mut Vec<f32>>, file: &[u8]) -> Option<()> {
    let (pairs, rest) = file.as_chunks::<2>();
    let mut values = pairs.iter().map(|&[low, high]| f32::from_le_bytes([0, 0, low, high]));
    for place in parts.into_iter().flatten() {
        *place = values.next().filter(|value| value.is_finite())?;
    }
    (values.next().is_none() && rest.is_empty()).then_some(())
}

/// The upper half of each number's bits, rounded away from zero.
pub(crate) fn write_ranges(parts: Vec<&mut Vec<f32>>) -> Vec<u8> {
    let upper = |value: &mut f32| {
        let bits = value.to_bits();
        let upper = (bits >> 16) + u32::from(bits & 0xffff != 0);
        (upper as u16).to_le_bytes()
    };
    parts.into_iter().flatten().flat_map(upper).collect()
}

/// Weights of one layer in 8 bits: `output = scale * sum + bias`, per output
/// channel, where `sum` is that of bytes times weights.
#[derive(Clone, Debug)]
pub(crate) struct ByteWeights {
    /// In the order of [`ConvWeights`].
    pub(crate) weights: Vec<i8>,
    pub(crate) scale: Vec<f32>,
    pub(crate) bias: Vec<f32>,
    pub(crate) ending: Ending,
}

/// What is done with the sums of a layer, per output channel.
#[derive(Clone, Debug)]
pub(crate) enum Ending {
    /// They become floats.
    Floats,
    /// They are shifted right by so many bits, and are words then.
    Words(Vec<i32>),
    /// They become words in the same way, and those bytes by being multiplied
    /// with so many `1 / 2^15`.
    Bytes(Vec<i32>, Vec<i16>),
}

/// The largest absolute value of a weight.
const LIMIT: f32 = 127.0;
/// What the positive, and the negative, weights of a pair may sum to where
/// products are added in pairs in 16 bits: `128 * 255 < 2^15`, less what
/// rounding may add.
const PAIR_LIMIT: f32 = 127.0;
/// The largest bias in steps of a sum.
const BIAS_LIMIT: f32 = 16_777_216.0;
/// The largest word that is meant.
const WORD: f32 = 32_000.0;
/// A word is multiplied by fractions of this.
const ONE: f32 = 32_768.0;

impl ByteWeights {
    /// Of a dense layer of `segments` segments that takes activations `from`,
    /// whose channels repeat for each tap. With `pairs`, no pair of products
    /// of adjacent inputs leaves 16 bits. The result is `to`, or floats.
    pub(crate) fn dense(
        layer: &ConvWeights,
        from: &Activations,
        segments: usize,
        pairs: bool,
        to: Option<&Activations>,
    ) -> Self {
        let outs = layer.bias.len().max(1);
        let inputs = from.channels();
        let used = (layer.weights.len() / outs / segments.max(1)).max(1);
        // A pair lies within a segment; there are no more than inputs.
        let pair = |row: usize| row / used * used + row % used / 2;
        Self::new(layer, pairs.then_some(&pair), to, |row, _out| {
            let input = row % inputs;
            (from.unit[input], from.zero[input])
        })
    }

    /// Of a 3x3 depth-wise layer, whose taps above and at a pixel are a pair.
    pub(crate) fn depthwise(
        layer: &ConvWeights,
        from: &Activations,
        pairs: bool,
        to: &Activations,
    ) -> Self {
        let pair = |tap: usize| if tap < 6 { tap % 3 } else { tap };
        Self::new(layer, pairs.then_some(&pair), Some(to), |_tap, channel| {
            (from.unit[channel], from.zero[channel])
        })
    }

    /// `pair` names the pair to which a row of weights belongs; `of` says for
    /// each weight, by its row and its output channel, unit and zero point of
    /// what it is multiplied with.
    fn new(
        layer: &ConvWeights,
        pair: Option<&dyn Fn(usize) -> usize>,
        to: Option<&Activations>,
        of: impl Fn(usize, usize) -> (f32, f32),
    ) -> Self {
        let outs = layer.bias.len().max(1);
        // Every start of the program does this for two million weights: rows and
        // columns are counted, not divided out of an index, and largest values
        // are divided, not all of them.
        let mut largest = vec![0.0_f32; outs];
        // What positive and negative weights of each pair sum to; sums grow.
        let mut sums = vec![[0.0_f32; 2]; if pair.is_some() { layer.weights.len() } else { 0 }];
        let mut largest_sum = vec![0.0_f32; outs];
        for (row, weights) in layer.weights.chunks(outs).enumerate() {
            let units = (0..).map(|out| of(row, out).0);
            match pair.map(|pair| &mut sums[pair(row) * outs..][..outs]) {
                None => {
                    for ((weight, unit), largest) in weights.iter().zip(units).zip(&mut largest) {
                        *largest = larger(*largest, (weight * unit).abs());
                    }
                }
                Some(sums) => {
                    let largest = largest.iter_mut().zip(&mut largest_sum).zip(sums);
                    for ((weight, unit), ((largest, largest_sum), [above, below])) in
                        weights.iter().zip(units).zip(largest)
                    {
                        let weight = weight * unit;
                        *largest = larger(*largest, weight.abs());
                        *above += larger(weight, 0.0);
                        *below += larger(-weight, 0.0);
                        *largest_sum = larger(*largest_sum, larger(*above, *below));
                    }
                }
            }
        }
        let least = |bias: f32| (bias.abs() / BIAS_LIMIT).max(f32::MIN_POSITIVE);
        let mut scale: Vec<f32> = layer
            .bias
            .iter()
            .zip(largest.iter().zip(&largest_sum))
            .map(|(&bias, (most, sum))| least(bias).max(most / LIMIT).max(sum / PAIR_LIMIT))
            .collect();
        let ending = to.map_or(Ending::Floats, |to| Ending::to_bytes(&mut scale, to));
        let mut bias = layer.bias.clone();
        let mut weights = vec![0; layer.weights.len()];
        for (row, (line, out)) in
            layer.weights.chunks(outs).zip(weights.chunks_mut(outs)).enumerate()
        {
            let from = (0..).map(|out| of(row, out));
            let to = out.iter_mut().zip(&mut bias).zip(&scale);
            for ((weight, (unit, zero)), ((byte, bias), scale)) in line.iter().zip(from).zip(to) {
                // Within the limit by the choice of the scale.
                *byte = rounded(weight * unit / scale);
                *bias -= scale * f32::from(*byte) * zero;
            }
        }
        Self { weights, scale, bias, ending }
    }

    /// The same with words as the result, which reach `most` per channel at
    /// least, and what a word means.
    pub(crate) fn into_words(mut self, most: &[f32]) -> (Self, Words) {
        let shift: Vec<i32> =
            self.scale.iter().zip(most).map(|(scale, most)| shift(*scale, most / WORD)).collect();
        let unit = self.scale.iter().zip(&shift).map(|(scale, &by)| scale * power(by)).collect();
        self.ending = Ending::Words(shift);
        (self, Words { unit, most: most.to_vec() })
    }
}

impl Ending {
    /// To bytes of the given activations. The scales become a little larger,
    /// as large as makes the multiplication exact.
    fn to_bytes(scale: &mut [f32], to: &Activations) -> Self {
        let ending = |(scale, unit): (&mut f32, &f32)| {
            let by = shift(*scale, unit * 255.0 / WORD);
            let step = unit / (ONE * power(by));
            let factor = (*scale / step).ceil().clamp(1.0, ONE - 1.0);
            *scale = (factor * step).max(*scale);
            (by, factor as i16)
        };
        let (shift, factor) = scale.iter_mut().zip(&to.unit).map(ending).unzip();
        Self::Bytes(shift, factor)
    }
}

/// The larger of two numbers; not `f32::max`, whose rules for NaN cost extra
/// instructions.
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// The nearest byte, halves away from zero: what `round` gives, which is a
/// function call for each number where the processor is not known.
fn rounded(value: f32) -> i8 {
    let whole = value as i32;
    let rest = value - whole as f32;
    (whole + i32::from(rest >= 0.5) - i32::from(rest <= -0.5)) as i8
}

/// How far sums of a scale are shifted right for a step to be at least
/// `least`.
fn shift(scale: f32, least: f32) -> i32 {
    (least / scale).log2().ceil().clamp(0.0, 24.0) as i32
}

fn power(of_two: i32) -> f32 {
    (of_two as f32).exp2()
}

/// What the words of some activations mean: per channel, `value = unit *
/// word`.
#[derive(Clone, Debug)]
pub(crate) struct Words {
    unit: Vec<f32>,
    /// The largest absolute values that are meant.
    most: Vec<f32>,
}

#[cfg(test)]
impl Words {
    /// Up to the given values.
    pub(crate) fn up_to(most: &[f32]) -> Self {
        Self { unit: most.iter().map(|most| most / WORD).collect(), most: most.to_vec() }
    }

    pub(crate) fn unit(&self, channel: usize) -> f32 {
        self.unit[channel]
    }
}

/// A 3x3 depth-wise layer in 16 bits: per channel, the sum of words times
/// taps in `1 / 2^15`, each rounded, and of the bias, all bounded; then bytes
/// by being multiplied with so many `1 / 2^15`.
#[derive(Clone, Debug)]
pub(crate) struct WordFilter {
    /// `[tap][channel]`.
    pub(crate) taps: Vec<i16>,
    pub(crate) bias: Vec<i16>,
    pub(crate) factor: Vec<i16>,
}

impl WordFilter {
    /// The layer with ReLU, and what its bytes mean: from zero up to `most`,
    /// or more where that is too little to be told from rounding.
    pub(crate) fn new(layer: &ConvWeights, from: &Words, most: &[f32]) -> (Self, Activations) {
        let channels = layer.bias.len();
        assert_eq!(most.len(), channels, "depth-wise channels");
        let tap = |tap: usize, channel: usize| layer.weights[tap * channels + channel];
        let (mut units, mut to, mut factor) = (Vec::new(), Vec::new(), Vec::new());
        for (channel, &most) in most.iter().enumerate() {
            let taps = (0..9).map(|i| tap(i, channel).abs());
            // No sum of inputs as large as they are meant to be leaves the
            // words, in whatever order it is made.
            let largest =
                taps.clone().sum::<f32>() * from.most[channel] + layer.bias[channel].abs();
            let widest = taps.fold(0.0, f32::max) * from.unit[channel];
            let unit = (largest / WORD).max(widest * (ONE / (ONE - 1.0))).max(f32::MIN_POSITIVE);
            let byte = (most.max(LEAST_SPAN) / 255.0).max(2.0 * unit);
            let times = (unit / byte * ONE).ceil().clamp(1.0, ONE - 1.0);
            units.push(times / ONE * byte);
            to.push(255.0 * byte);
            factor.push(times as i16);
        }
        let words = |value: f32| value.round().clamp(1.0 - ONE, ONE - 1.0) as i16;
        let taps = (0..9 * channels)
            .map(|i| {
                let channel = i % channels;
                words(layer.weights[i] * from.unit[channel] / units[channel] * ONE)
            })
            .collect();
        let bias = layer.bias.iter().zip(&units).map(|(bias, unit)| words(bias / unit)).collect();
        (Self { taps, bias, factor }, Activations::up_to(&to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stand_for_the_same_sums() {
        let layer =
            ConvWeights { weights: vec![0.5, -1.0, 0.25, 2.0, -0.75, 0.1], bias: vec![0.3, -0.2] };
        let from = Activations::between(&[-1.0, 0.0, -3.0], &[1.0, 2.0, 0.5]);
        let quantised = ByteWeights::dense(&layer, &from, 1, false, None);
        let (steps, zero) = from.to_bytes(3);
        let values = [0.7, 1.3, -2.0];
        for out in 0..2 {
            let exact: f32 = (0..3).map(|k| values[k] * layer.weights[2 * k + out]).sum::<f32>()
                + layer.bias[out];
            let sum: f32 = (0..3)
                .map(|k| {
                    (values[k] * steps[k] + zero[k]).round()
                        * f32::from(quantised.weights[2 * k + out])
                })
                .sum();
            let ours = quantised.scale[out] * sum + quantised.bias[out];
            assert!((ours - exact).abs() < 0.05, "{out}: {ours} {exact}");
        }
    }

    #[test]
    fn pairs_stay_within_sixteen_bits() {
        let weights: Vec<f32> =
            (0..9 * 5).map(|i| ((i * i * 37 % 101) as f32 - 40.0) / 9.0).collect();
        let layer = ConvWeights { weights, bias: vec![0.0; 5] };
        let from = Activations::up_to(&[1.0, 2.0, 0.5]);
        let dense = ByteWeights::dense(&layer, &from, 3, true, None);
        for out in 0..5 {
            for segment in 0..3 {
                let at = |k: usize| i32::from(dense.weights[(3 * segment + k) * 5 + out]);
                for product in [at(0).max(0) + at(1).max(0), -at(0).min(0) - at(1).min(0)] {
                    assert!(product * 255 <= 32767, "{out} {segment}");
                }
            }
        }
        let from = Activations::up_to(&[1.0, 2.0, 0.5, 1.0, 3.0]);
        let depthwise = ByteWeights::depthwise(&layer, &from, true, &from);
        for out in 0..5 {
            for x in 0..3 {
                let at = |y: usize| i32::from(depthwise.weights[(3 * y + x) * 5 + out]);
                assert!((at(0).max(0) + at(1).max(0)) * 255 <= 32767);
                assert!((at(0).min(0) + at(1).min(0)) * 255 >= -32768);
            }
        }
    }
}
