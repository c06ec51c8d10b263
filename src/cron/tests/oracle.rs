//! A second answer to "when are the slots", by looking at every minute: slow, simple, and without croner.

use std::collections::BTreeSet;

use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use super::super::Timetable;
use super::timetable;

pub(super) const ZONES: [&str; 7] = [
    "UTC",
    "Europe/Paris",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Pacific/Apia",
    "Asia/Kathmandu",
];

/// The fields of an expression as sets of values; of days only the day of month, or only the day of week.
struct Fields {
    values: [BTreeSet<i16>; 6],
    fixed: bool,
}

impl Fields {
    fn of(timetable: &Timetable) -> Self {
        let text = timetable.cron.as_str();
        let text = if text.split(' ').count() == 5 { format!("0 {text}") } else { text.to_owned() };
        let fields: Vec<&str> = text.split(' ').collect();
        let bounds = [(0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6)];
        let values = std::array::from_fn(|at| values(fields[at], bounds[at]));
        Self { values, fixed: fields[..3].iter().all(|field| field.parse::<u8>().is_ok()) }
    }

    fn matches(&self, civil: DateTime) -> bool {
        let weekday = i16::from(civil.weekday().to_sunday_zero_offset());
        let time = [civil.second(), civil.minute(), civil.hour(), civil.day(), civil.month()].map(i16::from);
        time.iter().chain([&weekday]).zip(&self.values).all(|(value, allowed)| allowed.contains(value))
    }
}

fn values(field: &str, (low, high): (i16, i16)) -> BTreeSet<i16> {
    let item = |item: &str| -> BTreeSet<i16> {
        let (range, step) = item.split_once('/').unwrap_or((item, "1"));
        let (low, high) = match range.split_once('-') {
            Some((first, last)) => (first.parse().unwrap(), last.parse().unwrap()),
            None if range == "*" => (low, high),
            None => (range.parse().unwrap(), range.parse().unwrap()),
        };
        (low..=high).step_by(step.parse().unwrap()).collect()
    };
    field.split(',').flat_map(item).collect()
}

/// Whether `instant` is a slot: a matching wall clock time, or for a fixed time the end of the gap that swallowed it,
/// at most two hours before that end.
pub(super) fn is_slot(timetable: &Timetable, instant: Timestamp) -> bool {
    is_slot_of(&Fields::of(timetable), timetable, instant)
}

fn is_slot_of(fields: &Fields, timetable: &Timetable, instant: Timestamp) -> bool {
    let zone = timetable.zone.time_zone();
    let civil = zone.to_datetime(instant);
    let skipped = || {
        if zone.to_offset(instant - 1.second()) >= zone.to_offset(instant) {
            return false;
        }
        let gap = zone.to_datetime(instant - 1.second()).checked_add(1.second()).unwrap();
        let mut before = gap.max(civil.checked_sub(2.hours()).unwrap());
        while before < civil {
            if fields.matches(before) {
                return true;
            }
            before = before.checked_add(1.second()).unwrap();
        }
        false
    };
    if !fields.fixed {
        return fields.matches(civil);
    }
    let first_pass = || zone.to_ambiguous_timestamp(civil).earlier().unwrap() == instant;
    fields.matches(civil) && first_pass() || skipped()
}

/// All slots in `(from, until]`: each minute's start, where a gap may end, and the expression's seconds within it.
fn slots(timetable: &Timetable, from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
    let fields = Fields::of(timetable);
    let seconds: BTreeSet<i16> = fields.values[0].iter().copied().chain([0]).collect();
    let mut found = Vec::new();
    let mut minute = from;
    while minute <= until {
        for second in &seconds {
            let instant = minute + SignedDuration::from_secs(i64::from(*second));
            if instant > from && instant <= until && is_slot_of(&fields, timetable, instant) {
                found.push(instant);
            }
        }
        minute += SignedDuration::from_mins(1);
    }
    found
}

fn walk(timetable: &Timetable, from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
    let next = |after: &Timestamp| timetable.next_after(*after).filter(|slot| *slot <= until);
    std::iter::successors(next(&from), next).collect()
}

/// Every change of the zone in 2024 to 2027, or new years where there is none.
fn changes(zone: &str) -> Vec<Timestamp> {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    if zone == "Pacific/Apia" {
        return vec![at("2011-12-30T10:00:00Z")];
    }
    let zone = jiff::tz::TimeZone::get(zone).unwrap();
    let (from, until) = (at("2024-01-01T00:00:00Z"), at("2028-01-01T00:00:00Z"));
    let changes: Vec<_> =
        zone.following(from).map(|change| change.timestamp()).take_while(|t| *t < until).collect();
    if changes.is_empty() { vec![at("2025-01-01T00:00:00Z"), at("2026-12-31T18:15:00Z")] } else { changes }
}

const SPARSE: [&str; 16] = [
    "30 1 * * *",
    "0 2 * * *",
    "30 2 * * *",
    "45 1 * * *",
    "0 3 * * *",
    "0 0 * * *",
    "30 0 * * *",
    "59 23 * * *",
    "15 30 2 * * *",
    "0 2 * * 0",
    "0 * * * *",
    "*/30 * * * *",
    "15,45 2 * * *",
    "0 0,1,2,3 * * *",
    "10 0-3 * * 0,6",
    "0 0 30 12 *",
];

#[test]
fn the_slots_around_every_change_are_those_of_the_oracle() {
    for zone in ZONES {
        for change in changes(zone) {
            let (from, until) = (change - 4.hours(), change + 28.hours());
            for cron in SPARSE {
                let timetable = timetable(cron, zone);
                assert_eq!(
                    walk(&timetable, from, until),
                    slots(&timetable, from, until),
                    "{cron} {zone} {change}"
                );
            }
        }
    }
}

#[test]
fn dense_schedules_and_every_starting_point_agree_too() {
    for zone in ZONES {
        for change in changes(zone).into_iter().take(2) {
            let (from, until) = (change - 3.hours(), change + 3.hours());
            for cron in ["* * * * *", "*/7 * * * *", "5,35 */20 * * * *"] {
                let timetable = timetable(cron, zone);
                assert_eq!(
                    walk(&timetable, from, until),
                    slots(&timetable, from, until),
                    "{cron} {zone} {change}"
                );
            }
            for cron in ["30 2 * * *", "45 1 * * *", "0 0 * * *", "*/30 * * * *"] {
                let timetable = timetable(cron, zone);
                let slots = slots(&timetable, from, until);
                let mut after = from;
                while after < until {
                    let next = slots.iter().find(|slot| **slot > after).copied();
                    let said = timetable.next_after(after).filter(|slot| *slot <= until);
                    assert_eq!(said, next, "{cron} {zone} after {after}");
                    after += 191.seconds();
                }
            }
        }
    }
}

/// Samoa had no 30 December 2011, and a yearly schedule that meets it comes a year later.
#[test]
fn a_skipped_day_is_stepped_over_from_afar() {
    let yearly = timetable("0 3 30 12 *", "Pacific/Apia");
    let next = |after: &str| yearly.next_after(after.parse().unwrap()).unwrap().to_string();
    assert_eq!(next("2010-12-31T00:00:00Z"), "2012-12-29T13:00:00Z");
    let daily = timetable("0 3 * * *", "Pacific/Apia");
    let slots =
        walk(&daily, "2011-12-29T00:00:00Z".parse().unwrap(), "2012-01-01T00:00:00Z".parse().unwrap());
    let slots: Vec<String> = slots.iter().map(ToString::to_string).collect();
    assert_eq!(slots, ["2011-12-29T13:00:00Z", "2011-12-30T13:00:00Z", "2011-12-31T13:00:00Z"]);
}
