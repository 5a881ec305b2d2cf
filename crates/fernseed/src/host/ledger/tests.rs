//! Unit and property tests of the ledger.

use super::*;
use proptest::prelude::*;
use std::os::unix::fs::PermissionsExt;

fn file(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, name).unwrap();
    path
}

fn enrolled(ledger: &Ledger, path: &Path) -> Key {
    let key = ledger.key(path).unwrap();
    ledger.enrol(&[(key, path)]).unwrap();
    key
}

fn outgoing(made: Made) -> Outgoing {
    Outgoing { format: OutputFormat::Jpeg, made, empty: true }
}

#[test]
fn a_file_goes_through_its_states_and_they_outlive_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let photo = file(folder.path(), "photo.jpg");
    let made = Made { inode: u64::MAX, bytes: 7 };
    let key = {
        let ledger = Ledger::open(folder.path(), "s", false).unwrap();
        let key = enrolled(&ledger, &photo);
        assert_eq!(ledger.entry(&key).unwrap().unwrap().state, State::Queued);
        ledger.begin(&key).unwrap();
        ledger.publishing(&key, &outgoing(made)).unwrap();
        key
    };
    let ledger = Ledger::open(folder.path(), "s", false).unwrap();
    assert_eq!(ledger.key(&photo).unwrap(), key, "the salt stays");
    let entry = ledger.entry(&key).unwrap().unwrap();
    let wanted =
        Entry { state: State::Working, made: Some((OutputFormat::Jpeg, made)), empty: true };
    assert_eq!(entry, wanted);
    for state in [
        State::Published { empty: false },
        State::Published { empty: true },
        State::Held,
        State::failed(FailureKind::TooLarge),
        State::Queued,
    ] {
        ledger.end(&key, &state).unwrap();
        assert_eq!(ledger.entry(&key).unwrap().unwrap().state, state);
    }
    assert_eq!(State::failed(FailureKind::TooLarge), State::Failed("too_large".to_owned()));
    assert_eq!(ledger.tally().unwrap(), BTreeMap::from([("queued".to_owned(), 1)]));
}

#[test]
fn a_changed_file_is_another_file() {
    let folder = tempfile::tempdir().unwrap();
    let photo = file(folder.path(), "photo.jpg");
    let ledger = Ledger::open(folder.path(), "s", false).unwrap();
    let before = ledger.key(&photo).unwrap();
    std::fs::write(&photo, "longer than before").unwrap();
    assert_ne!(ledger.key(&photo).unwrap(), before);
    let other = tempfile::tempdir().unwrap();
    let other = Ledger::open(other.path(), "s", false).unwrap();
    assert_ne!(other.key(&photo).unwrap(), ledger.key(&photo).unwrap(), "another salt");
    assert!(ledger.begin(&before).is_err(), "never enrolled");
}

#[test]
fn no_original_is_named_unless_asked_for() {
    for names in [false, true] {
        let (folder, source) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let photo = file(source.path(), "CanaryName.jpg");
        let ledger = Ledger::open(folder.path(), "s", names).unwrap();
        let key = enrolled(&ledger, &photo);
        ledger.begin(&key).unwrap();
        ledger.end(&key, &State::Held).unwrap();
        let holds = |needle: &[u8]| {
            std::fs::read_dir(folder.path()).unwrap().any(|entry| {
                let bytes = std::fs::read(entry.unwrap().path()).unwrap();
                bytes.windows(needle.len()).any(|w| w == needle)
            })
        };
        assert_eq!(holds(b"CanaryName"), names);
        drop(ledger);
        assert_eq!(holds(b"CanaryName"), names);
    }
}

#[test]
fn it_is_the_owners_alone_and_in_full_synchronisation() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path(), "s", false).unwrap();
    enrolled(&ledger, &file(folder.path(), "a"));
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_string_lossy().starts_with(LEDGER_NAME) {
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
    let connection = ledger.lock();
    let text = |p: &str| {
        connection.pragma_query_value(None, p, |r| r.get::<_, rusqlite::types::Value>(0)).unwrap()
    };
    assert_eq!(text("journal_mode"), "wal".to_owned().into());
    assert_eq!(text("synchronous"), 2.into());
    assert_eq!(text("secure_delete"), 1.into());
}

#[test]
fn foreign_files_and_other_settings_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(LEDGER_NAME);
    std::fs::write(&path, "somebody's notes, long enough to be a header ".repeat(40)).unwrap();
    let error = Ledger::open(folder.path(), "s", false).unwrap_err();
    assert!(matches!(error, LedgerError::Foreign(_)), "{error}");
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("somebody"));

    std::fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    let error = Ledger::open(folder.path(), "s", false).unwrap_err();
    assert!(matches!(error, LedgerError::Foreign(_)), "{error}");

    std::fs::remove_file(&path).unwrap();
    drop(Ledger::open(folder.path(), "solid", false).unwrap());
    let error = Ledger::open(folder.path(), "mosaic", false).unwrap_err();
    assert!(matches!(error, LedgerError::OtherSettings(_)), "{error}");
    Ledger::open(folder.path(), "solid", false).unwrap();
}

#[test]
fn a_planted_link_is_not_followed() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let victim = elsewhere.path().join("victim");
    std::fs::write(&victim, b"").unwrap();
    std::os::unix::fs::symlink(&victim, folder.path().join(LEDGER_NAME)).unwrap();
    assert!(Ledger::open(folder.path(), "s", false).is_err());
    assert_eq!(std::fs::read(&victim).unwrap(), b"");
}

/// One step of a batch, on one of four files.
#[derive(Clone, Copy, Debug)]
enum Step {
    Enrol(usize),
    Begin(usize),
    Publishing(usize),
    End(usize, u8),
    /// The process ends and another opens the ledger.
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..4usize).prop_map(Step::Enrol),
        (0..4usize).prop_map(Step::Begin),
        (0..4usize).prop_map(Step::Publishing),
        (0..4usize, 0..5u8).prop_map(|(f, s)| Step::End(f, s)),
        Just(Step::Reopen),
    ]
}

fn ending(number: u8) -> State {
    match number {
        0 => State::Published { empty: false },
        1 => State::Published { empty: true },
        2 => State::Held,
        3 => State::Failed("io".to_owned()),
        _ => State::Queued,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens in whatever order: every enrolled file is in the
    /// state that was written last, and the tally counts each once.
    #[test]
    fn every_file_is_in_exactly_one_state(steps in proptest::collection::vec(step(), 1..40)) {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<_> = (0..4).map(|i| file(folder.path(), &format!("f{i}"))).collect();
        let mut ledger = Ledger::open(folder.path(), "s", false).unwrap();
        let mut model: [Option<State>; 4] = [const { None }; 4];
        for step in steps {
            match step {
                Step::Enrol(f) => {
                    enrolled(&ledger, &paths[f]);
                    model[f].get_or_insert(State::Queued);
                }
                Step::Begin(f) => {
                    let done = ledger.begin(&ledger.key(&paths[f]).unwrap());
                    prop_assert_eq!(done.is_ok(), model[f].is_some());
                    if let Some(state) = &mut model[f] { *state = State::Working; }
                }
                Step::Publishing(f) => {
                    let key = ledger.key(&paths[f]).unwrap();
                    let done = ledger.publishing(&key, &outgoing(Made { inode: 1, bytes: 2 }));
                    prop_assert_eq!(done.is_ok(), model[f] == Some(State::Working));
                }
                Step::End(f, s) => {
                    let done = ledger.end(&ledger.key(&paths[f]).unwrap(), &ending(s));
                    prop_assert_eq!(done.is_ok(), model[f].is_some());
                    if let Some(state) = &mut model[f] { *state = ending(s); }
                }
                Step::Reopen => {
                    drop(ledger);
                    ledger = Ledger::open(folder.path(), "s", false).unwrap();
                }
            }
        }
        let mut tally: BTreeMap<String, u64> = BTreeMap::new();
        for (path, state) in paths.iter().zip(&model) {
            let entry = ledger.entry(&ledger.key(path).unwrap()).unwrap();
            prop_assert_eq!(entry.map(|e| e.state), state.clone());
            if let Some(state) = state { *tally.entry(state.word().to_owned()).or_default() += 1; }
        }
        prop_assert_eq!(ledger.tally().unwrap(), tally);
    }
}
