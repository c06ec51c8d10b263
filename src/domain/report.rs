//! The report of one sweep, and the flat record that logs and `--json` show of it.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::{Backup, DumpSetting, Outcome, PortalName, ScheduleLabel, Verdict};

/// A sweep's identity: a UUID of version 7, so that ids sort by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct SweepId(Uuid);

impl SweepId {
    /// A new id.
    pub fn random() -> Self {
        Self(Uuid::now_v7())
    }

    /// Reads an id back from its text; `None` for a text that is none.
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self)
    }
}

impl fmt::Display for SweepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What started a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// A slot of the portal's schedule.
    Schedule,
    /// A slot of the portal's schedule that passed while nothing ran, and was still worth it.
    CatchUp,
    /// A person, with `docsweep sweep`.
    Manual,
}

impl Trigger {
    /// The trigger in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::CatchUp => "catch_up",
            Self::Manual => "manual",
        }
    }
}

/// How backups are deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// One call for the whole history.
    #[default]
    Bulk,
    /// One call for each backup that is to go. Only so does the server report errors.
    Each,
}

impl Method {
    /// The method in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bulk => "bulk",
            Self::Each => "each",
        }
    }
}

/// How many backups were seen. `None` is "not observed", which is not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Listed before the deletion.
    pub found: Option<u64>,
    /// Listed before, and not any more.
    pub deleted: Option<u64>,
    /// Listed before, and spared on purpose.
    pub kept: Option<u64>,
    /// Meant to go, and still listed.
    pub remaining: Option<u64>,
}

/// What one sweep of one portal came to, for one `Dump` value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepReport {
    /// The sweep's id; both reports of a `dump = "both"` sweep carry the same one.
    pub sweep_id: SweepId,
    /// Which portal.
    pub portal: PortalName,
    /// Its schedule.
    pub schedule: ScheduleLabel,
    /// The slot; `None` for a sweep on demand.
    pub slot: Option<Timestamp>,
    /// What started it.
    pub trigger: Trigger,
    /// The `Dump` value, or the portal's whole setting where no sweep began.
    pub dump: DumpSetting,
    /// How backups were deleted.
    pub method: Method,
    /// How it ended.
    pub outcome: Outcome,
    /// What the outcome alone would not tell, for a person.
    pub note: Option<String>,
    /// Attempts that were begun.
    pub attempts: u32,
    /// What was seen of the backups.
    pub counts: Counts,
    /// What was removed, oldest first.
    pub removed: Vec<Removed>,
    /// What was to go and is still listed.
    pub left: Vec<Backup>,
    /// A dry run's decision about each backup, newest first.
    pub plan: Vec<Verdict>,
    /// Whether the list was read after the deletion and agreed with the outcome.
    pub verified: bool,
    /// From the sweep's start to its end, waits included.
    pub duration: Duration,
    /// The portal's next slot after the sweep began.
    pub next_slot: Option<Timestamp>,
}

/// A backup that was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// The backup.
    #[serde(flatten)]
    pub backup: Backup,
    /// The error that its deletion ended in although it is not listed any more: its file may have been left behind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
}

/// The flat form of a [`SweepReport`]: the field names of design.md §8, the same in text, JSON and on stdout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are SweepReport's")]
pub struct Record<'a> {
    pub portal: &'a str,
    pub schedule: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<Timestamp>,
    pub trigger: &'static str,
    pub dump: &'static str,
    pub method: &'static str,
    pub outcome: &'static str,
    /// Why a sweep was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    pub attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining: Option<u64>,
    pub verified: bool,
    /// The last slot of a missed run; its first one is `slot`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_slot: Option<Timestamp>,
    /// How many slots a missed run holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<u64>,
    pub duration_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_slot: Option<Timestamp>,
    pub sweep_id: SweepId,
}

/// What a partial deletion asks of a person.
const PARTIAL_ADVICE: &str = "Look into the DocSpace server's log for why these backups stay (a storage out of reach, a \
                              disconnected account), and delete them by hand.";

/// What a sweep whose process died asks of a person.
const INTERRUPTED_ADVICE: &str = "Find out why docsweep died; the portal is swept again at its next slot, and what this \
                                  sweep had deleted by then is what `found` held and the portal lists no more.";

impl SweepReport {
    /// The flat form.
    pub fn record(&self) -> Record<'_> {
        let (mut reason, mut failure, mut missed, mut advice) = (None, None, None, None);
        match &self.outcome {
            Outcome::Failed(why) => {
                failure = Some(why);
                advice = Some(why.class.advice());
            }
            Outcome::Skipped(why) => {
                reason = Some(why.as_str());
                advice = why.advice();
            }
            Outcome::Missed(run) => missed = Some(run),
            Outcome::Partial => advice = Some(PARTIAL_ADVICE),
            Outcome::Interrupted => advice = Some(INTERRUPTED_ADVICE),
            Outcome::Deleted | Outcome::NothingToDelete | Outcome::Paused | Outcome::Planned => {}
        }
        Record {
            portal: self.portal.as_str(),
            schedule: self.schedule.as_str(),
            slot: self.slot,
            trigger: self.trigger.as_str(),
            dump: self.dump.as_str(),
            method: self.method.as_str(),
            outcome: self.outcome.as_str(),
            reason,
            failure: failure.map(|f| f.class.as_str()),
            detail: failure.map(|f| f.detail.as_str()),
            note: self.note.as_deref(),
            advice,
            http_status: failure.and_then(|f| f.http_status),
            attempts: self.attempts,
            found: self.counts.found,
            deleted: self.counts.deleted,
            kept: self.counts.kept,
            remaining: self.counts.remaining,
            verified: self.verified,
            last_slot: missed.map(|m| m.last),
            slots: missed.map(|m| m.count),
            duration_ms: u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX),
            next_slot: self.next_slot,
            sweep_id: self.sweep_id,
        }
    }
}
