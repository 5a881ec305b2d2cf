//! Headers of a codestream, as far as is needed to know where frames end
//! and that they carry no text (ISO/IEC 18181-1, annexes D to F).

use super::super::{StripError, damaged, needs, truncated};

/// Noise, patches, splines, coarse picture from another frame, no smoothing
/// of it (18181-1, F.2).
const KNOWN_FLAGS: u64 = 0x01 | 0x02 | 0x10 | 0x20 | 0x80;

/// Bits, least significant first.
pub(super) struct Bits<'a> {
    data: &'a [u8],
    at: u64,
}

type Result<T> = std::result::Result<T, StripError>;

impl<'a> Bits<'a> {
    pub(super) const fn new(data: &'a [u8], byte: usize) -> Self {
        Self { data, at: byte as u64 * 8 }
    }

    pub(super) const fn byte(&self) -> usize {
        (self.at / 8) as usize
    }

    fn u(&mut self, n: u32) -> Result<u32> {
        let mut value = 0u32;
        for i in 0..n {
            let byte = self.data.get((self.at / 8) as usize);
            let byte = byte.ok_or_else(|| truncated("the headers of the picture"))?;
            value |= u32::from(byte >> (self.at % 8) & 1) << i;
            self.at += 1;
        }
        Ok(value)
    }

    fn bool(&mut self) -> Result<bool> {
        Ok(self.u(1)? == 1)
    }

    /// One of four forms, each an offset and a number of bits.
    fn u32(&mut self, forms: [(u32, u32); 4]) -> Result<u32> {
        let which = self.u(2)? as usize;
        let (offset, n) = forms.get(which).copied().unwrap_or_default();
        self.u(n)?.checked_add(offset).ok_or_else(|| damaged("the headers of the picture"))
    }

    fn enumeration(&mut self) -> Result<u32> {
        self.u32([(0, 0), (1, 0), (2, 4), (18, 6)])
    }

    fn u64(&mut self) -> Result<u64> {
        Ok(match self.u(2)? {
            0 => 0,
            1 => 1 + u64::from(self.u(4)?),
            2 => 17 + u64::from(self.u(8)?),
            _ => {
                let mut value = u64::from(self.u(12)?);
                let mut shift = 12;
                while self.bool()? {
                    if shift == 60 {
                        value |= u64::from(self.u(4)?) << shift;
                        break;
                    }
                    value |= u64::from(self.u(8)?) << shift;
                    shift += 8;
                }
                value
            }
        })
    }

    /// Skips `n` numbers of 16 bits.
    fn halves(&mut self, n: u32) -> Result<()> {
        for _ in 0..n {
            self.u(16)?;
        }
        Ok(())
    }

    fn extensions(&mut self) -> Result<()> {
        if self.u64()? != 0 {
            return Err(needs("its headers have extensions that are not known"));
        }
        Ok(())
    }

    fn no_name(&mut self) -> Result<()> {
        if self.u32([(0, 0), (0, 4), (16, 5), (48, 10)])? > 0 {
            return Err(needs("its frames or channels have names"));
        }
        Ok(())
    }

    /// Goes to the next byte; the bits between must be zero.
    pub(super) fn align(&mut self) -> Result<()> {
        let rest = (8 - self.at % 8) % 8;
        if self.u(rest as u32)? != 0 {
            return Err(damaged("the bits between headers"));
        }
        Ok(())
    }

    /// Height and width.
    fn size(&mut self) -> Result<(u32, u32)> {
        const FORMS: [(u32, u32); 4] = [(1, 9), (1, 13), (1, 18), (1, 30)];
        let small = self.bool()?;
        let height = if small { (self.u(5)? + 1) * 8 } else { self.u32(FORMS)? };
        let ratio = self.u(3)? as usize;
        let width = match [(1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1)]
            .get(ratio.wrapping_sub(1))
        {
            Some(&(a, b)) => (u64::from(height) * a / b) as u32,
            None if small => (self.u(5)? + 1) * 8,
            None => self.u32(FORMS)?,
        };
        Ok((width, height))
    }

    fn depth(&mut self) -> Result<()> {
        if self.bool()? {
            self.u32([(32, 0), (16, 0), (24, 0), (1, 6)])?;
            self.u(4)?;
        } else {
            self.u32([(8, 0), (10, 0), (12, 0), (1, 6)])?;
        }
        Ok(())
    }
}

/// What the image header says about all frames.
pub(super) struct Image {
    width: u32,
    height: u32,
    xyb: bool,
    extra: u32,
    animated: bool,
}

impl Image {
    pub(super) fn read(b: &mut Bits<'_>) -> Result<Self> {
        let (width, height) = b.size()?;
        let mut image = Self { width, height, xyb: true, extra: 0, animated: false };
        if !b.bool()? {
            image.metadata(b)?;
        }
        // Weights for enlarging, of the picture's own.
        if !b.bool()? {
            if image.xyb && !b.bool()? {
                b.halves(16)?;
            }
            let mask = b.u(3)?;
            for (bit, count) in [(1, 15), (2, 55), (4, 210)] {
                if mask & bit != 0 {
                    b.halves(count)?;
                }
            }
        }
        Ok(image)
    }

    fn metadata(&mut self, b: &mut Bits<'_>) -> Result<()> {
        let more = b.bool()?;
        if more {
            b.u(3)?;
            if b.bool()? {
                b.size()?;
            }
            if b.bool()? {
                return Err(needs("it holds a preview picture"));
            }
            self.animated = b.bool()?;
            if self.animated {
                b.u32([(100, 0), (1000, 0), (1, 10), (1, 30)])?;
                b.u32([(1, 0), (1001, 0), (1, 8), (1, 10)])?;
                b.u32([(0, 0), (0, 3), (0, 16), (0, 32)])?;
                if b.bool()? {
                    return Err(needs("its frames have time codes"));
                }
            }
        }
        b.depth()?;
        b.bool()?;
        self.extra = b.u32([(0, 0), (1, 0), (2, 4), (1, 12)])?;
        for _ in 0..self.extra {
            if b.bool()? {
                continue;
            }
            let kind = b.enumeration()?;
            b.depth()?;
            b.u32([(0, 0), (3, 0), (4, 0), (1, 3)])?;
            b.no_name()?;
            match kind {
                0 => {
                    b.bool()?;
                }
                2 => b.halves(4)?,
                5 => {
                    b.u32([(1, 0), (0, 2), (3, 4), (19, 8)])?;
                }
                1 | 3 | 4 | 6 => {}
                _ => return Err(needs("it has channels besides colour and alpha")),
            }
        }
        self.xyb = b.bool()?;
        if !b.bool()? {
            colour(b)?;
        }
        if more && !b.bool()? {
            b.halves(2)?;
            b.bool()?;
            b.halves(1)?;
        }
        b.extensions()
    }

    /// Reads a frame header.
    pub(super) fn frame(&self, b: &mut Bits<'_>) -> Result<Frame> {
        let mut frame =
            Frame { width: self.width, height: self.height, group: 256, passes: 1, last: true };
        if b.bool()? {
            return Ok(frame);
        }
        let (kind, modular) = (b.u(2)?, b.bool()?);
        if kind == 1 {
            return Err(needs("its picture is coded in steps of an unusual kind"));
        }
        let reference = kind == 2;
        let flags = b.u64()?;
        if flags & !KNOWN_FLAGS != 0 {
            return Err(needs("a frame has settings that are not known"));
        }
        let from_dc = flags & 0x20 != 0;
        let ycbcr = !self.xyb && b.bool()?;
        if ycbcr && !from_dc {
            b.u(6)?;
        }
        let mut upsampling = 1;
        if !from_dc {
            upsampling = 1 << b.u(2)?;
            for _ in 0..self.extra {
                b.u(2)?;
            }
        }
        if modular {
            frame.group = 128 << b.u(2)?;
        } else if self.xyb {
            b.u(6)?;
        }
        if !reference {
            frame.passes = passes(b)?;
        }
        let crop = b.bool()?;
        let mut whole = true;
        if crop {
            const FORMS: [(u32, u32); 4] = [(0, 8), (256, 11), (2304, 14), (18_688, 30)];
            let (x, y) = if reference { (0, 0) } else { (b.u32(FORMS)?, b.u32(FORMS)?) };
            (frame.width, frame.height) = (b.u32(FORMS)?, b.u32(FORMS)?);
            // Offsets are signed: even numbers stand for positive ones.
            whole = x == 0 && y == 0 && frame.width >= self.width && frame.height >= self.height;
            if x % 2 == 1 || y % 2 == 1 {
                return Err(needs("a frame begins outside the picture"));
            }
        }
        frame.last = false;
        let mut replaced = true;
        let (mut duration, mut saved) = (0, 0);
        if !reference {
            replaced = blending(b, self.extra, whole)?;
            for _ in 0..self.extra {
                blending(b, self.extra, whole)?;
            }
            if self.animated {
                duration = b.u32([(0, 0), (1, 0), (0, 8), (0, 32)])?;
            }
            frame.last = b.bool()?;
        }
        if !frame.last {
            saved = b.u(2)?;
        }
        let kept = !frame.last && (duration == 0 || saved != 0);
        if reference || (kept && replaced && whole) {
            b.bool()?;
        }
        b.no_name()?;
        restoration(b, modular)?;
        b.extensions()?;
        frame.width = frame.width.div_ceil(upsampling);
        frame.height = frame.height.div_ceil(upsampling);
        Ok(frame)
    }
}

fn colour(b: &mut Bits<'_>) -> Result<()> {
    let icc = b.bool()?;
    let space = b.enumeration()?;
    if icc {
        return Err(needs("it has a colour profile inside its picture data"));
    }
    let point = |b: &mut Bits<'_>| {
        for _ in 0..2 {
            b.u32([(0, 19), (524_288, 19), (1_048_576, 20), (2_097_152, 21)])?;
        }
        Ok::<(), StripError>(())
    };
    if space != 2 {
        if b.enumeration()? == 2 {
            point(b)?;
        }
        if space != 1 && b.enumeration()? == 2 {
            for _ in 0..3 {
                point(b)?;
            }
        }
        if b.bool()? {
            b.u(24)?;
        } else {
            b.enumeration()?;
        }
    }
    b.enumeration()?;
    Ok(())
}

fn passes(b: &mut Bits<'_>) -> Result<u32> {
    let count = b.u32([(1, 0), (2, 0), (3, 0), (4, 3)])?;
    if count > 1 {
        let steps = b.u32([(0, 0), (1, 0), (2, 0), (3, 1)])?;
        b.u(2 * (count - 1))?;
        for _ in 0..steps {
            b.u(2)?;
        }
        for _ in 0..steps {
            b.u32([(0, 0), (1, 0), (2, 0), (0, 3)])?;
        }
    }
    Ok(count)
}

/// Returns true if the frame replaces what was there.
fn blending(b: &mut Bits<'_>, extra: u32, whole: bool) -> Result<bool> {
    let mode = b.u32([(0, 0), (1, 0), (2, 0), (3, 2)])?;
    if extra > 0 && matches!(mode, 2 | 3) {
        b.u32([(0, 0), (1, 0), (2, 0), (3, 3)])?;
    }
    if extra > 0 && matches!(mode, 2..=4) {
        b.bool()?;
    }
    if mode != 0 || !whole {
        b.u(2)?;
    }
    Ok(mode == 0)
}

fn restoration(b: &mut Bits<'_>, modular: bool) -> Result<()> {
    if b.bool()? {
        return Ok(());
    }
    if b.bool()? && b.bool()? {
        b.halves(6)?;
    }
    if b.u(2)? > 0 {
        if !modular && b.bool()? {
            b.halves(8)?;
        }
        if b.bool()? {
            b.halves(3)?;
            b.u(32)?;
        }
        if b.bool()? {
            if !modular {
                b.halves(1)?;
            }
            b.halves(3)?;
        }
        if modular {
            b.halves(1)?;
        }
    }
    b.extensions()
}

/// A frame, as far as its length goes.
pub(super) struct Frame {
    width: u32,
    height: u32,
    group: u32,
    passes: u32,
    pub(super) last: bool,
}

impl Frame {
    /// Reads the table of sections; returns the sum of their lengths.
    pub(super) fn sections(&self, b: &mut Bits<'_>) -> Result<usize> {
        let count = |side: u64| {
            u64::from(self.width).div_ceil(side) * u64::from(self.height).div_ceil(side)
        };
        let groups = count(self.group.into());
        let entries = if groups == 1 && self.passes == 1 {
            1
        } else {
            2 + count(u64::from(self.group) * 8) + groups * u64::from(self.passes)
        };
        if b.bool()? {
            return Err(needs("its sections are in an order of their own"));
        }
        b.align()?;
        let mut sum = 0u64;
        for _ in 0..entries {
            sum += u64::from(b.u32([(0, 10), (1024, 14), (17_408, 22), (4_211_712, 30)])?);
        }
        b.align()?;
        usize::try_from(sum).ok().ok_or_else(|| damaged("the table of sections"))
    }
}
