//! WebM: a closed table of elements, no dates, identifiers, titles, tags,
//! attachments or empty space (Matroska: RFC 9559).

use super::claims::Claims;
use super::coded;
use super::frames::{self, Coding};
use super::{OutputKind, Parts, VideoAccount};
use crate::ebml::{self, Element};
use crate::source::Source;
use fernseed_core::Size;
use fernseed_core::finding::FindingCode;

/// Most frames of one file.
const MAX_FRAMES: usize = 16 << 20;

/// How an element's content is checked.
#[derive(Clone, Copy, Debug)]
enum Rule {
    /// Children of its own; may there be more than one?
    Parent(bool),
    /// Any unsigned number.
    Uint,
    /// An unsigned number in a range.
    Range(u64, u64),
    /// Exactly this text.
    Text(&'static [&'static str]),
    /// A float of 4 or 8 bytes.
    Float,
    /// Bytes the decoder needs, at most so many.
    Config(u64),
    /// What the decoder needs, checked by codec.
    Private,
    /// A frame.
    Frame,
    /// The identifier of a top-level element.
    Id,
}

const EBML: u32 = 0x1A45_DFA3;
const SEGMENT: u32 = 0x1853_8067;
const CLUSTER: u32 = 0x1F43_B675;
const TRACK: u32 = 0xAE;
const BLOCK_GROUP: u32 = 0xA0;
const VIDEO: u32 = 0xE0;
const AUDIO: u32 = 0xE1;
const COLOUR: u32 = 0x55B0;
const TIMESTAMP: u32 = 0xE7;

/// `(parent, id, name, rule)`; parent 0 is the file.
const ALLOWED: &[(u32, u32, &str, Rule)] = &[
    (0, EBML, "EBML", Rule::Parent(false)),
    (EBML, 0x4286, "EBMLVersion", Rule::Range(1, 1)),
    (EBML, 0x42F7, "EBMLReadVersion", Rule::Range(1, 1)),
    (EBML, 0x42F2, "EBMLMaxIDLength", Rule::Range(4, 4)),
    (EBML, 0x42F3, "EBMLMaxSizeLength", Rule::Range(8, 8)),
    (EBML, 0x4282, "DocType", Rule::Text(&["webm", "matroska"])),
    (EBML, 0x4287, "DocTypeVersion", Rule::Range(2, 4)),
    (EBML, 0x4285, "DocTypeReadVersion", Rule::Range(2, 4)),
    (0, SEGMENT, "Segment", Rule::Parent(false)),
    (SEGMENT, 0x114D_9B74, "SeekHead", Rule::Parent(false)),
    (0x114D_9B74, 0x4DBB, "Seek", Rule::Parent(true)),
    (0x4DBB, 0x53AB, "SeekID", Rule::Id),
    (0x4DBB, 0x53AC, "SeekPosition", Rule::Uint),
    (SEGMENT, 0x1549_A966, "Info", Rule::Parent(false)),
    (0x1549_A966, 0x002A_D7B1, "TimestampScale", Rule::Range(1, 1_000_000_000)),
    (0x1549_A966, 0x4489, "Duration", Rule::Float),
    (0x1549_A966, 0x4D80, "MuxingApp", Rule::Text(&["fernseed"])),
    (0x1549_A966, 0x5741, "WritingApp", Rule::Text(&["fernseed"])),
    (SEGMENT, 0x1654_AE6B, "Tracks", Rule::Parent(false)),
    (0x1654_AE6B, TRACK, "TrackEntry", Rule::Parent(true)),
    (TRACK, 0xD7, "TrackNumber", Rule::Range(1, 33)),
    (TRACK, 0x73C5, "TrackUID", Rule::Range(1, 33)),
    (TRACK, 0x83, "TrackType", Rule::Range(1, 2)),
    (TRACK, 0x9C, "FlagLacing", Rule::Range(0, 0)),
    (TRACK, 0x0022_B59C, "Language", Rule::Text(&["und"])),
    (TRACK, 0x86, "CodecID", Rule::Text(CODECS)),
    (TRACK, 0x63A2, "CodecPrivate", Rule::Private),
    (TRACK, 0x56AA, "CodecDelay", Rule::Range(0, 1_000_000_000)),
    (TRACK, 0x56BB, "SeekPreRoll", Rule::Range(0, 1_000_000_000)),
    (TRACK, 0x0023_E383, "DefaultDuration", Rule::Uint),
    (TRACK, VIDEO, "Video", Rule::Parent(false)),
    (VIDEO, 0xB0, "PixelWidth", Rule::Range(1, 65_535)),
    (VIDEO, 0xBA, "PixelHeight", Rule::Range(1, 65_535)),
    (VIDEO, 0x9A, "FlagInterlaced", Rule::Range(2, 2)),
    (VIDEO, 0x54B0, "DisplayWidth", Rule::Uint),
    (VIDEO, 0x54BA, "DisplayHeight", Rule::Uint),
    (VIDEO, 0x54B2, "DisplayUnit", Rule::Range(3, 3)),
    (VIDEO, COLOUR, "Colour", Rule::Parent(false)),
    (COLOUR, 0x55B1, "MatrixCoefficients", Rule::Range(0, 16)),
    (COLOUR, 0x55B2, "BitsPerChannel", Rule::Range(0, 16)),
    (COLOUR, 0x55B3, "ChromaSubsamplingHorz", Rule::Range(0, 1)),
    (COLOUR, 0x55B4, "ChromaSubsamplingVert", Rule::Range(0, 1)),
    (COLOUR, 0x55B7, "ChromaSitingHorz", Rule::Range(0, 2)),
    (COLOUR, 0x55B8, "ChromaSitingVert", Rule::Range(0, 2)),
    (COLOUR, 0x55B9, "Range", Rule::Range(0, 2)),
    (COLOUR, 0x55BA, "TransferCharacteristics", Rule::Range(0, 18)),
    (COLOUR, 0x55BB, "Primaries", Rule::Range(0, 22)),
    (COLOUR, 0x55BC, "MaxCLL", Rule::Range(0, 65_535)),
    (COLOUR, 0x55BD, "MaxFALL", Rule::Range(0, 65_535)),
    (TRACK, AUDIO, "Audio", Rule::Parent(false)),
    (AUDIO, 0xB5, "SamplingFrequency", Rule::Float),
    (AUDIO, 0x9F, "Channels", Rule::Range(1, 64)),
    (AUDIO, 0x6264, "BitDepth", Rule::Range(8, 64)),
    (SEGMENT, 0x1C53_BB6B, "Cues", Rule::Parent(false)),
    (0x1C53_BB6B, 0xBB, "CuePoint", Rule::Parent(true)),
    (0xBB, 0xB3, "CueTime", Rule::Uint),
    (0xBB, 0xB7, "CueTrackPositions", Rule::Parent(false)),
    (0xB7, 0xF7, "CueTrack", Rule::Range(1, 33)),
    (0xB7, 0xF1, "CueClusterPosition", Rule::Uint),
    (0xB7, 0xF0, "CueRelativePosition", Rule::Uint),
    (SEGMENT, CLUSTER, "Cluster", Rule::Parent(true)),
    (CLUSTER, TIMESTAMP, "Timestamp", Rule::Uint),
    (CLUSTER, 0xA3, "SimpleBlock", Rule::Frame),
    (CLUSTER, BLOCK_GROUP, "BlockGroup", Rule::Parent(true)),
    (BLOCK_GROUP, 0xA1, "Block", Rule::Frame),
    (BLOCK_GROUP, 0x9B, "BlockDuration", Rule::Uint),
    (BLOCK_GROUP, 0xFB, "ReferenceBlock", Rule::Config(8)),
    (BLOCK_GROUP, 0x75A2, "DiscardPadding", Rule::Config(8)),
];

const CODECS: &[&str] = &[
    "V_VP8",
    "V_VP9",
    "V_AV1",
    "V_MPEG4/ISO/AVC",
    "V_MPEGH/ISO/HEVC",
    "V_MPEG4/ISO/ASP",
    "V_MPEG1",
    "V_MPEG2",
    "V_MJPEG",
    "V_PRORES",
    "V_MS/VFW/FOURCC",
    "A_OPUS",
    "A_VORBIS",
    "A_FLAC",
    "A_ALAC",
    "A_AAC",
    "A_MPEG/L1",
    "A_MPEG/L2",
    "A_MPEG/L3",
    "A_AC3",
    "A_EAC3",
    "A_DTS",
    "A_PCM/INT/LIT",
    "A_PCM/INT/BIG",
    "A_PCM/FLOAT/IEEE",
    "A_MS/ACM",
];

/// How the frames of a codec without private data are coded.
fn bare(codec: &str) -> Coding {
    match codec {
        "V_MPEG1" | "V_MPEG2" => Coding::Mpeg12,
        "V_MPEG4/ISO/ASP" => Coding::Mpeg4,
        "V_MJPEG" => Coding::Mjpeg,
        "V_PRORES" => Coding::ProRes,
        _ => Coding::Opaque,
    }
}

/// How the frames of a track are coded, by its private data; `None` if that
/// is not exactly what the codec needs.
fn private(codec: &str, b: &[u8]) -> Option<Coding> {
    let mut exact = true;
    let wrong = &mut |_: &str| exact = false;
    let coding = match codec {
        "V_AV1" => coded::av1(b).then_some(Coding::Av1),
        "V_MPEG4/ISO/AVC" => {
            coded::avc(b, wrong).map(|length| Coding::Units { hevc: false, length, sets: true })
        }
        "V_MPEGH/ISO/HEVC" => {
            coded::hevc(b, wrong).map(|length| Coding::Units { hevc: true, length, sets: true })
        }
        "V_MPEG4/ISO/ASP" => coded::mpeg4(b).then_some(Coding::Mpeg4),
        "V_PRORES" => (b.len() == 4).then_some(Coding::ProRes),
        "V_MS/VFW/FOURCC" => coded::windows(b),
        "A_OPUS" => {
            let head = b.strip_prefix(b"OpusHead")?;
            coded::opus(head, 1).then_some(Coding::Opaque)
        }
        "A_VORBIS" => coded::vorbis(b).then_some(Coding::Opaque),
        "A_FLAC" => coded::flac(b.strip_prefix(b"fLaC")?).then_some(Coding::Opaque),
        "A_ALAC" => (b.len() == 24).then_some(Coding::Opaque),
        "A_AAC" => coded::aac(b).then_some(Coding::Aac),
        "A_MS/ACM" => coded::wave(b),
        _ => None,
    };
    coding.filter(|_| exact)
}

/// Elements that say what is wrong with them by their name alone.
const METADATA: &[(u32, &str)] = &[
    (0x1254_C367, "Tags"),
    (0x1941_A469, "Attachments"),
    (0x1043_A770, "Chapters"),
    (0x4461, "DateUTC (when the file was made)"),
    (0x73A4, "SegmentUUID (links files)"),
    (0x7384, "SegmentFilename"),
    (0x7BA9, "Title"),
    (0x536E, "Name of a track"),
    (0x0022_B59D, "LanguageBCP47"),
    (0x0025_8688, "CodecName"),
    (0xEC, "Void (free space, which can hold anything)"),
    (0xBF, "CRC-32"),
    (0x75A1, "BlockAdditions"),
];

#[derive(Debug, Default)]
struct Track {
    number: u64,
    uid: u64,
    kind: u64,
    width: u64,
    height: u64,
    codec: String,
    coding: Coding,
}

struct Walk<'s, 'f> {
    source: &'s mut Source<'f>,
    claims: &'s mut Claims,
    tracks: Vec<Track>,
    scale: u64,
    cluster: u64,
    times: Vec<i64>,
    frames: u64,
    /// Units found inside frames that do not belong.
    bad: u64,
    matroska: bool,
}

pub(super) fn account(source: &mut Source<'_>, claims: &mut Claims, parts: &mut Parts) {
    let len = source.len();
    let mut walk = Walk {
        source,
        claims,
        tracks: Vec::new(),
        scale: 1_000_000,
        cluster: 0,
        times: Vec::new(),
        frames: 0,
        bad: 0,
        matroska: false,
    };
    walk.children(0, "", 0, len, 0);
    let Walk { tracks, scale, mut times, claims, frames, matroska, .. } = walk;
    parts.kind = if matroska { OutputKind::Matroska } else { OutputKind::WebM };
    let video: Vec<&Track> = tracks.iter().filter(|t| t.kind == 1).collect();
    let sound = tracks.iter().filter(|t| t.kind == 2).count();
    if video.len() > 1 || sound > 32 || tracks.is_empty() || video.len() + sound != tracks.len() {
        claims.wrong(
            "Segment/Tracks",
            0,
            0,
            "There may be one video track and up to 32 sound tracks.",
        );
    }
    for (i, track) in tracks.iter().enumerate() {
        if track.number != i as u64 + 1 || track.uid != track.number {
            claims.wrong(
                "Segment/Tracks/TrackEntry",
                0,
                0,
                "Track numbers and identifiers must count 1, 2; others link files.",
            );
        }
        let kind = if track.codec.starts_with("V_") { 1 } else { 2 };
        if kind != track.kind {
            claims.wrong("Segment/Tracks/TrackEntry", 0, 0, "The codec is for another kind.");
        }
    }
    if let Some(track) = video.first() {
        let (width, height) = (track.width as u32, track.height as u32);
        times.sort_unstable();
        // Ticks per second; scales that do not divide a second round.
        let timescale = u32::try_from(1_000_000_000 / scale.max(1)).unwrap_or(u32::MAX);
        parts.size = Some(Size::new(width, height));
        parts.video = Some(VideoAccount {
            timescale,
            presentation_times: times,
            hidden_samples: 0,
            sample_count: frames,
            width,
            height,
            has_audio: sound > 0,
        });
    }
}

impl Walk<'_, '_> {
    fn children(&mut self, parent: u32, path: &str, from: u64, end: u64, depth: u32) {
        let mut at = from;
        let mut seen: Vec<u32> = Vec::new();
        while at < end {
            let Some(e) = ebml::element(self.source, at, end) else {
                self.claims.foreign(path, at, end, "Bytes that are not an element.");
                return;
            };
            at = e.end;
            let Some(&(_, id, name, rule)) =
                ALLOWED.iter().find(|(p, id, ..)| *p == parent && *id == e.id)
            else {
                self.stranger(path, e);
                continue;
            };
            let name = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
            if e.open {
                self.claims.wrong(&name, e.start, e.body, "An element of unknown length.");
            }
            let repeats = matches!(rule, Rule::Parent(true) | Rule::Frame);
            if seen.contains(&id) {
                if !repeats {
                    self.claims.wrong(&name, e.start, e.end, "The same element twice.");
                }
            } else {
                seen.push(id);
            }
            if parent == CLUSTER && id != TIMESTAMP && seen.first() != Some(&TIMESTAMP) {
                self.claims.wrong(&name, e.start, e.end, "A frame before its cluster's time.");
            }
            if let Rule::Parent(_) = rule {
                self.claims.own(&name, e.start, e.body);
                if id == TRACK {
                    self.tracks.push(Track::default());
                    self.tracks.truncate(64);
                }
                if depth < 8 {
                    self.children(id, &name, e.body, e.end, depth + 1);
                }
            } else {
                self.value(&name, e, rule, parent == BLOCK_GROUP);
            }
        }
        let needed: &[u32] = match parent {
            0 => &[EBML, SEGMENT],
            SEGMENT => &[0x1549_A966, 0x1654_AE6B, CLUSTER],
            TRACK => &[0xD7, 0x73C5, 0x83, 0x86],
            CLUSTER => &[TIMESTAMP],
            _ => &[],
        };
        if needed.iter().any(|id| !seen.contains(id)) {
            self.claims.wrong(path, from, end, "A required element is missing here.");
        }
    }

    fn stranger(&mut self, path: &str, e: Element) {
        let known = METADATA.iter().find(|(id, _)| *id == e.id);
        let (code, name) = match known {
            Some((0xEC | 0xBF, name)) => (FindingCode::UnknownStructure, (*name).to_owned()),
            Some((_, name)) => (FindingCode::MetadataLeft, (*name).to_owned()),
            None => (FindingCode::UnknownStructure, format!("element 0x{:X}", e.id)),
        };
        let short = name.split(' ').next().unwrap_or_default();
        let name_in = if path.is_empty() { short.to_owned() } else { format!("{path}/{short}") };
        let message = format!("Not on the list: {name}, {} bytes.", e.end - e.start);
        self.claims.foreign_as(code, &name_in, e.start, e.end, &message);
    }

    fn value(&mut self, name: &str, e: Element, rule: Rule, grouped: bool) {
        let len = e.end - e.body;
        if let Rule::Frame = rule {
            self.claims.own(name, e.start, e.end);
            return self.frame(name, e, grouped);
        }
        let most = match rule {
            Rule::Config(n) => n,
            Rule::Private => 512 << 10,
            Rule::Text(_) => 64,
            _ => 8,
        };
        let body = if len <= most { self.source.bytes(e.body, len).ok() } else { None };
        let Some(body) = body else {
            let message = format!("The element is longer than it can be ({len} bytes).");
            return self.claims.foreign(name, e.start, e.end, &message);
        };
        self.claims.own(name, e.start, e.end);
        let number = ebml::uint(&body).unwrap_or(0);
        let wrong = match rule {
            Rule::Range(low, high) => !(low..=high).contains(&number),
            Rule::Text(texts) => !texts.iter().any(|t| t.as_bytes() == body),
            Rule::Float => !matches!(body.len(), 4 | 8),
            Rule::Private => {
                let track = self.tracks.last_mut();
                track.is_none_or(|t| match private(&t.codec, &body) {
                    Some(coding) => {
                        t.coding = coding;
                        false
                    }
                    None => true,
                })
            }
            Rule::Id => !matches!(number, 0x1549_A966 | 0x1654_AE6B | 0x1C53_BB6B | 0x1F43_B675),
            Rule::Uint => body.is_empty(),
            _ => false,
        };
        if wrong {
            let message = match rule {
                Rule::Text(_) => "The text is not the one that every file of ours has.",
                _ => "The value is outside what our writer writes.",
            };
            let code = if matches!(rule, Rule::Text(_)) {
                FindingCode::MetadataLeft
            } else {
                FindingCode::UnknownStructure
            };
            self.claims.finding(code, name, e.start, e.end, message);
        }
        match e.id {
            0x002A_D7B1 => self.scale = number.max(1),
            TIMESTAMP => self.cluster = number,
            0x4282 => self.matroska = body == b"matroska",
            _ => {}
        }
        if let Some(track) = self.tracks.last_mut() {
            match e.id {
                0xD7 => track.number = number,
                0x73C5 => track.uid = number,
                0x83 => track.kind = number,
                0xB0 => track.width = number.min(65_535),
                0xBA => track.height = number.min(65_535),
                0x86 => {
                    track.codec = String::from_utf8_lossy(&body).into_owned();
                    track.coding = bare(&track.codec);
                }
                _ => {}
            }
        }
    }

    /// Looks into a frame.
    fn inside(&mut self, name: &str, e: Element, coding: Coding) {
        if coding == Coding::Opaque {
            return;
        }
        let from = e.body + 4;
        let Ok(sample) = self.source.bytes(from, e.end.saturating_sub(from)) else {
            return self.claims.wrong(name, e.start, e.end, "The frame cannot be read.");
        };
        let (claims, bad) = (&mut *self.claims, &mut self.bad);
        frames::check(coding, &sample, &mut |a, b, what| {
            *bad += 1;
            if *bad <= 20 {
                claims.wrong(name, from + a as u64, from + b as u64, what);
            }
        });
    }

    /// The four bytes before a frame: track, relative time, flags.
    fn frame(&mut self, name: &str, e: Element, grouped: bool) {
        let head = self.source.upto(e.body, e.end, 4).unwrap_or_default();
        let &[track, high, low, flags] = head.as_slice() else {
            return self.claims.wrong(name, e.start, e.end, "A frame without a header.");
        };
        let number = u64::from(track & 0x7F);
        // Key frame and discardable are the only flags of a SimpleBlock we
        // write; a Block has neither. Lacing and "invisible" are not used.
        let allowed = if grouped { 0x00 } else { 0x81 };
        let known = self.tracks.iter().find(|t| t.number == number);
        if track & 0x80 == 0 || known.is_none() || flags & !allowed != 0 || e.end - e.body < 5 {
            let invisible = flags & 0x08 != 0;
            let code =
                if invisible { FindingCode::HiddenSamples } else { FindingCode::UnknownStructure };
            let message = "A frame whose header is not one of ours.";
            self.claims.finding(code, name, e.start, e.end, message);
        }
        let coding = known.map_or(Coding::Opaque, |t| t.coding);
        let video = known.is_some_and(|t| t.kind == 1);
        self.inside(name, e, coding);
        if video {
            self.frames += 1;
            if self.times.len() < MAX_FRAMES {
                let time = i64::from(i16::from_be_bytes([high, low]));
                let base = i64::try_from(self.cluster).unwrap_or(i64::MAX);
                self.times.push(base.saturating_add(time));
            }
        }
    }
}
