//! What the user wants hidden, how, and what to do in doubt.

use crate::detect::Label;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a region is destroyed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Treatment {
    /// One constant colour that owes nothing to what it covers.
    #[default]
    Solid,
    /// A coarse grid of colours taken once per track. Keeps a little
    /// information about what it covers.
    Mosaic,
    /// The same coarse grid, drawn smoothly. Keeps as much as a mosaic.
    Blur,
}

impl Treatment {
    /// True if the result does not depend on what was covered.
    #[must_use]
    pub const fn is_opaque(self) -> bool {
        matches!(self, Self::Solid)
    }
}

/// Outline of what is covered, inscribed in the region's rectangle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// The ellipse that touches all four sides.
    #[default]
    Ellipse,
    /// The whole rectangle.
    Box,
}

/// What happens to the sound of a video.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AudioPolicy {
    /// No sound in the output.
    #[default]
    Drop,
    /// Sound is decoded and encoded anew; voices stay recognisable.
    Keep,
}

/// What the user wants hidden and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The kinds of thing to hide.
    pub hide: Vec<Label>,
    /// How they are destroyed.
    pub treatment: Treatment,
    /// Colour of [`Treatment::Solid`], sRGB.
    pub fill: [u8; 3],
    /// Outline of what is covered.
    pub shape: Shape,
    /// Sides of the covered region relative to the found box: 1.0 covers
    /// just the box. 1.0 to 4.0.
    pub grow: f32,
    /// Pixels added on every side after growing; what keeps small faces
    /// covered. 0 to 64.
    pub pad: f32,
    /// Confidence at which a thing is hidden on its own evidence, 0 to 1.
    /// Weaker ones are hidden too where a track supports them.
    pub threshold: f32,
    /// What happens to sound.
    pub audio: AudioPolicy,
}

/// A policy or option outside its allowed range.
#[derive(Debug, thiserror::Error)]
#[error("{field} is {value}, but must be between {low} and {high}")]
pub struct PolicyError {
    /// Name of the setting.
    pub field: &'static str,
    /// What it was set to.
    pub value: f32,
    /// Least allowed value.
    pub low: f32,
    /// Greatest allowed value.
    pub high: f32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            hide: vec![Label::Face],
            treatment: Treatment::Solid,
            fill: [0, 0, 0],
            shape: Shape::Ellipse,
            grow: 1.16,
            pad: 6.0,
            threshold: 0.5,
            audio: AudioPolicy::Drop,
        }
    }
}

impl Policy {
    /// Checks every setting against its range.
    ///
    /// # Errors
    /// [`PolicyError`] names the first setting that is out of range.
    pub fn check(&self) -> Result<(), PolicyError> {
        let ranges = [
            ("grow", self.grow, 1.0_f32, 4.0_f32),
            ("pad", self.pad, 0.0, 64.0),
            ("threshold", self.threshold, 0.05, 1.0),
        ];
        for (field, value, low, high) in ranges {
            if !(low..=high).contains(&value) {
                return Err(PolicyError { field, value, low, high });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn out_of_range_is_named() {
        assert!(Policy::default().check().is_ok());
        let bad = Policy { grow: f32::NAN, ..Policy::default() };
        assert_eq!(bad.check().unwrap_err().field, "grow");
        let bad = Policy { threshold: 0.0, ..Policy::default() };
        assert_eq!(bad.check().unwrap_err().field, "threshold");
    }
}
