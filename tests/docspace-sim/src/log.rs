//! The request log, and the counts of connections and of requests at work.
//!
//! A request is logged when its head has been read, before anything is decided about it; the two
//! guards count down on drop, however a connection ends.

use std::sync::Arc;

use crate::core::Core;
use crate::route::Route;
use crate::state::{Meter, PortalId, State};
use crate::wire::Head;

/// A request as it arrived, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The position in the server's log, from 0.
    pub seq: usize,
    /// The connection it came on, counted from 1 over the whole server.
    pub connection: u64,
    /// The portal whose listener took it; empty for a stray listener.
    pub portal: String,
    /// The verb.
    pub method: String,
    /// The path, percent-decoded.
    pub path: String,
    /// The query, as sent.
    pub query: String,
    /// Names and values, as sent.
    pub headers: Vec<(String, String)>,
    /// Which call it is.
    pub route: Route,
    /// The value of `Dump`; `None` if absent or no boolean.
    pub dump: Option<bool>,
    /// The status sent, or begun to be sent.
    pub status: Option<u16>,
    /// The handler's work was carried out, answered or not.
    pub worked: bool,
    /// The listener it came by; names need not be unique.
    pub(crate) gate: Option<PortalId>,
}

impl Request {
    /// The first header of this name, compared without case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether it is one of the two delete calls.
    pub fn is_delete(&self) -> bool {
        matches!(self.route, Route::DeleteHistory | Route::DeleteBackup)
    }
}

impl State {
    /// Logs a request and returns its position.
    pub(crate) fn log(
        &mut self,
        gate: Option<PortalId>,
        connection: u64,
        head: &Head,
        route: Route,
    ) -> usize {
        let portal = gate.and_then(|id| self.portal(id)).map(|portal| portal.name.clone());
        let seq = self.requests.len();
        self.requests.push(Request {
            seq,
            connection,
            portal: portal.unwrap_or_default(),
            method: head.method.clone(),
            path: head.path.clone(),
            query: head.query.clone(),
            headers: head.headers.clone(),
            route,
            dump: head.query_value("dump").and_then(|text| text.to_ascii_lowercase().parse().ok()),
            status: None,
            worked: false,
            gate,
        });
        seq
    }

    fn meters(&mut self, gate: Option<PortalId>, mut change: impl FnMut(&mut Meter)) {
        change(&mut self.meter);
        if let Some(portal) = gate.and_then(|id| self.portals.get_mut(&id)) {
            change(&mut portal.meter);
        }
    }
}

/// An open connection.
pub(crate) struct Connected {
    core: Arc<Core>,
    pub(crate) gate: Option<PortalId>,
    pub(crate) number: u64,
}

impl Connected {
    pub(crate) fn new(core: &Arc<Core>, gate: Option<PortalId>) -> Self {
        let number = core.edit(|state| {
            state.meters(gate, |meter| meter.connections += 1);
            state.connections_seen += 1;
            state.connections_seen
        });
        Self { core: Arc::clone(core), gate, number }
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.core.edit(|state| {
            state.meters(self.gate, |meter| meter.connections = meter.connections.saturating_sub(1));
        });
    }
}

/// A request at work.
pub(crate) struct InFlight {
    core: Arc<Core>,
    gate: Option<PortalId>,
}

impl InFlight {
    pub(crate) fn new(core: &Arc<Core>, gate: Option<PortalId>) -> Self {
        core.edit(|state| {
            state.meters(gate, |meter| {
                meter.in_flight += 1;
                meter.peak = meter.peak.max(meter.in_flight);
            });
        });
        Self { core: Arc::clone(core), gate }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.core.edit(|state| {
            state.meters(self.gate, |meter| meter.in_flight = meter.in_flight.saturating_sub(1));
        });
    }
}
