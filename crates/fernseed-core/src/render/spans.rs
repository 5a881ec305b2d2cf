//! Which samples of a picture a shape covers, row by row.

use crate::geometry::{Rect, Size};
use crate::policy::Shape;

/// A covered run of one row, or of a band of `step` rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowSpan {
    /// The row, or the first row of the band; a multiple of `step`.
    pub(super) y: usize,
    /// First covered column; a multiple of `step`.
    pub(super) x0: usize,
    /// One past the last covered column; a multiple of `step` or the width.
    pub(super) x1: usize,
}

/// Runs that cover every pixel which the shape touches at all, rounded
/// outwards to blocks of `step` by `step` pixels and cut at the picture.
pub(super) fn rows(
    rect: Rect,
    shape: Shape,
    size: Size,
    step: usize,
) -> impl Iterator<Item = RowSpan> {
    let (width, height) = (size.width as usize, size.height as usize);
    let inside = rect.intersection(size.rect());
    let (first, last) = if inside.is_proper() {
        (inside.top.floor() as usize / step * step, (inside.bottom.ceil() as usize).min(height))
    } else {
        (0, 0)
    };
    let (cx, cy) = rect.centre();
    let (a, b) = (rect.width() / 2.0, rect.height() / 2.0);
    (first..last).step_by(step).filter_map(move |y| {
        let (left, right) = match shape {
            Shape::Box => (rect.left, rect.right),
            Shape::Ellipse => {
                // The widest chord inside the band decides.
                let (top, bottom) = (y as f32, (y + step) as f32);
                let dy = if cy < top {
                    top - cy
                } else if cy > bottom {
                    cy - bottom
                } else {
                    0.0
                };
                if dy >= b {
                    return None;
                }
                let half = a * (1.0 - (dy / b) * (dy / b)).max(0.0).sqrt();
                (cx - half, cx + half)
            }
        };
        let column = |x: f32| x.clamp(0.0, width as f32) as usize;
        let x0 = column(left.floor()) / step * step;
        let x1 = (column(right.ceil()).div_ceil(step) * step).min(width);
        (x0 < x1).then_some(RowSpan { y, x0, x1 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_is_rounded_outwards_and_cut() {
        let got: Vec<_> =
            rows(Rect::new(-3.0, 1.2, 4.1, 2.5), Shape::Box, Size::new(5, 5), 2).collect();
        assert_eq!(got, [RowSpan { y: 0, x0: 0, x1: 5 }, RowSpan { y: 2, x0: 0, x1: 5 }]);
    }

    #[test]
    fn outside_the_picture_is_nothing() {
        let size = Size::new(10, 10);
        assert_eq!(rows(Rect::new(20.0, 2.0, 30.0, 8.0), Shape::Box, size, 1).count(), 0);
        assert_eq!(rows(Rect::new(f32::NAN, 2.0, 3.0, 8.0), Shape::Ellipse, size, 1).count(), 0);
    }

    #[test]
    fn an_ellipse_covers_its_area() {
        let covered: usize =
            rows(Rect::new(10.0, 10.0, 90.0, 70.0), Shape::Ellipse, Size::new(100, 100), 1)
                .map(|s| s.x1 - s.x0)
                .sum();
        let true_area = std::f32::consts::PI * 40.0 * 30.0;
        assert!(covered as f32 > true_area && (covered as f32) < true_area * 1.06);
    }
}
