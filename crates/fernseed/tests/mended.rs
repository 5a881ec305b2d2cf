//! The audit of a repaired video: what was audited before in the same coded
//! pictures is not looked at again, and nothing else is believed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod common;

use common::Bench;
use common::bench::program;
use common::workers::{undestroyed, whole_file};
use fernseed::host::interrupt::Interrupt;
use fernseed::host::job::limits;
use fernseed::host::workers::{Listener, Workers};
use fernseed::protocol::{OutputOptions, Phase, Role, Task};
use fernseed_core::plan::{FrameSpan, Plan};
use fernseed_sandbox::Level;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::Command;

/// Frames of the clip, in groups of 100 in our outputs.
const FRAMES: u64 = 300;

/// A face that stands still for twelve seconds, in groups of 40 pictures.
fn clip(bench: &Bench) -> Option<PathBuf> {
    let photo = fernseed_testkit::demo_media("astronaut.png");
    let Some(photo) = photo else {
        println!("skipped: no demo media (make demo-media)");
        return None;
    };
    let path = bench.path("in.mp4");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-loop", "1", "-i"])
        .arg(photo)
        .args("-t 12 -r 25 -vf scale=320:320 -pix_fmt yuv420p -c:v libx264 -g 40".split(' '))
        .arg(&path)
        .status();
    if !made.is_ok_and(|status| status.success()) {
        println!("skipped: ffmpeg is not installed, or cannot encode H.264");
        return None;
    }
    Some(path)
}

/// Applies `plan` to the clip.
fn apply(bench: &Bench, plan: &Plan, name: &str) -> PathBuf {
    let json = serde_json::to_vec(plan).unwrap();
    bench.write(&format!("{name}.json"), &json);
    bench.fernseed(&format!("apply {name}.json in.mp4 -o {name}.mp4 --accept-uncertain"));
    bench.path(&format!("{name}.mp4"))
}

#[test]
fn only_the_same_coded_pictures_are_spared_a_second_look() {
    let bench = Bench::new();
    if clip(&bench).is_none() {
        return;
    }
    bench.fernseed("scan in.mp4 -o plan.json").expect(0);
    let plan: Plan =
        serde_json::from_slice(&std::fs::read(bench.path("plan.json")).unwrap()).unwrap();
    assert_eq!(plan.source.frames, FRAMES);
    let good = apply(&bench, &plan, "good");
    // Nobody is hidden at the end, in the last group.
    let mut short = Plan { reviewed: true, ..plan.clone() };
    for redaction in &mut short.redactions {
        redaction.keyframes.retain(|k| k.frame < 250);
    }
    short.redactions.retain(|r| !r.keyframes.is_empty());
    let bad = apply(&bench, &short, "bad");

    let workers = Workers::start_program(program(), Interrupt::default(), Level::B).unwrap();
    assert!(undestroyed(&workers, &plan, &good, None).is_empty());
    assert!(undestroyed(&workers, &plan, &good, Some(&good)).is_empty());
    // Whatever whoever repaired it has carried over: it is not the same.
    let found = undestroyed(&workers, &plan, &bad, Some(&good));
    assert!(!found.is_empty() && found.iter().all(|&frame| frame >= 200), "{found:?}");
    assert_eq!(found, undestroyed(&workers, &plan, &bad, None));
    // What the host says was audited is not decoded again, if it is the same.
    assert!(undestroyed(&workers, &plan, &bad, Some(&bad)).is_empty());
    // An earlier output that is none is no help.
    assert_eq!(found, undestroyed(&workers, &plan, &bad, Some(&bench.path("plan.json"))));
}

#[test]
fn a_repair_is_the_same_whatever_of_the_original_is_decoded() {
    let bench = Bench::new();
    let Some(input) = clip(&bench) else { return };
    bench.fernseed("scan in.mp4 -o plan.json").expect(0);
    let plan: Plan =
        serde_json::from_slice(&std::fs::read(bench.path("plan.json")).unwrap()).unwrap();
    let mut late = Plan { reviewed: true, ..plan.clone() };
    for redaction in &mut late.redactions {
        redaction.keyframes.retain(|k| k.frame > 150);
    }
    late.redactions.retain(|r| !r.keyframes.is_empty());
    let before = apply(&bench, &late, "late");

    let workers = Workers::start_program(program(), Interrupt::default(), Level::B).unwrap();
    let repaired = |name: &str, one_decoder: bool| {
        let out = bench.path(name);
        let files = [
            File::open(&input).unwrap(),
            File::options().read(true).write(true).create_new(true).open(&out).unwrap(),
            File::open(&before).unwrap(),
        ];
        let output = OutputOptions { one_decoder, ..whole_file() };
        let repair = Some(vec![FrameSpan { first: 0, last: 150 }]);
        let task = Task::Apply { plan: plan.clone(), output, repair };
        let handles: Vec<_> = files.iter().map(AsFd::as_fd).collect();
        let told = &mut Counted::default();
        workers.run(Role::Apply, &handles, task, limits(), told).unwrap();
        assert_eq!(told.0, FRAMES);
        assert!(undestroyed(&workers, &plan, &out, None).is_empty());
        std::fs::read(out).unwrap()
    };
    // Everything is decoded where one decoder is wanted; else the original's
    // groups that lie in the last two hundred frames are left out.
    assert!(repaired("some.mp4", false) == repaired("all.mp4", true));
}

/// Remembers how far the worker came.
#[derive(Default)]
struct Counted(u64);

impl Listener for Counted {
    fn progress(&mut self, _: Phase, done: u64, _: Option<u64>) {
        self.0 = self.0.max(done);
    }
}
