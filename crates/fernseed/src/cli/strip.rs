//! `strip`: everything but picture and sound goes.

use super::args::StripArgs;
use super::progress::Bars;
use super::redact::{cores, jobs, start_readers, write_report_of};
use super::summary::{dropped_line, finding_lines};
use super::terminal::{Problem, Terminal};
use fernseed::exit::Exit;
use fernseed::host::batch::exit_of;
use fernseed::host::inputs::{Destination, Input, InputError, collect, create_folders};
use fernseed::host::naming;
use fernseed::host::pool::in_order;
use fernseed::host::sidecars::Sidecars;
use fernseed::host::strip::{Place, Settings, strip as strip_one};
use fernseed::protocol::OutputOptions;
use fernseed::report::{FileReport, Status, StripReport};
use fernseed::words;
use fernseed_core::plan::KeptSpan;
use fernseed_sandbox::printable;
use fernseed_scrub::StripOptions;

pub(crate) fn strip(args: &StripArgs, out: &Terminal) -> Result<Exit, Problem> {
    let to = Destination { path: args.output.clone(), format: None, any_format: true };
    let mut collected = collect(&args.inputs, &to).map_err(Problem::usage)?;
    let mut exit = Exit::Clean;
    for (_, error) in &collected.failed {
        out.error(&error.to_string());
        exit = exit.max(Exit::Input);
    }
    if args.rename {
        naming::rename_all(&mut collected.inputs).map_err(Problem::io)?;
    }
    if args.in_place {
        if !args.backup {
            out.warn("originals are replaced and no backup is kept (--backup keeps one).");
        }
    } else {
        create_folders(&collected.inputs).map_err(Problem::io)?;
    }
    let inputs = collected.inputs;
    // Twice as many as cores: half the time of a file goes into waiting for
    // the disk to have it.
    let jobs = jobs(Some(args.jobs.unwrap_or_else(|| 2 * cores())), inputs.len());
    let settings = settings(args, jobs);
    let workers = start_readers()?;
    let sidecars = Sidecars::default();
    let bars = Bars::new(out, inputs.len(), true);
    let mut done = Vec::new();
    let mut published = false;
    in_order(
        &inputs,
        jobs,
        &|| workers.interrupted(),
        &|input| {
            let mut listener = bars.begin_file(input);
            strip_one(&workers, input, &settings, &sidecars, &mut *listener)
        },
        &mut |input, report| {
            bars.end_file(|| show(out, input, &report));
            exit = exit.max(exit_of(&report, true));
            published |= report.status == Status::Published;
            if args.report.is_some() || report.status == Status::Skipped || done.is_empty() {
                done.push(report);
            }
        },
    );
    bars.clear();
    if !done.is_empty() && done.iter().all(|r| r.status == Status::Skipped) {
        for folder in args.inputs.iter().filter(|p| p.is_dir()) {
            out.error(&InputError::EmptyFolder(folder.clone()).to_string());
        }
        exit = exit.max(Exit::Input);
    }
    if workers.interrupted() {
        exit = exit.max(Exit::Interrupted);
    }
    if published {
        out.say(words::STRIP_NOT_PROTECTED);
    }
    if let Some(path) = &args.report {
        let named_by_user = args.output.as_deref().is_some_and(|p| p.is_file());
        let names = args.report_names || args.rename || named_by_user;
        write_report_of(path, names, Vec::new(), None, done, exit, out)?;
    }
    Ok(exit)
}

fn settings(args: &StripArgs, jobs: usize) -> Settings {
    Settings {
        options: StripOptions { unknown: args.unknown.into() },
        reencode: !args.no_reencode,
        output: OutputOptions {
            format: None,
            quality: args.quality,
            span: KeptSpan::default(),
            threads: (cores() / jobs).max(1),
            every_frame: true,
            one_decoder: true,
            keep_untouched: false,
        },
        place: if args.in_place { Place::Original { backup: args.backup } } else { Place::Target },
        accept_uncertain: args.accept_uncertain,
        names: args.report_names,
    }
}

fn show(out: &Terminal, input: &Input, report: &FileReport) {
    if out.json {
        if let Err(problem) = out.json(report) {
            out.problem(&problem);
        }
        return;
    }
    let name = printable(&input.path.to_string_lossy(), 300);
    if let Some(failure) = &report.failure {
        out.error(&format!("{name}: {}", failure.message));
        return;
    }
    out.say(&lines(&name, report, out.verbose).join("\n"));
    if report.status == Status::Withheld {
        out.error(&format!("{name}: the check of the finished file failed, nothing was written"));
        for line in finding_lines(report, out.verbose).iter().take(5) {
            out.error(&format!("{name}:{line}"));
        }
    }
}

/// What became of a file.
fn lines(name: &str, report: &FileReport, verbose: bool) -> Vec<String> {
    let output = report.output.as_deref().unwrap_or_default();
    let mut out = vec![match report.status {
        Status::Published if report.stripped.as_ref().is_some_and(|s| s.in_place) => {
            format!("{name}: replaced by the clean file")
        }
        Status::Published => format!("{name} → {output}"),
        Status::Held => format!("{name} → {output} (held: look at it before you use it)"),
        Status::Withheld => return vec![format!("{name}: withheld")],
        Status::Interrupted => return vec![format!("{name}: interrupted, nothing written")],
        Status::Skipped => return vec![format!("{name}: skipped, of no known format")],
        _ => return vec![format!("{name}: failed")],
    }];
    if let Some(strip) = &report.stripped {
        out.push(coded(strip, report.format.as_deref()));
        out.extend(strip.notes.iter().map(|n| format!("  note: {n}")));
        if let Some(backup) = &strip.backup {
            out.push(format!("  The original is kept as {backup}."));
        }
    }
    out.push(format!("  {}", dropped_line(report)));
    if verbose {
        for item in &report.metadata_dropped {
            out.push(format!("    {}: {} ({})", item.category, item.what, item.path));
        }
    }
    out.extend(finding_lines(report, verbose));
    if !report.not_protected.is_empty() && verbose {
        out.push("  Not protected:".to_owned());
        out.extend(report.not_protected.iter().map(|l| format!("    {l}")));
    }
    if let (Some(strip), true) = (&report.stripped, verbose) {
        out.extend(strip.checked.iter().map(|c| format!("  checked: {c}")));
    }
    out
}

/// Whether picture and sound are what they were.
fn coded(strip: &StripReport, format: Option<&str>) -> String {
    let is = |word: &str| format.is_some_and(|f| f.contains(word));
    let (what, are, were) = match () {
        () if is("photo") || is("picture") => ("The picture", "is", "was"),
        () if is("sound") => ("The sound", "is", "was"),
        () => ("Picture and sound", "are", "were"),
    };
    match (&strip.reason, strip.bit_exact) {
        (_, true) => format!("  {what} {are} unchanged, bit for bit."),
        (Some(reason), false) => format!("  {what} {were} coded again: {reason}."),
        (None, false) => format!("  {what} {were} coded again."),
    }
}
