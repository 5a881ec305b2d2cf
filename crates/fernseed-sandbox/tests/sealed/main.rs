//! Sealed workers against a real kernel.
//!
//! The binary plays three parts: `zygote` (what `roles` does inside), `probe`
//! (a host in a process of its own, so that it can run as another user or
//! under a system call injector) and the test runner.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::exit,
    reason = "a test binary with its own runner"
)]

mod cases;
mod confinement;
mod probe;
mod roles;

use std::panic::catch_unwind;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("zygote") => fernseed_sandbox::zygote_main(|| Ok(roles::PREPARED), roles::run),
        Some("zygote-refusing") => {
            fernseed_sandbox::zygote_main(|| Err::<u64, _>("no models".to_owned()), roles::run)
        }
        Some("zygote-threaded") => fernseed_sandbox::zygote_main(
            || {
                std::thread::spawn(|| std::thread::sleep(std::time::Duration::from_secs(60)));
                Ok(0)
            },
            roles::run,
        ),
        Some("zygote-hanging") => fernseed_sandbox::zygote_main(
            || {
                std::thread::sleep(std::time::Duration::from_secs(60));
                Ok(0)
            },
            roles::run,
        ),
        Some("probe") => probe::main(&args[1..]),
        _ => run(&args),
    }
}

/// A small libtest: `--list`, `--exact` and name filters.
fn run(args: &[String]) {
    let filters: Vec<_> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let exact = args.iter().any(|arg| arg == "--exact");
    let wanted = |name: &str| {
        let hit = |f: &&&String| if exact { name == **f } else { name.contains(f.as_str()) };
        filters.is_empty() || filters.iter().any(|filter| hit(&filter))
    };
    let cases: Vec<_> = cases::ALL.iter().filter(|(name, _)| wanted(name)).collect();
    if args.iter().any(|arg| arg == "--list") {
        for (name, _) in &cases {
            println!("{name}: test");
        }
        return;
    }
    println!("\nrunning {} tests", cases.len());
    let mut failed = Vec::new();
    for (name, case) in &cases {
        let good = catch_unwind(case).is_ok();
        println!("test {name} ... {}", if good { "ok" } else { "FAILED" });
        if !good {
            failed.push(*name);
        }
    }
    println!("\n{} passed; {} failed {failed:?}\n", cases.len() - failed.len(), failed.len());
    std::process::exit(i32::from(!failed.is_empty()));
}
