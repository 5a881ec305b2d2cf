//! TIFF: pages one after the other, a closed list of tags in order, values
//! and pieces without a gap, compressed pieces that end exactly.

use super::claims::Claims;
use super::{OutputKind, Parts};
use crate::bytes::{be16, be32, le16, le32};
use crate::source::Source;
use fernseed_core::Size;
use fernseed_core::finding::FindingCode;
use flate2::{Decompress, FlushDecompress, Status};

#[derive(Clone, Debug, Default)]
struct Entry {
    tag: u16,
    values: Vec<u32>,
}

struct Walk<'s, 'f> {
    source: &'s mut Source<'f>,
    claims: &'s mut Claims,
    big: bool,
    pages: u32,
}

pub(super) fn account(source: &mut Source<'_>, claims: &mut Claims, parts: &mut Parts) {
    parts.kind = OutputKind::Tiff;
    let len = source.len();
    let head = source.array::<8>(0).unwrap_or_default();
    let big = head[0] == b'M';
    let first = if big { be32(&head, 4) } else { le32(&head, 4) };
    if first != Some(8) {
        return claims.foreign("Header", 0, len, "The first page is not where it must be.");
    }
    claims.own("Header", 0, 8);
    let mut walk = Walk { source, claims, big, pages: 0 };
    let mut at = 8;
    loop {
        match walk.page(at, &mut parts.size) {
            Some((end, 0)) => {
                if end < len {
                    walk.claims.foreign("(after the last page)", end, len, "Bytes after the end.");
                }
                break;
            }
            // Each page begins where the one before ends, so this ends.
            Some((end, next)) if u64::from(next) == end && end > at => at = end,
            Some((end, _)) => {
                walk.claims.foreign("", end, len, "A page is not where it must be.");
                break;
            }
            None => {
                walk.claims.foreign("IFD", at, len, "Not a page of the one form it must have.");
                break;
            }
        }
    }
}

impl Walk<'_, '_> {
    fn short(&self, b: &[u8], at: usize) -> Option<u16> {
        if self.big { be16(b, at) } else { le16(b, at) }
    }

    fn long(&self, b: &[u8], at: usize) -> Option<u32> {
        if self.big { be32(b, at) } else { le32(b, at) }
    }

    /// Returns where the page ends and what it says about the next.
    fn page(&mut self, at: u64, size: &mut Option<Size>) -> Option<(u64, u32)> {
        self.pages += 1;
        let head = self.source.array::<2>(at).ok()?;
        let count = self.short(&head, 0)?;
        (self.pages <= 10_000 && (8..=64).contains(&count)).then_some(())?;
        let table = self.source.bytes(at + 2, u64::from(count) * 12 + 4).ok()?;
        let mut end = at + 6 + u64::from(count) * 12;
        self.claims.own("IFD", at, end);
        let next = self.long(&table, usize::from(count) * 12)?;
        let mut entries: Vec<Entry> = Vec::new();
        for e in table.chunks_exact(12).take(count.into()) {
            let (tag, kind, n) = (self.short(e, 0)?, self.short(e, 2)?, self.long(e, 4)?);
            let width = match kind {
                3 => 2u64,
                4 => 4,
                7 => 1,
                _ => return None,
            };
            let bytes = u64::from(n) * width;
            let value = if bytes <= 4 {
                let unused = e.get(8 + bytes as usize..)?;
                if unused.iter().any(|&b| b != 0) {
                    self.claims.wrong("IFD", at, end, "Bytes of no value are in use.");
                }
                e.get(8..)?.to_vec()
            } else {
                let from = u64::from(self.long(e, 8)?);
                (from == end).then_some(())?;
                let padded = bytes.next_multiple_of(2);
                let value = self.source.bytes(from, padded).ok()?;
                if padded > bytes && value.last() != Some(&0) {
                    self.claims.wrong("IFD", from, from + padded, "A padding byte is in use.");
                }
                self.claims.own("IFD/values", from, from + padded);
                end += padded;
                value
            };
            let values: Option<Vec<u32>> = (0..n as usize)
                .map(|i| match kind {
                    3 => self.short(&value, 2 * i).map(u32::from),
                    4 => self.long(&value, 4 * i),
                    _ => value.get(i).map(|&b| b.into()),
                })
                .collect();
            let entry = Entry { tag, values: values? };
            let ascending = entries.last().is_none_or(|l| l.tag < tag);
            if !ascending || !known(&entry) {
                let code = FindingCode::MetadataLeft;
                let message = format!("A tag that is not on the list: {tag}.");
                self.claims.finding(code, "IFD", at, end, &message);
            }
            entries.push(entry);
        }
        end = self.pieces(&entries, end)?;
        let of =
            |t: u16| entries.iter().find(|e| e.tag == t).and_then(|e| e.values.first().copied());
        if size.is_none() {
            *size = of(256).zip(of(257)).map(|(w, h)| Size::new(w, h));
        }
        Some((end, next))
    }

    /// Strips or tiles, one after the other from `at`.
    fn pieces(&mut self, entries: &[Entry], mut at: u64) -> Option<u64> {
        let list = |t: u16| entries.iter().find(|e| e.tag == t).map(|e| e.values.as_slice());
        let one = |t: u16| list(t).and_then(|l| l.first().copied()).map(u64::from);
        let (width, height, depth) = (one(256)?, one(257)?, one(258)?);
        let (samples, planar) = (one(277)?, one(284)?);
        let (offsets, sizes) = match (list(273), list(324)) {
            (Some(o), None) => (o, list(279)?),
            (None, Some(o)) => (o, list(325)?),
            _ => return None,
        };
        let tiled = list(324).is_some();
        let (wide, tall) = if tiled { (one(322)?, one(323)?) } else { (width, one(278)?) };
        (width > 0 && height > 0 && wide > 0 && tall > 0 && depth <= 64 && samples <= 64)
            .then_some(())?;
        let bits = depth * if planar == 2 { 1 } else { samples };
        let row = (wide * bits).div_ceil(8);
        let down = height.div_ceil(tall);
        let planes = if planar == 2 { samples } else { 1 };
        let count = width.div_ceil(wide).checked_mul(down)?.checked_mul(planes)?;
        (count == offsets.len() as u64 && sizes.len() == offsets.len()).then_some(())?;
        for (i, (&from, &size)) in (0u64..).zip(offsets.iter().zip(sizes)) {
            (u64::from(from) == at).then_some(())?;
            let y = i / width.div_ceil(wide) % down;
            let rows = if tiled { tall } else { tall.min(height - y * tall) };
            let wanted = row.checked_mul(rows)?;
            let data = self.source.bytes(at, size.into()).ok()?;
            let end = at + u64::from(size);
            let exact = match one(259)? {
                1 => data.len() as u64 == wanted,
                _ => inflates_to(&data, wanted),
            };
            if exact {
                self.claims.own("Samples", at, end);
            } else {
                self.claims.foreign("Samples", at, end, "Samples that are not exactly a picture.");
            }
            at = end;
            if at % 2 == 1 {
                if self.source.array::<1>(at) != Ok([0]) {
                    self.claims.wrong("Samples", at, at + 1, "A padding byte is in use.");
                }
                self.claims.own("Samples", at, at + 1);
                at += 1;
            }
        }
        Some(at)
    }
}

/// True if the tag may be there with these values.
fn known(e: &Entry) -> bool {
    let v = e.values.as_slice();
    match (e.tag, v) {
        (254, [2]) | (317, [2]) | (259, [1 | 8]) | (284, [1 | 2]) | (274, [2..=8]) => true,
        (262, [0..=3 | 5 | 8]) => true,
        (256 | 257 | 278 | 322 | 323, [n]) => *n > 0,
        (277, [n]) => (1..=64).contains(n),
        (258, list) => list.iter().all(|d| matches!(d, 1 | 2 | 4 | 8 | 16 | 32 | 64)),
        (338, list) => list.len() <= 64 && list.iter().all(|&e| e <= 2),
        (339, list) => list.iter().all(|f| (2..=6).contains(f)),
        (273 | 279 | 320 | 324 | 325, _) => true,
        (34_675, list) => {
            let bytes: Vec<u8> = list.iter().map(|&b| b as u8).collect();
            crate::profiles::is_ours(&bytes)
        }
        _ => false,
    }
}

fn inflates_to(mut data: &[u8], wanted: u64) -> bool {
    let mut inflate = Decompress::new(true);
    let mut out = vec![0; 64 * 1024];
    loop {
        let (used, made) = (inflate.total_in(), inflate.total_out());
        let status = inflate.decompress(data, &mut out, FlushDecompress::None);
        data = data.get((inflate.total_in() - used) as usize..).unwrap_or_default();
        match status {
            Ok(Status::StreamEnd) => return data.is_empty() && inflate.total_out() == wanted,
            Ok(_)
                if inflate.total_out() <= wanted
                    && inflate.total_in() + inflate.total_out() > used + made => {}
            _ => return false,
        }
    }
}
