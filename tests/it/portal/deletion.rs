//! The one call that matters: how often it is sent, what is looked at before and after, and what the record says of it.

use std::time::Duration;

use docspace_sim::{Backup, Fault, Route, Rule};
use docsweep::domain::{FailureClass, Outcome};

use super::rig::{AGES, Rig, class, counts, detail};

const PREFLIGHT: Route = Route::RestoreProgress;
const LIST: Route = Route::History;
const DELETE: Route = Route::DeleteHistory;

/// The deletion is done and its answer lost: the list tells, and nothing is sent twice.
async fn check_done_and_lost(fault: Fault, timeout: Option<Duration>) {
    let mut rig = Rig::new().await;
    if let Some(timeout) = timeout {
        rig.endpoint.timeout = timeout;
    }
    rig.portal.add_backups(3);
    rig.portal.fault(DELETE, fault.clone());
    let report = rig.sweep().await;
    assert_eq!(rig.deletes().len(), 1, "{fault:?}");
    assert_eq!(rig.routes(), [PREFLIGHT, LIST, DELETE, PREFLIGHT, LIST], "{fault:?}");
    assert_eq!((report.outcome.clone(), report.verified, report.attempts), (Outcome::Deleted, true, 2));
    assert_eq!(counts(&report), (Some(3), Some(3), Some(0)), "{fault:?}");
    assert!(rig.portal.files().is_empty());
}

#[tokio::test]
async fn a_connection_dropped_after_the_work() {
    check_done_and_lost(Fault::DropAfterWork, None).await;
}

#[tokio::test]
async fn a_connection_reset_after_the_work() {
    check_done_and_lost(Fault::ResetAfterWork, None).await;
}

#[tokio::test]
async fn an_answer_cut_in_its_body_after_the_work() {
    check_done_and_lost(Fault::TruncatedBody, None).await;
}

#[tokio::test]
async fn a_504_after_the_work() {
    check_done_and_lost(Fault::GatewayPage(504).after_work(), None).await;
}

#[tokio::test]
async fn a_hang_after_the_work() {
    check_done_and_lost(Fault::HangAfterWork, Some(Duration::from_secs(1))).await;
}

#[tokio::test]
async fn a_body_that_drips_in_after_the_work() {
    let pause = Duration::from_millis(250);
    check_done_and_lost(Fault::DripBody(pause), Some(4 * pause)).await;
}

/// Nothing was done, and the answer lost: the list is read, then one more DELETE is sent.
async fn check_lost_before_the_work(fault: Fault, timeout: Option<Duration>) {
    let mut rig = Rig::new().await;
    if let Some(timeout) = timeout {
        rig.endpoint.timeout = timeout;
    }
    rig.portal.add_backups(3);
    rig.portal.fault(DELETE, fault.clone());
    let report = rig.sweep().await;
    assert_eq!(rig.routes(), [PREFLIGHT, LIST, DELETE, PREFLIGHT, LIST, DELETE, LIST], "{fault:?}");
    assert_eq!((report.outcome.clone(), report.verified, report.attempts), (Outcome::Deleted, true, 2));
    assert_eq!(counts(&report), (Some(3), Some(3), Some(0)), "{fault:?}");
    assert!(rig.portal.files().is_empty());
}

#[tokio::test]
async fn a_connection_dropped_before_the_work() {
    check_lost_before_the_work(Fault::DropBeforeWork, None).await;
}

#[tokio::test]
async fn a_504_before_the_work() {
    check_lost_before_the_work(Fault::GatewayPage(504), None).await;
}

#[tokio::test]
async fn a_hang_before_the_work() {
    check_lost_before_the_work(Fault::HangBeforeWork, Some(Duration::from_secs(1))).await;
}

#[tokio::test]
async fn a_lost_answer_is_not_looked_into_before_its_time() {
    let mut rig = Rig::new().await;
    rig.waits.outcome_unknown = AGES;
    rig.portal.add_backups(1);
    rig.portal.fault(DELETE, Fault::DropAfterWork);
    let report = rig.sweep().await;
    assert_eq!((class(&report), report.attempts), (Some(FailureClass::OutcomeUnknown), 1));
    assert_eq!(rig.routes(), [PREFLIGHT, LIST, DELETE]);
    assert_eq!(counts(&report), (Some(1), None, None));
}

#[tokio::test]
async fn a_connection_cut_while_the_server_deletes() {
    let rig = Rig::new().await;
    rig.portal.add_backups(2);
    let hold = rig.portal.hold(DELETE);
    let cut = async {
        hold.arrived(1).await;
        rig.portal.drop_connections();
        hold.release();
    };
    let (report, ()) = tokio::join!(Box::pin(rig.sweep()), cut);
    assert_eq!((report.outcome, report.verified), (Outcome::Deleted, true));
    assert_eq!(rig.routes().last(), Some(&LIST));
    assert!(rig.portal.files().is_empty());
}

/// The list was read after the lost answer, so the refusal of the next DELETE is the failure, and the list counts.
#[tokio::test]
async fn a_refusal_after_a_lost_answer_that_was_looked_into() {
    let rig = Rig::new().await;
    let ids = rig.portal.add_backups(3);
    rig.portal.fail_flag(ids[0]);
    rig.portal.script(Rule::new(DELETE, Fault::DropAfterWork));
    rig.portal.script(Rule::new(DELETE, Fault::status(403)).always());
    let report = rig.sweep().await;
    assert_eq!(class(&report), Some(FailureClass::KeyScope), "{:?}", report.outcome);
    assert_eq!(counts(&report), (Some(3), Some(2), Some(1)));
    assert!(report.note.is_some(), "that a deletion was sent is told");
}

/// What was still listed before a DELETE says nothing of what is left after it.
#[tokio::test]
async fn a_list_from_before_the_last_delete_is_not_recorded_as_what_remains() {
    let rig = Rig::new().await;
    rig.portal.add_backups(3);
    rig.portal.fault(DELETE, Fault::DropBeforeWork);
    rig.portal.script(Rule::new(LIST, Fault::ServerError500).skip(2).always());
    let report = rig.sweep().await;
    assert_eq!(rig.routes()[..7], [PREFLIGHT, LIST, DELETE, PREFLIGHT, LIST, DELETE, LIST]);
    assert!(rig.portal.files().is_empty());
    assert_eq!(class(&report), Some(FailureClass::ServerError));
    assert_eq!(counts(&report), (Some(3), None, None), "nobody has looked since");
}

/// A gateway's 502 can hide a deletion that was done.
#[tokio::test]
async fn an_error_that_hides_the_work_is_not_recorded_as_nothing_deleted() {
    for fault in [Fault::GatewayPage(502), Fault::ServerError500, Fault::Wrapper(docspace_sim::Shape::False)]
    {
        let rig = Rig::new().await;
        rig.portal.add_backups(3);
        rig.portal.fault_always(DELETE, fault.clone().after_work());
        let report = rig.sweep().await;
        assert!(rig.portal.files().is_empty());
        assert!(matches!(counts(&report), (Some(3), None | Some(3), _)), "{fault:?}: {report:?}");
        assert!(report.note.is_some() || report.outcome == Outcome::Deleted, "{fault:?}: {report:?}");
    }
}

/// Nor does a list that is read only after it show what there was.
#[tokio::test]
async fn a_list_after_an_error_that_hides_the_work_is_no_inventory() {
    let rig = Rig::new().await;
    rig.portal.add_backups(3);
    rig.portal.fault(LIST, Fault::ServerError500);
    rig.portal.fault(DELETE, Fault::GatewayPage(502).after_work());
    let report = rig.sweep().await;
    assert_eq!(report.outcome, Outcome::Deleted, "there was something");
    assert_eq!(counts(&report), (None, None, Some(0)));
}

#[tokio::test]
async fn a_refused_delete_deleted_nothing() {
    for (fault, class_of) in [
        (Fault::status(403), FailureClass::KeyScope),
        (Fault::NotFoundEmpty, FailureClass::NotAPortal),
        (Fault::status(402), FailureClass::Unpaid),
    ] {
        let rig = Rig::new().await;
        rig.portal.add_backups(3);
        rig.portal.fault_always(DELETE, fault);
        let report = rig.sweep().await;
        assert_eq!((class(&report), counts(&report)), (Some(class_of), (Some(3), Some(0), None)));
        assert_eq!(report.note, None);
    }
}

#[tokio::test]
async fn what_stays_listed_after_the_last_attempt_is_partial() {
    let rig = Rig::new().await;
    let ids = rig.portal.add_backups(3);
    rig.portal.fail_flag(ids[1]);
    let report = rig.sweep().await;
    assert_eq!((report.outcome.clone(), report.verified, report.attempts), (Outcome::Partial, false, 3));
    assert_eq!(counts(&report), (Some(3), Some(2), Some(1)));
    assert_eq!(rig.portal.files(), [ids[1]]);
    assert_eq!(rig.deletes().len(), 3);
}

#[tokio::test]
async fn a_backup_made_between_list_and_delete() {
    let rig = Rig::new().await;
    rig.portal.add_backups(2);
    rig.portal.add_backup_after_list(Backup::documents());
    let report = rig.sweep().await;
    // "All" is what there is when the server carries it out (docspace-api.md, §7).
    assert_eq!((report.outcome.clone(), counts(&report)), (Outcome::Deleted, (Some(2), Some(2), Some(0))));
    assert!(rig.portal.files().is_empty());
}

#[tokio::test]
async fn a_backup_made_between_delete_and_verification() {
    let rig = Rig::new().await;
    rig.portal.add_backups(2);
    rig.portal.after_next(DELETE, |portal| {
        portal.add_backup(Backup::documents());
    });
    let report = rig.sweep().await;
    assert_eq!((report.outcome.clone(), report.verified), (Outcome::Deleted, true));
    assert_eq!(counts(&report), (Some(2), Some(2), Some(0)));
    assert_eq!((rig.portal.files().len(), rig.deletes().len()), (1, 1), "it is left alone");
}

#[tokio::test]
async fn nothing_to_delete_is_deleted_all_the_same() {
    let rig = Rig::new().await;
    let report = rig.sweep().await;
    assert_eq!((report.outcome, report.verified), (Outcome::NothingToDelete, true));
    assert_eq!(rig.deletes().len(), 1, "the list hides what the server cannot open");
}

#[tokio::test]
async fn without_verification_the_list_is_read_once() {
    let mut rig = Rig::new().await;
    rig.job.verify = false;
    rig.portal.add_backups(2);
    let report = rig.sweep().await;
    assert_eq!((report.outcome.clone(), report.verified), (Outcome::Deleted, false));
    assert_eq!(counts(&report), (Some(2), None, None));
    assert_eq!(rig.routes(), [PREFLIGHT, LIST, DELETE]);
}

#[tokio::test]
async fn a_gateway_that_serves_only_the_delete() {
    for fault in [Fault::NotFoundEmpty, Fault::MethodNotAllowedEmpty] {
        let rig = Rig::new().await;
        rig.portal.add_backups(2);
        rig.portal.fault_always(PREFLIGHT, fault.clone());
        rig.portal.fault_always(LIST, fault);
        let report = rig.sweep().await;
        assert_eq!((report.outcome.clone(), report.verified, report.attempts), (Outcome::Deleted, false, 1));
        assert_eq!(counts(&report), (None, None, None));
        assert_eq!(rig.routes(), [PREFLIGHT, LIST, DELETE]);
        assert!(rig.portal.files().is_empty());
    }
}

#[tokio::test]
async fn a_gateway_that_serves_not_even_the_delete() {
    let rig = Rig::new().await;
    rig.portal.fault_always(Route::AnyRoute, Fault::NotFoundEmpty);
    let report = rig.sweep().await;
    assert_eq!((class(&report), report.attempts), (Some(FailureClass::NotAPortal), 1));
    assert!(detail(&report).contains("DELETE deletebackuphistory"), "{}", detail(&report));
}

#[tokio::test]
async fn a_lost_answer_behind_a_gateway_without_a_list_is_not_repeated() {
    let rig = Rig::new().await;
    rig.portal.add_backups(2);
    rig.portal.fault_always(LIST, Fault::NotFoundEmpty);
    rig.portal.fault_always(DELETE, Fault::GatewayPage(504).after_work());
    let report = rig.sweep().await;
    assert_eq!((class(&report), report.attempts), (Some(FailureClass::OutcomeUnknown), 1));
    assert_eq!(rig.deletes().len(), 1);
}
