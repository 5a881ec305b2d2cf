//! `inspect`: what a file gives away.

use super::args::InspectArgs;
use super::redact::{cores, start_readers};
use super::terminal::{Paint, Problem, Terminal};
use fernseed::exit::Exit;
use fernseed::host::job::{limits, open_input};
use fernseed::host::listing::{Listed, list};
use fernseed::host::pool::in_order;
use fernseed::host::sidecars::Sidecars;
use fernseed::host::workers::{Silent, WorkerError, Workers};
use fernseed::protocol::{Role, Task};
use fernseed::report::{InspectLine, SidecarLine};
use fernseed::words;
use fernseed_sandbox::printable;
use fernseed_scrub::{Category, Harm, Item};
use std::collections::BTreeMap;
use std::os::fd::AsFd;

pub(crate) fn inspect(args: &InspectArgs, out: &Terminal) -> Result<Exit, Problem> {
    let (files, failed) = list(&args.files);
    let mut exit = Exit::Clean;
    for error in failed {
        out.error(&error.to_string());
        exit = exit.max(Exit::Input);
    }
    let workers = start_readers()?;
    let sidecars = Sidecars::default();
    let mut dangerous = false;
    in_order(
        &files,
        args.jobs.unwrap_or_else(cores),
        &|| workers.interrupted(),
        &|file| read(&workers, file, &sidecars),
        &mut |file, line| match line {
            Ok(line) => {
                dangerous |= line.items.iter().any(|i| i.severity > Harm::Low);
                if out.json {
                    if let Err(problem) = out.json(&line) {
                        out.problem(&problem);
                    }
                } else {
                    print(out, &line);
                }
            }
            Err(error) => {
                out.error(&format!("{}: {error}", name_of(file)));
                exit = exit.max(Exit::Input);
            }
        },
    );
    if dangerous && !out.json && !out.quiet {
        out.result("!! can lead to a person or a place by itself   ! narrows it down");
    }
    let interrupted = if workers.interrupted() { Exit::Interrupted } else { Exit::Clean };
    Ok(exit.max(interrupted))
}

/// A file's name that is safe to print.
pub(crate) fn name_of(file: &Listed) -> String {
    printable(&file.path.to_string_lossy(), 300)
}

fn read(workers: &Workers, file: &Listed, sidecars: &Sidecars) -> Result<InspectLine, String> {
    let open = open_input(&file.path).map_err(|e| e.to_string())?;
    let files = [open.as_fd()];
    let said = workers
        .run(Role::Inspect, &files, Task::Inspect, limits(), &mut Silent)
        .map_err(|e: WorkerError| e.to_string())?;
    let beside = sidecars.of(&file.path).into_iter().map(|s| SidecarLine {
        name: printable(&s.name.to_string_lossy(), 300),
        holds: s.holds.map(str::to_owned),
    });
    Ok(InspectLine::new(name_of(file), said.inventory.unwrap_or_default(), beside.collect()))
}

fn print(out: &Terminal, line: &InspectLine) {
    out.result(&format!(
        "{}: {}{}",
        out.paint(Paint::Strong, &line.file),
        line.container,
        count(&line.items)
    ));
    if line.items.is_empty() && line.container != "unknown" {
        out.result("  Nothing that gives anything away was found.");
    }
    let mut groups: BTreeMap<Category, Vec<&Item>> = BTreeMap::new();
    for item in &line.items {
        groups.entry(item.category).or_default().push(item);
    }
    for (category, items) in groups {
        let title = words::category(category);
        out.result(&format!(
            "  {} ({})",
            out.paint(Paint::Strong, title),
            words::question(category)
        ));
        for (item, times) in folded(&items, out.verbose) {
            out.result(&format!("   {}", sentence(out, item, times)));
        }
    }
    for sidecar in &line.sidecars {
        let holds = sidecar.holds.as_deref().unwrap_or("of the same name");
        out.result(&format!("  beside it: {} ({holds})", sidecar.name));
    }
    for note in &line.notes {
        out.result(&format!("  note: {note}"));
    }
}

fn count(items: &[Item]) -> String {
    let bad = items.iter().filter(|i| i.severity == Harm::High).count();
    match (items.len(), bad) {
        (0, _) => String::new(),
        (1, 0) => ", gives away 1 thing".to_owned(),
        (n, 0) => format!(", gives away {n} things"),
        (1, _) => ", gives away 1 thing, a bad one".to_owned(),
        (n, bad) => format!(", gives away {n} things, {bad} of them bad"),
    }
}

/// Items that say the same in several places become one, unless everything
/// is wanted.
fn folded<'a>(items: &[&'a Item], all: bool) -> Vec<(&'a Item, usize)> {
    let mut out: Vec<(&Item, usize)> = Vec::new();
    for item in items {
        let same = |(other, _): &&mut (&Item, usize)| {
            other.what == item.what && other.value == item.value && other.severity == item.severity
        };
        match out.iter_mut().find(same) {
            Some((_, times)) if !all => *times += 1,
            _ => out.push((item, 1)),
        }
    }
    out
}

fn sentence(out: &Terminal, item: &Item, times: usize) -> String {
    let (mark, paint) = match item.severity {
        Harm::High => ("!!", Paint::Bad),
        Harm::Medium => (" !", Paint::Doubt),
        Harm::Low => ("  ", Paint::Plain),
    };
    let value = if item.value.is_empty() { String::new() } else { format!(": {}", item.value) };
    let bytes = item.bytes.map_or_else(String::new, |(from, to)| format!(", bytes {from}–{to}"));
    let more = if times > 1 { format!(", {times} times") } else { String::new() };
    let place = out.paint(Paint::Faint, &format!("[{}{bytes}{more}]", item.path));
    format!("{} {}{value}  {place}", out.paint(paint, mark), item.what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(what: &str, severity: Harm) -> Item {
        Item {
            category: Category::Device,
            what: what.to_owned(),
            value: "1".to_owned(),
            path: "APP1".to_owned(),
            bytes: None,
            severity,
        }
    }

    #[test]
    fn repetitions_are_folded() {
        let items = [item("a", Harm::Low), item("b", Harm::Low), item("a", Harm::Low)];
        let items: Vec<&Item> = items.iter().collect();
        let what = |all| -> Vec<(String, usize)> {
            folded(&items, all).into_iter().map(|(i, n)| (i.what.clone(), n)).collect()
        };
        assert_eq!(what(false), [("a".to_owned(), 2), ("b".to_owned(), 1)]);
        assert_eq!(what(true).len(), 3);
    }

    #[test]
    fn the_count_says_how_bad_it_is() {
        assert_eq!(count(&[]), "");
        assert_eq!(count(&[item("a", Harm::Low)]), ", gives away 1 thing");
        let two = [item("a", Harm::Low), item("b", Harm::High)];
        assert_eq!(count(&two), ", gives away 2 things, 1 of them bad");
    }
}
