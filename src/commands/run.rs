//! `docsweep run`: the daemon.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use indicatif::MultiProgress;

use super::{Exit, endpoints, load, targets};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::dispatch::{Caps, Dispatcher, OnReport, Target};
use crate::events::{Started, TickerStalled};
use crate::lifecycle::Signals;
use crate::portal::{HttpPortals, TlsProfiles};
use crate::retry::Stop;
use crate::schedule::Ticker;
use crate::sweep::{Sweeping, Waits, Work};
use crate::telemetry;

/// Threads for what blocks: name look-ups, key files. A name server that hangs holds one for each portal being asked.
const BLOCKING_THREADS: usize = 128;

pub(super) fn run(path: &Path) -> anyhow::Result<Exit> {
    let config = load(path)?;
    let logging = telemetry::init(&config.daemon.log, &MultiProgress::new())?;
    let exit = block_on(daemon(&config, path, Waits::default(), Stop::default(), Box::new(|_| {})))??;
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
pub(super) fn dispatcher<W: Work>(
    config: &Config,
    work: W,
    waits: Waits,
    stop: Stop,
    on_report: OnReport,
) -> Dispatcher<W> {
    let caps = Caps {
        concurrency: config.daemon.concurrency,
        per_server: config.daemon.per_server,
        max_wipes: config.safety.max_wipes,
    };
    Dispatcher::new(work, Arc::new(SystemClock), waits, caps, stop, on_report)
}

/// Runs the daemon until a signal or `stop` ends it. Needs a runtime; logging must have been started.
pub async fn daemon(
    config: &Config,
    path: &Path,
    waits: Waits,
    stop: Stop,
    on_report: OnReport,
) -> anyhow::Result<Exit> {
    let mut signals = Signals::new().context("taking over signals")?;
    let dispatcher = dispatcher(config, sweeping(config), waits, stop.clone(), on_report);
    let targets = targets(config);
    let timetables = targets.iter().map(|target| target.timetable.clone()).collect();
    let (ticker, due) =
        Ticker::start(Arc::new(SystemClock), timetables).await.context("starting the schedules")?;
    started(config, path, &targets, &ticker);
    let grace = config.daemon.shutdown_grace;
    let mut dispatching = std::pin::pin!(dispatcher.run(targets, due));
    let exit = tokio::select! {
        () = &mut dispatching => Exit::Ok,
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
