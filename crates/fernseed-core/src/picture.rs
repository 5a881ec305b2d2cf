//! Decoded pictures in memory: 8-bit planes, upright, in display space.
//!
//! Video stays in planar 4:2:0 ([`PixelFormat::Yuv420`]) from decoder to
//! encoder; stills are packed RGB or RGBA. Higher bit depths and other
//! chroma layouts are brought to these by the decoder, so that everything
//! that must be right about destroying pixels has few cases to be right in.

mod samples;

pub use samples::{Lent, Samples};

use crate::Size;

/// Layout of a [`Picture`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    /// One packed plane, 3 bytes a pixel: red, green, blue (sRGB).
    Rgb8,
    /// One packed plane, 4 bytes a pixel: red, green, blue, alpha (sRGB, straight alpha).
    Rgba8,
    /// Three planes: luma at full size, then Cb and Cr at half size both
    /// ways (rounded up), 8 bit.
    Yuv420(YuvColour),
}

/// How Y'CbCr values map to R'G'B'.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct YuvColour {
    /// The matrix coefficients.
    pub matrix: YuvMatrix,
    /// True if luma spans 0..=255 instead of 16..=235.
    pub full_range: bool,
}

/// Matrix coefficients of a Y'CbCr signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum YuvMatrix {
    /// ITU-R BT.601 (standard definition).
    Bt601,
    /// ITU-R BT.709 (high definition, the default).
    Bt709,
    /// ITU-R BT.2020 non-constant luminance, with an SDR transfer curve.
    Bt2020,
}

impl YuvMatrix {
    /// The luma weights `(Kr, Kb)`.
    #[must_use]
    pub const fn weights(self) -> (f32, f32) {
        match self {
            Self::Bt601 => (0.299, 0.114),
            Self::Bt709 => (0.2126, 0.0722),
            Self::Bt2020 => (0.2627, 0.0593),
        }
    }
}

impl YuvColour {
    /// Limited-range BT.709.
    pub const BT709: Self = Self { matrix: YuvMatrix::Bt709, full_range: false };

    /// The 8-bit Y'CbCr triple nearest to an sRGB colour.
    #[must_use]
    pub fn from_rgb(self, rgb: [u8; 3]) -> [u8; 3] {
        let (kr, kb) = self.matrix.weights();
        let [r, g, b] = rgb.map(|v| f32::from(v) / 255.0);
        let y = kr * r + (1.0 - kr - kb) * g + kb * b;
        let cb = (b - y) / (2.0 * (1.0 - kb));
        let cr = (r - y) / (2.0 * (1.0 - kr));
        let (y_scale, y_offset, c_scale) =
            if self.full_range { (255.0, 0.0, 255.0) } else { (219.0, 16.0, 224.0) };
        let to_byte = |v: f32| v.round().clamp(0.0, 255.0) as u8;
        [
            to_byte(y * y_scale + y_offset),
            to_byte(cb * c_scale + 128.0),
            to_byte(cr * c_scale + 128.0),
        ]
    }
}

/// One plane of 8-bit samples; rows are `stride` bytes apart. Planes are equal
/// if their samples are.
#[derive(Clone, Debug)]
pub struct Plane {
    /// `stride * rows` bytes; the last row may lack what follows its samples.
    pub data: Samples,
    /// Bytes from one row to the next; at least the bytes of a row.
    pub stride: usize,
    /// Bytes of a row that hold samples.
    pub row_bytes: usize,
    /// Number of rows.
    pub rows: usize,
}

impl Plane {
    /// A plane of the given value without padding.
    #[must_use]
    pub fn filled(row_bytes: usize, rows: usize, value: u8) -> Self {
        Self::packed(vec![value; row_bytes * rows], row_bytes, rows)
    }

    /// A plane of `row_bytes * rows` bytes without padding.
    #[must_use]
    pub fn packed(data: Vec<u8>, row_bytes: usize, rows: usize) -> Self {
        Self { data: data.into(), stride: row_bytes, row_bytes, rows }
    }

    /// Row `y` without padding; empty if there is no such row.
    #[must_use]
    pub fn row(&self, y: usize) -> &[u8] {
        self.data.get(y * self.stride..y * self.stride + self.row_bytes).unwrap_or(&[])
    }

    /// Row `y` without padding, to write to; empty if there is no such row.
    #[must_use]
    pub fn row_mut(&mut self, y: usize) -> &mut [u8] {
        let (start, len) = (y * self.stride, self.row_bytes);
        self.data.get_mut(start..start + len).unwrap_or(&mut [])
    }
}

impl PartialEq for Plane {
    fn eq(&self, other: &Self) -> bool {
        (self.row_bytes, self.rows) == (other.row_bytes, other.rows)
            && (0..self.rows).all(|y| self.row(y) == other.row(y))
    }
}

impl Eq for Plane {}

/// A decoded picture, upright, in display space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    size: Size,
    format: PixelFormat,
    planes: Vec<Plane>,
}

/// The planes handed to [`Picture::new`] do not fit its size and format.
#[derive(Debug, thiserror::Error)]
#[error("planes do not match a {width}x{height} picture of {format:?}")]
pub struct LayoutError {
    width: u32,
    height: u32,
    format: PixelFormat,
}

impl Picture {
    /// A picture from its planes.
    ///
    /// # Errors
    /// [`LayoutError`] if the number of planes or any plane's size does not
    /// match, or a side is zero.
    pub fn new(size: Size, format: PixelFormat, planes: Vec<Plane>) -> Result<Self, LayoutError> {
        let wanted = plane_sizes(size, format);
        let fits = size.width > 0
            && size.height > 0
            && planes.len() == wanted.len()
            && planes.iter().zip(&wanted).all(|(p, &(row_bytes, rows))| {
                p.row_bytes == row_bytes
                    && p.rows == rows
                    && p.stride >= row_bytes
                    && p.data.len() >= p.stride * rows.saturating_sub(1) + row_bytes
            });
        if fits {
            Ok(Self { size, format, planes })
        } else {
            Err(LayoutError { width: size.width, height: size.height, format })
        }
    }

    /// A picture of one colour (opaque where there is alpha).
    ///
    /// # Panics
    /// Never: a zero side gives a picture without samples.
    #[must_use]
    pub fn filled(size: Size, format: PixelFormat, rgb: [u8; 3]) -> Self {
        let sizes = plane_sizes(size, format);
        let planes = match format {
            PixelFormat::Rgb8 => vec![packed(&rgb, sizes[0])],
            PixelFormat::Rgba8 => vec![packed(&[rgb[0], rgb[1], rgb[2], 255], sizes[0])],
            PixelFormat::Yuv420(colour) => sizes
                .iter()
                .zip(colour.from_rgb(rgb))
                .map(|(&(row_bytes, rows), value)| Plane::filled(row_bytes, rows, value))
                .collect(),
        };
        Self { size, format, planes }
    }

    /// Size in pixels.
    #[must_use]
    pub const fn size(&self) -> Size {
        self.size
    }

    /// Layout of the planes.
    #[must_use]
    pub const fn format(&self) -> PixelFormat {
        self.format
    }

    /// The planes, in the order [`PixelFormat`] names.
    #[must_use]
    pub fn planes(&self) -> &[Plane] {
        &self.planes
    }

    /// The planes to write to; their sizes cannot be changed through this
    /// without breaking [`Picture`]'s promise, so only samples may be.
    #[must_use]
    pub fn planes_mut(&mut self) -> &mut [Plane] {
        &mut self.planes
    }

    /// True if samples lie in memory that somebody lent: see
    /// [`Samples::lent`].
    #[must_use]
    pub fn is_lent(&self) -> bool {
        self.planes.iter().any(|plane| plane.data.is_lent())
    }

    /// The planes back, for reuse of their memory.
    #[must_use]
    pub fn into_planes(self) -> Vec<Plane> {
        self.planes
    }
}

/// `(bytes of a row, rows)` of every plane of such a picture.
#[must_use]
pub fn plane_sizes(size: Size, format: PixelFormat) -> Vec<(usize, usize)> {
    let (w, h) = (size.width as usize, size.height as usize);
    match format {
        PixelFormat::Rgb8 => vec![(w * 3, h)],
        PixelFormat::Rgba8 => vec![(w * 4, h)],
        PixelFormat::Yuv420(_) => {
            let half = (w.div_ceil(2), h.div_ceil(2));
            vec![(w, h), half, half]
        }
    }
}

fn packed(pixel: &[u8], (row_bytes, rows): (usize, usize)) -> Plane {
    let data = pixel.iter().copied().cycle().take(row_bytes * rows).collect();
    Plane::packed(data, row_bytes, rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_must_fit() {
        let size = Size::new(3, 3);
        let yuv = PixelFormat::Yuv420(YuvColour::BT709);
        let good = vec![Plane::filled(3, 3, 0), Plane::filled(2, 2, 0), Plane::filled(2, 2, 0)];
        assert!(Picture::new(size, yuv, good.clone()).is_ok());
        assert!(Picture::new(size, PixelFormat::Rgb8, good.clone()).is_err());
        assert!(Picture::new(Size::new(4, 3), yuv, good).is_err());
        assert!(
            Picture::new(Size::new(0, 3), PixelFormat::Rgb8, vec![Plane::filled(0, 3, 0)]).is_err()
        );
    }

    #[test]
    fn planes_are_equal_if_their_samples_are() {
        let plane = Plane::packed(vec![1, 2, 3, 4], 2, 2);
        let padded = Plane { data: vec![1, 2, 9, 3, 4].into(), stride: 3, row_bytes: 2, rows: 2 };
        assert_eq!(plane, padded);
        assert_ne!(plane, Plane::packed(vec![1, 2, 3, 4], 4, 1));
        assert_ne!(plane, Plane::packed(vec![1, 2, 3, 5], 2, 2));
    }

    #[test]
    fn black_and_white_in_limited_range() {
        assert_eq!(YuvColour::BT709.from_rgb([0, 0, 0]), [16, 128, 128]);
        assert_eq!(YuvColour::BT709.from_rgb([255, 255, 255]), [235, 128, 128]);
        let full = YuvColour { matrix: YuvMatrix::Bt601, full_range: true };
        assert_eq!(full.from_rgb([255, 0, 0]), [76, 85, 255]);
    }
}
