//! Where sound files and archives keep their metadata.
//!
//! The inventory knows pictures and video; here the formats of sound and the
//! archives are cut into blocks that hold neither samples nor members.

use crate::bytes::{be24, be32, le16, le32, part};
use crate::source::Source;

/// Bytes of metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) path: String,
    pub(super) start: u64,
    pub(super) end: u64,
}

/// Most blocks.
const MAX_BLOCKS: usize = 10_000;

/// The blocks of metadata in a sound file or an archive; none for other
/// files.
pub(super) fn metadata(source: &mut Source<'_>) -> Vec<Block> {
    let len = source.len();
    let head = source.upto(0, len, 300).unwrap_or_default();
    let at = |n: usize, what: &[u8]| part(&head, n, what.len()) == Some(what);
    let mut out = Vec::new();
    if at(8, b"WAVE") || at(0, b"FORM") {
        chunks(source, at(0, b"FORM"), &mut out);
    } else if at(0, b"OggS") {
        ogg(source, &mut out);
    } else if at(0, b"PK\x03\x04") {
        zip(source, &mut out);
    } else if at(257, b"ustar") {
        tar(source, &mut out);
    }
    tags(source, &mut out);
    out.truncate(MAX_BLOCKS);
    out
}

fn block(path: &str, start: u64, end: u64) -> Block {
    Block { path: path.to_owned(), start, end }
}

/// Chunks of RIFF and AIFF that are neither format nor samples, and what
/// stands behind them.
fn chunks(source: &mut Source<'_>, big: bool, out: &mut Vec<Block>) {
    let len = source.len();
    let mut at = 12u64;
    while let Ok(head) = source.array::<8>(at) {
        let size = if big { be32(&head, 4) } else { le32(&head, 4) };
        let end = (at + 8).saturating_add(u64::from(size.unwrap_or_default())).min(len);
        let name = crate::bytes::fourcc([head[0], head[1], head[2], head[3]]);
        if !matches!(name.as_str(), "fmt " | "data" | "fact" | "ds64" | "COMM" | "SSND" | "FVER") {
            out.push(block(&name, at + 8, end));
        }
        at = end + (end - at) % 2;
        if out.len() >= MAX_BLOCKS {
            return;
        }
    }
    if at < len {
        out.push(block("(after the end)", at, len));
    }
}

/// Comment headers: the first pages that are not the very first.
fn ogg(source: &mut Source<'_>, out: &mut Vec<Block>) {
    let mut at = 0u64;
    for _ in 0..256 {
        let head = source.upto(at, source.len(), 282).unwrap_or_default();
        let granule = part(&head, 6, 8).map(<[u8]>::to_vec);
        let (Some(b"OggS"), Some(&count)) = (part(&head, 0, 4), head.get(26)) else { return };
        let lacing = part(&head, 27, count.into()).unwrap_or_default();
        let start = at + 27 + u64::from(count);
        let end = start + lacing.iter().map(|&n| u64::from(n)).sum::<u64>();
        if granule.is_none_or(|g| g != [0; 8] && g != [0xFF; 8]) {
            return;
        }
        if head.get(5).is_some_and(|f| f & 2 == 0) {
            // The setup of the decoder follows in the same page and is kept.
            let body = source.upto(start, end, 1 << 20).unwrap_or_default();
            let setup = crate::bytes::find(&body, b"\x05vorbis");
            let marked = [&b"\x03vorbis"[..], b"OpusTags"].iter().any(|m| body.starts_with(m));
            let stop = setup.map_or(end, |n| start + n as u64);
            if marked || setup.is_none() && out.last().is_some_and(|b| b.end + 300 > start) {
                out.push(block("comment header", start, stop));
            }
            if setup.is_some() {
                return;
            }
        }
        at = end;
    }
}

/// The directory of a ZIP file: comments and extra fields of its members.
fn zip(source: &mut Source<'_>, out: &mut Vec<Block>) {
    let len = source.len();
    let from = len.saturating_sub(66_000);
    let tail = source.upto(from, len, 66_000).unwrap_or_default();
    let Some(n) = tail.windows(4).rposition(|w| w == b"PK\x05\x06") else { return };
    if let Some(comment) = le16(&tail, n + 20).filter(|&c| c > 0) {
        let start = from + n as u64 + 22;
        out.push(block("comment", start, start + u64::from(comment)));
    }
    let mut at = u64::from(le32(&tail, n + 16).unwrap_or_default());
    while let Ok(head) = source.array::<46>(at) {
        let sizes = [28, 30, 32].map(|n| u64::from(le16(&head, n).unwrap_or_default()));
        if part(&head, 0, 4) != Some(b"PK\x01\x02") || out.len() >= MAX_BLOCKS {
            return;
        }
        let [name, extra, comment] = sizes;
        let end = at + 46 + name + extra + comment;
        if extra + comment > 0 {
            out.push(block("directory", at + 46 + name, end));
        }
        let local = u64::from(le32(&head, 42).unwrap_or_default());
        if let Ok(head) = source.array::<30>(local) {
            let name = u64::from(le16(&head, 26).unwrap_or_default());
            let extra = u64::from(le16(&head, 28).unwrap_or_default());
            let start = local + 30 + name;
            out.push(block("extra field", start, start + extra));
        }
        at = end;
    }
}

/// Owners in the headers of a TAR file, and PAX records.
fn tar(source: &mut Source<'_>, out: &mut Vec<Block>) {
    let mut at = 0u64;
    while let Ok(head) = source.array::<512>(at) {
        let digits = part(&head, 124, 11).unwrap_or_default();
        let size = digits
            .iter()
            .filter(|b| b.is_ascii_digit())
            .fold(0u64, |n, b| n.saturating_mul(8).saturating_add(u64::from(b & 7)));
        if head.iter().all(|&b| b == 0) || out.len() >= MAX_BLOCKS {
            return;
        }
        out.push(block("owner", at + 265, at + 329));
        let body = at + 512;
        if matches!(head.get(156), Some(b'x' | b'g')) {
            out.push(block("pax record", body, body.saturating_add(size)));
        }
        at = body.saturating_add(size.div_ceil(512).saturating_mul(512));
    }
}

/// Tags before and behind a stream, and the blocks of FLAC.
fn tags(source: &mut Source<'_>, out: &mut Vec<Block>) {
    let len = source.len();
    let mut at = 0u64;
    while let Ok(head) = source.array::<10>(at)
        && part(&head, 0, 3) == Some(b"ID3")
        && out.len() < MAX_BLOCKS
    {
        let size = head.iter().skip(6).fold(0u64, |n, &b| n << 7 | u64::from(b & 0x7F));
        let end = (at + 10 + size).min(len);
        out.push(block("ID3v2", at + 10, end));
        at = end;
    }
    if source.array::<4>(at) == Ok(*b"fLaC") {
        at += 4;
        while let Ok(head) = source.array::<4>(at) {
            let end = at + 4 + u64::from(be24(&head, 1).unwrap_or_default());
            if head[0] & 0x7F != 0 {
                out.push(block("metadata block", at + 4, end.min(len)));
            }
            at = end;
            if head[0] & 0x80 != 0 || out.len() >= MAX_BLOCKS {
                break;
            }
        }
    }
    let from = len.saturating_sub(64 << 10);
    let tail = source.upto(from, len, 64 << 10).unwrap_or_default();
    for (mark, name) in [
        (&b"APETAGEX"[..], "APE"),
        (b"LYRICSBEGIN", "Lyrics3"),
        (b"TAG+", "ID3v1"),
        (b"TAG", "ID3v1"),
    ] {
        let found = crate::bytes::find(&tail, mark).map(|n| from + n as u64);
        // Three letters alone may be chance.
        let found = found.filter(|&f| mark != b"TAG" || len - f == 128);
        if let Some(start) = found {
            out.push(block(name, start, len));
        }
    }
    let last = len.saturating_sub(128);
    if source.array::<3>(last) == Ok(*b"TAG") {
        out.push(block("ID3v1", last, len));
    }
}
