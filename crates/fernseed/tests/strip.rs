//! `strip`, and `audit` on what it and others wrote.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod common;

use common::media::{self, CANARY};
use common::{Bench, judge};
use serde_json::{Value, json};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;

/// Modification time of every output: 2000-01-01.
const NEUTRAL: i64 = 946_684_800;

/// The demo photo in a format, with a telephone's metadata in it.
fn tagged(name: &str, recipe: &str) -> Option<Bench> {
    let source = media::photo()?;
    let photo = media::make(name, recipe, &[&source])?;
    let bench = Bench::with(&photo, name);
    let more = ["-Model=Phone 7", "-SerialNumber=SN-998877", "-LensModel=CanaryLens"];
    media::tag(&bench.path(name), &more).then_some(bench)
}

fn tagged_jpeg() -> Option<Bench> {
    tagged("photo.jpg", "convert {1} -quality 92 {out}")
}

#[track_caller]
fn assert_no_canary(bytes: &[u8], what: &str) {
    for word in [CANARY, "SN-998877", "Phone 7"] {
        let found = bytes.windows(word.len()).any(|w| w == word.as_bytes());
        assert!(!found, "{word} is in {what}");
    }
}

/// The pixels as another program reads them.
fn pixels(path: PathBuf) -> Vec<u8> {
    let run = Command::new("convert").arg(path).args(["-depth", "8", "rgba:-"]).output().unwrap();
    assert!(run.status.success() && !run.stdout.is_empty(), "{run:?}");
    run.stdout
}

#[track_caller]
fn assert_keeps_to(schema: &str, definition: Option<&str>, line: &Value) {
    let run = Bench::new().fernseed(&format!("schema {schema}")).expect(0);
    let whole: Value = serde_json::from_str(&run.out).unwrap();
    let part = match definition {
        None => whole,
        Some(name) => json!({"$ref": format!("#/$defs/{name}"), "$defs": whole["$defs"]}),
    };
    let validator = jsonschema::validator_for(&part).unwrap();
    let errors: Vec<_> = validator.iter_errors(line).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{line:#}");
}

#[test]
fn metadata_goes_and_the_picture_stays() {
    let formats = [
        ("photo.jpg", "convert {1} -quality 92 {out}"),
        ("photo.png", "convert {1} -depth 8 {out}"),
    ];
    for (name, recipe) in formats {
        let Some(bench) = tagged(name, recipe) else { return };
        let before = bench.read(name);
        let line = bench.fernseed(&format!("strip {name} --json")).expect(0).json().remove(0);
        assert_keeps_to("report", Some("FileReport"), &line);
        let output = name.replace("photo.", "photo.stripped.");
        assert_eq!(line["output"], output.as_str());
        assert_eq!(line["output_sha256"], judge::sha256(&bench.path(&output)).as_str());
        assert_eq!((&line["status"], &line["verdict"]), (&json!("published"), &json!("clean")));
        assert_eq!(line["stripped"]["bit_exact"], true);
        assert!(!line["stripped"]["checked"].as_array().unwrap().is_empty());
        assert!(!line["metadata_dropped"].as_array().unwrap().is_empty());
        let left: Vec<_> = line["not_protected"].as_array().unwrap().iter().collect();
        for topic in ["What is seen:", "The camera:", "The encoder:", "The name:", "The time"] {
            assert!(
                left.iter().any(|l| l.as_str().unwrap().starts_with(topic)),
                "{topic} {left:?}"
            );
        }
        assert!(!left.iter().any(|l| l.as_str().unwrap().contains("Voices")), "{left:?}");
        assert!(!line.to_string().contains(CANARY), "values of metadata: {line}");

        assert_no_canary(&bench.read(&output), &output);
        assert_eq!(bench.read(name), before, "the original is as it was");
        assert_eq!(pixels(bench.path(&output)), pixels(bench.path(name)), "{name}");
        assert_eq!(std::fs::metadata(bench.path(&output)).unwrap().mtime(), NEUTRAL);
        let left = bench.fernseed(&format!("inspect {output} --json")).expect(0).json().remove(0);
        assert_eq!(left["items"], json!([]));

        bench.fernseed(&format!("strip {output} -o again/")).expect(0);
        let again = format!("again/{}", output.replace("stripped.", "stripped.stripped."));
        assert_eq!(bench.read(&again), bench.read(&output), "stripping twice changes nothing");
        bench.fernseed(&format!("strip {name}")).expect(5);
    }
}

#[test]
fn in_place_replaces_only_after_the_audit() {
    let Some(bench) = tagged_jpeg() else { return };
    let before = bench.read("photo.jpg");
    bench.write("broken.jpg", &before[..before.len() / 2]);
    let broken = bench.read("broken.jpg");
    bench.write("notes.jpg", b"not a picture at all");
    let run = bench.fernseed("strip photo.jpg broken.jpg notes.jpg --in-place --backup").expect(3);
    assert_eq!(run.errors().len(), 2, "{}", run.err);
    assert_no_canary(&bench.read("photo.jpg"), "photo.jpg");
    assert_eq!(bench.read("photo.original.jpg"), before);
    assert_eq!(bench.read("broken.jpg"), broken, "what fails stays as it was");
    assert_eq!(bench.read("notes.jpg"), b"not a picture at all");
    assert_eq!(bench.names().len(), 4, "{:?}", bench.names());

    bench.write("second.jpg", &before);
    let run = bench.fernseed("strip second.jpg --in-place --report report.json").expect(0);
    assert!(run.err.contains("no backup"), "{}", run.err);
    assert!(run.out.contains("replaced"), "{}", run.out);
    assert_no_canary(&bench.read("second.jpg"), "second.jpg");
    let digest = judge::sha256(&bench.path("second.jpg"));
    assert_eq!(bench.json("report.json")["files"][0]["output_sha256"], digest.as_str());
    assert_eq!(bench.names().len(), 6, "{:?}", bench.names());

    // A link is not the file it stands for.
    std::os::unix::fs::symlink("photo.original.jpg", bench.path("link.jpg")).unwrap();
    let run = bench.fernseed("strip link.jpg --in-place").expect(5);
    assert!(run.err.contains("link"), "{}", run.err);
    assert_eq!(bench.read("photo.original.jpg"), before);
}

#[test]
fn names_and_places_of_outputs() {
    let Some(bench) = tagged_jpeg() else { return };
    let photo = bench.path("photo.jpg");
    bench.copy(&photo, "in/one.jpg");
    bench.copy(&photo, "in/deep/two.jpg");
    bench.write("in/list.txt", b"one, two");
    bench.fernseed("strip in -o out").expect(0);
    assert!(bench.names().contains("out/one.stripped.jpg"));
    assert!(bench.names().contains("out/deep/two.stripped.jpg"));

    let lines = bench.fernseed("strip in -o random --rename --json").expect(0).json();
    let names: Vec<_> = lines.iter().filter_map(|l| l["output"].as_str()).collect();
    assert_eq!(names.len(), 2, "{lines:?}");
    assert!(!lines[0]["not_protected"].to_string().contains("The name:"), "{}", lines[0]);
    for name in names {
        let (stem, extension) = name.split_once('.').unwrap();
        assert_eq!((stem.len(), extension), (8, "jpg"), "{name}");
        assert!(stem.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()), "{name}");
    }
    let run = bench.fernseed("redact photo.jpg --rename --json --report report.json").expect(0);
    let line = run.json().remove(0);
    let name = line["output"].as_str().unwrap();
    assert_eq!(bench.json("report.json")["files"][0]["output"], name, "it says nothing");
    assert!(name.len() == 12 && !name.contains("photo") && bench.names().contains(name), "{name}");

    let run = bench.fernseed("strip photo.jpg -o other.png").expect(3);
    assert!(run.err.contains("written as .jpg"), "{}", run.err);
    bench.fernseed("strip photo.jpg -o other.jpg").expect(0);
    assert!(bench.names().contains("other.jpg") && !bench.names().contains("other.png"));
}

#[test]
fn files_beside_are_pointed_out() {
    let Some(bench) = tagged_jpeg() else { return };
    bench.write("photo.jpg.xmp", b"<x:xmpmeta/>");
    bench.write("photo.AAE", b"<plist/>");
    for command in ["strip photo.jpg", "redact photo.jpg"] {
        let run = bench.fernseed(command).expect(0);
        assert!(run.out.contains(".xmp") && run.out.contains(".aae"), "{}", run.out);
    }
    let lines = bench.fernseed("strip photo.jpg -o b.jpg --json").expect(0).json();
    let codes = lines[0]["findings"].as_array().unwrap().iter().filter(|f| f["code"] == "sidecar");
    assert_eq!(codes.count(), 2, "{lines:?}");
    let seen = bench.fernseed("inspect photo.jpg").expect(0);
    assert!(seen.out.contains("beside it: photo.AAE"), "{}", seen.out);
}

/// A colour profile that equals no standard one can only be applied to the
/// pixels: the picture is coded again, and said so.
#[test]
fn what_cannot_stay_is_coded_again() {
    let Some(bench) = tagged_jpeg() else { return };
    let profile = bench.path("odd.icc");
    std::fs::write(&profile, odd_profile()).unwrap();
    let tag = format!("-ICC_Profile<={}", profile.display());
    assert!(media::tag(&bench.path("photo.jpg"), &[&tag]));
    let before = bench.read("photo.jpg");
    let run = bench.fernseed("strip photo.jpg --no-reencode").expect(3);
    assert_eq!(run.errors().len(), 1, "{}", run.err);
    assert!(run.err.contains("--no-reencode"), "{}", run.err);
    let line = bench.fernseed("strip photo.jpg --json").expect(0).json().remove(0);
    assert_keeps_to("report", Some("FileReport"), &line);
    assert_eq!(line["stripped"]["bit_exact"], false);
    assert!(line["not_protected"].to_string().contains("The first encoder:"), "{line}");
    assert!(line["stripped"]["reason"].as_str().is_some_and(|r| r.contains("profile")), "{line}");
    assert_no_canary(&bench.read("photo.stripped.jpg"), "the output");
    assert_eq!(bench.read("photo.jpg"), before);
}

/// A monitor profile with primaries that no standard has: matrix and gamma.
fn odd_profile() -> Vec<u8> {
    let fixed = |v: f64| ((v * 65536.0).round() as i32).to_be_bytes();
    let xyz = |x, y, z| [&b"XYZ \0\0\0\0"[..], &fixed(x), &fixed(y), &fixed(z)].concat();
    let curve = [&b"curv\0\0\0\0"[..], &1u32.to_be_bytes(), &[1, 0xE6, 0, 0]].concat();
    let desc = [&b"desc\0\0\0\0"[..], &4u32.to_be_bytes(), b"odd\0", &[0; 80]].concat();
    let tags: [(&[u8; 4], Vec<u8>); 9] = [
        (b"desc", desc),
        (b"cprt", b"text\0\0\0\0none\0\0\0\0".to_vec()),
        (b"wtpt", xyz(0.9642, 1.0, 0.8249)),
        (b"rXYZ", xyz(0.50, 0.26, 0.02)),
        (b"gXYZ", xyz(0.30, 0.66, 0.06)),
        (b"bXYZ", xyz(0.1642, 0.08, 0.7449)),
        (b"rTRC", curve.clone()),
        (b"gTRC", curve.clone()),
        (b"bTRC", curve),
    ];
    let mut table = (tags.len() as u32).to_be_bytes().to_vec();
    let mut data = Vec::new();
    let start = 128 + 4 + 12 * tags.len();
    for (name, value) in &tags {
        table.extend_from_slice(*name);
        table.extend(((start + data.len()) as u32).to_be_bytes());
        table.extend((value.len() as u32).to_be_bytes());
        data.extend_from_slice(value);
        data.resize(data.len().next_multiple_of(4), 0);
    }
    let mut header = vec![0u8; 128];
    header[..4].copy_from_slice(&((start + data.len()) as u32).to_be_bytes());
    header[8..12].copy_from_slice(&[2, 0x40, 0, 0]);
    header[12..24].copy_from_slice(b"mntrRGB XYZ ");
    header[36..40].copy_from_slice(b"acsp");
    for (at, v) in [(68, 0.9642), (72, 1.0), (76, 0.8249)] {
        header[at..at + 4].copy_from_slice(&fixed(v));
    }
    [header, table, data].concat()
}

#[test]
fn video_keeps_its_frames() {
    let Some(clip) = media::clip() else { return };
    let bench = Bench::with(&clip, "clip.mp4");
    let line = bench.fernseed("strip clip.mp4 --json").expect(0).json().remove(0);
    assert_eq!(line["stripped"]["bit_exact"], true, "{line}");
    assert!(line["not_protected"].to_string().contains("Voices"), "{line}");
    assert_no_canary(&bench.read("clip.stripped.mp4"), "the output");
    let digest = |name: &str| {
        let run = Command::new("ffmpeg")
            .args(["-v", "error", "-i", bench.path(name).to_str().unwrap()])
            .args(["-f", "framemd5", "-"])
            .output()
            .unwrap();
        let text = String::from_utf8(run.stdout).unwrap();
        text.lines()
            .filter(|l| !l.starts_with('#'))
            .map(|l| l.rsplit(',').next().unwrap().trim().to_owned())
            .collect::<Vec<_>>()
    };
    let frames = digest("clip.stripped.mp4");
    assert_eq!(frames.len(), media::CLIP_FRAMES);
    assert_eq!(frames, digest("clip.mp4"));
}

#[test]
fn audits_list_what_a_foreign_file_holds() {
    let Some(bench) = tagged_jpeg() else { return };
    let run = bench.fernseed("audit photo.jpg --json").expect(4);
    let line = run.json().remove(0);
    assert_keeps_to("audit", None, &line);
    let text = line["findings"].to_string();
    for word in ["serial number", "position", "author"] {
        assert!(text.contains(word), "{word} is not in {text}");
    }
    assert!(!line["structures"].as_array().unwrap().is_empty());
    // Another tool's half-done work, with the original at hand.
    bench.fernseed("strip photo.jpg").expect(0);
    let mut leaky = bench.read("photo.stripped.jpg");
    leaky.extend_from_slice(b"SN-998877 and CanaryLens");
    bench.write("leaky.jpg", &leaky);
    let run = bench.fernseed("audit leaky.jpg --against photo.jpg --json").expect(4);
    let line = run.json().remove(0);
    assert_keeps_to("audit", None, &line);
    let of_the_original = |line: &Value| {
        let all = line["findings"].as_array().unwrap();
        all.iter().any(|f| f["message"].as_str().unwrap().contains("of the original"))
    };
    assert!(of_the_original(&line), "{line:#}");
    // Ours shows a face, as it should, and holds nothing of the original's.
    let run = bench.fernseed("audit photo.stripped.jpg --against photo.jpg --json").expect(1);
    assert!(!of_the_original(&run.json()[0]), "{}", run.out);
}

/// A thumbnail of the unredacted picture convicts although nobody sees it.
#[test]
fn audits_look_into_embedded_pictures() {
    let Some(bench) = tagged_jpeg() else { return };
    let thumb =
        media::make("thumb.jpg", "convert {1} -resize 160x160 {out}", &[&bench.path("photo.jpg")]);
    let Some(thumb) = thumb else { return };
    bench.fernseed("redact photo.jpg -o clean.jpg").expect(0);
    let tag = format!("-ThumbnailImage<={}", thumb.display());
    assert!(media::tag(&bench.path("clean.jpg"), &[&tag]));
    let run = bench.fernseed("audit clean.jpg --json").expect(4);
    let line = run.json().remove(0);
    let all = line["findings"].as_array().unwrap();
    let inside = all.iter().find(|f| {
        let message = f["message"].as_str().unwrap();
        message.contains("embedded") && !message.contains("nobody")
    });
    let inside = inside.unwrap_or_else(|| panic!("{line:#}"));
    assert_eq!(inside["code"], "still_visible");
    assert!(inside["place"]["bytes"].is_array(), "{inside}");
}

#[test]
fn audits_of_a_folder_say_what_ties_its_files() {
    let Some(bench) = tagged_jpeg() else { return };
    bench.copy(&bench.path("photo.jpg"), "set/a7.jpg");
    let Some(other) = tagged("photo.png", "convert {1} -depth 8 {out}") else { return };
    bench.copy(&other.path("photo.png"), "set/zz.png");
    let line = bench.fernseed("audit --link set --json").expect(1).json().remove(0);
    assert_keeps_to("links", None, &line);
    assert_eq!(line["compared"], 2);
    let first = &line["groups"][0];
    assert_eq!((&first["strength"], &first["tie"]), (&json!("strong"), &json!("serial_number")));
    assert_eq!(first["files"], json!(["a7.jpg", "zz.png"]));
    let run = bench.fernseed("audit --link set").expect(1);
    assert!(run.out.contains("strong ties"), "{}", run.out);

    bench.fernseed("strip set -o clean --rename").expect(0);
    let line = bench.fernseed("audit --link clean --json").json().remove(0);
    let strong = line["groups"].as_array().unwrap().iter().any(|g| g["strength"] == "strong");
    assert!(!strong, "{line:#}");
}

/// Nothing of what other tools stumble over makes us crash, and what is
/// published holds container facts only.
#[test]
fn metadata_collections_of_other_tools() {
    let Some(folder) = fernseed_testkit::shared().map(|s| s.join("data/metadata")) else {
        println!("skipped: the shared data is not there");
        return;
    };
    if !folder.is_dir() || !media::have("exiftool") {
        println!("skipped: no metadata collection or no exiftool");
        return;
    }
    let bench = Bench::new();
    let run = bench.fernseed(&format!("strip {} -o out --no-reencode --json", folder.display()));
    assert!([3, 4].contains(&run.code), "{}: {}", run.code, run.err);
    let lines = run.json();
    assert!(lines.len() > 300, "{}", lines.len());
    for line in &lines {
        let text = line.to_string();
        assert!(!text.contains("stopped early"), "a worker crashed: {text}");
        assert!(!text.contains("minutes"), "a worker hangs: {text}");
        let status = line["status"].as_str().unwrap();
        assert!(["published", "failed", "withheld", "skipped", "held"].contains(&status), "{text}");
    }
    let published = lines.iter().filter(|l| l["status"] == "published").count();
    assert!(published > 60, "only {published} could be stripped");
    let left = judge::exiftool_facts(&bench.path("out"));
    assert!(left.is_empty(), "exiftool still shows {left:#?}");
}
