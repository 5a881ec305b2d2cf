//! x
use super::{Outcome, unsupported};
pub(super) fn looks_like(_head: &[u8]) -> bool { false }
pub(super) fn rebuild(_data: &[u8]) -> Outcome { Err(unsupported("this")) }
