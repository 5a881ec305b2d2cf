//! The canonical MP4: `ftyp`, `moov`, `mdat`; chunks of half a second.

use super::super::codec::Codec;
use super::super::movie::{Movie, Tick, Track};
use super::super::out::Out;
use super::write_entry::{self, boxed, full, words};
use crate::source::Source;
use crate::strip::StripError;
use std::cmp::Ordering;

/// A run of samples of one track.
struct Chunk {
    track: usize,
    first: usize,
    count: usize,
    bytes: u64,
}

/// Writes `movie`; the file name extension that fits.
pub(in super::super) fn write(
    source: &mut Source<'_>,
    movie: &mut Movie,
    out: &mut Out<'_>,
) -> Result<&'static str, StripError> {
    let quicktime = movie
        .tracks
        .iter()
        .any(|t| matches!(t.codec, Codec::Pcm(_) | Codec::ProRes(_) | Codec::Mjpeg));
    let ftyp = if quicktime {
        boxed(b"ftyp", b"qt  \0\0\x02\0qt  ")
    } else {
        boxed(b"ftyp", b"isom\0\0\x02\0isomiso2mp41")
    };
    let chunks = interleave(&movie.tracks);
    let data: u64 = chunks.iter().map(|c| c.bytes).sum();
    let scale = movie_scale(&movie.tracks);
    let long_data = data > u64::from(u32::MAX) - 8;
    let head = ftyp.len() as u64 + if long_data { 16 } else { 8 };
    let short = moov(movie, &chunks, scale, false, 0)?.len() as u64;
    let wide = head + short + data > u64::from(u32::MAX);
    let length = if wide { moov(movie, &chunks, scale, true, 0)?.len() as u64 } else { short };
    let moov = moov(movie, &chunks, scale, wide, head + length)?;
    out.put(&ftyp)?;
    out.put(&moov)?;
    if long_data {
        out.put(b"\0\0\0\x01mdat")?;
        out.put(&(data + 16).to_be_bytes())?;
    } else {
        out.put(&(data as u32 + 8).to_be_bytes())?;
        out.put(b"mdat")?;
    }
    let (mut raw, mut clean) = (Vec::new(), Vec::new());
    for chunk in &chunks {
        let Some(track) = movie.tracks.get_mut(chunk.track) else { continue };
        for i in chunk.first..chunk.first + chunk.count {
            let Some(sample) = track.samples.get(i).copied() else { continue };
            track.load(source, &sample, &mut raw)?;
            track.codec.clean(&raw, &mut clean)?;
            if clean.len() != sample.out as usize {
                return Err(StripError::Damaged("it changed while it was read".into()));
            }
            out.put(&clean)?;
        }
    }
    Ok(match (quicktime, movie.has_video()) {
        (true, _) => "mov",
        (false, true) => "mp4",
        (false, false) => "m4a",
    })
}

/// Ticks per second that express every track's times exactly, if there is
/// such a number of reasonable size.
fn movie_scale(tracks: &[Track]) -> u64 {
    let mut all = 1u64;
    for t in tracks {
        let (mut a, mut b) = (all, t.tick.den);
        while b > 0 {
            (a, b) = (b, a % b);
        }
        all = all / a.max(1) * t.tick.den;
        if all > 100_000_000 {
            return tracks.first().map_or(1000, |t| t.tick.den);
        }
    }
    all
}

fn interleave(tracks: &[Track]) -> Vec<Chunk> {
    let mut lists: Vec<Vec<Chunk>> = Vec::new();
    for (number, track) in tracks.iter().enumerate() {
        let mut list: Vec<Chunk> = Vec::new();
        let mut begun = 0i64;
        for (i, s) in track.samples.iter().enumerate() {
            let age = (s.dts - begun) as u128 * 2 * u128::from(track.tick.num);
            match list.last_mut() {
                Some(c) if age < u128::from(track.tick.den) => {
                    c.count += 1;
                    c.bytes += u64::from(s.out);
                }
                _ => {
                    begun = s.dts;
                    let bytes = s.out.into();
                    list.push(Chunk { track: number, first: i, count: 1, bytes });
                }
            }
        }
        lists.push(list);
    }
    let mut all: Vec<Chunk> = lists.into_iter().flatten().collect();
    all.sort_by(|a, b| order(tracks, a, b));
    all
}

/// By the moment of decoding, then by track.
fn order(tracks: &[Track], a: &Chunk, b: &Chunk) -> Ordering {
    let moment = |c: &Chunk| {
        let t = tracks.get(c.track)?;
        let s = t.samples.get(c.first)?;
        let from = t.window.map_or(0, |w| w.0);
        Some((i128::from(s.dts - from + t.delay) * i128::from(t.tick.num), t.tick.den))
    };
    match (moment(a), moment(b)) {
        (Some((x, d)), Some((y, e))) => {
            (x * i128::from(e)).cmp(&(y * i128::from(d))).then(a.track.cmp(&b.track))
        }
        _ => a.track.cmp(&b.track),
    }
}

/// A time field that is 64 bits long only where it has to be.
fn times(kind: &[u8; 4], flags: u32, before: &[u8], duration: u64, after: &[u8]) -> Vec<u8> {
    let wide = duration > u64::from(u32::MAX);
    let mut b = vec![0; if wide { 16 } else { 8 }];
    b.extend_from_slice(before);
    if wide {
        b.extend_from_slice(&duration.to_be_bytes());
    } else {
        b.extend_from_slice(&(duration as u32).to_be_bytes());
    }
    b.extend_from_slice(after);
    full(kind, u32::from(wide) << 24 | flags, &b)
}

const UNITY: [u32; 9] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000];

fn moov(
    movie: &Movie,
    chunks: &[Chunk],
    scale: u64,
    wide: bool,
    base: u64,
) -> Result<Vec<u8>, StripError> {
    let tick = Tick { num: 1, den: scale };
    let mut offsets: Vec<Vec<u64>> = vec![Vec::new(); movie.tracks.len()];
    let mut at = base;
    for c in chunks {
        if let Some(list) = offsets.get_mut(c.track) {
            list.push(at);
        }
        at += c.bytes;
    }
    let sounds = movie.tracks.iter().filter(|t| !t.is_video()).count();
    let mut longest = 0;
    let mut traks = Vec::new();
    for (number, (track, offsets)) in movie.tracks.iter().zip(&offsets).enumerate() {
        let (from, to) = track.window.unwrap_or((0, 0));
        let delay = track.tick.convert(track.delay, tick).max(0) as u64;
        let shown = track.tick.convert(to - from, tick).max(1) as u64;
        longest = longest.max(delay + shown);
        let id = (number as u32 + 1).to_be_bytes();
        let mut header = vec![0; 8];
        // Layer, group of alternatives, volume.
        header.extend_from_slice(&[0, 0, 0, u8::from(!track.is_video() && sounds > 1)]);
        header.extend_from_slice(if track.is_video() { &[0; 4] } else { &[1, 0, 0, 0] });
        header.extend(write_entry::placement(track));
        let mut trak = times(b"tkhd", 3, &[&id[..], &[0; 4]].concat(), delay + shown, &header);
        trak.extend(edits(track, delay, from, shown, to));
        trak.extend(media(track, chunks, number, offsets, wide)?);
        traks.extend(boxed(b"trak", &trak));
    }
    let mut header = words(&[0x1_0000]);
    header.extend_from_slice(&[1, 0]);
    header.extend_from_slice(&[0; 10]);
    header.extend(words(&UNITY));
    header.extend_from_slice(&[0; 24]);
    header.extend(words(&[movie.tracks.len() as u32 + 1]));
    let scale = u32::try_from(scale).unwrap_or(u32::MAX).to_be_bytes();
    let mvhd = times(b"mvhd", 0, &scale, longest, &header);
    Ok(boxed(b"moov", &[mvhd, traks].concat()))
}

/// The edit list, if there is anything to say.
fn edits(track: &Track, delay: u64, from: i64, shown: u64, to: i64) -> Vec<u8> {
    let latest = track.samples.iter().map(|s| s.pts + i64::from(s.duration)).max().unwrap_or(to);
    if delay == 0 && from == 0 && to == latest {
        return Vec::new();
    }
    let mut list = Vec::new();
    if delay > 0 {
        list.push((delay, -1));
    }
    list.push((shown, from));
    let small = |(d, s): &(u64, i64)| *d <= u64::from(u32::MAX) && i32::try_from(*s).is_ok();
    let wide = !list.iter().all(small);
    let mut b = words(&[list.len() as u32]);
    for (duration, start) in list {
        if wide {
            b.extend_from_slice(&duration.to_be_bytes());
            b.extend_from_slice(&start.to_be_bytes());
        } else {
            b.extend(words(&[duration as u32, start as i32 as u32]));
        }
        b.extend(words(&[0x1_0000]));
    }
    boxed(b"edts", &full(b"elst", u32::from(wide) << 24, &b))
}

fn media(
    track: &Track,
    chunks: &[Chunk],
    number: usize,
    offsets: &[u64],
    wide: bool,
) -> Result<Vec<u8>, StripError> {
    let pcm = match &track.codec {
        Codec::Pcm(p) => p.frame(track.channels),
        _ => 0,
    };
    if pcm > 0 && u64::from(track.rate) * track.tick.num != track.tick.den {
        return Err(StripError::NeedsReencoding(
            "The clock of its uncompressed sound is not the sampling rate of that sound.".into(),
        ));
    }
    let too_long = || StripError::TooLarge("the time between two samples".into());
    let mut durations: Vec<(u32, u32)> = Vec::new();
    let mut total = 0u64;
    let next = track.samples.iter().skip(1).map(|s| Some(s.dts)).chain([None]);
    for (s, next) in track.samples.iter().zip(next) {
        let d = match next {
            Some(n) => u32::try_from(n - s.dts).ok().ok_or_else(too_long)?,
            None => s.duration,
        };
        total += u64::from(d);
        run(&mut durations, d);
    }
    let mut shifts: Vec<(u32, u32)> = Vec::new();
    for s in &track.samples {
        // Readers take the field for signed, whatever its version says.
        let shift = u32::try_from(s.pts - s.dts).ok().filter(|&d| d <= i32::MAX as u32);
        run(&mut shifts, shift.ok_or_else(too_long)?);
    }
    if pcm > 0 {
        let frames = u32::try_from(total).ok().ok_or_else(too_long)?;
        durations = vec![(frames, 1)];
        shifts.clear();
    }
    if shifts.iter().all(|s| s.1 == 0) {
        shifts.clear();
    }
    let mut stbl = write_entry::stsd(track)?;
    stbl.extend(pairs(b"stts", &durations));
    if !shifts.is_empty() {
        stbl.extend(pairs(b"ctts", &shifts));
    }
    if !track.samples.iter().all(|s| s.key) {
        let keys: Vec<u32> =
            (1u32..).zip(&track.samples).filter(|(_, s)| s.key).map(|k| k.0).collect();
        stbl.extend(full(b"stss", 0, &[words(&[keys.len() as u32]), words(&keys)].concat()));
    }
    let mut per_chunk: Vec<[u32; 3]> = Vec::new();
    for (i, c) in (1u32..).zip(chunks.iter().filter(|c| c.track == number)) {
        let count = if pcm > 0 { (c.bytes / u64::from(pcm)) as u32 } else { c.count as u32 };
        if per_chunk.last().is_none_or(|last| last[1] != count) {
            per_chunk.push([i, count, 1]);
        }
    }
    let list = per_chunk.iter().flat_map(|c| words(c)).collect::<Vec<u8>>();
    stbl.extend(full(b"stsc", 0, &[words(&[per_chunk.len() as u32]), list].concat()));
    let first = track.samples.first().map_or(0, |s| s.out);
    let sizes = if pcm > 0 {
        words(&[pcm, total as u32])
    } else if track.samples.iter().all(|s| s.out == first) {
        words(&[first, track.samples.len() as u32])
    } else {
        let list: Vec<u32> = track.samples.iter().map(|s| s.out).collect();
        [words(&[0, list.len() as u32]), words(&list)].concat()
    };
    stbl.extend(full(b"stsz", 0, &sizes));
    let count = words(&[offsets.len() as u32]);
    if wide {
        let list: Vec<u8> = offsets.iter().flat_map(|o| o.to_be_bytes()).collect();
        stbl.extend(full(b"co64", 0, &[count, list].concat()));
    } else {
        let list: Vec<u32> = offsets.iter().map(|&o| o as u32).collect();
        stbl.extend(full(b"stco", 0, &[count, words(&list)].concat()));
    }
    let header =
        if track.is_video() { full(b"vmhd", 1, &[0; 8]) } else { full(b"smhd", 0, &[0; 4]) };
    let dref = full(b"dref", 0, &[words(&[1]), full(b"url ", 1, &[])].concat());
    let minf = [header, boxed(b"dinf", &dref), boxed(b"stbl", &stbl)].concat();
    let kind: &[u8] = if track.is_video() { b"vide" } else { b"soun" };
    let hdlr = full(b"hdlr", 0, &[&[0; 4], kind, &[0; 13]].concat());
    let scale = u32::try_from(track.tick.den).unwrap_or(u32::MAX).to_be_bytes();
    let mdhd = times(b"mdhd", 0, &scale, total, &[0x55, 0xC4, 0, 0]);
    Ok(boxed(b"mdia", &[mdhd, hdlr, boxed(b"minf", &minf)].concat()))
}

fn run(list: &mut Vec<(u32, u32)>, value: u32) {
    match list.last_mut() {
        Some(last) if last.1 == value => last.0 += 1,
        _ => list.push((1, value)),
    }
}

fn pairs(kind: &[u8; 4], list: &[(u32, u32)]) -> Vec<u8> {
    let mut b = words(&[list.len() as u32]);
    for (count, value) in list {
        b.extend(words(&[*count, *value]));
    }
    full(kind, 0, &b)
}
