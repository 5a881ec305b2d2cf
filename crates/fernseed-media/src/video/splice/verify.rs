//! The check of a splice: both files decoded, side by side.

use super::super::{MediaError, OpenOptions, Unit, VideoFrame, VideoReader};
use super::Splice;
use std::fs::File;

/// What [`verify`] has found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Frames compared.
    pub frames: u64,
    /// Frames that were carried over and equal the source's bit for bit.
    pub equal: u64,
    /// Frames that were carried over and differ.
    pub different: u64,
    /// Frames at another time than in the source, frames that one of the
    /// files does not have, and damaged ones.
    pub misplaced: u64,
}

impl Verified {
    /// True if every frame is where it was and every carried one equal.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.different == 0 && self.misplaced == 0 && self.frames > 0
    }
}

/// The next picture of a reader.
fn picture(reader: &mut VideoReader) -> Result<Option<VideoFrame>, MediaError> {
    while let Some(unit) = reader.next()? {
        if let Unit::Frame(frame) = unit {
            return Ok(Some(frame));
        }
    }
    Ok(None)
}

/// Decodes source and result completely and compares them frame by frame:
/// times of all, every sample of those that were carried over.
///
/// # Errors
/// [`MediaError`] if one of the files cannot be read.
pub fn verify(
    source: File,
    result: File,
    splice: &Splice,
    options: &OpenOptions,
) -> Result<Verified, MediaError> {
    let options =
        OpenOptions { analysis: false, references_only: false, want_audio: false, ..*options };
    let mut left = VideoReader::open(source, &options)?;
    let mut right = VideoReader::open(result, &options)?;
    let mut found = Verified::default();
    let seconds = |r: &VideoReader, pts: i64| {
        let base = r.info().time_base;
        (i128::from(pts) * i128::from(base.num), i128::from(base.den))
    };
    loop {
        match (picture(&mut left)?, picture(&mut right)?) {
            (None, None) => break,
            (Some(a), Some(b)) => {
                let (at, bt) = (seconds(&left, a.pts), seconds(&right, b.pts));
                let number = usize::try_from(found.frames).unwrap_or(usize::MAX);
                let promised = splice.times.get(number) == Some(&a.pts);
                let in_place = promised && at.0.checked_mul(bt.1) == bt.0.checked_mul(at.1);
                found.misplaced += u64::from(!in_place || b.damaged);
                if splice.is_carried(number) {
                    let same = a.picture == b.picture;
                    found.equal += u64::from(same);
                    found.different += u64::from(!same);
                }
                left.recycle(a.picture);
                right.recycle(b.picture);
            }
            _ => found.misplaced += 1,
        }
        found.frames += 1;
    }
    let missing = (splice.times.len() as u64).abs_diff(found.frames);
    found.misplaced += missing;
    Ok(found)
}
