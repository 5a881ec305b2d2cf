//! MPEG program streams and MPEG-1 system streams (ISO/IEC 13818-1, 2.5;
//! 11172-1): VOB, MPG.

use super::elementary::{Form, Stream, pes};
use super::fail;
use super::movie::Movie;
use crate::bytes::be16;
use crate::source::Source;
use crate::strip::StripError;

/// Reads a file.
pub(super) fn read(source: &mut Source<'_>) -> Result<Movie, StripError> {
    let len = source.len();
    let mut movie = Movie::default();
    // By stream and, for the first private stream, by sub-stream.
    let mut streams: Vec<(u8, u8, Stream)> = Vec::new();
    let mut at = 0;
    while at + 4 <= len {
        let head = source.upto(at, len, 32).map_err(|e| fail(e, "a packet"))?;
        if head.get(..3) != Some(&[0, 0, 1]) {
            // Padding between packs.
            at += 1;
            if head.first() != Some(&0) {
                return Err(StripError::Damaged("a packet does not begin where it should".into()));
            }
            continue;
        }
        let id = head.get(3).copied().unwrap_or(0);
        at += match id {
            0xB9 => 4,
            0xBA if head.get(4).is_some_and(|b| b >> 6 == 1) => {
                14 + u64::from(head.get(13).copied().unwrap_or(0) & 7)
            }
            0xBA => 12,
            0xBB..=0xFF => {
                let size = be16(&head, 4).map(u64::from);
                let size = size.ok_or_else(|| StripError::Truncated("a packet".into()))?;
                let end = (at + 6 + size).min(len);
                if matches!(id, 0xE0..=0xEF | 0xC0..=0xDF | 0xBD) {
                    packet(source, at, end, id, &mut streams, &mut movie)?;
                }
                6 + size
            }
            _ => return Err(StripError::Damaged("an unknown packet".into())),
        };
    }
    for (_, _, stream) in streams {
        if let Some(track) = stream.finish(&mut movie)? {
            if track.is_video() && movie.has_video() {
                movie.note("A second video track was left out.");
                continue;
            }
            movie.tracks.push(track);
        }
    }
    movie.tracks.sort_by_key(|t| !t.is_video());
    Ok(movie)
}

fn packet(
    source: &mut Source<'_>,
    at: u64,
    end: u64,
    id: u8,
    streams: &mut Vec<(u8, u8, Stream)>,
    movie: &mut Movie,
) -> Result<(), StripError> {
    let bytes = source.bytes(at, end - at).map_err(|e| fail(e, "a packet"))?;
    let Some((times, mut head, scrambled)) = pes(&bytes) else {
        return Err(StripError::Damaged("a packet's header cannot be read".into()));
    };
    if scrambled {
        return Err(StripError::Encrypted);
    }
    let mut sub = 0;
    let form = match id {
        0xE0..=0xEF => Form::Mpeg12,
        0xC0..=0xDF => Form::Mpa,
        _ => {
            sub = bytes.get(head).copied().unwrap_or(0);
            head += 4;
            match sub {
                0x80..=0x87 => Form::Ac3,
                0x20..=0x3F => {
                    movie.note("Subtitles or chapter titles were left out.");
                    return Ok(());
                }
                _ => {
                    movie.note("Private streams were left out.");
                    return Ok(());
                }
            }
        }
    };
    let known = streams.iter().position(|s| s.0 == id && s.1 == sub);
    if known.is_none() {
        if streams.len() >= 64 {
            return Ok(());
        }
        streams.push((id, sub, Stream::new(form)));
    }
    let index = known.unwrap_or(streams.len() - 1);
    let Some((_, _, stream)) = streams.get_mut(index) else { return Ok(()) };
    if let Some((pts, dts)) = times {
        stream.mark(pts, dts);
    }
    stream.feed(at + head as u64, bytes.get(head..).unwrap_or_default())
}
