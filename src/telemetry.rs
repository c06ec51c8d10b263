//! Where log records go: to stderr, as text for people or as JSON for machines.

use std::io::{self, IsTerminal as _, Write};

use anyhow::Context as _;
use indicatif::MultiProgress;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, fmt};

use crate::config::{Log, LogFormat};
use crate::schedule::CRATE_LOG;

/// How many records wait for a reader before further ones are lost.
const WAITING: usize = 16_384;

/// Writes the records for as long as it lives, and at its end what still waits.
#[must_use]
pub struct Logging {
    _writing: WorkerGuard,
    lost: ErrorCounter,
}

impl Logging {
    /// How many records were lost because nobody read them.
    pub fn lost(&self) -> usize {
        self.lost.dropped_lines()
    }
}

/// Starts logging. `RUST_LOG` outranks the configured level. While `progress` shows bars, records are written above
/// them.
///
/// A thread writes them: whoever reads the log may stand still, and sweeps go on; records that find no room are lost.
pub fn init(log: &Log, progress: &MultiProgress) -> anyhow::Result<Logging> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(level) if !level.trim().is_empty() => EnvFilter::try_new(format!("{CRATE_LOG},{level}"))
            .with_context(|| format!("RUST_LOG={level:?} is no log filter"))?,
        _ => EnvFilter::try_new(format!("{CRATE_LOG},{}", log.level))
            .context("the configured log level is no filter")?,
    };
    let (writer, writing) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(WAITING)
        .thread_name("log")
        .finish(Stderr(progress.clone()));
    let lost = writer.error_counter();
    let layer = if json(log.format) {
        fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .with_writer(writer)
            .boxed()
    } else {
        fmt::layer().with_ansi(stderr_colours()).with_target(false).with_writer(writer).boxed()
    };
    tracing_subscriber::registry().with(layer.with_filter(filter)).try_init().context("starting the log")?;
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        let message = panic.payload_as_str().unwrap_or("no message");
        tracing::error!(location, detail = message, "panic: a defect of docsweep");
    }));
    Ok(Logging { _writing: writing, lost })
}

/// Whether colours are welcome on stderr.
pub fn stderr_colours() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn json(format: LogFormat) -> bool {
    match format {
        LogFormat::Auto => !io::stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    }
}

/// Standard error, with the progress bars out of the way. A record that cannot be written is lost: there is nowhere
/// left to say so, and a sweep is worth more than its log line.
struct Stderr(MultiProgress);

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write_all(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
