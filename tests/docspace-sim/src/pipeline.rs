//! The order of checks of §0, which decides which error wins.
//!
//! [`admit`] is the middleware (tenant, authentication, rate limiter); [`finish`] is authorization and
//! the MVC filters, then binding and the action. Holds stand between the two.

use std::sync::Arc;

use tokio::time::Instant;

use crate::answer::Answer;
use crate::auth::{self, Identity, User};
use crate::core::Core;
use crate::handlers;
use crate::limit::{Lease, Partition};
use crate::model::{Role, Status};
use crate::portal_state::Flag;
use crate::route::{Match, Route};
use crate::state::{PortalId, State};
use crate::wire::Head;

/// What the middleware found out.
pub(crate) struct Admission {
    tenant: Option<PortalId>,
    /// `Err` is an answer already: an exception of the authentication, or 429.
    identity: Result<Identity, Answer>,
    lease: Option<Lease>,
}

/// What an action knows about its request.
pub(crate) struct Context {
    /// The position in the request log.
    pub(crate) seq: usize,
    pub(crate) portal: PortalId,
    pub(crate) tenant: i64,
    pub(crate) user: Option<User>,
    /// `None` if absent, or if this version has no such parameter.
    pub(crate) dump: Option<bool>,
}

/// Tenant, authentication, rate limiter.
pub(crate) fn admit(core: &Arc<Core>, head: &Head, route: Route) -> Admission {
    let nobody = Identity::Nobody { basic: false, bad_key: false };
    if route == Route::WebClient {
        return Admission { tenant: None, identity: Ok(nobody), lease: None };
    }
    let mut state = core.lock();
    let tenant = auth::tenant(&state, head);
    let identity = auth::authenticate(&state, tenant, head);
    let (Some(limit), Ok(known)) = (state.config.rate_limit, &identity) else {
        return Admission { tenant, identity, lease: None };
    };
    // §5: the partition is the user, else the remote address.
    let partition = match (known, tenant) {
        (Identity::User(user), Some(portal)) => Partition::User(portal, user.name.clone()),
        _ => Partition::Address,
    };
    let get = head.method == "GET";
    let taken = state.limiter.acquire(limit, &partition, get, Instant::now());
    drop(state);
    match taken {
        Ok(()) => {
            let lease = Some(Lease::new(core, partition, get));
            Admission { tenant, identity, lease }
        }
        // §5: empty, and these limiters send neither Retry-After nor X-RateLimit-Reset.
        Err(refused) => {
            let answer = Answer::empty(429)
                .header("X-RateLimit-Limit", &refused.limit.to_string())
                .header("X-RateLimit-Remaining", "0");
            Admission { tenant, identity: Err(answer), lease: None }
        }
    }
}

/// Everything behind the middleware; the concurrency lease ends with it.
pub(crate) async fn finish(
    core: Arc<Core>,
    seq: usize,
    head: &Head,
    matched: Match,
    admission: Admission,
) -> Answer {
    if matched.route == Route::WebClient {
        return Answer::web_client();
    }
    let Admission { tenant, identity, lease } = admission;
    let context = identity.and_then(|identity| filter(&core.lock(), seq, head, matched, (tenant, identity)));
    let answer = match context {
        Ok(context) => handlers::act(&core, &context, head, matched).await,
        Err(answer) => answer,
    };
    drop(lease);
    answer
}

/// Authorization, then the MVC filters in their order.
fn filter(
    state: &State,
    seq: usize,
    head: &Head,
    matched: Match,
    (tenant, identity): (Option<PortalId>, Identity),
) -> Result<Context, Answer> {
    let route = matched.route;
    if route == Route::WrongVerb {
        return Err(Answer::empty(405).header("Allow", matched.allow));
    }
    if !route.is_endpoint() {
        return Err(Answer::empty(404));
    }
    authorize(state, head, route, &identity)?;
    // §4.4: without a tenant only anonymous routes come this far, and find 404.
    let Some((id, portal)) = tenant.and_then(|id| Some((id, state.portal(id)?))) else {
        return Err(Answer::problem(404));
    };
    tenant_status(portal.status, &head.path)?;
    // §4.4, PaymentFilter: it honours a request header that switches it off.
    let pardoned = head.header("payment-info").is_some_and(|value| value.eq_ignore_ascii_case("false"));
    if portal.is(Flag::Unpaid) && !route.ignores_unpaid() && !pardoned {
        return Err(Answer::problem(402));
    }
    let owner = matches!(&identity, Identity::User(user) if user.role == Role::Owner);
    if portal.is(Flag::IpRestricted) && !owner {
        return Err(Answer::ip_restricted(head));
    }
    anonymous_scopes(state, head, route, &identity)?;
    let dump = bind_dump(state, head, route)?;
    let user = match identity {
        Identity::User(user) => Some(user),
        Identity::Nobody { .. } => None,
    };
    Ok(Context { seq, portal: id, tenant: portal.tenant, user, dump })
}

/// §4.3: 401 and the scope's 403 are empty.
fn authorize(state: &State, head: &Head, route: Route, identity: &Identity) -> Result<(), Answer> {
    if route.anonymous() {
        return Ok(());
    }
    match identity {
        Identity::Nobody { basic: true, .. } => Err(Answer::empty(401).header("WWW-Authenticate", "Basic")),
        Identity::Nobody { .. } => Err(Answer::empty(401)),
        // §2.2: on 3.1.x any key of an admin passed.
        Identity::User(user)
            if state.since(3, 2, 1) && !route.needs_no_scope() && !user.scopes_allow(&head.method) =>
        {
            Err(Answer::empty(403))
        }
        Identity::User(_) => Ok(()),
    }
}

/// §4.4, `TenantStatusFilter`, with the endings it lets through.
fn tenant_status(status: Status, path: &str) -> Result<(), Answer> {
    let path = path.trim_end_matches('/').to_ascii_lowercase();
    let exempt = ["getrestoreprogress", "settings", "portal", "build"];
    match status {
        Status::Active | Status::Migrating => Ok(()),
        Status::Suspended | Status::RemovePending => Err(Answer::problem(404)),
        _ if exempt.iter().any(|ending| path.ends_with(ending)) => Ok(()),
        Status::Transferring | Status::Restoring | Status::Encryption => Err(Answer::problem(403)),
    }
}

/// §4.3, `ApiKeyScopesFilter` (since 3.7.1): a key is judged on anonymous routes too.
fn anonymous_scopes(state: &State, head: &Head, route: Route, identity: &Identity) -> Result<(), Answer> {
    if !route.anonymous() || !state.since(3, 7, 1) {
        return Ok(());
    }
    let fine = match identity {
        Identity::Nobody { bad_key, .. } => !bad_key,
        Identity::User(user) => user.scopes_allow(&head.method),
    };
    if fine { Ok(()) } else { Err(Answer::problem(403)) }
}

/// §1, binding of `Dump`: `true` or `false` in any case, anything else is 400; unknown before 3.1.0.
fn bind_dump(state: &State, head: &Head, route: Route) -> Result<Option<bool>, Answer> {
    let takes_dump = matches!(
        route,
        Route::DeleteHistory
            | Route::History
            | Route::Schedule
            | Route::BackupProgress
            | Route::RestoreProgress
    );
    let text = head.query_value("dump").filter(|_| takes_dump && state.since(3, 1, 0));
    let Some(text) = text else { return Ok(None) };
    match text.to_ascii_lowercase().parse() {
        Ok(dump) => Ok(Some(dump)),
        Err(_) => Err(Answer::validation(head, "Dump", &text)),
    }
}
