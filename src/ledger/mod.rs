//! The durable record of sweeps and of the backups that they removed.
//!
//! A slot is *claimed* by writing its row, before the first request of its sweep, and completed after its last one. So
//! every slot ends in exactly one outcome, whatever happens to the process in between. Everybody else sees the
//! [`Ledger`] trait alone, which says nothing of how the record is stored; [`SqliteLedger`] keeps it in one SQLite file,
//! for one process at a time, and [`LedgerReader`] reads that file beside it.
//!
//! It refuses to write a file that is damaged, is no ledger, or comes from a newer docsweep. It does not know what a
//! sweep does, and it reads no clock: times are handed in.

mod check;
mod contract;
mod error;
mod fault;
mod lock;
mod memory;
mod open;
mod portals;
mod probe;
mod reader;
mod row;
mod sqlite;
mod store;
mod text;
mod writer;

pub use contract::{Claim, Claimed, Health, Ledger, ProcessId, StoredPolicy};
pub use error::LedgerError;
pub use memory::MemoryLedger;
pub use open::Limits;
pub use reader::LedgerReader;
pub use row::{BackupRow, Filter, PortalState, Row, Total};
pub use sqlite::SqliteLedger;
