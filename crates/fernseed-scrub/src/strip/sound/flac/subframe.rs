//! Samples of one channel in one FLAC frame (RFC 9639, 9.2).

use super::frame::Stop;
use crate::strip::sound::bits::Msb;

/// Coefficients of the fixed predictors, newest sample first.
const FIXED: [&[i64]; 5] = [&[], &[1], &[2, -1], &[3, -3, 1], &[4, -6, 4, -1]];

/// Decodes `block` samples of `bits` bits.
pub(super) fn decode(r: &mut Msb<'_>, block: usize, bits: u32) -> Result<Vec<i64>, Stop> {
    if r.u(1).ok_or(Stop::Short)? != 0 {
        return Err(Stop::Bad);
    }
    let kind = r.u(6).ok_or(Stop::Short)?;
    let wasted = if r.u(1).ok_or(Stop::Short)? == 1 {
        r.unary().ok_or(Stop::Short)?.checked_add(1).ok_or(Stop::Bad)?
    } else {
        0
    };
    let bits = bits.checked_sub(wasted).filter(|&b| b > 0).ok_or(Stop::Bad)?;
    let mut samples = Vec::new();
    match kind {
        0 => {
            let value = r.i(bits).ok_or(Stop::Short)?;
            samples.resize(block, value);
        }
        1 => verbatim(r, block, bits, &mut samples)?,
        8..=12 => {
            let order = kind as usize - 8;
            verbatim(r, order, bits, &mut samples)?;
            residual(r, block, order, &mut samples)?;
            let coefficients = FIXED.get(order).copied().unwrap_or_default();
            predict(&mut samples, order, coefficients, 0);
        }
        32.. => {
            let order = kind as usize - 31;
            verbatim(r, order, bits, &mut samples)?;
            let precision = r.u(4).ok_or(Stop::Short)? + 1;
            let shift = r.i(5).ok_or(Stop::Short)?;
            if precision == 16 || shift < 0 {
                return Err(Stop::Bad);
            }
            let mut coefficients = Vec::with_capacity(order);
            for _ in 0..order {
                coefficients.push(r.i(precision).ok_or(Stop::Short)?);
            }
            residual(r, block, order, &mut samples)?;
            predict(&mut samples, order, &coefficients, shift as u32);
        }
        _ => return Err(Stop::Bad),
    }
    if wasted > 0 {
        for sample in &mut samples {
            *sample <<= wasted;
        }
    }
    Ok(samples)
}

fn verbatim(r: &mut Msb<'_>, n: usize, bits: u32, out: &mut Vec<i64>) -> Result<(), Stop> {
    for _ in 0..n {
        out.push(r.i(bits).ok_or(Stop::Short)?);
    }
    Ok(())
}

/// Appends the residuals of all samples past the first `order`.
fn residual(r: &mut Msb<'_>, block: usize, order: usize, out: &mut Vec<i64>) -> Result<(), Stop> {
    let wide = match r.u(2).ok_or(Stop::Short)? {
        0 => 4,
        1 => 5,
        _ => return Err(Stop::Bad),
    };
    let partitions = 1usize << r.u(4).ok_or(Stop::Short)?;
    let each = block / partitions;
    if !block.is_multiple_of(partitions) || each < order {
        return Err(Stop::Bad);
    }
    for n in 0..partitions {
        let count = if n == 0 { each - order } else { each };
        let parameter = r.u(wide).ok_or(Stop::Short)?;
        if parameter == (1 << wide) - 1 {
            let bits = r.u(5).ok_or(Stop::Short)?;
            for _ in 0..count {
                out.push(if bits == 0 { 0 } else { r.i(bits).ok_or(Stop::Short)? });
            }
            continue;
        }
        for _ in 0..count {
            let high = u64::from(r.unary().ok_or(Stop::Short)?);
            let low = u64::from(r.u(parameter).ok_or(Stop::Short)?);
            let folded = high << parameter | low;
            if folded > u64::from(u32::MAX) {
                return Err(Stop::Bad);
            }
            out.push((folded >> 1) as i64 ^ -((folded & 1) as i64));
        }
    }
    Ok(())
}

/// Turns residuals into samples in place.
fn predict(samples: &mut [i64], order: usize, coefficients: &[i64], shift: u32) {
    for n in order..samples.len() {
        let (past, rest) = samples.split_at_mut(n);
        let sum = coefficients
            .iter()
            .zip(past.iter().rev())
            .fold(0i64, |sum, (&c, &s)| sum.wrapping_add(c.wrapping_mul(s)));
        if let Some(sample) = rest.first_mut() {
            // Broken streams may run away; the width of a real one is 33 bits.
            *sample = ((sum >> shift).wrapping_add(*sample)).clamp(-(1 << 40), 1 << 40);
        }
    }
}
