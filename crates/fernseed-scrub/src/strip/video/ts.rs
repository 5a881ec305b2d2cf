//! MPEG transport streams (ISO/IEC 13818-1, 2.4), also with the four bytes of
//! Blu-ray and AVCHD before each packet.

use super::elementary::{Form, Stream, pes};
use super::fail;
use super::movie::Movie;
use crate::bytes::{be16, part};
use crate::source::Source;
use crate::strip::StripError;

const SYNC: u8 = 0x47;

/// Bytes of a packet and where its sync byte is, if the file looks like a
/// transport stream.
pub(super) fn layout(head: &[u8]) -> Option<(u64, u64)> {
    for (size, first) in [(188usize, 0usize), (192, 4), (204, 0)] {
        let syncs = (0..5).map(|i| head.get(first + i * size));
        let found = syncs.flatten().take_while(|&&b| b == SYNC).count();
        if found == 5
            || found >= 2 && head.len() < first + 5 * size && first + found * size >= head.len()
        {
            return Some((size as u64, first as u64));
        }
    }
    None
}

struct Pid {
    pid: u16,
    stream: Stream,
    begun: bool,
}

/// Reads a file.
pub(super) fn read(source: &mut Source<'_>) -> Result<Movie, StripError> {
    let len = source.len();
    let head = source.upto(0, len, 4096).map_err(|e| fail(e, "the file"))?;
    let (size, first) = layout(&head).ok_or(StripError::UnknownFormat)?;
    let mut movie = Movie::default();
    let (mut pmt, mut pids): (Option<u16>, Vec<Pid>) = (None, Vec::new());
    let mut known = false;
    let mut at = 0;
    // Many packets in one read.
    let block = size * 256;
    while at < len {
        let bytes = source.upto(at, len, block).map_err(|e| fail(e, "a packet"))?;
        for (i, packet) in bytes.chunks(size as usize).enumerate() {
            let place = at + i as u64 * size + first;
            let Some(p) = packet.get(first as usize..).and_then(|p| p.get(..188)) else { continue };
            if p[0] != SYNC {
                return Err(StripError::Damaged("a packet does not begin where it should".into()));
            }
            let pid = be16(p, 1).unwrap_or(0) & 0x1FFF;
            let starts = p[1] & 0x40 != 0;
            let mut body = 4usize;
            if p[3] & 0x20 != 0 {
                body += 1 + usize::from(p[4]);
            }
            if p[3] & 0x10 == 0 || body >= 188 || p[1] & 0x80 != 0 {
                continue;
            }
            let payload = p.get(body..).unwrap_or_default();
            if pid == 0 && starts && pmt.is_none() {
                pmt = program(payload);
            } else if Some(pid) == pmt && starts && !known {
                if let Some(list) = streams(payload) {
                    known = true;
                    open(list, &mut pids, &mut movie);
                }
            } else if let Some(target) = pids.iter_mut().find(|t| t.pid == pid) {
                if p[3] & 0xC0 != 0 {
                    return Err(StripError::Encrypted);
                }
                target.take(payload, place + body as u64, starts)?;
            }
        }
        at += bytes.len() as u64;
    }
    if !known {
        return Err(StripError::Damaged("it says nowhere which streams it has".into()));
    }
    for pid in pids {
        if let Some(track) = pid.stream.finish(&mut movie)? {
            if track.is_video() && movie.has_video() {
                movie.note("A second video track was left out.");
                continue;
            }
            movie.tracks.push(track);
        }
    }
    movie.tracks.sort_by_key(|t| !t.is_video());
    Ok(movie)
}

impl Pid {
    fn take(&mut self, payload: &[u8], at: u64, starts: bool) -> Result<(), StripError> {
        if starts {
            let Some((times, head, scrambled)) = pes(payload) else {
                return Err(StripError::Damaged("a packet's header cannot be read".into()));
            };
            if scrambled {
                return Err(StripError::Encrypted);
            }
            self.begun = true;
            if let Some((pts, dts)) = times {
                self.stream.mark(pts, dts);
            }
            let rest = payload.get(head..).unwrap_or_default();
            return self.stream.feed(at + head as u64, rest);
        }
        if self.begun {
            self.stream.feed(at, payload)?;
        }
        Ok(())
    }
}

/// A section after its pointer, without checksum.
fn section(payload: &[u8], table: u8) -> Option<&[u8]> {
    let b = payload.get(1 + usize::from(*payload.first()?)..)?;
    let len = usize::from(be16(b, 1)? & 0xFFF);
    let body = part(b, 8, len.checked_sub(9)?)?;
    (*b.first()? == table).then_some(body)
}

/// The first program's table.
fn program(payload: &[u8]) -> Option<u16> {
    section(payload, 0)?
        .chunks_exact(4)
        .find(|p| be16(p, 0) != Some(0))
        .and_then(|p| be16(p, 2))
        .map(|p| p & 0x1FFF)
}

/// `(pid, type, descriptors)` of a program's streams.
fn streams(payload: &[u8]) -> Option<Vec<(u16, u8, Vec<u8>)>> {
    let b = section(payload, 2)?;
    let mut at = 4 + usize::from(be16(b, 2)? & 0xFFF);
    let mut list = Vec::new();
    while let Some(&kind) = b.get(at) {
        let pid = be16(b, at + 1)? & 0x1FFF;
        let len = usize::from(be16(b, at + 3)? & 0xFFF);
        list.push((pid, kind, part(b, at + 5, len)?.to_vec()));
        at += 5 + len;
    }
    Some(list)
}

fn open(list: Vec<(u16, u8, Vec<u8>)>, pids: &mut Vec<Pid>, movie: &mut Movie) {
    for (pid, kind, descriptors) in list {
        let has = |tag: u8| {
            let mut b = descriptors.as_slice();
            while let (Some(&t), Some(&n)) = (b.first(), b.get(1)) {
                if t == tag {
                    return true;
                }
                b = b.get(2 + usize::from(n)..).unwrap_or_default();
            }
            false
        };
        let form = match kind {
            0x01 | 0x02 => Form::Mpeg12,
            0x10 => Form::Mpeg4,
            0x1B => Form::H264,
            0x24 => Form::Hevc,
            0x03 | 0x04 => Form::Mpa,
            0x0F => Form::Adts,
            0x81 => Form::Ac3,
            0x87 => Form::Eac3,
            0x06 if has(0x6A) => Form::Ac3,
            0x06 if has(0x7A) => Form::Eac3,
            _ => {
                movie.note("Streams that are neither known video nor known sound were left out.");
                continue;
            }
        };
        if pids.len() < 32 {
            pids.push(Pid { pid, stream: Stream::new(form), begun: false });
        }
    }
}
