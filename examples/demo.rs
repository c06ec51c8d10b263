//! The try-out: the real daemon code, on a schedule of seconds, against portals that are simulated in this process.
//!
//! Nothing outside this machine is contacted. The portals listen on loopback, their keys and the configuration are
//! files in a temporary folder, and all of it is gone at the end.

#![expect(clippy::print_stdout, reason = "a try-out talks to the person who started it")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use docspace_sim::{Backup, Fault, Key, Portal, Route, Server, StorageKind};
use docsweep::commands::{Exit, daemon, open_ledger};
use docsweep::config::Config;
use docsweep::domain::SweepReport;
use docsweep::retry::Stop;
use docsweep::sweep::Waits;
use docsweep::telemetry;
use indicatif::MultiProgress;
use tokio::sync::mpsc;

/// How many slots of each portal the demo shows.
const SLOTS: usize = 2;
/// The longest that it may take, should a slot not come.
const LIMIT: Duration = Duration::from_secs(24);

/// Two deletions in each slot, and two records.
const DUMPS: &str = "dump = \"both\"";

const REAL: &str = r#"
For a real portal, this is a whole configuration (`docsweep example-config` prints every key):

    [schedules.nightly]
    cron = "0 3 * * *"
    timezone = "Europe/Riga"

    [[portals]]
    name = "acme"
    url = "https://acme.example.com"
    api_key = { file = "/etc/docsweep/keys/acme" }
    schedule = "nightly"
    dump = false
"#;

/// A portal of the demo.
struct Guest {
    portal: Portal,
    key: String,
    /// What is special about it.
    story: &'static str,
    /// What its configuration has besides the usual.
    settings: &'static str,
}

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("starting the runtime")?;
    runtime.block_on(demo())
}

async fn demo() -> anyhow::Result<()> {
    let server = Server::start().await.context("starting the simulator")?;
    let guests = guests(&server).await?;
    let folder = tempfile::tempdir().context("making a temporary folder")?;
    let path = write_config(folder.path(), &guests)?;
    println!(
        "These {} portals are SIMULATED, on loopback, in this process. What sweeps them is the real",
        guests.len()
    );
    println!("daemon code, with the configuration and the key files in {}.\n", folder.path().display());
    for guest in &guests {
        println!("  {:<8} {}", guest.portal.name(), guest.story);
    }
    println!("\nA slot comes every 5 seconds. The results as they come:\n");
    let config = Config::load(&path).context("the demo's own configuration")?;
    let _logging = telemetry::init(&config.daemon.log, &MultiProgress::new())?;

    let stop = Stop::default();
    let (sender, mut results) = mpsc::unbounded_channel();
    let on_report = Box::new(move |report: &SweepReport| {
        // The receiver lives as long as the daemon.
        sender.send(report.clone()).unwrap_or_default();
    });
    let ledger = Arc::new(open_ledger(&config).context("the demo's own ledger")?);
    let daemon = daemon(&config, &path, ledger, waits(), stop.clone(), on_report);
    let (exit, reports) = tokio::join!(daemon, watch(&guests, &mut results, &stop));
    ensure!(exit? == Exit::Ok, "the daemon did not end well");
    closing(&guests, &reports);
    verdict(&guests, &reports)?;
    println!("{REAL}");
    Ok(())
}

/// The portals, each with its own story.
async fn guests(server: &Server) -> anyhow::Result<Vec<Guest>> {
    let mut guests = Vec::new();
    for (name, story, settings) in [
        ("healthy", "has three backups, and gets a new one after each sweep", ""),
        (
            "keeping",
            "has keep = { last = 2 }, so one of its three backups goes, by name",
            "keep = { last = 2 }",
        ),
        ("dumps", "has server-wide dumps besides its own backups, and dump = \"both\"", DUMPS),
        ("limited", "answers its first deletion with 429, and is asked again", ""),
        ("deadkey", "does not take its key any more", ""),
        ("hanging", "never answers anything", ""),
        ("leaving", "deletes, and goes away in the middle of its answer", ""),
    ] {
        let portal = server.add_portal(name).await.context("adding a portal")?;
        let key = portal.add_key(Key::admin());
        portal.add_backups(3);
        match name {
            "dumps" => {
                server.add_dump(Backup::new(StorageKind::Local));
                server.add_dump(Backup::new(StorageKind::Local));
            }
            "limited" => {
                portal.fault(Route::DeleteHistory, Fault::RateLimited { retry_after: Some("1".to_owned()) });
            }
            "deadkey" => portal.revoke(&key),
            "hanging" => portal.fault_always(Route::AnyRoute, Fault::HangBeforeWork),
            "leaving" => portal.fault(Route::DeleteHistory, Fault::TruncatedBody),
            _ => {}
        }
        guests.push(Guest { portal, key, story, settings });
    }
    Ok(guests)
}

/// Writes the configuration, and a key file for each portal.
fn write_config(folder: &Path, guests: &[Guest]) -> anyhow::Result<PathBuf> {
    let ledger = folder.join("docsweep.db");
    let mut text = format!("[daemon]\nledger = \"sqlite:{}\"\n\n", ledger.display());
    text.push_str(
        r#"[daemon.log]
level = "off"

[schedules.demo]
cron = "*/5 * * * * *"

[defaults]
schedule = "demo"
allow_http = true
connect_timeout = "1s"
timeout = "1s"
retry = { initial_backoff = "100ms", max_backoff = "500ms" }
"#,
    );
    for Guest { portal, key, settings, .. } in guests {
        let (name, url) = (portal.name(), portal.url());
        write_private(&folder.join(format!("{name}.key")), key)?;
        write!(
            text,
            "\n[[portals]]\nname = \"{name}\"\nurl = \"{url}\"\nserver = \"{name}\"\n\
             api_key = {{ file = \"{name}.key\" }}\n{settings}\n"
        )?;
    }
    let path = folder.join("config.toml");
    fs::write(&path, text).context("writing the configuration")?;
    Ok(path)
}

fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes()).context("writing a key file")
}

/// The product waits half a minute to minutes where the demo waits a moment.
fn waits() -> Waits {
    let moment = Duration::from_millis(500);
    Waits {
        rate_limited: moment,
        outcome_unknown: moment,
        key_rejected: moment,
        busy: moment,
        ..Waits::default()
    }
}

/// Shows results until each portal has had its slots; then asks the daemon to stop.
async fn watch(
    guests: &[Guest],
    results: &mut mpsc::UnboundedReceiver<SweepReport>,
    stop: &Stop,
) -> Vec<SweepReport> {
    let mut reports = Vec::new();
    let mut limit = std::pin::pin!(tokio::time::sleep(LIMIT));
    loop {
        let report = tokio::select! {
            report = results.recv() => report,
            () = &mut limit, if !stop.soft.is_cancelled() => {
                stop.soft.cancel();
                continue;
            }
        };
        let Some(report) = report else { return reports };
        show(&report);
        if report.portal.as_str() == "healthy"
            && let Some(healthy) = guests.first()
        {
            healthy.portal.add_backups(1);
        }
        reports.push(report);
        if guests.iter().all(|guest| slots_of(guest, &reports) >= SLOTS) {
            stop.soft.cancel();
        }
    }
}

fn of<'a>(guest: &Guest, reports: &'a [SweepReport]) -> impl Iterator<Item = &'a SweepReport> {
    let name = guest.portal.name();
    reports.iter().filter(move |report| report.portal.as_str() == name)
}

/// How many slots of a portal are over: its last record is of its last `Dump` value.
fn slots_of(guest: &Guest, reports: &[SweepReport]) -> usize {
    let records = if guest.settings == DUMPS { 2 } else { 1 };
    of(guest, reports).count() / records
}

/// The outcome, and why.
fn said(report: &SweepReport) -> String {
    let record = report.record();
    let why = record.failure.or(record.reason).map(|why| format!(": {why}")).unwrap_or_default();
    format!("{}{why}", record.outcome)
}

fn show(report: &SweepReport) {
    let record = report.record();
    let slot = record.slot.map(|slot| slot.to_string()).unwrap_or_default();
    let number = |n: Option<u64>| n.map_or_else(|| "?".to_owned(), |n| n.to_string());
    println!(
        "{slot}  {:<8} dump={:<5}  {:<21}  found {}, deleted {}, kept {}, attempts {}, {} ms",
        record.portal,
        record.dump,
        said(report),
        number(record.found),
        number(record.deleted),
        number(record.kept),
        record.attempts,
        record.duration_ms
    );
}

/// What each portal went through, as the portal itself counted it.
fn closing(guests: &[Guest], reports: &[SweepReport]) {
    println!("\n{:<8} {:>14} {:>13}  outcomes", "portal", "DELETEs it saw", "backups left");
    for guest in guests {
        let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
        for report in of(guest, reports) {
            *outcomes.entry(said(report)).or_default() += 1;
        }
        let outcomes: Vec<String> = outcomes.iter().map(|(what, n)| format!("{n} x {what}")).collect();
        let (name, seen, left) =
            (guest.portal.name(), guest.portal.deletes().len(), guest.portal.records().len());
        println!("{name:<8} {seen:>14} {left:>13}  {}", outcomes.join(", "));
    }
    if let Some(failed) = reports.iter().find(|report| report.outcome.is_failure())
        && let Ok(json) = serde_json::to_string(&failed.record())
    {
        println!("\nOne of these records, as the log and `--json` have it:\n{json}");
    }
}

/// Whether the demo showed what it says.
fn verdict(guests: &[Guest], reports: &[SweepReport]) -> anyhow::Result<()> {
    for guest in guests {
        let name = guest.portal.name();
        let expected = if matches!(name.as_str(), "deadkey" | "hanging") { "failed" } else { "deleted" };
        let records = if guest.settings == DUMPS { 2 } else { 1 };
        let first: Vec<&str> =
            of(guest, reports).take(records).map(|report| report.outcome.as_str()).collect();
        ensure!(
            first == vec![expected; records],
            "the first slot of {name} came to {first:?}, not {expected}"
        );
    }
    Ok(())
}
