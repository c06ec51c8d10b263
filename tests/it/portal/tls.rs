//! TLS with certificates that are made at run time; how it fails is in [`super::classes`].

use std::time::Duration;

use docspace_sim::{Server, Tls};
use docsweep::clock::{Clock as _, SystemClock};
use docsweep::domain::{FailureClass, Outcome};

use super::rig::{Rig, class, detail};

#[tokio::test]
async fn a_private_authority_is_taken_from_its_file() {
    let rig = Rig::tls(Tls::Valid).await;
    rig.portal.add_backups(2);
    let report = rig.sweep().await;
    assert_eq!((report.outcome, report.verified), (Outcome::Deleted, true));
    assert!(rig.portal.files().is_empty());
}

#[tokio::test]
async fn a_file_of_several_authorities_holds_for_each() {
    let mut rig = Rig::tls(Tls::Valid).await;
    let other = Server::builder().tls(Tls::Valid).start().await.unwrap();
    let bundle = format!("# other\n{}\n# ours\n{}", other.ca_pem(), rig.server.ca_pem());
    rig.endpoint.ca_file = Some(rig.file("bundle.pem", &bundle));
    assert_eq!(rig.sweep().await.outcome, Outcome::NothingToDelete);
}

#[tokio::test]
async fn an_authority_renewed_in_place_is_read_again() {
    let mut rig = Rig::tls(Tls::Valid).await;
    let other = Server::builder().tls(Tls::Valid).start().await.unwrap();
    let path = rig.file("rotated.pem", &other.ca_pem());
    rig.endpoint.ca_file = Some(path.clone());
    let portals = rig.portals();
    assert_eq!(class(&rig.sweep_by(&portals).await), Some(FailureClass::Tls));
    assert!(rig.server.requests().is_empty());

    rig.file("rotated.pem", &rig.server.ca_pem());
    // Whatever the grain of the file system's time stamps is.
    let later = SystemClock.now() + Duration::from_secs(5);
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(later.into()).unwrap();
    assert_eq!(rig.sweep_by(&portals).await.outcome, Outcome::NothingToDelete);

    std::fs::remove_file(&path).unwrap();
    let report = rig.sweep_by(&portals).await;
    assert_eq!(class(&report), Some(FailureClass::Tls));
    assert!(detail(&report).contains("cannot read the CA file"), "{}", detail(&report));
}

#[tokio::test]
async fn a_renewed_certificate_serves_the_next_sweep() {
    let rig = Rig::tls(Tls::Expired).await;
    let portals = rig.portals();
    let report = rig.sweep_by(&portals).await;
    assert_eq!(class(&report), Some(FailureClass::Tls));
    assert!(detail(&report).contains("expired"), "{}", detail(&report));
    rig.portal.set_tls(Some(Tls::Valid));
    assert_eq!(rig.sweep_by(&portals).await.outcome, Outcome::NothingToDelete);
}

#[tokio::test]
async fn plain_http_at_a_tls_address_is_no_handshake() {
    let mut rig = Rig::tls(Tls::Valid).await;
    let url = rig.portal.url();
    rig.portal.set_tls(None);
    rig.point_to(&url);
    assert_eq!(class(&rig.sweep().await), Some(FailureClass::Tls));
    assert!(rig.server.requests().is_empty(), "the key did not go out in clear");
}

#[tokio::test]
async fn no_key_is_sent_before_the_certificate_is_accepted() {
    for tls in [Tls::Expired, Tls::WrongHost, Tls::UntrustedSelfSigned, Tls::GarbageHandshake] {
        let rig = Rig::tls(tls).await;
        assert_eq!(class(&rig.sweep().await), Some(FailureClass::Tls), "{tls:?}");
        assert!(rig.server.requests().is_empty(), "{tls:?}");
    }
}
