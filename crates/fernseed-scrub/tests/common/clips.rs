//! Clips made by ffmpeg in every container and codec it can write, and what
//! ffmpeg decodes of them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// `(file name, container options, video options, sound options)`; empty
/// options leave the track out.
pub const CLIPS: &[(&str, &str, &str, &str)] = &[
    ("h264-aac.mp4", "", "-c:v libx264 -preset veryfast -g 6", "-c:a aac"),
    ("h264-aac.mov", "", "-c:v libx264 -preset veryfast -g 6 -bf 0", "-c:a aac"),
    ("h264-aac-fragments.mp4", "-movflags frag_keyframe+empty_moov", H264, "-c:a aac"),
    ("h264-front.m4v", "-f mp4 -movflags faststart", H264, "-c:a ac3"),
    ("h264-pcm.mov", "", "-c:v libx264 -preset veryfast -flags +ildct -x264opts tff=1", PCM16),
    ("hevc-mp3.mp4", "", "-c:v libx265 -preset ultrafast -x265-params log-level=error", MP3),
    ("av1-opus.mp4", "", "-c:v libaom-av1 -cpu-used 8", "-c:a libopus"),
    ("vp9-flac.mp4", "-strict -2", VP9, "-c:a flac"),
    ("mpeg4-alac.mov", "", "-c:v mpeg4 -bf 2", "-c:a alac"),
    ("mpeg2-eac3.mp4", "", "-c:v mpeg2video -bf 2", "-c:a eac3"),
    ("mjpeg-pcm24.mov", "", "-c:v mjpeg", "-c:a pcm_s24le"),
    ("prores-pcmf.mov", "", "-c:v prores_ks", "-c:a pcm_f32le"),
    ("h263.3gp", "", "-s 128x96 -c:v h263", ""),
    ("aac.m4a", "", "", "-c:a aac"),
    ("h264-aac.mkv", "", H264, "-c:a aac"),
    ("hevc-mp3.mkv", "", "-c:v libx265 -preset ultrafast -x265-params log-level=error", MP3),
    ("vp8-vorbis.webm", "", "-c:v libvpx -deadline realtime -cpu-used 8", "-c:a libvorbis"),
    ("vp9-opus.webm", "", VP9, "-c:a libopus"),
    ("av1-opus.webm", "", "-c:v libaom-av1 -cpu-used 8", "-c:a libopus"),
    ("mpeg2-ac3.mkv", "", "-c:v mpeg2video -bf 2", "-c:a ac3"),
    ("mpeg4-flac.mkv", "", "-c:v mpeg4 -bf 2", "-c:a flac"),
    ("mjpeg-pcm.mkv", "", "-c:v mjpeg", PCM16),
    ("wmv2-wma.mkv", "", "-c:v wmv2", "-c:a wmav2"),
    ("mpeg4-mp3.avi", "", "-c:v mpeg4 -bf 2", MP3),
    ("h264-ac3.avi", "", "-c:v libx264 -preset veryfast -bf 0", "-c:a ac3"),
    ("mjpeg-pcm.avi", "", "-c:v mjpeg", PCM16),
    ("msmpeg4-mp2.avi", "", "-c:v msmpeg4v2", "-c:a mp2"),
    ("wmv2-wma.wmv", "", "-c:v wmv2", "-c:a wmav2"),
    ("msmpeg4-mp3.asf", "", "-c:v msmpeg4", MP3),
    ("wma.wma", "", "", "-c:a wmav1"),
    ("h264-aac.ts", "", H264, "-c:a aac"),
    ("hevc-mp3.ts", "", "-c:v libx265 -preset ultrafast -x265-params log-level=error", MP3),
    ("mpeg2-mp2.ts", "", "-c:v mpeg2video -bf 2", "-c:a mp2"),
    ("h264-ac3.m2ts", "-mpegts_m2ts_mode 1", H264, "-c:a ac3"),
    ("mpeg2-mp2.mpg", "-f mpeg", "-r 25 -c:v mpeg2video -bf 2", "-c:a mp2"),
    ("mpeg2-ac3.vob", "-f vob", "-r 25 -c:v mpeg2video -bf 2", "-c:a ac3"),
    ("mpeg1-mp2.mpg", "-f mpeg", "-r 25 -c:v mpeg1video", "-c:a mp2"),
];

const H264: &str = "-c:v libx264 -preset veryfast -g 6";
const VP9: &str = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8";
const MP3: &str = "-c:a libmp3lame";
const PCM16: &str = "-c:a pcm_s16le";

/// A folder for this test binary, emptied by its name only when made anew.
pub fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("fernseed-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// True if ffmpeg is here; says so if not.
pub fn have_ffmpeg() -> bool {
    let found = Command::new("ffmpeg").arg("-version").output().is_ok();
    if !found {
        println!("skipped: ffmpeg is not here");
    }
    found
}

/// Runs ffmpeg; true if it made something.
pub fn ffmpeg(arguments: &str, output: &Path) -> bool {
    let done = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"])
        .args(arguments.split_whitespace())
        .arg(output)
        .output()
        .unwrap();
    let made = done.status.success() && output.metadata().is_ok_and(|m| m.len() > 0);
    if !made {
        println!("not made: {} {}", output.display(), String::from_utf8_lossy(&done.stderr));
    }
    made
}

/// Makes one clip; `None` if this ffmpeg cannot.
pub fn clip(folder: &Path, which: &(&str, &str, &str, &str)) -> Option<PathBuf> {
    let (name, container, video, sound) = which;
    let path = folder.join(name);
    let mut line = String::new();
    if !video.is_empty() {
        line.push_str("-f lavfi -i testsrc2=s=128x96:r=25:d=1.2 ");
    }
    if !sound.is_empty() {
        line.push_str("-f lavfi -i sine=440:r=48000:d=1.2 ");
    }
    line.push_str(&format!(
        "-threads 1 -metadata title=fsCANARY-title -metadata:s:v handler_name=fsCANARY-name \
         {video} {sound} {container}"
    ));
    ffmpeg(&line, &path).then_some(path)
}

/// What ffmpeg decodes of a track: time in seconds and MD5 of every frame.
pub fn decoded(path: &Path, kind: char) -> Vec<(f64, String)> {
    let done = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-i"])
        .arg(path)
        .args(["-map", &format!("0:{kind}:0"), "-fps_mode", "passthrough"])
        .args(["-enc_time_base", "-1", "-f", "framemd5", "-"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let mut tick = 1.0;
    let mut list = Vec::new();
    for line in text.lines() {
        if let Some(ratio) = line.strip_prefix("#tb 0: ") {
            let (a, b) = ratio.trim().split_once('/').unwrap();
            tick = a.parse::<f64>().unwrap() / b.parse::<f64>().unwrap();
        }
        if line.starts_with('#') {
            continue;
        }
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        list.push((fields[2].parse::<f64>().unwrap() * tick, fields[5].to_owned()));
    }
    list
}

/// MD5 of all that ffmpeg decodes of the sound, whatever its blocks.
pub fn sound_md5(path: &Path) -> String {
    let done = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-i"])
        .arg(path)
        .args(["-map", "0:a:0", "-f", "md5", "-"])
        .output()
        .unwrap();
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// When each track begins, in seconds, by kind.
pub fn starts(path: &Path) -> Vec<(String, f64)> {
    let done = Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "stream=codec_type,start_time", "-of", "csv=p=0"])
        .arg(path)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let mut list: Vec<(String, f64)> = text
        .lines()
        .filter_map(|l| {
            let mut fields = l.split(',');
            Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
        })
        .filter(|(kind, _)| kind == "video" || kind == "audio")
        .collect();
    list.sort_by(|a, b| b.0.cmp(&a.0));
    list.dedup_by(|a, b| a.0 == b.0);
    list
}
