//! PNG and APNG: a short list of chunks, right checksums, and a compressed
//! stream that ends exactly with the picture's last row.

use super::claims::Claims;
use super::{OutputKind, Parts};
use crate::bytes::{be16, be32, fourcc, part};
use crate::source::Source;
use fernseed_core::Size;
use fernseed_core::finding::FindingCode;
use flate2::{Crc, Decompress, FlushDecompress, Status};

/// The gammas a file may state, times 100,000.
const GAMMAS: [u32; 12] = [
    45_455, 35_000, 50_000, 55_000, 60_000, 65_000, 70_000, 100_000, 150_000, 200_000, 220_000,
    250_000,
];

/// A profile under a fixed name, one of those this project writes, with
/// nothing after its compressed stream.
fn standard_profile(b: &[u8]) -> bool {
    let Some(packed) = b.strip_prefix(b"icc\0\0") else { return false };
    let mut inflate = Decompress::new(true);
    let mut out = vec![0; 4096];
    let done = inflate.decompress(packed, &mut out, FlushDecompress::Finish);
    out.truncate(inflate.total_out() as usize);
    matches!(done, Ok(Status::StreamEnd))
        && inflate.total_in() == packed.len() as u64
        && crate::profiles::is_ours(&out)
}

/// Picture header.
#[derive(Clone, Copy, Debug)]
struct Header {
    size: Size,
    bits_per_pixel: u64,
    palette: bool,
    interlaced: bool,
}

impl Header {
    fn parse(b: &[u8]) -> Option<Self> {
        let (width, height) = (be32(b, 0)?, be32(b, 4)?);
        let depth = *b.get(8)?;
        let channels = match (*b.get(9)?, depth) {
            (0, 1 | 2 | 4 | 8 | 16) | (3, 1 | 2 | 4 | 8) => 1,
            (2, 8 | 16) => 3,
            (4, 8 | 16) => 2,
            (6, 8 | 16) => 4,
            _ => return None,
        };
        let plain = b.len() == 13 && b.get(10) == Some(&0) && b.get(11) == Some(&0);
        let interlaced = *b.get(12)?;
        if !plain || interlaced > 1 || width == 0 || height == 0 || (width | height) >> 31 != 0 {
            return None;
        }
        Some(Self {
            size: Size::new(width, height),
            bits_per_pixel: channels * u64::from(depth),
            palette: b.get(9) == Some(&3),
            interlaced: interlaced == 1,
        })
    }

    /// `(bytes per row with its filter byte, rows)` of each pass.
    fn passes(&self, size: Size) -> Vec<(u64, u64)> {
        let row = |width: u64| 1 + (width * self.bits_per_pixel).div_ceil(8);
        let (w, h) = (u64::from(size.width), u64::from(size.height));
        if !self.interlaced {
            return vec![(row(w), h)];
        }
        // Adam7: first column, first row, column step, row step.
        [
            (0, 0, 8, 8),
            (4, 0, 8, 8),
            (0, 4, 4, 8),
            (2, 0, 4, 4),
            (0, 2, 2, 4),
            (1, 0, 2, 2),
            (0, 1, 1, 2),
        ]
        .into_iter()
        .map(|(x, y, dx, dy)| (w.saturating_sub(x).div_ceil(dx), h.saturating_sub(y).div_ceil(dy)))
        .filter(|&(w, h)| w > 0 && h > 0)
        .map(|(w, h)| (row(w), h))
        .collect()
    }
}

/// Inflates one picture and compares its length and its filter bytes with
/// what the header promises.
struct Stream {
    inflate: Decompress,
    passes: Vec<(u64, u64)>,
    pass: usize,
    row: u64,
    /// Bytes of the current row still to come.
    column: u64,
    ended: bool,
    wrong: Option<&'static str>,
    out: Vec<u8>,
}

impl Stream {
    fn new(passes: Vec<(u64, u64)>) -> Self {
        Self {
            inflate: Decompress::new(true),
            passes,
            pass: 0,
            row: 0,
            column: 0,
            ended: false,
            wrong: None,
            out: vec![0; 64 * 1024],
        }
    }

    fn feed(&mut self, mut data: &[u8]) {
        while !data.is_empty() && self.wrong.is_none() {
            if self.ended {
                self.wrong = Some("Bytes are hidden after the end of the compressed picture.");
                return;
            }
            let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
            let mut out = std::mem::take(&mut self.out);
            let status = self.inflate.decompress(data, &mut out, FlushDecompress::None);
            let used = (self.inflate.total_in() - before_in) as usize;
            let made = (self.inflate.total_out() - before_out) as usize;
            self.rows(out.get(..made).unwrap_or_default());
            self.out = out;
            data = data.get(used..).unwrap_or_default();
            match status {
                Ok(Status::StreamEnd) => self.ended = true,
                Ok(_) if used == 0 && made == 0 => {
                    self.wrong = Some("The compressed picture is damaged.");
                }
                Ok(_) => {}
                Err(_) => self.wrong = Some("The compressed picture is damaged."),
            }
        }
    }

    fn rows(&mut self, mut b: &[u8]) {
        while let Some(&filter) = b.first() {
            let Some(&(width, height)) = self.passes.get(self.pass) else {
                self.wrong = Some("The compressed picture is longer than its header says.");
                return;
            };
            if self.column == 0 {
                if filter > 4 {
                    self.wrong = Some("A row with an unknown filter.");
                }
                self.column = width;
            }
            let n = (b.len() as u64).min(self.column);
            self.column -= n;
            b = b.get(n as usize..).unwrap_or_default();
            if self.column == 0 {
                self.row += 1;
                if self.row == height {
                    self.row = 0;
                    self.pass += 1;
                }
            }
        }
    }

    /// What is wrong after the last data chunk.
    fn close(mut self) -> Option<&'static str> {
        // Output may still be waiting inside the decompressor.
        let mut rounds = 0;
        while !self.ended && self.wrong.is_none() && rounds < 4 {
            let before = self.inflate.total_out();
            let mut out = std::mem::take(&mut self.out);
            let status = self.inflate.decompress(&[], &mut out, FlushDecompress::Finish);
            let made = (self.inflate.total_out() - before) as usize;
            self.rows(out.get(..made).unwrap_or_default());
            self.out = out;
            self.ended = matches!(status, Ok(Status::StreamEnd));
            if made == 0 {
                rounds += 1;
            }
        }
        if self.wrong.is_some() {
            self.wrong
        } else if !self.ended {
            Some("The compressed picture does not end.")
        } else if self.pass < self.passes.len() {
            Some("The compressed picture is shorter than its header says.")
        } else {
            None
        }
    }
}

/// State of one walk.
#[derive(Default)]
struct Walk {
    header: Option<Header>,
    seen: Vec<[u8; 4]>,
    stream: Option<Stream>,
    /// `(frames announced, frames met)`.
    frames: Option<(u32, u32)>,
    sequence: u32,
    last: [u8; 4],
    ended: bool,
}

pub(super) fn account(source: &mut Source<'_>, claims: &mut Claims, parts: &mut Parts) {
    let len = source.len();
    if source.array::<8>(0) == Ok(*b"\x89PNG\r\n\x1a\n") {
        claims.own("(signature)", 0, 8);
    }
    let mut walk = Walk::default();
    let mut at = 8;
    while at < len && !walk.ended {
        let head = source.array::<8>(at).ok();
        let chunk = head.and_then(|h| {
            let size = u64::from(be32(&h, 0)?);
            let kind: [u8; 4] = part(&h, 4, 4)?.try_into().ok()?;
            let end = at + 12 + size;
            (size <= 0x7FFF_FFFF && end <= len).then_some((kind, end))
        });
        let Some((kind, end)) = chunk else {
            claims.foreign("", at, len, "Bytes that are not a chunk.");
            at = len;
            break;
        };
        chunk_at(source, claims, &mut walk, kind, at, end);
        at = end;
    }
    if !walk.ended {
        claims.wrong("IEND", len, len, "The end chunk is missing.");
    } else if at < len {
        claims.foreign("(after IEND)", at, len, "Bytes after the end of the picture.");
    }
    walk.close_stream(claims, at);
    if !walk.seen.contains(b"IDAT") {
        claims.wrong("IDAT", 0, 0, "There is no picture.");
    }
    if let Some((announced, met)) = walk.frames {
        parts.kind = OutputKind::Apng;
        if announced != met {
            claims.wrong("acTL", 0, 0, "Another number of frames than announced.");
        }
    }
    parts.size = walk.header.map(|h| h.size);
}

fn chunk_at(
    source: &mut Source<'_>,
    claims: &mut Claims,
    walk: &mut Walk,
    kind: [u8; 4],
    at: u64,
    end: u64,
) {
    let name = fourcc(kind);
    let size = end - at - 12;
    let data_chunk = matches!(&kind, b"IDAT" | b"fdAT");
    let known = matches!(
        &kind,
        b"IHDR" | b"PLTE" | b"sRGB" | b"gAMA" | b"tRNS" | b"acTL" | b"fcTL" | b"IEND" | b"cICP"
    ) || match &kind {
        b"iCCP" => source.bytes(at + 8, size.min(1024)).is_ok_and(|b| standard_profile(&b)),
        b"eXIf" => source.bytes(at + 8, size.min(64)).is_ok_and(|b| super::says_orientation_only(&b)),
        _ => false,
    };
    if !known && !data_chunk {
        let code = match &kind {
            b"tEXt" | b"zTXt" | b"iTXt" | b"eXIf" | b"tIME" | b"iCCP" => FindingCode::MetadataLeft,
            _ => FindingCode::UnknownStructure,
        };
        let message = format!("A chunk that is not on the list: {name}, {size} bytes.");
        return claims.foreign_as(code, &name, at, end, &message);
    }
    if !data_chunk && size > 1024 {
        return claims.foreign(&name, at, end, "The chunk is longer than it can be.");
    }
    claims.own(&name, at, end);
    // A stream ends where the run of its chunks ends.
    if walk.last != kind || kind == *b"fcTL" {
        walk.close_stream(claims, at);
    }
    let mut crc = Crc::new();
    crc.update(&kind);
    let mut wrong = None;
    if data_chunk {
        let mut here = at + 8;
        if kind == *b"fdAT" {
            let number = source.array::<4>(here).unwrap_or_default();
            if size < 4 || !walk.next_in_sequence(u32::from_be_bytes(number)) {
                wrong = Some("Animation chunks are out of sequence.");
            }
            crc.update(&number);
            here += 4;
        } else if walk.last != kind {
            if walk.seen.contains(&kind) {
                wrong = Some("The picture's data chunks do not follow each other.");
            }
            walk.stream = walk.header.map(|h| Stream::new(h.passes(h.size)));
        }
        if walk.stream.is_none() {
            wrong = Some("Picture data where none may be.");
        }
        while here < end - 4 {
            let Ok(piece) = source.upto(here, end - 4, 64 * 1024) else { break };
            crc.update(&piece);
            here += piece.len() as u64;
            if let Some(stream) = &mut walk.stream {
                stream.feed(&piece);
            }
        }
    } else {
        let body = source.bytes(at + 8, size).unwrap_or_default();
        crc.update(&body);
        wrong = walk.small(kind, &body);
    }
    if source.array::<4>(end - 4) != Ok(crc.sum().to_be_bytes()) {
        claims.wrong(&name, end - 4, end, "The checksum is wrong.");
    }
    if let Some(message) = wrong {
        claims.wrong(&name, at, end, message);
    }
    if !walk.seen.contains(&kind) {
        walk.seen.push(kind);
    }
    walk.last = kind;
}

impl Walk {
    fn close_stream(&mut self, claims: &mut Claims, at: u64) {
        if matches!(&self.last, b"IDAT" | b"fdAT")
            && let Some(stream) = self.stream.take()
            && let Some(message) = stream.close()
        {
            claims.wrong(&fourcc(self.last), at, at, message);
        }
    }

    fn next_in_sequence(&mut self, number: u32) -> bool {
        let right = number == self.sequence;
        self.sequence = number.wrapping_add(1);
        right
    }

    /// Checks a small chunk.
    fn small(&mut self, kind: [u8; 4], b: &[u8]) -> Option<&'static str> {
        let first = self.seen.is_empty();
        let twice = self.seen.contains(&kind) && kind != *b"fcTL";
        let late = self.seen.contains(b"IDAT") && !matches!(&kind, b"fcTL" | b"IEND");
        let no_data = kind == *b"fcTL" && self.last == kind;
        if twice || late || no_data || (kind == *b"IHDR") != first {
            return Some("The chunk is in the wrong place.");
        }
        let exact = match &kind {
            b"IHDR" => {
                self.header = Header::parse(b);
                self.header.is_some()
            }
            b"PLTE" => b.len().is_multiple_of(3) && (3..=768).contains(&b.len()),
            b"sRGB" => b.len() == 1 && b.first().is_some_and(|&i| i <= 3),
            b"gAMA" => be32(b, 0).is_some_and(|g| GAMMAS.contains(&g)) && b.len() == 4,
            b"cICP" => matches!(b, [1 | 9 | 12, 1 | 8 | 13 | 16 | 18, 0, 0 | 1]),
            // Content compared when the chunk was met.
            b"iCCP" | b"eXIf" => true,
            b"tRNS" => match self.header {
                Some(h) if h.palette => (1..=256).contains(&b.len()),
                _ => matches!(b.len(), 2 | 6),
            },
            b"acTL" => {
                self.frames = be32(b, 0).map(|n| (n, 0));
                b.len() == 8
            }
            b"fcTL" => self.frame_control(b).is_some(),
            _ => {
                self.ended = true;
                b.is_empty()
            }
        };
        (!exact).then_some("The chunk's content is not exactly what it must be.")
    }

    /// Frame control of APNG: sequence, size, offset, delay, disposal, blend.
    fn frame_control(&mut self, b: &[u8]) -> Option<()> {
        let size = Size::new(be32(b, 4)?, be32(b, 8)?);
        let (x, y) = (be32(b, 12)?, be32(b, 16)?);
        let (_delay, _scale) = (be16(b, 20)?, be16(b, 22)?);
        let header = self.header?;
        let inside = size.width > 0
            && size.height > 0
            && x.checked_add(size.width)? <= header.size.width
            && y.checked_add(size.height)? <= header.size.height;
        let in_order = self.next_in_sequence(be32(b, 0)?);
        let frames = self.frames.as_mut()?;
        frames.1 += 1;
        let whole = b.len() == 26 && *b.get(24)? <= 2 && *b.get(25)? <= 1;
        // Data of the first frame may be the IDAT chunks themselves.
        if self.seen.contains(b"IDAT") && inside {
            self.stream = Some(Stream::new(header.passes(size)));
        }
        (inside && in_order && whole).then_some(())
    }
}
