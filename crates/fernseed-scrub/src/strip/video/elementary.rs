//! Elementary streams out of PES packets: cut into pictures and frames, with
//! their times (ISO/IEC 13818-1, 2.4.3.7).

mod headers;

use super::codec::nal::Framing;
use super::codec::sets::Sets;
use super::codec::{Codec, aac, mpeg, sound};
use super::movie::{Movie, Sample, Tick, Track, reduced};
use crate::strip::StripError;
pub(super) use headers::pes;
use headers::{ac3_len, mpa};

/// Most pieces of one stream: about three gigabytes of a transport stream.
const MAX_PIECES: usize = 16 << 20;

/// What a stream carries, as its container says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Mpeg12,
    Mpeg4,
    H264,
    Hevc,
    Adts,
    Mpa,
    Ac3,
    Eac3,
}

/// A stream while it is read.
#[derive(Debug)]
pub(super) struct Stream {
    form: Form,
    pieces: Vec<(u64, u32)>,
    /// Bytes fed so far.
    fed: u64,
    /// `(position, pts, dts)` of PES packets with a time.
    marks: Vec<(u64, i64, i64)>,
    /// `(position, key letter)` of every picture or frame.
    units: Vec<Unit>,
    /// Bytes not yet cut, from `fed - tail.len()` on.
    tail: Vec<u8>,
    skip: u64,
    state: Scan,
    first: Vec<u8>,
    last_time: Option<i64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Unit {
    at: u64,
    /// Bytes of transport header in front of the frame.
    head: u32,
    /// Picture type of MPEG video: 1 I, 2 P, 3 B.
    kind: u8,
}

#[derive(Clone, Copy, Debug, Default)]
struct Scan {
    /// The unit being read holds a picture.
    picture: bool,
    /// Units are separated by delimiters.
    delimited: bool,
    /// The last picture was one field, and the first of its pair.
    field: bool,
    structure: u8,
}

impl Stream {
    pub(super) const fn new(form: Form) -> Self {
        Self {
            form,
            pieces: Vec::new(),
            fed: 0,
            marks: Vec::new(),
            units: Vec::new(),
            tail: Vec::new(),
            skip: 0,
            state: Scan { picture: false, delimited: false, field: false, structure: 0 },
            first: Vec::new(),
            last_time: None,
        }
    }

    /// The next bytes belong to a PES packet with these times.
    pub(super) fn mark(&mut self, pts: i64, dts: i64) {
        // 33 bits wrap after 26 hours.
        let wrap = 1i64 << 33;
        let unwrap = |t: i64, near: i64| t + (near - t + wrap / 2).div_euclid(wrap) * wrap;
        let near = self.last_time.unwrap_or(dts);
        let dts = unwrap(dts, near);
        let pts = unwrap(pts, dts);
        self.last_time = Some(dts);
        self.marks.push((self.fed, pts, dts));
    }

    /// Takes in bytes that lie at `at` in the file.
    pub(super) fn feed(&mut self, at: u64, bytes: &[u8]) -> Result<(), StripError> {
        if bytes.is_empty() {
            return Ok(());
        }
        if self.pieces.len() >= MAX_PIECES || self.units.len() >= super::movie::MAX_SAMPLES {
            return Err(StripError::TooLarge("a stream has too many parts".into()));
        }
        self.pieces.push((at, bytes.len() as u32));
        self.fed += bytes.len() as u64;
        self.tail.extend_from_slice(bytes);
        if self.first.len() < 4096 {
            self.first.extend_from_slice(bytes.get(..bytes.len().min(4096)).unwrap_or_default());
        }
        match self.form {
            Form::Mpeg12 | Form::Mpeg4 | Form::H264 | Form::Hevc => self.scan(false),
            _ => self.frames(),
        }
        Ok(())
    }

    /// Finds start codes; keeps what may begin one.
    fn scan(&mut self, all: bool) {
        let base = self.fed - self.tail.len() as u64;
        let mut at = 0usize;
        // A unit's first bytes decide: that many of them must be there.
        let enough = if all { 0 } else { 12 };
        let mut keep = None;
        while let Some(next) = super::codec::nal::start_code(&self.tail, at) {
            let body = self.tail.get(next..).unwrap_or_default();
            if body.len() < enough {
                keep = Some(next.saturating_sub(4).max(at));
                break;
            }
            let mut place = base + next as u64 - 3;
            if next >= 4 && self.tail.get(next - 4) == Some(&0) && self.form != Form::Mpeg12 {
                place -= 1;
            }
            let body: Vec<u8> = body.iter().take(12).copied().collect();
            self.section(place, &body);
            at = next;
        }
        // A start code may begin in the last bytes.
        let cut = keep.unwrap_or_else(|| self.tail.len().saturating_sub(4).max(at));
        self.tail.drain(..cut.min(self.tail.len()));
    }

    fn begin(&mut self, at: u64) {
        self.units.push(Unit { at, ..Unit::default() });
        self.state.picture = false;
    }

    /// One section or unit after a start code.
    fn section(&mut self, at: u64, body: &[u8]) {
        let code = body.first().copied().unwrap_or(0);
        let s = self.state;
        match self.form {
            Form::Mpeg12 => match code {
                0xB3 | 0xB8 | 0x00 => {
                    let second = code == 0 && s.field;
                    if self.units.is_empty() && code != 0xB3 {
                        return;
                    }
                    if (self.units.is_empty() || s.picture) && !second {
                        self.begin(at);
                    }
                    if code == 0 {
                        if let Some(u) = self.units.last_mut().filter(|u| u.kind == 0) {
                            u.kind = body.get(2).map_or(0, |b| b >> 3 & 7);
                        }
                        self.state.picture = true;
                        self.state.structure = if second { 0xFF } else { 0 };
                        self.state.field = false;
                    }
                }
                0xB5 if body.get(1).is_some_and(|b| b >> 4 == 8) => {
                    let structure = body.get(3).map_or(3, |b| b & 3);
                    self.state.field = structure != 3 && s.structure != 0xFF;
                }
                _ => {}
            },
            Form::Mpeg4 => match code {
                0x00..=0x2F | 0xB0 | 0xB3 | 0xB5 | 0xB6 => {
                    if self.units.is_empty() || s.picture {
                        self.begin(at);
                    }
                    self.state.picture |= code == 0xB6;
                }
                _ => {}
            },
            Form::H264 => {
                let kind = code & 0x1F;
                let slice = matches!(kind, 1..=5);
                let starts = match kind {
                    9 => true,
                    6..=8 => !s.delimited && s.picture,
                    1 | 2 | 5 => {
                        !s.delimited && s.picture && body.get(1).is_some_and(|b| b & 0x80 != 0)
                    }
                    _ => false,
                };
                self.state.delimited |= kind == 9;
                if starts || self.units.is_empty() {
                    self.begin(at);
                }
                self.state.picture |= slice;
            }
            Form::Hevc => {
                let kind = code >> 1 & 0x3F;
                let slice = kind < 32;
                let starts = match kind {
                    35 => true,
                    32..=34 | 39 => !s.delimited && s.picture,
                    0..=31 => {
                        !s.delimited && s.picture && body.get(2).is_some_and(|b| b & 0x80 != 0)
                    }
                    _ => false,
                };
                self.state.delimited |= kind == 35;
                if starts || self.units.is_empty() {
                    self.begin(at);
                }
                self.state.picture |= slice;
            }
            _ => {}
        }
    }

    /// Walks frames of sound by their headers.
    fn frames(&mut self) {
        let mut at = 0usize;
        loop {
            if self.skip > 0 {
                let n = self.skip.min((self.tail.len() - at) as u64);
                at += n as usize;
                self.skip -= n;
                if self.skip > 0 {
                    break;
                }
            }
            let rest = self.tail.get(at..).unwrap_or_default();
            if rest.len() < 9 {
                break;
            }
            let place = self.fed - rest.len() as u64;
            let found = match self.form {
                Form::Adts => aac::adts(rest).map(|(_, head, len)| (head, len)),
                Form::Mpa => mpa(rest).map(|h| (0, h.len)),
                _ => ac3_len(rest, self.form == Form::Eac3).map(|n| (0, n)),
            };
            match found {
                Some((head, len)) => {
                    self.units.push(Unit { at: place, head: head as u32, kind: 0 });
                    self.skip = len as u64;
                }
                // Out of step: an empty unit ends the one before.
                None => {
                    if self.units.last().is_some_and(|u| u.kind != 9) {
                        self.units.push(Unit { at: place, head: 0, kind: 9 });
                    }
                    self.skip = 1;
                }
            }
        }
        self.tail.drain(..at.min(self.tail.len()));
    }

    /// The track that the stream makes; `None` if there is nothing in it.
    pub(super) fn finish(mut self, movie: &mut Movie) -> Result<Option<Track>, StripError> {
        let tick = Tick { num: 1, den: 90_000 };
        if matches!(self.form, Form::Mpeg12 | Form::Mpeg4 | Form::H264 | Form::Hevc) {
            self.scan(true);
        }
        let Some(shape) = self.shape() else {
            movie.note("A stream that could not be read was left out.");
            return Ok(None);
        };
        let mut track = Track::new(shape.codec, tick);
        track.look.width = shape.width;
        track.look.height = shape.height;
        track.look.aspect = shape.aspect;
        track.rate = shape.rate;
        track.channels = shape.channels;
        self.cut(&mut track)?;
        self.time(&mut track, shape.frame)?;
        Ok((!track.samples.is_empty()).then_some(track))
    }

    /// Makes samples of units: ranges of the stream become pieces.
    fn cut(&self, track: &mut Track) -> Result<(), StripError> {
        let ends = self.units.iter().skip(1).map(|u| u.at).chain([self.fed]);
        let mut piece = 0usize;
        let mut piece_at = 0u64;
        for (u, end) in self.units.iter().zip(ends) {
            if u.kind == 9 {
                continue;
            }
            let mut from = u.at + u64::from(u.head);
            let first_piece = track.pieces.len() as u32;
            let mut len = 0u32;
            while from < end {
                let Some(&(place, size)) = self.pieces.get(piece) else { break };
                if from >= piece_at + u64::from(size) {
                    piece_at += u64::from(size);
                    piece += 1;
                    continue;
                }
                let skip = from - piece_at;
                let take = (u64::from(size) - skip).min(end - from);
                track.pieces.push((place + skip, take as u32));
                len = len.saturating_add(take as u32);
                from += take;
            }
            let pieces = track.pieces.len() as u32 - first_piece;
            let at = self.fed;
            track.push(Sample { at, len, first_piece, pieces, ..Sample::default() })?;
        }
        Ok(())
    }

    /// Gives every sample its times.
    fn time(&self, track: &mut Track, frame: i64) -> Result<(), StripError> {
        let units = self.units.iter().filter(|u| u.kind != 9);
        let mut mark = 0usize;
        let mut known = 0usize;
        let mut clock: Option<i64> = None;
        let mut before = 0u64;
        let mut timed = Vec::with_capacity(track.samples.len());
        for u in units {
            // The last mark at or before the unit's first byte, if no other
            // unit has begun since.
            let mut time = None;
            while let Some(&(at, pts, dts)) = self.marks.get(mark).filter(|m| m.0 <= u.at) {
                if at >= before || before == 0 {
                    time = Some((pts, dts));
                }
                mark += 1;
            }
            before = u.at + 1;
            known += usize::from(time.is_some());
            timed.push(time);
        }
        let all = known == track.samples.len();
        let no_times = || StripError::Unsupported("a stream with pictures without times".into());
        if !track.is_video() {
            for (s, t) in track.samples.iter_mut().zip(timed) {
                // Times of packets are rounded; frames follow each other.
                let next = match (t, clock) {
                    (Some((pts, _)), Some(c)) if (pts - c).abs() > frame / 2 => pts.max(c),
                    (_, Some(c)) => c,
                    (Some((pts, _)), None) => pts,
                    (None, None) => 0,
                };
                (s.pts, s.dts, s.key) = (next, next, true);
                s.duration = u32::try_from(frame).unwrap_or(0);
                clock = Some(next + frame);
            }
            return Ok(());
        }
        if all {
            for (s, t) in track.samples.iter_mut().zip(&timed) {
                (s.pts, s.dts) = t.unwrap_or_default();
            }
        } else if self.form == Form::Mpeg12 && frame > 0 {
            self.reorder(track, &timed, frame);
        } else {
            return Err(no_times());
        }
        let times: Vec<i64> = track.samples.iter().map(|s| s.dts).collect();
        let last = times.len().checked_sub(2).and_then(|i| Some(times.get(i + 1)? - times.get(i)?));
        let next = times.iter().skip(1).copied().map(Some).chain([None]);
        for ((s, t), n) in track.samples.iter_mut().zip(&times).zip(next) {
            let d = n.map_or(last.unwrap_or(3000), |n| n - t);
            s.duration = u32::try_from(d).unwrap_or(0);
        }
        Ok(())
    }

    /// Times from the order of pictures where packets carry too few: B
    /// pictures are shown when decoded, others when the next of them is.
    fn reorder(&self, track: &mut Track, timed: &[Option<(i64, i64)>], frame: i64) {
        let kinds: Vec<u8> = self.units.iter().map(|u| u.kind).collect();
        let base = timed.iter().zip(0i64..).find_map(|(t, i)| Some(t.as_ref()?.1 - i * frame));
        let base = base.unwrap_or(0);
        let reordered = kinds.contains(&3);
        let mut shown = Vec::with_capacity(kinds.len());
        let mut next_reference = kinds.len() as i64;
        for (i, kind) in kinds.iter().enumerate().rev() {
            let i = i as i64;
            let at = if *kind == 3 || !reordered {
                i
            } else {
                let at = next_reference;
                next_reference = i;
                at
            };
            shown.push(base + at * frame);
        }
        shown.reverse();
        for ((s, pts), i) in track.samples.iter_mut().zip(shown).zip(0i64..) {
            s.dts = base + i * frame;
            s.pts = pts;
        }
        // The first time that a packet carries says where all of them are.
        let known = track.samples.iter().zip(timed).find_map(|(s, t)| Some(t.as_ref()?.0 - s.pts));
        for s in &mut track.samples {
            s.pts += known.unwrap_or(0);
        }
    }
}

/// What the head of a stream says.
struct Shape {
    codec: Codec,
    width: u16,
    height: u16,
    aspect: Option<(u32, u32)>,
    rate: u32,
    channels: u16,
    /// Ticks of one frame.
    frame: i64,
}

impl Stream {
    fn shape(&self) -> Option<Shape> {
        let b = &self.first;
        let mut s = Shape {
            codec: Codec::Mpeg12 { two: true },
            width: 0,
            height: 0,
            aspect: None,
            rate: 0,
            channels: 0,
            frame: 0,
        };
        let ticks = |samples: u32, rate: u32| i64::from(samples) * 90_000 / i64::from(rate.max(1));
        match self.form {
            Form::Mpeg12 => {
                let at = b.windows(4).position(|w| w == [0, 0, 1, 0xB3])?;
                let head = b.get(at..)?;
                let (w, h, two) = mpeg::mpeg12_size(head)?;
                (s.width, s.height) = (w, h);
                s.codec = Codec::Mpeg12 { two };
                let shape = head.get(7)? >> 4;
                if two && matches!(shape, 2..=4) {
                    let (x, y) = [(4, 3), (16, 9), (221, 100)][usize::from(shape) - 2];
                    s.aspect = reduced(x * u64::from(h), y * u64::from(w));
                }
                let code = usize::from(head.get(7)? & 15);
                s.frame =
                    *[0, 3754, 3750, 3600, 3003, 3000, 1800, 1502, 1500].get(code).unwrap_or(&0);
            }
            Form::Mpeg4 => return None,
            Form::H264 | Form::Hevc => {
                let mut sets = Sets::new(self.form == Form::Hevc, Framing::StartCodes);
                let units = super::codec::nal::units(b, Framing::StartCodes)?;
                for unit in units {
                    let kind = if sets.hevc { unit.first()? >> 1 & 0x3F } else { unit[0] & 0x1F };
                    let first = if sets.hevc { 33 } else { 7 };
                    if kind != first {
                        continue;
                    }
                    sets.learn(unit).ok()?;
                    let rebuilt = sets.list.iter().find(|e| e.0.0 == first)?;
                    let (w, h, aspect) = if sets.hevc {
                        let f = super::codec::hevc::sps(&rebuilt.1)?;
                        (f.width, f.height, f.aspect)
                    } else {
                        let f = super::codec::h264::sps(&rebuilt.1)?;
                        (f.width, f.height, f.aspect)
                    };
                    s.width = u16::try_from(w).ok()?;
                    s.height = u16::try_from(h).ok()?;
                    s.aspect = aspect.and_then(|(x, y)| reduced(x.into(), y.into()));
                    break;
                }
                if s.width == 0 {
                    return None;
                }
                sets.list.clear();
                s.codec = Codec::Nal(sets);
            }
            Form::Adts => {
                let at = self.frame_head()?;
                let (record, ..) = aac::adts(b.get(at..)?)?;
                let config = aac::parse(&record)?;
                (s.rate, s.channels) = (config.rate, config.channels);
                s.frame = ticks(config.frame, config.rate);
                s.codec = Codec::Aac(config);
            }
            Form::Mpa => {
                let h = mpa(b.get(self.frame_head()?..)?)?;
                (s.rate, s.channels) = (h.rate, h.channels);
                s.frame = ticks(h.samples, h.rate);
                s.codec = Codec::Mpa(h.layer);
            }
            Form::Ac3 | Form::Eac3 => {
                let head = b.get(self.frame_head()?..)?;
                if self.form == Form::Ac3 {
                    let (record, rate, channels) = sound::ac3_head(head)?;
                    (s.rate, s.channels) = (rate, channels);
                    s.codec = Codec::Ac3(Some(record));
                } else {
                    (s.rate, s.channels) = (48_000, 2);
                    s.codec = Codec::Eac3(None);
                }
                s.frame = ticks(1536, s.rate);
            }
        }
        Some(s)
    }

    /// Position of the first frame in the kept beginning.
    fn frame_head(&self) -> Option<usize> {
        usize::try_from(self.units.iter().find(|u| u.kind != 9)?.at).ok()
    }
}
