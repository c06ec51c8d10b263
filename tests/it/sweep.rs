//! One sweep in virtual time, against portals without sockets: which calls are made, when, and what is said of them.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use docsweep::clock::{Clock as _, SystemClock};
use docsweep::domain::{
    Backup, Dump, FailureClass, Method, Outcome, PortalName, RetryPolicy, ScheduleLabel, SkipReason, SweepId,
    SweepReport, Trigger,
};
use docsweep::portal::Call::{DeleteHistory, History, RestoreProgress, Version};
use docsweep::portal::PortalError;
use docsweep::retry::Stop;
use docsweep::sweep::{Admission, Job, Sweeping, Waits, Work as _};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::support::fake::{Act, FakePortal, FakePortals, error, not_served};

/// Lets everybody in, and writes the pauses down.
#[derive(Default)]
struct Open(Mutex<Vec<Duration>>);

impl Admission for Open {
    type Permit = ();

    async fn enter(&self) {}

    fn pause(&self, pause: Duration) {
        self.0.lock().unwrap().push(pause);
    }

    fn is_paused(&self) -> bool {
        false
    }

    async fn witness(&self, _: &Job, _: &[Backup]) -> Result<(), String> {
        Ok(())
    }
}

struct Bench {
    portal: FakePortal,
    portals: FakePortals,
    job: Job,
    gate: Arc<Open>,
    stop: Stop,
}

impl Bench {
    fn new(ids: &[&str]) -> Self {
        let name = PortalName::new("acme").unwrap();
        let portal = FakePortal::with(ids);
        let portals = FakePortals([(name.clone(), portal.clone())].into());
        let job = Job {
            sweep_id: SweepId::random(),
            portal: name,
            schedule: ScheduleLabel::new("nightly"),
            slot: None,
            trigger: Trigger::Schedule,
            dump: Dump::Own,
            method: Method::Bulk,
            keep: None,
            wipes: None,
            verify: true,
            retry: RetryPolicy::default(),
            end: Instant::now() + Duration::from_secs(3600),
            began: "2026-11-24T03:00:00Z".parse().unwrap(),
            over_at: Timestamp::MAX,
            time: Duration::from_secs(3600),
            timeout: Duration::from_secs(100),
            next_slot: None,
        };
        Self { portal, portals, job, gate: Arc::default(), stop: Stop::default() }
    }

    async fn sweep(&self) -> SweepReport {
        let work = Sweeping { connect: self.portals.clone(), clock: Arc::new(SystemClock) };
        work.work(&self.job, self.gate.as_ref(), &Waits::default(), &self.stop).await
    }
}

fn class(report: &SweepReport) -> Option<FailureClass> {
    match &report.outcome {
        Outcome::Failed(failure) => Some(failure.class),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_history_is_deleted_and_the_deletion_is_verified() {
    let bench = Bench::new(&["a", "b", "c"]);
    let report = bench.sweep().await;
    assert_eq!(bench.portal.calls(), [RestoreProgress, History, DeleteHistory, History]);
    assert_eq!(report.outcome, Outcome::Deleted);
    let counts = report.counts;
    assert_eq!(
        (counts.found, counts.deleted, counts.kept, counts.remaining),
        (Some(3), Some(3), Some(0), Some(0))
    );
    assert!(report.verified);
    assert_eq!(report.attempts, 1);
}

#[tokio::test(start_paused = true)]
async fn an_empty_history_gets_its_deletion_all_the_same() {
    let bench = Bench::new(&[]);
    let report = bench.sweep().await;
    assert_eq!(bench.portal.calls(), [RestoreProgress, History, DeleteHistory, History]);
    assert_eq!((&report.outcome, report.verified), (&Outcome::NothingToDelete, true));
}

#[tokio::test(start_paused = true)]
async fn true_is_no_success_while_the_list_says_otherwise() {
    let bench = Bench::new(&["a", "b"]);
    bench.portal.script(DeleteHistory, 99, Act::Lie);
    let report = bench.sweep().await;
    assert_eq!(report.outcome, Outcome::Partial);
    assert_eq!((report.counts.deleted, report.counts.remaining, report.verified), (Some(0), Some(2), false));
    assert_eq!((report.attempts, bench.portal.deletions()), (5, 5));
}

#[tokio::test(start_paused = true)]
async fn without_verify_true_is_taken_for_what_it_is() {
    let mut bench = Bench::new(&["a"]);
    bench.job.verify = false;
    let report = bench.sweep().await;
    assert_eq!(bench.portal.calls(), [RestoreProgress, History, DeleteHistory]);
    assert_eq!((report.outcome, report.verified), (Outcome::Deleted, false));
    assert_eq!((report.counts.found, report.counts.deleted), (Some(1), None), "nobody looked");
}

#[tokio::test(start_paused = true)]
async fn a_backup_made_meanwhile_is_not_what_was_to_go() {
    let bench = Bench::new(&["a"]);
    bench.portal.script(History, 1, Act::Make("b"));
    bench.portal.script(History, 1, Act::Make("new"));
    let report = bench.sweep().await;
    assert_eq!((report.outcome, report.verified), (Outcome::Deleted, true));
    assert_eq!((report.counts.found, report.counts.deleted), (Some(2), Some(2)));
    assert_eq!(bench.portal.left(Dump::Own), ["new"]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_looked_into_before_anything_is_sent_again() {
    let bench = Bench::new(&["a"]);
    bench.portal.script(DeleteHistory, 1, Act::FailAfterwards(error(FailureClass::OutcomeUnknown, None)));
    let report = bench.sweep().await;
    assert_eq!(bench.portal.calls(), [RestoreProgress, History, DeleteHistory, RestoreProgress, History]);
    let (deleted, looked) = (bench.portal.times(DeleteHistory)[0], bench.portal.times(History)[1]);
    assert!(looked - deleted >= Duration::from_secs(120));
    assert_eq!((report.outcome, report.counts.deleted, report.verified), (Outcome::Deleted, Some(1), true));
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_with_the_work_undone_is_followed_by_one_more_deletion() {
    let bench = Bench::new(&["a"]);
    bench.portal.script(DeleteHistory, 1, Act::Fail(error(FailureClass::OutcomeUnknown, Some(504))));
    let report = bench.sweep().await;
    let expected =
        [RestoreProgress, History, DeleteHistory, RestoreProgress, History, DeleteHistory, History];
    assert_eq!(bench.portal.calls(), expected);
    assert_eq!(report.outcome, Outcome::Deleted);
}

#[tokio::test(start_paused = true)]
async fn after_a_lost_answer_nothing_is_deleted_without_a_list() {
    let bench = Bench::new(&["a"]);
    bench.portal.script(DeleteHistory, 1, Act::Fail(error(FailureClass::OutcomeUnknown, Some(504))));
    bench.portal.script(History, 1, Act::Make("b"));
    bench.portal.script(History, 99, Act::Fail(error(FailureClass::ServerError, Some(500))));
    let report = bench.sweep().await;
    assert_eq!(class(&report), Some(FailureClass::OutcomeUnknown));
    assert_eq!(bench.portal.deletions(), 1);
    assert_eq!((report.counts.found, report.counts.deleted), (Some(2), None), "unknown is said as unknown");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_fails_does_not_stop_a_bulk_deletion() {
    let bench = Bench::new(&["a"]);
    bench.portal.script(History, 1, Act::Fail(error(FailureClass::ServerError, Some(500))));
    let report = bench.sweep().await;
    assert_eq!(bench.portal.calls(), [RestoreProgress, History, DeleteHistory, History]);
    assert_eq!((report.outcome, report.verified, report.counts.found), (Outcome::Deleted, true, None));
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_serves_only_the_deletion_can_be_swept() {
    let bench = Bench::new(&["a"]);
    bench.portal.script(RestoreProgress, 9, Act::Fail(not_served())).script(
        History,
        9,
        Act::Fail(not_served()),
    );
    let report = bench.sweep().await;
    assert_eq!(bench.portal.calls(), [RestoreProgress, History, DeleteHistory]);
    assert_eq!((report.outcome, report.verified), (Outcome::Deleted, false));
    assert_eq!(report.counts.deleted, None);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_where_no_list_is_served_ends_the_sweep() {
    let bench = Bench::new(&["a"]);
    bench.portal.script(History, 9, Act::Fail(not_served()));
    bench.portal.script(DeleteHistory, 9, Act::FailAfterwards(error(FailureClass::OutcomeUnknown, None)));
    let report = bench.sweep().await;
    assert_eq!(class(&report), Some(FailureClass::OutcomeUnknown));
    assert_eq!(bench.portal.deletions(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_is_not_served_is_no_portal() {
    let bench = Bench::new(&["a"]);
    bench.portal.script(DeleteHistory, 9, Act::Fail(not_served()));
    let report = bench.sweep().await;
    assert_eq!((class(&report), report.attempts), (Some(FailureClass::NotAPortal), 1));
    assert_eq!(report.counts.deleted, Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_refused_preflight_leaves_it_to_the_inventory_to_name_the_cause() {
    let bench = Bench::new(&["a"]);
    bench.portal.script(RestoreProgress, 1, Act::Fail(error(FailureClass::Busy, Some(403))));
    bench.portal.script(History, 1, Act::Fail(error(FailureClass::KeyScope, Some(403))));
    let report = bench.sweep().await;
    assert_eq!(class(&report), Some(FailureClass::KeyScope));
    assert_eq!(bench.portal.deletions(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_restore_is_waited_for_within_the_time() {
    let bench = Bench::new(&["a"]);
    bench.portal.restoring(true);
    let report = bench.sweep().await;
    assert_eq!(report.outcome, Outcome::Skipped(SkipReason::Busy));
    let asked = bench.portal.times(RestoreProgress);
    // Every 2 to 3 minutes for an hour, whatever `max_attempts` says.
    assert!((20..=30).contains(&asked.len()), "{}", asked.len());
    assert!(asked.windows(2).all(|pair| (120..=180).contains(&(pair[1] - pair[0]).as_secs())));
    assert_eq!(bench.portal.left(Dump::Own), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn only_dump_needs_to_know_the_version_and_only_without_an_api_key() {
    for (dump, version, calls) in [
        (Dump::ServerWide, Some("3.0.4"), vec![Version]),
        (Dump::ServerWide, Some("3.1.0"), vec![Version, RestoreProgress, History, DeleteHistory, History]),
        (Dump::ServerWide, None, vec![Version, RestoreProgress, History, DeleteHistory, History]),
        (Dump::Own, Some("3.0.4"), vec![RestoreProgress, History, DeleteHistory, History]),
    ] {
        let mut bench = Bench::new(&["a"]);
        bench.portal.make(Dump::ServerWide, "dump");
        bench.portal.session_token(version);
        bench.job.dump = dump;
        let report = bench.sweep().await;
        assert_eq!(bench.portal.calls(), calls, "{dump:?} {version:?}");
        assert_eq!(class(&report).is_some(), calls == [Version]);
        if calls == [Version] {
            assert_eq!(class(&report), Some(FailureClass::DumpRefused));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn dumps_and_own_backups_are_two_sets() {
    let mut bench = Bench::new(&["own"]);
    bench.portal.make(Dump::ServerWide, "dump");
    bench.job.dump = Dump::ServerWide;
    assert_eq!(bench.sweep().await.outcome, Outcome::Deleted);
    assert_eq!(bench.portal.left(Dump::Own), ["own"]);
    assert!(bench.portal.left(Dump::ServerWide).is_empty());
}

#[tokio::test(start_paused = true)]
async fn every_class_is_tried_as_often_as_it_makes_sense() {
    use FailureClass as C;
    let cases = [
        (C::Unreachable, 5),
        (C::KeyUnavailable, 5),
        (C::ServerError, 5),
        (C::RateLimited, 5),
        (C::OutcomeUnknown, 5),
        (C::KeyRejected, 2),
        (C::Tls, 1),
        (C::KeyScope, 1),
        (C::NotAdmin, 1),
        (C::DumpRefused, 1),
        (C::IpBlocked, 1),
        (C::Unpaid, 1),
        (C::Suspended, 1),
        (C::NoSuchPortal, 1),
        (C::NotAPortal, 1),
        (C::Redirected, 1),
        (C::BadResponse, 1),
        (C::Internal, 1),
    ];
    for (class_, attempts) in cases {
        let bench = Bench::new(&["a"]);
        bench.portal.script(DeleteHistory, 99, Act::Fail(error(class_, None)));
        let report = bench.sweep().await;
        assert_eq!((class(&report), report.attempts), (Some(class_), attempts), "{class_:?}");
    }
    // `busy` is the one that is left: it is bounded by time alone, above.
    assert_eq!(cases.len() + 1, C::ALL.len());
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_honoured_and_clamped_and_pauses_the_server() {
    let limited = |seconds| PortalError {
        retry_after: Some(Duration::from_secs(seconds)),
        ..error(FailureClass::RateLimited, Some(429))
    };
    let bench = Bench::new(&["a"]);
    bench.portal.script(DeleteHistory, 1, Act::Fail(limited(7)));
    assert_eq!(bench.sweep().await.outcome, Outcome::Deleted);
    let sent = bench.portal.times(DeleteHistory);
    let waited = sent[1] - sent[0];
    assert!(
        waited >= Duration::from_secs(7) && waited <= Duration::from_secs(9),
        "7 s and a jitter of up to 2 s"
    );
    assert_eq!(*bench.gate.0.lock().unwrap(), [Duration::from_secs(7)]);

    let bench = Bench::new(&["a"]);
    bench.portal.script(DeleteHistory, 1, Act::Fail(limited(u64::MAX)));
    let report = bench.sweep().await;
    assert_eq!(class(&report), Some(FailureClass::RateLimited), "an hour is more than the sweep has");
    assert_eq!(*bench.gate.0.lock().unwrap(), [Duration::from_secs(3600)], "and no pause is longer");
}

#[tokio::test(start_paused = true)]
async fn a_sweep_ends_with_its_time() {
    let began = Instant::now();
    for (hanging, expected) in
        [(History, FailureClass::ServerError), (DeleteHistory, FailureClass::OutcomeUnknown)]
    {
        let mut bench = Bench::new(&["a"]);
        bench.job.end = Instant::now() + Duration::from_secs(90);
        bench.portal.script(hanging, 1, Act::Hang);
        let report = bench.sweep().await;
        assert_eq!(class(&report), Some(expected));
        assert!(report.duration <= Duration::from_secs(91));
    }
    assert!(began.elapsed() <= Duration::from_secs(182));
}

#[tokio::test(start_paused = true)]
async fn no_attempt_begins_after_the_end() {
    let mut bench = Bench::new(&["a"]);
    bench.job.end = Instant::now() + Duration::from_secs(20);
    bench.job.retry.max_attempts = NonZeroU32::new(1000).unwrap();
    bench.portal.script(DeleteHistory, 1000, Act::Fail(error(FailureClass::ServerError, Some(503))));
    let report = bench.sweep().await;
    assert_eq!(class(&report), Some(FailureClass::ServerError));
    assert!(bench.portal.times(DeleteHistory).iter().all(|at| *at < bench.job.end));
    assert!(Instant::now() <= bench.job.end);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_waits_and_a_cut_ends_everything() {
    // In a wait between attempts: at once.
    let bench = Bench::new(&["a"]);
    bench.portal.script(DeleteHistory, 9, Act::Fail(error(FailureClass::KeyRejected, Some(401))));
    let (report, ()) = tokio::join!(bench.sweep(), async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        bench.stop.soft.cancel();
    });
    assert_eq!(report.outcome, Outcome::Skipped(SkipReason::Shutdown));
    assert!(report.duration < Duration::from_secs(6));

    // In a request: the soft stop lets it go on, the hard one does not.
    let bench = Bench::new(&["a"]);
    bench.portal.script(DeleteHistory, 1, Act::Hang);
    let (report, ()) = tokio::join!(bench.sweep(), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        bench.stop.soft.cancel();
        tokio::time::sleep(Duration::from_secs(30)).await;
        bench.stop.hard.cancel();
    });
    assert_eq!(report.outcome, Outcome::Skipped(SkipReason::Shutdown));
    assert!(report.duration >= Duration::from_secs(31));
    assert_eq!(report.note.as_deref(), Some("a deletion was sent, and its answer was not seen"));
    assert_eq!(report.counts.deleted, None);

    // Before it began: nothing is sent.
    let bench = Bench::new(&["a"]);
    bench.stop.soft.cancel();
    assert_eq!(bench.sweep().await.outcome, Outcome::Skipped(SkipReason::Shutdown));
    assert!(bench.portal.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_verification_that_fails_is_repeated_without_a_second_deletion() {
    let bench = Bench::new(&["a"]);
    bench.portal.script(History, 1, Act::Make("b"));
    bench.portal.script(History, 1, Act::Fail(error(FailureClass::ServerError, Some(502))));
    let report = bench.sweep().await;
    assert_eq!((report.outcome, report.verified, report.attempts), (Outcome::Deleted, true, 2));
    assert_eq!(bench.portal.deletions(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_listed_without_an_inventory_is_never_called_verified() {
    let bench = Bench::new(&[]);
    // The portal's clock is ahead of ours, so its backup looks as if it had been made since.
    bench.portal.make_at(Dump::Own, "a", "2026-11-24T03:05:00Z");
    bench.portal.script(History, 1, Act::Fail(error(FailureClass::ServerError, Some(500))));
    bench.portal.script(DeleteHistory, 1, Act::Lie);
    let report = bench.sweep().await;
    assert_eq!((&report.outcome, report.verified, report.counts.deleted), (&Outcome::Deleted, false, None));
    assert_eq!(bench.portal.left(Dump::Own), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn what_was_seen_to_remain_is_partial_though_the_time_runs_out() {
    let bench = Bench::new(&["a", "b"]);
    bench.portal.script(DeleteHistory, 1, Act::Lie).script(RestoreProgress, 1, Act::Make("new"));
    bench.portal.script(RestoreProgress, 1, Act::Hang);
    let report = bench.sweep().await;
    assert_eq!((&report.outcome, report.counts.remaining), (&Outcome::Partial, Some(3)));
}

#[tokio::test(start_paused = true)]
async fn a_panic_after_a_deletion_leaves_what_was_seen_before_it() {
    let bench = Bench::new(&["a", "b"]);
    bench.portal.script(DeleteHistory, 1, Act::Panic);
    let report = bench.sweep().await;
    assert_eq!((class(&report), report.attempts), (Some(FailureClass::Internal), 1));
    assert_eq!((report.counts.found, report.counts.deleted), (Some(2), None));
    assert_eq!(report.note.as_deref(), Some("a deletion was sent, and its answer was not seen"));
}

#[tokio::test(start_paused = true)]
async fn a_passing_fault_does_not_switch_the_version_check_off() {
    let mut bench = Bench::new(&[]);
    bench.portal.make(Dump::ServerWide, "dump");
    bench.portal.session_token(Some("3.0.4"));
    bench.portal.script(Version, 2, Act::Fail(error(FailureClass::ServerError, Some(503))));
    bench.job.dump = Dump::ServerWide;
    let report = bench.sweep().await;
    assert_eq!((class(&report), bench.portal.deletions()), (Some(FailureClass::DumpRefused), 0));
    assert_eq!(bench.portal.calls(), [Version, Version, Version]);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_failed_is_looked_into_before_it_is_repeated() {
    let bench = Bench::new(&["a"]);
    bench.portal.script(DeleteHistory, 1, Act::FailAfterwards(error(FailureClass::ServerError, Some(502))));
    let report = bench.sweep().await;
    assert_eq!((&report.outcome, report.verified), (&Outcome::Deleted, true));
    assert_eq!(bench.portal.deletions(), 1, "it was done, so it is not sent again");
}

#[tokio::test(start_paused = true)]
async fn no_deletion_is_sent_after_the_end_by_the_wall_clock() {
    let mut bench = Bench::new(&["a"]);
    // The machine slept: tokio's clock stood still, the wall clock did not.
    bench.job.over_at = SystemClock.now() - Duration::from_secs(1);
    let report = bench.sweep().await;
    assert_eq!(report.outcome, Outcome::Skipped(SkipReason::NoTime));
    assert_eq!(bench.portal.calls(), [RestoreProgress, History]);
}

#[tokio::test(start_paused = true)]
async fn a_portal_that_was_given_no_time_is_not_blamed() {
    let mut bench = Bench::new(&["a"]);
    bench.job.end = Instant::now() + Duration::from_millis(20);
    bench.job.time = Duration::from_millis(20);
    bench.portal.script(History, 1, Act::Hang);
    assert_eq!(bench.sweep().await.outcome, Outcome::Skipped(SkipReason::NoTime));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_makes_no_sense_ends_the_sweep_but_not_without_a_look() {
    let bench = Bench::new(&["a", "b"]);
    bench.portal.script(DeleteHistory, 1, Act::FailAfterwards(error(FailureClass::BadResponse, Some(200))));
    let report = bench.sweep().await;
    assert_eq!((class(&report), report.attempts), (Some(FailureClass::BadResponse), 1));
    assert_eq!((report.counts.deleted, report.counts.remaining, report.verified), (Some(2), Some(0), false));
    assert_eq!(bench.portal.deletions(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_blind_deletion_is_not_sent_where_last_backups_are_counted() {
    let mut bench = Bench::new(&[]);
    bench.job.wipes = Some(Arc::new(docsweep::sweep::Wipes::new(0)));
    let report = bench.sweep().await;
    assert_eq!((&report.outcome, bench.portal.deletions()), (&Outcome::NothingToDelete, 0));
}
