//! A ledger of every released schema, as it was written then, opens for ever.

use std::path::PathBuf;

use docsweep::domain::{Counts, Dump, DumpSetting, Failure, FailureClass, Outcome, SweepId, SweepReport};
use docsweep::ledger::{Claim, Filter, Ledger, LedgerReader, Limits, SqliteLedger, StoredPolicy};

use super::{Home, backup, claim, hour, missed, name, process, removed, report, unswept};

fn fixture(schema: u32) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/ledger/v{schema}.db"))
}

#[tokio::test]
async fn a_ledger_of_schema_1_opens_and_reads_as_it_was_written() {
    let home = Home::new();
    std::fs::copy(fixture(1), home.path()).unwrap();
    let ledger = SqliteLedger::open(&home.path(), &process(2)).unwrap();
    let interrupted = ledger.interrupt(hour(12)).await.unwrap();
    assert_eq!(interrupted.len(), 1);
    assert_eq!((interrupted[0].counts.found, interrupted[0].slot), (Some(2), Some(hour(5))));

    let reader = home.reader();
    assert_eq!(reader.check().unwrap(), Vec::<String>::new());
    let rows = reader.history(&Filter::default()).unwrap();
    let read: Vec<String> = rows
        .iter()
        .map(|row| {
            let slots = row.slots.map(|slots| format!(" ({slots} slots)")).unwrap_or_default();
            let backups: Vec<_> = row.backups.iter().map(|b| format!(" {}:{}", b.id, b.fate)).collect();
            format!("{} {} {}{slots}{}", row.portal, row.dump, row.outcome, backups.concat())
        })
        .collect();
    assert_eq!(
        read,
        [
            "acme false missed (5 slots)",
            "zeta both paused",
            "acme false interrupted a:found b:found",
            "acme true failed c:found",
            "acme false deleted a:removed b:removed",
        ]
    );
    assert_eq!((rows[4].found, rows[4].next_slot, rows[4].pid), (Some(2), Some(hour(4)), 1));
    assert_eq!(rows[3].advice.as_deref(), Some(FailureClass::DumpRefused.advice()));
    assert_eq!(ledger.accounted().await.unwrap()[&name("acme")], hour(10));
    let policy = StoredPolicy { keeps: true, confirmed: false };
    assert_eq!(ledger.policies().await.unwrap()[&name("acme")], policy);
}

#[test]
fn the_newest_schema_has_its_fixture() {
    let home = Home::new();
    std::fs::copy(fixture(1), home.path()).unwrap();
    let reader = LedgerReader::open(&home.path()).map(|_| ());
    assert_eq!(reader, Ok(()), "the newest fixture is not of this schema: write one with the test below");
}

/// Writes the fixture of the schema that this program has. Run it once, before a schema is released, and check the file
/// in: `cargo test --test it ledger::released::write -- --ignored`. A released fixture is never written again.
#[tokio::test]
#[ignore = "writes into the source tree, once a schema"]
async fn write_the_fixture_of_this_schema() {
    let target = fixture(1);
    assert!(!target.exists(), "{} is there already", target.display());
    let home = Home::new();
    let ledger = SqliteLedger::open_within(&home.path(), &process(1), &Limits::default()).unwrap();
    let sweep = |number: u32, claim: Claim| Claim { sweep_id: numbered(number), ..claim };
    let own = sweep(1, claim("acme", Some(3)));
    let wide = Claim { dump: Dump::ServerWide, ..own.clone() };
    let running = sweep(2, claim("acme", Some(5)));
    ledger.begin(&[name("acme"), name("zeta")], hour(0)).await.unwrap();
    let policy = StoredPolicy { keeps: true, confirmed: false };
    ledger.set_policies(vec![(name("acme"), policy)]).await.unwrap();
    ledger.claim(vec![own.clone(), wide.clone(), running.clone()]).await.unwrap();
    ledger.found(running.sweep_id, Dump::Own, &[backup("a"), backup("b")]).await.unwrap();
    ledger.found(own.sweep_id, Dump::ServerWide, &[backup("c")]).await.unwrap();
    let done = SweepReport {
        counts: Counts { found: Some(2), deleted: Some(2), kept: Some(0), remaining: Some(0) },
        removed: vec![removed("a"), removed("b")],
        note: Some("the server was slow".into()),
        ..report(&own, Outcome::Deleted)
    };
    ledger.complete(&done, hour(4)).await.unwrap();
    let failure = Failure {
        class: FailureClass::DumpRefused,
        http_status: Some(403),
        detail: "403 from getbackuphistory".into(),
    };
    ledger.complete(&report(&wide, Outcome::Failed(failure)), hour(4)).await.unwrap();
    let paused =
        SweepReport { sweep_id: numbered(3), ..unswept("zeta", 6, DumpSetting::Both, Outcome::Paused) };
    let missed = SweepReport { sweep_id: numbered(4), ..missed("acme", 6, 10, DumpSetting::Own) };
    ledger.record(vec![paused, missed], hour(11)).await.unwrap();
    drop(ledger);
    std::fs::copy(home.path(), target).unwrap();
}

fn numbered(number: u32) -> SweepId {
    SweepId::parse(&format!("01932e00-0000-7000-8000-{number:012}")).unwrap()
}
