//! MP4: every box on a closed list, every fixed field at its fixed value,
//! every byte of `mdat` claimed by exactly one sample.
//!
//! Box layouts: ISO/IEC 14496-12 (base format), 14496-15 (AVC), 14496-14
//! (AAC), and "Encapsulation of Opus in ISO Base Media File Format".

mod codec;
mod leaf;
mod samples;

use super::claims::Claims;
use super::frames::Coding;
use super::{Parts, VideoAccount};
use crate::bytes::{be32, be64, fourcc};
use crate::source::Source;
use fernseed_core::Size;
use fernseed_core::finding::FindingCode;

/// Largest `moov` that is read. Ten hours of video need about 30 MB.
const MAX_MOOV: u64 = 512 << 20;

/// A box as found in the file.
#[derive(Clone, Copy, Debug)]
struct Box4 {
    kind: [u8; 4],
    start: u64,
    /// First byte of the content.
    body: u64,
    end: u64,
}

/// The four kinds of video and sound track parts that are gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Handler {
    Video,
    Sound,
}

/// What a track's boxes say, as far as it matters to the account.
#[derive(Debug, Default)]
struct Track {
    handler: Option<Handler>,
    timescale: u32,
    width: u16,
    height: u16,
    /// Shape of a pixel, width to height.
    aspect: Option<(u32, u32)>,
    coding: Coding,
    opus: bool,
    /// `(segment duration in movie ticks, media time)`.
    edits: Vec<(u64, i64)>,
    tables: samples::Tables,
}

impl Track {
    /// The size on screen that follows from coded size and pixel shape, in
    /// 16.16 fixed point.
    fn display(&self) -> (u32, u32) {
        if self.handler == Some(Handler::Sound) {
            return (0, 0);
        }
        let (num, den) = self.aspect.unwrap_or((1, 1));
        let width = (u64::from(self.width) << 16) * u64::from(num) / u64::from(den.max(1));
        (u32::try_from(width).unwrap_or(u32::MAX), u32::from(self.height) << 16)
    }
}

/// State of one walk.
struct Walk<'s, 'f> {
    source: &'s mut Source<'f>,
    claims: &'s mut Claims,
    movie_timescale: u32,
    tracks: Vec<Track>,
}

pub(super) fn account(source: &mut Source<'_>, claims: &mut Claims, parts: &mut Parts) {
    let len = source.len();
    let mut walk = Walk { source, claims, movie_timescale: 0, tracks: Vec::new() };
    let mut mdat = Vec::new();
    let mut seen: Vec<[u8; 4]> = Vec::new();
    let mut at = 0;
    while at < len {
        let Some(b) = walk.next_box("", at, len) else { break };
        at = b.end;
        if matches!(&b.kind, b"ftyp" | b"moov" | b"mdat") && seen.contains(&b.kind) {
            let name = fourcc(b.kind);
            walk.claims.wrong(&name, b.start, b.end, "A second box of a kind that exists once.");
        }
        seen.push(b.kind);
        seen.truncate(1_000);
        match &b.kind {
            b"ftyp" => walk.leaf("ftyp", b, leaf::ftyp),
            b"moov" => walk.moov(b),
            b"mdat" => {
                walk.claims.own("mdat (header)", b.start, b.body);
                mdat.push((b.body, b.end));
            }
            _ => walk.stranger("", b),
        }
    }
    if seen.first() != Some(b"ftyp") {
        walk.claims.wrong("ftyp", 0, 0, "The file does not begin with its type.");
    }
    for needed in [b"moov", b"mdat"] {
        if !seen.contains(needed) {
            let name = fourcc(*needed);
            walk.claims.wrong(&name, len, len, "A box that every playable file has is missing.");
        }
    }
    let tracks = std::mem::take(&mut walk.tracks);
    let movie_timescale = walk.movie_timescale;
    samples::claim(source, claims, &tracks, &mdat);
    let videos = tracks.iter().filter(|t| t.handler == Some(Handler::Video)).count();
    let sounds = tracks.iter().filter(|t| t.handler == Some(Handler::Sound)).count();
    if videos > 1 || sounds > 32 || tracks.is_empty() || videos + sounds != tracks.len() {
        let message = format!(
            "There are {} tracks, {videos} of them video and {sounds} sound; there may be one \
             video track and up to 32 sound tracks.",
            tracks.len()
        );
        claims.wrong("moov", 0, 0, &message);
    }
    for track in &tracks {
        let Some(handler) = track.handler else { continue };
        let shown = samples::presentation(track, movie_timescale);
        let allowed = match handler {
            Handler::Video => 0,
            // Encoder delay: AAC has up to two frames before the first that
            // is heard, Opus four of 20 ms; the last may be cut short.
            Handler::Sound => 3 + 2 * u64::from(track.opus),
        };
        if shown.hidden > allowed {
            let message = format!(
                "{} of {} {} samples are in the file but never shown.",
                shown.hidden,
                track.tables.sizes.len(),
                if handler == Handler::Video { "video" } else { "sound" }
            );
            claims.finding(FindingCode::HiddenSamples, "moov/trak/edts/elst", 0, 0, &message);
        }
        if handler == Handler::Video && parts.video.is_none() {
            let (width, height) = (u32::from(track.width), u32::from(track.height));
            parts.size = Some(Size::new(width, height));
            parts.video = Some(VideoAccount {
                timescale: track.timescale,
                presentation_times: shown.times,
                hidden_samples: shown.hidden,
                sample_count: track.tables.sizes.len() as u64,
                width,
                height,
                has_audio: sounds > 0,
            });
        }
    }
}

impl Walk<'_, '_> {
    /// The box at `at`, or a finding about the rest of `at..end`.
    fn next_box(&mut self, path: &str, at: u64, end: u64) -> Option<Box4> {
        let head = self.source.upto(at, end, 16).unwrap_or_default();
        let parsed = (|| {
            let kind: [u8; 4] = head.get(4..8)?.try_into().ok()?;
            let (body, size) = match be32(&head, 0)? {
                0 => (8, end - at),
                1 => (16, be64(&head, 8)?),
                n => (8, u64::from(n)),
            };
            let stop = at.checked_add(size)?;
            (size >= body && stop <= end).then_some((kind, at + body, stop))
        })();
        let Some((kind, body, stop)) = parsed else {
            self.claims.foreign(path, at, end, "Bytes that are not a box.");
            return None;
        };
        let b = Box4 { kind, start: at, body, end: stop };
        // Only the big box may need a 64-bit size, and none may say "to the
        // end": each is a second way to write the same thing.
        let plain = be32(&head, 0).is_some_and(|n| n > 1);
        let long_data = b.kind == *b"mdat" && be32(&head, 0) == Some(1);
        if !(plain || long_data) {
            let name = join(path, kind);
            self.claims.wrong(&name, at, body, "The box states its size in an unusual way.");
        }
        Some(b)
    }

    /// Walks the children of `parent`. `visit` returns false for a kind that
    /// is not on the list.
    fn children(
        &mut self,
        path: &str,
        from: u64,
        end: u64,
        many: Option<[u8; 4]>,
        visit: &mut dyn FnMut(&mut Self, Box4) -> bool,
    ) -> Vec<[u8; 4]> {
        let mut seen: Vec<[u8; 4]> = Vec::new();
        let mut at = from;
        while at < end {
            let Some(b) = self.next_box(path, at, end) else { break };
            at = b.end;
            if seen.len() >= 64 {
                self.claims.foreign(path, b.start, end, "Far too many boxes in one box.");
                break;
            }
            if !visit(self, b) {
                self.stranger(path, b);
                continue;
            }
            if seen.contains(&b.kind) && many != Some(b.kind) {
                let name = join(path, b.kind);
                self.claims.wrong(&name, b.start, b.end, "The same box twice.");
            }
            seen.push(b.kind);
        }
        seen
    }

    fn require(&mut self, path: &str, parent: Box4, seen: &[[u8; 4]], needed: &[&[u8; 4]]) {
        for kind in needed {
            if !seen.contains(kind) {
                let message = format!("The box {} is missing here.", fourcc(**kind));
                self.claims.wrong(path, parent.start, parent.end, &message);
            }
        }
    }

    fn stranger(&mut self, path: &str, b: Box4) {
        let name = join(path, b.kind);
        let (code, what) = match &b.kind {
            b"udta" => (FindingCode::MetadataLeft, "User data: titles, places, device names."),
            b"meta" | b"ilst" | b"keys" => (FindingCode::MetadataLeft, "A metadata box."),
            b"uuid" => (FindingCode::MetadataLeft, "A private box, often XMP or camera data."),
            b"free" | b"skip" | b"wide" => {
                (FindingCode::UnknownStructure, "Free space, which can hold anything.")
            }
            b"moof" | b"mfra" | b"sidx" | b"styp" | b"mvex" | b"emsg" | b"prft" => {
                (FindingCode::UnknownStructure, "A box of fragmented files.")
            }
            b"iods" | b"sgpd" | b"sbgp" | b"sdtp" | b"btrt" | b"gmhd" | b"load" | b"tref"
            | b"tapt" | b"clap" | b"cslg" | b"nmhd" | b"gmin" | b"text" | b"tmcd" => (
                FindingCode::UnknownStructure,
                "A box that exists elsewhere, but not in the files fernseed writes.",
            ),
            _ => (FindingCode::UnknownStructure, "An unknown box."),
        };
        let message = format!("{what} ({name}, {} bytes)", b.end - b.start);
        self.claims.foreign_as(code, &name, b.start, b.end, &message);
    }

    /// A box without children, checked by `check`, which returns what is
    /// wrong with it.
    fn leaf(&mut self, path: &str, b: Box4, check: fn(&[u8]) -> Option<&'static str>) {
        let body = self.body(path, b, 4096);
        if let Some(body) = body
            && let Some(message) = check(&body)
        {
            self.claims.wrong(path, b.start, b.end, message);
        }
    }

    /// Claims a box and returns its content if it is at most `most` bytes.
    fn body(&mut self, path: &str, b: Box4, most: u64) -> Option<Vec<u8>> {
        if b.end - b.body > most {
            let message = format!("The box is longer than it can be ({} bytes).", b.end - b.start);
            self.claims.foreign(path, b.start, b.end, &message);
            return None;
        }
        let Ok(body) = self.source.bytes(b.body, b.end - b.body) else {
            self.claims.foreign(path, b.start, b.end, "The box cannot be read.");
            return None;
        };
        self.claims.own(path, b.start, b.end);
        Some(body)
    }

    fn moov(&mut self, b: Box4) {
        if b.end - b.start > MAX_MOOV {
            self.claims.foreign("moov", b.start, b.end, "The index is implausibly long.");
            return;
        }
        self.claims.own("moov", b.start, b.body);
        let mut next_track = 0;
        let seen = self.children("moov", b.body, b.end, Some(*b"trak"), &mut |w, c| {
            match &c.kind {
                b"mvhd" => {
                    if let Some(body) = w.body("moov/mvhd", c, 4096) {
                        let (timescale, next, wrong) = leaf::mvhd(&body);
                        w.movie_timescale = timescale;
                        next_track = next;
                        if let Some(message) = wrong {
                            w.claims.wrong("moov/mvhd", c.start, c.end, message);
                        }
                    }
                }
                b"trak" => w.trak(c),
                _ => return false,
            }
            true
        });
        self.require("moov", b, &seen, &[b"mvhd", b"trak"]);
        if next_track as usize != self.tracks.len() + 1 {
            let message = "The next track number is not one more than the number of tracks.";
            self.claims.wrong("moov/mvhd", b.start, b.end, message);
        }
    }

    fn trak(&mut self, b: Box4) {
        self.claims.own("moov/trak", b.start, b.body);
        let mut track = Track::default();
        let number = self.tracks.len() as u32 + 1;
        let mut sides = (0u32, 0u32);
        let seen = self.children("moov/trak", b.body, b.end, None, &mut |w, c| {
            match &c.kind {
                b"tkhd" => {
                    if let Some(body) = w.body("moov/trak/tkhd", c, 4096) {
                        let (width, height, wrong) = leaf::tkhd(&body, number);
                        sides = (width, height);
                        if let Some(message) = wrong {
                            w.claims.wrong("moov/trak/tkhd", c.start, c.end, message);
                        }
                    }
                }
                b"edts" => w.edts(c, &mut track),
                b"mdia" => w.mdia(c, &mut track),
                _ => return false,
            }
            true
        });
        self.require("moov/trak", b, &seen, &[b"tkhd", b"mdia"]);
        if sides != track.display() {
            let message = "The displayed size is not the coded size in square pixels.";
            self.claims.wrong("moov/trak/tkhd", b.start, b.end, message);
        }
        self.tracks.push(track);
    }

    fn edts(&mut self, b: Box4, track: &mut Track) {
        self.claims.own("moov/trak/edts", b.start, b.body);
        let path = "moov/trak/edts/elst";
        let seen = self.children("moov/trak/edts", b.body, b.end, None, &mut |w, c| {
            if &c.kind != b"elst" {
                return false;
            }
            if let Some(body) = w.body(path, c, 4096) {
                let (edits, wrong) = leaf::elst(&body);
                track.edits = edits;
                if let Some(message) = wrong {
                    w.claims.wrong(path, c.start, c.end, message);
                }
            }
            true
        });
        self.require("moov/trak/edts", b, &seen, &[b"elst"]);
    }

    fn mdia(&mut self, b: Box4, track: &mut Track) {
        let path = "moov/trak/mdia";
        self.claims.own(path, b.start, b.body);
        let seen = self.children(path, b.body, b.end, None, &mut |w, c| {
            let name = join(path, c.kind);
            match &c.kind {
                b"mdhd" => {
                    if let Some(body) = w.body(&name, c, 4096) {
                        let (timescale, wrong) = leaf::mdhd(&body);
                        track.timescale = timescale;
                        if let Some(message) = wrong {
                            w.claims.wrong(&name, c.start, c.end, message);
                        }
                    }
                }
                b"hdlr" => {
                    if let Some(body) = w.body(&name, c, 4096) {
                        let (kind, wrong) = leaf::hdlr(&body);
                        track.handler = kind;
                        if let Some(message) = wrong {
                            w.claims.wrong(&name, c.start, c.end, message);
                        }
                    }
                }
                b"minf" => w.minf(c, track),
                _ => return false,
            }
            true
        });
        self.require(path, b, &seen, &[b"mdhd", b"hdlr", b"minf"]);
    }

    fn minf(&mut self, b: Box4, track: &mut Track) {
        let path = "moov/trak/mdia/minf";
        self.claims.own(path, b.start, b.body);
        let seen = self.children(path, b.body, b.end, None, &mut |w, c| {
            let name = join(path, c.kind);
            match &c.kind {
                b"vmhd" => w.leaf(&name, c, leaf::vmhd),
                b"smhd" => w.leaf(&name, c, leaf::smhd),
                b"dinf" => w.leaf(&name, c, leaf::dinf),
                b"stbl" => w.stbl(c, track),
                _ => return false,
            }
            true
        });
        self.require(path, b, &seen, &[b"dinf", b"stbl"]);
    }

    fn stbl(&mut self, b: Box4, track: &mut Track) {
        let path = "moov/trak/mdia/minf/stbl";
        self.claims.own(path, b.start, b.body);
        let mut tables = samples::Tables::default();
        let seen = self.children(path, b.body, b.end, None, &mut |w, c| {
            let name = join(path, c.kind);
            if &c.kind == b"stsd" {
                w.stsd(c, track);
                return true;
            }
            match tables.read(w.source, c.kind, c.body, c.end) {
                None => return false,
                Some(Ok(())) => w.claims.own(&name, c.start, c.end),
                Some(Err(message)) => w.claims.foreign(&name, c.start, c.end, message),
            }
            true
        });
        self.require(path, b, &seen, &[b"stsd", b"stts", b"stsc", b"stsz"]);
        if let Some(message) = tables.check() {
            self.claims.wrong(path, b.start, b.end, message);
        }
        track.tables = tables;
    }

    fn stsd(&mut self, b: Box4, track: &mut Track) {
        let path = "moov/trak/mdia/minf/stbl/stsd";
        if let Some(body) = self.body(path, b, 16 * 1024) {
            codec::stsd(&body, track, &mut |message| {
                self.claims.wrong(path, b.start, b.end, message);
            });
        }
    }
}

fn join(path: &str, kind: [u8; 4]) -> String {
    if path.is_empty() { fourcc(kind) } else { format!("{path}/{}", fourcc(kind)) }
}
