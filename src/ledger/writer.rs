//! The one thread that writes: takes what is queued, does it in one transaction, and answers when that is durable.
//!
//! Under load the time that one commit takes is the time in which the next batch gathers, so a thousand claims cost few
//! commits, and a single one waits for nothing. A piece of work that fails by itself is undone by itself; if the database
//! fails, the whole batch is undone and everybody in it is told.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use tokio::sync::{mpsc, oneshot, watch};

use super::fault::{Fault, translate};
use super::lock::Lock;
use super::{Health, LedgerError};

/// How much work may be queued. Beyond it callers wait in `call`, which slows new sweeps down, as it should.
const QUEUE: usize = 1024;

/// The most work of one transaction: bounds how long its callers wait for the first of them.
const BATCH: usize = 512;

/// The calling side.
pub(super) struct Writer {
    /// `None` only while it is being dropped.
    queue: Option<mpsc::Sender<Box<dyn Work>>>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    health: watch::Sender<Health>,
    commits: AtomicU64,
}

/// A piece of work, whatever it answers.
trait Work: Send {
    /// Whether its success shows that new sweeps can be recorded.
    fn proves(&self) -> bool;
    fn run(&mut self, connection: &Connection) -> Result<(), Fault>;
    /// Tells the caller, once what `run` wrote is durable or undone.
    fn answer(self: Box<Self>, committed: Result<(), LedgerError>);
}

struct Task<T, F> {
    proves: bool,
    work: Option<F>,
    value: Option<T>,
    reply: oneshot::Sender<Result<T, LedgerError>>,
}

impl<T, F> Work for Task<T, F>
where
    T: Send,
    F: FnOnce(&Connection) -> Result<T, Fault> + Send,
{
    fn proves(&self) -> bool {
        self.proves
    }

    fn run(&mut self, connection: &Connection) -> Result<(), Fault> {
        let Some(work) = self.work.take() else { return Ok(()) };
        self.value = Some(work(connection)?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), LedgerError>) {
        let Self { value, reply, .. } = *self;
        // A caller that went away did not want to know.
        drop(reply.send(committed.and_then(|()| value.ok_or(LedgerError::Stopped))));
    }
}

impl Writer {
    /// Starts the thread, which owns the connection and the ledger's lock until the writer is dropped.
    pub(super) fn start(connection: Connection, lock: Lock, path: PathBuf) -> Result<Self, LedgerError> {
        let Some(inode) = inode(&path) else { return Err(LedgerError::Gone { path }) };
        let (queue, work) = mpsc::channel(QUEUE);
        let shared =
            Arc::new(Shared { health: watch::Sender::new(Health::Well), commits: AtomicU64::new(0) });
        let desk = Desk {
            connection,
            _lock: lock,
            path: path.clone(),
            inode,
            shared: Arc::clone(&shared),
            closed: None,
        };
        let thread =
            std::thread::Builder::new().name("ledger".to_owned()).spawn(move || desk.serve(work)).map_err(
                |error| LedgerError::Io { path, detail: format!("no thread for its writer: {error}") },
            )?;
        Ok(Self { queue: Some(queue), shared, thread: Some(thread) })
    }

    /// Has work done in a transaction, and returns what it came to when it is durable.
    pub(super) async fn call<T, F>(&self, work: F) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        self.enqueue(false, work).await
    }

    /// As `call`, for work whose success makes a failing ledger well again. Not every write does so: on a full disk a
    /// small one may succeed where the next claim fails, and the ledger would be said to come and go.
    pub(super) async fn prove<T, F>(&self, work: F) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        self.enqueue(true, work).await
    }

    async fn enqueue<T, F>(&self, proves: bool, work: F) -> Result<T, LedgerError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let task = Box::new(Task { proves, work: Some(work), value: None, reply });
        let queue = self.queue.as_ref().ok_or(LedgerError::Stopped)?;
        if queue.send(task).await.is_ok()
            && let Ok(answer) = answer.await
        {
            return answer;
        }
        self.shared.failing(&LedgerError::Stopped);
        Err(LedgerError::Stopped)
    }

    pub(super) fn health(&self) -> watch::Receiver<Health> {
        self.shared.health.subscribe()
    }

    pub(super) fn is_well(&self) -> bool {
        *self.shared.health.borrow() == Health::Well
    }

    pub(super) fn commits(&self) -> u64 {
        self.shared.commits.load(Ordering::Relaxed)
    }
}

impl Drop for Writer {
    /// Waits until what is queued is written and the lock is free.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("the ledger's writer panicked");
        }
    }
}

impl Shared {
    fn failing(&self, error: &LedgerError) {
        self.health.send_if_modified(|health| {
            let new = Health::Failing(error.clone());
            let changed = *health != new;
            *health = new;
            changed
        });
    }

    fn well(&self) {
        self.health.send_if_modified(|health| std::mem::replace(health, Health::Well) != Health::Well);
    }
}

/// The writing side.
struct Desk {
    connection: Connection,
    _lock: Lock,
    path: PathBuf,
    /// Which file the connection writes, whatever lies at its path by now.
    inode: (u64, u64),
    shared: Arc<Shared>,
    /// Why the file must not be written any more.
    closed: Option<LedgerError>,
}

impl Desk {
    fn serve(mut self, mut queue: mpsc::Receiver<Box<dyn Work>>) {
        let mut batch = Vec::with_capacity(BATCH);
        while queue.blocking_recv_many(&mut batch, BATCH) > 0 {
            match self.carry_out(&mut batch) {
                Ok(results) => {
                    for (work, result) in batch.drain(..).zip(results) {
                        work.answer(result);
                    }
                }
                Err(error) => {
                    for work in batch.drain(..) {
                        work.answer(Err(error.clone()));
                    }
                }
            }
        }
    }

    /// One transaction. `Err`: nothing of it was written.
    fn carry_out(
        &mut self,
        batch: &mut [Box<dyn Work>],
    ) -> Result<Vec<Result<(), LedgerError>>, LedgerError> {
        if let Some(error) = &self.closed {
            return Err(error.clone());
        }
        let done = self.transaction(batch);
        match &done {
            Ok(results) => {
                if batch.iter().zip(results).any(|(work, result)| work.proves() && result.is_ok()) {
                    self.shared.well();
                }
            }
            Err(error) => self.failed(error),
        }
        done
    }

    fn transaction(&self, batch: &mut [Box<dyn Work>]) -> Result<Vec<Result<(), LedgerError>>, LedgerError> {
        let sql = |statement: &str| {
            self.connection.execute_batch(statement).map_err(|error| translate(&error, &self.path))
        };
        if inode(&self.path) != Some(self.inode) {
            return Err(LedgerError::Gone { path: self.path.clone() });
        }
        sql("BEGIN IMMEDIATE")?;
        let before = self.changes()?;
        let mut results = Vec::with_capacity(batch.len());
        for work in batch {
            sql("SAVEPOINT work")?;
            match work.run(&self.connection).map_err(|fault| fault.about(&self.path)) {
                Ok(()) => results.push(Ok(())),
                Err(error) if error.is_outage() => return Err(error),
                Err(error) => {
                    sql("ROLLBACK TO work")?;
                    results.push(Err(error));
                }
            }
            sql("RELEASE work")?;
        }
        let wrote = self.changes()? != before;
        sql("COMMIT")?;
        if wrote {
            self.shared.commits.fetch_add(1, Ordering::Relaxed);
        }
        Ok(results)
    }

    fn changes(&self) -> Result<u64, LedgerError> {
        let changes = self.connection.query_row("SELECT total_changes()", [], |row| row.get(0));
        changes.map_err(|error| translate(&error, &self.path))
    }

    /// Undoes what a failed transaction left, and sees to it that a damaged file stays as it is.
    fn failed(&mut self, error: &LedgerError) {
        if !self.connection.is_autocommit()
            && let Err(rollback) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::debug!(error = %rollback, "the ledger's transaction could not be rolled back");
        }
        if error.is_final() {
            // Closing would otherwise move the write-ahead log into the file.
            if let Err(error) =
                self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
            {
                tracing::debug!(%error, "the ledger's database could not be told to leave the file");
            }
            self.closed = Some(error.clone());
        }
        self.shared.failing(error);
    }
}

/// Which file lies at a path.
fn inode(path: &Path) -> Option<(u64, u64)> {
    path.metadata().ok().map(|file| (file.dev(), file.ino()))
}
