//! Drives the crate: one job per group, added one after another, and a watch on whether it still ticks.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::{sleep, sleep_until, timeout};
use tokio_cron_scheduler::{
    Job, JobScheduler, JobSchedulerError, SimpleJobCode, SimpleNotificationCode, SimpleNotificationStore,
};

use super::store::{self, Store};
use super::{Due, GroupId};
use crate::clock::Clock;
use crate::cron::Timetable;

/// How long the crate may take to add one job; it takes a millisecond. Its add waits on broadcast channels, and hangs
/// for ever once one of them has lagged.
const ADD_WITHIN: Duration = Duration::from_secs(5);

/// How long the store may go unlisted: 20 ticks of 500 ms.
const STALLED_AFTER: Duration = Duration::from_secs(10);

/// After the whole process stood still for longer than that, the watch may be polled before the ticker: two ticks more.
const STALLED_GRACE: Duration = Duration::from_secs(1);

/// The least capacity of the crate's channels. It costs 0.7 MB, and it must hold a burst of all groups.
const MIN_CAPACITY: usize = 1024;

/// An expression for the crate to parse when a job is made. It decides nothing: the store does.
const PLACEHOLDER: &str = "0 0 0 1 1 *";

/// A running ticker. The crate's tasks outlive it, so a process starts one in its life.
pub struct Ticker {
    store: Store,
    pub(super) scheduler: JobScheduler,
}

/// Why the ticker could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The scheduler crate refused.
    #[error("the scheduler refused to start")]
    Refused(#[from] JobSchedulerError),
    /// The scheduler crate did not answer.
    #[error("the scheduler did not add a job within {} seconds", ADD_WITHIN.as_secs())]
    Silent,
}

impl Ticker {
    /// Starts ticking. Equal timetables are one group; their slots later than `after` come out of the receiver.
    ///
    /// The channel holds two dues of each group. A receiver that falls behind loses no slot: those that wait are
    /// accounted for when there is room again, and come out as missed if they are older than [`ON_TIME`] by then.
    ///
    /// [`ON_TIME`]: super::ON_TIME
    pub async fn start(
        clock: Arc<dyn Clock>,
        timetables: Vec<Timetable>,
        after: Timestamp,
    ) -> Result<(Self, mpsc::Receiver<Due>), StartError> {
        let groups: HashSet<GroupId> = timetables.iter().map(GroupId::of).collect();
        let capacity = groups.len().saturating_mul(2).max(MIN_CAPACITY);
        Self::start_with(clock, timetables, after, Limits { capacity, batch: capacity }).await
    }

    pub(super) async fn start_with(
        clock: Arc<dyn Clock>,
        timetables: Vec<Timetable>,
        after: Timestamp,
        limits: Limits,
    ) -> Result<(Self, mpsc::Receiver<Due>), StartError> {
        let (sender, receiver) = mpsc::channel(limits.capacity);
        let store = Store::new(clock, timetables, after, sender, limits.batch);
        let scheduler = JobScheduler::new_with_storage_and_code(
            Box::new(store.clone()),
            Box::new(SimpleNotificationStore::default()),
            Box::new(SimpleJobCode::default()),
            Box::new(SimpleNotificationCode::default()),
            limits.capacity,
        )
        .await?;
        // One after another: the crate hangs when more jobs are added at once than its channels hold.
        for group in store.groups() {
            let added = timeout(ADD_WITHIN, scheduler.add(job(&store, group)?)).await;
            added.map_err(|_| StartError::Silent)??;
        }
        scheduler.start().await?;
        Ok((Self { store, scheduler }, receiver))
    }

    /// The next slot of a group, or one that is about to be handed out.
    pub fn next(&self, group: &GroupId) -> Option<Timestamp> {
        self.store.next(group)
    }

    /// Ends when the ticker has died: for then no schedule would ever run again, and nothing else would show it.
    pub async fn stalled(&self) {
        loop {
            let listed = self.store.last_listed();
            sleep_until(listed + STALLED_AFTER).await;
            if self.store.last_listed() == listed {
                sleep(STALLED_GRACE).await;
            }
            if self.store.is_closed() {
                return std::future::pending().await;
            }
            if self.store.last_listed() == listed {
                return;
            }
        }
    }

    /// Stops ticking: when this returns nothing more is sent, and the receiver ends after what it holds.
    pub async fn shutdown(&self) {
        // The crate starts what it has listed even after its own shutdown, so ours comes first.
        self.store.close();
        let mut scheduler = self.scheduler.clone();
        // It only sets a flag, and has nothing to fail with.
        scheduler.shutdown().await.ok();
    }
}

/// How much the crate's channels hold, and how many groups it is given at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) capacity: usize,
    pub(super) batch: usize,
}

/// The crate's job of a group. It only hands over: whatever panics or blocks in it stops the crate's own tasks.
fn job(store: &Store, group: GroupId) -> Result<Job, JobSchedulerError> {
    let hand = store.clone();
    let mut job = Job::new_async(PLACEHOLDER, move |_, _| {
        let hand = hand.clone();
        Box::pin(async move { hand.hand_over(group) })
    })?;
    job.set_job_data(store::row(group))?;
    Ok(job)
}
