//! x
use super::claims::Claims;
use super::Parts;
use crate::source::Source;
pub(super) fn account(source: &mut Source<'_>, claims: &mut Claims, _parts: &mut Parts) {
    claims.foreign("", 0, source.len(), "x");
}
