//! The dispatcher in virtual time: every due portal is swept once, and none delays another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use docsweep::clock::{Clock as _, ManualClock};
use docsweep::cron::{Cron, Timetable, Zone};
use docsweep::dispatch::{Caps, Dispatcher, Target, splay_offset};
use docsweep::domain::{
    Dump, DumpSetting, FailureClass, Method, MissedRun, Outcome, PortalName, RetryPolicy, ScheduleLabel,
    ServerName, SkipReason, SweepReport, Trigger,
};
use docsweep::ledger::{Health, LedgerError, MemoryLedger};
use docsweep::portal::{Call, PortalError};
use docsweep::retry::Stop;
use docsweep::schedule::{Due, GroupId};
use docsweep::sweep::{Sweeping, Waits};
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::support::fake::{Act, FakePortal, FakePortals, error};

const SLOT: &str = "2026-11-24T03:00:00Z";

struct House {
    portals: FakePortals,
    targets: Vec<Target>,
    caps: Caps,
    stop: Stop,
    clock: Arc<ManualClock>,
    ledger: Arc<MemoryLedger>,
    accounted: HashMap<PortalName, Timestamp>,
}

/// What a run of the dispatcher came to.
type Reports = Arc<Mutex<Vec<(Instant, SweepReport)>>>;

impl House {
    fn new() -> Self {
        Self {
            portals: FakePortals::default(),
            targets: Vec::new(),
            caps: Caps { concurrency: 64, per_server: 4, max_wipes: None },
            stop: Stop::default(),
            clock: Arc::new(ManualClock::new(SLOT.parse().unwrap())),
            ledger: Arc::default(),
            accounted: HashMap::new(),
        }
    }

    /// A portal with one backup on a server of its own; the returned handle changes it.
    fn add(&mut self, name: &str) -> (FakePortal, &mut Target) {
        let portal = FakePortal::with(&["a"]);
        let name = PortalName::new(name).unwrap();
        self.portals.0.insert(name.clone(), portal.clone());
        self.targets.push(Target {
            server: ServerName::new(name.as_str()).unwrap(),
            portal: name,
            schedule: ScheduleLabel::new("hourly"),
            timetable: hourly(),
            offset: Duration::ZERO,
            catch_up: Duration::ZERO,
            dump: DumpSetting::Own,
            method: Method::Bulk,
            keep: None,
            verify: true,
            timeout: Duration::from_secs(100),
            enabled: true,
            retry: RetryPolicy::default(),
        });
        (portal, self.targets.last_mut().unwrap())
    }

    fn dispatcher(&self) -> (Dispatcher<Sweeping<FakePortals>, MemoryLedger>, Reports) {
        let reports = Reports::default();
        let sink = Arc::clone(&reports);
        let on_report = Box::new(move |report: &SweepReport| {
            sink.lock().unwrap().push((Instant::now(), report.clone()));
        });
        let clock = Arc::clone(&self.clock);
        let work = Sweeping { connect: self.portals.clone(), clock: Arc::<ManualClock>::clone(&clock) };
        let stop = self.stop.clone();
        (
            Dispatcher::new(
                work,
                Arc::clone(&self.ledger),
                clock,
                Waits::default(),
                self.caps,
                stop,
                on_report,
            ),
            reports,
        )
    }

    /// Plays the dues, one after the other with a pause between, and gives the reports when all has ended.
    async fn play(&self, dues: Vec<Due>, pause: Duration) -> Vec<(Instant, SweepReport)> {
        let (dispatcher, reports) = self.dispatcher();
        let (sender, receiver) = mpsc::channel(64);
        let feeding = async {
            for due in dues {
                sender.send(due).await.unwrap();
                tokio::time::sleep(pause).await;
            }
            drop(sender);
        };
        tokio::join!(
            dispatcher.run(self.targets.clone(), &self.accounted, self.clock.now(), receiver),
            feeding
        );
        Arc::try_unwrap(reports).unwrap().into_inner().unwrap()
    }
}

fn hourly() -> Timetable {
    Timetable { cron: Cron::parse("0 * * * *").unwrap(), zone: Zone::utc() }
}

fn due(slot: &str) -> Due {
    let slot: Timestamp = slot.parse().unwrap();
    Due { group: GroupId::of(&hourly()), slot: Some(slot), next: hourly().next_after(slot), missed: None }
}

fn outcomes(reports: &[(Instant, SweepReport)]) -> HashMap<String, Outcome> {
    reports.iter().map(|(_, report)| (report.portal.as_str().to_owned(), report.outcome.clone())).collect()
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_portals_due_in_one_slot_are_each_swept_once() {
    let mut house = House::new();
    for n in 0..10_000 {
        let (_, target) = house.add(&format!("portal-{n}"));
        target.server = ServerName::new(&format!("server-{}", n % 500)).unwrap();
    }
    let reports = house.play(vec![due(SLOT)], Duration::from_secs(1)).await;
    assert_eq!(reports.len(), 10_000);
    assert!(reports.iter().all(|(_, report)| report.outcome == Outcome::Deleted));
    assert_eq!(outcomes(&reports).len(), 10_000, "each of them");
    assert!(
        house.portals.0.values().all(|portal| portal.deletions() == 1 && portal.left(Dump::Own).is_empty())
    );
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_one_portals_outcome() {
    let mut house = House::new();
    house.add("bad").0.script(Call::History, 1, Act::Panic);
    house.add("good");
    let reports = outcomes(&house.play(vec![due(SLOT)], Duration::from_secs(1)).await);
    assert_eq!(reports["good"], Outcome::Deleted);
    let Outcome::Failed(failure) = &reports["bad"] else { panic!("{:?}", reports["bad"]) };
    assert_eq!(failure.class, FailureClass::Internal);
    assert!(failure.detail.contains("scripted panic"));
}

#[tokio::test(start_paused = true)]
async fn a_portal_that_hangs_delays_no_other() {
    let mut house = House::new();
    house.add("hanging").0.script(Call::History, 1, Act::Hang);
    for n in 0..200 {
        house.add(&format!("portal-{n}"));
    }
    let began = Instant::now();
    let reports = house.play(vec![due(SLOT)], Duration::from_secs(1)).await;
    for (at, report) in &reports {
        let name = report.portal.as_str();
        assert_eq!(name == "hanging", *at > began + Duration::from_secs(1), "{name}");
    }
    assert_eq!(reports.len(), 201);
}

#[tokio::test(start_paused = true)]
async fn who_queues_for_a_slow_server_holds_nothing_that_others_need() {
    let mut house = House::new();
    house.caps = Caps { concurrency: 2, per_server: 1, max_wipes: None };
    for n in 0..50 {
        let (portal, target) = house.add(&format!("slow-{n}"));
        portal.script(Call::History, 1, Act::Hang);
        target.server = ServerName::new("slow").unwrap();
    }
    house.add("quick");
    let began = Instant::now();
    let reports = house.play(vec![due(SLOT)], Duration::from_secs(1)).await;
    let quick = reports.iter().find(|(_, report)| report.portal.as_str() == "quick").unwrap();
    assert!(quick.0 < began + Duration::from_secs(1));
    // The first slow one takes all the time there is; the others are told that there was none.
    let skipped = |report: &SweepReport| report.outcome == Outcome::Skipped(SkipReason::NoTime);
    assert_eq!(reports.iter().filter(|(_, report)| skipped(report)).count(), 49);
}

#[tokio::test(start_paused = true)]
async fn a_portal_never_runs_twice_at_once() {
    let mut house = House::new();
    let (portal, target) = house.add("acme");
    portal.script(Call::History, 1, Act::Hang);
    target.retry.deadline = Duration::from_secs(5400);
    let reports = house.play(vec![due(SLOT), due("2026-11-24T02:59:30Z")], Duration::from_secs(1)).await;
    let said: Vec<_> = reports.iter().map(|(_, report)| report.outcome.as_str()).collect();
    assert_eq!(said, ["skipped", "failed"]);
    assert_eq!(reports[0].1.outcome, Outcome::Skipped(SkipReason::Overlap));
    assert_eq!(portal_calls(&house, "acme", Call::RestoreProgress), 1);
}

fn portal_calls(house: &House, name: &str, call: Call) -> usize {
    house.portals.0[name].times(call).len()
}

#[tokio::test(start_paused = true)]
async fn no_permit_is_held_in_a_wait() {
    let mut house = House::new();
    house.caps = Caps { concurrency: 1, per_server: 1, max_wipes: None };
    house.add("failing").0.script(
        Call::DeleteHistory,
        99,
        Act::Fail(error(FailureClass::KeyRejected, Some(401))),
    );
    house.add("other");
    let reports = house.play(vec![due(SLOT)], Duration::from_secs(1)).await;
    let names: Vec<_> = reports.iter().map(|(_, report)| report.portal.as_str()).collect();
    assert_eq!(names, ["other", "failing"], "while the one waits 30 s, the other is swept");
}

#[tokio::test(start_paused = true)]
async fn a_429_pauses_the_whole_server_and_no_other() {
    let mut house = House::new();
    house.caps = Caps { concurrency: 1, per_server: 1, max_wipes: None };
    let limited = PortalError {
        retry_after: Some(Duration::from_secs(40)),
        ..error(FailureClass::RateLimited, Some(429))
    };
    for name in ["limited", "neighbour"] {
        let (portal, target) = house.add(name);
        target.server = ServerName::new("shared").unwrap();
        if name == "limited" {
            portal.script(Call::RestoreProgress, 1, Act::Fail(limited.clone()));
        }
    }
    house.add("elsewhere");
    let began = Instant::now();
    let reports = house.play(vec![due(SLOT)], Duration::from_secs(1)).await;
    let at =
        |name: &str| reports.iter().find(|(_, report)| report.portal.as_str() == name).unwrap().0 - began;
    assert!(at("elsewhere") < Duration::from_secs(1));
    assert!(at("neighbour") >= Duration::from_secs(40), "{:?}", at("neighbour"));
    assert!(at("limited") >= Duration::from_secs(40));
    let quiet = house.portals.0["neighbour"].times(Call::RestoreProgress)[0] - began;
    assert!(quiet >= Duration::from_secs(40), "not asked at all in the pause");
}

#[tokio::test(start_paused = true)]
async fn both_is_two_sweeps_own_backups_first() {
    let mut house = House::new();
    let (portal, target) = house.add("acme");
    portal.make(Dump::ServerWide, "dump");
    target.dump = DumpSetting::Both;
    let reports = house.play(vec![due(SLOT)], Duration::from_secs(1)).await;
    let dumps: Vec<_> = reports.iter().map(|(_, report)| (report.dump, report.outcome.clone())).collect();
    assert_eq!(dumps, [(DumpSetting::Own, Outcome::Deleted), (DumpSetting::ServerWide, Outcome::Deleted)]);
    assert_eq!(reports[0].1.sweep_id, reports[1].1.sweep_id);
    assert!(portal.left(Dump::ServerWide).is_empty() && portal.left(Dump::Own).is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_second_deletion_does_not_depend_on_the_first() {
    let mut house = House::new();
    let (portal, target) = house.add("acme");
    portal.make(Dump::ServerWide, "dump");
    portal.script(Call::History, 1, Act::Panic);
    target.dump = DumpSetting::Both;
    let reports = house.play(vec![due(SLOT)], Duration::from_secs(1)).await;
    let said: Vec<_> = reports.iter().map(|(_, report)| report.outcome.as_str()).collect();
    assert_eq!(said, ["failed", "deleted"]);
}

#[tokio::test(start_paused = true)]
async fn paused_and_missed_slots_are_recorded_and_nothing_is_sent() {
    let mut house = House::new();
    house.add("acme").1.enabled = false;
    let (first, last) = ("2026-11-24T00:00:00Z".parse().unwrap(), "2026-11-24T02:00:00Z".parse().unwrap());
    let run = MissedRun { first, last, count: 3 };
    let dues = vec![due(SLOT), Due { slot: None, missed: Some(run), ..due(SLOT) }];
    let reports = house.play(dues, Duration::from_secs(1)).await;
    assert_eq!((&reports[0].1.outcome, reports[0].1.slot), (&Outcome::Paused, Some(SLOT.parse().unwrap())));
    assert_eq!(reports[0].1.next_slot, Some("2026-11-24T04:00:00Z".parse().unwrap()));
    assert_eq!(reports[1].1.outcome, Outcome::Missed(run));
    let record = reports[1].1.record();
    assert_eq!((record.slot, record.last_slot, record.slots), (Some(first), Some(last), Some(3)));
    assert_eq!(record.next_slot, Some("2026-11-24T04:00:00Z".parse().unwrap()));
    assert!(house.portals.0["acme"].calls().is_empty());
    assert_eq!(reports.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_splay_spreads_the_fleet_and_is_the_same_every_day() {
    let mut house = House::new();
    let splay = Duration::from_secs(600);
    for n in 0..1_000 {
        let (_, target) = house.add(&format!("portal-{n}"));
        target.offset = splay_offset(&target.portal, splay);
    }
    let began = Instant::now();
    let reports = house.play(vec![due(SLOT)], Duration::from_secs(1)).await;
    let mut minutes = [0_u32; 10];
    for (at, report) in &reports {
        let after = *at - began;
        assert_eq!(report.outcome, Outcome::Deleted);
        assert!(after.abs_diff(splay_offset(&report.portal, splay)) < Duration::from_millis(10));
        minutes[usize::try_from(after.as_secs() / 60).unwrap()] += 1;
    }
    assert!(minutes.iter().all(|count| (60..=140).contains(count)), "{minutes:?}");
    // Fixed for all versions to come: a fleet must not be dealt anew by an update.
    let name = PortalName::new("acme").unwrap();
    assert_eq!(splay_offset(&name, splay), Duration::from_millis(275_087));
    assert_eq!(splay_offset(&name, Duration::ZERO), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_sweep_is_over_a_minute_before_the_next_slot() {
    let mut house = House::new();
    let (portal, target) = house.add("acme");
    portal.script(Call::DeleteHistory, 999, Act::Fail(error(FailureClass::ServerError, Some(503))));
    target.retry.max_attempts = 999.try_into().unwrap();
    target.retry.deadline = Duration::from_secs(7200);
    let began = Instant::now();
    let reports = house.play(vec![due(SLOT)], Duration::from_secs(1)).await;
    let last = *portal_times(&house, "acme").last().unwrap() - began;
    assert!(last < Duration::from_secs(59 * 60), "{last:?}");
    assert!(last > Duration::from_secs(50 * 60), "it used its time: {last:?}");
    assert_eq!(reports[0].1.outcome.as_str(), "failed");
}

fn portal_times(house: &House, name: &str) -> Vec<Instant> {
    house.portals.0[name].times(Call::DeleteHistory)
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_running_sweeps_finish_and_records_what_did_not_begin() {
    let mut house = House::new();
    house.add("running").0.script(Call::History, 1, Act::Hang);
    house.add("later").1.offset = Duration::from_secs(600);
    let (dispatcher, reports) = house.dispatcher();
    let (sender, receiver) = mpsc::channel(8);
    sender.send(due(SLOT)).await.unwrap();
    let stopping = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        house.stop.soft.cancel();
        // A tick may still come in after the stop; its slots are accounted for as well.
        sender.send(due("2026-11-24T04:00:00Z")).await.unwrap_or_default();
        tokio::time::sleep(Duration::from_secs(30)).await;
        house.stop.hard.cancel();
    };
    tokio::join!(
        dispatcher.run(house.targets.clone(), &house.accounted, house.clock.now(), receiver),
        stopping
    );
    let reports = reports.lock().unwrap();
    let shutdown = Outcome::Skipped(SkipReason::Shutdown);
    assert!(reports.iter().all(|(_, report)| report.outcome == shutdown), "{reports:?}");
    assert!(house.portals.0["later"].calls().is_empty());
    let slots = |name: &str| reports.iter().filter(|(_, report)| report.portal.as_str() == name).count();
    assert_eq!((slots("running"), slots("later")), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn slots_that_come_while_sweeps_finish_are_recorded() {
    let mut house = House::new();
    house.add("running").0.script(Call::History, 1, Act::Hang);
    let (dispatcher, reports) = house.dispatcher();
    let (sender, receiver) = mpsc::channel(1);
    sender.send(due(SLOT)).await.unwrap();
    let stopping = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        house.stop.soft.cancel();
        for hour in 4..9 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            sender.send(due(&format!("2026-11-24T{hour:02}:00:00Z"))).await.unwrap();
        }
        house.stop.hard.cancel();
    };
    tokio::join!(
        dispatcher.run(house.targets.clone(), &house.accounted, house.clock.now(), receiver),
        stopping
    );
    let reports = reports.lock().unwrap();
    assert_eq!(reports.len(), 6, "{reports:?}");
    assert!(reports.iter().all(|(_, report)| report.outcome == Outcome::Skipped(SkipReason::Shutdown)));
}

#[tokio::test(start_paused = true)]
async fn a_splayed_start_that_the_clock_jumped_over_is_missed() {
    let mut house = House::new();
    let (portal, target) = house.add("acme");
    target.offset = Duration::from_secs(600);
    let (dispatcher, reports) = house.dispatcher();
    let (sender, receiver) = mpsc::channel(1);
    sender.send(due(SLOT)).await.unwrap();
    let jumping = async {
        tokio::time::sleep(Duration::from_secs(300)).await;
        house.clock.step(jiff::SignedDuration::from_hours(5));
        drop(sender);
    };
    tokio::join!(
        dispatcher.run(house.targets.clone(), &house.accounted, house.clock.now(), receiver),
        jumping
    );
    let slot = SLOT.parse().unwrap();
    let missed = Outcome::Missed(MissedRun { first: slot, last: slot, count: 1 });
    assert_eq!(reports.lock().unwrap()[0].1.outcome, missed);
    assert!(portal.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_waits_out_a_servers_pause_is_told_so() {
    let mut house = House::new();
    house.caps.per_server = 1;
    let limited = PortalError {
        retry_after: Some(Duration::from_secs(3600)),
        ..error(FailureClass::RateLimited, Some(429))
    };
    for name in ["limited", "neighbour"] {
        let (portal, target) = house.add(name);
        target.server = ServerName::new("shared").unwrap();
        portal.script(Call::RestoreProgress, 1, Act::Fail(limited.clone()));
    }
    let reports = outcomes(&house.play(vec![due(SLOT)], Duration::from_secs(1)).await);
    assert_eq!(reports["neighbour"], Outcome::Skipped(SkipReason::RateLimited));
    assert!(house.portals.0["neighbour"].calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_sweep_on_demand_is_manual_and_runs_now() {
    let mut house = House::new();
    let (_, target) = house.add("acme");
    target.offset = Duration::from_secs(600);
    let (dispatcher, reports) = house.dispatcher();
    let began = Instant::now();
    dispatcher.once(house.targets.clone()).await;
    let reports = reports.lock().unwrap();
    assert!(reports[0].0 - began < Duration::from_secs(1));
    assert_eq!((reports[0].1.trigger, reports[0].1.slot), (Trigger::Manual, None));
    assert_eq!(reports[0].1.next_slot, Some("2026-11-24T04:00:00Z".parse().unwrap()));
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_comes_twice_is_swept_once_and_told_once() {
    let mut house = House::new();
    let (portal, _) = house.add("acme");
    let reports = house.play(vec![due(SLOT), due(SLOT)], Duration::from_secs(60)).await;
    assert_eq!((reports.len(), portal.deletions()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_passed_while_no_process_was_there_is_missed_in_one_row() {
    let mut house = House::new();
    let (portal, target) = house.add("acme");
    let name = target.portal.clone();
    house.accounted.insert(name, at("2026-11-23T03:00:00Z"));
    house.clock.set(at("2026-11-24T02:30:00Z"));
    house.add("new");
    let reports = house.play(Vec::new(), Duration::ZERO).await;
    assert_eq!(reports.len(), 1, "the new portal has no past: {reports:?}");
    let run = MissedRun { first: at("2026-11-23T04:00:00Z"), last: at("2026-11-24T02:00:00Z"), count: 23 };
    assert_eq!(reports[0].1.outcome, Outcome::Missed(run));
    assert_eq!(reports[0].1.next_slot, Some(at(SLOT)));
    assert!(portal.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_newest_missed_slot_is_caught_up_on_if_it_is_young_enough() {
    for (catch_up, swept) in [(Duration::from_secs(1700), false), (Duration::from_secs(1800), true)] {
        let mut house = House::new();
        let (portal, target) = house.add("acme");
        target.catch_up = catch_up;
        let name = target.portal.clone();
        house.accounted.insert(name, at("2026-11-23T23:00:00Z"));
        house.clock.set(at("2026-11-24T02:30:00Z"));
        let reports = house.play(Vec::new(), Duration::ZERO).await;
        assert_eq!(portal.deletions(), usize::from(swept));
        let missed = |last, count| {
            Outcome::Missed(MissedRun { first: at("2026-11-24T00:00:00Z"), last: at(last), count })
        };
        let outcomes: Vec<_> = reports.iter().map(|(_, report)| report.outcome.clone()).collect();
        if swept {
            assert!(outcomes.contains(&missed("2026-11-24T01:00:00Z", 2)), "{outcomes:?}");
            let caught = reports.iter().find(|(_, report)| report.trigger == Trigger::CatchUp).unwrap();
            assert_eq!(
                (&caught.1.outcome, caught.1.slot),
                (&Outcome::Deleted, Some(at("2026-11-24T02:00:00Z")))
            );
        } else {
            assert_eq!(outcomes, [missed("2026-11-24T02:00:00Z", 3)]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_recorded_is_not_begun_and_recorded_as_missed_later() {
    let mut house = House::new();
    let (portal, _) = house.add("acme");
    let (dispatcher, reports) = house.dispatcher();
    let (sender, receiver) = mpsc::channel(8);
    house.ledger.set_health(Health::Failing(LedgerError::Stopped));
    let failing = async {
        for hour in 3..6 {
            house.clock.set(at(&format!("2026-11-24T{hour:02}:00:00Z")));
            sender.send(due(&format!("2026-11-24T{hour:02}:00:00Z"))).await.unwrap();
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        assert!(portal.calls().is_empty());
        house.ledger.set_health(Health::Well);
        tokio::time::sleep(Duration::from_secs(60)).await;
        house.clock.set(at("2026-11-24T06:00:00Z"));
        sender.send(due("2026-11-24T06:00:00Z")).await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(sender);
    };
    let now = house.clock.now();
    tokio::join!(dispatcher.run(house.targets.clone(), &house.accounted, now, receiver), failing);
    let reports = reports.lock().unwrap();
    let run = MissedRun { first: at("2026-11-24T03:00:00Z"), last: at("2026-11-24T05:00:00Z"), count: 3 };
    let said: Vec<_> = reports.iter().map(|(_, report)| report.outcome.clone()).collect();
    assert_eq!(said, [Outcome::Missed(run), Outcome::Deleted]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_deleted_that_could_not_be_taken_down() {
    let mut house = House::new();
    let (portal, _) = house.add("acme");
    let ledger = Arc::clone(&house.ledger);
    // The ledger fails between the claim and the deletion.
    portal.on_list(move |_| ledger.set_health(Health::Failing(LedgerError::Stopped)));
    let (dispatcher, reports) = house.dispatcher();
    let (sender, receiver) = mpsc::channel(8);
    sender.send(due(SLOT)).await.unwrap();
    let mending = async {
        tokio::time::sleep(Duration::from_secs(1800)).await;
        assert_eq!(portal.deletions(), 0);
        house.ledger.set_health(Health::Well);
        drop(sender);
    };
    let now = house.clock.now();
    tokio::join!(dispatcher.run(house.targets.clone(), &house.accounted, now, receiver), mending);
    assert_eq!(reports.lock().unwrap()[0].1.outcome, Outcome::Skipped(SkipReason::Ledger));
    assert_eq!(portal.left(Dump::Own), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn one_tick_leaves_only_so_many_portals_without_any_backup() {
    let mut house = House::new();
    house.caps.max_wipes = Some(2);
    for name in ["a", "b", "c", "d"] {
        let (portal, target) = house.add(name);
        portal.make(Dump::ServerWide, "dump");
        target.dump = DumpSetting::Both;
    }
    let reports = house.play(vec![due(SLOT), due("2026-11-24T04:00:00Z")], Duration::from_secs(3600)).await;
    let wiped = |at: &str| {
        let slot = Some(at.parse().unwrap());
        let mut names: Vec<_> = reports
            .iter()
            .filter(|(_, report)| report.slot == slot && report.outcome == Outcome::Deleted)
            .map(|(_, report)| report.portal.as_str())
            .collect();
        assert_eq!(names.len(), 4, "both sets of two portals");
        names.sort_unstable();
        names.dedup();
        names.len()
    };
    assert_eq!(
        (wiped(SLOT), wiped("2026-11-24T04:00:00Z")),
        (2, 2),
        "the next tick has an allowance of its own"
    );
    let limited = |report: &SweepReport| report.outcome == Outcome::Skipped(SkipReason::WipeLimit);
    assert_eq!(reports.iter().filter(|(_, report)| limited(report)).count(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_the_ledger_refuses_is_a_defect_and_no_outage() {
    let mut house = House::new();
    let (portal, _) = house.add("acme");
    house.add("paused").1.enabled = false;
    house.ledger.set_health(Health::Failing(LedgerError::Refused { detail: "no such rule".to_owned() }));
    let reports = outcomes(&house.play(vec![due(SLOT)], Duration::from_secs(1)).await);
    for name in ["acme", "paused"] {
        let Outcome::Failed(failure) = &reports[name] else { panic!("{:?}", reports[name]) };
        assert_eq!(failure.class, FailureClass::Internal);
        assert!(failure.detail.contains("no such rule"), "{}", failure.detail);
    }
    assert!(portal.calls().is_empty());
}
