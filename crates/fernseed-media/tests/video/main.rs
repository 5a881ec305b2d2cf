//! Whole files through reader, renderer and writer, judged by other tools.
//!
//! Clips are made with the `ffmpeg` command while the tests run; where it is
//! missing the tests say so and pass.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod damage;
mod formats;
mod hdr;
mod lending;
mod memory;
mod references;
mod sound;
mod splice;
mod support;
mod timing;
