//! H.264 headers: decoder configuration, parameter sets, slice headers.
//!
//! Only what this crate needs to decide about a stream, read strictly: a
//! set that holds anything unusual, or does not end where its syntax says,
//! is not read at all. Syntax: ITU-T H.264, 7.3.2, 7.3.3 and E.1; ISO/IEC
//! 14496-15, 5.3.3.1.

use super::Cicp;
use super::bits::Bits;

/// An `AVCDecoderConfigurationRecord`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Config {
    /// Bytes of the length before each NAL unit: 1, 2 or 4.
    pub(super) length_size: usize,
    /// Sequence parameter sets, with their NAL headers.
    pub(super) sps: Vec<Vec<u8>>,
    /// Picture parameter sets, with their NAL headers.
    pub(super) pps: Vec<Vec<u8>>,
}

impl Config {
    /// Reads a record; `None` if it is none.
    pub(super) fn read(record: &[u8]) -> Option<Self> {
        let [1, _, _, _, length, count, rest @ ..] = record else { return None };
        let length_size = usize::from(length & 3) + 1;
        let (sps, rest) = sets(rest, usize::from(count & 31))?;
        let (&count, rest) = rest.split_first()?;
        let (pps, _) = sets(rest, usize::from(count))?;
        (length_size != 3).then_some(Self { length_size, sps, pps })
    }
}

/// Takes `count` sets, each behind its length.
fn sets(mut rest: &[u8], count: usize) -> Option<(Vec<Vec<u8>>, &[u8])> {
    let mut list = Vec::with_capacity(count);
    for _ in 0..count {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let (set, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        list.push(set.to_vec());
        rest = after;
    }
    Some((list, rest))
}

/// NAL units behind length fields of `length_size` bytes; `None` in place
/// of the first that does not fit.
pub(super) fn units(mut data: &[u8], length_size: usize) -> impl Iterator<Item = Option<&[u8]>> {
    std::iter::from_fn(move || {
        if data.is_empty() {
            return None;
        }
        let unit = data.split_at_checked(length_size).and_then(|(length, after)| {
            let length = length.iter().fold(0_usize, |sum, &b| sum << 8 | usize::from(b));
            let (unit, after) = after.split_at_checked(length)?;
            data = after;
            (!unit.is_empty()).then_some(unit)
        });
        if unit.is_none() {
            data = &[];
        }
        Some(unit)
    })
}

/// A sequence parameter set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sps {
    pub(super) profile: u8,
    pub(super) level: u8,
    pub(super) id: u32,
    /// 1 is 4:2:0.
    pub(super) chroma_format: u32,
    /// The larger of both bit depths.
    pub(super) depth: u32,
    pub(super) frame_num_bits: u32,
    pub(super) gaps_allowed: bool,
    /// Picture size in macroblocks.
    pub(super) macroblocks: (u32, u32),
    pub(super) frames_only: bool,
    /// Shown size in pixels.
    pub(super) size: (u32, u32),
    /// Width to height of a pixel; `None` if not told.
    pub(super) aspect: Option<(u32, u32)>,
    /// Colour; 2 everywhere if not told.
    pub(super) colour: Cicp,
    /// True if chroma samples lie where they usually do.
    pub(super) usual_chroma_place: bool,
    /// Pictures that are decoded before one they are shown after, at most;
    /// `None` if not told.
    pub(super) reordered: Option<u32>,
}

/// Sample aspect ratios by `aspect_ratio_idc` (table E-1).
const ASPECTS: [(u32, u32); 17] = [
    (0, 0),
    (1, 1),
    (12, 11),
    (10, 11),
    (16, 11),
    (40, 33),
    (24, 11),
    (20, 11),
    (32, 11),
    (80, 33),
    (18, 11),
    (15, 11),
    (64, 33),
    (160, 99),
    (4, 3),
    (3, 2),
    (2, 1),
];

impl Sps {
    /// Reads a set with its NAL header. `None` if it holds scaling matrices
    /// or anything beyond its syntax.
    pub(super) fn read(unit: &[u8]) -> Option<Self> {
        if unit.first()? & 0x9F != 7 || unit.len() > 256 {
            return None;
        }
        let mut b = Bits::of_unit(unit, 1);
        let profile = b.u(8)? as u8;
        b.u(8)?;
        let level = b.u(8)? as u8;
        let id = b.ue()?;
        let (mut chroma_format, mut depth) = (1, 8);
        if matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128) {
            chroma_format = b.ue()?;
            if chroma_format == 3 {
                b.bit()?;
            }
            depth = b.ue()?.max(b.ue()?).checked_add(8)?;
            b.bit()?;
            if b.bit()? {
                return None;
            }
        }
        let frame_num_bits = b.ue()?.checked_add(4).filter(|&n| n <= 16)?;
        match b.ue()? {
            0 => {
                b.ue().filter(|&n| n <= 12)?;
            }
            1 => {
                b.bit()?;
                b.se()?;
                b.se()?;
                let cycle = b.ue().filter(|&n| n <= 255)?;
                for _ in 0..cycle {
                    b.se()?;
                }
            }
            2 => {}
            _ => return None,
        }
        b.ue()?;
        let gaps_allowed = b.bit()?;
        let side = |n: u32| n.checked_add(1).filter(|&n| n <= 1_024);
        let macroblocks = (side(b.ue()?)?, side(b.ue()?)?);
        let frames_only = b.bit()?;
        if !frames_only {
            b.bit()?;
        }
        b.bit()?;
        let mut size = (macroblocks.0 * 16, macroblocks.1 * 16 * if frames_only { 1 } else { 2 });
        if b.bit()? {
            let (left, right, top, bottom) = (b.ue()?, b.ue()?, b.ue()?, b.ue()?);
            // In units of chroma samples of 4:2:0, the only layout carried.
            let off = |a: u32, b: u32| a.checked_add(b)?.checked_mul(2);
            let rows = off(top, bottom)?.checked_mul(if frames_only { 1 } else { 2 })?;
            size = (size.0.checked_sub(off(left, right)?)?, size.1.checked_sub(rows)?);
        }
        let mut sps = Self {
            profile,
            level,
            id,
            chroma_format,
            depth,
            frame_num_bits,
            gaps_allowed,
            macroblocks,
            frames_only,
            size,
            aspect: None,
            colour: Cicp { primaries: 2, transfer: 2, matrix: 2, full_range: false },
            usual_chroma_place: true,
            reordered: None,
        };
        if b.bit()? {
            sps.vui(&mut b)?;
        }
        b.ended().then_some(sps)
    }

    fn vui(&mut self, b: &mut Bits) -> Option<()> {
        if b.bit()? {
            let index = b.u(8)?;
            let aspect = match ASPECTS.get(index as usize) {
                Some(&aspect) => aspect,
                None if index == 255 => (b.u(16)?, b.u(16)?),
                None => return None,
            };
            self.aspect = (aspect.0 > 0 && aspect.1 > 0).then_some(aspect);
        }
        if b.bit()? {
            b.bit()?;
        }
        if b.bit()? {
            b.u(3)?;
            self.colour.full_range = b.bit()?;
            if b.bit()? {
                self.colour.primaries = b.u(8)? as u8;
                self.colour.transfer = b.u(8)? as u8;
                self.colour.matrix = b.u(8)? as u8;
            }
        }
        if b.bit()? {
            self.usual_chroma_place = (b.ue()?, b.ue()?) == (0, 0);
        }
        if b.bit()? {
            b.u(32)?;
            b.u(32)?;
            b.bit()?;
        }
        let nal = b.bit()?;
        if nal {
            hrd(b)?;
        }
        let vcl = b.bit()?;
        if vcl {
            hrd(b)?;
        }
        if nal || vcl {
            b.bit()?;
        }
        b.bit()?;
        if b.bit()? {
            b.bit()?;
            for _ in 0..4 {
                b.ue()?;
            }
            self.reordered = Some(b.ue()?);
            b.ue()?;
        }
        Some(())
    }
}

fn hrd(b: &mut Bits) -> Option<()> {
    let count = b.ue().filter(|&n| n <= 31)?;
    b.u(8)?;
    for _ in 0..=count {
        b.ue()?;
        b.ue()?;
        b.bit()?;
    }
    b.u(20).map(drop)
}

/// A picture parameter set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pps {
    pub(super) id: u32,
    pub(super) sps: u32,
}

impl Pps {
    /// Reads a set with its NAL header. `None` if it holds slice groups,
    /// redundant pictures, scaling matrices or anything beyond its syntax.
    pub(super) fn read(unit: &[u8]) -> Option<Self> {
        if unit.first()? & 0x9F != 8 || unit.len() > 64 {
            return None;
        }
        let mut b = Bits::of_unit(unit, 1);
        let (id, sps) = (b.ue()?, b.ue()?);
        b.u(2)?;
        if b.ue()? != 0 {
            return None;
        }
        b.ue()?;
        b.ue()?;
        b.u(3)?;
        b.se()?;
        b.se()?;
        b.se()?;
        b.u(2)?;
        if b.bit()? {
            return None;
        }
        if b.more() {
            b.bit()?;
            if b.bit()? {
                return None;
            }
            b.se()?;
        }
        b.ended().then_some(Self { id, sps })
    }
}

/// The beginning of a slice header (7.3.3), of a stream of whole frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SliceStart {
    pub(super) first_macroblock: u32,
    pub(super) pps: u32,
    pub(super) frame_num: u32,
}

impl SliceStart {
    /// Reads the header of a slice (types 1 and 5) with its NAL header.
    pub(super) fn read(unit: &[u8], sps: &Sps) -> Option<Self> {
        // Enough for the fields wanted, emulation prevention included.
        let head = unit.get(..unit.len().min(40))?;
        let mut b = Bits::of_unit(head, 1);
        let first_macroblock = b.ue()?;
        b.ue().filter(|&kind| kind <= 9)?;
        let pps = b.ue()?;
        Some(Self { first_macroblock, pps, frame_num: b.u(sps.frame_num_bits)? })
    }
}

#[cfg(test)]
mod tests;
