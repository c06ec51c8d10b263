//! Walks a parsed TOML document and notes every problem on the way, instead of stopping at the first.
//!
//! A section is opened with the table of the keys it knows, which is what tells an unknown key. A value is read by
//! a parser of [`value`](super::value). What is read is marked as visible or hidden for printing (see
//! [`mask`](super::mask)).

use std::collections::HashMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::known::{self, API_KEY, Known, nearest};
use super::mask::{self, Marks};
use super::problem::Problem;
use super::value::{Fault, quote};
use crate::cron::{Cron, CronError, Zone, ZoneError};

/// A value and the bytes that it was read from.
#[derive(Clone)]
pub(super) struct At<T> {
    pub(super) span: Range<usize>,
    pub(super) value: T,
}

/// What a section holds for a key.
#[derive(Clone, Default)]
pub(super) enum Field<T> {
    /// Nothing.
    #[default]
    Absent,
    /// Something wrong, which has been reported.
    Bad,
    /// A checked value.
    Good(At<T>),
}

impl<T> Field<T> {
    /// This field, or the one it inherits from.
    pub(super) fn or<'a>(&'a self, inherited: &'a Self) -> &'a Self {
        if matches!(self, Self::Absent) { inherited } else { self }
    }

    /// The value, if it is there and right.
    pub(super) fn good(&self) -> Option<&At<T>> {
        match self {
            Self::Good(at) => Some(at),
            Self::Absent | Self::Bad => None,
        }
    }

    /// The value, or the default where nothing was written. `None`: the problem has been reported.
    pub(super) fn settle(&self, default: T) -> Option<T>
    where
        T: Clone,
    {
        match self {
            Self::Good(at) => Some(at.value.clone()),
            Self::Absent => Some(default),
            Self::Bad => None,
        }
    }
}

/// A table of the file together with the keys that it may hold.
pub(super) struct Section<'t> {
    /// How messages call it: `[daemon]`.
    pub(super) title: String,
    /// Its header, or its braces.
    pub(super) span: Range<usize>,
    table: &'t DeTable<'t>,
    known: &'static [Known],
}

impl<'t> Section<'t> {
    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.table.get(key)
    }

    /// Everything in the table, in file order.
    pub(super) fn entries(&self) -> Vec<(&'t str, Range<usize>, &'t Spanned<DeValue<'t>>)> {
        in_file_order(self.table)
    }

    fn example(&self, key: &str) -> String {
        let example = self.known.iter().find(|known| known.name == key).map_or("…", |known| known.example);
        format!("{key} = {example}")
    }
}

/// Reads one document.
pub(super) struct Reader<'t> {
    text: &'t str,
    pub(super) problems: Vec<Problem>,
    pub(super) marks: Marks,
    // An expression costs 6 KB, and up to 100 ms if it never fires; a fleet has thousands of equal ones.
    crons: HashMap<String, Result<Cron, CronError>>,
    zones: HashMap<String, Result<Zone, ZoneError>>,
}

impl<'t> Reader<'t> {
    /// A reader of this text.
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            problems: Vec::new(),
            marks: Marks::default(),
            crons: HashMap::new(),
            zones: HashMap::new(),
        }
    }

    /// Opens a table whose keys are known, and reports those that are not.
    pub(super) fn open(
        &mut self,
        title: impl Into<String>,
        span: Range<usize>,
        table: &'t DeTable<'t>,
        known: &'static [Known],
    ) -> Section<'t> {
        let section = Section { title: title.into(), span, table, known };
        for (key, at, value) in section.entries() {
            if known.iter().any(|known| known.name == key) {
                self.mark_known(key, at, value);
            } else {
                self.unknown(&section, key, at, value);
            }
        }
        section
    }

    /// Opens the table that a key holds. `None`: the key is absent, or what it holds has been reported.
    pub(super) fn child(
        &mut self,
        section: &Section<'t>,
        key: &'static str,
        title: impl Into<String>,
        known: &'static [Known],
    ) -> Option<Section<'t>> {
        let value = section.get(key)?;
        match value.get_ref() {
            DeValue::Table(table) => Some(self.open(title, value.span(), table, known)),
            other => {
                let fault = Fault::kind("a table", other);
                self.report(section, key, value.span(), fault);
                None
            }
        }
    }

    /// Reads the value of a key.
    pub(super) fn read<T>(
        &mut self,
        section: &Section<'t>,
        key: &'static str,
        parse: impl FnOnce(&DeValue<'_>) -> Result<T, Fault>,
    ) -> Field<T> {
        let Some(value) = section.get(key) else { return Field::Absent };
        self.read_value(section, key, value, parse)
    }

    /// Reads a value that is at hand.
    pub(super) fn read_value<T>(
        &mut self,
        section: &Section<'t>,
        key: &str,
        value: &'t Spanned<DeValue<'t>>,
        parse: impl FnOnce(&DeValue<'_>) -> Result<T, Fault>,
    ) -> Field<T> {
        match parse(value.get_ref()) {
            Ok(good) => Field::Good(At { span: value.span(), value: good }),
            Err(fault) => {
                let span = fault.part().and_then(|part| self.part(value, part)).unwrap_or(value.span());
                self.report(section, key, span, fault);
                Field::Bad
            }
        }
    }

    /// Reports a value.
    pub(super) fn report(&mut self, section: &Section<'t>, key: &str, span: Range<usize>, fault: Fault) {
        let problem = fault.into_problem(key, span, &section.example(key));
        self.problems.push(problem);
    }

    /// Reports that a section lacks a key that it must have.
    pub(super) fn missing(&mut self, section: &Section<'t>, key: &'static str) {
        let problem = Problem::absence(section.span.clone(), format!("{} has no `{key}`", section.title))
            .label(format!("`{key}` is missing here"))
            .help(format!("add `{}`", section.example(key)));
        self.problems.push(problem);
    }

    /// Parses a cron expression, each text once.
    pub(super) fn cron(&mut self, text: &str) -> Result<Cron, CronError> {
        self.crons.entry(text.to_owned()).or_insert_with(|| Cron::parse(text)).clone()
    }

    /// Looks up a time zone, each name once.
    pub(super) fn zone(&mut self, name: &str) -> Result<Zone, ZoneError> {
        self.zones.entry(name.to_owned()).or_insert_with(|| Zone::parse(name)).clone()
    }

    /// The bytes of a part of a string, if the string is written in the file just as it reads.
    fn part(&self, value: &Spanned<DeValue<'_>>, part: Range<usize>) -> Option<Range<usize>> {
        let written = self.text.get(value.span())?;
        let read = value.get_ref().as_str()?;
        let start = value.span().start + written.find(read)?;
        (part.start <= part.end && part.end <= read.len()).then_some(start + part.start..start + part.end)
    }

    fn mark_known(&mut self, key: &str, at: Range<usize>, value: &'t Spanned<DeValue<'t>>) {
        self.marks.show(at);
        match value.get_ref() {
            DeValue::Table(_) => {}
            _ if key == API_KEY => self.marks.hide(value.span()),
            DeValue::Array(_) => {}
            _ => self.marks.show(value.span()),
        }
        if matches!(key, "proxy" | "url" | "ledger") {
            self.hide_user(value);
        }
    }

    /// Marks the value of a key that docsweep knows, or that is like one.
    pub(super) fn mark_entry(&mut self, key: &str, value: &'t Spanned<DeValue<'t>>) {
        let is_composite = matches!(value.get_ref(), DeValue::Table(_) | DeValue::Array(_));
        if mask::is_secret_key(key) || is_composite {
            self.hide_texts(value);
        } else {
            self.marks.show(value.span());
        }
    }

    /// Hides what an address has before its `@`, however broken it is.
    fn hide_user(&mut self, value: &Spanned<DeValue<'_>>) {
        let written = self.text.get(value.span()).unwrap_or_default();
        let Some(end) = written.rfind('@') else { return };
        let begin = written.find("://").map_or(1, |scheme| scheme + 3);
        if begin < end {
            let start = value.span().start;
            self.marks.hide(start + begin..start + end);
        }
    }

    fn unknown(
        &mut self,
        section: &Section<'t>,
        key: &str,
        at: Range<usize>,
        value: &'t Spanned<DeValue<'t>>,
    ) {
        let here = || section.known.iter().map(|known| known.name);
        let near = nearest(key, here());
        let in_key = section.title == known::KEY_TITLE;
        let is_odd = mask::is_opaque(key) || (in_key && near.is_none());
        if is_odd {
            self.marks.hide(at.clone());
        } else {
            self.marks.show(at.clone());
        }
        if near.is_none() && elsewhere(key).is_none() {
            self.hide_texts(value);
        } else {
            self.mark_entry(key, value);
        }
        let message = if is_odd {
            format!("unknown key in {}", section.title)
        } else {
            format!("unknown key {} in {}", quote(key), section.title)
        };
        let help = match (near, elsewhere(key)) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, Some(title)) => format!("`{key}` belongs into {title}"),
            (None, None) => format!("the keys known here are {}", listed(here())),
        };
        self.problems.push(Problem::new(at, message).label("not a key that docsweep knows").help(help));
    }

    /// Hides every text in a value that nobody understands.
    fn hide_texts(&mut self, value: &'t Spanned<DeValue<'t>>) {
        match value.get_ref() {
            DeValue::Table(table) => table.iter().for_each(|(_, value)| self.hide_texts(value)),
            DeValue::Array(array) => array.iter().for_each(|value| self.hide_texts(value)),
            DeValue::Boolean(_) => {}
            // A short number is no key, and a line of which nothing is left to read helps nobody.
            DeValue::Integer(_) | DeValue::Float(_) if value.span().len() < 6 => {}
            _ => self.marks.hide(value.span()),
        }
    }
}

/// The section that knows a key, for a key that stands in another.
fn elsewhere(key: &str) -> Option<&'static str> {
    let sections = known::sections();
    let found = sections.iter().find(|(_, keys)| keys.iter().any(|known| known.name == key));
    found.map(|(title, _)| *title)
}

/// Names for a message: `` `a`, `b` and `c` ``.
pub(super) fn listed<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

/// The entries of a table in file order; toml keeps them by name.
pub(super) fn in_file_order<'t>(
    table: &'t DeTable<'t>,
) -> Vec<(&'t str, Range<usize>, &'t Spanned<DeValue<'t>>)> {
    let mut entries: Vec<_> =
        table.iter().map(|(key, value)| (key.get_ref().as_ref(), key.span(), value)).collect();
    entries.sort_by_key(|(_, span, _)| span.start);
    entries
}
