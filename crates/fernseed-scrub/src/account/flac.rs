//! FLAC: one STREAMINFO, then frame after frame to the end of the file.
//!
//! Frames are not decoded here. Each ends where its checksum comes out and
//! the next frame, with the next number, begins.

use super::claims::Claims;
use super::sums::Sum;
use crate::bytes::{be16, be24, part};
use crate::source::Source;

/// Bytes looked at in one piece.
const BLOCK: u64 = 1 << 20;
/// Longest frame.
const MAX_FRAME: u64 = 8 << 20;

/// A frame header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    variable: bool,
    samples: u64,
    number: u64,
    length: u64,
}

pub(super) fn account(source: &mut Source<'_>, claims: &mut Claims) {
    let len = source.len();
    let Ok(head) = source.array::<42>(0) else {
        claims.foreign("", 0, len, "The header is cut short.");
        return;
    };
    if part(&head, 4, 4) != Some(b"\x80\0\0\x22") {
        claims.own("STREAMINFO", 0, 4);
        let message = "The first block is not the only one: comments, pictures or free space.";
        claims.foreign("metadata blocks", 4, len, message);
        return;
    }
    claims.own("STREAMINFO", 0, 42);
    let total = part(&head, 18, 8)
        .and_then(|b| b.try_into().ok())
        .map_or(0, |b| u64::from_be_bytes(b) & 0xF_FFFF_FFFF);
    // Frames are looked at from both ends.
    source.grant(len.saturating_mul(16));
    let mut at = 42;
    let (mut number, mut samples, mut frames) = (0, 0, 0u64);
    let (mut shortest, mut longest) = (u64::MAX, 0);
    let mut variable = None;
    // Largest block, smallest of all but the last, and the last.
    let mut blocks = (16, None, None);
    while at < len {
        let Some(frame) = read(source, at, len) else {
            claims.foreign("", at, len, "Bytes that are not a frame.");
            break;
        };
        let right = frame.number == if frame.variable { samples } else { number };
        let Some(end) = end_of(source, at, frame, samples, number, len).filter(|_| right) else {
            claims.foreign("", at, len, "A frame that is not the next one, or does not end.");
            break;
        };
        if *variable.get_or_insert(frame.variable) != frame.variable {
            claims.wrong("frames", at, end, "Frames are counted in two ways.");
        }
        claims.own("frames", at, end);
        (shortest, longest) = (shortest.min(end - at), longest.max(end - at));
        blocks.0 = blocks.0.max(frame.samples);
        blocks.1 = blocks
            .2
            .map_or(blocks.1, |last: u64| Some(blocks.1.map_or(last, |s: u64| s.min(last))));
        blocks.2 = Some(frame.samples);
        number += 1;
        frames += 1;
        samples += frame.samples;
        at = end;
    }
    let sizes = (be24(&head, 12).map(u64::from), be24(&head, 15).map(u64::from));
    let fits = sizes == (Some(shortest.min(0xFF_FFFF)), Some(longest.min(0xFF_FFFF)));
    let (largest, smallest) = (blocks.0, blocks.1.unwrap_or(blocks.0).max(16));
    let fits = fits
        && be16(&head, 8).map(u64::from) == Some(smallest)
        && be16(&head, 10).map(u64::from) == Some(largest);
    if frames == 0 || samples != total && total != 0 || !fits {
        claims.wrong("STREAMINFO", 8, 26, "The counts are not those of the frames.");
    }
}

/// The frame header at `at`.
fn read(source: &mut Source<'_>, at: u64, end: u64) -> Option<Head> {
    parse(&source.upto(at, end, 16).ok()?)
}

fn parse(b: &[u8]) -> Option<Head> {
    let first = be16(b, 0)?;
    let (sizes, layout) = (*b.get(2)?, *b.get(3)?);
    if first & !1 != 0xFFF8 || layout & 1 != 0 || layout >> 4 > 10 || sizes & 15 == 15 {
        return None;
    }
    let lead = *b.get(4)?;
    let more = match lead {
        0..=0x7F => 0usize,
        0xC0..=0xFE => lead.leading_ones() as usize - 1,
        _ => return None,
    };
    let mut number = if more == 0 { u64::from(lead) } else { u64::from(lead) & (0x3F >> more) };
    for &c in part(b, 5, more)? {
        (c & 0xC0 == 0x80).then_some(())?;
        number = number << 6 | u64::from(c & 0x3F);
    }
    let mut at = 5 + more;
    let samples = match sizes >> 4 {
        0 => return None,
        1 => 192,
        n @ 2..=5 => 576 << (n - 2),
        6 => {
            at += 1;
            u64::from(*b.get(at - 1)?) + 1
        }
        7 => {
            at += 2;
            u64::from(be16(b, at - 2)?) + 1
        }
        n => 256 << (n - 8),
    };
    // Rates outside the table are in STREAMINFO: our writer writes no other.
    if sizes & 15 >= 12 {
        return None;
    }
    let sum = Sum::crc8().add(part(b, 0, at)?).value;
    (u64::from(*b.get(at)?) == sum).then_some(Head {
        variable: first & 1 == 1,
        samples,
        number,
        length: at as u64 + 1,
    })
}

/// Where the frame at `at` ends.
fn end_of(
    source: &mut Source<'_>,
    at: u64,
    frame: Head,
    samples: u64,
    number: u64,
    len: u64,
) -> Option<u64> {
    let next = if frame.variable { samples + frame.samples } else { number + 1 };
    let mut sum = Sum::crc16(0);
    let mut here = at;
    let limit = len.min(at + MAX_FRAME);
    // Small steps first: most frames are short.
    let mut size = 64;
    while here < limit {
        let block = source.upto(here, limit, size).ok()?;
        size = (size * 2).min(BLOCK);
        for (n, &byte) in block.iter().enumerate() {
            sum.byte(byte);
            let end = here + n as u64 + 1;
            // The sum over a frame with its own checksum is zero.
            if sum.value != 0 || end < at + frame.length + 2 {
                continue;
            }
            let follows = end == len
                || block.get(n + 1).is_none_or(|&b| b == 0xFF)
                    && read(source, end, len).is_some_and(|h| h.number == next);
            if follows {
                return Some(end);
            }
        }
        here += block.len() as u64;
        if block.is_empty() {
            break;
        }
    }
    None
}
