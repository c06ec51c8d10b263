//! How the daemon is stopped: what may finish, what is cut, and what is recorded of it.

use std::time::Duration;

use docspace_sim::{Hold, Portal, Route, Server};
use docsweep::dispatch::splay_offset;
use docsweep::domain::PortalName;
use rustix::process::Signal;
use serde_json::Value;
use tokio::time::timeout;

use super::{of, portal};
use crate::support::process::{DEFAULTS, Ended, LIMIT, Process, Setup, records, sweeps};

/// A daemon whose one slot has come: `acme` is in a held deletion, `globex` waits for the only permit, and `later` for
/// its place in the splay.
struct Held {
    _server: Server,
    acme: Portal,
    globex: Portal,
    later: Portal,
    hold: Hold,
    process: Process,
    _setup: Setup,
}

async fn held(grace: &str) -> Held {
    let server = Server::start().await.unwrap();
    let (acme, globex) = (portal(&server, "acme").await, portal(&server, "globex").await);
    let hold = acme.hold(Route::DeleteHistory);
    let daemon = format!("[daemon]\nconcurrency = 1\nshutdown_grace = \"{grace}\"\n");
    let mut setup = Setup::new(&[&daemon, "[schedules.s]\ncron = \"AT\"\n", DEFAULTS]);
    setup.admit(&acme);
    setup.admit(&globex);
    let later = portal(&server, "later").await;
    setup.admit_with(&later, "schedule = { cron = \"AT\", splay = \"24h\" }");
    let offset = splay_offset(&PortalName::new("later").unwrap(), Duration::from_hours(24));
    assert!(offset > Duration::from_hours(1), "another name would do");
    let mut process = setup.start_before_slot(&[]).await;
    hold.arrived(1).await;
    // Nobody says who is first in the queue; `globex` either was swept before, or is not begun.
    if !globex.requests().is_empty() {
        process.stderr.records("sweep finished", 1).await;
    }
    Held { _server: server, acme, globex, later, hold, process, _setup: setup }
}

/// The record of `acme`, after looking at those of the others, which were not begun when the stop came.
fn judged(ended: &Ended, [acme, globex, later]: [&Portal; 3], before: usize) -> Value {
    assert_eq!(ended.code(), 0, "{ended:#?}");
    let all = sweeps(&ended.stderr);
    assert_eq!(all.len(), 3, "one record for each: {ended:#?}");
    for (portal, sent) in [(globex, before), (later, 0)] {
        let record = &of(&all, portal)[0];
        assert_eq!(portal.requests().len(), sent, "nothing was sent after the stop");
        if sent > 0 {
            assert_eq!(record["outcome"], "deleted");
            continue;
        }
        assert_eq!(
            (&record["outcome"], &record["reason"]),
            (&"skipped".into(), &"shutdown".into()),
            "{record}"
        );
        assert_eq!((&record["attempts"], &record["level"]), (&0.into(), &"INFO".into()));
        assert_eq!(record["slot"], of(&all, acme)[0]["slot"]);
        assert_eq!(portal.records().len(), 3);
    }
    assert_eq!(records(&ended.stderr, "docsweep stopped").len(), 1);
    of(&all, acme).remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_deletion_may_finish_within_the_grace() {
    let Held { acme, globex, later, hold, mut process, _server, _setup } = held("1h").await;
    process.signal(Signal::HUP);
    process.stderr.line("SIGHUP ignored").await;
    let before = globex.requests().len();
    process.signal(Signal::TERM);
    process.stderr.line("stopping: running sweeps may finish").await;
    hold.release();
    let ended = process.end().await;
    let record = judged(&ended, [&acme, &globex, &later], before);
    assert_eq!((&record["outcome"], &record["verified"]), (&"deleted".into(), &true.into()), "{record}");
    assert_eq!((&record["deleted"], &record["remaining"]), (&3.into(), &0.into()));
    assert!(acme.records().is_empty());
    assert_eq!(acme.deletes().len(), 1);
    let stopping = &records(&ended.stderr, "stopping: running sweeps may finish")[0];
    assert_eq!((&stopping["signal"], &stopping["grace_ms"]), (&"SIGTERM".into(), &3_600_000.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_after_the_grace_is_cut_and_the_record_says_so() {
    let Held { acme, globex, later, hold, process, _server, _setup } = held("300ms").await;
    let before = globex.requests().len();
    process.signal(Signal::TERM);
    let ended = process.end().await;
    let record = judged(&ended, [&acme, &globex, &later], before);
    cut(&record);
    assert_eq!(records(&ended.stderr, "the grace is over: running sweeps are cut").len(), 1);
    assert_eq!(acme.deletes().len(), 1);
    // The server does not notice, and goes on.
    hold.release();
    acme.wait_empty().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_cuts_at_once() {
    for second in [Signal::TERM, Signal::INT] {
        let Held { acme, globex, later, hold, mut process, _server, _setup } = held("1h").await;
        let before = globex.requests().len();
        process.signal(Signal::TERM);
        process.stderr.line("stopping: running sweeps may finish").await;
        process.signal(second);
        let ended = process.end().await;
        cut(&judged(&ended, [&acme, &globex, &later], before));
        assert_eq!(records(&ended.stderr, "stopping at once: running sweeps are cut").len(), 1);
        drop(hold);
    }
}

/// The record of a sweep that was cut while its deletion was on its way.
fn cut(record: &Value) {
    assert_eq!((&record["outcome"], &record["reason"]), (&"skipped".into(), &"shutdown".into()), "{record}");
    assert_eq!(record["note"], "a deletion was sent, and its answer was not seen");
    assert_eq!(record["found"], 3);
    for unknown in ["deleted", "remaining", "failure"] {
        assert!(record.get(unknown).is_none(), "what was not seen is not told: {record}");
    }
}

/// Nothing runs and nothing is due: the end comes without waiting.
#[tokio::test(flavor = "multi_thread")]
async fn an_idle_daemon_stops_at_once() {
    let server = Server::start().await.unwrap();
    let acme = portal(&server, "acme").await;
    let mut setup = Setup::by_hand();
    setup.admit(&acme);
    for signal in [Signal::TERM, Signal::INT] {
        let mut process = setup.start(&["run"]);
        process.stderr.line("docsweep started").await;
        process.signal(signal);
        let ended = process.end().await;
        assert_eq!((ended.code(), sweeps(&ended.stderr).len()), (0, 0), "{ended:#?}");
    }
    assert!(server.requests().is_empty());
}

/// A reader of the log that stands still, such as a stalled journal, stops neither sweeps nor signals.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_whose_reader_stands_still_stops_nothing() {
    let server = Server::start().await.unwrap();
    let acme = portal(&server, "acme").await;
    let mut setup = Setup::seconds("*");
    setup.admit(&acme);
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = setup.command(&["run"]);
    command.env("RUST_LOG", "trace").stderr(writer);
    let mut child = command.kill_on_drop(true).spawn().unwrap();
    // The pipe holds 64 KiB, and one traced sweep writes a good part of that.
    timeout(LIMIT, acme.wait_route(Route::DeleteHistory, 8)).await.expect("sweeps go on");
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    let status = timeout(LIMIT, child.wait()).await.expect("it stops").unwrap();
    assert_eq!(status.code(), Some(0));
    drop(reader);
}
