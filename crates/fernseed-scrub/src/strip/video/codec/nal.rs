//! NAL units: framing, emulation prevention (ITU-T H.264 7.3.1, Annex B).

/// How units are told apart inside a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Framing {
    /// A length of so many bytes before each.
    Length(u8),
    /// Start codes.
    StartCodes,
}

/// The units of a sample. `None` if the lengths do not fit.
pub(in super::super) fn units(sample: &[u8], framing: Framing) -> Option<Vec<&[u8]>> {
    let mut list = Vec::new();
    match framing {
        Framing::Length(n) => {
            let mut rest = sample;
            while !rest.is_empty() {
                let field = rest.get(..usize::from(n))?;
                let size = field.iter().fold(0usize, |v, &b| v << 8 | usize::from(b));
                let end = usize::from(n).checked_add(size)?;
                let unit = rest.get(usize::from(n)..end)?;
                rest = rest.get(end..)?;
                if !unit.is_empty() {
                    list.push(unit);
                }
            }
        }
        Framing::StartCodes => {
            let mut at = start_code(sample, 0)?;
            while at < sample.len() {
                let next = start_code(sample, at);
                let end = next.map_or(sample.len(), |n| n - 3);
                let unit = sample.get(at..end)?;
                let last = unit.iter().rposition(|&b| b != 0).map_or(0, |p| p + 1);
                if last > 0 {
                    list.push(unit.get(..last)?);
                }
                at = next.unwrap_or(sample.len());
            }
        }
    }
    Some(list)
}

/// Position after the next `00 00 01` at or after `from`.
pub(in super::super) fn start_code(b: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let one = memchr_one(b.get(at..)?)? + at;
        if one >= from + 2 && b.get(one - 2..one) == Some(&[0, 0]) {
            return Some(one + 1);
        }
        at = one + 1;
    }
}

fn memchr_one(b: &[u8]) -> Option<usize> {
    b.iter().position(|&x| x == 1)
}

/// Takes emulation prevention away.
pub(in super::super) fn rbsp(unit: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(unit.len());
    let mut zeros = 0;
    for &b in unit {
        if zeros >= 2 && b == 3 {
            zeros = 0;
            continue;
        }
        zeros = if b == 0 { zeros + 1 } else { 0 };
        out.push(b);
    }
    out
}

/// Puts emulation prevention in.
pub(in super::super) fn escape(rbsp: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(rbsp.len() + 4);
    let mut zeros = 0;
    for &b in rbsp {
        if zeros >= 2 && b <= 3 {
            out.push(3);
            zeros = 0;
        }
        zeros = if b == 0 { zeros + 1 } else { 0 };
        out.push(b);
    }
    out
}

/// A coded slice without what may follow it: zero bytes and
/// `cabac_zero_words` (H.264 7.4.2.10).
pub(in super::super) fn trimmed(mut unit: &[u8]) -> &[u8] {
    loop {
        if let Some(rest) = unit.strip_suffix(&[0, 0, 3]) {
            unit = rest;
        } else if let Some(rest) = unit.strip_suffix(&[0]) {
            unit = rest;
        } else {
            return unit;
        }
    }
}

/// Appends a unit in the framing of the output.
pub(in super::super) fn put(out: &mut Vec<u8>, unit: &[u8], framing: Framing) {
    match framing {
        Framing::Length(_) => {
            out.extend_from_slice(&u32::try_from(unit.len()).unwrap_or(0).to_be_bytes());
        }
        Framing::StartCodes => out.extend_from_slice(&[0, 0, 0, 1]),
    }
    out.extend_from_slice(unit);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_found_in_both_framings() {
        let annex = [0, 0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x68, 5, 0, 0, 1, 0x65, 9, 0, 0];
        let list = units(&annex, Framing::StartCodes).unwrap();
        assert_eq!(list, [&[0x67, 1, 2][..], &[0x68, 5], &[0x65, 9]]);
        let mut out = Vec::new();
        for unit in &list {
            put(&mut out, unit, Framing::Length(4));
        }
        assert_eq!(units(&out, Framing::Length(4)).unwrap(), list);
        assert_eq!(units(&out[..out.len() - 1], Framing::Length(4)), None);
    }

    #[test]
    fn emulation_prevention_goes_both_ways() {
        for raw in [&[0, 0, 1][..], &[0, 0, 0, 0, 0, 1], &[1, 0, 0, 3, 0, 0, 2]] {
            assert_eq!(rbsp(&escape(raw)), raw);
            assert!(!escape(raw).windows(3).any(|w| w[0] == 0 && w[1] == 0 && w[2] < 3));
        }
        assert_eq!(trimmed(&[0x65, 0x80, 0, 0, 3, 0, 0, 3]), [0x65, 0x80]);
    }
}
