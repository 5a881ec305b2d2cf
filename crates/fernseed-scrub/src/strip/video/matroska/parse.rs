//! From EBML elements to tracks and samples.

use super::super::codec::Codec;
use super::super::fail;
use super::super::movie::{Colour, MAX_CROP, MAX_TRACKS, Movie, Sample, Tick, Track, reduced};
use super::{block, codecs};
use crate::ebml::{self, Element};
use crate::source::Source;
use crate::strip::StripError;

/// Deepest nesting that is followed.
const MAX_DEPTH: u32 = 6;

/// A track entry while it is read.
#[derive(Default)]
struct Entry {
    number: u64,
    kind: u64,
    disabled: bool,
    id: String,
    private: Vec<u8>,
    rate: f64,
    channels: u64,
    bits: u64,
    width: u64,
    height: u64,
    display: (u64, u64, u64),
    crop: u64,
    colour: [Option<u64>; 4],
    light: (u64, u64),
    frame_time: u64,
    delay: u64,
    preroll: u64,
    prefix: Vec<u8>,
    compressed: Option<u64>,
    encrypted: bool,
    has_alpha: bool,
}

struct Reader<'s, 'f> {
    source: &'s mut Source<'f>,
    movie: Movie,
    scale: u64,
    entries: Vec<Entry>,
    /// Matroska number and index in `movie.tracks` of each track.
    numbers: Vec<(u64, usize)>,
    built: bool,
    cluster: i64,
    ordered: bool,
}

/// Reads a file.
pub(in super::super) fn read(source: &mut Source<'_>) -> Result<Movie, StripError> {
    let len = source.len();
    let mut r = Reader {
        source,
        movie: Movie::default(),
        scale: 1_000_000,
        entries: Vec::new(),
        numbers: Vec::new(),
        built: false,
        cluster: 0,
        ordered: false,
    };
    let mut at = 0;
    while let Some(e) = ebml::clipped(r.source, at, len) {
        at = e.end.max(e.body);
        if e.id == 0x1853_8067 {
            r.segment(e)?;
            break;
        }
        if e.end == e.start {
            break;
        }
    }
    if r.ordered {
        return Err(StripError::NeedsReencoding(
            "Its chapters decide what is played; what they leave out can only be taken out by \
             coding it again."
                .into(),
        ));
    }
    let mut movie = r.movie;
    let delays: Vec<(u64, u64)> = r.entries.iter().map(|e| (e.number, e.delay)).collect();
    for (number, index) in r.numbers {
        let Some(track) = movie.tracks.get_mut(index) else { continue };
        track.codec_delay = delays.iter().find(|d| d.0 == number).map_or(0, |d| d.1);
        order(track);
    }
    movie.tracks.retain(|t| !t.samples.is_empty());
    movie.tracks.sort_by_key(|t| !t.is_video());
    Ok(movie)
}

/// Durations from the times themselves, and decoding times: blocks lie in
/// decoding order and carry presentation times.
fn order(track: &mut Track) {
    let mut times: Vec<i64> = track.samples.iter().map(|s| s.pts).collect();
    times.sort_unstable();
    for (s, t) in track.samples.iter_mut().zip(&times) {
        s.dts = *t;
    }
}

impl Reader<'_, '_> {
    fn segment(&mut self, segment: Element) -> Result<(), StripError> {
        let mut at = segment.body;
        while at < segment.end {
            let Some(e) = ebml::clipped(self.source, at, segment.end) else { break };
            at = e.end;
            match e.id {
                0x1549_A966 => self.info(e)?,
                0x1654_AE6B => self.tracks(e)?,
                0x1F43_B675 => {
                    if !self.built {
                        self.build()?;
                    }
                    at = self.cluster(e)?;
                }
                0x1043_A770 => {
                    self.movie.note("Chapters were left out.");
                    self.chapters(e, 0)?;
                }
                0x1941_A469 => self.movie.note("Attached files were left out."),
                _ => {}
            }
        }
        Ok(())
    }

    fn number(&mut self, e: Element) -> Result<u64, StripError> {
        if e.end - e.body > 8 {
            return Ok(0);
        }
        let b = self.source.bytes(e.body, e.end - e.body).map_err(|s| fail(s, "an element"))?;
        Ok(ebml::uint(&b).unwrap_or(0))
    }

    fn float(&mut self, e: Element) -> Result<f64, StripError> {
        let bits = self.number(e)?;
        Ok(match e.end - e.body {
            4 => f32::from_bits(bits as u32).into(),
            8 => f64::from_bits(bits),
            _ => 0.0,
        })
    }

    fn bytes(&mut self, e: Element, most: u64) -> Result<Vec<u8>, StripError> {
        if e.end - e.body > most {
            return Err(StripError::TooLarge("a track's configuration".into()));
        }
        self.source.bytes(e.body, e.end - e.body).map_err(|s| fail(s, "a track's configuration"))
    }

    fn info(&mut self, info: Element) -> Result<(), StripError> {
        let mut at = info.body;
        while let Some(e) = ebml::element(self.source, at, info.end) {
            at = e.end;
            if e.id == 0x002A_D7B1 {
                self.scale = self.number(e)?.clamp(1, 1_000_000_000);
            }
        }
        Ok(())
    }

    fn chapters(&mut self, parent: Element, depth: u32) -> Result<(), StripError> {
        let mut at = parent.body;
        while let Some(e) = ebml::element(self.source, at, parent.end) {
            at = e.end;
            match e.id {
                0x45DD => self.ordered |= self.number(e)? == 1,
                0x45B9 if depth < MAX_DEPTH => self.chapters(e, depth + 1)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn tracks(&mut self, tracks: Element) -> Result<(), StripError> {
        let mut at = tracks.body;
        while let Some(e) = ebml::element(self.source, at, tracks.end) {
            at = e.end;
            if e.id == 0xAE && self.entries.len() < 1024 {
                let mut entry = Entry { rate: 8000.0, channels: 1, ..Entry::default() };
                self.entry(e, &mut entry, 0)?;
                self.entries.push(entry);
            }
        }
        Ok(())
    }

    fn entry(&mut self, parent: Element, t: &mut Entry, depth: u32) -> Result<(), StripError> {
        let mut at = parent.body;
        while let Some(e) = ebml::element(self.source, at, parent.end) {
            at = e.end;
            match e.id {
                0xD7 => t.number = self.number(e)?,
                0x83 => t.kind = self.number(e)?,
                0xB9 => t.disabled = self.number(e)? == 0,
                0x86 => {
                    let id = self.bytes(e, 64)?;
                    t.id = String::from_utf8_lossy(&id).trim_end_matches('\0').to_owned();
                }
                0x63A2 => t.private = self.bytes(e, 1 << 20)?,
                0x0023_E383 => t.frame_time = self.number(e)?,
                0x56AA => t.delay = self.number(e)?.min(1_000_000_000),
                0x56BB => t.preroll = self.number(e)?.min(1_000_000_000),
                0xB5 => t.rate = self.float(e)?,
                0x9F => t.channels = self.number(e)?,
                0x6264 => t.bits = self.number(e)?,
                0xB0 => t.width = self.number(e)?,
                0xBA => t.height = self.number(e)?,
                0x54B0 => t.display.0 = self.number(e)?,
                0x54BA => t.display.1 = self.number(e)?,
                0x54B2 => t.display.2 = self.number(e)?,
                0x54AA | 0x54BB | 0x54CC | 0x54DD => t.crop = t.crop.max(self.number(e)?),
                0x53C0 => t.has_alpha = self.number(e)? == 1,
                0x55B1 => t.colour[2] = Some(self.number(e)?),
                0x55BA => t.colour[1] = Some(self.number(e)?),
                0x55BB => t.colour[0] = Some(self.number(e)?),
                0x55B9 => t.colour[3] = Some(self.number(e)?),
                0x55BC => t.light.0 = self.number(e)?,
                0x55BD => t.light.1 = self.number(e)?,
                0x5035 => t.encrypted = true,
                0x4254 => t.compressed = t.compressed.or(Some(0)),
                0x4255 => t.prefix = self.bytes(e, 1024)?,
                _ => {}
            }
            match e.id {
                // ContentCompAlgo inside ContentCompression.
                0xE0 | 0xE1 | 0x55B0 | 0x6D80 | 0x6240 | 0x5034 if depth < MAX_DEPTH => {
                    self.entry(e, t, depth + 1)?;
                    if e.id == 0x5034 && t.compressed.is_none() {
                        t.compressed = Some(0);
                    }
                }
                _ => {}
            }
            if e.id == 0x4254 {
                t.compressed = Some(self.number(e)?);
            }
        }
        Ok(())
    }

    /// Makes tracks of the entries.
    fn build(&mut self) -> Result<(), StripError> {
        self.built = true;
        let tick = Tick { num: self.scale, den: 1_000_000_000 };
        for t in &self.entries {
            match t.kind {
                1 | 2 if t.disabled => {
                    self.movie.note("A track that is switched off was left out.");
                    continue;
                }
                1 if self.movie.has_video() => {
                    self.movie.note("A second video track was left out.");
                    continue;
                }
                1 | 2 => {}
                17 => {
                    self.movie.note("Subtitles or chapter titles were left out.");
                    continue;
                }
                _ => {
                    self.movie.note("Tracks that are neither video nor sound were left out.");
                    continue;
                }
            }
            if self.movie.tracks.len() >= MAX_TRACKS {
                break;
            }
            if t.encrypted {
                return Err(StripError::Encrypted);
            }
            if t.compressed.is_some_and(|c| c != 3) {
                return Err(StripError::Unsupported("a compressed track".into()));
            }
            if t.crop > u64::from(MAX_CROP) {
                return Err(StripError::NeedsReencoding(
                    "Its pictures are cropped when shown; what was cut away is still in them \
                     and can only be taken out by coding them again."
                        .into(),
                ));
            }
            let mut audio = codecs::Audio {
                rate: t.rate.clamp(0.0, 1e7) as u32,
                channels: t.channels.min(64) as u16,
                bits: t.bits.min(64) as u16,
            };
            let codec = codecs::parse(&t.id, &t.private, &mut audio)?;
            if codec.is_video() != (t.kind == 1) {
                return Err(StripError::Damaged("a track's kind and codec disagree".into()));
            }
            let mut track = Track::new(codec, tick);
            track.prefix.clone_from(&t.prefix);
            track.rate = audio.rate;
            track.channels = audio.channels;
            track.preroll = t.preroll;
            track.frame_time = if t.kind == 1 { t.frame_time } else { 0 };
            look(t, &mut track);
            if t.has_alpha {
                self.movie.note("The transparency of the video was left out.");
            }
            self.numbers.push((t.number, self.movie.tracks.len()));
            self.movie.tracks.push(track);
        }
        Ok(())
    }

    /// Reads a cluster; where the next element begins.
    fn cluster(&mut self, cluster: Element) -> Result<u64, StripError> {
        let mut at = cluster.body;
        while at < cluster.end {
            let Some(e) = ebml::clipped(self.source, at, cluster.end) else { break };
            // A cluster of unknown length ends where another element of its
            // own level begins.
            if cluster.open
                && matches!(
                    e.id,
                    0x1F43_B675
                        | 0x1C53_BB6B
                        | 0x1549_A966
                        | 0x1654_AE6B
                        | 0x1254_C367
                        | 0x1941_A469
                        | 0x1043_A770
                        | 0x114D_9B74
                )
            {
                return Ok(at);
            }
            at = e.end;
            match e.id {
                0xE7 => self.cluster = i64::try_from(self.number(e)?).unwrap_or(i64::MAX / 4),
                0xA3 => self.block(e, None)?,
                0xA0 => self.group(e)?,
                _ => {}
            }
        }
        Ok(at)
    }

    fn group(&mut self, group: Element) -> Result<(), StripError> {
        let mut at = group.body;
        let (mut block, mut extra) = (None, Group { key: true, ..Group::default() });
        while let Some(e) = ebml::element(self.source, at, group.end) {
            at = e.end;
            match e.id {
                0xA1 => block = Some(e),
                0x9B => extra.duration = u32::try_from(self.number(e)?).unwrap_or(0),
                0xFB => extra.key = false,
                0x75A2 => {
                    let len = e.end - e.body;
                    let value = self.number(e)?;
                    let negative = (1..=8).contains(&len) && value >> (8 * len - 1) & 1 == 1;
                    extra.discard = if negative { 0 } else { u32::try_from(value).unwrap_or(0) };
                }
                0x75A1 => self.movie.note("Additions to coded pictures were left out."),
                _ => {}
            }
        }
        match block {
            Some(e) => self.block(e, Some(extra)),
            None => Ok(()),
        }
    }

    fn block(&mut self, e: Element, group: Option<Group>) -> Result<(), StripError> {
        let len = e.end - e.body;
        let head = self.source.upto(e.body, e.end, 64 << 10).map_err(|s| fail(s, "a frame"))?;
        let broken = || StripError::Damaged("a block cannot be read".into());
        let b = block::parse(head.get(..head.len().min(2048)).unwrap_or_default(), len)
            .or_else(|| block::parse(&head, len))
            .ok_or_else(broken)?;
        let Some(&(_, index)) = self.numbers.iter().find(|n| n.0 == b.track) else {
            return Ok(());
        };
        let Some(track) = self.movie.tracks.get_mut(index) else { return Ok(()) };
        let count = b.frames.len() as i64;
        let each = group
            .filter(|g| g.duration > 0)
            .map(|g| i64::from(g.duration) / count)
            .unwrap_or_else(|| frame_ticks(track, self.entries.get(index)));
        let first = self.cluster.saturating_add(b.time.into());
        for (i, (offset, len)) in (0i64..).zip(b.frames) {
            let pts = first.saturating_add(each.saturating_mul(i));
            track.push(Sample {
                at: e.body + offset,
                len,
                pts,
                dts: pts,
                duration: u32::try_from(each).unwrap_or(0),
                key: group.map_or(b.flags & 0x80 != 0, |g| g.key),
                invisible: b.flags & 8 != 0,
                discard: if i + 1 == count { group.map_or(0, |g| g.discard) } else { 0 },
                ..Sample::default()
            })?;
        }
        Ok(())
    }
}

/// What stands beside a block in its group.
#[derive(Clone, Copy, Default)]
struct Group {
    key: bool,
    duration: u32,
    discard: u32,
}

/// Ticks of one frame, for those laced behind the first.
fn frame_ticks(track: &Track, entry: Option<&Entry>) -> i64 {
    let nanos = match (&track.codec, entry) {
        (_, Some(e)) if e.frame_time > 0 => e.frame_time,
        (Codec::Aac(c), _) if c.rate > 0 => u64::from(c.frame) * 1_000_000_000 / u64::from(c.rate),
        (Codec::Mpa(_), _) if track.rate > 0 => {
            let frame = if track.rate >= 32_000 { 1152 } else { 576 };
            frame * 1_000_000_000 / u64::from(track.rate)
        }
        (Codec::Ac3(_), _) if track.rate > 0 => 1536 * 1_000_000_000 / u64::from(track.rate),
        (Codec::Opus(_), _) => 20_000_000,
        _ => 0,
    };
    i64::try_from(nanos / track.tick.num.max(1)).unwrap_or(0)
}

fn look(t: &Entry, track: &mut Track) {
    track.look.width = t.width.min(65_535) as u16;
    track.look.height = t.height.min(65_535) as u16;
    let (w, h, unit) = t.display;
    if w > 0 && h > 0 && unit != 4 {
        track.look.aspect = reduced(w.saturating_mul(t.height), h.saturating_mul(t.width));
    }
    if let [Some(p), Some(c), Some(m), full] = t.colour {
        let code = |v: u64| u16::try_from(v).unwrap_or(2);
        track.look.colour = Some(Colour {
            primaries: code(p),
            transfer: code(c),
            matrix: code(m),
            full: full == Some(2),
        });
    }
    if t.light != (0, 0) {
        track.look.light = u16::try_from(t.light.0).ok().zip(u16::try_from(t.light.1).ok());
    }
}
