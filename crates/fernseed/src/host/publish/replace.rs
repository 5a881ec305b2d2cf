//! Putting a finished file in the place of its original, for those who
//! insist.
//!
//! The finished file first gets a hidden name in the same folder, then that
//! name is renamed over the original: at every moment the name stands for
//! either the whole old or the whole new file. Before that the original is
//! compared with what was read; if anybody changed it meanwhile, it stays.

use super::{NEUTRAL_TIME, PendingOutput, PublishError};
use rustix::fs::{AtFlags, CWD, Mode, Timespec, Timestamps};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

/// Which file it was that was read, and in which state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    device: u64,
    inode: u64,
    length: u64,
    changed: (i64, i64),
    /// Names that the same file has.
    names: u64,
    mode: u32,
}

impl Identity {
    /// Of an open file.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn of(file: &File) -> io::Result<Self> {
        let meta = file.metadata()?;
        Ok(Self {
            device: meta.dev(),
            inode: meta.ino(),
            length: meta.len(),
            changed: (meta.ctime(), meta.ctime_nsec()),
            names: meta.nlink(),
            mode: meta.mode() & 0o777,
        })
    }
}

/// What else is to know after a replacement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// Name of the backup, if one was wanted.
    pub backup: Option<OsString>,
    /// True if the original has further names (hard links), which still
    /// stand for the old bytes.
    pub linked_elsewhere: bool,
}

impl PendingOutput {
    /// Renames the finished file over `name`, whose file must be `original`.
    /// With `backup`, the original gets that name first.
    ///
    /// # Errors
    /// [`PublishError::Exists`] if the backup's name is taken,
    /// [`PublishError::Changed`] if the original is not what was read. The
    /// original then stays as it was.
    pub fn replace(
        mut self,
        name: &OsStr,
        original: Identity,
        backup: Option<&OsStr>,
    ) -> Result<Replaced, PublishError> {
        let path = self.folder.join(name);
        let failed = |e: io::Error| self.failed(&path, e);
        let mode = Mode::from_raw_mode(original.mode);
        rustix::fs::fchmod(&self.file, mode).map_err(|e| failed(e.into()))?;
        let neutral = Timespec { tv_sec: NEUTRAL_TIME, tv_nsec: 0 };
        let times = Timestamps { last_access: neutral, last_modification: neutral };
        rustix::fs::futimens(&self.file, &times).map_err(|e| failed(e.into()))?;
        self.sync()?;
        let same = |expected: Identity| {
            let meta = path.symlink_metadata()?;
            if !meta.is_file() {
                return Ok(false);
            }
            Ok::<_, io::Error>(Identity::of(&File::open(&path)?)? == expected)
        };
        if !same(original).map_err(failed)? {
            return Err(PublishError::Changed(path));
        }
        if self.part.is_none() {
            let part = self.name_part().map_err(|e| failed(e.into()))?;
            self.part = Some(part);
        }
        if let Some(backup) = backup {
            let kept = self.folder.join(backup);
            rustix::fs::linkat(
                &self.folder_handle,
                name,
                &self.folder_handle,
                backup,
                AtFlags::empty(),
            )
            .map_err(|e| match e {
                Errno::EXIST => PublishError::Exists(kept),
                e => self.failed(&path, e.into()),
            })?;
        }
        if let Some(part) = &self.part {
            rustix::fs::renameat(&self.folder_handle, part, &self.folder_handle, name)
                .map_err(|e| self.failed(&path, e.into()))?;
        }
        self.part = None;
        self.folder_handle.sync_all().map_err(|e| self.failed(&path, e))?;
        Ok(Replaced { backup: backup.map(OsStr::to_owned), linked_elsewhere: original.names > 1 })
    }

    /// Gives an unnamed file a hidden name that nobody has.
    fn name_part(&self) -> Result<OsString, Errno> {
        let process = rustix::process::getpid().as_raw_nonzero();
        let unnamed = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        for attempt in 0..1000u32 {
            let name = OsString::from(format!(".fernseed-{process}-{attempt}.part"));
            let flags = AtFlags::SYMLINK_FOLLOW;
            match rustix::fs::linkat(CWD, &unnamed, &self.folder_handle, &name, flags) {
                Ok(()) => return Ok(name),
                Err(Errno::EXIST) => {}
                Err(e) => return Err(e),
            }
        }
        Err(Errno::EXIST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn pending(folder: &std::path::Path) -> PendingOutput {
        let out = PendingOutput::create(folder).unwrap();
        out.file().write_all(b"clean").unwrap();
        out
    }

    #[test]
    fn the_name_stands_for_the_new_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jpg");
        std::fs::write(&path, b"secret").unwrap();
        let identity = Identity::of(&File::open(&path).unwrap()).unwrap();
        let done = pending(folder.path()).replace("a.jpg".as_ref(), identity, None).unwrap();
        assert_eq!(done, Replaced { backup: None, linked_elsewhere: false });
        assert_eq!(std::fs::read(&path).unwrap(), b"clean");
        assert_eq!(std::fs::metadata(&path).unwrap().mtime(), NEUTRAL_TIME);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_backup_is_the_original_and_overwrites_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jpg");
        std::fs::write(&path, b"secret").unwrap();
        let identity = || Identity::of(&File::open(&path).unwrap()).unwrap();
        let backup = OsStr::new("a.original.jpg");
        let first = identity();
        pending(folder.path()).replace("a.jpg".as_ref(), first, Some(backup)).unwrap();
        assert_eq!(std::fs::read(folder.path().join(backup)).unwrap(), b"secret");
        let second = identity();
        let again = pending(folder.path()).replace("a.jpg".as_ref(), second, Some(backup));
        assert!(matches!(again, Err(PublishError::Exists(_))), "{again:?}");
        assert_eq!(std::fs::read(&path).unwrap(), b"clean");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn an_original_that_changed_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jpg");
        std::fs::write(&path, b"secret").unwrap();
        let identity = Identity::of(&File::open(&path).unwrap()).unwrap();
        std::fs::write(&path, b"secret, and more").unwrap();
        let outcome = pending(folder.path()).replace("a.jpg".as_ref(), identity, None);
        assert!(matches!(outcome, Err(PublishError::Changed(_))), "{outcome:?}");
        // A link in its place is not followed either.
        std::fs::rename(&path, folder.path().join("b.jpg")).unwrap();
        std::os::unix::fs::symlink("b.jpg", &path).unwrap();
        let identity = Identity::of(&File::open(&path).unwrap()).unwrap();
        let outcome = pending(folder.path()).replace("a.jpg".as_ref(), identity, None);
        assert!(matches!(outcome, Err(PublishError::Changed(_))), "{outcome:?}");
        assert_eq!(std::fs::read(folder.path().join("b.jpg")).unwrap(), b"secret, and more");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
