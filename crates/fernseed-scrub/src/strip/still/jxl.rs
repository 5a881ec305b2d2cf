//! JPEG XL (ISO/IEC 18181): the bare codestream, up to the end of its last
//! frame; the container with its boxes goes.

mod header;

use super::{Built, Outcome, StripError, damaged, needs, truncated};
use crate::bytes::{be32, be64, part};

/// Most frames.
const MAX_FRAMES: usize = 20_000;

pub(super) fn rebuild(data: &[u8]) -> Outcome {
    let mut notes = Vec::new();
    let mut stream =
        if data.starts_with(&[0xFF, 0x0A]) { data.to_vec() } else { unwrapped(data, &mut notes)? };
    let end = end(&stream)?;
    if end < stream.len() {
        let left = stream.len() - end;
        notes.push(format!("{left} bytes after the end of the picture are left out."));
        stream.truncate(end);
    }
    Ok(Built { container: "JPEG XL picture", extension: "jxl", bytes: stream, notes })
}

/// The codestream of a container.
fn unwrapped(data: &[u8], notes: &mut Vec<String>) -> Result<Vec<u8>, StripError> {
    let (mut at, mut out) = (0usize, Vec::new());
    while at < data.len() {
        let short = || truncated("a box");
        let size = be32(data, at).ok_or_else(short)?;
        let kind = part(data, at + 4, 4).ok_or_else(short)?;
        let (head, size) = match size {
            0 => (8, data.len() - at),
            1 => (16, usize::try_from(be64(data, at + 8).ok_or_else(short)?).unwrap_or(usize::MAX)),
            n => (8, n as usize),
        };
        let body = size.checked_sub(head).and_then(|n| part(data, at + head, n));
        let body = body.ok_or_else(short)?;
        match kind {
            b"jxlc" if out.is_empty() => out.extend(body),
            b"jxlp" => out.extend(body.get(4..).ok_or_else(short)?),
            b"jbrd" => {
                notes.push("The JPEG file it was made from can no longer be rebuilt.".into());
            }
            _ => {}
        }
        at += size;
    }
    if out.starts_with(&[0xFF, 0x0A]) { Ok(out) } else { Err(damaged("there is no picture data")) }
}

/// Where the last frame ends.
fn end(stream: &[u8]) -> Result<usize, StripError> {
    let mut bits = header::Bits::new(stream, 2);
    let image = header::Image::read(&mut bits)?;
    for _ in 0..MAX_FRAMES {
        bits.align()?;
        let frame = image.frame(&mut bits)?;
        let size = frame.sections(&mut bits)?;
        let at = bits.byte();
        let end = at.checked_add(size).filter(|&e| e <= stream.len());
        let end = end.ok_or_else(|| truncated("a frame"))?;
        if frame.last {
            return Ok(end);
        }
        bits = header::Bits::new(stream, end);
    }
    Err(needs("it has too many frames"))
}
