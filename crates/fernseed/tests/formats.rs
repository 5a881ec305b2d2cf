//! One file of every input format, redacted, and judged by other programs:
//! FFmpeg and ImageMagick decode it, ffprobe lists its times, ExifTool its
//! metadata. A test's name is the name of the format.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod common;

use common::judge::{self, Rgb};
use common::media::{self, CLIP_FACE, CLIP_FRAMES, CLIP_SIZE, PHOTO_FACE};
use common::{Bench, judge::FILL};
use std::path::Path;

/// How far a covered pixel may be from the fill colour: lossy formats and
/// the way to YCbCr and back move it a little.
const FILL_TOLERANCE: u8 = 24;
/// How far the rest of the picture may be from the source on average.
const PICTURE_TOLERANCE: f64 = 12.0;
/// First row of a photo that no cover reaches.
const PHOTO_BODY: usize = 160;
/// First row of the clip that no cover reaches.
const CLIP_BODY: usize = 122;

/// Redacts a copy of `input` and returns the bench and the output's name.
#[track_caller]
fn redact(input: &Path, name: &str, extension: &str) -> (Bench, String) {
    let bench = Bench::with(input, name);
    media::tag(&bench.path(name), &[]);
    let before = bench.read(name);
    let run = bench.fernseed(&format!("redact {name} --fill magenta")).expect(0);
    assert_eq!(run.err, "", "a clean run has nothing to complain about");
    assert_eq!(bench.read(name), before, "the original has changed");
    let output = format!("{}.redacted.{extension}", name.rsplit_once('.').unwrap().0);
    let names: Vec<_> = bench.names().into_iter().collect();
    let mut expected = vec![name.to_owned(), output.clone()];
    expected.sort();
    assert_eq!(names, expected, "\n{}", run.out);
    judge::assert_clean(&bench.path(&output));
    (bench, output)
}

/// Fails unless the face is covered and the rest of the picture is as it was.
#[track_caller]
fn assert_photo(found: &Rgb, reference: &Rgb) {
    assert_eq!((found.width, found.height), (256, 256), "upright size");
    let off = found.distance_from_fill(PHOTO_FACE);
    let pixel = found.at(PHOTO_FACE);
    assert!(off <= FILL_TOLERANCE, "the face is {pixel:?} instead of {FILL:?}");
    let difference = found.difference_below(reference, PHOTO_BODY);
    assert!(difference < PICTURE_TOLERANCE, "the rest differs by {difference}");
}

/// Makes a photo by a recipe (`{1}` is a PNG), redacts it and judges it.
#[track_caller]
fn photo(name: &str, recipe: &str, extension: &str) {
    let Some(source) = media::photo() else { return };
    let Some(input) = media::make(name, recipe, &[&source]) else { return };
    let (bench, output) = redact(&input, name, extension);
    assert_photo(&judge::still(&bench.path(&output)), &judge::still(&source));
}

#[test]
fn jpeg() {
    photo("photo.jpg", "convert {1} -quality 92 {out}", "jpg");
}

#[test]
fn jpeg_progressive_grey() {
    let Some(source) = media::photo() else { return };
    let recipe = "convert {1} -colorspace Gray -interlace JPEG -quality 90 {out}";
    let Some(input) = media::make("photo.jpg", recipe, &[&source]) else { return };
    let (bench, output) = redact(&input, "photo.jpg", "jpg");
    assert_photo(&judge::still(&bench.path(&output)), &judge::still(&input));
}

/// Every EXIF orientation: the output is upright and the face is covered
/// where it stands upright.
#[test]
fn jpeg_exif_orientations() {
    let Some(source) = media::photo() else { return };
    if !media::have("exiftool") {
        return;
    }
    let reference = judge::still(&source);
    let turns = [
        (3, "-rotate 180"),
        (5, "-transpose"),
        (6, "-rotate -90"),
        (7, "-transverse"),
        (8, "-rotate 90"),
    ];
    for (orientation, turn) in turns {
        let recipe = format!("convert {{1}} {turn} -quality 92 {{out}}");
        let Some(input) = media::make("photo.jpg", &recipe, &[&source]) else { return };
        let bench = Bench::with(&input, "photo.jpg");
        assert!(media::tag(&bench.path("photo.jpg"), &[&format!("-Orientation={orientation}")]));
        bench.fernseed("redact photo.jpg --fill magenta").expect(0);
        let output = bench.path("photo.redacted.jpg");
        println!("orientation {orientation}");
        assert_photo(&judge::still(&output), &reference);
        judge::assert_clean(&output);
    }
}

#[test]
fn png() {
    photo("photo.png", "convert {1} {out}", "png");
}

#[test]
fn png_16_bit_palette_and_grey() {
    photo("deep.png", "convert {1} -depth 16 -define png:bit-depth=16 {out}", "png");
    photo("palette.png", "convert {1} -dither none -colors 200 PNG8:{out}", "png");
}

#[test]
fn webp_lossy() {
    photo("photo.webp", "convert {1} -quality 90 {out}", "webp");
}

#[test]
fn webp_lossless() {
    photo("photo.webp", "convert {1} -define webp:lossless=true {out}", "webp");
}

#[test]
fn gif() {
    photo("photo.gif", "convert {1} {out}", "png");
}

#[test]
fn bmp() {
    photo("photo.bmp", "convert {1} BMP3:{out}", "png");
}

#[test]
fn tiff() {
    photo("photo.tiff", "convert {1} -compress lzw {out}", "png");
}

#[test]
fn ppm() {
    photo("photo.ppm", "convert {1} {out}", "png");
}

#[test]
fn avif() {
    let recipe = "ffmpeg -i {1} -frames:v 1 -c:v libaom-av1 -still-picture 1 -crf 18 -cpu-used 8 \
                  -pix_fmt yuv420p {out}";
    photo("photo.avif", recipe, "jpg");
}

#[test]
fn heic() {
    photo("photo.heic", "heif-enc -q 90 {1} -o {out}", "jpg");
}

#[test]
fn jpeg_xl_lossy() {
    photo("photo.jxl", "cjxl --quiet -d 1 {1} {out}", "jpg");
}

#[test]
fn jpeg_xl_lossless() {
    photo("photo.jxl", "cjxl --quiet -d 0 {1} {out}", "png");
}

/// Redacts an animation of four frames and judges every frame and its time.
#[track_caller]
fn animation(name: &str, recipe: &str) {
    let Some(source) = media::photo() else { return };
    let moving = "convert -dispose none -delay 20 {1} -delay 10 ( {1} -roll +2+0 ) -delay 35 \
                  ( {1} -roll +4+0 ) -delay 20 ( {1} -roll +6+0 ) -loop 0 {out}";
    let Some(gif) = media::make("moving.gif", moving, &[&source]) else { return };
    let Some(input) = media::make(name, recipe, &[&gif]) else { return };
    let (bench, output) = redact(&input, name, "png");
    let output = bench.path(&output);
    let found = judge::frames(&output);
    assert_eq!(found.len(), 4);
    let reference = judge::input_frames(&gif);
    for (i, frame) in found.iter().enumerate() {
        assert_eq!((frame.width, frame.height), (256, 256));
        let off = frame.distance_from_fill((PHOTO_FACE.0 + 2 * i, PHOTO_FACE.1));
        assert!(off <= FILL_TOLERANCE, "the face of frame {i} is off by {off}");
        let difference = frame.difference_below(&reference[i], PHOTO_BODY);
        assert!(difference < PICTURE_TOLERANCE, "frame {i} differs by {difference}");
    }
    judge::assert_times(&[0.0, 0.2, 0.3, 0.65], &judge::times(&output), 1e-3);
}

#[test]
fn gif_animated() {
    animation("moving.gif", "convert {1} {out}");
}

#[test]
fn apng() {
    animation("moving.apng", "ffmpeg -i {1} -fps_mode passthrough -f apng -plays 0 {out}");
}

#[test]
fn webp_animated() {
    animation("moving.webp", "gif2webp -quiet {1} -o {out}");
}

/// Makes a clip by a recipe (`{1}` is the demo clip), redacts it and judges
/// it: every frame decodes, every time is the input's, every face is covered.
#[track_caller]
fn video(name: &str, recipe: &str) {
    let Some(source) = media::clip() else { return };
    let recipe = recipe.replace("TITLE", "-metadata title=CanaryTitle");
    let Some(input) = media::make(name, &recipe, &[&source]) else { return };
    judge_video(&input, name, CLIP_SIZE, 1.1e-6);
}

#[track_caller]
fn judge_video(input: &Path, name: &str, size: (usize, usize), tolerance: f64) {
    let (bench, output) = redact(input, name, "mp4");
    let output = bench.path(&output);
    judge::assert_times(&judge::times(input), &judge::times(&output), tolerance);
    let codec = judge::probe(&output, "-show_entries stream=codec_name");
    assert_eq!(codec, ["h264"], "one stream, H.264");
    let packets = judge::probe(&output, "-select_streams v:0 -show_entries packet=flags");
    assert!(packets.iter().all(|f| !f.contains('D')), "hidden packets: {packets:?}");

    let before = judge::input_frames(input);
    let after = judge::frames(&output);
    assert!(before.len() >= CLIP_FRAMES / 3, "{} frames are a poor test", before.len());
    assert_eq!(before.len(), after.len());
    for (i, (old, new)) in before.iter().zip(&after).enumerate() {
        assert_eq!((new.width, new.height), size, "upright size");
        let off = new.distance_from_fill(CLIP_FACE);
        let pixel = new.at(CLIP_FACE);
        assert!(off <= FILL_TOLERANCE, "the face of frame {i} is {pixel:?} instead of {FILL:?}");
        let difference = new.difference_below(old, CLIP_BODY);
        assert!(difference < PICTURE_TOLERANCE, "frame {i} differs by {difference}");
    }
}

#[test]
fn mp4_h264_b_frames() {
    let Some(source) = media::clip() else { return };
    let flags = judge::probe(&source, "-select_streams v:0 -show_entries frame=pict_type");
    assert!(flags.iter().any(|f| f == "B"), "no B-frames in {flags:?}");
    judge_video(&source, "clip.mp4", CLIP_SIZE, 1.1e-6);
}

#[test]
fn mov_h264() {
    video("clip.mov", "ffmpeg -i {1} -c copy TITLE {out}");
}

#[test]
fn m4v_h264() {
    video("clip.m4v", "ffmpeg -i {1} -c copy TITLE {out}");
}

#[test]
fn three_gp_mpeg4() {
    video("clip.3gp", "ffmpeg -i {1} -c:v mpeg4 -q:v 2 -r 15 TITLE {out}");
}

#[test]
fn mkv_h264() {
    video("clip.mkv", "ffmpeg -i {1} -c copy TITLE {out}");
}

#[test]
fn webm_vp8() {
    video("clip.webm", "ffmpeg -i {1} -c:v libvpx -crf 6 -b:v 2M -cpu-used 8 TITLE {out}");
}

#[test]
fn webm_vp9() {
    video("clip.webm", "ffmpeg -i {1} -c:v libvpx-vp9 -crf 20 -b:v 0 -cpu-used 8 TITLE {out}");
}

#[test]
fn mkv_av1() {
    video(
        "clip.mkv",
        "ffmpeg -i {1} -c:v libaom-av1 -crf 24 -cpu-used 8 -usage realtime TITLE {out}",
    );
}

#[test]
fn mp4_hevc_8_bit() {
    let recipe = "ffmpeg -i {1} -c:v libx265 -x265-params log-level=none -crf 18 -preset ultrafast \
                  -tag:v hvc1 TITLE {out}";
    video("clip.mp4", recipe);
}

#[test]
fn mp4_hevc_10_bit() {
    let recipe = "ffmpeg -i {1} -c:v libx265 -x265-params log-level=none -crf 18 -preset ultrafast \
                  -pix_fmt yuv420p10le -tag:v hvc1 TITLE {out}";
    video("clip.mp4", recipe);
}

#[test]
fn avi_mpeg4() {
    video("clip.avi", "ffmpeg -i {1} -c:v mpeg4 -vtag XVID -q:v 2 TITLE {out}");
}

#[test]
fn avi_mjpeg() {
    video("clip.avi", "ffmpeg -i {1} -c:v mjpeg -pix_fmt yuvj420p -q:v 2 TITLE {out}");
}

#[test]
fn mpeg_ts_h264() {
    video("clip.ts", "ffmpeg -i {1} -c copy {out}");
}

#[test]
fn mpeg_ts_mpeg2() {
    video("clip.m2ts", "ffmpeg -i {1} -c:v mpeg2video -bf 2 -q:v 2 {out}");
}

#[test]
fn mpeg_ps_mpeg2() {
    video("clip.mpg", "ffmpeg -i {1} -c:v mpeg2video -bf 2 -q:v 2 {out}");
}

#[test]
fn variable_frame_rate() {
    let Some(source) = media::clip() else { return };
    let recipe = "ffmpeg -i {1} -vf select='not(mod(n\\,3))+not(mod(n\\,7))' -fps_mode vfr \
                  -video_track_timescale 90000 -c:v libx264 -crf 16 -bf 2 -preset veryfast {out}";
    let Some(input) = media::make("clip.mp4", recipe, &[&source]) else { return };
    let times = judge::times(&input);
    let steps: Vec<_> = times.windows(2).map(|w| ((w[1] - w[0]) * 1e4) as i64).collect();
    assert!(steps.iter().any(|s| *s != steps[0]), "not variable: {times:?}");
    judge_video(&input, "clip.mp4", CLIP_SIZE, 1.1e-6);
}

/// Rotated by the display matrix: what was filmed sideways is written
/// upright, as FFmpeg itself turns it.
#[test]
fn rotated_by_display_matrix() {
    let Some(source) = media::clip() else { return };
    let sideways = "ffmpeg -i {1} -vf transpose=cclock -c:v libx264 -crf 16 -preset veryfast {out}";
    let Some(sideways) = media::make("side.mp4", sideways, &[&source]) else { return };
    let recipe = "ffmpeg -i {1} -c copy -metadata:s:v:0 rotate=270 {out}";
    let Some(input) = media::make("clip.mp4", recipe, &[&sideways]) else { return };
    let stored = judge::probe(&input, "-select_streams v:0 -show_entries stream=width,height");
    assert_eq!(stored[..2], ["144", "176"], "stored sideways");
    judge_video(&input, "clip.mp4", CLIP_SIZE, 1.1e-6);
}

#[test]
fn start_that_is_not_zero() {
    let Some(source) = media::clip() else { return };
    let recipe = "ffmpeg -i {1} -c copy -output_ts_offset 7.5 {out}";
    let Some(input) = media::make("clip.mkv", recipe, &[&source]) else { return };
    assert!(judge::times(&input)[0] > 7.0, "starts late");
    judge_video(&input, "clip.mkv", CLIP_SIZE, 1.1e-6);
}

/// Frames before an edit list's cut are in the file but never shown; they
/// must not come back.
#[test]
fn frames_hidden_by_an_edit_list() {
    let Some(source) = media::clip() else { return };
    let long_gop = "ffmpeg -i {1} -c:v libx264 -crf 16 -g 60 -bf 2 -preset veryfast {out}";
    let Some(whole) = media::make("whole.mp4", long_gop, &[&source]) else { return };
    let recipe = "ffmpeg -ss 0.4 -i {1} -c copy {out}";
    let Some(input) = media::make("clip.mp4", recipe, &[&whole]) else { return };
    let packets = judge::probe(&input, "-select_streams v:0 -show_entries packet=flags");
    let shown = judge::times(&input).len();
    assert!(shown < packets.len(), "the input hides no frames");
    let (bench, output) = redact(&input, "clip.mp4", "mp4");
    let output = bench.path(&output);
    judge::assert_times(&judge::times(&input), &judge::times(&output), 1.1e-6);
    let written = judge::probe(&output, "-select_streams v:0 -show_entries packet=flags");
    assert_eq!(written.len(), shown, "hidden frames are still in the file");
    assert!(
        judge::frames(&output).iter().all(|f| f.distance_from_fill(CLIP_FACE) <= FILL_TOLERANCE)
    );
}

/// Odd sides become even in H.264, and stay odd in WebM.
#[test]
fn odd_size() {
    let Some(source) = media::clip() else { return };
    let recipe = "ffmpeg -i {1} -vf scale=175:143 -c:v libvpx-vp9 -crf 20 -b:v 0 -cpu-used 8 \
                  -pix_fmt yuv420p {out}";
    let Some(input) = media::make("clip.webm", recipe, &[&source]) else { return };
    judge_video(&input, "clip.webm", (176, 144), 1.1e-6);
    let bench = Bench::with(&input, "clip.webm");
    bench.fernseed("redact clip.webm --fill magenta -o out.webm").expect(0);
    let frames = judge::frames(&bench.path("out.webm"));
    assert_eq!((frames[0].width, frames[0].height), (175, 143));
    assert!(frames.iter().all(|f| f.distance_from_fill(CLIP_FACE) <= FILL_TOLERANCE));
    judge::assert_times(&judge::times(&input), &judge::times(&bench.path("out.webm")), 1e-9);
}

/// A user may ask for another kind of picture than the source's.
#[test]
fn other_output_formats() {
    let Some(source) = media::photo() else { return };
    let bench = Bench::with(&source, "photo.png");
    let reference = judge::still(&source);
    for (format, extension) in [("jpeg", "jpg"), ("webp", "webp")] {
        bench.fernseed(&format!("redact photo.png --fill magenta --format {format}")).expect(0);
        let output = bench.path(&format!("photo.redacted.{extension}"));
        assert_photo(&judge::still(&output), &reference);
        judge::assert_clean(&output);
    }
}
