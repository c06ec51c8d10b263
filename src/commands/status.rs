//! `docsweep status`: where each portal stands.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::ledger::{reader, said};
use super::{Exit, configured, known_among, load, output};
use crate::cli::Output;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Portal};
use crate::ledger::{Filter, LedgerReader, PortalState};

/// One line of `status --json`, and one row of the table.
#[derive(Serialize)]
struct Standing {
    #[serde(flatten)]
    state: PortalState,
    /// Whether the configuration has it.
    configured: bool,
    /// Whether the configuration has it with `enabled = false`.
    paused: bool,
    next_slot: Option<Timestamp>,
    /// What a person should do.
    advice: Option<String>,
    /// The outcome that the advice is about.
    #[serde(skip)]
    about: String,
}

pub(super) fn run(path: &Path, names: &[String], output: Output) -> anyhow::Result<Exit> {
    let config = load(path)?;
    let reader = reader(&config)?;
    let states = reader.last_per_portal()?;
    let all = configured(&config).chain(states.iter().map(|state| state.portal.as_str()));
    known_among(names, all, "neither the configuration nor the ledger has a")?;
    let now = SystemClock.now();
    let mut standings = standings(&config, states, now);
    standings.retain(|standing| names.is_empty() || names.contains(&standing.state.portal));
    for standing in &mut standings {
        advise(&reader, standing)?;
    }
    if output.json {
        standings.iter().try_for_each(output::object)?;
    } else {
        table(&standings, now)?;
    }
    Ok(Exit::Ok)
}

/// The configuration's portals in its order, then those that only the ledger knows.
fn standings(config: &Config, states: Vec<PortalState>, now: Timestamp) -> Vec<Standing> {
    let mut states: HashMap<String, PortalState> =
        states.into_iter().map(|state| (state.portal.clone(), state)).collect();
    // Thousands of portals share a few schedules.
    let mut next = HashMap::new();
    let mut next_slot = |portal: &Portal| {
        let slot = || portal.schedule.timetable.next_after(now);
        *next.entry(Arc::as_ptr(&portal.schedule)).or_insert_with(slot)
    };
    let mut standings = Vec::with_capacity(config.portals.len());
    for portal in &config.portals {
        let name = portal.name.as_str();
        let next_slot = if portal.enabled { next_slot(portal) } else { None };
        standings.push(Standing {
            state: states.remove(name).unwrap_or_else(|| unknown(name)),
            configured: true,
            paused: !portal.enabled,
            next_slot,
            advice: None,
            about: String::new(),
        });
    }
    let mut others: Vec<_> = states.into_values().collect();
    others.sort_by(|a, b| a.portal.cmp(&b.portal));
    standings.extend(others.into_iter().map(|state| Standing {
        state,
        configured: false,
        paused: false,
        next_slot: None,
        advice: None,
        about: String::new(),
    }));
    standings
}

fn unknown(portal: &str) -> PortalState {
    PortalState {
        portal: portal.to_owned(),
        last: None,
        last_success: None,
        failures_in_a_row: 0,
        running_since: None,
        accounted: None,
    }
}

/// Takes over the last row's advice. A portal that fails is not well again because its last slot was skipped, say, or
/// because one of its two `Dump` values succeeded: then its newest failure counts.
fn advise(reader: &LedgerReader, standing: &mut Standing) -> anyhow::Result<()> {
    let PortalState { portal, last, failures_in_a_row, .. } = &standing.state;
    let mut row = last.clone();
    if *failures_in_a_row > 0 && last.as_ref().is_none_or(|last| last.advice.is_none()) {
        let newest =
            Filter { portal: Some(portal.clone()), failed: true, limit: Some(1), ..Filter::default() };
        row = reader.history(&newest)?.pop();
    }
    standing.about = row.as_ref().map(said).unwrap_or_default();
    standing.advice = row.and_then(|row| row.advice);
    Ok(())
}

fn table(standings: &[Standing], now: Timestamp) -> anyhow::Result<()> {
    let head = ["PORTAL", "LAST", "AGE", "FAILURES", "LAST SUCCESS", "NEXT SLOT", "NOTE"];
    output::table(&head, standings.iter().map(|standing| row(standing, now)))?;
    // What to do has no room in a table, and when a server is down it is the same for all of its portals.
    let mut advised: Vec<((&str, &str), Vec<&str>)> = Vec::new();
    for standing in standings {
        let Some(advice) = standing.advice.as_deref() else { continue };
        let what = (standing.about.as_str(), advice);
        match advised.iter_mut().find(|(known, _)| *known == what) {
            Some((_, portals)) => portals.push(&standing.state.portal),
            None => advised.push((what, vec![&standing.state.portal])),
        }
    }
    for ((about, advice), portals) in advised {
        output::text(&format!("\n{about} ({}):\n  {advice}\n", output::some_of(&portals)))?;
    }
    Ok(())
}

fn row(standing: &Standing, now: Timestamp) -> Vec<String> {
    let state = &standing.state;
    let ended = state.last.as_ref().and_then(|last| last.ended);
    vec![
        state.portal.clone(),
        state.last.as_ref().map_or_else(|| "-".to_owned(), said),
        ended.map_or_else(|| "-".to_owned(), |ended| output::age(now.duration_since(ended))),
        state.failures_in_a_row.to_string(),
        output::second(state.last_success),
        output::second(standing.next_slot),
        note(standing),
    ]
}

fn note(standing: &Standing) -> String {
    let mut notes = Vec::new();
    if !standing.configured {
        notes.push("not in the configuration".to_owned());
    }
    if standing.paused {
        notes.push("paused".to_owned());
    }
    match standing.state.running_since {
        Some(since) => notes.push(format!("running since {since:.0}")),
        None if standing.state.last.is_none() => notes.push("never swept yet".to_owned()),
        None => {}
    }
    notes.join(", ")
}
