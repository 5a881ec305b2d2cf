//! Archives, member by member: ZIP, TAR and gzipped TAR.
//!
//! Every member is stripped like a file of its own and kept in memory, never
//! on disk. Members come out in the order of their names, with one time, one
//! owner and one mode for all; ZIP members are stored, not packed, since
//! pictures and sound are packed already. Names are kept as far as they are
//! harmless to whoever unpacks them.

mod member;
mod names;
mod tar;
mod zip;

use super::{StripError, StripOptions, Stripped};
use crate::bytes::part;
use crate::source::{Short, Source};
use std::io::{Read, Seek, Write};

/// Most members.
const MAX_MEMBERS: usize = 10_000;
/// Most bytes of one member, packed out or stripped, since both lie in
/// memory.
const MAX_MEMBER: u64 = 256 << 20;
/// How many times longer than the archive all members together may be, and
/// bytes on top.
const MAX_RATIO: u64 = 100;
const RATIO_FREE: u64 = 64 << 20;
/// Archives inside archives.
const MAX_DEPTH: u32 = 2;

/// What the formats write to.
trait Output: Write + Seek {}
impl<T: Write + Seek> Output for T {}

/// Strips `input` if it is an archive; `None` if not.
pub(super) fn rebuild(
    input: &mut (impl Read + Seek),
    len: u64,
    output: &mut (impl Write + Seek),
    options: &StripOptions,
) -> Option<Result<Stripped, StripError>> {
    nested(input, len, output, options, 0)
}

/// The same `depth` archives deep.
fn nested(
    input: &mut (impl Read + Seek),
    len: u64,
    output: &mut (impl Write + Seek),
    options: &StripOptions,
    depth: u32,
) -> Option<Result<Stripped, StripError>> {
    let budget = len.saturating_mul(8).saturating_add(64 << 20);
    let mut source = Source::new(input, len, budget);
    let head = source.upto(0, len, 512).ok()?;
    let at = |n: usize, what: &[u8]| part(&head, n, what.len()) == Some(what);
    let zip = at(0, b"PK\x03\x04") || at(0, b"PK\x05\x06");
    let gzip = at(0, b"\x1F\x8B");
    let tar = tar::is_header(&head);
    let other = [
        (&b"7z\xBC\xAF\x27\x1C"[..], "7-Zip"),
        (b"Rar!\x1A\x07", "RAR"),
        (b"BZh", "bzip2"),
        (b"\xFD7zXZ\0", "xz"),
        (b"\x28\xB5\x2F\xFD", "Zstandard"),
    ];
    if let Some((_, name)) = other.iter().find(|(mark, _)| at(0, mark)) {
        return Some(Err(StripError::Unsupported(format!("a {name} archive"))));
    }
    if !zip && !gzip && !tar {
        return None;
    }
    if depth > MAX_DEPTH {
        let what = "archives inside archives are nested too deeply";
        return Some(Err(StripError::TooLarge(what.to_owned())));
    }
    let mut job = Job::new(options, depth, len);
    Some(if zip {
        zip::rebuild(&mut source, output, &mut job)
    } else if gzip {
        tar::rebuild_gzip(&mut source, output, &mut job)
    } else {
        tar::rebuild(&mut source, output, &mut job)
    })
}

/// What holds for all members of an archive.
struct Job<'a> {
    options: &'a StripOptions,
    depth: u32,
    /// Bytes that members may still unpack to.
    left: u64,
    names: names::Names,
    notes: Vec<String>,
    omitted: usize,
    kept: usize,
}

impl<'a> Job<'a> {
    fn new(options: &'a StripOptions, depth: u32, len: u64) -> Self {
        Self {
            options,
            depth,
            left: len.saturating_mul(MAX_RATIO).saturating_add(RATIO_FREE),
            names: names::Names::default(),
            notes: Vec::new(),
            omitted: 0,
            kept: 0,
        }
    }

    /// Takes the bytes of a member off what is left.
    fn take(&mut self, bytes: u64) -> Result<(), StripError> {
        if bytes > MAX_MEMBER {
            return Err(StripError::TooLarge("a member".to_owned()));
        }
        self.left = self.left.checked_sub(bytes).ok_or_else(|| {
            StripError::TooLarge("it unpacks to far more than it is long".to_owned())
        })?;
        Ok(())
    }

    fn finish(mut self, container: &str, extension: &str) -> Result<Stripped, StripError> {
        if self.omitted > 0 && self.kept == 0 {
            let what = "an archive none of whose members can be cleaned";
            return Err(StripError::Unsupported(what.to_owned()));
        }
        if self.omitted > 0 {
            self.notes.push(format!("{} members are left out.", self.omitted));
        }
        self.notes.push("Members keep their names.".to_owned());
        Ok(Stripped {
            container: container.to_owned(),
            extension: extension.to_owned(),
            notes: self.notes,
        })
    }
}

/// An error of reading, said for the structure `what`.
fn short(what: &str) -> impl Fn(Short) -> StripError + use<'_> {
    move |e| match e {
        Short::End => StripError::Truncated(what.to_owned()),
        Short::Budget => StripError::TooLarge("it is read again and again".to_owned()),
        Short::Io => StripError::Io(std::io::Error::other("the file could not be read")),
    }
}

/// `it is damaged: ...`
fn damaged(what: &str) -> StripError {
    StripError::Damaged(what.to_owned())
}
