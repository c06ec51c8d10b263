//! The file as it was written: every value checked by itself, nothing inherited yet.

use std::num::NonZeroU32;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::known;
use super::ledger::{self, LedgerUrl};
use super::problem::Problem;
use super::reader::{At, Field, Reader, Section};
use super::schedules::{self, RawNamed, RawSchedule};
use super::types::{LogFormat, ProxyUrl};
use super::value::{Fault, boolean, checked, choice, duration, integer, kind, quote, text};
use super::{filter, keep, source};
use crate::domain::{
    Authorization, DumpSetting, Keep, Method, PortalName, PortalUrl, PortalUrlError, ServerName,
};
use crate::keys::ApiKeySource;

/// The least duration where zero makes no sense.
const MOMENT: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
/// 100 years, of 365.25 days as durations have them.
const CENTURY: Duration = Duration::from_hours(100 * 8766);

/// The whole file.
#[derive(Default)]
pub(super) struct RawFile {
    pub(super) daemon: RawDaemon,
    pub(super) safety: RawSafety,
    pub(super) schedules: Vec<RawNamed>,
    /// Whether `schedules` is there and no table of schedules.
    pub(super) schedules_lost: bool,
    pub(super) defaults: RawSettings,
    pub(super) portals: Vec<RawPortal>,
    /// Whether there are portals, however wrong.
    pub(super) has_portals: bool,
}

/// `[daemon]` and `[daemon.log]`.
#[derive(Default)]
pub(super) struct RawDaemon {
    pub(super) concurrency: Field<u32>,
    pub(super) per_server: Field<u32>,
    pub(super) ledger: Field<LedgerUrl>,
    pub(super) ledger_retention: Field<Duration>,
    pub(super) shutdown_grace: Field<Duration>,
    pub(super) format: Field<LogFormat>,
    pub(super) level: Field<String>,
}

/// `[safety]`.
#[derive(Default)]
pub(super) struct RawSafety {
    pub(super) max_wipes: Field<u32>,
}

/// A portal's `schedule`.
#[derive(Clone)]
pub(super) enum RawScheduleRef {
    /// The name of a `[schedules.NAME]`.
    Named(String),
    /// A schedule of its own; `None`: what is wrong with it has been reported.
    Inline(Option<RawSchedule>),
}

/// `[[portals]]`.
pub(super) struct RawPortal {
    pub(super) title: String,
    pub(super) span: Range<usize>,
    /// From its header to the next portal's.
    pub(super) scope: Range<usize>,
    pub(super) name: Field<PortalName>,
    pub(super) url: Field<PortalUrl>,
    pub(super) settings: RawSettings,
}

/// What portals can inherit.
#[derive(Default)]
pub(super) struct RawSettings {
    pub(super) server: Field<ServerName>,
    pub(super) api_key: Field<ApiKeySource>,
    pub(super) authorization: Field<Authorization>,
    pub(super) schedule: Field<RawScheduleRef>,
    pub(super) dump: Field<DumpSetting>,
    /// `None`: nothing is to survive, which is more than to say nothing.
    pub(super) keep: Field<Option<Keep>>,
    pub(super) method: Field<Method>,
    pub(super) verify: Field<bool>,
    pub(super) enabled: Field<bool>,
    pub(super) connect_timeout: Field<Duration>,
    pub(super) timeout: Field<Duration>,
    pub(super) ca_file: Field<PathBuf>,
    pub(super) proxy: Field<ProxyUrl>,
    pub(super) retry: RawRetry,
    pub(super) allow_http: Field<bool>,
}

/// `retry`; its keys are inherited one by one.
#[derive(Default)]
pub(super) struct RawRetry {
    pub(super) max_attempts: Field<NonZeroU32>,
    pub(super) initial_backoff: Field<Duration>,
    pub(super) max_backoff: Field<Duration>,
    pub(super) deadline: Field<Duration>,
}

/// Reads a whole document. `folder` is what relative paths are relative to.
pub(super) fn file<'t>(reader: &mut Reader<'t>, root: &'t DeTable<'t>, folder: &Path) -> RawFile {
    let root = reader.open("the file", 0..0, root, known::FILE);
    let daemon = daemon(reader, &root);
    let safety = match reader.child(&root, "safety", "[safety]", known::SAFETY) {
        Some(section) => RawSafety { max_wipes: reader.read(&section, "max_wipes", integer(0..=1_000_000)) },
        None => RawSafety::default(),
    };
    let schedules = schedules::named(reader, &root);
    let schedules_lost = root.get("schedules").is_some_and(|value| value.get_ref().as_table().is_none());
    let defaults = match reader.child(&root, "defaults", "[defaults]", known::defaults()) {
        Some(section) => settings(reader, &section, folder),
        None => RawSettings::default(),
    };
    let portals = portals(reader, &root, folder);
    RawFile {
        daemon,
        safety,
        schedules,
        schedules_lost,
        defaults,
        portals,
        has_portals: root.get("portals").is_some(),
    }
}

fn daemon<'t>(reader: &mut Reader<'t>, root: &Section<'t>) -> RawDaemon {
    let Some(section) = reader.child(root, "daemon", "[daemon]", known::DAEMON) else {
        return RawDaemon::default();
    };
    let mut daemon = RawDaemon {
        concurrency: reader.read(&section, "concurrency", integer(1..=10_000)),
        per_server: reader.read(&section, "per_server", integer(1..=1000)),
        ledger: reader.read(&section, "ledger", ledger::url),
        ledger_retention: reader.read(&section, "ledger_retention", duration(DAY..=CENTURY)),
        shutdown_grace: reader.read(&section, "shutdown_grace", duration(Duration::ZERO..=HOUR)),
        ..RawDaemon::default()
    };
    if let Some(log) = reader.child(&section, "log", "[daemon.log]", known::LOG) {
        let formats = LogFormat::ALL.map(|format| (format.as_str(), format));
        daemon.format = reader.read(&log, "format", choice("a log format such as \"text\"", &formats));
        daemon.level = reader.read(&log, "level", filter::level);
    }
    daemon
}

fn portals<'t>(reader: &mut Reader<'t>, root: &Section<'t>, folder: &Path) -> Vec<RawPortal> {
    let Some(value) = root.get("portals") else { return Vec::new() };
    let DeValue::Array(portals) = value.get_ref() else {
        let problem = Problem::new(value.span(), "`portals` must be a list of tables")
            .label(format!("expected a list, found {}", kind(value.get_ref())))
            .help("begin each portal with `[[portals]]`, in double brackets");
        reader.problems.push(problem);
        if let DeValue::Table(table) = value.get_ref() {
            // Opened for its problems, and for what of it may be printed.
            let section = reader.open("this portal", value.span(), table, known::PORTAL);
            settings(reader, &section, folder);
        }
        return Vec::new();
    };
    let mut read = Vec::with_capacity(portals.len());
    for item in portals {
        match item.get_ref() {
            DeValue::Table(table) => read.push(portal(reader, item.span(), table, folder)),
            other => {
                reader.marks.hide(item.span());
                reader.report(root, "portals", item.span(), Fault::kind("a list of tables", other));
            }
        }
    }
    let starts: Vec<usize> = read.iter().skip(1).map(|portal| portal.span.start).collect();
    for (portal, end) in read.iter_mut().zip(starts) {
        portal.scope.end = end;
    }
    read
}

fn portal<'t>(
    reader: &mut Reader<'t>,
    span: Range<usize>,
    table: &'t DeTable<'t>,
    folder: &Path,
) -> RawPortal {
    let named = table.get("name").and_then(|value| value.get_ref().as_str());
    let title = named.map_or("this portal".to_owned(), |name| format!("portal {}", quote(name)));
    let section = reader.open(title.clone(), span.clone(), table, known::PORTAL);
    let name = reader.read(&section, "name", |value| {
        checked("a name", PortalName::new)(value).map_err(|fault| {
            fault.help("write small letters, digits, `.`, `_` and `-`, with a letter or a digit first")
        })
    });
    let url = reader.read(&section, "url", url);
    let settings = settings(reader, &section, folder);
    RawPortal { title, scope: span.start..usize::MAX, span, name, url, settings }
}

/// Whether plain http is allowed is known only after inheritance, so it passes here.
fn url(value: &DeValue<'_>) -> Result<PortalUrl, Fault> {
    PortalUrl::parse(text(value, "a URL")?, true).map_err(|error| {
        let help = match &error {
            PortalUrlError::UserInfo => "write the host alone: the key says who docsweep is",
            PortalUrlError::Path | PortalUrlError::Query => "write the URL up to the host or the port",
            PortalUrlError::Syntax(_)
            | PortalUrlError::Http
            | PortalUrlError::Scheme(_)
            | PortalUrlError::NoHost => "write, for example, \"https://acme.example.com\"",
        };
        Fault::value(error.to_string()).help(help)
    })
}

fn settings<'t>(reader: &mut Reader<'t>, section: &Section<'t>, folder: &Path) -> RawSettings {
    let authorizations = [("bearer", Authorization::Bearer), ("verbatim", Authorization::Verbatim)];
    let methods = [Method::Bulk, Method::Each].map(|method| (method.as_str(), method));
    RawSettings {
        server: reader.read(section, "server", checked("a server's name", server)),
        api_key: source::api_key(reader, section, folder),
        authorization: reader.read(
            section,
            "authorization",
            choice("\"bearer\" or \"verbatim\"", &authorizations),
        ),
        schedule: schedule_ref(reader, section),
        dump: reader.read(section, "dump", dump),
        keep: keep::keep(reader, section),
        method: reader.read(section, "method", choice("\"bulk\" or \"each\"", &methods)),
        verify: reader.read(section, "verify", boolean),
        enabled: reader.read(section, "enabled", boolean),
        connect_timeout: reader.read(section, "connect_timeout", duration(MOMENT..=HOUR)),
        timeout: reader.read(section, "timeout", duration(MOMENT..=HOUR)),
        ca_file: reader.read(section, "ca_file", |value| source::path(value, folder)),
        proxy: reader.read(section, "proxy", |value| {
            checked("a URL", ProxyUrl::parse)(value)
                .map_err(|fault| fault.help("write, for example, \"http://proxy.example.com:3128\""))
        }),
        retry: retry(reader, section),
        allow_http: reader.read(section, "allow_http", boolean),
    }
}

/// Hosts know no case, so neither do the names that stand beside them.
fn server(name: &str) -> Result<ServerName, crate::domain::NameError> {
    ServerName::new(&name.to_lowercase())
}

fn schedule_ref<'t>(reader: &mut Reader<'t>, section: &Section<'t>) -> Field<RawScheduleRef> {
    let Some(value) = section.get("schedule") else { return Field::Absent };
    let DeValue::Table(table) = value.get_ref() else {
        let expected = "the name of a schedule, or a table such as { cron = \"0 3 * * *\" }";
        return reader
            .read(section, "schedule", |value| Ok(RawScheduleRef::Named(text(value, expected)?.to_owned())));
    };
    let inline = reader.open("this schedule", value.span(), table, known::SCHEDULE);
    let schedule = schedules::schedule(reader, &inline);
    Field::Good(At { span: value.span(), value: RawScheduleRef::Inline(schedule) })
}

fn dump(value: &DeValue<'_>) -> Result<DumpSetting, Fault> {
    match value {
        DeValue::Boolean(false) => Ok(DumpSetting::Own),
        DeValue::Boolean(true) => Ok(DumpSetting::ServerWide),
        DeValue::String(text) if text == "both" => Ok(DumpSetting::Both),
        DeValue::String(text) if matches!(text.as_ref(), "true" | "false") => {
            Err(Fault::value("this is a string, not a truth value").help("write it without the quotes"))
        }
        DeValue::String(text) => Err(Fault::value(format!("{} is not a value that it takes", quote(text)))
            .help("write false, true or \"both\"")),
        other => Err(Fault::kind("false, true or \"both\"", other)),
    }
}

fn retry<'t>(reader: &mut Reader<'t>, section: &Section<'t>) -> RawRetry {
    let Some(retry) = reader.child(section, "retry", "`retry`", known::RETRY) else {
        return RawRetry::default();
    };
    RawRetry {
        max_attempts: reader.read(&retry, "max_attempts", |value| {
            let number = integer(1..=100)(value)?;
            NonZeroU32::new(number).ok_or_else(|| Fault::value("it cannot be zero"))
        }),
        initial_backoff: reader.read(&retry, "initial_backoff", duration(MOMENT..=DAY)),
        max_backoff: reader.read(&retry, "max_backoff", duration(MOMENT..=DAY)),
        deadline: reader.read(&retry, "deadline", duration(MOMENT..=DAY * 7)),
    }
}
