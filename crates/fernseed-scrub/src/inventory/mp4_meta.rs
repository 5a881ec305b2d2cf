//! User data and metadata boxes of MP4 and QuickTime files.

use super::collect::Collector;
use super::isobmff::{Box4, join};
use super::names;
use super::text::{decode, hex, size, utf16};
use super::{Category, Harm, exif, jpeg, telemetry, xmp};
use crate::bytes::{be16, be32, find, fourcc, part};
use crate::source::Source;

/// Largest entry that is read.
const MAX_ENTRY: u64 = 4 << 20;

/// Lists `udta`.
pub(super) fn udta(source: &mut Source<'_>, out: &mut Collector, path: &str, b: Box4) {
    for child in Box4::all(source, b.body, b.end) {
        let name = join(path, child.kind);
        if &child.kind == b"meta" {
            meta(source, out, &name, child);
            continue;
        }
        let Some(body) = child.bytes(source, MAX_ENTRY) else {
            let what = "large private block";
            let value = size(child.length());
            out.add((Category::Hidden, Harm::Medium), what, &value, &name, child.place());
            continue;
        };
        entry(source, out, &name, child, &body);
    }
}

fn entry(source: &mut Source<'_>, out: &mut Collector, name: &str, b: Box4, body: &[u8]) {
    let place = b.place();
    let mut say = |sense: (Category, Harm), what: &str, value: &str| {
        out.add(sense, what, value, name, place);
    };
    match &b.kind {
        [0xA9, rest @ ..] => {
            let value = quicktime_text(body);
            let word = decode(rest);
            let (sense, what) = names::sense(&word)
                .unwrap_or(((Category::People, Harm::Medium), "text somebody or a tool wrote"));
            say(sense, what, &value);
        }
        b"loci" => say((Category::Place, Harm::High), "GPS position", &loci(body)),
        b"XMP_" => xmp::list(body, out, name, place),
        b"GPMF" => {
            telemetry::gpmf(body, out, name, place, false);
        }
        b"CAME" => say((Category::Device, Harm::High), "serial number (hashed)", &hex(body)),
        b"SNum" | b"SNUM" | b"MUID" | b"GUMI" | b"GUID" => {
            let value =
                if body.iter().all(|c| c.is_ascii_graphic()) { decode(body) } else { hex(body) };
            say((Category::Device, Harm::High), "serial number", &value);
        }
        b"FIRM" | b"firm" => {
            say((Category::Device, Harm::Medium), "firmware version", &decode(body))
        }
        b"LENS" => say((Category::Device, Harm::High), "lens serial number", &decode(body)),
        b"auth" | b"titl" | b"cprt" | b"dscp" | b"perf" | b"gnre" | b"albm" | b"kywd" | b"yrrc"
        | b"coll" | b"clsf" | b"rtng" => {
            // 3GPP: version, flags, language, text in UTF-8 or UTF-16.
            let text = body.get(6..).unwrap_or_default();
            let text = if text.starts_with(&[0xFE, 0xFF]) {
                utf16(text.get(2..).unwrap_or_default(), true)
            } else {
                decode(text)
            };
            let word = match &b.kind {
                b"auth" => "author",
                b"perf" => "performer",
                b"cprt" => "copyright",
                b"dscp" => "description",
                b"kywd" => "keywords",
                b"yrrc" => "year",
                _ => "title",
            };
            let (sense, what) = names::sense_or_other(word);
            say(sense, what, &text);
        }
        b"date" => say((Category::Time, Harm::Medium), "date and time", &decode(body)),
        b"manu" | b"modl" | b"vndr" | b"info" | b"mak " => {
            say((Category::Device, Harm::Medium), "device maker or model", &readable(body));
        }
        b"CNTH" | b"thmb" | b"tnal" | b"snal" | b"PICT" => {
            say((Category::Preview, Harm::High), "thumbnail", &size(body.len() as u64));
            if let Some(at) = find(body, b"\xFF\xD8\xFF\xE1") {
                let mut cursor = std::io::Cursor::new(body.get(at..).unwrap_or_default());
                let len = (body.len() - at) as u64;
                let mut inner = Source::new(&mut cursor, len, len * 4);
                out.at_offset(b.body + at as u64, name, |out| jpeg::list(&mut inner, out));
            }
        }
        b"Xtra" => xtra(body, out, name, place),
        b"name" => say((Category::People, Harm::Medium), "track name", &decode(body)),
        b"WLOC" | b"LOOP" | b"SelO" | b"AllF" | b"PLAY" | b"tagc" | b"hnti" | b"hinf" | b"cuep" => {
            say((Category::Software, Harm::Low), "player settings", &size(body.len() as u64));
        }
        b"free" | b"skip" | [0, 0, 0, 0] if body.iter().all(|&x| x == 0) => {}
        b"uuid" => super::isobmff::common(source, out, name, b),
        _ => {
            let what = "private block of a camera or program";
            let value = format!("{} {}", size(body.len() as u64), readable(body));
            say((Category::Hidden, Harm::Medium), what, &value);
            private(source, out, name, b, body);
        }
    }
}

/// Looks for EXIF and dates inside a camera's private block.
fn private(source: &mut Source<'_>, out: &mut Collector, name: &str, b: Box4, body: &[u8]) {
    for mark in [&b"II*\0"[..], b"MM\0*"] {
        if let Some(at) = find(body, mark) {
            let from = b.body + at as u64;
            exif::list(source, out, from, b.end.saturating_sub(from), &format!("{name}/TIFF"));
            return;
        }
    }
    let dated = body.windows(19).find(|w| {
        w.iter().enumerate().all(|(i, c)| match i {
            4 | 7 => matches!(c, b':' | b'/' | b'-'),
            10 => *c == b' ',
            13 | 16 => *c == b':',
            _ => c.is_ascii_digit(),
        })
    });
    if let Some(date) = dated {
        let path = format!("{name}/DateTimeOriginal");
        out.add((Category::Time, Harm::Medium), "date and time", &decode(date), &path, b.place());
    }
}

/// The printable runs of a private block.
fn readable(body: &[u8]) -> String {
    let runs = body
        .get(..2048)
        .unwrap_or(body)
        .split(|c| !(c.is_ascii_graphic() || *c == b' '))
        .filter(|run| run.len() >= 4);
    runs.map(decode).collect::<Vec<_>>().join(" ")
}

/// International text of QuickTime: length, language, text; several in a
/// row. Some writers leave the header away.
fn quicktime_text(body: &[u8]) -> String {
    let length = usize::from(be16(body, 0).unwrap_or(0));
    if let Some(text) = part(body, 4, length).filter(|_| length > 0) {
        return if text.starts_with(&[0xFE, 0xFF]) {
            utf16(text.get(2..).unwrap_or_default(), true)
        } else {
            decode(text)
        };
    }
    match Box4InMemory::data(body) {
        Some(value) => value,
        None => decode(body),
    }
}

/// A `data` box inside a user data entry, as iTunes writes.
struct Box4InMemory;

impl Box4InMemory {
    fn data(body: &[u8]) -> Option<String> {
        let length = be32(body, 0)? as usize;
        let inside = part(body, 4, 4)? == b"data";
        inside.then(|| decode(body.get(16..length.min(body.len())).unwrap_or_default()))
    }
}

/// 3GPP location: name, role, longitude, latitude, altitude (16.16 fixed).
fn loci(body: &[u8]) -> String {
    let rest = body.get(6..).unwrap_or_default();
    let name_end = if rest.starts_with(&[0xFE, 0xFF]) {
        rest.chunks_exact(2).position(|c| c == [0, 0]).map_or(rest.len(), |p| p * 2 + 2)
    } else {
        rest.iter().position(|&c| c == 0).map_or(rest.len(), |p| p + 1)
    };
    let name = decode(rest.get(..name_end).unwrap_or_default());
    let fixed =
        |at: usize| be32(rest, name_end + 1 + at).map_or(0.0, |n| f64::from(n as i32) / 65_536.0);
    format!("{:.5}, {:.5}, altitude {:.0} m {name}", fixed(4), fixed(0), fixed(8))
}

/// Windows properties: name, number of values, values with a type.
fn xtra(body: &[u8], out: &mut Collector, path: &str, place: Option<(u64, u64)>) {
    let mut at = 0usize;
    while let Some(length) = be32(body, at).map(|n| n as usize).filter(|&n| n >= 18) {
        let Some(entry) = part(body, at, length) else { return };
        let name_length = be32(entry, 4).unwrap_or(0) as usize;
        let name = decode(part(entry, 8, name_length).unwrap_or_default());
        let value_at = 8 + name_length + 4;
        let kind = be16(entry, value_at + 4).unwrap_or(0);
        let value = entry.get(value_at + 6..).unwrap_or_default();
        let text = match kind {
            8 => utf16(value, false),
            21 => value
                .get(..8)
                .and_then(|v| v.try_into().ok())
                .map(u64::from_le_bytes)
                // 100 ns since 1601.
                .map(|t| super::text::date((t / 10_000_000) as i64 - 11_644_473_600))
                .unwrap_or_default(),
            _ => hex(value),
        };
        let (sense, what) = names::sense_or_other(&name);
        out.add(sense, what, &text, &format!("{path}/{name}"), place);
        at += length;
    }
}

/// Lists a `meta` box with `keys` and `ilst`.
pub(super) fn meta(source: &mut Source<'_>, out: &mut Collector, path: &str, b: Box4) {
    // QuickTime's has no version field: its first child begins at once.
    let head = source.upto(b.body, b.end, 8).unwrap_or_default();
    let from = if part(&head, 4, 4) == Some(b"hdlr") { b.body } else { b.body + 4 };
    let mut keys: Vec<String> = Vec::new();
    for child in Box4::all(source, from, b.end) {
        let name = join(path, child.kind);
        match &child.kind {
            b"hdlr" | b"mhdr" | b"ctry" | b"lang" => {}
            b"keys" => {
                let from = child.body + 8;
                for key in Box4::all(source, from, child.end) {
                    let text = source.upto(key.body, key.end, 256).unwrap_or_default();
                    keys.push(decode(&text));
                }
            }
            b"ilst" => {
                for item in Box4::all(source, child.body, child.end) {
                    ilst(source, out, &name, item, &keys);
                }
            }
            b"xml " => {
                let body = child.bytes(source, MAX_ENTRY).unwrap_or_default();
                xmp::list(body.get(4..).unwrap_or_default(), out, &name, child.place());
            }
            b"ID32" => {
                let what = "title, author and other tags (ID3)";
                let value = size(child.length());
                out.add((Category::People, Harm::Medium), what, &value, &name, child.place());
            }
            _ => super::isobmff::common(source, out, path, child),
        }
    }
}

fn ilst(source: &mut Source<'_>, out: &mut Collector, path: &str, item: Box4, keys: &[String]) {
    let index = u32::from_be_bytes(item.kind) as usize;
    let mut name = match index.checked_sub(1).and_then(|i| keys.get(i)) {
        Some(key) => key.clone(),
        None => fourcc(item.kind),
    };
    let mut value = String::new();
    for b in Box4::all(source, item.body, item.end).into_iter().take(32) {
        let body = source.upto(b.body, b.end, 4096).unwrap_or_default();
        match &b.kind {
            b"name" => name = decode(body.get(4..).unwrap_or_default()),
            b"data" => {
                let kind = be32(&body, 0).unwrap_or(0);
                let data = body.get(8..).unwrap_or_default();
                let text = match kind {
                    1 | 3 | 4 => decode(data),
                    2 | 5 => utf16(data, true),
                    13 | 14 | 27 => format!("picture, {}", size(b.length())),
                    21 | 22 | 65..=67 | 74..=78 => {
                        let n = data.iter().take(8).fold(0u64, |n, &b| n << 8 | u64::from(b));
                        n.to_string()
                    }
                    _ if data.iter().all(|c| c.is_ascii_graphic() || *c == b' ') => decode(data),
                    _ => hex(data),
                };
                if !value.is_empty() {
                    value.push(' ');
                }
                value.push_str(&text);
            }
            _ => {}
        }
    }
    let picture = value.starts_with("picture") || name == "covr";
    let (sense, what) = if picture {
        ((Category::Preview, Harm::High), "cover picture")
    } else {
        let last = name.strip_prefix("com.").map_or(name.as_str(), |n| n);
        names::sense(last).unwrap_or(((Category::People, Harm::Low), "tag"))
    };
    out.add(sense, what, &value, &format!("{path}/{name}"), item.place());
}
