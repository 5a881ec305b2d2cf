//! MPEG-1, MPEG-2 and MPEG-4 Visual by start codes (ISO/IEC 11172-2, 13818-2,
//! 14496-2), and ProRes frames (SMPTE RDD 36).

use super::Facts;
use super::bits::Writer;
use super::nal::start_code;
use crate::bytes::{be16, be32};
use crate::strip::StripError;

/// Cuts at start codes: `(code, content)`. What precedes the first is
/// dropped.
fn sections(b: &[u8]) -> Vec<(u8, &[u8])> {
    let mut list = Vec::new();
    let mut at = start_code(b, 0);
    while let Some(from) = at {
        let next = start_code(b, from);
        let end = next.map_or(b.len(), |n| n - 3);
        if let Some((&code, body)) = b.get(from..end).and_then(<[u8]>::split_first) {
            list.push((code, body));
        }
        at = next;
    }
    list
}

/// Without the zero bytes that may stand before any start code.
fn unstuffed(body: &[u8]) -> &[u8] {
    let end = body.iter().rposition(|&b| b != 0).map_or(0, |p| p + 1);
    body.get(..end).unwrap_or_default()
}

fn put(out: &mut Vec<u8>, code: u8, body: &[u8]) {
    out.extend_from_slice(&[0, 0, 1, code]);
    out.extend_from_slice(body);
}

/// The header of a visual object sequence: its profile and nothing else, if
/// it has one (0 is reserved).
fn put_profile(out: &mut Vec<u8>, body: &[u8]) {
    if let Some(&profile) = body.first().filter(|&&p| p != 0) {
        put(out, 0xB0, &[profile]);
    }
}

/// The first `len` bytes of a header, all of them if it is shorter. No header
/// of a real encoder ends in many zeros: matrices and marker bits forbid it,
/// and they look like padding.
fn header(body: &[u8], len: usize) -> Result<&[u8], StripError> {
    let head = body.get(..len.min(body.len())).unwrap_or_default();
    if head.len() - unstuffed(head).len() > 3 { Err(broken()) } else { Ok(head) }
}

fn broken() -> StripError {
    StripError::Damaged("a coded picture cannot be read".into())
}

/// A picture header without extra information (13818-2, 6.2.3).
fn picture_header(body: &[u8]) -> Option<Vec<u8>> {
    let bits = match be16(body, 0)? >> 3 & 7 {
        1 | 4 => 29,
        2 => 33,
        3 => 37,
        _ => return None,
    };
    (body.len() * 8 > bits).then_some(())?;
    let mut w = Writer::default();
    w.parsed(body, 0, bits);
    w.put(0, 1);
    Some(w.done())
}

/// MPEG-1 and MPEG-2: headers, pictures, slices; no user data, no copyright
/// extension, no time code.
pub(super) fn clean_mpeg12(sample: &[u8], out: &mut Vec<u8>) -> Result<Facts, StripError> {
    let mut facts = Facts { disposable: true, ..Facts::default() };
    let mut pictures = 0u32;
    for (code, body) in sections(sample) {
        // A body may end in zeros that belong to it only inside headers
        // whose length is known; slices end in a one bit.
        match code {
            0x00 => {
                pictures += 1;
                match be16(body, 0).map(|w| w >> 3 & 7) {
                    Some(1) => facts = Facts { key: true, disposable: false, ..facts },
                    Some(3) => {}
                    _ => facts.disposable = false,
                }
                put(out, code, &picture_header(body).ok_or_else(broken)?);
            }
            0x01..=0xAF => {
                // The last bits of a slice may be zeros, up to a whole byte.
                let end = unstuffed(body).len() + 1;
                put(out, code, body.get(..end.min(body.len())).unwrap_or_default());
            }
            0xB3 => {
                let flags = body.get(7).copied().unwrap_or(0);
                let intra = flags >> 1 & 1 == 1;
                let at = 7 + if intra { 64 } else { 0 };
                let inter = body.get(at).copied().unwrap_or(0) & 1 == 1;
                let len = at + 1 + if inter { 64 } else { 0 };
                put(out, code, header(body, len)?);
            }
            // Sequence, display, quantiser and picture extensions.
            0xB5 => match body.first().map(|b| b >> 4) {
                Some(1) => put(out, code, header(body, 6)?),
                Some(2) => {
                    let len = if body.first().is_some_and(|b| b & 1 == 1) { 8 } else { 5 };
                    put(out, code, header(body, len)?);
                }
                Some(8) => {
                    let composite = body.get(4).is_some_and(|b| b & 0x40 != 0);
                    let len = if composite { 7 } else { 5 };
                    put(out, code, header(body, len)?);
                }
                Some(3 | 7) => put(out, code, unstuffed(body)),
                _ => {}
            },
            // Group of pictures: the time code becomes zero, the flags for
            // closed and broken stay.
            0xB8 => {
                let flags = body.get(3).copied().unwrap_or(0) & 0x60;
                put(out, code, &[0, 0x08, 0, flags]);
            }
            _ => {}
        }
    }
    if pictures == 0 {
        out.clear();
        facts.disposable = false;
    }
    Ok(facts)
}

/// MPEG-4 Visual: headers and pictures, no user data.
pub(super) fn clean_mpeg4(sample: &[u8], out: &mut Vec<u8>) -> Result<Facts, StripError> {
    let mut facts = Facts::default();
    let mut pictures = 0u32;
    if start_code(sample, 0).is_none() {
        // A frame of "not coded" is one byte in some files.
        return Ok(facts);
    }
    for (code, body) in sections(sample) {
        match code {
            0xB6 => {
                pictures += 1;
                let kind = body.first().map_or(0, |b| b >> 6);
                facts.key |= kind == 0;
                facts.disposable = kind == 2;
                put(out, code, unstuffed(body));
            }
            0x00..=0x1F => put(out, code, &[]),
            0x20..=0x2F | 0xB3 | 0xB5 => put(out, code, unstuffed(body)),
            0xB0 => put_profile(out, body),
            0xB2 if is_packed(body) => {
                return Err(StripError::NeedsReencoding(
                    "Two pictures share one frame of this file (packed B-frames), which only \
                     its user data says."
                        .into(),
                ));
            }
            _ => {}
        }
    }
    if pictures == 0 {
        out.clear();
    }
    Ok(facts)
}

/// `DivX…p`: the mark of packed B-frames.
fn is_packed(body: &[u8]) -> bool {
    let text = unstuffed(body);
    text.starts_with(b"DivX") && text.last() == Some(&b'p')
}

/// The headers of an MPEG-4 stream without user data; `None` if there is no
/// video object layer.
pub(in super::super) fn mpeg4_headers(b: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut layer = false;
    for (code, body) in sections(b) {
        match code {
            0x20..=0x2F => {
                layer = true;
                put(&mut out, code, unstuffed(body));
            }
            0x00..=0x1F => put(&mut out, code, &[]),
            0xB0 => put_profile(&mut out, body),
            0xB5 => put(&mut out, code, unstuffed(body)),
            _ => {}
        }
    }
    (layer && out.len() <= 1024).then_some(out)
}

/// Size in pixels from an MPEG-1 or MPEG-2 sequence header, and its rate.
pub(in super::super) fn mpeg12_size(b: &[u8]) -> Option<(u16, u16, bool)> {
    let mut size = None;
    let mut two = false;
    for (code, body) in sections(b) {
        match code {
            0xB3 => {
                let w = be32(body, 0)?;
                size = Some(((w >> 20) as u16, (w >> 8 & 0xFFF) as u16));
            }
            0xB5 => two |= body.first().is_some_and(|b| b >> 4 == 1),
            _ => {}
        }
    }
    size.map(|(w, h)| (w, h, two))
}

/// ProRes: the frame as it is, the encoder's code and what follows the
/// frame gone.
pub(super) fn clean_prores(sample: &[u8], out: &mut Vec<u8>) -> Result<Facts, StripError> {
    let size = be32(sample, 0).ok_or_else(broken)? as usize;
    let frame = sample.get(..size).filter(|f| f.len() >= 28).ok_or_else(broken)?;
    if frame.get(4..8) != Some(b"icpf") {
        return Err(broken());
    }
    out.extend_from_slice(frame);
    if let Some(creator) = out.get_mut(12..16) {
        creator.copy_from_slice(b"apl0");
    }
    Ok(Facts { key: true, ..Facts::default() })
}
