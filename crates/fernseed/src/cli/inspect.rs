//! `inspect`: what a file gives away.

use super::args::InspectArgs;
use super::redact::start_workers;
use super::terminal::{Problem, Terminal};
use fernseed::exit::Exit;
use fernseed::host::job::{limits, open_input};
use fernseed::host::workers::Silent;
use fernseed::protocol::{Role, Task};
use fernseed::words;
use fernseed_scrub::{Harm, Inventory, Item};
use serde::Serialize;
use std::collections::BTreeMap;
use std::os::fd::AsFd;

/// One line of `inspect --json`.
#[derive(Debug, Serialize)]
struct Line<'a> {
    file: String,
    #[serde(flatten)]
    inventory: &'a Inventory,
}

pub(crate) fn inspect(args: &InspectArgs, out: &Terminal) -> Result<Exit, Problem> {
    let workers = start_workers()?;
    let mut exit = Exit::Clean;
    for path in &args.files {
        let name = fernseed_sandbox::printable(&path.to_string_lossy(), 300);
        let file = match open_input(path) {
            Ok(file) => file,
            Err(error) => {
                out.error(&format!("{name}: {error}"));
                exit = exit.max(Exit::Input);
                continue;
            }
        };
        match workers.run(Role::Inspect, &[file.as_fd()], &Task::Inspect, limits(), &mut Silent) {
            Ok(said) => {
                let inventory = said.inventory.unwrap_or_default();
                if out.json {
                    out.json(&Line { file: name, inventory: &inventory })?;
                } else {
                    print(out, &name, &inventory);
                }
            }
            Err(error) => {
                out.error(&format!("{name}: {error}"));
                exit = exit.max(Exit::Input);
            }
        }
    }
    Ok(exit)
}

fn print(out: &Terminal, name: &str, inventory: &Inventory) {
    out.result(&format!("{name}: {}", inventory.container));
    if inventory.items.is_empty() {
        out.result("  Nothing that gives anything away was found.");
    }
    let mut groups: BTreeMap<&str, Vec<&Item>> = BTreeMap::new();
    for item in &inventory.items {
        groups.entry(words::category(item.category)).or_default().push(item);
    }
    for (category, items) in groups {
        out.result(&format!("  {category}"));
        for item in items {
            let mark = match item.severity {
                Harm::High => "!!",
                Harm::Medium => " !",
                Harm::Low => "  ",
            };
            let bytes = item.bytes.map_or_else(String::new, |(a, b)| format!(", bytes {a}–{b}"));
            let value =
                if item.value.is_empty() { String::new() } else { format!(": {}", item.value) };
            out.result(&format!("   {mark} {}{value}  [{}{bytes}]", item.what, item.path));
        }
    }
    for note in &inventory.notes {
        out.result(&format!("  note: {note}"));
    }
}
