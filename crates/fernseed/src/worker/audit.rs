//! Attacking a finished file.
//!
//! The auditor does not believe the redactor: it is another process that
//! opens the finished bytes, accounts for every one of them with parsers the
//! writers do not use, decodes them again, looks for what the plan says is
//! destroyed, compares timestamps with the original's own, and runs the
//! detectors on the result at other scales and a lower threshold.

mod frames;
mod times;
mod watch;

use super::earlier::Earlier;
use super::outbox::Outbox;
use super::residual::{is_cover, visible};
use super::still::{failure as still_failure, masks, redactions as still_redactions};
use crate::protocol::{Event, Failure, FailureKind, Phase};
use fernseed_core::detect::Effort;
use fernseed_core::finding::{Finding, FindingCode, Place, Severity};
use fernseed_core::limits::Limits;
use fernseed_core::plan::{MediaKind, Plan, Playhead};
use fernseed_core::policy::Policy;
use fernseed_core::render::check;
use fernseed_core::{Picture, Size};
use fernseed_detect::FaceFinder;
use fernseed_media::still::{self, StillError, StillFrames};
use fernseed_media::video::MediaError;
use fernseed_scrub::{Accounting, OutputKind, Shows};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::atomic::AtomicU64;

/// Most findings of one kind that are listed singly.
const MAX_LISTED: usize = 20;

/// One audit.
pub(super) struct Audit<'a> {
    pub(super) finder: &'a FaceFinder,
    pub(super) plan: Option<&'a Plan>,
    pub(super) threshold: f32,
    pub(super) threads: usize,
    pub(super) outbox: &'a Outbox,
}

/// What an audit is given to read.
pub(super) struct Files {
    pub(super) finished: File,
    pub(super) original: Option<File>,
    /// What was audited before, if that was repaired.
    pub(super) earlier: Option<Earlier>,
}

/// Audits a finished file, beside the original if that is given.
pub(super) fn run(job: &Audit<'_>, files: Files) -> Result<(), Failure> {
    let Files { mut finished, original, earlier } = files;
    let length = finished.seek(SeekFrom::End(0)).map_err(super::probe::io_failure)?;
    finished.seek(SeekFrom::Start(0)).map_err(super::probe::io_failure)?;
    let account = fernseed_scrub::account(&mut finished, length);
    super::check::tell_account(&account, job.outbox)?;
    finished.seek(SeekFrom::Start(0)).map_err(super::probe::io_failure)?;
    if job.plan.is_none() {
        return foreign(job, &account, finished, length, original);
    }
    job.outbox.findings(account.findings.clone())?;
    decoded(job, &account, Files { finished, original, earlier })
}

/// Audits a file that came without a plan. What cannot be decoded is said
/// beside what could be read all the same.
fn foreign(
    job: &Audit<'_>,
    account: &Accounting,
    mut finished: File,
    length: u64,
    original: Option<File>,
) -> Result<(), Failure> {
    let inventory = super::foreign::examine(job, &mut finished, length, account)?;
    finished.seek(SeekFrom::Start(0)).map_err(super::probe::io_failure)?;
    let known = account.container != OutputKind::Unknown || inventory.container != "unknown";
    if let Some(original) = original {
        let found = super::check::against(original, &mut finished, length, account)?;
        job.outbox.findings(found)?;
        job.outbox.tell(Event::Checked(vec![super::check::AGAINST.to_owned()]))?;
        finished.seek(SeekFrom::Start(0)).map_err(super::probe::io_failure)?;
    }
    match decoded(job, account, Files { finished, original: None, earlier: None }) {
        // Sound alone: there is nothing to look at, which is no doubt.
        Err(failure) if known && failure.message == MediaError::NoVideo.to_string() => Ok(()),
        Err(failure) if known && failure.kind != FailureKind::Internal => {
            job.outbox.findings(vec![Finding::new(
                FindingCode::OutputUndecodable,
                Severity::Doubt,
                format!("Nobody could look at what it shows: {}.", failure.message),
            )])
        }
        other => other,
    }
}

/// Decodes the file and looks at what it shows.
fn decoded(job: &Audit<'_>, account: &Accounting, files: Files) -> Result<(), Failure> {
    let Files { finished, original, earlier } = files;
    let video = match (job.plan, account.container) {
        (Some(plan), _) => plan.source.kind == MediaKind::Video,
        (None, kind) => match kind.shows() {
            Shows::Video => true,
            Shows::Pictures => false,
            Shows::Unknown => foreign_is_video(&finished)?,
            Shows::NoPixels => return Ok(()),
        },
    };
    if video {
        watch::audit(job, account, finished, original, earlier)
    } else {
        audit_stills(job, finished)
    }
}

/// True if a file that is not in one of our forms is no still picture.
fn foreign_is_video(file: &File) -> Result<bool, Failure> {
    use std::os::unix::fs::FileExt;
    let mut head = vec![0; 4096];
    let read = file.read_at(&mut head, 0).map_err(super::probe::io_failure)?;
    head.truncate(read);
    Ok(still::sniff(&head).is_none())
}

fn no_plan_policy(threshold: f32) -> Policy {
    Policy { threshold, ..Policy::default() }
}

fn audit_stills(job: &Audit<'_>, mut finished: File) -> Result<(), Failure> {
    let limits = Limits::default();
    let mut bytes = Vec::new();
    (&mut finished)
        .take(limits.max_still_bytes)
        .read_to_end(&mut bytes)
        .map_err(super::probe::io_failure)?;
    let mut one = Some(());
    let mut frames = match still::decode(&bytes, &limits) {
        Ok(decoded) => decoded.frames,
        Err(e) if job.plan.is_none() => return Err(still_failure(e)),
        Err(e) => return job.outbox.findings(vec![undecodable(&e.to_string())]),
    };
    let mut next = || match &mut frames {
        StillFrames::Animation(frames) => Ok(frames.next()?.map(|(picture, _delay)| picture)),
        StillFrames::One(picture) => Ok::<_, StillError>(one.take().map(|()| picture.clone())),
    };
    let policy = job.plan.map_or_else(|| no_plan_policy(job.threshold), |p| p.policy.clone());
    let total = job.plan.map(|p| p.source.frames);
    let single = job.plan.is_none_or(|p| p.source.kind == MediaKind::Still);
    let mut findings = Vec::new();
    let mut missed = Vec::new();
    let mut count = 0u64;
    let steps = AtomicU64::new(0);
    let mut planned = job.plan.map(|plan| (plan, Playhead::new(plan)));
    loop {
        let picture = match next() {
            Ok(Some(picture)) => picture,
            Ok(None) => break,
            Err(e) => {
                findings.push(undecodable(&e.to_string()));
                break;
            }
        };
        let expected = job.plan.map_or(picture.size(), |p| p.source.size);
        if let Some((plan, hidden)) = &mut planned {
            check_picture(plan, hidden, &picture, expected, count, &mut findings);
        }
        let effort = if single { Effort::Audit } else { Effort::VideoFrame };
        let found = if policy.hide.is_empty() {
            Vec::new()
        } else {
            let tick = || {
                // Frames are counted where there are several.
                if single {
                    job.outbox.tick(Phase::Audit, &steps);
                }
            };
            job.finder
                .with_threads(job.threads)
                .detect_ticking(&picture, effort, job.threshold, &tick)
                .map_err(|e| Failure::new(FailureKind::Internal, e.to_string()))?
        };
        let (hidden, kept) = job
            .plan
            .map_or_else(Default::default, |p| (masks(p.hidden_at(count)), p.kept_at(count)));
        let mut left = visible(found, &hidden, &kept);
        if job.plan.is_none() {
            left.retain(|d| !is_cover(&picture, d));
        }
        for face in &left {
            findings.push(still_visible(face.confidence).at(Place {
                first_frame: Some(count),
                rect: Some(face.rect),
                ..Place::default()
            }));
        }
        missed.extend(still_redactions(&left, &policy, count));
        count += 1;
        job.outbox.progress(Phase::Audit, count, total)?;
    }
    if total.is_some_and(|t| t != count) {
        findings.push(times::mismatch(format!(
            "It has {count} frames instead of {}.",
            total.unwrap_or_default()
        )));
    }
    job.outbox.findings(bounded(findings))?;
    job.outbox.missed(&missed)
}

/// Checks size and masks of one decoded frame.
fn check_picture(
    plan: &Plan,
    hidden: &mut Playhead<'_>,
    picture: &Picture,
    expected: Size,
    number: u64,
    findings: &mut Vec<Finding>,
) {
    if picture.size() != expected {
        findings.push(Finding::new(
            FindingCode::SizeMismatch,
            Severity::Failure,
            format!(
                "It has {}x{} pixels instead of {}x{}.",
                picture.size().width,
                picture.size().height,
                expected.width,
                expected.height
            ),
        ));
        return;
    }
    let masks = if plan.is_blanked(number) {
        let whole = picture.size().rect();
        vec![fernseed_core::render::Mask { track: u32::MAX, rect: whole }]
    } else {
        masks(hidden.hidden_at(number))
    };
    let blank;
    let policy = if plan.is_blanked(number) {
        blank = Policy {
            treatment: fernseed_core::policy::Treatment::Solid,
            shape: fernseed_core::policy::Shape::Box,
            ..plan.policy.clone()
        };
        &blank
    } else {
        &plan.policy
    };
    for result in check::masks(picture, &masks, policy) {
        if !result.destroyed {
            findings.push(
                Finding::new(
                    FindingCode::RegionNotDestroyed,
                    Severity::Failure,
                    format!(
                        "Region {} is not destroyed (it deviates by {:.1} steps).",
                        result.mask.track, result.deviation
                    ),
                )
                .at(Place {
                    first_frame: Some(number),
                    rect: Some(result.mask.rect),
                    ..Place::default()
                }),
            );
        }
    }
}

fn undecodable(why: &str) -> Finding {
    Finding::new(
        FindingCode::OutputUndecodable,
        Severity::Failure,
        format!("The finished file does not decode cleanly: {why}."),
    )
}

fn still_visible(confidence: f32) -> Finding {
    Finding::new(
        FindingCode::StillVisible,
        Severity::Doubt,
        format!("Somebody may still be visible here (confidence {confidence:.2})."),
    )
}

/// Bounds the findings of each kind, so that a hostile or broken file cannot
/// drown the report.
fn bounded(findings: Vec<Finding>) -> Vec<Finding> {
    let mut count = std::collections::BTreeMap::new();
    let mut out = Vec::new();
    for finding in findings {
        let n = count.entry(finding.code).or_insert((0usize, finding.severity));
        n.0 += 1;
        n.1 = n.1.max(finding.severity);
        if n.0 <= MAX_LISTED {
            out.push(finding);
        }
    }
    for (code, (n, severity)) in count {
        if n > MAX_LISTED {
            let more = n - MAX_LISTED;
            out.push(Finding::new(code, severity, format!("And {more} more of these.")));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_bounded_but_keep_their_weight() {
        let many = (0..100).map(|_| undecodable("x")).collect();
        let few = bounded(many);
        assert_eq!(few.len(), MAX_LISTED + 1);
        assert_eq!(few[MAX_LISTED].severity, Severity::Failure);
    }
}
