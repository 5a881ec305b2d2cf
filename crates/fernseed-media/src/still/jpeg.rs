//! JPEG, decoded by `zune-jpeg` over a map of the file made by [`markers`].
//!
//! The map comes first: it gives the size before any memory is taken, shows
//! whether the file ends before its picture does, and cuts off whatever
//! follows the first picture (motion photos, second pictures of MPF). A file
//! that was cut and then given an end marker again is noticed only if the
//! decoder misses data at the start of a row of blocks; what is missing
//! otherwise is grey.

mod markers;

use super::StillError;
use super::colour::Colour;
use super::exif;
use super::guard::{allowed, guarded, packed_len, zeroed};
use super::raster::{Channels, Raster, Samples};
use fernseed_core::limits::Limits;
use markers::{Adobe, Markers};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Most scans of a progressive file (libjpeg-turbo's advice is 500 for
/// trusted files; encoders write about ten).
const MAX_SCANS: usize = 100;

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Raster, StillError> {
    let map = Markers::read(bytes)?;
    let size = allowed(map.width, map.height, limits)?;
    let bytes = bytes.get(..map.end).ok_or(StillError::Truncated)?;
    let (channels, wanted) = match map.components {
        1 => (Channels::Gray, ColorSpace::Luma),
        3 => (Channels::Rgb, ColorSpace::RGB),
        4 => (Channels::Cmyk, ColorSpace::CMYK),
        n => return Err(StillError::unsupported(format!("JPEG with {n} components"))),
    };
    // The decoder has no way to give the inks of YCCK, only a guess at RGB.
    // Told that the file is plain CMYK it gives the four components as they
    // are, to be converted here.
    let plain;
    let bytes = match map.adobe {
        Some(Adobe { transform, at }) if channels == Channels::Cmyk && transform != 0 => {
            let mut copy = bytes.to_vec();
            if let Some(byte) = copy.get_mut(at) {
                *byte = 0;
            }
            plain = copy;
            &plain
        }
        _ => bytes,
    };
    let mut samples = guarded("JPEG", || {
        let options = DecoderOptions::default()
            .set_strict_mode(false)
            .set_max_width(size.width as usize)
            .set_max_height(size.height as usize)
            .jpeg_set_max_scans(MAX_SCANS)
            .jpeg_set_out_colorspace(wanted);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
        decoder.decode_headers().map_err(explain)?;
        // Strict from here on: damaged picture data is an error, while odd
        // but harmless headers (bytes between segments) are not.
        decoder.set_options(options.set_strict_mode(true));
        if decoder.output_colorspace() != Some(wanted) {
            return Err(StillError::unsupported("a rare JPEG colour space"));
        }
        let mut samples = zeroed(packed_len(size, channels.count())?)?;
        if decoder.output_buffer_size() != Some(samples.len()) {
            return Err(StillError::damaged("its headers contradict each other"));
        }
        decoder.decode_into(&mut samples).map_err(explain)?;
        Ok(samples)
    })?;
    if channels == Channels::Cmyk {
        to_inks(&mut samples, map.adobe);
    }
    Ok(Raster {
        size,
        channels,
        samples: Samples::U8(samples),
        colour: map.icc.map_or(Colour::Srgb, Colour::Icc),
        orientation: map.exif.map(exif::orientation).unwrap_or_default(),
    })
}

/// Four stored components to inks, 0 for none. Adobe's files store what is
/// left of the light instead, and code 2 stores it as Y'CbCr and K
/// (Adobe Technical Note 5116).
fn to_inks(samples: &mut [u8], adobe: Option<Adobe>) {
    let Some(Adobe { transform, .. }) = adobe else { return };
    for pixel in samples.as_chunks_mut::<4>().0 {
        if transform == 2 {
            let [y, cb, cr] = [pixel[0], pixel[1], pixel[2]].map(f32::from);
            let (cb, cr) = (cb - 128.0, cr - 128.0);
            let rgb = [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb];
            for (ink, light) in pixel.iter_mut().zip(rgb) {
                // YCCK holds the complement of the stored, inverted inks.
                *ink = 255 - light.round().clamp(0.0, 255.0) as u8;
            }
        }
        for ink in pixel {
            *ink = 255 - *ink;
        }
    }
}

/// The decoder's errors in this crate's kinds.
fn explain(error: zune_jpeg::errors::DecodeErrors) -> StillError {
    use zune_jpeg::errors::DecodeErrors;
    match error {
        DecodeErrors::Unsupported(what) => StillError::unsupported(format!("{what:?}")),
        DecodeErrors::ExhaustedData => StillError::Truncated,
        other => StillError::damaged(format!("{other:?}")),
    }
}

#[cfg(test)]
mod tests;
