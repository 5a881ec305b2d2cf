//! The segments of a JPEG file (ITU-T T.81, annex B).

use crate::still::StillError;
use memchr::memchr;

/// Largest ICC profile put together from its parts, in bytes.
const MAX_ICC: usize = 16 << 20;

/// What Adobe's APP14 segment says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Adobe {
    /// 0: components as they are, 1: Y'CbCr, 2: Y'CbCr and K.
    pub(super) transform: u8,
    /// Where in the file that byte is.
    pub(super) at: usize,
}

/// What a walk over the segments up to the end of the first picture gives.
#[derive(Debug)]
pub(super) struct Markers<'a> {
    pub(super) width: u16,
    pub(super) height: u16,
    pub(super) components: u8,
    pub(super) adobe: Option<Adobe>,
    /// Contents of the first EXIF segment, with its `Exif\0\0`.
    pub(super) exif: Option<&'a [u8]>,
    /// The ICC profile, if all its parts are there.
    pub(super) icc: Option<Vec<u8>>,
    /// One past the `EOI` marker of the first picture.
    pub(super) end: usize,
}

impl<'a> Markers<'a> {
    /// Walks over the segments.
    ///
    /// # Errors
    /// `Truncated` if there is no end-of-image marker: the rest of the
    /// picture may be missing, and a half picture is not passed on.
    /// `Unsupported` for other coding processes than baseline, extended
    /// and progressive Huffman with 8 bits.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, StillError> {
        let mut frame: Option<(u16, u16, u8)> = None;
        let (mut adobe, mut exif, mut scans) = (None, None, 0_u32);
        let mut icc = IccParts::default();
        let mut at = 2;
        loop {
            let (marker, body) = next_marker(bytes, at)?;
            if marker == 0xD9 {
                let (width, height, components) =
                    frame.ok_or_else(|| StillError::damaged("it has no frame header"))?;
                if scans == 0 {
                    return Err(StillError::damaged("it has no picture data"));
                }
                let icc = icc.joined();
                return Ok(Self { width, height, components, adobe, exif, icc, end: body });
            }
            if matches!(marker, 0x01 | 0xD0..=0xD8) {
                at = body;
                continue;
            }
            let len = bytes
                .get(body..)
                .and_then(|b| b.first_chunk::<2>())
                .ok_or(StillError::Truncated)?;
            let end = body.saturating_add(usize::from(u16::from_be_bytes(*len)));
            if end < body + 2 {
                return Err(StillError::damaged("a segment is shorter than its own length"));
            }
            let segment = bytes.get(body + 2..end).ok_or(StillError::Truncated)?;
            at = end;
            match marker {
                0xC0..=0xC2 => {
                    let [8, h1, h2, w1, w2, components, ..] = segment else {
                        return Err(StillError::unsupported(
                            "JPEG with other than 8 bits a sample",
                        ));
                    };
                    if frame.is_some() {
                        return Err(StillError::damaged("it has two frame headers"));
                    }
                    let [width, height] = [[*w1, *w2], [*h1, *h2]].map(u16::from_be_bytes);
                    frame = Some((width, height, *components));
                }
                0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                    return Err(StillError::unsupported(
                        "a JPEG coding process that cameras do not use",
                    ));
                }
                0xDA => {
                    scans += 1;
                    at = scan_end(bytes, end)?;
                }
                0xE1 if exif.is_none() && segment.starts_with(b"Exif\0") => exif = Some(segment),
                0xE2 => icc.add(segment),
                0xEE if segment.starts_with(b"Adobe") => {
                    if let Some(transform) = segment.get(11) {
                        adobe = Some(Adobe { transform: *transform, at: body + 2 + 11 });
                    }
                }
                _ => {}
            }
        }
    }
}

/// The marker at or after `at` and where what follows it begins. Bytes
/// between segments are skipped, as all decoders do.
fn next_marker(bytes: &[u8], at: usize) -> Result<(u8, usize), StillError> {
    let mut at = at;
    loop {
        let rest = bytes.get(at..).ok_or(StillError::Truncated)?;
        let ff = at + memchr(0xFF, rest).ok_or(StillError::Truncated)?;
        match bytes.get(ff + 1) {
            None => return Err(StillError::Truncated),
            Some(0xFF) => at = ff + 1,
            Some(0x00) => at = ff + 2,
            Some(marker) => return Ok((*marker, ff + 2)),
        }
    }
}

/// Where the marker after a scan's coded data begins.
fn scan_end(bytes: &[u8], start: usize) -> Result<usize, StillError> {
    let mut at = start;
    loop {
        let rest = bytes.get(at..).ok_or(StillError::Truncated)?;
        let ff = at + memchr(0xFF, rest).ok_or(StillError::Truncated)?;
        match bytes.get(ff + 1) {
            None => return Err(StillError::Truncated),
            Some(0xFF) => at = ff + 1,
            Some(0x00 | 0xD0..=0xD7) => at = ff + 2,
            Some(_) => return Ok(ff),
        }
    }
}

/// Parts of an ICC profile, by their numbers (ICC.1:2022, annex B.4).
#[derive(Default)]
struct IccParts<'a> {
    parts: std::collections::BTreeMap<u8, &'a [u8]>,
    total: u8,
}

impl<'a> IccParts<'a> {
    fn add(&mut self, segment: &'a [u8]) {
        if let Some([number, total, part @ ..]) = segment.strip_prefix(b"ICC_PROFILE\0") {
            self.parts.entry(*number).or_insert(part);
            self.total = *total;
        }
    }

    fn joined(self) -> Option<Vec<u8>> {
        let whole = self.total > 0 && self.parts.keys().copied().eq(1..=self.total);
        let len: usize = self.parts.values().map(|p| p.len()).sum();
        (whole && len <= MAX_ICC).then(|| self.parts.into_values().flatten().copied().collect())
    }
}
