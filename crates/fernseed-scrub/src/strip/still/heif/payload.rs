//! Coded pictures opened as far as their units: what is not a part of the
//! picture goes.

use super::super::{StripError, damaged, needs, truncated};
use crate::bytes::{be16, be32, part};

/// Largest parameter set.
const MAX_SET: usize = 512;

/// A grid of tiles in its shortest form; `tiles` is how many there are.
pub(super) fn grid(b: &[u8], tiles: usize) -> Option<Vec<u8>> {
    let [0, flags, rows, columns] = *part(b, 0, 4)? else { return None };
    let (width, height) = if flags & 1 == 1 {
        (be32(b, 4)?, be32(b, 8)?)
    } else {
        (be16(b, 4)?.into(), be16(b, 6)?.into())
    };
    if (usize::from(rows) + 1) * (usize::from(columns) + 1) != tiles {
        return None;
    }
    let mut out = vec![0, 0, rows, columns];
    match (u16::try_from(width), u16::try_from(height)) {
        (Ok(w), Ok(h)) => {
            out.extend(w.to_be_bytes());
            out.extend(h.to_be_bytes());
        }
        _ => {
            out = vec![0, 1, rows, columns];
            out.extend(width.to_be_bytes());
            out.extend(height.to_be_bytes());
        }
    }
    Some(out)
}

/// AV1: the sequence header and one frame (AV1 specification, 5.3).
pub(super) fn av1(mut b: &[u8]) -> Result<Vec<u8>, StripError> {
    let mut out = Vec::with_capacity(b.len());
    let (mut sequences, mut frames) = (0, 0);
    while let Some((&head, rest)) = b.split_first() {
        let kind = head >> 3 & 15;
        if head & 0x84 != 0 {
            return Err(needs("its picture has layers"));
        }
        let (size, rest) = if head & 2 != 0 {
            leb128(rest).ok_or_else(|| truncated("a unit of the picture"))?
        } else {
            (rest.len(), rest)
        };
        let body = rest.get(..size).ok_or_else(|| truncated("a unit of the picture"))?;
        b = rest.get(size..).unwrap_or_default();
        match kind {
            1 => {
                sequences += 1;
                if size > MAX_SET || sequences > 1 || frames > 0 {
                    return Err(damaged("the sequence header"));
                }
            }
            3 | 6 => frames += 1,
            // Tiles belong to the frame header before them.
            4 if frames == 0 => return Err(damaged("a unit of the picture")),
            4 => {}
            // Delimiters, metadata, repeated headers, padding, and what is
            // not defined.
            _ => continue,
        }
        out.push(kind << 3 | 2);
        let mut n = size;
        loop {
            let more = n >> 7 > 0;
            out.push((n & 0x7F) as u8 | u8::from(more) << 7);
            n >>= 7;
            if !more {
                break;
            }
        }
        out.extend(body);
    }
    if frames != 1 {
        return Err(needs("its coded picture is not exactly one frame"));
    }
    Ok(out)
}

fn leb128(b: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0usize;
    for (i, &byte) in b.iter().enumerate().take(5) {
        value |= usize::from(byte & 0x7F) << (7 * i);
        if byte & 0x80 == 0 {
            return Some((value, b.get(i + 1..)?));
        }
    }
    None
}

/// HEVC: slices only, behind lengths of four bytes (ISO/IEC 14496-15).
pub(super) fn hevc(mut b: &[u8], length: usize) -> Result<Vec<u8>, StripError> {
    let mut out = Vec::with_capacity(b.len());
    while !b.is_empty() {
        let head = part(b, 0, length).ok_or_else(|| truncated("a unit of the picture"))?;
        let size = head.iter().fold(0usize, |n, &v| n << 8 | usize::from(v));
        let nal = part(b, length, size).ok_or_else(|| truncated("a unit of the picture"))?;
        b = b.get(length + size..).unwrap_or_default();
        let Some(&[first, second]) = nal.get(..2) else { continue };
        let kind = first >> 1 & 63;
        // Other layers, parameter sets (they are in the configuration),
        // SEI and all that no decoder needs.
        if !matches!(kind, 0..=9 | 16..=21) || first & 1 != 0 || second >> 3 != 0 {
            continue;
        }
        let nal = trimmed(nal);
        if first & 0x80 != 0 || !emulation_free(nal) {
            return Err(damaged("a unit of the picture"));
        }
        out.extend((nal.len() as u32).to_be_bytes());
        out.extend(nal);
    }
    if out.is_empty() {
        return Err(damaged("there is no picture data"));
    }
    Ok(out)
}

/// Without what may stand after the last bit of a unit.
fn trimmed(mut nal: &[u8]) -> &[u8] {
    loop {
        match nal {
            [rest @ .., 0, 0, 3] | [rest @ .., 0] => nal = rest,
            _ => return nal,
        }
    }
}

/// True if no start code could be read into the unit.
fn emulation_free(nal: &[u8]) -> bool {
    let mut zeros = 0;
    nal.iter().all(|&b| {
        let good = zeros < 2 || b > 2;
        zeros = if b == 0 { zeros + 1 } else { 0 };
        good
    })
}

/// The configuration with parameter sets only, and the size of lengths in
/// the source. Hints about time and parallel decoding are neutral.
pub(super) fn hevc_config(b: &[u8]) -> Option<(Vec<u8>, u8)> {
    let head = part(b, 0, 23)?;
    let length = (head[21] & 3) + 1;
    if head[0] != 1 || length == 3 {
        return None;
    }
    let mut out = head.get(..13)?.to_vec();
    // Spatial segmentation and parallelism unknown, chroma and depths, no
    // frame rate, one layer, lengths of four bytes.
    out.extend([0xF0, 0, 0xFC, head[16] | 0xFC, head[17] | 0xF8, head[18] | 0xF8, 0, 0]);
    out.push(0x0B | (head[21] & 4));
    let mut sets: [Vec<Vec<u8>>; 3] = Default::default();
    let mut at = 23;
    for _ in 0..head[22] {
        let kind = b.get(at)? & 63;
        let count = be16(b, at + 1)?;
        at += 3;
        for _ in 0..count {
            let size = usize::from(be16(b, at)?);
            let nal = part(b, at + 2, size)?;
            at += 2 + size;
            if let Some(list) = kind.checked_sub(32).and_then(|k| sets.get_mut(usize::from(k))) {
                let nal = trimmed(nal);
                // Of this kind, of the base layer, and for all decoders.
                let named =
                    matches!(nal, [a, b, ..] if *a == kind << 1 && b >> 3 == 0 && b & 7 > 0);
                let fits = nal.len() <= MAX_SET && named && list.len() < 16;
                if !fits || !emulation_free(nal) {
                    return None;
                }
                list.push(nal.to_vec());
            }
        }
    }
    let arrays = sets.iter().filter(|s| !s.is_empty()).count();
    out.push(arrays as u8);
    for (kind, list) in (32u8..).zip(&sets).filter(|(_, l)| !l.is_empty()) {
        out.push(0x80 | kind);
        out.extend((list.len() as u16).to_be_bytes());
        for nal in list {
            out.extend((nal.len() as u16).to_be_bytes());
            out.extend(nal);
        }
    }
    Some((out, length))
}
