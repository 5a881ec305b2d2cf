//! How the encoders are set up: one profile for everyone.

use super::sound::SoundOut;
use super::splice::Splice;
use super::writer::encoder_error;
use super::{Container, MediaError, Preset, SOUND_RATE, SinkOptions};
use crate::ffi::{AudioSetup, Encoder, VideoSetup, encoder_exists};
use fernseed_core::Size;
use std::ffi::CStr;

/// Threads of the encoder if the caller does not say: a constant, since the
/// number may change the bytes an encoder makes. Each costs about 20 MB at
/// 1080p. Beside a thread that looks ahead two are as fast as more.
const THREADS: u32 = 2;
/// Threads among which x264 splits each picture it looks ahead at: a constant
/// too, since the borders between their parts show in its decisions.
const LOOKAHEAD_THREADS: u32 = 2;
/// Frames that x264's look-ahead may be ahead of its encoding threads; each
/// costs 3 to 4 MB at 1080p.
const SYNC_LOOKAHEAD: u32 = 5;
/// Most seconds from one key frame to the next.
const GOP_SECONDS: u32 = 4;
/// Bits per second and channel of sound.
const SOUND_BITS: u64 = 80_000;

/// Frames per second for the encoder's planning, inside sane bounds.
pub(super) fn planned_rate(options: &SinkOptions) -> (u32, u32) {
    match options.average_rate {
        Some((n, d)) if d > 0 && (1.0..=1000.0).contains(&(f64::from(n) / f64::from(d))) => (n, d),
        _ => (25, 1),
    }
}

/// Opens the video encoder; also gives its codec's Matroska name.
pub(super) fn video_encoder(
    options: &SinkOptions,
    coded: Size,
    splice: Option<&Splice>,
) -> Result<(Encoder, &'static str), MediaError> {
    #[derive(Clone, Copy)]
    enum Codec {
        X264,
        OpenH264,
        Vp9,
        Vp8,
    }
    let candidates: &[(Codec, &CStr)] = match options.container {
        _ if splice.is_some() => &[(Codec::X264, c"libx264")],
        Container::Mp4 => &[(Codec::X264, c"libx264"), (Codec::OpenH264, c"libopenh264")],
        Container::WebM => &[(Codec::Vp9, c"libvpx-vp9"), (Codec::Vp8, c"libvpx")],
    };
    let found = candidates.iter().copied().find(|c| encoder_exists(c.1));
    let (encoder, name) =
        found.ok_or_else(|| encoder_error("no suitable encoder in this build of FFmpeg"))?;
    let rate = planned_rate(options);
    let per_second = rate.0.div_ceil(rate.1.max(1));
    let gop = (per_second * GOP_SECONDS).clamp(12, 300);
    let quality = f32::from(options.quality.min(100)) / 100.0;
    let threads = match options.threads {
        0 => THREADS,
        n => u32::try_from(n).unwrap_or(THREADS).min(16),
    };
    // About 0.25 bit a pixel at full quality, where bits must be told.
    let pixels = coded.pixels() * u64::from(per_second);
    let bits = (pixels as f64 * 0.25 * f64::from(quality.max(0.1))) as u64;
    let text = |v: &str| v.to_owned();
    let vp_quality = || format!("{:.0}", 63.0 - quality * 43.75);
    let speed = match options.preset {
        Preset::Quick => "8",
        Preset::Standard => "7",
        Preset::Fine => "5",
    };
    let (private, bit_rate, codec): (Vec<(&str, String)>, u64, &'static str) = match encoder {
        Codec::X264 => {
            let preset = match options.preset {
                Preset::Quick => "superfast",
                Preset::Standard => "veryfast",
                Preset::Fine => "medium",
            };
            // Between carried groups key frames come exactly where the source
            // has them, so that neighbouring ones cannot be mistaken for one
            // another, and the stream has parameter sets of its own number.
            let keys = match splice {
                Some(splice) => {
                    let id = splice.set_id();
                    format!("keyint=infinite:min-keyint=1000000:sps-id={id}")
                }
                None => format!("keyint={gop}"),
            };
            let asm = instructions(coded);
            let options = vec![
                ("preset", text(preset)),
                ("profile", text(splice.map_or("high", Splice::profile))),
                ("forced-idr", text("1")),
                ("crf", format!("{:.2}", 51.0 - quality * 38.75)),
                ("a53cc", text("0")),
                // Looking ahead is more than half of the work at these presets:
                // it has a thread of its own, which splits every picture among
                // others. The bytes do not depend on how fast it is (the test
                // `timing_does_not_show_in_the_bytes`).
                (
                    "x264-params",
                    format!(
                        "open-gop=0:{keys}:sliced-threads=0:sync-lookahead={SYNC_LOOKAHEAD}:\
                         lookahead-threads={LOOKAHEAD_THREADS}{asm}"
                    ),
                ),
            ];
            (options, 0, "")
        }
        Codec::Vp9 => {
            let options = vec![
                ("deadline", text("realtime")),
                ("cpu-used", text(speed)),
                ("row-mt", text("1")),
                ("tile-columns", text("2")),
                ("lag-in-frames", text("0")),
                ("auto-alt-ref", text("0")),
                ("crf", vp_quality()),
            ];
            (options, 0, "V_VP9")
        }
        Codec::Vp8 => {
            let options = vec![
                ("deadline", text("realtime")),
                ("cpu-used", text(speed)),
                ("lag-in-frames", text("0")),
                ("auto-alt-ref", text("0")),
                ("crf", vp_quality()),
            ];
            (options, bits, "V_VP8")
        }
        Codec::OpenH264 => (vec![("allow_skip_frames", text("0"))], bits, ""),
    };
    let setup = VideoSetup {
        name,
        size: (coded.width, coded.height),
        sample_aspect: options.sample_aspect,
        time_base: options.time_base,
        rate,
        gop,
        threads,
        bit_rate,
        colour: splice.map_or_else(|| options.colour.cicp(), Splice::colour),
        options: &private,
    };
    Ok((Encoder::video(&setup).map_err(MediaError::encoder)?, codec))
}

/// Keeps x264 from its AVX-512 code where that is not safe.
///
/// At widths that are no multiple of 8 macroblocks its macroblock tree reads
/// memory there that nothing has written, so that the bytes of a file depend
/// on what the process has held before: a thing no redacted file may do
/// (seen in x264 164; shown by `MALLOC_PERTURB_`). Processors without
/// AVX-512 choose for themselves. With the feature `no-avx512` it is kept from
/// it at all widths.
fn instructions(coded: Size) -> &'static str {
    #[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
    if (cfg!(feature = "no-avx512") || !coded.width.div_ceil(16).is_multiple_of(8))
        && std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("avx2")
        && std::arch::is_x86_feature_detected!("fma")
        && std::arch::is_x86_feature_detected!("bmi2")
        && std::arch::is_x86_feature_detected!("lzcnt")
    {
        return ":asm=SSE2Fast,SSE4.2,LZCNT,AVX,FMA3,BMI2,AVX2";
    }
    ""
}

/// Opens the sound encoder.
pub(super) fn sound_encoder(container: Container, channels: u32) -> Result<SoundOut, MediaError> {
    if !(1..=2).contains(&channels) {
        return Err(encoder_error("sound must have one or two channels"));
    }
    let bits = SOUND_BITS * u64::from(channels);
    let setup = match container {
        Container::Mp4 => AudioSetup { name: c"aac", channels, packed: false, bit_rate: bits },
        Container::WebM => AudioSetup { name: c"libopus", channels, packed: true, bit_rate: bits },
    };
    debug_assert_eq!(SOUND_RATE, 48_000);
    let encoder = Encoder::audio(&setup).map_err(MediaError::encoder)?;
    SoundOut::new(encoder, channels).map_err(MediaError::encoder)
}
