//! Listing what a file gives away, and what ties it to others.

use super::outbox::Outbox;
use super::strip::rewound;
use crate::protocol::{Event, Failure};
use std::fs::File;

pub(super) fn run(mut file: File, outbox: &Outbox) -> Result<(), Failure> {
    let length = rewound(&mut file)?;
    let limits = fernseed_scrub::InventoryLimits::default();
    outbox.tell(Event::Inventory(fernseed_scrub::inventory(&mut file, length, &limits)))
}

/// What ties the file to others.
pub(super) fn facts(mut file: File, outbox: &Outbox) -> Result<(), Failure> {
    let length = rewound(&mut file)?;
    outbox.tell(Event::Facts(fernseed_scrub::facts(&mut file, length)))
}
