//! A look: one network at one size, over the whole picture, in tiles where
//! the picture is large.

use crate::centerface::Precision;
use crate::engine::Engine;
use crate::face_box::FaceBox;
use crate::resample::Window;
use crate::view::{Shown, View};
use fernseed_core::detect::DetectorId;
use fernseed_core::{Orientation, Size};

/// Which of the two networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Thorough: small, turned and covered faces.
    CenterFace,
    /// Fast; blind to faces beyond about 300 pixels.
    YuNet,
}

impl Network {
    /// The name used in plans and reports.
    #[must_use]
    pub const fn id(self) -> DetectorId {
        match self {
            Self::CenterFace => DetectorId::Centerface,
            Self::YuNet => DetectorId::Yunet,
        }
    }
}

/// One pass over a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// Who looks.
    pub network: Network,
    /// Pixels shown per pixel of the picture.
    pub scale: f32,
    /// How the picture is turned first.
    pub turn: Orientation,
    /// Whether dark parts are made brighter first.
    pub lift: bool,
    /// In what numbers the network computes.
    pub precision: Precision,
}

impl Look {
    /// An upright look at a scale.
    #[must_use]
    pub const fn new(network: Network, scale: f32) -> Self {
        Self { network, scale, turn: Orientation::Upright, lift: false, precision: Precision::Full }
    }

    /// The same with the picture turned or mirrored.
    #[must_use]
    pub const fn turned(self, turn: Orientation) -> Self {
        Self { turn, ..self }
    }

    /// The same with dark parts lifted.
    #[must_use]
    pub const fn lifted(self) -> Self {
        Self { lift: true, ..self }
    }

    /// The same in 8 bits where that is faster: for looks so many that
    /// speed counts more than the last digit of a score.
    #[must_use]
    pub const fn fast(self) -> Self {
        Self { precision: Precision::Fast, ..self }
    }
}

/// Sides of what one run is shown: up to this, a picture is not cut. Frames of
/// full HD are not; in two tiles, a third of them would be looked at twice.
const WHOLE: usize = 1920;
/// Side of a tile where it is, in shown pixels. Fewer and larger ones would be
/// a fifth faster, but what is looked at twice is missed less often: in photos
/// of 12 megapixels full of faces, 0.9 % instead of 1.4.
const TILE: usize = 1280;
/// How much neighbouring tiles share, in shown pixels. Every face up to
/// this size is whole in some tile; larger ones are for smaller scales.
const OVERLAP: usize = 208;
/// A box whose centre is this close to a cut belongs to the neighbour.
const EDGE: f32 = 24.0;

/// A part of a look: what one run of a network does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    network: Network,
    precision: Precision,
    view: View,
    picture: Size,
    /// A box whose centre is this close to a cut is left to others, in
    /// shown pixels.
    edge: f32,
}

impl Look {
    /// The runs this look takes, left to right, top to bottom.
    pub(crate) fn parts(self, picture: Size) -> Vec<Part> {
        let columns = cuts(picture.width as usize, self.scale);
        let rows = cuts(picture.height as usize, self.scale);
        let mut parts = Vec::new();
        for &(top, height) in &rows {
            for &(left, width) in &columns {
                let window = Window { left, top, width, height };
                let view = View { window, scale: self.scale, turn: self.turn, lift: self.lift };
                parts.push(Part::new(self.network, self.precision, view, picture, EDGE));
            }
        }
        parts
    }
}

/// Cuts a side into overlapping spans `(start, length)`, in picture pixels.
fn cuts(side: usize, scale: f32) -> Vec<(usize, usize)> {
    if side as f32 * scale <= WHOLE as f32 {
        return vec![(0, side)];
    }
    let length = ((TILE as f32 / scale) as usize).clamp(1, side);
    let stride = (((TILE - OVERLAP) as f32 / scale) as usize).max(1);
    let count = (side - length).div_ceil(stride) + 1;
    // Even spacing: more overlap rather than a narrow last tile.
    (0..count).map(|i| ((side - length) * i / (count - 1).max(1), length)).collect()
}

impl Part {
    /// A run of a network over a view of a picture of size `picture`.
    pub(crate) const fn new(
        network: Network,
        precision: Precision,
        view: View,
        picture: Size,
        edge: f32,
    ) -> Self {
        Self { network, precision, view, picture, edge }
    }

    /// What is shown.
    pub(crate) const fn view(&self) -> View {
        self.view
    }

    /// Runs the network on what [`View::show`] makes of [`Part::view`]; boxes
    /// in picture pixels.
    pub(crate) fn run(&self, engine: &Engine, shown: &Shown, floor: f32) -> Vec<FaceBox> {
        let found = match self.network {
            Network::CenterFace => engine.centerface(&shown.input, self.precision, floor),
            Network::YuNet => engine.yunet(&shown.input, self.precision, floor),
        };
        found.into_iter().map(|b| shown.place(b)).filter(|b| !self.cuts_through(b)).collect()
    }

    /// True if the box is centred at a cut, where a neighbour sees more.
    fn cuts_through(&self, found: &FaceBox) -> bool {
        let (x, y) = found.rect.centre();
        let window = self.view.window;
        let edge = self.edge / self.view.scale;
        let outside = |at: f32, start: usize, length: usize, side: u32| {
            (start > 0 && at < start as f32 + edge)
                || (start + length < side as usize && at > (start + length) as f32 - edge)
        };
        outside(x, window.left, window.width, self.picture.width)
            || outside(y, window.top, window.height, self.picture.height)
    }

    /// Pixels shown, a measure of the time it takes.
    pub(crate) fn cost(&self) -> f32 {
        let pixels = (self.view.window.width * self.view.window.height) as f32;
        let weight = match self.network {
            Network::CenterFace => 1.0,
            Network::YuNet => 0.2,
        };
        pixels * self.view.scale * self.view.scale * weight
    }

    pub(crate) fn network(&self) -> Network {
        self.network
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_everything_and_overlap() {
        for side in [1, 100, 1920, 1921, 4000, 12_000, 32_768] {
            for scale in [0.25, 1.0, 2.0] {
                let spans = cuts(side, scale);
                assert_eq!(spans[0].0, 0);
                let last = spans[spans.len() - 1];
                assert_eq!(last.0 + last.1, side);
                for pair in spans.windows(2) {
                    let shared = pair[0].0 + pair[0].1 - pair[1].0;
                    assert!(shared as f32 * scale >= 200.0, "{side} {scale} {pair:?}");
                    assert!(pair[1].0 > pair[0].0);
                }
                assert!(spans.iter().all(|s| s.1 as f32 * scale <= WHOLE as f32 + 1.0));
            }
        }
    }

    #[test]
    fn a_look_is_cut_both_ways() {
        let look = Look::new(Network::YuNet, 1.0);
        assert_eq!(look.parts(Size::new(640, 480)).len(), 1);
        assert_eq!(look.parts(Size::new(1920, 1080)).len(), 1);
        assert_eq!(look.parts(Size::new(4000, 3000)).len(), 4 * 3);
        assert_eq!(Look::new(Network::YuNet, 0.25).parts(Size::new(4000, 3000)).len(), 1);
    }
}
