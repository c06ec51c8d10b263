//! Parsers of single values: a TOML value in, a checked type or a [`Fault`] out.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::de::DeValue;

use super::known::nearest;
use super::problem::Problem;
use super::reader::listed;

/// What is wrong with one value.
pub(super) enum Fault {
    /// Another kind of value belongs here.
    Kind {
        /// What belongs here: `a duration`.
        expected: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// The kind is right, the value is not.
    Value {
        /// What is wrong, to be read after the key's name.
        message: String,
        /// What to write.
        help: Option<String>,
        /// The bytes of the string that are meant, if it is not the whole.
        part: Option<Range<usize>>,
    },
}

impl Fault {
    /// Another kind of value belongs here.
    pub(super) fn kind(expected: &'static str, found: &DeValue<'_>) -> Self {
        Self::Kind { expected, found: kind(found) }
    }

    /// The value is wrong; `message` is read after the key's name.
    pub(super) fn value(message: impl Into<String>) -> Self {
        Self::Value { message: message.into(), help: None, part: None }
    }

    /// What to write instead.
    pub(super) fn help(mut self, text: impl Into<String>) -> Self {
        if let Self::Value { help, .. } = &mut self {
            *help = Some(text.into());
        }
        self
    }

    /// The bytes of the string that are meant, if it is not the whole.
    pub(super) fn part(&self) -> Option<Range<usize>> {
        match self {
            Self::Value { part, .. } => part.clone(),
            Self::Kind { .. } => None,
        }
    }

    /// The problem that this is at its place.
    pub(super) fn into_problem(self, key: &str, span: Range<usize>, example: &str) -> Problem {
        match self {
            Self::Kind { expected, found } => {
                Problem::new(span, format!("`{key}` must be {expected}, not {found}"))
                    .label(format!("expected {expected}"))
                    .help(format!("write, for example, `{example}`"))
            }
            Self::Value { message, help, .. } => Problem::new(span, format!("`{key}`: {message}"))
                .help(help.unwrap_or_else(|| format!("write, for example, `{example}`"))),
        }
    }
}

/// What a value is, for a message.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A string's text, shortened and made printable for a message.
pub(super) fn quote(text: &str) -> String {
    const LONGEST: usize = 60;
    let short: String = text.chars().take(LONGEST).collect();
    let dots = if text.chars().nth(LONGEST).is_some() { "…" } else { "" };
    format!("`{}{dots}`", short.escape_debug())
}

/// A string.
pub(super) fn text<'v>(value: &'v DeValue<'_>, expected: &'static str) -> Result<&'v str, Fault> {
    value.as_str().ok_or_else(|| Fault::kind(expected, value))
}

/// `true` or `false`.
pub(super) fn boolean(value: &DeValue<'_>) -> Result<bool, Fault> {
    if let Some("true" | "false") = value.as_str() {
        return Err(Fault::value("this is a string, not a truth value").help("write it without the quotes"));
    }
    value.as_bool().ok_or_else(|| Fault::kind("true or false", value))
}

/// A whole number within bounds.
pub(super) fn integer(bounds: RangeInclusive<u32>) -> impl FnOnce(&DeValue<'_>) -> Result<u32, Fault> {
    move |value| {
        let number = value.as_integer().ok_or_else(|| Fault::kind("a whole number", value))?;
        let parsed = i128::from_str_radix(number.as_str(), number.radix()).ok();
        let fits =
            parsed.and_then(|number| u32::try_from(number).ok()).filter(|number| bounds.contains(number));
        fits.ok_or_else(|| {
            let (least, most) = (bounds.start(), bounds.end());
            let small = parsed.is_some_and(|number| number < i128::from(*least));
            Fault::value(format!("{number} is too {}", if small { "small" } else { "large" }))
                .help(format!("write a whole number from {least} to {most}"))
        })
    }
}

/// A duration within bounds.
pub(super) fn duration(
    bounds: RangeInclusive<Duration>,
) -> impl FnOnce(&DeValue<'_>) -> Result<Duration, Fault> {
    move |value| {
        let text = text(value, "a duration such as \"30s\"")?;
        let parsed = humantime::parse_duration(text).map_err(|error| {
            Fault::value(format!("{} is no duration: {error}", quote(text)))
                .help("write numbers with their units, such as \"30s\", \"5m\" or \"1h 30m\"")
        })?;
        if bounds.contains(&parsed) {
            return Ok(parsed);
        }
        let (least, most) = (bounds.start(), bounds.end());
        let wrong = if parsed.is_zero() {
            "it cannot be zero".to_owned()
        } else {
            format!("{} is too {}", quote(text), if parsed < *least { "short" } else { "long" })
        };
        let most = humantime::format_duration(*most);
        let help = match *least <= Duration::from_millis(1) {
            true if least.is_zero() => format!("write at most \"{most}\""),
            true => format!("write more than zero, and at most \"{most}\""),
            false => {
                format!("write a duration from \"{}\" to \"{most}\"", humantime::format_duration(*least))
            }
        };
        Err(Fault::value(wrong).help(help))
    }
}

/// One of a few words.
pub(super) fn choice<T: Copy>(
    expected: &'static str,
    choices: &[(&'static str, T)],
) -> impl FnOnce(&DeValue<'_>) -> Result<T, Fault> {
    move |value| {
        let text = text(value, expected)?;
        let found = choices.iter().find(|(name, _)| *name == text);
        found.map(|(_, choice)| *choice).ok_or_else(|| {
            let names = || choices.iter().map(|(name, _)| *name);
            let fault = Fault::value(format!("{} is not one of {}", quote(text), listed(names())));
            match nearest(text, names()) {
                Some(near) => fault.help(format!("did you mean \"{near}\"?")),
                None => fault,
            }
        })
    }
}

/// A string that a type of its own checks.
pub(super) fn checked<T, E: Display>(
    expected: &'static str,
    check: impl FnOnce(&str) -> Result<T, E>,
) -> impl FnOnce(&DeValue<'_>) -> Result<T, Fault> {
    move |value| check(text(value, expected)?).map_err(|error| Fault::value(error.to_string()))
}
