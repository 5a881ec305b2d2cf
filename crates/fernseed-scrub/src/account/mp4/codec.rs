//! Sample descriptions: one H.264, AAC or Opus entry, to the last byte.

use super::super::bits::sps_is_exact;
use super::{Handler, Track};
use crate::bytes::{be16, be32, part};

/// Checks the content of `stsd` and takes size and codec from it.
pub(super) fn stsd(b: &[u8], track: &mut Track, wrong: &mut dyn FnMut(&str)) {
    let plain = part(b, 0, 8) == Some(&[0, 0, 0, 0, 0, 0, 0, 1]);
    let size = be32(b, 8).unwrap_or(0) as usize;
    if !plain || size.checked_add(8) != Some(b.len()) {
        wrong("There must be exactly one sample description, and nothing after it.");
    }
    let entry = b.get(16..).unwrap_or_default();
    if part(entry, 0, 8) != Some(&[0, 0, 0, 0, 0, 0, 0, 1]) {
        wrong("The sample description's reserved bytes are in use.");
    }
    match (part(b, 12, 4), track.handler) {
        (Some(b"avc1"), Some(Handler::Video)) => avc1(entry, track, wrong),
        (Some(b"mp4a"), Some(Handler::Sound)) => sound(entry, b"esds", wrong),
        (Some(b"Opus"), Some(Handler::Sound)) => {
            track.opus = true;
            sound(entry, b"dOps", wrong);
        }
        _ => {
            if track.handler == Some(Handler::Video) {
                track.width = be16(entry, 24).unwrap_or(0);
                track.height = be16(entry, 26).unwrap_or(0);
            }
            wrong("A codec that fernseed does not write.");
        }
    }
}

fn avc1(entry: &[u8], track: &mut Track, wrong: &mut dyn FnMut(&str)) {
    track.width = be16(entry, 24).unwrap_or(0);
    track.height = be16(entry, 26).unwrap_or(0);
    let zeros = |at, len| part(entry, at, len).is_some_and(|p| p.iter().all(|&x| x == 0));
    if !zeros(42, 32) {
        wrong("The sample description has a compressor name.");
    }
    let resolution = [0, 0x48, 0, 0, 0, 0x48, 0, 0, 0, 0, 0, 0, 0, 1];
    if !zeros(8, 16)
        || part(entry, 28, 14) != Some(&resolution)
        || part(entry, 74, 4) != Some(&[0, 0x18, 0xFF, 0xFF])
        || track.width == 0
        || track.height == 0
    {
        wrong("The video sample description has fields that are not at their fixed value.");
    }
    let mut seen = Vec::new();
    for child in children(entry.get(78..).unwrap_or_default()) {
        let Some((kind, body)) = child else {
            wrong("Bytes after the boxes of the sample description.");
            break;
        };
        if seen.contains(&kind) {
            wrong("The same box twice in the sample description.");
        }
        seen.push(kind);
        match &kind {
            b"avcC" => {
                if let Some(n) = avc_config(body, wrong) {
                    track.nal_length = n;
                }
            }
            b"colr" => {
                if part(body, 0, 4) != Some(b"nclx")
                    || body.len() != 11
                    || body.get(10).is_none_or(|b| b & 0x7F != 0)
                {
                    wrong("A colour box that is not plain nclx; a profile can name a device.");
                }
            }
            b"pasp" => {
                let (num, den) = (be32(body, 0).unwrap_or(0), be32(body, 4).unwrap_or(0));
                track.aspect = Some((num, den));
                if body.len() != 8 || num == 0 || den == 0 {
                    wrong("The pixel aspect ratio is malformed.");
                }
            }
            other => {
                let name = crate::bytes::fourcc(*other);
                wrong(&format!("The sample description holds a box that is not allowed: {name}."));
            }
        }
    }
    if !seen.contains(b"avcC") {
        wrong("The H.264 track has no decoder configuration.");
    }
}

type Child<'a> = Option<([u8; 4], &'a [u8])>;

/// Boxes one after the other; `None` once for bytes that are no box.
fn children(mut b: &[u8]) -> impl Iterator<Item = Child<'_>> {
    std::iter::from_fn(move || {
        if b.is_empty() {
            return None;
        }
        let found = (|| {
            let size = be32(b, 0)? as usize;
            let kind = part(b, 4, 4)?.try_into().ok()?;
            let body = b.get(8..size)?;
            b = b.get(size..)?;
            Some((kind, body))
        })();
        if found.is_none() {
            b = &[];
        }
        Some(found)
    })
    .take(16)
}

/// Checks an `AVCDecoderConfigurationRecord` (ISO/IEC 14496-15, 5.3.3.1) and
/// returns the bytes of each NAL unit's length field.
fn avc_config(b: &[u8], wrong: &mut dyn FnMut(&str)) -> Option<u8> {
    let message = "The H.264 decoder configuration is not exact.";
    let profile = *b.get(1)?;
    let length = (b.get(4)? & 3) + 1;
    if b.first() != Some(&1) || b.get(4)? & 0xFC != 0xFC || b.get(5)? & 0xE0 != 0xE0 {
        wrong(message);
    }
    let mut at = 5usize;
    let mut counts = [0u8; 2];
    for (i, (kind, mask)) in [(7u8, 0x1F), (8, 0xFF)].into_iter().enumerate() {
        let count = b.get(at)? & mask;
        at += 1;
        counts[i] = count;
        // Two where pictures of the source's encoder were carried over.
        if !matches!(count, 1 | 2) {
            wrong("There must be one or two sequence and picture parameter sets.");
        }
        let mut seen: Vec<&[u8]> = Vec::new();
        for _ in 0..count {
            let Some((size, nal)) = be16(b, at)
                .map(usize::from)
                .and_then(|size| part(b, at + 2, size).map(|nal| (size, nal)))
            else {
                wrong(message);
                return Some(length);
            };
            if nal.first().is_none_or(|n| n & 0x9F != kind) {
                wrong("A parameter set of another kind in the decoder configuration.");
            }
            if kind == 7 && !sps_is_exact(nal) {
                wrong("The sequence parameter set has bytes after its end or cannot be read.");
            }
            if kind == 8 && size > 64 {
                wrong("The picture parameter set is implausibly long.");
            }
            if seen.contains(&nal) {
                wrong("The same parameter set twice.");
            }
            seen.push(nal);
            at += 2 + size;
        }
    }
    if counts[0] != counts[1] {
        wrong("There are not as many picture as sequence parameter sets.");
    }
    let rest = b.get(at..).unwrap_or_default();
    let extended = matches!(profile, 100 | 110 | 122 | 144);
    let tail_fits = match rest {
        [] => true,
        [a, b, c, 0] => extended && a & 0xFC == 0xFC && b & 0xF8 == 0xF8 && c & 0xF8 == 0xF8,
        _ => false,
    };
    if !tail_fits {
        wrong(message);
    }
    Some(length)
}

fn sound(entry: &[u8], config: &[u8; 4], wrong: &mut dyn FnMut(&str)) {
    let fixed = part(entry, 8, 8) == Some(&[0; 8])
        && matches!(be16(entry, 16), Some(1..=8))
        && be16(entry, 18) == Some(16)
        && part(entry, 20, 4) == Some(&[0; 4])
        && be16(entry, 26) == Some(0);
    if !fixed {
        wrong("The sound sample description has fields that are not at their fixed value.");
    }
    let mut seen = 0;
    for child in children(entry.get(28..).unwrap_or_default()) {
        match child {
            Some((kind, body)) if kind == *config => {
                seen += 1;
                let exact = if config == b"esds" { esds(body).is_some() } else { dops(body) };
                if !exact {
                    wrong("The sound decoder configuration is not exact.");
                }
            }
            _ => wrong("The sound sample description holds something that is not allowed."),
        }
    }
    if seen != 1 {
        wrong("The sound track must have one decoder configuration.");
    }
}

/// Reads one MPEG-4 descriptor (ISO/IEC 14496-1, 8.3.3) whose length is
/// written in one byte: its content and what follows it.
fn descriptor(b: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    if b.first() != Some(&tag) {
        return None;
    }
    let size = usize::from(*b.get(1)?);
    (size < 0x80).then_some((part(b, 2, size)?, b.get(2 + size..)?))
}

/// `Some` if the elementary stream descriptor is exactly: one ES without
/// dependencies, AAC without buffer size or bit rates (they tell encoders
/// apart), a short specific configuration, the standard SL.
fn esds(b: &[u8]) -> Option<()> {
    let (es, rest) = descriptor(b.get(4..)?, 3)?;
    let plain = part(b, 0, 4)? == [0; 4] && rest.is_empty() && part(es, 0, 3)? == [0; 3];
    let (decoder, after) = descriptor(es.get(3..)?, 4)?;
    let (sl, end) = descriptor(after, 6)?;
    let (specific, none) = descriptor(decoder.get(13..)?, 5)?;
    let exact = plain
        && sl == [2]
        && end.is_empty()
        && none.is_empty()
        && part(decoder, 0, 2)? == [0x40, 0x15]
        && part(decoder, 2, 11)? == [0; 11]
        && specific.len() == 2;
    exact.then_some(())
}

/// `OpusSpecificBox`, mapping family 0.
fn dops(b: &[u8]) -> bool {
    b.len() == 11
        && b.first() == Some(&0)
        && matches!(b.get(1), Some(1 | 2))
        && b.last() == Some(&0)
}
