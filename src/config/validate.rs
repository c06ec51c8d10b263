//! From the raw file to the valid configuration: defaults, inheritance, and the rules of one portal.
//!
//! Rules between portals are in [`cross`](super::cross).

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::cross;
use super::known::nearest;
use super::problem::Problem;
use super::raw::{RawDaemon, RawFile, RawPortal, RawRetry, RawSafety, RawScheduleRef, RawSettings};
use super::reader::{At, Field, listed};
use super::schedules::{RawNamed, RawSchedule};
use super::types::{Config, Daemon, Log, Portal, Safety, Schedule, default};
use super::value::quote;
use crate::domain::{
    Authorization, DumpSetting, Keep, Method, PortalUrl, RetryPolicy, ScheduleLabel, ServerName,
};

/// Resolves a file. Whatever is wrong is added to `problems`; `None` if anything had to be left out.
pub(super) fn resolve(raw: &RawFile, text_len: usize, problems: &mut Vec<Problem>) -> Option<Config> {
    let named = named(raw);
    let mut resolver = Resolver {
        defaults: &raw.defaults,
        named: &named,
        schedules_lost: raw.schedules_lost,
        inline: HashMap::new(),
        problems,
    };
    resolver.settings_alone();
    let portals: Vec<_> = raw.portals.iter().map(|portal| resolver.portal(portal)).collect();
    if !raw.has_portals {
        let problem = Problem::absence(text_len..text_len, "the file names no portal")
            .help("add a `[[portals]]` table: `docsweep example-config` prints one");
        problems.push(problem);
    }
    cross::check(raw, problems);
    let schedules =
        raw.schedules.iter().map(|raw| named.get(raw.name.as_str())?.clone()).collect::<Option<_>>()?;
    let portals = portals.into_iter().collect::<Option<_>>()?;
    Some(Config { daemon: daemon(&raw.daemon)?, safety: safety(&raw.safety)?, schedules, portals })
}

fn safety(raw: &RawSafety) -> Option<Safety> {
    Some(Safety { max_wipes: optional(&raw.max_wipes)? })
}

fn daemon(raw: &RawDaemon) -> Option<Daemon> {
    let default = Daemon::default();
    let count = |field: &Field<u32>, default| match field {
        Field::Good(at) => usize::try_from(at.value).ok(),
        Field::Absent => Some(default),
        Field::Bad => None,
    };
    Some(Daemon {
        concurrency: count(&raw.concurrency, default.concurrency)?,
        per_server: count(&raw.per_server, default.per_server)?,
        ledger: raw.ledger.settle(default.ledger)?,
        ledger_retention: raw.ledger_retention.settle(default.ledger_retention)?,
        shutdown_grace: raw.shutdown_grace.settle(default.shutdown_grace)?,
        log: Log {
            format: raw.format.settle(default.log.format)?,
            level: raw.level.settle(default.log.level)?,
        },
    })
}

/// The named schedules; `None` where a schedule has a problem of its own.
type Named<'r> = HashMap<&'r str, Option<Arc<Schedule>>>;

fn named(raw: &RawFile) -> Named<'_> {
    let build = |name: &str, schedule: &RawSchedule| Arc::new(build(name, schedule));
    let entry = |raw: &RawNamed| raw.schedule.as_ref().map(|schedule| build(&raw.name, schedule));
    raw.schedules.iter().map(|raw| (raw.name.as_str(), entry(raw))).collect()
}

fn build(label: &str, raw: &RawSchedule) -> Schedule {
    let RawSchedule { timetable, splay, catch_up } = raw.clone();
    Schedule { label: ScheduleLabel::new(label), timetable, splay, catch_up }
}

struct Resolver<'r> {
    defaults: &'r RawSettings,
    named: &'r Named<'r>,
    /// The file's schedules could not be read at all, which has been reported: no name can be called unknown.
    schedules_lost: bool,
    /// Equal inline schedules are one, so that they are one job of the scheduler.
    inline: HashMap<(String, String, Duration, Duration), Arc<Schedule>>,
    problems: &'r mut Vec<Problem>,
}

impl Resolver<'_> {
    /// `[defaults]` by itself, so that its problems are found even if no portal inherits them.
    fn settings_alone(&mut self) {
        let defaults = self.defaults;
        if let Some(schedule) = defaults.schedule.good() {
            self.schedule(schedule);
        }
        self.retention(defaults);
        self.timeouts(defaults);
        self.retry(&defaults.retry);
    }

    fn portal(&mut self, raw: &RawPortal) -> Option<Portal> {
        let (own, defaults) = (&raw.settings, self.defaults);
        self.require(raw, "name", "acme", &raw.name);
        self.require(raw, "url", "https://acme.example.com", &raw.url);
        self.require_table(
            raw,
            "api_key",
            "{ file = \"/etc/docsweep/keys/acme\" }",
            own.api_key.or(&defaults.api_key),
        );
        let schedule = own.schedule.or(&defaults.schedule);
        self.require_table(raw, "schedule", "\"nightly\"", schedule);
        let schedule = schedule.good().and_then(|schedule| self.schedule(schedule));
        let allow_http = own.allow_http.or(&defaults.allow_http).settle(default::ALLOW_HTTP);
        let url = self.url(raw, allow_http);
        let retention = self.retention(own);
        let timeouts = self.timeouts(own);
        let retry = self.retry(&own.retry);
        let (keep, method) = retention?;
        let (connect_timeout, timeout) = timeouts?;
        let url = url?;
        Some(Portal {
            name: raw.name.good()?.value.clone(),
            server: server(own.server.or(&defaults.server), &url)?,
            url,
            api_key: own.api_key.or(&defaults.api_key).good()?.value.clone(),
            authorization: own.authorization.or(&defaults.authorization).settle(Authorization::default())?,
            schedule: schedule?,
            dump: own.dump.or(&defaults.dump).settle(DumpSetting::default())?,
            keep,
            method,
            verify: own.verify.or(&defaults.verify).settle(default::VERIFY)?,
            enabled: own.enabled.or(&defaults.enabled).settle(default::ENABLED)?,
            connect_timeout,
            timeout,
            ca_file: optional(own.ca_file.or(&defaults.ca_file))?,
            proxy: optional(own.proxy.or(&defaults.proxy))?,
            retry: retry?,
            allow_http: allow_http?,
        })
    }

    fn require<T>(&mut self, raw: &RawPortal, key: &str, example: &str, field: &Field<T>) {
        self.require_table(raw, key, &format!("\"{example}\""), field);
    }

    fn require_table<T>(&mut self, raw: &RawPortal, key: &str, example: &str, field: &Field<T>) {
        if matches!(field, Field::Absent) {
            let own = matches!(key, "name" | "url");
            let problem = Problem::absence(raw.span.clone(), format!("{} has no `{key}`", raw.title))
                .label(format!("`{key}` is missing here"))
                .help(if own {
                    format!("add `{key} = {example}`")
                } else {
                    format!("add `{key} = {example}`, here or in `[defaults]`")
                });
            // What can be inherited may have been swallowed anywhere.
            self.problems.push(if own { problem.scope(raw.scope.clone()) } else { problem });
        }
    }

    fn url(&mut self, raw: &RawPortal, allow_http: Option<bool>) -> Option<PortalUrl> {
        let at = raw.url.good()?;
        if at.value.as_url().scheme() == "http" && allow_http == Some(false) {
            let problem = Problem::new(at.span.clone(), "`url`: http sends the key in clear text")
                .label("this is not https")
                .help("write https://, or, if nobody can listen on the way, add `allow_http = true`");
            self.problems.push(problem);
            return None;
        }
        Some(at.value.clone())
    }

    fn schedule(&mut self, at: &At<RawScheduleRef>) -> Option<Arc<Schedule>> {
        match &at.value {
            RawScheduleRef::Named(name) => match self.named.get(name.as_str()) {
                Some(schedule) => schedule.clone(),
                None if self.schedules_lost => None,
                None => self.unknown_schedule(at, name),
            },
            RawScheduleRef::Inline(raw) => {
                let raw = raw.as_ref()?;
                let cron = raw.timetable.cron.as_str();
                let zone = raw.timetable.zone.name().to_owned();
                let key = (cron.to_owned(), zone, raw.splay, raw.catch_up);
                Some(Arc::clone(self.inline.entry(key).or_insert_with(|| Arc::new(build(cron, raw)))))
            }
        }
    }

    fn unknown_schedule<T>(&mut self, at: &At<RawScheduleRef>, name: &str) -> Option<T> {
        let names = || {
            let mut names: Vec<&str> = self.named.keys().copied().collect();
            names.sort_unstable();
            names
        };
        let help = match nearest(name, names()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None if self.named.is_empty() => format!("add `[schedules.{name}]` with a `cron`"),
            None if self.named.len() <= 10 => format!("the schedules of this file: {}", listed(names())),
            None => format!("write the name of a schedule of this file, or add `[schedules.{name}]`"),
        };
        let message = format!("there is no schedule {}", quote(name));
        // Without a name that is like it, the schedule may be there, in a part that a syntax error has swallowed.
        let problem = match nearest(name, names()) {
            Some(_) => Problem::new(at.span.clone(), message),
            None => Problem::absence(at.span.clone(), message),
        };
        let problem = problem.label("no `[schedules.…]` has this name").help(help);
        self.problems.push(problem);
        None
    }

    /// `keep`, which is inherited whole, and `method`, which it decides.
    fn retention(&mut self, own: &RawSettings) -> Option<(Option<Keep>, Method)> {
        let keep = own.keep.or(&self.defaults.keep);
        let method = own.method.or(&self.defaults.method);
        let some = keep.good().filter(|at| at.value.is_some());
        let all = method.good().filter(|at| at.value == Method::Bulk);
        if let (Some(some), Some(all)) = (some, all) {
            self.some_or_all(own, &some.span, &all.span);
            return None;
        }
        let (keep, method) = (keep.settle(None)?, method.settle(Method::default())?);
        Some((keep, if keep.is_some() { Method::Each } else { method }))
    }

    /// `keep` together with `method = "bulk"`, of which at most one is meant. What portals inherit of it from
    /// `[defaults]` has the same places and words every time, and so is reported once.
    fn some_or_all(&mut self, own: &RawSettings, keep: &Range<usize>, method: &Range<usize>) {
        let has_keep = !matches!(own.keep, Field::Absent);
        let has_method = !matches!(own.method, Field::Absent);
        let message =
            "`method = \"bulk\"` deletes all backups in one call, and `keep` is to spare some of them";
        let (all, some) = ("deletes all", "spares some");
        let problem = match (has_keep, has_method) {
            (true, false) => Problem::new(keep.clone(), message)
                .label(some)
                .other(method.clone(), all)
                .help("add `method = \"each\"` beside this `keep`"),
            (false, true) => Problem::new(method.clone(), message).label(all).other(keep.clone(), some).help(
                "write `method = \"each\"`, or add `keep = \"nothing\"` if no backup is to survive here",
            ),
            (true, true) | (false, false) => Problem::new(method.clone(), message)
                .label(all)
                .other(keep.clone(), some)
                .help("leave `method` out, for `keep` implies \"each\"; or take `keep` away"),
        };
        self.problems.push(problem);
    }

    /// `connect_timeout` and `timeout`.
    fn timeouts(&mut self, own: &RawSettings) -> Option<(Duration, Duration)> {
        let connect = (own.connect_timeout.or(&self.defaults.connect_timeout), default::CONNECT_TIMEOUT);
        let whole = (own.timeout.or(&self.defaults.timeout), default::TIMEOUT);
        self.ordered(("connect_timeout", connect), ("timeout", whole))
    }

    fn retry(&mut self, own: &RawRetry) -> Option<RetryPolicy> {
        let (inherited, default) = (&self.defaults.retry, RetryPolicy::default());
        let initial = (own.initial_backoff.or(&inherited.initial_backoff), default.initial_backoff);
        let most = (own.max_backoff.or(&inherited.max_backoff), default.max_backoff);
        let (initial_backoff, max_backoff) =
            self.ordered(("initial_backoff", initial), ("max_backoff", most))?;
        Some(RetryPolicy {
            max_attempts: own.max_attempts.or(&inherited.max_attempts).settle(default.max_attempts)?,
            initial_backoff,
            max_backoff,
            deadline: own.deadline.or(&inherited.deadline).settle(default.deadline)?,
        })
    }

    /// Two durations of which the first must not be the longer one.
    fn ordered(&mut self, short: Bound<'_>, long: Bound<'_>) -> Option<(Duration, Duration)> {
        let ((short_key, (short, short_default)), (long_key, (long, long_default))) = (short, long);
        let (least, most) = (short.settle(short_default)?, long.settle(long_default)?);
        if least <= most {
            return Some((least, most));
        }
        let (least, most) = (humantime::format_duration(least), humantime::format_duration(most));
        let message = format!("`{short_key}` ({least}) is longer than `{long_key}` ({most})");
        let problem = match (short.good(), long.good()) {
            (Some(short), Some(long)) => Problem::new(long.span.clone(), message)
                .label("the shorter one")
                .other(short.span.clone(), "the longer one"),
            (Some(at), None) | (None, Some(at)) => {
                Problem::new(at.span.clone(), message).label("the other one has its default")
            }
            // The defaults are in order.
            (None, None) => return None,
        };
        let help = format!(
            "raise `{long_key}` to \"{least}\" or more, or lower `{short_key}` to \"{most}\" or less"
        );
        self.problems.push(problem.help(help));
        None
    }
}

/// A key, what is written for it, and its default.
type Bound<'f> = (&'static str, (&'f Field<Duration>, Duration));

/// A key without a default. `None`: its problem has been reported.
#[expect(
    clippy::option_option,
    reason = "the outer one is whether a problem was reported, as everywhere here"
)]
fn optional<T: Clone>(field: &Field<T>) -> Option<Option<T>> {
    match field {
        Field::Good(at) => Some(Some(at.value.clone())),
        Field::Absent => Some(None),
        Field::Bad => None,
    }
}

/// The server that a portal lives on. `None`: its problem has been reported.
pub(super) fn server(field: &Field<ServerName>, url: &PortalUrl) -> Option<ServerName> {
    match field {
        Field::Good(at) => Some(at.value.clone()),
        // A host may be written with its root dot; it is the same host.
        Field::Absent => ServerName::new(url.host().trim_end_matches('.')).ok(),
        Field::Bad => None,
    }
}
