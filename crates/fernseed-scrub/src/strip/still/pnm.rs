//! PBM, PGM, PPM and PAM (Netpbm): one picture, samples in binary, a header
//! of one form.

use super::{Built, Outcome, StripError, damaged, too_large, truncated};

/// Most samples.
const MAX_SAMPLES: u64 = 160 << 20;

pub(super) fn looks_like(head: &[u8]) -> bool {
    matches!(head, [b'P', b'1'..=b'7', b' ' | b'\t' | b'\r' | b'\n' | b'#', ..])
}

struct Text<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Text<'a> {
    /// The next word, past blanks and comments.
    fn word(&mut self) -> Option<&'a [u8]> {
        loop {
            match self.data.get(self.at)? {
                b'#' => {
                    while !matches!(self.data.get(self.at)?, b'\n' | b'\r') {
                        self.at += 1;
                    }
                }
                b if b.is_ascii_whitespace() => self.at += 1,
                _ => break,
            }
        }
        let from = self.at;
        while self.data.get(self.at).is_some_and(|b| !b.is_ascii_whitespace() && *b != b'#') {
            self.at += 1;
        }
        self.data.get(from..self.at)
    }

    fn number(&mut self) -> Option<u32> {
        std::str::from_utf8(self.word()?).ok()?.parse().ok()
    }
}

#[derive(Clone, Copy)]
struct Shape {
    width: u32,
    height: u32,
    depth: u32,
    maximum: u32,
}

impl Shape {
    fn samples(&self) -> Result<u64, StripError> {
        let n = u64::from(self.width)
            .checked_mul(self.height.into())
            .and_then(|n| n.checked_mul(self.depth.into()));
        n.filter(|&n| n <= MAX_SAMPLES).ok_or_else(|| too_large("the picture has too many samples"))
    }

    fn check(self) -> Result<Self, StripError> {
        let good = self.width > 0
            && self.height > 0
            && (1..=65_535).contains(&self.maximum)
            && (1..=4).contains(&self.depth);
        if good { Ok(self) } else { Err(damaged("the header")) }
    }
}

pub(super) fn rebuild(data: &[u8]) -> Outcome {
    let kind = data.get(1).copied().unwrap_or(0);
    let mut text = Text { data, at: 2 };
    if kind == b'7' {
        return pam(text);
    }
    let bad = || damaged("the header");
    let bits = matches!(kind, b'1' | b'4');
    let colour = matches!(kind, b'3' | b'6');
    let shape = Shape {
        width: text.number().ok_or_else(bad)?,
        height: text.number().ok_or_else(bad)?,
        depth: if colour { 3 } else { 1 },
        maximum: if bits { 1 } else { text.number().ok_or_else(bad)? },
    }
    .check()?;
    let count = shape.samples()?;
    let (body, end) = if matches!(kind, b'1'..=b'3') {
        let samples = plain(&mut text, count, shape.maximum, bits)?;
        let body = if bits { pack_bits(&samples, shape.width) } else { bytes(&samples, shape.maximum) };
        (body, text.at)
    } else {
        // One blank ends the header.
        let from = text.at + 1;
        let len = if bits {
            u64::from(shape.width.div_ceil(8)) * u64::from(shape.height)
        } else {
            count * if shape.maximum > 255 { 2 } else { 1 }
        };
        let end = from + len as usize;
        let mut body = data.get(from..end).ok_or_else(|| truncated("the samples"))?.to_vec();
        if bits {
            clear_padding(&mut body, shape.width);
        } else {
            within(&body, shape.maximum)?;
        }
        (body, end)
    };
    let (name, extension) = match (bits, colour) {
        (true, _) => (b'4', "pbm"),
        (_, false) => (b'5', "pgm"),
        _ => (b'6', "ppm"),
    };
    let mut out = format!("P{}\n{} {}\n", char::from(name), shape.width, shape.height).into_bytes();
    if !bits {
        out.extend(format!("{}\n", shape.maximum).into_bytes());
    }
    out.extend(body);
    Ok(Built { container: "PNM picture", extension, bytes: out, notes: tail(data, end) })
}

fn tail(data: &[u8], end: usize) -> Vec<String> {
    let left = data.get(end..).unwrap_or_default();
    if left.iter().all(u8::is_ascii_whitespace) {
        return Vec::new();
    }
    vec![format!("{} bytes after the first picture are left out.", left.len())]
}

fn plain(text: &mut Text<'_>, count: u64, maximum: u32, bits: bool) -> Result<Vec<u16>, StripError> {
    let mut out = Vec::new();
    let short = || truncated("the samples");
    while (out.len() as u64) < count {
        if bits {
            // Digits of a bitmap need no blanks between them.
            for digit in text.word().ok_or_else(short)? {
                match digit {
                    _ if out.len() as u64 == count => break,
                    b'0' => out.push(0),
                    b'1' => out.push(1),
                    _ => return Err(damaged("the samples")),
                }
            }
        } else {
            let value = text.number().filter(|&v| v <= maximum).ok_or_else(short)?;
            out.push(value as u16);
        }
    }
    Ok(out)
}

fn pack_bits(samples: &[u16], width: u32) -> Vec<u8> {
    samples
        .chunks(width.max(1) as usize)
        .flat_map(|row| {
            row.chunks(8).map(|b| {
                b.iter().zip((0..8).rev()).fold(0u8, |all, (&v, shift)| all | (v as u8) << shift)
            })
        })
        .collect()
}

fn clear_padding(body: &mut [u8], width: u32) {
    let used = width % 8;
    if used > 0 {
        for row in body.chunks_exact_mut(width.div_ceil(8) as usize) {
            if let Some(last) = row.last_mut() {
                *last &= !(0xFFu8 >> used);
            }
        }
    }
}

fn bytes(samples: &[u16], maximum: u32) -> Vec<u8> {
    if maximum > 255 {
        samples.iter().flat_map(|v| v.to_be_bytes()).collect()
    } else {
        samples.iter().map(|&v| v as u8).collect()
    }
}

/// Samples above the maximum are shown as the maximum by some viewers and
/// not at all by others: a place to hide.
fn within(body: &[u8], maximum: u32) -> Result<(), StripError> {
    let good = if maximum > 255 {
        body.chunks_exact(2).all(|v| u32::from(v[0]) << 8 | u32::from(v[1]) <= maximum)
    } else {
        maximum == 255 || body.iter().all(|&v| u32::from(v) <= maximum)
    };
    if good { Ok(()) } else { Err(damaged("samples above the maximum")) }
}

/// The kinds of tuples that have a meaning, with their depth.
const TUPLES: [(&str, u32); 6] = [
    ("BLACKANDWHITE", 1),
    ("GRAYSCALE", 1),
    ("RGB", 3),
    ("BLACKANDWHITE_ALPHA", 2),
    ("GRAYSCALE_ALPHA", 2),
    ("RGB_ALPHA", 4),
];

fn pam(mut text: Text<'_>) -> Outcome {
    let bad = || damaged("the header");
    let (mut numbers, mut tuple) = ([None; 4], None);
    loop {
        let word = text.word().ok_or_else(bad)?;
        let place = match word {
            b"ENDHDR" => break,
            b"WIDTH" => 0,
            b"HEIGHT" => 1,
            b"DEPTH" => 2,
            b"MAXVAL" => 3,
            b"TUPLTYPE" => {
                let name = text.word().ok_or_else(bad)?;
                tuple = TUPLES.iter().find(|t| t.0.as_bytes() == name);
                continue;
            }
            _ => return Err(bad()),
        };
        let value = text.number().ok_or_else(bad)?;
        if let Some(slot) = numbers.get_mut(place) {
            *slot = Some(value);
        }
    }
    let [Some(width), Some(height), Some(depth), Some(maximum)] = numbers else {
        return Err(bad());
    };
    let shape = Shape { width, height, depth, maximum }.check()?;
    let tuple = tuple
        .filter(|t| t.1 == depth)
        .or_else(|| TUPLES.iter().skip(1).find(|t| t.1 == depth))
        .ok_or_else(bad)?;
    let from = text.at + 1;
    let end = from + (shape.samples()? * if maximum > 255 { 2 } else { 1 }) as usize;
    let body = text.data.get(from..end).ok_or_else(|| truncated("the samples"))?;
    within(body, maximum)?;
    let mut out = format!(
        "P7\nWIDTH {width}\nHEIGHT {height}\nDEPTH {depth}\nMAXVAL {maximum}\nTUPLTYPE {}\nENDHDR\n",
        tuple.0
    )
    .into_bytes();
    out.extend(body);
    Ok(Built { container: "PAM picture", extension: "pam", bytes: out, notes: tail(text.data, end) })
}
