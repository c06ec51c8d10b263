//! §2.2: what older servers do.

use docspace_sim::{Backup, Key, Role, Server};

use crate::client::{
    DELETE_ALL, HISTORY, KEY_SELF, RESTORE, SERVICE, VERSION, bearer, call, call_with, portal_of,
};

async fn version(text: &str) -> (Server, docspace_sim::Portal, String) {
    portal_of(Server::builder().version(text).start().await).await
}

#[tokio::test]
async fn before_dump_the_parameter_is_ignored() {
    let (server, portal, key) = version("3.0.4").await;
    assert_eq!(call(&portal, "DELETE", DELETE_ALL, &key).await.status, 401, "there are no keys yet");
    let session = bearer(&portal.add_session(Role::Admin));
    portal.set_limited_access_space(true);
    portal.add_backup(Backup::documents());
    portal.add_dump(Backup::documents());
    assert!(server.all_dumps().is_empty(), "a dump sits under its portal");
    let list =
        call_with(&portal, "GET", &format!("{HISTORY}?Dump=maybe"), &[("Authorization", &session)]).await;
    assert_eq!(list.json()["count"], 2);
    let target = format!("{DELETE_ALL}?Dump=true");
    assert_eq!(call_with(&portal, "DELETE", &target, &[("Authorization", &session)]).await.status, 200);
    assert!(portal.files().is_empty());

    let other = server.add_portal("globex").await.unwrap();
    let foreign = other.add_backup(Backup::documents());
    let one = format!("/api/2.0/backup/deletebackup/{foreign}");
    call_with(&portal, "DELETE", &one, &[("Authorization", &session)]).await;
    assert!(other.files().is_empty(), "no tenant check");
}

#[tokio::test]
async fn keys_of_3_1_pass_with_any_scope_and_dumps_are_no_ops_by_id() {
    let (server, portal, key) = version("3.1.0").await;
    let weak = portal.add_key(Key::admin().scopes(&["files:read"]));
    assert_eq!(call(&portal, "DELETE", DELETE_ALL, &weak).await.status, 200);
    assert_eq!(call(&portal, "GET", KEY_SELF, &key).await.status, 404);
    let dump = portal.add_dump(Backup::documents());
    let one = format!("/api/2.0/backup/deletebackup/{dump}");
    assert_eq!(call(&portal, "DELETE", &one, &key).await.response(), true);
    assert_eq!(server.dumps().len(), 1);
    server.set_version("3.2.1").unwrap();
    assert_eq!(call(&portal, "DELETE", &one, &key).await.response(), true);
    assert!(server.dump_files().is_empty());
    assert_eq!(call(&portal, "DELETE", DELETE_ALL, &weak).await.status, 403);
    portal.set_limited_access_space(true);
    let other = portal.add_dump(Backup::documents());
    let one = format!("/api/2.0/backup/deletebackup/{other}");
    assert_eq!(call(&portal, "DELETE", &one, &key).await.error_type(), "System.Security.SecurityException");
}

#[tokio::test]
async fn before_3_7_1() {
    let (_server, portal, _) = version("3.6.1").await;
    let key = portal.add_key(Key::room_admin());
    assert_eq!(call(&portal, "GET", SERVICE, &key).await.status, 200);
    assert_eq!(call(&portal, "GET", RESTORE, "sk-unknown").await.status, 200);
}

#[tokio::test]
async fn a_hidden_feature_is_402_then_403_and_only_on_saas() {
    for (text, code) in [("3.6.1", 402), ("3.7.1", 403)] {
        let (server, portal, key) = portal_of(Server::builder().saas().version(text).start().await).await;
        server.hide_backup_feature(true);
        let reply = call(&portal, "DELETE", DELETE_ALL, &key).await;
        assert_eq!(reply.status, code, "{text}");
        assert!(reply.json()["error"]["type"].is_string());
    }
    let (server, portal, key) = version("3.7.2").await;
    server.hide_backup_feature(true);
    assert_eq!(call(&portal, "DELETE", DELETE_ALL, &key).await.status, 200);
}

#[tokio::test]
async fn the_reported_version_is_a_hint() {
    let server = Server::builder().version("3.7.2").reported_version("3.1.0").start().await;
    let (_server, portal, _) = portal_of(server).await;
    assert_eq!(call_with(&portal, "GET", VERSION, &[]).await.response()["docSpace"], "3.1.0");
    assert!(Server::builder().version("three").start().await.is_err());
}
