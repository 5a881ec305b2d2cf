//! Batches: interrupted, killed, out of space, twice at the same time.

use crate::common::Bench;
use crate::common::patience::Patience;
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
    // More than all runs make before their signal, on any machine.
    const FILES: u32 = 80;
    let bench = Bench::new();
    pictures(bench.folder(), FILES, 160);
    let mut stopped = 0;
    // At once, while it starts, and when so many more outputs are there.
    let moments = [None, Some(0), Some(1), Some(3), Some(6), Some(9)];
    for (number, moment) in moments.into_iter().enumerate() {
        if outputs(&bench).0 > FILES as usize / 2 {
            // On a loaded machine a run may be done before anybody looked.
            std::fs::remove_dir_all(bench.path("out")).unwrap();
        }
        let before = outputs(&bench).0;
        let mut child = spawn(&bench, BATCH);
        let started = Instant::now();
        while let Some(wanted) = moment
            && child.try_wait().unwrap().is_none()
            && (outputs(&bench).0 < before + wanted || !bench.path("out").exists())
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
    let out = bench.path("out");
    let Some(disk) = Disk::new(&out, 400) else { return };
    let full = bench.fernseed(BATCH);
    let (good, other) = outputs(&bench);
    disk.resize(20 << 10);
    let again = bench.fernseed(BATCH);
    let end = (outputs(&bench), states(&bench.path("out")));
    drop(disk);
    assert_eq!(full.code, 5, "{}{}", full.out, full.err);
    assert!(good > 0 && good < 9 && other.is_empty(), "{good} {other:?}");
    assert!(full.err.contains("not begun"), "the batch went on: {}", full.err);
    assert_eq!(again.code, 0, "{}", again.err);
    assert_eq!(end, ((9, vec![]), vec!["published".to_owned(); 9]));
    println!("disk full after {good} of 9 files, resumed to 9");
}

/// Peak memory of a process so far, in KiB.
pub(crate) fn peak(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// A file system in memory that can be made larger; unmounted when dropped.
struct Disk<'a> {
    at: &'a Path,
}

impl<'a> Disk<'a> {
    /// `None`, with a message, where nothing can be mounted.
    fn new(at: &'a Path, kib: u32) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        if Self::mount(at, &format!("size={kib}k")) {
            return Some(Self { at });
        }
        println!("skipped: file systems cannot be mounted here");
        None
    }

    fn mount(at: &Path, options: &str) -> bool {
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", options, "none"]).arg(at);
        command.output().is_ok_and(|o| o.status.success())
    }

    fn resize(&self, kib: u32) {
        assert!(Self::mount(self.at, &format!("remount,size={kib}k")));
    }

    fn used_kib(&self) -> u32 {
        let stat = rustix::fs::statvfs(self.at).unwrap();
        u32::try_from((stat.f_blocks - stat.f_bfree) * stat.f_frsize / 1024).unwrap()
    }
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let done = Command::new("umount").arg(self.at).status();
        if !done.is_ok_and(|s| s.success()) {
            println!("{} is still mounted", self.at.display());
        }
    }
}

/// How a run of the large batch ended, and the host's peak memory.
struct Ended {
    code: i32,
    said: String,
    peak: u64,
}

/// Runs the batch until so many outputs are there, and kills it; or to its
/// end.
fn run_until(bench: &Bench, wanted: Option<usize>, files: u32) -> Ended {
    let child = spawn(bench, BATCH);
    let mut patience = Patience::with(child.id());
    let mut most = 0;
    let pid = child.id();
    let reader = std::thread::spawn(move || end(child));
    while !reader.is_finished() {
        most = most.max(peak(pid).unwrap_or(0));
        if wanted.is_some_and(|wanted| outputs(bench).0 >= wanted) {
            kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL).ok();
            break;
        }
        if let Some(why) = patience.lost() {
            panic!("hangs: {why}");
        }
        // Counting takes longer the more there are.
        std::thread::sleep(Duration::from_millis(20 + u64::from(files / 50)));
    }
    let (code, said) = reader.join().unwrap();
    Ended { code, said, peak: most }
}

/// 10,000 files (120 by default), killed three times and once out of disk:
/// each ends in exactly one state, none twice, none lost, and memory does not
/// grow with them. `FERNSEED_FILES` sets another number.
fn large_batch() {
    let asked = std::env::var("FERNSEED_FILES").ok().and_then(|v| v.parse().ok());
    let files: u32 = asked.unwrap_or(if whole() { 10_000 } else { 120 });
    let bench = Bench::new();
    pictures(bench.folder(), files, 32);
    let out = bench.path("out");
    // An output takes a page, its ledger and the ledger's log some more.
    let enough = files * 32 + 16_000;
    let disk = Disk::new(&out, enough);
    let mut peaks = Vec::new();
    let mut states_seen = Vec::new();
    for step in ["kill", "full", "kill", "kill", "end"] {
        if step == "full" && disk.is_none() {
            continue;
        }
        if let ("full", Some(disk)) = (step, &disk) {
            // About a quarter of the outputs, and the ledger's log, which
            // begins anew at 4 MiB.
            disk.resize(disk.used_kib() + files + (files * 4).min(4200));
        }
        let before = outputs(&bench).0;
        // A quarter of what is left.
        let wanted = (step == "kill").then(|| before + (files as usize - before).div_ceil(4));
        let ended = run_until(&bench, wanted, files);
        let (good, other) = outputs(&bench);
        assert_eq!(other, Vec::<String>::new(), "{step}");
        assert!(good >= before, "{step}: {good} outputs after {before}");
        let code = match step {
            "full" => 5,
            "end" => 0,
            _ => -1,
        };
        assert_eq!(ended.code, code, "{step}: {}", ended.said);
        if let ("full", Some(disk)) = (step, &disk) {
            assert!(good < files as usize, "the disk was not full");
            assert!(ended.said.contains("not begun"), "the batch went on: {}", ended.said);
            disk.resize(enough);
        }
        peaks.push(ended.peak);
        states_seen.push((step, good));
    }
    let mut tally: BTreeMap<String, u32> = BTreeMap::new();
    for state in states(&out) {
        *tally.entry(state).or_default() += 1;
    }
    assert_eq!(tally, BTreeMap::from([("published".to_owned(), files)]));
    assert_eq!(outputs(&bench).0, files as usize);
    println!("{files} files, outputs after each run {states_seen:?}, host's peaks {peaks:?} KiB");
    let (least, most) = (peaks.iter().min().unwrap(), peaks.iter().max().unwrap());
    assert!(*most < least + least / 5 + 8192, "the host's memory grows: {peaks:?}");
}
