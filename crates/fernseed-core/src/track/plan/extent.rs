//! What may show somebody in a frame, from where they are in it and around it.

use crate::geometry::{Rect, Size};
use crate::track::TrackPoint;

/// Frames to either side whose boxes belong to it, if they lie elsewhere:
/// encoders and shutters smear a moving face over its neighbours.
const SMEAR_FRAMES: usize = 2;
/// A box lies elsewhere if it has moved by more than this share of its side.
const SMEAR_MOTION: f32 = 0.1;
/// Frames to either side among whose boxes is the size that is usual.
const STEADY_FRAMES: usize = 25;
/// Most that a box grows to the usual size, in times its own.
const MAX_STEADIED: f32 = 1.4;
/// A cover that ends nearer to the border than this share of its side ...
const NEAR_BORDER: f32 = 0.05;
/// ... goes on beyond it by this share.
const BEYOND_BORDER: f32 = 0.2;

/// What may show the subject of a track at each of its points: the box with
/// those it moves from and to, and not smaller than is usual around it. Of who
/// is half behind something, or turned away, a network sees the half, and who
/// walks on does not shrink meanwhile.
pub(super) fn extents(points: &[TrackPoint]) -> Vec<Rect> {
    let smeared: Vec<Rect> = (0..points.len()).map(|i| smeared(points, i)).collect();
    (0..points.len()).map(|i| steadied(&smeared, i)).collect()
}

/// The box at point `i` together with those of its neighbours that lie
/// elsewhere.
fn smeared(points: &[TrackPoint], i: usize) -> Rect {
    let own = points[i].rect;
    let ((x, y), reach) = (own.centre(), SMEAR_MOTION * own.area().sqrt());
    let moved = |other: &Rect| (other.centre().0 - x).hypot(other.centre().1 - y) > reach;
    let near = around(points, i, SMEAR_FRAMES).iter().map(|point| point.rect);
    near.filter(moved).fold(own, Rect::union)
}

/// Box `i` about its middle, not smaller than the median of those around it.
fn steadied(boxes: &[Rect], i: usize) -> Rect {
    let own = boxes[i];
    let near = around(boxes, i, STEADY_FRAMES);
    let at_least = |own: f32, usual: f32| own.max(usual.min(MAX_STEADIED * own));
    let width = at_least(own.width(), median(near.iter().map(|b| b.width())));
    let height = at_least(own.height(), median(near.iter().map(|b| b.height())));
    let (x, y) = own.centre();
    Rect::centred(x, y, width, height)
}

/// The values at most `reach` before and after the one at `i`.
fn around<T>(values: &[T], i: usize, reach: usize) -> &[T] {
    &values[i.saturating_sub(reach)..(i + reach + 1).min(values.len())]
}

/// The upper median; 0 if there is nothing.
fn median(values: impl Iterator<Item = f32>) -> f32 {
    let mut values: Vec<f32> = values.collect();
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}

/// A cover that comes to the border, as if the picture went on: of who is cut
/// off by it a network sees what is inside, and an ellipse about that leaves the
/// corners open.
pub(super) fn beyond_border(cover: Rect, size: Size) -> Rect {
    // How far an edge is moved that ends so far inside the picture.
    let out = |inside: f32, side: f32| {
        if inside < NEAR_BORDER * side { (inside + BEYOND_BORDER * side).max(0.0) } else { 0.0 }
    };
    let (picture, width, height) = (size.rect(), cover.width(), cover.height());
    Rect {
        left: cover.left - out(cover.left - picture.left, width),
        top: cover.top - out(cover.top - picture.top, height),
        right: cover.right + out(picture.right - cover.right, width),
        bottom: cover.bottom + out(picture.bottom - cover.bottom, height),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(rects: impl IntoIterator<Item = Rect>) -> Vec<TrackPoint> {
        let point = |(frame, rect)| TrackPoint { frame, rect, seen: true };
        (0..).zip(rects).map(point).collect()
    }

    #[test]
    fn who_is_half_hidden_for_a_while_keeps_their_size() {
        let side = |f: u32| if (30..38).contains(&f) { 40.0 } else { 50.0 };
        let all = extents(&points((0..80).map(|f| Rect::centred(200.0, 90.0, side(f), 60.0))));
        assert!(all.iter().all(|r| *r == Rect::centred(200.0, 90.0, 50.0, 60.0)));
        // A box that is nothing like the usual one stays well below it.
        let side = |f: u32| if f == 30 { 10.0 } else { 50.0 };
        let all = extents(&points((0..80).map(|f| Rect::centred(200.0, 90.0, side(f), 60.0))));
        assert!((all[30].width() - 14.0).abs() < 1e-3);
    }

    #[test]
    fn who_comes_nearer_is_covered_in_the_size_they_have() {
        let rect = |f: u32| Rect::centred(200.0, 90.0, 50.0 + f as f32, 60.0 + f as f32);
        let all = extents(&points((0..200).map(rect)));
        for (f, extent) in (0..200).zip(all).skip(25).take(150) {
            assert!((extent.width() - rect(f).width()).abs() < 1e-3, "frame {f}: {extent:?}");
        }
    }

    #[test]
    fn only_what_moves_is_smeared() {
        let shaking =
            points((0..9).map(|f| Rect::centred(50.0 + (f % 2) as f32, 50.0, 40.0, 40.0)));
        assert!(extents(&shaking).iter().all(|r| r.width() == 40.0));
        let moving =
            points((0..9).map(|f| Rect::centred(50.0 + 10.0 * f as f32, 50.0, 40.0, 40.0)));
        // Two frames to either side, at 20 pixels.
        assert_eq!(extents(&moving)[4], Rect::new(50.0, 30.0, 130.0, 70.0));
    }

    #[test]
    fn covers_at_the_border_go_on_beyond_it() {
        let size = Size::new(640, 360);
        let inside = Rect::new(100.0, 100.0, 200.0, 200.0);
        assert_eq!(beyond_border(inside, size), inside);
        let corner = beyond_border(Rect::new(4.0, 262.0, 104.0, 362.0), size);
        assert_eq!(corner, Rect::new(-20.0, 262.0, 104.0, 380.0));
        // Who has left is not brought back.
        let outside = Rect::new(-150.0, 100.0, -50.0, 200.0);
        assert_eq!(beyond_border(outside, size), outside);
    }
}
