//! The DocSpace API over HTTP.
//!
//! A client lives for one attempt: it carries the key as it was then, and its connections close when it is dropped,
//! so that ten thousand swept portals leave no idle socket behind. It follows no redirect, keeps no cookie, tries
//! nothing twice, and reads no more of a body than it has use for.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Client, Method, Response};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;
use uuid::Uuid;

use super::classify::{self, Answer};
use super::error::quote;
use super::wire::{self, ServerVersion, Wrapper};
use super::{Call, Connect, DeletePortal, Look, PortalError, ReadPortal, TlsProfiles};
use crate::clock::Clock;
use crate::domain::{Authorization, Backup, BackupId, Dump, FailureClass, PortalName, PortalUrl};
use crate::keys::{ApiKey, ApiKeySource};

/// The most that is read of a body, after decompression: design.md §3.
const MAX_BODY: usize = 1024 * 1024;
/// The same for the list of backups.
const MAX_HISTORY: usize = 64 * 1024 * 1024;

/// How to reach one portal.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its address.
    pub url: PortalUrl,
    /// Where its key is read from.
    pub api_key: ApiKeySource,
    /// How the key is sent.
    pub authorization: Authorization,
    /// The time for DNS, TCP and TLS.
    pub connect_timeout: Duration,
    /// The time for one whole request.
    pub timeout: Duration,
    /// An extra CA.
    pub ca_file: Option<PathBuf>,
    /// A proxy in place of the environment's.
    pub proxy: Option<Url>,
}

/// All portals, over HTTP.
pub struct HttpPortals {
    endpoints: HashMap<PortalName, Access>,
    tls: Arc<TlsProfiles>,
    clock: Arc<dyn Clock>,
}

/// One portal's endpoint, and the lock that is held while its files are read.
struct Access {
    endpoint: Endpoint,
    reading: Arc<Mutex<()>>,
}

impl HttpPortals {
    /// Portals by name. `clock` is what a `Retry-After` date is measured against.
    pub fn new(endpoints: HashMap<PortalName, Endpoint>, tls: TlsProfiles, clock: Arc<dyn Clock>) -> Self {
        let access = |(name, endpoint)| (name, Access { endpoint, reading: Arc::default() });
        Self { endpoints: endpoints.into_iter().map(access).collect(), tls: Arc::new(tls), clock }
    }

    async fn reader(&self, portal: &PortalName) -> Result<HttpReader, PortalError> {
        let Some(Access { endpoint, reading }) = self.endpoints.get(portal) else {
            return Err(PortalError::new(
                FailureClass::Internal,
                format!("no endpoint for the portal {portal}"),
            ));
        };
        // Key and CA are files, and a file can hang as a network can. One that hangs holds one thread, whatever many
        // sweeps come to it.
        let Ok(reading) = Arc::clone(reading).try_lock_owned() else {
            let detail = "an earlier read of the portal's key or CA file has not come back";
            return Err(PortalError::new(FailureClass::KeyUnavailable, detail));
        };
        let (endpoint, tls, clock) = (endpoint.clone(), Arc::clone(&self.tls), Arc::clone(&self.clock));
        let read = move || {
            let _reading = reading;
            HttpReader::new(&endpoint, &tls, clock)
        };
        match tokio::task::spawn_blocking(read).await {
            Ok(made) => made,
            Err(error) => Err(PortalError::new(FailureClass::Internal, format!("no client: {error}"))),
        }
    }
}

impl Connect for HttpPortals {
    type Portal = HttpPortal;

    async fn connect(&self, portal: &PortalName) -> Result<HttpPortal, PortalError> {
        self.reader(portal).await.map(HttpPortal)
    }
}

/// All portals, over HTTP, for those who only look.
pub struct HttpReaders(HttpPortals);

impl HttpReaders {
    /// The same portals, without the means to delete.
    pub fn new(portals: HttpPortals) -> Self {
        Self(portals)
    }
}

impl Look for HttpReaders {
    type Reader = HttpReader;

    async fn look(&self, portal: &PortalName) -> Result<HttpReader, PortalError> {
        self.0.reader(portal).await
    }
}

/// One portal, over HTTP, for one attempt.
#[derive(Debug)]
pub struct HttpPortal(HttpReader);

/// One portal, over HTTP, for one attempt that only looks.
pub struct HttpReader {
    client: Client,
    base: Url,
    api_key: bool,
    /// What no error may show, though a portal or a proxy answer with it: the key, and the proxy's password.
    secrets: Vec<ApiKey>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for HttpReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpReader").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

impl HttpReader {
    /// Reads key and CA, and makes the client; nothing is sent.
    fn new(endpoint: &Endpoint, tls: &TlsProfiles, clock: Arc<dyn Clock>) -> Result<Self, PortalError> {
        let key = endpoint
            .api_key
            .read()
            .map_err(|error| PortalError::new(FailureClass::KeyUnavailable, error.to_string()))?;
        let config = match endpoint.url.as_url().scheme() {
            "http" => Ok(tls.unused()),
            _ => tls.get(endpoint.ca_file.as_deref()),
        };
        let config = config.map_err(|error| PortalError::new(FailureClass::Tls, error.to_string()))?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(AUTHORIZATION, authorization(&key, endpoint.authorization)?);
        let mut builder = Client::builder()
            .tls_backend_preconfigured((*config).clone())
            .user_agent(concat!("docsweep/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .connect_timeout(endpoint.connect_timeout)
            .timeout(endpoint.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .pool_max_idle_per_host(1);
        if let Some(proxy) = &endpoint.proxy {
            builder = builder.proxy(reqwest::Proxy::all(proxy.clone()).map_err(unbuildable)?);
        }
        Ok(Self {
            client: builder.build().map_err(unbuildable)?,
            base: endpoint.url.as_url().clone(),
            api_key: bearer_token(key.expose()).starts_with("sk-"),
            secrets: password(endpoint.proxy.as_ref()).into_iter().chain([key]).collect(),
            clock,
        })
    }

    /// A text of the portal's without our secrets.
    fn conceal(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| secret.conceal(&text))
    }

    /// Looks. Nothing but GET comes out of here.
    async fn get<T: DeserializeOwned>(&self, call: Call, dump: Dump) -> Result<Wrapper<T>, PortalError> {
        self.send(Method::GET, call, self.url(call, dump), dump).await
    }

    fn url(&self, call: Call, dump: Dump) -> Url {
        let mut url = self.base.clone();
        url.set_path(call.path());
        if matches!(call, Call::History | Call::DeleteHistory) {
            url.query_pairs_mut().append_pair("Dump", dump.as_str());
        }
        url
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        call: Call,
        url: Url,
        dump: Dump,
    ) -> Result<Wrapper<T>, PortalError> {
        let conceal = |error: PortalError| PortalError { detail: self.conceal(&error.detail), ..error };
        self.exchange(method, call, url, dump).await.map_err(conceal)
    }

    async fn exchange<T: DeserializeOwned>(
        &self,
        method: Method,
        call: Call,
        url: Url,
        dump: Dump,
    ) -> Result<Wrapper<T>, PortalError> {
        let sent = self.client.request(method, url).send().await;
        let response = sent.map_err(|error| classify::transport(call, &error.without_url()))?;
        classify::read(call, dump, &self.answer(call, response).await?)
    }

    async fn answer(&self, call: Call, mut response: Response) -> Result<Answer, PortalError> {
        let status = response.status().as_u16();
        let header = |name| response.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let content_type = header(CONTENT_TYPE).unwrap_or_default().trim().to_ascii_lowercase();
        let retry_after =
            header(RETRY_AFTER).and_then(|value| classify::retry_after(value, self.clock.now()));
        let location = header(LOCATION).map(without_query);
        let limit = if call == Call::History { MAX_HISTORY } else { MAX_BODY };
        let mut body = Vec::new();
        loop {
            let chunk = match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() <= limit => chunk,
                Ok(None) => break,
                // A status that refuses says enough, whatever comes of its body; only the kinds of 403 are told apart by it.
                _ if status != 200 && status != 403 => break,
                Ok(Some(_)) => return Err(too_long(call, status, limit)),
                Err(error) => return Err(classify::transport(call, &error.without_url())),
            };
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, content_type, retry_after, location, body })
    }
}

impl ReadPortal for HttpReader {
    fn has_api_key(&self) -> bool {
        self.api_key
    }

    async fn restore_running(&self) -> Result<bool, PortalError> {
        let wrapper: Wrapper = self.get(Call::RestoreProgress, Dump::Own).await?;
        wire::restore_running(wrapper.response.as_ref())
            .ok_or_else(|| bad(Call::RestoreProgress, "no progress of a restore in the answer"))
    }

    async fn server_version(&self) -> Result<ServerVersion, PortalError> {
        let wrapper: Wrapper = self.get(Call::Version, Dump::Own).await?;
        let text = wrapper.response.as_ref().and_then(|r| r.get("docSpace")).and_then(Value::as_str);
        text.and_then(|text| ServerVersion::parse(&self.conceal(text)))
            .ok_or_else(|| bad(Call::Version, "no version in the answer"))
    }

    async fn history(&self, dump: Dump) -> Result<Vec<Backup>, PortalError> {
        let wrapper: Wrapper<wire::Backups> = self.get(Call::History, dump).await?;
        // A server with nothing to list answers an empty list; no list at all is no empty one.
        let mut list = wrapper.response.ok_or_else(|| bad(Call::History, "no list in the answer"))?.0;
        for backup in &mut list {
            backup.file_name = self.conceal(&quote(&backup.file_name));
        }
        Ok(list)
    }
}

impl ReadPortal for HttpPortal {
    fn has_api_key(&self) -> bool {
        self.0.has_api_key()
    }

    async fn restore_running(&self) -> Result<bool, PortalError> {
        self.0.restore_running().await
    }

    async fn server_version(&self) -> Result<ServerVersion, PortalError> {
        self.0.server_version().await
    }

    async fn history(&self, dump: Dump) -> Result<Vec<Backup>, PortalError> {
        self.0.history(dump).await
    }
}

impl HttpPortal {
    /// Deletes, and takes nothing but `true` for a yes.
    async fn delete(&self, call: Call, url: Url, dump: Dump) -> Result<(), PortalError> {
        match self.0.send(Method::DELETE, call, url, dump).await?.response {
            Some(Value::Bool(true)) => Ok(()),
            Some(other) => Err(bad(
                call,
                &format!("answered with {} in place of true", self.0.conceal(&quote(&other.to_string()))),
            )),
            None => Err(bad(call, "answered without a response in place of true")),
        }
    }
}

impl DeletePortal for HttpPortal {
    async fn delete_history(&self, dump: Dump) -> Result<(), PortalError> {
        let call = Call::DeleteHistory;
        self.delete(call, self.0.url(call, dump), dump).await
    }

    async fn delete_backup(&self, id: &BackupId) -> Result<(), PortalError> {
        let call = Call::DeleteBackup;
        // An id is a portal's word, and a path is made of it: nothing but a GUID goes in.
        let Ok(guid) = Uuid::try_parse(id.as_str()) else {
            let detail =
                format!("{call}: not sent: the id {} is no GUID", self.0.conceal(&quote(id.as_str())));
            return Err(PortalError::new(FailureClass::BadResponse, detail));
        };
        let mut url = self.0.base.clone();
        url.set_path(&format!("{}/{guid}", call.path()));
        self.delete(call, url, Dump::Own).await
    }
}

fn too_long(call: Call, status: u16, limit: usize) -> PortalError {
    let detail = format!("{call}: HTTP {status}: the body is longer than {} MiB", limit / (1024 * 1024));
    PortalError { http_status: Some(status), ..PortalError::new(FailureClass::BadResponse, detail) }
}

/// A 200 whose payload is not what the call returns.
fn bad(call: Call, what: &str) -> PortalError {
    PortalError {
        http_status: Some(200),
        ..PortalError::new(FailureClass::BadResponse, format!("{call}: HTTP 200: {what}"))
    }
}

fn unbuildable(error: reqwest::Error) -> PortalError {
    PortalError::new(FailureClass::Internal, format!("no client: {}", error.without_url()))
}

/// A proxy's password, to be hidden as a key is.
fn password(proxy: Option<&Url>) -> Option<ApiKey> {
    ApiKey::new(proxy?.password()?).ok()
}

/// The key without the scheme that it may have been configured with.
fn bearer_token(key: &str) -> &str {
    match key.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim_start(),
        _ => key,
    }
}

/// The header: `Bearer`, exactly one space, and the token, since the server cuts exactly seven characters
/// (docspace-api.md §4.2); or the text as it stands.
fn authorization(key: &ApiKey, form: Authorization) -> Result<HeaderValue, PortalError> {
    let text = match form {
        Authorization::Bearer => format!("Bearer {}", bearer_token(key.expose())),
        Authorization::Verbatim => key.expose().to_owned(),
    };
    let mut value = HeaderValue::from_str(&text).map_err(|_| {
        PortalError::new(FailureClass::KeyUnavailable, "the key does not fit into an HTTP header")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// A redirect's target, fit for a record: a query can carry anything.
fn without_query(location: &str) -> String {
    quote(location.split(['?', '#']).next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(key: &str, form: Authorization) -> String {
        let value = authorization(&ApiKey::new(key).unwrap(), form).unwrap();
        assert!(value.is_sensitive());
        value.to_str().unwrap().to_owned()
    }

    #[test]
    fn the_header_is_bearer_and_one_space() {
        for key in ["sk-1", "Bearer sk-1", "bearer  sk-1", " sk-1\n"] {
            assert_eq!(header(key, Authorization::Bearer), "Bearer sk-1");
        }
        assert_eq!(header("Basic abc", Authorization::Verbatim), "Basic abc");
        assert_eq!(header("sk-1", Authorization::Verbatim), "sk-1");
    }

    #[test]
    fn a_redirect_is_told_without_its_query() {
        assert_eq!(without_query("https://a.example/x?key=1#y"), "https://a.example/x");
    }
}
