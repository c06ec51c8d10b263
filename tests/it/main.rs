//! The integration tests, in one binary.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may fail by a panic, in its helpers too"
)]

mod architecture;
mod cli;
mod config;
mod daemon;
mod dispatch;
mod ledger;
mod portal;
mod readme;
mod retention;
mod schedule;
mod secrets;
mod support;
mod sweep;
