//! The worker's way to the host, shared by its threads.

use crate::protocol::{Event, Failure, FailureKind, Phase, split};
use fernseed_core::finding::Finding;
use fernseed_core::plan::{Plan, Redaction};
use fernseed_sandbox::{Control, SandboxError};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Progress is not sent more often than this.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// Sends events to the host.
pub(super) struct Outbox {
    control: Mutex<Control>,
    last_progress: Mutex<Option<Instant>>,
}

impl Outbox {
    pub(super) fn new(control: Control) -> Self {
        Self { control: Mutex::new(control), last_progress: Mutex::new(None) }
    }

    pub(super) fn send(&self, event: Event) -> Result<(), SandboxError> {
        match self.control.lock() {
            Ok(mut control) => control.send(&event),
            Err(_poisoned) => Err(SandboxError::Closed),
        }
    }

    /// Sends an event that matters; without a host there is nothing to do.
    pub(super) fn tell(&self, event: Event) -> Result<(), Failure> {
        self.send(event).map_err(gone)
    }

    /// Tells a plan, in parts.
    pub(super) fn plan(&self, plan: &Plan) -> Result<(), Failure> {
        self.tell(Event::Plan(Box::new(plan.without_redactions())))?;
        self.hidden(&plan.redactions)
    }

    /// Tells what more is hidden by the plan that was told, in parts.
    pub(super) fn hidden(&self, redactions: &[Redaction]) -> Result<(), Failure> {
        split(redactions).try_for_each(|part| self.tell(Event::Hidden(part)))
    }

    /// Tells whom the audit still sees, in parts.
    pub(super) fn missed(&self, missed: &[Redaction]) -> Result<(), Failure> {
        split(missed).try_for_each(|part| self.tell(Event::Missed(part)))
    }

    pub(super) fn findings(&self, findings: Vec<Finding>) -> Result<(), Failure> {
        // Messages are bounded; a list longer than that is told in parts.
        for part in findings.chunks(1000) {
            self.tell(Event::Findings(part.to_vec()))?;
        }
        Ok(())
    }

    /// Says how far a phase is, now and then.
    pub(super) fn progress(
        &self,
        phase: Phase,
        done: u64,
        total: Option<u64>,
    ) -> Result<(), Failure> {
        if let Ok(mut last) = self.last_progress.lock() {
            let now = Instant::now();
            if last.is_some_and(|l| now - l < PROGRESS_EVERY) && Some(done) != total {
                return Ok(());
            }
            *last = Some(now);
        }
        self.tell(Event::Progress { phase, done, total })
    }

    /// Counts a step of unknown many, as a sign of life. Whether the host
    /// still listens, the next thing that matters will show.
    pub(super) fn tick(&self, phase: Phase, steps: &AtomicU64) {
        let done = steps.fetch_add(1, Ordering::Relaxed) + 1;
        drop(self.progress(phase, done, None));
    }
}

/// The failure of a worker whose host does not listen.
pub(super) fn gone(error: SandboxError) -> Failure {
    Failure::new(FailureKind::Internal, format!("the host does not answer: {error}"))
}
