//! Every picture of the shared test material: no panic escapes, each file
//! decodes or gives a typed error in bounded time, and the good ones decode.
//! Skipped, with a message, where the material is absent.

#![expect(clippy::print_stdout, reason = "tells what was skipped and counted")]

use fernseed_core::limits::Limits;
use fernseed_media::still::{StillError, StillFrames, decode};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Longest time one file of the corpora may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn shared() -> Option<PathBuf> {
    let root = std::env::var_os("FERNSEED_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let data = root.join("data");
    if !data.is_dir() {
        println!("skipped: no shared test material");
        return None;
    }
    Some(data)
}

fn files(folder: &Path, depth: u32, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|e| e.path()) {
        if path.is_dir() && depth > 0 {
            files(&path, depth - 1, found);
        } else if path.is_file() {
            found.push(path);
        }
    }
}

/// Decodes all there is: the outcome in a word or two.
fn outcome(bytes: &[u8]) -> Result<u32, StillError> {
    let limits = Limits { max_pixels: 60_000_000, ..Limits::default() };
    match decode(bytes, &limits)?.frames {
        StillFrames::One(_) => Ok(1),
        StillFrames::Animation(mut reader) => {
            let mut frames = 0;
            while reader.next()?.is_some() {
                frames += 1;
            }
            Ok(frames)
        }
    }
}

fn run(folders: &[&str]) -> Option<BTreeMap<PathBuf, Result<u32, StillError>>> {
    let data = shared()?;
    let mut found = Vec::new();
    for folder in folders {
        files(&data.join(folder), 8, &mut found);
    }
    found.sort();
    let wordy = std::env::var_os("FERNSEED_VERBOSE").is_some();
    let mut outcomes = BTreeMap::new();
    for path in found {
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let name = path.strip_prefix(&data).unwrap_or(&path).to_path_buf();
        if wordy {
            println!("{}", name.display());
        }
        let begun = Instant::now();
        let result = outcome(&bytes);
        let took = begun.elapsed();
        assert!(took < PATIENCE, "{} took {took:?}", name.display());
        if wordy {
            println!("    {result:?} in {} ms", took.as_millis());
        }
        outcomes.insert(name, result);
    }
    Some(outcomes)
}

/// Asserts that all files decode whose name passes the filter.
fn must_decode(
    outcomes: &BTreeMap<PathBuf, Result<u32, StillError>>,
    good: impl Fn(&str) -> bool,
) -> usize {
    let chosen = || outcomes.iter().filter(|(path, _)| good(&path.to_string_lossy()));
    let bad: Vec<String> = chosen()
        .filter_map(|(path, r)| r.as_ref().err().map(|e| format!("{}: {e}", path.display())))
        .collect();
    assert!(bad.is_empty(), "{bad:#?}");
    chosen().count()
}

#[test]
fn hostile_and_odd_files_end_well() {
    let folders = [
        "fuzz/image-rs",
        "fuzz/pngsuite_bmpsuite",
        "fuzz/libheif",
        "fuzz/mp4parse_avif",
        "fuzz/torchvision_bad",
        "metadata/exiftool",
    ];
    let Some(outcomes) = run(&folders) else { return };
    let decoded = outcomes.values().filter(|r| r.is_ok()).count();
    println!("{decoded} of {} decode", outcomes.len());
    assert!(decoded > 100);
    // The letter after the suite's picture number says what is wrong: all
    // files beginning with x are damaged on purpose.
    let png_suite = |p: &str| p.contains("pngsuite") && p.ends_with(".png");
    let name_begins_x = |p: &str| p.rsplit('/').next().is_some_and(|n| n.starts_with('x'));
    let good = must_decode(&outcomes, |p| png_suite(p) && !name_begins_x(p));
    println!("{good} good pictures of the PNG suite");
    for (path, result) in &outcomes {
        let path = path.to_string_lossy();
        if png_suite(&path) && name_begins_x(&path) {
            assert!(result.is_err(), "{path} is damaged but decodes");
        }
    }
}

#[test]
fn cameras_files_decode() {
    let Some(outcomes) = run(&["metadata/immich/formats", "metadata/c2pa"]) else { return };
    let ends = ["jpg", "jpeg", "png", "webp", "gif", "avif", "heic", "heif", "jxl", "tiff", "tif"];
    // One file is a proof of concept of an attack on a parser.
    let picture = |p: &str| {
        !p.contains("_poc") && ends.iter().any(|e| p.to_lowercase().rsplit('.').next() == Some(e))
    };
    let good = must_decode(&outcomes, picture);
    println!("{good} camera files decode");
    assert!(good > 20);
}
