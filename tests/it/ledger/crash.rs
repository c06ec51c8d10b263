//! A process may die between any two writes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use docsweep::domain::{Dump, DumpSetting, Outcome};
use docsweep::ledger::{Ledger, LedgerError, LedgerReader, SqliteLedger};

use super::{Home, backup, claim, hour, missed, process, removed, report};

/// Where the child process of these tests finds its ledger.
const CHILD: &str = "DOCSWEEP_TEST_LEDGER";

/// The length of a write-ahead log's header, and of one page in it.
const HEADER: usize = 32;
const FRAME: usize = 24 + 4096;

#[tokio::test]
async fn whatever_was_written_last_the_file_opens_and_what_ran_is_interrupted() {
    let home = Home::new();
    let ledger = home.open();
    let (first, second) = (claim("acme", Some(3)), claim("acme", Some(4)));
    ledger.claim(vec![first.clone()]).await.unwrap();
    ledger.found(first.sweep_id, Dump::Own, &[backup("a"), backup("b")]).await.unwrap();
    let mut done = report(&first, Outcome::Deleted);
    done.removed = vec![removed("a"), removed("b")];
    ledger.complete(&done, hour(4)).await.unwrap();
    ledger.claim(vec![second]).await.unwrap();
    ledger.record(vec![missed("acme", 5, 9, DumpSetting::Own)], hour(9)).await.unwrap();

    // Copied while the writer is idle: what a kill at this instant leaves.
    let file = std::fs::read(home.path()).unwrap();
    let log = std::fs::read(home.path().with_extension("db-wal")).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for end in (HEADER..=log.len()).step_by(FRAME).flat_map(|end| [end, end + FRAME / 2]) {
        let end = end.min(log.len());
        seen.insert(reopened(&file, &log[..end]).await);
    }
    let stages: Vec<&str> = seen.iter().map(String::as_str).collect();
    assert_eq!(
        stages,
        ["", "deleted", "interrupted", "interrupted deleted", "missed interrupted deleted"],
        "each stage was met, and no half of one"
    );
}

/// Opens a copy of a ledger as the next process does, and says what outcomes it then holds, newest first.
async fn reopened(file: &[u8], log: &[u8]) -> String {
    let copy = Home::new();
    std::fs::write(copy.path(), file).unwrap();
    std::fs::write(copy.path().with_extension("db-wal"), log).unwrap();
    let ledger = copy.open();
    ledger.interrupt(hour(10)).await.unwrap();
    let reader = copy.reader();
    assert_eq!(reader.check().unwrap(), Vec::<String>::new());
    let rows = reader.history(&docsweep::ledger::Filter::default()).unwrap();
    for row in rows.iter().filter(|row| row.outcome == "deleted") {
        assert_eq!(row.backups.len(), 2, "the removed backups come with the outcome");
    }
    rows.iter().map(|row| row.outcome.as_str()).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_second_process_is_refused_until_the_first_is_killed() {
    let home = Home::new();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "ledger::crash::a_process_that_claims_and_waits", "--nocapture"])
        .env(CHILD, home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("claimed")), "the child came to its claim");

    let refusal = home.refused();
    assert_eq!(refusal, LedgerError::Locked { path: home.path(), pid: Some(child.id()) });
    assert!(refusal.to_string().contains(&format!("in use by process {}\nstop that process", child.id())));
    let reader = home.reader();
    assert!(reader.last_per_portal().unwrap()[0].running_since.is_some(), "who only reads needs no lock");

    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(home.open().interrupt(hour(4)).await.unwrap().len(), 1);
}

/// The child of the test above: claims a slot and stays until it is killed, or its parent is gone.
#[tokio::test]
#[ignore = "a part of another test"]
async fn a_process_that_claims_and_waits() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let ledger = SqliteLedger::open(Path::new(&path), &process(std::process::id())).unwrap();
    ledger.claim(vec![claim("acme", Some(3))]).await.unwrap();
    println!("claimed");
    std::io::stdout().flush().unwrap();
    std::io::stdin().lines().for_each(drop);
}

#[tokio::test]
async fn a_stale_lock_file_locks_nobody_out() {
    let home = Home::new();
    std::fs::write(home.path().with_extension("db.lock"), "1\n").unwrap();
    drop(home.open());
    assert_eq!(std::fs::read_to_string(home.path().with_extension("db.lock")).unwrap(), "100\n");
}

#[tokio::test]
async fn a_link_to_a_ledger_is_the_same_ledger() {
    let home = Home::new();
    let _ledger = home.open();
    let link = home.path().with_file_name("link.db");
    std::os::unix::fs::symlink(home.path(), &link).unwrap();
    assert_eq!(super::refused(&link), LedgerError::Locked { path: home.path(), pid: Some(100) });
    assert!(LedgerReader::open(&link).is_ok());
}
