//! `strip` on all real files of the shared metadata and video collections,
//! through the whole program: nothing is withheld by our own check, what
//! fails says why, nothing crashes, and what is published holds nothing of
//! its original.
//!
//! Every output is searched for its original's metadata and accounted for;
//! the program's own `audit --against`, which decodes and looks for people,
//! runs on every sixteenth. `FERNSEED_LONG=1` runs it on all and lets `strip`
//! code again what cannot stay as it is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod common;

use common::Bench;
use fernseed_scrub::{account, leaks};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// Folders of real files below the shared data.
const COLLECTIONS: [&str; 2] = ["metadata", "video"];
/// Every so manieth output is audited by the program in the short run.
const SAMPLE: usize = 16;

fn long() -> bool {
    std::env::var_os("FERNSEED_LONG").is_some()
}

/// Length and modification time of every file below `folder`.
fn state(folder: &Path) -> BTreeMap<PathBuf, (u64, std::time::SystemTime)> {
    let mut out = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let meta = entry.metadata().unwrap();
        if meta.is_dir() {
            out.extend(state(&entry.path()));
        } else {
            out.insert(entry.path(), (meta.len(), meta.modified().unwrap()));
        }
    }
    out
}

/// Original and output of every published file.
struct Pair {
    /// Below the shared data, for messages.
    name: String,
    original: PathBuf,
    output: PathBuf,
}

#[test]
fn all_real_files_are_stripped_or_say_why() {
    let Some(data) = fernseed_testkit::shared().map(|s| s.join("data").canonicalize().unwrap())
    else {
        println!("skipped: the shared data is not there");
        return;
    };
    let folders = COLLECTIONS.map(|name| data.join(name));
    let before: Vec<_> = folders.iter().map(|f| state(f)).collect();
    let bench = Bench::new();
    let mut command = bench.command();
    command.arg("strip").args(&folders).args(["-o", "out/", "-q", "-j", "4"]);
    command.args(["--report", "report.json", "--report-names"]);
    if !long() {
        command.arg("--no-reencode");
    }
    let run = common::bench::run(&mut command);
    // 4 would be an output that our own check refuted; 1 one in doubt.
    assert!([0, 3].contains(&run.code), "exit code {}\n{}", run.code, run.err);
    let after: Vec<_> = folders.iter().map(|f| state(f)).collect();
    assert!(before == after, "originals were changed");

    let report = bench.json("report.json");
    let files = report["files"].as_array().unwrap();
    let mut counts = BTreeMap::<String, usize>::new();
    let mut pairs = Vec::new();
    let mut bad = Vec::new();
    for file in files {
        let original = PathBuf::from(file["input"].as_str().unwrap());
        let inner = original.strip_prefix(&data).unwrap();
        let name = inner.display().to_string();
        let status = file["status"].as_str().unwrap();
        *counts.entry(status.to_owned()).or_default() += 1;
        match status {
            "published" => {
                let inner: PathBuf = inner.parent().unwrap().iter().skip(1).collect();
                let output = file["output"].as_str().unwrap();
                let output = bench.folder().join("out").join(inner).join(output);
                pairs.push(Pair { name, original, output });
            }
            "failed" => bad.extend(unclear(file).map(|why| format!("{name}: {why}"))),
            "skipped" => {}
            other => bad.push(format!("{name}: {other}: {}", file["findings"])),
        }
    }
    println!("{counts:?}");
    assert!(bad.is_empty(), "{bad:#?}");
    let all: usize = before.iter().map(BTreeMap::len).sum();
    assert!(files.len() == all, "{} of {all} files are in the report", files.len());
    assert!(pairs.len() > 200, "published: {}", pairs.len());
    let written = bench.names().iter().filter(|n| bench.path(n).is_file()).count() - 1;
    assert_eq!(written, pairs.len(), "only what is published exists");

    let bad: Vec<_> = pairs.iter().filter_map(left_in).collect();
    assert!(bad.is_empty(), "{bad:#?}");
    let step = if long() { 1 } else { SAMPLE };
    let bad: Vec<_> = pairs.iter().step_by(step).flat_map(|p| audited(&bench, p)).collect();
    assert!(bad.is_empty(), "{bad:#?}");
}

/// Why a failure is not as it should be: no reason, or one that says that a
/// worker crashed, hung or broke the protocol.
fn unclear(file: &Value) -> Option<String> {
    let failure = &file["failure"];
    let message = failure["message"].as_str().unwrap_or_default();
    let kind = failure["kind"].as_str().unwrap_or_default();
    let crashed = message.contains("the program that reads the file");
    let clear = message.len() >= 10 && !["", "internal", "io"].contains(&kind) && !crashed;
    (!clear).then(|| failure.to_string())
}

/// What an output holds that it must not, read in this process.
fn left_in(pair: &Pair) -> Option<String> {
    let open = |path: &Path| {
        let file = File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        (file.metadata().unwrap().len(), BufReader::new(file))
    };
    let (original_len, mut original) = open(&pair.original);
    let (len, mut output) = open(&pair.output);
    let findings = account(&mut output, len).findings;
    let left = leaks(&mut original, original_len, &mut output, len);
    let clean = findings.is_empty() && left.is_empty();
    (!clean).then(|| format!("{}: {findings:?} {left:?}", pair.name))
}

/// What `audit --against` finds in an output, but for what stripping leaves.
fn audited(bench: &Bench, pair: &Pair) -> Vec<String> {
    let mut command = bench.command();
    command.arg("audit").arg(&pair.output).arg("--against").arg(&pair.original).arg("--json");
    let run = common::bench::run(&mut command);
    let lines = run.json();
    let Some(findings) = lines.first().and_then(|l| l["findings"].as_array()) else {
        return vec![format!("{}: no audit: {}", pair.name, run.err)];
    };
    let told = findings.iter().filter(|f| {
        // People stay in the picture and members of archives keep their names.
        let stays = f["code"] == "still_visible" || f.to_string().contains("name of a member");
        let severe = ["doubt", "failure"].contains(&f["severity"].as_str().unwrap_or_default());
        severe && !stays
    });
    told.map(|f| format!("{}: {f}", pair.name)).collect()
}
