//! The ticker: says when a timetable is due, exactly once per slot, whatever the clock and the load do.
//!
//! The sole user of tokio-cron-scheduler, which lists our store every 500 ms and starts one job per distinct
//! timetable. What a slot is and which of them are due is decided here, not there: the crate loses and doubles runs
//! under load, is an hour off after a daylight-saving change and is blind to a clock that was set. What is to be done
//! at a slot is the receiver's concern; nothing here knows a portal.
//!
//! Invariant: a slot is handed out as due at most once in the life of a ticker, and every slot that passes is in
//! exactly one [`Due`], as its `slot` or within its `missed`, unless the clock was set back to before it.

mod agenda;
mod covered;
mod store;
#[cfg(test)]
mod tests;
mod ticker;

use std::fmt;

use jiff::Timestamp;
use uuid::Uuid;

use crate::cron::Timetable;
use crate::domain::MissedRun;

pub use agenda::{MAX_COUNTED, ON_TIME, all_but_the_last, passed};
pub use ticker::{StartError, Ticker};

/// A log filter for what is worth keeping of tokio-cron-scheduler's own records: it says an INFO for each job, and an
/// ERROR for normal things.
pub const CRATE_LOG: &str = "tokio_cron_scheduler=warn,tokio_cron_scheduler::notification=off";

/// The identity of a timetable: the same for the same expression in the same zone, in every process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId(Uuid);

impl GroupId {
    /// The identity of `timetable`.
    pub fn of(timetable: &Timetable) -> Self {
        let name = format!("{}\n{}", timetable.zone.name(), timetable.cron.as_str());
        Self(Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()))
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The slots of one timetable that have passed since the last `Due` of it. At least one of `slot` and `missed` is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Which timetable.
    pub group: GroupId,
    /// The newest of the slots, if it is at most [`ON_TIME`] old: what is to be done at a slot is to be done now.
    pub slot: Option<Timestamp>,
    /// The first slot that is still to come.
    pub next: Option<Timestamp>,
    /// The other slots: the clock was set forward, or the host stood still. Its `count` is exact up to
    /// [`MAX_COUNTED`], and "at least" from there on.
    pub missed: Option<MissedRun>,
}
