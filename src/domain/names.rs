//! The names that an operator gives to things.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// The longest name: it must fit a DNS label, a metric's label and a file name alike.
const MAX_NAME: usize = 63;

/// A portal's name in the configuration: `[a-z0-9][a-z0-9._-]{0,62}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct PortalName(Arc<str>);

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It has no characters.
    #[error("a name cannot be empty")]
    Empty,
    /// It has more than 63 characters.
    #[error("a name has at most 63 characters, this one has {0}")]
    TooLong(usize),
    /// It begins with something else than a small letter or a digit.
    #[error("a name begins with a small letter or a digit, not with {0:?}")]
    Start(char),
    /// It holds a character that no name may hold.
    #[error("a name cannot hold {0:?}")]
    Character(char),
}

impl PortalName {
    /// Checks a name.
    pub fn new(name: &str) -> Result<Self, NameError> {
        let first = name.chars().next().ok_or(NameError::Empty)?;
        let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        if !letter(first) {
            return Err(NameError::Start(first));
        }
        if let Some(bad) = name.chars().find(|&c| !letter(c) && !matches!(c, '.' | '_' | '-')) {
            return Err(NameError::Character(bad));
        }
        match name.len() {
            length if length > MAX_NAME => Err(NameError::TooLong(length)),
            _ => Ok(Self(name.into())),
        }
    }

    /// The name's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for PortalName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PortalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The DocSpace server that a portal lives on. Portals with the same server share `per_server` and a 429's pause.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct ServerName(Arc<str>);

impl ServerName {
    /// A server's name: any text, trimmed; by default the host of the portal's URL.
    pub fn new(name: &str) -> Result<Self, NameError> {
        match name.trim() {
            "" => Err(NameError::Empty),
            trimmed => Ok(Self(trimmed.into())),
        }
    }

    /// The name's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a schedule is called in records: its name, or the cron expression where it was written inline.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct ScheduleLabel(Arc<str>);

impl ScheduleLabel {
    /// A label for records.
    pub fn new(label: &str) -> Self {
        Self(label.into())
    }

    /// The label's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ScheduleLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_follows_its_rule() {
        for good in ["a", "0", "acme", "acme-2.eu_west", &"a".repeat(63)] {
            assert_eq!(PortalName::new(good).unwrap().as_str(), good);
        }
        assert_eq!(PortalName::new(""), Err(NameError::Empty));
        assert_eq!(PortalName::new("-a"), Err(NameError::Start('-')));
        assert_eq!(PortalName::new("Acme"), Err(NameError::Start('A')));
        assert_eq!(PortalName::new("ac me"), Err(NameError::Character(' ')));
        assert_eq!(PortalName::new(&"a".repeat(64)), Err(NameError::TooLong(64)));
    }
}
