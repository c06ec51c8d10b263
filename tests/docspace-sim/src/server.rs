//! The handle of an installation, and its builder.
//!
//! Handles are cheap clones. The last one to go ends every listener, connection and job; portal handles
//! do not keep the server alive, but go on to show its state.

use std::io;
use std::sync::Arc;

use uuid::Uuid;

use crate::core::Core;
use crate::door;
use crate::limit::RateLimit;
use crate::log::Request;
use crate::model::{Backup, Database, Progress, Record, Schedule};
use crate::portal::Portal;
use crate::portal_state::PortalState;
use crate::state::{Config, DUMPS, PortalId, State, Version};
use crate::tls::{Authority, Tls};

/// An installation.
#[derive(Clone)]
pub struct Server {
    owner: Arc<Owner>,
}

struct Owner {
    core: Arc<Core>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        drop(self.core.close());
    }
}

/// Settles what an installation is before it starts.
#[derive(Debug, Clone)]
pub struct Builder {
    standalone: bool,
    version: String,
    reported_version: Option<String>,
    database: Database,
    rate_limit: Option<RateLimit>,
    tls: Option<Tls>,
}

impl Builder {
    /// A cloud installation: no dumps, features can be hidden.
    #[must_use]
    pub fn saas(self) -> Self {
        Self { standalone: false, ..self }
    }

    /// The version, as `major.minor.patch`; it decides the behaviours of §2.2.
    #[must_use]
    pub fn version(self, version: &str) -> Self {
        Self { version: version.to_owned(), ..self }
    }

    /// What `settings/version/build` says instead of the version: it is only a packaging hint.
    #[must_use]
    pub fn reported_version(self, version: &str) -> Self {
        Self { reported_version: Some(version.to_owned()), ..self }
    }

    /// The database, `MySql` unless told.
    #[must_use]
    pub fn database(self, database: Database) -> Self {
        Self { database, ..self }
    }

    /// Switches the rate limiter on.
    #[must_use]
    pub fn rate_limit(self, limit: RateLimit) -> Self {
        Self { rate_limit: Some(limit), ..self }
    }

    /// Portals speak TLS, at first in this way.
    #[must_use]
    pub fn tls(self, tls: Tls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// Starts the server; an unreadable version is an error.
    #[expect(clippy::unused_async, reason = "as the calls that open listeners, it belongs into a runtime")]
    pub async fn start(self) -> io::Result<Server> {
        let version = parse_version(&self.version).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "the version is not major.minor.patch")
        })?;
        let config = Config {
            standalone: self.standalone,
            version,
            reported_version: self.reported_version.unwrap_or(self.version),
            database: self.database,
            rate_limit: self.rate_limit,
            backup_hidden: false,
            tls: self.tls,
        };
        let core = Core::new(State::new(config), Authority::new()?);
        Ok(Server { owner: Arc::new(Owner { core }) })
    }
}

fn parse_version(text: &str) -> Option<Version> {
    let mut parts = text.splitn(3, '.').map(str::parse);
    let major = parts.next()?.ok()?;
    let minor = parts.next().transpose().ok()?.unwrap_or(0);
    let patch = parts.next().transpose().ok()?.unwrap_or(0);
    Some((major, minor, patch))
}

impl Server {
    /// A standalone 3.7.2 on `MySQL`, without TLS and rate limiter.
    pub fn builder() -> Builder {
        Builder {
            standalone: true,
            version: "3.7.2".to_owned(),
            reported_version: None,
            database: Database::MySql,
            rate_limit: None,
            tls: None,
        }
    }

    /// Starts a server as [`Server::builder`] describes it.
    pub async fn start() -> io::Result<Self> {
        Self::builder().start().await
    }

    fn core(&self) -> &Arc<Core> {
        &self.owner.core
    }

    /// Adds a portal, with a listener of its own.
    #[expect(clippy::unused_async, reason = "sockets need a runtime, which an async function has")]
    pub async fn add_portal(&self, name: &str) -> io::Result<Portal> {
        let socket = door::bind(0)?;
        let id = PortalId(socket.local_addr()?.port());
        self.core().edit(|state| {
            let tenant = state.new_tenant();
            let portal = PortalState::new(name, tenant, state.config.tls, door::Door::Shut);
            state.portals.insert(id, portal);
            state.order.push(id);
        });
        let opened = door::open(self.core(), Some(id), socket)?;
        door::set(self.core(), id, opened);
        Ok(Portal::new(self.core(), id))
    }

    /// The URL of a host that resolves to no portal (§4.4), answered by this server.
    #[expect(clippy::unused_async, reason = "sockets need a runtime, which an async function has")]
    pub async fn stray_url(&self) -> io::Result<String> {
        let socket = door::bind(0)?;
        let port = socket.local_addr()?.port();
        door::open(self.core(), None, socket)?;
        Ok(url(self.core().lock().config.tls, port))
    }

    /// The portals, in the order they were added.
    pub fn portals(&self) -> Vec<Portal> {
        let order = self.core().lock().order.clone();
        order.into_iter().map(|id| Portal::new(self.core(), id)).collect()
    }

    /// Adds a server-wide dump whose file lies with the first portal; see [`Portal::add_dump`].
    pub fn add_dump(&self, backup: Backup) -> Uuid {
        self.core().edit(|state| {
            let owner = state.order.first().copied();
            state.store(DUMPS, owner, backup)
        })
    }

    /// The server-wide dumps that are not flagged removed.
    pub fn dumps(&self) -> Vec<Record> {
        self.all_dumps().into_iter().filter(|record| !record.removed).collect()
    }

    /// The server-wide dumps, flagged or not.
    pub fn all_dumps(&self) -> Vec<Record> {
        self.core().lock().records(DUMPS)
    }

    /// The ids of the dumps whose file exists.
    pub fn dump_files(&self) -> Vec<Uuid> {
        self.all_dumps().into_iter().filter(|record| record.has_file).map(|record| record.id).collect()
    }

    /// The schedule of server-wide dumps.
    pub fn set_dump_schedule(&self, schedule: Option<Schedule>) {
        self.core().edit(|state| put(&mut state.schedules, DUMPS, schedule));
    }

    /// The progress of a running dump.
    pub fn set_dump_progress(&self, progress: Option<Progress>) {
        self.core().edit(|state| put(&mut state.backups, DUMPS, progress));
    }

    /// The progress of a restore from a dump.
    pub fn set_dump_restore(&self, progress: Option<Progress>) {
        self.core().edit(|state| put(&mut state.restores, DUMPS, progress));
    }

    /// Puts "Backup" among the hidden settings; only `SaaS` heeds it (§1).
    pub fn hide_backup_feature(&self, hidden: bool) {
        self.core().edit(|state| state.config.backup_hidden = hidden);
    }

    /// Upgrades or downgrades the running server.
    ///
    /// # Errors
    /// The version is not `major.minor.patch`.
    pub fn set_version(&self, text: &str) -> io::Result<()> {
        let version = parse_version(text).ok_or(io::ErrorKind::InvalidInput)?;
        self.core().edit(|state| {
            state.config.version = version;
            text.clone_into(&mut state.config.reported_version);
        });
        Ok(())
    }

    /// The certificate of the authority that signs every leaf of this server but the self-signed one.
    pub fn ca_pem(&self) -> String {
        self.core().authority.pem().to_owned()
    }

    /// The log of all portals, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.core().lock().requests.clone()
    }

    /// The two delete calls among them.
    pub fn deletes(&self) -> Vec<Request> {
        self.requests().into_iter().filter(Request::is_delete).collect()
    }

    /// Connections open now.
    pub fn open_connections(&self) -> usize {
        self.core().lock().meter.connections
    }

    /// Connections accepted so far.
    pub fn connections_seen(&self) -> u64 {
        self.core().lock().connections_seen
    }

    /// Requests being worked on now.
    pub fn in_flight(&self) -> usize {
        self.core().lock().meter.in_flight
    }

    /// The most requests ever at work at once.
    pub fn max_concurrent(&self) -> usize {
        self.core().lock().meter.peak
    }

    /// Returns once `count` requests have arrived.
    pub async fn wait_requests(&self, count: usize) {
        self.core().wait(|state| state.requests.len() >= count).await;
    }

    /// Returns once no connection is open and no request at work.
    pub async fn wait_idle(&self) {
        self.core().wait(|state| state.meter.connections == 0 && state.meter.in_flight == 0).await;
    }

    /// Ends every listener, connection and job, for good, as dropping the last handle does, and returns
    /// once they have ended.
    pub async fn shut_down(&self) {
        let mut tasks = self.core().close();
        while tasks.join_next().await.is_some() {}
    }
}

/// Sets or removes an entry.
pub(crate) fn put<T>(map: &mut std::collections::BTreeMap<i64, T>, key: i64, value: Option<T>) {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    };
}

/// A base URL without a trailing slash.
pub(crate) fn url(tls: Option<Tls>, port: u16) -> String {
    match tls {
        Some(_) => format!("https://localhost:{port}"),
        None => format!("http://127.0.0.1:{port}"),
    }
}
