//! `redact`, `scan` and `apply`.

use super::args::{ApplyArgs, OutputArgs, PolicyArgs, RedactArgs, ScanArgs, SpanArgs};
use super::folders;
use super::plan_file;
use super::progress::Bars;
use super::summary;
use super::terminal::{Problem, Terminal};
use fernseed::exit::Exit;
use fernseed::host::batch::{self, exit_of};
use fernseed::host::inputs::{
    Destination, Input, InputError, collect, create_folders, named_like_video,
};
use fernseed::host::interrupt::Interrupt;
use fernseed::host::job::{self, Finished, Settings};
use fernseed::host::naming;
use fernseed::host::resume::resume;
use fernseed::host::workers::{Listener, Workers};
use fernseed::protocol::OutputOptions;
use fernseed::report::{FileReport, ModelUsed, REPORT_VERSION, Report, Status};
use fernseed_core::plan::KeptSpan;
use fernseed_core::policy::{AudioPolicy, Policy};
use fernseed_sandbox::{Level, SandboxError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files in one batch share the cores; a single one gets them all.
const MAX_JOBS: usize = 64;

pub(crate) fn redact(args: &RedactArgs, out: &Terminal) -> Result<Exit, Problem> {
    let policy = policy(&args.policy, out)?;
    let to = Destination {
        path: args.output.output.clone(),
        format: args.output.format.map(Into::into),
        ..Destination::default()
    };
    let mut collected = collect(&args.inputs, &to).map_err(Problem::usage)?;
    let mut exit = Exit::Clean;
    for (_, error) in &collected.failed {
        out.error(&error.to_string());
        exit = exit.max(Exit::Input);
    }
    if args.rename {
        naming::rename_all(&mut collected.inputs).map_err(Problem::io)?;
    }
    let jobs = jobs(args.jobs, collected.inputs.len());
    let settings = Settings {
        output: OutputOptions {
            keep_untouched: args.keep_untouched,
            ..output_options(&args.output, span(&args.span)?, jobs)
        },
        accept_uncertain: args.output.accept_uncertain,
        dry_run: args.dry_run,
        names: args.output.report_names,
        sidecars: Arc::default(),
        policy,
    };
    let mut inputs = collected.inputs;
    let workers = start_workers_for(&inputs)?;
    // Held until the end.
    let _locks =
        if args.dry_run { Vec::new() } else { folders::prepare(&args.inputs, &inputs, &to)? };
    let ledger = match args.resume {
        true => Some(folders::ledger(&to, &fingerprint(&settings)?, settings.names)?),
        false => None,
    };
    let mut keeper = None;
    if let Some(ledger) = &ledger {
        let resumed = resume(ledger, inputs).map_err(Problem::io)?;
        folders::say_done(&resumed.done, out);
        if resumed.done.held > 0 || (resumed.done.empty > 0 && !args.allow_empty) {
            exit = exit.max(Exit::Look);
        }
        inputs = resumed.inputs;
        keeper = Some(resumed.keeper);
    }
    let bars = Bars::new(out, inputs.len(), args.allow_empty);
    let work = |input: &Input, listener: &mut dyn Listener| {
        job::redact(&workers, input, None, &settings, listener)
    };
    let done = batch::each(&workers, &inputs, jobs, keeper.as_ref(), &bars, &work);
    bars.clear();
    folders::say_left(done.len(), inputs.len(), args.resume, out);
    exit = end(&done, exit, args.allow_empty, &workers);
    if !done.is_empty() && done.iter().all(|f| f.report.status == Status::Skipped) {
        for folder in args.inputs.iter().filter(|p| p.is_dir()) {
            let error = InputError::EmptyFolder(folder.clone());
            out.error(&error.to_string());
        }
        exit = exit.max(Exit::Input);
    }
    write_report(&args.output, args.rename, &settings.policy, done, exit, out)?;
    Ok(exit)
}

pub(crate) fn scan(args: &ScanArgs, out: &Terminal) -> Result<Exit, Problem> {
    let policy = policy(&args.policy, out)?;
    if let Some(path) = &args.output {
        plan_file::refuse_existing(path)?;
    }
    let settings = Settings {
        output: OutputOptions {
            format: None,
            quality: None,
            span: span(&args.span)?,
            threads: cores(),
            // A plan is kept and applied later, so it counts every frame.
            every_frame: true,
            one_decoder: false,
            keep_untouched: false,
        },
        accept_uncertain: false,
        dry_run: true,
        names: false,
        sidecars: Arc::default(),
        policy,
    };
    let inputs = [lone_input(&args.input, &Destination::default())?];
    let workers = start_workers_for(&inputs)?;
    let bars = Bars::new(out, 1, true).words_to_stderr();
    let mut done = batch::run(&workers, &inputs, None, &settings, 1, &bars);
    bars.clear();
    let exit = end(&done, Exit::Clean, true, &workers);
    if let Some(plan) = done.pop().and_then(|f| f.plan) {
        plan_file::write(&plan, args.output.as_deref(), out)?;
    }
    Ok(exit)
}

pub(crate) fn apply(args: &ApplyArgs, out: &Terminal) -> Result<Exit, Problem> {
    let plan = plan_file::read(&args.plan)?;
    let to = Destination {
        path: args.output.output.clone(),
        format: args.output.format.map(Into::into),
        ..Destination::default()
    };
    let inputs = [lone_input(&args.input, &to)?];
    create_folders(&inputs).map_err(Problem::io)?;
    let settings = Settings {
        output: output_options(&args.output, plan.source.span, 1),
        accept_uncertain: args.output.accept_uncertain,
        dry_run: false,
        names: args.output.report_names,
        sidecars: Arc::default(),
        policy: plan.policy.clone(),
    };
    warn_of_weak_choices(&plan.policy, out);
    let workers = start_workers_for(&inputs)?;
    let bars = Bars::new(out, 1, true);
    let done = batch::run(&workers, &inputs, Some(&plan), &settings, 1, &bars);
    bars.clear();
    let exit = end(&done, Exit::Clean, true, &workers);
    write_report(&args.output, false, &settings.policy, done, exit, out)?;
    Ok(exit)
}

/// Everything that decides what the outputs of a batch look like.
fn fingerprint(settings: &Settings) -> Result<String, Problem> {
    let OutputOptions {
        format,
        quality,
        span,
        threads: _,
        every_frame: _,
        one_decoder: _,
        keep_untouched,
    } = &settings.output;
    let how = (format, quality, span, keep_untouched);
    serde_json::to_string(&("redact", &settings.policy, how)).map_err(Problem::io)
}

/// The exit code of a run.
fn end(done: &[Finished], so_far: Exit, allow_empty: bool, workers: &Workers) -> Exit {
    let worst = done.iter().map(|f| exit_of(&f.report, allow_empty)).max().unwrap_or_default();
    let interrupted = if workers.interrupted() { Exit::Interrupted } else { Exit::Clean };
    so_far.max(worst).max(interrupted)
}

fn lone_input(path: &Path, to: &Destination) -> Result<Input, Problem> {
    if path.is_dir() {
        return Err(Problem::usage(format!("{}: is a folder, name one file", path.display())));
    }
    let paths = [path.to_owned()];
    let mut collected = collect(&paths, to).map_err(Problem::usage)?;
    if let Some((_, error)) = collected.failed.pop() {
        return Err(Problem::input(error));
    }
    collected
        .inputs
        .pop()
        .ok_or_else(|| Problem::input(format!("{}: no such file", path.display())))
}

/// Workers for everything.
pub(crate) fn start_workers() -> Result<Workers, Problem> {
    let interrupt = Interrupt::install().map_err(Problem::io)?;
    Workers::start(interrupt, Level::B).map_err(cannot_start)
}

/// Workers for everything, mostly for these files.
fn start_workers_for(inputs: &[Input]) -> Result<Workers, Problem> {
    if !named_like_video(inputs) {
        return start_workers();
    }
    let interrupt = Interrupt::install().map_err(Problem::io)?;
    Workers::start_for_videos(interrupt, Level::B).map_err(cannot_start)
}

/// Workers that mostly read structure, in safe Rust: they may run where
/// decoders may not.
pub(crate) fn start_readers() -> Result<Workers, Problem> {
    let interrupt = Interrupt::install().map_err(Problem::io)?;
    Workers::start_reading(interrupt, Level::C).map_err(cannot_start)
}

fn cannot_start(error: SandboxError) -> Problem {
    Problem::io(format!("cannot start the sandboxed worker: {error}; see `fernseed doctor`"))
}

fn policy(args: &PolicyArgs, out: &Terminal) -> Result<Policy, Problem> {
    let defaults = Policy {
        grow: fernseed_detect::RECOMMENDED_GROW,
        pad: fernseed_detect::RECOMMENDED_PAD,
        threshold: fernseed_detect::DEFAULT_THRESHOLD,
        ..Policy::default()
    };
    let policy = Policy {
        treatment: args.style.into(),
        fill: args.fill,
        shape: args.shape.into(),
        grow: args.grow.unwrap_or(defaults.grow),
        threshold: args.threshold.unwrap_or(defaults.threshold),
        audio: if args.keep_audio { AudioPolicy::Keep } else { args.audio.into() },
        ..defaults
    };
    policy.check().map_err(Problem::usage)?;
    if args.scale.is_some() {
        out.warn("--scale is ignored: fernseed looks at several scales by itself.");
    }
    warn_of_weak_choices(&policy, out);
    Ok(policy)
}

fn warn_of_weak_choices(policy: &Policy, out: &Terminal) {
    if !policy.treatment.is_opaque() {
        out.warn(
            "mosaic and blur keep a little of what they cover; only the solid style owes nothing \
             to it.",
        );
    }
    if policy.audio == AudioPolicy::Keep {
        out.warn("the sound is kept: people can be recognised by their voices.");
    }
}

fn span(args: &SpanArgs) -> Result<KeptSpan, Problem> {
    if let (Some(start), Some(end)) = (args.start, args.end)
        && end <= start
    {
        return Err(Problem::usage("--end must be later than --start"));
    }
    Ok(KeptSpan { start: args.start, end: args.end })
}

fn output_options(args: &OutputArgs, span: KeptSpan, jobs: usize) -> OutputOptions {
    OutputOptions {
        format: args.output.as_deref().and_then(named_format).or(args.format.map(Into::into)),
        quality: args.quality,
        span,
        threads: (cores() / jobs).max(1),
        every_frame: false,
        one_decoder: false,
        keep_untouched: false,
    }
}

fn named_format(path: &Path) -> Option<fernseed::protocol::OutputFormat> {
    if path.is_dir() {
        return None;
    }
    fernseed::protocol::OutputFormat::from_extension(&path.extension()?.to_string_lossy())
}

pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

pub(crate) fn jobs(asked: Option<usize>, files: usize) -> usize {
    asked.unwrap_or_else(cores).clamp(1, MAX_JOBS).min(files.max(1))
}

/// Writes the report, if one is asked for. Names of outputs are in it where they
/// say nothing (`random`) or the user chose them.
fn write_report(
    args: &OutputArgs,
    random: bool,
    policy: &Policy,
    done: Vec<Finished>,
    exit: Exit,
    out: &Terminal,
) -> Result<(), Problem> {
    let Some(path): Option<&PathBuf> = args.report.as_ref() else { return Ok(()) };
    let named_by_user = args.output.as_deref().and_then(named_format).is_some();
    let names = args.report_names || random || named_by_user;
    let files = done.into_iter().map(|f| f.report).collect();
    write_report_of(path, names, models(), Some(policy.clone()), files, exit, out)
}

/// Writes the report of a run. Unless `names`, names of outputs that hold
/// the originals' are left out.
pub(crate) fn write_report_of(
    path: &Path,
    names: bool,
    models: Vec<ModelUsed>,
    policy: Option<Policy>,
    files: Vec<FileReport>,
    exit: Exit,
    out: &Terminal,
) -> Result<(), Problem> {
    let nameless = |f: FileReport| if names { f } else { FileReport { output: None, ..f } };
    let report = Report {
        version: REPORT_VERSION,
        program: concat!("fernseed ", env!("CARGO_PKG_VERSION")).to_owned(),
        models,
        policy,
        files: files.into_iter().map(nameless).collect(),
        exit_code: exit as u8,
    };
    plan_file::write_new(path, &report)?;
    out.say(&format!("The report is in {}.", path.display()));
    Ok(())
}

/// The models that looked.
pub(crate) fn models() -> Vec<ModelUsed> {
    fernseed_detect::models()
        .iter()
        .map(|m| ModelUsed {
            name: m.name.to_owned(),
            licence: m.licence.to_owned(),
            sha256: m.sha256.to_owned(),
        })
        .collect()
}

/// Prints what became of a file, for people or as JSON.
pub(crate) fn show(out: &Terminal, input: &Input, finished: &Finished, to_stderr: bool) {
    if out.json && !to_stderr {
        if let Err(problem) = out.json(&finished.report) {
            out.problem(&problem);
        }
        return;
    }
    summary::print(out, input, &finished.report, to_stderr);
}
