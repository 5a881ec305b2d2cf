//! The product's host against a worker that was taken over.
//!
//! The worker reads the first line of its input and does what it says. The
//! host is the product's own ([`fernseed::host`]); only the program it starts
//! as fork server is this one.

use crate::Case;
use fernseed::host::batch::{Display, each};
use fernseed::host::inputs::{Destination, Input, collect};
use fernseed::host::interrupt::Interrupt;
use fernseed::host::job::{Finished, Settings, redact};
use fernseed::host::pulse::Patience;
use fernseed::host::workers::{Listener, Silent, Workers};
use fernseed::protocol::{
    Event, Failure, FailureKind, OutputFormat, OutputOptions, Phase, RedactionPart, Role,
    SourceFacts, Task, receive_task,
};
use fernseed::report::Status;
use fernseed_core::Size;
use fernseed_core::finding::{Finding, FindingCode, Severity};
use fernseed_core::geometry::Rect;
use fernseed_core::plan::{
    Action, DecidedBy, Decision, KeptSpan, Keyframe, MediaKind, PLAN_VERSION, Plan, Redaction,
    SourceSummary,
};
use fernseed_core::policy::Policy;
use fernseed_core::time::TimeBase;
use fernseed_sandbox::{Control, Level, WorkerContext};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::time::{Duration, Instant};

pub(crate) const CASES: &[Case] =
    &[("a_worker_that_misbehaves_gets_nothing_published", misbehaves)];

/// What an honest worker of this program writes.
const HONEST: &[u8] = b"honest output";
/// How long the host bears silence here.
const PATIENCE: Patience = Patience {
    silence: Duration::from_secs(2),
    leaving: Duration::from_secs(2),
    picture: Duration::from_secs(4),
};

/// What a worker does; `true` if the file may be published all the same.
const ACTS: [(&str, bool); 38] = [
    ("honest", true),
    ("exits-early", false),
    ("aborts", false),
    ("never-answers", false),
    ("drips-the-same-progress", false),
    ("counts-for-ever", false),
    ("goes-to-and-fro", false),
    ("audit-counts-for-ever", false),
    ("slow-but-alive", true),
    ("closes-the-pipe", false),
    ("garbage-bytes", false),
    ("garbage-json", false),
    ("length-beyond-the-limit", false),
    ("half-a-message", false),
    ("picture-without-size", false),
    ("plan-of-another-version", false),
    ("rectangle-that-is-no-number", false),
    ("plan-that-is-not-in-parts", false),
    ("parts-of-no-plan", false),
    ("parts-that-do-not-fit", false),
    ("endless-parts", false),
    ("endless-findings", false),
    ("endless-messages", false),
    ("control-characters", false),
    ("allocates", false),
    ("huge-output", false),
    ("done-without-plan", false),
    ("done-without-source", false),
    ("done-then-lingers", false),
    ("done-then-dies", false),
    ("writes-after-done", false),
    ("pretends-review", false),
    ("pretends-a-person", false),
    ("audit-dies", false),
    ("audit-misses-for-ever", false),
    ("audit-control-characters", false),
    ("repair-is-given-up", true),
    ("starts-over-for-ever", false),
];

/// The worker's side: never returns a panic, since that would be one more
/// misbehaviour than asked for.
pub(crate) fn worker(_: &(), context: WorkerContext) -> i32 {
    let WorkerContext { role, mut files, mut control, .. } = context;
    let Some(task) = receive_task(&mut control) else { return 1 };
    let auditing = role == Role::Audit as u8;
    let orders = files.get_mut(usize::from(auditing)).map(order).unwrap_or_default();
    if orders == "closes-the-pipe" {
        drop(control);
        std::thread::sleep(Duration::from_secs(3600));
        return 0;
    }
    if orders == "repair-is-given-up" && matches!(task, Task::Apply { repair: Some(_), .. }) {
        let done = give_up_repair(&mut files, &mut control);
        return done.unwrap_or(9);
    }
    let done = match (task, files.get_mut(usize::from(!auditing))) {
        (Task::Audit { plan, .. }, _) => {
            let repaired = plan.is_some_and(|p| p.redactions.len() > 1);
            audit(&orders, repaired, &mut files, &mut control)
        }
        (_, Some(out)) => write(&orders, out, &mut control),
        _ => None,
    };
    done.unwrap_or(9)
}

fn part(redactions: Vec<Redaction>) -> RedactionPart {
    RedactionPart { goes_on: false, redactions }
}

fn order(file: &mut File) -> String {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok();
    file.take(100).read_to_string(&mut text).ok();
    text.trim().to_owned()
}

fn plan() -> Plan {
    let source = SourceSummary {
        kind: MediaKind::Still,
        size: Size::new(10, 10),
        frames: 1,
        time_base: TimeBase::MILLIS,
        first_pts: 0,
        last_pts: 0,
        timeline: 0,
        span: KeptSpan::default(),
    };
    let policy = Policy::default();
    let redactions = vec![redaction()];
    Plan { version: PLAN_VERSION, source, policy, reviewed: false, redactions, blanked: vec![] }
}

fn redaction() -> Redaction {
    let rect = Rect::new(1.0, 1.0, 5.0, 5.0);
    Redaction {
        id: 1,
        subject: None,
        label: Policy::default().hide[0],
        decision: Decision { action: Action::Hide, by: DecidedBy::Program },
        evidence: None,
        keyframes: vec![Keyframe { frame: 0, rect }],
    }
}

fn facts() -> SourceFacts {
    let format = "test\u{1b}[31m file".to_owned();
    SourceFacts { kind: MediaKind::Still, format, output: OutputFormat::Png, size: Size::new(9, 9) }
}

fn finding() -> Finding {
    Finding::new(FindingCode::StillVisible, Severity::Doubt, "\u{1b}]0;owned\u{7}\u{202e}")
}

/// A worker that should repair an output and cannot. It must not be able to
/// change the output before.
fn give_up_repair(files: &mut [File], control: &mut Control) -> Option<i32> {
    let [_input, _out, before] = files else { return None };
    if before.write_all(b"x").is_ok() {
        return Some(3);
    }
    let mut bytes = Vec::new();
    before.read_to_end(&mut bytes).ok()?;
    let kind = if bytes == HONEST { FailureKind::StartOver } else { FailureKind::Damaged };
    control.send(&Event::Failed(Failure::new(kind, "not this way"))).ok()?;
    Some(0)
}

/// What a worker that should write does; `None` where the host is gone.
fn write(orders: &str, out: &mut File, control: &mut Control) -> Option<i32> {
    let long = Duration::from_secs(3600);
    match orders {
        "exits-early" => return Some(0),
        "aborts" => std::process::abort(),
        "never-answers" => std::thread::sleep(long),
        "drips-the-same-progress" => loop {
            let event = Event::Progress { phase: Phase::Scan, done: 3, total: Some(9) };
            control.send(&event).ok()?;
            std::thread::sleep(Duration::from_millis(20));
        },
        "counts-for-ever" => count(control, |n| (Phase::Scan, n))?,
        "goes-to-and-fro" => {
            count(control, |n| (if n.is_multiple_of(2) { Phase::Scan } else { Phase::Write }, 1))?
        }
        // Longer than the host bears silence, shorter than it takes for a
        // picture.
        "slow-but-alive" => {
            for done in 1..7 {
                std::thread::sleep(Duration::from_millis(450));
                control.send(&Event::Progress { phase: Phase::Scan, done, total: None }).ok()?;
            }
        }
        "garbage-bytes" => control.send_raw(&[0xa5; 4096]).ok()?,
        "garbage-json" => control.send("there is no such event").ok()?,
        "length-beyond-the-limit" => control.send_raw(&u32::MAX.to_le_bytes()).ok()?,
        "half-a-message" => {
            control.send_raw(&100u32.to_le_bytes()).ok()?;
            control.send_raw(b"{\"Plan").ok()?;
            return Some(0);
        }
        "picture-without-size" => {
            control.send(&Event::Source(SourceFacts { size: Size::new(0, 7), ..facts() })).ok()?;
        }
        "plan-of-another-version" => {
            control.send(&Event::Plan(Box::new(Plan { version: 99, ..plan() }))).ok()?;
        }
        "endless-findings" => loop {
            control.send(&Event::Findings(vec![finding(); 5000])).ok()?;
        },
        "parts-of-no-plan" => control.send(&Event::Hidden(part(vec![redaction()]))).ok()?,
        "endless-parts" => {
            control.send(&Event::Plan(Box::new(plan().without_redactions()))).ok()?;
            for frame in 0.. {
                let rect = Rect::new(1.0, 1.0, 5.0, 5.0);
                let one = Redaction { keyframes: vec![Keyframe { frame, rect }], ..redaction() };
                control
                    .send(&Event::Hidden(RedactionPart { goes_on: frame > 0, ..part(vec![one]) }))
                    .ok()?;
            }
        }
        "endless-messages" => loop {
            control.send(&Event::Source(facts())).ok()?;
        },
        "control-characters" => {
            let message = "\u{1b}[2J\u{1b}]0;owned\u{7}\r\nerror: not from us\u{202e}".to_owned();
            control.send(&Event::Failed(Failure::new(FailureKind::Damaged, message))).ok()?;
        }
        "starts-over-for-ever" => {
            let failure = Failure::new(FailureKind::StartOver, "not this way");
            control.send(&Event::Failed(failure)).ok()?;
            return Some(0);
        }
        "allocates" => {
            // Reserved, hardly touched: the limit is on address space.
            let mut blocks: Vec<Vec<u8>> = Vec::new();
            loop {
                blocks.push(vec![0; 64 << 20]);
            }
        }
        "huge-output" => {
            // A sparse hole up to where the limit must be.
            out.seek(SeekFrom::Start(1 << 40)).ok()?;
            if out.write_all(b"x").is_err() {
                return Some(3);
            }
        }
        _ => {}
    }
    out.write_all(HONEST).ok()?;
    if orders != "done-without-source" {
        control.send(&Event::Source(facts())).ok()?;
    }
    let plan = match orders {
        "pretends-review" => Plan { reviewed: true, ..plan() },
        "pretends-a-person" => {
            let decision = Decision { action: Action::Keep, by: DecidedBy::Person };
            Plan { redactions: vec![Redaction { decision, ..redaction() }], ..plan() }
        }
        "rectangle-that-is-no-number" => {
            let rect = Rect::new(f32::NAN, 0.0, 1.0, 1.0);
            let keyframes = vec![Keyframe { frame: 0, rect }];
            Plan { redactions: vec![Redaction { keyframes, ..redaction() }], ..plan() }
        }
        _ => plan(),
    };
    match orders {
        "done-without-plan" => {}
        "plan-that-is-not-in-parts" => control.send(&Event::Plan(Box::new(plan))).ok()?,
        _ => {
            control.send(&Event::Plan(Box::new(plan.without_redactions()))).ok()?;
            control.send(&Event::Hidden(part(plan.redactions))).ok()?;
        }
    }
    if orders == "parts-that-do-not-fit" {
        // Each is proper; together their keyframes go back in time.
        let more = RedactionPart { goes_on: true, ..part(vec![redaction()]) };
        control.send(&Event::Hidden(more)).ok()?;
    }
    if orders == "pretends-review" {
        control.send(&Event::Findings(vec![finding()])).ok()?;
    }
    control.send(&Event::Done).ok()?;
    match orders {
        "done-then-lingers" => std::thread::sleep(long),
        "done-then-dies" => std::process::abort(),
        "writes-after-done" => {
            std::thread::sleep(Duration::from_millis(300));
            out.write_all(b" and something else").ok()?;
        }
        _ => {}
    }
    Some(0)
}

/// Says for ever how far it is; `None` once the host is gone.
fn count(control: &mut Control, said: fn(u64) -> (Phase, u64)) -> Option<()> {
    for n in 1.. {
        let (phase, done) = said(n);
        control.send(&Event::Progress { phase, done, total: None }).ok()?;
        std::thread::sleep(Duration::from_millis(20));
    }
    None
}

/// What an auditing worker does. It finds everything that is not [`HONEST`].
fn audit(orders: &str, repaired: bool, files: &mut [File], control: &mut Control) -> Option<i32> {
    match orders {
        "audit-dies" => std::process::abort(),
        "audit-counts-for-ever" => count(control, |n| (Phase::Audit, n))?,
        "audit-misses-for-ever" => {
            control.send(&Event::Missed(part(vec![redaction()]))).ok()?;
            control.send(&Event::Findings(vec![finding()])).ok()?;
        }
        "repair-is-given-up" if !repaired => {
            control.send(&Event::Missed(part(vec![redaction()]))).ok()?;
        }
        "audit-control-characters" => control.send(&Event::Findings(vec![finding()])).ok()?,
        _ => {}
    }
    let mut bytes = Vec::new();
    let finished = files.first_mut()?;
    finished.seek(SeekFrom::Start(0)).ok()?;
    finished.read_to_end(&mut bytes).ok()?;
    if bytes != HONEST {
        let code = FindingCode::UnknownStructure;
        let finding = Finding::new(code, Severity::Failure, "bytes that nobody knows");
        control.send(&Event::Findings(vec![finding])).ok()?;
    }
    control.send(&Event::Done).ok()?;
    Some(0)
}

struct Nothing;

impl Display for Nothing {
    fn begin(&self, _: &Input) -> Box<dyn Listener> {
        Box::new(Silent)
    }
    fn end(&self, _: &Input, _: &Finished) {}
}

/// Every misbehaviour in one batch, honest files before, between and after.
fn misbehaves() {
    let folder = tempfile::tempdir().unwrap();
    let (source, out) = (folder.path().join("in"), folder.path().join("out"));
    std::fs::create_dir_all(&source).unwrap();
    std::fs::create_dir_all(&out).unwrap();
    for (index, (act, _)) in ACTS.iter().enumerate() {
        std::fs::write(source.join(format!("{index:02}-{act}.bin")), act).unwrap();
        std::fs::write(source.join(format!("{index:02}-{act}.honest.bin")), "honest").unwrap();
    }
    let to = Destination { path: Some(out.clone()), ..Destination::default() };
    let inputs = collect(&[source], &to).unwrap().inputs;
    let workers = Workers::start(Interrupt::default(), Level::B).unwrap().with_patience(PATIENCE);
    let settings = Settings {
        policy: Policy::default(),
        output: OutputOptions {
            format: None,
            quality: None,
            span: KeptSpan::default(),
            threads: 1,
            every_frame: false,
            one_decoder: false,
            keep_untouched: false,
        },
        accept_uncertain: false,
        dry_run: false,
        names: false,
        sidecars: std::sync::Arc::default(),
    };
    let longest = std::sync::Mutex::new(Duration::ZERO);
    let work = |input: &Input, listener: &mut dyn Listener| {
        let started = Instant::now();
        let finished = redact(&workers, input, None, &settings, listener);
        let mut longest = longest.lock().unwrap();
        *longest = longest.max(started.elapsed());
        finished
    };
    let done = each(&workers, &inputs, 2, None, &Nothing, &work);
    assert_eq!(done.len(), inputs.len(), "the batch did not go on");
    let mut published = 0;
    for (input, finished) in inputs.iter().zip(&done) {
        let name = input.path.file_name().unwrap().to_string_lossy().into_owned();
        let act = ACTS.iter().find(|(act, _)| name.ends_with(&format!("-{act}.bin")));
        let may = name.contains(".honest.") || act.is_some_and(|(_, may)| *may);
        let status = finished.report.status;
        assert_eq!(status == Status::Published, may, "{name}: {:?}", finished.report);
        let shown = serde_json::to_string(&finished.report).unwrap();
        let wild = |c: char| c.is_control() || c == '\u{202e}';
        let unescaped: serde_json::Value = serde_json::from_str(&shown).unwrap();
        assert!(!all_text(&unescaped).contains(wild), "{name} shows control characters: {shown}");
        published += usize::from(status == Status::Published);
        let path = input.target.folder.join(input.target.published_name(OutputFormat::Png));
        assert_eq!(path.exists(), may, "{name}");
        if may {
            assert_eq!(std::fs::read(path).unwrap(), HONEST, "{name}");
        }
    }
    let may = ACTS.iter().filter(|(_, may_be_published)| *may_be_published).count();
    assert_eq!(published, ACTS.len() + may, "an honest file was not published");
    let held = std::fs::read_dir(&out).unwrap().count() - published;
    // Held for a person, never under the final name: review and misses.
    assert_eq!(held, 3, "held or left over: {held}");
    let longest = *longest.lock().unwrap();
    assert!(longest < Duration::from_secs(15), "{longest:?} for one file");
    println!("{} acts, longest {:.1} s", ACTS.len(), longest.as_secs_f64());
}

fn all_text(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(list) => list.iter().map(all_text).collect(),
        serde_json::Value::Object(map) => map.values().map(all_text).collect(),
        _ => String::new(),
    }
}
