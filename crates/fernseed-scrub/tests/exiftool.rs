//! Compares the inventory with what ExifTool reports on real files. Every
//! position, serial number, owner, date and thumbnail that it finds should
//! have a counterpart.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "helpers of tests may panic"
)]

mod common;

use fernseed_scrub::{Category, Inventory, InventoryLimits, inventory};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// What is compared, and the share that must have a counterpart.
const KINDS: [(&str, f64); 5] =
    [("gps", 0.95), ("serial", 0.85), ("owner", 0.97), ("date", 0.97), ("thumbnail", 0.97)];

fn kind_of(group: &str, tag: &str, value: &str) -> Option<&'static str> {
    // Derived or about the file on disk, not in the file.
    if matches!(group, "Composite" | "File" | "System" | "ExifTool") {
        return None;
    }
    let has = |words: &[&str]| words.iter().any(|w| tag.contains(w));
    if value.trim().is_empty() || value == "0000:00:00 00:00:00" || value == "undef" {
        None
    } else if has(&["Thumbnail", "PreviewImage", "JpgFromRaw", "PhotoshopThumb"])
        && value.contains("Binary data")
    {
        Some("thumbnail")
    } else if has(&["GPSLatitude", "GPSLongitude", "GPSCoordinates", "GPSPosition", "GPSAltitude"])
        && !tag.ends_with("Ref")
    {
        Some("gps")
    } else if has(&["SerialNumber"]) && !has(&["Format"]) {
        Some("serial")
    } else if has(&["OwnerName", "Artist", "By-line", "Author"]) || tag == "Creator" {
        (!tag.ends_with("Title") && !tag.ends_with("Position")).then_some("owner")
    } else if has(&["Date"]) && value.get(..2).is_some_and(|y| y == "19" || y == "20") {
        (!value.contains("Binary")).then_some("date")
    } else {
        None
    }
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

fn numbers(text: &str) -> Vec<f64> {
    text.split(|c: char| !(c.is_ascii_digit() || c == '.')).filter_map(|n| n.parse().ok()).collect()
}

fn counterpart(list: &Inventory, kind: &str, tag: &str, value: &str) -> bool {
    let flat =
        |s: &str| s.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
    let (flat_value, flat_tag) = (flat(value), flat(tag));
    list.items.iter().any(|item| {
        let said = flat(&item.value);
        let same_text = flat_value.len() >= 2
            && (said.contains(&flat_value) || (said.len() >= 4 && flat_value.contains(&said)));
        let same_name = flat(&item.path).contains(&flat_tag);
        match kind {
            "gps" => {
                let wanted = numbers(value);
                let have = numbers(&item.value);
                // ExifTool reports the last sample of a track, we the first.
                let most = if tag.contains("Altitude") { 1.0 } else { 0.001 };
                let near = wanted.iter().any(|w| have.iter().any(|h| (w - h).abs() < most));
                matches!(item.category, Category::Place | Category::Time) && near
            }
            "serial" => item.category == Category::Device && (same_text || same_name),
            "owner" => item.category == Category::People && (same_text || same_name),
            "date" => {
                // The same day and minute, however it is written.
                let (want, have) = (digits(value), digits(&item.value));
                let n = want.len().min(12);
                let same = n >= 4
                    && (have.contains(&want[..n]) || want.contains(&have) && have.len() >= 6);
                (item.category == Category::Time || item.category == Category::Software)
                    && (same || same_name)
            }
            _ => item.category == Category::Preview,
        }
    })
}

fn exiftool(folder: &Path) -> Option<Vec<serde_json::Value>> {
    let output = Command::new("exiftool")
        .args([
            "-j",
            "-a",
            "-G1",
            "-u",
            "-ee3",
            "-n",
            "-r",
            "-api",
            "TimeZone=UTC",
            "-api",
            "QuickTimeUTC=0",
        ])
        .arg(folder)
        .output()
        .ok()?;
    serde_json::from_slice(&output.stdout).ok()
}

#[test]
fn nothing_that_exiftool_finds_is_missed() {
    let (mut found, mut all) = (BTreeMap::new(), BTreeMap::new());
    let mut missed = Vec::new();
    let mut compared = 0;
    for part in
        ["data/metadata/immich", "data/metadata/exiftool", "data/metadata/c2pa", "data/video"]
    {
        let Some(folder) = common::shared(part) else { continue };
        let Some(reports) = exiftool(&folder) else {
            println!("skipped: exiftool is not installed");
            return;
        };
        for report in reports {
            let path = report["SourceFile"].as_str().unwrap_or_default().to_owned();
            let Ok(mut file) = std::fs::File::open(&path) else { continue };
            let len = file.metadata().unwrap().len();
            let list = inventory(&mut file, len, &InventoryLimits::default());
            if list.container == "unknown" {
                continue;
            }
            compared += 1;
            for (key, value) in report.as_object().unwrap() {
                let (group, tag) = key.split_once(':').unwrap_or(("", key));
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let Some(kind) = kind_of(group, tag, &text) else { continue };
                *all.entry(kind).or_insert(0u32) += 1;
                if counterpart(&list, kind, tag, &text) {
                    *found.entry(kind).or_insert(0u32) += 1;
                } else {
                    let name = Path::new(&path).file_name().unwrap().to_string_lossy().into_owned();
                    missed.push(format!("{kind}: {name} {key}"));
                }
            }
        }
    }
    for line in &missed {
        println!("missed {line}");
    }
    println!("{compared} files compared");
    for (kind, _) in KINDS {
        println!("{kind}: {} of {}", found.get(kind).unwrap_or(&0), all.get(kind).unwrap_or(&0));
    }
    for (kind, least) in KINDS {
        let (hit, total) = (found.get(kind).unwrap_or(&0), all.get(kind).unwrap_or(&0));
        if *total > 0 {
            let share = f64::from(*hit) / f64::from(*total);
            assert!(share >= least, "{kind}: {hit} of {total}");
        }
    }
}
