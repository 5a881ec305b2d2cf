//! Nobody flashes up: short composite clips with exact truth, made from the
//! pinned public-domain photo, redacted, decoded again and looked at in
//! every frame. The whole set: `make bench`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod common;

use common::Bench;
use common::bench::program;
use common::workers::{undestroyed, whole_file};
use fernseed::host::interrupt::Interrupt;
use fernseed::host::job::limits;
use fernseed::host::workers::{Silent, Workers};
use fernseed::protocol::{Role, Task};
use fernseed_core::policy::Policy;
use fernseed_sandbox::Level;
use fernseed_testkit::composite::{Clip, Half, Material, Sources, write};
use fernseed_testkit::exposure::{PixelCover, Summary, measure};
use std::collections::BTreeSet;
use std::fs::File;
use std::os::fd::AsFd;
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

/// What is cut out of the photo for a crowd: the head alone.
const HEAD: &str = "crop=130:160:160:30,scale=96:118,pad=136:168:20:25:gray";
/// With a flag and patches, in which networks see faces at times.
const AND_PATCHES: &str = "crop=160:210:150:20,scale=128:168";

/// A crowd of forty, each of them the same, for so many frames, with a tone.
fn crowd(bench: &Bench, part: &str, frames: u32) -> bool {
    let Some(photo) = fernseed_testkit::demo_media("astronaut.png") else {
        println!("skipped: no demo media (make demo-media)");
        return false;
    };
    let picture = format!("{part},tile=8x5,setpts=N/25/TB,format=yuv420p");
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
        if !crowd(&bench, HEAD, frames) {
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

/// Whom the second pass sees just before writing is in the plan it tells, and
/// destroyed in what it writes.
#[test]
fn who_is_seen_before_writing_is_told_of_and_hidden() {
    let bench = Bench::new();
    if !crowd(&bench, AND_PATCHES, 30) {
        return;
    }
    let workers = Workers::start_program(program(), Interrupt::default(), Level::B).unwrap();
    let (input, finished) = (bench.path("crowd.mp4"), bench.path("out.mp4"));
    let source = File::open(&input).unwrap();
    let out = File::options().read(true).write(true).create_new(true).open(&finished).unwrap();
    let (policy, output) = (Policy::default(), whole_file());
    let run = |role, files: &[_], task| {
        workers.run(role, files, task, limits(), &mut Silent).unwrap().plan.unwrap()
    };
    let scan = Task::Scan { policy: policy.clone(), output: output.clone() };
    let scanned = run(Role::Scan, &[source.as_fd()], scan);
    let redact = Task::Redact { policy, output };
    let plan = run(Role::Redact, &[source.as_fd(), out.as_fd()], redact);
    let (first_pass, more) = plan.redactions.split_at(scanned.redactions.len());
    assert_eq!(first_pass, scanned.redactions);
    // From the first frame up to the next look, half a second later.
    assert!(more.iter().any(|r| r.span() == Some((0, 13))), "{more:?}");
    assert!(undestroyed(&workers, &plan, &finished, None).is_empty());
}
