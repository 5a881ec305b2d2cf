//! Stripping: rebuilding a file from its allowed parts. No decoder runs here.

use super::outbox::Outbox;
use super::probe::io_failure;
use crate::protocol::{Event, Failure, FailureKind, Phase};
use fernseed_scrub::{InventoryLimits, StripError, StripOptions, Stripped, strip};
use std::fs::File;
use std::io::{BufReader, BufWriter, Cursor, Read, Seek, SeekFrom, Write};

/// Files up to this size are read into memory once, bytes.
const IN_MEMORY: u64 = 16 << 20;
/// Buffer for larger ones, bytes.
const BUFFER: usize = 256 << 10;

/// Lists what the input gives away, then writes it anew.
pub(super) fn run(
    mut input: File,
    mut out: File,
    options: &StripOptions,
    outbox: &Outbox,
) -> Result<(), Failure> {
    let length = rewound(&mut input)?;
    let limits = InventoryLimits::default();
    let stripped = if length <= IN_MEMORY {
        let mut bytes = Cursor::new(read_all(&mut input, length)?);
        outbox.tell(Event::Inventory(fernseed_scrub::inventory(&mut bytes, length, &limits)))?;
        bytes.set_position(0);
        let mut made = Cursor::new(Vec::new());
        let stripped = strip(&mut bytes, length, &mut made, options).map_err(failure)?;
        out.write_all(made.get_ref()).map_err(io_failure)?;
        stripped
    } else {
        outbox.progress(Phase::Write, 0, None)?;
        let mut input = BufReader::with_capacity(BUFFER, input);
        outbox.tell(Event::Inventory(fernseed_scrub::inventory(&mut input, length, &limits)))?;
        input.seek(SeekFrom::Start(0)).map_err(io_failure)?;
        let mut made = BufWriter::with_capacity(BUFFER, out);
        let stripped = strip(&mut input, length, &mut made, options).map_err(failure)?;
        made.flush().map_err(io_failure)?;
        stripped
    };
    tell(stripped, outbox)
}

fn tell(stripped: Stripped, outbox: &Outbox) -> Result<(), Failure> {
    outbox.tell(Event::Stripped(stripped))
}

/// The file's length; it is at its start afterwards.
pub(super) fn rewound(file: &mut File) -> Result<u64, Failure> {
    let length = file.seek(SeekFrom::End(0)).map_err(io_failure)?;
    file.seek(SeekFrom::Start(0)).map_err(io_failure)?;
    Ok(length)
}

/// Everything from here on, at most `length` bytes.
pub(super) fn read_all(file: &mut File, length: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let room = usize::try_from(length).unwrap_or(usize::MAX);
    bytes
        .try_reserve_exact(room)
        .map_err(|e| Failure::new(FailureKind::TooLarge, e.to_string()))?;
    file.take(length).read_to_end(&mut bytes).map_err(io_failure)?;
    Ok(bytes)
}

fn failure(error: StripError) -> Failure {
    let kind = match &error {
        StripError::UnknownFormat => FailureKind::NotMedia,
        StripError::NeedsReencoding(_) => FailureKind::NeedsReencoding,
        StripError::Truncated(_) => FailureKind::Truncated,
        StripError::Damaged(_) => FailureKind::Damaged,
        StripError::Encrypted => FailureKind::Encrypted,
        StripError::TooLarge(_) => FailureKind::TooLarge,
        StripError::Io(_) => FailureKind::Io,
        _ => FailureKind::Unsupported,
    };
    Failure::new(kind, error.to_string())
}
