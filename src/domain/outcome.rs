//! How a sweep ended.

use jiff::Timestamp;

use super::Failure;

/// How a sweep, or a slot that came to no sweep, ended (design.md §2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing that was to go is listed any more, or the server said so and nobody looked (`verified = false`).
    Deleted,
    /// There was nothing to go, before and after.
    NothingToDelete,
    /// Something that was to go is still listed after the last attempt.
    Partial,
    /// It did not come to an end.
    Failed(Failure),
    /// It was not begun, or was given up for a reason that is not the portal's failure.
    Skipped(SkipReason),
    /// The slot passed while the clock jumped over it or the daemon stood still.
    Missed(MissedRun),
    /// The portal was disabled at its slot.
    Paused,
    /// The daemon died during the sweep; how far it came is not known.
    Interrupted,
    /// A dry run: nothing was sent that could delete.
    Planned,
}

impl Outcome {
    /// The outcome in records.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::NothingToDelete => "nothing_to_delete",
            Self::Partial => "partial",
            Self::Failed(_) => "failed",
            Self::Skipped(_) => "skipped",
            Self::Missed(_) => "missed",
            Self::Paused => "paused",
            Self::Interrupted => "interrupted",
            Self::Planned => "planned",
        }
    }

    /// Whether a person has to look: the portal failed or was left partial (exit code 4).
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Partial)
    }
}

/// Why a sweep was skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SkipReason {
    /// The portal's last sweep still ran.
    Overlap,
    /// A restore, a transfer or an encryption went on to the end of the deadline.
    Busy,
    /// docsweep was stopped.
    Shutdown,
    /// More portals than `max_wipes` allows would have been left without any backup.
    WipeLimit,
    /// The ledger could not be written, and what cannot be recorded is not done.
    Ledger,
    /// The server asked to be left alone for longer than the sweep had time.
    RateLimited,
    /// The sweep's time was over before its first request could be sent.
    NoTime,
}

impl SkipReason {
    /// The reason in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Overlap => "overlap",
            Self::Busy => "busy",
            Self::Shutdown => "shutdown",
            Self::NoTime => "no_time",
            Self::WipeLimit => "wipe_limit",
            Self::RateLimited => "rate_limited",
            Self::Ledger => "ledger",
        }
    }

    /// One sentence: what to do, where there is something to do.
    pub fn advice(self) -> Option<&'static str> {
        match self {
            Self::Overlap => Some(
                "Give the portal's schedule longer periods, or its `retry.deadline` and `timeout` shorter ones: its \
                 last sweep was still running.",
            ),
            Self::Busy => Some(super::FailureClass::Busy.advice()),
            Self::Shutdown => None,
            Self::Ledger => Some(
                "Mend the ledger first, as its own message says: what cannot be recorded is not deleted, and sweeps go \
                 on by themselves once it can be written.",
            ),
            Self::RateLimited => Some(super::FailureClass::RateLimited.advice()),
            Self::WipeLimit => Some(
                "Look whether the portal was meant to lose its last backup: if so, raise `max_wipes`; if not, give it \
                 a `keep`.",
            ),
            Self::NoTime => Some(
                "Raise `concurrency` or `per_server`, spread the schedule with `splay`, or lengthen `retry.deadline`: \
                 the sweep's time was over before it got its turn.",
            ),
        }
    }
}

/// A run of consecutive slots of one schedule that passed unswept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissedRun {
    /// The first slot of the run.
    pub first: Timestamp,
    /// The last slot of the run.
    pub last: Timestamp,
    /// How many slots the run holds; a run of very many is counted up to a bound, and this is then "at least".
    pub count: u64,
}
