//! AIFF and AIFF-C sound: `COMM` and `SSND`, nothing else (Apple 1989,
//! 1991).

use super::flow::{self, Output, damaged, short};
use crate::bytes::{be16, be32, part};
use crate::source::Source;
use crate::strip::{StripError, Stripped};

/// How samples are coded, beyond big-endian integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    /// Big-endian integers: plain AIFF.
    Big,
    /// Little-endian integers.
    Little,
    Float32,
    Float64,
    ALaw,
    MuLaw,
}

impl Coding {
    fn of(code: &[u8]) -> Option<Self> {
        Some(match code {
            b"NONE" | b"twos" | b"in24" | b"in32" => Self::Big,
            b"sowt" => Self::Little,
            b"fl32" | b"FL32" => Self::Float32,
            b"fl64" | b"FL64" => Self::Float64,
            b"alaw" | b"ALAW" => Self::ALaw,
            b"ulaw" | b"ULAW" => Self::MuLaw,
            _ => return None,
        })
    }

    const fn code(self) -> &'static [u8; 4] {
        match self {
            Self::Big => b"NONE",
            Self::Little => b"sowt",
            Self::Float32 => b"fl32",
            Self::Float64 => b"fl64",
            Self::ALaw => b"alaw",
            Self::MuLaw => b"ulaw",
        }
    }
}

/// What `COMM` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Format {
    coding: Coding,
    channels: u16,
    /// Bytes of one sample in the file.
    bytes: u16,
    /// Whole frames per second.
    rate: u32,
    frames: u32,
}

impl Format {
    const fn block(self) -> u64 {
        self.channels as u64 * self.bytes as u64
    }

    /// What the bit depth field says: telephone laws count as 16 bits.
    const fn bits(self) -> u16 {
        match self.coding {
            Coding::ALaw | Coding::MuLaw => 16,
            _ => self.bytes * 8,
        }
    }
}

/// Strips an AIFF or AIFF-C file.
pub(super) fn rebuild(
    source: &mut Source<'_>,
    output: &mut impl Output,
) -> Result<Stripped, StripError> {
    let len = source.len();
    let packed = source.array::<4>(8).map_err(short("its header"))? == *b"AIFC";
    let mut notes = Vec::new();
    let mut format: Option<Format> = None;
    let mut sound: Option<(u64, u64)> = None;
    let mut at = 12u64;
    let mut chunks = 0;
    while at + 8 <= len {
        chunks += 1;
        if chunks > 100_000 {
            return Err(StripError::TooLarge("it has too many blocks".to_owned()));
        }
        let head = source.array::<8>(at).map_err(short("a block"))?;
        let size = u64::from(be32(&head, 4).unwrap_or_default());
        let body = at + 8;
        match part(&head, 0, 4) {
            Some(b"COMM") if format.is_none() => {
                let b = source.upto(body, body + size, 22).map_err(short("its format"))?;
                format = Some(comm(&b, packed, &mut notes)?);
            }
            Some(b"SSND") => {
                if sound.is_some() {
                    return Err(StripError::Unsupported("sound in several pieces".to_owned()));
                }
                if size > len - body {
                    return Err(StripError::Truncated("the sound".to_owned()));
                }
                let offset = be32(&source.array::<4>(body).map_err(short("the sound"))?, 0);
                let skip = 8 + u64::from(offset.unwrap_or_default());
                let length = size.checked_sub(skip).ok_or_else(|| damaged("no samples"))?;
                sound = Some((body + skip, length));
            }
            _ => {}
        }
        at = body + size + size % 2;
    }
    let mut format = format.ok_or_else(|| damaged("it has no format block"))?;
    let (start, length) = sound.unwrap_or((0, 0));
    let whole = length / format.block().max(1);
    if u64::from(format.frames) > whole {
        notes.push("It holds less sound than it says.".to_owned());
    }
    format.frames = format.frames.min(u32::try_from(whole).unwrap_or(u32::MAX));
    let length = u64::from(format.frames) * format.block();
    header(format, length, output)?;
    flow::copy(source, start, start + length, output)?;
    if length % 2 == 1 {
        output.write_all(&[0])?;
    }
    output.flush()?;
    let extension = if format.coding == Coding::Big { "aiff" } else { "aifc" };
    Ok(Stripped { container: "AIFF sound".to_owned(), extension: extension.to_owned(), notes })
}

fn comm(b: &[u8], packed: bool, notes: &mut Vec<String>) -> Result<Format, StripError> {
    let broken = || damaged("its format block does not fit the samples");
    let coding = if packed {
        let code = part(b, 18, 4).ok_or_else(broken)?;
        Coding::of(code).ok_or_else(|| {
            let message = "AIFF-C sound in this coding has to be coded again";
            StripError::NeedsReencoding(message.to_owned())
        })?
    } else {
        Coding::Big
    };
    let fields = (|| Some((be16(b, 0)?, be32(b, 2)?, be16(b, 6)?, part(b, 8, 10)?)))();
    let (channels, frames, bits, rate) = fields.ok_or_else(broken)?;
    let bytes = match coding {
        Coding::Big | Coding::Little => bits.div_ceil(8),
        Coding::Float32 => 4,
        Coding::Float64 => 8,
        Coding::ALaw | Coding::MuLaw => 1,
    };
    let (rate, exact) = rate_of(rate).ok_or_else(broken)?;
    if !exact {
        notes.push("The sample rate was rounded to whole numbers per second.".to_owned());
    }
    let most = if matches!(coding, Coding::Float64) { 8 } else { 4 };
    if !(1..=255).contains(&channels) || !(1..=most).contains(&bytes) {
        return Err(broken());
    }
    Ok(Format { coding, channels, bytes, rate, frames })
}

/// An 80-bit extended number as a whole number of at most 31 bits; the
/// truth value says that nothing was rounded away.
fn rate_of(b: &[u8]) -> Option<(u32, bool)> {
    let exponent = be16(b, 0)?;
    let mantissa = u64::from(be32(b, 2)?) << 32 | u64::from(be32(b, 6)?);
    let shift = 16_383u32.checked_add(63)?.checked_sub(u32::from(exponent))?;
    if !(33..=63).contains(&shift) {
        return None;
    }
    let whole = mantissa >> shift;
    let half = mantissa >> (shift - 1) & 1;
    let rate = u32::try_from(whole + half).ok()?;
    (1..=16_000_000).contains(&rate).then_some((rate, mantissa == whole << shift))
}

/// A whole number as an 80-bit extended number in its one normal form.
fn extended(rate: u32) -> [u8; 10] {
    let zeros = rate.leading_zeros();
    let exponent = (16_383 + 31 - zeros.min(31)) as u16;
    let mantissa = u64::from(rate) << (32 + zeros.min(31));
    let mut b = [0; 10];
    let (high, low) = b.split_at_mut(2);
    high.copy_from_slice(&exponent.to_be_bytes());
    low.copy_from_slice(&mantissa.to_be_bytes());
    b
}

/// Everything before the samples.
fn header(format: Format, length: u64, output: &mut impl Output) -> Result<(), StripError> {
    let plain = format.coding == Coding::Big;
    let (version, comm) = if plain { (0, 18) } else { (12, 24) };
    let rest = 4 + version + 8 + u64::from(comm) + 16 + length + length % 2;
    let large = || StripError::TooLarge("AIFF ends at 4 GiB".to_owned());
    let rest = u32::try_from(rest).map_err(|_e| large())?;
    let length = u32::try_from(length).map_err(|_e| large())?;
    output.write_all(b"FORM")?;
    output.write_all(&rest.to_be_bytes())?;
    output.write_all(if plain { b"AIFF" } else { b"AIFC" })?;
    if !plain {
        output.write_all(b"FVER\0\0\0\x04\xA2\x80\x51\x40")?;
    }
    output.write_all(b"COMM")?;
    output.write_all(&u32::to_be_bytes(comm))?;
    output.write_all(&format.channels.to_be_bytes())?;
    output.write_all(&format.frames.to_be_bytes())?;
    output.write_all(&format.bits().to_be_bytes())?;
    output.write_all(&extended(format.rate))?;
    if !plain {
        output.write_all(format.coding.code())?;
        // The name of the coding: an empty counted text and its padding.
        output.write_all(&[0, 0])?;
    }
    output.write_all(b"SSND")?;
    output.write_all(&length.saturating_add(8).to_be_bytes())?;
    output.write_all(&[0; 8])?;
    Ok(())
}
