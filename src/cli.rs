//! The command line: what can be typed, and its help.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Where the configuration is, if nobody says otherwise.
const DEFAULT_CONFIG: &str = "/etc/docsweep/config.toml";

/// Deletes the backup history of many ONLYOFFICE DocSpace portals, on schedules, and proves what happened.
///
/// Deleting a history deletes the backup files themselves.
#[derive(Debug, Parser)]
#[command(name = "docsweep", version, max_term_width = 100)]
pub struct Cli {
    /// The configuration file; else `$DOCSWEEP_CONFIG`, else /etc/docsweep/config.toml.
    #[arg(long, short, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// The configuration file: as it was typed, else the environment's, else the usual one.
    pub fn config(&self) -> PathBuf {
        let variable =
            || std::env::var_os("DOCSWEEP_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
        self.config.clone().or_else(variable).unwrap_or_else(|| PathBuf::from(DEFAULT_CONFIG))
    }
}

/// What docsweep can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Sweep every portal on its schedule, until told to stop (the daemon).
    Run,
    /// Delete backup histories now, exactly as at a slot of the schedule.
    Sweep {
        /// Which portals; none named: every enabled one.
        #[arg(value_name = "PORTAL")]
        portals: Vec<String>,
        /// Delete nothing: show what would go and what would stay.
        #[arg(long)]
        dry_run: bool,
        /// How results are printed.
        #[command(flatten)]
        output: Output,
    },
    /// Show what a sweep would delete, and why, and delete nothing (the same as `sweep --dry-run`).
    Plan {
        /// Which portals; none named: every enabled one.
        #[arg(value_name = "PORTAL")]
        portals: Vec<String>,
        /// Decide as of another time: 2026-12-24T03:00:00Z, or without an offset in UTC.
        #[arg(long, value_name = "TIME", value_parser = instant)]
        at: Option<Timestamp>,
        /// How results are printed.
        #[command(flatten)]
        output: Output,
    },
    /// Check the configuration file, and report every problem that it has.
    Check {
        /// How results are printed.
        #[command(flatten)]
        output: Output,
    },
    /// Show the effective configuration: every value as it applies to every portal, secrets hidden.
    ShowConfig {
        /// How results are printed.
        #[command(flatten)]
        output: Output,
    },
    /// Print an example configuration: every key with its default.
    ExampleConfig,
    /// Show the upcoming slots.
    Next {
        /// How many slots.
        #[arg(short = 'n', long = "number", value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        number: u32,
        /// Only those of these portals.
        #[arg(value_name = "PORTAL")]
        portals: Vec<String>,
        /// How results are printed.
        #[command(flatten)]
        output: Output,
    },
}

/// How results are printed.
#[derive(Debug, Clone, Copy, Args)]
pub struct Output {
    /// Print one JSON object a line on stdout.
    #[arg(long)]
    pub json: bool,
}

/// An instant with an offset, or without one in UTC.
fn instant(text: &str) -> Result<Timestamp, String> {
    let civil = |text: &str| Some(text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp());
    let instant = text.parse().ok().or_else(|| civil(text));
    instant
        .ok_or_else(|| "write a time such as 2026-12-24T03:00:00Z, or a date such as 2026-12-24".to_owned())
}
