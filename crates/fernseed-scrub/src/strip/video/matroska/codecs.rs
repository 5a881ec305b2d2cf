//! Codec identifiers and private data (RFC 9559 and the Matroska codec
//! mappings), both ways.

use super::super::codec::nal::Framing;
use super::super::codec::sets::Sets;
use super::super::codec::sound::{self, Pcm};
use super::super::codec::{Codec, aac, av1, h264, hevc, mpeg, vp9};
use crate::bytes::{le32, part};
use crate::strip::StripError;

fn broken(id: &str) -> StripError {
    StripError::Damaged(format!("the configuration of {id} is broken"))
}

/// What a track entry says about sound.
pub(super) struct Audio {
    pub(super) rate: u32,
    pub(super) channels: u16,
    pub(super) bits: u16,
}

/// The codec of a track; rate and channels are corrected from its
/// configuration.
pub(super) fn parse(id: &str, private: &[u8], audio: &mut Audio) -> Result<Codec, StripError> {
    let need = |codec: Option<Codec>| codec.ok_or_else(|| broken(id));
    let pcm = |big: bool, float: bool| {
        Ok(Codec::Pcm(Pcm { bits: audio.bits, float, big, signed: audio.bits > 8, law: 0 }))
    };
    match id {
        "V_MPEG4/ISO/AVC" | "V_MPEGH/ISO/HEVC" => {
            let mut sets = Sets::new(id.ends_with("HEVC"), Framing::Length(4));
            sets.learn_config(private)?;
            Ok(Codec::Nal(sets))
        }
        "V_AV1" => {
            let units = private.get(4..).unwrap_or_default();
            need(av1::parse_config(units).map(Codec::Av1))
        }
        "V_VP8" => Ok(Codec::Vp8),
        "V_VP9" => Ok(Codec::Vp9(vp9::Config::default())),
        "V_MPEG1" => Ok(Codec::Mpeg12 { two: false }),
        "V_MPEG2" => Ok(Codec::Mpeg12 { two: true }),
        "V_MPEG4/ISO/SP" | "V_MPEG4/ISO/ASP" | "V_MPEG4/ISO/AP" => {
            Ok(Codec::Mpeg4(mpeg::mpeg4_headers(private).unwrap_or_default()))
        }
        "V_MJPEG" => Ok(Codec::Mjpeg),
        "V_PRORES" => {
            let code = part(private, 0, 4).and_then(|b| b.try_into().ok());
            need(code.map(Codec::ProRes))
        }
        "V_MS/VFW/FOURCC" => need(windows(private)),
        "A_OPUS" => {
            let opus = sound::opus_head(private).ok_or_else(|| broken(id))?;
            (audio.rate, audio.channels) = (48_000, opus.channels.into());
            Ok(Codec::Opus(opus))
        }
        "A_VORBIS" => {
            let (head, setup) = sound::vorbis(private).ok_or_else(|| broken(id))?;
            Ok(Codec::Vorbis { head, setup })
        }
        "A_FLAC" => {
            let info = sound::flac(private).ok_or_else(|| broken(id))?;
            (audio.rate, audio.channels) = sound::flac_shape(&info).ok_or_else(|| broken(id))?;
            Ok(Codec::Flac(info))
        }
        "A_ALAC" => need(sound::alac(private).map(Codec::Alac)),
        "A_MPEG/L1" => Ok(Codec::Mpa(1)),
        "A_MPEG/L2" => Ok(Codec::Mpa(2)),
        "A_MPEG/L3" => Ok(Codec::Mpa(3)),
        "A_AC3" => Ok(Codec::Ac3(None)),
        "A_EAC3" => Ok(Codec::Eac3(None)),
        "A_DTS" => Ok(Codec::Dts),
        "A_PCM/INT/LIT" => pcm(false, false),
        "A_PCM/INT/BIG" => pcm(true, false),
        "A_PCM/FLOAT/IEEE" => pcm(false, true),
        "A_MS/ACM" => {
            let w = sound::wave(private).ok_or_else(|| broken(id))?;
            wave_codec(&w)
        }
        _ if id == "A_AAC" => {
            let config = aac::parse(private)
                .ok_or_else(|| StripError::Unsupported("this kind of AAC".into()))?;
            (audio.rate, audio.channels) = (config.rate, config.channels);
            Ok(Codec::Aac(config))
        }
        _ => {
            let name: String = id.chars().take(32).filter(|c| c.is_ascii_graphic()).collect();
            Err(StripError::Unsupported(format!("the codec {name}")))
        }
    }
}

/// A codec of a `BITMAPINFOHEADER`.
pub(in super::super) fn windows(b: &[u8]) -> Option<Codec> {
    let code: [u8; 4] = part(b, 16, 4)?.try_into().ok()?;
    let size = le32(b, 0)? as usize;
    let extra = b.get(40..size.clamp(40, b.len().max(40))).unwrap_or_default();
    bitmap_codec(code, extra)
}

/// A codec by its Windows code and what follows the fixed header.
pub(in super::super) fn bitmap_codec(code: [u8; 4], extra: &[u8]) -> Option<Codec> {
    let upper = code.map(|c| c.to_ascii_uppercase());
    Some(match &upper {
        b"MP4V" | b"FMP4" | b"XVID" | b"DIVX" | b"DX50" | b"MP4S" | b"M4S2" | b"3IV2" | b"RMP4" => {
            Codec::Mpeg4(mpeg::mpeg4_headers(extra).unwrap_or_default())
        }
        b"MJPG" | b"AVRN" | b"JPEG" => Codec::Mjpeg,
        b"MPG2" | b"MPEG" => Codec::Mpeg12 { two: true },
        b"MPG1" => Codec::Mpeg12 { two: false },
        b"H264" | b"AVC1" | b"X264" | b"DAVC" => Codec::Nal(Sets::new(false, Framing::StartCodes)),
        b"HEVC" | b"H265" | b"HVC1" | b"HEV1" => Codec::Nal(Sets::new(true, Framing::StartCodes)),
        b"H263" | b"U263" | b"S263" => Codec::H263,
        b"MP42" | b"MP43" | b"MPG4" | b"DIV3" | b"DIV4" | b"DIV5" | b"WMV1" | b"WMV2" | b"WMV3"
        | b"WVC1" | b"WMVA" | b"VP80" | b"VP90" => {
            // Decoders of WMV take a few bytes of settings; the others none.
            let most = match &upper {
                b"WMV2" | b"WMV3" => 4,
                b"WVC1" | b"WMVA" => 64,
                _ => 0,
            };
            let extra = extra.get(..extra.len().min(most))?.to_vec();
            Codec::Windows { code: upper, extra }
        }
        _ => return None,
    })
}

/// A codec by its `WAVEFORMATEX`.
pub(in super::super) fn wave_codec(w: &sound::Wave<'_>) -> Result<Codec, StripError> {
    let pcm = |float, law| {
        Codec::Pcm(Pcm {
            bits: if law == 0 { w.bits } else { 8 },
            float,
            big: false,
            signed: w.bits > 8,
            law,
        })
    };
    Ok(match w.tag {
        1 => pcm(false, 0),
        3 => pcm(true, 0),
        6 => pcm(false, 6),
        7 => pcm(false, 7),
        0x50 => Codec::Mpa(2),
        0x55 => Codec::Mpa(3),
        0x2000 => Codec::Ac3(None),
        0x2001 => Codec::Dts,
        0xFF | 0x706D => aac::parse(w.extra)
            .map(Codec::Aac)
            .ok_or_else(|| StripError::Unsupported("this kind of AAC".into()))?,
        0x160 | 0x161 => Codec::Wma {
            tag: w.tag,
            byte_rate: w.byte_rate,
            block: w.block,
            bits: w.bits,
            extra: w.extra.get(..w.extra.len().min(10)).unwrap_or_default().to_vec(),
        },
        0x162 | 0x163 => Codec::Wma {
            tag: w.tag,
            byte_rate: w.byte_rate,
            block: w.block,
            bits: w.bits,
            extra: w.extra.get(..w.extra.len().min(18)).unwrap_or_default().to_vec(),
        },
        tag => return Err(StripError::Unsupported(format!("the sound codec 0x{tag:x}"))),
    })
}

/// A `BITMAPINFOHEADER`.
pub(in super::super) fn bitmap(width: u16, height: u16, code: [u8; 4], extra: &[u8]) -> Vec<u8> {
    let mut b = (40 + extra.len() as u32).to_le_bytes().to_vec();
    b.extend_from_slice(&u32::from(width).to_le_bytes());
    b.extend_from_slice(&u32::from(height).to_le_bytes());
    b.extend_from_slice(&[1, 0, 24, 0]);
    b.extend_from_slice(&code);
    let bytes = (u32::from(width) * u32::from(height)).saturating_mul(3);
    b.extend_from_slice(&bytes.to_le_bytes());
    b.extend_from_slice(&[0; 16]);
    b.extend_from_slice(extra);
    b
}

/// A `WAVEFORMATEX`.
pub(in super::super) fn wave(
    tag: u16,
    channels: u16,
    rate: u32,
    byte_rate: u32,
    block: u16,
    bits: u16,
    extra: &[u8],
) -> Vec<u8> {
    let mut b = tag.to_le_bytes().to_vec();
    b.extend_from_slice(&channels.to_le_bytes());
    b.extend_from_slice(&rate.to_le_bytes());
    b.extend_from_slice(&byte_rate.to_le_bytes());
    b.extend_from_slice(&block.to_le_bytes());
    b.extend_from_slice(&bits.to_le_bytes());
    b.extend_from_slice(&(extra.len() as u16).to_le_bytes());
    b.extend_from_slice(extra);
    b
}

/// Identifier and private data of a track to be written; `None` if the codec
/// has no place in Matroska.
pub(super) fn record(
    codec: &Codec,
    width: u16,
    height: u16,
    rate: u32,
    channels: u16,
) -> Option<(&'static str, Vec<u8>)> {
    Some(match codec {
        Codec::Nal(s) if s.hevc => ("V_MPEGH/ISO/HEVC", hevc::config(&s.list, s.in_band)?),
        Codec::Nal(s) => ("V_MPEG4/ISO/AVC", h264::config(&s.list)?),
        Codec::Av1(c) if !c.sequence.is_empty() => ("V_AV1", av1::record(c)),
        Codec::Vp8 => ("V_VP8", Vec::new()),
        Codec::Vp9(_) => ("V_VP9", Vec::new()),
        Codec::Mpeg12 { two: true } => ("V_MPEG2", Vec::new()),
        Codec::Mpeg12 { two: false } => ("V_MPEG1", Vec::new()),
        Codec::Mpeg4(headers) => ("V_MPEG4/ISO/ASP", headers.clone()),
        Codec::Mjpeg => ("V_MJPEG", Vec::new()),
        Codec::ProRes(code) => ("V_PRORES", code.to_vec()),
        Codec::Windows { code, extra } => ("V_MS/VFW/FOURCC", bitmap(width, height, *code, extra)),
        Codec::H263 => ("V_MS/VFW/FOURCC", bitmap(width, height, *b"H263", &[])),
        Codec::Opus(o) => ("A_OPUS", o.record(true)),
        Codec::Vorbis { head, setup } => ("A_VORBIS", sound::vorbis_record(head, setup)),
        Codec::Flac(info) => ("A_FLAC", [&b"fLaC\x80\0\0\x22"[..], info].concat()),
        Codec::Alac(cookie) => ("A_ALAC", cookie.to_vec()),
        Codec::Aac(c) => ("A_AAC", c.record.clone()),
        Codec::Mpa(1) => ("A_MPEG/L1", Vec::new()),
        Codec::Mpa(2) => ("A_MPEG/L2", Vec::new()),
        Codec::Mpa(_) => ("A_MPEG/L3", Vec::new()),
        Codec::Ac3(_) => ("A_AC3", Vec::new()),
        Codec::Eac3(_) => ("A_EAC3", Vec::new()),
        Codec::Dts => ("A_DTS", Vec::new()),
        Codec::Pcm(p) if p.law == 0 && p.float => ("A_PCM/FLOAT/IEEE", Vec::new()),
        Codec::Pcm(p) if p.law == 0 && p.big => ("A_PCM/INT/BIG", Vec::new()),
        Codec::Pcm(p) if p.law == 0 => ("A_PCM/INT/LIT", Vec::new()),
        Codec::Pcm(p) => (
            "A_MS/ACM",
            wave(u16::from(p.law), channels, rate, rate * u32::from(channels), channels, 8, &[]),
        ),
        Codec::Wma { tag, byte_rate, block, bits, extra } => {
            ("A_MS/ACM", wave(*tag, channels, rate, *byte_rate, *block, *bits, extra))
        }
        _ => return None,
    })
}
