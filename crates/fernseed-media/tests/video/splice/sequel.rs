//! Reading a repaired file beside the one before: only what is not in both is
//! decoded.

use super::super::support::Bench;
use super::frame_hashes;
use super::renewal::{SOURCE, write};
use fernseed_media::video::OpenOptions;
use fernseed_media::video::splice::{Fallback, Sequel, SequelUnit, SpliceError};
use std::fs::File;
use std::ops::Range;
use std::path::Path;

/// Numbers of the new frames, and how many are known.
fn read(
    finished: &Path,
    before: &Path,
    changed: Range<usize>,
) -> Result<(Vec<u64>, usize), SpliceError> {
    let file = |path: &Path| File::open(path).unwrap();
    let mut has_changed = |frame: usize| changed.contains(&frame);
    let options = OpenOptions { threads: 2, ..OpenOptions::default() };
    let mut sequel = Sequel::open(file(finished), file(before), &mut has_changed, &options)?;
    let (mut new, mut known) = (Vec::new(), 0);
    while let Some(unit) = sequel.next()? {
        match unit {
            SequelUnit::Known => known += 1,
            SequelUnit::New(number, frame) => {
                assert_eq!(sequel.times()[number as usize], frame.pts);
                assert_eq!(frame.picture.size(), sequel.size());
                new.push(number);
                sequel.recycle(frame.picture);
            }
        }
    }
    assert_eq!(sequel.known(), (known, sequel.times().len()));
    Ok((new, known))
}

#[test]
fn only_groups_that_were_coded_again_are_decoded() {
    let Some(bench) = Bench::new() else { return };
    let input = bench.make("in.mp4", SOURCE);
    let (before, _) = write(&bench, &input, "before.mp4", &[10..20], None).unwrap();
    // Groups of 100 frames: these lie in the second of four.
    let changed = 130..140;
    let hidden = [10..20, 130..140];
    let earlier = Some((before.as_path(), changed.clone()));
    let (after, _) = write(&bench, &input, "after.mp4", &hidden, earlier).unwrap();
    let (new, known) = read(&after, &before, changed.clone()).unwrap();
    assert_eq!(new, (100..200).collect::<Vec<u64>>());
    assert_eq!(known, 225);
    // The whole coded anew: what is not decoded shows what it did before.
    let (whole, _) = write(&bench, &input, "whole.mp4", &hidden, None).unwrap();
    let (old, now) = (frame_hashes(&before), frame_hashes(&whole));
    match read(&whole, &before, changed) {
        Ok((new, _)) => {
            let known = (0..325).filter(|n| !new.contains(n));
            known.for_each(|n| assert_eq!(old[n as usize].1, now[n as usize].1, "frame {n}"));
        }
        Err(error) => {
            assert!(matches!(error, SpliceError::Fallback(Fallback::Damaged)), "{error}");
        }
    }
}

#[test]
fn what_differs_where_nothing_changed_is_no_help() {
    let Some(bench) = Bench::new() else { return };
    let input = bench.make("in.mp4", SOURCE);
    let (before, _) = write(&bench, &input, "before.mp4", &[10..20], None).unwrap();
    // Of frame 5, which is said to be the same, something else is hidden.
    let (other, _) = write(&bench, &input, "other.mp4", &[5..20, 130..140], None).unwrap();
    let refused = read(&other, &before, 130..140);
    assert!(matches!(refused, Err(SpliceError::Fallback(Fallback::Damaged))), "{refused:?}");
    // One bit of the first picture, behind the header of its slice.
    let mut bytes = std::fs::read(&before).unwrap();
    let picture = bytes.windows(3).position(|w| w == [0x65, 0x88, 0x84]).unwrap();
    bytes[picture + 100] ^= 1;
    let flipped = bench.path("flipped.mp4");
    std::fs::write(&flipped, bytes).unwrap();
    let refused = read(&flipped, &before, 130..140);
    assert!(matches!(refused, Err(SpliceError::Fallback(_))), "{refused:?}");
}

#[test]
fn where_everything_changed_nothing_is_known() {
    let Some(bench) = Bench::new() else { return };
    let input = bench.make("in.mp4", SOURCE);
    let (before, _) = write(&bench, &input, "before.mp4", &[], None).unwrap();
    let refused = read(&before, &before, 0..325);
    assert!(matches!(refused, Err(SpliceError::Fallback(Fallback::NothingToCarry))), "{refused:?}");
    let (new, known) = read(&before, &before, 400..401).unwrap();
    assert_eq!((new.len(), known), (0, 325));
}
