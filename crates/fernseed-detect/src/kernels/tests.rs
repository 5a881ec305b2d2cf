//! The 8-bit kernels on every backend against plain arithmetic.

use super::*;
use crate::layers::ConvWeights;
use crate::quantise::{Activations, ByteWeights, WordFilter, Words};

/// Numbers without a pattern, the same each time.
struct Noise(u32);

impl Noise {
    fn byte(&mut self) -> u8 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 24) as u8
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.byte()).collect()
    }

    fn layer(&mut self, weights: usize, outs: usize) -> ConvWeights {
        let mut float = || (f32::from(self.byte()) - 127.5) / 500.0;
        ConvWeights {
            weights: (0..weights).map(|_| float()).collect(),
            bias: (0..outs).map(|_| float()).collect(),
        }
    }
}

/// Those of this processor, with and without VNNI.
fn backends() -> Vec<Kernels> {
    let all = Backend::ALL.into_iter().filter_map(Kernels::new);
    all.flat_map(|kernels| {
        let older = kernels.without_vnni();
        let differs = older.adds_pairs() != kernels.adds_pairs();
        std::iter::once(kernels).chain(differs.then_some(older))
    })
    .collect()
}

/// A byte as the kernels round it; how the scaling is ordered may make one
/// step of difference.
fn assert_near(byte: u8, exact: f32, what: &str) {
    let exact = exact.clamp(0.0, 255.0);
    assert!((f32::from(byte) - exact).abs() <= 0.6, "{what}: {byte} instead of {exact}");
}

#[test]
fn dense_bytes_are_sums_of_products() {
    let mut noise = Noise(1);
    for (segments, used, outs, step) in
        [(1, 16, 96, 16), (1, 24, 144, 32), (3, 9, 32, 6), (1, 192, 160, 192), (3, 72, 24, 24)]
    {
        for pixels in [1, 2, 5, 7, 13, 24] {
            let layer = noise.layer(segments * used * outs, outs);
            let inputs = if used == 9 { 3 } else { used / segments.min(used) };
            let from = Activations::up_to(&vec![2.0; inputs]);
            let to = Activations::up_to(&vec![3.0; outs]);
            let rows: Vec<Vec<u8>> =
                (0..segments).map(|_| noise.bytes((pixels - 1) * step + used + 8)).collect();
            let rows: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
            for kernels in backends() {
                let pairs = kernels.adds_pairs();
                let weights = ByteWeights::dense(&layer, &from, segments, pairs, Some(&to));
                let sum = |weights: &ByteWeights, pixel: usize, out: usize| -> f32 {
                    let mut sum = 0_i32;
                    for (segment, row) in rows.iter().enumerate() {
                        for k in 0..used {
                            let weight = weights.weights[(segment * used + k) * outs + out];
                            sum += i32::from(weight) * i32::from(row[pixel * step + k]);
                        }
                    }
                    sum as f32 * weights.scale[out] + weights.bias[out]
                };
                let what = format!("{kernels:?} {segments} {used} {outs} {pixels}");

                let conv = PackedByteConv::new(kernels, &weights, segments, true);
                let stored = conv.columns();
                let mut bytes = vec![0; pixels * stored];
                kernels.byte_conv_row(&conv, &rows, step, pixels, &mut bytes);
                for (pixel, bytes) in bytes.chunks(stored).enumerate() {
                    for (out, &byte) in bytes.iter().enumerate().take(outs) {
                        assert_near(byte, sum(&weights, pixel, out) * to.per_unit(out), &what);
                    }
                }

                let (weights, units) = weights.into_words(&vec![3.0; outs]);
                let conv = PackedByteConv::new(kernels, &weights, segments, true);
                let stored = conv.columns();
                let mut words = vec![0; pixels * stored];
                kernels.byte_conv_row_to_words(&conv, &rows, step, pixels, &mut words);
                for (pixel, words) in words.chunks(stored).enumerate() {
                    for (out, &word) in words.iter().enumerate().take(outs) {
                        let exact = sum(&weights, pixel, out).clamp(-3.0, 3.0);
                        let unit = units.unit(out);
                        let ours = (f32::from(word) * unit).clamp(-3.0, 3.0);
                        // Half a word, and half a sum for the bias.
                        let off = 0.51 * (unit + weights.scale[out]);
                        assert!((ours - exact).abs() < off, "{what}: {ours} {exact}");
                    }
                }

                let weights = ByteWeights::dense(&layer, &from, segments, pairs, None);
                let conv = PackedByteConv::new(kernels, &weights, segments, true);
                let stored = conv.columns();
                let residual = vec![0.25; pixels * stored];
                let mut floats = vec![0.0; pixels * stored];
                let target = Target { out: &mut floats, step: stored, residual: Some(&residual) };
                kernels.byte_conv_row_to_floats(&conv, &rows, step, pixels, target);
                for (pixel, floats) in floats.chunks(stored).enumerate() {
                    for (out, &float) in floats.iter().enumerate().take(outs) {
                        let exact = sum(&weights, pixel, out).max(0.0) + 0.25;
                        assert!((float - exact).abs() < 1e-3, "{what}: {float} {exact}");
                    }
                }
            }
        }
    }
}

#[test]
fn depthwise_bytes_are_sums_of_products() {
    let mut noise = Noise(2);
    for (channels, stride) in [(32, 1), (96, 2), (144, 1), (144, 2), (192, 1), (960, 1)] {
        for pixels in [2, 3, 16, 17] {
            let layer = noise.layer(9 * channels, channels);
            let from = Activations::up_to(&vec![2.0; channels]);
            let to = Activations::up_to(&vec![1.0; channels]);
            let rows: [Vec<u8>; 3] =
                std::array::from_fn(|_| noise.bytes(((pixels - 1) * stride + 3) * channels));
            let rows = rows.each_ref().map(Vec::as_slice);
            for kernels in backends() {
                let weights = ByteWeights::depthwise(&layer, &from, kernels.adds_pairs(), &to);
                let packed = PackedByteDepthwise::new(kernels, &weights, stride);
                let mut bytes = vec![0; pixels * channels];
                kernels.byte_depthwise_row(&packed, rows, pixels, &mut bytes);
                for (pixel, bytes) in bytes.chunks(channels).enumerate() {
                    for (channel, &byte) in bytes.iter().enumerate() {
                        let mut sum = 0_i32;
                        for tap in 0..9 {
                            let at = (pixel * stride + tap % 3) * channels + channel;
                            let weight = weights.weights[tap * channels + channel];
                            sum += i32::from(weight) * i32::from(rows[tap / 3][at]);
                        }
                        let exact = sum as f32 * weights.scale[channel] + weights.bias[channel];
                        let what = format!("{kernels:?} {channels} {stride} {pixels}");
                        assert_near(byte, exact * to.per_unit(channel), &what);
                    }
                }
            }
        }
    }
}

#[test]
fn filtered_words_are_sums_of_products() {
    let mut noise = Noise(3);
    for channels in [16, 32, 64, 128] {
        for pixels in [4, 5, 7, 16, 33] {
            let layer = noise.layer(9 * channels, channels);
            let rows: [Vec<i16>; 3] = std::array::from_fn(|_| {
                let words = (0..(pixels + 2) * channels)
                    .map(|_| i16::from(noise.byte() as i8) * 250 + i16::from(noise.byte()));
                words.collect()
            });
            let rows = rows.each_ref().map(Vec::as_slice);
            let from = Words::up_to(&vec![2.0; channels]);
            let (filter, to) = WordFilter::new(&layer, &from, &vec![1.5; channels]);
            for kernels in backends() {
                let packed = PackedWordDepthwise::new(kernels, &filter);
                let mut bytes = vec![0; pixels * channels];
                kernels.word_depthwise_row(&packed, rows, pixels, &mut bytes);
                for (at, &byte) in bytes.iter().enumerate() {
                    let channel = at % channels;
                    let mut sum = layer.bias[channel];
                    for tap in 0..9 {
                        let word = f32::from(rows[tap / 3][at + tap % 3 * channels]);
                        let weight = layer.weights[tap * channels + channel];
                        sum += weight * word * from.unit(channel);
                    }
                    let what = format!("{kernels:?} {channels} {pixels}");
                    assert_near(byte, sum * to.per_unit(channel), &what);
                }
            }
        }
    }
}

#[test]
fn the_largest_of_four_pixels_is_kept() {
    let mut noise = Noise(4);
    for channels in [1, 16, 24, 32, 64] {
        let (upper, lower) = (noise.bytes(10 * channels), noise.bytes(10 * channels));
        for kernels in backends() {
            let mut out = vec![0; 5 * channels];
            kernels.max_pool(&upper, &lower, &mut out, channels);
            for (at, &value) in out.iter().enumerate() {
                let from = at / channels * 2 * channels + at % channels;
                let four = [&upper, &lower].map(|row| row[from].max(row[from + channels]));
                assert_eq!(value, four[0].max(four[1]), "{kernels:?} {channels}");
            }
        }
    }
}

/// The worst case of sums in 16 bits: all inputs and weights as large as can
/// be and of one sign.
#[test]
fn nothing_saturates_on_the_way() {
    let outs = 16;
    for (depth, sign) in [(64, 1.0), (64, -1.0), (12, 1.0), (36, -1.0)] {
        let layer = ConvWeights { weights: vec![sign * 0.5; depth * outs], bias: vec![0.0; outs] };
        let from = Activations::up_to(&vec![255.0; depth]);
        let row = vec![255; depth];
        for kernels in backends() {
            let weights = ByteWeights::dense(&layer, &from, 1, kernels.adds_pairs(), None);
            let conv = PackedByteConv::new(kernels, &weights, 1, false);
            let mut floats = vec![0.0; outs];
            let target = Target { out: &mut floats, step: outs, residual: None };
            kernels.byte_conv_row_to_floats(&conv, &[&row], depth, 1, target);
            let mut sums = vec![0.0; outs];
            for weights in weights.weights.chunks(outs) {
                let products = weights.iter().map(|weight| 255.0 * f32::from(*weight));
                sums.iter_mut().zip(products).for_each(|(sum, product)| *sum += product);
            }
            let meant = sign * 0.5 * 255.0 * depth as f32;
            for ((float, sum), scale) in floats.iter().zip(sums).zip(&weights.scale) {
                assert!((float / (sum * scale) - 1.0).abs() < 1e-5, "{kernels:?} {depth}");
                assert!((float / meant - 1.0).abs() < 0.01, "{kernels:?} {depth}: {float}");
            }
        }
    }
}

#[test]
fn rounding_to_bytes_is_bounded() {
    let floats = [-1e30, -0.4, 0.0, 0.49, 0.51, 254.6, 255.4, 1e30, f32::NAN, f32::INFINITY];
    for kernels in backends() {
        let mut bytes = [7; 10];
        kernels.quantise(&floats, &[1.0; 5], &[0.0; 5], &mut bytes);
        assert_eq!(bytes[..8], [0, 0, 0, 0, 1, 255, 255, 255], "{kernels:?}");
        assert_eq!(bytes[8..], [0, 255], "{kernels:?}");
    }
}
