//! What a run leaves on a disk besides its outputs: nothing.
//!
//! Everything the program could write to (output, home, temporary folders,
//! shared memory) lies on a file system of our own in a file, the source
//! lies elsewhere. Afterwards the raw bytes of that file are searched for
//! words that were planted in the source's pixels and metadata: also what
//! was deleted shows there.

use crate::Case;
use crate::common::bench::{program, run};
use crate::make::{chunk, deflate, png_with};
use crate::power::Disk;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

pub(crate) const CASES: &[Case] = &[
    ("no_trace_of_the_source_is_left", traces),
    ("no_writable_home_or_temporary_folder_is_needed", read_only),
];

const IN_PIXELS: &[u8] = b"CanaryWithinThePixels!";
const IN_METADATA: &[u8] = b"CanaryWithinTheMetadata!";

/// A bitmap whose rows are the canary, and a PNG with it as text.
fn plant(folder: &Path) {
    let side = IN_PIXELS.len() as u32 * 4;
    let rows: Vec<u8> = IN_PIXELS.repeat(12 * side as usize);
    let mut bitmap = b"BM".to_vec();
    bitmap.extend((54 + rows.len() as u32).to_le_bytes());
    bitmap.extend([0, 0, 0, 0, 54, 0, 0, 0, 40, 0, 0, 0]);
    bitmap.extend(side.to_le_bytes());
    bitmap.extend(side.to_le_bytes());
    bitmap.extend(b"\x01\0\x18\0");
    bitmap.extend([0; 24]);
    bitmap.extend(rows);
    std::fs::write(folder.join("a.bmp"), bitmap).unwrap();
    let mut pixels = Vec::new();
    for _ in 0..64 {
        pixels.push(0);
        pixels.extend(&IN_PIXELS.repeat(3)[..64]);
    }
    let mut picture = png_with(64, 64, &deflate(&pixels));
    let at = picture.len() - 12;
    picture.splice(at..at, chunk(b"tEXt", &[b"Comment\0", IN_METADATA].concat()));
    std::fs::write(folder.join("b.png"), picture).unwrap();
}

/// The program with `script` first, in a mount namespace of its own.
fn command(script: &str, home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", &format!("{script} && exec \"$0\" \"$@\"")]);
    command.arg(program()).args(arguments);
    command.env("HOME", home).env("TMPDIR", home).env("XDG_CACHE_HOME", home);
    command
}

/// The temporary folders that can be mounted over without hiding the program
/// under test or its files.
fn temporary(needed: &[&Path]) -> String {
    let hides =
        |folder: &&&str| needed.iter().chain([&program()]).any(|path| path.starts_with(folder));
    let folders = ["/tmp", "/var/tmp", "/dev/shm"];
    folders.iter().filter(|f| !hides(f)).copied().collect::<Vec<_>>().join(" ")
}

fn count(image: &[u8], word: &[u8]) -> usize {
    image.windows(word.len()).filter(|w| *w == word).count()
}

fn source() -> tempfile::TempDir {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    plant(folder.path());
    folder
}

/// Waits until the program itself runs, and no longer the shell before it,
/// and has forbidden core dumps for good: the first thing it does.
fn wait_for_the_program(pid: u32) {
    for _ in 0..5000 {
        let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_default();
        let cores = limits.lines().find(|l| l.starts_with("Max core file size"));
        if cores.is_none_or(|l| l.split_whitespace().nth(5) == Some("0")) {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("core dumps were never forbidden");
}

fn traces() {
    let elsewhere = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let Some(disk) = Disk::new(elsewhere.path()) else { return };
    let source = source();
    let here = disk.at.clone();
    for folder in ["tmp", "home", "out", "killed"] {
        std::fs::create_dir(here.join(folder)).unwrap();
    }
    let at = here.display();
    let script = format!(
        "for d in {}; do mount --bind {at}/tmp $d || exit 99; done; \
         cd {at}/home && ulimit -c unlimited",
        temporary(&[&here, source.path()])
    );
    let input = source.path().to_string_lossy().into_owned();
    let arguments = |out: &str| {
        let out = here.join(out).to_string_lossy().into_owned();
        ["redact".to_owned(), input.clone(), "-o".to_owned(), out, "--resume".to_owned()]
    };
    let whole = arguments("out");
    let whole: Vec<_> = whole.iter().map(String::as_str).collect();
    let done = run(&mut command(&script, &here.join("home"), &whole));
    if done.code == 99 {
        println!("skipped: nothing can be mounted over the temporary folders here");
        return;
    }
    assert!([0, 1].contains(&done.code), "{}{}", done.out, done.err);
    // Killed, and crashed, at three moments each; cores would be written.
    let killed = arguments("killed");
    let killed: Vec<_> = killed.iter().map(String::as_str).collect();
    for moment in [0, 60, 150] {
        for signal in ["KILL", "SEGV"] {
            let mut child = command(&script, &here.join("home"), &killed)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            wait_for_the_program(child.id());
            std::thread::sleep(Duration::from_millis(moment));
            let pid = child.id().to_string();
            Command::new("kill").args(["-s", signal, &pid]).status().unwrap();
            child.wait().unwrap();
        }
    }
    let left: Vec<_> = ["tmp", "home"]
        .iter()
        .flat_map(|f| std::fs::read_dir(here.join(f)).unwrap())
        .map(|e| e.unwrap().path())
        .collect();
    assert!(left.is_empty(), "left over: {left:?}");
    let image = disk.image.clone();
    rustix::fs::sync();
    drop(disk);
    let bytes = std::fs::read(&image).unwrap();
    let found = (count(&bytes, IN_PIXELS), count(&bytes, IN_METADATA));
    println!("7 runs: {found:?} canaries on {} MiB of raw disk", bytes.len() >> 20);
    assert_eq!(found, (0, 0));

    // The search must find what was written and deleted.
    let disk = Disk::mount(&image, &here).unwrap();
    std::fs::copy(source.path().join("a.bmp"), here.join("tmp/x")).unwrap();
    rustix::fs::sync();
    std::fs::remove_file(here.join("tmp/x")).unwrap();
    drop(disk);
    let bytes = std::fs::read(&image).unwrap();
    assert!(count(&bytes, IN_PIXELS) > 100, "the search finds nothing");
}

fn read_only() {
    let source = source();
    let out = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let script = format!(
        "for d in {}; do mount -t tmpfs -o ro none $d || exit 99; done",
        temporary(&[out.path(), source.path()])
    );
    let input = source.path().to_string_lossy().into_owned();
    let folder = out.path().join("new").to_string_lossy().into_owned();
    let arguments = ["redact", &input, "-o", &folder, "--allow-empty", "--resume"];
    let done = run(&mut command(&script, Path::new("/nonexistent"), &arguments));
    if done.code == 99 {
        println!("skipped: nothing can be mounted over the temporary folders here");
        return;
    }
    assert_eq!(done.code, 0, "{}{}", done.out, done.err);
    assert!(out.path().join("new/a.redacted.png").exists(), "{}", done.out);
}
