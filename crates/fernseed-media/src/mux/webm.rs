//! A WebM writer (RFC 9559, WebM subset) for one VP9 or VP8 track and at
//! most one Opus track.
//!
//! Structure, always the same:
//!
//! ```text
//! EBML
//! Segment ├ SeekHead (Info, Tracks, Cues)
//!         ├ Info (TimestampScale, Duration, MuxingApp, WritingApp)
//!         ├ Tracks/TrackEntry ×1..2
//!         ├ Cluster × n (Timestamp, SimpleBlock | BlockGroup)
//!         └ Cues
//! ```
//!
//! Both application strings are the constant [`APP`]; track UIDs are the
//! track numbers; there are no dates, tags, names, chapters or attachments.
//!
//! **Time.** Times in whole milliseconds are kept exactly with a scale of
//! 1 ms. All other time bases are rounded to 0.1 ms: Matroska counts in whole
//! nanoseconds per tick and 16 bits per cluster, so that 1/90000 s or
//! 1001/30000 s have no exact form. See [`scale`].

mod ebml;

use crate::video::{Cicp, SOUND_RATE};
use ebml::{element, float, group, text, uint, vint_size};
use fernseed_core::time::TimeBase;
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};

/// What stands in the two mandatory application strings.
pub(crate) const APP: &str = "fernseed";

/// Most bytes of blocks collected for one cluster.
const CLUSTER_BYTES: usize = 4 << 20;
/// Longest time from a cluster's start, in ticks of the scale.
const CLUSTER_TICKS: i64 = 30_000;
/// Most blocks that wait for the next picture.
const MAX_WAITING: usize = 4_096;

/// Number of the video track.
const VIDEO: u8 = 1;
/// Number of the sound track.
const AUDIO: u8 = 2;

/// What the video track is.
#[derive(Clone, Debug)]
pub(crate) struct VideoTrack {
    /// `V_VP8` or `V_VP9`.
    pub(crate) codec: &'static str,
    /// Size in pixels.
    pub(crate) width: u32,
    /// Size in pixels.
    pub(crate) height: u32,
    /// Width to height of a pixel.
    pub(crate) sample_aspect: (u32, u32),
    /// Length of a tick of the times given.
    pub(crate) time_base: TimeBase,
    /// Colour description.
    pub(crate) colour: Cicp,
}

/// What the sound track is: Opus at 48 kHz.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AudioTrack {
    /// 1 or 2.
    pub(crate) channels: u8,
    /// Samples of one packet.
    pub(crate) packet_samples: u32,
    /// Samples to be dropped before the first one.
    pub(crate) priming: u16,
}

/// The time base a WebM file is written in, for a source's.
pub(crate) const fn scale(source: TimeBase) -> TimeBase {
    if (source.num as u64 * 1000).is_multiple_of(source.den as u64) {
        TimeBase::MILLIS
    } else {
        TimeBase { num: 1, den: 10_000 }
    }
}

/// One block that is not in a cluster yet.
#[derive(Debug)]
struct Block {
    track: u8,
    time: i64,
    key: bool,
    data: Vec<u8>,
    /// In ticks of the scale; the last picture has one.
    duration: Option<u64>,
    /// Nanoseconds to drop from the end; the last sound block has it.
    discard: Option<i64>,
}

/// A cluster under construction.
#[derive(Debug, Default)]
struct Cluster {
    start: i64,
    blocks: Vec<u8>,
    open: bool,
}

/// Writes one WebM file.
#[derive(Debug)]
pub(crate) struct WebmWriter {
    out: BufWriter<File>,
    position: u64,
    /// First byte of the segment's payload.
    segment: u64,
    /// Place of the segment's size field.
    size_at: u64,
    duration_at: u64,
    cues_at: u64,
    video: VideoTrack,
    audio: Option<AudioTrack>,
    scale: TimeBase,
    cluster: Cluster,
    cues: Vec<(i64, u64)>,
    /// The last picture and the sound after it.
    waiting: Vec<Block>,
    last_sound: Option<Block>,
    sound_start: Option<i64>,
    sound_packets: u64,
    end: i64,
}

fn refuse(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

impl WebmWriter {
    /// Begins a file; `file` is empty and open for reading and writing.
    pub(crate) fn create(
        file: File,
        video: VideoTrack,
        audio: Option<AudioTrack>,
    ) -> io::Result<Self> {
        let scale = scale(video.time_base);
        let mut head = Vec::new();
        group(&mut head, 0x1A45_DFA3, |b| {
            uint(b, 0x4286, 1);
            uint(b, 0x42F7, 1);
            uint(b, 0x42F2, 4);
            uint(b, 0x42F3, 8);
            text(b, 0x4282, "webm");
            uint(b, 0x4287, 4);
            uint(b, 0x4285, 2);
        });
        ebml::id(&mut head, 0x1853_8067);
        let size_at = head.len() as u64;
        ebml::wide_size(&mut head, 0);
        let segment = head.len() as u64;
        let (body, places) = front(&video, audio.as_ref(), scale);
        head.extend_from_slice(&body);
        let mut out = BufWriter::with_capacity(1 << 20, file);
        out.write_all(&head)?;
        Ok(Self {
            out,
            position: head.len() as u64,
            segment,
            size_at,
            duration_at: segment + places.duration as u64,
            cues_at: segment + places.cues as u64,
            video,
            audio,
            scale,
            cluster: Cluster::default(),
            cues: Vec::new(),
            waiting: Vec::new(),
            last_sound: None,
            sound_start: None,
            sound_packets: 0,
            end: 0,
        })
    }

    fn to_scale(&self, base: TimeBase, ticks: i64) -> io::Result<i64> {
        let time =
            base.rescale(ticks, self.scale).ok_or_else(|| refuse("times are out of range"))?;
        if time < 0 { Err(refuse("times before zero cannot be written")) } else { Ok(time) }
    }

    /// Writes a coded picture; pictures come in the order they are shown.
    pub(crate) fn video(&mut self, data: &[u8], pts: i64, key: bool) -> io::Result<()> {
        let time = self.to_scale(self.video.time_base, pts)?;
        self.flush_waiting()?;
        self.end = self.end.max(time);
        let data = data.to_vec();
        self.waiting.push(Block { track: VIDEO, time, key, data, duration: None, discard: None });
        Ok(())
    }

    /// Writes a packet of sound. `start` is the place of the stream's first
    /// sample in samples since time zero.
    pub(crate) fn audio(&mut self, data: &[u8], start: i64) -> io::Result<()> {
        let audio = self.audio.ok_or_else(|| refuse("there is no sound track"))?;
        let start = *self.sound_start.get_or_insert(start);
        // Block times include the codec delay; players subtract it.
        let place = start + (self.sound_packets * u64::from(audio.packet_samples)) as i64;
        self.sound_packets += 1;
        let time = self.to_scale(TimeBase { num: 1, den: SOUND_RATE }, place)?;
        let data = data.to_vec();
        let block = Block { track: AUDIO, time, key: true, data, duration: None, discard: None };
        if let Some(before) = self.last_sound.replace(block) {
            self.waiting.push(before);
        }
        if self.waiting.len() > MAX_WAITING {
            self.flush_waiting()?;
        }
        Ok(())
    }

    fn flush_waiting(&mut self) -> io::Result<()> {
        for block in std::mem::take(&mut self.waiting) {
            self.put(&block)?;
        }
        Ok(())
    }

    /// Adds a block to the cluster, beginning a new one where needed.
    fn put(&mut self, block: &Block) -> io::Result<()> {
        let relative = block.time - self.cluster.start;
        let key_picture = block.track == VIDEO && block.key;
        if !self.cluster.open
            || key_picture
            || !(-CLUSTER_TICKS..=CLUSTER_TICKS).contains(&relative)
            || self.cluster.blocks.len() > CLUSTER_BYTES
        {
            self.close_cluster()?;
            self.cluster.open = true;
            self.cluster.start = block.time;
            if key_picture {
                self.cues.push((block.time, self.position - self.segment));
            }
        }
        let relative = i16::try_from(block.time - self.cluster.start)
            .ok()
            .ok_or_else(|| refuse("a block is too far from its cluster"))?;
        let mut payload = Vec::with_capacity(block.data.len() + 4);
        payload.push(0x80 | block.track);
        payload.extend_from_slice(&relative.to_be_bytes());
        let simple = block.duration.is_none() && block.discard.is_none();
        payload.push(if simple && block.key { 0x80 } else { 0 });
        payload.extend_from_slice(&block.data);
        let out = &mut self.cluster.blocks;
        if simple {
            element(out, 0xA3, &payload);
        } else {
            group(out, 0xA0, |b| {
                element(b, 0xA1, &payload);
                if let Some(duration) = block.duration {
                    uint(b, 0x9B, duration);
                }
                if !block.key {
                    // Refers to the picture before; the value is not used.
                    ebml::int(b, 0xFB, -1);
                }
                if let Some(discard) = block.discard {
                    ebml::int(b, 0x75A2, discard);
                }
            });
        }
        Ok(())
    }

    fn close_cluster(&mut self) -> io::Result<()> {
        if !self.cluster.open {
            return Ok(());
        }
        let mut head = Vec::new();
        let mut time = Vec::new();
        uint(&mut time, 0xE7, u64::try_from(self.cluster.start).unwrap_or(0));
        ebml::id(&mut head, 0x1F43_B675);
        vint_size(&mut head, (time.len() + self.cluster.blocks.len()) as u64);
        head.extend_from_slice(&time);
        self.out.write_all(&head)?;
        self.out.write_all(&self.cluster.blocks)?;
        self.position += (head.len() + self.cluster.blocks.len()) as u64;
        self.cluster.blocks.clear();
        self.cluster.open = false;
        Ok(())
    }

    /// Ends the file. `last_duration` is how long the last picture is shown,
    /// in ticks; `sound_length` the number of samples to be heard. Gives
    /// back the file's length in bytes.
    pub(crate) fn finish(mut self, last_duration: i64, sound_length: u64) -> io::Result<u64> {
        let duration = self.to_scale(self.video.time_base, last_duration.max(1))?.max(1);
        let mut end = self.end + duration;
        if let Some(block) = self.waiting.iter_mut().rev().find(|b| b.track == VIDEO) {
            block.duration = Some(duration.unsigned_abs());
        }
        if let (Some(mut block), Some(audio)) = (self.last_sound.take(), self.audio) {
            let coded = self.sound_packets * u64::from(audio.packet_samples);
            let heard = sound_length + u64::from(audio.priming);
            let excess = coded.saturating_sub(heard).min(u64::from(audio.packet_samples));
            if excess > 0 {
                block.discard = Some((excess * 1_000_000_000 / u64::from(SOUND_RATE)) as i64);
            }
            self.waiting.push(block);
            let samples = TimeBase { num: 1, den: SOUND_RATE };
            let sound_end = self.sound_start.unwrap_or(0) + sound_length as i64;
            end = end.max(self.to_scale(samples, sound_end)?);
        }
        self.flush_waiting()?;
        self.close_cluster()?;
        let cues_position = self.position - self.segment;
        let mut cues = Vec::new();
        group(&mut cues, 0x1C53_BB6B, |b| {
            for &(time, cluster) in &self.cues {
                group(b, 0xBB, |b| {
                    uint(b, 0xB3, u64::try_from(time).unwrap_or(0));
                    group(b, 0xB7, |b| {
                        uint(b, 0xF7, VIDEO.into());
                        uint(b, 0xF1, cluster);
                    });
                });
            }
        });
        self.out.write_all(&cues)?;
        self.position += cues.len() as u64;
        let mut size = Vec::new();
        ebml::wide_size(&mut size, self.position - self.segment);
        self.patch(self.size_at, &size)?;
        self.patch(self.duration_at, &(end as f64).to_be_bytes())?;
        self.patch(self.cues_at, &cues_position.to_be_bytes())?;
        self.out.flush()?;
        Ok(self.position)
    }

    fn patch(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.out.seek(SeekFrom::Start(at))?;
        self.out.write_all(bytes)
    }
}

/// Places in the segment that are filled in at the end.
struct Places {
    duration: usize,
    cues: usize,
}

/// SeekHead, Info and Tracks.
fn front(video: &VideoTrack, audio: Option<&AudioTrack>, scale: TimeBase) -> (Vec<u8>, Places) {
    let mut info = Vec::new();
    let mut duration = 0;
    group(&mut info, 0x1549_A966, |b| {
        uint(b, 0x2A_D7B1, 1_000_000_000 * u64::from(scale.num) / u64::from(scale.den));
        float(b, 0x4489, 0.0);
        duration = b.len() - 8;
        text(b, 0x4D80, APP);
        text(b, 0x5741, APP);
    });
    let mut tracks = Vec::new();
    group(&mut tracks, 0x1654_AE6B, |b| {
        group(b, 0xAE, |b| video_entry(b, video));
        if let Some(audio) = audio {
            group(b, 0xAE, |b| audio_entry(b, audio));
        }
    });
    // Positions have eight bytes, so that the length does not depend on them.
    let seek = |info_at: u64, tracks_at: u64| {
        let mut head = Vec::new();
        group(&mut head, 0x114D_9B74, |b| {
            for (id, at) in [(0x1549_A966_u32, info_at), (0x1654_AE6B, tracks_at), (0x1C53_BB6B, 0)]
            {
                group(b, 0x4DBB, |b| {
                    element(b, 0x53AB, &id.to_be_bytes());
                    element(b, 0x53AC, &at.to_be_bytes());
                });
            }
        });
        head
    };
    let length = seek(0, 0).len() as u64;
    let mut body = seek(length, length + info.len() as u64);
    let places = Places {
        duration: body.len() + (info.len() - ebml::payload_len(&info)) + duration,
        cues: body.len() - 8,
    };
    body.extend_from_slice(&info);
    body.extend_from_slice(&tracks);
    (body, places)
}

fn video_entry(b: &mut Vec<u8>, video: &VideoTrack) {
    uint(b, 0xD7, VIDEO.into());
    uint(b, 0x73C5, VIDEO.into());
    uint(b, 0x83, 1);
    uint(b, 0x9C, 0);
    text(b, 0x22_B59C, "und");
    text(b, 0x86, video.codec);
    group(b, 0xE0, |b| {
        uint(b, 0xB0, video.width.into());
        uint(b, 0xBA, video.height.into());
        let (num, den) =
            (u64::from(video.sample_aspect.0), u64::from(video.sample_aspect.1.max(1)));
        let (width, height) = (u64::from(video.width), u64::from(video.height));
        if width * num % den == 0 {
            uint(b, 0x54B0, width * num / den);
            uint(b, 0x54BA, height);
        } else {
            // Only the ratio of the two sides is meant (unit 3).
            uint(b, 0x54B0, width * num);
            uint(b, 0x54BA, height * den);
            uint(b, 0x54B2, 3);
        }
        group(b, 0x55B0, |b| {
            uint(b, 0x55B1, video.colour.matrix.into());
            uint(b, 0x55B9, 1 + u64::from(video.colour.full_range));
            uint(b, 0x55BA, video.colour.transfer.into());
            uint(b, 0x55BB, video.colour.primaries.into());
        });
    });
}

fn audio_entry(b: &mut Vec<u8>, audio: &AudioTrack) {
    uint(b, 0xD7, AUDIO.into());
    uint(b, 0x73C5, AUDIO.into());
    uint(b, 0x83, 2);
    uint(b, 0x9C, 0);
    text(b, 0x22_B59C, "und");
    text(b, 0x86, "A_OPUS");
    uint(b, 0x56AA, u64::from(audio.priming) * 1_000_000_000 / u64::from(SOUND_RATE));
    uint(b, 0x56BB, 80_000_000);
    // RFC 7845, 5.1: version, channels, pre-skip, rate, gain, mapping.
    let mut head = b"OpusHead\x01".to_vec();
    head.push(audio.channels);
    head.extend_from_slice(&audio.priming.to_le_bytes());
    head.extend_from_slice(&SOUND_RATE.to_le_bytes());
    head.extend_from_slice(&[0, 0, 0]);
    element(b, 0x63A2, &head);
    group(b, 0xE1, |b| {
        float(b, 0xB5, f64::from(SOUND_RATE));
        uint(b, 0x9F, audio.channels.into());
    });
}

#[cfg(test)]
mod tests;
