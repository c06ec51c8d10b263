//! The ledger, through the daemon that writes it: rows and records agree, a killed daemon leaves the truth, and a ledger has
//! one writer.

use std::collections::BTreeSet;

use docspace_sim::{Route, Server};
use rustix::process::Signal;
use serde_json::Value;

use super::{portal, stopped};
use crate::support::process::{Ended, Setup, sweeps};

/// The ledger's rows, by `history --json`.
async fn rows(setup: &Setup) -> Vec<Value> {
    let ended = setup.run(&["history", "-n", "10000", "--json"]).await;
    assert_eq!(ended.code(), 0, "{ended:#?}");
    ended.stdout.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What one slot of a portal came to, by its row or by its record.
fn said(all: &[Value]) -> BTreeSet<(String, String, String)> {
    let text = |value: &Value, key: &str| value[key].as_str().unwrap_or("-").to_owned();
    // The log writes instants with as many decimals as they have, the ledger with three.
    let slot = |value: &Value| text(value, "slot").replace(".000Z", "Z");
    all.iter().map(|one| (text(one, "portal"), slot(one), text(one, "outcome"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_and_records_agree() {
    let server = Server::start().await.unwrap();
    let (acme, paused) = (portal(&server, "acme").await, portal(&server, "paused").await);
    let mut setup = Setup::seconds("*");
    setup.admit(&acme);
    setup.admit_with(&paused, "enabled = false");
    let mut process = setup.start(&["run"]);
    process.stderr.records("sweep finished", 8).await;
    let ended = stopped(process).await;
    let told = sweeps(&ended.stderr);
    let rows = rows(&setup).await;
    assert_eq!(rows.len(), told.len());
    assert_eq!(said(&rows), said(&told));
    let removed: Vec<&Value> = rows.iter().filter_map(|row| row["backups"].as_array()).flatten().collect();
    assert_eq!(removed.len(), 3, "{removed:?}");
    assert!(removed.iter().all(|backup| backup["fate"] == "removed"));
    assert!(paused.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_killed_leaves_the_truth() {
    let server = Server::start().await.unwrap();
    let acme = portal(&server, "acme").await;
    let hold = acme.hold(Route::DeleteHistory);
    let mut setup = Setup::seconds("*/2");
    setup.admit(&acme);
    let process = setup.start(&["run"]);
    hold.arrived(1).await;
    process.signal(Signal::KILL);
    process.end().await;
    hold.release();

    let mut process = setup.start(&["run"]);
    process.stderr.records("sweep finished", 3).await;
    let ended = stopped(process).await;
    let told = sweeps(&ended.stderr);
    let first = &told[0];
    assert_eq!((&first["outcome"], &first["portal"]), (&"interrupted".into(), &"acme".into()));
    assert!(first["advice"].is_string(), "{first}");

    let rows = rows(&setup).await;
    let mut slots: Vec<&str> = rows.iter().filter_map(|row| row["slot"].as_str()).collect();
    let all = slots.len();
    slots.sort_unstable();
    slots.dedup();
    assert_eq!(slots.len(), all, "no slot twice: {rows:?}");
    let interrupted = rows.iter().find(|row| row["outcome"] == "interrupted").unwrap();
    let found = interrupted["backups"].as_array().unwrap();
    assert!(
        found.len() == 3 && found.iter().all(|backup| backup["fate"] == "found"),
        "what was there: {found:?}"
    );
    assert!(acme.deletes().len() <= rows.len(), "no deletion without a row");
    let check = setup.run(&["ledger", "check"]).await;
    assert_eq!(check.code(), 0, "{check:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_has_one_writer() {
    let server = Server::start().await.unwrap();
    let acme = portal(&server, "acme").await;
    let mut setup = Setup::by_hand();
    setup.admit(&acme);
    let mut process = setup.start(&["run"]);
    process.stderr.line("docsweep started").await;
    let pid = process.id().to_string();
    for verb in ["run", "sweep"] {
        let second: Ended = setup.run(&[verb]).await;
        assert_eq!(second.code(), 1, "{second:#?}");
        assert!(
            second.stderr.iter().any(|line| line.contains(&format!("in use by process {pid}"))),
            "{second:#?}"
        );
    }
    // Those that only read are welcome.
    for verb in ["status", "history"] {
        assert_eq!(setup.run(&[verb]).await.code(), 0);
    }
    stopped(process).await;
    assert!(acme.deletes().is_empty());
    assert_eq!(setup.run(&["sweep"]).await.code(), 0, "once it is free");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_cannot_be_written_starts_nothing() {
    let server = Server::start().await.unwrap();
    let acme = portal(&server, "acme").await;
    let mut setup = Setup::by_hand();
    setup.admit(&acme);
    std::fs::write(setup.folder().join("docsweep.db"), "somebody's notes, not a ledger").unwrap();
    for verb in ["run", "sweep"] {
        let ended = setup.run(&[verb]).await;
        assert_eq!(ended.code(), 1, "{ended:#?}");
        assert!(ended.stderr.iter().any(|line| line.contains("is no ledger of docsweep")), "{ended:#?}");
    }
    assert!(acme.requests().is_empty());
    let left = std::fs::read_to_string(setup.folder().join("docsweep.db")).unwrap();
    assert_eq!(left, "somebody's notes, not a ledger");
}
