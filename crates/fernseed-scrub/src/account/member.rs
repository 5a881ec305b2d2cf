//! Part of a file as a file of its own, for members of archives.

use crate::source::Source;
use std::io::{Error, Read, Result, Seek, SeekFrom};

/// Archives inside archives that are looked into.
pub(super) const MAX_DEPTH: u32 = 3;

/// `len` bytes of a source, from `start` on.
pub(super) struct Member<'s, 'f> {
    pub(super) source: &'s mut Source<'f>,
    pub(super) start: u64,
    pub(super) len: u64,
    pub(super) at: u64,
}

impl Read for Member<'_, '_> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        let rest = self.len.saturating_sub(self.at).min(out.len() as u64) as usize;
        let place = self.start.saturating_add(self.at);
        match out.get_mut(..rest).map(|to| self.source.fill(place, to)) {
            Some(Ok(())) => {
                self.at += rest as u64;
                Ok(rest)
            }
            _ => Err(Error::other("unreadable")),
        }
    }
}

impl Seek for Member<'_, '_> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let at = match to {
            SeekFrom::Start(n) => n.into(),
            SeekFrom::Current(n) => i128::from(self.at) + i128::from(n),
            SeekFrom::End(n) => i128::from(self.len) + i128::from(n),
        };
        self.at = u64::try_from(at).map_err(|_e| Error::other("outside"))?;
        Ok(self.at)
    }
}

/// Why a member's name may not stay; `None` if it may.
pub(super) fn bad_name(name: &[u8]) -> Option<&'static str> {
    let Ok(text) = std::str::from_utf8(name) else {
        return Some("A name that is not UTF-8.");
    };
    let bad_part = |p: &str| p.is_empty() || p.chars().all(|c| c == '.');
    if text.split('/').any(bad_part) {
        return Some("A name that leads out of the folder.");
    }
    let tricky = |c: char| {
        c.is_control() || matches!(c, '\\' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().any(tricky).then_some("A name with control or direction characters.")
}
