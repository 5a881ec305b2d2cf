//! BMP and Netpbm, decoded by the `image` crate.

use super::StillError;
use super::colour::Colour;
use super::guard::{allowed, guarded, zeroed};
use super::raster::{Channels, Raster, Samples};
use fernseed_core::Orientation;
use fernseed_core::limits::Limits;
use image::codecs::{bmp::BmpDecoder, pnm::PnmDecoder};
use image::{ColorType, ImageDecoder, ImageError};
use std::io::Cursor;

pub(super) fn decode_bmp(bytes: &[u8], limits: &Limits) -> Result<Raster, StillError> {
    guarded("BMP", || read(BmpDecoder::new(Cursor::new(bytes)).map_err(explain)?, limits))
}

pub(super) fn decode_pnm(bytes: &[u8], limits: &Limits) -> Result<Raster, StillError> {
    guarded("Netpbm", || read(PnmDecoder::new(Cursor::new(bytes)).map_err(explain)?, limits))
}

fn read(mut decoder: impl ImageDecoder, limits: &Limits) -> Result<Raster, StillError> {
    let (width, height) = decoder.dimensions();
    let size = allowed(width, height, limits)?;
    let colour = decoder.icc_profile().map_err(explain)?.map_or(Colour::Srgb, Colour::Icc);
    let (channels, wide) = match decoder.color_type() {
        ColorType::L8 => (Channels::Gray, false),
        ColorType::La8 => (Channels::GrayAlpha, false),
        ColorType::Rgb8 => (Channels::Rgb, false),
        ColorType::Rgba8 => (Channels::Rgba, false),
        ColorType::L16 => (Channels::Gray, true),
        ColorType::La16 => (Channels::GrayAlpha, true),
        ColorType::Rgb16 => (Channels::Rgb, true),
        ColorType::Rgba16 => (Channels::Rgba, true),
        other => return Err(StillError::unsupported(format!("{other:?} samples"))),
    };
    let len = usize::try_from(decoder.total_bytes()).ok();
    let mut buffer = zeroed(len.ok_or(StillError::Limit { what: "memory" })?)?;
    decoder.read_image(&mut buffer).map_err(explain)?;
    let samples = if wide {
        Samples::U16(
            buffer.as_chunks::<2>().0.iter().map(|pair| u16::from_ne_bytes(*pair)).collect(),
        )
    } else {
        Samples::U8(buffer)
    };
    Ok(Raster { size, channels, samples, colour, orientation: Orientation::Upright })
}

fn explain(error: ImageError) -> StillError {
    match error {
        ImageError::IoError(e) => StillError::from_io(&e),
        ImageError::Unsupported(what) => StillError::unsupported(what),
        ImageError::Limits(_) => StillError::Limit { what: "memory" },
        other => StillError::damaged(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fernseed_core::Size;

    fn pixels(raster: Raster) -> Vec<u8> {
        raster.finish(&mut Vec::new()).unwrap().into_planes().swap_remove(0).data.into()
    }

    #[test]
    fn netpbm_of_every_kind() {
        let limits = Limits::default();
        let cases: [(&[u8], &[u8]); 4] = [
            (b"P6 2 1 255\n\x01\x02\x03\x04\x05\x06", &[1, 2, 3, 4, 5, 6]),
            (b"P5 2 1 65535\n\xff\xff\x00\x00", &[255, 255, 255, 0, 0, 0]),
            (b"P1 2 1\n0 1\n", &[255, 255, 255, 0, 0, 0]),
            (b"P2 1 1\n# a remark\n255\n9\n", &[9, 9, 9]),
        ];
        for (file, expected) in cases {
            assert_eq!(pixels(decode_pnm(file, &limits).unwrap()), expected);
        }
        assert!(matches!(
            decode_pnm(b"P6 2 1 255\n\x01\x02\x03", &limits),
            Err(StillError::Truncated | StillError::Damaged { .. })
        ));
        assert!(matches!(
            decode_pnm(b"P6 60000 60000 255\n", &limits),
            Err(StillError::TooLarge { .. })
        ));
    }

    #[test]
    fn a_bitmap_stands_on_its_last_row() {
        let mut file = b"BM\x3e\0\0\0\0\0\0\0\x36\0\0\0".to_vec();
        for field in [40_u32, 1, 2, 1 | 24 << 16, 0, 8, 0, 0, 0, 0] {
            file.extend(field.to_le_bytes());
        }
        file.extend([1, 2, 3, 0, 4, 5, 6, 0]);
        let raster = decode_bmp(&file, &Limits::default()).unwrap();
        assert_eq!(raster.size, Size::new(1, 2));
        assert_eq!(pixels(raster), [6, 5, 4, 3, 2, 1]);
        assert!(decode_bmp(&file[..60], &Limits::default()).is_err());
    }
}
