//! Many files, several at a time, one bad file never stopping the rest.

use super::inputs::Input;
use super::job::{Finished, Settings, redact};
use super::publish::takes_data;
use super::resume::Keeper;
use super::workers::{Listener, Workers};
use crate::exit::Exit;
use crate::protocol::FailureKind;
use crate::report::{FailureReport, FileReport, Status};
use fernseed_core::plan::Plan;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Shows what goes on.
pub trait Display: Sync {
    /// Work on a file begins; its progress goes to the listener.
    fn begin(&self, input: &Input) -> Box<dyn Listener>;

    /// Work on a file has ended.
    fn end(&self, input: &Input, finished: &Finished);
}

/// Redacts all inputs, or renders `plan`, `jobs` at a time, and returns what
/// became of each that was begun, in order.
pub fn run(
    workers: &Workers,
    inputs: &[Input],
    plan: Option<&Plan>,
    settings: &Settings,
    jobs: usize,
    display: &dyn Display,
) -> Vec<Finished> {
    let work = |input: &Input, listener: &mut dyn Listener| {
        redact(workers, input, plan, settings, listener)
    };
    each(workers, inputs, jobs, None, display, &work)
}

/// Does `work` on all inputs, `jobs` at a time, and returns what became of
/// each that was begun, in order. Stops early when the user says so, when the
/// ledger cannot be written, and when an output folder takes no more data.
///
/// One job at a time runs in the calling thread.
pub fn each(
    workers: &Workers,
    inputs: &[Input],
    jobs: usize,
    keeper: Option<&Keeper<'_>>,
    display: &dyn Display,
    work: &(dyn Fn(&Input, &mut dyn Listener) -> Finished + Sync),
) -> Vec<Finished> {
    let next = AtomicUsize::new(0);
    let halt = AtomicBool::new(false);
    let results: Vec<Mutex<Option<Finished>>> = inputs.iter().map(|_| Mutex::new(None)).collect();
    let go = || {
        while !workers.interrupted() && !halt.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(input) = inputs.get(index) else { return };
            let mut listener = display.begin(input);
            let (mut finished, disk_fails) = match keeper {
                None => {
                    let finished = work(input, &mut *listener);
                    let fails = disk_fails(&finished, input);
                    (finished, fails)
                }
                Some(keeper) => kept(keeper, index, input, &mut *listener, work),
            };
            drop(listener);
            display.end(input, &finished);
            if disk_fails {
                halt.store(true, Ordering::Relaxed);
            }
            if inputs.len() > 1 {
                // Plans are large, and only a lone file's is asked for.
                finished.plan = None;
            }
            if let Some(Ok(mut slot)) = results.get(index).map(Mutex::lock) {
                *slot = Some(finished);
            }
        }
    };
    match jobs.clamp(1, inputs.len().max(1)) {
        1 => go(),
        jobs => std::thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(go);
            }
        }),
    }
    results.into_iter().filter_map(|slot| slot.into_inner().ok().flatten()).collect()
}

/// One file with the ledger's knowledge, and whether there is no point in
/// going on.
fn kept(
    keeper: &Keeper<'_>,
    index: usize,
    input: &Input,
    listener: &mut dyn Listener,
    work: &(dyn Fn(&Input, &mut dyn Listener) -> Finished + Sync),
) -> (Finished, bool) {
    if let Err(error) = keeper.begin(index) {
        return (Finished::failed(FailureKind::Io, error.to_string()), true);
    }
    let finished = work(input, &mut keeper.listener(index, listener));
    let fails = disk_fails(&finished, input);
    match keeper.end(index, &finished) {
        Ok(()) => (finished, fails),
        Err(error) => {
            // The output is whole and has its name; the next run finds that out.
            let failure = FailureReport { kind: FailureKind::Io, message: error.to_string() };
            let report =
                FileReport { status: Status::Failed, failure: Some(failure), ..finished.report };
            (Finished { report, ..finished }, true)
        }
    }
}

/// True if a file failed because the disk did: then every other would fail
/// as well, after all the work.
fn disk_fails(finished: &Finished, input: &Input) -> bool {
    let io = finished.report.failure.as_ref().is_some_and(|f| f.kind == FailureKind::Io);
    io && takes_data(&input.target.folder).is_err()
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
