//! Ogg with one stream of Vorbis or Opus, as our writer lays it out.

use super::claims::Claims;
use super::sums::Sum;
use crate::bytes::{le16, le32, part};
use crate::source::Source;
use fernseed_core::finding::FindingCode;

/// Longest packet that is put together to be looked at.
const MAX_PACKET: usize = 1 << 20;

/// What is known of the stream so far.
#[derive(Default)]
struct Stream {
    opus: bool,
    /// Opus streams in each packet.
    streams: u8,
    packets: u64,
    /// The packet that goes on in the next page.
    open: Vec<u8>,
}

pub(super) fn account(source: &mut Source<'_>, claims: &mut Claims) {
    let len = source.len();
    let mut stream = Stream::default();
    let mut sequence = 0u32;
    let mut granule = i64::MIN;
    let mut ended = false;
    let mut at = 0u64;
    while at < len {
        let head = source.upto(at, len, 282).unwrap_or_default();
        let page = (|| {
            (part(&head, 0, 5)? == b"OggS\0").then_some(())?;
            let flags = *head.get(5)?;
            let position = i64::from_le_bytes(part(&head, 6, 8)?.try_into().ok()?);
            let count = usize::from(*head.get(26)?);
            Some((flags, position, part(&head, 27, count)?.to_vec()))
        })();
        let Some((flags, position, lacing)) = page else {
            claims.foreign("", at, len, "Bytes that are not a page.");
            return;
        };
        let start = at + 27 + lacing.len() as u64;
        let size = lacing.iter().map(|&n| u64::from(n)).sum();
        let Ok(body) = source.bytes(start, size) else {
            claims.foreign("", at, len, "A page that is cut short.");
            return;
        };
        let end = start + size;
        claims.own("page", at, start);
        let sum = Sum::ogg()
            .add(part(&head, 0, 22).unwrap_or_default())
            .add(&[0; 4])
            .add(part(&head, 26, 1 + lacing.len()).unwrap_or_default())
            .add(&body);
        let sound = stream.packets >= if stream.opus { 2 } else { 3 };
        let right = le32(&head, 14) == Some(1)
            && le32(&head, 18) == Some(sequence)
            && le32(&head, 22).map(u64::from) == Some(sum.value)
            && flags & 1 == u8::from(!stream.open.is_empty())
            && flags & 2 == u8::from(sequence == 0) << 1
            && flags & 4 == u8::from(end == len) << 2
            && flags < 8
            && (position >= granule || position == -1)
            && (sound || matches!(position, 0 | -1));
        if !right {
            let message = "A page header that our writer does not write.";
            claims.wrong("page", at, start, message);
        }
        if position != -1 {
            granule = position;
        }
        packets(claims, &mut stream, &lacing, &body, start);
        sequence = sequence.wrapping_add(1);
        ended = flags & 4 != 0;
        at = end;
    }
    if !ended || stream.packets < 3 || !stream.open.is_empty() {
        claims.wrong("page", 0, len, "The stream does not end.");
    }
}

/// Looks at the packets of one page.
fn packets(claims: &mut Claims, stream: &mut Stream, lacing: &[u8], body: &[u8], start: u64) {
    let mut at = 0usize;
    let mut from = 0usize;
    for &length in lacing {
        let piece = part(body, at, length.into()).unwrap_or_default();
        if stream.open.len() + piece.len() <= MAX_PACKET {
            stream.open.extend(piece);
        }
        at += piece.len();
        if length == 255 {
            continue;
        }
        let packet = std::mem::take(&mut stream.open);
        let (path, wrong) = look(stream, &packet);
        let (first, last) = (start + from as u64, start + at as u64);
        if path == "comments" && wrong.is_some() {
            let message = "A comment header that is not empty.";
            claims.foreign_as(FindingCode::MetadataLeft, path, first, last, message);
        } else {
            claims.own(path, first, last);
            if let Some(message) = wrong {
                claims.wrong(path, first, last, message);
            }
        }
        stream.packets += 1;
        from = at;
    }
    if from < at {
        let headers = if stream.opus { 2 } else { 3 };
        let path = if stream.packets < headers { "setup" } else { "packets (data)" };
        claims.own(path, start + from as u64, start + at as u64);
    }
}

/// Where a packet belongs, and what is wrong with it.
fn look(stream: &mut Stream, b: &[u8]) -> (&'static str, Option<&'static str>) {
    let head = "A header that our writer does not write.";
    let good = match stream.packets {
        0 if b.starts_with(b"OpusHead") => {
            stream.opus = true;
            let family = b.get(18).copied();
            let channels = usize::from(b.get(9).copied().unwrap_or_default());
            stream.streams = if family == Some(0) { 1 } else { b.get(19).copied().unwrap_or(0) };
            let length = if family == Some(0) { 19 } else { 21 + channels };
            b.len() == length
                && b.get(8) == Some(&1)
                && channels > 0
                && le32(b, 12) == Some(48_000)
                && matches!(family, Some(0 | 1 | 255))
        }
        0 => {
            b.len() == 30
                && part(b, 0, 11) == Some(b"\x01vorbis\0\0\0\0")
                && part(b, 16, 12) == Some(&[0; 12])
                && b.get(29) == Some(&1)
        }
        1 if stream.opus => return comments(b == b"OpusTags\0\0\0\0\0\0\0\0"),
        1 => return comments(b == b"\x03vorbis\0\0\0\0\0\0\0\0\x01"),
        2 if !stream.opus => {
            let sound = part(b, 0, 7) == Some(b"\x05vorbis") && b.last().is_some_and(|&l| l != 0);
            return ("setup", (!sound).then_some(head));
        }
        _ if stream.opus => {
            let message = "A packet that is not Opus, or padding that is not empty.";
            return ("packets (data)", (!opus(b, stream.streams)).then_some(message));
        }
        _ => {
            let sound = b.first().is_some_and(|f| f & 1 == 0);
            return ("packets (data)", (!sound).then_some("A packet that is no sound."));
        }
    };
    ("identification", (!good).then_some(head))
}

const fn comments(empty: bool) -> (&'static str, Option<&'static str>) {
    ("comments", if empty { None } else { Some("A comment header that is not empty.") })
}

/// True if nothing but zeros stands in the padding of an Opus packet
/// (RFC 6716, 3.2.5). Of several streams only the last is looked into.
fn opus(b: &[u8], streams: u8) -> bool {
    let Some(toc) = b.first() else { return false };
    if streams != 1 || toc & 3 != 3 {
        return true;
    }
    let Some(count) = le16(b, 0).map(|n| n >> 8) else { return false };
    if count & 0x40 == 0 {
        return true;
    }
    let mut padding = 0;
    for (n, &more) in b.iter().enumerate().skip(2) {
        padding += usize::from(more.min(254));
        if more < 255 {
            let from = b.len().checked_sub(padding).filter(|&f| f > n);
            let rest = from.and_then(|f| b.get(f..));
            return rest.is_some_and(|r| r.iter().all(|&z| z == 0));
        }
    }
    false
}
