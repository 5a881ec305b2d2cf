//! Which standard colour space a profile is equal to, judged by its
//! primaries and its curve; its name is not believed.

use super::{StripError, needs};
use crate::bytes::{be16, be32, part};
use crate::profiles::{CURVES, Curve, PRIMARIES, Primaries, Space};

/// Largest profile that is read.
const MAX_PROFILE: usize = 16 << 20;
/// Most that a column of the matrix may differ, in XYZ.
const PRIMARY_TOLERANCE: f64 = 0.003;
/// Most that a curve may differ, in code values of 8 bits.
const CURVE_TOLERANCE: f64 = 1.5;

/// The standard space that equals `profile`.
///
/// # Errors
/// [`StripError::NeedsReencoding`] if there is none: then only converting
/// the pixels takes the profile away.
pub(super) fn recognise(profile: &[u8]) -> Result<Space, StripError> {
    read(profile).ok_or_else(|| {
        needs("its colour profile equals no standard one, so the colours have to be converted")
    })
}

fn read(p: &[u8]) -> Option<Space> {
    if p.len() > MAX_PROFILE || part(p, 36, 4)? != b"acsp" {
        return None;
    }
    let tag = |kind: &[u8; 4]| {
        let count = be32(p, 128)?.min(200) as usize;
        (0..count).map(|i| 132 + 12 * i).find_map(|at| {
            let value = part(p, be32(p, at + 4)? as usize, be32(p, at + 8)? as usize);
            (part(p, at, 4)? == kind).then_some(value).flatten()
        })
    };
    // Tables win over matrix and curve where both are there.
    if [b"A2B0", b"A2B1", b"D2B0"].iter().any(|k| tag(k).is_some()) {
        return None;
    }
    match part(p, 16, 4)? {
        b"RGB " => {
            let columns = [b"rXYZ", b"gXYZ", b"bXYZ"].map(|k| tag(k).and_then(xyz));
            let [Some(r), Some(g), Some(b)] = columns else { return None };
            let primaries = primaries(&[r, g, b])?;
            let curves = [b"rTRC", b"gTRC", b"bTRC"].map(|k| tag(k).and_then(curve));
            let [Some(first), Some(second), Some(third)] = curves else { return None };
            (first == second && second == third)
                .then_some(Space { primaries: Some(primaries), curve: first })
        }
        b"GRAY" => Some(Space { primaries: None, curve: tag(b"kTRC").and_then(curve)? }),
        _ => None,
    }
}

fn primaries(columns: &[[f64; 3]; 3]) -> Option<Primaries> {
    PRIMARIES.into_iter().find(|p| {
        let near = |a: &[f64; 3], b: &[f64; 3]| {
            a.iter().zip(b).all(|(a, b)| (a - b).abs() <= PRIMARY_TOLERANCE)
        };
        p.columns().iter().zip(columns).all(|(a, b)| near(a, b))
    })
}

fn fixed(b: &[u8], at: usize) -> Option<f64> {
    be32(b, at).map(|v| f64::from(v as i32) / 65536.0)
}

fn xyz(b: &[u8]) -> Option<[f64; 3]> {
    (part(b, 0, 4)? == b"XYZ ").then_some(())?;
    Some([fixed(b, 8)?, fixed(b, 12)?, fixed(b, 16)?])
}

/// A curve as it stands in a profile.
enum Written<'a> {
    Parametric(u16, Vec<f64>),
    Table(&'a [u8]),
}

impl Written<'_> {
    fn light(&self, x: f64) -> Option<f64> {
        match self {
            Self::Table(points) => {
                let last = (points.len() / 2).checked_sub(1)?;
                let place = x * last as f64;
                let below = (place.floor() as usize).min(last.saturating_sub(1));
                let at = |i: usize| be16(points, 2 * i).map(|v| f64::from(v) / 65535.0);
                let (a, b) = (at(below)?, at((below + 1).min(last))?);
                Some((b - a).mul_add(place - below as f64, a))
            }
            Self::Parametric(kind, p) => {
                let p = |i: usize| p.get(i).copied().unwrap_or(0.0);
                let (g, a, b) = (p(0), p(1), p(2));
                let power = (a * x + b).max(0.0).powf(g);
                Some(match kind {
                    0 => x.powf(g),
                    1 => if x >= -b / a { power } else { 0.0 },
                    2 => if x >= -b / a { power + p(3) } else { p(3) },
                    3 => if x >= p(4) { power } else { p(3) * x },
                    4 => if x >= p(4) { power + p(5) } else { p(3) * x + p(6) },
                    _ => return None,
                })
            }
        }
    }
}

fn curve(b: &[u8]) -> Option<Curve> {
    let written = match part(b, 0, 4)? {
        b"para" => {
            let kind = be16(b, 8)?;
            let count = *[1usize, 3, 4, 5, 7].get(usize::from(kind))?;
            let list: Option<Vec<f64>> = (0..count).map(|i| fixed(b, 12 + 4 * i)).collect();
            Written::Parametric(kind, list?)
        }
        b"curv" => match be32(b, 8)? as usize {
            0 => Written::Parametric(0, vec![1.0]),
            1 => Written::Parametric(0, vec![f64::from(be16(b, 12)?) / 256.0]),
            count => Written::Table(part(b, 12, count.checked_mul(2)?)?),
        },
        _ => return None,
    };
    CURVES.into_iter().find(|&c| same(&written, c))
}

fn same(written: &Written<'_>, standard: Curve) -> bool {
    (0..=64).all(|i| {
        let x = f64::from(i) / 64.0;
        let step = CURVE_TOLERANCE / 255.0;
        written.light(x).is_some_and(|y| {
            // The code value that the standard curve has for this light
            // must be near.
            y >= standard.light((x - step).max(0.0)) - 1e-4
                && y <= standard.light((x + step).min(1.0)) + 1e-4
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_of_ours_is_recognised_as_itself() {
        for (space, profile) in crate::profiles::all() {
            assert_eq!(read(profile), Some(*space));
        }
        let srgb = Space { primaries: Some(Primaries::Srgb), curve: Curve::Srgb };
        assert_eq!(read(&srgb.profile()), Some(srgb));
    }

    #[test]
    fn a_profile_with_other_primaries_or_curve_is_not_ours() {
        let mut profile = Space { primaries: Some(Primaries::Srgb), curve: Curve::Srgb }.profile();
        let at = profile.windows(4).rposition(|w| w == b"XYZ ").unwrap();
        profile[at + 10] ^= 0x40;
        assert_eq!(read(&profile), None);
        assert_eq!(read(b"acsp"), None);
    }
}
