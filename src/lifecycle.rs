//! Signals, and how the process stops: asked to at first, made to after the grace or at the second signal.
//!
//! It knows nothing of portals: it cancels the two tokens of a [`Stop`], and those who work see to the rest.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::retry::Stop;

/// The signals that a docsweep process answers to.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Takes the signals over from their default actions. Needs a runtime.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next request to stop, and gives its name.
    async fn stop(&mut self) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                // Its default action would kill the process in the middle of its sweeps.
                _ = self.hangup.recv() => {
                    tracing::warn!("SIGHUP ignored: restart docsweep to have it read its configuration again");
                }
            }
        }
    }

    /// Stops in order at the first signal, and at once at the second or after `grace`. It does not return.
    pub async fn watch(&mut self, stop: &Stop, grace: Duration) -> std::convert::Infallible {
        let name = self.stop().await;
        tracing::info!(signal = name, grace_ms = millis(grace), "stopping: running sweeps may finish");
        self.drain(stop, grace).await
    }

    /// Stops in order, and at once at a signal or after `grace`. It does not return.
    pub async fn drain(&mut self, stop: &Stop, grace: Duration) -> std::convert::Infallible {
        stop.soft.cancel();
        tokio::select! {
            name = self.stop() => tracing::warn!(signal = name, "stopping at once: running sweeps are cut"),
            () = tokio::time::sleep(grace) => {
                tracing::warn!(grace_ms = millis(grace), "the grace is over: running sweeps are cut");
            }
        }
        stop.hard.cancel();
        std::future::pending().await
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Forbids core files: this process holds keys with full access to portals.
pub fn forbid_core_files() -> io::Result<()> {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    Ok(())
}
