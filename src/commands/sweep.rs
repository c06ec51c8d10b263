//! `docsweep sweep`: now, by the same code as at a slot.

use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::Context as _;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::run::{dispatcher, runtime};
use super::{Exit, known_portals, load, output, targets};
use crate::cli::Output;
use crate::config::Config;
use crate::dispatch::Target;
use crate::domain::{Outcome, SweepReport};
use crate::lifecycle::Signals;
use crate::retry::Stop;
use crate::sweep::Waits;
use crate::telemetry;

/// How often the bar is drawn.
const TICK: Duration = Duration::from_millis(200);

pub(super) fn run(path: &Path, names: &[String], output: Output) -> anyhow::Result<Exit> {
    let config = load(path)?;
    known_portals(&config, names)?;
    let progress = MultiProgress::new();
    telemetry::init(&config.daemon.log, &progress)?;
    let chosen = chosen(&config, names);
    if chosen.is_empty() {
        output::complain("warning: every portal is disabled: there is nothing to sweep\n");
    }
    let mut reports = runtime()?.block_on(sweep(&config, chosen, progress, output))?;
    let place = |report: &SweepReport| config.portals.iter().position(|portal| portal.name == report.portal);
    reports.sort_by_cached_key(place);
    if !output.json {
        table(&reports)?;
    }
    let well = |report: &SweepReport| matches!(report.outcome, Outcome::Deleted | Outcome::NothingToDelete);
    Ok(if reports.iter().all(well) { Exit::Ok } else { Exit::Portal })
}

/// Those that were named, disabled ones too: somebody asked for them; else every enabled one.
fn chosen(config: &Config, names: &[String]) -> Vec<Target> {
    let mut all = targets(config);
    all.retain(|target| match names {
        [] => target.enabled,
        names => names.iter().any(|name| name == target.portal.as_str()),
    });
    all
}

async fn sweep(
    config: &Config,
    targets: Vec<Target>,
    progress: MultiProgress,
    output: Output,
) -> anyhow::Result<Vec<SweepReport>> {
    let stop = Stop::default();
    let mut signals = Signals::new().context("taking over signals")?;
    let bar = bar(&progress, &targets);
    let (sender, reports) = mpsc::channel();
    let on_report = Box::new(move |report: &SweepReport| {
        bar.inc(1);
        // A line on stdout may be one on the same terminal.
        if output.json
            && let Err(error) = progress.suspend(|| output::object(&report.record()))
        {
            tracing::error!(detail = %error, "a result could not be printed");
        }
        // The receiver lives until the dispatcher has ended.
        sender.send(report.clone()).unwrap_or_default();
    });
    let dispatcher = dispatcher(config, Waits::default(), stop.clone(), on_report);
    tokio::select! {
        () = dispatcher.once(targets) => {}
        never = signals.watch(&stop, config.daemon.shutdown_grace) => match never {},
    }
    Ok(reports.into_iter().collect())
}

/// A bar on stderr, where a person looks at it.
fn bar(progress: &MultiProgress, targets: &[Target]) -> ProgressBar {
    let sweeps: usize = targets.iter().map(|target| target.dump.dumps().len()).sum();
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} sweeps, {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = progress.add(ProgressBar::new(sweeps as u64).with_style(style));
    // Shown at once and kept going, for the first sweep may take an hour.
    bar.enable_steady_tick(TICK);
    bar
}

/// A row for each report, and below the rows what a person should know of those that did not go well.
fn table(reports: &[SweepReport]) -> anyhow::Result<()> {
    if reports.is_empty() {
        return Ok(());
    }
    let count = |number: Option<u64>| number.map_or_else(|| "?".to_owned(), |number| number.to_string());
    let rows = reports.iter().map(|report| {
        let record = report.record();
        let why = record.failure.or(record.reason).map(|why| format!(": {why}")).unwrap_or_default();
        vec![
            record.portal.to_owned(),
            record.dump.to_owned(),
            format!("{}{why}", record.outcome),
            count(record.found),
            count(record.deleted),
            count(record.remaining),
            if record.verified { "yes" } else { "no" }.to_owned(),
            record.attempts.to_string(),
        ]
    });
    let head = ["PORTAL", "DUMP", "OUTCOME", "FOUND", "DELETED", "REMAINING", "VERIFIED", "ATTEMPTS"];
    output::table(&head, rows)?;
    let troubles: Vec<String> = reports.iter().filter_map(trouble).collect();
    output::text(&troubles.concat())
}

/// What was seen, and what to do about it.
fn trouble(report: &SweepReport) -> Option<String> {
    let record = report.record();
    let said: Vec<String> = [record.detail, record.note, record.advice]
        .into_iter()
        .flatten()
        .map(|text| format!("  {text}\n"))
        .collect();
    (!said.is_empty()).then(|| format!("\n{}, dump {}:\n{}", record.portal, record.dump, said.concat()))
}
