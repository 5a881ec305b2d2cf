//! JPEG: a short list of segments, and entropy-coded data that ends exactly
//! with the last block (ITU-T T.81).

use super::claims::Claims;
use super::jpeg_scan::{self, Component, Huffman, Picture, ScanHeader};
use super::{OutputKind, Parts};
use crate::bytes::{be16, part};
use crate::source::Source;
use fernseed_core::Size;
use fernseed_core::finding::FindingCode;

/// Most blocks whose state a progressive picture may ask for (about 200
/// megapixels without subsampling).
const MAX_BLOCKS: u64 = 12_000_000;

pub(super) fn account(source: &mut Source<'_>, claims: &mut Claims, parts: &mut Parts) {
    parts.kind = OutputKind::Jpeg;
    let len = source.len();
    claims.own("SOI", 0, 2);
    let mut walk = Walk { picture: Picture::default(), framed: false, scans: 0, jfif: false, adobe: false };
    walk.picture.visits = 20_000_000 + 64 * len;
    let mut at = 2;
    loop {
        let Ok([0xFF, marker]) = source.array::<2>(at) else {
            if at < len {
                claims.foreign("", at, len, "Bytes that are not a segment.");
            }
            claims.wrong("EOI", len, len, "The end marker is missing.");
            break;
        };
        if marker == 0xD9 {
            claims.own("EOI", at, at + 2);
            if at + 2 < len {
                claims.foreign("(after EOI)", at + 2, len, "Bytes after the end of the picture.");
            }
            if walk.scans == 0 {
                claims.wrong("SOS", at, at, "There is no picture.");
            }
            break;
        }
        if marker == 0xFF {
            claims.foreign("", at, at + 1, "A fill byte between segments.");
            at += 1;
            continue;
        }
        let Some(size) = source.array::<2>(at + 2).ok().map(u16::from_be_bytes) else {
            claims.foreign("", at, len, "A segment that does not fit into the file.");
            break;
        };
        let end = at + 2 + u64::from(size);
        if size < 2 || end > len {
            claims.foreign("", at, len, "A segment that does not fit into the file.");
            break;
        }
        let body = source.bytes(at + 4, u64::from(size) - 2).unwrap_or_default();
        at = walk.segment(source, claims, marker, &body, at, end);
    }
    if let Some(problem) = walk.picture.unfinished() {
        claims.wrong("SOS", 0, 0, problem);
    }
    // Pictures of four inks have no JFIF header, and none at all without
    // Adobe's marker.
    if !walk.jfif && !walk.adobe && walk.picture.components.len() != 4 {
        claims.wrong("APP0", 0, 0, "The JFIF header is missing.");
    }
    parts.size = (walk.framed).then(|| Size::new(walk.picture.width, walk.picture.height));
}

struct Walk {
    picture: Picture,
    framed: bool,
    scans: u32,
    jfif: bool,
    adobe: bool,
}

impl Walk {
    /// Handles one segment and returns where the next begins.
    fn segment(
        &mut self,
        source: &mut Source<'_>,
        claims: &mut Claims,
        marker: u8,
        body: &[u8],
        at: u64,
        end: u64,
    ) -> u64 {
        let (name, wrong) = match marker {
            0xE0 if part(body, 0, 5) == Some(b"JFIF\0") => {
                let again = std::mem::replace(&mut self.jfif, true);
                (
                    "APP0",
                    if again || at != 2 { Some("JFIF in the wrong place.") } else { jfif(body) },
                )
            }
            0xEE if at == 2 && adobe(body) => {
                self.adobe = true;
                ("APP14", None)
            }
            0xE1 if !self.framed && upright(body) => ("APP1", None),
            0xE2 if !self.framed && standard_profile(body) => ("APP2", None),
            0xDB => ("DQT", self.quantisation(body)),
            0xC4 => ("DHT", self.huffman(body)),
            0xC0..=0xC2 => ("SOF", self.frame(body, marker == 0xC2)),
            0xDD => {
                self.picture.restart = be16(body, 0).unwrap_or(0).into();
                ("DRI", (body.len() != 2).then_some("The segment is not four bytes long."))
            }
            0xDA => {
                claims.own("SOS", at, end);
                return self.scan(source, claims, body, at, end);
            }
            _ => {
                let (code, what) = stranger(marker, body);
                let name = segment_name(marker);
                let message = format!("{what} ({name}, {} bytes)", end - at);
                claims.foreign_as(code, &name, at, end, &message);
                return end;
            }
        };
        claims.own(name, at, end);
        if let Some(message) = wrong {
            claims.wrong(name, at, end, message);
        }
        end
    }

    fn quantisation(&mut self, mut b: &[u8]) -> Option<&'static str> {
        while let Some(&head) = b.first() {
            let len = match head >> 4 {
                0 => 65,
                1 => 129,
                _ => return Some("A quantisation table of unknown precision."),
            };
            if head & 15 > 3 || b.len() < len {
                return Some("The quantisation tables do not fill their segment exactly.");
            }
            b = b.get(len..)?;
        }
        None
    }

    fn huffman(&mut self, mut b: &[u8]) -> Option<&'static str> {
        while !b.is_empty() {
            let Some((class, id, table, used)) = Huffman::parse(b) else {
                return Some("The Huffman tables do not fill their segment exactly.");
            };
            if let Some(slot) =
                self.picture.tables.get_mut(usize::from(class) * 4 + usize::from(id))
            {
                *slot = Some(table);
            }
            b = b.get(used..)?;
        }
        None
    }

    fn frame(&mut self, b: &[u8], progressive: bool) -> Option<&'static str> {
        const EXACT: &str = "The frame header is not exact.";
        if std::mem::replace(&mut self.framed, true) {
            return Some("A second picture in the file.");
        }
        let count = *b.get(5)?;
        if b.first() != Some(&8) || !matches!(count, 1 | 3 | 4) || b.len() != 6 + 3 * usize::from(count)
        {
            return Some(EXACT);
        }
        let p = &mut self.picture;
        p.height = be16(b, 1)?.into();
        p.width = be16(b, 3)?.into();
        p.progressive = progressive;
        if p.width == 0 || p.height == 0 {
            return Some(EXACT);
        }
        for c in b.get(6..)?.chunks_exact(3) {
            let (h, v) = (c[1] >> 4, c[1] & 15);
            if !(1..=4).contains(&h) || !(1..=4).contains(&v) || c[2] > 3 {
                return Some(EXACT);
            }
            p.components.push(Component::new(c[0], h.into(), v.into()));
        }
        if p.layout() > MAX_BLOCKS {
            p.components.clear();
            return Some("The picture is too large to be checked.");
        }
        None
    }

    fn scan(
        &mut self,
        source: &mut Source<'_>,
        claims: &mut Claims,
        body: &[u8],
        at: u64,
        end: u64,
    ) -> u64 {
        self.scans += 1;
        let len = source.len();
        let header = ScanHeader::parse(body, &self.picture);
        let outcome = match (header, self.scans) {
            (Some(header), 0..=200) => jpeg_scan::walk(source, end, &mut self.picture, &header),
            _ => Err((end, "A scan header that does not fit the picture.")),
        };
        match outcome {
            Ok(stop) => {
                claims.own("SOS (data)", end, stop);
                stop
            }
            Err((bad, message)) => {
                // Go on at the next marker that is not part of a scan.
                claims.own("SOS (data)", end, bad);
                let stop = jpeg_scan::next_marker(source, bad.max(end)).unwrap_or(len);
                if bad < stop {
                    claims.foreign("SOS (data)", bad, stop, message);
                } else {
                    claims.wrong("SOS (data)", at, stop, message);
                }
                stop
            }
        }
    }
}

/// The header our encoder writes: version 1.1 or 1.2, no unit, square
/// pixels, no thumbnail.
fn jfif(b: &[u8]) -> Option<&'static str> {
    if b.len() != 14 {
        return Some("The JFIF header has a thumbnail or extra bytes.");
    }
    let plain =
        matches!(part(b, 5, 2), Some([1, 1 | 2])) && part(b, 7, 7) == Some(&[0, 0, 1, 0, 1, 0, 0]);
    (!plain).then_some("The JFIF header states a resolution or another version.")
}

/// Adobe's marker where the colours are RGB, CMYK or YCCK: version 100, no
/// flags.
fn adobe(b: &[u8]) -> bool {
    matches!(b, [b'A', b'd', b'o', b'b', b'e', 0, 100, 0, 0, 0, 0, 0 | 2])
}

/// EXIF with one entry, the orientation, and nothing else.
fn upright(b: &[u8]) -> bool {
    b.strip_prefix(b"Exif\0\0").is_some_and(super::says_orientation_only)
}

/// One of the colour profiles this project writes, in one piece.
fn standard_profile(b: &[u8]) -> bool {
    b.strip_prefix(b"ICC_PROFILE\0\x01\x01").is_some_and(crate::profiles::is_ours)
}

fn segment_name(marker: u8) -> String {
    match marker {
        0xE0..=0xEF => format!("APP{}", marker & 15),
        0xFE => "COM".to_owned(),
        other => format!("marker 0x{other:02X}"),
    }
}

fn stranger(marker: u8, body: &[u8]) -> (FindingCode, &'static str) {
    let left = FindingCode::MetadataLeft;
    match marker {
        0xE0 if body.starts_with(b"JFXX\0") => (left, "A thumbnail."),
        0xE1 if body.starts_with(b"Exif\0") => (left, "EXIF metadata."),
        0xE1 if body.starts_with(b"http://ns.adobe.com/") => (left, "XMP metadata."),
        0xE2 if body.starts_with(b"ICC_PROFILE\0") => (left, "A colour profile."),
        0xE2 if body.starts_with(b"MPF\0") => (left, "An index of further pictures."),
        0xEB => (left, "A JUMBF box, usually C2PA provenance."),
        0xED => (left, "Photoshop resources or IPTC metadata."),
        0xEE => (FindingCode::UnknownStructure, "An Adobe colour marker."),
        0xFE => (left, "A comment."),
        0xE0..=0xEF => (left, "An application segment."),
        _ => (FindingCode::UnknownStructure, "A segment that is not on the list."),
    }
}
