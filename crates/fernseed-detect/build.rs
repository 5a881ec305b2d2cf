//! Checks that the CenterFace weights are there and are the right ones.
//!
//! They are too large to keep in the repository; `make weights` fetches them
//! once. This script never fetches anything.
#![allow(clippy::print_stdout, reason = "build scripts talk to cargo this way")]

use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// SHA-256 of the file `centerface.onnx`; `src/models.rs` names it again for users.
const CENTERFACE_SHA256: &str = "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc";

fn main() {
    println!("cargo::rerun-if-env-changed=FERNSEED_WEIGHTS_DIR");
    let folder = std::env::var_os("FERNSEED_WEIGHTS_DIR").map_or_else(
        || {
            let manifest = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
            PathBuf::from(manifest).join("../../weights")
        },
        PathBuf::from,
    );
    let file = folder.join("centerface.onnx");
    println!("cargo::rerun-if-changed={}", file.display());
    let problem = match std::fs::read(&file) {
        Err(_) => "is missing",
        Ok(bytes) if hex(&Sha256::digest(&bytes)) != CENTERFACE_SHA256 => {
            "is not the expected file (its SHA-256 differs)"
        }
        Ok(_) => {
            let absolute = std::path::absolute(&file).unwrap_or(file);
            println!("cargo::rustc-env=FERNSEED_CENTERFACE_ONNX={}", absolute.display());
            return;
        }
    };
    println!("cargo::error={} {problem}; run: make weights", file.display());
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
