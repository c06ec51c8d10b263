//! The ways TLS works and fails, seen by a client that trusts the server's authority only.

use std::io;
use std::sync::Arc;

use docspace_sim::{Key, Portal, Server, Tls};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::client::{Client, DELETE_ALL, bearer, portal_of};

async fn connect(server: &Server, portal: &Portal) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(server.ca_pem().as_bytes()).unwrap();
    roots.add(authority).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(("127.0.0.1", portal.port())).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

#[tokio::test]
async fn a_valid_certificate_serves() {
    let (server, portal, key) = portal_of(Server::builder().tls(Tls::Valid).start().await).await;
    assert!(portal.url().starts_with("https://localhost:"));
    let stream = connect(&server, &portal).await.unwrap();
    let mut client = Client::over(stream, format!("localhost:{}", portal.port()));
    let reply = client.call("DELETE", DELETE_ALL, &[("Authorization", &bearer(&key))]).await;
    assert_eq!(reply.response(), true);
    assert_eq!(reply.json()["links"][0]["href"], format!("{}{DELETE_ALL}", portal.url()));
}

#[tokio::test]
async fn plain_http_on_a_tls_port_is_refused_in_plain() {
    let (server, portal, key) = portal_of(Server::builder().tls(Tls::Valid).start().await).await;
    let mut client = Client::connect(&portal).await.unwrap();
    let reply = client.call("DELETE", DELETE_ALL, &[("Authorization", &bearer(&key))]).await;
    assert_eq!((reply.status, reply.is_from_app()), (400, false));
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn bad_certificates_and_handshakes_do_not() {
    let (server, portal, _) = portal_of(Server::builder().tls(Tls::Expired).start().await).await;
    let kinds = [
        (Tls::Expired, "xpired"),
        (Tls::WrongHost, "not valid for name"),
        (Tls::UntrustedSelfSigned, "UnknownIssuer"),
        (Tls::CloseInHandshake, "eof"),
        (Tls::GarbageHandshake, "corrupt message"),
    ];
    for (kind, part) in kinds {
        portal.set_tls(Some(kind));
        let error = connect(&server, &portal).await.err().unwrap().to_string();
        assert!(error.contains(part), "{kind:?}: {error}");
    }
    assert!(server.requests().is_empty());
    portal.set_tls(Some(Tls::Valid));
    portal.add_key(Key::admin());
    assert!(connect(&server, &portal).await.is_ok(), "a renewed certificate");
}
