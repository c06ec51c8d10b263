//! docsweep clears the backup history of many ONLYOFFICE DocSpace portals, on schedules, unattended.
//!
//! Data runs one way: `config` → `schedule` → `dispatch` → `sweep` → `portal`, and the report of what was observed
//! comes back through `ledger` and `events`. A module imports only from its left in
//!
//! ```text
//! domain, clock ← cron, keys ← retry, config, portal, ledger ← events ← sweep, schedule ← dispatch
//!               ← lifecycle, telemetry, cli ← commands ← main
//! ```
//!
//! and `tests/it/architecture.rs` reads the `use` lines and holds it. `docs/architecture.md` has the picture.

pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod cron;
pub mod dispatch;
pub mod domain;
pub mod events;
pub mod keys;
pub mod ledger;
pub mod lifecycle;
pub mod portal;
pub mod retry;
pub mod schedule;
pub mod sweep;
pub mod telemetry;
