//! The colour profiles this project writes: matrix and curve, nothing else
//! (ICC.1:2022). Data for the writers and for the audit alike; there is one
//! byte string for each colour space.

use std::collections::BTreeSet;
use std::sync::OnceLock;

/// Primaries of a colour space, with its white.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Primaries {
    /// IEC 61966-2-1 and ITU-R BT.709.
    Srgb,
    /// SMPTE RP 431-2 primaries, white D65.
    DisplayP3,
    /// Adobe RGB (1998).
    AdobeRgb,
    /// ITU-R BT.2020.
    Rec2020,
    /// ROMM RGB, ISO 22028-2.
    ProPhoto,
}

/// Transfer curve, from code value to light.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Curve {
    /// IEC 61966-2-1.
    Srgb,
    /// A power of 1.8.
    Gamma18,
    /// A power of 2.19921875 (563/256).
    Gamma22,
    /// A power of 1.
    Linear,
    /// ITU-R BT.709.
    Rec709,
}

/// A colour space; without primaries it is one of greys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Space {
    pub(crate) primaries: Option<Primaries>,
    pub(crate) curve: Curve,
}

pub(crate) const PRIMARIES: [Primaries; 5] = [
    Primaries::Srgb,
    Primaries::DisplayP3,
    Primaries::AdobeRgb,
    Primaries::Rec2020,
    Primaries::ProPhoto,
];
pub(crate) const CURVES: [Curve; 5] =
    [Curve::Srgb, Curve::Gamma18, Curve::Gamma22, Curve::Linear, Curve::Rec709];

impl Primaries {
    /// Columns of the matrix to XYZ under D50: red, green, blue.
    pub(crate) const fn columns(self) -> [[f64; 3]; 3] {
        match self {
            Self::Srgb => [
                [0.43607, 0.22249, 0.01392],
                [0.38515, 0.71687, 0.09708],
                [0.14307, 0.06061, 0.71410],
            ],
            Self::DisplayP3 => [
                [0.51512, 0.24120, -0.00105],
                [0.29198, 0.69225, 0.04189],
                [0.15710, 0.06657, 0.78407],
            ],
            Self::AdobeRgb => [
                [0.60974, 0.31111, 0.01947],
                [0.20528, 0.62567, 0.06087],
                [0.14919, 0.06322, 0.74457],
            ],
            Self::Rec2020 => [
                [0.67346, 0.27903, -0.00193],
                [0.16566, 0.67534, 0.02998],
                [0.12510, 0.04563, 0.79686],
            ],
            Self::ProPhoto => {
                [[0.79767, 0.28804, 0.0], [0.13519, 0.71187, 0.0], [0.03134, 0.00009, 0.82491]]
            }
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Srgb => "sRGB",
            Self::DisplayP3 => "Display P3",
            Self::AdobeRgb => "Adobe RGB",
            Self::Rec2020 => "Rec2020",
            Self::ProPhoto => "ProPhoto",
        }
    }
}

impl Curve {
    /// Type and parameters of a parametric curve (ICC.1, 10.18).
    const fn parameters(self) -> (u16, &'static [f64]) {
        match self {
            Self::Srgb => (3, &[2.4, 1.0 / 1.055, 0.055 / 1.055, 1.0 / 12.92, 0.04045]),
            Self::Gamma18 => (0, &[1.8]),
            Self::Gamma22 => (0, &[2.199_218_75]),
            Self::Linear => (0, &[1.0]),
            Self::Rec709 => (3, &[1.0 / 0.45, 1.0 / 1.099, 0.099 / 1.099, 1.0 / 4.5, 0.081]),
        }
    }

    /// Light of a code value, both from 0 to 1.
    pub(crate) fn light(self, x: f64) -> f64 {
        match self.parameters() {
            (3, &[g, a, b, c, d]) => {
                if x >= d {
                    (a * x + b).powf(g)
                } else {
                    c * x
                }
            }
            (_, p) => x.powf(p.first().copied().unwrap_or(1.0)),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Srgb => "sRGB curve",
            Self::Gamma18 => "gamma 1.8",
            Self::Gamma22 => "gamma 2.2",
            Self::Linear => "linear",
            Self::Rec709 => "Rec709 curve",
        }
    }
}

impl Space {
    /// What every viewer assumes where nothing is said.
    pub(crate) const fn is_assumed(self) -> bool {
        matches!(self, Self { primaries: None | Some(Primaries::Srgb), curve: Curve::Srgb })
    }

    /// Name for people.
    pub(crate) fn name(self) -> String {
        match self.primaries {
            Some(p) => format!("{}, {}", p.name(), self.curve.name()),
            None => format!("grey, {}", self.curve.name()),
        }
    }

    /// The profile.
    pub(crate) fn profile(self) -> Vec<u8> {
        let curve = parametric(self.curve);
        let mut tags: Vec<([u8; 4], Vec<u8>)> = vec![
            (*b"desc", localized(&self.name())),
            (*b"cprt", localized("CC0")),
            (*b"wtpt", xyz([0.9642, 1.0, 0.8249])),
        ];
        match self.primaries {
            Some(p) => {
                let [r, g, b] = p.columns();
                tags.push((*b"chad", adaptation(p)));
                tags.extend([(*b"rXYZ", xyz(r)), (*b"gXYZ", xyz(g)), (*b"bXYZ", xyz(b))]);
                tags.extend([*b"rTRC", *b"gTRC", *b"bTRC"].map(|k| (k, curve.clone())));
            }
            None => tags.push((*b"kTRC", curve)),
        }
        let mut table = (tags.len() as u32).to_be_bytes().to_vec();
        let mut data: Vec<u8> = Vec::new();
        let start = 132 + 12 * tags.len();
        let mut last: Option<(Vec<u8>, usize)> = None;
        for (kind, value) in tags {
            let at = match &last {
                Some((same, at)) if *same == value => *at,
                _ => {
                    let at = start + data.len();
                    data.extend(&value);
                    data.resize(data.len().next_multiple_of(4), 0);
                    at
                }
            };
            table.extend(kind);
            table.extend((at as u32).to_be_bytes());
            table.extend((value.len() as u32).to_be_bytes());
            last = Some((value, at));
        }
        let mut out = ((start + data.len()) as u32).to_be_bytes().to_vec();
        out.extend([0, 0, 0, 0, 4, 0x20, 0, 0]);
        out.extend(b"mntr");
        out.extend(if self.primaries.is_some() { b"RGB " } else { b"GRAY" });
        out.extend(b"XYZ ");
        // 1 January 2000, for a date has to be there.
        out.extend([0x07, 0xD0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]);
        out.extend(b"acsp");
        out.extend([0; 28]);
        out.extend([0, 0, 0xF6, 0xD6, 0, 1, 0, 0, 0, 0, 0xD3, 0x2D]);
        out.extend([0; 48]);
        out.extend(table);
        out.extend(data);
        out
    }
}

/// Every profile there is.
pub(crate) fn all() -> &'static [(Space, Vec<u8>)] {
    static ALL: OnceLock<Vec<(Space, Vec<u8>)>> = OnceLock::new();
    ALL.get_or_init(|| {
        let primaries = PRIMARIES.iter().map(|&p| Some(p)).chain([None]);
        primaries
            .flat_map(|primaries| CURVES.map(|curve| Space { primaries, curve }))
            .filter(|s| !s.is_assumed())
            .map(|s| (s, s.profile()))
            .collect()
    })
}

/// Every run of printable ASCII in them, each once, with a NUL after it: as
/// bytes, and as the UTF-16 of `mluc` text (ICC.1, 10.15).
pub(crate) fn words() -> &'static str {
    static WORDS: OnceLock<String> = OnceLock::new();
    WORDS.get_or_init(|| {
        let mut runs = BTreeSet::new();
        for (_, profile) in all() {
            let narrow = profile.iter().copied();
            let wide = |shift| {
                let pairs = profile.get(shift..).unwrap_or_default().chunks_exact(2);
                pairs.map(|p| if let [0, low] = *p { low } else { 0 })
            };
            runs.extend(printable(narrow));
            runs.extend(printable(wide(0)));
            runs.extend(printable(wide(1)));
        }
        runs.into_iter().map(|run| run + "\0").collect()
    })
}

/// Runs of printable ASCII that could be a word.
fn printable(bytes: impl Iterator<Item = u8>) -> Vec<String> {
    let text: String =
        bytes.map(|b| if matches!(b, 0x20..=0x7E) { char::from(b) } else { '\0' }).collect();
    text.split('\0').filter(|run| run.len() >= 4).map(str::to_owned).collect()
}

/// True if `bytes` is one of the profiles this project writes.
pub(crate) fn is_ours(bytes: &[u8]) -> bool {
    all().iter().any(|(_, p)| p == bytes)
}

fn fixed(value: f64) -> [u8; 4] {
    ((value * 65536.0).round() as i32).to_be_bytes()
}

fn xyz(v: [f64; 3]) -> Vec<u8> {
    let mut out = b"XYZ \0\0\0\0".to_vec();
    out.extend(v.iter().flat_map(|&x| fixed(x)));
    out
}

fn adaptation(p: Primaries) -> Vec<u8> {
    // Bradford, D65 to D50; ROMM RGB has D50 itself.
    let matrix = match p {
        Primaries::ProPhoto => [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        _ => [1.04788, 0.02292, -0.0502, 0.02959, 0.99048, -0.01706, -0.00925, 0.01508, 0.75168],
    };
    let mut out = b"sf32\0\0\0\0".to_vec();
    out.extend(matrix.iter().flat_map(|&x| fixed(x)));
    out
}

fn parametric(curve: Curve) -> Vec<u8> {
    let (kind, parameters) = curve.parameters();
    let mut out = b"para\0\0\0\0".to_vec();
    out.extend(kind.to_be_bytes());
    out.extend([0, 0]);
    out.extend(parameters.iter().flat_map(|&x| fixed(x)));
    out
}

fn localized(text: &str) -> Vec<u8> {
    let mut out = b"mluc\0\0\0\0\0\0\0\x01\0\0\0\x0CenUS".to_vec();
    let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    out.extend((units.len() as u32).to_be_bytes());
    out.extend(28u32.to_be_bytes());
    out.extend(units);
    out
}
