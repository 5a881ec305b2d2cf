//! HEIC and AVIF (ISO/IEC 23008-12, AV1 Image File Format): the primary
//! picture, its tiles and its alpha plane; every other item goes.

mod payload;
mod write;

use super::{Outcome, StripError, colour, damaged, needs, too_large, truncated, unsupported};
use crate::bytes::{be16, be32, be64, part};
use crate::profiles::Space;

/// Most items of one file.
const MAX_ITEMS: usize = 4_096;

pub(super) fn looks_like(head: &[u8]) -> bool {
    part(head, 4, 4) == Some(b"ftyp")
        && matches!(
            part(head, 8, 4),
            Some(
                b"mif1"
                    | b"mif2"
                    | b"heic"
                    | b"heix"
                    | b"heim"
                    | b"heis"
                    | b"avif"
                    | b"avis"
                    | b"hevc"
                    | b"hevx"
                    | b"msf1"
            )
        )
}

/// How pictures are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Codec {
    Av1,
    Hevc,
}

/// A property that a picture may have.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Property {
    Size(u32, u32),
    Depths(Vec<u8>),
    Config(Vec<u8>),
    CodePoints([u16; 3], bool),
    Profile(Space),
    Alpha,
    Aperture([u32; 8]),
    Rotation(u8),
    Mirror(u8),
}

/// What stands in the file in place of a property.
#[derive(Clone, Debug)]
enum Found {
    Known(Property),
    /// May be left out.
    Dropped,
    /// No viewer may ignore it, and we do not know it.
    Foreign,
    /// A configuration that needs its NAL length size kept.
    HevcConfig(Property, u8),
    /// Auxiliary picture that is not alpha.
    OtherAux,
    Refused(&'static str),
}

#[derive(Clone, Debug, Default)]
struct Item {
    id: u32,
    kind: [u8; 4],
    extents: Vec<(u64, u64)>,
    in_idat: bool,
    /// Other ways of construction than bytes of the file.
    derived: bool,
    /// `(index from 1, essential)`.
    properties: Vec<(usize, bool)>,
}

/// A picture to be written.
#[derive(Debug)]
struct Picture {
    kind: [u8; 4],
    properties: Vec<Property>,
    data: Vec<u8>,
    tiles: Vec<usize>,
    hidden: bool,
}

struct File<'a> {
    data: &'a [u8],
    idat: &'a [u8],
    primary: u32,
    items: Vec<Item>,
    references: Vec<([u8; 4], u32, Vec<u32>)>,
    found: Vec<Found>,
}

/// Boxes of a slice: `(kind, content)`.
fn boxes(mut rest: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let size = be32(rest, 0)?;
        let kind: [u8; 4] = part(rest, 4, 4)?.try_into().ok()?;
        let (head, size) = match size {
            0 => (8, rest.len()),
            1 => (16, usize::try_from(be64(rest, 8)?).ok()?),
            n => (8, n as usize),
        };
        let body = rest.get(head..size)?;
        rest = rest.get(size..)?;
        Some((kind, body))
    })
}

pub(super) fn rebuild(data: &[u8]) -> Outcome {
    if matches!(part(data, 8, 4), Some(b"avis" | b"hevc" | b"hevx" | b"msf1")) {
        return Err(needs("it is an animation in a picture container"));
    }
    let meta = boxes(data).find(|b| &b.0 == b"meta").map(|b| b.1);
    let meta = meta.and_then(|m| m.get(4..)).ok_or_else(|| truncated("the list of pictures"))?;
    let mut file = File {
        data,
        idat: &[],
        primary: 0,
        items: Vec::new(),
        references: Vec::new(),
        found: Vec::new(),
    };
    file.read(meta)?;
    let (codec, pictures, premultiplied, notes) = file.gather()?;
    Ok(write::file(codec, &pictures, premultiplied, notes))
}

/// Reads numbers one after the other.
struct Cursor<'a>(&'a [u8], usize);

impl Cursor<'_> {
    fn u(&mut self, width: u8) -> Option<u64> {
        let value = match width {
            0 => 0,
            1 => u64::from(*self.0.get(self.1)?),
            2 => be16(self.0, self.1)?.into(),
            4 => be32(self.0, self.1)?.into(),
            8 => be64(self.0, self.1)?,
            _ => return None,
        };
        self.1 += usize::from(width);
        Some(value)
    }

    fn id(&mut self, wide: bool) -> Option<u32> {
        self.u(if wide { 4 } else { 2 })?.try_into().ok()
    }
}

impl<'a> File<'a> {
    fn read(&mut self, meta: &'a [u8]) -> Result<(), StripError> {
        let list: Vec<_> = boxes(meta).collect();
        for (kind, b) in &list {
            let version = b.first().copied().unwrap_or(0);
            match kind {
                b"pitm" => {
                    let id = Cursor(b, 4).id(version > 0);
                    self.primary = id.ok_or_else(|| truncated("the list of pictures"))?;
                }
                b"idat" => self.idat = b,
                b"iinf" => {
                    let rest = b.get(if version == 0 { 6 } else { 8 }..).unwrap_or_default();
                    for (kind, b) in boxes(rest).filter(|b| &b.0 == b"infe") {
                        self.info(b).ok_or_else(|| damaged(&format!("{kind:?}")))?;
                    }
                }
                b"iprp" => {
                    let inner: Vec<_> = boxes(b).collect();
                    for (_, b) in inner.iter().filter(|b| &b.0 == b"ipco") {
                        self.found = boxes(b).map(|(kind, b)| property(&kind, b)).collect();
                    }
                }
                _ => {}
            }
        }
        if self.items.len() > MAX_ITEMS {
            return Err(too_large("a picture of more than 4,096 items"));
        }
        for (kind, b) in list {
            let good = match &kind {
                b"iloc" => self.locations(b),
                b"iref" => self.refs(b),
                b"iprp" => {
                    boxes(b).filter(|b| &b.0 == b"ipma").try_for_each(|b| self.associate(b.1))
                }
                _ => Some(()),
            };
            good.ok_or_else(|| damaged("the tables of the picture"))?;
        }
        Ok(())
    }

    fn item(&mut self, id: u32) -> Option<&mut Item> {
        self.items.iter_mut().find(|i| i.id == id)
    }

    fn info(&mut self, b: &[u8]) -> Option<()> {
        let version = *b.first()?;
        if version < 2 || self.items.len() > MAX_ITEMS {
            return Some(());
        }
        let mut c = Cursor(b, 4);
        let id = c.id(version > 2)?;
        c.u(2)?;
        let kind = part(b, c.1, 4)?.try_into().ok()?;
        if self.item(id).is_none() {
            self.items.push(Item { id, kind, ..Item::default() });
        }
        Some(())
    }

    fn locations(&mut self, b: &[u8]) -> Option<()> {
        let version = *b.first()?;
        let (offset, length) = (b.get(4)? >> 4, b.get(4)? & 15);
        let (base, index) = (b.get(5)? >> 4, if version > 0 { b.get(5)? & 15 } else { 0 });
        let mut c = Cursor(b, 6);
        let count = c.id(version > 1)?;
        for _ in 0..count {
            let id = c.id(version > 1)?;
            let method = if version > 0 { c.u(2)? & 15 } else { 0 };
            let elsewhere = c.u(2)?;
            let base = c.u(base)?;
            let mut extents = Vec::new();
            for _ in 0..c.u(2)? {
                c.u(index)?;
                let start = base.checked_add(c.u(offset)?)?;
                let length = c.u(length)?;
                if extents.len() < 4_096 {
                    extents.push((start, length));
                }
            }
            if let Some(item) = self.item(id)
                && item.extents.is_empty()
            {
                item.extents = extents;
                item.in_idat = method == 1;
                item.derived = method > 1 || elsewhere != 0;
            }
        }
        Some(())
    }

    fn refs(&mut self, b: &[u8]) -> Option<()> {
        let wide = *b.first()? > 0;
        let list: Vec<_> = boxes(b.get(4..)?).collect();
        for (kind, b) in list {
            let mut c = Cursor(b, 0);
            let from = c.id(wide)?;
            let count = c.u(2)?;
            let mut to = Vec::new();
            for _ in 0..count {
                to.push(c.id(wide)?);
            }
            if self.references.len() < 2 * MAX_ITEMS {
                self.references.push((kind, from, to));
            }
        }
        Some(())
    }

    fn associate(&mut self, b: &[u8]) -> Option<()> {
        let (version, wide) = (*b.first()?, b.get(3)? & 1 == 1);
        let mut c = Cursor(b, 4);
        for _ in 0..c.u(4)? {
            let id = c.id(version > 0)?;
            let mut list = Vec::new();
            for _ in 0..c.u(1)? {
                let value = c.u(if wide { 2 } else { 1 })? as usize;
                let top = if wide { 0x8000 } else { 0x80 };
                list.push((value & (top - 1), value & top != 0));
            }
            if let Some(item) = self.item(id)
                && item.properties.is_empty()
            {
                item.properties = list;
            }
        }
        Some(())
    }

    fn refers(&self, kind: &[u8; 4], from: u32) -> Vec<u32> {
        let list = self.references.iter().filter(|r| r.0 == *kind && r.1 == from);
        list.flat_map(|r| r.2.iter().copied()).collect()
    }

    /// The pictures to write, the primary one first.
    fn gather(&self) -> Result<(Codec, Vec<Picture>, bool, Vec<String>), StripError> {
        let mut out = Vec::new();
        let mut codec = None;
        self.add(self.primary, &mut out, &mut codec, false)?;
        let mut premultiplied = false;
        let alpha = self.references.iter().find(|(kind, from, to)| {
            kind == b"auxl" && to.contains(&self.primary) && self.is_alpha(*from)
        });
        if let Some((_, alpha, _)) = alpha {
            self.add(*alpha, &mut out, &mut codec, true)?;
            premultiplied = self.refers(b"prem", self.primary).contains(alpha);
        }
        let mut notes = Vec::new();
        let used = out.len();
        if self.items.len() > used {
            let n = self.items.len() - used;
            notes.push(format!(
                "{n} items besides the picture are left out (thumbnails, maps, metadata)."
            ));
        }
        let codec = codec.ok_or_else(|| damaged("there is no picture"))?;
        Ok((codec, out, premultiplied, notes))
    }

    fn is_alpha(&self, id: u32) -> bool {
        let item = self.items.iter().find(|i| i.id == id);
        item.is_some_and(|i| {
            i.properties.iter().any(|p| {
                matches!(
                    p.0.checked_sub(1).and_then(|n| self.found.get(n)),
                    Some(Found::Known(Property::Alpha))
                )
            })
        })
    }

    fn add(
        &self,
        id: u32,
        out: &mut Vec<Picture>,
        codec: &mut Option<Codec>,
        alpha: bool,
    ) -> Result<(), StripError> {
        let item = self.items.iter().find(|i| i.id == id);
        let item = item.ok_or_else(|| damaged("the main picture is missing"))?;
        let (mut properties, mut lengths) = self.properties(item)?;
        if !alpha {
            properties.retain(|p| *p != Property::Alpha);
        }
        let place = out.len();
        if &item.kind == b"grid" {
            let tiles = self.refers(b"dimg", id);
            let data = payload::grid(&self.bytes(item)?, tiles.len())
                .ok_or_else(|| damaged("the grid of tiles"))?;
            out.push(Picture {
                kind: item.kind,
                properties,
                data,
                tiles: Vec::new(),
                hidden: false,
            });
            let mut numbers = Vec::new();
            for tile in tiles {
                let tile = self.items.iter().find(|i| i.id == tile);
                let tile = tile.ok_or_else(|| damaged("a tile is missing"))?;
                let (mut properties, lengths) = self.properties(tile)?;
                properties.retain(|p| *p != Property::Alpha);
                let data = self.coded(tile, codec, lengths)?;
                numbers.push(out.len());
                let hidden = true;
                out.push(Picture { kind: tile.kind, properties, data, tiles: Vec::new(), hidden });
                if out.len() > MAX_ITEMS {
                    return Err(too_large("a picture of more than 4,096 items"));
                }
            }
            if let Some(grid) = out.get_mut(place) {
                grid.tiles = numbers;
            }
            return Ok(());
        }
        let data = self.coded(item, codec, std::mem::take(&mut lengths))?;
        out.push(Picture { kind: item.kind, properties, data, tiles: Vec::new(), hidden: false });
        Ok(())
    }

    fn coded(
        &self,
        item: &Item,
        codec: &mut Option<Codec>,
        lengths: Option<u8>,
    ) -> Result<Vec<u8>, StripError> {
        let own = match &item.kind {
            b"av01" => Codec::Av1,
            b"hvc1" => Codec::Hevc,
            b"iden" | b"iovl" | b"tmap" => {
                return Err(needs("its picture is put together from others"));
            }
            b"jpeg" | b"avc1" | b"vvc1" | b"unci" | b"j2k1" => {
                return Err(needs("its picture is coded in an unusual way"));
            }
            _ => return Err(unsupported("a picture of this coding")),
        };
        if *codec.get_or_insert(own) != own {
            return Err(damaged("pictures of two codings"));
        }
        let bytes = self.bytes(item)?;
        match (own, lengths) {
            (Codec::Av1, _) => payload::av1(&bytes),
            (Codec::Hevc, Some(size)) => payload::hevc(&bytes, size.into()),
            (Codec::Hevc, None) => Err(damaged("the configuration of the picture is missing")),
        }
    }

    fn bytes(&self, item: &Item) -> Result<Vec<u8>, StripError> {
        if item.derived {
            return Err(unsupported("a picture that lies outside the file"));
        }
        let from = if item.in_idat { self.idat } else { self.data };
        let mut out = Vec::new();
        for &(start, length) in &item.extents {
            let start = usize::try_from(start).unwrap_or(usize::MAX);
            let piece = match length {
                0 => from.get(start..),
                n => part(from, start, usize::try_from(n).unwrap_or(usize::MAX)),
            };
            let piece = piece.ok_or_else(|| truncated("a picture"))?;
            // Extents may name the same bytes again and again.
            if out.len() + piece.len() > self.data.len() {
                return Err(damaged("a picture larger than the file"));
            }
            out.extend(piece);
        }
        Ok(out)
    }

    /// Properties in canonical order, and the size of NAL lengths.
    fn properties(&self, item: &Item) -> Result<(Vec<Property>, Option<u8>), StripError> {
        let (mut list, mut lengths): (Vec<Property>, _) = (Vec::new(), None);
        for &(number, essential) in &item.properties {
            let Some(found) = number.checked_sub(1).and_then(|n| self.found.get(n)) else {
                continue;
            };
            let known = match found {
                Found::Known(known) => known.clone(),
                Found::HevcConfig(known, size) => {
                    lengths = Some(*size);
                    known.clone()
                }
                Found::Dropped | Found::OtherAux => continue,
                Found::Foreign if essential => {
                    return Err(needs("its picture needs a property that is not known"));
                }
                Found::Foreign => continue,
                Found::Refused(why) => return Err(needs(why)),
            };
            let assumed = matches!(known, Property::Profile(space) if space.is_assumed());
            let again =
                list.iter().any(|p| std::mem::discriminant(p) == std::mem::discriminant(&known));
            if !assumed && !again {
                list.push(known);
            }
        }
        // Stable: transformations keep their order, which has a meaning.
        list.sort_by_key(|p| match p {
            Property::Size(..) => 0,
            Property::Depths(_) => 1,
            Property::Config(_) => 2,
            Property::Profile(_) => 3,
            Property::CodePoints(..) => 4,
            Property::Alpha => 5,
            Property::Aperture(_) | Property::Rotation(_) | Property::Mirror(_) => 6,
        });
        if !matches!(list.first(), Some(Property::Size(..))) {
            return Err(damaged("a picture without a size"));
        }
        Ok((list, lengths))
    }
}

fn property(kind: &[u8; 4], b: &[u8]) -> Found {
    let parsed = match kind {
        b"ispe" => be32(b, 4).zip(be32(b, 8)).map(|(w, h)| Property::Size(w, h)),
        b"pixi" => b
            .get(4)
            .and_then(|&n| part(b, 5, n.into()))
            .filter(|d| (1..=4).contains(&d.len()) && d.iter().all(|d| (1..=16).contains(d)))
            .map(|d| Property::Depths(d.to_vec())),
        b"av1C" => part(b, 0, 3)
            .filter(|h| h[0] == 0x81)
            .map(|h| Property::Config(vec![h[0], h[1], h[2], 0])),
        b"hvcC" => {
            return match payload::hevc_config(b) {
                Some((config, size)) => Found::HevcConfig(Property::Config(config), size),
                None => Found::Refused("its configuration is unusual"),
            };
        }
        b"colr" => match part(b, 0, 4) {
            Some(b"nclx") => (|| {
                let codes = [be16(b, 4)?, be16(b, 6)?, be16(b, 8)?];
                usual(codes).then_some(Property::CodePoints(codes, b.get(10)? & 0x80 != 0))
            })(),
            Some(b"prof" | b"rICC") => match colour::recognise(b.get(4..).unwrap_or_default()) {
                Ok(space) => Some(Property::Profile(space)),
                Err(_) => {
                    return Found::Refused(
                        "its colour profile equals no standard one, so the colours have to be converted",
                    );
                }
            },
            _ => None,
        },
        b"auxC" => {
            let urn = b.get(4..).unwrap_or_default();
            let urn = urn.split(|&c| c == 0).next().unwrap_or_default();
            match urn {
                b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha"
                | b"urn:mpeg:hevc:2015:auxid:1"
                | b"urn:mpeg:avc:2015:auxid:1" => Some(Property::Alpha),
                _ => return Found::OtherAux,
            }
        }
        b"clap" => {
            let list: Option<Vec<u32>> = (0..8).map(|i| be32(b, 4 * i)).collect();
            list.and_then(|l| l.try_into().ok()).map(Property::Aperture)
        }
        b"irot" => b.first().map(|v| Property::Rotation(v & 3)),
        b"imir" => b.first().map(|v| Property::Mirror(v & 1)),
        b"pasp" | b"clli" | b"mdcv" | b"cclv" | b"a1lx" | b"rloc" | b"udes" | b"altt" | b"crtt"
        | b"mdft" => return Found::Dropped,
        b"a1op" | b"lsel" => return Found::Refused("its picture has layers"),
        _ => return Found::Foreign,
    };
    parsed.map_or(Found::Refused("a property of the picture is damaged or unusual"), Found::Known)
}

/// Code points of ITU-T H.273 that pictures are made with.
fn usual([primaries, transfer, matrix]: [u16; 3]) -> bool {
    matches!(primaries, 1 | 2 | 5 | 6 | 9 | 11 | 12)
        && matches!(transfer, 1 | 2 | 6 | 8 | 13 | 14 | 15 | 16 | 18)
        && matches!(matrix, 0 | 1 | 2 | 5 | 6 | 8 | 9 | 10 | 12)
}
