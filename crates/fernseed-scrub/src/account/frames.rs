//! Inside coded pictures and blocks of sound: which units may be there.
//!
//! Written apart from the code that rebuilds them: its own walk over NAL
//! units (ITU-T H.264 and H.265), open bitstream units (AV1), start codes
//! (MPEG-1, MPEG-2, MPEG-4 Visual), JPEG markers and AAC elements.

use super::bits::sps_is_exact;
use crate::bytes::{be16, be32};

/// What the samples of a track are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Coding {
    /// Not opened.
    #[default]
    Opaque,
    /// H.264 or HEVC units with lengths of `length` bytes, or with start
    /// codes if that is 0; parameter sets among them if `sets`.
    Units {
        hevc: bool,
        length: u8,
        sets: bool,
    },
    Av1,
    Mpeg12,
    Mpeg4,
    Mjpeg,
    ProRes,
    Aac,
}

/// A finding about a range of a sample.
type Bad<'a> = &'a mut dyn FnMut(usize, usize, &str);

/// Checks one sample.
pub(super) fn check(coding: Coding, b: &[u8], bad: Bad<'_>) {
    if b.is_empty() {
        return bad(0, 0, "A sample without content.");
    }
    match coding {
        Coding::Opaque => {}
        Coding::Units { hevc, length, sets } => {
            let walked = if length == 0 {
                start_code_units(b, &mut |from, to| unit(hevc, sets, b, from, to, bad))
            } else {
                length_units(b, length, &mut |from, to| unit(hevc, sets, b, from, to, bad))
            };
            if walked.is_none() {
                bad(0, b.len(), "Bytes of a picture that are no unit.");
            }
        }
        Coding::Av1 => {
            if obus(b, bad).is_none() {
                bad(0, b.len(), "Bytes of a picture that are no unit.");
            }
        }
        Coding::Mpeg12 | Coding::Mpeg4 => sections(b, coding == Coding::Mpeg12, bad),
        Coding::Mjpeg => {
            if jpeg(b, bad).is_none() {
                bad(0, b.len(), "A picture that is no plain JPEG.");
            }
        }
        Coding::ProRes => {
            let whole = be32(b, 0) == u32::try_from(b.len()).ok();
            if !whole || b.get(4..8) != Some(b"icpf") || b.get(12..16) != Some(b"apl0") {
                bad(0, b.len().min(16), "A ProRes frame that names its encoder, or is not whole.");
            }
        }
        Coding::Aac => aac(b, bad),
    }
}

fn length_units(b: &[u8], length: u8, each: &mut dyn FnMut(usize, usize)) -> Option<()> {
    let mut at = 0usize;
    while at < b.len() {
        let field = b.get(at..at + usize::from(length))?;
        let size = field.iter().fold(0usize, |n, &x| n << 8 | usize::from(x));
        let from = at + usize::from(length);
        at = from.checked_add(size).filter(|&e| e <= b.len() && size > 0)?;
        each(from, at);
    }
    Some(())
}

/// Every unit begins with `00 00 00 01`, and none holds `00 00 01`.
fn start_code_units(b: &[u8], each: &mut dyn FnMut(usize, usize)) -> Option<()> {
    if !b.starts_with(&[0, 0, 0, 1]) {
        return None;
    }
    let mut from = 4usize;
    let mut zeros = 0;
    for (i, &x) in b.iter().enumerate().skip(4) {
        if x == 1 && zeros >= 3 {
            each(from, i - 3);
            from = i + 1;
        } else if x == 1 && zeros == 2 {
            return None;
        }
        zeros = if x == 0 { zeros + 1 } else { 0 };
    }
    (from < b.len()).then(|| each(from, b.len()))
}

fn unit(hevc: bool, sets: bool, b: &[u8], from: usize, to: usize, bad: Bad<'_>) {
    let u = b.get(from..to).unwrap_or_default();
    let (Some(&first), Some(&last)) = (u.first(), u.last()) else { return };
    let padded = last == 0 || u.ends_with(&[0, 0, 3]);
    let kind = if hevc { first >> 1 & 0x3F } else { first & 0x1F };
    let second = u.get(1).copied().unwrap_or(0);
    if first & 0x80 != 0 || hevc && (first & 1 != 0 || second >> 3 != 0 || second & 7 == 0) {
        return bad(from, to, "A unit of another layer, or with a broken header.");
    }
    let (slice, set) = match (hevc, kind) {
        (false, 1..=5) | (true, 0..=9 | 16..=21) => (true, false),
        (false, 7 | 8) | (true, 32..=34) => (false, true),
        (true, 36) if u.len() == 2 => (false, false),
        (false, 6) | (true, 39 | 40) => {
            return bad(from, to, "An SEI message: encoder settings, captions, times.");
        }
        (false, 12) | (true, 38) => return bad(from, to, "Filler data."),
        _ => return bad(from, to, &format!("A unit of type {kind} in a video sample.")),
    };
    if padded && (slice || set) {
        bad(from, to, "Padding after the end of a coded unit.");
    }
    if set && !sets {
        bad(from, to, "A parameter set inside a video sample.");
    } else if set && !set_fits(hevc, u) {
        bad(from, to, "A parameter set with bytes after its end, or that cannot be read.");
    }
}

/// A parameter set that can be believed to hold nothing else.
pub(super) fn set_fits(hevc: bool, u: &[u8]) -> bool {
    let plain = u.last().is_some_and(|&l| l != 0) && u.len() <= 1024;
    let sps = !hevc && u.first().is_some_and(|h| h & 0x1F == 7);
    plain && (!sps || sps_is_exact(u))
}

fn obus(b: &[u8], bad: Bad<'_>) -> Option<()> {
    let mut at = 0usize;
    while at < b.len() {
        let start = at;
        let header = *b.get(at)?;
        at += 1;
        if header & 4 != 0 {
            if b.get(at)? & 7 != 0 {
                bad(start, at, "Reserved bits of a unit are in use.");
            }
            at += 1;
        }
        let (mut size, mut shift) = (0usize, 0u32);
        loop {
            let byte = *b.get(at)?;
            at += 1;
            size |= usize::from(byte & 0x7F) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 7 {
                    bad(start, at, "A unit states its size in an unusual way.");
                }
                break;
            }
            if shift > 28 {
                return None;
            }
        }
        let end = at.checked_add(size).filter(|&e| e <= b.len())?;
        if header & 0x83 != 2 {
            bad(start, end, "A unit with a broken header.");
        }
        match header >> 3 & 15 {
            1 if size > 0 && size <= 256 && b.get(end - 1) != Some(&0) => {}
            3 | 4 | 6 => {}
            5 => bad(start, end, "Metadata between pictures."),
            15 => bad(start, end, "Padding between pictures."),
            n => bad(start, end, &format!("A unit of type {n} in a video sample.")),
        }
        at = end;
    }
    Some(())
}

fn sections(b: &[u8], mpeg12: bool, bad: Bad<'_>) {
    if !b.starts_with(&[0, 0, 1]) {
        return bad(0, b.len().min(16), "Bytes before the first start code.");
    }
    let mut at = 3usize;
    let mut zeros;
    while let Some(&code) = b.get(at) {
        let from = at;
        zeros = 0;
        let mut end = b.len();
        for (i, &x) in b.iter().enumerate().skip(at + 1) {
            if x == 1 && zeros >= 2 {
                end = i - 2;
                break;
            }
            zeros = if x == 0 { zeros + 1 } else { 0 };
        }
        let body = b.get(from + 1..end).unwrap_or_default();
        let fits = match (mpeg12, code) {
            (true, 0..=0xAF | 0xB3) | (false, 0..=0x2F | 0xB0 | 0xB3 | 0xB5 | 0xB6) => true,
            (true, 0xB5) => matches!(body.first().map(|x| x >> 4), Some(1 | 2 | 3 | 7 | 8)),
            // The time code is zero but for its marker.
            (true, 0xB8) => {
                body.get(..3) == Some(&[0, 8, 0]) && body.get(3).is_none_or(|x| x & 0x9F == 0)
            }
            _ => false,
        };
        let tail = body.iter().rev().take_while(|&&x| x == 0).count();
        let most = if mpeg12 { 3 } else { 0 };
        if !fits {
            let what = if code == 0xB2 { "User data" } else { "A section" };
            bad(from, end, &format!("{what} (0x{code:02x}) in a coded picture."));
        } else if tail > most {
            bad(end - tail, end, "Padding inside a coded picture.");
        }
        at = end + 3;
    }
}

fn jpeg(b: &[u8], bad: Bad<'_>) -> Option<()> {
    let mut at = 0usize;
    let mut pictures = 0;
    while at < b.len() {
        if b.get(at..at + 2)? != [0xFF, 0xD8] || pictures == 2 {
            return None;
        }
        pictures += 1;
        at += 2;
        loop {
            if *b.get(at)? != 0xFF {
                return None;
            }
            let marker = *b.get(at + 1)?;
            if marker == 0xD9 {
                at += 2;
                break;
            }
            let end = at + 2 + usize::from(be16(b, at + 2)?);
            if !matches!(marker, 0xDB | 0xC4 | 0xC0..=0xC2 | 0xDD | 0xDA) {
                bad(at, end.min(b.len()), &format!("A JPEG segment 0x{marker:02x}."));
            }
            at = end;
            while marker == 0xDA
                && (*b.get(at)? != 0xFF || matches!(b.get(at + 1)?, 0x00 | 0xD0..=0xD7))
            {
                at += 1;
            }
        }
    }
    Some(())
}

/// Fill and data elements at the head of a frame must be blank.
fn aac(b: &[u8], bad: Bad<'_>) {
    let bit = |at: usize| b.get(at / 8).map(|x| usize::from(x >> (7 - at % 8) & 1));
    let take = |at: &mut usize, n: usize| -> Option<usize> {
        let mut v = 0;
        for _ in 0..n {
            v = v << 1 | bit(*at)?;
            *at += 1;
        }
        Some(v)
    };
    let mut at = 0usize;
    for _ in 0..64 {
        let element = (|| {
            let bytes = match take(&mut at, 3)? {
                4 => {
                    take(&mut at, 4)?;
                    let aligned = take(&mut at, 1)? == 1;
                    let mut n = take(&mut at, 8)?;
                    if n == 255 {
                        n += take(&mut at, 8)?;
                    }
                    if aligned {
                        at = at.next_multiple_of(8);
                    }
                    n
                }
                6 => {
                    let n = take(&mut at, 4)?;
                    if n == 15 { 14 + take(&mut at, 8)? } else { n }
                }
                _ => return None,
            };
            let from = at;
            at += bytes * 8;
            (at <= b.len() * 8).then_some((from, at))
        })();
        let Some((from, to)) = element else { return };
        if (from..to).any(|i| bit(i) == Some(1)) {
            bad(from / 8, to.div_ceil(8), "A data element that players ignore is in use.");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(coding: Coding, b: &[u8]) -> usize {
        let mut n = 0;
        check(coding, b, &mut |_, _, _| n += 1);
        n
    }

    #[test]
    fn only_pictures_pass() {
        let avc = Coding::Units { hevc: false, length: 4, sets: false };
        assert_eq!(found(avc, &[0, 0, 0, 2, 0x65, 0x88]), 0);
        assert_eq!(found(avc, &[0, 0, 0, 2, 0x06, 0x88]), 1);
        assert_eq!(found(avc, &[0, 0, 0, 2, 0x65, 0]), 1);
        assert_eq!(found(avc, &[0, 0, 0, 3, 0x65, 0x88]), 1);
        let hevc = Coding::Units { hevc: true, length: 0, sets: false };
        assert_eq!(found(hevc, &[0, 0, 0, 1, 0x26, 1, 0x88]), 0);
        assert_eq!(found(hevc, &[0, 0, 0, 1, 0x4E, 1, 0x88]), 1);
        assert_eq!(found(hevc, &[0, 0, 1, 0x26, 1, 0x88]), 1);
        assert_eq!(found(Coding::Av1, &[0x32, 1, 7, 0x2A, 1, 9]), 1);
        assert_eq!(found(Coding::Mpeg12, &[0, 0, 1, 0xB2, 1, 0, 0, 1, 0, 9, 9]), 1);
        assert_eq!(found(Coding::Aac, &[0b1100_0010, 0, 0, 0]), 0);
        assert_eq!(found(Coding::Aac, &[0b1100_0010, 2, 0, 0]), 1);
    }
}
