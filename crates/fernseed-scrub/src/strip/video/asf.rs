//! ASF: WMV and WMA (Advanced Systems Format Specification 01.20).

use super::codec::sound;
use super::fail;
use super::matroska::{wave_codec, windows};
use super::movie::{Movie, Sample, Tick, Track};
use crate::bytes::{le16, le32, part};
use crate::source::Source;
use crate::strip::StripError;

/// Largest header that is read.
const MAX_HEADER: u64 = 16 << 20;

const FILE: [u8; 4] = [0xA1, 0xDC, 0xAB, 0x8C];
const STREAM: [u8; 4] = [0x91, 0x07, 0xDC, 0xB7];
const EXTENSION: [u8; 4] = [0xB5, 0x03, 0xBF, 0x5F];
const EXTENDED_STREAM: [u8; 4] = [0xCB, 0xA5, 0xE6, 0x14];
const ENCRYPTION: [[u8; 4]; 3] =
    [[0xFB, 0xB3, 0x11, 0x22], [0x14, 0xE6, 0x8A, 0x29], [0x35, 0x26, 0x96, 0x4E]];
const VIDEO: [u8; 4] = [0xC0, 0xEF, 0x19, 0xBC];
const SOUND: [u8; 4] = [0x40, 0x9E, 0x69, 0xF8];

/// A media object that is being put together.
struct Open {
    number: u32,
    sample: Sample,
    size: u32,
}

struct Reader {
    movie: Movie,
    /// Stream number and index of its track.
    streams: Vec<(u8, usize)>,
    open: Vec<Option<Open>>,
    packet: u32,
    preroll: u64,
}

/// Reads a file.
pub(super) fn read(source: &mut Source<'_>) -> Result<Movie, StripError> {
    let len = source.len();
    let head = source.array::<30>(0).map_err(|e| fail(e, "the header"))?;
    let size = long(&head, 16).unwrap_or(0);
    if !(30..=MAX_HEADER).contains(&size) {
        return Err(StripError::Damaged("its header has no plausible length".into()));
    }
    let header = source.bytes(30, size - 30).map_err(|e| fail(e, "the header"))?;
    let mut r = Reader {
        movie: Movie::default(),
        streams: Vec::new(),
        open: Vec::new(),
        packet: 0,
        preroll: 0,
    };
    r.objects(&header, 0)?;
    // The data object: its own header is 50 bytes.
    let data = source.array::<50>(size).map_err(|e| fail(e, "the data"))?;
    let mut end = size.saturating_add(long(&data, 16).unwrap_or(0)).min(len);
    if end <= size + 50 {
        end = len;
    }
    let packet = u64::from(r.packet);
    if !(8..=16 << 20).contains(&packet) {
        return Err(StripError::Damaged("its packets have no plausible length".into()));
    }
    let mut at = size + 50;
    while at + packet <= end {
        let bytes = source.bytes(at, packet).map_err(|e| fail(e, "a packet"))?;
        r.packet(&bytes, at)?;
        at += packet;
    }
    r.finish()
}

fn long(b: &[u8], at: usize) -> Option<u64> {
    Some(u64::from(le32(b, at)?) | u64::from(le32(b, at + 4)?) << 32)
}

/// A field of the length that two bits say.
fn field(b: &[u8], at: &mut usize, kind: u8) -> Option<u32> {
    let (value, n) = match kind & 3 {
        0 => (0, 0),
        1 => ((*b.get(*at)?).into(), 1),
        2 => (le16(b, *at)?.into(), 2),
        _ => (le32(b, *at)?, 4),
    };
    *at += n;
    Some(value)
}

impl Reader {
    fn objects(&mut self, mut b: &[u8], depth: u32) -> Result<(), StripError> {
        while let (Some(id), Some(size)) = (part(b, 0, 4), long(b, 16)) {
            let Some(body) = usize::try_from(size).ok().and_then(|s| b.get(24..s)) else { break };
            let id: [u8; 4] = id.try_into().unwrap_or_default();
            match id {
                FILE => {
                    self.preroll = long(body, 56).unwrap_or(0);
                    self.packet = le32(body, 68).unwrap_or(0);
                }
                STREAM => self.stream(body)?,
                EXTENSION if depth == 0 => {
                    self.objects(body.get(22..).unwrap_or_default(), 1)?;
                }
                EXTENDED_STREAM => self.extended(body)?,
                id if ENCRYPTION.contains(&id) => return Err(StripError::Encrypted),
                _ => {}
            }
            b = b.get(24 + body.len()..).unwrap_or_default();
        }
        Ok(())
    }

    /// A stream's properties may stand inside its extended ones.
    fn extended(&mut self, b: &[u8]) -> Result<(), StripError> {
        let (names, systems) = (le16(b, 60).unwrap_or(0), le16(b, 62).unwrap_or(0));
        let mut at = 64usize;
        for _ in 0..names {
            let Some(len) = le16(b, at + 2) else { return Ok(()) };
            at += 4 + usize::from(len);
        }
        for _ in 0..systems {
            let Some(len) = le32(b, at + 18) else { return Ok(()) };
            at = at.saturating_add(22).saturating_add(len as usize);
        }
        let rest = b.get(at..).unwrap_or_default();
        if part(rest, 0, 4) == Some(&STREAM) {
            self.stream(rest.get(24..).unwrap_or_default())?;
        }
        Ok(())
    }

    fn stream(&mut self, b: &[u8]) -> Result<(), StripError> {
        let broken = || StripError::Damaged("a stream header cannot be read".into());
        let kind: [u8; 4] = part(b, 0, 4).and_then(|k| k.try_into().ok()).ok_or_else(broken)?;
        let flags = le16(b, 48).ok_or_else(broken)?;
        let number = (flags & 0x7F) as u8;
        if flags & 0x8000 != 0 {
            return Err(StripError::Encrypted);
        }
        let data = b.get(54..).ok_or_else(broken)?;
        let tick = Tick { num: 1, den: 1000 };
        if self.streams.iter().any(|s| s.0 == number) || self.streams.len() >= 32 {
            return Ok(());
        }
        let track = match kind {
            VIDEO if self.movie.has_video() => {
                self.movie.note("A second video track was left out.");
                return Ok(());
            }
            VIDEO => {
                let format = data.get(11..).ok_or_else(broken)?;
                let codec = windows(format).ok_or_else(|| {
                    StripError::Unsupported("the video codec of this file".into())
                })?;
                let mut track = Track::new(codec, tick);
                track.look.width = le32(data, 0).unwrap_or(0).min(65_535) as u16;
                track.look.height = le32(data, 4).unwrap_or(0).min(65_535) as u16;
                track
            }
            SOUND => {
                let w = sound::wave(data).ok_or_else(broken)?;
                // Error correction of type "audio spread" with a span above
                // one shuffles the bytes.
                let spread = le32(b, 40).unwrap_or(0) as usize;
                if data.get(spread).is_some_and(|&span| span > 1) {
                    return Err(StripError::Unsupported("sound spread over packets".into()));
                }
                let mut track = Track::new(wave_codec(&w)?, tick);
                (track.rate, track.channels) = (w.rate, w.channels);
                track
            }
            _ => {
                self.movie.note("Tracks that are neither video nor sound were left out.");
                return Ok(());
            }
        };
        self.streams.push((number, self.movie.tracks.len()));
        self.movie.tracks.push(track);
        self.open.push(None);
        Ok(())
    }

    fn packet(&mut self, b: &[u8], base: u64) -> Result<(), StripError> {
        self.payloads(b, base)
            .unwrap_or_else(|| Err(StripError::Damaged("a packet cannot be read".into())))
    }

    fn payloads(&mut self, b: &[u8], base: u64) -> Option<Result<(), StripError>> {
        let mut at = 0usize;
        let first = *b.first()?;
        if first & 0x80 != 0 {
            at = 1 + usize::from(first & 0x0F);
        }
        let lengths = *b.get(at)?;
        let kinds = *b.get(at + 1)?;
        at += 2;
        let total = field(b, &mut at, lengths >> 5)?;
        field(b, &mut at, lengths >> 1)?;
        let padding = field(b, &mut at, lengths >> 3)? as usize;
        at += 6;
        let total = if total == 0 { b.len() } else { (total as usize).min(b.len()) };
        let end = total.checked_sub(padding)?;
        let multiple = lengths & 1 == 1;
        let (count, length_kind) = if multiple {
            let n = *b.get(at)?;
            at += 1;
            (n & 0x3F, n >> 6)
        } else {
            (1, 0)
        };
        for _ in 0..count {
            let stream = *b.get(at)?;
            at += 1;
            let object = field(b, &mut at, kinds >> 4)?;
            let offset = field(b, &mut at, kinds >> 2)?;
            let replicated = field(b, &mut at, kinds)? as usize;
            let head = part(b, at, replicated)?;
            at += replicated;
            let len = if multiple {
                field(b, &mut at, length_kind)? as usize
            } else {
                end.checked_sub(at)?
            };
            part(b, at, len)?;
            let place = base + at as u64;
            at += len;
            if replicated == 1 {
                return Some(Err(StripError::Unsupported("compressed payloads".into())));
            }
            let Some(&(_, index)) = self.streams.iter().find(|s| s.0 == stream & 0x7F) else {
                continue;
            };
            let (size, time) = (le32(head, 0).unwrap_or(len as u32), le32(head, 4).unwrap_or(0));
            let piece = (place, len as u32);
            if let Err(e) =
                self.piece(index, (object, offset, size, time), stream & 0x80 != 0, piece)
            {
                return Some(Err(e));
            }
        }
        Some(Ok(()))
    }

    fn piece(
        &mut self,
        index: usize,
        (object, offset, size, time): (u32, u32, u32, u32),
        key: bool,
        piece: (u64, u32),
    ) -> Result<(), StripError> {
        let preroll = self.preroll;
        let (Some(track), Some(open)) =
            (self.movie.tracks.get_mut(index), self.open.get_mut(index))
        else {
            return Ok(());
        };
        if offset == 0 {
            // An object that was never finished is dropped with its pieces.
            let pts = i64::from(time) - i64::try_from(preroll).unwrap_or(0);
            let first_piece = track.pieces.len() as u32;
            let sample = Sample { pts, dts: pts, key, first_piece, ..Sample::default() };
            *open = Some(Open { number: object, sample, size });
        }
        let Some(o) = open.as_mut().filter(|o| o.number == object && o.sample.len == offset) else {
            return Err(StripError::Damaged("a frame's parts are out of order".into()));
        };
        track.pieces.push(piece);
        o.sample.pieces += 1;
        o.sample.len = o.sample.len.saturating_add(piece.1);
        if o.sample.len >= o.size {
            let sample = o.sample;
            *open = None;
            track.push(sample)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Movie, StripError> {
        for track in &mut self.movie.tracks {
            let mut times: Vec<i64> = track.samples.iter().map(|s| s.pts).collect();
            times.sort_unstable();
            for (s, t) in track.samples.iter_mut().zip(&times) {
                s.dts = *t;
            }
        }
        self.movie.tracks.retain(|t| !t.samples.is_empty());
        self.movie.tracks.sort_by_key(|t| !t.is_video());
        Ok(self.movie)
    }
}
