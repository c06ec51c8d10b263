//! The steps that delete and that look whether it was done.

use std::collections::HashSet;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::look::Ground;
use super::seen::Deletion;
use super::{Admission, Trouble};
use crate::clock::Clock;
use crate::domain::{Backup, BackupId, FailureClass, Method};
use crate::portal::{DeletePortal, PortalError, ReadPortal};

/// Deletions of single backups at once: half of the 15 that the server's limiter allows a user, who may be at work in a
/// browser too (docspace-api.md §5).
const AT_ONCE: usize = 8;

/// What the deleting steps need besides the portal.
pub(super) struct Means<'a, A> {
    pub(super) clock: &'a dyn Clock,
    pub(super) admission: &'a A,
}

impl Ground<'_> {
    /// One call for the whole history.
    pub(super) async fn bulk<P: DeletePortal, A: Admission>(
        &mut self,
        portal: &P,
        means: &Means<'_, A>,
    ) -> Result<(), Trouble> {
        match self.seen.deletion {
            Deletion::NotSent => self.inventory(portal, self.job.began, true).await?,
            // The deletion failed in a way that leaves open whether it was done. A list read now is no inventory; and where
            // there is none from before, a list cannot tell whether anything was done.
            Deletion::Unclear if self.seen.condemned().next().is_none() => {}
            Deletion::InFlight
            | Deletion::Unknown { .. }
            | Deletion::Unclear
            | Deletion::Answered
            | Deletion::Listed => {
                if self.is_gone(portal).await? {
                    return Ok(());
                }
            }
        }
        // The deletion goes out even for an empty list, which can hide records; but not where a last backup might be among
        // them that the operator wants to be kept.
        if self.job.wipes.is_some() && self.seen.decision.as_ref().is_some_and(Vec::is_empty) {
            return Ok(());
        }
        self.allowed(means).await?;
        if let Err(trouble) = self.delete_history(portal).await {
            self.last_look(portal, &trouble).await;
            return Err(trouble);
        }
        if !self.job.verify || self.seen.unserved.list || self.is_gone(portal).await? {
            return Ok(());
        }
        Err(Trouble::Remaining { left: self.seen.left.len(), again: true })
    }

    async fn delete_history<P: DeletePortal>(&mut self, portal: &P) -> Result<(), Trouble> {
        let before = self.seen.deletion;
        self.seen.deletion = Deletion::InFlight;
        let answer = portal.delete_history(self.job.dump).await;
        self.seen.deletion = match &answer {
            Ok(()) => Deletion::Answered,
            Err(error) if error.class == FailureClass::OutcomeUnknown => {
                Deletion::Unknown { attempt: self.seen.attempts }
            }
            Err(error) if error.did_nothing() => before,
            Err(_) => Deletion::Unclear,
        };
        match self.seen.deletion {
            Deletion::NotSent => self.give_back(),
            Deletion::Listed => {}
            // A list from before says nothing of what is left now.
            _ => self.seen.forget_list(),
        }
        answer.map_err(Trouble::Portal)
    }

    /// A deletion's answer that makes no sense ends the sweep, but the list can still tell what was done. The trouble stays
    /// what it is, whatever comes of this.
    async fn last_look<P: ReadPortal>(&mut self, portal: &P, trouble: &Trouble) {
        let senseless =
            |error: &PortalError| matches!(error.class, FailureClass::BadResponse | FailureClass::NotAPortal);
        let ends = matches!(trouble, Trouble::Portal(error) if senseless(error));
        if ends && self.job.verify && self.seen.deletion == Deletion::Unclear {
            self.is_gone(portal).await.unwrap_or_default();
        }
    }

    /// One call for each backup that is to go. What appeared after the decision is never touched.
    pub(super) async fn each<P: DeletePortal, A: Admission>(
        &mut self,
        portal: &P,
        means: &Means<'_, A>,
    ) -> Result<(), Trouble> {
        self.inventory(portal, self.job.began, false).await?;
        // What was sent and has not been looked at since is looked at first: a lost answer, or a list that failed.
        let unseen = !matches!(self.seen.deletion, Deletion::NotSent | Deletion::Listed);
        if !self.seen.lost.is_empty() || (self.job.verify && unseen) {
            self.is_gone(portal).await?;
        }
        if self.seen.pending.is_empty() {
            return self.remaining();
        }
        self.allowed(means).await?;
        let failed = self.delete_pending(portal).await?;
        if self.job.verify {
            self.is_gone(portal).await?;
        }
        match failed {
            Some(error) => Err(Trouble::Backups { count: self.seen.pending.len(), error }),
            None => self.remaining(),
        }
    }

    /// Sends what is pending. A backup's own failure that may pass stays pending, and one of them is returned; the
    /// portal's failure ends the attempt when those on their way have come back.
    async fn delete_pending<P: DeletePortal>(&mut self, portal: &P) -> Result<Option<PortalError>, Trouble> {
        let mut queue = self.seen.pending.clone().into_iter();
        let delete = |backup: Backup| async move {
            let answer = portal.delete_backup(&backup.id).await;
            (backup, answer)
        };
        let mut running = FuturesUnordered::new();
        let (mut passing, mut fatal) = (None, None);
        let before = (self.seen.deletion, self.known());
        self.seen.deletion = Deletion::InFlight;
        loop {
            while fatal.is_none() && running.len() < AT_ONCE {
                let Some(backup) = queue.next() else { break };
                self.seen.lost.insert(backup.id.clone());
                running.push(delete(backup));
            }
            let Some((backup, answer)) = running.next().await else { break };
            match answer {
                Ok(()) => self.settle(&backup),
                Err(error) if error.concerns_one_backup() => self.doubt(&backup, error, &mut passing),
                Err(error) => {
                    if error.did_nothing() {
                        self.seen.lost.remove(&backup.id);
                    }
                    fatal = Some(graver(fatal, error));
                }
            }
        }
        self.seen.deletion = match (self.seen.lost.is_empty(), self.seen.answered.is_empty()) {
            (false, _) => Deletion::Unknown { attempt: self.seen.attempts },
            // Each one was refused, so what was seen before still holds.
            (true, _) if self.known() == before.1 => before.0,
            (true, false) => Deletion::Answered,
            (true, true) => Deletion::Unclear,
        };
        if self.seen.deletion == Deletion::NotSent {
            self.give_back();
        }
        fatal.map_or(Ok(passing), |error| Err(Trouble::Portal(error)))
    }

    /// How many answers are known that were no refusals.
    fn known(&self) -> (usize, usize) {
        (self.seen.answered.len(), self.seen.doubts.len())
    }

    /// The server says that it deleted a backup.
    fn settle(&mut self, backup: &Backup) {
        self.seen.lost.remove(&backup.id);
        self.seen.pending.retain(|pending| pending.id != backup.id);
        self.seen.doubts.remove(&backup.id);
        self.seen.answered.insert(backup.id.clone());
    }

    /// The deletion of a backup failed, which says nothing of the next one. A 5xx may pass, and repeated, the server
    /// tries the file again; anything else would come again.
    fn doubt(&mut self, backup: &Backup, error: PortalError, passing: &mut Option<PortalError>) {
        self.seen.lost.remove(&backup.id);
        self.seen.doubts.insert(backup.id.clone(), error.clone());
        if error.is_5xx() {
            *passing = Some(error);
        } else {
            self.seen.pending.retain(|pending| pending.id != backup.id);
        }
    }

    /// Nothing is pending: is anything left all the same?
    fn remaining(&mut self) -> Result<(), Trouble> {
        if self.seen.left.is_empty() {
            // Where nobody looks, an error is all that there is.
            let unseen = self.seen.doubts.values().next().filter(|_| self.seen.deletion != Deletion::Listed);
            return match unseen.cloned() {
                Some(error) => Err(Trouble::Backups { count: self.seen.doubts.len(), error }),
                None => Ok(()),
            };
        }
        // What the server said it deleted and still lists is sent again; what it refused for good is not.
        let left: HashSet<&BackupId> = self.seen.left.iter().map(|backup| &backup.id).collect();
        let again =
            |backup: &&Backup| left.contains(&backup.id) && !self.seen.doubts.contains_key(&backup.id);
        let pending: Vec<Backup> = self.seen.condemned().rev().filter(again).cloned().collect();
        self.seen.pending = pending;
        let again = !self.seen.pending.is_empty();
        Err(Trouble::Remaining { left: self.seen.left.len(), again })
    }

    /// Whether the list shows nothing any more of what was to go.
    async fn is_gone<P: ReadPortal>(&mut self, portal: &P) -> Result<bool, Trouble> {
        if self.seen.unserved.list {
            let detail = "the answer to a deletion was lost, and the portal serves no list to look at";
            return Err(Trouble::Portal(PortalError::new(FailureClass::OutcomeUnknown, detail)));
        }
        let listed = portal.history(self.job.dump).await.map_err(Trouble::Portal)?;
        self.seen.left = self.seen.left_of(&listed, self.job.began);
        self.seen.untold = self.seen.decision.is_none() && self.seen.left.len() < listed.len();
        self.seen.vanished = self.seen.kept_and_gone(&listed);
        self.seen.deletion = Deletion::Listed;
        // A deletion whose answer was lost and that is not listed any more was done.
        let (lost, left) = (std::mem::take(&mut self.seen.lost), &self.seen.left);
        let left: HashSet<&BackupId> = left.iter().map(|backup| &backup.id).collect();
        // A yes that the list contradicts was none; and what is not listed any more is gone, whatever was answered.
        if self.job.method == Method::Each {
            let gone = self.seen.condemned().map(|backup| &backup.id).filter(|id| !left.contains(id));
            self.seen.answered = gone.cloned().collect();
        }
        let done = |backup: &Backup| lost.contains(&backup.id) && !left.contains(&backup.id);
        self.seen.pending.retain(|backup| !done(backup));
        Ok(self.seen.left.is_empty())
    }

    /// Gives the tick's allowance back: every deletion was refused, so nothing was wiped.
    fn give_back(&mut self) {
        if let Some(wipes) = self.job.wipes.as_ref().filter(|_| self.seen.granted.wipe) {
            wipes.give_back();
            self.seen.granted.wipe = false;
        }
    }

    /// Whether a deletion may be sent now: not after the sweep's time by the wall clock, which goes on while the machine
    /// sleeps and can be set, for it would take backups that were made since; not before what is there was taken down; and not where
    /// one more portal than this tick allows would be left without any backup.
    async fn allowed<A: Admission>(&mut self, means: &Means<'_, A>) -> Result<(), Trouble> {
        if means.clock.now() > self.job.over_at {
            return Err(Trouble::TooLate);
        }
        if let Some(verdicts) = self.seen.decision.as_ref().filter(|_| !self.seen.granted.witnessed) {
            let backups: Vec<Backup> = verdicts.iter().map(|verdict| verdict.backup.clone()).collect();
            means.admission.witness(self.job, &backups).await.map_err(Trouble::Unrecorded)?;
            self.seen.granted.witnessed = true;
        }
        let Some(wipes) = self.job.wipes.as_ref().filter(|_| !self.seen.granted.wipe && self.seen.wipes())
        else {
            return Ok(());
        };
        self.seen.granted.wipe = wipes.take().ok_or(Trouble::WipeLimit)?;
        Ok(())
    }
}

/// The graver of two failures of one portal: what must not be repeated soon outranks what may be.
fn graver(known: Option<PortalError>, new: PortalError) -> PortalError {
    let rank = |error: &PortalError| match error.class {
        FailureClass::OutcomeUnknown => 2,
        FailureClass::RateLimited => 1,
        FailureClass::ServerError | FailureClass::Unreachable => 0,
        _ => 3,
    };
    match known {
        Some(known) if rank(&known) > rank(&new) => known,
        _ => new,
    }
}
