//! GIF (GIF89a): frames unpacked and packed anew, tables blanked where no
//! sample points, one loop block at most.

use super::lzw::{self, Broken, Flavour};
use super::{Built, Outcome, StripError, damaged, too_large, truncated};
use crate::bytes::{le16, part};

/// Most frames.
const MAX_FRAMES: usize = 50_000;

#[derive(Clone, Copy, Debug, Default)]
struct Control {
    disposal: u8,
    delay: u16,
    transparent: Option<u8>,
}

#[derive(Debug)]
struct Frame {
    control: Control,
    x: u16,
    y: u16,
    width: u16,
    height: u16,
    table: Option<Vec<[u8; 3]>>,
    /// Packed anew, symbols of this width.
    bits: u32,
    packed: Vec<u8>,
}

pub(super) fn rebuild(data: &[u8]) -> Outcome {
    let mut notes = Vec::new();
    let head = part(data, 0, 13).ok_or_else(|| truncated("the header"))?;
    let (mut width, mut height) = (le16(head, 6).unwrap_or(0), le16(head, 8).unwrap_or(0));
    let mut reader = Reader { data, at: 13, budget: (128 << 20) + 512 * data.len() as u64 };
    let mut global = reader.table(head[10])?;
    let mut global_used = [false; 256];
    let mut frames: Vec<Frame> = Vec::new();
    let mut control = Control::default();
    let mut plays: Option<u16> = None;
    loop {
        match reader.byte() {
            Some(0x3B) => break,
            Some(0x2C) => {
                if frames.len() >= MAX_FRAMES {
                    return Err(too_large("an animation of more than 50,000 frames"));
                }
                let control = std::mem::take(&mut control);
                frames.push(reader.frame(control, global.as_ref(), &mut global_used)?);
            }
            Some(0x21) => {
                let label = reader.byte().ok_or_else(|| truncated("an extension"))?;
                let blocks = reader.blocks(4096)?;
                match label {
                    0xF9 => control = parse_control(&blocks).unwrap_or_default(),
                    0xFF if blocks.starts_with(b"NETSCAPE2.0\x01")
                        || blocks.starts_with(b"ANIMEXTS1.0\x01") =>
                    {
                        plays = le16(&blocks, 12).or(plays);
                    }
                    0x01 => {
                        control = Control::default();
                        notes.push("A plain text block, which no viewer shows, is left out.".into());
                    }
                    _ => {}
                }
            }
            None if !frames.is_empty() => {
                notes.push("The end mark was missing and has been added.".into());
                break;
            }
            None => return Err(truncated("the list of blocks")),
            Some(_) if !frames.is_empty() => break,
            Some(_) => return Err(damaged("something that is not a block")),
        }
    }
    if reader.at < data.len() {
        let left = data.len() - reader.at;
        notes.push(format!("{left} bytes after the end of the picture are left out."));
    }
    let Some(first) = frames.first() else { return Err(damaged("there is no picture")) };
    if width == 0 || height == 0 {
        (width, height) = (first.width, first.height);
    }
    if frames.len() == 1 {
        plays = None;
        if let Some(only) = frames.first_mut() {
            only.control = Control { transparent: only.control.transparent, ..Control::default() };
        }
    }
    if !global_used.contains(&true) {
        global = None;
    }
    let background = if global.is_some() && global_used[usize::from(head[11])] { head[11] } else { 0 };
    let mut out = b"GIF89a".to_vec();
    out.extend(width.to_le_bytes());
    out.extend(height.to_le_bytes());
    let flags = global.as_ref().map_or(0, |t| 0x80 | size_code(t.len()));
    out.extend([0x70 | flags, background, 0]);
    if let Some(table) = &global {
        write_table(&mut out, table, &global_used);
    }
    if let Some(plays) = plays {
        out.extend(b"\x21\xFF\x0BNETSCAPE2.0\x03\x01");
        out.extend(plays.to_le_bytes());
        out.push(0);
    }
    for frame in &frames {
        frame.write(&mut out);
    }
    out.push(0x3B);
    Ok(Built { container: "GIF picture", extension: "gif", bytes: out, notes })
}

fn parse_control(b: &[u8]) -> Option<Control> {
    let flags = *b.first()?;
    let disposal = match flags >> 2 & 7 {
        4 => 3,
        d @ 0..=3 => d,
        _ => 0,
    };
    let transparent = (flags & 1 == 1).then(|| b.get(3).copied()).flatten();
    Some(Control { disposal, delay: le16(b, 1)?, transparent })
}

fn size_code(entries: usize) -> u8 {
    (entries.max(2).next_power_of_two().trailing_zeros() as u8).saturating_sub(1)
}

fn write_table(out: &mut Vec<u8>, table: &[[u8; 3]], used: &[bool; 256]) {
    for (colour, used) in table.iter().zip(used) {
        out.extend(if *used { *colour } else { [0; 3] });
    }
}

impl Frame {
    fn write(&self, out: &mut Vec<u8>) {
        let c = &self.control;
        if c.disposal > 0 || c.delay > 0 || c.transparent.is_some() {
            out.extend([0x21, 0xF9, 4, c.disposal << 2 | u8::from(c.transparent.is_some())]);
            out.extend(c.delay.to_le_bytes());
            out.extend([c.transparent.unwrap_or(0), 0]);
        }
        out.push(0x2C);
        for v in [self.x, self.y, self.width, self.height] {
            out.extend(v.to_le_bytes());
        }
        out.push(self.table.as_ref().map_or(0, |t| 0x80 | size_code(t.len())));
        for colour in self.table.iter().flatten() {
            out.extend(colour);
        }
        out.push(self.bits as u8);
        for block in self.packed.chunks(255) {
            out.push(block.len() as u8);
            out.extend(block);
        }
        out.push(0);
    }
}

struct Reader<'a> {
    data: &'a [u8],
    at: usize,
    /// Samples that may still be unpacked.
    budget: u64,
}

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = self.data.get(self.at).copied()?;
        self.at += 1;
        Some(byte)
    }

    fn table(&mut self, flags: u8) -> Result<Option<Vec<[u8; 3]>>, StripError> {
        if flags & 0x80 == 0 {
            return Ok(None);
        }
        let len = 3usize << ((flags & 7) + 1);
        let b = part(self.data, self.at, len).ok_or_else(|| truncated("a colour table"))?;
        self.at += len;
        Ok(Some(b.chunks_exact(3).map(|c| [c[0], c[1], c[2]]).collect()))
    }

    /// Sub-blocks joined, keeping at most `keep` bytes.
    fn blocks(&mut self, keep: usize) -> Result<Vec<u8>, StripError> {
        let mut out = Vec::new();
        loop {
            let len = usize::from(self.byte().ok_or_else(|| truncated("a block"))?);
            if len == 0 {
                return Ok(out);
            }
            let b = part(self.data, self.at, len).ok_or_else(|| truncated("a block"))?;
            if out.len() < keep {
                out.extend(b);
            }
            self.at += len;
        }
    }

    fn frame(
        &mut self,
        mut control: Control,
        global: Option<&Vec<[u8; 3]>>,
        global_used: &mut [bool; 256],
    ) -> Result<Frame, StripError> {
        let short = || truncated("a frame header");
        let b = part(self.data, self.at, 9).ok_or_else(short)?;
        let word = |i| le16(b, i).ok_or_else(short);
        let (x, y, width, height) = (word(0)?, word(2)?, word(4)?, word(6)?);
        let flags = b[8];
        self.at += 9;
        let mut table = self.table(flags)?;
        let bits = u32::from(self.byte().ok_or_else(short)?);
        if !(1..=8).contains(&bits) || width == 0 || height == 0 {
            return Err(damaged("a frame header"));
        }
        let count = usize::from(width) * usize::from(height);
        self.budget = self
            .budget
            .checked_sub(count as u64)
            .ok_or_else(|| too_large("the frames have too many pixels"))?;
        let packed = self.blocks(usize::MAX)?;
        let mut pixels = lzw::unpack(&packed, bits, count, Flavour::Gif).map_err(|b| match b {
            Broken::Short => truncated("the data of a frame"),
            Broken::Code => damaged("the data of a frame"),
        })?;
        if flags & 0x40 != 0 {
            pixels = in_order(&pixels, width.into());
        }
        let mut used = [false; 256];
        for &p in &pixels {
            used[usize::from(p)] = true;
        }
        let most = used.iter().rposition(|&u| u).unwrap_or(0);
        control.transparent = control.transparent.filter(|&t| used[usize::from(t)]);
        if let Some(t) = control.transparent {
            used[usize::from(t)] = false;
        }
        let entries = match (&mut table, global) {
            (Some(table), _) => {
                for (colour, used) in table.iter_mut().zip(&used) {
                    if !used {
                        *colour = [0; 3];
                    }
                }
                table.len()
            }
            (None, Some(global)) => {
                for (all, used) in global_used.iter_mut().zip(&used) {
                    *all |= used;
                }
                global.len()
            }
            (None, None) => return Err(damaged("a frame without a colour table")),
        };
        let entries = entries.max(most + 1);
        let bits = (u32::from(size_code(entries)) + 1).max(2);
        let packed = lzw::pack_gif(&pixels, bits);
        Ok(Frame { control, x, y, width, height, table, bits, packed })
    }
}

/// Rows of an interlaced frame from top to bottom.
fn in_order(pixels: &[u8], width: usize) -> Vec<u8> {
    let height = pixels.len() / width.max(1);
    let mut out = vec![0; pixels.len()];
    let order = [(0, 8), (4, 8), (2, 4), (1, 2)]
        .into_iter()
        .flat_map(|(from, step)| (from..height).step_by(step));
    for (row, y) in pixels.chunks_exact(width.max(1)).zip(order) {
        if let Some(to) = out.get_mut(y * width..(y + 1) * width) {
            to.copy_from_slice(row);
        }
    }
    out
}
