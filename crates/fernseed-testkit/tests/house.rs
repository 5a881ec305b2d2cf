//! Checks on the house itself: who may depend on whom, where `unsafe` may
//! be, how long files may get, what may never be written into them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's helpers may fail loudly")]

use fernseed_testkit::root;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Which of our crates each of them may use outside its tests (ARCHITECTURE.md).
const MAY_USE: [(&str, &[&str]); 7] = [
    ("fernseed-core", &[]),
    ("fernseed-detect", &["fernseed-core"]),
    ("fernseed-media", &["fernseed-core"]),
    ("fernseed-scrub", &["fernseed-core"]),
    ("fernseed-sandbox", &["fernseed-core"]),
    ("fernseed-testkit", &["fernseed-core"]),
    (
        "fernseed",
        &[
            "fernseed-core",
            "fernseed-detect",
            "fernseed-media",
            "fernseed-sandbox",
            "fernseed-scrub",
        ],
    ),
];

/// Files in which `unsafe` may be written, by path prefix.
const UNSAFE_ALLOWED: [&str; 3] = [
    "crates/fernseed-sandbox/",
    "crates/fernseed-media/src/ffi",
    "crates/fernseed-detect/src/kernels",
];

/// Longest source file, in lines.
const MAX_LINES: usize = 800;

fn metadata() -> serde_json::Value {
    // Only what this platform needs has been downloaded.
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        .args(["--filter-platform", &platform])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

/// Every file git knows or would take.
fn tracked() -> Vec<PathBuf> {
    let out = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(out.status.success());
    String::from_utf8(out.stdout)
        .unwrap()
        .lines()
        .map(PathBuf::from)
        .filter(|p| root().join(p).is_file())
        .collect()
}

fn rust_files() -> Vec<PathBuf> {
    tracked().into_iter().filter(|p| p.extension().is_some_and(|e| e == "rs")).collect()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_default()
}

#[test]
fn dependencies_point_down_only() {
    let metadata = metadata();
    let allowed: BTreeMap<&str, &[&str]> = MAY_USE.into_iter().collect();
    let mut seen = BTreeSet::new();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        if !name.starts_with("fernseed") {
            continue;
        }
        seen.insert(name.to_owned());
        let may = allowed.get(name).unwrap_or_else(|| panic!("{name} is not in the table"));
        for dependency in package["dependencies"].as_array().unwrap() {
            let other = dependency["name"].as_str().unwrap();
            let test_only = dependency["kind"] == "dev";
            if other.starts_with("fernseed") && !test_only {
                assert!(may.contains(&other), "{name} must not depend on {other}");
            }
        }
    }
    assert_eq!(seen.len(), MAY_USE.len(), "{seen:?}");
}

#[test]
fn the_dependency_tree_is_honest() {
    let metadata = metadata();
    let deny = read(Path::new("deny.toml"));
    let allow: BTreeSet<&str> = deny
        .split("allow = [")
        .nth(1)
        .and_then(|rest| rest.split(']').next())
        .unwrap()
        .split('"')
        .skip(1)
        .step_by(2)
        .collect();
    assert!(allow.contains("MIT"));
    let mut count = 0;
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        count += 1;
        assert!(
            !["openssl", "openssl-sys", "reqwest", "hyper", "ureq", "curl"].contains(&name),
            "{name} talks to a network"
        );
        if let Some(source) = package["source"].as_str() {
            assert!(source.starts_with("registry+"), "{name} comes from {source}");
        }
        // SPDX: every AND part needs one allowed OR part.
        let licence = package["license"].as_str().unwrap_or("").replace('/', " OR ");
        let fine = licence.split(" AND ").all(|part| {
            part.trim_matches(['(', ')', ' '])
                .split(" OR ")
                .any(|one| allow.contains(one.trim_matches(['(', ')', ' '])))
        });
        assert!(fine, "{name} has licence {licence:?}, which deny.toml does not allow");
    }
    assert!(count > 30);
}

#[test]
fn unsafe_is_where_it_may_be() {
    let mut found = 0;
    for path in rust_files() {
        let text = read(&path);
        let place = path.to_string_lossy().into_owned();
        let code = text.lines().filter(|l| !l.trim_start().starts_with("//"));
        let uses = code
            .filter(|l| {
                l.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == "unsafe")
                    && !l.contains("\"unsafe\"")
            })
            .count();
        if uses > 0 {
            found += 1;
            assert!(
                UNSAFE_ALLOWED.iter().any(|p| place.starts_with(p))
                    || place.ends_with("tests/house.rs"),
                "unsafe in {place}"
            );
        }
    }
    assert!(found > 0, "the check sees nothing");
    for name in ["fernseed-core", "fernseed-scrub", "fernseed", "fernseed-testkit"] {
        let lib = read(&Path::new("crates").join(name).join("src/lib.rs"));
        assert!(lib.contains("#![forbid(unsafe_code)]"), "{name} does not forbid unsafe");
    }
}

#[test]
fn files_stay_readable_and_say_what_they_are() {
    let mut count = 0;
    for path in rust_files() {
        let text = read(&path);
        let lines = text.lines().count();
        count += 1;
        assert!(lines <= MAX_LINES, "{} has {lines} lines", path.display());
        assert!(
            text.starts_with("//!") || path.ends_with("build.rs") && text.contains("//!"),
            "{} does not say what it is (//! at its top)",
            path.display()
        );
        // What several test programs share has no other place to be.
        let shared_by_tests = path.ends_with("tests/common/mod.rs");
        assert!(
            !path.ends_with("mod.rs") || shared_by_tests,
            "{}: write name.rs beside name/",
            path.display()
        );
    }
    assert!(count > 20);
}

#[test]
fn nothing_of_this_machine_or_of_a_registry_is_written_down() {
    // Put together so that this file does not contain them.
    let hosts = [
        ["crates", "io/api"].join("."),
        ["pypi", "org"].join("."),
        ["pythonhosted", "org"].join("."),
        ["npmjs", "org"].join("."),
        ["npmjs", "com"].join("."),
        ["deb.debian", "org"].join("."),
    ];
    let home = std::env::var("HOME").ok().filter(|h| h.len() > 4).map(|h| format!("{h}/"));
    let above = root().canonicalize().unwrap();
    let above = format!("{}/", above.parent().unwrap().display());
    let skip = ["Cargo.lock", "LICENSE-APACHE"];
    for path in tracked() {
        if skip.iter().any(|s| path.ends_with(s)) {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(root().join(&path)) else { continue };
        for host in &hosts {
            assert!(!text.contains(host.as_str()), "{} names {host}", path.display());
        }
        // Folders that every machine has say nothing about this one.
        if !["/", "/tmp/", "/src/", "/build/"].contains(&above.as_str()) {
            assert!(!text.contains(&above), "{} names {above}", path.display());
        }
        if let Some(home) = &home {
            assert!(!text.contains(home.as_str()), "{} names {home}", path.display());
        }
    }
}

#[test]
fn documents_exist() {
    for name in [
        "README.md",
        "ARCHITECTURE.md",
        "SECURITY.md",
        "CHANGELOG.md",
        "LICENSE-MIT",
        "LICENSE-APACHE",
        "weights/README.md",
        "demo/README.md",
        "docs/plan-format.md",
        "docs/report-format.md",
        "docs/threat-model.md",
        "docs/adding-a-format.md",
        "docs/adding-a-detector.md",
    ] {
        assert!(read(Path::new(name)).len() > 200, "{name} is missing or says nothing");
    }
    let readme = read(Path::new("README.md"));
    assert!(readme.contains("make demo") && readme.contains("make test"));
}
