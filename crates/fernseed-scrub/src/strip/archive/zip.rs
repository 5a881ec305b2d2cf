//! ZIP (APPNOTE 6.3): members stored, a directory, nothing else.

use super::{Job, MAX_MEMBER, MAX_MEMBERS, Output, damaged, member, names, short};
use crate::bytes::{le16, le32, part};
use crate::source::Source;
use crate::strip::{StripError, Stripped};
use flate2::{Crc, Decompress, FlushDecompress, Status};
use std::io::Cursor;

/// 1980-01-01 00:00:00 in DOS form.
const DATE: [u8; 4] = [0, 0, 0x21, 0];

/// One entry of the directory.
#[derive(Debug)]
struct Entry {
    /// Position in the source, from 1.
    index: usize,
    name: Vec<u8>,
    packed: bool,
    encrypted: bool,
    /// A link or device, by its Unix mode.
    special: bool,
    crc: u32,
    stored: u64,
    size: u64,
    local: u64,
}

/// Strips a ZIP file.
pub(super) fn rebuild(
    source: &mut Source<'_>,
    output: &mut impl Output,
    job: &mut Job<'_>,
) -> Result<Stripped, StripError> {
    let mut entries = directory(source)?;
    entries.retain(|e| !e.name.ends_with(b"/") && !names::is_litter(&e.name));
    entries.sort_by(|a, b| (&a.name, a.index).cmp(&(&b.name, b.index)));
    let mut entries: Vec<(String, Entry)> =
        entries.into_iter().map(|e| (job.names.give(&e.name), e)).collect();
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    let mut written = Vec::new();
    let mut at = 0u64;
    for (name, entry) in entries {
        let Some(content) = content(source, &entry, job)? else { continue };
        let head = Written::new(name, &content, at)?;
        output.write_all(&head.local())?;
        output.write_all(&content)?;
        at += head.local().len() as u64 + content.len() as u64;
        written.push(head);
    }
    let start = at;
    for head in &written {
        let central = head.central();
        output.write_all(&central)?;
        at += central.len() as u64;
    }
    let large = || StripError::TooLarge("ZIP ends at 4 GiB".to_owned());
    let size = u32::try_from(at - start).map_err(|_e| large())?;
    let start = u32::try_from(start).map_err(|_e| large())?;
    let count = written.len() as u16;
    output.write_all(b"PK\x05\x06\0\0\0\0")?;
    output.write_all(&count.to_le_bytes())?;
    output.write_all(&count.to_le_bytes())?;
    output.write_all(&size.to_le_bytes())?;
    output.write_all(&start.to_le_bytes())?;
    output.write_all(&[0, 0])?;
    output.flush()?;
    std::mem::replace(job, Job::new(job.options, job.depth, 0)).finish("ZIP archive", "zip")
}

/// The stripped member; `None` if it is left out.
fn content(
    source: &mut Source<'_>,
    entry: &Entry,
    job: &mut Job<'_>,
) -> Result<Option<Vec<u8>>, StripError> {
    if entry.encrypted {
        return Err(StripError::Member {
            index: entry.index,
            reason: StripError::Encrypted.to_string(),
        });
    }
    if entry.special {
        return member::refuse(job, entry.index, StripError::UnknownFormat);
    }
    job.take(entry.size)?;
    let start = data_start(source, entry)?;
    let len = entry.size;
    source.grant(entry.stored.saturating_mul(4).saturating_add(1 << 20));
    if !entry.packed {
        if entry.stored != entry.size {
            return Err(damaged("a stored member has two lengths"));
        }
        let mut inside = member::Inside::new(source, start, len);
        return member::strip(job, entry.index, &mut inside, len);
    }
    let bytes = unpack(source, entry, start)?;
    member::strip(job, entry.index, &mut Cursor::new(bytes), len)
}

/// Where the data of a member begins.
fn data_start(source: &mut Source<'_>, entry: &Entry) -> Result<u64, StripError> {
    let head = source.array::<30>(entry.local).map_err(short("a member"))?;
    if part(&head, 0, 4) != Some(b"PK\x03\x04") {
        return Err(damaged("a member is not where the directory says"));
    }
    let names = [26, 28].map(|n| u64::from(le16(&head, n).unwrap_or_default()));
    let start = entry.local + 30 + names.iter().sum::<u64>();
    let end = start.checked_add(entry.stored).filter(|&e| e <= source.len());
    end.map(|_| start).ok_or_else(|| StripError::Truncated("a member".to_owned()))
}

/// Unpacks a deflated member; never more than the directory announces.
fn unpack(source: &mut Source<'_>, entry: &Entry, start: u64) -> Result<Vec<u8>, StripError> {
    let size = usize::try_from(entry.size.min(MAX_MEMBER)).unwrap_or_default();
    let mut out: Vec<u8> = Vec::with_capacity(size.min(1 << 20));
    let mut machine = Decompress::new(false);
    let mut at = start;
    let end = start + entry.stored;
    let broken = || damaged("a packed member");
    loop {
        let input = source.upto(at, end, 64 << 10).map_err(short("a member"))?;
        if out.len() == out.capacity() {
            // One byte more than announced shows that there is more.
            out.reserve((size + 1).saturating_sub(out.len()).clamp(1, 1 << 20));
        }
        let (before, had) = (machine.total_in(), out.len());
        let status = machine
            .decompress_vec(&input, &mut out, FlushDecompress::None)
            .map_err(|_e| broken())?;
        at += machine.total_in() - before;
        if out.len() > size {
            return Err(damaged("a member is longer than the directory says"));
        }
        if status == Status::StreamEnd {
            break;
        }
        let stuck = machine.total_in() == before && out.len() == had;
        if stuck && out.len() < out.capacity() {
            return Err(broken());
        }
    }
    let mut crc = Crc::new();
    crc.update(&out);
    if out.len() != size || crc.sum() != entry.crc {
        return Err(damaged("a member's checksum is wrong"));
    }
    Ok(out)
}

/// Reads the directory.
fn directory(source: &mut Source<'_>) -> Result<Vec<Entry>, StripError> {
    let len = source.len();
    let from = len.saturating_sub(65_535 + 22);
    let tail = source.upto(from, len, 65_535 + 22).map_err(short("its directory"))?;
    let n = tail
        .windows(4)
        .rposition(|w| w == b"PK\x05\x06")
        .ok_or_else(|| StripError::Truncated("its directory".to_owned()))?;
    let end = (|| {
        let disks = (le16(&tail, n + 4)?, le16(&tail, n + 6)?);
        Some((disks, le16(&tail, n + 10)?, le32(&tail, n + 12)?, le32(&tail, n + 16)?))
    })();
    let (disks, count, size, offset) =
        end.ok_or_else(|| StripError::Truncated("its directory".to_owned()))?;
    if disks != (0, 0) {
        return Err(StripError::Unsupported("a ZIP archive in several files".to_owned()));
    }
    if count == u16::MAX || offset == u32::MAX {
        return Err(StripError::Unsupported("a ZIP64 archive".to_owned()));
    }
    if usize::from(count) > MAX_MEMBERS {
        return Err(StripError::TooLarge("it has too many members".to_owned()));
    }
    // Something may stand before the first member; offsets then are short
    // by its length.
    let place = (from + n as u64).checked_sub(size.into()).ok_or_else(|| damaged("directory"))?;
    let base = place.checked_sub(offset.into()).ok_or_else(|| damaged("directory"))?;
    let mut at = place;
    let mut list: Vec<Entry> = Vec::new();
    for index in 1..=usize::from(count) {
        let (entry, next) = entry(source, at, base, index)?;
        list.push(entry);
        at = next;
    }
    // The same bytes as several members: a bomb, or a trick.
    let mut spans: Vec<(u64, u64)> = list.iter().map(|e| (e.local, e.stored)).collect();
    spans.sort_unstable();
    if spans.windows(2).any(|w| matches!(w, [a, b] if a.0 + 30 + a.1 > b.0)) {
        return Err(damaged("members overlap"));
    }
    Ok(list)
}

fn entry(
    source: &mut Source<'_>,
    at: u64,
    base: u64,
    index: usize,
) -> Result<(Entry, u64), StripError> {
    let head = source.array::<46>(at).map_err(short("its directory"))?;
    if part(&head, 0, 4) != Some(b"PK\x01\x02") {
        return Err(damaged("its directory"));
    }
    let u16_at = |n| le16(&head, n).unwrap_or_default();
    let u32_at = |n| u64::from(le32(&head, n).unwrap_or_default());
    let method = u16_at(10);
    let flags = u16_at(8);
    let encrypted = flags & 0x41 != 0 || method == 99;
    if !matches!(method, 0 | 8) && !encrypted {
        let reason = StripError::Unsupported(format!("packing method {method}")).to_string();
        return Err(StripError::Member { index, reason });
    }
    let lengths = [28, 30, 32].map(|n| u64::from(u16_at(n)));
    let [name, extra, comment] = lengths;
    let unix = u16_at(4) >> 8 == 3;
    let kind = u32_at(38) >> 28;
    let entry = Entry {
        index,
        name: source.bytes(at + 46, name).map_err(short("its directory"))?,
        packed: method == 8,
        encrypted,
        special: unix && !matches!(kind, 0 | 4 | 8),
        crc: le32(&head, 16).unwrap_or_default(),
        stored: u32_at(20),
        size: u32_at(24),
        local: base + u32_at(42),
    };
    Ok((entry, at + 46 + name + extra + comment))
}

/// A member as it stands in the output.
struct Written {
    name: String,
    crc: u32,
    size: u32,
    at: u32,
}

impl Written {
    fn new(name: String, content: &[u8], at: u64) -> Result<Self, StripError> {
        let mut crc = Crc::new();
        crc.update(content);
        let large = |_e| StripError::TooLarge("ZIP ends at 4 GiB".to_owned());
        let size = u32::try_from(content.len()).map_err(large)?;
        let at = u32::try_from(at).map_err(large)?;
        Ok(Self { name, crc: crc.sum(), size, at })
    }

    /// From the version on, what both headers share: version 2.0, names in
    /// UTF-8, stored, one time for all.
    fn common(&self, b: &mut Vec<u8>) {
        b.extend([20, 0, 0, 8, 0, 0]);
        b.extend(DATE);
        b.extend(self.crc.to_le_bytes());
        b.extend(self.size.to_le_bytes());
        b.extend(self.size.to_le_bytes());
        b.extend((self.name.len() as u16).to_le_bytes());
        b.extend([0, 0]);
    }

    fn local(&self) -> Vec<u8> {
        let mut b = b"PK\x03\x04".to_vec();
        self.common(&mut b);
        b.extend(self.name.as_bytes());
        b
    }

    fn central(&self) -> Vec<u8> {
        let mut b = b"PK\x01\x02\x14\0".to_vec();
        self.common(&mut b);
        // Comment, disk, attributes.
        b.extend([0; 10]);
        b.extend(self.at.to_le_bytes());
        b.extend(self.name.as_bytes());
        b
    }
}
