//! Where test material lies, and small helpers for tests.

// Each test file uses a part of these.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout
)]

pub mod build;
pub mod canary;
pub mod clips;
pub mod fuzz;
pub mod icc;
pub mod mp4;
pub mod pictures;
pub mod samples;
pub mod sound;

use std::path::{Path, PathBuf};

/// The folder with shared test material, if it is there.
pub fn shared(part: &str) -> Option<PathBuf> {
    let root = std::env::var_os("FERNSEED_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let path = root.join(part);
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: {part} is not here");
    None
}

/// All files below a folder, in order.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut list = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() { open.push(path) } else { list.push(path) }
        }
    }
    list.sort();
    list
}
