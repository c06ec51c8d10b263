//! What a sweep has observed so far.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;

use crate::domain::{Backup, BackupId, Counts, Failure, Removed, Verdict};
use crate::portal::PortalError;

/// How far the deletion has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Deletion {
    /// No deletion was sent, or the server refused each one.
    #[default]
    NotSent,
    /// One is on its way.
    InFlight,
    /// One was sent, and its answer was lost.
    Unknown {
        /// The attempt that sent it.
        attempt: u32,
    },
    /// One was answered, but not in a way that tells whether it was done.
    Unclear,
    /// The server answered true.
    Answered,
    /// The list was read since the last one.
    Listed,
}

/// What has to be granted before the first deletion of a sweep.
#[derive(Debug, Default)]
pub(super) struct Granted {
    /// What is there was taken down.
    pub(super) witnessed: bool,
    /// The tick's allowance was asked, where it matters.
    pub(super) wipe: bool,
}

/// How far an attempt has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Step {
    /// It waits for a permit, or reads the portal's key.
    #[default]
    Before,
    /// Requests are sent.
    Asking,
}

/// The calls that a portal does not serve, as behind a gateway that filters.
#[derive(Debug, Default)]
pub(super) struct Unserved {
    /// The list.
    pub(super) list: bool,
    /// The preflight; that was said.
    pub(super) preflight: bool,
}

/// The observations of one sweep, over all its attempts.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Attempts that were begun.
    pub(super) attempts: u32,
    /// What was decided about the first list that could be read; `None` while there was none.
    pub(super) decision: Option<Vec<Verdict>>,
    /// What the portal does not serve at all.
    pub(super) unserved: Unserved,
    /// The server's version was looked at, where it matters.
    pub(super) version_checked: bool,
    /// How far an attempt has come.
    pub(super) step: Step,
    /// Something is listed of which nobody can tell whether it was to go: there was no list before the deletion, and it
    /// is dated after it.
    pub(super) untold: bool,
    /// What has to be granted before the first deletion, and was.
    pub(super) granted: Granted,
    /// How far the deletion has come.
    pub(super) deletion: Deletion,
    /// What was to go and was listed when the list was last read after a deletion.
    pub(super) left: Vec<Backup>,
    /// `each`: what is still to be sent, oldest first.
    pub(super) pending: Vec<Backup>,
    /// `each`: what the server said it deleted.
    pub(super) answered: HashSet<BackupId>,
    /// `each`: deletions whose answer was lost since the list was last read.
    pub(super) lost: HashSet<BackupId>,
    /// `each`: backups whose deletion ended in an error, with the last one.
    pub(super) doubts: BTreeMap<BackupId, PortalError>,
    /// How many backups that were to stay were not listed any more when the list was last read after a deletion.
    pub(super) vanished: usize,
    /// The failure before the last wait.
    pub(super) last_failure: Option<Failure>,
}

impl Seen {
    /// What is to go, newest first.
    pub(super) fn condemned(&self) -> impl DoubleEndedIterator<Item = &Backup> {
        let verdicts = self.decision.iter().flatten();
        verdicts.filter(|verdict| verdict.reason.goes()).map(|verdict| &verdict.backup)
    }

    /// Whether the decision leaves the portal without any backup. Where there is no list, everything goes.
    pub(super) fn wipes(&self) -> bool {
        self.decision.as_ref().is_none_or(|verdicts| {
            !verdicts.is_empty() && verdicts.iter().all(|verdict| verdict.reason.goes())
        })
    }

    /// What of a list is meant to go. What was made since the decision is nobody's business; without a decision its
    /// date tells.
    pub(super) fn left_of(&self, listed: &[Backup], began: Timestamp) -> Vec<Backup> {
        let ids: HashSet<&BackupId> = self.condemned().map(|backup| &backup.id).collect();
        let known = self.decision.is_some();
        let meant = |backup: &Backup| {
            if known { ids.contains(&backup.id) } else { backup.created_on.is_none_or(|at| at <= began) }
        };
        listed.iter().filter(|backup| meant(backup)).cloned().collect()
    }

    /// What was listed says nothing any more, since something was sent after it.
    pub(super) fn forget_list(&mut self) {
        self.left.clear();
        self.vanished = 0;
        self.untold = false;
    }

    /// How many backups that were to stay are not in this list.
    pub(super) fn kept_and_gone(&self, listed: &[Backup]) -> usize {
        let listed: HashSet<&BackupId> = listed.iter().map(|backup| &backup.id).collect();
        let kept = self.decision.iter().flatten().filter(|verdict| !verdict.reason.goes());
        kept.filter(|verdict| !listed.contains(&verdict.backup.id)).count()
    }

    /// The numbers of the report. What was not observed stays unknown.
    pub(super) fn counts(&self) -> Counts {
        let number = |length: usize| length as u64;
        let found = self.decision.as_ref().map(|verdicts| number(verdicts.len()));
        let condemned = number(self.condemned().count());
        let (deleted, remaining) = match self.deletion {
            Deletion::NotSent => (Some(0), None),
            Deletion::Listed => {
                let left = number(self.left.len());
                (found.map(|_| condemned.saturating_sub(left)), Some(left))
            }
            _ if !self.answered.is_empty() => (Some(number(self.answered.len())), None),
            Deletion::InFlight | Deletion::Unknown { .. } | Deletion::Unclear | Deletion::Answered => {
                (None, None)
            }
        };
        let kept = found.map(|found| found.saturating_sub(condemned).saturating_sub(number(self.vanished)));
        Counts { found, deleted, kept, remaining }
    }

    /// The backups that were removed, oldest first: those that are no longer listed; where nobody could look, those of
    /// which the server said so.
    pub(super) fn removed(&self) -> Vec<Removed> {
        let left: HashSet<&BackupId> = self.left.iter().map(|backup| &backup.id).collect();
        let gone = |backup: &&Backup| match self.deletion {
            Deletion::Listed => !left.contains(&backup.id),
            _ => self.answered.contains(&backup.id),
        };
        let removed = |backup: &Backup| Removed {
            backup: backup.clone(),
            doubt: self.doubts.get(&backup.id).map(|error| error.detail.clone()),
        };
        self.condemned().rev().filter(gone).map(removed).collect()
    }
}
