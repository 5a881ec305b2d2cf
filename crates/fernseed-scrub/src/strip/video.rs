//! Video containers: read into typed tracks, opened, written anew.
//!
//! Readers ([`mp4`], [`matroska`], [`avi`], [`asf`], [`ts`], [`ps`]) give a
//! [`movie::Movie`]; [`shape`] opens every coded sample that can be opened,
//! leaves out what is never shown and settles the clock; the writers of
//! `mp4`, `matroska` and `avi` lay it out in one way. Transport streams,
//! program streams and ASF are wrapped anew: their layers exist to carry
//! other things along.

mod codec;
mod movie;
mod mp4;
mod out;
mod shape;

use super::{StripError, Stripped};
use crate::source::{Short, Source};
use out::Out;
use std::io::{Read, Seek, Write};

/// The containers of this module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Mp4,
}

/// Strips `input` if it is one of this module's formats; `None` if not.
pub(super) fn rebuild(
    input: &mut (impl Read + Seek),
    len: u64,
    output: &mut (impl Write + Seek),
) -> Option<Result<Stripped, StripError>> {
    // Twice to look and once to write, parameter sets looked up once more,
    // and headers.
    let budget = len.saturating_mul(5).saturating_add(64 << 20);
    let mut source = Source::new(input, len, budget);
    let kind = sniff(&mut source)?;
    Some(run(kind, &mut source, &mut Out::new(output)))
}

fn run(kind: Kind, source: &mut Source<'_>, out: &mut Out<'_>) -> Result<Stripped, StripError> {
    let mut movie = match kind {
        Kind::Mp4 => mp4::read(source)?,
    };
    shape::prepare(source, &mut movie)?;
    let extension = mp4::write(source, &mut movie, out)?;
    out.flush()?;
    let container = match extension {
        "m4a" => "MP4 sound",
        "mov" => "QuickTime video",
        _ => "MP4 video",
    };
    Ok(Stripped {
        container: container.to_owned(),
        extension: extension.to_owned(),
        notes: movie.notes,
    })
}

/// Which container the file is, by its first bytes.
fn sniff(source: &mut Source<'_>) -> Option<Kind> {
    let len = source.len();
    let head = source.upto(0, len, 4096).ok()?;
    match head.get(..12)? {
        // Still pictures in boxes are another module's.
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..]
            if !matches!(
                brand,
                b"heic" | b"heix" | b"heim" | b"heis" | b"mif1" | b"avif" | b"crx " | b"jxl "
            ) =>
        {
            Some(Kind::Mp4)
        }
        [_, _, _, _, kind @ .., _, _, _, _]
            if matches!(
                kind,
                b"moov" | b"mdat" | b"wide" | b"free" | b"skip" | b"pnot" | b"styp" | b"uuid"
            ) =>
        {
            Some(Kind::Mp4)
        }
        _ => None,
    }
}

/// Why reading failed, as an error of this module.
fn fail(short: Short, what: &str) -> StripError {
    match short {
        Short::End => StripError::Truncated(what.to_owned()),
        Short::Budget => StripError::TooLarge("it points to the same bytes again and again".into()),
        Short::Io => StripError::Io(std::io::Error::other("the file cannot be read")),
    }
}
