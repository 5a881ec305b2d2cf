//! Many files, several at a time, one bad file never stopping the rest.

use super::inputs::Input;
use super::job::{Finished, Settings, redact};
use super::workers::{Listener, Workers};
use crate::exit::Exit;
use crate::protocol::FailureKind;
use crate::report::{FileReport, Status};
use fernseed_core::plan::Plan;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Shows what goes on.
pub trait Display: Sync {
    /// Work on a file begins; its progress goes to the listener.
    fn begin(&self, input: &Input) -> Box<dyn Listener>;

    /// Work on a file has ended.
    fn end(&self, input: &Input, finished: &Finished);
}

/// Works on all inputs, `jobs` at a time, and returns what became of each,
/// in order.
pub fn run(
    workers: &Workers,
    inputs: &[Input],
    plan: Option<&Plan>,
    settings: &Settings,
    jobs: usize,
    display: &dyn Display,
) -> Vec<Finished> {
    let next = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<Finished>>> = inputs.iter().map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, inputs.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(input) = inputs.get(index) else { return };
                    if workers.interrupted() {
                        return;
                    }
                    let mut listener = display.begin(input);
                    let finished = redact(workers, input, plan, settings, &mut *listener);
                    drop(listener);
                    display.end(input, &finished);
                    if let Some(Ok(mut slot)) = results.get(index).map(Mutex::lock) {
                        *slot = Some(finished);
                    }
                }
            });
        }
    });
    results.into_iter().filter_map(|slot| slot.into_inner().ok().flatten()).collect()
}

/// The exit code that one file's report asks for.
#[must_use]
pub fn exit_of(report: &FileReport, allow_empty: bool) -> Exit {
    match report.status {
        Status::Published | Status::Skipped => Exit::Clean,
        Status::Planned => match report.verdict {
            fernseed_core::finding::Verdict::Clean => Exit::Clean,
            _ => Exit::Look,
        },
        Status::NothingFound if allow_empty => Exit::Clean,
        Status::NothingFound | Status::Held => Exit::Look,
        Status::Withheld => Exit::Withheld,
        Status::Interrupted => Exit::Interrupted,
        Status::Failed => match report.failure.as_ref().map(|f| f.kind) {
            Some(FailureKind::Io) => Exit::Io,
            _ => Exit::Input,
        },
    }
}
