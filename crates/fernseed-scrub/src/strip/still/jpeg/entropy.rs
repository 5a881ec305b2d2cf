//! Entropy-coded data as a list of symbols (ITU-T T.81, F.2.2 and G.2).

use super::super::{StripError, damaged, too_large, truncated};

/// Most symbols of one scan (192 MiB of tokens).
const MAX_TOKENS: usize = 48 << 20;

/// A Huffman table for reading: short codes by lookup, long ones by limits.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// `length << 8 | symbol` by the next nine bits; zero for longer codes.
    short: Vec<u16>,
    /// Largest code of each length, as a number of 16 bits, plus one.
    limit: [u32; 17],
    first: [u32; 17],
    index: [usize; 17],
    symbols: Vec<u8>,
}

const SHORT: u32 = 9;

impl Table {
    /// A table from its numbers of codes per length and its symbols.
    pub(super) fn new(counts: &[u8], symbols: &[u8]) -> Option<Self> {
        let mut table = Self {
            short: vec![0; 1 << SHORT],
            limit: [0; 17],
            first: [0; 17],
            index: [0; 17],
            symbols: symbols.to_vec(),
        };
        let (mut code, mut next) = (0u32, 0usize);
        for (length, &count) in (1u32..=16).zip(counts) {
            let l = length as usize;
            table.first[l] = code;
            table.index[l] = next;
            for _ in 0..count {
                let symbol = *symbols.get(next)?;
                if code >= 1 << length {
                    return None;
                }
                if length <= SHORT {
                    let from = (code << (SHORT - length)) as usize;
                    let entry = (length as u16) << 8 | u16::from(symbol);
                    table.short.get_mut(from..from + (1 << (SHORT - length)))?.fill(entry);
                }
                code += 1;
                next += 1;
            }
            table.limit[l] = code << (16 - length);
            code <<= 1;
        }
        Some(table)
    }
}

/// Bits of a scan.
struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    bits: u64,
    count: u32,
    stopped: bool,
}

impl Bits<'_> {
    fn refill(&mut self) {
        while self.count <= 32 && !self.stopped {
            if let Some(&[a, b, c, d]) = self.data.get(self.at..self.at + 4)
                && a != 0xFF
                && b != 0xFF
                && c != 0xFF
                && d != 0xFF
            {
                self.bits = self.bits << 32 | u64::from(u32::from_be_bytes([a, b, c, d]));
                self.count += 32;
                self.at += 4;
                continue;
            }
            match (self.data.get(self.at), self.data.get(self.at + 1)) {
                (Some(0xFF), Some(0)) => {
                    self.bits = self.bits << 8 | 0xFF;
                    self.at += 2;
                }
                (Some(0xFF), _) | (None, _) => {
                    self.stopped = true;
                    return;
                }
                (Some(&byte), _) => {
                    self.bits = self.bits << 8 | u64::from(byte);
                    self.at += 1;
                }
            }
            self.count += 8;
        }
    }

    #[inline]
    fn take(&mut self, n: u32) -> Option<u32> {
        if self.count < n {
            self.refill();
        }
        self.count = self.count.checked_sub(n)?;
        Some((self.bits >> self.count) as u32 & ((1 << n) - 1))
    }

    #[inline]
    fn symbol(&mut self, table: &Table) -> Option<u8> {
        if self.count < 16 {
            self.refill();
        }
        let window = if self.count >= 16 {
            (self.bits >> (self.count - 16)) as u32 & 0xFFFF
        } else {
            (self.bits << (16 - self.count)) as u32 & 0xFFFF
        };
        let entry = *table.short.get((window >> (16 - SHORT)) as usize)?;
        if entry > 0 {
            self.count = self.count.checked_sub(u32::from(entry >> 8))?;
            return Some(entry as u8);
        }
        for length in SHORT + 1..=16 {
            let l = length as usize;
            if window < table.limit[l] {
                self.count = self.count.checked_sub(length)?;
                let offset = (window >> (16 - length)).checked_sub(table.first[l])?;
                return table.symbols.get(table.index[l] + offset as usize).copied();
            }
        }
        None
    }

    /// Drops what is left of the interval. Whole bytes that no block uses
    /// go with the padding bits.
    fn align(&mut self) {
        self.bits = 0;
        self.count = 0;
        self.stopped = false;
    }

    /// Goes to the next marker, past bytes that belong to nothing.
    fn marker(&mut self) -> Option<u8> {
        // Bytes already taken into `bits` hold no marker.
        self.align();
        loop {
            match (self.data.get(self.at)?, self.data.get(self.at + 1)) {
                (0xFF, Some(&m)) if m != 0 && m != 0xFF => return Some(m),
                _ => self.at += 1,
            }
        }
    }
}

/// One part of a scan: which component, which tables it reads with.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) component: usize,
    pub(super) dc: Option<Table>,
    pub(super) ac: Option<Table>,
    /// Table number it is written with, 0 or 1.
    pub(super) slot: u32,
}

/// What a scan codes.
#[derive(Clone, Debug)]
pub(super) struct Scan {
    pub(super) members: Vec<Member>,
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) high: u32,
    pub(super) low: u32,
    pub(super) restart: u32,
    pub(super) progressive: bool,
}

/// Block grid of a component, and what a progressive picture knows of it.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    pub(super) h: u32,
    pub(super) v: u32,
    pub(super) wide: u32,
    pub(super) high: u32,
    pub(super) stride: u32,
    pub(super) rows: u32,
    /// Coefficients that are not zero, a bit each.
    pub(super) nonzero: Vec<u64>,
}

/// Symbols in order. `kind << 29 | n << 24 | symbol << 16 | extra`: kinds 0
/// to 3 are DC 0, DC 1, AC 0, AC 1 with `n` extra bits; 4 are bare bits; 5
/// is a restart.
#[derive(Debug, Default)]
pub(super) struct Tokens(pub(super) Vec<u32>);

impl Tokens {
    #[inline]
    fn symbol(&mut self, kind: u32, symbol: u8, n: u32, extra: u32) {
        self.0.push(kind << 29 | n << 24 | u32::from(symbol) << 16 | extra);
    }

    #[inline]
    fn bit(&mut self, bit: u32) {
        if let Some(last) = self.0.last_mut()
            && *last >> 29 == 4
            && *last >> 24 & 31 < 16
        {
            let n = (*last >> 24 & 31) + 1;
            *last = 4 << 29 | n << 24 | (*last & 0xFFFF) << 1 & 0xFFFF | bit;
            return;
        }
        self.0.push(4 << 29 | 1 << 24 | bit);
    }
}

/// Reads one scan from the start of `data`. Returns its symbols and where
/// the next marker is; `visits` bounds the work over all scans.
pub(super) fn read(
    data: &[u8],
    scan: &Scan,
    grids: &mut [Grid],
    (across, down): (u32, u32),
    visits: &mut u64,
) -> Result<(Tokens, usize), StripError> {
    let mut bits = Bits { data, at: 0, bits: 0, count: 0, stopped: false };
    let mut out = Tokens::default();
    let mut run = 0u32;
    let alone = scan.members.len() == 1;
    let (mut unit, mut restarts) = (0u32, 0u32);
    for y in 0..down {
        for x in 0..across {
            if scan.restart > 0 && unit == scan.restart {
                let expected = 0xD0 + (restarts & 7) as u8;
                if bits.marker() != Some(expected) {
                    return Err(damaged("a restart marker of the picture data is missing"));
                }
                bits.at += 2;
                out.0.push(5 << 29);
                restarts += 1;
                unit = 0;
                run = 0;
            }
            unit += 1;
            for member in &scan.members {
                let Some(grid) = grids.get_mut(member.component) else { continue };
                let (h, v) = if alone { (1, 1) } else { (grid.h, grid.v) };
                *visits = visits
                    .checked_sub(u64::from(h * v))
                    .ok_or_else(|| too_large("the picture asks for too much work"))?;
                for dy in 0..v {
                    for dx in 0..h {
                        let index =
                            (y * v + dy) as usize * grid.stride as usize + (x * h + dx) as usize;
                        let mut none = 0;
                        let state = grid.nonzero.get_mut(index).unwrap_or(&mut none);
                        if block(&mut bits, scan, member, &mut run, state, &mut out).is_none() {
                            return Err(if bits.at >= data.len() {
                                truncated("the picture data")
                            } else {
                                damaged("the picture data cannot be decoded")
                            });
                        }
                    }
                }
            }
        }
        if out.0.len() > MAX_TOKENS {
            return Err(too_large("the picture has too much data"));
        }
    }
    if run > 0 {
        return Err(damaged("the picture data announces more blocks than there are"));
    }
    // A file without an end mark ends here.
    let _marker = bits.marker();
    Ok((out, bits.at.min(data.len())))
}

#[inline]
fn block(
    bits: &mut Bits<'_>,
    scan: &Scan,
    member: &Member,
    run: &mut u32,
    state: &mut u64,
    out: &mut Tokens,
) -> Option<()> {
    let slot = member.slot;
    if scan.first == 0 {
        if scan.high > 0 {
            out.bit(bits.take(1)?);
        } else {
            let size = bits.symbol(member.dc.as_ref()?)?;
            if size > 11 {
                return None;
            }
            let extra = bits.take(size.into())?;
            out.symbol(slot, size, size.into(), extra);
        }
        if scan.progressive {
            return Some(());
        }
    }
    let ac = member.ac.as_ref()?;
    if scan.high > 0 {
        return refine(bits, scan, ac, slot, run, state, out);
    }
    if *run > 0 {
        *run -= 1;
        return Some(());
    }
    let mut k = scan.first.max(1);
    while k <= scan.last {
        let symbol = bits.symbol(ac)?;
        let (zeros, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        if size == 0 {
            if zeros == 15 {
                out.symbol(2 + slot, symbol, 0, 0);
                k += 16;
                continue;
            }
            if !scan.progressive && zeros > 0 {
                return None;
            }
            let extra = bits.take(zeros)?;
            out.symbol(2 + slot, symbol, zeros, extra);
            *run = (1 << zeros) - 1 + extra;
            return Some(());
        }
        k += zeros;
        if k > scan.last || size > 10 {
            return None;
        }
        let extra = bits.take(size)?;
        out.symbol(2 + slot, symbol, size, extra);
        *state |= 1 << k;
        k += 1;
    }
    (k <= scan.last + 1).then_some(())
}

/// A refinement scan (T.81, G.1.2.3).
fn refine(
    bits: &mut Bits<'_>,
    scan: &Scan,
    ac: &Table,
    slot: u32,
    run: &mut u32,
    state: &mut u64,
    out: &mut Tokens,
) -> Option<()> {
    let mut k = scan.first;
    if *run == 0 {
        while k <= scan.last {
            let symbol = bits.symbol(ac)?;
            let (mut zeros, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            if size == 0 && zeros < 15 {
                let extra = bits.take(zeros)?;
                out.symbol(2 + slot, symbol, zeros, extra);
                *run = (1 << zeros) + extra;
                break;
            }
            match size {
                0 => out.symbol(2 + slot, symbol, 0, 0),
                1 => {
                    let sign = bits.take(1)?;
                    out.symbol(2 + slot, symbol, 1, sign);
                }
                _ => return None,
            }
            let mut placed = false;
            while k <= scan.last {
                if *state >> k & 1 == 1 {
                    out.bit(bits.take(1)?);
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
    if *run > 0 {
        while k <= scan.last {
            if *state >> k & 1 == 1 {
                out.bit(bits.take(1)?);
            }
            k += 1;
        }
        *run -= 1;
    }
    Some(())
}
