//! TAR (POSIX.1-2001 ustar), plain or gzipped: headers of one form, members,
//! two empty blocks.

use super::{Job, MAX_MEMBER, MAX_MEMBERS, MAX_RATIO, Output, RATIO_FREE};
use super::{damaged, member, names, short};
use crate::bytes::part;
use crate::source::Source;
use crate::strip::{StripError, Stripped};
use flate2::read::GzDecoder;
use flate2::{Compression, GzBuilder};
use std::io::{Cursor, Read};

const BLOCK: u64 = 512;

/// What stands in the source.
#[derive(Debug)]
struct Entry {
    /// Position, from 1.
    index: usize,
    name: Vec<u8>,
    /// A link, device or piece of a file.
    special: bool,
    start: u64,
    size: u64,
}

/// True for the first block of a TAR file.
pub(super) fn is_header(b: &[u8]) -> bool {
    b.len() == 512 && b.first() != Some(&0) && checksum(b).is_some()
}

/// The checksum field, if it is right.
fn checksum(b: &[u8]) -> Option<u64> {
    let said = number(part(b, 148, 8)?)?;
    let sum = b
        .iter()
        .enumerate()
        .fold(0u64, |sum, (n, &x)| sum + if (148..156).contains(&n) { 32 } else { u64::from(x) });
    (said == sum).then_some(sum)
}

/// An octal number, or a binary one as GNU writes it.
fn number(field: &[u8]) -> Option<u64> {
    if field.first()? & 0x80 != 0 {
        let (first, rest) = field.split_first()?;
        let value = u64::from(first & 0x7F);
        return rest.iter().try_fold(value, |n, &b| n.checked_mul(256)?.checked_add(b.into()));
    }
    let text = std::str::from_utf8(field).ok()?;
    let digits = text.trim_matches(|c| c == ' ' || c == '\0');
    if digits.is_empty() { Some(0) } else { u64::from_str_radix(digits, 8).ok() }
}

fn text(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|&b| b == 0).unwrap_or(field.len());
    field.get(..end).unwrap_or_default()
}

/// Strips a gzipped TAR file.
pub(super) fn rebuild_gzip(
    source: &mut Source<'_>,
    output: &mut impl Output,
    job: &mut Job<'_>,
) -> Result<Stripped, StripError> {
    let len = source.len();
    let most = MAX_MEMBER.min(len.saturating_mul(MAX_RATIO).saturating_add(RATIO_FREE));
    let inside = member::Inside::new(source, 0, len);
    let mut plain = Vec::new();
    let mut reader = GzDecoder::new(inside).take(most + 1);
    reader.read_to_end(&mut plain).map_err(|_e| damaged("the packed data"))?;
    if plain.len() as u64 > most {
        return Err(StripError::TooLarge("it unpacks to more than 256 MiB".to_owned()));
    }
    if !plain.get(..512).is_some_and(is_header) {
        return Err(StripError::Unsupported("a gzip file that is no TAR archive".to_owned()));
    }
    let len = plain.len() as u64;
    let mut cursor = Cursor::new(plain);
    let mut inner = Source::new(&mut cursor, len, len.saturating_mul(8).saturating_add(64 << 20));
    // No name, no time, no operating system.
    let mut writer =
        GzBuilder::new().mtime(0).operating_system(255).write(&mut *output, Compression::new(6));
    write(&mut inner, &mut writer, job)?;
    writer.finish()?.flush()?;
    let job = std::mem::replace(job, Job::new(job.options, job.depth, 0));
    job.finish("gzipped TAR archive", "tar.gz")
}

/// Strips a TAR file.
pub(super) fn rebuild(
    source: &mut Source<'_>,
    output: &mut impl Output,
    job: &mut Job<'_>,
) -> Result<Stripped, StripError> {
    write(source, output, job)?;
    output.flush()?;
    let job = std::mem::replace(job, Job::new(job.options, job.depth, 0));
    job.finish("TAR archive", "tar")
}

fn write(
    source: &mut Source<'_>,
    output: &mut impl std::io::Write,
    job: &mut Job<'_>,
) -> Result<(), StripError> {
    let mut entries = list(source)?;
    entries.retain(|e| !names::is_litter(&e.name));
    entries.sort_by(|a, b| (&a.name, a.index).cmp(&(&b.name, b.index)));
    let mut entries: Vec<(String, Entry)> =
        entries.into_iter().map(|e| (job.names.give(&e.name), e)).collect();
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    for (name, entry) in entries {
        let content = if entry.special {
            member::refuse(job, entry.index, StripError::UnknownFormat)?
        } else {
            job.take(entry.size)?;
            source.grant(entry.size.saturating_mul(4).saturating_add(1 << 20));
            let mut inside = member::Inside::new(source, entry.start, entry.size);
            member::strip(job, entry.index, &mut inside, entry.size)?
        };
        let Some(content) = content else { continue };
        output.write_all(&header(&name, content.len() as u64))?;
        output.write_all(&content)?;
        let rest = content.len() % BLOCK as usize;
        if rest > 0 {
            output.write_all([0; BLOCK as usize].split_at(rest).1)?;
        }
    }
    output.write_all(&[0; 2 * BLOCK as usize])?;
    Ok(())
}

/// The one form of header that is written.
fn header(name: &str, size: u64) -> Vec<u8> {
    let mut b = vec![0; BLOCK as usize];
    let mut put = |at: usize, what: &[u8]| {
        if let Some(field) = b.get_mut(at..at + what.len()) {
            field.copy_from_slice(what);
        }
    };
    put(0, name.as_bytes());
    put(100, b"0000644\x000000000\x000000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0        0");
    put(257, b"ustar\x0000");
    let sum: u32 = b.iter().map(|&x| u32::from(x)).sum();
    if let Some(field) = b.get_mut(148..156) {
        field.copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    b
}

/// Reads all headers.
fn list(source: &mut Source<'_>) -> Result<Vec<Entry>, StripError> {
    let len = source.len();
    let mut list = Vec::new();
    let mut at = 0u64;
    let mut headers = 0;
    let mut index = 0;
    let mut long: Option<Vec<u8>> = None;
    let mut size: Option<u64> = None;
    while at + BLOCK <= len {
        let head = source.array::<512>(at).map_err(short("a member"))?;
        if head == [0; 512] {
            break;
        }
        headers += 1;
        if headers > 3 * MAX_MEMBERS {
            return Err(StripError::TooLarge("it has too many members".to_owned()));
        }
        checksum(&head).ok_or_else(|| damaged("a header"))?;
        let said = part(&head, 124, 12).and_then(number).ok_or_else(|| damaged("a header"))?;
        let kind = head[156];
        let member = !matches!(kind, b'x' | b'g' | b'L' | b'K');
        // A PAX record for a member says its size where the field cannot.
        let length = if member { size.take().unwrap_or(said) } else { said };
        let start = at + BLOCK;
        let end = start.checked_add(length).filter(|&e| e <= len);
        let end = end.ok_or_else(|| StripError::Truncated("a member".to_owned()))?;
        at = start + length.div_ceil(BLOCK) * BLOCK;
        match kind {
            b'x' => {
                let body = source.upto(start, end, 1 << 20).map_err(short("a header"))?;
                let (name, bytes) = pax(&body);
                long = name.or(long);
                size = bytes.or(size);
            }
            b'L' => {
                let body = source.upto(start, end, 1 << 16).map_err(short("a header"))?;
                long = Some(text(&body).to_vec());
            }
            b'g' | b'K' => {}
            b'5' => (long, index) = (None, index + 1),
            _ => {
                index += 1;
                let name = long.take().unwrap_or_else(|| plain_name(&head));
                // Old archives mark folders by their name.
                if name.ends_with(b"/") && length == 0 {
                    continue;
                }
                let special = !matches!(kind, 0 | b'0' | b'7');
                list.push(Entry { index, name, special, start, size: length });
            }
        }
    }
    if list.len() > MAX_MEMBERS {
        return Err(StripError::TooLarge("it has too many members".to_owned()));
    }
    Ok(list)
}

fn plain_name(head: &[u8]) -> Vec<u8> {
    let mut name = Vec::new();
    let prefix = part(head, 345, 155).map(text).unwrap_or_default();
    if part(head, 257, 6) == Some(b"ustar\0") && !prefix.is_empty() {
        name.extend(prefix);
        name.push(b'/');
    }
    name.extend(part(head, 0, 100).map(text).unwrap_or_default());
    name
}

/// Path and size out of PAX records: `27 path=a/long/name\n`.
fn pax(mut b: &[u8]) -> (Option<Vec<u8>>, Option<u64>) {
    let (mut path, mut size) = (None, None);
    while let Some(space) = b.iter().position(|&c| c == b' ') {
        let digits = b.get(..space).and_then(|d| std::str::from_utf8(d).ok());
        let Some(length) = digits.and_then(|d| d.parse::<usize>().ok()) else { break };
        let Some(record) = b.get(space + 1..length.saturating_sub(1)) else { break };
        if let Some(value) = record.strip_prefix(b"path=") {
            path = Some(value.to_vec());
        } else if let Some(value) = record.strip_prefix(b"size=") {
            size = std::str::from_utf8(value).ok().and_then(|v| v.parse().ok());
        }
        b = b.get(length..).unwrap_or_default();
    }
    (path, size)
}
