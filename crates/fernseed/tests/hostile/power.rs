//! Power cuts, on a file system of our own in a file.
//!
//! The loop device's file holds what the file system has given to its disk;
//! what waits in memory is not in it. A copy of that file at any moment is
//! the disk after a power cut at that moment (a disk that reorders writes
//! within its own cache is not imitated).

use crate::harness::{Bench, Subject, sample, states};
use crate::{Case, whole};
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) const CASES: &[Case] = &[("a_power_cut_leaves_whole_files_or_none", power_cuts)];

/// Power cuts by default.
const CUTS: usize = 5;

/// A mounted file system in a file; unmounted when dropped.
pub(crate) struct Disk {
    pub(crate) image: PathBuf,
    pub(crate) at: PathBuf,
}

impl Disk {
    /// A new file system; `None`, with a message, where that is not allowed.
    pub(crate) fn new(folder: &Path) -> Option<Self> {
        let image = folder.join("image");
        std::fs::File::create(&image).unwrap().set_len(24 << 20).unwrap();
        let made = Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image).status();
        if !made.is_ok_and(|s| s.success()) {
            println!("skipped: mkfs.ext4 is not installed");
            return None;
        }
        Self::mount(&image, &folder.join("disk"))
    }

    pub(crate) fn mount(image: &Path, at: &Path) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mut command = Command::new("mount");
        // Nothing is written by the clock, only when a program asks for it.
        command.args(["-o", "loop,commit=900"]).arg(image).arg(at);
        let done = command.output();
        if !done.is_ok_and(|o| o.status.success()) {
            println!("skipped: file systems cannot be mounted here");
            return None;
        }
        Some(Self { image: image.to_owned(), at: at.to_owned() })
    }

    /// The disk as it is after a power cut now, in the same place.
    fn cut(self, folder: &Path) -> Self {
        let image = folder.join("after");
        std::fs::copy(&self.image, &image).unwrap();
        let at = self.at.clone();
        drop(self);
        Self::mount(&image, &at).unwrap()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let done = Command::new("umount").arg(&self.at).status();
        if !done.is_ok_and(|s| s.success()) {
            println!("{} is still mounted", self.at.display());
        }
    }
}

fn power_cuts() {
    let Some(bench) = Bench::new(Subject::Fernseed) else { return };
    let Some(points) = bench.points() else { return };
    let (mut corrupt, mut lost, mut resumed, mut cuts) = (vec![], vec![], 0, 0);
    for (call, n) in sample(&points, if whole() { usize::MAX } else { CUTS }) {
        let inject = format!("{call}:signal=KILL:when={n}");
        let folder = tempfile::tempdir().unwrap();
        let Some(disk) = Disk::new(folder.path()) else { return };
        bench.lay_out(&disk.at);
        // The inputs have been there for long.
        rustix::fs::sync();
        bench.traced(&disk.at, &folder.path().join("log"), Some(&inject));
        let after = disk.cut(folder.path());
        cuts += 1;
        let wrong = bench.wrong(&after.at);
        if !wrong.partial.is_empty() || !wrong.left.is_empty() {
            corrupt.push(format!("{inject}: {wrong:?}"));
        }
        let out = after.at.join("out");
        let ledger = out.join(fernseed::host::ledger::LEDGER_NAME);
        let whole_ledger = ledger.metadata().is_ok_and(|m| m.len() > 0);
        // Where the ledger exists its table does, or it is still empty.
        if whole_ledger {
            let done = published(&out);
            if done > 2 - wrong.missing.len() {
                lost.push(format!("{inject}: {done} published, {wrong:?}"));
            }
        }
        match bench.resumed(&after.at) {
            None => resumed += 1,
            Some(why) => corrupt.push(format!("{inject}: {why}")),
        }
    }
    println!(
        "{cuts} power cuts: {} corrupt, {} lost, {resumed} resumed",
        corrupt.len(),
        lost.len()
    );
    assert!(corrupt.is_empty() && lost.is_empty(), "{corrupt:?} {lost:?}");
    assert_eq!(resumed, cuts);

    // The same cut after a writer that never synchronises must show.
    let Some(bench) = Bench::new(Subject::Broken("unsynced")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::new(folder.path()) else { return };
    bench.lay_out(&disk.at);
    rustix::fs::sync();
    let done = bench.traced(&disk.at, &folder.path().join("log"), None);
    assert_eq!(done.code, 0);
    let after = disk.cut(folder.path());
    let wrong = bench.wrong(&after.at);
    println!("unsynced writer after a power cut: {wrong:?}");
    assert!(!wrong.missing.is_empty() || !wrong.partial.is_empty(), "not caught");
}

fn published(out: &Path) -> usize {
    let path = out.join(fernseed::host::ledger::LEDGER_NAME);
    let tables = rusqlite::Connection::open(path).and_then(|c| {
        c.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get::<_, i64>(0))
    });
    if tables.unwrap_or(0) == 0 {
        return 0;
    }
    states(out).iter().filter(|s| *s == "published").count()
}
