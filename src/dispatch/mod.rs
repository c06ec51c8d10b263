//! Which portals run now: takes due slots, claims them in the ledger, starts one sweep a portal, holds the permits, and
//! sees to it that every slot ends in one recorded outcome.
//!
//! A slot's row is written before anything is sent, and a slot whose row cannot be written is not begun: it is recorded
//! as missed when the ledger is well again, or at the next start. Claims, sweeps and records run in a [`JoinSet`], so
//! that a panic comes back here and becomes that portal's outcome. It knows no cron syntax, no HTTP and no SQL. All
//! state is owned by the one loop; nothing is locked.

mod gate;
mod outage;
mod queue;
mod start;
mod target;
mod task;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::domain::{MissedRun, Outcome, PortalName, SkipReason, SweepReport, Trigger};
use crate::ledger::Ledger;
use crate::retry::Stop;
use crate::schedule::{Due, GroupId, ON_TIME, all_but_the_last, passed};
use crate::sweep::{Waits, Wipes, Work};

use gate::Gates;
use outage::{Event, Outage};
use queue::{Occasion, Upcoming};
pub use target::{Target, splay_offset};
use task::{Done, Running};

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
pub struct Dispatcher<W, L> {
    work: Arc<W>,
    ledger: Arc<L>,
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
    running: JoinSet<Done>,
    by_task: HashMap<tokio::task::Id, Running>,
    outage: Outage,
    sequence: u64,
}

impl<W: Work, L: Ledger> Dispatcher<W, L> {
    /// A dispatcher without work.
    pub fn new(
        work: W,
        ledger: Arc<L>,
        clock: Arc<dyn Clock>,
        waits: Waits,
        caps: Caps,
        stop: Stop,
        on_report: OnReport,
    ) -> Self {
        Self {
            work: Arc::new(work),
            outage: Outage::new(ledger.health()),
            ledger,
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
    /// has ended. `accounted` is up to where each portal's slots have their rows: what has passed since then, up to
    /// `now`, is accounted for first.
    pub async fn run(
        mut self,
        targets: Vec<Target>,
        accounted: &HashMap<PortalName, Timestamp>,
        now: Timestamp,
        mut due: mpsc::Receiver<Due>,
    ) {
        let groups = group(targets);
        self.backlog(&groups, accounted, now);
        let soft = self.stop.soft.clone();
        let mut open = true;
        while open || !self.upcoming.is_empty() || !self.running.is_empty() {
            let next_start = self.upcoming.peek().map(|Reverse(upcoming)| upcoming.at);
            tokio::select! {
                biased;
                () = soft.cancelled() => break,
                Some(ended) = self.running.join_next_with_id() => self.ended(ended),
                event = self.outage.event(), if open => match event {
                    Event::Changed => self.health_changed(),
                    Event::Beat => self.beat(),
                },
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
            self.start(
                &target,
                Occasion { trigger: Trigger::Manual, slot: None, next, wipes: portals(wipes.as_ref()) },
            );
        }
        while let Some(ended) = self.running.join_next_with_id().await {
            self.ended(ended);
        }
    }

    /// Nothing new begins; what was due and did not begin is recorded, what runs is waited for, and slots that come
    /// meanwhile are recorded as well.
    async fn drain(mut self, groups: &HashMap<GroupId, Vec<Arc<Target>>>, mut due: mpsc::Receiver<Due>) {
        for Reverse(upcoming) in std::mem::take(&mut self.upcoming).into_sorted_vec().into_iter().rev() {
            self.unswept(&upcoming.target, &upcoming.occasion, Outcome::Skipped(SkipReason::Shutdown));
        }
        while !self.running.is_empty() {
            tokio::select! {
                biased;
                Some(ended) = self.running.join_next_with_id() => self.ended(ended),
                Some(slot) = due.recv() => self.too_late(groups, &slot),
            }
        }
        due.close();
        while let Some(slot) = due.recv().await {
            self.too_late(groups, &slot);
        }
        while let Some(ended) = self.running.join_next_with_id().await {
            self.ended(ended);
        }
    }

    /// Records slots that came in after the stop.
    fn too_late(&mut self, groups: &HashMap<GroupId, Vec<Arc<Target>>>, due: &Due) {
        self.due(groups, due);
        for Reverse(upcoming) in std::mem::take(&mut self.upcoming).into_sorted_vec().into_iter().rev() {
            self.unswept(&upcoming.target, &upcoming.occasion, Outcome::Skipped(SkipReason::Shutdown));
        }
    }

    /// Accounts for what passed while no process was there. Portals of one group mostly stand at the same slot.
    fn backlog(
        &mut self,
        groups: &HashMap<GroupId, Vec<Arc<Target>>>,
        accounted: &HashMap<PortalName, Timestamp>,
        now: Timestamp,
    ) {
        for members in groups.values() {
            let mut known: HashMap<Timestamp, Option<Due>> = HashMap::new();
            for target in members {
                let Some(&after) = accounted.get(&target.portal) else { continue };
                let due = *known.entry(after).or_insert_with(|| passed(&target.timetable, after, now));
                if let Some(due) = due {
                    let wipes = due.slot.and_then(|slot| self.allowance(slot));
                    self.due_for(target, &due, portals(wipes.as_ref()));
                }
            }
        }
    }

    /// Accounts for the slots that a trigger brought.
    fn due(&mut self, groups: &HashMap<GroupId, Vec<Arc<Target>>>, due: &Due) {
        let wipes = due.slot.and_then(|slot| self.allowance(slot));
        for target in groups.get(&due.group).into_iter().flatten() {
            self.due_for(target, due, portals(wipes.as_ref()));
        }
    }

    /// Accounts for the slots of one portal. Of those that were missed the newest is caught up on, if it is young enough.
    fn due_for(&mut self, target: &Arc<Target>, due: &Due, wipes: Option<Arc<Wipes>>) {
        let late = due.missed.filter(|run| due.slot.is_none() && self.is_young(target, run.last));
        let (slot, trigger) = match late {
            Some(run) => (Some(run.last), Trigger::CatchUp),
            None => (due.slot, Trigger::Schedule),
        };
        let missed = match late {
            Some(run) => all_but_the_last(&target.timetable, run),
            None => due.missed,
        };
        if let Some(run) = missed {
            let next = slot.or(due.next);
            let occasion = Occasion { trigger: Trigger::Schedule, slot: Some(run.first), next, wipes: None };
            self.unswept(target, &occasion, Outcome::Missed(run));
        }
        let Some(slot) = slot else { return };
        let occasion = Occasion { trigger, slot: Some(slot), next: due.next, wipes };
        if !target.enabled {
            self.unswept(target, &occasion, Outcome::Paused);
            return;
        }
        let wait = Duration::try_from(target.start_of(slot).duration_since(self.clock.now()));
        self.sequence += 1;
        self.upcoming.push(Reverse(Upcoming {
            at: Instant::now() + wait.unwrap_or_default(),
            sequence: self.sequence,
            target: Arc::clone(target),
            occasion,
        }));
    }

    /// Whether a missed slot is caught up on.
    fn is_young(&self, target: &Target, slot: Timestamp) -> bool {
        let age = self.clock.now().duration_since(slot);
        Duration::try_from(age).is_ok_and(|age| age <= target.catch_up)
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
            match occasion.slot.filter(|slot| self.is_late(&target, &occasion, *slot)) {
                Some(slot) => {
                    let run = MissedRun { first: slot, last: slot, count: 1 };
                    self.unswept(&target, &occasion, Outcome::Missed(run));
                }
                None => self.start(&target, occasion),
            }
        }
    }

    /// Whether a splayed start is later than the ticker would let it be: the machine slept, or the clock was set. A
    /// late deletion would take backups that were made since.
    fn is_late(&self, target: &Target, occasion: &Occasion, slot: Timestamp) -> bool {
        let late = self.clock.now().duration_since(target.start_of(slot)) > ON_TIME;
        late && !(occasion.trigger == Trigger::CatchUp && self.is_young(target, slot))
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

/// A tick's allowance, as one portal's.
fn portals(wipes: Option<&Arc<Wipes>>) -> Option<Arc<Wipes>> {
    wipes.map(|wipes| Arc::new(wipes.for_portal()))
}

/// A task that ended, as the set of them tells it.
type Ended = Result<(tokio::task::Id, Done), JoinError>;
