//! The configuration: text → raw → valid, with every problem of the file in one pass.
//!
//! [`Config::parse`] reads nothing but the system's time zones. The text is parsed with recovery, so that syntax errors, unknown keys, wrong types
//! and bad values are all found together; `raw` checks each value by itself, `validate` resolves defaults and
//! inheritance, and `cross` holds the rules between portals. What comes out has no `Option` that means "inherit".
//! A key in the file never appears in a message, a snippet or `Debug`: see `mask`.

use std::path::{Path, PathBuf};

use toml::de::DeTable;

mod cross;
mod filter;
mod keep;
mod known;
mod ledger;
mod load;
mod mask;
mod problem;
mod raw;
mod reader;
mod schedules;
mod show;
mod source;
mod types;
mod validate;
mod value;

pub(crate) use known::nearest;
pub use ledger::{LedgerUrl, LedgerUrlError};
pub use load::LoadError;
pub use problem::{Problem, ProblemView, Problems};
pub use show::{
    DaemonView, KeepView, KeyView, LogView, PortalView, RetryView, SafetyView, ScheduleRefView, ScheduleView,
    View,
};
pub use types::{Config, Daemon, Log, LogFormat, Portal, ProxyUrl, ProxyUrlError, Safety, Schedule};

/// What is known of a configuration file besides its text.
#[derive(Debug, Clone)]
pub struct FileInfo {
    /// Its path, which messages name and whose folder relative paths begin in.
    pub path: PathBuf,
    /// Whether every user of the machine can read it. Then it may hold no key.
    pub readable_by_others: bool,
}

impl Config {
    /// Checks a configuration. A schedule that never fires can take 100 ms of CPU to find out: keep this off the
    /// runtime's worker threads.
    pub fn parse(text: &str, file: &FileInfo) -> Result<Self, Problems> {
        let name = file.path.display().to_string();
        let folder = file.path.parent().unwrap_or(Path::new(""));
        let (root, errors) = DeTable::parse_recoverable(text);
        let mut reader = reader::Reader::new(text);
        reader.problems.extend(errors.iter().map(|error| syntax(error, text)));
        let raw = raw::file(&mut reader, root.get_ref(), folder);
        let config = validate::resolve(&raw, text.len(), &mut reader.problems);
        if file.readable_by_others {
            cross::private_literals(&raw, &name, &mut reader.problems);
        }
        match config {
            Some(config) if reader.problems.is_empty() => Ok(config),
            _ => Err(Problems::new(name, text, &reader.marks, reader.problems)),
        }
    }
}

fn syntax(error: &toml::de::Error, text: &str) -> Problem {
    let span = error.span().unwrap_or(text.len()..text.len());
    let is_word = text.get(span.clone()).is_some_and(|value| value.starts_with(char::is_alphabetic));
    let message = match error.message() {
        // The parser takes `nightly` for a beginning of `nan`.
        message if is_word && message.starts_with("invalid float") => "string values must be quoted",
        message => message,
    };
    match message {
        "duplicate key" => Problem::syntax(span, "this key was given before").help("keep one of the two"),
        message => Problem::syntax(span, format!("this is no TOML: {message}")).help(advice(message)),
    }
}

/// What to do about the slips that people make most.
fn advice(message: &str) -> &'static str {
    match message {
        _ if message.starts_with("string values must be quoted") => "put the value in double quotes",
        _ if message.starts_with("invalid basic string") => {
            "close the string with a double quote, on the same line"
        }
        _ if message.starts_with("invalid multi-line") => {
            "close the string with three quotes, like those it begins with"
        }
        _ if message.starts_with("unclosed") => "close the bracket",
        _ if message.starts_with("key with no value") => "write `key = value`, or `#` before a comment",
        _ if message.starts_with("unexpected key or value") => {
            "begin a new line here, or write `#` before a comment"
        }
        _ => "see https://toml.io for what TOML looks like",
    }
}
