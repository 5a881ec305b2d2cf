//! Mutated sound files and archives: no panic, no hang, bounded output,
//! and whatever is written is accounted for and stable.
//!
//! Runs for some seconds by default; see `common::fuzz` for the settings.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "helpers of tests may panic"
)]

mod common;

use common::fuzz::{self, Dice};
use common::sound::{KINDS, make};

/// Changes a few places: bytes, lengths, cuts, repetitions, splices.
fn mutate(dice: &mut Dice, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut b = seeds[dice.below(seeds.len())].clone();
    for _ in 0..=dice.below(8) {
        if b.is_empty() {
            break;
        }
        // Structures stand at the beginning and the end more than between.
        let at = match dice.below(4) {
            0 => dice.below(b.len().min(64)),
            1 => dice.below(b.len().min(4096)),
            2 => b.len() - 1 - dice.below(b.len().min(300)),
            _ => dice.below(b.len()),
        };
        match dice.below(9) {
            0 => b[at] = dice.roll() as u8,
            1 => b[at] ^= 1 << dice.below(8),
            2 => b.truncate(at),
            3 => {
                let values = [0u32, 1, 0x7F, 0xFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, u32::MAX];
                let value = values[dice.below(values.len())];
                let bytes =
                    if dice.below(2) == 0 { value.to_le_bytes() } else { value.to_be_bytes() };
                for (to, from) in b[at..].iter_mut().zip(bytes) {
                    *to = from;
                }
            }
            4 => {
                let end = (at + dice.below(2000)).min(b.len());
                let piece = b[at..end].to_vec();
                b.splice(at..at, piece);
            }
            5 => {
                let end = (at + dice.below(600)).min(b.len());
                b.drain(at..end);
            }
            6 => {
                let other = &seeds[dice.below(seeds.len())];
                let from = dice.below(other.len());
                let end = (from + dice.below(3000)).min(other.len());
                b.splice(at..at, other[from..end].iter().copied());
            }
            7 => {
                let end = (at + dice.below(64)).min(b.len());
                b[at..end].fill([0, 0xFF][dice.below(2)]);
            }
            _ => b.insert(at, dice.roll() as u8),
        }
    }
    b.truncate(256 << 10);
    repair(&mut b);
    b
}

/// Sums of the heads in a TAR, so that mutants get past them.
fn repair(b: &mut [u8]) {
    for head in b.chunks_exact_mut(512).filter(|h| h[257..].starts_with(b"ustar")) {
        head[148..156].fill(b' ');
        let sum: u32 = head.iter().map(|&x| u32::from(x)).sum();
        head[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    }
}

/// A stored ZIP and a TAR of some seeds, without any care.
fn archives(seeds: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let (mut zip, mut directory, mut tar) = (Vec::new(), Vec::new(), Vec::new());
    for (n, seed) in seeds.iter().take(3).enumerate() {
        let mut crc = flate2::Crc::new();
        crc.update(seed);
        let size = (seed.len() as u32).to_le_bytes();
        let mut common = vec![20, 0, 0, 0, 0, 0, 1, 2, 3, 4];
        common.extend([crc.sum().to_le_bytes(), size, size].concat());
        common.extend([1, 0, 0, 0]);
        directory.extend(b"PK\x01\x02\x14\0");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend((zip.len() as u32).to_le_bytes());
        directory.push(b'a' + n as u8);
        zip.extend(b"PK\x03\x04");
        zip.extend(&common);
        zip.push(b'a' + n as u8);
        zip.extend(seed);
        let mut head = vec![0; 512];
        head[0] = b'a' + n as u8;
        head[124..136].copy_from_slice(format!("{:011o}\0", seed.len()).as_bytes());
        head[148..156].fill(b' ');
        head[257..262].copy_from_slice(b"ustar");
        let sum: u32 = head.iter().map(|&x| u32::from(x)).sum();
        head[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        tar.extend(head);
        tar.extend(seed);
        tar.extend(vec![0; (512 - seed.len() % 512) % 512]);
    }
    let (start, size) = (zip.len() as u32, directory.len() as u32);
    zip.extend(directory);
    zip.extend(b"PK\x05\x06\0\0\0\0\x03\0\x03\0");
    zip.extend([size.to_le_bytes(), start.to_le_bytes()].concat());
    zip.extend([0, 0]);
    tar.extend([0; 1024]);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    std::io::Write::write_all(&mut gz, &tar).unwrap();
    vec![zip, tar, gz.finish().unwrap()]
}

/// Formats of sound with the endings of their files.
const SOUNDS: [(&str, &[&str]); 5] = [
    ("mp3", &["mp3"]),
    ("flac", &["flac"]),
    ("ogg", &["ogg", "opus"]),
    ("wav", &["wav"]),
    ("aiff", &["aiff", "aifc"]),
];

#[test]
fn mutations_neither_panic_nor_hang() {
    let folder = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    for (format, endings) in SOUNDS {
        let mut seeds: Vec<Vec<u8>> = Vec::new();
        for (name, options) in KINDS {
            if !name.rsplit('.').next().is_some_and(|e| endings.contains(&e)) {
                continue;
            }
            let short: Vec<&str> = options.iter().copied().chain(["-t", "0.2"]).collect();
            if let Some(path) = make(folder.path(), name, &short, "tag") {
                seeds.push(std::fs::read(path).unwrap());
            }
        }
        if seeds.is_empty() {
            println!("skipped: FFmpeg is not installed");
            return;
        }
        if fuzz::wanted(format) {
            fuzz::run(format, &seeds, 1.0, mutate);
        }
        seeds.sort_by_key(Vec::len);
        all.push(seeds.swap_remove(0));
    }
    all.sort_by_key(Vec::len);
    all.push(common::pictures::png());
    all.push(common::pictures::jpeg());
    let packs: Vec<Vec<Vec<u8>>> = all.chunks(3).map(archives).collect();
    for (which, format) in ["zip", "tar", "tar.gz"].into_iter().enumerate() {
        if fuzz::wanted(format) {
            let seeds: Vec<Vec<u8>> = packs.iter().map(|p| p[which].clone()).collect();
            fuzz::run(format, &seeds, 1.0, mutate);
        }
    }
}
