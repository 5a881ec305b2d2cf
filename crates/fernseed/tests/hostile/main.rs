//! Hostile files, a hostile worker, a hostile disk and a hostile moment.
//!
//! The binary plays three parts: `zygote` (the fork server of workers that
//! misbehave on command), `broken-writer` (programs that the crash harness
//! must catch) and the test runner. What takes long runs in part by default
//! and whole with `FERNSEED_HOSTILE=all` (`make hostile`); docs/acceptance.md
//! says what that covers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::exit,
    reason = "a test binary with its own runner"
)]

#[path = "../common/mod.rs"]
mod common;

mod batch;
mod bombs;
mod crash;
mod fuzz;
mod guards;
mod harness;
mod make;
mod misbehave;
mod mutants;
mod mutate;
mod power;
mod traces;
mod writers;

use std::panic::catch_unwind;

type Case = (&'static str, fn());

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("zygote") => fernseed_sandbox::zygote_main(|| Ok(()), misbehave::worker),
        Some("broken-writer") => std::process::exit(writers::main(&args[1..])),
        _ => run(&args),
    }
}

/// True if everything is to be run, not only a sample.
fn whole() -> bool {
    std::env::var_os("FERNSEED_HOSTILE").is_some_and(|v| v == "all")
}

/// A small libtest: `--list`, `--exact` and name filters.
fn run(args: &[String]) {
    let filters: Vec<_> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let exact = args.iter().any(|arg| arg == "--exact");
    let wanted = |name: &str| {
        let hit = |f: &&&String| if exact { name == **f } else { name.contains(f.as_str()) };
        filters.is_empty() || filters.iter().any(|filter| hit(&filter))
    };
    let all: Vec<Case> = [
        batch::CASES,
        bombs::CASES,
        crash::CASES,
        fuzz::CASES,
        guards::CASES,
        misbehave::CASES,
        mutants::CASES,
        power::CASES,
        traces::CASES,
    ]
    .concat();
    let cases: Vec<_> = all.into_iter().filter(|(name, _)| wanted(name)).collect();
    if args.iter().any(|arg| arg == "--list") {
        for (name, _) in &cases {
            println!("{name}: test");
        }
        return;
    }
    println!("\nrunning {} tests", cases.len());
    let mut failed = Vec::new();
    for (name, case) in &cases {
        let started = std::time::Instant::now();
        let good = catch_unwind(case).is_ok();
        let seconds = started.elapsed().as_secs_f64();
        println!("test {name} ... {} ({seconds:.1} s)", if good { "ok" } else { "FAILED" });
        if !good {
            failed.push(*name);
        }
    }
    println!("\n{} passed; {} failed {failed:?}\n", cases.len() - failed.len(), failed.len());
    std::process::exit(i32::from(!failed.is_empty()));
}
