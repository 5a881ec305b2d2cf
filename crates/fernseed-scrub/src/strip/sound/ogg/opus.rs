//! Opus: its identification header, its empty comment header, and packets
//! as far as their framing goes (RFC 6716, 3; RFC 7845, 5).

use crate::bytes::{le16, part};
use crate::strip::StripError;
use crate::strip::sound::flow::damaged;

/// The identification header. The rate of the recording before coding is
/// not kept: decoders put out 48 kHz whatever it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    channels: u8,
    pre_skip: u16,
    gain: u16,
    family: u8,
    /// Opus streams in every packet.
    pub(super) streams: u8,
    coupled: u8,
    /// Decoded channel for each channel, where there is a table.
    mapping: Vec<u8>,
}

impl Head {
    pub(super) fn parse(b: &[u8]) -> Result<Self, StripError> {
        let head = Self::fields(b).ok_or_else(|| damaged("its header"))?;
        if !matches!(head.family, 0 | 1 | 255) {
            return Err(StripError::Unsupported("this channel layout of Opus".to_owned()));
        }
        let decoded = u16::from(head.streams) + u16::from(head.coupled);
        let good = match head.family {
            0 => (1..=2).contains(&head.channels),
            family => {
                (family != 1 || head.channels <= 8)
                    && head.streams > 0
                    && head.coupled <= head.streams
                    && head.mapping.iter().all(|&m| m == 255 || u16::from(m) < decoded)
            }
        };
        if good && head.channels > 0 { Ok(head) } else { Err(damaged("its header")) }
    }

    fn fields(b: &[u8]) -> Option<Self> {
        let version = *b.get(8)?;
        let (channels, family) = (*b.get(9)?, *b.get(18)?);
        let (streams, coupled, mapping) = if family == 0 {
            (1, channels.checked_sub(1)?, Vec::new())
        } else {
            (*b.get(19)?, *b.get(20)?, part(b, 21, channels.into())?.to_vec())
        };
        let (pre_skip, gain) = (le16(b, 10)?, le16(b, 16)?);
        (version < 16).then_some(Self {
            channels,
            pre_skip,
            gain,
            family,
            streams,
            coupled,
            mapping,
        })
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let mut b = b"OpusHead\x01".to_vec();
        b.push(self.channels);
        b.extend(self.pre_skip.to_le_bytes());
        b.extend(48_000u32.to_le_bytes());
        b.extend(self.gain.to_le_bytes());
        b.push(self.family);
        if self.family != 0 {
            b.extend([self.streams, self.coupled]);
            b.extend(&self.mapping);
        }
        b
    }
}

/// The comment header: no vendor, no comments.
pub(super) fn tags() -> Vec<u8> {
    let mut b = b"OpusTags".to_vec();
    b.extend([0; 8]);
    b
}

/// Samples at 48 kHz of one frame.
fn frame_samples(toc: u8) -> u64 {
    let config = toc >> 3;
    match config {
        0..=11 => [480, 960, 1920, 2880].get(usize::from(config & 3)).copied().unwrap_or(480),
        12..=15 => 480 << (config & 1),
        _ => 120 << (config & 3),
    }
}

/// A position in a packet.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn byte(&mut self) -> Option<usize> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte.into())
    }

    /// The length of a frame (RFC 6716, 3.2.1).
    fn length(&mut self) -> Option<usize> {
        match self.byte()? {
            first @ 0..=251 => Some(first),
            first => Some(first + 4 * self.byte()?),
        }
    }
}

/// Sets the padding inside a packet to zero and says how many samples it
/// holds. `None` if it is no Opus packet.
pub(super) fn clean(packet: &mut [u8], streams: u8) -> Option<u64> {
    let mut samples = None;
    let mut at = 0;
    for n in 0..streams {
        let last = n + 1 == streams;
        let (count, padding, end) = stream(packet, at, last)?;
        if *samples.get_or_insert(count) != count {
            return None;
        }
        packet.get_mut(padding.0..padding.1)?.fill(0);
        at = end;
    }
    samples
}

/// One stream of a packet at `at`, self-delimited unless it is the last:
/// its samples, its padding, its end.
fn stream(packet: &[u8], at: usize, last: bool) -> Option<(u64, (usize, usize), usize)> {
    let mut c = Cursor { bytes: packet, at };
    let toc = c.byte()? as u8;
    let mut padding = 0usize;
    let mut frames = 1;
    let mut known = 0usize;
    match toc & 3 {
        0 if last => {}
        0 => known = c.length()?,
        1 => {
            frames = 2;
            if !last {
                known = c.length()? * 2;
            }
        }
        2 => {
            frames = 2;
            known = c.length()?;
            if !last {
                known += c.length()?;
            }
        }
        _ => {
            let what = c.byte()?;
            frames = what & 0x3F;
            if what & 0x40 != 0 {
                loop {
                    let more = c.byte()?;
                    padding += more.min(254);
                    if more < 255 {
                        break;
                    }
                }
            }
            if what & 0x80 != 0 {
                for _ in 0..frames.checked_sub(usize::from(last))? {
                    known += c.length()?;
                }
            } else if !last {
                known = c.length()? * frames;
            }
        }
    }
    let samples = frame_samples(toc) * frames as u64;
    if frames == 0 || samples > 5760 {
        return None;
    }
    let end = if last { packet.len() } else { c.at.checked_add(known)?.checked_add(padding)? };
    let from = end.checked_sub(padding)?;
    let room = end <= packet.len() && c.at + known <= from;
    room.then_some((samples, (from, end), end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_emptied_and_frames_stay() {
        // Code 3, two frames of 20 ms of one byte each, three bytes padding.
        let mut packet = vec![0xFB, 0x42, 3, 7, 8, b'x', b'y', b'z'];
        assert_eq!(clean(&mut packet, 1), Some(1920));
        assert_eq!(packet, [0xFB, 0x42, 3, 7, 8, 0, 0, 0]);
        assert_eq!(clean(&mut [0xFB, 0x42, 9, 7], 1), None);
        assert_eq!(clean(&mut [], 1), None);
        // Two streams: the first says how long it is.
        let mut two = vec![0xFB, 0x41, 1, 2, 7, 8, b'x', 0xF8, 1, 2, 3];
        assert_eq!(clean(&mut two, 2), Some(960));
        assert_eq!(two, [0xFB, 0x41, 1, 2, 7, 8, 0, 0xF8, 1, 2, 3]);
    }
}
