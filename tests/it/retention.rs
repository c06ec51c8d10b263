//! Retention and the method `each`, in virtual time: what is sent, what survives, and what is said of it.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use docsweep::clock::SystemClock;
use docsweep::domain::{
    Backup, Dump, FailureClass, Keep, Method, Outcome, PortalName, Reason, RetryPolicy, ScheduleLabel,
    SkipReason, SweepId, SweepReport, Trigger,
};
use docsweep::portal::Call::{DeleteBackup, History, RestoreProgress};
use docsweep::portal::PortalError;
use docsweep::retry::Stop;
use docsweep::sweep::{Admission, Job, Planning, Sweeping, Waits, Wipes, Work as _};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::support::fake::{Act, FakePortal, FakePortals, error, not_served};

struct Open;

impl Admission for Open {
    type Permit = ();

    async fn enter(&self) {}

    fn pause(&self, _: Duration) {}

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
}

/// The instant of every decision here.
const NOW: &str = "2026-11-24T03:00:00Z";

impl Bench {
    /// A portal with one backup a day, `b1` being the newest.
    fn new(days: u32, keep: Option<Keep>) -> Self {
        let name = PortalName::new("acme").unwrap();
        let portal = FakePortal::with(&[]);
        for day in 1..=days {
            portal.make_at(Dump::Own, &format!("b{day}"), &format!("2026-11-{:02}T02:00:00Z", 24 - day));
        }
        let portals = FakePortals([(name.clone(), portal.clone())].into());
        let job = Job {
            sweep_id: SweepId::random(),
            portal: name,
            schedule: ScheduleLabel::new("nightly"),
            slot: None,
            trigger: Trigger::Schedule,
            dump: Dump::Own,
            method: Method::Each,
            keep,
            verify: true,
            retry: RetryPolicy::default(),
            wipes: None,
            end: Instant::now() + Duration::from_secs(3600),
            began: NOW.parse().unwrap(),
            over_at: Timestamp::MAX,
            time: Duration::from_secs(3600),
            timeout: Duration::from_secs(100),
            next_slot: None,
        };
        Self { portal, portals, job }
    }

    async fn sweep(&self) -> SweepReport {
        Sweeping { connect: self.portals.clone(), clock: Arc::new(SystemClock) }
            .work(&self.job, &Open, &Waits::default(), &Stop::default())
            .await
    }

    async fn plan(&self, at: Option<&str>) -> SweepReport {
        let at = at.map(|at| at.parse().unwrap());
        let planning = Planning { look: self.portals.clone(), at };
        planning.work(&self.job, &Open, &Waits::default(), &Stop::default()).await
    }
}

fn last(n: u32) -> Option<Keep> {
    Keep::new(NonZeroU32::new(n), None)
}

fn removed(report: &SweepReport) -> Vec<&str> {
    report.removed.iter().map(|removed| removed.backup.id.as_str()).collect()
}

fn server_error() -> PortalError {
    error(FailureClass::ServerError, Some(500))
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_stays_and_the_rest_goes_oldest_first() {
    let bench = Bench::new(5, last(2));
    let report = bench.sweep().await;
    assert_eq!(report.outcome, Outcome::Deleted);
    assert_eq!(bench.portal.sent(), ["b5", "b4", "b3"]);
    assert_eq!(removed(&report), ["b5", "b4", "b3"]);
    assert_eq!(bench.portal.left(Dump::Own), ["b1", "b2"]);
    let counts = report.counts;
    assert_eq!(
        (counts.found, counts.deleted, counts.kept, counts.remaining),
        (Some(5), Some(3), Some(2), Some(0))
    );
    assert!(report.verified);
    assert_eq!(report.removed[0].backup.file_name, "b5.tar.gz");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_where_everything_is_kept() {
    let bench = Bench::new(3, last(3));
    let report = bench.sweep().await;
    assert_eq!((&report.outcome, report.verified), (&Outcome::NothingToDelete, true));
    assert_eq!(bench.portal.calls(), [RestoreProgress, History]);
    assert_eq!(report.counts.kept, Some(3));
}

#[tokio::test(start_paused = true)]
async fn each_without_keep_deletes_all_one_by_one() {
    let bench = Bench::new(20, None);
    let report = bench.sweep().await;
    assert_eq!((report.outcome, report.counts.deleted), (Outcome::Deleted, Some(20)));
    assert!(bench.portal.left(Dump::Own).is_empty());
    assert_eq!(bench.portal.deletions(), 0, "never the call for all of them");
    assert_eq!(bench.portal.most_at_once(), 8);
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_appears_after_the_list_survives() {
    let bench = Bench::new(3, None);
    bench.portal.script(DeleteBackup, 1, Act::Make("new"));
    let report = bench.sweep().await;
    assert_eq!(report.outcome, Outcome::Deleted);
    assert_eq!(bench.portal.left(Dump::Own), ["new"]);
    assert!(!bench.portal.sent().contains(&"new".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_backup_whose_file_fails_is_tried_again_in_the_sweep() {
    let bench = Bench::new(3, last(1));
    // The record goes at once, the file only with the third call: the server's order (docspace-api.md §2.4).
    bench.portal.fail_id("b3", 2, true, server_error());
    let report = bench.sweep().await;
    assert_eq!((&report.outcome, report.attempts), (&Outcome::Deleted, 3));
    assert_eq!(bench.portal.sent().iter().filter(|id| *id == "b3").count(), 3);
    assert_eq!(
        bench.portal.sent().iter().filter(|id| *id == "b2").count(),
        1,
        "what was answered is not sent again"
    );
    assert_eq!(report.removed.iter().filter(|removed| removed.doubt.is_some()).count(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_list_tells_a_backup_that_is_gone_from_one_that_is_not() {
    let bench = Bench::new(3, last(1));
    bench.portal.fail_id("b3", 99, true, server_error());
    let report = bench.sweep().await;
    assert_eq!((&report.outcome, report.verified, report.attempts), (&Outcome::Deleted, true, 5));
    assert_eq!(removed(&report), ["b3", "b2"]);
    assert!(report.removed[0].doubt.is_some(), "its file may have been left behind");
    assert!(report.note.as_deref().unwrap().contains("files may have been left behind"), "{:?}", report.note);

    let bench = Bench::new(3, last(1));
    bench.portal.fail_id("b3", 99, false, server_error());
    let report = bench.sweep().await;
    assert_eq!((&report.outcome, report.verified), (&Outcome::Partial, false));
    assert_eq!(removed(&report), ["b2"]);
    assert_eq!(report.left[0].id.as_str(), "b3", "a partial sweep names what remains");
    assert_eq!((report.counts.deleted, report.counts.remaining), (Some(1), Some(1)));
}

#[tokio::test(start_paused = true)]
async fn what_the_server_refuses_for_good_is_not_sent_again() {
    let bench = Bench::new(3, last(1));
    bench.portal.fail_id("b3", 99, false, error(FailureClass::BadResponse, Some(400)));
    let report = bench.sweep().await;
    assert_eq!((&report.outcome, report.attempts), (&Outcome::Partial, 1));
    assert_eq!(bench.portal.sent(), ["b3", "b2"]);
}

#[tokio::test(start_paused = true)]
async fn a_portal_that_fails_in_the_middle_fails_the_sweep_and_keeps_its_record() {
    let bench = Bench::new(20, None);
    bench.portal.fail_id("b12", 99, false, error(FailureClass::NotAdmin, Some(403)));
    let report = bench.sweep().await;
    let Outcome::Failed(failure) = &report.outcome else { panic!("{:?}", report.outcome) };
    assert_eq!(failure.class, FailureClass::NotAdmin);
    // b12 is the ninth; those that were on their way with it came back, and no further one was sent.
    let sent = bench.portal.sent().len();
    assert!((9..=16).contains(&sent), "{sent}");
    assert_eq!(report.counts.deleted, Some(sent as u64 - 1));
    assert_eq!(report.removed.len(), sent - 1);
    assert_eq!(bench.portal.left(Dump::Own).len(), 20 - (sent - 1));
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_looked_into_before_the_id_is_sent_again() {
    for work in [true, false] {
        let bench = Bench::new(2, last(1));
        bench.portal.fail_id("b2", 1, work, error(FailureClass::OutcomeUnknown, None));
        let report = bench.sweep().await;
        assert_eq!(report.outcome, Outcome::Deleted);
        assert_eq!(bench.portal.sent().len(), if work { 1 } else { 2 });
        let (deletes, lists) = (bench.portal.times(DeleteBackup), bench.portal.times(History));
        assert!(lists.len() >= 2 && deletes.len() <= 2);
        assert!(report.duration >= Duration::from_secs(120));
    }
}

#[tokio::test(start_paused = true)]
async fn each_cannot_work_without_the_list() {
    let bench = Bench::new(2, last(1));
    bench.portal.script(History, 99, Act::Fail(not_served()));
    let report = bench.sweep().await;
    let Outcome::Failed(failure) = &report.outcome else { panic!("{:?}", report.outcome) };
    assert_eq!(failure.class, FailureClass::NotAPortal);
    assert!(bench.portal.sent().is_empty());

    let bench = Bench::new(2, last(1));
    bench.portal.script(History, 1, Act::Fail(server_error()));
    assert_eq!(bench.sweep().await.outcome, Outcome::Deleted, "a list that fails is asked for again");
}

#[tokio::test(start_paused = true)]
async fn without_verify_an_error_is_all_that_there_is() {
    let mut bench = Bench::new(3, last(1));
    bench.job.verify = false;
    bench.portal.fail_id("b3", 99, true, error(FailureClass::BadResponse, Some(400)));
    let report = bench.sweep().await;
    assert!(matches!(report.outcome, Outcome::Failed(_)), "{:?}", report.outcome);
    assert_eq!((removed(&report), report.counts.deleted), (vec!["b2"], Some(1)));
}

#[tokio::test(start_paused = true)]
async fn what_is_still_listed_after_a_yes_is_sent_again_and_ends_partial() {
    let bench = Bench::new(2, last(1));
    bench.portal.script(DeleteBackup, 99, Act::Lie);
    let report = bench.sweep().await;
    assert_eq!((&report.outcome, report.attempts), (&Outcome::Partial, 5));
    assert_eq!((report.counts.deleted, report.counts.remaining), (Some(0), Some(1)));
    assert!(report.removed.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_plan_looks_and_decides_as_a_sweep_does() {
    let bench = Bench::new(5, last(2));
    let planned = bench.plan(None).await;
    assert_eq!(planned.outcome, Outcome::Planned);
    assert_eq!(bench.portal.calls(), [RestoreProgress, History]);
    let going: Vec<&str> =
        planned.plan.iter().filter(|v| v.reason.goes()).map(|v| v.backup.id.as_str()).collect();
    assert_eq!(going, ["b3", "b4", "b5"]);
    assert_eq!(planned.plan[0].reason, Reason::Newest { rank: 1, last: NonZeroU32::new(2).unwrap() });
    assert_eq!(
        (planned.counts.found, planned.counts.deleted, planned.counts.kept),
        (Some(5), Some(0), Some(2))
    );

    let swept = bench.sweep().await;
    let mut gone = removed(&swept);
    gone.reverse();
    assert_eq!(gone, going);
}

#[tokio::test(start_paused = true)]
async fn a_plan_can_be_made_for_another_time() {
    let bench = Bench::new(5, Keep::new(None, Some(Duration::from_secs(3 * 86_400))));
    let going = |report: &SweepReport| report.plan.iter().filter(|verdict| verdict.reason.goes()).count();
    assert_eq!(going(&bench.plan(None).await), 3);
    assert_eq!(going(&bench.plan(Some("2026-12-24T00:00:00Z")).await), 5);
    assert_eq!(
        going(&bench.plan(Some("2026-11-20T00:00:00Z")).await),
        0,
        "four of them are yet to come then"
    );
}

#[tokio::test(start_paused = true)]
async fn a_tick_leaves_only_so_many_portals_without_any_backup() {
    let wipes = Some(Arc::new(Wipes::new(1)));
    let (mut emptied, mut spared) = (Bench::new(2, None), Bench::new(2, None));
    let (mut keeping, mut empty) = (Bench::new(2, last(1)), Bench::new(0, None));
    for bench in [&mut emptied, &mut spared, &mut keeping, &mut empty] {
        bench.job.wipes = wipes.as_ref().map(|wipes| Arc::new(wipes.for_portal()));
    }
    empty.job.method = Method::Bulk;
    assert_eq!(
        empty.sweep().await.outcome,
        Outcome::NothingToDelete,
        "an empty history is nobody's last backup"
    );
    assert_eq!(emptied.sweep().await.outcome, Outcome::Deleted);
    assert_eq!(spared.sweep().await.outcome, Outcome::Skipped(SkipReason::WipeLimit));
    assert!(spared.portal.sent().is_empty());
    assert_eq!(
        keeping.sweep().await.outcome,
        Outcome::Deleted,
        "one stays, so it takes nothing of the allowance"
    );

    // `bulk` without a list might delete anything.
    let mut blind = Bench::new(2, None);
    blind.job.wipes = wipes.map(|wipes| Arc::new(wipes.for_portal()));
    blind.job.method = Method::Bulk;
    blind.portal.script(History, 1, Act::Fail(server_error()));
    assert_eq!(blind.sweep().await.outcome, Outcome::Skipped(SkipReason::WipeLimit));
    assert_eq!(blind.portal.deletions(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_fails_once_after_the_deletion_is_asked_for_again() {
    let bench = Bench::new(4, last(1));
    bench.portal.script(DeleteBackup, 3, Act::Lie);
    bench.portal.script(History, 1, Act::Pass).script(History, 1, Act::Fail(server_error()));
    let report = bench.sweep().await;
    // The lie is seen, and what is left is sent again.
    assert_eq!((&report.outcome, report.verified, report.counts.deleted), (&Outcome::Deleted, true, Some(3)));
    assert_eq!(bench.portal.left(Dump::Own), ["b1"]);
    assert_eq!(bench.portal.sent(), ["b4", "b3", "b2", "b4", "b3", "b2"], "oldest first, both times");
}

#[tokio::test(start_paused = true)]
async fn a_backup_is_not_recorded_as_removed_and_as_left_at_once() {
    let bench = Bench::new(4, last(1));
    bench.portal.script(DeleteBackup, 3, Act::Lie);
    bench.portal.script(DeleteBackup, 99, Act::Fail(error(FailureClass::NotAdmin, Some(403))));
    let report = bench.sweep().await;
    assert!(matches!(report.outcome, Outcome::Failed(_)), "{:?}", report.outcome);
    assert_eq!((report.removed.len(), report.counts.deleted), (0, Some(0)), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_kept_and_is_gone_is_said() {
    let bench = Bench::new(4, last(2));
    bench.portal.script(History, 1, Act::Pass);
    let mut lists = 0;
    bench.portal.on_list(move |backups| {
        lists += 1;
        if lists == 2 {
            backups.retain(|backup| backup.id.as_str() != "b2");
        }
    });
    let report = bench.sweep().await;
    assert_eq!((&report.outcome, report.counts.kept), (&Outcome::Deleted, Some(1)));
    assert_eq!(report.note.as_deref(), Some("1 of the backups that were to stay are not listed any more"));
}

#[tokio::test(start_paused = true)]
async fn a_refused_deletion_takes_nothing_of_the_ticks_allowance() {
    let wipes = Some(Arc::new(Wipes::new(1)));
    for method in [Method::Bulk, Method::Each] {
        let (mut refused, mut next) = (Bench::new(2, None), Bench::new(2, None));
        for bench in [&mut refused, &mut next] {
            bench.job.method = method;
            bench.job.wipes = wipes.as_ref().map(|wipes| Arc::new(wipes.for_portal()));
        }
        let no = error(FailureClass::KeyScope, Some(403));
        refused.portal.script(DeleteBackup, 9, Act::Fail(no.clone()));
        refused.portal.script(docsweep::portal::Call::DeleteHistory, 9, Act::Fail(no));
        assert!(matches!(refused.sweep().await.outcome, Outcome::Failed(_)));
        if method == Method::Each {
            assert_eq!(next.sweep().await.outcome, Outcome::Deleted);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_without_a_list_is_no_plan() {
    let mut bench = Bench::new(2, None);
    bench.job.method = Method::Bulk;
    bench.portal.script(History, 99, Act::Fail(not_served()));
    let report = bench.plan(None).await;
    assert!(matches!(report.outcome, Outcome::Failed(_)), "{:?}", report.outcome);
    assert_eq!((report.counts.found, report.counts.deleted), (None, None));
}

#[tokio::test(start_paused = true)]
async fn what_was_proved_gone_stays_so_when_the_rest_is_refused() {
    let bench = Bench::new(20, None);
    for day in 13..=20 {
        bench.portal.fail_id(&format!("b{day}"), 1, true, error(FailureClass::OutcomeUnknown, Some(504)));
    }
    bench.portal.script(DeleteBackup, 99, Act::Fail(error(FailureClass::NotAdmin, Some(403))));
    let report = bench.sweep().await;
    assert!(matches!(report.outcome, Outcome::Failed(_)), "{:?}", report.outcome);
    assert_eq!((report.counts.deleted, report.removed.len()), (Some(8), 8));
}
