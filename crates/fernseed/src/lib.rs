//! fernseed makes photos and videos safe to publish.
//!
//! It finds every face, destroys it, rebuilds the file from allowed parts
//! only, attacks the result in a fresh process, and only then lets it appear
//! under its name. It runs on one computer, offline, and identifies nobody.
//!
//! The library has two sides that share [`protocol`]: the [`host`], which
//! touches the file system and parses nothing, and the [`worker`], which
//! parses everything and can touch nothing.
#![forbid(unsafe_code)]

pub mod exit;
pub mod host;
pub mod protocol;
pub mod report;
pub mod words;
pub mod worker;
