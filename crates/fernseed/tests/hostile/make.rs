//! Files made on the spot: small good ones, and bombs.

use flate2::Compression;
use flate2::write::ZlibEncoder;
use std::io::Write;

/// A PNG chunk with its checksum.
pub(crate) fn chunk(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut out = (body.len() as u32).to_be_bytes().to_vec();
    out.extend(kind);
    out.extend(body);
    let mut crc = crc32fast::Hasher::new();
    crc.update(kind);
    crc.update(body);
    out.extend(crc.finalize().to_be_bytes());
    out
}

/// A PNG of 8-bit grey whose compressed data is `idat`.
pub(crate) fn png_with(width: u32, height: u32, idat: &[u8]) -> Vec<u8> {
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([8, 0, 0, 0, 0]);
    out.extend(chunk(b"IHDR", &header));
    out.extend(chunk(b"IDAT", idat));
    out.extend(chunk(b"IEND", b""));
    out
}

/// A small good PNG; another one for each seed.
pub(crate) fn png(side: u32, seed: u32) -> Vec<u8> {
    let mut rows = Vec::new();
    for y in 0..side {
        rows.push(0);
        rows.extend((0..side).map(|x| (x.wrapping_mul(3 + seed) ^ y.wrapping_mul(5)) as u8));
    }
    png_with(side, side, &deflate(&rows))
}

/// zlib data.
pub(crate) fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// zlib data of 1 GiB of zeros, without ever holding them.
pub(crate) fn gibibyte() -> &'static [u8] {
    static DATA: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    DATA.get_or_init(|| {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(6));
        let mut zeros = std::io::Read::take(std::io::repeat(0), 1 << 30);
        std::io::copy(&mut zeros, &mut encoder).unwrap();
        encoder.finish().unwrap()
    })
}

/// An ISO base media box.
pub(crate) fn iso_box(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut out = (body.len() as u32 + 8).to_be_bytes().to_vec();
    out.extend(kind);
    out.extend(body);
    out
}
