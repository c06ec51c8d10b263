//! The DocSpace API, as far as deleting a backup history needs it.
//!
//! [`ReadPortal`] only looks, [`DeletePortal`] deletes; a dry run is written against the first and so cannot delete.
//! [`HttpPortals`] is the real thing. Whatever goes wrong is a [`PortalError`] with its class; whether and when to try
//! again is not decided here.

mod classify;
mod error;
mod http;
mod tls;
mod wire;

pub use error::{Call, PortalError};
pub use http::{Endpoint, HttpPortal, HttpPortals};
pub use tls::TlsProfiles;
pub use wire::ServerVersion;

use crate::domain::{Backup, Dump, PortalName};

/// A portal that can be looked at.
pub trait ReadPortal: Send + Sync {
    /// Whether the key is an API key (`sk-…`), which only servers from 3.1 on take.
    fn has_api_key(&self) -> bool;

    /// Whether a restore is under way, of the portal itself or of the whole server. Needs no permission.
    fn restore_running(&self) -> impl Future<Output = Result<bool, PortalError>> + Send;

    /// The server's version, as far as it tells: a hint (docspace-api.md §2.2).
    fn server_version(&self) -> impl Future<Output = Result<ServerVersion, PortalError>> + Send;

    /// The backups that the portal lists. Listing is not wholly passive: the server drops records whose file it does
    /// not find (docspace-api.md §3).
    fn history(&self, dump: Dump) -> impl Future<Output = Result<Vec<Backup>, PortalError>> + Send;
}

/// A portal whose history can be deleted.
pub trait DeletePortal: ReadPortal {
    /// Deletes the whole history. `Ok` is what the server claimed, not what happened.
    fn delete_history(&self, dump: Dump) -> impl Future<Output = Result<(), PortalError>> + Send;
}

/// Makes a client for one attempt, with the key as it is now.
pub trait Connect: Send + Sync + 'static {
    /// What it makes. Dropping it closes its connections.
    type Portal: DeletePortal;

    /// Reads the key and makes the client; nothing is sent yet.
    fn connect(&self, portal: &PortalName) -> impl Future<Output = Result<Self::Portal, PortalError>> + Send;
}
