//! PNG: text, time, EXIF, profiles, unknown chunks, trailing data.

use super::collect::Collector;
use super::names;
use super::text::{decode, inflate, size};
use super::{Category, Harm, exif, icc, iptc, jpeg_app, xmp};
use crate::bytes::{be32, fourcc};
use crate::source::Source;

/// Longest metadata chunk that is looked into.
const MAX_CHUNK: u64 = 16 << 20;
/// Most bytes one compressed text may inflate to.
const MAX_INFLATED: u64 = 8 << 20;

/// Lists a PNG file; returns its plain name.
pub(super) fn list(source: &mut Source<'_>, out: &mut Collector) -> &'static str {
    let len = source.len();
    let mut at = 8;
    let mut animated = false;
    let mut chunks = 0u32;
    loop {
        chunks += 1;
        let Ok(head) = source.array::<8>(at) else {
            out.note("The picture has no end chunk: it is cut short.");
            break;
        };
        let size64 = u64::from(be32(&head, 0).unwrap_or(0));
        let kind = [head[4], head[5], head[6], head[7]];
        let end = at + 12 + size64;
        if end > len || chunks > 1_000_000 || out.full() {
            out.note("A chunk is cut short.");
            break;
        }
        let place = Some((at, end));
        match &kind {
            b"IEND" => {
                if end < len {
                    let what = "data after the end of the picture (an earlier, larger picture?)";
                    let sense = (Category::Hidden, Harm::High);
                    out.add(sense, what, &size(len - end), "(after IEND)", Some((end, len)));
                    jpeg_app::trailers(source, out, end);
                }
                break;
            }
            b"acTL" => animated = true,
            b"IDAT" | b"fdAT" | b"fcTL" | b"IHDR" | b"PLTE" | b"tRNS" | b"sRGB" | b"gAMA"
            | b"cHRM" | b"bKGD" | b"sBIT" | b"cICP" => {}
            b"pHYs" => {
                let value = "pixels per metre";
                out.add((Category::Device, Harm::Low), "resolution", value, "pHYs", place);
            }
            b"eXIf" => exif::list(source, out, at + 8, size64, "eXIf"),
            _ if size64 <= MAX_CHUNK => {
                let body = source.bytes(at + 8, size64).unwrap_or_default();
                chunk(&kind, &body, out, place);
            }
            _ => unknown(&kind, size64, out, place),
        }
        at = end;
    }
    if animated { "animated PNG picture" } else { "PNG picture" }
}

fn chunk(kind: &[u8; 4], body: &[u8], out: &mut Collector, place: Option<(u64, u64)>) {
    match kind {
        b"tEXt" => {
            let (key, value) = split(body);
            text(&decode(key), value, out, "tEXt", place);
        }
        b"zTXt" => {
            let (key, rest) = split(body);
            let value = inflate(rest.get(1..).unwrap_or_default(), MAX_INFLATED);
            text(&decode(key), &value, out, "zTXt", place);
        }
        b"iTXt" => {
            // Keyword, compression flag and method, language, translated
            // keyword, text.
            let (key, rest) = split(body);
            let packed = rest.first() == Some(&1);
            let (_language, rest) = split(rest.get(2..).unwrap_or_default());
            let (_translated, rest) = split(rest);
            let value = if packed { inflate(rest, MAX_INFLATED) } else { rest.to_vec() };
            text(&decode(key), &value, out, "iTXt", place);
        }
        b"tIME" => {
            let value = match body {
                [y, z, mo, d, h, mi, s] => {
                    let year = u16::from_be_bytes([*y, *z]);
                    format!("{year:04}-{mo:02}-{d:02} {h:02}:{mi:02}:{s:02}")
                }
                _ => String::new(),
            };
            let what = "date and time";
            out.add((Category::Time, Harm::Medium), what, &value, "tIME/ModifyDate", place);
        }
        b"iCCP" => {
            let (_, rest) = split(body);
            icc::list(
                &inflate(rest.get(1..).unwrap_or_default(), MAX_INFLATED),
                out,
                "iCCP",
                place,
            );
        }
        b"gIFx" | b"gIFg" | b"gIFt" | b"hIST" | b"sPLT" | b"pCAL" | b"sCAL" | b"oFFs" | b"sTER" => {
            let path = fourcc(*kind);
            let value = size(body.len() as u64);
            out.add((Category::Other, Harm::Low), "extra picture properties", &value, &path, place);
        }
        b"caBX" => super::jumbf::list(body, out, "caBX/JUMBF", place),
        b"zxIf" => {
            let data = inflate(body.get(5..).unwrap_or_default(), MAX_INFLATED);
            exif::list_block(&data, out, "zxIf", place);
        }
        _ => unknown(kind, body.len() as u64, out, place),
    }
}

fn unknown(kind: &[u8; 4], bytes: u64, out: &mut Collector, place: Option<(u64, u64)>) {
    let path = fourcc(*kind);
    out.add((Category::Hidden, Harm::Medium), "unknown block", &size(bytes), &path, place);
}

/// A NUL-terminated text and the rest.
fn split(b: &[u8]) -> (&[u8], &[u8]) {
    let end = b.iter().position(|&c| c == 0).unwrap_or(b.len());
    (b.get(..end).unwrap_or_default(), b.get(end + 1..).unwrap_or_default())
}

fn text(key: &str, value: &[u8], out: &mut Collector, chunk: &str, place: Option<(u64, u64)>) {
    let path = format!("{chunk}/{key}");
    if key == "XML:com.adobe.xmp" {
        return xmp::list(value, out, &format!("{chunk}/XMP"), place);
    }
    if let Some(kind) = key.strip_prefix("Raw profile type ") {
        let block = raw_profile(value);
        return match kind {
            "exif" | "APP1" if block.starts_with(b"http") => xmp::list(&block, out, &path, place),
            "exif" | "APP1" => exif::list_block(&block, out, &path, place),
            "xmp" => xmp::list(&block, out, &path, place),
            "iptc" | "8bim" if block.starts_with(b"8BIM") => {
                out.inside(place, |out| jpeg_app::photoshop(&block, out, &path));
            }
            "iptc" => out.inside(place, |out| iptc::list(&block, out, &path)),
            "icc" | "icm" => icc::list(&block, out, &path, place),
            _ => unknown(b"tEXt", block.len() as u64, out, place),
        };
    }
    let (sense, what) = names::sense(key)
        .unwrap_or(((Category::People, Harm::Medium), "text somebody or a tool wrote"));
    let value = format!("{key}: {}", decode(value));
    out.add(sense, what, &value, &path, place);
}

/// ImageMagick's hexadecimal profiles: a name, a length, digits.
fn raw_profile(value: &[u8]) -> Vec<u8> {
    let lines = value.split(|&b| b == b'\n').filter(|l| !l.is_empty()).skip(2);
    let digits: Vec<u8> =
        lines.flatten().filter_map(|&b| char::from(b).to_digit(16)).map(|d| d as u8).collect();
    digits.chunks_exact(2).map(|p| p[0] << 4 | p[1]).collect()
}
