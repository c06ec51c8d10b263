//! §2: what the two delete calls do to records and to files.

use std::time::Duration;

use docspace_sim::{Backup, Key, Route, Server, StorageKind, Uuid};

use crate::client::{Client, DELETE_ALL, HISTORY, bearer, call, portal};

fn one(id: Uuid) -> String {
    format!("/api/2.0/backup/deletebackup/{id}")
}

#[tokio::test]
async fn deletes_records_and_files_and_says_true() {
    let (_server, portal, key) = portal().await;
    portal.add_backups(3);
    let reply = call(&portal, "DELETE", DELETE_ALL, &key).await;
    assert!(reply.is_from_app());
    let body = reply.json();
    assert_eq!(reply.status, 200);
    assert_eq!(
        (&body["response"], &body["status"], &body["statusCode"]),
        (&true.into(), &0.into(), &200.into())
    );
    assert_eq!(body["count"], 1);
    assert_eq!(body["links"][0]["action"], "DELETE");
    assert_eq!(body["links"][0]["href"], format!("{}{DELETE_ALL}", portal.url()));
    assert!(body.get("total").is_none());
    assert!(portal.records().is_empty() && portal.files().is_empty());
    assert_eq!(portal.all_records().len(), 3);
}

#[tokio::test]
async fn clearing_both_histories_takes_two_calls() {
    let (server, portal, key) = portal().await;
    portal.add_backup(Backup::documents());
    let dump = portal.add_dump(Backup::documents());
    call(&portal, "DELETE", &format!("{DELETE_ALL}?dump=FALSE"), &key).await;
    assert!(portal.records().is_empty());
    assert_eq!(server.dump_files(), [dump]);
    call(&portal, "DELETE", &format!("{DELETE_ALL}?Dump=true&Dump=no"), &key).await;
    assert!(server.dumps().is_empty() && server.dump_files().is_empty());
}

#[tokio::test]
async fn dumps_are_shared_by_all_portals() {
    let (server, first, _) = portal().await;
    let second = server.add_portal("globex").await.unwrap();
    let key = second.add_key(Key::admin());
    first.add_backup(Backup::documents());
    first.add_dump(Backup::documents());
    server.add_dump(Backup::documents());
    let list = call(&second, "GET", &format!("{HISTORY}?Dump=true"), &key).await;
    assert_eq!(list.json()["count"], 2);
    call(&second, "DELETE", &format!("{DELETE_ALL}?Dump=true"), &key).await;
    assert!(server.dumps().is_empty());
    assert_eq!(first.records().len(), 1);
}

#[tokio::test]
async fn a_broken_storage_leaves_orphans_behind_a_200() {
    let (_server, portal, key) = portal().await;
    let kept = portal.add_backup(Backup::new(StorageKind::ThirdPartyConsumer));
    portal.add_backup(Backup::documents());
    portal.break_storage(StorageKind::ThirdPartyConsumer);
    assert_eq!(call(&portal, "DELETE", DELETE_ALL, &key).await.response(), true);
    assert!(portal.records().is_empty());
    assert_eq!(portal.orphans(), [kept]);
    portal.mend_storage(StorageKind::ThirdPartyConsumer);
    call(&portal, "DELETE", DELETE_ALL, &key).await;
    assert_eq!(portal.orphans(), [kept], "a flagged record is never retried");
    call(&portal, "DELETE", &one(kept), &key).await;
    assert!(portal.orphans().is_empty(), "the honest variant tries again");
}

#[tokio::test]
async fn what_no_factory_serves_is_flagged_and_kept() {
    let (server, portal, key) = portal().await;
    let cloud = portal.add_backup(Backup::new(StorageKind::CustomCloud));
    let dump = server.add_dump(Backup::documents().without_owner());
    call(&portal, "DELETE", DELETE_ALL, &key).await;
    call(&portal, "DELETE", &format!("{DELETE_ALL}?Dump=true"), &key).await;
    assert_eq!(portal.orphans(), [cloud]);
    assert!(server.dumps().is_empty());
    assert_eq!(server.dump_files(), [dump]);
}

#[tokio::test]
async fn state_leaks_within_a_request() {
    let (_server, portal, key) = portal().await;
    let consumer = || Backup::new(StorageKind::ThirdPartyConsumer);
    portal.add_backup(consumer().bucket("a"));
    let other_bucket = portal.add_backup(consumer().bucket("b"));
    portal.add_backup(consumer().bucket("a").without_subdir());
    portal.add_backup(Backup::new(StorageKind::DataStore));
    let misled = portal.add_backup(consumer().bucket("a").without_subdir());
    call(&portal, "DELETE", DELETE_ALL, &key).await;
    assert_eq!(portal.orphans(), [other_bucket, misled]);
}

#[tokio::test]
async fn a_failed_flag_is_swallowed_and_the_record_stays() {
    let (_server, portal, key) = portal().await;
    let ids = portal.add_backups(3);
    portal.fail_flag(ids[1]);
    assert_eq!(call(&portal, "DELETE", DELETE_ALL, &key).await.response(), true);
    let left = call(&portal, "GET", HISTORY, &key).await.response();
    assert_eq!(left[0]["id"], ids[1].to_string());
    assert_eq!(left.as_array().unwrap().len(), 1);
    assert_eq!(call(&portal, "DELETE", &one(ids[1]), &key).await.status, 500);
    assert_eq!(portal.files(), [ids[1]]);
}

#[tokio::test]
async fn deleting_one_lets_errors_through() {
    let (server, portal, key) = portal().await;
    let id = portal.add_backup(Backup::new(StorageKind::ThridpartyDocuments));
    portal.hide_storage(StorageKind::ThridpartyDocuments);
    let reply = call(&portal, "DELETE", &one(id), &key).await;
    assert_eq!(reply.status, 400);
    assert!(reply.json()["error"]["stack"].is_string());
    assert_eq!(portal.orphans(), [id]);

    let local = portal.add_backup(Backup::new(StorageKind::Local));
    portal.break_storage(StorageKind::Local);
    assert_eq!(call(&portal, "DELETE", &one(local), &key).await.status, 404);

    let unknown = call(&portal, "DELETE", &one(Uuid::nil()), &key).await;
    assert_eq!((unknown.status, unknown.error_type().as_str()), (500, "System.NullReferenceException"));
    let malformed = call(&portal, "DELETE", "/api/2.0/backup/deletebackup/7", &key).await;
    assert_eq!((malformed.status, malformed.body.len()), (404, 0));

    let other = server.add_portal("globex").await.unwrap();
    let foreign = other.add_backup(Backup::documents());
    assert_eq!(call(&portal, "DELETE", &one(foreign), &key).await.response(), true);
    assert_eq!(other.records().len(), 1);
}

#[tokio::test]
async fn a_slow_delete_goes_on_without_its_client() {
    let (server, portal, key) = portal().await;
    portal.add_backups(3);
    portal.set_delete_pace(Duration::from_millis(1));
    let mut client = Client::connect(&portal).await.unwrap();
    client.send("DELETE", DELETE_ALL, &[("Authorization", &bearer(&key))]).await;
    portal.wait_requests(1).await;
    drop(client);
    server.wait_idle().await;
    assert!(portal.records().is_empty());
}

#[tokio::test]
async fn a_backup_can_appear_around_a_delete() {
    let (_server, portal, key) = portal().await;
    portal.on_next(Route::DeleteHistory, |portal| {
        portal.add_backup(Backup::documents());
    });
    portal.after_next(Route::DeleteHistory, |portal| {
        portal.add_backup(Backup::documents());
    });
    call(&portal, "DELETE", DELETE_ALL, &key).await;
    assert_eq!(portal.all_records().len(), 2);
    assert_eq!(portal.records().len(), 1);
    portal.add_backup_after_list(Backup::documents());
    assert_eq!(call(&portal, "GET", HISTORY, &key).await.json()["count"], 1);
    assert_eq!(portal.records().len(), 2);
}

#[tokio::test]
async fn a_restore_renumbers_the_history_and_kills_the_keys() {
    let (_server, portal, key) = portal().await;
    let before = portal.add_backups(2);
    portal.start_restoring();
    assert_eq!(call(&portal, "DELETE", DELETE_ALL, &key).await.status, 403);
    let tenant = portal.tenant_id();
    portal.finish_restore();
    assert_ne!(portal.tenant_id(), tenant);
    assert_eq!(call(&portal, "DELETE", DELETE_ALL, &key).await.status, 401);
    let after: Vec<_> = portal.records().into_iter().map(|record| record.id).collect();
    assert_eq!(after.len(), 2);
    assert!(before.iter().all(|id| !after.contains(id)));
    let key = portal.add_key(Key::admin());
    call(&portal, "DELETE", DELETE_ALL, &key).await;
    assert!(portal.files().is_empty());
}

#[tokio::test]
async fn a_dump_is_denied_on_saas_and_on_limited_portals() {
    let server = Server::builder().saas().start().await;
    let (_cloud, portal_on_saas, key) = crate::client::portal_of(server).await;
    let target = format!("{DELETE_ALL}?Dump=true");
    let reply = call(&portal_on_saas, "DELETE", &target, &key).await;
    assert_eq!((reply.status, reply.error_type().as_str()), (403, "System.Security.SecurityException"));

    let (_server, limited, _) = portal().await;
    limited.set_limited_access_space(true);
    let room_admin = limited.add_key(Key::room_admin());
    let reply = call(&limited, "DELETE", &target, &room_admin).await;
    assert_eq!(reply.error_type(), "System.Security.SecurityException", "the dump gate comes first");
}
