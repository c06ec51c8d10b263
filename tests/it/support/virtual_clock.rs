//! A wall clock that follows tokio's paused time, and can be set.

use std::sync::atomic::{AtomicI64, Ordering};

use docsweep::clock::Clock;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Tells `base` plus the time that has passed on tokio's clock, plus how far it was set.
pub(crate) struct VirtualClock {
    base: Timestamp,
    start: Instant,
    step_ms: AtomicI64,
}

impl VirtualClock {
    pub(crate) fn new(base: Timestamp) -> Self {
        Self { base, start: Instant::now(), step_ms: AtomicI64::new(0) }
    }

    /// Sets the clock forwards or backwards by `step`.
    pub(crate) fn step(&self, step: SignedDuration) {
        self.step_ms.fetch_add(i64::try_from(step.as_millis()).unwrap(), Ordering::Relaxed);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.start.elapsed()).unwrap();
        self.base + elapsed + SignedDuration::from_millis(self.step_ms.load(Ordering::Relaxed))
    }
}
