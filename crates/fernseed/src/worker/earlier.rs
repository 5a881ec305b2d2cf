//! The output before a repair: what its writer carries over and its auditor
//! need not look at again.

use fernseed_core::plan::FrameSpan;
use std::fs::File;

/// The output before a repair.
pub(super) struct Earlier {
    /// The file.
    pub(super) file: File,
    /// Frames that show something else now.
    pub(super) changed: Vec<FrameSpan>,
}

/// Whether a frame, by its number, is in one of the runs.
pub(super) fn changes(spans: &[FrameSpan]) -> impl FnMut(usize) -> bool {
    |frame| spans.iter().any(|span| span.contains(frame as u64))
}
