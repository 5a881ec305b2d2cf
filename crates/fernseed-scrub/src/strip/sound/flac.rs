//! FLAC (RFC 9639): one STREAMINFO block and the frames.
//!
//! Every frame is decoded. That tells exactly where it ends, and gives the
//! MD5 of the samples anew, so that it says nothing but what the samples
//! say. Frame headers are written again, counted from zero: a recording
//! that was cut out of a longer one does not tell at which minute.

mod frame;
mod subframe;

use super::flow::{self, Output, damaged, short};
use crate::bytes::{be24, part};
use crate::source::{Short, Source};
use crate::strip::{StripError, Stripped};
use frame::{Frame, Stop};
use md5::{Digest, Md5};
use std::io::SeekFrom;

/// First look at a frame; grown until the frame fits.
const WINDOW: u64 = 128 * 1024;
/// No frame is longer: 65,535 samples of 8 channels and 33 bits.
const MAX_FRAME: u64 = 4 << 20;

/// What holds for the whole stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stream {
    /// Samples per second.
    rate: u32,
    /// 1 to 8.
    channels: u8,
    /// Bits per sample, 4 to 32.
    bits: u8,
}

/// What is counted while the frames go by.
#[derive(Debug, Default)]
struct Count {
    frames: u64,
    samples: u64,
    shortest: Option<u32>,
    longest: u32,
    smallest_block: Option<u32>,
    largest_block: u32,
    last_block: u32,
}

impl Count {
    fn add(&mut self, bytes: usize, block: u32) {
        let bytes = u32::try_from(bytes).unwrap_or(0xFF_FFFF).min(0xFF_FFFF);
        self.shortest = Some(self.shortest.map_or(bytes, |s| s.min(bytes)));
        self.longest = self.longest.max(bytes);
        if self.frames > 0 {
            // The last block does not count, so each one waits for the next.
            let last = self.last_block;
            self.smallest_block = Some(self.smallest_block.map_or(last, |s| s.min(last)));
        }
        self.largest_block = self.largest_block.max(block);
        self.last_block = block;
        self.frames += 1;
        self.samples += u64::from(block);
    }
}

/// Strips a FLAC stream that begins at `start`.
pub(super) fn rebuild(
    source: &mut Source<'_>,
    start: u64,
    output: &mut impl Output,
) -> Result<Stripped, StripError> {
    let mut notes = Vec::new();
    let (info, total, md5, mut at) = blocks(source, start, &mut notes)?;
    let end = flow::before_tags(source, at);
    output.write_all(&[0; 42])?;
    let mut count = Count::default();
    let mut digest = Md5::new();
    // Silence packs very well; more than this is no sound any more.
    let mut decoded_left = source.len().saturating_mul(4096).saturating_add(128 << 20);
    let mut window = Window::default();
    while at < end && (total == 0 || count.samples < total) {
        let Some(frame) = window.frame(source, at, end, info)? else {
            if total == 0 && count.frames > 0 {
                notes.push("Data after the sound is left out.".to_owned());
                break;
            }
            return Err(damaged("something between the sound is not sound"));
        };
        let number = if frame.variable { count.samples } else { count.frames };
        let coded = frame.write(info, number).ok_or_else(|| damaged("too many frames"))?;
        output.write_all(&coded)?;
        let pcm = frame.pcm(info);
        decoded_left = decoded_left.checked_sub(pcm.len() as u64).ok_or_else(|| {
            StripError::TooLarge("it unpacks to far more than a recording would".to_owned())
        })?;
        digest.update(&pcm);
        count.add(coded.len(), frame.block);
        at += frame.length as u64;
    }
    if count.frames == 0 {
        return Err(damaged("it holds no sound"));
    }
    if total != 0 && count.samples < total {
        return Err(StripError::Truncated("the sound".to_owned()));
    }
    let sum: [u8; 16] = digest.finalize().into();
    if md5 != [0; 16] && md5 != sum {
        notes.push("The checksum in the file was not that of its sound; it is now.".to_owned());
    }
    let after = output.stream_position()?;
    output.seek(SeekFrom::Start(0))?;
    output.write_all(&header(info, &count, sum))?;
    output.seek(SeekFrom::Start(after))?;
    output.flush()?;
    Ok(Stripped { container: "FLAC sound".to_owned(), extension: "flac".to_owned(), notes })
}

/// Reads the metadata blocks; STREAMINFO's fields, how many samples there
/// are (0 for unknown), their MD5 and where the frames begin.
fn blocks(
    source: &mut Source<'_>,
    start: u64,
    notes: &mut Vec<String>,
) -> Result<(Stream, u64, [u8; 16], u64), StripError> {
    let mut at = start + 4;
    let mut found = None;
    for n in 0..100_000 {
        let head = source.array::<4>(at).map_err(short("its header"))?;
        let length = u64::from(be24(&head, 1).unwrap_or_default());
        if n == 0 {
            if head[0] & 0x7F != 0 || length != 34 {
                return Err(damaged("it does not begin as FLAC does"));
            }
            found = info(&source.array::<34>(at + 4).map_err(short("its header"))?);
        } else if head[0] & 0x7F == 4 && speakers(source, at + 4, length) {
            let what = "Which speaker each channel is for was said in a comment and is left out.";
            notes.push(what.to_owned());
        }
        at = at + 4 + length;
        if at > source.len() {
            return Err(StripError::Truncated("its header".to_owned()));
        }
        if head[0] & 0x80 != 0 {
            let (stream, total, md5) = found.ok_or_else(|| damaged("its header"))?;
            return Ok((stream, total, md5, at));
        }
    }
    Err(StripError::TooLarge("it has too many blocks".to_owned()))
}

/// True if a comment block at `at` names the speakers.
fn speakers(source: &mut Source<'_>, at: u64, length: u64) -> bool {
    let body = source.upto(at, at + length, 64 * 1024).unwrap_or_default();
    crate::bytes::find(&body, b"WAVEFORMATEXTENSIBLE_CHANNEL_MASK").is_some()
}

fn info(b: &[u8; 34]) -> Option<(Stream, u64, [u8; 16])> {
    let packed = u64::from_be_bytes(part(b, 10, 8)?.try_into().ok()?);
    let stream = Stream {
        rate: u32::try_from(packed >> 44).ok()?,
        channels: (packed >> 41 & 7) as u8 + 1,
        bits: (packed >> 36 & 31) as u8 + 1,
    };
    let md5 = part(b, 18, 16)?.try_into().ok()?;
    (stream.rate > 0 && stream.bits >= 4).then_some((stream, packed & 0xF_FFFF_FFFF, md5))
}

/// The marker and STREAMINFO, as the last metadata block.
fn header(stream: Stream, count: &Count, md5: [u8; 16]) -> Vec<u8> {
    let mut b = Vec::with_capacity(42);
    b.extend(b"fLaC\x80\0\0\x22");
    let largest = count.largest_block.max(16);
    let smallest = count.smallest_block.unwrap_or(largest).max(16);
    b.extend((smallest as u16).to_be_bytes());
    b.extend((largest as u16).to_be_bytes());
    for size in [count.shortest.unwrap_or_default(), count.longest] {
        b.extend(size.to_be_bytes().get(1..).unwrap_or_default());
    }
    // A total that does not fit counts as unknown.
    let total = if count.samples >> 36 == 0 { count.samples } else { 0 };
    let packed = u64::from(stream.rate) << 44
        | u64::from(stream.channels - 1) << 41
        | u64::from(stream.bits - 1) << 36
        | total;
    b.extend(packed.to_be_bytes());
    b.extend(md5);
    b
}

/// A piece of the file that frames are taken from.
#[derive(Debug, Default)]
struct Window {
    bytes: Vec<u8>,
    at: u64,
}

impl Window {
    /// The frame at `at`; `None` if there is none.
    fn frame(
        &mut self,
        source: &mut Source<'_>,
        at: u64,
        end: u64,
        stream: Stream,
    ) -> Result<Option<Frame>, StripError> {
        let mut want = WINDOW;
        loop {
            let have = (self.at + self.bytes.len() as u64).saturating_sub(at);
            let inside = at >= self.at && have > 0;
            if inside && (have >= WINDOW / 2 && want == WINDOW || have >= (end - at).min(want)) {
                let skip = usize::try_from(at - self.at).unwrap_or(usize::MAX);
                let bytes = self.bytes.get(skip..).unwrap_or_default();
                match Frame::parse(bytes, stream) {
                    Ok(frame) => return Ok(Some(frame)),
                    Err(Stop::Bad) => return Ok(None),
                    Err(Stop::Foreign) => {
                        let what = "a FLAC stream whose format changes";
                        return Err(StripError::Unsupported(what.to_owned()));
                    }
                    Err(Stop::Short) if have >= end - at => {
                        return Err(StripError::Truncated("the sound".to_owned()));
                    }
                    Err(Stop::Short) if want >= MAX_FRAME => return Ok(None),
                    Err(Stop::Short) => want *= 4,
                }
            }
            self.bytes = match source.upto(at, end, want) {
                Ok(bytes) => bytes,
                Err(Short::Budget) => {
                    let what = "its frames are read again and again";
                    return Err(StripError::TooLarge(what.to_owned()));
                }
                Err(e) => return Err(short("the sound")(e)),
            };
            self.at = at;
        }
    }
}
