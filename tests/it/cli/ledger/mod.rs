//! What is read of a ledger, from outside: `status`, `history`, `why` and `ledger check`.

mod shown;
mod trouble;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use docsweep::domain::{
    Backup, BackupId, Counts, Dump, DumpSetting, Failure, FailureClass, Method, MissedRun, Outcome,
    PortalName, Removed, ScheduleLabel, SkipReason, StorageKind, SweepId, SweepReport, Trigger,
};
use docsweep::ledger::{Claim, Claimed, Ledger as _, ProcessId, SqliteLedger};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

use super::{Said, docsweep};

/// Portals whose only slot of a year is on 10 January, so that what is shown of the past stays the same all year.
const CONFIG: &str = r#"
[schedules.yearly]
cron = "0 3 10 1 *"
timezone = "Europe/Riga"

[defaults]
schedule = "yearly"
api_key = { env = "FLEET_KEY" }

[[portals]]
name = "acme"
url = "https://acme.example.com"

[[portals]]
name = "globex"
url = "https://globex.example.com"
dump = "both"

[[portals]]
name = "hooli"
url = "https://hooli.example.com"

[[portals]]
name = "initech"
url = "https://initech.example.com"
enabled = false

[[portals]]
name = "massive"
url = "https://massive.example.com"

[[portals]]
name = "umbrella"
url = "https://umbrella.example.com"
schedule = { cron = "0 * 1 1 *" }
"#;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The slot of 2026, and that of 2025.
const SLOT: &str = "2026-01-10T01:00:00Z";
const OLD_SLOT: &str = "2025-01-10T01:00:00Z";

fn ids() -> impl FnMut() -> SweepId {
    let mut number = 0;
    move || {
        number += 1;
        SweepId::parse(&format!("019b0000-0000-7000-8000-{number:012}")).unwrap()
    }
}

/// A sweep that found nothing, of a portal whose schedule is `yearly`.
fn report(sweep_id: SweepId, portal: &str, slot: Option<&str>) -> SweepReport {
    SweepReport {
        sweep_id,
        portal: PortalName::new(portal).unwrap(),
        schedule: ScheduleLabel::new("yearly"),
        slot: slot.map(at),
        trigger: if slot.is_some() { Trigger::Schedule } else { Trigger::Manual },
        dump: DumpSetting::Own,
        method: Method::Bulk,
        outcome: Outcome::NothingToDelete,
        note: None,
        attempts: 1,
        counts: Counts { found: Some(0), deleted: Some(0), kept: Some(0), remaining: Some(0) },
        removed: Vec::new(),
        left: Vec::new(),
        plan: Vec::new(),
        verified: true,
        duration: Duration::from_millis(2500),
        next_slot: Some(at("2027-01-10T01:00:00Z")),
    }
}

fn backup(number: u32, name: &str) -> Backup {
    Backup {
        id: BackupId::new(&format!("00000000-0000-4000-8000-{number:012}")),
        file_name: name.to_owned(),
        storage: Some(StorageKind::Documents),
        created_on: Some(at("2026-01-03T01:00:00Z")),
    }
}

fn claim(report: &SweepReport, began: Timestamp) -> Claim {
    Claim {
        sweep_id: report.sweep_id,
        portal: report.portal.clone(),
        schedule: report.schedule.clone(),
        slot: report.slot,
        trigger: report.trigger,
        dump: if report.dump == DumpSetting::ServerWide { Dump::ServerWide } else { Dump::Own },
        method: report.method,
        began,
        next_slot: report.next_slot,
    }
}

/// A ledger in a folder of its own, and a configuration that names it.
struct House {
    folder: TempDir,
    ids: Box<dyn FnMut() -> SweepId>,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "[daemon]\nledger = \"sqlite:{}\"\nledger_retention = \"100years\"\n{CONFIG}",
            folder.path().join("docsweep.db").display()
        );
        fs::write(folder.path().join("config.toml"), text).unwrap();
        Self { folder, ids: Box::new(ids()) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn open(&self, started: &str) -> SqliteLedger {
        let process = ProcessId { pid: 4242, started: at(started), boot: None };
        SqliteLedger::open(&self.path("docsweep.db"), &process).unwrap()
    }

    /// A report for a portal's slot.
    fn report(&mut self, portal: &str, slot: Option<&str>) -> SweepReport {
        report((self.ids)(), portal, slot)
    }

    /// A failed one, by a dead key.
    fn failed(&mut self, portal: &str, slot: &str) -> SweepReport {
        let failure = Failure {
            class: FailureClass::KeyRejected,
            http_status: Some(401),
            detail: "the portal answered 401 to the inventory".to_owned(),
        };
        SweepReport {
            outcome: Outcome::Failed(failure),
            attempts: 2,
            counts: Counts::default(),
            verified: false,
            ..self.report(portal, Some(slot))
        }
    }

    /// Runs a command on the configuration.
    fn say(&self, arguments: &[&str]) -> Said {
        let path = self.path("config.toml");
        docsweep(&[arguments, &["--config", path.to_str().unwrap()]].concat())
    }

    /// The same, and it must end well and complain of nothing.
    fn shown(&self, arguments: &[&str]) -> String {
        let said = self.say(arguments);
        assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{arguments:?}");
        said.stdout
    }

    fn tidy(&self, text: &str) -> String {
        text.replace(self.folder.path().to_str().unwrap(), "FOLDER")
    }
}

/// Claims a sweep a moment after its slot, and completes it.
async fn sweep(ledger: &SqliteLedger, report: &SweepReport, began: Timestamp) {
    let claimed = ledger.claim(vec![claim(report, began)]).await.unwrap();
    assert_eq!(claimed, [Claimed::New]);
    ledger.complete(report, began + SignedDuration::try_from(report.duration).unwrap()).await.unwrap();
}

/// Portals in every state that there is. What runs, and what died, is the caller's.
async fn fleet(house: &mut House, ledger: &SqliteLedger) {
    let names = ["acme", "globex", "hooli", "initech", "massive", "umbrella", "vandelay"];
    let names = names.map(|name| PortalName::new(name).unwrap());
    ledger.begin(&names, at("2025-01-01T00:00:00Z")).await.unwrap();

    let removed = |number, name| Removed { backup: backup(number, name), doubt: None };
    let gone =
        Removed { doubt: Some("500 with an empty body".to_owned()), ..removed(2, "a\u{1b}[31m.tar.gz") };
    let acme = SweepReport {
        outcome: Outcome::Deleted,
        counts: Counts { found: Some(3), deleted: Some(2), kept: Some(1), remaining: Some(0) },
        removed: vec![removed(1, "acme_2026-01-03.tar.gz"), gone],
        method: Method::Each,
        ..house.report("acme", Some(OLD_SLOT))
    };
    sweep(ledger, &acme, at(OLD_SLOT)).await;
    sweep(ledger, &house.failed("acme", SLOT), at(SLOT)).await;
    // Not a success, so that the failure before it is still what matters.
    let overlap = SweepReport {
        outcome: Outcome::Skipped(SkipReason::Shutdown),
        attempts: 0,
        counts: Counts::default(),
        verified: false,
        duration: Duration::ZERO,
        ..house.report("acme", None)
    };
    sweep(ledger, &overlap, at("2026-01-10T09:30:00Z")).await;

    let id = (house.ids)();
    for dump in [DumpSetting::Own, DumpSetting::ServerWide] {
        let counts = Counts { found: Some(4), deleted: Some(3), kept: Some(0), remaining: Some(1) };
        let globex = SweepReport { dump, ..report(id, "globex", Some(SLOT)) };
        let globex = match dump {
            DumpSetting::Own => globex,
            _ => SweepReport {
                outcome: Outcome::Partial,
                counts,
                left: vec![backup(3, "dump.tar.gz")],
                ..globex
            },
        };
        sweep(ledger, &globex, at(SLOT)).await;
    }

    let paused = SweepReport {
        outcome: Outcome::Paused,
        attempts: 0,
        duration: Duration::ZERO,
        ..house.report("initech", Some(SLOT))
    };
    let missed = SweepReport {
        schedule: ScheduleLabel::new("0 * 1 1 *"),
        outcome: Outcome::Missed(MissedRun {
            first: at("2026-01-01T02:00:00Z"),
            last: at("2026-01-01T20:00:00Z"),
            count: 19,
        }),
        attempts: 0,
        duration: Duration::ZERO,
        ..house.report("umbrella", Some("2026-01-01T02:00:00Z"))
    };
    ledger.record(vec![paused, missed], at("2026-01-10T01:00:01Z")).await.unwrap();
    sweep(ledger, &house.failed("massive", SLOT), at(SLOT)).await;
}
