//! The presentation times of a file, without decoding it.

use super::MediaError;
use crate::ffi::Packet;
use fernseed_core::limits::Limits;
use fernseed_core::time::TimeBase;
use std::fs::File;
use std::sync::Arc;

/// Most packets a file may have: 10 hours at 240 frames a second, twice.
const MAX_PACKETS: usize = 20_000_000;

/// What a container says of its video's times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// libavformat's short name of the container.
    pub container: String,
    /// The times of all frames that are shown, in ticks, sorted.
    pub times: Vec<i64>,
    /// The length of a tick.
    pub time_base: TimeBase,
}

/// The times of a video's frames. Edit lists are honoured; hidden packets are left out. Nothing
/// is decoded beyond what libavformat needs to recognise the streams.
///
/// # Errors
/// As [`super::VideoReader::open`]; [`MediaError::Damaged`] if a packet has
/// no time or the file cannot be read to its end.
pub fn timeline(file: impl Into<Arc<File>>, limits: &Limits) -> Result<Timeline, MediaError> {
    let mut demuxer = super::told::open(file.into()).map_err(MediaError::opening)?;
    let video = demuxer.best(false).ok_or(MediaError::NoVideo)?;
    let facts = demuxer.stream(video).ok_or(MediaError::NoVideo)?;
    if facts.encrypted {
        return Err(MediaError::Encrypted);
    }
    let (width, height) = facts.size;
    if !limits.allow(fernseed_core::Size::new(width, height)) {
        return Err(MediaError::TooLarge { width, height });
    }
    for index in (0..demuxer.stream_count()).filter(|&i| i != video) {
        demuxer.discard(index);
    }
    let no_memory = |e| MediaError::Damaged { detail: super::error::words(e) };
    let mut packet = Packet::new().map_err(no_memory)?;
    let mut times = Vec::new();
    loop {
        match demuxer.read(&mut packet) {
            Ok(()) if packet.stream() != video || packet.is_discarded() => {}
            Ok(()) => {
                let time = packet.pts().or_else(|| packet.dts());
                times.push(time.ok_or_else(|| MediaError::Damaged {
                    detail: format!("packet {} has no time", times.len()),
                })?);
                if times.len() > MAX_PACKETS {
                    return Err(MediaError::Limit { what: "number of frames".into() });
                }
            }
            Err(e) if e.is_eof() => break,
            Err(e) => return Err(no_memory(e)),
        }
    }
    times.sort_unstable();
    Ok(Timeline { container: demuxer.container(), times, time_base: facts.time_base })
}
