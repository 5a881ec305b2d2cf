//! The second pass of a repair: of an output that the audit refused, only the
//! groups of pictures that change are coded again.

use crate::protocol::{Failure, FailureKind};
use fernseed_core::plan::FrameSpan;
use fernseed_core::time::TimeBase;
use fernseed_media::video::splice::Renewal;
use std::fs::File;

/// The output before a repair.
pub(in crate::worker) struct Earlier {
    /// The file.
    pub(in crate::worker) file: File,
    /// The same again, with a position of its own.
    pub(in crate::worker) survey: File,
    /// Frames that show something else now.
    pub(in crate::worker) changed: Vec<FrameSpan>,
}

/// Opens the earlier output of a source with the time base `source`; `None`
/// if nothing of it can be carried over, so that everything is coded again.
pub(super) fn open_renewal(earlier: Earlier, source: TimeBase) -> Option<Renewal> {
    let Earlier { file, survey, changed } = earlier;
    let mut has_changed = |frame: usize| {
        let frame = frame as u64;
        changed.iter().any(|span| (span.first..=span.last).contains(&frame))
    };
    Renewal::open(survey, file, source, &mut has_changed).ok()
}

/// Makes the host start over without carrying anything over.
pub(super) fn start_over(why: &str) -> Failure {
    Failure::new(FailureKind::StartOver, format!("carrying over was given up: {why}"))
}
