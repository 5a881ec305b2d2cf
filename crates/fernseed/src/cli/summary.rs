//! What became of a file, in words a journalist understands.

use super::terminal::Terminal;
use fernseed::host::inputs::Input;
use fernseed::report::{FileReport, Hidden, Status};
use fernseed::words;
use fernseed_core::finding::{Finding, FindingCode, Severity};
use fernseed_core::geometry::{Rect, Size};
use fernseed_core::plan::MediaKind;
use fernseed_core::time::clock;
use fernseed_sandbox::printable;
use std::collections::BTreeMap;

/// Places listed without `-v`.
const MAX_PLACES: usize = 8;

/// Prints the summary of one file.
pub(crate) fn print(out: &Terminal, input: &Input, report: &FileReport, to_stderr: bool) {
    let name = printable(&input.path.to_string_lossy(), 300);
    if let Some(failure) = &report.failure {
        out.error(&format!("{name}: {}", failure.message));
        return;
    }
    let lines = lines(&name, report, out.verbose);
    if to_stderr {
        if !out.quiet {
            use std::io::Write;
            drop(writeln!(std::io::stderr().lock(), "{}", lines.join("\n")));
        }
    } else {
        out.say(&lines.join("\n"));
    }
    if report.status == Status::Withheld {
        out.error(&format!("{name}: the check of the finished file failed, nothing was written"));
    }
}

/// The lines of the summary.
fn lines(name: &str, report: &FileReport, verbose: bool) -> Vec<String> {
    let output = report.output.as_deref().unwrap_or_default();
    let mut out = vec![match report.status {
        Status::Published => format!("{name} → {output}"),
        Status::NothingFound => format!("{name} → {output} (nobody was found)"),
        Status::Held => format!("{name} → {output} (held: look at it before you use it)"),
        Status::Withheld => format!("{name}: withheld"),
        Status::Skipped => format!("{name}: skipped, not a picture or a video"),
        Status::Planned => format!("{name}: looked at, nothing written"),
        Status::Interrupted => format!("{name}: interrupted, nothing written"),
        Status::Failed => format!("{name}: failed"),
    }];
    if matches!(report.status, Status::Skipped | Status::Interrupted | Status::Failed) {
        return out;
    }
    out.push(hidden_line(report));
    let shown = if verbose { usize::MAX } else { MAX_PLACES };
    if report.kind != Some(MediaKind::Still) {
        let all = appearances(&report.hidden);
        for one in all.iter().take(shown) {
            out.push(format!("    {}", place(one, report.size)));
        }
        if all.len() > shown {
            out.push(format!("    and {} more (-v lists all)", all.len() - shown));
        }
    }
    out.push(format!("  {}", dropped_line(report)));
    if verbose {
        for item in &report.metadata_dropped {
            out.push(format!("    {}: {} ({})", item.category, item.what, item.path));
        }
    }
    out.extend(finding_lines(report, verbose));
    if report.status == Status::Held {
        out.push(
            "  Look at the places above. If all is well, run again with --accept-uncertain; if \
             not, edit the plan (`fernseed scan`, `fernseed apply`)."
                .to_owned(),
        );
    }
    if !report.not_protected.is_empty() {
        out.push("  Not protected:".to_owned());
        out.extend(report.not_protected.iter().map(|l| format!("    {l}")));
    }
    out
}

/// What was noticed, a line each.
pub(crate) fn finding_lines(report: &FileReport, verbose: bool) -> Vec<String> {
    lines_of(&report.findings, report.kind, verbose)
}

fn lines_of(findings: &[Finding], kind: Option<MediaKind>, verbose: bool) -> Vec<String> {
    let mut out = Vec::new();
    for finding in findings.iter().filter(|f| f.code != FindingCode::NothingFound) {
        let mark = match finding.severity {
            Severity::Info if !verbose => continue,
            Severity::Info | Severity::Notice => "note",
            Severity::Doubt => "LOOK",
            Severity::Failure => "FAILED",
        };
        let at = match (finding.place.seconds, finding.place.first_frame) {
            (Some(seconds), _) => format!(" at {}", clock(seconds)),
            (None, Some(frame)) if kind != Some(MediaKind::Still) => {
                format!(" at frame {frame}")
            }
            _ => String::new(),
        };
        let line = format!("  {mark}{at}: {}", finding.message);
        // The same of two people at once says nothing new.
        if out.last() != Some(&line) {
            out.push(line);
        }
    }
    out
}

fn hidden_line(report: &FileReport) -> String {
    let count = appearances(&report.hidden).len();
    if count == 0 {
        return "  Nobody was found. Look at it yourself before you publish it.".to_owned();
    }
    match report.kind {
        Some(MediaKind::Still) => format!("  {} hidden.", words::people(count)),
        _ => {
            let appearances =
                if count == 1 { "1 appearance".to_owned() } else { format!("{count} appearances") };
            format!("  {appearances} of people hidden, in every frame of:")
        }
    }
}

/// Somebody from when they come to when they are gone.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Appearance {
    /// First and last time.
    seconds: (f64, f64),
    /// Where they are first.
    first_rect: Rect,
}

/// Everybody who is hidden, in the order in which they come: what the plan
/// counts as one subject is one, however many ways of theirs are covered.
fn appearances(hidden: &[Hidden]) -> Vec<Appearance> {
    let mut out: Vec<(Option<u32>, Appearance)> = Vec::new();
    for one in hidden {
        let (from, to) = one.seconds;
        match out.iter_mut().find(|(subject, _)| subject.is_some() && *subject == one.subject) {
            Some((_, have)) => {
                if from < have.seconds.0 {
                    have.first_rect = one.first_rect;
                }
                have.seconds = (have.seconds.0.min(from), have.seconds.1.max(to));
            }
            None => {
                let new = Appearance { seconds: (from, to), first_rect: one.first_rect };
                out.push((one.subject, new));
            }
        }
    }
    out.into_iter().map(|(_, appearance)| appearance).collect()
}

fn place(one: &Appearance, size: Option<Size>) -> String {
    let (from, to) = one.seconds;
    format!("{} – {}, {}", clock(from), clock(to), region(one.first_rect, size))
}

/// Where in the picture, in words.
fn region(rect: Rect, size: Option<Size>) -> String {
    let Some(size) = size else { return String::new() };
    let (x, y) = rect.centre();
    let third = |v: f32, of: u32, names: [&'static str; 3]| {
        names[((v * 3.0 / of.max(1) as f32) as usize).min(2)]
    };
    let row = third(y, size.height, ["top", "middle", "bottom"]);
    let column = third(x, size.width, ["left", "centre", "right"]);
    format!("first at the {row} {column}")
}

pub(crate) fn dropped_line(report: &FileReport) -> String {
    if report.metadata_dropped.is_empty() {
        return "No metadata was found; the output carries none.".to_owned();
    }
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for item in &report.metadata_dropped {
        let list = groups.entry(&item.category).or_default();
        if !list.contains(&item.what.as_str()) {
            list.push(&item.what);
        }
    }
    let groups: Vec<String> = groups
        .iter()
        .map(|(category, what)| {
            let few = what.iter().take(3).copied().collect::<Vec<_>>().join(", ");
            let more =
                if what.len() > 3 { format!(", {} more", what.len() - 3) } else { String::new() };
            format!("{category} ({few}{more})")
        })
        .collect();
    format!("Metadata left behind: {}.", groups.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use fernseed_core::finding::Place;

    #[test]
    fn all_ways_of_one_subject_are_one_appearance() {
        let hidden = |id, subject, seconds, x: f32| Hidden {
            id,
            subject,
            frames: (0, 1),
            seconds,
            first_rect: Rect::new(x, 0.0, x + 9.0, 9.0),
            confidence: None,
            longest_gap: 0,
        };
        let all = [
            hidden(1, Some(1), (2.0, 4.0), 10.0),
            hidden(2, Some(2), (2.0, 3.0), 20.0),
            hidden(3, Some(1), (1.0, 2.5), 30.0),
            hidden(4, None, (0.0, 9.0), 40.0),
            hidden(5, None, (0.0, 9.0), 40.0),
        ];
        let seen = appearances(&all);
        let spans: Vec<_> = seen.iter().map(|a| a.seconds).collect();
        assert_eq!(spans, [(1.0, 4.0), (2.0, 3.0), (0.0, 9.0), (0.0, 9.0)]);
        assert_eq!(seen[0].first_rect.left, 30.0);
    }

    #[test]
    fn the_same_of_two_people_is_said_once() {
        let lost = |seconds, message: &str| {
            let place = Place { seconds: Some(seconds), ..Place::default() };
            Finding::new(FindingCode::LostInMotion, Severity::Notice, message.to_owned()).at(place)
        };
        let findings =
            vec![lost(2.0, "lost"), lost(2.0, "lost"), lost(3.0, "lost"), lost(3.0, "new")];
        let lines = lines_of(&findings, Some(MediaKind::Video), false);
        let wanted = ["0:00:02.000: lost", "0:00:03.000: lost", "0:00:03.000: new"];
        assert_eq!(lines, wanted.map(|line| format!("  note at {line}")));
    }

    #[test]
    fn places_are_named() {
        let size = Some(Size::new(900, 600));
        assert_eq!(region(Rect::new(0.0, 0.0, 100.0, 100.0), size), "first at the top left");
        assert_eq!(
            region(Rect::new(800.0, 250.0, 900.0, 350.0), size),
            "first at the middle right"
        );
    }
}
