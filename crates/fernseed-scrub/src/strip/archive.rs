//! Archives, member by member.

use super::{StripError, StripOptions, Stripped};
use std::io::{Read, Seek, Write};

/// Strips `input` if it is an archive; `None` if not.
pub(super) fn rebuild(
    _input: &mut (impl Read + Seek),
    _len: u64,
    _output: &mut (impl Write + Seek),
    _options: &StripOptions,
) -> Option<Result<Stripped, StripError>> {
    None
}
