//! One run at a time in a folder.
//!
//! A run that works on a folder, or writes into one that was named, holds a
//! lock (`flock`) on the folder itself: no lock file is left over, and the
//! kernel lets go of it however the process ends.

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// Why a folder cannot be had for oneself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Another run has it.
    #[error("another fernseed works in {}; wait for it, or choose another folder with -o", .0.display())]
    Busy(PathBuf),
    /// The system says no.
    #[error("cannot lock the folder {}: {source}; choose another with -o", folder.display())]
    System {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A folder that no other run works in. Dropping it lets others in.
#[derive(Debug)]
pub struct FolderLock(#[expect(dead_code, reason = "held open, never used")] OwnedFd);

impl FolderLock {
    /// Locks an existing folder without waiting.
    ///
    /// # Errors
    /// [`LockError::Busy`] if another run has it.
    pub fn take(folder: &Path) -> Result<Self, LockError> {
        let failed = |e: Errno| LockError::System { folder: folder.to_owned(), source: e.into() };
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        let handle = rustix::fs::open(folder, flags, Mode::empty()).map_err(failed)?;
        loop {
            match rustix::fs::flock(&handle, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self(handle)),
                Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) => return Err(LockError::Busy(folder.to_owned())),
                Err(error) => return Err(failed(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = FolderLock::take(folder.path()).unwrap();
        let second = FolderLock::take(&folder.path().join(".")).unwrap_err();
        assert!(matches!(second, LockError::Busy(_)), "{second}");
        drop(first);
        FolderLock::take(folder.path()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "no lock file");
        assert!(FolderLock::take(Path::new("/nonexistent")).is_err());
    }
}
