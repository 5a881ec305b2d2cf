//! The host side: everything that touches the file system and nothing that
//! parses media. It starts one sealed worker per file and role, believes
//! none of them, and publishes only what the audit let pass.

pub mod batch;
pub mod inputs;
pub mod interrupt;
pub mod job;
pub mod ledger;
pub mod listing;
pub mod lock;
mod mending;
pub mod naming;
pub mod pool;
pub mod publish;
pub mod pulse;
pub mod resume;
pub mod sidecars;
pub mod strip;
pub mod workers;
