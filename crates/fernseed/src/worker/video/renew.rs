//! The second pass of a repair: of an output that the audit refused, only the
//! groups of pictures that change are coded again.

use super::failure;
use crate::protocol::{Failure, FailureKind};
use crate::worker::earlier::{Earlier, changes};
use fernseed_core::time::TimeBase;
use fernseed_media::video::splice::{Renewal, SpliceError};

/// Opens the earlier output of a source with the time base `source`; `None`
/// if nothing of it can be carried over, so that everything is coded again.
pub(super) fn open_renewal(earlier: Earlier, source: TimeBase) -> Option<Renewal> {
    Renewal::open(earlier.file, source, &mut changes(&earlier.changed)).ok()
}

/// Makes the host start over without carrying anything over.
pub(super) fn start_over(why: &str) -> Failure {
    Failure::new(FailureKind::StartOver, format!("carrying over was given up: {why}"))
}

/// The failure that an error on the way stands for: what was written until then
/// is given up.
pub(super) fn refuse(error: SpliceError) -> Failure {
    match error {
        SpliceError::Media(error) => failure(error),
        other => start_over(&other.to_string()),
    }
}
