//! What must not get from an input into an output, end to end: what is under
//! a cover, metadata, names, sound, what was cut away.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod common;

use common::Bench;
use common::bench::Run;
use common::judge::{self, Rgb};
use common::media::{self, CLIP_FACE, PHOTO_FACE};
use serde_json::Value;
use std::path::PathBuf;

/// How far a pixel may be from the fill and still count as covered.
const FILL_TOLERANCE: u8 = 24;

/// The demo photo, and the same with other pixels in the middle of the face.
fn photos() -> Option<[PathBuf; 2]> {
    let photo = media::photo()?;
    let recipe = "convert {1} -region 20x20+103+45 -fill lime -colorize 100 {out}";
    let other = media::make("other.png", recipe, &[&photo])?;
    Some([photo, other])
}

/// The demo clip stored without loss, and the same with other pixels in the
/// middle of the face in every frame.
fn clips() -> Option<[PathBuf; 2]> {
    let clip = media::clip()?;
    let lossless = "-c:v libx264 -qp 0 -preset ultrafast -pix_fmt yuv420p";
    let one = format!("ffmpeg -i {{1}} {lossless} {{out}}");
    let other = format!(
        "ffmpeg -i {{1}} -vf drawbox=x=78:y=56:w=16:h=18:color=lime:t=fill {lossless} {{out}}"
    );
    Some([media::make("one.mp4", &one, &[&clip])?, media::make("other.mp4", &other, &[&clip])?])
}

/// Applies one plan to two inputs that differ only under its cover.
#[track_caller]
fn assert_non_interference([one, other]: [PathBuf; 2], extension: &str, outputs: &[&str]) {
    let bench = Bench::new();
    bench.copy(&one, &format!("one.{extension}"));
    bench.copy(&other, &format!("other.{extension}"));
    assert!(std::fs::read(one).unwrap() != std::fs::read(other).unwrap(), "no difference to hide");
    bench.fernseed(&format!("scan one.{extension} -o plan.json")).expect(0);
    for output in outputs {
        for name in ["one", "other"] {
            bench
                .fernseed(&format!("apply plan.json {name}.{extension} -o {name}-out.{output}"))
                .expect(0);
        }
        let (a, b) =
            (bench.read(&format!("one-out.{output}")), bench.read(&format!("other-out.{output}")));
        assert!(a == b, "what is under the cover shows in the .{output}");
    }
}

#[test]
fn what_a_cover_hides_does_not_change_a_picture() {
    let Some(photos) = photos() else { return };
    let (a, b) = (judge::still(&photos[0]), judge::still(&photos[1]));
    assert_ne!(a.at(PHOTO_FACE), b.at(PHOTO_FACE));
    assert_non_interference(photos, "png", &["png", "jpg", "webp"]);
}

#[test]
fn what_a_cover_hides_does_not_change_a_video() {
    let Some(clips) = clips() else { return };
    let (a, b) = (judge::input_frames(&clips[0]), judge::input_frames(&clips[1]));
    for (a, b) in a.iter().zip(&b) {
        assert_ne!(a.at(CLIP_FACE), b.at(CLIP_FACE));
        assert_eq!(a.difference_below(b, 100), 0.0, "they differ elsewhere too");
    }
    assert_non_interference(clips, "mp4", &["mp4", "webm"]);
}

#[test]
fn metadata_changes_nothing_in_a_picture() {
    let Some(photo) = media::photo() else { return };
    for (name, recipe) in [
        ("photo.jpg", "convert {1} -quality 92 {out}"),
        ("photo.png", "convert {1} {out}"),
        ("photo.webp", "convert {1} -quality 90 {out}"),
    ] {
        let Some(plain) = media::make(name, recipe, &[&photo]) else { return };
        let (bare, full) = (Bench::with(&plain, name), Bench::with(&plain, name));
        if !media::tag(&full.path(name), &["-Model=Phone", "-CreateDate=2026:01:02 03:04:05"]) {
            println!("skipped: metadata cannot be written into {name}");
            continue;
        }
        assert_ne!(bare.read(name), full.read(name), "no metadata was written");
        let outputs = [&bare, &full].map(|bench| {
            bench.fernseed(&format!("redact {name}")).expect(0);
            bench.read(&name.replace('.', ".redacted."))
        });
        assert!(outputs[0] == outputs[1], "metadata of {name} shows in the output");
    }
}

#[test]
fn metadata_changes_nothing_in_a_video() {
    let Some(clip) = media::clip() else { return };
    let bare = "ffmpeg -i {1} -c copy -map_metadata -1 {out}";
    let full = "ffmpeg -i {1} -c copy -metadata title=CanaryTitle -metadata artist=CanaryArtist \
                -metadata creation_time=2026-01-02T03:04:05Z -metadata:s:v:0 language=pol \
                -metadata:s:v:0 handler_name=CanaryHandler -movflags use_metadata_tags {out}";
    let mut outputs = Vec::new();
    for recipe in [bare, full] {
        let Some(input) = media::make("clip.mp4", recipe, &[&clip]) else { return };
        let bench = Bench::with(&input, "clip.mp4");
        bench.fernseed("redact clip.mp4").expect(0);
        outputs.push((std::fs::read(input).unwrap(), bench.read("clip.redacted.mp4")));
    }
    assert!(outputs[0].0 != outputs[1].0, "no metadata was written");
    assert!(outputs[0].1 == outputs[1].1, "metadata shows in the output");
}

/// Two runs, and runs with other numbers of jobs and threads, give the same
/// bytes.
#[test]
fn runs_repeat_exactly() {
    let (Some(photo), Some(clip)) = (media::photo(), media::clip()) else { return };
    let mut outputs = Vec::new();
    for jobs in [1, 1, 2, 3] {
        let bench = Bench::new();
        for (file, names) in [(&photo, ["a.png", "b.png"]), (&clip, ["c.mp4", "d.mp4"])] {
            for name in names {
                bench.copy(file, &format!("in/{name}"));
            }
        }
        bench.fernseed(&format!("redact in -o out -j {jobs}")).expect(0);
        let read = |n: &str| bench.read(&format!("out/{n}"));
        assert!(read("a.redacted.png") == read("b.redacted.png"));
        assert!(read("c.redacted.mp4") == read("d.redacted.mp4"));
        outputs.push((jobs, read("a.redacted.png"), read("c.redacted.mp4")));
    }
    for (jobs, picture, video) in &outputs[1..] {
        assert!(*picture == outputs[0].1, "the picture differs with -j {jobs}");
        assert!(*video == outputs[0].2, "the video differs with -j {jobs}");
    }
}

fn holds(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|w| w == needle.as_bytes())
}

#[test]
fn names_of_originals_stay_out() {
    let Some(photo) = media::photo() else { return };
    let name = "Kowalska-Berlin.png";
    let bench = Bench::with(&photo, name);
    bench.fernseed(&format!("redact {name} -o out.png --report report.json")).expect(0);
    for file in ["out.png", "report.json"] {
        assert!(!holds(&bench.read(file), "Kowalska"), "{file} names the original");
    }
    bench.fernseed(&format!("scan {name} -o plan.json")).expect(0);
    assert!(!holds(&bench.read("plan.json"), "Kowalska"), "the plan names the original");
    let named = format!("redact {name} -o named.png --report named.json --report-names");
    bench.fernseed(&named).expect(0);
    assert!(holds(&bench.read("named.json"), name), "the user asked for names");
    // The output's name may hold the original's; the report must not for
    // that reason alone.
    bench.fernseed(&format!("redact {name} --report beside.json")).expect(0);
    assert!(bench.names().contains("Kowalska-Berlin.redacted.png"));
    assert!(!holds(&bench.read("beside.json"), "Kowalska"), "the report names the original");
    assert!(!holds(&bench.read("Kowalska-Berlin.redacted.png"), "Kowalska"));
}

/// The time of work is nobody's business either.
#[test]
fn outputs_have_a_neutral_date() {
    use std::os::unix::fs::MetadataExt;
    let Some(photo) = media::photo() else { return };
    let bench = Bench::with(&photo, "photo.png");
    bench.fernseed("redact photo.png").expect(0);
    let meta = std::fs::metadata(bench.path("photo.redacted.png")).unwrap();
    assert_eq!(meta.mtime(), 946_684_800, "2000-01-01");
}

#[test]
fn sound_is_dropped_unless_kept() {
    let Some(clip) = media::clip() else { return };
    let recipe = "ffmpeg -i {1} -f lavfi -i sine=frequency=440:d=1.2 -map 0:v -map 1:a -c:v copy \
                  -c:a aac -shortest {out}";
    let Some(input) = media::make("loud.mp4", recipe, &[&clip]) else { return };
    let bench = Bench::with(&input, "loud.mp4");
    let run = bench.fernseed("redact loud.mp4 -o mute.mp4").expect(0);
    assert_eq!(run.err, "");
    let streams = |name: &str| judge::probe(&bench.path(name), "-show_entries stream=codec_type");
    assert_eq!(streams("mute.mp4"), ["video"]);

    for (name, codec) in [("kept.mp4", "aac"), ("kept.webm", "opus")] {
        let run = bench.fernseed(&format!("redact loud.mp4 -o {name} --audio keep")).expect(0);
        assert!(run.err.contains("voices"), "no warning: {}", run.err);
        assert_eq!(streams(name), ["video", "audio"]);
        let path = bench.path(name);
        let entry =
            |e: &str| judge::probe(&path, &format!("-select_streams a:0 -show_entries {e}"));
        assert_eq!(entry("stream=codec_name"), [codec]);
        let packets = |path: &std::path::Path| -> (f64, f64) {
            let list = judge::probe(
                path,
                "-select_streams a:0 -show_entries frame=pts_time,duration_time",
            );
            let numbers: Vec<f64> = list.iter().filter_map(|l| l.parse().ok()).collect();
            (numbers[0], numbers[numbers.len() - 2] + numbers[numbers.len() - 1])
        };
        let (before, after) = (packets(&input), packets(&path));
        assert!((before.0 - after.0).abs() < 0.03, "{name}: begins at {after:?}, was {before:?}");
        assert!((before.1 - after.1).abs() < 0.05, "{name}: ends at {after:?}, was {before:?}");
        judge::assert_times(&judge::times(&input), &judge::times(&path), 1e-3);
        let tone = loudness(&path);
        assert!((tone - loudness(&input)).abs() < 2.0, "{name}: {tone} dB");
    }
}

/// Mean loudness that FFmpeg measures, in dB.
fn loudness(path: &std::path::Path) -> f64 {
    let output = std::process::Command::new("ffmpeg")
        .args(["-nostdin", "-i"])
        .arg(path)
        .args(["-map", "0:a", "-af", "volumedetect", "-f", "null", "-"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let value = text.split("mean_volume: ").nth(1).and_then(|t| t.split(' ').next());
    value.and_then(|v| v.parse().ok()).unwrap_or_else(|| panic!("no loudness: {text}"))
}

/// What lies outside the span is not in the file, and what is kept starts at
/// zero.
#[test]
fn cuts_leave_nothing_outside() {
    let Some(clip) = media::clip() else { return };
    let bench = Bench::with(&clip, "clip.mp4");
    bench.fernseed("redact clip.mp4 -o cut.mp4 --start 0.4 --end 0.9 --fill magenta").expect(0);
    let cut = bench.path("cut.mp4");
    let times = judge::times(&clip);
    let kept: Vec<usize> =
        (0..times.len()).filter(|i| (0.4..0.9).contains(&(times[*i] - times[0]))).collect();
    assert!(kept.len() > 10);
    let expected: Vec<f64> = kept.iter().map(|i| times[*i] - times[kept[0]]).collect();
    judge::assert_times(&expected, &judge::times(&cut), 1.1e-6);
    let packets = judge::probe(&cut, "-select_streams v:0 -show_entries packet=flags");
    assert_eq!(packets.len(), kept.len(), "hidden frames are in the file");
    let (before, after) = (judge::input_frames(&clip), judge::frames(&cut));
    for (found, index) in after.iter().zip(&kept) {
        assert!(found.distance_from_fill(CLIP_FACE) <= FILL_TOLERANCE);
        // The window at the right shows the street going by: the right frame
        // is nearer than its neighbours.
        let off = |i: usize| found.difference_below(&before[i], 122);
        assert!(off(*index) < 6.0, "frame {index}: {}", off(*index));
    }
    let far = after[0].difference_below(&before[0], 122);
    let near = after[0].difference_below(&before[kept[0]], 122);
    assert!(near < far, "the cut begins at the wrong frame: {near} {far}");
    let run = bench.fernseed("redact clip.mp4 -o late.mp4 --start 100");
    assert_ne!(run.code, 0, "a span without frames is no clean output");
    assert!(!bench.names().contains("late.mp4"));
}

/// The weaker styles work, warn, and hide the face all the same.
#[test]
fn weak_styles_warn() {
    let Some(photo) = media::photo() else { return };
    let source = judge::still(&photo);
    for style in ["mosaic", "blur"] {
        let bench = Bench::with(&photo, "photo.png");
        let run = bench.fernseed(&format!("redact photo.png --style {style} --report r.json"));
        let run = run.expect(0);
        let warnings = run.err.lines().filter(|l| l.starts_with("warning: ")).count();
        assert!(warnings == 1 && run.err.contains("mosaic and blur"), "{}", run.err);
        let found = judge::still(&bench.path("photo.redacted.png"));
        assert!(distinct(&found) * 4 < distinct(&source), "{style} keeps details");
        assert_eq!(bench.json("r.json")["policy"]["treatment"], style);
    }
    let Some(clip) = media::clip() else { return };
    let bench = Bench::with(&clip, "clip.mp4");
    let run = bench.fernseed("redact clip.mp4 --replacewith blur").expect(0);
    assert!(run.err.contains("mosaic and blur"), "{}", run.err);
    assert!(bench.names().contains("clip.redacted.mp4"));
}

/// Strength of edges in the middle of the face: the sum of steps between
/// neighbours.
fn distinct(picture: &Rgb) -> u64 {
    let (x, y) = PHOTO_FACE;
    let mut sum = 0;
    for y in y - 16..y + 16 {
        for x in x - 12..x + 12 {
            let (a, b, c) = (picture.at((x, y)), picture.at((x + 1, y)), picture.at((x, y + 1)));
            for i in 0..3 {
                sum += u64::from(a[i].abs_diff(b[i])) + u64::from(a[i].abs_diff(c[i]));
            }
        }
    }
    sum
}

/// A plan for the photo, changed by a person.
fn edited(change: impl Fn(&mut Value)) -> Option<(Bench, Run)> {
    let photo = media::photo()?;
    let bench = Bench::with(&photo, "photo.png");
    bench.fernseed("scan photo.png -o plan.json --fill magenta").expect(0);
    let mut plan = bench.json("plan.json");
    change(&mut plan);
    bench.write("plan.json", plan.to_string().as_bytes());
    let run = bench.fernseed("apply plan.json photo.png --report report.json");
    Some((bench, run))
}

/// Leaves one cover and moves it into a corner, far from the face.
fn look_away(plan: &mut Value) {
    plan["redactions"].as_array_mut().unwrap().truncate(1);
    let rect = &mut plan["redactions"][0]["keyframes"][0]["rect"];
    for (side, value) in [("left", 200), ("top", 200), ("right", 240), ("bottom", 240)] {
        assert!(rect[side].is_number(), "{rect}");
        rect[side] = value.into();
    }
}

/// The audit sees a face that a plan forgot: it is covered too, or the file
/// is held, but never published as it is.
#[test]
fn a_forgotten_face_is_not_published() {
    let Some((bench, run)) = edited(look_away) else { return };
    let names = bench.names();
    if names.contains("photo.redacted.png") {
        let output = judge::still(&bench.path("photo.redacted.png"));
        assert!(
            output.distance_from_fill(PHOTO_FACE) <= FILL_TOLERANCE,
            "published with a visible face"
        );
        assert!(bench.json("report.json")["files"][0]["hidden"].as_array().unwrap().len() > 1);
    } else {
        assert_eq!(run.code, 1, "{}", run.err);
        assert!(names.contains("photo.needs-review.png"), "{names:?}");
    }
}

/// A person who looked at the plan answers for it: the file is published, and
/// the report still says what the audit saw.
#[test]
fn a_reviewed_plan_is_obeyed() {
    let Some((bench, run)) = edited(|plan| {
        look_away(plan);
        plan["reviewed"] = true.into();
    }) else {
        return;
    };
    run.expect(0);
    let output = judge::still(&bench.path("photo.redacted.png"));
    let source = judge::still(&bench.path("photo.png"));
    assert_eq!(output.at(PHOTO_FACE), source.at(PHOTO_FACE), "the person wanted it visible");
    assert!(output.distance_from_fill((220, 220)) <= FILL_TOLERANCE, "and this covered");
    let findings = &bench.json("report.json")["files"][0]["findings"];
    assert!(findings.to_string().contains("still_visible"), "{findings}");
}

/// A face that a person decided to keep is no doubt.
#[test]
fn a_kept_face_stays_visible() {
    let Some((bench, run)) = edited(|plan| {
        for redaction in plan["redactions"].as_array_mut().unwrap() {
            redaction["decision"] = serde_json::json!({"action": "keep", "by": "person"});
        }
        plan["reviewed"] = true.into();
    }) else {
        return;
    };
    assert!([0, 1].contains(&run.code), "{}", run.err);
    let output = judge::still(&bench.path("photo.redacted.png"));
    let source = judge::still(&bench.path("photo.png"));
    assert_eq!(output.at(PHOTO_FACE), source.at(PHOTO_FACE));
    let findings = &bench.json("report.json")["files"][0]["findings"];
    assert!(!findings.to_string().contains("still_visible"), "{findings}");
}
