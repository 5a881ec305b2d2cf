//! Sound files: MP3, FLAC, Ogg and AIFF. (WAVE is with the other RIFF files.)

use super::collect::Collector;
use super::tags;
use super::text::{decode, size};
use super::{Category, Harm, names};
use crate::bytes::{be24, be32, find, part};
use crate::source::Source;
use std::collections::BTreeMap;

/// Most blocks, chunks or pages walked.
const MAX_STEPS: u32 = 10_000;
/// Most bytes of one block of comments.
const MAX_BLOCK: u64 = 8 << 20;
/// The encoder name that outputs of ours get, whoever coded the sound.
const NEUTRAL: &str = "LAME3.100";

/// True for a file that begins with an ID3 tag or a frame of MP3.
pub(super) fn may_be_mp3(head: &[u8]) -> bool {
    match head {
        [b'I', b'D', b'3', ..] => true,
        // Layer III, and neither bit rate nor sampling rate forbidden.
        [0xFF, b, c, ..] => b & 0xE6 == 0xE2 && c >> 4 != 15 && c >> 2 & 3 != 3,
        _ => false,
    }
}

/// Lists an MP3 file, or a FLAC file behind ID3 tags; returns its plain name.
pub(super) fn mp3(source: &mut Source<'_>, out: &mut Collector) -> &'static str {
    let mut at = 0;
    while let Some(next) = tags::id3v2(source, out, at)
        && next > at
        && !out.full()
    {
        at = next;
    }
    if source.array::<4>(at) == Ok(*b"fLaC") {
        return flac(source, out, at);
    }
    // The first frame may hold no sound but a note of the encoder.
    let frame = source.upto(at, source.len(), 1024).unwrap_or_default();
    let note = [&b"Xing"[..], b"Info"].iter().find_map(|m| find(&frame, m)).filter(|&n| n < 64);
    if let Some(note) = note {
        let rest = frame.get(note..).unwrap_or_default();
        let found = [&b"LAME"[..], b"Lavf", b"Lavc", b"Gogo"].iter().find_map(|m| find(rest, m));
        if let Some(n) = found.filter(|&n| n < 160) {
            let name = decode(part(rest, n, 9).unwrap_or_default());
            let start = at + (note + n) as u64;
            if name != NEUTRAL {
                let sense = (Category::Software, Harm::Low);
                out.add(sense, "encoder", &name, "frame/Info", Some((start, start + 9)));
            }
        }
    }
    tags::behind(source, out);
    "MP3 sound"
}

/// Lists a FLAC file whose mark stands at `at` (RFC 9639, 8).
pub(super) fn flac(source: &mut Source<'_>, out: &mut Collector, at: u64) -> &'static str {
    let mut at = at + 4;
    for _ in 0..MAX_STEPS {
        let Ok(head) = source.array::<4>(at) else { break };
        let length = u64::from(be24(&head, 1).unwrap_or_default());
        let (from, end) = (at + 4, (at + 4 + length).min(source.len()));
        let place = Some((from, end));
        let value = size(length);
        match head[0] & 0x7F {
            // Format and seek table.
            0 | 3 => {}
            1 => {
                let body = source.upto(from, end, 1 << 20).unwrap_or_default();
                if body.iter().any(|&b| b != 0) {
                    let what = "free space that is not empty";
                    out.add((Category::Hidden, Harm::Medium), what, &value, "FLAC/PADDING", place);
                }
            }
            4 => {
                let body = source.upto(from, end, MAX_BLOCK).unwrap_or_default();
                if tags::vorbis(out, &body, Some(from), "FLAC/comment").is_none() {
                    out.note("A block of comments is cut short.");
                }
            }
            5 => {
                let number = decode(&source.upto(from, end, 128).unwrap_or_default());
                let what = "cue sheet with a catalogue number";
                out.add((Category::Link, Harm::Medium), what, &number, "FLAC/CUESHEET", place);
            }
            6 => {
                let what = "embedded picture";
                out.add((Category::Preview, Harm::High), what, &value, "FLAC/PICTURE", place);
            }
            _ => {
                let what = "data of a program";
                out.add((Category::Hidden, Harm::Medium), what, &value, "FLAC/block", place);
            }
        }
        at = end;
        if head[0] & 0x80 != 0 || out.full() {
            break;
        }
    }
    tags::behind(source, out);
    "FLAC sound"
}

/// Lists the comments of all streams in an Ogg file (RFC 3533).
pub(super) fn ogg(source: &mut Source<'_>, out: &mut Collector) -> &'static str {
    let mut at = 0u64;
    // First two packets of each stream, as far as they were read.
    let mut streams: BTreeMap<u32, (usize, Vec<u8>)> = BTreeMap::new();
    for _ in 0..256 {
        let head = source.upto(at, source.len(), 282).unwrap_or_default();
        let (Some(b"OggS"), Some(&count)) = (part(&head, 0, 4), head.get(26)) else { break };
        let lacing = part(&head, 27, count.into()).unwrap_or_default();
        let serial = be32(&head, 14).unwrap_or_default();
        let mut from = at + 27 + u64::from(count);
        let known = streams.len();
        let (done, packet) = streams.entry(serial).or_default();
        for &n in lacing {
            if *done < 2 && (packet.len() as u64) < MAX_BLOCK && known < 64 {
                packet.extend(source.upto(from, source.len(), n.into()).unwrap_or_default());
            }
            from += u64::from(n);
            if n < 255 {
                if *done == 1 {
                    let marks = [&b"\x03vorbis"[..], b"OpusTags", b"\x83theora", b"Speex"];
                    let body = marks.iter().find_map(|m| packet.strip_prefix(*m));
                    let body =
                        body.or_else(|| packet.get(4..).filter(|_| packet.first() == Some(&4)));
                    if let Some(body) = body {
                        tags::vorbis(out, body, None, "Ogg/comment");
                    }
                }
                *done += 1;
                packet.clear();
            }
        }
        at = from;
        if streams.values().all(|s| s.0 >= 2) {
            break;
        }
    }
    tags::behind(source, out);
    "Ogg sound"
}

/// Lists an AIFF file (Apple, "Audio Interchange File Format", 1.3).
pub(super) fn aiff(source: &mut Source<'_>, out: &mut Collector) -> &'static str {
    let len = source.len();
    let mut at = 12u64;
    for _ in 0..MAX_STEPS {
        let Ok(head) = source.array::<8>(at) else { break };
        let length = u64::from(be32(&head, 4).unwrap_or_default());
        let (from, end) = (at + 8, (at + 8 + length).min(len));
        let place = Some((from, end));
        let kind = crate::bytes::fourcc([head[0], head[1], head[2], head[3]]);
        let path = format!("FORM/{}", kind.trim_end());
        let text = decode(&source.upto(from, end, 1024).unwrap_or_default());
        let word = match kind.as_str() {
            "COMM" | "SSND" | "FVER" => None,
            "NAME" => Some("Title"),
            "AUTH" => Some("Author"),
            "(c) " => Some("Copyright"),
            "ANNO" => Some("Comment"),
            _ => Some(""),
        };
        match word {
            None => {}
            Some("") if kind == "ID3 " => {
                tags::id3v2(source, out, from);
            }
            Some("") if kind == "COMT" => {
                // Times and markers stand between the texts.
                let body = source.upto(from, end, 1024).unwrap_or_default();
                let text = decode(body.get(10..).unwrap_or_default());
                let what = "text somebody wrote, with its time";
                out.add((Category::People, Harm::Medium), what, &text, &path, place);
            }
            Some("") => {
                let what = "unknown block";
                out.add((Category::Hidden, Harm::Medium), what, &size(length), &path, place);
            }
            Some(word) => {
                let (sense, what) = names::sense_or_other(word);
                out.add(sense, what, &text, &path, place);
            }
        }
        at = end + (end - at) % 2;
        if out.full() {
            break;
        }
    }
    "AIFF sound"
}
