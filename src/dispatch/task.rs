//! What runs beside the dispatcher's loop: claims, sweeps, records, and the question whether the ledger is well again.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Target;
use super::gate::Gate;
use super::queue::Occasion;
use crate::clock::Clock;
use crate::domain::{Dump, Failure, FailureClass, SweepReport};
use crate::events::LedgerRefused;
use crate::ledger::{Claim, Claimed, Ledger, LedgerError};
use crate::retry::Stop;
use crate::sweep::{Job, Waits, Work};

/// Between two tries to complete a sweep that the ledger could not take.
const AGAIN: Duration = Duration::from_secs(5);

/// What a task was started for: what is known of it should it panic, and what is to follow.
pub(super) enum Running {
    /// The rows of a sweep's `Dump` values are written.
    Claiming { jobs: Vec<Job>, target: Arc<Target>, occasion: Occasion },
    /// A portal is swept, for one `Dump` value; those in `rest` come after it.
    Sweeping { job: Job, began: Instant, target: Arc<Target>, rest: Vec<Job> },
    /// A row is written for a slot that came to no sweep.
    Recording { report: SweepReport, target: Arc<Target> },
    /// The ledger is asked whether it is well.
    Beating,
}

/// What a task came to.
pub(super) enum Done {
    Claimed(Result<Vec<Claimed>, LedgerError>),
    Swept(Box<SweepReport>),
    Recorded(Result<Vec<Claimed>, LedgerError>),
    Beat,
}

/// The claim of a job.
pub(super) fn claim(job: &Job) -> Claim {
    Claim {
        sweep_id: job.sweep_id,
        portal: job.portal.clone(),
        schedule: job.schedule.clone(),
        slot: job.slot,
        trigger: job.trigger,
        dump: job.dump,
        method: job.method,
        began: job.began,
        next_slot: job.next_slot,
    }
}

/// What every sweep is given.
pub(super) struct Means<W, L> {
    pub(super) work: Arc<W>,
    pub(super) gate: Gate<L>,
    pub(super) ledger: Arc<L>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) waits: Arc<Waits>,
    pub(super) stop: Stop,
}

impl<W: Work, L: Ledger> Means<W, L> {
    /// Sweeps, and completes the row. A ledger that fails meanwhile is waited for, until docsweep is cut: the row then stays
    /// as it is, and the next start calls it interrupted.
    pub(super) async fn sweep(self, job: Job) -> SweepReport {
        let report = self.work.work(&job, &self.gate, &self.waits, &self.stop).await;
        let mut told = false;
        while let Err(error) = self.ledger.complete(&report, self.clock.now()).await {
            if !told {
                LedgerRefused { portal: &report.portal, sweep_id: report.sweep_id, error: &error }.emit();
            }
            told = true;
            if !error.is_outage() || error.is_final() {
                break;
            }
            tokio::select! {
                () = self.stop.hard.cancelled() => break,
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
        report
    }
}

/// The failure of a sweep whose task was lost. A panic in its steps is caught earlier, with all that was seen.
pub(super) fn lost(error: &tokio::task::JoinError) -> Failure {
    let detail = format!("the sweep's task was lost: {error}");
    Failure { class: FailureClass::Internal, http_status: None, detail }
}

/// The failure of a slot whose record the ledger refuses although it is well: asking again would end the same way.
pub(super) fn refused(error: &LedgerError) -> Failure {
    Failure { class: FailureClass::Internal, http_status: None, detail: error.to_string() }
}

/// The jobs of a sweep: one for each of the portal's `Dump` values, with one id.
pub(super) fn jobs(first: &Job, dumps: &[Dump]) -> Vec<Job> {
    dumps.iter().map(|&dump| Job { dump, ..first.clone() }).collect()
}
