//! Sample descriptions of sound: from boxes to typed values.

use super::super::codec::sound::{self, Pcm};
use super::super::codec::{Codec, aac};
use super::super::movie::{Tick, Track};
use super::boxes::child;
use super::entry::esds;
use crate::bytes::{be16, be32, be64, fourcc};
use crate::strip::StripError;

fn broken(what: &str) -> StripError {
    StripError::Damaged(format!("the {what} configuration is broken"))
}

/// What the fixed fields say.
struct Fixed<'a> {
    channels: u16,
    bits: u16,
    rate: u32,
    /// Flags of `lpcm`.
    flags: u32,
    boxes: &'a [u8],
}

fn fixed(b: &[u8]) -> Option<Fixed<'_>> {
    let version = be16(b, 8)?;
    let mut f = Fixed {
        channels: be16(b, 16)?,
        bits: be16(b, 18)?,
        rate: be32(b, 24)? >> 16,
        flags: 0,
        boxes: b.get(28..)?,
    };
    match version {
        1 => f.boxes = b.get(44..).unwrap_or(f.boxes),
        2 => {
            f.rate = f64::from_bits(be64(b, 32)?) as u32;
            f.channels = u16::try_from(be32(b, 40)?).ok()?;
            f.bits = u16::try_from(be32(b, 48)?).ok()?;
            f.flags = be32(b, 52)?;
            f.boxes = b.get(64..)?;
        }
        _ => {}
    }
    // Version 1 exists in QuickTime only; ISO files that say 1 have no
    // further fields.
    if version == 1 && !plausible(f.boxes) && plausible(b.get(28..)?) {
        f.boxes = b.get(28..)?;
    }
    Some(f)
}

fn plausible(boxes: &[u8]) -> bool {
    boxes.is_empty() || be32(boxes, 0).is_some_and(|n| n >= 8 && n as usize <= boxes.len())
}

/// A sound track without samples from its sample description.
pub(super) fn sound(kind: [u8; 4], b: &[u8], tick: Tick) -> Result<Track, StripError> {
    let f = fixed(b).ok_or_else(|| broken("sound"))?;
    if &kind == b"enca" || child(f.boxes, b"sinf").is_some() {
        return Err(StripError::Encrypted);
    }
    let inner =
        |name: &[u8; 4]| child(f.boxes, name).or_else(|| child(child(f.boxes, b"wave")?, name));
    let need = |name: &[u8; 4], what: &str| inner(name).ok_or_else(|| broken(what));
    let linear = |bits: u16, big: bool, float: bool| {
        Codec::Pcm(Pcm { bits, float, big, signed: bits > 8, law: 0 })
    };
    let little = inner(b"enda").and_then(|b| be16(b, 0)).is_some_and(|n| n & 0xFF == 1);
    let (mut rate, mut channels) = (f.rate, f.channels);
    let codec = match &kind {
        b"mp4a" => {
            let (object, specific) = esds(need(b"esds", "AAC")?).ok_or_else(|| broken("AAC"))?;
            match object {
                0x40 | 0x66..=0x68 => {
                    let config = aac::parse(specific)
                        .ok_or_else(|| StripError::Unsupported("this kind of AAC".into()))?;
                    (rate, channels) = (config.rate, config.channels);
                    Codec::Aac(config)
                }
                0x69 | 0x6B => Codec::Mpa(3),
                0xA5 => Codec::Ac3(None),
                0xA6 => Codec::Eac3(None),
                0xA9..=0xAC => Codec::Dts,
                _ => {
                    return Err(StripError::Unsupported(format!("the sound codec 0x{object:02x}")));
                }
            }
        }
        b".mp3" | b"ms\0U" => Codec::Mpa(3),
        b"Opus" => {
            let opus = sound::dops(need(b"dOps", "Opus")?).ok_or_else(|| broken("Opus"))?;
            (rate, channels) = (48_000, opus.channels.into());
            Codec::Opus(opus)
        }
        b"fLaC" => {
            let b = need(b"dfLa", "FLAC")?;
            let info = b.get(4..).and_then(sound::flac).ok_or_else(|| broken("FLAC"))?;
            (rate, channels) = sound::flac_shape(&info).ok_or_else(|| broken("FLAC"))?;
            Codec::Flac(info)
        }
        b"alac" => {
            let b = need(b"alac", "ALAC")?;
            let cookie = b.get(4..).and_then(sound::alac).ok_or_else(|| broken("ALAC"))?;
            rate = be32(&cookie, 20).unwrap_or(rate);
            channels = cookie[9].into();
            Codec::Alac(cookie)
        }
        b"ac-3" => Codec::Ac3(inner(b"dac3").and_then(|b| b.get(..3)?.try_into().ok())),
        b"ec-3" => {
            let record = need(b"dec3", "E-AC-3")?;
            Codec::Eac3(Some(dec3(record).ok_or_else(|| broken("E-AC-3"))?))
        }
        b"samr" => Codec::Amr { wide: false },
        b"sawb" => Codec::Amr { wide: true },
        b"sowt" => linear(f.bits, false, false),
        b"twos" => Codec::Pcm(Pcm { bits: f.bits, float: false, big: true, signed: true, law: 0 }),
        b"raw " => linear(f.bits, true, false),
        b"in24" => linear(24, !little, false),
        b"in32" => linear(32, !little, false),
        b"fl32" => linear(32, !little, true),
        b"fl64" => linear(64, !little, true),
        b"lpcm" if f.flags & 0x30 == 0 => Codec::Pcm(Pcm {
            bits: f.bits,
            float: f.flags & 1 != 0,
            big: f.flags & 2 != 0,
            signed: f.flags & 4 != 0 || f.bits > 8,
            law: 0,
        }),
        b"ulaw" => Codec::Pcm(Pcm { bits: 8, float: false, big: true, signed: true, law: 7 }),
        b"alaw" => Codec::Pcm(Pcm { bits: 8, float: false, big: true, signed: true, law: 6 }),
        _ => return Err(StripError::Unsupported(format!("the sound codec {}", fourcc(kind)))),
    };
    // The field has 16 bits; the clock of uncompressed sound says the same.
    if matches!(codec, Codec::Pcm(_)) && tick.num == 1 && u64::from(rate) == tick.den & 0xFFFF {
        rate = u32::try_from(tick.den).unwrap_or(rate);
    }
    let mut track = Track::new(codec, tick);
    track.rate = rate;
    track.channels = channels;
    Ok(track)
}

/// `EC3SpecificBox` cut to its syntax (ETSI TS 102 366, F.6).
fn dec3(b: &[u8]) -> Option<Vec<u8>> {
    use super::super::codec::bits::{Bits, Writer};
    let mut r = Bits::new(b);
    r.u(13)?;
    let streams = r.u(3)?;
    for _ in 0..=streams {
        r.u(19)?;
        let dependent = r.u(4)?;
        r.u(if dependent > 0 { 9 } else { 1 })?;
    }
    let mut w = Writer::default();
    w.parsed(b, 0, r.at());
    Some(w.done())
}
