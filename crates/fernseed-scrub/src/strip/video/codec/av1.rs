//! AV1: open bitstream units (AV1 specification, 5.3 to 5.5).

use super::Facts;
use super::bits::Bits;
use crate::strip::StripError;

/// The sequence header and what `av1C` says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Config {
    /// The sequence header's content without header and size.
    pub(in super::super) sequence: Vec<u8>,
    /// Bytes 1 and 2 of `av1C`.
    pub(in super::super) flags: [u8; 2],
    pub(in super::super) width: u32,
    pub(in super::super) height: u32,
}

/// A unit: its type, the byte of layers if any, its content.
struct Obu<'a> {
    kind: u8,
    layer: Option<u8>,
    body: &'a [u8],
}

fn broken() -> StripError {
    StripError::Damaged("a coded AV1 picture cannot be read".into())
}

/// `(value, bytes)` of a `leb128()` number.
fn leb128(b: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0u64;
    for i in 0..8 {
        let byte = *b.get(i)?;
        value |= u64::from(byte & 0x7F) << (7 * i);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(value).ok()?, i + 1));
        }
    }
    None
}

fn next<'a>(rest: &mut &'a [u8]) -> Option<Obu<'a>> {
    let header = *rest.first()?;
    if header & 0x81 != 0 {
        return None;
    }
    let mut at = 1;
    let layer = if header & 4 != 0 {
        at = 2;
        Some(*rest.get(1)?)
    } else {
        None
    };
    let size = if header & 2 != 0 {
        let (size, n) = leb128(rest.get(at..)?)?;
        at += n;
        size
    } else {
        rest.len().checked_sub(at)?
    };
    let end = at.checked_add(size)?;
    let body = rest.get(at..end)?;
    *rest = rest.get(end..)?;
    Some(Obu { kind: header >> 3 & 15, layer, body })
}

fn put(out: &mut Vec<u8>, obu: &Obu<'_>) {
    out.push(obu.kind << 3 | if obu.layer.is_some() { 6 } else { 2 });
    out.extend(obu.layer);
    let mut size = obu.body.len();
    while size >= 0x80 {
        out.push(size as u8 | 0x80);
        size >>= 7;
    }
    out.push(size as u8);
    out.extend_from_slice(obu.body);
}

/// Rebuilds a temporal unit: sequence headers and pictures.
pub(super) fn clean(
    sample: &[u8],
    config: &mut Config,
    out: &mut Vec<u8>,
) -> Result<Facts, StripError> {
    let mut facts = Facts::default();
    let mut rest = sample;
    let mut pictures = 0u32;
    while !rest.is_empty() {
        let mut obu = next(&mut rest).ok_or_else(broken)?;
        // Bits 0 to 2 of the layer byte are reserved.
        obu.layer = obu.layer.map(|l| l & 0xF8);
        match obu.kind {
            1 => {
                let (found, end) = sequence(obu.body).ok_or_else(broken)?;
                let exact = exact(obu.body, end).ok_or_else(broken)?;
                if config.sequence.is_empty() {
                    *config = Config { sequence: exact.clone(), ..found };
                }
                facts.key = true;
                put(out, &Obu { body: &exact, ..obu });
            }
            // Frame headers, tile groups, frames; a repeated header (7) is
            // the same bits again.
            3 | 4 | 6 => {
                pictures += 1;
                put(out, &obu);
            }
            2 | 5 | 7 | 8 | 15 => {}
            _ => facts.private = true,
        }
    }
    if pictures == 0 {
        out.clear();
    }
    Ok(facts)
}

/// A body of `end` bits of syntax with exactly its trailing bits.
fn exact(body: &[u8], end: usize) -> Option<Vec<u8>> {
    let mut w = super::bits::Writer::default();
    w.parsed(body, 0, end);
    w.trailing();
    (body.len() * 8 > end).then(|| w.done())
}

/// The configuration's units: a sequence header, if there is one.
pub(in super::super) fn parse_config(units: &[u8]) -> Option<Config> {
    let mut rest = units;
    while !rest.is_empty() {
        let obu = next(&mut rest)?;
        if obu.kind == 1 {
            let (found, end) = sequence(obu.body)?;
            return Some(Config { sequence: exact(obu.body, end)?, ..found });
        }
    }
    Some(Config::default())
}

/// `av1C` (AV1 Codec ISO Media File Format Binding, 2.3.3).
pub(in super::super) fn record(config: &Config) -> Vec<u8> {
    let mut out = vec![0x81, config.flags[0], config.flags[1], 0];
    put(&mut out, &Obu { kind: 1, layer: None, body: &config.sequence });
    out
}

/// Reads `sequence_header_obu()`; the facts and where the syntax ends.
fn sequence(body: &[u8]) -> Option<(Config, usize)> {
    let mut r = Bits::new(body);
    let profile = r.u(3)?;
    r.u(1)?;
    let reduced = r.flag()?;
    let (mut level, mut tier) = (0, 0);
    let mut equal_interval_or_model = (false, false);
    if reduced {
        level = r.u(5)?;
    } else {
        let mut delay_length = 0;
        if r.flag()? {
            r.u(32)?;
            r.u(32)?;
            if r.flag()? {
                uvlc(&mut r)?;
            }
            equal_interval_or_model.1 = r.flag()?;
            if equal_interval_or_model.1 {
                delay_length = r.u(5)? + 1;
                r.u(32)?;
                r.skip(10)?;
            }
        }
        equal_interval_or_model.0 = r.flag()?;
        let points = r.u(5)?;
        for i in 0..=points {
            r.u(12)?;
            let l = r.u(5)?;
            let t = if l > 7 { r.u(1)? } else { 0 };
            if i == 0 {
                (level, tier) = (l, t);
            }
            if equal_interval_or_model.1 && r.flag()? {
                r.skip(2 * delay_length as usize + 1)?;
            }
            if equal_interval_or_model.0 && r.flag()? {
                r.u(4)?;
            }
        }
    }
    let (w, h) = (r.u(4)? + 1, r.u(4)? + 1);
    let (width, height) = (r.u(w)? + 1, r.u(h)? + 1);
    if !reduced && r.flag()? {
        r.u(4)?;
        r.u(3)?;
    }
    r.u(3)?;
    if !reduced {
        r.u(4)?;
        let order = r.flag()?;
        if order {
            r.u(2)?;
        }
        let screen = if r.flag()? { 2 } else { r.u(1)? };
        if screen > 0 && !r.flag()? {
            r.u(1)?;
        }
        if order {
            r.u(3)?;
        }
    }
    r.u(3)?;
    let flags = colour(&mut r, profile)?;
    r.u(1)?;
    let first = (profile << 5 | level) as u8;
    Some((
        Config { sequence: Vec::new(), flags: [first, (tier as u8) << 7 | flags], width, height },
        r.at(),
    ))
}

/// `color_config()`; the low seven bits of the third byte of `av1C`.
fn colour(r: &mut Bits<'_>, profile: u32) -> Option<u8> {
    let high = r.flag()?;
    let twelve = profile == 2 && high && r.flag()?;
    let mono = profile != 1 && r.flag()?;
    let described = r.flag()?;
    let (p, t, m) = if described { (r.u(8)?, r.u(8)?, r.u(8)?) } else { (2, 2, 2) };
    let (mut x, mut y, mut position) = (1, 1, 0);
    if mono {
        r.u(1)?;
    } else if (p, t, m) == (1, 13, 0) {
        (x, y) = (0, 0);
        r.u(1)?;
    } else {
        r.u(1)?;
        match profile {
            0 => {}
            1 => (x, y) = (0, 0),
            _ if twelve => {
                x = r.u(1)?;
                y = if x == 1 { r.u(1)? } else { 0 };
            }
            _ => y = 0,
        }
        if x == 1 && y == 1 {
            position = r.u(2)?;
        }
        r.u(1)?;
    }
    let bit = u8::from;
    Some(
        bit(high) << 6
            | bit(twelve) << 5
            | bit(mono) << 4
            | (x as u8) << 3
            | (y as u8) << 2
            | position as u8,
    )
}

fn uvlc(r: &mut Bits<'_>) -> Option<()> {
    let mut zeros = 0;
    while !r.flag()? {
        zeros += 1;
    }
    r.skip(if zeros >= 32 { 0 } else { zeros })
}
