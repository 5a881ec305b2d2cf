//! A register of bytes, as far as the 8-bit kernels need one.
//!
//! All shuffling but [`ByteVector::gather`] stays within lanes of 128 bits,
//! as on x86. Two registers of 32-bit sums become one of 16-bit words by
//! [`ByteVector::pack_sums`], two of those one of bytes by
//! [`ByteVector::pack_words`]; in which order is said by [`column`], and the
//! weights are packed in that order, so that most is never reordered at run
//! time.

use super::vector::{Portable, Vector};

/// The column (byte of the result) that element `element` of sum `sum` of a
/// group of `sums` becomes when the group is packed and stored.
pub(super) fn column(sum: usize, element: usize, sums: usize) -> usize {
    4 * sums * (element / 4) + 4 * sum + element % 4
}

/// The sum of a pair, and its element, that word `word` of the pair packed by
/// [`ByteVector::pack_sums`] comes from.
pub(super) fn sum_of_word(word: usize) -> (usize, usize) {
    (word / 4 % 2, word / 8 * 4 + word % 4)
}

/// What a sum starts with that gets `bias` and is shifted right: half a step
/// more makes rounding down rounding.
pub(super) fn start_of_sum(bias: f32, shift: i32) -> i32 {
    (bias.round() as i32).saturating_add((1 << shift) >> 1)
}

/// A SIMD register of bytes, of half as many 16-bit words, or of a quarter as
/// many 32-bit sums.
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
    /// signed ones. Exact if the weights are what
    /// [`super::Kernels::adds_pairs`] wants.
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
    /// Stores what came from the first `sums` of four packed registers.
    ///
    /// # Safety
    /// `BYTES / 4 * sums` bytes must be writable at `to`; any alignment.
    /// `sums` must be 1, 2 or 4.
    unsafe fn store(self, to: *mut u8, sums: usize);
    /// Stores half of a register here and the other there.
    ///
    /// # Safety
    /// `BYTES / 2` bytes must be writable at both; any alignment.
    unsafe fn store_halves(self, lower: *mut u8, upper: *mut u8);
    /// Brings together what lanes have in common: where `4 / sums` pixels of
    /// `sums` sums each have been packed side by side, the whole first pixel
    /// comes first, then the second. `sums` must be 1, 2 or 4.
    ///
    /// # Safety
    /// See the trait.
    unsafe fn gather(self, sums: usize) -> Self;
    /// 32-bit sums shifted right, rounding down, each by its own distance.
    ///
    /// # Safety
    /// See the trait.
    unsafe fn shift(self, by: Self) -> Self;
    /// 32-bit sums as words, bounded, in the order of [`column`].
    ///
    /// # Safety
    /// See the trait.
    unsafe fn pack_sums(self, other: Self) -> Self;
    /// Words as bytes, bounded, in the order of [`column`] with two words for
    /// a sum.
    ///
    /// # Safety
    /// See the trait.
    unsafe fn pack_words(self, other: Self) -> Self;
    /// Products of words as fractions of `1 / 2^15`, rounded to nearest. Not
    /// both may be `-2^15`.
    ///
    /// # Safety
    /// See the trait.
    unsafe fn times(self, other: Self) -> Self;
    /// Sums of words, bounded.
    ///
    /// # Safety
    /// See the trait.
    unsafe fn plus(self, other: Self) -> Self;
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
    #[inline(always)]
    fn words(self) -> [i16; 8] {
        let (pairs, _) = self.0.as_chunks::<2>();
        std::array::from_fn(|i| i16::from_le_bytes(pairs[i]))
    }
    #[inline(always)]
    fn of_words(words: [i16; 8]) -> Self {
        Self(std::array::from_fn(|i| words[i / 2].to_le_bytes()[i % 2]))
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
    unsafe fn store(self, to: *mut u8, sums: usize) {
        // SAFETY: the caller vouches for `4 * sums <= 16` writable bytes.
        unsafe { std::ptr::copy_nonoverlapping(self.0.as_ptr(), to, 4 * sums) }
    }
    #[inline(always)]
    unsafe fn store_halves(self, lower: *mut u8, upper: *mut u8) {
        let (low, high) = self.0.split_at(8);
        // SAFETY: the caller vouches for eight writable bytes at each.
        unsafe {
            std::ptr::copy_nonoverlapping(low.as_ptr(), lower, 8);
            std::ptr::copy_nonoverlapping(high.as_ptr(), upper, 8);
        }
    }
    #[inline(always)]
    unsafe fn gather(self, _: usize) -> Self {
        // There is but one lane.
        self
    }
    #[inline(always)]
    unsafe fn shift(self, by: Self) -> Self {
        let (sums, by) = (self.sums(), by.sums());
        Self(std::array::from_fn(|i| (sums[i / 4] >> (by[i / 4] & 31)).to_le_bytes()[i % 4]))
    }
    #[inline(always)]
    unsafe fn pack_sums(self, other: Self) -> Self {
        let (a, b) = (self.sums(), other.sums());
        let bounded = |sum: i32| sum.clamp(i16::MIN.into(), i16::MAX.into()) as i16;
        Self::of_words(std::array::from_fn(|i| bounded(if i < 4 { a[i] } else { b[i - 4] })))
    }
    #[inline(always)]
    unsafe fn pack_words(self, other: Self) -> Self {
        let (a, b) = (self.words(), other.words());
        let bounded = |word: i16| word.clamp(0, 255) as u8;
        Self(std::array::from_fn(|i| bounded(if i < 8 { a[i] } else { b[i - 8] })))
    }
    #[inline(always)]
    unsafe fn times(self, other: Self) -> Self {
        let (a, b) = (self.words(), other.words());
        let product = |i: usize| i32::from(a[i]) * i32::from(b[i]);
        Self::of_words(std::array::from_fn(|i| ((product(i) + (1 << 14)) >> 15) as i16))
    }
    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        let (a, b) = (self.words(), other.words());
        Self::of_words(std::array::from_fn(|i| a[i].saturating_add(b[i])))
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Bytes256, Bytes512};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::ByteVector;
    use std::arch::x86_64::*;

    /// A register of AVX2, with or without the instructions of AVX-VNNI.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Bytes256<const VNNI: bool>(__m256i);

    /// A register of AVX-512, with or without the VNNI instructions.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Bytes512<const VNNI: bool>(__m512i);

    /// Methods that are one instruction: `name(arguments) -> result = it`.
    macro_rules! instructions {
        ($($name:ident($($other:ident)?) = $instruction:ident;)*) => {$(
            #[inline(always)]
            unsafe fn $name(self $(, $other: Self)?) -> Self {
                // SAFETY: the caller vouches for the instructions.
                unsafe { Self($instruction(self.0 $(, $other.0)?)) }
            }
        )*};
    }

    /// What both registers do alike, by intrinsics of different names.
    macro_rules! alike {
        ($floats:ident, $zero:ident, $load:ident, $splat:ident, $low_bytes:ident,
         $high_bytes:ident, $low_pairs:ident, $high_pairs:ident, $to_floats:ident,
         $pack_sums:ident, $pack_words:ident, $shift:ident, $times:ident,
         $plus:ident, $dot:ident, $pairs:ident, $widen:ident, $ones:ident, $add:ident) => {
            type Floats = $floats;

            #[inline(always)]
            unsafe fn dot(self, unsigned: Self, signed: Self) -> Self {
                // SAFETY: the caller vouches for the instructions.
                unsafe {
                    if VNNI {
                        return Self($dot(self.0, unsigned.0, signed.0));
                    }
                    let quads = $widen($pairs(unsigned.0, signed.0), $ones(1));
                    Self($add(self.0, quads))
                }
            }

            #[inline(always)]
            unsafe fn zero() -> Self {
                // SAFETY: the caller vouches for the instructions.
                unsafe { Self($zero()) }
            }
            #[inline(always)]
            unsafe fn load(from: *const u8) -> Self {
                // SAFETY: the caller vouches for address and instructions.
                unsafe { Self($load(from.cast())) }
            }
            #[inline(always)]
            unsafe fn splat_quad(from: *const u8) -> Self {
                // SAFETY: the caller vouches for address and instructions.
                unsafe { Self($splat(from.cast::<i32>().read_unaligned())) }
            }
            #[inline(always)]
            unsafe fn zip_bytes(self, other: Self) -> [Self; 2] {
                // SAFETY: the caller vouches for the instructions.
                unsafe { [Self($low_bytes(self.0, other.0)), Self($high_bytes(self.0, other.0))] }
            }
            #[inline(always)]
            unsafe fn zip_pairs(self, other: Self) -> [Self; 2] {
                // SAFETY: the caller vouches for the instructions.
                unsafe { [Self($low_pairs(self.0, other.0)), Self($high_pairs(self.0, other.0))] }
            }
            #[inline(always)]
            unsafe fn to_floats(self) -> $floats {
                // SAFETY: the caller vouches for the instructions.
                unsafe { $to_floats(self.0) }
            }
            instructions! {
                shift(by) = $shift;
                pack_sums(other) = $pack_sums;
                pack_words(other) = $pack_words;
                times(other) = $times;
                plus(other) = $plus;
            }
        };
    }

    // SAFETY: the unaligned loads and stores touch what the trait says.
    unsafe impl<const VNNI: bool> ByteVector for Bytes256<VNNI> {
        alike!(
            __m256,
            _mm256_setzero_si256,
            _mm256_loadu_si256,
            _mm256_set1_epi32,
            _mm256_unpacklo_epi8,
            _mm256_unpackhi_epi8,
            _mm256_unpacklo_epi16,
            _mm256_unpackhi_epi16,
            _mm256_cvtepi32_ps,
            _mm256_packs_epi32,
            _mm256_packus_epi16,
            _mm256_srav_epi32,
            _mm256_mulhrs_epi16,
            _mm256_adds_epi16,
            _mm256_dpbusd_avx_epi32,
            _mm256_maddubs_epi16,
            _mm256_madd_epi16,
            _mm256_set1_epi16,
            _mm256_add_epi32
        );
        #[inline(always)]
        unsafe fn store(self, to: *mut u8, sums: usize) {
            // SAFETY: the caller vouches for the instructions and for the
            // 32, 16 or 8 bytes stored.
            unsafe {
                let gathered = self.gather(sums).0;
                match sums {
                    4 => _mm256_storeu_si256(to.cast(), gathered),
                    2 => _mm_storeu_si128(to.cast(), _mm256_castsi256_si128(gathered)),
                    _ => _mm_storel_epi64(to.cast(), _mm256_castsi256_si128(gathered)),
                }
            }
        }
        #[inline(always)]
        unsafe fn store_halves(self, lower: *mut u8, upper: *mut u8) {
            // SAFETY: the caller vouches for addresses and instructions.
            unsafe {
                _mm_storeu_si128(lower.cast(), _mm256_castsi256_si128(self.0));
                _mm_storeu_si128(upper.cast(), _mm256_extracti128_si256::<1>(self.0));
            }
        }
        #[inline(always)]
        unsafe fn gather(self, sums: usize) -> Self {
            // SAFETY: the caller vouches for the instructions.
            unsafe {
                match sums {
                    4 => self,
                    2 => Self(_mm256_permute4x64_epi64::<0b11_01_10_00>(self.0)),
                    _ => {
                        let from = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
                        Self(_mm256_permutevar8x32_epi32(self.0, from))
                    }
                }
            }
        }
    }

    // SAFETY: the unaligned loads and stores touch what the trait says.
    unsafe impl<const VNNI: bool> ByteVector for Bytes512<VNNI> {
        alike!(
            __m512,
            _mm512_setzero_si512,
            _mm512_loadu_si512,
            _mm512_set1_epi32,
            _mm512_unpacklo_epi8,
            _mm512_unpackhi_epi8,
            _mm512_unpacklo_epi16,
            _mm512_unpackhi_epi16,
            _mm512_cvtepi32_ps,
            _mm512_packs_epi32,
            _mm512_packus_epi16,
            _mm512_srav_epi32,
            _mm512_mulhrs_epi16,
            _mm512_adds_epi16,
            _mm512_dpbusd_epi32,
            _mm512_maddubs_epi16,
            _mm512_madd_epi16,
            _mm512_set1_epi16,
            _mm512_add_epi32
        );
        #[inline(always)]
        unsafe fn store(self, to: *mut u8, sums: usize) {
            // SAFETY: the caller vouches for the instructions and for the
            // 64, 32 or 16 bytes stored.
            unsafe {
                let gathered = self.gather(sums).0;
                match sums {
                    4 => _mm512_storeu_si512(to.cast(), gathered),
                    2 => _mm256_storeu_si256(to.cast(), _mm512_castsi512_si256(gathered)),
                    _ => _mm_storeu_si128(to.cast(), _mm512_castsi512_si128(gathered)),
                }
            }
        }
        #[inline(always)]
        unsafe fn store_halves(self, lower: *mut u8, upper: *mut u8) {
            // SAFETY: the caller vouches for addresses and instructions.
            unsafe {
                _mm256_storeu_si256(lower.cast(), _mm512_castsi512_si256(self.0));
                _mm256_storeu_si256(upper.cast(), _mm512_extracti64x4_epi64::<1>(self.0));
            }
        }
        #[inline(always)]
        unsafe fn gather(self, sums: usize) -> Self {
            // SAFETY: the caller vouches for the instructions.
            unsafe {
                match sums {
                    4 => self,
                    2 => {
                        let from = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
                        Self(_mm512_permutexvar_epi64(from, self.0))
                    }
                    _ => {
                        let from =
                            _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
                        Self(_mm512_permutexvar_epi32(from, self.0))
                    }
                }
            }
        }
    }
}
