//! Walks the entropy-coded data of a JPEG block by block, without turning
//! it into a picture: only where it ends matters.
//!
//! Huffman decoding after ITU-T T.81: F.2.2 (sequential) and G.2
//! (progressive).

mod bits;
mod huffman;

use crate::bytes::part;
use crate::source::Source;
use bits::{Bits, Broken};
pub(super) use huffman::Huffman;
use huffman::Steps;

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

    /// Blocks across and down, if the scan is of one component alone.
    fn single(&self, components: &[Component]) -> Option<(u32, u32)> {
        match self.parts.as_slice() {
            [(which, ..)] => components.get(*which).map(|c| (c.blocks_wide, c.blocks_high)),
            _ => None,
        }
    }
}

/// State of a progressive scan.
struct Pass<'p> {
    header: &'p ScanHeader,
    /// Blocks still covered by the last end-of-band run.
    run: u32,
}

/// One component of a sequential scan: how many blocks of it a unit has, and
/// its tables.
struct Member<'p> {
    blocks: u32,
    dc: Option<&'p Huffman>,
    ac: Option<(&'p Huffman, Steps)>,
}

/// Walks the data of a sequential scan from `at`. Returns where it ends.
fn sequential(
    source: &mut Source<'_>,
    at: u64,
    picture: &mut Picture,
    header: &ScanHeader,
) -> Result<u64, Broken> {
    let mut bits = Bits::new(source, at);
    let Picture { components, tables, restart, mcus_wide, mcus_high, visits, .. } = picture;
    let single = header.single(components);
    let mut members = Vec::new();
    for &(which, dc, ac) in &header.parts {
        let Some(c) = components.get_mut(which) else { continue };
        c.started = true;
        members.push(Member {
            blocks: if single.is_some() { 1 } else { c.h * c.v },
            dc: tables.get(dc).and_then(Option::as_ref),
            ac: tables.get(4 + ac).and_then(Option::as_ref).map(|t| (t, Steps::new(t))),
        });
    }
    let (across, down) = single.unwrap_or((*mcus_wide, *mcus_high));
    let (mut unit, mut restarts) = (0u32, 0u32);
    for _ in 0..u64::from(across) * u64::from(down) {
        if *restart > 0 && unit == *restart {
            bits.align()?;
            bits.restart(restarts)?;
            restarts += 1;
            unit = 0;
        }
        unit += 1;
        for member in &members {
            let Some(left) = visits.checked_sub(member.blocks.into()) else {
                return Err((bits.at(), "The picture asks for too much work."));
            };
            *visits = left;
            for _ in 0..member.blocks {
                if sequential_block(&mut bits, member).is_none() {
                    return Err((bits.at(), "The picture data is damaged or cut short."));
                }
            }
        }
    }
    bits.align()?;
    Ok(bits.at())
}

#[inline]
fn sequential_block(bits: &mut Bits<'_, '_>, member: &Member<'_>) -> Option<()> {
    let size = u32::from(bits.symbol(member.dc?)?);
    if size > 11 {
        return None;
    }
    bits.take(size)?;
    let (table, steps) = member.ac.as_ref()?;
    let mut k = bits.steps(steps, 1);
    while k < 64 {
        // One symbol at a time where bytes or codes are special.
        let symbol = bits.symbol(table)?;
        let (zeros, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        k += match (zeros, size) {
            (0, 0) => return Some(()),
            (15, 0) => 16,
            (_, 1..=10) => zeros + 1,
            _ => return None,
        };
        bits.take(size)?;
        // A run of zeros may end with the block, but not beyond it.
        if k > 64 {
            return None;
        }
        k = bits.steps(steps, k);
    }
    Some(())
}

/// Walks the data of one scan from `at`. Returns where it ends.
pub(super) fn walk(
    source: &mut Source<'_>,
    at: u64,
    picture: &mut Picture,
    header: &ScanHeader,
) -> Result<u64, Broken> {
    if !picture.progressive {
        return sequential(source, at, picture, header);
    }
    let mut bits = Bits::new(source, at);
    let Picture { components, tables, restart, mcus_wide, mcus_high, visits, .. } = picture;
    let mut pass = Pass { header, run: 0 };
    for &(which, ..) in &header.parts {
        if let Some(c) = components.get_mut(which) {
            c.started |= header.first == 0;
            if c.nonzero.is_empty() {
                let blocks = c.stride as usize * (*mcus_high * c.v) as usize;
                c.nonzero = vec![0; blocks];
            }
        }
    }
    let single = header.single(components);
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
        return Some(());
    }
    if h.high > 0 {
        return refine(bits, pass, ac?, state);
    }
    if pass.run > 0 {
        pass.run -= 1;
        return Some(());
    }
    let mut k = h.first;
    while k <= h.last {
        let symbol = bits.symbol(ac?)?;
        let (zeros, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        if size == 0 {
            if zeros == 15 {
                k += 16;
                continue;
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
        bits.skip();
    }
    None
}
