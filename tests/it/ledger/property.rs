//! Whatever is written in whatever order: no slot has two outcomes, none is lost, and marks only grow.

use std::collections::{BTreeSet, HashMap};

use docsweep::domain::{Dump, DumpSetting, Outcome, PortalName};
use docsweep::ledger::{Claim, Claimed, Filter, Ledger, Row, SqliteLedger};
use jiff::Timestamp;
use proptest::prelude::*;

use super::{Home, claim, dump, hour, missed, name, process, report, unswept};

#[derive(Debug, Clone)]
enum Step {
    Claim(usize, i64, Dump),
    OnDemand(usize),
    /// Completes one of the sweeps that run.
    Complete(usize),
    Pause(usize, i64, DumpSetting),
    /// A first slot, and how many follow it.
    Miss(usize, i64, i64, DumpSetting),
    /// The process dies, and the next one begins.
    Restart,
}

const PORTALS: [&str; 2] = ["acme", "zeta"];

fn step() -> impl Strategy<Value = Step> {
    let portal = || 0..PORTALS.len();
    let wide = prop_oneof![Just(Dump::Own), Just(Dump::ServerWide)];
    let setting =
        || prop_oneof![Just(DumpSetting::Own), Just(DumpSetting::ServerWide), Just(DumpSetting::Both)];
    prop_oneof![
        4 => (portal(), 0..12_i64, wide).prop_map(|(portal, slot, dump)| Step::Claim(portal, slot, dump)),
        1 => portal().prop_map(Step::OnDemand),
        3 => any::<usize>().prop_map(Step::Complete),
        2 => (portal(), 0..12_i64, setting()).prop_map(|(portal, slot, dump)| Step::Pause(portal, slot, dump)),
        2 => (portal(), 0..12_i64, 0..6_i64, setting()).prop_map(|(p, first, more, dump)| Step::Miss(p, first, more, dump)),
        1 => Just(Step::Restart),
    ]
}

/// What the test knows of the ledger.
#[derive(Default)]
struct Model {
    running: Vec<Claim>,
    marks: HashMap<PortalName, Timestamp>,
    /// Every slot that was ever given, for each portal and `Dump` value.
    given: HashMap<(&'static str, &'static str), BTreeSet<Timestamp>>,
}

impl Model {
    fn give(&mut self, portal: &'static str, slots: impl Iterator<Item = i64> + Clone, dump: DumpSetting) {
        for dump in dump.dumps() {
            self.given.entry((portal, dump.as_str())).or_default().extend(slots.clone().map(hour));
        }
        let mark = self.marks.entry(name(portal)).or_insert(Timestamp::MIN);
        *mark = slots.map(hour).fold(*mark, Timestamp::max);
    }

    async fn take(&mut self, home: &Home, mut ledger: SqliteLedger, step: Step, pid: u32) -> SqliteLedger {
        match step {
            Step::Claim(portal, slot, value) => {
                let claim = dump(value, claim(PORTALS[portal], Some(slot)));
                self.give(PORTALS[portal], slot..=slot, value.into());
                let answer = ledger.claim(vec![claim.clone()]).await.unwrap();
                self.running.extend((answer == [Claimed::New]).then_some(claim));
            }
            Step::OnDemand(portal) => {
                let claim = claim(PORTALS[portal], None);
                assert_eq!(ledger.claim(vec![claim.clone()]).await, Ok(vec![Claimed::New]));
                self.running.push(claim);
            }
            Step::Complete(at) if !self.running.is_empty() => {
                let claim = self.running.swap_remove(at % self.running.len());
                ledger.complete(&report(&claim, Outcome::Deleted), hour(30)).await.unwrap();
            }
            Step::Complete(_) => {}
            Step::Pause(portal, slot, setting) => {
                self.give(PORTALS[portal], slot..=slot, setting);
                let report = unswept(PORTALS[portal], slot, setting, Outcome::Paused);
                ledger.record(vec![report], hour(30)).await.unwrap();
            }
            Step::Miss(portal, first, more, setting) => {
                self.give(PORTALS[portal], first..=first + more, setting);
                let report = missed(PORTALS[portal], first, first + more, setting);
                ledger.record(vec![report], hour(30)).await.unwrap();
            }
            Step::Restart => {
                drop(ledger);
                ledger = SqliteLedger::open(&home.path(), &process(pid)).unwrap();
                let interrupted = ledger.interrupt(hour(31)).await.unwrap();
                let ids: BTreeSet<_> = interrupted.iter().map(|report| report.sweep_id).collect();
                assert_eq!(ids, self.running.drain(..).map(|claim| claim.sweep_id).collect());
            }
        }
        ledger
    }

    /// Compares the ledger with what went into it.
    async fn hold(&self, home: &Home, ledger: &SqliteLedger) {
        let reader = home.reader();
        assert_eq!(reader.check().unwrap(), Vec::<String>::new());
        assert_eq!(ledger.accounted().await.unwrap(), self.marks);
        let rows = reader.history(&Filter::default()).unwrap();
        for ((portal, dump), given) in &self.given {
            let of: Vec<&Row> = rows
                .iter()
                .filter(|row| {
                    row.portal == *portal && row.slot.is_some() && [dump, "both"].contains(&&*row.dump)
                })
                .collect();
            let own: BTreeSet<_> = of.iter().filter(|row| row.slots.is_none()).map(|row| row.slot).collect();
            let single = of.iter().filter(|row| row.slots.is_none()).count();
            assert_eq!(own.len(), single, "one row for a slot");
            let runs: u64 = of.iter().filter_map(|row| row.slots).sum();
            assert!(own.len() as u64 + runs <= given.len() as u64, "no slot counts twice");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_writes_keeps_the_rules(steps in proptest::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let home = Home::new();
            let mut model = Model::default();
            let mut ledger = home.open();
            for (pid, step) in (101..).zip(steps) {
                ledger = model.take(&home, ledger, step, pid).await;
            }
            model.hold(&home, &ledger).await;
        });
    }
}
