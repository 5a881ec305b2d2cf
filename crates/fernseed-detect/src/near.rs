//! Looking again only where a face is expected.
//!
//! A tracker knows where each face of the last frame must be now. Showing the
//! network a small square around each such place, at the scale that suits it
//! best, costs a hundredth of a look at the whole picture, and finds faces
//! that a look at one scale for all would not.

use crate::centerface::Precision;
use crate::finder::{FaceFinder, TURNED_TRUST, floor as network_floor, not_empty};
use crate::look::{Network, Part};
use crate::merge::{Vote, merge};
use crate::plan::TURNS;
use crate::resample::Window;
use crate::tone::Brightness;
use crate::view::View;
use fernseed_core::detect::{DetectError, Detection, Place};
use fernseed_core::{Orientation, Picture, Rect, Size};

/// How long the longer side of an expected face is shown, in pixels: the
/// middle of the sizes YuNet is good at.
const SHOWN_FACE: f32 = 40.0;
/// Side of a window relative to the longer side of the expected box: makes
/// 128 shown pixels, a size the network needs no padding for.
const REACH: f32 = 3.2;
/// Smallest side of a window, in pixels of the picture: small faces move by
/// more than their size.
const LEAST_SIDE: f32 = 48.0;
/// Shown pixels per pixel of the picture, at most: more shows nothing new.
const MOST_SCALE: f32 = 2.0;
/// A box whose centre is this close to where the window cuts the picture,
/// in shown pixels, may be half a face and is left out.
const EDGE: f32 = 16.0;
/// Windows whose scales differ by more than this are not made one.
const ALIKE: f32 = 1.4;

/// One window, before it is cut to whole pixels.
#[derive(Clone, Copy, Debug)]
struct Spot {
    area: Rect,
    scale: f32,
    /// Which of [`TURNS`] are tried besides upright.
    turned: [bool; TURNS.len()],
}

impl Spot {
    /// Around an expected box; `None` if it is no box or not in the picture.
    fn around(place: Place, size: Size) -> Option<Self> {
        let expected = place.rect;
        let longer = expected.width().max(expected.height());
        if !expected.is_proper() || !longer.is_finite() {
            return None;
        }
        let (x, y) = expected.centre();
        let side = (REACH * longer).max(LEAST_SIDE);
        let area = Rect::centred(x, y, side, side).intersection(size.rect());
        let scale = (SHOWN_FACE / longer).min(MOST_SCALE);
        let turned = TURNS.map(|turn| place.turn.is_none_or(|known| known == turn));
        area.is_proper().then_some(Self { area, scale, turned })
    }

    /// Pixels shown: what the look costs.
    fn cost(self) -> f32 {
        self.area.area() * self.scale * self.scale
    }

    /// Both as one, if that costs no more than one after the other.
    fn joined(self, other: Self) -> Option<Self> {
        let ratio = self.scale / other.scale;
        let both = Self {
            area: self.area.union(other.area),
            scale: (self.scale * other.scale).sqrt(),
            turned: std::array::from_fn(|i| self.turned[i] || other.turned[i]),
        };
        let alike = (1.0 / ALIKE..=ALIKE).contains(&ratio);
        (alike && both.cost() <= self.cost() + other.cost()).then_some(both)
    }

    /// The runs that look at it turned.
    fn turned(self, picture: Size) -> impl Iterator<Item = Part> {
        let ways = TURNS.into_iter().zip(self.turned).filter(|way| way.1);
        ways.map(move |(turn, _)| self.part(picture, turn, false))
    }

    /// The run that looks at it.
    fn part(self, picture: Size, turn: Orientation, lift: bool) -> Part {
        // Inside the picture by construction, so the casts lose fractions only.
        let (left, top) = (self.area.left.floor() as usize, self.area.top.floor() as usize);
        let (right, bottom) = (self.area.right.ceil() as usize, self.area.bottom.ceil() as usize);
        let window = Window {
            left,
            top,
            width: right.min(picture.width as usize).saturating_sub(left),
            height: bottom.min(picture.height as usize).saturating_sub(top),
        };
        let view = View { window, scale: self.scale, turn, lift };
        Part::new(Network::YuNet, Precision::Fast, view, picture, EDGE)
    }
}

/// The windows for some places, as few as serve them all.
fn spots(near: &[Place], size: Size) -> Vec<Spot> {
    let mut spots: Vec<Spot> = Vec::new();
    for spot in near.iter().filter_map(|&place| Spot::around(place, size)) {
        match spots.iter_mut().find_map(|have| Some((have.joined(spot)?, have))) {
            Some((both, have)) => *have = both,
            None => spots.push(spot),
        }
    }
    spots
}

impl FaceFinder {
    /// Looks only around places where a face is expected, and returns every
    /// face seen there, best first, whose confidence is at least `floor`.
    /// Confidences mean the same as in [`FaceFinder::look_at_frame`]. Places are
    /// looked at upright, and turned as the face lies there or, where that is not
    /// known, all other ways.
    ///
    /// A face is found up to about its own size away from where it was
    /// expected; small ones further. What else comes into view is returned
    /// too. Places that are empty, not finite or outside the picture are
    /// passed over; none at all make an empty list.
    ///
    /// # Errors
    /// [`DetectError::Size`] if the picture is empty.
    pub fn look_near(
        &self,
        picture: &Picture,
        near: &[Place],
        floor: f32,
    ) -> Result<Vec<Detection>, DetectError> {
        not_empty(picture)?;
        let size = picture.size();
        let spots = spots(near, size);
        let mut parts = Vec::new();
        for spot in &spots {
            let part = spot.part(size, Orientation::Upright, false);
            parts.push(part);
            if Brightness::sampled_in(picture, part.view().window, (32, 32)).is_dark() {
                parts.push(spot.part(size, Orientation::Upright, true));
            }
            parts.extend(spot.turned(size));
        }
        Ok(merge(self.votes_near(&parts, picture), floor))
    }

    fn votes_near(&self, parts: &[Part], picture: &Picture) -> Vec<Vote> {
        let runs = self.run_all(parts, picture, &network_floor, &|| {});
        let votes = parts.iter().zip(runs).flat_map(|(part, found)| {
            // Two windows are one look, and so are two ways of turning: they
            // agree about nothing.
            let View { turn, lift, .. } = part.view();
            let (look, trust) = match (turn, lift) {
                (Orientation::Upright, false) => (0, 1.0),
                (Orientation::Upright, true) => (1, 1.0),
                _ => (2, TURNED_TRUST),
            };
            found.into_iter().map(move |b| Vote::new(Network::YuNet, b, look, trust).turned(turn))
        });
        votes.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL_HD: Size = Size::new(1920, 1080);

    fn upright(rect: Rect) -> Place {
        Place { rect, turn: Some(Orientation::Upright) }
    }

    #[test]
    fn windows_are_128_shown_pixels_wide() {
        for side in [20.0, 40.0, 100.0, 300.0] {
            let spot =
                Spot::around(upright(Rect::centred(900.0, 500.0, side * 0.8, side)), FULL_HD);
            let spot = spot.unwrap();
            assert!((spot.area.width() * spot.scale - 128.0).abs() < 0.1, "{side} {spot:?}");
        }
        let tiny = Spot::around(upright(Rect::centred(900.0, 500.0, 6.0, 8.0)), FULL_HD).unwrap();
        assert_eq!((tiny.area.width(), tiny.scale), (LEAST_SIDE, MOST_SCALE));
    }

    #[test]
    fn neighbours_share_a_window_and_others_do_not() {
        let face = Rect::centred(500.0, 500.0, 40.0, 50.0);
        let count = |other: Rect| spots(&[face, other].map(upright), FULL_HD).len();
        assert_eq!(count(face.shifted(60.0, 10.0)), 1);
        assert_eq!(count(face.shifted(60.0, 10.0).scaled(1.2)), 1);
        assert_eq!(count(face.scaled(2.0)), 2, "another scale");
        assert_eq!(count(face.shifted(400.0, 0.0)), 2, "elsewhere");
    }

    #[test]
    fn a_window_never_leaves_the_picture() {
        let size = Size::new(200, 100);
        for expected in [
            Rect::centred(0.0, 0.0, 30.0, 30.0),
            Rect::centred(200.0, 100.0, 30.0, 30.0),
            Rect::centred(100.0, 50.0, 1e6, 1e6),
            Rect::centred(199.9, 99.9, 0.01, 0.01),
        ] {
            for spot in spots(&[upright(expected)], size) {
                let window = spot.part(size, Orientation::Upright, false).view().window;
                assert!(window.width > 0 && window.height > 0, "{expected:?}");
                assert!(window.left + window.width <= 200, "{expected:?}");
                assert!(window.top + window.height <= 100, "{expected:?}");
            }
        }
        let nowhere = [
            Rect::new(f32::NAN, 0.0, 1.0, 1.0),
            Rect::new(0.0, 0.0, f32::INFINITY, 5.0),
            Rect::new(-3e38, -3e38, 3e38, 3e38),
            Rect::centred(-500.0, 50.0, 20.0, 20.0),
            Rect::new(5.0, 5.0, 5.0, 9.0),
        ];
        assert!(spots(&nowhere.map(upright), size).is_empty());
    }
}
