//! Dense convolution of one row in 8 bits: unsigned activations, signed
//! weights with a scale per output channel, 32-bit sums.
//!
//! Tiled like the one in floats; see [`super::conv`].

use super::bytes::{ByteVector, column};
use super::{Kernels, Target, vector::Vector};
use crate::quantise::{Activations, ByteWeights};

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
    /// True if the result is bytes, and the columns are in the order in
    /// which four sums pack.
    to_bytes: bool,
    panels: Vec<Panel>,
    weights: Vec<i8>,
    /// `output = scale * sum + bias`, in the order of the columns.
    scale: Vec<f32>,
    bias: Vec<f32>,
}

/// Some adjacent output channels.
#[derive(Clone, Copy, Debug)]
struct Panel {
    first_column: usize,
    vectors: usize,
    /// Where the panel's weights start: `segments * depth / 4` rows of
    /// `vectors` registers.
    weights_at: usize,
}

/// Where one row of output goes.
pub(super) enum Output<'a> {
    Bytes(&'a mut [u8]),
    Floats(Target<'a>),
}

/// What one call works on; made by [`PackedByteConv::check`] only.
pub(super) struct Row {
    inputs: [*const u8; MAX_SEGMENTS],
    step: usize,
    pixels: usize,
    bytes: *mut u8,
    floats: *mut f32,
    out_step: usize,
    residual: *const f32,
}

/// A row of taps each.
const MAX_SEGMENTS: usize = 3;

impl PackedByteConv {
    /// Packs quantised weights of `segments` segments of equal depth. With
    /// `to`, the result is bytes of those activations and never negative;
    /// without, floats, after ReLU if `relu`.
    ///
    /// # Panics
    /// If the lengths do not fit each other.
    pub(crate) fn new(
        kernels: Kernels,
        from: &ByteWeights,
        segments: usize,
        to: Option<&Activations>,
        relu: bool,
    ) -> Self {
        let channels = from.scale.len();
        let rows = from.weights.len() / channels.max(1);
        assert!((1..=MAX_SEGMENTS).contains(&segments), "convolution segments");
        assert_eq!(rows * channels, from.weights.len(), "convolution weights");
        assert_eq!(rows % segments, 0, "convolution depth");
        let (used, depth) = (rows / segments, (rows / segments).next_multiple_of(4));
        let lanes = kernels.lanes();
        let columns = match to {
            Some(_) => channels.next_multiple_of(16),
            None => kernels.stored_channels(channels),
        };
        let (mut panels, mut weights) = (Vec::new(), Vec::new());
        let (mut scale, mut bias) = (Vec::new(), Vec::new());
        let mut first_column = 0;
        while first_column < columns {
            let vectors = match (columns - first_column) / lanes {
                4.. => 4,
                2.. => 2,
                _ => 1,
            };
            panels.push(Panel { first_column, vectors, weights_at: weights.len() });
            let order: Vec<usize> = (0..vectors * lanes)
                .map(|i| match to {
                    Some(_) => first_column + column(i / lanes, i % lanes, vectors),
                    None => first_column + i,
                })
                .collect();
            for quad in 0..segments * depth / 4 {
                let (segment, at) = (quad * 4 / depth, quad * 4 % depth);
                for &channel in &order {
                    weights.extend((at..at + 4).map(|k| {
                        let inside = k < used && channel < channels;
                        let index = (segment * used + k) * channels + channel;
                        if inside { from.weights[index] } else { 0 }
                    }));
                }
            }
            for &channel in &order {
                let per = to.map_or(1.0, |to| to.per_unit(channel));
                scale.push(from.scale.get(channel).map_or(0.0, |s| s * per));
                bias.push(from.bias.get(channel).map_or(0.0, |b| b * per));
            }
            first_column += vectors * lanes;
        }
        let to_bytes = to.is_some();
        Self { segments, depth, columns, lanes, relu, to_bytes, panels, weights, scale, bias }
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
            floats: std::ptr::null_mut(),
            out_step: self.columns,
            residual: std::ptr::null(),
        };
        match output {
            Output::Bytes(out) => {
                assert!(self.to_bytes, "a layer of floats");
                assert!(out.len() >= pixels * self.columns, "output row too short");
                row.bytes = out.as_mut_ptr();
            }
            Output::Floats(Target { out, step, residual }) => {
                assert!(!self.to_bytes, "a layer of bytes");
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

/// Runs one row.
///
/// # Safety
/// `row` must come from [`PackedByteConv::check`] of the same `conv`, whose
/// slices must still be borrowed; the processor must have `V`'s instructions.
#[inline(always)]
pub(super) unsafe fn run_row<V: ByteVector>(conv: &PackedByteConv, row: &Row) {
    for panel in &conv.panels {
        // SAFETY: passed on. Tile sizes fill the registers.
        unsafe {
            match (V::Floats::WIDE, panel.vectors) {
                (true, 4) => run_panel::<V, 6, 4>(conv, row, *panel),
                (true, 2) => run_panel::<V, 12, 2>(conv, row, *panel),
                (true, _) => run_panel::<V, 14, 1>(conv, row, *panel),
                (false, 4) => run_panel::<V, 3, 4>(conv, row, *panel),
                (false, 2) => run_panel::<V, 5, 2>(conv, row, *panel),
                (false, _) => run_panel::<V, 8, 1>(conv, row, *panel),
            }
        }
    }
}

/// # Safety
/// As [`run_row`]; `N` must be the panel's number of vectors.
#[inline(always)]
unsafe fn run_panel<V: ByteVector, const P: usize, const N: usize>(
    conv: &PackedByteConv,
    row: &Row,
    panel: Panel,
) {
    let mut pixel = 0;
    // SAFETY: tiles lie within `row.pixels`, for which `check` vouched.
    unsafe {
        if row.pixels >= P {
            while pixel + P <= row.pixels {
                run_tile::<V, P, N>(conv, row, panel, pixel);
                pixel += P;
            }
            if pixel < row.pixels {
                // The rest, together with some pixels once more: input and
                // output do not overlap, so doing them twice is harmless.
                run_tile::<V, P, N>(conv, row, panel, row.pixels - P);
            }
        } else {
            while pixel < row.pixels {
                run_tile::<V, 1, N>(conv, row, panel, pixel);
                pixel += 1;
            }
        }
    }
}

/// # Safety
/// As [`run_panel`]; `first + P` pixels must be within the row.
#[inline(always)]
unsafe fn run_tile<V: ByteVector, const P: usize, const N: usize>(
    conv: &PackedByteConv,
    row: &Row,
    panel: Panel,
    first: usize,
) {
    // SAFETY: pixel `first + p < row.pixels`, segment `< conv.segments` and
    // byte `< conv.depth` (whole quads) are what `check` compared the slices
    // with; the packed weights hold `segments * depth / 4` rows of `N`
    // registers from `weights_at`, scale and bias `columns` floats, by
    // construction. Wrapping arithmetic only keeps the checks of debug builds
    // out of the loop; nothing wraps.
    unsafe {
        let mut sums = [[V::zero(); N]; P];
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
        let scale = conv.scale.as_ptr().wrapping_add(panel.first_column);
        let bias = conv.bias.as_ptr().wrapping_add(panel.first_column);
        let zero = V::Floats::splat(0.0);
        for (p, sum) in sums.iter().enumerate() {
            let at = (first + p) * row.out_step + panel.first_column;
            let mut values = [zero; 4];
            for (n, &sum) in sum.iter().enumerate() {
                let lane = n * V::Floats::LANES;
                let scale = V::Floats::load(scale.wrapping_add(lane));
                let bias = V::Floats::load(bias.wrapping_add(lane));
                values[n] = sum.to_floats().mul_add(scale, bias);
            }
            if conv.to_bytes {
                V::pack(values).store(row.bytes.wrapping_add(at), N);
                continue;
            }
            for (n, &value) in values.iter().enumerate().take(N) {
                let at = at + n * V::Floats::LANES;
                let mut value = value;
                if conv.relu {
                    value = value.max(zero);
                }
                if !row.residual.is_null() {
                    value = value.add(V::Floats::load(row.residual.wrapping_add(at)));
                }
                value.store(row.floats.wrapping_add(at));
            }
        }
    }
}
