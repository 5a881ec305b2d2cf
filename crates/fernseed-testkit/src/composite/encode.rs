//! Frames to a file through the `ffmpeg` command.

use super::image::MediaError;
use super::paint::Canvas;
use super::scene::{Scene, UNEVEN_FILTER};
use super::sources::Sources;
use super::{Clip, scenario};
use crate::truth::Truth;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Draws a clip, writes `NAME.mp4` and `NAME.json` into `folder`, and
/// returns the truth and the clip's path.
///
/// # Errors
/// If `ffmpeg` or the file system does not play along.
pub fn write(
    clip: &Clip,
    sources: &Sources,
    folder: &Path,
) -> Result<(Truth, PathBuf), MediaError> {
    let scene = scenario::scene(clip);
    let path = folder.join(format!("{}.mp4", clip.name()));
    let part = folder.join(format!(".{}.part.mp4", clip.name()));
    let what = format!("write {}", path.display());
    let mut encoder = encoder(&scene, &part).spawn().map_err(MediaError::io(&what))?;
    let mut pipe =
        encoder.stdin.take().ok_or_else(|| MediaError::failed(&what, "no pipe to ffmpeg"))?;
    let mut canvas = Canvas::new(scene.size);
    let mut frames = Vec::with_capacity(scene.frames);
    for n in 0..scene.frames {
        frames.push(canvas.draw(&scene, sources, n));
        let sent = if scene.storage.turned {
            pipe.write_all(&quarter_turn(&canvas))
        } else {
            pipe.write_all(&canvas.rgb)
        };
        sent.map_err(MediaError::io(&what))?;
    }
    drop(pipe);
    finish(encoder, &what)?;
    if scene.storage.turned {
        note_turn(&part, &path)?;
    } else {
        std::fs::rename(&part, &path).map_err(MediaError::io(&what))?;
    }
    let truth = Truth {
        clip: format!("{}.mp4", clip.name()),
        scenario: clip.scenario.to_owned(),
        half: clip.half.name().to_owned(),
        seed: clip.seed(),
        size: [scene.size.0 as u32, scene.size.1 as u32],
        frames,
    };
    truth.write(&path.with_extension("json")).map_err(MediaError::io(&what))?;
    Ok((truth, path))
}

fn encoder(scene: &Scene, path: &Path) -> Command {
    let (w, h) = scene.size;
    let stored = if scene.storage.turned { (h, w) } else { (w, h) };
    let rate = if scene.storage.uneven { 1000.0 } else { scene.fps };
    let mut command = input(stored, rate.into());
    if scene.storage.uneven {
        command.args(["-vf", UNEVEN_FILTER, "-vsync", "passthrough", "-enc_time_base", "1/1000"]);
    }
    output(&mut command, scene.storage.preset, scene.storage.crf, path);
    command
}

/// An `ffmpeg` that makes a video of frames of packed RGB on its standard input.
pub(super) fn raw_video(size: (usize, usize), rate: f64, crf: u32, path: &Path) -> Command {
    let mut command = input(size, rate);
    output(&mut command, "veryfast", crf, path);
    command
}

fn input((w, h): (usize, usize), rate: f64) -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24"]);
    command.args(["-s", &format!("{w}x{h}"), "-r", &rate.to_string(), "-i", "-"]);
    command
}

fn output(command: &mut Command, preset: &str, crf: u32, path: &Path) {
    command
        .args(["-c:v", "libx264", "-preset", preset, "-threads", "1"])
        .args(["-crf", &crf.to_string(), "-pix_fmt", "yuv420p"])
        .arg(path)
        .stdin(Stdio::piped());
}

/// Waits for an `ffmpeg` whose input has ended.
pub(super) fn finish(mut encoder: Child, what: &str) -> Result<(), MediaError> {
    let status = encoder.wait().map_err(MediaError::io(what))?;
    if status.success() { Ok(()) } else { Err(MediaError::failed(what, status.to_string())) }
}

/// The canvas lying on its side, as a phone held upright stores it: to be
/// shown turned clockwise by 90 degrees.
fn quarter_turn(canvas: &Canvas) -> Vec<u8> {
    let (w, h) = canvas.size;
    let mut out = Vec::with_capacity(canvas.rgb.len());
    for x in (0..w).rev() {
        for y in 0..h {
            let at = (y * w + x) * 3;
            out.extend_from_slice(&canvas.rgb[at..at + 3]);
        }
    }
    out
}

/// Writes the note that turns the picture upright, without touching it.
fn note_turn(from: &Path, to: &Path) -> Result<(), MediaError> {
    let what = format!("turn {}", to.display());
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-i"])
        .arg(from)
        .args(["-c", "copy", "-metadata:s:v:0", "rotate=270"])
        .arg(to)
        .status()
        .map_err(MediaError::io(&what))?;
    std::fs::remove_file(from).map_err(MediaError::io(&what))?;
    if status.success() { Ok(()) } else { Err(MediaError::failed(what, status.to_string())) }
}
