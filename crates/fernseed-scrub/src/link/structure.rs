//! The order of structures in a file, its resolution, and what encoders
//! write about themselves into coded video.

use super::{Strength, Tie};
use crate::bytes::{be16, be32, fourcc, le32, part};
use crate::ebml;
use crate::source::Source;

/// Most structures of which the order is taken.
const MAX: usize = 400;
/// Bytes searched for an encoder's settings.
const SEARCH: u64 = 2 << 20;

/// Order and resolution of the file.
pub(super) fn read(source: &mut Source<'_>) -> Vec<(Tie, String, Strength)> {
    let head = source.upto(0, source.len(), 16).unwrap_or_default();
    let at = |n: usize, what: &[u8]| part(&head, n, what.len()) == Some(what);
    let mut out = Vec::new();
    let order = if at(0, b"\x89PNG") {
        if let Ok(b) = source.array::<8>(16)
            && let (Some(w), Some(h)) = (be32(&b, 0), be32(&b, 4))
        {
            out.push((Tie::Resolution, format!("{w} x {h}"), Strength::Weak));
        }
        png(source)
    } else if at(0, b"RIFF") || at(0, b"RF64") || at(0, b"FORM") {
        riff(source, at(0, b"FORM"))
    } else if at(0, b"\x1A\x45\xDF\xA3") {
        matroska(source)
    } else if at(4, b"ftyp") || at(4, b"moov") || at(4, b"wide") || at(4, b"mdat") {
        let mut list = Vec::new();
        boxes(source, (0, source.len()), 0, &mut list, &mut out);
        list
    } else {
        Vec::new()
    };
    if !order.is_empty() {
        out.push((Tie::Structure, fingerprint(&order), Strength::Weak));
    }
    out
}

/// The order as text where it is short, with a hash of all of it.
pub(super) fn fingerprint(order: &[String]) -> String {
    let text = order.join(" ");
    // FNV-1a: a name, not a protection.
    let hash = text
        .bytes()
        .fold(0xCBF2_9CE4_8422_2325u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01B3));
    let short: String = text.chars().take(120).collect();
    format!("{short} [{hash:016x}]")
}

/// Appends unless it repeats what is there.
fn push(list: &mut Vec<String>, name: String) {
    if list.len() < MAX && list.last() != Some(&name) {
        list.push(name);
    }
}

fn png(source: &mut Source<'_>) -> Vec<String> {
    let mut list = Vec::new();
    let mut at = 8u64;
    while let Ok(head) = source.array::<8>(at)
        && list.len() < MAX
    {
        push(&mut list, fourcc([head[4], head[5], head[6], head[7]]));
        let size = u64::from(be32(&head, 0).unwrap_or_default());
        at = at.saturating_add(size + 12);
    }
    list
}

fn riff(source: &mut Source<'_>, big: bool) -> Vec<String> {
    let mut list = Vec::new();
    let mut at = 12u64;
    while let Ok(head) = source.array::<8>(at)
        && list.len() < MAX
    {
        push(&mut list, fourcc([head[0], head[1], head[2], head[3]]));
        let size = if big { be32(&head, 4) } else { le32(&head, 4) };
        let size = u64::from(size.unwrap_or_default());
        at = at.saturating_add(8 + size + size % 2);
    }
    list
}

fn matroska(source: &mut Source<'_>) -> Vec<String> {
    let mut list = Vec::new();
    let mut stack = vec![(0, source.len())];
    while let Some((at, end)) = stack.pop() {
        if at >= end || list.len() >= MAX {
            continue;
        }
        let Some(e) = ebml::clipped(source, at, end) else { continue };
        push(&mut list, format!("{:X}", e.id));
        if e.end > at {
            stack.push((e.end, end));
        }
        // Segment, Info, Tracks, TrackEntry: order inside tells the muxer.
        if matches!(e.id, 0x1853_8067 | 0x1549_A966 | 0x1654_AE6B | 0xAE) && stack.len() < 16 {
            stack.push((e.body, e.end));
        }
    }
    list
}

/// Boxes of an MP4 down to the sample tables, and the size of its tracks.
fn boxes(
    source: &mut Source<'_>,
    (from, end): (u64, u64),
    depth: usize,
    list: &mut Vec<String>,
    out: &mut Vec<(Tie, String, Strength)>,
) {
    let mut at = from;
    while at + 8 <= end && list.len() < MAX {
        let Ok(head) = source.array::<8>(at) else { return };
        let mut size = u64::from(be32(&head, 0).unwrap_or_default());
        let mut body = at + 8;
        if size == 1 {
            let Ok(long) = source.array::<8>(body) else { return };
            size = u64::from_be_bytes(long);
            body += 8;
        } else if size == 0 {
            size = end - at;
        }
        let Some(stop) = at.checked_add(size).filter(|&s| s <= end && s >= body) else { return };
        let name = fourcc([head[4], head[5], head[6], head[7]]);
        push(list, format!("{}{name}", ".".repeat(depth)));
        match name.as_str() {
            "moov" | "trak" | "mdia" | "minf" | "stbl" | "udta" | "edts" if depth < 6 => {
                boxes(source, (body, stop), depth + 1, list, out);
            }
            "tkhd" => {
                let b = source.bytes(stop.saturating_sub(8).max(body), 8).unwrap_or_default();
                if let (Some(w), Some(h)) = (be16(&b, 0), be16(&b, 4))
                    && w > 0
                {
                    out.push((Tie::Resolution, format!("{w} x {h}"), Strength::Weak));
                }
            }
            _ => {}
        }
        at = stop;
    }
}

/// What an encoder wrote about its settings, with a hash of all of it.
pub(super) fn encoder_settings(source: &mut Source<'_>) -> Option<String> {
    let len = source.len();
    let block = source.upto(0, len, SEARCH).ok()?;
    let at = [&b"x264 - core"[..], b"x265 (build", b"x265 - "]
        .iter()
        .find_map(|mark| crate::bytes::find(&block, mark))?;
    let text: String = block
        .get(at..)?
        .iter()
        .take(4096)
        .take_while(|b| (0x20..0x7F).contains(*b))
        .map(|&b| char::from(b))
        .collect();
    Some(fingerprint(&text.split(' ').map(str::to_owned).collect::<Vec<_>>()))
}
