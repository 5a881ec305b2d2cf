//! An MP4 writer (ISO/IEC 14496-12, -14, -15) for one H.264 track and at
//! most one AAC track.
//!
//! Structure, always the same:
//!
//! ```text
//! ftyp  mdat (64-bit size)  moov
//!                           ├ mvhd
//!                           └ trak ×1..2
//!                             ├ tkhd
//!                             ├ edts/elst
//!                             └ mdia ├ mdhd
//!                                    ├ hdlr
//!                                    └ minf ├ vmhd | smhd
//!                                           ├ dinf/dref/url
//!                                           └ stbl ├ stsd/avc1 (avcC colr pasp) | mp4a (esds)
//!                                                  ├ stts ctts? stss? stsc stsz co64
//! ```
//!
//! All times of day are zero, all names empty, the language undetermined.
//! Boxes that exist in a 32-bit and a 64-bit form are always written in the
//! 64-bit one.
//!
//! **Time.** The media timescale is the denominator of the source's time
//! base, and a tick lasts `num` units, so every presentation time is kept
//! exactly. Frame *i* in decoding order is given the *i*-th presentation
//! time as its decoding time; composition offsets carry the difference, and
//! the edit list moves the first frame to its own time: an empty edit up to
//! it, then one edit over everything. No sample is hidden by it, except the
//! priming samples of AAC.

mod boxes;
mod tables;

use crate::video::Cicp;
use crate::video::nal::ParameterSets;
use fernseed_core::time::TimeBase;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use tables::{Chunks, Runs};

/// Bytes of `mdat`'s header with a 64-bit size.
const MDAT_HEADER: u64 = 16;
/// Most samples of one chunk.
const CHUNK_SAMPLES: u32 = 128;

/// What the video track is.
#[derive(Clone, Debug)]
pub(crate) struct VideoTrack {
    /// Coded size in pixels.
    pub(crate) width: u16,
    /// Coded size in pixels.
    pub(crate) height: u16,
    /// Width to height of a pixel.
    pub(crate) sample_aspect: (u32, u32),
    /// Length of a tick of the times given.
    pub(crate) time_base: TimeBase,
    /// Colour description.
    pub(crate) colour: Cicp,
    /// The stream's parameter sets: one of each kind, or two if pictures of
    /// two encoders are joined.
    pub(crate) sets: Vec<ParameterSets>,
}

/// What the sound track is. Its timescale is its rate, 48 kHz.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AudioTrack {
    /// 1 or 2.
    pub(crate) channels: u16,
    /// Samples of one packet.
    pub(crate) packet_samples: u32,
}

/// Where the sound lies, known at the end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SoundSpan {
    /// Samples from time zero to the first one.
    pub(crate) start: u64,
    /// Samples to be heard.
    pub(crate) length: u64,
    /// Samples to be dropped before the first one.
    pub(crate) priming: u32,
}

/// Sample tables of one track.
#[derive(Debug, Default)]
struct Samples {
    /// Durations in decoding order, in media units.
    durations: Runs<u32>,
    /// Presentation minus decoding time, in media units; may be negative
    /// here, the smallest is added at the end.
    offsets: Runs<i64>,
    sizes: Vec<u32>,
    /// Numbers of the key samples, from 1.
    keys: Vec<u32>,
    chunks: Chunks,
}

/// Writes one MP4 file.
#[derive(Debug)]
pub(crate) struct Mp4Writer {
    out: BufWriter<File>,
    position: u64,
    mdat_start: u64,
    video: VideoTrack,
    audio: Option<AudioTrack>,
    video_samples: Samples,
    audio_samples: Samples,
    /// Presentation times, in ticks, that no decoded frame has taken as its
    /// decoding time yet.
    pending: VecDeque<i64>,
    first_pts: Option<i64>,
    last_pts: i64,
}

/// An input that MP4 cannot hold.
fn refuse(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

impl Mp4Writer {
    /// Begins a file; `file` is empty and open for reading and writing.
    pub(crate) fn create(
        file: File,
        video: VideoTrack,
        audio: Option<AudioTrack>,
    ) -> io::Result<Self> {
        let mut out = BufWriter::with_capacity(1 << 20, file);
        let mut head = Vec::new();
        boxes::ftyp(&mut head);
        let mdat_start = head.len() as u64;
        boxes::mdat_header(&mut head, MDAT_HEADER);
        out.write_all(&head)?;
        Ok(Self {
            out,
            position: head.len() as u64,
            mdat_start,
            video,
            audio,
            video_samples: Samples::default(),
            audio_samples: Samples::default(),
            pending: VecDeque::new(),
            first_pts: None,
            last_pts: 0,
        })
    }

    /// Announces the presentation time of the next frame in presentation
    /// order, in ticks.
    pub(crate) fn announce(&mut self, pts: i64) -> io::Result<()> {
        if pts < 0 {
            return Err(refuse("times before zero cannot be written"));
        }
        if self.first_pts.is_some() {
            let step = pts.checked_sub(self.last_pts).filter(|s| *s > 0);
            let step = step.ok_or_else(|| refuse("times must increase"))?;
            self.video_samples.durations.push(self.units(step)?);
        } else {
            self.first_pts = Some(pts);
        }
        self.last_pts = pts;
        self.pending.push_back(pts);
        Ok(())
    }

    /// Ticks in media units, as a sample's duration.
    fn units(&self, ticks: i64) -> io::Result<u32> {
        let units = i128::from(ticks) * i128::from(self.video.time_base.num);
        u32::try_from(units).ok().ok_or_else(|| refuse("two frames are too far apart in time"))
    }

    /// Writes a coded picture: its NAL units, in decoding order of pictures.
    pub(crate) fn video(&mut self, units: &[&[u8]], pts: i64, key: bool) -> io::Result<()> {
        let dts = self.pending.pop_front().ok_or_else(|| refuse("more pictures out than in"))?;
        let offset = i128::from(pts.saturating_sub(dts)) * i128::from(self.video.time_base.num);
        let offset = i64::try_from(offset).ok().ok_or_else(|| refuse("times are out of range"))?;
        let start = self.position;
        let mut size = 0_u32;
        for unit in units {
            let length =
                u32::try_from(unit.len()).ok().ok_or_else(|| refuse("a picture is too large"))?;
            size = length
                .checked_add(4)
                .and_then(|l| size.checked_add(l))
                .ok_or_else(|| refuse("a picture is too large"))?;
            self.out.write_all(&length.to_be_bytes())?;
            self.out.write_all(unit)?;
        }
        self.position += u64::from(size);
        let samples = &mut self.video_samples;
        samples.sizes.push(size);
        samples.offsets.push(offset);
        if key {
            samples.keys.push(samples.sizes.len() as u32);
        }
        samples.chunks.add(start, size, CHUNK_SAMPLES);
        self.audio_samples.chunks.close();
        Ok(())
    }

    /// Writes a packet of sound.
    pub(crate) fn audio(&mut self, data: &[u8]) -> io::Result<()> {
        let audio = self.audio.ok_or_else(|| refuse("there is no sound track"))?;
        let size = u32::try_from(data.len()).ok().ok_or_else(|| refuse("a packet is too large"))?;
        let start = self.position;
        self.out.write_all(data)?;
        self.position += u64::from(size);
        self.audio_samples.durations.push(audio.packet_samples);
        self.audio_samples.sizes.push(size);
        self.audio_samples.chunks.add(start, size, CHUNK_SAMPLES);
        self.video_samples.chunks.close();
        Ok(())
    }

    /// Ends the file. `last_duration` is how long the last frame is shown,
    /// in ticks. Gives back the file's length in bytes.
    pub(crate) fn finish(mut self, last_duration: i64, sound: SoundSpan) -> io::Result<u64> {
        if !self.pending.is_empty() {
            return Err(refuse("fewer pictures out than in"));
        }
        let first = self.first_pts.ok_or_else(|| refuse("a video without a frame"))?;
        let last = self.units(last_duration.max(1))?;
        self.video_samples.durations.push(last);
        let mdat_size = self.position - self.mdat_start;
        let moov = self.moov(first, sound)?;
        self.out.write_all(&moov)?;
        let length = self.position + moov.len() as u64;
        self.out.seek(SeekFrom::Start(self.mdat_start))?;
        let mut header = Vec::new();
        boxes::mdat_header(&mut header, mdat_size);
        self.out.write_all(&header)?;
        self.out.flush()?;
        Ok(length)
    }

    fn moov(&mut self, first: i64, sound: SoundSpan) -> io::Result<Vec<u8>> {
        let media = self.video.time_base.den;
        let movie = movie_timescale(media);
        let to_movie = |units: u64, timescale: u32| -> io::Result<u64> {
            let scaled = u128::from(units) * u128::from(movie) + u128::from(timescale / 2);
            u64::try_from(scaled / u128::from(timescale)).ok().ok_or_else(|| refuse("too long"))
        };
        // No composition offset may be negative: all are moved by the most
        // negative one, and the edit list takes the move back.
        let shift = self.video_samples.offsets.values().min().unwrap_or(0).min(0).unsigned_abs();
        let start = u64::try_from(i128::from(first) * i128::from(self.video.time_base.num))
            .ok()
            .ok_or_else(|| refuse("the video starts too late"))?;
        let length = self.video_samples.durations.sum();
        let mut tracks = vec![boxes::Track {
            kind: boxes::Kind::Video(&self.video),
            id: 1,
            timescale: media,
            media_duration: length,
            empty_edit: to_movie(start, media)?,
            edit_duration: to_movie(length, media)?,
            media_time: shift,
            durations: &self.video_samples.durations,
            offsets: Some((&self.video_samples.offsets, shift)),
            sizes: &self.video_samples.sizes,
            keys: Some(&self.video_samples.keys),
            chunks: &self.video_samples.chunks,
        }];
        if let Some(audio) = &self.audio
            && sound.length > 0
            && !self.audio_samples.sizes.is_empty()
        {
            let rate = crate::video::SOUND_RATE;
            // The last packet lasts only as long as there is sound in it.
            let heard = sound.length + u64::from(sound.priming);
            let coded = self.audio_samples.durations.sum();
            let excess = coded.saturating_sub(heard);
            self.audio_samples.durations.shorten_end(excess);
            tracks.push(boxes::Track {
                kind: boxes::Kind::Audio(audio),
                id: 2,
                timescale: rate,
                media_duration: self.audio_samples.durations.sum(),
                empty_edit: to_movie(sound.start, rate)?,
                edit_duration: to_movie(sound.length, rate)?,
                media_time: u64::from(sound.priming),
                durations: &self.audio_samples.durations,
                offsets: None,
                sizes: &self.audio_samples.sizes,
                keys: None,
                chunks: &self.audio_samples.chunks,
            });
        }
        boxes::moov(movie, &tracks).ok_or_else(|| refuse("the index would be too large"))
    }
}

/// A movie timescale in which times of both tracks are whole: the least
/// common multiple with the sound's, or the video's own if that is too
/// large for the field.
fn movie_timescale(media: u32) -> u32 {
    let (mut a, mut b) = (media.max(1), crate::video::SOUND_RATE);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    let multiple = u64::from(media) * u64::from(crate::video::SOUND_RATE / a);
    u32::try_from(multiple).unwrap_or(media)
}

#[cfg(test)]
mod tests;
