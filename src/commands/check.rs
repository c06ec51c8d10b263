//! `docsweep check`: every problem of the configuration.

use std::path::Path;

use serde::Serialize;

use super::{Exit, load, output};
use crate::cli::Output;
use crate::config::{Config, LoadError, ProblemView};
use crate::keys::ApiKeySource;

/// One line of `check --json`.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Finding<'a> {
    /// The file cannot be used with this.
    Problem(ProblemView<'a>),
    /// The file cannot be read at all.
    Unreadable { message: String },
    /// A portal's sweeps would fail with this, as things stand here and now.
    Warning { portal: &'a str, message: String },
    /// The file can be used.
    Valid { file: String, portals: usize, paused: usize, schedules: usize },
}

pub(super) fn run(path: &Path, output: Output) -> anyhow::Result<Exit> {
    if output.json {
        return machine(path);
    }
    let config = load(path)?;
    for (portal, message) in warnings(&config) {
        output::complain(&format!("warning: portal {portal}: {message}\n"));
    }
    let (portals, paused, schedules) = counts(&config);
    output::text(&format!(
        "{}: no problems (portals: {portals}, paused: {paused}, named schedules: {schedules})\n",
        path.display()
    ))?;
    Ok(Exit::Ok)
}

fn machine(path: &Path) -> anyhow::Result<Exit> {
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(LoadError::Invalid(problems)) => {
            problems.views().map(Finding::Problem).try_for_each(|finding| output::object(&finding))?;
            return Ok(Exit::Config);
        }
        Err(error) => {
            output::object(&Finding::Unreadable { message: error.to_string() })?;
            return Ok(Exit::Config);
        }
    };
    for (portal, message) in warnings(&config) {
        output::object(&Finding::Warning { portal, message })?;
    }
    let (portals, paused, schedules) = counts(&config);
    output::object(&Finding::Valid { file: path.display().to_string(), portals, paused, schedules })?;
    Ok(Exit::Ok)
}

fn counts(config: &Config) -> (usize, usize, usize) {
    let paused = config.portals.iter().filter(|portal| !portal.enabled).count();
    (config.portals.len(), paused, config.schedules.len())
}

/// Keys that this process cannot read. They are no problem of the file: the daemon may run as another user, and a key
/// may come later. A systemd credential is only there for the service itself, so its absence here says nothing.
fn warnings(config: &Config) -> impl Iterator<Item = (&str, String)> {
    let here = |source: &ApiKeySource| {
        !matches!(source, ApiKeySource::Credential(_)) || std::env::var_os("CREDENTIALS_DIRECTORY").is_some()
    };
    config.portals.iter().filter(move |portal| here(&portal.api_key)).filter_map(|portal| {
        let error = portal.api_key.read().err()?;
        Some((portal.name.as_str(), error.to_string()))
    })
}
