//! Reads a configuration file: the one place of this module that touches the file system.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::{Config, FileInfo, Problems};
use crate::keys::OTHERS_READ;

/// The largest file that is read: some hundred thousand portals.
const MAX_FILE: u64 = 64 * 1024 * 1024;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file could not be read.
    #[error("cannot read the configuration {}: {reason}\n{}", path.display(), advice(reason))]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// It is a folder, a device or a pipe.
    #[error("the configuration {} is no file\nname the file itself, with --config", path.display())]
    NoFile {
        /// What was named.
        path: PathBuf,
    },
    /// It is larger than 64 MiB.
    #[error("the configuration {} is larger than 64 MiB\nis this the file that you mean?", path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
    },
    /// It is no text.
    #[error("the configuration {} is no UTF-8 text (line {line})\nsave it as UTF-8", path.display())]
    NotText {
        /// Which file.
        path: PathBuf,
        /// The line of the first byte that is no text.
        line: usize,
    },
    /// It was read, and this is wrong with it.
    #[error(transparent)]
    Invalid(#[from] Problems),
}

fn advice(reason: &std::io::Error) -> &'static str {
    match reason.kind() {
        ErrorKind::NotFound => {
            "name another one with --config, or write one: `docsweep example-config` prints an example"
        }
        ErrorKind::PermissionDenied => "let the user that docsweep runs as read it",
        _ => "see that the path is right and the file system is there",
    }
}

impl Config {
    /// Reads and checks a file. This touches the file system: keep it off the runtime's worker threads.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let unreadable = |reason| LoadError::Unreadable { path: path.to_owned(), reason };
        // Asked before opening, because to open a pipe is to wait for its other end.
        if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
            return Err(LoadError::NoFile { path: path.to_owned() });
        }
        let file = File::open(path).map_err(unreadable)?;
        // The mode of what was opened, which the name may not stand for any more.
        let mode = file.metadata().map_err(unreadable)?.permissions().mode();
        let mut bytes = Vec::new();
        file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > MAX_FILE {
            return Err(LoadError::TooLarge { path: path.to_owned() });
        }
        let text = String::from_utf8(bytes).map_err(|error| LoadError::NotText {
            path: path.to_owned(),
            line: line_of(error.as_bytes(), error.utf8_error().valid_up_to()),
        })?;
        let info = FileInfo { path: path.to_owned(), readable_by_others: mode & OTHERS_READ != 0 };
        Ok(Self::parse(&text, &info)?)
    }
}

fn line_of(bytes: &[u8], at: usize) -> usize {
    bytes.iter().take(at).filter(|&&byte| byte == b'\n').count() + 1
}
