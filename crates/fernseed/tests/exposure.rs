//! Nobody flashes up: short composite clips with exact truth, made from the
//! pinned public-domain photo, redacted, decoded again and looked at in
//! every frame. The whole set: `make bench`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod common;

use common::Bench;
use fernseed_testkit::composite::{Clip, Half, Material, Sources, write};
use fernseed_testkit::exposure::{PixelCover, Summary, measure};
use std::collections::BTreeSet;
use std::process::Command;

/// Entry and exit, turning away, cuts, five frames only, shaking, a pole.
const SCENARIOS: [&str; 6] = ["border", "turning", "cuts", "flash", "shake", "occlusion"];

/// Hiding the whole picture is no solution. Median over the frames of hidden
/// area by true face area; 3.66 when this was written, the goal is 2.5.
const MOST_HIDDEN: f32 = 5.0;

#[test]
fn no_frame_of_a_composite_clip_shows_a_face() {
    if fernseed_testkit::demo_media("astronaut.png").is_none() {
        println!("skipped: no demo media (make demo-media)");
        return;
    }
    let sources = Sources::load(Half::Develop, &Material::Demo).unwrap();
    let bench = Bench::new();
    let mut clips = Vec::new();
    for scenario in SCENARIOS {
        let clip = Clip { scenario, half: Half::Develop, number: 0, brief: true };
        let (truth, path) = write(&clip, &sources, bench.folder()).unwrap();
        assert!(truth.frames.iter().any(|f| f.faces.iter().any(|f| f.counts)), "{scenario}");
        bench.fernseed(&format!("redact {}", truth.clip)).expect(0);
        let output = bench.path(&format!("{}.redacted.mp4", clip.name()));
        let mut cover = PixelCover::open(&path, &output, truth.size, [0, 0, 0]).unwrap();
        clips.push(measure(&truth, &mut cover).unwrap());
    }
    let sum = Summary::of(&clips);
    let runs: Vec<_> = clips.iter().flat_map(|c| &c.runs).collect();
    assert_eq!(sum.exposed_frames, 0, "{runs:#?}");
    assert!(sum.counted.1 > 100, "only {} faces looked at", sum.counted.1);
    assert!(sum.median_area < MOST_HIDDEN, "hides {} times the faces", sum.median_area);
}

#[test]
fn an_unredacted_clip_is_exposed() {
    if fernseed_testkit::demo_media("astronaut.png").is_none() {
        println!("skipped: no demo media (make demo-media)");
        return;
    }
    let sources = Sources::load(Half::Develop, &Material::Demo).unwrap();
    let bench = Bench::new();
    let clip = Clip { scenario: "large", half: Half::Develop, number: 0, brief: true };
    let (truth, path) = write(&clip, &sources, bench.folder()).unwrap();
    let mut cover = PixelCover::open(&path, &path, truth.size, [0, 0, 0]).unwrap();
    let got = measure(&truth, &mut cover).unwrap();
    assert_eq!(got.exposed_frames, truth.frames.len());
    assert_eq!(got.never_found, 1);
}

/// A crowd of forty, each of them the same, for so many frames, with a tone.
fn crowd(bench: &Bench, frames: u32) -> bool {
    let Some(photo) = fernseed_testkit::demo_media("astronaut.png") else {
        println!("skipped: no demo media (make demo-media)");
        return false;
    };
    // Heads alone: among forty patches and flags networks see faces.
    let head = "crop=130:160:160:30,scale=96:118,pad=136:168:20:25:gray";
    let picture = format!("{head},tile=8x5,setpts=N/25/TB,format=yuv420p");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-loop", "1", "-i"])
        .arg(photo)
        .args(["-f", "lavfi", "-i", "sine=duration=1.2", "-vf", &picture, "-r", "25"])
        .args(["-frames:v", &frames.to_string(), "-c:v", "libx264", "-c:a", "aac"])
        .arg(bench.path("crowd.mp4"))
        .status();
    let made = made.is_ok_and(|status| status.success());
    if !made {
        println!("skipped: ffmpeg is not installed, or cannot encode H.264");
    }
    made
}

/// Where many are hidden, some frames wait before they are written, and more
/// may be hidden in them: all arrive, at their times (which the audit compares),
/// however few there are.
#[test]
fn a_crowd_is_hidden_in_every_frame() {
    for frames in [1, 3, 30] {
        let bench = Bench::new();
        if !crowd(&bench, frames) {
            return;
        }
        let run = bench.fernseed("redact crowd.mp4 --audio keep --json").expect(0);
        let report = &run.json()[0];
        assert_eq!(report["verdict"], "clean");
        assert_eq!(report["frames"], frames);
        let hidden = report["hidden"].as_array().unwrap();
        let throughout =
            hidden.iter().filter(|h| h["frames"] == serde_json::json!([0, frames - 1])).count();
        assert!(throughout >= 40, "{throughout} of 40 are hidden throughout");
        let numbers: BTreeSet<u64> = hidden.iter().filter_map(|h| h["id"].as_u64()).collect();
        assert_eq!(numbers.len(), hidden.len(), "each redaction has its number");
    }
}
