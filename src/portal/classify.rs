//! What an answer or a broken exchange means: the table of docspace-api.md §8, from status, body shape and transport
//! phase, never from message text alone.

use std::error::Error as _;
use std::time::Duration;

use jiff::Timestamp;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::error::{Call, PortalError, quote};
use super::wire::{WireError, Wrapper};
use crate::domain::{Dump, FailureClass};

/// The most causes of a broken exchange that are told, the innermost ones.
const MAX_CAUSES: usize = 2;

/// An answer whose body was read in whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: String,
    pub(super) retry_after: Option<Duration>,
    /// Where a redirect points to, without its query.
    pub(super) location: Option<String>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    fn is_problem(&self) -> bool {
        self.content_type.starts_with("application/problem+json")
    }

    fn error(&self) -> Option<WireError> {
        serde_json::from_slice::<Wrapper<IgnoredAny>>(&self.body).ok()?.error
    }

    fn fail(&self, class: FailureClass, call: Call, what: &str) -> PortalError {
        PortalError {
            http_status: Some(self.status),
            retry_after: self.retry_after,
            ..PortalError::new(class, format!("{call}: HTTP {}: {what}", self.status))
        }
    }
}

/// Reads an answer: the payload's wrapper if it is one of success, else what it means.
pub(super) fn read<T: DeserializeOwned>(
    call: Call,
    dump: Dump,
    answer: &Answer,
) -> Result<Wrapper<T>, PortalError> {
    match answer.status {
        200 => success(call, answer),
        status => Err(refusal(call, dump, status, answer)),
    }
}

fn success<T: DeserializeOwned>(call: Call, answer: &Answer) -> Result<Wrapper<T>, PortalError> {
    let body = answer.body.trim_ascii();
    if !body.starts_with(b"{") && !answer.content_type.starts_with("application/json") {
        return Err(answer.fail(FailureClass::NotAPortal, call, "a page or text in place of an API answer"));
    }
    let bad = |what: &str| answer.fail(FailureClass::BadResponse, call, what);
    let wrapper: Wrapper<T> = serde_json::from_slice(body)
        .map_err(|error| bad(&format!("the body does not parse: {}", quote(&error.to_string()))))?;
    match (wrapper.status, &wrapper.error) {
        (Some(0), None) => Ok(wrapper),
        (Some(_), _) | (None, Some(_)) => {
            Err(bad(&format!("an error: {}", describe(wrapper.error.as_ref()))))
        }
        (None, None) => {
            Err(answer.fail(FailureClass::NotAPortal, call, "JSON that is no answer of the DocSpace API"))
        }
    }
}

fn refusal(call: Call, dump: Dump, status: u16, answer: &Answer) -> PortalError {
    match status {
        300..=399 => {
            let target = answer.location.as_deref().unwrap_or("nowhere");
            answer.fail(FailureClass::Redirected, call, &format!("redirected to {target}"))
        }
        401 => answer.fail(FailureClass::KeyRejected, call, "the key was rejected"),
        402 => answer.fail(FailureClass::Unpaid, call, "payment is required"),
        403 => forbidden(call, dump, answer),
        404 if answer.is_problem() => answer.fail(FailureClass::Suspended, call, "the portal is deactivated"),
        404 if call == Call::DeleteBackup && answer.error().is_some() => {
            answer.fail(FailureClass::BadResponse, call, &describe(answer.error().as_ref()))
        }
        404 | 405 => PortalError {
            not_served: true,
            ..answer.fail(FailureClass::NotAPortal, call, "this call is not served here")
        },
        408 => answer.fail(FailureClass::ServerError, call, "the server gave up waiting for the request"),
        429 => answer.fail(FailureClass::RateLimited, call, "too many requests"),
        // 504 is nginx's; 524 is what CDNs answer when the server behind them is silent. It may go on all the same.
        504 | 524 if call.deletes() => answer.fail(
            FailureClass::OutcomeUnknown,
            call,
            "the gateway gave up waiting; the server may go on deleting",
        ),
        500..=599 => server_error(call, answer),
        _ => answer.fail(FailureClass::BadResponse, call, &describe(answer.error().as_ref())),
    }
}

/// The kinds of 403, told apart by the shape of the body (docspace-api.md §4.3, §4.4, §6).
fn forbidden(call: Call, dump: Dump, answer: &Answer) -> PortalError {
    if answer.body.trim_ascii().is_empty() {
        return answer.fail(FailureClass::KeyScope, call, "the key's permissions are too small");
    }
    if answer.is_problem() {
        return answer.fail(
            FailureClass::Busy,
            call,
            "the portal is being restored, transferred or encrypted",
        );
    }
    let Some(error) = answer.error() else {
        let text = String::from_utf8_lossy(&answer.body);
        let what = if text.trim_start().starts_with('<') { "a page".to_owned() } else { quote(&text) };
        return answer.fail(FailureClass::IpBlocked, call, &format!("access is restricted: {what}"));
    };
    let kind = error.kind.as_deref().unwrap_or_default();
    let class = match (kind, dump) {
        // The server may not touch the file; the key may well delete the next one.
        ("System.UnauthorizedAccessException", _) if call == Call::DeleteBackup => FailureClass::BadResponse,
        ("System.InvalidOperationException", _) => FailureClass::ServerError,
        ("System.Security.SecurityException", Dump::ServerWide) => FailureClass::DumpRefused,
        // Without Dump it is a backup feature that the plan hides; servers up to 3.6.1 answer 402 for the same.
        ("System.Security.SecurityException", Dump::Own) => FailureClass::Unpaid,
        _ => FailureClass::NotAdmin,
    };
    answer.fail(class, call, &describe(Some(&error)))
}

fn server_error(call: Call, answer: &Answer) -> PortalError {
    let error = answer.error();
    let unresolved = |e: &WireError| {
        e.message.as_deref().is_some_and(|m| m.starts_with("Could not resolve current tenant"))
    };
    if answer.status == 500 && error.as_ref().is_some_and(unresolved) {
        return answer.fail(FailureClass::NoSuchPortal, call, "the server knows no portal of this host name");
    }
    let what = if error.is_some() { describe(error.as_ref()) } else { "the server failed".to_owned() };
    answer.fail(FailureClass::ServerError, call, &what)
}

/// Type and message of an error, bounded; never its stack.
fn describe(error: Option<&WireError>) -> String {
    let Some(error) = error else { return "an answer without explanation".to_owned() };
    let part = |text: &Option<String>| quote(text.as_deref().unwrap_or("(none)"));
    format!("{}: {}", part(&error.kind), part(&error.message))
}

/// A `Retry-After` in seconds or as a date; a date in the past is no wait.
pub(super) fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = Timestamp::try_from(httpdate::parse_http_date(value.trim()).ok()?).ok()?;
    Some(Duration::try_from(date.duration_since(now)).unwrap_or(Duration::ZERO))
}

/// What a broken exchange means.
pub(super) fn transport(call: Call, error: &reqwest::Error) -> PortalError {
    let fail = |class, what: &str| PortalError::new(class, format!("{call}: {what}: {}", causes(error)));
    if error.is_connect() {
        return if tls_error(error) {
            fail(FailureClass::Tls, "the TLS handshake failed")
        } else {
            fail(FailureClass::Unreachable, "no connection")
        };
    }
    // reqwest calls every error of a body a decoding error. The decompressor's own is an `io::Error`; the connection's
    // comes out of hyper, and the clock's is a type of its own.
    let cause = causes_of(error).find(|cause| !cause.is::<reqwest::Error>());
    if error.is_decode() && cause.is_some_and(<dyn std::error::Error>::is::<std::io::Error>) {
        return fail(FailureClass::BadResponse, "the body cannot be decoded");
    }
    if error.is_builder() {
        return fail(FailureClass::Internal, "the request cannot be made");
    }
    let what = if error.is_timeout() { "no whole answer in time" } else { "the connection was lost" };
    let class = if call.deletes() { FailureClass::OutcomeUnknown } else { FailureClass::ServerError };
    fail(class, what)
}

/// Whether a TLS error is in the chain.
fn tls_error(error: &reqwest::Error) -> bool {
    causes_of(error).any(<dyn std::error::Error>::is::<rustls::Error>)
}

/// The chain of causes. `io::Error` hides the error that it wraps from `source()`, so the walk steps into it.
fn causes_of(error: &reqwest::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(error.source(), |&cause| {
        match cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => cause.source(),
        }
    })
}

/// The chain of causes without the URL, shortest first told once: libraries repeat their source's text.
fn causes(error: &reqwest::Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = quote(&cause.to_string());
        if !texts.iter().any(|known| known.contains(&text)) {
            texts.push(text);
        }
        next = cause.source();
    }
    let innermost = texts.split_off(texts.len().saturating_sub(MAX_CAUSES));
    if innermost.is_empty() { "no further cause".to_owned() } else { innermost.join(": ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "2026-11-24T10:00:00Z".parse().unwrap();
        assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Tue, 24 Nov 2026 10:01:30 GMT", now), Some(Duration::from_secs(90)));
        assert_eq!(retry_after("Tue, 24 Nov 2026 09:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("-5", now), None);
        assert_eq!(retry_after("soon", now), None);
    }
}
