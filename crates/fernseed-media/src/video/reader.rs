//! Reading a video: packets in, upright pictures and sound out.

use super::clock::{Clock, Tick};
use super::colour;
use super::describe::first_info;
use super::error::words;
use super::rotate;
use super::shape::Shaper;
use super::skim::Skim;
use super::sound::SoundIn;
use super::{
    AudioInfo, MediaError, OpenOptions, Pace, SOUND_RATE, SkippedFrame, Unit, VideoFrame, VideoInfo,
};
use crate::ffi::{
    self, DecodeOptions, Decoder, Demuxer, Frame, FrameFormat, Packet, Received, StreamFacts,
    StreamKind,
};
use fernseed_core::time::TimeBase;
use fernseed_core::{Orientation, Picture, Size};
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::sync::Arc;

/// Most errors in a row before a file is given up.
const MAX_ERRORS_IN_A_ROW: u32 = 10_000;
/// Most sound blocks that may wait for the first picture.
const MAX_WAITING: usize = 4_096;
/// Most pictures that are not decoded and wait for their place.
const MAX_SKIPPED: usize = 1_024;
/// Most packets read ahead of a picture to learn what comes before it.
const MAX_AHEAD: usize = 256;
/// Most times of corrupt packets remembered.
const MAX_CORRUPT: usize = 1_024;

/// What reading has met so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadReport {
    /// Frames delivered.
    pub frames: u64,
    /// Delivered frames that were marked damaged. With several decoder threads
    /// the marks may come too late: [`Self::decoder_messages`] is the number
    /// that does not depend on them.
    pub damaged: u64,
    /// Frames delivered as times only, without having been decoded.
    pub skipped_frames: u64,
    /// Packets of the video that no frame could be made from.
    pub skipped_packets: u64,
    /// Frames left out because their time did not come after the one before.
    pub dropped_frames: u64,
    /// Times the timeline was moved on after a large backward jump.
    pub timeline_shifts: u64,
    /// Frames without a time of their own.
    pub invented_times: u64,
    /// Packets of the sound that could not be decoded.
    pub skipped_sound: u64,
    /// Lines the decoders wrote about errors and about pictures of which they
    /// had to invent parts.
    pub decoder_messages: u64,
    /// True if the file ends before it should.
    pub truncated: bool,
    /// Everything worth telling, in plain words.
    pub notes: Vec<String>,
}

/// Reads one video file.
#[derive(Debug)]
pub struct VideoReader {
    demuxer: Demuxer,
    video: usize,
    decoder: Decoder,
    sound: Option<SoundIn>,
    shaper: Shaper,
    info: VideoInfo,
    clock: Clock,
    packet: Packet,
    skim: Option<Skim>,
    /// Which of the pictures that could be left out are decoded.
    regular: Option<Regular>,
    /// Times and durations of pictures that are not decoded and were not
    /// delivered yet.
    skipped: BTreeMap<i64, i64>,
    /// Packets that were read but not handed to a decoder yet.
    ahead: VecDeque<Packet>,
    /// Decoding time of the last video packet read.
    last_dts: i64,
    /// Set when the demuxer has nothing more to give.
    read_all: bool,
    frame: Frame,
    /// Set while `frame` holds a decoded frame that was not delivered.
    has_frame: bool,
    waiting: VecDeque<Unit>,
    corrupt: VecDeque<i64>,
    packets: u64,
    expected_packets: u64,
    messages_before: u64,
    draining: bool,
    ended: bool,
    report: ReadReport,
    rescaled: bool,
    interlaced: bool,
}

impl VideoReader {
    /// Opens a video and decodes up to its first picture.
    ///
    /// The file is read with positioned reads through the handle given, which
    /// may be shared; no other file is ever opened.
    ///
    /// # Errors
    /// [`MediaError::NotMedia`], [`MediaError::NoVideo`],
    /// [`MediaError::Unsupported`], [`MediaError::Encrypted`],
    /// [`MediaError::Truncated`], [`MediaError::Damaged`],
    /// [`MediaError::TooLarge`] or [`MediaError::Limit`].
    pub fn open(file: impl Into<Arc<File>>, options: &OpenOptions) -> Result<Self, MediaError> {
        ffi::init();
        let messages_before = ffi::error_count();
        // Forget what an earlier file left in the log.
        let _stale = ffi::take_last_error();
        let mut demuxer = super::told::open(file.into()).map_err(MediaError::opening)?;
        let video = demuxer.best(false).ok_or(MediaError::NoVideo)?;
        let facts = demuxer.stream(video).ok_or(MediaError::NoVideo)?;
        if facts.kind != StreamKind::Video {
            return Err(MediaError::NoVideo);
        }
        if facts.encrypted {
            return Err(MediaError::Encrypted);
        }
        let (width, height) = facts.size;
        let size = Size::new(width, height);
        if size.pixels() > 0 && !options.limits.allow(size) {
            return Err(MediaError::TooLarge { width, height });
        }
        let decode = DecodeOptions {
            threads: options.threads,
            rough: options.analysis,
            max_pixels: options.limits.max_pixels,
        };
        let decoder = Decoder::open(&demuxer, video, decode)
            .map_err(|e| MediaError::decoder(e, &facts.codec))?;
        let (sound, audio) = open_sound(&demuxer, options.want_audio);
        let sound_index = sound.as_ref().map(SoundIn::stream);
        for index in 0..demuxer.stream_count() {
            if index != video && Some(index) != sound_index {
                demuxer.discard(index);
            }
        }
        let (orientation, exact) =
            facts.matrix.map_or((Orientation::Upright, true), rotate::from_matrix);
        let info = first_info(&demuxer, &facts, video, sound_index, orientation, audio);
        let step = info.average_rate.and_then(|(n, d)| ticks(info.time_base, d, n)).unwrap_or(1);
        let half_second = ticks(info.time_base, 1, 2).unwrap_or(1);
        let plan = colour::plan(NO_COLOUR, false, size);
        let mut this = Self {
            video,
            decoder,
            sound,
            shaper: Shaper::new(Size::new(1, 1), orientation, plan),
            clock: Clock::new(half_second, step),
            packet: Packet::new().map_err(no_memory)?,
            skim: if options.references_only {
                Skim::of(&demuxer.container(), &facts)
            } else {
                None
            },
            regular: options.and_every.and_then(|pace| Regular::new(pace, &info)),
            skipped: BTreeMap::new(),
            ahead: VecDeque::new(),
            last_dts: i64::MIN,
            read_all: false,
            frame: Frame::new().map_err(no_memory)?,
            has_frame: false,
            waiting: VecDeque::new(),
            corrupt: VecDeque::new(),
            packets: 0,
            expected_packets: facts.frames,
            messages_before,
            draining: false,
            ended: false,
            report: ReadReport::default(),
            rescaled: false,
            interlaced: false,
            info,
            demuxer,
        };
        if !exact {
            this.note("the picture is turned by an odd angle; the nearest quarter turn is used");
        }
        if facts.dolby_vision {
            this.note("Dolby Vision data is ignored; colours come from the base layer");
        }
        this.start(&facts, options)?;
        Ok(this)
    }

    /// Decodes the first picture and learns size and colour from it.
    fn start(&mut self, facts: &StreamFacts, options: &OpenOptions) -> Result<(), MediaError> {
        if !self.decode_frame()? {
            let detail =
                ffi::take_last_error().unwrap_or_else(|| "no picture can be decoded".into());
            return Err(if self.report.truncated {
                MediaError::Truncated { detail: "not one picture is complete".into() }
            } else {
                MediaError::Damaged { detail }
            });
        }
        self.has_frame = true;
        let (width, height) = self.frame.size();
        let stored = Size::new(width, height);
        if !options.limits.allow(stored) {
            return Err(MediaError::TooLarge { width, height });
        }
        let rgb = matches!(self.frame.format(), FrameFormat::Other { rgb: true });
        let plan = colour::plan(self.frame.cicp(), rgb, stored);
        if plan.approximated {
            self.note("the colour description is unusual and was approximated");
        }
        if plan.hdr.is_some() {
            self.note("high dynamic range was mapped to standard range");
        }
        let orientation = self.info.orientation;
        let (w, h) = self.frame.sample_aspect().or(facts.sample_aspect).unwrap_or((1, 1));
        // The container's ratio wins over the codec's, as in players.
        let (w, h) = facts.sample_aspect.unwrap_or((w, h));
        self.info.sample_aspect = if orientation.swaps_sides() { (h, w) } else { (w, h) };
        self.info.size = orientation.apply_to_size(stored);
        self.info.colour = plan.colour;
        self.info.hdr = plan.hdr;
        self.shaper = Shaper::new(stored, orientation, plan);
        Ok(())
    }

    /// What is known of the video.
    #[must_use]
    pub const fn info(&self) -> &VideoInfo {
        &self.info
    }

    /// What reading has met so far; complete after [`Self::next`] gave `None`.
    #[must_use]
    pub fn report(&self) -> ReadReport {
        let mut report = self.report.clone();
        report.timeline_shifts = self.clock.shifts;
        report.invented_times = self.clock.invented;
        report.skipped_sound = self.sound.as_ref().map_or(0, SoundIn::skipped);
        report.decoder_messages = ffi::error_count().saturating_sub(self.messages_before);
        let mut add = |count: u64, what: &str| {
            if count > 0 {
                report.notes.push(format!("{count} {what}"));
            }
        };
        add(self.report.skipped_packets, "pieces of the video could not be decoded");
        add(self.report.dropped_frames, "frames had no place in time and were left out");
        add(self.clock.shifts, "jumps back in time; the timeline was moved on");
        add(self.clock.invented, "frames had no time of their own");
        add(report.skipped_sound, "pieces of the sound could not be decoded");
        if report.decoder_messages > 0 && report.damaged + report.skipped_packets == 0 {
            let count = report.decoder_messages;
            report
                .notes
                .push(format!("the decoder complained {count} times, but no frame is marked"));
        }
        report
    }

    /// Notes in plain words, as in [`ReadReport::notes`].
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        self.report().notes
    }

    /// A picture in memory that may be written to without being copied first,
    /// and that [`Self::recycle`] takes back: pictures that need no conversion
    /// are delivered in the decoder's own memory
    /// ([`Samples::lent`](fernseed_core::picture::Samples::lent)).
    #[must_use]
    pub fn own(&mut self, picture: Picture) -> Picture {
        self.shaper.own(picture)
    }

    /// Takes a picture's memory back for reuse.
    pub fn recycle(&mut self, picture: Picture) {
        self.shaper.recycle(picture);
    }

    /// The next picture or run of sound in the order of the file; `None` at
    /// the end.
    ///
    /// # Errors
    /// [`MediaError::Damaged`] if nothing more can be made of the file,
    /// [`MediaError::TooLarge`] or [`MediaError::Unsupported`] if a picture
    /// changes to something that is not allowed. Single damaged packets are
    /// no error: see [`VideoFrame::damaged`] and [`Self::report`].
    #[expect(
        clippy::should_implement_trait,
        reason = "fallible; an Iterator of Result invites `?`-less loops"
    )]
    pub fn next(&mut self) -> Result<Option<Unit>, MediaError> {
        loop {
            if let Some(unit) = self.waiting.pop_front() {
                return Ok(Some(unit));
            }
            if !self.has_frame {
                if (self.ended || self.skipped.len() > MAX_SKIPPED)
                    && let Some((pts, duration)) = self.skipped.pop_first()
                {
                    if let Some(unit) = self.skip(pts, duration) {
                        return Ok(Some(unit));
                    }
                    continue;
                }
                if self.ended {
                    return Ok(None);
                }
                self.has_frame = self.decode_frame()?;
                // Sound that came before the first picture goes first.
                continue;
            }
            if let Some((pts, duration)) = self.skipped_before()? {
                if let Some(unit) = self.skip(pts, duration) {
                    return Ok(Some(unit));
                }
                continue;
            }
            self.has_frame = false;
            if let Some(frame) = self.deliver()? {
                return Ok(Some(Unit::Frame(frame)));
            }
        }
    }

    /// A picture that is shown before the decoded one but was not decoded.
    fn skipped_before(&mut self) -> Result<Option<(i64, i64)>, MediaError> {
        let (Some(_), Some(pts)) = (self.skim, self.frame.pts()) else { return Ok(None) };
        // Decoding times increase and never exceed presentation times, so
        // nothing earlier follows once they have come as far as this.
        while self.last_dts < pts && !self.read_all && self.ahead.len() < MAX_AHEAD {
            if self.read()? {
                let next = Packet::new().map_err(no_memory)?;
                self.ahead.push_back(std::mem::replace(&mut self.packet, next));
            }
        }
        let first = self.skipped.first_entry().filter(|e| *e.key() < pts);
        Ok(first.map(|e| e.remove_entry()))
    }

    /// Times a picture that was not decoded; `None` if it has no place.
    fn skip(&mut self, pts: i64, duration: i64) -> Option<Unit> {
        match self.clock.tick(Some(pts)) {
            Tick::Show(pts) => {
                self.report.skipped_frames += 1;
                Some(Unit::Skipped(SkippedFrame { pts, duration }))
            }
            Tick::Drop => {
                self.report.dropped_frames += 1;
                None
            }
        }
    }

    fn note(&mut self, text: impl Into<String>) {
        self.report.notes.push(text.into());
    }

    /// Shapes and times the decoded frame; `None` if it has no place.
    fn deliver(&mut self) -> Result<Option<VideoFrame>, MediaError> {
        let source_pts = self.frame.pts();
        let pts = match self.clock.tick(source_pts) {
            Tick::Show(pts) => pts,
            Tick::Drop => {
                self.report.dropped_frames += 1;
                return Ok(None);
            }
        };
        let (width, height) = self.frame.size();
        let upright = self.info.orientation.apply_to_size(Size::new(width, height));
        if upright != self.info.size && !self.rescaled {
            self.rescaled = true;
            let (from, to) = (upright, self.info.size);
            self.note(format!(
                "the picture changes to {} x {} on the way and was scaled to {} x {}",
                from.width, from.height, to.width, to.height
            ));
        }
        if self.frame.is_interlaced() && !self.interlaced {
            self.interlaced = true;
            self.note("the video is interlaced; frames are kept as they are");
        }
        let marked = source_pts.is_some_and(|p| self.corrupt.contains(&p));
        let damaged = self.frame.is_damaged() || marked;
        let duration = self.frame.duration();
        let picture = self.shaper.shape(&mut self.frame)?;
        self.report.frames += 1;
        self.report.damaged += u64::from(damaged);
        Ok(Some(VideoFrame { picture, pts, duration, damaged }))
    }

    /// Decodes until `self.frame` holds a frame (true) or the file has
    /// ended (false). Sound met on the way is queued.
    fn decode_frame(&mut self) -> Result<bool, MediaError> {
        let mut errors = 0;
        while !self.ended {
            if self.skipped.len() > MAX_SKIPPED {
                return Ok(false);
            }
            match self.decoder.receive(&mut self.frame) {
                Ok(Received::Frame) => return Ok(true),
                Ok(Received::End) => self.end(),
                Ok(Received::Hungry) if self.draining => self.end(),
                Ok(Received::Hungry) => {
                    self.feed()?;
                    if self.waiting.len() >= MAX_WAITING {
                        return Err(MediaError::Limit { what: "sound without picture".into() });
                    }
                    if !self.waiting.is_empty() && self.report.frames > 0 {
                        return Ok(false);
                    }
                }
                Err(error) => {
                    self.report.skipped_packets += 1;
                    errors += 1;
                    if errors > MAX_ERRORS_IN_A_ROW {
                        return Err(MediaError::Damaged { detail: words(error) });
                    }
                }
            }
        }
        Ok(false)
    }

    /// Hands the next packet to its decoder.
    fn feed(&mut self) -> Result<(), MediaError> {
        if let Some(packet) = self.ahead.pop_front() {
            self.packet = packet;
        } else if !self.read()? {
            if self.read_all {
                self.draining = true;
                if self.decoder.send(None).is_err() {
                    self.end();
                }
            }
            return Ok(());
        }
        let stream = self.packet.stream();
        if stream == self.video {
            if self.packet.is_corrupt()
                && let Some(pts) = self.packet.pts().or(self.packet.dts())
            {
                if self.corrupt.len() >= MAX_CORRUPT {
                    self.corrupt.pop_front();
                }
                self.corrupt.push_back(pts);
            }
            // The decoder was drained before, so it never says "full".
            if self.decoder.send(Some(&self.packet)).is_err() {
                self.report.skipped_packets += 1;
            }
        } else if let Some(sound) = self.sound.as_mut().filter(|s| s.stream() == stream) {
            let offset = self.clock.offset();
            let shift = self.info.time_base.rescale(offset, SOUND_BASE).unwrap_or(0);
            sound.decode(Some(&self.packet), shift, &mut self.waiting);
        }
        Ok(())
    }

    /// Reads one packet; false if there is nothing to decode in it, or
    /// nothing left to read.
    fn read(&mut self) -> Result<bool, MediaError> {
        if self.read_all {
            return Ok(false);
        }
        match self.demuxer.read(&mut self.packet) {
            Ok(()) => {}
            Err(error) if error.is_again() => return Ok(false),
            Err(error) => {
                if !error.is_eof() {
                    self.report.truncated = true;
                    self.note(format!("the file cannot be read to its end: {}", words(error)));
                } else if ffi::take_last_error().is_some_and(|l| l.contains("prematurely")) {
                    // Matroska says this in its log only.
                    self.report.truncated = true;
                    self.note("the file is cut off: its last part is incomplete");
                }
                self.read_all = true;
                return Ok(false);
            }
        }
        if self.packet.is_encrypted() {
            return Err(MediaError::Encrypted);
        }
        if self.packet.stream() != self.video {
            return Ok(true);
        }
        self.packets += u64::from(!self.packet.data().is_empty());
        if let Some(dts) = self.packet.dts() {
            self.last_dts = dts;
        }
        let disposable = self.skim.is_some_and(|s| s.is_disposable(self.packet.data()));
        let regular = match (&mut self.regular, self.packet.pts()) {
            (Some(regular), Some(pts)) => regular.has(pts),
            _ => false,
        };
        let (true, false, Some(pts)) =
            (disposable && !regular, self.packet.is_corrupt(), self.packet.pts())
        else {
            return Ok(true);
        };
        if !self.packet.is_discarded() && self.skipped.insert(pts, self.packet.duration()).is_some()
        {
            self.report.dropped_frames += 1;
        }
        Ok(false)
    }

    /// The regular or early end of the file.
    fn end(&mut self) {
        if self.ended {
            return;
        }
        self.ended = true;
        if let Some(sound) = &mut self.sound {
            let shift = self.info.time_base.rescale(self.clock.offset(), SOUND_BASE).unwrap_or(0);
            sound.decode(None, shift, &mut self.waiting);
        }
        if self.packets < self.expected_packets && self.demuxer.hit_end() {
            self.report.truncated = true;
            let (got, expected) = (self.packets, self.expected_packets);
            self.note(format!("the file is cut off: {got} of {expected} frames are there"));
        }
    }
}

/// Tells which pictures stand at regular numbers, by their times alone: that
/// has to be known before their neighbours are read.
#[derive(Debug)]
struct Regular {
    /// The time of the first picture read, which is the first one shown.
    first: Option<i64>,
    /// Length of a tick in seconds.
    tick: f64,
    /// Pictures a second.
    rate: f64,
    step: u32,
}

impl Regular {
    /// `None` if nothing is known of the rate.
    fn new(pace: Pace, info: &VideoInfo) -> Option<Self> {
        let (n, d) = info.average_rate.filter(|&(n, d)| n > 0 && d > 0)?;
        Some(Self {
            first: None,
            tick: info.time_base.seconds(1),
            rate: f64::from(n) / f64::from(d),
            step: pace.step(Some((n, d))),
        })
    }

    fn has(&mut self, pts: i64) -> bool {
        let first = *self.first.get_or_insert(pts);
        let number = pts.saturating_sub(first) as f64 * self.tick * self.rate;
        number.round().rem_euclid(f64::from(self.step)) == 0.0
    }
}

/// The error for a structure that could not be allocated.
fn no_memory(error: ffi::AvError) -> MediaError {
    MediaError::Damaged { detail: words(error) }
}

/// Ticks of the sound clock.
const SOUND_BASE: TimeBase = TimeBase { num: 1, den: SOUND_RATE };

/// Nothing known about colour.
const NO_COLOUR: colour::Cicp =
    colour::Cicp { primaries: 2, transfer: 2, matrix: 2, full_range: false };

/// `num / den` seconds in ticks, rounded.
fn ticks(base: TimeBase, num: u32, den: u32) -> Option<i64> {
    TimeBase::new(num, den)?.rescale(1, base)
}

/// Opens the decoder of the main sound stream, if sound is wanted.
pub(super) fn open_sound(demuxer: &Demuxer, wanted: bool) -> (Option<SoundIn>, Option<AudioInfo>) {
    let open = || {
        let index = demuxer.best(true)?;
        let facts = demuxer.stream(index)?;
        let channels = facts.channels.clamp(1, 2);
        let sound = SoundIn::open(demuxer, index, &facts, channels)?;
        let info = AudioInfo { rate: SOUND_RATE, channels, codec: facts.codec };
        Some((sound, info))
    };
    wanted.then(open).flatten().unzip()
}
