//! Where the ledger is, as the file says it.

use std::fmt;
use std::path::{Path, PathBuf};

use toml::de::DeValue;

use super::value::{Fault, text};

/// The one scheme.
const SQLITE: &str = "sqlite:";

/// Where the ledger is. A relative path is still relative: what it begins in is the environment's business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerUrl {
    /// `sqlite:PATH`: one SQLite file.
    Sqlite(PathBuf),
}

/// Why a text names no ledger. The text itself, which may hold a password, is never part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LedgerUrlError {
    /// It has no scheme, or one that docsweep does not know.
    #[error("it does not begin with `sqlite:`, and there is no other kind of ledger")]
    Scheme,
    /// Nothing comes after the scheme.
    #[error("it names no file")]
    NoFile,
    /// `sqlite://…`: of `sqlite://a/b`, some programs take `/b` for the path, and some `a/b`.
    #[error("a path comes right after `sqlite:`, without two slashes")]
    Slashes,
    /// The path ends in a slash, or in `..`.
    #[error("the path names a folder")]
    Folder,
    /// `sqlite::memory:`, or something else that only SQLite would know.
    #[error("the ledger is a file: one in memory would be forgotten with the process")]
    Memory,
    /// `?mode=…`.
    #[error("a ledger takes no options, and a `?` would begin some")]
    Options,
    /// A character that no path should hold.
    #[error("the path holds a control character")]
    Control,
}

impl LedgerUrl {
    /// Checks a text.
    pub fn parse(text: &str) -> Result<Self, LedgerUrlError> {
        let path = text.strip_prefix(SQLITE).ok_or(LedgerUrlError::Scheme)?;
        match path {
            _ if path.trim().is_empty() => Err(LedgerUrlError::NoFile),
            _ if path.starts_with(':') => Err(LedgerUrlError::Memory),
            _ if path.starts_with("//") => Err(LedgerUrlError::Slashes),
            _ if path.contains('?') => Err(LedgerUrlError::Options),
            _ if path.contains(char::is_control) => Err(LedgerUrlError::Control),
            _ if path.ends_with('/') || Path::new(path).file_name().is_none() => Err(LedgerUrlError::Folder),
            _ => Ok(Self::Sqlite(path.into())),
        }
    }
}

impl fmt::Display for LedgerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "{SQLITE}{}", path.display()),
        }
    }
}

/// Reads `ledger`.
pub(super) fn url(value: &DeValue<'_>) -> Result<LedgerUrl, Fault> {
    let written = text(value, "a text such as \"sqlite:docsweep.db\"")?;
    LedgerUrl::parse(written).map_err(|error| {
        Fault::value(error.to_string()).help(
            "write \"sqlite:\" and the path of a file, such as \"sqlite:/var/lib/docsweep/docsweep.db\"",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_shown_as_it_was_written() {
        for text in ["sqlite:docsweep.db", "sqlite:/var/lib/docsweep/a.db", "sqlite:../x", "sqlite:a b.db"] {
            assert_eq!(LedgerUrl::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_ledger_is_a_file() {
        let cases = [
            ("", LedgerUrlError::Scheme),
            ("docsweep.db", LedgerUrlError::Scheme),
            ("SQLITE:a.db", LedgerUrlError::Scheme),
            ("postgres://docsweep@db/docsweep", LedgerUrlError::Scheme),
            ("sqlite:", LedgerUrlError::NoFile),
            ("sqlite: ", LedgerUrlError::NoFile),
            ("sqlite::memory:", LedgerUrlError::Memory),
            ("sqlite:///var/lib/a.db", LedgerUrlError::Slashes),
            ("sqlite:/var/lib/docsweep/", LedgerUrlError::Folder),
            ("sqlite:..", LedgerUrlError::Folder),
            ("sqlite:.", LedgerUrlError::Folder),
            ("sqlite:a.db?mode=ro", LedgerUrlError::Options),
            ("sqlite:a\nb", LedgerUrlError::Control),
        ];
        for (text, error) in cases {
            assert_eq!(LedgerUrl::parse(text), Err(error), "{text}");
        }
    }
}
