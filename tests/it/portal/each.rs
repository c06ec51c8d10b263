//! Retention and the method `each` over real sockets.

use std::num::NonZeroU32;
use std::time::Duration;

use docspace_sim::{Backup, Fault, Route, Server, StorageKind};
use docsweep::clock::SystemClock;
use docsweep::domain::{Dump, FailureClass, Keep, Method, Outcome};
use docsweep::portal::{HttpReaders, TlsProfiles};
use docsweep::retry::Stop;
use docsweep::sweep::{Planning, Work as _};

use super::rig::{Rig, class, detail};

/// Unix seconds of 2026-01-01, from which the backups of a test are a day apart.
const DAY_0: i64 = 1_767_225_600;

/// A rig whose portal has `n` backups, the last one the newest, and a policy of the newest `last`.
async fn rig(n: i64, last: u32) -> Rig {
    let mut rig = Rig::new().await;
    for day in 0..n {
        rig.portal.add_backup(Backup::documents().created_at(DAY_0 + day * 86_400));
    }
    rig.job.method = Method::Each;
    rig.job.keep = Keep::new(NonZeroU32::new(last), None);
    rig
}

/// The ids of the portal's records, oldest first.
fn ids(rig: &Rig) -> Vec<String> {
    let mut records = rig.portal.records();
    records.sort_by_key(|record| record.created);
    records.into_iter().map(|record| record.id.to_string()).collect()
}

/// The ids that were sent for deletion, in their order.
fn sent(rig: &Rig) -> Vec<String> {
    let deletes = rig.portal.requests_of(Route::DeleteBackup);
    deletes.iter().map(|request| request.path.rsplit('/').next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_newest_stay_with_their_files_and_each_other_one_is_named() {
    let rig = rig(5, 2).await;
    let before = ids(&rig);
    let report = rig.sweep().await;
    assert_eq!((&report.outcome, report.verified), (&Outcome::Deleted, true));
    assert_eq!(ids(&rig), before[3..]);
    assert_eq!(rig.portal.files().len(), 2);
    let mut named = sent(&rig);
    named.sort();
    let mut expected = before[..3].to_vec();
    expected.sort();
    assert_eq!(named, expected);
    assert!(rig.portal.requests_of(Route::DeleteHistory).is_empty(), "never the call for all of them");
    assert!(rig.portal.deletes().iter().all(|request| request.query.is_empty()));
    let removed: Vec<&str> = report.removed.iter().map(|removed| removed.backup.id.as_str()).collect();
    assert_eq!(removed, before[..3], "oldest first, with all that the server told");
    assert!(report.removed.iter().all(|r| r.backup.storage.is_some() && r.backup.created_on.is_some()));
}

#[tokio::test]
async fn at_most_eight_are_sent_at_once() {
    let rig = rig(30, 1).await;
    let report = rig.sweep().await;
    assert_eq!(report.counts.deleted, Some(29));
    assert!(rig.portal.max_concurrent() <= 8, "{}", rig.portal.max_concurrent());
}

#[tokio::test]
async fn a_file_that_cannot_be_deleted_is_tried_again_and_then_said() {
    let mut rig = rig(2, 1).await;
    // After the list: a list on a broken storage drops the record by itself (docspace-api.md §3).
    rig.portal.after_next(Route::History, |portal| portal.break_storage(StorageKind::Documents));
    rig.max_attempts(3);
    let report = rig.sweep().await;
    assert_eq!(sent(&rig).len(), 3, "the server tries the file again each time");
    assert_eq!(report.outcome, Outcome::Deleted, "the record is gone");
    assert_eq!(rig.portal.files().len(), 2, "and the file is not");
    assert!(report.removed[0].doubt.is_some());
    assert!(report.note.unwrap().contains("files may have been left behind"));
}

#[tokio::test]
async fn a_file_that_can_be_deleted_at_the_second_try_is_deleted() {
    let rig = rig(2, 1).await;
    rig.portal.fault(Route::DeleteBackup, Fault::ServerError500);
    let report = rig.sweep().await;
    assert_eq!((&report.outcome, report.verified, report.attempts), (&Outcome::Deleted, true, 2));
    assert!(report.removed[0].doubt.is_none());
    assert!(rig.portal.orphans().is_empty());
}

#[tokio::test]
async fn an_id_that_vanished_meanwhile_is_told_from_a_failure() {
    let rig = rig(3, 1).await;
    // The server knows nothing of the id any more and fails over it; so does the list, which settles it.
    let gone = ids(&rig)[0].clone();
    rig.portal.fault_always(Route::DeleteBackup, Fault::ServerError500.after_work());
    let report = rig.sweep().await;
    assert_eq!((&report.outcome, report.verified), (&Outcome::Deleted, true));
    assert_eq!(report.removed[0].backup.id.as_str(), gone);
    assert_eq!(report.counts.remaining, Some(0));
}

#[tokio::test]
async fn what_appears_between_list_and_delete_survives() {
    let rig = rig(3, 1).await;
    rig.portal.add_backup_after_list(Backup::documents().created_at(DAY_0 - 86_400));
    let report = rig.sweep().await;
    assert_eq!((&report.outcome, report.counts.deleted), (&Outcome::Deleted, Some(2)));
    assert_eq!(rig.portal.records().len(), 2, "although it is older than all the others");
}

#[tokio::test]
async fn an_id_that_is_no_guid_never_becomes_a_path() {
    for id in ["../deletebackupschedule", "", "x?Dump=true", "00000000-0000-0000-0000-00000000000g"] {
        let rig = rig(0, 1).await;
        let body = format!(
            r#"{{"status":0,"statusCode":200,"response":[{{"id":"{id}","createdOn":"2020-01-01T00:00:00"}}]}}"#
        );
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        let answer = Fault::Answer { status: 200, headers, body: body.into_bytes() };
        rig.portal.fault_always(Route::History, answer);
        let report = rig.sweep().await;
        assert_eq!(class(&report), Some(FailureClass::BadResponse), "{id}");
        assert!(rig.portal.deletes().is_empty());
    }
}

#[tokio::test]
async fn no_id_of_a_neighbour_is_sent() {
    let rig = rig(4, 1).await;
    let neighbour = rig.server.add_portal("neighbour").await.unwrap();
    neighbour.add_backups(4);
    let dumps = rig.server.add_dump(Backup::documents().created_at(DAY_0));
    rig.sweep().await;
    assert_eq!(neighbour.records().len(), 4);
    let foreign = |id: &String| neighbour.records().iter().any(|record| record.id.to_string() == *id);
    assert!(!sent(&rig).iter().any(|id| foreign(id) || *id == dumps.to_string()));
}

#[tokio::test]
async fn server_wide_dumps_can_be_kept_as_well() {
    let mut rig = rig(2, 1).await;
    for day in 0..3 {
        rig.server.add_dump(Backup::documents().created_at(DAY_0 + day * 86_400));
    }
    rig.job.dump = Dump::ServerWide;
    let report = rig.sweep().await;
    assert_eq!(
        (&report.outcome, report.counts.deleted, report.counts.kept),
        (&Outcome::Deleted, Some(2), Some(1))
    );
    assert_eq!((rig.server.dumps().len(), rig.portal.records().len()), (1, 2));
}

#[tokio::test]
async fn a_call_that_is_not_served_is_named() {
    let rig = rig(2, 1).await;
    rig.portal.fault_always(Route::DeleteBackup, Fault::NotFoundEmpty);
    let report = rig.sweep().await;
    assert_eq!(class(&report), Some(FailureClass::NotAPortal));
    assert!(detail(&report).contains("DELETE deletebackup"), "{}", detail(&report));

    let rig = self::rig(2, 1).await;
    rig.portal.fault_always(Route::History, Fault::MethodNotAllowedEmpty);
    let report = rig.sweep().await;
    assert_eq!(class(&report), Some(FailureClass::NotAPortal));
    assert!(detail(&report).contains("GET getbackuphistory"), "{}", detail(&report));
    assert!(rig.portal.deletes().is_empty());
}

#[tokio::test]
async fn a_plan_sends_nothing_that_deletes() {
    let rig = rig(5, 2).await;
    let portals = docsweep::portal::HttpPortals::new(
        [(rig.job.portal.clone(), rig.endpoint.clone())].into(),
        TlsProfiles::from_system(),
        std::sync::Arc::new(SystemClock),
    );
    let planning = Planning { look: HttpReaders::new(portals), at: None };
    let mut job = rig.job.clone();
    job.end = tokio::time::Instant::now() + Duration::from_secs(60);
    let report = planning.work(&job, &rig.gate, &rig.waits, &Stop::default()).await;
    assert_eq!(report.outcome, Outcome::Planned);
    assert_eq!(report.plan.iter().filter(|verdict| verdict.reason.goes()).count(), 3);
    assert!(rig.portal.requests().iter().all(|request| request.method == "GET"));
    assert_eq!(rig.portal.records().len(), 5);
}

#[tokio::test]
async fn a_server_too_old_for_dumps_is_not_swept_one_by_one_either() {
    let mut rig = Rig::of(Server::builder().version("3.0.4")).await;
    rig.portal.add_backups(3);
    let token = rig.portal.add_session(docspace_sim::Role::Admin);
    rig.use_key(&token);
    rig.job.method = Method::Each;
    rig.job.keep = Keep::new(NonZeroU32::new(1), None);
    rig.job.dump = Dump::ServerWide;
    let report = rig.sweep().await;
    assert_eq!(class(&report), Some(FailureClass::DumpRefused));
    assert!(rig.portal.deletes().is_empty());
    assert_eq!(rig.portal.records().len(), 3);
}
