//! What is still to start.

use std::cmp::Ordering;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;

use super::Target;
use crate::domain::Trigger;
use crate::sweep::Wipes;

/// A sweep that starts at an instant. Ordered by it, then by the order of arrival.
pub(super) struct Upcoming {
    pub(super) at: Instant,
    pub(super) sequence: u64,
    pub(super) target: Arc<Target>,
    pub(super) occasion: Occasion,
}

/// What a sweep is done for.
#[derive(Debug, Clone)]
pub(super) struct Occasion {
    /// What starts it.
    pub(super) trigger: Trigger,
    /// The slot; `None` for a sweep on demand.
    pub(super) slot: Option<Timestamp>,
    /// The portal's next slot.
    pub(super) next: Option<Timestamp>,
    /// How many portals of the tick may still be left without any backup.
    pub(super) wipes: Option<Arc<Wipes>>,
}

impl PartialEq for Upcoming {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Upcoming {}

impl PartialOrd for Upcoming {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Upcoming {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}
