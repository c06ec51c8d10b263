//! Where a portal's key comes from, and the key itself, which no `Debug`, log or error ever shows.
//!
//! A source is checked when the configuration is read; the key is read anew for each attempt, so that a rotated key
//! needs no restart. An error names the place that was tried, never what was found there.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};

/// The longest key that is read. An `sk-` key has 67 characters; a JWT may have some thousand.
const MAX_KEY: u64 = 16 * 1024;

/// How many of a key's characters in a row are too many to show.
const TELLING: usize = 8;

/// The permission bit that lets every user of the machine read a file.
pub const OTHERS_READ: u32 = 0o004;

/// A portal's key, or another text that a portal takes for one.
#[derive(Clone)]
pub struct ApiKey(Arc<SecretString>);

impl ApiKey {
    /// Checks a key's text: surrounding white space goes, and what is left must fit into an HTTP header.
    pub fn new(text: &str) -> Result<Self, KeyTextError> {
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() || text.eq_ignore_ascii_case("bearer") {
            return Err(KeyTextError::Empty);
        }
        if text.starts_with(['"', '\'']) {
            return Err(KeyTextError::Quoted);
        }
        if text.len() as u64 > MAX_KEY {
            return Err(KeyTextError::TooLong);
        }
        if text.lines().count() > 1 {
            return Err(KeyTextError::SeveralLines);
        }
        if !text.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) {
            return Err(KeyTextError::NotAscii);
        }
        Ok(Self(Arc::new(SecretString::from(text))))
    }

    /// The key's text. The only use for it is the `Authorization` header.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// A text from elsewhere with whatever it shows of this key taken out. A portal, or a gateway that is set to debug,
    /// can answer with the very headers that it was sent, cut anywhere and in letters of either case: so any
    /// eight characters in a row that are the key's go.
    pub fn conceal(&self, text: &str) -> String {
        let key = self.expose().to_ascii_lowercase();
        let lower = text.to_ascii_lowercase();
        let width = TELLING.min(key.len());
        let mut hidden = vec![false; text.len()];
        for (at, part) in lower.as_bytes().windows(width).enumerate() {
            if key.as_bytes().windows(width).any(|window| window == part) {
                hidden.iter_mut().skip(at).take(width).for_each(|byte| *byte = true);
            }
        }
        let mut clean = String::with_capacity(text.len());
        let mut before = false;
        // A key is ASCII, so a character is hidden in whole or not at all.
        for (at, c) in text.char_indices() {
            let now = hidden.get(at).copied().unwrap_or_default();
            match (before, now) {
                (_, false) => clean.push(c),
                (false, true) => clean.push_str("(hidden)"),
                (true, true) => {}
            }
            before = now;
        }
        clean
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(hidden)")
    }
}

/// Why a text is no key. The text itself is never part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyTextError {
    /// Nothing but white space.
    #[error("it is empty")]
    Empty,
    /// The key in quotes, which would be sent with it.
    #[error("it begins with a quotation mark: write the key alone")]
    Quoted,
    /// More than 16 KiB.
    #[error("it is longer than 16 KiB")]
    TooLong,
    /// A file of several keys, or a key broken by an editor.
    #[error("it has more than one line")]
    SeveralLines,
    /// A character that no HTTP header may carry.
    #[error("it holds a character that an HTTP header cannot carry")]
    NotAscii,
}

/// Where a key is read from.
#[derive(Clone)]
pub enum ApiKeySource {
    /// A file, which others than its owner and group must not be able to read.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// A systemd credential: a file of this name in `$CREDENTIALS_DIRECTORY`.
    Credential(String),
    /// Written in the configuration itself.
    Literal(ApiKey),
}

impl fmt::Debug for ApiKeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for ApiKeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::Credential(name) => write!(f, "systemd credential {name}"),
            Self::Literal(_) => f.write_str("literal (hidden)"),
        }
    }
}

/// Why a key could not be read.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file could not be read.
    #[error("cannot read the key file {}: {reason}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
    /// It is a folder, a pipe or a device, and reading one may never end.
    #[error("the key file {} is no regular file", path.display())]
    NoFile {
        /// What was named.
        path: PathBuf,
    },
    /// The file's mode lets everybody read it.
    #[error("the key file {} can be read by every user of this machine (mode {mode:04o}): chmod o-rwx it", path.display())]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The variable is not set, or is no UTF-8.
    #[error("the environment variable {0} is not set")]
    NoVariable(String),
    /// The process was not started by systemd with credentials.
    #[error(
        "no systemd credential {0}: $CREDENTIALS_DIRECTORY is not set, so systemd passed none to this process"
    )]
    NoCredentials(String),
    /// What was found is no key.
    #[error("what {place} holds is no key: {reason}")]
    Text {
        /// Where it was found.
        place: String,
        /// What is wrong with it.
        reason: KeyTextError,
    },
}

impl ApiKeySource {
    /// Reads the key. This touches the file system: keep it off the runtime's worker threads.
    pub fn read(&self) -> Result<ApiKey, KeyError> {
        let text = match self {
            Self::Literal(key) => return Ok(key.clone()),
            Self::File(path) => read_private(path)?,
            Self::Env(name) => std::env::var(name).map_err(|_| KeyError::NoVariable(name.clone()))?,
            Self::Credential(name) => {
                let directory = std::env::var_os("CREDENTIALS_DIRECTORY")
                    .ok_or_else(|| KeyError::NoCredentials(name.clone()))?;
                read_credential(&Path::new(&directory).join(name))?
            }
        };
        ApiKey::new(&text).map_err(|reason| KeyError::Text { place: self.to_string(), reason })
    }
}

/// Reads a file that others must not be able to read.
fn read_private(path: &Path) -> Result<String, KeyError> {
    let (file, mode) = open_regular(path)?;
    if mode & OTHERS_READ != 0 {
        return Err(KeyError::Exposed { path: path.to_owned(), mode });
    }
    read_text(path, file)
}

/// A credential's mode is systemd's business: its folder is the service's own.
fn read_credential(path: &Path) -> Result<String, KeyError> {
    read_text(path, open_regular(path)?.0)
}

/// Opens a file, with its permission bits. What is no regular file is not even opened: opening a pipe may never end.
fn open_regular(path: &Path) -> Result<(File, u32), KeyError> {
    let unreadable = |reason| KeyError::Unreadable { path: path.to_owned(), reason };
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(KeyError::NoFile { path: path.to_owned() });
    }
    let file = File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o7777;
    Ok((file, mode))
}

fn read_text(path: &Path, file: File) -> Result<String, KeyError> {
    let mut text = String::new();
    let read = file.take(MAX_KEY + 1).read_to_string(&mut text);
    read.map_err(|reason| KeyError::Unreadable { path: path.to_owned(), reason })?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_surrounds_a_key_is_no_part_of_it() {
        assert_eq!(ApiKey::new("\u{feff} sk-1\r\n").unwrap().expose(), "sk-1");
        for (text, error) in [
            ("Bearer ", KeyTextError::Empty),
            (" \n", KeyTextError::Empty),
            ("\"sk-1\"", KeyTextError::Quoted),
            ("sk-1\nsk-2", KeyTextError::SeveralLines),
        ] {
            assert_eq!(ApiKey::new(text).unwrap_err(), error);
        }
    }

    #[test]
    fn a_text_is_shown_without_the_key() {
        let key = ApiKey::new("sk-0123456789abcdef").unwrap();
        for (text, shown) in [
            ("nothing of it", "nothing of it"),
            ("Bearer sk-0123456789abcdef: refused", "Bearer (hidden): refused"),
            ("SK-0123456789ABCDEF and 0123456789abcdef", "(hidden) and (hidden)"),
            ("cut: sk-0123456…", "cut: (hidden)…"),
            ("HTTP 502: 1234567", "HTTP 502: 1234567"),
            ("ä0123456789ä", "ä(hidden)ä"),
            ("", ""),
        ] {
            assert_eq!(key.conceal(text), shown);
        }
        assert_eq!(ApiKey::new("abc").unwrap().conceal("an abc"), "an (hidden)", "a short key goes as well");
    }
}
