//! Acts a sealed worker must not be able to do, tried for real.
//!
//! Run inside a sealed worker by the tests and by `doctor`. Nothing in the
//! list destroys anything should it succeed: signals are number 0, system-wide
//! settings are only read, what is created is removed again, and what would
//! take the process away is called with a path that does not exist.

mod acts;

use serde::{Deserialize, Serialize};
use std::io;

/// How one act ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The sandbox refused, with this error name.
    Denied(String),
    /// The kernel looked at the call and refused for another reason, by this
    /// error name (no such file, bad address): not contained.
    Reached(String),
    /// It worked.
    Succeeded,
}

impl Outcome {
    /// The sandbox stopped it.
    #[must_use]
    pub fn contained(&self) -> bool {
        matches!(self, Self::Denied(_))
    }

    fn of(result: io::Result<()>) -> Self {
        let Err(error) = result else { return Self::Succeeded };
        let number = error.raw_os_error().unwrap_or(0);
        let named = match number {
            libc::EPERM => Ok("EPERM"),
            libc::EACCES => Ok("EACCES"),
            libc::ENOSYS => Ok("ENOSYS"),
            libc::ENOTTY => Ok("ENOTTY"),
            libc::EINVAL => Err("EINVAL"),
            libc::ENOENT => Err("ENOENT"),
            libc::EBADF => Err("EBADF"),
            libc::EFAULT => Err("EFAULT"),
            libc::ENOTSOCK => Err("ENOTSOCK"),
            libc::ENETUNREACH => Err("ENETUNREACH"),
            libc::ECONNREFUSED => Err("ECONNREFUSED"),
            _ => return Self::Reached(format!("errno {number}")),
        };
        match named {
            Ok(name) => Self::Denied(name.to_owned()),
            Err(name) => Self::Reached(name.to_owned()),
        }
    }
}

/// One act and its outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttackResult {
    /// What was tried.
    pub name: String,
    /// How it ended.
    pub outcome: Outcome,
}

/// A forbidden act.
#[derive(Clone, Copy, Debug)]
pub struct Attack {
    /// What it tries.
    pub name: &'static str,
    act: fn() -> io::Result<()>,
}

impl Attack {
    /// Tries it. In [`crate::DenyMode::Kill`] this normally does not return.
    #[must_use]
    pub fn run(&self) -> AttackResult {
        AttackResult { name: self.name.to_owned(), outcome: Outcome::of((self.act)()) }
    }
}

/// The whole list. Descriptor 3 must be an inherited input file.
#[must_use]
pub fn all() -> &'static [Attack] {
    acts::ACTS
}

/// Tries everything on the list.
#[must_use]
pub fn run_all() -> Vec<AttackResult> {
    all().iter().map(Attack::run).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_by_the_sandbox_counts() {
        let errno = |number| Outcome::of(Err(io::Error::from_raw_os_error(number)));
        assert!(errno(libc::EPERM).contained());
        assert!(errno(libc::ENOSYS).contained());
        assert!(!errno(libc::ENOENT).contained());
        assert!(!errno(libc::ENETUNREACH).contained());
        assert!(!errno(libc::EXDEV).contained());
        assert!(!Outcome::of(Ok(())).contained());
    }

    #[test]
    fn the_list_is_long_and_without_doubles() {
        let names: std::collections::BTreeSet<_> = all().iter().map(|act| act.name).collect();
        assert_eq!(names.len(), all().len());
        assert!(names.len() >= 60, "{}", names.len());
    }
}
