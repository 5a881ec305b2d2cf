//! Dense convolution of one row: a small matrix product, tiled in registers.
//!
//! Weights are packed in column panels of a few vectors. A tile keeps the
//! sums of `P` pixels times `N` vectors of output channels in registers and
//! walks the input values once (Goto and van de Geijn, "Anatomy of
//! High-Performance Matrix Multiplication", 2008).

use super::{Kernels, vector::Vector};

/// A dense convolution, weights packed for one backend.
#[derive(Debug)]
pub(crate) struct PackedConv {
    segments: usize,
    depth: usize,
    /// Output channels as stored, a multiple of the backend's lanes.
    columns: usize,
    lanes: usize,
    relu: bool,
    panels: Vec<Panel>,
    weights: Vec<f32>,
    bias: Vec<f32>,
}

/// Some adjacent output channels.
#[derive(Clone, Copy, Debug)]
struct Panel {
    first_column: usize,
    vectors: usize,
    /// Where the panel's weights start: `segments * depth` rows of
    /// `vectors * lanes` floats.
    weights_at: usize,
}

/// Where one row of output goes.
pub(crate) struct Target<'a> {
    /// The row.
    pub(crate) out: &'a mut [f32],
    /// Floats from one output pixel to the next.
    pub(crate) step: usize,
    /// What is added to the result, laid out like `out`.
    pub(crate) residual: Option<&'a [f32]>,
}

/// What one call works on; made by [`PackedConv::check`] only.
pub(super) struct Row {
    inputs: [*const f32; MAX_SEGMENTS],
    step: usize,
    pixels: usize,
    out: *mut f32,
    out_step: usize,
    residual: *const f32,
}

/// A 3x3 kernel with separate taps.
const MAX_SEGMENTS: usize = 9;

impl PackedConv {
    /// Packs `weights`, laid out `[segment][depth][output channel]`, and one
    /// `bias` per output channel. Missing channels up to whole vectors are
    /// zero, so the stored padding of a feature map is zero too.
    ///
    /// # Panics
    /// If the lengths do not fit each other.
    pub(crate) fn new(
        kernels: Kernels,
        weights: &[f32],
        bias: &[f32],
        segments: usize,
        depth: usize,
        relu: bool,
    ) -> Self {
        let channels = bias.len();
        assert_eq!(weights.len(), segments * depth * channels, "convolution weights");
        assert!((1..=MAX_SEGMENTS).contains(&segments), "convolution segments");
        let (lanes, columns) = (kernels.lanes(), kernels.stored_channels(channels));
        let (mut panels, mut packed) = (Vec::new(), Vec::new());
        let mut first_column = 0;
        while first_column < columns {
            let vectors = kernels.panel_vectors((columns - first_column) / lanes);
            panels.push(Panel { first_column, vectors, weights_at: packed.len() });
            let end = first_column + vectors * lanes;
            for row in weights.chunks_exact(channels) {
                packed.extend_from_slice(&row[first_column..end.min(channels)]);
                packed.resize(packed.len() + end.saturating_sub(channels), 0.0);
            }
            first_column = end;
        }
        let mut bias = bias.to_vec();
        bias.resize(columns, 0.0);
        Self { segments, depth, columns, lanes, relu, panels, weights: packed, bias }
    }

    /// Output channels as stored.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// Compares every slice with what [`run_row`] will touch.
    pub(super) fn check(
        &self,
        kernels: Kernels,
        segments: &[&[f32]],
        step: usize,
        pixels: usize,
        target: Target<'_>,
    ) -> Row {
        let Target { out, step: out_step, residual } = target;
        assert_eq!(self.lanes, kernels.lanes(), "weights packed for another backend");
        assert_eq!(segments.len(), self.segments, "number of input segments");
        let last = pixels - 1;
        let mut inputs = [std::ptr::null(); MAX_SEGMENTS];
        for (input, segment) in inputs.iter_mut().zip(segments) {
            assert!(segment.len() >= last * step + self.depth, "input row too short");
            *input = segment.as_ptr();
        }
        assert!(out.len() >= last * out_step + self.columns, "output row too short");
        if let Some(residual) = residual {
            assert!(residual.len() >= last * out_step + self.columns, "residual row too short");
        }
        Row {
            inputs,
            step,
            pixels,
            out: out.as_mut_ptr(),
            out_step,
            residual: residual.map_or(std::ptr::null(), <[f32]>::as_ptr),
        }
    }
}

/// Runs one row.
///
/// # Safety
/// `row` must come from [`PackedConv::check`] of the same `conv`, whose
/// slices must still be borrowed; the processor must have `V`'s instructions.
#[inline(always)]
pub(super) unsafe fn run_row<V: Vector>(conv: &PackedConv, row: &Row) {
    // SAFETY: passed on.
    unsafe {
        if row.residual.is_null() {
            run_panels::<V, false>(conv, row);
        } else {
            run_panels::<V, true>(conv, row);
        }
    }
}

/// # Safety
/// As [`run_row`]; `ADD` says whether there is a residual.
#[inline(always)]
unsafe fn run_panels<V: Vector, const ADD: bool>(conv: &PackedConv, row: &Row) {
    for panel in &conv.panels {
        // SAFETY: passed on. Tile sizes fill the registers: `P * N` sums,
        // `N` weights and one broadcast input. They are small enough for the
        // compiler to unroll the ending, too; else the sums live in memory.
        unsafe {
            match (V::WIDE, panel.vectors) {
                (true, 4) => run_panel::<V, ADD, 6, 4>(conv, row, *panel),
                (true, 3) => run_panel::<V, ADD, 8, 3>(conv, row, *panel),
                (true, 2) => run_panel::<V, ADD, 10, 2>(conv, row, *panel),
                (true, _) => run_panel::<V, ADD, 12, 1>(conv, row, *panel),
                (false, 3) => run_panel::<V, ADD, 4, 3>(conv, row, *panel),
                (false, 2) => run_panel::<V, ADD, 6, 2>(conv, row, *panel),
                (false, _) => run_panel::<V, ADD, 8, 1>(conv, row, *panel),
            }
        }
    }
}

/// # Safety
/// As [`run_panels`]; `N` must be the panel's number of vectors.
#[inline(always)]
unsafe fn run_panel<V: Vector, const ADD: bool, const P: usize, const N: usize>(
    conv: &PackedConv,
    row: &Row,
    panel: Panel,
) {
    let mut pixel = 0;
    // SAFETY: tiles lie within `row.pixels`, for which `check` vouched.
    unsafe {
        if row.pixels >= P {
            while pixel + P <= row.pixels {
                run_tile::<V, ADD, P, N>(conv, row, panel, pixel);
                pixel += P;
            }
            if pixel < row.pixels {
                // The rest, together with some pixels once more: input and
                // output do not overlap, so doing them twice is harmless.
                run_tile::<V, ADD, P, N>(conv, row, panel, row.pixels - P);
            }
        } else {
            while pixel < row.pixels {
                run_tile::<V, ADD, 1, N>(conv, row, panel, pixel);
                pixel += 1;
            }
        }
    }
}

/// # Safety
/// As [`run_panel`]; `first + P` pixels must be within the row.
#[inline(always)]
unsafe fn run_tile<V: Vector, const ADD: bool, const P: usize, const N: usize>(
    conv: &PackedConv,
    row: &Row,
    panel: Panel,
    first: usize,
) {
    // SAFETY: pixel `first + p < row.pixels`, segment `< conv.segments` and
    // depth index `< conv.depth` are what `check` compared the slices with;
    // the packed weights hold `segments * depth` rows of `N * LANES` floats
    // from `weights_at`, and the bias `columns` floats, by construction.
    // Wrapping arithmetic and `read_unaligned` only keep the checks of debug
    // builds out of the loop; everything is aligned and nothing wraps.
    unsafe {
        let bias = conv.bias.as_ptr().wrapping_add(panel.first_column);
        let mut sums = [[V::splat(0.0); N]; P];
        for sum in &mut sums {
            for (n, value) in sum.iter_mut().enumerate() {
                *value = V::load(bias.wrapping_add(n * V::LANES));
            }
        }
        let mut weights = conv.weights.as_ptr().wrapping_add(panel.weights_at);
        for segment in 0..conv.segments {
            let mut input = row.inputs[segment].wrapping_add(first * row.step);
            let end = input.wrapping_add(conv.depth);
            while input < end {
                let mut w = [V::splat(0.0); N];
                for (n, value) in w.iter_mut().enumerate() {
                    *value = V::load(weights.wrapping_add(n * V::LANES));
                }
                for (p, sum) in sums.iter_mut().enumerate() {
                    let x = V::splat(input.wrapping_add(p.wrapping_mul(row.step)).read_unaligned());
                    for n in 0..N {
                        sum[n] = x.mul_add(w[n], sum[n]);
                    }
                }
                weights = weights.wrapping_add(N * V::LANES);
                input = input.wrapping_add(1);
            }
        }
        let floor = V::splat(if conv.relu { 0.0 } else { f32::NEG_INFINITY });
        let mut at = first.wrapping_mul(row.out_step).wrapping_add(panel.first_column);
        for sum in &sums {
            for (n, value) in sum.iter().enumerate() {
                let at = at.wrapping_add(n.wrapping_mul(V::LANES));
                let mut value = value.max(floor);
                if ADD {
                    value = value.add(V::load(row.residual.wrapping_add(at)));
                }
                value.store(row.out.wrapping_add(at));
            }
            at = at.wrapping_add(row.out_step);
        }
    }
}
