//! Gathers items under the bounds of one inventory.

use super::text::printable;
use super::{Category, Embedded, Harm, Inventory, InventoryLimits, Item};

/// Longest path kept, in characters.
const MAX_PATH: usize = 160;
/// Most embedded pictures kept, and most bytes of them.
const MAX_PICTURES: usize = 24;
const MAX_KEPT: usize = 32 << 20;
/// Most notes kept.
const MAX_NOTES: usize = 100;

/// Items and notes so far.
#[derive(Debug)]
pub(super) struct Collector {
    items: Vec<Item>,
    notes: Vec<String>,
    max_items: usize,
    /// Bytes of picture data that may be passed over.
    pub(super) scan: u64,
    dropped: u64,
    /// Pictures that lie in pieces, while they are wanted.
    pictures: Vec<Embedded>,
    gathering: bool,
    /// How deep files inside files are nested.
    depth: u32,
}

impl Collector {
    pub(super) fn new(limits: &InventoryLimits) -> Self {
        Self {
            items: Vec::new(),
            notes: Vec::new(),
            max_items: limits.max_items,
            scan: limits.max_scan_bytes,
            dropped: 0,
            pictures: Vec::new(),
            gathering: false,
            depth: 0,
        }
    }

    /// Adds one item.
    pub(super) fn add(
        &mut self,
        (category, severity): (Category, Harm),
        what: &str,
        value: &str,
        path: &str,
        bytes: Option<(u64, u64)>,
    ) {
        if self.items.len() >= self.max_items {
            self.dropped += 1;
            return;
        }
        self.items.push(Item {
            category,
            what: printable(what, 80),
            value: printable(value, 200),
            path: printable(path, MAX_PATH),
            bytes,
            severity,
        });
    }

    /// From now on pictures do or do not lie in one piece in the file.
    pub(super) const fn gather_pictures(&mut self, in_pieces: bool) {
        self.gathering = in_pieces;
    }

    /// Keeps an embedded picture, if it lies in pieces.
    pub(super) fn picture(&mut self, path: &str, data: &[u8]) {
        let kept: usize = self.pictures.iter().map(|p| p.data.len()).sum();
        if self.gathering && self.pictures.len() < MAX_PICTURES && kept + data.len() <= MAX_KEPT {
            let path = printable(path, MAX_PATH);
            self.pictures.push(Embedded { path, data: data.to_vec() });
        }
    }

    /// The pictures kept.
    pub(super) fn pictures(self) -> Vec<Embedded> {
        self.pictures
    }

    /// True once no further item is kept.
    pub(super) fn full(&self) -> bool {
        self.items.len() >= self.max_items && self.dropped > 1_000
    }

    /// Adds a note about what could not be read.
    pub(super) fn note(&mut self, text: &str) {
        let text = printable(text, 200);
        if self.notes.len() < MAX_NOTES && !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    /// Runs `list` on data that does not lie in the file as it is: its items
    /// get the place `bytes` of the block they came from.
    pub(super) fn inside(&mut self, bytes: Option<(u64, u64)>, list: impl FnOnce(&mut Self)) {
        if self.depth >= 4 {
            self.note("Files are nested too deeply.");
            return;
        }
        self.depth += 1;
        let from = self.items.len();
        list(self);
        for item in self.items.get_mut(from..).unwrap_or_default() {
            item.bytes = bytes;
        }
        self.depth -= 1;
    }

    /// Runs `list` on a file that lies at `offset` in the file.
    pub(super) fn at_offset(&mut self, offset: u64, path: &str, list: impl FnOnce(&mut Self)) {
        if self.depth >= 4 {
            self.note("Files are nested too deeply.");
            return;
        }
        self.depth += 1;
        let from = self.items.len();
        list(self);
        for item in self.items.get_mut(from..).unwrap_or_default() {
            item.bytes =
                item.bytes.map(|(s, e)| (s.saturating_add(offset), e.saturating_add(offset)));
            item.path = printable(&format!("{path}/{}", item.path), MAX_PATH);
        }
        self.depth -= 1;
    }

    /// The finished inventory.
    pub(super) fn finish(mut self, container: &str) -> Inventory {
        if self.dropped > 0 {
            self.notes.push(format!("{} further items are not listed.", self.dropped));
        }
        Inventory { container: container.to_owned(), items: self.items, notes: self.notes }
    }
}
