//! Names that say nothing.

use super::inputs::Input;
use std::collections::BTreeSet;
use std::ffi::OsString;

/// Letters of a random name.
const LENGTH: usize = 8;
/// What it is made of: 32 signs, so that five bits choose one without bias.
const SIGNS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Gives every output a random name from the system's generator, except
/// where the user named the file.
///
/// # Errors
/// If the system gives no random numbers.
pub fn rename_all(inputs: &mut [Input]) -> std::io::Result<()> {
    let mut seen = BTreeSet::new();
    for input in inputs.iter_mut().filter(|i| !i.target.exact) {
        let mut name = random_name()?;
        while !seen.insert(name.clone()) {
            name = random_name()?;
        }
        input.target.stem = OsString::from(name);
        input.target.plain = true;
    }
    Ok(())
}

/// Eight random small letters and digits.
fn random_name() -> std::io::Result<String> {
    let mut bytes = [0u8; LENGTH];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|r| !r.is_empty()) {
        filled += rustix::rand::getrandom(rest, rustix::rand::GetRandomFlags::empty())?;
    }
    Ok(bytes
        .iter()
        .filter_map(|b| SIGNS.get(usize::from(b % 32)))
        .map(|b| char::from(*b))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_random_and_plain() {
        let names: BTreeSet<_> = (0..100).map(|_| random_name().unwrap()).collect();
        assert_eq!(names.len(), 100);
        assert!(names.iter().all(|n| n.len() == LENGTH));
        assert!(names.iter().flat_map(|n| n.bytes()).all(|b| SIGNS.contains(&b)));
    }
}
