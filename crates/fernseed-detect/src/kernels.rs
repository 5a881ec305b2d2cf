//! The inner loops: two convolution kernels in floats and two in 8
//! bits, each for three instruction sets, and loops over rows of pixels.
//!
//! This is the only module of the crate with `unsafe` code. Everything above
//! it works on slices through [`Kernels`], which checks every length once per
//! row and then runs pointer loops compiled for the chosen [`Backend`].
//!
//! The loops are written once, generic over [`vector::Vector`], and inlined
//! into one function per instruction set; a row of pixels per call makes the
//! cost of choosing among them vanish. Keep closures out of the generic code:
//! a closure is compiled without the caller's instruction set.

mod byte_conv;
mod byte_depthwise;
mod bytes;
mod conv;
mod depthwise;
mod pixels;
mod vector;

pub(crate) use byte_conv::PackedByteConv;
pub(crate) use byte_depthwise::PackedByteDepthwise;
pub(crate) use conv::{PackedConv, Target};
pub(crate) use depthwise::PackedDepthwise;
pub(crate) use pixels::{ChromaRow, ColourMatrix, Sum, UNIT};

use byte_conv::Output;
use bytes::PortableBytes;
#[cfg(target_arch = "x86_64")]
use bytes::{Bytes256, Bytes512};
use vector::{Portable, Vector};

/// Which instruction set the networks run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Backend {
    /// x86-64 with AVX-512 F, BW and VL: 16 lanes, 32 registers.
    Avx512,
    /// x86-64 with AVX2 and FMA: 8 lanes, 16 registers.
    Avx2,
    /// Plain Rust, 4 lanes, left to the compiler to vectorise; runs everywhere.
    Portable,
}

impl Backend {
    /// All backends, fastest first.
    pub const ALL: [Self; 3] = [Self::Avx512, Self::Avx2, Self::Portable];

    /// True if this processor can run it.
    #[must_use]
    pub fn is_supported(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            Self::Portable => true,
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx512 | Self::Avx2 => false,
        }
    }

    /// The fastest backend this processor can run.
    #[must_use]
    pub fn best() -> Self {
        Self::ALL.into_iter().find(|b| b.is_supported()).unwrap_or(Self::Portable)
    }
}

/// The kernels of one backend. Having one proves that the processor has the
/// backend's instructions: the field is private and [`Kernels::new`] checks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kernels {
    backend: Backend,
    /// True if the processor also has AVX-512 VNNI.
    vnni: bool,
}

impl Kernels {
    /// The kernels of `backend`; `None` if this processor cannot run them.
    pub(crate) fn new(backend: Backend) -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        let vnni = is_x86_feature_detected!("avx512vnni");
        #[cfg(not(target_arch = "x86_64"))]
        let vnni = false;
        backend.is_supported().then_some(Self { backend, vnni })
    }

    /// The largest absolute value an 8-bit weight may have: without VNNI,
    /// two products are added in 16 bits.
    pub(crate) fn weight_limit(self) -> i8 {
        match self.backend {
            Backend::Portable => 127,
            Backend::Avx512 if self.vnni => 127,
            Backend::Avx512 | Backend::Avx2 => 63,
        }
    }

    pub(crate) fn backend(self) -> Backend {
        self.backend
    }

    /// Floats in a vector register. Stored channels are a multiple of this.
    pub(crate) fn lanes(self) -> usize {
        match self.backend {
            #[cfg(target_arch = "x86_64")]
            Backend::Avx512 => <std::arch::x86_64::__m512 as Vector>::LANES,
            #[cfg(target_arch = "x86_64")]
            Backend::Avx2 => <std::arch::x86_64::__m256 as Vector>::LANES,
            _ => Portable::LANES,
        }
    }

    /// Channels as stored: `channels` rounded up to whole vectors.
    pub(crate) fn stored_channels(self, channels: usize) -> usize {
        channels.next_multiple_of(self.lanes())
    }

    /// Widest column panel of a packed convolution, in vectors: as many as
    /// leave registers for several pixels at once.
    fn panel_vectors(self, remaining: usize) -> usize {
        match self.backend {
            Backend::Avx512 => remaining.min(4),
            _ if remaining.is_multiple_of(2) => 2,
            _ => remaining.min(3),
        }
    }

    /// One row of a dense convolution, `pixels` wide.
    ///
    /// Output pixel `p` is `bias + sum over segments s and k < depth of
    /// segments[s][p * step + k] * weight[s][k]`, then ReLU if the layer has
    /// one, then `residual` added. A 1x1 convolution has one segment; a 3x3
    /// one has a segment for every tap (or row, where the taps are adjacent).
    ///
    /// # Panics
    /// If a slice is too short for `pixels`.
    pub(crate) fn conv_row(
        self,
        conv: &PackedConv,
        segments: &[&[f32]],
        step: usize,
        pixels: usize,
        target: Target<'_>,
    ) {
        if pixels == 0 {
            return;
        }
        let row = conv.check(self, segments, step, pixels, target);
        // SAFETY: `check` has made sure that every address the kernel forms
        // lies inside the slices it was built from, which outlive this call,
        // and that the weights were packed for this backend; a `Kernels` of a
        // backend exists only if the processor has its instructions.
        unsafe {
            match self.backend {
                #[cfg(target_arch = "x86_64")]
                Backend::Avx512 => conv_row_avx512(conv, &row),
                #[cfg(target_arch = "x86_64")]
                Backend::Avx2 => conv_row_avx2(conv, &row),
                _ => conv::run_row::<Portable>(conv, &row),
            }
        }
    }

    /// One row of a dense 8-bit convolution to bytes; see [`Self::conv_row`].
    ///
    /// # Panics
    /// If a slice is too short for `pixels`.
    pub(crate) fn byte_conv_row(
        self,
        conv: &PackedByteConv,
        segments: &[&[u8]],
        step: usize,
        pixels: usize,
        out: &mut [u8],
    ) {
        self.any_byte_conv_row(conv, segments, step, pixels, Output::Bytes(out));
    }

    /// One row of a dense 8-bit convolution to floats.
    ///
    /// # Panics
    /// If a slice is too short for `pixels`.
    pub(crate) fn byte_conv_row_to_floats(
        self,
        conv: &PackedByteConv,
        segments: &[&[u8]],
        step: usize,
        pixels: usize,
        target: Target<'_>,
    ) {
        self.any_byte_conv_row(conv, segments, step, pixels, Output::Floats(target));
    }

    fn any_byte_conv_row(
        self,
        conv: &PackedByteConv,
        segments: &[&[u8]],
        step: usize,
        pixels: usize,
        output: Output<'_>,
    ) {
        if pixels == 0 {
            return;
        }
        let row = conv.check(self, segments, step, pixels, output);
        // SAFETY: as in `conv_row`.
        unsafe {
            match self.backend {
                #[cfg(target_arch = "x86_64")]
                Backend::Avx512 if self.vnni => byte_conv_row_vnni(conv, &row),
                #[cfg(target_arch = "x86_64")]
                Backend::Avx512 => byte_conv_row_avx512(conv, &row),
                #[cfg(target_arch = "x86_64")]
                Backend::Avx2 => byte_conv_row_avx2(conv, &row),
                _ => byte_conv::run_row::<PortableBytes>(conv, &row),
            }
        }
    }

    /// One row of an 8-bit depth-wise convolution; see
    /// [`Self::depthwise_row`].
    ///
    /// # Panics
    /// If a slice is too short for `pixels`.
    pub(crate) fn byte_depthwise_row(
        self,
        layer: &PackedByteDepthwise,
        rows: [&[u8]; 3],
        pixels: usize,
        out: &mut [u8],
    ) {
        if pixels == 0 {
            return;
        }
        layer.check(self, rows, pixels, out);
        // SAFETY: as in `conv_row`.
        unsafe {
            match self.backend {
                #[cfg(target_arch = "x86_64")]
                Backend::Avx512 if self.vnni => byte_depthwise_row_vnni(layer, rows, pixels, out),
                #[cfg(target_arch = "x86_64")]
                Backend::Avx512 => byte_depthwise_row_avx512(layer, rows, pixels, out),
                #[cfg(target_arch = "x86_64")]
                Backend::Avx2 => byte_depthwise_row_avx2(layer, rows, pixels, out),
                _ => byte_depthwise::run_row::<PortableBytes>(layer, rows, pixels, out),
            }
        }
    }

    /// `bytes = steps * floats + zero`, rounded and bounded; `steps` and
    /// `zero` repeat.
    pub(crate) fn quantise(self, floats: &[f32], steps: &[f32], zero: &[f32], bytes: &mut [u8]) {
        // SAFETY: the wrappers need nothing but the backend's instructions.
        unsafe {
            match self.backend {
                #[cfg(target_arch = "x86_64")]
                Backend::Avx512 => quantise_avx512(floats, steps, zero, bytes),
                #[cfg(target_arch = "x86_64")]
                Backend::Avx2 => quantise_avx2(floats, steps, zero, bytes),
                _ => pixels::quantise(floats, steps, zero, bytes),
            }
        }
    }

    /// `sums = weight * row`, or `sums += weight * row` unless `first`, for
    /// as many as both have. Wraps, so weights should sum to 256 at most.
    pub(crate) fn weigh(self, sums: &mut [Sum], row: &[u8], weight: Sum, first: bool) {
        // SAFETY: the wrappers need nothing but the backend's instructions.
        unsafe {
            match self.backend {
                #[cfg(target_arch = "x86_64")]
                Backend::Avx512 => weigh_avx512(sums, row, weight, first),
                #[cfg(target_arch = "x86_64")]
                Backend::Avx2 => weigh_avx2(sums, row, weight, first),
                _ => pixels::weigh(sums, row, weight, first),
            }
        }
    }

    /// What a row of chroma samples adds to the pixels of a row of twice as
    /// many pixels.
    pub(crate) fn spread(self, by: &ColourMatrix, blue: &[u8], red: &[u8], out: &mut ChromaRow) {
        // SAFETY: the wrappers need nothing but the backend's instructions.
        unsafe {
            match self.backend {
                #[cfg(target_arch = "x86_64")]
                Backend::Avx512 => spread_avx512(by, blue, red, out),
                #[cfg(target_arch = "x86_64")]
                Backend::Avx2 => spread_avx2(by, blue, red, out),
                _ => pixels::spread(by, blue, red, out),
            }
        }
    }

    /// A row of luma and its chroma as packed RGB, for as many pixels as all
    /// have.
    pub(crate) fn colour(self, by: &ColourMatrix, luma: &[u8], chroma: &ChromaRow, rgb: &mut [u8]) {
        // SAFETY: the wrappers need nothing but the backend's instructions.
        unsafe {
            match self.backend {
                #[cfg(target_arch = "x86_64")]
                Backend::Avx512 => colour_avx512(by, luma, chroma, rgb),
                #[cfg(target_arch = "x86_64")]
                Backend::Avx2 => colour_avx2(by, luma, chroma, rgb),
                _ => pixels::colour(by, luma, chroma, rgb),
            }
        }
    }

    /// One row of a 3x3 depth-wise convolution, `pixels` output pixels wide.
    ///
    /// `rows` are the input rows above, at and below, each with one pixel of
    /// zero border on either side.
    ///
    /// # Panics
    /// If a slice is too short for `pixels`.
    pub(crate) fn depthwise_row(
        self,
        layer: &PackedDepthwise,
        rows: [&[f32]; 3],
        pixels: usize,
        out: &mut [f32],
    ) {
        if pixels == 0 {
            return;
        }
        layer.check(self, rows, pixels, out);
        // SAFETY: as in `conv_row`: `check` has compared every slice with
        // what the kernel reads and writes.
        unsafe {
            match self.backend {
                #[cfg(target_arch = "x86_64")]
                Backend::Avx512 => depthwise_row_avx512(layer, rows, pixels, out),
                #[cfg(target_arch = "x86_64")]
                Backend::Avx2 => depthwise_row_avx2(layer, rows, pixels, out),
                _ => depthwise::run_row::<Portable>(layer, rows, pixels, out),
            }
        }
    }
}

/// # Safety
/// AVX-512F must be there, and `row` must come from [`PackedConv::check`] of `conv`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn conv_row_avx512(conv: &PackedConv, row: &conv::Row) {
    // SAFETY: the caller's promise is the callee's condition.
    unsafe { conv::run_row::<std::arch::x86_64::__m512>(conv, row) }
}

/// # Safety
/// AVX2 and FMA must be there, and `row` must come from [`PackedConv::check`] of `conv`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn conv_row_avx2(conv: &PackedConv, row: &conv::Row) {
    // SAFETY: the caller's promise is the callee's condition.
    unsafe { conv::run_row::<std::arch::x86_64::__m256>(conv, row) }
}

/// # Safety
/// AVX-512F must be there, and [`PackedDepthwise::check`] must have passed.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn depthwise_row_avx512(
    layer: &PackedDepthwise,
    rows: [&[f32]; 3],
    pixels: usize,
    out: &mut [f32],
) {
    // SAFETY: the caller's promise is the callee's condition.
    unsafe { depthwise::run_row::<std::arch::x86_64::__m512>(layer, rows, pixels, out) }
}

/// # Safety
/// AVX2 and FMA must be there, and [`PackedDepthwise::check`] must have passed.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn depthwise_row_avx2(
    layer: &PackedDepthwise,
    rows: [&[f32]; 3],
    pixels: usize,
    out: &mut [f32],
) {
    // SAFETY: the caller's promise is the callee's condition.
    unsafe { depthwise::run_row::<std::arch::x86_64::__m256>(layer, rows, pixels, out) }
}

/// Compiles a safe loop of [`pixels`] for AVX-512 and AVX2.
#[cfg(target_arch = "x86_64")]
macro_rules! for_x86 {
    ($($body:ident: $avx512:ident, $avx2:ident ($($name:ident: $type:ty),*);)*) => {$(
        #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
        fn $avx512($($name: $type),*) {
            pixels::$body($($name),*);
        }
        #[target_feature(enable = "avx2")]
        fn $avx2($($name: $type),*) {
            pixels::$body($($name),*);
        }
    )*};
}

#[cfg(target_arch = "x86_64")]
for_x86! {
    weigh: weigh_avx512, weigh_avx2 (sums: &mut [Sum], row: &[u8], weight: Sum, first: bool);
    quantise: quantise_avx512, quantise_avx2
        (floats: &[f32], steps: &[f32], zero: &[f32], bytes: &mut [u8]);
    spread: spread_avx512, spread_avx2
        (by: &ColourMatrix, blue: &[u8], red: &[u8], out: &mut ChromaRow);
    colour: colour_avx512, colour_avx2
        (by: &ColourMatrix, luma: &[u8], chroma: &ChromaRow, rgb: &mut [u8]);
}

/// # Safety
/// AVX-512 F, BW, VL and VNNI must be there, and `row` must come from
/// [`PackedByteConv::check`] of `conv`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn byte_conv_row_vnni(conv: &PackedByteConv, row: &byte_conv::Row) {
    // SAFETY: the caller's promise is the callee's condition.
    unsafe { byte_conv::run_row::<Bytes512<true>>(conv, row) }
}

/// # Safety
/// AVX-512 F, BW, VL and VNNI must be there, and
/// [`PackedByteDepthwise::check`] must have passed.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn byte_depthwise_row_vnni(
    layer: &PackedByteDepthwise,
    rows: [&[u8]; 3],
    pixels: usize,
    out: &mut [u8],
) {
    // SAFETY: the caller's promise is the callee's condition.
    unsafe { byte_depthwise::run_row::<Bytes512<true>>(layer, rows, pixels, out) }
}

/// # Safety
/// AVX-512 F, BW and VL must be there, and `row` must come from
/// [`PackedByteConv::check`] of `conv`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn byte_conv_row_avx512(conv: &PackedByteConv, row: &byte_conv::Row) {
    // SAFETY: the caller's promise is the callee's condition.
    unsafe { byte_conv::run_row::<Bytes512<false>>(conv, row) }
}

/// # Safety
/// AVX-512 F, BW and VL must be there, and
/// [`PackedByteDepthwise::check`] must have passed.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn byte_depthwise_row_avx512(
    layer: &PackedByteDepthwise,
    rows: [&[u8]; 3],
    pixels: usize,
    out: &mut [u8],
) {
    // SAFETY: the caller's promise is the callee's condition.
    unsafe { byte_depthwise::run_row::<Bytes512<false>>(layer, rows, pixels, out) }
}

/// # Safety
/// AVX2 and FMA must be there, and `row` must come from
/// [`PackedByteConv::check`] of `conv`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn byte_conv_row_avx2(conv: &PackedByteConv, row: &byte_conv::Row) {
    // SAFETY: the caller's promise is the callee's condition.
    unsafe { byte_conv::run_row::<Bytes256>(conv, row) }
}

/// # Safety
/// AVX2 and FMA must be there, and
/// [`PackedByteDepthwise::check`] must have passed.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn byte_depthwise_row_avx2(
    layer: &PackedByteDepthwise,
    rows: [&[u8]; 3],
    pixels: usize,
    out: &mut [u8],
) {
    // SAFETY: the caller's promise is the callee's condition.
    unsafe { byte_depthwise::run_row::<Bytes256>(layer, rows, pixels, out) }
}
