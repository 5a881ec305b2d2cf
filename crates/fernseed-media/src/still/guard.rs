//! Bounds that hold for every format: size before memory, and no panic of a
//! third-party decoder past this crate.

use super::StillError;
use fernseed_core::Size;
use fernseed_core::limits::Limits;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The size, if the limits allow it.
pub(super) fn allowed(
    width: impl Into<u64>,
    height: impl Into<u64>,
    limits: &Limits,
) -> Result<Size, StillError> {
    let (width, height) = (width.into(), height.into());
    let size = u32::try_from(width).ok().zip(u32::try_from(height).ok());
    match size.map(|(w, h)| Size::new(w, h)) {
        Some(size) if limits.allow(size) => Ok(size),
        _ => Err(StillError::TooLarge { width, height }),
    }
}

/// Bytes of a packed picture; `TooLarge` if they cannot be counted.
pub(super) fn packed_len(size: Size, bytes_per_pixel: usize) -> Result<usize, StillError> {
    usize::try_from(size.pixels())
        .ok()
        .and_then(|pixels| pixels.checked_mul(bytes_per_pixel))
        .ok_or(StillError::TooLarge { width: size.width.into(), height: size.height.into() })
}

/// A zeroed buffer, or `Limit` if there is no memory for it.
pub(super) fn zeroed<T: Clone + Default>(len: usize) -> Result<Vec<T>, StillError> {
    let mut buffer = Vec::new();
    // The reservation is the fallible part; the error says no more than that.
    if buffer.try_reserve_exact(len).is_err() {
        return Err(StillError::Limit { what: "memory" });
    }
    buffer.resize(len, T::default());
    Ok(buffer)
}

/// Runs a third-party decoder; a panic inside it becomes `Damaged`.
///
/// The process that runs this is disposable, so the half-written state a
/// panic may leave behind is never looked at again: the error ends the file.
pub(super) fn guarded<T>(
    decoder: &str,
    run: impl FnOnce() -> Result<T, StillError>,
) -> Result<T, StillError> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        Err(StillError::damaged(format!("the {decoder} decoder gave up on it")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bombs_are_refused_by_their_size() {
        let limits = Limits::default();
        assert!(allowed(4000_u32, 3000_u32, &limits).is_ok());
        for (w, h) in [(60_000_u64, 60_000_u64), (0, 5), (1 << 40, 1)] {
            let refused = allowed(w, h, &limits);
            assert!(matches!(refused, Err(StillError::TooLarge { width, height })
                if width == w && height == h));
        }
    }

    #[test]
    fn a_panic_becomes_an_error() {
        let result: Result<(), _> = guarded("test", || {
            let empty: [u8; 0] = [];
            let index = std::hint::black_box(3);
            assert!(empty[index] == 0);
            Ok(())
        });
        assert!(matches!(result, Err(StillError::Damaged { what }) if what.contains("test")));
    }
}
