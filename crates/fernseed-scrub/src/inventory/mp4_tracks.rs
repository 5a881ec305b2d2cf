//! Tracks of MP4 and QuickTime files: times, names, edit lists, the media
//! data they use, and what their first sample says.

use super::collect::Collector;
use super::isobmff::{Box4, Layout, common, join};
use super::text::{date_1904, decode, hex, size};
use super::{Category, Harm, mp4_codec, telemetry};
use crate::bytes::{be16, be32, be64, fourcc, part};
use crate::source::Source;

/// Largest sample table that is read.
const MAX_TABLE: u64 = 32 << 20;
/// Most samples of one track that are followed.
const MAX_SAMPLES: usize = 4 << 20;
/// Most telemetry samples that are looked at in search of a position.
const MAX_TELEMETRY: usize = 64;

/// Times and timescale of `mvhd`, `tkhd` or `mdhd`.
pub(super) fn times(
    body: &[u8],
    out: &mut Collector,
    path: &str,
    place: Option<(u64, u64)>,
) -> u32 {
    let wide = body.first() == Some(&1);
    let read = |i: usize| {
        if wide { be64(body, 4 + i * 8) } else { be32(body, 4 + i * 4).map(u64::from) }
    };
    for (i, name) in [(0, "CreateDate"), (1, "ModifyDate")] {
        if let Some(seconds) = read(i).filter(|&s| s > 0) {
            let sense = (Category::Time, Harm::Medium);
            out.add(sense, "date and time", &date_1904(seconds), &format!("{path}/{name}"), place);
        }
    }
    be32(body, if wide { 20 } else { 12 }).unwrap_or(0)
}

/// What the boxes of one track say.
#[derive(Default)]
struct Track {
    path: String,
    handler: [u8; 4],
    format: [u8; 4],
    timescale: u32,
    edits: Vec<(u64, i64)>,
    sizes: Vec<u32>,
    chunks: Vec<u64>,
    per_chunk: Vec<(u32, u32)>,
    durations: Vec<(u32, u32)>,
    offsets: Vec<(u32, i32)>,
    nal_length: u8,
    unsure: bool,
}

/// Lists a track.
pub(super) fn trak(
    source: &mut Source<'_>,
    out: &mut Collector,
    layout: &mut Layout,
    trak: Box4,
    movie_scale: u32,
    number: u32,
) {
    let mut track = Track { path: format!("moov/trak{number}"), ..Track::default() };
    walk(source, out, &mut track, trak, &format!("moov/trak{number}"), 0);
    let claimed = track.claim(&mut layout.used);
    layout.unsure |= track.unsure || !claimed;
    data_track(out, &track, trak);
    hidden(out, &track, movie_scale);
    samples(source, out, &track);
}

fn walk(
    source: &mut Source<'_>,
    out: &mut Collector,
    track: &mut Track,
    parent: Box4,
    path: &str,
    depth: u32,
) {
    for b in Box4::all(source, parent.body, parent.end) {
        let name = join(path, b.kind);
        match &b.kind {
            b"mdia" | b"minf" | b"stbl" | b"edts" if depth < 6 => {
                walk(source, out, track, b, &name, depth + 1);
            }
            b"tkhd" => {
                let body = b.bytes(source, 4096).unwrap_or_default();
                times(&body, out, &name, b.place());
            }
            b"mdhd" => {
                let body = b.bytes(source, 4096).unwrap_or_default();
                track.timescale = times(&body, out, &name, b.place());
                let at = if body.first() == Some(&1) { 32 } else { 20 };
                language(be16(&body, at).unwrap_or(0), out, &name, b.place());
            }
            b"hdlr" => handler(source, out, track, b, &name),
            b"elst" => edits(source, track, b),
            b"stsd" => {
                (track.format, track.nal_length) = mp4_codec::stsd(source, out, b, &name);
            }
            b"stsz" | b"stz2" | b"stco" | b"co64" | b"stsc" | b"stts" | b"ctts" => {
                table(source, track, b);
            }
            b"vmhd" | b"smhd" | b"nmhd" | b"hmhd" | b"sthd" | b"gmhd" | b"dinf" | b"stss"
            | b"stps" | b"sdtp" | b"sgpd" | b"sbgp" | b"cslg" | b"tref" | b"tapt" | b"load"
            | b"subs" | b"saiz" | b"saio" | b"senc" | b"padb" | b"elng" | b"stdp" | b"stsh"
            | b"matt" | b"clip" | b"imap" | b"txas" => {}
            _ => common(source, out, path, b),
        }
    }
}

fn language(code: u16, out: &mut Collector, path: &str, place: Option<(u64, u64)>) {
    if code < 0x400 || code == 0x7FFF {
        return;
    }
    let letters: String = [10u16, 5, 0]
        .iter()
        .filter_map(|&shift| char::from_u32(u32::from(code >> shift & 31) + 0x60))
        .collect();
    if letters != "und" {
        let path = format!("{path}/MediaLanguage");
        out.add((Category::People, Harm::Low), "language", &letters, &path, place);
    }
}

fn handler(source: &mut Source<'_>, out: &mut Collector, track: &mut Track, b: Box4, path: &str) {
    let body = b.bytes(source, 4096).unwrap_or_default();
    // The second handler of a QuickTime track only says how data is found.
    if part(&body, 4, 4) == Some(b"dhlr") {
        return;
    }
    // Converters copy it without saying that it is one.
    let of_data = path.contains("/minf/");
    if let (Some(kind), false) = (part(&body, 8, 4).and_then(|k| k.try_into().ok()), of_data) {
        track.handler = kind;
    }
    let name = body.get(24..).unwrap_or_default();
    let counted = name.first().map(|&n| usize::from(n)) == name.len().checked_sub(1);
    let name = decode(if counted { name.get(1..).unwrap_or_default() } else { name });
    if !name.trim().is_empty() {
        let sense = (Category::Software, Harm::Low);
        let path = format!("{path}/HandlerDescription");
        out.add(sense, "track name (names the program or device)", &name, &path, b.place());
    }
}

fn edits(source: &mut Source<'_>, track: &mut Track, b: Box4) {
    let body = b.bytes(source, 1 << 20).unwrap_or_default();
    let wide = body.first() == Some(&1);
    let entry = if wide { 20 } else { 12 };
    for e in body.get(8..).unwrap_or_default().chunks_exact(entry).take(1000) {
        let edit = if wide {
            (be64(e, 0).unwrap_or(0), be64(e, 8).unwrap_or(0) as i64)
        } else {
            (be32(e, 0).unwrap_or(0).into(), i64::from(be32(e, 4).unwrap_or(0) as i32))
        };
        track.edits.push(edit);
    }
}

fn table(source: &mut Source<'_>, track: &mut Track, b: Box4) {
    let Some(body) = b.bytes(source, MAX_TABLE) else {
        track.unsure = true;
        return;
    };
    let count = be32(&body, 4).unwrap_or(0) as usize;
    let rest = body.get(8..).unwrap_or_default();
    let pairs = || {
        rest.chunks_exact(8).take(count).map(|e| (be32(e, 0).unwrap_or(0), be32(e, 4).unwrap_or(0)))
    };
    match &b.kind {
        b"stts" => track.durations = pairs().collect(),
        b"ctts" => track.offsets = pairs().map(|(n, o)| (n, o as i32)).collect(),
        b"stco" => {
            track.chunks = rest
                .chunks_exact(4)
                .take(count)
                .filter_map(|e| be32(e, 0))
                .map(u64::from)
                .collect();
        }
        b"co64" => {
            track.chunks = rest.chunks_exact(8).take(count).filter_map(|e| be64(e, 0)).collect()
        }
        b"stsc" => {
            track.per_chunk = rest
                .chunks_exact(12)
                .take(count)
                .map(|e| (be32(e, 0).unwrap_or(0), be32(e, 4).unwrap_or(0)))
                .collect();
        }
        b"stsz" => {
            let uniform = be32(&body, 4).unwrap_or(0);
            let count = be32(&body, 8).unwrap_or(0) as usize;
            if uniform > 0 {
                track.sizes = vec![uniform; count.min(MAX_SAMPLES)];
            } else {
                let list = body.get(12..).unwrap_or_default().chunks_exact(4);
                track.sizes = list.take(count).filter_map(|e| be32(e, 0)).collect();
            }
            track.unsure |= track.sizes.len() < count;
        }
        _ => track.unsure = true,
    }
}

impl Track {
    /// `(offset, first sample, samples)` of each chunk.
    fn chunks(&self) -> impl Iterator<Item = (u64, usize, usize)> + '_ {
        let (mut run, mut next) = (0usize, 0usize);
        self.chunks.iter().enumerate().map(move |(i, &offset)| {
            while self.per_chunk.get(run + 1).is_some_and(|r| r.0 as usize <= i + 1) {
                run += 1;
            }
            let count = self.per_chunk.get(run).map_or(0, |r| r.1) as usize;
            let first = next.min(self.sizes.len());
            next = next.saturating_add(count);
            (offset, first, next.min(self.sizes.len()) - first)
        })
    }

    /// Notes the bytes that the samples use; false if they cannot be known.
    fn claim(&self, used: &mut Vec<(u64, u64)>) -> bool {
        for (offset, first, count) in self.chunks() {
            let sizes = self.sizes.get(first..first + count).unwrap_or_default();
            let bytes: u64 = sizes.iter().map(|&s| u64::from(s)).sum();
            // QuickTime counts sound in frames of one byte that stand for
            // more: then nothing can be said about what is unused.
            if used.len() >= MAX_SAMPLES {
                return false;
            }
            used.push((offset, offset.saturating_add(bytes)));
        }
        self.handler != *b"soun" || self.sizes.first() != Some(&1)
    }

    /// Place of each sample.
    fn samples(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.chunks().flat_map(|(offset, first, count)| {
            let mut at = offset;
            self.sizes.get(first..first + count).unwrap_or_default().iter().map(move |&size| {
                let start = at;
                at = at.saturating_add(u64::from(size));
                (start, at)
            })
        })
    }
}

/// Tracks that are neither picture nor sound.
fn data_track(out: &mut Collector, track: &Track, b: Box4) {
    let (sense, what) = match (&track.handler, &track.format) {
        (b"vide" | b"soun" | b"auxv" | [0, 0, 0, 0], _) => return,
        (_, b"gpmd") => ((Category::Place, Harm::High), "sensor track (GoPro: GPS, motion)"),
        (_, b"camm") => ((Category::Place, Harm::High), "sensor track (GPS, motion)"),
        (b"tmcd", _) | (_, b"tmcd") => ((Category::Time, Harm::Low), "time code track"),
        (_, b"mebx") => {
            ((Category::Hidden, Harm::High), "timed metadata track (place, faces, motion)")
        }
        (_, b"mett" | b"metx" | b"urim" | b"rtmd" | b"djmd" | b"dbgi" | b"fdsc" | b"CTMD") => {
            ((Category::Hidden, Harm::High), "sensor track (may hold GPS and serial numbers)")
        }
        (b"text" | b"sbtl" | b"subt" | b"clcp", _) => {
            ((Category::People, Harm::Medium), "text or subtitle track")
        }
        (b"hint", _) => ((Category::Hidden, Harm::Low), "streaming hints"),
        _ => ((Category::Hidden, Harm::High), "data track"),
    };
    let value = format!(
        "{} {}, {} samples",
        fourcc(track.handler),
        fourcc(track.format),
        track.sizes.len()
    );
    out.add(sense, what, &value, &track.path, b.place());
}

/// Samples before the first or after the last moment that is shown.
fn hidden(out: &mut Collector, track: &Track, movie_scale: u32) {
    if track.edits.is_empty() || !matches!(&track.handler, b"vide" | b"soun") {
        return;
    }
    let scale = |ticks: u64| -> i64 {
        let n = u128::from(ticks) * u128::from(track.timescale) / u128::from(movie_scale.max(1));
        i64::try_from(n).unwrap_or(i64::MAX)
    };
    let slack = scale(1).saturating_add(1);
    let windows: Vec<(i64, i64)> = track
        .edits
        .iter()
        .filter(|e| e.1 >= 0)
        .map(|&(duration, start)| {
            let length = if duration == 0 { i64::MAX } else { scale(duration) };
            (start, start.saturating_add(length).saturating_add(slack))
        })
        .take(64)
        .collect();
    let mut offsets = track.offsets.iter().flat_map(|&(n, o)| std::iter::repeat_n(o, n as usize));
    let (mut now, mut count, mut total) = (0i64, 0u64, 0usize);
    for &(run, duration) in &track.durations {
        for _ in 0..run {
            if total >= track.sizes.len() {
                break;
            }
            total += 1;
            let at = now.saturating_add(i64::from(offsets.next().unwrap_or(0)));
            let end = at.saturating_add(i64::from(duration));
            if !windows.iter().any(|&(a, b)| end > a && at < b) {
                count += 1;
            }
            now = now.saturating_add(i64::from(duration));
        }
    }
    let allowed = if &track.handler == b"soun" { 4 } else { 0 };
    if count > allowed {
        let what = "frames that no player shows but anyone can recover";
        let value = format!("{count} of {total} samples of a {} track", fourcc(track.handler));
        let path = format!("{}/edts/elst", track.path);
        out.add((Category::Hidden, Harm::High), what, &value, &path, None);
    }
}

/// What the first samples say.
fn samples(source: &mut Source<'_>, out: &mut Collector, track: &Track) {
    let read = |source: &mut Source<'_>, (start, end): (u64, u64)| {
        source.upto(start, end, 64 * 1024).unwrap_or_default()
    };
    let path = format!("{}/{}", track.path, fourcc(track.format));
    match (&track.handler, &track.format) {
        (b"vide", _) => {
            if let Some(first) = track.samples().next() {
                let sample = read(source, first);
                mp4_codec::first_sample(&sample, track.format, track.nal_length, out, &path, first);
            }
        }
        (_, b"gpmd") => {
            for (i, place) in track.samples().take(MAX_TELEMETRY).enumerate() {
                let sample = read(source, place);
                if telemetry::gpmf(&sample, out, &path, Some(place), i > 0) {
                    break;
                }
            }
        }
        (_, b"camm") => {
            for place in track.samples().take(MAX_TELEMETRY) {
                let sample = read(source, place);
                if telemetry::camm(&sample, out, &path, Some(place)) {
                    break;
                }
            }
        }
        (_, b"tmcd") => {
            if let Some(first) = track.samples().next() {
                let sample = read(source, first);
                let value = be32(&sample, 0).map_or_else(String::new, |n| format!("frame {n}"));
                let sense = (Category::Time, Harm::Low);
                out.add(sense, "time code", &value, &format!("{path}/StartTimecode"), Some(first));
            }
        }
        (b"text" | b"sbtl" | b"subt" | b"meta", _) => {
            if let Some(first) = track.samples().find(|s| s.1 > s.0 + 2) {
                let sample = read(source, first);
                let skip = if matches!(&track.format, b"text" | b"tx3g") { 2 } else { 0 };
                let text = decode(sample.get(skip..).unwrap_or_default());
                let plain = text.chars().filter(|c| !c.is_control()).count() * 10 >= text.len() * 9;
                let value = if plain {
                    text
                } else {
                    format!("{} {}", size(first.1 - first.0), hex(&sample))
                };
                let sense = (Category::People, Harm::Medium);
                out.add(sense, "first entry of the track", &value, &path, Some(first));
            }
        }
        _ => {}
    }
}
