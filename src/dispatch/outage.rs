//! While the ledger cannot be written: what is owed to it, said once, and asked again until it is well.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use super::queue::Occasion;
use super::task::{Done, Running};
use super::{Dispatcher, Target};
use crate::domain::{MissedRun, Outcome, PortalName, SweepReport, Trigger};
use crate::events::{LedgerFailing, LedgerWell};
use crate::ledger::{Health, Ledger, LedgerError};
use crate::sweep::Work;

/// How often a ledger that fails is asked whether it is well again.
const BEAT: Duration = Duration::from_secs(5);

/// What the ledger's health asks for.
pub(super) enum Event {
    /// It has changed.
    Changed,
    /// A failing ledger is to be asked whether it is well.
    Beat,
}

/// What is known of the ledger's health, and the slots that it does not have yet.
pub(super) struct Outage {
    health: watch::Receiver<Health>,
    /// When a failing ledger is asked next; `None`: it is well, or is being asked.
    next_beat: Option<Instant>,
    told: bool,
    /// The slots that could not be recorded, as one run for each portal. A restart finds them by their absence.
    owed: HashMap<PortalName, (Arc<Target>, MissedRun, Option<Timestamp>)>,
}

impl Outage {
    pub(super) fn new(health: watch::Receiver<Health>) -> Self {
        Self { health, next_beat: None, told: false, owed: HashMap::new() }
    }

    /// The next thing that the ledger's health asks for.
    pub(super) async fn event(&mut self) -> Event {
        let next_beat = self.next_beat;
        let beat = async {
            match next_beat {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Ok(()) = self.health.changed() => Event::Changed,
            () = beat => Event::Beat,
            else => std::future::pending().await,
        }
    }

    /// The ledger was asked: it says itself how it is, and is asked again if it is not well.
    pub(super) fn beaten(&mut self) {
        if self.told {
            self.next_beat = Some(Instant::now() + BEAT);
        }
    }

    /// The ledger refused something. It is said once until it is well.
    pub(super) fn failed(&mut self, error: &LedgerError) {
        if !self.told {
            LedgerFailing(error).emit();
            self.told = true;
            self.next_beat = Some(Instant::now() + BEAT);
        }
    }

    /// Owes the ledger a slot.
    pub(super) fn keep(&mut self, target: &Arc<Target>, slot: Timestamp, next: Option<Timestamp>) {
        self.owe(target, MissedRun { first: slot, last: slot, count: 1 }, next);
    }

    /// Owes the ledger what a report was about.
    pub(super) fn keep_report(&mut self, target: &Arc<Target>, report: &SweepReport) {
        match (&report.outcome, report.slot) {
            (Outcome::Missed(run), _) => self.owe(target, *run, report.next_slot),
            (_, Some(slot)) => self.keep(target, slot, report.next_slot),
            (_, None) => {}
        }
    }

    fn owe(&mut self, target: &Arc<Target>, run: MissedRun, next: Option<Timestamp>) {
        let fresh = || (Arc::clone(target), MissedRun { count: 0, ..run }, next);
        let (_, owed, upcoming) = self.owed.entry(target.portal.clone()).or_insert_with(fresh);
        owed.first = owed.first.min(run.first);
        owed.last = owed.last.max(run.last);
        owed.count += run.count;
        *upcoming = next.max(*upcoming);
    }
}

impl<W: Work, L: Ledger> Dispatcher<W, L> {
    /// Asks a failing ledger whether it is well.
    pub(super) fn beat(&mut self) {
        self.outage.next_beat = None;
        let ledger = Arc::clone(&self.ledger);
        // Its answer shows in its health.
        let task = self.running.spawn(async move {
            ledger.heartbeat().await.unwrap_or_default();
            Done::Beat
        });
        self.by_task.insert(task.id(), Running::Beating);
    }

    /// Says how the ledger is, and gives a well one what it is owed.
    pub(super) fn health_changed(&mut self) {
        let health = self.outage.health.borrow_and_update().clone();
        match health {
            Health::Failing(error) => self.outage.failed(&error),
            Health::Well => {
                if std::mem::take(&mut self.outage.told) {
                    LedgerWell { owed: self.outage.owed.len() }.emit();
                }
                self.outage.next_beat = None;
                for (target, run, next) in std::mem::take(&mut self.outage.owed).into_values() {
                    let trigger = Trigger::Schedule;
                    let occasion = Occasion { trigger, slot: Some(run.first), next, wipes: None };
                    self.unswept(&target, &occasion, Outcome::Missed(run));
                }
            }
        }
    }
}
