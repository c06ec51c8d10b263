//! The words of docsweep as plain data: names, addresses, slots, outcomes, reports.
//!
//! Nothing here does I/O or decides, and no clock is read but for the time stamp in a new sweep's id. A value that has a rule (a portal's name, its URL) can only be
//! made by the constructor that checks the rule, so no later code checks it again.

mod failure;
mod names;
mod outcome;
mod plan;
mod portal;
mod report;

pub use failure::{Failure, FailureClass};
pub use names::{NameError, PortalName, ScheduleLabel, ServerName};
pub use outcome::{MissedRun, Outcome, SkipReason};
pub use plan::{Reason, Verdict};
pub use portal::{
    Authorization, Backup, BackupId, Dump, DumpSetting, Keep, PortalUrl, PortalUrlError, RetryPolicy,
    StorageKind,
};
pub use report::{Counts, Method, Record, Removed, SweepId, SweepReport, Trigger};
