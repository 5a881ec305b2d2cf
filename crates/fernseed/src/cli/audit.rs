//! `audit`: attacking a finished file.

use super::args::AuditArgs;
use super::inspect::name_of;
use super::links::links;
use super::plan_file;
use super::redact::{cores, start_workers};
use super::terminal::{Paint, Problem, Terminal};
use fernseed::exit::Exit;
use fernseed::host::job::{AUDIT_THRESHOLD, limits, open_input};
use fernseed::host::listing::{Listed, list};
use fernseed::host::pool::in_order;
use fernseed::host::workers::{Silent, WorkerError, Workers};
use fernseed::protocol::{FailureKind, Role, Task};
use fernseed::report::AuditLine;
use fernseed_core::finding::{Finding, Severity, Verdict};
use fernseed_core::plan::Plan;
use fernseed_core::time::clock;
use fernseed_scrub::OutputKind;
use std::cmp::Reverse;
use std::os::fd::AsFd;

/// Confidence from which a face counts as visible in a file without a plan:
/// nobody knows what it was made with.
const NO_PLAN_THRESHOLD: f32 = 0.4;
/// Findings of one weight that are printed without `-v`.
const MAX_PRINTED: usize = 12;

pub(crate) fn audit(args: &AuditArgs, out: &Terminal) -> Result<Exit, Problem> {
    if args.threshold.is_some_and(|t| !(0.05..=1.0).contains(&t)) {
        return Err(Problem::usage("--threshold must be between 0.05 and 1"));
    }
    if let Some(folder) = &args.link {
        return links(folder, args.jobs, out);
    }
    let plan = args.plan.as_deref().map(plan_file::read).transpose()?;
    if let Some(path) = &args.against {
        open_input(path).map_err(|e| Problem::input(format!("{}: {e}", path.display())))?;
    }
    let (files, failed) = list(&args.files);
    let mut exit = Exit::Clean;
    for error in failed {
        out.error(&error.to_string());
        exit = exit.max(Exit::Input);
    }
    let workers = start_workers()?;
    let jobs = args.jobs.unwrap_or_else(cores).min(files.len().max(1));
    let job = Job { workers: &workers, args, plan, threads: (cores() / jobs).max(1) };
    in_order(
        &files,
        jobs,
        &|| workers.interrupted(),
        &|file| job.audit(file),
        &mut |file, line| match line {
            Ok(line) => {
                exit = exit.max(match line.verdict {
                    Verdict::Clean => Exit::Clean,
                    Verdict::NeedsReview => Exit::Look,
                    Verdict::Failed => Exit::Withheld,
                });
                if !out.json {
                    print(out, &line);
                } else if let Err(problem) = out.json(&line) {
                    out.problem(&problem);
                }
            }
            Err(Skip::Interrupted) => {}
            Err(Skip::NoMedia) if file.from_folder => {
                out.say(&format!("{}: skipped, of no known format", name_of(file)));
            }
            Err(Skip::NoMedia) => {
                out.error(&format!("{}: is of no known format", name_of(file)));
                exit = exit.max(Exit::Input);
            }
            Err(Skip::Failed(why)) => {
                out.error(&format!("{}: {why}", name_of(file)));
                exit = exit.max(Exit::Input);
            }
        },
    );
    let interrupted = if workers.interrupted() { Exit::Interrupted } else { Exit::Clean };
    Ok(exit.max(interrupted))
}

/// Why there is nothing to say about a file.
enum Skip {
    Interrupted,
    NoMedia,
    Failed(String),
}

struct Job<'a> {
    workers: &'a Workers,
    args: &'a AuditArgs,
    plan: Option<Plan>,
    threads: usize,
}

impl Job<'_> {
    /// What was asked for; else, with a plan, what `redact` itself audits with.
    fn threshold(&self) -> f32 {
        let usual = || match &self.plan {
            Some(plan) => plan.policy.threshold * AUDIT_THRESHOLD,
            None => NO_PLAN_THRESHOLD,
        };
        self.args.threshold.unwrap_or_else(usual)
    }

    fn audit(&self, file: &Listed) -> Result<AuditLine, Skip> {
        let failed = |e: &dyn std::fmt::Display| Skip::Failed(e.to_string());
        let open = open_input(&file.path).map_err(|e| failed(&e))?;
        // Opened anew for each file: a handle's position is shared.
        let original =
            self.args.against.as_deref().map(open_input).transpose().map_err(|e| failed(&e))?;
        let task = Task::Audit {
            plan: self.plan.clone(),
            with_original: original.is_some(),
            threshold: self.threshold(),
            threads: self.threads,
            mended: None,
        };
        let mut files = vec![open.as_fd()];
        files.extend(original.as_ref().map(|file| file.as_fd()));
        let said = match self.workers.run(Role::Audit, &files, task, limits(), &mut Silent) {
            Ok(said) => said,
            Err(WorkerError::Interrupted) => return Err(Skip::Interrupted),
            Err(WorkerError::Failed(f)) if f.kind == FailureKind::NotMedia => {
                return Err(Skip::NoMedia);
            }
            Err(error) => return Err(failed(&error)),
        };
        let mut findings = said.findings;
        findings.sort_by_key(|f| Reverse(f.severity));
        let (container, unclaimed, structures) =
            said.contents.map_or((OutputKind::Unknown, 0, Vec::new()), |c| {
                (c.container, c.unclaimed, c.structures)
            });
        Ok(AuditLine {
            file: name_of(file),
            verdict: Verdict::of(&findings),
            container,
            unclaimed,
            findings,
            structures,
            checked: said.checked,
        })
    }
}

fn print(out: &Terminal, line: &AuditLine) {
    let (word, paint) = match line.verdict {
        Verdict::Clean => ("clean", Paint::Good),
        Verdict::NeedsReview => ("a person must look", Paint::Doubt),
        Verdict::Failed => ("FAILED", Paint::Bad),
    };
    out.result(&format!("{}: {}", out.paint(Paint::Strong, &line.file), out.paint(paint, word)));
    let mut rest = line.findings.as_slice();
    while let Some(first) = rest.first() {
        let same = rest.iter().take_while(|f| f.severity == first.severity).count();
        let (group, after) = rest.split_at(same);
        rest = after;
        let shown = if out.verbose { same } else { MAX_PRINTED };
        for finding in group.iter().take(shown) {
            out.result(&format!("  {}", sentence(out, finding)));
        }
        if same > shown {
            out.result(&format!("  and {} more like these (-v lists all)", same - shown));
        }
    }
    if out.verbose {
        for s in &line.structures {
            out.result(&format!("  {} {}..{}", s.path, s.start, s.end));
        }
        for checked in &line.checked {
            out.result(&format!("  looked at: {checked}"));
        }
    }
}

fn sentence(out: &Terminal, finding: &Finding) -> String {
    let (mark, paint) = match finding.severity {
        Severity::Info | Severity::Notice => ("note", Paint::Plain),
        Severity::Doubt => ("LOOK", Paint::Doubt),
        Severity::Failure => ("FAILED", Paint::Bad),
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
    format!("{}{}: {}", out.paint(paint, mark), out.paint(Paint::Faint, &at), finding.message)
}
