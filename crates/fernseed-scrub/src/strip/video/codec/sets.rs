//! Parameter sets of H.264 and HEVC: which there are, and whether the
//! configuration can hold them all.

use super::nal::{self, Framing};
use super::{Facts, h264, hevc};
use crate::strip::StripError;

/// Unit type and number of a parameter set.
pub(in super::super) type SetKey = (u8, u32);

/// What becomes of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Unit {
    /// Part of a picture.
    Slice { key: bool, disposable: bool },
    /// A parameter set.
    Set,
    /// End of a sequence, which changes how the next picture is read.
    SequenceEnd,
    /// Metadata, delimiters, padding.
    Drop,
    /// A further layer: another view, depth, alpha.
    Layer,
    /// Of a type that no standard uses for pictures.
    Unknown,
}

/// The state of one H.264 or HEVC track.
#[derive(Clone, Debug)]
pub(in super::super) struct Sets {
    pub(in super::super) hevc: bool,
    pub(in super::super) input: Framing,
    pub(in super::super) output: Framing,
    /// Sorted by kind and number, each number once.
    pub(in super::super) list: Vec<(SetKey, Vec<u8>)>,
    /// Sets stay where they are in the samples, because they change on the
    /// way or the container has no other place.
    pub(in super::super) in_band: bool,
    /// A set was seen that differs from the one of the same number.
    pub(in super::super) conflict: bool,
}

impl Sets {
    pub(in super::super) const fn new(hevc: bool, input: Framing) -> Self {
        Self {
            hevc,
            input,
            output: Framing::Length(4),
            list: Vec::new(),
            in_band: false,
            conflict: false,
        }
    }

    fn classify(&self, unit: &[u8]) -> Unit {
        if self.hevc { hevc::classify(unit) } else { h264::classify(unit) }
    }

    /// Takes a parameter set in; returns it rebuilt.
    pub(in super::super) fn learn(&mut self, unit: &[u8]) -> Result<Vec<u8>, StripError> {
        let parsed = if self.hevc { hevc::set(unit) } else { h264::set(unit) };
        let (key, set) =
            parsed.ok_or_else(|| StripError::Damaged("a parameter set cannot be read".into()))?;
        match self.list.binary_search_by_key(&key, |e| e.0) {
            Ok(i) => self.conflict |= self.list.get(i).is_some_and(|e| e.1 != set),
            Err(i) => {
                if self.list.len() >= 256 {
                    return Err(StripError::TooLarge("it has too many parameter sets".into()));
                }
                self.list.insert(i, (key, set.clone()));
            }
        }
        Ok(set)
    }

    /// Takes in every set of a configuration record.
    pub(in super::super) fn learn_config(&mut self, record: &[u8]) -> Result<(), StripError> {
        let parsed =
            if self.hevc { hevc::parse_config(record) } else { h264::parse_config(record) };
        let (length, units) = parsed
            .ok_or_else(|| StripError::Damaged("the decoder configuration is broken".into()))?;
        self.input = Framing::Length(length);
        for unit in units {
            // Configurations hold SEI units, too.
            if self.classify(unit) == Unit::Set {
                self.learn(unit)?;
            }
        }
        Ok(())
    }

    /// Rebuilds one sample.
    pub(super) fn clean(&mut self, sample: &[u8], out: &mut Vec<u8>) -> Result<Facts, StripError> {
        let units = nal::units(sample, self.input)
            .ok_or_else(|| StripError::Damaged("a coded picture's units do not fit it".into()))?;
        let mut facts = Facts { disposable: true, ..Facts::default() };
        let mut slices = 0u32;
        let conflict = self.conflict;
        for unit in units {
            match self.classify(unit) {
                Unit::Slice { key, disposable } => {
                    slices += 1;
                    facts.key |= key;
                    facts.disposable &= disposable;
                    nal::put(out, nal::trimmed(unit), self.output);
                }
                Unit::Set => {
                    let set = self.learn(unit)?;
                    if self.in_band {
                        nal::put(out, &set, self.output);
                    }
                }
                Unit::SequenceEnd => nal::put(out, unit.get(..2).unwrap_or(unit), self.output),
                Unit::Layer => facts.layers = true,
                Unit::Drop => {}
                Unit::Unknown => facts.private = true,
            }
        }
        if slices == 0 {
            out.clear();
            facts.disposable = false;
            // Sets that will not be written are no reason to keep others.
            self.conflict = conflict;
        }
        Ok(facts)
    }
}
