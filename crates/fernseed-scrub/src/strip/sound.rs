//! Sound files: WAV, AIFF, FLAC, Ogg Vorbis and Opus, MP3.
//!
//! The coded sound stays as it is; everything around it is written anew.
//! One module per format.

mod aiff;
mod bits;
mod crc;
mod flac;
mod flow;
mod mp3;
mod ogg;
mod wav;

use super::{StripError, Stripped};
use crate::bytes::part;
use crate::source::Source;
use std::io::{Read, Seek, Write};

/// Strips `input` if it is one of this module's formats; `None` if not.
pub(super) fn rebuild(
    input: &mut (impl Read + Seek),
    len: u64,
    output: &mut (impl Write + Seek),
) -> Option<Result<Stripped, StripError>> {
    // Every format is read at most twice, and headers apart.
    let budget = len.saturating_mul(3).saturating_add(64 << 20);
    let mut source = Source::new(input, len, budget);
    let source = &mut source;
    let start = flow::after_tags(source);
    let head = source.upto(start, len, 12).ok()?;
    let at = |n: usize, what: &[u8]| part(&head, n, what.len()) == Some(what);
    if start == 0 && at(8, b"WAVE") && (at(0, b"RIFF") || at(0, b"RF64") || at(0, b"BW64")) {
        Some(wav::rebuild(source, output))
    } else if start == 0 && at(0, b"FORM") && (at(8, b"AIFF") || at(8, b"AIFC")) {
        Some(aiff::rebuild(source, output))
    } else if start == 0 && at(0, b"OggS") {
        Some(ogg::rebuild(source, output))
    } else if at(0, b"fLaC") {
        Some(flac::rebuild(source, start, output))
    } else if mp3::looks_like(source, start) {
        Some(mp3::rebuild(source, start, output))
    } else {
        None
    }
}
