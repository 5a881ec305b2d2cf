//! Sample descriptions and what encoders write into the pictures' own
//! stream: compressor names, SEI messages.

use super::collect::Collector;
use super::isobmff::Box4;
use super::text::{decode, hex};
use super::{Category, Harm, icc};
use crate::bytes::{be16, fourcc, part};
use crate::source::Source;

/// Lists `stsd`; returns the first entry's format and the bytes of the
/// length before each NAL unit (0 if there are none).
pub(super) fn stsd(
    source: &mut Source<'_>,
    out: &mut Collector,
    b: Box4,
    path: &str,
) -> ([u8; 4], u8) {
    let mut format = [0; 4];
    let mut nal_length = 0;
    for (i, entry) in Box4::all(source, b.body + 8, b.end).into_iter().take(16).enumerate() {
        if i == 0 {
            format = entry.kind;
        }
        let head = source.upto(entry.body, entry.end, 78).unwrap_or_default();
        let path = format!("{path}/{}", fourcc(entry.kind));
        let visual = matches!(
            &entry.kind,
            b"avc1"
                | b"avc3"
                | b"hvc1"
                | b"hev1"
                | b"av01"
                | b"vp08"
                | b"vp09"
                | b"mp4v"
                | b"s263"
                | b"jpeg"
                | b"mjpa"
                | b"mjpb"
                | b"dvh1"
                | b"encv"
                | b"SVQ3"
                | b"cvid"
                | b"CRAW"
        ) || fourcc(entry.kind).starts_with("ap");
        if !visual {
            keys(source, out, entry, &path);
            continue;
        }
        compressor(&head, out, &path, entry.body);
        for child in Box4::all(source, entry.body + 78, entry.end) {
            let body = child.bytes(source, 1 << 20).unwrap_or_default();
            match &child.kind {
                b"avcC" => nal_length = body.get(4).map_or(0, |n| (n & 3) + 1),
                b"hvcC" => nal_length = body.get(21).map_or(0, |n| (n & 3) + 1),
                b"colr" if body.starts_with(b"prof") || body.starts_with(b"rICC") => {
                    let data = body.get(4..).unwrap_or_default();
                    icc::list(data, out, &format!("{path}/colr"), child.place());
                }
                _ => {}
            }
        }
    }
    (format, nal_length)
}

/// Names of programs in the fixed fields of a sample entry whose content
/// `head` begins at `from`. Their ranges are exact: the rest of the entry is
/// what every file with that codec has, and no metadata.
fn compressor(head: &[u8], out: &mut Collector, path: &str, from: u64) {
    let range = |at: usize, len: usize| {
        let start = from.saturating_add(at as u64);
        Some((start, start.saturating_add(len as u64)))
    };
    let vendor = decode(part(head, 12, 4).unwrap_or_default());
    if !vendor.trim().is_empty() {
        let path = format!("{path}/VendorID");
        out.add((Category::Software, Harm::Low), "software maker", &vendor, &path, range(12, 4));
    }
    let length = usize::from(head.get(42).copied().unwrap_or(0)).min(31);
    let name = decode(part(head, 43, length).unwrap_or_default());
    if !name.trim().is_empty() {
        let path = format!("{path}/CompressorName");
        out.add((Category::Software, Harm::Low), "encoder", &name, &path, range(43, length));
    }
}

/// Names of the keys of a timed metadata track.
fn keys(source: &mut Source<'_>, out: &mut Collector, entry: Box4, path: &str) {
    if &entry.kind != b"mebx" {
        return;
    }
    for table in Box4::all(source, entry.body + 8, entry.end) {
        for key in Box4::all(source, table.body, table.end).into_iter().take(64) {
            for b in Box4::all(source, key.body, key.end) {
                if &b.kind == b"keyd" {
                    let text = decode(&source.upto(b.body + 4, b.end, 256).unwrap_or_default());
                    let (sense, what) = super::names::sense(&text)
                        .unwrap_or(((Category::Hidden, Harm::Medium), "timed metadata"));
                    out.add(sense, what, &text, &format!("{path}/keys"), b.place());
                }
            }
        }
    }
}

/// Looks for SEI messages with user data in the first sample.
pub(super) fn first_sample(
    sample: &[u8],
    format: [u8; 4],
    nal_length: u8,
    out: &mut Collector,
    path: &str,
    place: (u64, u64),
) {
    let hevc = matches!(&format, b"hvc1" | b"hev1" | b"dvh1");
    let avc = matches!(&format, b"avc1" | b"avc3");
    if nal_length == 0 || !(avc || hevc) {
        return;
    }
    let field = usize::from(nal_length);
    let mut at = 0usize;
    for _ in 0..64 {
        let Some(size) = part(sample, at, field) else { return };
        let size = size.iter().fold(0usize, |n, &b| n << 8 | usize::from(b));
        let nal =
            sample.get(at + field..at.saturating_add(field).saturating_add(size).min(sample.len()));
        let Some(nal) = nal.filter(|n| !n.is_empty()) else { return };
        let kind = nal.first().copied().unwrap_or(0);
        let header = if hevc { 2 } else { 1 };
        let is_sei = if hevc { matches!(kind >> 1 & 0x3F, 39 | 40) } else { kind & 31 == 6 };
        if is_sei {
            // The unit alone: beside it stands the coded picture, whose bytes
            // belong to the output, too.
            let start = place.0 + (at + field) as u64;
            let unit = (start, start + nal.len() as u64);
            sei(nal.get(header..).unwrap_or_default(), out, path, unit);
        }
        at = at.saturating_add(field).saturating_add(size);
    }
}

/// Lists the messages of one SEI unit (H.264 D.1; HEVC the same).
pub(super) fn sei(unit: &[u8], out: &mut Collector, path: &str, place: (u64, u64)) {
    let mut at = 0usize;
    for _ in 0..32 {
        let number = |at: &mut usize| {
            let mut n = 0usize;
            loop {
                let b = usize::from(*unit.get(*at)?);
                *at += 1;
                n += b;
                if b != 255 {
                    return Some(n);
                }
            }
        };
        let (Some(kind), Some(length)) = (number(&mut at), number(&mut at)) else { return };
        let Some(body) = unit.get(at..at.saturating_add(length).min(unit.len())) else { return };
        match kind {
            4 => out.add(
                (Category::Hidden, Harm::Medium),
                "private data or captions in the video stream",
                &hex(body),
                &format!("{path}/SEI/registered"),
                Some(place),
            ),
            5 => {
                let text = decode(body.get(16..).unwrap_or_default());
                let readable = text.chars().take(20).all(|c| !c.is_control());
                let what = if body.get(16..20) == Some(b"MDPM") {
                    "camera's date, place and settings in the video stream"
                } else {
                    "encoder or camera text in the video stream"
                };
                let value = if readable { text } else { hex(body) };
                let path = format!("{path}/SEI/UserDataUnregistered");
                out.add((Category::Software, Harm::Medium), what, &value, &path, Some(place));
            }
            // Picture timing may carry a clock time; only its presence is
            // worth a line.
            1 if be16(body, 0).is_some() => {
                let path = format!("{path}/SEI/PictureTiming");
                out.add(
                    (Category::Time, Harm::Low),
                    "picture timing",
                    &hex(body),
                    &path,
                    Some(place),
                );
            }
            _ => {}
        }
        at = at.saturating_add(length);
        if unit.get(at) == Some(&0x80) {
            return;
        }
    }
}
