//! Why the ledger holds nothing of a slot that has passed.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::explain::{Case, Plan, instant, place};
use crate::ledger::PortalState;

/// How soon after its start a slot has a row for sure, if docsweep runs.
const SOON: Duration = Duration::from_mins(1);

/// One sentence or a few on a slot that has passed and has no row.
pub(super) fn why(case: &Case<'_>, plan: &Plan<'_>, slot: Timestamp) -> String {
    let at = instant(slot, plan.zone.time_zone());
    let start = later(slot, plan.offset);
    let accounted = case.state.and_then(|state| state.accounted);
    if accounted.is_none_or(|accounted| accounted < slot) && case.now < later(start, SOON) {
        return waiting(case, plan, &at, start);
    }
    match case.state {
        None | Some(PortalState { last: None, accounted: None, running_since: None, .. }) => format!(
            "Nothing is recorded of the slot {at}: the ledger does not know {} yet. The daemon has not run with it in \
             its configuration, or keeps another ledger.",
            case.portal
        ),
        Some(_) if accounted.is_none_or(|accounted| accounted < slot) => unaccounted(plan, &at, accounted),
        Some(_) => accounted_for(case, plan, slot, &at),
    }
}

/// The slot has only just passed, or its start has not.
fn waiting(case: &Case<'_>, plan: &Plan<'_>, at: &str, start: Timestamp) -> String {
    if case.now < start {
        let offset = humantime::format_duration(Duration::from_secs(plan.offset.as_secs()));
        return format!(
            "The slot {at} has passed, but with `splay` {} starts {offset} later, at {start:.0}.",
            case.portal
        );
    }
    let ago = case.now.duration_since(start).as_secs();
    format!(
        "The slot {at} passed {ago} s ago and is not recorded yet: if docsweep runs, it will be in a moment."
    )
}

/// The ledger has not come as far as the slot.
fn unaccounted(plan: &Plan<'_>, at: &str, accounted: Option<Timestamp>) -> String {
    let up_to = match accounted {
        Some(accounted) => format!("the ledger accounts for its slots up to {accounted:.0} only"),
        None => "the ledger accounts for none of its slots yet".to_owned(),
    };
    let then = if !plan.enabled {
        "recorded as paused, since the portal has `enabled = false`".to_owned()
    } else if plan.catch_up.is_zero() {
        "recorded as missed".to_owned()
    } else {
        let catch_up = humantime::format_duration(plan.catch_up);
        format!(
            "made up for if it is the newest one and at most {catch_up} late (`catch_up`), else recorded as missed"
        )
    };
    format!(
        "Nothing is recorded of the slot {at}: {up_to}. So docsweep has not been running since the slot, has not read \
         this configuration, or cannot write its ledger. When it goes on, the slot is {then}."
    )
}

/// The ledger has come past the slot and has no row for it.
fn accounted_for(case: &Case<'_>, plan: &Plan<'_>, slot: Timestamp, at: &str) -> String {
    let portal = case.portal;
    let retention = SignedDuration::try_from(case.retention).unwrap_or(SignedDuration::MAX);
    let kept_from = case.now.saturating_sub(retention).unwrap_or(Timestamp::MIN);
    if slot < kept_from {
        return format!(
            "The ledger holds nothing of the slot {at} any more: what ended before {kept_from:.0} is dropped \
             (`ledger_retention`)."
        );
    }
    let (before, after): (Vec<_>, Vec<_>) = case.rows.iter().partition(|row| place(row) <= slot);
    match (before.last(), after.first()) {
        (None, Some(first)) => format!(
            "The ledger holds nothing of the slot {at}: it is from before docsweep knew {portal}, whose first row is of \
             {:.0}.",
            place(first)
        ),
        (None, None) => format!(
            "The ledger holds nothing of the slot {at}: it is from before docsweep knew {portal}, which has no row yet."
        ),
        (Some(near), _) if near.schedule != plan.schedule => format!(
            "The ledger holds nothing of the slot {at}: {portal} had another schedule then ({}), which had no slot there.",
            near.schedule
        ),
        (Some(near), _) => format!(
            "The ledger holds nothing of the slot {at}, although it has come past it and its row before is of {:.0}: \
             {portal} was not in the configuration at the time, or its schedule had no such slot then.",
            place(near)
        ),
    }
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}
