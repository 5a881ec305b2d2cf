//! Still pictures and animations.
//!
//! Each format is read whole into typed values and written anew. Where a
//! format packs its samples without loss (PNG, GIF, TIFF with deflate, LZW
//! or PackBits) they are unpacked and packed again, so that nothing hides in
//! how they were packed; lossy pictures keep their coefficients.

mod bmp;
mod colour;
mod exif;
mod gif;
mod heif;
mod jpeg;
mod jxl;
mod lzw;
mod png;
mod pnm;
mod svg;
mod tiff;
mod webp;

use super::{StripError, Stripped};
use std::io::{Read, Seek, SeekFrom, Write};

/// Largest file taken, in bytes: it is kept in memory.
const MAX_INPUT: u64 = 160 << 20;
/// Most bytes looked at to recognise a file.
const HEAD: u64 = 4096;

/// A finished picture file.
struct Built {
    container: &'static str,
    extension: &'static str,
    bytes: Vec<u8>,
    notes: Vec<String>,
}

type Outcome = Result<Built, StripError>;

/// Strips `input` if it is one of this module's formats; `None` if not.
pub(super) fn rebuild(
    input: &mut (impl Read + Seek),
    len: u64,
    output: &mut (impl Write + Seek),
) -> Option<Result<Stripped, StripError>> {
    let head = match read(input, len.min(HEAD)) {
        Ok(head) => head,
        Err(error) => return Some(Err(error.into())),
    };
    let format = sniff(&head)?;
    let outcome = (|| {
        if len > MAX_INPUT {
            return Err(too_large("a picture of more than 160 MiB"));
        }
        let data = read(input, len)?;
        let built = format(&data)?;
        output.write_all(&built.bytes)?;
        Ok(Stripped {
            container: built.container.to_owned(),
            extension: built.extension.to_owned(),
            notes: built.notes,
        })
    })();
    Some(outcome)
}

fn read(input: &mut (impl Read + Seek), len: u64) -> std::io::Result<Vec<u8>> {
    input.seek(SeekFrom::Start(0))?;
    let mut data = Vec::new();
    input.take(len).read_to_end(&mut data)?;
    Ok(data)
}

/// The module that knows the format.
fn sniff(head: &[u8]) -> Option<fn(&[u8]) -> Outcome> {
    let at = |n: usize, what: &[u8]| crate::bytes::part(head, n, what.len()) == Some(what);
    if at(0, b"\xFF\xD8\xFF") {
        Some(jpeg::rebuild)
    } else if at(0, b"\x89PNG\r\n\x1a\n") {
        Some(png::rebuild)
    } else if at(0, b"RIFF") && at(8, b"WEBP") {
        Some(webp::rebuild)
    } else if at(0, b"GIF87a") || at(0, b"GIF89a") {
        Some(gif::rebuild)
    } else if at(0, b"II*\0") || at(0, b"MM\0*") || at(0, b"II+\0") || at(0, b"MM\0+") {
        Some(tiff::rebuild)
    } else if at(4, b"JXL \r\n\x87\n") || at(0, b"\xFF\x0A") {
        Some(jxl::rebuild)
    } else if heif::looks_like(head) {
        Some(heif::rebuild)
    } else if bmp::looks_like(head) {
        Some(bmp::rebuild)
    } else if pnm::looks_like(head) {
        Some(pnm::rebuild)
    } else if svg::looks_like(head) {
        Some(svg::rebuild)
    } else {
        None
    }
}

fn needs(why: &str) -> StripError {
    StripError::NeedsReencoding(why.to_owned())
}

fn damaged(what: &str) -> StripError {
    StripError::Damaged(what.to_owned())
}

fn truncated(what: &str) -> StripError {
    StripError::Truncated(what.to_owned())
}

fn too_large(what: &str) -> StripError {
    StripError::TooLarge(what.to_owned())
}

fn unsupported(what: &str) -> StripError {
    StripError::Unsupported(what.to_owned())
}
