//! PNG and APNG output with the `png` crate.

use super::super::StillError;
use super::super::animation::Delay;
use super::super::guard::{guarded, zeroed};
use fernseed_core::render::Redacted;
use fernseed_core::{Picture, Size};
use png::{BlendOp, ColorType, Compression, DisposeOp, Encoder, Filter};
use std::io::Write;

/// One still PNG.
pub(super) fn still(pixels: &[u8], size: Size, alpha: bool) -> Result<Vec<u8>, StillError> {
    let mut file = Vec::new();
    let encoder = encoder(&mut file, size, alpha);
    let mut writer = encoder.write_header().map_err(StillError::encoder)?;
    writer.write_image_data(pixels).map_err(StillError::encoder)?;
    writer.finish().map_err(StillError::encoder)?;
    Ok(file)
}

/// The settings that every PNG is written with.
fn encoder<W: Write>(to: W, size: Size, alpha: bool) -> Encoder<'static, W> {
    let mut encoder = Encoder::new(to, size.width, size.height);
    encoder.set_color(if alpha { ColorType::Rgba } else { ColorType::Rgb });
    encoder.set_compression(Compression::Fast);
    encoder.set_filter(Filter::Adaptive);
    encoder
}

/// Writes an animation as APNG, frame by frame: memory holds one frame.
pub struct AnimationWriter<W: Write> {
    writer: png::Writer<W>,
    size: Size,
    left: u32,
}

impl<W: Write> std::fmt::Debug for AnimationWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AnimationWriter").field("size", &self.size).finish_non_exhaustive()
    }
}

impl<W: Write> AnimationWriter<W> {
    /// Begins an animation of `frames` frames (at least one), all of one
    /// size, played `loops` times; 0 is for ever. Always RGBA, since whether
    /// a later frame needs alpha is not known here.
    ///
    /// # Errors
    /// [`StillError::Encoder`] if nothing can be written or `frames` is 0.
    pub fn new(to: W, size: Size, frames: u32, loops: u32) -> Result<Self, StillError> {
        let mut encoder = encoder(to, size, true);
        encoder.set_animated(frames, loops).map_err(StillError::encoder)?;
        encoder.set_dispose_op(DisposeOp::None).map_err(StillError::encoder)?;
        encoder.set_blend_op(BlendOp::Source).map_err(StillError::encoder)?;
        let writer = encoder.write_header().map_err(StillError::encoder)?;
        Ok(Self { writer, size, left: frames })
    }

    /// Writes the next frame. Delays that do not fit 16 bits are rounded to
    /// the nearest that do.
    ///
    /// # Errors
    /// [`StillError::Encoder`] if the picture is not packed, has another
    /// size, is one too many, or cannot be written.
    pub fn write_frame(
        &mut self,
        picture: &Redacted<Picture>,
        delay: Delay,
    ) -> Result<(), StillError> {
        let picture = picture.get();
        if picture.size() != self.size {
            return Err(StillError::encoder("all frames have one size"));
        }
        self.left = self
            .left
            .checked_sub(1)
            .ok_or_else(|| StillError::encoder("there are more frames than announced"))?;
        let (pixels, alpha) = super::pixels(picture)?;
        let (num, den) = delay.in_16_bits();
        guarded("output", || {
            self.writer.set_frame_delay(num, den).map_err(StillError::encoder)?;
            let written = if alpha {
                self.writer.write_image_data(&pixels)
            } else {
                self.writer.write_image_data(&opaque(&pixels)?)
            };
            written.map_err(StillError::encoder)
        })
    }

    /// Ends the file.
    ///
    /// # Errors
    /// [`StillError::Encoder`] if frames are missing or the end cannot be written.
    pub fn finish(self) -> Result<(), StillError> {
        if self.left > 0 {
            return Err(StillError::encoder("there are fewer frames than announced"));
        }
        self.writer.finish().map_err(StillError::encoder)
    }
}

fn opaque(rgb: &[u8]) -> Result<Vec<u8>, StillError> {
    let mut rgba = zeroed(rgb.len() / 3 * 4)?;
    for (to, [r, g, b]) in rgba.as_chunks_mut::<4>().0.iter_mut().zip(rgb.as_chunks::<3>().0) {
        *to = [*r, *g, *b, 255];
    }
    Ok(rgba)
}
