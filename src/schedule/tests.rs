//! What needs a hand inside: claims that are lost or repeated, a crate that lags or dies, and the agenda by itself.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::{Timestamp, ToSpan as _};
use proptest::prelude::*;
use tokio::sync::mpsc::{self, Receiver};
use tokio::time::{Instant, sleep, timeout};
use tokio_cron_scheduler::MetaDataStorage as _;

use super::agenda::{Agenda, MAX_COUNTED};
use super::store::Store;
use super::ticker::{Limits, Ticker};
use super::{Due, GroupId};
use crate::clock::{Clock as _, ManualClock};
use crate::cron::{Cron, Timetable, Zone};
use crate::domain::MissedRun;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn timetable(cron: &str) -> Timetable {
    Timetable { cron: Cron::parse(cron).unwrap(), zone: Zone::utc() }
}

fn agenda(cron: &str, now: &str) -> Agenda {
    let timetable = timetable(cron);
    Agenda::new(GroupId::of(&timetable), timetable, at(now))
}

fn missed(first: &str, last: &str, count: u64) -> MissedRun {
    MissedRun { first: at(first), last: at(last), count }
}

#[test]
fn a_group_is_its_zone_and_expression() {
    let id = GroupId::of(&timetable("0 3 * * *"));
    assert_eq!(id, GroupId::of(&timetable(" 0  3 * * *")));
    assert_ne!(id, GroupId::of(&timetable("0 4 * * *")));
    let riga = Timetable { zone: Zone::parse("Europe/Riga").unwrap(), ..timetable("0 3 * * *") };
    assert_ne!(id, GroupId::of(&riga));
    assert_eq!(id.to_string(), "0bfb7e94-4b7c-532d-aab4-225b9ea7ae76");
}

#[test]
fn a_slot_is_on_time_for_a_minute() {
    let account = |now: &str| agenda("0 3 * * *", "2026-01-01T00:00:00Z").account(at(now));
    assert_eq!(account("2026-01-01T02:59:59.9Z"), None);
    for (now, on_time) in
        [("2026-01-01T03:00:00Z", true), ("2026-01-01T03:01:00Z", true), ("2026-01-01T03:01:00.1Z", false)]
    {
        let due = account(now).unwrap();
        assert_eq!(due.slot, on_time.then(|| at("2026-01-01T03:00:00Z")));
        assert_eq!(due.missed.is_none(), on_time);
        assert_eq!(due.next, Some(at("2026-01-02T03:00:00Z")));
    }
}

#[test]
fn the_newest_slot_runs_and_the_older_ones_are_missed() {
    let mut agenda = agenda("*/10 * * * * *", "2026-01-01T00:00:00Z");
    let due = agenda.account(at("2026-01-01T00:02:05Z")).unwrap();
    assert_eq!(due.slot, Some(at("2026-01-01T00:02:00Z")));
    assert_eq!(due.missed, Some(missed("2026-01-01T00:00:10Z", "2026-01-01T00:01:50Z", 11)));
    assert_eq!(agenda.account(at("2026-01-01T00:02:05Z")), None);
}

#[test]
fn counting_ends_and_the_last_slot_is_found_all_the_same() {
    let begun = Duration::from_secs(MAX_COUNTED);
    let start = at("2026-01-01T00:00:00Z");
    let account = |now: Timestamp| agenda("* * * * * *", "2026-01-01T00:00:00Z").account(now).unwrap();
    let due = account(start + begun);
    assert_eq!(due.missed.unwrap().count, MAX_COUNTED - 1);
    let due = account(start + begun + Duration::from_secs(1));
    assert_eq!(due.missed.unwrap().count, MAX_COUNTED);
    let due = account(at("2030-01-01T00:00:00.5Z"));
    assert_eq!(due.slot, Some(at("2030-01-01T00:00:00Z")));
    assert_eq!(due.missed, Some(missed("2026-01-01T00:00:01Z", "2029-12-31T23:59:59Z", MAX_COUNTED)));
    let due = agenda("* 3 * * *", "2026-01-01T00:00:00Z").account(at("2030-01-01T00:00:00Z")).unwrap();
    assert_eq!(
        (due.slot, due.missed),
        (None, Some(missed("2026-01-01T03:00:00Z", "2029-12-31T03:59:00Z", MAX_COUNTED)))
    );
}

#[test]
fn a_clock_set_back_repeats_nothing_and_keeps_what_still_waits() {
    let mut agenda = agenda("*/10 * * * *", "2026-01-01T00:00:00Z");
    for slot in ["2026-01-01T00:10:00Z", "2026-01-01T00:20:00Z"] {
        assert_eq!(agenda.account(at(slot)).unwrap().slot, Some(at(slot)));
    }
    // 00:30 is due and has not been accounted for: a small step back must not lose it.
    for back in ["2026-01-01T00:30:00.5Z", "2026-01-01T00:29:59Z"] {
        agenda.set_back(at(back));
        assert_eq!(agenda.next(), Some(at("2026-01-01T00:30:00Z")));
    }
    agenda.set_back(at("2025-12-31T23:55:00Z"));
    assert_eq!(agenda.next(), Some(at("2026-01-01T00:00:00Z")), "before the start nothing was handed out");
    assert_eq!(agenda.account(at("2026-01-01T00:00:00Z")).unwrap().next, Some(at("2026-01-01T00:30:00Z")));
}

/// The slots are the multiples of ten minutes; the model keeps every one that was handed out.
fn model(handed: &mut BTreeSet<i64>, after: i64, now: i64) -> (Option<i64>, Option<(i64, i64, u64)>) {
    let passed = (after / 600 + 1..=now / 600).map(|n| n * 600).filter(|slot| !handed.contains(slot));
    let mut passed: Vec<i64> = passed.collect();
    let slot = passed.pop_if(|newest| now - *newest <= 60);
    handed.extend(slot);
    let missed = passed.first().zip(passed.last()).map(|(first, last)| (*first, *last, passed.len() as u64));
    (slot, missed)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// However the clock goes: no slot twice, none forgotten, every jump accounted for. No more jumps than runs are kept.
    #[test]
    fn a_clock_that_jumps_about(steps in prop::collection::vec(
        prop_oneof![3 => 0_i64..700, 1 => -20_000_i64..20_000, 1 => -700_i64..0, 1 => Just(600)], 1..16,
    )) {
        let mut now = 1_767_225_600_i64;
        let (mut after, mut handed) = (now, BTreeSet::new());
        let mut agenda = agenda("*/10 * * * *", "2026-01-01T00:00:00Z");
        let second = |second: i64| Timestamp::from_second(second).unwrap();
        for step in steps {
            now += step;
            agenda.set_back(second(now));
            let due = agenda.account(second(now));
            let expected = model(&mut handed, after.min(now), now);
            after = now;
            let run = |run: MissedRun| (run.first.as_second(), run.last.as_second(), run.count);
            let said = due.map(|due| (due.slot.map(Timestamp::as_second), due.missed.map(run)));
            prop_assert_eq!(said.unwrap_or_default(), expected);
            let next = (now / 600 + 1..=now / 600 + 100).map(|n| n * 600).find(|slot| !handed.contains(slot));
            prop_assert_eq!(agenda.next().map(Timestamp::as_second), next);
        }
    }
}

fn store(clock: &Arc<ManualClock>, crons: &[&str], batch: usize) -> (Store, Receiver<Due>) {
    let (sender, receiver) = mpsc::channel(16);
    let timetables = crons.iter().map(|cron| timetable(cron)).collect();
    (Store::new(Arc::clone(clock) as _, timetables, clock.now(), sender, batch), receiver)
}

#[tokio::test(start_paused = true)]
async fn a_claim_is_listed_once_and_again_when_it_is_lost() {
    let clock = Arc::new(ManualClock::new(at("2026-01-01T02:59:59Z")));
    let (mut store, mut receiver) = store(&clock, &["0 3 * * *"], 16);
    assert_eq!(store.list(), []);
    clock.step(1.second().try_into().unwrap());
    let listed = store.list();
    assert_eq!(listed.len(), 1);
    let id = listed[0];
    assert_eq!(store.list(), []);
    // What doubles runs in the crate: its own next tick, stored late. It changes nothing here.
    let past = chrono::DateTime::from_timestamp(0, 0);
    store.set_next_and_last_tick(id.0, past, past).await.unwrap();
    assert_eq!(store.list(), []);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(store.list(), [id], "the activation is taken for lost");
    store.hand_over(id);
    store.hand_over(id);
    assert_eq!(receiver.try_recv().unwrap().slot, Some(at("2026-01-01T03:00:00Z")));
    assert!(receiver.try_recv().is_err(), "the lost activation came after all, and found nothing");
    sleep(Duration::from_mins(1)).await;
    assert_eq!(store.list(), []);
}

#[tokio::test(start_paused = true)]
async fn no_list_is_longer_than_the_batch() {
    let clock = Arc::new(ManualClock::new(at("2026-01-01T02:59:00Z")));
    let (store, _receiver) = store(&clock, &["0 3 * * *", "0 3 1 * *", "0 3,4 * * *"], 2);
    clock.step(1.minute().try_into().unwrap());
    assert_eq!([store.list().len(), store.list().len(), store.list().len()], [2, 1, 0]);
}

/// Groups that are all due at 03:00 on the first of January.
fn many(count: u32) -> Vec<Timetable> {
    (0..count).map(|n| timetable(&format!("0 3 1,{} * *", n + 2))).collect()
}

async fn dues(receiver: &mut Receiver<Due>, within: Duration) -> Vec<Due> {
    let end = Instant::now() + within;
    let mut dues = Vec::new();
    while let Ok(Some(due)) = timeout(end.saturating_duration_since(Instant::now()), receiver.recv()).await {
        dues.push(due);
    }
    dues
}

/// One group more than the crate's channel holds: it drops the oldest activation, and says so in a log line only.
#[tokio::test(start_paused = true)]
async fn an_activation_that_the_crate_drops_runs_late_and_once() {
    let clock = Arc::new(ManualClock::new(at("2026-01-01T02:59:59Z")));
    let limits = Limits { capacity: 4, batch: 5 };
    let (_ticker, mut receiver) =
        Ticker::start_with(Arc::clone(&clock) as _, many(5), clock.now(), limits).await.unwrap();
    clock.set(at("2026-01-01T03:00:00Z"));
    assert_eq!(dues(&mut receiver, Duration::from_secs(4)).await.len(), 4);
    let late = dues(&mut receiver, Duration::from_secs(4)).await;
    assert_eq!(late.len(), 1);
    assert_eq!(late[0].slot, Some(at("2026-01-01T03:00:00Z")));
    assert_eq!(dues(&mut receiver, Duration::from_mins(1)).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_falls_behind_loses_nothing() {
    let clock = Arc::new(ManualClock::new(at("2026-01-01T02:59:59Z")));
    let limits = Limits { capacity: 2, batch: 2 };
    let (_ticker, mut receiver) =
        Ticker::start_with(Arc::clone(&clock) as _, many(5), clock.now(), limits).await.unwrap();
    clock.set(at("2026-01-01T03:00:00Z"));
    sleep(Duration::from_secs(30)).await;
    clock.set(at("2026-01-01T03:00:30Z"));
    let dues = dues(&mut receiver, Duration::from_secs(30)).await;
    assert_eq!(dues.len(), 5);
    assert!(dues.iter().all(|due| due.slot.is_some() && due.missed.is_none()));
}

/// The crate stores its next tick from a task of its own: here it gets to that only seconds after the run.
#[tokio::test(start_paused = true)]
async fn a_late_report_of_the_crate_doubles_nothing() {
    let clock = Arc::new(ManualClock::new(at("2026-01-01T02:59:59Z")));
    let (ticker, mut receiver) = Ticker::start(Arc::clone(&clock) as _, many(3), clock.now()).await.unwrap();
    clock.set(at("2026-01-01T03:00:00Z"));
    let first = receiver.recv().await.unwrap();
    let context = ticker.scheduler.context();
    let held = context.metadata_storage.write().await;
    sleep(Duration::from_secs(3)).await;
    drop(held);
    let rest = dues(&mut receiver, Duration::from_mins(1)).await;
    assert_eq!(rest.len(), 2);
    assert!(rest.iter().all(|due| due.group != first.group));
}

#[tokio::test(start_paused = true)]
async fn a_dead_ticker_is_noticed() {
    let clock = Arc::new(ManualClock::new(at("2026-01-01T00:00:00Z")));
    let (ticker, _receiver) = Ticker::start(Arc::clone(&clock) as _, many(1), clock.now()).await.unwrap();
    assert!(timeout(Duration::from_mins(1), ticker.stalled()).await.is_err(), "it ticks");
    ticker.scheduler.clone().shutdown().await.unwrap();
    let begun = Instant::now();
    timeout(Duration::from_mins(1), ticker.stalled()).await.expect("it does not tick any more");
    assert!(begun.elapsed() <= Duration::from_secs(12), "{:?}", begun.elapsed());
}
