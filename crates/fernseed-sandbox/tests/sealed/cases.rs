//! The test cases.

use crate::confinement::*;
use crate::roles;
use fernseed_sandbox::{
    DenyMode, EXIT_PANIC, MAX_FILES, SandboxError, Worker, WorkerLimits, WorkerStatus, Zygote,
    ZygoteConfig,
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
    failed_self_test_refuses,
    round_trip_is_fast,
];

pub(crate) fn exe() -> PathBuf {
    std::env::current_exe().unwrap()
}

pub(crate) fn zygote() -> Zygote {
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

pub(crate) fn get<T: DeserializeOwned>(worker: &mut Worker) -> Result<T, SandboxError> {
    worker.recv(soon())?.validate_with(any)
}

/// Spawns a worker with an input and an output.
fn spawn(zygote: &Zygote, role: u8, limits: WorkerLimits) -> Worker {
    let (input, output) = roles::files();
    zygote.spawn_worker(role, &[input.as_fd(), output.as_fd()], limits).unwrap()
}

pub(crate) fn default(zygote: &Zygote, role: u8) -> Worker {
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
    assert_eq!(get::<Vec<i32>>(&mut worker).unwrap(), [0, 1, 2, 3, 4, 7]);
    let limits = WorkerLimits::default();
    let mut bare = zygote.spawn_worker(roles::DESCRIPTORS, &[], limits).unwrap();
    assert_eq!(get::<Vec<i32>>(&mut bare).unwrap(), [0, 1, 2, 7]);
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
    let files = [input.as_fd(); MAX_FILES + 1];
    let error = zygote.spawn_worker(roles::NOOP, &files, WorkerLimits::default()).unwrap_err();
    assert!(
        matches!(error, SandboxError::TooManyFiles { given } if given == MAX_FILES + 1),
        "{error}"
    );
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
