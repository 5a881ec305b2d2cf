//! JPEG XL: a bare codestream that ends with its last frame and whose
//! headers carry no text, profile, preview or extension (ISO/IEC 18181-1).

use super::claims::Claims;
use super::{OutputKind, Parts};
use crate::source::Source;
use fernseed_core::Size;

/// Longest header with its table of sections.
const MAX_HEADER: u64 = 8 << 20;

pub(super) fn account(source: &mut Source<'_>, claims: &mut Claims, parts: &mut Parts) {
    parts.kind = OutputKind::Jxl;
    let len = source.len();
    let mut at = 2u64;
    let head = source.upto(0, len, 4096).unwrap_or_default();
    let mut reader = Reader { bytes: &head, bit: 16 };
    let Some(image) = Image::read(&mut reader) else {
        return claims.foreign("Header", 0, len, "The header is not that of a plain picture.");
    };
    parts.size = Some(Size::new(image.size.0, image.size.1));
    at += (reader.bit.div_ceil(8) as u64).saturating_sub(2);
    claims.own("Header", 0, at);
    for _ in 0..50_000 {
        // Most tables are short; a long one is read in a second go.
        let mut found = None;
        for most in [4096, MAX_HEADER] {
            let piece = source.upto(at, len, most).unwrap_or_default();
            let mut reader = Reader { bytes: &piece, bit: 0 };
            found = frame(&mut reader, &image).map(|(size, last)| (reader.bit / 8, size, last));
            if found.is_some() {
                break;
            }
        }
        let Some((header, size, last)) = found else {
            return claims.foreign("Frame", at, len, "Not a frame of a plain picture.");
        };
        let end = at + header as u64 + size;
        if end > len {
            return claims.foreign("Frame", at, len, "A frame is cut short.");
        }
        claims.own("Frame", at, end);
        at = end;
        if last {
            break;
        }
    }
    if at < len {
        claims.foreign("(after the last frame)", at, len, "Bytes after the end of the picture.");
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    bit: usize,
}

impl Reader<'_> {
    fn get(&mut self, n: usize) -> Option<u64> {
        let mut out = 0u64;
        for i in 0..n {
            let byte = self.bytes.get(self.bit >> 3)?;
            out |= u64::from(byte >> (self.bit & 7) & 1) << i;
            self.bit += 1;
        }
        Some(out)
    }

    fn flag(&mut self) -> Option<bool> {
        self.get(1).map(|b| b == 1)
    }

    /// The value of a two-bit choice among `offset + bits`.
    fn pick(&mut self, offsets: [u64; 4], bits: [usize; 4]) -> Option<u64> {
        let i = self.get(2)? as usize;
        Some(offsets.get(i)? + self.get(*bits.get(i)?)?)
    }

    fn name(&mut self) -> Option<u64> {
        self.pick([0, 1, 2, 18], [0, 0, 4, 6])
    }

    /// A number of up to 64 bits that has to be below 2^12 here.
    fn wide(&mut self) -> Option<u64> {
        match self.get(2)? {
            0 => Some(0),
            1 => self.get(4).map(|v| v + 1),
            2 => self.get(8).map(|v| v + 17),
            _ => {
                let v = self.get(12)?;
                (!self.flag()?).then_some(v)
            }
        }
    }

    fn nothing_more(&mut self) -> Option<()> {
        (self.wide()? == 0).then_some(())
    }

    fn nameless(&mut self) -> Option<()> {
        (self.pick([0, 0, 16, 48], [0, 4, 5, 10])? == 0).then_some(())
    }

    fn pad(&mut self) -> Option<()> {
        let n = self.bit.next_multiple_of(8) - self.bit;
        (self.get(n)? == 0).then_some(())
    }

    fn dimensions(&mut self) -> Option<(u32, u32)> {
        let eighths = self.flag()?;
        let side = |r: &mut Self| {
            if eighths { r.get(5).map(|v| (v + 1) * 8) } else { r.pick([1; 4], [9, 13, 18, 30]) }
        };
        let tall = side(self)?;
        let wide = match self.get(3)? {
            0 => side(self)?,
            1 => tall,
            2 => tall * 6 / 5,
            3 => tall * 4 / 3,
            4 => tall * 3 / 2,
            5 => tall * 16 / 9,
            6 => tall * 5 / 4,
            _ => tall * 2,
        };
        Some((u32::try_from(wide).ok()?, u32::try_from(tall).ok()?))
    }

    fn sample_format(&mut self) -> Option<()> {
        if self.flag()? {
            self.pick([32, 16, 24, 1], [0, 0, 0, 6])?;
            self.get(4)?;
        } else {
            self.pick([8, 10, 12, 1], [0, 0, 0, 6])?;
        }
        Some(())
    }
}

struct Image {
    size: (u32, u32),
    /// Colours in the codec's own space.
    own_space: bool,
    channels: u64,
    moving: bool,
}

impl Image {
    fn read(r: &mut Reader<'_>) -> Option<Self> {
        let size = r.dimensions()?;
        let mut image = Self { size, own_space: true, channels: 0, moving: false };
        if !r.flag()? {
            let long = r.flag()?;
            if long {
                r.get(3)?;
                if r.flag()? {
                    r.dimensions()?;
                }
                let preview = r.flag()?;
                image.moving = r.flag()?;
                if preview {
                    return None;
                }
                if image.moving {
                    r.pick([100, 1000, 1, 1], [0, 0, 10, 30])?;
                    r.pick([1, 1001, 1, 1], [0, 0, 8, 10])?;
                    r.pick([0; 4], [0, 3, 16, 32])?;
                    (!r.flag()?).then_some(())?;
                }
            }
            r.sample_format()?;
            r.flag()?;
            image.channels = r.pick([0, 1, 2, 1], [0, 0, 4, 12])?;
            for _ in 0..image.channels {
                image.channel(r)?;
            }
            image.own_space = r.flag()?;
            if !r.flag()? {
                colours(r)?;
            }
            if long && !r.flag()? {
                r.get(16 + 16 + 1 + 16)?;
            }
            r.nothing_more()?;
        }
        if !r.flag()? {
            if image.own_space && !r.flag()? {
                for _ in 0..16 {
                    r.get(16)?;
                }
            }
            let which = r.get(3)?;
            let count = [15, 55, 210].iter().enumerate();
            let count: usize = count.filter(|(i, _)| which >> i & 1 == 1).map(|(_, n)| n).sum();
            for _ in 0..count {
                r.get(16)?;
            }
        }
        r.pad()?;
        Some(image)
    }

    fn channel(&self, r: &mut Reader<'_>) -> Option<()> {
        if r.flag()? {
            return Some(());
        }
        let kind = r.name()?;
        r.sample_format()?;
        r.pick([0, 3, 4, 1], [0, 0, 0, 3])?;
        r.nameless()?;
        match kind {
            0 => r.get(1).map(|_| ()),
            2 => r.get(64).map(|_| ()),
            5 => r.pick([1, 0, 3, 19], [0, 2, 4, 8]).map(|_| ()),
            1 | 3 | 4 | 6 => Some(()),
            _ => None,
        }
    }
}

fn colours(r: &mut Reader<'_>) -> Option<()> {
    (!r.flag()?).then_some(())?;
    let space = r.name()?;
    let coordinates = |r: &mut Reader<'_>, n: usize| {
        for _ in 0..n {
            r.pick([0, 1 << 19, 1 << 20, 1 << 21], [19, 19, 20, 21])?;
        }
        Some(())
    };
    if space != 2 {
        if r.name()? == 2 {
            coordinates(r, 2)?;
        }
        if space != 1 && r.name()? == 2 {
            coordinates(r, 6)?;
        }
        if r.flag()? {
            r.get(24)?;
        } else {
            r.name()?;
        }
    }
    r.name().map(|_| ())
}

/// Length of the sections and whether the frame is the last.
fn frame(r: &mut Reader<'_>, image: &Image) -> Option<(u64, bool)> {
    let (mut wide, mut tall) = (u64::from(image.size.0), u64::from(image.size.1));
    let (mut side, mut passes, mut last) = (256u64, 1u64, true);
    if !r.flag()? {
        let kind = r.get(2)?;
        let lossless = r.flag()?;
        let coarse_elsewhere = r.wide()? >> 5 & 1 == 1;
        let subsampled = !image.own_space && r.flag()?;
        if subsampled && !coarse_elsewhere {
            r.get(6)?;
        }
        let enlarged = if coarse_elsewhere { 0 } else { r.get(2)? };
        if !coarse_elsewhere {
            for _ in 0..image.channels {
                r.get(2)?;
            }
        }
        if lossless {
            side = 128 << r.get(2)?;
        } else if image.own_space {
            r.get(6)?;
        }
        let shown = match kind {
            0 | 3 => true,
            2 => false,
            _ => return None,
        };
        if shown {
            passes = r.pick([1, 2, 3, 4], [0, 0, 0, 3])?;
            if passes > 1 {
                let steps = r.pick([0, 1, 2, 3], [0, 0, 0, 1])?;
                r.get(2 * (passes as usize - 1) + 2 * steps as usize)?;
                for _ in 0..steps {
                    r.pick([0, 1, 2, 0], [0, 0, 0, 3])?;
                }
            }
        }
        let mut full = true;
        if r.flag()? {
            let place = |r: &mut Reader<'_>| r.pick([0, 256, 2304, 18_688], [8, 11, 14, 30]);
            let (x, y) = if shown { (place(r)?, place(r)?) } else { (0, 0) };
            full = (x, y) == (0, 0);
            let (w, h) = (place(r)?, place(r)?);
            full &= w >= wide && h >= tall;
            (wide, tall) = (w, h);
        }
        let (mut replaces, mut kept, mut lasting) = (true, 0, 0);
        last = false;
        if shown {
            for i in 0..=image.channels {
                let mode = r.pick([0, 1, 2, 3], [0, 0, 0, 2])?;
                let layered = image.channels > 0;
                if layered && (mode == 2 || mode == 3) {
                    r.pick([0, 1, 2, 3], [0, 0, 0, 3])?;
                }
                if layered && (2..=4).contains(&mode) {
                    r.get(1)?;
                }
                if mode > 0 || !full {
                    r.get(2)?;
                }
                if i == 0 {
                    replaces = mode == 0;
                }
            }
            if image.moving {
                lasting = r.pick([0, 1, 0, 0], [0, 0, 8, 32])?;
            }
            last = r.flag()?;
        }
        if !last {
            kept = r.get(2)?;
        }
        if !shown || (!last && (lasting == 0 || kept > 0) && replaces && full) {
            r.get(1)?;
        }
        r.nameless()?;
        filters(r, lossless)?;
        r.nothing_more()?;
        wide = wide.div_ceil(1 << enlarged);
        tall = tall.div_ceil(1 << enlarged);
    }
    let tiles = |s: u64| wide.div_ceil(s) * tall.div_ceil(s);
    let sections = match tiles(side) {
        1 if passes == 1 => 1,
        n => 2 + tiles(8 * side) + n * passes,
    };
    (!r.flag()?).then_some(())?;
    r.pad()?;
    let mut sum = 0;
    for _ in 0..sections {
        sum += r.pick([0, 1024, 17_408, 4_211_712], [10, 14, 22, 30])?;
    }
    r.pad()?;
    Some((sum, last))
}

fn filters(r: &mut Reader<'_>, lossless: bool) -> Option<()> {
    if r.flag()? {
        return Some(());
    }
    if r.flag()? && r.flag()? {
        for _ in 0..6 {
            r.get(16)?;
        }
    }
    if r.get(2)? > 0 {
        let mut halves = 0;
        if !lossless && r.flag()? {
            halves += 8;
        }
        for _ in 0..halves {
            r.get(16)?;
        }
        if r.flag()? {
            r.get(48)?;
            r.get(32)?;
        }
        if r.flag()? {
            r.get(if lossless { 48 } else { 64 })?;
        }
        if lossless {
            r.get(16)?;
        }
    }
    r.nothing_more()
}
