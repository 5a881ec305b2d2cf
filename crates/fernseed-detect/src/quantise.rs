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

/// Weights of one layer in 8 bits: `output = scale * sum + bias`, per output
/// channel, where `sum` is that of bytes times weights.
#[derive(Clone, Debug)]
pub(crate) struct ByteWeights {
    /// In the order of [`ConvWeights`].
    pub(crate) weights: Vec<i8>,
    pub(crate) scale: Vec<f32>,
    pub(crate) bias: Vec<f32>,
}

impl ByteWeights {
    /// Of a dense layer that takes activations `from`, whose channels repeat
    /// for each tap. No weight exceeds `limit`.
    pub(crate) fn dense(layer: &ConvWeights, from: &Activations, limit: i8) -> Self {
        let outs = layer.bias.len();
        let inputs = from.channels();
        Self::new(layer, limit, |index| {
            let input = index / outs % inputs;
            (index % outs, from.unit[input], from.zero[input])
        })
    }

    /// Of a depth-wise layer.
    pub(crate) fn depthwise(layer: &ConvWeights, from: &Activations, limit: i8) -> Self {
        let outs = layer.bias.len();
        Self::new(layer, limit, |index| {
            let channel = index % outs;
            (channel, from.unit[channel], from.zero[channel])
        })
    }

    /// `of` says for each weight its output channel, and unit and zero point
    /// of what it is multiplied with.
    fn new(layer: &ConvWeights, limit: i8, of: impl Fn(usize) -> (usize, f32, f32)) -> Self {
        let mut most = vec![f32::MIN_POSITIVE; layer.bias.len()];
        for (index, weight) in layer.weights.iter().enumerate() {
            let (out, unit, _) = of(index);
            most[out] = most[out].max((weight * unit).abs());
        }
        let scale: Vec<f32> = most.iter().map(|most| most / f32::from(limit)).collect();
        let mut bias = layer.bias.clone();
        let mut weights = Vec::with_capacity(layer.weights.len());
        for (index, weight) in layer.weights.iter().enumerate() {
            let (out, unit, zero) = of(index);
            // Within the limit by the choice of the scale.
            let byte = (weight * unit / scale[out]).round() as i8;
            bias[out] -= scale[out] * f32::from(byte) * zero;
            weights.push(byte);
        }
        Self { weights, scale, bias }
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
        let quantised = ByteWeights::dense(&layer, &from, 127);
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
}
