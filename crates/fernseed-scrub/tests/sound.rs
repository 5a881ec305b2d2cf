//! Stripped sound decodes to the same samples, is accounted for to the last
//! byte, and does not tell of its tags.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "helpers of tests may panic"
)]

mod common;

use common::sound::{KINDS, frames, make, samples};
use fernseed_scrub::{StripError, StripOptions, Stripped, account, leaks, strip};
use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

fn stripped(bytes: &[u8]) -> Result<(Vec<u8>, Stripped), StripError> {
    let mut out = Cursor::new(Vec::new());
    let options = StripOptions::default();
    let what = strip(&mut Cursor::new(bytes), bytes.len() as u64, &mut out, &options)?;
    Ok((out.into_inner(), what))
}

/// Asserts what holds for every output; gives it back.
fn checked(bytes: &[u8], name: &str) -> Result<(Vec<u8>, Stripped), StripError> {
    let (out, what) = stripped(bytes)?;
    let (again, _) = stripped(&out).unwrap_or_else(|e| panic!("{name}: again: {e}"));
    assert!(again == out, "{name}: stripped twice, it changes");
    let book = account(&mut Cursor::new(&out), out.len() as u64);
    assert!(book.is_clean(), "{name}: {:?}", book.findings);
    let left = leaks(
        &mut Cursor::new(bytes),
        bytes.len() as u64,
        &mut Cursor::new(&out),
        out.len() as u64,
    );
    assert!(left.is_empty(), "{name}: {left:?}");
    Ok((out, what))
}

#[test]
fn samples_stay_and_tags_go() {
    let folder = tempfile::tempdir().unwrap();
    let mut done = 0;
    for (name, options) in KINDS {
        let Some(first) = make(folder.path(), name, options, "Canary of the first") else {
            println!("skipped: FFmpeg cannot make {name}");
            continue;
        };
        let before = samples(&first).unwrap();
        let (out, what) = checked(&std::fs::read(&first).unwrap(), name).unwrap();
        let extension = Path::new(name).extension().unwrap().to_str().unwrap();
        assert_eq!(what.extension, extension, "{name}");
        let clean = folder.path().join(format!("clean-{name}"));
        std::fs::write(&clean, &out).unwrap();
        assert_eq!(samples(&clean), Some(before), "{name}: other samples");
        let other = make(folder.path(), &format!("other-{name}"), options, "x").unwrap();
        let (twin, _) = checked(&std::fs::read(&other).unwrap(), name).unwrap();
        assert!(out == twin, "{name}: the tag shows in the output");
        done += 1;
    }
    println!("{done} kinds of sound compared");
}

/// Real files with all kinds of tags: the same samples, or a clear error.
#[test]
fn real_files_keep_their_samples() {
    let mut errors: BTreeMap<String, u32> = BTreeMap::new();
    let folder = tempfile::tempdir().unwrap();
    let (mut good, mut compared) = (0, 0);
    for part in ["data/metadata/mutagen", "data/voice/vctk"] {
        let Some(root) = common::shared(part) else { continue };
        for path in common::files(&root) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let bytes = std::fs::read(&path).unwrap();
            let sound = ["mp3", "flac", "ogg", "opus", "oga", "wav", "aif", "aiff", "aifc"];
            let known =
                path.extension().and_then(|e| e.to_str()).is_some_and(|e| sound.contains(&e));
            if !known || bytes.len() > 20 << 20 {
                continue;
            }
            match checked(&bytes, &name) {
                Ok((out, what)) => {
                    good += 1;
                    if compared >= 40 && std::env::var_os("FERNSEED_LONG").is_none() {
                        continue;
                    }
                    let Some(before) = frames(&path) else { continue };
                    let clean = folder.path().join(format!("out.{}", what.extension));
                    std::fs::write(&clean, &out).unwrap();
                    let after = frames(&clean).unwrap_or_default();
                    // Of a frame that is cut short, FFmpeg decodes what
                    // happens to stand behind it, and with a tag behind the
                    // sound it does not leave out the padding at the end.
                    let ends = if what.extension == "mp3" { 2 } else { 0 };
                    let count = before.len().saturating_sub(ends);
                    if after.get(..count) != before.get(..count) {
                        println!("other samples: {name} {:?}", what.notes);
                        *errors.entry("OTHER SAMPLES".to_owned()).or_default() += 1;
                    }
                    compared += 1;
                }
                Err(e) => {
                    println!("{name}: {e}");
                    *errors.entry(e.to_string()).or_default() += 1;
                }
            }
        }
    }
    println!("{good} files stripped, {compared} decoded and compared");
    for (error, count) in &errors {
        println!("{count:4} {error}");
    }
    assert_eq!(errors.get("OTHER SAMPLES"), None);
}
