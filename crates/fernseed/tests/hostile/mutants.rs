//! Mutants of good files, through the product's own host and workers.
//!
//! `FERNSEED_MUTANTS=N` sets how many of each format. Every mutant is
//! redacted and inspected by the shipped program's workers; the host may not
//! crash, nothing may be published from a file that failed, and each file has
//! to end within 10 s and 1 GiB. A mutant that breaks a rule is written to
//! `FERNSEED_MUTANTS_KEEP`, if that is set. The shared fuzzing corpus, where
//! it is there, goes the same way.

use crate::common::bench::PROGRAM;
use crate::common::media;
use crate::make::{chunk, deflate, png};
use crate::{Case, whole};
use fernseed::host::inputs::{Destination, Input, collect};
use fernseed::host::interrupt::Interrupt;
use fernseed::host::job::{Settings, limits, open_input, redact};
use fernseed::host::workers::{Silent, WorkerError, Workers};
use fernseed::protocol::{OutputOptions, Role, Task};
use fernseed::report::Status;
use fernseed_core::plan::KeptSpan;
use fernseed_core::policy::Policy;
use fernseed_sandbox::Level;
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
const SECONDS: u64 = 10;
const KIB: u64 = 1 << 20;

/// Good files, one of each format: name and how it is made.
const SEEDS: [(&str, &str); 14] = [
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
];

/// A small generator of numbers; the same numbers in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// Mutant number `number` of a file.
fn mutate(seed: &[u8], number: u64) -> Vec<u8> {
    let mut random = Random((number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    if seed.starts_with(b"\x89PNG") {
        return mutate_png(seed, &mut random);
    }
    let mut out = seed.to_vec();
    mutate_bytes(&mut out, &mut random);
    out
}

fn mutate_bytes(out: &mut Vec<u8>, random: &mut Random) {
    const EDGES: [u32; 8] = [0, 1, 0x7f, 0xff, 0xffff, 0x7fff_ffff, 0x8000_0000, u32::MAX];
    if out.is_empty() {
        return;
    }
    let length = out.len();
    // Structure is mostly in front.
    let reach = if random.below(2) == 0 { length } else { length.min(1024) };
    match random.below(6) {
        0 => {
            for _ in 0..=random.below(8) {
                out[random.below(reach)] ^= 1 << random.below(8);
            }
        }
        1 => {
            for _ in 0..=random.below(32) {
                out[random.below(reach)] = random.next() as u8;
            }
        }
        2 => out.truncate(1 + random.below(length)),
        3 => {
            let (from, to) = (random.below(length), random.below(length));
            let some = random.below(512).min(length - from.max(to));
            out.copy_within(from..from + some, to);
        }
        4 => {
            let (edge, at) = (EDGES[random.below(8)], random.below(reach.saturating_sub(4)));
            let bytes = if random.below(2) == 0 { edge.to_be_bytes() } else { edge.to_le_bytes() };
            for (place, byte) in out[at..].iter_mut().zip(bytes) {
                *place = byte;
            }
        }
        _ => {
            let (from, some) = (random.below(length), random.below(256));
            let copy = out[from..(from + some).min(length)].to_vec();
            let at = random.below(length);
            out.splice(at..at, copy);
        }
    }
}

/// Mutates chunks, their order and the pixels under the compression, and
/// repairs every checksum: a decoder would stop at the first otherwise.
fn mutate_png(seed: &[u8], random: &mut Random) -> Vec<u8> {
    let mut chunks = Vec::new();
    let mut rest = &seed[8..];
    while let Some((head, tail)) = rest.split_first_chunk::<8>() {
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let kind = [head[4], head[5], head[6], head[7]];
        chunks.push((kind, tail[..length].to_vec()));
        rest = &tail[length + 4..];
    }
    for _ in 0..=random.below(3) {
        let at = random.below(chunks.len());
        match random.below(8) {
            0 => {
                let copy = chunks[at].clone();
                chunks.insert(random.below(chunks.len()), copy);
            }
            1 => {
                let other = random.below(chunks.len());
                chunks.swap(at, other);
            }
            2 if chunks.len() > 1 => drop(chunks.remove(at)),
            3 => {
                const KINDS: [&[u8; 4]; 8] =
                    [b"iCCP", b"eXIf", b"acTL", b"fcTL", b"fdAT", b"tRNS", b"PLTE", b"iTXt"];
                chunks[at].0 = *KINDS[random.below(8)];
            }
            4 => {
                let mut pixels: Vec<u8> = (0..random.below(4000)).map(|i| i as u8).collect();
                mutate_bytes(&mut pixels, random);
                chunks[at].1 = deflate(&pixels);
            }
            _ => mutate_bytes(&mut chunks[at].1, random),
        }
    }
    let mut out = seed[..8].to_vec();
    for (kind, body) in &chunks {
        out.extend(chunk(kind, body));
    }
    out
}

/// What came of many files.
#[derive(Debug, Default)]
struct Outcome {
    statuses: BTreeMap<String, u64>,
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
        let start = Workers::start_program(Path::new(PROGRAM), Interrupt::default(), Level::B);
        let workers = start.unwrap().with_patience(Duration::from_secs(SECONDS));
        let output = OutputOptions {
            format: None,
            quality: None,
            span: KeptSpan::default(),
            threads: 1,
            every_frame: false,
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

    /// Redacts and inspects one file and holds the outcome against the rules.
    fn attack(&self, path: &Path, out: &Path, name: &str, outcome: &Mutex<Outcome>) {
        let started = Instant::now();
        let to = Destination { path: Some(out.to_owned()), ..Destination::default() };
        let input: Option<Input> = collect(&[path.to_owned()], &to).unwrap().inputs.pop();
        let finished = redact(&self.workers, &input.unwrap(), None, &self.settings, &mut Silent);
        let report = finished.report;
        let took = started.elapsed();
        let inspected = open_input(path).ok().map(|file| {
            let files = [file.as_fd()];
            self.workers.run(Role::Inspect, &files, &Task::Inspect, limits(), &mut Silent)
        });
        let took = took.max(started.elapsed().saturating_sub(took));
        let outputs: Vec<_> = std::fs::read_dir(out).unwrap().map(|e| e.unwrap().path()).collect();
        let mut outcome = outcome.lock().unwrap();
        let mut word = format!("{:?}", report.status).to_lowercase();
        let may_exist =
            matches!(report.status, Status::Published | Status::NothingFound | Status::Held);
        if outputs.len() != usize::from(may_exist) {
            outcome.broken.push(format!("{name}: {word}, but {outputs:?}"));
        }
        if let Some(failure) = &report.failure {
            word = format!("{word}:{:?}", failure.kind).to_lowercase();
            // A worker that died is a contained crash: counted and named.
            if failure.message.contains("the program that reads") {
                word.push_str(":crash");
                outcome.broken.push(format!("{name}: worker: {}", failure.message));
            }
        }
        *outcome.statuses.entry(word).or_default() += 1;
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
        drop(outcome);
        for output in outputs {
            std::fs::remove_file(output).unwrap();
        }
    }
}

/// Peak memory of the fork server's children while files are worked on.
fn watch(product: &Product, stop: &AtomicBool) {
    let zygote = product.workers.zygote_pid();
    while !stop.load(Ordering::Relaxed) {
        let list = format!("/proc/{zygote}/task/{zygote}/children");
        let children = std::fs::read_to_string(list).unwrap_or_default();
        for child in children.split_whitespace() {
            let status = std::fs::read_to_string(format!("/proc/{child}/status"));
            let peak = status.ok().and_then(|s| {
                let line = s.lines().find(|l| l.starts_with("VmHWM"))?.to_owned();
                line.split_whitespace().nth(1)?.parse().ok()
            });
            product.peak.fetch_max(peak.unwrap_or(0), Ordering::Relaxed);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Sends `count` files, made by `file`, through the product.
fn attack_all(count: usize, file: &(dyn Fn(usize) -> (String, Vec<u8>) + Sync)) -> Outcome {
    let product = Product::start();
    let outcome = Mutex::new(Outcome::default());
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let keep = std::env::var_os("FERNSEED_MUTANTS_KEEP").map(PathBuf::from);
    std::thread::scope(|scope| {
        scope.spawn(|| watch(&product, &stop));
        let attackers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
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
                        product.attack(&path, &out, &name, &outcome);
                        let broken = outcome.lock().unwrap().broken.len() > before;
                        if let (true, Some(keep)) = (broken, &keep) {
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
    let peak = product.peak.load(Ordering::Relaxed);
    if peak > KIB {
        outcome.broken.push(format!("a worker took {} MiB", peak >> 10));
    }
    let Outcome { statuses, inspected, worst, broken } = &outcome;
    println!(
        "  {count} files, {inspected} inspected, worst {:.2} s, peak {} MiB, {statuses:?}, broken {}",
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
            seeds.push((name.to_owned(), std::fs::read(path).unwrap()));
        }
    }
    let only = std::env::var("FERNSEED_MUTANTS_ONLY").unwrap_or_default();
    let mut broken = Vec::new();
    for (name, seed) in seeds.iter().filter(|(name, _)| name.contains(&only)) {
        println!("{name} ({} bytes)", seed.len());
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
