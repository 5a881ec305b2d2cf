//! A video: one pass that looks, one that destroys and writes.
//!
//! The file is decoded twice rather than spooled: nothing unredacted ever
//! leaves this process's memory.

use super::lookout::{Lookout, Watched, watch};
use super::probe::{Work, announce};
use super::still::masks;
use crate::protocol::{Event, Failure, FailureKind, OutputFormat, Phase, VIDEO_QUALITY};
use fernseed_core::Picture;
use fernseed_core::finding::{Finding, FindingCode, Place, Severity};
use fernseed_core::limits::Limits;
use fernseed_core::plan::{
    FrameSpan, KeptSpan, MediaKind, PLAN_VERSION, Plan, SourceSummary, TimelineDigest,
};
use fernseed_core::policy::AudioPolicy;
use fernseed_core::render::{Redacted, Renderer};
use fernseed_core::sound::{KeepVoices, SampleBlock, SoundStage};
use fernseed_core::time::{TimeBase, clock};
use fernseed_core::track::plan::redactions;
use fernseed_core::track::scene::SceneDetector;
use fernseed_core::track::{Track, TrackSettings, Tracker};
use fernseed_detect::VideoLook;
use fernseed_media::video::{
    Container, MediaError, OpenOptions, SinkOptions, Unit, VideoFrame, VideoInfo, VideoReader,
    VideoWriter,
};
use std::fs::File;
use std::sync::mpsc::sync_channel;

/// Frames waiting for the encoder.
const ENCODE_QUEUE: usize = 4;
/// One look in so many is a steady one, the others are quick.
const STEADY_EVERY: u32 = 4;
/// The time base of spans.
pub(super) const MICROS: TimeBase = TimeBase { num: 1, den: 1_000_000 };
/// A gap of this many seconds inside a track is worth a look by a person.
const LONG_GAP: f64 = 1.5;

/// Frames of a source, numbered and cut to the span.
pub(super) struct Shown {
    reader: VideoReader,
    time_base: TimeBase,
    span: KeptSpan,
    first: Option<i64>,
    /// Added to source timestamps for the output.
    pub(super) shift: i64,
    number: u64,
    sound: Option<SoundSink>,
}

/// Where sound goes.
pub(super) type SoundSink = Box<dyn FnMut(SampleBlock) -> Result<(), Failure>>;

impl Shown {
    pub(super) fn open(
        file: File,
        span: KeptSpan,
        threads: usize,
        sound: Option<SoundSink>,
    ) -> Result<Self, Failure> {
        let options = OpenOptions {
            threads,
            want_audio: sound.is_some(),
            limits: Limits::default(),
            ..OpenOptions::default()
        };
        let reader = VideoReader::open(file, &options).map_err(failure)?;
        let time_base = reader.info().time_base;
        Ok(Self { reader, time_base, span, first: None, shift: 0, number: 0, sound })
    }

    pub(super) fn info(&self) -> &VideoInfo {
        self.reader.info()
    }

    pub(super) fn reader(&self) -> &VideoReader {
        &self.reader
    }

    /// The next frame inside the span with its number, or `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u64, VideoFrame)>, Failure> {
        loop {
            let frame = match self.reader.next().map_err(failure)? {
                None => return Ok(None),
                Some(Unit::Sound(block)) => {
                    self.pass_sound(block)?;
                    continue;
                }
                // Comes only with `OpenOptions::references_only`.
                Some(Unit::Skipped(_)) => continue,
                Some(Unit::Frame(frame)) => frame,
            };
            let first = *self.first.get_or_insert(frame.pts);
            let micros =
                self.time_base.rescale(frame.pts.saturating_sub(first), MICROS).unwrap_or(i64::MAX);
            if self.span.start.is_some_and(|s| micros < s) {
                self.reader.recycle(frame.picture);
                continue;
            }
            if self.span.end.is_some_and(|e| micros >= e) {
                self.reader.recycle(frame.picture);
                return Ok(None);
            }
            if self.number == 0 && (!self.span.is_all() || frame.pts < 0) {
                self.shift = -frame.pts;
            }
            let number = self.number;
            self.number += 1;
            return Ok(Some((number, frame)));
        }
    }

    /// Sound inside the span, moved like the frames.
    fn pass_sound(&mut self, block: SampleBlock) -> Result<(), Failure> {
        let Some(sink) = &mut self.sound else { return Ok(()) };
        let rate = f64::from(block.rate.max(1));
        let first = self.time_base.seconds(self.first.unwrap_or(0));
        let at = |micros: i64| ((first + MICROS.seconds(micros)) * rate).round() as i64;
        let from = self.span.start.map_or(i64::MIN, at);
        let to = self.span.end.map_or(i64::MAX, at);
        let shift = (self.time_base.seconds(self.shift) * rate).round() as i64;
        if self.number == 0 && !self.span.is_all() {
            // Not at the span yet, so where the frames will be moved to is
            // not known; what comes before the first frame is dropped.
            return Ok(());
        }
        let skip = usize::try_from(from.saturating_sub(block.start).max(0)).unwrap_or(usize::MAX);
        let keep = usize::try_from(to.saturating_sub(block.start).max(0)).unwrap_or(usize::MAX);
        let range = skip.min(block.len())..keep.min(block.len()).max(skip.min(block.len()));
        if range.is_empty() {
            return Ok(());
        }
        let start = block.start + range.start as i64 + shift;
        let channels = block.channels.iter().map(|c| c[range.clone()].to_vec()).collect();
        sink(SampleBlock { rate: block.rate, start, channels })
    }
}

/// Looks at every frame and makes the plan.
pub(super) fn scan(work: &Work<'_>, file: File) -> Result<Plan, Failure> {
    let threads = work.output.threads.max(1);
    let mut shown = Shown::open(file, work.output.span, threads, None)?;
    let info = shown.info().clone();
    let output = work.output.format.unwrap_or(OutputFormat::Mp4);
    let format = format!("{} video ({})", info.container, info.codec);
    announce(work, MediaKind::Video, format, output, info.size)?;
    let settings = TrackSettings::for_threshold(work.policy.threshold);

    let mut timeline = TimelineDigest::default();
    let mut times: (i64, i64, u64) = (0, 0, 0);
    let mut blanked: Vec<FrameSpan> = Vec::new();
    let mut scenes = SceneDetector::default();
    let (free, reuse) = sync_channel::<Picture>(16);
    let look = |(how, picture): &(VideoLook, Picture)| {
        work.finder.look_at_frame(picture, *how, settings.floor)
    };
    let recycle = |(_, picture): (VideoLook, Picture)| drop(free.try_send(picture));
    let watched = watch(Tracker::new(settings), threads, &look, &recycle, |lookout| {
        feed(
            work,
            &mut shown,
            lookout,
            &mut |number, frame, shift| {
                timeline.push(frame.pts + shift);
                if number == 0 {
                    times.0 = frame.pts;
                }
                times.1 = frame.pts;
                times.2 = number + 1;
                if frame.damaged {
                    blank(&mut blanked, number);
                }
                scenes.is_cut(&frame.picture)
            },
            &mut || reuse.try_recv().ok(),
        )
    })?;
    let Watched { tracker, unseen } = watched;
    for frame in unseen {
        blank(&mut blanked, frame);
    }
    let read = shown.reader().report();
    if read.truncated {
        return Err(Failure::new(
            FailureKind::Truncated,
            format!("the file is cut short after {} frames", times.2),
        ));
    }
    if times.2 == 0 {
        return Err(Failure::new(
            FailureKind::Damaged,
            if work.output.span.is_all() {
                "it holds no frame that can be decoded"
            } else {
                "there is no frame between --start and --end"
            },
        ));
    }
    let tracks = tracker.finish();
    let plan = Plan {
        version: PLAN_VERSION,
        source: SourceSummary {
            kind: MediaKind::Video,
            size: info.size,
            frames: times.2,
            time_base: info.time_base,
            first_pts: times.0 + shown.shift,
            last_pts: times.1 + shown.shift,
            timeline: timeline.value(),
            span: work.output.span,
        },
        policy: work.policy.clone(),
        reviewed: false,
        redactions: redactions(&tracks, work.policy, info.size),
        blanked,
    };
    work.outbox.findings(findings(work, &shown, &plan, &tracks))?;
    work.outbox.tell(Event::Plan(Box::new(plan.clone())))?;
    Ok(plan)
}

/// Sends every shown frame to the lookout.
pub(super) fn feed(
    work: &Work<'_>,
    shown: &mut Shown,
    lookout: &Lookout<(VideoLook, Picture)>,
    note: &mut dyn FnMut(u64, &VideoFrame, i64) -> bool,
    reuse: &mut dyn FnMut() -> Option<Picture>,
) -> Result<(), Failure> {
    let total = shown.info().frame_count_hint;
    let every = look_every(shown.info());
    let (mut since, mut quick) = (0, 0);
    while let Some((number, frame)) = shown.next()? {
        let cut = note(number, &frame, shown.shift);
        let seconds = shown.time_base.seconds(frame.pts);
        since += 1;
        let fresh = cut || number == 0;
        let picture = if !frame.damaged && (fresh || since >= every) {
            since = 0;
            // New shots get the closest look; after that most looks are
            // quick ones, with a steady one several times a second.
            quick = if fresh { 0 } else { (quick + 1) % STEADY_EVERY };
            let how = match (fresh, quick) {
                (true, _) => VideoLook::Thorough,
                (false, 0) => VideoLook::Steady,
                (false, _) => VideoLook::Quick,
            };
            Some((how, frame.picture))
        } else {
            shown.reader.recycle(frame.picture);
            None
        };
        if !lookout.send(number, seconds, cut, picture) {
            return Err(Failure::new(FailureKind::Internal, "the detectors stopped"));
        }
        while let Some(picture) = reuse() {
            shown.reader.recycle(picture);
        }
        work.outbox.progress(Phase::Scan, number + 1, total)?;
    }
    Ok(())
}

/// Every how many frames somebody looks: about 12 times a second, more
/// often than a face can appear and vanish between two looks unnoticed.
fn look_every(info: &VideoInfo) -> u64 {
    let (num, den) = info.average_rate.unwrap_or((25, 1));
    let rate = f64::from(num) / f64::from(den.max(1));
    ((rate / 12.0).floor() as u64).clamp(1, 8)
}

fn blank(spans: &mut Vec<FrameSpan>, frame: u64) {
    match spans.last_mut() {
        Some(last) if last.last + 1 == frame => last.last = frame,
        _ => spans.push(FrameSpan { first: frame, last: frame }),
    }
}

/// What the first pass noticed.
fn findings(work: &Work<'_>, shown: &Shown, plan: &Plan, tracks: &[Track]) -> Vec<Finding> {
    let info = shown.info();
    let rate = info.average_rate.map_or(25.0, |(n, d)| f64::from(n) / f64::from(d.max(1)));
    let mut out: Vec<Finding> = shown
        .reader()
        .notes()
        .into_iter()
        .map(|note| Finding::new(FindingCode::Note, Severity::Notice, format!("{note}.")))
        .collect();
    let skipped = shown.reader().report().skipped_packets;
    if skipped > 0 {
        out.push(Finding::new(
            FindingCode::DamagedFrames,
            Severity::Doubt,
            format!("{skipped} pieces of the video could not be decoded and are missing."),
        ));
    }
    for stream in &info.dropped_streams {
        out.push(Finding::new(
            FindingCode::StreamDropped,
            Severity::Info,
            format!("Not carried over: {stream}."),
        ));
    }
    if info.audio.is_some() && work.policy.audio == AudioPolicy::Drop {
        out.push(Finding::new(
            FindingCode::StreamDropped,
            Severity::Info,
            "The sound was dropped (keep it with --audio keep; voices are recognisable).",
        ));
    }
    for span in &plan.blanked {
        out.push(
            Finding::new(
                FindingCode::DamagedFrames,
                Severity::Doubt,
                format!(
                    "Frames {} to {} are damaged and were filled whole.",
                    span.first, span.last
                ),
            )
            .at(Place {
                first_frame: Some(span.first),
                last_frame: Some(span.last),
                ..Place::default()
            }),
        );
    }
    for track in tracks {
        let gap = track.longest_gap as f64 / rate.max(1.0);
        if gap >= LONG_GAP {
            let first = track.points.first().map(|p| p.frame);
            let seconds = first.map(|f| f as f64 / rate.max(1.0));
            out.push(
                Finding::new(
                    FindingCode::LongGap,
                    Severity::Notice,
                    format!(
                        "A person was out of sight for {gap:.1} s and stayed covered where they \
                         were expected, from about {}.",
                        clock(seconds.unwrap_or_default())
                    ),
                )
                .at(Place {
                    first_frame: first,
                    last_frame: track.points.last().map(|p| p.frame),
                    seconds,
                    ..Place::default()
                }),
            );
        }
    }
    out
}

/// What goes to the encoder thread.
enum Piece {
    Frame(Redacted<Picture>, i64, i64),
    Sound(Redacted<SampleBlock>),
}

/// Destroys what the plan names and writes the output.
pub(super) fn apply(work: &Work<'_>, plan: &Plan, file: File, out: File) -> Result<(), Failure> {
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
    let threads = work.output.threads.max(1);
    let mut shown = Shown::open(file, plan.source.span, threads, sink)?;
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
    std::thread::scope(|scope| {
        let encoder = scope.spawn(move || -> Result<u64, MediaError> {
            for piece in queue {
                match piece {
                    Piece::Frame(picture, pts, duration) => {
                        writer.write_frame(&picture, pts, duration)?;
                    }
                    Piece::Sound(block) => writer.write_sound(&block)?,
                }
            }
            Ok(writer.finish()?.frames)
        });
        let rendered = render_all(work, plan, &mut shown, &pieces);
        // Ends the encoder's queue: the last two senders go with the reader
        // and the sound stage it feeds.
        drop(pieces);
        drop(shown);
        let encoded = encoder
            .join()
            .map_err(|_panic| Failure::new(FailureKind::Internal, "the encoder crashed"))?;
        let frames = encoded.map_err(failure)?;
        let sent = rendered?;
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
    pieces: &std::sync::mpsc::SyncSender<Piece>,
) -> Result<u64, Failure> {
    let mut renderer = Renderer::new(&plan.policy);
    let mut timeline = TimelineDigest::default();
    let mut count = 0;
    while let Some((number, frame)) = shown.next()? {
        let pts = frame.pts + shown.shift;
        timeline.push(pts);
        count = number + 1;
        let (size, format) = (frame.picture.size(), frame.picture.format());
        if size != plan.source.size {
            return Err(Failure::new(
                FailureKind::Plan,
                "the plan was made for another file: the size of the picture differs",
            ));
        }
        let redacted = if frame.damaged || plan.is_blanked(number) {
            renderer.blank(size, format)
        } else {
            renderer.render(frame.picture, &masks(plan, number))
        };
        if pieces.send(Piece::Frame(redacted, pts, frame.duration)).is_err() {
            break;
        }
        work.outbox.progress(Phase::Write, count, Some(plan.source.frames))?;
    }
    if count != plan.source.frames || timeline.value() != plan.source.timeline {
        return Err(Failure::new(
            FailureKind::Plan,
            "the plan was made for another file: the timestamps differ",
        ));
    }
    Ok(count)
}

/// The failure that an error of the video reader or writer stands for.
pub(super) fn failure(error: MediaError) -> Failure {
    let kind = match &error {
        MediaError::NotMedia { .. } => FailureKind::NotMedia,
        MediaError::Unsupported { .. } | MediaError::NoVideo => FailureKind::Unsupported,
        MediaError::Encrypted => FailureKind::Encrypted,
        MediaError::Truncated { .. } => FailureKind::Truncated,
        MediaError::TooLarge { .. } | MediaError::Limit { .. } => FailureKind::TooLarge,
        MediaError::Encoder { .. } => FailureKind::Internal,
        MediaError::Io(_) => FailureKind::Io,
        _ => FailureKind::Damaged,
    };
    Failure::new(kind, error.to_string())
}
