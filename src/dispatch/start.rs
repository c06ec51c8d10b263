//! From a due portal to its recorded outcome: claim, sweep, complete; or a row for what came to no sweep.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::queue::Occasion;
use super::target::later;
use super::task::{self, Done, Means, Running};
use super::{Dispatcher, Ended, Target};
use crate::domain::{Counts, Outcome, SkipReason, SweepId, SweepReport};
use crate::events::{BackupLeft, BackupRemoved, SweepFinished};
use crate::ledger::{Claimed, Ledger, LedgerError};
use crate::sweep::{Job, Work};

impl<W: Work, L: Ledger> Dispatcher<W, L> {
    /// Starts the sweep of one portal: first its rows are written.
    pub(super) fn start(&mut self, target: &Arc<Target>, occasion: Occasion) {
        if !self.busy.insert(target.portal.clone()) {
            self.unswept(target, &occasion, Outcome::Skipped(SkipReason::Overlap));
            return;
        }
        let jobs = task::jobs(&self.job(target, &occasion), target.dump.dumps());
        let (ledger, claims) = (Arc::clone(&self.ledger), jobs.iter().map(task::claim).collect());
        let task = self.running.spawn(async move { Done::Claimed(ledger.claim(claims).await) });
        let running = Running::Claiming { jobs, target: Arc::clone(target), occasion };
        self.by_task.insert(task.id(), running);
    }

    /// The portal's job; each of its `Dump` values makes one of its own of it.
    fn job(&self, target: &Target, occasion: &Occasion) -> Job {
        let now = self.clock.now();
        let time = target.time_for_sweep(now, occasion.next);
        Job {
            sweep_id: SweepId::random(),
            portal: target.portal.clone(),
            schedule: target.schedule.clone(),
            slot: occasion.slot,
            trigger: occasion.trigger,
            dump: crate::domain::Dump::Own,
            method: target.method,
            keep: target.keep,
            verify: target.verify,
            timeout: target.timeout,
            retry: target.retry,
            wipes: occasion.wipes.clone(),
            end: Instant::now() + time,
            time,
            began: now,
            over_at: later(now, time),
            next_slot: occasion.next,
        }
    }

    /// Sweeps for the first of `jobs`; the others follow.
    fn sweep(&mut self, target: Arc<Target>, mut jobs: Vec<Job>) {
        if jobs.is_empty() {
            self.busy.remove(&target.portal);
            return;
        }
        let job = jobs.remove(0);
        let means = Means {
            work: Arc::clone(&self.work),
            gate: self.gates.of(&target.server, &self.ledger),
            ledger: Arc::clone(&self.ledger),
            clock: Arc::clone(&self.clock),
            waits: Arc::clone(&self.waits),
            stop: self.stop.clone(),
        };
        let swept = job.clone();
        let task = self.running.spawn(async move { Done::Swept(Box::new(means.sweep(swept).await)) });
        let running = Running::Sweeping { job, began: Instant::now(), target, rest: jobs };
        self.by_task.insert(task.id(), running);
    }

    /// Goes on where a task ended.
    pub(super) fn ended(&mut self, ended: Ended) {
        let (id, done) = match ended {
            Ok((id, done)) => (id, Ok(done)),
            Err(error) => (error.id(), Err(error)),
        };
        let Some(running) = self.by_task.remove(&id) else { return };
        match (running, done) {
            (Running::Claiming { jobs, target, occasion }, Ok(Done::Claimed(claimed))) => {
                self.claimed(jobs, target, &occasion, claimed);
            }
            (Running::Claiming { target, occasion, .. }, _) => {
                self.claimed(Vec::new(), target, &occasion, Err(LedgerError::Stopped));
            }
            (Running::Sweeping { target, rest, .. }, Ok(Done::Swept(report))) => {
                self.tell(&report);
                self.sweep(target, rest);
            }
            (Running::Sweeping { job, began, target, rest }, done) => {
                let failure = done.err().map(|error| task::lost(&error));
                let outcome = failure.map_or(Outcome::Skipped(SkipReason::Shutdown), Outcome::Failed);
                self.tell(&SweepReport { duration: began.elapsed(), ..job.report(outcome) });
                self.sweep(target, rest);
            }
            (Running::Recording { report, target }, Ok(Done::Recorded(recorded))) => {
                self.recorded(&report, &target, recorded);
            }
            (Running::Recording { report, target }, _) => {
                self.recorded(&report, &target, Err(LedgerError::Stopped));
            }
            (Running::Beating, _) => self.outage.beaten(),
        }
    }

    /// Sweeps what was claimed. What has its row already was another trigger's; what could not be claimed is not begun.
    fn claimed(
        &mut self,
        jobs: Vec<Job>,
        target: Arc<Target>,
        occasion: &Occasion,
        claimed: Result<Vec<Claimed>, LedgerError>,
    ) {
        match claimed {
            Ok(claimed) => {
                let mine = jobs.into_iter().zip(claimed).filter(|(_, claimed)| *claimed == Claimed::New);
                self.sweep(target, mine.map(|(job, _)| job).collect());
            }
            Err(error) if !error.is_outage() => {
                self.busy.remove(&target.portal);
                self.tell(&report(&target, occasion, Outcome::Failed(task::refused(&error))));
            }
            Err(error) => {
                self.busy.remove(&target.portal);
                self.outage.failed(&error);
                if let Some(slot) = occasion.slot {
                    self.outage.keep(&target, slot, occasion.next);
                    return;
                }
                let report = report(&target, occasion, Outcome::Skipped(SkipReason::Ledger));
                self.tell(&SweepReport { note: Some(error.to_string()), ..report });
            }
        }
    }

    /// Records a slot that came to no sweep.
    pub(super) fn unswept(&mut self, target: &Arc<Target>, occasion: &Occasion, outcome: Outcome) {
        let report = report(target, occasion, outcome);
        let (ledger, row, now) = (Arc::clone(&self.ledger), report.clone(), self.clock.now());
        let task = self.running.spawn(async move { Done::Recorded(ledger.record(vec![row], now).await) });
        self.by_task.insert(task.id(), Running::Recording { report, target: Arc::clone(target) });
    }

    /// Tells of a row that was written; one that could not be is kept for when it can.
    fn recorded(
        &mut self,
        report: &SweepReport,
        target: &Arc<Target>,
        recorded: Result<Vec<Claimed>, LedgerError>,
    ) {
        match recorded {
            Ok(rows) if rows.contains(&Claimed::Taken) => {}
            Ok(_) => self.tell(report),
            Err(error) if !error.is_outage() => {
                self.tell(&SweepReport { outcome: Outcome::Failed(task::refused(&error)), ..report.clone() });
            }
            Err(error) => {
                self.outage.failed(&error);
                self.outage.keep_report(target, report);
            }
        }
    }

    /// Says what came of a sweep, or of a slot that came to none.
    pub(super) fn tell(&mut self, report: &SweepReport) {
        for removed in &report.removed {
            BackupRemoved { report, removed }.emit();
        }
        for backup in &report.left {
            BackupLeft { report, backup }.emit();
        }
        SweepFinished(report).emit();
        (self.on_report)(report);
    }
}

/// The report of a slot that came to no sweep.
fn report(target: &Target, occasion: &Occasion, outcome: Outcome) -> SweepReport {
    SweepReport {
        sweep_id: SweepId::random(),
        portal: target.portal.clone(),
        schedule: target.schedule.clone(),
        slot: occasion.slot,
        trigger: occasion.trigger,
        dump: target.dump,
        method: target.method,
        outcome,
        note: None,
        attempts: 0,
        counts: Counts::default(),
        removed: Vec::new(),
        left: Vec::new(),
        plan: Vec::new(),
        verified: false,
        duration: Duration::ZERO,
        next_slot: occasion.next,
    }
}
