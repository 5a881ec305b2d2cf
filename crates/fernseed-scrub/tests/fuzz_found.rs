//! Inputs that once broke something, each named after it: `tests/found` and,
//! for new ones, the folder that `FERNSEED_FUZZ_CASES` names.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod common;

use common::fuzz;
use std::path::{Path, PathBuf};

#[test]
fn what_was_found_stays_mended() {
    let mut cases = common::files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/found"));
    if let Some(more) = std::env::var_os("FERNSEED_FUZZ_CASES").map(PathBuf::from) {
        cases.extend(common::files(&more));
    }
    assert!(!cases.is_empty());
    for case in cases {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        fuzz::replay(&name, &std::fs::read(&case).unwrap());
    }
}
