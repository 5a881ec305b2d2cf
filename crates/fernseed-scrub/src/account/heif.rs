//! HEIC and AVIF: three boxes, tables of one form, items that fill `mdat`
//! without a gap, coded pictures of allowed units only.

use super::claims::Claims;
use super::{OutputKind, Parts};
use crate::bytes::{be16, be32, fourcc, part};
use crate::source::Source;
use fernseed_core::Size;

/// Largest `meta` box.
const MAX_META: u64 = 4 << 20;

type Boxes<'a> = Vec<([u8; 4], &'a [u8], u64)>;

/// Children that fill `b` exactly, with the offset of each.
fn children(b: &[u8], base: u64) -> Option<Boxes<'_>> {
    let (mut at, mut list) = (0usize, Vec::new());
    while at < b.len() {
        let size = be32(b, at)? as usize;
        let kind: [u8; 4] = part(b, at + 4, 4)?.try_into().ok()?;
        let body = part(b, at + 8, size.checked_sub(8)?)?;
        list.push((kind, body, base + at as u64));
        at += size;
    }
    Some(list)
}

#[derive(Default)]
struct Tables {
    /// `(start, length)` of each item.
    places: Vec<(u64, u64)>,
    kinds: Vec<([u8; 4], bool)>,
    grid_tiles: Vec<(usize, usize)>,
    alpha: Option<usize>,
    /// Kind of each property.
    properties: Vec<[u8; 4]>,
    sizes: Vec<Option<Size>>,
    associations: Vec<Vec<usize>>,
}

pub(super) fn account(source: &mut Source<'_>, claims: &mut Claims, parts: &mut Parts) {
    let len = source.len();
    let avif = parts.kind == OutputKind::Avif;
    let head = source.upto(0, len, 32).unwrap_or_default();
    let brands: &[&[u8]] = if avif {
        &[b"\0\0\0\x1Cftypavif\0\0\0\0avifmif1miaf"]
    } else {
        &[b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", b"\0\0\0\x18ftypheix\0\0\0\0mif1heix"]
    };
    let Some(brand) = brands.iter().find(|b| head.starts_with(b)) else {
        return claims.foreign(
            "ftyp",
            0,
            len,
            "The file type is not of the one form it must have.",
        );
    };
    let at = brand.len() as u64;
    claims.own("ftyp", 0, at);
    let meta = source.array::<8>(at).ok().filter(|h| h.ends_with(b"meta"));
    let size = meta.and_then(|h| be32(&h, 0)).map_or(0, u64::from);
    let body =
        (12..=MAX_META).contains(&size).then(|| source.bytes(at + 8, size - 8).ok()).flatten();
    let Some(body) = body else {
        return claims.foreign("meta", at, len, "The tables of the picture are missing.");
    };
    let mut tables = Tables::default();
    claims.own("meta", at, at + 12);
    match body.strip_prefix(&[0; 4]).and_then(|b| children(b, at + 12)) {
        Some(list) => meta_boxes(claims, &list, &mut tables, avif),
        None => claims.wrong("meta", at, at + size, "The boxes do not fill their parent exactly."),
    }
    let mdat = at + size;
    let head = source.array::<8>(mdat).unwrap_or_default();
    let end = mdat + u64::from(be32(&head, 0).unwrap_or(0));
    if !head.ends_with(b"mdat") || end > len || end < mdat + 8 {
        return claims.foreign("mdat", mdat, len, "The picture data is missing.");
    }
    claims.own("mdat", mdat, mdat + 8);
    if end < len {
        claims.foreign("(after mdat)", end, len, "Bytes after the end of the picture.");
    }
    items(source, claims, &tables, (mdat + 8, end));
    parts.size = tables.associations.first().and_then(|list| {
        list.iter().find_map(|&p| tables.sizes.get(p.checked_sub(1)?).copied().flatten())
    });
}

fn meta_boxes(claims: &mut Claims, list: &Boxes<'_>, tables: &mut Tables, avif: bool) {
    let order: Vec<&[u8]> = list.iter().map(|b| &b.0[..]).collect();
    let plain: [&[u8]; 5] = [b"hdlr", b"pitm", b"iloc", b"iinf", b"iprp"];
    let linked: [&[u8]; 6] = [b"hdlr", b"pitm", b"iloc", b"iinf", b"iref", b"iprp"];
    if order != plain && order != linked {
        claims.wrong("meta", 0, 0, "The boxes are not those of a picture, in order.");
    }
    for (kind, b, at) in list {
        let name = format!("meta/{}", fourcc(*kind));
        let end = at + 8 + b.len() as u64;
        let good = match kind {
            b"hdlr" => *b == b"\0\0\0\0\0\0\0\0pict\0\0\0\0\0\0\0\0\0\0\0\0\0",
            b"pitm" => *b == [0, 0, 0, 0, 0, 1],
            b"iloc" => locations(b, tables).is_some(),
            b"iinf" => infos(b, tables, avif).is_some(),
            b"iref" => links(b, tables).is_some(),
            b"iprp" => properties(b, tables, avif).is_some(),
            _ => {
                claims.foreign(&name, *at, end, "A box that is not on the list.");
                continue;
            }
        };
        claims.own(&name, *at, end);
        if !good {
            claims.wrong(&name, *at, end, "The box is not exactly of the one form it must have.");
        }
    }
}

fn locations(b: &[u8], tables: &mut Tables) -> Option<()> {
    let rest = b.strip_prefix(&[0, 0, 0, 0, 0x44, 0])?;
    let count = be16(rest, 0)?;
    let entries = rest.get(2..)?;
    for (n, e) in (1..=count).zip(entries.chunks_exact(14)) {
        (be16(e, 0)? == n && part(e, 2, 4)? == [0, 0, 0, 1]).then_some(())?;
        tables.places.push((be32(e, 6)?.into(), be32(e, 10)?.into()));
    }
    (entries.len() == usize::from(count) * 14 && count > 0).then_some(())
}

fn infos(b: &[u8], tables: &mut Tables, avif: bool) -> Option<()> {
    let count = be16(b.strip_prefix(&[0; 4])?, 0)?;
    let list = children(b.get(6..)?, 0)?;
    (list.len() == usize::from(count)).then_some(())?;
    for (n, (kind, b, _)) in (1u16..).zip(list) {
        let &[2, 0, 0, hidden @ 0..=1, _, _, 0, 0, a, c, d, e, 0] = b else { return None };
        let own: [u8; 4] = [a, c, d, e];
        let coded = if avif { *b"av01" } else { *b"hvc1" };
        let fits = &kind == b"infe" && be16(b, 4)? == n && (own == coded || &own == b"grid");
        fits.then_some(())?;
        tables.kinds.push((own, hidden == 1));
    }
    Some(())
}

fn links(b: &[u8], tables: &mut Tables) -> Option<()> {
    for (kind, b, _) in children(b.strip_prefix(&[0; 4])?, 0)? {
        let (from, count) = (usize::from(be16(b, 0)?), usize::from(be16(b, 2)?));
        (b.len() == 4 + 2 * count && from > 0).then_some(())?;
        match &kind {
            b"dimg" => {
                // Tiles follow their grid.
                for i in 0..count {
                    (usize::from(be16(b, 4 + 2 * i)?) == from + 1 + i).then_some(())?;
                }
                tables.grid_tiles.push((from - 1, count));
            }
            b"auxl" if tables.alpha.is_none() => {
                (count == 1 && be16(b, 4)? == 1).then_some(())?;
                tables.alpha = Some(from - 1);
            }
            b"prem" => {
                let to = usize::from(be16(b, 4)?);
                (count == 1 && from == 1 && tables.alpha == Some(to - 1)).then_some(())?;
            }
            _ => return None,
        }
    }
    Some(())
}

fn properties(b: &[u8], tables: &mut Tables, avif: bool) -> Option<()> {
    let list = children(b, 0)?;
    let [(ipco, store, _), (ipma, table, _)] = list.as_slice() else { return None };
    (ipco == b"ipco" && ipma == b"ipma").then_some(())?;
    for (kind, b, _) in children(store, 0)? {
        property(&kind, b, avif).then_some(())?;
        tables.sizes.push(
            (&kind == b"ispe").then(|| Size::new(be32(b, 4).unwrap_or(0), be32(b, 8).unwrap_or(0))),
        );
        tables.properties.push(kind);
    }
    let wide = usize::from(*table.get(3)? == 1);
    (part(table, 0, 3)? == [0; 3]).then_some(())?;
    let count = be32(table, 4)?;
    let mut at = 8;
    let mut used = vec![false; tables.properties.len()];
    for n in 1..=count {
        (u32::from(be16(table, at)?) == n).then_some(())?;
        let entries = usize::from(*table.get(at + 2)?);
        at += 3;
        let mut own = Vec::new();
        for _ in 0..entries {
            let number = if wide == 1 {
                usize::from(be16(table, at)? & 0x7FFF)
            } else {
                usize::from(table.get(at)? & 0x7F)
            };
            at += 1 + wide;
            *used.get_mut(number.checked_sub(1)?)? = true;
            own.push(number);
        }
        tables.associations.push(own);
    }
    // A property nobody uses would be a place to keep something.
    (at == table.len() && used.iter().all(|&u| u)).then_some(())
}

fn property(kind: &[u8; 4], b: &[u8], avif: bool) -> bool {
    match kind {
        b"ispe" => b.len() == 12 && b.starts_with(&[0; 4]),
        b"pixi" => {
            b.len() == 5 + usize::from(b.get(4).copied().unwrap_or(255))
                && (6..=9).contains(&b.len())
                && b.starts_with(&[0; 4])
                && b.iter().skip(5).all(|d| (1..=16).contains(d))
        }
        b"av1C" => avif && matches!(b, [0x81, _, _, 0]),
        b"hvcC" => !avif && hevc_config(b).is_some(),
        b"colr" => match b.strip_prefix(b"nclx") {
            Some(code) => {
                let one = |i, list: &[u16]| be16(code, i).is_some_and(|v| list.contains(&v));
                code.len() == 7
                    && one(0, &[1, 2, 5, 6, 9, 11, 12])
                    && one(2, &[1, 2, 6, 8, 13, 14, 15, 16, 18])
                    && one(4, &[0, 1, 2, 5, 6, 8, 9, 10, 12])
                    && matches!(code.last(), Some(0 | 0x80))
            }
            None => b.strip_prefix(b"prof").is_some_and(crate::profiles::is_ours),
        },
        b"auxC" => {
            let urn: &[u8] = if avif {
                b"\0\0\0\0urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0"
            } else {
                b"\0\0\0\0urn:mpeg:hevc:2015:auxid:1\0"
            };
            b == urn
        }
        b"clap" => b.len() == 32,
        b"irot" => matches!(b, [0..=3]),
        b"imir" => matches!(b, [0..=1]),
        _ => false,
    }
}

fn hevc_config(b: &[u8]) -> Option<()> {
    let fixed = [0xF0u8, 0, 0xFC];
    let neutral = part(b, 13, 3)? == fixed
        && part(b, 19, 2)? == [0, 0]
        && b.get(21)? & !4 == 0x0B
        && b.first() == Some(&1)
        && b.get(16)? & 0xFC == 0xFC
        && b.get(17)? & 0xF8 == 0xF8
        && b.get(18)? & 0xF8 == 0xF8;
    neutral.then_some(())?;
    let (mut at, mut last) = (23, 31);
    for _ in 0..*b.get(22)? {
        let kind = *b.get(at)? & 0x7F;
        (b.get(at)? & 0x80 != 0 && kind > last && kind <= 34).then_some(())?;
        last = kind;
        let count = be16(b, at + 1)?;
        at += 3;
        for _ in 0..count {
            let size = usize::from(be16(b, at)?);
            let nal = part(b, at + 2, size)?;
            (size <= 512 && nal.first()? >> 1 == kind && *nal.last()? != 0).then_some(())?;
            at += 2 + size;
        }
    }
    (at == b.len()).then_some(())
}

/// Items fill the data box one after the other.
fn items(source: &mut Source<'_>, claims: &mut Claims, tables: &Tables, (from, end): (u64, u64)) {
    let count = tables.places.len();
    if count != tables.kinds.len() || count != tables.associations.len() {
        claims.wrong("meta", 0, 0, "The tables speak of different numbers of items.");
    }
    let first = tables.grid_tiles.iter().find(|g| g.0 == 0).map_or(1, |g| 1 + g.1);
    let second = match tables.alpha {
        Some(a) if a == first => {
            first + tables.grid_tiles.iter().find(|g| g.0 == a).map_or(1, |g| 1 + g.1)
        }
        Some(_) => 0,
        None => first,
    };
    if second != count {
        claims.wrong(
            "meta/iinf",
            0,
            0,
            "There are items that are neither the picture nor its alpha.",
        );
    }
    let mut at = from;
    for (n, &(start, size)) in tables.places.iter().enumerate() {
        let (kind, hidden) = tables.kinds.get(n).copied().unwrap_or_default();
        let tile = tables.grid_tiles.iter().any(|&(g, c)| n > g && n <= g + c);
        if start != at || start + size > end || hidden != tile {
            claims.wrong("meta/iloc", start, start + size, "An item is not where it must be.");
            break;
        }
        let body = source.bytes(start, size).unwrap_or_default();
        let good = match &kind {
            b"grid" => tables.grid_tiles.iter().any(|&(g, tiles)| g == n && grid(&body, tiles)),
            b"av01" => av1(&body).is_some(),
            _ => hevc(&body).is_some(),
        };
        if good {
            claims.own("mdat/item", start, start + size);
        } else {
            let message = "A coded picture with more in it than a picture.";
            claims.foreign("mdat/item", start, start + size, message);
        }
        at = start + size;
    }
    if at < end {
        claims.foreign("mdat", at, end, "Bytes that belong to no item.");
    }
}

fn grid(b: &[u8], tiles: usize) -> bool {
    let count = |r: u8, c: u8| (usize::from(r) + 1) * (usize::from(c) + 1);
    match *b {
        [0, 0, r, c, _, _, _, _] => count(r, c) == tiles,
        [0, 1, r, c, ..] => b.len() == 12 && count(r, c) == tiles,
        _ => false,
    }
}

/// A sequence header and one frame, sizes in their shortest form.
fn av1(b: &[u8]) -> Option<()> {
    let (mut at, mut frames, mut sequences) = (0usize, 0, 0);
    while at < b.len() {
        let kind = match *b.get(at)? {
            0x0A => 1,
            0x1A => 3,
            0x22 => 4,
            0x32 => 6,
            _ => return None,
        };
        at += 1;
        let (mut size, mut shift) = (0usize, 0);
        loop {
            let byte = *b.get(at)?;
            at += 1;
            size |= usize::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                (byte != 0 || shift == 0).then_some(())?;
                break;
            }
            shift += 7;
            (shift < 35).then_some(())?;
        }
        match kind {
            1 => {
                sequences += 1;
                (frames == 0 && size <= 512).then_some(())?;
            }
            3 | 6 => frames += 1,
            _ => (frames == 1).then_some(())?,
        }
        part(b, at, size)?;
        at += size;
    }
    (frames == 1 && sequences <= 1).then_some(())
}

/// Slices of the base layer, each a whole unit.
fn hevc(b: &[u8]) -> Option<()> {
    let mut at = 0;
    while at < b.len() {
        let size = be32(b, at)? as usize;
        let nal = part(b, at + 4, size)?;
        let &[first, second, ..] = nal else { return None };
        let slice = matches!(first >> 1, 0..=9 | 16..=21) && first & 1 == 0 && second >> 3 == 0;
        let whole = *nal.last()? != 0 && !nal.ends_with(&[0, 0, 3]);
        let starts = nal.windows(3).any(|w| matches!(w, [0, 0, 0..=2]));
        (slice && whole && !starts).then_some(())?;
        at += 4 + size;
    }
    (!b.is_empty()).then_some(())
}
