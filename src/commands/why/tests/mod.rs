//! A table of situations, and the whole paragraph for each; `silence` has those in which nothing is recorded.

mod silence;

use std::time::Duration;

use jiff::Timestamp;

use super::explain::{Case, Plan, explain};
use crate::cron::{Cron, Timetable, Zone};
use crate::ledger::{BackupRow, PortalState, Row};

/// The slots are each day's 03:00 in Riga, which in winter is 01:00 UTC.
const SLOT: &str = "2026-11-24T01:00:00Z";
const NOON: &str = "2026-11-24T12:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn row(outcome: &str) -> Row {
    Row {
        portal: "acme".into(),
        schedule: "nightly".into(),
        slot: Some(at(SLOT)),
        trigger: "schedule".into(),
        dump: "false".into(),
        method: "bulk".into(),
        outcome: outcome.into(),
        reason: None,
        failure: None,
        detail: None,
        note: None,
        advice: None,
        http_status: None,
        attempts: 1,
        found: None,
        deleted: None,
        kept: None,
        remaining: None,
        verified: false,
        last_slot: None,
        slots: None,
        began: at("2026-11-24T01:00:00.25Z"),
        ended: Some(at("2026-11-24T01:00:02Z")),
        duration_ms: Some(1750),
        next_slot: Some(at("2026-11-25T01:00:00Z")),
        sweep_id: "one".into(),
        pid: 4242,
        backups: Vec::new(),
    }
}

fn state() -> PortalState {
    PortalState {
        portal: "acme".into(),
        last: Some(row("deleted")),
        last_success: Some(at("2026-11-24T01:00:02Z")),
        failures_in_a_row: 0,
        running_since: None,
        accounted: Some(at(SLOT)),
    }
}

/// What is asked of a portal that is swept each night, and what the configuration and the ledger hold.
struct Situation {
    time: &'static str,
    now: &'static str,
    enabled: bool,
    configured: bool,
    offset: Duration,
    catch_up: Duration,
    state: Option<PortalState>,
    rows: Vec<Row>,
}

impl Default for Situation {
    fn default() -> Self {
        Self {
            time: SLOT,
            now: NOON,
            enabled: true,
            configured: true,
            offset: Duration::ZERO,
            catch_up: Duration::ZERO,
            state: Some(state()),
            rows: Vec::new(),
        }
    }
}

impl Situation {
    fn with(rows: impl IntoIterator<Item = Row>) -> Self {
        Self { rows: rows.into_iter().collect(), ..Self::default() }
    }

    fn text(&self) -> String {
        let zone = Zone::parse("Europe/Riga").unwrap();
        let timetable = Timetable { cron: Cron::parse("0 3 * * *").unwrap(), zone: zone.clone() };
        let (time, now) = (at(self.time), at(self.now));
        let plan = Plan {
            schedule: "nightly",
            zone: &zone,
            before: timetable.last_up_to(time),
            after: timetable.next_after(time),
            next: timetable.next_after(now),
            enabled: self.enabled,
            offset: self.offset,
            catch_up: self.catch_up,
        };
        let plan = self.configured.then_some(plan);
        let retention = Duration::from_hours(400 * 24);
        let state = self.state.as_ref();
        explain(&Case { portal: "acme", plan, time, now, state, rows: &self.rows, retention }).text
    }
}

/// Every paragraph about a slot ends like this.
const NEXT: &str = " The next slot from now is 2026-11-25T01:00:00Z (03:00 in Europe/Riga).";
const S: &str = "The slot 2026-11-24T01:00:00Z (03:00 in Europe/Riga)";

#[track_caller]
fn says(situation: &Situation, expected: &str) {
    let expected = expected.replace("{S}", S).replace("{NEXT}", NEXT);
    assert_eq!(situation.text(), expected);
}

#[test]
fn how_a_sweep_ended() {
    let cases = [
        (
            Row { found: Some(5), deleted: Some(5), kept: Some(0), verified: true, ..row("deleted") },
            "{S} was swept: 5 backups were found, 5 deleted, and the list confirmed it.{NEXT}",
        ),
        (
            Row { found: Some(5), deleted: Some(3), kept: Some(2), verified: true, ..row("deleted") },
            "{S} was swept: 5 backups were found, 3 deleted, 2 kept, and the list confirmed it.{NEXT}",
        ),
        (
            row("deleted"),
            "{S} was swept: the server said that it deleted what was to go, and nobody looked (`verified` is \
             false).{NEXT}",
        ),
        (
            Row { found: Some(0), verified: true, ..row("nothing_to_delete") },
            "{S} was swept: there was nothing to delete, before and after.{NEXT}",
        ),
        (
            Row { found: Some(2), kept: Some(2), verified: true, ..row("nothing_to_delete") },
            "{S} was swept: there was nothing to delete; 2 were found and 2 kept.{NEXT}",
        ),
        (
            Row {
                found: Some(5),
                deleted: Some(3),
                remaining: Some(2),
                advice: Some("Look into the log.".into()),
                ..row("partial")
            },
            "{S} was swept: 5 backups were found, 3 deleted, and of those that were to go 2 are still listed. \
             Look into the log.{NEXT}",
        ),
        (
            Row {
                failure: Some("key_rejected".into()),
                http_status: Some(401),
                detail: Some("the portal said 401".into()),
                attempts: 2,
                advice: Some("Make a new API key.".into()),
                ..row("failed")
            },
            "{S} was swept, and failed after 2 attempts with `key_rejected`, HTTP 401: the portal said 401. Make a new \
             API key.{NEXT}",
        ),
        (
            Row {
                failure: Some("server_error".into()),
                deleted: Some(3),
                note: Some("one file may be left".into()),
                ..row("failed")
            },
            "{S} was swept, and failed after 1 attempt with `server_error`. 3 backups had been deleted by then. Note: \
             One file may be left.{NEXT}",
        ),
        (
            Row { trigger: "catch_up".into(), began: at("2026-11-24T04:10:00Z"), ..row("nothing_to_delete") },
            "{S} was made up for at 2026-11-24T04:10:00Z (06:10 in Europe/Riga): there was nothing to delete, before \
             and after.{NEXT}",
        ),
    ];
    for (row, text) in cases {
        says(&Situation::with([row]), text);
    }
}

#[test]
fn what_came_to_no_end_or_to_no_sweep() {
    let skipped = |reason: &str| Row { reason: Some(reason.into()), attempts: 0, ..row("skipped") };
    let found = |id: &str| BackupRow {
        id: id.into(),
        file_name: format!("{id}.tar.gz"),
        storage: None,
        created_on: None,
        fate: "found".into(),
        doubt: None,
    };
    let cases = [
        (skipped("overlap"), "{S} was skipped, because the portal's last sweep was still running.{NEXT}"),
        (
            skipped("busy"),
            "{S} was skipped, because a restore, transfer or encryption went on for the whole time.{NEXT}",
        ),
        (skipped("shutdown"), "{S} was skipped, because docsweep was stopped.{NEXT}"),
        (skipped("no_time"), "{S} was skipped, because other sweeps took all the time there was.{NEXT}"),
        (
            skipped("wipe_limit"),
            "{S} was skipped, because `max_wipes` portals had already been left without any backup in the same \
             tick.{NEXT}",
        ),
        (skipped("eclipse"), "{S} was skipped (`eclipse`).{NEXT}"),
        (row("paused"), "{S} was paused: the portal had `enabled = false`.{NEXT}"),
        (
            Row { backups: vec![found("a"), found("b")], ..row("interrupted") },
            "{S} was swept from 2026-11-24T01:00:00Z on, and docsweep died during that, so nobody knows how far it \
             came; 2 backups had been listed before it.{NEXT}",
        ),
        (
            Row { ended: None, ..row("running") },
            "The sweep of the slot 2026-11-24T01:00:00Z (03:00 in Europe/Riga) has been running since \
             2026-11-24T01:00:00Z, in process 4242; should that process be dead, the next start of docsweep records it \
             as interrupted.{NEXT}",
        ),
        (
            Row {
                last_slot: Some(at(SLOT)),
                slots: Some(1),
                began: at("2026-11-24T09:00:00Z"),
                ..row("missed")
            },
            "{S} was missed: docsweep was not running then, or the clock jumped over it; this was recorded at \
             2026-11-24T09:00:00Z.{NEXT}",
        ),
        (
            Row {
                slot: Some(at("2026-11-01T01:00:00Z")),
                last_slot: Some(at("2026-11-24T01:00:00Z")),
                slots: Some(24),
                began: at("2026-11-24T09:00:00Z"),
                ..row("missed")
            },
            "24 slots from 2026-11-01T01:00:00Z (03:00 in Europe/Riga) to 2026-11-24T01:00:00Z (03:00 in Europe/Riga) \
             were missed: docsweep was not running then, or the clock jumped over it; this was recorded at \
             2026-11-24T09:00:00Z.{NEXT}",
        ),
    ];
    for (row, text) in cases {
        says(&Situation::with([row]), text);
    }
}

#[test]
fn a_sweep_for_both_dump_values_has_two_sentences() {
    let own = Row { found: Some(1), deleted: Some(1), verified: true, ..row("deleted") };
    let dumps = Row {
        dump: "true".into(),
        failure: Some("dump_refused".into()),
        http_status: Some(403),
        ..row("failed")
    };
    let both = Situation::with([own, dumps]);
    says(
        &both,
        "{S} was swept (the portal's own backups): 1 backup was found, 1 deleted, and the list confirmed it. {S} was \
         swept (server-wide dumps), and failed after 1 attempt with `dump_refused`, HTTP 403.{NEXT}",
    );
}

#[test]
fn how_long_it_has_been_like_that() {
    let failed = Row { failure: Some("tls".into()), ..row("failed") };
    let state = PortalState { last: Some(failed.clone()), failures_in_a_row: 3, ..state() };
    let mut situation = Situation { state: Some(state), ..Situation::with([failed]) };
    says(
        &situation,
        "{S} was swept, and failed after 1 attempt with `tls`. These are 3 failures in a row; the last sweep that went \
         well ended at 2026-11-24T01:00:02Z.{NEXT}",
    );
    situation.state.as_mut().unwrap().last_success = None;
    assert!(situation.text().contains("3 failures in a row; the ledger knows of none that went well."));
    // An old failure is no news of today.
    situation.state.as_mut().unwrap().last = Some(Row { sweep_id: "two".into(), ..row("failed") });
    assert!(!situation.text().contains("in a row"));
}

#[test]
fn where_there_is_no_slot() {
    let row = Row { found: Some(0), ..row("nothing_to_delete") };
    let by_hand = Row {
        slot: None,
        trigger: "manual".into(),
        sweep_id: "two".into(),
        began: at("2026-11-24T08:30:00Z"),
        ..row.clone()
    };
    let before = "acme has no slot at 2026-11-24T10:00:00Z (12:00 in Europe/Riga): of its schedule nightly, the slot \
                  before is 2026-11-24T01:00:00Z (03:00 in Europe/Riga), and the one after is 2026-11-25T01:00:00Z \
                  (03:00 in Europe/Riga). {S} was swept: there was nothing to delete, before and after.";
    let asked = |rows: Vec<Row>| Situation { time: "2026-11-24T10:00:00Z", ..Situation::with(rows) };
    says(&asked(vec![row.clone()]), before);
    says(
        &asked(vec![row, by_hand]),
        &format!(
            "{before} It was swept by hand at 2026-11-24T08:30:00Z (10:30 in Europe/Riga): there was nothing to delete, \
             before and after."
        ),
    );
}

#[test]
fn a_time_between_two_slots_that_have_passed_is_about_both() {
    let first = Row { slot: Some(at("2026-11-23T01:00:00Z")), sweep_id: "two".into(), ..row("paused") };
    let run = Row { last_slot: Some(at(SLOT)), slots: Some(2), ..first.clone() };
    let run = Situation {
        time: "2026-11-23T23:30:00Z",
        ..Situation::with([Row { outcome: "missed".into(), ..run }])
    };
    assert_eq!(run.text().matches("2 slots from").count(), 1, "{}", run.text());
    let situation = Situation { time: "2026-11-23T23:30:00Z", ..Situation::with([first, row("paused")]) };
    says(
        &situation,
        "acme has no slot at 2026-11-23T23:30:00Z (2026-11-24 01:30 in Europe/Riga): of its schedule nightly, the slot \
         before is 2026-11-23T01:00:00Z (03:00 in Europe/Riga), and the one after is 2026-11-24T01:00:00Z (03:00 in \
         Europe/Riga). The slot 2026-11-23T01:00:00Z (03:00 in Europe/Riga) was paused: the portal had `enabled = \
         false`. {S} was paused: the portal had `enabled = false`.",
    );
}

#[test]
fn a_sweep_by_hand_that_runs_is_told() {
    let state = PortalState { running_since: Some(at("2026-11-24T11:59:00Z")), ..state() };
    let situation = Situation { state: Some(state), ..Situation::with([row("paused")]) };
    says(
        &situation,
        "{S} was paused: the portal had `enabled = false`.{NEXT} A sweep of it has been running since \
         2026-11-24T11:59:00Z.",
    );
}

#[test]
fn many_rows_are_counted() {
    let by_hand = |minute: u32| Row {
        slot: None,
        trigger: "manual".into(),
        sweep_id: minute.to_string(),
        began: at(&format!("2026-11-24T08:{minute:02}:00Z")),
        ..row("nothing_to_delete")
    };
    let text = Situation::with((10..20).map(by_hand)).text();
    assert_eq!(text.matches("swept by hand").count(), 4, "{text}");
    assert!(text.contains("6 or more rows: see `docsweep history acme`"), "{text}");
}
