//! Following somebody by their looks alone, from one frame to the next.
//!
//! No network sees a face that is turned, half hidden or blurred by motion,
//! though people recognise it. What was under its box in one frame is looked
//! for in the next by normalised cross-correlation (zero-mean, weighted
//! towards the middle of the box, where there is less background), coarse to
//! fine; and from there back again, which must lead to where it came from
//! (forward-backward error, Kalal et al. 2010). The template is that of the
//! frame before, so that a face that changes slowly is followed; where it
//! changes at once, following ends.

use super::luma::Luma;
use crate::geometry::Rect;

/// Cells across a box in the coarse search.
const COARSE: usize = 8;
/// Cells across its window: it reaches one box to every side ...
const USUAL: usize = 3 * COARSE;
/// ... or, where nothing like it is there, three.
const WIDE: usize = 7 * COARSE;
/// Cells across a box in the fine search, and how many it reaches.
const FINE: usize = 16;
const FINE_REACH: usize = 3;
const FINE_WINDOW: usize = FINE + 2 * FINE_REACH;
/// Correlation that a match needs.
const ALIKE: f32 = 0.75;
/// How far the way back may miss, as a share of the side.
const RETURN: f32 = 0.15;
/// What a match a whole box away from where it is expected loses: of two
/// places that look alike the nearer one is likelier.
const FAR: f32 = 0.1;
/// Deviation of brightness in a box, of 255, below which there is nothing
/// that can be followed.
const FLAT: f32 = 3.0;
/// Sizes that are tried, and by how much better another size must match.
const SIZES: [f32; 2] = [0.95, 1.05];
const BETTER: f32 = 0.004;

/// Where what is at `rect` in one frame is in another, expected moved by
/// `(dx, dy)`; `None` if that is not certain.
pub(super) fn follow(from: &Luma, to: &Luma, rect: Rect, (dx, dy): (f32, f32)) -> Option<Rect> {
    let there = find(from, to, rect, rect.shifted(dx, dy))?;
    let back = find(to, from, there, there.shifted(-dx, -dy))?;
    let ((x0, y0), (x1, y1)) = (rect.centre(), back.centre());
    let missed = (x0 - x1).hypot(y0 - y1) / rect.area().sqrt().max(1.0);
    (missed <= RETURN).then_some(there)
}

/// One way of [`follow`].
fn find(from: &Luma, to: &Luma, rect: Rect, expected: Rect) -> Option<Rect> {
    let coarse = Template::<COARSE>::of(&from.patch(rect)?)?;
    let fine = Template::<FINE>::of(&from.patch(rect)?)?;
    let near = nearest::<USUAL>(&coarse, to, expected)?;
    refined(&fine, to, near).or_else(|| refined(&fine, to, nearest::<WIDE>(&coarse, to, expected)?))
}

/// The coarse search in a window of `M` by `M` cells.
fn nearest<const M: usize>(coarse: &Template<COARSE>, to: &Luma, expected: Rect) -> Option<Rect> {
    let window = to.patch::<M>(expected.scaled(M as f32 / COARSE as f32))?;
    let reach = ((M - COARSE) / 2) as f32;
    let far = |x: usize, y: usize| (x as f32 - reach).hypot(y as f32 - reach) / COARSE as f32;
    let scores = coarse.scores(&window);
    let (x, y) = best(M - COARSE, |x, y| scores[y][x] - FAR * far(x, y));
    let cells = |at: usize, side: f32| (at as f32 - reach) * side / COARSE as f32;
    Some(expected.shifted(cells(x, expected.width()), cells(y, expected.height())))
}

/// The fine search around a place; `None` if nothing there is alike.
fn refined(fine: &Template<FINE>, to: &Luma, place: Rect) -> Option<Rect> {
    let window = to.patch::<FINE_WINDOW>(place.scaled(FINE_WINDOW as f32 / FINE as f32))?;
    let scores = fine.scores(&window);
    let score = |x: usize, y: usize| scores[y][x];
    let (x, y) = best(2 * FINE_REACH, score);
    let mut likeness = score(x, y);
    // Not a number is not alike.
    if likeness.is_nan() || likeness < ALIKE {
        return None;
    }
    let inside = |at: usize| (1..2 * FINE_REACH).contains(&at);
    let part_x = if inside(x) { vertex(score(x - 1, y), likeness, score(x + 1, y)) } else { 0.0 };
    let part_y = if inside(y) { vertex(score(x, y - 1), likeness, score(x, y + 1)) } else { 0.0 };
    let cells = |at: usize, part: f32| at as f32 - FINE_REACH as f32 + part;
    let same_size = place.shifted(
        cells(x, part_x) * place.width() / FINE as f32,
        cells(y, part_y) * place.height() / FINE as f32,
    );
    let mut found = same_size;
    for size in SIZES {
        let other = same_size.scaled(size);
        let as_large = fine.scores(&to.patch::<FINE>(other)?)[0][0];
        if as_large > likeness + BETTER {
            (found, likeness) = (other, as_large);
        }
    }
    Some(found)
}

/// The place in `0..=last` by `0..=last` that scores best; the first of equals.
fn best(last: usize, score: impl Fn(usize, usize) -> f32) -> (usize, usize) {
    let mut best = (f32::MIN, (last / 2, last / 2));
    for y in 0..=last {
        for x in 0..=last {
            let here = score(x, y);
            if here > best.0 {
                best = (here, (x, y));
            }
        }
    }
    best.1
}

/// Where a parabola through three samples, one apart, is highest, from the
/// middle one.
fn vertex(before: f32, middle: f32, after: f32) -> f32 {
    let bend = before - 2.0 * middle + after;
    if bend < -1e-6 { (0.5 * (before - after) / bend).clamp(-0.5, 0.5) } else { 0.0 }
}

/// What is looked for: weighted samples without their mean.
struct Template<const N: usize> {
    /// Weights of the columns, and of the rows, whose products weigh samples.
    weights: [f32; N],
    samples: [[f32; N]; N],
    deviation: f32,
}

impl<const N: usize> Template<N> {
    /// `None` if there is nothing to see.
    fn of(patch: &[[f32; N]; N]) -> Option<Self> {
        let from_middle = |at: usize| (2.0 * at as f32 + 1.0) / N as f32 - 1.0;
        let falling: [f32; N] = std::array::from_fn(|i| (-from_middle(i).powi(2)).exp());
        let sum: f32 = falling.iter().sum();
        let weights = falling.map(|weight| weight / sum);
        let weight = |i: usize| weights[i / N] * weights[i % N];
        let pairs = || (0..).map(weight).zip(patch.iter().flatten());
        let mean: f32 = pairs().map(|(w, v)| w * v).sum();
        let variance: f32 = pairs().map(|(w, v)| w * (v - mean).powi(2)).sum();
        let mut samples = *patch;
        for (i, sample) in samples.iter_mut().flatten().enumerate() {
            *sample = weight(i) * (*sample - mean);
        }
        let deviation = variance.sqrt();
        (deviation >= FLAT).then_some(Self { weights, samples, deviation })
    }

    /// Correlations with all parts of `window`, -1 to 1: `[y][x]` is that with the
    /// part whose corner is at column `x`, row `y`. Of the rows and columns of
    /// the result `M - N + 1` are used.
    fn scores<const M: usize>(&self, window: &[[f32; M]; M]) -> [[f32; M]; M] {
        let places = M - N + 1;
        // Weights are products, so weighted sums are sums of sums of rows.
        let mut rows = [[[0.0f32; M]; 2]; M];
        for ([sums, squares], line) in rows.iter_mut().zip(window) {
            for (i, weight) in self.weights.iter().enumerate() {
                for ((sum, square), v) in sums.iter_mut().zip(&mut *squares).zip(&line[i..]) {
                    *sum += weight * v;
                    *square += weight * v * v;
                }
            }
        }
        let mut out = [[0.0; M]; M];
        for (y, scores) in out.iter_mut().enumerate().take(places) {
            let (mut sum, mut squares, mut product) = ([0.0f32; M], [0.0f32; M], [0.0f32; M]);
            for (i, weight) in self.weights.iter().enumerate() {
                let [of_row, of_squares] = &rows[y + i];
                for x in 0..places {
                    sum[x] += weight * of_row[x];
                    squares[x] += weight * of_squares[x];
                }
                // A sample of the template with one of each place, place by place.
                for (j, sample) in self.samples[i].iter().enumerate() {
                    for (product, v) in product.iter_mut().zip(&window[y + i][j..]) {
                        *product += sample * v;
                    }
                }
            }
            for x in 0..places {
                let deviation = (squares[x] - sum[x] * sum[x]).max(0.0).sqrt();
                let likeness = product[x] / (self.deviation * deviation);
                scores[x] = if deviation < FLAT { 0.0 } else { likeness };
            }
        }
        out
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::geometry::Size;
    use crate::picture::{Picture, PixelFormat, YuvColour, YuvMatrix};

    pub(in crate::track) const SIZE: Size = Size::new(640, 360);

    /// Soft blobs, the same for the same seed, about 0 to 255.
    fn texture(seed: f32, x: f32, y: f32) -> f32 {
        let (sin, cos) = seed.sin_cos();
        let (x, y) = (x * cos - y * sin, x * sin + y * cos);
        let wave = |fx: f32, fy: f32, phase: f32| (x * fx + y * fy + phase + seed).sin();
        127.0
            + 40.0 * wave(0.21, 0.07, 0.3)
            + 40.0 * wave(-0.11, 0.25, 1.7 * seed)
            + 30.0 * wave(0.31, -0.19, 0.9)
    }

    /// A background, and on it somebody `side` pixels large around `(x, y)`.
    pub(in crate::track) fn scene(x: f32, y: f32, side: f32, seed: f32) -> Luma {
        let colour = YuvColour { matrix: YuvMatrix::Bt709, full_range: true };
        let mut picture = Picture::filled(SIZE, PixelFormat::Yuv420(colour), [0, 0, 0]);
        let plane = &mut picture.planes_mut()[0];
        for row in 0..SIZE.height as usize {
            for (column, sample) in plane.row_mut(row).iter_mut().enumerate() {
                let (dx, dy) = (column as f32 + 0.5 - x, row as f32 + 0.5 - y);
                let value = if dx.hypot(dy) < 0.6 * side {
                    // Coordinates of their own: they move and grow with it.
                    texture(seed, dx * 60.0 / side, dy * 60.0 / side)
                } else {
                    texture(40.0, column as f32 / 3.0, row as f32 / 3.0)
                };
                *sample = value.clamp(0.0, 255.0) as u8;
            }
        }
        Luma::of(&picture)
    }

    fn at(x: f32, y: f32, side: f32) -> Rect {
        Rect::centred(x, y, 0.8 * side, side)
    }

    fn off(found: Rect, x: f32, y: f32) -> f32 {
        (found.centre().0 - x).hypot(found.centre().1 - y)
    }

    #[test]
    fn somebody_is_found_where_they_moved() {
        for side in [14.0, 30.0, 90.0] {
            let from = scene(200.0, 150.0, side, 3.0);
            for (dx, dy) in [(0.0, 0.0), (0.3, -0.2), (-0.7, 0.6), (0.4, 0.9), (2.2, 0.4)] {
                let (x, y) = (200.0 + dx * side, 150.0 + dy * side);
                let to = scene(x, y, side, 3.0);
                let found = follow(&from, &to, at(200.0, 150.0, side), (0.0, 0.0)).unwrap();
                assert!(off(found, x, y) < 0.06 * side, "{side} {dx} {dy}: {found:?}");
            }
        }
    }

    #[test]
    fn who_comes_nearer_grows() {
        let (from, to) = (scene(200.0, 150.0, 60.0, 3.0), scene(205.0, 150.0, 63.0, 3.0));
        let found = follow(&from, &to, at(200.0, 150.0, 60.0), (0.0, 0.0)).unwrap();
        assert!((found.height() - 63.0).abs() < 0.5, "{found:?}");
    }

    #[test]
    fn nobody_is_found_in_somebody_elses_place_nor_where_nothing_is_seen() {
        let from = scene(200.0, 150.0, 60.0, 3.0);
        let gone = scene(200.0, 150.0, 60.0, 8.0);
        assert_eq!(follow(&from, &gone, at(200.0, 150.0, 60.0), (0.0, 0.0)), None);
        let blank = Luma::of(&Picture::filled(SIZE, PixelFormat::Rgb8, [90; 3]));
        assert_eq!(follow(&from, &blank, at(200.0, 150.0, 60.0), (0.0, 0.0)), None);
        assert_eq!(follow(&blank, &blank, at(200.0, 150.0, 60.0), (0.0, 0.0)), None);
    }

    #[test]
    fn boxes_that_are_no_boxes_lead_nowhere() {
        let scene = scene(200.0, 150.0, 60.0, 3.0);
        for rect in [
            Rect::new(5.0, 5.0, 5.0, 9.0),
            Rect::new(f32::NAN, 0.0, 1.0, 1.0),
            Rect::new(0.0, 0.0, f32::INFINITY, 1.0),
        ] {
            assert_eq!(follow(&scene, &scene, rect, (0.0, 0.0)), None);
        }
        // Outside the picture there is nothing to see but its border.
        let outside = Rect::centred(-500.0, 100.0, 40.0, 50.0);
        assert_eq!(follow(&scene, &scene, outside, (0.0, 0.0)), None);
    }
}
