//! JPEG (ITU-T T.81): coefficients as they are, everything around them new.
//!
//! The picture's symbols are read and written again with codes that follow
//! from them alone; quantisation tables, component numbers and the order of
//! segments are canonical. What stands in no block goes: application
//! segments, comments, unused tables, padding bits, bytes after the end.

mod bits;
mod entropy;
mod huffman;
mod tokens;

use super::{
    Built, Outcome, StripError, colour, damaged, exif, needs, too_large, truncated, unsupported,
};
use crate::bytes::{be16, part};
use crate::profiles::Space;
use bits::Table;
use entropy::{Grid, Member, Scan};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Most blocks of a picture (about 200 megapixels in 4:4:4).
const MAX_BLOCKS: u64 = 12_000_000;
/// Most scans.
const MAX_SCANS: usize = 200;

pub(super) fn rebuild(data: &[u8]) -> Outcome {
    let mut file = File::default();
    file.read(data)?;
    file.write()
}

/// How samples turn into colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Model {
    /// Grey or YCbCr, as JFIF says.
    Jfif,
    /// With this transform of Adobe's marker.
    Adobe(u8),
    /// CMYK without a marker.
    Bare,
}

#[derive(Debug)]
struct Component {
    id: u8,
    /// Which quantisation table it names, and the one it got.
    table: u8,
    quantisation: Option<[u16; 64]>,
    /// Progressive: point transform each coefficient has been sent to.
    sent: [Option<u32>; 64],
}

#[derive(Default)]
struct File {
    jfif: bool,
    adobe: Option<u8>,
    orientation: Option<u8>,
    profile: BTreeMap<u8, Vec<u8>>,
    sof: u8,
    width: u16,
    height: u16,
    components: Vec<Component>,
    grids: Vec<Grid>,
    mcus: (u32, u32),
    quantisation: [Option<[u16; 64]>; 4],
    /// DC 0 to 3, then AC 0 to 3.
    tables: [Option<Rc<Table>>; 8],
    restart: u16,
    written_restart: u16,
    scans: usize,
    visits: u64,
    body: Vec<u8>,
    notes: Vec<String>,
}

impl File {
    fn read(&mut self, data: &[u8]) -> Result<(), StripError> {
        self.visits = 20_000_000 + 64 * data.len() as u64;
        let mut at = 2;
        loop {
            // Anything between segments is passed over, as decoders do.
            while data.get(at).is_some_and(|&b| b != 0xFF) {
                at += 1;
            }
            while data.get(at + 1) == Some(&0xFF) {
                at += 1;
            }
            let Some(&marker) = data.get(at + 1) else {
                if self.scans > 0 {
                    self.notes.push("The end mark was missing and has been added.".into());
                    break;
                }
                return Err(truncated("the segments before the picture"));
            };
            at += 2;
            match marker {
                0xD9 => break,
                0 | 1 | 0xD0..=0xD7 => continue,
                0xD8 => return Err(damaged("a second picture begins inside the first")),
                _ => {}
            }
            let size = usize::from(be16(data, at).ok_or_else(|| truncated("a segment"))?);
            let body = (size >= 2).then(|| part(data, at + 2, size - 2)).flatten();
            let body = body.ok_or_else(|| truncated("a segment"))?;
            at += size;
            if marker == 0xDA {
                let scan = self.scan_header(body).ok_or_else(|| {
                    damaged("a scan does not fit the picture or codes something twice")
                })?;
                at += self.scan(data.get(at..).unwrap_or_default(), scan)?;
            } else {
                self.segment(marker, body)?;
            }
        }
        if data.len() > at {
            let left = data.len() - at;
            self.notes.push(format!("{left} bytes after the end of the picture are left out."));
        }
        if self.scans == 0 || self.components.iter().any(|c| c.quantisation.is_none()) {
            return Err(damaged("a colour component has no picture data"));
        }
        Ok(())
    }

    fn segment(&mut self, marker: u8, body: &[u8]) -> Result<(), StripError> {
        let early = self.scans == 0;
        match marker {
            0xDB => self.quantise(body).ok_or_else(|| damaged("a quantisation table")),
            0xC4 => self.huffman(body).ok_or_else(|| damaged("a Huffman table")),
            0xC0..=0xC2 => self.frame(marker, body),
            0xC9..=0xCC => Err(needs("its picture data is arithmetic-coded")),
            0xC3 => Err(needs("it is a lossless JPEG of the old kind")),
            0xC5..=0xC7 | 0xCD..=0xCF | 0xDE | 0xDF => Err(needs("it is a hierarchical JPEG")),
            0xDC => Err(needs("its height is stated after the picture")),
            0xDD => {
                self.restart = be16(body, 0).ok_or_else(|| damaged("the restart interval"))?;
                Ok(())
            }
            0xE0 if body.starts_with(b"JFIF\0") => {
                self.jfif |= early;
                Ok(())
            }
            0xE1 if early && self.orientation.is_none() => {
                if let Some(block) = body.strip_prefix(b"Exif\0").and_then(|b| b.get(1..)) {
                    self.orientation = exif::orientation(block);
                }
                Ok(())
            }
            0xE2 if early => {
                if let Some(&[number, _, ref piece @ ..]) = body.strip_prefix(b"ICC_PROFILE\0") {
                    self.profile.entry(number).or_insert_with(|| piece.to_vec());
                }
                Ok(())
            }
            0xEE if early && body.len() >= 12 && body.starts_with(b"Adobe") => {
                self.adobe = body.get(11).copied();
                Ok(())
            }
            // The rest may say what it likes: it is not written.
            _ => Ok(()),
        }
    }

    fn quantise(&mut self, mut b: &[u8]) -> Option<()> {
        while let Some((&head, rest)) = b.split_first() {
            let wide = match head >> 4 {
                0 => false,
                1 => true,
                _ => return None,
            };
            let mut table = [0u16; 64];
            for (i, value) in table.iter_mut().enumerate() {
                *value = if wide { be16(rest, 2 * i)? } else { (*rest.get(i)?).into() };
                if *value == 0 {
                    return None;
                }
            }
            *self.quantisation.get_mut(usize::from(head & 15))? = Some(table);
            b = rest.get(if wide { 128 } else { 64 }..)?;
        }
        Some(())
    }

    fn huffman(&mut self, mut b: &[u8]) -> Option<()> {
        while let Some(&head) = b.first() {
            let counts = part(b, 1, 16)?;
            let total = counts.iter().map(|&n| usize::from(n)).sum::<usize>();
            let symbols = part(b, 17, total)?;
            if head >> 4 > 1 || head & 15 > 3 || total > 256 {
                return None;
            }
            let place = usize::from(head >> 4) * 4 + usize::from(head & 15);
            *self.tables.get_mut(place)? = Some(Rc::new(Table::new(counts, symbols)?));
            b = b.get(17 + total..)?;
        }
        Some(())
    }

    fn frame(&mut self, marker: u8, b: &[u8]) -> Result<(), StripError> {
        let bad = || damaged("the frame header");
        if self.sof != 0 {
            return Err(damaged("two frame headers"));
        }
        self.sof = marker;
        match b.first() {
            Some(8) => {}
            Some(12) => return Err(needs("it has 12 bits per sample")),
            _ => return Err(bad()),
        }
        self.height = be16(b, 1).ok_or_else(bad)?;
        self.width = be16(b, 3).ok_or_else(bad)?;
        let count = *b.get(5).ok_or_else(bad)?;
        if self.height == 0 {
            return Err(needs("its height is stated after the picture"));
        }
        let list = part(b, 6, 3 * usize::from(count)).ok_or_else(bad)?;
        if self.width == 0 || !matches!(count, 1 | 3 | 4) {
            return Err(unsupported("a JPEG of this number of components"));
        }
        let mut factors = Vec::new();
        for c in list.chunks_exact(3) {
            let (h, v) = (u32::from(c[1] >> 4), u32::from(c[1] & 15));
            let again = self.components.iter().any(|known| known.id == c[0]);
            if !(1..=4).contains(&h) || !(1..=4).contains(&v) || c[2] > 3 || again {
                return Err(bad());
            }
            factors.push((h, v));
            self.components.push(Component {
                id: c[0],
                table: c[2],
                quantisation: None,
                sent: [None; 64],
            });
        }
        let (width, height) = (u32::from(self.width), u32::from(self.height));
        let h_max = factors.iter().map(|f| f.0).max().unwrap_or(1);
        let v_max = factors.iter().map(|f| f.1).max().unwrap_or(1);
        self.mcus = (width.div_ceil(8 * h_max), height.div_ceil(8 * v_max));
        let mut total = 0u64;
        for (h, v) in factors {
            let (stride, rows) = (self.mcus.0 * h, self.mcus.1 * v);
            total += u64::from(stride) * u64::from(rows);
            self.grids.push(Grid {
                h,
                v,
                wide: (width * h).div_ceil(h_max).div_ceil(8),
                high: (height * v).div_ceil(v_max).div_ceil(8),
                stride,
                rows,
                nonzero: Vec::new(),
            });
        }
        if total > MAX_BLOCKS {
            return Err(too_large("a picture of more than 200 megapixels"));
        }
        Ok(())
    }

    fn scan_header(&mut self, b: &[u8]) -> Option<Scan> {
        let count = usize::from(*b.first()?);
        if !(1..=4).contains(&count) || self.sof == 0 {
            return None;
        }
        let progressive = self.sof == 0xC2;
        let [first, last, steps] = *part(b, 1 + 2 * count, 3)? else { return None };
        let (first, last) = (u32::from(first), u32::from(last));
        let (high, low) = (u32::from(steps >> 4), u32::from(steps & 15));
        // Some writers leave junk in the fields a sequential scan ignores.
        let (first, last, high, low) =
            if progressive { (first, last, high, low) } else { (0, 63, 0, 0) };
        if progressive {
            let bands = first <= last && last <= 63 && (first > 0 || last == 0);
            let alone = first == 0 || count == 1;
            if !bands || !alone || low > 13 || (high > 0 && high != low + 1) {
                return None;
            }
        }
        let mut members = Vec::<Member>::new();
        for c in part(b, 1, 2 * count)?.chunks_exact(2) {
            let component = self.components.iter().position(|p| p.id == c[0])?;
            if members.iter().any(|m| m.component == component) {
                return None;
            }
            let known = self.components.get_mut(component)?;
            for k in first..=last {
                let sent = known.sent.get_mut(k as usize)?;
                // Each bit of each coefficient once: a scan that codes it
                // again would hide what was there before.
                if *sent != (high > 0).then_some(high) {
                    return None;
                }
                *sent = Some(low);
            }
            if known.quantisation.is_none() {
                known.quantisation = *self.quantisation.get(usize::from(known.table))?;
                known.quantisation?;
            }
            let table = |n: u8, class: usize| {
                self.tables.get(class * 4 + usize::from(n & 3)).cloned().flatten()
            };
            members.push(Member {
                component,
                dc: (first == 0 && high == 0).then(|| table(c[1] >> 4, 0)).flatten(),
                ac: (last > 0).then(|| table(c[1] & 15, 1)).flatten(),
                slot: u32::from(component == 1 || component == 2),
            });
        }
        let restart = u32::from(self.restart);
        Some(Scan { members, first, last, high, low, restart, progressive })
    }

    /// Reads a scan and writes it; returns how long it was.
    fn scan(&mut self, data: &[u8], mut scan: Scan) -> Result<usize, StripError> {
        self.scans += 1;
        if self.scans > MAX_SCANS {
            return Err(too_large("a picture of more than 200 scans"));
        }
        let mut area = self.mcus;
        for member in &scan.members {
            let Some(grid) = self.grids.get_mut(member.component) else { continue };
            if scan.members.len() == 1 {
                area = (grid.wide, grid.high);
            }
            if scan.progressive && scan.last > 0 && grid.nonzero.is_empty() {
                grid.nonzero = vec![0; grid.stride as usize * grid.rows as usize];
            }
        }
        if u64::from(scan.restart) >= u64::from(area.0) * u64::from(area.1) {
            scan.restart = 0;
        }
        let (tokens, used) = entropy::read(data, &scan, &mut self.grids, area, &mut self.visits)?;
        let interval = scan.restart as u16;
        if interval != self.written_restart {
            segment(&mut self.body, 0xDD, &interval.to_be_bytes());
            self.written_restart = interval;
        }
        let codes = huffman::codes(&tokens);
        let mut tables = Vec::new();
        for (code, head) in codes.iter().zip([0x00u8, 0x01, 0x10, 0x11]) {
            if let Some(code) = code {
                tables.push(head);
                tables.extend(code.counts);
                tables.extend(&code.symbols);
            }
        }
        if !tables.is_empty() {
            segment(&mut self.body, 0xC4, &tables);
        }
        let mut header = vec![scan.members.len() as u8];
        for member in &scan.members {
            let slot = member.slot as u8;
            let dc = if member.dc.is_some() { slot } else { 0 };
            let ac = if member.ac.is_some() { slot } else { 0 };
            header.extend([member.component as u8 + 1, dc << 4 | ac]);
        }
        header.extend([scan.first as u8, scan.last as u8, (scan.high << 4 | scan.low) as u8]);
        segment(&mut self.body, 0xDA, &header);
        huffman::write(&tokens, &codes, &mut self.body);
        Ok(used)
    }

    fn model(&self) -> Result<Model, StripError> {
        let ids: Vec<u8> = self.components.iter().map(|c| c.id).collect();
        // The order of trust is that of libjpeg.
        match ids.as_slice() {
            [_] => Ok(Model::Jfif),
            [_, _, _] if self.jfif => Ok(Model::Jfif),
            [_, _, _] if self.adobe == Some(0) => Ok(Model::Adobe(0)),
            [b'R', b'G', b'B'] if self.adobe.is_none() => Ok(Model::Adobe(0)),
            [_, _, _] => Ok(Model::Jfif),
            _ => Ok(match self.adobe {
                None => Model::Bare,
                Some(0) => Model::Adobe(0),
                Some(_) => Model::Adobe(2),
            }),
        }
    }

    fn space(&self) -> Result<Option<Space>, StripError> {
        if self.profile.is_empty() {
            return Ok(None);
        }
        let profile: Vec<u8> = self.profile.values().flatten().copied().collect();
        let space = colour::recognise(&profile)?;
        if space.primaries.is_none() != (self.components.len() == 1) {
            return Err(needs("its colour profile is for another kind of picture"));
        }
        Ok((!space.is_assumed()).then_some(space))
    }

    fn write(mut self) -> Outcome {
        let model = self.model()?;
        let space = self.space()?;
        let mut out = vec![0xFF, 0xD8];
        match model {
            Model::Jfif => segment(&mut out, 0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"),
            Model::Adobe(t) => {
                segment(&mut out, 0xEE, &[&b"Adobe\0\x64\0\0\0\0"[..], &[t]].concat());
            }
            Model::Bare => {}
        }
        if let Some(side) = self.orientation.filter(|&o| o > 1) {
            segment(&mut out, 0xE1, &[&b"Exif\0\0"[..], &exif::block(side)].concat());
        }
        if let Some(space) = space {
            let profile = space.profile();
            segment(&mut out, 0xE2, &[&b"ICC_PROFILE\0\x01\x01"[..], &profile].concat());
            self.notes.push(format!("The colour profile is replaced by {}.", space.name()));
        }
        let mut unique: Vec<[u16; 64]> = Vec::new();
        let mut frame = vec![8];
        frame.extend(self.height.to_be_bytes());
        frame.extend(self.width.to_be_bytes());
        frame.push(self.components.len() as u8);
        for ((number, c), grid) in (1u8..).zip(&self.components).zip(&self.grids) {
            let Some(table) = c.quantisation else { continue };
            let place = unique.iter().position(|t| *t == table).unwrap_or_else(|| {
                unique.push(table);
                unique.len() - 1
            });
            frame.extend([number, (grid.h << 4 | grid.v) as u8, place as u8]);
        }
        let mut wide = false;
        for (number, table) in (0u8..).zip(&unique) {
            let mut body = Vec::with_capacity(129);
            if table.iter().all(|&v| v < 256) {
                body.push(number);
                body.extend(table.iter().map(|&v| v as u8));
            } else {
                wide = true;
                body.push(0x10 | number);
                body.extend(table.iter().flat_map(|v| v.to_be_bytes()));
            }
            segment(&mut out, 0xDB, &body);
        }
        let sof = match self.sof {
            0xC2 => 0xC2,
            _ if wide => 0xC1,
            _ => 0xC0,
        };
        segment(&mut out, sof, &frame);
        out.append(&mut self.body);
        out.extend([0xFF, 0xD9]);
        Ok(Built { container: "JPEG photo", extension: "jpg", bytes: out, notes: self.notes })
    }
}

fn segment(out: &mut Vec<u8>, marker: u8, body: &[u8]) {
    out.extend([0xFF, marker]);
    out.extend((body.len() as u16 + 2).to_be_bytes());
    out.extend(body);
}
