//! The second pass: what the plan names is destroyed, and the output written.

use super::original::{Original, Step};
use super::rehearsal::{Ahead, as_written};
use super::renew::{open_renewal, start_over};
use super::{Pass, Shown, SoundSink, decoder_threads, failure, sure};
use crate::protocol::{Failure, FailureKind, OutputFormat, Phase, VIDEO_QUALITY};
use crate::worker::earlier::Earlier;
use crate::worker::probe::{Work, announce};
use crate::worker::still::masks;
use fernseed_core::Picture;
use fernseed_core::finding::{Finding, FindingCode, Severity};
use fernseed_core::plan::{MediaKind, Plan, Playhead, TimelineDigest};
use fernseed_core::policy::AudioPolicy;
use fernseed_core::render::{Redacted, Renderer};
use fernseed_core::sound::{KeepVoices, SampleBlock, SoundStage};
use fernseed_media::video::splice::{Carried, Renewal};
use fernseed_media::video::{Container, MediaError, SinkOptions, VideoWriter};
use std::fs::File;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Frames waiting for the encoder.
const ENCODE_QUEUE: usize = 4;
/// Frames after which decoder and encoder have taken most of the memory that
/// they need: what is left of an earlier pass is then given back.
const SETTLED: u64 = 8;

/// What goes to the encoder thread.
enum Piece {
    Frame(Redacted<Picture>, i64, i64),
    /// A picture of the file that is repaired, as it is coded there.
    Carried(Carried),
    Sound(Redacted<SampleBlock>),
}

/// Whose plan the second pass follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::worker) enum Plans {
    /// The first pass's, which has just been told and may be added to.
    Own,
    /// One that was given.
    Given,
}

/// Destroys what the plan names and writes the output. What has not changed
/// since an `earlier` output is carried over from it where that is possible.
pub(in crate::worker) fn apply(
    work: &Work<'_>,
    (plan, whose): (&Plan, Plans),
    file: Arc<File>,
    out: File,
    earlier: Option<Earlier>,
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
    let source = Arc::clone(&file);
    let shown = Shown::open(source, plan.source.span, decoders, Pass::Write, sink)?;
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
    let mut renewal = earlier
        .filter(|_| container == Container::Mp4)
        .and_then(|earlier| open_renewal(earlier, info.time_base));
    let mut writer = match &renewal {
        None => VideoWriter::create(out, options).map_err(failure)?,
        Some(renewal) => VideoWriter::create_spliced(out, options, renewal.splice())
            .map_err(|e| start_over(&e.to_string()))?,
    };
    let mut original = Original::of(shown, file, plan, work.output, renewal.as_ref());
    let (free, reuse) = sync_channel::<Picture>(ENCODE_QUEUE);
    std::thread::scope(|scope| {
        let encoder = scope.spawn(move || -> Result<u64, MediaError> {
            for piece in queue {
                match piece {
                    Piece::Frame(picture, pts, duration) => {
                        if let Some(picture) = writer.write_frame(picture, pts, duration)? {
                            // If there is no room for it, its memory is freed.
                            drop(free.try_send(picture));
                        }
                    }
                    Piece::Carried(picture) => writer.write_carried(&picture)?,
                    Piece::Sound(block) => writer.write_sound(&block)?,
                }
            }
            Ok(writer.finish()?.frames)
        });
        let belt = Belt { pieces: &pieces, reuse: &reuse };
        let look = |picture: &_, look, hidden: &[_]| as_written(work, picture, look, hidden);
        let mut ahead = match whose {
            Plans::Own => Ahead::rehearsed(&look, plan, info.average_rate),
            Plans::Given => Ahead::plain(),
        };
        let frames = (&mut original, &mut ahead);
        let rendered = render_all(work, plan, frames, renewal.as_mut(), &belt)
            .and_then(|sent| work.outbox.hidden(&ahead.seen()).map(|()| sent));
        // Ends the encoder's queue: the last two senders go with the reader
        // and the sound stage it feeds.
        drop(pieces);
        drop(original);
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

/// The way to the encoder, and back.
struct Belt<'a> {
    pieces: &'a SyncSender<Piece>,
    reuse: &'a Receiver<Picture>,
}

impl Belt<'_> {
    /// False if the encoder is gone; it knows why.
    fn put(&self, piece: Piece) -> bool {
        self.pieces.send(piece).is_ok()
    }
}

/// Renders every frame and hands it to the encoder; returns how many went
/// there. Groups of pictures that `renewal` carries over go there as they are
/// coded; of their frames some may be decoded for the sake of others.
fn render_all(
    work: &Work<'_>,
    plan: &Plan,
    (original, ahead): (&mut Original, &mut Ahead<'_>),
    mut renewal: Option<&mut Renewal>,
    belt: &Belt<'_>,
) -> Result<u64, Failure> {
    let mut renderer = Renderer::new(&plan.policy);
    let mut hidden = Playhead::new(plan);
    let mut timeline = TimelineDigest::default();
    let (mut count, mut unplanned) = (0, 0u64);
    while let Some(step) = ahead.next(original)? {
        let (number, frame) = match step {
            Step::Frame(number, frame) => (number, Some(frame)),
            Step::LeftOut(number) => (number, None),
        };
        count = number + 1;
        if let Some(renewal) = renewal.as_deref_mut()
            && !carry(renewal, number, belt)?
        {
            return Ok(count);
        }
        if let Some(frame) = frame {
            timeline.push(frame.pts);
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
            if renewal.as_deref().is_some_and(|r| r.splice().is_carried(number as usize)) {
                original.recycle(picture);
            } else {
                let planned = plan.is_blanked(number);
                let redacted = if frame.damaged || planned {
                    unplanned += u64::from(!planned);
                    renderer.blank(size, format)
                } else {
                    let mut masks = masks(hidden.hidden_at(number));
                    masks.extend(ahead.masks_at(number));
                    // What nothing is drawn on goes as it was decoded.
                    let picture = if masks.is_empty() { picture } else { original.own(picture) };
                    renderer.render(picture, &masks)
                };
                if !belt.put(Piece::Frame(redacted, frame.pts, frame.duration)) {
                    return Ok(count);
                }
                while let Ok(picture) = belt.reuse.try_recv() {
                    original.recycle(picture);
                }
            }
        }
        if count == SETTLED {
            fernseed_sandbox::release_free_memory();
        }
        work.outbox.progress(Phase::Write, count, Some(plan.source.frames))?;
    }
    let mut same_times = true;
    if let Some(report) = original.report() {
        sure(&report, work.output)?;
        same_times = timeline.value() == plan.source.timeline;
    }
    if count != plan.source.frames || !same_times {
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

/// Hands over the group of pictures that begins with a frame, if it is carried
/// over. False if the encoder is gone.
fn carry(renewal: &mut Renewal, frame: u64, belt: &Belt<'_>) -> Result<bool, Failure> {
    let first = frame as usize;
    if !renewal.begins_carried(first) {
        return Ok(true);
    }
    let mut next = || renewal.next_carried(first).map_err(|e| start_over(&e.to_string()));
    while let Some(picture) = next()? {
        if !belt.put(Piece::Carried(picture)) {
            return Ok(false);
        }
    }
    Ok(true)
}
