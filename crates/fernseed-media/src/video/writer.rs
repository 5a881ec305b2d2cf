//! Writing a video: redacted pictures and sound in, an MP4 or WebM out.

use super::nal::{self, ParameterSets};
use super::sound::{SoundError, SoundOut};
use super::{AudioInfo, Colour, MediaError, SOUND_RATE};
use crate::ffi::{AudioSetup, Encoder, Packet, VideoSetup, encoder_exists};
use crate::mux::mp4::{self, Mp4Writer, SoundSpan};
use crate::mux::webm::{self, WebmWriter};
use fernseed_core::picture::PixelFormat;
use fernseed_core::render::Redacted;
use fernseed_core::sound::SampleBlock;
use fernseed_core::time::TimeBase;
use fernseed_core::{Picture, Size};
use std::ffi::CStr;
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

/// Threads of the encoder if the caller does not say: a constant, since the
/// number changes the bytes an encoder makes.
const THREADS: u32 = 4;
/// Most seconds from one key frame to the next.
const GOP_SECONDS: u32 = 4;
/// Bits per second and channel of sound.
const SOUND_BITS: u64 = 80_000;

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
    encoder: Encoder,
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

fn encoder_error(detail: impl Into<String>) -> MediaError {
    MediaError::Encoder { detail: detail.into() }
}

impl VideoWriter {
    /// Begins a file. `file` must be empty and open for reading and writing.
    ///
    /// # Errors
    /// [`MediaError::Encoder`] if no encoder is there or it refuses the
    /// options, [`MediaError::Io`] if the file cannot be written.
    pub fn create(file: File, options: SinkOptions) -> Result<Self, MediaError> {
        let coded = coded_size(options.container, options.size);
        let side = |v: u32| u16::try_from(v).ok().filter(|&v| v > 0 && v <= 16_384);
        let (Some(width), Some(height)) = (side(coded.width), side(coded.height)) else {
            return Err(MediaError::TooLarge { width: coded.width, height: coded.height });
        };
        let encoder = video_encoder(&options, coded)?;
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
                let track = mp4::VideoTrack {
                    width,
                    height,
                    sample_aspect,
                    time_base,
                    colour,
                    sets: sets.clone(),
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
            encoder: encoder.0,
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
    /// of 0 means unknown and matters for the last frame only.
    ///
    /// # Errors
    /// [`MediaError::Encoder`] if the picture has another size or format
    /// than announced, or its time is negative or not after the one before;
    /// [`MediaError::Io`].
    pub fn write_frame(
        &mut self,
        picture: &Redacted<Picture>,
        pts: i64,
        duration: i64,
    ) -> Result<(), MediaError> {
        let picture = picture.get();
        if picture.size() != self.options.size
            || picture.format() != PixelFormat::Yuv420(self.options.colour.yuv)
        {
            return Err(encoder_error("a picture differs from what was announced"));
        }
        if pts < 0 || (self.frames > 0 && pts <= self.last_pts) {
            return Err(encoder_error("times must be positive and increase"));
        }
        if self.frames == 0 {
            self.first_pts = pts;
        } else {
            self.last_step = pts - self.last_pts;
        }
        if let Muxer::Mp4(mp4, _) = &mut self.muxer {
            mp4.announce(pts)?;
        }
        self.encoder.send_picture(picture.planes(), pts).map_err(MediaError::encoder)?;
        self.last_pts = pts;
        self.last_duration = duration;
        self.frames += 1;
        self.drain()
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
        self.encoder.finish().map_err(MediaError::encoder)?;
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
        while self.encoder.receive(&mut self.packet).map_err(MediaError::encoder)? {
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

/// Frames per second for the encoder's planning, inside sane bounds.
fn planned_rate(options: &SinkOptions) -> (u32, u32) {
    match options.average_rate {
        Some((n, d)) if d > 0 && (1.0..=1000.0).contains(&(f64::from(n) / f64::from(d))) => (n, d),
        _ => (25, 1),
    }
}

/// Ticks of one frame at the planned rate.
fn usual_step(options: &SinkOptions) -> i64 {
    let (n, d) = planned_rate(options);
    let frame = TimeBase::new(d, n).unwrap_or(TimeBase { num: 1, den: 25 });
    frame.rescale(1, options.time_base).unwrap_or(1).max(1)
}

/// Opens the video encoder; also gives its codec's Matroska name.
fn video_encoder(
    options: &SinkOptions,
    coded: Size,
) -> Result<(Encoder, &'static str), MediaError> {
    #[derive(Clone, Copy)]
    enum Codec {
        X264,
        OpenH264,
        Vp9,
        Vp8,
    }
    let candidates: &[(Codec, &CStr)] = match options.container {
        Container::Mp4 => &[(Codec::X264, c"libx264"), (Codec::OpenH264, c"libopenh264")],
        Container::WebM => &[(Codec::Vp9, c"libvpx-vp9"), (Codec::Vp8, c"libvpx")],
    };
    let found = candidates.iter().copied().find(|c| encoder_exists(c.1));
    let (encoder, name) =
        found.ok_or_else(|| encoder_error("no suitable encoder in this build of FFmpeg"))?;
    let rate = planned_rate(options);
    let per_second = rate.0.div_ceil(rate.1.max(1));
    let gop = (per_second * GOP_SECONDS).clamp(12, 300);
    let quality = f32::from(options.quality.min(100)) / 100.0;
    let threads = match options.threads {
        0 => THREADS,
        n => u32::try_from(n).unwrap_or(THREADS).min(16),
    };
    // About 0.25 bit a pixel at full quality, where bits must be told.
    let pixels = coded.pixels() * u64::from(per_second);
    let bits = (pixels as f64 * 0.25 * f64::from(quality.max(0.1))) as u64;
    let text = |v: &str| v.to_owned();
    let vp_quality = || format!("{:.0}", 63.0 - quality * 43.75);
    let speed = match options.preset {
        Preset::Quick => "8",
        Preset::Standard => "7",
        Preset::Fine => "5",
    };
    let (private, bit_rate, codec): (Vec<(&str, String)>, u64, &'static str) = match encoder {
        Codec::X264 => {
            let preset = match options.preset {
                Preset::Quick => "superfast",
                Preset::Standard => "veryfast",
                Preset::Fine => "medium",
            };
            let options = vec![
                ("preset", text(preset)),
                ("profile", text("high")),
                ("crf", format!("{:.2}", 51.0 - quality * 38.75)),
                ("a53cc", text("0")),
                ("x264-params", format!("open-gop=0:keyint={gop}:sliced-threads=0")),
            ];
            (options, 0, "")
        }
        Codec::Vp9 => {
            let options = vec![
                ("deadline", text("realtime")),
                ("cpu-used", text(speed)),
                ("row-mt", text("1")),
                ("tile-columns", text("2")),
                ("lag-in-frames", text("0")),
                ("auto-alt-ref", text("0")),
                ("crf", vp_quality()),
            ];
            (options, 0, "V_VP9")
        }
        Codec::Vp8 => {
            let options = vec![
                ("deadline", text("realtime")),
                ("cpu-used", text(speed)),
                ("lag-in-frames", text("0")),
                ("auto-alt-ref", text("0")),
                ("crf", vp_quality()),
            ];
            (options, bits, "V_VP8")
        }
        Codec::OpenH264 => (vec![("allow_skip_frames", text("0"))], bits, ""),
    };
    let setup = VideoSetup {
        name,
        size: (coded.width, coded.height),
        sample_aspect: options.sample_aspect,
        time_base: options.time_base,
        rate,
        gop,
        threads,
        bit_rate,
        colour: options.colour.cicp(),
        options: &private,
    };
    Ok((Encoder::video(&setup).map_err(MediaError::encoder)?, codec))
}

/// Opens the sound encoder.
fn sound_encoder(container: Container, channels: u32) -> Result<SoundOut, MediaError> {
    if !(1..=2).contains(&channels) {
        return Err(encoder_error("sound must have one or two channels"));
    }
    let bits = SOUND_BITS * u64::from(channels);
    let setup = match container {
        Container::Mp4 => AudioSetup { name: c"aac", channels, packed: false, bit_rate: bits },
        Container::WebM => AudioSetup { name: c"libopus", channels, packed: true, bit_rate: bits },
    };
    debug_assert_eq!(SOUND_RATE, 48_000);
    let encoder = Encoder::audio(&setup).map_err(MediaError::encoder)?;
    SoundOut::new(encoder, channels).map_err(MediaError::encoder)
}
