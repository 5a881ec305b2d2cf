//! Video containers: read into typed tracks, opened, written anew.
//!
//! Readers ([`mp4`], [`matroska`], [`avi`], [`asf`], [`ts`], [`ps`]) give a
//! [`movie::Movie`]; [`shape`] opens every coded sample that can be opened,
//! leaves out what is never shown and settles the clock; the writers of
//! `mp4`, `matroska` and `avi` lay it out in one way. Transport streams,
//! program streams and ASF are wrapped anew: their layers exist to carry
//! other things along.

mod asf;
mod avi;
mod codec;
mod elementary;
mod matroska;
mod movie;
mod mp4;
mod out;
mod ps;
mod shape;
mod ts;

use super::{StripError, Stripped};
use crate::source::{Short, Source};
use out::Out;
use std::io::{Read, Seek, Write};

/// The containers of this module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Mp4,
    Matroska,
    Avi,
    Asf,
    Ts,
    Ps,
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
        Kind::Matroska => matroska::read(source)?,
        Kind::Avi => avi::read(source)?,
        Kind::Asf => asf::read(source)?,
        Kind::Ts => ts::read(source)?,
        Kind::Ps => ps::read(source)?,
    };
    shape::prepare(source, &mut movie)?;
    let extension = match kind {
        Kind::Mp4 => mp4::write(source, &mut movie, out)?,
        Kind::Avi => avi::write(source, &mut movie, out)?,
        Kind::Ts | Kind::Ps if belongs_in_mp4(&movie) => {
            movie.note("The streams were wrapped anew, as MP4.");
            mp4::write(source, &mut movie, out)?
        }
        Kind::Asf | Kind::Ts | Kind::Ps => {
            movie.note("The streams were wrapped anew, as Matroska.");
            matroska::write(source, &mut movie, out)?
        }
        Kind::Matroska => matroska::write(source, &mut movie, out)?,
    };
    out.flush()?;
    let container = match extension {
        "m4a" => "MP4 sound",
        "mov" => "QuickTime video",
        "webm" => "WebM video",
        "mkv" => "Matroska video",
        "avi" => "AVI video",
        "mka" => "Matroska sound",
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
    let kind = head.get(4..8)?;
    let boxes: [&[u8]; 8] =
        [b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"styp", b"uuid"];
    if boxes.contains(&kind) {
        return Some(Kind::Mp4);
    }
    match head.get(..12)? {
        [b'R', b'I', b'F', b'F', _, _, _, _, b'A', b'V', b'I', b' '] => Some(Kind::Avi),
        [0x30, 0x26, 0xB2, 0x75, 0x8E, 0x66, 0xCF, 0x11, ..] => Some(Kind::Asf),
        [0, 0, 1, 0xBA, ..] => Some(Kind::Ps),
        [0x1A, 0x45, 0xDF, 0xA3, ..] => Some(Kind::Matroska),
        // Still pictures in boxes are another module's.
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..]
            if !matches!(
                brand,
                b"heic" | b"heix" | b"heim" | b"heis" | b"mif1" | b"avif" | b"crx " | b"jxl "
            ) =>
        {
            Some(Kind::Mp4)
        }
        _ => ts::layout(&head).map(|_| Kind::Ts),
    }
}

/// True if the streams of a broadcast are at home in MP4.
fn belongs_in_mp4(movie: &movie::Movie) -> bool {
    use codec::Codec;
    movie.tracks.iter().all(|t| match &t.codec {
        Codec::Nal(_) | Codec::Aac(_) | Codec::Ac3(Some(_)) => true,
        Codec::Mpa(_) => movie.has_video(),
        _ => false,
    })
}

/// Why reading failed, as an error of this module.
fn fail(short: Short, what: &str) -> StripError {
    match short {
        Short::End => StripError::Truncated(what.to_owned()),
        Short::Budget => StripError::TooLarge("it points to the same bytes again and again".into()),
        Short::Io => StripError::Io(std::io::Error::other("the file cannot be read")),
    }
}
