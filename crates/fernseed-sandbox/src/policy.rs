//! The system call allow-list.
//!
//! Everything not listed is refused: with `EPERM`, or by killing the process
//! in [`DenyMode::Kill`]. Three kinds of call are refused softly in both
//! modes, because C libraries probe for them and carry on: they get the error
//! number libc expects. x32 numbers are not on the list, other architectures
//! (`int 0x80`) kill the process.

#[cfg(test)]
mod as_lists;
mod assemble;

use assemble::{Check, Rule, assemble};
use seccompiler::BpfProgram;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What happens to a worker that makes a forbidden system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DenyMode {
    /// The call fails with `EPERM`. The default: a C library on a system we
    /// never tested may try something harmless and carry on.
    Errno,
    /// The process dies with `SIGSYS`. For continuous integration.
    Kill,
}

type Call = (&'static str, libc::c_long);

/// Allowed with any arguments.
const ALLOWED: &[Call] = &[
    // The descriptors the worker was given.
    ("read", libc::SYS_read),
    ("readv", libc::SYS_readv),
    ("pread64", libc::SYS_pread64),
    ("write", libc::SYS_write),
    ("writev", libc::SYS_writev),
    ("pwrite64", libc::SYS_pwrite64),
    ("lseek", libc::SYS_lseek),
    ("fstat", libc::SYS_fstat),
    ("close", libc::SYS_close),
    // Memory.
    ("brk", libc::SYS_brk),
    ("munmap", libc::SYS_munmap),
    ("mremap", libc::SYS_mremap),
    ("madvise", libc::SYS_madvise),
    // Threads.
    ("futex", libc::SYS_futex),
    ("set_robust_list", libc::SYS_set_robust_list),
    ("rseq", libc::SYS_rseq),
    ("sched_yield", libc::SYS_sched_yield),
    ("sched_getaffinity", libc::SYS_sched_getaffinity),
    ("getpid", libc::SYS_getpid),
    ("getppid", libc::SYS_getppid),
    ("gettid", libc::SYS_gettid),
    ("exit", libc::SYS_exit),
    ("exit_group", libc::SYS_exit_group),
    // Signals of its own.
    ("rt_sigaction", libc::SYS_rt_sigaction),
    ("rt_sigprocmask", libc::SYS_rt_sigprocmask),
    ("rt_sigreturn", libc::SYS_rt_sigreturn),
    ("sigaltstack", libc::SYS_sigaltstack),
    ("restart_syscall", libc::SYS_restart_syscall),
    // Clocks and random numbers.
    ("clock_gettime", libc::SYS_clock_gettime),
    ("clock_nanosleep", libc::SYS_clock_nanosleep),
    ("nanosleep", libc::SYS_nanosleep),
    ("gettimeofday", libc::SYS_gettimeofday),
    ("getrandom", libc::SYS_getrandom),
    // glibc's qsort asks for the amount of memory and does not look whether
    // it got an answer.
    ("sysinfo", libc::SYS_sysinfo),
];

/// Allowed with some arguments only; the condition is text for people.
const CONDITIONAL: &[(&str, &str)] = &[
    ("clone", "only to make a thread of this process, no namespaces"),
    ("fcntl", "only F_GETFD"),
    ("ftruncate", "only on files that were given writable"),
    ("mmap", "without PROT_EXEC"),
    ("mprotect", "without PROT_EXEC"),
    ("prctl", "only PR_SET_NAME"),
    ("tgkill", "only to this process"),
];

/// Refused with `ENOSYS`: glibc and std then use the older call.
const SOFT_ENOSYS: &[libc::c_long] = &[
    libc::SYS_clone3,
    libc::SYS_statx,
    libc::SYS_copy_file_range,
    libc::SYS_sendfile,
    libc::SYS_splice,
];

/// Refused with `EACCES`: "the file exists, you may not".
const SOFT_EACCES: &[libc::c_long] = &[
    libc::SYS_openat,
    libc::SYS_newfstatat,
    libc::SYS_readlinkat,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_getcwd,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_stat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lstat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_access,
];

/// Refused with `ENOTTY`: `isatty` before colouring log lines.
const SOFT_ENOTTY: &[libc::c_long] = &[libc::SYS_ioctl];

/// Names of all allowed system calls, sorted. Those in [`conditions`] are
/// allowed with some arguments only.
#[must_use]
pub fn allowed_syscalls() -> Vec<&'static str> {
    let free = ALLOWED.iter().map(|(name, _)| *name);
    let mut names: Vec<_> = free.chain(CONDITIONAL.iter().map(|(name, _)| *name)).collect();
    names.sort_unstable();
    names
}

/// The calls allowed under a condition, with the condition in words.
#[must_use]
pub fn conditions() -> Vec<(&'static str, &'static str)> {
    CONDITIONAL.to_vec()
}

/// Compiled filters in the order to install them.
pub(crate) struct Filters {
    /// Refuses with error numbers.
    pub(crate) errno: BpfProgram,
    /// Stacked on top in [`DenyMode::Kill`]; the stricter verdict wins.
    pub(crate) kill: Option<BpfProgram>,
}

/// Compiles the filters for the process `pid`, which may `ftruncate` the
/// descriptors in `writable`.
///
/// # Errors
/// If the list has grown beyond what a filter can hold.
pub(crate) fn compile(pid: i32, writable: &[i32], deny: DenyMode) -> Result<Filters, String> {
    let mut rules = rules(pid, writable)?;
    let refuse = errno(libc::EPERM);
    if deny == DenyMode::Errno {
        return Ok(Filters { errno: assemble(&rules, refuse)?, kill: None });
    }
    // What is refused softly must not kill.
    let mut hard = rules.clone();
    for rule in hard.values_mut().filter(|rule| matches!(rule, Rule::Always(_))) {
        *rule = ALLOW;
    }
    let kill = Some(assemble(&hard, libc::SECCOMP_RET_KILL_PROCESS)?);
    // The killing filter comes on top of the refusing one, which has to let
    // its installation through. Afterwards neither does.
    rules.insert(number(libc::SYS_seccomp)?, ALLOW);
    if let Some(Rule::If(checks)) = rules.get_mut(&number(libc::SYS_prctl)?) {
        checks.push(equal(0, libc::PR_SET_NO_NEW_PRIVS));
    }
    Ok(Filters { errno: assemble(&rules, refuse)?, kill })
}

const ALLOW: Rule = Rule::Always(libc::SECCOMP_RET_ALLOW);

const fn errno(number: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | number.unsigned_abs()
}

fn number(call: libc::c_long) -> Result<u32, String> {
    u32::try_from(call).map_err(|e| e.to_string())
}

/// Bits of `clone` that make a thread, all of which must be set.
const THREAD: i32 = libc::CLONE_VM | libc::CLONE_THREAD | libc::CLONE_SIGHAND;

/// Bits of `clone` that must not be set: every namespace, and the exit signal,
/// which threads have none of (one of its bits doubles as `CLONE_NEWTIME`).
const NAMESPACES: i32 = libc::CSIGNAL
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET;

/// What becomes of every call that is on a list.
fn rules(pid: i32, writable: &[i32]) -> Result<BTreeMap<u32, Rule>, String> {
    let mut rules = BTreeMap::new();
    for (calls, error) in
        [(SOFT_ENOSYS, libc::ENOSYS), (SOFT_EACCES, libc::EACCES), (SOFT_ENOTTY, libc::ENOTTY)]
    {
        for call in calls {
            rules.insert(number(*call)?, Rule::Always(errno(error)));
        }
    }
    for (_, call) in ALLOWED {
        rules.insert(number(*call)?, ALLOW);
    }
    let no_exec = masked(2, libc::PROT_EXEC, 0);
    let mut allow_if = |call, checks| {
        rules.insert(number(call)?, Rule::If(checks));
        Ok::<(), String>(())
    };
    allow_if(libc::SYS_mmap, vec![no_exec])?;
    allow_if(libc::SYS_mprotect, vec![no_exec])?;
    allow_if(libc::SYS_clone, vec![masked(0, THREAD | NAMESPACES, THREAD)])?;
    allow_if(libc::SYS_prctl, vec![equal(0, libc::PR_SET_NAME)])?;
    // std asks whether a descriptor is open before it closes it, in builds
    // with debug assertions.
    allow_if(libc::SYS_fcntl, vec![equal(1, libc::F_GETFD)])?;
    allow_if(libc::SYS_tgkill, vec![equal(0, pid)])?;
    if !writable.is_empty() {
        allow_if(libc::SYS_ftruncate, writable.iter().map(|fd| equal(0, *fd)).collect())?;
    }
    Ok(rules)
}

const fn equal(argument: u8, value: i32) -> Check {
    Check { argument, mask: u32::MAX, value: value.cast_unsigned() }
}

const fn masked(argument: u8, mask: i32, value: i32) -> Check {
    Check { argument, mask: mask.cast_unsigned(), value: value.cast_unsigned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_short_sorted_and_without_doubles() {
        let names = allowed_syscalls();
        assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "{names:?}");
        assert_eq!(names.len(), ALLOWED.len() + CONDITIONAL.len());
        assert!(names.len() <= 42);
        for forbidden in ["openat", "socket", "execve", "ptrace", "kill", "ioctl", "clone3"] {
            assert!(!names.contains(&forbidden), "{forbidden}");
        }
    }

    #[test]
    fn soft_refusals_do_not_overlap_the_allow_list() {
        for call in [SOFT_ENOSYS, SOFT_EACCES, SOFT_ENOTTY].into_iter().flatten() {
            assert!(ALLOWED.iter().all(|(_, allowed)| allowed != call), "{call}");
        }
    }

    #[test]
    fn rules_are_exactly_the_documented_calls() {
        let written = rules(1, &[4]).unwrap();
        let soft = SOFT_ENOSYS.len() + SOFT_EACCES.len() + SOFT_ENOTTY.len();
        assert_eq!(written.len(), allowed_syscalls().len() + soft);
        let truncate = number(libc::SYS_ftruncate).unwrap();
        assert!(!rules(1, &[]).unwrap().contains_key(&truncate));
    }

    #[test]
    fn filters_compile_small() {
        let filters = compile(1, &[4], DenyMode::Kill).unwrap();
        for program in std::iter::once(&filters.errno).chain(&filters.kill) {
            assert!(program.len() < 200, "{}", program.len());
        }
        assert!(compile(1, &[], DenyMode::Errno).unwrap().kill.is_none());
    }

    const KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;
    const PASS: u32 = libc::SECCOMP_RET_ALLOW;
    pub(super) const PID: i32 = 4711;
    #[cfg(target_arch = "x86_64")]
    pub(super) const ARCH: u32 = 0xc000_003e;
    #[cfg(target_arch = "aarch64")]
    pub(super) const ARCH: u32 = 0xc000_00b7;

    /// Runs one filter over a `seccomp_data`, as the kernel would.
    fn interpret(program: &BpfProgram, data: &[u8; 64]) -> u32 {
        let word = |at: u32| u32::from_ne_bytes(data[at as usize..][..4].try_into().unwrap());
        let (mut at, mut accumulator) = (0, 0);
        loop {
            let step = &program[at];
            at += 1;
            let jump = |taken: bool| usize::from(if taken { step.jt } else { step.jf });
            match step.code {
                0x20 => accumulator = word(step.k),
                0x54 => accumulator &= step.k,
                0x05 => at += step.k as usize,
                0x15 => at += jump(accumulator == step.k),
                0x25 => at += jump(accumulator > step.k),
                0x35 => at += jump(accumulator >= step.k),
                0x06 => return step.k,
                code => panic!("instruction {code:#x} is not expected"),
            }
        }
    }

    fn all(filters: &Filters) -> Vec<&BpfProgram> {
        std::iter::once(&filters.errno).chain(&filters.kill).collect()
    }

    /// The verdict of all filters, oldest first: the strictest wins.
    pub(super) fn verdict(
        filters: &[&BpfProgram],
        arch: u32,
        call: libc::c_long,
        arguments: [u64; 6],
    ) -> u32 {
        let mut data = [0; 64];
        data[..4].copy_from_slice(&i32::try_from(call).unwrap().to_ne_bytes());
        data[4..8].copy_from_slice(&arch.to_ne_bytes());
        for (slot, argument) in data[16..].chunks_exact_mut(8).zip(arguments) {
            slot.copy_from_slice(&argument.to_ne_bytes());
        }
        // As in the kernel: actions compare as signed, the first of equals
        // from the newest filter on wins.
        let action = |verdict: &u32| (verdict & 0xffff_0000).cast_signed();
        let all = filters.iter().rev().map(|filter| interpret(filter, &data));
        all.min_by_key(action).unwrap()
    }

    /// The allow-list as documented and the filters as compiled differ in no
    /// system call number.
    #[test]
    fn filters_do_what_the_list_says() {
        let conditional = [
            libc::SYS_clone,
            libc::SYS_fcntl,
            libc::SYS_ftruncate,
            libc::SYS_mmap,
            libc::SYS_mprotect,
            libc::SYS_prctl,
            libc::SYS_tgkill,
        ];
        assert_eq!(conditional.len(), CONDITIONAL.len());
        for (deny, refusal) in [(DenyMode::Errno, errno(libc::EPERM)), (DenyMode::Kill, KILL)] {
            let filters = compile(PID, &[4], deny).unwrap();
            for call in (0..2048).chain(0x4000_0000..0x4000_0400) {
                if conditional.contains(&call) {
                    continue;
                }
                let expected = match call {
                    call if ALLOWED.iter().any(|(_, allowed)| *allowed == call) => PASS,
                    call if SOFT_ENOSYS.contains(&call) => errno(libc::ENOSYS),
                    call if SOFT_EACCES.contains(&call) => errno(libc::EACCES),
                    call if SOFT_ENOTTY.contains(&call) => errno(libc::ENOTTY),
                    _ => refusal,
                };
                for fill in [0, 1, u64::MAX] {
                    let got = verdict(&all(&filters), ARCH, call, [fill; 6]);
                    assert_eq!(got, expected, "{deny:?} call {call} argument {fill:#x}");
                }
            }
            assert_eq!(verdict(&all(&filters), 0x4000_0003, libc::SYS_read, [0; 6]), KILL);
        }
    }

    #[test]
    fn conditions_hold_argument_by_argument() {
        let bits = |flags: i32| u64::from(flags.cast_unsigned());
        let at = |index: usize, value: u64| {
            let mut arguments = [0; 6];
            arguments[index] = value;
            arguments
        };
        let thread = bits(THREAD | libc::CLONE_FS | libc::CLONE_FILES | libc::CLONE_SETTLS);
        let mut cases = vec![
            (libc::SYS_clone, at(0, thread), true),
            (libc::SYS_clone, at(0, bits(libc::SIGCHLD)), false),
            (libc::SYS_clone, at(0, bits(libc::CLONE_VM | libc::CLONE_VFORK)), false),
            (libc::SYS_clone, at(0, thread | 0x80), false),
            (libc::SYS_mmap, at(2, bits(libc::PROT_READ | libc::PROT_WRITE)), true),
            (libc::SYS_mmap, at(2, bits(libc::PROT_EXEC)), false),
            // The kernel looks at the low half only; so must the filter.
            (libc::SYS_mmap, at(2, 1 << 32 | bits(libc::PROT_EXEC)), false),
            (libc::SYS_mprotect, at(2, bits(libc::PROT_READ)), true),
            (libc::SYS_mprotect, at(2, bits(libc::PROT_READ | libc::PROT_EXEC)), false),
            (libc::SYS_prctl, at(0, bits(libc::PR_SET_NAME)), true),
            (libc::SYS_prctl, at(0, bits(libc::PR_SET_PDEATHSIG)), false),
            (libc::SYS_prctl, at(0, bits(libc::PR_SET_DUMPABLE)), false),
            (libc::SYS_tgkill, at(0, bits(PID)), true),
            (libc::SYS_tgkill, at(0, bits(PID - 1)), false),
            (libc::SYS_fcntl, at(1, bits(libc::F_GETFD)), true),
            (libc::SYS_fcntl, at(1, bits(libc::F_SETFL)), false),
            (libc::SYS_fcntl, at(1, bits(libc::F_DUPFD)), false),
            (libc::SYS_ftruncate, at(0, 4), true),
            (libc::SYS_ftruncate, at(0, 3), false),
        ];
        for namespace in [
            libc::CLONE_NEWUSER,
            libc::CLONE_NEWNET,
            libc::CLONE_NEWNS,
            libc::CLONE_NEWPID,
            libc::CLONE_NEWIPC,
            libc::CLONE_NEWUTS,
            libc::CLONE_NEWCGROUP,
        ] {
            cases.push((libc::SYS_clone, at(0, thread | bits(namespace)), false));
        }
        for deny in [DenyMode::Errno, DenyMode::Kill] {
            let filters = compile(PID, &[4], deny).unwrap();
            for (call, arguments, allowed) in &cases {
                let got = verdict(&all(&filters), ARCH, *call, *arguments) == PASS;
                assert_eq!(got, *allowed, "{deny:?} call {call} {arguments:x?}");
            }
        }
    }
}
