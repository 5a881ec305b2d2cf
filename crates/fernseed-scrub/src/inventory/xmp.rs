//! XMP packets: every property whose name gives something away.

use super::collect::Collector;
use super::names;
use super::text::{printable, size, utf16};
use super::{Category, Harm};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// Deepest nesting that is followed.
const MAX_DEPTH: usize = 64;
/// Most events of one packet.
const MAX_EVENTS: u32 = 200_000;

/// Lists a packet; `place` is where it lies in the file.
pub(super) fn list(data: &[u8], out: &mut Collector, path: &str, place: Option<(u64, u64)>) {
    // UTF-16 packets are legal and rare.
    let converted = match data {
        [0xFE, 0xFF, rest @ ..] => Some(utf16_all(rest, true)),
        [0xFF, 0xFE, rest @ ..] => Some(utf16_all(rest, false)),
        _ => None,
    };
    let data = converted.as_deref().map_or(data, str::as_bytes);
    let start = data.iter().position(|&b| b == b'<').unwrap_or(0);
    let data = data.get(start..).unwrap_or_default();
    out.inside(place, |out| packet(data, out, path));
}

fn utf16_all(bytes: &[u8], big_endian: bool) -> String {
    bytes.chunks(4096).take(1024).map(|c| utf16(c, big_endian)).collect()
}

/// A property being read.
#[derive(Default)]
struct State {
    /// Names of the open elements, without RDF scaffolding.
    names: Vec<String>,
    text: String,
    others: u32,
    latitude: Option<String>,
}

fn packet(data: &[u8], out: &mut Collector, path: &str) {
    let text = String::from_utf8_lossy(data);
    let mut reader = Reader::from_str(&text);
    reader.config_mut().check_end_names = false;
    reader.config_mut().allow_unmatched_ends = true;
    let mut state = State::default();
    let mut any = false;
    for _ in 0..MAX_EVENTS {
        match reader.read_event() {
            Ok(Event::Start(e)) => {
                any = true;
                open(&e, &mut state, out, path);
                state.text.clear();
            }
            Ok(Event::Empty(e)) => {
                any = true;
                open(&e, &mut state, out, path);
                state.names.pop();
            }
            Ok(Event::Text(t)) => push_text(&mut state, &t),
            Ok(Event::CData(t)) => push_text(&mut state, &t),
            Ok(Event::GeneralRef(r)) => {
                push_text(&mut state, reference(&r).as_str());
            }
            Ok(Event::End(_)) => {
                let value = std::mem::take(&mut state.text);
                if !value.trim().is_empty() {
                    property(&mut state, value.trim(), out, path);
                }
                state.names.pop();
            }
            Ok(Event::Eof) => break,
            Ok(_) => {}
            Err(_) => {
                out.note("An XMP packet is damaged.");
                break;
            }
        }
    }
    if any && state.others > 0 {
        let value = format!("{} properties", state.others);
        out.add((Category::Other, Harm::Low), "editing settings and other XMP", &value, path, None);
    }
    if !any && data.len() > 64 {
        let value = size(data.len() as u64);
        out.add(
            (Category::Hidden, Harm::Medium),
            "XMP block that cannot be read",
            &value,
            path,
            None,
        );
    }
}

fn push_text(state: &mut State, text: &str) {
    if state.text.len() < 4096 {
        state.text.extend(text.chars().take(2000));
    }
}

/// A character or predefined entity; others stay as they are written.
fn reference(name: &str) -> String {
    let number = name.strip_prefix('#').and_then(|n| match n.strip_prefix('x') {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => n.parse().ok(),
    });
    match (name, number.and_then(char::from_u32)) {
        ("lt", _) => "<".to_owned(),
        ("gt", _) => ">".to_owned(),
        ("amp", _) => "&".to_owned(),
        ("quot", _) => "\"".to_owned(),
        ("apos", _) => "'".to_owned(),
        (_, Some(c)) => c.to_string(),
        _ => format!("&{name};"),
    }
}

fn open(e: &BytesStart<'_>, state: &mut State, out: &mut Collector, path: &str) {
    let name = e.name().into_inner().to_owned();
    if state.names.len() < MAX_DEPTH {
        state.names.push(printable(&name, 60));
    } else {
        // Keep the count of open elements without keeping their names.
        state.names.push(String::new());
    }
    for attribute in e.attributes().with_checks(false).take(500).flatten() {
        let key = attribute.key.into_inner().to_owned();
        if key.starts_with("xmlns")
            || matches!(key.as_str(), "rdf:about" | "rdf:parseType" | "xml:lang")
        {
            continue;
        }
        let value = unescape(&attribute.value);
        if value.trim().is_empty() {
            continue;
        }
        state.names.push(printable(&key, 60));
        property(state, value.trim(), out, path);
        state.names.pop();
    }
}

fn unescape(raw: &str) -> String {
    let mut out = String::new();
    let mut rest = raw.get(..4096).unwrap_or(raw);
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        match after.split_once(';') {
            Some((name, tail)) if name.len() < 12 => {
                out.push_str(&reference(name));
                rest = tail;
            }
            _ => {
                out.push('&');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// RDF and packet scaffolding, which says nothing by itself.
fn scaffold(name: &str) -> bool {
    name.is_empty()
        || matches!(name, "x:xmpmeta" | "x:xapmeta" | "rdf:RDF" | "rdf:Description" | "rdf:li")
        || matches!(name, "rdf:Seq" | "rdf:Bag" | "rdf:Alt" | "rdf:value")
}

fn property(state: &mut State, value: &str, out: &mut Collector, path: &str) {
    let names: Vec<&str> =
        state.names.iter().map(String::as_str).filter(|n| !scaffold(n)).collect();
    let Some(&last) = names.last() else { return };
    let path = format!("{path}/{}", names.join("/"));
    // The innermost name that says something decides; a marked face wins
    // over the name of one of its fields.
    let local = last.rsplit(':').next().unwrap_or(last);
    let regions = names.iter().any(|n| n.contains("Regions") || n.contains("RegionInfo"));
    let found = if regions {
        Some(((Category::People, Harm::High), "marked face"))
    } else {
        names::sense(local).or_else(|| names.iter().rev().skip(1).find_map(|n| names::sense(n)))
    };
    let binary = value.len() > 400 && !value.contains(' ');
    let shown = if binary { size(value.len() as u64) } else { value.to_owned() };
    match found {
        Some((sense, what)) => {
            out.add(sense, what, &shown, &path, None);
            if local == "GPSLatitude" {
                state.latitude = Some(value.to_owned());
            } else if local == "GPSLongitude"
                && let Some(latitude) = state.latitude.take()
            {
                let both = format!("{latitude}, {value}");
                out.add((Category::Place, Harm::High), "GPS position", &both, &path, None);
            }
        }
        None => state.others += 1,
    }
}
