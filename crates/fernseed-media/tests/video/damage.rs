//! Broken files: nothing passes silently, nothing panics.

use super::support::{Bench, assert_clean, flipped};
use fernseed_media::video::{Container, MediaError, OpenOptions, Unit, VideoReader};
use std::fs::File;

fn clip(bench: &Bench, name: &str, arguments: &str) -> Vec<u8> {
    let made = bench.make(
        name,
        &format!("-f lavfi -i testsrc2=s=320x240:r=25:d=4 -f lavfi -i sine=d=4 {arguments}"),
    );
    std::fs::read(made).unwrap()
}

#[test]
fn flipped_bytes_are_reported() {
    let Some(bench) = Bench::of_damage() else { return };
    // Some bytes can be flipped without any harm, so that they are the same
    // ones every time.
    let data = clip(&bench, "in.mp4", "-c:v libx264 -threads 1 -g 25 -bf 2 -an");
    let path = bench.path("damaged.mp4");
    std::fs::write(&path, flipped(&data, data.len() / 2)).unwrap();
    // FFmpeg 5.1 marks a frame when it is output, which with several threads may
    // be before another one meets the damage; then only a note tells of it, and
    // who wants to be sure reads once more with one thread.
    let run = bench.transcode(&path, Container::Mp4, false);
    assert!(!run.report.notes.is_empty() || run.report.damaged > 0, "{:#?}", run.report);
    assert_clean(&run.output);
    let alone = OpenOptions { threads: 1, ..OpenOptions::default() };
    let mut reader = VideoReader::open(File::open(&path).unwrap(), &alone).unwrap();
    while reader.next().unwrap().is_some() {}
    let report = reader.report();
    assert!(report.damaged + report.skipped_packets > 0, "{report:#?}");
}

/// How many frames are marked is chance with several threads; what the decoder
/// says is not.
#[test]
fn several_threads_notice_the_same_damage_as_one() {
    let Some(bench) = Bench::of_damage() else { return };
    let encoder = "-c:v libx264 -preset veryfast -threads 1 -g 10 -bf 3 -an -movflags faststart";
    let data = clip(&bench, "in.mp4", encoder);
    let path = bench.path("damaged.mp4");
    let (places, tries) = (24, 4);
    let mut harmed = 0;
    for place in 0..places {
        let start = data.len() * (30 + place * 65 / places) / 100;
        std::fs::write(&path, flipped(&data, start)).unwrap();
        let met = |threads| {
            let options = OpenOptions { threads, ..OpenOptions::default() };
            let mut reader = VideoReader::open(File::open(&path).unwrap(), &options).unwrap();
            while let Some(unit) = reader.next().unwrap() {
                if let Unit::Frame(frame) = unit {
                    reader.recycle(frame.picture);
                }
            }
            reader.report()
        };
        let alone = met(1);
        if alone.damaged == 0 {
            continue;
        }
        harmed += 1;
        for _ in 0..tries {
            let together = met(2);
            assert_eq!(together.decoder_messages, alone.decoder_messages, "at {start}");
            assert!(together.decoder_messages > 0, "at {start}: {together:#?}");
        }
    }
    assert!(harmed >= places / 2, "{harmed} of {places} harmed");
}

#[test]
fn a_cut_off_file_gives_what_is_there_and_says_so() {
    let Some(bench) = Bench::of_damage() else { return };
    let data = clip(&bench, "in.mp4", "-c:v libx264 -g 25 -an -movflags faststart");
    let path = bench.path("cut.mp4");
    std::fs::write(&path, &data[..data.len() * 6 / 10]).unwrap();
    let run = bench.transcode(&path, Container::Mp4, false);
    assert!(run.report.truncated, "{:#?}", run.report);
    assert!((20..100).contains(&run.summary.frames), "{}", run.summary.frames);
    let data = clip(&bench, "in.mkv", "-c:v libx264 -g 25 -an");
    let path = bench.path("cut.mkv");
    std::fs::write(&path, &data[..data.len() * 6 / 10]).unwrap();
    assert!(bench.transcode(&path, Container::Mp4, false).report.truncated);
    let headless = clip(&bench, "in2.mp4", "-c:v libx264 -an");
    std::fs::write(&path, &headless[..headless.len() * 6 / 10]).unwrap();
    let error = VideoReader::open(File::open(&path).unwrap(), &OpenOptions::default()).unwrap_err();
    assert!(matches!(error, MediaError::Truncated { .. }), "{error}");
}

#[test]
fn random_damage_never_panics() {
    let Some(bench) = Bench::of_damage() else { return };
    let clips = [
        clip(&bench, "a.mp4", "-c:v libx264 -c:a aac -movflags faststart -t 1"),
        clip(&bench, "a.mkv", "-c:v libx264 -c:a libopus -t 1"),
        clip(&bench, "a.ts", "-c:v mpeg2video -c:a mp2 -t 1"),
        clip(&bench, "a.avi", "-c:v mpeg4 -c:a mp3 -t 1"),
    ];
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let path = bench.path("fuzzed");
    let (mut opened, mut refused) = (0, 0);
    for round in 0..60 {
        let mut data = clips[round % clips.len()].clone();
        for _ in 0..1 + random() % 30 {
            let head = if random() % 2 == 0 { 4096 } else { data.len() as u64 };
            let at = (random() % head.min(data.len() as u64)) as usize;
            data[at] = random() as u8;
        }
        std::fs::write(&path, &data).unwrap();
        let options = OpenOptions { want_audio: true, threads: 1, ..OpenOptions::default() };
        let Ok(mut reader) = VideoReader::open(File::open(&path).unwrap(), &options) else {
            refused += 1;
            continue;
        };
        opened += 1;
        let mut last = None;
        while let Ok(Some(unit)) = reader.next() {
            if let Unit::Frame(frame) = unit {
                assert!(last.is_none_or(|l| frame.pts > l), "times increase");
                last = Some(frame.pts);
            }
        }
    }
    assert_eq!(opened + refused, 60);
    assert!(opened > 0);
}

#[test]
fn a_change_of_size_is_scaled_and_noted() {
    let Some(bench) = Bench::of_damage() else { return };
    clip(&bench, "one.ts", "-c:v libx264 -an -t 1");
    bench
        .make("two.ts", "-f lavfi -i testsrc2=s=640x480:r=25:d=1 -c:v libx264 -output_ts_offset 1");
    let joined = [
        std::fs::read(bench.path("one.ts")).unwrap(),
        std::fs::read(bench.path("two.ts")).unwrap(),
    ]
    .concat();
    let path = bench.path("joined.ts");
    std::fs::write(&path, joined).unwrap();
    let run = bench.transcode(&path, Container::Mp4, false);
    assert!(run.report.notes.iter().any(|n| n.contains("scaled")), "{:?}", run.report.notes);
    assert!(run.summary.frames >= 45, "{}", run.summary.frames);
    assert_clean(&run.output);
}
