//! Sealing: what a worker gives up before it reads its first input byte.
//!
//! Order matters: capabilities first (giving them up can clear the death
//! signal), then the process flags, the limits, Landlock, and the system call
//! filter last, because it forbids the calls the others need.

use crate::limits::WorkerLimits;
use crate::policy::{self, DenyMode};
use crate::posture::{LandlockLayer, LandlockStatus, Posture};
use crate::sys;
use crate::untrusted::printable;
use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _,
    RulesetStatus, Scope,
};
use rustix::process::{DumpableBehavior, Pid, Resource, Rlimit, Signal};
use rustix::thread::{CapabilitySet, CapabilitySets};
use serde::{Deserialize, Serialize};
use std::fmt::Display;

/// The newest Landlock ABI whose rights are all handled.
const LANDLOCK_ABI: ABI = ABI::V6;

/// Most descriptors a worker may have open.
const OPEN_FILES: u64 = 16;

/// Namespaces the zygote reached; its workers inherit them.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Namespaces {
    pub(crate) network: bool,
    pub(crate) user: bool,
}

/// What the seal needs to know.
pub(crate) struct Plan<'a> {
    pub(crate) zygote: Pid,
    pub(crate) limits: WorkerLimits,
    pub(crate) deny: DenyMode,
    /// Descriptors whose file may be truncated.
    pub(crate) writable: &'a [i32],
    pub(crate) namespaces: Namespaces,
    /// Notes of the zygote about what it could not set up.
    pub(crate) notes: &'a [String],
}

/// What holds after sealing.
pub(crate) struct Sealed {
    pub(crate) posture: Posture,
    /// Forbidden acts that succeeded although a layer claims to stop them.
    pub(crate) self_test: Vec<String>,
}

/// Collects what did not work.
struct Notes(Vec<String>);

impl Notes {
    /// True if `result` is good; otherwise its error is noted.
    fn worked<T, E: Display>(&mut self, what: &str, result: Result<T, E>) -> bool {
        let Err(error) = result else { return true };
        self.add(&format!("{what}: {error}"));
        false
    }

    fn add(&mut self, note: &str) {
        if self.0.len() < Posture::MAX_NOTES {
            self.0.push(printable(note, Posture::MAX_NOTE_BYTES));
        }
    }
}

/// Seals the calling process, which must have one thread, for good.
pub(crate) fn seal(plan: &Plan<'_>) -> Sealed {
    let mut notes = Notes(plan.notes.to_vec());
    let capabilities_dropped = notes.worked("capset", drop_capabilities());
    let flags = notes.worked("process flags", process_flags(plan.zygote));
    let no_new_privs = notes.worked("no_new_privs", rustix::thread::set_no_new_privs(true));
    let memory_deny_write_execute = sys::deny_write_execute();
    // Losing the death signal is as bad as losing a limit: the worker could
    // outlive the clock.
    let resource_limits = notes.worked("setrlimit", set_limits(&plan.limits)) && flags;
    let landlock = restrict_files(&mut notes);

    let mut posture = Posture {
        seccomp: false,
        landlock,
        network_namespace: plan.namespaces.network,
        user_namespace: plan.namespaces.user,
        resource_limits,
        no_new_privs,
        capabilities_dropped,
        memory_deny_write_execute,
        notes: Vec::new(),
    };
    let pid = rustix::process::getpid().as_raw_pid();
    let mut self_test = Vec::new();
    match policy::compile(pid, plan.writable, plan.deny) {
        Err(error) => notes.add(&format!("seccomp compiler: {error}")),
        Ok(filters) => {
            let errno = seccompiler::apply_filter(&filters.errno);
            posture.seccomp = notes.worked("seccomp", errno);
            // Before the killing filter, which would not let a test report.
            self_test = run_self_test(&posture);
            if let Some(kill) = filters.kill.filter(|_| posture.seccomp) {
                posture.seccomp = notes.worked("seccomp", seccompiler::apply_filter(&kill));
            }
        }
    }
    posture.notes = notes.0;
    Sealed { posture, self_test }
}

fn drop_capabilities() -> rustix::io::Result<()> {
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    rustix::thread::set_capabilities(None, sets)
}

/// Dies with the zygote, cannot be dumped or traced.
fn process_flags(zygote: Pid) -> std::io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    if rustix::process::getppid() != Some(zygote) {
        return Err(std::io::Error::other("the zygote died before the death signal was set"));
    }
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    sys::ignore_file_size_signal();
    Ok(())
}

fn set_limits(limits: &WorkerLimits) -> rustix::io::Result<()> {
    let mut wanted = vec![
        (Resource::As, limits.address_space),
        (Resource::Fsize, limits.file_size),
        (Resource::Nofile, OPEN_FILES),
        (Resource::Core, 0),
        (Resource::Memlock, 0),
        (Resource::Msgqueue, 0),
    ];
    wanted.extend(limits.cpu_seconds.map(|seconds| (Resource::Cpu, seconds)));
    for (resource, value) in wanted {
        // Soft and hard alike: the CPU limit then kills with SIGKILL, and
        // nothing can be raised again.
        let highest = rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let value = Some(value.min(highest));
        rustix::process::setrlimit(resource, Rlimit { current: value, maximum: value })?;
    }
    Ok(())
}

/// Landlock: handle every right, add no rule.
fn restrict_files(notes: &mut Notes) -> LandlockLayer {
    let restricted = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(LANDLOCK_ABI))
        .and_then(|set| set.handle_access(AccessNet::from_all(LANDLOCK_ABI)))
        .and_then(|set| set.scope(Scope::from_all(LANDLOCK_ABI)))
        .and_then(|set| set.create())
        .and_then(|set| set.restrict_self());
    match restricted {
        Err(error) => {
            notes.add(&format!("landlock: {error}"));
            LandlockLayer { status: LandlockStatus::Failed, abi: 0 }
        }
        // Best effort returns Ok on a kernel without Landlock: only the
        // status says what holds.
        Ok(done) => LandlockLayer {
            status: match done.ruleset {
                RulesetStatus::FullyEnforced => LandlockStatus::FullyEnforced,
                RulesetStatus::PartiallyEnforced => LandlockStatus::PartiallyEnforced,
                RulesetStatus::NotEnforced => LandlockStatus::NotEnforced,
            },
            abi: match done.landlock {
                landlock::LandlockStatus::Available { effective_abi, .. } => {
                    u8::try_from(effective_abi as i32).unwrap_or(0)
                }
                landlock::LandlockStatus::NotEnabled | landlock::LandlockStatus::NotImplemented => {
                    0
                }
            },
        },
    }
}

/// Tries what the layers that claim to hold must stop. About 10 microseconds.
fn run_self_test(posture: &Posture) -> Vec<String> {
    let mut succeeded = Vec::new();
    let files = posture.seccomp || posture.landlock.status == LandlockStatus::FullyEnforced;
    if files && sys::can_open() {
        succeeded.push("open a file".to_owned());
    }
    if posture.seccomp && sys::can_make_socket() {
        succeeded.push("make a socket".to_owned());
    }
    if posture.seccomp && sys::can_fork() {
        succeeded.push("fork".to_owned());
    }
    succeeded
}
