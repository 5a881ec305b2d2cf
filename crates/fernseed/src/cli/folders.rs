//! The folders of a batch: locked, cleared of what killed runs left, and with
//! a ledger if the user wants one. For every command that writes many files.

use super::terminal::{Problem, Terminal};
use fernseed::host::inputs::{Destination, Input, create_folders};
use fernseed::host::ledger::{Ledger, LedgerError};
use fernseed::host::lock::{FolderLock, LockError};
use fernseed::host::publish::remove_dead_parts;
use fernseed::host::resume::Done;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Makes the output folders and locks the folder named with `-o`, or else
/// every folder among the inputs. Single files beside their originals need
/// no lock: names are never overwritten.
pub(crate) fn prepare(
    arguments: &[PathBuf],
    inputs: &[Input],
    to: &Destination,
) -> Result<Vec<FolderLock>, Problem> {
    if let Some(folder) = to.folder() {
        std::fs::create_dir_all(folder).map_err(|e| {
            Problem::io(format!("cannot create the folder {}: {e}", folder.display()))
        })?;
    }
    let roots: BTreeSet<PathBuf> = match (to.folder(), &to.path) {
        (Some(folder), _) => BTreeSet::from([real(folder)]),
        (None, Some(_)) => BTreeSet::new(),
        (None, None) => arguments.iter().filter(|p| p.is_dir()).map(|p| real(p)).collect(),
    };
    let locks = roots.iter().map(|root| FolderLock::take(root)).collect::<Result<Vec<_>, _>>();
    let locks = locks.map_err(|e| match e {
        LockError::Busy(_) => Problem::busy(e),
        other => Problem::io(other),
    })?;
    create_folders(inputs).map_err(Problem::io)?;
    if !locks.is_empty() {
        let folders: BTreeSet<&Path> = inputs.iter().map(|i| i.target.folder.as_path()).collect();
        for folder in folders {
            remove_dead_parts(folder).map_err(|e| {
                Problem::io(format!("cannot clear the folder {}: {e}", folder.display()))
            })?;
        }
    }
    Ok(locks)
}

fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// Opens the ledger of a batch; `settings` is what decides how outputs look.
pub(crate) fn ledger(to: &Destination, settings: &str, names: bool) -> Result<Ledger, Problem> {
    let folder = to.folder().ok_or_else(|| Problem::usage("--resume needs a folder with -o"))?;
    Ledger::open(folder, settings, names).map_err(|e| match e {
        LedgerError::OtherSettings(_) | LedgerError::Foreign(_) | LedgerError::Damaged(_) => {
            Problem::usage(e)
        }
        other => Problem::io(other),
    })
}

/// Says what earlier runs have done.
pub(crate) fn say_done(done: &Done, out: &Terminal) {
    if done.files() > 0 {
        let held =
            if done.held > 0 { format!(", {} of them held", done.held) } else { String::new() };
        out.say(&format!("{} done before{held}.", files(done.files())));
    }
}

/// Says what an interrupted or halted batch has not done.
pub(crate) fn say_left(begun: usize, inputs: usize, resumable: bool, out: &Terminal) {
    let left = inputs.saturating_sub(begun);
    if left > 0 {
        let how = if resumable { "; run the same command again to go on" } else { "" };
        out.warn(&format!("{} not begun{how}.", files(left)));
    }
}

fn files(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}
