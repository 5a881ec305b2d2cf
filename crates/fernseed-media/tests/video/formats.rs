//! One clip of every kind, through MP4 and where it matters through WebM.

use super::support::{Bench, Run, assert_clean, assert_times, probe, size, stream, times};
use fernseed_core::limits::Limits;
use fernseed_core::{Orientation, Size};
use fernseed_media::video::{
    Container, MediaError, OpenOptions, Unit, VideoReader, output_time_base, timeline,
};
use std::fs::File;

/// Moving picture source of a size, rate and length.
fn source(size: &str, rate: &str, seconds: &str) -> String {
    format!("-f lavfi -i testsrc2=s={size}:r={rate}:d={seconds}")
}

/// Transcodes to MP4 and checks all that must hold; times must be equal.
fn exact(bench: &Bench, input: &std::path::Path) -> Run {
    let run = bench.transcode(input, Container::Mp4, false);
    let (before, after) = (times(input), times(&run.output));
    assert_times(&before, &after, 1.1e-6);
    assert_clean(&run.output);
    assert_eq!(run.summary.frames, before.len() as u64);
    assert_eq!(run.report.damaged, 0);
    let told = timeline(File::open(&run.output).unwrap(), &Limits::default()).unwrap();
    let base = told.time_base;
    let listed: Vec<f64> = told.times.iter().map(|&t| base.seconds(t)).collect();
    assert_times(&listed, &after, 1.1e-6);
    assert_eq!(base.seconds(1), output_time_base(Container::Mp4, run.info.time_base).seconds(1));
    run
}

#[test]
fn h264_with_b_frames() {
    let Some(bench) = Bench::new() else { return };
    let input = bench.make(
        "in.mp4",
        &format!(
            "{} -c:v libx264 -bf 3 -g 30 -metadata title=secret -metadata location=+1.0+2.0/",
            source("320x240", "30000/1001", "3")
        ),
    );
    let run = exact(&bench, &input);
    assert_eq!(run.info.codec, "h264");
    assert_eq!(size(&run.output), Size::new(320, 240));
    // The last frame lasts as long as in the source.
    assert_eq!(stream(&run.output, "duration"), stream(&input, "duration"));
}

#[test]
fn variable_rate_and_a_late_start() {
    let Some(bench) = Bench::new() else { return };
    let input = bench.make(
        "in.mp4",
        &format!(
            "{} -vf select='not(mod(n\\,3))+not(mod(n\\,7))',setpts=PTS+1.237/TB -vsync vfr \
             -video_track_timescale 90000 -c:v libx264 -bf 2",
            source("320x240", "60", "3")
        ),
    );
    let run = exact(&bench, &input);
    assert!(run.summary.first_pts > 0);
    let webm = bench.transcode(&input, Container::WebM, false);
    assert_times(&times(&input), &times(&webm.output), 1e-3);
    assert_clean(&webm.output);
}

#[test]
fn every_orientation_is_turned_upright() {
    let Some(bench) = Bench::new() else { return };
    let plain = bench.make(
        "plain.mp4",
        "-f lavfi -i color=red:s=160x96:r=10:d=1 -f lavfi -i color=blue:s=160x48:r=10:d=1 \
         -filter_complex overlay=0:48 -c:v libx264",
    );
    let turns = [
        ("90", Orientation::Rotate270),
        ("180", Orientation::Rotate180),
        ("270", Orientation::Rotate90),
    ];
    for (angle, orientation) in turns {
        let arguments = format!("-i {} -c copy -metadata:s:v:0 rotate={angle}", plain.display());
        let input = bench.make("in.mp4", &arguments);
        let run = exact(&bench, &input);
        // FFmpeg's tag counts clockwise, as the matrix it writes shows.
        let found = run.info.orientation;
        let turned = [orientation, Orientation::Rotate90, Orientation::Rotate270];
        assert!(turned.contains(&found), "{angle}: {found:?}");
        assert_eq!(size(&run.output), found.apply_to_size(Size::new(160, 96)));
        // ffmpeg turns its input upright on its own: both must look alike.
        let reference = bench.make("reference.mp4", &format!("-i {} -crf 5", input.display()));
        assert_similar(&reference, &run.output);
    }
}

/// Asserts that ffmpeg finds the pictures of two files alike.
fn assert_similar(left: &std::path::Path, right: &std::path::Path) {
    let output = std::process::Command::new("ffmpeg")
        .args(["-nostdin", "-i"])
        .arg(left)
        .arg("-i")
        .arg(right)
        // The mask lies in the top left corner; look at the other half.
        .args(["-lavfi", "[0]crop=iw/2:ih/2:iw/2:ih/2,settb=1/25,setpts=N[a];[1]crop=iw/2:ih/2:iw/2:ih/2,settb=1/25,setpts=N[b];[a][b]psnr"])
        .args(["-f", "null", "-"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let value = text.split("average:").nth(1).and_then(|t| t.split(' ').next()).unwrap_or("");
    let psnr = if value == "inf" { 99.0 } else { value.parse().unwrap_or(0.0) };
    assert!(psnr > 32.0, "PSNR {value}: {text}");
}

#[test]
fn codecs_and_containers() {
    let Some(bench) = Bench::new() else { return };
    let clips = [
        ("in.3gp", "176x144", "15", "-c:v mpeg4 -bf 0"),
        ("in.mp4", "320x240", "25", "-c:v libx265 -x265-params log-level=none -tag:v hvc1"),
        (
            "ten.mp4",
            "320x240",
            "25",
            "-c:v libx265 -x265-params log-level=none -pix_fmt yuv420p10le",
        ),
        ("in.webm", "320x240", "30", "-c:v libvpx -b:v 500k -deadline realtime"),
        ("nine.webm", "320x240", "30", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8"),
        ("in.mkv", "320x240", "30", "-c:v libsvtav1 -preset 12"),
        ("in.ts", "320x240", "25", "-c:v mpeg2video -bf 2 -q:v 4"),
        ("in.mpg", "320x240", "25", "-c:v mpeg2video -bf 2 -q:v 4"),
        ("h264.ts", "320x240", "30", "-c:v libx264 -bf 3"),
        // The 33-bit clock of a transport stream runs over after 0.7 s.
        ("wrap.ts", "320x240", "25", "-c:v libx264 -bf 2 -output_ts_offset 95443"),
        // A file that fits libavformat's buffer whole.
        ("small.ts", "64x48", "25", "-c:v libx264 -bf 2 -crf 40"),
        ("mjpeg.avi", "320x240", "15", "-c:v mjpeg -pix_fmt yuvj422p"),
        ("mpeg4.avi", "320x240", "25", "-c:v mpeg4 -vtag XVID"),
        ("in.mov", "320x240", "25", "-c:v prores -profile:v 2"),
        ("rgb.mkv", "320x240", "25", "-c:v libx264 -pix_fmt yuv444p"),
        ("ms.avi", "320x240", "25", "-c:v msmpeg4"),
    ];
    for (name, pixels, rate, arguments) in clips {
        let input = bench.make(name, &format!("{} {arguments}", source(pixels, rate, "1.5")));
        let run = exact(&bench, &input);
        let expected = times(&input).len();
        assert_eq!(run.summary.frames, expected as u64, "{name}");
        assert!(expected >= 20, "{name}");
        let reference = bench
            .make("reference.mp4", &format!("-i {} -crf 5 -vsync passthrough", input.display()));
        assert_similar(&reference, &run.output);
    }
}

#[test]
fn webm_keeps_millisecond_clocks_exactly() {
    let Some(bench) = Bench::new() else { return };
    let input = bench.make(
        "in.mkv",
        &format!(
            "{} -c:v libx264 -bf 2",
            source("161x99", "25", "9").replace("testsrc2", "testsrc")
        ),
    );
    let run = bench.transcode(&input, Container::WebM, false);
    assert_times(&times(&input), &times(&run.output), 1e-9);
    assert_clean(&run.output);
    assert_eq!(size(&run.output), run.info.size);
    assert_eq!(stream(&run.output, "codec_name"), "vp9");
}

#[test]
fn odd_sizes() {
    let Some(bench) = Bench::new() else { return };
    let input = bench.make(
        "in.webm",
        &format!(
            "{} -vf scale=161:99 -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -pix_fmt yuv420p",
            source("320x200", "25", "1")
        ),
    );
    assert_eq!(size(&input), Size::new(161, 99));
    let run = exact(&bench, &input);
    assert_eq!(run.info.size, Size::new(161, 99));
    assert_eq!(size(&run.output), Size::new(162, 100));
    let webm = bench.transcode(&input, Container::WebM, false);
    assert_eq!(size(&webm.output), Size::new(161, 99));
    assert_similar(&input, &webm.output);
}

#[test]
fn sample_aspect_is_kept_and_turned() {
    let Some(bench) = Bench::new() else { return };
    let input = bench
        .make("in.mp4", &format!("{} -vf setsar=4/3 -c:v libx264", source("320x240", "25", "1")));
    let run = exact(&bench, &input);
    assert_eq!(run.info.sample_aspect, (4, 3));
    assert_eq!(stream(&run.output, "sample_aspect_ratio"), "4:3");
    let webm = bench.transcode(&input, Container::WebM, false);
    assert_eq!(stream(&webm.output, "sample_aspect_ratio"), "4:3");
}

#[test]
fn frames_before_a_cut_stay_hidden() {
    let Some(bench) = Bench::new() else { return };
    let whole = bench
        .make("whole.mp4", &format!("{} -c:v libx264 -g 60 -bf 2", source("320x240", "30", "5")));
    let input = bench.make("in.mp4", &format!("-ss 1.3 -i {} -c copy", whole.display()));
    let packets = probe(&input, "-select_streams v:0 -show_entries packet=flags");
    assert!(packets.iter().any(|f| f.contains('D')), "the clip has hidden packets");
    let run = exact(&bench, &input);
    assert!(run.summary.frames < packets.len() as u64);
}

#[test]
fn equal_input_gives_equal_bytes() {
    let Some(bench) = Bench::new() else { return };
    let input = bench.make(
        "in.mp4",
        &format!(
            "{} -f lavfi -i sine=d=2 -c:v libx264 -bf 3 -c:a aac",
            source("320x240", "30", "2")
        ),
    );
    for container in [Container::Mp4, Container::WebM] {
        let first = std::fs::read(bench.transcode(&input, container, true).output).unwrap();
        let second = std::fs::read(bench.transcode(&input, container, true).output).unwrap();
        assert!(first == second, "{container:?} differs from run to run");
    }
}

#[test]
fn other_streams_are_named_and_left_behind() {
    let Some(bench) = Bench::new() else { return };
    std::fs::write(bench.path("s.srt"), "1\n00:00:00,000 --> 00:00:01,000\nsecret words\n")
        .unwrap();
    let input = bench.make(
        "in.mov",
        &format!(
            "{} -i {{in}}/s.srt -map 0 -map 1 -c:v libx264 -c:s mov_text -timecode 01:02:03:04",
            source("320x240", "25", "1")
        ),
    );
    let run = exact(&bench, &input);
    let dropped = run.info.dropped_streams.join(", ");
    assert!(dropped.contains("subtitles") && dropped.contains("timecode"), "{dropped}");
    assert_eq!(probe(&run.output, "-show_entries stream=codec_type"), ["video"]);
}

#[test]
fn what_is_not_a_video_is_refused_in_words() {
    let Some(bench) = Bench::new() else { return };
    let open = |name: &str, data: &[u8]| {
        let path = bench.path(name);
        std::fs::write(&path, data).unwrap();
        VideoReader::open(File::open(path).unwrap(), &OpenOptions::default()).unwrap_err()
    };
    assert!(matches!(open("a", b""), MediaError::NotMedia { .. }));
    assert!(matches!(open("b", &[7; 5000]), MediaError::NotMedia { .. }));
    let playlist = b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hosts\n#EXT-X-ENDLIST\n";
    assert!(matches!(open("c.m3u8", playlist), MediaError::NotMedia { .. }));
    let sound = bench.make("s.m4a", "-f lavfi -i sine=d=1 -c:a aac");
    let error = VideoReader::open(File::open(sound).unwrap(), &OpenOptions::default()).unwrap_err();
    assert!(matches!(error, MediaError::NoVideo), "{error}");
    let large = bench.make("l.mp4", &format!("{} -c:v libx264", source("640x480", "25", "0.2")));
    let limits = Limits { max_pixels: 1000, ..Limits::default() };
    let options = OpenOptions { limits, ..OpenOptions::default() };
    let error = VideoReader::open(File::open(large).unwrap(), &options).unwrap_err();
    assert!(matches!(error, MediaError::TooLarge { .. } | MediaError::NotMedia { .. }), "{error}");
    let theora = bench.make("t.mkv", &format!("{} -c:v ffv1", source("320x240", "25", "0.2")));
    let error =
        VideoReader::open(File::open(theora).unwrap(), &OpenOptions::default()).unwrap_err();
    assert!(matches!(error, MediaError::Unsupported { .. }), "{error}");
    let locked = bench.make(
        "e.mp4",
        &format!(
            "{} -c:v libx264 -encryption_scheme cenc-aes-ctr \
             -encryption_key 76a6c65c5ea762046bd749a2e632ccbb \
             -encryption_kid a7e61c373e219033c21091fa607bf3b8",
            source("320x240", "25", "0.5")
        ),
    );
    let error =
        VideoReader::open(File::open(locked).unwrap(), &OpenOptions::default()).unwrap_err();
    assert!(matches!(error, MediaError::Encrypted), "{error}");
}

#[test]
fn analysis_shows_the_same_frames() {
    let Some(bench) = Bench::new() else { return };
    let input =
        bench.make("in.mp4", &format!("{} -c:v libx264 -bf 3", source("320x240", "30", "2")));
    let pts = |analysis| {
        let options = OpenOptions { analysis, ..OpenOptions::default() };
        let mut reader = VideoReader::open(File::open(&input).unwrap(), &options).unwrap();
        let mut list = Vec::new();
        while let Some(unit) = reader.next().unwrap() {
            if let Unit::Frame(frame) = unit {
                list.push(frame.pts);
            }
        }
        list
    };
    assert_eq!(pts(false), pts(true));
}
