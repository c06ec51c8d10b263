//! The valid configuration: every value checked, every default and every inheritance resolved.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use url::Url;

use super::LedgerUrl;
use crate::cron::Timetable;
use crate::domain::{
    Authorization, DumpSetting, Keep, Method, PortalName, PortalUrl, RetryPolicy, ScheduleLabel, ServerName,
};
use crate::keys::ApiKeySource;

/// A whole valid configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// What holds for the process.
    pub daemon: Daemon,
    /// What holds for all portals together.
    pub safety: Safety,
    /// The named schedules in file order, those that no portal uses included. Inline ones hang on their portals.
    pub schedules: Vec<Arc<Schedule>>,
    /// The portals in file order; there is at least one.
    pub portals: Vec<Portal>,
}

/// `[daemon]`: what holds for the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Daemon {
    /// Sweeps running at once; at least 1.
    pub concurrency: usize,
    /// Sweeps running at once against one server; at least 1.
    pub per_server: usize,
    /// Where the ledger is.
    pub ledger: LedgerUrl,
    /// How long a sweep stays in the ledger; from a day to 100 years.
    pub ledger_retention: Duration,
    /// How long running sweeps may finish after SIGTERM; zero ends them at once.
    pub shutdown_grace: Duration,
    /// `[daemon.log]`.
    pub log: Log,
}

impl Default for Daemon {
    fn default() -> Self {
        Self {
            concurrency: 64,
            per_server: 4,
            ledger: LedgerUrl::Sqlite("docsweep.db".into()),
            ledger_retention: Duration::from_hours(400 * 24),
            shutdown_grace: Duration::from_secs(30),
            log: Log { format: LogFormat::Auto, level: "info".to_owned() },
        }
    }
}

/// `[daemon.log]`: what is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The form of a record.
    pub format: LogFormat,
    /// A filter that `tracing_subscriber::EnvFilter` is known to take.
    pub level: String,
}

/// The form of a log record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, else JSON.
    Auto,
    /// For people.
    Text,
    /// One object a line.
    Json,
}

impl LogFormat {
    /// Every form.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Text, Self::Json];

    /// The form as it is configured.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

/// `[safety]`: limits that hold whatever a portal is configured to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Safety {
    /// How many portals one tick may leave without any backup. Zero: no portal's last backup is ever deleted.
    /// `None`: there is no limit.
    pub max_wipes: Option<u32>,
}

/// When portals are due. Portals with equal schedules share one value.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// The name, or the cron expression of an inline schedule.
    pub label: ScheduleLabel,
    /// The slots.
    pub timetable: Timetable,
    /// Each portal starts at a fixed offset within this span after the slot; at most 24 hours.
    pub splay: Duration,
    /// How late the newest slot that passed while nothing ran may still be made up for; at most 7 days. Zero: not at all.
    pub catch_up: Duration,
}

/// One `[[portals]]` entry with all that it inherits.
#[derive(Debug, Clone)]
pub struct Portal {
    /// Its name, which no other portal has.
    pub name: PortalName,
    /// Its address, whose host and port no other portal has.
    pub url: PortalUrl,
    /// Its server, in lower case; by default the URL's host.
    pub server: ServerName,
    /// Where its key is read from. A relative path is already taken relative to the configuration's folder.
    pub api_key: ApiKeySource,
    /// How the key is sent.
    pub authorization: Authorization,
    /// When it is due.
    pub schedule: Arc<Schedule>,
    /// Which backups are deleted.
    pub dump: DumpSetting,
    /// Which of them survive; `None`: none does.
    pub keep: Option<Keep>,
    /// How they are deleted: `Each` wherever some of them survive.
    pub method: Method,
    /// Whether the list is read again after the deletion.
    pub verify: bool,
    /// `false`: its slots are recorded `paused`.
    pub enabled: bool,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long one request may take in all; at least `connect_timeout`.
    pub timeout: Duration,
    /// A further CA to trust, taken relative to the configuration's folder like a key's file.
    pub ca_file: Option<PathBuf>,
    /// The proxy; `None`: the usual environment variables decide.
    pub proxy: Option<ProxyUrl>,
    /// How often and how long a sweep tries.
    pub retry: RetryPolicy,
    /// Whether `url` may be plain http. Kept for `show-config`: `url` has been checked against it.
    pub allow_http: bool,
}

/// The portal settings that have a default of docsweep's own.
pub(super) mod default {
    use std::time::Duration;

    /// `verify`.
    pub(crate) const VERIFY: bool = true;
    /// `enabled`.
    pub(crate) const ENABLED: bool = true;
    /// `allow_http`.
    pub(crate) const ALLOW_HTTP: bool = false;
    /// `connect_timeout`.
    pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
    /// `timeout`: above the 60 s at which a portal's own proxy gives up, so that its 504 is seen.
    pub(crate) const TIMEOUT: Duration = Duration::from_secs(100);
    /// `splay`.
    pub(crate) const SPLAY: Duration = Duration::ZERO;
    /// `catch_up`.
    pub(crate) const CATCH_UP: Duration = Duration::ZERO;
}

/// The address of a proxy. It may hold a password, which neither `Display` nor `Debug` shows.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ProxyUrl(Url);

/// Why a text is no proxy's address. The text itself, which may hold a password, is never part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyUrlError {
    /// It is no URL at all.
    #[error("this is no URL: {0}")]
    Syntax(url::ParseError),
    /// A scheme that no proxy has.
    #[error("a proxy's URL begins with http://, https://, socks5:// or socks5h://")]
    Scheme,
    /// It names no host.
    #[error("the URL names no host")]
    NoHost,
    /// It carries a path, a query or a fragment.
    #[error("the URL carries more than a host and a port")]
    TooMuch,
}

impl ProxyUrl {
    /// Checks an address.
    pub fn parse(text: &str) -> Result<Self, ProxyUrlError> {
        let url = Url::parse(text).map_err(ProxyUrlError::Syntax)?;
        if !matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h") {
            return Err(ProxyUrlError::Scheme);
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(ProxyUrlError::NoHost);
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(ProxyUrlError::TooMuch);
        }
        Ok(Self(url))
    }

    /// The address for an HTTP client, password included: it belongs into no log.
    pub fn as_url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = if self.0.username().is_empty() && self.0.password().is_none() { "" } else { "(hidden)@" };
        write!(f, "{}://{user}{}", self.0.scheme(), self.0.host_str().unwrap_or_default())?;
        self.0.port().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxys_password_is_never_shown() {
        let proxy = ProxyUrl::parse("socks5h://sweeper:hunter2@proxy.example:1080").unwrap();
        assert_eq!(proxy.to_string(), "socks5h://(hidden)@proxy.example:1080");
        assert_eq!(format!("{proxy:?}"), proxy.to_string());
        assert_eq!(proxy.as_url().password(), Some("hunter2"));
        assert_eq!(ProxyUrl::parse("http://proxy:3128").unwrap().to_string(), "http://proxy:3128");
    }

    #[test]
    fn a_proxys_address_is_scheme_host_and_port() {
        let cases = [
            ("ftp://proxy", ProxyUrlError::Scheme),
            ("proxy:3128", ProxyUrlError::Scheme),
            ("http://proxy/path", ProxyUrlError::TooMuch),
            ("socks5://", ProxyUrlError::NoHost),
        ];
        for (text, error) in cases {
            assert_eq!(ProxyUrl::parse(text), Err(error), "{text}");
        }
    }
}
