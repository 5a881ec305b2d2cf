//! AVI (Microsoft, "AVI RIFF File Reference"; OpenDML index chunks are read).

use super::codec::sound;
use super::codec::{Codec, nal::Framing};
use super::fail;
use super::matroska::{bitmap, bitmap_codec, wave, wave_codec};
use super::movie::{MAX_SAMPLES, Movie, Sample, Tick, Track};
use super::out::Out;
use crate::bytes::{le16, le32, part};
use crate::source::Source;
use crate::strip::StripError;
use std::collections::BTreeMap;

/// Largest file that is written: beyond it an index of another kind is
/// needed.
const MAX_FILE: u64 = 1 << 30;

/// What an AVI says about a sound stream besides its codec.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Facts {
    sample_size: u32,
    tag: u16,
    byte_rate: u32,
    block: u16,
    bits: u16,
}

struct Reader<'s, 'f> {
    source: &'s mut Source<'f>,
    movie: Movie,
    /// Index in `movie.tracks` of each stream.
    streams: Vec<Option<usize>>,
    /// Whether a frame is a key frame, by the offset of its content.
    index: BTreeMap<u64, bool>,
    chunks: Vec<(u8, u64, u32)>,
    movi: u64,
}

/// Reads a file.
pub(super) fn read(source: &mut Source<'_>) -> Result<Movie, StripError> {
    let len = source.len();
    let mut r = Reader {
        source,
        movie: Movie::default(),
        streams: Vec::new(),
        index: BTreeMap::new(),
        chunks: Vec::new(),
        movi: 0,
    };
    let mut at = 0;
    while at + 12 <= len {
        let head = r.source.array::<12>(at).map_err(|e| fail(e, "the file"))?;
        let size = u64::from(le32(&head, 4).unwrap_or(0));
        if &head[..4] != b"RIFF" {
            break;
        }
        let end = (at + 8 + size).min(len);
        r.list(at + 12, end, 0)?;
        at = end + size % 2;
    }
    r.finish()
}

impl Reader<'_, '_> {
    fn list(&mut self, from: u64, end: u64, depth: u32) -> Result<(), StripError> {
        let mut at = from;
        while at + 8 <= end {
            let head = self.source.upto(at, end, 12).map_err(|e| fail(e, "a chunk"))?;
            let size = le32(&head, 4).unwrap_or(0);
            let body = at + 8;
            let stop = (body + u64::from(size)).min(end);
            let kind = part(&head, 0, 4).unwrap_or_default();
            let list = part(&head, 8, 4).unwrap_or_default();
            match (kind, list) {
                (b"LIST", b"strl") => self.stream(body + 4, stop)?,
                (b"LIST", b"hdrl" | b"rec ") if depth < 3 => {
                    self.list(body + 4, stop, depth + 1)?;
                }
                (b"LIST", b"movi") if depth < 3 => {
                    self.movi = if self.movi == 0 { body } else { self.movi };
                    self.list(body + 4, stop, depth + 1)?;
                }
                (b"idx1", _) => self.idx1(body, stop)?,
                ([b'i', b'x', ..], _) => self.ix(body, stop)?,
                (&[a @ b'0'..=b'9', b @ b'0'..=b'9', _, _], _) => {
                    if self.chunks.len() >= MAX_SAMPLES {
                        return Err(StripError::TooLarge("it has too many samples".into()));
                    }
                    let number = (a - b'0') * 10 + (b - b'0');
                    // Palette changes are no frames.
                    if kind.get(2..) != Some(b"pc") {
                        self.chunks.push((number, body, (stop - body) as u32));
                    }
                }
                _ => {}
            }
            at = stop + u64::from(size % 2);
        }
        Ok(())
    }

    fn stream(&mut self, from: u64, end: u64) -> Result<(), StripError> {
        let (mut header, mut format) = (Vec::new(), Vec::new());
        let mut at = from;
        while at + 8 <= end {
            let head = self.source.array::<8>(at).map_err(|e| fail(e, "a stream header"))?;
            let size = u64::from(le32(&head, 4).unwrap_or(0));
            let stop = (at + 8 + size).min(end);
            match &head[..4] {
                b"strh" => header = self.source.upto(at + 8, stop, 64).unwrap_or_default(),
                b"strf" => format = self.source.upto(at + 8, stop, 64 << 10).unwrap_or_default(),
                _ => {}
            }
            at = stop + size % 2;
        }
        let made = self.track(&header, &format)?;
        let index = made.map(|t| {
            self.movie.tracks.push(t);
            self.movie.tracks.len() - 1
        });
        if self.streams.len() < 100 {
            self.streams.push(index);
        }
        Ok(())
    }

    fn track(&mut self, header: &[u8], format: &[u8]) -> Result<Option<Track>, StripError> {
        let broken = || StripError::Damaged("a stream header cannot be read".into());
        let kind = part(header, 0, 4).ok_or_else(broken)?;
        let number = |at| le32(header, at).ok_or_else(broken);
        let (scale, rate, start) = (number(20)?.max(1), number(24)?.max(1), number(28)?);
        let tick = Tick { num: scale.into(), den: rate.into() };
        let mut track = match kind {
            b"vids" if self.movie.has_video() => {
                self.movie.note("A second video track was left out.");
                return Ok(None);
            }
            b"vids" => {
                let code: [u8; 4] =
                    part(format, 16, 4).and_then(|b| b.try_into().ok()).ok_or_else(broken)?;
                let extra = format.get(40..).unwrap_or_default();
                let mut codec = bitmap_codec(code, extra).ok_or_else(|| {
                    StripError::Unsupported(format!(
                        "the video codec {}",
                        crate::bytes::fourcc(code)
                    ))
                })?;
                if let Codec::Nal(sets) = &mut codec {
                    sets.output = Framing::StartCodes;
                    sets.in_band = true;
                }
                let mut track = Track::new(codec, tick);
                track.look.width = le16(format, 4).unwrap_or(0);
                track.look.height = le32(format, 8).map_or(0, |h| (h as i32).unsigned_abs()) as u16;
                track
            }
            b"auds" => {
                let w = sound::wave(format).ok_or_else(broken)?;
                let mut track = Track::new(wave_codec(&w)?, tick);
                (track.rate, track.channels) = (w.rate, w.channels);
                track.avi = Facts {
                    sample_size: number(44)?,
                    tag: w.tag,
                    byte_rate: w.byte_rate,
                    block: w.block,
                    bits: w.bits,
                };
                if let Codec::Pcm(p) = track.codec {
                    return Ok(Some(uncompressed(track, p.frame(w.channels), start)));
                }
                track
            }
            _ => {
                self.movie.note("Tracks that are neither video nor sound were left out.");
                return Ok(None);
            }
        };
        track.delay = start.into();
        Ok(Some(track))
    }

    fn idx1(&mut self, from: u64, end: u64) -> Result<(), StripError> {
        let table = self.source.bytes(from, end - from).map_err(|e| fail(e, "the index"))?;
        // Offsets count from the list's type or from the file's start.
        let first = table.get(8..12).and_then(|b| le32(b, 0)).unwrap_or(0);
        let base = if u64::from(first) >= self.movi { 0 } else { self.movi };
        for e in table.chunks_exact(16).take(MAX_SAMPLES) {
            let (flags, offset) = (le32(e, 4).unwrap_or(0), le32(e, 8).unwrap_or(0));
            self.index.insert(base + u64::from(offset) + 8, flags & 0x10 != 0);
        }
        Ok(())
    }

    /// A standard index of OpenDML.
    fn ix(&mut self, from: u64, end: u64) -> Result<(), StripError> {
        let table = self.source.bytes(from, end - from).map_err(|e| fail(e, "the index"))?;
        if part(&table, 0, 4) != Some(&[2, 0, 0, 1]) {
            return Ok(());
        }
        let base = u64::from(le32(&table, 12).unwrap_or(0))
            | u64::from(le32(&table, 16).unwrap_or(0)) << 32;
        let count = le32(&table, 4).unwrap_or(0) as usize;
        for e in table.get(24..).unwrap_or_default().chunks_exact(8).take(count) {
            let (offset, size) = (le32(e, 0).unwrap_or(0), le32(e, 4).unwrap_or(0));
            if self.index.len() < MAX_SAMPLES {
                self.index.insert(base.saturating_add(offset.into()), size >> 31 == 0);
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Movie, StripError> {
        let mut clocks = vec![0i64; self.movie.tracks.len()];
        // An index that fits nothing is ignored, as players do.
        let useful = self.chunks.iter().any(|c| self.index.contains_key(&c.1));
        let mut orphans = 0u64;
        for (number, at, len) in self.chunks {
            let Some(&Some(index)) = self.streams.get(usize::from(number)) else { continue };
            let Some(track) = self.movie.tracks.get_mut(index) else { continue };
            let Some(clock) = clocks.get_mut(index) else { continue };
            let listed = self.index.get(&at).copied();
            if useful && listed.is_none() {
                orphans += 1;
                continue;
            }
            let (size, block) = (track.avi.sample_size, u32::from(track.avi.block));
            let by_block = if block > 0 { len.div_ceil(block) } else { 1 };
            let duration = len.checked_div(size).unwrap_or(by_block);
            if len == 0 && !track.is_video() {
                continue;
            }
            track.push(Sample {
                at,
                len,
                dts: *clock,
                pts: *clock,
                duration,
                key: listed.unwrap_or(*clock == 0),
                ..Sample::default()
            })?;
            *clock = clock.saturating_add(duration.into());
        }
        if orphans > 0 {
            self.movie.note("Frames that the index does not list were left out.");
        }
        self.movie.tracks.retain(|t| !t.samples.is_empty());
        self.movie.tracks.sort_by_key(|t| !t.is_video());
        Ok(self.movie)
    }
}

/// Uncompressed sound counts in frames of `frame` bytes, whatever the header
/// says; its clock is its sampling rate.
fn uncompressed(mut track: Track, frame: u32, start: u32) -> Track {
    let bytes = u64::from(track.rate) * u64::from(frame);
    track.avi.sample_size = frame;
    track.avi.block = u16::try_from(frame).unwrap_or(0);
    track.avi.byte_rate = u32::try_from(bytes).unwrap_or(0);
    let own = Tick { num: 1, den: track.rate.max(1).into() };
    track.delay = track.tick.convert(start.into(), own);
    track.tick = own;
    track
}

fn chunk(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut out = kind.to_vec();
    out.extend_from_slice(&(body.len() as u32).to_le_bytes());
    out.extend_from_slice(body);
    if body.len() % 2 == 1 {
        out.push(0);
    }
    out
}

fn list(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    chunk(b"LIST", &[&kind[..], body].concat())
}

fn words(list: &[u32]) -> Vec<u8> {
    list.iter().flat_map(|w| w.to_le_bytes()).collect()
}

/// One chunk of the output; no sample for a frame that repeats the last.
struct Piece {
    track: usize,
    sample: Option<usize>,
    bytes: u32,
    key: bool,
}

/// Writes `movie`; the file name extension that fits.
pub(super) fn write(
    source: &mut Source<'_>,
    movie: &mut Movie,
    out: &mut Out<'_>,
) -> Result<&'static str, StripError> {
    let pieces = arrange(&movie.tracks)?;
    let padded = |n: u32| u64::from(n) + u64::from(n % 2);
    let data: u64 = pieces.iter().map(|p| 8 + padded(p.bytes)).sum();
    let total = data + 16 * pieces.len() as u64 + 16_384;
    if total > MAX_FILE {
        return Err(StripError::TooLarge("an AVI of more than a gigabyte".into()));
    }
    let mut lists = chunk(b"avih", &main_header(movie));
    for track in &movie.tracks {
        lists.extend(stream_header(track)?);
    }
    let hdrl = list(b"hdrl", &lists);
    let index = 8 + 16 * pieces.len() as u64;
    let size = 4 + hdrl.len() as u64 + 12 + data + index;
    out.put(b"RIFF")?;
    out.put(&(size as u32).to_le_bytes())?;
    out.put(b"AVI ")?;
    out.put(&hdrl)?;
    out.put(b"LIST")?;
    out.put(&(data as u32 + 4).to_le_bytes())?;
    out.put(b"movi")?;
    let mut idx1 = Vec::new();
    let mut place = 4u32;
    let (mut raw, mut clean) = (Vec::new(), Vec::new());
    for p in &pieces {
        let Some(track) = movie.tracks.get_mut(p.track) else { continue };
        clean.clear();
        if let Some(sample) = p.sample.and_then(|i| track.samples.get(i)).copied() {
            track.load(source, &sample, &mut raw)?;
            track.codec.clean(&raw, &mut clean)?;
        }
        if clean.len() != p.bytes as usize {
            return Err(StripError::Damaged("it changed while it was read".into()));
        }
        let kind = id(p.track, track.is_video());
        out.put(&chunk(&kind, &clean))?;
        idx1.extend_from_slice(&kind);
        idx1.extend(words(&[if p.key { 0x10 } else { 0 }, place, p.bytes]));
        place += 8 + padded(p.bytes) as u32;
    }
    out.put(&chunk(b"idx1", &idx1))?;
    Ok("avi")
}

fn id(track: usize, video: bool) -> [u8; 4] {
    let digit = |n: usize| b'0' + (n % 10) as u8;
    let [a, b] = if video { *b"dc" } else { *b"wb" };
    [digit(track / 10), digit(track), a, b]
}

/// Chunks by time, then by track; empty ones where video pauses.
fn arrange(tracks: &[Track]) -> Result<Vec<Piece>, StripError> {
    let mut all: Vec<(i64, Piece)> = Vec::new();
    let micro = Tick { num: 1, den: 1_000_000 };
    for (number, track) in tracks.iter().enumerate() {
        let mut clock = 0i64;
        for (i, s) in track.samples.iter().enumerate() {
            while track.is_video() && clock < s.dts {
                let empty = Piece { track: number, sample: None, bytes: 0, key: false };
                all.push((track.tick.convert(clock, micro), empty));
                clock += 1;
                if all.len() > MAX_SAMPLES {
                    return Err(StripError::TooLarge("it has too many pauses".into()));
                }
            }
            let piece = Piece { track: number, sample: Some(i), bytes: s.out, key: s.key };
            all.push((track.tick.convert(s.dts, micro), piece));
            clock = s.dts + 1;
        }
    }
    all.sort_by_key(|(t, p)| (*t, p.track));
    Ok(all.into_iter().map(|p| p.1).collect())
}

/// Length of a stream in its own ticks, as its chunks have it: a pause after
/// the last picture is in none of them.
fn frames(track: &Track) -> u32 {
    let last = |s: &Sample| if track.is_video() { 1 } else { i64::from(s.duration.max(1)) };
    track.samples.last().map_or(0, |s| u32::try_from(s.dts + last(s)).unwrap_or(0))
}

fn main_header(movie: &Movie) -> Vec<u8> {
    let first = movie.tracks.first().filter(|t| t.is_video());
    let (period, count, w, h) = first.map_or((0, 0, 0, 0), |t| {
        let period = t.tick.num * 1_000_000 / t.tick.den.max(1);
        (period as u32, frames(t), u32::from(t.look.width), u32::from(t.look.height))
    });
    let streams = movie.tracks.len() as u32;
    words(&[period, 0, 0, 0x110, count, 0, streams, 0, w, h, 0, 0, 0, 0])
}

fn stream_header(track: &Track) -> Result<Vec<u8>, StripError> {
    let small = |v: u64| u32::try_from(v).unwrap_or(u32::MAX);
    let mut h = Vec::new();
    let format = if track.is_video() {
        let (code, extra): ([u8; 4], &[u8]) = match &track.codec {
            Codec::Mpeg4(headers) => (*b"mp4v", headers),
            Codec::Mjpeg => (*b"MJPG", &[]),
            Codec::Mpeg12 { two: true } => (*b"mpg2", &[]),
            Codec::Mpeg12 { two: false } => (*b"mpg1", &[]),
            Codec::Nal(s) if s.hevc => (*b"HEVC", &[]),
            Codec::Nal(_) => (*b"H264", &[]),
            Codec::H263 => (*b"H263", &[]),
            Codec::Windows { code, extra } => (*code, extra),
            _ => return Err(StripError::Unsupported("this codec in AVI".into())),
        };
        h.extend_from_slice(b"vids");
        h.extend_from_slice(&code);
        bitmap(track.look.width, track.look.height, code, extra)
    } else {
        let extra: Vec<u8> = match &track.codec {
            Codec::Aac(c) => c.record.clone(),
            Codec::Wma { extra, .. } => extra.clone(),
            Codec::Mpa(3) => {
                let block = track.avi.block.to_le_bytes();
                vec![1, 0, 2, 0, 0, 0, block[0], block[1], 1, 0, 0, 0]
            }
            _ => Vec::new(),
        };
        h.extend_from_slice(b"auds\0\0\0\0");
        let a = &track.avi;
        let tag = if a.tag == 0x706D { 0xFF } else { a.tag };
        wave(tag, track.channels, track.rate, a.byte_rate, a.block, a.bits, &extra)
    };
    h.extend(words(&[0, 0, 0, small(track.tick.num), small(track.tick.den)]));
    h.extend(words(&[
        u32::try_from(track.delay.max(0)).unwrap_or(0),
        frames(track),
        0,
        u32::MAX,
        track.avi.sample_size,
    ]));
    for side in [0, 0, track.look.width, track.look.height] {
        h.extend_from_slice(&side.to_le_bytes());
    }
    Ok(list(b"strl", &[chunk(b"strh", &h), chunk(b"strf", &format)].concat()))
}
