//! Walks the entropy-coded data of a JPEG block by block, without turning
//! it into a picture: only where it ends matters.
//!
//! Huffman decoding after ITU-T T.81: F.2.2 (sequential) and G.2
//! (progressive).

use crate::bytes::part;
use crate::source::Source;

/// Bits that the first lookup takes at once.
const QUICK: usize = 10;

/// A Huffman table: codes of up to ten bits by lookup, longer ones by
/// searching the ranges of 16 bits that begin with them. Small on purpose:
/// four tables of 2^16 entries cost more to fill than a small photo to walk.
#[derive(Debug)]
pub(super) struct Huffman {
    /// `length << 8 | symbol` by the next ten bits; zero where no code of
    /// that length begins so.
    lookup: Vec<u16>,
    /// `(one past the last 16 bits, length << 8 | symbol)`, rising.
    long: Vec<(usize, u16)>,
}

impl Huffman {
    /// Reads one table of a DHT segment: `(class, id, table, bytes used)`.
    pub(super) fn parse(b: &[u8]) -> Option<(u8, u8, Self, usize)> {
        let (class, id) = (b.first()? >> 4, b.first()? & 15);
        let counts = part(b, 1, 16)?;
        let total: usize = counts.iter().map(|&n| usize::from(n)).sum();
        let symbols = part(b, 17, total)?;
        if class > 1 || id > 3 || total > 256 {
            return None;
        }
        let mut lookup = vec![0u16; 1 << QUICK];
        let mut long = Vec::new();
        let (mut code, mut next) = (0usize, 0usize);
        for (length, &count) in (1usize..=16).zip(counts) {
            for _ in 0..count {
                let first = code << (16 - length);
                let entry = (length as u16) << 8 | u16::from(*symbols.get(next)?);
                let end = first + (1 << (16 - length));
                if end > 1 << 16 {
                    return None;
                }
                if length <= QUICK {
                    lookup.get_mut(first >> (16 - QUICK)..end >> (16 - QUICK))?.fill(entry);
                } else {
                    long.push((end, entry));
                }
                code += 1;
                next += 1;
            }
            code <<= 1;
        }
        Some((class, id, Self { lookup, long }, 17 + total))
    }

    /// The code that the 16 bits in `window` begin with.
    #[inline]
    fn entry(&self, window: usize) -> Option<u16> {
        match self.lookup.get(window >> (16 - QUICK)) {
            Some(&entry) if entry > 0 => Some(entry),
            // Codes rise with their length: what is no short code lies above
            // all short ones, so that the ranges need no beginnings.
            _ => self.long.get(self.long.partition_point(|l| l.0 <= window)).map(|l| l.1),
        }
    }
}

/// One colour component.
#[derive(Debug)]
pub(super) struct Component {
    id: u8,
    h: u32,
    v: u32,
    /// Blocks across and down when the component is alone in a scan.
    blocks_wide: u32,
    blocks_high: u32,
    /// Blocks across in the padded grid.
    stride: u32,
    /// Progressive: which coefficients are not zero, one bit each.
    nonzero: Vec<u64>,
    /// Whether the first DC scan has been.
    started: bool,
}

impl Component {
    pub(super) const fn new(id: u8, h: u32, v: u32) -> Self {
        Self {
            id,
            h,
            v,
            blocks_wide: 0,
            blocks_high: 0,
            stride: 0,
            nonzero: Vec::new(),
            started: false,
        }
    }
}

/// What the segments before a scan have said.
#[derive(Debug, Default)]
pub(super) struct Picture {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) progressive: bool,
    pub(super) components: Vec<Component>,
    /// DC tables 0 to 3, then AC tables 0 to 3.
    pub(super) tables: [Option<Huffman>; 8],
    /// Restart interval in units; zero for none.
    pub(super) restart: u32,
    mcus_wide: u32,
    mcus_high: u32,
    /// Blocks that may still be visited: the bound on work.
    pub(super) visits: u64,
}

impl Picture {
    /// Works out the block grids; returns the number of blocks.
    pub(super) fn layout(&mut self) -> u64 {
        let h_max = self.components.iter().map(|c| c.h).max().unwrap_or(1);
        let v_max = self.components.iter().map(|c| c.v).max().unwrap_or(1);
        self.mcus_wide = self.width.div_ceil(8 * h_max);
        self.mcus_high = self.height.div_ceil(8 * v_max);
        let mut total = 0u64;
        for c in &mut self.components {
            c.blocks_wide = (self.width * c.h).div_ceil(h_max).div_ceil(8);
            c.blocks_high = (self.height * c.v).div_ceil(v_max).div_ceil(8);
            c.stride = self.mcus_wide * c.h;
            total += u64::from(c.stride) * u64::from(self.mcus_high * c.v);
        }
        total
    }

    /// What is missing at the end of the file.
    pub(super) fn unfinished(&self) -> Option<&'static str> {
        self.components
            .iter()
            .any(|c| !c.started)
            .then_some("A colour component has no picture data.")
    }
}

/// A parsed SOS header.
#[derive(Debug)]
pub(super) struct ScanHeader {
    /// `(component, DC table, AC table)`.
    parts: Vec<(usize, usize, usize)>,
    first: u32,
    last: u32,
    high: u32,
    low: u32,
}

impl ScanHeader {
    pub(super) fn parse(b: &[u8], picture: &Picture) -> Option<Self> {
        let count = usize::from(*b.first()?);
        if !(1..=4).contains(&count) || b.len() != 4 + 2 * count {
            return None;
        }
        let mut parts = Vec::<(usize, usize, usize)>::new();
        for c in part(b, 1, 2 * count)?.chunks_exact(2) {
            let which = picture.components.iter().position(|p| p.id == c[0])?;
            let (dc, ac) = (usize::from(c[1] >> 4), usize::from(c[1] & 15));
            if dc > 3 || ac > 3 || parts.iter().any(|&(p, ..)| p == which) {
                return None;
            }
            parts.push((which, dc, ac));
        }
        let [first, last, approximation] = *part(b, 1 + 2 * count, 3)? else { return None };
        let header = Self {
            parts,
            first: first.into(),
            last: last.into(),
            high: (approximation >> 4).into(),
            low: (approximation & 15).into(),
        };
        let sequential = (0, 63, 0) == (first, last, approximation);
        let bands = first <= last && last <= 63 && (first > 0 || last == 0);
        let steps = header.high == 0 || header.high == header.low + 1;
        let alone = first == 0 || count == 1;
        let sensible = if picture.progressive {
            bands && steps && alone && header.low < 14
        } else {
            sequential
        };
        sensible.then_some(header)
    }
}

type Broken = (u64, &'static str);

/// Bits of entropy-coded data, refilled from the file.
struct Bits<'s, 'f> {
    source: &'s mut Source<'f>,
    buffer: Vec<u8>,
    next: usize,
    /// File offset of `buffer[0]`.
    base: u64,
    bits: u64,
    count: u32,
    /// True once a marker stands at the reading position.
    stopped: bool,
}

impl<'s, 'f> Bits<'s, 'f> {
    fn new(source: &'s mut Source<'f>, at: u64) -> Self {
        Self { source, buffer: Vec::new(), next: 0, base: at, bits: 0, count: 0, stopped: false }
    }

    /// Offset of the next byte to be taken from the file.
    fn at(&self) -> u64 {
        self.base + self.next as u64
    }

    fn look(&mut self, ahead: usize) -> Option<u8> {
        if self.next + ahead >= self.buffer.len() {
            self.base = self.at();
            self.next = 0;
            let end = self.source.len();
            self.buffer = self.source.upto(self.base, end, 64 * 1024).unwrap_or_default();
        }
        self.buffer.get(self.next + ahead).copied()
    }

    fn refill(&mut self) {
        while self.count <= 48 && !self.stopped {
            // Four bytes at once as long as none of them is special.
            if self.count <= 32
                && let Some(&[a, b, c, d]) = self.buffer.get(self.next..self.next + 4)
                && a != 0xFF
                && b != 0xFF
                && c != 0xFF
                && d != 0xFF
            {
                self.bits = self.bits << 32 | u64::from(u32::from_be_bytes([a, b, c, d]));
                self.count += 32;
                self.next += 4;
                continue;
            }
            let taken = match self.look(0) {
                Some(0xFF) => match self.look(1) {
                    Some(0) => {
                        self.next += 1;
                        0xFF
                    }
                    _ => {
                        self.stopped = true;
                        return;
                    }
                },
                Some(byte) => byte,
                None => {
                    self.stopped = true;
                    return;
                }
            };
            self.next += 1;
            self.bits = self.bits << 8 | u64::from(taken);
            self.count += 8;
        }
    }

    /// `n` bits, at most 16.
    #[inline]
    fn take(&mut self, n: u32) -> Option<u32> {
        if self.count < n {
            self.refill();
        }
        self.count = self.count.checked_sub(n)?;
        Some((self.bits >> self.count) as u32 & ((1 << n) - 1))
    }

    #[inline]
    fn symbol(&mut self, table: &Huffman) -> Option<u8> {
        if self.count < 16 {
            self.refill();
        }
        let window = if self.count >= 16 {
            self.bits >> (self.count - 16)
        } else {
            self.bits << (16 - self.count)
        };
        let entry = table.entry((window & 0xFFFF) as usize)?;
        self.count = self.count.checked_sub(u32::from(entry >> 8))?;
        Some(entry as u8)
    }

    /// Ends an interval: less than a byte of ones may be left, and a marker
    /// must follow.
    fn align(&mut self) -> Result<(), Broken> {
        self.refill();
        let padding = self.count;
        let ones = (1u64 << padding.min(8)) - 1;
        if !self.stopped || padding >= 8 {
            let here = self.at() - u64::from(padding / 8).min(self.next as u64);
            return Err((here, "Bytes are hidden after the last block of the picture."));
        }
        if self.bits & ones != ones {
            return Err((self.at(), "The bits that fill up the last byte are not all ones."));
        }
        self.count = 0;
        self.bits = 0;
        Ok(())
    }

    fn restart(&mut self, number: u32) -> Result<(), Broken> {
        let expected = 0xD0 + (number & 7) as u8;
        if self.look(0) != Some(0xFF) || self.look(1) != Some(expected) {
            return Err((self.at(), "A restart marker is missing or out of order."));
        }
        self.next += 2;
        self.stopped = false;
        Ok(())
    }
}

/// State of a progressive scan.
struct Pass<'p> {
    header: &'p ScanHeader,
    progressive: bool,
    /// Blocks still covered by the last end-of-band run.
    run: u32,
}

/// Walks the data of one scan from `at`. Returns where it ends.
pub(super) fn walk(
    source: &mut Source<'_>,
    at: u64,
    picture: &mut Picture,
    header: &ScanHeader,
) -> Result<u64, Broken> {
    let mut bits = Bits::new(source, at);
    let Picture { components, tables, restart, mcus_wide, mcus_high, progressive, visits, .. } =
        picture;
    let mut pass = Pass { header, progressive: *progressive, run: 0 };
    for &(which, ..) in &header.parts {
        if let Some(c) = components.get_mut(which) {
            c.started |= header.first == 0;
            if *progressive && c.nonzero.is_empty() {
                let blocks = c.stride as usize * (*mcus_high * c.v) as usize;
                c.nonzero = vec![0; blocks];
            }
        }
    }
    let single = match header.parts.as_slice() {
        [(which, ..)] => components.get(*which).map(|c| (c.blocks_wide, c.blocks_high)),
        _ => None,
    };
    let (across, down) = single.unwrap_or((*mcus_wide, *mcus_high));
    let (mut unit, mut restarts) = (0u32, 0u32);
    for y in 0..down {
        for x in 0..across {
            if *restart > 0 && unit == *restart {
                bits.align()?;
                bits.restart(restarts)?;
                restarts += 1;
                unit = 0;
                pass.run = 0;
            }
            unit += 1;
            for &(which, dc, ac) in &header.parts {
                let Some(c) = components.get_mut(which) else { continue };
                let (dc, ac) = (tables.get(dc), tables.get(4 + ac));
                let (dc, ac) = (dc.and_then(Option::as_ref), ac.and_then(Option::as_ref));
                let (h, v) = if single.is_some() { (1, 1) } else { (c.h, c.v) };
                let Some(left) = visits.checked_sub(u64::from(h * v)) else {
                    return Err((bits.at(), "The picture asks for too much work."));
                };
                *visits = left;
                for dy in 0..v {
                    for dx in 0..h {
                        let index =
                            (y * v + dy) as usize * c.stride as usize + (x * h + dx) as usize;
                        let mut none = 0;
                        let state = c.nonzero.get_mut(index).unwrap_or(&mut none);
                        if block(&mut bits, &mut pass, dc, ac, state).is_none() {
                            return Err((bits.at(), "The picture data is damaged or cut short."));
                        }
                    }
                }
            }
        }
    }
    if pass.run > 0 {
        return Err((bits.at(), "The picture data announces more blocks than there are."));
    }
    bits.align()?;
    Ok(bits.at())
}

fn block(
    bits: &mut Bits<'_, '_>,
    pass: &mut Pass<'_>,
    dc: Option<&Huffman>,
    ac: Option<&Huffman>,
    state: &mut u64,
) -> Option<()> {
    let h = pass.header;
    if h.first == 0 {
        if h.high > 0 {
            bits.take(1)?;
        } else {
            let size = u32::from(bits.symbol(dc?)?);
            if size > 11 {
                return None;
            }
            bits.take(size)?;
        }
        if pass.progressive {
            return Some(());
        }
    }
    if h.high > 0 {
        return refine(bits, pass, ac?, state);
    }
    if pass.run > 0 {
        pass.run -= 1;
        return Some(());
    }
    let mut k = h.first.max(1);
    while k <= h.last {
        let symbol = bits.symbol(ac?)?;
        let (zeros, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        if size == 0 {
            if zeros == 15 {
                k += 16;
                continue;
            }
            if !pass.progressive && zeros > 0 {
                return None;
            }
            pass.run = (1 << zeros) - 1 + bits.take(zeros)?;
            return Some(());
        }
        k += zeros;
        if k > h.last || size > 10 {
            return None;
        }
        bits.take(size)?;
        *state |= 1 << k;
        k += 1;
    }
    // A run of zeros may end with the block, but not beyond it.
    (k <= h.last + 1).then_some(())
}

/// A refinement scan of AC coefficients (T.81, G.1.2.3): coefficients that
/// are already known take one correction bit each.
fn refine(
    bits: &mut Bits<'_, '_>,
    pass: &mut Pass<'_>,
    ac: &Huffman,
    state: &mut u64,
) -> Option<()> {
    let (first, last) = (pass.header.first, pass.header.last);
    let mut k = first;
    if pass.run == 0 {
        while k <= last {
            let symbol = bits.symbol(ac)?;
            let (mut zeros, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            match size {
                0 if zeros < 15 => {
                    pass.run = (1 << zeros) + bits.take(zeros)?;
                    break;
                }
                0 => {}
                1 => {
                    bits.take(1)?;
                }
                _ => return None,
            }
            let mut placed = false;
            while k <= last {
                if *state >> k & 1 == 1 {
                    bits.take(1)?;
                } else if zeros == 0 {
                    if size == 1 {
                        *state |= 1 << k;
                    }
                    k += 1;
                    placed = true;
                    break;
                } else {
                    zeros -= 1;
                }
                k += 1;
            }
            if size == 1 && !placed {
                return None;
            }
        }
    }
    if pass.run > 0 {
        while k <= last {
            if *state >> k & 1 == 1 {
                bits.take(1)?;
            }
            k += 1;
        }
        pass.run -= 1;
    }
    Some(())
}

/// The next marker at or after `at` that does not belong inside a scan.
pub(super) fn next_marker(source: &mut Source<'_>, at: u64) -> Option<u64> {
    let mut bits = Bits::new(source, at);
    while let Some(byte) = bits.look(0) {
        if byte == 0xFF && matches!(bits.look(1), Some(m) if !matches!(m, 0 | 0xD0..=0xD7 | 0xFF)) {
            return Some(bits.at());
        }
        bits.next += 1;
    }
    None
}
