//! One sweep: preflight, inventory, decide, delete, verify, for one portal and one `Dump` value (design.md §2).
//!
//! A deletion that the server answered with true is no success yet: while `verify` is on, the list is read again. A
//! deletion whose answer was lost is never repeated before the list was read. What is observed is kept in `Seen`,
//! outside the attempts, so that an attempt which is cut in the middle still leaves a true record.
//!
//! [`Sweeping`] deletes; [`Planning`] goes the same way up to the decision, with clients that have no deleting method.
//! Neither knows a schedule, a permit or HTTP: those are the [`Admission`] and the clients that they are given.

mod attempt;
mod delete;
mod judge;
mod look;
pub mod retention;
mod seen;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::domain::{
    Backup, Counts, Dump, DumpSetting, FailureClass, Keep, Method, Outcome, PortalName, RetryPolicy,
    ScheduleLabel, SweepId, SweepReport, Trigger,
};
use crate::portal::{Connect, Look, PortalError};
use crate::retry::{Stop, retry};

use attempt::{Attempts, Kind};
pub use judge::Waits;

/// Lets sweeps through, a bounded number at a time.
pub trait Admission: Send + Sync + 'static {
    /// Held while an attempt runs, never while it waits.
    type Permit: Send;

    /// Waits for a permit, and for the end of a pause.
    fn enter(&self) -> impl Future<Output = Self::Permit> + Send;

    /// Nobody else enters for this long: the server said so.
    fn pause(&self, pause: Duration);

    /// Whether nobody enters now, because the server said so.
    fn is_paused(&self) -> bool;

    /// Takes down what is there, before anything of it is deleted. What cannot be taken down is not deleted; the error
    /// says why.
    fn witness(&self, job: &Job, backups: &[Backup]) -> impl Future<Output = Result<(), String>> + Send;
}

/// What is done for a portal that is due.
pub trait Work: Send + Sync + 'static {
    /// Does it for one portal and one `Dump` value, and says what was observed. Nothing that a portal does is an error.
    fn work<A: Admission>(
        &self,
        job: &Job,
        admission: &A,
        waits: &Waits,
        stop: &Stop,
    ) -> impl Future<Output = SweepReport> + Send;
}

/// Deletes what the decision condemns.
pub struct Sweeping<C> {
    /// Makes the clients.
    pub connect: C,
    /// The wall clock: no deletion is sent after the sweep's time.
    pub clock: Arc<dyn Clock>,
}

/// Says what would be deleted. It holds clients that cannot.
#[derive(Debug)]
pub struct Planning<L> {
    /// Makes the clients.
    pub look: L,
    /// The instant that ages are measured at; `None`: the sweep's beginning.
    pub at: Option<Timestamp>,
}

/// What is to be swept.
#[derive(Debug, Clone)]
pub struct Job {
    /// The sweep's id.
    pub sweep_id: SweepId,
    /// Which portal.
    pub portal: PortalName,
    /// What its schedule is called.
    pub schedule: ScheduleLabel,
    /// The slot, unless the sweep is on demand.
    pub slot: Option<Timestamp>,
    /// What started it.
    pub trigger: Trigger,
    /// Which set of backups.
    pub dump: Dump,
    /// How backups are deleted.
    pub method: Method,
    /// What is to be kept; `None`: nothing.
    pub keep: Option<Keep>,
    /// Whether the list is read again after the deletion.
    pub verify: bool,
    /// How long one request may take.
    pub timeout: Duration,
    /// How often to try.
    pub retry: RetryPolicy,
    /// How many portals of this tick may still be left without any backup; `None`: all of them.
    pub wipes: Option<Arc<Wipes>>,
    /// When the sweep has to be over.
    pub end: Instant,
    /// How long the sweep may take in all.
    pub time: Duration,
    /// The wall clock at the sweep's start.
    pub began: Timestamp,
    /// The wall clock at its end: the same instant as `end`, unless the machine slept or the clock was set.
    pub over_at: Timestamp,
    /// The portal's next slot.
    pub next_slot: Option<Timestamp>,
}

/// How many portals may still be left without any backup in one tick, as one portal of it sees that: it takes one, however
/// many of its sets of backups are wiped.
#[derive(Debug)]
pub struct Wipes {
    left: Arc<AtomicU32>,
    mine: AtomicBool,
}

impl Wipes {
    /// A tick's allowance.
    pub fn new(allowed: u32) -> Self {
        Self { left: Arc::new(AtomicU32::new(allowed)), mine: AtomicBool::new(false) }
    }

    /// The same allowance, for one more portal.
    #[must_use]
    pub fn for_portal(&self) -> Self {
        Self { left: Arc::clone(&self.left), mine: AtomicBool::new(false) }
    }

    /// Takes one, if one is left: whether it was taken now, and not before by the same portal.
    fn take(&self) -> Option<bool> {
        if self.mine.load(Ordering::Relaxed) {
            return Some(false);
        }
        let less = |left: u32| left.checked_sub(1);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).ok()?;
        self.mine.store(true, Ordering::Relaxed);
        Some(true)
    }

    /// Gives back the one that was taken.
    fn give_back(&self) {
        if self.mine.swap(false, Ordering::Relaxed) {
            self.left.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Job {
    /// A report of this job with everything that is not yet known left empty.
    pub fn report(&self, outcome: Outcome) -> SweepReport {
        SweepReport {
            sweep_id: self.sweep_id,
            portal: self.portal.clone(),
            schedule: self.schedule.clone(),
            slot: self.slot,
            trigger: self.trigger,
            dump: DumpSetting::from(self.dump),
            method: self.method,
            outcome,
            note: None,
            attempts: 0,
            counts: Counts::default(),
            removed: Vec::new(),
            left: Vec::new(),
            plan: Vec::new(),
            verified: false,
            duration: Duration::ZERO,
            next_slot: self.next_slot,
        }
    }
}

impl<C: Connect> Work for Sweeping<C> {
    async fn work<A: Admission>(&self, job: &Job, admission: &A, waits: &Waits, stop: &Stop) -> SweepReport {
        drive(self, job, admission, waits, stop).await
    }
}

impl<L: Look> Work for Planning<L> {
    async fn work<A: Admission>(&self, job: &Job, admission: &A, waits: &Waits, stop: &Stop) -> SweepReport {
        drive(self, job, admission, waits, stop).await
    }
}

async fn drive<K: Kind, A: Admission>(
    kind: &K,
    job: &Job,
    admission: &A,
    waits: &Waits,
    stop: &Stop,
) -> SweepReport {
    let began = Instant::now();
    let mut rng = fastrand::Rng::new();
    let mut attempts = Attempts::new(kind, job, admission, waits, stop);
    let ended = retry(&mut attempts, &job.retry, job.end, &stop.soft, &mut rng).await;
    SweepReport { duration: began.elapsed(), ..judge::report(job, &attempts.into_seen(), &ended, K::DELETES) }
}

/// Why an attempt came to no end.
#[derive(Debug)]
enum Trouble {
    /// The portal failed.
    Portal(PortalError),
    /// The deletion of single backups failed; the portal itself is well.
    Backups {
        /// How many.
        count: usize,
        /// One of the failures.
        error: PortalError,
    },
    /// Something that was to go is still listed.
    Remaining {
        /// How much of it.
        left: usize,
        /// Whether another deletion can help: the server may have refused for good.
        again: bool,
    },
    /// The tick's allowance of portals without any backup is used up.
    WipeLimit,
    /// The sweep's time was over by the wall clock before a deletion could be sent.
    TooLate,
    /// The sweep's time was over: before a permit was to be had, or in the middle.
    TimeOver,
    /// The server's pause after a 429 outlasted the sweep's time.
    Paused,
    /// What is there could not be taken down.
    Unrecorded(String),
    /// A step panicked.
    Panicked(String),
    /// docsweep stops: before a permit was to be had, or at once.
    Stopped,
}

impl Trouble {
    /// The kind of trouble in records.
    fn as_str(&self) -> &'static str {
        match self {
            Self::Portal(error) | Self::Backups { error, .. } => error.class.as_str(),
            Self::Remaining { .. } => "partial",
            Self::WipeLimit => "wipe_limit",
            Self::TimeOver | Self::TooLate => "time_over",
            Self::Paused => "rate_limited",
            Self::Unrecorded(_) => "ledger",
            Self::Panicked(_) => "internal",
            Self::Stopped => "stopped",
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Portal(error) => error.detail.clone(),
            Self::Backups { count: 1, error } => format!("one backup could not be deleted: {}", error.detail),
            Self::Backups { count, error } => {
                format!("{count} backups could not be deleted, one of them: {}", error.detail)
            }
            Self::Remaining { left, .. } => format!("{left} of the backups that were to go are still listed"),
            Self::WipeLimit => {
                "the tick's allowance of portals that may be left without any backup (`max_wipes`) is used up"
                    .to_owned()
            }
            Self::TimeOver | Self::TooLate => "the sweep's time was over".to_owned(),
            Self::Paused => {
                "another sweep of the server was answered with 429, and its pause took all the time"
                    .to_owned()
            }
            Self::Unrecorded(text) => format!("nothing was deleted, since it could not be recorded: {text}"),
            Self::Panicked(text) => format!("the sweep panicked: {text}"),
            Self::Stopped => "docsweep was stopped".to_owned(),
        }
    }

    fn busy(detail: &str) -> Self {
        Self::Portal(PortalError::new(FailureClass::Busy, detail))
    }
}
