//! Who may run now: a cap over all sweeps, a cap for each server, and a server's pauses.
//!
//! A sweep first gets its server's permit and then the global one, so that those who queue for a slow server hold
//! nothing that others need.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;

use crate::domain::{Backup, ServerName};
use crate::ledger::Ledger;
use crate::sweep::{Admission, Job};

/// The gates of all servers.
#[derive(Debug)]
pub(super) struct Gates {
    global: Arc<Semaphore>,
    per_server: usize,
    servers: HashMap<ServerName, Arc<Server>>,
}

#[derive(Debug)]
struct Server {
    permits: Arc<Semaphore>,
    /// When the server may be asked again.
    open_from: watch::Sender<Option<Instant>>,
}

/// The way in to one server, and to the ledger.
#[derive(Debug)]
pub(super) struct Gate<L> {
    ledger: Arc<L>,
    global: Arc<Semaphore>,
    server: Arc<Server>,
}

/// Permission to run one attempt.
#[derive(Debug)]
pub(super) struct Permit {
    _server: Option<OwnedSemaphorePermit>,
    _global: Option<OwnedSemaphorePermit>,
}

impl Gates {
    pub(super) fn new(concurrency: usize, per_server: usize) -> Self {
        Self { global: Arc::new(Semaphore::new(concurrency)), per_server, servers: HashMap::new() }
    }

    /// The gate of a server.
    pub(super) fn of<L>(&mut self, server: &ServerName, ledger: &Arc<L>) -> Gate<L> {
        let known = self.servers.entry(server.clone()).or_insert_with(|| {
            Arc::new(Server {
                permits: Arc::new(Semaphore::new(self.per_server)),
                open_from: watch::Sender::new(None),
            })
        });
        Gate { ledger: Arc::clone(ledger), global: Arc::clone(&self.global), server: Arc::clone(known) }
    }
}

impl Server {
    /// Waits until the server is not paused. A pause that grows meanwhile is waited for as well.
    async fn open(&self) {
        let mut changes = self.open_from.subscribe();
        loop {
            let Some(from) = self.paused_until() else { return };
            tokio::select! {
                () = tokio::time::sleep_until(from) => {}
                // The sender lives in `self`, so a closed channel cannot be seen here.
                _ = changes.changed() => {}
            }
        }
    }

    fn paused_until(&self) -> Option<Instant> {
        self.open_from.borrow().filter(|from| *from > Instant::now())
    }
}

impl<L: Ledger> Admission for Gate<L> {
    type Permit = Permit;

    async fn enter(&self) -> Permit {
        loop {
            self.server.open().await;
            // The semaphores are never closed, so an error cannot come; without a permit the sweep would run uncapped.
            let server = Arc::clone(&self.server.permits).acquire_owned().await.ok();
            let global = Arc::clone(&self.global).acquire_owned().await.ok();
            if self.server.paused_until().is_none() {
                return Permit { _server: server, _global: global };
            }
        }
    }

    async fn witness(&self, job: &Job, backups: &[Backup]) -> Result<(), String> {
        self.ledger.found(job.sweep_id, job.dump, backups).await.map_err(|error| error.to_string())
    }

    fn is_paused(&self) -> bool {
        self.server.paused_until().is_some()
    }

    fn pause(&self, pause: Duration) {
        let Some(from) = Instant::now().checked_add(pause) else { return };
        self.server.open_from.send_if_modified(|open_from| {
            let longer = open_from.is_none_or(|known| from > known);
            if longer {
                *open_from = Some(from);
            }
            longer
        });
    }
}
