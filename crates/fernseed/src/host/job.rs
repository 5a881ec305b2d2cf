//! One file from input to verdict: redact, audit, repair what the audit
//! still sees, publish, hold or withhold.

use super::inputs::Input;
use super::mending::Mending;
use super::publish::{PendingOutput, PublishError};
use super::sidecars::Sidecars;
use super::workers::{Flow, Listener, Outgoing, Said, WorkerError, Workers};
use crate::protocol::{
    Failure, FailureKind, OutputFormat, OutputOptions, Phase, Role, SourceFacts, Task,
};
use crate::report::{Dropped, FailureReport, FileReport, Hidden, Status};
use crate::words;
use fernseed_core::finding::{Finding, FindingCode, Severity, Verdict};
use fernseed_core::plan::{Action, Decision, MediaKind, Plan, Redaction};
use fernseed_core::policy::{AudioPolicy, Policy};
use fernseed_sandbox::WorkerLimits;
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Times that the output is redone because the audit still saw somebody.
const REPAIRS: usize = 2;
/// The auditor reports faces from this share of the policy's threshold on:
/// it looks at a lower threshold than the redactor did.
pub const AUDIT_THRESHOLD: f32 = 0.95;
/// Largest output, bytes: so much, and so many times the input. A worker
/// that was taken over can fill no more of the disk.
const MAX_OUTPUT: u64 = 4 << 30;
const MAX_GROWTH: u64 = 64;

/// What is the same for every file of a run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What to hide and how.
    pub policy: Policy,
    /// How to write it.
    pub output: OutputOptions,
    /// Publish under the final name in spite of doubts.
    pub accept_uncertain: bool,
    /// Only look, write nothing.
    pub dry_run: bool,
    /// Put names of originals into the report.
    pub names: bool,
    /// What lies beside the inputs.
    pub sidecars: Arc<Sidecars>,
}

/// A file's report, and its plan if it got that far.
#[derive(Debug)]
pub struct Finished {
    /// What became of it.
    pub report: FileReport,
    /// What was destroyed.
    pub plan: Option<Plan>,
}

impl Finished {
    /// A file that failed before anything was learned of it.
    #[must_use]
    pub fn failed(kind: FailureKind, message: String) -> Self {
        let failure = Some(FailureReport { kind, message });
        Self { report: FileReport { failure, ..blank_report() }, plan: None }
    }
}

/// Redacts one file by the policy, or renders `plan` if there is one.
pub fn redact(
    workers: &Workers,
    input: &Input,
    plan: Option<&Plan>,
    settings: &Settings,
    listener: &mut dyn Listener,
) -> Finished {
    let mut report = empty_report(&input.path, settings.names);
    let outcome = attempt(workers, input, plan, settings, listener, &mut report);
    let plan = match outcome {
        Ok(plan) => plan,
        Err(stop) => {
            stop.write_into(&mut report, input, words::hint);
            None
        }
    };
    if report.failure.is_none() && report.status != Status::Skipped {
        report.findings.extend(super::strip::beside(&settings.sidecars.of(&input.path)));
    }
    Finished { report, plan }
}

/// Why a file did not get to its verdict.
pub(super) enum Stop {
    Worker(WorkerError),
    Publish(PublishError),
    Open(OpenError),
}

/// Why an input could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The system said no.
    #[error("cannot be opened: {0}; check its name and permissions")]
    System(#[from] std::io::Error),
    /// A folder, pipe or device.
    #[error("is not an ordinary file; copy it to one first")]
    NotAFile,
    /// No bytes at all.
    #[error("is empty; check whether copying it went wrong")]
    Empty,
}

impl From<WorkerError> for Stop {
    fn from(error: WorkerError) -> Self {
        Self::Worker(error)
    }
}

impl From<OpenError> for Stop {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

impl From<PublishError> for Stop {
    fn from(error: PublishError) -> Self {
        Self::Publish(error)
    }
}

impl Stop {
    pub(super) fn write_into(
        self,
        report: &mut FileReport,
        input: &Input,
        hint: fn(FailureKind) -> &'static str,
    ) {
        let (kind, message) = match self {
            Self::Worker(WorkerError::Interrupted) => {
                report.status = Status::Interrupted;
                return;
            }
            Self::Worker(WorkerError::Failed(Failure { kind: FailureKind::NotMedia, .. }))
                if input.from_folder =>
            {
                report.status = Status::Skipped;
                return;
            }
            Self::Worker(error) => {
                let hint = hint(error.kind());
                (error.kind(), format!("{error}{hint}"))
            }
            Self::Publish(error) => (FailureKind::Io, error.to_string()),
            Self::Open(error @ OpenError::System(_)) => (FailureKind::Io, error.to_string()),
            Self::Open(error) => (FailureKind::NotMedia, error.to_string()),
        };
        report.status = Status::Failed;
        report.verdict = Verdict::Failed;
        report.failure = Some(FailureReport { kind, message });
    }
}

fn attempt(
    workers: &Workers,
    input: &Input,
    plan: Option<&Plan>,
    settings: &Settings,
    listener: &mut dyn Listener,
    report: &mut FileReport,
) -> Result<Option<Plan>, Stop> {
    let source = open_input(&input.path)?;
    let mut output = settings.output.clone();
    if settings.dry_run {
        let mut scan = |output: OutputOptions| -> Result<Said, Stop> {
            let task = Task::Scan { policy: settings.policy.clone(), output };
            Ok(workers.run(Role::Scan, &[source.as_fd()], task, limits(), listener)?)
        };
        let mut scanned = scan(output.clone());
        if must_start_over(&scanned, None) {
            scanned = scan(careful(&output));
        }
        let mut said = scanned?;
        let plan = take_plan(&mut said, &settings.policy)?;
        note_source(report, &said);
        note_plan(report, &plan);
        report.findings = said.findings;
        report.verdict = Verdict::of(&report.findings);
        report.status = Status::Planned;
        return Ok(Some(plan));
    }

    let mut pending = PendingOutput::create(&input.target.folder)?;
    let mut guard = NameGuard { input, listener, taken: None, format: None };
    let job = Writing { workers, source: &source, settings };
    let mut first = job.write(&pending, plan, None, &output, &mut guard);
    if must_start_over(&first, plan) {
        // A damaged video. Both passes decode everything now, with one thread.
        output = careful(&output);
        pending = PendingOutput::create(&input.target.folder)?;
        first = job.write(&pending, plan, None, &output, &mut guard);
    }
    if let Some(path) = guard.taken {
        return Err(PublishError::Exists(path).into());
    }
    let format = guard.format;
    let mut said = first?;
    let mut plan = match plan {
        None => take_plan(&mut said, &settings.policy)?,
        Some(plan) => plan.clone(),
    };
    let Some(format) = format else { return Err(no_answer("the format of its output").into()) };
    note_source(report, &said);
    report.findings = std::mem::take(&mut said.findings);

    let mut audited = job.audit(&pending, &plan, None, listener)?;
    for _ in 0..REPAIRS {
        if audited.missed.is_empty() || plan.reviewed {
            break;
        }
        // The audit still sees somebody: hide them too and start over.
        check_authorship(&audited.missed)?;
        let missed = std::mem::take(&mut audited.missed);
        let before = std::mem::replace(&mut pending, PendingOutput::create(&input.target.folder)?);
        let mending = Mending::new(before, &missed, &audited.findings);
        plan.extend(missed);
        let repaired = job.write(&pending, Some(&plan), Some(&mending), &output, listener);
        if must_start_over(&repaired, Some(&plan)) {
            pending = PendingOutput::create(&input.target.folder)?;
            job.write(&pending, Some(&plan), None, &output, listener)?;
        } else {
            repaired?;
        }
        audited = job.audit(&pending, &plan, Some(&mending), listener)?;
    }
    report.findings.append(&mut audited.findings);
    note_plan(report, &plan);
    finish(report, input, pending, format, &plan, settings, listener)?;
    Ok(Some(plan))
}

/// Publishes, holds or withholds by the verdict.
fn finish(
    report: &mut FileReport,
    input: &Input,
    pending: PendingOutput,
    format: OutputFormat,
    plan: &Plan,
    settings: &Settings,
    listener: &mut dyn Listener,
) -> Result<(), Stop> {
    let nothing = report.hidden.is_empty() && plan.blanked.is_empty();
    if nothing {
        report.findings.push(Finding::new(
            FindingCode::NothingFound,
            Severity::Notice,
            "Nobody was found in this file. Look at it yourself before you publish it.",
        ));
    }
    report.output_format = Some(format);
    report.verdict = Verdict::of(&report.findings);
    let published = input.target.published_name(format);
    let accepted = settings.accept_uncertain || plan.reviewed;
    let (name, status) = match report.verdict {
        Verdict::Failed => {
            report.status = Status::Withheld;
            return Ok(());
        }
        Verdict::NeedsReview if !accepted => (input.target.held_name(format), Status::Held),
        _ if nothing => (published, Status::NothingFound),
        _ => (published, Status::Published),
    };
    let digest = pending.sha256()?;
    let outgoing = Outgoing { format, made: pending.made()?, empty: nothing };
    listener.publishing(&outgoing).map_err(PublishError::Ledger)?;
    pending.publish(&name)?;
    report.output_sha256 = Some(digest);
    report.output = Some(name.to_string_lossy().into_owned());
    report.status = status;
    Ok(())
}

/// What is the same for all attempts to write and audit one file's output.
struct Writing<'a> {
    workers: &'a Workers,
    source: &'a File,
    settings: &'a Settings,
}

impl Writing<'_> {
    /// Has a worker make and write the output, by a plan if there is one.
    fn write(
        &self,
        pending: &PendingOutput,
        plan: Option<&Plan>,
        mending: Option<&Mending>,
        output: &OutputOptions,
        listener: &mut dyn Listener,
    ) -> Result<Said, Stop> {
        let Self { workers, source, settings } = *self;
        let output = output.clone();
        let limits = writing_limits(source)?;
        let Some(plan) = plan else {
            let files = [source.as_fd(), pending.file().as_fd()];
            let task = Task::Redact { policy: settings.policy.clone(), output };
            return Ok(workers.run(Role::Redact, &files, task, limits, listener)?);
        };
        let mut files = vec![source.as_fd(), pending.file().as_fd()];
        let plan = plan.clone();
        let Some(Mending { before, changed, .. }) = mending else {
            let task = Task::Apply { plan, output, repair: None };
            return Ok(workers.run(Role::Apply, &files, task, limits, listener)?);
        };
        let finished = before.reopen_read_only().map_err(OpenError::System)?;
        files.push(finished.as_fd());
        let task = Task::Apply { plan, output, repair: Some(changed.clone()) };
        Ok(workers.run(Role::Apply, &files, task, limits, listener)?)
    }

    /// Attacks the finished bytes in a fresh worker that can only read them,
    /// while they are written to the disk.
    fn audit(
        &self,
        pending: &PendingOutput,
        plan: &Plan,
        mending: Option<&Mending>,
        listener: &mut dyn Listener,
    ) -> Result<Said, Stop> {
        let Self { workers, source, settings } = *self;
        let finished = pending.reopen_read_only().map_err(OpenError::System)?;
        let reopen = |m: &Mending| m.before.reopen_read_only().map_err(OpenError::System);
        let mending = mending.filter(|m| m.sound_elsewhere);
        let before = mending.map(reopen).transpose()?;
        let task = Task::Audit {
            plan: Some(plan.clone()),
            with_original: true,
            threshold: plan.policy.threshold * AUDIT_THRESHOLD,
            threads: settings.output.threads,
            mended: mending.map(|m| m.changed.clone()),
        };
        let mut files = vec![finished.as_fd(), source.as_fd()];
        files.extend(before.as_ref().map(AsFd::as_fd));
        std::thread::scope(|scope| {
            let synced = scope.spawn(|| pending.sync());
            let said = workers.run(Role::Audit, &files, task, limits(), listener);
            synced.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            Ok(said?)
        })
    }
}

/// Options for damaged videos: nothing is left out or carried over, and what is
/// damaged is certain.
fn careful(output: &OutputOptions) -> OutputOptions {
    OutputOptions { every_frame: true, one_decoder: true, keep_untouched: false, ..output.clone() }
}

/// True if a worker asked for a slower way (a decoder of several threads may
/// have missed what is damaged, or carrying over was given up), or its own plan
/// did not fit what the pass that writes met. Of a `given` plan the latter says
/// that it was made for another file.
fn must_start_over(said: &Result<Said, Stop>, given: Option<&Plan>) -> bool {
    let Err(Stop::Worker(WorkerError::Failed(failure))) = said else { return false };
    failure.kind == FailureKind::StartOver || (failure.kind == FailureKind::Plan && given.is_none())
}

/// Stops the worker before the work if the output's name is taken.
struct NameGuard<'a> {
    input: &'a Input,
    listener: &'a mut dyn Listener,
    taken: Option<std::path::PathBuf>,
    format: Option<OutputFormat>,
}

impl Listener for NameGuard<'_> {
    fn progress(&mut self, phase: Phase, done: u64, total: Option<u64>) {
        self.listener.progress(phase, done, total);
    }

    fn source(&mut self, facts: &SourceFacts) -> Flow {
        self.format = Some(facts.output);
        let target = &self.input.target;
        let names = [target.published_name(facts.output), target.held_name(facts.output)];
        for name in names {
            let path = target.folder.join(name);
            if path.symlink_metadata().is_ok() {
                self.taken = Some(path);
                return Flow::Stop;
            }
        }
        self.listener.source(facts)
    }
}

/// Opens an input for reading. Pipes and devices are refused without
/// blocking on them.
///
/// # Errors
/// [`OpenError`] says why in words.
pub fn open_input(path: &Path) -> Result<File, OpenError> {
    let non_blocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(non_blocking)
        .open(path)
        .map_err(OpenError::System)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(OpenError::NotAFile);
    }
    if meta.len() == 0 {
        return Err(OpenError::Empty);
    }
    Ok(file)
}

/// Bounds of a worker that writes the output of `source`.
fn writing_limits(source: &File) -> Result<WorkerLimits, OpenError> {
    let input = source.metadata()?.len();
    Ok(WorkerLimits {
        file_size: MAX_OUTPUT.saturating_add(input.saturating_mul(MAX_GROWTH)),
        ..limits()
    })
}

/// Bounds of any worker. Silence is bounded by the host; the wall clock is a
/// day, since a long video takes long.
#[must_use]
pub fn limits() -> WorkerLimits {
    WorkerLimits {
        address_space: 8 << 30,
        cpu_seconds: None,
        file_size: MAX_OUTPUT,
        wall: Duration::from_secs(86_400),
    }
}

pub(super) fn no_answer(what: &str) -> WorkerError {
    WorkerError::Misbehaved(format!("did not say {what}"))
}

/// A worker's plan. It may say where somebody is, and nothing else: not what
/// the user asked for, not that a person decided anything.
fn take_plan(said: &mut Said, policy: &Policy) -> Result<Plan, Stop> {
    let plan = said.plan.take().ok_or_else(|| no_answer("its plan"))?;
    check_authorship(&plan.redactions)?;
    Ok(Plan { policy: policy.clone(), reviewed: false, ..plan })
}

/// Refuses redactions of a worker that pretend to be a person's, or that
/// leave something visible.
fn check_authorship(redactions: &[Redaction]) -> Result<(), WorkerError> {
    if redactions.iter().all(|r| r.decision == Decision::PROGRAM) {
        return Ok(());
    }
    Err(WorkerError::Misbehaved("pretended that a person had decided".to_owned()))
}

pub(super) fn empty_report(path: &Path, names: bool) -> FileReport {
    let input = names.then(|| path.to_string_lossy().into_owned());
    FileReport { input, ..blank_report() }
}

fn blank_report() -> FileReport {
    FileReport {
        input: None,
        output: None,
        output_sha256: None,
        status: Status::Failed,
        verdict: Verdict::Failed,
        kind: None,
        format: None,
        output_format: None,
        size: None,
        frames: None,
        seconds: None,
        stripped: None,
        hidden: Vec::new(),
        metadata_dropped: Vec::new(),
        findings: Vec::new(),
        not_protected: Vec::new(),
        sandbox: None,
        failure: None,
    }
}

fn note_source(report: &mut FileReport, said: &Said) {
    report.sandbox.clone_from(&said.posture);
    if let Some(facts) = &said.source {
        report.kind = Some(facts.kind);
        report.format = Some(facts.format.clone());
        report.size = Some(facts.size);
    }
    report.metadata_dropped = said.inventory.iter().flat_map(|i| &i.items).map(dropped).collect();
}

pub(super) fn dropped(item: &fernseed_scrub::Item) -> Dropped {
    Dropped {
        category: words::category(item.category).to_owned(),
        what: item.what.clone(),
        path: item.path.clone(),
    }
}

fn note_plan(report: &mut FileReport, plan: &Plan) {
    let source = &plan.source;
    let seconds = |frame: u64| {
        // Exact times are in the plan's frames; for people an even spread
        // over the clip is near enough.
        let length = source.time_base.seconds(source.last_pts - source.first_pts);
        let last = source.frames.saturating_sub(1).max(1);
        length * frame as f64 / last as f64
    };
    report.frames = Some(source.frames);
    if source.kind != MediaKind::Still {
        report.seconds = Some(seconds(source.frames.saturating_sub(1)));
    }
    report.hidden = plan
        .redactions
        .iter()
        .filter(|r| r.decision.action == Action::Hide)
        .filter_map(|r| {
            let (first, last) = r.span()?;
            Some(Hidden {
                id: r.id,
                subject: r.subject,
                frames: (first, last),
                seconds: (seconds(first), seconds(last)),
                first_rect: r.keyframes.first()?.rect,
                confidence: r.evidence.as_ref().map(|e| e.confidence),
                longest_gap: r.evidence.as_ref().map_or(0, |e| e.longest_gap),
            })
        })
        .collect();
    let voices = source.kind == MediaKind::Video && plan.policy.audio == AudioPolicy::Keep;
    report.not_protected = words::not_protected(source.kind, voices);
}
