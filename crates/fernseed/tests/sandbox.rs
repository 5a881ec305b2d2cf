//! The sandbox of the shipped binary: what it says of itself, what it does
//! on kernels that lack a layer, and what system calls a run really makes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod common;

use common::bench::{Run, program, run};
use common::{Bench, judge, media};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// Forbidden acts that the self-attack tries at least.
const LEAST_ATTACKS: usize = 30;

/// Fails unless a diagnosis says that everything was contained.
#[track_caller]
fn assert_contained(run: Run) -> Value {
    let run = run.expect(0);
    let found = run.json().remove(0);
    let attacks = found["attacks"].as_array().unwrap();
    assert!(attacks.len() >= LEAST_ATTACKS, "{} attacks only", attacks.len());
    let succeeded: Vec<_> =
        attacks.iter().filter(|a| a["outcome"].get("denied").is_none()).collect();
    assert!(succeeded.is_empty(), "not contained: {succeeded:?}");
    let level = found["level"].as_str().unwrap();
    assert!(["A", "B"].contains(&level), "level {level}");
    assert_eq!(found["posture"]["seccomp"], true);
    assert_eq!(found["posture"]["no_new_privs"], true);
    assert_eq!(found["posture"]["resource_limits"], true);
    found
}

#[test]
fn doctor_contains_every_attack() {
    let found = assert_contained(Bench::new().fernseed("doctor --json"));
    let names = found["attacks"].to_string();
    for act in ["open", "socket", "fork", "exec"] {
        assert!(names.contains(act), "nobody tried to {act}: {names}");
    }
    let calls = found["allowed_syscalls"].to_string();
    for call in ["\"openat\"", "\"socket\"", "\"execve\"", "\"connect\"", "\"fork\"", "\"ptrace\""]
    {
        assert!(!calls.contains(call), "{call} is allowed");
    }
    let words = Bench::new().fernseed("doctor").expect(0).out;
    assert!(words.contains("0 succeeded") && words.contains("Sandbox: level"), "{words}");
}

/// A bench with a copy of the binary that everybody may read.
fn public() -> Bench {
    let bench = Bench::new();
    let program = bench.path("fernseed");
    std::fs::copy(common::bench::program(), &program).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(bench.folder(), std::fs::Permissions::from_mode(0o777)).unwrap();
    bench
}

/// A command run by a user without rights; `None` if that is impossible.
fn as_nobody(bench: &Bench, arguments: &str) -> Option<Run> {
    if !media::have("setpriv") {
        return None;
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    command.arg(bench.path("fernseed")).args(arguments.split_whitespace());
    let done = run(command.current_dir(bench.folder()));
    if done.err.starts_with("setpriv:") {
        println!("skipped: {}", done.err);
        return None;
    }
    Some(done)
}

#[test]
fn a_normal_user_is_as_safe() {
    let bench = public();
    let Some(done) = as_nobody(&bench, "doctor --json") else { return };
    assert_contained(done);
    let Some(photo) = media::photo() else { return };
    bench.copy(&photo, "photo.png");
    let Some(done) = as_nobody(&bench, "redact photo.png --fill magenta") else { return };
    done.expect(0);
    let output = judge::still(&bench.path("photo.redacted.png"));
    assert!(output.distance_from_fill(media::PHOTO_FACE) < 24);
}

/// The binary under strace, which makes system calls fail; `None` where
/// strace is missing or may not trace.
fn injected(bench: &Bench, injection: &str, arguments: &str) -> Option<Run> {
    if !media::have("strace") {
        return None;
    }
    let call = injection.split(':').next().unwrap();
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o"]).arg(bench.path("strace.log"));
    command.args(["-e", &format!("trace={call}"), "-e", &format!("inject={injection}")]);
    command.arg(program()).args(arguments.split_whitespace()).current_dir(bench.folder());
    let done = run(&mut command);
    let log = std::fs::read_to_string(bench.path("strace.log")).unwrap_or_default();
    if done.err.contains("strace:") || !log.contains("(INJECTED)") {
        assert!(!log.contains(call), "nothing was injected: {log}");
        println!("skipped: strace cannot trace here: {}", done.err);
        return None;
    }
    std::fs::remove_file(bench.path("strace.log")).unwrap();
    Some(done)
}

/// An old kernel without Landlock: one level lower, said so, and the system
/// call filter alone still contains everything.
#[test]
fn without_landlock_the_level_is_b() {
    let bench = Bench::new();
    for error in ["EOPNOTSUPP", "ENOSYS"] {
        let injection = format!("landlock_create_ruleset:error={error}");
        let Some(done) = injected(&bench, &injection, "doctor --json") else { return };
        let found = assert_contained(done);
        assert_eq!(found["level"], "B", "{}", found["posture"]);
    }
    let Some(photo) = media::photo() else { return };
    bench.copy(&photo, "photo.png");
    let injection = "landlock_create_ruleset:error=EOPNOTSUPP";
    let Some(done) = injected(&bench, injection, "redact photo.png --report r.json") else {
        return;
    };
    done.expect(0);
    let report = bench.json("r.json");
    assert_ne!(report["files"][0]["sandbox"]["landlock"]["status"], "fully_enforced");
}

/// Without a system call filter nothing is decoded at all.
#[test]
fn without_a_filter_nothing_runs() {
    let Some(photo) = media::photo() else { return };
    let bench = Bench::with(&photo, "photo.png");
    for command in ["redact photo.png", "scan photo.png", "audit photo.png"] {
        let Some(done) = injected(&bench, "seccomp:error=EINVAL", command) else { return };
        assert_ne!(done.code, 0, "{command} ran without a filter: {}", done.out);
        assert_eq!(done.errors().len(), 1, "{command}: {}", done.err);
        assert!(!done.out.contains("redactions"), "{}", done.out);
        assert_eq!(bench.names().into_iter().collect::<Vec<_>>(), ["photo.png"]);
    }
    let Some(done) = injected(&bench, "seccomp:error=EINVAL", "doctor") else { return };
    assert_ne!(done.code, 0, "doctor is content without a filter: {}", done.out);
}

/// A filter that lets sockets through must be noticed by the self-test.
#[test]
fn a_filter_that_does_not_hold_is_noticed() {
    let Some(photo) = media::photo() else { return };
    let bench = Bench::with(&photo, "photo.png");
    let Some(done) = injected(&bench, "socket:retval=0", "redact photo.png") else { return };
    assert_ne!(done.code, 0, "{}", done.out);
    assert_eq!(bench.names().into_iter().collect::<Vec<_>>(), ["photo.png"]);
}

/// Runs a command under strace and returns the calls it made.
fn calls(bench: &Bench, set: &str, arguments: &str) -> Option<Vec<String>> {
    if !media::have("strace") {
        return None;
    }
    let log = bench.path("strace.log");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-e", &format!("trace={set}"), "-o"]).arg(&log);
    command.arg(program()).args(arguments.split_whitespace()).current_dir(bench.folder());
    let done = run(&mut command);
    let text = std::fs::read_to_string(&log).unwrap_or_default();
    if done.err.contains("strace:") || text.is_empty() {
        println!("skipped: strace cannot trace here: {}", done.err);
        return None;
    }
    done.expect(0);
    std::fs::remove_file(log).unwrap();
    Some(text.lines().map(str::to_owned).collect())
}

/// A whole run, host and workers: no socket of any network family is made
/// and nobody is connected to.
#[test]
fn a_run_never_touches_the_network() {
    let (Some(photo), Some(clip)) = (media::photo(), media::clip()) else { return };
    let bench = Bench::with(&photo, "photo.png");
    bench.copy(&clip, "clip.mp4");
    let command = "redact photo.png clip.mp4 --report report.json";
    let Some(lines) = calls(&bench, "%network", command) else { return };
    assert!(lines.iter().any(|l| l.contains("socketpair(AF_UNIX")), "{lines:?}");
    for line in &lines {
        assert!(!line.contains("AF_INET") && !line.contains("AF_NETLINK"), "{line}");
        for call in ["connect(", "bind(", "listen(", "accept(", "accept4("] {
            assert!(!line.contains(call), "{line}");
        }
        // The self-test of every worker tries one socket, which must fail;
        // where calls of two processes cross, the answer comes later.
        let socket = line.contains(" socket(") || line.contains("socket resumed>");
        let later = line.contains("<unfinished");
        assert!(!socket || later || line.contains("= -1 "), "{line}");
    }
    assert!(bench.names().contains("clip.redacted.mp4"));
}

/// Inputs are opened for reading only, and nothing is created but what the
/// user gets: no temporary files anywhere.
#[test]
fn a_run_writes_nothing_else() {
    let Some(clip) = media::clip() else { return };
    let bench = Bench::with(&clip, "clip.mp4");
    let Some(lines) = calls(&bench, "%file", "redact clip.mp4") else { return };
    let folder = bench.folder().to_string_lossy().into_owned();
    for line in lines.iter().filter(|l| l.contains("open") && !l.contains("= -1 ")) {
        if line.contains("clip.mp4\"") {
            assert!(line.contains("O_RDONLY"), "{line}");
        }
        let written = line.contains("O_WRONLY") || line.contains("O_RDWR");
        let unnamed = line.contains("O_TMPFILE") || line.contains("/proc/self/fd/");
        let harmless = line.contains("/dev/null") || line.contains("/proc/self/");
        assert!(!written || unnamed || harmless, "{line} in {folder}");
        assert!(!line.contains("O_CREAT"), "{line}");
    }
    for call in ["unlink", "rename", "truncate", "mkdir", "symlink", "chmod(\"", "chown"] {
        let hit = lines.iter().find(|l| l.contains(&format!(" {call}")) && !l.contains("= -1 "));
        assert!(hit.is_none(), "{hit:?}");
    }
    assert!(lines.iter().any(|l| l.contains("linkat(")), "published by a link");
}

/// C libraries that are linked statically must not stand in for those that
/// FFmpeg loads: the same names with other structures corrupt memory.
#[test]
fn no_c_symbol_is_exported() {
    if !media::have("nm") {
        return;
    }
    let output = Command::new("nm").args(["-D", "--defined-only"]).arg(program()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let exported: Vec<_> = text
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .filter(|name| {
            ["dav1d_", "WebP", "VP8", "av_", "jpeg_", "png_", "heif_"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
        })
        .collect();
    assert!(exported.is_empty(), "{exported:?}");
}

/// The list in docs/sandbox.md is the list that is enforced.
#[test]
fn the_documented_system_calls_are_the_allowed_ones() {
    let found = Bench::new().fernseed("doctor --json").json().remove(0);
    let text = std::fs::read_to_string(fernseed_testkit::root().join("docs/sandbox.md")).unwrap();
    let documented: Vec<(String, String)> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` | "))
        .map(|(call, rest)| (call.to_owned(), rest.trim_end_matches(" |").to_owned()))
        .collect();
    let calls: Vec<&str> = documented.iter().map(|(call, _)| call.as_str()).collect();
    assert_eq!(serde_json::json!(calls), found["allowed_syscalls"], "docs/sandbox.md is behind");
    for (call, condition) in &documented {
        let enforced = found["conditions"][call].as_str().unwrap_or("any arguments");
        assert_eq!(condition, enforced, "{call}");
    }
}

/// Every command but `review`, in an empty network namespace: it works, and
/// nothing of a network is touched.
#[test]
fn no_command_touches_the_network() {
    let (Some(photo), true) = (media::photo(), media::have("strace")) else { return };
    let alone = Command::new("unshare").args(["-n", "true"]).status();
    if !alone.is_ok_and(|s| s.success()) {
        println!("skipped: no network namespace can be made here");
        return;
    }
    let bench = Bench::with(&photo, "photo.png");
    let commands = [
        "redact photo.png -o out --resume",
        "scan photo.png -o plan.json",
        "apply plan.json photo.png -o applied.png",
        "inspect photo.png",
        "audit applied.png",
        "doctor",
        "schema plan",
        "completions bash",
        "--help",
    ];
    for arguments in commands {
        let log = bench.path("strace.log");
        let mut command = Command::new("unshare");
        command.args(["-n", "strace", "-f", "-qq", "-e", "trace=%network", "-o"]).arg(&log);
        command.arg(program()).args(arguments.split_whitespace()).current_dir(bench.folder());
        let done = run(&mut command);
        assert!([0, 1].contains(&done.code), "{arguments}: {}", done.err);
        let text = std::fs::read_to_string(&log).unwrap();
        for line in text.lines().filter(|l| !l.contains("AF_UNIX")) {
            // Workers try forbidden sockets in their self-test and must fail;
            // messages go over the socket pairs between our own processes.
            let refused = line.contains("= -1 ");
            let between_us = ["sendmsg(", "recvmsg(", "sendto(", "recvfrom("]
                .iter()
                .any(|call| line.contains(call) && !line.contains("sa_family"));
            let ended = line.contains("+++") || line.contains("resumed>") || line.contains("---");
            assert!(refused || between_us || ended, "{arguments}: {line}");
        }
    }
}

/// The program asks no resolver and opens no connection of its own: the
/// symbols for it are not imported. Which linked libraries import them is
/// printed: FFmpeg's are linked whole, but read through our callbacks only,
/// in a sealed process.
#[test]
fn the_program_imports_no_resolver_and_no_connect() {
    const NETWORK: [&str; 18] = [
        "connect",
        "bind",
        "listen",
        "accept",
        "accept4",
        "getaddrinfo",
        "getnameinfo",
        "gethostbyname",
        "gethostbyname_r",
        "gethostbyaddr",
        "gethostname",
        "res_query",
        "res_search",
        "res_init",
        "getpeername",
        "getsockname",
        "if_nametoindex",
        "inet_pton",
    ];
    if !media::have("nm") || !media::have("ldd") {
        return;
    }
    let imports = |file: &std::path::Path| -> Vec<String> {
        let output =
            Command::new("nm").args(["-D", "--undefined-only"]).arg(file).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let words = text.lines().filter_map(|l| l.split_whitespace().last());
        words.map(|w| w.split('@').next().unwrap_or(w).to_owned()).collect()
    };
    let network = |file: &std::path::Path| -> Vec<String> {
        let mut found: Vec<_> =
            imports(file).into_iter().filter(|s| NETWORK.contains(&s.as_str())).collect();
        found.sort();
        found.dedup();
        found
    };
    let all = imports(program());
    assert!(all.iter().any(|s| s == "socketpair"), "nm shows nothing: {all:?}");
    assert_eq!(network(program()), Vec::<String>::new(), "the program itself imports them");
    let output = Command::new("ldd").arg(program()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut libraries = 0;
    let mut with = Vec::new();
    for path in text.lines().filter_map(|l| l.split("=> ").nth(1)?.split_whitespace().next()) {
        libraries += 1;
        let found = network(path.as_ref());
        if !found.is_empty() {
            with.push(format!("{}: {}", path.rsplit('/').next().unwrap(), found.join(" ")));
        }
    }
    println!("{} of {libraries} linked libraries import them:\n{}", with.len(), with.join("\n"));
    assert!(libraries > 10, "ldd shows nothing: {text}");
}
