//! Mutants of small pictures, with their checksums repaired: no panic, no
//! output that is not clean and stable, nothing slow, bounded memory.
//!
//! Runs for some seconds by default; see `common::fuzz` for the settings.
//! Files of the shared fuzz corpora are mutated too.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod common;

use common::build::{self, Avif};
use common::fuzz::{self, Dice};
use common::{canary, pictures as pic, samples};

fn mutate(dice: &mut Dice, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut data = seeds[dice.below(seeds.len())].clone();
    for _ in 0..1 + dice.below(6) {
        if data.len() < 4 {
            break;
        }
        let at = dice.below(data.len());
        match dice.below(9) {
            0 => data[at] ^= 1 << dice.below(8),
            1 => data[at] = dice.roll() as u8,
            2 => data[at] = [0, 1, 0x7F, 0x80, 0xFF][dice.below(5)],
            3 => {
                let big = [0u32, 1, 0x7FFF_FFFF, 0x8000_0000, u32::MAX, 0xFFFF, 0x10000];
                let value = big[dice.below(big.len())];
                let value =
                    if dice.below(2) == 0 { value.to_be_bytes() } else { value.to_le_bytes() };
                data.splice(at..(at + 4).min(data.len()), value);
            }
            4 => data.truncate(at.max(16)),
            5 => {
                let end = (at + 1 + dice.below(64)).min(data.len());
                data.drain(at..end);
            }
            6 => {
                let end = (at + 1 + dice.below(64)).min(data.len());
                let piece = data[at..end].to_vec();
                let to = dice.below(data.len());
                data.splice(to..to, piece);
            }
            7 => {
                let other = &seeds[dice.below(seeds.len())];
                let from = dice.below(other.len());
                let piece = other[from..(from + 1 + dice.below(256)).min(other.len())].to_vec();
                data.splice(at..(at + piece.len()).min(data.len()), piece);
            }
            _ => {
                let extra: Vec<u8> = (0..dice.below(16)).map(|_| dice.roll() as u8).collect();
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

#[test]
fn mutants_are_harmless() {
    for (format, seeds) in seeds().iter().filter(|s| fuzz::wanted(s.0)) {
        fuzz::run(format, seeds, 1.2, mutate);
    }
}
