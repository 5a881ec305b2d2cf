//! What the fuzz tests share: a sequence of numbers, a clock of processor
//! time, and a loop over one format that keeps count.
//!
//! `FERNSEED_FUZZ_SECONDS` gives the processor time for each format,
//! `FERNSEED_FUZZ_FORMAT` picks one format by name, `FERNSEED_FUZZ_SEED`
//! another sequence, `FERNSEED_FUZZ_KEEP` the folder for inputs that broke
//! something.

use fernseed_scrub::{
    InventoryLimits, StripOptions, UnknownMember, account, facts, inventory, leaks, strip,
};
use std::io::Cursor;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Longest one input may take, in processor time of the optimised test build.
const SLOW: Duration = Duration::from_secs(2);
/// Most memory the process may have taken, in KiB.
const MOST_MEMORY: u64 = 512 << 10;

/// SplitMix64 (Steele, Lea, Flood 2014).
pub struct Dice(u64);

impl Dice {
    /// The next number of the sequence.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    /// A number below `n`, or 0 if that is 0.
    pub fn below(&mut self, n: usize) -> usize {
        (self.roll() % n.max(1) as u64) as usize
    }
}

/// Number in an environment variable.
fn number(name: &str) -> Option<f64> {
    std::env::var(name).ok()?.parse().ok()
}

/// True if the run is a long one, which may prepare more.
pub fn is_long() -> bool {
    number("FERNSEED_FUZZ_SECONDS").is_some_and(|s| s > 10.0)
}

/// True if `format` is wanted in this run.
pub fn wanted(format: &str) -> bool {
    std::env::var("FERNSEED_FUZZ_FORMAT").map_or(true, |only| only == format)
}

/// Processor time of this thread; the wall clock where the system does not
/// tell. A stopped or crowded machine must not look like a slow parser.
pub fn processor_time() -> Duration {
    static BEGUN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.as_deref().and_then(|t| t.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| BEGUN.get_or_init(Instant::now).elapsed(), Duration::from_nanos)
}

/// Highest resident memory of this process in KiB since [`forget_memory`].
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.trim().split(' ').next()?.parse().ok()).unwrap_or(0)
}

/// Starts the count of the highest memory anew (proc(5), `clear_refs`).
fn forget_memory() {
    let _old_kernels_refuse = std::fs::write("/proc/self/clear_refs", "5");
}

/// What became of one input.
#[derive(Clone, Copy, Debug, Default)]
struct Done {
    stripped: bool,
    /// Stripping its output once more changed something.
    unstable: bool,
}

/// One input through everything that reads files: strip, the account and a
/// second strip of what came out, account, inventory, now and then the facts
/// and the search for leaks.
///
/// # Panics
/// If an output is not clean, cannot be stripped again, or is too large.
fn one(run: u64, data: &[u8], original: &[u8]) -> Done {
    let len = data.len() as u64;
    let unknown = if run.is_multiple_of(2) { UnknownMember::Abort } else { UnknownMember::Omit };
    let options = StripOptions { unknown };
    let mut out = Cursor::new(Vec::new());
    let mut done = Done::default();
    if strip(&mut Cursor::new(data), len, &mut out, &options).is_ok() {
        done.stripped = true;
        let out = out.into_inner();
        assert!(out.len() <= data.len() * 64 + (1 << 20), "{} bytes of {len}", out.len());
        let book = account(&mut Cursor::new(&out), out.len() as u64);
        assert!(book.is_clean(), "an output is not clean: {:#?}", book.findings);
        let mut again = Cursor::new(Vec::new());
        strip(&mut Cursor::new(&out), out.len() as u64, &mut again, &options).expect("not stable");
        done.unstable = again.into_inner() != out;
    }
    let book = account(&mut Cursor::new(data), len);
    assert!(book.unclaimed <= len);
    inventory(&mut Cursor::new(data), len, &InventoryLimits::default());
    if run.is_multiple_of(16) {
        let _facts = facts(&mut Cursor::new(data), len);
        let (length, mut original) = (original.len() as u64, Cursor::new(original));
        let _leaks = leaks(&mut Cursor::new(data), len, &mut original, length);
    }
    done
}

/// Puts one kept input through the same.
///
/// # Panics
/// If it breaks something, is not stable or is slow.
pub fn replay(name: &str, data: &[u8]) {
    let start = processor_time();
    let done = one(0, data, data);
    let took = processor_time() - start;
    println!("{name}: {done:?}, {} ms", took.as_millis());
    assert!(!done.unstable, "{name}: strip of strip differs");
    assert!(took < SLOW, "{name}: took {took:?}");
}

/// Fuzzes one format: first the seeds as they are, then what `mutate` makes
/// of them, for `seconds` of processor time unless the environment says
/// otherwise. Prints the counts.
///
/// # Panics
/// If an input panics (it is kept in a file), takes over two seconds or
/// changes when it is stripped a second time, or if the process needed over
/// 512 MiB.
pub fn run(
    format: &str,
    seeds: &[Vec<u8>],
    seconds: f64,
    mutate: impl Fn(&mut Dice, &[Vec<u8>]) -> Vec<u8>,
) {
    let seconds = number("FERNSEED_FUZZ_SECONDS").unwrap_or(seconds);
    let seed = number("FERNSEED_FUZZ_SEED").unwrap_or(1.0) as u64;
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15 ^ seed.wrapping_mul(0x2545_F491_4F6C_DD1D));
    forget_memory();
    let begun = processor_time();
    let (mut runs, mut stripped, mut changed, mut worst) = (0u64, 0u64, 0u64, Duration::ZERO);
    let folder =
        std::env::var_os("FERNSEED_FUZZ_KEEP").map_or_else(std::env::temp_dir, PathBuf::from);
    let keep = |data: &[u8], run: u64, what: &str| {
        let path = folder.join(format!("fernseed-fuzz-{format}-{seed}-{run}-{what}.bin"));
        std::fs::write(&path, data).unwrap();
        println!("{format}: run {run} of sequence {seed} is in {}", path.display());
    };
    let mut pending = seeds.iter();
    loop {
        let next = pending.next().cloned();
        if next.is_none() && (processor_time() - begun).as_secs_f64() >= seconds {
            break;
        }
        let data = next.unwrap_or_else(|| mutate(&mut dice, seeds));
        let start = processor_time();
        let result = std::panic::catch_unwind(|| {
            let done = one(runs, &data, &seeds[0]);
            let took = processor_time() - start;
            assert!(took < SLOW, "took {took:?}");
            (done, took)
        });
        match result {
            Ok((done, took)) => {
                stripped += u64::from(done.stripped);
                worst = worst.max(took);
                changed += u64::from(done.unstable);
                if done.unstable && changed <= 3 {
                    keep(&data, runs, "unstable");
                }
            }
            Err(panic) => {
                keep(&data, runs, "broken");
                std::panic::resume_unwind(panic);
            }
        }
        runs += 1;
    }
    let (memory, took) = (peak_memory(), (processor_time() - begun).as_secs_f64());
    println!(
        "fuzz {format}: {} seeds, {runs} inputs, {stripped} stripped, {changed} unstable, {took:.1} s, worst {} ms, \
         peak {} MiB",
        seeds.len(),
        worst.as_millis(),
        memory >> 10
    );
    assert!(runs > 10 && stripped > 0, "{format}: {runs} runs, {stripped} stripped");
    assert!(changed == 0, "{format}: {changed} of {stripped} unstable");
    assert!(memory < MOST_MEMORY, "{format}: {memory} KiB");
}
