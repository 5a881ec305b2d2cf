//! Archives: names, times and owners of their members, and what each member
//! gives away itself.

use super::collect::Collector;
use super::text::{date, decode, size};
use super::{Category, Harm, names};
use crate::bytes::{le16, le32, part};
use crate::source::Source;
use flate2::read::{DeflateDecoder, GzDecoder};
use std::io::{Cursor, Read};

/// Most members listed.
const MAX_MEMBERS: u32 = 10_000;
/// Most bytes of one member, and of all packed ones together, unpacked.
const MAX_MEMBER: u64 = 16 << 20;
const MAX_UNPACKED: u64 = 64 << 20;
/// What the name of a member is called. Our outputs keep names.
const NAME: &str = "name of a member";

/// Lists one member whose bytes are `data`; `place` is where they stand, packed
/// or not.
fn member(out: &mut Collector, data: Vec<u8>, path: &str, place: (u64, u64), packed: bool) {
    let len = data.len() as u64;
    let mut cursor = Cursor::new(data);
    let mut inner = Source::new(&mut cursor, len, 2 * MAX_MEMBER);
    let mut list = |out: &mut Collector| {
        let kind = super::formats(&mut inner, out);
        if kind == "unknown" && len > 0 {
            out.note("A member of the archive is of no known format.");
        }
    };
    if packed {
        out.inside(Some(place), |out| out.at_offset(0, path, &mut list));
    } else {
        out.at_offset(place.0, path, &mut list);
    }
}

/// Lists a ZIP file by its directory (PKWARE, APPNOTE 6.3).
pub(super) fn zip(source: &mut Source<'_>, out: &mut Collector) -> &'static str {
    const KIND: &str = "ZIP archive";
    let len = source.len();
    let from = len.saturating_sub(66_000);
    let tail = source.upto(from, len, 66_000).unwrap_or_default();
    let Some(n) = tail.windows(4).rposition(|w| w == b"PK\x05\x06") else {
        out.note("The archive has no directory: it is cut short.");
        return KIND;
    };
    let comment = u64::from(le16(&tail, n + 20).unwrap_or_default());
    let behind = from + n as u64 + 22;
    if comment > 0 {
        let text = decode(tail.get(n + 22..).unwrap_or_default());
        let place = Some((behind, (behind + comment).min(len)));
        out.add((Category::People, Harm::Medium), "comment", &text, "ZIP/comment", place);
    }
    let mut at = u64::from(le32(&tail, n + 16).unwrap_or_default());
    let mut room = MAX_UNPACKED;
    for number in 1..=MAX_MEMBERS {
        let Ok(head) = source.array::<46>(at) else { break };
        if !head.starts_with(b"PK\x01\x02") || out.full() {
            break;
        }
        let short = |n: usize| u64::from(le16(&head, n).unwrap_or_default());
        let long = |n: usize| u64::from(le32(&head, n).unwrap_or_default());
        let path = format!("ZIP/member {number}");
        let (name, extra, comment) = (short(28), short(30), short(32));
        let text = decode(&source.upto(at + 46, len, name).unwrap_or_default());
        let place = Some((at + 46, at + 46 + name));
        out.add((Category::Link, Harm::Low), NAME, &text, &format!("{path}/(name)"), place);
        dos_time(out, short(12), short(14), &path, (at + 12, at + 16));
        let fields = source.upto(at + 46 + name, len, extra).unwrap_or_default();
        extras(out, &fields, &path, at + 46 + name);
        if comment > 0 {
            let start = at + 46 + name + extra;
            let text = decode(&source.upto(start, len, comment).unwrap_or_default());
            let sense = (Category::People, Harm::Medium);
            out.add(
                sense,
                "comment",
                &text,
                &format!("{path}/comment"),
                Some((start, start + comment)),
            );
        }
        let (method, packed, local) = (short(10), long(20), long(42));
        if let Ok(b) = source.array::<30>(local) {
            let skip = le16(&b, 26).unwrap_or_default().into();
            let start =
                local + 30 + u64::from(le16(&b, 28).unwrap_or_default()).saturating_add(skip);
            let data = source.upto(start, len, packed.min(MAX_MEMBER)).unwrap_or_default();
            let place = (start, start + data.len() as u64);
            match method {
                0 => member(out, data, &path, place, false),
                8 => {
                    let mut plain = Vec::new();
                    let most = MAX_MEMBER.min(room);
                    // What can be unpacked before an error is listed.
                    let _partly = DeflateDecoder::new(&data[..]).take(most).read_to_end(&mut plain);
                    room -= plain.len() as u64;
                    member(out, plain, &path, place, true);
                }
                _ => out.note("A member is packed in a way that is not read."),
            }
        }
        at += 46 + name + extra + comment;
    }
    KIND
}

/// A time of MS-DOS, unless it is the earliest there is.
fn dos_time(out: &mut Collector, time: u64, day: u64, path: &str, place: (u64, u64)) {
    if (time, day) == (0, 0x21) || (time, day) == (0, 0) {
        return;
    }
    let value = format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
        1980 + (day >> 9),
        day >> 5 & 15,
        day & 31,
        time >> 11,
        time >> 5 & 63,
        2 * (time & 31)
    );
    let sense = (Category::Time, Harm::Medium);
    out.add(sense, "date and time", &value, &format!("{path}/ModifyDate"), Some(place));
}

/// Extra fields of a member (Info-ZIP, `proginfo/extrafld.txt`).
fn extras(out: &mut Collector, b: &[u8], path: &str, start: u64) {
    let mut at = 0usize;
    while let (Some(kind), Some(length)) = (le16(b, at), le16(b, at + 2)) {
        let length = usize::from(length);
        let body = part(b, at + 4, length).unwrap_or_default();
        let place = Some((start + at as u64, start + (at + 4 + length) as u64));
        let path = format!("{path}/extra {kind:04x}");
        match kind {
            0x5455 => {
                let when = le32(body, 1).map_or_else(String::new, |s| date(s.into()));
                out.add((Category::Time, Harm::Medium), "date and time", &when, &path, place);
            }
            0x000A | 0x5855 => {
                let value = size(length as u64);
                out.add((Category::Time, Harm::Medium), "dates and times", &value, &path, place);
            }
            0x7875 | 0x7855 => {
                let number = le32(body, 3).or_else(|| le16(body, 0).map(u32::from));
                let value = number.map_or_else(String::new, |n| n.to_string());
                let what = "number of the owner's account";
                out.add((Category::People, Harm::Medium), what, &value, &path, place);
            }
            _ => {
                let value = size(length as u64);
                out.add(
                    (Category::Hidden, Harm::Medium),
                    "unknown extra field",
                    &value,
                    &path,
                    place,
                );
            }
        }
        at += 4 + length;
    }
}

/// Lists a TAR file (POSIX.1-2017, pax).
pub(super) fn tar(source: &mut Source<'_>, out: &mut Collector) -> &'static str {
    let mut at = 0u64;
    for number in 1..=MAX_MEMBERS {
        let Ok(head) = source.array::<512>(at) else { break };
        if head.iter().all(|&b| b == 0) || out.full() {
            break;
        }
        let octal = |from: usize, n: usize| {
            let digits = part(&head, from, n).unwrap_or_default().iter();
            let digits =
                digits.skip_while(|b| **b == b' ').take_while(|b| (b'0'..=b'7').contains(b));
            digits.fold(0u64, |n, b| n.saturating_mul(8).saturating_add(u64::from(b & 7)))
        };
        let text = |from: usize, n: usize| decode(part(&head, from, n).unwrap_or_default());
        let path = format!("TAR/member {number}");
        let place = |from: u64, n: u64| Some((at + from, at + from + n));
        let kind = head.get(156).copied().unwrap_or_default();
        let (size, time) = (octal(124, 12), octal(136, 12));
        let body = at + 512;
        let end = body.saturating_add(size).min(source.len());
        match kind {
            b'x' | b'g' => {
                pax(out, &source.upto(body, end, 1 << 20).unwrap_or_default(), &path, body)
            }
            b'L' | b'K' => {}
            _ => {
                let sense = (Category::Link, Harm::Low);
                out.add(sense, NAME, &text(0, 100), &format!("{path}/(name)"), place(0, 100));
            }
        }
        if time > 0 && !matches!(kind, b'x' | b'g') {
            let when = date(i64::try_from(time).unwrap_or_default());
            let sense = (Category::Time, Harm::Medium);
            out.add(sense, "date and time", &when, &format!("{path}/ModifyDate"), place(136, 12));
        }
        for (from, n, word) in [(265, 32, "owner"), (297, 32, "owner's group")] {
            let name = text(from, n);
            if !name.is_empty() {
                let sense = (Category::People, Harm::High);
                out.add(
                    sense,
                    word,
                    &name,
                    &format!("{path}/{word}"),
                    place(from as u64, n as u64),
                );
            }
        }
        for (from, word) in
            [(108, "number of the owner's account"), (116, "number of the owner's group")]
        {
            let number = octal(from, 8);
            if number > 0 {
                let sense = (Category::People, Harm::Medium);
                let value = number.to_string();
                out.add(sense, word, &value, &format!("{path}/{word}"), place(from as u64, 8));
            }
        }
        if matches!(kind, 0 | b'0' | b'7') && size > 0 {
            let data = source.upto(body, end, MAX_MEMBER).unwrap_or_default();
            member(out, data, &path, (body, end), false);
        }
        at = body.saturating_add(size.div_ceil(512).saturating_mul(512));
    }
    "TAR archive"
}

/// Records of the form `27 mtime=1700000000.123456789\n`.
fn pax(out: &mut Collector, b: &[u8], path: &str, start: u64) {
    let mut at = 0usize;
    while let Some(rest) = b.get(at..).filter(|r| !r.is_empty()) {
        let digits = rest.iter().take(10).take_while(|c| c.is_ascii_digit());
        let length = digits.fold(0usize, |n, c| n * 10 + usize::from(c - b'0'));
        let Some(record) = rest.get(..length).filter(|r| !r.is_empty()) else { return };
        let text = decode(record);
        let (name, value) = text
            .split_once(' ')
            .and_then(|(_, pair)| pair.split_once('='))
            .unwrap_or(("record", &text));
        let (sense, what) = match name {
            "mtime" | "atime" | "ctime" | "LIBARCHIVE.creationtime" => {
                ((Category::Time, Harm::Medium), "date and time")
            }
            "uname" | "gname" | "uid" | "gid" => ((Category::People, Harm::High), "owner"),
            "path" | "linkpath" => ((Category::Link, Harm::Low), NAME),
            _ => names::sense_or_other(name),
        };
        let place = Some((start + at as u64, start + (at + length) as u64));
        out.add(sense, what, value.trim_end(), &format!("{path}/pax/{name}"), place);
        at += length;
    }
}

/// Lists a compressed TAR file, or any one file packed by gzip (RFC 1952).
pub(super) fn gzip(source: &mut Source<'_>, out: &mut Collector) -> &'static str {
    let len = source.len();
    let head = source.upto(0, len, 512).unwrap_or_default();
    let time = le32(&head, 4).unwrap_or_default();
    if time > 0 {
        let sense = (Category::Time, Harm::Medium);
        out.add(sense, "date and time", &date(time.into()), "GZIP/ModifyDate", Some((4, 8)));
    }
    if head.get(3).is_some_and(|f| f & 8 != 0 && f & 4 == 0) {
        let name = decode(head.get(10..).unwrap_or_default());
        let place = Some((10, 10 + name.len() as u64));
        out.add((Category::Link, Harm::Medium), "file name", &name, "GZIP/(name)", place);
    }
    let packed = source.upto(0, len, MAX_MEMBER).unwrap_or_default();
    let mut plain = Vec::new();
    let _partly = GzDecoder::new(&packed[..]).take(MAX_UNPACKED).read_to_end(&mut plain);
    let length = plain.len() as u64;
    let mut cursor = Cursor::new(plain);
    let mut inner = Source::new(&mut cursor, length, 2 * MAX_UNPACKED);
    out.inside(Some((0, len)), |out| {
        super::formats(&mut inner, out);
    });
    "compressed TAR archive"
}
