//! The inner loops: two convolution kernels in floats, two in 8 bits and one
//! in 16, each for three instruction sets, and loops over rows of pixels.
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
mod squeeze;
#[cfg(test)]
mod tests;
mod vector;
mod word_depthwise;

pub(crate) use byte_conv::PackedByteConv;
pub(crate) use byte_depthwise::PackedByteDepthwise;
pub(crate) use conv::{PackedConv, Target};
pub(crate) use depthwise::PackedDepthwise;
pub(crate) use pixels::{ChromaRow, ColourMatrix, Sum, UNIT};
pub(crate) use squeeze::{ACROSS_UNIT, Quads, REACH, STEP_BITS};
pub(crate) use word_depthwise::PackedWordDepthwise;

use byte_conv::Output;
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

    /// The fastest backend this processor can run; never AVX-512 if built with
    /// the feature `no-avx512`, which is there, like `no-vnni`, to measure what
    /// processors without it take.
    #[must_use]
    pub fn best() -> Self {
        let wanted = |backend: &Self| !(cfg!(feature = "no-avx512") && *backend == Self::Avx512);
        Self::ALL
            .into_iter()
            .filter(wanted)
            .find(|backend| backend.is_supported())
            .unwrap_or(Self::Portable)
    }
}

/// The kernels of one backend. Having one proves that the processor has the
/// backend's instructions: the field is private and [`Kernels::new`] checks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kernels {
    backend: Backend,
    /// True if the processor has the backend's VNNI instructions, too, which
    /// add four products of bytes at once.
    vnni: bool,
}

impl Kernels {
    /// The kernels of `backend`; `None` if this processor cannot run them.
    pub(crate) fn new(backend: Backend) -> Option<Self> {
        let vnni = match backend {
            _ if cfg!(feature = "no-vnni") => false,
            #[cfg(target_arch = "x86_64")]
            Backend::Avx512 => is_x86_feature_detected!("avx512vnni"),
            #[cfg(target_arch = "x86_64")]
            Backend::Avx2 => is_x86_feature_detected!("avxvnni"),
            _ => false,
        };
        backend.is_supported().then_some(Self { backend, vnni })
    }

    /// These kernels as on a processor that has no VNNI instructions.
    #[cfg(test)]
    pub(crate) fn without_vnni(self) -> Self {
        Self { vnni: false, ..self }
    }

    /// True if 8-bit kernels are faster than those in floats. The portable
    /// ones are not: they are what the others are compared with.
    pub(crate) fn bytes_pay(self) -> bool {
        self.backend != Backend::Portable
    }

    /// True if 8-bit products are added in pairs in 16 bits: without VNNI.
    /// Weights must then be chosen so that no pair leaves those.
    pub(crate) fn adds_pairs(self) -> bool {
        self.backend != Backend::Portable && !self.vnni
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
        unsafe { run::conv_row(self, conv, &row) }
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

    /// One row of a dense 8-bit convolution to words; see [`Self::conv_row`].
    ///
    /// # Panics
    /// If a slice is too short for `pixels`.
    pub(crate) fn byte_conv_row_to_words(
        self,
        conv: &PackedByteConv,
        segments: &[&[u8]],
        step: usize,
        pixels: usize,
        out: &mut [i16],
    ) {
        self.any_byte_conv_row(conv, segments, step, pixels, Output::Words(out));
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
        unsafe { run::byte_conv_row(self, conv, &row) }
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
        // SAFETY: as in `conv_row`: `check` has compared every slice with
        // what the kernel reads and writes.
        unsafe { run::byte_depthwise_row(self, layer, rows, pixels, out) }
    }

    /// One row of a 16-bit depth-wise convolution; see
    /// [`Self::depthwise_row`].
    ///
    /// # Panics
    /// If a slice is too short for `pixels`.
    pub(crate) fn word_depthwise_row(
        self,
        layer: &PackedWordDepthwise,
        rows: [&[i16]; 3],
        pixels: usize,
        out: &mut [u8],
    ) {
        if pixels == 0 {
            return;
        }
        layer.check(self, rows, pixels, out);
        // SAFETY: as in `byte_depthwise_row`.
        unsafe { run::word_depthwise_row(self, layer, rows, pixels, out) }
    }

    /// `bytes = steps * floats + zero`, rounded and bounded; `steps` and
    /// `zero` repeat.
    pub(crate) fn quantise(self, floats: &[f32], steps: &[f32], zero: &[f32], bytes: &mut [u8]) {
        // SAFETY: the loop needs nothing but the backend's instructions.
        unsafe { run::quantise(self, floats, steps, zero, bytes) }
    }

    /// `sums = weight * row`, or `sums += weight * row` unless `first`, for
    /// as many as both have. Wraps, so weights should sum to 256 at most.
    pub(crate) fn weigh(self, sums: &mut [Sum], row: &[u8], weight: Sum, first: bool) {
        // SAFETY: the loop needs nothing but the backend's instructions.
        unsafe { run::weigh(self, sums, row, weight, first) }
    }

    /// A row of weighted sums, resized.
    ///
    /// # Panics
    /// If `sums` are fewer than [`Quads::sums`].
    pub(crate) fn squeeze(self, quads: &Quads, sums: &[Sum], out: &mut [u8]) {
        quads.check(sums);
        // SAFETY: `check` has compared the sums with what is read.
        unsafe { run::squeeze(self, quads, sums, out) }
    }

    /// What a row of chroma samples adds to the pixels of a row of twice as
    /// many pixels.
    pub(crate) fn spread(self, by: &ColourMatrix, blue: &[u8], red: &[u8], out: &mut ChromaRow) {
        // SAFETY: the loop needs nothing but the backend's instructions.
        unsafe { run::spread(self, by, blue, red, out) }
    }

    /// The 2x2 maximum of two rows of pixels of as many channels.
    pub(crate) fn max_pool(self, upper: &[u8], lower: &[u8], out: &mut [u8], channels: usize) {
        // SAFETY: the loop needs nothing but the backend's instructions.
        unsafe { run::max_pool(self, upper, lower, out, channels) }
    }

    /// A row of luma and its chroma as packed RGB, for as many pixels as all
    /// have.
    pub(crate) fn colour(self, by: &ColourMatrix, luma: &[u8], chroma: &ChromaRow, rgb: &mut [u8]) {
        // SAFETY: the loop needs nothing but the backend's instructions.
        unsafe { run::colour(self, by, luma, chroma, rgb) }
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
        // SAFETY: as in `byte_depthwise_row`.
        unsafe { run::depthwise_row(self, layer, rows, pixels, out) }
    }
}

/// The kernels, compiled for each instruction set, and the choice among them.
///
/// # Safety
/// All functions here need what the body they are named for asks of its
/// arguments; that the processor has the instructions is shown by `Kernels`.
mod run {
    use super::bytes::PortableBytes;
    #[cfg(target_arch = "x86_64")]
    use super::bytes::{Bytes256, Bytes512};
    use super::vector::Portable;
    use super::word_depthwise;
    use super::{Backend, ChromaRow, ColourMatrix, Kernels, Sum};
    use super::{PackedByteConv, PackedByteDepthwise, PackedConv, PackedDepthwise};
    use super::{PackedWordDepthwise, Quads};
    use super::{byte_conv, byte_depthwise, conv, depthwise, pixels, squeeze};
    #[cfg(target_arch = "x86_64")]
    use std::arch::x86_64::{__m256, __m512};

    /// `set` compiled with some instructions: `body`, for a type of register
    /// where it is generic.
    macro_rules! compiled {
        ($set:ident: $features:literal, [$($body:tt)+] ($($name:ident: $type:ty),*)) => {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = $features)]
            unsafe fn $set($($name: $type),*) {
                // SAFETY: the caller's promise is the callee's condition.
                #[allow(unused_unsafe, reason = "some bodies are safe")]
                unsafe { $($body)+($($name),*) }
            }
        };
    }

    /// A function that runs the body compiled for the backend's instructions.
    macro_rules! kernel {
        ($kernel:ident $arguments:tt = [$($body:tt)+] for floats) => {
            kernel!($kernel $arguments = [$($body)+::<__m512>], [$($body)+::<__m512>],
                [$($body)+::<__m256>], [$($body)+::<__m256>], [$($body)+::<Portable>]);
        };
        ($kernel:ident $arguments:tt = [$($body:tt)+] for bytes) => {
            kernel!($kernel $arguments = [$($body)+::<Bytes512<true>>],
                [$($body)+::<Bytes512<false>>], [$($body)+::<Bytes256<true>>],
                [$($body)+::<Bytes256<false>>], [$($body)+::<PortableBytes>]);
        };
        ($kernel:ident $arguments:tt = [$($body:tt)+] for all) => {
            kernel!($kernel $arguments = [$($body)+], [$($body)+], [$($body)+], [$($body)+],
                [$($body)+]);
        };
        ($kernel:ident ($($name:ident: $type:ty),*) = $avx512_vnni:tt, $avx512:tt,
         $avx2_vnni:tt, $avx2:tt, [$($portable:tt)+]) => {
            pub(super) unsafe fn $kernel(kernels: Kernels, $($name: $type),*) {
                compiled!(avx512_vnni: "avx512f,avx512bw,avx512vl,avx512vnni",
                    $avx512_vnni ($($name: $type),*));
                compiled!(avx512: "avx512f,avx512bw,avx512vl", $avx512 ($($name: $type),*));
                compiled!(avx2_vnni: "avx2,fma,avxvnni", $avx2_vnni ($($name: $type),*));
                compiled!(avx2: "avx2,fma", $avx2 ($($name: $type),*));
                // SAFETY: passed on; `kernels` shows that the processor has
                // the instructions.
                #[allow(unused_unsafe, reason = "some bodies are safe")]
                unsafe {
                    match kernels.backend {
                        #[cfg(target_arch = "x86_64")]
                        Backend::Avx512 if kernels.vnni => avx512_vnni($($name),*),
                        #[cfg(target_arch = "x86_64")]
                        Backend::Avx512 => avx512($($name),*),
                        #[cfg(target_arch = "x86_64")]
                        Backend::Avx2 if kernels.vnni => avx2_vnni($($name),*),
                        #[cfg(target_arch = "x86_64")]
                        Backend::Avx2 => avx2($($name),*),
                        _ => $($portable)+($($name),*),
                    }
                }
            }
        };
    }

    kernel!(conv_row(conv: &PackedConv, row: &conv::Row) = [conv::run_row] for floats);
    kernel!(depthwise_row(layer: &PackedDepthwise, rows: [&[f32]; 3], pixels: usize,
        out: &mut [f32]) = [depthwise::run_row] for floats);
    kernel!(byte_conv_row(conv: &PackedByteConv, row: &byte_conv::Row)
        = [byte_conv::run_row] for bytes);
    kernel!(byte_depthwise_row(layer: &PackedByteDepthwise, rows: [&[u8]; 3], pixels: usize,
        out: &mut [u8]) = [byte_depthwise::run_row] for bytes);
    kernel!(word_depthwise_row(layer: &PackedWordDepthwise, rows: [&[i16]; 3], pixels: usize,
        out: &mut [u8]) = [word_depthwise::run_row] for bytes);
    kernel!(quantise(floats: &[f32], steps: &[f32], zero: &[f32], bytes: &mut [u8])
        = [pixels::quantise] for all);
    kernel!(max_pool(upper: &[u8], lower: &[u8], out: &mut [u8], channels: usize)
        = [pixels::max_pool] for all);
    kernel!(weigh(sums: &mut [Sum], row: &[u8], weight: Sum, first: bool)
        = [pixels::weigh] for all);
    #[cfg(target_arch = "x86_64")]
    kernel!(squeeze(quads: &Quads, sums: &[Sum], out: &mut [u8])
        = [squeeze::wide], [squeeze::wide], [squeeze::wide], [squeeze::wide], [squeeze::narrow]);
    #[cfg(not(target_arch = "x86_64"))]
    kernel!(squeeze(quads: &Quads, sums: &[Sum], out: &mut [u8]) = [squeeze::narrow] for all);
    kernel!(spread(by: &ColourMatrix, blue: &[u8], red: &[u8], out: &mut ChromaRow)
        = [pixels::spread] for all);
    kernel!(colour(by: &ColourMatrix, luma: &[u8], chroma: &ChromaRow, rgb: &mut [u8])
        = [pixels::colour] for all);
}
