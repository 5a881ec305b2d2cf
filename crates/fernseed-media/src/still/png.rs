//! PNG and APNG, decoded by the `png` crate.

use super::animation::{AnimationInfo, Delay, FrameSource};
use super::canvas::{Area, Blend, Canvas, Disposal};
use super::colour::Colour;
use super::exif;
use super::guard::{allowed, guarded, zeroed};
use super::raster::{Channels, Raster, Samples};
use super::{Content, StillError};
use fernseed_core::limits::Limits;
use fernseed_core::{Orientation, Size};
use png::{BitDepth, BlendOp, ColorType, DecodingError, DisposeOp, Transformations};
use std::io::Cursor;

type Reader<'a> = png::Reader<Cursor<&'a [u8]>>;

pub(super) fn decode<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Content<'a>, StillError> {
    let chunks = Chunks::read(bytes)?;
    let size = allowed(chunks.width, chunks.height, limits)?;
    let orientation = chunks.exif.map(exif::orientation).unwrap_or_default();
    guarded("PNG", || {
        let reader = open(bytes)?;
        let info = reader.info();
        let colour = colour_of(info);
        let control = info.animation_control.filter(|c| c.num_frames > 1);
        let Some(control) = control else {
            let raster = Raster { orientation, colour, ..next_raster(&mut { reader }, size)?.0 };
            return Ok(Content::One(raster));
        };
        let info = AnimationInfo {
            size: orientation.apply_to_size(size),
            frames: control.num_frames,
            loops: control.num_plays,
        };
        let canvas = Canvas::new(size)?;
        let frames = Frames { reader, canvas, size, colour, orientation };
        Ok(Content::Animated(info, Box::new(frames)))
    })
}

fn open(bytes: &[u8]) -> Result<Reader<'_>, StillError> {
    let mut options = png::DecodeOptions::default();
    options.set_skip_ancillary_crc_failures(false);
    options.set_ignore_text_chunk(true);
    let mut decoder = png::Decoder::new_with_options(Cursor::new(bytes), options);
    decoder.set_transformations(Transformations::EXPAND);
    decoder.read_info().map_err(explain)
}

/// The next frame (or the only one) as stored, and its place on the canvas.
fn next_raster(reader: &mut Reader<'_>, canvas: Size) -> Result<(Raster, Area), StillError> {
    let len = reader.output_buffer_size().ok_or(StillError::Limit { what: "memory" })?;
    let mut buffer = zeroed(len)?;
    let out = reader.next_frame(&mut buffer).map_err(explain)?;
    buffer.truncate(out.line_size.saturating_mul(out.height as usize));
    let channels = match out.color_type {
        ColorType::Grayscale => Channels::Gray,
        ColorType::GrayscaleAlpha => Channels::GrayAlpha,
        ColorType::Rgb => Channels::Rgb,
        ColorType::Rgba => Channels::Rgba,
        ColorType::Indexed => return Err(StillError::damaged("it has no palette")),
    };
    let samples = match out.bit_depth {
        BitDepth::Sixteen => Samples::U16(
            buffer.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair)).collect(),
        ),
        _ => Samples::U8(buffer),
    };
    let size = Size::new(out.width, out.height);
    let area = match &reader.info().frame_control {
        Some(control) => Area { left: control.x_offset, top: control.y_offset, size },
        None => Area { left: 0, top: 0, size: canvas },
    };
    let raster =
        Raster { size, channels, samples, colour: Colour::Srgb, orientation: Orientation::Upright };
    Ok((raster, area))
}

/// Colour by the precedence of the PNG specification, third edition, 4.3.
fn colour_of(info: &png::Info<'_>) -> Colour {
    if let Some(points) = &info.coding_independent_code_points {
        return Colour::Cicp {
            primaries: points.color_primaries,
            transfer: points.transfer_function,
        };
    }
    if let Some(icc) = &info.icc_profile {
        return Colour::Icc(icc.to_vec());
    }
    if info.srgb.is_some() {
        return Colour::Srgb;
    }
    let gamma = info.gama_chunk.map(|g| g.into_value()).filter(|g| *g > 0.0);
    let xy = info
        .chrm_chunk
        .map(|c| [c.white, c.red, c.green, c.blue].map(|(x, y)| [x.into_value(), y.into_value()]));
    match (gamma, xy) {
        (None, None) => Colour::Srgb,
        // 0.45455 is how files say sRGB that predate its chunk.
        (Some(g), xy) if (g - 0.454_55).abs() < 1e-4 && xy.is_none_or(is_srgb) => Colour::Srgb,
        (None, Some(xy)) if is_srgb(xy) => Colour::Srgb,
        (gamma, xy) => Colour::Calibrated { gamma: 1.0 / gamma.unwrap_or(0.454_55), xy },
    }
}

fn is_srgb(xy: [[f32; 2]; 4]) -> bool {
    let srgb = [[0.3127, 0.329], [0.64, 0.33], [0.3, 0.6], [0.15, 0.06]];
    xy.iter().flatten().zip(srgb.iter().flatten()).all(|(a, b)| (a - b).abs() < 2e-3)
}

/// The frames of an APNG.
struct Frames<'a> {
    reader: Reader<'a>,
    canvas: Canvas,
    size: Size,
    colour: Colour,
    orientation: Orientation,
}

impl FrameSource for Frames<'_> {
    fn next_frame(&mut self) -> Result<Option<(Raster, Delay)>, StillError> {
        let (mut raster, mut area) = next_raster(&mut self.reader, self.size)?;
        if self.reader.info().frame_control.is_none() {
            // A picture for viewers that cannot animate comes first.
            (raster, area) = next_raster(&mut self.reader, self.size)?;
        }
        let Some(control) = self.reader.info().frame_control else {
            return Err(StillError::damaged("an animation frame has no control chunk"));
        };
        let disposal = match control.dispose_op {
            DisposeOp::None => Disposal::Keep,
            DisposeOp::Background => Disposal::Clear,
            DisposeOp::Previous => Disposal::Restore,
        };
        let blend = match control.blend_op {
            BlendOp::Source => Blend::Replace,
            BlendOp::Over => Blend::Over,
        };
        // Frames are put together in sRGB, so colour is settled first.
        let alpha = raster.channels.has_alpha();
        let colour = self.colour.clone();
        let mut pixels =
            super::colour::to_srgb8(raster.samples, raster.channels, colour, &mut Vec::new())?;
        if !alpha {
            pixels = opaque(&pixels)?;
        }
        let shown = self.canvas.draw(&pixels, area, blend, disposal)?;
        let mut raster = Raster::srgb8(self.size, Channels::Rgba, shown);
        raster.orientation = self.orientation;
        let delay = Delay::new(control.delay_num.into(), control.delay_den.into());
        Ok(Some((raster, delay)))
    }
}

/// RGBA from RGB.
fn opaque(rgb: &[u8]) -> Result<Vec<u8>, StillError> {
    let mut rgba = zeroed(rgb.len() / 3 * 4)?;
    for (to, [r, g, b]) in rgba.as_chunks_mut::<4>().0.iter_mut().zip(rgb.as_chunks::<3>().0) {
        *to = [*r, *g, *b, 255];
    }
    Ok(rgba)
}

/// What is needed before decoding, from a walk over all chunks. The decoder
/// itself would stop at the last picture data and see neither a missing end
/// nor an `eXIf` chunk that follows.
struct Chunks<'a> {
    width: u32,
    height: u32,
    exif: Option<&'a [u8]>,
}

impl<'a> Chunks<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, StillError> {
        let mut rest = bytes.get(8..).ok_or(StillError::Truncated)?;
        let (mut sides, mut exif) = (None, None);
        loop {
            let (len, after) = rest.split_first_chunk::<4>().ok_or(StillError::Truncated)?;
            let (name, after) = after.split_first_chunk::<4>().ok_or(StillError::Truncated)?;
            let len = u32::from_be_bytes(*len) as usize;
            let data = after.get(..len).ok_or(StillError::Truncated)?;
            rest = after.get(len.saturating_add(4)..).ok_or(StillError::Truncated)?;
            match name {
                b"IHDR" if sides.is_none() => {
                    let (width, height) = data.split_first_chunk().ok_or(StillError::Truncated)?;
                    let height = height.first_chunk().ok_or(StillError::Truncated)?;
                    sides = Some((u32::from_be_bytes(*width), u32::from_be_bytes(*height)));
                }
                b"eXIf" if exif.is_none() => exif = Some(data),
                b"IEND" => break,
                _ => {}
            }
        }
        let (width, height) = sides.ok_or_else(|| StillError::damaged("it has no header"))?;
        Ok(Self { width, height, exif })
    }
}

fn explain(error: DecodingError) -> StillError {
    match error {
        DecodingError::IoError(e) => StillError::from_io(&e),
        DecodingError::LimitsExceeded => StillError::Limit { what: "memory" },
        other => StillError::damaged(other),
    }
}

#[cfg(test)]
mod tests;
