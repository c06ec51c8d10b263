//! Cron expressions in time zones, and the slots they come to: pure, and the sole user of croner.
//!
//! An expression that is taken means one thing: what croner would read in silence as something else (`*/90`, an empty
//! list item, a month's name in the minute field, a date that never comes) is refused here, with the place in the text
//! and what to write instead. Nothing reads a clock; only [`Zone::parse`] does I/O, in the system's tzdata.
//!
//! Invariant: [`Timetable::next_after`] is strictly after its argument, in whole seconds, and never decreases as its
//! argument grows.

mod syntax;
#[cfg(test)]
mod tests;
mod timetable;
mod zone;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use croner::parser::{CronParser, Seconds, Year};
use jiff::civil;

pub use timetable::Timetable;
pub use zone::{Zone, ZoneError};

/// A checked cron expression: 5 fields (minute first), 6 fields (second first), or a nickname.
#[derive(Clone)]
pub struct Cron(Arc<croner::Cron>, Arc<str>);

/// Why a text is no cron expression that docsweep takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CronError {
    /// What is wrong, in one clause.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// The bytes of the expression that are meant, if it is not the whole.
    pub span: Option<Range<usize>>,
}

impl Cron {
    /// Checks an expression. Finding that a schedule never fires can take 20 ms of CPU: keep this off the runtime.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        let expression = syntax::check(text)?;
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
        let cron = parser.parse(&expression).map_err(|error| CronError {
            message: format!("the expression cannot be read: {error}"),
            help: Some("write 5 fields: minute, hour, day of month, month, day of week".to_owned()),
            span: None,
        })?;
        if never_fires(&cron) {
            return Err(CronError {
                message: "the schedule never fires".to_owned(),
                help: Some("write a day that one of the months has".to_owned()),
                span: None,
            });
        }
        Ok(Self(Arc::new(cron), text.split_whitespace().collect::<Vec<_>>().join(" ").into()))
    }

    /// The expression as it was written, with single spaces between its fields.
    pub fn as_str(&self) -> &str {
        &self.1
    }
}

/// Whether no date is ever met. Croner searches up to the year 5000, and the calendar repeats itself every 400 years:
/// what does not fire in the last 400 of them never does. No zone takes part, so that the answer needs no I/O.
fn never_fires(cron: &croner::Cron) -> bool {
    cron.find_next_occurrence(&civil::datetime(4600, 1, 1, 0, 0, 0, 0), true).is_err()
}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
