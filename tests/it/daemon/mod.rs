//! `docsweep run` against simulated portals, in real time: what becomes of the slots, and what the portals saw of it.
//!
//! A machine under load may sweep late or not at all; what is asserted holds there too. Every slot is accounted for,
//! none twice, and what the records say is what the portals went through.

mod kills;
mod ledger;
mod stop;

use std::collections::{BTreeMap, BTreeSet};

use docspace_sim::{Fault, Key, Portal, Route, Server, Tls};
use docsweep::cron::{Cron, Timetable, Zone};
use jiff::Timestamp;
use rustix::process::Signal;
use serde_json::Value;

use crate::support::process::{DEFAULTS, Ended, Process, Setup, records, sweeps};

pub(crate) async fn portal(server: &Server, name: &str) -> Portal {
    let portal = server.add_portal(name).await.unwrap();
    portal.add_backups(3);
    portal
}

/// The records of one portal.
fn of(records: &[Value], portal: &Portal) -> Vec<Value> {
    records.iter().filter(|record| record["portal"] == portal.name()).cloned().collect()
}

fn went_well(record: &Value) -> bool {
    record["outcome"] == "deleted" || record["outcome"] == "nothing_to_delete"
}

fn time(record: &Value, field: &str) -> Timestamp {
    record[field].as_str().unwrap_or_else(|| panic!("no {field}: {record}")).parse().unwrap()
}

/// Waits until a portal has so many records that pass.
async fn until(process: &mut Process, portal: &Portal, count: usize, passes: impl Fn(&Value) -> bool) {
    let enough = |lines: &[String]| of(&sweeps(lines), portal).iter().filter(|r| passes(r)).count() >= count;
    process.stderr.until(enough).await;
}

async fn stopped(process: Process) -> Ended {
    process.signal(Signal::TERM);
    let ended = process.end().await;
    assert_eq!(ended.code(), 0, "{ended:#?}");
    assert_eq!(ended.stdout, [""; 0], "the daemon writes nothing to stdout");
    ended
}

/// Every slot of the expression from the first recorded one to the last has exactly one record, or lies in one run of
/// missed ones.
fn accounted(records: &[Value], cron: &str) {
    let timetable = Timetable { cron: Cron::parse(cron).unwrap(), zone: Zone::utc() };
    let mut slots = BTreeMap::new();
    for record in records {
        let last =
            if record["outcome"] == "missed" { time(record, "last_slot") } else { time(record, "slot") };
        let mut slot = time(record, "slot");
        while slot <= last {
            let before = slots.insert(slot, record);
            assert!(before.is_none(), "twice: {record} and {before:?}");
            slot = timetable.next_after(slot).unwrap();
        }
    }
    let recorded: Vec<Timestamp> = slots.into_keys().collect();
    for pair in recorded.windows(2) {
        assert_eq!(timetable.next_after(pair[0]), Some(pair[1]), "a slot between them is not recorded");
    }
}

/// The deletions that a portal saw are those that the records tell of.
fn deletions_match(records: &[Value], portal: &Portal) {
    let well = records.iter().filter(|record| went_well(record)).count();
    let attempts: u64 = records.iter().map(|record| record["attempts"].as_u64().unwrap()).sum();
    let seen = portal.deletes().len();
    assert!(well <= seen && seen as u64 <= attempts, "{well} <= {seen} <= {attempts}");
    if well == records.len() {
        assert_eq!(well, seen, "each sweep sends one");
    }
    assert!(portal.deletes().iter().all(|request| request.dump == Some(false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_slot_of_every_second_is_recorded_once() {
    let server = Server::start().await.unwrap();
    let portals = [portal(&server, "acme").await, portal(&server, "globex").await];
    let paused = portal(&server, "initech").await;
    let mut setup = Setup::seconds("*");
    for portal in &portals {
        setup.admit(portal);
    }
    setup.admit_with(&paused, "enabled = false");
    let mut process = setup.start(&["run"]);
    for portal in &portals {
        until(&mut process, portal, 4, |_| true).await;
        until(&mut process, portal, 1, went_well).await;
    }
    let ended = stopped(process).await;
    let all = sweeps(&ended.stderr);
    for portal in &portals {
        let mine = of(&all, portal);
        accounted(&mine, "* * * * * *");
        deletions_match(&mine, portal);
        assert!(portal.records().is_empty() && portal.files().is_empty());
        let deleted: u64 = mine.iter().filter_map(|record| record["deleted"].as_u64()).sum();
        assert!(deleted <= 3, "nothing is counted twice: {mine:#?}");
        assert!(mine.iter().all(|record| record["trigger"] == "schedule" && record["next_slot"].is_string()));
    }
    let mine = of(&all, &paused);
    accounted(&mine, "* * * * * *");
    assert!(
        mine.len() >= 3
            && mine.iter().all(|record| record["outcome"] == "paused" || record["outcome"] == "missed")
    );
    assert_eq!((paused.requests().len(), paused.records().len()), (0, 3));
    let ids: BTreeSet<String> = all.iter().map(|record| record["sweep_id"].to_string()).collect();
    assert_eq!(ids.len(), all.len(), "each record has an id of its own");
    let started = &records(&ended.stderr, "docsweep started")[0];
    assert_eq!((&started["portals"], &started["paused"]), (&3.into(), &1.into()));
    assert_eq!(records(&ended.stderr, "docsweep stopped").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_portal_is_one_bad_portal() {
    let server = Server::start().await.unwrap();
    let healthy = portal(&server, "healthy").await;
    let hanging = portal(&server, "hanging").await;
    let failing = portal(&server, "failing").await;
    let drowning = portal(&server, "drowning").await;
    hanging.fault_always(Route::AnyRoute, Fault::HangBeforeWork);
    failing.set_unpaid(true);
    drowning.fault_always(Route::History, Fault::HugeBody { bytes: u64::MAX });
    let mut setup = Setup::seconds("*/2");
    // One server, so that they queue for the same permits.
    let server_name = "server = \"one\"";
    for portal in [&hanging, &failing, &drowning, &healthy] {
        setup.admit_with(portal, server_name);
    }
    let mut process = setup.start(&["run"]);
    until(&mut process, &healthy, 3, went_well).await;
    // Slots are closer than an answer may take, so silence says nothing of the portal.
    until(&mut process, &hanging, 1, |record| record["reason"] == "no_time").await;
    until(&mut process, &failing, 1, |record| record["failure"] == "unpaid").await;
    until(&mut process, &drowning, 1, |record| record["outcome"] == "failed").await;
    let ended = stopped(process).await;
    let all = sweeps(&ended.stderr);
    for portal in [&healthy, &hanging, &failing, &drowning] {
        accounted(&of(&all, portal), "*/2 * * * * *");
        assert_eq!(portal.records().len(), if portal.name() == "healthy" { 0 } else { 3 });
    }
    deletions_match(&of(&all, &healthy), &healthy);
    for portal in [&hanging, &failing, &drowning] {
        assert!(of(&all, portal).iter().all(|record| !went_well(record)));
    }
    for record in all.iter().filter(|record| record["outcome"] == "failed") {
        assert_eq!(record["level"], "ERROR", "{record}");
        assert!(record["advice"].is_string() && record["detail"].is_string(), "{record}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_tried_again_is_a_warning_with_reason_and_wait() {
    let server = Server::start().await.unwrap();
    let acme = portal(&server, "acme").await;
    acme.fault_times(Route::DeleteHistory, 2, Fault::GatewayPage(503));
    let mut setup = Setup::new(&["[schedules.s]\ncron = \"AT\"\n", DEFAULTS]);
    setup.admit(&acme);
    let mut process = setup.start_before_slot(&[]).await;
    until(&mut process, &acme, 1, |_| true).await;
    let ended = stopped(process).await;
    let waits = records(&ended.stderr, "attempt failed, will be tried again");
    assert_eq!(waits.len(), 2, "{ended:#?}");
    let swept = &sweeps(&ended.stderr)[0];
    for (record, attempt) in waits.iter().zip(1..) {
        assert_eq!((&record["level"], &record["portal"]), (&"WARN".into(), &"acme".into()));
        assert_eq!((&record["failure"], &record["attempt"]), (&"server_error".into(), &attempt.into()));
        assert_eq!(record["detail"], "DELETE deletebackuphistory: HTTP 503: the server failed");
        assert!(record["wait_ms"].as_u64().unwrap() <= 100, "{record}");
        assert_eq!(record["sweep_id"], swept["sweep_id"]);
    }
    assert_eq!((&swept["outcome"], &swept["attempts"]), (&"deleted".into(), &3.into()), "{swept}");
    assert_eq!((&swept["found"], &swept["deleted"], &swept["level"]), (&3.into(), &3.into(), &"INFO".into()));
    assert_eq!(acme.deletes().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_with_a_ca_of_its_own_is_swept_over_tls() {
    let server = Server::builder().tls(Tls::Valid).start().await.unwrap();
    let (trusted, strange) = (portal(&server, "trusted").await, portal(&server, "strange").await);
    let mut setup = Setup::new(&["[schedules.s]\ncron = \"AT\"\n", "[defaults]\nschedule = \"s\"\n"]);
    setup.private("ca.pem", &server.ca_pem());
    setup.admit_with(&trusted, "ca_file = \"ca.pem\"");
    setup.admit(&strange);
    let mut process = setup.start_before_slot(&[]).await;
    until(&mut process, &trusted, 1, |_| true).await;
    until(&mut process, &strange, 1, |_| true).await;
    let all = sweeps(&stopped(process).await.stderr);
    assert_eq!(of(&all, &trusted)[0]["outcome"], "deleted", "{all:#?}");
    assert!(trusted.records().is_empty());
    assert_eq!(of(&all, &strange)[0]["failure"], "tls", "{all:#?}");
    assert_eq!((strange.requests().len(), strange.records().len()), (0, 3), "no key goes out to a stranger");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_key_needs_no_restart() {
    let server = Server::start().await.unwrap();
    let acme = portal(&server, "acme").await;
    let mut setup = Setup::seconds("*");
    let old = setup.admit(&acme);
    let mut process = setup.start(&["run"]);
    until(&mut process, &acme, 1, went_well).await;

    let new = acme.add_key(Key::admin());
    acme.revoke(&old);
    acme.add_backups(2);
    setup.private("acme.key", &format!("{new}\n"));
    let header = format!("Bearer {new}");
    let with_new = || acme.deletes().iter().any(|request| request.header("Authorization") == Some(&header));
    process.stderr.until(|_| with_new()).await;
    acme.wait_empty().await;
    let ended = stopped(process).await;
    accounted(&sweeps(&ended.stderr), "* * * * * *");
    assert!(!ended.everything().contains(&old[3..]) && !ended.everything().contains(&new[3..]));
}
