//! The ledger: the contract that every ledger keeps, and what SQLite's file has to bear beside.

mod contract;
mod crash;
mod outage;
mod property;
mod released;
mod rows;

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

use docsweep::domain::{
    Backup, BackupId, Counts, Dump, DumpSetting, Method, MissedRun, Outcome, PortalName, Removed,
    ScheduleLabel, StorageKind, SweepId, SweepReport, Trigger,
};
use docsweep::ledger::{Claim, LedgerError, LedgerReader, Limits, ProcessId, SqliteLedger};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

/// A folder with a ledger in it.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().canonicalize().unwrap().join("docsweep.db")
    }

    fn open(&self) -> SqliteLedger {
        SqliteLedger::open(&self.path(), &process(100)).unwrap()
    }

    fn open_within(&self, limits: Limits) -> SqliteLedger {
        SqliteLedger::open_within(&self.path(), &process(100), &limits).unwrap()
    }

    fn refused(&self) -> LedgerError {
        refused(&self.path())
    }

    fn reader(&self) -> LedgerReader {
        LedgerReader::open(&self.path()).unwrap()
    }

    /// Another program's connection to the same file.
    fn shell(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path()).unwrap()
    }

    /// What every file in the folder holds but the lock and the shared memory, as one number: a failing comparison of the
    /// bytes themselves would fill the screen. A reader may leave an empty log behind.
    fn content(&self) -> Vec<(PathBuf, u64)> {
        let paths = std::fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().path());
        let kept = paths.filter(|path| {
            !["lock", "db-shm"].map(|end| path.extension() == Some(end.as_ref())).contains(&true)
        });
        let mut files: Vec<_> = kept
            .map(|path| (path.clone(), std::fs::read(path).unwrap()))
            .filter(|(_, bytes)| !bytes.is_empty())
            .map(|(path, bytes)| (path, BuildHasherDefault::<DefaultHasher>::default().hash_one(bytes)))
            .collect();
        files.sort();
        files
    }
}

fn refused(path: &Path) -> LedgerError {
    SqliteLedger::open(path, &process(200)).map(|_| ()).unwrap_err()
}

fn process(pid: u32) -> ProcessId {
    ProcessId { pid, started: hour(0), boot: Some("9b1c".into()) }
}

fn name(name: &str) -> PortalName {
    PortalName::new(name).unwrap()
}

/// An instant, in hours after midnight.
fn hour(hours: i64) -> Timestamp {
    "2026-11-24T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_hours(hours)
}

fn claim(portal: &str, slot: Option<i64>) -> Claim {
    Claim {
        sweep_id: SweepId::random(),
        portal: name(portal),
        schedule: ScheduleLabel::new("hourly"),
        slot: slot.map(hour),
        trigger: if slot.is_some() { Trigger::Schedule } else { Trigger::Manual },
        dump: Dump::Own,
        method: Method::Each,
        began: hour(slot.unwrap_or(50)),
        next_slot: slot.map(|slot| hour(slot + 1)),
    }
}

fn dump(dump: Dump, claim: Claim) -> Claim {
    Claim { dump, ..claim }
}

/// What a claimed sweep came to.
fn report(claim: &Claim, outcome: Outcome) -> SweepReport {
    SweepReport {
        sweep_id: claim.sweep_id,
        portal: claim.portal.clone(),
        schedule: claim.schedule.clone(),
        slot: claim.slot,
        trigger: claim.trigger,
        dump: claim.dump.into(),
        method: claim.method,
        outcome,
        note: None,
        attempts: 1,
        counts: Counts::default(),
        removed: Vec::new(),
        left: Vec::new(),
        plan: Vec::new(),
        verified: true,
        duration: Duration::from_millis(1500),
        next_slot: claim.next_slot,
    }
}

/// What a slot came to that came to no sweep.
fn unswept(portal: &str, slot: i64, dump: DumpSetting, outcome: Outcome) -> SweepReport {
    SweepReport { dump, attempts: 0, verified: false, ..report(&claim(portal, Some(slot)), outcome) }
}

fn missed(portal: &str, first: i64, last: i64, dump: DumpSetting) -> SweepReport {
    let count = u64::try_from(last - first).unwrap() + 1;
    let run = MissedRun { first: hour(first), last: hour(last), count };
    unswept(portal, first, dump, Outcome::Missed(run))
}

fn backup(id: &str) -> Backup {
    Backup {
        id: BackupId::new(id),
        file_name: format!("{id}.tar.gz"),
        storage: Some(StorageKind::Local),
        created_on: Some("2026-11-23T01:02:03.1234567Z".parse().unwrap()),
    }
}

fn removed(id: &str) -> Removed {
    Removed { backup: backup(id), doubt: None }
}
