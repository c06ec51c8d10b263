//! The command line: what can be typed, and its help.

mod time;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use jiff::Timestamp;

pub use time::Since;
use time::{instant, since};

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
        /// With --dry-run: decide as of another time.
        #[arg(long, value_name = "TIME", requires = "dry_run", value_parser = time::instant)]
        at: Option<Timestamp>,
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
    /// Show where each portal stands: its last sweep, its next slot, and what a person should do.
    ///
    /// Reads the ledger, also while the daemon runs. Ends with 0 whatever the portals' sweeps came to.
    Status {
        /// Which portals; none named: all of the configuration, and then those that only the ledger knows.
        #[arg(value_name = "PORTAL")]
        portals: Vec<String>,
        /// How results are printed.
        #[command(flatten)]
        output: Output,
    },
    /// Show past sweeps, the newest last.
    ///
    /// They stand in the order in which they were begun; missed slots, where they were noticed. Reads the ledger, also while the daemon runs.
    History {
        /// Only those of this portal.
        #[arg(value_name = "PORTAL")]
        portal: Option<String>,
        /// Only what is not older: a time (without an offset in UTC), or how long ago, such as 7d.
        #[arg(long, value_name = "TIME|DURATION", value_parser = since)]
        since: Option<Since>,
        /// Only what failed or was left partial.
        #[arg(long)]
        failed: bool,
        /// Only what deleted something, with each backup that was removed.
        #[arg(long)]
        deleted: bool,
        /// At most so many, the newest ones.
        #[arg(short = 'n', long = "number", value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
        number: u32,
        /// How results are printed.
        #[command(flatten)]
        output: Output,
    },
    /// Explain what happened at a portal's slots around a time, or why nothing did.
    ///
    /// Reads the ledger, also while the daemon runs.
    Why {
        /// Which portal.
        #[arg(value_name = "PORTAL")]
        portal: String,
        /// Around when: 2026-12-24T03:00:00Z, or without an offset in UTC; by default the last slot before now.
        #[arg(value_name = "TIME", value_parser = instant)]
        time: Option<Timestamp>,
        /// How results are printed.
        #[command(flatten)]
        output: Output,
    },
    /// Look after the ledger.
    Ledger {
        /// What to do with it.
        #[command(subcommand)]
        command: LedgerCommand,
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

/// What docsweep can do with its ledger.
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Read the whole ledger, and report whatever is wrong with it; nothing is written.
    ///
    /// Ends with 0 if all is well, else with 1.
    Check {
        /// Which file; by default the configuration's ledger.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
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
