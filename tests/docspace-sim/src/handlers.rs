//! The actions: first the gates of §1, then the work, with whatever a test wants done around it.
//!
//! Invariant: a request counts as worked only once its gates are passed.

use std::sync::Arc;

use crate::answer::{Answer, Exception};
use crate::core::Core;
use crate::model::Role;
use crate::pipeline::Context;
use crate::portal::Portal;
use crate::portal_state::{Flag, Moment};
use crate::route::{Match, Route};
use crate::state::{DUMPS, PortalId, State};
use crate::wire::Head;
use crate::{deletes, reads};

/// Runs the action of an endpoint.
pub(crate) async fn act(core: &Arc<Core>, context: &Context, head: &Head, matched: Match) -> Answer {
    let route = matched.route;
    let gates = gates(&core.lock(), context, matched);
    if let Err(answer) = gates {
        return answer;
    }
    run_actions(core, context.portal, route, Moment::Before);
    core.edit(|state| {
        if let Some(request) = state.requests.get_mut(context.seq) {
            request.worked = true;
        }
    });
    let answer = match (route, matched.id) {
        (Route::DeleteHistory, _) => deletes::all(core, context, head).await,
        (Route::DeleteBackup, Some(id)) => core.edit(|state| deletes::one(state, context, head, id)),
        _ => core.edit(|state| reads::read(state, context, head, route)),
    };
    run_actions(core, context.portal, route, Moment::After);
    answer
}

/// Runs without the lock: the actions use the portal's handle.
fn run_actions(core: &Arc<Core>, id: PortalId, route: Route, moment: Moment) {
    let due = core.edit(|state| state.portals.get_mut(&id).map(|portal| portal.take_actions(route, moment)));
    let portal = Portal::new(core, id);
    for action in due.unwrap_or_default() {
        (action.run)(&portal);
    }
}

/// The table of §1, column "Gate, in this order".
fn gates(state: &State, context: &Context, matched: Match) -> Result<(), Answer> {
    match matched.route {
        Route::DeleteHistory | Route::History | Route::Schedule | Route::BackupProgress => {
            if context.dump == Some(true) {
                dump_gate(state, context.portal)?;
            }
            admin_gate(state, context)
        }
        Route::DeleteBackup => {
            admin_gate(state, context)?;
            // The record's check came with the fix of 3.2.1 (§2.2).
            let row = matched.id.and_then(|id| state.row(id));
            if state.since(3, 2, 1) && row.is_some_and(|row| row.tenant == DUMPS) {
                dump_gate(state, context.portal)?;
            }
            Ok(())
        }
        // §1: gated since 3.7.1; before, any user.
        Route::ServiceState if !state.since(3, 7, 1) => Ok(()),
        Route::ServiceState | Route::BackupsCount | Route::CancelBackup => admin_gate(state, context),
        _ => Ok(()),
    }
}

/// §1: not on `SaaS`, and not on a portal with limited access space.
fn dump_gate(state: &State, id: PortalId) -> Result<(), Answer> {
    let limited = state.portal(id).is_none_or(|portal| portal.is(Flag::LimitedAccessSpace));
    if state.config.standalone && !limited {
        return Ok(());
    }
    Err(Answer::exception(403, &Exception::new("System.Security.SecurityException", "Access denied")))
}

/// §1: `EditPortalSettings`; then, on `SaaS`, the feature must not be hidden.
fn admin_gate(state: &State, context: &Context) -> Result<(), Answer> {
    let admin = context.user.as_ref().is_some_and(|user| matches!(user.role, Role::Owner | Role::Admin));
    if !admin {
        let kind = "ASC.Common.Security.Authorizing.AuthorizingException";
        return Err(Answer::exception(403, &Exception::new(kind, "Access denied")));
    }
    if state.config.standalone || !state.config.backup_hidden {
        return Ok(());
    }
    // §1: 403 since 3.7.1, 402 before.
    if state.since(3, 7, 1) {
        Err(Answer::exception(403, &Exception::new("System.Security.SecurityException", "Access denied")))
    } else {
        let kind = "ASC.Core.Billing.BillingException";
        Err(Answer::exception(402, &Exception::new(kind, "Your pricing plan does not support this option")))
    }
}
