//! No argument whatever changes an original.

use crate::Case;
use crate::common::Bench;
use crate::make::png;
use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) const CASES: &[Case] =
    &[("no_argument_changes_an_original", guards), ("nor_where_case_is_folded", folded_case)];

/// What is run, and the exit codes that may come of it: 0 and 1 where an
/// output of its own may be made.
const ARGUMENTS: [(&str, &[i32]); 24] = [
    ("redact in/a.png -o in/a.png", &[2, 5]),
    ("redact in/a.png -o ./in/a.png", &[2, 5]),
    ("redact in/a.png -o in/../in/./a.png", &[2, 5]),
    ("redact ./in/a.png -o in/a.png", &[2, 5]),
    ("redact in/link.png -o in/a.png", &[2, 5]),
    ("redact in/a.png -o in/link.png", &[2, 5]),
    ("redact in/a.png -o in/hard.png", &[2, 5]),
    ("redact in/hard.png -o in/a.png", &[2, 5]),
    ("redact in/a.png -o folder-link/a.png", &[2, 5]),
    ("redact in/a.png -o in/b.png", &[2, 5]),
    ("redact in/a.png in/b.png -o in/b.png", &[2]),
    ("redact in -o in/out", &[2]),
    ("redact in -o ./in/deep/er/out", &[2]),
    ("redact in -o folder-link/out", &[2]),
    ("redact folder-link -o in/out", &[2]),
    ("redact in --resume -o in/out", &[2]),
    ("redact in -o in", &[0, 1, 5]),
    ("redact in/a.png -o dangling.png", &[2, 5]),
    ("redact in/a.png -o new.png --report in/b.png", &[2, 5]),
    ("redact in/a.png -o new2.png --report in/hard.png", &[2, 5]),
    ("scan in/a.png -o in/b.png", &[2]),
    ("scan in/a.png -o in/link.png", &[2]),
    ("redact in/a.png --resume -o in/a.png", &[2]),
    ("redact in --resume -o in", &[0, 1, 5]),
];

/// Content, inode and times of everything that was there before.
fn state(folder: &Path, names: &[&str]) -> BTreeMap<String, (Vec<u8>, u64, i64, u32)> {
    let one = |name: &&str| {
        let path = folder.join(name);
        let meta = path.symlink_metadata().unwrap();
        let bytes = std::fs::read(&path).unwrap_or_default();
        ((*name).to_owned(), (bytes, meta.ino(), meta.mtime_nsec(), meta.mode()))
    };
    names.iter().map(one).collect()
}

fn lay_out(folder: &Path) {
    std::fs::create_dir_all(folder.join("in")).unwrap();
    std::fs::write(folder.join("in/a.png"), png(48, 1)).unwrap();
    std::fs::write(folder.join("in/b.png"), png(48, 2)).unwrap();
    std::fs::hard_link(folder.join("in/a.png"), folder.join("in/hard.png")).unwrap();
    symlink("a.png", folder.join("in/link.png")).unwrap();
    symlink("in", folder.join("folder-link")).unwrap();
    symlink("in/nowhere.png", folder.join("dangling.png")).unwrap();
}

fn guards() {
    let originals =
        ["in/a.png", "in/b.png", "in/hard.png", "in/link.png", "folder-link", "dangling.png"];
    for (arguments, codes) in ARGUMENTS {
        let bench = Bench::new();
        lay_out(bench.folder());
        let before = state(bench.folder(), &originals);
        let run = bench.fernseed(arguments);
        assert!(codes.contains(&run.code), "{arguments}: exit {} {}", run.code, run.err);
        assert!(state(bench.folder(), &originals) == before, "{arguments} changed an original");
        assert!(!bench.path("in/nowhere.png").exists(), "{arguments} wrote through a link");
    }
    println!("{} command lines, 0 originals changed", ARGUMENTS.len());
}

/// A file system in a file that takes `A.PNG` for `a.png`; unmounted when
/// dropped.
struct Folding {
    at: PathBuf,
    root: PathBuf,
    kind: &'static str,
}

impl Folding {
    /// ext4 where the kernel folds case, else NTFS by a program in user
    /// space (Debian's ntfs-3g).
    fn new(folder: &Path) -> Option<Self> {
        let (image, at) = (folder.join("image"), folder.join("disk"));
        std::fs::create_dir(&at).unwrap();
        let (image, at_word) = (image.to_str().unwrap(), at.to_str().unwrap());
        std::fs::File::create(image).unwrap().set_len(16 << 20).unwrap();
        if did(&["mkfs.ext4", "-q", "-O", "casefold", image])
            && did(&["mount", "-o", "loop", image, at_word])
        {
            let root = at.join("folded");
            std::fs::create_dir(&root).unwrap();
            let folding = Self { root, kind: "ext4", at: at.clone() };
            if did(&["chattr", "+F", folding.root.to_str().unwrap()]) {
                return Some(folding);
            }
        }
        std::fs::File::create(image).unwrap().set_len(16 << 20).unwrap();
        let mounted = did(&["mkntfs", "-q", "-F", image])
            && did(&["lowntfs-3g", "-o", "ignore_case", image, at_word]);
        mounted.then(|| Self { root: at.clone(), at, kind: "NTFS" })
    }
}

impl Drop for Folding {
    fn drop(&mut self) {
        if !did(&["umount", self.at.to_str().unwrap_or_default()]) {
            println!("{} is still mounted", self.at.display());
        }
    }
}

fn did(words: &[&str]) -> bool {
    let done = Command::new(words[0]).args(&words[1..]).output();
    done.is_ok_and(|o| o.status.success())
}

/// On a file system that takes `A.PNG` for `a.png`.
fn folded_case() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Folding::new(folder.path()) else {
        println!("skipped: no file system that folds case can be mounted here");
        return;
    };
    let root = &disk.root;
    std::fs::write(root.join("photo.png"), png(48, 1)).unwrap();
    let before = std::fs::read(root.join("photo.png")).unwrap();
    assert!(std::fs::read(root.join("PHOTO.png")).unwrap() == before, "it folds no case");
    for output in ["PHOTO.PNG", "Photo.png", "./pHoTo.PnG"] {
        let mut command = Command::new(crate::common::bench::program());
        command.args(["redact", "photo.png", "-o", output]).current_dir(root);
        let run = crate::common::bench::run(&mut command);
        assert!([2, 5].contains(&run.code), "{output}: exit {}, {}", run.code, run.err);
        assert!(std::fs::read(root.join("photo.png")).unwrap() == before, "{output}");
    }
    println!("3 spellings on {} that folds case, 0 originals changed", disk.kind);
}
