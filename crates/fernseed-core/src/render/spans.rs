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

/// Runs that cover the shape, cut at the picture: every pixel whose centre
/// lies in an ellipse, every pixel that a box touches, and for `step` above 1
/// every block of `step` by `step` pixels that either touches.
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
            Shape::Box => (rect.left.floor(), rect.right.ceil()),
            Shape::Ellipse => {
                // The chord that decides: through the pixels' centres, or
                // the widest one inside a band of several rows.
                let (top, bottom) = if step == 1 {
                    (y as f32 + 0.5, y as f32 + 0.5)
                } else {
                    (y as f32, (y + step) as f32)
                };
                let dy = (top - cy).max(cy - bottom).max(0.0);
                // The row that holds the centre is covered however flat.
                let holds_centre = (y as f32..(y + step) as f32).contains(&cy);
                if dy >= b && !holds_centre {
                    return None;
                }
                let half = a * (1.0 - (dy / b) * (dy / b)).max(0.0).sqrt();
                if step == 1 {
                    let centres = ((cx - half - 0.5).ceil(), (cx + half + 0.5).floor());
                    // And so is the column.
                    (centres.0.min(cx.floor()), centres.1.max(cx.floor() + 1.0))
                } else {
                    ((cx - half).floor(), (cx + half).ceil())
                }
            }
        };
        let column = |x: f32| x.clamp(0.0, width as f32) as usize;
        let x0 = column(left) / step * step;
        let x1 = (column(right).div_ceil(step) * step).min(width);
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
        assert!((covered as f32 / true_area - 1.0).abs() < 0.01, "{covered} of {true_area}");
    }
}
