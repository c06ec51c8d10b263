//! The handle of a portal, second half: scripts, what is below HTTP, and what has happened.
//!
//! Everything scripted here is looked up per request by the listener that took it, whatever tenant the
//! request's host names.

use std::io;

use super::Portal;
use crate::door;
use crate::fault::{Fault, Rule};
use crate::hold::Hold;
use crate::log::Request;
use crate::model::Backup;
use crate::portal_state::{Action, Flag, Moment, PortalState};
use crate::route::Route;
use crate::tls::Tls;

/// Scripts.
impl Portal {
    /// The next request of this route goes wrong.
    pub fn fault(&self, route: Route, fault: Fault) {
        self.script(Rule::new(route, fault));
    }

    /// The next `count` requests of this route go wrong.
    pub fn fault_times(&self, route: Route, count: usize, fault: Fault) {
        self.script(Rule::new(route, fault).times(count));
    }

    /// Every request of this route goes wrong.
    pub fn fault_always(&self, route: Route, fault: Fault) {
        self.script(Rule::new(route, fault).always());
    }

    /// Adds a rule; the first that matches a request decides.
    pub fn script(&self, rule: Rule) {
        self.edit(|portal| portal.rules.push(rule));
    }

    /// Forgets every rule.
    pub fn clear_faults(&self) {
        self.edit(|portal| portal.rules.clear());
    }

    /// Holds the requests of this route inside the server until released.
    pub fn hold(&self, route: Route) -> Hold {
        let (hold, standing) = Hold::new(route);
        self.edit(|portal| portal.holds.push(standing));
        hold
    }

    /// Does something just before the next request of this route is worked on, once its gates are passed.
    pub fn on_next(&self, route: Route, action: impl FnOnce(&Self) + Send + 'static) {
        self.edit(|portal| {
            portal.actions.push(Action { route, moment: Moment::Before, run: Box::new(action) });
        });
    }

    /// Does something just after the next request of this route was worked on, before it is answered.
    pub fn after_next(&self, route: Route, action: impl FnOnce(&Self) + Send + 'static) {
        self.edit(|portal| {
            portal.actions.push(Action { route, moment: Moment::After, run: Box::new(action) });
        });
    }

    /// Adds a copy right after the next list, which therefore does not show it.
    pub fn add_backup_after_list(&self, backup: Backup) {
        self.after_next(Route::History, move |portal| {
            portal.add_backup(backup);
        });
    }
}

/// Below HTTP.
impl Portal {
    /// The service is down: the listener closes, open connections are cut, connects are refused.
    pub async fn refuse_connections(&self) -> io::Result<()> {
        door::refuse(&self.core, self.id).await?;
        self.drop_connections();
        Ok(())
    }

    /// Connects never complete, for the queue is full and nobody empties it (Linux). Open connections
    /// are cut.
    pub async fn black_hole(&self) -> io::Result<()> {
        door::black_hole(&self.core, self.id).await?;
        self.drop_connections();
        Ok(())
    }

    /// Ends [`Portal::refuse_connections`] and [`Portal::black_hole`], on the same port.
    pub async fn accept_again(&self) -> io::Result<()> {
        door::reopen(&self.core, self.id).await
    }

    /// Accepts each connection and resets it.
    pub fn reset_on_accept(&self, on: bool) {
        self.edit(|portal| portal.set(Flag::ResetOnAccept, on));
    }

    /// Cuts every open connection.
    pub fn drop_connections(&self) {
        self.edit(|portal| {
            std::mem::take(&mut portal.connections).cancel();
        });
    }

    /// Changes how new connections speak TLS; `None` is plain HTTP.
    pub fn set_tls(&self, tls: Option<Tls>) {
        self.edit(|portal| portal.tls = tls);
    }
}

/// What has happened.
impl Portal {
    /// The log of its listener, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        let state = self.core.lock();
        state.requests.iter().filter(|request| request.gate == Some(self.id)).cloned().collect()
    }

    /// The two delete calls among them.
    pub fn deletes(&self) -> Vec<Request> {
        self.requests().into_iter().filter(Request::is_delete).collect()
    }

    /// The requests of one route among them.
    pub fn requests_of(&self, route: Route) -> Vec<Request> {
        self.requests().into_iter().filter(|request| route.selects(request.route)).collect()
    }

    /// Connections open now.
    pub fn open_connections(&self) -> usize {
        self.read(|portal| portal.meter.connections)
    }

    /// Requests being worked on now.
    pub fn in_flight(&self) -> usize {
        self.read(|portal| portal.meter.in_flight)
    }

    /// The most requests ever at work at once. A hanging request counts until its client's leaving has
    /// been seen, which may be just after that client's next request.
    pub fn max_concurrent(&self) -> usize {
        self.read(|portal| portal.meter.peak)
    }

    /// Returns once `count` requests have arrived.
    pub async fn wait_requests(&self, count: usize) {
        self.wait_route(Route::AnyRoute, count).await;
    }

    /// Returns once `count` requests of this route have arrived.
    pub async fn wait_route(&self, route: Route, count: usize) {
        let mine = |request: &&Request| request.gate == Some(self.id) && route.selects(request.route);
        self.core.wait(|state| state.requests.iter().filter(mine).count() >= count).await;
    }

    /// Returns once no connection to it is open and no request at work.
    pub async fn wait_idle(&self) {
        let idle = |portal: &PortalState| portal.meter.connections == 0 && portal.meter.in_flight == 0;
        self.core.wait(|state| state.portal(self.id).is_none_or(idle)).await;
    }

    /// Returns once no record of its history is left unflagged.
    pub async fn wait_empty(&self) {
        self.core
            .wait(|state| state.tenant_of(self.id).is_none_or(|tenant| state.listed(tenant).is_empty()))
            .await;
    }
}
