//! Other programs' opinion of a file: pixels, times, metadata.

use std::path::Path;
use std::process::Command;

/// Fill colour of the tests, easy to find again.
pub(crate) const FILL: [u8; 3] = [255, 0, 255];

/// A decoded picture, 8-bit RGB.
pub(crate) struct Rgb {
    pub(crate) width: usize,
    pub(crate) height: usize,
    data: Vec<u8>,
}

impl Rgb {
    /// The pixel at (x, y).
    pub(crate) fn at(&self, (x, y): (usize, usize)) -> [u8; 3] {
        let i = (y * self.width + x) * 3;
        [self.data[i], self.data[i + 1], self.data[i + 2]]
    }

    /// Greatest difference of a channel from the fill colour at a point and
    /// four pixels around it.
    pub(crate) fn distance_from_fill(&self, (x, y): (usize, usize)) -> u8 {
        [(x, y), (x - 4, y), (x + 4, y), (x, y - 4), (x, y + 4)]
            .iter()
            .flat_map(|p| self.at(*p).into_iter().zip(FILL))
            .map(|(a, b)| a.abs_diff(b))
            .max()
            .unwrap()
    }

    /// Mean difference of all channels below row `from`, where this picture
    /// is not covered.
    #[track_caller]
    pub(crate) fn difference_below(&self, other: &Self, from: usize) -> f64 {
        let (width, height) = (self.width.min(other.width), self.height.min(other.height));
        assert!(from < height);
        let mut sum = 0u64;
        let mut count = 0u64;
        for y in from..height {
            for x in 0..width {
                let found = self.at((x, y));
                if found.iter().zip(FILL).all(|(a, b)| a.abs_diff(b) < 60) {
                    continue;
                }
                for (a, b) in found.into_iter().zip(other.at((x, y))) {
                    sum += u64::from(a.abs_diff(b));
                    count += 1;
                }
            }
        }
        let all = (width * (height - from) * 3) as u64;
        assert!(count * 4 > all, "{count} of {all} bytes are left to compare");
        sum as f64 / count as f64
    }
}

/// SHA-256 of a file, by coreutils.
#[track_caller]
pub(crate) fn sha256(path: &Path) -> String {
    let out = quietly(Command::new("sha256sum").arg(path));
    String::from_utf8_lossy(&out[..64.min(out.len())]).into_owned()
}

/// Runs a program that must succeed and say nothing on standard error.
#[track_caller]
fn quietly(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.trim().is_empty(), "{command:?}: {said}");
    output.stdout
}

/// Decodes a still picture with ImageMagick.
#[track_caller]
pub(crate) fn still(path: &Path) -> Rgb {
    let first = format!("{}[0]", path.display());
    let text = quietly(Command::new("identify").args(["-format", "%w %h", &first]));
    let text = String::from_utf8(text).unwrap();
    let (width, height) = text.split_once(' ').unwrap();
    let (width, height) = (width.parse().unwrap(), height.parse().unwrap());
    let data = quietly(Command::new("convert").args([&first, "-depth", "8", "rgb:-"]));
    assert_eq!(data.len(), width * height * 3, "{}", path.display());
    Rgb { width, height, data }
}

/// Decodes all frames with FFmpeg, turned upright, without making up or
/// leaving out any.
#[track_caller]
pub(crate) fn frames(path: &Path) -> Vec<Rgb> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "warning", "-nostdin", "-i"]).arg(path).args(["-f", "null", "-"]);
    quietly(&mut command);
    decode(path, "error")
}

/// The same for inputs, about which FFmpeg may have something to say.
#[track_caller]
pub(crate) fn input_frames(path: &Path) -> Vec<Rgb> {
    decode(path, "fatal")
}

fn decode(path: &Path, level: &str) -> Vec<Rgb> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", level, "-nostdin", "-i"]).arg(path);
    command
        .args(["-map", "0:v:0", "-fps_mode", "passthrough", "-f", "image2pipe"])
        .args(["-c:v", "ppm", "-pix_fmt", "rgb24", "-"]);
    let mut rest = &*quietly(&mut command);
    let mut out = Vec::new();
    while !rest.is_empty() {
        let mut words = Vec::new();
        for _ in 0..4 {
            let end = rest.iter().position(u8::is_ascii_whitespace).unwrap();
            words.push(std::str::from_utf8(&rest[..end]).unwrap());
            rest = &rest[end + 1..];
        }
        assert_eq!((words[0], words[3]), ("P6", "255"));
        let (width, height): (usize, usize) =
            (words[1].parse().unwrap(), words[2].parse().unwrap());
        let (data, tail) = rest.split_at(width * height * 3);
        out.push(Rgb { width, height, data: data.to_vec() });
        rest = tail;
    }
    out
}

/// Values that ffprobe prints, one a line.
#[track_caller]
pub(crate) fn probe(path: &Path, arguments: &str) -> Vec<String> {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error"]).args(arguments.split_whitespace());
    command.args(["-of", "default=nk=1:nw=1"]).arg(path);
    let out = command.output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{command:?}: {said}");
    String::from_utf8(out.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Times of all frames that are shown, in seconds.
#[track_caller]
pub(crate) fn times(path: &Path) -> Vec<f64> {
    probe(path, "-select_streams v:0 -show_entries frame=best_effort_timestamp_time")
        .iter()
        .filter_map(|l| l.trim_end_matches('|').parse().ok())
        .collect()
}

/// Fails unless two lists of times agree to within `tolerance` seconds.
#[track_caller]
pub(crate) fn assert_times(expected: &[f64], found: &[f64], tolerance: f64) {
    assert_eq!(expected.len(), found.len(), "number of frames: {expected:?} {found:?}");
    for (i, (a, b)) in expected.iter().zip(found).enumerate() {
        assert!((a - b).abs() <= tolerance, "frame {i} is at {b}, should be at {a}");
    }
}

/// Tags that a container cannot do without: what kind of picture it is, its
/// size, its clock. Nothing here differs between cameras, places or people.
const CONTAINER_FACTS: &[&str] = &[
    // JPEG
    "JFIF:JFIFVersion",
    "JFIF:ResolutionUnit",
    "JFIF:XResolution",
    "JFIF:YResolution",
    // PNG and APNG
    "PNG:ImageWidth",
    "PNG:ImageHeight",
    "PNG:BitDepth",
    "PNG:ColorType",
    "PNG:Compression",
    "PNG:Filter",
    "PNG:Interlace",
    "PNG:SRGBRendering",
    "PNG:AnimationFrames",
    "PNG:AnimationPlays",
    // WebP
    "RIFF:VP8Version",
    "RIFF:ImageWidth",
    "RIFF:ImageHeight",
    "RIFF:HorizontalScale",
    "RIFF:VerticalScale",
    "RIFF:AlphaIsUsed",
    "RIFF:WebP_Flags",
    "RIFF:BackgroundColor",
    "RIFF:AnimationLoopCount",
    "RIFF:FrameCount",
    "RIFF:Duration",
    // MP4: movie and track headers, sample tables
    "QuickTime:MajorBrand",
    "QuickTime:MinorVersion",
    "QuickTime:CompatibleBrands",
    "QuickTime:MediaDataSize",
    "QuickTime:MediaDataOffset",
    "QuickTime:MediaData",
    "QuickTime:MovieHeaderVersion",
    "QuickTime:CreateDate",
    "QuickTime:ModifyDate",
    "QuickTime:TimeScale",
    "QuickTime:Duration",
    "QuickTime:PreferredRate",
    "QuickTime:PreferredVolume",
    "QuickTime:MatrixStructure",
    "QuickTime:PreviewTime",
    "QuickTime:PreviewDuration",
    "QuickTime:PosterTime",
    "QuickTime:SelectionTime",
    "QuickTime:SelectionDuration",
    "QuickTime:CurrentTime",
    "QuickTime:NextTrackID",
];

/// The same for a track of an MP4, whatever its number.
const TRACK_FACTS: &[&str] = &[
    "TrackHeaderVersion",
    "TrackCreateDate",
    "TrackModifyDate",
    "TrackID",
    "TrackDuration",
    "TrackLayer",
    "TrackVolume",
    "MatrixStructure",
    "ImageWidth",
    "ImageHeight",
    "Unknown_edts",
    "MediaHeaderVersion",
    "MediaCreateDate",
    "MediaModifyDate",
    "MediaTimeScale",
    "MediaDuration",
    "MediaLanguageCode",
    "HandlerType",
    "GraphicsMode",
    "OpColor",
    "Balance",
    "CompressorID",
    "SourceImageWidth",
    "SourceImageHeight",
    "XResolution",
    "YResolution",
    "BitDepth",
    "PixelAspectRatio",
    "ColorProfiles",
    "ColorPrimaries",
    "TransferCharacteristics",
    "MatrixCoefficients",
    "VideoFullRangeFlag",
    "VideoFrameRate",
    "AVCConfiguration",
    "TimeToSampleTable",
    "CompositionTimeToSample",
    "SyncSampleTable",
    "SampleToChunk",
    "SampleSizes",
    "ChunkOffset64",
    "AudioFormat",
    "AudioChannels",
    "AudioBitsPerSample",
    "AudioSampleRate",
];

/// Strings that encoders leave behind.
const ENCODER_MARKS: &[&str] = &["x264", "Lavc", "Lavf", "libx264", "FFmpeg", "ffmpeg", "Canary"];

/// Fails if a file holds metadata beyond what its container needs.
#[track_caller]
pub(crate) fn assert_clean(path: &Path) {
    let data = std::fs::read(path).unwrap();
    for word in ENCODER_MARKS {
        let found = data.windows(word.len()).any(|w| w == word.as_bytes());
        assert!(!found, "{} holds {word:?}", path.display());
    }
    if !super::media::have("exiftool") {
        return;
    }
    let mut command = Command::new("exiftool");
    command.args(["-a", "-G1", "-u", "-ee3", "-n", "-json"]).arg(path);
    let output = command.output().unwrap();
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let tags = found[0].as_object().unwrap();
    let beyond: Vec<_> = tags.iter().filter(|(name, value)| !allowed(name, value)).collect();
    assert!(beyond.is_empty(), "{} gives away {beyond:?}", path.display());
    assert!(tags.len() > 10, "exiftool did not read {}: {tags:?}", path.display());
}

/// True for facts about the file in the file system, what exiftool computes
/// from other tags, and container facts; dates must be zero.
fn allowed(name: &str, value: &serde_json::Value) -> bool {
    let (group, tag) = name.split_once(':').unwrap_or(("", name));
    if tag.ends_with("Date") && group != "System" {
        return value.as_str().is_some_and(|v| v.starts_with("0000:00:00"))
            || value.as_u64() == Some(0);
    }
    match group {
        "" | "System" | "File" | "ExifTool" | "Composite" => tag != "Warning" && tag != "Error",
        g if g.starts_with("Track") => TRACK_FACTS.contains(&tag),
        _ => CONTAINER_FACTS.contains(&name),
    }
}

/// Container facts of further formats that `strip` writes.
const FURTHER_FACTS: &[&str] = &[
    "PNG:Palette",
    "PNG:Transparency",
    "RIFF:AlphaPreprocessing",
    "RIFF:AlphaFiltering",
    "RIFF:AlphaCompression",
    "JFIF:JFIFVersion",
    "JFIF:ResolutionUnit",
    "JFIF:XResolution",
    "JFIF:YResolution",
    "IFD0:BitsPerSample",
    "IFD0:ColorMap",
    "IFD0:Compression",
    "IFD0:ImageHeight",
    "IFD0:ImageWidth",
    "IFD0:Orientation",
    "IFD0:PhotometricInterpretation",
    "IFD0:PlanarConfiguration",
    "IFD0:RowsPerStrip",
    "IFD0:SamplesPerPixel",
    "IFD0:StripByteCounts",
    "IFD0:StripOffsets",
    "GIF:GIFVersion",
    "GIF:ImageWidth",
    "GIF:ImageHeight",
    "GIF:HasColorMap",
    "GIF:ColorResolutionDepth",
    "GIF:BitsPerPixel",
    "GIF:BackgroundColor",
    "GIF:AnimationIterations",
    "GIF:FrameCount",
    "GIF:Duration",
];

/// Beginnings of names of facts about how sound and pictures are coded.
/// Words that people or programs wrote come in other groups (`Vorbis:`,
/// `ID3v2_4:`, `AIFF:Name`, `ItemList:`).
const CODING_FACTS: &[&str] = &[
    "AIFF:NumChannels",
    "AIFF:NumSampleFrames",
    "AIFF:SampleRate",
    "AIFF:SampleSize",
    // Sound that exiftool cannot read; the accounting has read it.
    "ExifTool:Error",
    "FLAC:",
    "MPEG:",
    "Matroska:Cue",
    "Matroska:DocType",
    "Matroska:Duration",
    "Matroska:EBML",
    "Matroska:TimeCode",
    "Matroska:TimecodeScale",
    "Meta:PrimaryItemReference",
    "Opus:",
    "QuickTime:AV1ConfigurationVersion",
    "QuickTime:AverageFrameRate",
    "QuickTime:BitDepth",
    "QuickTime:Chroma",
    "QuickTime:ColorP",
    "QuickTime:Const",
    "QuickTime:Gen",
    "QuickTime:HEVCConfigurationVersion",
    "QuickTime:HandlerType",
    "QuickTime:Image",
    "QuickTime:InitialDelaySamples",
    "QuickTime:MatrixCoefficients",
    "QuickTime:MinSpatialSegmentationIDC",
    "QuickTime:NumTemporalLayers",
    "QuickTime:ParallelismType",
    "QuickTime:QuickTime_ColorRep_",
    "QuickTime:QuickTime_HEVCConfig_",
    "QuickTime:Rotation",
    "QuickTime:SeqLevelIdx",
    "QuickTime:SeqProfile",
    "QuickTime:SeqTier0",
    "QuickTime:TemporalIDNested",
    "QuickTime:TransferCharacteristics",
    "QuickTime:VideoFullRangeFlag",
    "RIFF:AvgBytesPerSec",
    "RIFF:BitsPerSample",
    "RIFF:Encoding",
    "RIFF:NumChannels",
    "RIFF:SampleRate",
    "SVG:Enable-background",
    "SVG:Image",
    "SVG:Path",
    "SVG:SVGVersion",
    "SVG:ViewBox",
    "SVG:Xmlns",
    "Track1:AudioCodecID",
    "Track1:ChunkOffset",
    "Track1:CodecPrivate",
    "Track1:TrackLacing",
    "Track1:TrackLanguage",
    "Track1:TrackNumber",
    "Track1:TrackType",
    "Track1:TrackUID",
    "Track1:Unknown_alac",
    "Track1:Unknown_esds",
    "Track2:ChunkOffset",
    "Track2:Unknown_esds",
    "Track2:Unknown_dac3",
    "Vorbis:AudioChannels",
    "Vorbis:SampleRate",
    "Vorbis:VorbisVersion",
];

/// What exiftool shows of the files in a folder beyond container facts:
/// names of tags, and how many files have each.
pub(crate) fn exiftool_facts(folder: &Path) -> std::collections::BTreeMap<String, usize> {
    let mut command = Command::new("exiftool");
    command.args(["-r", "-a", "-G1", "-u", "-U", "-ee3", "-n", "-json"]).arg(folder);
    let output = command.output().unwrap();
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut out = std::collections::BTreeMap::new();
    for file in found.as_array().unwrap() {
        let tags = file.as_object().unwrap();
        // The standard profiles are ours: same words and date for everybody.
        let ours = tags.get("ICC_Profile:ProfileCopyright").is_some_and(|v| v == "CC0")
            && tags.get("ICC-header:ProfileDateTime").is_some_and(|v| v == "2000:01:01 00:00:00");
        for (name, _) in tags.iter().filter(|(name, value)| !allowed(name, value)) {
            let coding = CODING_FACTS.iter().any(|prefix| name.starts_with(prefix));
            let further = FURTHER_FACTS.contains(&name.as_str());
            let unnamed = name == "Vorbis:Vendor" && tags[name] == "";
            // Matroska demands them; ours are the same for everybody.
            let program = ["Matroska:MuxingApp", "Matroska:WritingApp"].contains(&name.as_str())
                && tags[name] == "fernseed";
            if !(coding || further || unnamed || program || ours && name.starts_with("ICC")) {
                *out.entry(name.clone()).or_insert(0) += 1;
            }
        }
    }
    out
}
