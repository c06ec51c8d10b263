//! What is tried again, how often, and after which pause.

use std::sync::Arc;
use std::time::Duration;

use docspace_sim::{Fault, Progress, Route};
use docsweep::clock::ManualClock;
use docsweep::domain::{FailureClass, Outcome, SkipReason};

use super::rig::{AGES, MS, Rig, class, counts};

#[tokio::test]
async fn one_401_may_be_the_servers_own_fault() {
    for route in [Route::History, Route::DeleteHistory] {
        let rig = Rig::new().await;
        rig.portal.add_backups(2);
        rig.portal.fault(route, Fault::DatabaseHiccup401);
        let report = rig.sweep().await;
        assert_eq!((report.outcome, report.verified, report.attempts), (Outcome::Deleted, true, 2));
    }
}

#[tokio::test]
async fn a_401_for_good_costs_two_attempts() {
    let mut rig = Rig::new().await;
    rig.max_attempts(50);
    rig.portal.revoke(&rig.key);
    let report = rig.sweep().await;
    assert_eq!((class(&report), report.attempts), (Some(FailureClass::KeyRejected), 2));
    assert_eq!(rig.routes(), [Route::RestoreProgress, Route::History].repeat(2));
}

#[tokio::test]
async fn a_portal_that_comes_back_is_swept() {
    for fault in
        [Fault::ServerError500, Fault::InvalidOperation403, Fault::GatewayPage(502), Fault::GatewayPage(503)]
    {
        let rig = Rig::new().await;
        rig.portal.add_backups(2);
        rig.portal.fault_times(Route::DeleteHistory, 2, fault.clone());
        let report = rig.sweep().await;
        assert_eq!((report.outcome.clone(), report.attempts), (Outcome::Deleted, 3), "{fault:?}");
        assert_eq!(counts(&report), (Some(2), Some(2), Some(0)), "{fault:?}");
    }
}

#[tokio::test]
async fn a_list_that_fails_does_not_stop_the_deletion() {
    for fault in [Fault::ServerError500, Fault::GatewayPage(502), Fault::GatewayPage(504)] {
        let rig = Rig::new().await;
        rig.portal.add_backups(2);
        rig.portal.fault(Route::History, fault.clone());
        let report = rig.sweep().await;
        assert_eq!((report.outcome.clone(), report.verified, report.attempts), (Outcome::Deleted, true, 1));
        assert_eq!(counts(&report), (None, None, Some(0)), "{fault:?}");
    }
}

async fn limited(retry_after: Option<&str>) -> Rig {
    let rig = Rig::new().await;
    rig.portal.add_backups(1);
    let retry_after = retry_after.map(str::to_owned);
    rig.portal.fault(Route::DeleteHistory, Fault::RateLimited { retry_after });
    rig
}

#[tokio::test]
async fn a_429_is_waited_out_and_the_server_left_alone() {
    let rig = limited(None).await;
    let report = rig.sweep().await;
    assert_eq!((report.outcome, report.attempts), (Outcome::Deleted, 2));
    assert_eq!(rig.gate.pauses(), [rig.waits.rate_limited]);
}

#[tokio::test]
async fn a_429_without_retry_after_costs_the_default_pause() {
    let mut rig = limited(None).await;
    rig.waits.rate_limited = AGES;
    rig.waits.retry_after = (MS, MS);
    let report = rig.sweep().await;
    assert_eq!((class(&report), report.attempts), (Some(FailureClass::RateLimited), 1), "no time for it");
    assert_eq!(rig.gate.pauses(), [AGES]);
}

#[tokio::test]
async fn a_retry_after_in_seconds() {
    let mut rig = limited(Some("120")).await;
    rig.waits.retry_after = (MS, AGES);
    let report = rig.sweep().await;
    assert_eq!((class(&report), report.attempts), (Some(FailureClass::RateLimited), 1));
    assert_eq!(rig.gate.pauses(), [Duration::from_mins(2)]);
    assert_eq!(counts(&report), (Some(1), Some(0), None));
}

#[tokio::test]
async fn a_retry_after_as_a_date() {
    let mut rig = limited(Some("Tue, 24 Nov 2026 10:03:00 GMT")).await;
    rig.clock = Arc::new(ManualClock::new("2026-11-24T10:00:00Z".parse().unwrap()));
    rig.waits.retry_after = (MS, AGES);
    let report = rig.sweep().await;
    assert_eq!((class(&report), report.attempts), (Some(FailureClass::RateLimited), 1));
    assert_eq!(rig.gate.pauses(), [Duration::from_mins(3)]);
}

#[tokio::test]
async fn a_retry_after_is_held_within_bounds() {
    for (asked, taken) in [("31536000", 2 * MS), ("0", MS), ("Tue, 24 Nov 2020 10:03:00 GMT", MS)] {
        let mut rig = limited(Some(asked)).await;
        rig.waits.retry_after = (MS, 2 * MS);
        assert_eq!(rig.sweep().await.outcome, Outcome::Deleted);
        assert_eq!(rig.gate.pauses(), [taken], "{asked}");
    }
}

#[tokio::test]
async fn a_retry_after_that_means_nothing_is_none() {
    for asked in ["soon", "-1", "", "99999999999999999999999999"] {
        let rig = limited(Some(asked)).await;
        assert_eq!(rig.sweep().await.outcome, Outcome::Deleted);
        assert_eq!(rig.gate.pauses(), [rig.waits.rate_limited], "{asked}");
    }
}

#[tokio::test]
async fn a_running_restore_stops_the_delete_until_it_is_over() {
    let mut rig = Rig::new().await;
    rig.max_attempts(1);
    rig.portal.add_backups(1);
    rig.portal.queue_restore();
    rig.portal.after_next(Route::RestoreProgress, |portal| {
        portal.set_restore_progress(Some(Progress::running(50)));
        portal.after_next(Route::RestoreProgress, |portal| {
            portal.set_restore_progress(Some(Progress::finished()));
        });
    });
    let report = rig.sweep().await;
    assert_eq!(
        (report.outcome, report.attempts),
        (Outcome::Deleted, 3),
        "waiting for a restore is no attempt lost"
    );
    let preflight = Route::RestoreProgress;
    assert_eq!(
        rig.routes(),
        [preflight, preflight, preflight, Route::History, Route::DeleteHistory, Route::History]
    );
}

#[tokio::test]
async fn a_restore_to_the_end_of_the_time_is_a_skip() {
    let mut rig = Rig::new().await;
    let kept = rig.portal.add_backups(1);
    rig.waits.busy = AGES;
    rig.server.set_dump_restore(Some(Progress::running(50)));
    let report = rig.sweep().await;
    assert_eq!(report.outcome, Outcome::Skipped(SkipReason::Busy), "a restore of the whole server counts");
    assert_eq!(rig.routes(), [Route::RestoreProgress]);
    assert_eq!(rig.portal.files(), kept);
}

#[tokio::test]
async fn a_dead_key_on_the_preflight_is_named_by_the_list() {
    let rig = Rig::new().await;
    rig.portal.revoke(&rig.key);
    // 3.7.1 and later judge the key on the anonymous route too, with a 403 that looks like a busy portal's.
    let report = rig.sweep().await;
    assert_eq!(class(&report), Some(FailureClass::KeyRejected));
    assert_eq!(rig.portal.requests()[0].status, Some(403));
}
