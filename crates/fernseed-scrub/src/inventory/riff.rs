//! RIFF files: AVI video and WAVE sound.

use super::collect::Collector;
use super::names;
use super::text::{decode, size};
use super::{Category, Harm, exif, tags, xmp};
use crate::bytes::{fourcc, le32, part};
use crate::source::Source;

/// A chunk of a RIFF file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk {
    pub(super) kind: [u8; 4],
    pub(super) start: u64,
    pub(super) body: u64,
    /// End of the content, without the padding byte.
    pub(super) end: u64,
}

impl Chunk {
    /// The chunk at `at`; cut at `end` if it says it is longer.
    pub(super) fn read(source: &mut Source<'_>, at: u64, end: u64) -> Option<Self> {
        let head = source.array::<8>(at).ok()?;
        let length = u64::from(le32(&head, 4)?);
        let kind = [head[0], head[1], head[2], head[3]];
        let body = at + 8;
        (body <= end).then(|| Self { kind, start: at, body, end: (body + length).min(end) })
    }

    /// Where the next chunk begins.
    pub(super) const fn next(&self) -> u64 {
        let length = self.end - self.body;
        self.end + length % 2
    }
}

/// Names of INFO entries (RIFF MCI, EXIF 2.3 for AVI).
const INFO: &[(&[u8; 4], &str)] = &[
    (b"IARL", "ArchivalLocation"),
    (b"IART", "Artist"),
    (b"ICMS", "Commissioned owner"),
    (b"ICMT", "Comment"),
    (b"ICOP", "Copyright"),
    (b"ICRD", "DateCreated"),
    (b"IDIT", "DateTimeOriginal"),
    (b"IENG", "Engineer artist"),
    (b"IKEY", "Keywords"),
    (b"INAM", "Title"),
    (b"IPRD", "Product model"),
    (b"ISBJ", "Subject"),
    (b"ISFT", "Software"),
    (b"ISRC", "Source"),
    (b"ITCH", "Technician artist"),
    (b"ISMP", "TimeCode"),
    (b"ecor", "Make"),
    (b"emdl", "Model"),
    (b"etim", "TimeCreated"),
    (b"emnt", "MakerNotes"),
    (b"eucm", "UserComment"),
    (b"erel", "RelatedImageFile name"),
    (b"tima", "Time"),
];

/// Lists an AVI or WAVE file; returns its plain name.
pub(super) fn list(source: &mut Source<'_>, out: &mut Collector) -> &'static str {
    let len = source.len();
    let form = source.array::<4>(8).unwrap_or_default();
    let head = source.array::<4>(4).unwrap_or_default();
    let declared = u64::from(u32::from_le_bytes(head)) + 8;
    let mut at = 0;
    // Long AVI files are several RIFF chunks in a row.
    while let Some(top) = Chunk::read(source, at, len)
        && &top.kind == b"RIFF"
    {
        chunks(source, out, top.body + 4, top.end, "RIFF", 0);
        at = top.next();
        if out.full() {
            break;
        }
    }
    if declared > len {
        out.note("The file is shorter than it says: it is cut short.");
    } else if at < len {
        let what = "data after the end of the file's structure";
        out.add(
            (Category::Hidden, Harm::High),
            what,
            &size(len - at),
            "(after RIFF)",
            Some((at, len)),
        );
    }
    match &form {
        b"AVI " => "AVI video",
        b"WAVE" => "WAV sound",
        _ => "RIFF file",
    }
}

fn chunks(
    source: &mut Source<'_>,
    out: &mut Collector,
    from: u64,
    end: u64,
    path: &str,
    depth: u32,
) {
    let mut at = from;
    let mut count = 0;
    while at + 8 <= end {
        let Some(c) = Chunk::read(source, at, end) else { return };
        count += 1;
        if count > 50_000 || depth > 8 || out.full() {
            return;
        }
        let name = format!("{path}/{}", fourcc(c.kind).trim_end());
        let place = Some((c.start, c.next()));
        let length = c.end - c.body;
        match &c.kind {
            b"LIST" => {
                let form = source.array::<4>(c.body).unwrap_or_default();
                // Frames themselves are not walked.
                if &form != b"movi" {
                    let name = format!("{path}/{}", fourcc(form).trim_end());
                    chunks(source, out, c.body + 4, c.end, &name, depth + 1);
                }
            }
            b"avih" | b"strh" | b"strf" | b"idx1" | b"fmt " | b"data" | b"fact" | b"indx"
            | b"dmlh" | b"vprp" => {}
            b"JUNK" | b"PAD " => junk(source, out, c, &name),
            b"_PMX" => {
                let body = source.bytes(c.body, length.min(4 << 20)).unwrap_or_default();
                xmp::list(&body, out, &name, place);
            }
            b"strd" => {
                let body = source.bytes(c.body, length.min(1 << 20)).unwrap_or_default();
                let what = "camera's private data";
                out.add((Category::Link, Harm::Medium), what, &size(length), &name, place);
                for mark in [&b"II*\0"[..], b"MM\0*"] {
                    if let Some(at) = crate::bytes::find(body.get(..64).unwrap_or(&body), mark) {
                        exif::list(source, out, c.body + at as u64, length - at as u64, &name);
                    }
                }
                dated(&body, out, &name, place);
            }
            b"strn" => {
                let value = text(source, c);
                out.add((Category::Software, Harm::Low), "track name", &value, &name, place);
            }
            b"bext" => bext(source, out, c, &name),
            b"id3 " | b"ID3 " => {
                if tags::id3v2(source, out, c.body).is_none() {
                    let what = "title, author and other tags (ID3)";
                    out.add((Category::People, Harm::Medium), what, &size(length), &name, place);
                }
            }
            kind => {
                let known = INFO.iter().find(|(k, _)| *k == kind);
                let value = text(source, c);
                match known {
                    Some((_, word)) => {
                        let (sense, what) = names::sense_or_other(word);
                        out.add(sense, what, &value, &format!("{path}/{word}"), place);
                    }
                    None if path.ends_with("INFO") || path.ends_with("exif") => {
                        let what = "text somebody or a tool wrote";
                        out.add((Category::People, Harm::Medium), what, &value, &name, place);
                    }
                    None => {
                        let what = "unknown block";
                        out.add(
                            (Category::Hidden, Harm::Medium),
                            what,
                            &size(length),
                            &name,
                            place,
                        );
                    }
                }
            }
        }
        at = c.next();
    }
}

fn text(source: &mut Source<'_>, c: Chunk) -> String {
    decode(&source.upto(c.body, c.end, 1024).unwrap_or_default())
}

/// Free space is only free if it is empty.
fn junk(source: &mut Source<'_>, out: &mut Collector, c: Chunk, path: &str) {
    let body = source.upto(c.body, c.end, 64 * 1024).unwrap_or_default();
    if body.iter().all(|&b| b == 0) {
        return;
    }
    let place = Some((c.start, c.end));
    let value = format!("{} {}", size(c.end - c.body), decode(&body));
    out.add((Category::Hidden, Harm::Medium), "free space that is not empty", &value, path, place);
    dated(&body, out, path, place);
}

/// Broadcast wave extension (EBU Tech 3285).
fn bext(source: &mut Source<'_>, out: &mut Collector, c: Chunk, path: &str) {
    let body = source.upto(c.body, c.end, 602).unwrap_or_default();
    let place = Some((c.start, c.end));
    for (at, length, name) in [
        (0, 256, "Description"),
        (256, 32, "Originator author"),
        (288, 32, "OriginatorReference identifier"),
        (320, 10, "DateTimeOriginal"),
        (330, 8, "TimeCreated"),
    ] {
        let value = decode(part(&body, at, length).unwrap_or_default());
        if !value.trim().is_empty() {
            let (sense, what) = names::sense_or_other(name);
            out.add(sense, what, &value, &format!("{path}/{name}"), place);
        }
    }
}

/// A date of the form 2005:08:11 14:03:54 inside private data.
fn dated(body: &[u8], out: &mut Collector, path: &str, place: Option<(u64, u64)>) {
    let found = body.windows(19).find(|w| {
        w.iter().enumerate().all(|(i, b)| match i {
            4 | 7 => matches!(b, b':' | b'/' | b'-'),
            10 => *b == b' ',
            13 | 16 => *b == b':',
            _ => b.is_ascii_digit(),
        })
    });
    if let Some(date) = found {
        let path = format!("{path}/DateTimeOriginal");
        out.add((Category::Time, Harm::Medium), "date and time", &decode(date), &path, place);
    }
}
