//! A program under strace that is killed, or whose calls fail, at a chosen
//! moment; and what may be found afterwards.
//!
//! Only the program's main thread is traced (no `-f`): with one job that is
//! where the product's host works, and its workers run at full speed.

use crate::common::bench::{Run, program, run};
use crate::{common, make};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// Calls after which the disk, or what others know, is different.
pub(crate) const CHANGING: &str = "openat,mkdir,flock,write,pwrite64,fsync,fdatasync,ftruncate,\
                                   linkat,rename,renameat2,unlink,unlinkat,fchmod,utimensat,\
                                   sendto,sendmsg";

/// A program that brings two inputs to two outputs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Subject {
    /// The product.
    Fernseed,
    /// A broken writer of [`crate::writers`], by its name.
    Broken(&'static str),
}

/// A folder with two inputs in `in`, and the outputs that must come of them.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) subject: Subject,
    pub(crate) expected: BTreeMap<String, Vec<u8>>,
}

/// What a folder holds that it should not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// Files under a final name that are not what they must be.
    pub(crate) partial: BTreeSet<String>,
    /// Final names that are missing.
    pub(crate) missing: BTreeSet<String>,
    /// Anything else that was left.
    pub(crate) left: BTreeSet<String>,
}

/// One call at which something is done: its name and its number among the
/// calls of that name, from 1.
pub(crate) type Point = (String, usize);

impl Bench {
    /// Runs the subject once, undisturbed, and keeps what it wrote. `None`
    /// without strace.
    pub(crate) fn new(subject: Subject) -> Option<Self> {
        if !common::media::have("strace") {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut bench = Self { subject, expected: BTreeMap::new() };
        bench.lay_out(folder.path());
        let done = run(&mut bench.command(folder.path()));
        assert_eq!(done.code, 0, "{subject:?}: {}{}", done.out, done.err);
        for entry in std::fs::read_dir(folder.path().join("out")).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if !name.starts_with('.') {
                bench.expected.insert(name, std::fs::read(entry.path()).unwrap());
            }
        }
        assert_eq!(bench.expected.len(), 2, "{done:?}");
        Some(bench)
    }

    pub(crate) fn lay_out(&self, folder: &Path) {
        std::fs::create_dir_all(folder.join("in")).unwrap();
        for seed in 0..2 {
            let path = folder.join(format!("in/{seed}.png"));
            std::fs::write(path, make::png(64, seed)).unwrap();
        }
    }

    /// The subject at work in a folder.
    pub(crate) fn command(&self, folder: &Path) -> Command {
        let mut words = Vec::new();
        let program = match self.subject {
            Subject::Fernseed => {
                words.extend(["redact", "in", "-o", "out", "--resume", "--allow-empty", "-j1"]);
                program().to_owned()
            }
            Subject::Broken(name) => {
                words.extend(["broken-writer", name]);
                std::env::current_exe().unwrap()
            }
        };
        let mut command = Command::new(program);
        command.args(words).current_dir(folder);
        command
    }

    /// The subject under strace, with its calls in `log`.
    pub(crate) fn traced(&self, folder: &Path, log: &Path, inject: Option<&str>) -> Run {
        let mut command = Command::new("strace");
        command.args(["-qq", "-y", "-e", &format!("trace={CHANGING}"), "-o"]).arg(log);
        if let Some(inject) = inject {
            command.args(["-e", &format!("inject={inject}")]);
        }
        let subject = self.command(folder);
        command.arg(subject.get_program()).args(subject.get_args()).current_dir(folder);
        run(&mut command)
    }

    /// All points of an undisturbed run from the first that concerns the
    /// output folder on: what comes before only loads the program.
    pub(crate) fn points(&self) -> Option<Vec<Point>> {
        let folder = tempfile::tempdir().unwrap();
        self.lay_out(folder.path());
        let log = folder.path().join("log");
        let done = self.traced(folder.path(), &log, None);
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        if done.code != 0 || text.is_empty() {
            println!("skipped: strace cannot trace here: {}", done.err);
            return None;
        }
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        let mut points = Vec::new();
        let mut begun = false;
        for line in text.lines() {
            let Some((call, arguments)) = line.split_once('(') else { continue };
            let number = seen.entry(call).or_default();
            *number += 1;
            begun |= arguments.contains("\"out") || arguments.contains("/out\"");
            if begun {
                points.push((call.to_owned(), *number));
            }
        }
        assert!(points.len() > 8, "{} points only: {text}", points.len());
        Some(points)
    }

    /// What is wrong in a folder.
    pub(crate) fn wrong(&self, folder: &Path) -> Wrong {
        let mut wrong = Wrong::default();
        let entries = std::fs::read_dir(folder.join("out"));
        let mut found = BTreeSet::new();
        for entry in entries.into_iter().flatten() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            match self.expected.get(&name) {
                Some(bytes) if *bytes == std::fs::read(entry.path()).unwrap() => {
                    found.insert(name);
                }
                Some(_) => {
                    wrong.partial.insert(name);
                }
                None if name.starts_with(fernseed::host::ledger::LEDGER_NAME) => {}
                None => {
                    wrong.left.insert(name);
                }
            }
        }
        wrong.missing = self.expected.keys().filter(|k| !found.contains(*k)).cloned().collect();
        wrong
    }

    /// Takes the batch up again without disturbance; what is wrong then.
    pub(crate) fn resumed(&self, folder: &Path) -> Option<String> {
        let again = run(&mut self.command(folder));
        let wrong = self.wrong(folder);
        if again.code != 0 || wrong != Wrong::default() {
            return Some(format!("exit {}, {wrong:?}, {}", again.code, again.err));
        }
        let states = states(&folder.join("out"));
        (states != ["published", "published"]).then(|| format!("{states:?}"))
    }
}

/// The states in a ledger.
pub(crate) fn states(out: &Path) -> Vec<String> {
    let path = out.join(fernseed::host::ledger::LEDGER_NAME);
    let ledger = rusqlite::Connection::open(path).unwrap();
    let mut select = ledger.prepare("SELECT state FROM file ORDER BY state").unwrap();
    let rows = select.query_map([], |r| r.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// Every `step`th of a list, from a place that differs from call to call but
/// not from run to run.
pub(crate) fn sample<T: Clone>(all: &[T], wanted: usize) -> Vec<T> {
    let step = all.len().div_ceil(wanted.max(1)).max(1);
    all.iter().skip(step / 2).step_by(step).cloned().collect()
}
