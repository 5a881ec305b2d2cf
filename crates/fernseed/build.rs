//! Keeps the C symbols of statically linked libraries (dav1d's interface in
//! re_rav1d, libwebp) out of what the executable exports. Without this the
//! dynamic loader binds Debian's libavcodec to them instead of to the shared
//! libraries it was built for, and another version's structures corrupt memory.
//!
//! `--exclude-libs` alone does that only where such symbols come out of
//! archives: link-time optimisation makes objects of them, as in releases. The
//! version script hides every symbol, wherever it comes from.

#[allow(clippy::print_stdout, reason = "this is how a build script speaks to cargo")]
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=exports.map");
    println!("cargo:rustc-link-arg=-Wl,--exclude-libs,ALL");
    let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    println!("cargo:rustc-link-arg=-Wl,--version-script={folder}/exports.map");
}
