//! A ledger that lasts as long as its process: for dry runs, which leave no record.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch;

use super::{Claim, Claimed, Health, Ledger, LedgerError, StoredPolicy};
use crate::domain::{Backup, Dump, DumpSetting, Outcome, PortalName, SweepId, SweepReport};

/// Keeps what is needed to hold a [`Ledger`]'s promises, in memory.
#[derive(Debug)]
pub struct MemoryLedger {
    state: Mutex<State>,
    health: watch::Sender<Health>,
}

#[derive(Debug, Default)]
struct State {
    rows: HashSet<(PortalName, Timestamp, &'static str)>,
    accounted: HashMap<PortalName, Timestamp>,
    policies: HashMap<PortalName, StoredPolicy>,
}

impl Default for MemoryLedger {
    fn default() -> Self {
        Self { state: Mutex::default(), health: watch::Sender::new(Health::Well) }
    }
}

impl MemoryLedger {
    /// Makes every write fail, or lets them succeed again.
    pub fn set_health(&self, health: Health) {
        self.health.send_replace(health);
    }

    fn state(&self) -> Result<MutexGuard<'_, State>, LedgerError> {
        match &*self.health.borrow() {
            Health::Well => Ok(self.state.lock().unwrap_or_else(PoisonError::into_inner)),
            Health::Failing(error) => Err(error.clone()),
        }
    }
}

impl State {
    fn enter(
        &mut self,
        portal: &PortalName,
        slot: Timestamp,
        dump: &'static str,
        until: Timestamp,
    ) -> Claimed {
        self.accounted.insert(portal.clone(), until);
        let both = DumpSetting::Both.as_str();
        let covered = |dump| self.rows.contains(&(portal.clone(), slot, dump));
        if covered(both) || covered(dump) {
            return Claimed::Taken;
        }
        self.rows.insert((portal.clone(), slot, dump));
        Claimed::New
    }
}

impl Ledger for MemoryLedger {
    async fn claim(&self, claims: Vec<Claim>) -> Result<Vec<Claimed>, LedgerError> {
        let mut state = self.state()?;
        let claim = |claim: Claim| match claim.slot {
            Some(slot) => state.enter(&claim.portal, slot, claim.dump.as_str(), slot),
            None => Claimed::New,
        };
        Ok(claims.into_iter().map(claim).collect())
    }

    async fn found(&self, _: SweepId, _: Dump, _: &[Backup]) -> Result<(), LedgerError> {
        self.state().map(|_| ())
    }

    async fn complete(&self, _: &SweepReport, _: Timestamp) -> Result<(), LedgerError> {
        self.state().map(|_| ())
    }

    async fn record(&self, reports: Vec<SweepReport>, _: Timestamp) -> Result<Vec<Claimed>, LedgerError> {
        let mut state = self.state()?;
        let record = |report: SweepReport| {
            let Some(slot) = report.slot else { return Claimed::New };
            let until = if let Outcome::Missed(run) = &report.outcome { run.last } else { slot };
            state.enter(&report.portal, slot, report.dump.as_str(), until)
        };
        Ok(reports.into_iter().map(record).collect())
    }

    async fn accounted(&self) -> Result<HashMap<PortalName, Timestamp>, LedgerError> {
        Ok(self.state()?.accounted.clone())
    }

    async fn begin(&self, portals: &[PortalName], now: Timestamp) -> Result<(), LedgerError> {
        let mut state = self.state()?;
        for portal in portals {
            state.accounted.entry(portal.clone()).or_insert(now);
        }
        Ok(())
    }

    async fn interrupt(&self, _: Timestamp) -> Result<Vec<SweepReport>, LedgerError> {
        Ok(Vec::new())
    }

    async fn prune(&self, _: Timestamp) -> Result<u64, LedgerError> {
        Ok(0)
    }

    async fn policies(&self) -> Result<HashMap<PortalName, StoredPolicy>, LedgerError> {
        Ok(self.state()?.policies.clone())
    }

    async fn set_policies(&self, policies: Vec<(PortalName, StoredPolicy)>) -> Result<(), LedgerError> {
        self.state()?.policies.extend(policies);
        Ok(())
    }

    async fn heartbeat(&self) -> Result<(), LedgerError> {
        self.state().map(|_| ())
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }
}
