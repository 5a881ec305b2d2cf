//! Between reading and writing: opens the samples, leaves out what is never
//! shown, and brings the clock to its canonical form.

use super::codec::{Codec, Facts};
use super::movie::{Movie, Sample, Tick, Track};
use crate::source::Source;
use crate::strip::StripError;

/// Does all of it.
pub(super) fn prepare(source: &mut Source<'_>, movie: &mut Movie) -> Result<(), StripError> {
    let mut seen = Facts::default();
    for track in &mut movie.tracks {
        if track.is_video() && (track.look.width == 0 || track.look.height == 0) {
            return Err(StripError::Damaged("its pictures have no size".into()));
        }
        heard(track)?;
        survey(source, track, &mut seen)?;
        if track.is_video() {
            trim_video(track)?;
        } else if let Codec::Pcm(pcm) = &track.codec
            && track.tick.den == u64::from(track.rate) * track.tick.num
        {
            let frame = pcm.frame(track.channels);
            recut(track, frame)?;
        } else {
            trim_sound(track);
        }
        settle(track)?;
    }
    movie.tracks.retain(|t| !t.samples.is_empty());
    if movie.tracks.is_empty() {
        return Err(StripError::Damaged("it holds neither pictures nor sound".into()));
    }
    if seen.layers {
        movie
            .note("Further layers of the video (another view, depth, transparency) were left out.");
    }
    if seen.private {
        movie.note("Coded units of private types were left out.");
    }
    together(movie);
    Ok(())
}

/// Most samples of sound in a second; the fastest converters make 768,000.
const MAX_RATE: u32 = 10_000_000;

/// Refuses sound that no player has a place for: the writers have none either.
fn heard(track: &Track) -> Result<(), StripError> {
    if track.is_video() {
        return Ok(());
    }
    if !(1..=64).contains(&track.channels) {
        return Err(StripError::Damaged(format!("it has sound of {} channels", track.channels)));
    }
    if track.rate > MAX_RATE {
        return Err(StripError::Damaged(format!("it has sound of {} Hz", track.rate)));
    }
    match &track.codec {
        Codec::Pcm(p) if !matches!(p.bits, 8 | 16 | 24 | 32 | 64) => Err(StripError::Unsupported(
            format!("uncompressed sound with {} bits for each sample", p.bits),
        )),
        _ => Ok(()),
    }
}

/// Sizes and facts of every sample as it will be written.
fn survey(source: &mut Source<'_>, track: &mut Track, seen: &mut Facts) -> Result<(), StripError> {
    let prefix = track.prefix.len() as u32;
    let mut samples = std::mem::take(&mut track.samples);
    if track.codec.is_opened() {
        survey_opened(source, track, &mut samples, seen)?;
    } else {
        for s in &mut samples {
            s.out = s.len.saturating_add(prefix);
            s.key |= track.codec.always_key();
        }
    }
    // A sample of which nothing is left lends its time to the one before.
    let mut kept: Vec<Sample> = Vec::with_capacity(samples.len());
    for s in samples {
        if s.out > 0 {
            kept.push(s);
        } else if let Some(last) = kept.last_mut() {
            last.duration = last.duration.saturating_add(s.duration);
        }
    }
    track.samples = kept;
    Ok(())
}

fn survey_opened(
    source: &mut Source<'_>,
    track: &mut Track,
    samples: &mut [Sample],
    seen: &mut Facts,
) -> Result<(), StripError> {
    let (mut raw, mut clean) = (Vec::new(), Vec::new());
    loop {
        for s in samples.iter_mut() {
            if s.len == 0 && track.prefix.is_empty() {
                s.out = 0;
                continue;
            }
            track.load(source, s, &mut raw)?;
            let facts = track.codec.clean(&raw, &mut clean)?;
            s.out = u32::try_from(clean.len()).unwrap_or(u32::MAX);
            s.key |= facts.key || track.codec.always_key();
            s.disposable = facts.disposable;
            seen.layers |= facts.layers;
            seen.private |= facts.private;
        }
        match &mut track.codec {
            Codec::Nal(sets) if sets.conflict && !sets.in_band => sets.in_band = true,
            _ => return Ok(()),
        }
        source.grant(source.len());
    }
}

/// Leaves out pictures that the edit list hides.
fn trim_video(track: &mut Track) -> Result<(), StripError> {
    let reencode = |n: usize| {
        Err(StripError::NeedsReencoding(format!(
            "{n} of its pictures are hidden by its edit list, and shown ones are predicted from \
             them; only coding it again takes them out."
        )))
    };
    if let Some((from, to)) = track.window {
        let end = track.samples.iter().map(|s| s.pts.saturating_add(s.duration.into())).max();
        let near = end.is_none_or(|e| to >= e || e.abs_diff(to) <= track.slack as u64);
        let to = if near { i64::MAX } else { to };
        track.window = Some((from, to));
        let slack = track.slack;
        let shown = |s: &Sample| {
            s.pts.saturating_add(s.duration.max(1).into()) > from
                && (to == i64::MAX || s.pts.saturating_add(slack) <= to)
        };
        let Some(last) = track.samples.iter().rposition(shown) else {
            track.samples.clear();
            return Ok(());
        };
        track.samples.truncate(last + 1);
        let first = track.samples.iter().position(shown).unwrap_or(0);
        let upto = track.samples.get(..=first).unwrap_or_default();
        let key = upto.iter().rposition(|s| s.key).unwrap_or(0);
        track.samples.drain(..key);
        track.samples.retain(|s| shown(s) || !s.disposable);
        let hidden = track.samples.iter().filter(|s| !shown(s)).count();
        if hidden > 0 {
            return reencode(hidden);
        }
    }
    let invisible = track.samples.iter().filter(|s| s.invisible).count();
    if invisible > 0 && !matches!(track.codec, Codec::Vp8 | Codec::Vp9(_)) {
        return reencode(invisible);
    }
    Ok(())
}

/// Frames before the first that is heard which its decoder needs.
const fn priming(codec: &Codec) -> usize {
    match codec {
        Codec::Aac(_) | Codec::Mpa(_) => 3,
        Codec::Opus(_) => 5,
        _ => 1,
    }
}

fn trim_sound(track: &mut Track) {
    let Some((from, to)) = track.window else { return };
    let end = track.samples.iter().map(|s| s.pts.saturating_add(s.duration.into())).max();
    let near = end.is_none_or(|e| to >= e || e.abs_diff(to) <= track.slack as u64);
    let to = if near { i64::MAX } else { to };
    track.window = Some((from, to));
    let slack = track.slack;
    let last = track
        .samples
        .iter()
        .rposition(|s| to == i64::MAX || s.pts.saturating_add(slack) <= to)
        .map_or(0, |i| i + 1);
    track.samples.truncate(last);
    let heard = |s: &Sample| s.pts.saturating_add(s.duration.max(1).into()) > from;
    let first = track.samples.iter().position(heard).unwrap_or(track.samples.len());
    track.samples.drain(..first.saturating_sub(priming(&track.codec)));
}

/// Cuts uncompressed sound into blocks of half a second, exactly the part
/// that is heard.
fn recut(track: &mut Track, frame: u32) -> Result<(), StripError> {
    let (from, to) = track.window.unwrap_or((i64::MIN, i64::MAX));
    let per_block = (track.tick.den / track.tick.num.max(1) / 2).clamp(1, 1 << 20);
    let old = std::mem::take(&mut track.samples);
    let frame = u64::from(frame.max(1));
    let mut pieces = Vec::new();
    let mut block: Option<(Sample, u64)> = None;
    let mut done = Vec::new();
    for s in old {
        if s.pieces > 0 {
            return Err(StripError::Unsupported("uncompressed sound in pieces".into()));
        }
        let frames = i64::from(s.len) / frame as i64;
        let low = from.saturating_sub(s.pts).clamp(0, frames);
        let high = to.saturating_sub(s.pts).clamp(low, frames);
        let mut at = low as u64;
        while at < high as u64 {
            let (b, used) = block.get_or_insert_with(|| {
                let pts = s.pts + at as i64;
                let first = pieces.len() as u32;
                (Sample { dts: pts, pts, key: true, first_piece: first, ..Sample::default() }, 0)
            });
            let take = (high as u64 - at).min(per_block - *used);
            pieces.push((s.at + at * frame, (take * frame) as u32));
            *used += take;
            b.pieces += 1;
            b.len += (take * frame) as u32;
            b.duration += take as u32;
            at += take;
            if *used == per_block
                && let Some((b, _)) = block.take()
            {
                done.push(Sample { out: b.len, ..b });
            }
        }
    }
    if let Some((b, _)) = block {
        done.push(Sample { out: b.len, ..b });
    }
    for s in done {
        track.push(s)?;
    }
    track.pieces = pieces;
    if let (Some((from, _)), Some(first)) = (track.window, track.samples.first()) {
        track.delay = track.delay.saturating_add(first.pts.saturating_sub(from).max(0));
        track.window = Some((first.pts, i64::MAX));
    }
    Ok(())
}

/// Decoding begins at zero, no picture is shown before it is decoded, and
/// the window begins with something to show.
fn settle(track: &mut Track) -> Result<(), StripError> {
    let Some(first) = track.samples.first().copied() else { return Ok(()) };
    let mut before = i64::MIN;
    for s in &track.samples {
        if s.dts < before {
            return Err(StripError::Damaged("its decoding times go backwards".into()));
        }
        before = s.dts;
    }
    let lead = track.samples.iter().map(|s| s.pts.saturating_sub(s.dts)).min().unwrap_or(0);
    let earliest = track.samples.iter().map(|s| s.pts).min().unwrap_or(0);
    let latest =
        track.samples.iter().map(|s| s.pts.saturating_add(s.duration.into())).max().unwrap_or(0);
    let (mut from, mut to) = match track.window {
        Some(w) => w,
        None => {
            track.delay = track.delay.saturating_add(earliest);
            (earliest, i64::MAX)
        }
    };
    if from < earliest {
        track.delay = track.delay.saturating_add(earliest.saturating_sub(from));
        from = earliest;
    }
    to = to.min(latest).max(from);
    let shift = first.dts.saturating_add(lead);
    for s in &mut track.samples {
        s.dts = s.dts.saturating_sub(first.dts);
        s.pts = s.pts.saturating_sub(shift);
    }
    track.window = Some((from.saturating_sub(shift), to.saturating_sub(shift)));
    Ok(())
}

/// The file begins when its first track does.
fn together(movie: &mut Movie) {
    let start = |t: &Track| i128::from(t.delay) * i128::from(t.tick.num);
    let first = movie.tracks.iter().min_by(|a, b| {
        (start(a) * i128::from(b.tick.den)).cmp(&(start(b) * i128::from(a.tick.den)))
    });
    let Some((tick, delay)) = first.map(|t| (t.tick, t.delay)) else { return };
    for track in &mut movie.tracks {
        track.delay = track.delay.saturating_sub(Tick::convert(tick, delay, track.tick)).max(0);
    }
}
