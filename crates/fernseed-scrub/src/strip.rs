//! Rebuilding a file from its allowed parts, picture and sound untouched.
//!
//! Each format is parsed into typed values and written anew by a writer of
//! this module: what the writer does not know does not exist in the output.
//! Nothing is copied because nobody objected. The order and the values of
//! everything around the coded payload are canonical, so that two sources
//! with equal payloads and different metadata give equal bytes, and a
//! stripped file stripped again stays as it is.
//!
//! One module per format; [`crate::account()`] checks the result with readers
//! that share nothing with these.

mod archive;
mod sound;
mod still;
mod video;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::io::{Read, Seek, Write};

/// How a file is stripped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StripOptions {
    /// What happens to a member of an archive that is of no known format.
    pub unknown: UnknownMember,
}

/// What happens to a member of an archive that cannot be cleaned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnknownMember {
    /// The whole archive is refused.
    #[default]
    Abort,
    /// The member is left out, and said so.
    Omit,
}

/// What stripping came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stripped {
    /// What the file is, in plain words: `JPEG photo`, `MP4 video`.
    pub container: String,
    /// File name extension of the output, lower case, without the dot.
    pub extension: String,
    /// What a user should know, in full sentences: a colour profile replaced
    /// by a standard one, tracks or members left out.
    pub notes: Vec<String>,
}

/// Why a file could not be stripped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StripError {
    /// None of the known formats.
    #[error("it is in no format that can be stripped")]
    UnknownFormat,
    /// Known, but what is wanted cannot be had without coding the picture or
    /// the sound again.
    #[error("{0}")]
    NeedsReencoding(String),
    /// A feature that is not supported.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// Cut short.
    #[error("it is cut short in {0}")]
    Truncated(String),
    /// Broken.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// Encrypted or protected.
    #[error("it is encrypted")]
    Encrypted,
    /// Larger than the limits.
    #[error("it is too large: {0}")]
    TooLarge(String),
    /// A member of an archive that cannot be cleaned; names its position,
    /// not its name.
    #[error("member {index} of the archive cannot be cleaned: {reason}")]
    Member {
        /// Counted from 1.
        index: usize,
        /// Why.
        reason: String,
    },
    /// Reading or writing failed.
    #[error("reading or writing failed: {0}")]
    Io(#[from] std::io::Error),
}

/// Strips the first `len` bytes of `input` into `output`.
///
/// Picture and sound stay as coded, bit for bit; where a format does not
/// allow that, [`StripError::NeedsReencoding`] says so and nothing useful
/// has been written. The output must be empty and at its start; it may hold
/// half a file after an error.
///
/// # Errors
/// [`StripError`] says why, without the file's name.
pub fn strip(
    input: &mut (impl Read + Seek),
    len: u64,
    output: &mut (impl Write + Seek),
    options: &StripOptions,
) -> Result<Stripped, StripError> {
    still::rebuild(input, len, output)
        .or_else(|| video::rebuild(input, len, output))
        .or_else(|| sound::rebuild(input, len, output))
        .or_else(|| archive::rebuild(input, len, output, options))
        .unwrap_or(Err(StripError::UnknownFormat))
}
