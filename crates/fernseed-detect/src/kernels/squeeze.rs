//! Resizing a row of weighted sums: each output is made of a few neighbours.

use super::Sum;

/// Sums that one output is made of.
pub(crate) const REACH: usize = 4;
/// What the weights of an output sum to.
pub(crate) const ACROSS_UNIT: u16 = 1 << 14;
/// One step of a result in the product of a sum and a weight.
pub(crate) const STEP_BITS: u32 = 8 + 14;

/// For each output of a row the first of [`REACH`] neighbouring sums, and
/// their weights.
#[derive(Debug)]
pub(crate) struct Quads {
    first: Vec<usize>,
    weights: Vec<[i16; REACH]>,
    /// Sums that have to be there.
    end: usize,
}

impl Quads {
    /// From places and weights; the weights of each sum to [`ACROSS_UNIT`].
    pub(crate) fn new(taps: impl Iterator<Item = (usize, [u16; REACH])>) -> Self {
        // The unit is within signed words, and so are weights.
        let (first, weights): (Vec<usize>, Vec<[i16; REACH]>) =
            taps.map(|(first, weights)| (first, weights.map(|weight| weight as i16))).unzip();
        let end = first.iter().max().map_or(0, |&last| last + REACH);
        Self { first, weights, end }
    }

    /// Sums that a row must have: some may be beyond those it is made of, and
    /// have no weight.
    pub(crate) fn sums(&self) -> usize {
        self.end
    }

    /// Compares the row with what the kernels read.
    pub(super) fn check(&self, sums: &[Sum]) {
        assert!(sums.len() >= self.end, "row of sums too short");
    }
}

/// Half a step of a result, for rounding.
const HALF: i32 = 1 << (STEP_BITS - 1);

/// One output.
#[inline(always)]
fn one(first: usize, weights: [i16; REACH], sums: &[Sum]) -> u8 {
    let Some(from) = sums.get(first..).and_then(<[Sum]>::first_chunk::<REACH>) else {
        return 0;
    };
    let mut value = HALF as u32;
    for (&sum, weight) in from.iter().zip(weights) {
        value += u32::from(sum) * u32::from(weight as u16);
    }
    (value >> STEP_BITS) as u8
}

/// One output after the other.
#[inline(always)]
pub(super) fn narrow(quads: &Quads, sums: &[Sum], out: &mut [u8]) {
    for ((to, &first), &weights) in out.iter_mut().zip(&quads.first).zip(&quads.weights) {
        *to = one(first, weights, sums);
    }
}

/// Eight outputs at a time.
///
/// Sums have 16 bits and no sign, and products are added in pairs of signed
/// words; so 2^15 is taken off every sum, which takes as much off every
/// output, since its weights sum to [`ACROSS_UNIT`].
///
/// # Safety
/// The processor has AVX2, and [`Quads::check`] has seen the sums.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) unsafe fn wide(quads: &Quads, sums: &[Sum], out: &mut [u8]) {
    use std::arch::x86_64::{
        _mm_packus_epi16, _mm_storel_epi64, _mm256_add_epi32, _mm256_castsi256_si128,
        _mm256_hadd_epi32, _mm256_packs_epi32, _mm256_permute4x64_epi64,
        _mm256_permutevar8x32_epi32, _mm256_set1_epi32, _mm256_setr_epi32, _mm256_srli_epi32,
    };
    let (firsts, first_rest) = quads.first.as_chunks::<8>();
    let (weights, weights_rest) = quads.weights.as_chunks::<8>();
    let (outs, out_rest) = out.as_chunks_mut::<8>();
    // SAFETY: the processor has the instructions; `four` gets places that
    // `check` has seen, and an output is stored as the 8 bytes it is.
    unsafe {
        let back = _mm256_set1_epi32((1 << 15) * (ACROSS_UNIT as i32) + HALF);
        // Sums of pairs come out as 0 1 4 5 and 2 3 6 7.
        let order = _mm256_setr_epi32(0, 1, 4, 5, 2, 3, 6, 7);
        for ((first, weights), out) in firsts.iter().zip(weights).zip(outs.iter_mut()) {
            let [a, b, c, d, e, f, g, h] = *first;
            let [wa, wb, wc, wd, we, wf, wg, wh] = *weights;
            let front = four(sums, [a, b, c, d], [wa, wb, wc, wd]);
            let rear = four(sums, [e, f, g, h], [we, wf, wg, wh]);
            let values = _mm256_add_epi32(_mm256_hadd_epi32(front, rear), back);
            let values = _mm256_srli_epi32::<{ STEP_BITS as i32 }>(values);
            let values = _mm256_permutevar8x32_epi32(values, order);
            let words = _mm256_packs_epi32(values, values);
            let words = _mm256_castsi256_si128(_mm256_permute4x64_epi64::<0b1000>(words));
            _mm_storel_epi64(out.as_mut_ptr().cast(), _mm_packus_epi16(words, words));
        }
    }
    for ((to, &first), &weights) in out_rest.iter_mut().zip(first_rest).zip(weights_rest) {
        *to = one(first, weights, sums);
    }
}

/// Products of four times four sums, added in pairs.
///
/// # Safety
/// The processor has AVX2, and from every place [`REACH`] sums are there.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn four(
    sums: &[Sum],
    first: [usize; 4],
    weights: [[i16; REACH]; 4],
) -> std::arch::x86_64::__m256i {
    use std::arch::x86_64::{
        _mm_loadl_epi64, _mm_unpacklo_epi64, _mm256_loadu_si256, _mm256_madd_epi16,
        _mm256_set_m128i, _mm256_set1_epi16, _mm256_xor_si256,
    };
    let row = sums.as_ptr();
    let [a, b, c, d] = first;
    // SAFETY: each load is of the four sums, 8 bytes, that the caller says are
    // there; the weights are loaded as the 32 bytes they are.
    unsafe {
        let low = _mm_unpacklo_epi64(
            _mm_loadl_epi64(row.add(a).cast()),
            _mm_loadl_epi64(row.add(b).cast()),
        );
        let high = _mm_unpacklo_epi64(
            _mm_loadl_epi64(row.add(c).cast()),
            _mm_loadl_epi64(row.add(d).cast()),
        );
        let values = _mm256_xor_si256(_mm256_set_m128i(high, low), _mm256_set1_epi16(i16::MIN));
        _mm256_madd_epi16(values, _mm256_loadu_si256((&raw const weights).cast()))
    }
}
