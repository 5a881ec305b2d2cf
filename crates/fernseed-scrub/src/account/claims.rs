//! The book that is kept while a file is walked: who owns which bytes.

use super::{Accounting, Structure};
use fernseed_core::finding::{Finding, FindingCode, Place, Severity};

/// Most runs kept apart.
const MAX_RUNS: usize = 10_000;
/// Most findings kept.
const MAX_FINDINGS: usize = 1_000;

/// Claims and findings so far.
#[derive(Debug, Default)]
pub(super) struct Claims {
    runs: Vec<Structure>,
    /// Foreign runs: already reported, so not reported again as gaps.
    foreign: Vec<(u64, u64)>,
    findings: Vec<Finding>,
}

impl Claims {
    /// `start..end` belongs to an allowed structure.
    pub(super) fn own(&mut self, path: &str, start: u64, end: u64) {
        if start >= end {
            return;
        }
        if let Some(last) = self.runs.last_mut()
            && last.end == start
            && (last.path == path || self.runs.len() >= MAX_RUNS)
        {
            if let Some(last) = self.runs.last_mut() {
                last.end = end;
            }
            return;
        }
        // Runs past the bound that do not touch stay unclaimed and fail the
        // file: no writer of ours makes so many.
        if self.runs.len() < MAX_RUNS * 2 {
            self.runs.push(Structure { path: path.to_owned(), start, end });
        }
    }

    /// `start..end` belongs to a structure that is not on the list.
    pub(super) fn foreign(&mut self, path: &str, start: u64, end: u64, message: &str) {
        self.foreign_as(FindingCode::UnknownStructure, path, start, end, message);
    }

    /// The same for structures whose purpose is known to be metadata.
    pub(super) fn foreign_as(
        &mut self,
        code: FindingCode,
        path: &str,
        start: u64,
        end: u64,
        message: &str,
    ) {
        if start < end && self.foreign.len() < MAX_RUNS * 2 {
            match self.foreign.last_mut() {
                Some(last) if last.1 == start => last.1 = end,
                _ => self.foreign.push((start, end)),
            }
        }
        self.finding(code, path, start, end, message);
    }

    /// An allowed structure with something in it that our writers never
    /// write.
    pub(super) fn wrong(&mut self, path: &str, start: u64, end: u64, message: &str) {
        self.finding(FindingCode::UnknownStructure, path, start, end, message);
    }

    /// Takes over the account of a member that lies at `offset`, or that is
    /// packed (`None`), under the path `prefix`.
    pub(super) fn take(&mut self, prefix: &str, offset: Option<u64>, inner: Accounting) {
        for s in inner.structures {
            if let Some(offset) = offset {
                let (start, end) = (s.start.saturating_add(offset), s.end.saturating_add(offset));
                self.own(&format!("{prefix}/{}", s.path), start, end);
            }
        }
        for mut finding in inner.findings {
            let place = &mut finding.place;
            let path = place.structure.take().unwrap_or_default();
            place.structure = Some(format!("{prefix}/{path}"));
            place.bytes = offset.and_then(|o| {
                let (start, end) = place.bytes?;
                Some((start.saturating_add(o), end.saturating_add(o)))
            });
            if self.findings.len() < MAX_FINDINGS {
                self.findings.push(finding);
            }
        }
    }

    /// A finding of any code; an empty range stands for no place in the file.
    pub(super) fn finding(
        &mut self,
        code: FindingCode,
        path: &str,
        start: u64,
        end: u64,
        message: &str,
    ) {
        if self.findings.len() >= MAX_FINDINGS {
            return;
        }
        let place = Place {
            structure: (!path.is_empty()).then(|| path.to_owned()),
            bytes: (start < end).then_some((start, end)),
            ..Place::default()
        };
        self.findings.push(Finding::new(code, Severity::Failure, message).at(place));
    }

    /// Closes the book: overlaps and gaps become findings.
    pub(super) fn close(mut self, len: u64) -> (Vec<Structure>, u64, Vec<Finding>) {
        self.runs.sort_by_key(|r| (r.start, r.end));
        let mut all: Vec<(u64, u64, bool)> =
            self.runs.iter().map(|r| (r.start, r.end, true)).collect();
        all.extend(self.foreign.iter().map(|&(s, e)| (s, e, false)));
        all.sort_unstable();
        let (mut cursor, mut owned, mut gaps, mut overlaps) = (0u64, 0u64, Vec::new(), Vec::new());
        for (start, end, ours) in all {
            let end = end.min(len);
            if start > cursor {
                gaps.push((cursor, start));
            }
            if start < cursor && ours {
                overlaps.push((start, cursor.min(end)));
            }
            if end > cursor {
                if ours {
                    owned += end - start.max(cursor);
                }
                cursor = end;
            }
        }
        if cursor < len {
            gaps.push((cursor, len));
        }
        for (start, end) in gaps {
            let message = format!("{} bytes belong to no known structure.", end - start);
            self.finding(FindingCode::UnknownStructure, "", start, end, &message);
        }
        for (start, end) in overlaps {
            self.wrong("", start, end, "Two structures claim the same bytes.");
        }
        (self.runs, len.saturating_sub(owned), self.findings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_overlaps_and_foreign_bytes_are_told_apart() {
        let mut claims = Claims::default();
        claims.own("a", 0, 10);
        claims.own("a", 10, 12);
        claims.own("b", 14, 20);
        claims.foreign("c", 20, 25, "strange");
        claims.own("d", 18, 20);
        let (runs, unclaimed, findings) = claims.close(30);
        assert_eq!(runs.len(), 3);
        assert_eq!(unclaimed, 2 + 5 + 5);
        let places: Vec<_> = findings.iter().map(|f| f.place.bytes).collect();
        assert_eq!(places, [Some((20, 25)), Some((12, 14)), Some((25, 30)), Some((18, 20))]);
    }
}
