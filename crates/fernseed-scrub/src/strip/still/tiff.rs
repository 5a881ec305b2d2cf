//! TIFF (revision 6.0): pages with the tags that make the picture, samples
//! packed anew with deflate where they were packed without loss.

use super::lzw::{self, Flavour};
use super::{Built, Outcome, StripError, colour, damaged, needs, too_large, truncated};
use crate::bytes::{be16, be32, le16, le32, part};
use std::collections::BTreeMap;
use std::io::Read;

/// Most pages.
const MAX_PAGES: usize = 2_000;
/// Most bytes of samples over all pages.
const MAX_RAW: u64 = 256 << 20;
/// Most numbers of one tag.
const MAX_COUNT: u32 = 1 << 20;

struct File<'a> {
    data: &'a [u8],
    little: bool,
    raw: u64,
}

/// A page, all numbers.
struct Page {
    tags: BTreeMap<u16, Vec<u32>>,
    profile: Option<Vec<u8>>,
    /// Compression of the output: 1 none, 8 deflate.
    compression: u32,
    pieces: Vec<Vec<u8>>,
}

pub(super) fn rebuild(data: &[u8]) -> Outcome {
    let little = data.starts_with(b"II");
    let mut file = File { data, little, raw: 0 };
    if file.word(2) == Some(43) {
        return Err(needs("it is a BigTIFF"));
    }
    let (mut at, mut seen) = (file.long(4).ok_or_else(|| truncated("the header"))?, Vec::new());
    let (mut pages, mut notes) = (Vec::new(), Vec::new());
    while at != 0 {
        if seen.contains(&at) || seen.len() >= MAX_PAGES {
            return Err(damaged("the chain of pages"));
        }
        seen.push(at);
        let (tags, next) = file.directory(at as usize)?;
        let first = |t: u16| tags.get(&t).and_then(|v| v.first().copied());
        if tags.contains_key(&50_706) {
            return Err(needs("it is a camera's raw picture"));
        }
        if first(254).unwrap_or(0) & 5 != 0 || first(255) == Some(2) {
            if pages.is_empty() {
                return Err(needs("its first page is a thumbnail, as in a camera's raw picture"));
            }
            notes.push("A smaller copy or mask of a page is left out.".into());
        } else {
            if tags.contains_key(&330) {
                notes.push("Pictures below a page are left out.".into());
            }
            pages.push(file.page(tags, &mut notes)?);
        }
        at = next;
    }
    if pages.is_empty() {
        return Err(damaged("there is no page"));
    }
    Ok(Built { container: "TIFF picture", extension: "tif", bytes: write(little, &pages), notes })
}

impl File<'_> {
    fn word(&self, at: usize) -> Option<u16> {
        if self.little { le16(self.data, at) } else { be16(self.data, at) }
    }

    fn long(&self, at: usize) -> Option<u32> {
        if self.little { le32(self.data, at) } else { be32(self.data, at) }
    }

    /// Tags that matter, as numbers, and where the next page is.
    fn directory(&self, at: usize) -> Result<(BTreeMap<u16, Vec<u32>>, u32), StripError> {
        let short = || truncated("a page");
        let count = usize::from(self.word(at).ok_or_else(short)?);
        let mut tags = BTreeMap::new();
        for i in 0..count {
            let e = at + 2 + 12 * i;
            let tag = self.word(e).ok_or_else(short)?;
            let kind = self.word(e + 2).ok_or_else(short)?;
            let n = self.long(e + 4).ok_or_else(short)?;
            let size = match kind {
                1 | 7 => 1,
                3 => 2,
                4 | 13 => 4,
                _ => continue,
            };
            let wanted = matches!(
                tag,
                254..=259 | 262 | 266 | 273 | 274 | 277..=279 | 284 | 292 | 293 | 317 | 320
                    | 322..=325 | 330 | 332 | 338 | 339 | 347 | 530 | 34_675 | 50_706
            );
            if !wanted || n == 0 {
                continue;
            }
            if n > MAX_COUNT * 16 || (n > MAX_COUNT && tag != 34_675) {
                return Err(too_large("a tag has too many values"));
            }
            let bytes = n as usize * size;
            let from =
                if bytes <= 4 { e + 8 } else { self.long(e + 8).ok_or_else(short)? as usize };
            let Some(value) = part(self.data, from, bytes) else {
                // A broken tag that is not needed is none.
                if matches!(tag, 256..=259 | 262 | 273 | 277..=279 | 320 | 322..=325) {
                    return Err(truncated("a tag"));
                }
                continue;
            };
            let list: Vec<u32> = match size {
                1 => value.iter().map(|&b| b.into()).collect(),
                2 => {
                    (0..n as usize).filter_map(|i| self.word(from + 2 * i)).map(u32::from).collect()
                }
                _ => (0..n as usize).filter_map(|i| self.long(from + 4 * i)).collect(),
            };
            tags.entry(tag).or_insert(list);
        }
        Ok((tags, self.long(at + 2 + 12 * count).unwrap_or(0)))
    }

    fn page(
        &mut self,
        tags: BTreeMap<u16, Vec<u32>>,
        notes: &mut Vec<String>,
    ) -> Result<Page, StripError> {
        let one =
            |t: u16, default: u32| tags.get(&t).and_then(|v| v.first().copied()).unwrap_or(default);
        let (width, height) = (one(256, 0), one(257, 0));
        let (samples, planar) = (one(277, 1), one(284, 1));
        let depths = tags.get(&258).cloned().unwrap_or_else(|| vec![1]);
        let depth = depths.first().copied().unwrap_or(1);
        let (photometric, predictor) = (one(262, u32::MAX), one(317, 1));
        let compression = one(259, 1);
        match compression {
            1 | 5 | 8 | 32_946 | 32_773 => {}
            6 | 7 => return Err(needs("its pages are JPEG pictures")),
            2..=4 => return Err(needs("its pages are coded as a fax")),
            _ => return Err(needs("its pages are packed in an unusual way")),
        }
        if one(266, 1) != 1 {
            return Err(needs("its bits are in reverse order"));
        }
        if !matches!(photometric, 0..=3 | 5 | 8) {
            return Err(needs("its colours are of an unusual kind"));
        }
        let same = depths.len() == samples as usize && depths.iter().all(|&d| d == depth);
        let sane = (1..=64).contains(&samples)
            && (same || depths.len() == 1)
            && matches!(depth, 1 | 2 | 4 | 8 | 16 | 32 | 64)
            && (1..=2).contains(&planar)
            && width > 0
            && height > 0;
        if !sane {
            return Err(needs("its samples are of an unusual kind"));
        }
        if !matches!(predictor, 1 | 2) {
            return Err(needs("its samples are differences of floating-point numbers"));
        }
        let predictor = if compression == 1 || compression == 32_773 { 1 } else { predictor };
        let tiled = tags.contains_key(&322);
        let (wide, tall) =
            if tiled { (one(322, 0), one(323, 0)) } else { (width, one(278, height).min(height)) };
        if wide == 0 || tall == 0 {
            return Err(damaged("the pieces of a page"));
        }
        let (across, down) = (width.div_ceil(wide), height.div_ceil(tall));
        let planes = if planar == 2 { samples } else { 1 };
        let pixel = u64::from(depth) * u64::from(if planar == 2 { 1 } else { samples });
        let row = (u64::from(wide) * pixel).div_ceil(8);
        let (at, len) = if tiled { (324, 325) } else { (273, 279) };
        let offsets = tags.get(&at).ok_or_else(|| damaged("a page without a picture"))?;
        let one_piece = (u64::from(across) * u64::from(down)).saturating_mul(planes.into());
        let raw = one_piece.checked_mul(row).and_then(|n| n.checked_mul(tall.into()));
        self.raw = self.raw.saturating_add(raw.unwrap_or(u64::MAX));
        if self.raw > MAX_RAW {
            return Err(too_large("the pages have more than 256 MiB of samples"));
        }
        if offsets.len() as u64 != one_piece {
            return Err(damaged("the pieces of a page"));
        }
        let mut used = [false; 256];
        let mut pieces = Vec::new();
        for (i, &offset) in offsets.iter().enumerate() {
            let i = i as u32 % (across * down);
            let (x, y) = (i % across, i / across);
            let rows = if tiled { tall } else { tall.min(height - y * tall) };
            let wanted = (row * u64::from(rows)) as usize;
            let length = tags.get(&len).and_then(|l| l.get(pieces.len()).copied());
            let length = length.map_or(wanted, |l| l as usize);
            let from = self.data.get(offset as usize..).ok_or_else(|| truncated("a piece"))?;
            let from = from.get(..length.min(from.len())).unwrap_or_default();
            let mut piece = unpack(from, compression, wanted)?;
            let inside = (width - x * wide).min(wide);
            let inside_rows = (height - y * tall).min(rows);
            clean(&mut piece, row as usize, u64::from(inside) * pixel, inside_rows as usize);
            if photometric == 3 && predictor == 1 && depth <= 8 && samples == 1 {
                for line in piece.chunks_exact(row as usize) {
                    mark(line, depth, inside, &mut used);
                }
            } else {
                used = [true; 256];
            }
            pieces.push(if compression == 1 { piece } else { deflate(&piece)? });
        }
        let mut out = BTreeMap::new();
        out.insert(256, vec![width]);
        out.insert(257, vec![height]);
        out.insert(258, vec![depth; samples as usize]);
        out.insert(262, vec![photometric]);
        if (2..=8).contains(&one(274, 1)) {
            out.insert(274, vec![one(274, 1)]);
        }
        out.insert(277, vec![samples]);
        out.insert(284, vec![planar]);
        if predictor == 2 {
            out.insert(317, vec![2]);
        }
        if tiled {
            out.insert(322, vec![wide]);
            out.insert(323, vec![tall]);
        } else {
            out.insert(278, vec![tall]);
        }
        if photometric == 3 {
            let map = tags.get(&320).filter(|m| depth <= 16 && m.len() == 3 << depth);
            let mut map = map.ok_or_else(|| damaged("the palette"))?.clone();
            if depth <= 8 {
                for (i, v) in map.iter_mut().enumerate() {
                    if !used[(i % (1 << depth)) & 255] {
                        *v = 0;
                    }
                }
            }
            out.insert(320, map);
        }
        if let Some(extra) = tags.get(&338) {
            out.insert(338, extra.iter().take(samples as usize).map(|&e| e.min(2)).collect());
        }
        if let Some(format) =
            tags.get(&339).and_then(|f| f.first()).filter(|f| (2..=6).contains(*f))
        {
            out.insert(339, vec![*format; samples as usize]);
        }
        let profile = match tags.get(&34_675) {
            Some(p) => {
                let bytes: Vec<u8> = p.iter().map(|&b| b as u8).collect();
                let space = colour::recognise(&bytes)?;
                if space.primaries.is_none() != (photometric < 2) {
                    return Err(needs("its colour profile is for another kind of picture"));
                }
                if space.is_assumed() {
                    None
                } else {
                    notes.push(format!("The colour profile is replaced by {}.", space.name()));
                    Some(space.profile())
                }
            }
            None => None,
        };
        let compression = if compression == 1 { 1 } else { 8 };
        Ok(Page { tags: out, profile, compression, pieces })
    }
}

fn unpack(data: &[u8], compression: u32, wanted: usize) -> Result<Vec<u8>, StripError> {
    let out = match compression {
        1 => data.get(..wanted).map(<[u8]>::to_vec),
        5 => {
            if data.starts_with(&[0, 1]) {
                return Err(needs("its pages are packed in an outdated way"));
            }
            lzw::unpack(data, 8, wanted, Flavour::Tiff).ok()
        }
        32_773 => pack_bits(data, wanted),
        _ => {
            let mut out = Vec::new();
            let read =
                flate2::read::ZlibDecoder::new(data).take(wanted as u64).read_to_end(&mut out);
            read.ok().filter(|&n| n == wanted).map(|_| out)
        }
    };
    out.ok_or_else(|| truncated("the samples of a page"))
}

fn pack_bits(data: &[u8], wanted: usize) -> Option<Vec<u8>> {
    let (mut at, mut out) = (0, Vec::new());
    while out.len() < wanted {
        let n = *data.get(at)? as i8;
        at += 1;
        if n >= 0 {
            let run = usize::from(n.unsigned_abs()) + 1;
            out.extend(part(data, at, run)?);
            at += run;
        } else if n != -128 {
            out.resize(out.len() + 1 + usize::from(n.unsigned_abs()), *data.get(at)?);
            at += 1;
        }
    }
    out.truncate(wanted);
    Some(out)
}

/// Clears what lies beside and below the page in a piece.
fn clean(piece: &mut [u8], row: usize, bits: u64, rows: usize) {
    for (y, line) in piece.chunks_exact_mut(row.max(1)).enumerate() {
        let whole = if y < rows { (bits / 8) as usize } else { 0 };
        let rest = if y < rows { bits % 8 } else { 0 };
        for (i, byte) in line.iter_mut().enumerate().skip(whole) {
            *byte &= if i == whole { !(0xFFu16 >> rest) as u8 } else { 0 };
        }
    }
}

fn mark(line: &[u8], depth: u32, pixels: u32, used: &mut [bool; 256]) {
    let per = 8 / depth;
    for x in 0..pixels {
        let byte = line.get((x / per) as usize).copied().unwrap_or(0);
        let shift = 8 - depth * (x % per + 1);
        used[usize::from(byte >> shift & (0xFFu16 >> (8 - depth)) as u8)] = true;
    }
    // Cleared padding points to the first entry.
    used[0] = true;
}

fn deflate(data: &[u8]) -> Result<Vec<u8>, StripError> {
    let level = flate2::Compression::new(6);
    let mut out = Vec::new();
    flate2::read::ZlibEncoder::new(data, level).read_to_end(&mut out)?;
    Ok(out)
}

/// Each page: its directory, the values that do not fit into it, its pieces.
fn write(little: bool, pages: &[Page]) -> Vec<u8> {
    let word = |v: u32| {
        let v = v as u16;
        if little { v.to_le_bytes() } else { v.to_be_bytes() }
    };
    let long = |v: u32| if little { v.to_le_bytes() } else { v.to_be_bytes() };
    let mut out = if little { b"II".to_vec() } else { b"MM".to_vec() };
    out.extend(word(42));
    out.extend(long(8));
    for (n, page) in pages.iter().enumerate() {
        let tiled = page.tags.contains_key(&322);
        let mut tags: BTreeMap<u16, (u16, Vec<u32>)> = page
            .tags
            .iter()
            .map(|(&t, v)| {
                (t, (if matches!(t, 256 | 257 | 278 | 322 | 323) { 4 } else { 3 }, v.clone()))
            })
            .collect();
        if pages.len() > 1 {
            tags.insert(254, (4, vec![2]));
        }
        tags.insert(259, (3, vec![page.compression]));
        let sizes: Vec<u32> = page.pieces.iter().map(|p| p.len() as u32).collect();
        tags.insert(if tiled { 325 } else { 279 }, (4, sizes.clone()));
        tags.insert(if tiled { 324 } else { 273 }, (4, sizes.clone()));
        if let Some(p) = &page.profile {
            tags.insert(34_675, (7, p.iter().map(|&b| b.into()).collect()));
        }
        let size = |kind: u16| match kind {
            3 => 2,
            4 => 4,
            _ => 1,
        };
        let start = out.len() + 6 + 12 * tags.len();
        let outside: usize = tags
            .values()
            .map(|(k, v)| v.len() * size(*k))
            .filter(|&b| b > 4)
            .map(|b| b.next_multiple_of(2))
            .sum();
        let mut data_at = (start + outside) as u32;
        for p in [324, 273] {
            if let Some((_, list)) = tags.get_mut(&p) {
                for v in list.iter_mut() {
                    let size = *v;
                    *v = data_at;
                    data_at += size + size % 2;
                }
            }
        }
        out.extend(word(tags.len() as u32));
        let mut values: Vec<u8> = Vec::new();
        for (tag, (kind, list)) in &tags {
            let mut bytes: Vec<u8> = list
                .iter()
                .flat_map(|&v| match kind {
                    3 => word(v).to_vec(),
                    4 => long(v).to_vec(),
                    _ => vec![v as u8],
                })
                .collect();
            out.extend(word((*tag).into()));
            out.extend(word((*kind).into()));
            out.extend(long(list.len() as u32));
            if bytes.len() <= 4 {
                bytes.resize(4, 0);
                out.extend(bytes);
            } else {
                out.extend(long((start + values.len()) as u32));
                bytes.resize(bytes.len().next_multiple_of(2), 0);
                values.extend(bytes);
            }
        }
        out.extend(long(if n + 1 < pages.len() { data_at } else { 0 }));
        out.extend(values);
        for piece in &page.pieces {
            out.extend(piece);
            out.resize(out.len().next_multiple_of(2), 0);
        }
    }
    out
}
