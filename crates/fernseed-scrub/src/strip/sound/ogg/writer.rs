//! Lays packets into pages, by a rule that looks only at the packets.

use crate::strip::StripError;
use crate::strip::sound::crc::crc32;
use crate::strip::sound::flow::Output;

/// The serial number of every stream that this writes.
const SERIAL: u32 = 1;
/// A page ends before it would grow longer than this.
const PAGE: usize = 8 * 1024;

/// Writes one stream.
pub(super) struct Writer<'a, O: Output> {
    output: &'a mut O,
    sequence: u32,
    lacing: Vec<u8>,
    body: Vec<u8>,
    /// Position of the last packet that ends in the open page.
    granule: Option<i64>,
    /// True if the open page begins inside a packet.
    continued: bool,
    /// Positions of pages never pass this one.
    end: i64,
    /// Past the headers.
    audio: bool,
    /// Samples are left out at the start. Only a first page that is not the
    /// last can say so.
    cut: bool,
}

impl<'a, O: Output> Writer<'a, O> {
    pub(super) const fn new(output: &'a mut O, end: i64) -> Self {
        Self {
            output,
            sequence: 0,
            lacing: Vec::new(),
            body: Vec::new(),
            granule: None,
            continued: false,
            end,
            audio: false,
            cut: false,
        }
    }

    /// From now on packets hold sound, whose first sample lies at `start`.
    pub(super) const fn audio(&mut self, start: i64) {
        self.audio = true;
        self.cut = start < 0;
    }

    /// Adds a packet that ends at `granule`.
    pub(super) fn packet(&mut self, bytes: &[u8], granule: i64) -> Result<(), StripError> {
        let full =
            self.body.len() + bytes.len() > PAGE || self.lacing.len() + bytes.len() / 255 + 1 > 255;
        // Samples left out at the start have to lie in the first page, those
        // left out at the end in the last.
        let may = self.granule.is_some_and(|g| (0..=self.end).contains(&g));
        if self.audio && full && may {
            self.page()?;
        }
        let mut rest = bytes;
        loop {
            if self.lacing.len() == 255 {
                self.flush(false)?;
                self.continued = rest.len() < bytes.len();
            }
            let take = rest.len().min(255);
            let (piece, left) = rest.split_at_checked(take).unwrap_or_default();
            self.lacing.push(take as u8);
            self.body.extend(piece);
            rest = left;
            if take < 255 {
                break;
            }
        }
        self.granule = Some(granule);
        if self.cut && granule >= 0 {
            self.cut = false;
            self.page()?;
        }
        Ok(())
    }

    /// Ends the open page.
    pub(super) fn page(&mut self) -> Result<(), StripError> {
        self.flush(false)
    }

    /// Ends the stream.
    pub(super) fn finish(mut self) -> Result<(), StripError> {
        self.granule = Some(self.end);
        self.flush(true)?;
        self.output.flush()?;
        Ok(())
    }

    fn flush(&mut self, last: bool) -> Result<(), StripError> {
        let first = self.sequence == 0;
        let flags = u8::from(self.continued) | u8::from(first) << 1 | u8::from(last) << 2;
        let granule = self.granule.take().map_or(-1, |g| g.min(self.end));
        let mut page = Vec::with_capacity(27 + self.lacing.len() + self.body.len());
        page.extend(b"OggS\0");
        page.push(flags);
        page.extend(if self.audio { granule } else { granule.min(0) }.to_le_bytes());
        page.extend(SERIAL.to_le_bytes());
        page.extend(self.sequence.to_le_bytes());
        page.extend([0; 4]);
        page.push(self.lacing.len() as u8);
        page.append(&mut self.lacing);
        page.append(&mut self.body);
        let sum = crc32(0, &page);
        if let Some(field) = page.get_mut(22..26) {
            field.copy_from_slice(&sum.to_le_bytes());
        }
        self.output.write_all(&page)?;
        self.sequence = self.sequence.wrapping_add(1);
        self.continued = false;
        Ok(())
    }
}
