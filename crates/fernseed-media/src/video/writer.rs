//! Writing a video: redacted pictures and sound in, an MP4 or WebM out.

use super::encoders::{planned_rate, sound_encoder, video_encoder};
use super::nal::{self, ParameterSets};
use super::sound::{SoundError, SoundOut};
use super::splice::{Carried, Splice};
use super::{AudioInfo, Colour, MediaError};
use crate::ffi::{Encoder, Packet};
use crate::mux::mp4::{self, Mp4Writer, SoundSpan};
use crate::mux::webm::{self, WebmWriter};
use fernseed_core::picture::PixelFormat;
use fernseed_core::render::Redacted;
use fernseed_core::sound::SampleBlock;
use fernseed_core::time::TimeBase;
use fernseed_core::{Picture, Size};
use std::fs::File;

/// The container of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Container {
    /// MP4 with H.264 and AAC.
    #[default]
    Mp4,
    /// WebM with VP9 (VP8 where VP9 is missing) and Opus.
    WebM,
}

/// How much time encoding may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preset {
    /// As fast as is sensible; larger files.
    Quick,
    /// The usual balance.
    #[default]
    Standard,
    /// Slower; smaller files.
    Fine,
}

/// How a video is written.
#[derive(Clone, Debug, PartialEq)]
pub struct SinkOptions {
    /// The container.
    pub container: Container,
    /// Size of the pictures that will come, upright, in pixels.
    pub size: Size,
    /// Width to height of a pixel.
    pub sample_aspect: (u32, u32),
    /// Length of a tick of the times that will come.
    pub time_base: TimeBase,
    /// Usual frames per second, for the encoder's planning; a guess is taken
    /// if `None`.
    pub average_rate: Option<(u32, u32)>,
    /// Colour of the pictures that will come.
    pub colour: Colour,
    /// 0 (smallest) to 100 (best). See [`SinkOptions::new`] for the default.
    pub quality: u8,
    /// Speed of encoding.
    pub preset: Preset,
    /// Sound that will come; only `channels` is used.
    pub audio: Option<AudioInfo>,
    /// Encoder threads; 0 takes a number that does not depend on the
    /// machine, so that equal input gives equal bytes everywhere.
    pub threads: usize,
}

impl SinkOptions {
    /// Quality that is hard to tell from the source (x264 CRF 20).
    pub const DEFAULT_QUALITY: u8 = 80;

    /// Options that keep what a source's [`super::VideoInfo`] says, with the
    /// usual quality and speed.
    #[must_use]
    pub fn new(container: Container, info: &super::VideoInfo) -> Self {
        Self {
            container,
            size: info.size,
            sample_aspect: info.sample_aspect,
            time_base: info.time_base,
            average_rate: info.average_rate,
            colour: info.colour,
            quality: Self::DEFAULT_QUALITY,
            preset: Preset::default(),
            audio: info.audio.clone(),
            threads: 0,
        }
    }
}

/// The size a video of `size` has in a container: H.264 in 4:2:0 has even
/// sides only, so MP4 repeats the last column or row of odd pictures. WebM
/// keeps every size.
#[must_use]
pub const fn coded_size(container: Container, size: Size) -> Size {
    match container {
        Container::Mp4 => Size::new(size.width.div_ceil(2) * 2, size.height.div_ceil(2) * 2),
        Container::WebM => size,
    }
}

/// The time base in which a container keeps a source's times: for MP4 one in
/// which all of them are exact; for WebM milliseconds if the source's times
/// are whole milliseconds, else 0.1 ms, to which
/// [`TimeBase::rescale`] rounds.
#[must_use]
pub const fn output_time_base(container: Container, source: TimeBase) -> TimeBase {
    match container {
        Container::Mp4 => TimeBase { num: 1, den: source.den },
        Container::WebM => webm::scale(source),
    }
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenSummary {
    /// Number of frames.
    pub frames: u64,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// Time of the first frame in ticks.
    pub first_pts: i64,
    /// Time of the last frame in ticks.
    pub last_pts: i64,
}

#[derive(Debug)]
enum Muxer {
    Mp4(Box<Mp4Writer>, ParameterSets),
    WebM(Box<WebmWriter>),
}

/// Writes one video file.
///
/// The same calls with the same values give the same bytes: x264 and libvpx
/// are deterministic for a fixed number of threads, and nothing else in the
/// file varies.
#[derive(Debug)]
pub struct VideoWriter {
    options: SinkOptions,
    /// Missing while pictures are carried over.
    encoder: Option<Encoder>,
    splice: Option<Splice>,
    packet: Packet,
    muxer: Muxer,
    sound: Option<SoundOut>,
    frames: u64,
    first_pts: i64,
    last_pts: i64,
    /// Distance of the last two frames, for the last one's duration.
    last_step: i64,
    last_duration: i64,
}

pub(super) fn encoder_error(detail: impl Into<String>) -> MediaError {
    MediaError::Encoder { detail: detail.into() }
}

impl VideoWriter {
    /// Begins a file. `file` must be empty and open for reading and writing.
    ///
    /// # Errors
    /// [`MediaError::Encoder`] if no encoder is there or it refuses the
    /// options, [`MediaError::Io`] if the file cannot be written.
    pub fn create(file: File, options: SinkOptions) -> Result<Self, MediaError> {
        Self::create_with(file, options, None)
    }

    /// Begins a file in which groups of pictures are carried over from their
    /// source. The container is MP4, whatever `options` say.
    ///
    /// Frames and carried pictures are written in the order in which
    /// [`super::splice::SpliceReader`] or [`super::splice::Renewal`] delivers
    /// them, all of them.
    ///
    /// # Errors
    /// As [`Self::create`]; also if the encoder is not x264, the only one
    /// whose streams can be joined to others, or if the groups to be carried
    /// are said to be our own and its parameter sets are others than theirs.
    pub fn create_spliced(
        file: File,
        options: SinkOptions,
        splice: &Splice,
    ) -> Result<Self, MediaError> {
        let options = SinkOptions { container: Container::Mp4, ..options };
        Self::create_with(file, options, Some(splice.clone()))
    }

    fn create_with(
        file: File,
        options: SinkOptions,
        splice: Option<Splice>,
    ) -> Result<Self, MediaError> {
        let coded = coded_size(options.container, options.size);
        let side = |v: u32| u16::try_from(v).ok().filter(|&v| v > 0 && v <= 16_384);
        let (Some(width), Some(height)) = (side(coded.width), side(coded.height)) else {
            return Err(MediaError::TooLarge { width: coded.width, height: coded.height });
        };
        let foreign = splice.as_ref().and_then(Splice::foreign);
        let encoder = video_encoder(&options, coded, foreign)?;
        let sound = match &options.audio {
            Some(audio) => Some(sound_encoder(options.container, audio.channels)?),
            None => None,
        };
        let colour = options.colour.cicp();
        let sample_aspect = options.sample_aspect;
        let time_base = options.time_base;
        let channels = options.audio.as_ref().map_or(0, |a| a.channels as u8);
        let muxer = match options.container {
            Container::Mp4 => {
                let sets = ParameterSets::find(encoder.0.header())
                    .ok_or_else(|| encoder_error("the encoder gave no single parameter set"))?;
                if splice.as_ref().is_some_and(|s| s.foreign().is_none() && *s.sets() != sets) {
                    return Err(encoder_error(
                        "the encoder's parameter sets are others than before",
                    ));
                }
                let track = mp4::VideoTrack {
                    width,
                    height,
                    sample_aspect,
                    time_base,
                    colour,
                    sets: foreign.iter().map(|s| s.sets().clone()).chain([sets.clone()]).collect(),
                };
                let audio = sound.as_ref().map(|s| mp4::AudioTrack {
                    channels: channels.into(),
                    packet_samples: s.frame_size() as u32,
                });
                Muxer::Mp4(Box::new(Mp4Writer::create(file, track, audio)?), sets)
            }
            Container::WebM => {
                let track = webm::VideoTrack {
                    codec: encoder.1,
                    width: coded.width,
                    height: coded.height,
                    sample_aspect,
                    time_base,
                    colour,
                };
                let audio = sound.as_ref().map(|s| webm::AudioTrack {
                    channels,
                    packet_samples: s.frame_size() as u32,
                    priming: u16::try_from(s.priming()).unwrap_or(0),
                });
                Muxer::WebM(Box::new(WebmWriter::create(file, track, audio)?))
            }
        };
        Ok(Self {
            encoder: Some(encoder.0),
            splice,
            packet: Packet::new().map_err(MediaError::encoder)?,
            muxer,
            sound,
            frames: 0,
            first_pts: 0,
            last_pts: 0,
            last_step: 0,
            last_duration: 0,
            options,
        })
    }

    /// Writes the next picture. `pts` and `duration` are ticks; a duration
    /// of 0 means unknown and matters for the last frame only. The encoder reads
    /// it where it lies, and it comes back, for its memory to be used again,
    /// unless the encoder keeps it for later.
    ///
    /// # Errors
    /// [`MediaError::Encoder`] if the picture has another size or format
    /// than announced, or its time is negative or not after the one before;
    /// [`MediaError::Io`].
    pub fn write_frame(
        &mut self,
        picture: Redacted<Picture>,
        pts: i64,
        duration: i64,
    ) -> Result<Option<Picture>, MediaError> {
        let picture = picture.into_inner();
        if picture.size() != self.options.size
            || picture.format() != PixelFormat::Yuv420(self.options.colour.yuv)
        {
            return Err(encoder_error("a picture differs from what was announced"));
        }
        if pts < 0 || (self.frames > 0 && pts <= self.last_pts) {
            return Err(encoder_error("times must be positive and increase"));
        }
        self.announce(pts, duration)?;
        let foreign = self.splice.as_ref().and_then(Splice::foreign);
        let key = foreign.is_some_and(|s| s.begins_group(pts));
        let encoder = match &mut self.encoder {
            Some(encoder) => encoder,
            none => none.insert(again(&self.options, foreign, &self.muxer)?),
        };
        let back = encoder.send_picture(picture, pts, key).map_err(MediaError::encoder)?;
        self.drain()?;
        Ok(back)
    }

    /// Writes a picture as it is coded in the source.
    ///
    /// # Errors
    /// [`MediaError::Encoder`] if the file was not begun with
    /// [`Self::create_spliced`] or the order is not the reader's;
    /// [`MediaError::Io`].
    pub fn write_carried(&mut self, picture: &Carried) -> Result<(), MediaError> {
        if self.splice.is_none() {
            return Err(encoder_error("no group was to be carried over"));
        }
        if let Some(mut encoder) = self.encoder.take()
            && self.frames > 0
        {
            encoder.finish().map_err(MediaError::encoder)?;
            self.encoder = Some(encoder);
            self.drain()?;
            self.encoder = None;
        }
        for &pts in picture.group_times() {
            if self.frames > 0 && pts <= self.last_pts {
                return Err(encoder_error("times must increase"));
            }
            self.announce(pts, 0)?;
        }
        if picture.pts() == self.last_pts {
            self.last_duration = picture.duration();
        }
        if let Muxer::Mp4(mp4, _) = &mut self.muxer {
            mp4.video(&picture.units(), picture.pts(), picture.is_key())?;
        }
        Ok(())
    }

    /// Notes the time of the next frame in order of presentation.
    fn announce(&mut self, pts: i64, duration: i64) -> Result<(), MediaError> {
        if self.frames == 0 {
            self.first_pts = pts;
        } else {
            self.last_step = pts.saturating_sub(self.last_pts);
        }
        if let Muxer::Mp4(mp4, _) = &mut self.muxer {
            mp4.announce(pts)?;
        }
        self.last_pts = pts;
        self.last_duration = duration;
        self.frames += 1;
        Ok(())
    }

    /// Writes a run of sound. Blocks come in order of time; gaps are filled
    /// with silence, overlaps and sound before time zero are left out. The
    /// first block's place is kept as the start of the sound.
    ///
    /// # Errors
    /// [`MediaError::Encoder`] if no sound was announced or the block has
    /// another rate or channel count; [`MediaError::Io`].
    pub fn write_sound(&mut self, block: &Redacted<SampleBlock>) -> Result<(), MediaError> {
        let Some(sound) = &mut self.sound else {
            return Err(encoder_error("sound was not announced"));
        };
        let muxer = &mut self.muxer;
        let block = block.get();
        let start = if sound.length() > 0 { sound.start() } else { block.start.max(0) };
        sound.write(block, &mut |data| sound_packet(muxer, data, start)).map_err(sound_error)
    }

    /// Ends the file.
    ///
    /// # Errors
    /// [`MediaError::Encoder`] if there was no frame or the encoder kept
    /// one; [`MediaError::Io`].
    pub fn finish(mut self) -> Result<WrittenSummary, MediaError> {
        if self.frames == 0 {
            return Err(encoder_error("no frame was written"));
        }
        if let Some(encoder) = &mut self.encoder {
            encoder.finish().map_err(MediaError::encoder)?;
        }
        self.drain()?;
        let mut span = SoundSpan::default();
        if let Some(sound) = &mut self.sound {
            let (muxer, start) = (&mut self.muxer, sound.start());
            if sound.length() > 0 {
                sound.finish(&mut |data| sound_packet(muxer, data, start)).map_err(sound_error)?;
            }
            span = SoundSpan {
                start: start.unsigned_abs(),
                length: sound.length().unsigned_abs(),
                priming: sound.priming(),
            };
        }
        let last = match (self.last_duration, self.last_step) {
            (d, _) if d > 0 => d,
            (_, s) if s > 0 => s,
            _ => usual_step(&self.options),
        };
        let bytes = match self.muxer {
            Muxer::Mp4(mp4, _) => mp4.finish(last, span)?,
            Muxer::WebM(webm) => webm.finish(last, span.length)?,
        };
        Ok(WrittenSummary {
            frames: self.frames,
            bytes,
            first_pts: self.first_pts,
            last_pts: self.last_pts,
        })
    }

    /// Hands finished packets to the container.
    fn drain(&mut self) -> Result<(), MediaError> {
        let Some(encoder) = &mut self.encoder else { return Ok(()) };
        while encoder.receive(&mut self.packet).map_err(MediaError::encoder)? {
            let pts = self.packet.pts().ok_or_else(|| encoder_error("a packet without time"))?;
            match &mut self.muxer {
                Muxer::Mp4(mp4, sets) => {
                    let (units, key) = nal::slices(self.packet.data(), sets)
                        .ok_or_else(|| encoder_error("an unexpected unit in the stream"))?;
                    mp4.video(&units, pts, key)?;
                }
                Muxer::WebM(webm) => webm.video(self.packet.data(), pts, self.packet.is_key())?,
            }
        }
        Ok(())
    }
}

/// Opens the encoder for another run of frames between carried groups.
fn again(
    options: &SinkOptions,
    splice: Option<&Splice>,
    muxer: &Muxer,
) -> Result<Encoder, MediaError> {
    let coded = coded_size(options.container, options.size);
    let (encoder, _) = video_encoder(options, coded, splice)?;
    match muxer {
        Muxer::Mp4(_, sets) if ParameterSets::find(encoder.header()).as_ref() == Some(sets) => {
            Ok(encoder)
        }
        _ => Err(encoder_error("the encoder's parameter sets changed")),
    }
}

fn sound_packet(muxer: &mut Muxer, data: &[u8], start: i64) -> std::io::Result<()> {
    match muxer {
        Muxer::Mp4(mp4, _) => mp4.audio(data),
        Muxer::WebM(webm) => webm.audio(data, start),
    }
}

fn sound_error(error: SoundError) -> MediaError {
    match error {
        SoundError::Layout => encoder_error("a block of sound differs from what was announced"),
        SoundError::Encoder(e) => MediaError::encoder(e),
        SoundError::Io(e) => MediaError::Io(e),
    }
}

/// Ticks of one frame at the planned rate.
fn usual_step(options: &SinkOptions) -> i64 {
    let (n, d) = planned_rate(options);
    let frame = TimeBase::new(d, n).unwrap_or(TimeBase { num: 1, den: 25 });
    frame.rescale(1, options.time_base).unwrap_or(1).max(1)
}
