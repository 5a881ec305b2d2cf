//! Mutants of good files, through the product's own host and workers.
//!
//! `FERNSEED_MUTANTS=N` sets how many of each format, `FERNSEED_MUTANTS_ONLY`
//! of which. Every mutant is redacted, stripped and inspected by the shipped
//! program's workers; the host may not crash, nothing may be published from a
//! file that failed, and each file has to end within 10 s and 1 GiB; on a busy
//! machine those are seconds of processor time of all its workers. A mutant
//! that breaks a rule is written to `FERNSEED_MUTANTS_KEEP`, if that is set.
//! The shared fuzzing corpus, where it is there, goes the same way.
//!
//! One host and one fork server serve all mutants of a format, so a mutant
//! costs the forks, the seals and what its bytes cost: some hundredths of a
//! second. Long runs do best with a release binary (`FERNSEED_BIN`) and a
//! `TMPDIR` in memory, since every output is synchronised to its disk.

use crate::common::bench::program;
use crate::common::media;
use crate::make::png;
use crate::mutate::mutate;
use crate::{Case, whole};
use fernseed::host::inputs::{Destination, Input, collect};
use fernseed::host::interrupt::Interrupt;
use fernseed::host::job::{Settings, limits, open_input, redact};
use fernseed::host::pulse::Patience;
use fernseed::host::sidecars::Sidecars;
use fernseed::host::strip;
use fernseed::host::workers::{Silent, WorkerError, Workers};
use fernseed::protocol::{OutputOptions, Role, Task};
use fernseed::report::{FileReport, Status};
use fernseed_core::plan::KeptSpan;
use fernseed_core::policy::Policy;
use fernseed_sandbox::Level;
use fernseed_scrub::StripOptions;
use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

pub(crate) const CASES: &[Case] =
    &[("mutants_crash_nothing_and_publish_nothing", mutants), ("neither_does_the_corpus", corpus)];

/// Mutants of each format, and files of the corpus, by default.
const MUTANTS: usize = 12;
const CORPUS: usize = 60;
/// Longest time one file may take.
const SECONDS: u64 = 10;
/// A worker that gets nowhere for this long hangs even on a busy machine.
const SILENCE: Duration = Duration::from_secs(100);
const KIB: u64 = 1 << 20;

/// Good files, one of each format: name and how it is made.
const SEEDS: [(&str, &str); 22] = [
    ("a.jpg", "convert {1} -resize 48x48! -sampling-factor 2x2 {out}"),
    ("p.jpg", "convert {1} -resize 48x48! -interlace JPEG {out}"),
    ("a.gif", "ffmpeg -f lavfi -i testsrc=s=40x40:r=5 -frames:v 3 {out}"),
    ("a.webp", "convert {1} -resize 48x48! {out}"),
    ("l.webp", "convert {1} -resize 48x48! -define webp:lossless=true {out}"),
    ("a.tiff", "convert {1} -resize 48x48! -compress LZW {out}"),
    ("a.bmp", "convert {1} -resize 32x32! {out}"),
    ("a.jxl", "cjxl --quiet {1} {out}"),
    ("a.heic", "heif-enc -q 40 {1} -o {out}"),
    ("a.avif", "ffmpeg -i {1} -vf scale=64:64 -frames:v 1 -c:v libaom-av1 -cpu-used 8 {out}"),
    ("a.mp4", "ffmpeg -f lavfi -i testsrc=s=64x64:r=10 -frames:v 4 -c:v libx264 {out}"),
    ("a.mkv", "ffmpeg -f lavfi -i testsrc=s=64x64:r=10 -frames:v 4 -c:v libx264 {out}"),
    ("a.webm", "ffmpeg -f lavfi -i testsrc=s=64x64:r=10 -frames:v 4 -c:v libvpx-vp9 {out}"),
    ("a.mov", "ffmpeg -f lavfi -i testsrc=s=64x64:r=10 -frames:v 4 -c:v mjpeg {out}"),
    ("a.avi", "ffmpeg -f lavfi -i testsrc=s=64x64:r=10 -frames:v 4 -c:v mpeg4 {out}"),
    ("a.pnm", "convert {1} -resize 32x32! ppm:{out}"),
    ("a.mp3", "ffmpeg -f lavfi -i sine=d=0.2 -metadata title=t {out}"),
    ("a.flac", "ffmpeg -f lavfi -i sine=d=0.1 -metadata title=t {out}"),
    ("a.wav", "ffmpeg -f lavfi -i sine=d=0.05 -metadata title=t {out}"),
    ("a.ogg", "ffmpeg -f lavfi -i sine=d=0.2 -metadata title=t -c:a libvorbis {out}"),
    ("a.m4a", "ffmpeg -f lavfi -i sine=d=0.2 -metadata title=t -c:a aac {out}"),
    ("s.mp4", "ffmpeg -f lavfi -i testsrc=s=64x64:r=10 -f lavfi -i sine -t 0.4 {out}"),
];
/// Good files whose metadata say much: photos with places, names, thumbnails.
const TAGGED: [&str; 4] = ["a.jpg", "a.tiff", "a.heic", "a.mp4"];

/// What came of many files.
#[derive(Debug, Default)]
struct Outcome {
    statuses: BTreeMap<String, u64>,
    stripped: BTreeMap<String, u64>,
    inspected: u64,
    worst: Duration,
    /// Rules that were broken.
    broken: Vec<String>,
}

/// The shipped program's workers, and a watch on their memory.
struct Product {
    workers: Workers,
    settings: Settings,
    peak: AtomicU64,
}

impl Product {
    fn start() -> Self {
        let start = Workers::start_program(program(), Interrupt::default(), Level::B);
        let workers = start.unwrap().with_patience(Patience {
            silence: SILENCE,
            leaving: SILENCE,
            ..Patience::default()
        });
        let output = OutputOptions {
            format: None,
            quality: None,
            span: KeptSpan::default(),
            threads: 1,
            every_frame: false,
            one_decoder: false,
            keep_untouched: false,
        };
        let settings = Settings {
            policy: Policy::default(),
            output,
            accept_uncertain: false,
            dry_run: false,
            names: false,
            sidecars: std::sync::Arc::default(),
        };
        Self { workers, settings, peak: AtomicU64::new(0) }
    }

    /// Processor time of all workers so far. One attacker per fork server, so
    /// what is added while a file is worked on is the file's.
    fn processor_time(&self) -> Duration {
        crate::common::patience::used(self.workers.zygote_pid())
    }

    /// Redacts, strips and inspects one file and holds what comes of it
    /// against the rules.
    fn attack(&self, path: &Path, out: &Path, name: &str, outcome: &Mutex<Outcome>) {
        let (started, processor) = (Instant::now(), self.processor_time());
        let to = Destination { path: Some(out.to_owned()), ..Destination::default() };
        let input: Option<Input> = collect(&[path.to_owned()], &to).unwrap().inputs.pop();
        let input = input.unwrap();
        let redacted = redact(&self.workers, &input, None, &self.settings, &mut Silent).report;
        let times = [started.elapsed()];
        let first = judge(&redacted, out, name);
        let started = Instant::now();
        let settings = strip::Settings {
            options: StripOptions::default(),
            reencode: false,
            output: self.settings.output.clone(),
            place: strip::Place::Target,
            accept_uncertain: false,
            names: false,
        };
        let sidecars = Sidecars::default();
        let report = strip::strip(&self.workers, &input, &settings, &sidecars, &mut Silent);
        let times = [times[0], started.elapsed()];
        let second = judge(&report, out, name);
        let started = Instant::now();
        let inspected = open_input(path).ok().map(|file| {
            let files = [file.as_fd()];
            self.workers.run(Role::Inspect, &files, Task::Inspect, limits(), &mut Silent)
        });
        // A clock on the wall says more than the work where others work too.
        let wall = started.elapsed().max(times[0]).max(times[1]);
        let took = wall.min(self.processor_time().saturating_sub(processor));
        let mut outcome = outcome.lock().unwrap();
        outcome.broken.extend([first.1, second.1].into_iter().flatten());
        *outcome.statuses.entry(first.0).or_default() += 1;
        *outcome.stripped.entry(second.0).or_default() += 1;
        match inspected {
            Some(Err(WorkerError::Misbehaved(why))) => {
                outcome.broken.push(format!("{name}: inspect: {why}"));
            }
            Some(_) => outcome.inspected += 1,
            None => {}
        }
        if took > Duration::from_secs(SECONDS) {
            outcome.broken.push(format!("{name}: took {took:?}"));
        }
        outcome.worst = outcome.worst.max(took);
    }
}

/// What a report says in a word, and the rule that was broken, if one was:
/// an output exists if and only if the report says so. Removes the output.
fn judge(report: &FileReport, out: &Path, name: &str) -> (String, Option<String>) {
    let outputs: Vec<_> = std::fs::read_dir(out).unwrap().map(|e| e.unwrap().path()).collect();
    let mut word = format!("{:?}", report.status).to_lowercase();
    let may_exist =
        matches!(report.status, Status::Published | Status::NothingFound | Status::Held);
    let mut broken = (outputs.len() != usize::from(may_exist))
        .then(|| format!("{name}: {word}, but {outputs:?}"));
    if let Some(failure) = &report.failure {
        word = format!("{word}:{:?}", failure.kind).to_lowercase();
        // A worker that died is a contained crash: counted and named.
        if failure.message.contains("the program that reads") {
            word.push_str(":crash");
            broken = Some(format!("{name}: worker: {}", failure.message));
        }
    }
    for output in outputs {
        std::fs::remove_file(output).unwrap();
    }
    (word, broken)
}

/// Peak memory of the fork server's children while files are worked on.
fn watch(products: &[Product], stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        products.iter().for_each(look);
        // Memory beyond the limit cannot be touched in much less than this,
        // and looking more often costs more than the mutants.
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn look(product: &Product) {
    let zygote = product.workers.zygote_pid();
    let list = format!("/proc/{zygote}/task/{zygote}/children");
    let children = std::fs::read_to_string(list).unwrap_or_default();
    for child in children.split_whitespace().filter_map(|c| c.parse().ok()) {
        product.peak.fetch_max(crate::batch::peak(child).unwrap_or(0), Ordering::Relaxed);
    }
}

/// Sends `count` files, made by `file`, through the product.
fn attack_all(count: usize, file: &(dyn Fn(usize) -> (String, Vec<u8>) + Sync)) -> Outcome {
    let outcome = Mutex::new(Outcome::default());
    let jobs = std::env::var("FERNSEED_MUTANTS_JOBS").ok().and_then(|v| v.parse().ok());
    let products: Vec<_> = (0..jobs.unwrap_or(2)).map(|_| Product::start()).collect();
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let keep = std::env::var_os("FERNSEED_MUTANTS_KEEP").map(PathBuf::from);
    std::thread::scope(|scope| {
        scope.spawn(|| watch(&products, &stop));
        let attackers: Vec<_> = products
            .iter()
            .map(|product| {
                let (next, outcome, keep) = (&next, &outcome, &keep);
                scope.spawn(move || {
                    let folder = tempfile::tempdir().unwrap();
                    let out = folder.path().join("out");
                    std::fs::create_dir(&out).unwrap();
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        if index >= count {
                            return;
                        }
                        let (name, bytes) = file(index);
                        let path = folder.path().join("mutant");
                        std::fs::write(&path, &bytes).unwrap();
                        let before = outcome.lock().unwrap().broken.len();
                        product.attack(&path, &out, &name, outcome);
                        let broken = outcome.lock().unwrap().broken.len() > before;
                        if let (true, Some(keep)) = (broken, keep) {
                            std::fs::create_dir_all(keep).unwrap();
                            std::fs::write(keep.join(name.replace('/', "_")), &bytes).unwrap();
                        }
                    }
                })
            })
            .collect();
        let ended: Vec<_> = attackers.into_iter().map(|a| a.join()).collect();
        stop.store(true, Ordering::Relaxed);
        assert!(ended.iter().all(Result::is_ok), "the host crashed");
    });
    let mut outcome = outcome.into_inner().unwrap();
    let peak = products.iter().map(|p| p.peak.load(Ordering::Relaxed)).max().unwrap_or(0);
    if peak > KIB {
        outcome.broken.push(format!("a worker took {} MiB", peak >> 10));
    }
    let Outcome { statuses, stripped, inspected, worst, broken } = &outcome;
    println!(
        "  {count} files, {inspected} inspected, worst {:.2} s, peak {} MiB, broken {}\n  redacted \
         {statuses:?}\n  stripped {stripped:?}",
        worst.as_secs_f64(),
        peak >> 10,
        broken.len()
    );
    outcome
}

fn mutants() {
    let asked = std::env::var("FERNSEED_MUTANTS").ok().and_then(|v| v.parse().ok());
    let count = asked.unwrap_or(if whole() { 10_000 } else { MUTANTS });
    let mut seeds = vec![("a.png".to_owned(), png(48, 1))];
    let source = media::photo();
    for (name, recipe) in SEEDS {
        let Some(source) = &source else { continue };
        let small = "convert {1} -resize 64x64! {out}";
        let Some(small) = media::make("small.png", small, &[source]) else { continue };
        if let Some(path) = media::make(name, recipe, &[&small]) {
            seeds.push((name.to_owned(), std::fs::read(&path).unwrap()));
            let folder = tempfile::tempdir().unwrap();
            let tagged = folder.path().join(name);
            std::fs::copy(path, &tagged).unwrap();
            if TAGGED.contains(&name) && media::tag(&tagged, &[]) {
                seeds.push((format!("tagged-{name}"), std::fs::read(tagged).unwrap()));
            }
        }
    }
    let only = std::env::var("FERNSEED_MUTANTS_ONLY").unwrap_or_default();
    let mut broken = Vec::new();
    for (name, seed) in seeds.iter().filter(|(name, _)| name.contains(&only)) {
        println!("{name} ({} bytes)", seed.len());
        // A seed that nobody lets through would make of every mutant a proof
        // of nothing.
        let good = attack_all(1, &|_| (name.clone(), seed.clone()));
        let through = |came: &BTreeMap<String, u64>| {
            came.keys().all(|s| matches!(s.as_str(), "published" | "nothingfound"))
        };
        assert!(through(&good.stripped), "the good {name} is not stripped: {:?}", good.stripped);
        // Sound alone is stripped only.
        let sound = ["mp3", "flac", "wav", "ogg", "m4a"].iter().any(|e| name.ends_with(e));
        assert!(sound || through(&good.statuses), "nor redacted: {name}: {:?}", good.statuses);
        let outcome = attack_all(count, &|n| (format!("{name}-{n}"), mutate(seed, n as u64)));
        assert_eq!(outcome.statuses.values().sum::<u64>(), count as u64);
        broken.extend(outcome.broken);
    }
    assert!(broken.is_empty(), "{} broken: {:#?}", broken.len(), &broken[..broken.len().min(40)]);
}

fn corpus() {
    let Some(shared) = fernseed_testkit::shared() else {
        println!("skipped: the shared test data is not there");
        return;
    };
    let mut files = Vec::new();
    collect_files(&shared.join("data/fuzz"), &mut files);
    files.sort();
    assert!(files.len() > 100, "the corpus is not there: {} files", files.len());
    if !whole() {
        files = crate::harness::sample(&files, CORPUS);
    }
    let outcome = attack_all(files.len(), &|n| {
        let name = files[n].strip_prefix(&shared).unwrap().to_string_lossy().into_owned();
        (name, std::fs::read(&files[n]).unwrap())
    });
    let broken = outcome.broken;
    assert!(broken.is_empty(), "{} broken: {:#?}", broken.len(), &broken[..broken.len().min(40)]);
}

fn collect_files(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { collect_files(&path, out) } else { out.push(path) }
    }
}
