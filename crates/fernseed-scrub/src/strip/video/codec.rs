//! Codecs: typed decoder configurations, and what of a coded sample is
//! picture or sound.

pub(super) mod aac;
pub(super) mod av1;
pub(super) mod bits;
pub(super) mod h264;
pub(super) mod hevc;
pub(super) mod mjpeg;
pub(super) mod mpeg;
pub(super) mod nal;
pub(super) mod sets;
pub(super) mod sound;
pub(super) mod vp9;

use super::StripError;

/// A codec with its configuration, parsed.
#[derive(Clone, Debug)]
pub(super) enum Codec {
    /// H.264 or HEVC.
    Nal(sets::Sets),
    /// AV1 with its sequence header.
    Av1(av1::Config),
    Vp8,
    Vp9(vp9::Config),
    /// MPEG-4 Visual, headers without user data.
    Mpeg4(Vec<u8>),
    /// MPEG-1 or MPEG-2 video.
    Mpeg12 {
        two: bool,
    },
    H263,
    Mjpeg,
    /// Apple ProRes, by its profile's code.
    ProRes([u8; 4]),
    /// A Windows codec by its code, with the few bytes its decoder wants.
    Windows {
        code: [u8; 4],
        extra: Vec<u8>,
    },
    Aac(aac::Config),
    /// MPEG audio of layer 1 to 3.
    Mpa(u8),
    /// AC-3 and E-AC-3; the configuration as in `dac3` and `dec3`.
    Ac3(Option<[u8; 3]>),
    Eac3(Option<Vec<u8>>),
    Opus(sound::Opus),
    /// Identification and setup header.
    Vorbis {
        head: Vec<u8>,
        setup: Vec<u8>,
    },
    /// `STREAMINFO`.
    Flac([u8; 34]),
    Alac([u8; 24]),
    Pcm(sound::Pcm),
    Amr {
        wide: bool,
    },
    Dts,
    /// Windows Media Audio: format tag, byte rate, block size, bits, extra.
    Wma {
        tag: u16,
        byte_rate: u32,
        block: u16,
        bits: u16,
        extra: Vec<u8>,
    },
}

/// What cleaning a sample brought to light.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) key: bool,
    pub(super) disposable: bool,
    /// Further layers were left out.
    pub(super) layers: bool,
    /// Units of private types were left out.
    pub(super) private: bool,
}

impl Codec {
    pub(super) const fn is_video(&self) -> bool {
        matches!(
            self,
            Self::Nal(_)
                | Self::Av1(_)
                | Self::Vp8
                | Self::Vp9(_)
                | Self::Mpeg4(_)
                | Self::Mpeg12 { .. }
                | Self::H263
                | Self::Mjpeg
                | Self::ProRes(_)
                | Self::Windows { .. }
        )
    }

    /// True if a sample can begin with a picture that needs none before it,
    /// whatever the container says.
    pub(super) const fn always_key(&self) -> bool {
        matches!(self, Self::Mjpeg | Self::ProRes(_)) || !self.is_video()
    }

    /// True if samples are opened; others are carried as they are.
    pub(super) const fn is_opened(&self) -> bool {
        matches!(
            self,
            Self::Nal(_)
                | Self::Av1(_)
                | Self::Mpeg4(_)
                | Self::Mpeg12 { .. }
                | Self::Mjpeg
                | Self::ProRes(_)
                | Self::Aac(_)
        )
    }

    /// Rebuilds one sample into `out`, which is emptied first.
    pub(super) fn clean(&mut self, sample: &[u8], out: &mut Vec<u8>) -> Result<Facts, StripError> {
        out.clear();
        match self {
            Self::Nal(sets) => sets.clean(sample, out),
            Self::Av1(config) => av1::clean(sample, config, out),
            Self::Mpeg4(_) => mpeg::clean_mpeg4(sample, out),
            Self::Mpeg12 { .. } => mpeg::clean_mpeg12(sample, out),
            Self::Mjpeg => mjpeg::clean(sample, out),
            Self::ProRes(_) => mpeg::clean_prores(sample, out),
            Self::Aac(_) => {
                aac::clean(sample, out);
                Ok(Facts::default())
            }
            _ => {
                out.extend_from_slice(sample);
                Ok(Facts::default())
            }
        }
    }
}
