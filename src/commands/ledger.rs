//! `docsweep ledger check`, and what the commands that read the ledger share.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Exit, load, output};
use crate::cli::{LedgerCommand, Output};
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, LedgerUrl};
use crate::ledger::{LedgerError, LedgerReader, ProcessId, Row, SqliteLedger};

/// One line of `ledger check --json`.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Finding<'a> {
    /// Something in the ledger is not as it must be.
    Problem { message: &'a str },
    /// The ledger cannot be read at all.
    Unreadable { message: String },
    /// All is well.
    Sound { file: String },
}

/// What to do about a ledger that is not as it must be.
const WAY_OUT: &str = "note: docsweep does not repair a ledger. Copy it before anything else; then put back an older \
                       copy, or save what can be read with `sqlite3 FILE .recover`, or move it away to begin a new \
                       one. The README says more.\n";

/// Where the configuration's ledger is: a relative path begins in systemd's state directory, where there is one, else
/// in the working directory.
pub(super) fn ledger_path(config: &Config) -> PathBuf {
    let LedgerUrl::Sqlite(path) = &config.daemon.ledger;
    in_state_directory(path, std::env::var_os("STATE_DIRECTORY").as_deref())
}

/// The variable may list several folders, with colons between them.
fn in_state_directory(path: &Path, variable: Option<&OsStr>) -> PathBuf {
    let first = variable.and_then(|list| std::env::split_paths(list).next());
    first.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_default().join(path)
}

/// Opens the configuration's ledger to write it. Nobody else may, until it is dropped.
pub fn open_ledger(config: &Config) -> Result<SqliteLedger, LedgerError> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
    let boot = boot.map(|id| id.trim().to_owned());
    let process = ProcessId { pid: std::process::id(), started: SystemClock.now(), boot };
    SqliteLedger::open(&ledger_path(config), &process)
}

/// Opens the configuration's ledger beside whoever writes it.
pub(super) fn reader(config: &Config) -> Result<LedgerReader, LedgerError> {
    LedgerReader::open(&ledger_path(config))
}

/// An outcome, and why.
pub(super) fn said(row: &Row) -> String {
    let why = row.failure.as_deref().or(row.reason.as_deref());
    why.map_or_else(|| row.outcome.clone(), |why| format!("{}: {why}", row.outcome))
}

pub(super) fn run(path: &Path, command: LedgerCommand) -> anyhow::Result<Exit> {
    match command {
        LedgerCommand::Check { file, output } => check(path, file, output),
    }
}

fn check(path: &Path, file: Option<PathBuf>, output: Output) -> anyhow::Result<Exit> {
    let file = match file {
        Some(file) => file,
        None => ledger_path(&load(path)?),
    };
    let problems = match LedgerReader::open(&file).and_then(|reader| reader.check()) {
        Ok(problems) => problems,
        // Its own words would send the reader here.
        Err(LedgerError::Corrupt { detail, .. }) => vec![detail],
        Err(error) if output.json => {
            output::object(&Finding::Unreadable { message: error.to_string() })?;
            return Ok(Exit::Unexpected);
        }
        Err(error) => return Err(error.into()),
    };
    tell(&file, &problems, output)?;
    Ok(if problems.is_empty() { Exit::Ok } else { Exit::Unexpected })
}

fn tell(file: &Path, problems: &[String], output: Output) -> anyhow::Result<()> {
    let name = file.display();
    match (problems, output.json) {
        ([], true) => output::object(&Finding::Sound { file: name.to_string() }),
        ([], false) => output::text(&format!("{name}: no problems\n")),
        (_, true) => problems.iter().try_for_each(|message| output::object(&Finding::Problem { message })),
        (_, false) => {
            problems.iter().try_for_each(|problem| output::text(&format!("{name}: {problem}\n")))?;
            output::complain(WAY_OUT);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_path_begins_in_the_state_directory() {
        let place = |path: &str, variable: Option<&str>| {
            in_state_directory(Path::new(path), variable.map(OsStr::new)).display().to_string()
        };
        assert_eq!(place("docsweep.db", None), "docsweep.db");
        assert_eq!(place("docsweep.db", Some("")), "docsweep.db");
        assert_eq!(place("docsweep.db", Some("/var/lib/docsweep")), "/var/lib/docsweep/docsweep.db");
        assert_eq!(place("a/b.db", Some("/var/lib/one:/var/lib/two")), "/var/lib/one/a/b.db");
        assert_eq!(place("/srv/a.db", Some("/var/lib/docsweep")), "/srv/a.db");
    }
}
