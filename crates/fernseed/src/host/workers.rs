//! Running one task in one sealed worker and collecting what it says.

use super::interrupt::Interrupt;
use super::ledger::LedgerError;
use super::publish::Made;
use super::pulse::{Lost, Patience, Pulse};
use crate::protocol::{
    Contents, Event, Failure, FailureKind, MAX_PARTS, OutputFormat, Phase, Role, SourceFacts, Task,
    join, send_task,
};
use fernseed_core::finding::Finding;
use fernseed_core::plan::{MediaKind, Plan, Redaction};
use fernseed_sandbox::attack::AttackResult;
use fernseed_sandbox::{
    Level, MAX_PLAN_MESSAGE, Posture, SandboxError, WorkerLimits, Zygote, ZygoteConfig, printable,
};
use fernseed_scrub::{Inventory, LinkFacts, Stripped};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Most findings, and most messages that are not progress, of one worker.
/// Together they bound what a worker can make the host remember.
const MAX_FINDINGS: usize = 10_000;
const MAX_EVENTS: usize = 1_000;
/// How often a waiting host looks at the interrupt flag.
const POLL: Duration = Duration::from_millis(200);
/// Longest message of a worker shown to people, in bytes.
const MAX_TEXT: usize = 400;

/// Starts workers.
#[derive(Debug)]
pub struct Workers {
    zygote: Zygote,
    /// Started by the first role that decodes, where `zygote` only reads.
    decoding: Option<Decoding>,
    interrupt: Interrupt,
    patience: Patience,
}

/// How to start a fork server for roles that decode, and the one started.
#[derive(Debug)]
struct Decoding {
    program: PathBuf,
    config: ZygoteConfig,
    started: Mutex<Option<Arc<Zygote>>>,
}

impl Decoding {
    fn zygote(&self) -> Result<Arc<Zygote>, SandboxError> {
        // A panic cannot leave this half done.
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(zygote) = &*started {
            return Ok(Arc::clone(zygote));
        }
        let zygote = Arc::new(Zygote::start(&self.program, &["zygote"], self.config)?);
        Ok(Arc::clone(started.insert(zygote)))
    }
}

/// Everything a worker said until it was done.
#[derive(Debug, Default)]
pub struct Said {
    /// What the source is.
    pub source: Option<SourceFacts>,
    /// What the source gives away.
    pub inventory: Option<Inventory>,
    /// What was noticed.
    pub findings: Vec<Finding>,
    /// What is destroyed.
    pub plan: Option<Plan>,
    /// Whom the audit still sees.
    pub missed: Vec<Redaction>,
    /// What the bytes of an audited file belong to.
    pub contents: Option<Contents>,
    /// What a stripped file is.
    pub stripped: Option<Stripped>,
    /// What ties a file to others.
    pub facts: Option<LinkFacts>,
    /// What an auditor looked at, in plain words.
    pub checked: Vec<String>,
    /// Forbidden acts and what came of them.
    pub attack: Vec<AttackResult>,
    /// Which sandbox layers held.
    pub posture: Option<Posture>,
}

/// Why a task was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// The worker said so.
    #[error("{}", .0.message)]
    Failed(Failure),
    /// The worker crashed, broke the protocol or was stuck.
    #[error(
        "the program that reads the file {0}; the file may be damaged or made to attack programs"
    )]
    Misbehaved(String),
    /// The sandbox does not hold.
    #[error(transparent)]
    Sandbox(SandboxError),
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// The caller asked to stop, and knows why.
    #[error("stopped")]
    Stopped,
}

impl WorkerError {
    /// The kind of failure for the report.
    #[must_use]
    pub const fn kind(&self) -> FailureKind {
        match self {
            Self::Failed(failure) => failure.kind,
            Self::Misbehaved(_) => FailureKind::Damaged,
            _ => FailureKind::Internal,
        }
    }
}

/// Whether to go on after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Continue,
    /// Kill the worker; [`WorkerError::Stopped`] follows.
    Stop,
}

/// A finished output that has no name yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its format, which decides its extension.
    pub format: OutputFormat,
    /// What it will be known by.
    pub made: Made,
    /// Nobody was found in it.
    pub empty: bool,
}

/// What a caller hears while a task runs.
pub trait Listener {
    /// A phase has come this far.
    fn progress(&mut self, phase: Phase, done: u64, total: Option<u64>);

    /// The source is known, the work has not begun.
    fn source(&mut self, _facts: &SourceFacts) -> Flow {
        Flow::Continue
    }

    /// The output is finished, audited and on the disk, and gets its name
    /// next.
    ///
    /// # Errors
    /// If that could not be written down; it gets no name then.
    fn publishing(&mut self, _output: &Outgoing) -> Result<(), LedgerError> {
        Ok(())
    }
}

/// Hears nothing.
#[derive(Debug)]
pub struct Silent;

impl Listener for Silent {
    fn progress(&mut self, _: Phase, _: u64, _: Option<u64>) {}
}

impl Workers {
    /// Starts the fork server: this same program under its hidden command.
    /// Workers below `least` are refused, those that decode below
    /// [`Level::B`] in any case.
    ///
    /// # Errors
    /// [`SandboxError`] if it cannot be started.
    pub fn start(interrupt: Interrupt, least: Level) -> Result<Self, SandboxError> {
        Self::start_program(&std::env::current_exe()?, interrupt, least)
    }

    /// The same for videos: slower to fork, and their memory does not grow with
    /// the length of the video.
    ///
    /// # Errors
    /// [`SandboxError`] if it cannot be started.
    pub fn start_for_videos(interrupt: Interrupt, least: Level) -> Result<Self, SandboxError> {
        let config = ZygoteConfig { minimum: least, huge_pages: false, ..ZygoteConfig::default() };
        Self::start_with(&std::env::current_exe()?, interrupt, config)
    }

    /// The same with another program, which has to know the hidden command.
    ///
    /// # Errors
    /// [`SandboxError`] if it cannot be started.
    pub fn start_program(
        program: &Path,
        interrupt: Interrupt,
        least: Level,
    ) -> Result<Self, SandboxError> {
        let config = ZygoteConfig { minimum: least, ..ZygoteConfig::default() };
        Self::start_with(program, interrupt, config)
    }

    fn start_with(
        program: &Path,
        interrupt: Interrupt,
        config: ZygoteConfig,
    ) -> Result<Self, SandboxError> {
        let zygote = Zygote::start(program, &["zygote"], config)?;
        Ok(Self { zygote, decoding: None, interrupt, patience: Patience::default() })
    }

    /// Starts a fork server for roles that only read ([`Role::decodes`]): it
    /// loads no weights, and its workers are forked in a third of the time,
    /// without the codecs. One for the other roles is started when the first
    /// of them is needed.
    ///
    /// # Errors
    /// [`SandboxError`] if it cannot be started.
    pub fn start_reading(interrupt: Interrupt, least: Level) -> Result<Self, SandboxError> {
        let program = std::env::current_exe()?;
        let config = ZygoteConfig { minimum: least, ..ZygoteConfig::default() };
        let zygote = Zygote::start(&program, &["zygote", "reading"], config)?;
        let decoding = Some(Decoding { program, config, started: Mutex::new(None) });
        Ok(Self { zygote, decoding, interrupt, patience: Patience::default() })
    }

    /// The same with workers that may take so long.
    #[must_use]
    pub fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// Process id of the fork server, under which all workers are.
    #[must_use]
    pub fn zygote_pid(&self) -> u32 {
        self.zygote.pid()
    }

    /// True once the user asked to stop.
    #[must_use]
    pub fn interrupted(&self) -> bool {
        self.interrupt.is_set()
    }

    /// Runs one task to its end.
    ///
    /// # Errors
    /// [`WorkerError`]; the worker is dead in any case.
    pub fn run(
        &self,
        role: Role,
        files: &[BorrowedFd<'_>],
        task: Task,
        limits: WorkerLimits,
        listener: &mut dyn Listener,
    ) -> Result<Said, WorkerError> {
        let spawned = match &self.decoding {
            Some(decoding) if role.decodes() => {
                let zygote = decoding.zygote().map_err(WorkerError::Sandbox)?;
                zygote.spawn_worker(role as u8, files, limits)
            }
            _ => self.zygote.spawn_worker(role as u8, files, limits),
        };
        let mut worker = spawned.map_err(misbehaved)?;
        let posture = worker.posture().clone();
        if role.decodes() {
            // Before the task: the worker has not opened its files yet.
            posture.ensure_at_least(Level::B).map_err(WorkerError::Sandbox)?;
        }
        let mut said = Said { posture: Some(posture), ..Said::default() };
        let may_be_a_picture = may_be_a_picture(role, &task);
        send_task(worker.control(), task).map_err(misbehaved)?;
        let mut pulse = Pulse::new(self.patience, may_be_a_picture, Instant::now());
        let (mut events, mut parts) = (0, 0);
        loop {
            if self.interrupt.is_set() {
                return Err(WorkerError::Interrupted);
            }
            if let Some(lost) = pulse.lost(Instant::now()) {
                return Err(WorkerError::Misbehaved(
                    match lost {
                        Lost::Silent => "has not got any further for minutes",
                        Lost::Endless => "does not come to an end",
                    }
                    .to_owned(),
                ));
            }
            let event = match worker.recv_up_to::<Event>(Instant::now() + POLL, MAX_PLAN_MESSAGE) {
                Ok(event) => event.validate().map_err(|e| nonsense(&e))?,
                Err(SandboxError::DeadlinePassed) => continue,
                Err(error) => return Err(misbehaved(error)),
            };
            if let Event::Progress { phase, done, total } = event {
                pulse.progress(phase, done, Instant::now());
                listener.progress(phase, done, total);
                continue;
            }
            pulse.message(Instant::now());
            let is_part = matches!(event, Event::Hidden(_) | Event::Missed(_));
            *(if is_part { &mut parts } else { &mut events }) += 1;
            if events > MAX_EVENTS || parts > MAX_PARTS {
                return Err(WorkerError::Misbehaved("does not stop talking".to_owned()));
            }
            match event {
                Event::Progress { .. } => {}
                Event::Source(mut facts) => {
                    facts.format = printable(&facts.format, MAX_TEXT);
                    if facts.kind != MediaKind::Still {
                        pulse.is_moving();
                    }
                    let flow = listener.source(&facts);
                    said.source = Some(facts);
                    if flow == Flow::Stop {
                        return Err(WorkerError::Stopped);
                    }
                }
                Event::Inventory(inventory) => said.inventory = Some(clean_inventory(inventory)),
                Event::Findings(list) => {
                    said.findings.extend(list.into_iter().map(clean_finding));
                    if said.findings.len() > MAX_FINDINGS {
                        let why = format!("reported {} findings", said.findings.len());
                        return Err(WorkerError::Misbehaved(why));
                    }
                }
                Event::Plan(plan) => said.plan = Some(*plan),
                Event::Hidden(part) => {
                    let plan = said.plan.as_mut().ok_or_else(|| nonsense("parts of no plan"))?;
                    join(&mut plan.redactions, part).map_err(|e| nonsense(&e))?;
                }
                Event::Missed(part) => {
                    join(&mut said.missed, part).map_err(|e| nonsense(&e))?;
                }
                Event::Account(mut contents) => {
                    for structure in &mut contents.structures {
                        structure.path = printable(&structure.path, MAX_TEXT);
                    }
                    said.contents = Some(contents);
                }
                Event::Stripped(mut stripped) => {
                    stripped.container = printable(&stripped.container, MAX_TEXT);
                    for note in &mut stripped.notes {
                        *note = printable(note, MAX_TEXT);
                    }
                    said.stripped = Some(stripped);
                }
                Event::Facts(mut facts) => {
                    facts.container = printable(&facts.container, MAX_TEXT);
                    for one in &mut facts.traits {
                        one.value = printable(&one.value, MAX_TEXT);
                    }
                    said.facts = Some(facts);
                }
                Event::Checked(list) => {
                    said.checked.extend(list.iter().map(|l| printable(l, MAX_TEXT)));
                }
                Event::Attack(list) => said.attack = list,
                Event::Done => {
                    // Its parts may not fit each other.
                    if let Some(plan) = &said.plan {
                        plan.check().map_err(|e| nonsense(&e.to_string()))?;
                    }
                    // What it wrote is final only once it is dead, and who
                    // dies badly was not done.
                    let end = worker.wait_until(Instant::now() + self.patience.leaving);
                    return match end.map_err(misbehaved)? {
                        status if status.success() => Ok(said),
                        status => Err(WorkerError::Misbehaved(format!("ended badly ({status})"))),
                    };
                }
                Event::Failed(failure) => {
                    let message = printable(&failure.message, MAX_TEXT);
                    return Err(WorkerError::Failed(Failure { message, ..failure }));
                }
            }
        }
    }
}

fn nonsense(what: &str) -> WorkerError {
    WorkerError::Misbehaved(format!("sent nonsense ({})", printable(what, 100)))
}

/// True if, before the worker has said what its input is, it may be a single
/// picture.
fn may_be_a_picture(role: Role, task: &Task) -> bool {
    match task {
        Task::Audit { plan: Some(plan), .. } | Task::Apply { plan, .. } => {
            plan.source.kind == MediaKind::Still
        }
        // An audit without a plan does not say what it looks at.
        Task::Audit { plan: None, .. } => false,
        _ => role.decodes(),
    }
}

fn misbehaved(error: SandboxError) -> WorkerError {
    match error {
        SandboxError::WorkerDied { status: Some(status) } => {
            WorkerError::Misbehaved(format!("stopped early ({status})"))
        }
        SandboxError::MessageTooLarge { .. }
        | SandboxError::Malformed { .. }
        | SandboxError::WallClock { .. }
        | SandboxError::Truncated
        | SandboxError::Closed => WorkerError::Misbehaved(format!("misbehaved: {error}")),
        SandboxError::DeadlinePassed => {
            WorkerError::Misbehaved("has not answered for minutes".to_owned())
        }
        other => WorkerError::Sandbox(other),
    }
}

fn clean_finding(mut finding: Finding) -> Finding {
    finding.message = printable(&finding.message, MAX_TEXT);
    finding.place.structure = finding.place.structure.map(|s| printable(&s, MAX_TEXT));
    finding
}

fn clean_inventory(mut inventory: Inventory) -> Inventory {
    inventory.container = printable(&inventory.container, MAX_TEXT);
    for item in &mut inventory.items {
        item.what = printable(&item.what, MAX_TEXT);
        item.value = printable(&item.value, MAX_TEXT);
        item.path = printable(&item.path, MAX_TEXT);
    }
    for note in &mut inventory.notes {
        *note = printable(note, MAX_TEXT);
    }
    inventory
}
