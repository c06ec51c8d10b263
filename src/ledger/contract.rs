//! What every ledger does, whatever it is stored in.

use std::collections::HashMap;
use std::future::Future;

use jiff::Timestamp;
use tokio::sync::watch;

use super::LedgerError;
use crate::domain::{Backup, Dump, Method, PortalName, ScheduleLabel, SweepId, SweepReport, Trigger};

/// The durable record of sweeps and of the backups that they removed.
///
/// What a method wrote is durable when it returns `Ok`. After an `Err` nothing of that call is written. The methods
/// may be called from many tasks at once.
pub trait Ledger: Send + Sync + 'static {
    /// Makes slots and sweeps on demand this process's own, before their first request. One answer for each claim.
    ///
    /// A claim with a slot is [`Claimed::Taken`] if a row covers that slot already: one of the same `Dump` value, one of
    /// both values, or a missed run. Taken or new, it moves the portal's `accounted` mark up to its slot.
    fn claim(&self, claims: Vec<Claim>) -> impl Future<Output = Result<Vec<Claimed>, LedgerError>> + Send;

    /// Adds backups to what a running sweep found, before anything is deleted: should the sweep die, this is what was
    /// there. An id that was found before is not added again.
    fn found(
        &self,
        sweep_id: SweepId,
        dump: Dump,
        backups: &[Backup],
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Completes a claimed sweep: its outcome, its counts, what it removed and what it left, all or nothing.
    ///
    /// The same report may be completed again, so that a caller may repeat what failed.
    fn complete(
        &self,
        report: &SweepReport,
        ended: Timestamp,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Writes whole rows for what came to no sweep: missed runs, paused and skipped slots. One answer for each report.
    ///
    /// It moves the portal's `accounted` mark to the slot, or to a missed run's last slot. Slots that have rows of their
    /// own are taken off a missed run's count; if none is left, the run is [`Claimed::Taken`]. A run that crosses another
    /// run is counted by what the other cannot hold, so its count is then "at least".
    fn record(
        &self,
        reports: Vec<SweepReport>,
        at: Timestamp,
    ) -> impl Future<Output = Result<Vec<Claimed>, LedgerError>> + Send;

    /// Up to which instant each known portal's slots are accounted for, that instant included.
    fn accounted(&self) -> impl Future<Output = Result<HashMap<PortalName, Timestamp>, LedgerError>> + Send;

    /// Makes portals known from `now` on. A portal that is known keeps its mark.
    fn begin(
        &self,
        portals: &[PortalName],
        now: Timestamp,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Gives the sweeps that a dead process left running the outcome [`Interrupted`](crate::domain::Outcome::Interrupted), and returns them.
    fn interrupt(&self, at: Timestamp) -> impl Future<Output = Result<Vec<SweepReport>, LedgerError>> + Send;

    /// Drops what ended before an instant, in small batches between other work, and says how many rows it dropped. The
    /// totals by portal and outcome stay what they were.
    fn prune(&self, before: Timestamp) -> impl Future<Output = Result<u64, LedgerError>> + Send;

    /// What is remembered of each portal's retention.
    fn policies(&self)
    -> impl Future<Output = Result<HashMap<PortalName, StoredPolicy>, LedgerError>> + Send;

    /// Remembers portals' retention.
    fn set_policies(
        &self,
        policies: Vec<(PortalName, StoredPolicy)>,
    ) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Returns when the ledger has answered. While it is failing, this also tries whether it can be written again: it is
    /// called now and then by somebody who waits for that, since no claims are made meanwhile.
    fn heartbeat(&self) -> impl Future<Output = Result<(), LedgerError>> + Send;

    /// Whether sweeps can be recorded. Any write that fails makes it [`Health::Failing`]; a claim or a heartbeat that
    /// succeeds makes it [`Health::Well`].
    fn health(&self) -> watch::Receiver<Health>;
}

/// A sweep that is about to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The sweep's id; the two claims of a `dump = "both"` sweep carry the same one.
    pub sweep_id: SweepId,
    /// Which portal.
    pub portal: PortalName,
    /// Its schedule.
    pub schedule: ScheduleLabel,
    /// The slot; `None` for a sweep on demand, which is always [`Claimed::New`].
    pub slot: Option<Timestamp>,
    /// What starts it.
    pub trigger: Trigger,
    /// Which set of backups.
    pub dump: Dump,
    /// How backups are to be deleted.
    pub method: Method,
    /// When it begins.
    pub began: Timestamp,
    /// The portal's next slot.
    pub next_slot: Option<Timestamp>,
}

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Claimed {
    /// It is the caller's: the row was written.
    New,
    /// A row was there already; nothing was written.
    Taken,
}

/// Which process claims. A number alone comes back after a restart of the machine, so it is not enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessId {
    /// The process's number.
    pub pid: u32,
    /// When it started.
    pub started: Timestamp,
    /// The machine's boot id, where there is one.
    pub boot: Option<String>,
}

/// What is remembered of a portal's retention, so that its loss shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoredPolicy {
    /// Whether the portal had a `keep` when it was last seen.
    pub keeps: bool,
    /// Whether a person confirmed that its whole history may go.
    pub confirmed: bool,
}

/// Whether the ledger can be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Sweeps can be recorded.
    Well,
    /// A write failed, for this reason. Nothing that has to be recorded may begin.
    Failing(LedgerError),
}
