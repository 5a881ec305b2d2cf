//! Containers and metadata, in safe Rust.
//!
//! [`inventory()`] says in plain words what a file gives away besides its
//! picture. [`account()`] looks at a finished file and demands that every one
//! of its bytes belongs to a structure on a short list; it shares no code
//! with the writers it checks. [`strip()`] rebuilds a file from its allowed
//! parts, [`leaks()`] looks for an original's metadata in an output, and
//! [`links()`] says what ties files to one source.
//!
//! All take hostile bytes: they never panic, never trust a length, and
//! read and keep a bounded amount.

#![forbid(unsafe_code)]

pub mod account;
pub mod against;
mod bytes;
mod ebml;
pub mod inventory;
pub mod link;
mod profiles;
mod source;
pub mod strip;
mod svg_words;

pub use account::{Accounting, OutputKind, Shows, account};
pub use against::{Leak, leaks};
pub use inventory::{
    Category, Embedded, Harm, Inventory, InventoryLimits, Item, inventory, torn_pictures,
};
pub use link::{LinkFacts, LinkGroup, facts, links};
pub use strip::{StripError, StripOptions, Stripped, UnknownMember, strip};
