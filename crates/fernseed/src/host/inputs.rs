//! Which files to work on and where their outputs go.

use crate::protocol::OutputFormat;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Marks in the names of our own outputs, so that a second run over a folder
/// leaves them alone.
const OWN_MARKS: [&str; 3] = [".redacted.", ".stripped.", ".needs-review."];

/// One file to work on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Where it is.
    pub path: PathBuf,
    /// True if it was found in a folder: what is no media is then skipped
    /// instead of failing the run.
    pub from_folder: bool,
    /// Where its output goes.
    pub target: Target,
}

/// Where an output goes; the extension is known only once the source is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The folder.
    pub folder: PathBuf,
    /// The name before `.redacted.EXT`, or the whole name if `exact`.
    pub stem: OsString,
    /// True if the user named the output file.
    pub exact: bool,
    /// True if the stem is the whole name but for the extension: a random
    /// name needs no mark.
    pub plain: bool,
    /// The format the user asked for.
    pub format: Option<OutputFormat>,
}

impl Target {
    /// Name of the published file.
    #[must_use]
    pub fn published_name(&self, format: OutputFormat) -> OsString {
        self.name("redacted", format.extension())
    }

    /// Name of a published file that went through another command.
    #[must_use]
    pub fn name(&self, mark: &str, extension: &str) -> OsString {
        if self.exact {
            self.stem.clone()
        } else if self.plain {
            let mut name = self.stem.clone();
            name.push(format!(".{extension}"));
            name
        } else {
            self.marked(mark, extension)
        }
    }

    /// Name of a file that is held for review.
    #[must_use]
    pub fn held_name(&self, format: OutputFormat) -> OsString {
        self.held(format.extension())
    }

    /// Name of a held file with this extension.
    #[must_use]
    pub fn held(&self, extension: &str) -> OsString {
        self.marked("needs-review", extension)
    }

    fn marked(&self, mark: &str, extension: &str) -> OsString {
        let stem = if self.exact {
            Path::new(&self.stem).file_stem().unwrap_or(&self.stem)
        } else {
            self.stem.as_os_str()
        };
        let mut name = stem.to_owned();
        name.push(format!(".{mark}.{extension}"));
        name
    }
}

/// Where outputs go, as the command line says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Destination {
    /// `-o`, if given.
    pub path: Option<PathBuf>,
    /// `--format`, if given.
    pub format: Option<OutputFormat>,
    /// True if an output may be of any format, since it keeps the input's.
    pub any_format: bool,
}

impl Destination {
    /// The folder that `-o` names, if it does not name a file.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        self.path.as_deref().filter(|p| !names_a_file(p))
    }
}

/// Why the inputs make no sense.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// There is no such file.
    #[error("{}: no such file or folder", .0.display())]
    Missing(PathBuf),
    /// It cannot be looked at.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// What was looked at.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A folder without any file to work on.
    #[error("{}: no pictures or videos in this folder", .0.display())]
    EmptyFolder(PathBuf),
    /// `-o` names one file, but there are several inputs.
    #[error("{} is one file, but there are several inputs; name a folder with -o", .0.display())]
    ManyIntoOne(PathBuf),
    /// `-o` names a file of a kind that cannot be written.
    #[error(
        "{}: cannot write this kind of file; outputs are .jpg, .png, .webp, .mp4 or .webm",
        .0.display()
    )]
    UnknownOutput(PathBuf),
    /// The output folder lies inside an input folder.
    #[error(
        "the output folder {} lies inside the input folder {}; choose one outside",
        output.display(),
        input.display()
    )]
    OutputInsideInput {
        /// The output folder.
        output: PathBuf,
        /// The input folder.
        input: PathBuf,
    },
    /// Two inputs would get the same output.
    #[error("{} and {} would both be written to the same output", .0.display(), .1.display())]
    SameOutput(PathBuf, PathBuf),
    /// The output folder cannot be made.
    #[error("cannot create the folder {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// How videos are named.
const VIDEO_EXTENSIONS: [&str; 22] = [
    "3g2", "3gp", "asf", "avi", "flv", "h264", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg",
    "mts", "mxf", "ogv", "qt", "ts", "vob", "webm", "wmv", "y4m",
];

/// True if some input is named like a video. What a file is, only workers find
/// out; this is for choosing how they use memory.
#[must_use]
pub fn named_like_video(inputs: &[Input]) -> bool {
    let is_video = |path: &Path| {
        let extension = path.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase);
        extension.is_some_and(|e| VIDEO_EXTENSIONS.contains(&e.as_str()))
    };
    inputs.iter().any(|input| is_video(&input.path))
}

/// Files to work on, and inputs that failed already.
#[derive(Debug, Default)]
pub struct Collected {
    /// What can be worked on.
    pub inputs: Vec<Input>,
    /// What failed before any work: each with the path as given.
    pub failed: Vec<(PathBuf, InputError)>,
}

/// Walks the inputs and finds a target for each file.
///
/// # Errors
/// [`InputError`] where the command line as a whole makes no sense; single
/// inputs that fail are in [`Collected::failed`], so that the rest goes on.
pub fn collect(paths: &[PathBuf], to: &Destination) -> Result<Collected, InputError> {
    let mut out = Collected::default();
    let one_file = to.path.as_deref().filter(|p| names_a_file(p));
    if let Some(file) = one_file {
        if paths.len() != 1 || paths.first().is_some_and(|p| p.is_dir()) {
            return Err(InputError::ManyIntoOne(file.to_owned()));
        }
        if extension_format(file).is_none() && !to.any_format {
            return Err(InputError::UnknownOutput(file.to_owned()));
        }
    }
    for path in paths {
        match std::fs::metadata(path) {
            Ok(meta) if meta.is_dir() => {
                refuse_nested(path, to)?;
                folder(path, to, &mut out);
            }
            Ok(_) => {
                let target = target_of(path, None, to, one_file);
                out.inputs.push(Input { path: path.clone(), from_folder: false, target });
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                out.failed.push((path.clone(), InputError::Missing(path.clone())));
            }
            Err(source) => {
                let error = InputError::Unreadable { path: path.clone(), source };
                out.failed.push((path.clone(), error));
            }
        }
    }
    refuse_same_outputs(&mut out);
    Ok(out)
}

/// Creates the folders that outputs go to.
///
/// # Errors
/// [`InputError::Folder`] for the first that cannot be made.
pub fn create_folders(inputs: &[Input]) -> Result<(), InputError> {
    let folders: std::collections::BTreeSet<_> =
        inputs.iter().map(|i| i.target.folder.clone()).collect();
    for path in folders {
        std::fs::create_dir_all(&path).map_err(|source| InputError::Folder { path, source })?;
    }
    Ok(())
}

/// `-o` names a file if it has an extension and is not an existing folder.
fn names_a_file(path: &Path) -> bool {
    !path.is_dir()
        && path.extension().is_some()
        && !path.as_os_str().to_string_lossy().ends_with('/')
}

fn extension_format(path: &Path) -> Option<OutputFormat> {
    OutputFormat::from_extension(&path.extension()?.to_string_lossy())
}

fn folder(root: &Path, to: &Destination, out: &mut Collected) {
    let before = out.inputs.len();
    let walk = walkdir::WalkDir::new(root).sort_by_file_name().follow_links(false);
    let visible =
        |e: &walkdir::DirEntry| e.depth() == 0 || !e.file_name().to_string_lossy().starts_with('.');
    for entry in walk.into_iter().filter_entry(visible) {
        match entry {
            Ok(entry) if entry.file_type().is_file() => {
                let name = entry.file_name().to_string_lossy();
                if OWN_MARKS.iter().any(|m| name.contains(m)) {
                    continue;
                }
                let target = target_of(entry.path(), Some(root), to, None);
                let path = entry.into_path();
                out.inputs.push(Input { path, from_folder: true, target });
            }
            Ok(_) => {}
            Err(error) => {
                let path = error.path().unwrap_or(root).to_owned();
                let source = error
                    .into_io_error()
                    .unwrap_or_else(|| std::io::Error::other("the folder contains itself"));
                out.failed.push((path.clone(), InputError::Unreadable { path, source }));
            }
        }
    }
    if out.inputs.len() == before {
        out.failed.push((root.to_owned(), InputError::EmptyFolder(root.to_owned())));
    }
}

fn target_of(
    path: &Path,
    root: Option<&Path>,
    to: &Destination,
    one_file: Option<&Path>,
) -> Target {
    let parent = |p: &Path| match p.parent() {
        Some(p) if !p.as_os_str().is_empty() => p.to_owned(),
        _ => PathBuf::from("."),
    };
    if let Some(file) = one_file {
        let stem = file.file_name().unwrap_or(OsStr::new("output")).to_owned();
        let format = extension_format(file);
        return Target { folder: parent(file), stem, exact: true, plain: false, format };
    }
    let stem = path.file_stem().unwrap_or(OsStr::new("output")).to_owned();
    let folder = match &to.path {
        None => parent(path),
        Some(out) => {
            // Folders keep their inner structure.
            let inner = root.and_then(|r| parent(path).strip_prefix(r).map(Path::to_owned).ok());
            out.join(inner.unwrap_or_default())
        }
    };
    Target { folder, stem, exact: false, plain: false, format: to.format }
}

fn refuse_nested(input: &Path, to: &Destination) -> Result<(), InputError> {
    let Some(output) = &to.path else { return Ok(()) };
    let (Ok(real_in), Some(real_out)) = (input.canonicalize(), real_path(output)) else {
        return Ok(());
    };
    if real_out != real_in && real_out.starts_with(&real_in) {
        return Err(InputError::OutputInsideInput {
            output: output.clone(),
            input: input.to_owned(),
        });
    }
    Ok(())
}

/// The real path of something that may not exist yet.
fn real_path(path: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(path).ok()?;
    let existing = absolute.ancestors().find(|p| p.exists())?;
    let rest = absolute.strip_prefix(existing).ok()?;
    Some(existing.canonicalize().ok()?.join(rest))
}

/// Two inputs of the same stem (`a.jpg`, `a.png`) get their own extension
/// into the name; two of the same name into one folder are refused.
fn refuse_same_outputs(out: &mut Collected) {
    let key = |t: &Target| (t.folder.clone(), t.stem.to_string_lossy().to_lowercase());
    let mut count = std::collections::BTreeMap::new();
    for input in &out.inputs {
        *count.entry(key(&input.target)).or_insert(0usize) += 1;
    }
    for input in &mut out.inputs {
        if !input.target.exact && count.get(&key(&input.target)).is_some_and(|n| *n > 1) {
            input.target.stem = input.path.file_name().unwrap_or_default().to_owned();
        }
    }
    let mut seen = std::collections::BTreeMap::new();
    let mut kept = Vec::new();
    for input in out.inputs.drain(..) {
        match seen.get(&key(&input.target)) {
            None => {
                seen.insert(key(&input.target), input.path.clone());
                kept.push(input);
            }
            Some(first) => {
                let error = InputError::SameOutput(PathBuf::clone(first), input.path.clone());
                out.failed.push((input.path, error));
            }
        }
    }
    out.inputs = kept;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(path: &Path) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, b"x").unwrap();
    }

    #[test]
    fn outputs_lie_beside_their_inputs() {
        let dir = tempfile::tempdir().unwrap();
        let photo = dir.path().join("holiday.photo.jpg");
        touch(&photo);
        let got = collect(&[photo], &Destination::default()).unwrap();
        let target = &got.inputs[0].target;
        assert_eq!(target.folder, dir.path());
        assert_eq!(target.published_name(OutputFormat::Jpeg), "holiday.photo.redacted.jpg");
        assert_eq!(target.held_name(OutputFormat::Jpeg), "holiday.photo.needs-review.jpg");
    }

    #[test]
    fn videos_are_told_by_their_names_whatever_the_case() {
        let dir = tempfile::tempdir().unwrap();
        let named = |names: &[&str]| {
            let paths: Vec<PathBuf> = names.iter().map(|n| dir.path().join(n)).collect();
            paths.iter().for_each(|p| touch(p));
            named_like_video(&collect(&paths, &Destination::default()).unwrap().inputs)
        };
        assert!(named(&["a.jpg", "b.MOV"]));
        assert!(!named(&["a.jpg", "mp4", "b.mp4.png"]));
    }

    #[test]
    fn folders_keep_their_structure_and_skip_our_outputs() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("in");
        for name in ["a.jpg", "sub/b.png", "sub/b.redacted.png", ".hidden/c.jpg"] {
            touch(&root.join(name));
        }
        let out = dir.path().join("out");
        let to = Destination { path: Some(out.clone()), ..Destination::default() };
        let got = collect(std::slice::from_ref(&root), &to).unwrap();
        let folders: Vec<_> = got.inputs.iter().map(|i| i.target.folder.clone()).collect();
        assert_eq!(folders, [out.clone(), out.join("sub")]);
        assert!(got.inputs.iter().all(|i| i.from_folder));
    }

    #[test]
    fn an_output_inside_an_input_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        touch(&dir.path().join("a.jpg"));
        let to = Destination { path: Some(dir.path().join("deep/out")), ..Destination::default() };
        let error = collect(&[dir.path().to_owned()], &to).unwrap_err();
        assert!(matches!(error, InputError::OutputInsideInput { .. }), "{error}");
    }

    #[test]
    fn equal_stems_stay_apart() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.jpg", "a.png", "A.gif"] {
            touch(&dir.path().join(name));
        }
        let got = collect(&[dir.path().to_owned()], &Destination::default()).unwrap();
        let names: std::collections::BTreeSet<_> = got
            .inputs
            .iter()
            .map(|i| i.target.published_name(OutputFormat::Png).to_string_lossy().to_lowercase())
            .collect();
        assert_eq!(names.len(), 3, "{names:?}");
        let to = Destination { path: Some(dir.path().join("out")), ..Destination::default() };
        let twice = [dir.path().join("a.jpg"), dir.path().join("a.jpg")];
        let got = collect(&twice, &to).unwrap();
        assert_eq!((got.inputs.len(), got.failed.len()), (1, 1));
    }

    #[test]
    fn one_file_for_many_inputs_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a.jpg"), dir.path().join("b.jpg"));
        touch(&a);
        touch(&b);
        let to = Destination { path: Some(dir.path().join("c.jpg")), ..Destination::default() };
        assert!(matches!(collect(&[a.clone(), b], &to), Err(InputError::ManyIntoOne(_))));
        let got = collect(std::slice::from_ref(&a), &to).unwrap();
        assert_eq!(got.inputs[0].target.published_name(OutputFormat::Jpeg), "c.jpg");
        assert_eq!(got.inputs[0].target.held_name(OutputFormat::Jpeg), "c.needs-review.jpg");
        let to = Destination { path: Some(dir.path().join("c.docx")), ..Destination::default() };
        assert!(matches!(collect(&[a], &to), Err(InputError::UnknownOutput(_))));
    }

    #[test]
    fn missing_inputs_do_not_stop_the_rest() {
        let dir = tempfile::tempdir().unwrap();
        let photo = dir.path().join("a.jpg");
        touch(&photo);
        let empty = dir.path().join("empty");
        std::fs::create_dir(&empty).unwrap();
        let paths = [dir.path().join("nope.jpg"), empty, photo];
        let got = collect(&paths, &Destination::default()).unwrap();
        assert_eq!((got.inputs.len(), got.failed.len()), (1, 2));
    }
}
