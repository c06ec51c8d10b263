//! `docsweep sweep` and Ctrl-C: what runs may finish, nothing else begins, and the records say which was which.

use std::collections::BTreeMap;

use docspace_sim::{Backup, Fault, Hold, Portal, Route, Server, StorageKind};
use rustix::process::Signal;
use serde_json::Value;

use super::sweep::{portal, printed, texts};
use crate::support::process::{NEVER_NOW, Process, Setup};

/// One sweep at a time: the first in a held deletion, the others in the queue.
async fn held_in_a_deletion(server: &Server) -> (Vec<Portal>, Hold, Process) {
    let mut portals = vec![portal(server, "acme").await];
    for name in ["globex", "hooli"] {
        portals.push(portal(server, name).await);
    }
    let hold = portals[0].hold(Route::DeleteHistory);
    let mut setup = Setup::new(&["[daemon]\nconcurrency = 1\n", NEVER_NOW]);
    for portal in &portals {
        setup.admit_with(portal, "schedule = \"s\"\nallow_http = true");
    }
    // The one in front begins first; whoever else was admitted before it has been swept by then.
    let process = setup.start(&["sweep", "--json"]);
    hold.arrived(1).await;
    drop(setup);
    (portals, hold, process)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_lets_the_running_sweep_finish_and_begins_no_other() {
    let server = Server::start().await.unwrap();
    let (portals, hold, mut process) = held_in_a_deletion(&server).await;
    let before: Vec<usize> = portals.iter().map(|portal| portal.requests().len()).collect();
    process.signal(Signal::INT);
    process.stderr.line("stopping: running sweeps may finish").await;
    hold.release();
    let ended = process.end().await;
    assert_eq!(ended.code(), 4, "{ended:#?}");
    let records = by_portal(&printed(&ended));
    assert_eq!(records.len(), 3);
    assert_eq!(
        (&records["acme"]["outcome"], &records["acme"]["verified"]),
        (&"deleted".into(), &true.into())
    );
    assert!(portals[0].records().is_empty());
    for (portal, before) in portals.iter().zip(before).skip(1) {
        let record = &records[&portal.name()];
        assert_eq!(portal.requests().len(), before, "nothing more was sent");
        if record["outcome"] != "deleted" {
            assert_eq!((&record["outcome"], &record["reason"]), (&"skipped".into(), &"shutdown".into()));
            assert_eq!((&record["attempts"], before), (&0.into(), 0));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_interrupt_cuts_the_running_sweep() {
    let server = Server::start().await.unwrap();
    let (portals, hold, mut process) = held_in_a_deletion(&server).await;
    process.signal(Signal::INT);
    process.stderr.line("stopping: running sweeps may finish").await;
    process.signal(Signal::INT);
    let ended = process.end().await;
    assert_eq!(ended.code(), 4, "{ended:#?}");
    let records = by_portal(&printed(&ended));
    let acme = &records["acme"];
    assert_eq!((&acme["outcome"], &acme["reason"]), (&"skipped".into(), &"shutdown".into()));
    assert_eq!(acme["note"], "a deletion was sent, and its answer was not seen");
    assert_eq!(
        (&acme["deleted"], &acme["remaining"]),
        (&Value::Null, &Value::Null),
        "not observed is not zero"
    );
    assert_eq!(portals[0].deletes().len(), 1);
    drop(hold);
}

fn by_portal(records: &[Value]) -> BTreeMap<String, Value> {
    records.iter().map(|record| (record["portal"].as_str().unwrap().to_owned(), record.clone())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_ends_with_the_interrupt() {
    let server = Server::start().await.unwrap();
    let acme = portal(&server, "acme").await;
    acme.fault_always(Route::DeleteHistory, Fault::RateLimited { retry_after: Some("600".to_owned()) });
    let mut setup = Setup::by_hand();
    setup.admit(&acme);
    let mut process = setup.start(&["sweep", "--json"]);
    process.stderr.line("will be tried again").await;
    process.signal(Signal::INT);
    let ended = process.end().await;
    assert_eq!(ended.code(), 4, "{ended:#?}");
    assert_eq!(texts(&printed(&ended), &["outcome", "reason"]), [["skipped", "shutdown"]]);
    assert_eq!(acme.deletes().len(), 1);
}

/// The second deletion of a portal is one more that must not begin.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_comes_between_the_two_deletions_of_both() {
    let server = Server::start().await.unwrap();
    let acme = portal(&server, "acme").await;
    server.add_dump(Backup::new(StorageKind::Local));
    let hold = acme.hold(Route::DeleteHistory);
    let mut setup = Setup::by_hand();
    setup.admit_with(&acme, "dump = \"both\"");
    let mut process = setup.start(&["sweep", "--json"]);
    hold.arrived(1).await;
    process.signal(Signal::INT);
    process.stderr.line("stopping: running sweeps may finish").await;
    hold.release();
    let ended = process.end().await;
    assert_eq!(ended.code(), 4, "{ended:#?}");
    assert_eq!(
        texts(&printed(&ended), &["dump", "outcome", "reason"]),
        [["false", "deleted", "-"], ["true", "skipped", "shutdown"]]
    );
    assert!(acme.records().is_empty());
    assert_eq!(server.dumps().len(), 1);
    assert!(acme.requests().iter().all(|request| request.dump != Some(true)), "nothing asked for the dumps");
}
