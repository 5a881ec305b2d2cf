//! Which layers of the sandbox really hold.
//!
//! A worker fills this in from what the kernel answered, never from what was
//! asked for: Landlock's best-effort mode, for one, returns success on a
//! kernel without Landlock.

use crate::error::SandboxError;
use crate::untrusted::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How strong a sandbox is. The order is from weak to strong: `D < C < B < A`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum Level {
    /// Nothing holds. Always refused.
    D,
    /// Resource limits and a process of its own, no system call filter.
    C,
    /// System call filter and resource limits.
    B,
    /// B, and all of Landlock (ABI 6 or later), and an empty network
    /// namespace.
    A,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
            Self::D => "D",
        })
    }
}

/// What Landlock answered to "handle everything, allow nothing".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LandlockStatus {
    /// Every right this program knows is handled by the kernel.
    FullyEnforced,
    /// An older kernel: some rights are not handled.
    PartiallyEnforced,
    /// No Landlock in this kernel, or switched off.
    NotEnforced,
    /// The kernel refused the ruleset.
    Failed,
}

/// The Landlock layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LandlockLayer {
    /// What holds.
    pub status: LandlockStatus,
    /// ABI version in use, 0 if none. Never above what this program knows.
    pub abi: u8,
}

/// The layers around one worker, as it found them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Posture {
    /// The system call filter is installed.
    pub seccomp: bool,
    /// The file system, TCP and signal layer.
    pub landlock: LandlockLayer,
    /// The worker is in a network namespace of its own with no interface but
    /// an unusable loopback.
    pub network_namespace: bool,
    /// The worker is in a user namespace without any capability outside.
    pub user_namespace: bool,
    /// All resource limits are set.
    pub resource_limits: bool,
    /// `PR_SET_NO_NEW_PRIVS` is set.
    pub no_new_privs: bool,
    /// All capabilities were given up.
    pub capabilities_dropped: bool,
    /// The kernel also refuses to make writable memory executable.
    pub memory_deny_write_execute: bool,
    /// What did not work and why, in the kernel's words. At most
    /// [`Posture::MAX_NOTES`] entries of printable text.
    pub notes: Vec<String>,
}

impl Posture {
    /// Most notes a posture may carry.
    pub const MAX_NOTES: usize = 16;
    /// Most bytes of one note.
    pub const MAX_NOTE_BYTES: usize = 300;
    /// First Landlock ABI that also confines signals and abstract sockets.
    const FULL_LANDLOCK_ABI: u8 = 6;

    /// The posture of a process nothing is known about.
    pub(crate) fn nothing() -> Self {
        Self {
            seccomp: false,
            landlock: LandlockLayer { status: LandlockStatus::NotEnforced, abi: 0 },
            network_namespace: false,
            user_namespace: false,
            resource_limits: false,
            no_new_privs: false,
            capabilities_dropped: false,
            memory_deny_write_execute: false,
            notes: Vec::new(),
        }
    }

    /// The level these layers add up to.
    #[must_use]
    pub fn level(&self) -> Level {
        let landlock = self.landlock.status == LandlockStatus::FullyEnforced
            && self.landlock.abi >= Self::FULL_LANDLOCK_ABI;
        match (self.resource_limits, self.seccomp && self.no_new_privs) {
            (false, _) => Level::D,
            (true, false) => Level::C,
            (true, true) if landlock && self.network_namespace => Level::A,
            (true, true) => Level::B,
        }
    }

    /// Refuses a posture below `required`, and level D always.
    ///
    /// # Errors
    /// [`SandboxError::BelowPosture`].
    pub fn ensure_at_least(&self, required: Level) -> Result<(), SandboxError> {
        let level = self.level();
        if level >= required && level > Level::D {
            return Ok(());
        }
        Err(SandboxError::BelowPosture { required, found: Box::new(self.clone()) })
    }
}

impl Validate for Posture {
    type Error = SandboxError;

    fn validate(&self) -> Result<(), SandboxError> {
        let bounded = self.notes.len() <= Self::MAX_NOTES
            && self.notes.iter().all(|note| {
                note.len() <= Self::MAX_NOTE_BYTES
                    && crate::untrusted::printable(note, Self::MAX_NOTE_BYTES) == *note
            });
        if bounded {
            return Ok(());
        }
        Err(SandboxError::Malformed { reason: "posture notes are out of bounds".to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Posture {
        Posture {
            seccomp: true,
            landlock: LandlockLayer { status: LandlockStatus::FullyEnforced, abi: 6 },
            network_namespace: true,
            user_namespace: true,
            resource_limits: true,
            no_new_privs: true,
            capabilities_dropped: true,
            memory_deny_write_execute: true,
            notes: Vec::new(),
        }
    }

    #[test]
    fn levels_follow_the_layers() {
        assert_eq!(full().level(), Level::A);
        let old = LandlockLayer { status: LandlockStatus::PartiallyEnforced, abi: 5 };
        assert_eq!(Posture { landlock: old, ..full() }.level(), Level::B);
        assert_eq!(Posture { network_namespace: false, ..full() }.level(), Level::B);
        assert_eq!(Posture { seccomp: false, ..full() }.level(), Level::C);
        assert_eq!(Posture { no_new_privs: false, ..full() }.level(), Level::C);
        assert_eq!(Posture { resource_limits: false, ..full() }.level(), Level::D);
    }

    #[test]
    fn level_d_is_refused_even_when_asked_for() {
        let nothing = Posture { resource_limits: false, seccomp: false, ..full() };
        assert!(nothing.ensure_at_least(Level::D).is_err());
        let weak = Posture { seccomp: false, ..full() };
        assert!(weak.ensure_at_least(Level::B).is_err());
        assert!(weak.ensure_at_least(Level::C).is_ok());
        assert!(full().ensure_at_least(Level::A).is_ok());
    }

    #[test]
    fn hostile_notes_do_not_validate() {
        assert!(full().validate().is_ok());
        assert!(Posture { notes: vec!["\u{1b}[2J".to_owned()], ..full() }.validate().is_err());
        assert!(Posture { notes: vec!["x".repeat(301)], ..full() }.validate().is_err());
        assert!(Posture { notes: vec![String::new(); 17], ..full() }.validate().is_err());
    }

    #[test]
    fn posture_survives_json_and_has_a_schema() {
        let text = serde_json::to_string(&full()).unwrap();
        assert_eq!(serde_json::from_str::<Posture>(&text).unwrap(), full());
        let schema = serde_json::to_string(&schemars::schema_for!(Posture)).unwrap();
        for field in ["seccomp", "landlock", "network_namespace", "fully_enforced"] {
            assert!(schema.contains(field), "{field}");
        }
    }
}
