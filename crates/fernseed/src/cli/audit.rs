//! `audit`: attacking a finished file.

use super::args::AuditArgs;
use super::plan_file;
use super::redact::start_workers;
use super::terminal::{Problem, Terminal};
use fernseed::exit::Exit;
use fernseed::host::job::{limits, open_input};
use fernseed::host::workers::{Silent, WorkerError};
use fernseed::protocol::{Role, Task};
use fernseed_core::finding::{Finding, Severity, Verdict};
use fernseed_core::time::clock;
use serde::Serialize;
use std::os::fd::AsFd;

/// One line of `audit --json`.
#[derive(Debug, Serialize)]
struct Line {
    file: String,
    verdict: Verdict,
    findings: Vec<Finding>,
    structures: Vec<String>,
}

pub(crate) fn audit(args: &AuditArgs, out: &Terminal) -> Result<Exit, Problem> {
    if !(0.05..=1.0).contains(&args.threshold) {
        return Err(Problem::usage("--threshold must be between 0.05 and 1"));
    }
    let plan = args.plan.as_deref().map(plan_file::read).transpose()?;
    let original = match &args.against {
        None => None,
        Some(path) => {
            Some(open_input(path).map_err(|e| Problem::input(format!("{}: {e}", path.display())))?)
        }
    };
    let workers = start_workers()?;
    let mut exit = Exit::Clean;
    for path in &args.files {
        let name = fernseed_sandbox::printable(&path.to_string_lossy(), 300);
        let file = match open_input(path) {
            Ok(file) => file,
            Err(error) => {
                out.error(&format!("{name}: {error}"));
                exit = exit.max(Exit::Input);
                continue;
            }
        };
        let task = Task::Audit {
            plan: plan.clone(),
            with_original: original.is_some(),
            threshold: args.threshold,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        };
        let mut files = vec![file.as_fd()];
        if let Some(original) = &original {
            files.extend([original.as_fd(), original.as_fd()]);
        }
        match workers.run(Role::Audit, &files, &task, limits(), &mut Silent) {
            Ok(said) => {
                let verdict = Verdict::of(&said.findings);
                exit = exit.max(match verdict {
                    Verdict::Clean => Exit::Clean,
                    Verdict::NeedsReview => Exit::Look,
                    Verdict::Failed => Exit::Withheld,
                });
                let line = Line {
                    file: name,
                    verdict,
                    findings: said.findings,
                    structures: said.contents,
                };
                if out.json { out.json(&line)? } else { print(out, &line) }
            }
            Err(WorkerError::Interrupted) => return Ok(Exit::Interrupted),
            Err(error) => {
                out.error(&format!("{name}: {error}"));
                exit = exit.max(Exit::Input);
            }
        }
    }
    Ok(exit)
}

fn print(out: &Terminal, line: &Line) {
    let word = match line.verdict {
        Verdict::Clean => "clean",
        Verdict::NeedsReview => "a person must look",
        Verdict::Failed => "FAILED",
    };
    out.result(&format!("{}: {word}", line.file));
    for finding in &line.findings {
        let mark = match finding.severity {
            Severity::Info | Severity::Notice => "note",
            Severity::Doubt => "LOOK",
            Severity::Failure => "FAILED",
        };
        let mut at = String::new();
        if let Some(seconds) = finding.place.seconds {
            at = format!(" at {}", clock(seconds));
        }
        if let Some(structure) = &finding.place.structure {
            at = format!("{at} in {structure}");
        }
        if let Some((from, to)) = finding.place.bytes {
            at = format!("{at}, bytes {from}–{to}");
        }
        out.result(&format!("  {mark}{at}: {}", finding.message));
    }
    if out.verbose {
        for structure in &line.structures {
            out.result(&format!("  {structure}"));
        }
    }
}
