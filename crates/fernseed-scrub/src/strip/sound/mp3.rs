//! MP3: MPEG audio layer III frames and nothing else (ISO 11172-3, 13818-3).
//!
//! Tags in front, between and behind are left out. In the frames, what no
//! decoder plays is set to zero: the private, copyright and original bits,
//! and the ancillary data between the sound of one frame and that of the
//! next, where encoders leave their names. The frame of silence with the
//! seek table and the encoder's name in it (Xing, Info, LAME, VBRI) is
//! written anew, with the two numbers that gapless playback needs.

mod frame;
mod info;
mod reservoir;

use super::flow::{self, Output, damaged};
use crate::source::Source;
use crate::strip::{StripError, Stripped};
use frame::Header;
use reservoir::Reservoir;

/// Frames in a row that make a stream, unless it ends before.
const CHAIN: usize = 3;
/// Most frames: about 60 hours.
const MAX_FRAMES: usize = 8 << 20;
/// Junk passed over in one place.
const MAX_JUNK: u64 = 16 << 20;

/// Where a frame lies.
#[derive(Clone, Copy, Debug)]
struct Found {
    at: u64,
    header: Header,
}

/// True if frames stand at `start`, or behind nothing but zeros.
pub(super) fn looks_like(source: &mut Source<'_>, start: u64) -> bool {
    let end = source.len();
    let head = source.upto(start, end, 64 * 1024).unwrap_or_default();
    let zeros = head.iter().take_while(|&&b| b == 0).count();
    // After a tag that only sound has, some junk is forgiven.
    let most = if start > 0 { head.len() } else { zeros + 1 };
    (zeros..most.max(zeros + 1)).any(|n| chain(source, start + n as u64, end, None))
}

/// True if [`CHAIN`] frames of one stream follow each other at `at`.
fn chain(source: &mut Source<'_>, mut at: u64, end: u64, like: Option<Header>) -> bool {
    let mut first = like;
    for n in 0..CHAIN {
        let Some(header) = header(source, at, end) else { return n > 0 && at == end };
        if first.is_some_and(|f| !f.same_stream(header)) {
            return false;
        }
        first = first.or(Some(header));
        at += header.length() as u64;
    }
    true
}

/// The header at `at`, if the frame lies inside the stream.
fn header(source: &mut Source<'_>, at: u64, end: u64) -> Option<Header> {
    if at + 4 > end {
        return None;
    }
    let header = Header::parse(source.array::<4>(at).ok()?)?;
    (at + header.length() as u64 <= end).then_some(header)
}

/// Strips an MP3 file whose tags in front end at `start`.
pub(super) fn rebuild(
    source: &mut Source<'_>,
    start: u64,
    output: &mut impl Output,
) -> Result<Stripped, StripError> {
    let end = flow::before_tags(source, start);
    let mut notes = Vec::new();
    let mut frames = walk(source, start, end, &mut notes)?;
    let first = frames.first().copied().ok_or_else(|| damaged("it holds no sound"))?;
    let gapless = {
        let bytes = source
            .bytes(first.at, first.header.length() as u64)
            .map_err(flow::short("the sound"))?;
        info::read(first.header, &bytes)
    };
    if gapless.is_some() {
        frames.remove(0);
    }
    let Some(first) = frames.first().copied() else {
        return Err(damaged("it holds no sound"));
    };
    let tag = info::write(first.header, &frames, gapless.flatten());
    output.write_all(&tag.ok_or_else(|| damaged("its frames are too long"))?)?;
    let mut reservoir = Reservoir::default();
    for found in &frames {
        let bytes = source
            .bytes(found.at, found.header.length() as u64)
            .map_err(flow::short("the sound"))?;
        reservoir.push(found.header, bytes, output)?;
    }
    let emptied = reservoir.finish(output)?;
    output.flush()?;
    if emptied > 0 {
        notes.push(format!("{emptied} bytes between the sound of the frames were set to zero."));
    }
    Ok(Stripped { container: "MP3 sound".to_owned(), extension: "mp3".to_owned(), notes })
}

/// Finds all frames of the stream, passing over what is not one.
fn walk(
    source: &mut Source<'_>,
    start: u64,
    end: u64,
    notes: &mut Vec<String>,
) -> Result<Vec<Found>, StripError> {
    let mut frames: Vec<Found> = Vec::new();
    let mut junk = 0u64;
    let mut at = start;
    while at + 4 <= end {
        let like = frames.first().map(|f| f.header);
        let next = header(source, at, end).filter(|h| like.is_none_or(|l| l.same_stream(*h)));
        // The first frame, and the first one after junk, has to be followed
        // by others.
        let sure = junk_before(&frames, at) == 0;
        if let Some(header) = next.filter(|_| sure || chain(source, at, end, like)) {
            if frames.len() >= MAX_FRAMES {
                return Err(StripError::TooLarge("it has too many frames".to_owned()));
            }
            frames.push(Found { at, header });
            at += header.length() as u64;
        } else {
            junk += 1;
            at += 1;
            if junk > MAX_JUNK {
                return Err(damaged("too much in it is no sound"));
            }
        }
    }
    if let (Some(first), Some(last)) = (frames.first(), frames.last()) {
        let inside: u64 = frames.iter().map(|f| f.header.length() as u64).sum();
        let between = last.at + last.header.length() as u64 - first.at - inside;
        if between > 0 {
            notes.push(format!("{between} bytes between the frames are left out."));
        }
        if last.at + (last.header.length() as u64) < end {
            notes.push("Bytes after the last whole frame are left out.".to_owned());
        }
    }
    Ok(frames)
}

/// Bytes between the last frame and `at`; something for the first frame.
fn junk_before(frames: &[Found], at: u64) -> u64 {
    frames.last().map_or(1, |f| at - f.at - f.header.length() as u64)
}
