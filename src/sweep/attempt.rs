//! One attempt: admission, then the steps in their order, cut where the sweep's time or docsweep itself ends.

use std::time::Duration;

use super::judge::{self, Waits};
use super::seen::{Deletion, Seen};
use super::{Admission, Job, Trouble};
use crate::domain::{Dump, FailureClass};
use crate::events::{RetryScheduled, StepLeftOut};
use crate::portal::{Connect, DeletePortal, PortalError};
use crate::retry::{Disposition, Operation, Stop};

/// All attempts of one sweep.
pub(super) struct Attempts<'a, C, A> {
    job: &'a Job,
    connect: &'a C,
    admission: &'a A,
    waits: &'a Waits,
    stop: &'a Stop,
    seen: Seen,
}

impl<'a, C: Connect, A: Admission> Attempts<'a, C, A> {
    pub(super) fn new(
        job: &'a Job,
        connect: &'a C,
        admission: &'a A,
        waits: &'a Waits,
        stop: &'a Stop,
    ) -> Self {
        Self { job, connect, admission, waits, stop, seen: Seen::default() }
    }

    pub(super) fn into_seen(self) -> Seen {
        self.seen
    }

    /// A permit, unless docsweep stops or the sweep's time ends first.
    async fn admitted(&self) -> Result<A::Permit, Trouble> {
        tokio::select! {
            biased;
            () = self.stop.soft.cancelled() => Err(Trouble::Stopped),
            () = tokio::time::sleep_until(self.job.end) => Err(Trouble::TimeOver),
            permit = self.admission.enter() => Ok(permit),
        }
    }

    /// The steps, with one client whose connections close at the end.
    async fn steps(&mut self) -> Result<(), Trouble> {
        let portal = self.connect.connect(&self.job.portal).await.map_err(Trouble::Portal)?;
        self.preflight(&portal).await?;
        match self.seen.deletion {
            Deletion::NotSent => self.inventory(&portal).await?,
            // The deletion failed and is repeated. If it did its work all the same, a list read now is no inventory.
            Deletion::Unclear => {}
            Deletion::InFlight | Deletion::Unknown | Deletion::Answered => {
                if self.is_gone(&portal).await? {
                    return Ok(());
                }
            }
        }
        self.delete(&portal).await?;
        if !self.job.verify || self.seen.no_list || self.is_gone(&portal).await? {
            return Ok(());
        }
        Err(Trouble::Remaining(self.seen.left.unwrap_or_default()))
    }

    async fn preflight<P: DeletePortal>(&mut self, portal: &P) -> Result<(), Trouble> {
        if self.job.dump == Dump::ServerWide && !portal.has_api_key() && !self.seen.version_checked {
            self.check_version(portal).await?;
        }
        match portal.restore_running().await {
            Ok(true) => Err(Trouble::busy("GET getrestoreprogress: a restore is under way")),
            Ok(false) => Ok(()),
            // A restoring portal answers 200 on this anonymous route; this refusal comes from a dead key or a small
            // permission, and the inventory will name which.
            Err(error) if error.class == FailureClass::Busy => Ok(()),
            Err(error) if error.not_served => {
                if !self.seen.no_preflight {
                    self.leave_out(&error.detail);
                }
                self.seen.no_preflight = true;
                Ok(())
            }
            Err(error) => Err(Trouble::Portal(error)),
        }
    }

    /// A server before 3.1 ignores `Dump` and would delete the portal's own history. It takes no API key, so this is
    /// asked only with a key of another kind.
    async fn check_version<P: DeletePortal>(&mut self, portal: &P) -> Result<(), Trouble> {
        match portal.server_version().await {
            Ok(version) if !version.knows_dump() => {
                let detail =
                    format!("the server is version {}, and only 3.1 and later know `Dump`", version.as_str());
                return Err(Trouble::Portal(PortalError::new(FailureClass::DumpRefused, detail)));
            }
            Ok(_) => {}
            Err(error) => self.leave_out(&error.detail),
        }
        self.seen.version_checked = true;
        Ok(())
    }

    async fn inventory<P: DeletePortal>(&mut self, portal: &P) -> Result<(), Trouble> {
        if self.seen.inventory.is_some() || self.seen.no_list {
            return Ok(());
        }
        match portal.history(self.job.dump).await {
            Ok(list) => self.seen.inventory = Some(list),
            Err(error) if error.not_served => {
                self.leave_out(&error.detail);
                self.seen.no_list = true;
            }
            // The list fails as a whole where one storage is out of reach; the deletion may well work.
            Err(error) if error.class == FailureClass::ServerError && error.is_5xx() => {
                self.leave_out(&error.detail);
            }
            Err(error) => return Err(Trouble::Portal(error)),
        }
        Ok(())
    }

    async fn delete<P: DeletePortal>(&mut self, portal: &P) -> Result<(), Trouble> {
        // What was listed before says nothing of what is left after, unless nothing is done.
        let (before, left) = (self.seen.deletion, self.seen.left.take());
        self.seen.deletion = Deletion::InFlight;
        let answer = portal.delete_history(self.job.dump).await;
        self.seen.deletion = match &answer {
            Ok(()) => Deletion::Answered,
            Err(error) if error.class == FailureClass::OutcomeUnknown => Deletion::Unknown,
            Err(error) if error.did_nothing() => {
                self.seen.left = left;
                before
            }
            Err(_) if before == Deletion::NotSent => Deletion::Unclear,
            Err(_) => before,
        };
        answer.map_err(Trouble::Portal)
    }

    /// Whether the list shows nothing any more of what was to go.
    async fn is_gone<P: DeletePortal>(&mut self, portal: &P) -> Result<bool, Trouble> {
        if self.seen.no_list {
            let detail = "the answer to a deletion was lost, and the portal serves no list to look at";
            return Err(Trouble::Portal(PortalError::new(FailureClass::OutcomeUnknown, detail)));
        }
        let listed = portal.history(self.job.dump).await.map_err(Trouble::Portal)?;
        let left = self.seen.count_left(&listed, self.job.began);
        self.seen.left = Some(left);
        Ok(left == 0)
    }

    fn leave_out(&self, detail: &str) {
        let Job { portal, sweep_id, dump, .. } = self.job;
        StepLeftOut { portal, sweep_id: *sweep_id, dump: *dump, detail }.emit();
    }
}

impl<C: Connect, A: Admission> Operation for Attempts<'_, C, A> {
    type Done = ();
    type Error = Trouble;

    async fn attempt(&mut self) -> Result<(), Trouble> {
        let permit = self.admitted().await?;
        self.seen.attempts += 1;
        let (end, hard) = (self.job.end, self.stop.hard.clone());
        // On the heap, so that ten thousand sweeps which wait for a permit or for their next attempt stay small.
        let steps = Box::pin(self.steps());
        let done = tokio::select! {
            biased;
            done = steps => done,
            () = hard.cancelled() => Err(Trouble::Stopped),
            () = tokio::time::sleep_until(end) => Err(Trouble::TimeOver),
        };
        if let Err(Trouble::Portal(error)) = &done
            && error.class == FailureClass::RateLimited
        {
            self.admission.pause(self.waits.rate_limit(error.retry_after));
        }
        drop(permit);
        done
    }

    fn disposition(&self, trouble: &Trouble) -> Disposition {
        judge::disposition(trouble, &self.seen, self.waits)
    }

    fn waiting(&mut self, trouble: &Trouble, wait: Duration) {
        if let Trouble::Portal(error) = trouble {
            self.seen.last_failure = Some(error.failure());
        }
        RetryScheduled {
            portal: &self.job.portal,
            sweep_id: self.job.sweep_id,
            dump: self.job.dump,
            attempt: self.seen.attempts,
            failure: trouble.as_str(),
            detail: &trouble.detail(),
            wait,
        }
        .emit();
    }
}
