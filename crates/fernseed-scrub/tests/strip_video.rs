//! Stripped clips: picture and sound unchanged, nothing else left, the same
//! bytes whatever the source carried along.

// Helpers of tests, which the lints do not take for tests.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod common;

use common::clips::{self, CLIPS};
use common::mp4::{self, Recipe, boxed};
use fernseed_scrub::{Accounting, StripError, Stripped, account, strip};
use std::io::Cursor;
use std::path::PathBuf;
use std::process::Command;

fn stripped(file: &[u8]) -> Result<(Stripped, Vec<u8>), StripError> {
    let mut out = Cursor::new(Vec::new());
    let done = strip(&mut Cursor::new(file), file.len() as u64, &mut out, &Default::default())?;
    Ok((done, out.into_inner()))
}

fn look(file: &[u8]) -> Accounting {
    account(&mut Cursor::new(file), file.len() as u64)
}

/// Strips, demands a clean account and that a second time changes nothing.
fn settled(name: &str, file: &[u8]) -> (Stripped, Vec<u8>) {
    let (done, out) = stripped(file).unwrap_or_else(|e| panic!("{name}: {e}"));
    let book = look(&out);
    assert!(book.is_clean(), "{name}: {:#?}", book.findings);
    assert_eq!(book.video.as_ref().map_or(0, |v| v.hidden_samples), 0, "{name}");
    let (_, again) = stripped(&out).unwrap_or_else(|e| panic!("{name}, again: {e}"));
    assert!(again == out, "{name}: a second time changes it");
    (done, out)
}

fn close(name: &str, kind: char, a: &[(f64, String)], b: &[(f64, String)]) {
    assert!(!a.is_empty(), "{name}: nothing decoded");
    assert_eq!(a.len(), b.len(), "{name}: {kind} frames");
    for (i, (x, y)) in a.iter().zip(b).enumerate() {
        assert_eq!(x.1, y.1, "{name}: {kind} frame {i} differs");
        let drift = (x.0 - a[0].0) - (y.0 - b[0].0);
        assert!(drift.abs() < 0.0021, "{name}: {kind} frame {i} is {drift} s off");
    }
}

/// Clips of the short run; `FERNSEED_ALL_CLIPS=1` takes all.
const EVERY_TIME: [&str; 9] = [
    "h264-aac.mp4",
    "h264-pcm.mov",
    "hevc-mp3.mp4",
    "h264-aac.mkv",
    "vp9-opus.webm",
    "mpeg4-mp3.avi",
    "wmv2-wma.wmv",
    "h264-aac.ts",
    "mpeg1-mp2.mpg",
];

#[test]
fn picture_and_sound_of_every_clip_are_unchanged() {
    if !clips::have_ffmpeg() {
        return;
    }
    let folder = clips::folder("strip");
    let mut made = 0;
    let all = std::env::var_os("FERNSEED_ALL_CLIPS").is_some();
    let wanted = CLIPS.iter().filter(|c| all || EVERY_TIME.contains(&c.0));
    let mut tried = 0;
    for which in wanted {
        tried += 1;
        let Some(path) = clips::clip(&folder, which) else { continue };
        made += 1;
        let name = which.0;
        let (done, out) = settled(name, &std::fs::read(&path).unwrap());
        let target = folder.join(format!("{name}.out.{}", done.extension));
        std::fs::write(&target, &out).unwrap();
        if !which.2.is_empty() {
            close(name, 'v', &clips::decoded(&path, 'v'), &clips::decoded(&target, 'v'));
        }
        if !which.3.is_empty() {
            assert_eq!(clips::sound_md5(&path), clips::sound_md5(&target), "{name}: sound");
            if !name.contains("pcm") {
                close(name, 'a', &clips::decoded(&path, 'a'), &clips::decoded(&target, 'a'));
            }
        }
        // Video and sound keep their distance.
        if let ([v, a], [w, b]) =
            (clips::starts(&path).as_slice(), clips::starts(&target).as_slice())
        {
            let drift = (v.1 - a.1) - (w.1 - b.1);
            assert!(drift.abs() < 0.0021, "{name}: the tracks moved by {drift} s");
        }
    }
    assert!(made * 10 >= tried * 7, "only {made} of {tried} clips could be made");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn ten_sources_of_one_payload_give_one_file() {
    if !clips::have_ffmpeg() {
        return;
    }
    let folder = clips::folder("ten");
    let first = clips::clip(&folder, &CLIPS[0]).unwrap();
    let first = first.display();
    let ways = [
        "-map_metadata -1",
        "-metadata title=fsCANARY-1 -metadata artist=fsCANARY-2",
        "-movflags faststart -metadata comment=fsCANARY-3",
        "-metadata location=+52.5163+013.3777/ -metadata creation_time=2024-05-06T07:08:09Z",
        "-metadata:s:v language=deu -metadata:s:a language=fra -metadata:s:a handler_name=x",
        "-movflags frag_keyframe+empty_moov+delay_moov -metadata title=fsCANARY-4",
        "-movflags frag_keyframe+empty_moov+delay_moov+default_base_moof+dash",
        "-movflags use_metadata_tags -metadata com.apple.quicktime.make=fsCANARY-5",
        "-brand 3gp5 -metadata title=fsCANARY-6",
        "-bsf:v h264_metadata=sei_user_data=086f3693b7b34f2c965321492feee5b8+fsCANARY",
    ];
    let mut outputs = Vec::new();
    for (i, way) in ways.iter().enumerate() {
        let path = folder.join(format!("{i}.mp4"));
        assert!(clips::ffmpeg(&format!("-i {first} -map 0 -c copy {way}"), &path), "{way}");
        outputs.push(settled(way, &std::fs::read(&path).unwrap()).1);
    }
    for (way, out) in ways.iter().zip(&outputs) {
        assert!(*out == outputs[0], "{way}: another file");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_an_edit_list_hides_is_not_carried() {
    // Sound has its own priming; a picture before the start is refused,
    // because the shown ones are predicted from it.
    let recipe = Recipe { elst_start: 300, ..Recipe::default() };
    let refused = stripped(&mp4::build(&recipe));
    assert!(matches!(refused, Err(StripError::NeedsReencoding(_))), "{refused:?}");
    // Pictures after the end are dropped.
    let mut file = mp4::build(&Recipe::default());
    let at = file.windows(4).position(|w| w == b"elst").unwrap();
    file[at + 12..at + 16].copy_from_slice(&400u32.to_be_bytes());
    let (_, out) = settled("cut end", &file);
    let video = look(&out).video.unwrap();
    assert_eq!((video.sample_count, video.hidden_samples), (4, 0));
}

#[test]
fn encrypted_and_broken_files_have_clear_errors() {
    let mut file = mp4::build(&Recipe::default());
    let at = file.windows(4).position(|w| w == b"avc1").unwrap();
    let mut locked = file.clone();
    let entry = locked.windows(8).position(|w| &w[4..] == b"avc1" && w[0] == 0 && w[1] == 0);
    locked[entry.unwrap() + 4..entry.unwrap() + 8].copy_from_slice(b"encv");
    let second = locked.windows(4).rposition(|w| w == b"avc1");
    if let Some(second) = second.filter(|&s| s > at) {
        locked[second..second + 4].copy_from_slice(b"encv");
    }
    assert!(matches!(stripped(&locked), Err(StripError::Encrypted)));
    let at = file.windows(4).position(|w| w == b"stsz").unwrap();
    file[at + 8..at + 16].copy_from_slice(&[0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF]);
    assert!(stripped(&file).is_err());
    let whole = mp4::build(&Recipe::default());
    for len in 0..whole.len() {
        assert!(stripped(&whole[..len]).is_err(), "cut at {len}");
    }
}

#[test]
fn a_turned_picture_stays_turned() {
    let mut file = mp4::build(&Recipe::default());
    let at = file.windows(4).position(|w| w == b"tkhd").unwrap() + 44;
    for (i, v) in [0u32, 0x1_0000, 0, 0xFFFF_0000, 0, 0, 0x00F0_0000, 0].iter().enumerate() {
        file[at + 4 * i..at + 4 * i + 4].copy_from_slice(&v.to_be_bytes());
    }
    let (_, out) = settled("turned", &file);
    let at = out.windows(4).position(|w| w == b"tkhd").unwrap() + 44;
    assert_eq!(out[at + 4..at + 8], 0x1_0000u32.to_be_bytes());
    assert_eq!(out[at + 12..at + 16], (-0x1_0000i32).to_be_bytes());
    // A scrambled matrix is refused by the accounting.
    let mut spoilt = out;
    spoilt[at + 9] = 7;
    assert!(!look(&spoilt).is_clean());
}

/// What ExifTool may say of a stripped file: facts of the container.
fn allowed(group: &str, tag: &str, value: &str) -> bool {
    let dateless = value.starts_with("0000:00:00");
    match tag {
        "MajorBrand"
        | "MinorVersion"
        | "CompatibleBrands"
        | "MediaDataSize"
        | "MediaDataOffset"
        | "MovieHeaderVersion"
        | "TimeScale"
        | "Duration"
        | "PreferredRate"
        | "PreferredVolume"
        | "PreviewTime"
        | "PreviewDuration"
        | "PosterTime"
        | "SelectionTime"
        | "SelectionDuration"
        | "CurrentTime"
        | "NextTrackID"
        | "TrackHeaderVersion"
        | "TrackDuration"
        | "TrackLayer"
        | "TrackVolume"
        | "ImageWidth"
        | "ImageHeight"
        | "TrackID"
        | "MatrixStructure"
        | "MediaHeaderVersion"
        | "MediaTimeScale"
        | "MediaDuration"
        | "HandlerType"
        | "HandlerClass"
        | "GraphicsMode"
        | "OpColor"
        | "CompressorID"
        | "SourceImageWidth"
        | "SourceImageHeight"
        | "XResolution"
        | "YResolution"
        | "BitDepth"
        | "Balance"
        | "AudioFormat"
        | "AudioChannels"
        | "AudioBitsPerSample"
        | "AudioSampleRate"
        | "VideoFrameRate"
        | "PixelAspectRatio"
        | "ColorRepresentation"
        | "ColorProfiles"
        | "ColorPrimaries"
        | "TransferCharacteristics"
        | "MatrixCoefficients"
        | "VideoFullRangeFlag" => true,
        "MediaData"
        | "SampleToChunk"
        | "ChunkOffset"
        | "SyncSampleTable"
        | "SampleSizes"
        | "CompositionTimeToSample"
        | "TimeToSampleTable"
        | "AVCConfiguration"
        | "HEVCConfiguration"
        | "QuickTime_ColorRep_0x000a"
        | "TimeCode"
        | "CueTrack"
        | "CueClusterPosition" => true,
        _ if tag.strip_prefix("Unknown_").is_some_and(|t| TABLES.contains(&t)) => true,
        "CreateDate" | "ModifyDate" | "TrackCreateDate" | "TrackModifyDate" | "MediaCreateDate"
        | "MediaModifyDate" => dateless,
        "MediaLanguageCode" | "TrackLanguage" => value == "und",
        "EncoderVersion" => value == "0",
        "EncoderVendor" => value.trim_matches('\0').is_empty(),
        "MuxingApp" | "WritingApp" => value == "fernseed",
        "CompressorName" | "HandlerDescription" | "HandlerVendorID" | "VendorID" => {
            value.trim_matches('\0').is_empty()
        }
        _ => {
            matches!(group, "Matroska" | "RIFF" | "Track1" | "Track2" | "Info")
                && FACTS.contains(&tag)
        }
    }
}

/// Boxes that ExifTool shows as unknown: edit lists and configurations.
const TABLES: [&str; 12] = [
    "edts", "esds", "dOps", "hvcC", "av1C", "vpcC", "dfLa", "alac", "damr", "d263", "dac3", "dec3",
];

/// Facts of Matroska and AVI.
const FACTS: &[&str] = &[
    "EBMLVersion",
    "EBMLReadVersion",
    "DocType",
    "DocTypeVersion",
    "DocTypeReadVersion",
    "TimecodeScale",
    "TrackNumber",
    "TrackUID",
    "TrackType",
    "TrackLacing",
    "TrackUsed",
    "VideoCodecID",
    "AudioCodecID",
    "CodecID",
    "CodecPrivate",
    "DisplayWidth",
    "DisplayHeight",
    "DisplayUnit",
    "EBMLMaxIDLength",
    "EBMLMaxSizeLength",
    "FrameRate",
    "MaxDataRate",
    "FrameCount",
    "StreamCount",
    "StreamType",
    "VideoCodec",
    "VideoFrameCount",
    "Quality",
    "SampleSize",
    "Compression",
    "NumColors",
    "Planes",
    "PixelsPerMeterX",
    "PixelsPerMeterY",
    "ImageLength",
    "BMPVersion",
    "Encoding",
    "NumChannels",
    "SampleRate",
    "AvgBytesPerSec",
    "BitsPerSample",
    "AudioCodec",
    "AudioSampleCount",
    "CodecDelay",
    "SeekPreRoll",
    "DefaultDuration",
    "TrackFrameRate",
    "VideoScanType",
    "AudioSampleRate",
    "CueTime",
    "Channels",
    "SamplingFrequency",
];

#[test]
fn real_files_are_stripped_or_refused_for_a_reason() {
    let mut list = Vec::new();
    for part in ["data/metadata", "data/video", "data/fuzz/mp4parse_avif"] {
        let Some(folder) = common::shared(part) else { continue };
        list.extend(common::files(&folder));
    }
    let folder = clips::folder("real");
    let exiftool = Command::new("exiftool").arg("-ver").output().is_ok();
    let (mut done, mut refused, mut foreign) = (0, Vec::new(), Vec::new());
    let mut names = Vec::new();
    for path in &list {
        let file = std::fs::read(path).unwrap();
        match stripped(&file) {
            Ok((what, _)) if !VIDEO.contains(&what.extension.as_str()) => {}
            Ok((what, _)) => {
                let (_, out) = settled(&path.display().to_string(), &file);
                let target = folder.join(format!("{done}.{}", what.extension));
                std::fs::write(&target, out).unwrap();
                names.push(target);
                done += 1;
            }
            Err(StripError::UnknownFormat) => {}
            Err(e) => refused.push((path.clone(), e.to_string())),
        }
    }
    if exiftool {
        foreign.extend(left(&names));
    }
    std::fs::remove_dir_all(&folder).unwrap();
    for (path, why) in &refused {
        println!("refused: {}: {why}", path.file_name().unwrap().to_string_lossy());
    }
    println!("{done} stripped, {} refused", refused.len());
    assert!(foreign.is_empty(), "{foreign:#?}");
    assert!(list.is_empty() || done >= 40, "only {done} files could be stripped");
}

const VIDEO: [&str; 7] = ["mp4", "m4a", "mov", "mkv", "webm", "mka", "avi"];

/// Tags of finished files that are no facts of their containers.
fn left(paths: &[PathBuf]) -> Vec<String> {
    let done = Command::new("exiftool")
        .args(["-a", "-G1", "-u", "-U", "-ee3", "-s", "-sep", "|"])
        .args(paths)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let mut list = Vec::new();
    let mut file = "";
    for line in text.lines() {
        file = line.strip_prefix("======== ").unwrap_or(file);
        let Some((head, value)) = line.split_once(':') else { continue };
        let Some((group, tag)) = head.trim_start_matches('[').split_once(']') else { continue };
        if matches!(group, "File" | "System" | "ExifTool" | "Composite") {
            continue;
        }
        if !allowed(group, tag.trim(), value.trim()) {
            list.push(format!("{file}: {line}"));
        }
    }
    list
}

#[test]
fn boxes_of_the_unknown_leave_no_trace() {
    let mut spoilt = Recipe::default();
    for (slot, kind) in [
        (&mut spoilt.moov_extra, b"udta"),
        (&mut spoilt.trak_extra, b"meta"),
        (&mut spoilt.stbl_extra, b"uuid"),
        (&mut spoilt.top_extra, b"abcd"),
        (&mut spoilt.entry_extra, b"btrt"),
    ] {
        *slot = boxed(kind, b"fsCANARY");
    }
    spoilt.handler_name = b"fsCANARY".to_vec();
    spoilt.compressor = b'x';
    spoilt.created = 3_800_000_000;
    spoilt.language = Some(0x15C7);
    spoilt.orphan = 1000;
    spoilt.unit = b"\x06\x05\x10fsCANARY \x80".to_vec();
    let (_, out) = settled("spoilt", &mp4::build(&spoilt));
    let (_, plain) = settled("plain", &mp4::build(&Recipe::default()));
    assert!(out == plain, "what does not belong shows");
}
