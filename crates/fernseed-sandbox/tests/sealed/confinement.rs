//! What a sealed worker can still do, and what it says about its seal.

use crate::cases::{default, exe, get, zygote};
use crate::{probe, roles};
use fernseed_sandbox::attack::{self, AttackResult, Outcome};
use fernseed_sandbox::{
    DenyMode, LandlockStatus, Level, SandboxError, WorkerStatus, Zygote, ZygoteConfig,
};
use std::process::Command;

fn assert_contained(report: &probe::Report) {
    assert_eq!(report.refused, None, "{report:?}");
    assert_eq!(report.attacks.len(), attack::all().len());
    let open: Vec<_> = report.attacks.iter().filter(|a| !a.outcome.contained()).collect();
    assert!(open.is_empty(), "uid {}: {open:?}", report.uid);
}

pub(crate) fn sealed_worker_contains_every_attack() {
    let report = probe::report(Command::new(exe()), &["sealed", "B"]);
    assert_contained(&report);
    println!("uid {}: {} attacks, all denied", report.uid, report.attacks.len());
}

pub(crate) fn sealed_worker_contains_every_attack_as_a_normal_user() {
    let Some(command) = probe::as_nobody(&exe()) else {
        println!("not root, the previous case was it");
        return;
    };
    let report = probe::report(command, &["sealed", "B"]);
    assert_eq!(report.uid, 65534);
    assert_contained(&report);
    println!("uid {}: {} attacks, all denied", report.uid, report.attacks.len());
}

/// The control: without a sandbox the same list must find things to do.
pub(crate) fn unsealed_process_does_not() {
    let commands = [Some(Command::new(exe())), probe::as_nobody(&exe())];
    for command in commands.into_iter().flatten() {
        let report = probe::report(command, &["unsealed"]);
        let open = report.attacks.iter().filter(|a| a.outcome == Outcome::Succeeded).count();
        let reached = report.attacks.iter().filter(|a| !a.outcome.contained()).count();
        println!("uid {} unsealed: {open} succeeded, {reached} not contained", report.uid);
        assert!(open >= 30, "{:?}", report.attacks);
    }
}

pub(crate) fn kill_mode_kills() {
    let config = ZygoteConfig { deny: DenyMode::Kill, ..ZygoteConfig::default() };
    let zygote = Zygote::start(&exe(), &["zygote"], config).unwrap();
    let (mut killed, mut soft) = (0, Vec::new());
    for (index, act) in attack::all().iter().enumerate() {
        let mut worker = default(&zygote, roles::ONE_ATTACK);
        worker.control().send(&index).unwrap();
        match get::<AttackResult>(&mut worker) {
            Err(SandboxError::WorkerDied { status: Some(status) }) => {
                assert!(status.broke_policy(), "{}: {status}", act.name);
                killed += 1;
            }
            Ok(result) => {
                assert!(result.outcome.contained(), "{result:?}");
                soft.push(act.name);
            }
            Err(error) => panic!("{}: {error}", act.name),
        }
    }
    println!("killed {killed}, refused softly {soft:?}");
    assert!(killed >= 80);
    assert!(soft.len() <= 12, "{soft:?}");
}

pub(crate) fn foreign_system_call_entry_is_killed() {
    if !cfg!(target_arch = "x86_64") {
        println!("only x86-64 has one");
        return;
    }
    let zygote = zygote();
    let mut worker = default(&zygote, roles::FOREIGN_ENTRY);
    match get::<()>(&mut worker) {
        // SIGSEGV: this kernel was built without the 32-bit entry.
        Err(SandboxError::WorkerDied { status: Some(status) }) => assert!(
            [libc::SIGSYS, libc::SIGSEGV].contains(&if let WorkerStatus::Signaled { signal } =
                status
            {
                signal
            } else {
                0
            }),
            "{status}"
        ),
        other => panic!("{other:?}"),
    }
}

/// A probe in which some system calls fail or lie.
fn under(injection: &str, minimum: &str) -> probe::Report {
    let call = injection.split_once(':').unwrap().0;
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}")]);
    command.args(["-e", &format!("inject={injection}")]).arg(exe());
    probe::report(command, &["sealed", minimum])
}

fn strace_is_here() -> bool {
    let here = Command::new("strace").arg("-V").output().is_ok_and(|out| out.status.success());
    if !here {
        println!("strace is not installed, skipped");
    }
    here
}

/// Imitates kernels without a layer by making its system calls fail.
pub(crate) fn old_kernels_are_reported_honestly() {
    if !strace_is_here() {
        return;
    }
    use LandlockStatus::{Failed, NotEnforced, PartiallyEnforced};
    let cases = [
        ("landlock_create_ruleset:error=EOPNOTSUPP", Some(NotEnforced), Level::B),
        ("landlock_create_ruleset:error=ENOSYS", Some(NotEnforced), Level::B),
        ("landlock_create_ruleset:retval=1:when=1", Some(PartiallyEnforced), Level::B),
        ("landlock_create_ruleset:retval=4:when=1", Some(PartiallyEnforced), Level::B),
        ("landlock_restrict_self:error=E2BIG", Some(Failed), Level::B),
        ("unshare:error=EPERM", None, Level::B),
        ("seccomp:error=EINVAL", None, Level::C),
        ("prlimit64:error=EPERM", None, Level::D),
    ];
    for (injection, landlock, level) in cases {
        let report = under(injection, "B");
        if level == Level::D && report.posture.is_none() {
            // The zygote itself already refused.
            assert!(report.refused.is_some());
            continue;
        }
        let posture = report.posture.as_ref().unwrap_or_else(|| panic!("{injection}: {report:?}"));
        println!("{injection}: {:?} {:?} {:?}", posture.level(), posture.landlock, posture.notes);
        assert_eq!(posture.level(), level, "{injection}: {posture:?}");
        if let Some(landlock) = landlock {
            assert_eq!(posture.landlock.status, landlock, "{injection}");
        }
        if level < Level::B {
            assert_eq!(report.refused.as_deref(), Some("below B"), "{injection}");
            assert!(report.attacks.is_empty());
        } else {
            assert_contained(&report);
        }
    }
    // Without a filter a worker runs only where level C was asked for, and
    // then Landlock still holds on its own.
    let report = under("seccomp:error=EINVAL", "C");
    assert_eq!(report.posture.map(|posture| posture.level()), Some(Level::C));
    let open = |name: &str| report.attacks.iter().any(|a| a.name == name && !a.outcome.contained());
    assert!(open("socket Unix") && open("fork"));
    assert!(!open("open /etc/passwd") && !open("create a file") && !open("signal the parent"));
}

/// A socket that seems to open inside must stop everything.
pub(crate) fn failed_self_test_refuses() {
    if !strace_is_here() {
        return;
    }
    let report = under("socket:retval=0", "B");
    let refused = report.refused.unwrap_or_default();
    assert!(refused.contains("does not hold") && refused.contains("make a socket"), "{refused}");
    assert!(report.attacks.is_empty());
}
