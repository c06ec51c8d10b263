//! Why a sweep failed, and what a person should do about it.

use serde::Serialize;

/// The kind of a failure. Each kind has one sentence of advice; how it is retried is `sweep`'s business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// DNS, refused, connect timeout: the request was not sent.
    Unreachable,
    /// The certificate or the handshake was refused.
    Tls,
    /// The server failed in a way that may pass.
    ServerError,
    /// 429.
    RateLimited,
    /// A deletion was sent and its answer never came.
    OutcomeUnknown,
    /// A restore, a transfer or an encryption is under way.
    Busy,
    /// 401.
    KeyRejected,
    /// The key could not be read on this machine, so nothing was sent.
    KeyUnavailable,
    /// 403: the key's permissions are too small.
    KeyScope,
    /// 403: the key's owner is no DocSpace admin.
    NotAdmin,
    /// Server-wide dumps are out of reach of this portal or this server.
    DumpRefused,
    /// 403: an IP restriction.
    IpBlocked,
    /// 402, or the backup feature is hidden.
    Unpaid,
    /// The portal is deactivated or being removed.
    Suspended,
    /// The host resolves to no portal of its server.
    NoSuchPortal,
    /// What answers is not the DocSpace API.
    NotAPortal,
    /// 3xx.
    Redirected,
    /// An answer of the API that makes no sense.
    BadResponse,
    /// A defect of docsweep itself, which ended this sweep only.
    Internal,
}

impl FailureClass {
    /// Every class, in the order of the README's table.
    pub const ALL: [Self; 19] = [
        Self::Unreachable,
        Self::Tls,
        Self::ServerError,
        Self::RateLimited,
        Self::OutcomeUnknown,
        Self::Busy,
        Self::KeyRejected,
        Self::KeyUnavailable,
        Self::KeyScope,
        Self::NotAdmin,
        Self::DumpRefused,
        Self::IpBlocked,
        Self::Unpaid,
        Self::Suspended,
        Self::NoSuchPortal,
        Self::NotAPortal,
        Self::Redirected,
        Self::BadResponse,
        Self::Internal,
    ];

    /// The class in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Tls => "tls",
            Self::ServerError => "server_error",
            Self::RateLimited => "rate_limited",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::Busy => "busy",
            Self::KeyRejected => "key_rejected",
            Self::KeyUnavailable => "key_unavailable",
            Self::KeyScope => "key_scope",
            Self::NotAdmin => "not_admin",
            Self::DumpRefused => "dump_refused",
            Self::IpBlocked => "ip_blocked",
            Self::Unpaid => "unpaid",
            Self::Suspended => "suspended",
            Self::NoSuchPortal => "no_such_portal",
            Self::NotAPortal => "not_a_portal",
            Self::Redirected => "redirected",
            Self::BadResponse => "bad_response",
            Self::Internal => "internal",
        }
    }

    /// One sentence for the person who is woken by it: what to do, not what went wrong.
    #[expect(clippy::too_many_lines, reason = "one sentence for each class, and nothing else")]
    pub fn advice(self) -> &'static str {
        match self {
            Self::Unreachable => {
                "Check that the portal's host name resolves and that its port, or the proxy's, can be reached from \
                 this machine; nothing was sent."
            }
            Self::Tls => {
                "Renew or complete the portal's certificate, or name the CA that issued it in `ca_file` (a self-signed \
                 certificate that is its own CA is not enough); nothing was sent."
            }
            Self::ServerError => {
                "Look into the DocSpace server's own log and the state of its services: it answered with an error, \
                 or not at all, until the last attempt."
            }
            Self::RateLimited => {
                "Lower `per_server` or spread the schedule with `splay`: the server refused the pace until the last \
                 attempt."
            }
            Self::OutcomeUnknown => {
                "Look at the portal's backup list before anything else: a deletion was sent and nobody saw how it \
                 ended; the server may have finished it."
            }
            Self::Busy => {
                "Wait until the portal's restore, transfer or encryption is over; after a restore the portal needs a \
                 new API key."
            }
            Self::KeyRejected => {
                "Make a new API key as a DocSpace admin of this very portal and put it in place of the old one: it is \
                 wrong, expired, disabled, or the portal was restored."
            }
            Self::KeyUnavailable => {
                "Put the portal's key where `api_key` says, readable by the user that docsweep runs as; nothing was \
                 sent."
            }
            Self::KeyScope => {
                "Make an API key with all permissions: no smaller permission covers backups, and the portal refused \
                 this one."
            }
            Self::NotAdmin => "Make the key's owner a DocSpace admin, or use the key of somebody who is one.",
            Self::DumpRefused => {
                "Set `dump = false` for this portal: server-wide dumps exist only on standalone servers from 3.1 on, \
                 for portals without limited access."
            }
            Self::IpBlocked => {
                "Allow this machine's address in the portal's IP restrictions (or at the firewall in front of it), or \
                 use the key of the portal's owner."
            }
            Self::Unpaid => {
                "Have the portal's subscription paid, or its plan's backup feature switched on; until then set \
                 `enabled = false`."
            }
            Self::Suspended => {
                "Reactivate the portal, or take it out of the configuration: it is deactivated or being removed."
            }
            Self::NoSuchPortal => {
                "Correct the portal's `url`: its server knows no portal of this host name; it was renamed or deleted, \
                 and the name can later belong to somebody else."
            }
            Self::NotAPortal => {
                "Correct the portal's `url`, or let the gateway in front of it pass the calls under \
                 /api/2.0/backup/: what answered is not the DocSpace API."
            }
            Self::Redirected => {
                "Write the address that the portal redirects to as its `url`: redirects are never followed, since \
                 they can turn a deletion into something else."
            }
            Self::BadResponse => {
                "Check what stands between docsweep and the portal, and the server's version: the answer was none \
                 that the DocSpace API gives."
            }
            Self::Internal => {
                "Report this as a defect of docsweep, with the log lines around it; other portals are not affected."
            }
        }
    }
}

/// One failure, as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Its kind.
    pub class: FailureClass,
    /// The HTTP status that was seen, if an answer came.
    pub http_status: Option<u16>,
    /// What was seen, for a person: bounded, without secrets, without the portal's answer in full.
    pub detail: String,
}
