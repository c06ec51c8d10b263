//! What a sweep has observed so far.

use std::collections::HashSet;

use jiff::Timestamp;

use crate::domain::{Backup, BackupId, Counts, Failure};

/// How far the deletion has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Deletion {
    /// No deletion was sent, or the server refused each one with an answer.
    #[default]
    NotSent,
    /// One was sent, and its answer does not tell whether the server did the work.
    Unclear,
    /// One is on its way.
    InFlight,
    /// One was sent, and its answer was lost.
    Unknown,
    /// The server answered true.
    Answered,
}

/// The observations of one sweep, over all its attempts.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Attempts that were begun.
    pub(super) attempts: u32,
    /// The first list that could be read: what is to go.
    pub(super) inventory: Option<Vec<Backup>>,
    /// The portal does not serve the list at all.
    pub(super) no_list: bool,
    /// The portal does not serve the preflight at all, and that was said.
    pub(super) no_preflight: bool,
    /// The server's version was looked at, where it matters.
    pub(super) version_checked: bool,
    /// How far the deletion has come.
    pub(super) deletion: Deletion,
    /// How many backups that were to go are listed since the last deletion; `None` if nobody has looked since.
    pub(super) left: Option<u64>,
    /// The failure before the last wait.
    pub(super) last_failure: Option<Failure>,
}

impl Seen {
    /// How many of the backups that were to go are in this list. Those that were made since the sweep began are
    /// nobody's business; without an inventory their date tells.
    pub(super) fn count_left(&self, listed: &[Backup], began: Timestamp) -> u64 {
        let left = match &self.inventory {
            Some(inventory) => {
                let ids: HashSet<&BackupId> = inventory.iter().map(|backup| &backup.id).collect();
                listed.iter().filter(|backup| ids.contains(&backup.id)).count()
            }
            None => listed.iter().filter(|backup| backup.created_on.is_none_or(|at| at <= began)).count(),
        };
        left as u64
    }

    /// The numbers of the report. What was not observed stays unknown.
    pub(super) fn counts(&self) -> Counts {
        let found = self.inventory.as_ref().map(|inventory| inventory.len() as u64);
        let untouched = (self.deletion == Deletion::NotSent).then_some(0);
        let deleted = match (found, self.left) {
            (Some(found), Some(left)) => Some(found.saturating_sub(left)),
            _ => untouched,
        };
        Counts { found, deleted, kept: found.map(|_| 0), remaining: self.left }
    }
}
