//! The host's handle on one worker.

use crate::error::SandboxError;
use crate::posture::Posture;
use crate::protocol::{HostControl, MAX_MESSAGE, wait_for};
use crate::untrusted::Untrusted;
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::process::Signal;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::ControlFlow;
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::{Duration, Instant};

/// How long the kernel and the zygote may take to tear a worker down.
const TEARDOWN: Duration = Duration::from_secs(5);

/// How a worker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WorkerStatus {
    /// It returned, with this exit code.
    Exited {
        /// 0 to 255.
        code: i32,
    },
    /// A signal killed it.
    Signaled {
        /// The signal's number.
        signal: i32,
    },
    /// The zygote killed it because its wall clock ran out.
    WallClock,
}

impl WorkerStatus {
    /// It returned 0.
    #[must_use]
    pub fn success(self) -> bool {
        self == Self::Exited { code: 0 }
    }

    /// It made a forbidden system call in [`crate::DenyMode::Kill`].
    #[must_use]
    pub fn broke_policy(self) -> bool {
        self == Self::Signaled { signal: libc::SIGSYS }
    }
}

impl fmt::Display for WorkerStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited { code } => write!(f, "exit code {code}"),
            Self::Signaled { signal } => write!(f, "signal {signal}"),
            Self::WallClock => f.write_str("out of time"),
        }
    }
}

/// A sealed worker. Dropping it kills and reaps the process.
#[derive(Debug)]
pub struct Worker {
    pub(crate) control: HostControl,
    pub(crate) pidfd: OwnedFd,
    /// Read end of the pipe on which the zygote tells how the worker ended.
    pub(crate) status: OwnedFd,
    pub(crate) pid: i32,
    pub(crate) posture: Posture,
    pub(crate) wall: Duration,
    pub(crate) ends: Instant,
    pub(crate) finished: Option<WorkerStatus>,
}

impl Worker {
    /// What the worker reported to hold around it.
    #[must_use]
    pub fn posture(&self) -> &Posture {
        &self.posture
    }

    /// The worker's process id, for messages; the host acts on a pidfd.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The control socket, mainly to send.
    pub fn control(&mut self) -> &mut HostControl {
        &mut self.control
    }

    /// Sends one message.
    ///
    /// # Errors
    /// [`SandboxError::WorkerDied`], [`SandboxError::WallClock`], otherwise as
    /// [`HostControl::send`].
    pub fn send<T: Serialize + ?Sized>(&mut self, message: &T) -> Result<(), SandboxError> {
        match self.control.send(message) {
            Err(SandboxError::DeadlinePassed) => {
                self.stop();
                Err(SandboxError::WallClock { limit: self.wall })
            }
            Err(SandboxError::Closed) => Err(self.died()),
            other => other,
        }
    }

    /// Receives one ordinary message (at most [`MAX_MESSAGE`] bytes).
    ///
    /// # Errors
    /// As [`Worker::recv_up_to`].
    pub fn recv<T: DeserializeOwned>(
        &mut self,
        deadline: Instant,
    ) -> Result<Untrusted<T>, SandboxError> {
        self.recv_up_to(deadline, MAX_MESSAGE)
    }

    /// Receives one message of at most `max` bytes.
    ///
    /// # Errors
    /// [`SandboxError::DeadlinePassed`]: the worker lives, ask again.
    /// [`SandboxError::WallClock`], [`SandboxError::WorkerDied`],
    /// [`SandboxError::Truncated`]: it is dead.
    /// [`SandboxError::MessageTooLarge`], [`SandboxError::Malformed`]: it
    /// lives and cannot be trusted to make sense; drop it.
    pub fn recv_up_to<T: DeserializeOwned>(
        &mut self,
        deadline: Instant,
        max: usize,
    ) -> Result<Untrusted<T>, SandboxError> {
        match self.control.recv(deadline, max) {
            Err(SandboxError::DeadlinePassed) if Instant::now() >= self.ends => {
                self.stop();
                Err(SandboxError::WallClock { limit: self.wall })
            }
            Err(SandboxError::Closed) => Err(self.died()),
            Err(SandboxError::Truncated) => match self.died() {
                SandboxError::WorkerDied { .. } => Err(SandboxError::Truncated),
                other => Err(other),
            },
            other => other,
        }
    }

    /// Receives ordinary messages until `handle` breaks with a result.
    /// `deadline` is for all of them together.
    ///
    /// # Errors
    /// As [`Worker::recv`], or what `handle` breaks with.
    pub fn receive_until<T: DeserializeOwned, R>(
        &mut self,
        deadline: Instant,
        mut handle: impl FnMut(Untrusted<T>) -> ControlFlow<R>,
    ) -> Result<R, SandboxError> {
        loop {
            if let ControlFlow::Break(result) = handle(self.recv(deadline)?) {
                return Ok(result);
            }
        }
    }

    /// Kills the worker. [`Worker::wait`] then tells how it ended.
    pub fn kill(&mut self) {
        // Fails only if the process is gone already.
        rustix::process::pidfd_send_signal(&self.pidfd, Signal::KILL).ok();
    }

    /// Waits for the worker to end by itself, at most until its wall clock.
    ///
    /// # Errors
    /// As [`Worker::wait_until`].
    pub fn wait(&mut self) -> Result<WorkerStatus, SandboxError> {
        self.wait_until(self.ends)
    }

    /// Waits for the worker to end by itself, at most until `deadline` or its
    /// wall clock; then it is killed.
    ///
    /// # Errors
    /// [`SandboxError::WallClock`] if it had to be killed,
    /// [`SandboxError::ZygoteGone`] if nobody can tell any more (the worker
    /// is dead then).
    pub fn wait_until(&mut self, deadline: Instant) -> Result<WorkerStatus, SandboxError> {
        let status = match self.status_until(deadline.min(self.ends)) {
            Err(SandboxError::DeadlinePassed) => {
                // Between its end and our wake-up it may still have returned.
                let status = self.stop();
                match status {
                    Some(done @ WorkerStatus::Exited { .. }) => done,
                    _ => WorkerStatus::WallClock,
                }
            }
            other => other?,
        };
        match status {
            WorkerStatus::WallClock => Err(SandboxError::WallClock { limit: self.wall }),
            status => Ok(status),
        }
    }

    /// The socket closed: the reason, once the process is certainly dead.
    fn died(&mut self) -> SandboxError {
        let soon = (Instant::now() + TEARDOWN).min(self.ends);
        let status = self.status_until(soon).ok().or_else(|| {
            let out_of_time = Instant::now() >= self.ends;
            match self.stop() {
                // By us, before the zygote's clock.
                Some(WorkerStatus::Signaled { signal })
                    if out_of_time && signal == Signal::KILL.as_raw() =>
                {
                    Some(WorkerStatus::WallClock)
                }
                status => status,
            }
        });
        match status {
            Some(WorkerStatus::WallClock) => SandboxError::WallClock { limit: self.wall },
            status => SandboxError::WorkerDied { status },
        }
    }

    /// Kills and waits for the zygote to have reaped the process.
    fn stop(&mut self) -> Option<WorkerStatus> {
        if self.finished.is_none() {
            self.kill();
        }
        self.status_until(Instant::now() + TEARDOWN).ok()
    }

    fn status_until(&mut self, deadline: Instant) -> Result<WorkerStatus, SandboxError> {
        if let Some(status) = self.finished {
            return Ok(status);
        }
        // Written in one piece and far shorter than a pipe's atomic size.
        let mut bytes = [0; 128];
        let length = loop {
            wait_for(self.status.as_fd(), PollFlags::IN, deadline)?;
            match rustix::io::read(&self.status, &mut bytes) {
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
                Ok(0) => return Err(SandboxError::ZygoteGone),
                Ok(length) => break length,
            }
        };
        let status = serde_json::from_slice(bytes.get(..length).unwrap_or_default())
            .map_err(|error| SandboxError::Malformed { reason: error.to_string() })?;
        self.finished = Some(status);
        Ok(status)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop();
    }
}
