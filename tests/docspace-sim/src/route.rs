//! Which call a request is: paths and verbs to [`Route`]s (§1).
//!
//! Routes are matched without regard to case and with an optional trailing slash; only the prefix
//! `/api/2.0` is case-sensitive, because nginx and not the application looks at it.

use uuid::Uuid;

/// A call of the API, or a group of them when used to select requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Route {
    /// Selects every request; never the route of one.
    AnyRoute,
    /// `DELETE backup/deletebackuphistory`.
    DeleteHistory,
    /// `DELETE backup/deletebackup/{id}`.
    DeleteBackup,
    /// `GET backup/getbackuphistory`.
    History,
    /// `GET backup/getbackupschedule`.
    Schedule,
    /// `GET backup/getbackupprogress`.
    BackupProgress,
    /// `GET backup/getrestoreprogress`, open to anybody.
    RestoreProgress,
    /// `GET backup/getservicestate`.
    ServiceState,
    /// `GET backup/getbackupscount`.
    BackupsCount,
    /// `POST backup/cancelbackup`.
    CancelBackup,
    /// `GET settings/version/build`, open to anybody.
    Version,
    /// `GET keys/@self`.
    KeySelf,
    /// A path of the API that exists, with another verb: 405.
    WrongVerb,
    /// Under the API's prefix, but no call: 404.
    Unknown,
    /// Outside the API's prefix: the web client's page.
    WebClient,
}

impl Route {
    /// Whether a request of route `other` is meant by `self`.
    pub fn selects(self, other: Self) -> bool {
        self == Self::AnyRoute || self == other
    }

    /// Open to requests without a user (§1).
    pub(crate) fn anonymous(self) -> bool {
        matches!(self, Self::RestoreProgress | Self::Version)
    }

    /// Answered on an unpaid portal too (§1).
    pub(crate) fn ignores_unpaid(self) -> bool {
        matches!(
            self,
            Self::RestoreProgress
                | Self::BackupProgress
                | Self::ServiceState
                | Self::BackupsCount
                | Self::CancelBackup
                | Self::Version
                | Self::KeySelf
        )
    }

    /// Needs no scope of its own (§4.2).
    pub(crate) fn needs_no_scope(self) -> bool {
        self == Self::KeySelf
    }

    /// No MVC endpoint stands behind it: no authorization, no filters.
    pub(crate) fn is_endpoint(self) -> bool {
        !matches!(self, Self::WrongVerb | Self::Unknown | Self::WebClient | Self::AnyRoute)
    }
}

/// What a path and verb came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Match {
    pub(crate) route: Route,
    /// The id of `deletebackup/{id}`.
    pub(crate) id: Option<Uuid>,
    /// The verb that would have been right, for [`Route::WrongVerb`].
    pub(crate) allow: &'static str,
}

/// Finds the route of a request.
pub(crate) fn find(method: &str, path: &str) -> Match {
    let Some(rest) = path.strip_prefix("/api/2.0") else {
        // §1: nginx's prefix is case-sensitive; elsewhere `location /` serves the web client.
        return Match { route: Route::WebClient, id: None, allow: "" };
    };
    let rest = rest.to_ascii_lowercase();
    let rest = rest.strip_suffix('/').unwrap_or(&rest);
    let (route, verb, id) = endpoint(rest);
    let route = if route == Route::Unknown || method == verb { route } else { Route::WrongVerb };
    Match { route, id, allow: verb }
}

fn endpoint(path: &str) -> (Route, &'static str, Option<Uuid>) {
    if let Some(id) = path.strip_prefix("/backup/deletebackup/") {
        // §2.4: a malformed GUID fails the route constraint.
        return match id.parse::<Uuid>() {
            Ok(id) => (Route::DeleteBackup, "DELETE", Some(id)),
            Err(_) => (Route::Unknown, "", None),
        };
    }
    let (route, verb) = match path {
        "/backup/deletebackuphistory" => (Route::DeleteHistory, "DELETE"),
        "/backup/getbackuphistory" => (Route::History, "GET"),
        "/backup/getbackupschedule" => (Route::Schedule, "GET"),
        "/backup/getbackupprogress" => (Route::BackupProgress, "GET"),
        "/backup/getrestoreprogress" => (Route::RestoreProgress, "GET"),
        "/backup/getservicestate" => (Route::ServiceState, "GET"),
        "/backup/getbackupscount" => (Route::BackupsCount, "GET"),
        "/backup/cancelbackup" => (Route::CancelBackup, "POST"),
        "/settings/version/build" => (Route::Version, "GET"),
        "/keys/@self" => (Route::KeySelf, "GET"),
        _ => (Route::Unknown, ""),
    };
    (route, verb, None)
}
