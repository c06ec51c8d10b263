//! `docsweep why`: what happened at a portal's slots around a time, or why nothing did, in a paragraph.

mod absence;
mod explain;
mod rows;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::history::is_recorded;
use super::ledger::reader;
use super::{Exit, configured, known_among, load, output};
use crate::cli::Output;
use crate::clock::{Clock, SystemClock};
use crate::config::Portal;
use crate::dispatch::splay_offset;
use crate::domain::PortalName;
use crate::ledger::{LedgerReader, PortalState, Row};

use explain::{Case, Plan, explain};

/// How many rows before an instant, and after it, an explanation is made from.
const ROWS: u32 = 16;

/// Where the paragraph's lines end.
const WIDTH: usize = 100;

/// What `why --json` prints.
#[derive(Serialize)]
struct Why<'a> {
    portal: &'a str,
    time: Timestamp,
    text: &'a str,
    /// What the text speaks of, in the order of the slots.
    rows: Vec<&'a Row>,
}

pub(super) fn run(
    path: &Path,
    portal: &str,
    time: Option<Timestamp>,
    output: Output,
) -> anyhow::Result<Exit> {
    let config = load(path)?;
    let reader = reader(&config)?;
    let planned = config.portals.iter().find(|planned| planned.name.as_str() == portal);
    if planned.is_none() && !is_recorded(&reader, portal)? {
        let names = [portal.to_owned()];
        known_among(&names, configured(&config), "neither the configuration nor the ledger has a")?;
    }
    let now = SystemClock.now();
    let last = planned.and_then(|planned| planned.schedule.timetable.last_up_to(now));
    let time = time.or(last).unwrap_or(now);
    // Names in the ledger were portals' names once.
    let name = PortalName::new(portal)?;
    let plan = planned.map(|planned| plan(planned, time, now));
    let slots = plan.as_ref().map(|plan| [plan.before, plan.after]);
    let rows = around(&reader, &name, slots.into_iter().flatten().flatten().chain([time]))?;
    let states = reader.last_per_portal()?;
    let told = explain(&Case {
        portal,
        plan,
        time,
        now,
        state: states.iter().find(|state: &&PortalState| state.portal == portal),
        rows: &rows,
        retention: config.daemon.ledger_retention,
    });
    if output.json {
        output::object(&Why { portal, time, text: &told.text, rows: told.rows })?;
    } else {
        output::text(&wrapped(&told.text))?;
    }
    Ok(Exit::Ok)
}

/// The rows around several instants, in the order of their slots. Around the time alone would not do: many sweeps by hand
/// may lie between it and the slots.
fn around(
    reader: &LedgerReader,
    portal: &PortalName,
    times: impl Iterator<Item = Timestamp>,
) -> anyhow::Result<Vec<Row>> {
    let mut rows = BTreeMap::new();
    for time in times {
        for row in reader.around(portal, time, ROWS)? {
            // A row may be completed between two of the readings: the later one counts.
            rows.insert((row.slot.unwrap_or(row.began), row.sweep_id.clone(), row.dump.clone()), row);
        }
    }
    Ok(rows.into_values().collect())
}

fn plan(portal: &Portal, time: Timestamp, now: Timestamp) -> Plan<'_> {
    let schedule = &portal.schedule;
    let timetable = &schedule.timetable;
    Plan {
        schedule: schedule.label.as_str(),
        zone: &timetable.zone,
        before: timetable.last_up_to(time),
        after: timetable.next_after(time),
        next: timetable.next_after(now),
        enabled: portal.enabled,
        offset: splay_offset(&portal.name, schedule.splay),
        catch_up: schedule.catch_up,
    }
}

/// The text in lines that a terminal holds.
fn wrapped(text: &str) -> String {
    let (mut lines, mut width) = (String::new(), 0);
    for word in text.split(' ') {
        let length = word.chars().count();
        if width > 0 && width + 1 + length > WIDTH {
            lines.push('\n');
            width = 0;
        } else if width > 0 {
            lines.push(' ');
            width += 1;
        }
        lines.push_str(word);
        width += length;
    }
    lines + "\n"
}
