//! `docsweep show-config`: the effective configuration.

use std::path::Path;

use super::{Exit, load, output};
use crate::cli::Output;

pub(super) fn run(path: &Path, output: Output) -> anyhow::Result<Exit> {
    let config = load(path)?;
    if output.json {
        config.views().try_for_each(|view| output::object(&view))?;
    } else {
        output::text(&config.to_toml())?;
    }
    Ok(Exit::Ok)
}
