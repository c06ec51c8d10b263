//! The server-wide dumps: one set for all portals of a server, and never deleted by mistake for a portal's own backups.

use docspace_sim::{Backup, Fault, Role, Route, Server};
use docsweep::domain::{Dump, FailureClass, Outcome, PortalUrl};

use super::rig::{Rig, class, counts, detail, literal};

fn with_dumps(mut rig: Rig) -> Rig {
    rig.job.dump = Dump::ServerWide;
    rig.portal.add_backups(2);
    rig.server.add_dump(Backup::documents());
    rig.server.add_dump(Backup::documents());
    rig
}

#[tokio::test]
async fn dumps_are_deleted_and_the_portals_own_backups_are_not() {
    let rig = with_dumps(Rig::new().await);
    let report = rig.sweep().await;
    assert_eq!((report.outcome.clone(), counts(&report)), (Outcome::Deleted, (Some(2), Some(2), Some(0))));
    assert_eq!((rig.server.dump_files().len(), rig.portal.files().len()), (0, 2));
    assert!(rig.deletes().iter().all(|request| request.dump == Some(true)));
    // An API key exists only on servers that know `Dump`: nobody asks for the version.
    assert!(rig.portal.requests_of(Route::Version).is_empty());
}

#[tokio::test]
async fn own_backups_are_deleted_and_the_dumps_are_not() {
    let mut rig = with_dumps(Rig::new().await);
    rig.job.dump = Dump::Own;
    assert_eq!(rig.sweep().await.outcome, Outcome::Deleted);
    assert_eq!((rig.server.dump_files().len(), rig.portal.files().len()), (2, 0));
}

#[tokio::test]
async fn two_portals_of_one_server_share_their_dumps() {
    let mut rig = with_dumps(Rig::new().await);
    let other = rig.server.add_portal("other").await.unwrap();
    other.add_backups(1);
    rig.portal.add_dump(Backup::documents());
    other.add_dump(Backup::documents());
    assert_eq!(rig.sweep().await.counts.deleted, Some(4));
    let key = other.add_key(docspace_sim::Key::admin());
    rig.endpoint.url = PortalUrl::parse(&other.url(), true).unwrap();
    rig.endpoint.api_key = literal(&key);
    assert_eq!(rig.sweep().await.outcome, Outcome::NothingToDelete);
    assert_eq!((rig.portal.files().len(), other.files().len()), (2, 1));
}

#[tokio::test]
async fn dumps_of_a_cloud_portal_are_refused_before_the_delete() {
    let rig = with_dumps(Rig::of(Server::builder().saas()).await);
    let report = rig.sweep().await;
    assert_eq!((class(&report), report.attempts), (Some(FailureClass::DumpRefused), 1));
    assert!(rig.deletes().is_empty());
}

/// A session token on a server of this version, which says that it is another where told.
async fn old(version: &str, reported: &str) -> Rig {
    let builder = Server::builder().version(version).reported_version(reported);
    let mut rig = with_dumps(Rig::of(builder).await);
    rig.use_key(&rig.portal.add_session(Role::Admin));
    rig
}

#[tokio::test]
async fn a_server_that_ignores_dump_is_never_asked_to_delete() {
    let rig = old("3.0.4", "3.0.4").await;
    let report = rig.sweep().await;
    assert_eq!(class(&report), Some(FailureClass::DumpRefused));
    assert!(detail(&report).contains("3.0.4"), "{}", detail(&report));
    assert_eq!(rig.routes(), [Route::Version]);
    assert_eq!(rig.portal.files().len(), 2);
}

#[tokio::test]
async fn a_session_token_is_no_hindrance_on_a_server_that_knows_dump() {
    let rig = old("3.1.0", "3.1.0").await;
    rig.portal.fault(Route::DeleteHistory, Fault::GatewayPage(503));
    let report = rig.sweep().await;
    assert_eq!((report.outcome, report.attempts), (Outcome::Deleted, 2));
    assert_eq!(rig.portal.requests_of(Route::Version).len(), 1, "asked once a sweep");
    assert_eq!((rig.server.dump_files().len(), rig.portal.files().len()), (0, 2));
}

#[tokio::test]
async fn a_version_that_is_not_told_does_not_stop_a_sweep() {
    for fault in [Fault::NotFoundEmpty, Fault::ServerError500] {
        let rig = old("3.7.2", "3.7.2").await;
        rig.portal.fault(Route::Version, fault);
        assert_eq!(rig.sweep().await.outcome, Outcome::Deleted);
    }
    assert_eq!(old("3.7.2", "unknown").await.sweep().await.outcome, Outcome::Deleted);
}

#[tokio::test]
async fn own_backups_of_an_old_server_need_no_version() {
    let mut rig = old("3.0.4", "3.0.4").await;
    rig.job.dump = Dump::Own;
    assert_eq!(rig.sweep().await.outcome, Outcome::Deleted);
    assert!(rig.portal.requests_of(Route::Version).is_empty());
    assert!(rig.portal.files().is_empty());
}
