//! Boxes without children: exact lengths, and fixed values where our writer
//! leaves nothing free.

use super::Handler;
use crate::bytes::{be16, be32, be64, part};

type Wrong = Option<&'static str>;

const TIMES: &str = "The box says when the file was made or changed.";
const LENGTH: &str = "The box is not exactly as long as its version prescribes.";
const RESERVED: &str = "A field that must have one fixed value has another.";

/// Unity transformation matrix, 16.16 and 2.30 fixed point.
const IDENTITY: [u8; 36] = [
    0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0x40, 0, 0, 0,
];

/// Brands of plain MP4. A brand of a maker or a tool would name it.
const BRANDS: [&[u8]; 10] =
    [b"qt  ", b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"Opus"];

fn zero(b: &[u8], at: usize, len: usize) -> bool {
    part(b, at, len).is_some_and(|p| p.iter().all(|&x| x == 0))
}

pub(super) fn ftyp(b: &[u8]) -> Wrong {
    if b.len() < 8 || !b.len().is_multiple_of(4) || b.len() > 8 + 4 * BRANDS.len() {
        return Some(LENGTH);
    }
    let known = |brand: &[u8]| BRANDS.contains(&brand);
    let all = part(b, 0, 4).is_some_and(known)
        && b.get(8..).is_some_and(|list| list.chunks_exact(4).all(known));
    if !all {
        return Some("A brand that plain MP4 files do not have; it can name a device or a tool.");
    }
    (!matches!(be32(b, 4), Some(0 | 1 | 512))).then_some("An unusual minor version.")
}

/// Version, and where the fields after the times begin, for `mvhd`, `mdhd`
/// and `tkhd` (`wide` extra bytes per time field in version 1).
fn times(b: &[u8]) -> Option<(u8, bool)> {
    match b.first()? {
        0 => Some((0, zero(b, 4, 8))),
        1 => Some((1, zero(b, 4, 16))),
        _ => None,
    }
}

/// `(timescale, next track id, what is wrong)`.
pub(super) fn mvhd(b: &[u8]) -> (u32, u32, Wrong) {
    let Some((version, dateless)) = times(b) else { return (0, 0, Some(LENGTH)) };
    let (scale_at, tail) = if version == 0 { (12, 20) } else { (20, 32) };
    let timescale = be32(b, scale_at).unwrap_or(0);
    let next = be32(b, tail + 76).unwrap_or(0);
    let wrong = if b.len() != tail + 80 {
        Some(LENGTH)
    } else if !dateless {
        Some(TIMES)
    } else if timescale == 0
        || !zero(b, 1, 3)
        || be32(b, tail) != Some(0x1_0000)
        || be16(b, tail + 4) != Some(0x100)
        || !zero(b, tail + 6, 10)
        || part(b, tail + 16, 36) != Some(&IDENTITY[..])
        || !zero(b, tail + 52, 24)
    {
        Some(RESERVED)
    } else {
        None
    };
    (timescale, next, wrong)
}

/// `(width, height, what is wrong)`; 16.16 fixed point.
pub(super) fn tkhd(b: &[u8], number: u32) -> (u32, u32, Wrong) {
    let Some((version, dateless)) = times(b) else { return (0, 0, Some(LENGTH)) };
    let (id_at, tail) = if version == 0 { (12, 24) } else { (20, 36) };
    let (width, height) = (be32(b, tail + 52).unwrap_or(0), be32(b, tail + 56).unwrap_or(0));
    let wrong = if b.len() != tail + 60 {
        Some(LENGTH)
    } else if !dateless {
        Some(TIMES)
    } else if !matches!(part(b, 1, 3), Some([0, 0, 3 | 7]))
        || be32(b, id_at) != Some(number)
        || !zero(b, id_at + 4, 4)
        || !zero(b, tail, 10)
        || !matches!(be16(b, tail + 10), Some(0 | 1))
        || !matches!(be16(b, tail + 12), Some(0 | 0x100))
        || !zero(b, tail + 14, 2)
        || !turned(b, tail + 16, width, height)
    {
        Some(RESERVED)
    } else {
        None
    };
    (width, height, wrong)
}

/// True if the matrix at `at` is one of the eight ways to turn and mirror a
/// picture of this size, moved back to where it began.
fn turned(b: &[u8], at: usize, width: u32, height: u32) -> bool {
    let entry = |i: usize| be32(b, at + 4 * i).map(|v| i64::from(v as i32));
    let m: Option<Vec<i64>> = (0..9).map(entry).collect();
    let Some([a, c, u, d, e, v, x, y, w]) = m.as_deref() else { return false };
    let unit = |n: i64| n == 0 || n.abs() == 0x1_0000;
    let (along, across) = (*c == 0 && *d == 0, *a == 0 && *e == 0);
    let back = |from_width: i64, from_height: i64| {
        (if from_width < 0 { i64::from(width) } else { 0 })
            + (if from_height < 0 { i64::from(height) } else { 0 })
    };
    [*a, *c, *d, *e].into_iter().all(unit)
        && along != across
        && (*u, *v, *w) == (0, 0, 0x4000_0000)
        && (*x, *y) == (back(*a, *d), back(*c, *e))
}

/// `(timescale, what is wrong)`.
pub(super) fn mdhd(b: &[u8]) -> (u32, Wrong) {
    let Some((version, dateless)) = times(b) else { return (0, Some(LENGTH)) };
    let (scale_at, tail) = if version == 0 { (12, 20) } else { (20, 32) };
    let timescale = be32(b, scale_at).unwrap_or(0);
    let wrong = if b.len() != tail + 4 {
        Some(LENGTH)
    } else if !dateless {
        Some(TIMES)
    } else if be16(b, tail) != Some(0x55C4) {
        Some("The track names a language.")
    } else if timescale == 0 || !zero(b, 1, 3) || !zero(b, tail + 2, 2) {
        Some(RESERVED)
    } else {
        None
    };
    (timescale, wrong)
}

/// `(kind of track, what is wrong)`.
pub(super) fn hdlr(b: &[u8]) -> (Option<Handler>, Wrong) {
    let kind = match part(b, 8, 4) {
        Some(b"vide") => Some(Handler::Video),
        Some(b"soun") => Some(Handler::Sound),
        _ => None,
    };
    let wrong = if kind.is_none() {
        Some("A track that is neither video nor sound.")
    } else if !zero(b, 0, 8) || !zero(b, 12, 12) {
        Some(RESERVED)
    } else if b.get(24..) != Some(&[0]) {
        Some("The track has a handler name, which can name a device or a tool.")
    } else {
        None
    };
    (kind, wrong)
}

/// Edits as `(duration in movie ticks, media time)`; at most two.
pub(super) fn elst(b: &[u8]) -> (Vec<(u64, i64)>, Wrong) {
    let wide = b.first() == Some(&1);
    let entry = if wide { 20 } else { 12 };
    let count = be32(b, 4).unwrap_or(0) as usize;
    let mut edits = Vec::new();
    let mut rates = true;
    for chunk in b.get(8..).unwrap_or_default().chunks_exact(entry).take(count) {
        let (duration, start, rate_at) = if wide {
            (be64(chunk, 0).unwrap_or(0), be64(chunk, 8).unwrap_or(0) as i64, 16)
        } else {
            let start = be32(chunk, 4).unwrap_or(0) as i32;
            (be32(chunk, 0).unwrap_or(0).into(), i64::from(start), 8)
        };
        rates &= be32(chunk, rate_at) == Some(0x1_0000);
        edits.push((duration, start));
    }
    let shape = match edits.as_slice() {
        [(_, start)] => *start >= 0,
        [(_, -1), (_, start)] => *start >= 0,
        _ => false,
    };
    let wrong = if b.len() != 8 + entry * count.min(1 << 20) || !zero(b, 1, 3) {
        Some(LENGTH)
    } else if b.first().is_none_or(|v| *v > 1) || !rates {
        Some(RESERVED)
    } else if !shape {
        Some("The edit list does more than start the track: it can hide or repeat parts.")
    } else {
        None
    };
    (edits, wrong)
}

pub(super) fn vmhd(b: &[u8]) -> Wrong {
    (b != [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]).then_some(RESERVED)
}

pub(super) fn smhd(b: &[u8]) -> Wrong {
    (b != [0; 8]).then_some(RESERVED)
}

/// `dinf` with a `dref` with one `url ` that says "in this file".
pub(super) fn dinf(b: &[u8]) -> Wrong {
    let fixed: &[u8] = b"\0\0\0\x1cdref\0\0\0\0\0\0\0\x01\0\0\0\x0curl \0\0\0\x01";
    (b != fixed).then_some("The data reference is not the plain 'in this file'.")
}
