//! Reports for people and for machines.

use jiff::Timestamp;
use serde::Serialize;

use super::output;
use crate::clock::{Clock, SystemClock};
use crate::domain::{Backup, Outcome, Record, Removed, StorageKind, SweepReport, Verdict};

/// One line of `sweep --json` or `plan --json`: the record, and the backups by name.
#[derive(Serialize)]
pub(super) struct Line<'a> {
    #[serde(flatten)]
    record: Record<'a>,
    #[serde(skip_serializing_if = "<[Removed]>::is_empty")]
    removed: &'a [Removed],
    #[serde(skip_serializing_if = "<[Backup]>::is_empty")]
    left: &'a [Backup],
    /// A plan's decision about each backup, newest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    backups: Option<Vec<Decided<'a>>>,
}

/// A plan's decision about one backup.
#[derive(Serialize)]
struct Decided<'a> {
    #[serde(flatten)]
    backup: &'a Backup,
    fate: &'static str,
    reason: String,
}

impl<'a> Line<'a> {
    pub(super) fn new(report: &'a SweepReport) -> Self {
        let decided = |verdict: &'a Verdict| Decided {
            backup: &verdict.backup,
            fate: fate(verdict),
            reason: verdict.reason.to_string(),
        };
        Self {
            record: report.record(),
            removed: &report.removed,
            left: &report.left,
            backups: (report.outcome == Outcome::Planned).then(|| report.plan.iter().map(decided).collect()),
        }
    }
}

fn fate(verdict: &Verdict) -> &'static str {
    if verdict.reason.goes() { "goes" } else { "stays" }
}

/// The outcome, and why.
fn said(record: &Record<'_>) -> String {
    let why = record.failure.or(record.reason).map(|why| format!(": {why}")).unwrap_or_default();
    format!("{}{why}", record.outcome)
}

fn number(number: Option<u64>) -> String {
    number.map_or_else(|| "?".to_owned(), |number| number.to_string())
}

/// A table of sweeps, and what a person should do about some.
pub(super) fn sweeps(reports: &[SweepReport]) -> anyhow::Result<()> {
    if reports.is_empty() {
        return Ok(());
    }
    let rows = reports.iter().map(|report| {
        let record = report.record();
        vec![
            record.portal.to_owned(),
            record.dump.to_owned(),
            said(&record),
            number(record.found),
            number(record.deleted),
            number(record.kept),
            number(record.remaining),
            if record.verified { "yes" } else { "no" }.to_owned(),
            record.attempts.to_string(),
        ]
    });
    let head = ["PORTAL", "DUMP", "OUTCOME", "FOUND", "DELETED", "KEPT", "REMAINING", "VERIFIED", "ATTEMPTS"];
    output::table(&head, rows)?;
    troubles(reports)
}

/// What was seen of those that did not go well, and what to do about it: a table has no room for it.
fn troubles(reports: &[SweepReport]) -> anyhow::Result<()> {
    for report in reports {
        let record = report.record();
        let said: Vec<&str> = [record.detail, record.note, record.advice].into_iter().flatten().collect();
        if !said.is_empty() {
            let said = said.join("\n  ");
            output::text(&format!("\n{}, dump {}:\n  {said}\n", record.portal, record.dump))?;
        }
    }
    Ok(())
}

/// A table for each portal, and the totals.
pub(super) fn plans(reports: &[SweepReport], at: Option<Timestamp>) -> anyhow::Result<()> {
    let now = at.unwrap_or_else(|| SystemClock.now());
    let (mut go, mut stay) = (0, 0);
    for report in reports.iter().filter(|report| report.outcome == Outcome::Planned) {
        let going = report.plan.iter().filter(|verdict| verdict.reason.goes()).count();
        let staying = report.plan.len() - going;
        let (portal, dump) = (report.portal.as_str(), report.dump.as_str());
        output::text(&format!("{portal} (dump = {dump}): {going} would go, {staying} would stay\n"))?;
        let rows = report.plan.iter().map(|verdict| row(verdict, now));
        if !report.plan.is_empty() {
            output::table(&["BACKUP", "CREATED", "AGE", "STORAGE", "FATE", "REASON"], rows)?;
        }
        output::text("\n")?;
        (go, stay) = (go + going, stay + staying);
    }
    let failed = reports.iter().filter(|report| report.outcome != Outcome::Planned).count();
    let failed = if failed == 0 { String::new() } else { format!("; {failed} could not be planned") };
    let backups = if go == 1 { "backup" } else { "backups" };
    output::text(&format!("{go} {backups} would go, {stay} would stay{failed}. Nothing was deleted.\n"))?;
    output::complain(
        "note: reading a list is not wholly passive: the server drops records whose file it does not find.\n",
    );
    troubles(reports)
}

fn row(verdict: &Verdict, now: Timestamp) -> Vec<String> {
    let Verdict { backup, reason } = verdict;
    let name = if backup.file_name.is_empty() { backup.id.as_str() } else { &backup.file_name };
    vec![
        name.to_owned(),
        backup.created_on.map_or_else(|| "?".to_owned(), |at| at.to_string()),
        backup.created_on.map_or_else(|| "?".to_owned(), |at| output::age(now.duration_since(at))),
        backup.storage.map_or("?", StorageKind::as_str).to_owned(),
        fate(verdict).to_owned(),
        reason.to_string(),
    ]
}
