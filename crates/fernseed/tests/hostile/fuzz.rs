//! Fuzzing of what a taken-over worker, a plan from somebody else and a
//! damaged ledger can say to the host. (Media parsers are fuzzed in their own
//! crates.)
//!
//! Two seconds each by default; `FERNSEED_FUZZ_SECONDS` gives the time for
//! each, `FERNSEED_FUZZ_SEED` another sequence. What once failed is kept in
//! `regressions/`, each file with a case of its own.

mod ledger;
mod plan;
mod protocol;
mod words;

use crate::Case;
use crate::mutate::Random;
use std::time::{Duration, Instant};

pub(crate) const CASES: &[Case] = &[
    ("fuzz_protocol", protocol::fuzz),
    ("fuzz_plan", plan::fuzz),
    ("fuzz_ledger", ledger::fuzz),
    ("an_event_with_an_infinite_place_is_refused", protocol::infinite_place),
    ("a_plan_with_an_infinite_confidence_is_refused", plan::infinite_confidence),
    ("a_ledger_with_the_same_file_twice_is_refused", ledger::same_file_twice),
];

/// Most memory of this process while it fuzzes, in KiB.
const MOST_MEMORY: u64 = 1 << 20;
/// Longest one input may take.
const SLOW: Duration = Duration::from_secs(2);

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).ok().and_then(|v| v.parse().ok()).unwrap_or(otherwise)
}

/// Feeds inputs, made by `attempt` from random numbers, for the time asked
/// for. `attempt` says whether its input was taken rather than refused; some
/// of both have to occur, or the fuzzer tests nothing.
fn run(what: &str, mut attempt: impl FnMut(&mut Random) -> bool) {
    let seed = number("FERNSEED_FUZZ_SEED", 1);
    let time = Duration::from_secs(number("FERNSEED_FUZZ_SECONDS", 2));
    let mut random = Random::new(seed);
    let started = Instant::now();
    let (mut taken, mut refused, mut worst) = (0u64, 0u64, Duration::ZERO);
    while started.elapsed() < time || taken == 0 || refused == 0 {
        let one = Instant::now();
        if attempt(&mut random) {
            taken += 1;
        } else {
            refused += 1;
        }
        worst = worst.max(one.elapsed());
        assert!(started.elapsed() < time + Duration::from_secs(120), "{taken} {refused}");
    }
    let memory = crate::batch::peak(std::process::id()).unwrap_or(0);
    println!(
        "{what}, seed {seed}: {taken} inputs taken, {refused} refused, slowest {worst:?}, peak {} \
         MiB",
        memory >> 10
    );
    assert!(worst < SLOW * 10, "{worst:?} for one input");
    assert!(memory < MOST_MEMORY, "{memory} KiB");
}

/// A regression file.
fn regression(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path.join("tests/hostile/regressions").join(name)).unwrap()
}
