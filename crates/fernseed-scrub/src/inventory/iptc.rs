//! IPTC-IIM datasets (IIM 4.2): record, number, length, value.

use super::collect::Collector;
use super::names::Sense;
use super::text::decode;
use super::{Category, Harm};
use crate::bytes::be16;
use Category::{Link, Other, People, Place, Software, Time};
use Harm::{High, Low, Medium};

/// `(dataset of record 2, name, sense)`.
const ROWS: &[(u8, &str, Sense)] = &[
    (5, "ObjectName", ((People, Medium), "title")),
    (7, "EditStatus", ((Other, Low), "editorial note")),
    (22, "FixtureIdentifier", ((Link, Medium), "identifier")),
    (25, "Keywords", ((People, Medium), "keywords")),
    (26, "ContentLocationCode", ((Place, Medium), "place")),
    (27, "ContentLocationName", ((Place, High), "place")),
    (30, "ReleaseDate", ((Time, Medium), "date and time")),
    (35, "ReleaseTime", ((Time, Medium), "date and time")),
    (37, "ExpirationDate", ((Time, Low), "date and time")),
    (38, "ExpirationTime", ((Time, Low), "date and time")),
    (40, "SpecialInstructions", ((People, Medium), "text somebody wrote")),
    (55, "DateCreated", ((Time, Medium), "date and time")),
    (60, "TimeCreated", ((Time, Medium), "date and time")),
    (62, "DigitalCreationDate", ((Time, Medium), "date and time")),
    (63, "DigitalCreationTime", ((Time, Medium), "date and time")),
    (65, "OriginatingProgram", ((Software, Low), "software")),
    (70, "ProgramVersion", ((Software, Low), "software")),
    (80, "By-line", ((People, High), "author")),
    (85, "By-lineTitle", ((People, High), "author's position")),
    (90, "City", ((Place, High), "place")),
    (92, "Sub-location", ((Place, High), "place")),
    (95, "Province-State", ((Place, Medium), "place")),
    (100, "Country-PrimaryLocationCode", ((Place, Medium), "place")),
    (101, "Country-PrimaryLocationName", ((Place, Medium), "place")),
    (103, "OriginalTransmissionReference", ((Link, Medium), "identifier")),
    (105, "Headline", ((People, Medium), "text somebody wrote")),
    (110, "Credit", ((People, High), "credit")),
    (115, "Source", ((People, High), "source")),
    (116, "CopyrightNotice", ((People, High), "copyright notice")),
    (118, "Contact", ((People, High), "contact details")),
    (120, "Caption-Abstract", ((People, Medium), "text somebody wrote")),
    (122, "Writer-Editor", ((People, High), "author of the caption")),
    (184, "JobID", ((Link, Medium), "identifier")),
    (185, "MasterDocumentID", ((Link, High), "document identifier")),
    (187, "UniqueDocumentID", ((Link, High), "unique identifier")),
    (188, "OwnerID", ((Link, High), "owner")),
    (202, "ObjectPreviewData", ((Category::Preview, High), "thumbnail")),
];

/// Lists a run of datasets.
pub(super) fn list(data: &[u8], out: &mut Collector, path: &str) {
    let mut at = 0usize;
    let mut count = 0;
    while let (Some(&0x1C), Some(&record), Some(&number)) =
        (data.get(at), data.get(at + 1), data.get(at + 2))
    {
        count += 1;
        let Some(length) = be16(data, at + 3) else { break };
        // The extended form says how many bytes its length takes.
        let (length, skip) = if length & 0x8000 != 0 {
            let bytes = usize::from(length & 0x7FFF).min(4);
            let digits = data.get(at + 5..at + 5 + bytes).unwrap_or_default();
            (digits.iter().fold(0usize, |n, &b| n << 8 | usize::from(b)), 5 + bytes)
        } else {
            (usize::from(length), 5)
        };
        let Some(value) = crate::bytes::part(data, at + skip, length) else {
            out.note("An IPTC record is cut short.");
            break;
        };
        at += skip + length;
        if count > 2_000 {
            break;
        }
        let text = decode(value);
        let row = ROWS.iter().find(|r| r.0 == number && record == 2);
        match (row, record, number) {
            (Some(&(_, name, sense)), ..) if !text.trim().is_empty() => {
                out.add(sense.0, sense.1, &text, &format!("{path}/{name}"), None);
            }
            (None, 1, 70 | 80) => {
                let name = if number == 70 { "DateSent" } else { "TimeSent" };
                let what = (Time, Medium);
                out.add(what, "date and time", &text, &format!("{path}/{name}"), None);
            }
            (None, 1, 30 | 50 | 100) => {
                let what = (Link, Medium);
                out.add(what, "identifier", &text, &format!("{path}/Envelope{number}"), None);
            }
            _ => {}
        }
    }
}
