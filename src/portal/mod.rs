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
pub use http::{Endpoint, HttpPortal, HttpPortals, HttpReader, HttpReaders};
pub use tls::TlsProfiles;
pub use wire::ServerVersion;

use crate::domain::{Backup, BackupId, Dump, PortalName};

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

    /// Deletes one backup. The server reports an error only here; repeated for a backup whose record is gone already,
    /// it tries the file again (docspace-api.md §2.4).
    fn delete_backup(&self, id: &BackupId) -> impl Future<Output = Result<(), PortalError>> + Send;
}

/// Makes a client that can only look, with the key as it is now.
///
/// What it makes has no deleting method, so a dry run that is written against it does not compile if it deletes:
///
/// ```compile_fail
/// use docsweep::domain::Dump;
/// use docsweep::portal::ReadPortal;
///
/// async fn dry_run<P: ReadPortal>(portal: &P) {
///     let _ = portal.history(Dump::Own).await;
///     let _ = portal.delete_history(Dump::Own).await;
/// }
/// ```
///
/// Without the last line it does:
///
/// ```
/// use docsweep::domain::Dump;
/// use docsweep::portal::ReadPortal;
///
/// async fn dry_run<P: ReadPortal>(portal: &P) {
///     let _ = portal.history(Dump::Own).await;
/// }
/// ```
pub trait Look: Send + Sync + 'static {
    /// What it makes. Dropping it closes its connections.
    type Reader: ReadPortal;

    /// Reads the key and makes the client; nothing is sent yet.
    fn look(&self, portal: &PortalName) -> impl Future<Output = Result<Self::Reader, PortalError>> + Send;
}

/// Makes a client for one attempt, with the key as it is now.
pub trait Connect: Send + Sync + 'static {
    /// What it makes. Dropping it closes its connections.
    type Portal: DeletePortal;

    /// Reads the key and makes the client; nothing is sent yet.
    fn connect(&self, portal: &PortalName) -> impl Future<Output = Result<Self::Portal, PortalError>> + Send;
}
