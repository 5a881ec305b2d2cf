//! Turning planes upright.

use fernseed_core::picture::Plane;
use fernseed_core::{Orientation, Size};

/// Copies a stored plane into an upright one.
///
/// `source` has rows of `stride` bytes that begin with `stored.width`
/// samples; `target` must have the turned size. Samples outside either are
/// left alone.
pub(super) fn copy_upright(
    source: &[u8],
    stride: usize,
    stored: Size,
    orientation: Orientation,
    target: &mut Plane,
) {
    let (width, height) = (stored.width as usize, stored.height as usize);
    let rows = |y: usize| source.get(y * stride..y * stride + width).unwrap_or(&[]);
    match orientation {
        Orientation::Upright | Orientation::FlipVertical => {
            for y in 0..target.rows.min(height) {
                let from =
                    rows(if orientation == Orientation::Upright { y } else { height - 1 - y });
                let to = target.row_mut(y);
                let n = to.len().min(from.len());
                to[..n].copy_from_slice(&from[..n]);
            }
        }
        Orientation::FlipHorizontal | Orientation::Rotate180 => {
            for y in 0..target.rows.min(height) {
                let flipped = orientation == Orientation::Rotate180;
                let from = rows(if flipped { height - 1 - y } else { y });
                for (to, from) in target.row_mut(y).iter_mut().zip(from.iter().rev()) {
                    *to = *from;
                }
            }
        }
        _ => transpose(source, stride, (width, height), orientation, target),
    }
}

/// Side of the square blocks that are turned at a time, so that both planes
/// stay in the first cache.
const BLOCK: usize = 32;

fn transpose(
    source: &[u8],
    stride: usize,
    (width, height): (usize, usize),
    orientation: Orientation,
    target: &mut Plane,
) {
    // Upright row = stored column and the other way round; `from_right` and
    // `from_bottom` say at which end each is counted.
    let (from_right, from_bottom) = match orientation {
        Orientation::Rotate90 => (false, true),
        Orientation::Rotate270 => (true, false),
        Orientation::Transverse => (true, true),
        _ => (false, false),
    };
    let (rows, columns) = (target.rows.min(width), target.row_bytes.min(height));
    for block_row in (0..rows).step_by(BLOCK) {
        for block_column in (0..columns).step_by(BLOCK) {
            let end = (block_column + BLOCK).min(columns);
            for y in block_row..(block_row + BLOCK).min(rows) {
                let x = if from_right { width - 1 - y } else { y };
                let row = target.row_mut(y);
                let Some(to) = row.get_mut(block_column..end) else { continue };
                for (i, to) in to.iter_mut().enumerate() {
                    let column = block_column + i;
                    let line = if from_bottom { height - 1 - column } else { column };
                    if let Some(&from) = source.get(line * stride + x) {
                        *to = from;
                    }
                }
            }
        }
    }
}

/// The orientation that a display matrix asks for, and whether it is exact.
///
/// `matrix` holds a, b, c, d of ISO/IEC 14496-12, 6.2.2: a stored point
/// `(x, y)` is shown at `(a x + c y, b x + d y)`, moved back into view.
/// Oblique matrices are rounded to the nearest quarter turn.
pub(super) fn from_matrix([a, b, c, d]: [i32; 4]) -> (Orientation, bool) {
    let straight = i64::from(a).abs() + i64::from(d).abs();
    let crossed = i64::from(b).abs() + i64::from(c).abs();
    if straight == 0 && crossed == 0 {
        return (Orientation::Upright, false);
    }
    let orientation = if straight >= crossed {
        match (a < 0, d < 0) {
            (false, false) => Orientation::Upright,
            (true, false) => Orientation::FlipHorizontal,
            (true, true) => Orientation::Rotate180,
            (false, true) => Orientation::FlipVertical,
        }
    } else {
        match (b < 0, c < 0) {
            (false, true) => Orientation::Rotate90,
            (true, false) => Orientation::Rotate270,
            (false, false) => Orientation::Transpose,
            (true, true) => Orientation::Transverse,
        }
    };
    // Fixed-point noise of a few units is not an oblique picture.
    let small = straight.min(crossed);
    (orientation, small * 1000 <= straight.max(crossed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_orientations_agree_with_the_definition() {
        for (width, height) in [(5_u32, 3_u32), (70, 41), (1, 1), (64, 64)] {
            let stored = Size::new(width, height);
            let stride = width as usize + 3;
            let source: Vec<u8> =
                (0..stride * height as usize).map(|i| (i * 31 % 251) as u8).collect();
            for exif in 1..=8 {
                let o = Orientation::from_exif(exif).unwrap();
                let up = o.apply_to_size(stored);
                let mut plane = Plane::filled(up.width as usize, up.height as usize, 0);
                copy_upright(&source, stride, stored, o, &mut plane);
                for y in 0..up.height {
                    for x in 0..up.width {
                        let (sx, sy) = o.stored_from_upright(x, y, stored);
                        let expected = source[sy as usize * stride + sx as usize];
                        assert_eq!(plane.row(y as usize)[x as usize], expected, "{o:?} {x} {y}");
                    }
                }
            }
        }
    }

    #[test]
    fn short_sources_do_not_panic() {
        for exif in 1..=8 {
            let o = Orientation::from_exif(exif).unwrap();
            let mut plane = Plane::filled(8, 8, 7);
            copy_upright(&[1, 2, 3], 4, Size::new(4, 4), o, &mut plane);
            assert_eq!(plane.row(7)[7], 7);
        }
    }

    #[test]
    fn matrices_of_cameras() {
        const ONE: i32 = 1 << 16;
        assert_eq!(from_matrix([ONE, 0, 0, ONE]), (Orientation::Upright, true));
        assert_eq!(from_matrix([0, ONE, -ONE, 0]), (Orientation::Rotate90, true));
        assert_eq!(from_matrix([-ONE, 0, 0, -ONE]), (Orientation::Rotate180, true));
        assert_eq!(from_matrix([0, -ONE, ONE, 0]), (Orientation::Rotate270, true));
        assert_eq!(from_matrix([-ONE, 0, 0, ONE]), (Orientation::FlipHorizontal, true));
        assert_eq!(from_matrix([ONE, 0, 0, -ONE]), (Orientation::FlipVertical, true));
        assert_eq!(from_matrix([0, ONE, ONE, 0]), (Orientation::Transpose, true));
        assert_eq!(from_matrix([0, -ONE, -ONE, 0]), (Orientation::Transverse, true));
        assert!(!from_matrix([ONE, ONE / 4, -ONE / 4, ONE]).1);
        assert_eq!(from_matrix([i32::MIN, 0, 0, i32::MIN]).0, Orientation::Rotate180);
    }
}
