//! When a run counts as hanging, on a machine that may be busy with others.
//!
//! A wall clock cannot tell a slow run from a hanging one where ten other
//! programs want the processor. So a run hangs if it used far more processor
//! time than any input needs, or next to none while it was watched for long.

use std::path::Path;
use std::time::{Duration, Instant};

/// Processor time, of the run and everything under it, beyond which it spins;
/// no input of the suite needs a tenth of it.
const MOST: Duration = Duration::from_secs(180);
/// A run that is watched for this long …
const WINDOW: Duration = Duration::from_secs(180);
/// … and uses less than this waits for something that does not come. A
/// waiting host alone uses a hundredth of it.
const LEAST: Duration = Duration::from_millis(300);
/// Time between two looks counts at most this much: a watcher that was
/// stopped with the run, or did not get the processor, has seen nothing.
const LOOK: Duration = Duration::from_millis(100);
/// Processor time is read this often.
const READ: Duration = Duration::from_secs(5);

/// Watches one run.
#[derive(Debug)]
pub(crate) struct Patience {
    pid: u32,
    looked: Instant,
    watched: Duration,
    read_at: Duration,
    window: (Duration, Duration),
}

impl Patience {
    pub(crate) fn with(pid: u32) -> Self {
        let (zero, looked) = (Duration::ZERO, Instant::now());
        Self { pid, looked, watched: zero, read_at: zero, window: (zero, zero) }
    }

    /// Why the run counts as hanging, if it does; to be asked often.
    pub(crate) fn lost(&mut self) -> Option<String> {
        self.watched += self.looked.elapsed().min(LOOK);
        self.looked = Instant::now();
        if self.watched < self.read_at + READ {
            return None;
        }
        self.read_at = self.watched;
        let used = used(self.pid);
        if used > MOST {
            return Some(format!("{used:?} of processor time"));
        }
        let (since, before) = self.window;
        if self.watched < since + WINDOW {
            return None;
        }
        self.window = (self.watched, used);
        let little = used.saturating_sub(before);
        (little < LEAST).then(|| format!("{little:?} of processor time in {WINDOW:?}"))
    }
}

/// Processor time of a process, its ended children and all that live.
pub(crate) fn used(pid: u32) -> Duration {
    let folder = format!("/proc/{pid}");
    let stat = std::fs::read_to_string(format!("{folder}/stat")).unwrap_or_default();
    // After the name, which may hold anything: user, system, and both of
    // children that were waited for, in ticks of a hundredth of a second.
    let own: u64 = stat.rsplit_once(')').map_or(0, |(_, rest)| {
        rest.split_whitespace().skip(11).take(4).filter_map(|n| n.parse::<u64>().ok()).sum()
    });
    let tasks = std::fs::read_dir(Path::new(&folder).join("task"));
    let children: Vec<u32> = tasks
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|list| list.split_whitespace().filter_map(|n| n.parse().ok()).collect::<Vec<_>>())
        .collect();
    children.into_iter().map(used).fold(Duration::from_millis(own * 10), |a, b| a + b)
}
