//! Sound as blocks of samples, and the stage every block must pass.
//!
//! Encoders take only [`Redacted`] blocks. A [`SoundStage`] is the seam for
//! voice anonymisation: today there is one stage, [`KeepVoices`], which the
//! user has to ask for by name.

use crate::render::Redacted;

/// A run of decoded sound, one `Vec` of samples per channel.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleBlock {
    /// Samples per second.
    pub rate: u32,
    /// Time of the first sample, in samples since time zero of the file.
    pub start: i64,
    /// `channels[c][i]`: sample `i` of channel `c`, -1 to 1; all of one length.
    pub channels: Vec<Vec<f32>>,
}

impl SampleBlock {
    /// Samples per channel.
    #[must_use]
    pub fn len(&self) -> usize {
        self.channels.first().map_or(0, Vec::len)
    }

    /// True if the block holds no sample.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A stage that sound passes before it is encoded.
///
/// # For implementations
/// Blocks come in order of time, without overlap. `process` returns a block
/// of the same rate, channels, start and length, so that picture and sound
/// stay together.
pub trait SoundStage: Send {
    /// Treats one block.
    fn process(&mut self, block: SampleBlock) -> Redacted<SampleBlock>;
}

/// Keeps voices as they are, because the user said so (`--audio keep`).
#[derive(Clone, Copy, Debug)]
pub struct KeepVoices;

impl SoundStage for KeepVoices {
    fn process(&mut self, block: SampleBlock) -> Redacted<SampleBlock> {
        Redacted::by_choice(block)
    }
}
