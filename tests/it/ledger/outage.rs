//! What can go wrong with the file: each has its own error, which says what to do, and passes with its cause.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use docsweep::domain::{DumpSetting, Outcome};
use docsweep::ledger::{Claimed, Health, Ledger, LedgerError, LedgerReader, Limits};
use futures_util::future::join_all;

use super::{Home, claim, hour, refused, unswept};

fn quick() -> Limits {
    Limits { busy_timeout: Duration::from_millis(20), max_pages: None }
}

#[tokio::test]
async fn a_full_disk_stops_claims_until_there_is_room() {
    let home = Home::new();
    let ledger = home.open_within(Limits { max_pages: Some(400), ..Limits::default() });
    let mut health = ledger.health();
    let mut slot = 0;
    let full = loop {
        let reports = (slot..slot + 200).map(|slot| unswept("acme", slot, DumpSetting::Own, Outcome::Paused));
        match ledger.record(reports.collect(), hour(1)).await {
            Ok(_) => slot += 200,
            Err(error) => break error,
        }
    };
    assert_eq!(full, LedgerError::Full { path: home.path() });
    assert!(full.to_string().contains("\nfree space on its file system"));
    assert_eq!(*health.borrow_and_update(), Health::Failing(full.clone()));
    let held = home.reader().totals().unwrap();
    assert_eq!(held[0].sweeps, u64::try_from(slot).unwrap(), "nothing of the batch that failed was written");

    for _ in 0..3 {
        assert_eq!(ledger.heartbeat().await, Err(full.clone()));
    }
    assert!(!health.has_changed().unwrap(), "it is said once");

    ledger.prune(hour(2)).await.unwrap();
    ledger.heartbeat().await.unwrap();
    assert_eq!(*health.borrow_and_update(), Health::Well);
    assert_eq!(ledger.claim(vec![claim("acme", Some(9000))]).await, Ok(vec![Claimed::New]));
    assert_eq!(home.reader().check().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_database_held_by_another_program_is_waited_for_and_then_named() {
    let home = Home::new();
    let ledger = home.open_within(quick());
    let shell = home.shell();
    shell.execute_batch("BEGIN IMMEDIATE").unwrap();
    let busy = ledger.claim(vec![claim("acme", Some(3))]).await.unwrap_err();
    assert_eq!(busy, LedgerError::Busy { path: home.path() });
    assert!(busy.to_string().contains("\nend the program that keeps a transaction open on it"));
    assert_eq!(*ledger.health().borrow(), Health::Failing(busy.clone()));
    assert_eq!(ledger.heartbeat().await, Err(busy));
    shell.execute_batch("ROLLBACK").unwrap();
    ledger.heartbeat().await.unwrap();
    assert_eq!(*ledger.health().borrow(), Health::Well);
    assert_eq!(ledger.claim(vec![claim("acme", Some(3))]).await, Ok(vec![Claimed::New]));
}

#[tokio::test]
async fn a_thousand_claims_at_once_cost_few_commits() {
    let home = Home::new();
    let ledger = home.open();
    let before = ledger.commits();
    let shell = home.shell();
    shell.execute_batch("BEGIN IMMEDIATE").unwrap();
    // The writer waits for the shell with its first batch, and the rest queues up.
    let claims = join_all((0..1000).map(|slot| ledger.claim(vec![claim("acme", Some(slot))])));
    let claims = tokio::task::unconstrained(claims);
    let release = async { shell.execute_batch("ROLLBACK").unwrap() };
    let (answers, ()) = tokio::join!(claims, release);
    assert!(answers.iter().all(|answer| *answer == Ok(vec![Claimed::New])));
    let commits = ledger.commits() - before;
    assert!((2..=5).contains(&commits), "{commits} commits");
}

#[tokio::test]
async fn a_ledger_that_is_moved_away_is_missed() {
    let home = Home::new();
    let ledger = home.open();
    let aside = home.path().with_file_name("aside.db");
    std::fs::rename(home.path(), &aside).unwrap();
    let gone = LedgerError::Gone { path: home.path() };
    assert_eq!(ledger.claim(vec![claim("acme", Some(3))]).await, Err(gone.clone()));
    std::fs::write(home.path(), "").unwrap();
    assert_eq!(ledger.heartbeat().await, Err(gone.clone()), "another file in its place is not it");
    assert_eq!(*ledger.health().borrow(), Health::Failing(gone));
    std::fs::rename(&aside, home.path()).unwrap();
    ledger.heartbeat().await.unwrap();
    assert_eq!(*ledger.health().borrow(), Health::Well);
}

#[test]
fn a_missing_folder_is_named() {
    let home = Home::new();
    let path = home.path().with_file_name("gone").join("docsweep.db");
    let error = refused(&path);
    assert_eq!(error, LedgerError::NoDirectory { path: path.parent().unwrap().to_owned() });
    assert!(error.to_string().contains("\ncreate it, owned by the user that docsweep runs as"));
    std::fs::write(home.path().with_file_name("file"), "").unwrap();
    assert!(matches!(
        refused(&home.path().with_file_name("file").join("x.db")),
        LedgerError::NoDirectory { .. }
    ));
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let home = Home::new();
    let folder = home.path().parent().unwrap().to_owned();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o500)).unwrap();
    let root = std::fs::write(folder.join("probe"), "").is_ok();
    // To root every mode is open, but not even root makes files in sysfs.
    let path = if root { Path::new("/sys/docsweep.db").to_owned() } else { home.path() };
    if root && !Path::new("/sys/kernel").exists() {
        eprintln!("SKIPPED: run by root, and there is no /sys: no folder here refuses a file");
        return;
    }
    let error = refused(&path);
    assert!(matches!(&error, LedgerError::ReadOnly { path: named, .. } if *named == path), "{error:?}");
    assert!(error.to_string().contains("\nlet the user that docsweep runs as write the file and its folder"));
}

#[tokio::test]
async fn what_is_refused_by_itself_is_undone_by_itself() {
    let home = Home::new();
    let ledger = home.open();
    home.shell()
        .execute_batch(
            "CREATE TRIGGER rule BEFORE INSERT ON sweeps WHEN new.portal = 'bad' BEGIN SELECT raise(ABORT, 'no'); END",
        )
        .unwrap();
    let claims = ["acme", "bad", "zeta"].map(|portal| ledger.claim(vec![claim(portal, Some(3))]));
    let answers = join_all(claims).await;
    assert!(matches!(&answers[1], Err(LedgerError::Refused { detail }) if detail == "no"), "{answers:?}");
    assert_eq!((&answers[0], &answers[2]), (&Ok(vec![Claimed::New]), &Ok(vec![Claimed::New])));
    assert_eq!(*ledger.health().borrow(), Health::Well);
    assert_eq!(ledger.accounted().await.unwrap().len(), 2, "its mark is undone, too");
}

#[tokio::test]
async fn a_damaged_ledger_is_named_and_left_as_it_is() {
    let home = Home::new();
    fill(&home).await;
    let mut bytes = std::fs::read(home.path()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 16 * 1024].fill(0xa5);
    std::fs::write(home.path(), bytes).unwrap();
    let before = home.content();

    let error = home.refused();
    assert!(matches!(&error, LedgerError::Corrupt { path, .. } if *path == home.path()), "{error:?}");
    assert!(
        error.to_string().contains("\nrun `docsweep ledger check`, then stop docsweep and put back a copy")
    );
    assert_ne!(home.reader().check().unwrap(), Vec::<String>::new());
    assert_eq!(home.content(), before);
}

#[tokio::test]
async fn a_ledger_that_is_damaged_under_way_is_not_written_any_more() {
    let home = Home::new();
    fill(&home).await;
    let ledger = home.open();
    let mut bytes = std::fs::read(home.path()).unwrap();
    bytes[4096 * 2..].fill(0xa5);
    std::fs::write(home.path(), bytes).unwrap();

    let error = ledger.claim(vec![claim("acme", Some(9000))]).await.unwrap_err();
    assert!(matches!(&error, LedgerError::Corrupt { .. }), "{error:?}");
    let before = home.content();
    assert_eq!(ledger.heartbeat().await, Err(error.clone()), "it does not come back by itself");
    assert_eq!(ledger.claim(vec![claim("acme", Some(9001))]).await, Err(error.clone()));
    assert_eq!(*ledger.health().borrow(), Health::Failing(error));
    drop(ledger);
    assert_eq!(home.content(), before);
}

/// Makes a ledger of some hundred pages.
async fn fill(home: &Home) {
    let reports = (0..2000).map(|slot| unswept("acme", slot, DumpSetting::Own, Outcome::Paused));
    home.open().record(reports.collect(), hour(1)).await.unwrap();
}

#[test]
fn what_is_no_ledger_is_left_as_it_is() {
    let text = Home::new();
    std::fs::write(text.path(), "portals = []\n".repeat(1000)).unwrap();
    let other = Home::new();
    other.shell().execute_batch("CREATE TABLE contacts (name TEXT)").unwrap();
    let folder = Home::new();
    std::fs::create_dir(folder.path()).unwrap();
    assert!(matches!(folder.refused(), LedgerError::NotALedger { .. }));
    for home in [text, other] {
        let before = home.content();
        let error = home.refused();
        assert!(matches!(error, LedgerError::NotALedger { .. }), "{error:?}");
        assert!(error.to_string().contains("\nname another file as `ledger`; this one is left as it is"));
        assert!(matches!(LedgerReader::open(&home.path()), Err(LedgerError::NotALedger { .. })));
        assert_eq!(home.content(), before);
    }
}

#[test]
fn a_newer_ledger_is_left_to_its_own_docsweep() {
    let home = Home::new();
    drop(home.open());
    home.shell().execute_batch("PRAGMA user_version = 7").unwrap();
    let before = home.content();
    let error = home.refused();
    assert_eq!(error, LedgerError::Newer { path: home.path(), found: 7, known: 1 });
    assert!(error.to_string().contains("\nupdate docsweep to the version that wrote it"));
    assert!(matches!(LedgerReader::open(&home.path()), Err(LedgerError::Newer { .. })));
    assert_eq!(home.content(), before);
}

#[test]
fn a_reader_makes_no_ledger() {
    let home = Home::new();
    let absent = LedgerReader::open(&home.path()).map(|_| ()).unwrap_err();
    assert_eq!(absent, LedgerError::Absent { path: home.path() });
    assert_eq!(home.content(), []);
    let nowhere = home.path().with_file_name("gone").join("docsweep.db");
    assert!(matches!(LedgerReader::open(&nowhere), Err(LedgerError::Absent { .. })));
}

#[test]
fn a_ledger_is_its_owners_alone() {
    let home = Home::new();
    let _ledger = home.open();
    for file in ["docsweep.db", "docsweep.db-wal", "docsweep.db-shm", "docsweep.db.lock"] {
        let mode = home.path().with_file_name(file).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}
