//! What a reader gets: rows as plain data, with the field names of [`Record`](crate::domain::Record).

use jiff::Timestamp;
use serde::Serialize;

/// One row: a sweep for one `Dump` value, or a slot that came to no sweep, or a run of missed slots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are Record's")]
pub struct Row {
    pub portal: String,
    pub schedule: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<Timestamp>,
    pub trigger: String,
    pub dump: String,
    pub method: String,
    /// An outcome of design.md §2, or `running`.
    pub outcome: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_slot: Option<Timestamp>,
    /// How many slots a missed run holds. Slots between `slot` and `last_slot` that have rows of their own do not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<u64>,
    pub began: Timestamp,
    /// `None` while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// `None` while it runs, and where nobody saw the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_slot: Option<Timestamp>,
    pub sweep_id: String,
    /// The process that wrote the row.
    pub pid: u32,
    /// What was seen of the backups: removed ones first, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub backups: Vec<BackupRow>,
}

/// A backup that a sweep removed, left, or saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackupRow {
    /// Its identity on the server.
    pub id: String,
    /// The archive's file name.
    pub file_name: String,
    /// Where the archive lay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<String>,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_on: Option<Timestamp>,
    /// `removed`; `left`: it was to go and is still listed; `found`: it was listed before, and nobody saw what became
    /// of it.
    pub fate: String,
    /// The error that its deletion ended in although it is not listed any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
}

/// Where a portal stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PortalState {
    /// Which portal.
    pub portal: String,
    /// The newest row that has an outcome, without its backups.
    pub last: Option<Row>,
    /// When the newest sweep ended that failed for no `Dump` value and found or left nothing that was to go.
    pub last_success: Option<Timestamp>,
    /// How many sweeps failed or were left partial since then.
    pub failures_in_a_row: u64,
    /// When the sweep began that runs now, or ran when its process died.
    pub running_since: Option<Timestamp>,
    /// Up to which instant the portal's slots are accounted for.
    pub accounted: Option<Timestamp>,
}

/// How often a portal came to an outcome since the ledger began, rows that were pruned since then included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Total {
    /// Which portal.
    pub portal: String,
    /// Which outcome.
    pub outcome: String,
    /// How often; each slot of a missed run counts.
    pub sweeps: u64,
    /// How many backups were deleted.
    pub deleted: u64,
}

/// Which rows a history holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Of this portal only.
    pub portal: Option<String>,
    /// Of what is about this instant or later: its slot, or its beginning where there is none.
    pub since: Option<Timestamp>,
    /// Only what failed or was left partial.
    pub failed: bool,
    /// Only what deleted something.
    pub deleted: bool,
    /// At most so many, the newest ones.
    pub limit: Option<u32>,
}
