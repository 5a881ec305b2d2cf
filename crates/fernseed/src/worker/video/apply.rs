//! The second pass: what the plan names is destroyed, and the output written.

use super::{Pass, Shown, SoundSink, decoder_threads, failure, sure};
use crate::protocol::{Failure, FailureKind, OutputFormat, Phase, VIDEO_QUALITY};
use crate::worker::probe::{Work, announce};
use crate::worker::still::masks;
use fernseed_core::Picture;
use fernseed_core::finding::{Finding, FindingCode, Severity};
use fernseed_core::plan::{MediaKind, Plan, TimelineDigest};
use fernseed_core::policy::AudioPolicy;
use fernseed_core::render::{Redacted, Renderer};
use fernseed_core::sound::{KeepVoices, SampleBlock, SoundStage};
use fernseed_media::video::{Container, MediaError, SinkOptions, VideoWriter};
use std::fs::File;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Frames waiting for the encoder.
const ENCODE_QUEUE: usize = 4;

/// What goes to the encoder thread.
enum Piece {
    Frame(Redacted<Picture>, i64, i64),
    Sound(Redacted<SampleBlock>),
}

/// Destroys what the plan names and writes the output.
pub(in crate::worker) fn apply(
    work: &Work<'_>,
    plan: &Plan,
    file: File,
    out: File,
) -> Result<(), Failure> {
    let (pieces, queue) = sync_channel::<Piece>(ENCODE_QUEUE);
    let keep = plan.policy.audio == AudioPolicy::Keep;
    let sink = keep.then(|| -> SoundSink {
        let pieces = pieces.clone();
        let mut stage = KeepVoices;
        Box::new(move |block| {
            pieces
                .send(Piece::Sound(stage.process(block)))
                .map_err(|_gone| Failure::new(FailureKind::Internal, "the encoder stopped"))
        })
    });
    let decoders = decoder_threads(work.output);
    let mut shown = Shown::open(file, plan.source.span, decoders, Pass::Write, sink)?;
    let info = shown.info().clone();
    let output = work.output.format.unwrap_or(OutputFormat::Mp4);
    let format = format!("{} video ({})", info.container, info.codec);
    announce(work, MediaKind::Video, format, output, info.size)?;
    let container = if output == OutputFormat::Webm { Container::WebM } else { Container::Mp4 };
    let options = SinkOptions {
        quality: work.output.quality.unwrap_or(VIDEO_QUALITY),
        audio: if keep { info.audio.clone() } else { None },
        ..SinkOptions::new(container, &info)
    };
    let mut writer = VideoWriter::create(out, options).map_err(failure)?;
    let (free, reuse) = sync_channel::<Picture>(ENCODE_QUEUE);
    std::thread::scope(|scope| {
        let encoder = scope.spawn(move || -> Result<u64, MediaError> {
            for piece in queue {
                match piece {
                    Piece::Frame(picture, pts, duration) => {
                        writer.write_frame(&picture, pts, duration)?;
                        // If there is no room for it, its memory is freed.
                        drop(free.try_send(picture.into_inner()));
                    }
                    Piece::Sound(block) => writer.write_sound(&block)?,
                }
            }
            Ok(writer.finish()?.frames)
        });
        let rendered = render_all(work, plan, &mut shown, &pieces, &reuse);
        // Ends the encoder's queue: the last two senders go with the reader
        // and the sound stage it feeds.
        drop(pieces);
        drop(shown);
        let encoded = encoder
            .join()
            .map_err(|_panic| Failure::new(FailureKind::Internal, "the encoder crashed"))?;
        // Where both say something, an encoder that got no frame says the less.
        let sent = rendered?;
        let frames = encoded.map_err(failure)?;
        if frames == sent {
            Ok(())
        } else {
            Err(Failure::new(
                FailureKind::Internal,
                format!("{sent} frames went to the encoder, {frames} came out"),
            ))
        }
    })
}

/// Renders every shown frame and hands it to the encoder; returns how many.
fn render_all(
    work: &Work<'_>,
    plan: &Plan,
    shown: &mut Shown,
    pieces: &SyncSender<Piece>,
    reuse: &Receiver<Picture>,
) -> Result<u64, Failure> {
    let mut renderer = Renderer::new(&plan.policy);
    let mut timeline = TimelineDigest::default();
    let (mut count, mut unplanned) = (0, 0u64);
    while let Some((number, frame)) = shown.next()? {
        let pts = frame.pts + shown.shift;
        timeline.push(pts);
        count = number + 1;
        let Some(picture) = frame.picture else {
            return Err(Failure::new(FailureKind::Internal, "a frame was not decoded"));
        };
        let (size, format) = (picture.size(), picture.format());
        if size != plan.source.size {
            return Err(Failure::new(
                FailureKind::Plan,
                "the plan was made for another file: the size of the picture differs",
            ));
        }
        let planned = plan.is_blanked(number);
        let redacted = if frame.damaged || planned {
            unplanned += u64::from(!planned);
            renderer.blank(size, format)
        } else {
            renderer.render(picture, &masks(plan, number))
        };
        if pieces.send(Piece::Frame(redacted, pts, frame.duration)).is_err() {
            // The encoder knows why.
            return Ok(count);
        }
        while let Ok(picture) = reuse.try_recv() {
            shown.recycle(picture);
        }
        work.outbox.progress(Phase::Write, count, Some(plan.source.frames))?;
    }
    sure(&shown.reader().report(), work.output)?;
    if count != plan.source.frames || timeline.value() != plan.source.timeline {
        return Err(Failure::new(
            FailureKind::Plan,
            "the plan was made for another file: the timestamps differ",
        ));
    }
    if unplanned > 0 {
        work.outbox.findings(vec![Finding::new(
            FindingCode::DamagedFrames,
            Severity::Doubt,
            format!("{unplanned} more damaged frames were filled whole."),
        )])?;
    }
    Ok(count)
}
