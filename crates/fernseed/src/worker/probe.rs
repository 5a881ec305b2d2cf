//! What kind of file it is, and which stage does the work.

use super::earlier::Earlier;
use super::outbox::Outbox;
use super::video::{Pass, Plans};
use super::{animation, still, video};
use crate::protocol::{Event, Failure, FailureKind, OutputFormat, OutputOptions, SourceFacts};
use fernseed_core::Size;
use fernseed_core::limits::Limits;
use fernseed_core::plan::{MediaKind, Plan};
use fernseed_core::policy::Policy;
use fernseed_detect::FaceFinder;
use fernseed_media::still::{SNIFF_BYTES, StillFormat, StillFrames, sniff};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

/// Everything a stage needs besides the file.
pub(super) struct Work<'a> {
    pub(super) finder: &'a FaceFinder,
    pub(super) policy: &'a Policy,
    pub(super) output: &'a OutputOptions,
    pub(super) outbox: &'a Outbox,
}

/// A file that was looked at closely enough to know who works on it.
pub(super) enum Source {
    Stills(Vec<u8>),
    Video(Arc<File>),
}

pub(super) fn redact(work: &Work<'_>, input: File, out: File) -> Result<(), Failure> {
    match open(work, input)? {
        Source::Stills(bytes) => match decode(work, &bytes)? {
            (one, StillFrames::One(picture)) => still::redact(work, &one, picture, out),
            (head, StillFrames::Animation(frames)) => {
                let plan = animation::scan(work, &head, frames)?;
                match decode(work, &bytes)?.1 {
                    StillFrames::Animation(frames) => animation::apply(work, &plan, frames, out),
                    StillFrames::One(_) => Err(changed()),
                }
            }
        },
        Source::Video(file) => {
            let scanned = video::scan(work, Arc::clone(&file), first_pass(work))?;
            // What the first pass needed is there for the second.
            work.finder.release_memory();
            if work.output.keep_untouched {
                // Long before there is something to encode.
                fernseed_sandbox::release_free_memory();
                video::keep_untouched(work, &scanned, file, out)
            } else {
                video::apply(work, (&scanned.plan, Plans::Own), file, out, None)
            }
        }
    }
}

pub(super) fn scan(work: &Work<'_>, input: File) -> Result<(), Failure> {
    match open(work, input)? {
        Source::Stills(bytes) => match decode(work, &bytes)? {
            (one, StillFrames::One(picture)) => still::scan(work, &one, picture),
            (head, StillFrames::Animation(frames)) => {
                animation::scan(work, &head, frames).map(drop)
            }
        },
        Source::Video(file) => video::scan(work, file, first_pass(work)).map(drop),
    }
}

pub(super) fn apply(
    work: &Work<'_>,
    plan: &Plan,
    input: File,
    out: File,
    earlier: Option<Earlier>,
) -> Result<(), Failure> {
    match (open(work, input)?, plan.source.kind) {
        (Source::Stills(bytes), kind) => match (decode(work, &bytes)?, kind) {
            ((one, StillFrames::One(picture)), MediaKind::Still) => {
                still::apply(work, &one, plan, picture, out)
            }
            ((head, StillFrames::Animation(frames)), MediaKind::Animation) => {
                animation::announce(work, &head, frames.info())?;
                animation::apply(work, plan, frames, out)
            }
            _ => Err(changed()),
        },
        (Source::Video(file), MediaKind::Video) => {
            video::apply(work, (plan, Plans::Given), file, out, earlier)
        }
        (Source::Video(_), _) => Err(changed()),
    }
}

/// What is carried over as it is has to be decoded whole once, and a glance
/// at a damaged file may count other frames than the pass that
/// writes; the host then asks for every frame.
fn first_pass(work: &Work<'_>) -> Pass {
    if work.output.every_frame || work.output.keep_untouched { Pass::Look } else { Pass::Glance }
}

pub(super) fn changed() -> Failure {
    Failure::new(FailureKind::Plan, "the plan was made for another file: the kind of file differs")
}

/// What a stage knows of the file a picture came from.
pub(super) struct Origin {
    /// What it was.
    pub(super) format: StillFormat,
    /// True if it was stored lossily.
    pub(super) lossy: bool,
}

pub(super) fn decode<'a>(
    work: &Work<'_>,
    bytes: &'a [u8],
) -> Result<(Origin, StillFrames<'a>), Failure> {
    let decoded =
        fernseed_media::still::decode(bytes, &Limits::default()).map_err(still::failure)?;
    work.outbox.findings(decoded.notes)?;
    Ok((Origin { format: decoded.format, lossy: decoded.lossy }, decoded.frames))
}

/// Lists what the file gives away and decides who works on it.
pub(super) fn open(work: &Work<'_>, mut file: File) -> Result<Source, Failure> {
    let length = file.seek(SeekFrom::End(0)).map_err(io_failure)?;
    file.seek(SeekFrom::Start(0)).map_err(io_failure)?;
    let inventory =
        fernseed_scrub::inventory(&mut file, length, &fernseed_scrub::InventoryLimits::default());
    work.outbox.tell(Event::Inventory(inventory))?;
    file.seek(SeekFrom::Start(0)).map_err(io_failure)?;
    let mut head = Vec::new();
    (&file).take(SNIFF_BYTES as u64).read_to_end(&mut head).map_err(io_failure)?;
    file.seek(SeekFrom::Start(0)).map_err(io_failure)?;
    if sniff(&head).is_none() {
        return Ok(Source::Video(Arc::new(file)));
    }

    let limits = Limits::default();
    if length > limits.max_still_bytes {
        return Err(Failure::new(
            FailureKind::TooLarge,
            format!("it is a picture of {} MB, more than any real one", length >> 20),
        ));
    }
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(length as usize)
        .map_err(|e| Failure::new(FailureKind::TooLarge, e.to_string()))?;
    file.take(limits.max_still_bytes).read_to_end(&mut bytes).map_err(io_failure)?;
    Ok(Source::Stills(bytes))
}

/// Tells the host what the source is and what will be written.
pub(super) fn announce(
    work: &Work<'_>,
    kind: MediaKind,
    format: String,
    output: OutputFormat,
    size: Size,
) -> Result<(), Failure> {
    if output.is_video() != (kind == MediaKind::Video) {
        let what = if output.is_video() { "a picture" } else { "a video" };
        return Err(Failure::new(
            FailureKind::Unsupported,
            format!("it is {what} and cannot be written as .{}", output.extension()),
        ));
    }
    work.outbox.tell(Event::Source(SourceFacts { kind, format, output, size }))
}

pub(super) fn io_failure(error: std::io::Error) -> Failure {
    Failure::new(FailureKind::Io, format!("reading or writing failed: {error}"))
}
