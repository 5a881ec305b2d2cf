//! Matroska and WebM (RFC 9559).

mod block;
mod codecs;
mod parse;
mod write;

pub(super) use codecs::{bitmap, bitmap_codec, wave, wave_codec, windows};
pub(super) use parse::read;
pub(super) use write::write;
