//! Opening a container, and whether its headers tell what libavformat would
//! decode pictures for.

use super::avc;
use crate::ffi::{AvError, Demuxer, StreamFacts, StreamKind};
use std::fs::File;
use std::sync::Arc;

/// Opens a container without decoding a picture where that is not needed to
/// know its streams.
pub(super) fn open(file: Arc<File>) -> Result<Demuxer, AvError> {
    Demuxer::open(file, headers_tell_all)
}

/// True for streams of MP4 of whose headers nothing is left to be learned:
/// the size is in the sample description, and how far pictures are reordered,
/// which the decoder of H.264 would guess, in every parameter set.
fn headers_tell_all(container: &str, facts: &StreamFacts) -> bool {
    let (width, height) = facts.size;
    if facts.kind != StreamKind::Video
        || facts.encrypted
        || width.min(height) == 0
        || !container.split(',').any(|name| name == "mov")
    {
        return false;
    }
    match facts.codec.as_str() {
        "h264" => avc::Config::read(&facts.header).is_some_and(|config| {
            let told = |set: &Vec<u8>| avc::Sps::read(set).is_some_and(|s| s.reordered.is_some());
            !config.sps.is_empty() && config.sps.iter().all(told)
        }),
        "hevc" => !facts.header.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// What is known of the streams of a clip that ffmpeg makes, and whether a
    /// picture was decoded for it.
    fn known(arguments: &str, name: &str) -> Option<(Vec<StreamFacts>, bool)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let made = Command::new("ffmpeg")
            .args("-v error -f lavfi -i testsrc2=s=320x180:r=30000/1001:d=1".split(' '))
            .args("-f lavfi -i sine=d=1 -shortest".split(' '))
            .args(arguments.split(' '))
            .arg(&path)
            .status();
        if !made.is_ok_and(|status| status.success()) {
            println!("skipped: ffmpeg is not installed, or cannot make {name}");
            return None;
        }
        let file = || Arc::new(File::open(&path).unwrap());
        let facts = |demuxer: &Demuxer| -> Vec<StreamFacts> {
            (0..demuxer.stream_count()).filter_map(|i| demuxer.stream(i)).collect()
        };
        let asked = Demuxer::open(file(), |_, _| false).unwrap();
        let told = open(file()).unwrap();
        let list = facts(&asked);
        assert_eq!(facts(&told), list, "{name}");
        assert_eq!(told.best(false), asked.best(false), "{name}");
        assert_eq!(told.best(true), asked.best(true), "{name}");
        assert_eq!(told.duration_micros(), asked.duration_micros(), "{name}");
        let all = list.iter().filter(|f| f.kind == StreamKind::Video);
        let spared = all.clone().count() > 0
            && all.into_iter().all(|f| headers_tell_all(&told.container(), f));
        Some((list, spared))
    }

    #[test]
    fn headers_tell_what_a_decoder_would() {
        let before = crate::ffi::error_count();
        for (arguments, name, expected) in [
            ("-c:v libx264 -bf 3 -c:a aac", "reordered.mp4", true),
            ("-c:v libx264 -profile:v baseline -c:a aac -f mov", "baseline.mov", true),
            ("-vf crop=318:178 -c:v libx264 -metadata:s:v rotate=90", "odd.mp4", true),
            ("-c:v libx265 -x265-params log-level=none -c:a ac3 -tag:v hvc1", "hevc.mp4", true),
            ("-c:v libx264 -c:a libopus", "other.mkv", false),
            ("-c:v mpeg4 -c:a mp3", "old.mp4", false),
        ] {
            let Some((facts, spared)) = known(arguments, name) else { continue };
            assert_eq!(spared, expected, "{name}");
            assert_eq!(facts.len(), 2, "{name}");
        }
        assert_eq!(crate::ffi::error_count(), before, "nothing is wrong with these");
    }
}
