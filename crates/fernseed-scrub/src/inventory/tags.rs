//! Tags that sound files carry whatever their container: ID3 (versions 1, 2.2,
//! 2.3 and 2.4), APE, and Vorbis comments.

use super::collect::Collector;
use super::text::{decode, size, utf16};
use super::{Category, Harm, names};
use crate::bytes::{be24, be32, find, le32, part};
use crate::source::Source;

/// Most bytes read of one tag.
const MAX_TAG: u64 = 16 << 20;
/// Most frames or comments listed of one tag.
const MAX_FRAMES: usize = 5_000;

/// What text frames of ID3v2 hold (id3.org, "ID3 tag version 2.4.0 - Native
/// Frames"; the names of 2.2 without their last letter).
const TEXTS: &[(&str, &str)] = &[
    ("TIT", "Title"),
    ("TT", "Title"),
    ("TAL", "Title of the album"),
    ("TPE", "Artist"),
    ("TP1", "Artist"),
    ("TP2", "Artist"),
    ("TP3", "Artist"),
    ("TP4", "Artist"),
    ("TCOM", "Artist"),
    ("TCM", "Artist"),
    ("TCOP", "Copyright"),
    ("TCO", "Other"),
    ("TRCK", "Other"),
    ("TRK", "Other"),
    ("TPOS", "Other"),
    ("TPA", "Other"),
    ("TLE", "Other"),
    ("TBP", "Other"),
    ("TOP", "Artist"),
    ("TOL", "Author"),
    ("TEX", "Author"),
    ("TCR", "Copyright"),
    ("TEN", "EncodedBy"),
    ("TSS", "Encoder"),
    ("TSR", "Identifier"),
    ("TOW", "Owner"),
    ("TOF", "OriginalFileName"),
    ("TPU", "Publisher"),
    ("TPB", "Publisher"),
    ("TYE", "Year"),
    ("TDA", "Date"),
    ("TIM", "TimeCreated"),
    ("TRD", "Date"),
    ("TOR", "Date"),
    ("TDR", "Date"),
    ("TDE", "Date"),
    ("TDO", "Date"),
    ("TDT", "Date"),
];

/// Lists an ID3v2 tag at `at`; returns where it ends.
pub(super) fn id3v2(source: &mut Source<'_>, out: &mut Collector, at: u64) -> Option<u64> {
    let head = source.array::<10>(at).ok()?;
    if &head[..3] != b"ID3" {
        return None;
    }
    let (version, flags) = (head[3], head[5]);
    let end = (at + 10 + syncsafe(&head, 6)?).min(source.len());
    let whole = Some((at, end));
    let mut body = source.upto(at + 10, end, MAX_TAG).unwrap_or_default();
    // Bytes that were put in so that nothing looks like a frame of sound.
    let exact = flags & 0x80 == 0;
    if !exact {
        let mut before = 0;
        body.retain(|&b| {
            let inserted = before == 0xFF && b == 0;
            before = b;
            !inserted
        });
    }
    let mut next = 0usize;
    if flags & 0x40 != 0 && version > 2 {
        let long = if version == 3 { be32(&body, 0).map(|n| n + 4) } else { be32(&body, 0) };
        next = long.unwrap_or(0) as usize;
    }
    for _ in 0..MAX_FRAMES {
        let short = version < 3;
        let header = if short { 6 } else { 10 };
        let name_length = if short { 3 } else { 4 };
        let Some(name) =
            part(&body, next, name_length).filter(|n| n.iter().all(u8::is_ascii_alphanumeric))
        else {
            break;
        };
        let length = match version {
            0..=2 => be24(&body, next + 3).map(u64::from),
            3 => be32(&body, next + 4).map(u64::from),
            _ => syncsafe(&body, next + 4),
        };
        let from = next + header;
        let Some(content) = length.and_then(|n| part(&body, from, usize::try_from(n).ok()?)) else {
            out.note("An ID3 tag is cut short.");
            break;
        };
        next = from + content.len();
        let start = at + 10 + from as u64;
        let place = if exact { Some((start, start + content.len() as u64)) } else { whole };
        frame(out, &decode(name), content, place);
    }
    let rest = body.get(next..).unwrap_or_default();
    if rest.iter().any(|&b| b != 0) {
        let what = "data in the padding of a tag";
        let value = size(rest.len() as u64);
        out.add((Category::Hidden, Harm::Medium), what, &value, "ID3v2/(padding)", whole);
    }
    Some(end)
}

fn syncsafe(b: &[u8], at: usize) -> Option<u64> {
    let bytes = part(b, at, 4)?;
    Some(bytes.iter().fold(0, |n, &v| n << 7 | u64::from(v & 0x7F)))
}

/// A text of ID3 with its encoding, up to its end mark; the rest.
fn text(encoding: u8, b: &[u8]) -> (String, &[u8]) {
    if !matches!(encoding, 1 | 2) {
        let end = b.iter().position(|&c| c == 0).unwrap_or(b.len());
        return (decode(b.get(..end).unwrap_or_default()), b.get(end + 1..).unwrap_or_default());
    }
    let end = b.chunks_exact(2).position(|c| c == [0, 0]).map_or(b.len(), |n| 2 * n);
    let rest = b.get(end + 2..).unwrap_or_default();
    let b = b.get(..end).unwrap_or_default();
    let text = match b {
        [0xFF, 0xFE, low @ ..] => utf16(low, false),
        [0xFE, 0xFF, high @ ..] => utf16(high, true),
        plain => utf16(plain, true),
    };
    (text, rest)
}

fn frame(out: &mut Collector, name: &str, b: &[u8], place: Option<(u64, u64)>) {
    let path = format!("ID3v2/{name}");
    let (&encoding, body) = b.split_first().unwrap_or((&0, &[]));
    let wrote = ((Category::People, Harm::Medium), "text somebody or a tool wrote");
    match name {
        "TXXX" | "TXX" | "WXXX" | "WXX" => {
            let (key, rest) = text(encoding, body);
            let value = if name.starts_with('W') { decode(rest) } else { text(encoding, rest).0 };
            let (sense, what) = names::sense(&key).unwrap_or(wrote);
            out.add(sense, what, &value, &format!("{path}/{key}"), place);
        }
        "COMM" | "COM" | "USLT" | "ULT" | "USER" => {
            // A language, what it is about, and the text itself.
            let (about, rest) = text(encoding, body.get(3..).unwrap_or_default());
            let value = if rest.is_empty() { about } else { text(encoding, rest).0 };
            out.add(wrote.0, wrote.1, &value, &path, place);
        }
        "APIC" | "PIC" => {
            let value = size(b.len() as u64);
            out.add((Category::Preview, Harm::High), "embedded picture", &value, &path, place);
        }
        "GEOB" | "GEO" => {
            let value = size(b.len() as u64);
            out.add((Category::Hidden, Harm::High), "embedded file", &value, &path, place);
        }
        "UFID" | "UFI" | "MCDI" | "MCI" => {
            out.add((Category::Link, Harm::High), "unique identifier", &decode(b), &path, place);
        }
        "PRIV" => {
            let what = "private data of a program";
            out.add((Category::Link, Harm::Medium), what, &decode(b), &path, place);
        }
        "POPM" | "POP" | "OWNE" | "COMR" => {
            let what = "who rated, owns or sells it";
            out.add((Category::People, Harm::High), what, &decode(b), &path, place);
        }
        _ if name.starts_with('T') => {
            let known = TEXTS.iter().find(|(start, _)| name.starts_with(start));
            let (sense, what) = known.map_or(wrote, |(_, word)| names::sense_or_other(word));
            // Several values of one frame stand one after the other.
            let (first, rest) = text(encoding, body);
            let more = text(encoding, rest).0;
            let value = if more.is_empty() { first } else { format!("{first}; {more}") };
            out.add(sense, what, &value, &path, place);
        }
        _ if name.starts_with('W') => {
            out.add((Category::Link, Harm::Medium), "address on the web", &decode(b), &path, place);
        }
        _ => {
            let value = size(b.len() as u64);
            out.add((Category::Other, Harm::Low), "other metadata", &value, &path, place);
        }
    }
}

/// Lists tags at the end of a file: ID3v1 with its extension, Lyrics3, APE.
pub(super) fn behind(source: &mut Source<'_>, out: &mut Collector) {
    let mut end = source.len();
    if let Some(at) = end.checked_sub(128)
        && let Ok(b) = source.array::<128>(at)
        && b.starts_with(b"TAG")
    {
        for (from, length, word) in [
            (3, 30, "Title"),
            (33, 30, "Artist"),
            (63, 30, "Title of the album"),
            (93, 4, "Year"),
            (97, 30, "Comment"),
        ] {
            let value = decode(part(&b, from, length).unwrap_or_default());
            if !value.trim().is_empty() {
                let (sense, what) = names::sense_or_other(word);
                let place = Some((at + from as u64, at + (from + length) as u64));
                out.add(sense, what, &value, &format!("ID3v1/{word}"), place);
            }
        }
        end = at;
        if let Some(at) = end.checked_sub(227)
            && source.array::<4>(at) == Ok(*b"TAG+")
        {
            let value = decode(&source.upto(at + 4, end, 180).unwrap_or_default());
            let what = "title and author, in full length";
            out.add((Category::People, Harm::Medium), what, &value, "ID3v1+", Some((at, end)));
            end = at;
        }
    }
    if let Some(at) = end.checked_sub(9)
        && source.array::<9>(at) == Ok(*b"LYRICS200")
    {
        let from = end.saturating_sub(64 << 10);
        let tail = source.upto(from, end, 64 << 10).unwrap_or_default();
        if let Some(n) = find(&tail, b"LYRICSBEGIN") {
            let place = Some((from + n as u64, end));
            let value = decode(tail.get(n + 11..).unwrap_or_default());
            let what = "text somebody or a tool wrote";
            out.add((Category::People, Harm::Medium), what, &value, "Lyrics3", place);
            end = from + n as u64;
        }
    }
    ape(source, out, end);
}

/// An APE tag that ends at `end` (Hydrogenaudio, "APEv2 specification").
fn ape(source: &mut Source<'_>, out: &mut Collector, end: u64) -> Option<()> {
    let foot = source.array::<32>(end.checked_sub(32)?).ok()?;
    foot.starts_with(b"APETAGEX").then_some(())?;
    let start = end.checked_sub(u64::from(le32(&foot, 12)?))?;
    let body = source.upto(start, end - 32, MAX_TAG).unwrap_or_default();
    let mut at = 0usize;
    for _ in 0..MAX_FRAMES {
        let (length, flags) = (le32(&body, at)? as usize, le32(&body, at + 4)?);
        let key = body.get(at + 8..)?.iter().take(256).position(|&b| b == 0)?;
        let name = decode(part(&body, at + 8, key)?);
        let from = at + 9 + key;
        let value = part(&body, from, length)?;
        let place = Some((start + from as u64, start + (from + length) as u64));
        let path = format!("APE/{name}");
        if flags >> 1 & 3 == 1 {
            let kind = if name.to_lowercase().starts_with("cover") {
                ((Category::Preview, Harm::High), "embedded picture")
            } else {
                ((Category::Hidden, Harm::Medium), "binary data in a tag")
            };
            out.add(kind.0, kind.1, &size(length as u64), &path, place);
        } else {
            named(out, &name, &decode(value), &path, place);
        }
        at = from + length;
    }
    Some(())
}

/// A text with a name of its own.
fn named(out: &mut Collector, name: &str, value: &str, path: &str, place: Option<(u64, u64)>) {
    let wrote = ((Category::People, Harm::Medium), "text somebody or a tool wrote");
    let (sense, what) = names::sense(name).unwrap_or(wrote);
    out.add(sense, what, value, path, place);
}

/// Lists Vorbis comments; `at` is where `b` stands, if it stands in one piece.
pub(super) fn vorbis(out: &mut Collector, b: &[u8], at: Option<u64>, path: &str) -> Option<()> {
    let place =
        |from: usize, length: usize| at.map(|at| (at + from as u64, at + (from + length) as u64));
    let vendor = le32(b, 0)? as usize;
    let text = decode(part(b, 4, vendor)?);
    if !text.trim().is_empty() {
        let sense = (Category::Software, Harm::Low);
        out.add(sense, "software", &text, &format!("{path}/vendor"), place(4, vendor));
    }
    let mut next = 4 + vendor;
    let count = le32(b, next)?;
    next += 4;
    for _ in 0..count.min(MAX_FRAMES as u32) {
        let length = le32(b, next)? as usize;
        let comment = part(b, next + 4, length)?;
        let from = next + 4;
        next = from + length;
        let cut = comment.iter().position(|&c| c == b'=').unwrap_or(0);
        let name = decode(comment.get(..cut).unwrap_or_default());
        let path = format!("{path}/{name}");
        let place = place(from, length);
        if matches!(name.to_ascii_uppercase().as_str(), "METADATA_BLOCK_PICTURE" | "COVERART") {
            let value = size(length as u64);
            out.add((Category::Preview, Harm::High), "embedded picture", &value, &path, place);
        } else {
            let value = decode(comment.get(cut + 1..).unwrap_or_default());
            named(out, &name, &value, &path, place);
        }
    }
    Some(())
}
