//! Headers of PES packets and of frames of sound.

/// Header of an MPEG audio frame (ISO/IEC 11172-3, 2.4.1.3; 13818-3).
pub(super) struct Mpa {
    pub(super) layer: u8,
    pub(super) rate: u32,
    pub(super) channels: u16,
    pub(super) samples: u32,
    pub(super) len: usize,
}

pub(super) fn mpa(b: &[u8]) -> Option<Mpa> {
    let &[0xFF, x, y, z, ..] = b else { return None };
    let version = x >> 3 & 3;
    let layer = 4 - (x >> 1 & 3);
    if x & 0xE0 != 0xE0 || version == 1 || layer == 4 {
        return None;
    }
    let one = version == 3;
    let rates: [u32; 3] = [44_100, 48_000, 32_000];
    let shift = match version {
        3 => 0,
        2 => 1,
        _ => 2,
    };
    let rate = *rates.get(usize::from(y >> 2 & 3))? >> shift;
    const V1: [[u32; 14]; 3] = [
        [32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
        [32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
        [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    ];
    const V2: [[u32; 14]; 2] = [
        [32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
        [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
    ];
    let index = usize::from(y >> 4).checked_sub(1)?;
    let table = if one { V1.get(usize::from(layer) - 1)? } else { V2.get(usize::from(layer > 1))? };
    let bits = table.get(index)? * 1000;
    let padding = u32::from(y >> 1 & 1);
    let samples = match (layer, one) {
        (1, _) => 384,
        (3, false) => 576,
        _ => 1152,
    };
    let len = if layer == 1 {
        (12 * bits / rate + padding) * 4
    } else {
        samples / 8 * bits / rate + padding
    };
    let channels = if z >> 6 == 3 { 1 } else { 2 };
    Some(Mpa { layer, rate, channels, samples, len: len as usize })
}

/// Length of an AC-3 or E-AC-3 frame (ETSI TS 102 366).
pub(super) fn ac3_len(b: &[u8], enhanced: bool) -> Option<usize> {
    if b.first() != Some(&0x0B) || b.get(1) != Some(&0x77) {
        return None;
    }
    if enhanced {
        let size = usize::from(crate::bytes::be16(b, 2)? & 0x7FF);
        return Some((size + 1) * 2);
    }
    const RATES: [usize; 19] =
        [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640];
    let code = b.get(4)?;
    let kbit = *RATES.get(usize::from(code & 0x3F) / 2)?;
    match code >> 6 {
        0 => Some(kbit * 4),
        1 => Some((kbit * 320 / 147 + usize::from(code & 1)) * 2),
        2 => Some(kbit * 6),
        _ => None,
    }
}

/// `(pts, dts)` if there are any, length of the header, and whether the
/// packet is scrambled.
pub(in super::super) type Header = (Option<(i64, i64)>, usize, bool);

/// The header of a PES packet from its start code on.
pub(in super::super) fn pes(b: &[u8]) -> Option<Header> {
    if b.get(..3)? != [0, 0, 1] {
        return None;
    }
    let stamp = |at: usize| -> Option<i64> {
        let p = b.get(at..at + 5)?;
        Some(
            i64::from(p[0] >> 1 & 7) << 30
                | i64::from(p[1]) << 22
                | i64::from(p[2] >> 1) << 15
                | i64::from(p[3]) << 7
                | i64::from(p[4] >> 1),
        )
    };
    let flags = *b.get(6)?;
    if flags >> 6 == 2 {
        let scrambled = flags & 0x30 != 0;
        let head = 9 + usize::from(*b.get(8)?);
        let times = match b.get(7)? >> 6 {
            2 => Some((stamp(9)?, stamp(9)?)),
            3 => Some((stamp(9)?, stamp(14)?)),
            _ => None,
        };
        return Some((times, head, scrambled));
    }
    // MPEG-1: stuffing, buffer size, times.
    let mut at = 6;
    while b.get(at) == Some(&0xFF) && at < 23 {
        at += 1;
    }
    if b.get(at)? >> 6 == 1 {
        at += 2;
    }
    Some(match b.get(at)? >> 4 {
        2 => (Some((stamp(at)?, stamp(at)?)), at + 5, false),
        3 => (Some((stamp(at)?, stamp(at + 5)?)), at + 10, false),
        _ => (None, at + 1, false),
    })
}
