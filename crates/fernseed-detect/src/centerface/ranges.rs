//! How large CenterFace's activations get, channel by channel: what its
//! 8-bit form is scaled by.

use super::{BACKBONE, PYRAMID};
use crate::feature_map::FeatureMap;
use crate::layers::note_most;
use crate::quantise::{read_ranges, write_ranges};

/// Channels of the stem.
const STEM: usize = 32;

/// The range of each channel of each activation that is quantised, as seen
/// on some pictures. See `examples/calibrate.rs`.
#[derive(Clone, Debug, PartialEq)]
pub struct ActivationRanges {
    stem: Vec<f32>,
    stem_filtered: Vec<f32>,
    blocks: Vec<BlockRanges>,
    smooth: Vec<f32>,
}

/// Those of one block: least and most of its input, and the most of its wide
/// maps before and after the depth-wise filter, which are never negative.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BlockRanges {
    pub(super) least: Vec<f32>,
    pub(super) most: Vec<f32>,
    pub(super) wide: Vec<f32>,
    pub(super) filtered: Vec<f32>,
}

impl BlockRanges {
    /// Notes a block's input, and gives the places of the other two.
    pub(crate) fn inner(&mut self, input: &FeatureMap) -> (&mut [f32], &mut [f32]) {
        note_most(input.values(), &mut self.most, input.channels);
        for pixel in input.values().chunks_exact(input.channels) {
            for (least, &value) in self.least.iter_mut().zip(pixel) {
                *least = least.min(value);
            }
        }
        (&mut self.wide, &mut self.filtered)
    }
}

impl Default for ActivationRanges {
    /// Nothing seen yet.
    fn default() -> Self {
        let blocks = BACKBONE.iter().map(|&(inner, wider, ..)| BlockRanges {
            least: vec![0.0; inner],
            most: vec![0.0; inner],
            wide: vec![0.0; wider],
            filtered: vec![0.0; wider],
        });
        Self {
            stem: vec![0.0; STEM],
            stem_filtered: vec![0.0; STEM],
            blocks: blocks.collect(),
            smooth: vec![0.0; PYRAMID],
        }
    }
}

impl ActivationRanges {
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
        let mut parts = vec![&mut self.stem, &mut self.stem_filtered];
        for BlockRanges { least, most, wide, filtered } in &mut self.blocks {
            parts.extend([least, most, wide, filtered]);
        }
        parts.push(&mut self.smooth);
        parts
    }

    /// Places for the stem's output before and after its depth-wise filter.
    pub(super) fn first(&mut self) -> (&mut [f32], &mut [f32]) {
        (&mut self.stem, &mut self.stem_filtered)
    }

    pub(super) fn block(&mut self, index: usize) -> Option<&mut BlockRanges> {
        self.blocks.get_mut(index)
    }

    /// The place for the input of the last 3x3 layer.
    pub(super) fn smooth(&mut self) -> &mut [f32] {
        &mut self.smooth
    }

    pub(super) fn of_stem(&self) -> (&[f32], &[f32]) {
        (&self.stem, &self.stem_filtered)
    }

    pub(super) fn of_blocks(&self) -> &[BlockRanges] {
        &self.blocks
    }

    pub(super) fn of_smooth(&self) -> &[f32] {
        &self.smooth
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_comes_back_and_others_are_refused() {
        let mut ranges = ActivationRanges::default();
        ranges.smooth[3] = 1.000_001;
        ranges.blocks[2].least[1] = -7.3;
        let file = ranges.to_bytes();
        let back = ActivationRanges::from_bytes(&file).unwrap();
        assert!(back.smooth[3] >= ranges.smooth[3] && back.smooth[3] < 1.01);
        assert!(back.blocks[2].least[1] <= -7.3 && back.blocks[2].least[1] > -7.4);
        assert_eq!(ActivationRanges::from_bytes(&back.to_bytes()), Some(back));
        for length in [0, 1, file.len() - 1, file.len() - 2] {
            assert_eq!(ActivationRanges::from_bytes(&file[..length]), None);
        }
        assert_eq!(ActivationRanges::from_bytes(&vec![0xff; file.len()]), None);
        assert_eq!(ActivationRanges::from_bytes(&[file, vec![0; 2]].concat()), None);
    }
}
