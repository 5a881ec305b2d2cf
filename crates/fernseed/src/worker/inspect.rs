//! Listing what a file gives away.

use super::outbox::Outbox;
use super::probe::io_failure;
use crate::protocol::{Event, Failure};
use std::fs::File;
use std::io::{Seek, SeekFrom};

pub(super) fn run(mut file: File, outbox: &Outbox) -> Result<(), Failure> {
    let length = file.seek(SeekFrom::End(0)).map_err(io_failure)?;
    file.seek(SeekFrom::Start(0)).map_err(io_failure)?;
    let limits = fernseed_scrub::InventoryLimits::default();
    outbox.tell(Event::Inventory(fernseed_scrub::inventory(&mut file, length, &limits)))
}
