//! The integration tests, in one binary.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may fail by a panic, in its helpers too"
)]

mod architecture;
mod config;
mod dispatch;
mod portal;
mod readme;
mod schedule;
mod support;
mod sweep;
