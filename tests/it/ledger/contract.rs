//! The contract, through the trait alone: a later store runs the same tests by one more line of [`contract!`].

use docsweep::domain::{Dump, DumpSetting, Outcome, SkipReason};
use docsweep::ledger::Claimed::{self, New, Taken};
use docsweep::ledger::{Health, Ledger, LedgerError, SqliteLedger, StoredPolicy};
use futures_util::future::join_all;

use super::{Home, backup, claim, dump, hour, missed, name, process, removed, report, unswept};

/// Where ledgers are kept that outlive their process.
trait Store {
    type Opened: Ledger;
    fn open(&self, pid: u32) -> Self::Opened;
}

impl Store for Home {
    type Opened = SqliteLedger;

    fn open(&self, pid: u32) -> SqliteLedger {
        SqliteLedger::open(&self.path(), &process(pid)).unwrap()
    }
}

macro_rules! contract {
    ($store:ident = $make:expr; $($test:ident),* $(,)?) => {
        mod $store {
            $(#[tokio::test]
            async fn $test() {
                super::$test(&$make).await;
            })*
        }
    };
}

contract! {
    sqlite = crate::ledger::Home::new();
    a_slot_is_claimed_once,
    of_many_rivals_one_gets_the_slot,
    a_sweep_on_demand_is_always_new,
    a_running_sweep_becomes_interrupted_with_its_process,
    a_sweep_is_completed_once,
    a_missed_run_covers_its_slots,
    a_row_of_both_values_covers_either,
    marks_only_grow,
    retention_is_remembered,
    pruning_counts_what_it_drops,
    a_healthy_ledger_answers,
}

async fn one<L: Ledger>(ledger: &L, claim: docsweep::ledger::Claim) -> Claimed {
    ledger.claim(vec![claim]).await.unwrap()[0]
}

async fn a_slot_is_claimed_once(store: &impl Store) {
    let ledger = store.open(1);
    let both = vec![
        claim("acme", Some(3)),
        dump(Dump::ServerWide, claim("acme", Some(3))),
        claim("acme", Some(3)),
        claim("zeta", Some(3)),
        claim("acme", Some(4)),
    ];
    let answers = ledger.claim(both).await.unwrap();
    assert_eq!(answers, [New, New, Taken, New, New]);
    drop(ledger);
    assert_eq!(one(&store.open(2), claim("acme", Some(3))).await, Taken, "nor by the next process");
}

async fn of_many_rivals_one_gets_the_slot(store: &impl Store) {
    let ledger = store.open(1);
    let rivals = (0..20).map(|_| ledger.claim(vec![claim("acme", Some(3))]));
    let answers = join_all(rivals).await;
    let new = answers.into_iter().filter(|answer| *answer == Ok(vec![Claimed::New])).count();
    assert_eq!(new, 1);
}

async fn a_sweep_on_demand_is_always_new(store: &impl Store) {
    let ledger = store.open(1);
    for _ in 0..2 {
        assert_eq!(one(&ledger, claim("acme", None)).await, Claimed::New);
    }
    assert!(ledger.accounted().await.unwrap().is_empty(), "it accounts for no slot");
}

async fn a_running_sweep_becomes_interrupted_with_its_process(store: &impl Store) {
    let (dead, ended) = (claim("acme", Some(3)), claim("acme", Some(2)));
    let ledger = store.open(1);
    ledger.claim(vec![dead.clone(), ended.clone()]).await.unwrap();
    ledger.found(dead.sweep_id, Dump::Own, &[backup("a"), backup("b")]).await.unwrap();
    ledger.complete(&report(&ended, Outcome::Deleted), hour(3)).await.unwrap();
    assert_eq!(ledger.interrupt(hour(5)).await.unwrap(), [], "its own sweeps run");
    drop(ledger);

    let ledger = store.open(2);
    let interrupted = ledger.interrupt(hour(5)).await.unwrap();
    assert_eq!(interrupted.len(), 1);
    let of = &interrupted[0];
    assert_eq!((of.sweep_id, of.slot, &of.outcome), (dead.sweep_id, dead.slot, &Outcome::Interrupted));
    assert_eq!(
        (of.counts.found, of.counts.deleted),
        (Some(2), None),
        "what was there is known, what went is not"
    );
    assert_eq!(ledger.interrupt(hour(6)).await.unwrap(), [], "once");
    assert_eq!(one(&ledger, claim("acme", Some(3))).await, Claimed::Taken, "it is not swept again");
}

async fn a_sweep_is_completed_once(store: &impl Store) {
    let ledger = store.open(1);
    let swept = claim("acme", Some(3));
    let mut done = report(&swept, Outcome::Deleted);
    done.removed = vec![removed("a")];
    let unclaimed = ledger.complete(&done, hour(4)).await;
    let refusal = LedgerError::NotRunning { sweep_id: swept.sweep_id, dump: DumpSetting::Own };
    assert_eq!(unclaimed, Err(refusal.clone()));
    ledger.claim(vec![swept.clone()]).await.unwrap();
    ledger.complete(&done, hour(4)).await.unwrap();
    ledger.complete(&done, hour(4)).await.unwrap();
    assert_eq!(ledger.complete(&report(&swept, Outcome::Partial), hour(4)).await, Err(refusal.clone()));
    assert_eq!(ledger.found(swept.sweep_id, Dump::Own, &[backup("b")]).await, Err(refusal));
    assert_eq!(*ledger.health().borrow(), Health::Well, "a senseless request is no outage");
}

async fn a_missed_run_covers_its_slots(store: &impl Store) {
    let ledger = store.open(1);
    ledger.claim(vec![claim("acme", Some(5))]).await.unwrap();
    let runs = vec![
        missed("acme", 2, 8, DumpSetting::Own),
        missed("acme", 3, 7, DumpSetting::Own),
        missed("acme", 5, 5, DumpSetting::Own),
        missed("zeta", 2, 8, DumpSetting::Own),
    ];
    assert_eq!(ledger.record(runs, hour(9)).await.unwrap(), [New, Taken, Taken, New]);
    assert_eq!(one(&ledger, claim("acme", Some(8))).await, Taken);
    assert_eq!(one(&ledger, claim("acme", Some(9))).await, New);
    assert_eq!(ledger.accounted().await.unwrap()[&name("zeta")], hour(8));
}

async fn a_row_of_both_values_covers_either(store: &impl Store) {
    let ledger = store.open(1);
    let paused = |slot| unswept("acme", slot, DumpSetting::Both, Outcome::Paused);
    ledger.claim(vec![claim("acme", Some(4))]).await.unwrap();
    assert_eq!(
        ledger.record(vec![paused(3), paused(3), paused(4)], hour(9)).await.unwrap(),
        [New, Taken, Taken]
    );
    assert_eq!(one(&ledger, claim("acme", Some(3))).await, Taken);
    assert_eq!(one(&ledger, dump(Dump::ServerWide, claim("acme", Some(3)))).await, Taken);
}

async fn marks_only_grow(store: &impl Store) {
    let ledger = store.open(1);
    ledger.begin(&[name("acme"), name("idle")], hour(2)).await.unwrap();
    ledger.begin(&[name("acme"), name("late")], hour(3)).await.unwrap();
    ledger.claim(vec![claim("acme", Some(6)), claim("acme", Some(5))]).await.unwrap();
    let skipped = unswept("late", 7, DumpSetting::Own, Outcome::Skipped(SkipReason::Shutdown));
    ledger.record(vec![skipped], hour(7)).await.unwrap();
    drop(ledger);
    let marks = store.open(2).accounted().await.unwrap();
    let marks: std::collections::BTreeMap<_, _> = marks.into_iter().collect();
    let expected = [(name("acme"), hour(6)), (name("idle"), hour(2)), (name("late"), hour(7))];
    assert_eq!(marks.into_iter().collect::<Vec<_>>(), expected);
}

async fn retention_is_remembered(store: &impl Store) {
    let ledger = store.open(1);
    let (keeps, confirmed) =
        (StoredPolicy { keeps: true, confirmed: false }, StoredPolicy { keeps: false, confirmed: true });
    ledger.set_policies(vec![(name("acme"), keeps), (name("zeta"), keeps)]).await.unwrap();
    ledger.set_policies(vec![(name("acme"), confirmed)]).await.unwrap();
    ledger.begin(&[name("acme"), name("new")], hour(2)).await.unwrap();
    let policies = ledger.policies().await.unwrap();
    assert_eq!((policies.len(), policies[&name("acme")], policies[&name("zeta")]), (2, confirmed, keeps));
    assert_eq!(ledger.accounted().await.unwrap()[&name("acme")], hour(2), "a policy alone is no mark");
}

async fn pruning_counts_what_it_drops(store: &impl Store) {
    let ledger = store.open(1);
    let reports = (0..450).map(|slot| unswept("acme", slot, DumpSetting::Own, Outcome::Paused)).collect();
    ledger.record(reports, hour(1)).await.unwrap();
    let running = claim("acme", Some(451));
    ledger.claim(vec![running.clone()]).await.unwrap();
    assert_eq!(ledger.prune(hour(1)).await.unwrap(), 0, "what ended at the instant stays");
    assert_eq!(ledger.prune(hour(2)).await.unwrap(), 450);
    assert_eq!(ledger.prune(hour(2)).await.unwrap(), 0);
    ledger.complete(&report(&running, Outcome::NothingToDelete), hour(2)).await.unwrap();
    assert_eq!(ledger.accounted().await.unwrap()[&name("acme")], hour(451));
}

async fn a_healthy_ledger_answers(store: &impl Store) {
    let ledger = store.open(1);
    ledger.heartbeat().await.unwrap();
    assert_eq!(*ledger.health().borrow(), Health::Well);
}
