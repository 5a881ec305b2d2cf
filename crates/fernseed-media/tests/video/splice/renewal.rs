//! Repairing a finished file: only groups that change are coded again.

use super::super::support::{Bench, assert_clean, assert_times, stream, times};
use super::{CLOSED, frame_hashes};
use fernseed_core::Rect;
use fernseed_core::policy::Policy;
use fernseed_core::render::{Mask, Renderer};
use fernseed_core::sound::{KeepVoices, SoundStage};
use fernseed_media::video::splice::{Renewal, SpliceError};
use fernseed_media::video::{
    Container, MediaError, OpenOptions, SinkOptions, Unit, VideoReader, VideoWriter,
};
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

pub(super) const SOURCE: &str = "-f lavfi -i testsrc2=s=160x128:r=25:d=13 -f lavfi -i sine=d=13 \
                      -c:v libx264 -preset ultrafast -bf 2 -c:a aac";

/// Writes `input` with a mask in all `hidden` frames; with what has not
/// `changed` carried over, if there is an earlier output. Gives the output
/// and how many groups of how many were carried.
pub(super) fn write(
    bench: &Bench,
    input: &Path,
    name: &str,
    hidden: &[Range<u64>],
    earlier: Option<(&Path, Range<usize>)>,
) -> Result<(PathBuf, (usize, usize)), SpliceError> {
    let open = OpenOptions { want_audio: true, ..OpenOptions::default() };
    let mut reader = VideoReader::open(File::open(input).unwrap(), &open)?;
    let info = reader.info().clone();
    let output = bench.path(name);
    let out = File::options().read(true).write(true).create(true).truncate(true).open(&output);
    let options = SinkOptions::new(Container::Mp4, &info);
    let mut renewal = match earlier {
        None => None,
        Some((path, changed)) => {
            let mut has_changed = |frame: usize| changed.contains(&frame);
            Some(Renewal::open(File::open(path).unwrap(), info.time_base, &mut has_changed)?)
        }
    };
    let mut writer = match &renewal {
        None => VideoWriter::create(out.unwrap(), options)?,
        Some(r) => VideoWriter::create_spliced(out.unwrap(), options, r.splice())?,
    };
    let mut renderer = Renderer::new(&Policy::default());
    let mut number = 0;
    while let Some(unit) = reader.next()? {
        let frame = match unit {
            Unit::Frame(frame) => frame,
            Unit::Sound(block) => {
                writer.write_sound(&KeepVoices.process(block))?;
                continue;
            }
            other => panic!("{other:?}"),
        };
        let index = number as usize;
        if let Some(renewal) = renewal.as_mut().filter(|r| r.splice().is_carried(index)) {
            if renewal.begins_carried(index) {
                while let Some(picture) = renewal.next_carried(index)? {
                    writer.write_carried(&picture)?;
                }
            }
        } else {
            let mask = Mask { track: 1, rect: Rect::new(20.0, 20.0, 90.0, 80.0) };
            let masks = if hidden.iter().any(|r| r.contains(&number)) { &[mask][..] } else { &[] };
            let redacted = renderer.render(frame.picture, masks);
            writer.write_frame(redacted, frame.pts, frame.duration)?;
        }
        number += 1;
    }
    assert_eq!(writer.finish()?.frames, number);
    let groups = renewal.map_or((0, 0), |r| r.splice().groups());
    Ok((output, groups))
}

#[test]
fn a_repair_codes_changed_groups_again_and_no_others() {
    let Some(bench) = Bench::new() else { return };
    let input = bench.make("in.mp4", SOURCE);
    let (before, _) = write(&bench, &input, "before.mp4", &[10..20], None).unwrap();
    // Groups of 100 frames: 130 to 140 lie in the second of four.
    let hidden = [10..20, 130..140];
    let (whole, _) = write(&bench, &input, "whole.mp4", &hidden, None).unwrap();
    let before = before.as_path();
    let earlier = || Some((before, 130..140));
    let (after, groups) = write(&bench, &input, "after.mp4", &hidden, earlier()).unwrap();
    assert_eq!(groups, (3, 4));
    assert_clean(&after);
    assert_times(&times(&whole), &times(&after), 1e-9);
    let (old, new) = (frame_hashes(before), frame_hashes(&after));
    assert_eq!(old.len(), 325);
    assert_eq!(new.len(), 325);
    for (index, (old, new)) in old.iter().zip(&new).enumerate() {
        assert_eq!(old.0, new.0, "time of frame {index}");
        if !(100..200).contains(&index) {
            assert_eq!(old.1, new.1, "carried frame {index}");
        } else if (130..140).contains(&index) {
            assert_ne!(old.1, new.1, "changed frame {index}");
        }
    }
    // One encoder, one set of parameters: nothing says that it was repaired.
    let header = |path: &Path| stream(path, "extradata_size");
    assert_eq!(header(&after), header(&whole));
    let bytes = std::fs::read(&after).unwrap();
    write(&bench, &input, "after.mp4", &hidden, earlier()).unwrap();
    assert!(bytes == std::fs::read(&after).unwrap(), "equal calls give equal bytes");
}

#[test]
fn first_and_last_groups_can_be_repaired() {
    let Some(bench) = Bench::new() else { return };
    let input = bench.make("in.mp4", SOURCE);
    let (before, _) = write(&bench, &input, "before.mp4", &[], None).unwrap();
    for (changed, at) in [(0..1, 0..100), (324..325, 300..325)] {
        let earlier = Some((before.as_path(), changed.clone()));
        let hidden = [changed.start as u64..changed.end as u64];
        let (after, groups) = write(&bench, &input, "after.mp4", &hidden, earlier).unwrap();
        assert_eq!(groups, (3, 4));
        assert_clean(&after);
        for (index, (old, new)) in
            frame_hashes(&before).iter().zip(frame_hashes(&after)).enumerate()
        {
            assert_eq!(old.0, new.0, "time of frame {index}");
            assert!(at.contains(&index) || old.1 == new.1, "carried frame {index}");
        }
    }
}

#[test]
fn where_nothing_can_be_carried_it_says_so() {
    let Some(bench) = Bench::new() else { return };
    let input = bench.make("in.mp4", SOURCE);
    let (before, _) = write(&bench, &input, "before.mp4", &[], None).unwrap();
    let earlier = Some((before.as_path(), 0..325));
    let all = write(&bench, &input, "after.mp4", &[], earlier);
    assert!(matches!(all, Err(SpliceError::Fallback(_))), "{all:?}");
    // A file that another encoder has made is none of ours.
    let foreign =
        bench.make("foreign.mp4", &format!("{} {CLOSED}", SOURCE.replace("ultrafast", "medium")));
    let earlier = Some((foreign.as_path(), 0..1));
    let refused = write(&bench, &input, "after.mp4", &[], earlier);
    assert!(
        matches!(
            refused,
            Err(SpliceError::Media(MediaError::Encoder { .. }) | SpliceError::Fallback(_))
        ),
        "{refused:?}"
    );
}
