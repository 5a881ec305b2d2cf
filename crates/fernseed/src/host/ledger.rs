//! The ledger of a batch: which files are done, so that a batch that was
//! killed can be taken up again.
//!
//! It is an SQLite database in the output folder, [`LEDGER_NAME`], in
//! write-ahead mode with full synchronisation: what it says happened has
//! reached the disk. It names no original: a file is known by a salted hash
//! of its path, size and modification time. The salt lies in the ledger
//! itself, so whoever has the ledger can *test* whether a certain file was in
//! the batch if he knows all three to the nanosecond, but cannot list them.
//! `--report-names` writes the paths too.
//!
//! A file is in exactly one [`State`]. The identity of the unnamed output is
//! written down before it gets its name ([`Ledger::publishing`]), so that a
//! batch killed between the two finds its own output and nobody else's.

mod schema;

use super::publish::Made;
use super::workers::Outgoing;
use crate::protocol::{FailureKind, OutputFormat};
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Name of the ledger in the output folder. SQLite keeps two more files
/// beside it while it is open, with `-wal` and `-shm` at the end.
pub const LEDGER_NAME: &str = ".fernseed-ledger.sqlite";

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing yet.
    Queued,
    /// A worker has it, or had it when the batch was killed.
    Working,
    /// Its output has its final name. `empty` if nobody was found in it.
    Published {
        /// Nobody was found.
        empty: bool,
    },
    /// Its output waits for a person.
    Held,
    /// Nothing was written; the code says why.
    Failed(String),
}

impl State {
    /// The state of a failure of this kind.
    #[must_use]
    pub fn failed(kind: FailureKind) -> Self {
        let code = serde_json::to_value(kind).ok();
        let code = code.as_ref().and_then(|v| v.as_str()).unwrap_or("internal");
        Self::Failed(code.to_owned())
    }

    /// The state's word, as in the ledger and in [`Ledger::tally`].
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Working => "working",
            Self::Published { .. } => "published",
            Self::Held => "held",
            Self::Failed(_) => "failed",
        }
    }

    fn code(&self) -> Option<&str> {
        if let Self::Failed(code) = self { Some(code) } else { None }
    }

    const fn empty(&self) -> Option<bool> {
        if let Self::Published { empty } = self { Some(*empty) } else { None }
    }

    /// `None` for words that no version of this program wrote.
    fn read(word: &str, code: Option<String>, empty: bool) -> Option<Self> {
        Some(match word {
            "queued" => Self::Queued,
            "working" => Self::Working,
            "published" => Self::Published { empty },
            "held" => Self::Held,
            "failed" => Self::Failed(code.unwrap_or_default()),
            _ => return None,
        })
    }
}

/// An input as the ledger knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key([u8; 32]);

/// What the ledger says of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What became of it.
    pub state: State,
    /// The output that it got, or was about to get.
    pub made: Option<(OutputFormat, Made)>,
    /// Nobody was found for that output.
    pub empty: bool,
}

/// Why a ledger cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The database says no: a full disk, a broken file.
    #[error("the ledger {} cannot be used: {source}", path.display())]
    Database {
        /// The ledger.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The system says no.
    #[error("the ledger {} cannot be used: {source}", path.display())]
    System {
        /// The ledger.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Something else has the ledger's name.
    #[error("{} is not a ledger of this version of fernseed; move it away", .0.display())]
    Foreign(PathBuf),
    /// What it says cannot be relied on.
    #[error(
        "the ledger {} is damaged; choose another folder with -o, or move the ledger away and \
         with it the outputs that it counted",
        .0.display()
    )]
    Damaged(PathBuf),
    /// The batch was begun with other settings.
    #[error(
        "the batch in {} was begun with other settings; use the same, or choose another folder \
         with -o",
        .0.display()
    )]
    OtherSettings(PathBuf),
    /// A file is not in the ledger, or not in the state that comes before.
    #[error("the ledger {} does not know a file of this batch", .0.display())]
    Unknown(PathBuf),
}

/// An open ledger. May be shared between threads; one process only, which
/// the lock on the output folder sees to.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    connection: Mutex<Connection>,
    salt: [u8; 32],
    names: bool,
}

impl Ledger {
    /// Opens the ledger of an output folder, or makes it. `settings` is
    /// everything that decides what an output looks like: a batch is taken
    /// up again only with the same. With `names`, paths are written too.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn open(folder: &Path, settings: &str, names: bool) -> Result<Self, LedgerError> {
        let path = folder.join(LEDGER_NAME);
        let (connection, salt) = schema::open(&path, settings)?;
        Ok(Self { path, connection: Mutex::new(connection), salt, names })
    }

    /// The key of an input: a salted hash of its real path, its size and its
    /// time of modification.
    ///
    /// # Errors
    /// If the file cannot be looked at.
    pub fn key(&self, path: &Path) -> std::io::Result<Key> {
        let real = path.canonicalize()?;
        let meta = std::fs::metadata(&real)?;
        let name = real.as_os_str().as_bytes();
        let mut hash = Sha256::new();
        hash.update(self.salt);
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
        hash.update(meta.len().to_le_bytes());
        hash.update(meta.mtime().to_le_bytes());
        hash.update(meta.mtime_nsec().to_le_bytes());
        Ok(Key(hash.finalize().into()))
    }

    /// Takes files into the batch, as queued; those that are in it already
    /// stay as they are. All of them or, on an error, none.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub fn enrol(&self, files: &[(Key, &Path)]) -> Result<(), LedgerError> {
        let mut connection = self.lock();
        let mut add = || -> rusqlite::Result<()> {
            let batch = connection.transaction()?;
            {
                let mut insert = batch.prepare(
                    "INSERT INTO file (key, path) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                )?;
                for (key, path) in files {
                    let name = self.names.then(|| path.to_string_lossy());
                    insert.execute(params![key.0, name])?;
                }
            }
            batch.commit()
        };
        add().map_err(|e| self.failed(e))
    }

    /// What the ledger says of a file; `None` if it was never enrolled.
    ///
    /// # Errors
    /// [`LedgerError::Database`], [`LedgerError::Foreign`] for words that no
    /// version of this program wrote.
    pub fn entry(&self, key: &Key) -> Result<Option<Entry>, LedgerError> {
        type Row = (String, Option<String>, Option<String>, Option<i64>, Option<i64>, bool);
        let row: Option<Row> = self
            .lock()
            .prepare("SELECT state, code, format, inode, bytes, empty FROM file WHERE key = ?1")
            .and_then(|mut select| {
                select
                    .query_row([key.0], |r| {
                        Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?, r.get(5)?))
                    })
                    .optional()
            })
            .map_err(|e| self.failed(e))?;
        let Some((word, code, format, inode, bytes, empty)) = row else { return Ok(None) };
        let foreign = || LedgerError::Foreign(self.path.clone());
        let state = State::read(&word, code, empty).ok_or_else(foreign)?;
        let made = match (format, inode, bytes) {
            (Some(format), Some(inode), Some(bytes)) => {
                let format = OutputFormat::from_extension(&format).ok_or_else(foreign)?;
                Some((format, Made { inode: inode.cast_unsigned(), bytes: bytes.cast_unsigned() }))
            }
            _ => None,
        };
        Ok(Some(Entry { state, made, empty }))
    }

    /// Work on a file begins.
    ///
    /// # Errors
    /// [`LedgerError`]; the work must not begin then.
    pub fn begin(&self, key: &Key) -> Result<(), LedgerError> {
        self.change(
            "UPDATE file SET state = 'working', code = NULL, format = NULL, inode = NULL, \
             bytes = NULL, empty = 0 WHERE key = ?1",
            params![key.0],
        )
    }

    /// An output is finished, audited and on the disk, and gets its name
    /// next.
    ///
    /// # Errors
    /// [`LedgerError`]; the output must not get its name then.
    pub fn publishing(&self, key: &Key, output: &Outgoing) -> Result<(), LedgerError> {
        let Made { inode, bytes } = output.made;
        self.change(
            "UPDATE file SET format = ?2, inode = ?3, bytes = ?4, empty = ?5 \
             WHERE key = ?1 AND state = 'working'",
            params![
                key.0,
                output.format.extension(),
                inode.cast_signed(),
                bytes.cast_signed(),
                output.empty
            ],
        )
    }

    /// A file has come to its end, or back into the queue.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn end(&self, key: &Key, state: &State) -> Result<(), LedgerError> {
        self.change(
            "UPDATE file SET state = ?2, code = ?3, empty = coalesce(?4, empty) WHERE key = ?1",
            params![key.0, state.word(), state.code(), state.empty()],
        )
    }

    /// How many files are in each state.
    ///
    /// # Errors
    /// [`LedgerError::Database`].
    pub fn tally(&self) -> Result<BTreeMap<String, u64>, LedgerError> {
        let connection = self.lock();
        let count = || -> rusqlite::Result<BTreeMap<String, u64>> {
            let mut select =
                connection.prepare("SELECT state, count(*) FROM file GROUP BY state")?;
            let rows = select.query_map([], |r| Ok((r.get(0)?, r.get::<_, i64>(1)?)))?;
            rows.map(|row| row.map(|(state, n)| (state, n.unsigned_abs()))).collect()
        };
        count().map_err(|e| self.failed(e))
    }

    fn change(&self, sql: &str, values: impl rusqlite::Params) -> Result<(), LedgerError> {
        let changed = self
            .lock()
            .prepare(sql)
            .and_then(|mut update| update.execute(values))
            .map_err(|e| self.failed(e))?;
        if changed == 1 { Ok(()) } else { Err(LedgerError::Unknown(self.path.clone())) }
    }

    fn failed(&self, source: rusqlite::Error) -> LedgerError {
        LedgerError::Database { path: self.path.clone(), source }
    }

    /// A transaction that panicked was rolled back.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
