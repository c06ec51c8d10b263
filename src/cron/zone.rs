//! Time zones by name, from the system's tzdata.

use std::fmt;
use std::sync::Arc;

use jiff::tz::{self, TimeZone};

/// Files of a zoneinfo directory, and names of jiff's own, that are no place's time.
const NOT_ZONES: [&str; 4] = ["Etc/Unknown", "Factory", "localtime", "posixrules"];

/// How alike (0 to 1, Jaro-Winkler) a known name must be to be proposed. Below it a proposal would only mislead:
/// `Foo/Bar` is not meant to be any zone.
const ALIKE: f64 = 0.8;

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
    /// UTC, which needs no database.
    pub fn utc() -> Self {
        Self(TimeZone::UTC, "UTC".into())
    }

    /// Looks a zone up by its IANA name, letter case included, so that one zone has one name in every record.
    pub fn parse(name: &str) -> Result<Self, ZoneError> {
        match TimeZone::get(name) {
            Ok(zone) if zone.iana_name() == Some(name) && !NOT_ZONES.contains(&name) => {
                Ok(Self(zone, name.into()))
            }
            _ => Err(ZoneError { name: name.to_owned(), nearest: nearest(name) }),
        }
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

/// The known name that is most like `name`, if one is like it at all.
fn nearest(name: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    let known = tz::db().available().map(|known| known.as_str().to_owned());
    // Without zoneinfo on the host the listing is empty, and UTC is still a name.
    let known = known.chain(["UTC".to_owned()]).filter(|known| !NOT_ZONES.contains(&known.as_str()));
    let rated = known.map(|known| (alike(&name, &known.to_ascii_lowercase()), known));
    let best = rated.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (best.0 >= ALIKE).then_some(best.1)
}

/// How alike two names are. A name without an area ("Paris") is held against the place alone.
fn alike(name: &str, known: &str) -> f64 {
    let place = known.rsplit('/').next().unwrap_or(known);
    let whole = strsim::jaro_winkler(name, known);
    if name.contains('/') { whole } else { whole.max(strsim::jaro_winkler(name, place)) }
}
