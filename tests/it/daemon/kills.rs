//! A daemon that is killed again and again while it sweeps: every slot has one row, and no deletion is without one.

use std::collections::BTreeMap;
use std::time::Duration;

use docspace_sim::{Portal, Server};
use jiff::Timestamp;
use rustix::process::Signal;
use serde_json::Value;

use super::{portal, stopped};
use crate::support::process::Setup;

/// How often the daemon is killed.
const KILLS: u32 = 200;

/// The longest life of a daemon. Its start takes a part of it, so that some are killed before they are ready.
const LIFE: u64 = 1_500;

/// The rows of one portal.
fn of<'a>(rows: &'a [Value], portal: &Portal) -> Vec<&'a Value> {
    let name = portal.name();
    rows.iter().filter(|row| row["portal"] == name.as_str()).collect()
}

/// The seconds that a row covers, first and last.
fn covered(row: &Value) -> (i64, i64) {
    let second = |key: &str| row[key].as_str().map(|text| text.parse::<Timestamp>().unwrap().as_second());
    let first = second("slot").unwrap();
    (first, second("last_slot").unwrap_or(first))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: `just slow` runs it"]
async fn two_hundred_kills_lose_nothing_and_double_nothing() {
    let server = Server::start().await.unwrap();
    let mut portals = Vec::new();
    let mut setup = Setup::seconds("*");
    for name in ["acme", "globex", "hooli"] {
        let portal = portal(&server, name).await;
        // Long enough that many a kill comes in the middle of a deletion.
        portal.set_delete_pace(Duration::from_millis(40));
        setup.admit(&portal);
        portals.push(portal);
    }
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    for _ in 0..KILLS {
        let process = setup.start(&["run"]);
        // This waits for nothing: the instant of the kill is what is left to chance.
        tokio::time::sleep(Duration::from_millis(rng.u64(..LIFE))).await;
        process.signal(Signal::KILL);
        process.end().await;
        let portal = &portals[rng.usize(..portals.len())];
        portal.add_backups(rng.usize(1..4));
    }
    // One that lives settles what the last one left.
    let mut process = setup.start(&["run"]);
    process.stderr.records("sweep finished", portals.len() * 4).await;
    stopped(process).await;

    let check = setup.run(&["ledger", "check"]).await;
    assert_eq!(check.code(), 0, "{check:#?}");
    let ended = setup.run(&["history", "-n", "1000000", "--json"]).await;
    let rows: Vec<Value> = ended.stdout.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    for row in &rows {
        *outcomes.entry(row["outcome"].as_str().unwrap()).or_default() += 1;
    }
    println!("{} rows: {outcomes:?}", rows.len());
    assert!(!outcomes.contains_key("running"));
    assert!(outcomes.contains_key("interrupted") && outcomes.contains_key("deleted"), "{outcomes:?}");
    for portal in &portals {
        let rows = of(&rows, portal);
        let mut spans: Vec<(i64, i64)> = rows.iter().map(|row| covered(row)).collect();
        spans.sort_unstable();
        for pair in spans.windows(2) {
            assert_eq!(
                pair[1].0,
                pair[0].1 + 1,
                "{}: each slot once, none left out: {pair:?}",
                portal.name()
            );
        }
        let swept =
            rows.iter().filter(|row| !matches!(row["outcome"].as_str(), Some("missed" | "paused"))).count();
        let sent = portal.deletes().len();
        println!("{}: {sent} deletions, {swept} rows of sweeps", portal.name());
        assert!(sent <= swept, "{}: a deletion without a row", portal.name());
    }
}
