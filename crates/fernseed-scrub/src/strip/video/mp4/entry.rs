//! Sample descriptions of video: from boxes to typed values.

use super::super::codec::nal::Framing;
use super::super::codec::sets::Sets;
use super::super::codec::{Codec, av1, mpeg, vp9};
use super::super::movie::{Colour, Look, Tick, Track};
use super::boxes::{child, children};
use crate::bytes::{be16, be32, fourcc, part};
use crate::strip::StripError;

/// Most pixels of a side that a crop may take away: more than any encoder
/// needs to fill its last block, and it hides something.
pub(in super::super) const MAX_CROP: u32 = 64;

pub(super) use super::sound_entry::sound;

fn broken(what: &str) -> StripError {
    StripError::Damaged(format!("the {what} configuration is broken"))
}

/// A video track without samples from its sample description.
pub(super) fn video(kind: [u8; 4], b: &[u8], tick: Tick) -> Result<Track, StripError> {
    let boxes = b.get(78..).unwrap_or_default();
    if &kind == b"encv" || child(boxes, b"sinf").is_some() {
        return Err(StripError::Encrypted);
    }
    let need = |name: &[u8; 4], what: &str| child(boxes, name).ok_or_else(|| broken(what));
    let codec = match &kind {
        b"avc1" | b"avc3" | b"avc2" | b"avc4" | b"dva1" | b"dvav" => {
            let mut sets = Sets::new(false, Framing::Length(4));
            sets.learn_config(need(b"avcC", "H.264")?)?;
            Codec::Nal(sets)
        }
        b"hvc1" | b"hev1" | b"dvh1" | b"dvhe" => {
            let mut sets = Sets::new(true, Framing::Length(4));
            sets.learn_config(need(b"hvcC", "HEVC")?)?;
            Codec::Nal(sets)
        }
        b"av01" => {
            let record = need(b"av1C", "AV1")?;
            let units = record.get(4..).unwrap_or_default();
            Codec::Av1(av1::parse_config(units).ok_or_else(|| broken("AV1"))?)
        }
        b"vp08" => Codec::Vp8,
        b"vp09" => {
            let record = need(b"vpcC", "VP9")?;
            let fields = record.get(4..).unwrap_or_default();
            Codec::Vp9(vp9::parse(fields).ok_or_else(|| broken("VP9"))?)
        }
        b"mp4v" => elementary(need(b"esds", "MPEG-4")?)?,
        b"s263" | b"h263" | b"H263" => Codec::H263,
        b"jpeg" | b"mjpa" | b"mjpg" => Codec::Mjpeg,
        b"apch" | b"apcn" | b"apcs" | b"apco" | b"ap4h" | b"ap4x" => Codec::ProRes(kind),
        b"m2v1" | b"mpg2" | b"hdv1" | b"hdv2" | b"hdv3" | b"xdv2" | b"xdv3" => {
            Codec::Mpeg12 { two: true }
        }
        _ => return Err(StripError::Unsupported(format!("the video codec {}", fourcc(kind)))),
    };
    let mut track = Track::new(codec, tick);
    track.look.width = be16(b, 24).unwrap_or(0);
    track.look.height = be16(b, 26).unwrap_or(0);
    look(boxes, &mut track.look)?;
    Ok(track)
}

/// The boxes about how the picture is shown.
fn look(boxes: &[u8], look: &mut Look) -> Result<(), StripError> {
    for (kind, b) in children(boxes) {
        match &kind {
            b"pasp" => {
                let (num, den) = (be32(b, 0).unwrap_or(1), be32(b, 4).unwrap_or(1));
                look.aspect = reduced(num.into(), den.into());
            }
            b"colr" if look.colour.is_none() => look.colour = colour(b),
            b"fiel" => {
                if let (Some(&n), Some(&order)) = (b.first(), b.get(1))
                    && n == 2
                    && matches!(order, 1 | 6 | 9 | 14)
                {
                    look.fields = Some((n, order));
                }
            }
            b"mdcv" if b.len() == 24 => look.mastering = mastering(b),
            b"clli" if b.len() == 4 => {
                look.light = be16(b, 0).zip(be16(b, 2));
            }
            b"clap" => {
                let hidden = crop(b, look).ok_or_else(|| broken("crop"))?;
                if hidden > MAX_CROP {
                    return Err(StripError::NeedsReencoding(
                        "Its pictures are cropped when shown; what was cut away is still in \
                         them and can only be taken out by coding them again."
                            .into(),
                    ));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Most pixels that a clean aperture takes from width or height.
fn crop(b: &[u8], look: &Look) -> Option<u32> {
    let ratio = |at: usize| -> Option<u32> {
        let (n, d) = (be32(b, at)?, be32(b, at + 4)?);
        (d > 0).then_some(n / d.max(1))
    };
    let (w, h) = (ratio(0)?, ratio(8)?);
    Some(u32::from(look.width).abs_diff(w).max(u32::from(look.height).abs_diff(h)))
}

fn mastering(b: &[u8]) -> Option<[u32; 10]> {
    let mut out = [0; 10];
    for (i, value) in out.iter_mut().enumerate() {
        *value = if i < 8 { be16(b, 2 * i)?.into() } else { be32(b, 16 + 4 * (i - 8))? };
    }
    Some(out)
}

fn colour(b: &[u8]) -> Option<Colour> {
    let kind = part(b, 0, 4)?;
    let full = kind == b"nclx" && b.get(10)? & 0x80 != 0;
    matches!(kind, b"nclx" | b"nclc").then_some(Colour {
        primaries: be16(b, 4)?,
        transfer: be16(b, 6)?,
        matrix: be16(b, 8)?,
        full,
    })
}

/// A ratio in lowest terms; `None` for one, and for nonsense.
pub(in super::super) fn reduced(num: u64, den: u64) -> Option<(u32, u32)> {
    let (mut a, mut b) = (num, den);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    if a == 0 || num == 0 || den == 0 {
        return None;
    }
    let pair = (u32::try_from(num / a).ok()?, u32::try_from(den / a).ok()?);
    (pair != (1, 1)).then_some(pair)
}

/// Descriptor of MPEG-4 systems: `(tag, content, rest)`.
pub(super) fn descriptor(b: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let tag = *b.first()?;
    let mut size = 0usize;
    let mut at = 1;
    loop {
        let byte = *b.get(at)?;
        at += 1;
        size = size << 7 | usize::from(byte & 0x7F);
        if byte & 0x80 == 0 {
            break;
        }
        if at > 4 {
            return None;
        }
    }
    Some((tag, part(b, at, size)?, b.get(at + size..)?))
}

/// `(object type, specific configuration)` of an `esds`.
pub(super) fn esds(b: &[u8]) -> Option<(u8, &[u8])> {
    let (3, es, _) = descriptor(b.get(4..)?)? else { return None };
    let flags = *es.get(2)?;
    let mut at = 3;
    if flags & 0x80 != 0 {
        at += 2;
    }
    if flags & 0x40 != 0 {
        at += 1 + usize::from(*es.get(at)?);
    }
    if flags & 0x20 != 0 {
        at += 2;
    }
    let (4, decoder, _) = descriptor(es.get(at..)?)? else { return None };
    let object = *decoder.first()?;
    let specific = match descriptor(decoder.get(13..)?) {
        Some((5, specific, _)) => specific,
        _ => &[],
    };
    Some((object, specific))
}

fn elementary(b: &[u8]) -> Result<Codec, StripError> {
    let (object, specific) = esds(b).ok_or_else(|| broken("MPEG-4"))?;
    match object {
        0x20 => mpeg::mpeg4_headers(specific).map(Codec::Mpeg4).ok_or_else(|| broken("MPEG-4")),
        0x60..=0x65 => Ok(Codec::Mpeg12 { two: true }),
        0x6A => Ok(Codec::Mpeg12 { two: false }),
        0x6C => Ok(Codec::Mjpeg),
        _ => Err(StripError::Unsupported(format!("the video codec 0x{object:02x}"))),
    }
}
