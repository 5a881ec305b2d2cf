//! What a container says about its video, before anything is decoded.

use super::{AudioInfo, VideoInfo};
use crate::ffi::{Demuxer, StreamFacts, StreamKind};
use fernseed_core::{Orientation, Size};

/// The facts that the container tells.
pub(super) fn first_info(
    demuxer: &Demuxer,
    facts: &StreamFacts,
    video: usize,
    sound: Option<usize>,
    orientation: Orientation,
    audio: Option<AudioInfo>,
) -> VideoInfo {
    let duration_seconds = facts
        .duration
        .map(|d| facts.time_base.seconds(d))
        .or_else(|| demuxer.duration_micros().map(|d| d as f64 / 1e6));
    let estimate = duration_seconds
        .zip(facts.average_rate)
        .map(|(s, (n, d))| (s * f64::from(n) / f64::from(d)).round().max(0.0) as u64);
    VideoInfo {
        size: Size::new(1, 1),
        orientation,
        sample_aspect: (1, 1),
        time_base: facts.time_base,
        average_rate: facts.average_rate,
        duration_seconds,
        frame_count_hint: if facts.frames > 0 { Some(facts.frames) } else { estimate },
        container: demuxer.container(),
        codec: facts.codec.clone(),
        colour: super::Colour::BT709,
        hdr: None,
        audio,
        dropped_streams: dropped(demuxer, video, sound),
    }
}

/// What is left behind, in plain words.
fn dropped(demuxer: &Demuxer, video: usize, sound: Option<usize>) -> Vec<String> {
    let mut list = Vec::new();
    for index in (0..demuxer.stream_count()).filter(|&i| i != video && Some(i) != sound) {
        let Some(facts) = demuxer.stream(index) else { continue };
        let name = if facts.codec == "none" || facts.codec.is_empty() || facts.codec == "bin_data" {
            facts.tag.clone()
        } else {
            facts.codec.clone()
        };
        let what = match facts.kind {
            StreamKind::Video => "another picture track",
            StreamKind::Audio => "sound",
            StreamKind::Subtitle => "subtitles",
            StreamKind::Data if facts.tag == "tmcd" => "timecode",
            StreamKind::Data => "timed metadata",
            StreamKind::Attachment => "attached file",
            StreamKind::Picture => "cover picture",
            StreamKind::Unknown => "unknown stream",
        };
        list.push(if name.is_empty() { what.into() } else { format!("{what} ({name})") });
    }
    if demuxer.chapter_count() > 0 {
        list.push(format!("{} chapters", demuxer.chapter_count()));
    }
    list
}
