//! Mutated sound files and archives: no panic, no hang, bounded output.
//!
//! Seeded and short by default; `FERNSEED_FUZZ_SECONDS` sets how long it runs.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "helpers of tests may panic"
)]

mod common;

use common::sound::{KINDS, make};
use fernseed_scrub::{StripOptions, UnknownMember, account, facts, leaks, strip};
use std::io::Cursor;
use std::time::{Duration, Instant};

/// Steele, Lea and Flood 2014 (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// Changes a few places: bytes, lengths, cuts, repetitions, splices.
fn mutate(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut b = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(8) {
        if b.is_empty() {
            break;
        }
        // Structures stand at the beginning and the end more than between.
        let at = match random.below(4) {
            0 => random.below(b.len().min(64)),
            1 => random.below(b.len().min(4096)),
            2 => b.len() - 1 - random.below(b.len().min(300)),
            _ => random.below(b.len()),
        };
        match random.below(9) {
            0 => b[at] = random.next() as u8,
            1 => b[at] ^= 1 << random.below(8),
            2 => b.truncate(at),
            3 => {
                let values = [0u32, 1, 0x7F, 0xFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, u32::MAX];
                let value = values[random.below(values.len())];
                let bytes =
                    if random.below(2) == 0 { value.to_le_bytes() } else { value.to_be_bytes() };
                for (to, from) in b[at..].iter_mut().zip(bytes) {
                    *to = from;
                }
            }
            4 => {
                let end = (at + random.below(2000)).min(b.len());
                let piece = b[at..end].to_vec();
                b.splice(at..at, piece);
            }
            5 => {
                let end = (at + random.below(600)).min(b.len());
                b.drain(at..end);
            }
            6 => {
                let other = &seeds[random.below(seeds.len())];
                let from = random.below(other.len());
                let end = (from + random.below(3000)).min(other.len());
                b.splice(at..at, other[from..end].iter().copied());
            }
            7 => {
                let end = (at + random.below(64)).min(b.len());
                b[at..end].fill([0, 0xFF][random.below(2)]);
            }
            _ => b.insert(at, random.next() as u8),
        }
    }
    b.truncate(256 << 10);
    b
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

#[test]
fn mutations_neither_panic_nor_hang() {
    let folder = tempfile::tempdir().unwrap();
    let mut seeds: Vec<Vec<u8>> = Vec::new();
    for (name, options) in KINDS {
        let short: Vec<&str> = options.iter().copied().chain(["-t", "0.2"]).collect();
        if let Some(path) = make(folder.path(), name, &short, "tag") {
            seeds.push(std::fs::read(path).unwrap());
        }
    }
    if seeds.is_empty() {
        println!("skipped: FFmpeg is not installed");
        return;
    }
    seeds.sort_by_key(Vec::len);
    let more = archives(&seeds);
    seeds.extend(more);
    let seconds = std::env::var("FERNSEED_FUZZ_SECONDS").ok().and_then(|s| s.parse().ok());
    let until = Instant::now() + Duration::from_secs(seconds.unwrap_or(6));
    let first = std::env::var("FERNSEED_FUZZ_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    let mut random = Random(first);
    let (mut runs, mut good, mut slowest) = (0u64, 0u64, Duration::ZERO);
    let original = seeds[0].clone();
    while Instant::now() < until {
        let input = mutate(&mut random, &seeds);
        let len = input.len() as u64;
        let start = Instant::now();
        let mut out = Cursor::new(Vec::new());
        let unknown = if runs % 2 == 0 { UnknownMember::Abort } else { UnknownMember::Omit };
        let result = strip(&mut Cursor::new(&input), len, &mut out, &StripOptions { unknown });
        let _book = account(&mut Cursor::new(&input), len);
        if runs % 16 == 0 {
            let _facts = facts(&mut Cursor::new(&input), len);
            let _leaks = leaks(
                &mut Cursor::new(&input),
                len,
                &mut Cursor::new(&original),
                original.len() as u64,
            );
        }
        if result.is_ok() {
            good += 1;
            let out = out.into_inner();
            assert!(out.len() < (64 << 20), "{} bytes of {len}", out.len());
            // Whatever was put in, what comes out is a clean file.
            let book = account(&mut Cursor::new(&out), out.len() as u64);
            if !book.is_clean() || strip_again(&out) != Some(true) {
                let path = std::env::temp_dir().join(format!("fernseed-fuzz-{runs}.bin"));
                std::fs::write(&path, &input).unwrap();
                panic!("{}: {:?}", path.display(), book.findings.first());
            }
        }
        let took = start.elapsed();
        if took > slowest {
            slowest = took;
        }
        assert!(took < Duration::from_secs(20), "run {runs}: {took:?}");
        runs += 1;
    }
    println!("{runs} runs, {good} accepted, slowest {slowest:?}");
    assert!(runs > 20 && good > 0);
}

/// True if stripping once more changes nothing.
fn strip_again(out: &[u8]) -> Option<bool> {
    let mut again = Cursor::new(Vec::new());
    let options = StripOptions::default();
    strip(&mut Cursor::new(out), out.len() as u64, &mut again, &options).ok()?;
    Some(again.get_ref() == out)
}
