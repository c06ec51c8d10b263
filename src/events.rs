//! What happens, said once: one type for each happening, whose `emit` writes its log record.
//!
//! ERROR is for what a person must act on, WARN for what will be tried again or was lost, INFO for starts and ends.
//! Nothing here decides anything.

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::{
    Backup, Dump, Outcome, PortalName, Record, Removed, SkipReason, StorageKind, SweepId, SweepReport,
};
use crate::ledger::LedgerError;

/// How loud a record is.
enum Level {
    Error,
    Warn,
    Info,
}

/// The record at a level, which tracing wants as a constant. Absent fields are not written.
macro_rules! finished {
    ($level:expr, $record:expr) => {{
        let Record {
            portal, schedule, slot, trigger, dump, method, outcome, reason, failure, detail, note, advice, http_status,
            attempts, found, deleted, kept, remaining, verified, last_slot, slots, duration_ms, next_slot, sweep_id,
        } = $record;
        tracing::event!(
            target: "docsweep::sweep",
            $level,
            portal, schedule, slot = slot.map(tracing::field::display), trigger, dump, method, outcome, reason,
            failure, detail, note, advice, http_status, attempts, found, deleted, kept, remaining, verified,
            last_slot = last_slot.map(tracing::field::display), slots, duration_ms,
            next_slot = next_slot.map(tracing::field::display), sweep_id = %sweep_id,
            "sweep finished"
        );
    }};
}

/// A record about one backup of a sweep.
macro_rules! backup_record {
    ($level:expr, $report:expr, $backup:expr, $doubt:expr, $message:literal) => {{
        let (report, backup) = ($report, $backup);
        tracing::event!(
            target: "docsweep::sweep",
            $level,
            portal = report.portal.as_str(),
            sweep_id = %report.sweep_id,
            dump = report.dump.as_str(),
            backup_id = backup.id.as_str(),
            file_name = backup.file_name,
            storage = backup.storage.map(StorageKind::as_str),
            created_on = backup.created_on.map(tracing::field::display),
            detail = $doubt,
            $message
        );
    }};
}

/// One record for each sweep: `sweep finished`.
#[derive(Debug)]
pub struct SweepFinished<'a>(pub &'a SweepReport);

impl SweepFinished<'_> {
    /// Writes the record.
    pub fn emit(&self) {
        let record = self.0.record();
        match level(self.0) {
            Level::Error => finished!(tracing::Level::ERROR, record),
            Level::Warn => finished!(tracing::Level::WARN, record),
            Level::Info => finished!(tracing::Level::INFO, record),
        }
    }
}

fn level(report: &SweepReport) -> Level {
    match &report.outcome {
        Outcome::Failed(_) | Outcome::Partial => Level::Error,
        Outcome::Missed(_)
        | Outcome::Interrupted
        | Outcome::Skipped(
            SkipReason::Overlap
            | SkipReason::Busy
            | SkipReason::NoTime
            | SkipReason::RateLimited
            | SkipReason::Ledger
            | SkipReason::WipeLimit,
        ) => Level::Warn,
        // What was cut after it had sent a deletion leaves a question open.
        Outcome::Skipped(SkipReason::Shutdown) if report.note.is_some() => Level::Warn,
        Outcome::Deleted
        | Outcome::NothingToDelete
        | Outcome::Paused
        | Outcome::Planned
        | Outcome::Skipped(SkipReason::Shutdown) => Level::Info,
    }
}

/// A backup was removed. The server writes no record of it.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields are those of the record")]
pub struct BackupRemoved<'a> {
    pub report: &'a SweepReport,
    pub removed: &'a Removed,
}

impl BackupRemoved<'_> {
    /// Writes the record: a warning where the file may have been left behind.
    pub fn emit(&self) {
        let Removed { backup, doubt } = self.removed;
        if doubt.is_none() {
            let listed = self.report.counts.remaining.is_some();
            if listed {
                backup_record!(tracing::Level::INFO, self.report, backup, doubt, "backup removed");
            } else {
                backup_record!(
                    tracing::Level::INFO,
                    self.report,
                    backup,
                    doubt,
                    "backup removed, as the server says"
                );
            }
            return;
        }
        backup_record!(
            tracing::Level::WARN,
            self.report,
            backup,
            doubt,
            "backup removed from the list, but its file may have been left behind"
        );
    }
}

/// A backup was to go and is still listed.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields are those of the record")]
pub struct BackupLeft<'a> {
    pub report: &'a SweepReport,
    pub backup: &'a Backup,
}

impl BackupLeft<'_> {
    /// Writes the record.
    pub fn emit(&self) {
        backup_record!(
            tracing::Level::ERROR,
            self.report,
            self.backup,
            None::<String>,
            "backup still listed"
        );
    }
}

/// A sweep waits for its next attempt.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields are those of the record")]
pub struct RetryScheduled<'a> {
    pub portal: &'a PortalName,
    pub sweep_id: SweepId,
    pub dump: Dump,
    pub attempt: u32,
    /// A failure's class, or `partial`.
    pub failure: &'static str,
    pub detail: &'a str,
    pub wait: Duration,
}

impl RetryScheduled<'_> {
    /// Writes the record.
    pub fn emit(&self) {
        tracing::warn!(
            target: "docsweep::sweep",
            portal = self.portal.as_str(),
            sweep_id = %self.sweep_id,
            dump = self.dump.as_str(),
            attempt = self.attempt,
            failure = self.failure,
            detail = self.detail,
            wait_ms = u64::try_from(self.wait.as_millis()).unwrap_or(u64::MAX),
            "attempt failed, will be tried again"
        );
    }
}

/// A sweep goes on without one of its steps.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields are those of the record")]
pub struct StepLeftOut<'a> {
    pub portal: &'a PortalName,
    pub sweep_id: SweepId,
    pub dump: Dump,
    pub detail: &'a str,
}

impl StepLeftOut<'_> {
    /// Writes the record.
    pub fn emit(&self) {
        tracing::warn!(
            target: "docsweep::sweep",
            portal = self.portal.as_str(),
            sweep_id = %self.sweep_id,
            dump = self.dump.as_str(),
            detail = self.detail,
            "sweep goes on without this step"
        );
    }
}

/// The daemon is ready.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields are those of the record")]
pub struct Started<'a> {
    pub config: &'a str,
    pub portals: usize,
    pub paused: usize,
    pub schedules: usize,
    pub next_slot: Option<Timestamp>,
}

impl Started<'_> {
    /// Writes the record.
    pub fn emit(&self) {
        tracing::info!(
            config = self.config,
            portals = self.portals,
            paused = self.paused,
            schedules = self.schedules,
            next_slot = self.next_slot.map(tracing::field::display),
            version = env!("CARGO_PKG_VERSION"),
            "docsweep started"
        );
    }
}

/// The scheduler is not asked for its slots any more: nothing would ever be due again.
#[derive(Debug)]
pub struct TickerStalled;

impl TickerStalled {
    /// Writes the record.
    pub fn emit(&self) {
        tracing::error!("the scheduler stands still: docsweep stops, so that its supervisor starts it anew");
    }
}

/// The ledger cannot be written: nothing is begun until it can.
#[derive(Debug)]
pub struct LedgerFailing<'a>(pub &'a LedgerError);

impl LedgerFailing<'_> {
    /// Writes the record.
    pub fn emit(&self) {
        tracing::error!(detail = %self.0, "the ledger cannot be written: no sweep is started");
    }
}

/// The ledger can be written again.
#[derive(Debug)]
pub struct LedgerWell {
    /// For how many portals slots passed meanwhile.
    pub owed: usize,
}

impl LedgerWell {
    /// Writes the record.
    pub fn emit(&self) {
        tracing::info!(
            portals = self.owed,
            "the ledger can be written again: slots that passed are recorded as missed"
        );
    }
}

/// A sweep's outcome could not be written, and will be tried again.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields are those of the record")]
pub struct LedgerRefused<'a> {
    pub portal: &'a PortalName,
    pub sweep_id: SweepId,
    pub error: &'a LedgerError,
}

impl LedgerRefused<'_> {
    /// Writes the record.
    pub fn emit(&self) {
        tracing::error!(
            portal = self.portal.as_str(),
            sweep_id = %self.sweep_id,
            detail = %self.error,
            "a sweep's outcome is not in the ledger yet"
        );
    }
}
