//! Sample tables: which bytes of `mdat` each sample claims, and when each
//! sample is shown.

use super::super::claims::Claims;
use super::super::frames::{self, Coding};
use super::Track;
use crate::bytes::{be32, be64};
use crate::source::Source;

/// Most samples of one track: 74 hours at 60 frames a second.
const MAX_SAMPLES: usize = 16 << 20;

/// The tables of one `stbl`.
#[derive(Debug, Default)]
pub(super) struct Tables {
    /// Size of each sample in bytes.
    pub(super) sizes: Vec<u32>,
    /// Offset of each chunk.
    chunks: Vec<u64>,
    /// `(first chunk, samples per chunk)`, chunks counted from 1.
    per_chunk: Vec<(u32, u32)>,
    /// `(samples, duration)`.
    durations: Vec<(u32, u32)>,
    /// `(samples, offset)`.
    offsets: Vec<(u32, i32)>,
    /// Sync samples, counted from 1.
    sync: Vec<u32>,
}

impl Tables {
    /// Reads a table box whose content is `body..end`. `None` if the kind is
    /// not a sample table, an error if the box is not exactly as it must be.
    pub(super) fn read(
        &mut self,
        source: &mut Source<'_>,
        kind: [u8; 4],
        body: u64,
        end: u64,
    ) -> Option<Result<(), &'static str>> {
        let (entry, versions) = match &kind {
            b"stts" => (8, 0),
            b"ctts" => (8, 1),
            b"stss" | b"stco" => (4, 0),
            b"stsc" => (12, 0),
            b"stsz" => (4, 0),
            b"co64" => (8, 0),
            _ => return None,
        };
        Some(self.read_known(source, kind, body, end, entry, versions))
    }

    fn read_known(
        &mut self,
        source: &mut Source<'_>,
        kind: [u8; 4],
        body: u64,
        end: u64,
        entry: u64,
        versions: u8,
    ) -> Result<(), &'static str> {
        const EXACT: &str = "The table is not exactly as long as it says.";
        let sized = &kind == b"stsz";
        let head_len = if sized { 12 } else { 8 };
        let head = source.upto(body, end, head_len).ok().ok_or(EXACT)?;
        let version = *head.first().ok_or(EXACT)?;
        let uniform = if sized { be32(&head, 4).ok_or(EXACT)? } else { 0 };
        let count = be32(&head, if sized { 8 } else { 4 }).ok_or(EXACT)?;
        if head.len() as u64 != head_len || version > versions || head.get(1..4) != Some(&[0; 3]) {
            return Err(EXACT);
        }
        if count as usize > MAX_SAMPLES {
            return Err("The table has more entries than can be checked.");
        }
        let listed = if uniform == 0 { u64::from(count) } else { 0 };
        if end - body != head_len + listed * entry {
            return Err(EXACT);
        }
        if uniform != 0 {
            if u64::from(uniform) * u64::from(count) > source.len() {
                return Err("The table names more bytes than the file has.");
            }
            self.sizes = vec![uniform; count as usize];
            return Ok(());
        }
        let mut at = body + head_len;
        while at < end {
            // A whole number of entries of every size fits.
            let piece = source.upto(at, end, 48 * 1024).ok().ok_or("The table cannot be read.")?;
            at += piece.len() as u64;
            for e in piece.chunks_exact(entry as usize) {
                let first = be32(e, 0).unwrap_or(0);
                let second = be32(e, 4).unwrap_or(0);
                match &kind {
                    b"stts" => self.durations.push((first, second)),
                    b"ctts" => self.offsets.push((first, second as i32)),
                    b"stss" => self.sync.push(first),
                    b"stco" => self.chunks.push(first.into()),
                    b"co64" => self.chunks.push(be64(e, 0).unwrap_or(0)),
                    b"stsz" => self.sizes.push(first),
                    _ => {
                        if be32(e, 8) != Some(1) {
                            return Err("A sample description other than the first is used.");
                        }
                        self.per_chunk.push((first, second));
                    }
                }
            }
        }
        Ok(())
    }

    /// What is wrong between the tables.
    pub(super) fn check(&self) -> Option<&'static str> {
        let n = self.sizes.len() as u64;
        let sum = |runs: &mut dyn Iterator<Item = u32>| runs.map(u64::from).sum::<u64>();
        if sum(&mut self.durations.iter().map(|r| r.0)) != n {
            return Some("The table of durations is for another number of samples.");
        }
        if !self.offsets.is_empty() && sum(&mut self.offsets.iter().map(|r| r.0)) != n {
            return Some("The table of display offsets is for another number of samples.");
        }
        let ascending = self.sync.windows(2).all(|w| w[0] < w[1]);
        let inside =
            self.sync.first() != Some(&0) && self.sync.last().is_none_or(|&s| u64::from(s) <= n);
        if !ascending || !inside {
            return Some("The table of sync samples names samples that do not exist.");
        }
        let first = self.per_chunk.first().is_none_or(|r| r.0 == 1);
        let runs_ascend = self.per_chunk.windows(2).all(|w| w[0].0 < w[1].0);
        let last = self.per_chunk.last().is_none_or(|r| r.0 as usize <= self.chunks.len());
        if !first || !runs_ascend || !last || self.per_chunk.iter().any(|r| r.1 == 0) {
            return Some("The table of chunks is out of order.");
        }
        let in_chunks: u64 = self.chunk_counts().map(|(_, count)| u64::from(count)).sum();
        (in_chunks != n).then_some("The chunks hold another number of samples than there are.")
    }

    /// `(offset, samples)` of each chunk.
    fn chunk_counts(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        let mut run = 0usize;
        self.chunks.iter().enumerate().map(move |(i, &offset)| {
            while self.per_chunk.get(run + 1).is_some_and(|r| r.0 as usize <= i + 1) {
                run += 1;
            }
            (offset, self.per_chunk.get(run).map_or(0, |r| r.1))
        })
    }
}

/// One chunk: where it lies and which samples it holds.
struct Chunk {
    start: u64,
    end: u64,
    track: usize,
    first_sample: usize,
    samples: usize,
}

/// Claims the bytes of `mdat` for the samples and looks into video samples.
pub(super) fn claim(
    source: &mut Source<'_>,
    claims: &mut Claims,
    tracks: &[Track],
    mdat: &[(u64, u64)],
) {
    let mut chunks = Vec::new();
    for (number, track) in tracks.iter().enumerate() {
        let mut next = 0usize;
        for (start, count) in track.tables.chunk_counts() {
            let until = next.saturating_add(count as usize).min(track.tables.sizes.len());
            let sizes = track.tables.sizes.get(next..until).unwrap_or_default();
            let bytes: u64 = sizes.iter().map(|&s| u64::from(s)).sum();
            chunks.push(Chunk {
                start,
                end: start.saturating_add(bytes),
                track: number,
                first_sample: next,
                samples: sizes.len(),
            });
            next = until;
        }
    }
    chunks.sort_by_key(|c| (c.start, c.end));
    let mut outside = 0u64;
    let mut bad = BadUnits::default();
    let mut cursor = 0;
    for chunk in &chunks {
        let home = mdat.iter().any(|&(s, e)| chunk.start >= s && chunk.end <= e);
        if !home || chunk.start < cursor {
            outside += 1;
            if outside <= 20 {
                let message = if home {
                    "Two chunks of samples overlap."
                } else {
                    "A chunk of samples lies outside the media data."
                };
                claims.wrong("mdat", chunk.start, chunk.end, message);
            }
            continue;
        }
        cursor = chunk.end;
        claims.own("mdat (samples)", chunk.start, chunk.end);
        let Some(track) = tracks.get(chunk.track) else { continue };
        if track.coding != Coding::Opaque {
            let mut at = chunk.start;
            let range = chunk.first_sample..chunk.first_sample + chunk.samples;
            for (i, &size) in track.tables.sizes.get(range).unwrap_or_default().iter().enumerate() {
                let end = at + u64::from(size);
                let Ok(sample) = source.bytes(at, u64::from(size)) else {
                    bad.add(claims, chunk.first_sample + i, at, end, "It cannot be read.");
                    break;
                };
                frames::check(track.coding, &sample, &mut |from, to, what| {
                    let (from, to) = (at + from as u64, at + to as u64);
                    bad.add(claims, chunk.first_sample + i, from, to, what);
                });
                at = end;
            }
        }
    }
    bad.summary(claims);
}

/// Findings about NAL units, bounded.
#[derive(Default)]
struct BadUnits {
    count: u64,
}

impl BadUnits {
    fn add(&mut self, claims: &mut Claims, sample: usize, at: u64, end: u64, what: &str) {
        self.count += 1;
        if self.count <= 20 {
            let message = format!("{what} (sample {})", sample + 1);
            claims.wrong("mdat (video sample)", at, end, &message);
        }
    }

    fn summary(&self, claims: &mut Claims) {
        if self.count > 20 {
            let message = format!("{} further units like these.", self.count - 20);
            claims.wrong("mdat (video sample)", 0, 0, &message);
        }
    }
}

/// When the samples of a track are shown.
pub(super) struct Shown {
    /// Ticks of the track's timescale, ascending.
    pub(super) times: Vec<i64>,
    /// Samples outside the edit list.
    pub(super) hidden: u64,
}

/// Applies durations, offsets and the edit list of `track`.
pub(super) fn presentation(track: &Track, movie_timescale: u32) -> Shown {
    let n = track.tables.sizes.len();
    let mut samples: Vec<(i64, i64)> = Vec::new();
    let mut now = 0i64;
    for &(count, duration) in &track.tables.durations {
        for _ in 0..(count as usize).min(n - samples.len()) {
            samples.push((now, i64::from(duration)));
            now = now.saturating_add(i64::from(duration));
        }
    }
    let mut i = 0usize;
    for &(count, offset) in &track.tables.offsets {
        let until = i.saturating_add(count as usize).min(samples.len());
        for s in samples.get_mut(i..until).unwrap_or_default() {
            s.0 = s.0.saturating_add(i64::from(offset));
        }
        i = until;
    }
    let scale = |ticks: u64, round_up: bool| -> i64 {
        let product = u128::from(ticks) * u128::from(track.timescale);
        let scale = u128::from(movie_timescale.max(1));
        let up = if round_up { scale - 1 } else { scale / 2 };
        i64::try_from((product + up) / scale).unwrap_or(i64::MAX)
    };
    let mut times = Vec::new();
    if track.edits.is_empty() {
        times.extend(samples.iter().map(|s| s.0));
    }
    let mut clock = 0i64;
    for &(duration, start) in &track.edits {
        if start >= 0 {
            // The duration is in coarser ticks: round up, so that a frame
            // that starts in the last one counts as shown. Zero means "all".
            let stop = if duration == 0 {
                i64::MAX
            } else {
                start.saturating_add(scale(duration.saturating_add(1), true))
            };
            for &(at, length) in &samples {
                let begins = at >= start || at.saturating_add(length) > start;
                if begins && at < stop {
                    times.push(at.max(start).saturating_sub(start).saturating_add(clock));
                }
            }
        }
        clock = clock.saturating_add(scale(duration, false));
        if times.len() > MAX_SAMPLES {
            break;
        }
    }
    let hidden = n.saturating_sub(times.len()) as u64;
    times.sort_unstable();
    Shown { times, hidden }
}
