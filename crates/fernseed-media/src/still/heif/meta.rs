//! The boxes of a HEIF file that say which items there are and where their
//! bytes lie (ISO/IEC 14496-12, 8.11; ISO/IEC 23008-12).

use crate::still::StillError;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Most items, and most extents of one item.
const MAX_ENTRIES: usize = 20_000;

/// A box: its type and contents.
pub(super) type Boxed<'a> = ([u8; 4], &'a [u8]);

/// Where an item's bytes lie.
#[derive(Default)]
struct Location {
    /// True if offsets count from the beginning of `idat`, else of the file.
    in_idat: bool,
    /// Offset and length; length 0 is up to the end.
    extents: Vec<(u64, u64)>,
}

/// The items of a file.
#[derive(Default)]
pub(super) struct Meta<'a> {
    file: &'a [u8],
    idat: &'a [u8],
    pub(super) primary: u32,
    /// Type and whether hidden.
    items: BTreeMap<u32, ([u8; 4], bool)>,
    locations: BTreeMap<u32, Location>,
    /// Type, from, to.
    references: Vec<([u8; 4], u32, Vec<u32>)>,
    properties: Vec<Boxed<'a>>,
    associations: BTreeMap<u32, Vec<(usize, bool)>>,
    sequence: bool,
}

impl<'a> Meta<'a> {
    /// Reads the structure.
    ///
    /// # Errors
    /// `Truncated` if a box ends after the file, `Unsupported` if there is
    /// no main picture (a sequence only), else `Damaged`.
    pub(super) fn read(file: &'a [u8]) -> Result<Self, StillError> {
        let mut meta = Self { file, ..Self::default() };
        let mut found = false;
        let mut rest = file;
        while let Some((kind, body)) = next_box(&mut rest)? {
            match &kind {
                b"meta" if !found => {
                    found = true;
                    meta.read_meta(body.get(4..).ok_or_else(cut)?)?;
                }
                b"moov" => meta.sequence = true,
                _ => {}
            }
        }
        if !found || meta.primary == 0 && !meta.items.contains_key(&0) {
            return Err(StillError::unsupported("HEIF without a main picture"));
        }
        Ok(meta)
    }

    fn read_meta(&mut self, mut rest: &'a [u8]) -> Result<(), StillError> {
        while let Some((kind, body)) = next_box(&mut rest)? {
            match &kind {
                b"pitm" => {
                    let mut r = Reader(body);
                    let version = r.full_box()?.0;
                    self.primary = r.id(version > 0)?;
                }
                b"iinf" => self.read_items(body)?,
                b"iloc" => self.read_locations(body)?,
                b"iref" => self.read_references(body)?,
                b"iprp" => self.read_properties(body)?,
                b"idat" => self.idat = body,
                _ => {}
            }
        }
        Ok(())
    }

    fn read_items(&mut self, body: &'a [u8]) -> Result<(), StillError> {
        let mut r = Reader(body);
        let version = r.full_box()?.0;
        // The count repeats what the boxes show.
        r.id(version > 0)?;
        while let Some((kind, entry)) = next_box(&mut r.0)? {
            let mut e = Reader(entry);
            let (version, flags) = e.full_box()?;
            if &kind != b"infe" || version < 2 {
                continue;
            }
            let id = e.id(version > 2)?;
            e.take(2)?;
            let kind = *e.take(4)?.first_chunk().ok_or_else(cut)?;
            self.items.insert(id, (kind, flags & 1 != 0));
            if self.items.len() > MAX_ENTRIES {
                return Err(StillError::Limit { what: "items of a HEIF file" });
            }
        }
        Ok(())
    }

    fn read_locations(&mut self, body: &'a [u8]) -> Result<(), StillError> {
        let mut r = Reader(body);
        let version = r.full_box()?.0;
        let sizes = u32::from(r.u16()?);
        let nibble = |shift: u32| (sizes >> shift & 15) as usize;
        let (offset, length, base) = (nibble(12), nibble(8), nibble(4));
        let index = if version > 0 { nibble(0) } else { 0 };
        let count = r.id(version > 1)?;
        for _ in 0..count {
            let id = r.id(version > 1)?;
            let method = if version > 0 { r.u16()? & 15 } else { 0 };
            let data_reference = r.u16()?;
            let start = r.uint(base)?;
            let extents = usize::from(r.u16()?);
            let mut location = Location { in_idat: method == 1, extents: Vec::new() };
            for _ in 0..extents {
                r.uint(index)?;
                let at = r.uint(offset)?.checked_add(start).ok_or_else(cut)?;
                location.extents.push((at, r.uint(length)?));
            }
            // Items in other files or built from other items have no place here.
            if data_reference == 0 && method < 2 {
                self.locations.insert(id, location);
            }
            if self.locations.len() > MAX_ENTRIES {
                return Err(StillError::Limit { what: "items of a HEIF file" });
            }
        }
        Ok(())
    }

    fn read_references(&mut self, body: &'a [u8]) -> Result<(), StillError> {
        let mut r = Reader(body);
        let wide = r.full_box()?.0 > 0;
        while let Some((kind, entry)) = next_box(&mut r.0)? {
            let mut e = Reader(entry);
            let from = e.id(wide)?;
            let count = e.u16()?;
            let to = (0..count).map(|_| e.id(wide)).collect::<Result<_, _>>()?;
            self.references.push((kind, from, to));
        }
        Ok(())
    }

    fn read_properties(&mut self, mut rest: &'a [u8]) -> Result<(), StillError> {
        while let Some((kind, body)) = next_box(&mut rest)? {
            match &kind {
                b"ipco" => {
                    let mut inner = body;
                    while let Some(property) = next_box(&mut inner)? {
                        self.properties.push(property);
                    }
                }
                b"ipma" => {
                    let mut r = Reader(body);
                    let (version, flags) = r.full_box()?;
                    for _ in 0..r.u32()? {
                        let id = r.id(version > 0)?;
                        let count = r.u8()?;
                        let list = self.associations.entry(id).or_default();
                        for _ in 0..count {
                            let (essential, index) = if flags & 1 != 0 {
                                let v = r.u16()?;
                                (v >> 15 != 0, v & 0x7FFF)
                            } else {
                                let v = r.u8()?;
                                (v >> 7 != 0, u16::from(v & 0x7F))
                            };
                            list.push((index.into(), essential));
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// An item's type.
    pub(super) fn kind(&self, item: u32) -> Option<&[u8; 4]> {
        self.items.get(&item).map(|(kind, _)| kind)
    }

    /// An item's properties in order, and whether each is essential.
    pub(super) fn properties_of(&self, item: u32) -> impl Iterator<Item = (Boxed<'a>, bool)> {
        self.associations.get(&item).into_iter().flatten().filter_map(|(index, essential)| {
            // 0 is no property; the others count from 1.
            Some((*self.properties.get(index.checked_sub(1)?)?, *essential))
        })
    }

    /// What an item refers to in this way.
    pub(super) fn references(&self, from: u32, kind: &[u8; 4]) -> &[u32] {
        self.references
            .iter()
            .find(|(k, f, _)| k == kind && *f == from)
            .map_or(&[], |(_, _, to)| to.as_slice())
    }

    /// The item that holds the alpha of `master`.
    pub(super) fn alpha_of(&self, master: u32) -> Option<u32> {
        let mut candidates =
            self.references.iter().filter(|(k, _, to)| k == b"auxl" && to.contains(&master));
        candidates
            .find(|(_, from, _)| {
                self.properties_of(*from).any(|((kind, body), _)| {
                    let urn = body.get(4..).unwrap_or(&[]);
                    &kind == b"auxC"
                        && (urn.starts_with(b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha")
                            || urn.starts_with(b"urn:mpeg:hevc:2015:auxid:1"))
                })
            })
            .map(|(_, from, _)| *from)
    }

    /// True if there are pictures beside the main one that a viewer shows.
    pub(super) fn has_others(&self) -> bool {
        let helper = |id: &u32| {
            self.references.iter().any(|(kind, from, to)| match kind {
                b"thmb" | b"auxl" => from == id,
                b"dimg" => to.contains(id),
                _ => false,
            })
        };
        let shown =
            |kind: &[u8; 4]| matches!(kind, b"hvc1" | b"av01" | b"grid" | b"iovl" | b"iden");
        self.sequence
            || self.items.iter().any(|(id, (kind, hidden))| {
                *id != self.primary && !hidden && shown(kind) && !helper(id)
            })
    }

    /// An item's bytes, its extents joined.
    pub(super) fn data(&self, item: u32) -> Result<Cow<'a, [u8]>, StillError> {
        let location =
            self.locations.get(&item).ok_or_else(|| StillError::damaged("an item has no data"))?;
        let source = if location.in_idat { self.idat } else { self.file };
        let part = |(at, len): &(u64, u64)| -> Result<&'a [u8], StillError> {
            let tail = usize::try_from(*at).ok().and_then(|at| source.get(at..));
            let tail = tail.ok_or(StillError::Truncated)?;
            match usize::try_from(*len) {
                Ok(0) => Ok(tail),
                Ok(len) => tail.get(..len).ok_or(StillError::Truncated),
                Err(_) => Err(StillError::Truncated),
            }
        };
        if let [only] = location.extents.as_slice() {
            return part(only).map(Cow::Borrowed);
        }
        let mut joined = Vec::new();
        for extent in &location.extents {
            joined.extend_from_slice(part(extent)?);
            // Extents may overlap, so that few bytes could ask for many.
            if joined.len() > self.file.len() {
                return Err(StillError::damaged("an item is larger than its file"));
            }
        }
        Ok(Cow::Owned(joined))
    }
}

fn cut() -> StillError {
    StillError::damaged("a box is too short")
}

/// Takes the next box off the front; `None` at the end.
fn next_box<'a>(rest: &mut &'a [u8]) -> Result<Option<Boxed<'a>>, StillError> {
    if rest.is_empty() {
        return Ok(None);
    }
    let mut r = Reader(rest);
    let short = r.u32()?;
    let kind = *r.take(4)?.first_chunk().ok_or_else(cut)?;
    let (header, len) = match short {
        0 => (8, rest.len()),
        1 => (16, usize::try_from(r.uint(8)?).ok().ok_or(StillError::Truncated)?),
        len => (8, len as usize),
    };
    if len < header {
        return Err(cut());
    }
    let body = rest.get(header..len).ok_or(StillError::Truncated)?;
    *rest = rest.get(len..).unwrap_or(&[]);
    Ok(Some((kind, body)))
}

/// Reads big-endian fields off a slice.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, n: usize) -> Result<&'a [u8], StillError> {
        let (taken, rest) = self.0.split_at_checked(n).ok_or_else(cut)?;
        self.0 = rest;
        Ok(taken)
    }

    /// An unsigned number of `n` bytes, 0 to 8.
    pub(super) fn uint(&mut self, n: usize) -> Result<u64, StillError> {
        if n > 8 {
            return Err(cut());
        }
        Ok(self.take(n)?.iter().fold(0, |v, b| v << 8 | u64::from(*b)))
    }

    pub(super) fn u8(&mut self) -> Result<u8, StillError> {
        self.take(1).map(|b| b.first().copied().unwrap_or(0))
    }

    pub(super) fn u16(&mut self) -> Result<u16, StillError> {
        self.uint(2).map(|v| v as u16)
    }

    pub(super) fn u32(&mut self) -> Result<u32, StillError> {
        self.uint(4).map(|v| v as u32)
    }

    /// An item number, of 4 bytes if wide, else 2.
    fn id(&mut self, wide: bool) -> Result<u32, StillError> {
        if wide { self.u32() } else { self.u16().map(u32::from) }
    }

    /// Version and flags.
    fn full_box(&mut self) -> Result<(u8, u32), StillError> {
        let v = self.u32()?;
        Ok(((v >> 24) as u8, v & 0xFF_FFFF))
    }
}
