//! Making clips, running them through the crate, asking ffprobe.

use fernseed_core::policy::Policy;
use fernseed_core::render::{Mask, Renderer};
use fernseed_core::sound::{KeepVoices, SoundStage};
use fernseed_core::{Rect, Size};
use fernseed_media::video::{
    Container, OpenOptions, ReadReport, SinkOptions, Unit, VideoInfo, VideoReader, VideoWriter,
    WrittenSummary,
};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Decoders' messages are counted for the whole process, which in the product
/// reads one file; tests that read damaged files run alone, so that others
/// are not told of their damage.
static MESSAGES: RwLock<()> = RwLock::new(());

/// Who a test may run beside.
#[expect(dead_code, reason = "held, not read")]
enum Company {
    Others(RwLockReadGuard<'static, ()>),
    Nobody(RwLockWriteGuard<'static, ()>),
}

/// A folder for one test.
pub(crate) struct Bench(tempfile::TempDir, #[expect(dead_code, reason = "held, not read")] Company);

/// What came of one run.
pub(crate) struct Run {
    pub(crate) info: VideoInfo,
    pub(crate) report: ReadReport,
    pub(crate) summary: WrittenSummary,
    pub(crate) output: PathBuf,
}

impl Bench {
    /// For a test of sound files. `None`, with a message, if the tools are
    /// missing.
    pub(crate) fn new() -> Option<Self> {
        Self::beside(|| Company::Others(MESSAGES.read().unwrap_or_else(PoisonError::into_inner)))
    }

    /// For a test that reads damaged files; otherwise as [`Self::new`].
    pub(crate) fn of_damage() -> Option<Self> {
        Self::beside(|| Company::Nobody(MESSAGES.write().unwrap_or_else(PoisonError::into_inner)))
    }

    fn beside(company: impl FnOnce() -> Company) -> Option<Self> {
        let found = ["ffmpeg", "ffprobe"]
            .iter()
            .all(|t| Command::new(t).arg("-version").output().is_ok_and(|o| o.status.success()));
        if !found {
            println!("skipped: ffmpeg and ffprobe are not installed");
            return None;
        }
        Some(Self(tempfile::tempdir().unwrap(), company()))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs ffmpeg; `{in}` in an argument becomes the folder.
    pub(crate) fn make(&self, name: &str, arguments: &str) -> PathBuf {
        let path = self.path(name);
        let folder = self.0.path().to_str().unwrap();
        let output = Command::new("ffmpeg")
            .args(["-v", "error", "-y", "-nostdin"])
            .args(arguments.split_whitespace().map(|a| a.replace("{in}", folder)))
            .arg(&path)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        path
    }

    /// Reads a file, covers one moving box and writes it.
    pub(crate) fn transcode(&self, input: &Path, container: Container, sound: bool) -> Run {
        let open = OpenOptions { want_audio: sound, ..OpenOptions::default() };
        let mut reader = VideoReader::open(File::open(input).unwrap(), &open).unwrap();
        let info = reader.info().clone();
        let name = if container == Container::Mp4 { "out.mp4" } else { "out.webm" };
        let output = self.path(name);
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&output);
        let options = SinkOptions::new(container, &info);
        let mut writer = VideoWriter::create(file.unwrap(), options).unwrap();
        let mut renderer = Renderer::new(&Policy::default());
        let mut count = 0;
        while let Some(unit) = reader.next().unwrap() {
            match unit {
                Unit::Frame(frame) => {
                    assert_eq!(frame.picture.size(), info.size);
                    let x = (count % 20) as f32;
                    let mask = Mask { track: 1, rect: Rect::new(x, 4.0, x + 24.0, 40.0) };
                    let redacted = renderer.render(reader.own(frame.picture), &[mask]);
                    let back = writer.write_frame(redacted, frame.pts, frame.duration).unwrap();
                    if let Some(picture) = back {
                        reader.recycle(picture);
                    }
                    count += 1;
                }
                Unit::Skipped(_) => panic!("nothing was to be left out"),
                Unit::Sound(block) => writer.write_sound(&KeepVoices.process(block)).unwrap(),
            }
        }
        let summary = writer.finish().unwrap();
        assert_eq!(summary.frames, count);
        assert_eq!(summary.bytes, std::fs::metadata(&output).unwrap().len());
        Run { info, report: reader.report(), summary, output }
    }
}

/// Runs ffprobe and gives the values it prints, one a line.
pub(crate) fn probe(path: &Path, arguments: &str) -> Vec<String> {
    let output = Command::new("ffprobe")
        .args(["-v", "error"])
        .args(arguments.split_whitespace())
        .args(["-of", "default=nk=1:nw=1"])
        .arg(path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Presentation times of all frames that ffprobe shows, in seconds.
pub(crate) fn times(path: &Path) -> Vec<f64> {
    probe(path, "-select_streams v:0 -show_entries frame=best_effort_timestamp_time")
        .iter()
        .filter_map(|l| l.parse().ok())
        .collect()
}

/// One entry of the first video stream.
pub(crate) fn stream(path: &Path, entry: &str) -> String {
    let entries = format!("-select_streams v:0 -show_entries stream={entry}");
    probe(path, &entries).first().cloned().unwrap_or_default()
}

/// Upright size that ffprobe tells, orientation ignored.
pub(crate) fn size(path: &Path) -> Size {
    Size::new(stream(path, "width").parse().unwrap(), stream(path, "height").parse().unwrap())
}

/// What must hold for every output, whatever the input was.
pub(crate) fn assert_clean(path: &Path) {
    let output = Command::new("ffmpeg")
        .args(["-v", "warning", "-nostdin", "-i"])
        .arg(path)
        .args(["-f", "null", "-"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}");
    let data = std::fs::read(path).unwrap();
    for word in ["x264", "Lavc", "Lavf", "libvpx", "encoder", "ENCODER", "SoundHandler"] {
        let found = data.windows(word.len()).any(|w| w == word.as_bytes());
        assert!(!found, "the output holds {word:?}");
    }
    // No sample is hidden: as many packets as pictures.
    let packets = probe(path, "-select_streams v:0 -show_entries packet=flags");
    assert_eq!(packets.len(), times(path).len());
    assert!(packets.iter().all(|f| !f.contains('D')), "hidden packets");
    let Ok(tags) =
        Command::new("exiftool").args(["-a", "-G1", "-u", "-ee3", "-n"]).arg(path).output()
    else {
        return;
    };
    let tags = String::from_utf8_lossy(&tags.stdout).into_owned();
    for line in tags.lines().filter(|l| l.contains("Date") && !l.starts_with("[System]")) {
        assert!(line.trim_end().ends_with("0000:00:00 00:00:00"), "{line}");
    }
    for word in ["GPS", "Make", "Model", "Author", "Comment", "Title", "Software", "UserData"] {
        let found = tags.lines().find(|l| l.contains(&format!(" {word}")));
        assert!(found.is_none(), "{found:?}");
    }
}

/// Asserts that two timelines agree to `within` seconds a frame.
pub(crate) fn assert_times(left: &[f64], right: &[f64], within: f64) {
    assert_eq!(left.len(), right.len(), "number of frames");
    for (i, (a, b)) in left.iter().zip(right).enumerate() {
        assert!((a - b).abs() <= within, "frame {i}: {a} and {b}");
    }
}

/// True if the ffmpeg command has an encoder.
pub(crate) fn ffmpeg_has(encoder: &str) -> bool {
    let output =
        Command::new("ffmpeg").args(["-v", "error", "-h", &format!("encoder={encoder}")]).output();
    output.is_ok_and(|o| String::from_utf8_lossy(&o.stdout).contains("Encoder "))
}

/// The same bytes, but for 40 from `start` on, 97 apart.
pub(crate) fn flipped(data: &[u8], start: usize) -> Vec<u8> {
    let mut broken = data.to_vec();
    for byte in broken.iter_mut().skip(start).step_by(97).take(40) {
        *byte ^= 0xA5;
    }
    broken
}
