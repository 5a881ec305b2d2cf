//! Mutants of small pictures, with their checksums repaired: no panic, no
//! output that is not clean and stable, nothing slow, bounded memory.
//!
//! Runs for some seconds by default; `FERNSEED_FUZZ_SECONDS` gives the time
//! for each format, `FERNSEED_FUZZ_FORMAT` picks one, `FERNSEED_FUZZ_SEED`
//! another sequence. Files of the shared fuzz corpora are mutated too.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod common;

use common::build::{self, Avif};
use common::{canary, pictures as pic, samples};
use fernseed_scrub::{InventoryLimits, StripOptions, account, inventory, strip};
use std::io::Cursor;
use std::time::{Duration, Instant};

/// Longest a mutant may take, in the optimised test build.
const SLOW: Duration = Duration::from_secs(2);
/// Most memory of the process, in KiB.
const MOST_MEMORY: u64 = 512 * 1024;

/// One input: strip it, account for it and its output, list it.
fn fuzz_still(data: &[u8]) -> bool {
    let start = Instant::now();
    let len = data.len() as u64;
    let mut out = Cursor::new(Vec::new());
    let options = StripOptions::default();
    let done = strip(&mut Cursor::new(data), len, &mut out, &options).is_ok();
    if done {
        let out = out.into_inner();
        let report = account(&mut Cursor::new(&out), out.len() as u64);
        assert!(report.is_clean(), "an output is not clean: {:#?}", report.findings);
        let mut again = Cursor::new(Vec::new());
        strip(&mut Cursor::new(&out), out.len() as u64, &mut again, &options).expect("not stable");
        assert!(again.into_inner() == out, "strip of strip differs");
    }
    let report = account(&mut Cursor::new(data), len);
    assert!(report.unclaimed <= len);
    inventory(&mut Cursor::new(data), len, &InventoryLimits::default());
    assert!(start.elapsed() < SLOW, "took {:?}", start.elapsed());
    done
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

fn mutate(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut data = seeds[random.below(seeds.len())].clone();
    for _ in 0..1 + random.below(6) {
        if data.len() < 4 {
            break;
        }
        let at = random.below(data.len());
        match random.below(9) {
            0 => data[at] ^= 1 << random.below(8),
            1 => data[at] = random.next() as u8,
            2 => data[at] = [0, 1, 0x7F, 0x80, 0xFF][random.below(5)],
            3 => {
                let big = [0u32, 1, 0x7FFF_FFFF, 0x8000_0000, u32::MAX, 0xFFFF, 0x10000];
                let value = big[random.below(big.len())];
                let value =
                    if random.below(2) == 0 { value.to_be_bytes() } else { value.to_le_bytes() };
                data.splice(at..(at + 4).min(data.len()), value);
            }
            4 => data.truncate(at.max(16)),
            5 => {
                let end = (at + 1 + random.below(64)).min(data.len());
                data.drain(at..end);
            }
            6 => {
                let end = (at + 1 + random.below(64)).min(data.len());
                let piece = data[at..end].to_vec();
                let to = random.below(data.len());
                data.splice(to..to, piece);
            }
            7 => {
                let other = &seeds[random.below(seeds.len())];
                let from = random.below(other.len());
                let piece = other[from..(from + 1 + random.below(256)).min(other.len())].to_vec();
                data.splice(at..(at + piece.len()).min(data.len()), piece);
            }
            _ => {
                let extra: Vec<u8> = (0..random.below(16)).map(|_| random.next() as u8).collect();
                data.splice(at..at, extra);
            }
        }
    }
    repair(&mut data);
    data
}

/// Checksums of PNG chunks and lengths of RIFF files, so that mutants get
/// past them.
fn repair(data: &mut [u8]) {
    if data.starts_with(b"\x89PNG") {
        let mut at = 8;
        while let Some(head) = data.get(at..at + 4) {
            let size = u32::from_be_bytes(head.try_into().unwrap()) as usize;
            let end = at.saturating_add(8).saturating_add(size);
            let Some(body) = data.get(at + 4..end) else { break };
            let mut crc = flate2::Crc::new();
            crc.update(body);
            let sum = crc.sum().to_be_bytes();
            let Some(place) = data.get_mut(end..end + 4) else { break };
            place.copy_from_slice(&sum);
            at = end + 4;
        }
    } else if data.starts_with(b"RIFF") && data.len() > 12 {
        let size = (data.len() as u32 - 8).to_le_bytes();
        data[4..8].copy_from_slice(&size);
    }
}

fn seeds() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let mut list = vec![
        ("jpeg", vec![pic::jpeg()]),
        ("png", vec![pic::png(), pic::apng(), build::palette_png(&[9; 24], &[], &[])]),
        ("gif", vec![build::gif(&[0; 42], &[], &[], 3, &[])]),
        ("webp", vec![samples::webp_lossless(), samples::webp_lossy(), build::webp_animation(&[])]),
        ("tiff", vec![build::tiff(&[], &[], &[])]),
        ("bmp", vec![build::bmp(&[0; 56], &[], &[])]),
        ("pnm", vec![b"P3\n2 1 255 1 2 3 4 5 6".to_vec(), b"P4\n9 2\nabcd".to_vec()]),
        ("heif", vec![samples::heic(), build::avif(&Avif::default())]),
        ("jxl", vec![samples::jxl(), samples::jxl_lossless(), build::jxl(&[])]),
        ("svg", vec![]),
    ];
    for (place, plant) in canary::places() {
        let format = place.split(' ').next().unwrap();
        let format = if format == "heic" {
            "heif"
        } else if format == "pam" {
            "pnm"
        } else {
            format
        };
        if let Some(slot) = list.iter_mut().find(|l| l.0 == format) {
            slot.1.push(plant(b"canary"));
        }
    }
    for part in ["data/fuzz", "data/metadata"] {
        let Some(folder) = common::shared(part) else { continue };
        for path in common::files(&folder) {
            let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
            let format = match extension.as_str() {
                "jpg" | "jpeg" => "jpeg",
                "tif" => "tiff",
                "heic" | "avif" => "heif",
                "ppm" | "pgm" | "pbm" => "pnm",
                other => other,
            };
            let Some(slot) = list.iter_mut().find(|l| l.0 == format) else { continue };
            if let Ok(data) = std::fs::read(&path)
                && data.len() < 24_000
                && data.len() > 8
            {
                slot.1.push(data);
            }
        }
    }
    list
}

/// Highest resident memory of this process in KiB, where the system tells.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.trim().split(' ').next()?.parse().ok()).unwrap_or(0)
}

#[test]
fn mutants_are_harmless() {
    let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<f64>().ok());
    let seconds = number("FERNSEED_FUZZ_SECONDS").unwrap_or(1.2);
    let seed = number("FERNSEED_FUZZ_SEED").unwrap_or(1.0) as u64;
    let only = std::env::var("FERNSEED_FUZZ_FORMAT").ok();
    for (format, seeds) in seeds() {
        if only.as_deref().is_some_and(|o| o != format) {
            continue;
        }
        let mut random = Random(0x9E37_79B9_7F4A_7C15 ^ seed.wrapping_mul(0x2545_F491_4F6C_DD1D));
        let (mut runs, mut stripped) = (0u64, 0u64);
        for seed in &seeds {
            fuzz_still(seed);
        }
        let start = Instant::now();
        while start.elapsed().as_secs_f64() < seconds {
            let data = mutate(&mut random, &seeds);
            let result = std::panic::catch_unwind(|| fuzz_still(&data));
            match result {
                Ok(done) => stripped += u64::from(done),
                Err(panic) => {
                    let path = std::env::temp_dir().join(format!("fernseed-fuzz-{format}.bin"));
                    std::fs::write(&path, &data).unwrap();
                    println!("{format}: the mutant is in {}", path.display());
                    std::panic::resume_unwind(panic);
                }
            }
            runs += 1;
        }
        println!("{format}: {} seeds, {runs} mutants, {stripped} stripped", seeds.len());
        assert!(runs > 10, "{format}: only {runs} runs");
    }
    let memory = peak_memory();
    println!("highest memory {} MiB", memory / 1024);
    assert!(memory < MOST_MEMORY, "{memory} KiB");
}
