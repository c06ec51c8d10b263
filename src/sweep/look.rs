//! The steps that only look: preflight, inventory, decide. They are written against [`ReadPortal`], so they cannot
//! delete.

use jiff::Timestamp;

use super::seen::Seen;
use super::{Job, Trouble, retention};
use crate::domain::{Dump, FailureClass};
use crate::events::StepLeftOut;
use crate::portal::{PortalError, ReadPortal};

/// A sweep's job, and what was seen of it.
pub(super) struct Ground<'a> {
    pub(super) job: &'a Job,
    pub(super) seen: Seen,
}

impl Ground<'_> {
    /// Is the portal in a state to be swept?
    pub(super) async fn preflight<P: ReadPortal>(&mut self, portal: &P) -> Result<(), Trouble> {
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
                if !self.seen.unserved.preflight {
                    self.leave_out(&error.detail);
                }
                self.seen.unserved.preflight = true;
                Ok(())
            }
            Err(error) => Err(Trouble::Portal(error)),
        }
    }

    /// A server before 3.1 ignores `Dump` and would list and delete the portal's own history. It takes no API key, so
    /// this is asked only with a key of another kind.
    async fn check_version<P: ReadPortal>(&mut self, portal: &P) -> Result<(), Trouble> {
        match portal.server_version().await {
            Ok(version) if !version.knows_dump() => {
                let detail =
                    format!("the server is version {}, and only 3.1 and later know `Dump`", version.as_str());
                return Err(Trouble::Portal(PortalError::new(FailureClass::DumpRefused, detail)));
            }
            Ok(_) => {}
            // Nothing is deleted on the strength of a fault that will pass: an old server would delete the wrong set.
            Err(error) if will_pass(error.class) => return Err(Trouble::Portal(error)),
            Err(error) => self.leave_out(&error.detail),
        }
        self.seen.version_checked = true;
        Ok(())
    }

    /// Reads the list, once in a sweep, and decides about it as of `now`. `dispensable`: a deletion of everything can do without.
    pub(super) async fn inventory<P: ReadPortal>(
        &mut self,
        portal: &P,
        now: Timestamp,
        dispensable: bool,
    ) -> Result<(), Trouble> {
        if self.seen.decision.is_some() || self.seen.unserved.list {
            return Ok(());
        }
        match portal.history(self.job.dump).await {
            Ok(list) => {
                self.seen.decision = Some(retention::decide(&list, self.job.keep.as_ref(), now));
                self.seen.pending = self.seen.condemned().rev().cloned().collect();
            }
            Err(error) if error.not_served && dispensable => {
                self.leave_out(&error.detail);
                self.seen.unserved.list = true;
            }
            // The list fails as a whole where one storage is out of reach; the deletion may well work.
            Err(error) if error.class == FailureClass::ServerError && error.is_5xx() && dispensable => {
                self.leave_out(&error.detail);
            }
            Err(error) => return Err(Trouble::Portal(error)),
        }
        Ok(())
    }

    fn leave_out(&self, detail: &str) {
        let Job { portal, sweep_id, dump, .. } = self.job;
        StepLeftOut { portal, sweep_id: *sweep_id, dump: *dump, detail }.emit();
    }
}

/// Whether a failure says nothing about the portal but that it should be asked again.
fn will_pass(class: FailureClass) -> bool {
    matches!(class, FailureClass::Unreachable | FailureClass::ServerError | FailureClass::RateLimited)
}
