//! What one timetable has to do next: its slots that have passed, accounted for once, and the one that is to come.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, ToSpan as _};
use tokio::time::Instant;

use super::covered::Covered;
use super::{Due, GroupId};
use crate::cron::Timetable;
use crate::domain::MissedRun;

/// How old a slot may be and still be handed out as due. The ticker itself is up to 500 ms late and a lost activation
/// 5 s; the rest is for a loaded host and a short suspension. Anything later is downtime, which is not made up for: a
/// backup made after the slot must not go.
pub const ON_TIME: SignedDuration = SignedDuration::from_mins(1);

/// How many slots of one timetable are counted one by one. A clock set forward by years passes millions of the slots of
/// a schedule that is due each second; this many take some 30 ms to count.
pub const MAX_COUNTED: u64 = 10_000;

/// How long a listed group is given to be started. The crate drops activations under load without a word.
const RELIST_AFTER: Duration = Duration::from_secs(5);

/// The slots of a timetable in (`after`, `now`], accounted for as the ticker would have: the newest as due if it is not too
/// old for that, the others as missed.
pub fn passed(timetable: &Timetable, after: Timestamp, now: Timestamp) -> Option<Due> {
    Agenda::new(GroupId::of(timetable), timetable.clone(), after).account(now)
}

/// A run of missed slots without its last one, which is caught up on.
pub fn all_but_the_last(timetable: &Timetable, run: MissedRun) -> Option<MissedRun> {
    let agenda = Agenda::new(GroupId::of(timetable), timetable.clone(), run.first - 1.second());
    (run.count > 1)
        .then(|| MissedRun { count: run.count - 1, ..agenda.count(run.first, run.last - 1.second()) })
}

/// One timetable and how far it has been followed.
#[derive(Debug)]
pub(super) struct Agenda {
    id: GroupId,
    timetable: Timetable,
    /// Every slot up to here is accounted for.
    after: Timestamp,
    /// The first slot later than `after` that was not handed out.
    next: Option<Timestamp>,
    covered: Covered,
    /// When its activation was last given to the crate, if that has not come back.
    listed: Option<Instant>,
}

impl Agenda {
    pub(super) fn new(id: GroupId, timetable: Timetable, now: Timestamp) -> Self {
        let next = timetable.next_after(now);
        Self { id, timetable, after: now, next, covered: Covered::default(), listed: None }
    }

    pub(super) fn next(&self) -> Option<Timestamp> {
        self.next
    }

    /// Claims the group for one activation: it is not listed again until that comes back or is taken for lost.
    pub(super) fn claim(&mut self) -> bool {
        let free = self.listed.is_none_or(|listed| listed.elapsed() >= RELIST_AFTER);
        if free {
            self.listed = Some(Instant::now());
        }
        free
    }

    /// Follows a clock that was set back. What has passed but is not accounted for yet stays so.
    pub(super) fn set_back(&mut self, now: Timestamp) {
        if now < self.after {
            self.advance(now);
        }
    }

    /// Accounts for all slots up to `now`. A second activation of the same slot finds nothing left.
    pub(super) fn account(&mut self, now: Timestamp) -> Option<Due> {
        self.listed = None;
        let first = self.next.filter(|&first| first <= now)?;
        let passed = self.count(first, now);
        let on_time = now.duration_since(passed.last) <= ON_TIME;
        let (slot, missed) = match (on_time, passed.count) {
            (true, 1) => (Some(passed.last), None),
            (true, count) => {
                let last = self.newest(first, passed.last - 1.second());
                (Some(passed.last), Some(MissedRun { first, last, count: count - 1 }))
            }
            (false, count) => (None, Some(MissedRun { count: count.min(MAX_COUNTED), ..passed })),
        };
        if let Some(slot) = slot {
            self.covered.insert(slot, |slot| self.timetable.next_after(slot));
        }
        self.advance(now);
        Some(Due { group: self.id, slot, next: self.next, missed })
    }

    fn advance(&mut self, now: Timestamp) {
        self.after = now;
        self.next = self.next_after(now);
    }

    /// The first slot after `after` that was not handed out.
    fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let mut slot = self.timetable.next_after(after)?;
        while let Some(end) = self.covered.run_end(slot) {
            slot = self.timetable.next_after(end)?;
        }
        Some(slot)
    }

    /// The slots from `first` to `until`, counted up to one more than [`MAX_COUNTED`], for the newest may be due.
    fn count(&self, first: Timestamp, until: Timestamp) -> MissedRun {
        let mut run = MissedRun { first, last: first, count: 1 };
        while let Some(slot) = self.next_after(run.last).filter(|&slot| slot <= until) {
            if run.count > MAX_COUNTED {
                run.last = self.newest(slot, until);
                break;
            }
            run = MissedRun { last: slot, count: run.count + 1, ..run };
        }
        run
    }

    /// The last slot up to `until`, of which `first` is one: by bisection, for there may be millions between them.
    fn newest(&self, first: Timestamp, until: Timestamp) -> Timestamp {
        // A slot lies in (low, until], none in (high, until].
        let (mut low, mut high) = (first.as_second() - 1, until.as_second());
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            let next = Timestamp::from_second(middle).ok().and_then(|middle| self.next_after(middle));
            if next.is_some_and(|next| next <= until) {
                low = middle;
            } else {
                high = middle;
            }
        }
        Timestamp::from_second(high).unwrap_or(first)
    }
}
