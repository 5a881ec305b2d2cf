//! Everything that must be encoded anew as a whole.
#![allow(clippy::single_range_in_vec_init, reason = "lists of ranges, some of them short")]

use super::super::support::{Bench, flipped};
use super::{CLOSED, SOURCE, splice};
use fernseed_media::video::OpenOptions;
use fernseed_media::video::splice::{Fallback, SpliceError, verify};
use std::fs::File;
use std::path::Path;

/// Asserts that a file falls back, for one of the reasons given.
fn assert_falls_back(bench: &Bench, input: &Path, reasons: &[Fallback]) {
    match splice(bench, input, &[30..31], false) {
        Err(SpliceError::Fallback(reason)) => {
            assert!(reasons.contains(&reason), "{}: {reason:?}", input.display());
        }
        Err(e) => panic!("{}: {e}", input.display()),
        Ok(result) => panic!("{}: {:?} carried", input.display(), result.splice.groups()),
    }
    assert!(!bench.path("spliced.mp4").exists(), "decided before anything is written");
}

#[test]
fn streams_that_are_not_plain_closed_groups_fall_back() {
    let Some(bench) = Bench::new() else { return };
    use Fallback as F;
    let cases: [(&str, &str, &[Fallback]); 17] = [
        (
            "open.mkv",
            "-c:v libx264 -bf 3 -x264-params open-gop=1:keyint=10:min-keyint=10:scenecut=0",
            &[F::OpenGroup],
        ),
        (
            "open.mp4",
            "-c:v libx264 -bf 3 -x264-params open-gop=1:keyint=10:min-keyint=10:scenecut=0",
            &[F::OpenGroup, F::NothingToCarry],
        ),
        (
            "recovery.mkv",
            "-c:v libx264 -x264-params intra-refresh=1:keyint=25",
            &[F::OpenGroup, F::NothingToCarry],
        ),
        (
            "fields.mp4",
            "-c:v libx264 -g 10 -flags +ilme+ildct -x264-params tff=1",
            &[F::Interlaced],
        ),
        ("fake.mp4", "-c:v libx264 -g 10 -x264-params fake-interlaced=1", &[F::Interlaced]),
        ("ten.mp4", "-c:v libx264 -g 10 -pix_fmt yuv420p10le", &[F::Samples]),
        ("wide.mp4", "-c:v libx264 -g 10 -pix_fmt yuv422p", &[F::Samples]),
        ("full.mp4", "-c:v libx264 -g 10 -pix_fmt yuv444p", &[F::Samples]),
        ("inband.mp4", "-c:v libx264 -g 10 -tag:v avc3", &[F::InBandSets, F::Header]),
        ("matrices.mp4", "-c:v libx264 -g 10 -x264-params cqm=jvt", &[F::ParameterSets]),
        ("intra.mp4", "-c:v libx264 -g 1", &[F::NothingToCarry]),
        ("single.mp4", "-c:v libx264 -g 999", &[F::NothingToCarry]),
        ("hevc.mp4", "-c:v libx265 -x265-params keyint=25:log-level=none", &[F::Codec]),
        ("old.mp4", "-c:v mpeg4 -g 10", &[F::Codec]),
        ("stream.ts", "-c:v libx264 -g 10", &[F::Container]),
        (
            "colour.mp4",
            "-c:v libx264 -g 10 -color_primaries film -color_trc log100 -colorspace fcc",
            &[F::Colour],
        ),
        (
            "hdr.mp4",
            "-c:v libx264 -g 10 -color_primaries bt2020 -color_trc smpte2084 -colorspace bt2020nc",
            &[F::Colour],
        ),
    ];
    for (name, arguments, reasons) in cases {
        let yuv = if arguments.contains("pix_fmt") { "" } else { "-pix_fmt yuv420p" };
        let input = bench.make(name, &format!("{SOURCE} {yuv} {arguments}"));
        assert_falls_back(&bench, &input, reasons);
    }
}

#[test]
fn files_that_are_not_shown_as_coded_fall_back() {
    let Some(bench) = Bench::new() else { return };
    use Fallback as F;
    bench.make("plain.mp4", &format!("{SOURCE} {CLOSED}"));
    let turned = bench.make("turned.mp4", "-i {in}/plain.mp4 -c copy -metadata:s:v rotate=90");
    assert_falls_back(&bench, &turned, &[F::Rotation]);
    let hidden = bench.make("hidden.mp4", "-ss 1.3 -i {in}/plain.mp4 -c copy");
    assert_falls_back(&bench, &hidden, &[F::Hidden]);
    let shape = bench.make("shape.mp4", "-i {in}/plain.mp4 -c copy -aspect 16:9");
    assert_falls_back(&bench, &shape, &[F::Aspect]);
    // The later stretch has another picture parameter set.
    bench.make("a.ts", &format!("{SOURCE} {CLOSED}"));
    let later = format!("{SOURCE} {CLOSED} -qp 30 -x264-params ref=2 -output_ts_offset 4");
    bench.make("b.ts", &later);
    let parts = ["a.ts", "b.ts"].map(|n| std::fs::read(bench.path(n)).unwrap());
    std::fs::write(bench.path("joined.ts"), parts.concat()).unwrap();
    let joined = bench.make("joined.mp4", "-i {in}/joined.ts -c copy");
    assert_falls_back(&bench, &joined, &[F::InBandSets, F::HeaderChange]);
}

/// No check sum guards coded pictures: some damage reads as other, valid
/// pictures. Those are what every decoder shows and what the looks have seen,
/// so carrying them is no lie; all other damage must be noticed.
#[test]
fn damage_falls_back_or_shows_what_was_seen() {
    let Some(bench) = Bench::of_damage() else { return };
    use Fallback as F;
    let input = bench.make("plain.mp4", &format!("{SOURCE} {CLOSED} -movflags faststart"));
    let data = std::fs::read(&input).unwrap();
    let damaged = bench.path("damaged.mp4");
    let any = [F::Damaged, F::Units, F::Slices, F::Decoding, F::Gap, F::OpenGroup, F::InBandSets];
    let places = 24;
    let mut noticed = 0;
    for place in 0..places {
        let start = data.len() * (30 + place * 65 / places) / 100;
        std::fs::write(&damaged, flipped(&data, start)).unwrap();
        let hidden = [30..31];
        match splice(&bench, &damaged, &hidden, false) {
            Ok(result) => {
                let file = |path: &Path| File::open(path).unwrap();
                let (source, output) = (file(&damaged), file(&result.output));
                let options = OpenOptions::default();
                let found = verify(source, output, &result.splice, &options).unwrap();
                assert_eq!(found.different, 0, "at {start}: {found:?}");
                assert_eq!(found.equal as usize, result.splice.carried_frames());
                // Frames that only a full decoder calls damaged: the audit's.
                noticed += usize::from(!found.holds());
            }
            Err(SpliceError::Fallback(reason)) => {
                assert!(any.contains(&reason), "at {start}: {reason:?}");
                noticed += 1;
            }
            Err(e) => panic!("at {start}: {e}"),
        }
    }
    assert!(noticed >= places * 3 / 4, "{noticed} of {places} noticed");
}

#[test]
fn cut_files_fall_back() {
    let Some(bench) = Bench::of_damage() else { return };
    let input = bench.make("plain.mp4", &format!("{SOURCE} {CLOSED} -movflags faststart"));
    let data = std::fs::read(&input).unwrap();
    let cut = bench.path("cut.mp4");
    std::fs::write(&cut, &data[..data.len() * 6 / 10]).unwrap();
    assert_falls_back(&bench, &cut, &[Fallback::Damaged]);
}
