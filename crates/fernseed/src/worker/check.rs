//! Reading a finished file without decoding it: whose its bytes are, and
//! what they still give away.

use super::outbox::Outbox;
use super::strip::{read_all, rewound};
use crate::protocol::{Contents, Event, Failure};
use fernseed_core::finding::{Finding, FindingCode, Place, Severity};
use fernseed_scrub::against::{Form, Leak, leaks_accounted};
use fernseed_scrub::{Accounting, Category, Harm, Inventory, InventoryLimits, Item};
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom};

/// Structures told to the host at most.
const MAX_STRUCTURES: usize = 5_000;
/// Files up to this size are read into memory once, bytes.
const IN_MEMORY: u64 = 16 << 20;

/// Checks a stripped file.
pub(super) fn run(
    mut finished: File,
    original: Option<File>,
    outbox: &Outbox,
) -> Result<(), Failure> {
    let length = rewound(&mut finished)?;
    if length <= IN_MEMORY {
        let bytes = read_all(&mut finished, length)?;
        check(&mut Cursor::new(bytes), length, original, outbox)
    } else {
        check(&mut BufReader::with_capacity(64 << 10, finished), length, original, outbox)
    }
}

fn check(
    finished: &mut (impl Read + Seek),
    length: u64,
    original: Option<File>,
    outbox: &Outbox,
) -> Result<(), Failure> {
    let rewind = |f: &mut dyn Seek| f.seek(SeekFrom::Start(0)).map_err(super::probe::io_failure);
    let account = fernseed_scrub::account(finished, length);
    outbox.findings(account.findings.clone())?;
    tell_account(&account, outbox)?;
    rewind(finished)?;
    let left = fernseed_scrub::inventory(finished, length, &InventoryLimits::default());
    outbox.findings(left_over(&left, account.is_clean()))?;
    let mut checked = vec![
        format!("each of its {length} bytes belongs to an allowed structure"),
        "a second reader lists nothing that gives anything away".to_owned(),
    ];
    if let Some(original) = original {
        rewind(finished)?;
        outbox.findings(against(original, finished, length, &account)?)?;
        checked.push(AGAINST.to_owned());
    }
    outbox.tell(Event::Checked(checked))
}

/// What [`against`] looked at.
pub(super) const AGAINST: &str = "the original's metadata was searched for as UTF-8, UTF-16, \
    base64 and inside every deflated stream";

/// What a file still holds of its original's metadata. No value is told.
pub(super) fn against(
    mut original: File,
    finished: &mut (impl Read + Seek),
    length: u64,
    account: &Accounting,
) -> Result<Vec<Finding>, Failure> {
    let original_length = rewound(&mut original)?;
    let leaks = if original_length <= IN_MEMORY {
        let mut original = Cursor::new(read_all(&mut original, original_length)?);
        leaks_accounted(&mut original, original_length, finished, length, account)
    } else {
        let mut original = BufReader::with_capacity(64 << 10, original);
        leaks_accounted(&mut original, original_length, finished, length, account)
    };
    Ok(leaks.iter().map(leaked).collect())
}

fn leaked(leak: &Leak) -> Finding {
    let form = match leak.form {
        Form::Utf8 => "as text",
        Form::Utf16Le | Form::Utf16Be => "as UTF-16",
        Form::Base64 => "as base64",
        Form::Piece => "as bytes of a picture or of hidden data",
        _ => "as bytes",
    };
    let deflated = if leak.deflated { ", compressed" } else { "" };
    let times = if leak.count > 1 { format!(", {} times", leak.count) } else { String::new() };
    let structure = if leak.path.is_empty() { "no known structure" } else { &leak.path };
    Finding::new(
        FindingCode::MetadataLeft,
        Severity::Failure,
        format!(
            "{} of the original ({}) is still in it {form}{deflated}{times}.",
            leak.what, leak.original
        ),
    )
    .at(Place {
        structure: Some(structure.to_owned()),
        bytes: Some(leak.bytes),
        ..Place::default()
    })
}

/// Tells the host what the bytes belong to.
pub(super) fn tell_account(account: &Accounting, outbox: &Outbox) -> Result<(), Failure> {
    outbox.tell(Event::Account(Contents {
        container: account.container,
        unclaimed: account.unclaimed,
        structures: account.structures.iter().take(MAX_STRUCTURES).cloned().collect(),
    }))
}

/// What a file of ours must not hold any more. Members of archives keep their
/// names, which strip says.
fn left_over(inventory: &Inventory, accounted: bool) -> Vec<Finding> {
    let name = |item: &Item| item.what == "name of a member" && item.severity == Harm::Low;
    let fine = |item: &&Item| !(accounted && (vouched_for(item) || name(item)));
    inventory.items.iter().filter(fine).map(|item| left(item, Severity::Failure)).collect()
}

/// True for what a clean accounting has compared byte for byte with the only
/// forms that our writers use: an EXIF block that holds the orientation alone,
/// the tags that make a TIFF's pages, the standard colour profiles, and the
/// names of programs that Matroska demands.
pub(super) fn vouched_for(item: &Item) -> bool {
    let settings = item.what == "camera settings" && item.severity == Harm::Low;
    let exif = item.path.to_ascii_lowercase().contains("exif") && item.path.ends_with("IFD0");
    // The directories of a TIFF are its pages.
    let orientation = settings && (exif || item.path.starts_with("TIFF/IFD"));
    let profile = ["/ICC/", "iCCP/", "ICCP/", "colr/"].iter().any(|p| item.path.contains(p));
    let program = item.category == Category::Software
        && ["Segment/Info/MuxingApp", "Segment/Info/WritingApp"].contains(&item.path.as_str());
    orientation || profile || program
}

/// An item of the inventory as a finding. Its value is not told.
pub(super) fn left(item: &Item, severity: Severity) -> Finding {
    Finding::new(
        FindingCode::MetadataLeft,
        severity,
        format!("{}: {}.", crate::words::category(item.category), item.what),
    )
    .at(Place { structure: Some(item.path.clone()), bytes: item.bytes, ..Place::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_accounting_compares_may_stay() {
        let item = |what: &str, path: &str, severity| Item {
            category: Category::Device,
            what: what.to_owned(),
            value: String::new(),
            path: path.to_owned(),
            bytes: None,
            severity,
        };
        assert!(vouched_for(&item("camera settings", "APP1/Exif/IFD0", Harm::Low)));
        assert!(vouched_for(&item("colour profile", "APP2/ICC/ProfileDescription", Harm::Low)));
        assert!(!vouched_for(&item("camera settings", "APP1/Exif/IFD0/Exif", Harm::Low)));
        assert!(!vouched_for(&item("serial number", "APP1/Exif/IFD0", Harm::High)));
        let program =
            |path: &str| Item { category: Category::Software, ..item("software", path, Harm::Low) };
        assert!(vouched_for(&program("Segment/Info/MuxingApp")));
        assert!(!vouched_for(&program("Segment/Tracks/TrackEntry/CodecName")));
        let inventory = Inventory {
            items: vec![item("camera settings", "APP1/Exif/IFD0", Harm::Low)],
            ..Inventory::default()
        };
        assert_eq!(left_over(&inventory, true).len(), 0);
        assert_eq!(left_over(&inventory, false).len(), 1, "not without a clean account");
    }
}
