//! Vorbis I headers: what they say, and where the setup header really ends
//! (Vorbis I specification, 4.2).

use crate::bytes::{le32, part};
use crate::strip::StripError;
use crate::strip::sound::bits::Lsb;
use crate::strip::sound::flow::damaged;

/// What the headers say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Headers {
    channels: u8,
    rate: u32,
    /// Both block sizes as powers of two, the short one in the low half.
    blocks: u8,
    /// The setup header, cut where its syntax ends.
    pub(super) setup: Vec<u8>,
    /// For each mode, whether its blocks are long.
    modes: Vec<bool>,
}

impl Headers {
    pub(super) fn parse(head: &[u8], setup: &[u8]) -> Result<Self, StripError> {
        Self::fields(head, setup).ok_or_else(|| damaged("its headers"))
    }

    fn fields(head: &[u8], setup: &[u8]) -> Option<Self> {
        let version = le32(head, 7)?;
        let (channels, rate) = (*head.get(11)?, le32(head, 12)?);
        let (blocks, framing) = (*head.get(28)?, *head.get(29)?);
        let (short, long) = (blocks & 15, blocks >> 4);
        let good = version == 0
            && channels > 0
            && rate > 0
            && framing & 1 == 1
            && (6..=13).contains(&short)
            && (short..=13).contains(&long);
        if !good || part(setup, 0, 7)? != b"\x05vorbis" {
            return None;
        }
        let (bits, modes) = read_setup(setup.get(7..)?, channels)?;
        let mut setup = setup.get(..7 + bits.div_ceil(8))?.to_vec();
        if bits % 8 != 0 {
            *setup.last_mut()? &= (1u8 << (bits % 8)) - 1;
        }
        Some(Self { channels, rate, blocks, setup, modes })
    }

    /// The identification header. The three bit rates are hints of the
    /// encoder's settings and unset.
    pub(super) fn identification(&self) -> Vec<u8> {
        let mut b = b"\x01vorbis\0\0\0\0".to_vec();
        b.push(self.channels);
        b.extend(self.rate.to_le_bytes());
        b.extend([0; 12]);
        b.extend([self.blocks, 1]);
        b
    }

    /// Samples of the block in an audio packet; `None` for other packets.
    pub(super) fn block(&self, packet: &[u8]) -> Option<u64> {
        let mut r = Lsb::new(packet);
        if r.flag()? {
            return None;
        }
        let mode = r.u(ilog(self.modes.len() as u32 - 1))?;
        let long = *self.modes.get(mode as usize)?;
        Some(1 << if long { self.blocks >> 4 } else { self.blocks & 15 })
    }
}

/// The comment header: no vendor, no comments.
pub(super) fn comment() -> Vec<u8> {
    let mut b = b"\x03vorbis".to_vec();
    b.extend([0; 8]);
    b.push(1);
    b
}

/// Bits needed for `n`.
const fn ilog(n: u32) -> u32 {
    32 - n.leading_zeros()
}

/// Walks the setup header; its length in bits and the modes.
fn read_setup(b: &[u8], channels: u8) -> Option<(usize, Vec<bool>)> {
    let mut r = Lsb::new(b);
    for _ in 0..=r.u(8)? {
        codebook(&mut r)?;
    }
    for _ in 0..=r.u(6)? {
        (r.u(16)? == 0).then_some(())?;
    }
    for _ in 0..=r.u(6)? {
        floor(&mut r)?;
    }
    for _ in 0..=r.u(6)? {
        residue(&mut r)?;
    }
    for _ in 0..=r.u(6)? {
        mapping(&mut r, channels)?;
    }
    let count = r.u(6)? + 1;
    let mut modes = Vec::new();
    for _ in 0..count {
        modes.push(r.flag()?);
        (r.u(32)? == 0).then_some(())?;
        r.u(8)?;
    }
    r.flag()?.then_some((r.at(), modes))
}

fn codebook(r: &mut Lsb<'_>) -> Option<()> {
    (r.u(24)? == 0x0056_4342).then_some(())?;
    let (dimensions, entries) = (r.u(16)?, r.u(24)?);
    if r.flag()? {
        r.u(5)?;
        let mut done = 0;
        while done < entries {
            let run = r.u(ilog(entries - done))?;
            done += run;
            if done > entries {
                return None;
            }
        }
    } else if r.flag()? {
        for _ in 0..entries {
            if r.flag()? {
                r.u(5)?;
            }
        }
    } else {
        r.skip(u64::from(entries) * 5)?;
    }
    let lookup = r.u(4)?;
    if lookup == 0 {
        return Some(());
    }
    r.skip(64)?;
    let bits = u64::from(r.u(4)? + 1);
    r.skip(1)?;
    let values = match lookup {
        1 => lookup1(entries, dimensions)?,
        2 => u64::from(entries) * u64::from(dimensions),
        _ => return None,
    };
    r.skip(values.checked_mul(bits)?)
}

/// The greatest number whose power to `dimensions` is at most `entries`.
fn lookup1(entries: u32, dimensions: u32) -> Option<u64> {
    (dimensions > 0).then_some(())?;
    let fits = |n: u64| n.checked_pow(dimensions).is_some_and(|power| power <= u64::from(entries));
    let (mut low, mut high) = (0u64, u64::from(entries) + 1);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if fits(middle) { low = middle } else { high = middle }
    }
    Some(low)
}

fn floor(r: &mut Lsb<'_>) -> Option<()> {
    match r.u(16)? {
        0 => {
            r.skip(8 + 16 + 16 + 6 + 8)?;
            let books = u64::from(r.u(4)? + 1);
            return r.skip(books * 8);
        }
        1 => {}
        _ => return None,
    }
    let partitions = r.u(5)?;
    let mut classes = Vec::new();
    for _ in 0..partitions {
        classes.push(r.u(4)?);
    }
    let mut dimensions = [0u64; 16];
    let kinds = classes.iter().max().map_or(0, |m| m + 1);
    for d in dimensions.iter_mut().take(kinds as usize) {
        *d = u64::from(r.u(3)? + 1);
        let sub = r.u(2)?;
        if sub > 0 {
            r.u(8)?;
        }
        r.skip(8 << sub)?;
    }
    r.u(2)?;
    let bits = u64::from(r.u(4)?);
    for class in classes {
        r.skip(bits * dimensions.get(class as usize).copied()?)?;
    }
    Some(())
}

fn residue(r: &mut Lsb<'_>) -> Option<()> {
    (r.u(16)? <= 2).then_some(())?;
    r.skip(72)?;
    let classes = r.u(6)? + 1;
    r.u(8)?;
    let mut books = 0;
    for _ in 0..classes {
        let low = r.u(3)?;
        let high = if r.flag()? { r.u(5)? } else { 0 };
        books += u64::from((low | high << 3).count_ones());
    }
    r.skip(books * 8)
}

fn mapping(r: &mut Lsb<'_>, channels: u8) -> Option<()> {
    (r.u(16)? == 0).then_some(())?;
    let submaps = if r.flag()? { r.u(4)? + 1 } else { 1 };
    if r.flag()? {
        let steps = u64::from(r.u(8)? + 1);
        r.skip(steps * 2 * u64::from(ilog(u32::from(channels) - 1)))?;
    }
    (r.u(2)? == 0).then_some(())?;
    if submaps > 1 {
        r.skip(u64::from(channels) * 4)?;
    }
    r.skip(u64::from(submaps) * 24)
}
