//! The rate limiter of §5: a sliding window of a minute, then concurrency, per user or else per IP.
//!
//! Off unless configured, as in the shipped configuration. A refused request takes nothing from the
//! window; nothing queues.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::core::Core;
use crate::state::PortalId;

const WINDOW: Duration = Duration::from_mins(1);

/// The limiter's numbers; the default has the shipped ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests per sliding minute.
    pub per_minute: usize,
    /// GETs at once.
    pub concurrent_get: usize,
    /// Other verbs at once; DELETE counts here.
    pub concurrent_other: usize,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self { per_minute: 1500, concurrent_get: 50, concurrent_other: 15 }
    }
}

/// Who is counted together: all keys and sessions of a user, or everybody unknown on one address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Partition {
    User(PortalId, String),
    /// Every client of a loopback server has the same address.
    Address,
}

/// A refusal, with the numbers of its headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) limit: usize,
}

/// The counts of all partitions.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    windows: HashMap<Partition, VecDeque<Instant>>,
    leases: HashMap<(Partition, bool), usize>,
}

impl Limiter {
    pub(crate) fn acquire(
        &mut self,
        limit: RateLimit,
        partition: &Partition,
        get: bool,
        now: Instant,
    ) -> Result<(), Refused> {
        let window = self.windows.entry(partition.clone()).or_default();
        while window.front().is_some_and(|first| now.duration_since(*first) >= WINDOW) {
            window.pop_front();
        }
        if window.len() >= limit.per_minute {
            return Err(Refused { limit: limit.per_minute });
        }
        window.push_back(now);
        let most = if get { limit.concurrent_get } else { limit.concurrent_other };
        let leases = self.leases.entry((partition.clone(), get)).or_default();
        if *leases >= most {
            return Err(Refused { limit: most });
        }
        *leases += 1;
        Ok(())
    }
}

/// A concurrency lease; dropping it gives it back.
pub(crate) struct Lease {
    core: Arc<Core>,
    partition: Partition,
    get: bool,
}

impl Lease {
    pub(crate) fn new(core: &Arc<Core>, partition: Partition, get: bool) -> Self {
        Self { core: Arc::clone(core), partition, get }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let key = (self.partition.clone(), self.get);
        self.core.edit(|state| {
            if let Some(leases) = state.limiter.leases.get_mut(&key) {
                *leases = leases.saturating_sub(1);
            }
        });
    }
}
