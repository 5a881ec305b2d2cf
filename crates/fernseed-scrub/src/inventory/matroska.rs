//! Matroska and WebM: titles, dates, identifiers, tags, attachments
//! (RFC 9559).

use super::collect::Collector;
use super::names;
use super::text::{date, decode, hex, size};
use super::{Category, Harm};
use crate::bytes::be64;
use crate::ebml::{self, Element};
use crate::source::Source;

/// Most elements that are visited.
const MAX_ELEMENTS: u32 = 400_000;

#[derive(Default)]
struct State {
    visited: u32,
    webm: bool,
    /// Name of the tag being read, and of the attachment.
    tag: String,
    attachment: String,
    encoder_seen: bool,
}

/// Lists a Matroska file; returns its plain name.
pub(super) fn list(source: &mut Source<'_>, out: &mut Collector) -> &'static str {
    let mut state = State::default();
    let len = source.len();
    walk(source, out, &mut state, 0, len, "", 0);
    if state.webm { "WebM video" } else { "Matroska video" }
}

/// Containers that are entered, with their names.
const PARENTS: &[(u32, &str)] = &[
    (0x1A45_DFA3, "EBML"),
    (0x1853_8067, "Segment"),
    (0x1549_A966, "Info"),
    (0x1654_AE6B, "Tracks"),
    (0xAE, "TrackEntry"),
    (0x1254_C367, "Tags"),
    (0x7373, "Tag"),
    (0x67C8, "SimpleTag"),
    (0x1941_A469, "Attachments"),
    (0x61A7, "AttachedFile"),
    (0x1043_A770, "Chapters"),
    (0x45B9, "EditionEntry"),
    (0xB6, "ChapterAtom"),
    (0x80, "ChapterDisplay"),
];

/// Elements without a meaning for people: positions, sizes, codec data.
const QUIET: &[u32] = &[
    0x114D_9B74,
    0x1C53_BB6B,
    0x1F43_B675,
    0x4286,
    0x42F7,
    0x42F2,
    0x42F3,
    0x4282,
    0x4287,
    0x4285,
    0x002A_D7B1,
    0x4489,
    0xD7,
    0x83,
    0x9C,
    0xB9,
    0x88,
    0x55AA,
    0x0022_B59C,
    0x86,
    0x63A2,
    0x56AA,
    0x56BB,
    0x0023_E383,
    0xE0,
    0xE1,
    0x6DE7,
    0x6DF8,
    0x0023_314F,
    0x63C0,
    0x447A,
    0x4484,
    0x6D80,
    0xAA,
    0x55EE,
    0x45BC,
    0x45BD,
    0x45DB,
    0x73C4,
    0x91,
    0x92,
    0x98,
    0x4598,
    0x437C,
    0xBF,
    0xA3,
    0x53B8,
    0x5654,
    0x0022_B59D,
    0x42F4,
    0x66FC,
    0x0023_4E7A,
    0x41E4,
    0x536E,
];

fn walk(
    source: &mut Source<'_>,
    out: &mut Collector,
    state: &mut State,
    from: u64,
    end: u64,
    path: &str,
    depth: u32,
) {
    let mut at = from;
    while at < end {
        state.visited += 1;
        if state.visited > MAX_ELEMENTS || depth > 10 || out.full() {
            return;
        }
        let whole = ebml::element(source, at, end);
        if whole.is_none() && depth <= 1 {
            out.note("An element does not fit into the file: it is cut short.");
        }
        let Some(e) = whole.or_else(|| ebml::clipped(source, at, end)) else {
            let rest = end - at;
            if depth <= 1 && rest > 0 {
                let what = "bytes that are not part of the structure";
                out.add((Category::Hidden, Harm::Medium), what, &size(rest), path, Some((at, end)));
            }
            return;
        };
        at = e.end;
        if let Some(&(_, name)) = PARENTS.iter().find(|p| p.0 == e.id) {
            let name = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
            walk(source, out, state, e.body, e.end, &name, depth + 1);
        } else if e.open {
            // A live cluster: its children follow as if they were siblings.
            at = e.body;
        } else {
            value(source, out, state, e, path);
        }
    }
}

fn value(source: &mut Source<'_>, out: &mut Collector, state: &mut State, e: Element, path: &str) {
    let place = Some((e.start, e.end));
    let length = e.end - e.body;
    // The first frame may carry the encoder's name as text.
    if matches!(e.id, 0x1F43_B675) && !state.encoder_seen {
        state.encoder_seen = true;
        let data = source.upto(e.body, e.end, 8192).unwrap_or_default();
        if let Some(at) = crate::bytes::find(&data, b"x264 - core") {
            let what = "encoder or camera text in the video stream";
            // The text alone: behind it stands the coded picture, whose bytes
            // belong to the output, too.
            let text = data.get(at..).unwrap_or_default();
            let end = text.iter().position(|b| !(0x20..=0x7E).contains(b));
            let text = text.get(..end.unwrap_or(text.len())).unwrap_or_default();
            let start = e.body + at as u64;
            let place = Some((start, start + text.len() as u64));
            let path = format!("{path}/Cluster/SEI");
            out.add((Category::Software, Harm::Medium), what, &decode(text), &path, place);
        }
        return;
    }
    let data = source.upto(e.body, e.end, 4096).unwrap_or_default();
    let text = decode(&data);
    let mut say = |sense: (Category, Harm), what: &str, value: &str, name: &str| {
        out.add(sense, what, value, &format!("{path}/{name}"), place);
    };
    match e.id {
        0x4282 => state.webm = text == "webm",
        0x4461 => {
            // Nanoseconds since the beginning of 2001.
            let nanos = be64(&data, 0).unwrap_or(0) as i64;
            let value = date(nanos / 1_000_000_000 + 978_307_200);
            say((Category::Time, Harm::Medium), "date and time", &value, "DateTimeOriginal");
        }
        0x7BA9 => say((Category::People, Harm::Medium), "title", &text, "Title"),
        0x4D80 => say((Category::Software, Harm::Low), "software", &text, "MuxingApp"),
        0x5741 => say((Category::Software, Harm::Low), "software", &text, "WritingApp"),
        0x73A4 => say((Category::Link, Harm::High), "unique identifier", &hex(&data), "SegmentUID"),
        0x003E_B923 | 0x003C_B923 | 0x4444 => {
            say(
                (Category::Link, Harm::High),
                "identifier of related files",
                &hex(&data),
                "RelatedUID",
            );
        }
        0x7384 | 0x003E_83BB | 0x003C_83AB => {
            say((Category::Link, Harm::Medium), "file name", &text, "SegmentFilename");
        }
        0x73C5 if data.len() > 1 => {
            say((Category::Link, Harm::Low), "random track number", &hex(&data), "TrackUID");
        }
        0x536E => say((Category::People, Harm::Low), "track name", &text, "TrackName"),
        0x258688 => say((Category::Software, Harm::Low), "codec name", &text, "CodecName"),
        0x45A3 => state.tag = text,
        0x4487 => {
            let name = std::mem::take(&mut state.tag);
            let (sense, what) =
                names::sense(&name).unwrap_or(((Category::People, Harm::Low), "tag"));
            let value = format!("{name}: {text}");
            say(sense, what, &value, &name);
        }
        0x4485 => say((Category::Hidden, Harm::Medium), "binary tag", &size(length), "TagBinary"),
        0x466E => {
            say(
                (Category::Link, Harm::Medium),
                "name of an attached file",
                &text,
                "AttachedFileName",
            );
            state.attachment = text;
        }
        0x467E => say(
            (Category::People, Harm::Medium),
            "text somebody wrote",
            &text,
            "AttachedFileDescription",
        ),
        0x4660 => state.attachment = format!("{} {text}", state.attachment),
        0x46AE => say((Category::Link, Harm::Low), "random number", &hex(&data), "AttachedFileUID"),
        0x465C => {
            let picture = data.starts_with(b"\xFF\xD8") || data.starts_with(b"\x89PNG");
            let sense = if picture { Category::Preview } else { Category::Hidden };
            let value = format!("{} {}", state.attachment, size(length));
            say((sense, Harm::High), "attached file", &value, "AttachedFileData");
        }
        0x85 => say((Category::People, Harm::Medium), "chapter title", &text, "ChapterString"),
        0xEC if data.iter().any(|&b| b != 0) => {
            let what = "free space that is not empty";
            say((Category::Hidden, Harm::Medium), what, &size(length), "Void");
        }
        0xEC => {}
        id if QUIET.contains(&id) => {}
        id if depth_of(path) <= 4 => {
            let name = format!("0x{id:X}");
            if length > 8 {
                say((Category::Hidden, Harm::Low), "unknown block", &size(length), &name);
            }
        }
        _ => {}
    }
}

fn depth_of(path: &str) -> usize {
    path.split('/').count()
}
