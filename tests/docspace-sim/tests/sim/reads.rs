//! §1 and §3: shapes of what is read, and what the list writes.

use docspace_sim::{Backup, Database, Key, Progress, Schedule, Server, StorageKind};

use crate::client::{
    COUNT, DELETE_ALL, HISTORY, KEY_SELF, PROGRESS, RESTORE, SCHEDULE, SERVICE, bearer, call, call_with,
    portal, portal_of,
};

/// 2026-01-02T03:04:05Z.
const MOMENT: i64 = 1_767_323_045;

#[tokio::test]
async fn records_show_numbers_and_mysql_dates() {
    let (_server, portal, key) = portal().await;
    let id = portal.add_backup(Backup::documents().created_at(MOMENT).file_name("a.tar.gz"));
    portal.add_backup(Backup::new(StorageKind::DataStore).created_at(MOMENT));
    let list = call(&portal, "GET", HISTORY, &key).await.response();
    let wanted = serde_json::json!({
        "id": id.to_string(),
        "fileName": "a.tar.gz",
        "storageType": 0,
        "createdOn": "2026-01-02T03:04:05",
        "expiresOn": "0001-01-01T00:00:00",
    });
    assert_eq!(list[0], wanted);
    assert_eq!((&list[1]["storageType"], &list[1]["expiresOn"]), (&4.into(), &"2026-01-03T03:04:05".into()));
}

#[tokio::test]
async fn postgresql_dates_have_a_fraction_and_z() {
    let server = Server::builder().database(Database::PostgreSql).start().await;
    let (_server, portal, key) = portal_of(server).await;
    portal.add_backup(Backup::documents().created_at(MOMENT));
    let list = call(&portal, "GET", HISTORY, &key).await.response();
    assert_eq!(list[0]["createdOn"], "2026-01-02T03:04:05.123456Z");
}

#[tokio::test]
async fn an_empty_list_is_there_and_an_absent_progress_is_not() {
    let (_server, portal, key) = portal().await;
    let list = call(&portal, "GET", HISTORY, &key).await.json();
    assert_eq!((&list["response"], &list["count"]), (&serde_json::json!([]), &0.into()));
    for path in [PROGRESS, RESTORE, SCHEDULE] {
        let body = call(&portal, "GET", path, &key).await.json();
        assert!(body.get("response").is_none(), "{path}");
        assert_eq!((&body["count"], &body["status"]), (&0.into(), &0.into()));
    }
}

#[tokio::test]
async fn the_list_flags_what_it_does_not_find() {
    let (_server, portal, key) = portal().await;
    let lost = portal.add_backup(Backup::documents().without_file());
    let hidden = portal.add_backup(Backup::new(StorageKind::ThridpartyDocuments));
    let cloud = portal.add_backup(Backup::new(StorageKind::CustomCloud));
    let unmounted = portal.add_backup(Backup::new(StorageKind::Local));
    portal.hide_storage(StorageKind::ThridpartyDocuments);
    portal.break_storage(StorageKind::Local);
    assert_eq!(call(&portal, "GET", HISTORY, &key).await.json()["count"], 0);
    let kept: Vec<_> = portal.records().into_iter().map(|record| record.id).collect();
    assert_eq!(kept, [hidden, cloud], "hidden, but kept");
    assert!(!portal.files().contains(&lost));
    assert_eq!(portal.orphans(), [unmounted], "listing during an outage makes orphans");
}

#[tokio::test]
async fn an_object_stores_network_error_fails_the_whole_list() {
    let (_server, portal, key) = portal().await;
    portal.add_backup(Backup::new(StorageKind::ThirdPartyConsumer));
    portal.break_storage(StorageKind::ThirdPartyConsumer);
    assert_eq!(call(&portal, "GET", HISTORY, &key).await.status, 500);
    assert_eq!(portal.records().len(), 1);
    portal.lose_storage(StorageKind::ThirdPartyConsumer);
    assert_eq!(call(&portal, "GET", HISTORY, &key).await.json()["count"], 0);
    assert_eq!(portal.orphans().len(), 1);
}

#[tokio::test]
async fn a_bad_dump_is_a_wrapped_validation() {
    let (_server, portal, key) = portal().await;
    for value in ["1", "yes", ""] {
        let reply = call(&portal, "DELETE", &format!("{DELETE_ALL}?Dump={value}"), &key).await;
        let body = reply.json();
        assert_eq!((reply.status, &body["status"], &body["statusCode"]), (400, &1.into(), &400.into()));
        assert!(body["response"]["errors"]["Dump"].is_array());
    }
    assert_eq!(call(&portal, "DELETE", &format!("{DELETE_ALL}?dUMP=True&other=1"), &key).await.status, 200);
}

#[tokio::test]
async fn restore_progress_looks_at_dumps_as_asked() {
    let (server, portal, _) = portal().await;
    server.set_dump_restore(Some(Progress::running(40)));
    let ask = async |query: &str| {
        let reply = call_with(&portal, "GET", &format!("{RESTORE}{query}"), &[]).await;
        reply.response()["tenantId"].clone()
    };
    assert_eq!(ask("").await, -1);
    assert_eq!(ask("?Dump=false").await, serde_json::Value::Null);
    portal.queue_restore();
    assert_eq!(ask("").await, portal.tenant_id());
    assert_eq!(ask("?Dump=true").await, -1);
    let progress = call_with(&portal, "GET", RESTORE, &[]).await.response();
    assert_eq!(progress["isCompleted"], false);
    assert_eq!((&progress["backupProgressEnum"], &progress["status"]), (&1.into(), &0.into()));
    assert_eq!((&progress["error"], &progress["progress"]), (&"".into(), &0.into()));

    let (cloud, portal, _) = portal_of(Server::builder().saas().start().await).await;
    cloud.set_dump_restore(Some(Progress::running(40)));
    let reply = call_with(&portal, "GET", &format!("{RESTORE}?Dump=true"), &[]).await;
    assert!(reply.json().get("response").is_none());
}

#[tokio::test]
async fn schedule_service_cancel_and_progress() {
    let (server, portal, key) = portal().await;
    portal.set_schedule(Some(Schedule { stored: 0, last: Some(MOMENT), ..Schedule::daily() }));
    let schedule = call(&portal, "GET", SCHEDULE, &key).await.response();
    assert!(schedule.get("backupsStored").is_none());
    assert_eq!(schedule["cronParams"], serde_json::json!({ "period": 0, "hour": 3, "day": 0 }));
    assert_eq!(
        (&schedule["dump"], &schedule["lastBackupTime"]),
        (&false.into(), &"2026-01-02T03:04:05".into())
    );
    server.set_dump_schedule(Some(Schedule::daily()));
    let dumps = call(&portal, "GET", &format!("{SCHEDULE}?Dump=true"), &key).await.response();
    assert_eq!((&dumps["dump"], &dumps["backupsStored"]), (&true.into(), &7.into()));

    assert_eq!(call(&portal, "GET", SERVICE, &key).await.response()["enabled"], true);
    portal.set_backup_progress(Some(Progress::running(5)));
    assert_eq!(call(&portal, "GET", PROGRESS, &key).await.response()["isCompleted"], false);
    assert_eq!(call(&portal, "POST", "/api/2.0/backup/cancelbackup", &key).await.response(), true);
    assert_eq!(call(&portal, "GET", PROGRESS, &key).await.response()["status"], 3);
}

#[tokio::test]
async fn the_count_is_a_billing_counter() {
    let (_server, portal, key) = portal().await;
    portal.add_backups(2);
    portal.add_backup(Backup::documents().paid());
    portal.add_backup(Backup::documents().created_at(MOMENT));
    call(&portal, "DELETE", DELETE_ALL, &key).await;
    assert_eq!(call(&portal, "GET", COUNT, &key).await.response(), 2);
    assert_eq!(call(&portal, "GET", &format!("{COUNT}?paid=true"), &key).await.response(), 1);
    let range = format!("{COUNT}?from=2026-01-01&to=2026-01-02T23:00:00Z");
    assert_eq!(call(&portal, "GET", &range, &key).await.response(), 1);
    assert_eq!(call(&portal, "GET", &format!("{COUNT}?from=never"), &key).await.status, 400);
}

#[tokio::test]
async fn a_key_describes_itself() {
    let (_server, portal, _) = portal().await;
    let key = portal.add_key(Key::admin().named("cleaner").scopes(&["*"]).expires_at(4_102_444_800));
    let page = call(&portal, "GET", KEY_SELF, &key).await.response();
    assert_eq!((&page["name"], &page["isActive"]), (&"cleaner".into(), &true.into()));
    assert_eq!(page["expiresAt"], "2100-01-01T00:00:00.0000000Z");
    assert!(!page["key"].as_str().unwrap().contains(key.split_at(20).0));
    assert!(page["key"].as_str().unwrap().ends_with(key.split_at(key.len() - 4).1));
    let endless = portal.add_key(Key::admin());
    assert!(call(&portal, "GET", KEY_SELF, &endless).await.response().get("expiresAt").is_none());
}

#[tokio::test]
async fn paths_and_verbs() {
    let (_server, portal, key) = portal().await;
    let shouted = "/api/2.0/BACKUP/GetBackupHistory/";
    assert_eq!(call(&portal, "GET", shouted, &key).await.status, 200);
    let verb = call(&portal, "GET", DELETE_ALL, &key).await;
    assert_eq!((verb.status, verb.body.len()), (405, 0));
    let unknown = call(&portal, "DELETE", "/api/2.0/backup/nothing", &key).await;
    assert_eq!((unknown.status, unknown.body.len()), (404, 0));
    let page = call(&portal, "DELETE", "/API/2.0/backup/deletebackuphistory", &key).await;
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html")));
    assert!(!page.is_from_app());
}

#[tokio::test]
async fn long_answers_are_compressed_on_request() {
    let (_server, portal, key) = portal().await;
    portal.add_backups(20);
    let authorization = bearer(&key);
    let headers = [("Authorization", authorization.as_str()), ("Accept-Encoding", "gzip")];
    let packed = call_with(&portal, "GET", HISTORY, &headers).await;
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert_eq!(packed.body[..2], [0x1f, 0x8b]);
    assert_eq!(call(&portal, "GET", HISTORY, &key).await.header("content-encoding"), None);
    portal.set_service_enabled(false);
    assert_eq!(call_with(&portal, "GET", SERVICE, &headers).await.header("content-encoding"), None);
}
