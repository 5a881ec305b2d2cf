//! Files beside a file that tell of it too.
//!
//! Cameras and programs put what they know into small files next to a photo
//! or video: cleaning the one and publishing the folder gives it all away.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// What is known to lie beside photos and videos, by extension.
const KNOWN: [(&str, &str); 9] = [
    ("xmp", "metadata written by a photo program"),
    ("aae", "editing steps of an iPhone or Mac"),
    ("thm", "a thumbnail made by a camera"),
    ("lrv", "a small copy of the video made by a camera"),
    ("srt", "subtitles, on drones the flight path"),
    ("gpx", "a GPS track"),
    ("json", "what a photo service knows of the file"),
    ("pp3", "editing steps of a raw converter"),
    ("dop", "editing steps of a raw converter"),
];
/// Files of one folder that are remembered at most.
const MAX_NAMES: usize = 1_000_000;

/// A file beside another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sidecar {
    /// Its name, without folder.
    pub name: OsString,
    /// Its extension, in small letters.
    pub extension: String,
    /// What it usually holds, or `None` for any file of the same name.
    pub holds: Option<&'static str>,
}

/// Looks into each folder once.
#[derive(Debug, Default)]
pub struct Sidecars {
    folders: Mutex<BTreeMap<PathBuf, Arc<Folder>>>,
}

/// File names by the small letters before their first dot.
type Folder = BTreeMap<String, Vec<OsString>>;

impl Sidecars {
    /// What lies beside `path`, sorted by name. A folder that cannot be read
    /// holds nothing.
    #[must_use]
    pub fn of(&self, path: &Path) -> Vec<Sidecar> {
        let (Some(name), Some(folder)) = (path.file_name(), path.parent()) else {
            return Vec::new();
        };
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let folder = self.folder(folder);
        let own = name.to_string_lossy().to_lowercase();
        let own_stem = own.rsplit_once('.').map_or(own.as_str(), |(stem, _)| stem);
        let mut keys = vec![root(&own).to_owned()];
        keys.extend(partner(root(&own)));
        let beside = keys.iter().filter_map(|k| folder.get(k)).flatten();
        beside.filter(|n| *n != name).filter_map(|n| sidecar(&own, own_stem, n)).collect()
    }

    fn folder(&self, path: &Path) -> Arc<Folder> {
        let Ok(mut folders) = self.folders.lock() else { return Arc::default() };
        Arc::clone(folders.entry(path.to_owned()).or_insert_with(|| Arc::new(read(path))))
    }
}

fn read(path: &Path) -> Folder {
    let mut out = Folder::new();
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    for entry in entries.take(MAX_NAMES) {
        let name = entry.file_name();
        let lower = name.to_string_lossy().to_lowercase();
        out.entry(root(&lower).to_owned()).or_default().push(name);
    }
    out.values_mut().for_each(|names| names.sort());
    out
}

/// A name up to its first dot: what `IMG_1.jpg`, `IMG_1.jpg.xmp` and
/// `IMG_1.aae` have in common.
fn root(lower: &str) -> &str {
    lower.split_once('.').map_or(lower, |(root, _)| root)
}

/// GoPro calls the small copy of `GX010001` or `GH010001` `GL010001`.
fn partner(root: &str) -> Option<String> {
    let number = root.strip_prefix("gx").or_else(|| root.strip_prefix("gh"))?;
    (number.len() == 6 && number.bytes().all(|b| b.is_ascii_digit())).then(|| format!("gl{number}"))
}

/// True if the file is beside the one called `own`, and what it is.
fn sidecar(own: &str, own_stem: &str, name: &std::ffi::OsStr) -> Option<Sidecar> {
    let lower = name.to_string_lossy().to_lowercase();
    let (stem, extension) = lower.rsplit_once('.')?;
    let same = stem == own_stem || stem == own || partner(own_stem).is_some_and(|p| p == stem);
    if !same {
        return None;
    }
    let holds = KNOWN.iter().find(|(e, _)| *e == extension).map(|(_, holds)| *holds);
    Some(Sidecar { name: name.to_owned(), extension: extension.to_owned(), holds })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sidecars_are_found_and_others_are_not() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "IMG_1.JPG",
            "IMG_1.xmp",
            "img_1.jpg.xmp",
            "IMG_1.AAE",
            "IMG_1.mov",
            "IMG_10.xmp",
            "IMG_1.redacted.jpg",
            "GX010001.MP4",
            "GL010001.LRV",
            "GX010001.THM",
        ] {
            std::fs::write(dir.path().join(name), b"x").unwrap();
        }
        let sidecars = Sidecars::default();
        let names = |of: &str| -> Vec<String> {
            let found = sidecars.of(&dir.path().join(of));
            found.into_iter().map(|s| s.name.to_string_lossy().into_owned()).collect()
        };
        assert_eq!(names("IMG_1.JPG"), ["IMG_1.AAE", "IMG_1.mov", "IMG_1.xmp", "img_1.jpg.xmp"]);
        assert_eq!(names("GX010001.MP4"), ["GX010001.THM", "GL010001.LRV"]);
        assert_eq!(names("IMG_10.xmp"), [""; 0]);
        let live = &sidecars.of(&dir.path().join("IMG_1.JPG"))[1];
        assert_eq!((live.extension.as_str(), live.holds), ("mov", None));
    }
}
