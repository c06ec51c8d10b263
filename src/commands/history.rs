//! `docsweep history`: past sweeps, and what they removed.

use std::path::Path;

use jiff::SignedDuration;

use super::ledger::{reader, said};
use super::{Exit, configured, known_among, load, output};
use crate::cli::{Output, Since};
use crate::clock::{Clock, SystemClock};
use crate::ledger::{BackupRow, Filter, LedgerReader, Row};

/// Which rows, as it was typed.
pub(super) struct Wanted {
    pub(super) portal: Option<String>,
    pub(super) since: Option<Since>,
    pub(super) failed: bool,
    pub(super) deleted: bool,
    pub(super) number: u32,
}

pub(super) fn run(path: &Path, wanted: Wanted, output: Output) -> anyhow::Result<Exit> {
    let config = load(path)?;
    let reader = reader(&config)?;
    if let Some(portal) = &wanted.portal
        && !is_recorded(&reader, portal)?
    {
        let names = std::slice::from_ref(portal);
        known_among(names, configured(&config), "neither the configuration nor the ledger has a")?;
    }
    let Wanted { portal, since, failed, deleted, number } = wanted;
    // One more, to know whether there are more.
    let limit = Some(number.saturating_add(1));
    let since = since.map(|since| since.begin(SystemClock.now()));
    let mut rows = reader.history(&Filter { portal, since, failed, deleted, limit })?;
    if rows.len() > number as usize {
        rows.truncate(number as usize);
        output::complain(&format!(
            "note: there are more: these are the newest {number}, and `-n` shows others\n"
        ));
    }
    rows.reverse();
    if output.json {
        rows.iter().try_for_each(output::object)?;
    } else if rows.is_empty() {
        output::complain("note: the ledger holds no such sweep\n");
    } else {
        output::text(&table(&rows, deleted))?;
    }
    Ok(Exit::Ok)
}

/// Whether the ledger holds a sweep of a portal, which the configuration may not have any more.
pub(super) fn is_recorded(reader: &LedgerReader, portal: &str) -> anyhow::Result<bool> {
    let one = Filter { portal: Some(portal.to_owned()), limit: Some(1), ..Filter::default() };
    Ok(!reader.history(&one)?.is_empty())
}

/// The rows, with the removed backups under theirs if they are wanted.
fn table(rows: &[Row], with_removed: bool) -> String {
    let head = [
        "TIME",
        "PORTAL",
        "TRIGGER",
        "DUMP",
        "OUTCOME",
        "FOUND",
        "DELETED",
        "KEPT",
        "REMAINING",
        "VERIFIED",
        "TOOK",
    ];
    let mut lines = output::lines(&head, rows.iter().map(cells)).into_iter();
    let mut text: String = lines.by_ref().take(1).map(|head| head + "\n").collect();
    for (line, row) in lines.zip(rows) {
        text.push_str(&line);
        text.push('\n');
        let removed = row.backups.iter().filter(|backup| with_removed && backup.fate == "removed");
        removed.for_each(|backup| text.push_str(&removed_line(backup)));
    }
    text
}

fn cells(row: &Row) -> Vec<String> {
    // Without a request, that a number is absent is no news.
    let unseen = if row.attempts == 0 { "-" } else { "?" };
    let number = |number: Option<u64>| number.map_or_else(|| unseen.to_owned(), |number| number.to_string());
    let outcome = match (row.slots, row.last_slot) {
        (Some(slots @ 2..), Some(last)) => format!("{}: {slots} slots up to {last:.0}", row.outcome),
        _ => said(row),
    };
    vec![
        format!("{:.0}", row.slot.unwrap_or(row.began)),
        row.portal.clone(),
        row.trigger.clone(),
        row.dump.clone(),
        outcome,
        number(row.found),
        number(row.deleted),
        number(row.kept),
        number(row.remaining),
        match (row.attempts, row.verified) {
            (0, false) => "-",
            (_, false) => "no",
            (_, true) => "yes",
        }
        .to_owned(),
        row.duration_ms.filter(|_| row.attempts > 0).map_or_else(|| "-".to_owned(), took),
    ]
}

fn took(milliseconds: u64) -> String {
    let milliseconds = i64::try_from(milliseconds).unwrap_or(i64::MAX);
    if milliseconds < 1000 {
        return format!("{milliseconds}ms");
    }
    output::age(SignedDuration::from_millis(milliseconds))
}

fn removed_line(backup: &BackupRow) -> String {
    let made = backup.created_on.map(|created| format!(", made {created:.0}")).unwrap_or_default();
    let storage = backup.storage.as_deref().map(|storage| format!(", {storage}")).unwrap_or_default();
    let doubt = backup.doubt.as_deref();
    let doubt =
        doubt.map(|doubt| format!("; its file may have been left behind: {doubt}")).unwrap_or_default();
    let name = if backup.file_name.is_empty() { "a backup without a name" } else { &backup.file_name };
    let line = format!("  removed {name}{made}{storage}, id {}{doubt}", backup.id);
    // What a portal calls its backups reaches a terminal here.
    line.replace(char::is_control, " ") + "\n"
}
