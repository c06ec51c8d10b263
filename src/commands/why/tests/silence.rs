//! Slots of which the ledger holds nothing, and why.

use std::time::Duration;

use super::{NOON, Situation, at, row, says, state};
use crate::ledger::{PortalState, Row};

#[test]
fn where_the_ledger_has_not_come_yet() {
    let behind = || {
        let state = PortalState { accounted: Some(at("2026-11-22T01:00:00Z")), ..state() };
        Situation { state: Some(state), ..Situation::default() }
    };
    let nothing = "Nothing is recorded of the slot 2026-11-24T01:00:00Z (03:00 in Europe/Riga)";
    let since = "the ledger accounts for its slots up to 2026-11-22T01:00:00Z only. So docsweep has not been running \
                 since the slot, has not read this configuration, or cannot write its ledger. When it goes on, \
                 the slot is";
    says(&behind(), &format!("{nothing}: {since} recorded as missed.{{NEXT}}"));
    says(
        &Situation { catch_up: Duration::from_hours(12), ..behind() },
        &format!(
            "{nothing}: {since} made up for if it is the newest one and at most 12h late (`catch_up`), else recorded as \
             missed.{{NEXT}}"
        ),
    );
    says(
        &Situation { enabled: false, ..behind() },
        &format!(
            "{nothing}: {since} recorded as paused, since the portal has `enabled = false`. acme has `enabled = \
             false`, so its slots to come will be recorded as paused, and nothing will be sent."
        ),
    );
    says(
        &Situation { now: "2026-11-24T01:00:20Z", ..behind() },
        "{S} passed 20 s ago and is not recorded yet: if docsweep runs, it will be in a moment.{NEXT}",
    );
    says(
        &Situation { now: "2026-11-24T01:00:20Z", offset: Duration::from_millis(600_300), ..behind() },
        "{S} has passed, but with `splay` acme starts 10m later, at 2026-11-24T01:10:00Z.{NEXT}",
    );
    let unknown = "the ledger does not know acme yet. The daemon has not run with it in its configuration, or keeps \
                   another ledger.{NEXT}";
    says(&Situation { state: None, ..behind() }, &format!("{nothing}: {unknown}"));
}

#[test]
fn what_the_ledger_has_come_past_without_a_row() {
    let nothing = "The ledger holds nothing of the slot 2026-11-24T01:00:00Z (03:00 in Europe/Riga)";
    let other = |slot: &str| Row { slot: Some(at(slot)), sweep_id: "two".into(), ..row("paused") };
    says(
        &Situation { now: "2028-03-01T12:00:00Z", ..Situation::default() },
        &format!(
            "{nothing} any more: what ended before 2027-01-26T12:00:00Z is dropped (`ledger_retention`)."
        ),
    );
    says(
        &Situation { now: "2026-11-26T12:00:00Z", ..Situation::with([other("2026-11-26T01:00:00Z")]) },
        &format!(
            "{nothing}: it is from before docsweep knew acme, whose first row is of 2026-11-26T01:00:00Z."
        ),
    );
    says(
        &Situation::default(),
        &format!("{nothing}: it is from before docsweep knew acme, which has no row yet.{{NEXT}}"),
    );
    says(
        &Situation::with([other("2026-11-23T01:00:00Z")]),
        &format!(
            "{nothing}, although it has come past it and its row before is of 2026-11-23T01:00:00Z: acme was not in the \
             configuration at the time, or its schedule had no such slot then.{{NEXT}}"
        ),
    );
    let weekly = Row { schedule: "weekly".into(), ..other("2026-11-22T01:00:00Z") };
    says(
        &Situation::with([weekly]),
        &format!("{nothing}: acme had another schedule then (weekly), which had no slot there.{{NEXT}}"),
    );
}

#[test]
fn what_is_yet_to_come() {
    let time = "2026-12-24T01:00:00Z";
    says(
        &Situation { time, ..Situation::with([row("paused")]) },
        "2026-12-24T01:00:00Z (03:00 in Europe/Riga) is yet to come.{NEXT}",
    );
    says(
        &Situation { time, enabled: false, ..Situation::default() },
        "2026-12-24T01:00:00Z (03:00 in Europe/Riga) is yet to come. acme has `enabled = false`, so its slots to come \
         will be recorded as paused, and nothing will be sent.",
    );
}

#[test]
fn a_portal_that_is_gone() {
    let gone = |rows: Vec<Row>| Situation { configured: false, time: NOON, ..Situation::with(rows) };
    let is_gone = "acme is not in the configuration any more, so it has no slots.";
    says(
        &gone(vec![row("paused")]),
        &format!(
            "{is_gone} This is the last that the ledger holds of it up to 2026-11-24T12:00:00Z. The slot \
             2026-11-24T01:00:00Z was paused: the portal had `enabled = false`."
        ),
    );
    let later = Row { slot: Some(at("2026-11-25T01:00:00Z")), ..row("paused") };
    says(
        &gone(vec![later]),
        &format!(
            "{is_gone} The ledger holds nothing of it up to 2026-11-24T12:00:00Z; this is the first thing after. The \
             slot 2026-11-25T01:00:00Z was paused: the portal had `enabled = false`."
        ),
    );
    says(
        &gone(Vec::new()),
        &format!("{is_gone} The ledger holds no sweep of it around 2026-11-24T12:00:00Z."),
    );
}
