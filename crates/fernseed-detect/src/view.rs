//! What a network is shown of a picture: a window, resized, turned, and
//! made brighter where it is dark.

use crate::face_box::FaceBox;
use crate::feature_map::NetworkInput;
use crate::kernels::{ChromaRow, ColourMatrix, Kernels, UNIT};
use crate::resample::{Resampler, Window};
use crate::tone;
use fernseed_core::picture::YuvColour;
use fernseed_core::{Orientation, Picture, PixelFormat, Plane, Rect};

/// One part of a picture, as one run of a network is shown it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct View {
    /// The part of the picture that is shown.
    pub(crate) window: Window,
    /// Pixels shown per pixel of the picture.
    pub(crate) scale: f32,
    /// How the part is turned before it is shown.
    pub(crate) turn: Orientation,
    /// Whether dark parts are lifted.
    pub(crate) lift: bool,
}

/// A view made ready for the networks.
pub(crate) struct Shown {
    pub(crate) input: NetworkInput,
    view: View,
    /// Size after scaling, before turning and padding.
    width: usize,
    height: usize,
}

impl View {
    /// Cuts, resizes, turns and pads. `None` if nothing would be shown.
    /// `memory` is where the pixels go; what it holds does not matter.
    pub(crate) fn show(
        self,
        kernels: Kernels,
        picture: &Picture,
        mut memory: Vec<u8>,
    ) -> Option<Shown> {
        let side = |length: usize| ((length as f32 * self.scale).round() as usize).max(1);
        let (width, height) = (side(self.window.width), side(self.window.height));
        let sides = (width, height);
        let input = if self.turn == Orientation::Upright && !self.lift {
            let (wide, high) = (width.next_multiple_of(32), height.next_multiple_of(32));
            memory.resize(wide * high * 3, 0);
            packed_rgb(kernels, picture, self.window, sides, &mut memory, wide * 3)?;
            blacken_padding(&mut memory, (width, height), wide);
            NetworkInput::new(wide, high, memory)?
        } else {
            let mut rgb = vec![0; width * height * 3];
            packed_rgb(kernels, picture, self.window, sides, &mut rgb, width * 3)?;
            if self.lift {
                tone::lift(&mut rgb, width, height);
            }
            turn_and_pad(rgb, width, height, self.turn)?
        };
        Some(Shown { input, view: self, width, height })
    }
}

impl Shown {
    /// A box of the network's input as a box of the picture.
    pub(crate) fn place(&self, found: FaceBox) -> FaceBox {
        let (w, h) = (self.width as f32, self.height as f32);
        let turned_back = |r: Rect| match self.view.turn {
            Orientation::FlipHorizontal => Rect::new(w - r.right, r.top, w - r.left, r.bottom),
            Orientation::Rotate180 => Rect::new(w - r.right, h - r.bottom, w - r.left, h - r.top),
            // Clockwise: x counts up from the bottom, y from the left.
            Orientation::Rotate90 => Rect::new(r.top, h - r.right, r.bottom, h - r.left),
            Orientation::Rotate270 => Rect::new(w - r.bottom, r.left, w - r.top, r.right),
            _ => r,
        };
        let window = self.view.window;
        let (sx, sy) = (window.width as f32 / w, window.height as f32 / h);
        let placed =
            |r: Rect| turned_back(r).times(sx, sy).shifted(window.left as f32, window.top as f32);
        let nose = found.nose.map(|(x, y)| placed(Rect::new(x, y, x, y)).centre());
        FaceBox { rect: placed(found.rect), score: found.score, nose }
    }
}

/// Blackens what lies to the right of a picture and below it in rows of `wide`
/// pixels of three bytes.
fn blacken_padding(data: &mut [u8], (width, height): (usize, usize), wide: usize) {
    let (rows, below) = data.split_at_mut((wide * height * 3).min(data.len()));
    if width < wide {
        rows.chunks_exact_mut(wide * 3).for_each(|row| row[width * 3..].fill(0));
    }
    below.fill(0);
}

/// Writes the window at the given size as packed RGB into `rgb`, whose rows
/// are `stride` bytes apart.
fn packed_rgb(
    kernels: Kernels,
    picture: &Picture,
    window: Window,
    (width, height): (usize, usize),
    rgb: &mut [u8],
    stride: usize,
) -> Option<()> {
    let planes = picture.planes();
    let sides = (width, height);
    let rows = rgb.chunks_exact_mut(stride).take(height).map(|row| &mut row[..width * 3]);
    let bytes = match picture.format() {
        PixelFormat::Rgb8 => 3,
        PixelFormat::Rgba8 => 4,
        PixelFormat::Yuv420(colour) => {
            return yuv_rows(kernels, planes, colour, window, sides, rows);
        }
    };
    let mut resampler = Resampler::new(kernels, planes.first()?, (bytes, 3), window, sides);
    rows.enumerate().for_each(|(y, row)| resampler.row(y, row));
    Some(())
}

/// Rows of packed RGB from planar Y'CbCr.
fn yuv_rows<'a>(
    kernels: Kernels,
    planes: &[Plane],
    colour: YuvColour,
    window: Window,
    (width, height): (usize, usize),
    rows: impl Iterator<Item = &'a mut [u8]>,
) -> Option<()> {
    let [luma, blue, red] = planes else { return None };
    // The chroma samples under the window; half a pixel of shift at odd
    // edges is nothing to a detector.
    let (left, top) = (window.left / 2, window.top / 2);
    let half = Window {
        left,
        top,
        width: (window.width.div_ceil(2)).min(blue.row_bytes.saturating_sub(left)).max(1),
        height: (window.height.div_ceil(2)).min(blue.rows.saturating_sub(top)).max(1),
    };
    // Chroma stays at half the size and its samples are repeated: cheaper
    // than interpolating, and as good to a detector.
    let small = (width.div_ceil(2), height.div_ceil(2));
    let mut luma = Resampler::new(kernels, luma, (1, 1), window, (width, height));
    let mut blue = Resampler::new(kernels, blue, (1, 1), half, small);
    let mut red = Resampler::new(kernels, red, (1, 1), half, small);
    let matrix = matrix(colour);
    let mut greys = vec![0; width];
    let (mut blues, mut reds) = (vec![128; small.0], vec![128; small.0]);
    let mut chroma = ChromaRow::new(width);
    for (y, rgb) in rows.enumerate() {
        if y.is_multiple_of(2) {
            blue.row(y / 2, &mut blues);
            red.row(y / 2, &mut reds);
            kernels.spread(&matrix, &blues, &reds, &mut chroma);
        }
        luma.row(y, &mut greys);
        kernels.colour(&matrix, &greys, &chroma, rgb);
    }
    Some(())
}

/// The conversion of a colour space to RGB in whole numbers.
fn matrix(colour: YuvColour) -> ColourMatrix {
    let (kr, kb) = colour.matrix.weights();
    let (luma_by, luma_less, chroma) =
        if colour.full_range { (1.0, 0.0, 1.0) } else { (255.0 / 219.0, 16.0, 255.0 / 224.0) };
    let (red_of_cr, blue_of_cb) = (2.0 * (1.0 - kr) * chroma, 2.0 * (1.0 - kb) * chroma);
    let unit = f32::from(UNIT);
    let whole = |value: f32| (value * unit).round() as i16;
    ColourMatrix {
        luma_by: (luma_by * 4.0 * unit).round() as u16,
        // Half a step less makes rounding down rounding.
        luma_less: whole(luma_less * luma_by - 0.5),
        red_of_cr: whole(red_of_cr),
        green_of_cr: whole(red_of_cr * kr / (1.0 - kr - kb)),
        green_of_cb: whole(blue_of_cb * kb / (1.0 - kr - kb)),
        blue_of_cb: whole(blue_of_cb),
    }
}

/// Turns a packed picture and pads it with black to sides of multiples of 32.
fn turn_and_pad(
    rgb: Vec<u8>,
    width: usize,
    height: usize,
    turn: Orientation,
) -> Option<NetworkInput> {
    let (turned_width, turned_height) =
        if turn.swaps_sides() { (height, width) } else { (width, height) };
    let padded_width = turned_width.next_multiple_of(32);
    let padded_height = turned_height.next_multiple_of(32);
    if turn == Orientation::Upright && (padded_width, padded_height) == (width, height) {
        return NetworkInput::new(width, height, rgb);
    }
    let mut data = vec![0; padded_width * padded_height * 3];
    for (y, row) in data.chunks_exact_mut(padded_width * 3).take(turned_height).enumerate() {
        let row = &mut row[..turned_width * 3];
        // Where the row starts in the upright picture, and which way it runs.
        let (x0, y0, dx, dy) = match turn {
            Orientation::FlipHorizontal => (width - 1, y, -1, 0),
            Orientation::Rotate180 => (width - 1, height - 1 - y, -1, 0),
            Orientation::Rotate90 => (y, height - 1, 0, -1),
            Orientation::Rotate270 => (width - 1 - y, 0, 0, 1),
            _ => {
                row.copy_from_slice(&rgb[y * width * 3..(y + 1) * width * 3]);
                continue;
            }
        };
        let step = (dx + dy * width as isize) * 3;
        let mut at = ((y0 * width + x0) * 3) as isize;
        for pixel in row.chunks_exact_mut(3) {
            let from = at as usize;
            pixel.copy_from_slice(&rgb[from..from + 3]);
            at += step;
        }
    }
    NetworkInput::new(padded_width, padded_height, data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Backend;
    use fernseed_core::Size;

    fn kernels() -> Kernels {
        Kernels::new(Backend::best()).unwrap()
    }

    fn view(width: usize, height: usize, turn: Orientation) -> View {
        let window = Window { left: 0, top: 0, width, height };
        View { window, scale: 1.0, turn, lift: false }
    }

    /// A black picture with a white rectangle at (10, 4)..(20, 7).
    fn marked() -> Picture {
        let size = Size::new(40, 24);
        let mut picture = Picture::filled(size, PixelFormat::Rgb8, [0, 0, 0]);
        for y in 4..7 {
            picture.planes_mut()[0].row_mut(y)[30..60].fill(255);
        }
        picture
    }

    /// The bounds of everything bright in what a network is shown.
    fn bright_box(input: &NetworkInput) -> Rect {
        let mut bounds: Option<Rect> = None;
        for y in 0..input.height() {
            for (x, pixel) in input.row(y).chunks_exact(3).enumerate() {
                if pixel[1] > 128 {
                    let (x, y) = (x as f32, y as f32);
                    let dot = Rect::new(x, y, x + 1.0, y + 1.0);
                    bounds = Some(bounds.map_or(dot, |b| b.union(dot)));
                }
            }
        }
        bounds.unwrap()
    }

    #[test]
    fn boxes_come_back_from_every_turn() {
        use Orientation::{FlipHorizontal, Rotate90, Rotate180, Rotate270, Upright};
        for turn in [Upright, FlipHorizontal, Rotate90, Rotate180, Rotate270] {
            let shown = view(40, 24, turn).show(kernels(), &marked(), Vec::new()).unwrap();
            let sides = (shown.input.width(), shown.input.height());
            assert_eq!(sides, if turn.swaps_sides() { (32, 64) } else { (64, 32) });
            let rect = bright_box(&shown.input);
            let found = FaceBox { rect, score: 0.5, nose: Some((rect.left, rect.top)) };
            let placed = shown.place(found);
            assert_eq!(placed.rect, Rect::new(10.0, 4.0, 20.0, 7.0), "{turn:?}");
            let corner = match turn {
                FlipHorizontal | Rotate270 => (20.0, 4.0),
                Rotate90 => (10.0, 7.0),
                Rotate180 => (20.0, 7.0),
                _ => (10.0, 4.0),
            };
            assert_eq!(placed.nose, Some(corner), "{turn:?}");
        }
    }

    #[test]
    fn boxes_come_back_from_a_scaled_window() {
        let window = Window { left: 8, top: 2, width: 32, height: 16 };
        let view = View { window, scale: 2.0, turn: Orientation::Upright, lift: false };
        let shown = view.show(kernels(), &marked(), Vec::new()).unwrap();
        let found = FaceBox { rect: bright_box(&shown.input), score: 0.5, nose: None };
        let back = shown.place(found).rect;
        assert!(back.iou(Rect::new(10.0, 4.0, 20.0, 7.0)) > 0.9, "{back:?}");
    }

    #[test]
    fn all_formats_show_the_same_colour() {
        let size = Size::new(33, 31);
        let colour = [200, 90, 40];
        for format in [
            PixelFormat::Rgb8,
            PixelFormat::Rgba8,
            PixelFormat::Yuv420(YuvColour::BT709),
            PixelFormat::Yuv420(YuvColour { full_range: true, ..YuvColour::BT709 }),
        ] {
            let picture = Picture::filled(size, format, colour);
            for scale in [1.0, 0.5, 1.7] {
                let look = View { scale, ..view(33, 31, Orientation::Upright) };
                let shown = look.show(kernels(), &picture, Vec::new()).unwrap();
                for (c, &wanted) in colour.iter().enumerate() {
                    let got = shown.input.row(3)[3 * 3 + c];
                    assert!(got.abs_diff(wanted) <= 3, "{format:?} {scale} {c}: {got}");
                }
            }
        }
    }

    #[test]
    fn a_window_at_the_last_odd_column_has_chroma() {
        let size = Size::new(5, 5);
        let picture = Picture::filled(size, PixelFormat::Yuv420(YuvColour::BT709), [9, 200, 9]);
        let window = Window { left: 4, top: 4, width: 1, height: 1 };
        let view = View { window, scale: 1.0, turn: Orientation::Upright, lift: false };
        let shown = view.show(kernels(), &picture, Vec::new()).unwrap();
        assert!(shown.input.row(0)[1].abs_diff(200) <= 3);
    }
}
