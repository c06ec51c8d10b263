//! Schedules as the file says them: named ones under `[schedules]`, and the tables of inline ones.

use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::known;
use super::problem::Problem;
use super::reader::{Field, Reader, Section, in_file_order};
use super::types::default;
use super::value::{Fault, duration, kind, quote};
use crate::cron::Timetable;

/// A longer splay than a day would start sweeps after the next day's slot of every usual schedule.
const DAY: Duration = Duration::from_hours(24);
/// A late sweep also takes the backups that were made since its slot. After more than a week that is no longer what
/// anybody meant by the slot, and every usual schedule has had its next one.
const WEEK: Duration = Duration::from_hours(7 * 24);

/// `[schedules.NAME]`.
pub(super) struct RawNamed {
    pub(super) name: String,
    /// `None`: what is wrong with it has been reported.
    pub(super) schedule: Option<RawSchedule>,
}

/// A schedule without its name.
#[derive(Clone)]
pub(super) struct RawSchedule {
    pub(super) timetable: Timetable,
    pub(super) splay: Duration,
    pub(super) catch_up: Duration,
}

/// Reads `[schedules]`, in file order.
pub(super) fn named<'t>(reader: &mut Reader<'t>, root: &Section<'t>) -> Vec<RawNamed> {
    if let Some(value) = root.get("schedules").filter(|value| value.get_ref().as_array().is_some()) {
        let problem = Problem::new(value.span(), "a schedule has its name in its header")
            .label("this begins a list")
            .help("write `[schedules.nightly]`");
        reader.problems.push(problem);
        return Vec::new();
    }
    let Some(value) = root.get("schedules") else { return Vec::new() };
    let DeValue::Table(table) = value.get_ref() else {
        reader.report(root, "schedules", value.span(), Fault::kind("a table", value.get_ref()));
        return Vec::new();
    };
    let mut found = Vec::new();
    for (name, at, value) in in_file_order(table) {
        reader.marks.show(at.clone());
        if let Err(message) = schedule_name(name) {
            let problem = Problem::new(at.clone(), message).help("write, for example, `[schedules.nightly]`");
            reader.problems.push(problem);
        }
        found.push(RawNamed { name: name.to_owned(), schedule: named_schedule(reader, name, value) });
    }
    found
}

/// A schedule's name stands in records and metrics, so it has bounds, but wider ones than a portal's.
fn schedule_name(name: &str) -> Result<(), &'static str> {
    match name {
        _ if name.trim().is_empty() => Err("a schedule's name cannot be empty"),
        _ if name.trim() != name => Err("a schedule's name cannot begin or end with white space"),
        _ if name.chars().count() > 63 => Err("a schedule's name has at most 63 characters"),
        _ if name.chars().any(char::is_control) => Err("a schedule's name cannot hold control characters"),
        _ => Ok(()),
    }
}

fn named_schedule<'t>(
    reader: &mut Reader<'t>,
    name: &str,
    value: &'t Spanned<DeValue<'t>>,
) -> Option<RawSchedule> {
    let title = format!("schedule {}", quote(name));
    let DeValue::Table(table) = value.get_ref() else {
        reader.mark_entry(name, value);
        let found = kind(value.get_ref());
        let problem = Problem::new(value.span(), format!("{title} must be a table, not {found}"))
            .label("expected a table")
            .help("write, for example, `nightly = { cron = \"0 3 * * *\" }`");
        reader.problems.push(problem);
        return None;
    };
    let section = reader.open(title, value.span(), table, known::SCHEDULE);
    schedule(reader, &section)
}

/// Reads a schedule that has been opened.
pub(super) fn schedule<'t>(reader: &mut Reader<'t>, section: &Section<'t>) -> Option<RawSchedule> {
    let cron = section.get("cron").and_then(|value| value.get_ref().as_str()).map(|text| reader.cron(text));
    let cron = reader.read(section, "cron", |value| match cron {
        Some(Ok(cron)) => Ok(cron),
        Some(Err(error)) => Err(Fault::Value { message: error.message, help: error.help, part: error.span }),
        None => Err(Fault::kind("a cron expression such as \"0 3 * * *\"", value)),
    });
    let zone =
        section.get("timezone").and_then(|value| value.get_ref().as_str()).map(|name| reader.zone(name));
    let zone = reader.read(section, "timezone", |value| match zone {
        Some(Ok(zone)) => Ok(zone),
        Some(Err(error)) => Err(Fault::value(error.to_string()).help(match error.nearest {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "write a name from the IANA database, such as \"Europe/Riga\"".to_owned(),
        })),
        None => Err(Fault::kind("the name of a time zone", value)),
    });
    let splay = reader.read(section, "splay", duration(Duration::ZERO..=DAY));
    let catch_up = reader.read(section, "catch_up", duration(Duration::ZERO..=WEEK));
    if matches!(cron, Field::Absent) {
        reader.missing(section, "cron");
    }
    let zone = zone.settle(crate::cron::Zone::utc());
    let splay = splay.settle(default::SPLAY);
    let catch_up = catch_up.settle(default::CATCH_UP);
    let timetable = Timetable { cron: cron.good()?.value.clone(), zone: zone? };
    Some(RawSchedule { timetable, splay: splay?, catch_up: catch_up? })
}
