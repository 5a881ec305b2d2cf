//! Media in and out: the only crate that links C codecs.
//!
//! [`video`] turns video and sound into upright pictures and samples and
//! back into files that hold nothing else. FFmpeg is reached through one
//! private module, the only one with `unsafe` code, and never opens a file
//! by itself.

mod ffi;
mod mux;
pub mod still;
pub mod video;
