//! Where every byte of a finished file belongs.
//!
//! The list of allowed structures is closed: what the parsers of this module
//! do not know is reported, not skipped. Fields whose value our writers fix
//! (times, names, languages, reserved bits) are compared with that value,
//! because a free field is a place to carry something.

mod aiff;
mod avi;
mod bits;
mod bmp;
mod claims;
mod coded;
mod flac;
mod frames;
mod gif;
mod heif;
mod jpeg;
mod jpeg_scan;
mod jxl;
mod member;
mod mp3;
mod mp4;
mod ogg;
mod png;
mod pnm;
mod sums;
mod svg;
mod tar;
mod tiff;
mod wav;
mod webm;
mod webp;
mod zip;

use crate::source::Source;
use claims::Claims;
use fernseed_core::Size;
use fernseed_core::finding::Finding;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::io::{Read, Seek};

/// The kinds of file that this project writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutputKind {
    /// ISO base media file (MP4).
    Mp4,
    /// WebM, the subset of Matroska.
    WebM,
    /// Matroska with codecs that WebM does not have.
    Matroska,
    /// AVI.
    Avi,
    /// JPEG File Interchange Format.
    Jpeg,
    /// PNG with one picture.
    Png,
    /// PNG with an animation.
    Apng,
    /// WebP.
    WebP,
    /// GIF.
    Gif,
    /// TIFF.
    Tiff,
    /// Windows bitmap.
    Bmp,
    /// PBM, PGM, PPM or PAM.
    Pnm,
    /// Scalable Vector Graphics.
    Svg,
    /// AVIF.
    Avif,
    /// HEIC.
    Heic,
    /// JPEG XL, the bare codestream.
    Jxl,
    /// MPEG audio layer III.
    Mp3,
    /// FLAC in its own container.
    Flac,
    /// Ogg with Vorbis or Opus.
    Ogg,
    /// WAVE, also longer than 4 GiB.
    Wav,
    /// AIFF or AIFF-C.
    Aiff,
    /// ZIP archive.
    Zip,
    /// TAR archive, also gzipped.
    Tar,
    /// None of these.
    Unknown,
}

impl OutputKind {
    /// What can be seen in files of this kind.
    #[must_use]
    pub const fn shows(self) -> Shows {
        match self {
            Self::Mp4 | Self::WebM | Self::Matroska | Self::Avi => Shows::Video,
            Self::Jpeg
            | Self::Png
            | Self::Apng
            | Self::WebP
            | Self::Gif
            | Self::Tiff
            | Self::Bmp
            | Self::Pnm
            | Self::Avif
            | Self::Heic
            | Self::Jxl => Shows::Pictures,
            Self::Svg
            | Self::Mp3
            | Self::Flac
            | Self::Ogg
            | Self::Wav
            | Self::Aiff
            | Self::Zip
            | Self::Tar => Shows::NoPixels,
            Self::Unknown => Shows::Unknown,
        }
    }
}

/// What can be seen in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// A video, or its sound alone.
    Video,
    /// One picture or several.
    Pictures,
    /// Nothing that is decoded to pixels: sound, drawings, archives.
    NoPixels,
    /// It is in no known form.
    Unknown,
}

/// A run of bytes that belongs to an allowed structure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Structure {
    /// Path of the structure, for instance `moov/trak/tkhd`. Neighbours with
    /// the same path are joined into one run.
    pub path: String,
    /// First byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
}

/// What the container says about its video track.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VideoAccount {
    /// Ticks per second of `presentation_times`.
    pub timescale: u32,
    /// When each shown frame appears, in ticks, ascending, with the edit
    /// list applied. Frames that the edit list hides are not in it.
    pub presentation_times: Vec<i64>,
    /// Video samples that no player shows.
    pub hidden_samples: u64,
    /// All video samples in the file.
    pub sample_count: u64,
    /// Coded width in pixels.
    pub width: u32,
    /// Coded height in pixels.
    pub height: u32,
    /// True if there is a sound track.
    pub has_audio: bool,
}

/// The account of one file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Accounting {
    /// What the file is.
    pub container: OutputKind,
    /// What the bytes belong to, in file order. Bounded: past
    /// 10,000 runs, neighbours are joined whatever their path.
    pub structures: Vec<Structure>,
    /// Bytes that belong to no allowed structure.
    pub unclaimed: u64,
    /// Everything that speaks against the file; each a
    /// [`fernseed_core::finding::Severity::Failure`]. At most 1,000.
    pub findings: Vec<Finding>,
    /// The video track, if there is one that can be read.
    pub video: Option<VideoAccount>,
    /// Size of the picture in pixels, if known.
    pub size: Option<Size>,
}

impl Accounting {
    /// True if every byte is accounted for and nothing was found.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.unclaimed == 0 && self.findings.is_empty() && self.container != OutputKind::Unknown
    }
}

/// Accounts for the first `len` bytes of a finished file.
///
/// Never fails: what cannot be read is a finding. Reads the file about once
/// and keeps tables of at most 16 million samples per track.
pub fn account(file: &mut (impl Read + Seek), len: u64) -> Accounting {
    nested(file, len, 0)
}

/// The same for a member `depth` archives deep.
fn nested(file: &mut (impl Read + Seek), len: u64, depth: u32) -> Accounting {
    // Twice the file and something for headers read apart: a file whose
    // tables point to the same place again and again ends here.
    let budget = len.saturating_mul(2).saturating_add(64 << 20);
    let mut source = Source::new(file, len, budget);
    let mut claims = Claims::default();
    let head = source.upto(0, len, 264).unwrap_or_default();
    let mut parts = Parts { kind: sniff(&head), video: None, size: None };
    match parts.kind {
        OutputKind::Mp4 => mp4::account(&mut source, &mut claims, &mut parts),
        OutputKind::Avi => avi::account(&mut source, &mut claims, &mut parts),
        OutputKind::WebM | OutputKind::Matroska => {
            webm::account(&mut source, &mut claims, &mut parts)
        }
        OutputKind::Jpeg => jpeg::account(&mut source, &mut claims, &mut parts),
        OutputKind::Png | OutputKind::Apng => png::account(&mut source, &mut claims, &mut parts),
        OutputKind::WebP => webp::account(&mut source, &mut claims, &mut parts),
        OutputKind::Gif => gif::account(&mut source, &mut claims, &mut parts),
        OutputKind::Tiff => tiff::account(&mut source, &mut claims, &mut parts),
        OutputKind::Bmp => bmp::account(&mut source, &mut claims, &mut parts),
        OutputKind::Pnm => pnm::account(&mut source, &mut claims, &mut parts),
        OutputKind::Svg => svg::account(&mut source, &mut claims, &mut parts),
        OutputKind::Avif | OutputKind::Heic => heif::account(&mut source, &mut claims, &mut parts),
        OutputKind::Jxl => jxl::account(&mut source, &mut claims, &mut parts),
        OutputKind::Mp3 => mp3::account(&mut source, &mut claims),
        OutputKind::Flac => flac::account(&mut source, &mut claims),
        OutputKind::Ogg => ogg::account(&mut source, &mut claims),
        OutputKind::Wav => wav::account(&mut source, &mut claims),
        OutputKind::Aiff => aiff::account(&mut source, &mut claims),
        OutputKind::Zip => zip::account(&mut source, &mut claims, depth),
        OutputKind::Tar => tar::account(&mut source, &mut claims, depth),
        OutputKind::Unknown => {
            claims.foreign("", 0, len, "This is none of the kinds of file that fernseed writes.");
        }
    }
    let (structures, unclaimed, findings) = claims.close(len);
    Accounting {
        container: parts.kind,
        structures,
        unclaimed,
        findings,
        video: parts.video,
        size: parts.size,
    }
}

/// What the parsers fill in besides claims.
struct Parts {
    kind: OutputKind,
    video: Option<VideoAccount>,
    size: Option<Size>,
}

/// True for a TIFF block of one directory with one entry, the orientation,
/// other than upright.
fn says_orientation_only(b: &[u8]) -> bool {
    let head = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0";
    let tail = [0; 6];
    b.strip_prefix(head).is_some_and(|rest| matches!(rest, [2..=8, end @ ..] if *end == tail))
}

fn sniff(head: &[u8]) -> OutputKind {
    if crate::bytes::part(head, 257, 5) == Some(b"ustar") {
        return OutputKind::Tar;
    }
    match head {
        [0xFF, 0xD8, ..] => OutputKind::Jpeg,
        [0x89, b'P', b'N', b'G', ..] => OutputKind::Png,
        [0x1A, 0x45, 0xDF, 0xA3, ..] => OutputKind::WebM,
        [b'R', b'I', b'F', b'F', _, _, _, _, b'A', b'V', b'I', b' ', ..] => OutputKind::Avi,
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => OutputKind::WebP,
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', b'f', ..] => OutputKind::Avif,
        [_, _, _, _, b'f', b't', b'y', b'p', b'h' | b'm', b'e' | b'i', b'i' | b'f', ..] => {
            OutputKind::Heic
        }
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => OutputKind::Mp4,
        [b'G', b'I', b'F', b'8', b'9', b'a', ..] => OutputKind::Gif,
        [b'I', b'I', b'*', 0, ..] | [b'M', b'M', 0, b'*', ..] => OutputKind::Tiff,
        [b'B', b'M', ..] => OutputKind::Bmp,
        [b'P', b'4'..=b'7', b'\n', ..] => OutputKind::Pnm,
        [0xFF, 0x0A, ..] => OutputKind::Jxl,
        [b'<', b's', b'v', b'g', b' ' | b'>', ..] => OutputKind::Svg,
        [b'R', b'I' | b'F', b'F' | b'6', b'F' | b'4', _, _, _, _, b'W', b'A', b'V', b'E', ..] => {
            OutputKind::Wav
        }
        [b'F', b'O', b'R', b'M', _, _, _, _, b'A', b'I', b'F', b'F' | b'C', ..] => OutputKind::Aiff,
        [b'f', b'L', b'a', b'C', ..] => OutputKind::Flac,
        [b'O', b'g', b'g', b'S', ..] => OutputKind::Ogg,
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => OutputKind::Zip,
        [0x1F, 0x8B, 8, ..] => OutputKind::Tar,
        // An archive without members is nothing but zeros.
        [0, ..] if head.len() == 264 && head.iter().all(|&b| b == 0) => OutputKind::Tar,
        [0xFF, second, ..] if second & 0xE6 == 0xE2 => OutputKind::Mp3,
        _ => OutputKind::Unknown,
    }
}
