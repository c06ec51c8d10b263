//! Bodies: bounded in bytes and in time whatever a portal sends, read leniently where servers differ.

use std::time::Duration;

use docspace_sim::{Backup, Database, Fault, Route, Rule, Server};
use docsweep::domain::{FailureClass, Outcome};

use super::rig::{Rig, class, counts, detail};

const MIB: u64 = 1024 * 1024;

/// Much shorter than what the slow answers below would take.
const SHORT: Duration = Duration::from_secs(1);

#[tokio::test]
async fn an_answer_of_many_gibibytes_is_cut() {
    let rig = Rig::new().await;
    rig.portal.fault(Route::DeleteHistory, Fault::HugeBody { bytes: 10_000 * MIB });
    let report = rig.sweep().await;
    assert_eq!(class(&report), Some(FailureClass::BadResponse));
    assert!(detail(&report).ends_with("the body is longer than 1 MiB"), "{}", detail(&report));
}

#[tokio::test]
async fn a_gzip_bomb_is_cut_at_its_size_after_decompression() {
    for route in [Route::RestoreProgress, Route::DeleteHistory] {
        let rig = Rig::new().await;
        rig.portal.fault(route, Fault::GzipBomb { bytes: 10_000 * MIB });
        let report = rig.sweep().await;
        assert_eq!(class(&report), Some(FailureClass::BadResponse));
        assert!(detail(&report).ends_with("the body is longer than 1 MiB"), "{}", detail(&report));
    }
}

#[tokio::test]
async fn a_list_may_be_longer_and_has_its_bound_too() {
    let rig = Rig::new().await;
    rig.portal.fault(Route::History, Fault::HugeBody { bytes: 10_000 * MIB });
    let report = rig.sweep().await;
    assert_eq!(class(&report), Some(FailureClass::BadResponse));
    assert!(detail(&report).ends_with("the body is longer than 64 MiB"), "{}", detail(&report));
    assert!(rig.deletes().is_empty());
}

#[tokio::test]
async fn a_list_of_more_than_a_mebibyte_is_read() {
    let rig = Rig::new().await;
    let one = r#"{"id":"b1a7c0de-0000-4000-8000-NUMBER","fileName":"backup.tar.gz","storageType":0},"#;
    let records: String = (0..20_000).map(|n| one.replace("NUMBER", &format!("{n:012}"))).collect();
    let body = format!(r#"{{"response":[{}],"status":0}}"#, records.trim_end_matches(','));
    assert!(body.len() as u64 > MIB);
    let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    rig.portal.fault(Route::History, Fault::Answer { status: 200, headers, body: body.into_bytes() });
    let report = rig.sweep().await;
    assert_eq!(
        (report.outcome.clone(), counts(&report)),
        (Outcome::Deleted, (Some(20_000), Some(20_000), Some(0)))
    );
}

#[tokio::test]
async fn a_head_that_drips_in_is_cut_by_the_total_timeout() {
    let mut rig = Rig::new().await;
    rig.endpoint.timeout = SHORT;
    rig.max_attempts(1);
    rig.portal.fault(Route::RestoreProgress, Fault::SlowHead(SHORT / 4));
    let report = rig.sweep().await;
    assert_eq!(class(&report), Some(FailureClass::ServerError));
    assert!(detail(&report).contains("no whole answer in time"), "{}", detail(&report));
}

#[tokio::test]
async fn a_body_that_drips_in_is_cut_by_the_total_timeout() {
    let mut rig = Rig::new().await;
    rig.endpoint.timeout = SHORT;
    rig.max_attempts(1);
    rig.portal.fault(Route::RestoreProgress, Fault::DripBody(SHORT / 4));
    let report = rig.sweep().await;
    assert_eq!(class(&report), Some(FailureClass::ServerError));
    assert!(detail(&report).contains("no whole answer in time"), "{}", detail(&report));
}

#[tokio::test]
async fn a_gzip_stream_that_ends_too_early_is_no_answer() {
    let rig = Rig::new().await;
    rig.portal.add_backups(1);
    let headers = vec![
        ("Content-Type".to_owned(), "application/json".to_owned()),
        ("Content-Encoding".to_owned(), "gzip".to_owned()),
    ];
    let body = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xab, 0x56];
    let cut = Fault::Answer { status: 200, headers, body }.after_work();
    rig.portal.fault(Route::DeleteHistory, cut);
    let report = rig.sweep().await;
    assert_eq!(class(&report), Some(FailureClass::BadResponse));
    assert_eq!(counts(&report), (Some(1), Some(1), Some(0)), "the list that is read at the end tells");
}

#[tokio::test]
async fn a_connection_lost_in_a_gzip_stream_is_a_lost_connection() {
    let rig = Rig::new().await;
    // So many that the simulator compresses the list.
    rig.portal.add_backups(50);
    rig.portal.fault(Route::History, Fault::TruncatedBody);
    let report = rig.sweep().await;
    assert_eq!((report.outcome, report.attempts, report.counts.deleted), (Outcome::Deleted, 2, Some(50)));
}

/// Without an inventory the dates tell what was to go: those of the future are nobody's business.
#[tokio::test]
async fn dates_are_read_with_an_offset_and_without() {
    const LONG_AGO: i64 = 1_700_000_000;
    const FAR_AHEAD: i64 = 4_000_000_000;
    for database in [Database::MySql, Database::PostgreSql] {
        let rig = Rig::of(Server::builder().database(database)).await;
        let old = rig.portal.add_backup(Backup::documents().created_at(LONG_AGO));
        rig.portal.script(Rule::new(Route::History, Fault::ServerError500));
        rig.portal.after_next(Route::DeleteHistory, |portal| {
            portal.add_backup(Backup::documents().created_at(FAR_AHEAD));
        });
        let report = rig.sweep().await;
        assert_eq!((report.outcome.clone(), report.verified), (Outcome::Deleted, false), "{database:?}");
        assert_eq!(counts(&report), (None, None, Some(0)), "{database:?}");
        assert!(!rig.portal.files().contains(&old));
        assert_eq!(rig.portal.files().len(), 1, "{database:?}: the new one was left alone");

        rig.portal.fail_flag(rig.portal.add_backup(Backup::documents().created_at(LONG_AGO)));
        rig.portal.script(Rule::new(Route::History, Fault::ServerError500));
        let report = rig.sweep().await;
        assert_eq!(
            (report.outcome.clone(), report.counts.remaining),
            (Outcome::Partial, Some(1)),
            "{database:?}"
        );
    }
}

/// Some forty bytes each on the wire, hundreds once they are read.
#[tokio::test]
async fn a_list_of_countless_empty_records_is_cut() {
    let rig = Rig::new().await;
    let records = vec![r#"{"id":"00000000000000000000000000000000"}"#; 600_000].join(",");
    let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    let body = format!(r#"{{"status":0,"response":[{records}]}}"#).into_bytes();
    rig.portal.fault(Route::History, Fault::Answer { status: 200, headers, body });
    let report = rig.sweep().await;
    assert_eq!(class(&report), Some(FailureClass::BadResponse));
    assert!(detail(&report).contains("more than 500000 backups"), "{}", detail(&report));
    assert!(rig.deletes().is_empty());
}

/// An answer's status says enough, whatever comes of its body.
#[tokio::test]
async fn a_status_outranks_a_body_without_end() {
    for (status, expected, attempts) in [
        (502, FailureClass::ServerError, 3),
        (429, FailureClass::RateLimited, 3),
        (402, FailureClass::Unpaid, 1),
    ] {
        let rig = Rig::new().await;
        let body = vec![b'x'; 3 * 1024 * 1024];
        rig.portal.fault_always(Route::RestoreProgress, Fault::Answer { status, headers: Vec::new(), body });
        let report = rig.sweep().await;
        assert_eq!((class(&report), report.attempts), (Some(expected), attempts), "{status}");
    }
}
