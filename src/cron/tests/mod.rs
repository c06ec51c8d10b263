//! Tests of the grammar, the zones and the properties of slots; `oracle` holds the slots against a slow second answer.

mod oracle;

use jiff::Timestamp;
use proptest::prelude::*;

use super::{Cron, CronError, Timetable, Zone};

pub(super) fn timetable(cron: &str, zone: &str) -> Timetable {
    Timetable { cron: Cron::parse(cron).unwrap(), zone: Zone::parse(zone).unwrap() }
}

fn refused(text: &str) -> (String, String, String) {
    let CronError { message, help, span } = Cron::parse(text).expect_err(text);
    let span = span.map_or("", |span| text.get(span).expect("the span cuts the text at characters"));
    (span.to_owned(), message, help.expect("every refusal says what to write"))
}

#[test]
fn what_is_taken() {
    for text in [
        "* * * * *",
        "0 3 * * *",
        "*/5 * * * *",
        "5-59/10 0,12 1,15 JAN-mar,7 mon-FRI",
        "30 0 3 * * *",
        "0 0 ? * SUN",
        "0 0 L * *",
        "0 0 LW,15W 2 ?",
        "0 0 * * 5L,FRI#1,2#l",
        "0 0 13 * +FRI",
        "0 0 * * 0-7",
        "0 0 * * SAT-SUN,7",
        "0 0 29 2 *",
        "0 0 1-31/2 * MON",
        "01 05 01 01 *",
        "@hourly",
        " @Daily ",
        "@weekly",
        "@monthly",
    ] {
        assert!(Cron::parse(text).is_ok(), "{text}: {:?}", Cron::parse(text));
    }
}

#[test]
fn white_space_does_not_count() {
    let cron = Cron::parse("\t0  3\u{a0}*\r\n* * ").unwrap();
    assert_eq!(cron.as_str(), "0 3 * * *");
}

/// Text, what of it is meant (empty: the whole), what is wrong, what to write.
const REFUSALS: [(&str, &str, &str, &str); 52] = [
    ("", "", "the expression is empty", "write 5 fields: minute, hour"),
    ("  ", "", "the expression is empty", "write 5 fields: minute, hour"),
    ("daily", "", "it has 1 field", "write 5 fields"),
    ("0 3 * *", "", "it has 4 fields", "write 5 fields"),
    ("0 0 3 * * * 2030", "2030", "the year, is not taken", "leave the year out"),
    ("0 0 3 * * * * *", "", "it has 8 fields", "write 5 fields"),
    ("@midnight", "@midnight", "no nickname", "write `@daily`"),
    ("@reboot", "@reboot", "no nickname", "a start of docsweep is no slot"),
    (" @every 5m", "@every 5m", "no nickname", "`*/5 * * * *` is every 5 minutes"),
    ("@yearly", "@yearly", "no nickname", "write `0 0 1 1 *`"),
    ("@fortnightly", "@fortnightly", "no nickname", "write `@hourly`, `@daily`"),
    ("@daily * * * *", "@daily * * * *", "no nickname", "write `@hourly`"),
    ("0 3 ∗ * *", "∗", "has no meaning", "leave it out"),
    ("0\u{200b} 3 * * *", "\u{200b}", "\"\\u{200b}\" has no meaning", "leave it out"),
    ("*/90 * * * *", "*/90", "a step of 90 leaves the range of the minute", "write a step from 1 to 59"),
    ("*/60 * * * *", "*/60", "a step of 60 leaves", "write a step from 1 to 59"),
    ("0 */24 * * *", "*/24", "a step of 24 leaves the range of the hour", "write a step from 1 to 23"),
    ("0 0 * * */7", "*/7", "a step of 7 leaves", "write a step from 1 to 6"),
    ("10-20/15 * * * *", "10-20/15", "a step of 15 leaves", "write a step from 1 to 10"),
    ("5-5/1 * * * *", "5-5/1", "a step of 1 leaves", "write `5`"),
    ("*/70000 * * * *", "*/70000", "`70000` is no step", "write a step from 1 to 59"),
    ("*/0 * * * *", "*/0", "a step of 0 goes nowhere", "write a step from 1 to 59"),
    ("*/x * * * *", "*/x", "`x` is no step", "write a step from 1 to 59"),
    ("*/ * * * *", "*/", "`*/` is not complete", "write a number from 0 to 59"),
    ("*/2/3 * * * *", "*/2/3", "`2/3` is no step", "write a step from 1 to 59"),
    ("/10 * * * *", "/10", "a step needs a range before it", "write `*/10`"),
    ("5/10 * * * *", "5/10", "a step needs a range before it", "write `5-59/10`"),
    ("0 1,2,,3 * * *", "1,2,,3", "the hour has an empty list item", "write `1,2,3`"),
    ("0 , * * *", ",", "the hour has an empty list item", "write a number from 0 to 23"),
    ("60 * * * *", "60", "the minute 60 is out of range", "write a number from 0 to 59"),
    ("0 24 * * *", "24", "the hour 24 is out of range", "write a number from 0 to 23"),
    ("0 0 0 * *", "0", "the day of month 0 is out of range", "write a number from 1 to 31"),
    ("0 0 1 13 *", "13", "the month 13 is out of range", "from 1 to 12, or JAN to DEC"),
    ("0 0 * * 8", "8", "the day of week 8 is out of range", "from 0 to 7, or SUN to SAT"),
    ("0 99999999999 * * *", "99999999999", "out of range", "write a number from 0 to 23"),
    ("0 22-2 * * *", "22-2", "the range `22-2` runs backwards", "write `22-23,0-2`"),
    ("0 0 * * FRI-MON", "FRI-MON", "runs backwards", "write `5-6,0-1`"),
    ("0 0 * * 7-2", "7-2", "runs backwards", "write `0-2`"),
    ("0 0 1 12-1 *", "12-1", "runs backwards", "write `12,1`"),
    ("0 5- * * *", "5-", "`5-` is not complete", "write a number from 0 to 23"),
    ("0 1-2-3 * * *", "2-3", "`2-3` is not an hour", "write a number from 0 to 23"),
    ("0 +5 * * *", "+5", "`+5` is not an hour", "write a number from 0 to 23"),
    ("0 0 * * monday", "monday", "`monday` is not a day of week", "write `MON`"),
    ("0 0 1 janvier *", "janvier", "`janvier` is not a month", "write `JAN`"),
    ("MON 0 * * *", "MON", "`MON` is not a minute", "write a number from 0 to 59"),
    ("H 3 * * *", "H", "`H` is not a minute", "write a number from 0 to 59"),
    ("*,5 3 * * *", "*", "`*` stands alone in its field", "write a number from 0 to 59"),
    ("0 0 * * L", "L", "`L` needs a day of week", "write `FRIL`"),
    ("0 0 * * MON#6", "MON#6", "no month has a `MON#6`", "write `MON#1` to `MON#5`"),
    ("0 0 L,LW * *", "L,LW", "exclude each other", "write one of the two"),
    ("0 0 */2 * MON", "*/2", "different days to different crons", "write `1-31/…`"),
    ("0 0 30 2 *", "", "the schedule never fires", "write a day that one of the months has"),
];

#[test]
fn what_is_refused_and_how() {
    for (text, part, message, help) in REFUSALS {
        let said = refused(text);
        assert_eq!(said.0, part, "{text}: {said:?}");
        assert!(said.1.contains(message) && said.2.contains(help), "{text}: {said:?}");
    }
}

#[test]
fn more_that_is_refused() {
    for text in [
        "0 0 L-3 * *",
        "0 0 W * *",
        "0 0 * * +",
        "0 0 * * #2",
        "? * * * *",
        "0 0 31W 2,4 *",
        "0 0 31 2,4,6 *",
    ] {
        refused(text);
    }
}

#[test]
fn a_zone_goes_by_its_exact_name() {
    assert_eq!(Zone::parse("Europe/Riga").unwrap().name(), "Europe/Riga");
    assert_eq!(Zone::parse("UTC").unwrap(), Zone::utc());
    let nearest = |name: &str| Zone::parse(name).expect_err(name).nearest;
    for (name, meant) in [
        ("Europe/Pari", "Europe/Paris"),
        ("europe/paris", "Europe/Paris"),
        ("Paris", "Europe/Paris"),
        ("America/New York", "America/New_York"),
        ("utc", "UTC"),
    ] {
        assert_eq!(nearest(name).as_deref(), Some(meant), "{name}");
    }
    assert_eq!(nearest("+02:00"), None);
    for file in ["", "posix/Europe/Paris", "right/UTC", "localtime", "posixrules", "Factory", "Etc/Unknown"] {
        assert!(Zone::parse(file).is_err(), "{file}");
    }
    for path in
        ["/usr/share/zoneinfo/Europe/Paris", "../zoneinfo/Europe/Paris", "zone.tab", "EST5EDT,M3.2.0,M11.1.0"]
    {
        assert!(Zone::parse(path).is_err(), "{path}");
    }
}

#[test]
fn slots_before_1970_and_in_split_seconds() {
    let every_second = timetable("* * * * * *", "UTC");
    let next = |after: &str| every_second.next_after(after.parse().unwrap()).unwrap().to_string();
    assert_eq!(next("1969-12-31T23:59:58.5Z"), "1969-12-31T23:59:59Z");
    assert_eq!(next("1969-12-31T23:59:59.5Z"), "1970-01-01T00:00:00Z");
    assert_eq!(next("2026-01-01T00:00:00Z"), "2026-01-01T00:00:01Z");
    assert_eq!(every_second.next_after(Timestamp::MAX), None);
}

fn any_field(low: u16, high: u16) -> impl Strategy<Value = String> {
    prop_oneof![
        3 => (low..=high).prop_map(|value| value.to_string()),
        3 => Just("*".to_owned()),
        1 => (low..=high, low..=high).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        1 => (1..=high - low).prop_map(|step| format!("*/{step}")),
        1 => prop::collection::vec(low..=high, 2..4).prop_map(|list| {
            list.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
        }),
    ]
}

fn any_timetable() -> impl Strategy<Value = Timetable> {
    // Days up to the 28th: every month has them, so no schedule is refused for never firing.
    let fields = (any_field(0, 59), any_field(0, 59), any_field(0, 23), any_field(1, 28), any_field(1, 12));
    let zones = prop::sample::select(oracle::ZONES.to_vec());
    (fields, zones).prop_map(|((second, minute, hour, day, month), zone)| {
        timetable(&format!("{second} {minute} {hour} {day} {month} *"), zone)
    })
}

/// 2000 to 2040, in milliseconds: slots are whole seconds whatever is asked.
fn any_instant() -> impl Strategy<Value = Timestamp> {
    (946_684_800_000_i64..2_208_988_800_000).prop_map(|ms| Timestamp::from_millisecond(ms).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in any::<String>()) {
        if let Err(CronError { span: Some(span), .. }) = Cron::parse(&text) {
            prop_assert!(text.get(span).is_some());
        }
    }

    #[test]
    fn no_near_miss_panics(text in "[0-9*/,#?+@LWa-f -]{0,24}", words in "([0-9*/,L-]{1,4}[ \u{a0}]){5,6}") {
        for text in [&text, &words] {
            if let Err(CronError { span: Some(span), .. }) = Cron::parse(text) {
                prop_assert!(text.get(span.clone()).is_some_and(|part| !part.is_empty()), "{text:?} {span:?}");
            }
        }
    }

    #[test]
    fn a_slot_is_later_and_whole_and_matches(timetable in any_timetable(), after in any_instant()) {
        let slot = timetable.next_after(after).unwrap();
        prop_assert!(slot > after);
        prop_assert_eq!(slot.subsec_nanosecond(), 0);
        prop_assert!(oracle::is_slot(&timetable, slot), "{:?} {}", timetable, slot);
    }

    #[test]
    fn slots_keep_their_order(timetable in any_timetable(), a in any_instant(), gap in 0_i64..200_000) {
        let b = Timestamp::from_millisecond(a.as_millisecond() + gap * 997).unwrap();
        let (first, second) = (timetable.next_after(a).unwrap(), timetable.next_after(b).unwrap());
        prop_assert!(first <= second);
        prop_assert!(first > b || timetable.next_after(first).unwrap() <= second);
    }
}

#[test]
fn the_last_slot_is_found_backwards() {
    let last = |cron: &str, zone: &str, time: &str| {
        let slot = timetable(cron, zone).last_up_to(time.parse().unwrap());
        slot.map_or("none".to_owned(), |slot| slot.to_string())
    };
    let cases = [
        ("0 3 * * *", "UTC", "2026-11-24T03:00:00Z", "2026-11-24T03:00:00Z"),
        ("0 3 * * *", "UTC", "2026-11-24T03:00:00.5Z", "2026-11-24T03:00:00Z"),
        ("0 3 * * *", "UTC", "2026-11-24T02:59:59.999Z", "2026-11-23T03:00:00Z"),
        ("0 3 * * *", "Europe/Riga", "2026-03-29T12:00:00Z", "2026-03-29T01:00:00Z"),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T12:00:00Z", "2026-10-25T00:30:00Z"),
        ("* * * * * *", "UTC", "2026-11-24T03:00:07.2Z", "2026-11-24T03:00:07Z"),
        ("0 0 29 2 *", "UTC", "2027-06-01T00:00:00Z", "2024-02-29T00:00:00Z"),
        ("0 0 29 2 +MON", "UTC", "2027-06-01T00:00:00Z", "2016-02-29T00:00:00Z"),
    ];
    for (cron, zone, time, slot) in cases {
        assert_eq!(last(cron, zone, time), slot, "{cron} {zone} up to {time}");
    }
}

proptest! {
    #[test]
    fn the_last_slot_is_the_one_that_no_other_follows(second in 0_i64..4_000_000_000, which in 0_usize..4) {
        let cron = ["*/7 * * * *", "0 3 * * *", "30 2 * * 0", "0 0 1 * *"][which];
        let (timetable, time) = (timetable(cron, "Europe/Riga"), Timestamp::from_second(second).unwrap());
        let last = timetable.last_up_to(time).unwrap();
        prop_assert!(last <= time);
        prop_assert!(timetable.next_after(last).unwrap() > time);
        prop_assert_eq!(timetable.last_up_to(last), Some(last));
    }
}
