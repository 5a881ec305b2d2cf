//! Outputs that do not exist until they are finished.
//!
//! An output is an unnamed file (`O_TMPFILE`) in the target folder. It gets
//! its name by `linkat`, which never overwrites, after `fsync` and the
//! audit; then the folder is synced. A crash at any moment leaves nothing.
//! File systems without unnamed files (FAT, some network ones) get a hidden
//! `.fernseed-*.part` file and `renameat2(RENAME_NOREPLACE)` instead.
//! Only redacted bytes ever enter either.

use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags, RenameFlags, Timespec, Timestamps};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

mod replace;

pub use replace::{Identity, Replaced};

/// Modification time of every output, seconds since 1970: 2000-01-01. The
/// time of work is nobody's business.
const NEUTRAL_TIME: i64 = 946_684_800;

/// Start and end of the temporary names.
const PART_START: &str = ".fernseed-";
const PART_END: &str = ".part";

/// A file in the making.
#[derive(Debug)]
pub struct PendingOutput {
    folder: PathBuf,
    folder_handle: File,
    file: File,
    /// Its temporary name, where the file system knows no unnamed files.
    part: Option<OsString>,
}

/// What an output is known by before it has a name, and after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// Its inode number in its folder's file system.
    pub inode: u64,
    /// Its length.
    pub bytes: u64,
}

impl Made {
    /// What is known of the output at `path`: `None` if there is no ordinary
    /// file that this program finished.
    #[must_use]
    pub fn at(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let meta = path.symlink_metadata().ok()?;
        let ours = meta.is_file() && meta.mtime() == NEUTRAL_TIME && meta.mtime_nsec() == 0;
        ours.then(|| Self { inode: meta.ino(), bytes: meta.len() })
    }
}

/// Why an output could not be made or published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// Something already has the name.
    #[error("{} already exists; remove it or choose another name with -o", .0.display())]
    Exists(PathBuf),
    /// The file to be replaced is not the one that was read.
    #[error("{} was changed or replaced meanwhile, or is a link; it was left as it is", .0.display())]
    Changed(PathBuf),
    /// The disk is full.
    #[error("no space left in {}; free some and run again", .0.display())]
    NoSpace(PathBuf),
    /// The folder cannot be written to.
    #[error("cannot write into {}: {source}; choose another folder with -o", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The batch's ledger could not be told first.
    #[error(transparent)]
    Ledger(#[from] super::ledger::LedgerError),
    /// Any other failure of the system.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// What was to be written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl PendingOutput {
    /// An empty unnamed file in `folder`.
    ///
    /// # Errors
    /// [`PublishError`] if the folder does not take files.
    pub fn create(folder: &Path) -> Result<Self, PublishError> {
        let failed =
            |e: Errno| PublishError::Folder { folder: folder.to_owned(), source: e.into() };
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        let handle = rustix::fs::open(folder, flags, Mode::empty()).map_err(failed)?;
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let unnamed = rustix::fs::openat(&handle, c".", flags, Mode::RUSR | Mode::WUSR);
        let (file, part) = match unnamed {
            Ok(file) => (file, None),
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOSYS) => {
                let (file, name) = create_part(handle.as_fd()).map_err(failed)?;
                (file, Some(name))
            }
            Err(e) => return Err(failed(e)),
        };
        Ok(Self {
            folder: folder.to_owned(),
            folder_handle: handle.into(),
            file: file.into(),
            part,
        })
    }

    /// The file, to write to.
    #[must_use]
    pub const fn file(&self) -> &File {
        &self.file
    }

    /// The same file opened anew, for reading only.
    ///
    /// # Errors
    /// If it cannot be opened again.
    pub fn reopen_read_only(&self) -> io::Result<File> {
        File::open(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
    }

    /// What the file will be known by once it has its name.
    ///
    /// # Errors
    /// [`PublishError::Io`] if the system does not tell.
    pub fn made(&self) -> Result<Made, PublishError> {
        use std::os::unix::fs::MetadataExt;
        let meta = self.file.metadata().map_err(|e| self.failed(&self.folder, e))?;
        Ok(Made { inode: meta.ino(), bytes: meta.len() })
    }

    /// SHA-256 (FIPS 180-4) of what the file holds now, in small hexadecimal digits:
    /// what ties an entry of a report to its file when no name does.
    ///
    /// # Errors
    /// [`PublishError::Io`] if it cannot be read.
    pub fn sha256(&self) -> Result<String, PublishError> {
        let mut digest = Sha256::new();
        self.reopen_read_only()
            .and_then(|mut file| io::copy(&mut file, &mut digest))
            .map_err(|e| self.failed(&self.folder, e))?;
        Ok(format!("{:x}", digest.finalize()))
    }

    /// Writes everything to the disk.
    ///
    /// # Errors
    /// [`PublishError`]; the output must then be given up, never synced again:
    /// after a failed `fsync` the kernel may have dropped the data.
    pub fn sync(&self) -> Result<(), PublishError> {
        self.file.sync_all().map_err(|e| self.failed(&self.folder, e))
    }

    /// Gives the finished file its name.
    ///
    /// # Errors
    /// [`PublishError::Exists`] if something has the name already; nothing
    /// is ever overwritten.
    pub fn publish(mut self, name: &std::ffi::OsStr) -> Result<PathBuf, PublishError> {
        let path = self.folder.join(name);
        let io_failed = |e: Errno| self.failed(&path, e.into());
        rustix::fs::fchmod(&self.file, public_mode()).map_err(io_failed)?;
        let neutral = Timespec { tv_sec: NEUTRAL_TIME, tv_nsec: 0 };
        let times = Timestamps { last_access: neutral, last_modification: neutral };
        rustix::fs::futimens(&self.file, &times).map_err(io_failed)?;
        self.sync()?;
        let linked = match &self.part {
            None => rustix::fs::linkat(
                CWD,
                format!("/proc/self/fd/{}", self.file.as_raw_fd()),
                &self.folder_handle,
                name,
                AtFlags::SYMLINK_FOLLOW,
            ),
            Some(part) => rename_without_overwriting(&self.folder_handle, part, name),
        };
        match linked {
            Ok(()) => self.part = None,
            Err(Errno::EXIST) => return Err(PublishError::Exists(path)),
            Err(e) => return Err(io_failed(e)),
        }
        self.folder_handle.sync_all().map_err(|e| self.failed(&path, e))?;
        Ok(path)
    }

    fn failed(&self, path: &Path, source: io::Error) -> PublishError {
        if source.kind() == io::ErrorKind::StorageFull {
            PublishError::NoSpace(self.folder.clone())
        } else {
            PublishError::Io { path: path.to_owned(), source }
        }
    }
}

impl Drop for PendingOutput {
    fn drop(&mut self) {
        if let Some(part) = self.part.take() {
            // Nothing can be done about a failure here; the name says what
            // the file is, and it holds redacted bytes only.
            rustix::fs::unlinkat(&self.folder_handle, part, AtFlags::empty()).ok();
        }
    }
}

/// A hidden file with a name that nobody has.
fn create_part(
    folder: std::os::fd::BorrowedFd<'_>,
) -> Result<(std::os::fd::OwnedFd, OsString), Errno> {
    let process = rustix::process::getpid().as_raw_nonzero();
    for attempt in 0..1000u32 {
        let name = OsString::from(format!("{PART_START}{process}-{attempt}{PART_END}"));
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::RDWR | OFlags::CLOEXEC;
        match rustix::fs::openat(folder, &name, flags, Mode::RUSR | Mode::WUSR) {
            Ok(file) => {
                // Tells other runs that its process lives. A file system
                // without locks loses that; see `remove_dead_parts`.
                rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).ok();
                return Ok((file, name));
            }
            Err(Errno::EXIST) => {}
            Err(e) => return Err(e),
        }
    }
    Err(Errno::EXIST)
}

/// Makes sure that the names in a folder have reached the disk.
///
/// # Errors
/// If the system cannot promise it.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Tries whether a folder still takes data, with an unnamed file.
///
/// # Errors
/// [`PublishError`] if it does not.
pub fn takes_data(folder: &Path) -> Result<(), PublishError> {
    let pending = PendingOutput::create(folder)?;
    let some = [0u8; 1 << 16];
    io::Write::write_all(&mut pending.file(), &some).map_err(|e| pending.failed(folder, e))?;
    pending.sync()
}

/// Removes the temporary files that killed runs left in a folder: ordinary
/// files of our pattern that nobody holds. Returns how many.
///
/// # Errors
/// If the folder cannot be read.
pub fn remove_dead_parts(folder: &Path) -> io::Result<usize> {
    let mut removed = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let ours = name.to_str().is_some_and(is_part_name);
        if !ours || !entry.file_type()?.is_file() {
            continue;
        }
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let Ok(file) = rustix::fs::open(entry.path(), flags, Mode::empty()) else { continue };
        if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            std::fs::remove_file(entry.path())?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// `.fernseed-PROCESS-NUMBER.part`, as [`create_part`] makes them.
fn is_part_name(name: &str) -> bool {
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    name.strip_prefix(PART_START)
        .and_then(|rest| rest.strip_suffix(PART_END))
        .and_then(|rest| rest.split_once('-'))
        .is_some_and(|(process, number)| digits(process) && digits(number))
}

fn rename_without_overwriting(
    folder: &File,
    part: &std::ffi::OsStr,
    name: &std::ffi::OsStr,
) -> Result<(), Errno> {
    match rustix::fs::renameat_with(folder, part, folder, name, RenameFlags::NOREPLACE) {
        // Not every file system knows the flag; a hard link does not overwrite either.
        Err(Errno::INVAL | Errno::NOSYS) => {
            rustix::fs::linkat(folder, part, folder, name, AtFlags::empty())?;
            rustix::fs::unlinkat(folder, part, AtFlags::empty())
        }
        other => other,
    }
}

/// Mode of a published file: what the user's umask leaves of 0666. The umask
/// is asked once: nothing here changes it.
fn public_mode() -> Mode {
    static MODE: OnceLock<u32> = OnceLock::new();
    Mode::from_raw_mode(*MODE.get_or_init(read_public_mode))
}

fn read_public_mode() -> u32 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let umask = status
        .lines()
        .find_map(|l| l.strip_prefix("Umask:"))
        .and_then(|v| u32::from_str_radix(v.trim(), 8).ok())
        .unwrap_or(0o077);
    0o666 & !umask
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn nothing_is_there_until_published() {
        let folder = tempfile::tempdir().unwrap();
        let out = PendingOutput::create(folder.path()).unwrap();
        out.file().write_all(b"redacted").unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let path = out.publish("a.jpg".as_ref()).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"redacted");
        assert_eq!(std::fs::metadata(&path).unwrap().mtime(), NEUTRAL_TIME);
    }

    #[test]
    fn nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("a.jpg");
        std::fs::write(&taken, b"original").unwrap();
        std::os::unix::fs::symlink("a.jpg", folder.path().join("b.jpg")).unwrap();
        for name in ["a.jpg", "b.jpg"] {
            let out = PendingOutput::create(folder.path()).unwrap();
            let error = out.publish(name.as_ref()).unwrap_err();
            assert!(matches!(error, PublishError::Exists(_)), "{error}");
        }
        assert_eq!(std::fs::read(&taken).unwrap(), b"original");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_dropped_output_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let out = PendingOutput::create(folder.path()).unwrap();
        out.file().write_all(b"half").unwrap();
        drop(out);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn named_parts_work_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let handle = File::open(folder.path()).unwrap();
        let make = || {
            let (file, name) = create_part(handle.as_fd()).unwrap();
            PendingOutput {
                folder: folder.path().to_owned(),
                folder_handle: handle.try_clone().unwrap(),
                file: file.into(),
                part: Some(name),
            }
        };
        drop(make());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        make().publish("x.png".as_ref()).unwrap();
        assert!(matches!(make().publish("x.png".as_ref()), Err(PublishError::Exists(_))));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_was_made_is_known_by_its_name_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let pending = PendingOutput::create(folder.path()).unwrap();
        std::io::Write::write_all(&mut pending.file(), b"finished").unwrap();
        let made = pending.made().unwrap();
        let path = pending.publish("x.png".as_ref()).unwrap();
        assert_eq!(Made::at(&path), Some(made));
        std::fs::write(folder.path().join("y.png"), b"finished").unwrap();
        assert_eq!(Made::at(&folder.path().join("y.png")), None, "not ours");
        assert_eq!(Made::at(&folder.path().join("z.png")), None);
    }

    #[test]
    fn parts_of_the_dead_are_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let handle = File::open(folder.path()).unwrap();
        let (alive, name) = create_part(handle.as_fd()).unwrap();
        let dead = folder.path().join(".fernseed-99999-0.part");
        let others = [".fernseed-x-0.part", ".fernseed-1-.part", "a.part", ".fernseed-1-2.png"];
        std::fs::write(&dead, b"x").unwrap();
        for other in others {
            std::fs::write(folder.path().join(other), b"x").unwrap();
        }
        assert_eq!(remove_dead_parts(folder.path()).unwrap(), 1);
        assert!(!dead.exists() && folder.path().join(&name).exists());
        assert!(others.iter().all(|o| folder.path().join(o).exists()));
        drop(alive);
        assert_eq!(remove_dead_parts(folder.path()).unwrap(), 1);
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = PendingOutput::create(Path::new("/nonexistent/folder")).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/folder"), "{error}");
    }
}
