//! Pages of an Ogg file, and packets out of them (RFC 3533, 6).

use crate::bytes::{le32, part};
use crate::source::Source;
use crate::strip::StripError;
use crate::strip::sound::crc::crc32;
use crate::strip::sound::flow::{damaged, short};

/// Longest packet taken: no header or frame of sound comes near.
const MAX_PACKET: usize = 16 << 20;

/// One page.
#[derive(Debug)]
struct Page {
    flags: u8,
    granule: i64,
    serial: u32,
    lacing: Vec<u8>,
    body: Vec<u8>,
    next: u64,
}

/// The page at `at`, whose checksum must hold.
fn page(source: &mut Source<'_>, at: u64) -> Result<Option<Page>, StripError> {
    let len = source.len();
    let head = source.upto(at, len, 27 + 255).map_err(short("a page"))?;
    if part(&head, 0, 5) != Some(b"OggS\0") {
        return Ok(None);
    }
    let fields = (|| {
        let granule = i64::from_le_bytes(part(&head, 6, 8)?.try_into().ok()?);
        let count = usize::from(*head.get(26)?);
        Some((granule, le32(&head, 14)?, le32(&head, 22)?, part(&head, 27, count)?.to_vec()))
    })();
    let cut = || StripError::Truncated("a page".to_owned());
    let (granule, serial, sum, lacing) = fields.ok_or_else(cut)?;
    let start = at + 27 + lacing.len() as u64;
    let size: u64 = lacing.iter().map(|&n| u64::from(n)).sum();
    let body = source.bytes(start, size).map_err(short("a page"))?;
    let mut header = head.get(..27 + lacing.len()).unwrap_or_default().to_vec();
    if let Some(field) = header.get_mut(22..26) {
        field.fill(0);
    }
    if crc32(crc32(0, &header), &body) != sum {
        return Err(damaged("the checksum of a page is wrong"));
    }
    let flags = head.get(5).copied().unwrap_or_default();
    Ok(Some(Page { flags, granule, serial, lacing, body, next: start + size }))
}

/// Serial number and first packet of every stream. Streams that begin
/// later, one after the other, are refused.
pub(super) fn beginnings(source: &mut Source<'_>) -> Result<Vec<(u32, Vec<u8>)>, StripError> {
    let mut list: Vec<(u32, Vec<u8>)> = Vec::new();
    let mut at = 0;
    while let Some(p) = page(source, at)? {
        if p.flags & 2 == 0 {
            break;
        }
        if list.len() >= 64 || list.iter().any(|(s, _)| *s == p.serial) {
            return Err(damaged("its streams do not begin in order"));
        }
        list.push((p.serial, p.body));
        at = p.next;
        if at >= source.len() {
            break;
        }
    }
    Ok(list)
}

/// One packet.
#[derive(Debug)]
pub(super) struct Packet {
    pub(super) bytes: Vec<u8>,
    /// Granule position of its page, if it is the last to end there.
    pub(super) granule: Option<i64>,
}

/// Takes the packets of one stream, in order.
#[derive(Debug)]
pub(super) struct Packets {
    serial: Option<u32>,
    at: u64,
    page: Option<Page>,
    segment: usize,
    offset: usize,
    open: Vec<u8>,
    /// False where the beginning of the open packet was lost.
    whole: bool,
    started: bool,
    /// Packets still to be passed over.
    pub(super) skip: usize,
}

impl Packets {
    pub(super) fn new(source: &mut Source<'_>, serial: Option<u32>) -> Self {
        source.grant(source.len());
        Self {
            serial,
            at: 0,
            page: None,
            segment: 0,
            offset: 0,
            open: Vec::new(),
            whole: true,
            started: false,
            skip: 0,
        }
    }

    /// The next packet; `None` at the end of the file. Data behind the
    /// pages is not looked at.
    pub(super) fn next(&mut self, source: &mut Source<'_>) -> Result<Option<Packet>, StripError> {
        loop {
            let Some(p) = &self.page else {
                if !self.turn(source)? {
                    return Ok(None);
                }
                continue;
            };
            let Some(&length) = p.lacing.get(self.segment) else {
                self.page = None;
                continue;
            };
            let piece = part(&p.body, self.offset, length.into()).unwrap_or_default();
            if self.whole {
                if self.open.len() + piece.len() > MAX_PACKET {
                    return Err(StripError::TooLarge("a packet".to_owned()));
                }
                self.open.extend(piece);
            }
            self.segment += 1;
            self.offset += usize::from(length);
            if length == 255 {
                continue;
            }
            let last = p.lacing.get(self.segment..).is_some_and(|l| l.iter().all(|&n| n == 255));
            let granule = last.then_some(p.granule);
            let bytes = std::mem::take(&mut self.open);
            if !std::mem::replace(&mut self.whole, true) {
                continue;
            }
            if self.skip > 0 {
                self.skip -= 1;
                continue;
            }
            return Ok(Some(Packet { bytes, granule }));
        }
    }

    /// Goes to the stream's next page; false if there is none.
    fn turn(&mut self, source: &mut Source<'_>) -> Result<bool, StripError> {
        while self.at < source.len() {
            let Some(p) = page(source, self.at)? else { return Ok(false) };
            self.at = p.next;
            if p.flags & 2 != 0 && self.started {
                // Beginnings stand before everything else, so this is a
                // second recording behind the first.
                let what = "an Ogg file of several recordings in a row";
                return Err(StripError::Unsupported(what.to_owned()));
            }
            if self.serial != Some(p.serial) {
                continue;
            }
            if p.flags & 2 == 0 {
                self.started = true;
            }
            if p.flags & 1 == 0 {
                self.open.clear();
                self.whole = true;
            } else if self.open.is_empty() {
                self.whole = false;
            }
            (self.segment, self.offset) = (0, 0);
            self.page = Some(p);
            return Ok(true);
        }
        Ok(false)
    }
}
