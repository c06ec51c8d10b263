//! One attempt: admission, then the steps in their order, cut where the sweep's time or docsweep itself ends.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;

use super::delete::Means;
use super::judge::{self, Waits};
use super::look::Ground;
use super::seen::{Seen, Step};
use super::{Admission, Job, Planning, Sweeping, Trouble};
use crate::domain::{FailureClass, Method};
use crate::events::RetryScheduled;
use crate::portal::{Connect, Look};
use crate::retry::{Disposition, Operation, Stop};

/// A kind of sweep: the steps of one attempt.
pub(super) trait Kind: Send + Sync {
    /// Whether the steps can delete.
    const DELETES: bool;

    /// The steps, with one client whose connections close at the end.
    fn steps<A: Admission>(
        &self,
        ground: &mut Ground<'_>,
        admission: &A,
    ) -> impl Future<Output = Result<(), Trouble>> + Send;
}

impl<C: Connect> Kind for Sweeping<C> {
    const DELETES: bool = true;

    async fn steps<A: Admission>(&self, ground: &mut Ground<'_>, admission: &A) -> Result<(), Trouble> {
        let means = Means { clock: self.clock.as_ref(), admission };
        let portal = self.connect.connect(&ground.job.portal).await.map_err(Trouble::Portal)?;
        ground.seen.step = Step::Asking;
        ground.preflight(&portal).await?;
        match ground.job.method {
            Method::Bulk => ground.bulk(&portal, &means).await,
            Method::Each => ground.each(&portal, &means).await,
        }
    }
}

impl<L: Look> Kind for Planning<L> {
    const DELETES: bool = false;

    async fn steps<A: Admission>(&self, ground: &mut Ground<'_>, _: &A) -> Result<(), Trouble> {
        let portal = self.look.look(&ground.job.portal).await.map_err(Trouble::Portal)?;
        ground.seen.step = Step::Asking;
        ground.preflight(&portal).await?;
        ground.inventory(&portal, self.at.unwrap_or(ground.job.began), false).await
    }
}

/// All attempts of one sweep.
pub(super) struct Attempts<'a, K, A> {
    kind: &'a K,
    ground: Ground<'a>,
    admission: &'a A,
    waits: &'a Waits,
    stop: &'a Stop,
}

impl<'a, K: Kind, A: Admission> Attempts<'a, K, A> {
    pub(super) fn new(kind: &'a K, job: &'a Job, admission: &'a A, waits: &'a Waits, stop: &'a Stop) -> Self {
        Self { kind, ground: Ground { job, seen: Seen::default() }, admission, waits, stop }
    }

    pub(super) fn into_seen(self) -> Seen {
        self.ground.seen
    }

    /// A permit, unless docsweep stops or the sweep's time ends first.
    async fn admitted(&self) -> Result<A::Permit, Trouble> {
        tokio::select! {
            biased;
            () = self.stop.soft.cancelled() => Err(Trouble::Stopped),
            () = tokio::time::sleep_until(self.ground.job.end) => Err(if self.admission.is_paused() { Trouble::Paused } else { Trouble::TimeOver }),
            permit = self.admission.enter() => Ok(permit),
        }
    }
}

impl<K: Kind, A: Admission> Operation for Attempts<'_, K, A> {
    type Done = ();
    type Error = Trouble;

    async fn attempt(&mut self) -> Result<(), Trouble> {
        self.ground.seen.step = Step::Before;
        let permit = self.admitted().await?;
        self.ground.seen.attempts += 1;
        let (end, hard) = (self.ground.job.end, self.stop.hard.clone());
        // On the heap, so that ten thousand sweeps which wait for a permit or for their next attempt stay small.
        let steps =
            Box::pin(AssertUnwindSafe(self.kind.steps(&mut self.ground, self.admission)).catch_unwind());
        let done = tokio::select! {
            biased;
            done = steps => done.unwrap_or_else(|panic| Err(Trouble::Panicked(panic_text(panic.as_ref())))),
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
        judge::disposition(trouble, &self.ground.seen, self.waits)
    }

    fn waiting(&mut self, trouble: &Trouble, wait: Duration) {
        if let Trouble::Portal(error) | Trouble::Backups { error, .. } = trouble {
            self.ground.seen.last_failure = Some(error.failure());
        }
        RetryScheduled {
            portal: &self.ground.job.portal,
            sweep_id: self.ground.job.sweep_id,
            dump: self.ground.job.dump,
            attempt: self.ground.seen.attempts,
            failure: trouble.as_str(),
            detail: &trouble.detail(),
            wait,
        }
        .emit();
    }
}

/// What a panic said. Its observations are kept: `Seen` holds nothing that a broken step could have left half-made.
fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}
