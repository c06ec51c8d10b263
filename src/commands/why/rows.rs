//! The sentences about one row.

use jiff::tz::TimeZone;

use super::explain::instant;
use crate::ledger::Row;

/// What a row says. `pair`: the sweep has another row, for the other `Dump` value.
pub(super) fn told(row: &Row, pair: bool, zone: &TimeZone) -> Vec<String> {
    let mut sentences = vec![match row.outcome.as_str() {
        "missed" => missed(row, zone),
        "paused" => format!("{} was paused: the portal had `enabled = false`.", the_slot(row, zone)),
        "skipped" => skipped(row, zone),
        "interrupted" => interrupted(row, pair, zone),
        "running" => running(row, pair, zone),
        _ => swept(row, pair, zone),
    }];
    sentences.extend(row.note.as_deref().map(|note| format!("Note: {}", sentence(note))));
    sentences.extend(row.advice.as_deref().map(sentence));
    sentences
}

fn the_slot(row: &Row, zone: &TimeZone) -> String {
    match row.slot {
        Some(slot) => format!("The slot {}", instant(slot, zone)),
        None => format!("The sweep by hand at {}", instant(row.began, zone)),
    }
}

/// When and why it was swept, up to where the outcome is said.
fn beginning(row: &Row, pair: bool, zone: &TimeZone) -> String {
    let began = instant(row.began, zone);
    let which = match row.dump.as_str() {
        "true" => " (server-wide dumps)",
        _ if pair => " (the portal's own backups)",
        _ => "",
    };
    match row.slot {
        None => format!("It was swept by hand at {began}{which}"),
        Some(slot) if row.trigger == "catch_up" => {
            format!("The slot {} was made up for at {began}{which}", instant(slot, zone))
        }
        Some(slot) => format!("The slot {} was swept{which}", instant(slot, zone)),
    }
}

fn swept(row: &Row, pair: bool, zone: &TimeZone) -> String {
    let beginning = beginning(row, pair, zone);
    let removed = row.deleted.map_or_else(|| "an unknown number of".to_owned(), |number| number.to_string());
    match row.outcome.as_str() {
        "nothing_to_delete" if row.found.unwrap_or(0) == 0 => {
            format!("{beginning}: there was nothing to delete, before and after.")
        }
        "nothing_to_delete" => format!("{beginning}: there was nothing to delete; {}.", found(row)),
        "deleted" if row.verified => {
            format!("{beginning}: {}, and the list confirmed it.", counted(row, &removed))
        }
        "deleted" => format!(
            "{beginning}: the server said that it deleted what was to go, and nobody looked (`verified` is false)."
        ),
        "partial" => {
            let left = match row.remaining {
                Some(1) => "1 is".to_owned(),
                Some(number) => format!("{number} are"),
                None => "some are".to_owned(),
            };
            let counted = counted(row, &removed);
            format!("{beginning}: {counted}, and of those that were to go {left} still listed.")
        }
        "failed" => {
            let class = row.failure.as_deref().unwrap_or("a failure of no class");
            let status = row.http_status.map(|status| format!(", HTTP {status}")).unwrap_or_default();
            let detail =
                row.detail.as_deref().map_or_else(|| ".".to_owned(), |d| format!(": {}", sentence_as_is(d)));
            let before = match row.deleted {
                Some(number @ 1..) => format!(" {number} backups had been deleted by then."),
                _ => String::new(),
            };
            format!("{beginning}, and failed after {} with `{class}`{status}{detail}{before}", attempts(row))
        }
        other => format!("{beginning}: it ended as `{other}`."),
    }
}

fn found(row: &Row) -> String {
    match (row.found, row.kept) {
        (Some(found), Some(kept)) => format!("{found} were found and {kept} kept"),
        (Some(found), None) => format!("{found} were found"),
        (None, _) => "nobody saw what was there".to_owned(),
    }
}

/// What was found, and what of it went.
fn counted(row: &Row, removed: &str) -> String {
    let backups = if row.found == Some(1) { "backup was" } else { "backups were" };
    let kept = row.kept.filter(|&kept| kept > 0).map(|kept| format!(", {kept} kept")).unwrap_or_default();
    match row.found {
        Some(found) => format!("{found} {backups} found, {removed} deleted{kept}"),
        None => format!("{removed} backups were deleted{kept}"),
    }
}

fn attempts(row: &Row) -> String {
    match row.attempts {
        1 => "1 attempt".to_owned(),
        number => format!("{number} attempts"),
    }
}

fn skipped(row: &Row, zone: &TimeZone) -> String {
    let why = match row.reason.as_deref() {
        Some("overlap") => "the portal's last sweep was still running",
        Some("busy") => "a restore, transfer or encryption went on for the whole time",
        Some("shutdown") => "docsweep was stopped",
        Some("no_time") => "other sweeps took all the time there was",
        Some("wipe_limit") => "`max_wipes` portals had already been left without any backup in the same tick",
        Some(other) => return format!("{} was skipped (`{other}`).", the_slot(row, zone)),
        None => return format!("{} was skipped.", the_slot(row, zone)),
    };
    format!("{} was skipped, because {why}.", the_slot(row, zone))
}

fn missed(row: &Row, zone: &TimeZone) -> String {
    let why = format!(
        "docsweep was not running then, or the clock jumped over it; this was recorded at {:.0}",
        row.began
    );
    match (row.slot, row.last_slot, row.slots) {
        (Some(first), Some(last), Some(slots)) if first < last => format!(
            "{slots} slots from {} to {} were missed: {why}.",
            instant(first, zone),
            instant(last, zone)
        ),
        _ => format!("{} was missed: {why}.", the_slot(row, zone)),
    }
}

fn interrupted(row: &Row, pair: bool, zone: &TimeZone) -> String {
    let listed = match row.backups.iter().filter(|backup| backup.fate == "found").count() {
        0 => String::new(),
        number => format!("; {number} backups had been listed before it"),
    };
    format!(
        "{} from {:.0} on, and docsweep died during that, so nobody knows how far it came{listed}.",
        beginning(row, pair, zone),
        row.began
    )
}

fn running(row: &Row, pair: bool, zone: &TimeZone) -> String {
    let what = match row.slot {
        Some(slot) => format!("The sweep of the slot {}", instant(slot, zone)),
        None => "A sweep by hand".to_owned(),
    };
    let which = match row.dump.as_str() {
        "true" => " (server-wide dumps)",
        _ if pair => " (the portal's own backups)",
        _ => "",
    };
    format!(
        "{what}{which} has been running since {:.0}, in process {}; should that process be dead, the next start of \
         docsweep records it as interrupted.",
        row.began, row.pid
    )
}

/// A text as a sentence: with a capital letter, and with its full stop.
fn sentence(text: &str) -> String {
    let mut chars = text.trim().chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    sentence_as_is(&format!("{first}{}", chars.as_str()))
}

fn sentence_as_is(text: &str) -> String {
    let text = text.trim();
    if text.ends_with(['.', '!', '?', '…']) { text.to_owned() } else { format!("{text}.") }
}
