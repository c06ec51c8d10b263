//! Retention as the file says it: which backups survive a sweep.

use std::num::NonZeroU32;
use std::ops::Range;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::known::{self, nearest};
use super::problem::Problem;
use super::reader::{At, Field, Reader, Section};
use super::value::{Fault, duration, integer, quote, text};
use crate::domain::Keep;

/// The word for no retention, which takes a default away.
pub(super) const NOTHING: &str = "nothing";

/// More backups than any portal holds.
const MOST: u32 = 100_000;
/// A shorter span is a slip: `6m` is six minutes, and would let all the backups of half a year go.
const SHORTEST: Duration = Duration::from_hours(1);
/// 100 years, of 365.25 days as durations have them.
const LONGEST: Duration = Duration::from_hours(100 * 8766);

/// Reads `keep`: a table of rules, or the word for none.
pub(super) fn keep<'t>(reader: &mut Reader<'t>, section: &Section<'t>) -> Field<Option<Keep>> {
    let Some(value) = section.get("keep") else { return Field::Absent };
    match value.get_ref() {
        DeValue::Table(table) => rules(reader, value.span(), table),
        _ => reader.read(section, "keep", |value| word(value).map(|()| None)),
    }
}

fn rules<'t>(reader: &mut Reader<'t>, span: Range<usize>, table: &'t DeTable<'t>) -> Field<Option<Keep>> {
    let before = reader.problems.len();
    let section = reader.open("`keep`", span.clone(), table, known::KEEP);
    let last = reader.read(&section, "last", last);
    let within = reader.read(&section, "within", within);
    let keep = Keep::new(last.good().map(|at| at.value), within.good().map(|at| at.value));
    // A policy of which a rule is wrong is not the one that was meant, even if another rule is right.
    if reader.problems.len() > before {
        return Field::Bad;
    }
    if keep.is_none() {
        // Under a header, a syntax error further down may have swallowed the rules.
        let problem = Problem::absence(span.clone(), "`keep` names no rule")
            .scope(span.start..usize::MAX)
            .label("expected `last`, `within` or both")
            .help(format!("write, for example, `keep = {{ last = 7 }}`; {}", let_all_go()));
        reader.problems.push(problem);
        return Field::Bad;
    }
    Field::Good(At { span, value: keep })
}

fn last(value: &DeValue<'_>) -> Result<NonZeroU32, Fault> {
    let zero = || Fault::value("it cannot be zero").help(format!("write 1 or more; {}", let_all_go()));
    if value.as_integer().is_some_and(|number| number.as_str() == "0") {
        return Err(zero());
    }
    NonZeroU32::new(integer(1..=MOST)(value)?).ok_or_else(zero)
}

fn within(value: &DeValue<'_>) -> Result<Duration, Fault> {
    let written = value.as_str().unwrap_or_default().trim();
    if written.starts_with('-') {
        return Err(Fault::value(format!("{} is negative", quote(written))).help(spans()));
    }
    duration(SHORTEST..=LONGEST)(value).map_err(|fault| fault.help(spans()))
}

fn spans() -> String {
    let (least, most) = (humantime::format_duration(SHORTEST), humantime::format_duration(LONGEST));
    format!(
        "write \"30d\", \"12w\" or \"6M\", say (`M` is months, `m` minutes), from \"{least}\" to \"{most}\""
    )
}

fn let_all_go() -> String {
    format!("`keep = \"{NOTHING}\"` lets all backups go")
}

/// The one word that is taken. Any other value could be read as its opposite, so it is refused with what to write.
fn word(value: &DeValue<'_>) -> Result<(), Fault> {
    let expected = "a table such as { last = 7 }, or \"nothing\"";
    if let DeValue::Boolean(_) = value {
        let fault = Fault::value("true and false do not say which backups survive");
        return Err(fault.help(choices()));
    }
    let written = text(value, expected)?;
    if written == NOTHING {
        return Ok(());
    }
    let fault = Fault::value(format!("{} does not say which backups survive", quote(written)));
    let is_span = written.len() < 20 && within(value).is_ok();
    Err(match nearest(written, [NOTHING]) {
        Some(near) => fault.help(format!("did you mean \"{near}\"?")),
        None if is_span => fault.help(format!("write `keep = {{ within = {written:?} }}`")),
        None => fault.help(choices()),
    })
}

fn choices() -> String {
    format!(
        "write {{ last = 7 }}, {{ within = \"30d\" }} or both; {}, and `enabled = false` spares them all",
        let_all_go()
    )
}
