//! The commands: one file a verb, and here what they share. Only these build the real clock and the real client.

mod check;
mod fleet;
mod history;
mod ledger;
mod next;
mod output;
mod report;
mod run;
mod show_config;
mod status;
mod sweep;
mod why;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::cli::{Cli, Command};
use crate::config::{Config, LoadError, nearest};
use crate::lifecycle::forbid_core_files;
use crate::telemetry;

use fleet::{chosen, endpoints, targets};
pub use ledger::open_ledger;
pub use run::daemon;

/// How the process ends. The numbers are design.md §7's: 78 is `EX_CONFIG`, which systemd shows by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All well.
    Ok,
    /// Something unexpected broke.
    Unexpected,
    /// The command line makes no sense.
    Usage,
    /// At least one portal was not swept as it should.
    Portal,
    /// The configuration has problems.
    Config,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Ok => 0,
            Exit::Unexpected => 1,
            Exit::Usage => 2,
            Exit::Portal => 4,
            Exit::Config => 78,
        })
    }
}

/// Runs one command. What goes wrong is said on stderr, once, here.
pub fn run(cli: Cli) -> Exit {
    let config = cli.config();
    let config = config.as_path();
    // First of all, for what is read next may hold a key.
    let forbidden = forbid_core_files().context("forbidding core files");
    let ended = forbidden.and_then(|()| match cli.command {
        Command::Run => run::run(config),
        Command::Sweep { portals, dry_run: false, output, .. } => sweep::sweep(config, &portals, output),
        Command::Sweep { portals, dry_run: true, at, output } | Command::Plan { portals, at, output } => {
            sweep::plan(config, &portals, at, output)
        }
        Command::Status { portals, output } => status::run(config, &portals, output),
        Command::History { portal, since, failed, deleted, number, output } => {
            let wanted = history::Wanted { portal, since, failed, deleted, number };
            history::run(config, wanted, output)
        }
        Command::Why { portal, time, output } => why::run(config, &portal, time, output),
        Command::Ledger { command } => ledger::run(config, command),
        Command::Check { output } => check::run(config, output),
        Command::ShowConfig { output } => show_config::run(config, output),
        Command::ExampleConfig => output::text(include_str!("../../config.example.toml")).map(|()| Exit::Ok),
        Command::Next { number, portals, output } => next::run(config, number, &portals, output),
    });
    ended.unwrap_or_else(|error| match error.downcast::<Refusal>() {
        Ok(refusal) => {
            output::complain(&refusal.text);
            refusal.exit
        }
        Err(error) => {
            output::complain(&format!("error: {error:#}\n"));
            Exit::Unexpected
        }
    })
}

/// A command that was not carried out because of what it was given.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
struct Refusal {
    exit: Exit,
    /// The whole message, with its line break.
    text: String,
}

/// Reads the configuration, or says every problem that it has.
fn load(path: &Path) -> Result<Config, Refusal> {
    Config::load(path).map_err(|error| {
        let text = match &error {
            LoadError::Invalid(problems) => format!("{}\n", problems.render(telemetry::stderr_colours())),
            other => format!("error: {other}\n"),
        };
        Refusal { exit: Exit::Config, text }
    })
}

/// The names of the configuration's portals.
fn configured(config: &Config) -> impl Iterator<Item = &str> + Clone {
    config.portals.iter().map(|portal| portal.name.as_str())
}

/// Checks that every name is a portal's.
fn known_portals(config: &Config, names: &[String]) -> Result<(), Refusal> {
    known_among(names, configured(config), "the configuration has no")
}

/// Checks that every name is one of `all`; `lacks` begins the complaint: who has no such portal.
fn known_among<'n>(
    names: &[String],
    all: impl Iterator<Item = &'n str> + Clone,
    lacks: &str,
) -> Result<(), Refusal> {
    for name in names {
        if all.clone().any(|known| known == name) {
            continue;
        }
        let hint = nearest(name, all).map(|nearest| format!("; did you mean {nearest:?}?"));
        let hint = hint.unwrap_or_default();
        return Err(Refusal { exit: Exit::Usage, text: format!("error: {lacks} portal {name:?}{hint}\n") });
    }
    Ok(())
}
