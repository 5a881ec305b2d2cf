//! Sound made by FFmpeg for tests, and its samples' MD5.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Codings that are tested: file name, and FFmpeg's options.
pub const KINDS: &[(&str, &[&str])] = &[
    ("a.mp3", &["-c:a", "libmp3lame", "-b:a", "128k"]),
    ("vbr.mp3", &["-c:a", "libmp3lame", "-q:a", "4"]),
    ("mono.mp3", &["-c:a", "libmp3lame", "-ac", "1", "-ar", "22050", "-b:a", "48k"]),
    ("slow.mp3", &["-c:a", "libmp3lame", "-ac", "1", "-ar", "11025", "-b:a", "24k"]),
    ("bare.mp3", &["-c:a", "libmp3lame", "-write_xing", "0", "-id3v2_version", "0"]),
    ("a.flac", &["-c:a", "flac"]),
    ("mono24.flac", &["-c:a", "flac", "-ac", "1", "-sample_fmt", "s32", "-ar", "96000"]),
    ("odd.flac", &["-c:a", "flac", "-ar", "11000", "-frame_size", "1000"]),
    ("a.ogg", &["-c:a", "libvorbis", "-q:a", "3"]),
    ("mono.ogg", &["-c:a", "libvorbis", "-ac", "1", "-ar", "16000"]),
    ("a.opus", &["-c:a", "libopus", "-b:a", "64k"]),
    ("vbr20.opus", &["-c:a", "libopus", "-ac", "1", "-frame_duration", "60"]),
    ("surround.opus", &["-c:a", "libopus", "-ac", "6", "-b:a", "200k"]),
    ("a.wav", &["-c:a", "pcm_s16le"]),
    ("b24.wav", &["-c:a", "pcm_s24le", "-ac", "1"]),
    ("b8.wav", &["-c:a", "pcm_u8", "-ac", "1", "-t", "0.50003"]),
    ("float.wav", &["-c:a", "pcm_f32le"]),
    ("six.wav", &["-c:a", "pcm_s16le", "-ac", "6"]),
    ("law.wav", &["-c:a", "pcm_alaw", "-ar", "8000"]),
    ("rf64.wav", &["-c:a", "pcm_s16le", "-rf64", "always"]),
    ("a.aiff", &["-c:a", "pcm_s16be"]),
    ("b24.aiff", &["-c:a", "pcm_s24be"]),
    ("sowt.aifc", &["-c:a", "pcm_s16le", "-f", "aiff"]),
    ("float.aifc", &["-c:a", "pcm_f32be", "-f", "aiff"]),
];

/// Codes two seconds of a tone in noise as `name` in `folder`, with a title
/// that says `tag`. `None` where FFmpeg or its encoder is not installed.
pub fn make(folder: &Path, name: &str, options: &[&str], tag: &str) -> Option<PathBuf> {
    let path = folder.join(name);
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i"]);
    command.arg("aevalsrc=0.3*sin(2*PI*(300+200*t)*t)+0.05*random(0)|0.3*sin(1500*t):d=2:s=44100");
    command.args(["-metadata", &format!("title={tag}"), "-metadata", &format!("artist={tag}")]);
    let status = command.args(options).arg(&path).status().ok()?;
    (status.success() && path.is_file()).then_some(path)
}

/// MD5 of the decoded samples. `None` if they do not decode cleanly.
pub fn samples(path: &Path) -> Option<String> {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(path)
        .args(["-map", "0:a:0", "-c:a", "pcm_f64le", "-f", "md5", "-"])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

/// MD5 of each decoded frame.
pub fn frames(path: &Path) -> Option<Vec<String>> {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(path)
        .args(["-map", "0:a:0", "-c:a", "pcm_f64le", "-f", "framemd5", "-"])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = text.lines().filter(|l| !l.starts_with('#'));
    let list: Vec<String> =
        lines.filter_map(|l| Some(l.rsplit(',').next()?.trim().to_owned())).collect();
    (output.status.success() && !list.is_empty()).then_some(list)
}
