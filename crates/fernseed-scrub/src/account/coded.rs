//! Decoder configurations that several containers share, to the last byte.

use super::frames::{Coding, set_fits};
use crate::bytes::{be16, be32, le16, le32, part};

/// Reads one MPEG-4 descriptor (ISO/IEC 14496-1, 8.3.3) whose length is
/// written in as few bytes as it takes: its content and what follows it.
fn descriptor(b: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    if b.first() != Some(&tag) {
        return None;
    }
    let first = usize::from(*b.get(1)?);
    let (size, at) = if first < 0x80 {
        (first, 2)
    } else {
        ((first & 0x7F) << 7 | usize::from(*b.get(2).filter(|&&x| x < 0x80)?), 3)
    };
    (at == 2 || size >= 0x80).then_some((part(b, at, size)?, b.get(at + size..)?))
}

/// The object type and specific configuration of an elementary stream
/// descriptor that is exactly: one stream without dependencies, no buffer
/// size or bit rates (they tell encoders apart), the standard SL.
pub(super) fn esds(b: &[u8]) -> Option<(u8, u8, &[u8])> {
    let (es, rest) = descriptor(b.get(4..)?, 3)?;
    let plain = part(b, 0, 4)? == [0; 4] && rest.is_empty() && part(es, 0, 3)? == [0; 3];
    let (decoder, after) = descriptor(es.get(3..)?, 4)?;
    let (sl, end) = descriptor(after, 6)?;
    let tail = decoder.get(13..)?;
    let (specific, none) = if tail.is_empty() { (tail, tail) } else { descriptor(tail, 5)? };
    let exact =
        plain && sl == [2] && end.is_empty() && none.is_empty() && part(decoder, 2, 11)? == [0; 11];
    exact.then_some((*decoder.first()?, *decoder.get(1)?, specific))
}

/// `AudioSpecificConfig`: as long as AAC can need, nothing in a comment.
pub(super) fn aac(b: &[u8]) -> bool {
    matches!(b.len(), 2..=7) || b.len() <= 40 && b.last() == Some(&0)
}

/// The headers of MPEG-4 Visual: start codes of headers only.
pub(super) fn mpeg4(b: &[u8]) -> bool {
    let mut at = 0usize;
    while at < b.len() {
        let Some([0, 0, 1, code]) = b.get(at..at + 4) else { return false };
        if !matches!(code, 0..=0x2F | 0xB0 | 0xB5) {
            return false;
        }
        let rest = b.get(at + 4..).unwrap_or_default();
        let next = rest.windows(3).position(|w| w == [0, 0, 1]);
        at = next.map_or(b.len(), |n| at + 4 + n);
    }
    b.len() <= 1024
}

/// `AVCDecoderConfigurationRecord` (ISO/IEC 14496-15, 5.3.3.1); the bytes of
/// each unit's length field.
pub(super) fn avc(b: &[u8], wrong: &mut dyn FnMut(&str)) -> Option<u8> {
    let message = "The H.264 decoder configuration is not exact.";
    let profile = *b.get(1)?;
    let length = (b.get(4)? & 3) + 1;
    if b.first() != Some(&1) || b.get(4)? & 0xFC != 0xFC || b.get(5)? & 0xE0 != 0xE0 {
        wrong(message);
    }
    let mut at = 5usize;
    for (kind, mask) in [(7u8, 0x1F), (8, 0xFF)] {
        let count = b.get(at)? & mask;
        at += 1;
        if count == 0 {
            wrong("There is no sequence or no picture parameter set.");
        }
        let mut seen: Vec<&[u8]> = Vec::new();
        for _ in 0..count {
            let size = be16(b, at).map(usize::from);
            let Some(nal) = size.and_then(|size| part(b, at + 2, size)) else {
                wrong(message);
                return Some(length);
            };
            if nal.first().is_none_or(|n| n & 0x9F != kind) {
                wrong("A parameter set of another kind in the decoder configuration.");
            } else if !set_fits(false, nal) {
                wrong("A parameter set has bytes after its end or cannot be read.");
            } else if seen.contains(&nal) {
                wrong("The same parameter set twice.");
            }
            seen.push(nal);
            at += 2 + nal.len();
        }
    }
    let rest = b.get(at..).unwrap_or_default();
    let extended = matches!(profile, 100 | 110 | 122 | 144);
    let fits = match rest {
        [] => true,
        [a, b, c, 0] => extended && a & 0xFC == 0xFC && b & 0xF8 == 0xF8 && c & 0xF8 == 0xF8,
        _ => false,
    };
    if !fits {
        wrong(message);
    }
    Some(length)
}

/// `HEVCDecoderConfigurationRecord` (ISO/IEC 14496-15, 8.3.3.1).
pub(super) fn hevc(b: &[u8], wrong: &mut dyn FnMut(&str)) -> Option<u8> {
    let fixed = b.first() == Some(&1)
        && part(b, 13, 3) == Some(&[0xF0, 0, 0xFC])
        && b.get(16)? & 0xFC == 0xFC
        && b.get(17)? & 0xF8 == 0xF8
        && b.get(18)? & 0xF8 == 0xF8
        && part(b, 19, 2) == Some(&[0, 0]);
    let mut at = 23usize;
    let mut before = 0;
    let mut exact = fixed;
    for _ in 0..*b.get(22)? {
        let kind = b.get(at)? & 0x7F;
        exact &= matches!(kind, 32..=34) && kind > before;
        before = kind;
        let count = be16(b, at + 1)?;
        at += 3;
        for _ in 0..count {
            let nal = part(b, at + 2, usize::from(be16(b, at)?))?;
            exact &= nal.first() == Some(&(kind << 1)) && nal.get(1) == Some(&1);
            exact &= set_fits(true, nal);
            at += 2 + nal.len();
        }
    }
    if !exact || at != b.len() {
        wrong("The HEVC decoder configuration is not exact.");
    }
    Some((b.get(21)? & 3) + 1)
}

/// `AV1CodecConfigurationRecord` with one sequence header.
pub(super) fn av1(b: &[u8]) -> bool {
    let units = b.get(4..).unwrap_or_default();
    b.first() == Some(&0x81)
        && b.get(3) == Some(&0)
        && units.first() == Some(&0x0A)
        && units.get(1).is_some_and(|&n| n < 0x80 && units.len() == 2 + usize::from(n))
        && units.last() != Some(&0)
}

/// `OpusHead` (RFC 7845, 5.1) or, big-endian, `dOps`, from the version on.
pub(super) fn opus(b: &[u8], version: u8) -> bool {
    let channels = usize::from(b.get(1).copied().unwrap_or(0));
    let family = b.get(10).copied();
    b.first() == Some(&version)
        && channels > 0
        && match family {
            Some(0) => channels <= 2 && b.len() == 11,
            Some(1 | 255) => b.len() == 13 + channels,
            _ => false,
        }
}

/// `STREAMINFO` as the only block.
pub(super) fn flac(b: &[u8]) -> bool {
    b.len() == 38 && part(b, 0, 4) == Some(&[0x80, 0, 0, 34])
}

/// A `BITMAPINFOHEADER`; the code of the codec.
pub(super) fn bitmap(b: &[u8]) -> Option<[u8; 4]> {
    let code: [u8; 4] = part(b, 16, 4)?.try_into().ok()?;
    let bytes = le32(b, 4)?.checked_mul(le32(b, 8)?)?.saturating_mul(3);
    let exact = le32(b, 0)? as usize == b.len()
        && part(b, 12, 4)? == [1, 0, 24, 0]
        && le32(b, 20)? == bytes
        && part(b, 24, 16)? == [0; 16];
    exact.then_some(code)
}

/// Codecs by their Windows code, and what is left of a configuration; the
/// way samples are coded.
pub(super) fn windows(b: &[u8]) -> Option<Coding> {
    let code = bitmap(b)?;
    let extra = b.get(40..)?;
    let none = extra.is_empty();
    Some(match &code {
        b"mp4v" if mpeg4(extra) => Coding::Mpeg4,
        b"MJPG" if none => Coding::Mjpeg,
        b"mpg1" | b"mpg2" if none => Coding::Mpeg12,
        b"H264" if none => Coding::Units { hevc: false, length: 0, sets: true },
        b"HEVC" if none => Coding::Units { hevc: true, length: 0, sets: true },
        b"H263" | b"MP42" | b"MP43" | b"MPG4" | b"DIV3" | b"DIV4" | b"DIV5" | b"WMV1" | b"VP80"
        | b"VP90"
            if none =>
        {
            Coding::Opaque
        }
        b"WMV2" | b"WMV3" if extra.len() <= 4 => Coding::Opaque,
        b"WVC1" | b"WMVA" if extra.len() <= 64 => Coding::Opaque,
        _ => return None,
    })
}

/// A `WAVEFORMATEX`; the way frames are coded.
pub(super) fn wave(b: &[u8]) -> Option<Coding> {
    let extra = part(b, 18, usize::from(le16(b, 16)?))?;
    if b.len() != 18 + extra.len() {
        return None;
    }
    let fits = match le16(b, 0)? {
        1 | 3 | 6 | 7 | 0x50 | 0x2000 | 0x2001 => extra.is_empty(),
        0x55 => {
            extra.is_empty()
                || extra.len() == 12
                    && part(extra, 0, 6)? == [1, 0, 2, 0, 0, 0]
                    && part(extra, 8, 4)? == [1, 0, 0, 0]
        }
        0xFF => aac(extra),
        0x160 | 0x161 => extra.len() <= 10,
        0x162 | 0x163 => extra.len() <= 18,
        _ => false,
    };
    let aac = le16(b, 0)? == 0xFF;
    fits.then_some(if aac { Coding::Aac } else { Coding::Opaque })
}

/// Vorbis' three headers in Xiph lacing: the comments are empty.
pub(super) fn vorbis(b: &[u8]) -> bool {
    part(b, 0, 3) == Some(&[2, 30, 16])
        && part(b, 3, 7) == Some(b"\x01vorbis")
        && part(b, 33, 16) == Some(b"\x03vorbis\0\0\0\0\0\0\0\0\x01")
        && part(b, 49, 7) == Some(b"\x05vorbis")
}

/// `WAVEFORMAT` fields of QuickTime's `lpcm` from the version on.
pub(super) fn lpcm(b: &[u8]) -> bool {
    part(b, 8, 16) == Some(&[0, 3, 0, 16, 0xFF, 0xFE, 0, 0, 0, 1, 0, 0, 0, 0, 0, 72])
        && part(b, 36, 4) == Some(&[0x7F, 0, 0, 0])
        && be32(b, 44).is_some_and(|f| f < 16)
        && be32(b, 52) == Some(1)
        && b.len() == 56
}
