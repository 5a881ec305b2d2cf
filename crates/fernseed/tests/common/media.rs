//! Test media, made from the demo photo and the demo clip by the programs
//! that are installed, and kept in the target folder from run to run.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A point on the face of [`photo`], in its upright pixels.
pub(crate) const PHOTO_FACE: (usize, usize) = (113, 55);
/// A point on the face of [`clip`] in every one of its frames.
pub(crate) const CLIP_FACE: (usize, usize) = (86, 65);
/// Size of [`clip`].
pub(crate) const CLIP_SIZE: (usize, usize) = (176, 144);
/// Frames in [`clip`].
pub(crate) const CLIP_FRAMES: usize = 36;
/// Words put into the metadata of inputs; none may be in an output.
pub(crate) const CANARY: &str = "Canary";

/// True if a program is installed; says so if it is not.
pub(crate) fn have(program: &str) -> bool {
    let found = std::env::var_os("PATH").is_some_and(|paths| {
        std::env::split_paths(&paths).any(|folder| folder.join(program).is_file())
    });
    if !found {
        println!("skipped: {program} is not installed");
    }
    found
}

/// Demo material, or a message that it is not there.
pub(crate) fn demo(name: &str) -> Option<PathBuf> {
    let path = fernseed_testkit::demo_media(name);
    if path.is_none() {
        println!("skipped: {name} is not there, run `make demo-media`");
    }
    path
}

/// The demo photo, a woman's portrait, 256 pixels square, as PNG.
pub(crate) fn photo() -> Option<PathBuf> {
    let source = demo("astronaut.png")?;
    make("photo.png", "convert {1} -resize 256x256! -strip {out}", &[&source])
}

/// 1.2 s of the demo clip, a man in a car, H.264 in MP4 with B-frames.
pub(crate) fn clip() -> Option<PathBuf> {
    let source = demo("carphone.mp4")?;
    let recipe = format!(
        "ffmpeg -i {{1}} -frames:v {CLIP_FRAMES} -c:v libx264 -crf 14 -bf 3 -preset veryfast \
         -metadata title={CANARY}Title -metadata location=+52.5+13.4/ {{out}}"
    );
    make("clip.mp4", &recipe, &[&source])
}

/// Makes a file by a command line and keeps it; `{1}`, `{2}` … are its
/// sources and `{out}` is the file. `None`, with a message, if the program is
/// not installed.
///
/// # Panics
/// If the program fails: a recipe that does not work is a broken test.
#[track_caller]
pub(crate) fn make(name: &str, recipe: &str, sources: &[&Path]) -> Option<PathBuf> {
    let program = recipe.split_whitespace().next().unwrap();
    if !have(program) {
        return None;
    }
    let mut hasher = DefaultHasher::new();
    (recipe, sources).hash(&mut hasher);
    let key = hasher.finish();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("media");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("{key:016x}-{name}"));
    if path.is_file() {
        return Some(path);
    }
    // Made under a name of its own, so that two tests do not meet halfway.
    let own = tempfile::tempdir_in(&folder).unwrap();
    let made = own.path().join(name);
    let mut command = Command::new(program);
    if program == "ffmpeg" {
        command.args(["-v", "error", "-nostdin", "-y"]);
    }
    for word in recipe.split_whitespace().skip(1) {
        let mut word = word.replace("{out}", made.to_str().unwrap());
        for (i, source) in sources.iter().enumerate() {
            word = word.replace(&format!("{{{}}}", i + 1), source.to_str().unwrap());
        }
        command.arg(word);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && made.is_file(), "{command:?}: {said}");
    std::fs::rename(&made, &path).unwrap();
    Some(path)
}

/// Writes metadata with canary words into a file, as far as its format and
/// the installed program take them. True if it did.
pub(crate) fn tag(path: &Path, more: &[&str]) -> bool {
    if !have("exiftool") {
        return false;
    }
    let output = Command::new("exiftool")
        .args(["-q", "-q", "-m", "-overwrite_original", "-n"])
        .args(["-Make=CanaryMake", "-Artist=CanaryArtist", "-Comment=CanaryComment"])
        .args(["-XMP-dc:Title=CanaryTitle", "-GPSLatitude=52.5", "-GPSLatitudeRef=N"])
        .args(more)
        .arg(path)
        .output()
        .unwrap();
    output.status.success()
}
