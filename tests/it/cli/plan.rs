//! `plan` and `sweep --dry-run`, from outside.

use docspace_sim::{Backup, Key, Portal, Server};
use serde_json::{Value, json};

use crate::support::process::Setup;

/// Unix seconds of 2026-01-01, from which the backups of a test are a day apart.
const DAY_0: i64 = 1_767_225_600;

/// A portal with five backups, and a configuration that keeps the newest two.
async fn keeping(server: &Server) -> (Portal, Setup) {
    let portal = server.add_portal("acme").await.unwrap();
    for day in 0..5 {
        let made = Backup::documents().created_at(DAY_0 + day * 86_400);
        portal.add_backup(made.file_name(format!("acme-{day}.tar.gz")));
    }
    let key = portal.add_key(Key::admin());
    let mut setup = Setup::by_hand();
    setup.add(&portal, &key, "keep = { last = 2 }");
    (portal, setup)
}

fn only_looked_at(portal: &Portal) {
    assert!(portal.requests().iter().all(|request| request.method == "GET"), "{:?}", portal.requests());
    assert_eq!((portal.records().len(), portal.files().len()), (5, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_a_table_of_what_goes_and_what_stays_and_why() {
    let server = Server::start().await.unwrap();
    let (portal, setup) = keeping(&server).await;
    let planned = setup.run(&["plan", "--at", "2026-01-06"]).await;
    assert_eq!(planned.code(), 0, "{planned:#?}");
    only_looked_at(&portal);
    let rows = [
        "acme (dump = false): 3 would go, 2 would stay",
        "BACKUP         CREATED               AGE    STORAGE    FATE   REASON",
        "acme-4.tar.gz  2026-01-05T00:00:00Z  1d 0h  documents  stays  the newest of 2 that stay",
        "acme-3.tar.gz  2026-01-04T00:00:00Z  2d 0h  documents  stays  number 2 of the newest 2 that stay",
        "acme-2.tar.gz  2026-01-03T00:00:00Z  3d 0h  documents  goes   not among the newest 2",
        "acme-1.tar.gz  2026-01-02T00:00:00Z  4d 0h  documents  goes   not among the newest 2",
        "acme-0.tar.gz  2026-01-01T00:00:00Z  5d 0h  documents  goes   not among the newest 2",
        "",
        "3 backups would go, 2 would stay. Nothing was deleted.",
    ];
    assert_eq!(planned.stdout, rows);
    assert!(planned.stderr.iter().any(|line| line.contains("not wholly passive")), "{:?}", planned.stderr);

    // A dry run is the same, as of now.
    let dry = setup.run(&["sweep", "--dry-run", "acme"]).await;
    assert_eq!((dry.code(), dry.stdout.len()), (0, rows.len()));
    only_looked_at(&portal);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_for_machines_names_every_backup() {
    let server = Server::start().await.unwrap();
    let (portal, setup) = keeping(&server).await;
    let planned = setup.run(&["plan", "--json"]).await;
    only_looked_at(&portal);
    let object: Value = serde_json::from_str(&planned.stdout[0]).unwrap();
    assert_eq!(planned.stdout.len(), 1);
    assert_eq!(
        (&object["outcome"], &object["kept"], &object["deleted"]),
        (&json!("planned"), &json!(2), &json!(0))
    );
    let fates: Vec<&str> =
        object["backups"].as_array().unwrap().iter().map(|b| b["fate"].as_str().unwrap()).collect();
    assert_eq!(fates, ["stays", "stays", "goes", "goes", "goes"]);
    let newest = &object["backups"][0];
    assert_eq!(
        newest["id"],
        json!(portal.records().iter().max_by_key(|r| r.created).unwrap().id.to_string())
    );
    assert_eq!((&newest["file_name"], &newest["storage"]), (&json!("acme-4.tar.gz"), &json!("documents")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_that_cannot_be_planned_ends_with_4() {
    let server = Server::start().await.unwrap();
    let (portal, mut setup) = keeping(&server).await;
    let other = server.add_portal("hooli").await.unwrap();
    setup.add(&other, "sk-0", "retry = { deadline = \"1s\" }");
    let planned = setup.run(&["plan"]).await;
    assert_eq!(planned.code(), 4, "{planned:#?}");
    assert!(
        planned.stdout.iter().any(|line| line.contains("; 1 could not be planned")),
        "{:?}",
        planned.stdout
    );
    only_looked_at(&portal);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_after_a_plan_deletes_what_was_planned() {
    let server = Server::start().await.unwrap();
    let (portal, setup) = keeping(&server).await;
    let planned = setup.run(&["plan", "--json"]).await;
    let planned: Value = serde_json::from_str(&planned.stdout[0]).unwrap();
    let swept = setup.run(&["sweep", "--json"]).await;
    let swept: Value = serde_json::from_str(&swept.stdout[0]).unwrap();
    let ids = |list: &Value, fate: Option<&str>| {
        let mut ids: Vec<String> = list
            .as_array()
            .unwrap()
            .iter()
            .filter(|backup| fate.is_none_or(|fate| backup["fate"] == fate))
            .map(|backup| backup["id"].as_str().unwrap().to_owned())
            .collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&planned["backups"], Some("goes")), ids(&swept["removed"], None));
    assert_eq!((portal.records().len(), portal.files().len()), (2, 2));
}
