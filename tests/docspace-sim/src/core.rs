//! What every handle and task of one installation shares: the state, its lock, and the tasks.
//!
//! The lock is a std `Mutex`, never held across an await, recovered when poisoned: a panicking test
//! action must not hide what the log knows. Each edit bumps one watch channel, on which everything
//! that waits re-checks its condition, so nobody polls.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use crate::state::State;
use crate::tls::Authority;

/// The shared part of a server.
pub(crate) struct Core {
    state: Mutex<State>,
    changed: watch::Sender<()>,
    tasks: Mutex<Tasks>,
    pub(crate) authority: Authority,
}

#[derive(Default)]
struct Tasks {
    set: JoinSet<()>,
    /// Set by the last handle's drop: nothing may start after that.
    closed: bool,
}

impl Core {
    pub(crate) fn new(state: State, authority: Authority) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(state),
            changed: watch::Sender::new(()),
            tasks: Mutex::new(Tasks::default()),
            authority,
        })
    }

    /// The state, for reading.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes whoever waits for something.
    pub(crate) fn edit<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let result = change(&mut self.lock());
        self.changed.send_replace(());
        result
    }

    /// Returns once `condition` holds.
    pub(crate) async fn wait(&self, mut condition: impl FnMut(&State) -> bool) {
        let mut changes = self.changed.subscribe();
        while !condition(&self.lock()) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Starts a task owned by the server; a panic in it stays in it.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> Option<AbortHandle> {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if tasks.closed {
            return None;
        }
        while tasks.set.try_join_next().is_some() {}
        Some(tasks.set.spawn(task))
    }

    /// Ends every task, for good, and hands them over to be awaited.
    pub(crate) fn close(&self) -> JoinSet<()> {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.closed = true;
        tasks.set.abort_all();
        std::mem::take(&mut tasks.set)
    }
}
