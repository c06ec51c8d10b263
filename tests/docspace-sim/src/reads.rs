//! The calls that read, and the list, which only seems to (§3).
//!
//! Each returns the payload of §1.2, or nothing, which the wrapper shows as an absent `response`.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::answer::Answer;
use crate::backups::Visit;
use crate::model::{Database, Key, Period, Progress, Schedule, StorageKind, now};
use crate::pipeline::Context;
use crate::portal_state::Flag;
use crate::route::Route;
use crate::state::{DUMPS, Row, State};
use crate::wire::Head;

/// §1.2: the longest-lived temporary copy.
const DAY: i64 = 86_400;

/// Runs a call other than the deletes.
pub(crate) fn read(state: &mut State, context: &Context, head: &Head, route: Route) -> Answer {
    let tenant = if context.dump == Some(true) { DUMPS } else { context.tenant };
    let response = match route {
        Route::History => return history(state, head, tenant),
        Route::BackupsCount => return count(state, context, head),
        Route::KeySelf => return key_self(state, context, head),
        Route::Schedule => state.schedules.get(&tenant).map(|own| schedule(state, own, tenant == DUMPS)),
        Route::BackupProgress => state.backups.get(&tenant).map(|own| progress(own, tenant, 0)),
        Route::RestoreProgress => restore(state, context),
        Route::ServiceState => {
            let portal = state.portal(context.portal);
            Some(json!({ "enabled": portal.is_some_and(|portal| portal.is(Flag::ServiceEnabled)) }))
        }
        Route::CancelBackup => Some(json!(cancel(state, tenant))),
        Route::Version => Some(json!({ "docSpace": state.config.reported_version })),
        _ => None,
    };
    Answer::success(head, response)
}

/// §3: flags every record whose file is not found; §1.2: no ordering.
fn history(state: &mut State, head: &Head, tenant: i64) -> Answer {
    let mut visit = Visit::default();
    let mut list = Vec::new();
    for id in state.listed(tenant) {
        let Some(row) = state.row(id).cloned() else { continue };
        // §3: what cannot be opened is hidden, but kept.
        let Ok(Some(store)) = visit.open(state, &row) else { continue };
        match store.finds(state, &row) {
            Ok(true) => list.push(record(state, &row)),
            Ok(false) => {
                if let Some(row) = state.row_mut(id) {
                    row.removed = true;
                }
            }
            // §3: an S3 network error is not caught, so the whole list fails.
            Err(failure) => return failure.answer(),
        }
    }
    Answer::success(head, Some(Value::Array(list)))
}

/// §1.2: enums are numbers.
fn record(state: &State, row: &Row) -> Value {
    let backup = &row.backup;
    let temporary = backup.storage == StorageKind::DataStore;
    json!({
        "id": row.id.to_string(),
        "fileName": backup.file_name,
        "storageType": backup.storage.number(),
        "createdOn": date(state.config.database, Some(backup.created)),
        "expiresOn": date(state.config.database, temporary.then_some(backup.created + DAY)),
    })
}

/// §1.2: plain `DateTime`; MySQL without offset in whole seconds, PostgreSQL with `Z` and a fraction.
/// `None` is year 1, which means never.
pub(crate) fn date(database: Database, unix_seconds: Option<i64>) -> String {
    let moment = unix_seconds.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    let text = moment.map_or_else(|| "0001-01-01T00:00:00".to_owned(), second_text);
    match (database, moment) {
        (Database::MySql, _) => text,
        (Database::PostgreSql, Some(_)) => format!("{text}.123456Z"),
        (Database::PostgreSql, None) => format!("{text}Z"),
    }
}

fn second_text(moment: OffsetDateTime) -> String {
    let (year, month, day) = moment.to_calendar_date();
    let (hour, minute, second) = moment.to_hms();
    format!("{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}", u8::from(month))
}

fn progress(own: &Progress, tenant: i64, kind: u8) -> Value {
    json!({
        "isCompleted": own.completed,
        "progress": own.percent,
        "error": own.error,
        "tenantId": tenant,
        "backupProgressEnum": kind,
        "status": own.status,
        "taskId": format!("{tenant}-{kind}"),
    })
}

/// §1: `SaaS` forces Dump=false; absent → any, true → the dump's only, false → one's own only.
fn restore(state: &State, context: &Context) -> Option<Value> {
    let wanted = if state.config.standalone { context.dump } else { Some(false) };
    let own = || state.restores.get(&context.tenant).map(|own| progress(own, context.tenant, 1));
    let dump = || state.restores.get(&DUMPS).map(|own| progress(own, DUMPS, 1));
    match wanted {
        Some(true) => dump(),
        Some(false) => own(),
        None => own().or_else(dump),
    }
}

fn schedule(state: &State, own: &Schedule, dump: bool) -> Value {
    let period = match own.period {
        Period::Day => 0,
        Period::Week => 1,
        Period::Month => 2,
    };
    let mut members = Map::new();
    members.insert("storageType".to_owned(), json!(own.storage.number()));
    members.insert("storageParams".to_owned(), json!(own.params));
    members.insert("cronParams".to_owned(), json!({ "period": period, "hour": own.hour, "day": own.day }));
    if own.stored > 0 {
        members.insert("backupsStored".to_owned(), json!(own.stored));
    }
    members.insert("lastBackupTime".to_owned(), json!(date(state.config.database, own.last)));
    members.insert("dump".to_owned(), json!(dump));
    Value::Object(members)
}

fn cancel(state: &mut State, tenant: i64) -> bool {
    if let Some(running) = state.backups.get_mut(&tenant).filter(|running| !running.completed) {
        running.completed = true;
        running.status = 3;
    }
    true
}

/// §1: counts removed records too; the default is the current UTC month and `paid=false`.
fn count(state: &State, context: &Context, head: &Head) -> Answer {
    let (month_start, month_end) = month_of(now());
    let from = bound(head, "from", month_start);
    let to = bound(head, "to", month_end);
    let paid = head.query_value("paid").map_or(Ok(false), |text| text.to_ascii_lowercase().parse());
    let (Some(from), Some(to), Ok(paid)) = (from, to, paid) else {
        return Answer::validation(head, "From", "");
    };
    let counted = state
        .rows_of(context.tenant)
        .filter(|row| row.backup.paid == paid && (from..=to).contains(&row.backup.created));
    Answer::success(head, Some(json!(counted.count())))
}

fn bound(head: &Head, name: &str, default: i64) -> Option<i64> {
    match head.query_value(name) {
        None => Some(default),
        Some(text) => parse_date(&text),
    }
}

fn month_of(seconds: i64) -> (i64, i64) {
    let moment = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let start = moment.replace_day(1).unwrap_or(moment).to_julian_day();
    let days = moment.month().length(moment.year());
    let epoch = OffsetDateTime::UNIX_EPOCH.to_julian_day();
    let first = i64::from(start - epoch) * DAY;
    (first, first + i64::from(days) * DAY - 1)
}

/// `YYYY-MM-DD`, with or without a time of the day; an offset is read as UTC.
fn parse_date(text: &str) -> Option<i64> {
    let (date, clock) = text.split_once(['T', ' ']).unwrap_or((text, "00:00:00"));
    let mut parts = date.splitn(3, '-');
    let year = parts.next()?.parse().ok()?;
    let month: u8 = parts.next()?.parse().ok()?;
    let day = parts.next()?.parse().ok()?;
    let date = time::Date::from_calendar_date(year, time::Month::try_from(month).ok()?, day).ok()?;
    let mut parts = clock.trim_end_matches('Z').splitn(3, ':');
    let mut part = || parts.next().and_then(|text| text.split('.').next()?.parse::<u8>().ok());
    let clock = time::Time::from_hms(part()?, part()?, part().unwrap_or(0)).ok()?;
    Some(OffsetDateTime::new_utc(date, clock).unix_timestamp())
}

/// §4.2: the key's own page, since 3.1.1; a session has none.
fn key_self(state: &State, context: &Context, head: &Head) -> Answer {
    let key = context.user.as_ref().and_then(|user| user.key.as_ref());
    let Some((text, key)) = key.filter(|_| state.since(3, 1, 1)) else { return Answer::empty(404) };
    Answer::success(head, Some(key_page(text, key)))
}

/// §1.2: only these dates are `ApiDateTime`, with seven fractional digits and an offset or `Z`.
fn key_page(text: &str, key: &Key) -> Value {
    let (_, tail) = text.split_at_checked(text.len().saturating_sub(4)).unwrap_or(("", ""));
    let mut page = json!({
        "name": key.name,
        "key": format!("sk-***{tail}"),
        "permissions": key.scopes,
        "isActive": key.active,
    });
    if let (Some(expiry), Some(members)) = (key.expires, page.as_object_mut()) {
        let text = date(Database::MySql, Some(expiry));
        members.insert("expiresAt".to_owned(), json!(format!("{text}.0000000Z")));
    }
    page
}
