//! The shapes of the API's bodies (docspace-api.md §1.1, §1.2), read leniently where servers differ and strictly where
//! a wrong reading would be a false record.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::Value;

use crate::domain::{Backup, BackupId};

/// The wrapper around every answer of the API. Members that are null on the server are absent here.
#[derive(Debug, Deserialize)]
pub(super) struct Wrapper {
    /// 0 for success, 1 for an error: a flag, not the HTTP status.
    pub(super) status: Option<i64>,
    /// The payload.
    pub(super) response: Option<Value>,
    /// What went wrong, in place of a payload.
    pub(super) error: Option<WireError>,
}

/// The error of a wrapped answer. `stack` is not read: it leaks the server's source.
#[derive(Debug, Default, Deserialize)]
pub(super) struct WireError {
    /// A sentence, possibly localised.
    #[serde(default)]
    pub(super) message: Option<String>,
    /// The .NET type of the exception.
    #[serde(default, rename = "type")]
    pub(super) kind: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireBackup {
    id: String,
    #[serde(default)]
    file_name: Option<String>,
    #[serde(default)]
    storage_type: Option<Value>,
    #[serde(default)]
    created_on: Option<String>,
}

/// A server's version, `major.minor` and whatever follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerVersion {
    major: u32,
    minor: u32,
    text: String,
}

impl ServerVersion {
    /// Reads a version such as `3.7.2`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.trim().split('.').map(|part| part.parse().ok());
        Some(Self { major: numbers.next()??, minor: numbers.next()??, text: super::error::quote(text) })
    }

    /// Whether the server knows the `Dump` parameter: from 3.1 on. An older one ignores it, and deletes the portal's
    /// own history whatever it says (docspace-api.md §2.2).
    pub fn knows_dump(&self) -> bool {
        (self.major, self.minor) >= (3, 1)
    }

    /// The version as the server wrote it.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// The list of backups in a payload.
pub(super) fn backups(response: Value) -> Result<Vec<Backup>, serde_json::Error> {
    let list: Vec<WireBackup> = serde_json::from_value(response)?;
    Ok(list.into_iter().map(backup).collect())
}

fn backup(wire: WireBackup) -> Backup {
    Backup {
        id: BackupId::new(&wire.id),
        file_name: wire.file_name.unwrap_or_default(),
        storage: wire.storage_type.and_then(|number| number.as_i64()).map(Into::into),
        created_on: wire.created_on.as_deref().and_then(date),
    }
}

/// A date with an offset, or without one, which is UTC: servers on MySQL write none, those on PostgreSQL do.
pub(super) fn date(text: &str) -> Option<Timestamp> {
    text.parse::<Timestamp>().ok().or_else(|| {
        let civil: DateTime = text.parse().ok()?;
        civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    })
}

/// Whether a restore is under way: present, and not completed.
pub(super) fn restore_running(response: Option<&Value>) -> bool {
    response
        .and_then(Value::as_object)
        .is_some_and(|progress| !progress.get("isCompleted").and_then(Value::as_bool).unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_without_offset_is_utc() {
        let expected: Timestamp = "2026-03-04T05:06:07Z".parse().unwrap();
        for text in [
            "2026-03-04T05:06:07",
            "2026-03-04T05:06:07Z",
            "2026-03-04T07:06:07+02:00",
            "2026-03-04T05:06:07.0000000",
        ] {
            assert_eq!(date(text), Some(expected), "{text}");
        }
        assert_eq!(date("yesterday"), None);
    }

    #[test]
    fn a_version_is_a_hint() {
        let knows = |text: &str| ServerVersion::parse(text).map(|v| v.knows_dump());
        assert_eq!(knows("3.7.2"), Some(true));
        assert_eq!(knows("3.1.0"), Some(true));
        assert_eq!(knows("3.0.4"), Some(false));
        assert_eq!(knows("2.6"), Some(false));
        assert_eq!(knows("4"), None);
        assert_eq!(knows("unknown"), None);
    }
}
