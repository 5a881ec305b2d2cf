//! Files made of boxes: MP4, QuickTime, 3GP, and the pictures HEIF and AVIF.

use super::collect::Collector;
use super::text::{decode, size};
use super::{Category, Harm, exif, heif, jumbf, mp4_meta, mp4_tracks, xmp};
use crate::bytes::{be32, be64, fourcc, part};
use crate::source::Source;

/// A box as found in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Box4 {
    pub(super) kind: [u8; 4],
    pub(super) start: u64,
    /// First byte of the content.
    pub(super) body: u64,
    pub(super) end: u64,
}

impl Box4 {
    /// The box at `at`, or `None` if there is none inside `at..end`.
    pub(super) fn read(source: &mut Source<'_>, at: u64, end: u64) -> Option<Self> {
        let head = source.upto(at, end, 16).ok()?;
        let kind = part(&head, 4, 4)?.try_into().ok()?;
        let (body, length) = match be32(&head, 0)? {
            0 => (8, end - at),
            1 => (16, be64(&head, 8)?),
            n => (8, u64::from(n)),
        };
        let stop = at.checked_add(length)?;
        (length >= body && stop <= end).then_some(Self {
            kind,
            start: at,
            body: at + body,
            end: stop,
        })
    }

    /// Bytes of the content.
    pub(super) const fn length(&self) -> u64 {
        self.end - self.body
    }

    /// Where the box lies.
    pub(super) const fn place(&self) -> Option<(u64, u64)> {
        Some((self.start, self.end))
    }

    /// The content, if it is at most `most` bytes.
    pub(super) fn bytes(&self, source: &mut Source<'_>, most: u64) -> Option<Vec<u8>> {
        if self.length() > most {
            return None;
        }
        source.bytes(self.body, self.length()).ok()
    }

    /// The boxes inside `from..end`, at most 4,096.
    pub(super) fn all(source: &mut Source<'_>, from: u64, end: u64) -> Vec<Self> {
        let mut list = Vec::new();
        let mut at = from;
        while list.len() < 4096
            && let Some(b) = Self::read(source, at, end)
        {
            at = b.end;
            list.push(b);
        }
        list
    }
}

/// True if a file begins with a box of this family.
pub(super) fn looks_like(head: &[u8]) -> bool {
    let size_fits = be32(head, 0).is_some_and(|n| n == 0 || n == 1 || n >= 8);
    let kinds: [&[u8]; 9] =
        [b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"moof", b"styp"];
    size_fits && part(head, 4, 4).is_some_and(|kind| kinds.contains(&kind))
}

/// What the boxes of one file add up to.
#[derive(Default)]
pub(super) struct Layout {
    /// Byte ranges of media data.
    pub(super) mdat: Vec<(u64, u64)>,
    /// Byte ranges that tracks and items use.
    pub(super) used: Vec<(u64, u64)>,
    /// True if there are fragments, whose samples are not listed.
    pub(super) fragments: bool,
    /// True if some table could not be read, so that nothing can be said
    /// about unused bytes.
    pub(super) unsure: bool,
}

/// Lists a file of this family; returns its plain name.
pub(super) fn list(source: &mut Source<'_>, out: &mut Collector) -> &'static str {
    let len = source.len();
    let brand = source.array::<12>(0).ok().filter(|h| &h[4..8] == b"ftyp");
    let brand = brand.map_or(*b"qt  ", |h| [h[8], h[9], h[10], h[11]]);
    let mut layout = Layout::default();
    let mut at = 0;
    let mut count = 0;
    while let Some(b) = Box4::read(source, at, len) {
        at = b.end;
        count += 1;
        if count > 20_000 || out.full() {
            out.note("The file has implausibly many boxes.");
            break;
        }
        top(source, out, &mut layout, b);
    }
    if at < len && count > 0 {
        let rest = source.upto(at, len, 64 * 1024).unwrap_or_default();
        let announced = be32(&rest, 0).map_or(0, u64::from);
        if part(&rest, 4, 4).is_some_and(|k| k.iter().all(u8::is_ascii_alphanumeric))
            && announced > len - at
        {
            let kind = part(&rest, 4, 4).map(decode).unwrap_or_default();
            out.note(&format!("The box {kind} is longer than the file: the file is cut short."));
        } else {
            let what = "data after the end of the file's structure";
            let harm = if rest.iter().all(|&b| b == 0) { Harm::Low } else { Harm::High };
            out.add(
                (Category::Hidden, harm),
                what,
                &size(len - at),
                "(after the end)",
                Some((at, len)),
            );
            super::jpeg_app::trailers(source, out, at);
        }
    }
    unused(out, &mut layout);
    match &brand {
        b"heic" | b"heix" | b"hevc" | b"mif1" | b"msf1" | b"heim" | b"heis" => "HEIF photo",
        b"avif" | b"avis" => "AVIF picture",
        b"crx " => "raw photo (CR3)",
        b"qt  " => "QuickTime video",
        [b'3', b'g', ..] => "3GP video",
        b"M4A " | b"M4B " | b"M4P " => "M4A sound",
        b"jp2 " | b"jpx " => "JPEG 2000 picture",
        _ => "MP4 video",
    }
}

fn top(source: &mut Source<'_>, out: &mut Collector, layout: &mut Layout, b: Box4) {
    match &b.kind {
        b"ftyp" | b"styp" | b"sidx" | b"ssix" | b"mfra" | b"pdin" | b"prft" => {}
        b"mdat" => layout.mdat.push((b.body, b.end)),
        b"moov" => moov(source, out, layout, b),
        b"moof" => layout.fragments = true,
        b"meta" => heif::list(source, out, layout, b),
        b"mpvd" => {
            let what = "video inside the photo (motion photo)";
            out.add((Category::Preview, Harm::High), what, &size(b.length()), "mpvd", b.place());
        }
        b"sefd" => {
            let what = "Samsung trailer (times, capture info, motion photo)";
            out.add((Category::Hidden, Harm::High), what, &size(b.length()), "sefd", b.place());
        }
        b"jumb" => {
            let body = source.bytes(b.start, (b.end - b.start).min(16 << 20)).unwrap_or_default();
            jumbf::list(&body, out, "JUMBF", b.place());
        }
        _ => common(source, out, "", b),
    }
}

/// Boxes that can be anywhere: free space, private boxes, unknown ones.
pub(super) fn common(source: &mut Source<'_>, out: &mut Collector, path: &str, b: Box4) {
    let name = join(path, b.kind);
    match &b.kind {
        b"free" | b"skip" | b"wide" => {
            let body = source.upto(b.body, b.end, 256 * 1024).unwrap_or_default();
            if body.iter().any(|&x| x != 0) {
                let value = format!("{} {}", size(b.length()), decode(&body));
                let what = "free space that is not empty";
                out.add((Category::Hidden, Harm::Medium), what, &value, &name, b.place());
            }
        }
        b"uuid" => uuid(source, out, &name, b),
        b"udta" => mp4_meta::udta(source, out, &name, b),
        b"meta" => mp4_meta::meta(source, out, &name, b),
        b"XMP_" => {
            let body = b.bytes(source, 16 << 20).unwrap_or_default();
            xmp::list(&body, out, &name, b.place());
        }
        _ => {
            let what = "unknown block";
            out.add((Category::Hidden, Harm::Medium), what, &size(b.length()), &name, b.place());
        }
    }
}

fn uuid(source: &mut Source<'_>, out: &mut Collector, name: &str, b: Box4) {
    let id = source.array::<16>(b.body).unwrap_or_default();
    let from = b.body + 16;
    match &id {
        b"\xBE\x7A\xCF\xCB\x97\xA9\x42\xE8\x9C\x71\x99\x94\x91\xE3\xAF\xAC" => {
            let body = source.upto(from, b.end, 16 << 20).unwrap_or_default();
            xmp::list(&body, out, &format!("{name}/XMP"), b.place());
        }
        b"JpgTiffExif->JP2" => {
            exif::list(source, out, from, b.end.saturating_sub(from), &format!("{name}/Exif"));
        }
        // Canon's container of CMT boxes (CR3) and its preview.
        b"\x85\xC0\xB6\x87\x82\x0F\x11\xE0\x81\x11\xF4\xCE\x46\x2B\x6A\x48" => {
            for child in Box4::all(source, from, b.end) {
                let path = format!("{name}/{}", fourcc(child.kind));
                match &child.kind {
                    b"CMT1" => exif::list(source, out, child.body, child.length(), &path),
                    b"CMT2" | b"CMT3" | b"CMT4" => {
                        let number = child.kind[3];
                        exif::list_canon(source, out, child.body, child.length(), &path, number);
                    }
                    b"THMB" => out.add(
                        (Category::Preview, Harm::High),
                        "thumbnail",
                        &size(child.length()),
                        &format!("{path}/ThumbnailImage"),
                        child.place(),
                    ),
                    _ => {}
                }
            }
        }
        b"\xEA\xF4\x2B\x5E\x1C\x98\x4B\x88\xB9\xFB\xB7\xDC\x40\x6E\x4D\x16" => {
            let what = "preview picture";
            let path = format!("{name}/PreviewImage");
            out.add((Category::Preview, Harm::High), what, &size(b.length()), &path, b.place());
        }
        b"\xD8\xFE\xC3\xD6\x1B\x0E\x48\x3C\x92\x97\x58\x28\x87\x7E\xC4\x81" => {
            let skip = 21 + 8;
            let body = source.upto(from, b.end, 16 << 20).unwrap_or_default();
            let data = body.get(skip.min(body.len())..).unwrap_or_default();
            let start = data.windows(4).position(|w| w == b"jumb").and_then(|p| p.checked_sub(4));
            let data = start.and_then(|s| data.get(s..)).unwrap_or(data);
            jumbf::list(data, out, &format!("{name}/JUMBF"), b.place());
        }
        _ => {
            let value = format!("{} {}", super::text::hex(&id), size(b.length()));
            let what = "private block of a camera or program";
            out.add((Category::Hidden, Harm::Medium), what, &value, name, b.place());
        }
    }
}

fn moov(source: &mut Source<'_>, out: &mut Collector, layout: &mut Layout, moov: Box4) {
    let mut movie_scale = 0;
    let mut number = 0;
    for b in Box4::all(source, moov.body, moov.end) {
        match &b.kind {
            b"mvhd" => {
                if let Some(body) = b.bytes(source, 4096) {
                    movie_scale = mp4_tracks::times(&body, out, "moov/mvhd", b.place());
                }
            }
            b"trak" => {
                number += 1;
                if number <= 256 {
                    mp4_tracks::trak(source, out, layout, b, movie_scale, number);
                }
            }
            b"mvex" | b"iods" | b"pssh" | b"ctab" | b"clip" | b"rmra" => {}
            b"cmov" => {
                layout.unsure = true;
                out.note("The index is compressed and was not read.");
            }
            _ => common(source, out, "moov", b),
        }
    }
}

/// Media data that nothing refers to.
fn unused(out: &mut Collector, layout: &mut Layout) {
    if layout.fragments || layout.unsure || layout.used.is_empty() {
        return;
    }
    layout.used.sort_unstable();
    let (mut orphans, mut first) = (0u64, None);
    for &(start, end) in &layout.mdat {
        let mut cursor = start;
        let from = layout.used.partition_point(|r| r.1 <= start);
        for &(a, b) in layout.used.get(from..).unwrap_or_default() {
            if a >= end {
                break;
            }
            if a > cursor {
                orphans += a - cursor;
                first = first.or(Some((cursor, a)));
            }
            cursor = cursor.max(b);
        }
        if cursor < end {
            orphans += end - cursor;
            first = first.or(Some((cursor, end)));
        }
    }
    // Writers align chunks; a few bytes between them are no hiding place.
    if orphans > 64 {
        let what = "media data that belongs to no track (cut or hidden parts)";
        out.add((Category::Hidden, Harm::High), what, &size(orphans), "mdat", first);
    }
}

/// Path of a child.
pub(super) fn join(path: &str, kind: [u8; 4]) -> String {
    if path.is_empty() { fourcc(kind) } else { format!("{path}/{}", fourcc(kind)) }
}
