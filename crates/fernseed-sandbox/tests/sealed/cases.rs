//! The test cases.

use crate::{probe, roles};
use fernseed_sandbox::attack::{self, AttackResult, Outcome};
use fernseed_sandbox::{
    DenyMode, EXIT_PANIC, LandlockStatus, Level, SandboxError, Worker, WorkerLimits, WorkerStatus,
    Zygote, ZygoteConfig,
};
use serde::de::DeserializeOwned;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

pub(crate) type Case = (&'static str, fn());

macro_rules! cases {
    ($($name:ident),* $(,)?) => { pub(crate) const ALL: &[Case] = &[$((stringify!($name), $name)),*]; };
}

cases![
    messages_go_both_ways,
    prepared_state_is_shared,
    files_are_copied_inside,
    only_given_descriptors_are_open,
    input_cannot_be_written,
    threads_work,
    sealed_worker_contains_every_attack,
    sealed_worker_contains_every_attack_as_a_normal_user,
    unsealed_process_does_not,
    kill_mode_kills,
    foreign_system_call_entry_is_killed,
    address_space_is_bounded,
    processor_time_is_bounded,
    file_size_is_bounded,
    sleeping_worker_meets_its_wall_clock,
    mute_worker_meets_its_wall_clock,
    wait_meets_the_wall_clock,
    early_exit_is_reported,
    garbage_is_malformed,
    oversized_prefix_is_refused,
    half_a_message_is_truncated,
    dripping_does_not_move_the_deadline,
    panic_and_abort_are_reported,
    stderr_is_bounded_and_printable,
    dropping_a_worker_kills_it,
    dropping_the_zygote_kills_workers,
    killed_zygote_is_noticed,
    dead_host_leaves_no_process,
    zygote_outlives_the_thread_that_started_it,
    bad_zygotes_do_not_start,
    too_many_files_are_refused,
    many_threads_spawn_at_once,
    old_kernels_are_reported_honestly,
    round_trip_is_fast,
];

fn exe() -> PathBuf {
    std::env::current_exe().unwrap()
}

fn zygote() -> Zygote {
    Zygote::start(&exe(), &["zygote"], ZygoteConfig::default()).unwrap()
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

fn wall(millis: u64) -> WorkerLimits {
    WorkerLimits { wall: Duration::from_millis(millis), ..WorkerLimits::default() }
}

fn any<T>(_: &T) -> Result<(), SandboxError> {
    Ok(())
}

fn get<T: DeserializeOwned>(worker: &mut Worker) -> Result<T, SandboxError> {
    worker.recv(soon())?.validate_with(any)
}

/// Spawns a worker with an input and an output.
fn spawn(zygote: &Zygote, role: u8, limits: WorkerLimits) -> Worker {
    let (input, output) = roles::files();
    zygote.spawn_worker(role, &[input.as_fd(), output.as_fd()], limits).unwrap()
}

fn default(zygote: &Zygote, role: u8) -> Worker {
    spawn(zygote, role, WorkerLimits::default())
}

/// Neither running nor a zombie.
fn assert_gone(pid: i32) {
    let path = format!("/proc/{pid}");
    let patience = Instant::now() + Duration::from_secs(2);
    while std::path::Path::new(&path).exists() {
        assert!(Instant::now() < patience, "process {pid} is still there");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn messages_go_both_ways() {
    let zygote = zygote();
    let mut worker = default(&zygote, roles::ECHO);
    let text = "x".repeat(300_000);
    worker.control().send(&text).unwrap();
    assert_eq!(get::<String>(&mut worker).unwrap(), text);
    assert!(worker.wait().unwrap().success());
    assert_gone(worker.pid());
    println!("posture {:?} {:?}", worker.posture().level(), worker.posture());
}

fn prepared_state_is_shared() {
    let zygote = zygote();
    let mut worker = default(&zygote, roles::PREPARED_VALUE);
    assert_eq!(get::<u64>(&mut worker).unwrap(), roles::PREPARED);
}

fn files_are_copied_inside() {
    for deny in [DenyMode::Errno, DenyMode::Kill] {
        let config = ZygoteConfig { deny, ..ZygoteConfig::default() };
        let zygote = Zygote::start(&exe(), &["zygote"], config).unwrap();
        let (input, output) = roles::files();
        let files = [input.as_fd(), output.as_fd()];
        let mut worker = zygote.spawn_worker(roles::COPY, &files, WorkerLimits::default()).unwrap();
        assert_eq!(get::<(u64, u64)>(&mut worker).unwrap(), (5000, 5000));
        assert!(worker.wait().unwrap().success());
        assert_eq!(output.metadata().unwrap().len(), 10_000);
    }
}

fn only_given_descriptors_are_open() {
    let zygote = zygote();
    let _other = default(&zygote, roles::SLEEP);
    let mut worker = default(&zygote, roles::DESCRIPTORS);
    assert_eq!(get::<Vec<i32>>(&mut worker).unwrap(), [0, 1, 2, 3, 4, 6]);
    let limits = WorkerLimits::default();
    let mut bare = zygote.spawn_worker(roles::DESCRIPTORS, &[], limits).unwrap();
    assert_eq!(get::<Vec<i32>>(&mut bare).unwrap(), [0, 1, 2, 6]);
}

fn input_cannot_be_written() {
    let zygote = zygote();
    let mut worker = default(&zygote, roles::WRITE_INPUT);
    assert_eq!(get::<Option<i32>>(&mut worker).unwrap(), Some(libc::EBADF));
}

fn threads_work() {
    for deny in [DenyMode::Errno, DenyMode::Kill] {
        let config = ZygoteConfig { deny, ..ZygoteConfig::default() };
        let zygote = Zygote::start(&exe(), &["zygote"], config).unwrap();
        let mut worker = default(&zygote, roles::THREADS);
        let (sum, parallel) = get::<(u64, usize)>(&mut worker).unwrap();
        assert_eq!(sum, 6 * (1 << 16) + 499_500);
        assert!(parallel >= 1);
        assert!(worker.wait().unwrap().success());
    }
}

fn assert_contained(report: &probe::Report) {
    assert_eq!(report.refused, None, "{report:?}");
    assert_eq!(report.attacks.len(), attack::all().len());
    let open: Vec<_> = report.attacks.iter().filter(|a| !a.outcome.contained()).collect();
    assert!(open.is_empty(), "uid {}: {open:?}", report.uid);
}

fn sealed_worker_contains_every_attack() {
    let report = probe::report(Command::new(exe()), &["sealed", "B"]);
    assert_contained(&report);
    println!("uid {}: {} attacks, all denied", report.uid, report.attacks.len());
}

fn sealed_worker_contains_every_attack_as_a_normal_user() {
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
fn unsealed_process_does_not() {
    let commands = [Some(Command::new(exe())), probe::as_nobody(&exe())];
    for command in commands.into_iter().flatten() {
        let report = probe::report(command, &["unsealed"]);
        let open = report.attacks.iter().filter(|a| a.outcome == Outcome::Succeeded).count();
        let reached = report.attacks.iter().filter(|a| !a.outcome.contained()).count();
        println!("uid {} unsealed: {open} succeeded, {reached} not contained", report.uid);
        assert!(open >= 30, "{:?}", report.attacks);
    }
}

fn kill_mode_kills() {
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

fn foreign_system_call_entry_is_killed() {
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

fn address_space_is_bounded() {
    let zygote = zygote();
    let limits = WorkerLimits { address_space: 512 << 20, ..WorkerLimits::default() };
    let mut worker = spawn(&zygote, roles::ALLOCATE, limits);
    let reached = get::<usize>(&mut worker).unwrap();
    assert!((256..512).contains(&reached), "{reached} MiB");
}

fn processor_time_is_bounded() {
    let zygote = zygote();
    let limits = WorkerLimits { cpu_seconds: Some(1), ..wall(20_000) };
    let mut worker = spawn(&zygote, roles::SPIN, limits);
    let started = Instant::now();
    assert_eq!(worker.wait().unwrap(), WorkerStatus::Signaled { signal: libc::SIGKILL });
    assert!(started.elapsed() < Duration::from_secs(15));
}

fn file_size_is_bounded() {
    let zygote = zygote();
    let limits = WorkerLimits { file_size: 8 << 20, ..WorkerLimits::default() };
    let mut worker = spawn(&zygote, roles::FILL, limits);
    let (written, errno) = get::<(usize, Option<i32>)>(&mut worker).unwrap();
    assert_eq!((written, errno), (8 << 20, Some(libc::EFBIG)));
}

fn sleeping_worker_meets_its_wall_clock() {
    let zygote = zygote();
    let mut worker = spawn(&zygote, roles::SLEEP, wall(300));
    let started = Instant::now();
    let error = get::<()>(&mut worker).unwrap_err();
    assert!(matches!(error, SandboxError::WallClock { .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(2));
    assert_gone(worker.pid());
    // A shorter deadline leaves the worker alone.
    let mut patient = spawn(&zygote, roles::SLEEP, wall(60_000));
    let short = Instant::now() + Duration::from_millis(50);
    let error = patient.recv::<()>(short).unwrap_err();
    assert!(matches!(error, SandboxError::DeadlinePassed), "{error}");
    assert!(std::path::Path::new(&format!("/proc/{}", patient.pid())).exists());
}

fn mute_worker_meets_its_wall_clock() {
    let zygote = zygote();
    let mut worker = spawn(&zygote, roles::MUTE, wall(400));
    let started = Instant::now();
    let error = get::<()>(&mut worker).unwrap_err();
    assert!(matches!(error, SandboxError::WallClock { .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(2));
    assert_gone(worker.pid());
}

/// Nobody listens; the zygote alone has to end it.
fn wait_meets_the_wall_clock() {
    let zygote = zygote();
    let mut worker = spawn(&zygote, roles::SLEEP, wall(300));
    let idle = spawn(&zygote, roles::SLEEP, wall(300));
    let error = worker.wait().unwrap_err();
    assert!(matches!(error, SandboxError::WallClock { .. }), "{error}");
    assert_gone(worker.pid());
    assert_gone(idle.pid());
}

fn early_exit_is_reported() {
    let zygote = zygote();
    let mut worker = default(&zygote, roles::EXIT_EARLY);
    let error = get::<()>(&mut worker).unwrap_err();
    let SandboxError::WorkerDied { status } = error else { panic!("{error}") };
    assert_eq!(status, Some(WorkerStatus::Exited { code: 7 }));
    assert_eq!(worker.wait().unwrap(), WorkerStatus::Exited { code: 7 });
    assert_gone(worker.pid());
}

fn garbage_is_malformed() {
    let zygote = zygote();
    let mut worker = default(&zygote, roles::GARBAGE);
    let pid = worker.pid();
    let error = get::<String>(&mut worker).unwrap_err();
    let SandboxError::Malformed { reason } = error else { panic!("{error}") };
    assert!(!reason.contains('\u{1b}'));
    drop(worker);
    assert_gone(pid);
}

fn oversized_prefix_is_refused() {
    let zygote = zygote();
    let mut worker = default(&zygote, roles::OVERSIZED);
    let started = Instant::now();
    let error = get::<String>(&mut worker).unwrap_err();
    let SandboxError::MessageTooLarge { length, .. } = error else { panic!("{error}") };
    assert_eq!(length, u64::from(u32::MAX));
    assert!(started.elapsed() < Duration::from_secs(2));
}

fn half_a_message_is_truncated() {
    let zygote = zygote();
    let mut worker = default(&zygote, roles::HALF);
    let error = get::<String>(&mut worker).unwrap_err();
    assert!(matches!(error, SandboxError::Truncated), "{error}");
    assert_gone(worker.pid());
}

fn dripping_does_not_move_the_deadline() {
    let zygote = zygote();
    let mut worker = default(&zygote, roles::DRIP);
    let started = Instant::now();
    let error = worker.recv::<String>(started + Duration::from_millis(500)).unwrap_err();
    assert!(matches!(error, SandboxError::DeadlinePassed), "{error}");
    assert!(started.elapsed() < Duration::from_secs(1));
}

fn panic_and_abort_are_reported() {
    let zygote = zygote();
    let mut worker = default(&zygote, roles::PANIC);
    assert_eq!(worker.wait().unwrap(), WorkerStatus::Exited { code: EXIT_PANIC });
    let mut worker = default(&zygote, roles::ABORT);
    assert_eq!(worker.wait().unwrap(), WorkerStatus::Signaled { signal: libc::SIGABRT });
    let patience = soon();
    while !zygote.stderr().contains("panics") && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(5));
    }
    let text = zygote.stderr();
    assert!(text.contains("panics") && !text.contains('\u{1b}'), "{text}");
}

fn stderr_is_bounded_and_printable() {
    let zygote = zygote();
    let mut worker = default(&zygote, roles::FLOOD_STDERR);
    get::<()>(&mut worker).unwrap();
    drop(worker);
    let text = zygote.stderr();
    assert!(text.len() <= 3 * 4096 && text.len() > 1000, "{}", text.len());
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
}

fn dropping_a_worker_kills_it() {
    let zygote = zygote();
    let worker = default(&zygote, roles::SLEEP);
    let pid = worker.pid();
    drop(worker);
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
}

fn dropping_the_zygote_kills_workers() {
    let zygote = zygote();
    let mut worker = default(&zygote, roles::SLEEP);
    let server = i32::try_from(zygote.pid()).unwrap();
    drop(zygote);
    assert_gone(worker.pid());
    assert_gone(server);
    let error = worker.wait().unwrap_err();
    assert!(matches!(error, SandboxError::ZygoteGone), "{error}");
}

fn killed_zygote_is_noticed() {
    let zygote = zygote();
    let mut worker = default(&zygote, roles::SLEEP);
    let server = rustix::process::Pid::from_raw(i32::try_from(zygote.pid()).unwrap()).unwrap();
    rustix::process::kill_process(server, rustix::process::Signal::KILL).unwrap();
    let error = get::<()>(&mut worker).unwrap_err();
    assert!(matches!(error, SandboxError::WorkerDied { status: None }), "{error}");
    let error = zygote.spawn_worker(roles::NOOP, &[], WorkerLimits::default()).unwrap_err();
    assert!(matches!(error, SandboxError::ZygoteGone), "{error}");
}

/// SIGKILL to a whole host: the zygote and its workers go as well.
fn dead_host_leaves_no_process() {
    use std::io::{BufRead as _, BufReader};
    let mut host = Command::new(exe())
        .args(["probe", "linger"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(host.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let pids: Vec<i32> = serde_json::from_str(&line).unwrap();
    assert_eq!(pids.len(), 2);
    host.kill().unwrap();
    host.wait().unwrap();
    for pid in pids {
        // Orphans are reaped by whoever adopts them, if anybody does.
        let patience = soon();
        while running(pid) {
            assert!(Instant::now() < patience, "process {pid} survived its host");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn running(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

fn zygote_outlives_the_thread_that_started_it() {
    let zygote = std::thread::spawn(zygote).join().unwrap();
    std::thread::sleep(Duration::from_millis(100));
    let mut worker = default(&zygote, roles::NOOP);
    assert!(worker.wait().unwrap().success());
}

fn bad_zygotes_do_not_start() {
    let config =
        ZygoteConfig { start_timeout: Duration::from_millis(1500), ..ZygoteConfig::default() };
    let start = |argument: &str| Zygote::start(&exe(), &[argument], config).unwrap_err();
    let error = start("zygote-refusing");
    assert!(matches!(&error, SandboxError::ZygoteFailed { reason } if reason == "no models"));
    let error = start("zygote-threaded");
    assert!(matches!(&error, SandboxError::ZygoteFailed { reason } if reason.contains("thread")));
    let error = start("--list");
    assert!(matches!(error, SandboxError::ZygoteGone), "{error}");
    let error = Zygote::start("/fernseed-no-such-file".as_ref(), &["zygote"], config).unwrap_err();
    assert!(matches!(error, SandboxError::Start(_)), "{error}");
    let started = Instant::now();
    let error = start("zygote-hanging");
    assert!(matches!(error, SandboxError::DeadlinePassed), "{error}");
    assert!(started.elapsed() < Duration::from_secs(9));
}

fn too_many_files_are_refused() {
    let zygote = zygote();
    let (input, _output) = roles::files();
    let files = [input.as_fd(); 4];
    let error = zygote.spawn_worker(roles::NOOP, &files, WorkerLimits::default()).unwrap_err();
    assert!(matches!(error, SandboxError::TooManyFiles { given: 4 }), "{error}");
}

fn many_threads_spawn_at_once() {
    let zygote = zygote();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let zygote = &zygote;
            scope.spawn(move || {
                for turn in 0..10 {
                    let mut worker = default(zygote, roles::ECHO);
                    let text = format!("{thread} {turn}");
                    worker.control().send(&text).unwrap();
                    assert_eq!(get::<String>(&mut worker).unwrap(), text);
                    assert!(worker.wait().unwrap().success());
                }
            });
        }
    });
}

/// Imitates kernels without a layer by making its system calls fail.
fn old_kernels_are_reported_honestly() {
    let version = Command::new("strace").arg("-V").output();
    if !version.is_ok_and(|output| output.status.success()) {
        println!("strace is not installed, skipped");
        return;
    }
    use LandlockStatus::{Failed, NotEnforced, PartiallyEnforced};
    let probe = |injection: &str, minimum: &str| {
        let call = injection.split_once(':').unwrap().0;
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}")]);
        command.args(["-e", &format!("inject={injection}")]).arg(exe());
        probe::report(command, &["sealed", minimum])
    };
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
        let report = probe(injection, "B");
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
    let report = probe("seccomp:error=EINVAL", "C");
    assert_eq!(report.posture.map(|posture| posture.level()), Some(Level::C));
    let open = |name: &str| report.attacks.iter().any(|a| a.name == name && !a.outcome.contained());
    assert!(open("socket Unix") && open("fork"));
    assert!(!open("open /etc/passwd") && !open("create a file") && !open("signal the parent"));
}

fn round_trip_is_fast() {
    let zygote = zygote();
    let mut millis: Vec<f64> = (0..300)
        .map(|_| {
            let started = Instant::now();
            let mut worker = default(&zygote, roles::NOOP);
            assert!(worker.wait().unwrap().success());
            started.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    millis.sort_by(f64::total_cmp);
    println!(
        "fork, seal, self-test, exit, reap: p50 {:.2} ms, p95 {:.2} ms, min {:.2} ms",
        millis[150], millis[285], millis[0]
    );
    assert!(millis[150] < 50.0);
}
