//! Loops over rows of pixels, plain enough for the compiler to vectorise.
//!
//! Nothing here is unsafe: the same bodies are compiled once for each
//! instruction set.

/// Sums of weighted samples: 8 bits of value, 8 of fraction.
pub(crate) type Sum = u16;

/// What a chroma sample adds to red, green and blue, in `1 / UNIT`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ColourMatrix {
    /// Luma to grey: `(luma * luma_by >> 2) - luma_less`, in `1 / UNIT`.
    pub(crate) luma_by: u16,
    /// See `luma_by`.
    pub(crate) luma_less: i16,
    /// Of the red difference to red, in `1 / UNIT`.
    pub(crate) red_of_cr: i16,
    /// Of the red difference to green.
    pub(crate) green_of_cr: i16,
    /// Of the blue difference to green.
    pub(crate) green_of_cb: i16,
    /// Of the blue difference to blue.
    pub(crate) blue_of_cb: i16,
}

/// Steps of a colour value in the conversion: small enough for 16 bits.
pub(crate) const UNIT: i16 = 32;

/// What the chroma of one row adds to each of its pixels.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChromaRow {
    red: Vec<i16>,
    green: Vec<i16>,
    blue: Vec<i16>,
}

impl ChromaRow {
    /// Room for a row of `width` pixels.
    pub(crate) fn new(width: usize) -> Self {
        let row = || vec![0; width.next_multiple_of(2)];
        Self { red: row(), green: row(), blue: row() }
    }
}

/// `sums = weight * row`, or `sums += weight * row` after the first row.
#[inline(always)]
pub(super) fn weigh(sums: &mut [Sum], row: &[u8], weight: Sum, first: bool) {
    if first {
        for (sum, &value) in sums.iter_mut().zip(row) {
            *sum = weight.wrapping_mul(Sum::from(value));
        }
    } else {
        for (sum, &value) in sums.iter_mut().zip(row) {
            *sum = sum.wrapping_add(weight.wrapping_mul(Sum::from(value)));
        }
    }
}

/// What half as many chroma samples as pixels add to the pixels of a row.
#[inline(always)]
pub(super) fn spread(matrix: &ColourMatrix, blue: &[u8], red: &[u8], out: &mut ChromaRow) {
    let pairs = out.red.chunks_exact_mut(2).zip(out.green.chunks_exact_mut(2));
    let pairs = pairs.zip(out.blue.chunks_exact_mut(2));
    for ((&cb, &cr), ((r, g), b)) in blue.iter().zip(red).zip(pairs) {
        let (cb, cr) = (i16::from(cb) - 128, i16::from(cr) - 128);
        r.fill(matrix.red_of_cr.wrapping_mul(cr));
        let green = matrix.green_of_cb.wrapping_mul(cb);
        g.fill(green.wrapping_add(matrix.green_of_cr.wrapping_mul(cr)));
        b.fill(matrix.blue_of_cb.wrapping_mul(cb));
    }
}

/// The colour value, rounded down.
#[inline(always)]
fn byte(value: i16) -> u8 {
    // Negative values round up here, and are all black anyway.
    (value / UNIT).clamp(0, 255) as u8
}

/// A row of luma and its chroma as packed RGB.
#[inline(always)]
pub(super) fn colour(matrix: &ColourMatrix, luma: &[u8], chroma: &ChromaRow, rgb: &mut [u8]) {
    let added = chroma.red.iter().zip(&chroma.green).zip(&chroma.blue);
    for ((pixel, &luma), ((&red, &green), &blue)) in rgb.chunks_exact_mut(3).zip(luma).zip(added) {
        let grey = (u16::from(luma).wrapping_mul(matrix.luma_by) >> 2) as i16;
        let grey = grey.wrapping_sub(matrix.luma_less);
        pixel[0] = byte(grey.wrapping_add(red));
        pixel[1] = byte(grey.wrapping_sub(green));
        pixel[2] = byte(grey.wrapping_add(blue));
    }
}

/// `bytes = steps * floats + zero`, rounded and bounded; `steps` and `zero`
/// repeat.
#[inline(always)]
pub(super) fn quantise(floats: &[f32], steps: &[f32], zero: &[f32], bytes: &mut [u8]) {
    /// Brings a number below 2^23 to where its bits are those of the whole
    /// number nearest to it.
    const ROUND: f32 = 8_388_608.0;
    let length = steps.len().max(1);
    for (floats, bytes) in floats.chunks(length).zip(bytes.chunks_mut(length)) {
        for (((&value, &step), &zero), byte) in floats.iter().zip(steps).zip(zero).zip(bytes) {
            let scaled = value * step + zero;
            // Not `clamp`: NaN must become a number, and cheaply.
            let bounded = if scaled > 0.0 { scaled } else { 0.0 };
            let bounded = if bounded < 255.0 { bounded } else { 255.0 };
            *byte = (bounded + ROUND).to_bits() as u8;
        }
    }
}

/// The 2x2 maximum of two rows of pixels of `channels` bytes.
#[inline(always)]
pub(super) fn max_pool(upper: &[u8], lower: &[u8], out: &mut [u8], channels: usize) {
    match channels {
        16 => max_pool_of::<16>(upper, lower, out),
        32 => max_pool_of::<32>(upper, lower, out),
        64 => max_pool_of::<64>(upper, lower, out),
        _ => {
            let channels = channels.max(1);
            let rows = upper.chunks_exact(2 * channels).zip(lower.chunks_exact(2 * channels));
            for (out, (u, l)) in out.chunks_exact_mut(channels).zip(rows) {
                for (c, value) in out.iter_mut().enumerate() {
                    *value = u[c].max(u[c + channels]).max(l[c]).max(l[c + channels]);
                }
            }
        }
    }
}

/// With a number of channels known to the compiler.
#[inline(always)]
fn max_pool_of<const C: usize>(upper: &[u8], lower: &[u8], out: &mut [u8]) {
    let (out, _) = out.as_chunks_mut::<C>();
    let ((upper, _), (lower, _)) = (upper.as_chunks::<C>(), lower.as_chunks::<C>());
    let pairs = upper.chunks_exact(2).zip(lower.chunks_exact(2));
    for (out, (u, l)) in out.iter_mut().zip(pairs) {
        for (c, value) in out.iter_mut().enumerate() {
            *value = u[0][c].max(u[1][c]).max(l[0][c].max(l[1][c]));
        }
    }
}
