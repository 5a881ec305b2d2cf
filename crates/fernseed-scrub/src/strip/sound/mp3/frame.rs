//! The header and the side information of a layer III frame.

use crate::bytes::part;
use crate::strip::sound::bits::Msb;
use crate::strip::sound::crc::crc16;

/// What a frame header says, as far as it means something to a decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// 0 for MPEG-1, 1 for MPEG-2, 2 for the unofficial MPEG-2.5.
    version: u8,
    /// Has a checksum.
    checked: bool,
    /// 1 to 14.
    bitrate: u8,
    /// 0 to 2.
    rate: u8,
    padded: bool,
    /// 0 stereo, 1 joint stereo, 2 two voices, 3 mono.
    mode: u8,
    extension: u8,
    emphasis: u8,
}

/// Kilobits per second of MPEG-1 layer III.
const RATES_1: [u32; 16] = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0];
/// Of MPEG-2 and 2.5.
const RATES_2: [u32; 16] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0];

impl Header {
    pub(super) fn parse(b: [u8; 4]) -> Option<Self> {
        let word = u32::from_be_bytes(b);
        let version = match word >> 19 & 3 {
            3 => 0,
            2 => 1,
            0 => 2,
            _ => return None,
        };
        let header = Self {
            version,
            checked: word >> 16 & 1 == 0,
            bitrate: (word >> 12 & 15) as u8,
            rate: (word >> 10 & 3) as u8,
            padded: word >> 9 & 1 == 1,
            mode: (word >> 6 & 3) as u8,
            extension: (word >> 4 & 3) as u8,
            emphasis: (word & 3) as u8,
        };
        let good = word >> 21 == 0x7FF
            && word >> 17 & 3 == 1
            && (1..=14).contains(&header.bitrate)
            && header.rate < 3
            && header.emphasis != 2;
        (good && header.length() >= header.main_data()).then_some(header)
    }

    /// The header as written: without the private, copyright and original
    /// bits.
    pub(super) fn write(self) -> [u8; 4] {
        let version = [3u32, 2, 0].get(usize::from(self.version)).copied().unwrap_or(3);
        let word = 0x7FF << 21
            | version << 19
            | 1 << 17
            | u32::from(!self.checked) << 16
            | u32::from(self.bitrate) << 12
            | u32::from(self.rate) << 10
            | u32::from(self.padded) << 9
            | u32::from(self.mode) << 6
            | u32::from(if self.mode == 1 { self.extension } else { 0 }) << 4
            | u32::from(self.emphasis);
        word.to_be_bytes()
    }

    /// True if both can belong to one stream.
    pub(super) const fn same_stream(self, other: Self) -> bool {
        self.version == other.version
            && self.rate == other.rate
            && self.is_mono() == other.is_mono()
    }

    pub(super) const fn is_mono(self) -> bool {
        self.mode == 3
    }

    pub(super) const fn bitrate(self) -> u8 {
        self.bitrate
    }

    fn samples_per_second(self) -> u32 {
        let base = [44_100u32, 48_000, 32_000].get(usize::from(self.rate)).copied();
        base.unwrap_or(44_100) >> self.version
    }

    /// Bytes of the frame.
    pub(super) fn length(self) -> usize {
        let table = if self.version == 0 { RATES_1 } else { RATES_2 };
        let kbps = table.get(usize::from(self.bitrate)).copied().unwrap_or_default();
        let factor = if self.version == 0 { 144_000 } else { 72_000 };
        (factor * kbps / self.samples_per_second()) as usize + usize::from(self.padded)
    }

    /// Bytes of the side information.
    pub(super) const fn side(self) -> usize {
        match (self.version, self.is_mono()) {
            (0, true) => 17,
            (0, false) => 32,
            (_, true) => 9,
            (_, false) => 17,
        }
    }

    /// Where the side information begins.
    pub(super) const fn side_at(self) -> usize {
        4 + if self.checked { 2 } else { 0 }
    }

    /// Where the main data begins.
    pub(super) const fn main_data(self) -> usize {
        self.side_at() + self.side()
    }

    /// A header for a frame with nothing but silence, of the same stream and
    /// at least `least` bytes long.
    pub(super) fn silent(self, least: usize) -> Option<Self> {
        let plain = Self {
            checked: false,
            padded: false,
            mode: if self.is_mono() { 3 } else { 0 },
            extension: 0,
            emphasis: 0,
            ..self
        };
        (1..=14).map(|bitrate| Self { bitrate, ..plain }).find(|h| h.length() >= least)
    }

    /// Writes the header into `frame`, empties the private bits of its side
    /// information and renews its checksum.
    pub(super) fn clean(self, frame: &mut [u8]) -> Option<()> {
        frame.get_mut(..4)?.copy_from_slice(&self.write());
        let at = self.side_at();
        let side = frame.get_mut(at..at + self.side())?;
        match (self.version, self.is_mono()) {
            // Nine bits of main_data_begin, then five or three private bits.
            (0, true) => *side.get_mut(1)? &= 0b1000_0011,
            (0, false) => *side.get_mut(1)? &= 0b1000_1111,
            // Eight bits, then one or two.
            (_, true) => *side.get_mut(1)? &= 0b0111_1111,
            (_, false) => *side.get_mut(1)? &= 0b0011_1111,
        }
        if self.checked {
            let sum = crc16(0xFFFF, part(frame, 2, 2)?);
            let sum = crc16(sum, part(frame, at, self.side())?);
            frame.get_mut(4..6)?.copy_from_slice(&sum.to_be_bytes());
        }
        Some(())
    }

    /// How many bytes before its own main data a frame's sound begins, and
    /// how many bits it has.
    pub(super) fn sound(self, frame: &[u8]) -> Option<(u16, u32)> {
        let mut r = Msb::new(part(frame, self.side_at(), self.side())?);
        let (begin, granules) = if self.version == 0 {
            let begin = r.u(9)?;
            // Private bits and scale factor selection.
            r.u(if self.is_mono() { 5 + 4 } else { 3 + 8 })?;
            (begin, 2)
        } else {
            let begin = r.u(8)?;
            r.u(if self.is_mono() { 1 } else { 2 })?;
            (begin, 1)
        };
        let mut bits = 0;
        for _ in 0..granules * if self.is_mono() { 1 } else { 2 } {
            bits += r.u(12)?;
            r.u(32)?;
            r.u(if self.version == 0 { 15 } else { 19 })?;
        }
        Some((begin as u16, bits))
    }
}
