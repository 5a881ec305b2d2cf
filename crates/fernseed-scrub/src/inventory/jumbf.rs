//! JUMBF boxes (ISO/IEC 19566-5) as used by C2PA: provenance with
//! signatures, times, tools, names and thumbnails.

use super::collect::Collector;
use super::names;
use super::text::{decode, size};
use super::{Category, Harm};
use crate::bytes::{be32, be64, find, part};

/// Lists a JUMBF superbox.
pub(super) fn list(data: &[u8], out: &mut Collector, path: &str, place: Option<(u64, u64)>) {
    out.inside(place, |out| {
        let what = "provenance record (C2PA or other JUMBF)";
        let value = size(data.len() as u64);
        out.add((Category::Link, Harm::High), what, &value, path, None);
        let mut budget = 2_000;
        boxes(data, out, path, "", 0, &mut budget);
    });
}

fn boxes(data: &[u8], out: &mut Collector, path: &str, label: &str, depth: u32, budget: &mut u32) {
    let mut at = 0usize;
    let mut label = label.to_owned();
    while let (Some(size), Some(kind)) = (be32(data, at), part(data, at + 4, 4)) {
        let (header, length) = match size {
            0 => (8, data.len() - at),
            1 => {
                (16, be64(data, at + 8).map_or(usize::MAX, |n| n.try_into().unwrap_or(usize::MAX)))
            }
            n => (8, n as usize),
        };
        if *budget == 0 || length < header || depth > 10 {
            return;
        }
        *budget -= 1;
        let Some(body) = part(data, at, length).and_then(|b| b.get(header..)) else {
            out.note("A provenance record is cut short.");
            return;
        };
        match kind {
            b"jumb" => boxes(body, out, path, &label, depth + 1, budget),
            b"jumd" => {
                // Type of 16 bytes, toggles, label.
                label = decode(body.get(17..).unwrap_or_default());
                if label.starts_with("urn:") {
                    let path = format!("{path}/{label}");
                    let what = "manifest identifier";
                    out.add((Category::Link, Harm::High), what, &label, &path, None);
                }
            }
            _ => content(kind, body, out, &format!("{path}/{label}"), &label),
        }
        at += length;
    }
}

fn content(kind: &[u8], body: &[u8], out: &mut Collector, path: &str, label: &str) {
    let value = size(body.len() as u64);
    match kind {
        b"bidb" if label.contains("thumbnail") => {
            let what = "thumbnail (a small copy of an earlier version)";
            out.add((Category::Preview, Harm::High), what, &value, path, None);
            out.picture(path, body);
        }
        b"cbor" | b"json" => {
            if label.starts_with("c2pa.signature") {
                let what = "signature (names a device, a person or a company)";
                out.add((Category::Link, Harm::High), what, &value, path, None);
            }
            // Keys and values are texts in both notations; a bounded search
            // finds the ones that matter without a full parser.
            for (key, what, sense) in [
                (&b"claim_generator"[..], "software", (Category::Software, Harm::Low)),
                (b"softwareAgent", "editing history", (Category::Software, Harm::Medium)),
                (b"instanceID", "document identifier", (Category::Link, Harm::High)),
                (b"documentID", "document identifier", (Category::Link, Harm::High)),
                (b"dc:title", "file name", (Category::Link, Harm::Medium)),
                (b"when", "date and time", (Category::Time, Harm::Medium)),
                (b"dateTime", "date and time", (Category::Time, Harm::Medium)),
                (b"@id", "identifier", (Category::Link, Harm::Medium)),
            ] {
                if let Some(text) = value_after(body, key) {
                    let key = decode(key);
                    out.add(sense, what, &text, &format!("{path}/{key}"), None);
                }
            }
            if kind == b"json" {
                json(body, out, path);
            }
        }
        _ => {}
    }
}

/// The text after a key, in CBOR (length byte, text) or JSON (quotes).
fn value_after(body: &[u8], key: &[u8]) -> Option<String> {
    let rest = body.get(find(body, key)? + key.len()..)?;
    let first = *rest.first()?;
    let text = match first {
        0x60..=0x77 => part(rest, 1, usize::from(first - 0x60))?,
        0x78 => part(rest, 2, usize::from(*rest.get(1)?))?,
        0xC0 => {
            // A tagged date: one more head byte.
            let length = usize::from(rest.get(1)?.checked_sub(0x60)?);
            part(rest, 2, length)?
        }
        b'"' => {
            let open = rest.iter().skip(1).position(|&b| b == b'"')? + 2;
            let tail = rest.get(open..)?;
            let close = tail.iter().position(|&b| b == b'"')?;
            tail.get(..close)?
        }
        _ => return None,
    };
    Some(decode(text))
}

/// `"key": "value"` pairs of a JSON assertion whose keys say something.
fn json(body: &[u8], out: &mut Collector, path: &str) {
    let text = decode(body);
    let parts: Vec<&str> = text.split('"').take(4_000).collect();
    // Fields of an object or list are judged by its name first: what is
    // inside `author` is about the author. Texts stand at odd places,
    // brackets and colons between them.
    let mut depth = 0i32;
    let mut parents: Vec<(&str, i32)> = Vec::new();
    for (i, piece) in parts.iter().enumerate() {
        if i % 2 == 0 {
            for c in piece.chars() {
                depth += i32::from(matches!(c, '[' | '{')) - i32::from(matches!(c, ']' | '}'));
                while matches!(c, ']' | '}') && parents.last().is_some_and(|p| p.1 > depth) {
                    parents.pop();
                }
            }
            continue;
        }
        let Some(after) = parts.get(i + 1).map(|a| a.trim()) else { return };
        if !after.starts_with(':') {
            continue;
        }
        if after.contains(['{', '[']) {
            parents.push((piece, depth + 1));
            parents.truncate(64);
        } else if after == ":"
            && let Some(value) = parts.get(i + 2)
        {
            let above = parents.iter().rev().find_map(|p| names::sense(p.0).map(|s| (p.0, s)));
            let found = above.or_else(|| names::sense(piece).map(|s| ("", s)));
            if let Some((parent, (sense, what))) = found {
                let path = format!("{path}/{parent}{piece}");
                out.add(sense, what, value, &path, None);
            }
        }
    }
}
