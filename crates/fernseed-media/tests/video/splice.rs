//! Carrying groups of pictures over, judged by ffmpeg and by comparison.
#![allow(clippy::single_range_in_vec_init, reason = "lists of ranges, some of them short")]

mod fallback;
mod renewal;
mod sequel;

use super::support::{Bench, assert_clean, assert_times, probe, times};
use fernseed_core::Rect;
use fernseed_core::limits::Limits;
use fernseed_core::policy::Policy;
use fernseed_core::render::{Mask, Renderer};
use fernseed_core::sound::{KeepVoices, SoundStage};
use fernseed_media::video::splice::{
    Splice, SpliceError, SpliceReader, SpliceUnit, Survey, verify,
};
use fernseed_media::video::{
    Container, OpenOptions, SinkOptions, Unit, VideoReader, VideoWriter, WrittenSummary,
};
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What came of one splice.
struct Spliced {
    splice: Splice,
    summary: WrittenSummary,
    output: PathBuf,
}

/// Looks at the whole file, then splices it with a mask in all `hidden`
/// frames.
fn splice(
    bench: &Bench,
    input: &Path,
    hidden: &[Range<usize>],
    sound: bool,
) -> Result<Spliced, SpliceError> {
    let open = OpenOptions { analysis: true, ..OpenOptions::default() };
    let file = || File::open(input).unwrap();
    let survey = Survey::take(file(), &Limits::default())?;
    let mut reader = VideoReader::open(file(), &open).unwrap();
    while let Some(unit) = reader.next().unwrap() {
        if let Unit::Frame(frame) = unit {
            reader.recycle(frame.picture);
        }
    }
    let is_hidden = |frame: usize| hidden.iter().any(|r| r.contains(&frame));
    let splice = survey.choose(reader.info(), &reader.report(), &mut |f| is_hidden(f))?;
    let open = OpenOptions { want_audio: sound, ..OpenOptions::default() };
    let info = VideoReader::open(file(), &open).unwrap().info().clone();
    let mut reader = SpliceReader::open(file(), splice.clone(), &open)?;
    let output = bench.path("spliced.mp4");
    let out = File::options().read(true).write(true).create(true).truncate(true).open(&output);
    let options = SinkOptions::new(Container::Mp4, &info);
    let mut writer = VideoWriter::create_spliced(out.unwrap(), options, &splice)?;
    let mut renderer = Renderer::new(&Policy::default());
    let (mut frames, mut carried) = (0, 0);
    while let Some(unit) = reader.next()? {
        match unit {
            SpliceUnit::Frame(number, frame) => {
                assert!(!splice.is_carried(number as usize));
                let mask = Mask { track: 1, rect: Rect::new(20.0, 20.0, 90.0, 80.0) };
                let masks = if is_hidden(number as usize) { &[mask][..] } else { &[] };
                let redacted = renderer.render(reader.own(frame.picture), masks);
                if let Some(picture) = writer.write_frame(redacted, frame.pts, frame.duration)? {
                    reader.recycle(picture);
                }
                frames += 1;
            }
            SpliceUnit::Carried(picture) => {
                writer.write_carried(&picture)?;
                carried += 1;
            }
            SpliceUnit::Sound(block) => writer.write_sound(&KeepVoices.process(block))?,
        }
    }
    let summary = writer.finish()?;
    assert_eq!(carried, splice.carried_frames());
    assert_eq!(frames + carried, splice.frames());
    assert_eq!(summary.frames as usize, splice.frames());
    Ok(Spliced { splice, summary, output })
}

/// `(time, hash)` of every frame as ffmpeg decodes them.
fn frame_hashes(path: &Path) -> Vec<(i64, String)> {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(path)
        .args(["-map", "0:v:0", "-fps_mode", "passthrough", "-enc_time_base", "-1"])
        .args(["-f", "framemd5", "-"])
        .output()
        .unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter(|l| !l.starts_with('#'))
        .map(|l| {
            let fields: Vec<&str> = l.split(',').map(str::trim).collect();
            (fields[2].parse().unwrap(), fields[5].to_owned())
        })
        .collect()
}

/// What must hold for every splice.
fn assert_spliced(input: &Path, result: &Spliced, hidden: &[Range<usize>]) {
    let splice = &result.splice;
    let (before, after) = (frame_hashes(input), frame_hashes(&result.output));
    assert_eq!(before.len(), after.len());
    for (i, (a, b)) in before.iter().zip(&after).enumerate() {
        if splice.is_carried(i) {
            assert_eq!(a.1, b.1, "carried frame {i} of {}", input.display());
        } else if hidden.iter().any(|r| r.contains(&i)) {
            assert_ne!(a.1, b.1, "hidden frame {i} of {}", input.display());
        }
    }
    let file = |p: &Path| File::open(p).unwrap();
    let options = OpenOptions::default();
    let verified = verify(file(input), file(&result.output), splice, &options).unwrap();
    assert!(verified.holds(), "{verified:?}");
    assert_eq!(verified.equal as usize, splice.carried_frames());
    assert_eq!(result.summary.bytes, std::fs::metadata(&result.output).unwrap().len());
}

const SOURCE: &str = "-f lavfi -i testsrc2=s=320x240:r=25:d=4";
const CLOSED: &str = "-c:v libx264 -preset veryfast -g 10 -keyint_min 10 -sc_threshold 0 -bf 3";

#[test]
fn one_group_in_ten_is_encoded_anew() {
    let Some(bench) = Bench::new() else { return };
    let input = bench.make(
        "in.mp4",
        &format!("{SOURCE} -f lavfi -i sine=d=4:r=48000 {CLOSED} -c:a aac -shortest"),
    );
    let hidden = [43..47];
    let result = splice(&bench, &input, &hidden, true).unwrap();
    assert_eq!(result.splice.groups(), (9, 10));
    assert_eq!(result.splice.carried_frames(), 90);
    assert_spliced(&input, &result, &hidden);
    assert_clean(&result.output);
    let kinds = probe(&result.output, "-show_entries stream=codec_name");
    assert_eq!(kinds, ["h264", "aac"]);
    // Key frames are where they were.
    let keys = |p: &Path| {
        probe(p, "-select_streams v:0 -show_entries packet=flags")
            .iter()
            .map(|f| f.starts_with('K'))
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(&input), keys(&result.output));
}

#[test]
fn every_kind_of_closed_group_is_carried() {
    let Some(bench) = Bench::new() else { return };
    let even = "-vf format=yuv420p";
    let cases: [(&str, String, &[Range<usize>]); 8] = [
        ("ends.mp4", CLOSED.into(), &[0..3, 99..100]),
        ("many.mkv", CLOSED.into(), &[12..13, 25..26, 57..58, 71..72]),
        ("base.mov", format!("{even} -c:v libx264 -profile:v baseline -g 10"), &[45..50]),
        ("main.mp4", format!("{CLOSED} -profile:v main -coder ac"), &[70..80]),
        ("pyramid.mp4", "-c:v libx264 -preset medium -g 20 -bf 8".into(), &[50..60]),
        ("aspect.mp4", format!("-vf setsar=4/3 {CLOSED}"), &[5..6]),
        (
            "full.mp4",
            format!(
                "{even},scale=out_range=full -color_range pc -colorspace bt709 -color_primaries bt709 -color_trc bt709 {CLOSED}"
            ),
            &[40..50],
        ),
        ("slices.mp4", format!("{CLOSED} -x264-params slices=4"), &[60..61]),
    ];
    for (name, arguments, hidden) in cases {
        let input = bench.make(name, &format!("{SOURCE} {arguments}"));
        let result = splice(&bench, &input, hidden, false);
        let result = result.unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(result.splice.carried_frames() > 0, "{name}");
        assert_spliced(&input, &result, hidden);
    }
}

#[test]
fn uneven_times_stay_exact() {
    let Some(bench) = Bench::new() else { return };
    let uneven = "-vf setpts=(N+0.4*mod(N\\,3))/25/TB -fps_mode vfr -video_track_timescale 90000";
    let input = bench.make("vfr.mp4", &format!("{SOURCE} {uneven} {CLOSED}"));
    let hidden = [12..16, 80..81];
    let result = splice(&bench, &input, &hidden, false).unwrap();
    assert_eq!(result.splice.groups(), (8, 10));
    assert_times(&times(&input), &times(&result.output), 1e-6);
    assert_spliced(&input, &result, &hidden);
}

#[test]
fn repeated_parameter_sets_and_delimiters_stay_behind() {
    let Some(bench) = Bench::new() else { return };
    bench.make("in.ts", &format!("{SOURCE} {CLOSED} -x264-params aud=1:repeat-headers=1"));
    let input = bench.make("in.mkv", "-i {in}/in.ts -c copy");
    let hidden = [33..34];
    let result = splice(&bench, &input, &hidden, false).unwrap();
    assert_spliced(&input, &result, &hidden);
}

#[test]
fn equal_calls_give_equal_bytes() {
    let Some(bench) = Bench::new() else { return };
    let input = bench.make("in.mp4", &format!("{SOURCE} {CLOSED}"));
    let bytes = || {
        let result = splice(&bench, &input, &[14..20, 70..71], false).unwrap();
        std::fs::read(result.output).unwrap()
    };
    assert!(bytes() == bytes());
}

#[test]
fn only_a_spliced_file_takes_carried_pictures() {
    let Some(bench) = Bench::new() else { return };
    let input = bench.make("in.mp4", &format!("{SOURCE} {CLOSED}"));
    let survey = Survey::take(File::open(&input).unwrap(), &Limits::default()).unwrap();
    let mut reader =
        VideoReader::open(File::open(&input).unwrap(), &OpenOptions::default()).unwrap();
    while reader.next().unwrap().is_some() {}
    let splice = survey.choose(reader.info(), &reader.report(), &mut |_| false).unwrap();
    assert_eq!(splice.groups(), (10, 10));
    let options = OpenOptions::default();
    let mut units = SpliceReader::open(File::open(&input).unwrap(), splice, &options).unwrap();
    let Some(SpliceUnit::Carried(picture)) = units.next().unwrap() else { panic!("carried") };
    let out = File::create_new(bench.path("out.mp4")).unwrap();
    let mut writer =
        VideoWriter::create(out, SinkOptions::new(Container::Mp4, reader.info())).unwrap();
    assert!(writer.write_carried(&picture).is_err());
}
