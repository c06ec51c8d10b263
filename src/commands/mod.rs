//! The commands: one file a verb, and here what they share. Only these build the real clock and the real client.

mod check;
mod fleet;
mod next;
mod output;
mod report;
mod run;
mod show_config;
mod sweep;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::cli::{Cli, Command};
use crate::config::{Config, LoadError, nearest};
use crate::lifecycle::forbid_core_files;

use fleet::{endpoints, targets};
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
        Command::Sweep { portals, dry_run: false, output } => sweep::sweep(config, &portals, output),
        Command::Sweep { portals, dry_run: true, output } => sweep::plan(config, &portals, None, output),
        Command::Plan { portals, at, output } => sweep::plan(config, &portals, at, output),
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
            LoadError::Invalid(problems) => format!("{}\n", problems.render(output::stderr_colours())),
            other => format!("error: {other}\n"),
        };
        Refusal { exit: Exit::Config, text }
    })
}

/// Checks that every name is a portal's.
fn known_portals(config: &Config, names: &[String]) -> Result<(), Refusal> {
    for name in names {
        if config.portals.iter().any(|portal| portal.name.as_str() == name) {
            continue;
        }
        let nearest = nearest(name, config.portals.iter().map(|portal| portal.name.as_str()));
        let hint = nearest.map(|nearest| format!("; did you mean {nearest:?}?")).unwrap_or_default();
        return Err(Refusal {
            exit: Exit::Usage,
            text: format!("error: the configuration has no portal {name:?}{hint}\n"),
        });
    }
    Ok(())
}
