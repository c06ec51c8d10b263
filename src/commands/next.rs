//! `docsweep next`: the upcoming slots.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::{Exit, chosen, known_portals, load, output};
use crate::cli::Output;
use crate::clock::{Clock, SystemClock};
use crate::cron::Timetable;
use crate::dispatch::Target;

/// One slot of one schedule, and the portals that are due at it.
#[derive(Serialize)]
struct Upcoming<'a> {
    slot: Timestamp,
    /// The same instant on the schedule's own clock.
    local: String,
    schedule: &'a str,
    timezone: &'a str,
    portals: Vec<&'a str>,
}

pub(super) fn run(path: &Path, number: u32, names: &[String], output: Output) -> anyhow::Result<Exit> {
    let config = load(path)?;
    known_portals(&config, names)?;
    let targets = chosen(&config, names);
    let slots = upcoming(&targets, SystemClock.now(), number as usize);
    if slots.is_empty() {
        output::complain("warning: every portal is disabled: there are no slots to come\n");
        return Ok(Exit::Ok);
    }
    if output.json {
        slots.iter().try_for_each(output::object)?;
        return Ok(Exit::Ok);
    }
    let rows = slots.iter().map(|slot| {
        vec![
            slot.slot.to_string(),
            slot.local.clone(),
            slot.schedule.to_owned(),
            output::some_of(&slot.portals),
        ]
    });
    output::table(&["SLOT", "LOCAL TIME", "SCHEDULE", "PORTALS"], rows)?;
    Ok(Exit::Ok)
}

/// The next `number` slots after `now`, earliest first.
fn upcoming(targets: &[Target], now: Timestamp, number: usize) -> Vec<Upcoming<'_>> {
    let mut schedules: BTreeMap<(&str, &str, &str), (&Timetable, Vec<&str>)> = BTreeMap::new();
    for target in targets {
        let timetable = &target.timetable;
        let key = (target.schedule.as_str(), timetable.zone.name(), timetable.cron.as_str());
        schedules.entry(key).or_insert_with(|| (timetable, Vec::new())).1.push(target.portal.as_str());
    }
    let mut heap: BinaryHeap<_> = schedules
        .iter()
        .filter_map(|(key, (timetable, _))| Some(Reverse((timetable.next_after(now)?, key))))
        .collect();
    let mut slots = Vec::new();
    while slots.len() < number
        && let Some(Reverse((slot, key))) = heap.pop()
    {
        let Some((timetable, portals)) = schedules.get(key) else { continue };
        let local = slot.to_zoned(timetable.zone.time_zone().clone());
        slots.push(Upcoming {
            slot,
            local: local.strftime("%Y-%m-%d %H:%M:%S %:z").to_string(),
            schedule: key.0,
            timezone: key.1,
            portals: portals.clone(),
        });
        heap.extend(timetable.next_after(slot).map(|next| Reverse((next, key))));
    }
    slots
}
