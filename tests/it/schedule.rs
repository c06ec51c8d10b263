//! The ticker through the real scheduler crate, in virtual time: changes of daylight saving, clocks that are set,
//! bursts, and the stop.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use docsweep::clock::{Clock as _, SystemClock};
use docsweep::cron::{Cron, Timetable, Zone};
use docsweep::domain::MissedRun;
use docsweep::schedule::{Due, GroupId, Ticker};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, timeout_at};

use crate::support::virtual_clock::VirtualClock;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn timetable(cron: &str, zone: &str) -> Timetable {
    Timetable { cron: Cron::parse(cron).unwrap(), zone: Zone::parse(zone).unwrap() }
}

struct Running {
    clock: Arc<VirtualClock>,
    ticker: Ticker,
    receiver: Receiver<Due>,
}

async fn start(now: &str, timetables: Vec<Timetable>) -> Running {
    let clock = Arc::new(VirtualClock::new(at(now)));
    let (ticker, receiver) = {
        let now = clock.now();
        Ticker::start(Arc::clone(&clock) as _, timetables, now).await
    }
    .unwrap();
    Running { clock, ticker, receiver }
}

impl Running {
    /// What comes due in the next stretch of time, none of it later than a tick.
    async fn follow(&mut self, time: Duration) -> Vec<Due> {
        let end = Instant::now() + time;
        let mut dues = Vec::new();
        while let Ok(Some(due)) = timeout_at(end, self.receiver.recv()).await {
            if let Some(slot) = due.slot {
                let late = self.clock.now().duration_since(slot);
                assert!(late <= SignedDuration::from_millis(500), "{due:?} is {late:?} late");
            }
            dues.push(due);
        }
        dues
    }

    /// The slots that come due; nothing may be missed.
    async fn slots(&mut self, time: Duration) -> Vec<String> {
        let dues = self.follow(time).await;
        assert!(dues.iter().all(|due| due.missed.is_none()), "{dues:?}");
        dues.into_iter().map(|due| due.slot.unwrap().to_string()).collect()
    }

    fn set(&self, to: &str) {
        self.clock.step(at(to).duration_since(self.clock.now()));
    }
}

fn minutes(count: u64) -> Duration {
    Duration::from_mins(count)
}

/// Runs all expressions of a zone together, from two hours before the change to three hours after it, and holds the
/// slots of each against the hours and minutes UTC that are expected; `*/30` follows elapsed time in every zone.
async fn over_the_change(zone: &str, change: &str, expected: &[(&str, &[&str])]) {
    let begin = at(change) - SignedDuration::from_hours(2);
    let crons = expected.iter().map(|(cron, _)| *cron).chain(["*/30 * * * *"]);
    let mut running = start(&begin.to_string(), crons.map(|cron| timetable(cron, zone)).collect()).await;
    let dues = running.follow(Duration::from_hours(5) + Duration::from_secs(1)).await;
    assert!(dues.iter().all(|due| due.missed.is_none()), "{dues:?}");
    let slots = |cron: &str| -> Vec<Timestamp> {
        let group = GroupId::of(&timetable(cron, zone));
        dues.iter().filter(|due| due.group == group).filter_map(|due| due.slot).collect()
    };
    for (cron, times) in expected {
        let clock: Vec<String> = slots(cron).iter().map(|slot| slot.strftime("%H:%M").to_string()).collect();
        assert_eq!(clock, *times, "{cron} in {zone} at {change}");
    }
    let half_hours: Vec<Timestamp> = (1..=10).map(|n| begin + SignedDuration::from_mins(30 * n)).collect();
    assert_eq!(slots("*/30 * * * *"), half_hours, "{zone} at {change}");
}

#[tokio::test(start_paused = true)]
async fn paris_in_spring() {
    over_the_change(
        "Europe/Paris",
        "2026-03-29T01:00:00Z",
        &[
            ("30 1 * * *", &["00:30"]),
            ("0 2 * * *", &["01:00"]),
            ("30 2 * * *", &["01:00"]),
            ("0 3 * * *", &["01:00"]),
            ("15,45 2 * * *", &[]),
            ("0 * * * *", &["00:00", "01:00", "02:00", "03:00", "04:00"]),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn paris_in_autumn() {
    over_the_change(
        "Europe/Paris",
        "2026-10-25T01:00:00Z",
        &[
            ("0 2 * * *", &["00:00"]),
            ("30 2 * * *", &["00:30"]),
            ("0 3 * * *", &["02:00"]),
            ("15,45 2 * * *", &["00:15", "00:45", "01:15", "01:45"]),
            ("0 * * * *", &["00:00", "01:00", "02:00", "03:00", "04:00"]),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn new_york_in_spring() {
    over_the_change(
        "America/New_York",
        "2026-03-08T07:00:00Z",
        &[
            ("30 1 * * *", &["06:30"]),
            ("30 2 * * *", &["07:00"]),
            ("15,45 2 * * *", &[]),
            ("0 3-4 * * *", &["07:00", "08:00"]),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn new_york_in_autumn() {
    over_the_change(
        "America/New_York",
        "2026-11-01T06:00:00Z",
        &[
            ("30 1 * * *", &["05:30"]),
            ("0 2 * * *", &["07:00"]),
            ("15,45 1 * * *", &["05:15", "05:45", "06:15", "06:45"]),
        ],
    )
    .await;
}

/// The clock moves by half an hour there.
#[tokio::test(start_paused = true)]
async fn lord_howe_in_spring() {
    over_the_change(
        "Australia/Lord_Howe",
        "2026-10-03T15:30:00Z",
        &[
            ("15 2 * * *", &["15:30"]),
            ("45 2 * * *", &["15:45"]),
            ("0,15,45 2 * * *", &["15:45"]),
            ("0 * * * *", &["14:30", "16:00", "17:00", "18:00"]),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn lord_howe_in_autumn() {
    over_the_change(
        "Australia/Lord_Howe",
        "2026-04-04T15:00:00Z",
        &[
            ("45 1 * * *", &["14:45"]),
            ("15 1 * * *", &["14:15"]),
            ("0,45 1 * * *", &["14:00", "14:45", "15:15"]),
        ],
    )
    .await;
}

/// Midnight is the hour that is skipped and repeated there.
#[tokio::test(start_paused = true)]
async fn santiago_in_spring() {
    over_the_change(
        "America/Santiago",
        "2026-09-06T04:00:00Z",
        &[
            ("0 0 * * *", &["04:00"]),
            ("30 0 * * *", &["04:00"]),
            ("@daily", &["04:00"]),
            ("15,45 0 * * *", &[]),
            ("0 1 * * *", &["04:00"]),
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn santiago_in_autumn() {
    over_the_change(
        "America/Santiago",
        "2026-04-05T03:00:00Z",
        &[
            ("30 23 * * *", &["02:30"]),
            ("15,45 23 * * *", &["02:15", "02:45", "03:15", "03:45"]),
            ("0 0 * * *", &["04:00"]),
        ],
    )
    .await;
}

async fn every_ten_minutes(now: &str) -> Running {
    start(now, vec![timetable("*/10 * * * *", "UTC")]).await
}

fn missed(first: &str, last: &str, count: u64) -> MissedRun {
    MissedRun { first: at(first), last: at(last), count }
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_forward_by_an_hour_misses_the_slots_between() {
    let mut running = every_ten_minutes("2026-06-01T12:00:00Z").await;
    assert_eq!(running.slots(minutes(25)).await, ["2026-06-01T12:10:00Z", "2026-06-01T12:20:00Z"]);
    running.set("2026-06-01T13:25:00Z");
    let dues = running.follow(minutes(1)).await;
    assert_eq!(dues.len(), 1);
    assert_eq!((dues[0].slot, dues[0].next), (None, Some(at("2026-06-01T13:30:00Z"))));
    assert_eq!(dues[0].missed, Some(missed("2026-06-01T12:30:00Z", "2026-06-01T13:20:00Z", 6)));
    assert_eq!(running.slots(minutes(15)).await, ["2026-06-01T13:30:00Z", "2026-06-01T13:40:00Z"]);
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_back_by_half_an_hour_repeats_nothing() {
    let mut running = every_ten_minutes("2026-06-01T12:00:00Z").await;
    assert_eq!(running.slots(minutes(55)).await.len(), 5);
    running.set("2026-06-01T12:25:00Z");
    assert_eq!(running.slots(minutes(50)).await, ["2026-06-01T13:00:00Z", "2026-06-01T13:10:00Z"]);
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_back_by_five_hours_runs_what_never_ran() {
    let mut running = every_ten_minutes("2026-06-01T12:00:00Z").await;
    assert_eq!(running.slots(minutes(12)).await, ["2026-06-01T12:10:00Z"]);
    running.set("2026-06-01T07:12:00Z");
    assert_eq!(running.slots(minutes(20)).await, ["2026-06-01T07:20:00Z", "2026-06-01T07:30:00Z"]);
    running.set("2026-06-01T12:02:00Z");
    let dues = running.follow(minutes(19)).await;
    assert_eq!(dues[0].missed, Some(missed("2026-06-01T07:40:00Z", "2026-06-01T12:00:00Z", 27)));
    let slots: Vec<_> = dues.iter().filter_map(|due| due.slot).collect();
    assert_eq!(slots, [at("2026-06-01T12:20:00Z")], "12:10 ran before the clock was set back");
}

#[tokio::test(start_paused = true)]
async fn a_boot_clock_years_ahead_is_forgotten_when_it_is_corrected() {
    let mut running = every_ten_minutes("2030-01-01T00:00:00Z").await;
    assert_eq!(running.slots(minutes(15)).await, ["2030-01-01T00:10:00Z"]);
    running.set("2026-06-01T00:05:00Z");
    assert_eq!(running.slots(minutes(20)).await, ["2026-06-01T00:10:00Z", "2026-06-01T00:20:00Z"]);
    let group = GroupId::of(&timetable("*/10 * * * *", "UTC"));
    assert_eq!(running.ticker.next(&group), Some(at("2026-06-01T00:30:00Z")));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_visits_another_year_comes_back_to_its_own_slots() {
    let mut running = every_ten_minutes("2026-06-01T00:00:00Z").await;
    assert_eq!(running.slots(minutes(15)).await, ["2026-06-01T00:10:00Z"]);
    running.set("2030-06-01T00:05:00Z");
    let dues = running.follow(minutes(10)).await;
    let run = dues[0].missed.unwrap();
    assert_eq!((run.first, run.last), (at("2026-06-01T00:20:00Z"), at("2030-06-01T00:00:00Z")));
    assert_eq!(dues[1].slot, Some(at("2030-06-01T00:10:00Z")));
    running.set("2026-06-01T00:05:00Z");
    assert_eq!(running.slots(minutes(30)).await, ["2026-06-01T00:20:00Z", "2026-06-01T00:30:00Z"]);
    running.set("2030-06-01T00:05:00Z");
    let slots: Vec<_> = running.follow(minutes(20)).await.iter().filter_map(|due| due.slot).collect();
    assert_eq!(slots, [at("2030-06-01T00:20:00Z")], "00:10 ran in the first visit");
}

#[tokio::test(start_paused = true)]
async fn after_a_short_suspension_the_newest_slot_runs() {
    let mut running = start("2026-06-01T00:00:00.6Z", vec![timetable("* * * * * *", "UTC")]).await;
    assert_eq!(running.slots(Duration::from_millis(10_250)).await.len(), 10);
    // The last tick told 10.6 s, the next one tells 22.1 s.
    running.clock.step(SignedDuration::from_secs(11));
    let dues = running.follow(Duration::from_secs(5)).await;
    assert_eq!(dues[0].slot, Some(at("2026-06-01T00:00:22Z")));
    assert_eq!(dues[0].missed, Some(missed("2026-06-01T00:00:11Z", "2026-06-01T00:00:21Z", 11)));
    let slots: Vec<_> = dues.iter().filter_map(|due| due.slot).collect();
    assert_eq!(slots.len(), 5);
    assert!(dues[1..].iter().all(|due| due.missed.is_none()));
}

/// Distinct expressions that are all due at 03:00 on the first day of a month.
fn many_at_three() -> Vec<Timetable> {
    let days = (2..=31).flat_map(|a| (a + 1..=31).map(move |b| (a, b)));
    days.map(|(a, b)| timetable(&format!("0 3 1,{a},{b} * *"), "UTC")).collect()
}

#[tokio::test(start_paused = true)]
async fn hundreds_of_groups_due_at_one_instant_come_once_each() {
    let timetables = many_at_three();
    let count = timetables.len();
    let mut running = start("2026-06-01T02:59:50Z", [timetables.clone(), timetables].concat()).await;
    let dues = running.follow(minutes(5)).await;
    let groups: HashSet<GroupId> = dues.iter().map(|due| due.group).collect();
    assert_eq!((count, dues.len(), groups.len()), (435, 435, 435));
    assert!(dues.iter().all(|due| due.slot == Some(at("2026-06-01T03:00:00Z")) && due.missed.is_none()));
}

#[tokio::test(start_paused = true)]
async fn nothing_comes_due_after_the_stop() {
    let mut running = start("2026-06-01T00:00:00Z", vec![timetable("* * * * * *", "UTC")]).await;
    assert!(!running.slots(Duration::from_secs(3)).await.is_empty());
    running.ticker.shutdown().await;
    let rest = timeout_at(Instant::now() + minutes(1), running.receiver.recv()).await;
    assert_eq!(rest, Ok(None), "the channel ends");
    assert!(
        timeout_at(Instant::now() + minutes(1), running.ticker.stalled()).await.is_err(),
        "a stop is no failure"
    );
}

/// The one test on the true clock and with several threads, as in production.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_system_clock_ticks() {
    let (ticker, mut receiver) =
        Ticker::start(Arc::new(SystemClock), vec![timetable("* * * * * *", "UTC")], SystemClock.now())
            .await
            .unwrap();
    let mut last = None;
    for _ in 0..2 {
        let due = timeout_at(Instant::now() + minutes(1), receiver.recv()).await.unwrap().unwrap();
        let slot = due.slot.unwrap();
        assert!(slot <= SystemClock.now() && last < Some(slot));
        last = Some(slot);
    }
    ticker.shutdown().await;
}
