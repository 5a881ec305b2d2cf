//! What speaks against a file that is not known to be ours: what it gives
//! away, and who is in the pictures hidden inside it.

use super::audit::Audit;
use super::check::{left, vouched_for};
use crate::protocol::{Event, Failure};
use fernseed_core::detect::{Detector, Effort};
use fernseed_core::finding::{Finding, FindingCode, Place, Severity};
use fernseed_core::limits::Limits;
use fernseed_media::still::{self, StillFrames};
use fernseed_scrub::{Accounting, Category, Harm, Inventory, InventoryLimits, Item, OutputKind};
use std::fs::File;
use std::os::unix::fs::FileExt;

/// Largest file that is searched for pictures, bytes.
const MAX_SEARCHED: u64 = 64 << 20;
/// Embedded pictures that are decoded at most.
const MAX_PICTURES: usize = 24;
/// Beginnings of pictures that are tried at most.
const MAX_TRIED: usize = 400;
/// How pictures begin that cameras and programs embed.
const BEGINNINGS: [&[u8]; 2] = [b"\xFF\xD8\xFF", b"\x89PNG\r\n\x1a\n"];

/// Accounting, inventory and embedded pictures of a foreign file.
pub(super) fn examine(
    job: &Audit<'_>,
    finished: &mut File,
    length: u64,
    account: &Accounting,
) -> Result<Inventory, Failure> {
    let inventory = fernseed_scrub::inventory(finished, length, &InventoryLimits::default());
    let mut findings: Vec<Finding> = match account.container {
        OutputKind::Unknown => vec![unaccountable(&inventory.container)],
        _ => account.findings.iter().cloned().map(weighed).collect(),
    };
    // The one form of ours gives nothing away.
    let fine = |item: &&Item| !(account.is_clean() && vouched_for(item));
    findings.extend(inventory.items.iter().filter(fine).map(|item| left(item, weight(item))));
    findings.extend(inventory.notes.iter().map(|n| note(n)));
    findings.extend(embedded(job, finished, length, &inventory));
    job.outbox.findings(findings)?;
    job.outbox.tell(Event::Inventory(inventory.clone()))?;
    Ok(inventory)
}

/// Our own canonical form is no duty of other tools: a departure from it
/// that holds no bytes is worth a word, an unknown run of bytes a look.
fn weighed(mut finding: Finding) -> Finding {
    if finding.code == FindingCode::UnknownStructure {
        let holds = finding.place.bytes.is_some_and(|(from, to)| to > from);
        finding.severity = if holds { Severity::Doubt } else { Severity::Notice };
    }
    finding
}

fn unaccountable(container: &str) -> Finding {
    let message = if container == "unknown" {
        "The format is not known; nothing can be said about its bytes.".to_owned()
    } else {
        format!(
            "Its bytes cannot be accounted for one by one: no {container} of any tool can, only \
             the formats that fernseed writes."
        )
    };
    Finding::new(FindingCode::UnknownStructure, Severity::Doubt, message)
}

fn weight(item: &Item) -> Severity {
    match (item.severity, item.category) {
        (Harm::High | Harm::Medium, _) => Severity::Failure,
        (Harm::Low, Category::Other) => Severity::Notice,
        (Harm::Low, _) => Severity::Doubt,
    }
}

fn note(text: &str) -> Finding {
    Finding::new(FindingCode::Note, Severity::Notice, text)
}

/// Decodes every picture inside the file and looks for people in it.
fn embedded(job: &Audit<'_>, file: &File, length: u64, inventory: &Inventory) -> Vec<Finding> {
    let mut out = Vec::new();
    if length > MAX_SEARCHED {
        out.push(note("It is too large to be searched for embedded pictures."));
        return out;
    }
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    if file.read_exact_at(&mut bytes, 0).is_err() {
        return out;
    }
    // In these, the picture itself may be a JPEG somewhere inside; there
    // only what the inventory lists is looked at.
    let whole = inventory.container.starts_with("JPEG")
        || inventory.container.starts_with("PNG")
        || inventory.container.starts_with("WebP")
        || inventory.container.starts_with("GIF");
    let within = |at: usize| inventory.items.iter().find(|item| holds(item, at as u64));
    let mut tried = 0;
    for at in beginnings(&bytes).filter(|at| *at > 0) {
        let item = within(at);
        if (item.is_none() && !whole) || out.len() >= MAX_PICTURES {
            continue;
        }
        tried += 1;
        if tried > MAX_TRIED {
            break;
        }
        let Some(rest) = bytes.get(at..) else { continue };
        let path = item.map(|i| i.path.clone());
        let bytes = (at as u64, item.and_then(|i| i.bytes).map_or(length, |(_, to)| to));
        out.extend(picture(job, rest, path, Some(bytes)));
    }
    // Those that lie in pieces were put together.
    let mut whole = std::io::Cursor::new(&bytes);
    for torn in fernseed_scrub::torn_pictures(&mut whole, length) {
        if out.len() < MAX_PICTURES {
            out.extend(picture(job, &torn.data, Some(torn.path), None));
        }
    }
    out
}

/// Decodes one embedded picture and looks for people in it; `None` if it is no
/// single picture.
fn picture(
    job: &Audit<'_>,
    data: &[u8],
    structure: Option<String>,
    bytes: Option<(u64, u64)>,
) -> Option<Finding> {
    let decoded = still::decode(data, &Limits::default()).ok()?;
    let StillFrames::One(picture) = decoded.frames else { return None };
    let found = job.finder.detect(&picture, Effort::Still, job.threshold).ok()?;
    let size = picture.size();
    let people = match found.len() {
        0 => "nobody is seen in it".to_owned(),
        n => format!("{} can be seen in it", crate::words::people(n)),
    };
    let (severity, code) = if found.is_empty() {
        (Severity::Doubt, FindingCode::MetadataLeft)
    } else {
        (Severity::Failure, FindingCode::StillVisible)
    };
    let message =
        format!("A picture of {}x{} pixels is embedded in it; {people}.", size.width, size.height);
    Some(Finding::new(code, severity, message).at(Place { structure, bytes, ..Place::default() }))
}

fn holds(item: &Item, at: u64) -> bool {
    matches!(item.category, Category::Preview | Category::Hidden)
        && item.bytes.is_some_and(|(from, to)| (from..to).contains(&at))
}

/// Where pictures may begin.
fn beginnings(bytes: &[u8]) -> impl Iterator<Item = usize> + '_ {
    bytes
        .windows(8)
        .enumerate()
        .filter(|(_, window)| BEGINNINGS.iter().any(|b| window.starts_with(b)))
        .map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn departures_from_our_form_weigh_less_than_unknown_bytes() {
        let unknown = |bytes| {
            let place = Place { bytes, ..Place::default() };
            let code = FindingCode::UnknownStructure;
            weighed(Finding::new(code, Severity::Failure, "x").at(place)).severity
        };
        assert_eq!(unknown(Some((4, 90))), Severity::Doubt);
        assert_eq!(unknown(None), Severity::Notice);
        let hidden = Finding::new(FindingCode::HiddenSamples, Severity::Failure, "x");
        assert_eq!(weighed(hidden).severity, Severity::Failure);
    }

    #[test]
    fn pictures_are_found_by_their_beginnings() {
        let bytes = b"..\xFF\xD8\xFF\xE0......\x89PNG\r\n\x1a\n....\xFF\xD8";
        assert_eq!(beginnings(bytes).collect::<Vec<_>>(), [2, 12]);
    }
}
