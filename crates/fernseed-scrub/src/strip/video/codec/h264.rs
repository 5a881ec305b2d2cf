//! H.264: parameter sets read to their last bit, and the units that make a
//! picture (ITU-T H.264, 7.3 and Annex E).

use super::bits::{Bits, Writer};
use super::nal;
use super::sets::{SetKey, Unit};

/// What a sequence parameter set says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Sps {
    pub(in super::super) id: u32,
    pub(in super::super) chroma: u32,
    pub(in super::super) luma_depth: u32,
    pub(in super::super) chroma_depth: u32,
    pub(in super::super) width: u32,
    pub(in super::super) height: u32,
    /// Most pixels cropped from one side.
    pub(in super::super) crop: u32,
    pub(in super::super) aspect: Option<(u32, u32)>,
    /// `(num_units_in_tick, time_scale)`.
    pub(in super::super) timing: Option<(u32, u32)>,
}

/// Pixel shapes of table E-1 (the same in HEVC).
pub(super) const ASPECTS: [(u32, u32); 17] = [
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

/// Sorts a unit of a sample (7.4.1, table 7-1).
pub(super) fn classify(unit: &[u8]) -> Unit {
    let header = unit.first().copied().unwrap_or(0x80);
    if header & 0x80 != 0 {
        return Unit::Drop;
    }
    let reference = header & 0x60 != 0;
    match header & 0x1F {
        5 => Unit::Slice { key: true, disposable: false },
        1..=4 => Unit::Slice { key: false, disposable: !reference },
        7 | 8 => Unit::Set,
        14 | 15 | 19 | 20 | 21 => Unit::Layer,
        6 | 9..=13 => Unit::Drop,
        _ => Unit::Unknown,
    }
}

/// A parameter set rebuilt from its parsed bits; its kind and number.
pub(super) fn set(unit: &[u8]) -> Option<(SetKey, Vec<u8>)> {
    let (&header, body) = unit.split_first()?;
    if unit.len() > 4096 {
        return None;
    }
    let raw = nal::rbsp(body);
    let (key, end) = match header & 0x1F {
        7 => {
            let (sps, end) = sps_bits(&raw)?;
            ((7, sps.id), end)
        }
        8 => {
            let (id, end) = pps_bits(&raw)?;
            // How a picture parameter set is read depends on where it ends
            // (more_rbsp_data); without what follows it must read the same.
            let mut alone = Writer::default();
            alone.parsed(&raw, 0, end);
            alone.trailing();
            (pps_bits(&alone.done())? == (id, end)).then_some(())?;
            ((8, id), end)
        }
        _ => return None,
    };
    let mut w = Writer::default();
    w.parsed(&raw, 0, end);
    w.trailing();
    // Sets are always references (nal_ref_idc); its value is free otherwise.
    let mut out = vec![0x60 | header & 0x1F];
    out.extend(nal::escape(&w.done()));
    Some((key, out))
}

/// The facts of a rebuilt sequence parameter set.
pub(in super::super) fn sps(unit: &[u8]) -> Option<Sps> {
    sps_bits(&nal::rbsp(unit.get(1..)?)).map(|(s, _)| s)
}

fn sps_bits(raw: &[u8]) -> Option<(Sps, usize)> {
    let mut r = Bits::new(raw);
    let profile = r.u(8)?;
    r.u(16)?;
    let mut s = Sps { id: r.ue()?, chroma: 1, luma_depth: 8, chroma_depth: 8, ..Sps::default() };
    let mut planes = false;
    if matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135) {
        s.chroma = r.ue()?;
        if s.chroma == 3 {
            planes = r.flag()?;
        }
        s.luma_depth = r.ue()?.checked_add(8)?;
        s.chroma_depth = r.ue()?.checked_add(8)?;
        r.u(1)?;
        if r.flag()? {
            for i in 0..if s.chroma == 3 { 12 } else { 8 } {
                if r.flag()? {
                    scaling_list(&mut r, if i < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    if s.id > 31 || s.chroma > 3 || s.luma_depth > 14 || s.chroma_depth > 14 {
        return None;
    }
    r.ue()?;
    match r.ue()? {
        0 => {
            r.ue()?;
        }
        1 => {
            r.u(1)?;
            r.se()?;
            r.se()?;
            let cycle = r.ue()?;
            for _ in 0..(cycle <= 255).then_some(cycle)? {
                r.se()?;
            }
        }
        2 => {}
        _ => return None,
    }
    r.ue()?;
    r.u(1)?;
    let (mbs, units) = (r.ue()?.checked_add(1)?, r.ue()?.checked_add(1)?);
    let frames = r.u(1)?;
    if frames == 0 {
        r.u(1)?;
    }
    r.u(1)?;
    s.width = mbs.checked_mul(16)?;
    s.height = units.checked_mul(16)?.checked_mul(2 - frames)?;
    if r.flag()? {
        let (x, y) = match (s.chroma, planes) {
            (0, _) | (3, _) => (1, 2 - frames),
            (1, _) => (2, 2 * (2 - frames)),
            _ => (2, 2 - frames),
        };
        let mut sides = [0u32; 4];
        for (side, unit) in sides.iter_mut().zip([x, x, y, y]) {
            *side = r.ue()?.checked_mul(unit)?;
        }
        s.crop = sides.into_iter().max()?;
        let [left, right, top, bottom] = sides;
        s.width = s.width.checked_sub(left.checked_add(right)?)?;
        s.height = s.height.checked_sub(top.checked_add(bottom)?)?;
    }
    if r.flag()? {
        vui(&mut r, &mut s)?;
    }
    closed(&r).map(|end| (s, end))
}

/// The end of the syntax; nothing but the stop bit may follow, whatever
/// else does is left behind.
fn closed(r: &Bits<'_>) -> Option<usize> {
    // A set whose stop bit is missing has been cut.
    (r.left() > 0).then(|| r.at())
}

fn scaling_list(r: &mut Bits<'_>, size: u32) -> Option<()> {
    let (mut last, mut next) = (8i32, 8i32);
    for _ in 0..size {
        if next != 0 {
            next = (last.checked_add(r.se()?)?.checked_add(256)?).rem_euclid(256);
        }
        last = if next == 0 { last } else { next };
    }
    Some(())
}

fn vui(r: &mut Bits<'_>, s: &mut Sps) -> Option<()> {
    if r.flag()? {
        s.aspect = match r.u(8)? {
            255 => Some((r.u(16)?, r.u(16)?)),
            n => ASPECTS.get(n as usize).copied(),
        };
    }
    if r.flag()? {
        r.u(1)?;
    }
    if r.flag()? {
        r.u(4)?;
        if r.flag()? {
            r.u(24)?;
        }
    }
    if r.flag()? {
        r.ue()?;
        r.ue()?;
    }
    if r.flag()? {
        s.timing = Some((r.u(32)?, r.u(32)?));
        r.u(1)?;
    }
    let nal = r.flag()?;
    if nal {
        hrd(r)?;
    }
    let vcl = r.flag()?;
    if vcl {
        hrd(r)?;
    }
    if nal || vcl {
        r.u(1)?;
    }
    r.u(1)?;
    if r.flag()? {
        r.u(1)?;
        for _ in 0..6 {
            r.ue()?;
        }
    }
    Some(())
}

fn hrd(r: &mut Bits<'_>) -> Option<()> {
    let count = r.ue()?;
    r.u(8)?;
    for _ in 0..=(count <= 31).then_some(count)? {
        r.ue()?;
        r.ue()?;
        r.u(1)?;
    }
    r.u(20)?;
    Some(())
}

/// `(number, end)` of a picture parameter set (7.3.2.2).
fn pps_bits(raw: &[u8]) -> Option<(u32, usize)> {
    let mut r = Bits::new(raw);
    let id = r.ue()?;
    let sps = r.ue()?;
    if id > 255 || sps > 31 {
        return None;
    }
    r.u(2)?;
    let groups = r.ue()?;
    if groups > 0 {
        slice_groups(&mut r, (groups <= 7).then_some(groups)?)?;
    }
    r.ue()?;
    r.ue()?;
    r.u(3)?;
    r.se()?;
    r.se()?;
    r.se()?;
    r.u(3)?;
    if r.more_rbsp() {
        let transform8 = r.u(1)?;
        if r.flag()? {
            // How many lists there are for 4:4:4 is said by the SPS; what
            // fits before the stop bit decides here.
            let lists = 6 + 2 * transform8;
            for i in 0..lists {
                if r.flag()? {
                    scaling_list(&mut r, if i < 6 { 16 } else { 64 })?;
                }
            }
            let mut after = r;
            if transform8 == 1 && after.se().is_none_or(|_| after.more_rbsp()) {
                for _ in 0..4 {
                    if r.flag()? {
                        scaling_list(&mut r, 64)?;
                    }
                }
            }
        }
        r.se()?;
    }
    closed(&r).map(|end| (id, end))
}

fn slice_groups(r: &mut Bits<'_>, groups: u32) -> Option<()> {
    match r.ue()? {
        0 => {
            for _ in 0..=groups {
                r.ue()?;
            }
        }
        1 => {}
        2 => {
            for _ in 0..groups {
                r.ue()?;
                r.ue()?;
            }
        }
        3..=5 => {
            r.u(1)?;
            r.ue()?;
        }
        6 => {
            let units = r.ue()?;
            let width = match groups {
                4..=7 => 3,
                2 | 3 => 2,
                _ => 1,
            };
            for _ in 0..=(units <= 65_535).then_some(units)? {
                r.u(width)?;
            }
        }
        _ => return None,
    }
    Some(())
}

/// `AVCDecoderConfigurationRecord` (ISO/IEC 14496-15, 5.3.3.1).
pub(in super::super) fn config(sets: &[(SetKey, Vec<u8>)]) -> Option<Vec<u8>> {
    let of = |kind| sets.iter().filter(move |((k, _), _)| *k == kind).map(|(_, s)| s);
    let first = of(7).next()?;
    let facts = sps(first)?;
    let mut out = vec![1, *first.get(1)?, *first.get(2)?, *first.get(3)?, 0xFF];
    for (kind, most, mark) in [(7, 31, 0xE0), (8, 255, 0)] {
        let count = u8::try_from(of(kind).count()).ok().filter(|&n| n > 0 && n <= most)?;
        out.push(mark | count);
        for s in of(kind) {
            out.extend_from_slice(&u16::try_from(s.len()).ok()?.to_be_bytes());
            out.extend_from_slice(s);
        }
    }
    if matches!(first.get(1), Some(100 | 110 | 122 | 144)) {
        out.push(0xFC | facts.chroma as u8);
        out.push(0xF8 | (facts.luma_depth - 8) as u8);
        out.push(0xF8 | (facts.chroma_depth - 8) as u8);
        out.push(0);
    }
    Some(out)
}

/// The sets of a configuration record, unchecked, and the bytes of its
/// length fields.
pub(in super::super) fn parse_config(b: &[u8]) -> Option<(u8, Vec<&[u8]>)> {
    let length = (b.get(4)? & 3) + 1;
    let mut list = Vec::new();
    let mut at = 5usize;
    for mask in [0x1F, 0xFF] {
        let count = b.get(at)? & mask;
        at += 1;
        for _ in 0..count {
            let size = usize::from(crate::bytes::be16(b, at)?);
            list.push(crate::bytes::part(b, at + 2, size)?);
            at += 2 + size;
        }
    }
    Some((length, list))
}
