//! The zygote's side: prepare once, then fork a sealed worker per request.

use crate::limits::{CONTROL_FD, FIRST_FILE_FD, MAX_FILES};
use crate::posture::{Level, Posture};
use crate::protocol::{Control, Hello, PROTOCOL_VERSION, timespec};
use crate::seal::{self, Namespaces, Sealed};
use crate::sys::{self, Forked};
use crate::wire::{self, Reply, SpawnRequest};
use crate::worker::WorkerStatus;
use rustix::event::{PollFd, PollFlags};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Pid, PidfdFlags, Resource, Rlimit, Signal, WaitOptions};
use rustix::thread::UnshareFlags;
use std::fs::File;
use std::io;
use std::io::Write as _;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// Exit code of a worker whose closure panicked.
pub const EXIT_PANIC: i32 = 101;
/// Exit code of a worker in which a forbidden act succeeded.
pub const EXIT_SELF_TEST: i32 = 121;
/// Exit code of a worker whose sandbox is weaker than required.
pub const EXIT_POSTURE: i32 = 122;
/// Exit code of a worker that could not be set up.
pub const EXIT_SETUP: i32 = 123;

/// What a worker is given, after sealing.
#[derive(Debug)]
pub struct WorkerContext {
    /// The role the host asked for.
    pub role: u8,
    /// The files the host passed, at descriptors 3 to 6.
    ///
    /// `File::metadata` does not work in here (libc asks by way of a call
    /// that also takes paths); the length is `seek(SeekFrom::End(0))`.
    pub files: Vec<File>,
    /// The way to the host.
    pub control: Control,
    /// What holds around this worker.
    pub posture: Posture,
}

/// Runs a zygote and never returns. Expects its socket to the host as standard
/// input, which it replaces with `/dev/null`; closes all other descriptors but
/// standard output and error.
///
/// `prepare` runs once, before any worker exists; what it returns is shared
/// with all workers, copy-on-write. It must leave no thread behind, or the
/// zygote refuses to serve. `run` runs in each worker, after sealing; what it
/// returns is the worker's exit code (0 to 255).
pub fn zygote_main<S>(
    prepare: impl FnOnce() -> Result<S, String>,
    run: impl Fn(&S, WorkerContext) -> i32,
) -> ! {
    match serve(prepare, run) {
        Ok(()) => sys::exit_now(0),
        Err(_) => sys::exit_now(EXIT_SETUP),
    }
}

fn serve<S>(
    prepare: impl FnOnce() -> Result<S, String>,
    run: impl Fn(&S, WorkerContext) -> i32,
) -> io::Result<()> {
    sys::close_from(FIRST_FILE_FD)?;
    let socket = std::io::stdin().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    let mut notes = Vec::new();
    let namespaces = harden(&mut notes)?;
    let state = match prepare() {
        Ok(state) => state,
        Err(reason) => {
            let reason = reason.chars().take(1000).collect();
            return wire::send(&socket, &Reply::Refused { reason }, &[]);
        }
    };
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        let reason = "the preparation left a thread behind".to_owned();
        return wire::send(&socket, &Reply::Refused { reason }, &[]);
    }
    // Else every worker would begin with what the preparation no longer needs.
    sys::release_free_memory();
    wire::send(&socket, &Reply::Ready { version: PROTOCOL_VERSION, namespaces }, &[])?;
    Server { socket, namespaces, notes, children: Vec::new() }.run(&state, &run)
}

/// Makes the zygote itself hard to look into, and leaves the network.
fn harden(notes: &mut Vec<String>) -> io::Result<Namespaces> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    rustix::process::setrlimit(Resource::Core, none)?;
    rustix::process::chdir("/")?;
    let namespaces = leave_namespaces(notes);
    // After the namespaces: a change of credentials clears both.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(namespaces)
}

fn leave_namespaces(notes: &mut Vec<String>) -> Namespaces {
    let before = namespace_ids();
    let others = UnshareFlags::NEWNET | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS;
    for flags in [UnshareFlags::NEWUSER | others, others] {
        match sys::unshare(flags) {
            Ok(()) => break,
            Err(error) => notes.push(format!("unshare {flags:?}: {error}")),
        }
    }
    let after = namespace_ids();
    let changed = |index: usize| match (before.get(index), after.get(index)) {
        (Some(Some(before)), Some(Some(after))) => before != after,
        _ => false,
    };
    Namespaces { network: changed(0) && only_loopback(), user: changed(1) }
}

/// Inode numbers of the network and user namespace.
fn namespace_ids() -> [Option<u64>; 2] {
    ["/proc/self/ns/net", "/proc/self/ns/user"]
        .map(|path| rustix::fs::stat(path).ok().map(|stat| stat.st_ino))
}

/// True if the only network interface is the loopback and it has carried
/// nothing, as it is down.
fn only_loopback() -> bool {
    let Ok(table) = std::fs::read_to_string("/proc/self/net/dev") else { return false };
    let mut interfaces = table.lines().skip(2).filter_map(|line| line.split_once(':'));
    let idle = |counters: &str| counters.split_ascii_whitespace().all(|count| count == "0");
    interfaces.all(|(name, counters)| name.trim() == "lo" && idle(counters))
}

struct Child {
    pid: Pid,
    pidfd: OwnedFd,
    status: OwnedFd,
    ends: Instant,
    expired: bool,
}

struct Server {
    socket: OwnedFd,
    namespaces: Namespaces,
    notes: Vec<String>,
    children: Vec<Child>,
}

impl Server {
    fn run<S>(mut self, state: &S, run: &impl Fn(&S, WorkerContext) -> i32) -> io::Result<()> {
        loop {
            let (request, dead) = self.wait()?;
            for index in dead.into_iter().rev() {
                self.reap(index)?;
            }
            self.kill_expired();
            if !request {
                continue;
            }
            match wire::receive::<SpawnRequest>(&self.socket)? {
                Some((request, fds)) => self.spawn(request, fds, state, run)?,
                None => return self.end(),
            }
        }
    }

    /// Waits for a request, a death or the next wall clock; says whether
    /// there is a request and which children died, in rising order.
    fn wait(&self) -> io::Result<(bool, Vec<usize>)> {
        let mut fds: Vec<_> = std::iter::once(&self.socket)
            .chain(self.children.iter().map(|child| &child.pidfd))
            .map(|fd| PollFd::new(fd, PollFlags::IN))
            .collect();
        let pending = self.children.iter().filter(|child| !child.expired);
        let timeout = pending
            .map(|child| child.ends)
            .min()
            .map(|ends| timespec(ends.saturating_duration_since(Instant::now())));
        match rustix::event::poll(&mut fds, timeout.as_ref()) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok((false, Vec::new())),
            Err(error) => return Err(error.into()),
        }
        let ready: Vec<_> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        let dead = ready.iter().skip(1).enumerate().filter(|(_, ready)| **ready);
        Ok((ready.first() == Some(&true), dead.map(|(index, _)| index).collect()))
    }

    /// Collects a dead child and tells its host how it ended.
    fn reap(&mut self, index: usize) -> io::Result<()> {
        let Some(child) = self.children.get(index) else { return Ok(()) };
        let Some((_, status)) = rustix::process::waitpid(Some(child.pid), WaitOptions::NOHANG)?
        else {
            return Ok(());
        };
        let child = self.children.swap_remove(index);
        let status = match (status.exit_status(), status.terminating_signal()) {
            (_, Some(_)) if child.expired => WorkerStatus::WallClock,
            (Some(code), _) => WorkerStatus::Exited { code },
            (None, Some(signal)) => WorkerStatus::Signaled { signal },
            (None, None) => return Ok(()),
        };
        let mut pipe = File::from(child.status);
        // A host that dropped its worker does not listen any more.
        let told = serde_json::to_vec(&status).map_err(io::Error::other)?;
        match pipe.write_all(&told) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }

    fn kill_expired(&mut self) {
        let now = Instant::now();
        for child in self.children.iter_mut().filter(|child| child.ends <= now) {
            child.expired = true;
            // Fails only if it is dead already, which the pidfd tells next.
            rustix::process::pidfd_send_signal(&child.pidfd, Signal::KILL).ok();
        }
    }

    /// The host is gone: take everything down.
    fn end(self) -> io::Result<()> {
        for child in &self.children {
            rustix::process::pidfd_send_signal(&child.pidfd, Signal::KILL).ok();
        }
        for child in &self.children {
            rustix::process::waitpid(Some(child.pid), WaitOptions::empty())?;
        }
        Ok(())
    }

    fn spawn<S>(
        &mut self,
        request: SpawnRequest,
        fds: Vec<OwnedFd>,
        state: &S,
        run: &impl Fn(&S, WorkerContext) -> i32,
    ) -> io::Result<()> {
        let reply = match self.fork(request, fds, state, run) {
            Ok(()) => {
                let Some(child) = self.children.last() else { return Ok(()) };
                let reply = Reply::Forked { pid: child.pid.as_raw_pid() };
                return self.reply(&reply, &[child.pidfd.as_fd()]);
            }
            Err(error) => Reply::NotForked { reason: error.to_string() },
        };
        self.reply(&reply, &[])
    }

    /// A host that died meanwhile shows as end of file on the next receive.
    fn reply(&self, reply: &Reply, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        match wire::send(&self.socket, reply, fds) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }

    fn fork<S>(
        &mut self,
        request: SpawnRequest,
        fds: Vec<OwnedFd>,
        state: &S,
        run: &impl Fn(&S, WorkerContext) -> i32,
    ) -> io::Result<()> {
        let mut fds = fds.into_iter();
        let (Some(control), Some(status)) = (fds.next(), fds.next()) else {
            return Err(io::Error::other("descriptors are missing"));
        };
        let files: Vec<_> = fds.collect();
        if files.len() > MAX_FILES {
            return Err(io::Error::other("too many files"));
        }
        let wall = request.limits.wall.min(Duration::from_secs(30 * 86_400));
        let ends = Instant::now() + wall;
        let zygote = rustix::process::getpid();
        match sys::fork()? {
            Forked::Child => {
                let worker = || self.work(request, zygote, control, files, state, run);
                let code = catch_unwind(AssertUnwindSafe(worker)).unwrap_or(EXIT_PANIC);
                sys::exit_now(code)
            }
            Forked::Parent(pid) => {
                // The child cannot be reaped by anyone else, so the number
                // still means it.
                match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
                    Ok(pidfd) => {
                        self.children.push(Child { pid, pidfd, status, ends, expired: false });
                        Ok(())
                    }
                    Err(error) => {
                        rustix::process::kill_process(pid, Signal::KILL)?;
                        rustix::process::waitpid(Some(pid), WaitOptions::empty())?;
                        Err(error.into())
                    }
                }
            }
        }
    }

    /// The whole life of a worker, in the forked child.
    fn work<S>(
        &self,
        request: SpawnRequest,
        zygote: Pid,
        control: OwnedFd,
        files: Vec<OwnedFd>,
        state: &S,
        run: &impl Fn(&S, WorkerContext) -> i32,
    ) -> i32 {
        let Ok((files, mut control)) = take_descriptors(control, files) else {
            return EXIT_SETUP;
        };
        let writable: Vec<i32> = (FIRST_FILE_FD..)
            .zip(&files)
            .filter(|(_, file)| {
                let access = rustix::fs::fcntl_getfl(file).map(|flags| flags & OFlags::RWMODE);
                matches!(access, Ok(mode) if mode != OFlags::RDONLY)
            })
            .map(|(fd, _)| fd)
            .collect();
        let Sealed { posture, self_test } = seal::seal(&seal::Plan {
            zygote,
            limits: request.limits,
            deny: request.deny,
            writable: &writable,
            namespaces: self.namespaces,
            notes: &self.notes,
        });
        let refused = match () {
            () if !self_test.is_empty() => Some(EXIT_SELF_TEST),
            () if posture.ensure_at_least(request.minimum.max(Level::C)).is_err() => {
                Some(EXIT_POSTURE)
            }
            () => None,
        };
        let hello = Hello { version: PROTOCOL_VERSION, posture, self_test };
        if control.send(&hello).is_err() {
            return EXIT_SETUP;
        }
        if let Some(code) = refused {
            return code;
        }
        let Hello { posture, .. } = hello;
        run(state, WorkerContext { role: request.role, files, control, posture })
    }
}

/// Puts the descriptors where the worker expects them and closes all others.
fn take_descriptors(control: OwnedFd, files: Vec<OwnedFd>) -> io::Result<(Vec<File>, Control)> {
    let count = files.len();
    let mut wanted: Vec<_> = files.into_iter().zip(FIRST_FILE_FD..).collect();
    wanted.push((control, CONTROL_FD));
    sys::place(wanted, FIRST_FILE_FD, CONTROL_FD)?;
    sys::close_from(CONTROL_FD + 1)?;
    let files = (FIRST_FILE_FD..)
        .take(count)
        .map(|fd| sys::adopt(fd).map(File::from))
        .collect::<io::Result<_>>()?;
    Ok((files, Control::new(sys::adopt(CONTROL_FD)?)))
}
