//! What a reader sees, while the daemon writes.

use docsweep::domain::{Counts, Dump, DumpSetting, Failure, FailureClass, Outcome, SkipReason};
use docsweep::ledger::{Filter, Ledger, LedgerReader, Row, SqliteLedger};
use serde_json::json;

use super::{Home, backup, claim, dump, hour, missed, name, process, removed, report, unswept};

fn all(reader: &LedgerReader) -> Vec<Row> {
    reader.history(&Filter::default()).unwrap()
}

fn failed(class: FailureClass) -> Outcome {
    Outcome::Failed(Failure { class, http_status: Some(401), detail: "401 Unauthorized".into() })
}

#[tokio::test]
async fn a_row_has_the_fields_of_a_record() {
    let home = Home::new();
    let ledger = home.open();
    let swept = claim("acme", Some(3));
    ledger.claim(vec![swept.clone()]).await.unwrap();
    let reader = home.reader();
    assert_eq!(all(&reader)[0].outcome, "running");

    let mut done = report(&swept, Outcome::Partial);
    done.note = Some("the server was slow".into());
    done.counts = Counts { found: Some(3), deleted: Some(2), kept: Some(0), remaining: Some(1) };
    done.removed = vec![removed("a"), removed("b")];
    done.removed[1].doubt = Some("500".into());
    done.left = vec![backup("c")];
    ledger.found(swept.sweep_id, Dump::Own, &[backup("c"), backup("a"), backup("b")]).await.unwrap();
    ledger.complete(&done, hour(4)).await.unwrap();

    let row = serde_json::to_value(&all(&reader)[0]).unwrap();
    let mut expected = serde_json::to_value(done.record()).unwrap();
    let backup = |id: &str, fate: &str| {
        json!({ "id": id, "file_name": format!("{id}.tar.gz"), "storage": "local",
                "created_on": "2026-11-23T01:02:03.1234567Z", "fate": fate })
    };
    let mut backups = json!([backup("a", "removed"), backup("b", "removed"), backup("c", "left")]);
    backups[1]["doubt"] = json!("500");
    expected["backups"] = backups;
    expected["pid"] = json!(100);
    expected["began"] = json!("2026-11-24T03:00:00Z");
    expected["ended"] = json!("2026-11-24T04:00:00Z");
    assert_eq!(row, expected);
}

#[tokio::test]
async fn what_was_found_stays_only_where_nobody_saw_what_became_of_it() {
    let home = Home::new();
    let ledger = home.open();
    let (spared, broken) = (claim("acme", Some(3)), claim("acme", Some(4)));
    ledger.claim(vec![spared.clone(), broken.clone()]).await.unwrap();
    for sweep in [&spared, &broken] {
        ledger.found(sweep.sweep_id, Dump::Own, &[backup("a"), backup("b")]).await.unwrap();
        ledger.found(sweep.sweep_id, Dump::Own, &[backup("b"), backup("c")]).await.unwrap();
    }
    let mut done = report(&spared, Outcome::Deleted);
    done.removed = vec![removed("a")];
    ledger.complete(&done, hour(5)).await.unwrap();
    let mut done = report(&broken, failed(FailureClass::KeyRejected));
    done.removed = vec![removed("b")];
    ledger.complete(&done, hour(5)).await.unwrap();

    let fates = |row: &Row| row.backups.iter().map(|b| format!("{} {}", b.id, b.fate)).collect::<Vec<_>>();
    let rows = all(&home.reader());
    assert_eq!(fates(&rows[0]), ["b removed", "a found", "c found"]);
    assert_eq!(fates(&rows[1]), ["a removed"]);
    assert_eq!((rows[0].found, rows[0].failure.as_deref()), (Some(3), Some("key_rejected")));
}

#[tokio::test]
async fn a_missed_run_holds_only_slots_without_rows_of_their_own() {
    let home = Home::new();
    let ledger = home.open();
    ledger.claim(vec![claim("acme", Some(2)), claim("acme", Some(5))]).await.unwrap();
    let runs = vec![missed("acme", 2, 8, DumpSetting::Own), missed("acme", 7, 10, DumpSetting::Own)];
    ledger.record(runs, hour(11)).await.unwrap();
    let rows = all(&home.reader());
    let runs: Vec<_> = rows.iter().filter(|row| row.outcome == "missed").collect();
    assert_eq!((runs[1].slot, runs[1].last_slot, runs[1].slots), (Some(hour(2)), Some(hour(8)), Some(5)));
    // 7 and 8 are in the first run already; what is left of four slots is at least one.
    assert_eq!((runs[0].slot, runs[0].last_slot, runs[0].slots), (Some(hour(7)), Some(hour(10)), Some(1)));
    assert_eq!(home.reader().check().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_portal_s_state_tells_its_last_outcome_and_what_runs() {
    let home = Home::new();
    let ledger = home.open();
    let sweeps: Vec<_> = (1..=5).map(|slot| claim("acme", Some(slot))).collect();
    let other = |n: usize| {
        let own = &sweeps[n];
        docsweep::ledger::Claim { sweep_id: own.sweep_id, ..dump(Dump::ServerWide, own.clone()) }
    };
    ledger.claim(sweeps.clone()).await.unwrap();
    ledger.claim(vec![other(1), other(2)]).await.unwrap();
    let complete = async |claim: &docsweep::ledger::Claim, outcome, at| {
        ledger.complete(&report(claim, outcome), hour(at)).await.unwrap();
    };
    complete(&sweeps[0], Outcome::NothingToDelete, 2).await;
    complete(&sweeps[1], Outcome::Deleted, 3).await;
    complete(&other(1), failed(FailureClass::DumpRefused), 3).await;
    complete(&sweeps[2], Outcome::Partial, 4).await;
    complete(&other(2), Outcome::Partial, 4).await;
    complete(&sweeps[3], Outcome::Skipped(SkipReason::Busy), 5).await;
    ledger.begin(&[name("new")], hour(0)).await.unwrap();

    let states = home.reader().last_per_portal().unwrap();
    let (acme, new) = (&states[0], &states[1]);
    assert_eq!(acme.last.as_ref().unwrap().dump, "true");
    assert_eq!(acme.last_success, Some(hour(2)), "a sweep that failed for one value is no success");
    assert_eq!(acme.failures_in_a_row, 2);
    assert_eq!((acme.running_since, acme.accounted), (Some(hour(5)), Some(hour(5))));
    assert_eq!((&new.portal[..], &new.last, new.accounted), ("new", &None, Some(hour(0))));
}

#[tokio::test]
async fn a_history_is_filtered() {
    let home = Home::new();
    let ledger = home.open();
    let (good, bad) = (claim("acme", Some(3)), claim("zeta", Some(4)));
    ledger.claim(vec![good.clone(), bad.clone()]).await.unwrap();
    let mut done = report(&good, Outcome::Deleted);
    done.removed = vec![removed("a")];
    ledger.complete(&done, hour(4)).await.unwrap();
    ledger.complete(&report(&bad, failed(FailureClass::KeyRejected)), hour(5)).await.unwrap();
    ledger.record(vec![missed("acme", 5, 9, DumpSetting::Own)], hour(9)).await.unwrap();

    let reader = home.reader();
    let outcomes = |filter: Filter| -> Vec<String> {
        reader.history(&filter).unwrap().into_iter().map(|row| row.outcome).collect()
    };
    assert_eq!(outcomes(Filter::default()), ["missed", "failed", "deleted"]);
    assert_eq!(outcomes(Filter { portal: Some("acme".into()), ..Filter::default() }), ["missed", "deleted"]);
    assert_eq!(outcomes(Filter { since: Some(hour(4)), ..Filter::default() }), ["missed", "failed"]);
    assert_eq!(outcomes(Filter { failed: true, ..Filter::default() }), ["failed"]);
    assert_eq!(outcomes(Filter { deleted: true, ..Filter::default() }), ["deleted"]);
    assert_eq!(outcomes(Filter { limit: Some(1), ..Filter::default() }), ["missed"]);
}

#[tokio::test]
async fn around_a_time_stands_what_came_before_and_after() {
    let home = Home::new();
    let ledger = home.open();
    ledger.record(vec![missed("acme", 1, 30, DumpSetting::Own)], hour(30)).await.unwrap();
    let slots = (31..40).map(|slot| claim("acme", Some(slot))).collect();
    ledger.claim(slots).await.unwrap();
    ledger.claim(vec![claim("zeta", Some(35))]).await.unwrap();
    let reader = home.reader();
    let around = |at: i64, each| -> Vec<Option<jiff::Timestamp>> {
        let rows = reader.around(&name("acme"), hour(at), each).unwrap();
        rows.into_iter().map(|row| row.slot).collect()
    };
    assert_eq!(around(35, 2), [34, 35, 36, 37].map(|slot| Some(hour(slot))));
    assert_eq!(around(20, 1), [Some(hour(1)), Some(hour(31))], "the run that holds the instant");
    assert_eq!(around(90, 1), [Some(hour(39))]);
    assert_eq!(around(0, 1), [Some(hour(1))]);
}

#[tokio::test]
async fn totals_outlive_pruning() {
    let home = Home::new();
    let ledger = home.open();
    let sweeps: Vec<_> = (1..=3).map(|slot| claim("acme", Some(slot))).collect();
    ledger.claim(sweeps.clone()).await.unwrap();
    for (sweep, count) in sweeps.iter().zip([2, 3]) {
        let mut done = report(sweep, Outcome::Deleted);
        done.counts.deleted = Some(count);
        done.removed = vec![removed("a")];
        ledger.complete(&done, hour(4)).await.unwrap();
    }
    ledger.record(vec![missed("acme", 5, 9, DumpSetting::Own)], hour(9)).await.unwrap();
    drop(ledger);
    let ledger = SqliteLedger::open(&home.path(), &process(101)).unwrap();
    ledger.interrupt(hour(10)).await.unwrap();

    let reader = home.reader();
    let totals = || -> Vec<(String, u64, u64)> {
        let totals = reader.totals().unwrap();
        totals.into_iter().map(|total| (total.outcome, total.sweeps, total.deleted)).collect()
    };
    let expected = [("deleted".into(), 2, 5), ("interrupted".into(), 1, 0), ("missed".into(), 5, 0)];
    assert_eq!(totals(), expected);
    assert_eq!(ledger.prune(hour(10)).await, Ok(3));
    assert_eq!(totals(), expected);
    assert_eq!(ledger.prune(hour(99)).await, Ok(1));
    assert_eq!(totals(), expected);
    assert_eq!(all(&reader), []);
    assert_eq!(reader.check().unwrap(), Vec::<String>::new());
    let orphans: u32 = home.shell().query_row("SELECT count(*) FROM backups", [], |row| row.get(0)).unwrap();
    assert_eq!(orphans, 0);
}

#[tokio::test]
async fn a_check_finds_what_does_not_fit_together() {
    let home = Home::new();
    let ledger = home.open();
    ledger.claim(vec![claim("acme", Some(3))]).await.unwrap();
    ledger.record(vec![unswept("acme", 2, DumpSetting::Own, Outcome::Paused)], hour(4)).await.unwrap();
    let shell = home.shell();
    shell
        .execute_batch(
            "UPDATE portals SET accounted = '2026-11-24T01:00:00.000Z'; UPDATE totals SET sweeps = 9;
             UPDATE sweeps SET dump = 'both', slot = '2026-11-24T03:00:00.000Z' WHERE outcome = 'paused';
             PRAGMA foreign_keys = OFF; INSERT INTO backups VALUES (77, 0, 'a', 'a.gz', NULL, NULL, 'found', NULL);",
        )
        .unwrap();
    let found = home.reader().check().unwrap();
    assert_eq!(
        found,
        [
            "a row of backups belongs to a row of sweeps that is not there",
            "portal acme: the slot 2026-11-24T03:00:00.000Z has 2 rows, from 1 to 2",
            "portal acme: its slots are accounted for up to 2026-11-24T01:00:00.000Z, but there is a row for \
             2026-11-24T03:00:00.000Z",
            "portal acme: 9 sweeps ended as paused, but its rows make 1",
        ]
    );
}
