//! PNG and APNG (PNG third edition): samples as they are, packed anew.
//!
//! Every row is unfiltered, filtered by one rule for all and compressed by
//! one compressor, so that the file says nothing of who packed it. Palette
//! entries that no sample uses are blanked.

mod rows;

use super::{Built, Outcome, StripError, colour, damaged, exif, needs, too_large, truncated};
use crate::bytes::{be16, be32, part};
use crate::profiles::{Curve, PRIMARIES, Primaries, Space};
use rows::{Layout, Usage};
use std::io::Read;

/// Most bytes of unpacked samples, over all frames.
const MAX_RAW: u64 = 1 << 30;
/// Most bytes of one row: a million pixels of the widest kind.
const MAX_ROW: u64 = 8 << 20;
/// Deflate packs no more than this many bytes into one (zlib's technical
/// details give 1032).
const MAX_RATIO: u64 = 1032;
/// Most frames of an animation.
const MAX_FRAMES: usize = 20_000;
/// Bytes in one data chunk, all but the last.
const DATA_CHUNK: usize = 1 << 20;

/// Gammas that a file may state, times 100,000.
const GAMMAS: [u32; 12] = [
    35_000, 50_000, 55_000, 60_000, 65_000, 70_000, 100_000, 150_000, 180_000, 200_000, 220_000,
    250_000,
];

#[derive(Clone, Copy, Debug)]
struct Header {
    width: u32,
    height: u32,
    depth: u8,
    kind: u8,
    interlaced: bool,
}

impl Header {
    fn parse(b: &[u8]) -> Option<Self> {
        let &[depth, kind, 0, 0, interlace @ 0..=1] = b.get(8..)? else { return None };
        let (width, height) = (be32(b, 0)?, be32(b, 4)?);
        let legal = match kind {
            0 => matches!(depth, 1 | 2 | 4 | 8 | 16),
            3 => matches!(depth, 1 | 2 | 4 | 8),
            2 | 4 | 6 => matches!(depth, 8 | 16),
            _ => false,
        };
        let sane = width > 0 && height > 0 && (width | height) >> 31 == 0;
        (legal && sane).then_some(Self { width, height, depth, kind, interlaced: interlace == 1 })
    }

    fn layout(&self, width: u32, height: u32) -> Layout {
        let channels = match self.kind {
            2 => 3,
            4 => 2,
            6 => 4,
            _ => 1,
        };
        Layout {
            width,
            height,
            bits: channels * u32::from(self.depth),
            interlaced: self.interlaced,
        }
    }
}

/// Frame control: place, time and way of painting.
#[derive(Clone, Copy, Debug)]
struct Control {
    width: u32,
    height: u32,
    x: u32,
    y: u32,
    delay: (u16, u16),
    dispose: u8,
    blend: u8,
}

impl Control {
    fn parse(b: &[u8], header: &Header) -> Option<Self> {
        let &[dispose @ 0..=2, blend @ 0..=1] = b.get(24..)? else { return None };
        let c = Self {
            width: be32(b, 4)?,
            height: be32(b, 8)?,
            x: be32(b, 12)?,
            y: be32(b, 16)?,
            delay: (be16(b, 20)?, be16(b, 22)?),
            dispose,
            blend,
        };
        let inside = c.width > 0
            && c.height > 0
            && c.x.checked_add(c.width)? <= header.width
            && c.y.checked_add(c.height)? <= header.height;
        inside.then_some(c)
    }
}

#[derive(Default)]
struct Frame<'a> {
    control: Option<Control>,
    data: Vec<&'a [u8]>,
}

/// What the chunks about colour say.
#[derive(Default)]
struct ColourChunks {
    cicp: Option<[u8; 4]>,
    icc: Option<Vec<u8>>,
    srgb: bool,
    gamma: Option<u32>,
    primaries: Option<[u32; 8]>,
}

/// What is written about colour.
enum Tag {
    None,
    Cicp([u8; 4]),
    Icc(Space),
    Gamma(u32),
}

#[derive(Default)]
struct File<'a> {
    header: Option<Header>,
    palette: Option<Vec<[u8; 3]>>,
    transparency: Option<Vec<u8>>,
    colour: ColourChunks,
    orientation: Option<u8>,
    /// Plays of the animation.
    plays: Option<u32>,
    frames: Vec<Frame<'a>>,
    pending: Option<Control>,
    ended: bool,
}

pub(super) fn rebuild(data: &[u8]) -> Outcome {
    let mut file = File::default();
    let end = file.read(data)?;
    let mut notes = Vec::new();
    if end < data.len() {
        notes
            .push(format!("{} bytes after the end of the picture are left out.", data.len() - end));
    }
    file.write(notes)
}

impl<'a> File<'a> {
    fn read(&mut self, data: &'a [u8]) -> Result<usize, StripError> {
        let mut at = 8;
        while !self.ended {
            let size = be32(data, at).ok_or_else(|| truncated("the list of chunks"))? as usize;
            let kind = part(data, at + 4, 4).ok_or_else(|| truncated("the list of chunks"))?;
            let body = part(data, at + 8, size).ok_or_else(|| truncated("a chunk"))?;
            let sum = be32(data, at + 8 + size).ok_or_else(|| truncated("a chunk"))?;
            let mut crc = flate2::Crc::new();
            crc.update(kind);
            crc.update(body);
            if crc.sum() != sum && matches!(kind, b"IHDR" | b"PLTE" | b"IDAT" | b"fdAT" | b"fcTL") {
                return Err(damaged("a checksum of the picture is wrong"));
            }
            if self.header.is_none() && kind != b"IHDR" {
                return Err(damaged("the picture header is not first"));
            }
            self.chunk(kind, body)?;
            at += 12 + size;
        }
        Ok(at)
    }

    fn chunk(&mut self, kind: &[u8], b: &'a [u8]) -> Result<(), StripError> {
        match kind {
            b"IHDR" => {
                if self.header.is_some() {
                    return Err(damaged("a second picture header"));
                }
                self.header = Some(Header::parse(b).ok_or_else(|| damaged("the picture header"))?);
            }
            b"PLTE" if self.palette.is_none() && self.frames.is_empty() => {
                if b.is_empty() || b.len() > 768 || !b.len().is_multiple_of(3) {
                    return Err(damaged("the palette"));
                }
                self.palette = Some(b.chunks_exact(3).map(|c| [c[0], c[1], c[2]]).collect());
            }
            b"tRNS" if self.frames.is_empty() => self.transparency = Some(b.to_vec()),
            b"cICP" if self.frames.is_empty() => self.colour.cicp = b.try_into().ok(),
            b"sRGB" if self.frames.is_empty() => self.colour.srgb = true,
            b"gAMA" if self.frames.is_empty() => self.colour.gamma = be32(b, 0),
            b"cHRM" if self.frames.is_empty() => {
                let list: Option<Vec<u32>> = (0..8).map(|i| be32(b, 4 * i)).collect();
                self.colour.primaries = list.and_then(|l| l.try_into().ok());
            }
            b"iCCP" if self.frames.is_empty() => self.colour.icc = Some(profile(b)?),
            b"eXIf" if self.orientation.is_none() => self.orientation = exif::orientation(b),
            b"acTL" if self.frames.is_empty() => self.plays = be32(b, 4),
            b"fcTL" if self.plays.is_some() => {
                let header = self.header.as_ref();
                let control = header.and_then(|h| Control::parse(b, h));
                self.pending = Some(control.ok_or_else(|| damaged("a frame header"))?);
            }
            b"IDAT" => {
                if self.frames.is_empty() {
                    self.frames.push(Frame { control: self.pending.take(), data: Vec::new() });
                } else if self.frames.len() > 1 || self.pending.is_some() {
                    return Err(damaged("the picture data is torn apart"));
                }
                if let Some(frame) = self.frames.last_mut() {
                    frame.data.push(b);
                }
            }
            b"fdAT" if self.plays.is_some() => {
                if self.frames.is_empty() {
                    return Err(damaged("a frame before the picture"));
                }
                if let Some(control) = self.pending.take() {
                    if self.frames.len() > MAX_FRAMES {
                        return Err(too_large("an animation of more than 20,000 frames"));
                    }
                    self.frames.push(Frame { control: Some(control), data: Vec::new() });
                }
                if let (2.., Some(frame)) = (self.frames.len(), self.frames.last_mut()) {
                    frame.data.push(b.get(4..).unwrap_or_default());
                }
            }
            b"IEND" => self.ended = true,
            [first, ..] if first & 0x20 == 0 && kind != b"PLTE" => {
                return Err(damaged("an unknown chunk that is needed to read the picture"));
            }
            _ => {}
        }
        Ok(())
    }

    fn write(mut self, mut notes: Vec<String>) -> Outcome {
        let header = self.header.ok_or_else(|| damaged("there is no picture header"))?;
        let animated = self.plays.is_some() && self.frames.iter().any(|f| f.control.is_some());
        if !animated {
            self.frames.truncate(1);
        }
        if self.frames.is_empty() {
            return Err(damaged("there is no picture data"));
        }
        let layouts: Vec<Layout> = self
            .frames
            .iter()
            .enumerate()
            .map(|(i, f)| match f.control {
                Some(c) if i > 0 => header.layout(c.width, c.height),
                _ => header.layout(header.width, header.height),
            })
            .collect();
        if layouts.iter().map(Layout::raw_len).fold(0, u64::saturating_add) > MAX_RAW {
            return Err(too_large("the picture has more than 1 GiB of samples"));
        }
        for (layout, frame) in layouts.iter().zip(&self.frames) {
            if layout.row_len(layout.width) > MAX_ROW {
                return Err(too_large("the picture has rows of more than 8 MiB"));
            }
            let packed = frame.data.iter().map(|d| d.len() as u64).sum::<u64>();
            if layout.raw_len() > packed.saturating_mul(MAX_RATIO) {
                return Err(truncated("the compressed picture"));
            }
        }
        if let Some(Frame { control: Some(c), .. }) = self.frames.first()
            && (c.width, c.height, c.x, c.y) != (header.width, header.height, 0, 0)
        {
            return Err(damaged("the first frame is not the whole picture"));
        }
        let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
        let mut ihdr = [header.width.to_be_bytes(), header.height.to_be_bytes()].concat();
        ihdr.extend([header.depth, header.kind, 0, 0, header.interlaced.into()]);
        chunk(&mut out, b"IHDR", &[&ihdr]);
        self.write_colour(&header, &mut out, &mut notes)?;
        if let Some(side) = self.orientation.filter(|&o| o > 1) {
            chunk(&mut out, b"eXIf", &[&exif::block(side)]);
        }
        if animated {
            let count = self.frames.iter().filter(|f| f.control.is_some()).count() as u32;
            let plays = self.plays.unwrap_or(0);
            chunk(&mut out, b"acTL", &[&count.to_be_bytes(), &plays.to_be_bytes()]);
            if self.frames.first().is_some_and(|f| f.control.is_none()) {
                notes.push("The picture for viewers without animation is not part of it.".into());
            }
        }
        self.write_palette(&header, &layouts, &mut out)?;
        let mut sequence = 0u32;
        for (i, (frame, layout)) in self.frames.iter().zip(&layouts).enumerate() {
            if let Some(c) = frame.control {
                let mut body = Vec::with_capacity(26);
                for word in [sequence, c.width, c.height, c.x, c.y] {
                    body.extend(word.to_be_bytes());
                }
                body.extend(c.delay.0.to_be_bytes());
                body.extend(c.delay.1.to_be_bytes());
                body.extend([c.dispose, c.blend]);
                chunk(&mut out, b"fcTL", &[&body]);
                sequence += 1;
            }
            let packed = rows::repack(&frame.data, layout, header.kind != 3)?;
            for piece in packed.chunks(DATA_CHUNK) {
                if i == 0 {
                    chunk(&mut out, b"IDAT", &[piece]);
                } else {
                    chunk(&mut out, b"fdAT", &[&sequence.to_be_bytes(), piece]);
                    sequence += 1;
                }
            }
        }
        chunk(&mut out, b"IEND", &[]);
        let container = if animated { "PNG animation" } else { "PNG picture" };
        Ok(Built { container, extension: "png", bytes: out, notes })
    }

    fn write_palette(
        &self,
        header: &Header,
        layouts: &[Layout],
        out: &mut Vec<u8>,
    ) -> Result<(), StripError> {
        if header.kind != 3 {
            let mask = ((1u32 << header.depth) - 1) as u16;
            let wanted = match header.kind {
                0 => 1,
                2 => 3,
                _ => return Ok(()),
            };
            if let Some(t) = &self.transparency {
                let list: Option<Vec<[u8; 2]>> =
                    (0..wanted).map(|i| be16(t, 2 * i).map(|v| (v & mask).to_be_bytes())).collect();
                let list = list.map(|l| l.concat());
                chunk(out, b"tRNS", &[&list.ok_or_else(|| damaged("the transparent colour"))?]);
            }
            return Ok(());
        }
        let palette = self.palette.as_ref().ok_or_else(|| damaged("the palette is missing"))?;
        let mut usage: Usage = [false; 256];
        for (frame, layout) in self.frames.iter().zip(layouts) {
            rows::usage(&frame.data, layout, &mut usage)?;
        }
        let count = usage.iter().rposition(|&u| u).map_or(1, |i| i + 1);
        if count > palette.len() {
            return Err(damaged("samples point outside the palette"));
        }
        let blank = |i: usize| !usage.get(i).copied().unwrap_or(false);
        let colours: Vec<u8> = (0..count)
            .flat_map(|i| if blank(i) { [0; 3] } else { palette.get(i).copied().unwrap_or([0; 3]) })
            .collect();
        chunk(out, b"PLTE", &[&colours]);
        if let Some(t) = &self.transparency {
            let mut alpha: Vec<u8> = (0..count)
                .map(|i| if blank(i) { 255 } else { t.get(i).copied().unwrap_or(255) })
                .collect();
            while alpha.last() == Some(&255) {
                alpha.pop();
            }
            if !alpha.is_empty() {
                chunk(out, b"tRNS", &[&alpha]);
            }
        }
        Ok(())
    }

    fn write_colour(
        &self,
        header: &Header,
        out: &mut Vec<u8>,
        notes: &mut Vec<String>,
    ) -> Result<(), StripError> {
        match self.colour.decide(matches!(header.kind, 0 | 4))? {
            Tag::None => {}
            Tag::Cicp(code) => chunk(out, b"cICP", &[&code]),
            Tag::Gamma(gamma) => chunk(out, b"gAMA", &[&gamma.to_be_bytes()]),
            Tag::Icc(space) => {
                let packed = rows::deflate(&space.profile());
                chunk(out, b"iCCP", &[b"icc\0\0", &packed]);
                notes.push(format!("The colour profile is replaced by {}.", space.name()));
            }
        }
        Ok(())
    }
}

impl ColourChunks {
    /// The order of trust of the standard: cICP, iCCP, sRGB, gAMA and cHRM.
    fn decide(&self, grey: bool) -> Result<Tag, StripError> {
        if let Some(code) = self.cicp {
            return match code {
                [1, 13, 0, 1] => Ok(Tag::None),
                [1 | 9 | 12, 1 | 8 | 13 | 16 | 18, 0, 0..=1] => Ok(Tag::Cicp(code)),
                _ => Err(needs("its colours are described by unusual code points")),
            };
        }
        if let Some(icc) = &self.icc {
            let space = colour::recognise(icc)?;
            if space.primaries.is_none() != grey {
                return Err(needs("its colour profile is for another kind of picture"));
            }
            return Ok(if space.is_assumed() { Tag::None } else { Tag::Icc(space) });
        }
        let Some(gamma) = self.gamma.filter(|_| !self.srgb) else { return Ok(Tag::None) };
        let near = |a: u32, b: u32, part: u32| a.abs_diff(b) <= b / part;
        let primaries = match self.primaries {
            _ if grey => Primaries::Srgb,
            None => Primaries::Srgb,
            Some(list) => known_primaries(&list)
                .ok_or_else(|| needs("its colours have primaries of no standard"))?,
        };
        let assumed = near(gamma, 45_455, 80);
        if primaries == Primaries::Srgb {
            if assumed {
                return Ok(Tag::None);
            }
            return GAMMAS
                .into_iter()
                .find(|&g| near(gamma, g, 80))
                .map(Tag::Gamma)
                .ok_or_else(|| needs("its gamma is unusual"));
        }
        let curve = if assumed {
            Curve::Gamma22
        } else if near(gamma, 55_556, 80) {
            Curve::Gamma18
        } else if near(gamma, 100_000, 80) {
            Curve::Linear
        } else {
            return Err(needs("its gamma is unusual"));
        };
        Ok(Tag::Icc(Space { primaries: Some(primaries), curve }))
    }
}

/// White and primaries as chromaticities times 100,000.
fn known_primaries(list: &[u32; 8]) -> Option<Primaries> {
    let table: [[u32; 8]; 5] = [
        [31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000],
        [31_270, 32_900, 68_000, 32_000, 26_500, 69_000, 15_000, 6_000],
        [31_270, 32_900, 64_000, 33_000, 21_000, 71_000, 15_000, 6_000],
        [31_270, 32_900, 70_800, 29_200, 17_000, 79_700, 13_100, 4_600],
        [34_570, 35_850, 73_470, 26_530, 15_960, 84_040, 3_660, 10],
    ];
    let at = table.iter().position(|t| t.iter().zip(list).all(|(a, b)| a.abs_diff(*b) <= 300))?;
    PRIMARIES.get(at).copied()
}

/// The profile of an iCCP chunk: a name, a method, a zlib stream.
fn profile(b: &[u8]) -> Result<Vec<u8>, StripError> {
    let bad = || damaged("the colour profile");
    let name = b.iter().position(|&c| c == 0).ok_or_else(bad)?;
    let packed = b.get(name + 2..).ok_or_else(bad)?;
    let mut out = Vec::new();
    flate2::read::ZlibDecoder::new(packed)
        .take(16 << 20)
        .read_to_end(&mut out)
        .ok()
        .ok_or_else(bad)?;
    Ok(out)
}

fn chunk(out: &mut Vec<u8>, kind: &[u8; 4], parts: &[&[u8]]) {
    let size: usize = parts.iter().map(|p| p.len()).sum();
    let mut crc = flate2::Crc::new();
    crc.update(kind);
    out.extend((size as u32).to_be_bytes());
    out.extend(kind);
    for part in parts {
        crc.update(part);
        out.extend(*part);
    }
    out.extend(crc.sum().to_be_bytes());
}
