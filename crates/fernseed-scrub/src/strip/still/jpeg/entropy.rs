//! Entropy-coded data as a list of symbols (ITU-T T.81, F.2.2 and G.2).

use super::super::{StripError, damaged, too_large, truncated};
use super::bits::{Bits, Table};
use super::tokens::{MAX_TOKENS, Tokens};
use std::rc::Rc;

/// One part of a scan: which component, which tables it reads with.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) component: usize,
    pub(super) dc: Option<Rc<Table>>,
    pub(super) ac: Option<Rc<Table>>,
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

/// Reads one scan from the start of `data`. Returns its symbols and where
/// the next marker is; `visits` bounds the work over all scans.
pub(super) fn read(
    data: &[u8],
    scan: &Scan,
    grids: &mut [Grid],
    (across, down): (u32, u32),
    visits: &mut u64,
) -> Result<(Tokens, usize), StripError> {
    let mut bits = Bits::new(data);
    let mut out = Tokens::with_room_for(data.len());
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
                out.restart();
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
                        let done = if scan.progressive {
                            block(&mut bits, scan, member, &mut run, state, &mut out)
                        } else {
                            sequential(&mut bits, member, &mut out)
                        };
                        if done.is_none() {
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
        if out.list.len() > MAX_TOKENS {
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

/// A block of a sequential scan.
#[inline(always)]
fn sequential(bits: &mut Bits<'_>, member: &Member, out: &mut Tokens) -> Option<()> {
    let size = bits.symbol(member.dc.as_deref()?)?;
    if size > 11 {
        return None;
    }
    let extra = bits.take(size.into())?;
    out.symbol(member.slot, size, size.into(), extra);
    let (ac, kind) = (member.ac.as_deref()?, 2 + member.slot);
    let mut k = 1;
    while k < 64 {
        // Both the code and the bits behind it.
        bits.want();
        let symbol = bits.symbol(ac)?;
        let (zeros, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        if size == 0 {
            out.symbol(kind, symbol, 0, 0);
            match zeros {
                0 => return Some(()),
                15 => k += 16,
                _ => return None,
            }
            continue;
        }
        k += zeros + 1;
        if k > 64 || size > 10 {
            return None;
        }
        let extra = bits.take(size)?;
        out.symbol(kind, symbol, size, extra);
    }
    (k == 64).then_some(())
}

/// A block of a progressive scan.
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
            let size = bits.symbol(member.dc.as_deref()?)?;
            if size > 11 {
                return None;
            }
            let extra = bits.take(size.into())?;
            out.symbol(slot, size, size.into(), extra);
        }
        return Some(());
    }
    let ac = member.ac.as_deref()?;
    if scan.high > 0 {
        return refine(bits, scan, ac, slot, run, state, out);
    }
    if *run > 0 {
        *run -= 1;
        return Some(());
    }
    let mut k = scan.first;
    while k <= scan.last {
        let symbol = bits.symbol(ac)?;
        let (zeros, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        if size == 0 {
            if zeros == 15 {
                out.symbol(2 + slot, symbol, 0, 0);
                k += 16;
                continue;
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
