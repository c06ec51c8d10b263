//! Which portals run now: takes due slots, starts one sweep a portal, holds the permits, and sees to it that every
//! slot ends in a report.
//!
//! Sweeps run in a [`JoinSet`], so that a panic comes back here and becomes that portal's outcome. It knows no cron
//! syntax and no HTTP. All state is owned by the one loop; nothing is locked.

mod gate;
mod target;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::domain::{
    Counts, Dump, Failure, FailureClass, MissedRun, Outcome, PortalName, SkipReason, SweepId, SweepReport,
    Trigger,
};
use crate::events::{BackupLeft, BackupRemoved, SweepFinished};
use crate::retry::Stop;
use crate::schedule::{Due, GroupId, ON_TIME};
use crate::sweep::{Job, Waits, Wipes, Work};

use gate::Gates;
use target::later;
pub use target::{Target, splay_offset};

/// How many sweeps run at once.
#[derive(Debug, Clone, Copy)]
pub struct Caps {
    /// In all.
    pub concurrency: usize,
    /// Against one server.
    pub per_server: usize,
    /// How many portals one tick may leave without any backup; `None`: all of them.
    pub max_wipes: Option<u32>,
}

/// Is told of every report, in the order in which they come to be.
pub type OnReport = Box<dyn FnMut(&SweepReport) + Send>;

/// Starts sweeps and gathers their reports.
pub struct Dispatcher<W> {
    work: Arc<W>,
    clock: Arc<dyn Clock>,
    waits: Arc<Waits>,
    stop: Stop,
    gates: Gates,
    max_wipes: Option<u32>,
    /// The allowance of the newest tick: schedules that are due at the same instant share it.
    tick: Option<(Timestamp, Arc<Wipes>)>,
    on_report: OnReport,
    /// Portals that are being swept.
    busy: HashSet<PortalName>,
    /// What is still to start, earliest first.
    upcoming: BinaryHeap<Reverse<Upcoming>>,
    running: JoinSet<SweepReport>,
    by_task: HashMap<tokio::task::Id, Running>,
    sequence: u64,
}

/// A sweep that starts at an instant. Ordered by it, then by the order of arrival.
struct Upcoming {
    at: Instant,
    sequence: u64,
    target: Arc<Target>,
    occasion: Occasion,
}

/// What a sweep is done for.
#[derive(Debug, Clone)]
struct Occasion {
    /// The slot; `None` for a sweep on demand.
    slot: Option<Timestamp>,
    /// The portal's next slot.
    next: Option<Timestamp>,
    /// How many portals of the tick may still be left without any backup.
    wipes: Option<Arc<Wipes>>,
}

/// A sweep that runs: what is known of it should it panic, and what is to follow.
struct Running {
    job: Job,
    began: Instant,
    target: Arc<Target>,
    /// The `Dump` values that come after this one.
    rest: &'static [Dump],
}

impl<W: Work> Dispatcher<W> {
    /// A dispatcher without work.
    pub fn new(
        work: W,
        clock: Arc<dyn Clock>,
        waits: Waits,
        caps: Caps,
        stop: Stop,
        on_report: OnReport,
    ) -> Self {
        Self {
            work: Arc::new(work),
            clock,
            waits: Arc::new(waits),
            stop,
            gates: Gates::new(caps.concurrency, caps.per_server),
            max_wipes: caps.max_wipes,
            tick: None,
            on_report,
            busy: HashSet::new(),
            upcoming: BinaryHeap::new(),
            running: JoinSet::new(),
            by_task: HashMap::new(),
            sequence: 0,
        }
    }

    /// Sweeps `targets` as their slots come in, until a stop is asked for or no more slots can come, and the last sweep
    /// has ended.
    pub async fn run(mut self, targets: Vec<Target>, mut due: mpsc::Receiver<Due>) {
        let groups = group(targets);
        let soft = self.stop.soft.clone();
        let mut open = true;
        while open || !self.upcoming.is_empty() || !self.running.is_empty() {
            let next_start = self.upcoming.peek().map(|Reverse(upcoming)| upcoming.at);
            tokio::select! {
                biased;
                () = soft.cancelled() => break,
                Some(ended) = self.running.join_next_with_id() => self.ended(ended),
                slot = due.recv(), if open => match slot {
                    Some(slot) => self.due(&groups, &slot),
                    None => open = false,
                },
                () = tokio::time::sleep_until(next_start.unwrap_or_else(Instant::now)), if next_start.is_some() => {
                    self.start_due();
                }
            }
        }
        self.drain(&groups, due).await;
    }

    /// Sweeps `targets` once, now, whatever their schedules say, and returns when the last one has ended.
    pub async fn once(mut self, targets: Vec<Target>) {
        let now = self.clock.now();
        let wipes = self.max_wipes.map(|allowed| Arc::new(Wipes::new(allowed)));
        for target in targets.into_iter().map(Arc::new) {
            let next = target.timetable.next_after(now);
            self.start(&target, &Occasion { slot: None, next, wipes: wipes.clone() });
        }
        while let Some(ended) = self.running.join_next_with_id().await {
            self.ended(ended);
        }
    }

    /// Nothing new begins; what was due and did not begin is recorded, what runs is waited for, and slots that come
    /// meanwhile are recorded as well.
    async fn drain(mut self, groups: &HashMap<GroupId, Vec<Arc<Target>>>, mut due: mpsc::Receiver<Due>) {
        while !self.running.is_empty() {
            tokio::select! {
                biased;
                Some(ended) = self.running.join_next_with_id() => self.ended(ended),
                Some(slot) = due.recv() => self.due(groups, &slot),
            }
        }
        due.close();
        while let Some(slot) = due.recv().await {
            self.due(groups, &slot);
        }
        for Reverse(upcoming) in std::mem::take(&mut self.upcoming).into_sorted_vec().into_iter().rev() {
            self.unswept(&upcoming.target, &upcoming.occasion, Outcome::Skipped(SkipReason::Shutdown));
        }
        while let Some(ended) = self.running.join_next_with_id().await {
            self.ended(ended);
        }
    }

    /// Accounts for the slots that a trigger brought.
    fn due(&mut self, groups: &HashMap<GroupId, Vec<Arc<Target>>>, due: &Due) {
        let wipes = due.slot.and_then(|slot| self.allowance(slot));
        for target in groups.get(&due.group).into_iter().flatten() {
            if let Some(run) = due.missed {
                let occasion = Occasion { slot: Some(run.first), next: due.slot.or(due.next), wipes: None };
                self.unswept(target, &occasion, Outcome::Missed(run));
            }
            let Some(slot) = due.slot else { continue };
            let occasion = Occasion { slot: Some(slot), next: due.next, wipes: wipes.clone() };
            if !target.enabled {
                self.unswept(target, &occasion, Outcome::Paused);
                continue;
            }
            let wait = Duration::try_from(target.start_of(slot).duration_since(self.clock.now()))
                .unwrap_or_default();
            self.sequence += 1;
            self.upcoming.push(Reverse(Upcoming {
                at: Instant::now() + wait,
                sequence: self.sequence,
                target: Arc::clone(target),
                occasion,
            }));
        }
    }

    /// The allowance of the tick at `slot`.
    fn allowance(&mut self, slot: Timestamp) -> Option<Arc<Wipes>> {
        let allowed = self.max_wipes?;
        let (of, wipes) = self.tick.get_or_insert_with(|| (slot, Arc::new(Wipes::new(allowed))));
        if *of != slot {
            (*of, *wipes) = (slot, Arc::new(Wipes::new(allowed)));
        }
        Some(Arc::clone(wipes))
    }

    /// Starts every sweep whose instant has come.
    fn start_due(&mut self) {
        let now = Instant::now();
        while self.upcoming.peek().is_some_and(|Reverse(upcoming)| upcoming.at <= now) {
            let Some(Reverse(Upcoming { target, occasion, .. })) = self.upcoming.pop() else { return };
            match occasion.slot.filter(|slot| self.is_late(&target, *slot)) {
                Some(slot) => {
                    let run = MissedRun { first: slot, last: slot, count: 1 };
                    self.unswept(&target, &occasion, Outcome::Missed(run));
                }
                None => self.start(&target, &occasion),
            }
        }
    }

    /// Whether a splayed start is later than the ticker would let it be: the machine slept, or the clock was set. A
    /// late deletion would take backups that were made since.
    fn is_late(&self, target: &Target, slot: Timestamp) -> bool {
        self.clock.now().duration_since(target.start_of(slot)) > ON_TIME
    }

    /// Starts the sweep of one portal, for the first of its `Dump` values.
    fn start(&mut self, target: &Arc<Target>, occasion: &Occasion) {
        let Some((&dump, rest)) = target.dump.dumps().split_first() else { return };
        if !self.busy.insert(target.portal.clone()) {
            self.unswept(target, occasion, Outcome::Skipped(SkipReason::Overlap));
            return;
        }
        let now = self.clock.now();
        let time = target.time_for_sweep(now, occasion.next);
        let job = Job {
            sweep_id: SweepId::random(),
            portal: target.portal.clone(),
            schedule: target.schedule.clone(),
            slot: occasion.slot,
            trigger: occasion.trigger(),
            dump,
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
        };
        self.spawn(job, target, rest);
    }

    fn spawn(&mut self, job: Job, target: &Arc<Target>, rest: &'static [Dump]) {
        let gate = self.gates.of(&target.server);
        let (work, waits, stop) = (Arc::clone(&self.work), Arc::clone(&self.waits), self.stop.clone());
        let swept = job.clone();
        let task = self.running.spawn(async move { work.work(&swept, &gate, &waits, &stop).await });
        let running = Running { job, began: Instant::now(), target: Arc::clone(target), rest };
        self.by_task.insert(task.id(), running);
    }

    /// Records a sweep that ended, and starts what follows it.
    fn ended(&mut self, ended: Result<(tokio::task::Id, SweepReport), JoinError>) {
        let (id, result) = match ended {
            Ok((id, report)) => (id, Ok(report)),
            Err(error) => (error.id(), Err(error)),
        };
        let Some(running) = self.by_task.remove(&id) else { return };
        let Running { job, began, target, rest } = running;
        let report = result.unwrap_or_else(|error| SweepReport {
            duration: began.elapsed(),
            ..job.report(Outcome::Failed(crashed(error)))
        });
        self.record(&report);
        match rest.split_first() {
            Some((&dump, rest)) => self.spawn(Job { dump, ..job }, &target, rest),
            None => {
                self.busy.remove(&job.portal);
            }
        }
    }

    /// Records a slot that came to no sweep.
    fn unswept(&mut self, target: &Target, occasion: &Occasion, outcome: Outcome) {
        self.record(&SweepReport {
            sweep_id: SweepId::random(),
            portal: target.portal.clone(),
            schedule: target.schedule.clone(),
            slot: occasion.slot,
            trigger: occasion.trigger(),
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
        });
    }

    fn record(&mut self, report: &SweepReport) {
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

/// The targets by the group that their slots come from, in the order of their offsets.
fn group(targets: Vec<Target>) -> HashMap<GroupId, Vec<Arc<Target>>> {
    let mut groups: HashMap<GroupId, Vec<Arc<Target>>> = HashMap::new();
    for target in targets {
        groups.entry(target.group()).or_default().push(Arc::new(target));
    }
    for members in groups.values_mut() {
        members.sort_by_key(|target| target.offset);
    }
    groups
}

impl Occasion {
    fn trigger(&self) -> Trigger {
        if self.slot.is_some() { Trigger::Schedule } else { Trigger::Manual }
    }
}

/// A panic, as that portal's failure.
fn crashed(error: JoinError) -> Failure {
    let detail = match error.try_into_panic() {
        Ok(panic) => {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            format!("the sweep panicked: {}", text.unwrap_or_else(|| "no message".to_owned()))
        }
        Err(error) => format!("the sweep was dropped: {error}"),
    };
    Failure { class: FailureClass::Internal, http_status: None, detail }
}

impl PartialEq for Upcoming {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Upcoming {}

impl PartialOrd for Upcoming {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Upcoming {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}
