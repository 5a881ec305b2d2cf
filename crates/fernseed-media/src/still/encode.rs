//! Writing pictures: one structure for everyone.
//!
//! Every setting is fixed but the quality, so that a file's structure says
//! nothing about the camera or the software it came from: no metadata, no
//! profile (pixels are sRGB), the same tables and chunks in the same order.

mod apng;

pub use apng::AnimationWriter;

use super::StillError;
use super::guard::{guarded, zeroed};
use fernseed_core::finding::{Finding, FindingCode, Severity};
use fernseed_core::render::Redacted;
use fernseed_core::{Picture, PixelFormat};

/// JPEG qualities above this keep colour at full resolution.
const FULL_CHROMA_ABOVE: u8 = 90;

/// How to write a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StillOutput {
    /// Baseline JPEG with the tables of the standard's annex K; 4:4:4 above
    /// quality 90, else 4:2:0. Transparent parts become white.
    Jpeg {
        /// 1 to 100.
        quality: u8,
    },
    /// PNG with 8 bits a channel.
    Png,
    /// Lossy WebP (VP8), with lossless alpha where there is alpha.
    WebP {
        /// 1 to 100.
        quality: u8,
    },
    /// Lossless WebP (VP8L).
    WebPLossless,
}

/// What writing in this form loses, for the report.
#[must_use]
pub fn encode_notes(picture: &Redacted<Picture>, out: StillOutput) -> Vec<Finding> {
    let flattens =
        matches!(out, StillOutput::Jpeg { .. }) && picture.get().format() == PixelFormat::Rgba8;
    let note = Finding::new(
        FindingCode::Note,
        Severity::Notice,
        "JPEG knows no transparency; transparent parts were laid on white.",
    );
    if flattens { vec![note] } else { Vec::new() }
}

/// Writes a picture of format `Rgb8` or `Rgba8`.
///
/// Equal pictures and settings give equal bytes.
///
/// # Errors
/// [`StillError::Encoder`] if the picture has another format or is larger
/// than the output form allows (65535 pixels a side for JPEG, 16383 for
/// WebP), or the encoder fails.
pub fn encode(picture: &Redacted<Picture>, out: StillOutput) -> Result<Vec<u8>, StillError> {
    let picture = picture.get();
    let size = picture.size();
    let (pixels, alpha) = pixels(picture)?;
    guarded("output", || match out {
        StillOutput::Jpeg { quality } => {
            let pixels = if alpha { on_white(&pixels)? } else { pixels };
            jpeg(&pixels, size.width, size.height, quality)
        }
        StillOutput::Png => apng::still(&pixels, size, alpha),
        StillOutput::WebP { quality } => webp(&pixels, size.width, size.height, alpha, quality),
        StillOutput::WebPLossless => {
            let mut file = Vec::new();
            let kind =
                if alpha { image_webp::ColorType::Rgba8 } else { image_webp::ColorType::Rgb8 };
            image_webp::WebPEncoder::new(&mut file)
                .encode(&pixels, size.width, size.height, kind)
                .map_err(StillError::encoder)?;
            Ok(file)
        }
    })
}

/// The packed pixels and whether they have alpha.
fn pixels(picture: &Picture) -> Result<(std::borrow::Cow<'_, [u8]>, bool), StillError> {
    let alpha = match picture.format() {
        PixelFormat::Rgb8 => false,
        PixelFormat::Rgba8 => true,
        PixelFormat::Yuv420(_) => return Err(StillError::encoder("planar pictures are for video")),
    };
    let [plane] = picture.planes() else {
        return Err(StillError::encoder("a packed picture has one plane"));
    };
    let len = plane.row_bytes * plane.rows;
    if plane.stride == plane.row_bytes {
        let data = plane.data.get(..len).ok_or_else(|| StillError::encoder("rows are missing"))?;
        return Ok((data.into(), alpha));
    }
    let mut data = zeroed(len)?;
    for (y, row) in data.chunks_exact_mut(plane.row_bytes).enumerate() {
        row.copy_from_slice(plane.row(y));
    }
    Ok((data.into(), alpha))
}

fn jpeg(rgb: &[u8], width: u32, height: u32, quality: u8) -> Result<Vec<u8>, StillError> {
    use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
    let (Ok(w), Ok(h)) = (u16::try_from(width), u16::try_from(height)) else {
        return Err(StillError::encoder("JPEG ends at 65535 pixels a side"));
    };
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, quality.clamp(1, 100));
    encoder.set_sampling_factor(if quality > FULL_CHROMA_ABOVE {
        SamplingFactor::R_4_4_4
    } else {
        SamplingFactor::R_4_2_0
    });
    // Tables made for the picture would be smaller but differ from file to file.
    encoder.set_optimized_huffman_tables(false);
    encoder.set_progressive(false);
    encoder.encode(rgb, w, h, ColorType::Rgb).map_err(StillError::encoder)?;
    Ok(file)
}

fn webp(pixels: &[u8], w: u32, h: u32, alpha: bool, quality: u8) -> Result<Vec<u8>, StillError> {
    if w > 16_383 || h > 16_383 {
        return Err(StillError::encoder("WebP ends at 16383 pixels a side"));
    }
    let encoder = if alpha {
        webp::Encoder::from_rgba(pixels, w, h)
    } else {
        webp::Encoder::from_rgb(pixels, w, h)
    };
    let file = encoder
        .encode_simple(false, quality.clamp(1, 100).into())
        .map_err(|e| StillError::encoder(format!("{e:?}")))?;
    Ok(file.to_vec())
}

/// RGB from RGBA laid on white.
fn on_white(rgba: &[u8]) -> Result<std::borrow::Cow<'_, [u8]>, StillError> {
    let mut rgb = zeroed(rgba.len() / 4 * 3)?;
    for (to, [r, g, b, a]) in rgb.as_chunks_mut::<3>().0.iter_mut().zip(rgba.as_chunks::<4>().0) {
        let a = u16::from(*a);
        *to = [*r, *g, *b].map(|v| ((u16::from(v) * a + 255 * (255 - a) + 127) / 255) as u8);
    }
    Ok(rgb.into())
}

#[cfg(test)]
mod tests;
