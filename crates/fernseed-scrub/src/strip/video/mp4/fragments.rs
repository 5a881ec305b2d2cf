//! Movie fragments (ISO/IEC 14496-12, 8.8).

use super::super::fail;
use super::super::movie::{Sample, Track};
use super::boxes::{Top, child, children};
use crate::bytes::{be32, be64};
use crate::source::Source;
use crate::strip::StripError;

/// Largest `moof` that is read.
const MAX_MOOF: u64 = 32 << 20;

/// Defaults of one track (`trex`).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Defaults {
    pub(super) track: u32,
    description: u32,
    duration: u32,
    size: u32,
    flags: u32,
}

/// Every `trex` of a `moov`.
pub(super) fn defaults(moov: &[u8]) -> Vec<Defaults> {
    let Some(mvex) = child(moov, b"mvex") else { return Vec::new() };
    children(mvex)
        .filter(|(k, _)| k == b"trex")
        .filter_map(|(_, b)| {
            Some(Defaults {
                track: be32(b, 4)?,
                description: be32(b, 8)?,
                duration: be32(b, 12)?,
                size: be32(b, 16)?,
                flags: be32(b, 20)?,
            })
        })
        .take(1024)
        .collect()
}

/// What a fragment adds to a track.
pub(super) struct Target<'t> {
    pub(super) id: u32,
    pub(super) track: &'t mut Track,
    /// Decoding time after the last sample so far.
    pub(super) next: &'t mut i64,
    pub(super) pcm: u32,
}

/// Adds the samples of one `moof`.
pub(super) fn read(
    source: &mut Source<'_>,
    top: Top,
    defaults: &[Defaults],
    targets: &mut [Target<'_>],
) -> Result<(), StripError> {
    let len = top.end - top.body;
    if len > MAX_MOOF {
        return Err(StripError::TooLarge("a fragment's index".into()));
    }
    let moof = source.bytes(top.body, len).map_err(|e| fail(e, "a fragment"))?;
    let mut end_of_last = top.start;
    for (_, traf) in children(&moof).filter(|(k, _)| k == b"traf") {
        let broken = || StripError::Damaged("a fragment cannot be read".into());
        let tfhd = child(traf, b"tfhd").ok_or_else(broken)?;
        let id = be32(tfhd, 4).ok_or_else(broken)?;
        let mut d = defaults.iter().find(|d| d.track == id).copied().unwrap_or_default();
        let base = header(tfhd, &mut d, top.start, end_of_last).ok_or_else(broken)?;
        if child(traf, b"senc").is_some() {
            return Err(StripError::Encrypted);
        }
        let time = child(traf, b"tfdt").and_then(|b| match b.first()? {
            0 => be32(b, 4).map(u64::from),
            _ => be64(b, 4),
        });
        let Some(target) = targets.iter_mut().find(|t| t.id == id) else {
            continue;
        };
        if d.description > 1 {
            return Err(StripError::Unsupported("a change of codec parameters in a track".into()));
        }
        if let Some(time) = time.and_then(|t| i64::try_from(t).ok()) {
            // A gap between fragments lengthens the sample before it.
            *target.next =
                if target.track.samples.is_empty() { time } else { time.max(*target.next) };
        }
        let mut at = base;
        for (_, trun) in children(traf).filter(|(k, _)| k == b"trun") {
            at = run(trun, &d, base, at, target)?;
        }
        end_of_last = at;
    }
    Ok(())
}

/// Applies `tfhd`; the offset that runs count from.
fn header(b: &[u8], d: &mut Defaults, moof: u64, last: u64) -> Option<u64> {
    let flags = be32(b, 0)? & 0xFF_FFFF;
    let mut at = 8usize;
    let mut base = if flags & 0x02_0000 != 0 { moof } else { last };
    if flags & 1 != 0 {
        base = be64(b, at)?;
        at += 8;
    }
    for (flag, field) in
        [(2, &mut d.description), (8, &mut d.duration), (0x10, &mut d.size), (0x20, &mut d.flags)]
    {
        if flags & flag != 0 {
            *field = be32(b, at)?;
            at += 4;
        }
    }
    Some(base)
}

/// Adds the samples of one `trun`; where the next run without an offset
/// begins.
fn run(
    b: &[u8],
    d: &Defaults,
    base: u64,
    follow: u64,
    target: &mut Target<'_>,
) -> Result<u64, StripError> {
    let broken = || StripError::Damaged("a fragment's run cannot be read".into());
    let flags = be32(b, 0).ok_or_else(broken)? & 0xFF_FFFF;
    let count = be32(b, 4).ok_or_else(broken)?;
    let mut at = 8usize;
    let mut place = follow;
    if flags & 1 != 0 {
        let offset = i64::from(be32(b, at).ok_or_else(broken)? as i32);
        place = base.checked_add_signed(offset).ok_or_else(broken)?;
        at += 4;
    }
    let mut first = None;
    if flags & 4 != 0 {
        first = be32(b, at);
        at += 4;
    }
    for i in 0..count {
        let mut field = |flag: u32, default: u32| -> Option<u32> {
            if flags & flag == 0 {
                return Some(default);
            }
            at += 4;
            be32(b, at - 4)
        };
        let duration = field(0x100, d.duration).ok_or_else(broken)?;
        let len = field(0x200, d.size).ok_or_else(broken)?;
        let own = field(0x400, d.flags).ok_or_else(broken)?;
        let shift = field(0x800, 0).ok_or_else(broken)? as i32;
        let bits = if i == 0 { first.unwrap_or(own) } else { own };
        let (len, duration) =
            if target.pcm > 0 && len == 0 { (target.pcm, 1) } else { (len, duration) };
        let dts = *target.next;
        target.track.push(Sample {
            at: place,
            len,
            dts,
            pts: dts.saturating_add(shift.into()),
            duration,
            // sample_is_non_sync_sample, sample_depends_on
            key: bits & 0x1_0000 == 0,
            ..Sample::default()
        })?;
        place = place.saturating_add(len.into());
        *target.next = dts.saturating_add(duration.into());
    }
    Ok(place)
}
