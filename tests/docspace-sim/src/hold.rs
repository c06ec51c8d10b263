//! A barrier inside the server: requests stand still until a test lets them go on.
//!
//! A held request is past the rate limiter and before the filters, as one that waits for a lock would
//! be; like the real server (§7), it goes on when released even if its client has left meanwhile.

use tokio::sync::watch;

use crate::route::Route;

#[derive(Debug, Default)]
struct Gate {
    arrived: usize,
    /// How many may pass, in order of arrival.
    passes: usize,
}

/// The portal's end of a hold.
#[derive(Clone)]
pub(crate) struct Standing {
    route: Route,
    gate: watch::Sender<Gate>,
}

impl Standing {
    pub(crate) fn selects(&self, route: Route) -> bool {
        self.route.selects(route)
    }

    /// Lets everything through from now on.
    pub(crate) fn is_over(&self) -> bool {
        self.gate.borrow().passes == usize::MAX
    }

    /// Arrives and waits to be let through.
    pub(crate) async fn pass(&self) {
        let mut changes = self.gate.subscribe();
        let mut place = 0;
        self.gate.send_modify(|gate| {
            place = gate.arrived;
            gate.arrived += 1;
        });
        if changes.wait_for(|gate| gate.passes > place).await.is_err() {
            // The hold is gone, and so is the reason to wait.
        }
    }
}

/// Holds requests of a route; dropping it releases them.
#[must_use = "dropping a hold releases it"]
pub struct Hold {
    gate: watch::Sender<Gate>,
}

impl Hold {
    pub(crate) fn new(route: Route) -> (Self, Standing) {
        let gate = watch::Sender::new(Gate::default());
        (Self { gate: gate.clone() }, Standing { route, gate })
    }

    /// Returns once `count` requests have arrived here, released ones included.
    pub async fn arrived(&self, count: usize) {
        let mut changes = self.gate.subscribe();
        if changes.wait_for(|gate| gate.arrived >= count).await.is_err() {
            // Unreachable while `self` keeps the sender.
        }
    }

    /// How many requests have arrived so far, released ones included.
    pub fn count(&self) -> usize {
        self.gate.borrow().arrived
    }

    /// Lets the next `count` requests through, in order of arrival.
    pub fn release_some(&self, count: usize) {
        self.gate.send_modify(|gate| gate.passes = gate.passes.saturating_add(count));
    }

    /// Lets everything through, now and later.
    pub fn release(&self) {
        self.gate.send_modify(|gate| gate.passes = usize::MAX);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.release();
    }
}
