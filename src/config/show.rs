//! The effective configuration for people and for `--json`, secrets hidden.

use std::borrow::Cow;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::keep::NOTHING;
use super::types::{Config, Daemon, LogFormat, Portal, Safety, Schedule};
use crate::domain::{Authorization, DumpSetting, Keep, Method, RetryPolicy};
use crate::keys::ApiKeySource;

/// One object of `show-config --json`.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum View<'a> {
    /// `[daemon]`.
    Daemon(DaemonView<'a>),
    /// `[safety]`.
    Safety(SafetyView),
    /// `[schedules.NAME]`.
    Schedule(ScheduleView<'a>),
    /// `[[portals]]`.
    Portal(Box<PortalView<'a>>),
}

/// `[daemon]`.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the fields are Daemon's")]
pub struct DaemonView<'a> {
    pub concurrency: usize,
    pub per_server: usize,
    pub ledger: String,
    pub ledger_retention: String,
    pub shutdown_grace: String,
    pub log: LogView<'a>,
}

/// `[daemon.log]`.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the fields are Log's")]
pub struct LogView<'a> {
    pub format: LogFormat,
    pub level: &'a str,
}

/// `[safety]`. What is absent is written as `null` in JSON: that there is no limit is worth a word.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the fields are Safety's")]
pub struct SafetyView {
    pub max_wipes: Option<u32>,
}

/// A schedule, with its name where it has one.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the fields are Schedule's")]
pub struct ScheduleView<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    pub cron: &'a str,
    pub timezone: &'a str,
    pub splay: String,
    pub catch_up: String,
}

/// A portal's `schedule`: a name, or a table.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum ScheduleRefView<'a> {
    /// The name of a schedule of the file.
    Named(&'a str),
    /// A schedule of the portal's own.
    Inline(ScheduleView<'a>),
}

/// A portal with all that it inherits.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the fields are Portal's")]
pub struct PortalView<'a> {
    pub name: &'a str,
    pub url: String,
    pub server: &'a str,
    pub api_key: KeyView<'a>,
    pub authorization: Authorization,
    pub schedule: ScheduleRefView<'a>,
    #[serde(serialize_with = "dump")]
    pub dump: DumpSetting,
    pub keep: KeepView,
    pub method: Method,
    pub verify: bool,
    pub enabled: bool,
    pub connect_timeout: String,
    pub timeout: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    pub retry: RetryView,
    pub allow_http: bool,
}

/// Which backups survive.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum KeepView {
    /// The word `nothing`, which is shown wherever there is no rule, so that one reads that everything goes.
    Nothing(&'static str),
    /// Those that one of the rules holds.
    Rules {
        /// The newest so many.
        #[serde(skip_serializing_if = "Option::is_none")]
        last: Option<u32>,
        /// Those younger than this.
        #[serde(skip_serializing_if = "Option::is_none")]
        within: Option<String>,
    },
}

/// Where a key comes from; never the key.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyView<'a> {
    /// A file.
    File(Cow<'a, str>),
    /// An environment variable.
    Env(&'a str),
    /// A systemd credential.
    Credential(&'a str),
    /// A key in the file itself, as the text `(hidden)`.
    #[serde(untagged)]
    Literal(&'static str),
}

/// `retry`.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the fields are RetryPolicy's")]
pub struct RetryView {
    pub max_attempts: u32,
    pub initial_backoff: String,
    pub max_backoff: String,
    pub deadline: String,
}

/// The file as `show-config` prints it.
#[derive(Serialize)]
struct FileView<'a> {
    daemon: DaemonView<'a>,
    safety: SafetyView,
    #[serde(serialize_with = "by_name")]
    schedules: &'a [Arc<Schedule>],
    portals: Vec<PortalView<'a>>,
}

impl Config {
    /// The effective values as a file that is itself a valid configuration but for hidden keys and passwords.
    pub fn to_toml(&self) -> String {
        let file = FileView {
            daemon: DaemonView::new(&self.daemon),
            safety: SafetyView::new(self.safety),
            schedules: &self.schedules,
            portals: self.portals.iter().map(|portal| self.portal_view(portal)).collect(),
        };
        // Plain data with string keys always serializes; the message is for the day when that changes.
        toml::to_string(&file).unwrap_or_else(|error| format!("# cannot be shown: {error}\n"))
    }

    /// The effective values as objects: the daemon, the safety limits, then the named schedules, then the portals.
    pub fn views(&self) -> impl Iterator<Item = View<'_>> {
        let schedules = self.schedules.iter().map(|schedule| View::Schedule(ScheduleView::named(schedule)));
        let portals = self.portals.iter().map(|portal| View::Portal(Box::new(self.portal_view(portal))));
        let daemon = View::Daemon(DaemonView::new(&self.daemon));
        let safety = View::Safety(SafetyView::new(self.safety));
        [daemon, safety].into_iter().chain(schedules).chain(portals)
    }

    fn portal_view<'a>(&'a self, portal: &'a Portal) -> PortalView<'a> {
        let Portal {
            name,
            url,
            server,
            api_key,
            authorization,
            schedule,
            dump,
            keep,
            method,
            verify,
            enabled,
            connect_timeout,
            timeout,
            ca_file,
            proxy,
            retry,
            allow_http,
        } = portal;
        PortalView {
            name: name.as_str(),
            url: url.to_string(),
            server: server.as_str(),
            api_key: KeyView::new(api_key),
            authorization: *authorization,
            schedule: self.schedule_view(schedule),
            dump: *dump,
            keep: KeepView::new(*keep),
            method: *method,
            verify: *verify,
            enabled: *enabled,
            connect_timeout: written(*connect_timeout),
            timeout: written(*timeout),
            ca_file: ca_file.as_deref().map(Path::to_string_lossy),
            proxy: proxy.as_ref().map(ToString::to_string),
            retry: RetryView::new(*retry),
            allow_http: *allow_http,
        }
    }

    fn schedule_view<'a>(&self, schedule: &'a Arc<Schedule>) -> ScheduleRefView<'a> {
        if self.schedules.iter().any(|named| Arc::ptr_eq(named, schedule)) {
            return ScheduleRefView::Named(schedule.label.as_str());
        }
        ScheduleRefView::Inline(ScheduleView { name: None, ..ScheduleView::named(schedule) })
    }
}

impl<'a> DaemonView<'a> {
    fn new(daemon: &'a Daemon) -> Self {
        let Daemon { concurrency, per_server, ledger, ledger_retention, shutdown_grace, log } = daemon;
        Self {
            concurrency: *concurrency,
            per_server: *per_server,
            ledger: ledger.to_string(),
            ledger_retention: in_days(*ledger_retention),
            shutdown_grace: written(*shutdown_grace),
            log: LogView { format: log.format, level: &log.level },
        }
    }
}

impl SafetyView {
    fn new(safety: Safety) -> Self {
        let Safety { max_wipes } = safety;
        Self { max_wipes }
    }
}

impl KeepView {
    fn new(keep: Option<Keep>) -> Self {
        keep.map_or(Self::Nothing(NOTHING), |keep| Self::Rules {
            last: keep.last().map(NonZeroU32::get),
            within: keep.within().map(in_days),
        })
    }
}

impl<'a> ScheduleView<'a> {
    fn named(schedule: &'a Schedule) -> Self {
        let Schedule { label, timetable, splay, catch_up } = schedule;
        Self {
            name: Some(label.as_str()),
            cron: timetable.cron.as_str(),
            timezone: timetable.zone.name(),
            splay: written(*splay),
            catch_up: written(*catch_up),
        }
    }
}

impl<'a> KeyView<'a> {
    fn new(source: &'a ApiKeySource) -> Self {
        match source {
            ApiKeySource::File(path) => Self::File(path.to_string_lossy()),
            ApiKeySource::Env(name) => Self::Env(name),
            ApiKeySource::Credential(name) => Self::Credential(name),
            ApiKeySource::Literal(_) => Self::Literal("(hidden)"),
        }
    }
}

impl RetryView {
    fn new(retry: RetryPolicy) -> Self {
        let RetryPolicy { max_attempts, initial_backoff, max_backoff, deadline } = retry;
        Self {
            max_attempts: max_attempts.get(),
            initial_backoff: written(initial_backoff),
            max_backoff: written(max_backoff),
            deadline: written(deadline),
        }
    }
}

/// A duration as the file would have it.
fn written(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

/// A duration in days and the rest of one. In months, as durations have them, nobody would know `12w` again.
fn in_days(duration: Duration) -> String {
    const DAY: u64 = 24 * 60 * 60;
    let days = duration.as_secs() / DAY;
    let rest = duration.saturating_sub(Duration::from_secs(days * DAY));
    match (days, rest.is_zero()) {
        (0, _) => written(rest),
        (_, true) => format!("{days}d"),
        (_, false) => format!("{days}d {}", written(rest)),
    }
}

fn by_name<S: Serializer>(schedules: &[Arc<Schedule>], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(schedules.len()))?;
    for schedule in schedules {
        map.serialize_entry(
            schedule.label.as_str(),
            &ScheduleView { name: None, ..ScheduleView::named(schedule) },
        )?;
    }
    map.end()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands the field over like this")]
fn dump<S: Serializer>(dump: &DumpSetting, serializer: S) -> Result<S::Ok, S::Error> {
    match dump {
        DumpSetting::Own => serializer.serialize_bool(false),
        DumpSetting::ServerWide => serializer.serialize_bool(true),
        DumpSetting::Both => serializer.serialize_str("both"),
    }
}
