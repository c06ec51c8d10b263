//! `docsweep sweep` and `docsweep plan`: now, by the same code as at a slot; a plan with clients that cannot delete.

use std::collections::HashMap;
use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use anyhow::Context as _;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use jiff::Timestamp;

use super::run::{block_on, dispatcher, portals, sweeping};
use super::{Exit, chosen, known_portals, load, open_ledger, output, report};
use crate::cli::Output;
use crate::config::Config;
use crate::dispatch::{OnReport, Target};
use crate::domain::{Outcome, PortalName, SweepReport};
use crate::ledger::{Ledger, MemoryLedger};
use crate::lifecycle::Signals;
use crate::portal::HttpReaders;
use crate::retry::Stop;
use crate::sweep::{Planning, Waits, Work};
use crate::telemetry;

/// How often the bar is drawn.
const TICK: Duration = Duration::from_millis(200);

/// Deletes now.
pub(super) fn sweep(path: &Path, names: &[String], output: Output) -> anyhow::Result<Exit> {
    let work = |config: &Config| Ok((sweeping(config), open_ledger(config)?));
    let reports = on_demand(path, names, output, work)?;
    if !output.json {
        report::sweeps(&reports)?;
    }
    Ok(exit(&reports))
}

/// Says what a sweep would delete.
pub(super) fn plan(
    path: &Path,
    names: &[String],
    at: Option<Timestamp>,
    output: Output,
) -> anyhow::Result<Exit> {
    // A dry run leaves no record.
    let look = |config: &Config| HttpReaders::new(portals(config));
    let work = |config: &Config| Ok((Planning { look: look(config), at }, MemoryLedger::default()));
    let reports = on_demand(path, names, output, work)?;
    if !output.json {
        report::plans(&reports, at)?;
    }
    Ok(exit(&reports))
}

fn exit(reports: &[SweepReport]) -> Exit {
    let well = |report: &SweepReport| {
        matches!(report.outcome, Outcome::Deleted | Outcome::NothingToDelete | Outcome::Planned)
    };
    if reports.iter().all(well) { Exit::Ok } else { Exit::Portal }
}

fn on_demand<W: Work, L: Ledger>(
    path: &Path,
    names: &[String],
    output: Output,
    work: impl FnOnce(&Config) -> anyhow::Result<(W, L)>,
) -> anyhow::Result<Vec<SweepReport>> {
    let config = load(path)?;
    known_portals(&config, names)?;
    let progress = MultiProgress::new();
    let _logging = telemetry::init(&config.daemon.log, &progress)?;
    let chosen = chosen(&config, names);
    if chosen.is_empty() {
        output::complain("warning: every portal is disabled: there is nothing to sweep\n");
    }
    let (work, ledger) = work(&config)?;
    let ledger = Arc::new(ledger);
    let mut reports = block_on(carry_out(&config, work, Arc::clone(&ledger), chosen, progress, output))??;
    let places: HashMap<&PortalName, usize> =
        config.portals.iter().map(|portal| &portal.name).zip(0..).collect();
    reports.sort_by_key(|report| places.get(&report.portal).copied());
    Ok(reports)
}

async fn carry_out<W: Work, L: Ledger>(
    config: &Config,
    work: W,
    ledger: Arc<L>,
    targets: Vec<Target>,
    progress: MultiProgress,
    output: Output,
) -> anyhow::Result<Vec<SweepReport>> {
    let stop = Stop::default();
    let mut signals = Signals::new().context("taking over signals")?;
    let bar = bar(&progress, &targets);
    let (sender, reports) = mpsc::channel();
    let on_report: OnReport = Box::new(move |report| {
        bar.inc(1);
        // A line on stdout may be one on the same terminal.
        let printed = if output.json {
            progress.suspend(|| output::object(&report::Line::new(report)))
        } else {
            Ok(())
        };
        // The receiver lives until the dispatcher has ended.
        sender.send((report.clone(), printed)).unwrap_or_default();
    });
    let dispatcher = dispatcher(config, work, ledger, Waits::default(), stop.clone(), on_report);
    tokio::select! {
        () = dispatcher.once(targets) => {}
        never = signals.watch(&stop, config.daemon.shutdown_grace) => match never {},
    }
    // Every portal was swept; but results that could not be printed are no success.
    reports.into_iter().map(|(report, printed)| printed.map(|()| report)).collect()
}

/// A bar on stderr, where a person looks at it.
fn bar(progress: &MultiProgress, targets: &[Target]) -> ProgressBar {
    let sweeps: usize = targets.iter().map(|target| target.dump.dumps().len()).sum();
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} sweeps, {elapsed}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = progress.add(ProgressBar::new(sweeps as u64).with_style(style));
    // Shown at once and kept going, for the first sweep may take an hour.
    bar.enable_steady_tick(TICK);
    bar
}
