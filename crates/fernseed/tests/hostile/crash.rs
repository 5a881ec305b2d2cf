//! Killed at every call that changes something, and every such call failing
//! once with every error that fits.

use crate::harness::{Bench, Point, Subject, sample};
use crate::{Case, whole};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;

pub(crate) const CASES: &[Case] = &[
    ("killed_at_any_call_a_batch_is_whole_after_resume", killed),
    ("any_call_may_fail_once", failed),
    ("the_harness_catches_broken_writers", catches_broken_writers),
    ("outputs_are_on_the_disk_before_they_have_names", synced_before_named),
];

/// Points tried by default.
const KILLS: usize = 14;
const FAULTS: usize = 20;

/// What was found over many runs.
#[derive(Debug, Default)]
struct Tally {
    runs: usize,
    partial: usize,
    left: usize,
    incomplete_success: usize,
    resumed: usize,
    /// The first few bad points, for people.
    bad: String,
}

/// Runs the subject once for each injection, two at a time.
fn tally(bench: &Bench, injections: &[String]) -> Tally {
    let out = Mutex::new(Tally::default());
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(inject) =
                    injections.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
                {
                    one(bench, inject, &out);
                }
            });
        }
    });
    out.into_inner().unwrap()
}

fn one(bench: &Bench, inject: &str, out: &Mutex<Tally>) {
    let folder = tempfile::tempdir().unwrap();
    bench.lay_out(folder.path());
    let log = folder.path().join("log");
    let done = bench.traced(folder.path(), &log, Some(inject));
    let wrong = bench.wrong(folder.path());
    let again = match bench.subject {
        Subject::Fernseed => bench.resumed(folder.path()),
        Subject::Broken(_) => None,
    };
    let mut tally = out.lock().unwrap();
    tally.runs += 1;
    tally.partial += usize::from(!wrong.partial.is_empty());
    tally.left += usize::from(!wrong.left.is_empty());
    let incomplete = done.code == 0 && !wrong.missing.is_empty();
    tally.incomplete_success += usize::from(incomplete);
    tally.resumed += usize::from(again.is_none());
    if (incomplete || !wrong.partial.is_empty() || !wrong.left.is_empty() || again.is_some())
        && tally.bad.len() < 3000
    {
        let code = done.code;
        writeln!(tally.bad, "{inject}: exit {code}, {wrong:?}, resumed: {again:?}").unwrap();
    }
}

fn kills(points: &[Point]) -> Vec<String> {
    points.iter().map(|(call, n)| format!("{call}:signal=KILL:when={n}")).collect()
}

/// The errors that fit a call.
fn errors(call: &str) -> &'static [&'static str] {
    match call {
        "openat" => &["EACCES", "EMFILE", "ENOSPC", "EIO", "EDQUOT", "EINTR"],
        "write" | "pwrite64" => &["ENOSPC", "EIO", "EDQUOT", "EINTR"],
        "fsync" | "fdatasync" => &["EIO", "ENOSPC", "EDQUOT"],
        "linkat" => &["ENOSPC", "EIO", "EDQUOT", "EACCES", "EXDEV"],
        "mkdir" | "unlink" | "unlinkat" | "ftruncate" => &["EACCES", "EIO", "ENOSPC"],
        "flock" => &["EINTR", "ENOLCK"],
        "fchmod" | "utimensat" => &["EIO", "EPERM"],
        "sendto" | "sendmsg" => &["EPIPE", "ENOBUFS", "EINTR"],
        _ => &["EIO"],
    }
}

fn faults(points: &[Point]) -> Vec<String> {
    points
        .iter()
        .flat_map(|(call, n)| {
            errors(call).iter().map(move |e| format!("{call}:error={e}:when={n}"))
        })
        .collect()
}

fn killed() {
    let Some(bench) = Bench::new(Subject::Fernseed) else { return };
    let Some(points) = bench.points() else { return };
    let all = kills(&points);
    let chosen = if whole() { all.clone() } else { sample(&all, KILLS) };
    let found = tally(&bench, &chosen);
    println!("{} of {} kill points: {found:?}", chosen.len(), all.len());
    assert!(found.runs > 10 && all.len() > 40, "{}", all.len());
    assert_eq!((found.partial, found.left, found.incomplete_success), (0, 0, 0), "{}", found.bad);
    assert_eq!(found.resumed, found.runs, "{}", found.bad);
}

fn failed() {
    let Some(bench) = Bench::new(Subject::Fernseed) else { return };
    let Some(points) = bench.points() else { return };
    let all = faults(&points);
    let chosen = if whole() { all.clone() } else { sample(&all, FAULTS) };
    let found = tally(&bench, &chosen);
    println!("{} of {} faults: {found:?}", chosen.len(), all.len());
    assert_eq!((found.partial, found.left, found.incomplete_success), (0, 0, 0), "{}", found.bad);
    assert_eq!(found.resumed, found.runs, "{}", found.bad);
}

fn catches_broken_writers() {
    if let Some(bench) = Bench::new(Subject::Broken("naive")) {
        let Some(points) = bench.points() else { return };
        let found = tally(&bench, &kills(&points));
        println!("naive writer: {} of {} kills left partial files", found.partial, found.runs);
        assert!(found.partial >= 4, "the naive writer was not caught: {found:?}");
    }
    if let Some(bench) = Bench::new(Subject::Broken("careless")) {
        let Some(points) = bench.points() else { return };
        let found = tally(&bench, &faults(&points));
        println!("careless writer: {} of {} lies", found.incomplete_success, found.runs);
        assert!(found.incomplete_success >= 4, "the careless writer was not caught: {found:?}");
    }
    if let Some(bench) = Bench::new(Subject::Broken("unsynced")) {
        let found = unsynced_names(&bench);
        assert_eq!(found.len(), 2, "rename without fsync was not caught: {found:?}");
    }
}

fn synced_before_named() {
    let Some(bench) = Bench::new(Subject::Fernseed) else { return };
    let found = unsynced_names(&bench);
    assert!(found.is_empty(), "{found:?}");
}

/// Final names that were given, in an undisturbed run, to a file that was not
/// on the disk at that moment, or in a folder that was not synchronised
/// afterwards.
fn unsynced_names(bench: &Bench) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    bench.lay_out(folder.path());
    let log = folder.path().join("log");
    let done = bench.traced(folder.path(), &log, None);
    assert_eq!(done.code, 0, "{}", done.err);
    let text = std::fs::read_to_string(log).unwrap();
    let names: Vec<_> = bench.expected.keys().map(String::as_str).collect();
    let found = check_order(&text, &names);
    let named = text.lines().filter(|l| l.starts_with("linkat") || l.starts_with("rename")).count();
    assert!(named >= 2, "no name was given: {text}");
    found
}

/// Reads `call(arguments) = result` lines; descriptors look like `5</path>`.
fn check_order(log: &str, names: &[&str]) -> Vec<String> {
    let lines: Vec<_> = log.lines().filter(|l| l.contains(" = ") && !l.contains("= -1")).collect();
    let mut bad = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let gives_name = line.starts_with("linkat(") || line.starts_with("rename");
        let Some(name) = names.iter().find(|n| gives_name && line.contains(&format!("{n}\"")))
        else {
            continue;
        };
        // What is renamed is known by its path, what is linked by its number.
        let source = line.split('"').nth(1).unwrap_or_default();
        let is_source = |l: &str| match source.strip_prefix("/proc/self/fd/") {
            Some(number) => l.contains(&format!("({number}<")),
            None => Path::new(source)
                .file_name()
                .is_some_and(|n| l.contains(&format!("/{}>", n.to_string_lossy()))),
        };
        let last =
            |call: &str| lines[..at].iter().rposition(|l| l.starts_with(call) && is_source(l));
        let synced = last("fsync(").max(last("fdatasync("));
        let written = last("write(").max(last("pwrite64("));
        let folder_synced =
            lines[at..].iter().any(|l| l.starts_with("fsync(") && l.contains("/out>"));
        if synced.is_none() || written > synced || !folder_synced {
            bad.push((*name).to_owned());
        }
    }
    bad
}
