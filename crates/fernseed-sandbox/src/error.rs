//! What can go wrong between the host and its workers.

use crate::limits::MAX_FILES;
use crate::posture::{Level, Posture};
use crate::worker::WorkerStatus;
use std::io;
use std::time::Duration;

/// Every failure the host can meet. Text that came from a worker has been
/// through [`crate::printable`] before it gets in here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// The zygote process could not be started at all.
    #[error("could not start the worker server: {0}")]
    Start(#[source] io::Error),
    /// The zygote started and then refused to serve.
    #[error("the worker server refused to serve: {reason}")]
    ZygoteFailed {
        /// Why, in its own words, made printable.
        reason: String,
    },
    /// The zygote ended or no longer answers.
    #[error("the worker server is gone")]
    ZygoteGone,
    /// More files than a worker can be given.
    #[error("a worker takes at most {MAX_FILES} files, not {given}")]
    TooManyFiles {
        /// How many were passed.
        given: usize,
    },
    /// The zygote could not fork.
    #[error("could not fork a worker: {reason}")]
    Fork {
        /// Why, made printable.
        reason: String,
    },
    /// The worker's sandbox holds less than was asked for; it read nothing.
    #[error("the sandbox only reaches level {}, level {required} is required", found.level())]
    BelowPosture {
        /// The level asked for.
        required: Level,
        /// What the worker reported.
        found: Box<Posture>,
    },
    /// A sealed worker could still do a forbidden thing; it read nothing.
    #[error("the sandbox does not hold, these acts succeeded inside: {}", acts.join(", "))]
    SelfTestFailed {
        /// Names of the acts that succeeded.
        acts: Vec<String>,
    },
    /// The worker speaks another version of the protocol.
    #[error("the worker speaks protocol {theirs}, the host {ours}")]
    Version {
        /// [`crate::PROTOCOL_VERSION`] of the host.
        ours: u32,
        /// What the worker said.
        theirs: u32,
    },
    /// The worker ended before it answered.
    #[error("the worker ended before it answered ({})", describe(*status))]
    WorkerDied {
        /// How it ended, if the zygote could still tell.
        status: Option<WorkerStatus>,
    },
    /// The deadline of this one call passed; the worker still runs.
    #[error("the worker did not answer in time")]
    DeadlinePassed,
    /// The worker's whole time is up; it has been killed.
    #[error("the worker used up its {} ms and was killed", limit.as_millis())]
    WallClock {
        /// [`crate::WorkerLimits::wall`].
        limit: Duration,
    },
    /// A message is announced longer than the receiver takes.
    #[error("a message of {length} bytes is over the bound of {max}")]
    MessageTooLarge {
        /// Announced or actual body length in bytes.
        length: u64,
        /// The bound in bytes.
        max: usize,
    },
    /// A message is not what was expected.
    #[error("a message cannot be understood: {reason}")]
    Malformed {
        /// What the parser said, made printable.
        reason: String,
    },
    /// The peer closed the control socket between messages.
    #[error("the peer closed the control socket")]
    Closed,
    /// The peer closed the control socket inside a message.
    #[error("the peer closed the control socket inside a message")]
    Truncated,
    /// A message could not be turned into JSON.
    #[error("a message could not be encoded: {0}")]
    Encode(#[source] serde_json::Error),
    /// The operating system refused something.
    #[error("system call failed: {0}")]
    Io(#[from] io::Error),
}

impl From<rustix::io::Errno> for SandboxError {
    fn from(errno: rustix::io::Errno) -> Self {
        Self::Io(errno.into())
    }
}

fn describe(status: Option<WorkerStatus>) -> String {
    status.map_or_else(|| "status unknown".to_owned(), |status| status.to_string())
}
