//! What an HEVC sequence parameter set says about colour (ITU-T H.265,
//! 7.3.2.2 and annex E). The decoder keeps this to itself, and files
//! without a `colr` box say it nowhere else.

/// Code points and range of the coded samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Signal {
    pub(super) primaries: u8,
    pub(super) transfer: u8,
    pub(super) matrix: u8,
    pub(super) full_range: bool,
}

/// What is inferred where nothing is said (annex E.3.1).
const UNSAID: Signal = Signal { primaries: 2, transfer: 2, matrix: 2, full_range: false };

/// Reads the signal type of a sequence parameter set, given with its
/// two-byte header.
pub(super) fn signal(unit: &[u8]) -> Signal {
    let mut payload = Vec::with_capacity(unit.len().min(4096));
    let mut zeros = 0;
    for byte in unit.iter().skip(2).take(4096) {
        if zeros >= 2 && *byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        payload.push(*byte);
    }
    read(&mut Bits { bytes: &payload, at: 0 }).unwrap_or(UNSAID)
}

fn read(b: &mut Bits<'_>) -> Option<Signal> {
    b.skip(4)?;
    let sub_layers = b.u(3)?;
    b.skip(1)?;
    profile_tier_level(b, sub_layers)?;
    b.ue()?;
    if b.ue()? == 3 {
        b.skip(1)?;
    }
    b.ues(2)?;
    if b.flag()? {
        b.ues(4)?;
    }
    b.ues(2)?;
    let poc_bits = b.ue()?.checked_add(4).filter(|n| *n <= 16)?;
    let first = if b.flag()? { 0 } else { sub_layers };
    b.ues((sub_layers - first + 1) * 3)?;
    b.ues(6)?;
    if b.flag()? && b.flag()? {
        scaling_lists(b)?;
    }
    b.skip(2)?;
    if b.flag()? {
        b.skip(8)?;
        b.ues(2)?;
        b.skip(1)?;
    }
    short_term_sets(b)?;
    if b.flag()? {
        for _ in 0..b.ue().filter(|n| *n <= 32)? {
            b.skip(poc_bits + 1)?;
        }
    }
    b.skip(2)?;
    if !b.flag()? {
        return None;
    }
    // Aspect ratio, overscan, signal type.
    if b.flag()? && b.u(8)? == 255 {
        b.skip(32)?;
    }
    if b.flag()? {
        b.skip(1)?;
    }
    if !b.flag()? {
        return None;
    }
    b.skip(3)?;
    let full_range = b.flag()?;
    if !b.flag()? {
        return Some(Signal { full_range, ..UNSAID });
    }
    let (primaries, transfer, matrix) = (b.u(8)? as u8, b.u(8)? as u8, b.u(8)? as u8);
    Some(Signal { primaries, transfer, matrix, full_range })
}

fn profile_tier_level(b: &mut Bits<'_>, sub_layers: u32) -> Option<()> {
    b.skip(96)?;
    let mut present = Vec::new();
    for _ in 0..sub_layers {
        present.push((b.flag()?, b.flag()?));
    }
    if sub_layers > 0 {
        b.skip((8 - sub_layers) * 2)?;
    }
    for (profile, level) in present {
        b.skip(if profile { 88 } else { 0 } + if level { 8 } else { 0 })?;
    }
    Some(())
}

fn scaling_lists(b: &mut Bits<'_>) -> Option<()> {
    for size in 0..4_u32 {
        for _ in (0..6).step_by(if size == 3 { 3 } else { 1 }) {
            if b.flag()? {
                let coefficients = 64.min(1 << (4 + (size << 1)));
                b.ues(coefficients + u32::from(size > 1))?;
            } else {
                b.ue()?;
            }
        }
    }
    Some(())
}

fn short_term_sets(b: &mut Bits<'_>) -> Option<()> {
    let mut deltas = 0;
    for index in 0..b.ue().filter(|n| *n <= 64)? {
        if index > 0 && b.flag()? {
            b.skip(1)?;
            b.ue()?;
            let mut kept = 0;
            for _ in 0..=deltas {
                if b.flag()? || b.flag()? {
                    kept += 1;
                }
            }
            deltas = kept;
        } else {
            let (before, after) = (b.ue()?, b.ue()?);
            deltas = before.checked_add(after).filter(|n| *n <= 32)?;
            for _ in 0..deltas {
                b.ue()?;
                b.skip(1)?;
            }
        }
    }
    Some(())
}

/// Reads bits, most significant first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn flag(&mut self) -> Option<bool> {
        let bit = self.bytes.get(self.at / 8)? >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit == 1)
    }

    fn u(&mut self, bits: u32) -> Option<u32> {
        (0..bits).try_fold(0, |v: u32, _| Some(v << 1 | u32::from(self.flag()?)))
    }

    fn skip(&mut self, bits: u32) -> Option<()> {
        self.at = self.at.checked_add(bits as usize)?;
        Some(())
    }

    /// An unsigned Exp-Golomb number (signed ones have the same length).
    fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1_u32 << zeros) - 1 + self.u(zeros)?)
    }

    fn ues(&mut self, count: u32) -> Option<()> {
        (0..count).try_for_each(|_| self.ue().map(|_| ()))
    }
}
