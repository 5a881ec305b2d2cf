//! What is wrong with an input is said in one line that names the file and
//! what to do; nothing appears under the final name, nothing is left over,
//! and the rest of a batch goes on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod common;

use common::bench::{Run, program, run};
use common::{Bench, judge, media};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

const USAGE: i32 = 2;
const INPUT: i32 = 3;
const IO: i32 = 5;

/// Fails unless a run with one bad input did what it should.
#[track_caller]
fn assert_refused(bench: &Bench, run: Run, code: i32, name: &str, advice: &str, left: &[&str]) {
    let run = run.expect(code);
    let errors = run.errors();
    assert_eq!(errors.len(), 1, "not one error line: {}", run.err);
    assert_eq!(run.err.lines().count(), 1, "more than one line: {}", run.err);
    assert!(errors[0].contains(name), "does not name {name:?}: {}", errors[0]);
    assert!(errors[0].contains(advice), "does not say {advice:?}: {}", errors[0]);
    let names: Vec<_> = bench.names().into_iter().collect();
    assert_eq!(names, left, "{}", run.err);
}

/// Writes bytes under a name and fails unless they are refused.
#[track_caller]
fn refuses(name: &str, bytes: &[u8], advice: &str) {
    let bench = Bench::new();
    bench.write(name, bytes);
    let run = bench.fernseed(&format!("redact {name}"));
    assert_refused(&bench, run, INPUT, name, advice, &[name]);
    assert_eq!(bench.read(name), bytes, "the original has changed");
}

#[test]
fn missing() {
    let bench = Bench::new();
    let run = bench.fernseed("redact nowhere.jpg");
    assert_refused(&bench, run, INPUT, "nowhere.jpg", "no such file", &[]);
    for command in ["scan nowhere.jpg", "inspect nowhere.jpg", "audit nowhere.jpg"] {
        let run = bench.fernseed(command).expect(INPUT);
        assert_eq!(run.errors().len(), 1, "{}", run.err);
        assert!(run.err.contains("nowhere.jpg"), "{}", run.err);
    }
}

#[test]
fn empty() {
    refuses("empty.jpg", b"", "is empty");
    refuses("empty.mp4", b"", "is empty");
}

#[test]
fn text() {
    let text = "Dear diary, today nothing was filmed.\n".repeat(40);
    refuses("diary.txt", text.as_bytes(), "only pictures and videos");
    refuses("diary.jpg", text.as_bytes(), "only pictures and videos");
    refuses("diary.mp4", text.as_bytes(), "only pictures and videos");
    refuses("list.m3u8", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hosts\n", "only pictures and videos");
}

#[test]
fn sound_only() {
    let recipe = "ffmpeg -f lavfi -i sine=d=0.5 -c:a aac {out}";
    let Some(sound) = media::make("sound.m4a", recipe, &[]) else { return };
    refuses("sound.m4a", &std::fs::read(sound).unwrap(), ";");
}

#[test]
fn no_frames() {
    // A video stream is announced, but no frame of it is there.
    let recipe = "ffmpeg -f lavfi -i color=red:s=64x64:r=25 -frames:v 0 -c:v mpeg4 {out}";
    if let Some(path) = media::make("none.avi", recipe, &[]) {
        refuses("none.avi", &std::fs::read(path).unwrap(), ";");
    }
    let recipe = "ffmpeg -f lavfi -i color=red:s=64x64:r=25 -frames:v 0 -c:v libx264 {out}";
    if let Some(path) = media::make("none.mkv", recipe, &[]) {
        refuses("none.mkv", &std::fs::read(path).unwrap(), ";");
    }
}

#[test]
fn truncated_pictures() {
    let Some(photo) = media::photo() else { return };
    for name in ["cut.jpg", "cut.png", "cut.gif", "cut.webp", "cut.tiff", "cut.bmp"] {
        let Some(whole) = media::make(name, "convert {1} {out}", &[&photo]) else { return };
        let bytes = std::fs::read(whole).unwrap();
        refuses(name, &bytes[..bytes.len() / 2], "copy it again");
    }
}

#[test]
fn truncated_videos() {
    let Some(clip) = media::clip() else { return };
    // The index of an MP4 is at its end: without it there is no film.
    let bytes = std::fs::read(&clip).unwrap();
    refuses("cut.mp4", &bytes[..bytes.len() / 2], "copy it again");
    let recipe = "ffmpeg -i {1} -c copy -movflags faststart {out}";
    let Some(indexed) = media::make("front.mp4", recipe, &[&clip]) else { return };
    let bytes = std::fs::read(indexed).unwrap();
    let bench = Bench::new();
    bench.write("front.mp4", &bytes[..bytes.len() / 2]);
    let run = bench.fernseed("redact front.mp4");
    // What is there may be written, but never as if nothing had happened.
    assert!([1, INPUT].contains(&run.code), "{}\n{}", run.out, run.err);
    assert!(!bench.names().contains("front.redacted.mp4"), "published: {}", run.out);
}

#[test]
fn damaged() {
    let Some(photo) = media::photo() else { return };
    let mut bytes = std::fs::read(&photo).unwrap();
    let middle = bytes.len() / 2;
    for byte in &mut bytes[middle..middle + 64] {
        *byte ^= 0x5a;
    }
    refuses("damaged.png", &bytes, "copy it again");
    let mut noise = b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0".to_vec();
    noise.extend((0..4000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8));
    refuses("noise.jpg", &noise, "; ");
}

#[test]
fn damaged_frames_of_a_video_are_never_passed_through() {
    let Some(clip) = media::clip() else { return };
    let mut bytes = std::fs::read(&clip).unwrap();
    let third = bytes.len() / 3;
    for byte in &mut bytes[third..third + 700] {
        *byte = byte.wrapping_mul(31).wrapping_add(17);
    }
    let bench = Bench::new();
    bench.write("clip.mp4", &bytes);
    let run = bench.fernseed("redact clip.mp4 --fill magenta");
    assert_ne!(run.code, 0, "damage went unnoticed: {}", run.out);
    for name in bench.names().iter().filter(|n| *n != "clip.mp4") {
        for (i, frame) in judge::frames(&bench.path(name)).iter().enumerate() {
            let off = frame.distance_from_fill(media::CLIP_FACE);
            assert!(off < 24, "{name}: the face of frame {i} is off by {off}");
        }
    }
}

/// Which frames are damaged is not a matter of which decoder thread was faster.
#[test]
fn the_same_frames_are_damaged_every_time() {
    let recipe = "ffmpeg -f lavfi -i testsrc2=s=320x240:r=25:d=4 -c:v libx264 -threads 1 -g 25 \
                  -bf 2 {out}";
    let Some(clip) = media::make("whole.mp4", recipe, &[]) else { return };
    let mut bytes = std::fs::read(&clip).unwrap();
    let middle = bytes.len() / 2;
    for i in 0..40 {
        bytes[middle + i * 97] ^= 0xA5;
    }
    let bench = Bench::new();
    bench.write("clip.mp4", &bytes);
    let found: Vec<_> = (0..4)
        .map(|i| {
            let arguments = format!("redact clip.mp4 -o {i}/o.mp4 --report {i}.json");
            std::fs::create_dir(bench.path(&i.to_string())).unwrap();
            bench.fernseed(&arguments).expect(1);
            let report = bench.json(&format!("{i}.json"));
            let findings = report["files"][0]["findings"].clone();
            let damaged = |f: &&serde_json::Value| f["code"] == "damaged_frames";
            assert!(findings.as_array().unwrap().iter().any(|f| damaged(&f)), "{findings}");
            (findings, bench.read(&format!("{i}/o.needs-review.mp4")))
        })
        .collect();
    for other in &found[1..] {
        assert_eq!(other.0, found[0].0);
        assert!(other.1 == found[0].1, "another output");
    }
}

#[test]
fn mislabelled_works() {
    let Some(photo) = media::photo() else { return };
    let bench = Bench::with(&photo, "really-a-png.jpg");
    bench.fernseed("redact really-a-png.jpg").expect(0);
    assert!(bench.names().contains("really-a-png.redacted.png"), "{:?}", bench.names());
}

#[test]
fn folder_without_media() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("folder")).unwrap();
    let run = bench.fernseed("redact folder");
    assert_refused(&bench, run, INPUT, "folder", "no pictures or videos", &["folder"]);
    // A folder whose files are all something else is no better.
    bench.write("folder/notes.txt", b"nothing to see");
    let run = bench.fernseed("redact folder");
    assert_ne!(run.code, 0, "{}{}", run.out, run.err);
    assert_eq!(bench.names().len(), 2, "{:?}", bench.names());
}

/// The header of a PNG of a size, with correct checksums and no pixels.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut body = b"IHDR".to_vec();
    body.extend(width.to_be_bytes());
    body.extend(height.to_be_bytes());
    body.extend([8, 2, 0, 0, 0]);
    let mut out = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
    out.extend(&body);
    out.extend(crc(&body).to_be_bytes());
    // A small IDAT: the size is a claim, no data stands behind it.
    let idat = b"IDAT\x78\x9c\x63\x00\x00\x00\x01\x00\x01";
    out.extend((idat.len() as u32 - 4).to_be_bytes());
    out.extend(idat);
    out.extend(crc(idat).to_be_bytes());
    out.extend(b"\0\0\0\0IEND\xae\x42\x60\x82");
    out
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8)
            .fold(crc ^ u32::from(*byte), |c, _| (c >> 1) ^ (0xedb8_8320 & (c & 1).wrapping_neg()))
    })
}

#[test]
fn huge_and_sizeless_pictures() {
    refuses("huge.png", &png_header(60_000, 60_000), "make it smaller");
    refuses("wider.png", &png_header(u32::MAX >> 1, 1), ";");
    refuses("zero.png", &png_header(0, 0), ";");
    refuses("flat.png", &png_header(10, 0), ";");
    let mut bmp = b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".to_vec();
    bmp.extend(60_000u32.to_le_bytes());
    bmp.extend(60_000u32.to_le_bytes());
    bmp.extend(b"\x01\0\x18\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    bmp.extend([0; 64]);
    refuses("huge.bmp", &bmp, ";");
}

#[test]
fn encrypted() {
    let Some(clip) = media::clip() else { return };
    let recipe = "ffmpeg -i {1} -c copy -encryption_scheme cenc-aes-ctr \
                  -encryption_key 76a6c65c5ea762046bd749a2e632ccbb \
                  -encryption_kid a7e61c373e219033c21091fa607bf3b8 {out}";
    let Some(locked) = media::make("locked.mp4", recipe, &[&clip]) else { return };
    refuses("locked.mp4", &std::fs::read(locked).unwrap(), "remove the protection");
}

#[test]
fn unsupported_codec() {
    let Some(clip) = media::clip() else { return };
    let Some(path) = media::make("clip.mkv", "ffmpeg -i {1} -c:v ffv1 {out}", &[&clip]) else {
        return;
    };
    refuses("clip.mkv", &std::fs::read(path).unwrap(), "convert it");
}

#[test]
fn pipes_and_devices_do_not_block() {
    let bench = Bench::new();
    let made = Command::new("mkfifo").arg(bench.path("pipe.mp4")).status();
    if !made.is_ok_and(|s| s.success()) {
        println!("skipped: cannot make a pipe");
        return;
    }
    let run = bench.fernseed("redact pipe.mp4");
    assert_refused(&bench, run, INPUT, "pipe.mp4", "not an ordinary file", &["pipe.mp4"]);
    let run = bench.fernseed("redact /dev/zero -o out.mp4");
    assert_refused(&bench, run, INPUT, "/dev/zero", "not an ordinary file", &["pipe.mp4"]);
    for command in ["scan pipe.mp4", "inspect pipe.mp4", "audit pipe.mp4"] {
        let run = bench.fernseed(command).expect(INPUT);
        assert!(run.err.contains("pipe.mp4"), "{command}: {}", run.err);
    }
}

/// A run of the binary as a user without rights in a folder of root's. The
/// copy of the binary is readable by all.
fn as_nobody(bench: &Bench, arguments: &str) -> Option<Run> {
    let program = bench.path("program");
    std::fs::copy(common::bench::program(), &program).unwrap();
    for (path, mode) in [(bench.folder(), 0o755), (&*program, 0o755)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    if !media::have("setpriv") {
        return None;
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    command.arg(&program).args(arguments.split_whitespace()).current_dir(bench.folder());
    let done = run(&mut command);
    if done.err.starts_with("setpriv:") {
        println!("skipped: {}", done.err);
        return None;
    }
    std::fs::remove_file(program).unwrap();
    Some(done)
}

#[test]
fn no_permission() {
    let Some(photo) = media::photo() else { return };
    let bench = Bench::with(&photo, "secret.png");
    std::fs::set_permissions(bench.path("secret.png"), std::fs::Permissions::from_mode(0o000))
        .unwrap();
    if let Some(run) = as_nobody(&bench, "redact secret.png") {
        assert_refused(&bench, run, IO, "secret.png", "permissions", &["secret.png"]);
    }
    // A file that can be read, in a folder that cannot be written.
    std::fs::set_permissions(bench.path("secret.png"), std::fs::Permissions::from_mode(0o644))
        .unwrap();
    if let Some(run) = as_nobody(&bench, "redact secret.png") {
        assert_refused(&bench, run, IO, "secret.png", "another folder with -o", &["secret.png"]);
    }
}

#[test]
fn no_space() {
    // The limit on file sizes stands in for a full disk: the kernel refuses
    // to write beyond it.
    let Some(photo) = media::photo() else { return };
    let bench = Bench::with(&photo, "photo.png");
    let mut command = Command::new("bash");
    command.args(["-c", "ulimit -f 8; trap '' XFSZ; exec \"$0\" redact photo.png"]).arg(program());
    let done = run(command.current_dir(bench.folder()));
    assert!([INPUT, IO].contains(&done.code), "{}: {}", done.code, done.err);
    assert_eq!(done.errors().len(), 1, "{}", done.err);
    assert!(done.err.contains("photo.png"), "{}", done.err);
    assert_eq!(bench.names().into_iter().collect::<Vec<_>>(), ["photo.png"]);
}

#[test]
fn existing_output_is_never_overwritten() {
    let Some(photo) = media::photo() else { return };
    let bench = Bench::with(&photo, "photo.png");
    for taken in ["photo.redacted.png", "photo.needs-review.png"] {
        bench.write(taken, b"somebody's work");
        let run = bench.fernseed("redact photo.png");
        let left = ["photo.png", taken];
        let mut left = left.to_vec();
        left.sort_unstable();
        assert_refused(&bench, run, IO, taken, "already exists", &left);
        assert_eq!(bench.read(taken), b"somebody's work");
        std::fs::remove_file(bench.path(taken)).unwrap();
    }
    bench.write("out.png", b"somebody's work");
    let run = bench.fernseed("redact photo.png -o out.png");
    assert_refused(&bench, run, IO, "out.png", "already exists", &["out.png", "photo.png"]);
    // Neither reports nor plans are overwritten.
    let run = bench.fernseed("scan photo.png -o out.png").expect(USAGE);
    assert!(run.err.contains("out.png already exists"), "{}", run.err);
    let run = bench.fernseed("redact photo.png -o new.png --report out.png");
    assert_ne!(run.code, 0);
    assert!(run.err.contains("out.png already exists"), "{}", run.err);
    assert_eq!(bench.read("out.png"), b"somebody's work");
}

#[test]
fn originals_are_never_the_output() {
    let Some(photo) = media::photo() else { return };
    let bench = Bench::with(&photo, "photo.png");
    let before = bench.read("photo.png");
    symlink("photo.png", bench.path("link.png")).unwrap();
    std::fs::hard_link(bench.path("photo.png"), bench.path("hard.png")).unwrap();
    symlink(".", bench.path("loop")).unwrap();
    let names = bench.names();
    for output in ["photo.png", "./photo.png", "link.png", "hard.png", "loop/photo.png"] {
        for input in ["photo.png", "link.png", "hard.png"] {
            let run = bench.fernseed(&format!("redact {input} -o {output}"));
            assert!([USAGE, IO].contains(&run.code), "{input} to {output}: {}", run.err);
            assert_eq!(run.errors().len(), 1, "{}", run.err);
            assert!(bench.read("photo.png") == before, "{input} to {output} changed the original");
            assert_eq!(bench.names(), names);
        }
    }
    let run = bench.fernseed("redact photo.png -o new.png --report photo.png");
    assert_ne!(run.code, 0);
    assert!(bench.read("photo.png") == before, "the report overwrote the original");
    let run = bench.fernseed("scan photo.png -o hard.png");
    assert_ne!(run.code, 0);
    assert!(bench.read("photo.png") == before, "the plan overwrote the original");
    let meta = std::fs::metadata(bench.path("photo.png")).unwrap();
    assert_eq!(meta.permissions().mode() & 0o777, 0o644 & meta.permissions().mode());
}

#[test]
fn output_inside_the_input_folder() {
    let Some(photo) = media::photo() else { return };
    let bench = Bench::new();
    bench.copy(&photo, "in/photo.png");
    let run = bench.fernseed("redact in -o in/deep/out");
    assert_refused(
        &bench,
        run,
        USAGE,
        "in/deep/out",
        "choose one outside",
        &["in", "in/photo.png"],
    );
}

#[test]
fn impossible_destinations() {
    let Some(photo) = media::photo() else { return };
    let bench = Bench::with(&photo, "photo.png");
    bench.copy(&photo, "other.png");
    let left = ["other.png", "photo.png"];
    let run = bench.fernseed("redact photo.png other.png -o one.png");
    assert_refused(&bench, run, USAGE, "one.png", "name a folder", &left);
    let run = bench.fernseed("redact photo.png -o out.docx");
    assert_refused(&bench, run, USAGE, "out.docx", "outputs are", &left);
    let run = bench.fernseed("redact photo.png -o photo.png/under");
    assert_refused(&bench, run, IO, "photo.png/under", "cannot create the folder", &left);
    // A picture cannot become a film.
    let run = bench.fernseed("redact photo.png -o out.mp4");
    assert!([USAGE, INPUT].contains(&run.code), "{}", run.err);
    assert_eq!(run.errors().len(), 1, "{}", run.err);
    assert_eq!(bench.names().len(), 2);
}

#[test]
fn plans_of_other_files() {
    let Some(photo) = media::photo() else { return };
    let bench = Bench::with(&photo, "photo.png");
    let small = "convert {1} -resize 50% {out}";
    let Some(small) = media::make("small.png", small, &[&photo]) else { return };
    bench.copy(&small, "small.png");
    bench.fernseed("scan photo.png -o plan.json").expect(0);
    let left = ["photo.png", "plan.json", "small.png"];
    let run = bench.fernseed("apply plan.json small.png");
    assert_refused(&bench, run, INPUT, "small.png", "fernseed scan", &left);
    bench.write("nonsense.json", b"{\"version\": 1}");
    let run = bench.fernseed("apply nonsense.json photo.png");
    let left = ["nonsense.json", "photo.png", "plan.json", "small.png"];
    assert_refused(&bench, run, INPUT, "nonsense.json", "fernseed scan", &left);
    let mut newer = bench.json("plan.json");
    newer["version"] = 99.into();
    bench.write("nonsense.json", newer.to_string().as_bytes());
    let run = bench.fernseed("apply nonsense.json photo.png");
    assert_refused(&bench, run, INPUT, "nonsense.json", "version 99", &left);
}

/// One bad file of each kind, and good ones before, between and after them.
#[test]
fn a_batch_goes_on() {
    let Some(photo) = media::photo() else { return };
    let bench = Bench::new();
    let bytes = std::fs::read(&photo).unwrap();
    bench.write("in/a.png", &bytes);
    bench.write("in/cut.png", &bytes[..bytes.len() / 2]);
    bench.write("in/m.png", &bytes);
    bench.write("in/empty.png", b"");
    bench.write("in/notes.txt", b"not a picture at all");
    bench.write("in/sub/z.png", &bytes);
    let run =
        bench.fernseed("redact in missing.jpg -o out --report report.json -j 2").expect(INPUT);
    let mut out: Vec<_> = bench.names().into_iter().filter(|n| n.starts_with("out")).collect();
    out.sort();
    let wanted =
        ["out", "out/a.redacted.png", "out/m.redacted.png", "out/sub", "out/sub/z.redacted.png"];
    assert_eq!(out, wanted);
    for name in ["in/cut.png", "in/empty.png", "missing.jpg"] {
        let lines = run.errors().iter().filter(|l| l.contains(name)).count();
        assert_eq!(lines, 1, "{name}: {}", run.err);
    }
    assert_eq!(run.errors().len(), 3, "{}", run.err);
    let report = bench.json("report.json");
    assert_eq!(report["exit_code"], INPUT);
    let status =
        |s: &str| report["files"].as_array().unwrap().iter().filter(|f| f["status"] == s).count();
    assert_eq!((status("published"), status("skipped")), (3, 1));
    assert!(status("failed") >= 2);
    assert!(same_bytes(&bench, "out/a.redacted.png", "out/sub/z.redacted.png"));
}

fn same_bytes(bench: &Bench, a: impl AsRef<Path>, b: impl AsRef<Path>) -> bool {
    let read = |p: &Path| std::fs::read(bench.folder().join(p)).unwrap();
    read(a.as_ref()) == read(b.as_ref())
}

/// A second run over the same folder leaves the outputs of the first alone.
#[test]
fn outputs_are_not_inputs() {
    let Some(photo) = media::photo() else { return };
    let bench = Bench::new();
    bench.copy(&photo, "in/a.png");
    bench.fernseed("redact in").expect(0);
    std::fs::rename(bench.path("in/a.redacted.png"), bench.path("in/b.redacted.png")).unwrap();
    bench.fernseed("redact in").expect(0);
    let wanted = ["in", "in/a.png", "in/a.redacted.png", "in/b.redacted.png"];
    assert_eq!(bench.names().into_iter().collect::<Vec<_>>(), wanted);
}

/// A plan of hours with many people in them is longer than any one message
/// between host and worker may be.
#[test]
fn a_plan_longer_than_any_message_is_applied() {
    let Some(clip) =
        media::make("short.mp4", "ffmpeg -f lavfi -i testsrc2=s=96x64:r=10:d=1 {out}", &[])
    else {
        return;
    };
    let bench = Bench::with(&clip, "clip.mp4");
    bench.fernseed("scan clip.mp4 -o plan.json").expect(0);
    let mut plan = bench.json("plan.json");
    assert_eq!(plan["redactions"], serde_json::json!([]));
    let rect = |left: u64| {
        let left = left as f32 + 0.123_456_7;
        serde_json::json!({"left": left, "top": 8.765_432, "right": left + 20.3, "bottom": 40.2})
    };
    // One of them inside the clip, the others of hours that it does not have.
    let redaction = |id: u64| {
        let first = if id == 7 { 0 } else { 100_000 * id };
        let keyframes: Vec<_> = (0..20_000)
            .map(|n| serde_json::json!({"frame": first + n, "rect": rect(n % 50)}))
            .collect();
        let decision = serde_json::json!({"action": "hide", "by": "person"});
        let (label, none) = ("face", serde_json::Value::Null);
        serde_json::json!({
            "id": id, "label": label, "decision": decision, "evidence": none, "keyframes": keyframes
        })
    };
    plan["redactions"] = (1..=50).map(redaction).collect();
    plan["reviewed"] = true.into();
    plan["policy"]["fill"] = judge::FILL.to_vec().into();
    let text = serde_json::to_string(&plan).unwrap();
    assert!(text.len() > fernseed_sandbox::MAX_PLAN_MESSAGE, "{} bytes", text.len());
    bench.write("long.json", text.as_bytes());
    bench.fernseed("apply long.json clip.mp4 -o out.mp4").expect(0);
    let frames = judge::frames(&bench.path("out.mp4"));
    assert_eq!(frames.len(), 10);
    for (number, frame) in frames.iter().enumerate() {
        let middle = (number + 10, 24);
        assert!(frame.distance_from_fill(middle) < 40, "frame {number}");
        assert!(frame.distance_from_fill((85, 24)) > 40, "frame {number}");
    }
}
