//! The statements that write. Each function is one piece of work inside the writer's transaction.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, named_params, params};

use super::fault::Fault;
use super::text::{Time, Word};
use super::{Claim, Claimed, LedgerError, ProcessId};
use crate::domain::{
    Backup, Counts, DumpSetting, Method, MissedRun, Outcome, PortalName, ScheduleLabel, SweepId, SweepReport,
    Trigger,
};

/// How many rows one batch of pruning drops: some milliseconds of the writer's time.
pub(super) const PRUNED_AT_ONCE: u32 = 200;

/// Enters the process that is to write, and returns its number in this ledger.
pub(super) fn enter(connection: &Connection, process: &ProcessId) -> rusqlite::Result<i64> {
    connection.query_row(
        "INSERT INTO processes (pid, started, boot) VALUES (?1, ?2, ?3) RETURNING id",
        params![process.pid, Time(process.started), process.boot],
        |row| row.get(0),
    )
}

pub(super) fn claim(connection: &Connection, process: i64, claim: &Claim) -> Result<Claimed, Fault> {
    let dump = DumpSetting::from(claim.dump).as_str();
    if let Some(slot) = claim.slot {
        account(connection, &claim.portal, slot)?;
        if is_covered(connection, &claim.portal, slot, dump)? {
            return Ok(Claimed::Taken);
        }
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO sweeps (sweep_id, portal, schedule, slot, \"trigger\", dump, method, process, outcome, began,
                             next_slot)
         VALUES (:sweep_id, :portal, :schedule, :slot, :trigger, :dump, :method, :process, 'running', :began,
                 :next_slot)",
    )?;
    insert.execute(named_params! {
        ":sweep_id": claim.sweep_id.to_string(),
        ":portal": claim.portal.as_str(),
        ":schedule": claim.schedule.as_str(),
        ":slot": claim.slot.map(Time),
        ":trigger": claim.trigger.as_str(),
        ":dump": dump,
        ":method": claim.method.as_str(),
        ":process": process,
        ":began": Time(claim.began),
        ":next_slot": claim.next_slot.map(Time),
    })?;
    Ok(Claimed::New)
}

pub(super) fn found(
    connection: &Connection,
    sweep_id: SweepId,
    dump: DumpSetting,
    backups: &[Backup],
) -> Result<(), Fault> {
    let sweep = running(connection, sweep_id, dump)?;
    let mut known: HashSet<String> = connection
        .prepare_cached("SELECT backup_id FROM backups WHERE sweep = ?1")?
        .query_map([sweep], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut shelf = Shelf::of(connection, sweep)?;
    for backup in backups {
        if known.insert(backup.id.as_str().to_owned()) {
            shelf.put(backup, "found", None)?;
        }
    }
    connection
        .prepare_cached(
            "UPDATE sweeps SET found = (SELECT count(*) FROM backups WHERE sweep = ?1) WHERE id = ?1",
        )?
        .execute([sweep])?;
    Ok(())
}

pub(super) fn complete(connection: &Connection, report: &SweepReport, ended: Timestamp) -> Result<(), Fault> {
    let record = report.record();
    let sweep = match running(connection, report.sweep_id, report.dump) {
        Err(Fault::Ledger(LedgerError::NotRunning { .. })) if is_complete(connection, report)? => {
            return Ok(());
        }
        other => other?,
    };
    let mut update = connection.prepare_cached(
        "UPDATE sweeps SET outcome = :outcome, reason = :reason, failure = :failure, detail = :detail, note = :note,
                advice = :advice, http_status = :http_status, attempts = :attempts, found = coalesce(:found, found),
                deleted = :deleted, kept = :kept, remaining = :remaining, verified = :verified, ended = :ended,
                duration_ms = :duration_ms, next_slot = coalesce(:next_slot, next_slot)
         WHERE id = :id",
    )?;
    update.execute(named_params! {
        ":outcome": record.outcome,
        ":reason": record.reason,
        ":failure": record.failure,
        ":detail": record.detail,
        ":note": record.note,
        ":advice": record.advice,
        ":http_status": record.http_status,
        ":attempts": record.attempts,
        ":found": record.found,
        ":deleted": record.deleted,
        ":kept": record.kept,
        ":remaining": record.remaining,
        ":verified": record.verified,
        ":ended": Time(ended),
        ":duration_ms": record.duration_ms,
        ":next_slot": record.next_slot.map(Time),
        ":id": sweep,
    })?;
    shelve(connection, sweep, report)?;
    Ok(())
}

/// Writes what became of the backups. What was found and is neither removed nor left was kept, and is dropped here; but
/// after a failure nobody knows, so it stays as `found`.
fn shelve(connection: &Connection, sweep: i64, report: &SweepReport) -> rusqlite::Result<()> {
    if matches!(report.outcome, Outcome::Failed(_)) {
        let mut forget =
            connection.prepare_cached("DELETE FROM backups WHERE sweep = ?1 AND backup_id = ?2")?;
        let removed = report.removed.iter().map(|removed| &removed.backup);
        for backup in removed.chain(&report.left) {
            forget.execute(params![sweep, backup.id.as_str()])?;
        }
    } else {
        connection.prepare_cached("DELETE FROM backups WHERE sweep = ?1")?.execute([sweep])?;
    }
    let mut shelf = Shelf::of(connection, sweep)?;
    for removed in &report.removed {
        shelf.put(&removed.backup, "removed", removed.doubt.as_deref())?;
    }
    for backup in &report.left {
        shelf.put(backup, "left", None)?;
    }
    Ok(())
}

/// Where a sweep's backups are put, one after the other.
struct Shelf<'a> {
    insert: rusqlite::CachedStatement<'a>,
    sweep: i64,
    position: u64,
}

impl<'a> Shelf<'a> {
    fn of(connection: &'a Connection, sweep: i64) -> rusqlite::Result<Self> {
        let position = connection
            .prepare_cached("SELECT coalesce(max(position) + 1, 0) FROM backups WHERE sweep = ?1")?
            .query_row([sweep], |row| row.get(0))?;
        let insert = connection.prepare_cached(
            "INSERT INTO backups (sweep, position, backup_id, file_name, storage, created_on, fate, doubt)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?;
        Ok(Self { insert, sweep, position })
    }

    fn put(&mut self, backup: &Backup, fate: &str, doubt: Option<&str>) -> rusqlite::Result<()> {
        self.insert.execute(params![
            self.sweep,
            self.position,
            backup.id.as_str(),
            backup.file_name,
            backup.storage.map(crate::domain::StorageKind::as_str),
            backup.created_on.map(|at| at.to_string()),
            fate,
            doubt,
        ])?;
        self.position += 1;
        Ok(())
    }
}

pub(super) fn record(
    connection: &Connection,
    process: i64,
    report: &SweepReport,
    at: Timestamp,
) -> Result<Claimed, Fault> {
    let mut slots = None;
    if let Some(slot) = report.slot {
        let dump = report.dump.as_str();
        if let Outcome::Missed(run) = &report.outcome {
            account(connection, &report.portal, run.last)?;
            slots = unrecorded(connection, &report.portal, run, dump)?;
        } else {
            account(connection, &report.portal, slot)?;
            slots = (!is_covered(connection, &report.portal, slot, dump)?).then_some(1);
        }
        if slots.is_none() {
            return Ok(Claimed::Taken);
        }
    }
    insert_whole(connection, process, report, slots, at)?;
    Ok(Claimed::New)
}

fn insert_whole(
    connection: &Connection,
    process: i64,
    report: &SweepReport,
    slots: Option<u64>,
    at: Timestamp,
) -> rusqlite::Result<()> {
    let record = report.record();
    let mut insert = connection.prepare_cached(
        "INSERT INTO sweeps (sweep_id, portal, schedule, slot, \"trigger\", dump, method, process, outcome, reason,
                             failure, detail, note, advice, http_status, last_slot, slots, began, ended, duration_ms,
                             next_slot)
         VALUES (:sweep_id, :portal, :schedule, :slot, :trigger, :dump, :method, :process, :outcome, :reason,
                 :failure, :detail, :note, :advice, :http_status, :last_slot, :slots, :at, :at, :duration_ms,
                 :next_slot)",
    )?;
    insert.execute(named_params! {
        ":sweep_id": record.sweep_id.to_string(),
        ":portal": record.portal,
        ":schedule": record.schedule,
        ":slot": record.slot.map(Time),
        ":trigger": record.trigger,
        ":dump": record.dump,
        ":method": record.method,
        ":process": process,
        ":outcome": record.outcome,
        ":reason": record.reason,
        ":failure": record.failure,
        ":detail": record.detail,
        ":note": record.note,
        ":advice": record.advice,
        ":http_status": record.http_status,
        ":last_slot": record.last_slot.map(Time),
        ":slots": record.last_slot.and(slots),
        ":at": Time(at),
        ":duration_ms": record.duration_ms,
        ":next_slot": record.next_slot.map(Time),
    })?;
    Ok(())
}

/// Whether a row covers a slot: one of the slot itself, or a missed run around it, for one of the same `Dump` values.
fn is_covered(
    connection: &Connection,
    portal: &PortalName,
    slot: Timestamp,
    dump: &str,
) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM sweeps WHERE portal = ?1 AND slot = ?2 AND last_slot IS NULL
                            AND (dump = ?3 OR dump = 'both' OR ?3 = 'both'))
                 OR EXISTS (SELECT 1 FROM sweeps WHERE portal = ?1 AND last_slot >= ?2 AND slot <= ?2
                            AND (dump = ?3 OR dump = 'both' OR ?3 = 'both'))",
        )?
        .query_row(params![portal.as_str(), Time(slot), dump], |row| row.get(0))
}

/// How many slots of a missed run have no row yet; `None` for none at all.
fn unrecorded(
    connection: &Connection,
    portal: &PortalName,
    run: &MissedRun,
    dump: &str,
) -> rusqlite::Result<Option<u64>> {
    let within: bool = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM sweeps WHERE portal = ?1 AND last_slot >= ?3 AND slot <= ?2
                            AND (dump = ?4 OR dump = 'both' OR ?4 = 'both'))",
        )?
        .query_row(params![portal.as_str(), Time(run.first), Time(run.last), dump], |row| row.get(0))?;
    if within {
        return Ok(None);
    }
    let held: u64 = connection
        .prepare_cached(
            "SELECT coalesce(sum(held), 0) FROM (
                 SELECT count(DISTINCT slot) AS held FROM sweeps
                 WHERE portal = ?1 AND slot BETWEEN ?2 AND ?3 AND last_slot IS NULL
                       AND (dump = ?4 OR dump = 'both' OR ?4 = 'both')
                 UNION ALL
                 SELECT max(slots) FROM sweeps
                 WHERE portal = ?1 AND last_slot >= ?2 AND slot <= ?3
                       AND (dump = ?4 OR dump = 'both' OR ?4 = 'both')
                 GROUP BY slot, last_slot)",
        )?
        .query_row(params![portal.as_str(), Time(run.first), Time(run.last), dump], |row| row.get(0))?;
    match run.count.saturating_sub(held) {
        // Another run that crosses this one may hold fewer of its slots than it holds in all.
        0 => {
            let whole = is_covered(connection, portal, run.first, dump)?
                && is_covered(connection, portal, run.last, dump)?;
            Ok((!whole).then_some(1))
        }
        rest => Ok(Some(rest)),
    }
}

/// Moves a portal's mark up to an instant, never down.
fn account(connection: &Connection, portal: &PortalName, upto: Timestamp) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO portals (portal, accounted) VALUES (?1, ?2)
             ON CONFLICT DO UPDATE SET accounted = max(coalesce(accounted, ''), excluded.accounted)",
        )?
        .execute(params![portal.as_str(), Time(upto)])?;
    Ok(())
}

/// The row of a sweep that runs.
fn running(connection: &Connection, sweep_id: SweepId, dump: DumpSetting) -> Result<i64, Fault> {
    let row = connection
        .prepare_cached("SELECT id FROM sweeps WHERE sweep_id = ?1 AND dump = ?2 AND outcome = 'running'")?
        .query_row(params![sweep_id.to_string(), dump.as_str()], |row| row.get(0))
        .optional()?;
    row.ok_or_else(|| LedgerError::NotRunning { sweep_id, dump }.into())
}

/// Whether a sweep has this very outcome already.
fn is_complete(connection: &Connection, report: &SweepReport) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM sweeps WHERE sweep_id = ?1 AND dump = ?2 AND outcome = ?3)",
        )?
        .query_row(
            params![report.sweep_id.to_string(), report.dump.as_str(), report.outcome.as_str()],
            |row| row.get(0),
        )
}

pub(super) fn interrupt(
    connection: &Connection,
    process: i64,
    at: Timestamp,
) -> Result<Vec<SweepReport>, Fault> {
    let mut select = connection.prepare(
        "SELECT id, sweep_id, portal, schedule, slot, \"trigger\", dump, method, found, next_slot
         FROM sweeps INDEXED BY sweeps_running WHERE ended IS NULL AND process <> ?1 ORDER BY id",
    )?;
    let rows = select
        .query_map([process], |row| Ok((row.get("id")?, abandoned(row)?)))?
        .collect::<Result<Vec<(i64, SweepReport)>, _>>()?;
    let mut update =
        connection.prepare("UPDATE sweeps SET outcome = ?2, advice = ?3, ended = ?4 WHERE id = ?1")?;
    for (id, report) in &rows {
        let record = report.record();
        update.execute(params![id, record.outcome, record.advice, Time(at)])?;
    }
    Ok(rows.into_iter().map(|(_, report)| report).collect())
}

/// What is known of a sweep whose process died. Its duration is not.
fn abandoned(row: &Row<'_>) -> rusqlite::Result<SweepReport> {
    let time = |name: &str| Ok::<_, rusqlite::Error>(row.get::<_, Option<Time>>(name)?.map(|time| time.0));
    Ok(SweepReport {
        sweep_id: row.get::<_, Word<SweepId>>("sweep_id")?.0,
        portal: row.get::<_, Word<PortalName>>("portal")?.0,
        schedule: ScheduleLabel::new(&row.get::<_, String>("schedule")?),
        slot: time("slot")?,
        trigger: row.get::<_, Word<Trigger>>("trigger")?.0,
        dump: row.get::<_, Word<DumpSetting>>("dump")?.0,
        method: row.get::<_, Word<Method>>("method")?.0,
        outcome: Outcome::Interrupted,
        note: None,
        attempts: 0,
        counts: Counts { found: row.get("found")?, ..Counts::default() },
        removed: Vec::new(),
        left: Vec::new(),
        plan: Vec::new(),
        verified: false,
        duration: Duration::ZERO,
        next_slot: time("next_slot")?,
    })
}

/// Drops the oldest rows that ended before an instant, [`PRUNED_AT_ONCE`] at most.
pub(super) fn prune(connection: &Connection, before: Timestamp) -> Result<u32, Fault> {
    let dropped = connection
        .prepare_cached(
            "DELETE FROM sweeps WHERE id IN
                 (SELECT id FROM sweeps WHERE ended IS NOT NULL AND ended < ?1 ORDER BY ended LIMIT ?2)",
        )?
        .execute(params![Time(before), PRUNED_AT_ONCE])?;
    Ok(u32::try_from(dropped).unwrap_or(u32::MAX))
}
