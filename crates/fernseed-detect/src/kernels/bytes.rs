//! A register of bytes, as far as the 8-bit kernels need one.
//!
//! All shuffling stays within lanes of 128 bits, as on x86. Four registers
//! of 32-bit sums become one of bytes by [`ByteVector::pack`]; in which order
//! is said by [`column`], and the weights are packed in that order, so that
//! nothing is ever reordered at run time.

use super::vector::{Portable, Vector};

/// The column (byte of the result) that element `element` of sum `sum` of a
/// group of `sums` becomes when the group is packed and stored.
pub(super) fn column(sum: usize, element: usize, sums: usize) -> usize {
    4 * sums * (element / 4) + 4 * sum + element % 4
}

/// A SIMD register of bytes.
///
/// # Safety
/// Implementations must read and write exactly what each method says. All
/// methods but those of [`PortableBytes`] may be called only where the
/// processor has the instructions of the type.
pub(super) unsafe trait ByteVector: Copy {
    /// As many floats as a register has 32-bit elements.
    type Floats: Vector;
    /// Bytes in a register.
    const BYTES: usize = 4 * Self::Floats::LANES;

    /// # Safety
    /// See the trait.
    unsafe fn zero() -> Self;
    /// # Safety
    /// `BYTES` bytes must be readable at `from`; any alignment.
    unsafe fn load(from: *const u8) -> Self;
    /// Four bytes, repeated.
    ///
    /// # Safety
    /// Four bytes must be readable at `from`; any alignment.
    unsafe fn splat_quad(from: *const u8) -> Self;
    /// Adds to each 32-bit sum the products of four unsigned bytes and four
    /// signed ones. Exact if no signed byte exceeds
    /// [`super::Kernels::weight_limit`].
    ///
    /// # Safety
    /// See the trait.
    unsafe fn dot(self, unsigned: Self, signed: Self) -> Self;
    /// Bytes of both in turn: those of the lower and of the upper half.
    ///
    /// # Safety
    /// See the trait.
    unsafe fn zip_bytes(self, other: Self) -> [Self; 2];
    /// Pairs of bytes of both in turn.
    ///
    /// # Safety
    /// See the trait.
    unsafe fn zip_pairs(self, other: Self) -> [Self; 2];
    /// The 32-bit sums as floats.
    ///
    /// # Safety
    /// See the trait.
    unsafe fn to_floats(self) -> Self::Floats;
    /// Rounds to the nearest whole numbers, ties to even, bounded by 0 and
    /// 255, in the order of [`column`].
    ///
    /// # Safety
    /// See the trait.
    unsafe fn pack(from: [Self::Floats; 4]) -> Self;
    /// Stores what came from the first `sums` of four packed registers.
    ///
    /// # Safety
    /// `BYTES / 4 * sums` bytes must be writable at `to`; any alignment.
    /// `sums` must be 1, 2 or 4.
    unsafe fn store(self, to: *mut u8, sums: usize);
}

/// Sixteen bytes in plain Rust.
#[derive(Clone, Copy)]
pub(super) struct PortableBytes([u8; 16]);

impl PortableBytes {
    #[inline(always)]
    fn sums(self) -> [i32; 4] {
        let (quads, _) = self.0.as_chunks::<4>();
        std::array::from_fn(|i| i32::from_le_bytes(quads[i]))
    }
}

// SAFETY: all accesses are unaligned ones of arrays of the stated size.
unsafe impl ByteVector for PortableBytes {
    type Floats = Portable;

    #[inline(always)]
    unsafe fn zero() -> Self {
        Self([0; 16])
    }
    #[inline(always)]
    unsafe fn load(from: *const u8) -> Self {
        // SAFETY: the caller vouches for sixteen readable bytes.
        Self(unsafe { from.cast::<[u8; 16]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn splat_quad(from: *const u8) -> Self {
        // SAFETY: the caller vouches for four readable bytes.
        let quad = unsafe { from.cast::<[u8; 4]>().read_unaligned() };
        Self(std::array::from_fn(|i| quad[i % 4]))
    }
    #[inline(always)]
    unsafe fn dot(self, unsigned: Self, signed: Self) -> Self {
        let sums = self.sums();
        let mut out = [0; 16];
        for i in 0..4 {
            let mut sum = sums[i];
            for j in 4 * i..4 * i + 4 {
                let product = i32::from(unsigned.0[j]) * i32::from(signed.0[j] as i8);
                sum = sum.wrapping_add(product);
            }
            out[4 * i..4 * i + 4].copy_from_slice(&sum.to_le_bytes());
        }
        Self(out)
    }
    #[inline(always)]
    unsafe fn zip_bytes(self, other: Self) -> [Self; 2] {
        let at = |i: usize| if i.is_multiple_of(2) { self.0[i / 2] } else { other.0[i / 2] };
        [0, 16].map(|half| Self(std::array::from_fn(|i| at(half + i))))
    }
    #[inline(always)]
    unsafe fn zip_pairs(self, other: Self) -> [Self; 2] {
        let at = |i: usize| {
            let from = if (i / 2).is_multiple_of(2) { self.0 } else { other.0 };
            from[i / 4 * 2 + i % 2]
        };
        [0, 16].map(|half| Self(std::array::from_fn(|i| at(half + i))))
    }
    #[inline(always)]
    unsafe fn to_floats(self) -> Portable {
        let floats = self.sums().map(|sum| sum as f32);
        // SAFETY: four floats, as the register has.
        unsafe { Portable::load(floats.as_ptr()) }
    }
    #[inline(always)]
    unsafe fn pack(from: [Portable; 4]) -> Self {
        let mut floats = [0.0_f32; 16];
        for (quad, register) in floats.chunks_exact_mut(4).zip(from) {
            // SAFETY: a chunk of four floats.
            unsafe { register.store(quad.as_mut_ptr()) };
        }
        // The cast saturates.
        Self(floats.map(|value| value.round_ties_even() as u8))
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut u8, sums: usize) {
        // SAFETY: the caller vouches for `4 * sums <= 16` writable bytes.
        unsafe { std::ptr::copy_nonoverlapping(self.0.as_ptr(), to, 4 * sums) }
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Bytes256, Bytes512};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::ByteVector;
    use std::arch::x86_64::*;

    /// A register of AVX2.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Bytes256(__m256i);

    // SAFETY: the unaligned loads and stores touch what the trait says.
    unsafe impl ByteVector for Bytes256 {
        type Floats = __m256;

        #[inline(always)]
        unsafe fn zero() -> Self {
            // SAFETY: the caller vouches for the instructions.
            unsafe { Self(_mm256_setzero_si256()) }
        }
        #[inline(always)]
        unsafe fn load(from: *const u8) -> Self {
            // SAFETY: the caller vouches for address and instructions.
            unsafe { Self(_mm256_loadu_si256(from.cast())) }
        }
        #[inline(always)]
        unsafe fn splat_quad(from: *const u8) -> Self {
            // SAFETY: the caller vouches for address and instructions.
            unsafe { Self(_mm256_set1_epi32(from.cast::<i32>().read_unaligned())) }
        }
        #[inline(always)]
        unsafe fn dot(self, unsigned: Self, signed: Self) -> Self {
            // SAFETY: the caller vouches for the instructions. Two products
            // of 255 and at most 63 fit in 16 bits.
            unsafe {
                let pairs = _mm256_maddubs_epi16(unsigned.0, signed.0);
                let quads = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
                Self(_mm256_add_epi32(self.0, quads))
            }
        }
        #[inline(always)]
        unsafe fn zip_bytes(self, other: Self) -> [Self; 2] {
            // SAFETY: the caller vouches for the instructions.
            unsafe {
                [
                    Self(_mm256_unpacklo_epi8(self.0, other.0)),
                    Self(_mm256_unpackhi_epi8(self.0, other.0)),
                ]
            }
        }
        #[inline(always)]
        unsafe fn zip_pairs(self, other: Self) -> [Self; 2] {
            // SAFETY: the caller vouches for the instructions.
            unsafe {
                [
                    Self(_mm256_unpacklo_epi16(self.0, other.0)),
                    Self(_mm256_unpackhi_epi16(self.0, other.0)),
                ]
            }
        }
        #[inline(always)]
        unsafe fn to_floats(self) -> __m256 {
            // SAFETY: the caller vouches for the instructions.
            unsafe { _mm256_cvtepi32_ps(self.0) }
        }
        #[inline(always)]
        unsafe fn pack([a, b, c, d]: [__m256; 4]) -> Self {
            // SAFETY: the caller vouches for the instructions.
            unsafe {
                let ab = _mm256_packs_epi32(_mm256_cvtps_epi32(a), _mm256_cvtps_epi32(b));
                let cd = _mm256_packs_epi32(_mm256_cvtps_epi32(c), _mm256_cvtps_epi32(d));
                Self(_mm256_packus_epi16(ab, cd))
            }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut u8, sums: usize) {
            // SAFETY: the caller vouches for the instructions and for the
            // 32, 16 or 8 bytes stored.
            unsafe {
                match sums {
                    4 => _mm256_storeu_si256(to.cast(), self.0),
                    2 => {
                        let halves = _mm256_permute4x64_epi64::<0b1000>(self.0);
                        _mm_storeu_si128(to.cast(), _mm256_castsi256_si128(halves));
                    }
                    _ => {
                        let from = _mm256_setr_epi32(0, 4, 0, 0, 0, 0, 0, 0);
                        let quarters = _mm256_permutevar8x32_epi32(self.0, from);
                        _mm_storel_epi64(to.cast(), _mm256_castsi256_si128(quarters));
                    }
                }
            }
        }
    }

    /// A register of AVX-512, with or without the VNNI instructions.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Bytes512<const VNNI: bool>(__m512i);

    // SAFETY: the unaligned loads and stores touch what the trait says.
    unsafe impl<const VNNI: bool> ByteVector for Bytes512<VNNI> {
        type Floats = __m512;

        #[inline(always)]
        unsafe fn zero() -> Self {
            // SAFETY: the caller vouches for the instructions.
            unsafe { Self(_mm512_setzero_si512()) }
        }
        #[inline(always)]
        unsafe fn load(from: *const u8) -> Self {
            // SAFETY: the caller vouches for address and instructions.
            unsafe { Self(_mm512_loadu_si512(from.cast())) }
        }
        #[inline(always)]
        unsafe fn splat_quad(from: *const u8) -> Self {
            // SAFETY: the caller vouches for address and instructions.
            unsafe { Self(_mm512_set1_epi32(from.cast::<i32>().read_unaligned())) }
        }
        #[inline(always)]
        unsafe fn dot(self, unsigned: Self, signed: Self) -> Self {
            // SAFETY: the caller vouches for the instructions. Without VNNI,
            // two products of 255 and at most 63 fit in 16 bits.
            unsafe {
                if VNNI {
                    return Self(_mm512_dpbusd_epi32(self.0, unsigned.0, signed.0));
                }
                let pairs = _mm512_maddubs_epi16(unsigned.0, signed.0);
                let quads = _mm512_madd_epi16(pairs, _mm512_set1_epi16(1));
                Self(_mm512_add_epi32(self.0, quads))
            }
        }
        #[inline(always)]
        unsafe fn zip_bytes(self, other: Self) -> [Self; 2] {
            // SAFETY: the caller vouches for the instructions.
            unsafe {
                [
                    Self(_mm512_unpacklo_epi8(self.0, other.0)),
                    Self(_mm512_unpackhi_epi8(self.0, other.0)),
                ]
            }
        }
        #[inline(always)]
        unsafe fn zip_pairs(self, other: Self) -> [Self; 2] {
            // SAFETY: the caller vouches for the instructions.
            unsafe {
                [
                    Self(_mm512_unpacklo_epi16(self.0, other.0)),
                    Self(_mm512_unpackhi_epi16(self.0, other.0)),
                ]
            }
        }
        #[inline(always)]
        unsafe fn to_floats(self) -> __m512 {
            // SAFETY: the caller vouches for the instructions.
            unsafe { _mm512_cvtepi32_ps(self.0) }
        }
        #[inline(always)]
        unsafe fn pack([a, b, c, d]: [__m512; 4]) -> Self {
            // SAFETY: the caller vouches for the instructions.
            unsafe {
                let ab = _mm512_packs_epi32(_mm512_cvtps_epi32(a), _mm512_cvtps_epi32(b));
                let cd = _mm512_packs_epi32(_mm512_cvtps_epi32(c), _mm512_cvtps_epi32(d));
                Self(_mm512_packus_epi16(ab, cd))
            }
        }
        #[inline(always)]
        unsafe fn store(self, to: *mut u8, sums: usize) {
            // SAFETY: the caller vouches for the instructions and for the
            // 64, 32 or 16 bytes stored.
            unsafe {
                match sums {
                    4 => _mm512_storeu_si512(to.cast(), self.0),
                    2 => {
                        let halves = _mm512_maskz_compress_epi64(0b0101_0101, self.0);
                        _mm256_storeu_si256(to.cast(), _mm512_castsi512_si256(halves));
                    }
                    _ => {
                        let quarters = _mm512_maskz_compress_epi32(0x1111, self.0);
                        _mm_storeu_si128(to.cast(), _mm512_castsi512_si128(quarters));
                    }
                }
            }
        }
    }
}
