//! Still pictures and animations: from the bytes of a file to upright sRGB
//! pixels, and from redacted pixels to the bytes of a new file.
//!
//! [`decode`] knows a format by its content and gives pictures in which
//! nothing but pixels is left: orientation is applied, colour is brought to
//! 8-bit sRGB, and metadata, thumbnails, second pictures, depth and gain
//! maps and whatever else a file carries are not read at all. [`encode`] and
//! [`AnimationWriter`] take only [`Redacted`](fernseed_core::render::Redacted)
//! pictures and write the same structure for everyone.
//!
//! Input is hostile: sizes are checked before memory is taken, a file that
//! ends early or fails a checksum is an error rather than half a picture,
//! and a panic inside a third-party decoder ends as an error.

mod animation;
mod bitmap;
mod canvas;
mod colour;
mod encode;
mod error;
mod exif;
mod gif;
mod guard;
mod heif;
mod jpeg;
mod jxl;
mod orient;
mod png;
mod raster;
mod sniff;
mod tiff;
mod webp;

#[cfg(test)]
mod testing;

pub use animation::{AnimationInfo, AnimationReader, Delay};
pub use encode::{AnimationWriter, StillOutput, encode, encode_notes};
pub use error::StillError;
pub use sniff::{SNIFF_BYTES, StillFormat, sniff};

use animation::FrameSource;
use fernseed_core::Picture;
use fernseed_core::finding::Finding;
use fernseed_core::limits::Limits;
use raster::Raster;

/// A decoded file.
#[derive(Debug)]
pub struct DecodedStill<'a> {
    /// What the file was.
    pub format: StillFormat,
    /// Its picture or pictures.
    pub frames: StillFrames<'a>,
    /// True if it was stored lossily, so that a lossy output loses little.
    pub lossy: bool,
    /// What could not be honoured or carried over.
    pub notes: Vec<Finding>,
}

/// One picture or a moving one.
#[derive(Debug)]
pub enum StillFrames<'a> {
    /// One picture: `Rgb8`, or `Rgba8` if any pixel is not opaque.
    One(Picture),
    /// An animation, to be read frame by frame.
    Animation(AnimationReader<'a>),
}

/// What a format's decoder gives.
enum Content<'a> {
    One(Raster),
    Animated(AnimationInfo, Box<dyn FrameSource + 'a>),
}

/// Decodes a picture file, whatever its name.
///
/// Pictures are upright, 8-bit sRGB, `Rgba8` if any pixel is not opaque
/// (colour under full transparency is zero) and `Rgb8` otherwise. Of files
/// with several pictures the first or primary one is read and a note says so.
///
/// # Errors
/// [`StillError`]; a file that is damaged or ends early gives no picture.
pub fn decode<'a>(bytes: &'a [u8], limits: &Limits) -> Result<DecodedStill<'a>, StillError> {
    let format = sniff(bytes.get(..SNIFF_BYTES).unwrap_or(bytes)).ok_or(StillError::NotAPicture)?;
    if bytes.len() as u64 > limits.max_still_bytes {
        return Err(StillError::Limit { what: "bytes of a picture file" });
    }
    let mut notes = Vec::new();
    let (content, lossy) = match format {
        StillFormat::Jpeg => (Content::One(jpeg::decode(bytes, limits)?), true),
        StillFormat::Png => (png::decode(bytes, limits)?, false),
        StillFormat::WebP => webp::decode(bytes, limits)?,
        StillFormat::Gif => (gif::decode(bytes, limits)?, false),
        StillFormat::Bmp => (Content::One(bitmap::decode_bmp(bytes, limits)?), false),
        StillFormat::Pnm => (Content::One(bitmap::decode_pnm(bytes, limits)?), false),
        StillFormat::Tiff => {
            let (raster, lossy) = tiff::decode(bytes, limits, &mut notes)?;
            (Content::One(raster), lossy)
        }
        StillFormat::Jxl => jxl::decode(bytes, limits)?,
        // Lossless HEVC and AV1 exist but are not told apart here.
        StillFormat::Avif | StillFormat::Heif => {
            (Content::One(heif::decode(bytes, limits, &mut notes)?), true)
        }
    };
    let frames = match content {
        Content::One(raster) => StillFrames::One(raster.finish(&mut notes)?),
        Content::Animated(info, source) => {
            StillFrames::Animation(AnimationReader::new(info, source, limits)?)
        }
    };
    Ok(DecodedStill { format, frames, lossy, notes })
}
