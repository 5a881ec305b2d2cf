//! Ledgers that a disk damaged, or somebody else.

use crate::mutate::{Random, mutate_bytes};
use fernseed::host::ledger::{Key, LEDGER_NAME, Ledger, State};
use fernseed::host::publish::Made;
use fernseed::host::workers::Outgoing;
use fernseed::protocol::OutputFormat;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const FILES: usize = 300;
const SETTINGS: &str = "settings";
const WORDS: [&str; 5] = ["queued", "working", "published", "held", "failed"];

/// A good ledger: its files' bytes and the keys of its inputs.
struct Good {
    /// `(suffix, bytes)` of the database and, if it is still open, its log.
    files: Vec<(&'static str, Vec<u8>)>,
    keys: Vec<Key>,
}

fn path(folder: &Path, suffix: &str) -> PathBuf {
    folder.join(format!("{LEDGER_NAME}{suffix}"))
}

fn good(folder: &Path, open: bool) -> Good {
    let out = folder.join(if open { "open" } else { "closed" });
    std::fs::create_dir(&out).unwrap();
    let ledger = Ledger::open(&out, SETTINGS, true).unwrap();
    let mut keys = Vec::new();
    for number in 0..FILES {
        let input = folder.join(format!("{number}.jpg"));
        std::fs::write(&input, "x").unwrap();
        let key = ledger.key(&input).unwrap();
        ledger.enrol(&[(key, &input)]).unwrap();
        keys.push(key);
        let made = Made { inode: number as u64 + 7, bytes: 99 };
        let output = Outgoing { format: OutputFormat::Jpeg, made, empty: false };
        if !number.is_multiple_of(5) {
            ledger.begin(&key).unwrap();
        }
        match number % 5 {
            2 => {
                ledger.publishing(&key, &output).unwrap();
                ledger.end(&key, &State::Published { empty: false }).unwrap();
            }
            3 => ledger.end(&key, &State::Held).unwrap(),
            4 => ledger.end(&key, &State::Failed("damaged".to_owned())).unwrap(),
            _ => {}
        }
    }
    let suffixes = if open { vec!["", "-wal"] } else { vec![""] };
    if !open {
        drop(ledger);
        assert!(!path(&out, "-wal").exists(), "a closed ledger is one file");
    }
    let files = suffixes.into_iter().map(|s| (s, std::fs::read(path(&out, s)).unwrap())).collect();
    Good { files, keys }
}

/// Refused, or every file in at most one state that there is, also after the
/// work goes on with it.
fn holds(folder: &Path, keys: &[Key]) -> bool {
    let Ok(ledger) = Ledger::open(folder, SETTINGS, false) else { return false };
    let mut known = 0;
    for key in keys {
        match ledger.entry(key) {
            Ok(Some(_)) => known += 1,
            Ok(None) => {}
            Err(_) => return false,
        }
    }
    let Ok(tally) = ledger.tally() else { return false };
    assert!(tally.keys().all(|word| WORDS.contains(&word.as_str())), "{tally:?}");
    assert!(tally.values().sum::<u64>() >= known, "{tally:?}, {known} known");
    // What is written now is what is read, also by the next run.
    for (key, state) in keys.iter().zip([State::Held, State::Published { empty: true }]) {
        if ledger.begin(key).and_then(|()| ledger.end(key, &state)).is_err() {
            continue;
        }
        assert_eq!(ledger.entry(key).unwrap().map(|e| e.state), Some(state));
    }
    let before: Vec<_> = keys.iter().map(|key| ledger.entry(key).ok().flatten()).collect();
    drop(ledger);
    let ledger = Ledger::open(folder, SETTINGS, false).expect("opened once, and not again");
    let after: Vec<_> = keys.iter().map(|key| ledger.entry(key).ok().flatten()).collect();
    assert_eq!(before, after);
    drop(ledger);
    let raw = rusqlite::Connection::open(path(folder, "")).unwrap();
    let mut select = raw.prepare("SELECT key, state FROM file NOT INDEXED").unwrap();
    let rows = select.query_map([], |r| Ok((r.get::<_, Vec<u8>>(0)?, r.get::<_, String>(1)?)));
    let rows: Vec<_> = rows.unwrap().map(Result::unwrap).collect();
    let different: BTreeSet<_> = rows.iter().map(|(key, _)| key).collect();
    assert_eq!(different.len(), rows.len(), "a file is there twice: {rows:?}");
    true
}

/// In memory where that is possible: every change is synchronised.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Damage as disks and people do it, mostly in the structures of pages.
fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    match random.below(5) {
        0 => mutate_bytes(bytes, random),
        // A page that was never written, or is another's.
        1 => {
            let pages = bytes.len() / 4096;
            let (from, to) = (random.below(pages) * 4096, random.below(pages) * 4096);
            if random.below(2) == 0 {
                bytes.copy_within(from..from + 4096, to);
            } else {
                bytes[to..to + 4096].fill(0);
            }
        }
        2 => bytes.truncate(random.below(bytes.len() / 512 + 1) * 512),
        _ => {
            for _ in 0..=random.below(3) {
                let page = random.below(bytes.len().div_ceil(4096)) * 4096;
                let at = (page + random.below(120)).min(bytes.len() - 1);
                bytes[at] = random.next() as u8;
            }
        }
    }
}

pub(super) fn fuzz() {
    let folder = scratch();
    let seeds = [good(folder.path(), false), good(folder.path(), true)];
    super::run("ledger", |random| {
        let seed = &seeds[random.below(2)];
        let mut files = seed.files.clone();
        let hit = random.below(files.len());
        // One in twenty is whole: it has to be taken.
        let whole = random.below(20) == 0;
        if !whole {
            damage(&mut files[hit].1, random);
        }
        let scratch = scratch();
        for (suffix, bytes) in &files {
            std::fs::write(path(scratch.path(), suffix), bytes).unwrap();
        }
        let held = std::panic::catch_unwind(|| holds(scratch.path(), &seed.keys));
        let taken = held.unwrap_or_else(|panic| {
            let kept = std::env::temp_dir().join("fernseed-failing-ledger");
            std::fs::create_dir_all(&kept).unwrap();
            for (suffix, bytes) in &files {
                std::fs::write(path(&kept, suffix), bytes).unwrap();
            }
            println!("failing ledger kept in {}", kept.display());
            std::panic::resume_unwind(panic)
        });
        assert!(taken || !whole, "a whole ledger was refused");
        taken
    });
}

/// A page of the table copied over another: the same file in two states.
pub(super) fn same_file_twice() {
    let folder = scratch();
    let ledger = good(folder.path(), false);
    let out = folder.path().join("closed");
    let bytes = &ledger.files[0].1;
    let pages = bytes.len() / 4096;
    let mut refused = 0;
    for from in 1..pages {
        for to in (1..pages).filter(|to| *to != from) {
            let mut broken = bytes.clone();
            broken.copy_within(from * 4096..(from + 1) * 4096, to * 4096);
            std::fs::write(path(&out, ""), broken).unwrap();
            refused += usize::from(Ledger::open(&out, SETTINGS, false).is_err());
        }
    }
    println!("{refused} of {} ledgers with a page twice refused", (pages - 1) * (pages - 2));
    assert!(pages > 3 && refused == (pages - 1) * (pages - 2));
}
