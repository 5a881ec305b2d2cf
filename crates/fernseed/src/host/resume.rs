//! Taking a batch up again: what is done already, and what is to do.

use super::inputs::{Input, Target};
use super::job::Finished;
use super::ledger::{Entry, Key, Ledger, LedgerError, State};
use super::publish::{Made, sync_folder};
use super::workers::{Flow, Listener, Outgoing};
use crate::protocol::{Phase, SourceFacts};
use crate::report::Status;

/// A batch as the ledger sees it.
#[derive(Debug)]
pub struct Resumed<'a> {
    /// What is still to do.
    pub inputs: Vec<Input>,
    /// What was done by earlier runs.
    pub done: Done,
    /// Where the rest is written down.
    pub keeper: Keeper<'a>,
}

/// Files that earlier runs have brought to an end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Published.
    pub published: usize,
    /// Of these, without anybody in them.
    pub empty: usize,
    /// Waiting for a person.
    pub held: usize,
}

impl Done {
    /// How many files these are.
    #[must_use]
    pub const fn files(&self) -> usize {
        self.published + self.held
    }
}

/// Writes into the ledger what becomes of the inputs of a batch.
#[derive(Debug)]
pub struct Keeper<'a> {
    ledger: &'a Ledger,
    /// One for each input, in order.
    keys: Vec<Key>,
}

/// Takes the inputs into the ledger and leaves out what is done: a file that
/// was published or held, and whose output is still there. What was being
/// worked on when an earlier run was killed is done if its output got its
/// name; it is known by the identity that was written down before. Failed
/// files are tried again.
///
/// # Errors
/// [`LedgerError`]; no input may be worked on then.
pub fn resume(ledger: &Ledger, inputs: Vec<Input>) -> Result<Resumed<'_>, LedgerError> {
    let mut keyed = Vec::with_capacity(inputs.len());
    for input in inputs {
        let key = ledger
            .key(&input.path)
            .map_err(|source| LedgerError::System { path: input.path.clone(), source })?;
        keyed.push((key, input));
    }
    let files: Vec<_> = keyed.iter().map(|(key, input)| (*key, input.path.as_path())).collect();
    ledger.enrol(&files)?;
    drop(files);
    let mut done = Done::default();
    let (mut inputs, mut keys) = (Vec::new(), Vec::new());
    for (key, input) in keyed {
        let entry = ledger.entry(&key)?;
        match entry.and_then(|entry| settled(&entry, &input.target)) {
            Some((state, fresh)) => {
                if fresh {
                    sync_folder(&input.target.folder).map_err(|source| LedgerError::System {
                        path: input.target.folder.clone(),
                        source,
                    })?;
                    ledger.end(&key, &state)?;
                }
                done.published += usize::from(matches!(state, State::Published { .. }));
                done.empty += usize::from(state == State::Published { empty: true });
                done.held += usize::from(state == State::Held);
            }
            None => {
                inputs.push(input);
                keys.push(key);
            }
        }
    }
    Ok(Resumed { inputs, done, keeper: Keeper { ledger, keys } })
}

/// The state of a file that is done, and whether the ledger does not know it
/// yet. `None` if there is still something to do.
fn settled(entry: &Entry, target: &Target) -> Option<(State, bool)> {
    let (format, made) = entry.made?;
    let at = |name| Made::at(&target.folder.join(name));
    let published = at(target.published_name(format));
    let held = at(target.held_name(format));
    // A finished output may have been moved to another disk and back; one
    // that nobody saw finished must be the very same file.
    let same_length = |found: Option<Made>| found.is_some_and(|f| f.bytes == made.bytes);
    match &entry.state {
        State::Published { .. } if same_length(published) => Some((entry.state.clone(), false)),
        State::Held if same_length(held) => Some((State::Held, false)),
        // Failed after it got its name: the folder could not be synchronised.
        State::Working | State::Failed(_) if published == Some(made) => {
            Some((State::Published { empty: entry.empty }, true))
        }
        State::Working | State::Failed(_) if held == Some(made) => Some((State::Held, true)),
        _ => None,
    }
}

impl Keeper<'_> {
    fn key(&self, index: usize) -> Option<&Key> {
        self.keys.get(index)
    }

    /// Work on an input begins.
    ///
    /// # Errors
    /// [`LedgerError`]; the work must not begin then.
    pub fn begin(&self, index: usize) -> Result<(), LedgerError> {
        self.key(index).map_or(Ok(()), |key| self.ledger.begin(key))
    }

    /// Work on an input has ended.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn end(&self, index: usize, finished: &Finished) -> Result<(), LedgerError> {
        let state = state_of(finished);
        self.key(index).map_or(Ok(()), |key| self.ledger.end(key, &state))
    }

    /// A listener that also writes down outputs before they get their names.
    pub fn listener<'b>(
        &'b self,
        index: usize,
        listener: &'b mut dyn Listener,
    ) -> impl Listener + 'b {
        Recorder { keeper: self, index, listener }
    }
}

/// The ledger's word for how a file ended.
fn state_of(finished: &Finished) -> State {
    let report = &finished.report;
    match report.status {
        Status::Published => State::Published { empty: false },
        Status::NothingFound => State::Published { empty: true },
        Status::Held => State::Held,
        Status::Withheld => State::Failed("withheld".to_owned()),
        Status::Skipped => State::failed(crate::protocol::FailureKind::NotMedia),
        Status::Interrupted | Status::Planned => State::Queued,
        Status::Failed => {
            let kind = report.failure.as_ref().map(|f| f.kind);
            State::failed(kind.unwrap_or(crate::protocol::FailureKind::Internal))
        }
    }
}

struct Recorder<'a> {
    keeper: &'a Keeper<'a>,
    index: usize,
    listener: &'a mut dyn Listener,
}

impl Listener for Recorder<'_> {
    fn progress(&mut self, phase: Phase, done: u64, total: Option<u64>) {
        self.listener.progress(phase, done, total);
    }

    fn source(&mut self, facts: &SourceFacts) -> Flow {
        self.listener.source(facts)
    }

    fn publishing(&mut self, output: &Outgoing) -> Result<(), LedgerError> {
        let Some(key) = self.keeper.key(self.index) else { return Ok(()) };
        self.keeper.ledger.publishing(key, output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::inputs::{Destination, collect};
    use crate::host::publish::PendingOutput;
    use crate::protocol::OutputFormat;
    use std::io::Write;
    use std::path::Path;

    /// A ledger in `out` and the inputs of `in`.
    fn batch(root: &Path, names: &[&str]) -> (Ledger, Vec<Input>) {
        let (source, out) = (root.join("in"), root.join("out"));
        std::fs::create_dir_all(&source).unwrap();
        std::fs::create_dir_all(&out).unwrap();
        for name in names {
            if !source.join(name).exists() {
                std::fs::write(source.join(name), name).unwrap();
            }
        }
        let to = Destination { path: Some(out.clone()), ..Destination::default() };
        let inputs = collect(&[source], &to).unwrap().inputs;
        (Ledger::open(&out, "s", false).unwrap(), inputs)
    }

    fn publish(input: &Input, keeper: &Keeper<'_>, index: usize, empty: bool, held: bool) {
        let pending = PendingOutput::create(&input.target.folder).unwrap();
        pending.file().write_all(b"output").unwrap();
        let made = pending.made().unwrap();
        let mut silent = crate::host::workers::Silent;
        let mut listener = keeper.listener(index, &mut silent);
        listener.publishing(&Outgoing { format: OutputFormat::Png, made, empty }).unwrap();
        let target = &input.target;
        let name = if held {
            target.held_name(OutputFormat::Png)
        } else {
            target.published_name(OutputFormat::Png)
        };
        pending.publish(&name).unwrap();
    }

    #[test]
    fn killed_after_the_name_is_done_and_killed_before_is_not() {
        let root = tempfile::tempdir().unwrap();
        let (ledger, inputs) = batch(root.path(), &["a.png", "b.png", "c.png", "d.png"]);
        let first = resume(&ledger, inputs.clone()).unwrap();
        assert_eq!((first.inputs.len(), first.done.files()), (4, 0));
        for index in 0..3 {
            first.keeper.begin(index).unwrap();
        }
        publish(&inputs[0], &first.keeper, 0, true, false);
        publish(&inputs[1], &first.keeper, 1, false, true);
        // c was begun only, d not even that; now the process is killed.
        drop(ledger);
        let (ledger, inputs) = batch(root.path(), &[]);
        let again = resume(&ledger, inputs).unwrap();
        assert_eq!(again.done, Done { published: 1, empty: 1, held: 1 });
        let left: Vec<_> = again.inputs.iter().filter_map(|i| i.path.file_name()).collect();
        assert_eq!(left, ["c.png", "d.png"]);
        let tally: Vec<_> = ledger.tally().unwrap().into_iter().collect();
        let word = |w: &str, n| (w.to_owned(), n);
        assert_eq!(
            tally,
            [word("held", 1), word("published", 1), word("queued", 1), word("working", 1)]
        );
    }

    #[test]
    fn somebody_elses_file_of_the_same_name_is_not_ours() {
        let root = tempfile::tempdir().unwrap();
        let (ledger, inputs) = batch(root.path(), &["a.png"]);
        let first = resume(&ledger, inputs.clone()).unwrap();
        first.keeper.begin(0).unwrap();
        publish(&inputs[0], &first.keeper, 0, false, false);
        let output = inputs[0].target.folder.join("a.redacted.png");
        // The same length and time under the same name, but another file.
        let other = PendingOutput::create(&inputs[0].target.folder).unwrap();
        other.file().write_all(b"0utput").unwrap();
        std::fs::remove_file(&output).unwrap();
        other.publish("a.redacted.png".as_ref()).unwrap();
        assert_eq!(resume(&ledger, inputs.clone()).unwrap().inputs.len(), 1);
        // An output that was done and is gone is made again.
        let key = ledger.key(&inputs[0].path).unwrap();
        ledger.end(&key, &State::Published { empty: false }).unwrap();
        assert_eq!(resume(&ledger, inputs.clone()).unwrap().inputs.len(), 0);
        std::fs::remove_file(&output).unwrap();
        assert_eq!(resume(&ledger, inputs).unwrap().inputs.len(), 1);
    }
}
