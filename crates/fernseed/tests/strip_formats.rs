//! One file of every format that `strip` takes, full of metadata: each is
//! published, nothing that was planted is in it, and stripping it again
//! changes no byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod common;

use common::Bench;
use common::media::{self, CANARY};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Photos: file name and how it is made of a PNG.
const STILLS: &[(&str, &str)] = &[
    ("a.jpg", "convert {1} -quality 92 -set comment CanaryComment {out}"),
    ("progressive.jpg", "convert {1} -interlace JPEG {out}"),
    ("a.png", "convert {1} -set Author CanaryAuthor {out}"),
    ("a.apng", "ffmpeg -i {1} -vf loop=2:1 -frames:v 3 -f apng {out}"),
    ("a.webp", "convert {1} -quality 90 {out}"),
    ("lossless.webp", "convert {1} -define webp:lossless=true {out}"),
    ("a.gif", "convert {1} -set comment CanaryComment {out}"),
    ("moving.gif", "ffmpeg -i {1} -vf loop=2:1 -frames:v 3 {out}"),
    ("a.tiff", "convert {1} -compress LZW -set tiff:document CanaryDocument {out}"),
    ("a.bmp", "convert {1} {out}"),
    ("a.ppm", "convert {1} -set comment CanaryComment {out}"),
    ("a.avif", "ffmpeg -i {1} -frames:v 1 -c:v libaom-av1 -cpu-used 8 {out}"),
    ("a.heic", "heif-enc -q 60 {1} -o {out}"),
    ("a.jxl", "cjxl --quiet {1} {out}"),
];

/// Video with sound: file name and the words behind FFmpeg's inputs.
const VIDEOS: &[(&str, &str)] = &[
    ("a.mp4", "-c:v libx264 -c:a aac"),
    ("hevc.mp4", "-c:v libx265 -x265-params log-level=none -tag:v hvc1 -c:a aac"),
    ("a.mov", "-c:v mjpeg -pix_fmt yuvj420p -c:a pcm_s16le"),
    ("a.m4v", "-c:v mpeg4 -c:a aac"),
    ("a.3gp", "-c:v mpeg4 -c:a aac"),
    ("a.mkv", "-c:v libx264 -c:a libvorbis"),
    ("hevc.mkv", "-c:v libx265 -x265-params log-level=none -c:a flac"),
    ("a.webm", "-c:v libvpx-vp9 -cpu-used 8 -c:a libopus"),
    ("vp8.webm", "-c:v libvpx -cpu-used 8 -c:a libvorbis"),
    ("av1.webm", "-c:v libaom-av1 -cpu-used 8 -usage realtime -c:a libopus"),
    ("a.avi", "-c:v mpeg4 -c:a libmp3lame"),
    ("a.wmv", "-c:v wmv2 -c:a wmav2"),
    ("a.ts", "-c:v libx264 -c:a aac"),
    ("mpeg2.m2ts", "-c:v mpeg2video -c:a mp2"),
    ("a.mpg", "-c:v mpeg2video -c:a mp2"),
];

/// Sound: file name and the words behind FFmpeg's input.
const SOUNDS: &[(&str, &str)] = &[
    ("a.mp3", "-c:a libmp3lame -id3v2_version 4 -write_id3v1 1"),
    ("a.flac", "-c:a flac"),
    ("a.ogg", "-c:a libvorbis"),
    ("a.opus", "-c:a libopus"),
    ("a.m4a", "-c:a aac"),
    ("a.wav", "-c:a pcm_s16le -write_bext 1 -metadata description=CanaryDescription"),
    ("a.aiff", "-c:a pcm_s16be -write_id3v2 1"),
];

const TITLES: &str = "-metadata title=CanaryTitle -metadata artist=CanaryArtist -metadata \
                      comment=CanaryComment -metadata location=+52.5+13.4/";

/// Strips a copy of a file and returns the bench and the name of the output.
#[track_caller]
fn published(input: &Path, name: &str) -> (Bench, String) {
    let bench = Bench::with(input, name);
    media::tag(&bench.path(name), &[]);
    let line = bench.fernseed(&format!("strip {name} --json")).expect(0).json().remove(0);
    assert_eq!(
        (&line["status"], &line["verdict"]),
        (&json!("published"), &json!("clean")),
        "{name}: {line:#}"
    );
    let output = line["output"].as_str().unwrap().to_owned();
    let bytes = bench.read(&output);
    let canary = |word: &str| bytes.windows(word.len()).any(|w| w == word.as_bytes());
    assert!(!canary(CANARY), "{name}: something planted is in the output");
    assert!(!canary("Lavf") && !canary("x264 - core"), "{name}: names of programs");
    // Whoever is in the picture stays in it, members of archives keep their
    // names, and some codecs nobody can decode.
    let audit = bench.fernseed(&format!("audit {output} --against {name} --json")).json().remove(0);
    for finding in audit["findings"].as_array().unwrap() {
        let told = finding.to_string();
        let known = finding["severity"] == "notice"
            || finding["code"] == "still_visible"
            || told.contains("name of a member")
            || told.contains("codec wmv2");
        assert!(known, "{name}: the audit finds {told}");
    }
    let again = bench.fernseed(&format!("strip {output} -o again/ --json")).expect(0).json();
    let again = again[0]["output"].as_str().unwrap().to_owned();
    let again = if bench.path(&again).is_file() { again } else { format!("again/{again}") };
    assert!(bench.read(&again) == bytes, "{name}: stripping twice changes something");
    (bench, output)
}

/// Makes each file and strips it; fails at the end, naming all that failed.
#[track_caller]
fn all(files: &[(&'static str, &str)], make: impl Fn(&str, &str) -> Option<PathBuf>) {
    let failed: Vec<_> = files
        .iter()
        .filter(|(name, words)| {
            let Some(input) = make(name, words) else { return false };
            std::panic::catch_unwind(|| published(&input, name)).is_err()
        })
        .map(|(name, _)| *name)
        .collect();
    assert!(failed.is_empty(), "not as it should be: {failed:?}");
}

#[test]
fn photos() {
    let Some(source) = media::photo() else { return };
    all(STILLS, |name, recipe| media::make(name, recipe, &[&source]));
}

#[test]
fn drawings() {
    let bench = Bench::new();
    let drawing = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"8\" height=\"8\"><metadata>{CANARY}\
         </metadata><!-- {CANARY} --><rect width=\"4\" height=\"4\" fill=\"red\"/></svg>"
    );
    let path = bench.write("a.svg", drawing.as_bytes());
    let (bench, output) = published(&path, "a.svg");
    let drawing = String::from_utf8(bench.read(&output)).unwrap();
    assert!(drawing.contains("<rect"), "the drawing stays: {drawing}");
}

#[test]
fn videos() {
    all(VIDEOS, |name, words| {
        let recipe = format!(
            "ffmpeg -f lavfi -i testsrc=s=352x288:r=15 -f lavfi -i sine -t 0.6 -pix_fmt yuv420p \
             {words} {TITLES} {{out}}"
        );
        media::make(name, &recipe, &[])
    });
}

#[test]
fn sounds() {
    all(SOUNDS, |name, words| {
        let recipe = format!("ffmpeg -f lavfi -i sine=d=0.3:r=48000 {words} {TITLES} {{out}}");
        media::make(name, &recipe, &[])
    });
}

#[test]
fn archives() {
    let Some(source) = media::photo() else { return };
    let jpeg = media::make("a.jpg", "convert {1} -set comment CanaryComment {out}", &[&source]);
    let Some(jpeg) = jpeg else { return };
    for (name, recipe) in
        [("a.tar", "tar cf {out} {1}"), ("a.zip", "python3 -m zipfile -c {out} {1}")]
    {
        let Some(archive) = media::make(name, recipe, &[&jpeg]) else { continue };
        let (bench, output) = published(&archive, name);
        let size = bench.read(&output).len();
        assert!(size > 1000, "{name}: the member is gone");
    }
}

/// Every recipe above names a file of its own.
#[test]
fn names_are_different() {
    let all: Vec<PathBuf> =
        STILLS.iter().chain(VIDEOS).chain(SOUNDS).map(|(n, _)| PathBuf::from(n)).collect();
    let once: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(once.len(), all.len());
}
