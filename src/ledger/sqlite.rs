//! The ledger in one SQLite file: the [`Ledger`] trait, carried out by the writer's thread.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tokio::sync::watch;

use super::fault::translate;
use super::lock::Lock;
use super::open::{self, Limits};
use super::writer::Writer;
use super::{Claim, Claimed, Health, Ledger, LedgerError, ProcessId, StoredPolicy, portals, probe, store};
use crate::domain::{Backup, Dump, PortalName, SweepId, SweepReport};

/// A ledger in a SQLite file that this process alone writes.
///
/// Dropping it waits until what is queued is written, and frees the file for the next process.
pub struct SqliteLedger {
    writer: Writer,
    /// This process in the ledger's own table of processes.
    process: i64,
    path: PathBuf,
}

impl SqliteLedger {
    /// Opens a ledger for `process`, making the file where there is none. This touches the file system: keep it off the
    /// runtime's worker threads.
    pub fn open(path: &Path, process: &ProcessId) -> Result<Self, LedgerError> {
        Self::open_within(path, process, &Limits::default())
    }

    /// Opens a ledger with other bounds than the default ones.
    pub fn open_within(path: &Path, process: &ProcessId, limits: &Limits) -> Result<Self, LedgerError> {
        let path = open::resolve(path)?;
        let lock = Lock::take(&path, process.pid)?;
        let connection = open::open(&path, limits)?;
        let process = store::enter(&connection, process).map_err(|error| translate(&error, &path))?;
        let writer = Writer::start(connection, lock, path.clone())?;
        Ok(Self { writer, process, path })
    }

    /// The file, by its one real name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many transactions have been written since it was opened.
    pub fn commits(&self) -> u64 {
        self.writer.commits()
    }
}

impl Ledger for SqliteLedger {
    async fn claim(&self, claims: Vec<Claim>) -> Result<Vec<Claimed>, LedgerError> {
        let process = self.process;
        self.writer
            .prove(move |connection| {
                claims.iter().map(|claim| store::claim(connection, process, claim)).collect()
            })
            .await
    }

    async fn found(&self, sweep_id: SweepId, dump: Dump, backups: &[Backup]) -> Result<(), LedgerError> {
        let backups = backups.to_vec();
        self.writer.call(move |connection| store::found(connection, sweep_id, dump.into(), &backups)).await
    }

    async fn complete(&self, report: &SweepReport, ended: Timestamp) -> Result<(), LedgerError> {
        let report = report.clone();
        self.writer.call(move |connection| store::complete(connection, &report, ended)).await
    }

    async fn record(&self, reports: Vec<SweepReport>, at: Timestamp) -> Result<Vec<Claimed>, LedgerError> {
        let process = self.process;
        self.writer
            .call(move |connection| {
                reports.iter().map(|report| store::record(connection, process, report, at)).collect()
            })
            .await
    }

    async fn accounted(&self) -> Result<HashMap<PortalName, Timestamp>, LedgerError> {
        self.writer.call(portals::accounted).await
    }

    async fn begin(&self, portals: &[PortalName], now: Timestamp) -> Result<(), LedgerError> {
        let portals = portals.to_vec();
        self.writer.call(move |connection| portals::begin(connection, &portals, now)).await
    }

    async fn interrupt(&self, at: Timestamp) -> Result<Vec<SweepReport>, LedgerError> {
        let process = self.process;
        self.writer.call(move |connection| store::interrupt(connection, process, at)).await
    }

    async fn prune(&self, before: Timestamp) -> Result<u64, LedgerError> {
        let mut pruned = 0;
        loop {
            let dropped = self.writer.call(move |connection| store::prune(connection, before)).await?;
            pruned += u64::from(dropped);
            if dropped < store::PRUNED_AT_ONCE {
                return Ok(pruned);
            }
        }
    }

    async fn policies(&self) -> Result<HashMap<PortalName, StoredPolicy>, LedgerError> {
        self.writer.call(portals::policies).await
    }

    async fn set_policies(&self, policies: Vec<(PortalName, StoredPolicy)>) -> Result<(), LedgerError> {
        self.writer.call(move |connection| portals::set_policies(connection, &policies)).await
    }

    async fn heartbeat(&self) -> Result<(), LedgerError> {
        if self.writer.is_well() {
            return self.writer.call(|_| Ok(())).await;
        }
        let path = self.path.clone();
        self.writer.prove(move |connection| probe::probe(connection, &path)).await
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.writer.health()
    }
}
