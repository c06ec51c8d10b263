//! A portal as the dispatcher sees it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::cron::Timetable;
use crate::domain::{DumpSetting, Keep, Method, PortalName, RetryPolicy, ScheduleLabel, ServerName};
use crate::schedule::GroupId;

/// A portal, when it is due, and how it is swept.
#[derive(Debug, Clone)]
pub struct Target {
    /// Which portal.
    pub portal: PortalName,
    /// The server that it lives on.
    pub server: ServerName,
    /// What its schedule is called.
    pub schedule: ScheduleLabel,
    /// When it is due.
    pub timetable: Timetable,
    /// How long after a slot it starts.
    pub offset: Duration,
    /// How late a missed slot may be and still run.
    pub catch_up: Duration,
    /// Which backups go.
    pub dump: DumpSetting,
    /// How they go.
    pub method: Method,
    /// What is to be kept; `None`: nothing.
    pub keep: Option<Keep>,
    /// Whether the list is read again after a deletion.
    pub verify: bool,
    /// How long one request may take.
    pub timeout: Duration,
    /// `false`: its slots are recorded `paused`.
    pub enabled: bool,
    /// How often to try.
    pub retry: RetryPolicy,
}

/// A sweep ends this long before the portal's next start (design.md §4).
const BEFORE_NEXT: Duration = Duration::from_mins(1);

impl Target {
    /// The group of schedules that its slots come from.
    pub fn group(&self) -> GroupId {
        GroupId::of(&self.timetable)
    }

    /// When it starts for a slot.
    pub(super) fn start_of(&self, slot: Timestamp) -> Timestamp {
        later(slot, self.offset)
    }

    /// How long a sweep may take that begins at `now`: up to its deadline, or to one minute before the portal's next
    /// start; half-way to it where that is less than two minutes off. A late deletion would take backups that were
    /// made after the slot.
    pub(super) fn time_for_sweep(&self, now: Timestamp, next_slot: Option<Timestamp>) -> Duration {
        let Some(next) = next_slot else { return self.retry.deadline };
        let left = Duration::try_from(self.start_of(next).duration_since(now)).unwrap_or_default();
        let usable = left.saturating_sub(BEFORE_NEXT).max((left / 2).min(BEFORE_NEXT));
        usable.min(self.retry.deadline)
    }
}

/// A portal's fixed offset within its schedule's `splay`: the same every day and after every restart, since it comes
/// from the name alone (64-bit FNV-1a, which is stable where the standard library's hasher is not), and spread
/// evenly over the fleet.
pub fn splay_offset(portal: &PortalName, splay: Duration) -> Duration {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let hash =
        portal.as_str().bytes().fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    // FNV's low bits are the better mixed ones; whole milliseconds are finer than the ticker.
    match u64::try_from(splay.as_millis()) {
        Ok(span @ 1..) => Duration::from_millis(hash % span),
        _ => Duration::ZERO,
    }
}

pub(super) fn later(instant: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    instant.saturating_add(by).unwrap_or(Timestamp::MAX)
}
