//! High dynamic range to standard range.
//!
//! Absolute light comes from the transfer curve (PQ: SMPTE ST 2084; HLG:
//! ARIB STD-B67 with the system gamma of a 1000 cd/m² display), relative to
//! the reference white of 203 cd/m² (ITU-R BT.2408). The brightest channel
//! is then rolled off above a knee, the others in proportion, so that hues
//! stay. Simple on purpose: the output is for publishing, not for grading.

use crate::still::StillError;
use crate::still::guard::zeroed;

/// Light of diffuse white in cd/m² (ITU-R BT.2408).
const REFERENCE_WHITE: f32 = 203.0;
/// Peak of the display HLG is shown on, in cd/m².
const HLG_PEAK: f32 = 1000.0;
/// Light, relative to reference white, below which nothing is changed.
const KNEE: f32 = 0.7;

/// An HDR transfer curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curve {
    /// Perceptual quantiser.
    Pq,
    /// Hybrid log-gamma.
    Hlg,
}

impl Curve {
    /// From `TransferCharacteristics` of ITU-T H.273; `None` for standard-range curves.
    pub(super) const fn from_cicp(transfer: u8) -> Option<Self> {
        match transfer {
            16 => Some(Self::Pq),
            18 => Some(Self::Hlg),
            _ => None,
        }
    }

    /// Light of a stored value 0 to 1: relative to reference white for PQ,
    /// scene light 0 to 1 for HLG.
    fn light(self, value: f32) -> f32 {
        match self {
            Self::Pq => {
                let p = value.powf(1.0 / 78.843_75);
                let top = (p - 0.835_937_5).max(0.0);
                let bottom = 18.851_563 - 18.687_5 * p;
                (top / bottom).powf(1.0 / 0.159_301_76) * 10_000.0 / REFERENCE_WHITE
            }
            Self::Hlg => {
                if value <= 0.5 {
                    value * value / 3.0
                } else {
                    (((value - 0.559_910_7) / 0.178_832_77).exp() + 0.284_668_92) / 12.0
                }
            }
        }
    }
}

/// Linear RGB of BT.2020 (ITU-R BT.2087) and of P3-D65 in linear sRGB.
const BT2020: [[f32; 3]; 3] = [
    [1.660_491, -0.587_641_1, -0.072_849_9],
    [-0.124_550_5, 1.132_899_9, -0.008_349_4],
    [-0.018_150_8, -0.100_578_9, 1.118_729_7],
];
const DISPLAY_P3: [[f32; 3]; 3] = [
    [1.224_940_2, -0.224_940_2, 0.0],
    [-0.042_056_9, 1.042_056_9, 0.0],
    [-0.019_637_6, -0.078_636_1, 1.098_273_7],
];

/// 8-bit sRGB from R'G'B' (3 samples a pixel, 4 with alpha).
pub(super) fn to_srgb8(
    samples: &[u16],
    alpha: bool,
    curve: Curve,
    primaries: u8,
) -> Result<Vec<u8>, StillError> {
    let light: Vec<f32> = (0..=u16::MAX).map(|v| curve.light(f32::from(v) / 65_535.0)).collect();
    let srgb: Vec<u8> = (0..=4096_u16).map(|v| encode(f32::from(v) / 4096.0)).collect();
    let matrix = match primaries {
        9 => Some(BT2020),
        11 | 12 => Some(DISPLAY_P3),
        _ => None,
    };
    let n = if alpha { 4 } else { 3 };
    let mut out = zeroed(samples.len())?;
    for (to, from) in out.chunks_exact_mut(n).zip(samples.chunks_exact(n)) {
        let mut rgb = [0.0; 3];
        for (v, s) in rgb.iter_mut().zip(from) {
            *v = light.get(usize::from(*s)).copied().unwrap_or(0.0);
        }
        if curve == Curve::Hlg {
            // System gamma 1.2: light grows with the power of luminance.
            let y = 0.2627 * rgb[0] + 0.678 * rgb[1] + 0.0593 * rgb[2];
            let gain = y.max(0.0).powf(0.2) * HLG_PEAK / REFERENCE_WHITE;
            rgb = rgb.map(|v| v * gain);
        }
        if let Some(m) = matrix {
            rgb = m.map(|row| row.iter().zip(&rgb).map(|(k, v)| k * v).sum());
        }
        let peak = rgb.iter().copied().fold(0.0, f32::max);
        if peak > KNEE {
            // Meets the knee with slope one and reaches white at infinity.
            let over = (peak - KNEE) / (1.0 - KNEE);
            let rolled = KNEE + (1.0 - KNEE) * over / (1.0 + over);
            rgb = rgb.map(|v| v * rolled / peak);
        }
        for (byte, v) in to.iter_mut().zip(rgb) {
            // The square root spreads the dark end, where the curve is steep.
            let index = (v.clamp(0.0, 1.0).sqrt() * 4096.0 + 0.5) as usize;
            *byte = srgb.get(index).copied().unwrap_or(255);
        }
        if let (Some(byte), Some(a)) = (to.get_mut(3), from.get(3)) {
            *byte = super::narrow(*a);
        }
    }
    Ok(out)
}

/// The sRGB byte for the square root of a light, 0 to 1.
fn encode(root: f32) -> u8 {
    let light = root * root;
    let v =
        if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 };
    (v * 255.0 + 0.5) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gray(curve: Curve, value: f32) -> u8 {
        let v = (value * 65_535.0) as u16;
        to_srgb8(&[v; 3], false, curve, 9).unwrap()[0]
    }

    #[test]
    fn pq_knows_its_anchors() {
        // ST 2084: 0.508 is 100 cd/m², 0.5806 is 203 cd/m², 1 is 10000 cd/m².
        assert!((Curve::Pq.light(0.508) * REFERENCE_WHITE - 100.0).abs() < 1.0);
        assert!((Curve::Pq.light(0.5806) - 1.0).abs() < 0.01);
        assert!((Curve::Pq.light(1.0) * REFERENCE_WHITE - 10_000.0).abs() < 1.0);
    }

    #[test]
    fn tones_stay_in_order() {
        for curve in [Curve::Pq, Curve::Hlg] {
            let tones: Vec<u8> = (0..=50).map(|i| gray(curve, i as f32 / 50.0)).collect();
            assert!(tones.is_sorted(), "{curve:?}");
            assert_eq!(tones[0], 0);
            assert!(tones[50] > 250);
        }
        // Diffuse white stays clearly bright, mid grey is untouched.
        assert!(gray(Curve::Pq, 0.5806) > 225);
        assert!(gray(Curve::Hlg, 0.75) > 215);
    }

    #[test]
    fn grey_stays_grey_in_every_gamut() {
        for primaries in [1, 9, 12] {
            let out = to_srgb8(&[30_000; 3], false, Curve::Pq, primaries).unwrap();
            assert!(out[0].abs_diff(out[1]) <= 1 && out[1].abs_diff(out[2]) <= 1, "{out:?}");
        }
    }
}
