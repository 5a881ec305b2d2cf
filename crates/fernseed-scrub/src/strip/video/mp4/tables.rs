//! Sample tables, expanded to one entry per sample.

use super::super::movie::{MAX_SAMPLES, Sample, Track};
use super::boxes::child;
use crate::bytes::{be32, be64};
use crate::strip::StripError;

fn damaged(what: &str) -> StripError {
    StripError::Damaged(what.into())
}

/// Entries of `size` bytes after a count; refused if they are not there.
fn entries<'a>(
    b: &'a [u8],
    count_at: usize,
    size: usize,
) -> Result<std::slice::ChunksExact<'a, u8>, StripError> {
    let count = be32(b, count_at).ok_or_else(|| damaged("a table has no length"))? as usize;
    let bytes = count.checked_mul(size).ok_or_else(|| damaged("a table is too long"))?;
    let from = count_at + 4;
    let list = from
        .checked_add(bytes)
        .and_then(|end| b.get(from..end))
        .ok_or_else(|| damaged("a table is longer than its box"))?;
    Ok(list.chunks_exact(size))
}

/// `(offset, samples)` of each chunk, and the sample description in use.
struct Chunks {
    list: Vec<(u64, u32)>,
    description: u32,
}

fn chunks(stbl: &[u8]) -> Result<Chunks, StripError> {
    let mut list = Vec::new();
    if let Some(b) = child(stbl, b"stco") {
        list.extend(entries(b, 4, 4)?.map(|e| (u64::from(be32(e, 0).unwrap_or(0)), 0)));
    } else if let Some(b) = child(stbl, b"co64") {
        list.extend(entries(b, 4, 8)?.map(|e| (be64(e, 0).unwrap_or(0), 0)));
    }
    let runs: Vec<[u32; 3]> = match child(stbl, b"stsc") {
        Some(b) => entries(b, 4, 12)?
            .map(|e| [be32(e, 0), be32(e, 4), be32(e, 8)].map(|v| v.unwrap_or(0)))
            .collect(),
        None => Vec::new(),
    };
    let mut description = 0;
    let mut run = 0usize;
    if runs.first().is_some_and(|r| r[0] != 1) {
        return Err(damaged("the table of chunks does not begin with the first"));
    }
    for (i, chunk) in list.iter_mut().enumerate() {
        while runs.get(run + 1).is_some_and(|r| r[0] as usize <= i + 1) {
            run += 1;
        }
        let Some(&[_, samples, used]) = runs.get(run) else {
            return Err(damaged("the table of chunks is empty"));
        };
        chunk.1 = samples;
        if description != 0 && used != description {
            return Err(StripError::Unsupported("a change of codec parameters in a track".into()));
        }
        description = used;
    }
    Ok(Chunks { list, description })
}

/// Index of the sample description that the chunks use, counted from 1; 0
/// if there are no chunks.
pub(super) fn description(stbl: &[u8]) -> Result<u32, StripError> {
    Ok(chunks(stbl)?.description)
}

/// Times of the samples, one `(duration, offset)` after the other.
struct Times<'a> {
    durations: std::slice::ChunksExact<'a, u8>,
    offsets: Option<std::slice::ChunksExact<'a, u8>>,
    duration: (u32, u32),
    offset: (u32, i32),
}

impl Times<'_> {
    fn next(&mut self) -> Option<(u32, i32)> {
        while self.duration.0 == 0 {
            let e = self.durations.next()?;
            self.duration = (be32(e, 0)?, be32(e, 4)?);
        }
        self.duration.0 -= 1;
        let mut offset = 0;
        if let Some(list) = &mut self.offsets {
            while self.offset.0 == 0 {
                let e = list.next()?;
                self.offset = (be32(e, 0)?, be32(e, 4)? as i32);
            }
            self.offset.0 -= 1;
            offset = self.offset.1;
        }
        Some((self.duration.1, offset))
    }
}

/// Fills `track.samples`. For sound of fixed frames (`pcm`: bytes of each),
/// one sample per chunk.
pub(super) fn expand(stbl: &[u8], track: &mut Track, pcm: u32) -> Result<(), StripError> {
    let chunks = chunks(stbl)?;
    if chunks.list.is_empty() {
        return Ok(());
    }
    if pcm > 0 {
        return expand_pcm(&chunks, track, pcm);
    }
    let sizes = child(stbl, b"stsz");
    let compact = child(stbl, b"stz2");
    let (uniform, count) = match (sizes, compact) {
        (Some(b), _) => (be32(b, 4).unwrap_or(0), be32(b, 8).unwrap_or(0) as usize),
        (None, Some(b)) => (0, be32(b, 8).unwrap_or(0) as usize),
        _ => return Err(damaged("a track has no table of sizes")),
    };
    if count > MAX_SAMPLES {
        return Err(StripError::TooLarge("it has too many samples".into()));
    }
    let field = compact.filter(|_| sizes.is_none()).map_or(32, |b| b.get(7).copied().unwrap_or(0));
    let table = sizes.or(compact).and_then(|b| b.get(12..)).unwrap_or_default();
    let size_of = |i: usize| -> Option<u32> {
        match field {
            32 if uniform != 0 => Some(uniform),
            32 => be32(table, i * 4),
            16 => crate::bytes::be16(table, i * 2).map(u32::from),
            8 => table.get(i).map(|&b| b.into()),
            4 => table.get(i / 2).map(|&b| u32::from(if i % 2 == 0 { b >> 4 } else { b & 15 })),
            _ => None,
        }
    };
    let sync = match child(stbl, b"stss") {
        Some(b) => Some(entries(b, 4, 4)?.map(|e| be32(e, 0).unwrap_or(0)).collect::<Vec<_>>()),
        None => None,
    };
    let stts = child(stbl, b"stts").ok_or_else(|| damaged("a track has no table of times"))?;
    let mut times = Times {
        durations: entries(stts, 4, 8)?,
        offsets: child(stbl, b"ctts").map(|b| entries(b, 4, 8)).transpose()?,
        duration: (0, 0),
        offset: (0, 0),
    };
    let (mut index, mut dts, mut next_sync) = (0usize, 0i64, 0usize);
    'all: for (offset, samples) in chunks.list {
        let mut at = offset;
        for _ in 0..samples {
            if index == count {
                break 'all;
            }
            let len = size_of(index).ok_or_else(|| damaged("the table of sizes is too short"))?;
            let (duration, shift) =
                times.next().ok_or_else(|| damaged("the table of times is too short"))?;
            let key = match &sync {
                None => true,
                Some(list) => {
                    while list.get(next_sync).is_some_and(|&s| (s as usize) < index + 1) {
                        next_sync += 1;
                    }
                    list.get(next_sync).is_some_and(|&s| s as usize == index + 1)
                }
            };
            track.push(Sample {
                at,
                len,
                dts,
                pts: dts.saturating_add(shift.into()),
                duration,
                key,
                ..Sample::default()
            })?;
            at = at.saturating_add(len.into());
            dts = dts.saturating_add(duration.into());
            index += 1;
        }
    }
    if index < count {
        return Err(damaged("the chunks hold fewer samples than there are"));
    }
    Ok(())
}

fn expand_pcm(chunks: &Chunks, track: &mut Track, frame: u32) -> Result<(), StripError> {
    let mut dts = 0i64;
    for &(at, frames) in &chunks.list {
        let len = frames.checked_mul(frame).ok_or_else(|| damaged("a chunk is too long"))?;
        track.push(Sample {
            at,
            len,
            dts,
            pts: dts,
            duration: frames,
            key: true,
            ..Sample::default()
        })?;
        dts = dts.saturating_add(frames.into());
    }
    Ok(())
}
