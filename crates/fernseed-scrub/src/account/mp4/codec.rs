//! Sample descriptions: one entry of a known codec, to the last byte.

use super::super::coded;
use super::super::frames::Coding;
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
    let kind: [u8; 4] = part(b, 12, 4).and_then(|k| k.try_into().ok()).unwrap_or_default();
    match track.handler {
        Some(Handler::Video) => video(kind, entry, track, wrong),
        Some(Handler::Sound) => sound(kind, entry, track, wrong),
        None => wrong("A codec that fernseed does not write."),
    }
}

fn video(kind: [u8; 4], entry: &[u8], track: &mut Track, wrong: &mut dyn FnMut(&str)) {
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
    let config: Option<&[u8; 4]> = match &kind {
        b"avc1" | b"avc3" => Some(b"avcC"),
        b"hvc1" | b"hev1" => Some(b"hvcC"),
        b"av01" => Some(b"av1C"),
        b"vp08" | b"vp09" => Some(b"vpcC"),
        b"mp4v" => Some(b"esds"),
        b"s263" => Some(b"d263"),
        b"jpeg" => {
            track.coding = Coding::Mjpeg;
            None
        }
        b"apch" | b"apcn" | b"apcs" | b"apco" | b"ap4h" | b"ap4x" => {
            track.coding = Coding::ProRes;
            None
        }
        _ => {
            wrong("A codec that fernseed does not write.");
            None
        }
    };
    let mut seen = Vec::new();
    for child in children(entry.get(78..).unwrap_or_default()) {
        let Some((name, body)) = child else {
            wrong("Bytes after the boxes of the sample description.");
            break;
        };
        if seen.contains(&name) {
            wrong("The same box twice in the sample description.");
        }
        seen.push(name);
        if Some(&name) == config {
            video_config(kind, body, track, wrong);
        } else {
            shown(name, body, track, wrong);
        }
    }
    if config.is_some_and(|c| !seen.contains(c)) {
        wrong("The video track has no decoder configuration.");
    }
}

/// The decoder configuration of a video track.
fn video_config(kind: [u8; 4], body: &[u8], track: &mut Track, wrong: &mut dyn FnMut(&str)) {
    let exact = match &kind {
        b"avc1" | b"avc3" => {
            if let Some(length) = coded::avc(body, wrong) {
                track.coding = Coding::Units { hevc: false, length, sets: &kind == b"avc3" };
            }
            true
        }
        b"hvc1" | b"hev1" => {
            let length = coded::hevc(body, wrong);
            if let Some(length) = length {
                track.coding = Coding::Units { hevc: true, length, sets: &kind == b"hev1" };
            }
            length.is_some()
        }
        b"av01" => {
            track.coding = Coding::Av1;
            coded::av1(body)
        }
        b"vp08" | b"vp09" => {
            body.len() == 12 && body.starts_with(&[1, 0, 0, 0]) && body.ends_with(&[0, 0])
        }
        b"mp4v" => match coded::esds(body) {
            Some((0x20, 0x11, headers)) => {
                track.coding = Coding::Mpeg4;
                coded::mpeg4(headers)
            }
            Some((0x61 | 0x6A, 0x11, [])) => {
                track.coding = Coding::Mpeg12;
                true
            }
            _ => false,
        },
        b"s263" => body == [0, 0, 0, 0, 0, 10, 0],
        _ => false,
    };
    if !exact {
        wrong("The video decoder configuration is not exact.");
    }
}

/// Boxes about how a picture is shown.
fn shown(name: [u8; 4], body: &[u8], track: &mut Track, wrong: &mut dyn FnMut(&str)) {
    match &name {
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
        b"fiel" if matches!(body, [2, 1 | 6 | 9 | 14]) => {}
        b"mdcv" if body.len() == 24 => {}
        b"clli" if body.len() == 4 => {}
        other => {
            let name = crate::bytes::fourcc(*other);
            wrong(&format!("The sample description holds a box that is not allowed: {name}."));
        }
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

fn sound(kind: [u8; 4], entry: &[u8], track: &mut Track, wrong: &mut dyn FnMut(&str)) {
    if &kind == b"lpcm" {
        if part(entry, 8, 8) != Some(&[0, 2, 0, 0, 0, 0, 0, 0])
            || !entry.get(8..).is_some_and(coded::lpcm)
        {
            wrong("The sound sample description has fields that are not at their fixed value.");
        }
        return;
    }
    let eight = matches!(&kind, b"raw " | b"twos");
    let fixed = part(entry, 8, 8) == Some(&[0; 8])
        && be16(entry, 16).is_some_and(|n| (1..=64).contains(&n))
        && (be16(entry, 18) == Some(16) || eight && be16(entry, 18) == Some(8))
        && part(entry, 20, 4) == Some(&[0; 4])
        && be16(entry, 26) == Some(0);
    if !fixed {
        wrong("The sound sample description has fields that are not at their fixed value.");
    }
    track.opus = &kind == b"Opus";
    let config: Option<&[u8; 4]> = match &kind {
        b"mp4a" => Some(b"esds"),
        b"Opus" => Some(b"dOps"),
        b"fLaC" => Some(b"dfLa"),
        b"alac" => Some(b"alac"),
        b"ac-3" => Some(b"dac3"),
        b"ec-3" => Some(b"dec3"),
        b"samr" | b"sawb" => Some(b"damr"),
        b"sowt" | b"twos" | b"raw " | b"ulaw" | b"alaw" => None,
        _ => {
            wrong("A codec that fernseed does not write.");
            return;
        }
    };
    let mut seen = 0;
    for child in children(entry.get(28..).unwrap_or_default()) {
        match child {
            Some((name, body)) if Some(&name) == config => {
                seen += 1;
                if !sound_config(name, body, track) {
                    wrong("The sound decoder configuration is not exact.");
                }
            }
            _ => wrong("The sound sample description holds something that is not allowed."),
        }
    }
    if seen != usize::from(config.is_some()) {
        wrong("The sound track must have one decoder configuration.");
    }
}

fn sound_config(name: [u8; 4], body: &[u8], track: &mut Track) -> bool {
    let versioned = |b: &[u8]| b.starts_with(&[0; 4]);
    match &name {
        b"esds" => match coded::esds(body) {
            Some((0x40, 0x15, specific)) => {
                track.coding = Coding::Aac;
                coded::aac(specific)
            }
            Some((0x69 | 0x6B | 0xA9, 0x15, [])) => true,
            _ => false,
        },
        b"dOps" => coded::opus(body, 0),
        b"dfLa" => versioned(body) && body.get(4..).is_some_and(coded::flac),
        b"alac" => versioned(body) && body.len() == 28,
        b"dac3" => body.len() == 3,
        b"dec3" => matches!(body.len(), 5..=40),
        b"damr" => matches!(body, [0, 0, 0, 0, 0, 0x81 | 0x83, 0xFF, 0, 1]),
        _ => false,
    }
}
