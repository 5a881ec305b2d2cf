//! Dense convolution of one row in 8 bits: unsigned activations, signed
//! weights with a scale per output channel, 32-bit sums.
//!
//! Tiled like the one in floats; see [`super::conv`]. How sums become bytes
//! or words without leaving whole numbers is said by
//! [`Ending`](crate::quantise::Ending).

use super::bytes::{ByteVector, column, start_of_sum, sum_of_word};
use super::{Kernels, Target, vector::Vector};
use crate::quantise::{ByteWeights, Ending};

/// A dense 8-bit convolution, weights packed for one backend.
#[derive(Debug)]
pub(crate) struct PackedByteConv {
    segments: usize,
    /// Bytes of a segment that are used, a multiple of 4.
    depth: usize,
    /// Output channels as stored, a multiple of the backend's lanes.
    columns: usize,
    lanes: usize,
    relu: bool,
    /// One of [`ending`] but [`ending::RESIDUAL`].
    ending: u8,
    panels: Vec<Panel>,
    weights: Vec<i8>,
    /// `output = scale * sum + bias`, in the order of the columns, for floats.
    scale: Vec<f32>,
    bias: Vec<f32>,
    /// What sums start with and how far they are shifted, in the order of
    /// the columns, for words and bytes.
    start: Vec<i32>,
    shift: Vec<i32>,
    /// What words are multiplied with, for bytes: for each panel a register
    /// for each two sums that are packed.
    factor: Vec<i16>,
}

/// Some adjacent output channels.
#[derive(Clone, Copy, Debug)]
struct Panel {
    first_column: usize,
    vectors: usize,
    /// Where the panel's weights start: `segments * depth / 4` rows of
    /// `vectors` registers.
    weights_at: usize,
    /// Where its factors start.
    factors_at: usize,
}

/// Where one row of output goes.
pub(super) enum Output<'a> {
    Bytes(&'a mut [u8]),
    Words(&'a mut [i16]),
    Floats(Target<'a>),
}

/// What one call works on; made by [`PackedByteConv::check`] only.
pub(super) struct Row {
    inputs: [*const u8; MAX_SEGMENTS],
    step: usize,
    pixels: usize,
    bytes: *mut u8,
    words: *mut i16,
    floats: *mut f32,
    out_step: usize,
    residual: *const f32,
}

/// A row of taps each.
const MAX_SEGMENTS: usize = 3;

impl PackedByteConv {
    /// Packs quantised weights of `segments` segments of equal depth. The
    /// result is what the weights' ending says: bytes, never negative; words;
    /// or floats, after ReLU if `relu`.
    ///
    /// # Panics
    /// If the lengths do not fit each other.
    pub(crate) fn new(kernels: Kernels, from: &ByteWeights, segments: usize, relu: bool) -> Self {
        let channels = from.scale.len();
        let rows = from.weights.len() / channels.max(1);
        assert!((1..=MAX_SEGMENTS).contains(&segments), "convolution segments");
        assert_eq!(rows * channels, from.weights.len(), "convolution weights");
        assert_eq!(rows % segments, 0, "convolution depth");
        let (used, depth) = (rows / segments, (rows / segments).next_multiple_of(4));
        let lanes = kernels.lanes();
        let (ending, shifts, factors): (_, &[i32], &[i16]) = match &from.ending {
            Ending::Floats => (ending::FLOATS, &[], &[]),
            Ending::Words(shift) => (ending::WORDS, shift, &[]),
            Ending::Bytes(shift, factor) => (ending::BYTES, shift, factor),
        };
        let columns = match ending {
            ending::FLOATS => kernels.stored_channels(channels),
            _ => channels.next_multiple_of(16),
        };
        let mut packed = Self {
            segments,
            depth,
            columns,
            lanes,
            relu,
            ending,
            panels: Vec::new(),
            weights: Vec::new(),
            scale: Vec::new(),
            bias: Vec::new(),
            start: Vec::new(),
            shift: Vec::new(),
            factor: Vec::new(),
        };
        let mut first_column = 0;
        while first_column < columns {
            let vectors = match (columns - first_column) / lanes {
                4.. => 4,
                2.. => 2,
                _ => 1,
            };
            packed.panels.push(Panel {
                first_column,
                vectors,
                weights_at: packed.weights.len(),
                factors_at: packed.factor.len(),
            });
            // As many sums as are packed side by side.
            let group = match ending {
                ending::FLOATS => 1,
                ending::WORDS => vectors.min(2),
                _ => vectors,
            };
            let of_column = |i: usize| {
                let (group_at, sum) = (i / lanes / group * group, i / lanes % group);
                first_column + group_at * lanes + column(sum, i % lanes, group)
            };
            let order: Vec<usize> = (0..vectors * lanes).map(of_column).collect();
            for quad in 0..segments * depth / 4 {
                let (segment, at) = (quad * 4 / depth, quad * 4 % depth);
                for &channel in &order {
                    packed.weights.extend((at..at + 4).map(|k| {
                        let inside = k < used && channel < channels;
                        let index = (segment * used + k) * channels + channel;
                        if inside { from.weights[index] } else { 0 }
                    }));
                }
            }
            for &channel in &order {
                let (scale, bias) = (from.scale.get(channel), from.bias.get(channel));
                packed.scale.push(scale.copied().unwrap_or(0.0));
                packed.bias.push(bias.copied().unwrap_or(0.0));
                let shift = shifts.get(channel).copied().unwrap_or(0);
                let start = scale.zip(bias).map(|(scale, bias)| start_of_sum(bias / scale, shift));
                packed.start.push(start.unwrap_or(0));
                packed.shift.push(shift);
            }
            if ending == ending::BYTES {
                for pair in 0..vectors.div_ceil(2) {
                    packed.factor.extend((0..2 * lanes).map(|word| {
                        let (sum, element) = sum_of_word(word);
                        let channel = order[(2 * pair + sum) % vectors * lanes + element];
                        factors.get(channel).copied().unwrap_or(0)
                    }));
                }
            }
            first_column += vectors * lanes;
        }
        packed
    }

    /// Output channels as stored.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// Compares every slice with what [`run_row`] will touch.
    pub(super) fn check(
        &self,
        kernels: Kernels,
        segments: &[&[u8]],
        step: usize,
        pixels: usize,
        output: Output<'_>,
    ) -> Row {
        assert_eq!(self.lanes, kernels.lanes(), "weights packed for another backend");
        assert_eq!(segments.len(), self.segments, "number of input segments");
        let last = pixels - 1;
        let mut inputs = [std::ptr::null(); MAX_SEGMENTS];
        for (input, segment) in inputs.iter_mut().zip(segments) {
            assert!(segment.len() >= last * step + self.depth, "input row too short");
            *input = segment.as_ptr();
        }
        let mut row = Row {
            inputs,
            step,
            pixels,
            bytes: std::ptr::null_mut(),
            words: std::ptr::null_mut(),
            floats: std::ptr::null_mut(),
            out_step: self.columns,
            residual: std::ptr::null(),
        };
        match output {
            Output::Bytes(out) => {
                assert_eq!(self.ending, ending::BYTES, "not a layer of bytes");
                assert!(out.len() >= pixels * self.columns, "output row too short");
                row.bytes = out.as_mut_ptr();
            }
            Output::Words(out) => {
                assert_eq!(self.ending, ending::WORDS, "not a layer of words");
                assert!(out.len() >= pixels * self.columns, "output row too short");
                row.words = out.as_mut_ptr();
            }
            Output::Floats(Target { out, step, residual }) => {
                assert_eq!(self.ending, ending::FLOATS, "not a layer of floats");
                assert!(out.len() >= last * step + self.columns, "output row too short");
                if let Some(residual) = residual {
                    assert!(residual.len() >= last * step + self.columns, "residual too short");
                    row.residual = residual.as_ptr();
                }
                (row.floats, row.out_step) = (out.as_mut_ptr(), step);
            }
        }
        row
    }
}

/// What a tile does with its sums.
mod ending {
    /// Makes them bytes.
    pub(super) const BYTES: u8 = 0;
    /// Makes them words.
    pub(super) const WORDS: u8 = 1;
    /// Makes them floats.
    pub(super) const FLOATS: u8 = 2;
    /// Makes them floats and adds the residual.
    pub(super) const RESIDUAL: u8 = 3;
}

/// Runs one row.
///
/// # Safety
/// `row` must come from [`PackedByteConv::check`] of the same `conv`, whose
/// slices must still be borrowed; the processor must have `V`'s instructions.
#[inline(always)]
pub(super) unsafe fn run_row<V: ByteVector>(conv: &PackedByteConv, row: &Row) {
    // SAFETY: passed on.
    unsafe {
        match conv.ending {
            ending::BYTES => run_panels::<V, { ending::BYTES }>(conv, row),
            ending::WORDS => run_panels::<V, { ending::WORDS }>(conv, row),
            _ if row.residual.is_null() => run_panels::<V, { ending::FLOATS }>(conv, row),
            _ => run_panels::<V, { ending::RESIDUAL }>(conv, row),
        }
    }
}

/// # Safety
/// As [`run_row`]; `END` must be what the layer and the row want.
#[inline(always)]
unsafe fn run_panels<V: ByteVector, const END: u8>(conv: &PackedByteConv, row: &Row) {
    for panel in &conv.panels {
        // SAFETY: passed on. Tile sizes fill the registers.
        unsafe {
            match (V::Floats::WIDE, panel.vectors) {
                (true, 4) => run_panel::<V, END, 6, 4>(conv, row, *panel),
                (true, 2) => run_panel::<V, END, 8, 2>(conv, row, *panel),
                (true, _) => run_panel::<V, END, 8, 1>(conv, row, *panel),
                (false, 4) => run_panel::<V, END, 2, 4>(conv, row, *panel),
                (false, 2) => run_panel::<V, END, 4, 2>(conv, row, *panel),
                (false, _) => run_panel::<V, END, 6, 1>(conv, row, *panel),
            }
        }
    }
}

/// # Safety
/// As [`run_panels`]; `N` must be the panel's number of vectors.
#[inline(always)]
unsafe fn run_panel<V: ByteVector, const END: u8, const P: usize, const N: usize>(
    conv: &PackedByteConv,
    row: &Row,
    panel: Panel,
) {
    let mut pixel = 0;
    // SAFETY: tiles lie within `row.pixels`, for which `check` vouched.
    unsafe {
        if row.pixels >= P {
            while pixel + P <= row.pixels {
                run_tile::<V, END, P, N>(conv, row, panel, pixel);
                pixel += P;
            }
            if pixel < row.pixels {
                // The rest, together with some pixels once more: input and
                // output do not overlap, so doing them twice is harmless.
                run_tile::<V, END, P, N>(conv, row, panel, row.pixels - P);
            }
        } else {
            while pixel < row.pixels {
                run_tile::<V, END, 1, N>(conv, row, panel, pixel);
                pixel += 1;
            }
        }
    }
}

/// # Safety
/// As [`run_panel`]; `first + P` pixels must be within the row.
#[inline(always)]
unsafe fn run_tile<V: ByteVector, const END: u8, const P: usize, const N: usize>(
    conv: &PackedByteConv,
    row: &Row,
    panel: Panel,
    first: usize,
) {
    // SAFETY: pixel `first + p < row.pixels`, segment `< conv.segments` and
    // byte `< conv.depth` (whole quads) are what `check` compared the slices
    // with; the packed weights hold `segments * depth / 4` rows of `N`
    // registers from `weights_at`, scale, bias and start `columns` numbers,
    // by construction. Wrapping arithmetic only keeps the checks of debug
    // builds out of the loop; nothing wraps.
    unsafe {
        let mut sums = [[V::zero(); N]; P];
        if END == ending::BYTES || END == ending::WORDS {
            let start = conv.start.as_ptr().wrapping_add(panel.first_column);
            for n in 0..N {
                let value = V::load(start.wrapping_add(n * V::Floats::LANES).cast());
                for sum in &mut sums {
                    sum[n] = value;
                }
            }
        }
        let mut weights = conv.weights.as_ptr().cast::<u8>().wrapping_add(panel.weights_at);
        for segment in 0..conv.segments {
            let mut input = row.inputs[segment].wrapping_add(first * row.step);
            let end = input.wrapping_add(conv.depth);
            while input < end {
                let mut w = [V::zero(); N];
                for (n, value) in w.iter_mut().enumerate() {
                    *value = V::load(weights.wrapping_add(n * V::BYTES));
                }
                for (p, sum) in sums.iter_mut().enumerate() {
                    let x = V::splat_quad(input.wrapping_add(p.wrapping_mul(row.step)));
                    for n in 0..N {
                        sum[n] = sum[n].dot(x, w[n]);
                    }
                }
                weights = weights.wrapping_add(N * V::BYTES);
                input = input.wrapping_add(4);
            }
        }
        match END {
            ending::BYTES => end_as_bytes::<V, P, N>(conv, row, panel, first, &sums),
            ending::WORDS => end_as_words::<V, P, N>(conv, row, panel, first, &sums),
            _ => end_as_floats::<V, END, P, N>(conv, row, panel, first, &sums),
        }
    }
}

/// # Safety
/// As [`run_tile`], for a layer of bytes.
#[inline(always)]
unsafe fn end_as_bytes<V: ByteVector, const P: usize, const N: usize>(
    conv: &PackedByteConv,
    row: &Row,
    panel: Panel,
    first: usize,
    sums: &[[V; N]; P],
) {
    let shift = conv.shift.as_ptr().wrapping_add(panel.first_column);
    let factor = conv.factor.as_ptr().wrapping_add(panel.factors_at);
    let at = first.wrapping_mul(row.out_step).wrapping_add(panel.first_column);
    // SAFETY: as in `run_tile`; a panel has as many factors as registers are
    // loaded here. Where several pixels are stored at once they are adjacent.
    unsafe {
        let (mut shifts, mut factors) = ([V::zero(); N], [V::zero(); 2]);
        for (n, value) in shifts.iter_mut().enumerate() {
            *value = V::load(shift.wrapping_add(n * V::Floats::LANES).cast());
        }
        factors[0] = V::load(factor.cast());
        factors[1] = factors[0];
        if N == 4 {
            factors[1] = V::load(factor.wrapping_add(2 * V::Floats::LANES).cast());
        }
        let together = 4 / N;
        let adjacent = row.out_step == N * V::Floats::LANES;
        if together > 1 && P.is_multiple_of(together) && adjacent {
            for p in (0..P).step_by(together) {
                let mut words = [V::zero(); 2];
                for (i, word) in words.iter_mut().enumerate() {
                    let (a, b) = (2 * i, 2 * i + 1);
                    let a = sums[p + a / N][a % N].shift(shifts[a % N]);
                    let b = sums[p + b / N][b % N].shift(shifts[b % N]);
                    *word = a.pack_sums(b).times(factors[i]);
                }
                let to = at.wrapping_add(p.wrapping_mul(row.out_step));
                let bytes = words[0].pack_words(words[1]).gather(N);
                bytes.store(row.bytes.wrapping_add(to), 4);
            }
        } else {
            for (p, sum) in sums.iter().enumerate() {
                let mut words = [V::zero(); 2];
                for (i, word) in words.iter_mut().enumerate().take(N.div_ceil(2)) {
                    let (a, b) = (2 * i, (2 * i + 1) % N);
                    let (a, b) = (sum[a].shift(shifts[a]), sum[b].shift(shifts[b]));
                    *word = a.pack_sums(b).times(factors[i]);
                }
                let to = at.wrapping_add(p.wrapping_mul(row.out_step));
                words[0].pack_words(words[1]).store(row.bytes.wrapping_add(to), N);
            }
        }
    }
}

/// # Safety
/// As [`run_tile`], for a layer of words.
#[inline(always)]
unsafe fn end_as_words<V: ByteVector, const P: usize, const N: usize>(
    conv: &PackedByteConv,
    row: &Row,
    panel: Panel,
    first: usize,
    sums: &[[V; N]; P],
) {
    let shift = conv.shift.as_ptr().wrapping_add(panel.first_column);
    let at = first.wrapping_mul(row.out_step).wrapping_add(panel.first_column);
    // SAFETY: as in `run_tile`.
    unsafe {
        let mut shifts = [V::zero(); N];
        for (n, value) in shifts.iter_mut().enumerate() {
            *value = V::load(shift.wrapping_add(n * V::Floats::LANES).cast());
        }
        // A pointer to the place of each pixel, not a closure: see `kernels`.
        let mut places = [row.words; P];
        for (p, place) in places.iter_mut().enumerate() {
            *place = place.wrapping_add(at.wrapping_add(p.wrapping_mul(row.out_step)));
        }
        if N > 1 {
            for (p, sum) in sums.iter().enumerate() {
                for n in (0..N).step_by(2) {
                    let (a, b) = (sum[n].shift(shifts[n]), sum[n + 1].shift(shifts[n + 1]));
                    a.pack_sums(b).store(places[p].wrapping_add(n * V::Floats::LANES).cast(), 4);
                }
            }
        } else if P.is_multiple_of(2) {
            for p in (0..P).step_by(2) {
                let (a, b) = (sums[p][0].shift(shifts[0]), sums[p + 1][0].shift(shifts[0]));
                a.pack_sums(b).gather(2).store_halves(places[p].cast(), places[p + 1].cast());
            }
        } else {
            for (p, sum) in sums.iter().enumerate() {
                let words = sum[0].shift(shifts[0]);
                words.pack_sums(words).store(places[p].cast(), 2);
            }
        }
    }
}

/// # Safety
/// As [`run_tile`], for a layer of floats; `END` must be [`ending::RESIDUAL`]
/// only where the row has one.
#[inline(always)]
unsafe fn end_as_floats<V: ByteVector, const END: u8, const P: usize, const N: usize>(
    conv: &PackedByteConv,
    row: &Row,
    panel: Panel,
    first: usize,
    sums: &[[V; N]; P],
) {
    let scale = conv.scale.as_ptr().wrapping_add(panel.first_column);
    let bias = conv.bias.as_ptr().wrapping_add(panel.first_column);
    // SAFETY: as in `run_tile`.
    unsafe {
        let zero = V::Floats::splat(0.0);
        let floor = V::Floats::splat(if conv.relu { 0.0 } else { f32::NEG_INFINITY });
        let (mut scales, mut biases) = ([zero; N], [zero; N]);
        for n in 0..N {
            let lane = n.wrapping_mul(V::Floats::LANES);
            scales[n] = V::Floats::load(scale.wrapping_add(lane));
            biases[n] = V::Floats::load(bias.wrapping_add(lane));
        }
        let mut at = first.wrapping_mul(row.out_step).wrapping_add(panel.first_column);
        for sum in sums {
            for n in 0..N {
                let at = at.wrapping_add(n.wrapping_mul(V::Floats::LANES));
                let mut value = sum[n].to_floats().mul_add(scales[n], biases[n]).max(floor);
                if END == ending::RESIDUAL {
                    value = value.add(V::Floats::load(row.residual.wrapping_add(at)));
                }
                value.store(row.floats.wrapping_add(at));
            }
            at = at.wrapping_add(row.out_step);
        }
    }
}
