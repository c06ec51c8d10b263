//! The storages behind the history (§2.3), with the two leaks of state within a request.
//!
//! A [`Visit`] lives as long as one request. What a storage cannot delete it reports or not exactly as
//! the table of §2.3 says; whether the report is swallowed is the caller's business.

use crate::answer::{Answer, Exception};
use crate::model::StorageKind;
use crate::portal_state::Health;
use crate::state::{Row, State};

/// An exception out of a storage.
#[derive(Debug)]
pub(crate) struct Failure {
    status: u16,
    exception: Exception,
}

impl Failure {
    fn new(status: u16, kind: &str, message: &str) -> Self {
        Self { status, exception: Exception::new(kind, message) }
    }

    /// §2.4: the variant that lets it through.
    pub(crate) fn answer(&self) -> Answer {
        Answer::exception(self.status, &self.exception)
    }
}

/// The storage of one record, opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Store {
    kind: StorageKind,
    health: Health,
    /// Whether the leaks let it look in the right place.
    looks_right: bool,
}

/// The storages of one request.
#[derive(Debug, Default)]
pub(crate) struct Visit {
    /// §2.3 (a): the first consumer store, handed out for every later record.
    first_bucket: Option<String>,
    /// §2.3 (b): set by a temporary copy, and never reset.
    temporary: bool,
}

impl Visit {
    /// Opens a record's storage; `None` is the factory that returns null.
    pub(crate) fn open(&mut self, state: &State, row: &Row) -> Result<Option<Store>, Failure> {
        let kind = row.backup.storage;
        let Some(owner) = row.owner.and_then(|id| state.portal(id)) else { return Ok(None) };
        if kind == StorageKind::CustomCloud {
            return Ok(None);
        }
        let health = owner.health(kind);
        if health == Health::Unopenable {
            return Err(match kind {
                // §2.4: a disconnected account is an ArgumentException.
                StorageKind::ThridpartyDocuments => disconnected(),
                _ => Failure::new(500, "System.Exception", "The storage could not be opened"),
            });
        }
        let mut looks_right = true;
        if kind == StorageKind::DataStore {
            self.temporary = true;
        }
        if kind == StorageKind::ThirdPartyConsumer {
            let first = self.first_bucket.get_or_insert_with(|| row.backup.bucket.clone());
            looks_right = *first == row.backup.bucket && (row.backup.subdir || !self.temporary);
        }
        Ok(Some(Store { kind, health, looks_right }))
    }
}

impl Store {
    /// §3: whether the file is found; only an object store's network error is not swallowed in it.
    pub(crate) fn finds(self, state: &State, row: &Row) -> Result<bool, Failure> {
        match (self.health, self.kind) {
            (Health::Broken, StorageKind::DataStore | StorageKind::ThirdPartyConsumer) => Err(unreachable()),
            (Health::Working, _) => Ok(self.looks_right && state.files.contains(&row.file)),
            _ => Ok(false),
        }
    }

    /// §2.3: deletes the file, or finds nothing to delete, or fails.
    pub(crate) fn delete(self, state: &mut State, row: &Row) -> Result<(), Failure> {
        match (self.health, self.kind) {
            (Health::Working, _) => {
                if self.looks_right {
                    state.files.remove(&row.file);
                }
                Ok(())
            }
            (Health::Broken, StorageKind::ThridpartyDocuments) => Err(disconnected()),
            (Health::Broken, StorageKind::Local) => Err(Failure::new(
                404,
                "System.IO.DirectoryNotFoundException",
                "Could not find a part of the path.",
            )),
            (Health::Broken, _) => Err(unreachable()),
            (Health::Lost | Health::Unopenable, _) => Ok(()),
        }
    }
}

fn disconnected() -> Failure {
    Failure::new(
        400,
        "ASC.Files.Core.ProviderInfoArgumentException",
        "Provider id not found or you have no access",
    )
}

fn unreachable() -> Failure {
    Failure::new(500, "System.Net.Http.HttpRequestException", "The storage did not answer")
}
