//! What the samples of a video mean.
//!
//! Numbers are the code points of ITU-T H.273 (CICP), which H.264, HEVC,
//! VP9, AV1, MP4 (`nclx`) and Matroska share. Only allow-listed values are
//! carried from source to output; everything else becomes the usual value
//! for the picture's matrix.

use fernseed_core::Size;
use fernseed_core::picture::{YuvColour, YuvMatrix};

/// A colour description in code points of ITU-T H.273.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cicp {
    /// Colour primaries (table 2); 2 is unspecified.
    pub primaries: u8,
    /// Transfer characteristics (table 3); 2 is unspecified.
    pub transfer: u8,
    /// Matrix coefficients (table 4); 2 is unspecified, 0 is R'G'B'.
    pub matrix: u8,
    /// True if samples span the full range.
    pub full_range: bool,
}

/// High-dynamic-range curves that are mapped to standard range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hdr {
    /// SMPTE ST 2084, perceptual quantisation (HDR10 and its kin).
    Pq,
    /// ARIB STD-B67, hybrid log-gamma.
    Hlg,
}

/// Colour primaries that may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Primaries {
    /// ITU-R BT.709 and sRGB.
    Bt709,
    /// ITU-R BT.601, 625 lines.
    Bt470Bg,
    /// ITU-R BT.601, 525 lines.
    Smpte170M,
    /// ITU-R BT.2020.
    Bt2020,
    /// Display P3 (SMPTE EG 432-1).
    DisplayP3,
}

/// Transfer characteristics that may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// ITU-R BT.709.
    Bt709,
    /// ITU-R BT.601, the same curve under its own number.
    Smpte170M,
    /// IEC 61966-2-1 (sRGB).
    Srgb,
    /// ITU-R BT.2020, the same curve again.
    Bt2020,
}

/// The colour of delivered and written pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    /// Matrix and range of the Y'CbCr samples.
    pub yuv: YuvColour,
    /// Colour primaries.
    pub primaries: Primaries,
    /// Transfer characteristics.
    pub transfer: Transfer,
}

impl Colour {
    /// Limited-range BT.709, what high-definition video is.
    pub const BT709: Self =
        Self { yuv: YuvColour::BT709, primaries: Primaries::Bt709, transfer: Transfer::Bt709 };

    /// The code points to write.
    #[must_use]
    pub const fn cicp(self) -> Cicp {
        Cicp {
            primaries: match self.primaries {
                Primaries::Bt709 => 1,
                Primaries::Bt470Bg => 5,
                Primaries::Smpte170M => 6,
                Primaries::Bt2020 => 9,
                Primaries::DisplayP3 => 12,
            },
            transfer: match self.transfer {
                Transfer::Bt709 => 1,
                Transfer::Smpte170M => 6,
                Transfer::Srgb => 13,
                Transfer::Bt2020 => 14,
            },
            matrix: match self.yuv.matrix {
                YuvMatrix::Bt709 => 1,
                YuvMatrix::Bt601 => 6,
                YuvMatrix::Bt2020 => 9,
            },
            full_range: self.yuv.full_range,
        }
    }
}

/// How a source's samples become delivered ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ColourPlan {
    /// Colour of the delivered pictures.
    pub(super) colour: Colour,
    /// Set if the samples are tone-mapped.
    pub(super) hdr: Option<Hdr>,
    /// True if something could not be honoured.
    pub(super) approximated: bool,
}

/// Decides on the colour of the delivered pictures from a source's tags.
///
/// A file that does not name its matrix is taken as players take it: small
/// pictures as BT.601, others as BT.709.
pub(super) fn plan(source: Cicp, rgb: bool, size: Size) -> ColourPlan {
    let hdr = match source.transfer {
        16 => Some(Hdr::Pq),
        18 => Some(Hdr::Hlg),
        _ => None,
    };
    if hdr.is_some() {
        // Constant luminance (10) and ICtCp (14) would need other maths.
        let approximated = !matches!(source.matrix, 2 | 9);
        return ColourPlan { colour: Colour::BT709, hdr, approximated };
    }
    let mut approximated = false;
    let small = size.height.min(size.width) <= 576 && size.width.max(size.height) <= 1024;
    let matrix = match source.matrix {
        _ if rgb => YuvMatrix::Bt709,
        1 => YuvMatrix::Bt709,
        4..=6 => YuvMatrix::Bt601,
        9 => YuvMatrix::Bt2020,
        0 | 2 | 3 => {
            if small {
                YuvMatrix::Bt601
            } else {
                YuvMatrix::Bt709
            }
        }
        _ => {
            approximated = true;
            YuvMatrix::Bt709
        }
    };
    let usual = match matrix {
        YuvMatrix::Bt601 => (Primaries::Smpte170M, Transfer::Smpte170M),
        YuvMatrix::Bt709 => (Primaries::Bt709, Transfer::Bt709),
        YuvMatrix::Bt2020 => (Primaries::Bt2020, Transfer::Bt2020),
    };
    let primaries = match source.primaries {
        1 => Primaries::Bt709,
        5 => Primaries::Bt470Bg,
        6 | 7 => Primaries::Smpte170M,
        9 => Primaries::Bt2020,
        12 => Primaries::DisplayP3,
        0 | 2 | 3 => usual.0,
        _ => {
            approximated = true;
            usual.0
        }
    };
    let transfer = match source.transfer {
        1 => Transfer::Bt709,
        6 => Transfer::Smpte170M,
        13 => Transfer::Srgb,
        14 | 15 => Transfer::Bt2020,
        // Gamma 2.2 and 2.8 (4, 5) are near enough to be shown alike.
        0 | 2..=5 => usual.1,
        _ => {
            approximated = true;
            usual.1
        }
    };
    let yuv = YuvColour { matrix, full_range: source.full_range && !rgb };
    ColourPlan { colour: Colour { yuv, primaries, transfer }, hdr: None, approximated }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Cicp = Cicp { primaries: 2, transfer: 2, matrix: 2, full_range: false };

    #[test]
    fn silence_is_read_as_players_read_it() {
        let sd = plan(NONE, false, Size::new(640, 480));
        assert_eq!(sd.colour.yuv.matrix, YuvMatrix::Bt601);
        assert_eq!(sd.colour.cicp().matrix, 6);
        let hd = plan(NONE, false, Size::new(1920, 1080));
        assert_eq!(hd.colour, Colour::BT709);
        assert!(!sd.approximated && !hd.approximated);
    }

    #[test]
    fn only_listed_code_points_come_through() {
        for primaries in 0..=255 {
            for transfer in 0..=255 {
                let source = Cicp { primaries, transfer, matrix: 1, full_range: true };
                let out = plan(source, false, Size::new(1920, 1080));
                assert!([1, 5, 6, 9, 12].contains(&out.colour.cicp().primaries));
                assert!([1, 6, 13, 14].contains(&out.colour.cicp().transfer));
            }
        }
    }

    #[test]
    fn hdr_becomes_bt709() {
        let pq = Cicp { primaries: 9, transfer: 16, matrix: 9, full_range: false };
        let out = plan(pq, false, Size::new(3840, 2160));
        assert_eq!((out.colour, out.hdr), (Colour::BT709, Some(Hdr::Pq)));
    }
}
