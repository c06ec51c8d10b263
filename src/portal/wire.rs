//! The shapes of the API's bodies (docspace-api.md §1.1, §1.2), read leniently where servers differ and strictly where
//! a wrong reading would be a false record.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use std::fmt;

use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use uuid::Uuid;

use crate::domain::{Backup, BackupId};

/// The most backups of one list. A record that a server writes has some 130 bytes at least, so a longer list does not fit
/// into the bound of its body; but one of empty records would, and would take gigabytes here.
const MAX_BACKUPS: usize = 500_000;

/// The wrapper around every answer of the API. Members that are null on the server are absent here.
#[derive(Debug, Deserialize)]
pub(super) struct Wrapper<T = Value> {
    /// 0 for success, 1 for an error: a flag, not the HTTP status.
    pub(super) status: Option<i64>,
    /// The payload.
    pub(super) response: Option<T>,
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
    id: Uuid,
    #[serde(default)]
    file_name: Option<String>,
    #[serde(default)]
    storage_type: Number,
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

/// A list of backups, taken over one by one, so that nothing else of a hostile list is ever held.
pub(super) struct Backups(pub(super) Vec<Backup>);

impl<'de> Deserialize<'de> for Backups {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(BackupsVisitor)
    }
}

struct BackupsVisitor;

impl<'de> Visitor<'de> for BackupsVisitor {
    type Value = Backups;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of backups")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Backups, A::Error> {
        let mut backups = Vec::new();
        while let Some(wire) = list.next_element::<WireBackup>()? {
            if backups.len() == MAX_BACKUPS {
                return Err(A::Error::custom(format_args!("more than {MAX_BACKUPS} backups")));
            }
            backups.push(backup(wire));
        }
        Ok(Backups(backups))
    }
}

/// A whole number; whatever else stands in its place is passed over, and not held.
#[derive(Debug, Default)]
struct Number(Option<i64>);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor).map(Self)
    }
}

struct NumberVisitor;

impl<'de> Visitor<'de> for NumberVisitor {
    type Value = Option<i64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_i64<E>(self, number: i64) -> Result<Option<i64>, E> {
        Ok(Some(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Option<i64>, E> {
        Ok(i64::try_from(number).ok())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Option<i64>, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Option<i64>, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Option<i64>, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Option<i64>, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Option<i64>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<i64>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

fn backup(wire: WireBackup) -> Backup {
    Backup {
        id: BackupId::new(&wire.id.to_string()),
        file_name: wire.file_name.unwrap_or_default(),
        storage: wire.storage_type.0.map(Into::into),
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

/// Whether a restore is under way: present, and not completed. `None` is a payload of another shape, which must not pass
/// for "no restore".
pub(super) fn restore_running(response: Option<&Value>) -> Option<bool> {
    let Some(progress) = response else { return Some(false) };
    Some(!progress.as_object()?.get("isCompleted").and_then(Value::as_bool).unwrap_or(false))
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

    const GUID: &str = "0d5c6ee4-3b3a-4e0a-8d7e-8f6b6f0c7f10";

    fn list(text: &str) -> Result<Vec<Backup>, serde_json::Error> {
        serde_json::from_str::<Backups>(text).map(|backups| backups.0)
    }

    #[test]
    fn a_list_is_lenient_but_for_its_ids() {
        let kinds = [
            ("3", Some(3)),
            ("\"3\"", None),
            ("3.5", None),
            ("null", None),
            ("[[1],{}]", None),
            ("{\"a\":[]}", None),
        ];
        for (text, kind) in kinds {
            let listed =
                list(&format!(r#"[{{"id":"{GUID}","storageType":{text},"more":[1]}},{{"id":"{GUID}"}}]"#))
                    .unwrap();
            assert_eq!(listed.len(), 2, "{text}");
            assert_eq!(listed[0].storage, kind.map(Into::into), "{text}");
            assert_eq!((listed[1].storage, listed[1].created_on), (None, None));
        }
        for text in ["{}", "true", "[{}]", "[1]", r#"[{"id":1}]"#, r#"[{"id":"../x"}]"#] {
            assert!(list(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_list_of_empty_records_has_its_bound() {
        let records = |count: usize| format!("[{}]", vec![format!(r#"{{"id":"{GUID}"}}"#); count].join(","));
        assert_eq!(list(&records(MAX_BACKUPS)).unwrap().len(), MAX_BACKUPS);
        let error = list(&records(MAX_BACKUPS + 1)).unwrap_err();
        assert!(error.to_string().starts_with("more than 500000 backups"), "{error}");
    }

    #[test]
    fn only_a_progress_or_none_tells_of_a_restore() {
        let running = |json: &str| restore_running(Some(&serde_json::from_str(json).unwrap()));
        assert_eq!(restore_running(None), Some(false));
        assert_eq!(running(r#"{"isCompleted": true, "progress": 100}"#), Some(false));
        assert_eq!(running(r#"{"isCompleted": false}"#), Some(true));
        assert_eq!(running(r#"{"progress": 3}"#), Some(true));
        assert_eq!(running("true"), None);
        assert_eq!(running("[]"), None);
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
