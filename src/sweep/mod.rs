//! One sweep: preflight, inventory, delete, verify, for one portal and one `Dump` value (design.md §2).
//!
//! A deletion that the server answered with true is no success yet: while `verify` is on, the list is read again. A
//! deletion whose answer was lost is never repeated before the list was read. What is observed is kept in `Seen`,
//! outside the attempts, so that an attempt which is cut in the middle still leaves a true record.
//!
//! It knows no schedule, no permit and no HTTP: those are the [`Admission`] and the [`Connect`] that it is given.

mod attempt;
mod judge;
pub mod retention;
mod seen;

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::domain::{
    Dump, DumpSetting, FailureClass, Method, PortalName, RetryPolicy, ScheduleLabel, SweepId, SweepReport,
    Trigger,
};
use crate::portal::{Connect, PortalError};
use crate::retry::{Stop, retry};

use attempt::Attempts;
pub use judge::Waits;

/// Lets sweeps through, a bounded number at a time.
pub trait Admission: Send + Sync + 'static {
    /// Held while an attempt runs, never while it waits.
    type Permit: Send;

    /// Waits for a permit, and for the end of a pause.
    fn enter(&self) -> impl Future<Output = Self::Permit> + Send;

    /// Nobody else enters for this long: the server said so.
    fn pause(&self, pause: Duration);
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
    /// Whether the list is read again after the deletion.
    pub verify: bool,
    /// How often to try.
    pub retry: RetryPolicy,
    /// When the sweep has to be over.
    pub end: Instant,
    /// The wall clock at the sweep's start.
    pub began: Timestamp,
    /// The portal's next slot.
    pub next_slot: Option<Timestamp>,
}

impl Job {
    /// A report of this job with everything that is not yet known left empty.
    pub fn report(&self, outcome: crate::domain::Outcome) -> SweepReport {
        SweepReport {
            sweep_id: self.sweep_id,
            portal: self.portal.clone(),
            schedule: self.schedule.clone(),
            slot: self.slot,
            trigger: self.trigger,
            dump: DumpSetting::from(self.dump),
            method: Method::Bulk,
            outcome,
            note: None,
            attempts: 0,
            counts: crate::domain::Counts::default(),
            verified: false,
            duration: Duration::ZERO,
            next_slot: self.next_slot,
        }
    }
}

/// Sweeps one portal, and says what was observed. Nothing that a portal does is an error here.
pub async fn sweep<C: Connect, A: Admission>(
    job: &Job,
    connect: &C,
    admission: &A,
    waits: &Waits,
    stop: &Stop,
) -> SweepReport {
    let began = Instant::now();
    let mut rng = fastrand::Rng::new();
    let mut attempts = Attempts::new(job, connect, admission, waits, stop);
    let ended = retry(&mut attempts, &job.retry, job.end, &stop.soft, &mut rng).await;
    SweepReport { duration: began.elapsed(), ..judge::report(job, &attempts.into_seen(), &ended) }
}

/// Why an attempt came to no end.
#[derive(Debug)]
enum Trouble {
    /// The portal failed.
    Portal(PortalError),
    /// This much of what was to go is still listed.
    Remaining(u64),
    /// The sweep's time was over: before a permit was to be had, or in the middle.
    TimeOver,
    /// docsweep stops: before a permit was to be had, or at once.
    Stopped,
}

impl Trouble {
    /// The kind of trouble in records.
    fn as_str(&self) -> &'static str {
        match self {
            Self::Portal(error) => error.class.as_str(),
            Self::Remaining(_) => "partial",
            Self::TimeOver => "time_over",
            Self::Stopped => "stopped",
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Portal(error) => error.detail.clone(),
            Self::Remaining(left) => format!("{left} of the backups that were to go are still listed"),
            Self::TimeOver => "the sweep's time was over".to_owned(),
            Self::Stopped => "docsweep was stopped".to_owned(),
        }
    }

    fn busy(detail: &str) -> Self {
        Self::Portal(PortalError::new(FailureClass::Busy, detail))
    }
}
