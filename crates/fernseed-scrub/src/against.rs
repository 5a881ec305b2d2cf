//! What an output still holds of its original's metadata.
//!
//! [`needles()`] takes from an original what could be recognised again: the
//! texts of its metadata, serial numbers, positions as they are written in
//! binary, bytes of embedded pictures. [`search()`] looks for them everywhere
//! in a finished file, as UTF-8, UTF-16, base64 and inside every deflated
//! stream. [`leaks()`] does both.
//!
//! Coded pictures and sound look like noise, and noise holds every short text
//! somewhere. A text counts in there only if it is so long that finding it by
//! chance is out of the question; short ones count where the file's structure
//! stands. What every file of our writers holds is never looked for.

mod grams;
mod inflate;
mod needles;
mod ranges;
mod search;
mod windows;

use crate::account::Accounting;
use crate::inventory::Category;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::io::{Read, Seek};

pub use needles::needles;
pub(crate) use needles::texts;
pub use search::{search, search_accounted};

/// One thing to look for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Needle {
    /// What it gives away.
    pub category: Category,
    /// In plain words, for instance `serial number`.
    pub what: String,
    /// Where it stands in the original.
    pub path: String,
    /// What is looked for: 4 to 48 bytes.
    pub bytes: Vec<u8>,
    /// True for text, which may also be written as UTF-16.
    pub text: bool,
}

/// What is looked for in an output: made from an original by [`needles()`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Needles {
    /// Texts and binary values. At most 5,000.
    pub values: Vec<Needle>,
    /// Pieces of 32 bytes of embedded pictures and hidden data, one after
    /// the other. At most 4 MiB.
    pub pieces: Vec<u8>,
}

impl Needles {
    /// True if there is nothing to look for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.pieces.is_empty()
    }
}

/// How something was written where it was found.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// As plain text.
    Utf8,
    /// Two bytes per character, low byte first.
    Utf16Le,
    /// Two bytes per character, high byte first.
    Utf16Be,
    /// As base64.
    Base64,
    /// As the same bytes.
    Bytes,
    /// Bytes of an embedded picture or of hidden data.
    Piece,
}

/// Something of the original's metadata that the output still holds. The
/// value itself is not repeated here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Leak {
    /// What it gives away.
    pub category: Category,
    /// In plain words, for instance `serial number`.
    pub what: String,
    /// Where it stood in the original.
    pub original: String,
    /// How it is written in the output.
    pub form: Form,
    /// True if it was found inside a deflated stream.
    pub deflated: bool,
    /// The output's structure it was found in; empty if in none that is
    /// allowed.
    pub path: String,
    /// First byte and one past the last, in the output. Of a deflated stream,
    /// where the stream begins and one past its first byte.
    pub bytes: (u64, u64),
    /// How often it was found in this form.
    pub count: u64,
}

/// What the first `output_len` bytes of `output` still hold of the metadata
/// of `original`. At most 1,000 leaks.
///
/// Never fails: what cannot be read is not searched, and an unreadable
/// output is a matter of [`crate::account()`].
pub fn leaks(
    original: &mut (impl Read + Seek),
    original_len: u64,
    output: &mut (impl Read + Seek),
    output_len: u64,
) -> Vec<Leak> {
    search(&needles(original, original_len), output, output_len)
}

/// The same where the output has been accounted for already.
pub fn leaks_accounted(
    original: &mut (impl Read + Seek),
    original_len: u64,
    output: &mut (impl Read + Seek),
    output_len: u64,
    account: &Accounting,
) -> Vec<Leak> {
    search_accounted(&needles(original, original_len), output, output_len, account)
}
