//! TIFF, decoded by the `tiff` crate: the first page only.

use super::StillError;
use super::colour::Colour;
use super::guard::{allowed, guarded, packed_len, zeroed};
use super::raster::{Channels, Raster, Samples, unmultiply};
use fernseed_core::finding::{Finding, FindingCode, Severity};
use fernseed_core::limits::Limits;
use fernseed_core::{Orientation, Size};
use std::io::Cursor;
use tiff::ColorType;
use tiff::TiffError;
use tiff::decoder::{Decoder, DecodingResult};
use tiff::tags::Tag;

type Reader<'a> = Decoder<Cursor<&'a [u8]>>;

/// Number of the tag that holds an ICC profile (TIFF/EP, ICC.1 annex B.4).
const ICC_PROFILE: u16 = 34_675;
/// `ExtraSamples` values (TIFF 6.0, section 18).
const ASSOCIATED_ALPHA: u16 = 1;
const UNASSOCIATED_ALPHA: u16 = 2;

/// The first page and whether it is stored lossily.
pub(super) fn decode(
    bytes: &[u8],
    limits: &Limits,
    notes: &mut Vec<Finding>,
) -> Result<(Raster, bool), StillError> {
    guarded("TIFF", || {
        let mut reader = Decoder::new(Cursor::new(bytes)).map_err(explain)?;
        let (width, height) = reader.dimensions().map_err(explain)?;
        let size = allowed(width, height, limits)?;
        let mut bounds = tiff::decoder::Limits::default();
        // Eight samples of 16 bits are more than any layout read below has.
        bounds.decoding_buffer_size = packed_len(size, 16)?.max(1 << 20);
        bounds.intermediate_buffer_size = bounds.decoding_buffer_size;
        bounds.ifd_value_size = 16 << 20;
        let mut reader = reader.with_limits(bounds);
        let layout = Layout::read(&mut reader)?;
        let samples = layout.samples(&mut reader, size)?;
        let icc = reader.find_tag(Tag::Unknown(ICC_PROFILE)).ok().flatten();
        let colour = icc.and_then(|v| v.into_u8_vec().ok()).map_or(Colour::Srgb, Colour::Icc);
        let orientation = find_u16(&mut reader, Tag::Orientation)
            .and_then(Orientation::from_exif)
            .unwrap_or_default();
        // 6 and 7 are JPEG, 34892 is lossy DNG.
        let lossy = matches!(find_u16(&mut reader, Tag::Compression), Some(6 | 7 | 34_892));
        if reader.more_images() {
            notes.push(Finding::new(
                FindingCode::Note,
                Severity::Notice,
                "The file has several pages; only the first one was carried over.",
            ));
        }
        Ok((Raster { size, channels: layout.channels, samples, colour, orientation }, lossy))
    })
}

fn find_u16(reader: &mut Reader<'_>, tag: Tag) -> Option<u16> {
    reader.find_tag_unsigned(tag).ok().flatten()
}

/// How the samples of a page are laid out.
struct Layout {
    channels: Channels,
    bits: u8,
    /// Samples stored per pixel, those that are dropped included.
    stored: usize,
    premultiplied: bool,
    palette: Option<Vec<u16>>,
    ycbcr: bool,
}

impl Layout {
    fn read(reader: &mut Reader<'_>) -> Result<Self, StillError> {
        let stored = usize::from(find_u16(reader, Tag::SamplesPerPixel).unwrap_or(1));
        let extra: Option<Vec<u16>> =
            reader.find_tag_unsigned_vec(Tag::ExtraSamples).ok().flatten();
        let alpha = extra.as_ref().and_then(|e| e.first().copied());
        let has_alpha = matches!(alpha, Some(ASSOCIATED_ALPHA | UNASSOCIATED_ALPHA));
        let (mut palette, mut ycbcr) = (None, false);
        let (channels, bits) = match reader.colortype().map_err(explain)? {
            ColorType::Gray(bits) => (Channels::Gray, bits),
            ColorType::GrayA(bits) => (Channels::GrayAlpha, bits),
            ColorType::Multiband { bit_depth, .. } if has_alpha => (Channels::GrayAlpha, bit_depth),
            ColorType::Multiband { bit_depth, .. } => (Channels::Gray, bit_depth),
            ColorType::RGB(bits) => (Channels::Rgb, bits),
            ColorType::RGBA(bits) if has_alpha || extra.is_none() => (Channels::Rgba, bits),
            ColorType::RGBA(bits) => (Channels::Rgb, bits),
            ColorType::CMYK(bits) | ColorType::CMYKA(bits) => (Channels::Cmyk, bits),
            ColorType::Palette(bits) => {
                let map = reader.get_tag(Tag::ColorMap).map_err(explain)?;
                palette = Some(map.into_u16_vec().map_err(explain)?);
                (Channels::Rgb, bits)
            }
            ColorType::YCbCr(8) => {
                ycbcr = true;
                (Channels::Rgb, 8)
            }
            other => return Err(StillError::unsupported(format!("TIFF of the kind {other:?}"))),
        };
        if !matches!(bits, 1 | 2 | 4 | 8 | 16) {
            return Err(StillError::unsupported(format!("TIFF with {bits} bits a sample")));
        }
        let premultiplied = channels.has_alpha() && alpha == Some(ASSOCIATED_ALPHA);
        Ok(Self { channels, bits, stored, premultiplied, palette, ycbcr })
    }

    /// Decodes the page to the samples of [`Self::channels`].
    fn samples(&self, reader: &mut Reader<'_>, size: Size) -> Result<Samples, StillError> {
        let mut result = DecodingResult::U8(Vec::new());
        let layout = reader.read_image_to_buffer(&mut result).map_err(explain)?;
        let used = if self.palette.is_some() { 1 } else { self.channels.count() };
        if self.stored < used || (layout.planes > 1 && layout.planes < used) {
            return Err(StillError::damaged("it has too few samples per pixel"));
        }
        let pixels = packed_len(size, 1)?;
        let mut samples = match result {
            DecodingResult::U8(v) if self.bits < 8 => {
                Samples::U8(self.unpack(&v, size.width as usize, pixels)?)
            }
            DecodingResult::U8(v) => {
                Samples::U8(gather(v, pixels, layout.planes, self.stored, used)?)
            }
            DecodingResult::U16(v) => {
                Samples::U16(gather(v, pixels, layout.planes, self.stored, used)?)
            }
            _ => return Err(StillError::unsupported("TIFF with signed or floating-point samples")),
        };
        if let Some(palette) = &self.palette {
            return look_up(&samples, palette, self.bits);
        }
        match &mut samples {
            Samples::U8(v) if self.ycbcr => from_ycbcr(v),
            Samples::U8(v) if self.premultiplied => unmultiply(v, self.channels.count(), 255),
            Samples::U16(v) if self.premultiplied => unmultiply(v, self.channels.count(), 65_535),
            _ => {}
        }
        Ok(samples)
    }

    /// Samples of less than a byte, spread over the range (or left as
    /// indices for a palette). Rows begin at whole bytes.
    fn unpack(&self, packed: &[u8], width: usize, pixels: usize) -> Result<Vec<u8>, StillError> {
        if self.stored != 1 {
            return Err(StillError::unsupported("TIFF with several small samples per pixel"));
        }
        let per_byte = usize::from(8 / self.bits);
        let row_bytes = width.div_ceil(per_byte);
        let top = (1_u16 << self.bits) - 1;
        let mut out = zeroed(pixels)?;
        for (row, to) in packed.chunks(row_bytes).zip(out.chunks_mut(width)) {
            for (x, sample) in to.iter_mut().enumerate() {
                let byte = row.get(x / per_byte).copied().unwrap_or(0);
                let shift = 8 - usize::from(self.bits) * (x % per_byte + 1);
                let value = (u16::from(byte) >> shift) & top;
                *sample = if self.palette.is_some() { value } else { value * 255 / top } as u8;
            }
        }
        Ok(out)
    }
}

/// The first `used` of `stored` samples of every pixel, interleaved, from
/// interleaved samples or from separate planes.
fn gather<T: Copy + Default>(
    samples: Vec<T>,
    pixels: usize,
    planes: usize,
    stored: usize,
    used: usize,
) -> Result<Vec<T>, StillError> {
    if planes <= 1 && stored == used {
        return Ok(samples);
    }
    let mut out = zeroed(pixels.saturating_mul(used))?;
    if planes <= 1 {
        for (to, from) in out.chunks_exact_mut(used).zip(samples.chunks_exact(stored)) {
            for (sample, value) in to.iter_mut().zip(from) {
                *sample = *value;
            }
        }
    } else {
        for (plane, from) in samples.chunks_exact(pixels).take(used).enumerate() {
            for (to, value) in out.chunks_exact_mut(used).zip(from) {
                if let Some(sample) = to.get_mut(plane) {
                    *sample = *value;
                }
            }
        }
    }
    Ok(out)
}

/// Colours of palette indices (all reds, then all greens, then all blues).
fn look_up(samples: &Samples, palette: &[u16], bits: u8) -> Result<Samples, StillError> {
    let entries = 1_usize << bits.min(16);
    if palette.len() < entries * 3 {
        return Err(StillError::damaged("its palette is too short"));
    }
    let colour = |index: usize| {
        let at = |plane: usize| {
            palette.get(plane * entries + index).copied().map_or(0, super::colour::narrow)
        };
        [at(0), at(1), at(2)]
    };
    let len = match samples {
        Samples::U8(v) => v.len(),
        Samples::U16(v) => v.len(),
    };
    let mut out = zeroed(len.saturating_mul(3))?;
    let places = out.as_chunks_mut::<3>().0.iter_mut();
    match samples {
        Samples::U8(v) => places.zip(v).for_each(|(to, i)| *to = colour(usize::from(*i))),
        Samples::U16(v) => places.zip(v).for_each(|(to, i)| *to = colour(usize::from(*i))),
    }
    Ok(Samples::U8(out))
}

/// Full-range BT.601 (TIFF 6.0, section 21; JFIF), in place.
fn from_ycbcr(samples: &mut [u8]) {
    for pixel in samples.as_chunks_mut::<3>().0 {
        let [y, cb, cr] = pixel.map(f32::from);
        let (cb, cr) = (cb - 128.0, cr - 128.0);
        let rgb = [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb];
        *pixel = rgb.map(|v| v.round().clamp(0.0, 255.0) as u8);
    }
}

fn explain(error: TiffError) -> StillError {
    match error {
        TiffError::IoError(e) => StillError::from_io(&e),
        TiffError::UnsupportedError(what) => StillError::unsupported(what),
        TiffError::LimitsExceeded => StillError::Limit { what: "memory" },
        other => StillError::damaged(other),
    }
}

#[cfg(test)]
mod tests;
