//! The measurements of a whole set, added up and told.

use super::{CLASSES, Clip};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The figures of a set of clips.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// Clips measured.
    pub clips: usize,
    /// Clips without an exposed frame.
    pub clean_clips: usize,
    /// Frames of all clips.
    pub frames: usize,
    /// Frames with an exposed face.
    pub exposed_frames: usize,
    /// Faces in frames from 16 pixels on: covered and all.
    pub counted: (usize, usize),
    /// Faces in frames, covered and all, by [`CLASSES`].
    pub recall: [(usize, usize); 3],
    /// People with counted frames.
    pub people: usize,
    /// People exposed at least once.
    pub people_exposed: usize,
    /// People covered in no frame that counts.
    pub never_found: usize,
    /// Changes of the redaction over a person.
    pub switches: usize,
    /// Hidden area over true face area, median of the frames with faces.
    pub median_area: f32,
    /// Exposed face-frames by cause.
    pub causes: BTreeMap<&'static str, usize>,
    /// Exposed frames by scenario: exposed, all.
    pub scenarios: BTreeMap<String, (usize, usize)>,
}

impl Summary {
    /// Adds up clips.
    #[must_use]
    pub fn of(clips: &[Clip]) -> Self {
        let mut all = Self { clips: clips.len(), ..Self::default() };
        let mut area = Vec::new();
        for clip in clips {
            all.clean_clips += usize::from(clip.exposed_frames == 0);
            all.frames += clip.frames;
            all.exposed_frames += clip.exposed_frames;
            all.counted.0 += clip.counted.0;
            all.counted.1 += clip.counted.1;
            for (sum, one) in all.recall.iter_mut().zip(clip.recall) {
                sum.0 += one.0;
                sum.1 += one.1;
            }
            all.people += clip.people;
            all.never_found += clip.never_found;
            all.switches += clip.switches;
            area.extend_from_slice(&clip.area);
            let mut exposed: Vec<u32> = clip.runs.iter().map(|r| r.face).collect();
            exposed.sort_unstable();
            exposed.dedup();
            all.people_exposed += exposed.len();
            for run in &clip.runs {
                *all.causes.entry(run.cause).or_default() += run.frames;
            }
            let scenario = all.scenarios.entry(clip.scenario.clone()).or_default();
            scenario.0 += clip.exposed_frames;
            scenario.1 += clip.frames;
        }
        area.sort_by(f32::total_cmp);
        all.median_area = area.get(area.len() / 2).copied().unwrap_or(0.0);
        all
    }
}

/// A report of one or more tools on the same set, as Markdown.
#[must_use]
pub fn markdown(tools: &[(String, Vec<Clip>)]) -> String {
    let sums: Vec<(&String, Summary)> =
        tools.iter().map(|(name, clips)| (name, Summary::of(clips))).collect();
    let mut out = String::from("| |");
    for (name, _) in &sums {
        line(&mut out, &format!(" {name} |"));
    }
    line(&mut out, &format!("\n|---|{}\n", "---|".repeat(sums.len())));
    let mut row = |name: &str, value: &dyn Fn(&Summary) -> String| {
        line(&mut out, &format!("| {name} |"));
        for (_, sum) in &sums {
            line(&mut out, &format!(" {} |", value(sum)));
        }
        line(&mut out, "\n");
    };
    row("clips without an exposed frame", &|s| format!("{} of {}", s.clean_clips, s.clips));
    row("exposed frames", &|s| format!("{} of {}", s.exposed_frames, s.frames));
    row("face-frames open", &|s| format!("{} of {}", s.counted.1 - s.counted.0, s.counted.1));
    row("people exposed at least once", &|s| format!("{} of {}", s.people_exposed, s.people));
    row("people never found", &|s| s.never_found.to_string());
    for (class, low) in CLASSES.iter().enumerate() {
        let name = CLASSES
            .get(class + 1)
            .map_or(format!("recall from {low} px"), |high| format!("recall {low} to {high} px"));
        row(&name, &|s| percent(s.recall[class]));
    }
    row("hidden over true area, median", &|s| format!("{:.2}", s.median_area));
    row("identity switches", &|s| s.switches.to_string());
    for (name, clips) in tools {
        details(&mut out, name, clips);
    }
    out
}

fn details(out: &mut String, name: &str, clips: &[Clip]) {
    let sum = Summary::of(clips);
    line(out, &format!("\n{name}, open face-frames by cause:"));
    for (cause, frames) in &sum.causes {
        line(out, &format!(" {cause} {frames},"));
    }
    line(out, "\n\nExposed frames by scenario:");
    for (scenario, (exposed, frames)) in sum.scenarios.iter().filter(|(_, s)| s.0 > 0) {
        line(out, &format!(" {scenario} {exposed}/{frames},"));
    }
    line(out, "\n\n| clip | face | frames | open | height px | least covered | cause |\n");
    line(out, "|---|---|---|---|---|---|---|\n");
    for run in clips.iter().flat_map(|c| &c.runs) {
        line(
            out,
            &format!(
                "| {} | {} | {}-{} | {} | {:.0} | {:.0} % | {} |\n",
                run.clip,
                run.face,
                run.first,
                run.last,
                run.frames,
                run.height,
                run.covered * 100.0,
                run.cause
            ),
        );
    }
}

fn percent((hit, all): (usize, usize)) -> String {
    if all == 0 {
        return "-".to_owned();
    }
    format!("{:.2} % of {all}", 100.0 * hit as f64 / all as f64)
}

fn line(out: &mut String, text: &str) {
    // Writing to a string cannot fail.
    let _always = out.write_str(text);
}
