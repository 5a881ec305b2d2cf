//! Configurations of sound codecs other than AAC.

use crate::bytes::{be16, be32, le16, le32, part};

/// What an Opus header says (RFC 7845, 5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Opus {
    pub(in super::super) channels: u8,
    pub(in super::super) skip: u16,
    pub(in super::super) gain: i16,
    /// Streams, coupled streams and mapping for families other than 0.
    pub(in super::super) mapping: Option<(u8, Vec<u8>)>,
}

fn opus_mapping(channels: u8, family: u8, tail: &[u8]) -> Option<Option<(u8, Vec<u8>)>> {
    match family {
        0 => (channels <= 2).then_some(None),
        1 | 255 => Some(Some((family, part(tail, 0, 2 + usize::from(channels))?.to_vec()))),
        _ => None,
    }
}

/// Reads `OpusHead`.
pub(in super::super) fn opus_head(b: &[u8]) -> Option<Opus> {
    let b = b.strip_prefix(b"OpusHead")?;
    let channels = *b.get(1)?;
    let mapping = opus_mapping(channels, *b.get(10)?, b.get(11..)?)?;
    let skip = le16(b, 2)?;
    (b.first()? >> 4 == 0 && channels > 0).then_some(Opus {
        channels,
        skip,
        gain: le16(b, 8)? as i16,
        mapping,
    })
}

/// Reads the content of `dOps`.
pub(in super::super) fn dops(b: &[u8]) -> Option<Opus> {
    let channels = *b.get(1)?;
    let mapping = opus_mapping(channels, *b.get(10)?, b.get(11..)?)?;
    let skip = be16(b, 2)?;
    (*b.first()? == 0 && channels > 0).then_some(Opus {
        channels,
        skip,
        gain: be16(b, 8)? as i16,
        mapping,
    })
}

impl Opus {
    /// `dOps`, or `OpusHead` if `little`. The input rate is 48 kHz: it is
    /// only a remark.
    pub(in super::super) fn record(&self, little: bool) -> Vec<u8> {
        let mut out = if little { b"OpusHead\x01".to_vec() } else { vec![0] };
        out.push(self.channels);
        if little {
            out.extend_from_slice(&self.skip.to_le_bytes());
            out.extend_from_slice(&48_000u32.to_le_bytes());
            out.extend_from_slice(&self.gain.to_le_bytes());
        } else {
            out.extend_from_slice(&self.skip.to_be_bytes());
            out.extend_from_slice(&48_000u32.to_be_bytes());
            out.extend_from_slice(&self.gain.to_be_bytes());
        }
        match &self.mapping {
            None => out.push(0),
            Some((family, list)) => {
                out.push(*family);
                out.extend_from_slice(list);
            }
        }
        out
    }
}

/// Uncompressed sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Pcm {
    pub(in super::super) bits: u16,
    pub(in super::super) float: bool,
    pub(in super::super) big: bool,
    pub(in super::super) signed: bool,
    /// 0 linear, 6 A-law, 7 µ-law.
    pub(in super::super) law: u8,
}

impl Pcm {
    pub(in super::super) fn frame(self, channels: u16) -> u32 {
        u32::from(self.bits / 8) * u32::from(channels)
    }
}

/// Cuts the three headers out of Matroska's Xiph-laced Vorbis
/// configuration; identification and setup.
pub(in super::super) fn vorbis(b: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    if b.first() != Some(&2) {
        return None;
    }
    let mut at = 1usize;
    let mut sizes = [0usize; 2];
    for size in &mut sizes {
        loop {
            let byte = *b.get(at)?;
            at += 1;
            *size += usize::from(byte);
            if byte != 255 {
                break;
            }
        }
    }
    let head = part(b, at, sizes[0])?;
    let setup = b.get(at.checked_add(sizes[0])?.checked_add(sizes[1])?..)?;
    vorbis_parts(head, setup)
}

/// Checks the two headers that decoding needs.
pub(in super::super) fn vorbis_parts(head: &[u8], setup: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let head = part(head, 0, 30)?;
    let fits = head.starts_with(b"\x01vorbis\0\0\0\0")
        && setup.starts_with(b"\x05vorbis")
        && setup.len() <= 256 << 10;
    fits.then(|| (head.to_vec(), setup.to_vec()))
}

/// The three headers laced again, the comments empty.
pub(in super::super) fn vorbis_record(head: &[u8], setup: &[u8]) -> Vec<u8> {
    let comment = b"\x03vorbis\0\0\0\0\0\0\0\0\x01";
    let mut out = vec![2, head.len() as u8, comment.len() as u8];
    out.extend_from_slice(head);
    out.extend_from_slice(comment);
    out.extend_from_slice(setup);
    out
}

/// `STREAMINFO` of `fLaC` or `dfLa` metadata: the first block.
pub(in super::super) fn flac(b: &[u8]) -> Option<[u8; 34]> {
    let b = b.strip_prefix(b"fLaC").unwrap_or(b);
    (be32(b, 0)? & 0x7FFF_FFFF == 34).then_some(())?;
    part(b, 4, 34)?.try_into().ok()
}

/// The rate and channels in `STREAMINFO`.
pub(in super::super) fn flac_shape(info: &[u8; 34]) -> Option<(u32, u16)> {
    let word = be32(info, 10)?;
    Some((word >> 12, (word >> 9 & 7) as u16 + 1))
}

/// The 24 bytes of `ALACSpecificConfig`.
pub(in super::super) fn alac(b: &[u8]) -> Option<[u8; 24]> {
    // QuickTime wraps them in further boxes.
    let at = b.windows(4).position(|w| w == b"alac").map_or(0, |p| p + 8);
    part(b, at, 24)?.try_into().ok()
}

/// Fields of a `WAVEFORMATEX`.
pub(in super::super) struct Wave<'a> {
    pub(in super::super) tag: u16,
    pub(in super::super) channels: u16,
    pub(in super::super) rate: u32,
    pub(in super::super) byte_rate: u32,
    pub(in super::super) block: u16,
    pub(in super::super) bits: u16,
    pub(in super::super) extra: &'a [u8],
}

/// Reads a `WAVEFORMATEX` and resolves `WAVE_FORMAT_EXTENSIBLE`.
pub(in super::super) fn wave(b: &[u8]) -> Option<Wave<'_>> {
    let mut tag = le16(b, 0)?;
    let size = usize::from(le16(b, 16).unwrap_or(0));
    let mut extra = part(b, 18, size).unwrap_or_default();
    if tag == 0xFFFE {
        tag = le16(extra, 6)?;
        extra = &[];
    }
    Some(Wave {
        tag,
        channels: le16(b, 2)?,
        rate: le32(b, 4)?,
        byte_rate: le32(b, 8)?,
        block: le16(b, 12)?,
        bits: le16(b, 14).unwrap_or(0),
        extra,
    })
}

/// `dac3` from the head of an AC-3 frame (ETSI TS 102 366, 4.3, F.4), with
/// rate and channels.
pub(in super::super) fn ac3_head(b: &[u8]) -> Option<([u8; 3], u32, u16)> {
    if be16(b, 0)? != 0x0B77 {
        return None;
    }
    let mut r = super::bits::Bits::new(b.get(4..)?);
    let (rate, size, bsid, mode, acmod) = (r.u(2)?, r.u(6)?, r.u(5)?, r.u(3)?, r.u(3)?);
    if bsid > 10 {
        return None;
    }
    if acmod & 1 == 1 && acmod != 1 {
        r.u(2)?;
    }
    if acmod & 4 != 0 {
        r.u(2)?;
    }
    if acmod == 2 {
        r.u(2)?;
    }
    let lfe = r.u(1)?;
    let mut w = super::bits::Writer::default();
    for (v, n) in [(rate, 2), (bsid, 5), (mode, 3), (acmod, 3), (lfe, 1), (size >> 1, 5), (0, 5)] {
        w.put(v.into(), n);
    }
    let hz = *[48_000, 44_100, 32_000].get(rate as usize)?;
    let channels = [2, 1, 2, 3, 3, 4, 4, 5].get(acmod as usize)? + lfe as u16;
    Some((w.done().try_into().ok()?, hz, channels))
}
