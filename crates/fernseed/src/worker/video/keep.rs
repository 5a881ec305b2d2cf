//! The second pass of `--keep-untouched`: groups of pictures without
//! anything to hide are carried over as they are coded.
//!
//! Whatever speaks against it, before or while it is done, ends in encoding
//! everything anew: before, by taking the usual way; while, by failing in a
//! manner that makes the host start over without the wish.

use super::renew::{refuse, start_over};
use super::scan::Scanned;
use super::{Plans, apply, failure};
use crate::protocol::{Failure, OutputFormat, Phase, VIDEO_QUALITY};
use crate::worker::probe::Work;
use crate::worker::still::masks;
use fernseed_core::finding::{Finding, FindingCode, Severity};
use fernseed_core::limits::Limits;
use fernseed_core::plan::{Plan, Playhead, TimelineDigest};
use fernseed_core::policy::AudioPolicy;
use fernseed_core::render::Renderer;
use fernseed_core::sound::{KeepVoices, SoundStage};
use fernseed_media::video::splice::{Splice, SpliceError, SpliceReader, SpliceUnit, Survey};
use fernseed_media::video::{Container, OpenOptions, SinkOptions, VideoWriter};
use std::fs::File;
use std::sync::Arc;

/// Destroys what the plan names and writes the output, carrying over what
/// can be.
pub(in crate::worker) fn keep_untouched(
    work: &Work<'_>,
    scanned: &Scanned,
    file: Arc<File>,
    out: File,
) -> Result<(), Failure> {
    let plan = &scanned.plan;
    match choose(work, scanned, Arc::clone(&file)) {
        Ok(splice) => {
            let (carried, all) = splice.groups();
            note(
                work,
                format!(
                    "{carried} of {all} groups of pictures were carried over as they are coded: \
                     the source's encoder can be recognised in them, and what was overlooked in \
                     them is there in its original quality."
                ),
            )?;
            write(work, scanned, splice, file, out)
        }
        Err(Refusal::Because(why)) => {
            note(work, format!("Everything was encoded anew: {why}."))?;
            apply(work, (plan, Plans::Own), file, out, None)
        }
        Err(Refusal::Failed(failure)) => Err(failure),
    }
}

/// Why nothing is carried over.
enum Refusal {
    Because(String),
    Failed(Failure),
}

impl From<SpliceError> for Refusal {
    fn from(error: SpliceError) -> Self {
        match error {
            SpliceError::Media(error) => Self::Failed(failure(error)),
            other => Self::Because(other.to_string()),
        }
    }
}

/// Decides which groups are carried over.
fn choose(work: &Work<'_>, scanned: &Scanned, file: Arc<File>) -> Result<Splice, Refusal> {
    let because = |why: &str| Err(Refusal::Because(why.to_owned()));
    let plan = &scanned.plan;
    if work.output.format.unwrap_or(OutputFormat::Mp4) != OutputFormat::Mp4 {
        return because("the output is not MP4");
    }
    if !plan.source.span.is_all() {
        return because("only a part of the video is kept");
    }
    let survey = Survey::take(file, &Limits::default())?;
    let mut playhead = Playhead::new(plan);
    let mut hidden = |frame: usize| {
        let frame = frame as u64;
        plan.is_blanked(frame) || !playhead.hidden_at(frame).is_empty()
    };
    let splice =
        survey.choose(&scanned.info, &scanned.report, &mut hidden).map_err(SpliceError::from)?;
    if splice.times().len() as u64 != plan.source.frames {
        return because("its frames cannot be counted with certainty");
    }
    Ok(splice)
}

fn write(
    work: &Work<'_>,
    scanned: &Scanned,
    splice: Splice,
    file: Arc<File>,
    out: File,
) -> Result<(), Failure> {
    let Scanned { plan, info, .. } = scanned;
    let mut timeline = TimelineDigest::default();
    splice.times().iter().for_each(|pts| timeline.push(*pts));
    if timeline.value() != plan.source.timeline {
        return Err(start_over("its timestamps differ"));
    }
    let keep_sound = plan.policy.audio == AudioPolicy::Keep;
    let open = OpenOptions {
        threads: work.output.threads.max(1),
        want_audio: keep_sound,
        limits: Limits::default(),
        ..OpenOptions::default()
    };
    let mut reader = SpliceReader::open(file, splice.clone(), &open).map_err(refuse)?;
    let options = SinkOptions {
        quality: work.output.quality.unwrap_or(VIDEO_QUALITY),
        audio: if keep_sound { reader.audio().cloned() } else { None },
        ..SinkOptions::new(Container::Mp4, info)
    };
    let mut writer = VideoWriter::create_spliced(out, options, &splice).map_err(failure)?;
    let mut renderer = Renderer::new(&plan.policy);
    let mut hidden = Playhead::new(plan);
    let mut voices = KeepVoices;
    let mut count = 0;
    while let Some(unit) = reader.next().map_err(refuse)? {
        match unit {
            SpliceUnit::Frame(number, frame) => {
                let (size, format) = (frame.picture.size(), frame.picture.format());
                let redacted = if frame.damaged || plan.is_blanked(number) {
                    renderer.blank(size, format)
                } else {
                    renderer.render(reader.own(frame.picture), &masks(hidden.hidden_at(number)))
                };
                let back = writer.write_frame(redacted, frame.pts, frame.duration);
                if let Some(picture) = back.map_err(failure)? {
                    reader.recycle(picture);
                }
            }
            SpliceUnit::Carried(picture) => writer.write_carried(&picture).map_err(failure)?,
            SpliceUnit::Sound(block) => {
                writer.write_sound(&voices.process(block)).map_err(failure)?;
                continue;
            }
        }
        count += 1;
        work.outbox.progress(Phase::Write, count, Some(plan.source.frames))?;
    }
    let written = writer.finish().map_err(failure)?.frames;
    if written != plan.source.frames {
        return Err(start_over(&frames_differ(plan, written)));
    }
    Ok(())
}

fn frames_differ(plan: &Plan, written: u64) -> String {
    format!("{written} frames came out instead of {}", plan.source.frames)
}

fn note(work: &Work<'_>, message: String) -> Result<(), Failure> {
    work.outbox.findings(vec![Finding::new(FindingCode::Note, Severity::Notice, message)])
}
