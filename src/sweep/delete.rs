//! The steps that delete and that look whether it was done.

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::Trouble;
use super::look::Ground;
use super::seen::Deletion;
use crate::clock::Clock;
use crate::domain::{Backup, FailureClass};
use crate::portal::{DeletePortal, PortalError, ReadPortal};

/// Deletions of single backups at once: half of the 15 that the server's limiter allows a user, who may be at work in a
/// browser too (docspace-api.md §5).
const AT_ONCE: usize = 8;

impl Ground<'_> {
    /// One call for the whole history.
    pub(super) async fn bulk<P: DeletePortal>(
        &mut self,
        portal: &P,
        clock: &dyn Clock,
    ) -> Result<(), Trouble> {
        match self.seen.deletion {
            Deletion::NotSent => self.inventory(portal, self.job.began).await?,
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
        self.allowed(clock)?;
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
    pub(super) async fn each<P: DeletePortal>(
        &mut self,
        portal: &P,
        clock: &dyn Clock,
    ) -> Result<(), Trouble> {
        self.inventory(portal, self.job.began).await?;
        if !self.seen.lost.is_empty() {
            self.is_gone(portal).await?;
        }
        if self.seen.pending.is_empty() {
            return self.remaining();
        }
        self.allowed(clock)?;
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
                    fatal = Some(error);
                }
            }
        }
        self.seen.deletion = match (self.seen.lost.is_empty(), self.seen.answered.is_empty()) {
            (false, _) => Deletion::Unknown { attempt: self.seen.attempts },
            (true, false) => Deletion::Answered,
            (true, true) if self.seen.doubts.is_empty() => Deletion::NotSent,
            (true, true) => Deletion::Unclear,
        };
        fatal.map_or(Ok(passing), |error| Err(Trouble::Portal(error)))
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
        let doubts = &self.seen.doubts;
        self.seen.pending =
            self.seen.left.iter().filter(|left| !doubts.contains_key(&left.id)).cloned().collect();
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
        let listed_count = listed.len();
        self.seen.left = self.seen.left_of(listed, self.job.began);
        self.seen.untold = self.seen.decision.is_none() && self.seen.left.len() < listed_count;
        self.seen.deletion = Deletion::Listed;
        // A deletion whose answer was lost and that is not listed any more was done.
        let (lost, left) = (std::mem::take(&mut self.seen.lost), &self.seen.left);
        let done =
            |backup: &Backup| lost.contains(&backup.id) && !left.iter().any(|left| left.id == backup.id);
        self.seen.pending.retain(|backup| !done(backup));
        Ok(self.seen.left.is_empty())
    }

    /// Whether a deletion may be sent now: not after the sweep's time by the wall clock, which goes on while the machine
    /// sleeps and can be set, for it would take backups that were made since; and not where one more portal than this
    /// tick allows would be left without any backup.
    fn allowed(&mut self, clock: &dyn Clock) -> Result<(), Trouble> {
        if clock.now() > self.job.over_at {
            return Err(Trouble::TimeOver);
        }
        let Some(wipes) = self.job.wipes.as_ref().filter(|_| !self.seen.wipe_granted && self.seen.wipes())
        else {
            return Ok(());
        };
        if !wipes.take() {
            return Err(Trouble::WipeLimit);
        }
        self.seen.wipe_granted = true;
        Ok(())
    }
}
