//! One file from input to verdict: strip, audit, publish.

use super::inputs::Input;
use super::job::{OpenError, Stop, dropped, empty_report, limits, no_answer, open_input};
use super::publish::{Identity, PendingOutput, PublishError};
use super::sidecars::{Sidecar, Sidecars};
use super::workers::{Listener, Said, WorkerError, Workers};
use crate::protocol::{Failure, FailureKind, OutputFormat, OutputOptions, Role, Task};
use crate::report::{FileReport, Status, StripReport};
use crate::words;
use fernseed_core::finding::{Finding, FindingCode, Severity, Verdict};
use fernseed_core::plan::Plan;
use fernseed_scrub::StripOptions;
use std::ffi::OsString;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;

/// What is the same for every file of a run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How files are stripped.
    pub options: StripOptions,
    /// Code again what cannot be stripped as it is; otherwise it fails.
    pub reencode: bool,
    /// How such files are written.
    pub output: OutputOptions,
    /// Where the finished file goes.
    pub place: Place,
    /// Publish under the final name in spite of doubts.
    pub accept_uncertain: bool,
    /// Put names of originals into the report.
    pub names: bool,
}

/// Where a finished file goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// To the input's target; the original stays.
    Target,
    /// Over the original.
    Original {
        /// Keep the original under another name.
        backup: bool,
    },
}

/// Strips one file.
pub fn strip(
    workers: &Workers,
    input: &Input,
    settings: &Settings,
    sidecars: &Sidecars,
    listener: &mut dyn Listener,
) -> FileReport {
    let mut report = empty_report(&input.path, settings.names);
    if let Err(stop) = attempt(workers, input, settings, listener, &mut report) {
        stop.write_into(&mut report, input, words::strip_hint);
    } else {
        report.findings.extend(beside(&sidecars.of(&input.path)));
    }
    report
}

/// Files beside the input, as findings without their names.
#[must_use]
pub fn beside(sidecars: &[Sidecar]) -> Vec<Finding> {
    sidecars
        .iter()
        .map(|sidecar| {
            let (severity, what) = match sidecar.holds {
                Some(what) => (Severity::Notice, what),
                None => (Severity::Info, "of the same name"),
            };
            let message = format!(
                "Beside it lies a .{} file ({what}), which was left as it is.",
                sidecar.extension
            );
            Finding::new(FindingCode::Sidecar, severity, message)
        })
        .collect()
}

/// A finished file that waits for its audit.
struct Made {
    pending: PendingOutput,
    strip: StripReport,
    /// Times and size of what was coded again.
    plan: Option<Plan>,
    /// What was coded again was written as this.
    format: Option<OutputFormat>,
}

fn attempt(
    workers: &Workers,
    input: &Input,
    settings: &Settings,
    listener: &mut dyn Listener,
    report: &mut FileReport,
) -> Result<(), Stop> {
    let source = open_input(&input.path)?;
    let identity = Identity::of(&source).map_err(OpenError::System)?;
    let mut made = make(workers, input, &source, settings, listener, report)?;
    let findings = audit(workers, &source, &mut made, settings, listener)?;
    report.findings.extend(findings);
    report.output_format = made.format;
    report.verdict = Verdict::of(&report.findings);
    let Made { pending, mut strip, .. } = made;
    let outcome = match report.verdict {
        Verdict::Failed => {
            report.status = Status::Withheld;
            Ok(())
        }
        Verdict::NeedsReview if !settings.accept_uncertain => {
            let name = input.target.held(&strip.extension);
            publish(pending, name, report, Status::Held)
        }
        _ => match settings.place {
            Place::Target => {
                let name = input.target.name("stripped", &strip.extension);
                publish(pending, name, report, Status::Published)
            }
            Place::Original { backup } => {
                replace(pending, input, identity, backup, &mut strip, report)
            }
        },
    };
    if let Some(output) = &report.output {
        let stem = input.path.file_stem().unwrap_or_default().to_string_lossy();
        let format = report.format.as_deref().unwrap_or_default();
        report.not_protected =
            words::not_protected_by_strip(format, strip.bit_exact, output.contains(&*stem));
    }
    report.stripped = Some(strip);
    outcome
}

fn publish(
    pending: PendingOutput,
    name: OsString,
    report: &mut FileReport,
    status: Status,
) -> Result<(), Stop> {
    let digest = pending.sha256()?;
    pending.publish(&name)?;
    report.output_sha256 = Some(digest);
    report.output = Some(name.to_string_lossy().into_owned());
    report.status = status;
    Ok(())
}

fn replace(
    pending: PendingOutput,
    input: &Input,
    identity: Identity,
    backup: bool,
    strip: &mut StripReport,
    report: &mut FileReport,
) -> Result<(), Stop> {
    let name = input.path.file_name().unwrap_or_default();
    let backup = backup.then(|| backup_name(&input.path));
    let digest = pending.sha256()?;
    let done = pending.replace(name, identity, backup.as_deref())?;
    report.output_sha256 = Some(digest);
    if done.linked_elsewhere {
        report.findings.push(Finding::new(
            FindingCode::Note,
            Severity::Notice,
            "The original has other names (hard links); under those it is as it was.",
        ));
    }
    strip.in_place = true;
    strip.backup = done.backup.map(|b| b.to_string_lossy().into_owned());
    report.output = Some(name.to_string_lossy().into_owned());
    report.status = Status::Published;
    Ok(())
}

/// `photo.jpg` → `photo.original.jpg`.
fn backup_name(path: &Path) -> OsString {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(".original");
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    name
}

/// Writes the clean file, by coding it again where there is no other way.
fn make(
    workers: &Workers,
    input: &Input,
    source: &File,
    settings: &Settings,
    listener: &mut dyn Listener,
    report: &mut FileReport,
) -> Result<Made, Stop> {
    refuse_taken(input, settings, &extension_of(&input.path))?;
    let pending = PendingOutput::create(folder_of(input, settings))?;
    let task = Task::Strip { options: settings.options.clone() };
    let files = [source.as_fd(), pending.file().as_fd()];
    let error = match workers.run(Role::Strip, &files, task, limits(), listener) {
        Ok(mut said) => {
            note(report, &said);
            let Some(stripped) = said.stripped.take() else {
                return Err(no_answer("what it wrote").into());
            };
            report.format = Some(stripped.container);
            refuse_other_format(input, settings, &stripped.extension)?;
            let strip = strip_report(true, None, stripped.extension, stripped.notes);
            return Ok(Made { pending, strip, plan: None, format: None });
        }
        Err(error) => error,
    };
    drop(pending);
    let failure = match error {
        WorkerError::Failed(f) if settings.reencode && may_be_coded_again(f.kind) => f,
        error => return Err(error.into()),
    };
    match reencode(workers, input, source, settings, listener, report, &failure.message) {
        // The first answer says more than "not a picture or a video".
        Err(Stop::Worker(WorkerError::Failed(f)))
            if matches!(f.kind, FailureKind::NotMedia | FailureKind::Unsupported) =>
        {
            Err(WorkerError::Failed(failure).into())
        }
        other => other,
    }
}

const fn may_be_coded_again(kind: FailureKind) -> bool {
    matches!(kind, FailureKind::NeedsReencoding | FailureKind::Unsupported | FailureKind::NotMedia)
}

fn reencode(
    workers: &Workers,
    input: &Input,
    source: &File,
    settings: &Settings,
    listener: &mut dyn Listener,
    report: &mut FileReport,
    reason: &str,
) -> Result<Made, Stop> {
    let pending = PendingOutput::create(folder_of(input, settings))?;
    let mut output = settings.output.clone();
    output.format = output.format.or(input.target.format);
    let task = Task::Reencode { output };
    let files = [source.as_fd(), pending.file().as_fd()];
    let mut said = workers.run(Role::Reencode, &files, task, limits(), listener)?;
    note(report, &said);
    let (Some(plan), Some(facts)) = (said.plan.take(), said.source.take()) else {
        return Err(no_answer("what it wrote").into());
    };
    report.kind = Some(facts.kind);
    report.format = Some(facts.format);
    report.size = Some(facts.size);
    report.frames = Some(plan.source.frames);
    report.findings.append(&mut said.findings);
    let extension = facts.output.extension().to_owned();
    refuse_other_format(input, settings, &extension)?;
    let strip = strip_report(false, Some(reason.to_owned()), extension, Vec::new());
    Ok(Made { pending, strip, plan: Some(plan), format: Some(facts.output) })
}

fn strip_report(
    bit_exact: bool,
    reason: Option<String>,
    extension: String,
    notes: Vec<String>,
) -> StripReport {
    StripReport {
        bit_exact,
        reason,
        extension,
        notes,
        checked: Vec::new(),
        in_place: false,
        backup: None,
    }
}

fn note(report: &mut FileReport, said: &Said) {
    report.sandbox.clone_from(&said.posture);
    report.metadata_dropped = said.inventory.iter().flat_map(|i| &i.items).map(dropped).collect();
}

/// Reads the finished bytes in fresh workers that can only read them.
fn audit(
    workers: &Workers,
    source: &File,
    made: &mut Made,
    settings: &Settings,
    listener: &mut dyn Listener,
) -> Result<Vec<Finding>, Stop> {
    let finished = made.pending.reopen_read_only().map_err(OpenError::System)?;
    let files = [finished.as_fd(), source.as_fd()];
    let task = Task::Check { with_original: true };
    let said = workers.run(Role::Check, &files, task, limits(), listener)?;
    let mut findings = said.findings;
    made.strip.checked = said.checked;
    if let Some(plan) = &made.plan {
        let task = Task::Audit {
            plan: Some(plan.clone()),
            with_original: true,
            threshold: plan.policy.threshold,
            threads: settings.output.threads,
            mended: None,
        };
        let decoded = workers.run(Role::Audit, &files, task, limits(), listener)?;
        made.strip.checked.push("all of it decodes, with the source's times and size".to_owned());
        // Both account for the bytes.
        findings.extend(
            decoded.findings.into_iter().filter(|f| !findings.contains(f)).collect::<Vec<_>>(),
        );
    }
    Ok(findings)
}

/// Where the finished file is made.
fn folder_of<'a>(input: &'a Input, settings: &Settings) -> &'a Path {
    match (settings.place, input.path.parent()) {
        (Place::Target, _) => &input.target.folder,
        (Place::Original { .. }, Some(parent)) if !parent.as_os_str().is_empty() => parent,
        (Place::Original { .. }, _) => Path::new("."),
    }
}

fn extension_of(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_lowercase()
}

/// Stops before the work if the likely name of the output is taken; at
/// the end nothing is overwritten in any case.
fn refuse_taken(input: &Input, settings: &Settings, extension: &str) -> Result<(), PublishError> {
    let target = &input.target;
    let name = match settings.place {
        Place::Target => target.name("stripped", extension),
        Place::Original { backup: true } => backup_name(&input.path),
        Place::Original { backup: false } => return Ok(()),
    };
    let path = folder_of(input, settings).join(name);
    if path.symlink_metadata().is_ok() { Err(PublishError::Exists(path)) } else { Ok(()) }
}

/// Refuses to write one format under the name of another.
fn refuse_other_format(input: &Input, settings: &Settings, made: &str) -> Result<(), Stop> {
    let named = match settings.place {
        Place::Original { .. } => extension_of(&input.path),
        Place::Target if input.target.exact => extension_of(Path::new(&input.target.stem)),
        Place::Target => return Ok(()),
    };
    if family(&named) == family(made) {
        return Ok(());
    }
    let message = match settings.place {
        Place::Original { .. } => format!(
            "it would become a .{made} file, which cannot take the place of a .{named} file; leave \
             out --in-place"
        ),
        Place::Target => format!("it is written as .{made}; give the output that ending"),
    };
    Err(WorkerError::Failed(Failure::new(FailureKind::OtherFormat, message)).into())
}

/// One ending for all that mean the same.
fn family(extension: &str) -> &str {
    match extension {
        "jpeg" | "jpe" | "jfif" | "jps" => "jpg",
        "tiff" | "btf" => "tif",
        "apng" => "png",
        "heif" | "hif" => "heic",
        "m4v" | "mov" | "qt" | "3gp" | "3g2" => "mp4",
        "m4b" => "m4a",
        "aiff" | "aifc" => "aif",
        "bwf" => "wav",
        "oga" | "spx" => "ogg",
        "ts" | "mts" | "m2t" => "m2ts",
        "ppm" | "pgm" | "pbm" => "pnm",
        "asf" => "wmv",
        other => other,
    }
}
