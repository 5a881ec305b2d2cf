//! The silent first frame that says how long the stream is and how many
//! samples at its ends are padding (Xing, Info, VBRI; LAME tag revision 1).

use super::Found;
use super::frame::Header;
use crate::bytes::{be24, be32, part};
use crate::strip::sound::crc::crc16;

/// Encoder delay and padding in samples, 12 bits each, as one number.
pub(super) type Gapless = u32;

/// The encoder name that everybody gets: decoders look for it before they
/// believe the delay.
const NAME: &[u8; 9] = b"LAME3.100";
/// Bytes behind the side information: mark, flags, counts, table, quality
/// and the LAME part.
const LENGTH: usize = 4 + 4 + 4 + 4 + 100 + 4 + 36;

/// `Some` if the frame is such a tag and no sound; inside, what gapless
/// playback needs, if it says.
pub(super) fn read(header: Header, frame: &[u8]) -> Option<Option<Gapless>> {
    if part(frame, 36, 4) == Some(b"VBRI") {
        return Some(None);
    }
    // Some writers count the side information from the header even where
    // there is a checksum.
    let at = [4 + header.side(), header.main_data()]
        .into_iter()
        .find(|&at| matches!(part(frame, at, 4), Some(b"Xing" | b"Info")))?;
    Some(gapless(frame, at))
}

fn gapless(frame: &[u8], at: usize) -> Option<Gapless> {
    let flags = be32(frame, at + 4)?;
    let sizes = [(1, 4), (2, 4), (4, 100), (8, 4)];
    let skip: usize = sizes.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, n)| n).sum();
    let name = at + 8 + skip;
    let known = matches!(part(frame, name, 4)?, b"LAME" | b"Lavf" | b"Lavc");
    be24(frame, name + 21).filter(|_| known)
}

/// The tag frame for these frames. `None` if no frame is long enough.
pub(super) fn write(first: Header, frames: &[Found], gapless: Option<Gapless>) -> Option<Vec<u8>> {
    let silent = first.silent(4 + first.side() + LENGTH)?;
    let length = silent.length();
    let sizes = || frames.iter().map(|f| f.header.length() as u64);
    let total = sizes().sum::<u64>() + length as u64;
    let constant = frames.iter().all(|f| f.header.bitrate() == first.bitrate());
    let mut b = Vec::with_capacity(length);
    b.extend(silent.write());
    b.resize(4 + silent.side(), 0);
    b.extend(if constant { b"Info" } else { b"Xing" });
    b.extend(15u32.to_be_bytes());
    b.extend((frames.len() as u32).to_be_bytes());
    b.extend(u32::try_from(total).unwrap_or(u32::MAX).to_be_bytes());
    b.extend(table(frames, length as u64, total));
    b.extend([0; 4]);
    if let Some(gapless) = gapless {
        b.extend(NAME);
        // Revision, method, low pass, peak, gains, flags, bit rate.
        b.extend([0; 12]);
        b.extend(gapless.to_be_bytes().get(1..)?);
        b.extend([0; 4]);
        b.extend(u32::try_from(total).unwrap_or(u32::MAX).to_be_bytes());
        b.extend([0; 2]);
        let sum = crc16(0, &b);
        b.extend(sum.to_be_bytes());
    }
    b.resize(length, 0);
    Some(b)
}

/// For each hundredth of the time, which 256th of the file it lies in.
fn table(frames: &[Found], start: u64, total: u64) -> [u8; 100] {
    let mut table = [0; 100];
    let mut at = start;
    let mut done = 0usize;
    for (n, entry) in table.iter_mut().enumerate() {
        let until = n * frames.len() / 100;
        for frame in frames.get(done..until).unwrap_or_default() {
            at += frame.header.length() as u64;
        }
        done = until.max(done);
        *entry = (at * 256 / total.max(1)).min(255) as u8;
    }
    table
}
