//! `docsweep run`: the daemon.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use indicatif::MultiProgress;
use jiff::{SignedDuration, Timestamp};

use super::{Exit, endpoints, load, open_ledger, targets};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::dispatch::{Caps, Dispatcher, OnReport, Target};
use crate::domain::PortalName;
use crate::events::{Started, SweepFinished, TickerStalled};
use crate::ledger::{Ledger, LedgerError, SqliteLedger};
use crate::lifecycle::Signals;
use crate::portal::{HttpPortals, TlsProfiles};
use crate::retry::Stop;
use crate::schedule::Ticker;
use crate::sweep::{Sweeping, Waits, Work};
use crate::telemetry;

/// How often the ledger is looked through for what is too old.
const PRUNE_EVERY: Duration = Duration::from_hours(1);

/// Threads for what blocks: name look-ups, key files. A name server that hangs holds one for each portal being asked.
const BLOCKING_THREADS: usize = 128;

pub(super) fn run(path: &Path) -> anyhow::Result<Exit> {
    let config = load(path)?;
    let logging = telemetry::init(&config.daemon.log, &MultiProgress::new())?;
    let ledger = Arc::new(open_ledger(&config)?);
    let kept = Arc::clone(&ledger);
    let exit = block_on(daemon(&config, path, kept, Waits::default(), Stop::default(), Box::new(|_| {})))??;
    // Whatever is queued is written before the last record is.
    drop(ledger);
    tracing::info!(lost_records = logging.lost(), "docsweep stopped");
    Ok(exit)
}

/// Runs a command that talks to portals, and leaves behind what still blocks at its end: a file or a name server that
/// hangs must not keep the process.
pub(super) fn block_on<F: Future>(work: F) -> anyhow::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()
        .context("starting the runtime")?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    Ok(done)
}

/// The real portals.
pub(super) fn portals(config: &Config) -> HttpPortals {
    HttpPortals::new(endpoints(config), TlsProfiles::from_system(), Arc::new(SystemClock))
}

/// The work of a sweep that deletes.
pub(super) fn sweeping(config: &Config) -> Sweeping<HttpPortals> {
    Sweeping { connect: portals(config), clock: Arc::new(SystemClock) }
}

/// A dispatcher of `work` with the configuration's caps.
pub(super) fn dispatcher<W: Work, L: Ledger>(
    config: &Config,
    work: W,
    ledger: Arc<L>,
    waits: Waits,
    stop: Stop,
    on_report: OnReport,
) -> Dispatcher<W, L> {
    let caps = Caps {
        concurrency: config.daemon.concurrency,
        per_server: config.daemon.per_server,
        max_wipes: config.safety.max_wipes,
    };
    Dispatcher::new(work, ledger, Arc::new(SystemClock), waits, caps, stop, on_report)
}

/// Runs the daemon until a signal or `stop` ends it. Needs a runtime; logging must have been started.
pub async fn daemon(
    config: &Config,
    path: &Path,
    ledger: Arc<SqliteLedger>,
    waits: Waits,
    stop: Stop,
    on_report: OnReport,
) -> anyhow::Result<Exit> {
    let mut signals = Signals::new().context("taking over signals")?;
    let targets = targets(config);
    let now = SystemClock.now();
    let accounted = enter(ledger.as_ref(), &targets, now).await.context("reading the ledger")?;
    let work = sweeping(config);
    let dispatcher = dispatcher(config, work, Arc::clone(&ledger), waits, stop.clone(), on_report);
    let timetables = targets.iter().map(|target| target.timetable.clone()).collect();
    let (ticker, due) =
        Ticker::start(Arc::new(SystemClock), timetables, now).await.context("starting the schedules")?;
    started(config, path, &targets, &ticker);
    let grace = config.daemon.shutdown_grace;
    let mut dispatching = std::pin::pin!(dispatcher.run(targets, &accounted, now, due));
    let exit = tokio::select! {
        () = &mut dispatching => Exit::Ok,
        never = prune(ledger.as_ref(), config.daemon.ledger_retention) => match never {},
        never = signals.watch(&stop, grace) => match never {},
        () = ticker.stalled() => {
            TickerStalled.emit();
            tokio::select! {
                () = dispatching => Exit::Unexpected,
                never = signals.drain(&stop, grace) => match never {},
            }
        }
    };
    ticker.shutdown().await;
    Ok(exit)
}

/// Says what a dead process left in the middle, and up to where each portal's slots are accounted for; a portal that the
/// ledger does not know is accounted for from now on.
async fn enter<L: Ledger>(
    ledger: &L,
    targets: &[Target],
    now: Timestamp,
) -> Result<HashMap<PortalName, Timestamp>, LedgerError> {
    for report in ledger.interrupt(now).await? {
        SweepFinished(&report).emit();
    }
    let portals: Vec<PortalName> = targets.iter().map(|target| target.portal.clone()).collect();
    ledger.begin(&portals, now).await?;
    ledger.accounted().await
}

/// Drops what is older than the retention, once an hour.
async fn prune<L: Ledger>(ledger: &L, retention: Duration) -> std::convert::Infallible {
    loop {
        let retention = SignedDuration::try_from(retention).unwrap_or(SignedDuration::MAX);
        let before = SystemClock.now().saturating_sub(retention).unwrap_or(Timestamp::MIN);
        // A ledger that fails says so itself, and what is too old waits for the next hour.
        if let Ok(dropped @ 1..) = ledger.prune(before).await {
            tracing::info!(rows = dropped, "old sweeps were dropped from the ledger");
        }
        tokio::time::sleep(PRUNE_EVERY).await;
    }
}

fn started(config: &Config, path: &Path, targets: &[Target], ticker: &Ticker) {
    Started {
        config: &path.display().to_string(),
        portals: targets.len(),
        paused: targets.iter().filter(|target| !target.enabled).count(),
        schedules: config.schedules.len(),
        next_slot: targets.iter().filter(|t| t.enabled).filter_map(|t| ticker.next(&t.group())).min(),
    }
    .emit();
}
