//! BMP: headers, palette and pixels without a gap, padding all zero.

use super::claims::Claims;
use super::{OutputKind, Parts};
use crate::bytes::{le16, le32, part};
use crate::source::Source;
use fernseed_core::Size;

pub(super) fn account(source: &mut Source<'_>, claims: &mut Claims, parts: &mut Parts) {
    parts.kind = OutputKind::Bmp;
    let len = source.len();
    let head = source.upto(0, len, 122).unwrap_or_default();
    let Some(layout) = Layout::parse(&head) else {
        return claims.foreign("", 0, len, "The headers are not those of a picture.");
    };
    parts.size = Some(Size::new(layout.width, layout.height));
    claims.own("Header", 0, layout.start.min(len));
    if let Some(message) = layout.wrong(&head, len) {
        claims.wrong("Header", 0, layout.start, message);
    }
    let table = 14 + layout.info + layout.masks;
    let palette = source.upto(table, layout.start, 1024).unwrap_or_default();
    if palette.chunks(4).any(|c| c.get(3) != Some(&0)) {
        claims.wrong("Palette", table, layout.start, "A spare byte of the palette is in use.");
    }
    let end = match layout.compression {
        1 | 2 => runs(source, layout.start, layout.compression == 2),
        _ => plain(source, &layout),
    };
    match end {
        Ok(end) => {
            claims.own("Pixels", layout.start, end.min(len));
            if end < len {
                claims.foreign("(after the pixels)", end, len, "Bytes after the end of the picture.");
            }
        }
        Err(message) => claims.foreign("Pixels", layout.start, len, message),
    }
}

struct Layout {
    width: u32,
    height: u32,
    bits: u32,
    compression: u32,
    info: u64,
    masks: u64,
    start: u64,
    /// Bits of a pixel that mean something, where there are masks.
    meaning: u32,
}

impl Layout {
    fn parse(b: &[u8]) -> Option<Self> {
        let info = le32(b, 14)?;
        let (width, height) = (le32(b, 18)? as i32, le32(b, 22)? as i32);
        let bits = u32::from(le16(b, 28)?);
        let compression = le32(b, 30)?;
        let colours = le32(b, 46)?;
        let deep = info == 108;
        let masks = if compression == 3 && !deep { 12 } else { 0 };
        let known = (info == 40 || deep)
            && matches!(
                (compression, bits),
                (0, 1 | 2 | 4 | 8 | 16 | 24 | 32) | (1, 8) | (2, 4) | (3, 16 | 32)
            )
            && (!deep || compression == 3);
        let meaning = match (compression, bits) {
            (3, _) => {
                let all = (0..if deep { 4 } else { 3 }).map(|i| le32(b, 54 + 4 * i));
                all.fold(Some(0), |m, v| Some(m? | v?))?
            }
            (0, 16) => 0x7FFF,
            (0, 32) => 0xFF_FFFF,
            _ => u32::MAX,
        };
        let palette = if bits <= 8 { (1..=1 << bits).contains(&colours) } else { colours == 0 };
        let start = 14 + u64::from(info) + masks + 4 * u64::from(colours.min(256));
        (known && palette && width > 0 && height != 0 && height != i32::MIN).then_some(Self {
            width: width.unsigned_abs(),
            height: height.unsigned_abs(),
            bits,
            compression,
            info: info.into(),
            masks,
            start,
            meaning,
        })
    }

    fn wrong(&self, b: &[u8], len: u64) -> Option<&'static str> {
        let word = |at| le32(b, at).map(u64::from);
        let fixed = word(2)? == len
            && word(6)? == 0
            && word(10)? == self.start
            && le16(b, 26)? == 1
            && word(34)? == len.checked_sub(self.start)?
            && [38, 42, 50].iter().all(|&at| word(at) == Some(0));
        let tail = self.info == 40 || (part(b, 70, 4)? == b"BGRs" && part(b, 74, 48)? == [0; 48]);
        (!fixed || !tail).then_some("Fields of the header are not what they must be.")
    }
}

fn plain(source: &mut Source<'_>, layout: &Layout) -> Result<u64, &'static str> {
    let used = u64::from(layout.width) * u64::from(layout.bits);
    let stride = used.div_ceil(32) * 4;
    let end = stride.checked_mul(layout.height.into()).and_then(|n| n.checked_add(layout.start));
    let end = end.filter(|&e| e <= source.len()).ok_or("The pixels are cut short.")?;
    let mask = layout.meaning.to_le_bytes();
    let unit = (layout.bits / 8) as usize;
    for y in 0..u64::from(layout.height) {
        let row = source.bytes(layout.start + y * stride, stride);
        let row = row.ok().ok_or("The pixels cannot be read.")?;
        let whole = (used / 8) as usize;
        let spare = row.iter().enumerate().skip(whole).any(|(i, &byte)| {
            let mask = if i == whole { 0xFFu16 >> (used % 8) } else { 0xFF };
            u16::from(byte) & mask != 0
        });
        let stray = matches!(layout.bits, 16 | 32)
            && row
                .get(..whole)
                .unwrap_or_default()
                .chunks_exact(unit)
                .any(|p| p.iter().zip(mask).any(|(v, m)| v & !m != 0));
        if spare || stray {
            return Err("Bits that belong to no pixel are in use.");
        }
    }
    Ok(end)
}

/// Follows run lengths to their end mark.
fn runs(source: &mut Source<'_>, mut at: u64, four: bool) -> Result<u64, &'static str> {
    const SHORT: &str = "The runs of pixels do not end.";
    loop {
        let [count, value] = source.array::<2>(at).ok().ok_or(SHORT)?;
        at += 2;
        match (count, value) {
            (0, 1) => return Ok(at),
            (0, 2) => at += 2,
            (0, n @ 3..) => {
                let len = if four { u64::from(n).div_ceil(2) } else { n.into() };
                if four && n % 2 == 1 {
                    let [last] = source.array::<1>(at + len - 1).ok().ok_or(SHORT)?;
                    if last & 15 != 0 {
                        return Err("Bits that belong to no pixel are in use.");
                    }
                }
                at += len;
                if len % 2 == 1 {
                    if source.array::<1>(at) != Ok([0]) {
                        return Err("Bytes that belong to no pixel are in use.");
                    }
                    at += 1;
                }
            }
            _ => {}
        }
    }
}
