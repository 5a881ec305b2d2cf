//! What the modules for sound share: errors, copying of samples, and tags
//! that may stand in front of any stream.

use crate::bytes::{le32, part};
use crate::source::{Short, Source};
use crate::strip::StripError;
use std::io::{Seek, Write};

/// What the formats write to.
pub(super) trait Output: Write + Seek {}
impl<T: Write + Seek> Output for T {}

/// Bytes copied at a time.
const BLOCK: u64 = 256 * 1024;

/// An error of reading, said for the structure `what`.
pub(super) fn short(what: &str) -> impl Fn(Short) -> StripError + use<'_> {
    move |e| match e {
        Short::End => StripError::Truncated(what.to_owned()),
        Short::Budget => StripError::TooLarge("its structures are read again and again".to_owned()),
        Short::Io => StripError::Io(std::io::Error::other("the file could not be read")),
    }
}

/// `it is damaged: ...`
pub(super) fn damaged(what: &str) -> StripError {
    StripError::Damaged(what.to_owned())
}

/// Copies the samples at `start..end`.
pub(super) fn copy(
    source: &mut Source<'_>,
    start: u64,
    end: u64,
    output: &mut impl Output,
) -> Result<(), StripError> {
    let mut at = start;
    while at < end {
        let block = source.upto(at, end, BLOCK).map_err(short("the sound"))?;
        if block.is_empty() {
            return Err(StripError::Truncated("the sound".to_owned()));
        }
        output.write_all(&block)?;
        at += block.len() as u64;
    }
    Ok(())
}

/// Four bytes of seven bits each (ID3v2 sizes).
fn syncsafe(b: &[u8]) -> Option<u64> {
    b.iter().try_fold(0u64, |n, &x| (x < 0x80).then_some(n << 7 | u64::from(x)))
}

/// Length of the ID3v2 tag at `at`, header and footer included.
fn id3v2(source: &mut Source<'_>, at: u64) -> Option<u64> {
    let head = source.array::<10>(at).ok()?;
    let size = syncsafe(part(&head, 6, 4)?)?;
    let known = part(&head, 0, 3)? == b"ID3" && (2..=4).contains(&head[3]) && head[4] != 0xFF;
    known.then_some(10 + size + if head[3] == 4 && head[5] & 0x10 != 0 { 10 } else { 0 })
}

/// Length of the APEv2 tag whose header stands at `at`.
fn ape(source: &mut Source<'_>, at: u64) -> Option<u64> {
    let head = source.array::<32>(at).ok()?;
    let header = le32(&head, 20)? & 0xA000_0000 == 0xA000_0000;
    (part(&head, 0, 8)? == b"APETAGEX" && header).then_some(32 + u64::from(le32(&head, 12)?))
}

/// Where the stream begins behind the tags in front of it.
pub(super) fn after_tags(source: &mut Source<'_>) -> u64 {
    let mut at = 0u64;
    for _ in 0..16 {
        let Some(length) = id3v2(source, at).or_else(|| ape(source, at)) else { break };
        match at.checked_add(length) {
            Some(next) if next <= source.len() => at = next,
            _ => break,
        }
    }
    at
}

/// Where the stream ends before the tags behind it: ID3v1 and its
/// extension, Lyrics3 and APE, in any order.
pub(super) fn before_tags(source: &mut Source<'_>, start: u64) -> u64 {
    let mut end = source.len();
    for _ in 0..16 {
        let shorter = id3v1(source, end)
            .or_else(|| ape_footer(source, end))
            .or_else(|| lyrics3(source, end))
            .or_else(|| id3v2_footer(source, end));
        match shorter {
            Some(length) if length > 0 && end.saturating_sub(start) >= length => end -= length,
            _ => break,
        }
    }
    end
}

fn id3v1(source: &mut Source<'_>, end: u64) -> Option<u64> {
    let tag = source.array::<3>(end.checked_sub(128)?).ok()?;
    if &tag != b"TAG" {
        return None;
    }
    let extended = end.checked_sub(128 + 227).and_then(|at| source.array::<4>(at).ok());
    Some(if extended == Some(*b"TAG+") { 128 + 227 } else { 128 })
}

fn ape_footer(source: &mut Source<'_>, end: u64) -> Option<u64> {
    let foot = source.array::<32>(end.checked_sub(32)?).ok()?;
    if part(&foot, 0, 8)? != b"APETAGEX" {
        return None;
    }
    let header = le32(&foot, 20)? & 0x8000_0000 != 0;
    Some(u64::from(le32(&foot, 12)?) + if header { 32 } else { 0 })
}

fn lyrics3(source: &mut Source<'_>, end: u64) -> Option<u64> {
    let foot = source.array::<15>(end.checked_sub(15)?).ok()?;
    if part(&foot, 6, 9)? == b"LYRICS200" {
        let digits = std::str::from_utf8(part(&foot, 0, 6)?).ok()?;
        return Some(digits.parse::<u64>().ok()? + 15);
    }
    if part(&foot, 6, 9)? != b"LYRICSEND" {
        return None;
    }
    // Version 1 has no length and is at most 5,100 bytes of text long.
    let from = end.saturating_sub(5_100 + 20);
    let block = source.upto(from, end, 5_200).ok()?;
    let at = crate::bytes::find(&block, b"LYRICSBEGIN")?;
    Some(end - from - at as u64)
}

fn id3v2_footer(source: &mut Source<'_>, end: u64) -> Option<u64> {
    let foot = source.array::<10>(end.checked_sub(10)?).ok()?;
    (part(&foot, 0, 3)? == b"3DI").then_some(())?;
    Some(syncsafe(part(&foot, 6, 4)?)? + 20)
}
