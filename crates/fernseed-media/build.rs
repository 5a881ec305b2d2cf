//! Keeps the C symbols of statically linked libraries (dav1d's interface in
//! re_rav1d, libwebp) out of what the executable exports. Without this the
//! dynamic loader binds Debian's libavcodec to them instead of to the shared
//! libraries it was built for, and another version's structures corrupt memory.

#[allow(clippy::print_stdout, reason = "this is how a build script speaks to cargo")]
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-arg=-Wl,--exclude-libs,ALL");
}
