//! TLS configurations, one for each distinct set of roots.
//!
//! A client that reads the system's roots itself costs 10 ms and blocking I/O; one that is handed a ready
//! configuration costs microseconds. So the system's roots are read once, and a portal's extra CA once for each
//! version of its file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// What tells one version of a CA file from the next.
type Version = (Option<SystemTime>, u64);

/// The TLS configurations of all portals.
#[derive(Debug)]
pub struct TlsProfiles {
    system: RootCertStore,
    plain: Arc<ClientConfig>,
    with_ca: Mutex<HashMap<PathBuf, (Version, Arc<ClientConfig>)>>,
}

/// Why there is no TLS configuration.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    /// The system holds no root certificates, and the portal names no CA of its own.
    #[error(
        "this machine has no root certificates: install the package ca-certificates, or name the portal's CA in `ca_file`"
    )]
    NoRoots,
    /// The CA file cannot be read.
    #[error("cannot read the CA file {}: {reason}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// The CA file is no PEM of certificates.
    #[error("the CA file {} holds no usable certificate in PEM form", path.display())]
    NoCertificate {
        /// Which file.
        path: PathBuf,
    },
}

impl TlsProfiles {
    /// Reads the system's roots. This touches the file system.
    pub fn from_system() -> Self {
        let mut system = RootCertStore::empty();
        system.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let plain = Arc::new(client_config(system.clone()));
        Self { system, plain, with_ca: Mutex::default() }
    }

    /// The configuration for a portal. This may touch the file system.
    pub(super) fn get(&self, ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, TlsError> {
        let Some(path) = ca_file else {
            return if self.system.is_empty() { Err(TlsError::NoRoots) } else { Ok(Arc::clone(&self.plain)) };
        };
        let unreadable = |reason| TlsError::Unreadable { path: path.to_owned(), reason };
        let metadata = std::fs::metadata(path).map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(TlsError::NoCertificate { path: path.to_owned() });
        }
        let version = (metadata.modified().ok(), metadata.len());
        let mut known = self.with_ca.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, config)) = known.get(path).filter(|(of, _)| *of == version) {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(client_config(self.roots_with(path)?));
        known.insert(path.to_owned(), (version, Arc::clone(&config)));
        Ok(config)
    }

    /// The configuration for a portal that speaks plain HTTP.
    pub(super) fn unused(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.plain)
    }

    fn roots_with(&self, path: &Path) -> Result<RootCertStore, TlsError> {
        let pem =
            std::fs::read(path).map_err(|reason| TlsError::Unreadable { path: path.to_owned(), reason })?;
        let mut roots = self.system.clone();
        let certificates = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok);
        match roots.add_parsable_certificates(certificates) {
            (0, _) => Err(TlsError::NoCertificate { path: path.to_owned() }),
            _ => Ok(roots),
        }
    }
}

fn client_config(roots: RootCertStore) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    #[expect(clippy::expect_used, reason = "ring supports the protocol versions that rustls holds for safe")]
    let builder = builder.expect("ring supports TLS 1.2 and 1.3");
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    // reqwest sets these only on configurations of its own making.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_set_of_roots_has_one_configuration() {
        let server = docspace_sim::Server::start().await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let (one, other) = (directory.path().join("one.pem"), directory.path().join("other.pem"));
        for path in [&one, &other] {
            std::fs::write(path, server.ca_pem()).unwrap();
        }
        let tls = TlsProfiles::from_system();
        assert!(Arc::ptr_eq(&tls.unused(), &tls.unused()));
        let first = tls.get(Some(&one)).unwrap();
        assert!(Arc::ptr_eq(&first, &tls.get(Some(&one)).unwrap()), "one for each file");
        assert!(!Arc::ptr_eq(&first, &tls.get(Some(&other)).unwrap()));

        let file = std::fs::File::options().write(true).open(&one).unwrap();
        let later = file.metadata().unwrap().modified().unwrap() + Duration::from_secs(5);
        file.set_modified(later).unwrap();
        let second = tls.get(Some(&one)).unwrap();
        assert!(!Arc::ptr_eq(&first, &second), "one for each version of it");
        assert!(Arc::ptr_eq(&second, &tls.get(Some(&one)).unwrap()));
        assert_eq!(tls.with_ca.lock().unwrap().len(), 2, "the old version is not kept");
    }
}
