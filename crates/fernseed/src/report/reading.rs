//! What the commands that only read print with `--json`, a line per file.

use fernseed_core::finding::{Finding, Verdict};
use fernseed_scrub::account::Structure;
use fernseed_scrub::{Inventory, Item, LinkGroup, OutputKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;

/// What `inspect` says of a file.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InspectLine {
    /// The file as it was named.
    pub file: String,
    /// What it is, in plain words; `unknown` if it is of no known format.
    pub container: String,
    /// What it gives away, grouped by category, the worst of each first.
    pub items: Vec<Item>,
    /// Files beside it that tell of it too.
    pub sidecars: Vec<SidecarLine>,
    /// What could not be read.
    pub notes: Vec<String>,
}

/// A file beside an inspected one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SidecarLine {
    /// Its name, without folder.
    pub name: String,
    /// What files of this kind hold; absent for any file of the same name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holds: Option<String>,
}

impl InspectLine {
    /// An inventory in the order for people.
    #[must_use]
    pub fn new(file: String, inventory: Inventory, sidecars: Vec<SidecarLine>) -> Self {
        let Inventory { container, mut items, notes } = inventory;
        items.sort_by_key(|item| (item.category, Reverse(item.severity)));
        Self { file, container, items, sidecars, notes }
    }
}

/// What `audit` says of a file.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditLine {
    /// The file as it was named.
    pub file: String,
    /// What the findings add up to.
    pub verdict: Verdict,
    /// What kind of file it is, as far as fernseed writes it.
    pub container: OutputKind,
    /// Bytes that belong to no allowed structure.
    pub unclaimed: u64,
    /// Everything that speaks against the file, the worst first.
    pub findings: Vec<Finding>,
    /// Whose the other bytes are, in file order.
    pub structures: Vec<Structure>,
    /// What was looked at besides.
    pub checked: Vec<String>,
}

/// What `audit --link` says of a folder.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinksLine {
    /// The folder as it was named.
    pub folder: String,
    /// Files that were compared.
    pub compared: u64,
    /// Files of no known format, by name: only their names, lengths and
    /// beginnings were compared.
    pub unknown: Vec<String>,
    /// What several files have in common, the strongest ties first.
    pub groups: Vec<LinkGroup>,
}
