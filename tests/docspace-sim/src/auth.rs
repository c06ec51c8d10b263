//! Who a request is from: the tenant out of its host (§9), the user out of its headers (§4.1, §4.2).
//!
//! Nothing here refuses a request, but for the two exceptions that authentication throws; "nobody" is
//! an identity like any other, and the pipeline decides what it may do.

use crate::answer::{Answer, Exception};
use crate::model::{Key, Role, Status, now};
use crate::portal_state::Flag;
use crate::state::{PortalId, State};
use crate::wire::Head;

/// Who sends a request.
#[derive(Debug, Clone)]
pub(crate) enum Identity {
    /// Not authenticated.
    Nobody {
        /// §4.1: the Basic handler adds its challenge.
        basic: bool,
        /// An API key was sent, and is not valid.
        bad_key: bool,
    },
    /// Authenticated.
    User(User),
}

/// An authenticated user of the request's portal.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) role: Role,
    /// The key used, with its text; `None` for a session.
    pub(crate) key: Option<(String, Key)>,
}

impl User {
    /// §4.2: GET needs `*:read` or `*:write`, anything else `*:write`; an empty list or `*` is full.
    pub(crate) fn scopes_allow(&self, method: &str) -> bool {
        let Some((_, key)) = &self.key else { return true };
        let has = |scope: &str| key.scopes.iter().any(|own| own == scope);
        key.scopes.is_empty() || has("*") || has("*:write") || (method == "GET" && has("*:read"))
    }
}

/// §9, §4.4: the portal a request is for, by the host of its URL.
pub(crate) fn tenant(state: &State, head: &Head) -> Option<PortalId> {
    let host = request_host(state, head)?;
    let (name, port) = host.rsplit_once(':').unwrap_or((&host, ""));
    let alive = |id: &PortalId| state.portal(*id).is_some_and(|portal| !portal.is(Flag::Gone));
    if matches!(name, "127.0.0.1" | "localhost") {
        return port.parse().ok().map(PortalId).filter(alive);
    }
    // §4.4: a standalone server gives a host outside its base domain to the first active portal.
    let active = |id: &PortalId| alive(id) && state.portal(*id).is_some_and(|p| p.status == Status::Active);
    state.order.iter().copied().find(active).filter(|_| state.config.standalone)
}

/// §9: a query `origin` replaces the host; `Origin` outranks it on standalone and stands in on `SaaS`.
fn request_host(state: &State, head: &Head) -> Option<String> {
    let forwarded = head.header("x-forwarded-host").or_else(|| head.header("host"));
    let origin = head.header("origin");
    let host = if let Some(query) = head.query_value("origin") {
        query
    } else if state.config.standalone {
        origin.or(forwarded)?.to_owned()
    } else {
        forwarded.or(origin)?.to_owned()
    };
    let host = host.split_once("://").map_or(host.as_str(), |(_, rest)| rest);
    let host = host.split_once('/').map_or(host, |(before, _)| before);
    Some(host.to_ascii_lowercase())
}

/// Runs the scheme that §4.1 selects; `Err` is an exception thrown by it.
pub(crate) fn authenticate(state: &State, tenant: Option<PortalId>, head: &Head) -> Result<Identity, Answer> {
    let value = head.header("authorization").unwrap_or_default().trim();
    if let Some(credentials) = value.strip_prefix("Basic ") {
        return basic(credentials);
    }
    // §4.1: prefixes are case-sensitive; §4.2: exactly seven characters are cut. Keys exist since 3.1.0.
    if let Some(token) = value.strip_prefix("Bearer ")
        && token.starts_with("sk-")
        && state.since(3, 1, 0)
    {
        return api_key(state, tenant, token);
    }
    // §4.1: for anything but a key, the cookie wins over the header.
    let cookie = head.header("cookie").and_then(session_cookie);
    let token = cookie.unwrap_or_else(|| value.strip_prefix("Bearer ").unwrap_or(value));
    let role = tenant.and_then(|id| state.portal(id)).and_then(|portal| portal.sessions.get(token)).copied();
    Ok(match role {
        Some(role) => Identity::User(User { name: user_name(role).to_owned(), role, key: None }),
        None => Identity::Nobody { basic: false, bad_key: false },
    })
}

fn user_name(role: Role) -> &'static str {
    match role {
        Role::Owner => "owner",
        Role::Admin => "admin",
        Role::RoomAdmin => "room-admin",
    }
}

fn session_cookie(header: &str) -> Option<&str> {
    header.split(';').find_map(|pair| pair.trim().strip_prefix("asc_auth_key="))
}

/// §4.1: malformed base64 is an exception; no passwords are modelled, so the rest is nobody.
fn basic(credentials: &str) -> Result<Identity, Answer> {
    let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    if !credentials.len().is_multiple_of(4) || !credentials.bytes().all(alphabet) {
        let message = "The input is not a valid Base-64 string.";
        return Err(Answer::exception(500, &Exception::new("System.FormatException", message)));
    }
    Ok(Identity::Nobody { basic: true, bad_key: false })
}

/// §4.2: valid if of the same tenant, active, not expired, and its creator enabled.
fn api_key(state: &State, tenant: Option<PortalId>, token: &str) -> Result<Identity, Answer> {
    let Some(portal) = tenant.and_then(|id| state.portal(id)) else {
        // §4.4: the key lookup throws before any filter can answer.
        let exception = Exception::new("System.Exception", "Could not resolve current tenant :-(.");
        return Err(Answer::exception(500, &exception));
    };
    let valid = portal
        .keys
        .get(token)
        .filter(|key| key.active && key.creator_enabled && key.expires.is_none_or(|expiry| expiry > now()));
    Ok(match valid {
        Some(key) => Identity::User(User {
            name: key.creator.clone(),
            role: key.role,
            key: Some((token.to_owned(), key.clone())),
        }),
        None => Identity::Nobody { basic: false, bad_key: true },
    })
}
