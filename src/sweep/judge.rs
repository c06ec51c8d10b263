//! What trouble means for the next attempt, and what a sweep's observations mean for its report. Pure.

use std::time::Duration;

use super::seen::{Deletion, Seen};
use super::{Job, Trouble};
use crate::domain::{Failure, FailureClass, Outcome, SkipReason, SweepReport};
use crate::retry::{Disposition, Ended};

/// The waits that are not a matter of configuration. `Default` is the product's; tests and the demo shorten them.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// After a 429 without `Retry-After`: the server's concurrency leases expire after 60 s (docspace-api.md §5).
    pub rate_limited: Duration,
    /// Before the list is read after a lost answer: the server goes on for minutes (docspace-api.md §7).
    pub outcome_unknown: Duration,
    /// Before the second attempt after a 401: the server answers 401 to its own database faults (docspace-api.md §4.3).
    pub key_rejected: Duration,
    /// Between questions whether a restore is over.
    pub busy: Duration,
    /// The least and the most that a `Retry-After` is taken for. The most is the default deadline of a sweep: whoever
    /// asks for more is not swept in this slot, and must not silence the other portals of the server for days.
    pub retry_after: (Duration, Duration),
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            rate_limited: Duration::from_secs(60),
            outcome_unknown: Duration::from_secs(120),
            key_rejected: Duration::from_secs(30),
            busy: Duration::from_secs(120),
            retry_after: (Duration::from_secs(1), Duration::from_secs(3600)),
        }
    }
}

impl Waits {
    /// How long a server that answered 429 is left alone.
    pub(super) fn rate_limit(&self, retry_after: Option<Duration>) -> Duration {
        retry_after.map_or(self.rate_limited, |asked| self.clamp(asked))
    }

    fn clamp(&self, asked: Duration) -> Duration {
        let (least, most) = self.retry_after;
        asked.clamp(least, most.max(least))
    }
}

/// What trouble means for the next attempt (design.md §3).
pub(super) fn disposition(trouble: &Trouble, seen: &Seen, waits: &Waits) -> Disposition {
    let error = match trouble {
        Trouble::Remaining(_) => return Disposition::Backoff,
        Trouble::TimeOver | Trouble::Stopped => return Disposition::GiveUp,
        Trouble::Portal(error) => error,
    };
    match error.class {
        FailureClass::Unreachable | FailureClass::KeyUnavailable => Disposition::Backoff,
        FailureClass::ServerError => match error.retry_after {
            Some(asked) => Disposition::AtLeast(waits.clamp(asked)),
            None => Disposition::Backoff,
        },
        FailureClass::RateLimited => Disposition::AtLeast(waits.rate_limit(error.retry_after)),
        // Without a list nobody can find out, and nothing is deleted twice on a guess.
        FailureClass::OutcomeUnknown if seen.no_list => Disposition::GiveUp,
        FailureClass::OutcomeUnknown => Disposition::AtLeast(waits.outcome_unknown),
        FailureClass::Busy => Disposition::Patience(waits.busy),
        FailureClass::KeyRejected => Disposition::Once(waits.key_rejected),
        FailureClass::Tls
        | FailureClass::KeyScope
        | FailureClass::NotAdmin
        | FailureClass::DumpRefused
        | FailureClass::IpBlocked
        | FailureClass::Unpaid
        | FailureClass::Suspended
        | FailureClass::NoSuchPortal
        | FailureClass::NotAPortal
        | FailureClass::Redirected
        | FailureClass::BadResponse
        | FailureClass::Internal => Disposition::GiveUp,
    }
}

/// The report of a sweep that has ended.
pub(super) fn report(job: &Job, seen: &Seen, ended: &Result<(), (Trouble, Ended)>) -> SweepReport {
    let touched = seen.deletion != Deletion::NotSent;
    let outcome = match ended {
        Ok(()) => success(seen),
        Err((_, Ended::Stopped) | (Trouble::Stopped, _)) => Outcome::Skipped(SkipReason::Shutdown),
        Err((Trouble::Remaining(_), _)) => Outcome::Partial,
        Err((Trouble::TimeOver, _)) if seen.attempts == 0 => Outcome::Skipped(SkipReason::NoTime),
        Err((Trouble::TimeOver, _)) => Outcome::Failed(time_over(seen)),
        Err((Trouble::Portal(error), _)) if error.class == FailureClass::Busy && !touched => {
            Outcome::Skipped(SkipReason::Busy)
        }
        Err((Trouble::Portal(error), _)) => Outcome::Failed(failure(seen, error.failure())),
    };
    let verified = ended.is_ok() && seen.left == Some(0);
    let note = note(seen, &outcome, ended.as_ref().err().map(|(trouble, _)| trouble));
    SweepReport { attempts: seen.attempts, counts: seen.counts(), verified, note, ..job.report(outcome) }
}

/// `nothing_to_delete` is what two lists showed; anything less was a deletion.
fn success(seen: &Seen) -> Outcome {
    let empty = seen.inventory.as_ref().is_some_and(Vec::is_empty);
    if empty && seen.left == Some(0) { Outcome::NothingToDelete } else { Outcome::Deleted }
}

/// The failure of the last attempt; but where the fate of a deletion is not known, and nobody has looked since, that is
/// what is recorded.
fn failure(seen: &Seen, last: Failure) -> Failure {
    match seen.deletion {
        Deletion::Unknown if last.class != FailureClass::OutcomeUnknown && seen.left.is_none() => Failure {
            class: FailureClass::OutcomeUnknown,
            detail: format!("a deletion's answer was lost, and the list was not read since: {}", last.detail),
            ..last
        },
        _ => last,
    }
}

/// The sweep's time ended in the middle of an attempt, or before the next one.
fn time_over(seen: &Seen) -> Failure {
    let (class, detail) = match seen.deletion {
        Deletion::NotSent | Deletion::Unclear => match &seen.last_failure {
            Some(last) => return last.clone(),
            None => (FailureClass::ServerError, "no answer before the sweep's time was over"),
        },
        Deletion::InFlight | Deletion::Unknown => {
            (FailureClass::OutcomeUnknown, "the sweep's time was over before the deletion was answered")
        }
        Deletion::Answered => (
            FailureClass::OutcomeUnknown,
            "the deletion was answered with true, but the sweep's time was over before the list could be read again",
        ),
    };
    Failure { class, http_status: None, detail: detail.to_owned() }
}

/// What the outcome alone would not tell.
fn note(seen: &Seen, outcome: &Outcome, trouble: Option<&Trouble>) -> Option<String> {
    let deletion = match seen.deletion {
        Deletion::NotSent => None,
        Deletion::Unclear => Some("a deletion was sent, and its answer does not tell whether it was done"),
        Deletion::InFlight | Deletion::Unknown => Some("a deletion was sent, and its answer was not seen"),
        Deletion::Answered => Some("the deletion was answered with true"),
    };
    match (outcome, trouble) {
        (Outcome::Skipped(_), Some(Trouble::Stopped | Trouble::TimeOver)) => deletion.map(str::to_owned),
        (Outcome::Skipped(_) | Outcome::Partial, Some(trouble)) => Some(match deletion {
            Some(deletion) => format!("{}; {deletion}", trouble.detail()),
            None => trouble.detail(),
        }),
        (Outcome::Failed(failure), _) if failure.class != FailureClass::OutcomeUnknown => {
            deletion.map(str::to_owned)
        }
        _ => None,
    }
}
