//! The ledger's file: made, recognised, refused.

use super::LedgerError;
use rusqlite::{Connection, OpenFlags};
use sha2::{Digest, Sha256};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Marks the file as ours (`PRAGMA application_id`): "FERN".
const APPLICATION: i64 = 0x4645_524e;
/// Version of the tables (`PRAGMA user_version`).
const VERSION: i64 = 1;

const TABLES: &str = "
CREATE TABLE batch (
    salt     BLOB NOT NULL CHECK (length(salt) = 32),
    settings BLOB NOT NULL CHECK (length(settings) = 32)
) STRICT;
CREATE TABLE file (
    key    BLOB PRIMARY KEY CHECK (length(key) = 32),
    state  TEXT NOT NULL DEFAULT 'queued'
           CHECK (state IN ('queued', 'working', 'published', 'held', 'failed')),
    code   TEXT,
    format TEXT,
    inode  INTEGER,
    bytes  INTEGER,
    empty  INTEGER NOT NULL DEFAULT 0 CHECK (empty IN (0, 1)),
    path   TEXT
) STRICT, WITHOUT ROWID;
";

/// Opens or makes the ledger and returns it with its salt.
pub(super) fn open(path: &Path, settings: &str) -> Result<(Connection, [u8; 32]), LedgerError> {
    create(path).map_err(|source| LedgerError::System { path: path.to_owned(), source })?;
    let database = |source: rusqlite::Error| match source.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => LedgerError::Foreign(path.to_owned()),
        Some(rusqlite::ErrorCode::DatabaseCorrupt) => LedgerError::Damaged(path.to_owned()),
        _ => LedgerError::Database { path: path.to_owned(), source },
    };
    // No links are followed: the name may have been planted.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let real =
        real(path).map_err(|source| LedgerError::System { path: path.to_owned(), source })?;
    let mut connection = Connection::open_with_flags(real, flags).map_err(database)?;
    prepare(&connection).map_err(database)?;
    let kind = recognise(&connection).map_err(database)?;
    match kind {
        Kind::Empty => make(&mut connection, settings).map_err(database)?,
        Kind::Ours if intact(&connection).map_err(database)? => {}
        Kind::Ours => return Err(LedgerError::Damaged(path.to_owned())),
        Kind::Foreign => return Err(LedgerError::Foreign(path.to_owned())),
    }
    let (salt, begun_with): ([u8; 32], [u8; 32]) = connection
        .query_row("SELECT salt, settings FROM batch", [], |r| Ok((r.get(0)?, r.get(1)?)))
        .map_err(database)?;
    if begun_with != fingerprint(&salt, settings) {
        return Err(LedgerError::OtherSettings(path.to_owned()));
    }
    Ok((connection, salt))
}

/// The file itself, readable by its owner only; SQLite gives its companions
/// the same mode.
fn create(path: &Path) -> std::io::Result<()> {
    let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match made {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => Err(e),
        _ => Ok(()),
    }
}

/// The path with its folder resolved: SQLite's refusal of links is about
/// every part of the path, ours about the last.
fn real(path: &Path) -> std::io::Result<std::path::PathBuf> {
    let folder = path.parent().unwrap_or(Path::new("/")).canonicalize()?;
    Ok(folder.join(path.file_name().unwrap_or_default()))
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    // Nobody else may have it: no shared memory file, no waiting.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.pragma_update(None, "trusted_schema", "OFF")?;
    // In memory: SQLite would otherwise spill into the folder for temporary files.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |r| r.get(0))?;
    // Not every file system can; then the roll-back journal is as safe.
    if mode != "wal" {
        connection.pragma_update(None, "journal_mode", "DELETE")?;
    }
    connection.pragma_update(None, "synchronous", "FULL")
}

enum Kind {
    Empty,
    Ours,
    Foreign,
}

fn recognise(connection: &Connection) -> rusqlite::Result<Kind> {
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |r| r.get::<_, i64>(0));
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))?;
    Ok(match (number("application_id")?, number("user_version")?, tables) {
        (0, 0, 0) => Kind::Empty,
        (APPLICATION, VERSION, _) => Kind::Ours,
        _ => Kind::Foreign,
    })
}

/// True if the database holds exactly our tables, each page belongs to one
/// of them once, and every row keeps the tables' rules: a damaged ledger
/// could have a file in two states.
fn intact(connection: &Connection) -> rusqlite::Result<bool> {
    let mut select = connection.prepare("SELECT sql FROM sqlite_schema")?;
    let tables = select.query_map([], |r| r.get::<_, String>(0))?;
    let tables: Vec<String> = tables.collect::<Result<_, _>>()?;
    let ours = |sql: &String| TABLES.contains(&format!("\n{sql};\n"));
    if tables.len() != 2 || !tables.iter().all(ours) || tables.first() == tables.last() {
        return Ok(false);
    }
    // The check of the file itself does not compare the keys of a table that
    // is its own index.
    let (rows, keys): (i64, i64) = connection.query_row(
        "SELECT count(*), count(DISTINCT substr(key, 1)) FROM file",
        [],
        |r| Ok((r.get(0)?, r.get(1)?)),
    )?;
    let batches: i64 = connection.query_row("SELECT count(*) FROM batch", [], |r| r.get(0))?;
    let said: String = connection.query_row("PRAGMA integrity_check(1)", [], |r| r.get(0))?;
    Ok(said == "ok" && rows == keys && batches == 1)
}

/// Tables, marks and salt in one transaction: a ledger is whole or empty.
fn make(connection: &mut Connection, settings: &str) -> rusqlite::Result<()> {
    let salt = salt().map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))?;
    let batch = connection.transaction()?;
    batch.execute_batch(TABLES)?;
    batch.execute("INSERT INTO batch VALUES (?1, ?2)", (salt, fingerprint(&salt, settings)))?;
    batch.pragma_update(None, "application_id", APPLICATION)?;
    batch.pragma_update(None, "user_version", VERSION)?;
    batch.commit()
}

fn salt() -> std::io::Result<[u8; 32]> {
    let mut salt = [0; 32];
    let got = rustix::rand::getrandom(&mut salt, rustix::rand::GetRandomFlags::empty())?;
    if got == salt.len() { Ok(salt) } else { Err(std::io::Error::other("no random numbers")) }
}

fn fingerprint(salt: &[u8; 32], settings: &str) -> [u8; 32] {
    Sha256::new().chain_update(salt).chain_update(settings).finalize().into()
}
