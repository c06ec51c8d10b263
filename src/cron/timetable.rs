//! The slots of a cron expression in a zone, daylight-saving changes included.

use jiff::{RoundMode, Timestamp, TimestampRound, Unit};

use super::{Cron, Zone};

/// How many changes of a zone's offset are tried to get past a gap that croner gives up on. Such a gap is a skipped
/// day or a move of three hours; from the slot before it, a yearly schedule meets a handful of ordinary changes first.
const CHANGES_TRIED: usize = 16;

/// In seconds, a hundred years: 29 February on a given day of the week comes at least every 40.
const LONGEST_WAIT: i64 = 100 * 365 * 86_400;

/// A cron expression in a time zone: an endless sequence of slots.
///
/// An expression with exactly one second, minute and hour is a fixed time: in a skipped hour it comes at the first
/// instant after it, in a repeated hour once, at its first occurrence. Every other expression is an interval and
/// follows elapsed time: nothing in the skipped hour, both passes of the repeated one. Of a longer gap (Samoa had no 30
/// December 2011) only a fixed time in the last two hours comes after it; the rest of the day has no slots.
#[derive(Debug, Clone)]
pub struct Timetable {
    /// The expression.
    pub cron: Cron,
    /// Its zone.
    pub zone: Zone,
}

impl Timetable {
    /// The first slot after `after`, in whole seconds; `None` only near the end of the calendar.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let whole_second = TimestampRound::new().smallest(Unit::Second).mode(RoundMode::Floor);
        let after = after.round(whole_second).ok()?;
        self.search(after, false).or_else(|| self.past_a_gap(after)).filter(|&slot| slot > after)
    }

    /// The last slot up to `time`, itself included; `None` if there is none in the hundred years before it. By bisection,
    /// for cron expressions are read forwards only.
    pub fn last_up_to(&self, time: Timestamp) -> Option<Timestamp> {
        let next =
            |second: i64| self.next_after(Timestamp::from_second(second).ok()?).filter(|&slot| slot <= time);
        let end = time.as_second();
        let mut span = 60;
        while next(end - span).is_none() {
            span *= 2;
            if span > 2 * LONGEST_WAIT {
                return None;
            }
        }
        // A slot lies in (low, time], none in (high, time].
        let (mut low, mut high) = (end - span, end);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if next(middle).is_some() {
                low = middle;
            } else {
                high = middle;
            }
        }
        next(low)
    }

    /// Croner searches at most two hours for the far side of a gap that swallowed a fixed time. The search begins again
    /// there; from before the gap it would only end in it again.
    fn past_a_gap(&self, after: Timestamp) -> Option<Timestamp> {
        let changes = self.zone.time_zone().following(after).take(CHANGES_TRIED);
        changes.map(|change| change.timestamp()).find_map(|change| self.search(change, true))
    }

    fn search(&self, from: Timestamp, inclusive: bool) -> Option<Timestamp> {
        let from = from.to_zoned(self.zone.time_zone().clone());
        self.cron.0.find_next_occurrence(&from, inclusive).ok().map(|slot| slot.timestamp())
    }
}
