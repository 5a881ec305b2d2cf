//! WebP, decoded by the `image-webp` crate.

use super::animation::{AnimationInfo, Delay, FrameSource};
use super::colour::Colour;
use super::exif;
use super::guard::{allowed, guarded, packed_len, zeroed};
use super::raster::{Channels, Raster, Samples};
use super::{Content, StillError};
use fernseed_core::limits::Limits;
use fernseed_core::{Orientation, Size};
use image_webp::{DecodingError, LoopCount, WebPDecoder};
use std::io::Cursor;

type Decoder<'a> = WebPDecoder<Cursor<&'a [u8]>>;

/// The picture and whether it is lossy.
pub(super) fn decode<'a>(
    bytes: &'a [u8],
    limits: &Limits,
) -> Result<(Content<'a>, bool), StillError> {
    // What follows the RIFF chunk is not part of the picture, what is
    // missing of it is.
    let riff = bytes.get(4..8).and_then(|b| b.first_chunk()).ok_or(StillError::Truncated)?;
    let end = (u32::from_le_bytes(*riff) as usize).saturating_add(8);
    let bytes = bytes.get(..end).ok_or(StillError::Truncated)?;
    guarded("WebP", || {
        let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(explain)?;
        let (width, height) = decoder.dimensions();
        let size = allowed(width, height, limits)?;
        let memory = packed_len(size, 16)?.max(64 << 20);
        decoder.set_memory_limit(memory);
        let lossy = decoder.is_lossy();
        let colour = decoder.icc_profile().map_err(explain)?.map_or(Colour::Srgb, Colour::Icc);
        let orientation = decoder
            .exif_metadata()
            .map_err(explain)?
            .map(|block| exif::orientation(&block))
            .unwrap_or_default();
        if !decoder.is_animated() {
            let (channels, mut samples) = buffer(&decoder, size)?;
            decoder.read_image(&mut samples).map_err(explain)?;
            let samples = Samples::U8(samples);
            return Ok((
                Content::One(Raster { size, channels, samples, colour, orientation }),
                lossy,
            ));
        }
        let frames = decoder.num_frames();
        let loops = match decoder.loop_count() {
            LoopCount::Forever => 0,
            LoopCount::Times(n) => n.get().into(),
        };
        let mut source = Frames { decoder, size, colour, orientation };
        if frames > 1 {
            let info = AnimationInfo { size: orientation.apply_to_size(size), frames, loops };
            return Ok((Content::Animated(info, Box::new(source)), lossy));
        }
        let (raster, _) =
            source.next_frame()?.ok_or_else(|| StillError::damaged("it holds no picture"))?;
        Ok((Content::One(raster), lossy))
    })
}

fn buffer(decoder: &Decoder<'_>, size: Size) -> Result<(Channels, Vec<u8>), StillError> {
    let channels = if decoder.has_alpha() { Channels::Rgba } else { Channels::Rgb };
    Ok((channels, zeroed(packed_len(size, channels.count())?)?))
}

struct Frames<'a> {
    decoder: Decoder<'a>,
    size: Size,
    colour: Colour,
    orientation: Orientation,
}

impl FrameSource for Frames<'_> {
    fn next_frame(&mut self) -> Result<Option<(Raster, Delay)>, StillError> {
        let (channels, mut samples) = buffer(&self.decoder, self.size)?;
        // The decoder puts the frames together itself.
        let millis = match self.decoder.read_frame(&mut samples) {
            Ok(millis) => millis,
            Err(DecodingError::NoMoreFrames) => return Ok(None),
            Err(error) => return Err(explain(error)),
        };
        let raster = Raster {
            size: self.size,
            channels,
            samples: Samples::U8(samples),
            colour: self.colour.clone(),
            orientation: self.orientation,
        };
        Ok(Some((raster, Delay::new(millis, 1000))))
    }
}

fn explain(error: DecodingError) -> StillError {
    match error {
        DecodingError::IoError(e) => StillError::from_io(&e),
        DecodingError::MemoryLimitExceeded => StillError::Limit { what: "memory" },
        other => StillError::damaged(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::still::testing::{SIDES, gradient};

    fn lossless() -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = image_webp::WebPEncoder::new(&mut file);
        encoder.set_exif_metadata(exif::block(6));
        let (w, h) = (SIDES.0.into(), SIDES.1.into());
        encoder.encode(&gradient(), w, h, image_webp::ColorType::Rgb8).unwrap();
        file
    }

    #[test]
    fn lossless_is_exact_and_upright() {
        let file = lossless();
        let (Content::One(raster), lossy) = decode(&file, &Limits::default()).unwrap() else {
            panic!("a still");
        };
        assert!(!lossy);
        assert_eq!(raster.orientation, Orientation::Rotate90);
        let Samples::U8(samples) = raster.samples else { panic!("8 bit") };
        assert_eq!(samples, gradient());
    }

    #[test]
    fn every_cut_is_an_error() {
        let file = lossless();
        for cut in 0..file.len() {
            assert!(decode(&file[..cut], &Limits::default()).is_err(), "{cut}");
        }
    }
}
