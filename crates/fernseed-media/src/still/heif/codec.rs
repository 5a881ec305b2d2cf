//! The two codecs of HEIF pictures, behind one type of result.

use super::sps;
use super::yuv::{Chroma, Yuv};
use crate::still::StillError;
use crate::still::guard::{allowed, guarded};
use fernseed_core::Size;
use fernseed_core::limits::Limits;
use heic_rs::hevc;
use re_rav1d::dav1d;

/// One HEVC picture. `config` is the body of its `hvcC` box.
pub(super) fn hevc(config: &[u8], data: &[u8], limits: &Limits) -> Result<Yuv, StillError> {
    let (sets, length_size) = parameter_sets(config)
        .ok_or_else(|| StillError::damaged("its HEVC configuration is cut"))?;
    let mut slices = Vec::new();
    let mut rest = data;
    while !rest.is_empty() {
        let (len, after) = rest.split_at_checked(length_size).ok_or(StillError::Truncated)?;
        let len = len.iter().fold(0_usize, |v, b| v << 8 | usize::from(*b));
        let (unit, after) = after.split_at_checked(len).ok_or(StillError::Truncated)?;
        slices.push(unit);
        rest = after;
    }
    // The first set of type 33; there is one in every file.
    let signal = sps::signal(sets.iter().find(|s| matches!(s, [0x42, ..])).unwrap_or(&&[][..]));
    guarded("HEVC", || {
        let info = hevc::probe(&sets).map_err(explain)?;
        allowed(info.width, info.height, limits)?;
        let frame = hevc::decode_still(&sets, &slices).map_err(explain)?;
        frame.validate().map_err(explain)?;
        Ok(Yuv {
            size: Size::new(frame.width, frame.height),
            depth: frame.bit_depth,
            chroma: match frame.chroma {
                hevc::ChromaFormat::Monochrome => Chroma::None,
                hevc::ChromaFormat::Yuv420 => Chroma::Quarter,
                hevc::ChromaFormat::Yuv422 => Chroma::Half,
                hevc::ChromaFormat::Yuv444 => Chroma::Full,
            },
            luma_stride: frame.y_stride as usize,
            chroma_stride: frame.c_stride as usize,
            planes: [frame.y, frame.cb, frame.cr],
            primaries: signal.primaries,
            transfer: signal.transfer,
            matrix: signal.matrix,
            full_range: signal.full_range,
        })
    })
}

/// Parameter sets, and bytes of a unit's length (ISO/IEC 14496-15, 8.3.3.1).
fn parameter_sets(config: &[u8]) -> Option<(Vec<&[u8]>, usize)> {
    let length_size = usize::from(config.get(21)? & 3) + 1;
    let (arrays, mut rest) = config.get(22..)?.split_first()?;
    let mut sets = Vec::new();
    for _ in 0..*arrays {
        let (header, after) = rest.split_first_chunk::<3>()?;
        rest = after;
        for _ in 0..u16::from_be_bytes([header[1], header[2]]) {
            let (len, after) = rest.split_first_chunk::<2>()?;
            let (unit, after) = after.split_at_checked(u16::from_be_bytes(*len).into())?;
            // Video, sequence and picture parameter sets; the rest is not needed.
            if matches!(header[0] & 63, 32..=34) {
                sets.push(unit);
            }
            rest = after;
        }
    }
    (!sets.is_empty()).then_some((sets, length_size))
}

fn explain(error: heic_rs::Error) -> StillError {
    match error {
        heic_rs::Error::Unsupported(what) => StillError::unsupported(format!("HEVC with {what}")),
        other => StillError::damaged(other),
    }
}

/// The first AV1 picture of some open bitstream units.
pub(super) fn av1(data: Vec<u8>, limits: &Limits) -> Result<Yuv, StillError> {
    guarded("AV1", || {
        let mut settings = dav1d::Settings::new();
        settings.set_n_threads(1);
        settings.set_max_frame_delay(1);
        settings.set_frame_size_limit(u32::try_from(limits.max_pixels).unwrap_or(u32::MAX));
        settings.set_strict_std_compliance(true);
        let mut decoder = dav1d::Decoder::with_settings(&settings).map_err(refuse)?;
        let mut pending = match decoder.send_data(data, None, None, None) {
            Ok(()) => false,
            Err(dav1d::Error::Again) => true,
            Err(error) => return Err(refuse(error)),
        };
        loop {
            match decoder.get_picture() {
                Ok(picture) => return planes(&picture),
                Err(dav1d::Error::Again) if pending => {}
                Err(dav1d::Error::Again) => return Err(StillError::Truncated),
                Err(error) => return Err(refuse(error)),
            }
            pending = match decoder.send_pending_data() {
                Ok(()) => false,
                Err(dav1d::Error::Again) => true,
                Err(error) => return Err(refuse(error)),
            };
        }
    })
}

fn refuse(error: dav1d::Error) -> StillError {
    match error {
        dav1d::Error::NotEnoughMemory => StillError::Limit { what: "memory" },
        dav1d::Error::UnsupportedBitstream => StillError::unsupported("a rare kind of AV1"),
        other => StillError::damaged(format!("AV1: {other}")),
    }
}

fn planes(picture: &dav1d::Picture) -> Result<Yuv, StillError> {
    use dav1d::PlanarImageComponent::{U, V, Y};
    let depth = picture.bit_depth();
    let bytes = if depth > 8 { 2 } else { 1 };
    let chroma = match picture.pixel_layout() {
        dav1d::PixelLayout::I400 => Chroma::None,
        dav1d::PixelLayout::I420 => Chroma::Quarter,
        dav1d::PixelLayout::I422 => Chroma::Half,
        dav1d::PixelLayout::I444 => Chroma::Full,
    };
    let plane = |component| -> Vec<u16> {
        let plane = picture.plane(component);
        let samples: &[u8] = plane.as_ref();
        if bytes == 2 {
            samples.as_chunks::<2>().0.iter().map(|pair| u16::from_ne_bytes(*pair)).collect()
        } else {
            samples.iter().map(|v| u16::from(*v)).collect()
        }
    };
    let (cb, cr) = match chroma {
        Chroma::None => (Vec::new(), Vec::new()),
        _ => (plane(U), plane(V)),
    };
    Ok(Yuv {
        size: Size::new(picture.width(), picture.height()),
        depth: u8::try_from(depth).unwrap_or(0),
        chroma,
        luma_stride: picture.stride(Y) as usize / bytes,
        chroma_stride: if chroma == Chroma::None { 0 } else { picture.stride(U) as usize / bytes },
        planes: [plane(Y), cb, cr],
        primaries: picture.color_primaries() as u8,
        transfer: picture.transfer_characteristic() as u8,
        matrix: picture.matrix_coefficients() as u8,
        full_range: picture.color_range() == dav1d::pixel::YUVRange::Full,
    })
}
