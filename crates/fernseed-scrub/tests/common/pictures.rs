//! Small pictures and a WebM file written by hand.

use flate2::Compression;
use flate2::write::ZlibEncoder;
use std::io::Write;

/// A PNG chunk with its checksum.
pub fn chunk(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(kind);
    crc.update(body);
    let mut out = (body.len() as u32).to_be_bytes().to_vec();
    out.extend(kind);
    out.extend(body);
    out.extend(crc.sum().to_be_bytes());
    out
}

pub fn deflate(data: &[u8]) -> Vec<u8> {
    let mut z = ZlibEncoder::new(Vec::new(), Compression::default());
    z.write_all(data).unwrap();
    z.finish().unwrap()
}

fn header(width: u32, height: u32) -> Vec<u8> {
    let mut ihdr = width.to_be_bytes().to_vec();
    ihdr.extend(height.to_be_bytes());
    ihdr.extend([8, 2, 0, 0, 0]);
    chunk(b"IHDR", &ihdr)
}

/// Rows of an RGB picture, each with filter 0.
pub fn rows(width: usize, height: usize) -> Vec<u8> {
    (0..height)
        .flat_map(|y| std::iter::once(0).chain((0..width * 3).map(move |x| (x * 7 + y * 13) as u8)))
        .collect()
}

/// A PNG whose chunks after IHDR are given.
pub fn png_of(chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    out.extend(header(16, 16));
    for c in chunks {
        out.extend(c);
    }
    out.extend(chunk(b"IEND", b""));
    out
}

pub fn png() -> Vec<u8> {
    let data = deflate(&rows(16, 16));
    let (a, b) = data.split_at(data.len() / 2);
    png_of(&[chunk(b"sRGB", &[0]), chunk(b"IDAT", a), chunk(b"IDAT", b)])
}

/// A PNG animation of two frames.
pub fn apng() -> Vec<u8> {
    let control = |n: u32| {
        let words = [n, 16, 16, 0, 0];
        let mut b: Vec<u8> = words.iter().flat_map(|w| w.to_be_bytes()).collect();
        b.extend([0, 1, 0, 25, 0, 0]);
        chunk(b"fcTL", &b)
    };
    let data = deflate(&rows(16, 16));
    let second = [&2u32.to_be_bytes()[..], &data].concat();
    png_of(&[
        chunk(b"acTL", &[0, 0, 0, 2, 0, 0, 0, 0]),
        control(0),
        chunk(b"IDAT", &data),
        control(1),
        chunk(b"fdAT", &second),
    ])
}

/// A JPEG segment.
pub fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![0xFF, marker];
    out.extend((body.len() as u16 + 2).to_be_bytes());
    out.extend(body);
    out
}

pub fn jfif() -> Vec<u8> {
    segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0")
}

/// A grey picture of 16x8 pixels, two blocks, with tables of one code each:
/// DC size 0 is the bit 0, end of block is the bit 0.
pub fn jpeg_with(extra: &[u8], scan: &[u8]) -> Vec<u8> {
    let mut out = vec![0xFF, 0xD8];
    out.extend(jfif());
    out.extend(extra);
    let mut quant = vec![0];
    quant.extend([16; 64]);
    out.extend(segment(0xDB, &quant));
    out.extend(segment(0xC0, &[8, 0, 8, 0, 16, 1, 1, 0x11, 0]));
    for class in [0x00, 0x10] {
        let mut table = vec![class, 1];
        table.extend([0; 15]);
        table.push(0);
        out.extend(segment(0xC4, &table));
    }
    out.extend(segment(0xDA, &[1, 1, 0, 0, 63, 0]));
    out.extend(scan);
    out.extend([0xFF, 0xD9]);
    out
}

pub fn jpeg() -> Vec<u8> {
    // Four zero bits, then ones to the end of the byte.
    jpeg_with(&[], &[0x0F])
}

/// A lossless WebP header with some bytes of content.
pub fn webp_of(chunks: &[Vec<u8>]) -> Vec<u8> {
    let body = chunks.concat();
    let mut out = b"RIFF".to_vec();
    out.extend((body.len() as u32 + 4).to_le_bytes());
    out.extend(b"WEBP");
    out.extend(body);
    out
}

pub fn riff(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut out = kind.to_vec();
    out.extend((body.len() as u32).to_le_bytes());
    out.extend(body);
    out.extend(vec![0; body.len() % 2]);
    out
}

pub fn webp() -> Vec<u8> {
    webp_of(&[riff(b"VP8L", &[0x2F, 15, 0xC0, 3, 0, 9, 9])])
}

/// An EBML element with a one-byte or two-byte length.
pub fn ebml(id: &[u8], body: &[u8]) -> Vec<u8> {
    let mut out = id.to_vec();
    if body.len() < 127 {
        out.push(0x80 | body.len() as u8);
    } else {
        out.extend((0x4000 | body.len() as u16).to_be_bytes());
    }
    out.extend(body);
    out
}

/// A WebM file with two frames; `info` and `segment` are added.
pub fn webm_with(info: &[u8], segment: &[u8]) -> Vec<u8> {
    let head = [
        ebml(&[0x42, 0x86], &[1]),
        ebml(&[0x42, 0xF7], &[1]),
        ebml(&[0x42, 0xF2], &[4]),
        ebml(&[0x42, 0xF3], &[8]),
        ebml(&[0x42, 0x82], b"webm"),
        ebml(&[0x42, 0x87], &[4]),
        ebml(&[0x42, 0x85], &[2]),
    ]
    .concat();
    let info = [
        ebml(&[0x2A, 0xD7, 0xB1], &[0x0F, 0x42, 0x40]),
        ebml(&[0x4D, 0x80], b"fernseed"),
        ebml(&[0x57, 0x41], b"fernseed"),
        info.to_vec(),
    ]
    .concat();
    let video = ebml(&[0xE0], &[ebml(&[0xB0], &[16]), ebml(&[0xBA], &[16])].concat());
    let track = [
        ebml(&[0xD7], &[1]),
        ebml(&[0x73, 0xC5], &[1]),
        ebml(&[0x83], &[1]),
        ebml(&[0x86], b"V_VP9"),
        video,
    ]
    .concat();
    let cluster = [
        ebml(&[0xE7], &[0]),
        ebml(&[0xA3], &[0x81, 0, 0, 0x80, 1, 2, 3]),
        ebml(&[0xA3], &[0x81, 0, 40, 0, 1, 2, 3]),
    ]
    .concat();
    let body = [
        ebml(&[0x15, 0x49, 0xA9, 0x66], &info),
        ebml(&[0x16, 0x54, 0xAE, 0x6B], &ebml(&[0xAE], &track)),
        segment.to_vec(),
        ebml(&[0x1F, 0x43, 0xB6, 0x75], &cluster),
    ]
    .concat();
    [ebml(&[0x1A, 0x45, 0xDF, 0xA3], &head), ebml(&[0x18, 0x53, 0x80, 0x67], &body)].concat()
}
