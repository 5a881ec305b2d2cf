//! A folder of its own for every test, and runs of the binary in it.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread::JoinHandle;
use std::time::Duration;

use super::patience::Patience;

/// The binary under test: the one `cargo test` built, or another one named
/// by `FERNSEED_BIN`, such as a release build for long runs.
pub(crate) fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let named = std::env::var_os("FERNSEED_BIN").map(PathBuf::from);
        let path = named.unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_fernseed")));
        // Tests change folders.
        path.canonicalize().unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    })
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    /// The same run, if it ended with this code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\n-- stdout:\n{}\n-- stderr:\n{}", self.out, self.err);
        self
    }

    /// The lines of standard error that report errors.
    pub(crate) fn errors(&self) -> Vec<&str> {
        self.err.lines().filter(|l| l.starts_with("error: ")).collect()
    }

    /// Standard output as JSON Lines.
    #[track_caller]
    pub(crate) fn json(&self) -> Vec<serde_json::Value> {
        self.out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
            .collect()
    }
}

/// Runs a command to its end, or kills it and fails the test.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> Run {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child: Child = command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let out = collect(child.stdout.take());
    let err = collect(child.stderr.take());
    let mut patience = Patience::with(child.id());
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if let Some(why) = patience.lost() {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("hangs ({why}): {command:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    Run { code: status.code().unwrap_or(-1), out: out.join().unwrap(), err: err.join().unwrap() }
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.map(|mut p| p.read_to_end(&mut bytes)).transpose().unwrap();
        String::from_utf8(bytes).expect("output is UTF-8")
    })
}

/// A folder for one test.
pub(crate) struct Bench(tempfile::TempDir);

impl Bench {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A bench with a copy of a file under a name.
    pub(crate) fn with(file: &Path, name: &str) -> Self {
        let bench = Self::new();
        bench.copy(file, name);
        bench
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn copy(&self, file: &Path, name: &str) -> PathBuf {
        self.write(name, &std::fs::read(file).unwrap())
    }

    #[track_caller]
    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    #[track_caller]
    pub(crate) fn json(&self, name: &str) -> serde_json::Value {
        serde_json::from_slice(&self.read(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Runs the binary in this folder; arguments are split at spaces.
    #[track_caller]
    pub(crate) fn fernseed(&self, arguments: &str) -> Run {
        run(self.command().args(arguments.split_whitespace()))
    }

    /// The binary, to be run in this folder.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(program());
        command.current_dir(self.folder()).env("COLUMNS", "100");
        command
    }

    /// Everything in this folder and below, hidden files too.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        let mut out = BTreeSet::new();
        list(self.folder(), self.folder(), &mut out);
        out
    }
}

fn list(root: &Path, folder: &Path, out: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.path().strip_prefix(root).unwrap().to_string_lossy().into_owned();
        out.insert(name);
        if entry.file_type().unwrap().is_dir() {
            list(root, &entry.path(), out);
        }
    }
}
