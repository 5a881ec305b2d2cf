//! HEIF and AVIF: the items inside `meta` (ISO/IEC 23008-12).

use super::collect::Collector;
use super::isobmff::{Box4, Layout, common};
use super::text::{decode, size};
use super::{Category, Harm, exif, icc, xmp};
use crate::bytes::{be16, be32, be64};
use crate::source::Source;

/// Most items of one file.
const MAX_ITEMS: usize = 5_000;
/// Largest metadata item that is read.
const MAX_METADATA: u64 = 16 << 20;

#[derive(Debug, Default)]
struct Item {
    id: u32,
    kind: [u8; 4],
    name: String,
    /// Byte ranges in the file.
    extents: Vec<(u64, u64)>,
    known: bool,
}

/// Lists the `meta` box of a picture file.
pub(super) fn list(source: &mut Source<'_>, out: &mut Collector, layout: &mut Layout, meta: Box4) {
    let mut items: Vec<Item> = Vec::new();
    let mut references: Vec<([u8; 4], u32)> = Vec::new();
    let mut primary = None;
    let mut auxiliary: Vec<String> = Vec::new();
    let children = Box4::all(source, meta.body + 4, meta.end);
    let data = children.iter().find(|b| &b.kind == b"idat").map(|b| (b.body, b.end));
    for b in children {
        match &b.kind {
            b"hdlr" | b"dinf" | b"idat" | b"grpl" | b"ipro" => {}
            b"pitm" => {
                let body = b.bytes(source, 64).unwrap_or_default();
                let wide = body.first().is_some_and(|&v| v > 0);
                primary = if wide { be32(&body, 4) } else { be16(&body, 4).map(u32::from) };
            }
            b"iinf" => infos(source, b, &mut items),
            b"iloc" => {
                let body = b.bytes(source, 4 << 20).unwrap_or_default();
                if locations(&body, data, &mut items).is_none() {
                    layout.unsure = true;
                    out.note("The table of item locations is damaged.");
                }
            }
            b"iref" => references = refs(source, b),
            b"iprp" => properties(source, out, b, &mut auxiliary),
            _ => common(source, out, "meta", b),
        }
    }
    for item in &items {
        layout.used.extend(item.extents.iter().copied());
    }
    for aux in auxiliary {
        let what = if aux.contains("depth") {
            "depth map (keeps the shape of faces)"
        } else if aux.contains("alpha") {
            continue;
        } else {
            "extra picture (gain map, matte or the like)"
        };
        out.add((Category::Preview, Harm::High), what, &aux, "meta/iprp/auxC", None);
    }
    for item in &items {
        item_contents(source, out, item, primary, &references);
    }
}

fn item_contents(
    source: &mut Source<'_>,
    out: &mut Collector,
    item: &Item,
    primary: Option<u32>,
    references: &[([u8; 4], u32)],
) {
    let length = item.extents.iter().fold(0u64, |sum, e| sum.saturating_add(e.1 - e.0));
    let place = match item.extents.as_slice() {
        [one] => Some(*one),
        _ => None,
    };
    let path = format!("meta/item{}", item.id);
    match &item.kind {
        b"Exif" => {
            let body = gather(source, item);
            // Four bytes say where the TIFF header begins.
            let skip = be32(&body, 0).unwrap_or(0) as usize;
            match place {
                Some((start, end)) => {
                    let from = start.saturating_add(4 + skip as u64);
                    exif::list(
                        source,
                        out,
                        from,
                        end.saturating_sub(from),
                        &format!("{path}/Exif"),
                    );
                }
                None => {
                    let block = body.get(4usize.saturating_add(skip)..).unwrap_or_default();
                    exif::list_block(block, out, &format!("{path}/Exif"), None);
                }
            }
        }
        b"mime" => {
            let body = gather(source, item);
            if item.name.contains("rdf+xml") || crate::bytes::find(&body, b"xmpmeta").is_some() {
                xmp::list(&body, out, &format!("{path}/XMP"), place);
            } else {
                let value = format!("{} {}", item.name, size(length));
                out.add((Category::Hidden, Harm::Medium), "attached data", &value, &path, place);
            }
        }
        b"uri " => {
            let value = format!("{} {}", item.name, size(length));
            out.add((Category::Hidden, Harm::Medium), "attached data", &value, &path, place);
        }
        _ => {
            let refers = |kind: &[u8; 4]| references.iter().any(|r| r.0 == *kind && r.1 == item.id);
            if refers(b"thmb") {
                let path = format!("{path}/ThumbnailImage");
                out.add((Category::Preview, Harm::High), "thumbnail", &size(length), &path, place);
            } else if refers(b"auxl") {
                let what = "extra picture (alpha, depth, gain map or matte)";
                out.add((Category::Preview, Harm::Medium), what, &size(length), &path, place);
            } else if primary.is_some_and(|p| p != item.id)
                && item.known
                && matches!(&item.kind, b"hvc1" | b"av01" | b"jpeg" | b"avc1" | b"grid")
                && !references.iter().any(|r| r.0 == *b"dimg")
            {
                out.add(
                    (Category::Preview, Harm::Medium),
                    "second picture",
                    &size(length),
                    &path,
                    place,
                );
            }
        }
    }
}

fn gather(source: &mut Source<'_>, item: &Item) -> Vec<u8> {
    let mut body = Vec::new();
    for &(start, end) in &item.extents {
        let room = MAX_METADATA.saturating_sub(body.len() as u64);
        body.extend(source.upto(start, end, room).unwrap_or_default());
    }
    body
}

fn infos(source: &mut Source<'_>, iinf: Box4, items: &mut Vec<Item>) {
    let version = source.array::<1>(iinf.body).map_or(0, |v| v[0]);
    let from = iinf.body + if version == 0 { 6 } else { 8 };
    for b in Box4::all(source, from, iinf.end) {
        let body = source.upto(b.body, b.end, 512).unwrap_or_default();
        let version = body.first().copied().unwrap_or(0);
        let (id, at) =
            if version >= 3 { (be32(&body, 4), 10) } else { (be16(&body, 4).map(u32::from), 8) };
        let Some(id) = id else { continue };
        let kind = crate::bytes::part(&body, at, 4).and_then(|k| k.try_into().ok());
        let text = body.get(at + 4..).unwrap_or_default();
        let words: Vec<String> = text.split(|&c| c == 0).take(3).map(decode).collect();
        let item = slot(items, id);
        if let Some(item) = item {
            item.kind = kind.unwrap_or_default();
            item.name = words.join(" ").trim().to_owned();
            item.known = true;
        }
    }
}

fn slot(items: &mut Vec<Item>, id: u32) -> Option<&mut Item> {
    if let Some(at) = items.iter().position(|i| i.id == id) {
        return items.get_mut(at);
    }
    if items.len() >= MAX_ITEMS {
        return None;
    }
    items.push(Item { id, ..Item::default() });
    items.last_mut()
}

fn number(b: &[u8], at: &mut usize, width: u8) -> Option<u64> {
    let value = match width {
        0 => 0,
        4 => be32(b, *at)?.into(),
        8 => be64(b, *at)?,
        _ => return None,
    };
    *at += usize::from(width);
    Some(value)
}

fn locations(b: &[u8], data: Option<(u64, u64)>, items: &mut Vec<Item>) -> Option<()> {
    let version = *b.first()?;
    let (offset_width, length_width) = (b.get(4)? >> 4, b.get(4)? & 15);
    let (base_width, index_width) = (b.get(5)? >> 4, b.get(5)? & 15);
    let (count, mut at) = if version < 2 { (be16(b, 6)?.into(), 8) } else { (be32(b, 6)?, 10) };
    for _ in 0..count.min(MAX_ITEMS as u32) {
        let id = if version < 2 { be16(b, at)?.into() } else { be32(b, at)? };
        at += if version < 2 { 2 } else { 4 };
        let method = if version > 0 {
            at += 2;
            be16(b, at - 2)? & 15
        } else {
            0
        };
        at += 2;
        let base = number(b, &mut at, base_width)?;
        let extents = be16(b, at)?;
        at += 2;
        for _ in 0..extents {
            if version > 0 {
                number(b, &mut at, index_width)?;
            }
            let offset = number(b, &mut at, offset_width)?;
            let length = number(b, &mut at, length_width)?;
            let start = base.checked_add(offset)?;
            let start = match (method, data) {
                (1, Some((idat, _))) => idat.checked_add(start)?,
                (0, _) => start,
                _ => continue,
            };
            let end = start.checked_add(length)?;
            if let Some(item) = slot(items, id)
                && item.extents.len() < 64
            {
                item.extents.push((start, end));
            }
        }
    }
    Some(())
}

/// `(kind of reference, item that refers)`.
fn refs(source: &mut Source<'_>, iref: Box4) -> Vec<([u8; 4], u32)> {
    let wide = source.array::<1>(iref.body).is_ok_and(|v| v[0] > 0);
    let mut list = Vec::new();
    for b in Box4::all(source, iref.body + 4, iref.end) {
        let body = source.upto(b.body, b.end, 4).unwrap_or_default();
        let from = if wide { be32(&body, 0) } else { be16(&body, 0).map(u32::from) };
        if let Some(from) = from {
            list.push((b.kind, from));
        }
    }
    list
}

fn properties(source: &mut Source<'_>, out: &mut Collector, iprp: Box4, aux: &mut Vec<String>) {
    for container in Box4::all(source, iprp.body, iprp.end) {
        if &container.kind != b"ipco" {
            continue;
        }
        for b in Box4::all(source, container.body, container.end) {
            match &b.kind {
                b"auxC" => {
                    let body = b.bytes(source, 4096).unwrap_or_default();
                    aux.push(decode(body.get(4..).unwrap_or_default()));
                }
                b"colr" => {
                    let body = b.bytes(source, 8 << 20).unwrap_or_default();
                    if body.starts_with(b"prof") || body.starts_with(b"rICC") {
                        icc::list(
                            body.get(4..).unwrap_or_default(),
                            out,
                            "meta/iprp/colr",
                            b.place(),
                        );
                    }
                }
                b"udes" => {
                    let body = b.bytes(source, 4096).unwrap_or_default();
                    let words: Vec<String> = body
                        .get(4..)
                        .unwrap_or_default()
                        .split(|&c| c == 0)
                        .take(4)
                        .map(decode)
                        .collect();
                    let sense = (Category::People, Harm::Medium);
                    out.add(
                        sense,
                        "text somebody wrote",
                        &words.join(" "),
                        "meta/iprp/udes",
                        b.place(),
                    );
                }
                b"crtt" | b"mdft" => {
                    let what = "date and time";
                    let value = b
                        .bytes(source, 64)
                        .and_then(|body| be64(&body, 4))
                        .map(|t| super::text::date_1904(t / 1_000_000))
                        .unwrap_or_default();
                    out.add(
                        (Category::Time, Harm::Medium),
                        what,
                        &value,
                        "meta/iprp/CreateDate",
                        b.place(),
                    );
                }
                _ => {}
            }
        }
    }
}
