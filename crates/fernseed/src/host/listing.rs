//! Files and the files inside folders, for commands that only read.

use super::inputs::InputError;
use std::path::{Path, PathBuf};

/// A file to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Where it is.
    pub path: PathBuf,
    /// True if it was found in a folder.
    pub from_folder: bool,
}

/// All files named and all files in the folders named, sorted by name within
/// a folder, hidden ones and links left out; and what could not be read.
#[must_use]
pub fn list(paths: &[PathBuf]) -> (Vec<Listed>, Vec<InputError>) {
    let (mut files, mut failed) = (Vec::new(), Vec::new());
    for path in paths {
        match std::fs::metadata(path) {
            Ok(meta) if meta.is_dir() => folder(path, &mut files, &mut failed),
            Ok(_) => files.push(Listed { path: path.clone(), from_folder: false }),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                failed.push(InputError::Missing(path.clone()));
            }
            Err(source) => failed.push(InputError::Unreadable { path: path.clone(), source }),
        }
    }
    (files, failed)
}

fn folder(root: &Path, files: &mut Vec<Listed>, failed: &mut Vec<InputError>) {
    let before = files.len();
    let visible =
        |e: &walkdir::DirEntry| e.depth() == 0 || !e.file_name().to_string_lossy().starts_with('.');
    let walk = walkdir::WalkDir::new(root).sort_by_file_name().follow_links(false);
    for entry in walk.into_iter().filter_entry(visible) {
        match entry {
            Ok(entry) if entry.file_type().is_file() => {
                files.push(Listed { path: entry.into_path(), from_folder: true });
            }
            Ok(_) => {}
            Err(error) => {
                let path = error.path().unwrap_or(root).to_owned();
                let source = error
                    .into_io_error()
                    .unwrap_or_else(|| std::io::Error::other("the folder contains itself"));
                failed.push(InputError::Unreadable { path, source });
            }
        }
    }
    if files.len() == before {
        failed.push(InputError::EmptyFolder(root.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_searched_and_our_outputs_are_read_too() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.jpg", "a/c.redacted.png", ".hidden.jpg"] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"x").unwrap();
        }
        let missing = dir.path().join("missing.jpg");
        let (files, failed) = list(&[dir.path().to_owned(), missing]);
        let names: Vec<_> =
            files.iter().map(|f| f.path.strip_prefix(dir.path()).unwrap().to_owned()).collect();
        assert_eq!(names, [Path::new("a/c.redacted.png"), Path::new("b.jpg")]);
        assert!(matches!(failed[..], [InputError::Missing(_)]));
    }
}
