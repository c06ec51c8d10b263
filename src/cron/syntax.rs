//! The grammar: reads an expression field by field and writes it down in the one form that croner reads as it is meant.

use super::CronError;

const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

/// What a field counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Second,
    Minute,
    Hour,
    DayOfMonth,
    Month,
    DayOfWeek,
}

use Unit::{DayOfMonth, DayOfWeek, Hour, Minute, Month, Second};

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Second => "second",
            Minute => "minute",
            Hour => "hour",
            DayOfMonth => "day of month",
            Month => "month",
            DayOfWeek => "day of week",
        }
    }

    /// The values that `*` stands for.
    fn all(self) -> (u16, u16) {
        match self {
            Second | Minute => (0, 59),
            Hour => (0, 23),
            DayOfMonth => (1, 31),
            Month => (1, 12),
            DayOfWeek => (0, 6),
        }
    }

    /// The largest number that may be written: Sunday is 0 and 7.
    fn top(self) -> u16 {
        if self == DayOfWeek { 7 } else { self.all().1 }
    }

    fn names(self) -> &'static [&'static str] {
        match self {
            Month => &MONTHS,
            DayOfWeek => &WEEKDAYS,
            Second | Minute | Hour | DayOfMonth => &[],
        }
    }

    /// What a single value may be, for a help text.
    fn values(self) -> String {
        let (low, top) = (self.all().0, self.top());
        match (self.names().first(), self.names().last()) {
            (Some(first), Some(last)) => format!("write a number from {low} to {top}, or {first} to {last}"),
            _ => format!("write a number from {low} to {top}"),
        }
    }
}

/// Checks an expression and writes it down for croner: single spaces, numbers for names, no nickname, no `?`.
pub(super) fn check(text: &str) -> Result<String, CronError> {
    if let Some(odd) = text.matches(|c: char| !c.is_ascii() && !c.is_whitespace()).next() {
        return Err(error(text, odd, format!("{odd:?} has no meaning in a cron expression"), "leave it out"));
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    match *words.as_slice() {
        [name, ..] if name.starts_with('@') => nickname(text, name).map(str::to_owned),
        [minute, hour, day, month, weekday] => fields(text, None, [minute, hour, day, month, weekday]),
        [second, minute, hour, day, month, weekday] => {
            fields(text, Some(second), [minute, hour, day, month, weekday])
        }
        [_, _, _, _, _, _, year] => {
            Err(error(text, year, "a seventh field, the year, is not taken", "leave the year out"))
        }
        _ => Err(wrong_count(words.len())),
    }
}

fn wrong_count(count: usize) -> CronError {
    let message = match count {
        0 => "the expression is empty".to_owned(),
        1 => "it has 1 field".to_owned(),
        _ => format!("it has {count} fields"),
    };
    let help =
        "write 5 fields: minute, hour, day of month, month, day of week; or 6, with the second before them";
    CronError { message, help: Some(help.to_owned()), span: None }
}

/// The five fields that a nickname stands for.
fn nickname(text: &str, name: &str) -> Result<&'static str, CronError> {
    let whole = text.trim();
    let help = match whole.to_ascii_lowercase().as_str() {
        "@hourly" => return Ok("0 * * * *"),
        "@daily" => return Ok("0 0 * * *"),
        "@weekly" => return Ok("0 0 * * 0"),
        "@monthly" => return Ok("0 0 1 * *"),
        "@midnight" => "write `@daily`",
        "@yearly" | "@annually" => "write `0 0 1 1 *`",
        "@reboot" => "write a time, such as `@daily`: a start of docsweep is no slot",
        _ if name.eq_ignore_ascii_case("@every") => {
            "write the interval as fields: `*/5 * * * *` is every 5 minutes"
        }
        _ => "write `@hourly`, `@daily`, `@weekly` or `@monthly`, or the fields themselves",
    };
    Err(error(text, whole, format!("`{whole}` is no nickname that is taken"), help))
}

fn fields(text: &str, second: Option<&str>, rest: [&str; 5]) -> Result<String, CronError> {
    let [minute, hour, day, month, weekday] = rest;
    let mut written = Vec::with_capacity(6);
    if let Some(second) = second {
        written.push(field(text, Second, second)?);
    }
    written.push(field(text, Minute, minute)?);
    written.push(field(text, Hour, hour)?);
    let days = field(text, DayOfMonth, day)?;
    let month = field(text, Month, month)?;
    let weekdays = match weekday.strip_prefix('+') {
        Some("") => return Err(error(text, weekday, "`+` needs a day of week after it", DayOfWeek.values())),
        Some(both) => format!("+{}", field(text, DayOfWeek, both)?),
        None => field(text, DayOfWeek, weekday)?,
    };
    unambiguous_days(text, (day, &days), (weekday, &weekdays))?;
    written.extend([days, month, weekdays]);
    Ok(written.join(" "))
}

/// Refuses a `*/n` day beside the other kind of day. Croner and the crontab manual take a day that matches either
/// field, cron itself one that matches both, for the field begins with `*`. A deletion must not hang on that.
fn unambiguous_days(text: &str, day: (&str, &str), weekday: (&str, &str)) -> Result<(), CronError> {
    let stepped = |written: &str| written.split(',').any(|item| item.starts_with("*/"));
    if day.1 == "*"
        || weekday.1 == "*"
        || weekday.1.starts_with('+')
        || !(stepped(day.1) || stepped(weekday.1))
    {
        return Ok(());
    }
    let (part, unit) = if stepped(day.1) { (day.0, DayOfMonth) } else { (weekday.0, DayOfWeek) };
    let (low, high) = unit.all();
    let help = format!(
        "write `{low}-{high}/…` for the days that match either field, or `+` before the day of week for those that \
         match both",
    );
    Err(error(
        text,
        part,
        "a stepped `*` beside another day field means different days to different crons",
        help,
    ))
}

fn field(text: &str, unit: Unit, field: &str) -> Result<String, CronError> {
    match field {
        "*" => return Ok("*".to_owned()),
        "?" if matches!(unit, DayOfMonth | DayOfWeek) => return Ok("*".to_owned()),
        _ => {}
    }
    let items: Vec<&str> = field.split(',').collect();
    if items.contains(&"") {
        let filled: Vec<&str> = items.into_iter().filter(|item| !item.is_empty()).collect();
        let help = if filled.is_empty() { unit.values() } else { format!("write `{}`", filled.join(",")) };
        return Err(error(text, field, format!("the {} has an empty list item", unit.name()), help));
    }
    if items.iter().any(|item| item.eq_ignore_ascii_case("L"))
        && items.iter().any(|i| i.eq_ignore_ascii_case("LW"))
    {
        return Err(error(text, field, "`L` and `LW` exclude each other", "write one of the two"));
    }
    let items: Result<Vec<String>, CronError> = items.into_iter().map(|it| item(text, unit, it)).collect();
    Ok(items?.join(","))
}

fn item(text: &str, unit: Unit, item: &str) -> Result<String, CronError> {
    if item.split(['-', '/', '#']).skip(usize::from(item.starts_with('/'))).any(str::is_empty) {
        return Err(error(text, item, format!("`{item}` is not complete"), unit.values()));
    }
    if let Some((base, step)) = item.split_once('/') {
        return stepped(text, unit, (item, base, step));
    }
    if let Some((first, last)) = item.split_once('-') {
        let (first, last) = range(text, unit, (item, first, last))?;
        return Ok(format!("{first}-{last}"));
    }
    if item == "*" || item == "?" {
        return Err(error(text, item, format!("`{item}` stands alone in its field"), unit.values()));
    }
    match unit {
        DayOfMonth => day_of_month(text, item),
        DayOfWeek => day_of_week(text, item),
        Second | Minute | Hour | Month => value(text, unit, item).map(|value| value.to_string()),
    }
}

/// A number, `L` (last day), `LW` (last weekday) or `15W` (the weekday nearest to the 15th).
fn day_of_month(text: &str, item: &str) -> Result<String, CronError> {
    let upper = item.to_ascii_uppercase();
    if upper == "L" || upper == "LW" {
        return Ok(upper);
    }
    match item.strip_suffix(['W', 'w']) {
        Some(day) if !day.is_empty() => Ok(format!("{}W", value(text, DayOfMonth, day)?)),
        _ => Ok(value(text, DayOfMonth, item)?.to_string()),
    }
}

/// A number or name, alone, as the `FRI#2` second or the `FRIL` or `FRI#L` last of the month.
fn day_of_week(text: &str, item: &str) -> Result<String, CronError> {
    if let Some((day, which)) = item.split_once('#') {
        let value = value(text, DayOfWeek, day)?;
        return match which {
            "1" | "2" | "3" | "4" | "5" => Ok(format!("{value}#{which}")),
            "L" | "l" => Ok(format!("{value}#L")),
            _ => {
                let help = format!("write `{day}#1` to `{day}#5`, or `{day}#L` for the last one");
                Err(error(text, item, format!("no month has a `{item}`"), help))
            }
        };
    }
    match item.strip_suffix(['L', 'l']) {
        Some("") => {
            Err(error(text, item, "`L` needs a day of week before it", "write `FRIL` for the last Friday"))
        }
        Some(day) => Ok(format!("{}#L", value(text, DayOfWeek, day)?)),
        None => Ok(value(text, DayOfWeek, item)?.to_string()),
    }
}

fn stepped(text: &str, unit: Unit, (item, base, step): (&str, &str, &str)) -> Result<String, CronError> {
    let (low, high) = unit.all();
    if base.is_empty() {
        return Err(error(text, item, "a step needs a range before it", format!("write `*{item}`")));
    }
    let (first, last) = match base.split_once('-') {
        Some((first, last)) => range(text, unit, (base, first, last))?,
        None if base == "*" => (low, high),
        None => {
            let first = value(text, unit, base)?;
            let help = format!("write `{first}-{high}/{step}`");
            return Err(error(text, item, "a step needs a range before it", help));
        }
    };
    let widest = last - first;
    let help = match widest {
        0 => format!("write `{first}`"),
        1 => "write a step of 1, or no step".to_owned(),
        _ => format!("write a step from 1 to {widest}"),
    };
    let Some(size) = number(step) else {
        return Err(error(text, item, format!("`{step}` is no step"), help));
    };
    if size == 0 {
        return Err(error(text, item, "a step of 0 goes nowhere", help));
    }
    if size > widest {
        let message =
            format!("a step of {step} leaves the range of the {} after its first value", unit.name());
        return Err(error(text, item, message, help));
    }
    Ok(if base == "*" { format!("*/{size}") } else { format!("{first}-{last}/{size}") })
}

fn range(text: &str, unit: Unit, (item, first, last): (&str, &str, &str)) -> Result<(u16, u16), CronError> {
    let low = value(text, unit, first)?;
    let mut high = value(text, unit, last)?;
    if unit == DayOfWeek && high == 0 && low > 0 && last.eq_ignore_ascii_case("SUN") {
        high = 7;
    }
    if low <= high {
        return Ok((low, high));
    }
    let (min, max) = unit.all();
    let span = |from: u16, to: u16| if from == to { from.to_string() } else { format!("{from}-{to}") };
    let help = if low > max {
        format!("write `{}`", span(min, high))
    } else {
        format!("write `{},{}`", span(low, max), span(min, high))
    };
    Err(error(text, item, format!("the range `{item}` runs backwards"), help))
}

fn value(text: &str, unit: Unit, written: &str) -> Result<u16, CronError> {
    let (low, top) = (unit.all().0, unit.top());
    if written.bytes().all(|b| b.is_ascii_digit()) {
        let known = number(written).filter(|value| (low..=top).contains(value));
        return known.ok_or_else(|| {
            error(text, written, format!("the {} {written} is out of range", unit.name()), unit.values())
        });
    }
    let names = unit.names().iter().zip(low..);
    if let Some((_, value)) = names.clone().find(|(name, _)| name.eq_ignore_ascii_case(written)) {
        return Ok(value);
    }
    let begins =
        |name: &&str| written.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    let help = match unit.names().iter().find(|name| begins(name)) {
        Some(name) => format!("write `{name}`"),
        None => unit.values(),
    };
    let article = if unit == Hour { "an" } else { "a" };
    Err(error(text, written, format!("`{written}` is not {article} {}", unit.name()), help))
}

/// A number in digits alone: `u16::from_str` would take `+5` too.
fn number(written: &str) -> Option<u16> {
    written.bytes().all(|b| b.is_ascii_digit()).then(|| written.parse().ok())?
}

/// An error about `part`, which is a slice of `text`: its address says where it stands.
fn error(text: &str, part: &str, message: impl Into<String>, help: impl Into<String>) -> CronError {
    let start = part.as_ptr().addr().saturating_sub(text.as_ptr().addr()).min(text.len());
    let end = start.saturating_add(part.len()).min(text.len());
    CronError { message: message.into(), help: Some(help.into()), span: Some(start..end) }
}
