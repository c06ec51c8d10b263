//! The crate's metadata store, ours: says which groups are to be started, by our slots and our clock.
//!
//! The crate asks for the list every 500 ms, starts what is on it, and reports the next tick of each from a task of its
//! own, late under load: that report is ignored, for it is what doubles runs. Listing a group claims it instead; the
//! claim is redeemed in [`Store::hand_over`], where the slots are accounted for, so that an activation which the crate
//! drops loses nothing and one which it repeats finds nothing.
//!
//! Nothing here may panic: the crate would go on with its scheduling stopped in silence. The lock is never held across
//! an await and outlives a panic elsewhere.

use std::collections::{BTreeSet, HashMap};
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_cron_scheduler::job::job_data::{JobAndNextTick, JobStoredData, JobType};
use tokio_cron_scheduler::store::{DataStore, InitStore};
use tokio_cron_scheduler::{JobSchedulerError, MetaDataStorage};
use uuid::Uuid;

use super::agenda::Agenda;
use super::{Due, GroupId};
use crate::clock::Clock;
use crate::cron::Timetable;

/// A handle on the groups, their slots and the channel on which due slots leave.
#[derive(Clone)]
pub(super) struct Store {
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<State>>,
    /// The most groups in one list: no more than the crate's channel holds, or the oldest of them would be dropped.
    batch: usize,
}

struct State {
    agendas: HashMap<GroupId, Agenda>,
    /// The next slot of each group, soonest first: an idle tick looks at one of them.
    queue: BTreeSet<(Timestamp, GroupId)>,
    /// What the clock said when it was last read.
    now: Timestamp,
    listed: Instant,
    /// `None` once the ticker is shut down.
    sender: Option<mpsc::Sender<Due>>,
}

impl Store {
    pub(super) fn new(
        clock: Arc<dyn Clock>,
        timetables: Vec<Timetable>,
        after: Timestamp,
        sender: mpsc::Sender<Due>,
        batch: usize,
    ) -> Self {
        let now = clock.now();
        let agendas = timetables.into_iter().map(|timetable| {
            let id = GroupId::of(&timetable);
            (id, Agenda::new(id, timetable, after))
        });
        let mut state = State {
            agendas: agendas.collect(),
            queue: BTreeSet::new(),
            now,
            listed: Instant::now(),
            sender: Some(sender),
        };
        state.queue_all();
        Self { clock, state: Arc::new(Mutex::new(state)), batch }
    }

    pub(super) fn groups(&self) -> Vec<GroupId> {
        self.lock().agendas.keys().copied().collect()
    }

    pub(super) fn next(&self, group: &GroupId) -> Option<Timestamp> {
        self.lock().agendas.get(group)?.next()
    }

    /// When the crate last asked for the list.
    pub(super) fn last_listed(&self) -> Instant {
        self.lock().listed
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().sender.is_none()
    }

    /// Hands nothing over from now on, whatever the crate still starts.
    pub(super) fn close(&self) {
        self.lock().sender = None;
    }

    /// The groups to start now, each claimed until it is started or its activation is taken for lost.
    pub(super) fn list(&self) -> Vec<GroupId> {
        let mut state = self.lock();
        state.listed = Instant::now();
        if state.sender.is_none() {
            return Vec::new();
        }
        let now = state.read(self.clock.as_ref());
        let State { agendas, queue, .. } = &mut *state;
        let due = queue.iter().take_while(|(slot, _)| *slot <= now).map(|(_, id)| *id);
        due.filter(|id| agendas.get_mut(id).is_some_and(Agenda::claim)).take(self.batch).collect()
    }

    /// What the crate's job does: accounts for the group's slots and sends them on.
    ///
    /// The channel is bounded and nobody waits for it. While it is full the claim stays unredeemed, so the group is
    /// listed again later and its slots are accounted for then, at their true age; an unbounded channel would pile up
    /// slots that are no longer due when they are read.
    pub(super) fn hand_over(&self, group: GroupId) {
        let mut state = self.lock();
        let now = state.read(self.clock.as_ref());
        let State { agendas, queue, sender, .. } = &mut *state;
        let Some(Ok(permit)) = sender.as_ref().map(mpsc::Sender::try_reserve) else { return };
        let Some(agenda) = agendas.get_mut(&group) else { return };
        let before = agenda.next();
        if let Some(due) = agenda.account(now) {
            permit.send(due);
        }
        queue.extend(agenda.next().map(|next| (next, group)));
        if let Some(before) = before.filter(|_| before != agenda.next()) {
            queue.remove(&(before, group));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Reads the clock, under the lock so that two readers cannot be taken for a clock that was set back.
    fn read(&mut self, clock: &dyn Clock) -> Timestamp {
        let now = clock.now();
        if now < self.now {
            self.agendas.values_mut().for_each(|agenda| agenda.set_back(now));
            self.queue_all();
        }
        self.now = now;
        now
    }

    fn queue_all(&mut self) {
        self.queue = self.agendas.iter().filter_map(|(id, agenda)| Some((agenda.next()?, *id))).collect();
    }
}

/// What the crate is told of a group's job. It holds no expression: with one, the crate would parse it at each start
/// to compute a next tick that is ignored.
pub(super) fn row(group: GroupId) -> JobStoredData {
    JobStoredData {
        id: Some(group.0.into()),
        last_updated: None,
        last_tick: None,
        next_tick: LONG_SINCE,
        job_type: JobType::Cron.into(),
        count: 0,
        extra: Vec::new(),
        ran: false,
        stopped: false,
        job: None,
        time_offset_seconds: 0,
    }
}

/// The next tick of every listed job, in seconds since 1970: past by any clock, so the crate starts all that is listed.
/// 0 would tell it to delete the job.
const LONG_SINCE: u64 = 1;

type Answer<T> = Pin<Box<dyn Future<Output = Result<T, JobSchedulerError>> + Send>>;

fn answer<T: Send + 'static>(result: Result<T, JobSchedulerError>) -> Answer<T> {
    Box::pin(ready(result))
}

impl MetaDataStorage for Store {
    fn list_next_ticks(&mut self) -> Answer<Vec<JobAndNextTick>> {
        let tick = |group: GroupId| JobAndNextTick {
            id: Some(group.0.into()),
            job_type: JobType::Cron.into(),
            next_tick: LONG_SINCE,
            last_tick: None,
        };
        answer(Ok(self.list().into_iter().map(tick).collect()))
    }

    fn set_next_and_last_tick(
        &mut self,
        _: Uuid,
        _: Option<DateTime<Utc>>,
        _: Option<DateTime<Utc>>,
    ) -> Answer<()> {
        answer(Ok(()))
    }

    fn time_till_next_job(&mut self) -> Answer<Option<Duration>> {
        answer(Err(JobSchedulerError::CantGetTimeUntil))
    }
}

impl DataStore<JobStoredData> for Store {
    fn get(&mut self, id: Uuid) -> Answer<Option<JobStoredData>> {
        let group = GroupId(id);
        answer(Ok(self.lock().agendas.contains_key(&group).then(|| row(group))))
    }

    /// The groups are here before their jobs are added.
    fn add_or_update(&mut self, data: JobStoredData) -> Answer<()> {
        let known = data.id.is_some_and(|id| self.lock().agendas.contains_key(&GroupId(id.into())));
        answer(if known { Ok(()) } else { Err(JobSchedulerError::CantAdd) })
    }

    fn delete(&mut self, _: Uuid) -> Answer<()> {
        answer(Err(JobSchedulerError::CantRemove))
    }
}

impl InitStore for Store {
    fn init(&mut self) -> Answer<()> {
        answer(Ok(()))
    }

    fn inited(&mut self) -> Answer<bool> {
        answer(Ok(true))
    }
}
