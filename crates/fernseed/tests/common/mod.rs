//! What the integration tests share: a folder to work in, the binary, test
//! media made on the spot, and other programs that judge the outputs.
//!
//! Media come from the demo material (`make demo-media`) and are transcoded
//! with the programs that are installed. Where something is missing a test
//! prints so and passes.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests; each test program uses its part of them"
)]

pub(crate) mod bench;
pub(crate) mod judge;
pub(crate) mod media;
pub(crate) mod patience;
pub(crate) mod workers;

pub(crate) use bench::Bench;
