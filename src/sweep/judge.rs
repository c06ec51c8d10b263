//! What trouble means for the next attempt, and what a sweep's observations mean for its report. Pure.

use std::time::Duration;

use super::seen::{Deletion, Seen, Step};
use super::{Job, Trouble};
use crate::domain::{Counts, Failure, FailureClass, Method, Outcome, SkipReason, SweepReport, Verdict};
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
            rate_limited: Duration::from_mins(1),
            outcome_unknown: Duration::from_mins(2),
            key_rejected: Duration::from_secs(30),
            busy: Duration::from_mins(2),
            retry_after: (Duration::from_secs(1), Duration::from_hours(1)),
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
        // A ledger that cannot be written now may be well in a moment.
        Trouble::Remaining { again: true, .. } | Trouble::Unrecorded(_) => return Disposition::Backoff,
        Trouble::Remaining { again: false, .. }
        | Trouble::WipeLimit
        | Trouble::TimeOver
        | Trouble::TooLate
        | Trouble::Paused
        | Trouble::Panicked(_)
        | Trouble::Stopped => return Disposition::GiveUp,
        Trouble::Portal(error) | Trouble::Backups { error, .. } => error,
    };
    match error.class {
        FailureClass::Unreachable | FailureClass::KeyUnavailable => Disposition::Backoff,
        FailureClass::ServerError => match error.retry_after {
            Some(asked) => Disposition::AtLeast(waits.clamp(asked)),
            None => Disposition::Backoff,
        },
        FailureClass::RateLimited => Disposition::AtLeast(waits.rate_limit(error.retry_after)),
        // Without a list nobody can find out, and nothing is deleted twice on a guess.
        FailureClass::OutcomeUnknown if seen.unserved.list => Disposition::GiveUp,
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

/// The report of a sweep that has ended; `deletes` is whether it could delete at all.
pub(super) fn report(
    job: &Job,
    seen: &Seen,
    ended: &Result<(), (Trouble, Ended)>,
    deletes: bool,
) -> SweepReport {
    let outcome = match ended {
        Ok(()) if deletes => success(seen, job.method),
        Ok(()) => Outcome::Planned,
        Err((trouble, ended)) => trouble_outcome(job, seen, trouble, *ended),
    };
    let done = matches!(outcome, Outcome::Deleted | Outcome::NothingToDelete);
    let looked = seen.deletion == Deletion::Listed || outcome == Outcome::NothingToDelete;
    let note = note(seen, &outcome, ended.as_ref().err().map(|(trouble, _)| trouble));
    let plan = if deletes { Vec::new() } else { seen.decision.clone().unwrap_or_default() };
    SweepReport {
        attempts: seen.attempts,
        counts: if deletes { seen.counts() } else { planned(seen.decision.as_deref()) },
        removed: seen.removed(),
        left: if seen.deletion == Deletion::Listed { seen.left.clone() } else { Vec::new() },
        plan,
        verified: done && looked && !seen.untold,
        note,
        ..job.report(outcome)
    }
}

fn trouble_outcome(job: &Job, seen: &Seen, trouble: &Trouble, ended: Ended) -> Outcome {
    let listed = seen.deletion == Deletion::Listed;
    match trouble {
        _ if ended == Ended::Stopped => Outcome::Skipped(SkipReason::Shutdown),
        Trouble::Stopped => Outcome::Skipped(SkipReason::Shutdown),
        Trouble::WipeLimit => Outcome::Skipped(SkipReason::WipeLimit),
        Trouble::Unrecorded(_) => Outcome::Skipped(SkipReason::Ledger),
        // The verification list tells a backup that is gone from one whose deletion really failed.
        Trouble::Backups { .. } if listed && seen.left.is_empty() => Outcome::Deleted,
        Trouble::Backups { .. } if listed => Outcome::Partial,
        Trouble::Remaining { .. } => Outcome::Partial,
        Trouble::TimeOver | Trouble::TooLate | Trouble::Paused if listed && !seen.left.is_empty() => {
            Outcome::Partial
        }
        Trouble::TooLate if seen.deletion == Deletion::NotSent => Outcome::Skipped(SkipReason::NoTime),
        Trouble::TimeOver if seen.attempts == 0 => Outcome::Skipped(SkipReason::NoTime),
        // The portal was not given the time that it may take for one answer, so its silence says nothing of it.
        Trouble::TimeOver if untold(seen) && job.time < job.timeout => Outcome::Skipped(SkipReason::NoTime),
        Trouble::Paused if seen.attempts == 0 => Outcome::Skipped(SkipReason::RateLimited),
        Trouble::TimeOver | Trouble::TooLate | Trouble::Paused => Outcome::Failed(time_over(seen)),
        Trouble::Panicked(_) => Outcome::Failed(Failure {
            class: FailureClass::Internal,
            http_status: None,
            detail: trouble.detail(),
        }),
        Trouble::Portal(error) if error.class == FailureClass::Busy && seen.deletion == Deletion::NotSent => {
            Outcome::Skipped(SkipReason::Busy)
        }
        Trouble::Portal(error) | Trouble::Backups { error, .. } => {
            Outcome::Failed(failure(seen, error.failure()))
        }
    }
}

/// Whether nothing is known of the portal: it was asked, no deletion was sent, and nothing has failed.
fn untold(seen: &Seen) -> bool {
    seen.step == Step::Asking && seen.deletion == Deletion::NotSent && seen.last_failure.is_none()
}

/// `nothing_to_delete` is what the lists showed: `bulk` deletes all the same, and looks again; `each` has nothing to
/// send.
fn success(seen: &Seen, method: Method) -> Outcome {
    let nothing = seen.decision.is_some() && seen.condemned().next().is_none();
    // Nothing was sent where there was nothing to send, or where a limit forbids to delete what the list may hide.
    let looked = matches!(seen.deletion, Deletion::Listed | Deletion::NotSent) || method == Method::Each;
    if nothing && looked { Outcome::NothingToDelete } else { Outcome::Deleted }
}

/// The numbers of a plan.
fn planned(plan: Option<&[Verdict]>) -> Counts {
    let Some(plan) = plan else { return Counts::default() };
    let kept = plan.iter().filter(|verdict| !verdict.reason.goes()).count();
    Counts { found: Some(plan.len() as u64), deleted: Some(0), kept: Some(kept as u64), remaining: None }
}

/// The failure of the last attempt; but where the fate of a deletion is not known, and nobody has looked since, that is
/// what is recorded.
fn failure(seen: &Seen, last: Failure) -> Failure {
    match seen.deletion {
        Deletion::Unknown { attempt }
            if attempt < seen.attempts && last.class != FailureClass::OutcomeUnknown =>
        {
            let detail = format!(
                "the fate of a deletion is not known, and the list was not read since: {}",
                last.detail
            );
            Failure { class: FailureClass::OutcomeUnknown, detail, ..last }
        }
        _ => last,
    }
}

/// The sweep's time ended in the middle of an attempt, or before the next one.
fn time_over(seen: &Seen) -> Failure {
    let (class, detail) = match seen.deletion {
        Deletion::NotSent | Deletion::Unclear | Deletion::Listed => match &seen.last_failure {
            Some(last) => return last.clone(),
            None if seen.step == Step::Before => {
                (FailureClass::KeyUnavailable, "the key could not be read before the sweep's time was over")
            }
            None => (FailureClass::ServerError, "no answer before the sweep's time was over"),
        },
        Deletion::InFlight | Deletion::Unknown { .. } => {
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
        Deletion::InFlight | Deletion::Unknown { .. } => {
            Some("a deletion was sent, and its answer was not seen")
        }
        Deletion::Unclear => Some("a deletion was sent, and its answer does not tell whether it was done"),
        Deletion::Answered => Some("a deletion was answered with true, and nobody looked since"),
        Deletion::Listed => Some("a deletion was sent, and the list was read since"),
    };
    match (outcome, trouble) {
        (Outcome::Deleted | Outcome::NothingToDelete, _) => {
            let notes: Vec<String> = vanished(seen).into_iter().chain(doubts(seen)).collect();
            (!notes.is_empty()).then(|| notes.join("; "))
        }
        (Outcome::Skipped(_), Some(Trouble::Stopped | Trouble::TimeOver)) => deletion.map(str::to_owned),
        (Outcome::Partial, Some(_)) if !seen.doubts.is_empty() => doubtful(seen),
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

/// Backups whose deletion ended in an error, with one of the errors.
fn doubtful(seen: &Seen) -> Option<String> {
    let (count, error) = (seen.doubts.len(), seen.doubts.values().next()?);
    Some(format!("the deletion of {count} backups ended in an error, one of them: {}", error.detail))
}

/// Backups that were to stay and are gone all the same: not by this sweep, which sent nothing for them, but the server
/// drops records whose file it does not find when it lists them.
fn vanished(seen: &Seen) -> Option<String> {
    let count = seen.vanished;
    (count > 0).then(|| format!("{count} of the backups that were to stay are not listed any more"))
}

/// Backups that are not listed any more although their deletion ended in an error: the server takes the record away
/// first, and the file after it.
fn doubts(seen: &Seen) -> Option<String> {
    let (count, error) = (seen.doubts.len(), seen.doubts.values().next()?);
    Some(format!(
        "{count} of the backups are gone from the list although their deletion ended in an error, so that files may \
         have been left behind: {}",
        error.detail
    ))
}
