//! AAC: `AudioSpecificConfig` rebuilt from its fields, frames out of their
//! transport, and the data elements at the head of a frame (ISO/IEC 14496-3,
//! 1.6.2.1, 4.4.1, 4.5.2.9).

use super::bits::{Bits, Writer};

/// What an `AudioSpecificConfig` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Config {
    /// The configuration rebuilt.
    pub(in super::super) record: Vec<u8>,
    pub(in super::super) rate: u32,
    pub(in super::super) channels: u16,
    /// Samples of one frame at `rate`.
    pub(in super::super) frame: u32,
}

const RATES: [u32; 13] =
    [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350];

fn rate(r: &mut Bits<'_>) -> Option<(u32, u32)> {
    let index = r.u(4)?;
    if index == 15 {
        return Some((15, r.u(24)?));
    }
    Some((index, *RATES.get(index as usize)?))
}

fn put_rate(w: &mut Writer, rate: (u32, u32)) {
    w.put(rate.0.into(), 4);
    if rate.0 == 15 {
        w.put(rate.1.into(), 24);
    }
}

fn object(r: &mut Bits<'_>) -> Option<u32> {
    let kind = r.u(5)?;
    if kind == 31 { Some(32 + r.u(6)?) } else { Some(kind) }
}

/// Parses and rebuilds; `None` for object types other than AAC Main, LC,
/// SSR and LTP with SBR and PS.
pub(in super::super) fn parse(b: &[u8]) -> Option<Config> {
    let mut r = Bits::new(b);
    let mut w = Writer::default();
    let mut kind = object(&mut r)?;
    let mut core = rate(&mut r)?;
    let channels = r.u(4)?;
    let mut out_rate = core.1;
    let hierarchical = matches!(kind, 5 | 29);
    w.put(kind.into(), 5);
    put_rate(&mut w, core);
    w.put(channels.into(), 4);
    if hierarchical {
        core = rate(&mut r)?;
        out_rate = core.1;
        kind = object(&mut r)?;
        put_rate(&mut w, core);
        w.put(kind.into(), 5);
    }
    if !matches!(kind, 1..=4) {
        return None;
    }
    // GASpecificConfig
    let short = r.u(1)?;
    let depends = r.u(1)?;
    w.put(short.into(), 1);
    w.put(depends.into(), 1);
    if depends == 1 {
        w.put(r.u(14)?.into(), 14);
    }
    r.u(1)?;
    w.put(0, 1);
    let mut count = match channels {
        7 => 8,
        11 => 7,
        12 | 14 => 8,
        n => n,
    };
    if channels == 0 {
        count = program(&mut r, &mut w)?;
    }
    // Backward compatible signalling of SBR and PS.
    let mut tail = r;
    if !hierarchical
        && tail.left() >= 16
        && tail.u(11) == Some(0x2B7)
        && object(&mut tail) == Some(5)
    {
        w.put(0x2B7, 11);
        w.put(5, 5);
        let sbr = tail.flag().unwrap_or(false);
        w.put(sbr.into(), 1);
        if sbr {
            let extended = rate(&mut tail)?;
            put_rate(&mut w, extended);
            out_rate = extended.1;
            if tail.left() >= 12 && tail.u(11) == Some(0x548) {
                w.put(0x548, 11);
                w.put(tail.u(1)?.into(), 1);
            }
        }
    }
    let frame = if short == 1 { 960 } else { 1024 };
    let doubled = if core.1 > 0 && out_rate == core.1 * 2 { 2 } else { 1 };
    (core.1 > 0 && count > 0).then_some(Config {
        record: w.done(),
        rate: out_rate,
        channels: u16::try_from(count).ok()?,
        frame: frame * doubled,
    })
}

/// `program_config_element()` without its comment; the number of channels.
fn program(r: &mut Bits<'_>, w: &mut Writer) -> Option<u32> {
    let copy = |r: &mut Bits<'_>, w: &mut Writer, n: u32| -> Option<u32> {
        let v = r.u(n)?;
        w.put(v.into(), n);
        Some(v)
    };
    copy(r, w, 10)?;
    let front = copy(r, w, 4)?;
    let side = copy(r, w, 4)?;
    let back = copy(r, w, 4)?;
    let lfe = copy(r, w, 2)?;
    let data = copy(r, w, 3)?;
    let coupled = copy(r, w, 4)?;
    for width in [4, 4, 3] {
        if copy(r, w, 1)? == 1 {
            copy(r, w, width)?;
        }
    }
    let mut channels = lfe;
    for _ in 0..front + side + back {
        channels += 1 + copy(r, w, 1)?;
        copy(r, w, 4)?;
    }
    for _ in 0..lfe + data {
        copy(r, w, 4)?;
    }
    for _ in 0..coupled {
        copy(r, w, 5)?;
    }
    // Both sides are aligned to the start of the configuration.
    let skip = (8 - r.at() % 8) % 8;
    r.skip(skip)?;
    w.align();
    let comment = r.u(8)?;
    r.skip(comment as usize * 8)?;
    w.put(0, 8);
    Some(channels)
}

/// The configuration of an ADTS header (1.A.2.2): `(record, header length,
/// frame length)`.
pub(in super::super) fn adts(b: &[u8]) -> Option<(Vec<u8>, usize, usize)> {
    let mut r = Bits::new(b);
    if r.u(12)? != 0xFFF {
        return None;
    }
    r.u(1)?;
    if r.u(2)? != 0 {
        return None;
    }
    let unprotected = r.flag()?;
    let kind = r.u(2)? + 1;
    let index = r.u(4)?;
    RATES.get(index as usize)?;
    r.u(1)?;
    let channels = r.u(3)?;
    r.u(4)?;
    let length = r.u(13)? as usize;
    r.u(11)?;
    let blocks = r.u(2)?;
    let head = if unprotected { 7 } else { 9 };
    if blocks != 0 || length < head || channels == 0 {
        return None;
    }
    let mut w = Writer::default();
    w.put(kind.into(), 5);
    w.put(index.into(), 4);
    w.put(channels.into(), 4);
    w.put(0, 3);
    Some((w.done(), head, length))
}

/// Blanks fill and data elements at the head of a frame: encoders put their
/// name there. Length and position of everything else stay. Elements after
/// the first channel cannot be reached without decoding it.
pub(super) fn clean(sample: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(sample);
    let mut r = Bits::new(sample);
    for _ in 0..64 {
        let Some((from, to)) = blank(&mut r) else { return };
        for bit in from..to {
            if let Some(byte) = out.get_mut(bit / 8) {
                *byte &= !(0x80 >> (bit % 8));
            }
        }
    }
}

/// The bits to be blanked of the data element at the reader.
fn blank(r: &mut Bits<'_>) -> Option<(usize, usize)> {
    let bytes = match r.u(3)? {
        4 => {
            r.u(4)?;
            let aligned = r.flag()?;
            let count = r.u(8)?;
            let count = if count == 255 { 255 + r.u(8)? } else { count };
            if aligned {
                r.skip((8 - r.at() % 8) % 8)?;
            }
            count
        }
        6 => match r.u(4)? {
            15 => 14 + r.u(8)?,
            n => n,
        },
        _ => return None,
    };
    let from = r.at();
    r.skip(bytes as usize * 8)?;
    Some((from, r.at()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_are_rebuilt_from_their_fields() {
        let lc = parse(&[0x12, 0x10, 0x56, 0xE5, 0x00, 0xDE, 0xAD]).unwrap();
        assert_eq!((lc.rate, lc.channels, lc.frame), (44100, 2, 1024));
        assert_eq!(lc.record, [0x12, 0x10, 0x56, 0xE5, 0x00]);
        assert_eq!(parse(&lc.record), Some(lc));
        let (record, head, length) = adts(&[0xFF, 0xF1, 0x50, 0x80, 0x02, 0x1F, 0xFC]).unwrap();
        assert_eq!((record, head, length), (vec![0x12, 0x10], 7, 16));
        assert_eq!(parse(&[0xF9, 0x48, 0]), None);
    }

    #[test]
    fn names_at_the_head_of_a_frame_are_blanked() {
        // ID_FIL, 3 bytes, then a channel element.
        let mut w = Writer::default();
        w.put(6, 3);
        w.put(3, 4);
        w.put(0xABCDEF, 24);
        w.put(0, 3);
        w.put(0x155, 10);
        let frame = w.done();
        let mut out = Vec::new();
        clean(&frame, &mut out);
        let mut want = Writer::default();
        want.put(6, 3);
        want.put(3, 4);
        want.put(0, 27);
        want.put(0x155, 10);
        assert_eq!(out, want.done());
    }
}
