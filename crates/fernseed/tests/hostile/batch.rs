//! Batches: interrupted, killed, out of space, twice at the same time.

use crate::common::Bench;
use crate::common::bench::run;
use crate::harness::states;
use crate::make::png;
use crate::{Case, whole};
use fernseed::host::lock::FolderLock;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) const CASES: &[Case] = &[
    ("a_second_run_in_the_folder_is_told_so", second_run),
    ("an_interrupt_leaves_nothing_and_says_so", interrupted),
    ("what_killed_runs_left_is_removed", left_overs),
    ("a_full_disk_stops_the_batch_and_resume_ends_it", full_disk),
    ("a_large_batch_accounts_for_every_file", large_batch),
];

const BATCH: &str = "redact in -o out --resume --allow-empty";

fn pictures(folder: &Path, count: u32, side: u32) {
    std::fs::create_dir_all(folder.join("in")).unwrap();
    for seed in 0..count {
        let path = folder.join(format!("in/{:02}/{seed:05}.png", seed % 10));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, png(side, seed)).unwrap();
    }
}

/// Files under final names, and everything else but ledger and folders.
fn outputs(bench: &Bench) -> (usize, Vec<String>) {
    let names: Vec<_> = bench
        .names()
        .into_iter()
        .filter(|n| n.starts_with("out/") && bench.path(n).is_file())
        .collect();
    let (good, other): (Vec<_>, Vec<_>) =
        names.into_iter().partition(|n| n.ends_with(".redacted.png"));
    let other = other.into_iter().filter(|n| !n.contains(".fernseed-ledger")).collect();
    (good.len(), other)
}

fn second_run() {
    let bench = Bench::new();
    pictures(bench.folder(), 2, 48);
    std::fs::create_dir(bench.path("out")).unwrap();
    let lock = FolderLock::take(&bench.path("out")).unwrap();
    for command in [BATCH, "redact in -o out", "redact in/00/00000.png -o ./out"] {
        let done = bench.fernseed(command).expect(6);
        assert_eq!(done.errors().len(), 1, "{}", done.err);
        assert!(done.err.contains("another fernseed works in"), "{}", done.err);
        assert_eq!(outputs(&bench), (0, vec![]));
    }
    drop(lock);
    bench.fernseed(BATCH).expect(0);
    // Without -o the folder of the inputs is the output folder.
    let lock = FolderLock::take(&bench.path("in")).unwrap();
    bench.fernseed("redact in").expect(6);
    drop(lock);
}

fn spawn(bench: &Bench, arguments: &str) -> Child {
    let mut command = bench.command();
    command.args(arguments.split_whitespace());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// The exit code, -1 for a signal, and standard error.
fn end(child: Child) -> (i32, String) {
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(child.id().cast_signed()).unwrap();
    kill_process(pid, signal).ok();
}

fn interrupted() {
    const FILES: u32 = 14;
    let bench = Bench::new();
    pictures(bench.folder(), FILES, 160);
    let mut stopped = 0;
    // At once, while it starts, and when so many outputs are there.
    let moments = [None, Some(0), Some(1), Some(3), Some(6), Some(9)];
    for (number, moment) in moments.into_iter().enumerate() {
        let before = outputs(&bench).0;
        let child = spawn(&bench, BATCH);
        let started = Instant::now();
        while let Some(wanted) = moment
            && (outputs(&bench).0 < wanted || !bench.path("out").exists())
            && started.elapsed() < Duration::from_secs(60)
        {
            std::thread::sleep(Duration::from_millis(2));
        }
        signal(&child, if number % 2 == 0 { Signal::INT } else { Signal::TERM });
        let (code, said) = end(child);
        let (good, other) = outputs(&bench);
        assert!(other.is_empty(), "at {moment:?}: {other:?}");
        assert!(good >= before, "outputs went away");
        // -1: the signal came before its handler.
        assert!([130, -1, 0].contains(&code), "at {moment:?}: exit {code}, {said}");
        if code == 130 && good < FILES as usize {
            stopped += 1;
            assert!(said.contains("not begun"), "at {moment:?}: {said}");
            assert!(said.contains("run the same command again"), "{said}");
        }
    }
    assert!(stopped >= 2, "the signals came too late to test anything");
    bench.fernseed(BATCH).expect(0);
    assert_eq!(outputs(&bench), (FILES as usize, vec![]));
    assert_eq!(states(&bench.path("out")), vec!["published"; FILES as usize]);
}

fn left_overs() {
    let bench = Bench::new();
    pictures(bench.folder(), 1, 48);
    bench.write("out/00/.fernseed-4194304-0.part", b"half of an output");
    bench.write("out/00/.fernseed-4194304-0.part.mine", b"somebody's");
    bench.write("out/00/notes.part", b"somebody's");
    bench.fernseed(BATCH).expect(0);
    let left = ["out/00/.fernseed-4194304-0.part.mine", "out/00/notes.part"];
    assert_eq!(outputs(&bench), (1, left.map(str::to_owned).to_vec()));
}

fn full_disk() {
    let bench = Bench::new();
    pictures(bench.folder(), 9, 200);
    std::fs::create_dir(bench.path("out")).unwrap();
    let mount = |options: &str| {
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", options, "none"]).arg(bench.path("out"));
        command.output().is_ok_and(|o| o.status.success())
    };
    if !mount("size=400k") {
        println!("skipped: file systems cannot be mounted here");
        return;
    }
    let full = bench.fernseed(BATCH);
    let (good, other) = outputs(&bench);
    let enlarged = mount("remount,size=20m");
    let again = bench.fernseed(BATCH);
    let end = (outputs(&bench), states(&bench.path("out")));
    let unmounted = Command::new("umount").arg(bench.path("out")).status();
    assert!(unmounted.is_ok_and(|s| s.success()) && enlarged);
    assert_eq!(full.code, 5, "{}{}", full.out, full.err);
    assert!(good > 0 && good < 9 && other.is_empty(), "{good} {other:?}");
    assert!(full.err.contains("not begun"), "the batch went on: {}", full.err);
    assert_eq!(again.code, 0, "{}", again.err);
    assert_eq!(end, ((9, vec![]), vec!["published".to_owned(); 9]));
    println!("disk full after {good} of 9 files, resumed to 9");
}

/// Peak memory of a process so far, in KiB.
fn peak(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// 10,000 files (120 by default) killed three times: each ends in exactly
/// one state, none twice, none lost, and memory does not grow with them.
fn large_batch() {
    let files: u32 = if whole() { 10_000 } else { 120 };
    let bench = Bench::new();
    pictures(bench.folder(), files, 32);
    let mut peaks = Vec::new();
    for share in [0.2, 0.5, 0.8] {
        let mut child = spawn(&bench, &format!("{BATCH} -q"));
        let started = Instant::now();
        while f64::from(u32::try_from(outputs(&bench).0).unwrap()) < share * f64::from(files) {
            assert!(started.elapsed() < Duration::from_secs(1200), "too slow");
            assert!(child.try_wait().unwrap().is_none(), "ended too early");
            std::thread::sleep(Duration::from_millis(20));
        }
        peaks.extend(peak(child.id()));
        signal(&child, Signal::KILL);
        assert_eq!(end(child).0, -1);
        assert_eq!(outputs(&bench).1, Vec::<String>::new());
    }
    let started = Instant::now();
    let last = run(bench.command().args(BATCH.split_whitespace()));
    assert_eq!(last.code, 0, "{}", last.err);
    assert_eq!(outputs(&bench), (files as usize, vec![]));
    let mut tally: BTreeMap<String, u32> = BTreeMap::new();
    for state in states(&bench.path("out")) {
        *tally.entry(state).or_default() += 1;
    }
    assert_eq!(tally, BTreeMap::from([("published".to_owned(), files)]));
    println!(
        "{files} files, 3 kills, host's peaks {peaks:?} KiB, last run {:?}",
        started.elapsed()
    );
    let (least, most) = (peaks.iter().min().unwrap(), peaks.iter().max().unwrap());
    assert!(*most < least + least / 5 + 8192, "the host's memory grows: {peaks:?}");
}
