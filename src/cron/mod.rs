//! Cron expressions in time zones, and the slots they come to: pure, and the sole user of croner.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;

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
    /// Checks an expression. Finding that a schedule never fires can take 100 ms of CPU: keep this off the runtime.
    pub fn parse(text: &str) -> Result<Self, CronError> {
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
        let cron = parser.parse(text).map_err(|error| CronError {
            message: error.to_string(),
            help: None,
            span: None,
        })?;
        Ok(Self(Arc::new(cron), text.into()))
    }

    /// The expression as it was written.
    pub fn as_str(&self) -> &str {
        &self.1
    }
}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// A time zone of the system's database.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone(TimeZone, Arc<str>);

/// A name that the system's time zone database does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown time zone {name:?}")]
pub struct ZoneError {
    /// The name as it was written.
    pub name: String,
    /// The known name nearest to it.
    pub nearest: Option<String>,
}

impl Zone {
    /// UTC.
    pub fn utc() -> Self {
        Self(TimeZone::UTC, "UTC".into())
    }

    /// Looks a zone up by its IANA name.
    pub fn parse(name: &str) -> Result<Self, ZoneError> {
        let zone = TimeZone::get(name).map_err(|_| ZoneError { name: name.to_owned(), nearest: None })?;
        Ok(Self(zone, name.into()))
    }

    /// The zone's name.
    pub fn name(&self) -> &str {
        &self.1
    }

    /// The zone for jiff.
    pub fn time_zone(&self) -> &TimeZone {
        &self.0
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.name(), f)
    }
}

/// A cron expression in a time zone: an endless sequence of slots.
#[derive(Debug, Clone)]
pub struct Timetable {
    /// The expression.
    pub cron: Cron,
    /// Its zone.
    pub zone: Zone,
}

impl Timetable {
    /// The first slot after `after`, in whole seconds.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let from = after.to_zoned(self.zone.0.clone());
        self.cron.0.find_next_occurrence(&from, false).ok().map(|next| next.timestamp())
    }
}
