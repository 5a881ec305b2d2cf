//! WebP (RFC 9649): coded pictures as they are, the container anew.

use super::{Built, Outcome, StripError, colour, damaged, exif, needs, too_large, truncated};
use crate::bytes::{le16, le24, le32, part};
use crate::profiles::Space;

/// Most frames.
const MAX_FRAMES: usize = 50_000;

/// A coded picture with its alpha plane.
#[derive(Debug)]
struct Picture<'a> {
    width: u32,
    height: u32,
    kind: Kind<'a>,
}

#[derive(Debug)]
enum Kind<'a> {
    Lossless { data: &'a [u8], alpha: bool },
    /// `alpha` is how the plane is filtered, whether it is compressed, and
    /// its data.
    Lossy { data: &'a [u8], alpha: Option<(u8, bool, &'a [u8])> },
}

#[derive(Debug)]
struct Frame<'a> {
    x: u32,
    y: u32,
    duration: u32,
    flags: u8,
    picture: Picture<'a>,
}

#[derive(Default)]
struct File<'a> {
    canvas: Option<(u32, u32)>,
    animated: bool,
    loops: u16,
    profile: Option<&'a [u8]>,
    orientation: Option<u8>,
    alpha: Option<&'a [u8]>,
    still: Option<Picture<'a>>,
    frames: Vec<Frame<'a>>,
}

pub(super) fn rebuild(data: &[u8]) -> Outcome {
    let size = le32(data, 4).ok_or_else(|| truncated("the header"))? as usize;
    let end = size.saturating_add(8);
    let body = data.get(12..end.min(data.len())).ok_or_else(|| damaged("the length"))?;
    let mut notes = Vec::new();
    if data.len() > end {
        notes.push(format!("{} bytes after the end of the picture are left out.", data.len() - end));
    }
    let mut file = File::default();
    for chunk in chunks(body) {
        let (kind, b) = chunk?;
        file.chunk(kind, b)?;
    }
    file.write(notes)
}

type Chunk<'a> = Result<([u8; 4], &'a [u8]), StripError>;

fn chunks(mut rest: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let chunk = (|| {
            let kind: [u8; 4] = part(rest, 0, 4)?.try_into().ok()?;
            let size = le32(rest, 4)? as usize;
            let body = part(rest, 8, size)?;
            rest = rest.get(8 + size + size % 2..).unwrap_or_default();
            Some((kind, body))
        })();
        if chunk.is_none() {
            rest = &[];
        }
        Some(chunk.ok_or_else(|| truncated("a chunk")))
    })
}

impl<'a> File<'a> {
    fn chunk(&mut self, kind: [u8; 4], b: &'a [u8]) -> Result<(), StripError> {
        match &kind {
            b"VP8X" => {
                let (Some(&flags), Some(w), Some(h)) = (b.first(), le24(b, 4), le24(b, 7)) else {
                    return Err(damaged("the extended header"));
                };
                self.canvas = Some((w + 1, h + 1));
                self.animated = flags & 2 != 0;
            }
            b"ICCP" if self.profile.is_none() => self.profile = Some(b),
            b"EXIF" if self.orientation.is_none() => {
                let block = b.strip_prefix(b"Exif\0\0").unwrap_or(b);
                self.orientation = exif::orientation(block);
            }
            b"ANIM" => self.loops = le16(b, 4).unwrap_or(0),
            b"ALPH" if self.alpha.is_none() && self.still.is_none() => self.alpha = Some(b),
            b"VP8 " | b"VP8L" if !self.animated => {
                if self.still.is_some() {
                    return Err(damaged("a second picture"));
                }
                self.still = Some(picture(&kind, b, self.alpha.take())?);
            }
            b"ANMF" if self.animated => {
                if self.frames.len() >= MAX_FRAMES {
                    return Err(too_large("an animation of more than 50,000 frames"));
                }
                self.frames.push(frame(b)?);
            }
            _ => {}
        }
        Ok(())
    }

    fn write(self, mut notes: Vec<String>) -> Outcome {
        let space = match self.profile.map(colour::recognise).transpose()? {
            Some(Space { primaries: None, .. }) => {
                return Err(needs("its colour profile is for another kind of picture"));
            }
            other => other.filter(|s| !s.is_assumed()),
        };
        let side = self.orientation.filter(|&o| o > 1);
        let mut body = Vec::new();
        let pictures: Vec<&Picture<'_>> =
            self.still.iter().chain(self.frames.iter().map(|f| &f.picture)).collect();
        let Some(first) = pictures.first() else { return Err(damaged("there is no picture")) };
        let canvas = self.canvas.unwrap_or((first.width, first.height));
        if !self.animated && canvas != (first.width, first.height) {
            return Err(damaged("the picture is not as large as its header says"));
        }
        let split = matches!(first.kind, Kind::Lossy { alpha: Some(_), .. });
        if space.is_some() || side.is_some() || self.animated || split {
            let alpha = pictures.iter().any(|p| p.has_alpha());
            let flags = u8::from(space.is_some()) << 5
                | u8::from(alpha) << 4
                | u8::from(side.is_some()) << 3
                | u8::from(self.animated) << 1;
            let mut header = vec![flags, 0, 0, 0];
            header.extend(u24(canvas.0 - 1));
            header.extend(u24(canvas.1 - 1));
            chunk(&mut body, b"VP8X", &header);
        }
        if let Some(space) = space {
            chunk(&mut body, b"ICCP", &space.profile());
            notes.push(format!("The colour profile is replaced by {}.", space.name()));
        }
        if self.animated {
            chunk(&mut body, b"ANIM", &[&[0; 4], &self.loops.to_le_bytes()[..]].concat());
            for frame in &self.frames {
                let p = &frame.picture;
                let inside = frame.x.saturating_add(p.width) <= canvas.0
                    && frame.y.saturating_add(p.height) <= canvas.1;
                if !inside {
                    return Err(damaged("a frame lies outside the picture"));
                }
                let mut b = Vec::new();
                for v in [frame.x / 2, frame.y / 2, p.width - 1, p.height - 1, frame.duration] {
                    b.extend(u24(v));
                }
                b.push(frame.flags);
                p.write(&mut b);
                chunk(&mut body, b"ANMF", &b);
            }
        } else {
            first.write(&mut body);
        }
        if let Some(side) = side {
            chunk(&mut body, b"EXIF", &exif::block(side));
        }
        let mut out = b"RIFF".to_vec();
        out.extend((body.len() as u32 + 4).to_le_bytes());
        out.extend(b"WEBP");
        out.append(&mut body);
        let container = if self.animated { "WebP animation" } else { "WebP picture" };
        Ok(Built { container, extension: "webp", bytes: out, notes })
    }
}

fn frame(b: &[u8]) -> Result<Frame<'_>, StripError> {
    let short = || truncated("a frame");
    let word = |i| le24(b, i).ok_or_else(short);
    let (x, y, w, h) = (word(0)? * 2, word(3)? * 2, word(6)? + 1, word(9)? + 1);
    let (duration, flags) = (word(12)?, *b.get(15).ok_or_else(short)? & 3);
    let (mut alpha, mut found) = (None, None);
    for chunk in chunks(b.get(16..).unwrap_or_default()) {
        let (kind, body) = chunk?;
        match &kind {
            b"ALPH" if found.is_none() && alpha.is_none() => alpha = Some(body),
            b"VP8 " | b"VP8L" if found.is_none() => {
                found = Some(picture(&kind, body, alpha.take())?);
            }
            b"VP8 " | b"VP8L" => return Err(damaged("a frame with two pictures")),
            _ => {}
        }
    }
    let picture = found.ok_or_else(|| damaged("a frame without a picture"))?;
    if (picture.width, picture.height) != (w, h) {
        return Err(damaged("a frame is not as large as its header says"));
    }
    Ok(Frame { x, y, duration, flags, picture })
}

fn picture<'a>(
    kind: &[u8; 4],
    b: &'a [u8],
    alpha: Option<&'a [u8]>,
) -> Result<Picture<'a>, StripError> {
    if kind == b"VP8L" {
        let head = le32(b, 1).filter(|h| b.first() == Some(&0x2F) && h >> 29 == 0);
        let head = head.ok_or_else(|| damaged("a lossless picture"))?;
        let (width, height) = ((head & 0x3FFF) + 1, (head >> 14 & 0x3FFF) + 1);
        let kind = Kind::Lossless { data: b, alpha: head >> 28 & 1 == 1 };
        return Ok(Picture { width, height, kind });
    }
    let good = (|| {
        let tag = le24(b, 0)?;
        let key = tag & 1 == 0 && tag >> 4 & 1 == 1 && part(b, 3, 3)? == [0x9D, 1, 0x2A];
        let (w, h) = (u32::from(le16(b, 6)?), u32::from(le16(b, 8)?));
        let first = (tag >> 5) as usize;
        // Two bits of each size ask for scaling, which no viewer does.
        (key && (w | h) & 0xC000 == 0 && w > 0 && h > 0 && first + 10 <= b.len()).then_some((w, h))
    })();
    let (width, height) = good.ok_or_else(|| damaged("a lossy picture"))?;
    let alpha = match alpha {
        None => None,
        Some([flags, data @ ..]) => {
            let raw = width as usize * height as usize;
            match flags & 3 {
                0 if data.len() >= raw => Some((flags >> 2 & 3, false, data.get(..raw).unwrap_or_default())),
                1 => Some((flags >> 2 & 3, true, data)),
                _ => return Err(damaged("an alpha plane")),
            }
        }
        Some(_) => return Err(truncated("an alpha plane")),
    };
    Ok(Picture { width, height, kind: Kind::Lossy { data: b, alpha } })
}

impl Picture<'_> {
    const fn has_alpha(&self) -> bool {
        matches!(self.kind, Kind::Lossless { alpha: true, .. } | Kind::Lossy { alpha: Some(_), .. })
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self.kind {
            Kind::Lossless { data, .. } => chunk(out, b"VP8L", data),
            Kind::Lossy { data, alpha } => {
                if let Some((filter, packed, plane)) = alpha {
                    let head = filter << 2 | u8::from(packed);
                    chunk(out, b"ALPH", &[&[head], plane].concat());
                }
                chunk(out, b"VP8 ", data);
            }
        }
    }
}

fn u24(v: u32) -> [u8; 3] {
    let [a, b, c, _] = v.to_le_bytes();
    [a, b, c]
}

fn chunk(out: &mut Vec<u8>, kind: &[u8; 4], body: &[u8]) {
    out.extend(kind);
    out.extend((body.len() as u32).to_le_bytes());
    out.extend(body);
    out.resize(out.len() + body.len() % 2, 0);
}
