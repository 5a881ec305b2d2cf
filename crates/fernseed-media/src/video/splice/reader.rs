//! Reading a source for a splice: decoded pictures of some groups, coded
//! ones of the others, sound, all in the order of the file.

use super::super::reader::open_sound;
use super::super::shape::Shaper;
use super::super::sound::SoundIn;
use super::super::{AudioInfo, MediaError, OpenOptions, Unit, VideoFrame, colour};
use super::survey::{self, CodedPicture, Head};
use super::{Carried, Fallback, Group, Splice, SpliceError};
use crate::ffi::{DecodeOptions, Decoder, Demuxer, Frame, FrameFormat, Packet, Received};
use fernseed_core::sound::SampleBlock;
use fernseed_core::{Orientation, Picture, Size};
use std::collections::VecDeque;
use std::fs::File;
use std::sync::Arc;

/// What [`SpliceReader::next`] delivers.
#[derive(Clone, Debug, PartialEq)]
pub enum SpliceUnit {
    /// A decoded picture of a group that is encoded anew, with its number
    /// (from 0, in order of presentation, counted over the whole file).
    Frame(u64, VideoFrame),
    /// A coded picture of a group that is carried over.
    Carried(Carried),
    /// A run of sound.
    Sound(SampleBlock),
}

/// Reads a file for a splice.
///
/// Frames come in order of presentation inside a group, coded pictures in
/// order of decoding, groups in their order. Everything the survey relied
/// on is checked again on the way.
#[derive(Debug)]
pub struct SpliceReader {
    demuxer: Demuxer,
    video: usize,
    head: Head,
    splice: Splice,
    decoder: Decoder,
    sound: Option<SoundIn>,
    audio: Option<AudioInfo>,
    shaper: Option<Shaper>,
    packet: Packet,
    frame: Frame,
    waiting: VecDeque<Unit>,
    /// Number of the next packet of the video.
    next_packet: usize,
    /// Group of the next packet.
    group: usize,
    /// Number of the next decoded frame.
    next_frame: usize,
    /// True while `packet` holds one that was not used yet.
    held: bool,
    decoding: bool,
    draining: bool,
    read_all: bool,
    ended: bool,
}

impl SpliceReader {
    /// Opens the file that the survey was taken of. Of the options, threads,
    /// sound and limits count.
    ///
    /// # Errors
    /// As [`super::super::VideoReader::open`]; [`Fallback::HeaderChange`] if
    /// the stream is not the one of the survey.
    pub fn open(
        file: impl Into<Arc<File>>,
        splice: Splice,
        options: &OpenOptions,
    ) -> Result<Self, SpliceError> {
        let (mut demuxer, video, facts) = survey::open(file.into(), &options.limits)?;
        let head = Head::read(&demuxer.container(), &facts)?;
        if head.sets != splice.sets || head.pps.id != splice.source_pps {
            return Err(Fallback::HeaderChange.into());
        }
        let decode = DecodeOptions {
            threads: options.threads,
            rough: false,
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
        Ok(Self {
            demuxer,
            video,
            head,
            splice,
            decoder,
            sound,
            audio,
            shaper: None,
            packet: Packet::new().map_err(MediaError::encoder)?,
            frame: Frame::new().map_err(MediaError::encoder)?,
            waiting: VecDeque::new(),
            next_packet: 0,
            group: 0,
            next_frame: 0,
            held: false,
            decoding: false,
            draining: false,
            read_all: false,
            ended: false,
        })
    }

    pub(super) const fn splice(&self) -> &Splice {
        &self.splice
    }

    /// The sound that is delivered, if it was asked for and there is some.
    #[must_use]
    pub const fn audio(&self) -> Option<&AudioInfo> {
        self.audio.as_ref()
    }

    /// A picture in memory that may be written to without being copied first:
    /// see [`VideoReader::own`](crate::video::VideoReader::own).
    #[must_use]
    pub fn own(&mut self, picture: Picture) -> Picture {
        match &mut self.shaper {
            Some(shaper) => shaper.own(picture),
            None => picture,
        }
    }

    /// Takes a picture's memory back for reuse.
    pub fn recycle(&mut self, picture: Picture) {
        if let Some(shaper) = &mut self.shaper {
            shaper.recycle(picture);
        }
    }

    /// The next unit; `None` at the end.
    ///
    /// # Errors
    /// [`SpliceError::Fallback`] if the file does not keep what the survey
    /// promised; what was written so far is then worthless.
    #[expect(
        clippy::should_implement_trait,
        reason = "fallible; an Iterator of Result invites `?`-less loops"
    )]
    pub fn next(&mut self) -> Result<Option<SpliceUnit>, SpliceError> {
        loop {
            while let Some(unit) = self.waiting.pop_front() {
                if let Unit::Sound(block) = unit {
                    return Ok(Some(SpliceUnit::Sound(block)));
                }
            }
            if self.ended {
                return Ok(None);
            }
            if self.decoding {
                match self.decoder.receive(&mut self.frame) {
                    Ok(Received::Frame) => {
                        return self.deliver().map(Some);
                    }
                    Ok(Received::Hungry) if !self.draining => {}
                    Ok(Received::Hungry | Received::End) => self.end_run()?,
                    Err(_) => return Err(Fallback::Decoding.into()),
                }
            }
            if !self.held && !self.read_all {
                self.read()?;
            }
            if let Some(unit) = self.use_packet()? {
                return Ok(Some(unit));
            }
        }
    }

    fn read(&mut self) -> Result<(), SpliceError> {
        match self.demuxer.read(&mut self.packet) {
            Ok(()) => self.held = true,
            Err(e) if e.is_eof() => self.read_all = true,
            Err(_) => return Err(Fallback::Damaged.into()),
        }
        Ok(())
    }

    /// Begins to take the last pictures out of the decoder.
    fn drain(&mut self) -> Result<(), SpliceError> {
        self.draining = true;
        self.decoder.send(None).map_err(|_gone| Fallback::Decoding.into())
    }

    /// The decoder is empty: all pictures of the run must have come.
    fn end_run(&mut self) -> Result<(), SpliceError> {
        (self.decoding, self.draining) = (false, false);
        self.decoder.flush();
        if self.next_frame == self.next_packet { Ok(()) } else { Err(Fallback::Decoding.into()) }
    }

    fn use_packet(&mut self) -> Result<Option<SpliceUnit>, SpliceError> {
        if !self.held {
            if self.read_all {
                if self.decoding {
                    self.drain()?;
                } else {
                    self.finish()?;
                }
            }
            return Ok(None);
        }
        let stream = self.packet.stream();
        if stream != self.video {
            self.held = false;
            if let Some(sound) = self.sound.as_mut().filter(|s| s.stream() == stream) {
                sound.decode(Some(&self.packet), 0, &mut self.waiting);
            }
            return Ok(None);
        }
        while self.splice.groups.get(self.group).is_some_and(|g| g.range().end <= self.next_packet)
        {
            self.group += 1;
        }
        let group = *self.splice.groups.get(self.group).ok_or(Fallback::Damaged)?;
        if group.carried && self.decoding {
            self.drain()?;
            return Ok(None);
        }
        self.held = false;
        let place = Place { splice: &self.splice, group, packet: self.next_packet };
        let picture = place.check(&self.head, &self.packet)?;
        self.next_packet += 1;
        if group.carried {
            self.next_frame = self.next_packet;
            let carried = place.carry(&self.packet, picture)?;
            return Ok(Some(SpliceUnit::Carried(carried)));
        }
        self.decoding = true;
        self.decoder.send(Some(&self.packet)).map_err(|_refused| Fallback::Decoding)?;
        Ok(None)
    }

    /// The end of the file.
    fn finish(&mut self) -> Result<(), SpliceError> {
        self.ended = true;
        if let Some(sound) = &mut self.sound {
            sound.decode(None, 0, &mut self.waiting);
        }
        if self.next_packet == self.splice.times.len() {
            Ok(())
        } else {
            Err(Fallback::Damaged.into())
        }
    }

    /// Shapes the decoded frame.
    fn deliver(&mut self) -> Result<SpliceUnit, SpliceError> {
        let pts = self.frame.pts().ok_or(Fallback::Times)?;
        let number = self.next_frame;
        let (width, height) = self.frame.size();
        let size = Size::new(width, height);
        let plain = self.frame.format() == FrameFormat::Yuv420
            && (width, height) == self.splice.sps.size
            && self.splice.times.get(number) == Some(&pts)
            && number < self.next_packet;
        if !plain {
            return Err(Fallback::Decoding.into());
        }
        self.next_frame += 1;
        let shaper = match &mut self.shaper {
            Some(shaper) => shaper,
            none => {
                let plan = colour::plan(self.frame.cicp(), false, size);
                none.insert(Shaper::new(size, Orientation::Upright, plan))
            }
        };
        let (duration, damaged) = (self.frame.duration(), self.frame.is_damaged());
        let picture = shaper.shape(&mut self.frame)?;
        Ok(SpliceUnit::Frame(number as u64, VideoFrame { picture, pts, duration, damaged }))
    }
}

/// Where in a splice a packet of the video is.
pub(super) struct Place<'a> {
    pub(super) splice: &'a Splice,
    /// The group it belongs to.
    pub(super) group: Group,
    /// Its number, from 0, in order of decoding.
    pub(super) packet: usize,
}

impl Place<'_> {
    /// Checks that a packet is the one that the survey saw here.
    pub(super) fn check(&self, head: &Head, packet: &Packet) -> Result<CodedPicture, Fallback> {
        let pts = packet.pts().ok_or(Fallback::Times)?;
        let odd = packet.is_discarded()
            || packet.is_corrupt()
            || packet.is_encrypted()
            || packet.has_new_header()
            || self.times().binary_search(&pts).is_err();
        let picture = head.picture(packet.data())?;
        if odd || picture.idr != self.is_first() {
            return Err(Fallback::Damaged);
        }
        Ok(picture)
    }

    /// Takes a packet's picture as it is coded, slices only.
    pub(super) fn carry(
        &self,
        packet: &Packet,
        picture: CodedPicture,
    ) -> Result<Carried, Fallback> {
        let mut data = Vec::new();
        let mut units = Vec::with_capacity(picture.slices.len());
        for slice in picture.slices {
            let bytes = packet.data().get(slice).ok_or(Fallback::Damaged)?;
            units.push(data.len()..data.len() + bytes.len());
            data.extend_from_slice(bytes);
        }
        let key = self.is_first();
        let times = if key { self.times().to_vec() } else { Vec::new() };
        let pts = packet.pts().ok_or(Fallback::Times)?;
        Ok(Carried { data, units, pts, duration: packet.duration(), key, times })
    }

    const fn is_first(&self) -> bool {
        self.packet == self.group.first
    }

    fn times(&self) -> &[i64] {
        self.splice.times.get(self.group.range()).unwrap_or_default()
    }
}
