//! What a portal is and holds: its address, its backups, what is to be deleted, how often to try.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use url::Url;

/// A portal's address: scheme, host and port, nothing else. `https`, or `http` where that was allowed on purpose.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PortalUrl(Url);

/// Why a text is no portal's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortalUrlError {
    /// It is no URL at all.
    #[error("this is no URL: {0}")]
    Syntax(url::ParseError),
    /// `http` without `allow_http = true`.
    #[error("http sends the key in clear text")]
    Http,
    /// Neither `https` nor `http`.
    #[error("a portal's URL begins with https://, not with {0}:")]
    Scheme(String),
    /// It names no host.
    #[error("the URL names no host")]
    NoHost,
    /// It carries a user name or a password.
    #[error("the URL carries a user name or a password")]
    UserInfo,
    /// It carries a path.
    #[error("the URL carries a path")]
    Path,
    /// It carries a query or a fragment.
    #[error("the URL carries a query or a fragment")]
    Query,
}

impl PortalUrl {
    /// Checks an address; `allow_http` admits plain `http`.
    pub fn parse(text: &str, allow_http: bool) -> Result<Self, PortalUrlError> {
        let url = Url::parse(text).map_err(PortalUrlError::Syntax)?;
        match url.scheme() {
            "https" => {}
            "http" if allow_http => {}
            "http" => return Err(PortalUrlError::Http),
            other => return Err(PortalUrlError::Scheme(other.to_owned())),
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(PortalUrlError::NoHost);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(PortalUrlError::UserInfo);
        }
        if !matches!(url.path(), "" | "/") {
            return Err(PortalUrlError::Path);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(PortalUrlError::Query);
        }
        Ok(Self(url))
    }

    /// The host, without the port.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The address as a URL whose path is `/`.
    pub fn as_url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for PortalUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for PortalUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How the key is put into the `Authorization` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Authorization {
    /// `Bearer KEY`, the only form in which a server takes an `sk-` key.
    #[default]
    Bearer,
    /// The key's text as it stands.
    Verbatim,
}

/// Which of the two sets of backups one deletion is about: the value of the request's `Dump` parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dump {
    /// `Dump=false`: the portal's own backups.
    Own,
    /// `Dump=true`: the server-wide dumps, which all portals of a server share, and only those.
    ServerWide,
}

impl Dump {
    /// The parameter's value on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Own => "false",
            Self::ServerWide => "true",
        }
    }
}

/// A portal's `dump` setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DumpSetting {
    /// `false`: the portal's own backups.
    #[default]
    Own,
    /// `true`: the server-wide dumps, and only those.
    ServerWide,
    /// `"both"`: two deletions, the portal's own backups first.
    Both,
}

impl DumpSetting {
    /// The deletions that the setting asks for, in their order.
    pub fn dumps(self) -> &'static [Dump] {
        match self {
            Self::Own => &[Dump::Own],
            Self::ServerWide => &[Dump::ServerWide],
            Self::Both => &[Dump::Own, Dump::ServerWide],
        }
    }

    /// The setting in records: `false`, `true` or `both`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Own => "false",
            Self::ServerWide => "true",
            Self::Both => "both",
        }
    }
}

impl From<Dump> for DumpSetting {
    fn from(dump: Dump) -> Self {
        match dump {
            Dump::Own => Self::Own,
            Dump::ServerWide => Self::ServerWide,
        }
    }
}

/// Which backups survive a sweep: those that any of its rules holds. There is at least one rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    last: Option<NonZeroU32>,
    within: Option<Duration>,
}

impl Keep {
    /// A policy of one rule or both; none is no policy, and a span of nothing is no rule.
    pub fn new(last: Option<NonZeroU32>, within: Option<Duration>) -> Option<Self> {
        let within = within.filter(|span| !span.is_zero());
        (last.is_some() || within.is_some()).then_some(Self { last, within })
    }

    /// `last`: the newest so many stay.
    pub fn last(&self) -> Option<NonZeroU32> {
        self.last
    }

    /// `within`: those younger than this stay.
    pub fn within(&self) -> Option<Duration> {
        self.within
    }
}

/// A backup's identity on its server, as the server wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct BackupId(Arc<str>);

impl BackupId {
    /// An id from the server's list.
    pub fn new(id: &str) -> Self {
        Self(id.into())
    }

    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where a backup's file lies (docspace-api.md §1.2, `storageType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageKind {
    /// 0: a folder of the portal itself.
    Documents,
    /// 1: a connected account, such as Dropbox or Nextcloud.
    ThirdPartyDocuments,
    /// 2: never resolved by the server, which deletes nothing for it.
    CustomCloud,
    /// 3: a path on the server's disk.
    Local,
    /// 4: temporary, kept for 24 hours.
    DataStore,
    /// 5: S3, Google Cloud Storage and the like.
    ThirdPartyConsumer,
    /// Any other number.
    Unknown(i64),
}

impl From<i64> for StorageKind {
    fn from(number: i64) -> Self {
        match number {
            0 => Self::Documents,
            1 => Self::ThirdPartyDocuments,
            2 => Self::CustomCloud,
            3 => Self::Local,
            4 => Self::DataStore,
            5 => Self::ThirdPartyConsumer,
            other => Self::Unknown(other),
        }
    }
}

impl StorageKind {
    /// The kind in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Documents => "documents",
            Self::ThirdPartyDocuments => "third_party_documents",
            Self::CustomCloud => "custom_cloud",
            Self::Local => "local",
            Self::DataStore => "data_store",
            Self::ThirdPartyConsumer => "third_party_consumer",
            Self::Unknown(_) => "unknown",
        }
    }
}

impl Serialize for StorageKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One entry of a portal's backup history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Backup {
    /// Its identity on the server.
    pub id: BackupId,
    /// The archive's file name; empty where the server gave none.
    pub file_name: String,
    /// Where the archive lies; `None` where the server did not say.
    pub storage: Option<StorageKind>,
    /// When it was made; a date without offset is read as UTC. `None` where the server gave no date.
    pub created_on: Option<Timestamp>,
}

/// How often and how long one sweep tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, the first one included.
    pub max_attempts: NonZeroU32,
    /// The upper bound of the first wait; it doubles with each attempt.
    pub initial_backoff: Duration,
    /// The upper bound of every wait.
    pub max_backoff: Duration,
    /// The whole sweep ends this long after it began, or earlier (design.md §4).
    pub deadline: Duration,
}

impl Default for RetryPolicy {
    /// The defaults of the configuration: 5 attempts, 2 s doubling to 5 min, 1 h in all.
    fn default() -> Self {
        const FIVE: NonZeroU32 = NonZeroU32::MIN.saturating_add(4);
        Self {
            max_attempts: FIVE,
            initial_backoff: Duration::from_secs(2),
            max_backoff: Duration::from_mins(5),
            deadline: Duration::from_hours(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_scheme_host_and_port_only() {
        let good = PortalUrl::parse("https://acme.example.com:8443/", false).unwrap();
        assert_eq!(good.to_string(), "https://acme.example.com:8443");
        assert_eq!(good.host(), "acme.example.com");
        let cases = [
            ("http://a.example", PortalUrlError::Http),
            ("ftp://a.example", PortalUrlError::Scheme("ftp".into())),
            ("https://u:p@a.example", PortalUrlError::UserInfo),
            ("https://a.example/products", PortalUrlError::Path),
            ("https://a.example/?x=1", PortalUrlError::Query),
            ("https://a.example/#x", PortalUrlError::Query),
        ];
        for (text, error) in cases {
            assert_eq!(PortalUrl::parse(text, false), Err(error), "{text}");
        }
        assert!(PortalUrl::parse("http://a.example", true).is_ok());
    }
}
