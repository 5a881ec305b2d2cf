//! What the decoders hand over: packed samples as stored, with everything
//! needed to turn them into an upright sRGB picture; and that turning.

use super::StillError;
use super::colour::{self, Colour};
use super::guard::{packed_len, zeroed};
use super::orient::upright;
use fernseed_core::finding::Finding;
use fernseed_core::{Orientation, Picture, PixelFormat, Plane, Size};

/// Meaning of the interleaved samples of a [`Raster`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channels {
    /// Lightness.
    Gray,
    /// Lightness, straight alpha.
    GrayAlpha,
    /// Red, green, blue.
    Rgb,
    /// Red, green, blue, straight alpha.
    Rgba,
    /// Cyan, magenta, yellow, black; 0 is no ink.
    Cmyk,
}

impl Channels {
    /// Samples per pixel.
    pub(super) const fn count(self) -> usize {
        match self {
            Self::Gray => 1,
            Self::GrayAlpha => 2,
            Self::Rgb => 3,
            Self::Rgba | Self::Cmyk => 4,
        }
    }

    /// True if the last sample of a pixel is alpha.
    pub(super) const fn has_alpha(self) -> bool {
        matches!(self, Self::GrayAlpha | Self::Rgba)
    }
}

/// Interleaved samples over their type's whole range, without padding.
#[derive(Debug)]
pub(super) enum Samples {
    /// 0 to 255.
    U8(Vec<u8>),
    /// 0 to 65535.
    U16(Vec<u16>),
}

/// A picture as a decoder gives it: not upright, not in sRGB.
#[derive(Debug)]
pub(super) struct Raster {
    /// Size as stored.
    pub(super) size: Size,
    /// Meaning of the samples.
    pub(super) channels: Channels,
    /// `size.pixels() * channels.count()` samples, rows from top to bottom.
    pub(super) samples: Samples,
    /// What the samples mean as colours.
    pub(super) colour: Colour,
    /// What makes the picture upright.
    pub(super) orientation: Orientation,
}

impl Raster {
    /// An 8-bit picture in sRGB, already upright.
    pub(super) fn srgb8(size: Size, channels: Channels, samples: Vec<u8>) -> Self {
        Self {
            size,
            channels,
            samples: Samples::U8(samples),
            colour: Colour::Srgb,
            orientation: Orientation::Upright,
        }
    }

    /// The upright sRGB picture: `Rgba8` if any pixel is not opaque, else
    /// `Rgb8`. What could not be honoured about the colour goes to `notes`.
    pub(super) fn finish(self, notes: &mut Vec<Finding>) -> Result<Picture, StillError> {
        let wanted = packed_len(self.size, self.channels.count())?;
        let got = match &self.samples {
            Samples::U8(v) => v.len(),
            Samples::U16(v) => v.len(),
        };
        if got != wanted || wanted == 0 {
            return Err(StillError::damaged("its pixels do not fill its size"));
        }
        let (size, orientation) = (self.size, self.orientation);
        let alpha = self.channels.has_alpha();
        let pixels = colour::to_srgb8(self.samples, self.channels, self.colour, notes)?;
        let (pixels, alpha) = if alpha { settle_alpha(pixels)? } else { (pixels, false) };
        if alpha {
            let (pixels, size) = upright::<4>(pixels, size, orientation)?;
            packed(size, PixelFormat::Rgba8, 4, pixels)
        } else {
            let (pixels, size) = upright::<3>(pixels, size, orientation)?;
            packed(size, PixelFormat::Rgb8, 3, pixels)
        }
    }
}

/// RGBA pixels with the colour under full transparency zeroed, so that
/// nothing hides there; or RGB pixels if all were opaque.
fn settle_alpha(mut rgba: Vec<u8>) -> Result<(Vec<u8>, bool), StillError> {
    let (pixels, _) = rgba.as_chunks_mut::<4>();
    if pixels.iter().any(|p| p[3] != 255) {
        for pixel in pixels.iter_mut().filter(|p| p[3] == 0) {
            *pixel = [0; 4];
        }
        return Ok((rgba, true));
    }
    let mut rgb = zeroed(rgba.len() / 4 * 3)?;
    for (to, from) in rgb.as_chunks_mut::<3>().0.iter_mut().zip(rgba.as_chunks::<4>().0) {
        to.copy_from_slice(&from[..3]);
    }
    Ok((rgb, false))
}

/// Straight alpha from premultiplied, in place; alpha is last of `n`.
pub(super) fn unmultiply<T: Copy + Into<u32> + TryFrom<u32>>(
    samples: &mut [T],
    n: usize,
    top: u32,
) {
    for pixel in samples.chunks_exact_mut(n) {
        let Some((alpha, colours)) = pixel.split_last_mut() else { continue };
        let alpha: u32 = (*alpha).into();
        if alpha == 0 || alpha == top {
            continue;
        }
        for colour in colours {
            let value: u32 = (*colour).into();
            let straight =
                (u64::from(value) * u64::from(top) + u64::from(alpha / 2)) / u64::from(alpha);
            let straight = u32::try_from(straight).unwrap_or(top).min(top);
            if let Ok(straight) = T::try_from(straight) {
                *colour = straight;
            }
        }
    }
}

fn packed(
    size: Size,
    format: PixelFormat,
    bytes_per_pixel: usize,
    data: Vec<u8>,
) -> Result<Picture, StillError> {
    let row_bytes = size.width as usize * bytes_per_pixel;
    let plane = Plane::packed(data, row_bytes, size.height as usize);
    Picture::new(size, format, vec![plane]).map_err(StillError::damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hides_under_transparency() {
        let pixels = vec![10, 20, 30, 0, 10, 20, 30, 128];
        let raster = Raster::srgb8(Size::new(2, 1), Channels::Rgba, pixels);
        let picture = raster.finish(&mut Vec::new()).unwrap();
        assert_eq!(picture.format(), PixelFormat::Rgba8);
        assert_eq!(picture.planes()[0].data[..], [0, 0, 0, 0, 10, 20, 30, 128]);
    }

    #[test]
    fn opaque_alpha_is_dropped() {
        let raster = Raster::srgb8(Size::new(1, 2), Channels::GrayAlpha, vec![7, 255, 9, 255]);
        let picture = raster.finish(&mut Vec::new()).unwrap();
        assert_eq!(picture.format(), PixelFormat::Rgb8);
        assert_eq!(picture.planes()[0].data[..], [7, 7, 7, 9, 9, 9]);
    }

    #[test]
    fn missing_pixels_are_damage() {
        let raster = Raster::srgb8(Size::new(2, 2), Channels::Rgb, vec![0; 11]);
        assert!(matches!(raster.finish(&mut Vec::new()), Err(StillError::Damaged { .. })));
    }
}
