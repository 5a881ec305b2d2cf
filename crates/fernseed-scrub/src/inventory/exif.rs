//! EXIF and TIFF: a walk over image file directories (TIFF 6.0, BigTIFF,
//! EXIF 3.0, DNG 1.7), wherever they lie in a file.

use super::collect::Collector;
use super::names::Sense;
use super::text::{decode, hex, size, utf16};
use super::{Category, Harm, exif_tags, icc, iptc, jpeg_app, makernote, xmp};
use crate::bytes::{be16, be32, be64};
use crate::source::Source;

/// Most entries of all directories of one block.
const MAX_ENTRIES: u32 = 20_000;
/// Most directories of one block.
const MAX_DIRECTORIES: usize = 200;

/// A TIFF structure inside a file.
pub(super) struct Tiff<'s, 'f> {
    pub(super) source: &'s mut Source<'f>,
    pub(super) out: &'s mut Collector,
    /// Where offset zero of the structure lies in the file.
    pub(super) base: u64,
    /// Length of the structure.
    pub(super) len: u64,
    pub(super) big_endian: bool,
    wide: bool,
    visited: Vec<u64>,
    entries: u32,
    maker: String,
}

/// One entry of a directory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) tag: u16,
    pub(super) kind: u16,
    pub(super) count: u64,
    /// Offset of the value inside the structure.
    pub(super) at: u64,
    /// Length of the value in bytes.
    pub(super) bytes: u64,
}

/// Which names a directory's tags have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Table {
    Main,
    Position,
    Maker(makernote::Maker),
}

/// Lists a whole TIFF file; returns its plain name.
pub(super) fn list_tiff(source: &mut Source<'_>, out: &mut Collector) -> &'static str {
    let len = source.len();
    let mut tiff = Tiff::new(source, out, 0, len);
    let raw = tiff.run("TIFF");
    if raw { "raw photo (TIFF)" } else { "TIFF picture" }
}

/// Lists the EXIF block at `base..base + len` of the file.
pub(super) fn list(source: &mut Source<'_>, out: &mut Collector, base: u64, len: u64, path: &str) {
    Tiff::new(source, out, base, len).run(path);
}

/// Lists an EXIF block that is in memory, taken from `origin` of the file.
pub(super) fn list_block(
    block: &[u8],
    out: &mut Collector,
    path: &str,
    origin: Option<(u64, u64)>,
) {
    let skip = if block.starts_with(b"Exif\0") { 6 } else { 0 };
    let block = block.get(skip..).unwrap_or_default();
    let mut cursor = std::io::Cursor::new(block);
    let len = block.len() as u64;
    let mut source = Source::new(&mut cursor, len, 4 * len + (1 << 20));
    out.inside(origin, |out| list(&mut source, out, 0, len, path));
}

impl<'s, 'f> Tiff<'s, 'f> {
    fn new(source: &'s mut Source<'f>, out: &'s mut Collector, base: u64, len: u64) -> Self {
        Self {
            source,
            out,
            base,
            len,
            big_endian: false,
            wide: false,
            visited: Vec::new(),
            entries: 0,
            maker: String::new(),
        }
    }

    /// Walks everything; true if it looks like a camera's raw file.
    fn run(&mut self, path: &str) -> bool {
        let Some(head) = self.bytes(0, 8) else {
            self.out.note("The EXIF block is cut short.");
            return false;
        };
        self.big_endian = head.starts_with(b"MM");
        if !self.big_endian && !head.starts_with(b"II") {
            let what = ((Category::Hidden, Harm::Medium), "metadata block that cannot be read");
            let place = Some((self.base, self.base + self.len));
            self.out.add(what.0, what.1, &size(self.len), path, place);
            return false;
        }
        self.wide = self.u16(2) == Some(43);
        let mut next = if self.wide { self.u64(8) } else { self.u32(4).map(u64::from) };
        let mut number = 0;
        let mut raw = false;
        while let Some(at) = next.filter(|&n| n != 0 && number < 64) {
            let name = format!("{path}/IFD{number}");
            next = self.directory(at, &name, Table::Main, 0, &mut raw);
            number += 1;
        }
        raw
    }

    /// Bytes of the structure.
    pub(super) fn bytes(&mut self, at: u64, len: u64) -> Option<Vec<u8>> {
        if at.checked_add(len)? > self.len {
            return None;
        }
        self.source.bytes(self.base.checked_add(at)?, len).ok()
    }

    fn u16(&mut self, at: u64) -> Option<u16> {
        let b = self.bytes(at, 2)?;
        be16(&b, 0).map(|n| if self.big_endian { n } else { n.swap_bytes() })
    }

    pub(super) fn u32(&mut self, at: u64) -> Option<u32> {
        let b = self.bytes(at, 4)?;
        be32(&b, 0).map(|n| if self.big_endian { n } else { n.swap_bytes() })
    }

    fn u64(&mut self, at: u64) -> Option<u64> {
        let b = self.bytes(at, 8)?;
        be64(&b, 0).map(|n| if self.big_endian { n } else { n.swap_bytes() })
    }

    /// Walks one directory; returns the offset of the next.
    fn directory(
        &mut self,
        at: u64,
        path: &str,
        table: Table,
        depth: u32,
        raw: &mut bool,
    ) -> Option<u64> {
        let place = self.base.wrapping_add(at);
        if depth > 6 || self.visited.len() >= MAX_DIRECTORIES || self.visited.contains(&place) {
            return None;
        }
        self.visited.push(place);
        let (count, mut here, step) = if self.wide {
            (self.u64(at)?, at.checked_add(8)?, 20)
        } else {
            (u64::from(self.u16(at)?), at.checked_add(2)?, 12)
        };
        let mut position = Position::default();
        let mut found: Vec<Entry> = Vec::new();
        for _ in 0..count.min(4096) {
            self.entries += 1;
            if self.entries > MAX_ENTRIES || self.out.full() {
                self.out.note("The EXIF block has implausibly many entries.");
                return None;
            }
            let Some(entry) = self.entry(here) else {
                self.out.note("An EXIF directory is cut short.");
                break;
            };
            here = here.checked_add(step)?;
            found.push(entry);
        }
        let mut settings = 0u32;
        for entry in &found {
            match table {
                Table::Main => self.main(entry, &found, path, depth, raw, &mut settings),
                Table::Position => self.position(entry, path, &mut position),
                Table::Maker(maker) => self.maker(maker, entry, &found, path, depth),
            }
        }
        position.report(self.out, path);
        if settings > 0 && table == Table::Main {
            let what = ((Category::Device, Harm::Low), "camera settings");
            self.out.add(what.0, what.1, &format!("{settings} values"), path, None);
        }
        if self.wide { self.u64(here) } else { self.u32(here).map(u64::from) }
    }

    fn entry(&mut self, at: u64) -> Option<Entry> {
        let tag = self.u16(at)?;
        let kind = self.u16(at.checked_add(2)?)?;
        let (count, field, room) = if self.wide {
            (self.u64(at.checked_add(4)?)?, at.checked_add(12)?, 8)
        } else {
            (u64::from(self.u32(at.checked_add(4)?)?), at.checked_add(8)?, 4)
        };
        let bytes = count.checked_mul(width(kind))?;
        let value = if bytes <= room {
            field
        } else if self.wide {
            self.u64(field)?
        } else {
            self.u32(field)?.into()
        };
        Some(Entry { tag, kind, count, at: value, bytes })
    }

    /// First value of an entry as a number.
    pub(super) fn number(&mut self, e: &Entry) -> Option<u64> {
        match e.kind {
            1 | 7 => self.bytes(e.at, 1)?.first().map(|&b| b.into()),
            3 => self.u16(e.at).map(u64::from),
            4 | 13 => self.u32(e.at).map(u64::from),
            16 | 18 => self.u64(e.at),
            _ => None,
        }
    }

    /// The `i`th rational of an entry.
    fn rational(&mut self, e: &Entry, i: u64) -> Option<f64> {
        if i >= e.count || !matches!(e.kind, 5 | 10) {
            return None;
        }
        let at = e.at.checked_add(i * 8)?;
        let (top, bottom) = (self.u32(at)?, self.u32(at.checked_add(4)?)?);
        let value = if e.kind == 10 {
            f64::from(top as i32) / f64::from(bottom as i32)
        } else {
            f64::from(top) / f64::from(bottom)
        };
        value.is_finite().then_some(value)
    }

    /// The value of an entry as text.
    pub(super) fn text(&mut self, e: &Entry) -> String {
        let some = e.count.min(16);
        match e.kind {
            2 => self.bytes(e.at, e.bytes.min(2048)).map_or_else(String::new, |b| decode(&b)),
            1 | 7 if (0x9C9B..=0x9C9F).contains(&e.tag) => {
                self.bytes(e.at, e.bytes.min(2048)).map_or_else(String::new, |b| utf16(&b, false))
            }
            1 | 7 => {
                let b = self.bytes(e.at, e.bytes.min(2048)).unwrap_or_default();
                let text = match b.get(..8) {
                    Some(b"ASCII\0\0\0") => decode(b.get(8..).unwrap_or_default()),
                    Some(b"UNICODE\0") => utf16(b.get(8..).unwrap_or_default(), self.big_endian),
                    _ => decode(&b),
                };
                let readable = text.chars().all(|c| !c.is_control());
                if readable && (!text.is_empty() || b.is_empty()) { text } else { hex(&b) }
            }
            5 | 10 => {
                let list: Vec<String> = (0..some)
                    .filter_map(|i| self.rational(e, i))
                    .map(|v| format!("{}", (v * 1e6).round() / 1e6))
                    .collect();
                list.join(" ")
            }
            _ => {
                let each = width(e.kind);
                let list: Vec<String> = (0..some)
                    .filter_map(|i| {
                        let one = Entry { count: 1, at: e.at.checked_add(i * each)?, ..*e };
                        self.number(&one).map(|n| n.to_string())
                    })
                    .collect();
                list.join(" ")
            }
        }
    }

    /// Where an entry's value lies in the file.
    pub(super) fn place(&self, e: &Entry) -> Option<(u64, u64)> {
        let start = self.base.checked_add(e.at)?;
        Some((start, start.checked_add(e.bytes)?))
    }

    /// Adds an entry with its value as text; empty values are left out.
    pub(super) fn list_entry(&mut self, e: &Entry, name: &str, sense: Sense, path: &str) {
        let value = self.text(e);
        let empty = e.kind == 7 && value.len() > 8 && value.bytes().all(|b| b == b'0');
        if empty || value.trim_matches([' ', '\0']).is_empty() {
            return;
        }
        let place = self.place(e);
        self.out.add(sense.0, sense.1, &value, &format!("{path}/{name}"), place);
    }

    fn main(
        &mut self,
        e: &Entry,
        all: &[Entry],
        path: &str,
        depth: u32,
        raw: &mut bool,
        settings: &mut u32,
    ) {
        match e.tag {
            0x8769 => self.child(e, &format!("{path}/Exif"), Table::Main, depth, raw),
            0x8825 => self.child(e, &format!("{path}/GPS"), Table::Position, depth, raw),
            // SubIFDs hold previews, raw data, or sub-pictures.
            0x014A | 0xC6F5 => {
                let each = width(e.kind);
                for i in 0..e.count.min(16) {
                    let one = Entry { count: 1, at: e.at.saturating_add(i * each), ..*e };
                    self.child(&one, &format!("{path}/SubIFD{i}"), Table::Main, depth, raw);
                }
            }
            0x0111 if path.contains("IFD1") || path.contains("SubIFD") => {
                let what = ((Category::Preview, Harm::Medium), "second picture in the file");
                let parts = format!("{} strips", e.count);
                self.out.add(what.0, what.1, &parts, &format!("{path}/StripOffsets"), None);
            }
            0x0201 => self.thumbnail(e, all, path),
            0x927C => self.makernote(e, path, depth, raw),
            0x02BC => self.block(e, |b, out, place| {
                xmp::list(b, out, "XMP", place);
            }),
            0x83BB => self.block(e, |b, out, place| {
                out.inside(place, |out| iptc::list(b, out, "IPTC"));
            }),
            0x8649 => self.block(e, |b, out, place| {
                out.inside(place, |out| jpeg_app::photoshop(b, out, "Photoshop"));
            }),
            0x8773 => self.block(e, |b, out, place| icc::list(b, out, "ICC", place)),
            tag => {
                *raw |= matches!(tag, 0xC612 | 0xC634 | 0x9217);
                match exif_tags::main(tag) {
                    Some((name, sense)) => self.list_entry(e, name, sense, path),
                    None => *settings += 1,
                }
                if tag == 0x010F {
                    self.maker = self.text(e);
                }
            }
        }
    }

    fn child(&mut self, e: &Entry, path: &str, table: Table, depth: u32, raw: &mut bool) {
        if let Some(at) = self.number(e) {
            self.directory(at, path, table, depth + 1, raw);
        }
    }

    fn block(&mut self, e: &Entry, list: impl FnOnce(&[u8], &mut Collector, Option<(u64, u64)>)) {
        match self.bytes(e.at, e.bytes) {
            Some(block) => {
                let place = self.place(e);
                list(&block, self.out, place);
            }
            None => self.out.note("A metadata block of the TIFF structure is cut short."),
        }
    }

    fn thumbnail(&mut self, e: &Entry, all: &[Entry], path: &str) {
        let start = self.number(e).unwrap_or(0);
        let length = all.iter().find(|x| x.tag == 0x0202).copied();
        let length = length.and_then(|l| self.number(&l)).unwrap_or(0);
        let begin = self.base.saturating_add(start);
        let place = (begin, begin.saturating_add(length));
        let what = "thumbnail (a small copy of the picture as it was)";
        self.out.add(
            (Category::Preview, Harm::High),
            what,
            &size(length),
            &format!("{path}/ThumbnailImage"),
            Some(place),
        );
    }

    fn makernote(&mut self, e: &Entry, path: &str, depth: u32, raw: &mut bool) {
        let head = self.bytes(e.at, e.bytes.min(32)).unwrap_or_default();
        let layout = makernote::recognise(&head, &self.maker, self.big_endian);
        let what =
            ((Category::Device, Harm::High), "maker's private notes (serial numbers, counters)");
        let who = if self.maker.is_empty() { "unknown maker" } else { &self.maker };
        let value = format!("{who}, {}", size(e.bytes));
        let place = self.place(e);
        self.out.add(what.0, what.1, &value, &format!("{path}/MakerNote"), place);
        let Some(layout) = layout else { return };
        let saved = (self.base, self.len, self.big_endian);
        let mut first = layout.directory.saturating_add(e.at);
        if let Some(rebase) = layout.rebase {
            let shift = e.at.saturating_add(rebase);
            self.base = self.base.saturating_add(shift);
            self.len = self.len.saturating_sub(shift);
            first = layout.directory.saturating_sub(rebase);
        }
        self.big_endian = layout.big_endian;
        if layout.indirect {
            first = u64::from(self.u32(first).unwrap_or(0));
        }
        let path = format!("{path}/MakerNote");
        self.directory(first, &path, Table::Maker(layout.maker), depth + 1, raw);
        (self.base, self.len, self.big_endian) = saved;
    }

    fn maker(&mut self, maker: makernote::Maker, e: &Entry, all: &[Entry], path: &str, depth: u32) {
        if let Some(sub) = makernote::sub_directory(maker, e.tag) {
            let at = if e.kind == 7 || e.bytes > 8 { Some(e.at) } else { self.number(e) };
            if let Some(at) = at {
                let mut raw = false;
                self.directory(at, path, Table::Maker(sub), depth + 1, &mut raw);
            }
            return;
        }
        makernote::list(self, maker, e, all, path);
    }

    fn position(&mut self, e: &Entry, path: &str, position: &mut Position) {
        let degrees = |t: &mut Self| {
            let d = t.rational(e, 0)?;
            Some(
                d + t.rational(e, 1).unwrap_or(0.0) / 60.0
                    + t.rational(e, 2).unwrap_or(0.0) / 3600.0,
            )
        };
        match e.tag {
            1 | 3 => {
                let negative = self.text(e).starts_with(['S', 's', 'W', 'w']);
                let sign = if negative { -1.0 } else { 1.0 };
                if e.tag == 1 { position.north = sign } else { position.east = sign }
            }
            2 => {
                position.latitude = degrees(self);
                position.place = self.place(e);
            }
            4 => {
                position.longitude = degrees(self);
                let end = self.place(e);
                position.place = match (position.place, end) {
                    (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
                    (a, b) => a.or(b),
                };
            }
            tag => {
                if let Some((name, sense)) = exif_tags::position(tag) {
                    self.list_entry(e, name, sense, path);
                }
            }
        }
    }
}

/// A position gathered from several entries.
#[derive(Debug, Default)]
struct Position {
    latitude: Option<f64>,
    longitude: Option<f64>,
    north: f64,
    east: f64,
    place: Option<(u64, u64)>,
}

impl Position {
    fn report(&self, out: &mut Collector, path: &str) {
        let sign = |s: f64| if s < 0.0 { -1.0 } else { 1.0 };
        let value = match (self.latitude, self.longitude) {
            (Some(lat), Some(lon)) => {
                format!("{:.6}, {:.6}", lat * sign(self.north), lon * sign(self.east))
            }
            (Some(lat), None) => format!("latitude {:.6}", lat * sign(self.north)),
            (None, Some(lon)) => format!("longitude {:.6}", lon * sign(self.east)),
            (None, None) => return,
        };
        let path = format!("{path}/GPSLatitude+GPSLongitude");
        out.add((Category::Place, Harm::High), "GPS position", &value, &path, self.place);
    }
}

/// Bytes of one value of a TIFF type; 1 for unknown types.
const fn width(kind: u16) -> u64 {
    match kind {
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16 | 17 | 18 => 8,
        _ => 1,
    }
}

/// Lists one of Canon's separate TIFF blocks of a CR3 file: `b'2'` the Exif
/// directory, `b'3'` the maker's notes, `b'4'` GPS.
pub(super) fn list_canon(
    source: &mut Source<'_>,
    out: &mut Collector,
    base: u64,
    len: u64,
    path: &str,
    number: u8,
) {
    let mut tiff = Tiff::new(source, out, base, len);
    tiff.big_endian = tiff.bytes(0, 2).is_some_and(|b| b == b"MM");
    let table = match number {
        b'3' => Table::Maker(makernote::Maker::Canon),
        b'4' => Table::Position,
        _ => Table::Main,
    };
    if let Some(first) = tiff.u32(4) {
        let mut raw = false;
        tiff.directory(first.into(), path, table, 0, &mut raw);
    }
}
