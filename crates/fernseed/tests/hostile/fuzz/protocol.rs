//! Events of a worker that was taken over.

use super::words::mutant;
use fernseed::protocol::{
    Event, Failure, FailureKind, OutputFormat, Phase, RedactionPart, SourceFacts,
};
use fernseed_core::Size;
use fernseed_core::finding::{Finding, FindingCode, Place, Severity};
use fernseed_core::geometry::Rect;
use fernseed_core::plan::MediaKind;
use fernseed_sandbox::Validate;
use fernseed_scrub::{InventoryLimits, Stripped};
use serde_json::Value;

/// One of each kind of event, as real workers send them.
fn events() -> Vec<Value> {
    let place = Place {
        first_frame: Some(3),
        last_frame: Some(5),
        seconds: Some(0.25),
        rect: Some(Rect::new(1.0, 2.0, 3.5, 4.5)),
        ..Place::default()
    };
    let finding = Finding::new(FindingCode::StillVisible, Severity::Doubt, "Somebody.").at(place);
    let size = Size::new(640, 480);
    let source = SourceFacts {
        kind: MediaKind::Video,
        format: "MP4 video".to_owned(),
        output: OutputFormat::Mp4,
        size,
    };
    let png = crate::make::png(16, 3);
    let mut file = std::io::Cursor::new(&png);
    let length = png.len() as u64;
    let limits = InventoryLimits::default();
    let facts = fernseed_scrub::facts(&mut file, length);
    let stripped = Stripped {
        container: "PNG".to_owned(),
        extension: "png".to_owned(),
        notes: vec!["A note.".to_owned()],
    };
    let plan = super::plan::plan();
    let part = RedactionPart { goes_on: true, redactions: plan.redactions.clone() };
    let events = [
        Event::Progress { phase: Phase::Write, done: 7, total: Some(9) },
        Event::Source(source),
        Event::Inventory(fernseed_scrub::inventory(&mut file, length, &limits)),
        Event::Findings(vec![finding.clone(), finding]),
        Event::Plan(Box::new(plan.without_redactions())),
        Event::Hidden(part.clone()),
        Event::Missed(part),
        Event::Stripped(stripped),
        Event::Checked(vec!["one line".to_owned()]),
        Event::Facts(facts),
        Event::Done,
        Event::Failed(Failure::new(FailureKind::Damaged, "it is broken")),
    ];
    events.iter().map(|event| serde_json::to_value(event).unwrap()).collect()
}

/// What passed validation can be said again, and means the same: nothing
/// that the host keeps turns into something else in a report or a plan.
fn holds(bytes: &[u8]) -> bool {
    let Ok(event) = serde_json::from_slice::<Event>(bytes) else { return false };
    if event.validate().is_err() {
        return false;
    }
    let text = serde_json::to_string(&event).unwrap();
    // A message grows by no more than the defaults of what was left out, and
    // by numbers written out.
    assert!(text.len() <= 40 * bytes.len() + 2000, "{} from {}", text.len(), bytes.len());
    let again: Event = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    assert!(again.validate().is_ok(), "{text}");
    assert_eq!(serde_json::to_string(&again).unwrap(), text);
    true
}

pub(super) fn fuzz() {
    let seeds = events();
    assert!(seeds.iter().all(|seed| holds(seed.to_string().as_bytes())), "a seed is refused");
    super::run("protocol", |random| {
        let bytes = mutant(&seeds, random);
        std::panic::catch_unwind(|| holds(&bytes)).unwrap_or_else(|panic| {
            println!("failing input: {}", String::from_utf8_lossy(&bytes));
            std::panic::resume_unwind(panic)
        })
    });
}

/// `1e39` is a number, but no 32-bit one: as infinity it would be `null` in
/// a report. Refused where it is read, and by validation.
pub(super) fn infinite_place() {
    let text = super::regression("event-infinite-place.json");
    assert!(serde_json::from_str::<Event>(&text).is_err());
    let good: Event = serde_json::from_str(&text.replace("1e39", "9.0")).unwrap();
    assert!(good.validate().is_ok());
    let Event::Findings(mut findings) = good else { panic!("another event") };
    let rect = Rect::new(1.0, 2.0, f32::INFINITY, 4.0);
    findings[0].place = Place { rect: Some(rect), ..Place::default() };
    assert!(Event::Findings(findings).validate().is_err());
}
