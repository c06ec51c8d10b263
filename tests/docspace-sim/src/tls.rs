//! Certificates made at run time: one authority per server, and a leaf for each way TLS can fail.
//!
//! Configurations are made on first use and kept, since a key pair per connection would be slow.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use time::{Duration, OffsetDateTime};

/// How a portal's TLS behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tls {
    /// A leaf for `localhost` and `127.0.0.1`, signed by the server's authority.
    Valid,
    /// The same, expired yesterday.
    Expired,
    /// The same, for another host.
    WrongHost,
    /// A certificate that signs itself.
    UntrustedSelfSigned,
    /// The connection closes once the client has begun its handshake.
    CloseInHandshake,
    /// Bytes that are no TLS, once the client has begun its handshake.
    GarbageHandshake,
}

/// A server's certificate authority.
pub(crate) struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
    made: Mutex<BTreeMap<Tls, Arc<ServerConfig>>>,
}

impl Authority {
    pub(crate) fn new() -> io::Result<Self> {
        let mut params = CertificateParams::new(Vec::new()).map_err(io::Error::other)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "docspace-sim test authority");
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let (yesterday, next_month) = validity();
        params.not_before = yesterday;
        params.not_after = next_month;
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = params.self_signed(&key).map_err(io::Error::other)?;
        let made = Mutex::new(BTreeMap::new());
        Ok(Self { pem: certificate.pem(), issuer: Issuer::new(params, key), made })
    }

    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// The configuration of a kind, made if need be.
    pub(crate) fn config(&self, tls: Tls) -> io::Result<Arc<ServerConfig>> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = made.get(&tls) {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(self.make(tls)?);
        made.insert(tls, Arc::clone(&config));
        Ok(config)
    }

    fn make(&self, tls: Tls) -> io::Result<ServerConfig> {
        let names = match tls {
            Tls::WrongHost => vec!["portal.invalid".to_owned()],
            _ => vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
        };
        let mut params = CertificateParams::new(names).map_err(io::Error::other)?;
        params.distinguished_name.push(DnType::CommonName, "docspace-sim");
        let (yesterday, next_month) = validity();
        params.not_before = yesterday;
        params.not_after = next_month;
        if tls == Tls::Expired {
            params.not_before = yesterday - Duration::days(30);
            params.not_after = yesterday;
        }
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = match tls {
            Tls::UntrustedSelfSigned => params.self_signed(&key),
            _ => params.signed_by(&key, &self.issuer),
        }
        .map_err(io::Error::other)?;
        let private = PrivateKeyDer::try_from(key.serialize_der()).map_err(io::Error::other)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .map_err(io::Error::other)?;
        // §9: the shipped configurations speak HTTP/1.1.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn validity() -> (OffsetDateTime, OffsetDateTime) {
    let now = OffsetDateTime::now_utc();
    (now - Duration::days(1), now + Duration::days(30))
}
