//! The nouns of an installation: backups, keys, schedules and what a portal can be going through.
//!
//! Plain data with builder methods; the rules that act on it live in the handlers. Points in time are
//! seconds since the Unix epoch, so that a caller may use whatever calendar crate it likes.

use std::collections::BTreeMap;

use time::OffsetDateTime;
use uuid::Uuid;

/// The database of an installation; it decides the text form of dates (§1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// Dates come without an offset, in whole seconds.
    MySql,
    /// Dates come with `Z` and a fraction.
    PostgreSql,
}

/// Where a copy is stored (§1.2), numbered as on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StorageKind {
    /// A room or folder of the portal itself.
    Documents,
    /// A connected account such as Dropbox; the misspelt name is the server's.
    ThridpartyDocuments,
    /// Never deleted by anything: its storage factory returns nothing (§2.3).
    CustomCloud,
    /// A path on the API service's host.
    Local,
    /// The temporary store; the copy expires after a day.
    DataStore,
    /// S3, GCS and the like.
    ThirdPartyConsumer,
}

impl StorageKind {
    /// Every kind, in wire order.
    pub const ALL: [Self; 6] = [
        Self::Documents,
        Self::ThridpartyDocuments,
        Self::CustomCloud,
        Self::Local,
        Self::DataStore,
        Self::ThirdPartyConsumer,
    ];

    /// The integer the API shows.
    pub fn number(self) -> u8 {
        match self {
            Self::Documents => 0,
            Self::ThridpartyDocuments => 1,
            Self::CustomCloud => 2,
            Self::Local => 3,
            Self::DataStore => 4,
            Self::ThirdPartyConsumer => 5,
        }
    }
}

/// A backup to put into a portal's history, or among the server-wide dumps.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "four independent oddities, each set by its own method")]
pub struct Backup {
    pub(crate) file_name: Option<String>,
    pub(crate) storage: StorageKind,
    pub(crate) created: i64,
    pub(crate) bucket: String,
    pub(crate) subdir: bool,
    pub(crate) paid: bool,
    pub(crate) has_file: bool,
    pub(crate) has_owner: bool,
}

impl Backup {
    /// A copy in this kind of storage, made now, with its file in place.
    pub fn new(storage: StorageKind) -> Self {
        Self {
            file_name: None,
            storage,
            created: now(),
            bucket: "backup".to_owned(),
            subdir: true,
            paid: false,
            has_file: true,
            has_owner: true,
        }
    }

    /// A copy in the portal's own documents.
    pub fn documents() -> Self {
        Self::new(StorageKind::Documents)
    }

    /// When the copy was made, in seconds since the epoch.
    #[must_use]
    pub fn created_at(self, unix_seconds: i64) -> Self {
        Self { created: unix_seconds, ..self }
    }

    /// The archive's name; one is made up otherwise.
    #[must_use]
    pub fn file_name(self, name: impl Into<String>) -> Self {
        Self { file_name: Some(name.into()), ..self }
    }

    /// The bucket of a [`StorageKind::ThirdPartyConsumer`] copy; several in one history bring out the
    /// store cached for a whole request (§2.3 a).
    #[must_use]
    pub fn bucket(self, bucket: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), ..self }
    }

    /// A consumer copy without `subdir`, as schedules may make: after a temporary copy it is looked up
    /// in the wrong place (§2.3 b).
    #[must_use]
    pub fn without_subdir(self) -> Self {
        Self { subdir: false, ..self }
    }

    /// A copy that the billing counter sees as paid.
    #[must_use]
    pub fn paid(self) -> Self {
        Self { paid: true, ..self }
    }

    /// A record whose file is gone already.
    #[must_use]
    pub fn without_file(self) -> Self {
        Self { has_file: false, ..self }
    }

    /// A dump record lacking the `tenantId` parameter: nothing ever deletes its file (§2.3).
    #[must_use]
    pub fn without_owner(self) -> Self {
        Self { has_owner: false, ..self }
    }
}

/// A row of the history, seen from outside the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The id the API shows.
    pub id: Uuid,
    /// The archive's name.
    pub file_name: String,
    /// Where the copy is.
    pub storage: StorageKind,
    /// When it was made, in seconds since the epoch.
    pub created: i64,
    /// Flagged removed: the row stays, the API does not show it.
    pub removed: bool,
    /// A server-wide dump.
    pub dump: bool,
    /// Whether the file still exists.
    pub has_file: bool,
}

/// What a user may do, as far as backups go (§1, the admin gate).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Passes the admin gate and is exempt from the IP restriction.
    Owner,
    /// Passes the admin gate.
    Admin,
    /// Fails the admin gate.
    RoomAdmin,
}

/// An API key to create.
#[derive(Debug, Clone)]
pub struct Key {
    pub(crate) name: String,
    pub(crate) creator: String,
    pub(crate) role: Role,
    pub(crate) scopes: Vec<String>,
    pub(crate) expires: Option<i64>,
    pub(crate) active: bool,
    pub(crate) creator_enabled: bool,
}

impl Key {
    fn of(role: Role, creator: &str) -> Self {
        Self {
            name: "backup key".to_owned(),
            creator: creator.to_owned(),
            role,
            scopes: Vec::new(),
            expires: None,
            active: true,
            creator_enabled: true,
        }
    }

    /// Full access, made by a DocSpace admin.
    pub fn admin() -> Self {
        Self::of(Role::Admin, "admin")
    }

    /// Full access, made by the portal's owner.
    pub fn owner() -> Self {
        Self::of(Role::Owner, "owner")
    }

    /// Full access by its scopes, made by a room admin.
    pub fn room_admin() -> Self {
        Self::of(Role::RoomAdmin, "room-admin")
    }

    /// Limits the key to these scopes; none means full access (§4.2).
    #[must_use]
    pub fn scopes(self, scopes: &[&str]) -> Self {
        Self { scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(), ..self }
    }

    /// The user the key acts as; the rate limiter counts per user.
    #[must_use]
    pub fn created_by(self, user: impl Into<String>) -> Self {
        Self { creator: user.into(), ..self }
    }

    /// The name shown by `keys/@self`.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// When the key expires, in seconds since the epoch.
    #[must_use]
    pub fn expires_at(self, unix_seconds: i64) -> Self {
        Self { expires: Some(unix_seconds), ..self }
    }

    /// A key that expired a day ago.
    #[must_use]
    pub fn expired(self) -> Self {
        self.expires_at(now() - 86_400)
    }

    /// A key switched off.
    #[must_use]
    pub fn inactive(self) -> Self {
        Self { active: false, ..self }
    }

    /// A key whose creator is disabled or removed.
    #[must_use]
    pub fn creator_disabled(self) -> Self {
        Self { creator_enabled: false, ..self }
    }
}

/// What a portal is going through (§4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    /// In service.
    #[default]
    Active,
    /// Deactivated: 404.
    Suspended,
    /// Being deleted, while still cached: 404.
    RemovePending,
    /// Moving to another region: 403.
    Transferring,
    /// Being restored from a backup: 403.
    Restoring,
    /// Being encrypted or decrypted: 403.
    Encryption,
    /// Migrating: not blocked.
    Migrating,
}

/// A backup or restore task as the progress calls show it (§1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Percent done.
    pub percent: u8,
    /// A finished task lingers with this set.
    pub completed: bool,
    /// Empty if none.
    pub error: String,
    /// 0 created, 1 running, 2 completed, 3 canceled, 4 failed.
    pub status: u8,
}

impl Progress {
    /// Accepted, not begun; for a restore this is the phase in which the archive can still be deleted.
    pub fn queued() -> Self {
        Self { percent: 0, completed: false, error: String::new(), status: 0 }
    }

    /// Under way.
    pub fn running(percent: u8) -> Self {
        Self { percent, status: 1, ..Self::queued() }
    }

    /// Done, and still shown.
    pub fn finished() -> Self {
        Self { percent: 100, completed: true, status: 2, ..Self::queued() }
    }

    /// Ended with an error, and still shown.
    pub fn failed(error: impl Into<String>) -> Self {
        Self { percent: 50, completed: true, error: error.into(), status: 4 }
    }
}

/// How often a schedule makes a copy, numbered as on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// 0.
    Day,
    /// 1.
    Week,
    /// 2.
    Month,
}

/// An automatic backup schedule (§1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Where the copies go.
    pub storage: StorageKind,
    /// The storage's parameters.
    pub params: BTreeMap<String, String>,
    /// How often.
    pub period: Period,
    /// The hour of the day.
    pub hour: u8,
    /// The day of the week or month.
    pub day: u8,
    /// How many copies are kept; 0 is shown as absent.
    pub stored: u8,
    /// The last copy, in seconds since the epoch.
    pub last: Option<i64>,
}

impl Schedule {
    /// Every day at three, seven copies kept, in the portal's own documents.
    pub fn daily() -> Self {
        Self {
            storage: StorageKind::Documents,
            params: BTreeMap::from([("folderId".to_owned(), "1".to_owned())]),
            period: Period::Day,
            hour: 3,
            day: 0,
            stored: 7,
            last: None,
        }
    }
}

/// The present, in seconds since the epoch: expiry and the billing month are judged by it.
pub(crate) fn now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}
