//! BMP: one header of 40 bytes (or 108 where there is alpha), palette,
//! pixels; gaps, profiles and padding go.

use super::{Built, Outcome, StripError, colour, damaged, needs, too_large, truncated, unsupported};
use crate::bytes::{le16, le32, part};

/// Most bytes of pixels.
const MAX_PIXELS: u64 = 160 << 20;

pub(super) fn looks_like(head: &[u8]) -> bool {
    head.starts_with(b"BM") && matches!(le32(head, 14), Some(12 | 16..=124))
}

#[derive(Debug)]
struct Header {
    width: u32,
    height: u32,
    top_down: bool,
    bits: u32,
    /// 0 plain, 1 and 2 run lengths, 3 masks.
    compression: u32,
    masks: [u32; 4],
    palette: Vec<[u8; 3]>,
}

pub(super) fn rebuild(data: &[u8]) -> Outcome {
    let header = Header::parse(data).ok_or_else(|| damaged("the header"))??;
    let from = le32(data, 10).ok_or_else(|| truncated("the header"))? as usize;
    let pixels = data.get(from..).ok_or_else(|| truncated("the pixels"))?;
    match header.compression {
        1 | 2 => header.run_lengths(pixels),
        _ => header.plain(pixels),
    }
}

impl Header {
    /// `None` where bytes are missing.
    fn parse(data: &[u8]) -> Option<Result<Self, StripError>> {
        let size = le32(data, 14)?;
        let info = data.get(14..)?;
        let core = size == 12;
        let (width, height, bits) = if core {
            (i32::from(le16(info, 4)? as i16), i32::from(le16(info, 6)? as i16), le16(info, 10)?)
        } else {
            (le32(info, 4)? as i32, le32(info, 8)? as i32, le16(info, 14)?)
        };
        let bits = u32::from(bits);
        let compression = if size >= 20 { le32(info, 16)? } else { 0 };
        let allowed = match compression {
            0 => matches!(bits, 1 | 2 | 4 | 8 | 16 | 24 | 32),
            1 => bits == 8,
            2 => bits == 4,
            3 | 6 if size == 16 || (size == 64 && compression == 3) => {
                return Some(Err(unsupported("an OS/2 bitmap of this kind")));
            }
            3 | 6 => matches!(bits, 16 | 32),
            4 | 5 => return Some(Err(needs("a JPEG or PNG is wrapped into the bitmap"))),
            _ => false,
        };
        if !allowed || width <= 0 || height == 0 || height == i32::MIN {
            return Some(Err(damaged("the header")));
        }
        if let Err(error) = space(info, size) {
            return Some(Err(error));
        }
        let mut masks = match bits {
            16 => [0x7C00, 0x3E0, 0x1F, 0],
            _ => [0xFF_0000, 0xFF00, 0xFF, 0],
        };
        if matches!(compression, 3 | 6) {
            for (i, mask) in masks.iter_mut().enumerate() {
                let there = i < 3 || size >= 56 || compression == 6;
                *mask = if there { le32(info, 40 + 4 * i)? } else { 0 };
            }
            if !sensible(&masks, bits) {
                return Some(Err(damaged("the colour masks")));
            }
        }
        let mut palette = Vec::new();
        if bits <= 8 {
            let used = if size >= 36 { le32(info, 32)? } else { 0 };
            let count = if used == 0 || used > 1 << bits { 1 << bits } else { used as usize };
            let entry = if core { 3 } else { 4 };
            let from = size as usize;
            // The pixels may begin before a full palette ends.
            let room = (le32(data, 10)? as usize).saturating_sub(14 + from) / entry;
            for i in 0..count.min(room) {
                let c = part(info, from + i * entry, 3)?;
                palette.push([c[0], c[1], c[2]]);
            }
            if palette.is_empty() {
                return Some(Err(damaged("the palette")));
            }
        }
        Some(Ok(Self {
            width: width.unsigned_abs(),
            height: height.unsigned_abs(),
            top_down: height < 0,
            bits,
            compression: if compression == 6 { 3 } else { compression },
            masks,
            palette,
        }))
    }

    fn plain(mut self, pixels: &[u8]) -> Outcome {
        let used_bits = u64::from(self.width) * u64::from(self.bits);
        let stride = used_bits.div_ceil(32) * 4;
        let total = stride * u64::from(self.height);
        if total > MAX_PIXELS {
            return Err(too_large("the picture has more than 160 MiB of pixels"));
        }
        // The last row may lack its padding.
        let least = total - stride + used_bits.div_ceil(8);
        if (pixels.len() as u64) < least {
            return Err(truncated("the pixels"));
        }
        let mut body = pixels.get(..(total as usize).min(pixels.len())).unwrap_or_default().to_vec();
        body.resize(total as usize, 0);
        if self.bits >= 16 {
            self.mask_pixels(&mut body);
        }
        let mut used = [false; 256];
        for row in body.chunks_exact_mut(stride.max(1) as usize) {
            let (whole, rest) = ((used_bits / 8) as usize, (used_bits % 8) as u32);
            for (i, byte) in row.iter_mut().enumerate().skip(whole) {
                *byte &= if i == whole { !(0xFFu16 >> rest) as u8 } else { 0 };
            }
            if self.bits <= 8 {
                let per = 8 / self.bits;
                for x in 0..self.width {
                    let byte = row.get((x / per) as usize).copied().unwrap_or(0);
                    let shift = 8 - self.bits * (x % per + 1);
                    used[usize::from(byte >> shift & (0xFFu16 >> (8 - self.bits)) as u8)] = true;
                }
            }
        }
        self.blank(&used)?;
        Ok(self.write(&body))
    }

    /// Clears bits that mean nothing; a fourth byte that is in use becomes
    /// alpha in the open.
    fn mask_pixels(&mut self, body: &mut [u8]) {
        if self.compression == 0 && self.bits == 32 {
            let mut spare = body.chunks_exact(4).map(|p| p[3]);
            let first = spare.next().unwrap_or(0);
            if spare.any(|v| v != first) {
                self.masks[3] = 0xFF00_0000;
                self.compression = 3;
            }
        }
        let all = self.masks.iter().fold(0, |a, b| a | b).to_le_bytes();
        match self.bits {
            16 => body.chunks_exact_mut(2).for_each(|p| {
                p[0] &= all[0];
                p[1] &= all[1];
            }),
            32 => body.chunks_exact_mut(4).for_each(|p| {
                p.iter_mut().zip(all).for_each(|(v, m)| *v &= m);
            }),
            _ => {}
        }
    }

    /// Blanks palette entries that no pixel points to.
    fn blank(&mut self, used: &[bool; 256]) -> Result<(), StripError> {
        if self.bits > 8 {
            return Ok(());
        }
        let count = used.iter().rposition(|&u| u).map_or(1, |i| i + 1);
        if count > self.palette.len() {
            return Err(damaged("pixels point outside the palette"));
        }
        self.palette.truncate(count);
        for (colour, used) in self.palette.iter_mut().zip(used) {
            if !used {
                *colour = [0; 3];
            }
        }
        Ok(())
    }

    /// Runs as they are, up to the end mark.
    fn run_lengths(mut self, pixels: &[u8]) -> Outcome {
        let mut used = [false; 256];
        // Pixels that no run covers show the first entry.
        used[0] = true;
        let four = self.compression == 2;
        let mut mark = |byte: u8, both: bool| {
            if four {
                used[usize::from(byte >> 4)] = true;
                if both {
                    used[usize::from(byte & 15)] = true;
                }
            } else {
                used[usize::from(byte)] = true;
            }
        };
        let mut out = Vec::new();
        let mut at = 0;
        loop {
            let Some(&[count, value]) = pixels.get(at..at + 2) else {
                return Err(truncated("the pixels"));
            };
            at += 2;
            match (count, value) {
                (1.., _) => {
                    mark(value, count > 1);
                    out.extend([count, value]);
                }
                (0, 1) => {
                    out.extend([0, 1]);
                    break;
                }
                (0, 0) => out.extend([0, 0]),
                (0, 2) => {
                    let step = part(pixels, at, 2).ok_or_else(|| truncated("the pixels"))?;
                    out.extend([0, 2]);
                    out.extend(step);
                    at += 2;
                }
                (0, n) => {
                    let len = if four { usize::from(n).div_ceil(2) } else { n.into() };
                    let run = part(pixels, at, len).ok_or_else(|| truncated("the pixels"))?;
                    out.extend([0, n]);
                    for (i, &byte) in run.iter().enumerate() {
                        let half = four && n % 2 == 1 && i + 1 == len;
                        let byte = if half { byte & 0xF0 } else { byte };
                        mark(byte, !half);
                        out.push(byte);
                    }
                    at += len + len % 2;
                    out.resize(out.len() + len % 2, 0);
                }
            }
        }
        self.blank(&used)?;
        Ok(self.write(&out))
    }

    fn write(&self, pixels: &[u8]) -> Built {
        let deep = self.masks[3] != 0;
        let masks = self.compression == 3;
        let info: u32 = if deep { 108 } else { 40 };
        let extra = if masks && !deep { 12 } else { 0 };
        let start = 14 + info + extra + 4 * self.palette.len() as u32;
        let mut out = b"BM".to_vec();
        let height = self.height as i32 * if self.top_down { -1 } else { 1 };
        for v in [start + pixels.len() as u32, 0, start, info, self.width, height as u32] {
            out.extend(v.to_le_bytes());
        }
        out.extend(1u16.to_le_bytes());
        out.extend((self.bits as u16).to_le_bytes());
        let colours = self.palette.len() as u32;
        for v in [self.compression, pixels.len() as u32, 0, 0, colours, 0] {
            out.extend(v.to_le_bytes());
        }
        if masks {
            let count = if deep { 4 } else { 3 };
            out.extend(self.masks.iter().take(count).flat_map(|m| m.to_le_bytes()));
        }
        if deep {
            // sRGB, and nothing about primaries and gamma.
            out.extend(b"BGRs");
            out.extend([0; 48]);
        }
        for &[b, g, r] in &self.palette {
            out.extend([b, g, r, 0]);
        }
        out.extend(pixels);
        Built { container: "BMP picture", extension: "bmp", bytes: out, notes: Vec::new() }
    }
}

/// Masks that do not overlap, in one piece each, inside the pixel.
fn sensible(masks: &[u32; 4], bits: u32) -> bool {
    let mut all = 0u32;
    masks.iter().all(|&m| {
        let piece = m == 0 || (m >> m.trailing_zeros()).trailing_ones() == m.count_ones();
        let apart = all & m == 0;
        all |= m;
        piece && apart
    }) && (bits == 32 || all >> 16 == 0)
        && masks.iter().take(3).all(|&m| m != 0)
}

/// Refuses colour spaces other than sRGB.
fn space(info: &[u8], size: u32) -> Result<(), StripError> {
    if size < 108 {
        return Ok(());
    }
    let word = |at| le32(info, at).ok_or_else(|| truncated("the header"));
    match &word(56)?.to_be_bytes() {
        b"MBED" if size >= 124 => {
            let profile = part(info, word(112)? as usize, word(116)? as usize);
            let profile = profile.ok_or_else(|| truncated("the colour profile"))?;
            if colour::recognise(profile)?.is_assumed() {
                return Ok(());
            }
            Err(needs("its colour profile is not sRGB"))
        }
        [0, 0, 0, 0] => {
            let ends: Result<Vec<u32>, _> = (0..12).map(|i| word(60 + 4 * i)).collect();
            let gamma = ends?.into_iter().skip(9).all(|g| g == 0 || g.abs_diff(0x2_3333) < 0x2000);
            if gamma { Ok(()) } else { Err(needs("it states colours of its own")) }
        }
        // sRGB, the system's colours, a linked profile that nobody has.
        _ => Ok(()),
    }
}
