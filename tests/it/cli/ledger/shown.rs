//! `status`, `history` and `why` of a sound ledger, also while it is written.

use std::fmt::Write as _;

use docsweep::clock::{Clock as _, SystemClock};
use docsweep::cron::{Cron, Timetable, Zone};
use docsweep::domain::{FailureClass, SweepReport};
use docsweep::ledger::Ledger as _;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::super::{objects, snapshot};
use super::{House, OLD_SLOT, SLOT, at, claim, fleet, sweep};

/// A table whose columns do not depend on how old things are by now, nor on the year of the next slot.
fn steady(table: &str) -> String {
    let steady = |cell: &str| {
        let words: Vec<&str> = cell.split(' ').collect();
        match words.as_slice() {
            [days, hours] if days.ends_with('d') && hours.ends_with('h') => "AGE".to_owned(),
            [time] if time.contains("-01-10T01:00:00Z") => "SLOT".to_owned(),
            [time] if time.contains("-01-01T") && time.ends_with(":00:00Z") => "SLOT".to_owned(),
            _ => cell.to_owned(),
        }
    };
    let row = |line: &str| {
        let cells = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
        cells.map(steady).collect::<Vec<_>>().join(" | ")
    };
    let (table, rest) = table.split_once("\n\n").unwrap_or((table, ""));
    format!("{}\n\n{rest}", table.lines().map(row).collect::<Vec<_>>().join("\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn status_tells_where_each_portal_stands() {
    let mut house = House::new();
    let ledger = house.open("2026-01-01T00:00:00Z");
    fleet(&mut house, &ledger).await;
    let gone = house.report("vandelay", Some(OLD_SLOT));
    ledger.claim(vec![claim(&gone, at(OLD_SLOT))]).await.unwrap();
    drop(ledger);

    // The next process finds the sweep that died, begins one, and goes on.
    let ledger = house.open("2026-01-10T10:00:00Z");
    ledger.interrupt(at("2026-01-10T10:00:00Z")).await.unwrap();
    let running = house.report("globex", None);
    ledger.claim(vec![claim(&running, at("2026-01-10T10:00:01Z"))]).await.unwrap();

    snapshot("status", &steady(&house.shown(&["status"])));
    let one = house.shown(&["status", "vandelay", "hooli"]);
    let names: Vec<&str> = one.lines().map(|line| line.split(' ').next().unwrap()).take(3).collect();
    assert_eq!(names, ["PORTAL", "hooli", "vandelay"]);

    let said = house.say(&["status", "vandelai"]);
    assert_eq!((said.code, said.stdout.as_str()), (2, ""));
    assert_eq!(
        said.stderr,
        "error: neither the configuration nor the ledger has a portal \"vandelai\"; did you mean \"vandelay\"?\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn status_for_machines_has_the_states_and_what_the_configuration_adds() {
    let mut house = House::new();
    let ledger = house.open("2026-01-01T00:00:00Z");
    fleet(&mut house, &ledger).await;
    let all = objects(&house.shown(&["status", "--json"]));
    let one = |name: &str| all.iter().find(|object| object["portal"] == name).unwrap();
    let names: Vec<&str> = all.iter().map(|object| object["portal"].as_str().unwrap()).collect();
    assert_eq!(names, ["acme", "globex", "hooli", "initech", "massive", "umbrella", "vandelay"]);
    let acme = one("acme");
    assert_eq!((&acme["failures_in_a_row"], &acme["last"]["outcome"]), (&json!(1), &json!("skipped")));
    assert_eq!(acme["advice"], FailureClass::KeyRejected.advice());
    assert_eq!(acme["last_success"], "2025-01-10T01:00:02.5Z");
    assert!(acme["next_slot"].as_str().unwrap().ends_with("-01-10T01:00:00Z"), "{acme}");
    assert_eq!((&one("initech")["paused"], &one("initech")["next_slot"]), (&json!(true), &Value::Null));
    assert_eq!((&one("hooli")["last"], &one("hooli")["configured"]), (&Value::Null, &json!(true)));
    assert_eq!(one("vandelay")["configured"], json!(false));
}

#[tokio::test(flavor = "multi_thread")]
async fn history_is_a_table_with_the_newest_last() {
    let mut house = House::new();
    let ledger = house.open("2026-01-01T00:00:00Z");
    fleet(&mut house, &ledger).await;
    snapshot("history", &house.shown(&["history"]));
    snapshot("history-deleted", &house.shown(&["history", "--deleted"]));
    snapshot("history-failed", &house.shown(&["history", "--failed"]));
    snapshot("history-acme", &house.shown(&["history", "acme", "--since", "2026-01-01"]));
    let said = house.say(&["history", "-n", "2"]);
    assert_eq!((said.code, said.stdout.lines().count()), (0, 3), "{}", said.stdout);
    assert_eq!(said.stderr, "note: there are more: these are the newest 2, and `-n` shows others\n");
    let said = house.say(&["history", "acme", "--since", "0s"]);
    assert_eq!((said.code, said.stdout.as_str()), (0, ""));
    assert_eq!(said.stderr, "note: the ledger holds no such sweep\n");
    let said = house.say(&["history", "acne"]);
    assert_eq!(said.code, 2);
    assert!(said.stderr.ends_with("has a portal \"acne\"; did you mean \"acme\"?\n"), "{}", said.stderr);
    let said = house.say(&["history", "--since", "lately"]);
    assert_eq!(said.code, 2);
    assert!(said.stderr.contains("or how long ago, such as 7d"), "{}", said.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn history_for_machines_has_the_fields_of_the_records() {
    let mut house = House::new();
    let ledger = house.open("2026-01-01T00:00:00Z");
    fleet(&mut house, &ledger).await;
    snapshot("history-json", &house.shown(&["history", "acme", "--json"]));
    assert_eq!(objects(&house.shown(&["history", "--json", "--failed"])).len(), 3);
}

/// The text up to what it says of the slots to come, which depends on the year.
fn timeless(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let begin = |mark| text.find(mark).unwrap_or(text.len());
    text[..begin(" The next slot from now is").min(begin(" initech has `enabled"))].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn why_explains_in_a_paragraph() {
    let mut house = House::new();
    let ledger = house.open("2026-01-01T00:00:00Z");
    fleet(&mut house, &ledger).await;
    let mut all = String::new();
    for arguments in [
        &["why", "acme", SLOT][..],
        &["why", "acme", "2025-06-01"],
        &["why", "globex", SLOT],
        &["why", "hooli", SLOT],
        &["why", "initech", SLOT],
        &["why", "massive", SLOT],
        &["why", "umbrella", "2026-01-01T05:30"],
        &["why", "umbrella", "2026-01-01T21:00"],
    ] {
        let text = timeless(&house.shown(arguments));
        write!(all, "$ docsweep {}\n{text}\n\n", arguments.join(" ")).unwrap();
    }
    snapshot("why", &all);
    let lines = house.shown(&["why", "acme", SLOT]);
    assert!(lines.lines().count() > 1 && lines.lines().all(|line| line.chars().count() <= 100), "{lines}");

    let object = objects(&house.shown(&["why", "acme", SLOT, "--json"])).pop().unwrap();
    assert_eq!((&object["portal"], &object["time"]), (&json!("acme"), &json!(SLOT)));
    assert_eq!(object["text"].as_str().unwrap().split_whitespace().count(), lines.split_whitespace().count());
    let outcomes: Vec<&Value> =
        object["rows"].as_array().unwrap().iter().map(|row| &row["outcome"]).collect();
    assert_eq!(outcomes, ["failed", "skipped"]);

    let yearly =
        Timetable { cron: Cron::parse("0 3 10 1 *").unwrap(), zone: Zone::parse("Europe/Riga").unwrap() };
    let last = yearly.last_up_to(SystemClock.now()).unwrap();
    let object = objects(&house.shown(&["why", "acme", "--json"])).pop().unwrap();
    assert_eq!(object["time"], json!(last), "the last slot before now");

    let said = house.say(&["why", "acne"]);
    assert_eq!(said.code, 2, "{}", said.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn why_finds_a_slot_behind_many_sweeps_by_hand() {
    let mut house = House::new();
    let ledger = house.open("2026-01-01T00:00:00Z");
    fleet(&mut house, &ledger).await;
    for hour in 2..40 {
        let by_hand = house.report("massive", None);
        sweep(&ledger, &by_hand, at(SLOT) + SignedDuration::from_hours(hour)).await;
    }
    let text = timeless(&house.shown(&["why", "massive", "2026-01-20"]));
    assert!(text.contains("(03:00 in Europe/Riga) was swept, and failed"), "{text}");
    assert!(!text.contains("holds nothing"), "{text}");
}

/// The daemon goes on writing, and the commands see what is there at the time.
#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_is_read_while_it_is_written() {
    let mut house = House::new();
    let ledger = house.open("2026-01-01T00:00:00Z");
    fleet(&mut house, &ledger).await;
    let reports: Vec<SweepReport> = (0..200).map(|_| house.report("massive", None)).collect();
    let writing = async {
        for (second, report) in (0..).zip(&reports) {
            sweep(&ledger, report, at("2026-02-01T00:00:00Z") + SignedDuration::from_secs(second * 10)).await;
        }
    };
    let reading = async {
        tokio::task::block_in_place(|| {
            for arguments in [&["status"][..], &["history"], &["why", "massive"], &["ledger", "check"]] {
                let said = house.say(arguments);
                assert_eq!(said.code, 0, "{arguments:?}: {}", said.stderr);
            }
        });
    };
    tokio::join!(writing, reading);
    assert_eq!(objects(&house.shown(&["history", "massive", "--json", "-n", "500"])).len(), 201);
    assert_eq!(house.tidy(&house.shown(&["ledger", "check"])), "FOLDER/docsweep.db: no problems\n");
}
