//! The list itself, as raw system calls.
//!
//! Raw, because libc wrappers would add checks and fallbacks of their own, and
//! what is asked is what the kernel does with the call.
#![allow(unsafe_code, reason = "an attacker is not held back by safe wrappers")]

use super::Attack;
use libc::{c_int, c_long, c_void, pid_t};
use std::ffi::CStr;
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::ptr::{null, null_mut};

const INPUT: c_int = 3;
const CONTROL: c_int = 6;
const MISSING: &CStr = c"/fernseed-no-such-file";
const SCRATCH: &CStr = c"/tmp/fernseed-attack";

macro_rules! acts {
    ($($name:literal => $act:expr;)*) => {
        pub(super) const ACTS: &[Attack] = &[$(Attack {
            name: $name,
            act: || {
                #[allow(unused_unsafe, reason = "some acts are calls of safe functions")]
                // SAFETY: every pointer passed below is null, a constant C
                // string, or a local that outlives the call; sizes match.
                // Descriptors the call returns are closed by `file`.
                unsafe { $act }
            },
        }),*];
    };
}

/// A raw system call with up to six integer or pointer arguments.
macro_rules! raw {
    ($call:expr $(, $argument:expr)*) => { libc::syscall($call $(, $argument)*) };
}

fn done(result: c_long) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// For calls that return a descriptor, which is closed again.
fn file(result: c_long) -> io::Result<()> {
    done(result)?;
    let fd = c_int::try_from(result).map_err(io::Error::other)?;
    // SAFETY: the kernel just returned it, nobody else knows it.
    drop(unsafe { OwnedFd::from_raw_fd(fd) });
    Ok(())
}

fn parent() -> pid_t {
    // SAFETY: no arguments, cannot fail.
    unsafe { libc::getppid() }
}

fn socket(family: c_int, kind: c_int) -> io::Result<OwnedFd> {
    // SAFETY: integers only; the returned descriptor is ours alone.
    unsafe {
        let fd = raw!(libc::SYS_socket, family, kind | libc::SOCK_CLOEXEC, 0);
        done(fd)?;
        Ok(OwnedFd::from_raw_fd(c_int::try_from(fd).map_err(io::Error::other)?))
    }
}

fn any_socket(family: c_int, kind: c_int) -> io::Result<()> {
    socket(family, kind).map(drop)
}

/// 127.0.0.1, discard port.
fn loopback() -> libc::sockaddr_in {
    // SAFETY: all-zero is a valid sockaddr_in.
    let mut address: libc::sockaddr_in = unsafe { zeroed() };
    address.sin_family = libc::AF_INET as libc::sa_family_t;
    address.sin_port = 9_u16.to_be();
    address.sin_addr.s_addr = u32::from(std::net::Ipv4Addr::LOCALHOST).to_be();
    address
}

/// Sends `kind` to 127.0.0.1; a refused TCP connection was still made.
fn reach_network(kind: c_int) -> io::Result<()> {
    use std::os::fd::AsRawFd as _;
    let socket = socket(libc::AF_INET, kind)?;
    let address = loopback();
    let length = size_of::<libc::sockaddr_in>();
    // SAFETY: `address` outlives the calls and `length` is its size.
    done(unsafe {
        if kind == libc::SOCK_STREAM {
            raw!(libc::SYS_connect, socket.as_raw_fd(), &raw const address, length)
        } else {
            raw!(
                libc::SYS_sendto,
                socket.as_raw_fd(),
                c"x".as_ptr(),
                1,
                0,
                &raw const address,
                length
            )
        }
    })
}

fn create() -> io::Result<()> {
    let flags = libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY | libc::O_NOFOLLOW;
    // SAFETY: constant path; what was made is removed.
    unsafe {
        file(raw!(libc::SYS_openat, libc::AT_FDCWD, SCRATCH.as_ptr(), flags, 0o600))?;
        done(raw!(libc::SYS_unlinkat, libc::AT_FDCWD, SCRATCH.as_ptr(), 0))
    }
}

fn make_directory() -> io::Result<()> {
    const PATH: &CStr = c"/tmp/fernseed-attack.d";
    // SAFETY: constant path; what was made is removed.
    unsafe {
        done(raw!(libc::SYS_mkdirat, libc::AT_FDCWD, PATH.as_ptr(), 0o700))?;
        done(raw!(libc::SYS_unlinkat, libc::AT_FDCWD, PATH.as_ptr(), libc::AT_REMOVEDIR))
    }
}

fn fork() -> io::Result<()> {
    // SAFETY: a plain fork; the child only exits.
    unsafe {
        let pid = raw!(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0);
        if pid == 0 {
            libc::_exit(0);
        }
        done(pid)?;
        libc::waitpid(c_int::try_from(pid).map_err(io::Error::other)?, null_mut(), 0);
    }
    Ok(())
}

/// Attaches to the parent and lets go at once.
fn trace_parent() -> io::Result<()> {
    // SAFETY: the addresses are unused by these requests.
    unsafe {
        done(libc::ptrace(libc::PTRACE_SEIZE, parent(), 0, 0))?;
        libc::ptrace(libc::PTRACE_INTERRUPT, parent(), 0, 0);
        libc::waitpid(parent(), null_mut(), libc::__WALL);
        libc::ptrace(libc::PTRACE_DETACH, parent(), 0, 0);
    }
    Ok(())
}

fn map(protection: c_int) -> io::Result<*mut c_void> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new anonymous page at an address the kernel picks.
    let page = unsafe { libc::mmap(null_mut(), 4096, protection, flags, -1, 0) };
    if page == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(page) }
}

fn unmap(page: *mut c_void) -> io::Result<()> {
    // SAFETY: `page` is a mapping of 4096 bytes made by `map`, unused.
    done(c_long::from(unsafe { libc::munmap(page, 4096) }))
}

/// Write code first, make it executable then.
fn make_executable() -> io::Result<()> {
    let page = map(libc::PROT_READ | libc::PROT_WRITE)?;
    // SAFETY: as in `unmap`.
    let changed = done(c_long::from(unsafe {
        libc::mprotect(page, 4096, libc::PROT_READ | libc::PROT_EXEC)
    }));
    unmap(page)?;
    changed
}

/// Executable pages of the input file, as loading code would.
fn map_input_executable() -> io::Result<()> {
    let protection = libc::PROT_READ | libc::PROT_EXEC;
    // SAFETY: a new mapping at an address the kernel picks.
    let page = unsafe { libc::mmap(null_mut(), 4096, protection, libc::MAP_PRIVATE, INPUT, 0) };
    if page == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { unmap(page) }
}

fn read_parent_memory() -> io::Result<()> {
    let mut word = [0_u8; 8];
    let here = libc::iovec { iov_base: word.as_mut_ptr().cast(), iov_len: word.len() };
    // Parent and child share their layout, so `word` exists there as well.
    let there = libc::iovec { iov_base: word.as_mut_ptr().cast(), iov_len: word.len() };
    // SAFETY: `here` describes `word`, which outlives the call.
    done(unsafe {
        raw!(libc::SYS_process_vm_readv, parent(), &raw const here, 1, &raw const there, 1, 0)
    })
}

fn shared_memory() -> io::Result<()> {
    // SAFETY: integers only; what was made is removed.
    unsafe {
        let id = raw!(libc::SYS_shmget, libc::IPC_PRIVATE, 4096, 0o600);
        done(id)?;
        done(raw!(libc::SYS_shmctl, id, libc::IPC_RMID, 0))
    }
}

fn personality() -> io::Result<()> {
    const READ_IMPLIES_EXEC: c_int = 0x0040_0000;
    // SAFETY: integers only; the old value is put back.
    unsafe {
        let old = raw!(libc::SYS_personality, READ_IMPLIES_EXEC);
        done(old)?;
        done(raw!(libc::SYS_personality, old))
    }
}

/// Passes the input to whoever reads the control socket.
fn send_descriptor() -> io::Result<()> {
    // SAFETY: an all-zero header sends nothing and points nowhere.
    unsafe {
        let header: libc::msghdr = zeroed();
        done(raw!(libc::SYS_sendmsg, CONTROL, &raw const header, libc::MSG_DONTWAIT))
    }
}

fn receive_descriptor() -> io::Result<()> {
    // SAFETY: an all-zero header receives nothing.
    unsafe {
        let mut header: libc::msghdr = zeroed();
        done(raw!(libc::SYS_recvmsg, CONTROL, &raw mut header, libc::MSG_DONTWAIT))
    }
}

/// Reads the size of the kernel log buffer.
const SYSLOG_SIZE_BUFFER: c_int = 10;
/// `PR_SET_PTRACER` and "anybody".
const PR_SET_PTRACER: c_int = 0x5961_6d61;
/// Queries a `userfaultfd` limited to user mode faults.
const UFFD_USER_MODE_ONLY: c_int = 1;
const KEY_SPEC_PROCESS_KEYRING: c_int = -2;

acts! {
    // Paths.
    "open /etc/passwd" => file(raw!(libc::SYS_openat, libc::AT_FDCWD, c"/etc/passwd".as_ptr(), libc::O_RDONLY));
    "openat2 /etc/passwd" => {
        let how = [0_u64; 3];
        file(raw!(libc::SYS_openat2, libc::AT_FDCWD, c"/etc/passwd".as_ptr(), how.as_ptr(), size_of::<[u64; 3]>()))
    };
    "open own memory" => file(raw!(libc::SYS_openat, libc::AT_FDCWD, c"/proc/self/mem".as_ptr(), libc::O_RDWR));
    "reopen the input for writing" => file(raw!(libc::SYS_openat, libc::AT_FDCWD, c"/proc/self/fd/3".as_ptr(), libc::O_RDWR));
    "open the directory /" => file(raw!(libc::SYS_openat, libc::AT_FDCWD, c"/".as_ptr(), libc::O_PATH));
    "create a file" => create();
    "make a directory" => make_directory();
    "stat /etc/passwd" => {
        let mut stat: libc::stat = zeroed();
        done(raw!(libc::SYS_newfstatat, libc::AT_FDCWD, c"/etc/passwd".as_ptr(), &raw mut stat, 0))
    };
    "statx /etc/passwd" => {
        let mut stat: libc::statx = zeroed();
        done(raw!(libc::SYS_statx, libc::AT_FDCWD, c"/etc/passwd".as_ptr(), 0, 0x7ff, &raw mut stat))
    };
    "statfs /" => {
        let mut stat: libc::statfs = zeroed();
        done(raw!(libc::SYS_statfs, c"/".as_ptr(), &raw mut stat))
    };
    "read the link /proc/self/exe" => {
        let mut path = [0_u8; 256];
        done(raw!(libc::SYS_readlinkat, libc::AT_FDCWD, c"/proc/self/exe".as_ptr(), path.as_mut_ptr(), path.len()))
    };
    "get the working directory" => {
        let mut path = [0_u8; 256];
        done(raw!(libc::SYS_getcwd, path.as_mut_ptr(), path.len()))
    };
    "access /etc/passwd" => done(raw!(libc::SYS_faccessat, libc::AT_FDCWD, c"/etc/passwd".as_ptr(), 0));
    "change directory" => done(raw!(libc::SYS_chdir, c"/".as_ptr()));
    "change root" => done(raw!(libc::SYS_chroot, c"/".as_ptr()));
    "mount" => done(raw!(libc::SYS_mount, MISSING.as_ptr(), MISSING.as_ptr(), c"tmpfs".as_ptr(), 0, 0));
    "unmount" => done(raw!(libc::SYS_umount2, MISSING.as_ptr(), 0));
    "open the mount tree" => file(raw!(libc::SYS_open_tree, libc::AT_FDCWD, c"/".as_ptr(), 0));
    "unlink" => done(raw!(libc::SYS_unlinkat, libc::AT_FDCWD, MISSING.as_ptr(), 0));
    "rename" => done(raw!(libc::SYS_renameat2, libc::AT_FDCWD, MISSING.as_ptr(), libc::AT_FDCWD, MISSING.as_ptr(), 0));
    "hard link the input" => done(raw!(libc::SYS_linkat, INPUT, c"".as_ptr(), libc::AT_FDCWD, MISSING.as_ptr(), libc::AT_SYMLINK_FOLLOW));

    // The inherited input file.
    "change the input's mode" => done(raw!(libc::SYS_fchmod, INPUT, 0o600));
    "change the input's owner" => done(raw!(libc::SYS_fchown, INPUT, -1, -1));
    "change the input's times" => done(raw!(libc::SYS_utimensat, INPUT, null::<u8>(), null::<u8>(), 0));
    "set an attribute on the input" => done(raw!(libc::SYS_fsetxattr, INPUT, c"user.fernseed".as_ptr(), c"x".as_ptr(), 1, 0));
    "list the input's attributes" => done(raw!(libc::SYS_flistxattr, INPUT, null::<u8>(), 0));
    "truncate the input" => done(raw!(libc::SYS_ftruncate, INPUT, 0));
    "preallocate in the input" => done(raw!(libc::SYS_fallocate, INPUT, 0, 0, 1));
    "lock the input" => done(raw!(libc::SYS_flock, INPUT, libc::LOCK_SH | libc::LOCK_NB));
    "read the input's flags" => {
        let mut flags: c_long = 0;
        done(raw!(libc::SYS_ioctl, INPUT, 0x8008_6601_u32, &raw mut flags))
    };
    "have signals sent for the input" => done(raw!(libc::SYS_fcntl, INPUT, libc::F_SETOWN, 0));
    "duplicate a descriptor" => file(raw!(libc::SYS_dup, INPUT));

    // Network and other ways to talk.
    "socket IPv4 TCP" => any_socket(libc::AF_INET, libc::SOCK_STREAM);
    "socket IPv4 UDP" => any_socket(libc::AF_INET, libc::SOCK_DGRAM);
    "socket IPv6 TCP" => any_socket(libc::AF_INET6, libc::SOCK_STREAM);
    "socket IPv4 raw" => any_socket(libc::AF_INET, libc::SOCK_RAW);
    "socket Unix" => any_socket(libc::AF_UNIX, libc::SOCK_STREAM);
    "socket netlink" => any_socket(libc::AF_NETLINK, libc::SOCK_RAW);
    "socket packet" => any_socket(libc::AF_PACKET, libc::SOCK_RAW);
    "socket vsock" => any_socket(libc::AF_VSOCK, libc::SOCK_STREAM);
    "socket kernel crypto" => any_socket(libc::AF_ALG, libc::SOCK_SEQPACKET);
    "socket Bluetooth" => any_socket(libc::AF_BLUETOOTH, libc::SOCK_RAW);
    "socket pair" => {
        let mut pair = [0; 2];
        done(raw!(libc::SYS_socketpair, libc::AF_UNIX, libc::SOCK_STREAM, 0, pair.as_mut_ptr()))?;
        pair.into_iter().try_for_each(|fd| file(c_long::from(fd)))
    };
    "connect TCP to 127.0.0.1" => reach_network(libc::SOCK_STREAM);
    "send UDP to 127.0.0.1" => reach_network(libc::SOCK_DGRAM);
    "send a descriptor to the host" => send_descriptor();
    "receive a descriptor from the host" => receive_descriptor();
    "pipe" => {
        let mut pair = [0; 2];
        done(raw!(libc::SYS_pipe2, pair.as_mut_ptr(), 0))?;
        pair.into_iter().try_for_each(|fd| file(c_long::from(fd)))
    };
    "memory file" => file(raw!(libc::SYS_memfd_create, c"x".as_ptr(), 0));
    "System V shared memory" => shared_memory();
    "POSIX message queue" => done(raw!(libc::SYS_mq_unlink, c"fernseed-no-such-queue".as_ptr()));
    "event descriptor" => file(raw!(libc::SYS_eventfd2, 0, 0));

    // Processes.
    "fork" => fork();
    "execute a file" => {
        let none = [null::<u8>()];
        done(raw!(libc::SYS_execve, MISSING.as_ptr(), none.as_ptr(), none.as_ptr()))
    };
    "execute a file by execveat" => {
        let none = [null::<u8>()];
        done(raw!(libc::SYS_execveat, libc::AT_FDCWD, MISSING.as_ptr(), none.as_ptr(), none.as_ptr(), 0))
    };
    "trace the parent" => trace_parent();
    "signal the parent" => done(raw!(libc::SYS_kill, parent(), 0));
    "signal a thread of the parent" => done(raw!(libc::SYS_tgkill, parent(), parent(), 0));
    "queue a signal to the parent" => done(raw!(libc::SYS_rt_sigqueueinfo, parent(), 0, null::<u8>()));
    "read the parent's memory" => read_parent_memory();
    "open a handle on the parent" => file(raw!(libc::SYS_pidfd_open, parent(), 0));
    "read the parent's limits" => {
        let mut limit = [0_u64; 2];
        done(raw!(libc::SYS_prlimit64, parent(), libc::RLIMIT_CORE, null::<u8>(), limit.as_mut_ptr()))
    };
    "raise own limits" => {
        let limit = [u64::MAX; 2];
        done(raw!(libc::SYS_prlimit64, 0, libc::RLIMIT_CORE, limit.as_ptr(), null::<u8>()))
    };
    "compare with the parent" => done(raw!(libc::SYS_kcmp, parent(), parent(), 0, 0, 0));
    "change own priority" => done(raw!(libc::SYS_setpriority, libc::PRIO_PROCESS, 0, 0));
    "make a new session" => done(raw!(libc::SYS_setsid));

    // Memory.
    "map writable and executable" => map(libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC).and_then(unmap);
    "make memory executable" => make_executable();
    "map the input executable" => map_input_executable();
    "make reading imply executing" => personality();
    "lock memory" => done(raw!(libc::SYS_mlockall, libc::MCL_ONFAULT));
    "handle page faults" => file(raw!(libc::SYS_userfaultfd, UFFD_USER_MODE_ONLY));

    // Privileges and kernel surface.
    "new user namespace" => done(raw!(libc::SYS_unshare, libc::CLONE_NEWUSER));
    "new network namespace" => done(raw!(libc::SYS_unshare, libc::CLONE_NEWNET));
    "enter a namespace" => done(raw!(libc::SYS_setns, INPUT, 0));
    "set the user id" => done(raw!(libc::SYS_setuid, 0));
    "read capabilities" => {
        let mut header = [0x2008_0522_u32, 0];
        done(raw!(libc::SYS_capget, header.as_mut_ptr(), null::<u8>()))
    };
    "become traceable" => done(raw!(libc::SYS_prctl, PR_SET_PTRACER, -1_i64, 0, 0, 0));
    "become dumpable" => {
        let old = raw!(libc::SYS_prctl, libc::PR_GET_DUMPABLE, 0, 0, 0, 0);
        done(old)?;
        done(raw!(libc::SYS_prctl, libc::PR_SET_DUMPABLE, 1, 0, 0, 0))?;
        done(raw!(libc::SYS_prctl, libc::PR_SET_DUMPABLE, old, 0, 0, 0))
    };
    "outlive the parent" => done(raw!(libc::SYS_prctl, libc::PR_SET_PDEATHSIG, 0, 0, 0, 0));
    "ask about filters" => {
        let action = libc::SECCOMP_RET_ALLOW;
        done(raw!(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0, &raw const action))
    };
    "asynchronous I/O ring" => {
        let mut parameters = [0_u8; 120];
        file(raw!(libc::SYS_io_uring_setup, 4, parameters.as_mut_ptr()))
    };
    "old asynchronous I/O" => {
        let mut context: c_long = 0;
        done(raw!(libc::SYS_io_setup, 1, &raw mut context))?;
        done(raw!(libc::SYS_io_destroy, context))
    };
    "load a kernel program" => {
        let attributes = [0_u8; 64];
        done(raw!(libc::SYS_bpf, 0, attributes.as_ptr(), attributes.len()))
    };
    "performance counters" => {
        let mut attributes = [0_u8; 128];
        attributes[4] = 128;
        file(raw!(libc::SYS_perf_event_open, attributes.as_mut_ptr(), 0, -1, -1, 0))
    };
    "add a key" => done(raw!(libc::SYS_add_key, c"user".as_ptr(), c"fernseed".as_ptr(), c"x".as_ptr(), 1, KEY_SPEC_PROCESS_KEYRING));
    "read a key" => done(raw!(libc::SYS_keyctl, 0, KEY_SPEC_PROCESS_KEYRING, 1));
    "watch files" => file(raw!(libc::SYS_inotify_init1, 0));
    "watch the file system" => file(raw!(libc::SYS_fanotify_init, 0, 0));
    "read the kernel log" => done(raw!(libc::SYS_syslog, SYSLOG_SIZE_BUFFER, null::<u8>(), 0));
    "read the host name" => {
        let mut name: libc::utsname = zeroed();
        done(raw!(libc::SYS_uname, &raw mut name))
    };
    "read the clock discipline" => {
        let mut state: libc::timex = zeroed();
        done(raw!(libc::SYS_adjtimex, &raw mut state))
    };
    "a system call of another table" => done(raw!(0x4000_0000 + libc::SYS_getpid));
    "a system call that does not exist" => done(raw!(100_000));
}
