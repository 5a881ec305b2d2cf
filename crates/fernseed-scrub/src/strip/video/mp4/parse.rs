//! `moov` and its tracks.

use super::super::fail;
use super::super::movie::{MAX_TRACKS, Movie, Tick, Track, Turn};
use super::boxes::{child, children, path, top};
use super::fragments::{self, Target};
use super::{entry, tables};
use crate::bytes::{be32, be64};
use crate::source::Source;
use crate::strip::StripError;

/// Largest index that is read: ten hours of video need about 30 MB.
const MAX_MOOV: u64 = 192 << 20;
/// Most boxes at the top of a file.
const MAX_TOP: usize = 1 << 20;

/// What the track header says.
struct Header {
    id: u32,
    enabled: bool,
    turn: Turn,
    width: u32,
    height: u32,
}

/// Reads a file of this family.
pub(in super::super) fn read(source: &mut Source<'_>) -> Result<Movie, StripError> {
    let mut movie = Movie::default();
    let mut at = 0;
    let mut moov = None;
    let mut moofs = Vec::new();
    for _ in 0..MAX_TOP {
        let Some(b) = top(source, at) else { break };
        at = b.end.max(at + 8);
        match &b.kind {
            b"moov" if moov.is_none() => {
                if b.end - b.body > MAX_MOOV {
                    return Err(StripError::TooLarge("the index".into()));
                }
                moov = Some(source.bytes(b.body, b.end - b.body).map_err(|e| fail(e, "moov"))?);
            }
            b"moof" => moofs.push(b),
            _ => {}
        }
    }
    let moov = moov.ok_or_else(|| StripError::Truncated("the index, which is missing".into()))?;
    if child(&moov, b"cmov").is_some() {
        return Err(StripError::Unsupported("a compressed index".into()));
    }
    let movie_scale = child(&moov, b"mvhd").and_then(|b| be32(b, at_scale(b)));
    let movie_scale = movie_scale.filter(|&n| n > 0).unwrap_or(1000);
    let mut found: Vec<(u32, Track, i64, u32)> = Vec::new();
    for (_, trak) in children(&moov).filter(|(k, _)| k == b"trak") {
        if found.len() >= MAX_TRACKS {
            movie.note("Only the first 32 tracks were carried over.");
            break;
        }
        if let Some((id, track, pcm)) = track(trak, movie_scale, &found, &mut movie)? {
            let next = track.samples.last().map_or(0, |s| s.dts + i64::from(s.duration));
            found.push((id, track, next, pcm));
        }
    }
    let defaults = fragments::defaults(&moov);
    for b in moofs {
        let mut targets: Vec<Target<'_>> = found
            .iter_mut()
            .map(|(id, track, next, pcm)| Target { id: *id, track, next, pcm: *pcm })
            .collect();
        fragments::read(source, b, &defaults, &mut targets)?;
    }
    movie.tracks.extend(found.into_iter().map(|f| f.1).filter(|t| !t.samples.is_empty()));
    movie.tracks.sort_by_key(|t| !t.is_video());
    Ok(movie)
}

fn at_scale(b: &[u8]) -> usize {
    if b.first() == Some(&1) { 20 } else { 12 }
}

/// One track, if it is carried over, and the bytes of its frames if it is
/// uncompressed sound.
fn track(
    trak: &[u8],
    movie_scale: u32,
    found: &[(u32, Track, i64, u32)],
    movie: &mut Movie,
) -> Result<Option<(u32, Track, u32)>, StripError> {
    let broken = |what: &str| StripError::Damaged(format!("a track has no {what}"));
    let header = child(trak, b"tkhd").and_then(header).ok_or_else(|| broken("header"))?;
    let mdia = child(trak, b"mdia").ok_or_else(|| broken("media"))?;
    let handler = child(mdia, b"hdlr").and_then(|b| b.get(8..12)).unwrap_or_default();
    let video = match handler {
        b"vide" => true,
        b"soun" => false,
        b"text" | b"sbtl" | b"subt" | b"clcp" => {
            movie.note("Subtitles or chapter titles were left out.");
            return Ok(None);
        }
        _ => {
            movie.note("Tracks that are neither video nor sound were left out.");
            return Ok(None);
        }
    };
    if !header.enabled {
        movie.note("A track that is switched off was left out.");
        return Ok(None);
    }
    if video && found.iter().any(|f| f.1.is_video()) {
        movie.note("A second video track was left out.");
        return Ok(None);
    }
    let minf = child(mdia, b"minf").ok_or_else(|| broken("media information"))?;
    if let Some(dref) = path(minf, &[b"dinf", b"dref"])
        && children(dref.get(8..).unwrap_or_default())
            .any(|(_, b)| be32(b, 0).is_none_or(|f| f & 1 == 0))
    {
        return Err(StripError::Unsupported("media in another file".into()));
    }
    let stbl = child(minf, b"stbl").ok_or_else(|| broken("sample table"))?;
    let scale = child(mdia, b"mdhd").and_then(|b| be32(b, at_scale(b))).filter(|&n| n > 0);
    let scale = scale.ok_or_else(|| broken("time scale"))?;
    let stsd = child(stbl, b"stsd").ok_or_else(|| broken("description"))?;
    let used = tables::description(stbl)?.max(1);
    let Some((kind, body)) = children(stsd.get(8..).unwrap_or_default()).nth(used as usize - 1)
    else {
        return Err(broken("description"));
    };
    let tick = Tick { num: 1, den: scale.into() };
    let mut track =
        if video { entry::video(kind, body, tick)? } else { entry::sound(kind, body, tick)? };
    let pcm = match &track.codec {
        super::super::codec::Codec::Pcm(p) => p.frame(track.channels),
        _ => 0,
    };
    track.look.turn = header.turn;
    if video && track.look.aspect.is_none() {
        track.look.aspect = implied(&header, &track);
    }
    tables::expand(stbl, &mut track, pcm)?;
    edits(trak, scale, movie_scale, &mut track)?;
    Ok(Some((header.id, track, pcm)))
}

fn header(b: &[u8]) -> Option<Header> {
    let (id, tail) = if b.first()? == &1 { (20, 36) } else { (12, 24) };
    let entry = |i: usize| be32(b, tail + 16 + 4 * i).map(|v| v as i32);
    let sign = |i: usize| entry(i).map(|v| v.signum() as i8 * i8::from(v.unsigned_abs() >= 0x100));
    let m = [sign(0)?, sign(1)?, sign(3)?, sign(4)?];
    let turn = match m {
        [1 | -1, 0, 0, 1 | -1] if m != [1, 0, 0, 1] => Some(m),
        [0, 1 | -1, 1 | -1, 0] => Some(m),
        _ => None,
    };
    Some(Header {
        id: be32(b, id)?,
        enabled: be32(b, 0)? & 1 == 1,
        turn: Turn { matrix: turn },
        width: be32(b, tail + 52)? >> 16,
        height: be32(b, tail + 56)? >> 16,
    })
}

/// The shape of a pixel that follows from the size on screen, if that is
/// clearly not the coded one.
fn implied(header: &Header, track: &Track) -> Option<(u32, u32)> {
    let (w, h) = (u32::from(track.look.width), u32::from(track.look.height));
    let (num, den) =
        (u64::from(header.width) * u64::from(h), u64::from(header.height) * u64::from(w));
    if num == 0 || den == 0 || num.abs_diff(den) * 50 < den {
        return None;
    }
    entry::reduced(num, den)
}

/// The edit list: what is shown, and from when.
fn edits(trak: &[u8], scale: u32, movie_scale: u32, track: &mut Track) -> Result<(), StripError> {
    let Some(b) = path(trak, &[b"edts", b"elst"]) else { return Ok(()) };
    let wide = b.first() == Some(&1);
    let count = be32(b, 4).unwrap_or(0) as usize;
    let entry = if wide { 20 } else { 12 };
    let movie_tick = Tick { num: 1, den: movie_scale.into() };
    let slack = i64::from(scale.div_ceil(movie_scale));
    let mut empty = 0u64;
    let mut window: Option<(i64, i64)> = None;
    for e in b.get(8..).unwrap_or_default().chunks_exact(entry).take(count) {
        let (duration, start, rate) = if wide {
            (be64(e, 0).unwrap_or(0), be64(e, 8).unwrap_or(0) as i64, be32(e, 16))
        } else {
            (
                u64::from(be32(e, 0).unwrap_or(0)),
                i64::from(be32(e, 4).unwrap_or(0) as i32),
                be32(e, 8),
            )
        };
        if start < 0 {
            if window.is_none() {
                empty = empty.saturating_add(duration);
            }
            continue;
        }
        if rate != Some(0x1_0000) {
            return Err(StripError::Unsupported("an edit list that changes the speed".into()));
        }
        let length = i64::try_from(duration).unwrap_or(i64::MAX / 4);
        let length = movie_tick.convert(length, track.tick);
        let end = if duration == 0 { i64::MAX } else { start.saturating_add(length) };
        window = Some(match window {
            None => (start, end),
            Some((from, to)) if to != i64::MAX && start.abs_diff(to) <= slack as u64 => (from, end),
            Some(_) => {
                return Err(StripError::NeedsReencoding(
                    "Its edit list puts it together from several pieces; what lies between \
                     them can only be taken out by coding it again."
                        .into(),
                ));
            }
        });
    }
    let empty = i64::try_from(empty).unwrap_or(i64::MAX / 4);
    track.delay = movie_tick.convert(empty, track.tick);
    if let Some((from, to)) = window {
        track.window = Some((from, to));
        track.slack = slack;
    }
    Ok(())
}
