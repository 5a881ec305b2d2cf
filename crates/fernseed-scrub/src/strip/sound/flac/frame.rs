//! One FLAC frame: header, subframes, checksum (RFC 9639, 9).

use super::Stream;
use super::subframe;
use crate::bytes::part;
use crate::strip::sound::bits::Msb;
use crate::strip::sound::crc::{crc8, crc16};

/// Why there is no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The bytes end before the frame does.
    Short,
    /// No frame.
    Bad,
    /// A frame of another stream: another rate, depth or channel count.
    Foreign,
}

/// A decoded frame, with its subframes as coded.
#[derive(Debug)]
pub(super) struct Frame {
    /// Counts samples rather than frames.
    pub(super) variable: bool,
    /// Samples per channel.
    pub(super) block: u32,
    /// Bytes of the whole frame in the source.
    pub(super) length: usize,
    /// The four bits of the channel assignment.
    assignment: u8,
    /// Subframes as coded, with zeros in the bits after them.
    coded: Vec<u8>,
    /// Samples by channel.
    samples: Vec<Vec<i64>>,
}

impl Frame {
    /// The frame at the beginning of `b`.
    pub(super) fn parse(b: &[u8], stream: Stream) -> Result<Self, Stop> {
        let mut r = Msb::new(b);
        let sync = r.u(15).ok_or(Stop::Short)?;
        if sync != 0x7FFC {
            return Err(Stop::Bad);
        }
        let variable = r.u(1).ok_or(Stop::Short)? == 1;
        let block_code = r.u(4).ok_or(Stop::Short)?;
        let rate_code = r.u(4).ok_or(Stop::Short)?;
        let assignment = r.u(4).ok_or(Stop::Short)? as u8;
        let bits_code = r.u(3).ok_or(Stop::Short)?;
        if r.u(1).ok_or(Stop::Short)? != 0 || assignment > 10 {
            return Err(Stop::Bad);
        }
        coded_number(&mut r)?;
        let block = match block_code {
            0 => return Err(Stop::Bad),
            1 => 192,
            2..=5 => 144 << block_code,
            6 => r.u(8).ok_or(Stop::Short)? + 1,
            7 => r.u(16).ok_or(Stop::Short)? + 1,
            _ => 1 << block_code,
        };
        let rate = match rate_code {
            0 => stream.rate,
            12 => r.u(8).ok_or(Stop::Short)? * 1000,
            13 => r.u(16).ok_or(Stop::Short)?,
            14 => r.u(16).ok_or(Stop::Short)? * 10,
            15 => return Err(Stop::Bad),
            n => RATES.get(n as usize).copied().unwrap_or_default(),
        };
        let depth = match bits_code {
            0 => u32::from(stream.bits),
            3 => return Err(Stop::Bad),
            n => DEPTHS.get(n as usize).copied().unwrap_or_default(),
        };
        let head = r.at() / 8;
        let sum = r.u(8).ok_or(Stop::Short)?;
        if u32::from(crc8(b.get(..head).unwrap_or_default())) != sum || block > 65_535 {
            return Err(Stop::Bad);
        }
        let channels = if assignment < 8 { assignment + 1 } else { 2 };
        if rate != stream.rate || depth != u32::from(stream.bits) || channels != stream.channels {
            return Err(Stop::Foreign);
        }
        let mut samples = Vec::with_capacity(usize::from(channels));
        for n in 0..channels {
            let side = matches!((assignment, n), (8 | 10, 1) | (9, 0));
            samples.push(subframe::decode(&mut r, block as usize, depth + u32::from(side))?);
        }
        let bits = r.at();
        let stop = bits.div_ceil(8);
        let sum = part(b, stop, 2).ok_or(Stop::Short)?;
        let content = b.get(..stop).ok_or(Stop::Short)?;
        if crc16(0, content).to_be_bytes() != *sum {
            return Err(Stop::Bad);
        }
        let mut coded = content.get(head + 1..).ok_or(Stop::Bad)?.to_vec();
        if let Some(last) = coded.last_mut()
            && !bits.is_multiple_of(8)
        {
            *last &= 0xFF << (8 - bits % 8);
        }
        stereo(assignment, &mut samples);
        Ok(Self { variable, block, length: stop + 2, assignment, coded, samples })
    }

    /// The frame with a new header and checksum. `None` if the number has
    /// no coding.
    pub(super) fn write(&self, stream: Stream, number: u64) -> Option<Vec<u8>> {
        let mut b = Vec::with_capacity(self.coded.len() + 18);
        let block_code = match self.block {
            192 => 1,
            n if n % 144 == 0 && matches!(n / 144, 4 | 8 | 16 | 32) => (n / 144).ilog2(),
            n if n.is_power_of_two() && (256..=32_768).contains(&n) => n.ilog2(),
            n if n <= 256 => 6,
            _ => 7,
        };
        let code = |list: &[u32], value: u32| {
            list.iter().position(|&x| x == value && x != 0).unwrap_or(0) as u8
        };
        let rate_code = code(&RATES, stream.rate);
        let bits_code = code(&DEPTHS, u32::from(stream.bits));
        b.extend([0xFF, 0xF8 | u8::from(self.variable), (block_code as u8) << 4 | rate_code]);
        b.push(self.assignment << 4 | bits_code << 1);
        write_number(&mut b, number)?;
        match block_code {
            6 => b.push((self.block - 1) as u8),
            7 => b.extend(((self.block - 1) as u16).to_be_bytes()),
            _ => {}
        }
        b.push(crc8(&b));
        b.extend(&self.coded);
        b.extend(crc16(0, &b).to_be_bytes());
        Some(b)
    }

    /// The samples as the MD5 counts them: interleaved, little endian, in
    /// whole bytes.
    pub(super) fn pcm(&self, stream: Stream) -> Vec<u8> {
        let bytes = usize::from(stream.bits.div_ceil(8));
        let mut out = Vec::with_capacity(self.block as usize * self.samples.len() * bytes);
        for n in 0..self.block as usize {
            for channel in &self.samples {
                let sample = channel.get(n).copied().unwrap_or_default().to_le_bytes();
                out.extend(sample.get(..bytes).unwrap_or_default());
            }
        }
        out
    }
}

/// Sample rates by code; 0 has none.
const RATES: [u32; 12] =
    [0, 88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000];
/// Bits per sample by code.
const DEPTHS: [u32; 8] = [0, 8, 12, 0, 16, 20, 24, 32];

/// Passes over the frame or sample number.
fn coded_number(r: &mut Msb<'_>) -> Result<(), Stop> {
    let first = r.u(8).ok_or(Stop::Short)?;
    let more = match (first as u8).leading_ones() {
        0 => 0,
        n @ 2..=7 => n - 1,
        _ => return Err(Stop::Bad),
    };
    for _ in 0..more {
        if r.u(8).ok_or(Stop::Short)? >> 6 != 0b10 {
            return Err(Stop::Bad);
        }
    }
    Ok(())
}

/// UTF-8 carried on to 36 bits.
fn write_number(b: &mut Vec<u8>, number: u64) -> Option<()> {
    if number < 0x80 {
        b.push(number as u8);
        return Some(());
    }
    let more = (1..=6u32).find(|more| number >> (5 * more + 6) == 0 || *more == 6)?;
    if number >> 36 != 0 {
        return None;
    }
    let lead = (0xFF00u32 >> (more + 1)) as u8;
    b.push(lead | (number >> (6 * more)) as u8);
    for n in (0..more).rev() {
        b.push(0x80 | (number >> (6 * n) & 0x3F) as u8);
    }
    Some(())
}

/// Undoes the stereo decorrelation.
fn stereo(assignment: u8, samples: &mut [Vec<i64>]) {
    let [first, second] = samples else { return };
    for (a, b) in first.iter_mut().zip(second.iter_mut()) {
        match assignment {
            8 => *b = *a - *b,
            9 => *a += *b,
            10 => {
                let mid = *a << 1 | (*b & 1);
                (*a, *b) = ((mid + *b) >> 1, (mid - *b) >> 1);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_form_and_can_be_read() {
        for number in [0u64, 127, 128, 2047, 2048, 65_535, 65_536, 1 << 21, 1 << 31, (1 << 36) - 1]
        {
            let mut b = Vec::new();
            write_number(&mut b, number).unwrap();
            let mut r = Msb::new(&b);
            coded_number(&mut r).unwrap();
            assert_eq!(r.at(), b.len() * 8, "{number}");
            if let Some(c) = char::from_u32(number as u32).filter(|_| number < 0x11_0000) {
                assert_eq!(b, c.to_string().as_bytes());
            }
        }
        assert!(write_number(&mut Vec::new(), 1 << 36).is_none());
    }
}
