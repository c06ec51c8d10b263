//! How values are written as text in the ledger's file, and read back.

use jiff::Timestamp;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

use crate::domain::{DumpSetting, Method, PortalName, SweepId, Trigger};

/// An instant, cut to milliseconds, in the one form in which all instants that are compared are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Time(pub(super) Timestamp);

impl ToSql for Time {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(format!("{:.3}", self.0).into())
    }
}

impl FromSql for Time {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str()?.parse().map(Self).map_err(FromSqlError::other)
    }
}

/// A value of the domain that is stored as its name in records.
#[derive(Debug)]
pub(super) struct Word<T>(pub(super) T);

impl FromSql for Word<Trigger> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let all = [Trigger::Schedule, Trigger::CatchUp, Trigger::Manual];
        one_of(all, value.as_str()?, Trigger::as_str)
    }
}

impl FromSql for Word<DumpSetting> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let all = [DumpSetting::Own, DumpSetting::ServerWide, DumpSetting::Both];
        one_of(all, value.as_str()?, DumpSetting::as_str)
    }
}

impl FromSql for Word<Method> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        one_of([Method::Bulk, Method::Each], value.as_str()?, Method::as_str)
    }
}

impl FromSql for Word<SweepId> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        SweepId::parse(value.as_str()?).map(Self).ok_or(FromSqlError::InvalidType)
    }
}

impl FromSql for Word<PortalName> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        PortalName::new(value.as_str()?).map(Self).map_err(FromSqlError::other)
    }
}

fn one_of<T: Copy, const N: usize>(
    all: [T; N],
    text: &str,
    name: fn(T) -> &'static str,
) -> FromSqlResult<Word<T>> {
    all.into_iter().find(|&value| name(value) == text).map(Word).ok_or(FromSqlError::InvalidType)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_have_one_form_that_sorts() {
        let written = |text: &str| match Time(text.parse().unwrap()).to_sql().unwrap() {
            ToSqlOutput::Owned(rusqlite::types::Value::Text(text)) => text,
            other => panic!("{other:?}"),
        };
        assert_eq!(written("2026-11-24T03:00:00Z"), "2026-11-24T03:00:00.000Z");
        assert_eq!(written("2026-11-24T03:00:00.99999Z"), "2026-11-24T03:00:00.999Z");
        assert!(written("2026-11-24T03:00:00.5Z") > written("2026-11-24T03:00:00Z"));
    }
}
