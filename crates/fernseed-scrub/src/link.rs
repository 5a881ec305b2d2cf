//! What could tie the files of a folder to one source.
//!
//! [`facts()`] reads one file, [`links()`] compares what was read of many. A
//! publisher sees which files betray that they belong together, and by what,
//! before somebody else does. Only containers, metadata, coding parameters
//! and names are compared: never what a picture shows or who is in it.

mod clock;
mod jpeg;
mod names;
mod structure;

use crate::against;
use crate::inventory::{Category, Harm, InventoryLimits, Item, inventory};
use crate::source::Source;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek};

/// Most traits kept of one file.
const MAX_TRAITS: usize = 200;
/// Most times kept of one file.
const MAX_TIMES: usize = 16;
/// Longest value in characters.
const MAX_VALUE: usize = 200;
/// Files taken within this many seconds belong together.
const CLOSE: i64 = 10 * 60;
/// Counters this far apart belong together.
const NEAR: u64 = 200;

/// What two files can have in common.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Tie {
    /// The serial number of a camera, lens, phone or drone.
    SerialNumber,
    /// An identifier of a document, device or recording.
    Identifier,
    /// A name, an account or a contact.
    Person,
    /// A position.
    Position,
    /// A text in the metadata that is none of the above.
    Text,
    /// The settings of an encoder, written out in full.
    EncoderSettings,
    /// The quantisation tables of a JPEG.
    QuantisationTables,
    /// The Huffman tables of a JPEG, made for one picture.
    HuffmanTables,
    /// Times close together.
    Times,
    /// Names with one counter.
    NameSeries,
    /// The same length in bytes.
    Length,
    /// A maker, model, lens or firmware.
    Device,
    /// A program.
    Software,
    /// The order of structures in the file.
    Structure,
    /// Width and height.
    Resolution,
}

/// How much a common trait says.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Strength {
    /// Thousands of devices share it.
    Weak,
    /// Few sources share it; together with another it points to one.
    Medium,
    /// It belongs to one source.
    Strong,
}

/// One trait of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trait {
    /// What it is.
    pub tie: Tie,
    /// Printable, at most 200 characters. Files with equal values are tied.
    pub value: String,
    /// How much an equal value says.
    pub strength: Strength,
}

/// What is known of one file, without its name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkFacts {
    /// What the file is, in plain words.
    pub container: String,
    /// Length in bytes.
    pub length: u64,
    /// What can be compared. At most 200, in order, without repetition.
    pub traits: Vec<Trait>,
    /// Times in the metadata, in seconds since 1970 as the clock showed them.
    /// At most 16, ascending.
    pub times: Vec<i64>,
}

/// Files that have something in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkGroup {
    /// What they have in common.
    pub tie: Tie,
    /// How much it says.
    pub strength: Strength,
    /// The value they share.
    pub value: String,
    /// One English sentence for people.
    pub message: String,
    /// The files by name, in order; at least two.
    pub files: Vec<String>,
}

/// Reads what ties a file of `len` bytes to others.
///
/// Never fails; reads and keeps a bounded amount.
pub fn facts(file: &mut (impl Read + Seek), len: u64) -> LinkFacts {
    let found = inventory(file, len, &InventoryLimits::default());
    let mut traits = BTreeSet::new();
    let mut times = BTreeSet::new();
    for item in &found.items {
        if let Some(t) = of_item(item) {
            traits.insert(t);
        }
        if item.category == Category::Time {
            times.extend(clock::parse(&item.value));
        }
    }
    let mut source = Source::new(file, len, 64 << 20);
    for (tie, value, strength) in structure::read(&mut source) {
        add(&mut traits, tie, &value, strength);
    }
    for (tie, value, strength) in jpeg::read(&mut source) {
        add(&mut traits, tie, &value, strength);
    }
    if let Some(settings) = structure::encoder_settings(&mut source) {
        add(&mut traits, Tie::EncoderSettings, &settings, Strength::Medium);
    }
    if found.items.is_empty() {
        for text in against::texts(&mut source) {
            add(&mut traits, Tie::Text, &text, Strength::Medium);
        }
    }
    LinkFacts {
        container: found.container,
        length: len,
        traits: traits.into_iter().take(MAX_TRAITS).collect(),
        times: times.into_iter().take(MAX_TIMES).collect(),
    }
}

fn add(traits: &mut BTreeSet<Trait>, tie: Tie, value: &str, strength: Strength) {
    let value: String = value.trim().chars().take(MAX_VALUE).collect();
    if !value.is_empty() {
        traits.insert(Trait { tie, value, strength });
    }
}

/// The trait that an item of the inventory is, if any.
fn of_item(item: &Item) -> Option<Trait> {
    use Strength::{Medium, Strong, Weak};
    let value = item.value.trim();
    let letters = value.chars().filter(|c| c.is_alphanumeric()).count();
    let nothing = letters < 2 || value.chars().all(|c| !c.is_alphanumeric() || c == '0');
    let amount = [" bytes", " kB", " MB", " GB", " values"].iter().any(|s| value.ends_with(s));
    if nothing || amount {
        return None;
    }
    let (tie, strength) = match item.category {
        Category::Link if item.what.contains("serial") => (Tie::SerialNumber, Strong),
        Category::Link if letters >= 6 && item.severity >= Harm::Medium => {
            (Tie::Identifier, Strong)
        }
        Category::People if item.severity == Harm::High && letters >= 3 => (Tie::Person, Strong),
        Category::People if letters >= 8 => (Tie::Text, Medium),
        Category::Place if item.severity == Harm::High && letters >= 6 => (Tie::Position, Medium),
        Category::Device => (Tie::Device, Weak),
        Category::Software => (Tie::Software, Weak),
        _ => return None,
    };
    Some(Trait { tie, value: value.chars().take(MAX_VALUE).collect(), strength })
}

/// What ties the files together: the strongest first. `files` are names,
/// as they would be published, and facts.
///
/// A pure function: nothing is read, and nothing but equal traits, close
/// times and names in a row is looked for.
#[must_use]
pub fn links(files: &[(String, LinkFacts)]) -> Vec<LinkGroup> {
    let mut groups = Vec::new();
    equal(files, &mut groups);
    lengths(files, &mut groups);
    times(files, &mut groups);
    for (value, members) in names::series(files.iter().map(|(n, _)| n.as_str()), NEAR) {
        groups.push(group(files, Tie::NameSeries, Strength::Medium, &value, &members));
    }
    groups.sort_by(|a, b| {
        let key = |g: &LinkGroup| (std::cmp::Reverse(g.strength), g.tie, g.value.clone());
        key(a).cmp(&key(b))
    });
    groups
}

fn equal(files: &[(String, LinkFacts)], out: &mut Vec<LinkGroup>) {
    let mut by_trait: BTreeMap<&Trait, BTreeSet<usize>> = BTreeMap::new();
    for (n, (_, facts)) in files.iter().enumerate() {
        for t in &facts.traits {
            by_trait.entry(t).or_default().insert(n);
        }
    }
    for (t, members) in by_trait.into_iter().filter(|(_, m)| m.len() > 1) {
        out.push(group(files, t.tie, t.strength, &t.value, &members));
    }
}

/// Equal lengths, where they are no chance: tiny files and raw samples aside.
fn lengths(files: &[(String, LinkFacts)], out: &mut Vec<LinkGroup>) {
    let mut by_length: BTreeMap<u64, BTreeSet<usize>> = BTreeMap::new();
    for (n, (_, facts)) in files.iter().enumerate() {
        if facts.length > 4096 {
            by_length.entry(facts.length).or_default().insert(n);
        }
    }
    for (length, members) in by_length.into_iter().filter(|(_, m)| m.len() > 1) {
        let value = format!("{length} bytes");
        out.push(group(files, Tie::Length, Strength::Weak, &value, &members));
    }
}

fn times(files: &[(String, LinkFacts)], out: &mut Vec<LinkGroup>) {
    let mut all: Vec<(i64, usize)> = Vec::new();
    for (n, (name, facts)) in files.iter().enumerate() {
        all.extend(facts.times.iter().chain(clock::parse(name).iter()).map(|&t| (t, n)));
    }
    all.sort_unstable();
    let mut seen: BTreeSet<BTreeSet<usize>> = BTreeSet::new();
    for run in all.chunk_by(|a, b| b.0 - a.0 <= CLOSE) {
        let members: BTreeSet<usize> = run.iter().map(|&(_, n)| n).collect();
        let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
        if members.len() > 1 && seen.insert(members.clone()) {
            let minutes = (last.0 - first.0).div_euclid(60) + 1;
            let value = format!("within {minutes} min of {}", clock::write(first.0));
            out.push(group(files, Tie::Times, Strength::Medium, &value, &members));
        }
    }
}

fn group(
    files: &[(String, LinkFacts)],
    tie: Tie,
    strength: Strength,
    value: &str,
    members: &BTreeSet<usize>,
) -> LinkGroup {
    let what = match tie {
        Tie::SerialNumber => "carry the same serial number, which belongs to one device",
        Tie::Identifier => "carry the same identifier",
        Tie::Person => "name the same person or account",
        Tie::Position => "name the same position",
        Tie::Text => "carry the same text",
        Tie::EncoderSettings => "were coded by one encoder with the same settings",
        Tie::QuantisationTables => "were compressed with the same quantisation tables",
        Tie::HuffmanTables => "have the same Huffman tables, made for one picture",
        Tie::Times => "were taken or changed shortly after one another",
        Tie::NameSeries => "have names from one counter",
        Tie::Length => "have exactly the same length",
        Tie::Device => "name the same device or lens; many people own one",
        Tie::Software => "were made with the same program; many people use it",
        Tie::Structure => "are built in the same order; many devices build files like this",
        Tie::Resolution => "have the same width and height, like those of thousands of devices",
    };
    let names = members.iter().filter_map(|&n| files.get(n)).map(|(name, _)| name.clone());
    LinkGroup {
        tie,
        strength,
        value: value.to_owned(),
        message: format!("{} files {what}.", members.len()),
        files: names.collect(),
    }
}
