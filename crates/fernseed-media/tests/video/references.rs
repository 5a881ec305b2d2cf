//! Passes that decode only what others are predicted from.

use super::support::{Bench, ffmpeg_has};
use fernseed_media::video::{OpenOptions, Pace, ReadReport, Unit, VideoReader};
use std::fs::File;
use std::path::Path;

/// `(time, duration, sum of the luma if decoded)` of every frame.
fn read(
    path: &Path,
    references_only: bool,
    and_every: Option<Pace>,
    threads: usize,
) -> (Vec<(i64, i64, Option<u64>)>, ReadReport) {
    let options = OpenOptions { references_only, and_every, threads, ..OpenOptions::default() };
    let mut reader = VideoReader::open(File::open(path).unwrap(), &options).unwrap();
    let mut list = Vec::new();
    while let Some(unit) = reader.next().unwrap() {
        match unit {
            Unit::Frame(f) => {
                let luma = f.picture.planes()[0].data.iter().map(|&v| u64::from(v)).sum();
                list.push((f.pts, f.duration, Some(luma)));
            }
            Unit::Skipped(s) => list.push((s.pts, s.duration, None)),
            Unit::Sound(_) => panic!("no sound was asked for"),
        }
    }
    (list, reader.report())
}

/// Asserts that nothing but the decoding of some frames differs; returns
/// how many were left out.
fn compare(path: &Path) -> u64 {
    compare_with(path, None)
}

/// The same with some frames decoded in any case.
fn compare_with(path: &Path, every: Option<Pace>) -> u64 {
    let (full, report) = read(path, false, None, 1);
    assert_eq!(report.skipped_frames, 0);
    let mut left_out = 0;
    for threads in [1, 3] {
        let (some, report) = read(path, true, every, threads);
        assert_eq!(some.len(), full.len(), "{}", path.display());
        for (i, (a, b)) in full.iter().zip(&some).enumerate() {
            assert_eq!((a.0, a.1), (b.0, b.1), "frame {i} of {}", path.display());
            assert!(b.2.is_none() || a.2 == b.2, "frame {i} of {} differs", path.display());
        }
        left_out = report.skipped_frames;
        assert_eq!(report.frames + left_out, full.len() as u64);
        assert_eq!(some.iter().filter(|f| f.2.is_none()).count() as u64, left_out);
        assert_eq!(report.dropped_frames + report.skipped_packets, 0);
    }
    left_out
}

const SOURCE: &str = "-f lavfi -i testsrc2=s=192x144:r=25:d=4";

#[test]
fn times_and_count_stay_exact_and_decoded_frames_are_the_same() {
    let Some(bench) = Bench::new() else { return };
    let cases = [
        ("pyramid.mp4", "libx264", "-bf 3 -g 30", 40),
        ("flat.mkv", "libx264", "-bf 2 -x264-params b-pyramid=none", 50),
        ("open.mp4", "libx264", "-bf 3 -x264-params open-gop=1:keyint=20", 40),
        ("many.mp4", "libx264", "-bf 8 -b_strategy 0", 40),
        ("plain.mp4", "libx264", "-bf 0", 0),
        ("field.mp4", "libx264", "-flags +ilme+ildct -x264-params tff=1", 0),
        ("stream.ts", "libx264", "-bf 3", 0),
        ("hevc.mp4", "libx265", "-x265-params bframes=3:log-level=none", 20),
        ("old.mp4", "mpeg4", "-bf 2", 50),
        ("old.avi", "mpeg4", "-bf 2", 0),
        ("vp9.webm", "libvpx-vp9", "-deadline realtime -cpu-used 8", 0),
    ];
    for (name, codec, options, least) in cases {
        if !ffmpeg_has(codec) {
            println!("skipped: {name}, this ffmpeg has no {codec}");
            continue;
        }
        let path = bench.make(name, &format!("{SOURCE} -c:v {codec} {options}"));
        let left_out = compare(&path);
        assert!(left_out >= least, "{name}: {left_out} of 100 left out");
        assert!(least > 0 || left_out == 0, "{name}: {left_out} left out");
    }
}

#[test]
fn uneven_times_and_an_edit_list_stay_exact() {
    let Some(bench) = Bench::new() else { return };
    let uneven = format!("{SOURCE} -vf setpts=(N+0.4*mod(N\\,3))/25/TB -fps_mode vfr");
    let path = bench.make("vfr.mp4", &format!("{uneven} -c:v libx264 -bf 3 -g 25"));
    assert!(compare(&path) > 40);
    let cut = bench.make("cut.mp4", "-ss 1.3 -i {in}/vfr.mp4 -c copy");
    assert!(compare(&cut) > 20);
}

#[test]
fn regular_frames_are_decoded_whatever_depends_on_them() {
    let Some(bench) = Bench::new() else { return };
    // Six times a second, and every third frame at least.
    let pace = Pace { seconds: 1.0 / 6.0, frames: 3 };
    for (name, rate, step) in
        [("30.mp4", "30", 3), ("ntsc.mp4", "30000/1001", 3), ("10.mkv", "10", 2)]
    {
        let source = format!("-f lavfi -i testsrc2=s=192x144:r={rate} -frames:v 60");
        let path = bench.make(name, &format!("{source} -c:v libx264 -bf 3 -g 24"));
        let left_out = compare_with(&path, Some(pace));
        let fewest = compare(&path);
        assert!(0 < left_out && left_out < fewest, "{name}: {left_out} of {fewest}");
        let (some, _) = read(&path, true, Some(pace), 2);
        assert_eq!(some.len(), 60);
        for (i, frame) in some.iter().enumerate().step_by(step) {
            assert!(frame.2.is_some(), "frame {i} of {name}");
        }
    }
}

#[test]
fn a_pace_is_counted_in_frames() {
    let pace = Pace { seconds: 1.0 / 6.0, frames: 5 };
    for (rate, step) in [
        ((24, 1), 4),
        ((24_000, 1001), 4),
        ((25, 1), 5),
        ((30_000, 1001), 5),
        ((60, 1), 5),
        ((3, 1), 1),
    ] {
        assert_eq!(pace.step(Some(rate)), step, "{rate:?}");
    }
    assert_eq!(pace.step(None), 5);
    assert_eq!(Pace { seconds: 0.0, frames: 0 }.step(Some((25, 1))), 1);
}
