//! The docsweep program: parses its command line, runs one command, and says how it ended.

use std::process::ExitCode;

use clap::Parser as _;
use docsweep::cli::Cli;
use docsweep::commands;

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => commands::run(cli).into(),
        Err(error) => {
            // Help and version are answers, not errors; clap knows which. A closed pipe is no failure of ours.
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            match error.print() {
                Ok(()) | Err(_) => ExitCode::from(code),
            }
        }
    }
}
