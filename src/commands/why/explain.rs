//! The paragraph, as a pure function of what the configuration says and the ledger holds.
//!
//! It says what was recorded, and of what was not recorded only what follows from that: where a slot has no row, it
//! gives the reasons that are possible, and no others.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{absence, rows};
use crate::cron::Zone;
use crate::ledger::{PortalState, Row};

/// How many sweeps are told before the rest is counted.
const TOLD: usize = 4;

/// What is asked, and all that is known.
pub(super) struct Case<'a> {
    pub(super) portal: &'a str,
    /// `None`: the configuration does not have the portal.
    pub(super) plan: Option<Plan<'a>>,
    pub(super) time: Timestamp,
    pub(super) now: Timestamp,
    /// `None`: the ledger does not know the portal.
    pub(super) state: Option<&'a PortalState>,
    /// The rows around the time, in the order of their slots.
    pub(super) rows: &'a [Row],
    pub(super) retention: Duration,
}

/// What the configuration says of the portal.
pub(super) struct Plan<'a> {
    pub(super) schedule: &'a str,
    pub(super) zone: &'a Zone,
    /// The last slot up to the time, itself included.
    pub(super) before: Option<Timestamp>,
    /// The first slot after the time.
    pub(super) after: Option<Timestamp>,
    /// The first slot after now.
    pub(super) next: Option<Timestamp>,
    pub(super) enabled: bool,
    /// How long after a slot it starts.
    pub(super) offset: Duration,
    pub(super) catch_up: Duration,
}

/// The paragraph, and the rows that it speaks of.
pub(super) struct Told<'a> {
    pub(super) text: String,
    pub(super) rows: Vec<&'a Row>,
}

/// Explains a case.
pub(super) fn explain<'a>(case: &Case<'a>) -> Told<'a> {
    let mut story = Story { case, sentences: Vec::new(), rows: Vec::new() };
    match &case.plan {
        Some(plan) => story.planned(plan),
        None => story.unplanned(),
    }
    story.running();
    Told { text: story.sentences.join(" "), rows: story.rows }
}

struct Story<'c, 'a> {
    case: &'c Case<'a>,
    sentences: Vec<String>,
    rows: Vec<&'a Row>,
}

impl<'a> Story<'_, 'a> {
    fn say(&mut self, sentence: impl Into<String>) {
        self.sentences.push(sentence.into());
    }

    fn planned(&mut self, plan: &Plan<'a>) {
        let Case { portal, time, now, .. } = *self.case;
        let (schedule, zone) = (plan.schedule, plan.zone.time_zone());
        let slot = |slot: Option<Timestamp>| slot.map_or("none".to_owned(), |slot| instant(slot, zone));
        let is_slot = plan.before == Some(time);
        if time > now {
            self.say(format!("{} is yet to come.", instant(time, zone)));
        }
        if !is_slot {
            let (before, after) = (slot(plan.before), slot(plan.after));
            self.say(format!(
                "{portal} has no slot at {}: of its schedule {schedule}, the slot before is {before}, and the one \
                 after is {after}.",
                instant(time, zone)
            ));
        }
        let to = plan.after.unwrap_or(Timestamp::MAX);
        if let Some(before) = plan.before.filter(|&before| before <= now) {
            self.slot(plan, before);
            self.between(before, to, zone);
        }
        if let Some(after) = plan.after.filter(|&after| !is_slot && after <= now) {
            self.slot(plan, after);
        }
        // Whoever asks about the past at large does not ask what comes next.
        if time > now || plan.after == plan.next {
            self.next(plan, is_slot);
        }
    }

    /// What comes next, unless it was said already.
    fn next(&mut self, plan: &Plan<'_>, is_slot: bool) {
        let Case { portal, time, now, .. } = *self.case;
        if !plan.enabled {
            self.say(format!(
                "{portal} has `enabled = false`, so its slots to come will be recorded as paused, and nothing will be \
                 sent."
            ));
        } else if let Some(next) = plan.next.filter(|_| is_slot || time > now) {
            let next = instant(next, plan.zone.time_zone());
            self.say(format!("The next slot from now is {next}."));
        }
    }

    /// What is recorded of a slot, or why nothing is.
    fn slot(&mut self, plan: &Plan<'_>, slot: Timestamp) {
        let all = self.case.rows;
        let found: Vec<&Row> = all.iter().filter(|row| covers(row, slot)).collect();
        if found.is_empty() {
            let sentence = absence::why(self.case, plan, slot);
            self.say(sentence);
        }
        self.tell(&found, plan.zone.time_zone());
    }

    /// What else is recorded between two slots: sweeps by hand, and slots of a schedule that was another one then.
    fn between(&mut self, from: Timestamp, to: Timestamp, zone: &TimeZone) {
        let all = self.case.rows;
        let inside = |row: &&Row| !covers(row, from) && from <= place(row) && place(row) < to;
        let found: Vec<&Row> = all.iter().filter(inside).collect();
        self.tell(&found, zone);
    }

    /// The portal is not configured, so there is no schedule to hold its rows against.
    fn unplanned(&mut self) {
        let Case { portal, time, rows: all, .. } = *self.case;
        self.say(format!("{portal} is not in the configuration any more, so it has no slots."));
        let held: Vec<&Row> = all.iter().filter(|row| covers(row, time)).collect();
        let before = all.iter().rfind(|row| place(row) <= time);
        let nearest = before.or(all.first());
        let found = match nearest {
            _ if !held.is_empty() => held,
            Some(nearest) => all.iter().filter(|row| row.sweep_id == nearest.sweep_id).collect(),
            None => Vec::new(),
        };
        let zone = TimeZone::UTC;
        let at = instant(time, &zone);
        self.say(match (before, found.is_empty()) {
            (_, true) => format!("The ledger holds no sweep of it around {at}."),
            (Some(_), _) => format!("This is the last that the ledger holds of it up to {at}."),
            (None, _) => format!("The ledger holds nothing of it up to {at}; this is the first thing after."),
        });
        self.tell(&found, &zone);
    }

    fn tell(&mut self, found: &[&'a Row], zone: &TimeZone) {
        // A run of missed slots may hold both of two slots.
        let is_new = |row: &&&Row| !self.rows.iter().any(|told| std::ptr::eq(*told, **row));
        let found: Vec<&Row> = found.iter().filter(is_new).copied().collect();
        for &row in found.iter().take(TOLD) {
            let pair = found.iter().any(|other| other.sweep_id == row.sweep_id && other.dump != row.dump);
            self.sentences.extend(rows::told(row, pair, zone));
            self.sentences.extend(self.in_a_row(row));
            self.rows.push(row);
        }
        if let Some(more @ 1..) = found.len().checked_sub(TOLD) {
            let portal = self.case.portal;
            self.say(format!(
                "There is more from that time, {more} or more rows: see `docsweep history {portal}`."
            ));
        }
    }

    /// How long it has been like that, after the newest sweep.
    fn in_a_row(&self, row: &Row) -> Option<String> {
        let state = self.case.state?;
        let newest = state.last.as_ref().is_some_and(|last| last.sweep_id == row.sweep_id);
        let failed = matches!(row.outcome.as_str(), "failed" | "partial");
        if !newest || !failed || state.failures_in_a_row < 2 {
            return None;
        }
        let last = match state.last_success {
            Some(at) => format!("the last sweep that went well ended at {at:.0}"),
            None => "the ledger knows of none that went well".to_owned(),
        };
        Some(format!("These are {} failures in a row; {last}.", state.failures_in_a_row))
    }

    /// A sweep that runs now, if it has not been told.
    fn running(&mut self) {
        let told = self.rows.iter().any(|row| row.ended.is_none());
        if let Some(since) = self.case.state.and_then(|state| state.running_since).filter(|_| !told) {
            self.say(format!("A sweep of it has been running since {since:.0}."));
        }
    }
}

/// Where a row stands in time.
pub(super) fn place(row: &Row) -> Timestamp {
    row.slot.unwrap_or(row.began)
}

/// Whether a row is of a slot, or of a run of missed slots around it.
fn covers(row: &Row, slot: Timestamp) -> bool {
    let Some(first) = row.slot else { return false };
    first == slot || row.last_slot.is_some_and(|last| first <= slot && slot <= last)
}

/// An instant in UTC, and on the schedule's own clock where that is another one.
pub(super) fn instant(at: Timestamp, zone: &TimeZone) -> String {
    let utc = at.to_zoned(TimeZone::UTC);
    let local = at.to_zoned(zone.clone());
    if local.offset() == utc.offset() {
        return format!("{at:.0}");
    }
    let form = match (local.date() == utc.date(), local.second()) {
        (true, 0) => "%H:%M",
        (true, _) => "%H:%M:%S",
        (false, 0) => "%Y-%m-%d %H:%M",
        (false, _) => "%Y-%m-%d %H:%M:%S",
    };
    format!("{at:.0} ({} in {})", local.strftime(form), zone.iana_name().unwrap_or("its zone"))
}
