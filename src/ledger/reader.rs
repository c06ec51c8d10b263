//! Reads a ledger beside the process that writes it: takes no lock, makes no file, changes nothing.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Params, named_params, params};

use super::fault::translate;
use super::open::{SCHEMA, open_to_read, resolve};
use super::text::Time;
use super::{BackupRow, Filter, LedgerError, PortalState, Row, Total, check};
use crate::domain::PortalName;

/// A ledger, for reading. Its methods touch the file system: keep them off the runtime's worker threads.
pub struct LedgerReader {
    connection: Connection,
    path: PathBuf,
}

/// The columns of a [`Row`].
const ROW: &str = "s.id, s.portal, s.schedule, s.slot, s.\"trigger\", s.dump, s.method, s.outcome, s.reason, s.failure, \
                   s.detail, s.note, s.advice, s.http_status, s.attempts, s.found, s.deleted, s.kept, s.remaining, \
                   s.verified, s.last_slot, s.slots, s.began, s.ended, s.duration_ms, s.next_slot, s.sweep_id, p.pid \
                   FROM sweeps s JOIN processes p ON p.id = s.process";

impl LedgerReader {
    /// Opens a ledger of this docsweep's own schema.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let path = match resolve(path) {
            Err(LedgerError::NoDirectory { .. }) => {
                return Err(LedgerError::Absent { path: path.to_owned() });
            }
            resolved => resolved?,
        };
        match open_to_read(&path)? {
            (connection, SCHEMA) => Ok(Self { connection, path }),
            (_, 0) => Err(LedgerError::Absent { path }),
            (_, found) => Err(LedgerError::Older { path, found, known: SCHEMA }),
        }
    }

    /// Where every portal stands that the ledger knows, by name.
    pub fn last_per_portal(&self) -> Result<Vec<PortalState>, LedgerError> {
        self.snapshot(|connection| {
            let mut names = connection.prepare(
                "SELECT portal FROM portals UNION SELECT portal FROM totals
                 UNION SELECT portal FROM sweeps WHERE ended IS NULL ORDER BY portal",
            )?;
            let names = names.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
            names.into_iter().map(|portal| state(connection, portal)).collect()
        })
    }

    /// The rows that a filter lets through, newest first, with their backups.
    pub fn history(&self, filter: &Filter) -> Result<Vec<Row>, LedgerError> {
        self.snapshot(|connection| {
            rows_with_backups(
                connection,
                &format!(
                    "SELECT {ROW} WHERE (:portal IS NULL OR s.portal = :portal)
                     AND (:since IS NULL OR coalesce(s.last_slot, s.slot, s.began) >= :since)
                     AND (NOT :failed OR s.outcome IN ('failed', 'partial'))
                     AND (NOT :deleted OR s.deleted > 0
                          OR EXISTS (SELECT 1 FROM backups b WHERE b.sweep = s.id AND b.fate = 'removed'))
                     ORDER BY s.id DESC LIMIT :limit"
                ),
                named_params! {
                    ":portal": filter.portal,
                    ":since": filter.since.map(Time),
                    ":failed": filter.failed,
                    ":deleted": filter.deleted,
                    // A negative limit is none.
                    ":limit": filter.limit.map_or(-1, i64::from),
                },
            )
        })
    }

    /// A portal's rows around an instant, in the order of their slots: every missed run that holds it, and up to `each`
    /// rows from before it (or at it) and from after it. A row without a slot stands where it began.
    pub fn around(&self, portal: &PortalName, time: Timestamp, each: u32) -> Result<Vec<Row>, LedgerError> {
        const AT: &str = "coalesce(s.slot, s.began)";
        self.snapshot(|connection| {
            let args = params![portal.as_str(), Time(time), each];
            let mut found = rows_with_backups(
                connection,
                &format!(
                    "SELECT {ROW} WHERE s.id IN (
                         SELECT id FROM sweeps WHERE portal = ?1 AND slot <= ?2 AND last_slot >= ?2
                         UNION SELECT id FROM (SELECT s.id FROM sweeps s WHERE s.portal = ?1 AND {AT} <= ?2
                                               ORDER BY {AT} DESC, s.id DESC LIMIT ?3))
                     ORDER BY {AT}, s.id"
                ),
                args,
            )?;
            found.extend(rows_with_backups(
                connection,
                &format!("SELECT {ROW} WHERE s.portal = ?1 AND {AT} > ?2 ORDER BY {AT}, s.id LIMIT ?3"),
                args,
            )?);
            Ok(found)
        })
    }

    /// How often every portal came to every outcome since the ledger began, pruned rows included.
    pub fn totals(&self) -> Result<Vec<Total>, LedgerError> {
        self.snapshot(|connection| {
            let mut select = connection
                .prepare("SELECT portal, outcome, sweeps, deleted FROM totals ORDER BY portal, outcome")?;
            let totals = select.query_map([], |row| {
                Ok(Total {
                    portal: row.get("portal")?,
                    outcome: row.get("outcome")?,
                    sweeps: row.get("sweeps")?,
                    deleted: row.get("deleted")?,
                })
            })?;
            totals.collect()
        })
    }

    /// Checks the whole file and what must hold in it. Empty if all is well, else one line for each problem.
    pub fn check(&self) -> Result<Vec<String>, LedgerError> {
        match self.snapshot(check::check) {
            Err(LedgerError::Corrupt { detail, .. }) => Ok(vec![detail]),
            other => other,
        }
    }

    /// Reads in one transaction, so that what is read fits together although the daemon goes on writing.
    fn snapshot<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, LedgerError> {
        let all = || {
            let transaction = self.connection.unchecked_transaction()?;
            let value = read(&self.connection)?;
            transaction.finish()?;
            Ok(value)
        };
        all().map_err(|error| translate(&error, &self.path))
    }
}

fn state(connection: &Connection, portal: String) -> rusqlite::Result<PortalState> {
    let last = connection
        .prepare_cached(&format!(
            "SELECT {ROW} WHERE s.portal = ?1 AND s.outcome <> 'running' ORDER BY s.id DESC LIMIT 1"
        ))?
        .query_row([&portal], row)
        .optional()?;
    let success: Option<(i64, Time)> = connection
        .prepare_cached(
            "SELECT s.id, s.ended FROM sweeps s
             WHERE s.portal = ?1 AND s.outcome IN ('deleted', 'nothing_to_delete')
                   AND NOT EXISTS (SELECT 1 FROM sweeps o
                                   WHERE o.sweep_id = s.sweep_id AND o.outcome NOT IN ('deleted', 'nothing_to_delete'))
             ORDER BY s.id DESC LIMIT 1",
        )?
        .query_row([&portal], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let failures_in_a_row = connection
        .prepare_cached(
            "SELECT count(DISTINCT sweep_id) FROM sweeps
             WHERE portal = ?1 AND id > ?2 AND outcome IN ('failed', 'partial')",
        )?
        .query_row(params![portal, success.map_or(0, |(id, _)| id)], |row| row.get(0))?;
    let running_since = connection
        .prepare_cached(
            "SELECT min(began) FROM sweeps INDEXED BY sweeps_running WHERE portal = ?1 AND ended IS NULL",
        )?
        .query_row([&portal], |row| time(row, 0))?;
    let accounted = connection
        .prepare_cached("SELECT accounted FROM portals WHERE portal = ?1")?
        .query_row([&portal], |row| time(row, 0))
        .optional()?
        .flatten();
    let last_success = success.map(|(_, ended)| ended.0);
    Ok(PortalState { portal, last, last_success, failures_in_a_row, running_since, accounted })
}

fn rows_with_backups(connection: &Connection, sql: &str, args: impl Params) -> rusqlite::Result<Vec<Row>> {
    let mut select = connection.prepare(sql)?;
    let rows = select.query_map(args, |found| Ok((found.get::<_, i64>("id")?, row(found)?)))?;
    rows.map(|found| {
        let (id, row) = found?;
        Ok(Row { backups: backups(connection, id)?, ..row })
    })
    .collect()
}

fn backups(connection: &Connection, sweep: i64) -> rusqlite::Result<Vec<BackupRow>> {
    let mut select = connection.prepare_cached(
        "SELECT backup_id, file_name, storage, created_on, fate, doubt FROM backups WHERE sweep = ?1
         ORDER BY fate <> 'removed', fate <> 'left', position",
    )?;
    let found = select.query_map([sweep], |row| {
        Ok(BackupRow {
            id: row.get("backup_id")?,
            file_name: row.get("file_name")?,
            storage: row.get("storage")?,
            created_on: time(row, "created_on")?,
            fate: row.get("fate")?,
            doubt: row.get("doubt")?,
        })
    })?;
    found.collect()
}

fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        portal: row.get("portal")?,
        schedule: row.get("schedule")?,
        slot: time(row, "slot")?,
        trigger: row.get("trigger")?,
        dump: row.get("dump")?,
        method: row.get("method")?,
        outcome: row.get("outcome")?,
        reason: row.get("reason")?,
        failure: row.get("failure")?,
        detail: row.get("detail")?,
        note: row.get("note")?,
        advice: row.get("advice")?,
        http_status: row.get("http_status")?,
        attempts: row.get("attempts")?,
        found: row.get("found")?,
        deleted: row.get("deleted")?,
        kept: row.get("kept")?,
        remaining: row.get("remaining")?,
        verified: row.get("verified")?,
        last_slot: time(row, "last_slot")?,
        slots: row.get("slots")?,
        began: row.get::<_, Time>("began")?.0,
        ended: time(row, "ended")?,
        duration_ms: row.get("duration_ms")?,
        next_slot: time(row, "next_slot")?,
        sweep_id: row.get("sweep_id")?,
        pid: row.get("pid")?,
        backups: Vec::new(),
    })
}

fn time(row: &rusqlite::Row<'_>, column: impl rusqlite::RowIndex) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<Time>>(column)?.map(|time| time.0))
}
