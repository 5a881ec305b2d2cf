//! The host's handle on the zygote, the process that forks the workers.

use crate::error::SandboxError;
use crate::limits::{MAX_FILES, WorkerLimits, ZygoteConfig};
use crate::posture::{Level, Posture};
use crate::protocol::{Hello, HostControl, PROTOCOL_VERSION, wait_for};
use crate::untrusted::{Validate as _, printable};
use crate::wire::{self, Reply, SpawnRequest};
use crate::worker::Worker;
use rustix::event::PollFlags;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::pipe::PipeFlags;
use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long the zygote may take to end after its socket was closed.
const TEARDOWN: Duration = Duration::from_secs(5);

/// Freed bytes up to which the heap keeps them: more than any worker may have.
const KEPT: u64 = 1 << 40;

/// Bytes of text from the zygote that end up in an error.
const REASON: usize = 1000;

/// A running zygote. May be shared between threads. Dropping it ends it and
/// all its workers.
#[derive(Debug)]
pub struct Zygote {
    /// `None` once a request went unanswered and the two are out of step.
    socket: Mutex<Option<OwnedFd>>,
    child: Mutex<Child>,
    stderr: Arc<Mutex<Vec<u8>>>,
    keeper: Option<JoinHandle<()>>,
    config: ZygoteConfig,
}

impl Zygote {
    /// Starts `exe args`, which must call [`crate::zygote_main`], with an
    /// empty environment, and waits until it has prepared itself.
    ///
    /// # Errors
    /// [`SandboxError::Start`], [`SandboxError::ZygoteFailed`],
    /// [`SandboxError::ZygoteGone`], [`SandboxError::DeadlinePassed`] after
    /// [`ZygoteConfig::start_timeout`], [`SandboxError::Version`].
    pub fn start<S: AsRef<OsStr>>(
        exe: &Path,
        args: &[S],
        config: ZygoteConfig,
    ) -> Result<Self, SandboxError> {
        let deadline = Instant::now() + config.start_timeout;
        let (ours, theirs) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        let mut command = Command::new(exe);
        command.args(args).env_clear().current_dir("/");
        // Huge pages for large allocations: what `prepare` made is then a few
        // table entries instead of thousands that every fork has to copy
        // (64 MiB: 1.6 ms instead of 3.5 ms for a worker's round trip).
        // One heap for all threads and for everything, given back when a worker
        // says so (`release_free_memory`): what one thread, or one part of the
        // work, has freed is there for the next. Else every page is fetched and
        // cleared anew, which is dear in virtual machines (at 1080p 0.25 of 8.6
        // seconds of processor time).
        let tunables = format!(
            "glibc.malloc.hugetlb={}:glibc.malloc.arena_max=1:\
             glibc.malloc.mmap_threshold={KEPT}:glibc.malloc.trim_threshold={KEPT}",
            u8::from(config.huge_pages)
        );
        command.env("GLIBC_TUNABLES", tunables);
        // All symbols at once, which the libraries of a distribution are built
        // for anyway: see `libraries`.
        command.env("LD_BIND_NOW", "1");
        if let Some(value) = std::env::var_os("RUST_BACKTRACE").filter(|_| config.keep_backtrace) {
            command.env("RUST_BACKTRACE", value);
        }
        // The zygote moves the socket away from standard input first thing.
        command.stdin(Stdio::from(theirs)).stdout(Stdio::null()).stderr(Stdio::piped());

        let stderr = Arc::new(Mutex::new(Vec::new()));
        let (child, keeper) = keep(command, Arc::clone(&stderr), config.stderr_limit)?;
        let zygote = Self {
            socket: Mutex::new(Some(ours)),
            child: Mutex::new(child),
            stderr,
            keeper: Some(keeper),
            config,
        };
        let reply = {
            let socket = lock(&zygote.socket);
            let socket = socket.as_ref().ok_or(SandboxError::ZygoteGone)?;
            receive_reply(socket, deadline)?
        };
        match reply {
            (Reply::Ready { version: PROTOCOL_VERSION, .. }, _) => Ok(zygote),
            (Reply::Ready { version, .. }, _) => {
                Err(SandboxError::Version { ours: PROTOCOL_VERSION, theirs: version })
            }
            (Reply::Refused { reason }, _) => {
                Err(SandboxError::ZygoteFailed { reason: printable(&reason, REASON) })
            }
            _ => Err(SandboxError::ZygoteGone),
        }
    }

    /// Forks a worker, seals it and waits for it to say what holds. `files`
    /// become its descriptors 3 to 6; give the input read-only. `role` is
    /// handed to the worker as it is.
    ///
    /// A passed file shares its *position* with the host and with every other
    /// worker that gets it: rewind before use, here and there. What a worker
    /// wrote is final only after [`Worker::wait`] returned.
    ///
    /// # Errors
    /// [`SandboxError::TooManyFiles`], [`SandboxError::ZygoteGone`],
    /// [`SandboxError::Fork`], [`SandboxError::SelfTestFailed`],
    /// [`SandboxError::BelowPosture`], [`SandboxError::WorkerDied`],
    /// [`SandboxError::DeadlinePassed`], [`SandboxError::Version`],
    /// [`SandboxError::Io`].
    pub fn spawn_worker(
        &self,
        role: u8,
        files: &[BorrowedFd<'_>],
        limits: WorkerLimits,
    ) -> Result<Worker, SandboxError> {
        if files.len() > MAX_FILES {
            return Err(SandboxError::TooManyFiles { given: files.len() });
        }
        let started = Instant::now();
        let ends = started + limits.wall.min(Duration::from_secs(30 * 86_400));
        let (ours, theirs) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )?;
        let (status, tell) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
        let mut fds = vec![theirs.as_fd(), tell.as_fd()];
        fds.extend_from_slice(files);
        let request = SpawnRequest {
            role,
            limits,
            deny: self.config.deny,
            minimum: self.config.minimum.max(Level::C),
        };
        let deadline = started + self.config.start_timeout;
        let (reply, mut fds) = self.ask(&request, &fds, deadline)?;
        drop((theirs, tell));
        let (pid, pidfd) = match (reply, fds.pop()) {
            (Reply::Forked { pid }, Some(pidfd)) => (pid, pidfd),
            (Reply::NotForked { reason }, _) => {
                return Err(SandboxError::Fork { reason: printable(&reason, REASON) });
            }
            _ => return Err(SandboxError::ZygoteGone),
        };
        let mut worker = Worker {
            control: HostControl::new(ours, ends),
            pidfd,
            status,
            pid,
            posture: Posture::nothing(),
            wall: limits.wall,
            ends,
            finished: None,
        };
        // From here on dropping `worker` kills and reaps it.
        worker.posture = worker.recv::<Hello>(deadline)?.validate_with(check_hello)?.posture;
        worker.posture.ensure_at_least(request.minimum)?;
        Ok(worker)
    }

    /// One request and its reply. Holds the lock in between; a zygote that
    /// does not answer in time is given up for good.
    fn ask(
        &self,
        request: &SpawnRequest,
        fds: &[BorrowedFd<'_>],
        deadline: Instant,
    ) -> Result<(Reply, Vec<OwnedFd>), SandboxError> {
        let mut guard = lock(&self.socket);
        let socket = guard.as_ref().ok_or(SandboxError::ZygoteGone)?;
        let answer = match wire::send(socket, request, fds) {
            Ok(()) => receive_reply(socket, deadline),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                Err(SandboxError::ZygoteGone)
            }
            Err(error) => Err(error.into()),
        };
        if answer.is_err() {
            *guard = None;
        }
        answer
    }

    /// What the zygote and its workers wrote to standard error, the first
    /// [`ZygoteConfig::stderr_limit`] bytes, printable. Workers may have been
    /// taken over by their input: text for people, never for decisions.
    #[must_use]
    pub fn stderr(&self) -> String {
        let bytes = lock(&self.stderr);
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<_> =
            text.lines().map(|line| printable(line, self.config.stderr_limit)).collect();
        lines.join("\n")
    }

    /// The zygote's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        lock(&self.child).id()
    }
}

impl Drop for Zygote {
    fn drop(&mut self) {
        // End of file is the zygote's order to kill its workers and exit.
        *lock(&self.socket) = None;
        let mut child = lock(&self.child);
        let deadline = Instant::now() + TEARDOWN;
        while matches!(child.try_wait(), Ok(None)) {
            if Instant::now() >= deadline {
                // It hangs; its workers die with it. Both calls fail only if
                // it is gone after all.
                child.kill().ok();
                child.wait().ok();
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(child);
        // Its standard error is closed now, so the keeper has ended.
        if let Some(keeper) = self.keeper.take() {
            keeper.join().ok();
        }
    }
}

fn check_hello(hello: &Hello) -> Result<(), SandboxError> {
    if hello.version != PROTOCOL_VERSION {
        return Err(SandboxError::Version { ours: PROTOCOL_VERSION, theirs: hello.version });
    }
    if !hello.self_test.is_empty() {
        let acts = hello.self_test.iter().take(8).map(|act| printable(act, 100)).collect();
        return Err(SandboxError::SelfTestFailed { acts });
    }
    hello.posture.validate()
}

/// Spawns `command` on a thread that then reads its standard error to the
/// end. The thread matters: the death signal the child asks for follows the
/// *thread* that spawned it, and this one lives as long as the child does.
fn keep(
    command: Command,
    kept: Arc<Mutex<Vec<u8>>>,
    limit: usize,
) -> Result<(Child, JoinHandle<()>), SandboxError> {
    let (tell, told) = mpsc::channel();
    let keeper = std::thread::Builder::new()
        .name("zygote-keeper".to_owned())
        .spawn(move || {
            if let Some(stderr) = spawn(command, &tell) {
                drain(stderr, &kept, limit);
            }
        })
        .map_err(SandboxError::Start)?;
    let child = told.recv().map_err(|gone| SandboxError::Start(io::Error::other(gone)))?;
    Ok((child.map_err(SandboxError::Start)?, keeper))
}

fn spawn(mut command: Command, tell: &Sender<io::Result<Child>>) -> Option<ChildStderr> {
    let mut spawned = command.spawn();
    // Our copy of the socket: without this the zygote's death goes unnoticed.
    drop(command);
    let stderr = spawned.as_mut().ok().and_then(|child| child.stderr.take());
    // The receiver waits for exactly this.
    tell.send(spawned).ok()?;
    stderr
}

fn drain(mut stderr: ChildStderr, kept: &Mutex<Vec<u8>>, limit: usize) {
    let mut chunk = [0; 4096];
    loop {
        match stderr.read(&mut chunk) {
            Ok(0) => return,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
            Ok(length) => {
                let mut kept = lock(kept);
                let room = limit.saturating_sub(kept.len()).min(length);
                kept.extend_from_slice(chunk.get(..room).unwrap_or_default());
            }
        }
    }
}

fn receive_reply(
    socket: &OwnedFd,
    deadline: Instant,
) -> Result<(Reply, Vec<OwnedFd>), SandboxError> {
    wait_for(socket.as_fd(), PollFlags::IN, deadline)?;
    wire::receive(socket)?.ok_or(SandboxError::ZygoteGone)
}

/// No state here can be left half-changed by a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
