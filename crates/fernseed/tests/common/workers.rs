//! Workers, asked directly: without the repairs that a run of the program makes.

use fernseed::host::job::{AUDIT_THRESHOLD, limits};
use fernseed::host::workers::{Silent, Workers};
use fernseed::protocol::{OutputOptions, Role, Task};
use fernseed_core::finding::FindingCode;
use fernseed_core::plan::{FrameSpan, KeptSpan, Plan};
use std::collections::BTreeSet;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;

/// A whole file, as suits its format, with two threads.
pub(crate) fn whole_file() -> OutputOptions {
    OutputOptions {
        format: None,
        quality: None,
        span: KeptSpan::default(),
        threads: 2,
        every_frame: false,
        one_decoder: false,
        keep_untouched: false,
    }
}

/// Frames in which `finished` is found not to show what the plan says, by an
/// audit that is told that `earlier` was audited, and that only frames up to
/// the tenth have changed since.
pub(crate) fn undestroyed(
    workers: &Workers,
    plan: &Plan,
    finished: &Path,
    earlier: Option<&Path>,
) -> BTreeSet<u64> {
    let open = |path: &Path| File::open(path).unwrap();
    let files: Vec<File> = std::iter::once(finished).chain(earlier).map(open).collect();
    let handles: Vec<_> = files.iter().map(AsFd::as_fd).collect();
    let task = Task::Audit {
        plan: Some(plan.clone()),
        with_original: false,
        threshold: plan.policy.threshold * AUDIT_THRESHOLD,
        threads: 2,
        mended: earlier.map(|_| vec![FrameSpan { first: 0, last: 10 }]),
    };
    let said = workers.run(Role::Audit, &handles, task, limits(), &mut Silent).unwrap();
    let bad = said.findings.iter().filter(|f| f.code == FindingCode::RegionNotDestroyed);
    bad.filter_map(|f| f.place.first_frame).collect()
}
