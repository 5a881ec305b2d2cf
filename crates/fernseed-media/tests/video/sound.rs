//! Sound that is kept: in step with the picture, whole at both ends.

use super::support::{Bench, assert_clean, assert_times, probe, times};
use fernseed_media::video::Container;
use std::path::Path;

/// Decoded sound of a file at 48 kHz, first channel, as ffmpeg plays it:
/// starting at time zero, with silence where the file has none.
fn samples(path: &Path) -> Vec<f32> {
    let output = std::process::Command::new("ffmpeg")
        // Without -copyts ffmpeg moves everything so that the priming of
        // Opus, which lies before time zero, begins at zero.
        .args(["-v", "error", "-nostdin", "-copyts", "-i"])
        .arg(path)
        .args(["-af", "aresample=48000:async=1:first_pts=0", "-ac", "1", "-f", "f32le", "-"])
        .output()
        .unwrap();
    output.stdout.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

/// Places where silence turns to sound, in samples.
fn onsets(samples: &[f32]) -> Vec<usize> {
    let mut list = Vec::new();
    let mut quiet = 4800;
    for (i, s) in samples.iter().enumerate() {
        if s.abs() > 0.05 {
            if quiet >= 2400 {
                list.push(i);
            }
            quiet = 0;
        } else {
            quiet += 1;
        }
    }
    list
}

/// Beeps of 100 ms, one each 700 ms.
const BEEPS: &str =
    "-f lavfi -i aevalsrc=0.5*sin(2*PI*1000*t)*lt(mod(t\\,0.7)\\,0.1)*gt(t\\,0.3):d=3:s=44100";

fn check(bench: &Bench, input: &Path, container: Container, within: usize) {
    let run = bench.transcode(input, container, true);
    assert_clean(&run.output);
    assert_times(
        &times(input),
        &times(&run.output),
        if container == Container::Mp4 { 1.1e-6 } else { 1e-3 },
    );
    let (before, after) = (samples(input), samples(&run.output));
    let (a, b) = (onsets(&before), onsets(&after));
    assert!(a.len() >= 3, "{a:?}");
    assert_eq!(a.len(), b.len(), "{a:?} {b:?}");
    for (x, y) in a.iter().zip(&b) {
        assert!(x.abs_diff(*y) <= within, "{a:?} {b:?}");
    }
    // Both end together: within one AAC packet, which ffmpeg plays whole.
    assert!(before.len().abs_diff(after.len()) <= 1200, "{} {}", before.len(), after.len());
    let rates = probe(&run.output, "-select_streams a:0 -show_entries stream=sample_rate");
    assert_eq!(rates, ["48000"]);
}

#[test]
fn aac_and_opus_stay_in_step() {
    let Some(bench) = Bench::new() else { return };
    let input = bench.make(
        "in.mp4",
        &format!(
            "-f lavfi -i testsrc2=s=320x240:r=25:d=3 {BEEPS} -c:v libx264 -bf 2 -c:a aac -ac 2"
        ),
    );
    check(&bench, &input, Container::Mp4, 240);
    check(&bench, &input, Container::WebM, 240);
}

#[test]
fn sound_that_starts_late_stays_late() {
    let Some(bench) = Bench::new() else { return };
    let input = bench.make(
        "in.mkv",
        &format!(
            "-f lavfi -i testsrc2=s=320x240:r=25:d=4 -itsoffset 0.5 {BEEPS} \
             -c:v libx264 -c:a libopus -ac 1"
        ),
    );
    check(&bench, &input, Container::Mp4, 240);
    check(&bench, &input, Container::WebM, 240);
}

#[test]
fn sound_is_absent_unless_asked_for() {
    let Some(bench) = Bench::new() else { return };
    let input = bench.make(
        "in.mp4",
        &format!("-f lavfi -i testsrc2=s=320x240:r=25:d=3 {BEEPS} -c:v libx264 -c:a aac"),
    );
    let run = bench.transcode(&input, Container::Mp4, false);
    assert_eq!(run.info.audio, None);
    assert!(run.info.dropped_streams.iter().any(|s| s.contains("sound")));
    assert_eq!(probe(&run.output, "-show_entries stream=codec_type"), ["video"]);
}
