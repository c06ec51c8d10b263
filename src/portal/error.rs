//! What went wrong with one call.

use std::fmt;
use std::time::Duration;

use crate::domain::{Failure, FailureClass};

/// The longest text that is taken over from a portal into an error, in characters.
const MAX_QUOTE: usize = 200;

/// The calls that docsweep makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    /// The preflight.
    RestoreProgress,
    /// The version hint.
    Version,
    /// The list of backups.
    History,
    /// The deletion of all of them.
    DeleteHistory,
    /// The deletion of one of them.
    DeleteBackup,
}

impl Call {
    /// Whether the call can delete.
    pub fn deletes(self) -> bool {
        matches!(self, Self::DeleteHistory | Self::DeleteBackup)
    }

    /// The call's path. `deletebackupschedule` differs by a few letters and stops all future backups: these are
    /// constants, and nothing is ever added to them but the `Dump` parameter or, to the last one, a checked GUID.
    pub fn path(self) -> &'static str {
        match self {
            Self::RestoreProgress => "/api/2.0/backup/getrestoreprogress",
            Self::Version => "/api/2.0/settings/version/build",
            Self::History => "/api/2.0/backup/getbackuphistory",
            Self::DeleteHistory => "/api/2.0/backup/deletebackuphistory",
            Self::DeleteBackup => "/api/2.0/backup/deletebackup",
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.deletes() { "DELETE" } else { "GET" };
        let name = self.path().rsplit('/').next().unwrap_or_default();
        match self {
            Self::Version => f.write_str("GET settings/version/build"),
            _ => write!(f, "{verb} {name}"),
        }
    }
}

/// One call's failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct PortalError {
    /// Its class.
    pub class: FailureClass,
    /// The status of the answer, if one came.
    pub http_status: Option<u16>,
    /// How long the portal asks to wait.
    pub retry_after: Option<Duration>,
    /// A 404 or 405 without a problem+json body: the route is not served here, as behind a gateway that filters.
    pub not_served: bool,
    /// What was seen, with the call's name; bounded, without secrets.
    pub detail: String,
}

impl PortalError {
    /// A failure of `call` without an answer.
    pub(crate) fn new(class: FailureClass, detail: impl Into<String>) -> Self {
        Self { class, http_status: None, retry_after: None, not_served: false, detail: detail.into() }
    }

    /// The failure as it is recorded.
    pub fn failure(&self) -> Failure {
        Failure { class: self.class, http_status: self.http_status, detail: self.detail.clone() }
    }

    /// Whether the failure of one backup's deletion is about that backup alone, and says nothing of the next one: a
    /// storage that fails, an account that was disconnected, a record that is gone (docspace-api.md §2.4).
    pub fn concerns_one_backup(&self) -> bool {
        match self.class {
            FailureClass::ServerError => self.http_status == Some(500),
            FailureClass::BadResponse => matches!(self.http_status, Some(200 | 400 | 403 | 404)),
            _ => false,
        }
    }

    /// Whether the call certainly did nothing: it was not sent, or was refused. A server that failed, and a 200 that
    /// makes no sense, can hide that it did its work.
    pub fn did_nothing(&self) -> bool {
        match self.class {
            FailureClass::Unreachable
            | FailureClass::Tls
            | FailureClass::KeyUnavailable
            | FailureClass::NoSuchPortal => true,
            FailureClass::ServerError | FailureClass::OutcomeUnknown | FailureClass::BadResponse => false,
            _ => self.http_status.is_some_and(|status| (300..500).contains(&status)),
        }
    }

    /// Whether the answer was a 5xx.
    pub fn is_5xx(&self) -> bool {
        self.http_status.is_some_and(|status| (500..600).contains(&status))
    }
}

/// A portal's text, fit for a log line: printable, on one line, at most 200 characters.
pub(crate) fn quote(text: &str) -> String {
    let mut clean: String =
        text.chars().take(MAX_QUOTE).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(MAX_QUOTE).is_some() {
        clean.push('…');
    }
    clean.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_is_bounded_and_on_one_line() {
        assert_eq!(quote("a\r\nb\u{1b}[31m"), "a  b [31m");
        assert_eq!(quote(&"ä".repeat(500)).chars().count(), 201);
    }
}
