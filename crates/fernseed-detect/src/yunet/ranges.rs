//! How large YuNet's activations get, channel by channel: what its 8-bit form
//! is scaled by.

use super::{STEM, UNITS};
use crate::feature_map::FeatureMap;
use crate::layers::note_most;
use crate::quantise::{read_ranges, write_ranges};

/// The largest value of each channel of each activation that is quantised, as
/// seen on some pictures. See `examples/calibrate.rs`.
#[derive(Clone, Debug, PartialEq)]
pub struct YuNetRanges {
    stem: Vec<f32>,
    units: Vec<UnitRanges>,
}

/// Those of one unit: the largest absolute values between its halves, and the
/// largest of its output, which is never negative.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct UnitRanges {
    pub(super) words: Vec<f32>,
    pub(super) filtered: Vec<f32>,
}

impl UnitRanges {
    /// Notes a row of what is between the halves, pixels of `stored` channels.
    pub(crate) fn note_words(&mut self, row: &[f32], stored: usize) {
        for pixel in row.chunks_exact(stored) {
            for (most, &value) in self.words.iter_mut().zip(pixel) {
                *most = most.max(value.abs());
            }
        }
    }

    /// Notes an output.
    pub(crate) fn note_filtered(&mut self, out: &FeatureMap) {
        note_most(out.values(), &mut self.filtered, out.channels);
    }
}

impl Default for YuNetRanges {
    /// Nothing seen yet.
    fn default() -> Self {
        let units = UNITS
            .iter()
            .map(|&(_, outer)| UnitRanges { words: vec![0.0; outer], filtered: vec![0.0; outer] });
        Self { stem: vec![0.0; STEM], units: units.collect() }
    }
}

impl YuNetRanges {
    /// From a file made by [`Self::to_bytes`]; `None` if it is of another
    /// length or holds something that is no finite number.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut ranges = Self::default();
        read_ranges(ranges.parts(), bytes)?;
        Some(ranges)
    }

    /// The upper half of each number's bits, rounded away from zero, in the
    /// order of the network.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        write_ranges(self.clone().parts())
    }

    /// Every list of numbers, in the order of the file.
    fn parts(&mut self) -> Vec<&mut Vec<f32>> {
        let units = self.units.iter_mut().flat_map(|unit| [&mut unit.words, &mut unit.filtered]);
        std::iter::once(&mut self.stem).chain(units).collect()
    }

    /// Places for the stem's output and for the first unit.
    pub(super) fn first(&mut self) -> (&mut [f32], &mut UnitRanges) {
        (&mut self.stem, &mut self.units[0])
    }

    /// The place for a unit, where there are ranges to note.
    pub(super) fn of<'a>(
        ranges: &'a mut Option<&mut Self>,
        unit: usize,
    ) -> Option<&'a mut UnitRanges> {
        ranges.as_deref_mut()?.units.get_mut(unit)
    }

    pub(super) fn of_stem(&self) -> &[f32] {
        &self.stem
    }

    pub(super) fn of_units(&self) -> &[UnitRanges] {
        &self.units
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_comes_back_and_others_are_refused() {
        let mut ranges = YuNetRanges::default();
        ranges.stem[3] = 1.000_001;
        ranges.units[13].words[63] = 7.3;
        let file = ranges.to_bytes();
        let back = YuNetRanges::from_bytes(&file).unwrap();
        assert!(back.stem[3] >= ranges.stem[3] && back.stem[3] < 1.01);
        assert!((7.3..7.4).contains(&back.units[13].words[63]));
        assert_eq!(YuNetRanges::from_bytes(&back.to_bytes()), Some(back));
        assert_eq!(YuNetRanges::from_bytes(&file[..file.len() - 2]), None);
        assert_eq!(YuNetRanges::from_bytes(&vec![0xff; file.len()]), None);
    }
}
