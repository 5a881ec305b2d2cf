//! A register of floats, as far as the kernels need one.

/// A SIMD register of `f32` lanes.
///
/// # Safety
/// Implementations must read and write exactly `LANES` floats at the given
/// address. All methods but those of [`Portable`] may be called only where
/// the processor has the instructions of the type.
pub(super) unsafe trait Vector: Copy {
    /// Floats in a register.
    const LANES: usize;
    /// True if the instruction set has 32 registers rather than 16.
    const WIDE: bool;

    /// # Safety
    /// `LANES` floats must be readable at `from`; any alignment.
    unsafe fn load(from: *const f32) -> Self;
    /// # Safety
    /// `LANES` floats must be writable at `to`; any alignment.
    unsafe fn store(self, to: *mut f32);
    /// # Safety
    /// See the trait.
    unsafe fn splat(value: f32) -> Self;
    /// `self * b + c`.
    ///
    /// # Safety
    /// See the trait.
    unsafe fn mul_add(self, b: Self, c: Self) -> Self;
    /// # Safety
    /// See the trait.
    unsafe fn add(self, other: Self) -> Self;
    /// # Safety
    /// See the trait.
    unsafe fn max(self, other: Self) -> Self;
}

#[cfg(target_arch = "x86_64")]
macro_rules! x86_vector {
    ($type:ty, $lanes:expr, $wide:expr, $load:ident, $store:ident, $splat:ident, $fma:ident, $add:ident, $max:ident) => {
        // SAFETY: the unaligned load and store touch exactly one register's
        // worth of floats.
        unsafe impl Vector for $type {
            const LANES: usize = $lanes;
            const WIDE: bool = $wide;
            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self {
                // SAFETY: the caller vouches for address and instructions.
                unsafe { std::arch::x86_64::$load(from) }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut f32) {
                // SAFETY: the caller vouches for address and instructions.
                unsafe { std::arch::x86_64::$store(to, self) }
            }
            #[inline(always)]
            unsafe fn splat(value: f32) -> Self {
                // SAFETY: the caller vouches for the instructions.
                unsafe { std::arch::x86_64::$splat(value) }
            }
            #[inline(always)]
            unsafe fn mul_add(self, b: Self, c: Self) -> Self {
                // SAFETY: the caller vouches for the instructions.
                unsafe { std::arch::x86_64::$fma(self, b, c) }
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: the caller vouches for the instructions.
                unsafe { std::arch::x86_64::$add(self, other) }
            }
            #[inline(always)]
            unsafe fn max(self, other: Self) -> Self {
                // SAFETY: the caller vouches for the instructions.
                unsafe { std::arch::x86_64::$max(self, other) }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
x86_vector!(
    std::arch::x86_64::__m512,
    16,
    true,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_set1_ps,
    _mm512_fmadd_ps,
    _mm512_add_ps,
    _mm512_max_ps
);
#[cfg(target_arch = "x86_64")]
x86_vector!(
    std::arch::x86_64::__m256,
    8,
    false,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_set1_ps,
    _mm256_fmadd_ps,
    _mm256_add_ps,
    _mm256_max_ps
);

/// Four floats in plain Rust, which the compiler turns into SSE or NEON.
#[derive(Clone, Copy)]
pub(super) struct Portable([f32; 4]);

// SAFETY: load and store go through one unaligned access of `[f32; 4]`.
unsafe impl Vector for Portable {
    const LANES: usize = 4;
    const WIDE: bool = false;

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller vouches for four readable floats.
        Self(unsafe { from.cast::<[f32; 4]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller vouches for four writable floats.
        unsafe { to.cast::<[f32; 4]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self([value; 4])
    }
    #[inline(always)]
    unsafe fn mul_add(self, b: Self, c: Self) -> Self {
        let mut out = c.0;
        for (o, (a, b)) in out.iter_mut().zip(self.0.iter().zip(b.0)) {
            // A fused operation is a library call on x86 without FMA.
            *o = if cfg!(target_arch = "aarch64") { a.mul_add(b, *o) } else { a * b + *o };
        }
        Self(out)
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        let mut out = self.0;
        for (o, v) in out.iter_mut().zip(other.0) {
            *o += v;
        }
        Self(out)
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        let mut out = self.0;
        for (o, v) in out.iter_mut().zip(other.0) {
            // Not `f32::max`: its rules for NaN cost extra instructions.
            *o = if *o > v { *o } else { v };
        }
        Self(out)
    }
}
