//! Video and sound: reading any allowed file as upright pictures and 48 kHz
//! samples, and writing an MP4 or WebM built from nothing else.
//!
//! [`VideoReader`] takes a file apart with libavformat and libavcodec behind
//! the crate's FFI module. [`VideoWriter`] encodes what went through
//! redaction and hands packets to this crate's own container writers, which
//! write fixed structures from typed values: no metadata can come along
//! because there is no place for it.
//!
//! Both are `Send`: the caller may run them on different threads.

mod avc;
mod bits;
mod clock;
mod colour;
mod describe;
mod encoders;
mod error;
mod hdr;
pub(crate) mod nal;
mod reader;
mod rotate;
mod shape;
mod skim;
mod sound;
pub mod splice;
mod timeline;
mod told;
mod writer;

pub use colour::{Cicp, Colour, Hdr, Primaries, Transfer};
pub use error::MediaError;
pub use reader::{ReadReport, VideoReader};
pub use timeline::{Timeline, timeline};
pub use writer::{
    Container, Preset, SinkOptions, VideoWriter, WrittenSummary, coded_size, output_time_base,
};

use fernseed_core::limits::Limits;
use fernseed_core::sound::SampleBlock;
use fernseed_core::time::TimeBase;
use fernseed_core::{Orientation, Picture, Size};

/// Samples per second of all sound this crate delivers and writes. One rate
/// for everyone: the source's says something about the device.
pub const SOUND_RATE: u32 = 48_000;

/// How a video is opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenOptions {
    /// Decoder threads; 0 takes as many as there are processors (at most 16).
    pub threads: usize,
    /// True for a pass whose pictures are only analysed: the decoder skips
    /// its loop filter, which is faster and slightly blocky.
    pub analysis: bool,
    /// True to decode only pictures that others are predicted from, where
    /// the stream's headers tell them apart (H.264, HEVC and MPEG-4 part 2
    /// in MP4 and Matroska; else all are decoded). The others come as
    /// [`Unit::Skipped`], so that times and count stay exact. Whether a
    /// picture that was not decoded is damaged cannot be known: a pass that
    /// decodes everything may find fewer frames in a damaged file.
    pub references_only: bool,
    /// With [`Self::references_only`]: how often a picture is decoded all the
    /// same, so that a rhythm can rely on it. Every one whose number is a
    /// multiple of [`Pace::step`] is, where frames come at a steady rate.
    pub and_every: Option<Pace>,
    /// True to decode sound too.
    pub want_audio: bool,
    /// Bounds on the pictures.
    pub limits: Limits,
}

/// How often something is done in a video: after a time, but after a number
/// of frames at the latest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Seconds from one time to the next.
    pub seconds: f64,
    /// Frames from one time to the next, at most.
    pub frames: u32,
}

impl Pace {
    /// Frames from one time to the next, at least 1, in a video of `rate`
    /// frames a second ([`VideoInfo::average_rate`]).
    #[must_use]
    pub fn step(self, rate: Option<(u32, u32)>) -> u32 {
        let most = self.frames.max(1);
        let Some((n, d)) = rate.filter(|&(n, d)| n > 0 && d > 0) else { return most };
        // Rates are rounded: 29.97 frames a second are six times five.
        let frames = (self.seconds * f64::from(n) / f64::from(d) - 0.05).ceil();
        (frames.max(1.0) as u32).min(most)
    }
}

/// The sound of a file as this crate delivers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioInfo {
    /// Samples per second of the delivered blocks: always [`SOUND_RATE`].
    pub rate: u32,
    /// Channels of the delivered blocks: 1 or 2.
    pub channels: u32,
    /// FFmpeg's name of the source's codec, for people.
    pub codec: String,
}

/// What is known of a video before its frames are read.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoInfo {
    /// Size of the upright pictures, in pixels.
    pub size: Size,
    /// How the stored pictures are turned to stand upright.
    pub orientation: Orientation,
    /// Width to height of an upright pixel; `(1, 1)` if the file is silent.
    pub sample_aspect: (u32, u32),
    /// Length of a tick of all timestamps.
    pub time_base: TimeBase,
    /// Frames per second as a fraction, where the container knows.
    pub average_rate: Option<(u32, u32)>,
    /// Length in seconds, where the container knows.
    pub duration_seconds: Option<f64>,
    /// Number of frames, exact or estimated from length and rate.
    pub frame_count_hint: Option<u64>,
    /// FFmpeg's short name of the container.
    pub container: String,
    /// FFmpeg's name of the codec.
    pub codec: String,
    /// Colour of the delivered pictures.
    pub colour: Colour,
    /// Set if the source is high dynamic range; pictures are then mapped to
    /// standard range.
    pub hdr: Option<Hdr>,
    /// Sound, if it was asked for and can be decoded.
    pub audio: Option<AudioInfo>,
    /// Streams and other parts that are not carried over, in plain words.
    pub dropped_streams: Vec<String>,
}

/// What [`VideoReader::next`] delivers.
#[derive(Clone, Debug, PartialEq)]
pub enum Unit {
    /// A picture.
    Frame(VideoFrame),
    /// A picture that was left out, see [`OpenOptions::references_only`].
    Skipped(SkippedFrame),
    /// A run of sound.
    Sound(SampleBlock),
}

/// A picture that is there but was not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SkippedFrame {
    /// As [`VideoFrame::pts`], in one order with decoded frames.
    pub pts: i64,
    /// As [`VideoFrame::duration`].
    pub duration: i64,
}

/// One decoded picture with its time.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoFrame {
    /// The picture: upright, 8-bit planar 4:2:0, in its own memory.
    pub picture: Picture,
    /// Presentation time in ticks of [`VideoInfo::time_base`]; strictly
    /// increasing from frame to frame.
    pub pts: i64,
    /// Duration in ticks; 0 if the file does not tell.
    pub duration: i64,
    /// True if the decoder had to guess parts of the picture, or the
    /// container says that the data is corrupt.
    pub damaged: bool,
}
