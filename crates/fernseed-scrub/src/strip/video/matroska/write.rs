//! The canonical Matroska: one order, every size known, no lacing.

use super::super::codec::Codec;
use super::super::movie::{Movie, Sample, Tick, Track, reduced};
use super::super::out::Out;
use super::codecs;
use crate::source::Source;
use crate::strip::StripError;

/// A millisecond, the tick of the blocks unless the source had another.
const MILLI: u64 = 1_000_000;

/// A number in as few bytes as it takes.
fn uint(id: u32, value: u64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let skip = bytes.iter().take(7).take_while(|&&b| b == 0).count();
    element(id, bytes.get(skip..).unwrap_or_default())
}

fn float(id: u32, value: f64) -> Vec<u8> {
    element(id, &value.to_bits().to_be_bytes())
}

fn id_bytes(id: u32) -> Vec<u8> {
    id.to_be_bytes().into_iter().skip_while(|&b| b == 0).collect()
}

/// A length in as few bytes as it takes.
fn size_bytes(len: u64) -> Vec<u8> {
    let n = (1..8).find(|n| len < (1 << (7 * n)) - 1).unwrap_or(8);
    let marked = len | 1 << (7 * n);
    marked.to_be_bytes().into_iter().skip(8 - n).collect()
}

fn element(id: u32, body: &[u8]) -> Vec<u8> {
    [id_bytes(id), size_bytes(body.len() as u64), body.to_vec()].concat()
}

/// A block to be written: track, sample, time in ticks of the file.
#[derive(Clone, Copy)]
struct Entry {
    track: usize,
    sample: usize,
    time: i64,
    key: bool,
    bytes: u64,
    discard: u32,
}

/// A run of blocks: those from `first` on, and their bytes with headers.
struct Cluster {
    first: usize,
    count: usize,
    time: i64,
    bytes: u64,
    cue: bool,
}

impl Entry {
    /// Bytes of the frame with the header of its block.
    const fn body(&self) -> u64 {
        4 + self.bytes
    }

    /// What comes before the frame.
    fn head(&self, cluster: i64) -> Vec<u8> {
        let relative = (self.time - cluster) as i16;
        let mut block = vec![0x81 + self.track as u8];
        block.extend_from_slice(&relative.to_be_bytes());
        if self.discard == 0 {
            block.push(if self.key { 0x80 } else { 0 });
            return [id_bytes(0xA3), size_bytes(self.body()), block].concat();
        }
        block.push(0);
        let inner = [id_bytes(0xA1), size_bytes(self.body()), block].concat();
        let group = inner.len() as u64 + self.bytes + self.tail().len() as u64;
        [id_bytes(0xA0), size_bytes(group), inner].concat()
    }

    /// What comes after the frame.
    fn tail(&self) -> Vec<u8> {
        if self.discard == 0 {
            return Vec::new();
        }
        element(0x75A2, &self.discard.to_be_bytes())
    }
}

/// Writes `movie`; the file name extension that fits.
pub(in super::super) fn write(
    source: &mut Source<'_>,
    movie: &mut Movie,
    out: &mut Out<'_>,
) -> Result<&'static str, StripError> {
    let web = movie.tracks.iter().all(|t| {
        matches!(
            t.codec,
            Codec::Vp8 | Codec::Vp9(_) | Codec::Av1(_) | Codec::Opus(_) | Codec::Vorbis { .. }
        )
    });
    let scale = movie
        .tracks
        .iter()
        .map(|t| t.tick)
        .find(|t| t.den == 1_000_000_000 && t.num > 1)
        .map_or(MILLI, |t| t.num);
    let tick = Tick { num: scale, den: 1_000_000_000 };
    let (blocks, duration) = arrange(&movie.tracks, tick);
    let clusters = group(&blocks, &movie.tracks);
    let info = element(
        0x1549_A966,
        &[
            uint(0x002A_D7B1, scale),
            float(0x4489, duration as f64),
            element(0x4D80, b"fernseed"),
            element(0x5741, b"fernseed"),
        ]
        .concat(),
    );
    let mut entries = Vec::new();
    for (i, track) in movie.tracks.iter().enumerate() {
        entries.extend(entry(i as u64 + 1, track)?);
    }
    let head = [info, element(0x1654_AE6B, &entries)].concat();
    let cues_len = cues(&clusters, 0).len() as u64;
    let cues = cues(&clusters, head.len() as u64 + cues_len);
    let body: u64 = clusters.iter().map(Cluster::length).sum();
    let ebml = element(
        0x1A45_DFA3,
        &[
            uint(0x4286, 1),
            uint(0x42F7, 1),
            uint(0x42F2, 4),
            uint(0x42F3, 8),
            element(0x4282, if web { b"webm" } else { b"matroska" }),
            uint(0x4287, 4),
            uint(0x4285, 2),
        ]
        .concat(),
    );
    out.put(&ebml)?;
    out.put(&id_bytes(0x1853_8067))?;
    out.put(&size_bytes((head.len() + cues.len()) as u64 + body))?;
    out.put(&head)?;
    out.put(&cues)?;
    let (mut raw, mut clean) = (Vec::new(), Vec::new());
    for cluster in &clusters {
        out.put(&id_bytes(0x1F43_B675))?;
        let time = uint(0xE7, cluster.time as u64);
        out.put(&size_bytes(time.len() as u64 + cluster.bytes))?;
        out.put(&time)?;
        for b in blocks.get(cluster.first..cluster.first + cluster.count).unwrap_or_default() {
            let Some(track) = movie.tracks.get_mut(b.track) else { continue };
            let Some(sample) = track.samples.get(b.sample).copied() else { continue };
            track.load(source, &sample, &mut raw)?;
            track.codec.clean(&raw, &mut clean)?;
            if clean.len() as u64 != b.bytes {
                return Err(StripError::Damaged("it changed while it was read".into()));
            }
            out.put(&b.head(cluster.time))?;
            out.put(&clean)?;
            out.put(&b.tail())?;
        }
    }
    Ok(match (web, movie.has_video()) {
        (true, _) => "webm",
        (false, true) => "mkv",
        (false, false) => "mka",
    })
}

/// All blocks in the order of decoding, and the length of the file in ticks.
///
/// The order follows from what the file itself will say: the order of a
/// track's pictures and their presentation times. What a reader makes of the
/// output is then what was arranged here, and stripping it again changes
/// nothing.
fn arrange(tracks: &[Track], tick: Tick) -> (Vec<Entry>, i64) {
    let shown: Vec<Vec<i64>> = tracks.iter().map(|t| presented(t, tick)).collect();
    let start = shown.iter().flatten().copied().min().unwrap_or(0);
    let mut all: Vec<(i64, Entry)> = Vec::new();
    let mut duration = 0i64;
    for (number, (track, times)) in tracks.iter().zip(&shown).enumerate() {
        let mut sorted = times.clone();
        sorted.sort_unstable();
        // No picture is shown before it is decoded.
        let lead = times.iter().zip(&sorted).map(|(pts, dts)| pts - dts).min().unwrap_or(0);
        for (i, ((s, pts), dts)) in track.samples.iter().zip(times).zip(&sorted).enumerate() {
            let entry = Entry {
                track: number,
                sample: i,
                time: pts - start,
                key: s.key,
                bytes: s.out.into(),
                discard: s.discard,
            };
            all.push((dts + lead, entry));
        }
        // The last picture is shown as long as the one before.
        if let [.., before, last] = sorted.as_slice() {
            duration = duration.max(2 * last - before - start);
        }
    }
    all.sort_by_key(|(dts, e)| (*dts, e.track));
    (all.into_iter().map(|e| e.1).collect(), duration)
}

/// When each sample is shown, in ticks of the file.
fn presented(track: &Track, tick: Tick) -> Vec<i64> {
    let from = track.window.map_or(0, |w| w.0);
    let time = |s: &Sample| track.tick.convert(s.pts - from + track.delay, tick).max(0);
    track.samples.iter().map(time).collect()
}

impl Cluster {
    fn length(&self) -> u64 {
        let body = uint(0xE7, self.time as u64).len() as u64 + self.bytes;
        4 + size_bytes(body).len() as u64 + body
    }
}

/// Most bytes of a cluster.
const MAX_CLUSTER: u64 = 4 << 20;

/// Clusters begin at key pictures, or after five seconds of sound, and never
/// span more than a block's relative time can say.
fn group(blocks: &[Entry], tracks: &[Track]) -> Vec<Cluster> {
    let has_video = tracks.first().is_some_and(Track::is_video);
    let mut list: Vec<Cluster> = Vec::new();
    for (i, b) in blocks.iter().enumerate() {
        let cue = b.key && (b.track == 0 || !has_video);
        let fits = list.last().is_some_and(|c| {
            let age = b.time - c.time;
            let turn = if has_video { cue } else { age > 5_000 };
            (-30_000..=30_000).contains(&age) && !turn && c.bytes < MAX_CLUSTER
        });
        if !fits {
            list.push(Cluster { first: i, count: 0, time: b.time, bytes: 0, cue });
        }
        if let Some(c) = list.last_mut() {
            c.count += 1;
            c.bytes += b.head(c.time).len() as u64 + b.bytes + b.tail().len() as u64;
        }
    }
    list
}

/// `Cues`, for clusters that begin with a key picture. Positions are eight
/// bytes long so that they do not move each other.
fn cues(clusters: &[Cluster], before: u64) -> Vec<u8> {
    let mut at = before;
    let mut list = Vec::new();
    for c in clusters {
        if c.cue {
            let place = [uint(0xF7, 1), element(0xF1, &at.to_be_bytes())].concat();
            let point = [uint(0xB3, c.time as u64), element(0xB7, &place)].concat();
            list.extend(element(0xBB, &point));
        }
        at += c.length();
    }
    if list.is_empty() { Vec::new() } else { element(0x1C53_BB6B, &list) }
}

fn entry(number: u64, track: &Track) -> Result<Vec<u8>, StripError> {
    let look = &track.look;
    let (id, private) =
        codecs::record(&track.codec, look.width, look.height, track.rate, track.channels)
            .ok_or_else(|| StripError::Unsupported("this codec in Matroska".into()))?;
    let mut b = [
        uint(0xD7, number),
        uint(0x73C5, number),
        uint(0x83, if track.is_video() { 1 } else { 2 }),
        uint(0x9C, 0),
        element(0x0022_B59C, b"und"),
        element(0x86, id.as_bytes()),
    ]
    .concat();
    if !private.is_empty() {
        b.extend(element(0x63A2, &private));
    }
    if track.codec_delay > 0 {
        b.extend(uint(0x56AA, track.codec_delay));
    }
    if track.preroll > 0 {
        b.extend(uint(0x56BB, track.preroll));
    }
    if track.frame_time > 0 {
        b.extend(uint(0x0023_E383, track.frame_time));
    }
    if track.is_video() {
        let mut v = [uint(0xB0, look.width.into()), uint(0xBA, look.height.into())].concat();
        if let Some((num, den)) = look.aspect {
            // Shape of the picture, unit 3.
            let (w, h) =
                (u64::from(look.width) * u64::from(num), u64::from(look.height) * u64::from(den));
            let (w, h) = reduced(w, h).map_or((1, 1), |(w, h)| (w, h));
            v.extend(uint(0x54B0, w.into()));
            v.extend(uint(0x54BA, h.into()));
            v.extend(uint(0x54B2, 3));
        }
        if look.colour.is_some() || look.light.is_some() {
            let mut c = Vec::new();
            if let Some(colour) = look.colour {
                c.extend(uint(0x55B1, colour.matrix.into()));
                c.extend(uint(0x55B9, if colour.full { 2 } else { 1 }));
                c.extend(uint(0x55BA, colour.transfer.into()));
                c.extend(uint(0x55BB, colour.primaries.into()));
            }
            if let Some((cll, fall)) = look.light {
                c.extend(uint(0x55BC, cll.into()));
                c.extend(uint(0x55BD, fall.into()));
            }
            v.extend(element(0x55B0, &c));
        }
        b.extend(element(0xE0, &v));
    } else {
        let mut a = [float(0xB5, track.rate.into()), uint(0x9F, track.channels.into())].concat();
        if let Codec::Pcm(p) = &track.codec {
            a.extend(uint(0x6264, p.bits.into()));
        }
        b.extend(element(0xE1, &a));
    }
    Ok(element(0xAE, &b))
}
