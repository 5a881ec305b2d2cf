//! H.264 in pieces: an allow-list of NAL units.
//!
//! Encoders put more into a stream than pictures: x264 writes its name and
//! every setting into an SEI unit. Only parameter sets and slices pass here.

/// Slices of a picture other than IDR.
const SLICE: u8 = 1;
/// Slices of an IDR picture.
const IDR: u8 = 5;
/// Sequence parameter set.
const SPS: u8 = 7;
/// Picture parameter set.
const PPS: u8 = 8;

/// The units of an Annex B stream (ITU-T H.264, annex B), without start
/// codes and trailing zeros.
pub(super) fn units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(stream).map(|(_, after)| after);
    std::iter::from_fn(move || {
        let current = rest?;
        let (unit, next) = match after_start_code(current) {
            Some((before, after)) => (&current[..before], Some(after)),
            None => (current, None),
        };
        rest = next;
        let end = unit.iter().rposition(|&b| b != 0).map_or(0, |p| p + 1);
        Some(&unit[..end])
    })
    .filter(|u| !u.is_empty())
}

/// Place of the next start code, and what follows it.
fn after_start_code(data: &[u8]) -> Option<(usize, &[u8])> {
    let mut from = 0;
    while let Some(tail) = data.get(from..) {
        let one = from + tail.iter().position(|&b| b == 1)?;
        if one >= 2 && data[one - 1] == 0 && data[one - 2] == 0 {
            return Some((one - 2, &data[one + 1..]));
        }
        from = one + 1;
    }
    None
}

const fn kind(unit: &[u8]) -> u8 {
    match unit {
        [first, ..] => *first & 31,
        [] => 0,
    }
}

/// The slices of an access unit, and whether it is an IDR picture.
///
/// `None` if a parameter set in the stream differs from the ones in
/// `header`, which a file with one set of them cannot hold, or if there is
/// no slice at all.
pub(super) fn slices<'a>(
    packet: &'a [u8],
    header: &ParameterSets,
) -> Option<(Vec<&'a [u8]>, bool)> {
    let mut kept = Vec::new();
    let mut key = false;
    for unit in units(packet) {
        match kind(unit) {
            SLICE | IDR => {
                key |= kind(unit) == IDR;
                kept.push(unit);
            }
            SPS if unit != header.sps => return None,
            PPS if unit != header.pps => return None,
            _ => {}
        }
    }
    (!kept.is_empty()).then_some((kept, key))
}

/// The one sequence and the one picture parameter set of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ParameterSets {
    /// Sequence parameter set, with its NAL header.
    pub(crate) sps: Vec<u8>,
    /// Picture parameter set, with its NAL header.
    pub(crate) pps: Vec<u8>,
}

impl ParameterSets {
    /// Finds both in an encoder's header. `None` unless there is exactly
    /// one of each.
    pub(super) fn find(header: &[u8]) -> Option<Self> {
        let all = |wanted| -> Vec<&[u8]> { units(header).filter(|u| kind(u) == wanted).collect() };
        match (&all(SPS)[..], &all(PPS)[..]) {
            ([sps], [pps]) if sps.len() >= 4 => Some(Self { sps: sps.to_vec(), pps: pps.to_vec() }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sei_and_delimiters_do_not_pass() {
        let header = [
            &[0, 0, 0, 1, 0x67, 100, 0, 40, 9][..],
            &[0, 0, 1, 0x68, 1, 2],
            &[0, 0, 1, 0x06, 5, 9],
        ]
        .concat();
        let sets = ParameterSets::find(&header).unwrap();
        assert_eq!(sets.sps, [0x67, 100, 0, 40, 9]);
        assert_eq!(sets.pps, [0x68, 1, 2]);
        let packet = [
            &[0, 0, 0, 1, 0x09, 0x10][..],
            &[0, 0, 0, 1, 0x06, 5, b'x', b'2', b'6', b'4', 0x80],
            &[0, 0, 1, 0x65, 1, 0, 0, 3, 1, 7],
            &[0, 0, 1, 0x65, 9],
            &[0, 0, 1, 0x0C, 0xFF],
        ]
        .concat();
        let (kept, key) = slices(&packet, &sets).unwrap();
        assert_eq!(kept, [&[0x65, 1, 0, 0, 3, 1, 7][..], &[0x65, 9]]);
        assert!(key);
        assert!(slices(&[0, 0, 1, 0x67, 66, 0, 30, 1, 0, 0, 1, 0x65, 1], &sets).is_none());
        assert!(slices(&[0, 0, 1, 0x06, 5], &sets).is_none());
        assert!(slices(&[], &sets).is_none());
    }

    proptest::proptest! {
        #[test]
        fn units_never_panic_and_hold_no_start_code(data: Vec<u8>) {
            for unit in units(&data) {
                proptest::prop_assert!(!unit.windows(3).any(|w| w == [0, 0, 1]));
            }
        }
    }
}
