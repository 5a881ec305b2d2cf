//! The few system calls that need `unsafe`, each behind a safe function.
//!
//! Everything else goes through `rustix`. Besides this module only
//! [`crate::attack`] contains `unsafe`.
#![allow(unsafe_code, reason = "fork, descriptor placement and raw system calls live here")]

use rustix::process::Pid;
use rustix::thread::UnshareFlags;
use std::io;
use std::os::fd::{FromRawFd as _, IntoRawFd as _, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

/// Temporary copies are made from here on, above every final position.
const SCRATCH_FD: RawFd = 64;

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Takes ownership of an inherited descriptor.
///
/// # Errors
/// If nothing is open there.
pub(crate) fn adopt(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_GETFD has no side effect, whatever the number.
    check(unsafe { libc::fcntl(fd, libc::F_GETFD) })?;
    // SAFETY: the descriptor is open (just checked), and the callers adopt
    // each fixed number once, in a process that was just exec'd or forked.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Closes every descriptor from `first` on.
///
/// # Errors
/// If neither `close_range` nor the limit of open files is available.
pub(crate) fn close_from(first: RawFd) -> io::Result<()> {
    let start = libc::c_uint::try_from(first).map_err(io::Error::other)?;
    // SAFETY: no memory is passed. The callers (start of a zygote, a freshly
    // forked worker) hold no owned descriptor they will use from `first` on.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, start, libc::c_uint::MAX, 0) };
    if closed == 0 {
        return Ok(());
    }
    // Before Linux 5.9: one by one up to the limit.
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile)
        .current
        .unwrap_or(1 << 16)
        .min(1 << 20);
    for fd in first..RawFd::try_from(limit).map_err(io::Error::other)? {
        // SAFETY: as above; closing an unused number only returns EBADF.
        unsafe { libc::close(fd) };
    }
    Ok(())
}

/// Moves descriptors to fixed numbers and closes the other numbers in
/// `low..=high`. For a freshly forked worker, which never returns to the
/// owners of whatever was at those numbers before.
///
/// # Errors
/// If a descriptor cannot be duplicated.
pub(crate) fn place(wanted: Vec<(OwnedFd, RawFd)>, low: RawFd, high: RawFd) -> io::Result<()> {
    let mut copies = Vec::with_capacity(wanted.len());
    for (fd, target) in wanted {
        // The original is closed by `close_from` or overwritten below, so its
        // owner must not close the number a second time.
        let fd = fd.into_raw_fd();
        // SAFETY: `fd` was an open, owned descriptor until the line above.
        let copy = check(unsafe { libc::fcntl(fd, libc::F_DUPFD, SCRATCH_FD) })?;
        copies.push((copy, target));
    }
    for target in low..=high {
        // SAFETY: the process was just forked and diverges; nothing that owns
        // a number in this range is used or dropped again.
        unsafe { libc::close(target) };
    }
    for (copy, target) in copies {
        // SAFETY: `copy` was just made; `target` was just closed.
        check(unsafe { libc::dup2(copy, target) })?;
    }
    Ok(())
}

/// Which side of a fork this is.
pub(crate) enum Forked {
    /// The parent, with the child's process id.
    Parent(Pid),
    /// The child.
    Child,
}

/// Set once children get fewer mappings than this process has.
static PARTS_LEFT_OUT: AtomicBool = AtomicBool::new(false);

/// Takes a range of mapped library code and data out of this process, and so
/// out of the children it forks.
///
/// # Errors
/// Whatever `munmap` says.
pub(crate) fn give_up(start: usize, length: usize) -> io::Result<()> {
    PARTS_LEFT_OUT.store(true, Ordering::Relaxed);
    let start = std::ptr::with_exposed_provenance_mut(start);
    // SAFETY: the caller names mappings of shared libraries that neither this
    // process nor its children use any more: it has one thread, which runs
    // Rust code alone and ends with `_exit`, so that no destructor of theirs
    // is called. Whoever used them all the same would end with SIGSEGV.
    check(unsafe { libc::munmap(start, length) })?;
    Ok(())
}

/// Forks. The zygote checks before that it has only one thread.
///
/// # Errors
/// Whatever `fork` says.
pub(crate) fn fork() -> io::Result<Forked> {
    #[cfg(target_env = "gnu")]
    unsafe extern "C" {
        /// `fork` without the handlers that libraries registered, which may
        /// not be there in the child (POSIX.1-2024, glibc 2.34).
        safe fn _Fork() -> libc::pid_t;
    }
    #[cfg(target_env = "gnu")]
    if PARTS_LEFT_OUT.load(Ordering::Relaxed) {
        let pid = check(_Fork())?;
        return Ok(Pid::from_raw(pid).map_or(Forked::Child, Forked::Parent));
    }
    // SAFETY: the process has a single thread, so no lock can be held by a
    // thread that does not exist in the child.
    let pid = check(unsafe { libc::fork() })?;
    Ok(Pid::from_raw(pid).map_or(Forked::Child, Forked::Parent))
}

/// Ends the process at once, without running destructors or `atexit`.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: never returns and touches no memory of ours.
    unsafe { libc::_exit(code) }
}

/// Moves the calling process into new namespaces.
///
/// # Errors
/// Whatever `unshare` says.
pub(crate) fn unshare(flags: UnshareFlags) -> io::Result<()> {
    // SAFETY: no flag that takes the descriptor table away from its owners
    // (FILES) is ever passed.
    Ok(unsafe { rustix::thread::unshare_unsafe(flags) }?)
}

/// Makes writing past `RLIMIT_FSIZE` return `EFBIG` instead of killing.
pub(crate) fn ignore_file_size_signal() {
    // SAFETY: SIG_IGN installs no handler code.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// Asks the kernel to refuse making writable memory executable (Linux 6.3).
pub(crate) fn deny_write_execute() -> bool {
    const PR_SET_MDWE: libc::c_int = 65;
    const PR_MDWE_REFUSE_EXEC_GAIN: libc::c_ulong = 1;
    let none: libc::c_ulong = 0;
    // SAFETY: integers only; the process makes no executable memory.
    unsafe { libc::prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, none, none, none) == 0 }
}

/// Self-test: can a file be opened?
pub(crate) fn can_open() -> bool {
    // SAFETY: the path is a constant C string.
    let fd = unsafe { libc::open(c"/etc/passwd".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
    close_if_open(fd)
}

/// Self-test: can a socket be made?
pub(crate) fn can_make_socket() -> bool {
    // SAFETY: integers only.
    let fd = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    close_if_open(fd)
}

/// Self-test: can a process be forked?
pub(crate) fn can_fork() -> bool {
    let zero: libc::c_ulong = 0;
    // SAFETY: `clone` without CLONE_VM and with a null stack is `fork`. The
    // child, should there be one, only exits.
    let pid = unsafe {
        libc::syscall(libc::SYS_clone, libc::SIGCHLD as libc::c_ulong, zero, zero, zero, zero)
    };
    if pid == 0 {
        exit_now(0);
    }
    pid > 0
}

fn close_if_open(fd: RawFd) -> bool {
    if fd < 0 {
        return false;
    }
    // SAFETY: `fd` was opened by the caller a moment ago and nobody else
    // knows it.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
    true
}

/// Gives freed memory back to the system, where the C library can. Workers
/// keep it otherwise.
///
/// A worker that has finished one pass over a large file holds what that
/// pass freed. The next pass takes of it what it can use; some comes in pieces
/// that it does not fit into, so it should give back the rest as soon as it has
/// taken most of what it needs.
pub fn release_free_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim(3) takes no pointers, may be called from any
    // thread at any time, and touches only memory that is free.
    unsafe {
        libc::malloc_trim(0);
    }
}
