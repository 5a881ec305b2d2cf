//! WAVE sound: `fmt ` and `data`, nothing else (RIFF MCI 1991, EBU Tech
//! 3306 for more than 4 GiB).
//!
//! Plain integer and floating point samples and the two telephone laws are
//! copied as they are. Other codings inside WAVE have private headers of
//! their own and are left to re-encoding.

use super::flow::{self, Output, damaged, short};
use crate::bytes::{le16, le32, part};
use crate::source::Source;
use crate::strip::{StripError, Stripped};

/// How one sample is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Integer,
    Float,
    ALaw,
    MuLaw,
}

impl Coding {
    const fn of(tag: u16) -> Option<Self> {
        match tag {
            1 => Some(Self::Integer),
            3 => Some(Self::Float),
            6 => Some(Self::ALaw),
            7 => Some(Self::MuLaw),
            _ => None,
        }
    }

    const fn tag(self) -> u16 {
        match self {
            Self::Integer => 1,
            Self::Float => 3,
            Self::ALaw => 6,
            Self::MuLaw => 7,
        }
    }

    /// True if samples of this many bytes exist.
    const fn fits(self, bytes: u16) -> bool {
        match self {
            Self::Integer => matches!(bytes, 1..=4),
            Self::Float => matches!(bytes, 4 | 8),
            Self::ALaw | Self::MuLaw => bytes == 1,
        }
    }
}

/// What `fmt ` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Format {
    coding: Coding,
    channels: u16,
    rate: u32,
    /// Bytes of one sample of one channel.
    bytes: u16,
    /// Which speaker each channel is for; 0 if nothing is said.
    speakers: u32,
}

impl Format {
    fn parse(b: &[u8]) -> Result<Self, StripError> {
        Self::fields(b).ok_or_else(|| damaged("its format block does not fit the samples"))?
    }

    /// `None` where the block is cut or contradicts itself.
    fn fields(b: &[u8]) -> Option<Result<Self, StripError>> {
        let (tag, channels, rate) = (le16(b, 0)?, le16(b, 2)?, le32(b, 4)?);
        let (block, bits) = (le16(b, 12)?, le16(b, 14)?);
        let (tag, speakers) = if tag == 0xFFFE {
            // The rest of the subformat says only that it is one.
            (le16(b, 24)?, le32(b, 20)?)
        } else {
            (tag, 0)
        };
        let Some(coding) = Coding::of(tag) else {
            let message = format!("WAV sound with coding {tag:#06x} has to be coded again");
            return Some(Err(StripError::NeedsReencoding(message)));
        };
        let bytes = bits.div_ceil(8);
        let fits = (1..=255).contains(&channels)
            && (1..=16_000_000).contains(&rate)
            && coding.fits(bytes)
            && Some(block) == channels.checked_mul(bytes);
        let usual = match channels {
            1 => 0x4,
            2 => 0x3,
            _ => 0,
        };
        let named = speakers < 1 << 18 && speakers.count_ones() == u32::from(channels);
        let speakers = if named && speakers != usual { speakers } else { 0 };
        fits.then_some(Ok(Self { coding, channels, rate, bytes, speakers }))
    }

    const fn block(self) -> u32 {
        self.channels as u32 * self.bytes as u32
    }

    /// The content of `fmt `.
    fn write(self) -> Vec<u8> {
        let wide = self.channels > 2 || self.speakers != 0;
        let mut b = Vec::with_capacity(40);
        b.extend(if wide { 0xFFFE } else { self.coding.tag() }.to_le_bytes());
        b.extend(self.channels.to_le_bytes());
        b.extend(self.rate.to_le_bytes());
        b.extend(self.rate.saturating_mul(self.block()).to_le_bytes());
        b.extend((self.block() as u16).to_le_bytes());
        b.extend((self.bytes * 8).to_le_bytes());
        if wide {
            b.extend(22u16.to_le_bytes());
            b.extend((self.bytes * 8).to_le_bytes());
            b.extend(self.speakers.to_le_bytes());
            b.extend(self.coding.tag().to_le_bytes());
            b.extend(b"\0\0\0\0\x10\0\x80\0\0\xAA\0\x38\x9B\x71");
        } else if self.coding != Coding::Integer {
            b.extend(0u16.to_le_bytes());
        }
        b
    }
}

/// Strips a WAVE file.
pub(super) fn rebuild(
    source: &mut Source<'_>,
    output: &mut impl Output,
) -> Result<Stripped, StripError> {
    let (format, start, length, mut notes) = parse(source)?;
    let block = u64::from(format.block());
    let length = if length % block == 0 {
        length
    } else {
        notes.push("The last sample was incomplete and is left out.".to_owned());
        length - length % block
    };
    header(format, length, output)?;
    flow::copy(source, start, start + length, output)?;
    if length % 2 == 1 {
        output.write_all(&[0])?;
    }
    output.flush()?;
    Ok(Stripped { container: "WAV sound".to_owned(), extension: "wav".to_owned(), notes })
}

/// Format, first byte and length of the samples, and notes.
fn parse(source: &mut Source<'_>) -> Result<(Format, u64, u64, Vec<String>), StripError> {
    let len = source.len();
    let large = source.array::<4>(0).map_err(short("its header"))? != *b"RIFF";
    let mut format = None;
    let mut wide = None;
    let mut data: Option<(u64, u64)> = None;
    let mut at = 12u64;
    let mut chunks = 0;
    while at + 8 <= len {
        chunks += 1;
        if chunks > 100_000 {
            return Err(StripError::TooLarge("it has too many blocks".to_owned()));
        }
        let head = source.array::<8>(at).map_err(short("a block"))?;
        let mut size = u64::from(le32(&head, 4).unwrap_or_default());
        let body = at + 8;
        match part(&head, 0, 4) {
            Some(b"ds64") if large && wide.is_none() => {
                let b = source.array::<16>(body).map_err(short("its header"))?;
                wide = crate::bytes::le32(&b, 8)
                    .zip(le32(&b, 12))
                    .map(|(low, high)| u64::from(high) << 32 | u64::from(low));
            }
            Some(b"fmt ") if format.is_none() => {
                let b = source.upto(body, body + size, 40).map_err(short("its format"))?;
                format = Some(Format::parse(&b)?);
            }
            Some(b"data") => {
                if data.is_some() {
                    return Err(StripError::Unsupported("sound in several pieces".to_owned()));
                }
                if size == u64::from(u32::MAX) {
                    // Without a length nothing tells samples from what
                    // follows them.
                    size = wide.ok_or_else(|| damaged("it does not say how long it is"))?;
                }
                if size > len - body {
                    return Err(StripError::Truncated("the sound".to_owned()));
                }
                data = Some((body, size));
            }
            _ => {}
        }
        at = match body.checked_add(size).and_then(|e| e.checked_add(size % 2)) {
            Some(next) => next,
            None => break,
        };
    }
    let format = format.ok_or_else(|| damaged("it has no format block"))?;
    let (start, length) = data.ok_or_else(|| damaged("it has no samples"))?;
    Ok((format, start, length, Vec::new()))
}

/// Everything before the samples.
fn header(format: Format, length: u64, output: &mut impl Output) -> Result<(), StripError> {
    let fmt = format.write();
    let frames = length / u64::from(format.block()).max(1);
    let fact = format.coding != Coding::Integer;
    let rest = 4 + 8 + fmt.len() as u64 + if fact { 12 } else { 0 } + 8 + length + length % 2;
    let large = rest > u64::from(u32::MAX) - 1;
    let small = |n: u64| u32::try_from(n).ok().filter(|_| !large).unwrap_or(u32::MAX);
    output.write_all(if large { b"RF64" } else { b"RIFF" })?;
    output.write_all(&small(rest).to_le_bytes())?;
    output.write_all(b"WAVE")?;
    if large {
        output.write_all(b"ds64\x1c\0\0\0")?;
        output.write_all(&(rest + 36).to_le_bytes())?;
        output.write_all(&length.to_le_bytes())?;
        output.write_all(&frames.to_le_bytes())?;
        output.write_all(&[0; 4])?;
    }
    output.write_all(b"fmt ")?;
    output.write_all(&(fmt.len() as u32).to_le_bytes())?;
    output.write_all(&fmt)?;
    if fact {
        output.write_all(b"fact\x04\0\0\0")?;
        output.write_all(&small(frames).to_le_bytes())?;
    }
    output.write_all(b"data")?;
    output.write_all(&small(length).to_le_bytes())?;
    Ok(())
}
