//! From whatever colours a file holds to 8-bit sRGB.
//!
//! ICC profiles and calibrated colours go through `moxcms`; code points
//! (ITU-T H.273) with an HDR transfer go through [`tone`]. A description
//! that cannot be used is reported and the samples are taken as sRGB.

mod tone;

use super::StillError;
use super::guard::{guarded, zeroed};
use super::raster::{Channels, Samples};
use fernseed_core::finding::{Finding, FindingCode, Severity};
use moxcms::{
    CicpColorPrimaries, ColorPrimaries, ColorProfile, DataColorSpace, Layout, ToneReprCurve,
    TransformOptions,
};

/// Pixels handed to the colour engine at once.
const STRIP: usize = 1 << 14;
/// Largest ICC profile that is looked at, in bytes.
const MAX_PROFILE: usize = 16 << 20;

/// What samples mean as colours.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Colour {
    /// sRGB, or not said.
    Srgb,
    /// As an ICC profile says.
    Icc(Vec<u8>),
    /// Code points of ITU-T H.273, for full-range R'G'B'.
    Cicp {
        /// `ColourPrimaries`.
        primaries: u8,
        /// `TransferCharacteristics`.
        transfer: u8,
    },
    /// A power law and the primaries' places, as in PNG's gAMA and cHRM.
    Calibrated {
        /// Exponent from stored value to light, about 2.2.
        gamma: f32,
        /// xy of white, red, green, blue; sRGB's if not given.
        xy: Option<[[f32; 2]; 4]>,
    },
}

/// 8-bit sRGB: 4 bytes a pixel if `channels` has alpha, else 3.
pub(super) fn to_srgb8(
    samples: Samples,
    channels: Channels,
    colour: Colour,
    notes: &mut Vec<Finding>,
) -> Result<Vec<u8>, StillError> {
    if let Colour::Cicp { primaries, transfer } = colour
        && let Some(curve) = tone::Curve::from_cicp(transfer)
    {
        notes.push(Finding::new(
            FindingCode::ToneMapped,
            Severity::Notice,
            "The picture has high dynamic range; it was brought to standard range.",
        ));
        let rgb = in_rgb(widened(samples)?, channels)?;
        return tone::to_srgb8(&rgb, channels.has_alpha(), curve, primaries);
    }
    match profile(colour) {
        Ok(None) => {}
        Ok(Some(profile)) => match convert(&samples, channels, &profile) {
            Ok(Some(pixels)) => return Ok(pixels),
            // The profile says sRGB in other words.
            Ok(None) => {}
            Err(StillError::Limit { what }) => return Err(StillError::Limit { what }),
            Err(_) => notes.push(approximated()),
        },
        Err(_) => notes.push(approximated()),
    }
    match samples {
        Samples::U8(v) => in_rgb(v, channels),
        Samples::U16(v) => in_rgb(narrowed(&v)?, channels),
    }
}

fn approximated() -> Finding {
    Finding::new(
        FindingCode::ColourApproximated,
        Severity::Notice,
        "The picture's colour profile could not be used; its values were taken as sRGB.",
    )
}

/// The profile a description amounts to; `None` for sRGB.
fn profile(colour: Colour) -> Result<Option<ColorProfile>, StillError> {
    match colour {
        Colour::Srgb => Ok(None),
        Colour::Icc(icc) => {
            if icc.len() > MAX_PROFILE {
                return Err(StillError::Limit { what: "the colour profile" });
            }
            guarded("ICC", || {
                ColorProfile::new_from_slice(&icc).map(Some).map_err(StillError::damaged)
            })
        }
        Colour::Cicp { primaries, transfer } => Ok(cicp_profile(primaries, transfer)),
        Colour::Calibrated { gamma, xy } => {
            let xy = xy.unwrap_or([[0.3127, 0.329], [0.64, 0.33], [0.3, 0.6], [0.15, 0.06]]);
            let sane = |v: f32| (0.0..=1.0).contains(&v);
            if !(0.1..=10.0).contains(&gamma)
                || !xy.iter().flatten().all(|v| sane(*v))
                || xy.iter().any(|p| p[1] < 1e-4)
            {
                return Err(StillError::damaged("its calibration makes no sense"));
            }
            let mut profile = ColorProfile::new_srgb();
            let [white, red, green, blue] = xy.map(|[x, y]| moxcms::Chromaticity::new(x, y));
            profile.update_rgb_colorimetry(white.to_xyyb(), ColorPrimaries { red, green, blue });
            Ok(Some(with_gamma(profile, gamma)))
        }
    }
}

/// A profile from code points of H.273 with a standard-range transfer;
/// `None` where that is sRGB or as near as makes no difference. The camera
/// curves (BT.709 and its like) are taken as sRGB's, as browsers do.
fn cicp_profile(primaries: u8, transfer: u8) -> Option<ColorProfile> {
    let gamma = match transfer {
        4 => Some(2.2),
        5 => Some(2.8),
        8 => Some(1.0),
        17 => Some(2.6),
        _ => None,
    };
    // BT.2020, DCI P3, Display P3 and the xy of their whites.
    let named = match primaries {
        9 => Some((CicpColorPrimaries::Bt2020, [0.3127, 0.329])),
        11 => Some((CicpColorPrimaries::Smpte431, [0.314, 0.351])),
        12 => Some((CicpColorPrimaries::Smpte432, [0.3127, 0.329])),
        _ => None,
    };
    if gamma.is_none() && named.is_none() {
        return None;
    }
    let mut profile = ColorProfile::new_srgb();
    if let Some((named, [x, y])) = named
        && let Ok(primaries) = ColorPrimaries::try_from(named)
    {
        profile.update_rgb_colorimetry(moxcms::Chromaticity::new(x, y).to_xyyb(), primaries);
    }
    Some(match gamma {
        Some(gamma) => with_gamma(profile, gamma),
        None => profile,
    })
}

fn with_gamma(mut profile: ColorProfile, gamma: f32) -> ColorProfile {
    let curve = ToneReprCurve::Parametric(vec![gamma]);
    profile.red_trc = Some(curve.clone());
    profile.green_trc = Some(curve.clone());
    profile.blue_trc = Some(curve);
    profile.cicp = None;
    profile
}

/// The samples through the profile; `None` if it is sRGB within one level.
fn convert(
    samples: &Samples,
    channels: Channels,
    profile: &ColorProfile,
) -> Result<Option<Vec<u8>>, StillError> {
    // A grey picture with an RGB profile is an RGB picture that says so.
    let (channels, expanded) = match (profile.color_space, channels) {
        (DataColorSpace::Rgb, Channels::Gray) => (Channels::Rgb, true),
        (DataColorSpace::Rgb, Channels::GrayAlpha) => (Channels::Rgba, true),
        (DataColorSpace::Rgb, Channels::Rgb | Channels::Rgba)
        | (DataColorSpace::Gray, Channels::Gray | Channels::GrayAlpha)
        | (DataColorSpace::Cmyk, Channels::Cmyk) => (channels, false),
        _ => return Err(StillError::damaged("its colour profile is for another kind of picture")),
    };
    let (from, to) = match channels {
        Channels::Gray => (Layout::Gray, Layout::Rgb),
        Channels::GrayAlpha => (Layout::GrayAlpha, Layout::Rgba),
        Channels::Rgb => (Layout::Rgb, Layout::Rgb),
        Channels::Rgba => (Layout::Rgba, Layout::Rgba),
        // The engine's name for any four channels.
        Channels::Cmyk => (Layout::Rgba, Layout::Rgb),
    };
    let srgb = ColorProfile::new_srgb();
    let options = TransformOptions::default();
    guarded("ICC", || {
        if channels != Channels::Cmyk && is_srgb(profile, &srgb, options)? {
            return Ok(None);
        }
        let (n_in, n_out) = (channels.count(), if channels.has_alpha() { 4 } else { 3 });
        match samples {
            Samples::U8(v) => {
                let widened =
                    if expanded { Some(in_rgb(v.clone(), gray_of(channels))?) } else { None };
                let v = widened.as_deref().unwrap_or(v);
                let engine = profile
                    .create_transform_8bit(from, &srgb, to, options)
                    .map_err(StillError::damaged)?;
                let mut out = zeroed(v.len() / n_in * n_out)?;
                for (i, o) in v.chunks(STRIP * n_in).zip(out.chunks_mut(STRIP * n_out)) {
                    engine.transform(i, o).map_err(StillError::damaged)?;
                }
                Ok(Some(out))
            }
            Samples::U16(v) => {
                let widened =
                    if expanded { Some(in_rgb(v.clone(), gray_of(channels))?) } else { None };
                let v = widened.as_deref().unwrap_or(v);
                let engine = profile
                    .create_transform_16bit(from, &srgb, to, options)
                    .map_err(StillError::damaged)?;
                let mut out = zeroed(v.len() / n_in * n_out)?;
                let mut strip = zeroed(STRIP * n_out)?;
                for (i, o) in v.chunks(STRIP * n_in).zip(out.chunks_mut(STRIP * n_out)) {
                    let Some(wide) = strip.get_mut(..o.len()) else { continue };
                    engine.transform(i, wide).map_err(StillError::damaged)?;
                    for (byte, value) in o.iter_mut().zip(wide) {
                        *byte = narrow(*value);
                    }
                }
                Ok(Some(out))
            }
        }
    })
}

/// The grey layout that was expanded to this one.
const fn gray_of(channels: Channels) -> Channels {
    if channels.has_alpha() { Channels::GrayAlpha } else { Channels::Gray }
}

/// True if the profile changes no colour of a grid over all colours by more
/// than one level: most files say sRGB in the words of some vendor.
fn is_srgb(
    profile: &ColorProfile,
    srgb: &ColorProfile,
    options: TransformOptions,
) -> Result<bool, StillError> {
    let rgb = profile.color_space == DataColorSpace::Rgb;
    let (layout, n) = if rgb { (Layout::Rgb, 3) } else { (Layout::Gray, 1) };
    let engine = profile
        .create_transform_8bit(layout, srgb, Layout::Rgb, options)
        .map_err(StillError::damaged)?;
    let steps = || (0..=255_u8).step_by(15);
    let grid: Vec<u8> = if rgb {
        steps()
            .flat_map(|r| steps().flat_map(move |g| steps().flat_map(move |b| [r, g, b])))
            .collect()
    } else {
        (0..=255).collect()
    };
    let mut out = vec![0; grid.len() / n * 3];
    engine.transform(&grid, &mut out).map_err(StillError::damaged)?;
    Ok(grid.chunks_exact(n).zip(out.chunks_exact(3)).all(|(before, after)| {
        after.iter().zip(before.iter().cycle()).all(|(a, b)| a.abs_diff(*b) <= 1)
    }))
}

/// RGB or RGBA from any layout, without regard to profiles. CMYK by the
/// plain formula, as every viewer does that has no profile.
fn in_rgb<T: Level>(samples: Vec<T>, channels: Channels) -> Result<Vec<T>, StillError> {
    match channels {
        Channels::Rgb | Channels::Rgba => Ok(samples),
        Channels::Gray => {
            let mut out = zeroed(samples.len() * 3)?;
            for (to, v) in out.as_chunks_mut::<3>().0.iter_mut().zip(samples) {
                *to = [v; 3];
            }
            Ok(out)
        }
        Channels::GrayAlpha => {
            let mut out = zeroed(samples.len() * 2)?;
            let pairs = samples.as_chunks::<2>().0;
            for (to, [v, a]) in out.as_chunks_mut::<4>().0.iter_mut().zip(pairs) {
                *to = [*v, *v, *v, *a];
            }
            Ok(out)
        }
        Channels::Cmyk => {
            let mut out = zeroed(samples.len() / 4 * 3)?;
            let inks = samples.as_chunks::<4>().0;
            for (to, [c, m, y, k]) in out.as_chunks_mut::<3>().0.iter_mut().zip(inks) {
                *to = [c, m, y].map(|ink| ink.light_under(*k));
            }
            Ok(out)
        }
    }
}

/// A sample type over its whole range.
trait Level: Copy + Default {
    /// Light left by two inks, one printed over the other.
    fn light_under(self, other: Self) -> Self;
}

impl Level for u8 {
    fn light_under(self, other: Self) -> Self {
        let product = u16::from(Self::MAX - self) * u16::from(Self::MAX - other);
        ((product + 127) / 255) as Self
    }
}

impl Level for u16 {
    fn light_under(self, other: Self) -> Self {
        let product = u32::from(Self::MAX - self) * u32::from(Self::MAX - other);
        ((u64::from(product) + 32_767) / 65_535) as Self
    }
}

/// The 8-bit value nearest to a 16-bit one.
pub(super) const fn narrow(value: u16) -> u8 {
    // Exact rounding of value / 257 without a division.
    ((value as u32 * 255 + 32_895) >> 16) as u8
}

fn narrowed(wide: &[u16]) -> Result<Vec<u8>, StillError> {
    let mut out = zeroed(wide.len())?;
    for (to, from) in out.iter_mut().zip(wide) {
        *to = narrow(*from);
    }
    Ok(out)
}

fn widened(samples: Samples) -> Result<Vec<u16>, StillError> {
    match samples {
        Samples::U16(v) => Ok(v),
        Samples::U8(v) => {
            let mut out = zeroed(v.len())?;
            for (to, from) in out.iter_mut().zip(&v) {
                *to = u16::from(*from) * 257;
            }
            Ok(out)
        }
    }
}

#[cfg(test)]
mod tests;
