//! What every reader of a container hands over and every writer takes: tracks
//! of samples, each of them a list of places in the source, and typed facts.
//!
//! Nothing here holds bytes of the source but the decoder configurations,
//! which the codec modules have parsed.

use super::codec::Codec;
use super::fail;
use crate::source::Source;
use crate::strip::StripError;

/// Most samples of one file: 18 hours at 60 frames a second.
pub(super) const MAX_SAMPLES: usize = 4 << 20;
/// Largest coded picture or block of sound.
pub(super) const MAX_SAMPLE: u32 = 64 << 20;
/// Most sound tracks.
pub(super) const MAX_TRACKS: usize = 32;

/// A whole file, parsed.
#[derive(Debug, Default)]
pub(super) struct Movie {
    /// Video first, then sound, in the order of the source.
    pub(super) tracks: Vec<Track>,
    /// What was left out, in full sentences, each once.
    pub(super) notes: Vec<String>,
}

impl Movie {
    pub(super) fn note(&mut self, text: &str) {
        if !self.notes.iter().any(|n| n == text) && self.notes.len() < 64 {
            self.notes.push(text.to_owned());
        }
    }

    pub(super) fn has_video(&self) -> bool {
        self.tracks.iter().any(|t| t.is_video())
    }
}

/// The length of a tick: `num / den` seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tick {
    pub(super) num: u64,
    pub(super) den: u64,
}

impl Tick {
    /// `t` ticks in ticks of `other`, rounded to the nearest.
    pub(super) fn convert(self, t: i64, other: Self) -> i64 {
        let n = i128::from(t) * i128::from(self.num) * i128::from(other.den);
        let d = (i128::from(self.den) * i128::from(other.num)).max(1);
        let half = if n < 0 { -(d / 2) } else { d / 2 };
        i64::try_from((n + half) / d).unwrap_or(if n < 0 { i64::MIN / 4 } else { i64::MAX / 4 })
    }
}

/// One coded picture or block of sound.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sample {
    /// First byte in the source, if it lies in one piece.
    pub(super) at: u64,
    /// Bytes in the source, all pieces together.
    pub(super) len: u32,
    /// First of its pieces in [`Track::pieces`], and how many; none if it
    /// lies in one piece.
    pub(super) first_piece: u32,
    pub(super) pieces: u32,
    /// Bytes as written.
    pub(super) out: u32,
    /// Decoding and presentation time in ticks of the track.
    pub(super) dts: i64,
    pub(super) pts: i64,
    pub(super) duration: u32,
    /// Nanoseconds that a player cuts off its end (Matroska).
    pub(super) discard: u32,
    pub(super) key: bool,
    /// No other picture is predicted from it.
    pub(super) disposable: bool,
    /// The container says it is never shown.
    pub(super) invisible: bool,
}

/// Facts about a picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Look {
    pub(super) width: u16,
    pub(super) height: u16,
    /// Width to height of a pixel, reduced; 1:1 is `None`.
    pub(super) aspect: Option<(u32, u32)>,
    /// How the picture is to be turned.
    pub(super) turn: Turn,
    pub(super) colour: Option<Colour>,
    /// Number of fields and their order (QuickTime `fiel`).
    pub(super) fields: Option<(u8, u8)>,
    /// Mastering display as in `mdcv`: primaries, white point, luminances.
    pub(super) mastering: Option<[u32; 10]>,
    /// Brightest pixel and brightest average, as in `clli`.
    pub(super) light: Option<(u16, u16)>,
}

/// Code points of ISO/IEC 23091-2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Colour {
    pub(super) primaries: u16,
    pub(super) transfer: u16,
    pub(super) matrix: u16,
    pub(super) full: bool,
}

/// One of the eight ways to turn and mirror a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Turn {
    /// The upper left 2 by 2 of the transformation matrix, entries -1, 0, 1.
    pub(super) matrix: Option<[i8; 4]>,
}

/// One track.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) codec: Codec,
    pub(super) tick: Tick,
    pub(super) samples: Vec<Sample>,
    /// `(offset, length)`.
    pub(super) pieces: Vec<(u64, u32)>,
    /// Bytes before every sample that the container leaves out.
    pub(super) prefix: Vec<u8>,
    pub(super) look: Look,
    pub(super) rate: u32,
    pub(super) channels: u16,
    /// Presentation times that are shown, in ticks: from, and up to.
    pub(super) window: Option<(i64, i64)>,
    /// How inexact the end of the window is, in ticks.
    pub(super) slack: i64,
    /// When the first tick of the window is shown, in ticks.
    pub(super) delay: i64,
    /// Nanoseconds (Matroska): encoder delay, roll before a seek.
    pub(super) codec_delay: u64,
    pub(super) preroll: u64,
    /// Nanoseconds per frame, if the container says so (Matroska).
    pub(super) frame_time: u64,
}

impl Track {
    pub(super) fn new(codec: Codec, tick: Tick) -> Self {
        Self {
            codec,
            tick,
            samples: Vec::new(),
            pieces: Vec::new(),
            prefix: Vec::new(),
            look: Look::default(),
            rate: 0,
            channels: 0,
            window: None,
            slack: 0,
            delay: 0,
            codec_delay: 0,
            preroll: 0,
            frame_time: 0,
        }
    }

    pub(super) const fn is_video(&self) -> bool {
        self.codec.is_video()
    }

    /// Adds a sample.
    pub(super) fn push(&mut self, sample: Sample) -> Result<(), StripError> {
        if self.samples.len() >= MAX_SAMPLES {
            return Err(StripError::TooLarge("it has too many samples".into()));
        }
        if sample.len > MAX_SAMPLE {
            return Err(StripError::TooLarge("a single sample is too large".into()));
        }
        self.samples.push(sample);
        Ok(())
    }

    /// Reads a sample into `out`, which is emptied first.
    pub(super) fn load(
        &self,
        source: &mut Source<'_>,
        sample: &Sample,
        out: &mut Vec<u8>,
    ) -> Result<(), StripError> {
        out.clear();
        out.extend_from_slice(&self.prefix);
        let one = [(sample.at, sample.len)];
        let pieces = if sample.pieces == 0 {
            &one[..]
        } else {
            let first = sample.first_piece as usize;
            self.pieces.get(first..first + sample.pieces as usize).unwrap_or_default()
        };
        for &(at, len) in pieces {
            let end = at.checked_add(u64::from(len));
            let size = out.len().saturating_add(len as usize);
            if end.is_none_or(|e| e > source.len()) || size > MAX_SAMPLE as usize {
                return Err(StripError::Truncated("a sample".into()));
            }
            let before = out.len();
            out.resize(size, 0);
            let place = out.get_mut(before..).unwrap_or_default();
            source.fill(at, place).map_err(|e| fail(e, "a sample"))?;
        }
        Ok(())
    }
}
