//! HEVC: parameter sets read to their last bit, and the units that make a
//! picture (ITU-T H.265, 7.3, 7.4.2.2 and Annex E).

use super::bits::{Bits, Writer};
use super::nal;
use super::sets::{SetKey, Unit};
use crate::bytes::{be16, part};

/// What a sequence parameter set says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Sps {
    pub(in super::super) id: u32,
    pub(in super::super) chroma: u32,
    pub(in super::super) luma_depth: u32,
    pub(in super::super) chroma_depth: u32,
    pub(in super::super) width: u32,
    pub(in super::super) height: u32,
    pub(in super::super) crop: u32,
    pub(in super::super) aspect: Option<(u32, u32)>,
    pub(in super::super) layers: u32,
    pub(in super::super) nested: u32,
    /// The twelve bytes from profile space to level.
    pub(in super::super) profile: [u8; 12],
}

/// Sorts a unit of a sample (table 7-1).
pub(super) fn classify(unit: &[u8]) -> Unit {
    let &[a, b, ..] = unit else { return Unit::Drop };
    if a & 0x80 != 0 || b & 7 == 0 {
        return Unit::Drop;
    }
    let layer = (a & 1) << 5 | b >> 3;
    let kind = a >> 1 & 0x3F;
    if layer != 0 {
        return if kind < 48 { Unit::Layer } else { Unit::Unknown };
    }
    match kind {
        // Sub-layer non-reference pictures, and RASL and RADL pictures that
        // are not references.
        0 | 2 | 4 | 6 | 8 => Unit::Slice { key: false, disposable: true },
        1 | 3 | 5 | 7 | 9 => Unit::Slice { key: false, disposable: false },
        16..=21 => Unit::Slice { key: true, disposable: false },
        32..=34 => Unit::Set,
        36 => Unit::SequenceEnd,
        35 | 37..=40 => Unit::Drop,
        _ => Unit::Unknown,
    }
}

/// A parameter set rebuilt from its parsed bits; its kind and number.
pub(super) fn set(unit: &[u8]) -> Option<(SetKey, Vec<u8>)> {
    let raw = nal::rbsp(unit.get(2..)?);
    if unit.len() > 4096 {
        return None;
    }
    let kind = unit.first()? >> 1 & 0x3F;
    let mut w = Writer::default();
    let id = match kind {
        32 => {
            let (id, end) = vps_bits(&raw)?;
            w.parsed(&raw, 0, end);
            // vps_extension_flag: layers that are not carried.
            w.put(0, 1);
            id
        }
        33 => {
            let (sps, end) = sps_bits(&raw)?;
            w.parsed(&raw, 0, end);
            sps.id
        }
        34 => {
            let (id, end) = pps_bits(&raw)?;
            w.parsed(&raw, 0, end);
            id
        }
        _ => return None,
    };
    w.trailing();
    let mut out = vec![kind << 1, 1];
    out.extend(nal::escape(&w.done()));
    Some(((kind, id), out))
}

/// The facts of a rebuilt sequence parameter set.
pub(in super::super) fn sps(unit: &[u8]) -> Option<Sps> {
    sps_bits(&nal::rbsp(unit.get(2..)?)).map(|(s, _)| s)
}

fn profile_tier_level(r: &mut Bits<'_>, layers: u32) -> Option<()> {
    r.skip(96)?;
    let mut present = Vec::new();
    for _ in 0..layers {
        present.push((r.flag()?, r.flag()?));
    }
    if layers > 0 {
        r.skip(2 * (8 - layers as usize))?;
    }
    for (profile, level) in present {
        r.skip(if profile { 88 } else { 0 } + if level { 8 } else { 0 })?;
    }
    Some(())
}

/// `(number, end of the syntax before vps_extension_flag)`.
fn vps_bits(raw: &[u8]) -> Option<(u32, usize)> {
    let mut r = Bits::new(raw);
    let id = r.u(4)?;
    r.u(8)?;
    let layers = r.u(3)?;
    r.u(17)?;
    profile_tier_level(&mut r, (layers < 7).then_some(layers)?)?;
    let all = r.flag()?;
    for _ in if all { 0 } else { layers }..=layers {
        r.ue()?;
        r.ue()?;
        r.ue()?;
    }
    let most = r.u(6)?;
    let sets = r.ue()?;
    for _ in 0..(sets < 1024).then_some(sets)? {
        r.skip(most as usize + 1)?;
    }
    if r.flag()? {
        r.u(32)?;
        r.u(32)?;
        if r.flag()? {
            r.ue()?;
        }
        let count = r.ue()?;
        for i in 0..(count < 1024).then_some(count)? {
            r.ue()?;
            let common = i == 0 || r.flag()?;
            hrd(&mut r, common, layers)?;
        }
    }
    let end = r.at();
    r.u(1)?;
    Some((id, end))
}

fn hrd(r: &mut Bits<'_>, common: bool, layers: u32) -> Option<()> {
    let (mut nal, mut vcl, mut sub) = (false, false, false);
    if common {
        nal = r.flag()?;
        vcl = r.flag()?;
        if nal || vcl {
            sub = r.flag()?;
            if sub {
                r.skip(19)?;
            }
            r.skip(8)?;
            if sub {
                r.skip(4)?;
            }
            r.skip(15)?;
        }
    }
    for _ in 0..=layers {
        let general = r.flag()?;
        let within = general || r.flag()?;
        let mut low = false;
        if within {
            r.ue()?;
        } else {
            low = r.flag()?;
        }
        let count = if low { 0 } else { r.ue()? };
        for _ in 0..u32::from(nal) + u32::from(vcl) {
            for _ in 0..=(count < 32).then_some(count)? {
                r.ue()?;
                r.ue()?;
                if sub {
                    r.ue()?;
                    r.ue()?;
                }
                r.u(1)?;
            }
        }
    }
    Some(())
}

fn sps_bits(raw: &[u8]) -> Option<(Sps, usize)> {
    let mut r = Bits::new(raw);
    r.u(4)?;
    let mut s = Sps { layers: r.u(3)?, nested: r.u(1)?, ..Sps::default() };
    let mut profile = r;
    for byte in &mut s.profile {
        *byte = profile.u(8)? as u8;
    }
    profile_tier_level(&mut r, (s.layers < 7).then_some(s.layers)?)?;
    s.id = r.ue()?;
    s.chroma = r.ue()?;
    if s.chroma == 3 {
        r.u(1)?;
    }
    s.width = r.ue()?;
    s.height = r.ue()?;
    if r.flag()? {
        let x = if matches!(s.chroma, 1 | 2) { 2 } else { 1 };
        let y = if s.chroma == 1 { 2 } else { 1 };
        let mut sides = [0u32; 4];
        for (side, unit) in sides.iter_mut().zip([x, x, y, y]) {
            *side = r.ue()?.checked_mul(unit)?;
        }
        s.crop = sides.into_iter().max()?;
        let [left, right, top, bottom] = sides;
        s.width = s.width.checked_sub(left.checked_add(right)?)?;
        s.height = s.height.checked_sub(top.checked_add(bottom)?)?;
    }
    s.luma_depth = r.ue()?.checked_add(8)?;
    s.chroma_depth = r.ue()?.checked_add(8)?;
    if s.id > 15 || s.chroma > 3 || s.luma_depth > 16 || s.chroma_depth > 16 {
        return None;
    }
    let poc = r.ue()?.checked_add(4)?;
    let all = r.flag()?;
    for _ in if all { 0 } else { s.layers }..=s.layers {
        r.ue()?;
        r.ue()?;
        r.ue()?;
    }
    for _ in 0..6 {
        r.ue()?;
    }
    if r.flag()? && r.flag()? {
        scaling_lists(&mut r)?;
    }
    r.u(2)?;
    if r.flag()? {
        r.u(8)?;
        r.ue()?;
        r.ue()?;
        r.u(1)?;
    }
    let sets = r.ue()?;
    let mut deltas: Vec<u32> = Vec::new();
    for i in 0..(sets <= 64).then_some(sets)? {
        let n = reference_set(&mut r, i, &deltas)?;
        deltas.push(n);
    }
    if r.flag()? {
        let count = r.ue()?;
        for _ in 0..(count <= 32).then_some(count)? {
            r.u((poc <= 16).then_some(poc)?)?;
            r.u(1)?;
        }
    }
    r.u(2)?;
    if r.flag()? {
        vui(&mut r, &mut s)?;
    }
    if r.flag()? {
        let (range, multilayer, three_d, scc, rest) =
            (r.flag()?, r.flag()?, r.flag()?, r.flag()?, r.u(4)?);
        if multilayer || three_d || rest != 0 {
            return None;
        }
        if range {
            r.skip(9)?;
        }
        if scc {
            r.u(1)?;
            if r.flag()? {
                r.ue()?;
                r.ue()?;
                if r.flag()? {
                    let count = r.ue()?.checked_add(1)?;
                    let planes = if s.chroma == 0 { 1 } else { 3 };
                    for plane in 0..planes {
                        let depth = if plane == 0 { s.luma_depth } else { s.chroma_depth };
                        r.skip((count as usize).checked_mul(depth as usize)?)?;
                    }
                }
            }
            r.u(3)?;
        }
    }
    (r.left() > 0).then_some((s, r.at()))
}

fn scaling_lists(r: &mut Bits<'_>) -> Option<()> {
    for size in 0..4u32 {
        for _ in 0..if size == 3 { 2 } else { 6 } {
            if !r.flag()? {
                r.ue()?;
                continue;
            }
            if size > 1 {
                r.se()?;
            }
            for _ in 0..64.min(1 << (4 + 2 * size)) {
                r.se()?;
            }
        }
    }
    Some(())
}

/// Number of pictures in short-term reference picture set `index` (7.3.7).
fn reference_set(r: &mut Bits<'_>, index: u32, before: &[u32]) -> Option<u32> {
    if index > 0 && r.flag()? {
        r.u(1)?;
        r.ue()?;
        let mut count = 0;
        for _ in 0..=*before.last()? {
            let used = r.flag()?;
            let kept = used || r.flag()?;
            count += u32::from(kept);
        }
        return Some(count);
    }
    let count = r.ue()?.checked_add(r.ue()?)?;
    for _ in 0..(count <= 32).then_some(count)? {
        r.ue()?;
        r.u(1)?;
    }
    Some(count)
}

fn vui(r: &mut Bits<'_>, s: &mut Sps) -> Option<()> {
    if r.flag()? {
        s.aspect = match r.u(8)? {
            255 => Some((r.u(16)?, r.u(16)?)),
            n => super::h264::ASPECTS.get(n as usize).copied(),
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
    r.u(3)?;
    if r.flag()? {
        for _ in 0..4 {
            r.ue()?;
        }
    }
    if r.flag()? {
        r.u(32)?;
        r.u(32)?;
        if r.flag()? {
            r.ue()?;
        }
        if r.flag()? {
            hrd(r, true, s.layers)?;
        }
    }
    if r.flag()? {
        r.u(3)?;
        for _ in 0..5 {
            r.ue()?;
        }
    }
    Some(())
}

/// `(number, end)` of a picture parameter set (7.3.2.3).
fn pps_bits(raw: &[u8]) -> Option<(u32, usize)> {
    let mut r = Bits::new(raw);
    let id = r.ue()?;
    let sps = r.ue()?;
    if id > 63 || sps > 15 {
        return None;
    }
    r.u(7)?;
    r.ue()?;
    r.ue()?;
    r.se()?;
    r.u(1)?;
    let skip = r.flag()?;
    if r.flag()? {
        r.ue()?;
    }
    r.se()?;
    r.se()?;
    r.u(4)?;
    let tiles = r.flag()?;
    r.u(1)?;
    if tiles {
        let (columns, rows) = (r.ue()?, r.ue()?);
        if !r.flag()? {
            let count = columns.checked_add(rows)?;
            for _ in 0..(count <= 128).then_some(count)? {
                r.ue()?;
            }
        }
        r.u(1)?;
    }
    r.u(1)?;
    if r.flag()? {
        r.u(1)?;
        if !r.flag()? {
            r.se()?;
            r.se()?;
        }
    }
    if r.flag()? {
        scaling_lists(&mut r)?;
    }
    r.u(1)?;
    r.ue()?;
    r.u(1)?;
    if r.flag()? {
        let (range, multilayer, three_d, scc, rest) =
            (r.flag()?, r.flag()?, r.flag()?, r.flag()?, r.u(4)?);
        if multilayer || three_d || rest != 0 {
            return None;
        }
        if range {
            range_extension(&mut r, skip)?;
        }
        if scc {
            scc_extension(&mut r)?;
        }
    }
    (r.left() > 0).then_some((id, r.at()))
}

fn range_extension(r: &mut Bits<'_>, skip: bool) -> Option<()> {
    if skip {
        r.ue()?;
    }
    r.u(1)?;
    if r.flag()? {
        r.ue()?;
        let count = r.ue()?;
        for _ in 0..=(count < 6).then_some(count)? {
            r.se()?;
            r.se()?;
        }
    }
    r.ue()?;
    r.ue()?;
    Some(())
}

fn scc_extension(r: &mut Bits<'_>) -> Option<()> {
    r.u(1)?;
    if r.flag()? {
        r.u(1)?;
        r.se()?;
        r.se()?;
        r.se()?;
    }
    if r.flag()? {
        let count = r.ue()?;
        if count > 0 {
            let mono = r.flag()?;
            let luma = r.ue()?.checked_add(8)?;
            let chroma = if mono { 0 } else { r.ue()?.checked_add(8)? };
            for plane in 0..if mono { 1 } else { 3 } {
                let depth = if plane == 0 { luma } else { chroma };
                r.skip((count as usize).checked_mul(depth as usize)?)?;
            }
        }
    }
    Some(())
}

/// `HEVCDecoderConfigurationRecord` (ISO/IEC 14496-15, 8.3.3.1).
pub(in super::super) fn config(sets: &[(SetKey, Vec<u8>)], in_band: bool) -> Option<Vec<u8>> {
    let first = sets.iter().find(|((k, _), _)| *k == 33)?;
    let s = sps(&first.1)?;
    let mut out = vec![1];
    out.extend_from_slice(&s.profile);
    out.extend_from_slice(&[0xF0, 0, 0xFC, 0xFC | s.chroma as u8]);
    out.push(0xF8 | (s.luma_depth - 8) as u8 & 7);
    out.push(0xF8 | (s.chroma_depth - 8) as u8 & 7);
    out.extend_from_slice(&[0, 0]);
    out.push(((s.layers as u8 + 1) << 3) | (s.nested as u8) << 2 | 3);
    let kinds: Vec<u8> =
        [32, 33, 34].into_iter().filter(|k| sets.iter().any(|((kind, _), _)| kind == k)).collect();
    out.push(kinds.len() as u8);
    for kind in kinds {
        let list: Vec<&Vec<u8>> =
            sets.iter().filter(|((k, _), _)| *k == kind).map(|(_, s)| s).collect();
        out.push(if in_band { 0 } else { 0x80 } | kind);
        out.extend_from_slice(&u16::try_from(list.len()).ok()?.to_be_bytes());
        for s in list {
            out.extend_from_slice(&u16::try_from(s.len()).ok()?.to_be_bytes());
            out.extend_from_slice(s);
        }
    }
    Some(out)
}

/// The units of a configuration record, unchecked, and the bytes of its
/// length fields.
pub(in super::super) fn parse_config(b: &[u8]) -> Option<(u8, Vec<&[u8]>)> {
    let length = (b.get(21)? & 3) + 1;
    let mut list = Vec::new();
    let mut at = 23usize;
    for _ in 0..*b.get(22)? {
        let count = be16(b, at + 1)?;
        at += 3;
        for _ in 0..count {
            let size = usize::from(be16(b, at)?);
            list.push(part(b, at + 2, size)?);
            at += 2 + size;
            if list.len() > 1024 {
                return None;
            }
        }
    }
    Some((length, list))
}
