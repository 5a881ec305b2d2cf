//! Motion JPEG: the segments a decoder needs (ITU-T T.81, Annex B).

use super::Facts;
use crate::bytes::be16;
use crate::strip::StripError;

fn broken() -> StripError {
    StripError::Damaged("a JPEG picture of the video cannot be read".into())
}

/// Rebuilds every picture of a sample (two if it is interlaced) from tables,
/// frame and scans.
pub(super) fn clean(sample: &[u8], out: &mut Vec<u8>) -> Result<Facts, StripError> {
    let mut at = 0usize;
    let mut pictures = 0u32;
    while sample.get(at..at + 2) == Some(&[0xFF, 0xD8]) && pictures < 2 {
        at = picture(sample, at, out).ok_or_else(broken)??;
        pictures += 1;
        // A second field may follow after padding.
        let Some(rest) = sample.get(at..) else { break };
        at += rest.windows(2).position(|w| w == [0xFF, 0xD8]).unwrap_or(rest.len());
        if at + 2 <= sample.len() && second_size(sample, at) != second_size(sample, 0) {
            break;
        }
    }
    if pictures == 0 {
        return Err(broken());
    }
    Ok(Facts { key: true, ..Facts::default() })
}

/// Height and width of the picture at `at`: what follows a picture of the
/// same size is the other field, anything else is hidden.
fn second_size(b: &[u8], mut at: usize) -> Option<u32> {
    at += 2;
    loop {
        let marker = *b.get(at + 1)?;
        let size = usize::from(be16(b, at + 2)?);
        if b.get(at) != Some(&0xFF) || size < 2 {
            return None;
        }
        if matches!(marker, 0xC0..=0xC3) {
            return crate::bytes::be32(b, at + 5);
        }
        at = at.checked_add(2 + size)?;
    }
}

type Step = Option<Result<usize, StripError>>;

/// Copies the parsed segments of one picture; where it ends.
fn picture(b: &[u8], start: usize, out: &mut Vec<u8>) -> Step {
    out.extend_from_slice(&[0xFF, 0xD8]);
    let mut at = start + 2;
    loop {
        while b.get(at) == Some(&0xFF) && b.get(at + 1) == Some(&0xFF) {
            at += 1;
        }
        if *b.get(at)? != 0xFF {
            return None;
        }
        let marker = *b.get(at + 1)?;
        if marker == 0xD9 {
            out.extend_from_slice(&[0xFF, 0xD9]);
            return Some(Ok(at + 2));
        }
        let size = usize::from(be16(b, at + 2)?);
        let end = at.checked_add(2 + size)?;
        let segment = b.get(at..end)?;
        let body = b.get(at + 4..end)?;
        match marker {
            0xEE if body.starts_with(b"Adobe") && body.get(11).is_some_and(|&t| t != 1) => {
                return Some(Err(StripError::Unsupported(
                    "motion JPEG in another colour model than YCbCr".into(),
                )));
            }
            0xDB | 0xC4 | 0xC0..=0xC2 | 0xDD => out.extend_from_slice(segment),
            0xDA => {
                out.extend_from_slice(segment);
                at = scan(b, end, out);
                if at >= b.len() {
                    // Many cameras leave the end marker out.
                    out.extend_from_slice(&[0xFF, 0xD9]);
                    return Some(Ok(at));
                }
                continue;
            }
            0xE0..=0xEF | 0xFE => {}
            _ => return None,
        }
        at = end;
    }
}

/// Copies entropy-coded data up to the next marker that is no restart.
fn scan(b: &[u8], from: usize, out: &mut Vec<u8>) -> usize {
    let mut at = from;
    while at < b.len() {
        let rest = b.get(at..).unwrap_or_default();
        let Some(ff) = rest.iter().position(|&x| x == 0xFF) else {
            out.extend_from_slice(rest);
            return b.len();
        };
        out.extend_from_slice(rest.get(..ff).unwrap_or_default());
        match rest.get(ff + 1) {
            Some(0x00 | 0xD0..=0xD7) => {
                out.extend_from_slice(rest.get(ff..ff + 2).unwrap_or_default());
                at += ff + 2;
            }
            Some(0xFF) => at += ff + 1,
            Some(_) => return at + ff,
            None => return b.len(),
        }
    }
    at
}
